//! One workload: its pods, Services and sidecar, what governs it, and why it may not be chosen.

use super::assemble::{Index, all_workloads};
use super::injection::Decision;
use super::kinds::{Kind, ObjectRef, WorkloadRef};
use super::labels::{BySelector, labels_at, subset};
use super::objects::{self as lean, Labels, Template};
use super::{
    Inventory, SidecarState, Workload, governed, inbound, obstacles, owner, pods, scraped,
};
use crate::reach::inbound::Contradiction;
use crate::reach::injector;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

pub(super) const SECURE: u16 = 15091;

/// Whose pods a workload's selector takes besides its own.
pub(super) struct Catches {
    others: HashMap<(String, Kind, String), String>,
}

impl Catches {
    pub fn new(inventory: &Inventory, index: &Index<'_>) -> Self {
        let key = |kind: Kind, item: &lean::Workload| {
            (
                item.metadata.namespace.clone(),
                kind,
                item.metadata.name.clone(),
            )
        };
        let selectors = BySelector::new(all_workloads(inventory).map(|(kind, item)| {
            let selector = Cow::Borrowed(&item.spec.selector.match_labels);
            (item.metadata.namespace.as_str(), selector, (kind, item))
        }));
        let mut others = HashMap::new();
        for (kind, item) in all_workloads(inventory) {
            let meta = &item.metadata;
            let labels = &item.spec.template.metadata.labels;
            for (by, selector) in selectors.selecting(&meta.namespace, labels) {
                if (by, &selector.metadata.name) != (kind, &meta.name) {
                    let caught = format!("the {} {}", kind.name(), meta.name);
                    others.entry(key(by, selector)).or_insert(caught);
                }
            }
        }
        let known: HashSet<(&str, Kind, &str)> = all_workloads(inventory)
            .map(|(kind, item)| {
                (
                    item.metadata.namespace.as_str(),
                    kind,
                    item.metadata.name.as_str(),
                )
            })
            .collect();
        let strangers = index.pods.strangers(inventory, |ns, kind, name| {
            known.contains(&(ns, kind, name))
        });
        for pod in strangers {
            let meta = &pod.metadata;
            for (by, selector) in selectors.selecting(&meta.namespace, &meta.labels) {
                let maker = meta.owner_references.first();
                let caught = match maker {
                    Some(maker) => format!("the {} {}", maker.kind, maker.name),
                    None => format!("the pod {}", meta.name),
                };
                others.entry(key(by, selector)).or_insert(caught);
            }
        }
        Catches { others }
    }

    pub fn by(&self, id: &WorkloadRef) -> Option<&str> {
        let key = (id.namespace.clone(), id.kind, id.name.clone());
        self.others.get(&key).map(String::as_str)
    }
}

/// What workloads and gateways have in common; obstacles of the one or the other come after.
pub(super) struct Base {
    pub workload: Workload,
    pub decision: Decision,
    pub contradictions: Vec<Contradiction>,
}

pub(super) fn base(index: &Index<'_>, kind: Kind, item: &lean::Workload) -> Base {
    let meta = &item.metadata;
    let id = WorkloadRef::new(&meta.namespace, kind, &meta.name);
    let template = &item.spec.template;
    let labels = &template.metadata.labels;
    let own_pods = index.pods.of(&meta.namespace, kind, &meta.name);
    let strays = index
        .pods
        .strays(&meta.namespace, &item.spec.selector.match_labels);
    let inbound = inbound::inbound(index, kind, item, &own_pods, &strays);
    let decision = index.injector.decide(
        &meta.namespace,
        index.namespace_labels(&meta.namespace),
        labels,
        &template.metadata.annotations,
        &template.spec,
    );
    let revision = own_pods.iter().find_map(|pod| pods::revision(pod));
    let pods: Vec<super::Pod> = own_pods.iter().copied().map(pods::pod).collect();
    let (desired, ready) = match kind {
        Kind::DaemonSet => (
            item.status.desired_number_scheduled,
            item.status.number_ready,
        ),
        _ => (item.spec.replicas.unwrap_or(1), item.status.ready_replicas),
    };
    let workload = Workload {
        rolled_out: rolled_out(kind, item),
        uid: meta.uid.clone(),
        desired,
        ready,
        template: template.clone(),
        selector: item.spec.selector.match_labels.clone(),
        services: inbound.ports,
        strays: strays.into_iter().map(pods::pod).collect(),
        sidecar: sidecar(&pods, revision.clone(), &decision),
        mtls: index.mtls.workload(&meta.namespace, labels),
        governed_by: governed::governed(index, &meta.namespace, labels),
        scraped: scraped::scraped(
            &id,
            template,
            &own_pods,
            &pods,
            index.merge,
            (&index.today, &index.services),
        ),
        envoy_filters: Vec::new(),
        owner: owner::owner(meta),
        obstacles: Vec::new(),
        ours: Vec::new(),
        former_name: None,
        secured_port: None,
        status_port: injector::status_port(
            &template.metadata.annotations,
            index.injector.status_port(revision.as_deref()),
        ),
        admits: Vec::new(),
        pods,
        id,
    };
    Base {
        workload,
        decision,
        contradictions: inbound.contradictions,
    }
}

