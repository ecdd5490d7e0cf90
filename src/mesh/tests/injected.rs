use super::Said;
use super::*;
use crate::mesh::{NamespaceInjection, SidecarState};

/// One Deployment with one pod that has no sidecar.
fn lone(namespace: &str, labels: &str, template: &str, spec: &str) -> String {
    format!(
        "{ISTIO}
---
{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}, labels: {{{labels}}}}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: app, namespace: {namespace}}}
spec:
  selector: {{matchLabels: {{app: app}}}}
  template:
    metadata: {template}
    spec: {{{spec}containers: [{{name: app}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: app-1-a, namespace: {namespace}, labels: {{app: app, pod-template-hash: '1'}}, ownerReferences: [{{kind: ReplicaSet, name: app-1}}]}}
spec: {{containers: [{{name: app}}]}}
status: {{phase: Running}}
"
    )
}

const PLAIN: &str = "{labels: {app: app}}";

fn state(text: &str, namespace: &str) -> (SidecarState, Vec<&'static str>) {
    let app = workload(&mesh(text), &format!("{namespace}/Deployment/app"));
    (app.sidecar.clone(), words(&app.obstacles))
}

fn switchable() -> (SidecarState, Vec<&'static str>) {
    (SidecarState::Switchable { revision: None }, vec![])
}

fn impossible(word: &'static str) -> (SidecarState, Vec<&'static str>) {
    (SidecarState::Impossible, vec![word])
}

#[test]
fn the_namespaces_labels_are_understood() {
    let found = mesh("
---
{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {istio-injection: enabled, istio.io/rev: x}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: b, labels: {istio.io/rev: canary}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: c, labels: {istio-injection: disabled}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: d, labels: {istio.io/dataplane-mode: ambient}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: e, labels: {pod-security.kubernetes.io/enforce: baseline}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: kube-system, labels: {istio-injection: enabled}}}
");
    let seen: Vec<&NamespaceInjection> = found.namespaces.iter().map(|ns| &ns.injection).collect();
    let canary = NamespaceInjection::Revision("canary".to_owned());
    assert_eq!(
        seen,
        [
            &NamespaceInjection::Enabled,
            &canary,
            &NamespaceInjection::Disabled,
            &NamespaceInjection::Ambient,
            &NamespaceInjection::None,
            &NamespaceInjection::Never
        ]
    );
    assert_eq!(
        found.namespaces[4].pod_security.as_deref(),
        Some("baseline")
    );
}

#[test]
fn injection_that_waits_for_a_restart() {
    let text = lone("a", "istio-injection: enabled", PLAIN, "");
    assert_eq!(state(&text, "a"), (SidecarState::AfterRestart, vec![]));
}

#[test]
fn a_pod_label_is_enough_in_an_unlabelled_namespace() {
    assert_eq!(state(&lone("a", "", PLAIN, ""), "a"), switchable());
}

#[test]
fn a_pod_that_says_no_can_be_switched() {
    let label = "{labels: {app: app, sidecar.istio.io/inject: 'false'}}";
    assert_eq!(
        state(&lone("a", "istio-injection: enabled", label, ""), "a"),
        switchable()
    );
    let annotation = "{labels: {app: app}, annotations: {sidecar.istio.io/inject: 'false'}}";
    assert_eq!(
        state(&lone("a", "istio-injection: enabled", annotation, ""), "a"),
        switchable()
    );
}

#[test]
fn disabled_namespaces_are_out_of_reach_whatever_the_pod_says() {
    let label = "{labels: {app: app, sidecar.istio.io/inject: 'true'}}";
    let text = lone("a", "istio-injection: disabled", label, "");
    assert_eq!(state(&text, "a"), impossible("InjectionDisabled"));
}

#[test]
fn system_namespaces_never() {
    let text = lone("kube-system", "istio-injection: enabled", PLAIN, "");
    assert_eq!(state(&text, "kube-system"), impossible("SystemNamespace"));
}

#[test]
fn host_network_never() {
    let text = lone(
        "a",
        "istio-injection: enabled",
        PLAIN,
        "hostNetwork: true, ",
    );
    assert_eq!(state(&text, "a"), impossible("HostNetwork"));
}

