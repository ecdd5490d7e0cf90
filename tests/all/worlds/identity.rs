//! Whom the secure ports let in: an identity, which others may have too, and which must be known.

use super::{WEB, World};
use meshscrape::demo::Fault;
use serde_json::{Value, json};

/// A Prometheus that runs under its namespace's default ServiceAccount, beside others that do.
const DEFAULT_ACCOUNT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: prometheus, namespace: istio-system}
spec:
  selector: {matchLabels: {app: prometheus}}
  template:
    metadata: {labels: {app: prometheus}}
    spec:
      containers:
      - name: reloader
        image: example.org/prometheus-config-reloader:v1
        args: [--watched-dir=/etc/config, "--reload-url=http://localhost:9090/-/reload"]
        volumeMounts: [{name: config-volume, mountPath: /etc/config}]
      - name: prometheus-server
        image: docker.io/prom/prometheus:v3.10.0
        args: [--config.file=/etc/config/prometheus.yml, --storage.tsdb.path=/data, --web.enable-lifecycle]
        ports: [{containerPort: 9090}]
        volumeMounts: [{name: config-volume, mountPath: /etc/config}, {name: data, mountPath: /data}]
      volumes:
      - {name: config-volume, configMap: {name: prometheus}}
      - {name: data, persistentVolumeClaim: {claimName: prometheus}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: grafana, namespace: istio-system}
spec:
  selector: {matchLabels: {app: grafana}}
  template:
    metadata: {labels: {app: grafana}}
    spec: {containers: [{name: grafana, image: "example.org/grafana:1"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: kiali, namespace: istio-system}
spec:
  selector: {matchLabels: {app: kiali}}
  template:
    metadata: {labels: {app: kiali}}
    spec: {serviceAccountName: kiali, containers: [{name: kiali, image: "example.org/kiali:1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: backup, namespace: istio-system, labels: {app: backup}}
spec: {containers: [{name: backup, image: "example.org/backup:1"}]}
---
"#;

fn texts(of: &Value) -> Vec<&str> {
    of.as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

/// The evidence of MS211.
fn shared(plan: &Value) -> Option<&Value> {
    let mut all = plan["problems"].as_array()?.iter();
    let found = all.find(|problem| problem["code"] == "MS211")?;
    Some(&found["evidence"])
}

#[tokio::test(start_paused = true)]
async fn who_else_has_prometheus_s_identity_is_said() {
    let world = World::of(&format!("{DEFAULT_ACCOUNT}{WEB}"));
    let plan = world.plan("-w shop/Deployment/web").await;
    let shared = shared(&plan).expect("said");
    assert_eq!(shared["account"], "default");
    assert_eq!(
        texts(&shared["with"]),
        ["Deployment istio-system/grafana", "Pod istio-system/backup"]
    );
    let changes = plan["changes"].as_array().unwrap();
    let policy = changes
        .iter()
        .find(|c| c["kind"] == "AuthorizationPolicy")
        .unwrap();
    assert!(
        !policy["message"]
            .as_str()
            .unwrap()
            .contains("Only Prometheus"),
        "{policy}"
    );

    let apply = world.call("apply -w shop/Deployment/web --yes").await;
    let (code, words) = apply.told();
    assert_eq!(code, 0, "{words}");
    let (_, status) = world.status("").await;
    assert_eq!(
        texts(&status["sharedWith"]),
        ["Deployment istio-system/grafana", "Pod istio-system/backup"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_identity_of_its_own_needs_no_word() {
    let world = World::of(WEB);
    let plan = world.plan("-w shop/Deployment/web").await;
    assert_eq!(shared(&plan), None);
    let (_, status) = world.status("-w shop/Deployment/web").await;
    assert_eq!(status["sharedWith"], json!([]));
}

/// The mesh's own settings, which are not the usual ones, may not be read.
fn unread(own: &str) -> World {
    let mesh = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "{rootNamespace: istio-system, trustDomain: corp.example}"}
---
"#;
    let world = World::of(&format!("{mesh}{own}"));
    world.simulation.fault(Box::new(|request| {
        let is = request.path.contains("/configmaps/istio");
        (is && request.method == "GET")
            .then(|| Fault::Status(403, "configmaps \"istio\" is forbidden".into()))
    }));
    world
}

fn principals(plan: &Value) -> String {
    let changes = plan["changes"].as_array().unwrap();
    let policy = changes
        .iter()
        .find(|c| c["kind"] == "AuthorizationPolicy")
        .unwrap();
    policy["diff"].to_string()
}

#[tokio::test(start_paused = true)]
async fn a_trust_domain_that_may_not_be_read_is_taken_from_running_proxies() {
    let world = unread(WEB);
    let plan = world
        .plan("-w shop/Deployment/web --root-namespace istio-system")
        .await;
    let diff = principals(&plan);
    assert!(
        diff.contains("corp.example/ns/istio-system/sa/prometheus"),
        "{diff}"
    );
    let apply = "apply -w shop/Deployment/web --root-namespace istio-system --yes";
    let (code, words) = world.call(apply).await.told();
    assert_eq!(code, 0, "{words}");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_tells_stops_the_run_before_anything_is_written() {
    for args in [
        "plan -w shop/Deployment/web",
        "apply -w shop/Deployment/web --yes",
    ] {
        let world = unread(WEB);
        let (code, words) = world.call(args).await.told();
        assert_eq!(code, 4, "{args}: {words}");
        assert!(words.contains("--root-namespace"), "{words}");
        assert!(
            world
                .simulation
                .objects("PeerAuthentication", "")
                .is_empty()
        );
    }
    let world = unread(WEB);
    let flags = "-w shop/Deployment/web --root-namespace istio-system --trust-domain other.example";
    let (code, words) = world.call(&format!("plan {flags}")).await.told();
    assert_eq!((code, words.contains("contradicts")), (4, true), "{words}");
}

#[tokio::test(start_paused = true)]
async fn two_revisions_that_disagree_are_not_chosen_between() {
    let second = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: istio-canary, namespace: istio-system}
data: {mesh: "{rootNamespace: istio-system, trustDomain: corp.example}"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: istiod-canary, namespace: istio-system, labels: {app: istiod, istio.io/rev: canary}}
spec:
  selector: {matchLabels: {app: istiod, istio.io/rev: canary}}
  template:
    metadata: {labels: {app: istiod, istio.io/rev: canary, sidecar.istio.io/inject: "false"}}
    spec: {serviceAccountName: istiod, containers: [{name: discovery, image: "docker.io/istio/pilot:1.31.0"}]}
---
"#;
    let world = World::of(&format!("{second}{WEB}"));
    // What the running proxies were started with decides, where they agree.
    let plan = world.plan("-w shop/Deployment/web").await;
    assert!(principals(&plan).contains("cluster.local/ns/istio-system/sa/prometheus"));
}
