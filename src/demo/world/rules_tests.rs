//! The rules of injection, policies, proxies and relabelling, one by one.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::World;
use super::injection::{injector, output_certs, pod_security, proxy_container};
use super::policy::{Asked, Mode, authorized, mtls, sidecar};
use super::proxy::{Caller, Outcome, Tls};
use super::relabel::{Labels, Rule, relabel};
use crate::demo::json::{annotation, label, list, text};
use crate::demo::kinds;
use crate::demo::scenario::Scenario;

const PRINCIPAL: &str = "cluster.local/ns/istio-system/sa/prometheus";

const BASE: &str = r#"
settings: {native_sidecars: true}
---
{apiVersion: v1, kind: Namespace, metadata: {name: istio-system}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio-injection: enabled}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: plain}}
---
{apiVersion: v1, kind: Node, metadata: {name: n}, status: {addresses: [{address: 10.0.0.1}]}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: istio-sidecar-injector-x, labels: {istio.io/rev: x}}
webhooks:
  - namespaceSelector: {matchExpressions: [{key: istio.io/rev, operator: In, values: [x]}, {key: istio-injection, operator: DoesNotExist}]}
    objectSelector: {matchExpressions: [{key: sidecar.istio.io/inject, operator: NotIn, values: ["false"]}]}
  - namespaceSelector: {matchExpressions: [{key: istio.io/rev, operator: DoesNotExist}, {key: istio-injection, operator: DoesNotExist}]}
    objectSelector: {matchExpressions: [{key: sidecar.istio.io/inject, operator: NotIn, values: ["false"]}, {key: istio.io/rev, operator: In, values: [x]}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: istio-revision-tag-default, labels: {istio.io/rev: x, istio.io/tag: default}}
webhooks:
  - namespaceSelector: {matchExpressions: [{key: istio-injection, operator: In, values: [enabled]}]}
    objectSelector: {matchExpressions: [{key: sidecar.istio.io/inject, operator: NotIn, values: ["false"]}]}
  - namespaceSelector: {matchExpressions: [{key: istio-injection, operator: DoesNotExist}, {key: istio.io/rev, operator: DoesNotExist}]}
    objectSelector: {matchExpressions: [{key: sidecar.istio.io/inject, operator: In, values: ["true"]}, {key: istio.io/rev, operator: DoesNotExist}]}
---
apiVersion: v1
kind: Pod
metadata: {name: app, namespace: shop, labels: {app: app}}
spec: {containers: [{name: app, image: "a:1", ports: [{containerPort: 8080}]}]}
"#;

fn world(more: &[&str]) -> World {
    let text = format!("{BASE}\n---\n{}", more.join("\n---\n"));
    let start = Timestamp::from_second(1_750_000_000).expect("a time");
    Scenario::parse(&text)
        .and_then(|s| s.into_world(start))
        .expect("a world")
}

fn app(world: &World) -> Arc<Value> {
    world
        .store
        .get(&kinds::POD, "shop", "app")
        .cloned()
        .expect("the pod")
}

const LISTENER: &str = r#"
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: own, namespace: shop}
spec:
  workloadSelector: {labels: {app: app}}
  ingress: [{port: {number: 15091, protocol: HTTP, name: m}, defaultEndpoint: "127.0.0.1:15020"}]
"#;
const DENY: &str = r#"
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: own, namespace: shop}
spec:
  selector: {matchLabels: {app: app}}
  action: DENY
  rules:
    - from: [{source: {notPrincipals: [cluster.local/ns/istio-system/sa/prometheus]}}]
      to: [{operation: {ports: ["15091"]}}]
    - to: [{operation: {ports: ["15091"], notPaths: [/stats/prometheus]}}]
"#;

fn peer(name: &str, ns: &str, spec: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {{name: {name}, namespace: {ns}}}\nspec: {spec}"
    )
}

