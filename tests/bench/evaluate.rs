//! What it costs to compute which of 30 jobs of Istio's sample's kind scrape 10,000 pods of 2,000 workloads.

use meshscrape::mesh::kinds::Kind;
use meshscrape::mesh::objects as lean;
use meshscrape::mesh::{Inventory, Listing, Progress, assemble};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

const JOBS: &str = r#"
- job_name: endpoints-N
  kubernetes_sd_configs: [{role: endpoints}]
  relabel_configs:
  - {action: keep, regex: true, source_labels: [__meta_kubernetes_service_annotation_prometheus_io_scrape]}
  - {regex: '(.+?)(?::\d+)?;(\d+)', replacement: '$1:$2', source_labels: [__address__, __meta_kubernetes_service_annotation_prometheus_io_port], target_label: __address__}
- job_name: pods-N
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
  - {action: keep, regex: true, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]}
  - {regex: '(https?)', source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scheme], target_label: __scheme__}
  - {regex: '(.+)', source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path], target_label: __metrics_path__}
  - {regex: '(\d+);(([A-Fa-f0-9]{1,4}::?){1,7}[A-Fa-f0-9]{1,4})', replacement: '[$2]:$1', source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_port, __meta_kubernetes_pod_ip], target_label: __address__}
  - {regex: '(\d+);((([0-9]+?)(\.|$)){4})', replacement: '$2:$1', source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_port, __meta_kubernetes_pod_ip], target_label: __address__}
  - {action: labelmap, regex: '__meta_kubernetes_pod_annotation_prometheus_io_param_(.+)', replacement: __param_$1}
  - {action: labelmap, regex: '__meta_kubernetes_pod_label_(.+)'}
  - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
  - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
  - {action: drop, regex: 'Pending|Succeeded|Failed|Completed', source_labels: [__meta_kubernetes_pod_phase]}
  - {source_labels: [__meta_kubernetes_pod_node_name], target_label: node}
- job_name: slow-N
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
  - {action: keep, regex: true, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape_slow]}
"#;

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("an object")
}

fn list<T>(items: Vec<T>) -> Listing<T> {
    Listing {
        items,
        progress: Progress::Complete,
    }
}

fn inventory() -> Inventory {
    let (mut pods, mut workloads, mut services) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..2000 {
        let (space, app) = (format!("team-{:03}", at % 500), format!("app-{at:05}"));
        let template = json!({
            "metadata": {"labels": {"app": app, "version": "v1"}, "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}},
            "spec": {"containers": [{"name": "app", "image": "example.org/app:1", "ports": [{"containerPort": 8080, "name": "http"}]}]}});
        workloads.push(read(json!({"metadata": {"name": app, "namespace": space},
            "spec": {"replicas": 5, "selector": {"matchLabels": {"app": app}}, "template": template}})));
        services.push(read(json!({"metadata": {"name": app, "namespace": space},
            "spec": {"selector": {"app": app}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}})));
        let first: lean::Pod = read(json!({
            "metadata": {"namespace": space, "labels": {"app": app, "version": "v1", "pod-template-hash": "5d8c7",
                    "security.istio.io/tlsMode": "istio", "service.istio.io/canonical-name": app, "service.istio.io/canonical-revision": "v1"},
                "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "15020", "prometheus.io/path": "/stats/prometheus",
                    "sidecar.istio.io/status": "{\"revision\":\"default\"}"},
                "ownerReferences": [{"kind": "ReplicaSet", "name": format!("{app}-5d8c7"), "controller": true}]},
            "spec": {"nodeName": "node-1", "containers": [
                {"name": "app", "image": "example.org/app:1", "ports": [{"containerPort": 8080, "name": "http"}]},
                {"name": "istio-proxy", "image": "istio/proxyv2:1.31.0", "ports": [{"containerPort": 15090, "name": "http-envoy-prom"}]}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}));
        for replica in 0..5 {
            let mut pod = first.clone();
            pod.metadata.name = format!("{app}-5d8c7-{replica:05}");
            pod.metadata.uid.clone_from(&pod.metadata.name);
            pod.status.pod_ip = Some(format!("10.{}.{}.{}", replica, at / 250, at % 250));
            pods.push(pod);
        }
    }
    workloads.push(read(json!({"metadata": {"name": "prometheus", "namespace": "istio-system"},
        "spec": {"selector": {"matchLabels": {"app": "prometheus"}}, "template": {"metadata": {"labels": {"app": "prometheus"}},
            "spec": {"containers": [{"name": "prometheus", "image": "prom/prometheus:v3.10.0", "args": ["--config.file=/etc/config/prometheus.yml"],
                "volumeMounts": [{"name": "config", "mountPath": "/etc/config"}]}],
                "volumes": [{"name": "config", "configMap": {"name": "prometheus"}}]}}}})));
    let mut inventory = Inventory {
        pods: list(pods),
        services: list(services),
        ..Inventory::default()
    };
    inventory
        .workloads
        .insert(Kind::Deployment, list(workloads));
    inventory
}

pub fn run() {
    let mut inventory = inventory();
    let mut measure = |jobs: usize| {
        let all: String = (0..jobs / 3)
            .map(|at| JOBS.replace("-N", &format!("-{at}")))
            .collect();
        let config: lean::ConfigMap = read(json!({
            "metadata": {"name": "prometheus", "namespace": "istio-system"},
            "data": {"prometheus.yml": format!("scrape_configs:{}", if all.is_empty() { " []" } else { &all })}}));
        let key = "istio-system/prometheus".to_owned();
        inventory.config_maps.insert(key, Ok(config));
        let figures = (0..7).map(|_| {
            let began = Instant::now();
            let mesh = Arc::new(assemble(&inventory));
            let took = began.elapsed().as_secs_f64() * 1000.0;
            let scraped = mesh
                .workloads
                .iter()
                .filter(|w| w.scraped.plaintext.is_some());
            (took, scraped.count())
        });
        let figures: Vec<(f64, usize)> = figures.collect();
        let least = figures
            .iter()
            .map(|(took, _)| *took)
            .fold(f64::MAX, f64::min);
        (least, figures[0].1)
    };
    let (without, _) = measure(0);
    let (with, scraped) = measure(30);
    println!(
        "30 jobs over 10,000 pods of 2,000 workloads: {:.0} ms (the mesh with them {with:.0} ms, without {without:.0} ms); {scraped} workloads scraped",
        with - without
    );
}
