//! One workload: its pods, Services and sidecar, what governs it, and why it may not be chosen.

use super::assemble::{Index, all_workloads};
use super::injection::Decision;
use super::istio::NATIVE_PORTS;
use super::kinds::{Kind, ObjectRef, WorkloadRef};
use super::labels::{BySelector, is_ours, subset};
use super::leftovers;
use super::objects::{self as lean, Labels, Template};
use super::{
    Governed, Inventory, Obstacle, ServicePort, SidecarState, Workload, injection, mtls, owner,
    pods, scraped,
};
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

    fn by(&self, id: &WorkloadRef) -> Option<&str> {
        let key = (id.namespace.clone(), id.kind, id.name.clone());
        self.others.get(&key).map(String::as_str)
    }
}

/// What workloads and gateways have in common; obstacles of the one or the other come after.
pub(super) struct Base {
    pub workload: Workload,
    pub decision: Decision,
}

pub(super) fn base(index: &Index<'_>, kind: Kind, item: &lean::Workload) -> Base {
    let meta = &item.metadata;
    let id = WorkloadRef::new(&meta.namespace, kind, &meta.name);
    let template = &item.spec.template;
    let labels = &template.metadata.labels;
    let own_pods = index.pods.of(
        &meta.namespace,
        kind,
        &meta.name,
        &item.spec.selector.match_labels,
    );
    let decision = index.injector.decide(
        &meta.namespace,
        index.namespace_labels(&meta.namespace),
        labels,
        &template.metadata.annotations,
        &template.spec,
    );
    let revision = own_pods.iter().find_map(|pod| pods::revision(pod));
    let pods: Vec<super::Pod> = own_pods.into_iter().map(pods::pod).collect();
    let (desired, ready) = match kind {
        Kind::DaemonSet => (
            item.status.desired_number_scheduled,
            item.status.number_ready,
        ),
        _ => (item.spec.replicas.unwrap_or(1), item.status.ready_replicas),
    };
    let workload = Workload {
        uid: meta.uid.clone(),
        desired,
        ready,
        template: template.clone(),
        selector: item.spec.selector.match_labels.clone(),
        services: services(index, &meta.namespace, template),
        sidecar: sidecar(&pods, revision, &decision),
        mtls: index.mtls.workload(&meta.namespace, labels),
        governed_by: governed(index, &meta.namespace, labels),
        scraped: scraped::scraped(template, &pods, index.merge, index.old_jobs),
        envoy_filters: Vec::new(),
        owner: owner::owner(meta),
        obstacles: Vec::new(),
        ours: Vec::new(),
        secured_port: None,
        pods,
        id,
    };
    Base { workload, decision }
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
    } = base(index, kind, item);
    workload.envoy_filters = envoy_filters(index, &workload);
    (workload.ours, workload.secured_port) = ours(index, &workload.id);
    workload.obstacles = obstacles(index, catches, item, &workload, decision);
    workload
}