fn port_level(mode: &str) -> String {
    peer(
        "port",
        "shop",
        &format!(
            "{{selector: {{matchLabels: {{app: app}}}}, portLevelMtls: {{15091: {{mode: {mode}}}}}}}"
        ),
    )
}

fn ask(world: &mut World, port: u16, tls: Tls, path: &str) -> Outcome {
    let pod = app(world);
    // A caller in the cluster, so that no connection is remembered.
    let from = json!({"metadata": {"name": "other", "namespace": "plain", "uid": "other"}});
    let caller = Caller {
        pod: Some(&from),
        tls,
        method: "GET",
        path,
    };
    world.request(&pod, port, &caller)
}

fn code(outcome: &Outcome) -> u16 {
    match outcome {
        Outcome::Answer { code, .. } => *code,
        _ => 0,
    }
}

const METRICS: &str = "/stats/prometheus";

#[test]
fn the_listener_follows_mode_and_policies() {
    let mine = Tls::Certificate(PRINCIPAL);
    let other = Tls::Certificate("cluster.local/ns/shop/sa/other");
    for (mode, tls, expected) in [
        ("STRICT", Tls::Plaintext, Err(Outcome::Reset)),
        (
            "STRICT",
            Tls::NoCertificate,
            Err(Outcome::CertificateRequired),
        ),
        ("STRICT", mine, Ok((200, 200))),
        ("STRICT", other, Ok((200, 403))),
        ("PERMISSIVE", Tls::Plaintext, Ok((200, 403))),
        ("PERMISSIVE", mine, Err(Outcome::Reset)),
        ("DISABLE", Tls::Plaintext, Ok((200, 403))),
        ("DISABLE", mine, Err(Outcome::PlainListener)),
    ] {
        let policy = port_level(mode);
        let mut open = world(&[LISTENER, &policy]);
        let mut closed = world(&[LISTENER, &policy, DENY]);
        let (without, with) = (
            ask(&mut open, 15091, tls, METRICS),
            ask(&mut closed, 15091, tls, METRICS),
        );
        match expected {
            Ok(codes) => assert_eq!((code(&without), code(&with)), codes, "{mode} {tls:?}"),
            Err(outcome) => assert_eq!((&without, &with), (&outcome, &outcome), "{mode} {tls:?}"),
        }
    }
    let mut all = world(&[LISTENER, &port_level("STRICT"), DENY]);
    assert_eq!(
        code(&ask(&mut all, 15091, mine, "/debug/syncz")),
        403,
        "only the metrics' path"
    );
    let mut none = world(&[]);
    assert_eq!(
        ask(&mut none, 15091, Tls::Plaintext, METRICS),
        Outcome::Refused
    );
    assert_eq!(code(&ask(&mut none, 15020, Tls::Plaintext, METRICS)), 200);
    assert_eq!(ask(&mut none, 15020, mine, METRICS), Outcome::PlainListener);
}

#[test]
fn envoy_only_metrics_lack_the_agents_and_the_apps() {
    let envoy = LISTENER.replace("15020", "15090");
    let body = |text: &str| {
        let mut world = world(&[text, &port_level("STRICT")]);
        match ask(&mut world, 15091, Tls::Certificate(PRINCIPAL), METRICS) {
            Outcome::Answer { body, .. } => body,
            other => panic!("{other:?}"),
        }
    };
    assert!(body(LISTENER).contains("istio_agent_process_start_time_seconds"));
    assert!(!body(&envoy).contains("istio_agent"));
    assert!(body(&envoy).contains("envoy_server_live"));
}

