//! What a run keeps of itself in the cluster: its record, so that a colleague on another machine can go on
//! or take it back, and a lock, so that two runs do not write at once. Both are rows of the review.

use super::record::Who;
use super::{Action, Change, ChangeId, Part, Plan};
use crate::mesh::kinds::{Kind, MANAGER, ObjectRef};
use serde_json::{Value, json};

/// The lock's name; there is one in the namespace of each Prometheus.
pub const LOCK: &str = "meshscrape";
/// Label on a run's Secrets: the run's id.
pub const RUN_LABEL: &str = "meshscrape.dev/run";
/// Label on a run's Secrets that all of them share, to list them by.
pub const RECORD_LABEL: &str = "meshscrape.dev/record";
/// The Secret's key that holds the record, a JSON object a line.
pub const KEY: &str = "run.jsonl";
/// Seconds after which a lock that nobody renews may be taken over.
pub const LOCK_SECONDS: u32 = 30;

/// The lock of the runs that a Prometheus of this namespace is for.
pub fn lock(namespace: &str) -> ObjectRef {
    ObjectRef::new(Kind::Lease, namespace, LOCK)
}

/// The Secret with the record of a run; further parts, where one is too small, end with their number.
pub fn record(namespace: &str, run: &str, part: usize) -> ObjectRef {
    let name = match part {
        0 => format!("meshscrape-run-{run}"),
        n => format!("meshscrape-run-{run}-{}", n + 1),
    };
    ObjectRef::new(Kind::Secret, namespace, name)
}

/// The Secret as it is written, with that text as record.
pub fn record_object(object: &ObjectRef, run: &str, text: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {
            "namespace": object.namespace, "name": object.name,
            "labels": {
                "app.kubernetes.io/managed-by": MANAGER,
                RUN_LABEL: run, RECORD_LABEL: "run",
            },
        },
        "data": { KEY: k8s_openapi::ByteString(text.as_bytes().to_vec()) },
    })
}

/// The lock as it is made; the times are filled in when it is taken.
pub fn lock_object(namespace: &str, who: &Who, run: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {
            "namespace": namespace, "name": LOCK,
            "labels": { "app.kubernetes.io/managed-by": MANAGER },
            "annotations": { RUN_LABEL: run },
        },
        "spec": {
            "holderIdentity": format!("{who}/{}", who.pid),
            "leaseDurationSeconds": LOCK_SECONDS,
        },
    })
}

/// Puts the rows of lock and record before the changes of a plan that has any, and after those of an undo
/// the end of the record that it makes needless.
///
/// An undo keeps no record of its own in the cluster: that of the run which it takes back serves.
pub fn keep(plan: &mut Plan, run: &str, who: &Who) {
    let Some(home) = plan.home.clone().filter(|_| !plan.changes.is_empty()) else {
        return;
    };
    let apply = |object: ObjectRef, intent: Value, why: &str| {
        row(object, Action::Apply { intent }, why.to_owned())
    };
    let mut rows = vec![apply(
        lock(&home),
        lock_object(&home, who, run),
        "keeps a second run from writing at the same time; gone when this one ends",
    )];
    if plan.undoes.is_none() {
        let object = record(&home, run, 0);
        let intent = record_object(&object, run, "");
        let why = "the record of this run, so that it can be taken back from any machine";
        rows.push(apply(object, intent, why));
    }
    rows.append(&mut plan.changes);
    plan.changes = rows;
}

/// The end of a run's record: after everything of the run is taken back. Leaving anything out keeps the record.
pub fn forget(plan: &mut Plan, secrets: &[Value]) {
    let needs: Vec<ChangeId> = plan
        .changes
        .iter()
        .map(|change| change.id.clone())
        .filter(|id| !plan.held.contains(id))
        .collect();
    for secret in secrets {
        let meta = |field: &str| secret["metadata"][field].as_str().unwrap_or_default();
        let object = ObjectRef::new(Kind::Secret, meta("namespace"), meta("name"));
        let uid = meta("uid").to_owned();
        let why = "the record of the run that is taken back".to_owned();
        let mut change = row(object, Action::Delete { uid }, why);
        change.needs.clone_from(&needs);
        plan.changes.push(change);
    }
}

fn row(object: ObjectRef, action: Action, why: String) -> Change {
    Change::new(object, Part::Journal, action, why)
}
