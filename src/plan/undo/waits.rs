//! What a pod template taken back waits for, and what it costs.

use crate::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
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
        if now.as_deref().is_some_and(forgets) {
            change.prices.push(Price::LosesHistory {
                prometheus: workload,
            });
        }
    }
}

/// Does this Prometheus lose its data with its pod: kept in an `emptyDir`, or in the container itself?
fn forgets(object: &Value) -> bool {
    let pod = &object["spec"]["template"]["spec"];
    let words = |container: &Value| -> Vec<String> {
        ["command", "args"]
            .iter()
            .flat_map(|field| container[*field].as_array().into_iter().flatten())
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect()
    };
    let Some((container, words)) = pod["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| (container, words(container)))
        .find(|(_, words)| words.iter().any(|word| word.starts_with("--config.file")))
    else {
        return false;
    };
    let path = words
        .iter()
        .find_map(|word| word.strip_prefix("--storage.tsdb.path="))
        .unwrap_or("/prometheus");
    let mount = container["volumeMounts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|mount| {
            mount["mountPath"].as_str().is_some_and(|at| {
                let at = at.trim_end_matches('/');
                path == at
                    || path
                        .strip_prefix(at)
                        .is_some_and(|rest| rest.starts_with('/'))
            })
        })
        .max_by_key(|mount| mount["mountPath"].as_str().map_or(0, str::len));
    let Some(mount) = mount else {
        return true;
    };
    pod["volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|volume| volume["name"] == mount["name"])
        .is_some_and(|volume| volume.get("emptyDir").is_some())
}
