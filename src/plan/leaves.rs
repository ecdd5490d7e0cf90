//! The difference of two objects by leaves, and leaves made into a JSON Patch.

use super::normalise::normalise;
use super::owners::Owners;
use super::path::{LeafPath, Step, keyed};
use super::record::LeafChange;
use super::{Expected, LeafEdit};
use serde_json::{Value, json};

/// What differs between two states of an object, after normalising, with the owners before.
///
/// A subtree that is absent on one side is one entry at its top (a whole volume, all annotations where
/// there were none), so that taking it back leaves nothing empty behind. `None`: the object is absent,
/// and the whole of the other side is the one entry, with the empty path.
pub fn leaves(before: Option<&Value>, after: Option<&Value>) -> Vec<LeafChange> {
    let owners = before.map(Owners::of_object).unwrap_or_default();
    let old = before.map(normalise);
    let new = after.map(normalise);
    let mut out = Vec::new();
    differ(&LeafPath::default(), old.as_ref(), new.as_ref(), &mut out);
    for change in &mut out {
        if change.before.is_some() {
            change.owners = owners.of(&change.path);
        }
    }
    out
}

fn differ(
    path: &LeafPath,
    before: Option<&Value>,
    after: Option<&Value>,
    out: &mut Vec<LeafChange>,
) {
    if before == after {
        return;
    }
    if let (Some(before), Some(after)) = (before, after)
        && let Some(pairs) = children_of_both(path, before, after)
    {
        for (step, before, after) in pairs {
            differ(&path.clone().step(step), before, after, out);
        }
        return;
    }
    out.push(LeafChange {
        path: path.clone(),
        before: before.cloned(),
        owners: Vec::new(),
        after: after.cloned(),
    });
}

type Pair<'a> = (Step, Option<&'a Value>, Option<&'a Value>);

/// The children of two objects or keyed lists side by side; `None`: at least one is a leaf.
fn children_of_both<'a>(
    path: &LeafPath,
    before: &'a Value,
    after: &'a Value,
) -> Option<Vec<Pair<'a>>> {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let mut pairs: Vec<Pair> = old
                .iter()
                .map(|(name, value)| (Step::Field(name.clone()), Some(value), new.get(name)))
                .collect();
            pairs.extend(
                new.iter()
                    .filter(|(name, _)| !old.contains_key(*name))
                    .map(|(name, value)| (Step::Field(name.clone()), None, Some(value))),
            );
            Some(pairs)
        }
        (Value::Array(old), Value::Array(new)) => {
            let Some(Step::Field(field)) = path.0.last() else {
                return None;
            };
            let lists = keyed(field, &[old, new])?;
            let mut pairs: Vec<Pair> = lists[0]
                .iter()
                .map(|(step, value)| {
                    let other = lists[1].iter().find(|(s, _)| s == step).map(|(_, v)| *v);
                    (step.clone(), Some(*value), other)
                })
                .collect();
            pairs.extend(
                lists[1]
                    .iter()
                    .filter(|(step, _)| !lists[0].iter().any(|(s, _)| s == step))
                    .map(|(step, value)| (step.clone(), None, Some(*value))),
            );
            Some(pairs)
        }
        _ => None,
    }
}

/// The children of an object or a keyed list; `None`: it is a leaf.
pub(super) fn children<'a>(path: &LeafPath, value: &'a Value) -> Option<Vec<(Step, &'a Value)>> {
    match value {
        Value::Object(map) if !map.is_empty() => Some(
            map.iter()
                .map(|(name, value)| (Step::Field(name.clone()), value))
                .collect(),
        ),
        Value::Array(list) if !list.is_empty() => match path.0.last() {
            Some(Step::Field(field)) => keyed(field, &[list]).and_then(|mut lists| lists.pop()),
            _ => None,
        },
        _ => None,
    }
}

/// Every leaf of a value, with its path.
pub fn all(value: &Value) -> Vec<(LeafPath, &Value)> {
    fn walk<'a>(path: LeafPath, value: &'a Value, out: &mut Vec<(LeafPath, &'a Value)>) {
        match children(&path, value) {
            Some(inner) => {
                for (step, value) in inner {
                    walk(path.clone().step(step), value, out);
                }
            }
            None => out.push((path, value)),
        }
    }
    let mut out = Vec::new();
    walk(LeafPath::default(), value, &mut out);
    out
}

