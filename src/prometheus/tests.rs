use super::*;
use crate::mesh::kinds::Kind;
use crate::targets::Health;
use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;

const TARGETS: &str = r#"{"status":"success","data":{"activeTargets":[
 {"discoveredLabels":{"__address__":"10.0.0.9:8080","__meta_kubernetes_namespace":"shop","__meta_kubernetes_pod_name":"cart-1","__meta_kubernetes_pod_label_app":"say \"hi\"","job":"istio-secure-merged-metrics"},
  "labels":{"instance":"10.0.0.9:15091","job":"istio-secure-merged-metrics","namespace":"shop","pod":"cart-1"},
  "scrapePool":"istio-secure-merged-metrics","scrapeUrl":"https://10.0.0.9:15091/stats/prometheus","globalUrl":"https://10.0.0.9:15091/stats/prometheus",
  "lastError":"","lastScrape":"2026-03-01T10:00:00.123456789Z","lastScrapeDuration":0.0042,"health":"up","scrapeInterval":"15s","scrapeTimeout":"10s"},
 {"discoveredLabels":{"__meta_kubernetes_namespace":"shop","__meta_kubernetes_pod_name":"cart-2"},
  "labels":{},"scrapePool":"istio-secure-merged-metrics","scrapeUrl":"https://10.0.0.8:15091/stats/prometheus",
  "lastError":"Get \"https://10.0.0.8:15091/stats/prometheus\": EOF","lastScrape":"2026-03-01T12:00:00+02:00","lastScrapeDuration":10,"health":"down","scrapeInterval":"1m30s"},
 {"discoveredLabels":{"__meta_kubernetes_namespace":"shop","__meta_kubernetes_pod_name":"cart-3"},
  "labels":{},"scrapePool":"istio-secure-merged-metrics","scrapeUrl":"https://10.0.0.7:15091/stats/prometheus",
  "lastError":"","lastScrape":"0001-01-01T00:00:00Z","lastScrapeDuration":0,"health":"unknown","scrapeInterval":"15s"},
 {"discoveredLabels":{"__meta_kubernetes_namespace":"billing","__meta_kubernetes_pod_name":"cart-1"},
  "labels":{},"scrapePool":"istio-secure-merged-metrics","scrapeUrl":"https://10.0.0.6:15091/stats/prometheus","lastError":"","lastScrape":"","lastScrapeDuration":0,"health":"up"}
 ],"droppedTargets":[],"droppedTargetCounts":{"kubernetes-pods":3}}}"#;

const CONFIG: &str = r"
global:
  scrape_interval: 15s
scrape_configs:
- job_name: prometheus
  static_configs:
  - targets: [localhost:9090]
- job_name: kubernetes-pods
  kubernetes_sd_configs:
  - role: pod
    kubeconfig_file: ''
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_annotationpresent_prometheus_istio_io_secure_port]
    action: drop
    regex: 'true'
  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port]
    action: drop
    regex: .+
- job_name: nodes
  basic_auth: {username: u, password: <secret>}
  kubernetes_sd_configs:
  - role: node
- job_name: secured by another name
  kubernetes_sd_configs:
  - role: pod
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port]
    action: keep
    regex: \d+
";

fn wanted() -> Wanted {
    Wanted::new([("shop", "cart-1"), ("shop", "cart-2"), ("shop", "cart-3")])
}

#[test]
fn targets_as_prometheus_writes_them() {
    let targets = targets::parse(TARGETS.as_bytes(), &wanted(), None).expect("targets");
    let pods: Vec<&str> = targets.iter().map(|t| t.pod.as_str()).collect();
    assert_eq!(
        pods,
        ["cart-1", "cart-2", "cart-3"],
        "another namespace's pod is left out"
    );
    let [up, down, new] = &targets[..] else {
        panic!("three");
    };
    assert_eq!(
        (up.health, down.health, new.health),
        (Health::Up, Health::Down, Health::Unknown)
    );
    assert_eq!(up.job, "istio-secure-merged-metrics");
    assert_eq!(up.took, Duration::from_micros(4200));
    assert_eq!(down.interval, Duration::from_secs(90));
    assert_eq!(
        down.last_scrape,
        "2026-03-01T10:00:00Z".parse().ok(),
        "offsets are read"
    );
    assert_eq!(
        down.last_error,
        "Get \"https://10.0.0.8:15091/stats/prometheus\": EOF"
    );
    assert_eq!(new.last_scrape, None, "Go's zero time is never");
    let of = |job| {
        targets::parse(TARGETS.as_bytes(), &wanted(), Some(job))
            .expect("targets")
            .len()
    };
    assert_eq!(
        (of("istio-secure-merged-metrics"), of("kubernetes-pods")),
        (3, 0)
    );
    let empty = br#"{"status":"success","data":{"activeTargets":null}}"#;
    assert_eq!(targets::parse(empty, &wanted(), None), Ok(Vec::new()));
}

