//! Sets of field paths, and their `fieldsV1` form, as server-side apply keeps them.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value, json};

/// One step of a path: a field, or the item of a list that merges by key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Field(String),
    /// The key fields in alphabetical order.
    Item(Vec<(String, KeyValue)>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyValue {
    Number(i64),
    Text(String),
}

impl KeyValue {
    fn value(&self) -> Value {
        match self {
            KeyValue::Number(number) => json!(number),
            KeyValue::Text(text) => json!(text),
        }
    }
}

pub type Path = Vec<Step>;
pub type FieldSet = BTreeSet<Path>;

/// A path as the API server prints it: `.spec.containers[name="app"].image`.
pub struct Printed<'a>(pub &'a [Step]);

impl fmt::Display for Printed<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.0 {
            match step {
                Step::Field(name) => write!(out, ".{name}")?,
                Step::Item(keys) => {
                    write!(out, "[")?;
                    for (index, (key, value)) in keys.iter().enumerate() {
                        let comma = if index > 0 { "," } else { "" };
                        write!(out, "{comma}{key}={}", value.value())?;
                    }
                    write!(out, "]")?;
                }
            }
        }
        Ok(())
    }
}

/// The key fields by which items of the list at `path` merge, or `None` for an atomic list
/// (the table of list keys that Kubernetes' own schemas carry; custom resources have none).
fn keys_of(path: &[Step], builtin: bool) -> Option<&'static [&'static str]> {
    let Some(Step::Field(name)) = path.last() else {
        return None;
    };
    if name == "ownerReferences" && path.len() == 2 {
        return Some(&["uid"]);
    }
    if !builtin {
        return None;
    }
    match name.as_str() {
        "containers" | "initContainers" | "ephemeralContainers" | "volumes" | "env" => {
            Some(&["name"])
        }
        "imagePullSecrets" => Some(&["name"]),
        "volumeMounts" => Some(&["mountPath"]),
        "ports" if matches!(path.iter().rev().nth(1), Some(Step::Item(_))) => {
            Some(&["containerPort", "protocol"])
        }
        "ports" if path.len() == 2 => Some(&["port", "protocol"]),
        "conditions" => Some(&["type"]),
        _ => None,
    }
}

/// Maps that Kubernetes' schemas declare atomic.
fn atomic_map(path: &[Step], builtin: bool) -> bool {
    let Some(Step::Field(name)) = path.last() else {
        return false;
    };
    builtin
        && (matches!(
            name.as_str(),
            "nodeSelector" | "secretKeyRef" | "configMapKeyRef" | "fieldRef"
        ) || (name == "selector" && path.len() == 2))
}

fn item_step(item: &Value, keys: &[&str]) -> Option<Step> {
    let pairs = keys.iter().map(|key| {
        let value = match item.get(*key) {
            Some(Value::Number(number)) => KeyValue::Number(number.as_i64()?),
            Some(Value::String(text)) => KeyValue::Text(text.clone()),
            None if *key == "protocol" => KeyValue::Text("TCP".to_owned()),
            _ => return None,
        };
        Some(((*key).to_owned(), value))
    });
    pairs.collect::<Option<Vec<_>>>().map(Step::Item)
}

/// Whether nobody owns what stands here: identity and what the server itself writes.
fn unowned(path: &[Step]) -> bool {
    let fields: Vec<&str> = path
        .iter()
        .map(|step| match step {
            Step::Field(name) => name.as_str(),
            Step::Item(_) => "",
        })
        .collect();
    matches!(
        fields.as_slice(),
        ["apiVersion" | "kind"]
            | [
                "metadata",
                "name"
                    | "namespace"
                    | "uid"
                    | "resourceVersion"
                    | "generation"
                    | "creationTimestamp"
                    | "managedFields"
                    | "selfLink"
            ]
    )
}

/// All owned paths of an object. `with_maps` adds the maps themselves, as updates (not applies) own them.
pub fn leaves(object: &Value, builtin: bool, with_maps: bool) -> FieldSet {
    let mut set = FieldSet::new();
    walk(object, builtin, with_maps, &mut Vec::new(), &mut set);
    set
}

fn walk(value: &Value, builtin: bool, with_maps: bool, path: &mut Path, set: &mut FieldSet) {
    if unowned(path) {
        return;
    }
    match value {
        Value::Object(map) if !map.is_empty() && !atomic_map(path, builtin) => {
            if with_maps && path.len() > 1 {
                set.insert(path.clone());
            }
            for (key, child) in map {
                path.push(Step::Field(key.clone()));
                walk(child, builtin, with_maps, path, set);
                path.pop();
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let steps = keys_of(path, builtin).and_then(|keys| {
                items
                    .iter()
                    .map(|i| item_step(i, keys))
                    .collect::<Option<Vec<_>>>()
            });
            let Some(steps) = steps else {
                set.insert(path.clone());
                return;
            };
            for (item, step) in items.iter().zip(steps) {
                path.push(step);
                set.insert(path.clone());
                for (key, child) in item.as_object().into_iter().flatten() {
                    path.push(Step::Field(key.clone()));
                    walk(child, builtin, with_maps, path, set);
                    path.pop();
                }
                path.pop();
            }
        }
        _ if path.is_empty() => {}
        Value::Null => {}
        _ => {
            set.insert(path.clone());
        }
    }
}

/// What stands at a path.
pub fn value_at<'a>(object: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, step| match step {
        Step::Field(name) => value.get(name),
        Step::Item(keys) => value.as_array()?.iter().find(|item| is_item(item, keys)),
    })
}

