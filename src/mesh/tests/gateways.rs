use super::Said;
use super::*;
use crate::mesh::{Gateway, GatewayFlavour};

/// As istioctl and the old charts install it.
const CLASSIC: &str = "
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: istio-ingressgateway, namespace: istio-system, uid: g1, labels: {app: istio-ingressgateway}}
spec:
  selector: {matchLabels: {app: istio-ingressgateway, istio: ingressgateway}}
  template:
    metadata:
      labels: {app: istio-ingressgateway, istio: ingressgateway, istio.io/rev: default, sidecar.istio.io/inject: 'false'}
      annotations: {prometheus.io/scrape: 'true', prometheus.io/port: '15020', prometheus.io/path: /stats/prometheus}
    spec: {containers: [{name: istio-proxy, image: 'istio/proxyv2:1.31.0', args: [proxy, router]}]}
status: {readyReplicas: 1}
---
apiVersion: v1
kind: Pod
metadata: {name: istio-ingressgateway-9-a, namespace: istio-system, labels: {app: istio-ingressgateway, istio: ingressgateway, pod-template-hash: '9'}, annotations: {prometheus.io/scrape: 'true', prometheus.io/port: '15020'}, ownerReferences: [{kind: ReplicaSet, name: istio-ingressgateway-9}]}
spec: {containers: [{name: istio-proxy, image: 'istio/proxyv2:1.31.0'}]}
status: {phase: Running, podIP: 10.0.0.9}
";

fn gateway(more: &str) -> Arc<Gateway> {
    let found = shop(&format!("{CLASSIC}{more}"));
    found
        .gateway("istio-system", "istio-ingressgateway")
        .expect("found")
        .clone()
}

fn istio_gateway(spec: &str) -> String {
    format!(
        "
---
{{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {{name: public, namespace: shop, uid: x}}, spec: {spec}}}
"
    )
}

#[test]
fn a_classic_gateway_is_no_workload_and_can_be_chosen() {
    let found = shop(CLASSIC);
    assert_eq!(found.workloads.len(), 1);
    let gateway = gateway("");
    assert_eq!(gateway.flavour, GatewayFlavour::Classic);
    assert_eq!(gateway.role, "ingress");
    assert!(
        gateway.workload.obstacles.is_empty(),
        "{:?}",
        gateway.workload.obstacles
    );
    assert_eq!(gateway.workload.scraped.plaintext, Some(15020));
    let selector: Vec<(&str, &str)> = gateway
        .selector
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        selector,
        [("app", "istio-ingressgateway"), ("istio", "ingressgateway")]
    );
}

#[test]
fn an_injected_gateway_of_the_newer_chart() {
    let found = shop(
        "
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: edge, namespace: ingress}
spec:
  selector: {matchLabels: {app: edge, istio: edge}}
  template:
    metadata: {labels: {app: edge, istio: edge}, annotations: {inject.istio.io/templates: gateway}}
    spec: {containers: [{name: istio-proxy, image: auto}]}
",
    );
    let edge = found.gateway("ingress", "edge").expect("found");
    assert_eq!(
        (edge.flavour, edge.role.as_str()),
        (GatewayFlavour::Classic, "edge")
    );
}

#[test]
fn a_sidecar_that_an_app_adjusts_is_no_gateway() {
    let found = shop("
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: tuned, namespace: shop}
spec: {selector: {matchLabels: {app: tuned}}, template: {metadata: {labels: {app: tuned}}, spec: {containers: [{name: istio-proxy, image: auto}, {name: app}]}}}
");
    assert!(found.gateways.is_empty());
}

