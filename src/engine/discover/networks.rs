//! Network policies of other vendors: whether there are any, and no more, since their rules are not computed here.

use super::Asker;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    preferred_version: Version,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

/// Group, plural, and the name to call them by.
const OTHERS: [(&str, &str, &str); 9] = [
    ("cilium.io", "ciliumnetworkpolicies", "CiliumNetworkPolicy"),
    (
        "cilium.io",
        "ciliumclusterwidenetworkpolicies",
        "CiliumClusterwideNetworkPolicy",
    ),
    (
        "crd.projectcalico.org",
        "networkpolicies",
        "Calico NetworkPolicy",
    ),
    (
        "crd.projectcalico.org",
        "globalnetworkpolicies",
        "Calico GlobalNetworkPolicy",
    ),
    ("crd.antrea.io", "networkpolicies", "Antrea NetworkPolicy"),
    (
        "crd.antrea.io",
        "clusternetworkpolicies",
        "Antrea ClusterNetworkPolicy",
    ),
    (
        "policy.networking.k8s.io",
        "adminnetworkpolicies",
        "AdminNetworkPolicy",
    ),
    (
        "policy.networking.k8s.io",
        "baselineadminnetworkpolicies",
        "BaselineAdminNetworkPolicy",
    ),
    (
        "policy.networking.k8s.io",
        "clusternetworkpolicies",
        "ClusterNetworkPolicy",
    ),
];

/// One question where there is nothing of the kind; where the group is served, one object of each kind at most. A
/// kind that may not be listed may have objects.
pub(super) async fn networks(asker: Asker) {
    let Ok(Groups { groups }) = asker.cluster.read::<Groups>("/apis").await else {
        return;
    };
    let mut found = Vec::new();
    for (group, plural, name) in OTHERS {
        let Some(served) = groups.iter().find(|one| one.name == group) else {
            continue;
        };
        let version = &served.preferred_version.version;
        let path = format!("/apis/{group}/{version}/{plural}?limit=1");
        let there = match asker.cluster.read::<Value>(&path).await {
            Ok(page) => page["items"].as_array().is_some_and(|all| !all.is_empty()),
            Err(error) => !error.is_not_found(),
        };
        if there {
            found.push(name.to_owned());
        }
    }
    asker.tell(move |inventory| inventory.other_networks = found);
}