/// Source: `kubectl rollout status` (`pkg/polymorphichelpers/rollout_status.go`): a rollout is over once no pod of an
/// older template is left.
fn rolled_out(kind: Kind, item: &lean::Workload) -> bool {
    let status = &item.status;
    let (all, updated) = match kind {
        Kind::DaemonSet => (
            status.desired_number_scheduled,
            status.updated_number_scheduled,
        ),
        _ => (status.replicas, status.updated_replicas),
    };
    status.observed_generation >= item.metadata.generation && all > 0 && updated >= all
}

pub(super) fn workload(
    index: &Index<'_>,
    catches: &Catches,
    kind: Kind,
    item: &lean::Workload,
) -> Workload {
    let Base {
        mut workload,
        decision,
        contradictions,
    } = base(index, kind, item);
    workload.envoy_filters = governed::envoy_filters(index, &workload);
    workload.former_name = former_name(index, &workload);
    (workload.ours, workload.secured_port) = ours(index, &workload);
    workload.admits = admits(index, &workload);
    workload.governed_by.stale = stale(index, &workload);
    workload.obstacles =
        obstacles::obstacles(index, catches, item, &workload, decision, &contradictions);
    workload
}

fn sidecar(pods: &[super::Pod], revision: Option<String>, decision: &Decision) -> SidecarState {
    let living = pods.iter().filter(|pod| !pod.terminating);
    let versions: BTreeSet<&String> = living
        .clone()
        .filter_map(|pod| pod.proxy.as_ref())
        .collect();
    let with = living.clone().filter(|pod| pod.proxy.is_some()).count();
    let without = living.count() - with;
    match (with, without, decision) {
        (1.., 0, _) => SidecarState::Injected {
            versions: versions.into_iter().cloned().collect(),
            revision: revision.unwrap_or_else(|| "default".to_owned()),
        },
        (1.., 1.., _) => SidecarState::Partly { with, without },
        (_, _, Decision::Injects) => SidecarState::AfterRestart,
        (_, _, Decision::ByLabel { revision }) => SidecarState::Switchable {
            revision: revision.clone(),
        },
        (_, _, Decision::Never { .. }) => SidecarState::Impossible,
    }
}

/// What an object of ours selects by.
fn selected(index: &Index<'_>, namespace: &str, name: &str) -> Option<Labels> {
    let key = (namespace, name);
    let listener = index.our_sidecars.get(&key);
    let peers = index.our_peers.get(&key);
    let policy = index.our_policies.get(&key);
    listener
        .map(|object| labels_at(&object.spec, "/workloadSelector/labels"))
        .or_else(|| peers.map(|object| labels_at(&object.spec, "/selector/matchLabels")))
        .or_else(|| policy.map(|object| labels_at(&object.spec, "/selector/matchLabels")))
}

/// The name that earlier versions gave our objects, where they exist and are for these pods.
fn former_name(index: &Index<'_>, workload: &Workload) -> Option<String> {
    let name = workload.id.former_name()?;
    let selected = selected(index, &workload.id.namespace, &name)?;
    (selected == workload.selector).then_some(name)
}