#[test]
fn plaintext_ports_can_be_kept_to_localhost() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    defaultConfig: {proxyMetadata: {METRICS_LOCALHOST_ACCESS_ONLY: \"true\"}}";
    let mut world = world(&[map, LISTENER, &port_level("STRICT")]);
    assert_eq!(code(&ask(&mut world, 15020, Tls::Plaintext, METRICS)), 403);
    assert_eq!(
        ask(&mut world, 15090, Tls::Plaintext, METRICS),
        Outcome::Refused
    );
    assert_eq!(
        code(&ask(
            &mut world,
            15091,
            Tls::Certificate(PRINCIPAL),
            METRICS
        )),
        200
    );
}

#[test]
fn modes_inherit_and_the_oldest_counts() {
    let wide = peer("default", "istio-system", "{mtls: {mode: STRICT}}");
    let here = peer("default", "shop", "{mtls: {mode: DISABLE}}");
    let old = peer(
        "a",
        "shop",
        "{selector: {matchLabels: {app: app}}, mtls: {mode: PERMISSIVE}}",
    );
    let young = peer(
        "b",
        "shop",
        "{selector: {matchLabels: {app: app}}, portLevelMtls: {15091: {mode: STRICT}}}",
    );
    let mode = |texts: &[&str], port: u16| {
        let mut world = world(texts);
        let mesh = world.mesh();
        mtls(&world.store, &mesh, &app(&world), port)
    };
    assert_eq!(mode(&[], 8080), Mode::Permissive);
    assert_eq!(mode(&[&wide], 8080), Mode::Strict);
    assert_eq!(mode(&[&wide, &here], 8080), Mode::Disable);
    assert_eq!(mode(&[&wide, &young], 15091), Mode::Strict);
    assert_eq!(
        mode(&[&here, &young], 8080),
        Mode::Disable,
        "the other ports inherit"
    );
    assert_eq!(
        mode(&[&wide, &old, &young], 15091),
        Mode::Permissive,
        "the oldest alone"
    );
}

#[test]
fn one_sidecar_governs() {
    let wide = "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: default, namespace: istio-system}\nspec: {egress: []}";
    let space = "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: default, namespace: shop}\nspec: {egress: []}";
    let name = |texts: &[&str]| {
        let mut world = world(texts);
        let mesh = world.mesh();
        let found = sidecar(&world.store, &mesh, &app(&world));
        found.map(|s| {
            format!(
                "{}/{}",
                text(s, "/metadata/namespace"),
                text(s, "/metadata/name")
            )
        })
    };
    assert_eq!(name(&[]), None);
    assert_eq!(name(&[wide]).as_deref(), Some("istio-system/default"));
    assert_eq!(name(&[wide, space]).as_deref(), Some("shop/default"));
    assert_eq!(name(&[wide, space, LISTENER]).as_deref(), Some("shop/own"));
}

#[test]
fn an_allow_policy_denies_the_rest() {
    let allow = DENY.replace("DENY", "ALLOW").replace(
        "notPrincipals: [cluster.local/ns/istio-system/sa/prometheus]",
        "principals: [\"cluster.local/ns/shop/*\"]",
    );
    let mut world = world(&[&allow]);
    let mesh = world.mesh();
    let pod = app(&world);
    let asked = |port, path, principal| {
        let asked = Asked {
            port,
            path,
            method: "GET",
            principal,
        };
        authorized(&world.store, &mesh, &pod, &asked)
    };
    assert!(asked(15091, METRICS, Some("cluster.local/ns/shop/sa/x")));
    assert!(!asked(15091, METRICS, Some(PRINCIPAL)));
    assert!(
        !asked(8080, "/", Some(PRINCIPAL)),
        "every other port is denied by default"
    );
}

#[test]
fn the_webhook_is_called_by_its_selectors() {
    let world = world(&[]);
    let ns = |name: &str, labels: Value| json!({"metadata": {"name": name, "labels": labels}});
    let pod = |labels: Value, annotations: Value, host: bool| json!({"metadata": {"labels": labels, "annotations": annotations}, "spec": {"hostNetwork": host}});
    let called = |ns: &Value, pod: &Value| injector(&world.store, "istio-system", ns, pod);
    let bare = pod(json!({}), json!({}), false);
    let on = ns("a", json!({"istio-injection": "enabled"}));
    let off = ns("a", json!({"istio-injection": "disabled"}));
    let none = ns("a", json!({}));
    let yes = pod(json!({"sidecar.istio.io/inject": "true"}), json!({}), false);
    let no = pod(
        json!({"sidecar.istio.io/inject": "false"}),
        json!({}),
        false,
    );
    assert_eq!(called(&on, &bare).as_deref(), Some("x"));
    assert_eq!(called(&on, &no), None);
    assert_eq!(called(&off, &yes), None, "whatever the pod's label says");
    assert_eq!(called(&none, &bare), None);
    assert_eq!(called(&none, &yes).as_deref(), Some("x"));
    assert_eq!(
        called(
            &ns("kube-system", json!({"istio-injection": "enabled"})),
            &yes
        ),
        None
    );
    assert_eq!(
        called(&ns("a", json!({"istio.io/rev": "x"})), &bare).as_deref(),
        Some("x")
    );
    assert_eq!(
        called(&ns("a", json!({"istio.io/rev": "gone"})), &bare),
        None
    );
    let both = ns(
        "a",
        json!({"istio-injection": "enabled", "istio.io/rev": "gone"}),
    );
    assert_eq!(
        called(&both, &bare).as_deref(),
        Some("x"),
        "istio-injection beats the revision"
    );
    assert_eq!(
        called(&none, &pod(json!({"istio.io/rev": "x"}), json!({}), false)).as_deref(),
        Some("x")
    );
    assert_eq!(
        called(&on, &pod(json!({}), json!({}), true)),
        None,
        "not on the host's network"
    );
    let word = json!({"sidecar.istio.io/inject": "false"});
    assert_eq!(called(&on, &pod(json!({}), word.clone(), false)), None);
    let label_first = pod(json!({"sidecar.istio.io/inject": "true"}), word, false);
    assert_eq!(
        called(&on, &label_first).as_deref(),
        Some("x"),
        "label before annotation"
    );
}

#[test]
fn injection_adds_what_it_adds() {
    let mut world = world(&[]);
    let pod = app(&world);
    assert_eq!(label(&pod, "security.istio.io/tlsMode"), Some("istio"));
    assert_eq!(label(&pod, "service.istio.io/canonical-name"), Some("app"));
    assert_eq!(annotation(&pod, "prometheus.io/port"), Some("15020"));
    let status: Value =
        serde_json::from_str(annotation(&pod, "sidecar.istio.io/status").unwrap_or(""))
            .expect("JSON");
    assert_eq!(status["revision"], "x");
    assert!(proxy_container(&pod).is_some_and(|c| text(c, "/restartPolicy") == "Always"));

    let admitted = |world: &mut World, annotations: Value, volume: Value| {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "p", "namespace": "shop", "annotations": annotations},
            "spec": {"containers": [{"name": "c", "image": "c:1"}], "volumes": [volume]},
        });
        super::pods::admit(world, &mut pod).expect("admitted");
        pod
    };
    let certs = |mount: &str| {
        json!({"proxy.istio.io/config": "{\"proxyMetadata\": {\"OUTPUT_CERTS\": \"/certs\"}}",
               "sidecar.istio.io/userVolumeMount": mount, "prometheus.istio.io/merge-metrics": "false",
               "sidecar.istio.io/nativeSidecar": "false"})
    };
    let memory = json!({"name": "certs", "emptyDir": {"medium": "Memory"}});
    let mount = r#"[{"name": "certs", "mountPath": "/certs"}]"#;
    let good = admitted(&mut world, certs(mount), memory.clone());
    assert_eq!(output_certs(&good), Some(("/certs", true)));
    assert_eq!(
        annotation(&good, "prometheus.io/port"),
        None,
        "merging is off"
    );
    assert_eq!(
        list(&good, "/spec/containers").len(),
        2,
        "a classic sidecar"
    );
    let read_only = mount.replace("\"/certs\"", "\"/certs\", \"readOnly\": true");
    assert_eq!(
        output_certs(&admitted(&mut world, certs(&read_only), memory)),
        Some(("/certs", false))
    );
    let secret = json!({"name": "certs", "secret": {"secretName": "s"}});
    assert_eq!(
        output_certs(&admitted(&mut world, certs(mount), secret)),
        Some(("/certs", false))
    );
    let disabled = json!({"prometheus.io/scrape": "false"});
    let kept = admitted(&mut world, disabled, json!({"name": "v", "emptyDir": {}}));
    assert_eq!(annotation(&kept, "prometheus.io/port"), None);
}