#[test]
fn targets_without_discovered_labels_are_told_by_their_own() {
    let body = json!({"status": "success", "data": {"activeTargets": [{
        "labels": {"namespace": "shop", "pod": "cart-1", "job": "j"},
        "scrapeUrl": "http://10.0.0.9:15020/stats/prometheus", "health": "up",
        "lastScrape": "2026-03-01T10:00:00Z", "lastScrapeDuration": 0.1,
    }]}});
    let body = body.to_string();
    let targets = targets::parse(body.as_bytes(), &wanted(), None).expect("targets");
    assert_eq!(
        (targets[0].pod.as_str(), targets[0].job.as_str()),
        ("cart-1", "j")
    );
}

#[test]
fn secure_jobs_are_known_by_what_they_are_keyed_on() {
    let body = json!({"status": "success", "data": {"yaml": CONFIG}}).to_string();
    let running = config::parse(body.as_bytes()).expect("a configuration");
    assert_eq!(running.secure(), ["secured by another name"]);
    assert_eq!(running.old(), ["kubernetes-pods"]);
    assert!(running.has("nodes") && !running.has("node"));
    let none = json!({"status": "success", "data": {"yaml": "global: {}\nscrape_configs:\n"}});
    assert_eq!(
        config::parse(none.to_string().as_bytes()),
        Ok(Running::default())
    );
}

#[test]
fn a_rule_keys_a_job_only_where_it_decides_what_is_scraped() {
    const SECURE: &str = "__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port";
    let secure = |rule: &str| {
        let yaml = format!(
            "scrape_configs:\n- job_name: a\n  kubernetes_sd_configs: [{{role: pod}}]\n  relabel_configs:\n  - {rule}\n"
        );
        let body = json!({"status": "success", "data": {"yaml": yaml}}).to_string();
        let running = config::parse(body.as_bytes()).expect("a configuration");
        assert_eq!(running.old().is_empty(), !running.secure().is_empty());
        !running.secure().is_empty()
    };
    let present = SECURE.replace("annotation_", "annotationpresent_");
    assert!(secure(&format!(
        "{{source_labels: [{SECURE}], action: keep, regex: '\\d+'}}"
    )));
    assert!(secure(&format!(
        "{{source_labels: [{present}], action: keep, regex: 'true'}}"
    )));
    assert!(secure(&format!(
        "{{source_labels: [{SECURE}, __meta_kubernetes_pod_ip], regex: '(.+);(.+)', replacement: $2:$1, target_label: __address__}}"
    )));
    assert!(!secure(&format!(
        "{{source_labels: [{SECURE}], target_label: secure_port}}"
    )));
    assert!(!secure(&format!(
        "{{source_labels: [{SECURE}], action: drop, regex: .+}}"
    )));
    assert!(!secure(&format!(
        "{{source_labels: [{SECURE}], action: lowercase, target_label: p}}"
    )));
}

#[test]
fn pools_and_time() {
    let body = br#"{"status":"success","data":{"scrapePools":["a","b"]}}"#;
    assert_eq!(targets::pools(body), Ok(vec!["a".into(), "b".into()]));
    let body = br#"{"status":"success","data":{"resultType":"scalar","result":[1800000000.25,"1800000000.25"]}}"#;
    assert_eq!(
        targets::time(body).map(|t| t.as_millisecond()),
        Some(1_800_000_000_250)
    );
    assert_eq!(targets::time(b"<html>"), None);
}

