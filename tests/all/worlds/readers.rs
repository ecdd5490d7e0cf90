//! A second Prometheus beside the first: what one was let in to is not taken away for the other without a word.

use super::{WEB, World};
use serde_json::{Value, json};

/// Another Prometheus, in a namespace and with a configuration of its own.
const SECOND: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: mon}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: second, namespace: mon}
data:
  prometheus.yml: |
    scrape_configs:
    - job_name: kubernetes-pods
      kubernetes_sd_configs: [{role: pod}]
      relabel_configs:
      - {action: keep, regex: true, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]}
      - {action: replace, regex: '(\d+);((([0-9]+?)(\.|$)){4})', replacement: $2:$1, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_port, __meta_kubernetes_pod_ip], target_label: __address__}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: second, namespace: mon}
spec:
  selector: {matchLabels: {app: second}}
  template:
    metadata: {labels: {app: second}}
    spec:
      serviceAccountName: second
      containers:
      - name: reload
        image: "example.org/prometheus-config-reloader:v1"
        args: [--watched-dir=/etc/config, "--reload-url=http://localhost:9090/-/reload"]
        volumeMounts: [{name: config-volume, mountPath: /etc/config}]
      - name: prometheus-server
        image: "prom/prometheus:v3.10.0"
        args: [--config.file=/etc/config/prometheus.yml, --storage.tsdb.path=/data, --web.enable-lifecycle]
        ports: [{containerPort: 9090}]
        volumeMounts: [{name: config-volume, mountPath: /etc/config}, {name: data, mountPath: /data}]
      volumes:
      - {name: config-volume, configMap: {name: second}}
      - {name: data, persistentVolumeClaim: {claimName: p}}
"#;

const GATEWAY: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: ingress, namespace: shop, labels: {app: ingress, istio: ingress}}
spec:
  selector: {matchLabels: {app: ingress, istio: ingress}}
  template:
    metadata:
      labels: {app: ingress, istio: ingress, sidecar.istio.io/inject: "false"}
      annotations: {prometheus.io/scrape: "true", prometheus.io/port: "15020", prometheus.io/path: /stats/prometheus}
    spec:
      containers:
      - name: istio-proxy
        image: "docker.io/istio/proxyv2:1.30.2"
        args: [proxy, router]
"#;

const FIRST: &str = "--prometheus istio-system/Deployment/prometheus";
const OTHER: &str = "--prometheus mon/Deployment/second";
const CHOSEN: &str = "-w shop/Deployment/web -g shop/ingress";
const ONE: &str = "cluster.local/ns/istio-system/sa/prometheus";
const TWO: &str = "cluster.local/ns/mon/sa/second";

fn world() -> World {
    World::of(&[WEB, SECOND, GATEWAY].join("\n---\n"))
}

/// Whom policy and Gateway let in.
fn readers(world: &World) -> [Value; 2] {
    let policy = world
        .simulation
        .object("AuthorizationPolicy", "shop", "meshscrape-web")
        .unwrap_or_default();
    let gateways = world
        .simulation
        .objects("networking.istio.io/v1/Gateway", "shop");
    let gateway = gateways.first().cloned().unwrap_or_default();
    [
        policy["spec"]["rules"][0]["from"][0]["source"]["notPrincipals"].clone(),
        gateway["spec"]["servers"][0]["tls"]["subjectAltNames"].clone(),
    ]
}

fn both(of: &[&str]) -> [Value; 2] {
    let names: Vec<String> = of.iter().map(|one| format!("spiffe://{one}")).collect();
    [json!(of), json!(names)]
}

async fn apply(world: &World, args: &str) -> String {
    let (code, words) = world.call(&format!("apply {args} --yes")).await.told();
    assert_eq!(code, 0, "{args}: {words}");
    words
}

#[tokio::test(start_paused = true)]
async fn a_second_prometheus_leaves_the_first_one_in() {
    let world = world();
    apply(&world, &format!("{CHOSEN} {FIRST}")).await;
    assert_eq!(readers(&world), both(&[ONE]));
    apply(&world, &format!("{CHOSEN} {OTHER}")).await;
    assert_eq!(readers(&world), both(&[ONE, TWO]));
    // The first one's plan finds all in place.
    let plan = world.plan(&format!("{CHOSEN} {FIRST}")).await;
    assert_eq!(plan["summary"]["changes"], 0, "{plan}");
    let (code, words) = world.call("undo --yes").await.told();
    assert_eq!(code, 0, "{words}");
    assert_eq!(readers(&world), both(&[ONE]));
    let plan = world.plan(&format!("{CHOSEN} {FIRST}")).await;
    assert_eq!(plan["summary"]["changes"], 0, "{plan}");
}

#[tokio::test(start_paused = true)]
async fn taking_one_out_is_a_choice_whose_impact_is_said() {
    let world = world();
    apply(&world, &format!("{CHOSEN} {FIRST}")).await;
    let args = format!("{CHOSEN} {OTHER} --only-this-prometheus");
    let plan = world.plan(&args).await;
    let said: Vec<&Value> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["problems"].to_string().contains(ONE))
        .map(|change| &change["kind"])
        .collect();
    assert_eq!(said, ["AuthorizationPolicy", "Gateway"], "{plan}");
    apply(&world, &args).await;
    assert_eq!(readers(&world), both(&[TWO]));
    let (code, words) = world.call("undo --yes").await.told();
    assert_eq!(code, 0, "{words}");
    assert_eq!(readers(&world), both(&[ONE]));
}

#[tokio::test(start_paused = true)]
async fn one_without_a_secure_job_goes_and_one_that_cannot_be_read_stays() {
    let config = |world: &World, text: &str| {
        let mut live = world
            .simulation
            .object("ConfigMap", "istio-system", "prometheus")
            .unwrap();
        live["data"]["prometheus.yml"] = text.into();
        world.simulation.put(live);
    };
    let made = world();
    apply(&made, &format!("{CHOSEN} {FIRST}")).await;
    config(&made, "scrape_configs: {");
    apply(&made, &format!("{CHOSEN} {OTHER}")).await;
    assert_eq!(readers(&made), both(&[ONE, TWO]), "unknown is unknown");

    let made = world();
    apply(&made, &format!("{CHOSEN} {FIRST}")).await;
    config(&made, "scrape_configs: []\n");
    let plan = made.plan(&format!("{CHOSEN} {OTHER}")).await;
    assert!(
        plan["changes"].to_string().contains("ReadersRemoved"),
        "{plan}"
    );
    apply(&made, &format!("{CHOSEN} {OTHER}")).await;
    assert_eq!(readers(&made), both(&[TWO]));
}
