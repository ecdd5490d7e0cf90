//! Scrape jobs are seen for what they do: which pods each scrapes, by whatever rules.

use super::{WEB, World};
use serde_json::Value;

const SECURE: &str = "istio-secure-merged-metrics";

/// A Prometheus with these jobs, in place of the base's.
fn config(jobs: &str) -> String {
    let jobs = jobs.trim_end().replace('\n', "\n    ");
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: prometheus, namespace: istio-system}}\ndata:\n  prometheus.yml: |\n    scrape_configs:\n    {jobs}\n"
    )
}

fn world(objects: &[&str], jobs: &str) -> World {
    let config = config(jobs.trim_start());
    World::of(&[objects, &[config.as_str()]].concat().join("\n---\n"))
}

fn jobs(world: &World) -> Vec<Value> {
    let config = world
        .simulation
        .object("ConfigMap", "istio-system", "prometheus")
        .unwrap();
    let text = config["data"]["prometheus.yml"].as_str().unwrap();
    let root: Value = serde_yaml::from_str(text).unwrap();
    root["scrape_configs"].as_array().unwrap().clone()
}

fn names(jobs: &[Value]) -> Vec<&str> {
    jobs.iter()
        .map(|job| job["job_name"].as_str().unwrap())
        .collect()
}

fn job<'a>(jobs: &'a [Value], name: &str) -> &'a Value {
    let found = jobs.iter().find(|job| job["job_name"] == name);
    found.unwrap_or_else(|| panic!("no job {name} in {:?}", names(jobs)))
}

/// Has the rule that leaves out a workload by name.
fn leaves_out(job: &Value, workload: &str) -> bool {
    let rules = job["relabel_configs"].as_array().into_iter().flatten();
    rules.into_iter().any(|rule| {
        let regex = rule["regex"].as_str().unwrap_or_default();
        rule["action"] == "drop" && regex.starts_with(r"\d+;shop;") && regex.contains(workload)
    })
}

fn reads(job: &Value, label: &str) -> bool {
    job["relabel_configs"].to_string().contains(label)
}

async fn applied(world: &World, args: &str) -> String {
    let (code, words) = world.call(&format!("apply {args} --yes")).await.told();
    assert_eq!(code, 0, "{words}");
    words
}

#[tokio::test(start_paused = true)]
async fn a_filter_on_sidecars_is_not_carried_and_https_is_no_plaintext() {
    let world = world(
        &[WEB],
        r#"
- job_name: pods
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], action: keep, regex: true}
  - {source_labels: [__meta_kubernetes_pod_annotation_sidecar_istio_io_status], action: drop, regex: (.+)}
- job_name: pods-mesh
  scheme: https
  tls_config: {ca_file: /c/root-cert.pem, cert_file: /c/cert-chain.pem, key_file: /c/key.pem, insecure_skip_verify: true}
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], action: keep, regex: true}
  - {source_labels: [__meta_kubernetes_pod_annotation_sidecar_istio_io_status], action: keep, regex: (.+)}
"#,
    );
    applied(&world, "-w shop/Deployment/web").await;
    let jobs = jobs(&world);
    assert_eq!(names(&jobs), [SECURE, "pods", "pods-mesh"]);
    assert!(!reads(&jobs[0], "sidecar_istio_io_status"), "{}", jobs[0]);
    assert!(!leaves_out(job(&jobs, "pods-mesh"), "web"));
    let plan = world.plan("-w shop/Deployment/web").await;
    assert_eq!(plan["summary"]["changes"], 0, "{plan}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_keeps_what_is_not_annotated_is_a_plaintext_job() {
    let world = world(
        &[WEB],
        r#"
- job_name: pods
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
  - {action: keep, regex: true, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]}
  - {action: keep, regex: "", source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port]}
"#,
    );
    let before = jobs(&world);
    let plan = world.plan("-w shop/Deployment/web").await;
    assert!(!plan["problems"].to_string().contains("SecureJobStays"));
    applied(&world, "-w shop/Deployment/web").await;
    let after = jobs(&world);
    assert_eq!(names(&after), [SECURE, "pods"]);
    assert_eq!(
        job(&after, "pods"),
        &before[0],
        "it leaves secured pods out by itself"
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_of_another_cluster_is_named_and_not_followed() {
    let world = world(
        &[WEB],
        r#"
- job_name: blue
  scheme: https
  tls_config: {ca_file: /b/ca, cert_file: /b/crt, key_file: /b/key}
  kubernetes_sd_configs:
  - {role: pod, api_server: "https://master.blue.example.test:443", tls_config: {ca_file: /b/ca}}
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], action: keep, regex: true}
"#,
    );
    let plan = world.plan("-w shop/Deployment/web").await;
    assert!(
        plan["problems"]
            .to_string()
            .contains("https://master.blue.example.test"),
        "{}",
        plan["problems"]
    );
    let before = jobs(&world);
    applied(&world, "-w shop/Deployment/web").await;
    let after = jobs(&world);
    assert_eq!(
        after[0]["kubernetes_sd_configs"],
        serde_json::json!([{"role": "pod"}])
    );
    assert_eq!(job(&after, "blue"), &before[0]);
}

