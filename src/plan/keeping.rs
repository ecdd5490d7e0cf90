//! What a run keeps of itself in the cluster: its record, so that a colleague on another machine can go on
//! or take it back, and a lock, so that two runs do not write at once. Both are rows of the review.

use super::record::Who;
use super::{Action, Change, ChangeId, Part, Plan};
use crate::mesh::Mesh;
use crate::mesh::kinds::{Kind, MANAGER, ObjectRef};
use crate::plan::purpose::Purpose;
use serde_json::{Value, json};

/// The lock's name; the cluster's lies in Istio's root namespace.
pub const LOCK: &str = "meshscrape";
/// Label on a run's Secrets: the run's id.
pub const RUN_LABEL: &str = "meshscrape.dev/run";
/// Label on a run's Secrets that all of them share, to list them by.
pub const RECORD_LABEL: &str = "meshscrape.dev/record";
/// The Secret's key that holds the record, a JSON object a line.
pub const KEY: &str = "run.jsonl";
/// Seconds after which a lock that nobody renews may be taken over.
pub const LOCK_SECONDS: u32 = 30;

/// The lock in this namespace.
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
            "holderIdentity": who.holder(),
            "leaseDurationSeconds": LOCK_SECONDS,
        },
    })
}

/// Where the locks of this mesh lie.
pub fn place(plan: &mut Plan, mesh: &Mesh) {
    let root = mesh.istio.root_namespace.clone();
    plan.root = root.filter(|root| !root.is_empty());
    plan.homes = mesh.homes();
}

/// The namespaces in which a lock keeps this plan's run away, each once: the cluster's first.
pub fn places(plan: &Plan) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    for place in plan.root.iter().chain(&plan.home).chain(&plan.homes) {
        if !all.contains(&place.as_str()) {
            all.push(place);
        }
    }
    all
}

/// Puts the rows of lock and record before the changes of a plan that has any, and after those of an undo
/// the end of the record that it makes needless.
///
/// The lock in Istio's root namespace keeps every other run away. That in Prometheus's namespace is what older
/// versions know, and users without the right to the root namespace. An undo keeps no record of its own in the
/// cluster: that of the run which it takes back serves.
pub fn keep(plan: &mut Plan, run: &str, who: &Who) {
    if plan.changes.is_empty() {
        return;
    }
    let apply = |object: ObjectRef, intent: Value, purpose: Purpose| {
        row(object, Action::Apply { intent }, purpose)
    };
    let home = plan.home.clone();
    let root = plan.root.clone().or_else(|| home.clone());
    let mut rows = Vec::new();
    if let Some(root) = &root {
        rows.push(apply(
            lock(root),
            lock_object(root, who, run),
            Purpose::Lock,
        ));
    }
    if let Some(home) = home.as_ref().filter(|home| root.as_ref() != Some(*home)) {
        rows.push(apply(
            lock(home),
            lock_object(home, who, run),
            Purpose::FormerLock,
        ));
    }
    if let (Some(home), None) = (&home, &plan.undoes) {
        let object = record(home, run, 0);
        let intent = record_object(&object, run, "");
        rows.push(apply(object, intent, Purpose::Record));
    }
    rows.append(&mut plan.changes);
    plan.changes = rows;
}

/// What a run goes without where the lock in this namespace cannot be taken; `others` are those that are.
pub fn unguarded(plan: &Plan, place: &str, others: &[&str]) -> String {
    match (plan.root.as_deref() == Some(place), others.first()) {
        (_, None) => "no lock: other runs can write at the same time".into(),
        (true, Some(home)) => format!(
            "no lock for the whole cluster: runs for a Prometheus outside namespace {home} are not excluded"
        ),
        (false, Some(_)) => format!(
            "no lock in namespace {place}: runs of older versions, and of users without access to the cluster's lock, are not excluded"
        ),
    }
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
        let mut change = row(object, Action::Delete { uid }, Purpose::RecordUndone);
        change.needs.clone_from(&needs);
        plan.changes.push(change);
    }
}

fn row(object: ObjectRef, action: Action, purpose: Purpose) -> Change {
    Change::new(object, Part::Journal, action, purpose)
}
