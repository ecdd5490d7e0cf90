use super::*;
use crate::mesh::LeftoverKind;
use crate::problems::Problem;

fn found(mesh: &Mesh) -> Vec<(LeftoverKind, String)> {
    mesh.leftovers
        .iter()
        .map(|leftover| (leftover.kind, leftover.object.name.clone()))
        .collect()
}

/// The objects of the published task, as one would have applied them.
const PUBLISHED: &str = "
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: secure-metrics, namespace: shop, uid: s}
spec: {ingress: [{port: {number: 15091, protocol: HTTP, name: http-metrics}, defaultEndpoint: '127.0.0.1:15020'}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: httpbin-gateway, namespace: shop, uid: g}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}
  - {port: {number: 15091, name: https-metrics, protocol: HTTPS}, tls: {mode: ISTIO_MUTUAL}, hosts: ['*']}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: gateway-admin, namespace: shop, uid: e}
spec:
  hosts: [gateway-admin.local]
  location: MESH_INTERNAL
  ports: [{number: 15020, name: http-metrics, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: gateway-metrics, namespace: shop, uid: v}
spec:
  hosts: ['*']
  gateways: [httpbin-gateway]
  http: [{match: [{uri: {prefix: /stats/prometheus}}], route: [{destination: {host: gateway-admin.local, port: {number: 15020}}}]}]
";

#[test]
fn the_published_objects_are_recognised_whatever_they_are_called() {
    let kinds = [
        LeftoverKind::NamespaceSidecar,
        LeftoverKind::GatewayServer,
        LeftoverKind::MetricsRoute,
        LeftoverKind::AdminServiceEntry,
    ];
    let renamed = PUBLISHED
        .replace("name: secure-metrics", "name: mine")
        .replace("name: gateway-admin,", "name: admin,");
    for text in [PUBLISHED.to_owned(), renamed] {
        let mesh = shop(&text);
        let seen: Vec<LeftoverKind> = mesh
            .leftovers
            .iter()
            .map(|leftover| leftover.kind)
            .collect();
        assert_eq!(seen, kinds);
        assert!(
            mesh.leftovers
                .iter()
                .all(|leftover| !leftover.uid.is_empty() && !leftover.problems.is_empty())
        );
    }
}

#[test]
fn objects_that_only_look_alike_are_left_alone() {
    let sane = PUBLISHED
        .replace(
            "spec: {ingress:",
            "spec: {workloadSelector: {labels: {app: till}}, ingress:",
        )
        .replace(
            "  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}\n",
            "",
        )
        .replace(
            "tls: {mode: ISTIO_MUTUAL}",
            "tls: {mode: ISTIO_MUTUAL, subjectAltNames: ['spiffe://cluster.local/ns/a/sa/b']}",
        )
        .replace(
            "hosts: [gateway-admin.local]",
            "hosts: [admin.internal]\n  exportTo: ['.']",
        )
        .replace(
            "{uri: {prefix: /stats/prometheus}}",
            "{uri: {prefix: /stats/prometheus}, port: 15091}",
        );
    assert_eq!(found(&shop(&sane)), []);
}

#[test]
fn our_own_objects_are_no_leftovers() {
    let ours = PUBLISHED.replace(
        "namespace: shop, uid",
        "namespace: shop, labels: {app.kubernetes.io/managed-by: meshscrape}, uid",
    );
    assert_eq!(found(&shop(&ours)), []);
}

#[test]
fn marks_on_running_pods_are_found_once_a_workload() {
    let text = format!("{ISTIO}{SHOP}").replace(
        "annotations: {",
        "annotations: {prometheus.istio.io/secure-port: '15091', ",
    );
    let mesh = mesh(&text);
    assert_eq!(
        found(&mesh),
        [(LeftoverKind::Annotations, "cart".to_owned())]
    );
    assert!(matches!(
        mesh.leftovers[0].problems[..],
        [Problem::AnnotationOnPodsOnly { pods: 2, .. }]
    ));
}

#[test]
fn a_mark_that_the_injector_set_is_none() {
    let text = format!("{ISTIO}{SHOP}")
        .replace("annotations: {", "annotations: {prometheus.istio.io/secure-port: '15092', ")
        .replace(
            "metadata: {labels: {app: cart, version: v1}}",
            "metadata: {labels: {app: cart, version: v1}, annotations: {proxy.istio.io/config: 'proxyMetadata: {ENVOY_SECURE_MERGED_METRICS_PORT: \"15092\"}'}}",
        );
    assert_eq!(found(&mesh(&text)), []);
}

#[test]
fn a_path_without_a_port_on_the_template() {
    let text = format!("{ISTIO}{SHOP}").replace(
        "metadata: {labels: {app: cart, version: v1}}",
        "metadata: {labels: {app: cart, version: v1}, annotations: {prometheus.io/path: /stats/prometheus, prometheus.istio.io/secure-port: '15091'}}",
    );
    assert_eq!(
        found(&mesh(&text)),
        [(LeftoverKind::Annotations, "cart".to_owned())]
    );
}

fn with_job(job: &str) -> Mesh {
    let job = job.replace('\n', "\n    ");
    shop(&format!("{}    {job}\n", prometheus_servers::SAMPLE))
}

const OURS: &str = r"- job_name: istio-secure-merged-metrics
  metrics_path: /stats/prometheus
  scheme: https
  enable_http2: false
  kubernetes_sd_configs: [{role: pod}]
  tls_config: {ca_file: /c/root-cert.pem, cert_file: /c/cert-chain.pem, key_file: /c/key.pem, insecure_skip_verify: true}
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port], action: keep, regex: \d+}";

#[test]
fn jobs_of_the_sample_and_of_the_task_are_found_and_ours_is_not() {
    assert_eq!(found(&with_job(OURS)), []);
    for job in [
        OURS.replace(r"regex: \d+", "regex: .+"),
        OURS.replace("  metrics_path: /stats/prometheus\n", ""),
        OURS.replace("ca_file: /c/root-cert.pem, ", ""),
        OURS.replace("secure_port]", "secure_envoy_port]")
            .replace(r"regex: \d+", "regex: .+")
            .replace("merged", "envoy"),
    ] {
        let mesh = with_job(&job);
        assert_eq!(
            found(&mesh),
            [(LeftoverKind::ScrapeJob, "prometheus".to_owned())],
            "{job}"
        );
        assert_eq!(mesh.leftovers[0].uid, "config-uid");
    }
}
