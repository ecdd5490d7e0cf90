//! Certificates that come after Prometheus has loaded its configuration.

use super::{WEB, World};
use meshscrape::recipe::JOB;
use meshscrape::words::say::engine as say;
use serde_json::{Value, json};
use std::time::Duration;

const RUN: &str = "-w shop/Deployment/web --prometheus mon/Deployment/prometheus";

/// A Prometheus whose sidecar does not hold it back, and whose jobs watch these namespaces.
fn world(namespaces: &str) -> World {
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
  strategy: {{type: Recreate}}
  selector: {{matchLabels: {{app: prometheus}}}}
  template:
    metadata: {{labels: {{app: prometheus}}, annotations: {{sidecar.istio.io/nativeSidecar: "false"}}}}
    spec:
      serviceAccountName: prometheus
      containers:
      - name: prometheus
        image: docker.io/prom/prometheus:v3.10.0
        args: [--config.file=/etc/config/prometheus.yml, --storage.tsdb.path=/data, --web.enable-lifecycle]
        ports: [{{containerPort: 9090}}]
        volumeMounts: [{{name: config, mountPath: /etc/config}}, {{name: data, mountPath: /data}}]
      volumes:
      - {{name: config, configMap: {{name: prometheus}}}}
      - {{name: data, persistentVolumeClaim: {{claimName: prometheus}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: prometheus, namespace: mon}}
data:
  prometheus.yml: |
    scrape_configs:
    - job_name: kubernetes-pods
      kubernetes_sd_configs: [{{role: pod, namespaces: {{names: [{namespaces}]}}}}]
      relabel_configs:
      - {{action: keep, regex: true, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]}}
      - {{action: replace, regex: '(\d+);((([0-9]+?)(\.|$)){{4}})', replacement: $2:$1, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_port, __meta_kubernetes_pod_ip], target_label: __address__}}
"#
    ))
}

fn istiod(world: &World, replicas: u32) {
    let found = world
        .simulation
        .object("Deployment", "istio-system", "istiod");
    let mut istiod = found.expect("istiod");
    istiod["spec"]["replicas"] = json!(replicas);
    world.simulation.put(istiod);
}

/// Prometheus starts again, and istiod answers a while later.
async fn restarted_without_istiod(world: &World) {
    istiod(world, 0);
    tokio::time::sleep(Duration::from_secs(60)).await;
    for pod in world.simulation.objects("Pod", "mon") {
        let name = pod["metadata"]["name"].as_str().unwrap();
        world.simulation.remove("Pod", "mon", name);
    }
    tokio::time::sleep(Duration::from_secs(120)).await;
}

async fn targets(world: &World) -> (u8, Value) {
    let called = world
        .call("status --json --prometheus mon/Deployment/prometheus")
        .await;
    let board: Value = serde_json::from_str(&called.out).expect("JSON");
    (called.ended.expect("a look"), board["targets"][0].clone())
}

#[tokio::test(start_paused = true)]
async fn certificates_that_come_late_are_told_and_cured_by_a_reload() {
    let world = world("shop");
    let (code, words) = world.call(&format!("apply {RUN} --yes")).await.told();
    assert_eq!(code, 0, "{words}");
    restarted_without_istiod(&world).await;
    let (code, target) = targets(&world).await;
    assert_eq!(
        (code, &target["cause"]["name"]),
        (3, &json!("CertificatesMissing")),
        "{target:#}"
    );
    istiod(&world, 1);
    tokio::time::sleep(Duration::from_secs(120)).await;
    let (code, target) = targets(&world).await;
    assert_eq!(
        (code, &target["cause"]["name"]),
        (3, &json!("CertificatesLate")),
        "{target:#}"
    );
    let plan = world.plan(RUN).await;
    assert_eq!(
        plan["prometheus"]["jobsToReload"],
        json!(["istio-secure-merged-metrics"])
    );
    // Nothing is to be written, and the apply mends it all the same.
    let (code, words) = world.call(&format!("apply {RUN} --yes")).await.told();
    assert_eq!(code, 0, "{words}");
    let pods = world.simulation.objects("Pod", "mon");
    let mut pods = pods.iter().map(|pod| &pod["metadata"]["name"]);
    let reloaded = |pod: &Value| words.contains(&say::reloaded(pod.as_str().unwrap(), JOB));
    assert!(pods.any(reloaded), "{words}");
    assert_eq!(targets(&world).await.0, 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_yes_nothing_is_reloaded() {
    let world = world("shop");
    world.call(&format!("apply {RUN} --yes")).await;
    restarted_without_istiod(&world).await;
    istiod(&world, 1);
    tokio::time::sleep(Duration::from_secs(120)).await;
    let (code, words) = world
        .call(&format!("apply {RUN} --timeout 60"))
        .await
        .told();
    assert_eq!(code, 3, "{words}");
    assert_eq!(targets(&world).await.0, 3);
}

/// A pool is tried again with every change that discovery reports, and Prometheus's own pod gets ready then.
#[tokio::test(start_paused = true)]
async fn a_prometheus_that_discovers_itself_mends_itself() {
    let world = world("shop, mon");
    let (code, words) = world.call(&format!("apply {RUN} --yes")).await.told();
    assert_eq!(code, 0, "{words}");
    restarted_without_istiod(&world).await;
    istiod(&world, 1);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(targets(&world).await.0, 0);
}
