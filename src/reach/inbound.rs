//! The inbound ports of a pod, as istiod computes them where no Sidecar lists any.
//!
//! Sources, in istio.io/istio at 1.31: `model.(*Proxy).SetServiceTargets` (the order), `networking/core`
//! `getFilterChainsByServicePort` (the first of a target port counts), the registries' `GetProxyServiceTargets`
//! (which Services and ServiceEntries reach a pod), `pkg/config/kube.ConvertProtocol`. Whom an object is exported
//! to does not matter here, nor a ServiceEntry's resolution.

mod protocol;
#[cfg(test)]
mod tests;

pub use protocol::Protocol;

use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::objects::{
    Container, ContainerPort, Labels, LeanContainer, LeanPodSpec, PodSpec, Service, ServiceEntry,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// A port of a Service or a ServiceEntry that leads to a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// `Service` or `ServiceEntry`.
    pub kind: Kind,
    /// The object's name.
    pub service: String,
    /// What istiod orders by: creation, then the host.
    pub created: Option<jiff::Timestamp>,
    pub host: String,
    /// The number that clients use.
    pub port: u16,
    /// The container port. `None`: a name that no container of the pod declares.
    pub target: Option<u16>,
    pub name: Option<String>,
    pub protocol: Protocol,
}

impl ServicePort {
    pub fn object(&self, namespace: &str) -> ObjectRef {
        ObjectRef::new(self.kind, namespace, &self.service)
    }

    /// Kubernetes gives whole seconds, so that hosts decide often: `a-b.ns…` comes before `a.ns…`. An object without
    /// a time is older than any. Of one host the Kubernetes registry comes first, then the object's name.
    fn order(&self) -> impl Ord + '_ {
        let entry = self.kind == Kind::ServiceEntry;
        (self.created, &self.host, entry, &self.service)
    }
}

/// A pod as the rules see it: one that runs, or one that a template would make.
pub struct Pod<'a> {
    pub name: &'a str,
    pub labels: &'a Labels,
    pub ip: Option<&'a str>,
    /// As [`named_ports`] or [`template_ports`] give them.
    pub ports: Vec<&'a ContainerPort>,
}

/// Ports in the order in which istiod looks for a name: containers, then native sidecars among init containers.
pub fn named_ports(spec: &LeanPodSpec) -> Vec<&ContainerPort> {
    let native = |c: &&LeanContainer| c.restart_policy.as_deref() == Some("Always");
    let all = spec.containers.iter();
    let all = all.chain(spec.init_containers.iter().filter(native));
    all.flat_map(|container| &container.ports).collect()
}

/// The same of a template.
pub fn template_ports(spec: &PodSpec) -> Vec<&ContainerPort> {
    let native = |c: &&Container| c.restart_policy.as_deref() == Some("Always");
    let all = spec.containers.iter();
    let all = all.chain(spec.init_containers.iter().filter(native));
    all.flat_map(|container| &container.ports).collect()
}

/// `FindPort` of the Kubernetes registry and `getPortMap`: name and transport must agree, the first wins.
fn find(pod: &Pod<'_>, name: &str, transport: &str) -> Option<u16> {
    pod.ports
        .iter()
        .find(|port| {
            port.name.as_deref() == Some(name)
                && port.protocol.as_deref().unwrap_or("TCP") == transport
        })
        .map(|port| port.container_port)
}

/// The ports of a Service by what this pod's containers declare.
fn of_service<'a>(
    service: &'a Service,
    pod: &'a Pod<'_>,
) -> impl Iterator<Item = ServicePort> + 'a {
    let meta = &service.metadata;
    service.spec.ports.iter().map(move |port| {
        let transport = port.protocol.as_deref().unwrap_or("TCP");
        ServicePort {
            kind: Kind::Service,
            service: meta.name.clone(),
            created: meta.creation_timestamp,
            host: format!("{}.{}.svc.cluster.local", meta.name, meta.namespace),
            port: port.port,
            target: match &port.target_port {
                Value::Number(number) => number.as_u64().and_then(|n| u16::try_from(n).ok()),
                Value::String(name) => find(pod, name, transport).or_else(|| name.parse().ok()),
                _ => Some(port.port),
            },
            name: port.name.clone(),
            protocol: Protocol::of_service_port(
                port.port,
                port.name.as_deref().unwrap_or_default(),
                transport,
                port.app_protocol.as_deref(),
            ),
        }
    })
}

fn number(value: &Value) -> Option<u16> {
    let number = value.as_u64().and_then(|n| u16::try_from(n).ok());
    number.filter(|n| *n > 0)
}

