//! An [`Inventory`] understood as a [`Mesh`]: everything is indexed once, then each part is made by itself.
//!
//! What has not come yet is missing, and nothing else: no part waits for another list.

use super::injection::{self, Injector};
use super::istio;
use super::kinds::Kind;
use super::labels::{BySelector, is_ours, labels_at};
use super::mtls::Mtls;
use super::objects::{self as lean, Labels, Meta};
use super::pods::Pods;
use super::scraped::Today;
use super::{
    ControlPlane, Gateway, Inventory, Listed, Listing, Mesh, MtlsMode, Namespace, Progress,
    Prometheus, Workload, gateway, governed, inbound, leftovers, others, prometheus, rules,
    workload,
};
use crate::reach::path::Rules;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The kinds whose pods are workloads, in the order of lists.
pub(super) const WORKLOADS: [Kind; 3] = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet];

/// An Istio object read by path.
pub(super) trait Loose {
    fn meta(&self) -> &Meta;
    fn spec(&self) -> &Value;
}

macro_rules! loose {
    ($($name:ident),*) => {$(
        impl Loose for lean::$name {
            fn meta(&self) -> &Meta { &self.metadata }
            fn spec(&self) -> &Value { &self.spec }
        }
    )*};
}
loose!(
    Sidecar,
    PeerAuthentication,
    AuthorizationPolicy,
    Gateway,
    ServiceEntry,
    EnvoyFilter
);

/// Objects of this program, by namespace and name.
pub(super) type Ours<'a, T> = HashMap<(&'a str, &'a str), &'a T>;

fn ours<T: Loose>(list: &Listing<T>) -> Ours<'_, T> {
    list.items
        .iter()
        .filter(|item| is_ours(item.meta()))
        .map(|item| {
            (
                (item.meta().namespace.as_str(), item.meta().name.as_str()),
                item,
            )
        })
        .collect()
}

fn by_selector<'a, T: Loose>(list: &'a Listing<T>, pointer: &str) -> BySelector<'a, &'a T> {
    BySelector::new(list.items.iter().map(|item| {
        let selector = labels_at(item.spec(), pointer);
        (item.meta().namespace.as_str(), Cow::Owned(selector), item)
    }))
}

/// Everything that a part needs to look up.
pub(super) struct Index<'a> {
    pub namespaces: HashMap<&'a str, &'a Labels>,
    pub pods: Pods<'a>,
    pub services: BySelector<'a, &'a lean::Service>,
    /// ServiceEntries with a workloadSelector.
    pub entries: BySelector<'a, &'a lean::ServiceEntry>,
    pub entries_by_address: HashMap<(&'a str, &'a str), Vec<&'a lean::ServiceEntry>>,
    pub single: inbound::Single<'a>,
    pub machines: HashMap<&'a str, Vec<inbound::Machine<'a>>>,
    /// What Deployments select by.
    pub deployments: HashMap<(&'a str, &'a str), &'a Labels>,
    pub sidecars: BySelector<'a, &'a lean::Sidecar>,
    pub policies: BySelector<'a, &'a lean::AuthorizationPolicy>,
    pub envoy_filters: BySelector<'a, &'a lean::EnvoyFilter>,
    /// Istio Gateways of all namespaces together: their selectors reach into every one.
    pub gateways: BySelector<'a, &'a lean::Gateway>,
    pub our_sidecars: Ours<'a, lean::Sidecar>,
    pub our_peers: Ours<'a, lean::PeerAuthentication>,
    pub our_policies: Ours<'a, lean::AuthorizationPolicy>,
    pub our_gateways: Ours<'a, lean::Gateway>,
    pub our_entries: Ours<'a, lean::ServiceEntry>,
    pub our_routes: HashMap<(&'a str, &'a str), &'a lean::VirtualService>,
    pub waypoints: Vec<(&'a str, &'a str)>,
    pub injector: Injector<'a>,
    pub mtls: Mtls<'a>,
    pub root: String,
    pub planes: Vec<ControlPlane>,
    pub merge: bool,
    /// The mesh-wide setting that opens native secure ports in every pod, if any.
    pub native_port: Option<String>,
    pub rules: Arc<Rules>,
    /// What others govern pods with.
    pub governing: governed::All<'a>,
    /// The identity of every Prometheus, where it is known.
    pub scrapers: Vec<String>,
    pub today: Today<'a>,
    /// Lists that could not be read and on which it rests whether a workload may be chosen.
    pub unread: Vec<(&'static str, &'a Progress)>,
    no_labels: Labels,
}

