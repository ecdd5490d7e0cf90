# shellcheck shell=bash
# Sourced by the scripts of tests/mesh: places, addresses, words, locks.
set -euo pipefail

MESH=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${MESHSCRAPE_MESH_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/meshscrape-mesh}
mkdir -p "$CACHE"
CACHE=$(realpath "$CACHE")
# Meshes with different names stand side by side.
NAME=${MESHSCRAPE_MESH_NAME:-dev}
STATE=$CACHE/state/$NAME
# The host's end of the cable to the node, and the folder of the pods' cgroups: of this state alone,
# so that whoever finds them knows whose they are. 13 characters; Linux takes 15.
LINK=mesh-$(printf '%s' "$STATE" | sha256sum | cut -c1-8)
NODE=mesh # the node's name in Kubernetes
BASE_IMAGE=meshscrape/base:1

# All that one mesh logs stays under about 12 times this many MiB.
LOG_LIMIT=20

# Debian keeps what needs root in sbin, which a user's PATH may lack.
PATH=$PATH:/usr/sbin:/sbin

say() { printf '%(%T)T %s\n' -1 "$*" >&2; }
fail() {
	say "$*"
	exit 1
}
[[ $NAME =~ ^[a-z0-9-]+$ ]] || fail "MESHSCRAPE_MESH_NAME is '$NAME': use small letters, digits and '-'"

# Addresses follow from the slot that `up` found free on this host.
addresses() {
	local slot=$1
	HOST_IP=10.251.0.$((4 * slot + 1))
	NODE_IP=10.251.0.$((4 * slot + 2))
	POD_CIDR=10.245.$slot.0/24
	SERVICE_CIDR=10.97.$slot.0/24
}

# The node's PID on the host, if it lives and is of this state. Its parent, which the pid file
# names, was started with the state's folder as an argument: no later process with its number was.
node_pid() {
	local parent
	parent=$(cat "$STATE/pid" 2>/dev/null) || return 1
	tr '\0' '\n' 2>/dev/null <"/proc/$parent/cmdline" | grep -qxF "$STATE" || return 1
	pgrep -o -P "$parent"
}

# inside COMMAND...: runs it in the node's mounts, processes and network.
inside() { nsenter --target "$(node_pid)" --mount --net --pid -- "$@"; }

# What ended in the node that should not have, with its last lines; fails if nothing did.
casualties() { [[ -s $STATE/died ]] && head -c 4000 "$STATE/died"; }

# await SECONDS WHAT COMMAND...: repeats COMMAND until it succeeds; gives up early if the node can't.
await() {
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		if ! node_pid >/dev/null; then
			say "the node has ended; the last lines of $STATE/log/node.log:"
			tail -n 5 "$STATE/log/node.log" >&2 || true
			return 1
		elif casualties >&2; then
			return 1
		elif ((SECONDS >= deadline)); then
			say "gave up waiting for $what; logs are in $STATE/log"
			return 1
		fi
		sleep 0.3
	done
}

# hold FD FILE SECONDS WHAT: an exclusive lock until this script and all that it started are gone.
# So work that a killed script left behind is waited for, not doubled. What outlives `up` on
# purpose (the node) must close FD.
hold() {
	local fd=$1 file=$2 seconds=$3 what=$4
	eval "exec $fd>>\"\$file\""
	flock -n "$fd" && return
	say "waiting for $what"
	flock -w "$seconds" "$fd" || fail "gave up waiting for $what (lslocks shows who holds $file)"
}
