//! What discovery must see of a mesh, where there may be an API server alone: a Prometheus as in Istio's sample, and the
//! injector's webhooks. Only on paper: nothing runs, and the API server never calls the webhooks.

use crate::write::{Sent, send};
use meshscrape::cluster::Cluster;
use serde_json::{Value, json};

const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
const CONFIG: &str = "scrape_configs:
- job_name: kubernetes-pods
  honor_labels: true
  kubernetes_sd_configs:
  - role: pod
  relabel_configs:
  - action: keep
    regex: true
    source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
";

/// A Prometheus in that namespace, and the webhooks where there are none; the path of what has to be taken away.
pub async fn put(cluster: &Cluster, space: &str) -> Option<String> {
    let client = cluster.client();
    let list: Value = cluster.read(WEBHOOKS).await.expect("the webhooks");
    let lacking = !list.to_string().contains("sidecar-injector.istio.io");
    let webhooks = lacking.then(|| format!("{WEBHOOKS}/meshscrape-bench"));
    if let Some(path) = &webhooks {
        send(client, &Sent::apply(path, injector())).await;
    }
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "prometheus", "namespace": space}, "data": {"prometheus.yml": CONFIG}});
    let path = format!("/api/v1/namespaces/{space}/configmaps/prometheus");
    send(client, &Sent::apply(&path, config)).await;
    let path = format!("/apis/apps/v1/namespaces/{space}/deployments/prometheus");
    send(client, &Sent::apply(&path, prometheus(space))).await;
    webhooks
}

fn injector() -> Value {
    let webhook = |name: &str, spaces: Value, pods: Value| {
        json!({
            "name": format!("{name}.sidecar-injector.istio.io"),
            "namespaceSelector": {"matchLabels": spaces}, "objectSelector": {"matchLabels": pods},
            "matchConditions": [{"name": "never", "expression": "false"}],
            "clientConfig": {"url": "https://127.0.0.1:1/"}, "failurePolicy": "Ignore",
            "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        })
    };
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "meshscrape-bench"},
        "webhooks": [
            webhook("namespace", json!({"istio-injection": "enabled"}), json!({})),
            webhook("object", json!({}), json!({"sidecar.istio.io/inject": "true"})),
        ],
    })
}

fn prometheus(space: &str) -> Value {
    let labels =
        json!({"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/instance": "prometheus"});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "prometheus", "namespace": space, "labels": labels},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "strategy": {"type": "Recreate"},
            "template": {"metadata": {"labels": labels}, "spec": {
                "containers": [{"name": "prometheus-server", "image": "docker.io/prom/prometheus:v3.10.0",
                    "args": ["--config.file=/etc/config/prometheus.yml", "--storage.tsdb.path=/data",
                        "--web.enable-lifecycle"],
                    "ports": [{"containerPort": 9090}],
                    "volumeMounts": [{"name": "config-volume", "mountPath": "/etc/config"},
                        {"name": "storage-volume", "mountPath": "/data"}]}],
                "volumes": [{"name": "config-volume", "configMap": {"name": "prometheus"}},
                    {"name": "storage-volume", "emptyDir": {}}]}}},
    })
}
