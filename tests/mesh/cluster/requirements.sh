# shellcheck shell=bash
# Sourced by up: what the machine must have, and the Debian packages that can be had.

PACKAGES=(containerd runc containernetworking-plugins etcd-server debootstrap iptables iproute2
	procps openssl conntrack util-linux)
# The bridge plugin stands for the network plugins.
PROGRAMS=(containerd runc /usr/lib/cni/bridge etcd debootstrap iptables ip sysctl openssl conntrack
	nsenter unshare flock pip)

missing() {
	local program
	for program in "${PROGRAMS[@]}"; do
		command -v "$program" >/dev/null || echo "$program"
	done
}

# Prints in one line why the mesh can't run here; nothing if it can.
obstacle() {
	local absent version free
	if [[ $(uname -sm) != "Linux x86_64" ]]; then
		echo "it needs Linux on x86-64, this is $(uname -sm)"
	elif ((EUID != 0)); then
		echo "it needs root, this is $(id -un)"
	elif ! unshare --mount --pid --net --fork --mount-proc mount -t tmpfs tmpfs /mnt 2>/dev/null; then
		echo "it needs mount, PID and network namespaces, and this machine gives none"
	elif absent=$(missing) && [[ $absent ]] && ! command -v apt-get >/dev/null; then
		echo "missing, and no apt-get to install it: $(tr '\n' ' ' <<<"$absent")"
	elif ! programs_there && ! command -v go >/dev/null; then
		echo "it needs Go 1.26 or newer to build its programs, and there is none"
	elif ! programs_there && version=$(go env GOVERSION) &&
		[[ $(printf '%s\n' go1.26 "$version" | sort -V | head -n 1) != go1.26 ]]; then
		echo "it needs Go 1.26 or newer to build its programs, this is $version"
	elif free=$(df --output=avail -BG "$CACHE" | tail -n 1 | tr -dc 0-9) && ((free < 6)); then
		echo "it needs 6 GB free in $CACHE, there are $free (a first build takes 14 GB with Go's own caches)"
	fi
}

install_packages() {
	[[ $(missing) ]] || return 0
	say "installing Debian packages: missing are $(missing | tr '\n' ' ')"
	# A killed installation leaves dpkg half way, and perhaps its lock held for a moment.
	dpkg --configure -a </dev/null >&2
	local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
	"${apt[@]}" update </dev/null >&2
	# Debian's pip, which brings much along, only where there is no other.
	command -v pip >/dev/null || PACKAGES+=(python3-pip)
	"${apt[@]}" install --no-install-recommends "${PACKAGES[@]}" </dev/null >&2
	[[ ! $(missing) ]] || fail "still missing after apt-get install: $(missing | tr '\n' ' ')"
}