#[test]
fn odd_answers_are_told_in_words() {
    const PLACE: &str = "mon/p-0 on port 9090";
    let status =
        |message: &str| json!({"kind": "Status", "message": message, "code": 503}).to_string();
    let rows = [
        (200, TARGETS[..300].to_owned(), say::cut_off(PLACE, 300)),
        (
            200,
            "<!DOCTYPE html><html><body>Grafana".into(),
            say::web_page(PLACE),
        ),
        (200, r#"{"version":"x"}"#.into(), say::not_its_api(PLACE)),
        (200, "ok".into(), say::not_its_api(PLACE)),
        (
            400,
            r#"{"status":"error","errorType":"bad_data","error":"no such thing"}"#.into(),
            "no such thing".to_owned(),
        ),
        (401, "Unauthorized".into(), say::asks_for_credentials(PLACE)),
        (404, "404 page not found".into(), say::no_such_path(PLACE)),
        (503, "Service Unavailable".into(), say::not_ready(PLACE)),
        (
            503,
            status(
                "error trying to reach service: dial tcp 10.0.0.1:9090: connect: connection refused",
            ),
            say::STARTING_OR_ANOTHER_PORT.to_owned(),
        ),
        (
            503,
            status("error trying to reach service: read: connection reset by peer"),
            say::SIDECAR_DEMANDS_MTLS.to_owned(),
        ),
        (500, "boom".into(), say::answered(PLACE, 500)),
    ];
    for (code, body, words) in rows {
        let answer = answer::accept(code, Bytes::from(body.clone()))
            .and_then(|body| targets::parse(&body, &wanted(), None));
        let error = answer.expect_err(&body).at(PLACE);
        assert!(error.to_string().contains(&words), "{code} {body}: {error}");
        assert!(error.what.contains(PLACE), "{error}");
        assert_eq!(error.hints.len(), 1, "{error}");
    }
}

#[test]
fn pods_belong_to_their_own_workload() {
    let owner = |kind: &str, name: &str| {
        vec![crate::mesh::objects::OwnerReference {
            kind: kind.into(),
            name: name.into(),
            ..Default::default()
        }]
    };
    let cart = WorkloadRef::new("shop", Kind::Deployment, "cart");
    assert!(owned_by(&owner("ReplicaSet", "cart-66d9f7c5b"), &cart));
    assert!(!owned_by(&owner("ReplicaSet", "cart-db-66d9f7c5b"), &cart));
    assert!(!owned_by(&owner("StatefulSet", "cart"), &cart));
    assert!(
        owned_by(&[], &cart),
        "a pod without owners is told by its labels"
    );
    let set = WorkloadRef::new("shop", Kind::StatefulSet, "cart");
    assert!(owned_by(&owner("StatefulSet", "cart"), &set));
    assert!(!owned_by(&owner("StatefulSet", "cart-db"), &set));
}

/// A cluster with one running Prometheus pod; `proxy` answers what is sent through a proxy.
fn prom(proxy: impl Fn(&str, &str) -> (u16, String) + Clone + Send + Sync + 'static) -> Prom {
    let answer = move |request: Request<Body>| {
        let path = request.uri().to_string();
        let (status, body) = match path.split('?').next().unwrap_or_default() {
            "/apis/apps/v1/namespaces/mon/deployments/prometheus" => {
                (200, json!({"spec": {"selector": {"matchLabels": {"app": "p"}}}}).to_string())
            }
            "/api/v1/namespaces/mon/pods" => {
                assert!(path.contains("labelSelector=app%3Dp"), "{path}");
                (200, json!({"metadata": {}, "items": [pod("prometheus-5d-a", "Running"), pod("prometheus-5d-b", "Pending")]}).to_string())
            }
            "/api/v1/namespaces/mon/services" => (200, json!({"metadata": {}, "items": [
                {"metadata": {"name": "other"}, "spec": {"selector": {"app": "x"}, "ports": [{"port": 80, "targetPort": 9090}]}},
                {"metadata": {"name": "prom"}, "spec": {"selector": {"app": "p"}, "ports": [{"port": 80, "targetPort": 9090}]}},
            ]}).to_string()),
            _ => proxy(request.method().as_str(), &path),
        };
        async move {
            let response = Response::builder()
                .status(status)
                .body(Body::from(body.into_bytes()));
            Ok::<_, Infallible>(response.expect("a response"))
        }
    };
    let client = kube::Client::new(tower::service_fn(answer), "default");
    Prom::new(Cluster::new(client, "test"), &prometheus())
}

fn pod(name: &str, phase: &str) -> Value {
    json!({"metadata": {"name": name, "ownerReferences": [{"kind": "ReplicaSet", "name": "prometheus-5d"}]}, "status": {"phase": phase}})
}

fn prometheus() -> mesh::Prometheus {
    let mut template = crate::mesh::objects::Template::default();
    template.metadata.labels.insert("app".into(), "p".into());
    mesh::Prometheus {
        id: WorkloadRef::new("mon", Kind::Deployment, "prometheus"),
        flavour: mesh::PrometheusFlavour::Plain,
        owner: None,
        desired: 1,
        pods: Vec::new(),
        template,
        pod_home: mesh::PodHome::Template,
        service_account: "prometheus".into(),
        shared_with: Vec::new(),
        container: "prometheus".into(),
        http_port: 9090,
        route_prefix: "/prom/".into(),
        web_config: false,
        uid: String::new(),
        config: None,
        looks: None,
        reloader: false,
        lifecycle: true,
        storage: mesh::Storage::EmptyDir,
        strategy: "Recreate".into(),
        sidecar: true,
        outbound: None,
        certificates: None,
        obstacles: Vec::new(),
        faults: Vec::new(),
    }
}

const POD: &str = "/api/v1/namespaces/mon/pods/http:prometheus-5d-a:9090/proxy/prom";

#[tokio::test]
async fn asks_the_running_pod_under_its_prefix() {
    let prom = prom(|method, path| {
        assert_eq!(method, "GET");
        assert_eq!(
            path,
            format!("{POD}/api/v1/targets?state=active&scrapePool=istio-secure-merged-metrics")
        );
        (200, TARGETS.into())
    });
    assert_eq!(prom.pods().await, Ok(vec!["prometheus-5d-a".to_owned()]));
    let jobs = ["istio-secure-merged-metrics".to_owned()];
    let wanted = Arc::new(wanted());
    let targets = prom.targets("prometheus-5d-a", &jobs, &wanted).await;
    assert_eq!(targets.expect("targets").len(), 3);
}

#[tokio::test]
async fn falls_back_to_the_service_where_the_pod_proxy_is_denied() {
    let denied =
        json!({"kind": "Status", "code": 403, "message": "pods \"p\" is forbidden"}).to_string();
    let allowed = prom({
        let denied = denied.clone();
        move |_, path| match path {
            "/api/v1/namespaces/mon/services/http:prom:80/proxy/prom/api/v1/scrape_pools" => (
                200,
                r#"{"status":"success","data":{"scrapePools":["a"]}}"#.into(),
            ),
            _ => (403, denied.clone()),
        }
    });
    assert_eq!(
        allowed.pools("prometheus-5d-a").await,
        Ok(Some(vec!["a".into()]))
    );
    let neither = prom(move |_, _| (403, denied.clone()));
    let error = neither
        .pools("prometheus-5d-a")
        .await
        .expect_err("denied")
        .to_string();
    assert!(
        error.contains("forbidden") && error.contains(say::ASK_FOR_GET),
        "{error}"
    );
}

#[tokio::test]
async fn https_is_found_out_by_asking() {
    let prom = prom(|_, path| {
        if path.contains("/pods/https:") {
            (
                200,
                r#"{"status":"success","data":{"scrapePools":[]}}"#.into(),
            )
        } else {
            (
                400,
                "Client sent an HTTP request to an HTTPS server.\n".into(),
            )
        }
    });
    assert_eq!(prom.pools("prometheus-5d-a").await, Ok(Some(Vec::new())));
}

/// The operator names a web configuration always, mostly one without TLS.
#[tokio::test]
async fn plain_http_is_found_out_by_asking() {
    let prom = prom(|_, path| match path.contains("/pods/https:") {
        false => (
            200,
            r#"{"status":"success","data":{"scrapePools":[]}}"#.into(),
        ),
        true => (
            503,
            "error trying to reach service: tls: first record does not look like a TLS handshake"
                .into(),
        ),
    });
    prom.at.https.store(true, Ordering::Relaxed);
    assert_eq!(prom.pools("prometheus-5d-a").await, Ok(Some(Vec::new())));
}

#[tokio::test]
async fn an_old_prometheus_knows_no_pools() {
    let prom = prom(|_, _| (404, "404 page not found".into()));
    assert_eq!(prom.pools("prometheus-5d-a").await, Ok(None));
    assert_eq!(prom.time("prometheus-5d-a").await, None);
}

#[tokio::test]
async fn reload_is_a_post_and_its_refusals_are_told() {
    let done = prom(|method, path| {
        assert_eq!((method, path), ("POST", &*format!("{POD}/-/reload")));
        (200, String::new())
    });
    assert_eq!(done.reload("prometheus-5d-a").await, Ok(()));
    let off = prom(|_, _| (403, "Lifecycle API is not enabled.".into()));
    let error = off
        .reload("prometheus-5d-a")
        .await
        .expect_err("off")
        .to_string();
    assert!(error.contains(say::SET_LIFECYCLE), "{error}");
    let bad = prom(|_, _| {
        (
            500,
            "failed to reload config: line 3: field x not found".into(),
        )
    });
    let error = bad
        .reload("prometheus-5d-a")
        .await
        .expect_err("bad")
        .to_string();
    assert!(error.contains("line 3"), "{error}");
}

#[tokio::test]
async fn the_configuration_is_parsed_again_only_when_it_changed() {
    let body = json!({"status": "success", "data": {"yaml": CONFIG}}).to_string();
    let prom = prom(move |_, _| (200, body.clone()));
    let first = prom
        .config("prometheus-5d-a")
        .await
        .expect("a configuration");
    let second = prom
        .config("prometheus-5d-a")
        .await
        .expect("a configuration");
    assert!(Arc::ptr_eq(&first, &second));
}
