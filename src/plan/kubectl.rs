//! A change as the kubectl command that does the same.

use super::keyed;
use super::leaves;
use super::mask;
use super::review::{Reviewed, Verdict};
use super::scrape_config::{TextEdit, ended_rules};
use super::yaml::to_yaml;
use super::{Action, Change};
use crate::mesh::kinds::MANAGER;
use crate::mesh::kinds::{Kind, ObjectRef};
use serde_json::Value;
use std::fmt::Write;

/// The command, or several lines of it. What kubectl has no command for stands as a comment.
pub fn command(change: &Change, reviewed: Option<&Reviewed>) -> String {
    let object = &change.object;
    match &change.action {
        Action::Apply { intent } => {
            let intent = reviewed
                .and_then(|reviewed| reviewed.intent.as_ref())
                .unwrap_or(intent);
            if object.kind == Kind::Pod
                && let Some(annotations) = intent["metadata"]["annotations"].as_object()
            {
                let pairs: Vec<String> = annotations
                    .iter()
                    .map(|(key, value)| {
                        quote(&format!("{key}={}", value.as_str().unwrap_or_default()))
                    })
                    .collect();
                return format!(
                    "kubectl{} annotate --field-manager={MANAGER} --overwrite {} {}",
                    namespace(object),
                    resource(object),
                    pairs.join(" ")
                );
            }
            if once_applied(reviewed) && matches!(object.kind.group(), "" | "apps") {
                return format!(
                    "kubectl{} patch {} --type=strategic --field-manager={MANAGER} -p {}",
                    namespace(object),
                    resource(object),
                    quote(&fields(intent).to_string())
                );
            }
            let force = match reviewed {
                Some(reviewed) if !reviewed.conflicts.is_empty() => " --force-conflicts",
                _ => "",
            };
            format!(
                "kubectl apply --server-side --field-manager={MANAGER}{force} -f - <<'EOF'\n{}EOF",
                to_yaml(intent)
            )
        }
        Action::Edit { leaves } => {
            let live = reviewed.and_then(|reviewed| reviewed.live.as_deref());
            match live.map(|live| leaves::patch(live, leaves)) {
                Some(Ok((mut operations, _))) => {
                    // By hand nothing is raced against: the values' own tests are enough.
                    operations.retain(|operation| operation["path"] != "/metadata/resourceVersion");
                    if holds_credentials(leaves) {
                        let fields: Vec<String> =
                            leaves.iter().map(|leaf| leaf.path.to_string()).collect();
                        return format!(
                            "# the patch would show a credential, so edit {} by hand\nkubectl{} edit {}",
                            fields.join(", "),
                            namespace(object),
                            resource(object)
                        );
                    }
                    format!(
                        "kubectl{} patch {} --type=json --field-manager={MANAGER} -p {}",
                        namespace(object),
                        resource(object),
                        quote(&Value::from(operations).to_string())
                    )
                }
                Some(Err(mismatch)) => format!("# no longer possible: {mismatch}"),
                None => format!("# {} has not been read yet", object),
            }
        }
        Action::Text { key, edits } => text(object, key, edits, reviewed),
        Action::Delete { uid } => format!(
            "# only while its uid is {uid}\nkubectl{} delete {} --wait=false",
            namespace(object),
            resource(object)
        ),
    }
}

/// Would a patch of these leaves show a credential?
pub(super) fn holds_credentials(leaves: &[super::LeafEdit]) -> bool {
    let holds = |value: &Value, path| mask::leaf(path, value) != *value;
    leaves.iter().any(|leaf| {
        let expected = match &leaf.expect {
            super::Expected::Value(value) => Some(value),
            _ => None,
        };
        expected.is_some_and(|value| holds(value, &leaf.path))
            || leaf
                .to
                .as_ref()
                .is_some_and(|value| holds(value, &leaf.path))
    })
}

/// Of an object that was once applied without `--server-side`, `kubectl apply --server-side` would move every
/// field to our manager (seen on Kubernetes 1.36): a patch says the same by hand and takes nothing along.
fn once_applied(reviewed: Option<&Reviewed>) -> bool {
    const LAST: &str = "kubectl.kubernetes.io/last-applied-configuration";
    let live = reviewed.and_then(|reviewed| reviewed.live.as_ref());
    live.is_some_and(|live| !live["metadata"]["annotations"][LAST].is_null())
}

