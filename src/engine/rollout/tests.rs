use super::*;
use serde_json::json;

fn deployment_with(spec: Value, status: Value, generation: u64) -> Value {
    json!({"kind": "Deployment", "metadata": {"generation": generation}, "spec": spec, "status": status})
}

fn note(rollout: &Rollout) -> &str {
    match rollout {
        Rollout::Done => "done",
        Rollout::Going { note, .. } | Rollout::Failed(note) | Rollout::NeverByItself(note) => note,
    }
}

#[test]
fn a_deployment_is_judged_as_kubectl_does() {
    let table = [
        // (spec, status, generation, words that the judgement holds)
        (
            // Right after the patch the old figures still look complete.
            json!({"replicas": 2}),
            json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}),
            2,
            say::NOT_SEEN_YET.to_owned(),
        ),
        (
            json!({"replicas": 3}),
            json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 3}),
            2,
            say::new_pods_made(1, 3),
        ),
        (
            json!({"replicas": 2}),
            json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3}),
            2,
            say::ONE_OLD_POD_ENDS.to_owned(),
        ),
        (
            json!({"replicas": 2}),
            json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}),
            2,
            say::new_pods_available(1, 2),
        ),
        (
            json!({"replicas": 2}),
            json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}),
            2,
            "done".to_owned(),
        ),
        // The server sets replicas to 1 where none are given.
        (
            json!({}),
            json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}),
            1,
            "done".to_owned(),
        ),
        (
            json!({"replicas": 0}),
            json!({"observedGeneration": 1}),
            1,
            "done".to_owned(),
        ),
        (
            json!({"replicas": 1}),
            json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 0, "conditions": [
                {"type": "ReplicaFailure", "status": "True", "message": "pods is forbidden: violates PodSecurity"}]}),
            2,
            "violates PodSecurity".to_owned(),
        ),
    ];
    for (spec, status, generation, words) in table {
        let rollout = rollout_state(&deployment_with(spec, status.clone(), generation));
        assert!(note(&rollout).contains(&words), "{status}: {rollout:?}");
        assert_eq!(rollout == Rollout::Done, words == "done", "{status}");
        assert!(!matches!(
            rollout,
            Rollout::Failed(_) | Rollout::NeverByItself(_)
        ));
    }
}

#[test]
fn an_exceeded_deadline_fails_and_only_of_this_generation() {
    let status = |observed| {
        json!({"observedGeneration": observed, "replicas": 2, "updatedReplicas": 1, "conditions": [
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
             "message": "ReplicaSet \"x\" has timed out progressing."}]})
    };
    let failed = rollout_state(&deployment_with(json!({"replicas": 2}), status(2), 2));
    assert!(
        matches!(&failed, Rollout::Failed(why) if why.contains("has timed out progressing")),
        "{failed:?}"
    );
    let old = rollout_state(&deployment_with(json!({"replicas": 2}), status(1), 2));
    assert!(matches!(old, Rollout::Going { .. }), "{old:?}");
}

#[test]
fn a_paused_deployment_never_ends_by_itself() {
    let paused = json!({"replicas": 1, "paused": true});
    let complete = |observed| json!({"observedGeneration": observed, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
    let unseen = rollout_state(&deployment_with(paused.clone(), complete(1), 2));
    assert!(matches!(&unseen, Rollout::NeverByItself(why) if why == say::PAUSED));
    let waiting = json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 0});
    let waiting = rollout_state(&deployment_with(paused.clone(), waiting, 2));
    assert!(matches!(waiting, Rollout::NeverByItself(_)));
    assert_eq!(
        rollout_state(&deployment_with(paused, complete(2), 2)),
        Rollout::Done
    );
}

fn stateful_set_with(strategy: Value, status: Value) -> Rollout {
    rollout_state(&json!({
        "kind": "StatefulSet", "metadata": {"generation": 2},
        "spec": {"replicas": 3, "updateStrategy": strategy}, "status": status,
    }))
}

#[test]
fn a_stateful_set_is_judged_by_revision_and_partition() {
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}});
    let status = |observed: u64, ready: u64, updated: u64, current: &str| {
        json!({"observedGeneration": observed, "readyReplicas": ready, "updatedReplicas": updated,
            "currentRevision": current, "updateRevision": "b"})
    };
    let table = [
        (status(1, 3, 3, "b"), say::NOT_SEEN_YET.to_owned()),
        (status(2, 2, 3, "b"), say::pods_ready(2, 3)),
        (status(2, 3, 1, "a"), say::pods_new(1, 3)),
        (status(2, 3, 3, "a"), say::pods_at_revision(3, "b")),
        (status(2, 3, 3, "b"), "done".to_owned()),
    ];
    for (status, words) in table {
        let rollout = stateful_set_with(rolling.clone(), status.clone());
        assert!(note(&rollout).contains(&words), "{status}: {rollout:?}");
    }

    let partitioned = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    let going = stateful_set_with(partitioned.clone(), status(2, 3, 0, "a"));
    assert_eq!(note(&going), say::pod_above_the_partition_new(0));
    let rest = stateful_set_with(partitioned, status(2, 3, 1, "a"));
    assert_eq!(rest, Rollout::NeverByItself(say::first_pods_keep(2, 2)));

    let by_hand = stateful_set_with(json!({"type": "OnDelete"}), status(2, 3, 1, "a"));
    assert_eq!(by_hand, Rollout::NeverByItself(say::old_pods_stay(2)));
    assert_eq!(
        stateful_set_with(json!({"type": "OnDelete"}), status(2, 3, 3, "a")),
        Rollout::Done
    );
}

#[test]
fn a_daemon_set_counts_nodes() {
    let judge = |kind: &str, observed: u64, updated: u64, available: u64| {
        rollout_state(&json!({
            "kind": "DaemonSet", "metadata": {"generation": 2},
            "spec": {"updateStrategy": {"type": kind}},
            "status": {"observedGeneration": observed, "desiredNumberScheduled": 4,
                "updatedNumberScheduled": updated, "numberAvailable": available},
        }))
    };
    assert_eq!(note(&judge("RollingUpdate", 1, 4, 4)), say::NOT_SEEN_YET);
    assert_eq!(note(&judge("RollingUpdate", 2, 3, 4)), say::pods_new(3, 4));
    assert_eq!(
        note(&judge("RollingUpdate", 2, 4, 3)),
        say::new_pods_available(3, 4)
    );
    assert_eq!(judge("RollingUpdate", 2, 4, 4), Rollout::Done);
    assert!(matches!(
        judge("OnDelete", 2, 1, 4),
        Rollout::NeverByItself(_)
    ));
    // The figures are still those of the template before.
    let unseen = judge("OnDelete", 1, 4, 4);
    assert_eq!(unseen, Rollout::NeverByItself(say::old_pods_stay(4)));
}

#[test]
fn what_has_no_rollout_is_done() {
    assert_eq!(
        rollout_state(&json!({"kind": "Pod", "metadata": {"generation": 3}})),
        Rollout::Done
    );
}
