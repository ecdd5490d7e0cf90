# shellcheck shell=bash
# Sourced by up: Istio and the samples, by the roads that their users take.

install_mesh() {
	local istio samples
	istio=$(programs istio) samples=$(programs istio)/samples
	say "installing Istio $ISTIO_TAG and the samples"
	kubectl apply --server-side -f "$istio/gateway-api" >"$STATE/log/install.log" 2>&1 ||
		fail "the Gateway API's definitions: $(tail -n 3 "$STATE/log/install.log")"
	# Prometheus needs nothing of Istio: it starts meanwhile.
	kubectl create namespace istio-system >>"$STATE/log/install.log" 2>&1
	kubectl apply -f "$samples/addons/prometheus.yaml" >>"$STATE/log/install.log" 2>&1
	istioctl install --skip-confirmation -f "$MESH/cluster/istio.yaml" --set "tag=$ISTIO_TAG" >"$STATE/log/istioctl.log" 2>&1 ||
		fail "istioctl install: $(tail -n 5 "$STATE/log/istioctl.log")"
	{
		kubectl create namespace demo
		kubectl label namespace demo istio-injection=enabled
		kubectl apply -n demo -f "$samples/httpbin/httpbin.yaml" -f "$samples/curl/curl.yaml"
		kubectl apply -f "$MESH/cluster/gwapi.yaml"
	} >>"$STATE/log/install.log" 2>&1 || fail "the samples: $(tail -n 5 "$STATE/log/install.log")"
	await 120 "httpbin" kubectl rollout status -n demo deployment/httpbin --timeout 1s
	await 120 "curl" kubectl rollout status -n demo deployment/curl --timeout 1s
	await 120 "Prometheus" kubectl rollout status -n istio-system deployment/prometheus --timeout 1s
	await 60 "the Gateway API gateway" kubectl wait -n gwapi --for condition=Programmed gateway/gateway --timeout 1s
	await 60 "the Gateway API gateway's pod" kubectl rollout status -n gwapi deployment/gateway-istio --timeout 1s
}
