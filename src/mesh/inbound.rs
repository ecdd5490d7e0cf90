//! Which Services and ServiceEntries lead to the pods of a workload.

use super::assemble::Index;
use super::kinds::Kind;
use super::labels::{labels_at, subset};
use super::objects::{self as lean, Labels};
use crate::reach::inbound::{Inbound, Pod, ServicePort, named_ports, ports, template_ports};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Labels by which a Service takes one pod of a StatefulSet.
const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// ServiceEntries whose selector may take pods; one without labels takes all of its namespace.
pub(super) fn selecting(entry: &lean::ServiceEntry) -> Option<Cow<'_, Labels>> {
    let selector = &entry.spec["workloadSelector"];
    (!selector.is_null()).then(|| Cow::Owned(labels_at(selector, "/labels")))
}

/// ServiceEntries by namespace and the addresses that they list.
pub(super) fn by_address(
    entries: &[lean::ServiceEntry],
) -> HashMap<(&str, &str), Vec<&lean::ServiceEntry>> {
    let mut found: HashMap<(&str, &str), Vec<&lean::ServiceEntry>> = HashMap::new();
    for entry in entries.iter().filter(|entry| selecting(entry).is_none()) {
        let endpoints = entry.spec["endpoints"].as_array().into_iter().flatten();
        let addresses: BTreeSet<&str> = endpoints.filter_map(|e| e["address"].as_str()).collect();
        for address in addresses {
            let key = (entry.metadata.namespace.as_str(), address);
            found.entry(key).or_default().push(entry);
        }
    }
    found
}

/// Single pods of StatefulSets that some selector names, by namespace: a pod's name or its number.
#[derive(Default)]
pub(super) struct Single<'a>(HashMap<&'a str, BTreeSet<(bool, String)>>);

impl<'a> Single<'a> {
    pub fn new(services: &'a [lean::Service], entries: &'a [lean::ServiceEntry]) -> Self {
        let mut found: HashMap<&str, BTreeSet<(bool, String)>> = HashMap::new();
        let mut note = |namespace: &'a str, key: &str, value: Option<&str>| {
            if let Some(value) = value {
                let one = (key == POD_NAME, value.to_owned());
                found.entry(namespace).or_default().insert(one);
            }
        };
        for key in [POD_NAME, POD_INDEX] {
            for service in services {
                let value = service.spec.selector.get(key);
                note(&service.metadata.namespace, key, value.map(String::as_str));
            }
            for entry in entries {
                let value = entry.spec["workloadSelector"]["labels"][key].as_str();
                note(&entry.metadata.namespace, key, value);
            }
        }
        Single(found)
    }

    fn names(&self, namespace: &str) -> bool {
        self.0.contains_key(namespace)
    }

    /// The pods of this set that are named but do not run, with their labels.
    fn missing(&self, item: &lean::Workload, running: &[&lean::Pod]) -> Vec<(String, Labels)> {
        let own = &item.metadata.name;
        let start = item.spec.ordinals.start;
        let end = start.saturating_add(item.spec.replicas.unwrap_or(1));
        let named = self.0.get(item.metadata.namespace.as_str());
        let ordinals: BTreeSet<u32> = named
            .into_iter()
            .flatten()
            .filter_map(|(by_name, value)| match by_name {
                true => value
                    .strip_prefix(own.as_str())?
                    .strip_prefix('-')?
                    .parse()
                    .ok(),
                false => value.parse().ok(),
            })
            .filter(|ordinal| (start..end).contains(ordinal))
            .collect();
        ordinals
            .into_iter()
            .map(|ordinal| (format!("{own}-{ordinal}"), ordinal))
            .filter(|(name, _)| running.iter().all(|pod| pod.metadata.name != *name))
            .map(|(name, ordinal)| {
                let mut labels = item.spec.template.metadata.labels.clone();
                labels.insert(POD_NAME.to_owned(), name.clone());
                labels.insert(POD_INDEX.to_owned(), ordinal.to_string());
                (name, labels)
            })
            .collect()
    }
}

fn leading(index: &Index<'_>, namespace: &str, pod: &Pod<'_>) -> Vec<ServicePort> {
    let services = index.services.selecting(namespace, pod.labels);
    let mut entries = index.entries.selecting(namespace, pod.labels);
    entries.extend(index.entries.selectorless(namespace));
    let key = pod.ip.map(|ip| (namespace, ip));
    let listing = key.and_then(|key| index.entries_by_address.get(&key));
    ports(
        services,
        entries,
        listing.into_iter().flatten().copied(),
        pod,
    )
}

fn to_come<'a>(name: &'a str, labels: &'a Labels, template: &'a lean::Template) -> Pod<'a> {
    Pod {
        name,
        labels,
        ip: None,
        ports: template_ports(&template.spec),
    }
}

/// Pods that run, pods without an owner that our objects would govern, and pods that are to come.
pub(super) fn inbound(
    index: &Index<'_>,
    kind: Kind,
    item: &lean::Workload,
    own: &[&lean::Pod],
    strays: &[&lean::Pod],
) -> Inbound {
    let namespace = item.metadata.namespace.as_str();
    let mut all = Inbound::default();
    // Most pods of a workload share their labels and containers, and then their ports.
    let mut seen = HashSet::new();
    let living = own
        .iter()
        .filter(|p| p.metadata.deletion_timestamp.is_none());
    for pod in living.chain(strays) {
        let ip = pod.status.pod_ip.as_deref();
        let listed = ip.filter(|ip| index.entries_by_address.contains_key(&(namespace, *ip)));
        let alike = (
            Arc::as_ptr(&pod.metadata.labels),
            Arc::as_ptr(&pod.spec.containers),
            Arc::as_ptr(&pod.spec.init_containers),
            listed,
        );
        if seen.insert(alike) {
            let one = Pod {
                name: &pod.metadata.name,
                labels: &pod.metadata.labels,
                ip,
                ports: named_ports(&pod.spec),
            };
            all.add(one.name, leading(index, namespace, &one));
        }
    }
    let template = &item.spec.template;
    if kind == Kind::StatefulSet && index.single.names(namespace) {
        for (name, labels) in index.single.missing(item, own) {
            let one = to_come(&name, &labels, template);
            all.add(one.name, leading(index, namespace, &one));
        }
    }
    let next = to_come(&item.metadata.name, &template.metadata.labels, template);
    all.add_future(leading(index, namespace, &next));
    all.settled()
}

/// A WorkloadEntry, and the labels that selectors see of it: its own before those of its spec
/// (`ConvertWorkloadEntry`).
pub(super) struct Machine<'a> {
    pub name: &'a str,
    pub address: Option<&'a str>,
    labels: Labels,
}

impl Machine<'_> {
    pub fn carries(&self, selector: &Labels) -> bool {
        subset(selector, &self.labels)
    }
}

/// WorkloadEntries by namespace.
pub(super) fn machines(entries: &[lean::WorkloadEntry]) -> HashMap<&str, Vec<Machine<'_>>> {
    let mut found: HashMap<&str, Vec<Machine<'_>>> = HashMap::new();
    for entry in entries {
        let meta = &entry.metadata;
        let mut labels = labels_at(&entry.spec, "/labels");
        labels.extend(meta.labels.clone());
        found.entry(&meta.namespace).or_default().push(Machine {
            name: &meta.name,
            address: entry.spec["address"].as_str(),
            labels,
        });
    }
    found
}