fn is_item(item: &Value, keys: &[(String, KeyValue)]) -> bool {
    keys.iter().all(|(key, wanted)| match item.get(key) {
        Some(value) => *value == wanted.value(),
        None => key == "protocol" && *wanted == KeyValue::Text("TCP".to_owned()),
    })
}

/// Takes away what stands at a path, and maps and lists that this empties.
pub fn remove_at(object: &mut Value, path: &[Step]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    match first {
        Step::Field(name) => {
            let Some(map) = object.as_object_mut() else {
                return;
            };
            if rest.is_empty() {
                map.remove(name);
                return;
            }
            if let Some(child) = map.get_mut(name) {
                let had = !is_empty(child);
                remove_at(child, rest);
                if had && is_empty(child) {
                    map.remove(name);
                }
            }
        }
        Step::Item(keys) => {
            let Some(items) = object.as_array_mut() else {
                return;
            };
            let Some(index) = items.iter().position(|item| is_item(item, keys)) else {
                return;
            };
            if rest.is_empty() {
                items.remove(index);
            } else {
                remove_at(&mut items[index], rest);
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// Lays `applied` over `live`: maps by key, lists by their keys, everything else as a whole.
pub fn merge(live: &Value, applied: &Value, builtin: bool) -> Value {
    merge_at(live, applied, builtin, &mut Vec::new())
}

fn merge_at(live: &Value, applied: &Value, builtin: bool, path: &mut Path) -> Value {
    match (live, applied) {
        (Value::Object(old), Value::Object(new)) if !atomic_map(path, builtin) => {
            let mut merged = old.clone();
            for (key, value) in new {
                path.push(Step::Field(key.clone()));
                let before = old.get(key).unwrap_or(&Value::Null);
                let after = merge_at(before, value, builtin, path);
                path.pop();
                merged.insert(key.clone(), after);
            }
            Value::Object(merged)
        }
        (Value::Array(old), Value::Array(new)) => {
            let Some(keys) = keys_of(path, builtin) else {
                return applied.clone();
            };
            let mut merged = old.clone();
            for item in new {
                let Some(step) = item_step(item, keys) else {
                    return applied.clone();
                };
                let Step::Item(pairs) = &step else {
                    return applied.clone();
                };
                match merged.iter().position(|other| is_item(other, pairs)) {
                    Some(index) => {
                        path.push(step);
                        merged[index] = merge_at(&merged[index], item, builtin, path);
                        path.pop();
                    }
                    None => merged.push(item.clone()),
                }
            }
            Value::Array(merged)
        }
        _ => applied.clone(),
    }
}

/// The set in the form of `managedFields[].fieldsV1`.
pub fn to_v1(set: &FieldSet) -> Value {
    let mut root = Map::new();
    for path in set {
        insert(&mut root, path);
    }
    tidy(&mut root);
    Value::Object(root)
}

fn insert(node: &mut Map<String, Value>, path: &[Step]) {
    let Some((step, rest)) = path.split_first() else {
        node.insert(".".to_owned(), json!({}));
        return;
    };
    let key = match step {
        Step::Field(name) => format!("f:{name}"),
        Step::Item(keys) => {
            let map: Map<String, Value> =
                keys.iter().map(|(k, v)| (k.clone(), v.value())).collect();
            format!("k:{}", Value::Object(map))
        }
    };
    if let Value::Object(child) = node.entry(key).or_insert_with(|| json!({})) {
        insert(child, rest);
    }
}

/// A leaf without children is `{}`, not `{".": {}}`.
fn tidy(node: &mut Map<String, Value>) {
    for (key, child) in node.iter_mut() {
        let Value::Object(map) = child else { continue };
        if key == "." {
            continue;
        }
        if map.len() == 1 && map.contains_key(".") {
            map.clear();
        } else {
            tidy(map);
        }
    }
}

/// Reads `fieldsV1`; what it does not understand is left out.
pub fn from_v1(fields: &Value) -> FieldSet {
    let mut set = FieldSet::new();
    read(fields, &mut Vec::new(), &mut set);
    set
}

fn read(node: &Value, path: &mut Path, set: &mut FieldSet) {
    let Some(map) = node.as_object() else { return };
    if map.is_empty() && !path.is_empty() {
        set.insert(path.clone());
    }
    for (key, child) in map {
        if key == "." {
            set.insert(path.clone());
            continue;
        }
        let step = if let Some(name) = key.strip_prefix("f:") {
            Step::Field(name.to_owned())
        } else if let Some(item) = key.strip_prefix("k:") {
            let Ok(Value::Object(keys)) = serde_json::from_str(item) else {
                continue;
            };
            Step::Item(
                keys.into_iter()
                    .map(|(k, v)| {
                        let value = match &v {
                            Value::Number(n) => KeyValue::Number(n.as_i64().unwrap_or_default()),
                            other => KeyValue::Text(other.as_str().unwrap_or_default().to_owned()),
                        };
                        (k, value)
                    })
                    .collect(),
            )
        } else {
            continue;
        };
        path.push(step);
        read(child, path, set);
        path.pop();
    }
}
