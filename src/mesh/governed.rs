//! What others have put over a workload's pods.

use super::assemble::Index;
use super::kinds::{Kind, ObjectRef};
use super::labels::is_ours;
use super::objects::{self as lean, Labels};
use super::{Governed, Workload, leftovers, mtls};
use crate::gather::Gather;
use serde_json::Value;
use std::collections::BTreeSet;

/// What others have put over these pods: Sidecars (the one with a selector before the namespace's before the
/// mesh's), PeerAuthentications with a selector, ALLOW policies.
pub(super) fn governed(index: &Index<'_>, namespace: &str, labels: &Labels) -> Governed {
    let foreign = |sidecar: &&&lean::Sidecar| {
        !is_ours(&sidecar.metadata) && !leftovers::is_published_sidecar(&sidecar.spec)
    };
    let oldest = |all: &[&lean::Sidecar]| {
        all.iter()
            .filter(foreign)
            .min_by(|a, b| mtls::by_age(&a.metadata).cmp(&mtls::by_age(&b.metadata)))
            .map(|s| reference(Kind::Sidecar, &s.metadata))
    };
    let own = index.sidecars.selecting(namespace, labels);
    let mut sidecars: Vec<ObjectRef> = own
        .iter()
        .filter(foreign)
        .map(|s| reference(Kind::Sidecar, &s.metadata))
        .collect();
    if sidecars.is_empty() {
        sidecars.extend(
            oldest(index.sidecars.selectorless(namespace))
                .or_else(|| oldest(index.sidecars.selectorless(&index.root))),
        );
    }
    let mut places = vec![namespace];
    if index.root != namespace {
        places.push(&index.root);
    }
    let allow_policies = places
        .into_iter()
        .flat_map(|place| {
            let mut all = index.policies.selecting(place, labels);
            all.extend(index.policies.selectorless(place));
            all
        })
        .filter(|policy| allows(&policy.spec) && !is_ours(&policy.metadata))
        .map(|policy| reference(Kind::AuthorizationPolicy, &policy.metadata))
        .collect();
    Governed {
        sidecars,
        peer_authentications: index
            .mtls
            .selecting(namespace, labels)
            .into_iter()
            .map(mtls::reference)
            .collect(),
        allow_policies,
    }
}

/// ALLOW is what a policy without an action does; one with `targetRefs` speaks to waypoints and gateways only.
fn allows(spec: &Value) -> bool {
    let action = spec["action"].as_str().unwrap_or("ALLOW");
    let targets = spec.get("targetRefs").or(spec.get("targetRef"));
    action == "ALLOW" && targets.is_none_or(Value::is_null)
}

fn reference(kind: Kind, meta: &lean::Meta) -> ObjectRef {
    ObjectRef::new(kind, &meta.namespace, &meta.name)
}

/// EnvoyFilters that name an inbound route or virtual host by a Service port whose container port differs:
/// a Sidecar listener is named by the container port, and they would stop matching.
pub(super) fn envoy_filters(index: &Index<'_>, workload: &Workload) -> Vec<ObjectRef> {
    let renamed: BTreeSet<u16> = workload
        .services
        .iter()
        .filter(|service| service.target.is_some_and(|target| target != service.port))
        .map(|service| service.port)
        .gather();
    if renamed.is_empty() {
        return Vec::new();
    }
    let namespace = workload.id.namespace.as_str();
    let mut places = vec![namespace];
    if index.root != namespace {
        places.push(&index.root);
    }
    let labels = &workload.template.metadata.labels;
    let mut found: Vec<ObjectRef> = places
        .into_iter()
        .flat_map(|place| {
            let mut all = index.envoy_filters.selecting(place, labels);
            all.extend(index.envoy_filters.selectorless(place));
            all
        })
        .filter(|filter| {
            let patches = filter.spec["configPatches"].as_array();
            patches.is_some_and(|all| all.iter().any(|patch| names_inbound(patch, &renamed)))
        })
        .map(|filter| reference(Kind::EnvoyFilter, &filter.metadata))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn names_inbound(patch: &Value, ports: &BTreeSet<u16>) -> bool {
    let route = &patch["match"]["routeConfiguration"];
    [&route["name"], &route["vhost"]["name"]]
        .into_iter()
        .filter_map(Value::as_str)
        .filter(|name| name.starts_with("inbound|"))
        .any(|name| {
            name.split('|')
                .filter_map(|part| part.parse().ok())
                .any(|port: u16| ports.contains(&port))
        })
}
