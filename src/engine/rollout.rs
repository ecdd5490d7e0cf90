//! Whether a rollout is done, judged as `kubectl rollout status` does.
//!
//! kubectl's rules look at `observedGeneration` first: without that a rollout seems complete right after
//! the patch that starts it.

pub(super) mod stuck;

pub use stuck::why_stuck;

use crate::words::say::engine as say;
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
        return going(say::NOT_SEEN_YET.into(), false);
    }
    if let Some(progressing) = condition(live, "Progressing")
        && progressing["reason"] == "ProgressDeadlineExceeded"
        && !paused
    {
        let why = progressing["message"].as_str().unwrap_or_default();
        return Rollout::Failed(
            say::past_its_deadline(why)
                .trim_end_matches([':', ' '])
                .to_owned(),
        );
    }
    let waits = if updated < desired {
        let made = share(updated, desired, say::new_pod_made, say::new_pods_made);
        Some((made, false))
    } else if replicas > updated {
        let old = match replicas - updated {
            1 => say::ONE_OLD_POD_ENDS.to_owned(),
            old => say::old_pods_end(old),
        };
        Some((old, false))
    } else if available < updated {
        let ready = share(
            available,
            updated,
            say::new_pod_available,
            say::new_pods_available,
        );
        Some((ready, true))
    } else {
        None
    };
    match waits {
        Some(_) if paused => Rollout::NeverByItself(say::PAUSED.into()),
        // A paused one whose change is not seen yet still shows the figures of before.
        None if paused && !observed(live) => Rollout::NeverByItself(say::PAUSED.into()),
        Some((note, says_ready)) => match condition(live, "ReplicaFailure") {
            Some(failure) if failure["status"] == "True" => {
                let why = failure["message"]
                    .as_str()
                    .unwrap_or(say::PODS_CANNOT_BE_MADE);
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
        return going(say::NOT_SEEN_YET.into(), false);
    }
    if ready < desired {
        return going(share(ready, desired, say::pod_ready, say::pods_ready), true);
    }
    let partition = count(&strategy["rollingUpdate"]["partition"]);
    if partition > 0 {
        let wanted = desired.saturating_sub(partition);
        if updated < wanted {
            let new = share(
                updated,
                wanted,
                say::pod_above_the_partition_new,
                say::pods_above_the_partition_new,
            );
            return going(new, false);
        }
        return Rollout::NeverByItself(match partition.min(desired) {
            1 => say::first_pod_keeps(partition),
            first => say::first_pods_keep(partition, first),
        });
    }
    if !strategy["rollingUpdate"].is_null() && updated < desired {
        return going(share(updated, desired, say::pod_new, say::pods_new), false);
    }
    if status["updateRevision"] != status["currentRevision"] {
        let revision = status["updateRevision"].as_str().unwrap_or("?");
        let at = match updated {
            1 => say::one_pod_at_revision(revision),
            _ => say::pods_at_revision(updated, revision),
        };
        return going(at, false);
    }
    Rollout::Done
}

/// `1 of 3 pods are ready`, `0 of 1 pod is ready`
fn share(part: u32, all: u32, one: fn(u32) -> String, many: fn(u32, u32) -> String) -> String {
    match all {
        1 => one(part),
        _ => many(part, all),
    }
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
        return going(say::NOT_SEEN_YET.into(), false);
    }
    if updated < desired {
        return going(share(updated, desired, say::pod_new, say::pods_new), false);
    }
    if available < desired {
        let ready = share(
            available,
            desired,
            say::new_pod_available,
            say::new_pods_available,
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
        1 => say::ONE_OLD_POD_STAYS.into(),
        old => say::old_pods_stay(old),
    })
}

#[cfg(test)]
mod tests;
