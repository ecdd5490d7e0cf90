//! The simulated world: recipes applied by hand, and what Prometheus and probes then see.

mod jobs;
mod rollouts;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::{Client, Error};
use serde_json::json;

use super::{PROMETHEUS, apply, builtin, get, get_json, pods, status, targets};

/// The corrected recipe for httpbin on 15020, as a person would write it, less what a test leaves out.
const POLICIES: &str = r#"
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: metrics-httpbin, namespace: default}
spec:
  selector: {matchLabels: {app: httpbin, version: v1}}
  portLevelMtls: {15091: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: metrics-httpbin, namespace: default}
spec:
  selector: {matchLabels: {app: httpbin, version: v1}}
  action: DENY
  rules:
    - from: [{source: {notPrincipals: [cluster.local/ns/istio-system/sa/prometheus]}}]
      to: [{operation: {ports: ["15091"]}}]
    - to: [{operation: {ports: ["15091"], notPaths: [/stats/prometheus]}}]
"#;
const LISTENER: &str = r#"
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: metrics-httpbin, namespace: default}
spec:
  workloadSelector: {labels: {app: httpbin, version: v1}}
  ingress:
    - {port: {number: 15091, name: http-metrics, protocol: HTTP}, defaultEndpoint: "127.0.0.1:15020"}
    - {port: {number: 8080, name: http, protocol: HTTP}}
"#;
const ANNOTATION: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: httpbin, namespace: default}
spec: {template: {metadata: {annotations: {prometheus.istio.io/secure-port: "15091"}}}}
"#;
const PROMETHEUS_POD: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: prometheus, namespace: istio-system}
spec:
  template:
    metadata:
      labels: {sidecar.istio.io/inject: "true", security.istio.io/tlsMode: disabled}
      annotations:
        traffic.sidecar.istio.io/includeInboundPorts: ""
        traffic.sidecar.istio.io/includeOutboundIPRanges: ""
        sidecar.istio.io/userVolumeMount: '[{"name": "istio-certs", "mountPath": "/etc/istio-certs"}]'
        proxy.istio.io/config: '{"proxyMetadata": {"OUTPUT_CERTS": "/etc/istio-certs"}}'
        prometheus.istio.io/merge-metrics: "false"
    spec:
      containers:
        - name: prometheus-server
          volumeMounts: [{name: istio-certs, mountPath: /etc/istio-certs, readOnly: true}]
      volumes: [{name: istio-certs, emptyDir: {medium: Memory}}]
"#;
const JOB: &str = r#"    - job_name: istio-secure-merged-metrics
      honor_labels: true
      metrics_path: /stats/prometheus
      scheme: https
      tls_config: {ca_file: /etc/istio-certs/root-cert.pem, cert_file: /etc/istio-certs/cert-chain.pem, key_file: /etc/istio-certs/key.pem, insecure_skip_verify: true}
      kubernetes_sd_configs: [{role: pod}]
      relabel_configs:
      - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port], action: keep, regex: '\d+'}
      - {source_labels: [__meta_kubernetes_pod_phase], action: drop, regex: Pending|Succeeded|Failed|Completed}
      - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port, __meta_kubernetes_pod_ip], regex: '(\d+);((([0-9]+?)(\.|$)){4})', replacement: '$2:$1', target_label: __address__}
      - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
      - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
"#;
const SECURE: &str = "istio-secure-merged-metrics";

