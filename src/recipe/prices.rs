//! What the parts cost, as facts/istio.md measured it: shown where the choice is made.

use super::SECURE_PORT;
use crate::mesh::kinds::Kind;
use crate::mesh::{Prometheus, Storage, Workload};
use crate::plan::Price;

/// A new Sidecar renames the inbound chains and routes of the workload's ports: connections that live longer
/// than about 45 s are cut once, and EnvoyFilters on the old names stop matching in silence.
pub(super) fn listener(workload: &Workload) -> Vec<Price> {
    let stands = workload.ours.iter().any(|o| o.kind == Kind::Sidecar);
    if stands || workload.services.is_empty() {
        return Vec::new();
    }
    let mut prices = vec![Price::CutsConnections {
        workload: workload.id.clone(),
    }];
    prices.extend(
        workload
            .envoy_filters
            .iter()
            .map(|filter| Price::EnvoyFilterStops {
                filter: filter.clone(),
                workload: workload.id.clone(),
            }),
    );
    prices
}

/// Prometheus restarts once; with an `emptyDir` its history goes.
pub(super) fn prometheus(of: &Prometheus) -> Vec<Price> {
    let mut prices = vec![
        Price::Restarts {
            workload: of.id.clone(),
            pods: of.desired as usize,
        },
        Price::ScrapeGap {
            prometheus: of.id.clone(),
        },
    ];
    match &of.storage {
        Storage::EmptyDir => prices.extend([
            Price::LosesHistory {
                prometheus: of.id.clone(),
            },
            Price::Note(format!(
                "an undo restarts {} again and deletes the history gathered until then",
                of.id
            )),
        ]),
        Storage::Lasting(_) => {}
        Storage::Unknown => prices.push(Price::Note(format!(
            "history of {} may be lost in the restart: its storage is unknown",
            of.id
        ))),
    }
    if of.strategy == "RollingUpdate"
        && matches!(of.storage, Storage::Lasting(_))
        && of.id.kind == Kind::Deployment
    {
        prices.push(Price::Note(format!(
            "two pods of {} run during the rollout; a ReadWriteOnce volume can block the new pod",
            of.id
        )));
    }
    prices
}

/// Pods without an owner that carry the workload's labels: what our objects mean for them.
pub(super) fn strays(workload: &Workload) -> Option<Price> {
    let space = &workload.id.namespace;
    let names: Vec<String> = workload
        .strays
        .iter()
        .map(|pod| format!("{space}/{}", pod.name))
        .collect();
    let (what, them) = match &names[..] {
        [] => return None,
        [one] => (format!("Pod {one} has no owner and carries"), "it"),
        _ => (
            format!("Pods {} have no owner and carry", names.join(", ")),
            "them",
        ),
    };
    Some(Price::Note(format!(
        "{what} the labels of {}: port {SECURE_PORT} opens there too. Nothing annotates or restarts {them}, \
         so Prometheus scrapes {them} as before.",
        workload.id.name
    )))
}
