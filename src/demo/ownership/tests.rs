use serde_json::{Value, json};

use super::*;
use crate::demo::kinds;

const NOW: &str = "2026-01-02T03:04:05Z";

fn deployment(image: &str) -> Value {
    json!({
        "metadata": {"name": "app", "namespace": "shop", "labels": {"app": "app"}},
        "spec": {"replicas": 2, "template": {
            "metadata": {"labels": {"app": "app", "sidecar.istio.io/inject": "false"}},
            "spec": {"containers": [{"name": "app", "image": image, "args": ["-a", "-b"],
                "ports": [{"containerPort": 8080, "protocol": "TCP"}]}]},
        }},
    })
}

fn live() -> Value {
    update(
        &kinds::DEPLOYMENT,
        None,
        deployment("x:1"),
        "kubectl-client-side-apply",
        NOW,
    )
}

fn intent(spec: Value) -> Value {
    json!({"metadata": {"name": "app", "namespace": "shop"}, "spec": spec})
}

/// Nothing is wanted any more.
fn nothing() -> Value {
    json!({"metadata": {"name": "app", "namespace": "shop"}})
}

fn apply_as(
    live: &Value,
    body: &Value,
    manager: &str,
    force: bool,
) -> Result<Value, Vec<Conflict>> {
    apply(&kinds::DEPLOYMENT, Some(live), body, manager, force, NOW)
}

fn managers(object: &Value) -> Vec<String> {
    let entries = list(object, "/metadata/managedFields").iter();
    entries
        .map(|e| format!("{} {}", text(e, "/manager"), text(e, "/operation")))
        .collect()
}

fn label(value: &str) -> Value {
    intent(json!({"template": {"metadata": {"labels": {"sidecar.istio.io/inject": value}}}}))
}

#[test]
fn a_different_value_is_a_conflict_and_an_equal_one_is_shared() {
    let conflicts = apply_as(&live(), &label("true"), "me", false).unwrap_err();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(
        conflicts[0].field,
        ".spec.template.metadata.labels.sidecar.istio.io/inject"
    );
    assert_eq!(
        conflicts[0].manager,
        "\"kubectl-client-side-apply\" using apps/v1"
    );

    let shared = apply_as(&live(), &label("false"), "me", false).unwrap();
    assert_eq!(managers(&shared).len(), 2);
    // Dropped by one of two owners, it stays.
    let dropped = apply_as(&shared, &nothing(), "me", false).unwrap();
    assert_eq!(dropped["spec"], live()["spec"]);
    assert_eq!(managers(&dropped), ["kubectl-client-side-apply Update"]);
}

#[test]
fn force_takes_the_field_and_dropping_it_later_deletes_it() {
    let taken = apply_as(&live(), &label("true"), "me", true).unwrap();
    let pointer = "/spec/template/metadata/labels/sidecar.istio.io~1inject";
    assert_eq!(taken.pointer(pointer), Some(&json!("true")));
    let theirs = at(&taken, "/metadata/managedFields/0/fieldsV1").to_string();
    assert!(!theirs.contains("sidecar.istio.io/inject") && theirs.contains("f:replicas"));
    let dropped = apply_as(&taken, &nothing(), "me", false).unwrap();
    assert_eq!(
        dropped.pointer(pointer),
        None,
        "the old value does not come back"
    );
    assert_eq!(text(&dropped, "/spec/template/metadata/labels/app"), "app");
}

#[test]
fn an_applier_is_named_without_its_version() {
    let first = apply_as(
        &live(),
        &intent(json!({"minReadySeconds": 1})),
        "flux",
        false,
    )
    .unwrap();
    let conflicts =
        apply_as(&first, &intent(json!({"minReadySeconds": 2})), "me", false).unwrap_err();
    assert_eq!(conflicts[0].manager, "\"flux\"");
}

#[test]
fn list_items_merge_by_key_and_go_with_their_owner() {
    let mount = json!({"mountPath": "/certs", "name": "certs"});
    let body = intent(json!({"template": {"spec": {
        "containers": [{"name": "app", "volumeMounts": [mount], "env": [{"name": "A", "value": "1"}]}],
        "volumes": [{"name": "certs", "emptyDir": {"medium": "Memory"}}],
    }}}));
    let added = apply_as(&live(), &body, "me", false).unwrap();
    assert_eq!(list(&added, "/spec/template/spec/containers").len(), 1);
    assert_eq!(
        text(&added, "/spec/template/spec/containers/0/image"),
        "x:1"
    );
    assert_eq!(
        list(&added, "/spec/template/spec/containers/0/volumeMounts").len(),
        1
    );
    let dropped = apply_as(&added, &nothing(), "me", false).unwrap();
    assert_eq!(
        dropped["spec"],
        live()["spec"],
        "as before, without empty lists"
    );
}

#[test]
fn atomic_lists_and_ports_conflict_where_they_should() {
    let args =
        intent(json!({"template": {"spec": {"containers": [{"name": "app", "args": ["-c"]}]}}}));
    let conflicts = apply_as(&live(), &args, "me", false).unwrap_err();
    assert_eq!(
        conflicts[0].field,
        ".spec.template.spec.containers[name=\"app\"].args"
    );
    let ports = intent(json!({"template": {"spec": {"containers": [
        {"name": "app", "ports": [{"containerPort": 8080, "name": "web"}]}]}}}));
    let named = apply_as(&live(), &ports, "me", false).unwrap();
    assert_eq!(
        list(&named, "/spec/template/spec/containers/0/ports").len(),
        1
    );
    let fields = at(&named, "/metadata/managedFields/1/fieldsV1").to_string();
    assert!(
        fields.contains("k:{\\\"containerPort\\\":8080,\\\"protocol\\\":\\\"TCP\\\"}"),
        "{fields}"
    );
}

#[test]
fn lists_of_custom_resources_are_atomic() {
    let live = json!({"metadata": {"name": "s"}, "spec": {"ingress": [{"port": {"number": 1, "name": "a"}}]}});
    let live = update(&kinds::SIDECAR, None, live, "kubectl", NOW);
    let body = json!({"metadata": {"name": "s"}, "spec": {"ingress": [{"port": {"number": 2, "name": "b"}}]}});
    let conflicts = apply(&kinds::SIDECAR, Some(&live), &body, "me", false, NOW).unwrap_err();
    assert_eq!(conflicts[0].field, ".spec.ingress");
}

#[test]
fn an_update_takes_what_it_changes_from_everybody() {
    let taken = apply_as(&live(), &label("true"), "me", true).unwrap();
    let mut edited = taken.clone();
    edited["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"] = json!("false");
    let edited = update(
        &kinds::DEPLOYMENT,
        Some(&taken),
        edited,
        "kubectl-edit",
        NOW,
    );
    assert_eq!(
        managers(&edited),
        ["kubectl-client-side-apply Update", "kubectl-edit Update"]
    );
    let conflicts = apply_as(&edited, &label("true"), "me", false).unwrap_err();
    assert_eq!(conflicts[0].manager, "\"kubectl-edit\" using apps/v1");
}

#[test]
fn field_sets_survive_their_written_form() {
    let set = leaves(&deployment("x:1"), true, true);
    assert_eq!(from_v1(&to_v1(&set)), set);
    let set = leaves(&deployment("x:1"), true, false);
    assert_eq!(from_v1(&to_v1(&set)), set);
}