/// The ports of a ServiceEntry: a port map before its `targetPort`, that before its number. The map is an
/// endpoint's own, or, for a pod, its named TCP ports (`convertWorkloadInstanceToServiceInstance`, `getPortMap`).
fn of_entry(entry: &ServiceEntry, map: impl Fn(&str) -> Option<u16>) -> Vec<ServicePort> {
    let meta = &entry.metadata;
    let list = |key: &str| entry.spec[key].as_array().map_or(&[][..], Vec::as_slice);
    let hosts = list("hosts").iter().filter_map(Value::as_str);
    hosts
        .flat_map(|host| list("ports").iter().map(move |port| (host, port)))
        .filter_map(|(host, port)| {
            let own = number(&port["number"])?;
            let name = port["name"].as_str();
            Some(ServicePort {
                kind: Kind::ServiceEntry,
                service: meta.name.clone(),
                created: meta.creation_timestamp,
                host: host.to_owned(),
                port: own,
                target: name
                    .and_then(&map)
                    .or_else(|| number(&port["targetPort"]))
                    .or(Some(own)),
                name: name.map(str::to_owned),
                protocol: Protocol::parse(port["protocol"].as_str().unwrap_or_default()),
            })
        })
        .collect()
}

/// What leads to this pod, in istiod's order. `services` and `entries` are those of its namespace whose selector
/// it has, `listing` the ServiceEntries that list its address among their endpoints.
pub fn ports<'a>(
    services: impl IntoIterator<Item = &'a Service>,
    entries: impl IntoIterator<Item = &'a ServiceEntry>,
    listing: impl IntoIterator<Item = &'a ServiceEntry>,
    pod: &Pod<'_>,
) -> Vec<ServicePort> {
    let mut found: Vec<ServicePort> = Vec::new();
    for service in services {
        found.extend(of_service(service, pod));
    }
    for entry in entries {
        found.extend(of_entry(entry, |name| find(pod, name, "TCP")));
    }
    for entry in listing {
        let endpoints = entry.spec["endpoints"].as_array().into_iter().flatten();
        for endpoint in endpoints.filter(|e| e["address"].as_str() == pod.ip) {
            found.extend(of_entry(entry, |name| number(&endpoint["ports"][name])));
        }
    }
    // Stable: within one object its own order stands.
    found.sort_by(|a, b| a.order().cmp(&b.order()));
    found
}

/// Two pods of one workload for which istiod makes different chains on one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    pub target: u16,
    /// A pod's name, and what counts for it.
    pub one: (String, ServicePort),
    pub other: (String, ServicePort),
}

/// The ports of all pods of a workload together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inbound {
    /// In istiod's order: of those with one target the first counts.
    pub ports: Vec<ServicePort>,
    pub contradictions: Vec<Contradiction>,
    /// What counts, by target, and for which pod.
    first: BTreeMap<u16, (String, ServicePort)>,
}

impl Inbound {
    /// One pod more.
    pub fn add(&mut self, pod: &str, ports: Vec<ServicePort>) {
        let mut own: BTreeMap<u16, &ServicePort> = BTreeMap::new();
        for port in &ports {
            if let Some(target) = port.target {
                own.entry(target).or_insert(port);
            }
        }
        for (target, port) in own {
            match self.first.get(&target) {
                None => drop(self.first.insert(target, (pod.to_owned(), port.clone()))),
                Some((_, other)) if other.protocol.same_chain(port.protocol) => {}
                Some(_) if self.contradictions.iter().any(|c| c.target == target) => {}
                Some(one) => self.contradictions.push(Contradiction {
                    target,
                    one: one.clone(),
                    other: (pod.to_owned(), port.clone()),
                }),
            }
        }
        self.merge(ports);
    }

    /// A pod that is to come: what it brings beyond those that run. Where they differ, those that run are right.
    pub fn add_future(&mut self, ports: Vec<ServicePort>) {
        let known = &self.first;
        let news = ports.into_iter().filter(|port| {
            port.target
                .is_none_or(|target| !known.contains_key(&target))
        });
        let news: Vec<ServicePort> = news.collect();
        self.merge(news);
    }

    fn merge(&mut self, ports: Vec<ServicePort>) {
        for port in ports {
            if !self.ports.contains(&port) {
                self.ports.push(port);
            }
        }
        self.ports.sort_by(|a, b| a.order().cmp(&b.order()));
    }

    /// Drops a name that one pod does not resolve and another does.
    #[must_use]
    pub fn settled(mut self) -> Inbound {
        let resolved: Vec<(Kind, String, u16)> = self
            .ports
            .iter()
            .filter(|port| port.target.is_some())
            .map(|port| (port.kind, port.service.clone(), port.port))
            .collect();
        self.ports.retain(|port| {
            port.target.is_some()
                || !resolved.iter().any(|(kind, name, of)| {
                    (*kind, name, *of) == (port.kind, &port.service, port.port)
                })
        });
        self
    }
}

/// Ports for which istiod makes no chain: Envoy's own listeners stand there (`conflictWithReservedListener`).
pub const RESERVED: [u16; 4] = [15001, 15006, 15021, 15090];

/// Of the ports that lead to one container port: those that count, by target, with those that are passed over.
pub fn by_target(ports: &[ServicePort]) -> BTreeMap<u16, Vec<&ServicePort>> {
    let mut by_target: BTreeMap<u16, Vec<&ServicePort>> = BTreeMap::new();
    for port in ports {
        if let Some(target) = port.target.filter(|target| !RESERVED.contains(target)) {
            by_target.entry(target).or_default().push(port);
        }
    }
    by_target
}