impl Index<'_> {
    pub fn namespace_labels(&self, namespace: &str) -> &Labels {
        self.namespaces
            .get(namespace)
            .copied()
            .unwrap_or(&self.no_labels)
    }
}

/// What governs a workload stands in these lists: unread, it is unknown, which is not the same as none.
fn unread(inventory: &Inventory) -> Vec<(&'static str, &Progress)> {
    [
        ("Services", &inventory.services.progress),
        ("ServiceEntries", &inventory.service_entries.progress),
        ("Sidecars", &inventory.sidecars.progress),
        (
            "PeerAuthentications",
            &inventory.peer_authentications.progress,
        ),
        (
            "AuthorizationPolicies",
            &inventory.authorization_policies.progress,
        ),
    ]
    .into_iter()
    .filter(|(_, progress)| progress.fails())
    .collect()
}

/// Makes a [`Mesh`] of what has been read so far. Its cost grows with the number of objects, no faster.
pub fn assemble(inventory: &Inventory) -> Mesh {
    let planes = istio::control_planes(inventory);
    let settings = istio::settings(inventory, &planes);
    // Where it is not known, nothing that stands there is: the recipe writes nothing then.
    let root = settings.root_namespace.clone().unwrap_or_default();
    let native_port = settings.config.native_port().map(str::to_owned);
    let rules = Arc::new(rules::rules(inventory, &settings));
    let mtls = Mtls::new(inventory, &root);
    let injector = Injector::new(inventory, &planes, &settings.config);
    let istio = istio::istio(inventory, planes.clone(), settings, &mtls, &injector);
    let mut index = Index {
        unread: unread(inventory),
        namespaces: inventory
            .namespaces
            .items
            .iter()
            .map(|ns| (ns.metadata.name.as_str(), &ns.metadata.labels))
            .collect(),
        pods: Pods::new(inventory),
        services: BySelector::new(inventory.services.items.iter().map(|service| {
            let selector = Cow::Borrowed(&service.spec.selector);
            (service.metadata.namespace.as_str(), selector, service)
        })),
        entries: BySelector::new(inventory.service_entries.items.iter().filter_map(|entry| {
            let selector = inbound::selecting(entry)?;
            Some((entry.metadata.namespace.as_str(), selector, entry))
        })),
        entries_by_address: inbound::by_address(&inventory.service_entries.items),
        single: inbound::Single::new(&inventory.services.items, &inventory.service_entries.items),
        machines: inbound::machines(&inventory.workload_entries.items),
        deployments: all_workloads(inventory)
            .filter(|(kind, _)| *kind == Kind::Deployment)
            .map(|(_, item)| {
                let meta = &item.metadata;
                let key = (meta.namespace.as_str(), meta.name.as_str());
                (key, &item.spec.selector.match_labels)
            })
            .collect(),
        sidecars: by_selector(&inventory.sidecars, "/workloadSelector/labels"),
        policies: by_selector(&inventory.authorization_policies, "/selector/matchLabels"),
        envoy_filters: by_selector(&inventory.envoy_filters, "/workloadSelector/labels"),
        gateways: BySelector::new(inventory.gateways.items.iter().map(|gateway| {
            let selector = labels_at(&gateway.spec, "/selector");
            ("", Cow::Owned(selector), gateway)
        })),
        our_sidecars: ours(&inventory.sidecars),
        our_peers: ours(&inventory.peer_authentications),
        our_policies: ours(&inventory.authorization_policies),
        our_gateways: ours(&inventory.gateways),
        our_entries: ours(&inventory.service_entries),
        our_routes: inventory
            .virtual_services
            .items
            .iter()
            .filter(|route| is_ours(&route.metadata))
            .map(|route| {
                (
                    (
                        route.metadata.namespace.as_str(),
                        route.metadata.name.as_str(),
                    ),
                    route,
                )
            })
            .collect(),
        waypoints: gateway::waypoints(inventory),
        merge: istio.prometheus_merge,
        native_port,
        rules: Arc::clone(&rules),
        governing: governed::all(inventory),
        scrapers: Vec::new(),
        today: Today::new(inventory, &[]),
        no_labels: Labels::new(),
        injector,
        mtls,
        root,
        planes,
    };

    let mut prometheus_servers: Vec<Arc<Prometheus>> = Vec::new();
    let mut workloads: Vec<(Kind, &lean::Workload)> = Vec::new();
    let mut gateways: Vec<(Kind, &lean::Workload)> = Vec::new();
    for (kind, item) in all_workloads(inventory) {
        if let Some(found) = prometheus::prometheus(&index, inventory, kind, item) {
            prometheus_servers.push(Arc::new(found));
        } else if gateway::is_gateway(item) {
            gateways.push((kind, item));
        } else if !istio::is_part_of_istio(item) {
            workloads.push((kind, item));
        }
    }
    index.today = Today::new(inventory, &prometheus_servers);
    for server in &mut prometheus_servers {
        let looks = index.today.looks(&server.id);
        Arc::make_mut(server).looks = looks;
    }
    index.scrapers = governed::identities(&istio, &prometheus_servers);

    let catches = workload::Catches::new(inventory, &index);
    let mut workloads: Vec<Arc<Workload>> = workloads
        .into_iter()
        .map(|(kind, item)| Arc::new(workload::workload(&index, &catches, kind, item)))
        .collect();
    workloads.sort_unstable_by(|a, b| a.id.sort_key().cmp(&b.id.sort_key()));
    let mut gateways: Vec<Arc<Gateway>> = gateways
        .into_iter()
        .map(|(kind, item)| Arc::new(gateway::gateway(&index, inventory, kind, item)))
        .collect();
    gateways.sort_unstable_by(|a, b| a.workload.id.sort_key().cmp(&b.workload.id.sort_key()));
    prometheus_servers.sort_unstable_by(|a, b| a.id.sort_key().cmp(&b.id.sort_key()));

    Mesh {
        around: Arc::new(index.today.around(inventory)),
        context: inventory.context.clone(),
        server: inventory.server.clone(),
        namespaces: namespaces(&index, inventory, &workloads, &gateways),
        others: others::others(&index, inventory),
        leftovers: leftovers::leftovers(
            &index,
            inventory,
            &workloads,
            &gateways,
            &prometheus_servers,
        ),
        problems: Arc::default(),
        differences: Arc::default(),
        rules_of: BTreeMap::new(),
        progress: progress(inventory),
        access: inventory.access.clone(),
        asked: inventory.asked,
        rules,
        istio,
        workloads,
        gateways,
        prometheus_servers,
    }
}