async fn add_job(client: &Client) {
    let api = Api::<ConfigMap>::namespaced(client.clone(), "istio-system");
    let live = api.get("prometheus").await.unwrap();
    let text = &live.data.as_ref().unwrap()["prometheus.yml"];
    let changed = text.replacen(
        "scrape_configs:\n",
        &format!(
            "scrape_configs:\n{}",
            JOB.replace("\n    ", "\n").trim_start_matches("    ")
        ),
        1,
    );
    let patch = json!({"data": {"prometheus.yml": changed},
                       "metadata": {"resourceVersion": live.metadata.resource_version}});
    api.patch("prometheus", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
}

/// Waits in the simulation's time.
async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn httpbin_probe(client: &Client, scheme: &str, path: &str) -> Result<String, Error> {
    let pod = pods(client, "default", "app=httpbin")
        .await
        .remove(0)
        .metadata
        .name
        .unwrap();
    get(
        client,
        &format!("/api/v1/namespaces/default/pods/{scheme}:{pod}:15091/proxy{path}"),
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn the_corrected_recipe_makes_httpbin_up_over_mtls_and_plaintext_is_reset() {
    let (_, client) = builtin();
    apply(&client, "me", PROMETHEUS_POD).await;
    wait(10).await;
    add_job(&client).await;
    apply(&client, "me", POLICIES).await;
    apply(&client, "me", LISTENER).await;
    apply(&client, "me", ANNOTATION).await;
    wait(30).await;
    let found = targets(&client, SECURE, "httpbin").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].1.as_str(), found[0].2.as_str()), ("up", ""));
    assert!(
        found[0].0.starts_with("https://10.244.")
            && found[0].0.ends_with(":15091/stats/prometheus")
    );
    let refused = status(
        httpbin_probe(&client, "http", "/stats/prometheus")
            .await
            .unwrap_err(),
    );
    assert_eq!(refused.code, 503);
    assert!(
        refused.message.contains("connection reset by peer"),
        "{}",
        refused.message
    );
    let refused = status(
        httpbin_probe(&client, "https", "/stats/prometheus")
            .await
            .unwrap_err(),
    );
    assert!(
        refused.message.contains("tls: certificate required"),
        "{}",
        refused.message
    );
    // The app's own port goes on answering, and the old job still has its target.
    let app = get_json(
        &client,
        "/api/v1/namespaces/default/services/httpbin:8000/proxy/get",
    )
    .await;
    assert_eq!(app["path"], "/get");
    assert_eq!(
        targets(&client, "kubernetes-pods", "httpbin").await.len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_without_strict_is_down_and_serves_plaintext() {
    let (_, client) = builtin();
    apply(&client, "me", PROMETHEUS_POD).await;
    add_job(&client).await;
    apply(&client, "me", LISTENER).await;
    apply(&client, "me", ANNOTATION).await;
    wait(40).await;
    let found = targets(&client, SECURE, "httpbin").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].1, "down");
    assert!(
        found[0].2.ends_with("read: connection reset by peer"),
        "{}",
        found[0].2
    );
    let served = httpbin_probe(&client, "http", "/stats/prometheus")
        .await
        .unwrap();
    assert!(served.contains("envoy_server_live"));
    assert!(
        httpbin_probe(&client, "http", "/debug/x").await.is_ok(),
        "the whole agent is open"
    );

    // A connection that was served goes on for a while after the policy came.
    apply(&client, "me", POLICIES).await;
    assert!(
        httpbin_probe(&client, "http", "/stats/prometheus")
            .await
            .is_ok()
    );
    wait(50).await;
    assert!(
        httpbin_probe(&client, "http", "/stats/prometheus")
            .await
            .is_err()
    );
    assert_eq!(targets(&client, SECURE, "httpbin").await[0].1, "up");
}

#[tokio::test(start_paused = true)]
async fn the_published_volume_leaves_the_pod_creating() {
    let (simulation, client) = builtin();
    let published = PROMETHEUS_POD.replace(
        "emptyDir: {medium: Memory}",
        "secret: {secretName: istio.default}",
    );
    apply(&client, "me", &published).await;
    wait(120).await;
    let found = pods(&client, "istio-system", "app.kubernetes.io/name=prometheus").await;
    assert_eq!(found.len(), 1, "Recreate: the old pod has gone");
    let pod = serde_json::to_value(&found[0]).unwrap();
    assert_eq!(pod["status"]["phase"], "Pending");
    let waiting = "/status/containerStatuses/0/state/waiting/reason";
    assert_eq!(pod.pointer(waiting), Some(&json!("ContainerCreating")));
    assert!(
        get(&client, &format!("{PROMETHEUS}/-/ready"))
            .await
            .is_err()
    );

    simulation.put(json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "istio.default", "namespace": "istio-system"}, "stringData": {"key.pem": "x"}}));
    wait(20).await;
    let pod = serde_json::to_value(
        &pods(&client, "istio-system", "app.kubernetes.io/name=prometheus").await[0],
    )
    .unwrap();
    assert_eq!(
        pod["status"]["phase"], "Pending",
        "the agent cannot write its certificates into a Secret's volume"
    );
}

