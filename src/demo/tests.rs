//! The builtin scenario holds what the demo is to show; broken scenarios are refused with a place.

use serde_json::{Value, json};

use super::Simulation;
use super::json::{annotation, list, text};

fn builtin() -> Simulation {
    Simulation::builtin()
}

#[tokio::test]
async fn the_builtin_world_is_at_rest() {
    let simulation = builtin();
    let pods = simulation.objects("Pod", "");
    assert!(!pods.is_empty());
    for pod in &pods {
        assert_eq!(text(pod, "/status/phase"), "Running", "{pod}");
        assert!(
            list(pod, "/status/containerStatuses")
                .iter()
                .all(|c| c["ready"] == true)
        );
    }
    let mut addresses: Vec<&str> = pods
        .iter()
        .filter(|pod| pod["spec"]["hostNetwork"] != true)
        .map(|pod| text(pod, "/status/podIP"))
        .collect();
    addresses.sort_unstable();
    let all = addresses.len();
    addresses.dedup();
    assert_eq!(addresses.len(), all, "addresses are not shared");
}

#[tokio::test]
async fn the_builtin_world_holds_one_of_each_difficult_kind() {
    let simulation = builtin();
    let object = |kind: &str, ns: &str, name: &str| {
        simulation
            .object(kind, ns, name)
            .unwrap_or_else(|| panic!("{kind} {ns}/{name}"))
    };
    assert_eq!(
        text(
            &object("Deployment", "default", "httpbin"),
            "/spec/template/spec/serviceAccountName"
        ),
        "httpbin"
    );
    assert!(
        object("Sidecar", "billing", "invoices")
            .pointer("/spec/workloadSelector")
            .is_some()
    );
    assert!(
        object("Sidecar", "loyalty", "default")
            .pointer("/spec/workloadSelector")
            .is_none()
    );
    assert!(
        object("PeerAuthentication", "billing", "ledger")
            .pointer("/spec/selector")
            .is_some()
    );
    assert_eq!(
        text(
            &object("PeerAuthentication", "payments", "default"),
            "/spec/mtls/mode"
        ),
        "STRICT"
    );
    assert_eq!(
        text(
            &object("AuthorizationPolicy", "billing", "tax"),
            "/spec/action"
        ),
        "ALLOW"
    );
    let manager = |name: &str| {
        text(
            &object("Deployment", "marketing", name),
            "/metadata/managedFields/0/manager",
        )
        .to_owned()
    };
    assert_eq!(manager("newsletter"), "helm");
    assert_eq!(manager("landing-pages"), "argocd-controller");
    assert_eq!(manager("coupons"), "kustomize-controller");
    let operated = object("StatefulSet", "monitoring", "prometheus-k8s");
    let owner = object("Prometheus", "monitoring", "k8s");
    assert_eq!(
        operated["metadata"]["ownerReferences"][0]["uid"],
        owner["metadata"]["uid"]
    );
    assert!(
        simulation
            .object("Sidecar", "returns", "secure-metrics")
            .is_some()
    );
    assert!(
        simulation
            .object("gateway.networking.k8s.io/Gateway", "edge", "edge")
            .is_some()
    );
    assert!(
        simulation
            .object("NetworkPolicy", "fulfilment", "shipping")
            .is_some()
    );
    let node_pods = simulation.objects("Pod", "platform");
    assert!(
        node_pods
            .iter()
            .any(|pod| pod["spec"]["hostNetwork"] == true)
    );
}

#[test]
fn a_scenario_may_annotate_running_pods() {
    let text = "\
apiVersion: v1
kind: Namespace
metadata: {name: returns}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: returns}
spec:
  replicas: 1
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api, image: api}]}
---
annotate:
  namespace: returns
  labels: {app: api}
  annotations: {prometheus.istio.io/secure-port: \"15091\"}
";
    let simulation = Simulation::from_scenario(text).expect("a world");
    let pods = simulation.objects("Pod", "returns");
    assert_eq!(
        annotation(&pods[0], "prometheus.istio.io/secure-port"),
        Some("15091")
    );
}

#[test]
fn broken_scenarios_name_the_place() {
    let error = |text: &str| Simulation::from_scenario(text).err().expect("an error");
    assert!(
        error("apiVersion: v1\nkind: Potato\nmetadata: {name: x}")
            .contains("document 1: \"Potato\"")
    );
    assert!(error("settings: {pod_strat: 1}").contains("pod_strat"));
    let homeless = "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: nowhere}";
    assert!(error(homeless).contains("no such namespace"));
    assert!(error("apiVersion: v1\nkind: Pod\nmetadata: {name: x").contains("document 1"));
}

#[tokio::test]
async fn an_empty_world_is_a_world() {
    let simulation = Simulation::from_scenario("settings: {absent_groups: [networking.istio.io]}")
        .expect("a world");
    let client = simulation.client();
    let request = http::Request::get("/apis/networking.istio.io/v1/sidecars")
        .body(Vec::new())
        .expect("a request");
    let answer: Result<Value, kube::Error> = client.request(request).await;
    let Err(kube::Error::Api(status)) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(status.code, 404);
    assert_eq!(simulation.requests()[0].status, 404);
    simulation.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "late"}}));
    assert!(simulation.object("Namespace", "", "late").is_some());
}