/// Another workload whose objects, of an earlier version, have the name that this one's would get.
pub(super) fn taken(index: &Index<'_>, workload: &Workload) -> Option<WorkloadRef> {
    let name = workload.id.our_name();
    let other = WorkloadRef::new(
        &workload.id.namespace,
        Kind::Deployment,
        name.strip_prefix("meshscrape-")?,
    );
    let selected = selected(index, &other.namespace, &name)?;
    let labels = index.deployments.get(&(&other.namespace, &other.name))?;
    let theirs = other.former_name().is_some() && **labels == selected;
    (theirs && selected != workload.selector).then_some(other)
}

/// Our objects for a workload, and the port behind our listener.
fn ours(index: &Index<'_>, workload: &Workload) -> (Vec<ObjectRef>, Option<u16>) {
    let id = &workload.id;
    if taken(index, workload).is_some() {
        return (Vec::new(), None);
    }
    let name = workload
        .former_name
        .clone()
        .unwrap_or_else(|| id.our_name());
    let key = (id.namespace.as_str(), name.as_str());
    let mut found = Vec::new();
    let mut note = |there: bool, kind: Kind| {
        if there {
            found.push(ObjectRef::new(kind, &id.namespace, &name));
        }
    };
    note(index.our_peers.contains_key(&key), Kind::PeerAuthentication);
    note(
        index.our_policies.contains_key(&key),
        Kind::AuthorizationPolicy,
    );
    let sidecar = index.our_sidecars.get(&key);
    note(sidecar.is_some(), Kind::Sidecar);
    let port = match sidecar {
        Some(sidecar) => behind(&sidecar.spec),
        // One of others that the listener was added to; its guards are ours.
        None => match &workload.governed_by.sidecars[..] {
            [one] if one.selects && !found.is_empty() => behind(&one.spec),
            _ => None,
        },
    };
    (found, port)
}

/// The port that a Sidecar's secure listener leads to.
fn behind(spec: &Value) -> Option<u16> {
    let mut entries = spec["ingress"].as_array()?.iter();
    let entry = entries.find(|entry| secure(entry))?;
    let endpoint = entry["defaultEndpoint"].as_str()?;
    endpoint.rsplit(':').next()?.parse().ok()
}

/// Where our Sidecar no longer says what the one says that it stands for.
fn stale(index: &Index<'_>, workload: &Workload) -> Vec<String> {
    let mut ours = workload.ours.iter();
    let ours = ours.find(|of| of.kind == Kind::Sidecar).and_then(|of| {
        let key = (of.namespace.as_str(), of.name.as_str());
        index.our_sidecars.get(&key)
    });
    let unread = || index.unread.iter().any(|(list, _)| *list == "Sidecars");
    match (ours, &workload.governed_by.sidecars[..]) {
        (Some(_), []) if unread() => Vec::new(),
        (Some(ours), []) => governed::stale(&ours.spec, None),
        (Some(ours), [one]) if !one.selects => governed::stale(&ours.spec, Some(one)),
        _ => Vec::new(),
    }
}

/// Whom our own policy lets in to the secure port: the exceptions of its DENY rules.
fn admits(index: &Index<'_>, workload: &Workload) -> Vec<String> {
    let mut ours = workload.ours.iter();
    let ours = ours.find(|of| of.kind == Kind::AuthorizationPolicy);
    let policy = ours.and_then(|of| {
        let key = (of.namespace.as_str(), of.name.as_str());
        index.our_policies.get(&key)
    });
    let rules = policy.and_then(|policy| policy.spec["rules"].as_array());
    let sources = rules
        .into_iter()
        .flatten()
        .filter_map(|rule| rule["from"].as_array())
        .flatten();
    let excepted = sources
        .filter_map(|from| from["source"]["notPrincipals"].as_array())
        .flatten();
    excepted
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// An ingress entry or a server on 15091.
pub(super) fn secure(entry: &Value) -> bool {
    entry["port"]["number"].as_u64() == Some(u64::from(SECURE))
}

/// Do `selector`'s labels take pods of this template?
pub(super) fn takes(selector: &Labels, template: &Template) -> bool {
    subset(selector, &template.metadata.labels)
}
