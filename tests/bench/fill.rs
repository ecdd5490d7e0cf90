//! A mesh on paper for benches that only read: namespaces, Deployments, Services and running pods with sidecars, as an
//! API server gives them. Nothing runs.
//!
//! `NAMESPACES=500 PODS=10000` say how many. In the cluster of KUBECONFIG, which should be one of `tests/bench/run`:
//! nothing takes them away.

use crate::paper;
use crate::write::{Sent, send};
use futures::StreamExt;
use http::Method;
use meshscrape::cluster::connect::{ConnectOptions, connect};
use serde_json::{Value, json};
use std::time::Instant;

/// Of one Deployment.
const REPLICAS: usize = 5;
const NODES: usize = 200;
const AT_ONCE: usize = 16;
/// So many variables has a sidecar of Istio.
const VARIABLES: usize = 30;
const HASH: &str = "5d8c7b9f4";

pub fn run() {
    let number = |name: &str| -> Option<usize> { std::env::var(name).ok()?.parse().ok() };
    let spaces = number("NAMESPACES").unwrap_or(500).max(1);
    let pods = number("PODS").unwrap_or(10_000);
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    runtime.block_on(async {
        let began = Instant::now();
        let cluster = connect(&ConnectOptions::default())
            .await
            .expect("a cluster");
        let client = cluster.client();
        let spaces_there = (0..spaces).map(|of| async move {
            let meta = json!({"name": space(of), "labels": {"istio-injection": "enabled"}});
            let path = format!("/api/v1/namespaces/{}", space(of));
            let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": meta});
            send(client, &Sent::apply(&path, body)).await;
        });
        at_once(spaces_there).await;
        paper::put(&cluster, &space(0)).await;
        let workloads = (0..pods.div_ceil(REPLICAS)).map(|of| workload(client, of, of % spaces));
        at_once(workloads).await;
        println!(
            "{pods} pods in {spaces} namespaces written in {:.0} s",
            began.elapsed().as_secs_f64()
        );
    });
}

async fn at_once(all: impl Iterator<Item = impl Future<Output = ()>>) {
    let all = futures::stream::iter(all).buffer_unordered(AT_ONCE);
    all.collect::<()>().await;
}

fn space(of: usize) -> String {
    format!("paper-{of:04}")
}

async fn workload(client: &kube::Client, of: usize, in_space: usize) {
    let (name, space) = (format!("service-{of:05}"), space(in_space));
    let labels = json!({"app": name});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": space, "labels": labels},
        "spec": {"replicas": REPLICAS, "selector": {"matchLabels": labels}, "template": template(&name, false)},
    });
    let path = format!("/apis/apps/v1/namespaces/{space}/deployments/{name}");
    send(client, &Sent::apply(&path, deployment)).await;
    let done = json!({"status": {"observedGeneration": 1, "replicas": REPLICAS, "updatedReplicas": REPLICAS,
        "readyReplicas": REPLICAS, "availableReplicas": REPLICAS}});
    send(client, &status(&path, done)).await;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": space},
        "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    });
    let path = format!("/api/v1/namespaces/{space}/services/{name}");
    send(client, &Sent::apply(&path, service)).await;
    for replica in 0..REPLICAS {
        pod(client, of * REPLICAS + replica, &name, &space).await;
    }
}

async fn pod(client: &kube::Client, number: usize, of: &str, space: &str) {
    let name = format!("{of}-{HASH}-{number:05}");
    let mut pod = template(of, true);
    pod["apiVersion"] = "v1".into();
    pod["kind"] = "Pod".into();
    pod["metadata"]["name"] = json!(name);
    pod["metadata"]["namespace"] = json!(space);
    pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
        "name": format!("{of}-{HASH}"), "uid": format!("00000000-0000-4000-8000-{number:012}")}]);
    pod["spec"]["nodeName"] = json!(format!("node-{:03}", number % NODES));
    let path = format!("/api/v1/namespaces/{space}/pods/{name}");
    send(client, &Sent::apply(&path, pod)).await;
    let (high, low) = (number / 250, number % 250 + 1);
    let address = format!("10.{}.{}.{low}", 100 + high / 250, high % 250);
    let running = |name: &str| {
        json!({"name": name, "ready": true, "restartCount": 0, "image": "i", "imageID": "i",
            "containerID": format!("containerd://{number:064x}"),
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}})
    };
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"];
    let conditions = conditions.map(|of| json!({"type": of, "status": "True"}));
    let now = json!({"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
        "hostIP": format!("192.0.2.{}", number % NODES), "startTime": "2026-01-01T00:00:00Z",
        "containerStatuses": [running("app"), running("istio-proxy")], "conditions": conditions}});
    send(client, &status(&path, now)).await;
}

fn status(path: &str, of: Value) -> Sent {
    let path = format!("{path}/status");
    Sent::new(Method::PATCH, path, "application/merge-patch+json", of)
}

/// `injected`: as the injector makes a pod of it.
fn template(app: &str, injected: bool) -> Value {
    let mut of = json!({
        "metadata": {
            "labels": {"app": app, "version": "v1"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
        },
        "spec": {"containers": [{"name": "app", "image": format!("registry.example/{app}:v1"),
            "ports": [{"name": "http", "containerPort": 8080}]}]},
    });
    if !injected {
        return of;
    }
    let (meta, spec) = ("metadata", "spec");
    for (label, value) in [
        ("pod-template-hash", HASH),
        ("security.istio.io/tlsMode", "istio"),
        ("service.istio.io/canonical-name", app),
        ("service.istio.io/canonical-revision", "v1"),
    ] {
        of[meta]["labels"][label] = value.into();
    }
    let volumes = ["workload-socket", "istio-envoy", "istio-data"];
    let status = json!({"initContainers": ["istio-init"], "containers": ["istio-proxy"], "volumes": volumes,
        "revision": "default"});
    for (annotation, value) in [
        ("sidecar.istio.io/status", status.to_string()),
        ("prometheus.io/port", "15020".to_owned()),
        ("prometheus.io/path", "/stats/prometheus".to_owned()),
    ] {
        of[meta]["annotations"][annotation] = value.into();
    }
    let env: Vec<Value> = (0..VARIABLES)
        .map(|of| json!({"name": format!("ISTIO_META_{of}"), "value": format!("of-the-mesh-{of}")}))
        .collect();
    let proxy = json!({"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.31.0", "env": env,
        "args": ["proxy", "sidecar"], "ports": [{"name": "http-envoy-prom", "containerPort": 15090}],
        "readinessProbe": {"httpGet": {"path": "/healthz/ready", "port": 15021}}});
    if let Some(all) = of[spec]["containers"].as_array_mut() {
        all.push(proxy);
    }
    of[spec]["initContainers"] =
        json!([{"name": "istio-init", "image": "docker.io/istio/proxyv2:1.31.0"}]);
    of[spec]["volumes"] = volumes
        .map(|name| json!({"name": name, "emptyDir": {}}))
        .to_vec()
        .into();
    of
}
