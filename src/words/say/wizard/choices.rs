//! Namespaces, workloads and gateways: what keeps them from being chosen, and what a choice did.

use crate::words::texts::texts;

texts! {
    // Namespaces.
    PROMETHEUS_AND_GATEWAYS_ALONE = "Prometheus and gateways run here (steps 2 and 5); it holds no other Deployment, StatefulSet or DaemonSet.";
    PROMETHEUS_ALONE = "Prometheus runs here (step 2); it holds no other Deployment, StatefulSet or DaemonSet.";
    GATEWAYS_ALONE = "Gateways run here (step 5); it holds no other Deployment, StatefulSet or DaemonSet.";
    ISTIO_ALONE = "Only Istio runs here; it holds no other Deployment, StatefulSet or DaemonSet.";
    HOLDS_NO_WORKLOAD = "It holds no Deployment, StatefulSet or DaemonSet.";
    only_workload_closed(reason: &str) = "Its only workload is not available. {reason}";
    no_workload_available(count: usize, reason: &str) = "None of its {count} workloads is available. {reason}";
    NOTHING_TO_CHOOSE = "nothing to choose";
    no_such_namespace(name: &str) = "-n {name}: there is no such namespace";
    pods_of_others(pods: usize, names: &str, plain: usize) = "It holds no Deployment, StatefulSet or DaemonSet. Pods of other owners: {pods} ({names}), in plaintext: {plain}. Step 4 shows the reason for each.";
    partly_available(closed: usize, all: usize, named: &str) = "{closed} of {all} not available: {named}. Step 4 shows the reasons.";
    owned_by(workload: &str, tool: &str) = "{workload} belongs to {tool}";
    only_workload_owned(named: &str) = "Its only workload has another owner: {named}. In step 4, t makes owned workloads available.";
    workloads_owned(count: usize, named: &str) = "Its {count} workloads have other owners or are not available: {named}. In step 4, t makes owned workloads available.";
    NO_NAMESPACE_CHOSEN = "no namespace is chosen: only gateways can be secured";

    // Workloads.
    NONE_AVAILABLE = "none of them is available; each row shows the reason";
    ONE_WORKLOAD = "1 workload";
    workloads(count: usize) = "{count} workloads";
    skipped_outside(workloads: &str, names: &str) = "{workloads} skipped, not in the mesh: {names}; press space on a row to add its sidecar";
    NOT_THERE = "it is not there";
    no_longer_chosen(first: &str) = "no longer chosen: {first}";
    no_longer_chosen_and(first: &str, more: usize) = "no longer chosen: {first} (and {more} more)";

    // Owners.
    OWNERSHIP_PER_WORKLOAD = "ownership is set per workload: press t on a row below";
    NO_OWNER_PREVENTS = "no owner prevents choosing it";
    forcing_not_enough(tool: &str, reason: &str) = "forcing ownership from {tool} is not enough: {reason}";
    OPERATOR_GENERATES = "its operator generates the whole configuration; meshscrape can only export it (i)";
    has_no_other_owner(reason: &str) = "it has no other owner: {reason}";
    available_now(tool: &str) = "objects of {tool} are available now; t makes them unavailable again";
    no_longer_available(tool: &str) = "objects of {tool} are no longer available";
    one_no_longer_chosen(tool: &str) = "objects of {tool} are no longer available: 1 item is no longer chosen";
    several_no_longer_chosen(tool: &str, count: usize) = "objects of {tool} are no longer available: {count} items are no longer chosen";
}
