//! What others have put over a workload's pods.

use super::assemble::{Index, Loose};
use super::kinds::{Kind, ObjectRef};
use super::labels::{is_ours, labels_at};
use super::objects::{self as lean, Labels};
use super::workload::SECURE;
use super::{
    Governed, Governing, Inventory, Istio, Listing, Prometheus, Workload, leftovers, mtls, owner,
};
use crate::reach::Verdict;
use crate::reach::authorization::{
    Ground, HEADERS_OF_PROMETHEUS, Listener, Open, Peer, Pods, Refused, Request, Why, attaches,
    decide,
};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Every object of others that governs pods, once, however many it governs.
pub(super) type All<'a> = HashMap<(Kind, &'a str, &'a str), Arc<Governing>>;

pub(super) fn all(inventory: &Inventory) -> All<'_> {
    let mut all = All::new();
    note(
        &mut all,
        Kind::Sidecar,
        &inventory.sidecars,
        "/workloadSelector/labels",
    );
    let selector = "/selector/matchLabels";
    let peers = &inventory.peer_authentications;
    note(&mut all, Kind::PeerAuthentication, peers, selector);
    let policies = &inventory.authorization_policies;
    note(&mut all, Kind::AuthorizationPolicy, policies, selector);
    all
}

fn note<'a, T: Loose>(all: &mut All<'a>, kind: Kind, list: &'a Listing<T>, selector: &str) {
    all.extend(list.items.iter().map(|one| {
        let (meta, spec) = (one.meta(), one.spec());
        let of = Governing {
            object: reference(kind, meta),
            spec: spec.clone(),
            selects: !labels_at(spec, selector).is_empty(),
            owner: owner::owner(meta),
        };
        let key = (kind, meta.namespace.as_str(), meta.name.as_str());
        (key, Arc::new(of))
    }));
}

/// What others have put over these pods.
pub(super) fn governed(index: &Index<'_>, namespace: &str, labels: &Labels) -> Governed {
    let foreign = |sidecar: &&&lean::Sidecar| {
        !is_ours(&sidecar.metadata) && !leftovers::is_published_sidecar(&sidecar.spec)
    };
    let known = |kind: Kind, namespace: &str, name: &str| {
        let of = index.governing.get(&(kind, namespace, name));
        of.cloned()
    };
    let found = |kind: Kind, meta: &lean::Meta| known(kind, &meta.namespace, &meta.name);
    let oldest = |all: &[&lean::Sidecar]| {
        all.iter()
            .filter(foreign)
            .min_by(|a, b| mtls::by_age(&a.metadata).cmp(&mtls::by_age(&b.metadata)))
            .and_then(|s| found(Kind::Sidecar, &s.metadata))
    };
    let own = index.sidecars.selecting(namespace, labels);
    let mut sidecars: Vec<Arc<Governing>> = own
        .iter()
        .filter(foreign)
        .filter_map(|s| found(Kind::Sidecar, &s.metadata))
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
    let mut allow_policies: Vec<Arc<Governing>> = allow_policies
        .iter()
        .filter_map(|of| known(of.kind, &of.namespace, &of.name))
        .collect();
    allow_policies.sort_by_key(|of| (of.object.namespace != namespace, !of.selects));
    Governed {
        sidecars,
        peer_authentication: index
            .mtls
            .selecting(namespace, labels)
            .and_then(|policy| found(Kind::PeerAuthentication, &policy.metadata)),
        allow_policies,
        stale: Vec::new(),
        refuses,
    }
}

/// Fields of a Sidecar's `spec` that say which pods it governs and how they are reached, not what they reach.
const INBOUND: [&str; 2] = ["workloadSelector", "ingress"];

/// What our Sidecar says otherwise than the one that it stands for, which governs no pod of it any more.
pub(super) fn stale(ours: &Value, stands_for: Option<&Governing>) -> Vec<String> {
    let nothing = Map::new();
    let theirs = stands_for.and_then(|of| of.spec.as_object());
    let (theirs, ours) = (
        theirs.unwrap_or(&nothing),
        ours.as_object().unwrap_or(&nothing),
    );
    let fields: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    let mut stale: Vec<String> = fields
        .into_iter()
        .filter(|field| !INBOUND.contains(&field.as_str()))
        .filter(|field| theirs.get(*field) != ours.get(*field))
        .cloned()
        .collect();
    let listed = |of: &Map<String, Value>| match of.get("ingress") {
        Some(Value::Array(entries)) => entries.clone(),
        _ => Vec::new(),
    };
    let kept = listed(ours);
    if listed(theirs).iter().any(|entry| !kept.contains(entry)) {
        stale.push("ingress".to_owned());
    }
    stale
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
