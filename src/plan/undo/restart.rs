//! What an undo restarts: its rollouts, their price, and the history that a Prometheus may lose with its pod.

use crate::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
use crate::mesh::{Storage, storage_of};
use crate::plan::{Action, Await, Change, Price};
use serde_json::Value;
use std::sync::Arc;

/// A change of a pod template: its rollout is waited for, and its price said.
pub(super) fn restart(
    change: &mut Change,
    prometheus: Option<&WorkloadRef>,
    live: &dyn Fn(&ObjectRef) -> Option<Arc<Value>>,
) {
    let object = &change.object;
    let Action::Edit { leaves } = &change.action else {
        return;
    };
    let workload = matches!(
        object.kind,
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet
    );
    let template = leaves
        .iter()
        .any(|edit| edit.path.starts_with_fields(&["spec", "template"]));
    if !workload || !template {
        return;
    }
    let workload = WorkloadRef::new(&object.namespace, object.kind, &object.name);
    let now = live(object);
    let pods = now.as_deref().map_or(1, |now| {
        let count = match object.kind {
            Kind::DaemonSet => &now["status"]["desiredNumberScheduled"],
            _ => &now["spec"]["replicas"],
        };
        usize::try_from(count.as_u64().unwrap_or(1)).unwrap_or(1)
    });
    change.then.push(Await::Rollout(workload.clone()));
    change.prices.push(Price::Restarts {
        workload: workload.clone(),
        pods,
    });
    if prometheus == Some(&workload) {
        change.prices.push(Price::ScrapeGap {
            prometheus: workload.clone(),
        });
        if now.as_deref().map(storage_of) == Some(Storage::EmptyDir) {
            change.prices.push(Price::LosesHistory {
                prometheus: workload,
            });
        }
    }
}
