//! What is added to objects of others that govern a workload already, where one of ours beside it would count for
//! nothing or take its place.
//!
//! Facts: of several PeerAuthentications that select a pod istiod takes the oldest (`AuthenticationPolicies.
//! GetPeerAuthenticationsForWorkload`, `ComposePeerAuthentication`). ALLOW policies add up, and an ALLOW policy of ours
//! would close every other port of the pod on the day on which theirs go. Of Sidecars one counts, see `reach::sidecar`.

use super::reaching::reaching;
use super::select::Item;
use super::{METRICS_PATH, SECURE_PORT};
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::objects::AuthorizationPolicy;
use crate::mesh::{Governing, Mesh, Prometheus, Workload, owner};
use crate::plan::path::LeafPath;
use crate::plan::purpose::{Purpose, Reader};
use crate::plan::{Action, Await, Change, Expected, LeafEdit, Part};
use crate::reach::authorization::Refused;
use crate::reach::by_age;
use crate::reach::path::Fault;
use serde_json::{Value, json};

/// The PeerAuthentication that governs the workload demands mTLS on the secure port too.
pub(super) fn peer_authentication(workload: &Workload, theirs: &Governing) -> Change {
    let object = theirs.object.clone();
    let intent = json!({
        "apiVersion": object.kind.api_version(),
        "kind": object.kind.name(),
        "metadata": {"name": object.name, "namespace": object.namespace},
        "spec": {"portLevelMtls": {SECURE_PORT.to_string(): {"mode": "STRICT"}}},
    });
    Change {
        then: vec![Await::ReadBack],
        ..Change::new(
            object,
            Part::Policy,
            Action::Apply { intent },
            Purpose::MutualTlsOnly {
                workload: workload.id.name.clone(),
            },
        )
    }
}

/// The ALLOW policies that keep this Prometheus off an item's secure port, and nothing else does.
fn closed(mesh: &Mesh, of: &Prometheus, item: &Item<'_>) -> Option<Vec<ObjectRef>> {
    let steps = reaching(mesh, of, item).into_iter();
    let mut refused = steps.filter_map(|(_, step)| match step.fault() {
        Some(Fault::Refused(Refused::NotAllowed(all))) => Some(all.clone()),
        _ => None,
    });
    refused.next()
}

/// Of these, the one that a rule is added to: nobody would revert it, and it governs as few others as may be.
pub(super) fn writable<'a>(
    mesh: &'a Mesh,
    namespace: &str,
    all: &[ObjectRef],
) -> Option<&'a AuthorizationPolicy> {
    let policies = mesh.rules.policies.as_ref().ok()?.iter();
    let is_one = |policy: &&AuthorizationPolicy| {
        let meta = &policy.metadata;
        let of = ObjectRef::new(Kind::AuthorizationPolicy, &meta.namespace, &meta.name);
        all.contains(&of) && owner::owner(meta).is_none()
    };
    policies.filter(is_one).min_by_key(|policy| {
        let wide = policy.spec["selector"]["matchLabels"].is_null();
        let elsewhere = policy.metadata.namespace != namespace;
        (elsewhere, wide, by_age(&policy.metadata))
    })
}

/// A rule that lets Prometheus in, in the ALLOW policy that keeps it out; `None`: none does.
pub(super) fn allowed(
    mesh: &Mesh,
    of: &Prometheus,
    item: &Item<'_>,
    principal: &str,
    reader: &Reader,
) -> Option<Change> {
    let workload = item.workload;
    let policy = writable(mesh, &workload.id.namespace, &closed(mesh, of, item)?)?;
    let meta = &policy.metadata;
    let today = &policy.spec["rules"];
    let mut rules = today.as_array().cloned().unwrap_or_default();
    rules.push(json!({
        "from": [{"source": {"principals": [principal]}}],
        "to": [{"operation": {
            "ports": [SECURE_PORT.to_string()],
            "methods": ["GET"],
            "paths": [METRICS_PATH],
        }}],
    }));
    Some(Change {
        then: vec![Await::ReadBack],
        ..Change::new(
            ObjectRef::new(Kind::AuthorizationPolicy, &meta.namespace, &meta.name),
            Part::Policy,
            replaced("rules", today, rules),
            Purpose::AllowsReader {
                workload: workload.id.name.clone(),
                reader: reader.clone(),
            },
        )
    })
}

/// A list of `spec` that server-side apply takes for one value, with what it is to be.
pub(super) fn replaced(list: &str, today: &Value, wanted: Vec<Value>) -> Action {
    Action::Edit {
        leaves: vec![LeafEdit {
            path: LeafPath::fields(["spec", list]),
            expect: match today {
                Value::Null => Expected::Absent,
                today => Expected::Value(today.clone()),
            },
            to: Some(wanted.into()),
        }],
    }
}
