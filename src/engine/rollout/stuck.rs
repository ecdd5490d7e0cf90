//! Why a rollout does not go on: read from its pods, their ReplicaSets and its controller's events.

use serde_json::Value;

/// Why new pods do not get ready, with the objects' names in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    pub why: String,
    /// What to try.
    pub hint: String,
    /// Waiting alone seldom cures it, so a rollout that stands still for it need not use up its whole time.
    pub lasting: bool,
}

impl Stuck {
    fn new(lasting: bool, why: String, hint: impl Into<String>) -> Self {
        Stuck {
            why,
            hint: hint.into(),
            lasting,
        }
    }
}

/// The first cause that the objects tell, the surest first.
///
/// `sets`: the ReplicaSets of the namespace (a Deployment's own are found by their owner); `pods`: its pods;
/// `events`: of the controllers, newest last. Each may be empty where it cannot be read.
pub fn why_stuck(live: &Value, sets: &[Value], pods: &[Value], events: &[Value]) -> Option<Stuck> {
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
    let of_pods: Vec<Stuck> = new_pods.filter_map(|pod| of_pod(namespace, pod)).collect();
    let surest = of_pods
        .iter()
        .find(|stuck| stuck.lasting)
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
fn not_made(owner: &Value, message: &str) -> Stuck {
    let namespace = words(owner, "/metadata/namespace");
    if message.contains("exceeded quota") {
        let why = format!("a ResourceQuota of namespace {namespace} is used up: {message}");
        let hint = format!("raise it, or make room: kubectl -n {namespace} describe resourcequota");
        return Stuck::new(true, why, hint);
    }
    if message.contains("PodSecurity") {
        let why = format!("Pod Security of namespace {namespace} forbids the new pods: {message}");
        let hint = "run Istio with its CNI plugin, so that the sidecar needs no such rights; or change the namespace's pod-security.kubernetes.io/enforce label";
        return Stuck::new(true, why, hint);
    }
    Stuck::new(
        true,
        format!("the API server refuses the new pods: {message}"),
        format!("kubectl -n {namespace} get events --field-selector reason=FailedCreate"),
    )
}

fn of_pod(namespace: &str, pod: &Value) -> Option<Stuck> {
    let name = words(pod, "/metadata/name");
    let see = |what: &str| format!("kubectl -n {namespace} {what} {name}");
    let condition = |kind: &str| list(pod, "/status/conditions").find(move |c| c["type"] == kind);
    if let Some(scheduled) = condition("PodScheduled").filter(|c| c["reason"] == "Unschedulable") {
        let why = words(scheduled, "/message");
        // More nodes may come.
        return Some(Stuck::new(
            false,
            format!("no node takes pod {name}: {why}"),
            see("describe pod"),
        ));
    }
    let containers =
        || list(pod, "/status/initContainerStatuses").chain(list(pod, "/status/containerStatuses"));
    for container in containers() {
        let own = words(container, "/name");
        let reason = words(container, "/state/waiting/reason");
        let message = words(container, "/state/waiting/message");
        let said = |what: String| match message {
            "" => what,
            message => format!("{what}: {message}"),
        };
        match reason {
            "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
                let image = words(container, "/image");
                return Some(Stuck::new(
                    true,
                    said(format!(
                        "the image {image} of container {own} in pod {name} cannot be pulled ({reason})"
                    )),
                    "look at the image's name, its registry and the pull secret",
                ));
            }
            "CrashLoopBackOff" => {
                let times = container["restartCount"].as_u64().unwrap_or(0);
                return Some(Stuck::new(
                    true,
                    said(format!(
                        "container {own} in pod {name} ends again and again ({times} restarts)"
                    )),
                    format!("kubectl -n {namespace} logs {name} -c {own} --previous"),
                ));
            }
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                return Some(Stuck::new(
                    true,
                    said(format!(
                        "container {own} in pod {name} cannot be started ({reason})"
                    )),
                    see("describe pod"),
                ));
            }
            _ => {}
        }
    }
    let unready = containers().find(|container| {
        container["ready"] == false && container["state"].get("running").is_some()
    })?;
    let own = words(unready, "/name");
    Some(Stuck::new(
        false,
        format!("container {own} in pod {name} runs, but is not ready: its readiness probe fails"),
        format!("kubectl -n {namespace} logs {name} -c {own}"),
    ))
}

#[cfg(test)]
#[path = "stuck_tests.rs"]
mod tests;