const METRICS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {prometheus.io/port: "8081"}}
    spec:
      containers: [{name: web, image: "example.org/web:1", ports: [{name: http, containerPort: 8080}, {name: http-metrics, containerPort: 8081}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"#;

#[tokio::test(start_paused = true)]
async fn an_opt_out_job_is_followed_with_its_labels_and_ended() {
    let world = world(
        &[METRICS],
        r#"
- job_name: pods
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], action: drop, regex: "false"}
  - {source_labels: [__meta_kubernetes_pod_container_port_name], action: keep, regex: ".*-metrics"}
  - {source_labels: [__meta_kubernetes_namespace, __meta_kubernetes_pod_label_app], separator: /, target_label: team}
"#,
    );
    applied(&world, "-w shop/Deployment/web").await;
    let jobs = jobs(&world);
    assert!(reads(job(&jobs, SECURE), "team"), "its labels are carried");
    assert!(
        leaves_out(job(&jobs, "pods"), "web"),
        "{}",
        job(&jobs, "pods")
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_for_each_app_gets_a_secure_one_that_finds_that_app_alone() {
    let orders = WEB
        .replace("name: web", "name: orders")
        .replace("app: web", "app: orders");
    let stock = WEB
        .replace("name: web", "name: stock")
        .replace("app: web", "app: stock");
    let world = world(
        &[&orders, &stock],
        r#"
- job_name: app_orders
  kubernetes_sd_configs: [{role: pod, namespaces: {names: [shop]}}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape, __meta_kubernetes_pod_label_app], action: keep, regex: true;orders}
- job_name: app_stock
  kubernetes_sd_configs: [{role: pod, namespaces: {names: [shop]}}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape, __meta_kubernetes_pod_label_app], action: keep, regex: true;stock}
"#,
    );
    applied(&world, "-w shop/Deployment/orders -w shop/Deployment/stock").await;
    let jobs = jobs(&world);
    let secure: Vec<&Value> = jobs.iter().filter(|job| job["scheme"] == "https").collect();
    assert_eq!(secure.len(), 2, "{:?}", names(&jobs));
    for (job, app) in secure.iter().zip(["true;orders", "true;stock"]) {
        assert!(job["relabel_configs"].to_string().contains(app), "{job}");
    }
    assert!(leaves_out(job(&jobs, "app_orders"), "orders"));
    assert!(leaves_out(job(&jobs, "app_stock"), "stock"));
    assert!(!leaves_out(job(&jobs, "app_stock"), "orders"));
}

fn own(namespaces: &str) -> String {
    format!(
        r#"
- job_name: mtls-pods
  scrape_interval: 60s
  sample_limit: 5000
  scheme: https
  metrics_path: /stats/prometheus
  tls_config: {{ca_file: /etc/istio-certs/root-cert.pem, cert_file: /etc/istio-certs/cert-chain.pem, key_file: /etc/istio-certs/key.pem, insecure_skip_verify: true}}
  kubernetes_sd_configs:
  - role: pod
    namespaces: {{names: [{namespaces}]}}
  relabel_configs:
  - {{action: keep, regex: '\d+', source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port]}}
  - {{source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port, __meta_kubernetes_pod_ip], regex: '(\d+);(.+)', replacement: '$2:$1', target_label: __address__}}
- job_name: pods
  kubernetes_sd_configs: [{{role: pod}}]
  relabel_configs:
  - {{action: keep, regex: true, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]}}
"#
    )
}

#[tokio::test(start_paused = true)]
async fn a_healthy_secure_job_stays_and_is_enough_where_it_finds_what_was_chosen() {
    let world = world(&[WEB], &own("shop"));
    let before = jobs(&world);
    let plan = world.plan("-w shop/Deployment/web").await;
    let stays = |plan: &Value| -> Vec<Value> {
        let problems = plan["problems"].as_array().unwrap().iter();
        problems
            .filter(|problem| problem["name"] == "SecureJobStays")
            .map(|problem| problem["evidence"]["job"].clone())
            .collect()
    };
    assert_eq!(stays(&plan), ["mtls-pods"]);
    applied(&world, "-w shop/Deployment/web").await;
    let after = jobs(&world);
    assert_eq!(names(&after), ["mtls-pods", "pods"]);
    assert_eq!(job(&after, "mtls-pods"), &before[0]);
    assert!(leaves_out(job(&after, "pods"), "web"));
}

#[tokio::test(start_paused = true)]
async fn a_healthy_secure_job_of_another_namespace_stays_beside_ours() {
    let world = world(&[WEB], &own("payments"));
    let before = jobs(&world);
    applied(&world, "-w shop/Deployment/web").await;
    let after = jobs(&world);
    assert_eq!(names(&after), [SECURE, "mtls-pods", "pods"]);
    assert_eq!(job(&after, "mtls-pods"), &before[0]);
    // Ours leaves to it where it looks.
    assert!(after[0]["relabel_configs"].to_string().contains("payments"));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_finds_pods_by_their_services_is_ended_too() {
    let service = WEB.replace(
        "metadata: {name: web, namespace: shop}\nspec:\n  selector: {app",
        "metadata: {name: web, namespace: shop, annotations: {prometheus.io/scrape: \"true\", prometheus.io/port: \"15020\", prometheus.io/path: /stats/prometheus}}\nspec:\n  selector: {app",
    );
    assert_ne!(service, WEB);
    let world = world(
        &[&service],
        r#"
- job_name: endpoints
  kubernetes_sd_configs: [{role: endpoints}]
  relabel_configs:
  - {action: keep, regex: true, source_labels: [__meta_kubernetes_service_annotation_prometheus_io_scrape]}
  - {regex: (.+), source_labels: [__meta_kubernetes_service_annotation_prometheus_io_path], target_label: __metrics_path__}
  - {regex: '(.+?)(?::\d+)?;(\d+)', replacement: '$1:$2', source_labels: [__address__, __meta_kubernetes_service_annotation_prometheus_io_port], target_label: __address__}
"#,
    );
    applied(&world, "-w shop/Deployment/web").await;
    let after = jobs(&world);
    assert_eq!(names(&after), [SECURE, "endpoints"]);
    assert!(leaves_out(job(&after, "endpoints"), "web"), "{}", after[1]);
    let (code, words) = world.call("status --once").await.told();
    assert_eq!(code, 0, "{words}");
}
