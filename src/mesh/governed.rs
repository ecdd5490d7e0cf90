//! What others have put over a workload's pods.

use super::assemble::Index;
use super::kinds::{Kind, ObjectRef};
use super::labels::is_ours;
use super::objects::{self as lean, Labels};
use super::workload::SECURE;
use super::{Governed, Istio, Prometheus, Workload, leftovers, mtls};
use crate::reach::Verdict;
use crate::reach::authorization::{
    Ground, HEADERS_OF_PROMETHEUS, Listener, Open, Peer, Pods, Refused, Request, Why, attaches,
    decide,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What others have put over these pods: Sidecars (the one with a selector before the namespace's before the
/// mesh's), PeerAuthentications with a selector, policies that keep every Prometheus off port 15091.
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
    let pods = Pods { namespace, labels };
    let policies: Vec<&lean::AuthorizationPolicy> = places
        .into_iter()
        .flat_map(|place| {
            let mut all = index.policies.selecting(place, labels);
            all.extend(index.policies.selectorless(place));
            all
        })
        .filter(|policy| !is_ours(&policy.metadata) && attaches(policy, &pods, &index.root))
        .collect();
    let (allow_policies, refuses) = match refused(index, &policies) {
        None => (Vec::new(), None),
        Some(Refused::NotAllowed(all)) => (all, None),
        Some(other) => (Vec::new(), Some(other)),
    };
    Governed {
        sidecars,
        peer_authentications: index
            .mtls
            .selecting(namespace, labels)
            .into_iter()
            .map(mtls::reference)
            .collect(),
        allow_policies,
        refuses,
    }
}

/// The identities under which pods of this cluster's Prometheus servers scrape.
pub(super) fn identities(istio: &Istio, all: &[Arc<Prometheus>]) -> Vec<String> {
    let Some(domain) = &istio.trust_domain else {
        return Vec::new();
    };
    let identity = |of: &Arc<Prometheus>| {
        let account = match of.service_account.as_str() {
            "" => "default",
            account => account,
        };
        format!("{domain}/ns/{}/sa/{account}", of.id.namespace)
    };
    all.iter().map(identity).collect()
}

/// Why policies let none of the Prometheus servers in to port 15091; `None`: one of them gets in, or that rests on
/// what is not known.
fn refused(index: &Index<'_>, policies: &[&lean::AuthorizationPolicy]) -> Option<Refused> {
    if policies.is_empty() {
        return None;
    }
    let decided = |peer: Peer<'_>| {
        let domain = match peer {
            Peer::Mesh(principal) => principal.split('/').next().unwrap_or_default(),
            _ => "",
        };
        let request = Request {
            peer,
            source: None,
            destination: None,
            port: SECURE,
            method: "GET",
            path: "/stats/prometheus",
            host: None,
            sni: Some(""),
            headers: HEADERS_OF_PROMETHEUS,
            listener: Listener::Http,
        };
        let ground = Ground {
            trust_domain: domain,
            aliases: &index.rules.aliases,
            providers: index.rules.providers.as_ref(),
        };
        decide(policies.iter().copied(), &request, &ground)
    };
    if index.scrapers.is_empty() {
        // Whoever may get in is not here yet: what rests on its identity is refused to all that are.
        return match decided(Peer::Unknown) {
            Verdict::Broken(refused) => Some(refused),
            Verdict::Unknown(Why::Rests {
                rule,
                on: Open::Identity,
            }) => {
                let allows = |policy: &&&lean::AuthorizationPolicy| {
                    policy.spec["action"].as_str().unwrap_or("ALLOW") == "ALLOW"
                        && reference(Kind::AuthorizationPolicy, &policy.metadata) == rule.policy
                };
                let policy = policies.iter().find(allows)?;
                let policy = reference(Kind::AuthorizationPolicy, &policy.metadata);
                Some(Refused::NotAllowed(vec![policy]))
            }
            _ => None,
        };
    }
    let mut first = None;
    for principal in &index.scrapers {
        match decided(Peer::Mesh(principal)) {
            Verdict::Broken(refused) => first = first.or(Some(refused)),
            _ => return None,
        }
    }
    first
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
        .collect();
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
