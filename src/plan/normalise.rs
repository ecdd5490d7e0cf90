//! Objects without what the server keeps for itself, so that a diff holds only what a person decided.

use super::leaves::leaves;
use super::path::{LeafPath, Step, keyed};
use serde_json::Value;

/// Metadata that the server writes.
const SERVERS: &[&str] = &[
    "managedFields",
    "resourceVersion",
    "generation",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
];

/// Annotations that follow from the rest of the object.
const DERIVED: &[&str] = &[
    "deployment.kubernetes.io/revision",
    "kubectl.kubernetes.io/last-applied-configuration",
];

/// Drops the server's own metadata, the status, and annotations that only repeat the object.
pub fn normalise(object: &Value) -> Value {
    let mut out = object.clone();
    if let Value::Object(map) = &mut out {
        map.remove("status");
    }
    if let Some(Value::Object(metadata)) = out.get_mut("metadata") {
        for field in SERVERS {
            metadata.remove(*field);
        }
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            for key in DERIVED {
                annotations.remove(*key);
            }
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    // A template's timestamp is `null` in every answer.
    if let Some(Value::Object(metadata)) = out.pointer_mut("/spec/template/metadata")
        && metadata.get("creationTimestamp") == Some(&Value::Null)
    {
        metadata.remove("creationTimestamp");
    }
    out
}

/// An object as it can be applied again: what a create accepts.
pub fn clean(object: &Value) -> Value {
    let mut out = normalise(object);
    // A diff leaves last-applied-configuration out; an object that is brought back keeps it, or the
    // next `kubectl apply` would not know what to prune.
    for key in &DERIVED[1..] {
        let path = LeafPath::fields(["metadata", "annotations"]).field(*key);
        if let Some(value) = path.get(object) {
            path.set(&mut out, value.clone());
        }
    }
    if let Some(Value::Object(metadata)) = out.get_mut("metadata") {
        metadata.remove("ownerReferences");
    }
    out
}

/// Both sides of a diff, normalised. What the server or a webhook added beside the intent is folded away
/// and counted.
pub fn sides(
    before: Option<&Value>,
    after: Option<&Value>,
    intent: Option<&Value>,
) -> (Option<Value>, Option<Value>, usize) {
    let old = before.map(normalise);
    let mut new = after.map(normalise);
    let mut folded = 0;
    if let (Some(intent), Some(new)) = (intent, new.as_mut()) {
        let added: Vec<LeafPath> = leaves(old.as_ref(), Some(new))
            .into_iter()
            .filter(|change| change.before.is_none())
            .map(|change| change.path)
            .collect();
        for path in added {
            fold(&path, new, intent, &mut folded);
        }
    }
    (old, new, folded)
}

/// Takes away below `path` what the intent does not name.
fn fold(path: &LeafPath, object: &mut Value, intent: &Value, folded: &mut usize) {
    let Some(wanted) = path.get(intent) else {
        if path.remove(object).is_some() {
            *folded += 1;
        }
        return;
    };
    let Some(value) = path.get(object) else {
        return;
    };
    let inner: Vec<Step> = match (value, wanted) {
        (Value::Object(map), Value::Object(_)) => {
            map.keys().map(|name| Step::Field(name.clone())).collect()
        }
        (Value::Array(list), Value::Array(ours)) => {
            let field = match path.0.last() {
                Some(Step::Field(field)) => field,
                _ => return,
            };
            match keyed(field, &[list, ours]) {
                Some(lists) => lists[0].iter().map(|(step, _)| step.clone()).collect(),
                None => return,
            }
        }
        _ => return,
    };
    for step in inner {
        // apiVersion and kind name the object, wherever the intent has them.
        fold(&path.clone().step(step), object, intent, folded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_servers_own_words_are_dropped() {
        let object = json!({
            "metadata": {"name": "x", "uid": "u", "resourceVersion": "1", "generation": 2,
                "creationTimestamp": "t", "selfLink": "/x", "managedFields": [],
                "annotations": {"deployment.kubernetes.io/revision": "3",
                    "kubectl.kubernetes.io/last-applied-configuration": "{}"}},
            "spec": {"a": 1}, "status": {"b": 2}});
        assert_eq!(
            normalise(&object),
            json!({"metadata": {"name": "x"}, "spec": {"a": 1}})
        );
    }

    #[test]
    fn an_object_to_bring_back_keeps_its_last_applied_configuration() {
        let object = json!({"metadata": {"name": "x", "uid": "u", "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{}"}}});
        assert_eq!(
            clean(&object),
            json!({"metadata": {"name": "x", "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{}"}}})
        );
    }

    #[test]
    fn defaults_beside_the_intent_are_folded() {
        let intent = json!({"metadata": {"name": "x"}, "spec": {"containers": [
            {"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/c"}]}]}});
        let live = json!({"metadata": {"name": "x"}, "spec": {"containers": [{"name": "a"}]}});
        let after = json!({"metadata": {"name": "x"}, "spec": {"replicas": 1, "containers": [
            {"name": "a", "tty": false, "volumeMounts": [
                {"name": "v", "mountPath": "/c", "recursiveReadOnly": "Disabled"}]},
            {"name": "injected"}]}});
        let (_, new, folded) = sides(Some(&live), Some(&after), Some(&intent));
        assert_eq!(new.unwrap()["spec"], intent["spec"]);
        assert_eq!(folded, 4);
        let (_, new, _) = sides(None, Some(&after), Some(&intent));
        assert_eq!(new.unwrap(), intent);
    }

    #[test]
    fn removed_and_changed_fields_are_never_folded() {
        let live = json!({"spec": {"a": 1, "b": 2}});
        let after = json!({"spec": {"b": 3}});
        let (old, new, folded) = sides(Some(&live), Some(&after), Some(&json!({"spec": {}})));
        assert_eq!((old, new, folded), (Some(live), Some(after), 0));
    }
}
