use super::*;
use crate::problems::tests::told;
use crate::problems::{Code, tests::absent};
use serde_json::json;

fn deployment() -> Value {
    json!({"kind": "Deployment", "metadata": {"namespace": "shop", "name": "cart", "uid": "d"}})
}

fn set(uid: &str, revision: &str, conditions: Value) -> Value {
    json!({"metadata": {"namespace": "shop", "name": format!("cart-{uid}"), "uid": uid,
            "annotations": {"deployment.kubernetes.io/revision": revision}, "ownerReferences": [{"uid": "d"}]},
        "status": {"conditions": conditions}})
}

fn pod(owner: &str, status: Value) -> Value {
    json!({"metadata": {"name": format!("cart-{owner}-x"), "ownerReferences": [{"uid": owner}]}, "status": status})
}

fn waiting(reason: &str) -> Value {
    json!({"containerStatuses": [{"name": "app", "image": "r/cart:2", "ready": false, "restartCount": 4,
        "state": {"waiting": {"reason": reason, "message": "its own words"}}}]})
}

#[test]
fn each_cause_is_named_with_its_object() {
    let unschedulable = json!({"conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "0/3 nodes are available: 3 Insufficient cpu."}]});
    let unready = json!({"containerStatuses": [
        {"name": "app", "ready": false, "state": {"running": {}}}]});
    let table = [
        (
            waiting("ErrImagePull"),
            Code::ImageNotPulled,
            true,
            "image=r/cart:2",
        ),
        (
            waiting("ImagePullBackOff"),
            Code::ImageNotPulled,
            true,
            "said=its own words",
        ),
        (
            waiting("CrashLoopBackOff"),
            Code::ContainerCrashes,
            true,
            "restarts=4",
        ),
        (
            waiting("CreateContainerConfigError"),
            Code::ContainerNotStarted,
            true,
            "reason=CreateContainerConfigError",
        ),
        (unschedulable, Code::NoNode, false, "said=0/3 nodes"),
        (unready, Code::ContainerNotReady, false, "container=app"),
    ];
    let sets = [set("old", "1", json!([])), set("new", "10", json!([]))];
    for (status, code, lasting, words) in table {
        let pods = [
            pod("old", waiting("CrashLoopBackOff")),
            pod("new", status.clone()),
        ];
        let stuck = why_stuck(&deployment(), &sets, &pods, &[]).unwrap();
        assert!(told(&stuck).contains(words), "{stuck:?}");
        assert_eq!(stuck.of().name, "cart-new-x", "{stuck:?}");
        assert_eq!((stuck.code(), stuck.lasts()), (code, lasting), "{status}");
    }
    let healthy =
        json!({"containerStatuses": [{"name": "app", "ready": true, "state": {"running": {}}}]});
    assert_eq!(
        why_stuck(&deployment(), &sets, &[pod("new", healthy)], &[]),
        None
    );
    // What each of them is not: on its way, done, or another state of a container.
    let of = |status: Value| why_stuck(&deployment(), &sets, &[pod("new", status)], &[]);
    absent(Code::ImageNotPulled, of(waiting("ContainerCreating")));
    absent(Code::ContainerCrashes, of(waiting("ErrImagePull")));
    absent(Code::ContainerNotStarted, of(waiting("PodInitializing")));
    let scheduled = json!({"conditions": [{"type": "PodScheduled", "status": "True"}]});
    absent(Code::NoNode, of(scheduled));
    let ready =
        json!({"containerStatuses": [{"name": "app", "ready": true, "state": {"running": {}}}]});
    absent(Code::ContainerNotReady, of(ready));
    // A pod of the template before says nothing of this rollout.
    let old = [pod("old", waiting("ErrImagePull"))];
    assert_eq!(why_stuck(&deployment(), &sets, &old, &[]), None);
}

#[test]
fn pods_that_the_server_refuses_are_told_in_its_words() {
    let failure = |message: &str| json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}]);
    let table = [
        (
            "pods \"x\" is forbidden: exceeded quota: small, requested: pods=1",
            Code::QuotaUsedUp,
        ),
        (
            "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\"",
            Code::PodSecurityForbids,
        ),
        (
            "admission webhook \"deny.example\" denied the request: no",
            Code::PodsRefused,
        ),
    ];
    for (message, code) in table {
        let stuck = why_stuck(
            &deployment(),
            &[set("new", "1", failure(message))],
            &[],
            &[],
        )
        .unwrap();
        assert!(
            told(&stuck).ends_with(&format!("said={message}")),
            "{stuck:?}"
        );
        assert!(stuck.lasts());
        assert_eq!(stuck.code(), code);
    }
    let of = |message: &str| {
        let set = set("new", "1", failure(message));
        why_stuck(&deployment(), &[set], &[], &[])
    };
    absent(
        Code::QuotaUsedUp,
        of("admission webhook \"quota.example\" denied the request: no"),
    );
    absent(Code::PodSecurityForbids, of(table[0].0));
    absent(Code::PodsRefused, of(table[1].0));
    // StatefulSets and DaemonSets have no such condition: only an event tells.
    let stateful =
        json!({"kind": "StatefulSet", "metadata": {"namespace": "shop", "name": "db", "uid": "s"}});
    let event = |uid: &str| json!({"reason": "FailedCreate", "message": table[0].0, "involvedObject": {"uid": uid}});
    let stuck = why_stuck(&stateful, &[], &[], &[event("s")]).unwrap();
    assert!(told(&stuck).contains("exceeded quota: small"), "{stuck:?}");
    assert_eq!(why_stuck(&stateful, &[], &[], &[event("other")]), None);
    // An event from before the last write is of another rollout; the controller's own status counts for none.
    let mut written = stateful.clone();
    written["metadata"]["managedFields"] = json!([
        {"manager": "meshscrape", "time": "2026-11-26T10:00:00Z"},
        {"manager": "kube-controller-manager", "time": "2026-11-26T10:00:09Z", "subresource": "status"},
    ]);
    let at = |time: &str| {
        let mut event = event("s");
        event["lastTimestamp"] = json!(time);
        why_stuck(&written, &[], &[], &[event]).is_some()
    };
    assert!(!at("2026-11-26T09:59:59Z"));
    assert!(at("2026-11-26T10:00:00Z"));
    let mut newer = event("s");
    newer["eventTime"] = json!("2026-11-26T10:00:00.123456Z");
    newer["lastTimestamp"] = json!(null);
    assert!(why_stuck(&written, &[], &[], &[newer]).is_some());
}

#[test]
fn of_a_stateful_set_only_pods_of_the_new_revision_speak() {
    let mut live =
        json!({"kind": "StatefulSet", "metadata": {"namespace": "shop", "name": "db", "uid": "s"}});
    live["status"]["updateRevision"] = json!("b");
    let of = |revision: &str| {
        let mut pod = pod("s", waiting("CrashLoopBackOff"));
        pod["metadata"]["labels"]["controller-revision-hash"] = json!(revision);
        pod
    };
    assert_eq!(why_stuck(&live, &[], &[of("a")], &[]), None);
    assert!(why_stuck(&live, &[], &[of("b")], &[]).is_some());
}
