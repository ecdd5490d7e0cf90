//! Why a rollout does not go on: read from its pods, their ReplicaSets and its controller's events.

use crate::problems::{Problem, Subject};
use serde_json::Value;

/// The first cause that the objects tell, the surest first.
///
/// `sets`: the ReplicaSets of the namespace (a Deployment's own are found by their owner); `pods`: its pods;
/// `events`: of the controllers, newest last. Each may be empty where it cannot be read.
pub fn why_stuck(
    live: &Value,
    sets: &[Value],
    pods: &[Value],
    events: &[Value],
) -> Option<Problem> {
    let namespace = words(live, "/metadata/namespace");
    let newest = newest_set(live, sets);
    for owner in std::iter::once(live).chain(newest) {
        if let Some(failure) = replica_failure(owner) {
            return Some(not_made(owner, failure));
        }
    }
    let owner = newest.map_or_else(
        || words(live, "/metadata/uid"),
        |set| words(set, "/metadata/uid"),
    );
    let revision = words(live, "/status/updateRevision");
    let new_pods = pods.iter().filter(|pod| {
        owned_by(pod, owner)
            && pod["metadata"].get("deletionTimestamp").is_none()
            && (revision.is_empty()
                || pod["metadata"]["labels"]["controller-revision-hash"] == revision)
    });
    let of_pods: Vec<Problem> = new_pods.filter_map(|pod| of_pod(namespace, pod)).collect();
    let surest = of_pods
        .iter()
        .find(|stuck| stuck.lasts())
        .or(of_pods.first());
    if let Some(stuck) = surest {
        return Some(stuck.clone());
    }
    let written = written_at(live);
    let failed = events.iter().rev().find(|event| {
        event["reason"] == "FailedCreate"
            && is_since(event, written)
            && [owner, words(live, "/metadata/uid")].contains(&words(event, "/involvedObject/uid"))
    });
    failed.map(|event| not_made(live, words(event, "/message")))
}

fn words<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten()
}

fn owned_by(object: &Value, uid: &str) -> bool {
    list(object, "/metadata/ownerReferences").any(|owner| owner["uid"] == uid)
}

/// The ReplicaSet of the newest revision, which is the one being rolled out.
fn newest_set<'a>(live: &Value, sets: &'a [Value]) -> Option<&'a Value> {
    let revision = |set: &Value| -> u64 {
        set["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    };
    let uid = words(live, "/metadata/uid");
    sets.iter()
        .filter(|set| owned_by(set, uid))
        .max_by_key(|set| revision(set))
}

fn replica_failure(owner: &Value) -> Option<&str> {
    list(owner, "/status/conditions")
        .find(|condition| condition["type"] == "ReplicaFailure" && condition["status"] == "True")
        .map(|condition| words(condition, "/message"))
}

/// When somebody last wrote the object itself, by the server's clock, as events are: RFC 3339 in whole seconds.
fn written_at(live: &Value) -> Option<&str> {
    list(live, "/metadata/managedFields")
        .filter(|entry| entry.get("subresource").is_none())
        .filter_map(|entry| entry["time"].as_str())
        .max()
}

/// Events stand for an hour: one of an earlier rollout tells nothing of this one.
fn is_since(event: &Value, written: Option<&str>) -> bool {
    let times = ["/lastTimestamp", "/series/lastObservedTime", "/eventTime"];
    let seen = times.map(|at| words(event, at)).into_iter().max();
    match (seen.filter(|seen| !seen.is_empty()), written) {
        // Compared as text: a fraction of a second sorts before the `Z` of the whole one.
        (Some(seen), Some(written)) => seen.get(..19) >= written.get(..19),
        _ => true,
    }
}

/// The server refused to make the pod: quota, Pod Security, or an admission webhook, in its own words.
fn not_made(owner: &Value, message: &str) -> Problem {
    let of = Subject::new(
        words(owner, "/kind").to_owned(),
        words(owner, "/metadata/namespace"),
        words(owner, "/metadata/name"),
    );
    refused(of, message)
}

/// Why the server refuses a pod, by its own words.
pub(in crate::engine) fn refused(of: Subject, message: &str) -> Problem {
    let said = message.to_owned();
    // The API server's own markers, in whatever words a webhook adds.
    if message.contains("exceeded quota") {
        return Problem::QuotaUsedUp { of, said };
    }
    match message.contains("PodSecurity") {
        true => Problem::PodSecurityForbids { of, said },
        false => Problem::PodsRefused { of, said },
    }
}

fn of_pod(namespace: &str, pod: &Value) -> Option<Problem> {
    let of = Subject::new("Pod", namespace, words(pod, "/metadata/name"));
    let condition = |kind: &str| list(pod, "/status/conditions").find(move |c| c["type"] == kind);
    if let Some(scheduled) = condition("PodScheduled").filter(|c| c["reason"] == "Unschedulable") {
        let said = words(scheduled, "/message").to_owned();
        return Some(Problem::NoNode { of, said });
    }
    let containers =
        || list(pod, "/status/initContainerStatuses").chain(list(pod, "/status/containerStatuses"));
    for status in containers() {
        let text = |at: &str| words(status, at).to_owned();
        let (container, reason) = (text("/name"), text("/state/waiting/reason"));
        let said = text("/state/waiting/message");
        match &*reason {
            "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
                return Some(Problem::ImageNotPulled {
                    of,
                    image: text("/image"),
                    container,
                    reason,
                    said,
                });
            }
            "CrashLoopBackOff" => {
                return Some(Problem::ContainerCrashes {
                    of,
                    container,
                    restarts: status["restartCount"].as_u64().unwrap_or(0),
                    said,
                });
            }
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                return Some(Problem::ContainerNotStarted {
                    of,
                    container,
                    reason,
                    said,
                });
            }
            _ => {}
        }
    }
    let unready = containers().find(|container| {
        container["ready"] == false && container["state"].get("running").is_some()
    })?;
    Some(Problem::ContainerNotReady {
        of,
        container: words(unready, "/name").to_owned(),
    })
}

#[cfg(test)]
mod tests;
