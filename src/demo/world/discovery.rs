//! What `kubernetes_sd_configs` finds, with the labels that Prometheus gives it.

use serde_json::Value;

use super::relabel::Labels;
use crate::demo::json::{at, controller, list, name, namespace, text, uid};

/// Characters that a label name cannot hold become underscores.
fn sanitized(key: &str) -> String {
    key.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

fn put(labels: &mut Labels, key: &str, value: &str) {
    labels.insert(format!("__meta_kubernetes_{key}"), value.to_owned());
}

fn put_map(labels: &mut Labels, kind: &str, map: &Value) {
    for (key, value) in map.as_object().into_iter().flatten() {
        let key = sanitized(key);
        put(
            labels,
            &format!("{kind}_{key}"),
            value.as_str().unwrap_or(""),
        );
        put(labels, &format!("{kind}present_{key}"), "true");
    }
}

/// The target groups of one pod: one for each port of each container, init containers too;
/// one without port for a container that has none.
pub fn pod(pod: &Value) -> Vec<Labels> {
    let address = text(pod, "/status/podIP");
    if address.is_empty() {
        return Vec::new();
    }
    let mut common = Labels::new();
    put(&mut common, "namespace", namespace(pod));
    put(&mut common, "pod_name", name(pod));
    put(&mut common, "pod_uid", uid(pod));
    put(&mut common, "pod_ip", address);
    put(&mut common, "pod_node_name", text(pod, "/spec/nodeName"));
    put(&mut common, "pod_host_ip", text(pod, "/status/hostIP"));
    put(&mut common, "pod_phase", text(pod, "/status/phase"));
    let ready = list(pod, "/status/conditions")
        .iter()
        .find(|c| text(c, "/type") == "Ready")
        .map_or("unknown", |c| text(c, "/status"));
    put(&mut common, "pod_ready", &ready.to_lowercase());
    if let Some((kind, owner)) = controller(pod) {
        put(&mut common, "pod_controller_kind", kind);
        put(&mut common, "pod_controller_name", owner);
    }
    put_map(&mut common, "pod_label", at(pod, "/metadata/labels"));
    put_map(
        &mut common,
        "pod_annotation",
        at(pod, "/metadata/annotations"),
    );

    let mut targets = Vec::new();
    let inits = list(pod, "/spec/initContainers").iter().map(|c| (c, true));
    let containers = list(pod, "/spec/containers").iter().map(|c| (c, false));
    for (container, init) in containers.chain(inits) {
        let mut base = common.clone();
        put(&mut base, "pod_container_name", text(container, "/name"));
        put(&mut base, "pod_container_image", text(container, "/image"));
        put(
            &mut base,
            "pod_container_init",
            if init { "true" } else { "false" },
        );
        let ports = list(container, "/ports");
        if ports.is_empty() {
            base.insert("__address__".to_owned(), address.to_owned());
            targets.push(base);
            continue;
        }
        for port in ports {
            let mut labels = base.clone();
            let number = at(port, "/containerPort").to_string();
            put(&mut labels, "pod_container_port_number", &number);
            put(&mut labels, "pod_container_port_name", text(port, "/name"));
            put(
                &mut labels,
                "pod_container_port_protocol",
                text(port, "/protocol"),
            );
            labels.insert("__address__".to_owned(), host_port(address, &number));
            targets.push(labels);
        }
    }
    targets
}

fn host_port(address: &str, port: &str) -> String {
    if address.contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}

pub fn node(node: &Value) -> Labels {
    let mut labels = Labels::new();
    let address = text(node, "/status/addresses/0/address");
    put(&mut labels, "node_name", name(node));
    put_map(&mut labels, "node_label", at(node, "/metadata/labels"));
    labels.insert("__address__".to_owned(), host_port(address, "10250"));
    labels.insert("instance".to_owned(), name(node).to_owned());
    labels
}