#[tokio::test(start_paused = true)]
async fn without_certificates_there_is_no_pool() {
    let (_, client) = builtin();
    add_job(&client).await;
    wait(20).await;
    let config = get_json(&client, &format!("{PROMETHEUS}/api/v1/status/config")).await;
    assert!(config["data"]["yaml"].as_str().unwrap().contains(SECURE));
    let pools = get_json(&client, &format!("{PROMETHEUS}/api/v1/scrape_pools")).await;
    let pools = pools["data"]["scrapePools"].as_array().unwrap();
    assert!(pools.iter().any(|p| p == "kubernetes-pods"));
    assert!(!pools.iter().any(|p| p == SECURE));
}

#[tokio::test(start_paused = true)]
async fn a_network_policy_keeps_prometheus_off_one_workload() {
    let (_, client) = builtin();
    apply(&client, "me", PROMETHEUS_POD).await;
    add_job(&client).await;
    for text in [POLICIES, LISTENER, ANNOTATION] {
        let other = text
            .replace("namespace: default", "namespace: fulfilment")
            .replace("httpbin", "shipping");
        apply(&client, "me", &other).await;
    }
    wait(60).await;
    let found = targets(&client, SECURE, "shipping").await;
    assert_eq!(found.len(), 2, "{found:?}");
    for (_, health, error) in found {
        assert_eq!(health, "down");
        assert!(error.ends_with("context deadline exceeded"), "{error}");
    }
    assert!(
        targets(&client, "kubernetes-pods", "shipping")
            .await
            .iter()
            .all(|t| t.1 == "up")
    );
}

#[tokio::test(start_paused = true)]
async fn a_gateway_of_its_own_serves_prometheus_alone() {
    let (_, client) = builtin();
    apply(&client, "me", PROMETHEUS_POD).await;
    add_job(&client).await;
    apply(&client, "me", GATEWAY).await;
    wait(60).await;
    let found = targets(&client, SECURE, "istio-ingressgateway").await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|t| t.1 == "up"), "{found:?}");
    let public = "/api/v1/namespaces/istio-system/services/istio-ingressgateway:http2/proxy/stats/prometheus";
    let public = get(&client, public).await.unwrap();
    assert!(!public.contains("envoy_"), "no metrics on the public port");
    let pod = pods(&client, "istio-system", "istio=ingressgateway")
        .await
        .remove(0)
        .metadata
        .name
        .unwrap();
    let probe =
        format!("/api/v1/namespaces/istio-system/pods/http:{pod}:15091/proxy/stats/prometheus");
    assert!(
        status(get(&client, &probe).await.unwrap_err())
            .message
            .ends_with(": EOF")
    );

    let stranger = GATEWAY.replace("sa/prometheus", "sa/somebody");
    apply(&client, "me", &stranger).await;
    wait(90).await;
    assert!(
        targets(&client, SECURE, "istio-ingressgateway")
            .await
            .iter()
            .all(|t| t.1 == "down")
    );
}

const GATEWAY: &str = r#"
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: metrics, namespace: istio-system}
spec:
  hosts: [ingress.metrics.internal]
  exportTo: ["."]
  location: MESH_EXTERNAL
  ports: [{number: 15020, name: http-metrics, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: metrics, namespace: istio-system}
spec:
  hosts: ["*"]
  gateways: [metrics]
  http:
    - match: [{uri: {exact: /stats/prometheus}, port: 15091}]
      route: [{destination: {host: ingress.metrics.internal, port: {number: 15020}}}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: metrics, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
    - port: {number: 15091, name: https-metrics, protocol: HTTPS}
      tls: {mode: ISTIO_MUTUAL, subjectAltNames: ["spiffe://cluster.local/ns/istio-system/sa/prometheus"]}
      hosts: ["*"]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: istio-ingressgateway, namespace: istio-system}
spec: {template: {metadata: {annotations: {prometheus.istio.io/secure-port: "15091"}}}}
"#;
