# shellcheck shell=bash
# Sourced by up and down: ends the node of this state and leaves no trace of it.

end_node() {
	local pid tries=300
	pid=$(node_pid) || return 0
	kill -KILL "$pid" # PID 1 of the node: the kernel takes the rest along
	while [[ -e /proc/$pid ]]; do
		((tries--)) || fail "the node's process $pid does not end"
		sleep 0.1
	done
}

clear_state() {
	end_node
	ip link delete "$LINK" 2>/dev/null || true
	# Cgroups outlive their processes, and linger for a moment.
	local tries=50
	while find /sys/fs/cgroup -path "*/meshscrape/$LINK*" -depth -type d -exec rmdir {} + 2>/dev/null; [[ $(find /sys/fs/cgroup -type d -path "*/meshscrape/$LINK" -print -quit) ]]; do
		((tries--)) || { say "some cgroups of $LINK are left behind"; break; }
		sleep 0.1
	done
	if [[ -s $STATE/sysctls ]]; then sysctl -q -p "$STATE/sysctls" >&2 || true; fi
	rm -rf "$STATE"
}