#[test]
fn pod_security_minds_what_istio_init_needs() {
    let world = world(&[]);
    let pod = app(&world);
    let ns = |level: &str| json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}});
    assert!(pod_security(&ns("baseline"), &pod).is_some_and(|why| why.contains("NET_ADMIN")));
    assert!(pod_security(&ns("restricted"), &pod).is_some());
    assert_eq!(pod_security(&ns("privileged"), &pod), None);
    assert_eq!(pod_security(&json!({}), &pod), None);
}

#[test]
fn network_policies_need_one_that_allows() {
    let policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\nspec: {podSelector: {matchLabels: {app: app}}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: istio-system}}}], ports: [{port: 15020}]}]}";
    let world = world(&[policy]);
    let pod = app(&world);
    let from = |ns: &str| json!({"metadata": {"name": "x", "namespace": ns}});
    assert!(world.network_allows(&from("istio-system"), &pod, 15020));
    assert!(!world.network_allows(&from("istio-system"), &pod, 15091));
    assert!(!world.network_allows(&from("plain"), &pod, 15020));
    assert!(world.network_allows(
        &from("plain"),
        &json!({"metadata": {"namespace": "shop"}}),
        15091
    ));
}

#[test]
fn relabelling_does_as_prometheus_does() {
    let labels = |pairs: &[(&str, &str)]| -> Labels {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    };
    let run = |rules: Value, from: &[(&str, &str)]| {
        let rules: Vec<Rule> = rules
            .as_array()
            .expect("rules")
            .iter()
            .map(|r| Rule::read(r).expect("a rule"))
            .collect();
        relabel(&labels(from), &rules)
    };
    let keep = json!([{"source_labels": ["a"], "action": "keep", "regex": "\\d+"}]);
    assert!(run(keep.clone(), &[("a", "12")]).is_some());
    assert!(
        run(keep, &[("a", "12x")]).is_none(),
        "anchored at both ends"
    );
    assert!(
        run(
            json!([{"source_labels": ["a"], "action": "drop", "regex": true}]),
            &[("a", "true")]
        )
        .is_none()
    );
    let address = json!([{"source_labels": ["p", "ip"], "regex": "(\\d+);((([0-9]+?)(\\.|$)){4})",
                          "replacement": "$2:$1", "target_label": "__address__"}]);
    let done = run(address.clone(), &[("p", "15091"), ("ip", "10.1.2.3")]).expect("kept");
    assert_eq!(done["__address__"], "10.1.2.3:15091");
    let untouched = run(
        address,
        &[("p", ""), ("ip", "10.1.2.3"), ("__address__", "x")],
    )
    .expect("kept");
    assert_eq!(untouched["__address__"], "x", "no match, no change");
    let map = run(
        json!([{"action": "labelmap", "regex": "__meta_(.+)"}]),
        &[("__meta_app", "a")],
    )
    .expect("kept");
    assert_eq!(map["app"], "a");
    let emptied = run(
        json!([{"source_labels": ["none"], "target_label": "a"}]),
        &[("a", "1")],
    )
    .expect("kept");
    assert!(
        !emptied.contains_key("a"),
        "an empty value removes the label"
    );
    let dropped = run(
        json!([{"action": "labeldrop", "regex": "a.*"}]),
        &[("ab", "1"), ("b", "2")],
    )
    .expect("kept");
    assert_eq!(dropped, labels(&[("b", "2")]));
    assert!(Rule::read(&json!({"action": "hashmod"})).is_err());
    assert!(Rule::read(&json!({"regex": "(", "target_label": "x"})).is_err());
}
