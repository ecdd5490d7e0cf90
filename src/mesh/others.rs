//! Pods that no Deployment, StatefulSet or DaemonSet makes: of Jobs, of other controllers, of nobody. They are listed
//! and counted, so that nobody takes them for secured, and never chosen: nothing here can change their template.

use super::assemble::Index;
use super::pods::Pods;
use super::{Inventory, Progress};
use crate::mesh::kinds::Kind;
use crate::problems::{Problem, Subject};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The pods of one such owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherPods {
    pub namespace: String,
    /// `Job`, `ReplicaSet`, the kind of an operator's resource; `Pod` where the pod has no owner.
    pub kind: String,
    pub name: String,
    pub pods: usize,
    /// Those of them that have a sidecar.
    pub meshed: usize,
    /// Those of them that a scrape job takes in plaintext today, and goes on to take.
    pub plaintext: usize,
    /// Why none of them can be chosen.
    pub obstacle: Problem,
}

impl OtherPods {
    /// `Job import`, `Pod debug`.
    pub fn title(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}

/// How many pods of these are scraped in plaintext.
pub fn in_plaintext(others: &[Arc<OtherPods>]) -> usize {
    others.iter().map(|other| other.plaintext).sum()
}

/// That pods of a namespace go on in plaintext, and whose they are. `None`: none does.
pub fn stay_in_plaintext(namespace: &str, others: &[Arc<OtherPods>]) -> Option<Problem> {
    let plain = others.iter().filter(|other| other.plaintext > 0);
    let owners: Vec<String> = plain.map(|other| other.title()).collect();
    (!owners.is_empty()).then(|| Problem::OthersInPlaintext {
        of: Subject::new(Kind::Namespace.name(), "", namespace),
        pods: in_plaintext(others),
        owners,
    })
}

/// Running pods that belong to nothing that can be chosen, by owner. A pod whose Deployment may only not have been
/// listed is nobody's yet.
pub(super) fn others<'a>(index: &Index<'a>, inventory: &'a Inventory) -> Vec<Arc<OtherPods>> {
    let listed = |kind: Kind| {
        let list = inventory.workloads.get(&kind);
        list.is_some_and(|list| list.progress == Progress::Complete)
    };
    let mut found: BTreeMap<(&str, &str, &str), OtherPods> = BTreeMap::new();
    for pod in Pods::of_nothing_listed(inventory, listed) {
        let meta = &pod.metadata;
        let (kind, name) = match meta.owner_references.first() {
            Some(owner) => (owner.kind.as_str(), owner.name.as_str()),
            None => ("Pod", meta.name.as_str()),
        };
        let of = found
            .entry((&meta.namespace, kind, name))
            .or_insert_with(|| OtherPods {
                namespace: meta.namespace.clone(),
                kind: kind.to_owned(),
                name: name.to_owned(),
                pods: 0,
                meshed: 0,
                plaintext: 0,
                obstacle: Problem::OtherOwner {
                    of: Subject::new(kind.to_owned(), &meta.namespace, name),
                    pods: 0,
                    plaintext: 0,
                },
            });
        of.pods += 1;
        of.meshed += usize::from(pod.proxy().is_some());
        of.plaintext += usize::from(index.today.scrapes(pod, &index.services));
    }
    let counted = found.into_values().map(|mut other| {
        if let Problem::OtherOwner {
            pods, plaintext, ..
        } = &mut other.obstacle
        {
            (*pods, *plaintext) = (other.pods, other.plaintext);
        }
        Arc::new(other)
    });
    counted.collect()
}