fn services(index: &Index<'_>, namespace: &str, template: &Template) -> Vec<ServicePort> {
    let spec = &template.spec;
    let named = |name: &str| {
        spec.containers
            .iter()
            .chain(&spec.init_containers)
            .flat_map(|container| &container.ports)
            .find(|port| port.name.as_deref() == Some(name))
            .map(|port| port.container_port)
    };
    let mut found: Vec<ServicePort> = index
        .services
        .selecting(namespace, &template.metadata.labels)
        .into_iter()
        .flat_map(|service| service.spec.ports.iter().map(move |port| (service, port)))
        .map(|(service, port)| ServicePort {
            service: service.metadata.name.clone(),
            port: port.port,
            target: match &port.target_port {
                Value::Number(number) => number.as_u64().and_then(|n| u16::try_from(n).ok()),
                Value::String(name) => named(name).or_else(|| name.parse().ok()),
                _ => Some(port.port),
            },
            name: port.name.clone(),
            app_protocol: port.app_protocol.clone(),
            transport: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
        })
        .collect();
    found.sort_by(|a, b| (&a.service, a.port).cmp(&(&b.service, b.port)));
    found
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

/// What others have put over these pods: Sidecars (the one with a selector before the namespace's before the
/// mesh's), PeerAuthentications with a selector, ALLOW policies.
fn governed(index: &Index<'_>, namespace: &str, labels: &Labels) -> Governed {
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
fn envoy_filters(index: &Index<'_>, workload: &Workload) -> Vec<ObjectRef> {
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
    found.sort();
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

/// Our objects for a workload, and the port behind our listener.
fn ours(index: &Index<'_>, id: &WorkloadRef) -> (Vec<ObjectRef>, Option<u16>) {
    let name = id.our_name();
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
    let port = sidecar.and_then(|sidecar| {
        let entry = sidecar.spec["ingress"]
            .as_array()?
            .iter()
            .find(|entry| secure(entry))?;
        entry["defaultEndpoint"]
            .as_str()?
            .rsplit(':')
            .next()?
            .parse()
            .ok()
    });
    (found, port)
}

/// An ingress entry or a server on 15091.
pub(super) fn secure(entry: &Value) -> bool {
    entry["port"]["number"].as_u64() == Some(u64::from(SECURE))
}

fn obstacles(
    index: &Index<'_>,
    catches: &Catches,
    item: &lean::Workload,
    workload: &Workload,
    decision: Decision,
) -> Vec<Obstacle> {
    let id = &workload.id;
    let what = format!("The {} {}/{}", id.kind.name(), id.namespace, id.name);
    let template = &workload.template;
    let meshed = matches!(
        workload.sidecar,
        SidecarState::Injected { .. } | SidecarState::Partly { .. }
    );
    let mut found = Vec::new();
    let mut add = |word: &'static str, reason: String| found.push(Obstacle { word, reason });

    match decision {
        Decision::Never { word, reason } if !meshed || template.spec.host_network => {
            add(word, reason)
        }
        _ if !meshed && in_ambient(index, workload) => add(
            "ambient",
            format!(
                "{what} is in Istio's ambient mode, which this recipe does not cover: its pods have no sidecar of \
                 their own. Take it out of ambient mode to choose it."
            ),
        ),
        _ => {}
    }
    if id.namespace == index.root {
        add(
            "root namespace",
            format!(
                "{what} runs in Istio's root namespace, where istiod ignores a PeerAuthentication with a selector: \
                 plaintext to 15091 could not be refused for it alone. Run it in another namespace to choose it."
            ),
        );
    }
    if let Some(owner) = &workload.owner {
        found.push(owner::obstacle(owner, &what));
    }
    let mut add = |word: &'static str, reason: String| found.push(Obstacle { word, reason });
    for sidecar in &workload.governed_by.sidecars {
        let (namespace, name) = (&sidecar.namespace, &sidecar.name);
        add(
            "own Sidecar",
            format!(
                "The Sidecar {namespace}/{name} governs its pods, and one with a selector would replace it whole. \
                 Add the 15091 listener to that Sidecar by hand, or remove it."
            ),
        );
    }
    for policy in &workload.governed_by.peer_authentications {
        let (namespace, name) = (&policy.namespace, &policy.name);
        add(
            "own PeerAuthentication",
            format!(
                "The PeerAuthentication {namespace}/{name} selects its pods, and Istio counts only the oldest one. \
                 Set portLevelMtls for 15091 to STRICT in that one by hand, or remove it."
            ),
        );
    }
    for policy in &workload.governed_by.allow_policies {
        let (namespace, name) = (&policy.namespace, &policy.name);
        add(
            "ALLOW policy",
            format!(
                "The AuthorizationPolicy {namespace}/{name} allows only what it lists for its pods, so 15091 would \
                 be refused to Prometheus. Allow Prometheus on 15091 there by hand, or remove it."
            ),
        );
    }
    let selector = &item.spec.selector;
    if !selector.match_expressions.is_empty() || selector.match_labels.is_empty() {
        add(
            "matchExpressions",
            format!(
                "{what} selects its pods by matchExpressions, which Istio's selectors cannot express. \
                 Only workloads selected by matchLabels can be chosen."
            ),
        );
    }
    if let Some(other) = catches.by(id) {
        add(
            "shared labels",
            format!(
                "The selector of {} also takes pods of {other}, so policies for the one would hit the other. \
                 Give them different labels to choose it.",
                id.name
            ),
        );
    }
    for port in workload
        .services
        .iter()
        .filter(|port| port.target.is_none())
    {
        add(
            "unknown port",
            format!(
                "Port {} of the Service {} leads to a container port by a name that no container declares, so it \
                 could not be kept open. Declare the named port in the pod template.",
                port.port, port.service
            ),
        );
    }
    if workload
        .services
        .iter()
        .any(|port| port.target == Some(SECURE))
    {
        add(
            "port 15091",
            format!(
                "{what} serves something of its own on 15091, the port that the metrics would need."
            ),
        );
    }
    if let Some(reason) = not_captured(&template.metadata.annotations, &what) {
        add("not captured", reason);
    }
    if let Some(setting) = native_port(index, template) {
        add(
            "native port",
            format!(
                "Its proxy already opens a secure metrics port by {setting}; where that is 15091, Envoy keeps it \
                 and drops ours without a word. Take the setting away to choose it."
            ),
        );
    }
    found
}

fn in_ambient(index: &Index<'_>, workload: &Workload) -> bool {
    let labels = &workload.template.metadata.labels;
    match labels.get("istio.io/dataplane-mode").map(String::as_str) {
        Some("ambient") => true,
        Some(_) => false,
        None => {
            super::istio::is_ambient(index.namespace_labels(&workload.id.namespace))
                && labels
                    .get(injection::INJECT)
                    .is_none_or(|value| value != "true")
        }
    }
}

/// A Sidecar listener is reached through inbound capture alone.
fn not_captured(annotations: &Labels, what: &str) -> Option<String> {
    let get = |key: &str| annotations.get(key).map(String::as_str);
    let lists = |list: &str| list.split(',').any(|port| port.trim() == "15091");
    let include = "traffic.sidecar.istio.io/includeInboundPorts";
    let exclude = "traffic.sidecar.istio.io/excludeInboundPorts";
    let cause = if get(include).is_some_and(|list| list.trim() != "*" && !lists(list)) {
        format!("{include} does not list 15091")
    } else if get(exclude).is_some_and(lists) {
        format!("{exclude} lists 15091")
    } else if get("sidecar.istio.io/interceptionMode") == Some("NONE") {
        "sidecar.istio.io/interceptionMode is NONE".to_owned()
    } else {
        return None;
    };
    Some(format!(
        "{what} does not capture inbound traffic to 15091 ({cause}), so a listener there would never be reached. \
         Correct the annotation on its pod template to choose it."
    ))
}

/// The setting that opens native secure ports for these pods, if any.
pub(super) fn native_port(index: &Index<'_>, template: &Template) -> Option<String> {
    let own = template.metadata.annotations.get("proxy.istio.io/config");
    NATIVE_PORTS
        .iter()
        .find(|name| own.is_some_and(|text| text.contains(*name)))
        .map(|name| format!("{name} in its annotation proxy.istio.io/config"))
        .or_else(|| {
            let name = index.native_port.as_ref()?;
            Some(format!("{name} in the mesh's defaultConfig"))
        })
}

/// Do `selector`'s labels take pods of this template?
pub(super) fn takes(selector: &Labels, template: &Template) -> bool {
    subset(selector, &template.metadata.labels)
}
