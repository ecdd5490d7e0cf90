//! What is kept of each object: ten thousand pods must fit into little memory.

use crate::mesh::objects::{self as lean, Labels};
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::sync::Arc;

/// An object as it is kept: what nobody reads is dropped before it is stored.
pub(super) trait Keep: DeserializeOwned + Send + 'static {
    fn prune(&mut self) {}

    /// A whole page, in the server's order: neighbours are often alike.
    fn prune_page(page: &mut [Self]) {
        page.iter_mut().for_each(Self::prune);
    }
}

/// Annotations that this program reads itself.
fn read_by_somebody(key: &str) -> bool {
    [
        "istio.io",
        "prometheus.io",
        "argoproj.io",
        "fluxcd.io",
        "helm.sh",
    ]
    .iter()
    .any(|domain| key.contains(domain))
}

/// What a network plugin writes on each pod differs from pod to pod.
fn of_one_pod(key: &str) -> bool {
    key.contains("cni") || key.ends_with("/network-status") || key.ends_with("/networks-status")
}

/// A scrape job may read any annotation, but for what is written for programs.
fn prune_annotations(annotations: &mut Labels) {
    annotations
        .retain(|key, value| read_by_somebody(key) || (value.len() <= 256 && !of_one_pod(key)));
}

/// The names of one page's nodes and accounts, each kept once.
fn share_text(known: &mut HashSet<Arc<str>>, of: &mut Option<Arc<str>>) {
    let Some(text) = of else { return };
    match known.get(text) {
        Some(same) => *text = Arc::clone(same),
        None => drop(known.insert(Arc::clone(text))),
    }
}

fn share<T: PartialEq>(before: &Arc<T>, of: &mut Arc<T>) {
    if before == of {
        *of = Arc::clone(before);
    }
}

impl Keep for lean::Pod {
    fn prune_page(page: &mut [Self]) {
        page.iter_mut().for_each(Self::prune);
        let mut known = HashSet::new();
        for pod in page.iter_mut() {
            share_text(&mut known, &mut pod.spec.node_name);
            share_text(&mut known, &mut pod.spec.service_account_name);
            share_text(&mut known, &mut pod.status.host_ip);
        }
        for at in 1..page.len() {
            let (before, rest) = page.split_at_mut(at);
            if let (Some(before), Some(pod)) = (before.last(), rest.first_mut()) {
                share(&before.metadata.labels, &mut pod.metadata.labels);
                share(&before.metadata.annotations, &mut pod.metadata.annotations);
                share(
                    &before.metadata.owner_references,
                    &mut pod.metadata.owner_references,
                );
                share(&before.status.conditions, &mut pod.status.conditions);
                share(&before.spec.containers, &mut pod.spec.containers);
                share(&before.spec.init_containers, &mut pod.spec.init_containers);
            }
        }
    }

    fn prune(&mut self) {
        prune_annotations(Arc::make_mut(&mut self.metadata.annotations));
        // What Prometheus discovers: each container, and its ports.
        for list in [&mut self.spec.containers, &mut self.spec.init_containers] {
            let list = Arc::make_mut(list);
            for container in list.iter_mut() {
                if container.name != "istio-proxy" {
                    container.env.clear();
                }
                container.ports.shrink_to_fit();
            }
            list.shrink_to_fit();
        }
        let conditions = Arc::make_mut(&mut self.status.conditions);
        conditions.retain(|condition| condition.r#type == "Ready");
        conditions.shrink_to_fit();
        // Of these the containers' ids alone are read, and by hardly any job.
        self.status.container_statuses = Vec::new();
        self.status.init_container_statuses = Vec::new();
        Arc::make_mut(&mut self.metadata.owner_references).shrink_to_fit();
    }
}

macro_rules! keep {
    ($($name:ident),*) => {$(
        impl Keep for lean::$name {
            fn prune(&mut self) {
                prune_annotations(&mut self.metadata.annotations);
            }
        }
    )*};
}
keep!(
    Namespace,
    Workload,
    Service,
    Webhook,
    Sidecar,
    PeerAuthentication,
    AuthorizationPolicy,
    Gateway,
    VirtualService,
    ServiceEntry,
    WorkloadEntry,
    EnvoyFilter,
    K8sGateway,
    PodMonitor,
    OperatorPrometheus,
    NetworkPolicy
);
