//! A Prometheus that runs and cannot be asked: nothing is restarted for a run that could not be proved.

use super::{WEB, World};
use meshscrape::words::say::commands::review as blocked;
use serde_json::{Value, json};

const RUN: &str = "-w shop/Deployment/web --prometheus mon/Deployment/prometheus";

/// A Prometheus in `mon` that has its certificates, with these annotations more and these arguments.
fn prometheus(annotations: &str, args: &str, more: &str) -> World {
    World::of(&format!(
        r#"{WEB}
---
apiVersion: v1
kind: Namespace
metadata: {{name: mon}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: prometheus, namespace: mon}}
spec:
  selector: {{matchLabels: {{app: prometheus}}}}
  template:
    metadata:
      labels: {{app: prometheus, sidecar.istio.io/inject: "true"}}
      annotations:
        traffic.sidecar.istio.io/includeOutboundIPRanges: ""
        proxy.istio.io/config: '{{"proxyMetadata": {{"OUTPUT_CERTS": "/etc/out"}}}}'
        sidecar.istio.io/userVolumeMount: '[{{"name": "certs", "mountPath": "/etc/out"}}]'
        {annotations}
    spec:
      serviceAccountName: prometheus
      containers:
      - name: prometheus
        image: docker.io/prom/prometheus:v3.10.0
        args: [--config.file=/etc/config/prometheus.yml, --storage.tsdb.path=/data, {args}]
        ports: [{{containerPort: 9090}}]
        volumeMounts:
        - {{name: config, mountPath: /etc/config}}
        - {{name: web, mountPath: /etc/web}}
        - {{name: data, mountPath: /data}}
        - {{name: certs, mountPath: /etc/prom-certs}}
      volumes:
      - {{name: config, configMap: {{name: prometheus}}}}
      - {{name: web, configMap: {{name: web}}}}
      - {{name: certs, emptyDir: {{medium: Memory}}}}
      - {{name: data, persistentVolumeClaim: {{claimName: prometheus}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: web, namespace: mon}}
data: {{web.yml: "basic_auth_users: {{me: $2y$10$abc}}"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: prometheus, namespace: mon}}
data:
  prometheus.yml: |
    scrape_configs:
    - job_name: kubernetes-pods
      kubernetes_sd_configs: [{{role: pod}}]
      relabel_configs:
      - {{action: keep, regex: true, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]}}
      - {{action: replace, regex: '(\d+);((([0-9]+?)(\.|$)){{4}})', replacement: $2:$1, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_port, __meta_kubernetes_pod_ip], target_label: __address__}}
---
{more}"#
    ))
}

const STRICT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
";

fn object(world: &World, kind: &str, name: &str) -> Value {
    world
        .simulation
        .object(kind, "mon", name)
        .expect("it is there")
}

async fn refused_unless_told_to(world: &World) {
    let plan = world.plan(RUN).await;
    assert_eq!(
        plan["prometheus"]["state"], "unreachable",
        "{:#}",
        plan["prometheus"]
    );
    let hints = plan["prometheus"]["hints"].to_string();
    assert!(!hints.contains("includeInboundPorts"), "{hints}");
    let before = ["Deployment", "ConfigMap"].map(|kind| object(world, kind, "prometheus"));
    let (code, words) = world.call(&format!("apply {RUN} --yes")).await.told();
    assert_eq!(code, 4, "{words}");
    assert!(
        words.contains(blocked::APPLY_UNPROVEN) && words.contains(blocked::QUERY_DIRECTLY),
        "{words}"
    );
    let after = ["Deployment", "ConfigMap"].map(|kind| object(world, kind, "prometheus"));
    assert_eq!(before[1], after[1]);
    assert_eq!(before[0]["spec"], after[0]["spec"]);
    assert!(world.simulation.objects("Sidecar", "shop").is_empty());

    let (code, words) = world
        .call(&format!("apply {RUN} --yes --unproven"))
        .await
        .told();
    assert_eq!(code, 3, "{words}");
    assert_eq!(world.simulation.objects("Sidecar", "shop").len(), 1);
    let config = object(world, "ConfigMap", "prometheus")["data"]["prometheus.yml"].to_string();
    assert!(config.contains("istio-secure-merged-metrics"), "{config}");
    // The plaintext job goes on scraping everybody.
    assert!(
        !config.contains("annotationpresent_prometheus_istio_io_secure_port"),
        "{config}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_captured_port_under_strict_is_said_before_anything_is_written() {
    let ports = "traffic.sidecar.istio.io/includeInboundPorts: '9090'";
    let world = prometheus(ports, "--web.enable-lifecycle", STRICT);
    refused_unless_told_to(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_password_is_said_before_anything_is_written() {
    let ports = "traffic.sidecar.istio.io/includeInboundPorts: ''";
    let args = "--web.enable-lifecycle, --web.config.file=/etc/web/web.yml";
    let world = prometheus(ports, args, "");
    refused_unless_told_to(&world).await;
}

#[tokio::test(start_paused = true)]
async fn so_is_a_right_that_is_missing() {
    let ports = "traffic.sidecar.istio.io/includeInboundPorts: ''";
    let world = prometheus(ports, "--web.enable-lifecycle", "");
    for resource in ["pods/proxy", "services/proxy"] {
        world.simulation.deny("get", "", resource, None);
    }
    refused_unless_told_to(&world).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_answers_is_asked_through_the_api_server() {
    let ports = "traffic.sidecar.istio.io/includeInboundPorts: ''";
    let world = prometheus(ports, "--web.enable-lifecycle", "");
    let plan = world.plan(RUN).await;
    let wanted = json!({"state": "answers", "url": null, "replicas": 1});
    for (key, value) in wanted.as_object().unwrap() {
        assert_eq!(plan["prometheus"][key], *value);
    }
}

#[tokio::test(start_paused = true)]
async fn a_url_with_credentials_is_refused_and_not_repeated() {
    let world = World::of(WEB);
    let args = "plan -w shop/Deployment/web --prometheus-url https://me:hunter2@prometheus.example";
    let (code, words) = world.call(args).await.told();
    assert_eq!(code, 1, "{words}");
    assert!(!words.contains("hunter2"), "{words}");
}