#[test]
fn ambient_is_not_covered_and_says_the_way_out() {
    let out_of = |text: &str, place: &str| {
        let app = workload(&mesh(text), "a/Deployment/app");
        assert_eq!(words(&app.obstacles), ["Ambient"]);
        let reason = app.obstacles[0].said();
        assert!(reason.contains(place), "{reason}");
        assert!(
            !reason.contains("recipe"),
            "that word is the published one's: {reason}"
        );
    };
    let text = lone("a", "istio.io/dataplane-mode: ambient", PLAIN, "");
    out_of(&text, "Namespace a");
    let pod = "{labels: {app: app, istio.io/dataplane-mode: ambient}}";
    out_of(&lone("a", "", pod, ""), "Deployment a/app");
    let out = "{labels: {app: app, istio.io/dataplane-mode: none}}";
    assert_eq!(
        state(&lone("a", "istio.io/dataplane-mode: ambient", out, ""), "a"),
        switchable()
    );
}

#[test]
fn a_revision_that_nothing_serves_is_said() {
    let text = lone("a", "istio.io/rev: gone", PLAIN, "");
    assert_eq!(state(&text, "a"), impossible("RevisionWithoutWebhook"));
}

/// The same mesh, installed as a revision without a default tag.
fn canary(text: &str) -> String {
    text.replace("istio.io/rev: default", "istio.io/rev: canary")
        .replace("values: [default]", "values: [canary]")
        .replace(
            "name: istio-sidecar-injector,",
            "name: istio-sidecar-injector-canary,",
        )
        .replace(
            "name: namespace.sidecar-injector.istio.io",
            "name: namespace.not-served",
        )
        .replace(
            "name: object.sidecar-injector.istio.io",
            "name: object.not-served",
        )
}

#[test]
fn without_a_default_tag_the_label_needs_a_revision() {
    let text = canary(&lone("a", "", PLAIN, ""));
    let revision = Some("canary".to_owned());
    assert_eq!(
        state(&text, "a"),
        (SidecarState::Switchable { revision }, vec![])
    );
    assert!(!mesh(&text).istio.default_injector);
    assert!(mesh(&lone("a", "", PLAIN, "")).istio.default_injector);
}

#[test]
fn a_namespace_of_that_revision_injects() {
    let text = canary(&lone("a", "istio.io/rev: canary", PLAIN, ""));
    assert_eq!(state(&text, "a"), (SidecarState::AfterRestart, vec![]));
}

#[test]
fn no_istio_at_all_is_said() {
    let text = lone("a", "istio-injection: enabled", PLAIN, "").replace(ISTIO, "");
    assert_eq!(state(&text, "a"), impossible("NoIstio"));
    // A webhook is enough: the control plane may be elsewhere.
    let remote = ISTIO.replace("app: istiod", "app: other");
    let text = format!("{remote}{text}");
    let of = workload(&mesh(&text), "a/Deployment/app");
    absent(Code::NoIstio, of.obstacles.clone());
}

#[test]
fn without_the_right_to_read_webhooks_istios_own_rules_stand_in() {
    for (labels, wanted) in [
        ("istio-injection: enabled", SidecarState::AfterRestart),
        ("", SidecarState::Switchable { revision: None }),
        ("istio-injection: disabled", SidecarState::Impossible),
    ] {
        let mut inventory = inventory(&lone("a", labels, PLAIN, ""));
        inventory.webhooks.items.clear();
        inventory.webhooks.progress = Progress::Denied("no".to_owned());
        let app = workload(&assemble(&inventory), "a/Deployment/app");
        assert_eq!(app.sidecar, wanted, "{labels}");
    }
}

#[test]
fn control_planes_and_the_meshs_settings() {
    let text = format!("{ISTIO}{SHOP}").replace(
        "'rootNamespace: istio-system'",
        "'{trustDomain: mesh.example, enablePrometheusMerge: false}'",
    );
    let istio = mesh(&text).istio;
    assert_eq!(istio.control_planes.len(), 1);
    let plane = &istio.control_planes[0];
    assert_eq!((plane.revision.as_str(), plane.ready), ("default", true));
    assert!(plane.version.starts_with("1.31.0"));
    assert_eq!(istio.trust_domain.as_deref(), Some("mesh.example"));
    assert_eq!(istio.root_namespace.as_deref(), Some("istio-system"));
    assert!(!istio.prometheus_merge);
}
