//! Who has an identity besides the one it is meant for: an identity is a ServiceAccount, whoever runs under it.

use super::assemble::all_workloads;
use super::kinds::WorkloadRef;
use super::{Inventory, Pod, pods};
use std::collections::BTreeSet;

/// Whose pods run under this ServiceAccount of the workload's namespace, `KIND NAMESPACE/NAME`, itself aside. A pod needs
/// no sidecar for it: its token is enough for a certificate of the mesh.
pub(super) fn sharers(
    inventory: &Inventory,
    of: &WorkloadRef,
    account: &str,
    own: &[Pod],
) -> Vec<String> {
    let space = of.namespace.as_str();
    let is = |name: Option<&str>| {
        let named = name.filter(|name| !name.is_empty());
        named.unwrap_or("default") == account
    };
    let mut found = BTreeSet::new();
    for (kind, item) in all_workloads(inventory) {
        let meta = &item.metadata;
        let itself = kind == of.kind && meta.name == of.name;
        if meta.namespace == space
            && !itself
            && is(item.spec.template.spec.service_account_name.as_deref())
        {
            found.insert(format!("{} {space}/{}", kind.name(), meta.name));
        }
    }
    let pods = inventory.pods.items.iter().filter(|pod| {
        let meta = &pod.metadata;
        meta.namespace == space
            && !pods::finished(pod)
            && is(pod.spec.service_account_name.as_deref())
            && !own.iter().any(|own| own.name == meta.name)
    });
    for pod in pods {
        let maker = pods::maker(pod).map(|(kind, name)| (kind.name(), name));
        let (kind, name) = match (maker, pod.metadata.owner_references.first()) {
            (Some((kind, name)), _) if (kind, name) == (of.kind.name(), &*of.name) => continue,
            (Some(maker), _) => maker,
            (None, Some(owner)) => (owner.kind.as_str(), owner.name.as_str()),
            (None, None) => ("Pod", pod.metadata.name.as_str()),
        };
        found.insert(format!("{kind} {space}/{name}"));
    }
    found.into_iter().collect()
}
