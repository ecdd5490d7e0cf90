//! What a plan costs.

use crate::mesh::kinds::{Kind, WorkloadRef};
use crate::plan::{Impact, Plan};
use crate::text::few;
use std::collections::BTreeSet;

/// Every impact of the plan, one sentence each; what cannot be undone comes first.
pub fn all(plan: &Plan) -> Vec<String> {
    let mut all: Vec<&Impact> = plan
        .impacts
        .iter()
        .chain(plan.changes.iter().flat_map(|change| &change.impacts))
        .collect();
    all.sort_by_key(|impact| rank(impact));
    let mut seen = BTreeSet::new();
    all.retain(|impact| seen.insert((*impact).clone()));
    let mut scraping = BTreeSet::new();
    // Where its history goes, the pause of its scraping is said with that.
    let mut losing = BTreeSet::new();
    for impact in &all {
        match impact {
            Impact::ScrapeGap { prometheus } => scraping.insert(prometheus.clone()),
            Impact::LosesHistory { prometheus } => losing.insert(prometheus.clone()),
            _ => false,
        };
    }
    all.retain(|impact| match impact {
        Impact::ScrapeGap { prometheus } => !losing.contains(prometheus),
        _ => true,
    });
    let gateways: BTreeSet<&WorkloadRef> = plan
        .changes
        .iter()
        .filter(|change| change.object.kind == Kind::Gateway)
        .filter_map(|change| change.item.as_ref())
        .collect();
    let mut restarts = 0;
    let (mut restarting, mut restarting_gateways) = (0, 0);
    let mut of_prometheus = 0;
    let mut cut = 0;
    let mut sentences = Vec::new();
    // Where the summed ones stand: before the rest of their rank.
    let mut sums_at = 0;
    for impact in all {
        match impact {
            Impact::Restarts { workload, pods } if scraping.contains(workload) => {
                of_prometheus += pods;
            }
            Impact::Restarts { workload, pods } => {
                match gateways.contains(workload) {
                    true => restarting_gateways += 1,
                    false => restarting += 1,
                }
                restarts += pods;
            }
            Impact::CutsConnections { .. } => cut += 1,
            other => {
                let also = match other {
                    Impact::LosesHistory { .. } => {
                        "; scraping and alerting pause during the restart"
                    }
                    _ => "",
                };
                sentences.push(sentence(other) + also);
                if matches!(other, Impact::LosesHistory { .. }) {
                    sums_at = sentences.len();
                }
            }
        }
    }
    let mut sums = Vec::new();
    let mut whose = Vec::new();
    if restarts > 0 {
        let pods = plural(restarts, "pod", "pods");
        let workloads = plural(restarting, "workload", "workloads");
        let gateways = plural(restarting_gateways, "gateway", "gateways");
        whose.push(match (restarting, restarting_gateways) {
            (_, 0) => format!("{pods} of {workloads}"),
            (0, _) => format!("{pods} of {gateways}"),
            _ => format!("{pods} of {workloads} and {gateways}"),
        });
    }
    if of_prometheus > 0 {
        let pods = plural(of_prometheus, "pod", "pods");
        whose.push(format!("{pods} of Prometheus"));
    }
    if !whose.is_empty() {
        let one = restarts + of_prometheus == 1;
        let verb = if one { "restarts" } else { "restart" };
        let and = if restarting_gateways > 0 {
            ", and "
        } else {
            " and "
        };
        sums.push(format!("{} {verb}", whose.join(and)));
    }
    if cut > 0 {
        sums.push(format!(
            "connections to {} that have been open for more than about 45 s are cut once",
            plural(cut, "workload", "workloads")
        ));
    }
    sentences.splice(sums_at..sums_at, sums);
    sentences
}

fn rank(impact: &Impact) -> u8 {
    match impact {
        Impact::LosesHistory { .. } => 0,
        Impact::Restarts { .. } => 1,
        Impact::CutsConnections { .. } => 2,
        Impact::ScrapeGap { .. } => 3,
        Impact::FirstSidecar { .. } => 4,
        Impact::AlsoInjected { .. } => 5,
        Impact::EnvoyFilterStops { .. } => 6,
    }
}

/// An impact in one sentence.
pub fn sentence(impact: &Impact) -> String {
    match impact {
        Impact::LosesHistory { prometheus } => {
            format!("history of {prometheus} is lost: it restarts and its data is in an emptyDir")
        }
        Impact::ScrapeGap { prometheus } => {
            format!("{prometheus} restarts: scraping and alerting pause during the restart")
        }
        Impact::FirstSidecar { workload, strict } => {
            let clients = match strict {
                true => "; its mTLS mode is STRICT, so clients without a sidecar are refused",
                false => "",
            };
            format!(
                "{workload} gets its first sidecar: its pods enter the mesh, and their traffic goes through \
                 istio-proxy{clients}"
            )
        }
        Impact::AlsoInjected {
            namespace,
            workloads,
        } => {
            let names: Vec<String> = workloads
                .iter()
                .map(|w| format!("{} {}", w.kind.name(), w.name))
                .collect();
            format!(
                "in {namespace}, these workloads also get a sidecar at their next restart: {}",
                few(&names, 5)
            )
        }
        Impact::EnvoyFilterStops { filter, workload } => format!(
            "{filter} stops matching at {workload}: it selects an inbound cluster or route that is renamed"
        ),
        Impact::Restarts { workload, pods } => {
            let restart = if *pods == 1 { "restarts" } else { "restart" };
            format!("{} of {workload} {restart}", plural(*pods, "pod", "pods"))
        }
        Impact::CutsConnections { workload } => format!(
            "connections to {workload} that have been open for more than about 45 s are cut once"
        ),
    }
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests;
