//! Single leaves as a strategic-merge patch, which names list elements by their keys and not by their places.

use crate::plan::LeafEdit;
use crate::plan::path::Step;
use serde_json::{Map, Value, json};

/// The patch's body below `apiVersion`, `kind` and `metadata.name`: what the edits set, and what they remove.
pub(super) fn patch(edits: &[LeafEdit]) -> Value {
    let mut root = Value::Object(Map::new());
    for edit in edits {
        place(&mut root, &edit.path.0, edit.to.as_ref());
    }
    root
}

fn place(at: &mut Value, steps: &[Step], to: Option<&Value>) {
    let Some((step, rest)) = steps.split_first() else {
        *at = to.cloned().unwrap_or(Value::Null);
        return;
    };
    match step {
        Step::Field(name) => {
            let next = match rest.first() {
                Some(Step::Field(_)) | None => json!({}),
                Some(_) => json!([]),
            };
            if !at.is_object() {
                *at = json!({});
            }
            if let Value::Object(map) = at {
                place(map.entry(name.clone()).or_insert(next), rest, to);
            }
        }
        Step::Element(keys) => {
            if !at.is_array() {
                *at = json!([]);
            }
            let Value::Array(list) = at else { return };
            let fits = |element: &Value| {
                keys.iter()
                    .all(|(key, value)| element[key] == value.value())
            };
            let i = match list.iter().position(fits) {
                Some(i) => i,
                None => {
                    let named = keys.iter().map(|(key, value)| (key.clone(), value.value()));
                    list.push(Value::Object(named.collect()));
                    list.len() - 1
                }
            };
            match (rest.is_empty(), to) {
                // The whole element goes, or comes.
                (true, None) => list[i]["$patch"] = "delete".into(),
                (true, Some(to)) => list[i] = to.clone(),
                (false, to) => place(&mut list[i], rest, to),
            }
        }
        // Lists without keys are leaves: no edit reaches into one.
        Step::Index(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Expected;
    use crate::plan::path::LeafPath;

    #[test]
    fn elements_are_named_and_what_goes_is_null() {
        let volume = LeafPath::fields(["spec", "volumes"]).element("name", "certs");
        let edit = |path: LeafPath, to: Option<Value>| LeafEdit {
            path,
            expect: Expected::Any,
            to,
        };
        let made = patch(&[
            edit(volume.clone().field("secret"), None),
            edit(volume.field("emptyDir"), Some(json!({"medium": "Memory"}))),
            edit(
                LeafPath::fields(["spec", "volumes"]).element("name", "old"),
                None,
            ),
            edit(
                LeafPath::fields(["metadata", "labels", "a/b"]),
                Some(json!("1")),
            ),
        ]);
        assert_eq!(
            made,
            json!({
                "metadata": {"labels": {"a/b": "1"}},
                "spec": {"volumes": [
                    {"name": "certs", "secret": null, "emptyDir": {"medium": "Memory"}},
                    {"name": "old", "$patch": "delete"},
                ]},
            })
        );
    }
}