/// The intent without what only names the object.
fn fields(intent: &Value) -> Value {
    let mut fields = intent.clone();
    if let Some(map) = fields.as_object_mut() {
        map.remove("apiVersion");
        map.remove("kind");
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            metadata.retain(|key, _| key == "labels" || key == "annotations");
            if metadata.is_empty() {
                map.remove("metadata");
            }
        }
    }
    fields
}

/// Text in a ConfigMap: an editor and what to type there, since the whole text may hold credentials.
fn text(object: &ObjectRef, key: &str, edits: &[TextEdit], reviewed: Option<&Reviewed>) -> String {
    let mut out = String::new();
    if let Some(Reviewed {
        verdict: Verdict::Gate { why, .. },
        ..
    }) = reviewed
    {
        let _ = writeln!(out, "# {why}");
    }
    if object.kind == Kind::Secret {
        let _ = writeln!(out, "# the text of {key} is stored in base64");
    }
    let of_monitor = keyed::list_of(object.kind).is_some();
    for edit in edits {
        if of_monitor {
            monitor(&mut out, key, edit);
            continue;
        }
        let (words, yaml) = match edit {
            TextEdit::InsertJob { name, job } => (
                format!("in {key}, as the first of scrape_configs (job {name}):"),
                Some(job),
            ),
            TextEdit::ReplaceJob { name, job } => (
                format!("in {key}, in the place of the job {name}:"),
                Some(job),
            ),
            TextEdit::RestoreJob { name, text } => {
                let _ = writeln!(out, "# in {key}, in the place of the job {name}:");
                for line in mask::text(text).lines() {
                    let _ = writeln!(out, "#   {line}");
                }
                continue;
            }
            TextEdit::RemoveJob { name } => (format!("in {key}, remove the job {name}"), None),
            TextEdit::AddRule { job, rule } => (
                format!("in {key}, as the first of relabel_configs of the job {job}:"),
                Some(rule),
            ),
            TextEdit::RemoveRule { job, rule } => (
                format!("in {key}, remove from relabel_configs of the job {job}:"),
                Some(rule),
            ),
            TextEdit::ReplaceRule { job, by, .. } => (
                format!("in {key}, in relabel_configs of the job {job}, in place of its like:"),
                Some(by),
            ),
            TextEdit::RestoreRule { job, rule, at, .. } => (
                format!("in {key}, in relabel_configs of the job {job}, after {at} others:"),
                Some(rule),
            ),
            TextEdit::EndPlaintext { job, items } => {
                let words = format!(
                    "in {key}, as the first of relabel_configs of the job {job}; names that such a rule has there stay in:"
                );
                rules(&mut out, &words, &ended_rules(items));
                continue;
            }
            TextEdit::ResumePlaintext { job, items } => {
                let words =
                    format!("in {key}, remove these names from relabel_configs of the job {job}:");
                rules(&mut out, &words, &ended_rules(items));
                continue;
            }
        };
        rules(&mut out, &words, yaml.map_or(&[], std::slice::from_ref));
    }
    let _ = write!(
        out,
        "kubectl{} edit {}",
        namespace(object),
        resource(object)
    );
    out
}

/// Of a monitor only the rules of its endpoints are written, under the names that it has for them.
fn monitor(out: &mut String, key: &str, edit: &TextEdit) {
    let index = edit.job().rsplit('/').next().unwrap_or_default();
    let (words, items) = match edit {
        TextEdit::EndPlaintext { items, .. } => ("as the first of", items),
        TextEdit::ResumePlaintext { items, .. } => ("remove these names from", items),
        _ => return,
    };
    let list: Vec<Value> = ended_rules(items).iter().map(keyed::relabeling).collect();
    rules(
        out,
        &format!("{words} spec.{key}[{index}].relabelings:"),
        &list,
    );
}

fn rules(out: &mut String, words: &str, list: &[Value]) {
    let _ = writeln!(out, "# {words}");
    if list.is_empty() {
        return;
    }
    let masked: Vec<Value> = list.iter().map(mask::setting).collect();
    for line in to_yaml(&Value::Array(masked)).lines() {
        let _ = writeln!(out, "#   {line}");
    }
}

