//! Which node takes a pod.

use std::sync::Arc;

use serde_json::{Value, json};

use super::World;
use super::pods::Stage;
use super::quota::{takes, thousandths};
use crate::demo::json::{at, has_labels, labels, map_at, name, number_of, text};
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

impl World {
    /// Pods without a node get one as soon as one takes them.
    pub(super) fn schedule_pending(&mut self) {
        let pending: Vec<String> = self
            .pods
            .iter()
            .filter(|(_, run)| run.stage == Stage::Pending && run.leaving.is_none())
            .map(|(key, _)| key.clone())
            .collect();
        for key in pending {
            let Some(object) = self.pod_object(&key) else {
                continue;
            };
            let found = node_for(&self.store, &object, false);
            let now = self.now;
            let Some(run) = self.pods.get_mut(&key) else {
                continue;
            };
            match found {
                Ok(node) => {
                    run.stage = Stage::Creating;
                    run.waiting = None;
                    run.next = Some(now + run.pace.mul_f32(0.3));
                    let mut changed = (*object).clone();
                    map_at(&mut changed, &["spec"]).insert("nodeName".into(), json!(node));
                    self.write(&kinds::POD, changed);
                }
                Err(why) if run.waiting.as_ref() != Some(&why) => run.waiting = Some(why),
                Err(_) => continue,
            }
            self.refresh_pod(&key);
        }
    }
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
