//! What the parts cost, as facts/istio.md measured it: shown where the choice is made.

use crate::mesh::kinds::Kind;
use crate::mesh::{Prometheus, Storage, Workload};
use crate::plan::Impact;
use crate::problems::Problem;

/// A new Sidecar renames the inbound chains and routes of the workload's ports: connections that live longer
/// than about 45 s are cut once, and EnvoyFilters on the old names stop matching in silence.
pub(super) fn listener(workload: &Workload) -> Vec<Impact> {
    let stands = workload.ours.iter().any(|o| o.kind == Kind::Sidecar);
    if stands || workload.services.is_empty() {
        return Vec::new();
    }
    let mut impacts = vec![Impact::CutsConnections {
        workload: workload.id.clone(),
    }];
    impacts.extend(
        workload
            .envoy_filters
            .iter()
            .map(|filter| Impact::EnvoyFilterStops {
                filter: filter.clone(),
                workload: workload.id.clone(),
            }),
    );
    impacts
}

/// Prometheus restarts once; with an `emptyDir` its history goes.
pub(super) fn prometheus(of: &Prometheus) -> Vec<Impact> {
    let mut impacts = vec![
        Impact::Restarts {
            workload: of.id.clone(),
            pods: of.desired as usize,
        },
        Impact::ScrapeGap {
            prometheus: of.id.clone(),
        },
    ];
    if matches!(of.storage, Storage::EmptyDir) {
        impacts.push(Impact::LosesHistory {
            prometheus: of.id.clone(),
        });
    }
    impacts
}

/// What its restart may bring besides.
pub(super) fn restart(of: &Prometheus) -> Option<Problem> {
    let subject = || (&of.id).into();
    let overlaps = of.strategy == "RollingUpdate" && of.id.kind == Kind::Deployment;
    match &of.storage {
        Storage::EmptyDir => Some(Problem::UndoLosesHistory { of: subject() }),
        Storage::Unknown => Some(Problem::StorageNotKnown { of: subject() }),
        Storage::Lasting(_) => overlaps.then(|| Problem::VolumeMayBlock { of: subject() }),
    }
}

/// Pods without an owner that carry the workload's labels: what our objects mean for them.
pub(super) fn strays(workload: &Workload) -> Option<Problem> {
    let pods: Vec<String> = workload
        .strays
        .iter()
        .map(|pod| format!("{}/{}", workload.id.namespace, pod.name))
        .collect();
    (!pods.is_empty()).then(|| Problem::StrayPods {
        of: (&workload.id).into(),
        pods,
    })
}
