# shellcheck shell=bash
# Sourced by up: the images that pods run from. None is pulled: all are packed from our programs,
# under the names that the unmodified manifests ask for, and unpacked once into a containerd store,
# of which a start only makes a copy in hard links.

BASE_PACKAGES=iptables,iproute2,curl,openssl,ca-certificates

base_tar() { echo "$CACHE/base-bookworm-$(sha256sum <<<"$BASE_PACKAGES" | cut -c1-12).tar"; }

store() {
	local part
	echo "$CACHE/stores/$( (
		for part in "${PARTS[@]}"; do programs "$part"; done
		echo "$BASE_IMAGE $BASE_PACKAGES"
		cat "$MESH/cluster/images.sh"
	) | sha256sum | cut -c1-12)"
}

build_images() {
	local target
	target=$(store)
	if [[ ! -d $target ]]; then
		mkdir -p "$CACHE/stores"
		rm -rf "$target.new" "$CACHE/packing"
		mkdir "$target.new" "$CACHE/packing"
		bootstrap_base
		say "packing images"
		pack_images "$CACHE/packing"
		unpack_into_store "$CACHE/packing" "$target.new"
		rm -r "$CACHE/packing"
		mv "$target.new" "$target"
	fi
	touch "$target" "$(base_tar)"
	# What no checkout has used for a month: a cache that only grows fills the disk in the end.
	find "$CACHE"/{programs,stores,base-*.tar} -maxdepth 1 -mindepth 0 -mtime +30 \
		! -name programs ! -name stores -exec rm -rf {} +
}

# A small Debian for every image: istio-proxy needs iptables, the tests curl and openssl.
bootstrap_base() {
	local tar root=$CACHE/packing/base
	tar=$(base_tar)
	[[ -e $tar ]] && return
	say "bootstrapping the base image"
	# In namespaces of its own: what debootstrap mounts, and leaves mounted when it is killed, goes with it.
	unshare --mount --pid --fork --kill-child debootstrap --variant=minbase --include="$BASE_PACKAGES" bookworm "$root" \
		</dev/null >"$CACHE/debootstrap.log" 2>&1 || fail "debootstrap failed: $(tail -n 3 "$CACHE/debootstrap.log")"
	useradd --root "$root" --uid 1337 istio-proxy
	tar -C "$root" --exclude './var/cache/apt/*' --exclude './var/lib/apt/lists/*' --one-file-system -cf "$tar.new" .
	rm -r "$root"
	mv "$tar.new" "$tar"
}

# An archive as `docker save` makes it, which containerd imports.
pack_images() {
	local folder=$1 istio samples
	istio=$(programs istio) samples=$(programs istio)/samples
	manifest='' base_digest=$(sha256sum "$(base_tar)" | cut -d' ' -f1)
	ln "$(base_tar)" "$folder/base.tar"
	wanted() { grep -hom1 "[^\" ]*$1:[^\" ]*" "$samples/$2"; }

	image "$BASE_IMAGE" '{"Cmd":["/bin/sleep","infinity"]}'
	image "istio/pilot:$ISTIO_TAG" '{"User":"1337:1337","Entrypoint":["/usr/local/bin/pilot-discovery"]}' \
		"$istio/pilot-discovery=/usr/local/bin/pilot-discovery"
	image "istio/proxyv2:$ISTIO_TAG" '{"Entrypoint":["/usr/local/bin/pilot-agent"]}' \
		"$istio/pilot-agent=/usr/local/bin/pilot-agent" "$(programs envoy)/envoy=/usr/local/bin/envoy" \
		"$istio/envoy_bootstrap.json=/var/lib/istio/envoy/envoy_bootstrap_tmpl.json"
	image "$(wanted go-httpbin httpbin/httpbin.yaml)" '{"Cmd":["/bin/go-httpbin"]}' \
		"$(programs httpbin)/go-httpbin=/usr/bin/go-httpbin"
	image "$(wanted curl curl/curl.yaml)" '{"Cmd":["/bin/sh"]}'
	image "$(wanted prom/prometheus addons/prometheus.yaml)" '{"User":"nobody","WorkingDir":"/tmp","Entrypoint":["/bin/prometheus"]}' \
		"$(programs prometheus)/prometheus=/usr/bin/prometheus"
	image "$(wanted prometheus-config-reloader addons/prometheus.yaml)" '{"User":"nobody","Entrypoint":["/bin/prometheus-config-reloader"]}' \
		"$(programs reloader)/prometheus-config-reloader=/usr/bin/prometheus-config-reloader"
	image "$(grep -hom1 'quay.io/[^ ]*/prometheus-operator:[^ ]*' "$(programs operator)/example/rbac/prometheus-operator/prometheus-operator-deployment.yaml")" \
		'{"User":"nobody","Entrypoint":["/bin/operator"]}' "$(programs operator)/operator=/usr/bin/operator"
	printf '[%s]' "$manifest" >"$folder/manifest.json"
}

# image NAME CONFIG [PROGRAM=PATH...]: the base layer, and one layer with the programs. These go to
# usr/bin, never to bin: a layer's folder would take the place of the base's link.
image() {
	local name=$1 config=$2 id root pair layers='"base.tar"' digests="\"sha256:$base_digest\""
	shift 2
	id=${name//[^a-z0-9]/-}
	if (($#)); then
		root=$folder/root
		for pair; do install -D "${pair%%=*}" "$root${pair#*=}"; done
		tar -C "$root" --owner=0 --group=0 -cf "$folder/$id.tar" .
		rm -r "$root"
		layers+=",\"$id.tar\""
		digests+=",\"sha256:$(sha256sum "$folder/$id.tar" | cut -d' ' -f1)\""
	fi
	printf '{"architecture":"amd64","os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":[%s]}}' \
		"$config" "$digests" >"$folder/$id.json"
	manifest+=${manifest:+,}$(printf '{"Config":"%s.json","RepoTags":["%s"],"Layers":[%s]}' "$id" "$name" "$layers")
}

# A containerd of its own, alone in its namespaces, that lives only for the import.
unpack_into_store() {
	local folder=$1 target=$2
	# shellcheck disable=SC2016 # the inner shell expands these
	tar -C "$folder" -c . | unshare --mount --pid --net --fork --kill-child --mount-proc bash -euc '
		mount -t tmpfs tmpfs /run
		printf "version = 2\nroot = \"%s\"\nstate = \"/run/containerd\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n" "$1" >/run/config.toml
		printf "[plugins.\"io.containerd.internal.v1.opt\"]\npath = \"/run/opt\"\n" >>/run/config.toml
		containerd --config /run/config.toml --log-level warn </dev/null >"$2" 2>&1 &
		for _ in {1..100}; do ctr version </dev/null >/dev/null 2>&1 && break; sleep 0.1; done
		ctr -n k8s.io images import - >/dev/null
		kill $!
		wait $! || true # its database is whole only when it has ended
	' - "$target" "$CACHE/containerd.log" || fail "containerd did not take the images: $(tail -n 3 "$CACHE/containerd.log")"
}

# Blobs and unpacked layers are never written again and are shared; the databases are.
copy_store() {
	local target=$1
	cp -al "$(store)" "$target"
	find "$target" -name '*.db' -exec sh -c 'cp --reflink=auto "$1" "$1.own" && mv "$1.own" "$1"' - {} \;
}