fn namespace(object: &ObjectRef) -> String {
    if object.namespace.is_empty() {
        String::new()
    } else {
        format!(" -n {}", object.namespace)
    }
}

/// `deployment/web`, `gateways.networking.istio.io/gw`: with the group where another kind shares the name.
fn resource(object: &ObjectRef) -> String {
    let group = object.kind.group();
    if group.is_empty() || group == "apps" {
        format!("{}/{}", object.kind.name().to_lowercase(), object.name)
    } else {
        format!("{}.{group}/{}", object.kind.plural(), object.name)
    }
}

/// In single quotes for a POSIX shell.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::super::path::LeafPath;
    use super::super::review::tests::{change, reviewed};
    use super::super::{Expected, LeafEdit};
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn each_action_has_its_command() {
        let mut it = change("web", &[]);
        it.object = ObjectRef::new(Kind::Sidecar, "shop", "web");
        it.action = Action::Apply {
            intent: json!({"kind": "Sidecar", "metadata": {"name": "web"}}),
        };
        assert_eq!(
            command(&it, None),
            "kubectl apply --server-side --field-manager=meshscrape -f - <<'EOF'\nkind: Sidecar\nmetadata:\n  name: web\nEOF"
        );
        it.action = Action::Delete { uid: "u1".into() };
        assert_eq!(
            command(&it, None),
            "# only while its uid is u1\nkubectl -n shop delete sidecars.networking.istio.io/web --wait=false"
        );
        it.object = ObjectRef::new(Kind::Pod, "shop", "web-1");
        it.action = Action::Apply {
            intent: json!({"metadata": {"annotations": {"a/b": "15'091"}}}),
        };
        assert_eq!(
            command(&it, None),
            r"kubectl -n shop annotate --field-manager=meshscrape --overwrite pod/web-1 'a/b=15'\''091'"
        );
    }

    #[test]
    fn what_was_once_applied_without_the_server_side_is_patched() {
        let mut it = change("web", &[]);
        it.object = ObjectRef::new(Kind::Deployment, "shop", "web");
        it.action = Action::Apply {
            intent: json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "web", "namespace": "shop"}, "spec": {"paused": false}}),
        };
        let mut answer = reviewed(&it, Verdict::Changes);
        answer.live = Some(Arc::new(json!({"metadata": {"annotations":
            {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}})));
        assert_eq!(
            command(&it, Some(&answer)),
            "kubectl -n shop patch deployment/web --type=strategic --field-manager=meshscrape -p '{\"spec\":{\"paused\":false}}'"
        );
    }

    #[test]
    fn single_leaves_are_a_json_patch() {
        let mut it = change("web", &[]);
        it.object = ObjectRef::new(Kind::Deployment, "shop", "web");
        it.action = Action::Edit {
            leaves: vec![LeafEdit {
                path: LeafPath::fields(["metadata", "labels", "a"]),
                expect: Expected::Any,
                to: None,
            }],
        };
        let mut answer = reviewed(&it, Verdict::Changes);
        answer.live = Some(Arc::new(
            json!({"metadata": {"resourceVersion": "1", "labels": {"a": "1"}}}),
        ));
        assert_eq!(
            command(&it, Some(&answer)),
            "kubectl -n shop patch deployment/web --type=json --field-manager=meshscrape -p \
             '[{\"op\":\"test\",\"path\":\"/metadata/labels/a\",\"value\":\"1\"},{\"op\":\"remove\",\"path\":\"/metadata/labels/a\"}]'"
        );
    }

    #[test]
    fn text_is_said_and_not_printed_whole() {
        let mut it = change("web", &[]);
        it.object = ObjectRef::new(Kind::ConfigMap, "mon", "prometheus");
        it.action = Action::Text {
            key: "prometheus.yml".into(),
            edits: vec![TextEdit::InsertJob {
                name: "j".into(),
                job: json!({"job_name": "j"}),
            }],
        };
        assert_eq!(
            command(&it, None),
            "# in prometheus.yml, as the first of scrape_configs (job j):\n#   - job_name: j\nkubectl -n mon edit configmap/prometheus"
        );
    }
}
