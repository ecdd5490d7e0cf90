//! "Secured" is said only of a port whose guards stand, and of a scrape that went there.

use super::{WEB, World};
use serde_json::{Value, json};

/// The one workload, secured by the program itself.
async fn secured() -> World {
    let world = World::of(WEB);
    let apply = world.call("apply -w shop/Deployment/web --yes").await;
    let (code, words) = apply.told();
    assert_eq!(code, 0, "{words}");
    let (code, status) = world.status("").await;
    assert_eq!(
        (code, &status["summary"]["secured"]),
        (0, &json!(1)),
        "{status}"
    );
    world
}

impl World {
    /// `status --json`: its exit code, and what it said.
    pub async fn status(&self, args: &str) -> (u8, Value) {
        let called = self.call(&format!("status --json {args}")).await;
        let out = called.out.clone();
        let (code, words) = called.told();
        let status = serde_json::from_str(&out).unwrap_or_else(|why| panic!("{why}: {words}"));
        (code, status)
    }

    fn alter(&self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.simulation.object(kind, "shop", name).expect(name);
        change(&mut object);
        self.simulation.put(object);
    }

    /// Prometheus scrapes again, and connections of before are gone.
    async fn a_while_later(&self) {
        tokio::time::advance(std::time::Duration::from_secs(180)).await;
    }
}

/// Exit code, state, and of the first fault: what became of the object, which one, its field.
fn told(of: &(u8, Value)) -> String {
    let target = &of.1["targets"][0];
    let fault = &target["faults"][0];
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = word(&fault["name"]);
    let became = name
        .trim_start_matches("Object")
        .trim_start_matches("Guard");
    let (state, field) = (word(&target["state"]), word(&fault["evidence"]["field"]));
    format!("{} {state} {became} {} {field}", of.0, object_of(fault))
}

/// `KIND NAMESPACE/NAME` of the object that a problem blames.
fn object_of(problem: &Value) -> String {
    let of = &problem["evidence"]["object"];
    let part = |at: &str| of[at].as_str().unwrap_or_default();
    format!("{} {}/{}", part("kind"), part("namespace"), part("name"))
}

