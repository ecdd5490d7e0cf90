//! What an undo restarts: its rollouts, their impact, and the history that a Prometheus may lose with its pod.

use crate::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
use crate::mesh::{Storage, storage_of};
use crate::plan::{Action, Await, Change, Impact};
use serde_json::Value;
use std::sync::Arc;

/// A change of a pod template: its rollout is waited for, and its impact said.
pub(super) fn restart(
    change: &mut Change,
    prometheus: Option<&WorkloadRef>,
    live: &dyn Fn(&ObjectRef) -> Option<Arc<Value>>,
) {
    let object = &change.object;
    if object.kind == Kind::OperatorPrometheus {
        return operated(change, prometheus, live);
    }
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
    change.impacts.push(Impact::Restarts {
        workload: workload.clone(),
        pods,
    });
    if prometheus == Some(&workload) {
        change.impacts.push(Impact::ScrapeGap {
            prometheus: workload.clone(),
        });
        if now.as_deref().map(storage_of) == Some(Storage::EmptyDir) {
            change.impacts.push(Impact::LosesHistory {
                prometheus: workload,
            });
        }
    }
}

/// The operator makes the pod template anew, where what is said of the pods changes.
fn operated(
    change: &mut Change,
    prometheus: Option<&WorkloadRef>,
    live: &dyn Fn(&ObjectRef) -> Option<Arc<Value>>,
) {
    let (Some(workload), Action::Edit { leaves }) = (prometheus, &change.action) else {
        return;
    };
    let of_pods = leaves.iter().any(|edit| {
        ["podMetadata", "volumes", "volumeMounts"]
            .iter()
            .any(|field| edit.path.starts_with_fields(&["spec", field]))
    });
    if !of_pods {
        return;
    }
    let now = live(&change.object);
    let spec = now.as_deref().map(|now| &now["spec"]);
    let pods = spec.and_then(|spec| spec["replicas"].as_u64()).unwrap_or(1);
    change.then.extend([
        Await::Operated(workload.clone()),
        Await::Rollout(workload.clone()),
    ]);
    change.impacts.extend([
        Impact::Restarts {
            workload: workload.clone(),
            pods: usize::try_from(pods).unwrap_or(1),
        },
        Impact::ScrapeGap {
            prometheus: workload.clone(),
        },
    ]);
    // Without a claim its data is in an emptyDir (prometheus-operator, `makeStatefulSetSpec`).
    let lasting = |spec: &Value| !spec["storage"]["volumeClaimTemplate"].is_null();
    if spec.is_some_and(|spec| !lasting(spec)) {
        change.impacts.push(Impact::LosesHistory {
            prometheus: workload.clone(),
        });
    }
}