/// A leaf that does not stand as an edit expects it.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    pub path: LeafPath,
    pub expected: Expected,
    pub now: Option<Value>,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let now = match &self.now {
            Some(value) => super::mask::shown(&self.path, value),
            None => "absent".into(),
        };
        let wanted = match &self.expected {
            Expected::Value(value) => super::mask::shown(&self.path, value),
            Expected::Absent => "absent".into(),
            Expected::Any => "something that can be edited".into(),
        };
        write!(f, "{} is {now} now, not {wanted}", self.path)
    }
}

/// Edits as a JSON Patch on this object: its resourceVersion and every present value are tested first.
/// Empty where nothing would change. Also the object as it would stand then.
///
/// # Errors
/// A leaf is not what the edit expects, or its parent is no object.
pub fn patch(live: &Value, edits: &[LeafEdit]) -> Result<(Vec<Value>, Value), Mismatch> {
    let mut operations = Vec::new();
    let mut work = live.clone();
    for edit in edits {
        let now = edit.path.get(&work).filter(|now| !now.is_null()).cloned();
        let mismatch = |now: Option<Value>| Mismatch {
            path: edit.path.clone(),
            expected: edit.expect.clone(),
            now,
        };
        let right = match &edit.expect {
            Expected::Any => true,
            Expected::Absent => now.is_none(),
            Expected::Value(value) => now.as_ref() == Some(value),
        };
        if now == edit.to {
            continue;
        }
        if !right {
            return Err(mismatch(now));
        }
        match (&now, &edit.to) {
            (Some(value), to) => {
                let Some(pointer) = edit.path.pointer(&work) else {
                    return Err(mismatch(now));
                };
                operations.push(json!({"op": "test", "path": pointer, "value": value}));
                operations.push(match to {
                    Some(to) => json!({"op": "replace", "path": pointer, "value": to}),
                    None => json!({"op": "remove", "path": pointer}),
                });
            }
            (None, Some(to)) => {
                let Some((pointer, value)) = edit.path.addition(&work, to.clone()) else {
                    return Err(mismatch(now));
                };
                operations.push(json!({"op": "add", "path": pointer, "value": value}));
            }
            (None, None) => continue,
        }
        match &edit.to {
            Some(to) => edit.path.set(&mut work, to.clone()),
            None => {
                edit.path.remove(&mut work);
            }
        }
    }
    if !operations.is_empty()
        && let Some(version) = live["metadata"]["resourceVersion"].as_str()
    {
        operations.insert(
            0,
            json!({"op": "test", "path": "/metadata/resourceVersion", "value": version}),
        );
    }
    Ok((operations, work))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(changes: &[LeafChange]) -> Vec<String> {
        changes.iter().map(|c| c.path.to_string()).collect()
    }

    #[test]
    fn a_missing_map_is_one_change_and_a_present_one_is_gone_into() {
        let none = json!({"metadata": {"name": "x"}});
        let some = json!({"metadata": {"name": "x", "annotations": {"a": "1"}}});
        let more = json!({"metadata": {"name": "x", "annotations": {"a": "1", "b": "2"}}});
        assert_eq!(
            shown(&leaves(Some(&none), Some(&some))),
            [".metadata.annotations"]
        );
        assert_eq!(
            shown(&leaves(Some(&some), Some(&more))),
            [".metadata.annotations.b"]
        );
        assert_eq!(
            shown(&leaves(Some(&more), Some(&some))),
            [".metadata.annotations.b"]
        );
        assert!(leaves(Some(&more), Some(&more)).is_empty());
    }

    #[test]
    fn elements_are_compared_by_key_not_by_place() {
        let before = json!({"spec": {"volumes": [{"name": "a"}, {"name": "b", "emptyDir": {}}]}});
        let after = json!({"spec": {"volumes": [
            {"name": "b", "emptyDir": {"medium": "Memory"}}, {"name": "a"}, {"name": "c"}]}});
        assert_eq!(
            shown(&leaves(Some(&before), Some(&after))),
            [
                ".spec.volumes[name=\"b\"].emptyDir.medium",
                ".spec.volumes[name=\"c\"]"
            ]
        );
    }

    #[test]
    fn atomic_lists_change_whole() {
        let before = json!({"spec": {"ingress": [{"port": 1}, {"port": 2}]}});
        let after = json!({"spec": {"ingress": [{"port": 1}]}});
        let changes = leaves(Some(&before), Some(&after));
        assert_eq!(shown(&changes), [".spec.ingress"]);
        assert_eq!(changes[0].before, Some(json!([{"port": 1}, {"port": 2}])));
    }

    #[test]
    fn owners_come_from_before() {
        let before = json!({"metadata": {"managedFields": [
            {"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsType": "FieldsV1",
             "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}}],
            "labels": {"a": "1"}}});
        let after = json!({"metadata": {"labels": {"a": "2"}}});
        let changes = leaves(Some(&before), Some(&after));
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].owners, ["kubectl-client-side-apply"]);
    }

    #[test]
    fn a_patch_tests_what_it_replaces() {
        let live = json!({"metadata": {"resourceVersion": "7", "labels": {"a/b": "1", "c": "x"}}});
        let labels = LeafPath::fields(["metadata", "labels"]);
        let edits = [
            LeafEdit {
                path: labels.clone().field("a/b"),
                expect: Expected::Value(json!("1")),
                to: Some(json!("2")),
            },
            LeafEdit {
                path: labels.clone().field("c"),
                expect: Expected::Any,
                to: None,
            },
            LeafEdit {
                path: LeafPath::fields(["metadata", "annotations", "n"]),
                expect: Expected::Absent,
                to: Some(json!("v")),
            },
        ];
        let (operations, after) = patch(&live, &edits).unwrap();
        assert_eq!(
            Value::from(operations),
            json!([
                {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
                {"op": "test", "path": "/metadata/labels/a~1b", "value": "1"},
                {"op": "replace", "path": "/metadata/labels/a~1b", "value": "2"},
                {"op": "test", "path": "/metadata/labels/c", "value": "x"},
                {"op": "remove", "path": "/metadata/labels/c"},
                {"op": "add", "path": "/metadata/annotations", "value": {"n": "v"}},
            ])
        );
        assert_eq!(after["metadata"]["labels"], json!({"a/b": "2"}));
    }

    #[test]
    fn later_operations_see_the_earlier_ones() {
        let live = json!({"spec": {"volumes": [{"name": "a"}, {"name": "b"}]}});
        let volume = |name: &str| LeafPath::fields(["spec", "volumes"]).element("name", name);
        let edits = [volume("a"), volume("b")].map(|path| LeafEdit {
            path,
            expect: Expected::Any,
            to: None,
        });
        let (operations, after) = patch(&live, &edits).unwrap();
        assert_eq!(operations[3]["path"], "/spec/volumes/0");
        assert_eq!(after["spec"]["volumes"], json!([]));
    }

    #[test]
    fn a_leaf_that_somebody_changed_is_not_overwritten() {
        let live = json!({"metadata": {"labels": {"a": "theirs"}}});
        let edit = LeafEdit {
            path: LeafPath::fields(["metadata", "labels", "a"]),
            expect: Expected::Value(json!("ours")),
            to: Some(json!("old")),
        };
        let mismatch = patch(&live, &[edit]).unwrap_err();
        assert_eq!(
            mismatch.to_string(),
            ".metadata.labels.a is \"theirs\" now, not \"ours\""
        );
    }

    #[test]
    fn what_is_so_already_makes_no_operation() {
        let live = json!({"metadata": {"resourceVersion": "7", "labels": {"a": "1"}}});
        let edit = LeafEdit {
            path: LeafPath::fields(["metadata", "labels", "a"]),
            expect: Expected::Value(json!("0")),
            to: Some(json!("1")),
        };
        assert!(patch(&live, &[edit]).unwrap().0.is_empty());
    }
}
