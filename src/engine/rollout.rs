//! Whether a rollout is done, judged as `kubectl rollout status` does.
//!
//! kubectl's rules look at `observedGeneration` first: without that a rollout seems complete right after
//! the patch that starts it.

pub(super) mod stuck;

pub use stuck::why_stuck;

use serde_json::Value;

/// How far the rollout of a Deployment, StatefulSet or DaemonSet is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rollout {
    Done,
    Going {
        /// Pods of the new template.
        updated: u32,
        /// Of those wanted, the ready ones (available ones, where the kind counts them).
        ready: u32,
        desired: u32,
        note: String,
        /// The note has the ready ones in it.
        says_ready: bool,
    },
    /// It has failed: why, in words.
    Failed(String),
    /// The controller will not finish it without somebody's help: what is needed, in words.
    NeverByItself(String),
}

/// Judges a live object. Kinds without a rollout are done at once.
pub fn rollout_state(live: &Value) -> Rollout {
    match live["kind"].as_str() {
        Some("Deployment") => deployment(live),
        Some("StatefulSet") => stateful_set(live),
        Some("DaemonSet") => daemon_set(live),
        _ => Rollout::Done,
    }
}

fn count(value: &Value) -> u32 {
    value.as_u64().and_then(|n| n.try_into().ok()).unwrap_or(0)
}

fn observed(live: &Value) -> bool {
    let observed = live["status"]["observedGeneration"].as_u64().unwrap_or(0);
    observed >= live["metadata"]["generation"].as_u64().unwrap_or(0)
}

fn condition<'a>(live: &'a Value, name: &str) -> Option<&'a Value> {
    let conditions = live["status"]["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == name)
}

fn deployment(live: &Value) -> Rollout {
    let status = &live["status"];
    let desired = live["spec"]["replicas"].as_u64().map_or(1, |n| n as u32);
    let (replicas, updated, available) = (
        count(&status["replicas"]),
        count(&status["updatedReplicas"]),
        count(&status["availableReplicas"]),
    );
    let going = |note: String, says_ready| Rollout::Going {
        updated,
        ready: available,
        desired,
        note,
        says_ready,
    };
    let paused = live["spec"]["paused"] == true;
    if !observed(live) && !paused {
        return going("the change is not seen by the controller yet".into(), false);
    }
    if let Some(progressing) = condition(live, "Progressing")
        && progressing["reason"] == "ProgressDeadlineExceeded"
        && !paused
    {
        let why = progressing["message"].as_str().unwrap_or_default();
        return Rollout::Failed(
            format!("the rollout exceeded its progress deadline: {why}")
                .trim_end_matches([':', ' '])
                .to_owned(),
        );
    }
    let waits = if updated < desired {
        let made = share(updated, desired, "new pod was made", "new pods were made");
        Some((made, false))
    } else if replicas > updated {
        let old = match replicas - updated {
            1 => "1 old pod still ends".to_owned(),
            old => format!("{old} old pods still end"),
        };
        Some((old, false))
    } else if available < updated {
        let ready = share(
            available,
            updated,
            "new pod is available",
            "new pods are available",
        );
        Some((ready, true))
    } else {
        None
    };
    match waits {
        Some(_) if paused => Rollout::NeverByItself(
            "the Deployment is paused: its pods are replaced when it is resumed (kubectl rollout resume)"
                .into(),
        ),
        // A paused one whose change is not seen yet still shows the figures of before.
        None if paused && !observed(live) => Rollout::NeverByItself(
            "the Deployment is paused: its pods are replaced when it is resumed (kubectl rollout resume)"
                .into(),
        ),
        Some((note, says_ready)) => match condition(live, "ReplicaFailure") {
            Some(failure) if failure["status"] == "True" => {
                let why = failure["message"].as_str().unwrap_or("pods cannot be made");
                going(format!("{note}; {why}"), says_ready)
            }
            _ => going(note, says_ready),
        },
        None => Rollout::Done,
    }
}

fn stateful_set(live: &Value) -> Rollout {
    let status = &live["status"];
    let desired = live["spec"]["replicas"].as_u64().map_or(1, |n| n as u32);
    let (updated, ready) = (
        count(&status["updatedReplicas"]),
        count(&status["readyReplicas"]),
    );
    let going = |note: String, says_ready| Rollout::Going {
        updated,
        ready,
        desired,
        note,
        says_ready,
    };
    let strategy = &live["spec"]["updateStrategy"];
    if strategy["type"] == "OnDelete" {
        return on_delete(live, updated, desired);
    }
    if !observed(live) || count(&status["observedGeneration"]) == 0 {
        return going("the change is not seen by the controller yet".into(), false);
    }
    if ready < desired {
        return going(
            share(ready, desired, "pod is ready", "pods are ready"),
            true,
        );
    }
    let partition = count(&strategy["rollingUpdate"]["partition"]);
    if partition > 0 {
        let wanted = desired.saturating_sub(partition);
        if updated < wanted {
            let new = share(
                updated,
                wanted,
                "pod above the partition is new",
                "pods above the partition are new",
            );
            return going(new, false);
        }
        let first = match partition.min(desired) {
            1 => "first pod keeps".to_owned(),
            n => format!("first {n} pods keep"),
        };
        return Rollout::NeverByItself(format!(
            "the StatefulSet has partition {partition}: its {first} the old template until the partition is lowered"
        ));
    }
    if !strategy["rollingUpdate"].is_null() && updated < desired {
        return going(share(updated, desired, "pod is new", "pods are new"), false);
    }
    if status["updateRevision"] != status["currentRevision"] {
        let pods = if updated == 1 { "pod is" } else { "pods are" };
        let revision = status["updateRevision"].as_str().unwrap_or("?");
        return going(format!("{updated} {pods} at revision {revision}"), false);
    }
    Rollout::Done
}

/// `1 of 3 pods are ready`, `0 of 1 pod is ready`
fn share(part: u32, all: u32, one: &str, many: &str) -> String {
    format!("{part} of {all} {}", if all == 1 { one } else { many })
}

fn daemon_set(live: &Value) -> Rollout {
    let status = &live["status"];
    let (desired, updated, available) = (
        count(&status["desiredNumberScheduled"]),
        count(&status["updatedNumberScheduled"]),
        count(&status["numberAvailable"]),
    );
    let going = |note: String, says_ready| Rollout::Going {
        updated,
        ready: available,
        desired,
        note,
        says_ready,
    };
    if live["spec"]["updateStrategy"]["type"] == "OnDelete" {
        return on_delete(live, updated, desired);
    }
    if !observed(live) {
        return going("the change is not seen by the controller yet".into(), false);
    }
    if updated < desired {
        return going(share(updated, desired, "pod is new", "pods are new"), false);
    }
    if available < desired {
        let ready = share(
            available,
            desired,
            "new pod is available",
            "new pods are available",
        );
        return going(ready, true);
    }
    Rollout::Done
}

/// kubectl refuses to judge `OnDelete`; it is done only when somebody has deleted every old pod.
fn on_delete(live: &Value, updated: u32, desired: u32) -> Rollout {
    let seen = observed(live);
    if seen && updated >= desired {
        return Rollout::Done;
    }
    // Until the controller has seen the change, its figures are those of the template before.
    let updated = if seen { updated } else { 0 };
    Rollout::NeverByItself(match desired.saturating_sub(updated) {
        1 => "its update strategy is OnDelete: 1 pod keeps the old template until you delete it"
            .into(),
        old => format!(
            "its update strategy is OnDelete: {old} pods keep the old template until you delete them"
        ),
    })
}

#[cfg(test)]
mod tests;
