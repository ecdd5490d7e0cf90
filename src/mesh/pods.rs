//! Pods joined to the workloads that made them.

use super::kinds::Kind;
use super::labels::ByLabel;
use super::objects::{self as lean, Labels};
use super::{Inventory, Pod};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

pub(super) const PROXY: &str = "istio-proxy";
pub(super) use crate::reach::probe::SECURE_PORT;

pub(super) struct Pods<'a> {
    owned: HashMap<(&'a str, Kind, &'a str), Vec<&'a lean::Pod>>,
    ownerless: ByLabel<'a, &'a lean::Pod>,
}

/// The workload that a pod's owner reference leads to: a Deployment's ReplicaSet is called `NAME-HASH`, and its pods
/// carry the hash as a label (`getNewReplicaSet` in `pkg/controller/deployment/sync.go`). One without it is nobody's.
pub(super) fn maker(pod: &lean::Pod) -> Option<(Kind, &str)> {
    let owner = pod.metadata.owner_references.first()?;
    match owner.kind.as_str() {
        "StatefulSet" => Some((Kind::StatefulSet, &owner.name)),
        "DaemonSet" => Some((Kind::DaemonSet, &owner.name)),
        "ReplicaSet" => {
            let hash = pod.metadata.labels.get("pod-template-hash")?;
            let name = owner.name.strip_suffix(hash.as_str())?.strip_suffix('-')?;
            Some((Kind::Deployment, name))
        }
        _ => None,
    }
}

pub(super) fn finished(pod: &lean::Pod) -> bool {
    ended(&pod.status.phase)
}

pub(super) fn ended(phase: &str) -> bool {
    matches!(phase, "Succeeded" | "Failed")
}

impl<'a> Pods<'a> {
    pub fn new(inventory: &'a Inventory) -> Self {
        let mut owned: HashMap<_, Vec<&lean::Pod>> = HashMap::new();
        for pod in &inventory.pods.items {
            if let Some((kind, name)) = maker(pod) {
                owned
                    .entry((pod.metadata.namespace.as_str(), kind, name))
                    .or_default()
                    .push(pod);
            }
        }
        let ownerless = inventory
            .pods
            .items
            .iter()
            .filter(|pod| pod.metadata.owner_references.is_empty() && !finished(pod))
            .map(|pod| {
                (
                    pod.metadata.namespace.as_str(),
                    pod.metadata.labels.as_ref(),
                    pod,
                )
            });
        Pods {
            ownerless: ByLabel::new(ownerless),
            owned,
        }
    }

    /// The pods of a workload, those that have ended aside; by name.
    pub fn of(&self, namespace: &str, kind: Kind, name: &str) -> Vec<&'a lean::Pod> {
        let owned = self.owned.get(&(namespace, kind, name));
        by_name(
            owned
                .into_iter()
                .flatten()
                .copied()
                .filter(|pod| !finished(pod)),
        )
    }

    /// Meshed pods without an owner that carry these labels; by name.
    pub fn strays(&self, namespace: &str, selector: &Labels) -> Vec<&'a lean::Pod> {
        let carrying = self.ownerless.carrying(namespace, selector).into_iter();
        by_name(
            carrying
                .filter(|pod| pod.proxy().is_some() && pod.metadata.deletion_timestamp.is_none()),
        )
    }

    /// Running pods that no workload made, and that none could have made which was not `listed`.
    pub fn of_nothing_listed(
        inventory: &'a Inventory,
        listed: impl Fn(Kind) -> bool,
    ) -> impl Iterator<Item = &'a lean::Pod> {
        let known: HashSet<(&str, Kind, &str)> = super::assemble::all_workloads(inventory)
            .map(|(kind, item)| {
                let meta = &item.metadata;
                (meta.namespace.as_str(), kind, meta.name.as_str())
            })
            .collect();
        let pods = inventory.pods.items.iter().filter(|pod| !finished(pod));
        pods.filter(move |pod| match maker(pod) {
            Some((kind, name)) => {
                listed(kind) && !known.contains(&(pod.metadata.namespace.as_str(), kind, name))
            }
            None => true,
        })
    }

    /// Running pods that no listed workload made: of Jobs, of other controllers.
    pub fn strangers(
        &self,
        inventory: &'a Inventory,
        known: impl Fn(&str, Kind, &str) -> bool,
    ) -> Vec<&'a lean::Pod> {
        inventory
            .pods
            .items
            .iter()
            .filter(|pod| !pod.metadata.owner_references.is_empty() && !finished(pod))
            .filter(|pod| match maker(pod) {
                Some((kind, name)) => !known(&pod.metadata.namespace, kind, name),
                None => true,
            })
            .collect()
    }
}

fn by_name<'a>(pods: impl Iterator<Item = &'a lean::Pod>) -> Vec<&'a lean::Pod> {
    let mut found: Vec<&lean::Pod> = pods.collect();
    found.sort_unstable_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    found
}

/// An image's tag: what stands after the last colon of its last path segment.
pub(super) fn tag(image: &str) -> String {
    let named = image.split('@').next().unwrap_or(image);
    let last = named.rsplit('/').next().unwrap_or(named);
    match last.split_once(':') {
        Some((_, tag)) => tag.to_owned(),
        None if image.contains('@') => "by digest".to_owned(),
        None => "latest".to_owned(),
    }
}

/// The revision that injected it, by the injector's own note.
pub(super) fn revision(pod: &lean::Pod) -> Option<String> {
    #[derive(Deserialize)]
    struct Status {
        revision: Option<String>,
    }
    let annotations = &pod.metadata.annotations;
    annotations
        .get("sidecar.istio.io/status")
        .and_then(|text| serde_json::from_str::<Status>(text).ok()?.revision)
        .or_else(|| annotations.get(super::injection::REVISION).cloned())
        .or_else(|| pod.metadata.labels.get(super::injection::REVISION).cloned())
}

pub(super) fn pod(pod: &lean::Pod) -> Pod {
    let meta = &pod.metadata;
    let ready =
        |condition: &lean::Condition| condition.r#type == "Ready" && condition.status == "True";
    Pod {
        name: meta.name.clone(),
        uid: meta.uid.clone(),
        ip: pod.status.pod_ip.clone(),
        phase: pod.status.phase.clone(),
        ready: pod.status.conditions.iter().any(ready),
        secure_port: meta.annotations.get(SECURE_PORT).cloned(),
        labels: meta.labels.clone(),
        annotations: meta.annotations.clone(),
        proxy: pod.proxy().map(|container| tag(&container.image)),
        started: pod.status.start_time,
        terminating: meta.deletion_timestamp.is_some(),
        spec: pod.spec.clone(),
        host_ip: pod.status.host_ip.clone(),
    }
}
