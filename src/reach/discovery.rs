//! The labels that Prometheus's Kubernetes discovery gives what it finds.
//!
//! Source: `discovery/kubernetes/{pod,service,endpoints,endpointslice,kubernetes}.go` of Prometheus 3.11. The endpoints
//! of a Service are computed as Kubernetes' controller makes them (`pkg/controller/endpoint`): from its selector and the
//! pods. Where two keys of an object have one label's name (`a.b/c`, `a-b/c`), which counts is chance in Prometheus.

pub use crate::mesh::objects::{Namespace, Pod, Service};

use super::relabel::Set;
use crate::mesh::objects::{ContainerPort, Labels, LeanContainer, LeanServicePort};
use std::collections::BTreeMap;

pub const META: &str = "__meta_kubernetes_";
pub const ADDRESS: &str = "__address__";

/// What `attach_metadata` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attach {
    pub namespace: bool,
    pub deployment: bool,
    pub job: bool,
}

pub(super) type Group = BTreeMap<String, String>;

/// Characters that a label's name cannot hold become underscores.
pub fn sanitized(key: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    key.chars().map(|c| if word(c) { c } else { '_' }).collect()
}

fn put(to: &mut Group, key: &str, value: impl Into<String>) {
    to.insert(format!("{META}{key}"), value.into());
}

fn put_map(to: &mut Group, of: &str, kind: &str, map: &Labels) {
    for (key, value) in map {
        let key = sanitized(key);
        to.insert(format!("{META}{of}_{kind}present_{key}"), "true".to_owned());
        to.insert(format!("{META}{of}_{kind}_{key}"), value.clone());
    }
}

fn attached(to: &mut Group, attach: Attach, namespace: Option<&Namespace>) {
    if let Some(namespace) = namespace.filter(|_| attach.namespace) {
        put_map(to, "namespace", "label", &namespace.metadata.labels);
        put_map(
            to,
            "namespace",
            "annotation",
            &namespace.metadata.annotations,
        );
    }
}