pub(super) fn all_workloads(
    inventory: &Inventory,
) -> impl Iterator<Item = (Kind, &lean::Workload)> {
    WORKLOADS.into_iter().flat_map(|kind| {
        let list = inventory.workloads.get(&kind);
        list.into_iter()
            .flat_map(|list| &list.items)
            .map(move |item| (kind, item))
    })
}

/// ConfigMaps (namespace, name) that are worth reading, by the workloads known so far: Istio's, its injectors' and
/// those of every Prometheus.
pub fn wanted_config_maps(inventory: &Inventory) -> Vec<(String, String)> {
    let planes = istio::control_planes(inventory);
    let mut wanted = istio::config_maps(&planes);
    wanted.extend(istio::injector_maps(&planes));
    wanted.extend(all_workloads(inventory).flat_map(|(_, item)| prometheus::config_maps(item)));
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

fn namespaces(
    index: &Index<'_>,
    inventory: &Inventory,
    workloads: &[Arc<Workload>],
    gateways: &[Arc<Gateway>],
) -> Vec<Namespace> {
    #[derive(Default)]
    struct Count {
        pods: usize,
        meshed: usize,
        workloads: usize,
        secured: usize,
    }
    let mut counts: HashMap<&str, Count> = HashMap::new();
    for pod in &inventory.pods.items {
        let count = counts.entry(&pod.metadata.namespace).or_default();
        if matches!(pod.status.phase.as_str(), "Succeeded" | "Failed") {
            continue;
        }
        count.pods += 1;
        count.meshed += usize::from(pod.spec.all().any(|c| c.name == super::pods::PROXY));
    }
    for workload in workloads {
        let count = counts.entry(&workload.id.namespace).or_default();
        count.workloads += 1;
        count.secured += usize::from(workload.scraped.secure && !workload.ours.is_empty());
    }
    for gateway in gateways {
        // Its proxy is the pod itself, and no sidecar beside an application.
        let count = counts.entry(&gateway.workload.id.namespace).or_default();
        let proxies = gateway.workload.pods.iter().filter(|p| p.proxy.is_some());
        count.meshed = count.meshed.saturating_sub(proxies.count());
    }
    let made = |name: &str, labels: &Labels, terminating: bool| {
        let count = counts.get(name);
        Namespace {
            name: name.to_owned(),
            terminating,
            injection: injection::of_namespace(name, labels),
            pods: count.map_or(0, |c| c.pods),
            meshed_pods: count.map_or(0, |c| c.meshed),
            secured: count.map_or(0, |c| c.secured),
            workloads: count.map_or(0, |c| c.workloads),
            mtls: index.mtls.namespace(name),
            pod_security: labels.get("pod-security.kubernetes.io/enforce").cloned(),
        }
    };
    let mut found: Vec<Namespace> = inventory
        .namespaces
        .items
        .iter()
        .map(|ns| {
            let meta = &ns.metadata;
            made(&meta.name, &meta.labels, meta.deletion_timestamp.is_some())
        })
        .collect();
    // Without the right to list namespaces, those in which something was seen.
    if inventory.namespaces.items.is_empty() {
        found.extend(counts.keys().map(|name| made(name, &Labels::new(), false)));
    }
    found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    found
}

/// How far each group of lists has come; a group is as far as its slowest member.
fn progress(inventory: &Inventory) -> BTreeMap<Listed, Progress> {
    let waiting = Progress::Waiting;
    let kind = |kind| {
        inventory
            .workloads
            .get(&kind)
            .map_or(&waiting, |list| &list.progress)
    };
    let groups: [(Listed, Vec<&Progress>); 12] = [
        (Listed::Namespaces, vec![&inventory.namespaces.progress]),
        (Listed::Pods, vec![&inventory.pods.progress]),
        (Listed::Workloads, WORKLOADS.into_iter().map(kind).collect()),
        (Listed::Services, vec![&inventory.services.progress]),
        (
            Listed::IstioPolicies,
            vec![
                &inventory.sidecars.progress,
                &inventory.peer_authentications.progress,
                &inventory.authorization_policies.progress,
            ],
        ),
        (
            Listed::IstioGateways,
            vec![
                &inventory.gateways.progress,
                &inventory.virtual_services.progress,
                &inventory.service_entries.progress,
            ],
        ),
        (
            Listed::WorkloadEntries,
            vec![&inventory.workload_entries.progress],
        ),
        (
            Listed::EnvoyFilters,
            vec![&inventory.envoy_filters.progress],
        ),
        (Listed::GatewayApi, vec![&inventory.k8s_gateways.progress]),
        (Listed::PodMonitors, vec![&inventory.pod_monitors.progress]),
        (Listed::Prometheuses, vec![&inventory.prometheuses.progress]),
        (Listed::Webhooks, vec![&inventory.webhooks.progress]),
    ];
    groups
        .into_iter()
        .map(|(name, parts)| (name, slowest(&parts)))
        .collect()
}

fn slowest(parts: &[&Progress]) -> Progress {
    let bad = |p: &&&Progress| p.fails();
    if let Some(bad) = parts.iter().find(bad) {
        return (**bad).clone();
    }
    if parts.iter().all(|p| **p == Progress::Absent) {
        return Progress::Absent;
    }
    if parts.iter().all(|p| p.settled()) {
        return Progress::Complete;
    }
    let mut seen = 0;
    let mut about = 0;
    for part in parts {
        if let Progress::Filling { seen: s, about: a } = part {
            seen += s;
            about += a.unwrap_or(*s);
        }
    }
    if seen == 0 {
        return Progress::Waiting;
    }
    Progress::Filling {
        seen,
        about: (about > seen).then_some(about),
    }
}

impl MtlsMode {
    /// As Istio writes it.
    pub fn word(self) -> &'static str {
        match self {
            MtlsMode::Permissive => "PERMISSIVE",
            MtlsMode::Strict => "STRICT",
            MtlsMode::Disable => "DISABLE",
        }
    }
}
