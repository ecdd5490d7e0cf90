//! The mTLS mode that takes effect: workload, then namespace, then mesh; of several, the oldest counts.
//!
//! A PeerAuthentication with a selector in the root namespace is ignored by istiod.

use super::kinds::{Kind, ObjectRef};
use super::labels::{BySelector, is_ours, labels_at};
use super::objects::{Labels, Meta, PeerAuthentication};
use super::{Inventory, MtlsMode};
use std::borrow::Cow;

pub(super) type Mode = (MtlsMode, Option<ObjectRef>);

pub(super) struct Mtls<'a> {
    policies: BySelector<'a, &'a PeerAuthentication>,
    root: String,
    mesh: Mode,
}

/// Age first, then name: the order in which istiod looks at objects of a kind.
pub(super) fn by_age(meta: &Meta) -> (bool, Option<jiff::Timestamp>, &str) {
    (
        meta.creation_timestamp.is_none(),
        meta.creation_timestamp,
        &meta.name,
    )
}

fn mode(policy: &PeerAuthentication) -> Option<MtlsMode> {
    match policy.spec["mtls"]["mode"].as_str()? {
        "STRICT" => Some(MtlsMode::Strict),
        "PERMISSIVE" => Some(MtlsMode::Permissive),
        "DISABLE" => Some(MtlsMode::Disable),
        _ => None,
    }
}

pub(super) fn reference(policy: &PeerAuthentication) -> ObjectRef {
    let meta = &policy.metadata;
    ObjectRef::new(Kind::PeerAuthentication, &meta.namespace, &meta.name)
}

fn oldest<'a>(all: &[&'a PeerAuthentication]) -> Option<&'a PeerAuthentication> {
    all.iter()
        .copied()
        .min_by(|a, b| by_age(&a.metadata).cmp(&by_age(&b.metadata)))
}

impl<'a> Mtls<'a> {
    pub fn new(inventory: &'a Inventory, root: &str) -> Self {
        let policies = BySelector::new(inventory.peer_authentications.items.iter().map(|policy| {
            let selector = labels_at(&policy.spec, "/selector/matchLabels");
            (
                policy.metadata.namespace.as_str(),
                Cow::Owned(selector),
                policy,
            )
        }));
        let mesh = oldest(policies.selectorless(root))
            .and_then(|policy| Some((mode(policy)?, Some(reference(policy)))))
            .unwrap_or_default();
        Mtls {
            policies,
            root: root.to_owned(),
            mesh,
        }
    }

    pub fn mesh(&self) -> Mode {
        self.mesh.clone()
    }

    pub fn namespace(&self, namespace: &str) -> Mode {
        if namespace == self.root {
            return self.mesh();
        }
        oldest(self.policies.selectorless(namespace))
            .and_then(|policy| Some((mode(policy)?, Some(reference(policy)))))
            .unwrap_or_else(|| self.mesh())
    }

    /// The policy of others that counts of those with a selector that takes these pods; `None`: there is none, or ours
    /// is older.
    pub fn selecting(&self, namespace: &str, labels: &Labels) -> Option<&'a PeerAuthentication> {
        if namespace == self.root {
            return None;
        }
        let found = self.policies.selecting(namespace, labels);
        oldest(&found).filter(|policy| !is_ours(&policy.metadata))
    }

    pub fn workload(&self, namespace: &str, labels: &Labels) -> Mode {
        self.selecting(namespace, labels)
            .and_then(|policy| Some((mode(policy)?, Some(reference(policy)))))
            .unwrap_or_else(|| self.namespace(namespace))
    }
}