#[tokio::test(start_paused = true)]
async fn a_deleted_object_is_named_with_the_way_to_have_it_back() {
    let world = secured().await;
    for (kind, state) in [
        ("AuthorizationPolicy", "up"),
        ("PeerAuthentication", "down"),
        ("Sidecar", "down"),
    ] {
        world.simulation.remove(kind, "shop", "meshscrape-web");
        world.a_while_later().await;
        let status = world.status("").await;
        let object = format!("{kind} shop/meshscrape-web");
        assert_eq!(
            told(&status),
            format!("3 {state} Gone {object} "),
            "{}",
            status.1
        );
        assert_eq!(status.1["summary"]["secured"], 0);
        // Whatever Prometheus's error looks like, this is the cause.
        let cause = &status.1["targets"][0]["cause"];
        assert_eq!(object_of(cause), object, "{cause}");
        assert_eq!(
            cause["remedy"]["command"],
            "meshscrape apply -w shop/Deployment/web"
        );
        let (code, words) = world
            .call("apply -w shop/Deployment/web --yes")
            .await
            .told();
        assert_eq!(code, 0, "{kind}: {words}");
        assert_eq!(world.status("").await.0, 0, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_altered_object_is_named_with_its_field() {
    type Change = fn(&mut Value);
    let principals = "spec.rules.from.source.notPrincipals";
    let cases: [(&str, &str, &str, Change); 5] = [
        ("AuthorizationPolicy", principals, "up", |object| {
            object["spec"]["rules"][0]["from"][0]["source"]["notPrincipals"] = json!(["*"]);
        }),
        (
            "AuthorizationPolicy",
            "spec.rules.to.operation.notPaths",
            "up",
            |object| {
                object["spec"]["rules"].as_array_mut().unwrap().remove(1);
            },
        ),
        (
            "AuthorizationPolicy",
            "spec.selector.matchLabels",
            "up",
            |object| {
                object["spec"]["selector"]["matchLabels"] = json!({"app": "another"});
            },
        ),
        (
            "PeerAuthentication",
            "spec.portLevelMtls",
            "down",
            |object| {
                object["spec"]["portLevelMtls"]["15091"]["mode"] = json!("PERMISSIVE");
            },
        ),
        (
            "Sidecar",
            "spec.workloadSelector.labels",
            "down",
            |object| {
                object["spec"]["workloadSelector"]["labels"] = json!({"app": "another"});
            },
        ),
    ];
    let world = secured().await;
    for (kind, field, state, change) in cases {
        let before = world.simulation.object(kind, "shop", "meshscrape-web");
        world.alter(kind, "meshscrape-web", change);
        world.a_while_later().await;
        let status = world.status("").await;
        let object = format!("{kind} shop/meshscrape-web");
        assert_eq!(
            told(&status),
            format!("3 {state} Altered {object} {field}"),
            "{}",
            status.1
        );
        world.simulation.put(before.expect("ours"));
        world.a_while_later().await;
        assert_eq!(world.status("").await.0, 0, "{kind} as before");
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_add_to_our_objects_is_no_fault() {
    let world = secured().await;
    world.alter("AuthorizationPolicy", "meshscrape-web", |object| {
        let names = &mut object["spec"]["rules"][0]["from"][0]["source"]["notPrincipals"];
        names
            .as_array_mut()
            .unwrap()
            .push(json!("cluster.local/ns/mon/sa/second"));
    });
    world.alter("Sidecar", "meshscrape-web", |object| {
        object["spec"]["outboundTrafficPolicy"] = json!({"mode": "REGISTRY_ONLY"});
    });
    world.a_while_later().await;
    let (code, status) = world.status("").await;
    assert_eq!(
        (code, &status["targets"][0]["guard"]),
        (0, &json!("stands")),
        "{status}"
    );
}

#[tokio::test(start_paused = true)]
async fn policies_that_may_not_be_read_leave_it_unknown() {
    let world = secured().await;
    let group = "security.istio.io";
    world
        .simulation
        .deny("list", group, "authorizationpolicies", None);
    let (code, status) = world.status("").await;
    let target = &status["targets"][0];
    assert_eq!((code, &target["guard"]), (3, &json!("unknown")), "{status}");
    assert_eq!(
        (&target["state"], &status["summary"]["secured"]),
        (&json!("up"), &json!(0))
    );
}

/// A gateway whose pod names its proxy itself.
const EDGE: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: edge, namespace: shop}
spec:
  selector: {matchLabels: {istio: edge}}
  template:
    metadata:
      labels: {istio: edge, sidecar.istio.io/inject: "false"}
      annotations: {prometheus.io/scrape: "true", prometheus.io/port: "15020", prometheus.io/path: /stats/prometheus}
    spec:
      containers:
      - name: istio-proxy
        image: docker.io/istio/proxyv2:1.31.0
        args: [proxy, router]
        ports: [{name: http, containerPort: 8080}]
"#;

#[tokio::test(start_paused = true)]
async fn a_gateways_objects_are_named_too() {
    type Change = fn(&mut Value);
    let world = World::of(EDGE);
    let (code, words) = world.call("apply -g shop/edge --yes").await.told();
    assert_eq!(code, 0, "{words}");
    let status = world.status("").await;
    assert_eq!(
        (status.0, &status.1["targets"][0]["guard"]),
        (0, &json!("stands"))
    );
    let names = "spec.servers.tls.subjectAltNames";
    let cases: [(&str, &str, &str, Option<Change>); 4] = [
        (
            "Gateway",
            names,
            "up",
            Some(|object| {
                object["spec"]["servers"][0]["tls"]
                    .as_object_mut()
                    .unwrap()
                    .remove("subjectAltNames");
            }),
        ),
        (
            "VirtualService",
            "spec.http.match.uri",
            "down",
            Some(|object| {
                object["spec"]["http"][0]["match"][0]["uri"] = json!({"exact": "/metrics"});
            }),
        ),
        ("VirtualService", "", "down", None),
        ("networking.istio.io/v1/Gateway", "", "down", None),
    ];
    for (kind, field, state, change) in cases {
        let before = world
            .simulation
            .object(kind, "shop", "meshscrape-edge")
            .expect(kind);
        match change {
            Some(change) => world.alter(kind, "meshscrape-edge", change),
            None => world.simulation.remove(kind, "shop", "meshscrape-edge"),
        }
        world.a_while_later().await;
        let status = world.status("").await;
        let became = match change.is_some() {
            true => "Altered",
            false => "Gone",
        };
        let object = format!("{} shop/meshscrape-edge", kind.rsplit('/').next().unwrap());
        assert_eq!(
            told(&status),
            format!("3 {state} {became} {object} {field}"),
            "{}",
            status.1
        );
        let fix = &status.1["targets"][0]["faults"][0]["remedy"]["command"];
        assert_eq!(fix, "meshscrape apply -g shop/edge");
        world.simulation.put(before);
        world.a_while_later().await;
        assert_eq!(world.status("").await.0, 0, "{kind} as before");
    }
}

/// Its plaintext job copies the annotation into a label; there is no job that scrapes it over mTLS.
const LABELLED: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {prometheus.io/scrape: "true", prometheus.io/port: "8080", prometheus.istio.io/secure-port: "15091"}
    spec:
      containers: [{name: web, image: "example.org/web:1", ports: [{name: http, containerPort: 8080}]}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: prometheus, namespace: istio-system}
data:
  prometheus.yml: |
    scrape_configs:
SECURE
    - job_name: annotated
      kubernetes_sd_configs: [{role: pod}]
      relabel_configs:
      - {action: keep, regex: true, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]}
      - {action: replace, regex: (.+), source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path], target_label: __metrics_path__}
      - {regex: '(\d+);(.+)', replacement: $2:$1, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_port, __meta_kubernetes_pod_ip], target_label: __address__}
      - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port], target_label: secure_port}
