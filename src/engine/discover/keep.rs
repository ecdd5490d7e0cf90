//! What is kept of each object: ten thousand pods must fit into little memory.

use crate::mesh::objects::{self as lean, Labels};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// An object as it is kept: what nobody reads is dropped before it is stored.
pub(super) trait Keep: DeserializeOwned + Send + 'static {
    fn prune(&mut self) {}

    /// A whole page, in the server's order: neighbours are often alike.
    fn prune_page(page: &mut [Self]) {
        page.iter_mut().for_each(Self::prune);
    }
}

/// Annotations that some part of the program reads.
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

fn prune_annotations(annotations: &mut Labels) {
    annotations.retain(|key, _| read_by_somebody(key));
}

fn share(before: &Arc<Labels>, labels: &mut Arc<Labels>) {
    if before == labels {
        *labels = Arc::clone(before);
    }
}

impl Keep for lean::Pod {
    fn prune_page(page: &mut [Self]) {
        page.iter_mut().for_each(Self::prune);
        for at in 1..page.len() {
            let (before, rest) = page.split_at_mut(at);
            if let (Some(before), Some(pod)) = (before.last(), rest.first_mut()) {
                share(&before.metadata.labels, &mut pod.metadata.labels);
                share(&before.metadata.annotations, &mut pod.metadata.annotations);
            }
        }
    }

    fn prune(&mut self) {
        prune_annotations(Arc::make_mut(&mut self.metadata.annotations));
        // Which containers there are, and the version of the proxy: the template says the rest.
        for list in [&mut self.spec.containers, &mut self.spec.init_containers] {
            list.retain(|container| container.name == "istio-proxy");
            list.shrink_to_fit();
            for container in list {
                container.ports = Vec::new();
            }
        }
        self.status
            .conditions
            .retain(|condition| condition.r#type == "Ready");
        self.status.conditions.shrink_to_fit();
        self.metadata.owner_references.shrink_to_fit();
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
    EnvoyFilter,
    K8sGateway,
    PodMonitor
);
