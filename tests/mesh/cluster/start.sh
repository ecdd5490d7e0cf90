# shellcheck shell=bash
# Sourced by up: from nothing to a node that is Ready.

# Certificates: one CA, one server, one administrator. The mesh has a single user.
make_certificates() {
	local ec=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365)
	mkdir "$STATE/pki"
	(
		cd "$STATE/pki" || exit
		openssl req -x509 "${ec[@]}" -subj /CN=meshscrape-mesh -keyout ca.key -out ca.crt
		openssl req -x509 "${ec[@]}" -CA ca.crt -CAkey ca.key -subj /CN=kube-apiserver -keyout server.key -out server.crt \
			-addext "subjectAltName=IP:$NODE_IP,IP:${SERVICE_CIDR%.0/*}.1,DNS:kubernetes.default.svc"
		openssl req -x509 "${ec[@]}" -CA ca.crt -CAkey ca.key -subj /O=system:masters/CN=admin -keyout admin.key -out admin.crt \
			-addext basicConstraints=critical,CA:FALSE
		openssl genrsa -out sa.key 2048
		openssl rsa -in sa.key -pubout -out sa.pub
		kubectl config set-cluster mesh --server "https://$NODE_IP:6443" --certificate-authority ca.crt --embed-certs
		kubectl config set-credentials admin --client-certificate admin.crt --client-key admin.key --embed-certs
		kubectl config set-context mesh --cluster mesh --user admin
		kubectl config use-context mesh
	) >"$STATE/log/certificates.log" 2>&1
}

# The cable to the node and its addresses: the first sixteenth of our ranges that nobody uses here.
take_addresses() {
	local slot
	mkdir -p /run/lock
	hold 7 /run/lock/meshscrape-mesh 60 "another mesh that takes its addresses"
	for slot in {0..15}; do
		addresses "$slot"
		[[ $(ip -4 route show "${HOST_IP%.*}.$((4 * slot))/30"; ip -4 route show "$POD_CIDR"; ip -4 route show "$SERVICE_CIDR") ]] || break
	done
	echo "$slot" >"$STATE/slot"
	# Its other end gets into the node when there is one. Both are ours by name, whatever is killed.
	ip link add "$LINK" type veth peer name "${LINK}n"
	ip addr add "$HOST_IP/30" dev "$LINK"
	ip link set "$LINK" up
	exec 7>&-
}

start_node() {
	# A clean environment: the mesh is the same from a terminal, from CI and behind a proxy.
	# The locks are not the node's: it outlives us.
	# shellcheck disable=SC2016 # the inner shell expands these
	setsid env -i PATH="$PATH" HOME=/root MESHSCRAPE_MESH_CACHE="$CACHE" MESHSCRAPE_MESH_NAME="$NAME" \
		bash -c 'echo $$ >"$1/pid"; exec unshare --mount --pid --net --fork --kill-child --mount-proc "$2" "$1"' \
		- "$STATE" "$MESH/cluster/node" </dev/null >>"$STATE/log/node.log" 2>&1 7>&- 8>&- 9>&- &
	local tries=50
	until node_pid >/dev/null; do
		((tries--)) || fail "the node did not start: $(tail -n 3 "$STATE/log/node.log")"
		sleep 0.1
	done
	ip link set "${LINK}n" netns "$(node_pid)" name eth0
	ip route add "$POD_CIDR" via "$NODE_IP"
	ip route add "$SERVICE_CIDR" via "$NODE_IP"
}

start_cluster() {
	clear_state
	mkdir -p "$STATE/log"
	printf 'ISTIO=%s\nKUBERNETES=%s\nSCRIPTS=%s\n' "$ISTIO" "$KUBERNETES" "$(scripts_hash)" >"$STATE/versions"
	printf 'PATH=%q\n' "$PATH" >"$STATE/path"
	# kubelet sets these for the whole host; `down` sets them back.
	sysctl vm.overcommit_memory kernel.panic kernel.panic_on_oops >"$STATE/sysctls"
	# Each istio-proxy holds about three of these, and all of all meshes here are one user, who has 128 by default.
	local files=fs.inotify.max_user_instances
	if (($(sysctl -n "$files") < 2048)); then
		sysctl -qw "$files=2048" >&2 || say "$files stays at $(sysctl -n "$files"): many proxies at once may not start"
	fi
	take_addresses
	make_certificates
	copy_store "$STATE/containerd"
	start_node
	await 90 "the API server" kubectl get --raw /readyz
	await 60 "the node" kubectl wait --for condition=Ready "node/$NODE" --timeout 1s
}

scripts_hash() { cat "$MESH"/cluster/* | sha256sum | cut -c1-12; }
