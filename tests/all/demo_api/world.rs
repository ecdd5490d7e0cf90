//! The simulated world: recipes applied by hand, and what Prometheus and probes then see.

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
const MARK: &str = r#"
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
    apply(&client, "me", MARK).await;
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
    apply(&client, "me", MARK).await;
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
    for text in [POLICIES, LISTENER, MARK] {
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
async fn a_rollout_takes_seconds_and_one_gets_stuck() {
    let (_, client) = builtin();
    let mark = |name: &str| {
        MARK.replace("httpbin", name)
            .replace("namespace: default", "namespace: shop")
    };
    apply(&client, "me", &mark("storefront")).await;
    let api = Api::<Deployment>::namespaced(client.clone(), "shop");
    let at_once = api.get("storefront").await.unwrap().status.unwrap();
    assert_eq!(
        at_once.updated_replicas,
        Some(1),
        "one more than wanted, by the surge"
    );
    assert_eq!(at_once.available_replicas, Some(3));
    wait(30).await;
    let later = api.get("storefront").await.unwrap();
    assert_eq!(later.status.as_ref().unwrap().updated_replicas, Some(3));
    assert_eq!(later.status.as_ref().unwrap().replicas, Some(3));
    assert_eq!(
        later.status.as_ref().unwrap().observed_generation,
        later.metadata.generation
    );

    apply(&client, "me", &mark("recommendations")).await;
    wait(60).await;
    let stuck = serde_json::to_value(api.get("recommendations").await.unwrap()).unwrap();
    let progressing = stuck["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["type"] == "Progressing");
    assert_eq!(progressing.unwrap()["reason"], "ProgressDeadlineExceeded");
    assert_eq!(stuck["status"]["availableReplicas"], 2, "the old pods stay");
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

#[tokio::test(start_paused = true)]
async fn dropped_intents_go_and_hooks_hear_of_writes() {
    let (simulation, client) = builtin();
    let heard = Arc::new(Mutex::new(0));
    let counter = heard.clone();
    simulation.on_write(Box::new(move |_| *counter.lock().unwrap() += 1));
    apply(&client, "me", MARK).await;
    apply(&client, "me", MARK).await;
    assert_eq!(*heard.lock().unwrap(), 1, "an idle apply writes nothing");
    apply(
        &client,
        "me",
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: httpbin, namespace: default}}",
    )
    .await;
    let live = simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    assert!(
        live.pointer("/spec/template/metadata/annotations")
            .is_none()
    );
    let managers: Vec<&str> = live["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["manager"].as_str().unwrap())
        .collect();
    assert!(!managers.contains(&"me"), "{managers:?}");
}

#[tokio::test(start_paused = true)]
async fn minutes_pass_quickly() {
    let (_, client) = builtin();
    let begun = std::time::Instant::now();
    wait(3600).await;
    assert!(
        targets(&client, "kubernetes-pods", "")
            .await
            .iter()
            .all(|t| t.1 == "up")
    );
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_of_changes() {
    use futures::TryStreamExt;
    let (simulation, client) = builtin();
    let api = Api::<Deployment>::namespaced(client.clone(), "default");
    let version = api
        .list(&ListParams::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    let params = kube::api::WatchParams::default().timeout(20);
    let mut stream = Box::pin(api.watch(&params, &version).await.unwrap());
    let mut live = simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    live["metadata"]["labels"] = json!({"changed": "yes"});
    simulation.put(live);
    let mut seen = false;
    while let Some(event) = stream.try_next().await.unwrap() {
        if let kube::core::WatchEvent::Modified(object) = event {
            seen |= object
                .metadata
                .labels
                .is_some_and(|l| l.contains_key("changed"));
        }
    }
    assert!(seen);
    let expired = api
        .watch(&params, "1")
        .await
        .unwrap()
        .try_collect::<Vec<_>>()
        .await
        .unwrap();
    assert!(
        matches!(&expired[0], kube::core::WatchEvent::Error(e) if e.code == 410),
        "{expired:?}"
    );
}

/// The rule that keeps marked pods out of a plaintext job, as its first.
const OLD_JOB_RULE: &str = "      - {source_labels: [__meta_kubernetes_pod_annotationpresent_prometheus_istio_io_secure_port], action: drop, regex: \"true\"}\n";

#[tokio::test(start_paused = true)]
async fn marked_pods_are_scraped_twice_until_the_old_job_leaves_them_out() {
    let (_, client) = builtin();
    apply(&client, "me", PROMETHEUS_POD).await;
    add_job(&client).await;
    for text in [POLICIES, LISTENER, MARK] {
        apply(&client, "me", text).await;
    }
    wait(40).await;
    assert_eq!(targets(&client, SECURE, "httpbin").await.len(), 1);
    assert_eq!(
        targets(&client, "kubernetes-pods", "httpbin").await.len(),
        1
    );

    let api = Api::<ConfigMap>::namespaced(client.clone(), "istio-system");
    let text = api.get("prometheus").await.unwrap().data.unwrap()["prometheus.yml"].clone();
    let at = text.find("job_name: kubernetes-pods\n").unwrap();
    let rules = at + text[at..].find("relabel_configs:\n").unwrap() + "relabel_configs:\n".len();
    let rule = OLD_JOB_RULE.trim_start_matches("    ");
    let changed = format!("{}{rule}{}", &text[..rules], &text[rules..]);
    let patch = json!({"data": {"prometheus.yml": changed}});
    api.patch("prometheus", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    wait(5).await;
    assert_eq!(
        targets(&client, "kubernetes-pods", "httpbin").await.len(),
        1,
        "the kubelet has not synced yet"
    );
    wait(10).await;
    assert_eq!(
        targets(&client, "kubernetes-pods", "httpbin").await.len(),
        0
    );
    assert_eq!(targets(&client, SECURE, "httpbin").await[0].1, "up");
}

#[tokio::test(start_paused = true)]
async fn a_mark_on_a_running_pod_needs_no_restart() {
    let (simulation, client) = builtin();
    apply(&client, "me", PROMETHEUS_POD).await;
    add_job(&client).await;
    apply(&client, "me", POLICIES).await;
    apply(&client, "me", LISTENER).await;
    let pod = pods(&client, "default", "app=httpbin")
        .await
        .remove(0)
        .metadata;
    let mark = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": pod.name, "uid": pod.uid, "annotations": {"prometheus.istio.io/secure-port": "15091"}}});
    let api = Api::<Pod>::namespaced(client.clone(), "default");
    let name = pod.name.clone().unwrap();
    api.patch(&name, &PatchParams::apply("me"), &Patch::Apply(&mark))
        .await
        .unwrap();
    wait(30).await;
    assert_eq!(targets(&client, SECURE, "httpbin").await[0].1, "up");
    // Lost with the pod.
    api.delete(&name, &DeleteParams::default()).await.unwrap();
    wait(20).await;
    assert!(targets(&client, SECURE, "httpbin").await.is_empty());
    let fresh = simulation.objects("Pod", "default");
    assert_eq!(fresh.len(), 1);
    assert_ne!(fresh[0]["metadata"]["name"], name);
}

#[tokio::test(start_paused = true)]
async fn the_published_recipe_of_one_namespace_is_down_until_it_is_repaired() {
    let (_, client) = builtin();
    apply(&client, "me", PROMETHEUS_POD).await;
    add_job(&client).await;
    // The page's `kubectl annotate pod`.
    let pod = pods(&client, "returns", "app=returns-api").await.remove(0);
    let mark = json!({"metadata": {"annotations": {"prometheus.istio.io/secure-port": "15091"}}});
    Api::<Pod>::namespaced(client.clone(), "returns")
        .patch(
            &pod.metadata.name.unwrap(),
            &PatchParams::default(),
            &Patch::Merge(&mark),
        )
        .await
        .unwrap();
    wait(40).await;
    let found = targets(&client, SECURE, "returns-api").await;
    assert_eq!(found.len(), 1);
    assert!(
        found[0].2.ends_with("connection reset by peer"),
        "{found:?}"
    );
    let repair = POLICIES
        .replace("namespace: default", "namespace: returns")
        .replace("app: httpbin, version: v1", "app: returns-api");
    apply(&client, "me", &repair).await;
    wait(10).await;
    assert_eq!(targets(&client, SECURE, "returns-api").await[0].1, "up");
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_workload_rolls_out_and_back() {
    let (simulation, client) = builtin();
    let marked = |kind: &str, ns: &str, name: &str| {
        MARK.replace("kind: Deployment", &format!("kind: {kind}"))
            .replace("httpbin", name)
            .replace("namespace: default", &format!("namespace: {ns}"))
    };
    let port = |ns: &str, app: &str| -> Vec<bool> {
        let pods = simulation.objects("Pod", ns);
        let of_app = pods
            .iter()
            .filter(|p| p["metadata"]["labels"]["app"] == app);
        of_app
            .map(|p| {
                p["metadata"]["annotations"]
                    .get("prometheus.istio.io/secure-port")
                    .is_some()
            })
            .collect()
    };
    for (kind, ns, name, count) in [
        ("StatefulSet", "shop", "sessions", 2),
        ("DaemonSet", "platform", "log-shipper", 3),
        ("Deployment", "shop", "recommendations", 2),
    ] {
        apply(&client, "me", &marked(kind, ns, name)).await;
        wait(60).await;
        let after = port(ns, name);
        let stuck = name == "recommendations";
        assert!(
            after.iter().filter(|m| **m).count() >= if stuck { 1 } else { count },
            "{name}: {after:?}"
        );
        let nothing = format!(
            "{{apiVersion: apps/v1, kind: {kind}, metadata: {{name: {name}, namespace: {ns}}}}}"
        );
        apply(&client, "me", &nothing).await;
        wait(60).await;
        assert_eq!(port(ns, name), vec![false; count], "{name}");
        let status = simulation.object(kind, ns, name).unwrap();
        assert_eq!(
            status["status"]["observedGeneration"], status["metadata"]["generation"],
            "{name}"
        );
        let ready = status["status"]
            .get("numberReady")
            .unwrap_or(&status["status"]["readyReplicas"]);
        assert_eq!(ready, count, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_deployment_waits() {
    let (_, client) = builtin();
    let api = Api::<Deployment>::namespaced(client.clone(), "default");
    let pause = |paused: bool| Patch::Merge(json!({"spec": {"paused": paused}}));
    api.patch("httpbin", &PatchParams::default(), &pause(true))
        .await
        .unwrap();
    let before = pods(&client, "default", "app=httpbin").await[0]
        .metadata
        .name
        .clone();
    apply(&client, "me", MARK).await;
    wait(30).await;
    assert_eq!(
        pods(&client, "default", "app=httpbin").await[0]
            .metadata
            .name,
        before
    );
    api.patch("httpbin", &PatchParams::default(), &pause(false))
        .await
        .unwrap();
    wait(30).await;
    assert_ne!(
        pods(&client, "default", "app=httpbin").await[0]
            .metadata
            .name,
        before
    );
}

#[tokio::test(start_paused = true)]
async fn up_lies_for_a_while_after_a_policy_has_gone() {
    let (simulation, client) = builtin();
    apply(&client, "me", PROMETHEUS_POD).await;
    add_job(&client).await;
    for text in [POLICIES, LISTENER, MARK] {
        apply(&client, "me", text).await;
    }
    wait(40).await;
    assert_eq!(targets(&client, SECURE, "httpbin").await[0].1, "up");
    simulation.remove("PeerAuthentication", "default", "metrics-httpbin");
    wait(20).await;
    assert_eq!(
        targets(&client, SECURE, "httpbin").await[0].1,
        "up",
        "on the connection from before"
    );
    wait(40).await;
    let found = targets(&client, SECURE, "httpbin").await;
    assert_eq!(found[0].1, "down");
    assert!(
        found[0].2.ends_with("connection reset by peer"),
        "{found:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reload_takes_what_the_kubelet_has_brought() {
    let (_, client) = builtin();
    let post = || {
        let request = http::Request::post(format!("{PROMETHEUS}/-/reload"))
            .body(Vec::new())
            .unwrap();
        client.request_text(request)
    };
    let loaded = async || {
        let info = get_json(&client, &format!("{PROMETHEUS}/api/v1/status/runtimeinfo")).await;
        info["data"]["reloadConfigSuccess"] == true
    };
    assert_eq!(post().await.unwrap(), "");
    assert!(loaded().await);
    // A configuration that cannot be read leaves the old one in place.
    let patch =
        json!({"data": {"prometheus.yml": "scrape_configs: [{job_name: a}, {job_name: a}]"}});
    let api = Api::<ConfigMap>::namespaced(client.clone(), "istio-system");
    api.patch("prometheus", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    wait(15).await;
    assert!(!loaded().await);
    assert_eq!(status(post().await.unwrap_err()).code, 500);
    assert!(!targets(&client, "kubernetes-pods", "").await.is_empty());
}
