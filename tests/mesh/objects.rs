//! The objects of a namespace, whole, to be compared before and after.

use crate::shell::{get, kubectl, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Made by controllers of the cluster from other objects.
const MADE: &[&str] = &[
    "bindings",
    "controllerrevisions.apps",
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "localsubjectaccessreviews.authorization.k8s.io",
    "pods",
    "replicasets.apps",
];

/// Everything in a namespace by kind and name, without what the server counts or reports.
pub type Objects = BTreeMap<String, Value>;

/// Every object of every kind. Cells run at the same time, and one of them brings the kinds of the operator: asked
/// again where a kind was listed before the server served it.
pub fn objects(namespace: &str) -> Result<Objects, String> {
    until(Duration::from_secs(30), || read(namespace))
}

fn read(namespace: &str) -> Result<Objects, String> {
    let kinds = kubectl(&[
        "api-resources",
        "--namespaced",
        "--verbs=list",
        "-o",
        "name",
        "--cached",
    ])?;
    let kinds: Vec<&str> = kinds.lines().filter(|k| !MADE.contains(k)).collect();
    let found = get(&["-n", namespace, &kinds.join(",")])?;
    let items = found["items"].as_array().cloned().unwrap_or_default();
    let mut all: Objects = items
        .into_iter()
        // Of the harness, not of the cell.
        .filter(|item| item["metadata"]["name"] != crate::user::ROLE)
        .map(|item| (name(&item), settled(item)))
        .collect();
    // Of pods only what a person wrote on them, and only while they are the same pods.
    for pod in list(&get(&["-n", namespace, "pods"])?) {
        let meta = &pod["metadata"];
        let written = serde_json::json!([meta["annotations"], meta["labels"]]);
        all.insert(format!("Pod/{}", text(&meta["name"])), written);
    }
    Ok(all)
}

pub fn list(found: &Value) -> Vec<Value> {
    found["items"].as_array().cloned().unwrap_or_default()
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn name(item: &Value) -> String {
    format!(
        "{}/{}",
        text(&item["kind"]),
        text(&item["metadata"]["name"])
    )
}

/// Who owns which fields, by manager: what was applied and taken back is nobody's but its former owner's. What
/// controllers report under a subresource comes and goes.
fn owners(item: &Value) -> Value {
    let entries = item["metadata"]["managedFields"].as_array();
    let mut owners: Vec<(String, &Value)> = entries
        .into_iter()
        .flatten()
        .filter(|entry| text(&entry["subresource"]).is_empty())
        .map(|entry| {
            let by = format!("{} {}", text(&entry["manager"]), text(&entry["operation"]));
            (by, &entry["fieldsV1"])
        })
        .collect();
    owners.sort_by(|a, b| a.0.cmp(&b.0));
    serde_json::json!(owners)
}

fn settled(mut item: Value) -> Value {
    item["owners"] = owners(&item);
    if let Some(map) = item.as_object_mut() {
        map.remove("status");
    }
    if let Some(meta) = item["metadata"].as_object_mut() {
        for counted in ["managedFields", "resourceVersion", "generation"] {
            meta.remove(counted);
        }
    }
    if let Some(annotations) = item["metadata"]["annotations"].as_object_mut() {
        annotations.remove("deployment.kubernetes.io/revision");
    }
    item
}

/// Objects that were deleted and made again are the same in all but their identity.
pub fn made_anew(mut objects: Objects, names: &[&str]) -> Objects {
    for name in names {
        let object = objects.get_mut(*name);
        if let Some(meta) = object.and_then(|object| object["metadata"].as_object_mut()) {
            meta.remove("uid");
            meta.remove("creationTimestamp");
        }
    }
    objects
}

/// What differs, in words; `Ok` where nothing does. Pods that went or came with a rollout are no difference.
pub fn same(before: &Objects, after: &Objects) -> Result<String, String> {
    let mut differences = Vec::new();
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        match (before.get(name), after.get(name)) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => differences.push(format!("{name}: {}", first(a, b))),
            (Some(_), None) | (None, Some(_)) if name.starts_with("Pod/") => {}
            (Some(_), None) => differences.push(format!("{name} is gone")),
            (None, Some(_)) => differences.push(format!("{name} is left over")),
            (None, None) => {}
        }
    }
    if differences.is_empty() {
        return Ok(format!("{} objects as before", before.len()));
    }
    Err(differences.join("\n"))
}

/// The first place in which two values differ.
fn first(a: &Value, b: &Value) -> String {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            for key in x.keys().chain(y.keys()) {
                if x.get(key) != y.get(key) {
                    return format!(".{key}{}", first(&a[key], &b[key]));
                }
            }
            String::new()
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            let at = (0..x.len()).find(|at| x[*at] != y[*at]);
            at.map_or(String::new(), |at| {
                format!("[{at}]{}", first(&x[at], &y[at]))
            })
        }
        _ => {
            let short = |value: &Value| value.to_string().chars().take(300).collect::<String>();
            format!(" was {} and is {}", short(a), short(b))
        }
    }
}