/// `net.JoinHostPort`
pub fn joined(host: &str, port: impl std::fmt::Display) -> String {
    match host.contains([':', '%']) {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

fn pod_labels(pod: &Pod, attach: Attach) -> Group {
    let mut group = Group::new();
    let to = &mut group;
    let (meta, status) = (&pod.metadata, &pod.status);
    put(to, "pod_ip", status.pod_ip.clone().unwrap_or_default());
    let ready = status.conditions.iter().find(|c| c.r#type == "Ready");
    let ready = ready.map_or("unknown".to_owned(), |c| c.status.to_lowercase());
    put(to, "pod_ready", ready);
    put(to, "pod_phase", &*status.phase);
    put(
        to,
        "pod_node_name",
        pod.spec.node_name.as_deref().unwrap_or_default(),
    );
    put(
        to,
        "pod_host_ip",
        status.host_ip.as_deref().unwrap_or_default(),
    );
    put(to, "pod_uid", &*meta.uid);
    put(to, "pod_name", &*meta.name);
    put_map(to, "pod", "label", &meta.labels);
    put_map(to, "pod", "annotation", &meta.annotations);
    if let Some(owner) = meta.owner_references.iter().find(|owner| owner.controller) {
        put(to, "pod_controller_kind", &*owner.kind);
        put(to, "pod_controller_name", &*owner.name);
        match owner.kind.as_str() {
            // The name without the hash that its pods carry.
            "ReplicaSet" if attach.deployment => {
                let hash = meta.labels.get("pod-template-hash");
                let name =
                    hash.and_then(|hash| owner.name.strip_suffix(hash.as_str())?.strip_suffix('-'));
                put(to, "pod_deployment_name", name.unwrap_or_default());
            }
            "Job" if attach.job => put(to, "pod_job_name", &*owner.name),
            _ => {}
        }
    }
    group
}

fn containers(pod: &Pod) -> impl Iterator<Item = (&LeanContainer, bool)> {
    let inits = pod.spec.init_containers.iter().map(|c| (c, true));
    pod.spec.containers.iter().map(|c| (c, false)).chain(inits)
}

fn container_labels(to: &mut Group, of: &LeanContainer, init: bool) {
    put(to, "pod_container_name", &*of.name);
    put(to, "pod_container_image", &*of.image);
    put(
        to,
        "pod_container_init",
        if init { "true" } else { "false" },
    );
}

fn protocol(port: &ContainerPort) -> &str {
    // The API server's default.
    port.protocol.as_deref().unwrap_or("TCP")
}

fn port_labels(to: &mut Group, port: &ContainerPort, protocol: &str) {
    put(
        to,
        "pod_container_port_number",
        port.container_port.to_string(),
    );
    put(
        to,
        "pod_container_port_name",
        port.name.clone().unwrap_or_default(),
    );
    put(to, "pod_container_port_protocol", protocol);
}

/// The targets of one pod by role `pod`: one for each port of each container, init containers too; one without a port for
/// a container that has none. A pod without an address has none.
pub fn of_pod(pod: &Pod, attach: Attach, namespace: Option<&Namespace>) -> Vec<Set> {
    let Some(ip) = pod.status.pod_ip.as_deref().filter(|ip| !ip.is_empty()) else {
        return Vec::new();
    };
    let mut group = pod_labels(pod, attach);
    put(&mut group, "namespace", &*pod.metadata.namespace);
    attached(&mut group, attach, namespace);
    let mut found = Vec::new();
    for (container, init) in containers(pod) {
        let mut base = group.clone();
        container_labels(&mut base, container, init);
        let statuses = match init {
            false => &pod.status.container_statuses,
            true => &pod.status.init_container_statuses,
        };
        if let Some(status) = statuses.iter().find(|s| s.name == container.name) {
            put(&mut base, "pod_container_id", &*status.container_id);
        }
        if container.ports.is_empty() {
            base.insert(ADDRESS.to_owned(), ip.to_owned());
            found.push(base.into_iter().collect());
            continue;
        }
        for port in &container.ports {
            let mut labels = base.clone();
            port_labels(&mut labels, port, protocol(port));
            labels.insert(ADDRESS.to_owned(), joined(ip, port.container_port));
            found.push(labels.into_iter().collect());
        }
    }
    found
}

fn service_labels(service: &Service) -> Group {
    let mut group = Group::new();
    let meta = &service.metadata;
    put(&mut group, "namespace", &*meta.namespace);
    put(&mut group, "service_name", &*meta.name);
    put_map(&mut group, "service", "label", &meta.labels);
    put_map(&mut group, "service", "annotation", &meta.annotations);
    group
}

fn transport(port: &LeanServicePort) -> &str {
    port.protocol.as_deref().unwrap_or("TCP")
}

/// The targets of one Service by role `service`: its own name, and no pod.
pub fn of_service(service: &Service, attach: Attach, namespace: Option<&Namespace>) -> Vec<Set> {
    let mut group = service_labels(service);
    attached(&mut group, attach, namespace);
    let (meta, spec) = (&service.metadata, &service.spec);
    let kind = spec.r#type.as_deref().unwrap_or("ClusterIP");
    let ports = spec.ports.iter().map(|port| {
        let mut labels = group.clone();
        let to = &mut labels;
        put(
            to,
            "service_port_name",
            port.name.clone().unwrap_or_default(),
        );
        put(to, "service_port_number", port.port.to_string());
        put(to, "service_port_protocol", transport(port));
        put(to, "service_type", kind);
        match kind {
            "ExternalName" => put(
                to,
                "service_external_name",
                spec.external_name.clone().unwrap_or_default(),
            ),
            _ => put(
                to,
                "service_cluster_ip",
                spec.cluster_ip.clone().unwrap_or_default(),
            ),
        }
        let host = format!("{}.{}.svc", meta.name, meta.namespace);
        labels.insert(ADDRESS.to_owned(), joined(&host, port.port));
        labels.into_iter().collect()
    });
    ports.collect()
}

/// Does the Service lead to this pod? Kubernetes leaves out what has ended or has no address.
pub fn leads_to(service: &Service, pod: &Pod) -> bool {
    let selector = &service.spec.selector;
    let own = &pod.metadata.labels;
    !selector.is_empty()
        && service.metadata.namespace == pod.metadata.namespace
        && selector
            .iter()
            .all(|(key, value)| own.get(key) == Some(value))
        && pod
            .status
            .pod_ip
            .as_deref()
            .is_some_and(|ip| !ip.is_empty())
        && family(service, pod)
        && !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
        && pod.metadata.deletion_timestamp.is_none()
}

/// Its endpoints are of its own address families.
fn family(service: &Service, pod: &Pod) -> bool {
    let six = pod
        .status
        .pod_ip
        .as_deref()
        .unwrap_or_default()
        .contains(':');
    let families = &service.spec.ip_families;
    families.is_empty() || families.iter().any(|family| (family == "IPv6") == six)
}

/// The number behind a port of a Service in this pod.
fn target_port(port: &LeanServicePort, pod: &Pod) -> Option<u16> {
    match &port.target_port {
        serde_json::Value::Null => Some(port.port),
        serde_json::Value::Number(number) => number.as_u64()?.try_into().ok(),
        serde_json::Value::String(name) => {
            let sidecars = pod.spec.init_containers.iter();
            let sidecars = sidecars.filter(|c| c.restart_policy.as_deref() == Some("Always"));
            pod.spec
                .containers
                .iter()
                .chain(sidecars)
                .flat_map(|container| &container.ports)
                .find(|one| one.name.as_ref() == Some(name) && protocol(one) == transport(port))
                .map(|one| one.container_port)
        }
        _ => None,
    }
}

/// Which of the two lists of a Service's endpoints is discovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoints {
    Endpoints,
    Slices,
}

/// The objects behind an endpoint that the job's selectors let it know. An endpoint that it knows without them is a
/// target all the same, without their labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Knows {
    pub pod: bool,
    pub service: bool,
}

/// The labels of a Service's list of endpoints: its own, and the controller's.
pub fn endpoints_labels(service: &Service, role: Endpoints) -> Labels {
    let mut labels = service.metadata.labels.clone();
    let mut add = |key: &str, value: &str| drop(labels.insert(key.to_owned(), value.to_owned()));
    if service.spec.cluster_ip.as_deref() == Some("None") {
        add("service.kubernetes.io/headless", "");
    }
    match role {
        Endpoints::Slices => {
            add("kubernetes.io/service-name", &service.metadata.name);
            add(
                "endpointslice.kubernetes.io/managed-by",
                "endpointslice-controller.k8s.io",
            );
        }
        // Since Kubernetes 1.33.
        Endpoints::Endpoints => add("endpoints.kubernetes.io/managed-by", "endpoint-controller"),
    }
    labels
}

/// The targets of one pod behind a Service that leads to it, by role `endpoints` or `endpointslice`: one for each port of
/// the Service, and one for each other port of its containers.
pub fn of_endpoint(
    service: &Service,
    pod: &Pod,
    role: Endpoints,
    attach: Attach,
    namespace: Option<&Namespace>,
    knows: Knows,
) -> Vec<Set> {
    let ip = pod.status.pod_ip.as_deref().unwrap_or_default();
    let mut group = match knows.service {
        true => service_labels(service),
        false => Group::new(),
    };
    put(&mut group, "namespace", &*service.metadata.namespace);
    attached(&mut group, attach, namespace);
    let slices = role == Endpoints::Slices;
    let of = if slices { "endpointslice" } else { "endpoints" };
    let labels = endpoints_labels(service, role);
    if slices {
        let six = ip.contains(':');
        let family = if six { "IPv6" } else { "IPv4" };
        put(&mut group, "endpointslice_address_type", family);
    } else {
        // A slice is called after its Service, with letters of chance.
        put(&mut group, "endpoints_name", &*service.metadata.name);
    }
    put_map(&mut group, of, "label", &labels);
    let ready = pod
        .status
        .conditions
        .iter()
        .any(|c| c.r#type == "Ready" && c.status == "True");
    let of_pod = pod_labels(pod, attach);
    let mut seen: Vec<u16> = Vec::new();
    let mut found = Vec::new();
    for port in &service.spec.ports {
        let Some(number) = target_port(port, pod) else {
            continue;
        };
        let mut labels = group.clone();
        let to = &mut labels;
        to.insert(ADDRESS.to_owned(), joined(ip, number));
        let name = port.name.clone().unwrap_or_default();
        let ready = if ready { "true" } else { "false" };
        let node = pod.spec.node_name.as_deref().unwrap_or_default();
        if slices {
            put(to, "endpointslice_port_name", name);
            put(to, "endpointslice_port_protocol", transport(port));
            put(to, "endpointslice_port", number.to_string());
            let app = port.app_protocol.clone().unwrap_or_default();
            put(to, "endpointslice_port_app_protocol", app);
            put(to, "endpointslice_endpoint_conditions_ready", ready);
            put(to, "endpointslice_endpoint_conditions_serving", ready);
            put(to, "endpointslice_endpoint_conditions_terminating", "false");
            put(to, "endpointslice_endpoint_node_name", node);
            put(to, "endpointslice_address_target_kind", "Pod");
            put(to, "endpointslice_address_target_name", &*pod.metadata.name);
        } else {
            put(to, "endpoint_port_name", name);
            put(to, "endpoint_port_protocol", transport(port));
            put(to, "endpoint_ready", ready);
            put(to, "endpoint_node_name", node);
            put(to, "endpoint_address_target_kind", "Pod");
            put(to, "endpoint_address_target_name", &*pod.metadata.name);
        }
        if !knows.pod {
            found.push(labels.into_iter().collect());
            continue;
        }
        to.extend(of_pod.clone());
        for (container, init) in containers(pod) {
            let same = |one: &&ContainerPort| one.container_port == number;
            if let Some(one) = container.ports.iter().find(same) {
                container_labels(to, container, init);
                let protocol = if slices {
                    protocol(one)
                } else {
                    transport(port)
                };
                port_labels(to, one, protocol);
            }
        }
        seen.push(number);
        found.push(labels.into_iter().collect());
    }
    // Without a port of the Service's its list does not name the pod.
    if seen.is_empty() {
        return found;
    }
    for (container, init) in containers(pod) {
        for port in &container.ports {
            if seen.contains(&port.container_port) {
                continue;
            }
            let mut labels = group.clone();
            labels.extend(of_pod.clone());
            container_labels(&mut labels, container, init);
            port_labels(&mut labels, port, protocol(port));
            labels.insert(ADDRESS.to_owned(), joined(ip, port.container_port));
            found.push(labels.into_iter().collect());
        }
    }
    found
}
