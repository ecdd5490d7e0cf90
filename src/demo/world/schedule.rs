//! Which node takes a pod.

use std::sync::Arc;

use serde_json::Value;

use super::quota::{takes, thousandths};
use crate::demo::json::{at, has_labels, labels, name, number_of, text};
use crate::demo::kinds;
use crate::demo::store::Store;

/// The name of a node that takes the pod. `settling`: what runs from the beginning was placed long ago.
///
/// # Errors
/// Why none does, in the scheduler's words.
pub fn node_for(store: &Store, pod: &Value, settling: bool) -> Result<String, String> {
    let nodes: Vec<&Arc<Value>> = store.all(&kinds::NODE).collect();
    if nodes.is_empty() {
        return Ok(String::new());
    }
    let mut reasons: Vec<(String, usize)> = Vec::new();
    let mut fit = Vec::new();
    for node in &nodes {
        match refuses(store, node, pod).filter(|_| !settling) {
            None => fit.push(*node),
            Some(why) => match reasons.iter_mut().find(|(known, _)| *known == why) {
                Some((_, count)) => *count += 1,
                None => reasons.push((why, 1)),
            },
        }
    }
    if fit.is_empty() {
        let why: Vec<String> = reasons
            .iter()
            .map(|(why, count)| format!("{count} {why}"))
            .collect();
        return Err(format!(
            "0/{} nodes are available: {}.",
            nodes.len(),
            why.join(", ")
        ));
    }
    Ok(name(fit[number_of(name(pod)) as usize % fit.len()]).to_owned())
}

fn refuses(store: &Store, node: &Value, pod: &Value) -> Option<String> {
    if at(node, "/spec/unschedulable") == &Value::Bool(true) {
        return Some("node(s) were unschedulable".into());
    }
    let wanted = at(pod, "/spec/nodeSelector");
    if wanted.is_object() && !has_labels(wanted, labels(node)) {
        return Some("node(s) didn't match Pod's node affinity/selector".into());
    }
    ["cpu", "memory"].into_iter().find_map(|resource| {
        let has = at(node, "/status/allocatable").get(resource)?.as_str()?;
        let taken: u64 = store
            .all(&kinds::POD)
            .filter(|other| text(other, "/spec/nodeName") == name(node))
            .map(|other| takes(other, resource))
            .sum();
        (taken + takes(pod, resource) > thousandths(has))
            .then(|| format!("Insufficient {resource}"))
    })
}