#[test]
fn gateway_api_and_waypoints_are_shown_with_the_reason() {
    let found = shop("
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web-istio, namespace: shop}
spec:
  selector: {matchLabels: {gateway.networking.k8s.io/gateway-name: web}}
  template: {metadata: {labels: {gateway.networking.k8s.io/gateway-name: web}}, spec: {containers: [{name: istio-proxy, image: p}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: waypoint, namespace: shop}
spec:
  selector: {matchLabels: {gateway.networking.k8s.io/gateway-name: waypoint}}
  template: {metadata: {labels: {gateway.networking.k8s.io/gateway-name: waypoint}}, spec: {containers: [{name: istio-proxy, image: p}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: waypoint, namespace: shop}, spec: {gatewayClassName: istio-waypoint}}
");
    let web = found.gateway("shop", "web-istio").expect("found");
    assert_eq!(web.flavour, GatewayFlavour::GatewayApi);
    assert_eq!(words(&web.workload.obstacles), ["ManagedByGatewayApi"]);
    let waypoint = found.gateway("shop", "waypoint").expect("found");
    assert_eq!(waypoint.flavour, GatewayFlavour::Waypoint);
    assert_eq!(words(&waypoint.workload.obstacles), ["Waypoint"]);
}

#[test]
fn sidecars_do_not_reach_gateways_but_allow_policies_do() {
    let gateway = gateway("
---
{apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {name: mesh, namespace: istio-system}, spec: {egress: [{hosts: ['./*']}]}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: lock, namespace: istio-system, labels: {argocd.argoproj.io/instance: mesh}}, spec: {selector: {matchLabels: {istio: ingressgateway}}, rules: []}}
");
    assert_eq!(words(&gateway.workload.obstacles), ["AllowPolicy"]);
    assert!(
        gateway.workload.obstacles[0]
            .said()
            .contains("istio-system/lock")
    );
}

#[test]
fn somebody_elses_15091_is_found_from_any_namespace() {
    let sane = istio_gateway(
        "{selector: {istio: ingressgateway}, servers: [{port: {number: 15091}, tls: {mode: ISTIO_MUTUAL, subjectAltNames: [x]}}]}",
    );
    let found = gateway(&sane);
    assert_eq!(found.on_15091.len(), 1);
    assert_eq!(words(&found.workload.obstacles), ["OwnServer"]);
    let published = istio_gateway(
        "{selector: {istio: ingressgateway}, servers: [{port: {number: 80}}, {port: {number: 15091}, tls: {mode: ISTIO_MUTUAL}}]}",
    );
    let found = gateway(&published);
    assert_eq!(found.on_15091.len(), 1);
    assert!(
        found.workload.obstacles.is_empty(),
        "it is repaired: {:?}",
        found.workload.obstacles
    );
    let other =
        istio_gateway("{selector: {istio: egressgateway}, servers: [{port: {number: 15091}}]}");
    assert!(gateway(&other).on_15091.is_empty());
}

#[test]
fn two_gateways_of_one_role_are_told_apart_or_refused() {
    let second = |namespace: &str, app: &str| {
        CLASSIC
            .replace(
                "name: istio-ingressgateway,",
                &format!("name: second-{app},"),
            )
            .replace(
                "namespace: istio-system",
                &format!("namespace: {namespace}"),
            )
            .replace("app: istio-ingressgateway", &format!("app: {app}"))
            .replace("uid: g1", "uid: g2")
    };
    let apart = gateway(&second("istio-system", "second"));
    assert!(
        apart.workload.obstacles.is_empty(),
        "{:?}",
        apart.workload.obstacles
    );
    assert_eq!(apart.selector["app"], "istio-ingressgateway");
    let alike = gateway(&second("edge", "istio-ingressgateway"));
    assert_eq!(words(&alike.workload.obstacles), ["SharedLabels"]);
}

#[test]
fn our_objects_for_a_gateway_are_known_again() {
    let ours = "labels: {app.kubernetes.io/managed-by: meshscrape}";
    let name = "name: meshscrape-istio-ingressgateway, namespace: istio-system";
    let gateway = gateway(&format!("
---
{{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {{{name}, {ours}}}, spec: {{hosts: [g.metrics.internal], exportTo: ['.'], ports: [{{number: 15020}}], endpoints: [{{address: 127.0.0.1}}]}}}}
---
{{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {{{name}, {ours}}}, spec: {{}}}}
---
{{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {{{name}, {ours}}}, spec: {{selector: {{app: istio-ingressgateway, istio: ingressgateway}}, servers: [{{port: {{number: 15091}}}}]}}}}
"));
    assert_eq!(gateway.workload.ours.len(), 3);
    assert_eq!(gateway.workload.secured_port, Some(15020));
    assert!(gateway.on_15091.is_empty());
    assert!(gateway.workload.obstacles.is_empty());
}
