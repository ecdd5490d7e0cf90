//! Which targets are followed, and in which Prometheus, by what was chosen.

use super::Watched;
use crate::answers::Answers;
use crate::error::{Error, Result};
use crate::mesh::{Mesh, OtherPods, Prometheus, Workload};
use crate::recipe::{self, Selection};
use crate::targets::Ground;
use crate::words::say::engine as say;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The Prometheus whose targets are shown: the chosen one, or the only one that could be.
///
/// # Errors
/// The chosen one is not there, there is none, or there are several and none was chosen.
pub fn prometheus(mesh: &Mesh, answers: &Answers) -> Result<Arc<Prometheus>> {
    if let Some(id) = &answers.prometheus {
        return mesh.prometheus(id).cloned().ok_or_else(|| {
            let names: Vec<String> = mesh
                .prometheus_servers
                .iter()
                .map(|p| p.id.to_string())
                .collect();
            let id = id.to_string();
            let near = crate::error::nearest(&id, names.iter().map(String::as_str));
            let error = Error::new(say::no_such_prometheus(&id));
            match near {
                Some(near) => error.hint(format!("--prometheus {near}")),
                None => error,
            }
        });
    }
    // One that has a working secure set-up is the one that is meant.
    let mut set_up = mesh
        .prometheus_servers
        .iter()
        .filter(|p| p.certificates.is_some());
    if let (Some(only), None) = (set_up.next(), set_up.next()) {
        return Ok(Arc::clone(only));
    }
    let mut free = mesh
        .prometheus_servers
        .iter()
        .filter(|p| p.is_free(&answers.take));
    match (free.next(), free.next()) {
        (Some(only), None) => Ok(Arc::clone(only)),
        (None, _) => Err(Error::new(say::NO_TARGETS_TO_SHOW)),
        _ => Err(Error::new(say::SEVERAL_PROMETHEUS)),
    }
}

/// What guards the ports, by the mesh as it was read.
pub fn ground(mesh: &Mesh, prometheus: &Prometheus) -> Ground {
    Ground {
        // One of which only the name is known has an identity that is not.
        principal: (!prometheus.service_account.is_empty())
            .then(|| recipe::principal(mesh, prometheus))
            .flatten(),
        root: mesh.istio.root_namespace.clone(),
        shared_with: prometheus.shared_with.clone(),
        namespace: prometheus.id.namespace.clone(),
        labels: prometheus.template.metadata.labels.clone(),
        addresses: prometheus
            .pods
            .iter()
            .filter_map(|pod| pod.ip.clone())
            .collect(),
        host_network: prometheus.template.spec.host_network,
        account: prometheus.service_account.clone(),
        looks: prometheus.looks.clone(),
        rules: Arc::clone(&mesh.rules),
    }
}

/// The items whose targets are followed: the chosen ones, or else all that are secured already.
pub fn watched(mesh: &Mesh, answers: &Answers) -> Vec<Watched> {
    // Without choices of their own they are as an earlier run has left them.
    let chooses = answers.chooses_something();
    let port = |workload: &Workload| match workload.leads_to() {
        Some(port) if !chooses => port,
        _ => answers.port_of(&workload.id),
    };
    let item = |workload: &Workload, gateway: bool| Watched {
        item: workload.id.clone(),
        gateway,
        port: port(workload),
        behind: workload.behind(port(workload)),
        selector: workload.selector.clone(),
        template_port: workload
            .template
            .metadata
            .annotations
            .get(recipe::ANNOTATION)
            .filter(|_| workload.rolled_out)
            .cloned(),
    };
    if !chooses {
        let secured =
            |w: &Workload| !w.ours.is_empty() || w.scraped.secure || w.secured_port.is_some();
        let workloads = mesh.workloads.iter().filter(|w| secured(w));
        let gateways = mesh.gateways.iter().filter(|g| secured(&g.workload));
        return workloads
            .map(|w| item(w, false))
            .chain(gateways.map(|g| item(&g.workload, true)))
            .collect();
    }
    let named = mesh.workloads.iter().filter(|w| {
        answers.workloads.contains(&w.id)
            || (answers.namespaces.contains(&w.id.namespace)
                && w.is_free(&answers.take)
                && !answers
                    .workloads
                    .iter()
                    .any(|id| id.namespace == w.id.namespace))
    });
    let gateways = answers
        .gateways
        .iter()
        .filter_map(|id| mesh.gateway(&id.namespace, &id.name));
    named
        .map(|w| item(w, false))
        .chain(gateways.map(|g| item(&g.workload, true)))
        .collect()
}

/// Pods of other owners beside these items, and in the namespaces that were named.
pub fn others(mesh: &Mesh, answers: &Answers, watched: &[Watched]) -> Vec<Arc<OtherPods>> {
    let of_items = watched.iter().map(|watched| &watched.item.namespace);
    let spaces: BTreeSet<&String> = of_items.chain(&answers.namespaces).collect();
    let others = spaces.into_iter().flat_map(|space| mesh.others_in(space));
    others.cloned().collect()
}

/// [`watched`], less what a namespace's name did not bring into the selection.
pub fn chosen(mesh: &Mesh, answers: &Answers, selection: &Selection) -> Vec<Watched> {
    let mut watched = watched(mesh, answers);
    let workloads = &selection.workloads;
    watched.retain(|of| of.gateway || workloads.iter().any(|w| w.id == of.item));
    watched
}