"#;

#[tokio::test(start_paused = true)]
async fn a_plaintext_scrape_is_plaintext_whatever_labels_it_has() {
    // Of itself; with a secure job that takes nothing; with one whose addresses are not the pods' own.
    let takes_nothing = "
    - job_name: istio-secure-merged-metrics
      scheme: https
      kubernetes_sd_configs: [{role: pod, namespaces: {names: [nowhere]}}]
      relabel_configs:
      - {action: keep, regex: '\\d+', source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port]}";
    let elsewhere = takes_nothing.replace(", namespaces: {names: [nowhere]}", "");
    for secure in ["", takes_nothing, &elsewhere] {
        let world = World::of(&LABELLED.replace("SECURE", secure));
        let (code, status) = world.status("").await;
        let target = &status["targets"][0];
        assert_eq!(
            (code, &target["state"]),
            (3, &json!("plaintext")),
            "{secure}: {status}"
        );
        assert_eq!(target["detail"], "annotated");
        assert_eq!(status["summary"]["up"], 0);
    }
}

/// Its own proxy opens the port, and the injector annotates it.
const NATIVE: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: native, namespace: shop}
spec:
  selector: {matchLabels: {app: native}}
  template:
    metadata:
      labels: {app: native}
      annotations:
        prometheus.io/scrape: "true"
        proxy.istio.io/config: '{"proxyMetadata": {"ENVOY_SECURE_MERGED_METRICS_PORT": "15092"}}'
    spec:
      containers: [{name: app, image: "example.org/app:1", ports: [{name: http, containerPort: 8080}]}]
---
"#;

#[tokio::test(start_paused = true)]
async fn a_native_port_that_refuses_plaintext_through_the_passthrough_is_secured() {
    let world = World::of(&format!("{NATIVE}{WEB}"));
    let pods = world.simulation.objects("Pod", "shop");
    let annotated =
        |pod: &&Value| pod["metadata"]["annotations"]["prometheus.istio.io/secure-port"] == "15092";
    assert_eq!(
        pods.iter().filter(annotated).count(),
        1,
        "the injector annotates it"
    );
    let apply = world.call("apply -w shop/Deployment/web --yes").await;
    let (code, words) = apply.told();
    assert_eq!(code, 0, "{words}");
    let (code, status) = world.status("").await;
    let targets = status["targets"].as_array().unwrap();
    let native = targets
        .iter()
        .find(|t| t["workload"] == "shop/Deployment/native")
        .unwrap();
    assert_eq!(
        (&native["plaintext"], &native["guard"]),
        (&json!("refused"), &json!("notAsked")),
        "{status}"
    );
    assert_eq!(
        (code, &status["summary"]["secured"]),
        (0, &json!(2)),
        "{status}"
    );
}
