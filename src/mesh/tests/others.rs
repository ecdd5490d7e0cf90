use super::*;
use crate::mesh::others::in_plaintext;
use crate::problems::{Code, Problem};
use crate::words::why_not;

const OTHERS: &str = "
---
apiVersion: v1
kind: Pod
metadata:
  name: import-x
  namespace: shop
  labels: {app: import}
  annotations: {prometheus.io/scrape: 'true', prometheus.io/port: '15020'}
  ownerReferences: [{apiVersion: batch/v1, kind: Job, name: import}]
spec: {containers: [{name: app}, {name: istio-proxy, image: 'istio/proxyv2:1.31.0'}]}
status: {phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: import-done, namespace: shop, ownerReferences: [{apiVersion: batch/v1, kind: Job, name: import}]}
spec: {containers: [{name: app}]}
status: {phase: Succeeded}
---
# A ReplicaSet of nobody's, named as if it were the Deployment cart's.
apiVersion: v1
kind: Pod
metadata:
  name: cart-rs-1
  namespace: shop
  labels: {app: cart-rs}
  annotations: {prometheus.io/scrape: 'true', prometheus.io/port: '9090'}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: cart-rs}]
spec: {containers: [{name: app}]}
status: {phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: kafka-0, namespace: shop, ownerReferences: [{apiVersion: core.strimzi.io/v1, kind: StrimziPodSet, name: kafka}]}
spec: {containers: [{name: app}]}
status: {phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: debug, namespace: shop}
spec: {containers: [{name: app}]}
status: {phase: Running}
";

fn titles(mesh: &Mesh, namespace: &str) -> Vec<(String, usize, usize, usize)> {
    let others = mesh.others_in(namespace).iter();
    others
        .map(|other| (other.title(), other.pods, other.meshed, other.plaintext))
        .collect()
}

#[test]
fn pods_of_other_owners_are_listed_by_owner_with_a_reason_and_counted() {
    let mesh = shop(OTHERS);
    let told = |title: &str, meshed, plaintext| (title.to_owned(), 1, meshed, plaintext);
    assert_eq!(
        titles(&mesh, "shop"),
        [
            told("Job import", 1, 1),
            told("Pod debug", 0, 0),
            told("ReplicaSet cart-rs", 0, 1),
            told("StrimziPodSet kafka", 0, 0),
        ]
    );
    assert_eq!(in_plaintext(mesh.others_in("shop")), 2);
    assert!(mesh.others_in("istio-system").is_empty());
    for other in &mesh.others {
        let problem = &other.obstacle;
        assert!(matches!(problem, Problem::OtherOwner { pods, .. } if *pods == other.pods));
        assert_eq!(
            problem.of().to_string(),
            format!("{} shop/{}", other.kind, other.name)
        );
    }
    // None of them is taken for the Deployment's.
    let id: WorkloadRef = "shop/Deployment/cart".parse().unwrap();
    assert_eq!(mesh.workload(&id).unwrap().pods.len(), 2);
}

#[test]
fn a_pod_whose_deployment_was_not_listed_is_nobodys_yet() {
    let mut inventory = inventory(&format!("{ISTIO}{SHOP}{OTHERS}"));
    let deployments = inventory.workloads.get_mut(&Kind::Deployment).unwrap();
    deployments.items.clear();
    deployments.progress = Progress::Denied("deployments.apps may not be listed".into());
    let mesh = assemble(&inventory);
    assert!(
        titles(&mesh, "shop")
            .iter()
            .all(|(title, ..)| !title.contains("cart-5d9c7b"))
    );
    inventory
        .workloads
        .get_mut(&Kind::Deployment)
        .unwrap()
        .progress = Progress::Complete;
    let mesh = assemble(&inventory);
    let orphans = titles(&mesh, "shop");
    assert!(
        orphans
            .iter()
            .any(|(title, pods, ..)| title == "ReplicaSet cart-5d9c7b" && *pods == 2)
    );
}

#[test]
fn a_kind_that_cannot_be_secured_says_why() {
    for (text, why) in [
        ("shop/Job/import", why_not("Job")),
        ("shop/cronjob/nightly", why_not("CronJob")),
        ("shop/rs/cart-rs", why_not("ReplicaSet")),
        ("shop/Pod/debug", why_not("Pod")),
    ] {
        let error = text.parse::<WorkloadRef>().unwrap_err();
        assert!(error.contains(&*why) && error.contains(text), "{error}");
    }
    let error = "shop/Rollout/cart".parse::<WorkloadRef>().unwrap_err();
    assert!(error.contains("rollout"), "{error}");
}

/// A gateway by the chart: its proxy's image is filled in by injection.
fn gateway(namespace: &str, labels: &str) -> String {
    format!(
        "
---
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}, labels: {{{labels}}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: gate, namespace: {namespace}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: gate}}}}
  template:
    metadata: {{labels: {{app: gate, sidecar.istio.io/inject: 'true'}}, annotations: {{inject.istio.io/templates: gateway}}}}
    spec: {{containers: [{{name: istio-proxy, image: auto}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: gate-1-a, namespace: {namespace}, labels: {{app: gate, pod-template-hash: '1'}}, ownerReferences: [{{kind: ReplicaSet, name: gate-1}}]}}
spec: {{containers: [{{name: istio-proxy, image: 'istio/proxyv2:1.31.0'}}]}}
status: {{phase: Running}}
"
    )
}

#[test]
fn a_gateway_counts_as_no_sidecar_and_needs_injection_for_its_image() {
    let mesh = shop(&gateway("edge", ""));
    let of = mesh.gateway("edge", "gate").unwrap();
    assert!(!words(&of.workload.obstacles).contains(&"NoProxyImage"));
    let edge = mesh.namespaces.iter().find(|n| n.name == "edge").unwrap();
    assert_eq!((edge.pods, edge.meshed_pods), (1, 0));

    let mesh = shop(&gateway("edge", "istio-injection: disabled"));
    let of = mesh.gateway("edge", "gate").unwrap();
    // Its pods run: the review says which change their successors would not survive.
    assert!(!words(&of.workload.obstacles).contains(&"NoProxyImage"));
    assert_eq!(
        of.unfit.as_ref().map(|of| of.code()),
        Some(Code::NoProxyImage)
    );
}
