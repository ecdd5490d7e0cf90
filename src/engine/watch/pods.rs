//! The pods that should be targets, as the cluster has them now.

use super::Watched;
use crate::answers::MetricsPort;
use crate::cluster::api::encode;
use crate::cluster::{ApiError, Cluster};
use crate::error::Error;
use crate::mesh::kinds::{Kind, WorkloadRef};
use crate::mesh::objects::{Labels, Pod, Workload};
use crate::prometheus::owned_by;
use crate::reach::probe::SECURE_PORT;
use crate::targets::Expected;
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeMap;

/// Up to so many items of a namespace are asked for by their selectors; above, the namespace is listed whole.
const BY_SELECTOR: usize = 2;
const AT_ONCE: usize = 6;

/// Every live pod of the items. An item without any pod stands once, with an empty pod name,
/// unless it is scaled to zero: then nothing is expected of it.
pub(super) async fn expected(cluster: &Cluster, items: &[Watched]) -> Result<Vec<Expected>, Error> {
    let mut by_namespace: BTreeMap<&str, Vec<&Watched>> = BTreeMap::new();
    for watched in items {
        let namespace = watched.item.namespace.as_str();
        by_namespace.entry(namespace).or_default().push(watched);
    }
    let mut questions = Vec::new();
    for (namespace, items) in by_namespace {
        if items.len() > BY_SELECTOR {
            questions.push(of_namespace(cluster, namespace, items, None));
            continue;
        }
        for item in items {
            let selector = Some(select(&item.selector));
            questions.push(of_namespace(cluster, namespace, vec![item], selector));
        }
    }
    let found: Vec<Vec<Expected>> = stream::iter(questions)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// The names of a workload's live pods; none where the workload is gone.
pub(super) async fn of(cluster: &Cluster, item: &WorkloadRef) -> Result<Vec<String>, Error> {
    let workload: Workload = match cluster.read(&item.object().path()).await {
        Ok(workload) => workload,
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let watched = Watched {
        item: item.clone(),
        gateway: false,
        port: MetricsPort::Merged,
        behind: 15020,
        selector: workload.spec.selector.match_labels,
        template_port: None,
    };
    let selector = select(&watched.selector);
    let pods = list(cluster, &item.namespace, Some(&selector)).await?;
    let of = pods.into_iter().filter(|pod| belongs(pod, &watched));
    Ok(of.map(|pod| pod.metadata.name).collect())
}

async fn of_namespace(
    cluster: &Cluster,
    namespace: &str,
    items: Vec<&Watched>,
    selector: Option<String>,
) -> Result<Vec<Expected>, ApiError> {
    let pods = list(cluster, namespace, selector.as_deref()).await?;
    let mut expected = Vec::new();
    for item in items {
        let before = expected.len();
        let of = pods.iter().filter(|pod| belongs(pod, item));
        expected.extend(of.map(|pod| one(pod, item)));
        if expected.len() == before && !is_scaled_to_zero(cluster, item).await {
            expected.push(nobody(item));
        }
    }
    Ok(expected)
}

async fn list(
    cluster: &Cluster,
    namespace: &str,
    selector: Option<&str>,
) -> Result<Vec<Pod>, ApiError> {
    let query = selector.map_or(String::new(), |text| {
        format!("labelSelector={}", encode(text))
    });
    let mut pods = Vec::new();
    let mut token = None;
    loop {
        let page = cluster
            .page::<Pod>(Kind::Pod, Some(namespace), &query, token.as_deref())
            .await?;
        pods.extend(page.items.into_iter().filter(lives));
        token = page.next;
        if token.is_none() {
            return Ok(pods);
        }
    }
}

fn select(labels: &Labels) -> String {
    let pairs = labels.iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(",")
}

/// Pods that are ending or have ended are no targets.
fn lives(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
        && !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
}

/// A pod without an owner belongs to nobody, whatever its labels: no rollout ever reaches it.
fn belongs(pod: &Pod, watched: &Watched) -> bool {
    let labels = &pod.metadata.labels;
    let owners = &pod.metadata.owner_references;
    let mut selector = watched.selector.iter();
    selector.all(|(key, value)| labels.get(key) == Some(value))
        && !owners.is_empty()
        && owned_by(owners, &watched.item)
}

async fn is_scaled_to_zero(cluster: &Cluster, watched: &Watched) -> bool {
    let path = watched.item.object().path();
    let Ok(workload) = cluster.read::<Workload>(&path).await else {
        return false;
    };
    match watched.item.kind {
        Kind::DaemonSet => workload.status.desired_number_scheduled == 0,
        _ => workload.spec.replicas == Some(0),
    }
}

fn one(pod: &Pod, watched: &Watched) -> Expected {
    let ready = |name: &str| {
        let mut conditions = pod.status.conditions.iter();
        conditions.any(|is| is.r#type == name && is.status == "True")
    };
    let secure_port = pod.metadata.annotations.get(SECURE_PORT).cloned();
    Expected {
        item: watched.item.clone(),
        gateway: watched.gateway,
        pod: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        ip: pod.status.pod_ip.clone(),
        phase: pod.status.phase.clone(),
        ready: ready("Ready"),
        sidecar: pod.proxy().is_some(),
        native: secure_port
            .as_ref()
            .is_some_and(|port| pod.opens_natively(port)),
        secure_port,
        started: pod.status.start_time,
        port: watched.port,
        behind: watched.behind,
        labels: pod.metadata.labels.clone(),
        template_port: watched.template_port.clone(),
    }
}

fn nobody(watched: &Watched) -> Expected {
    Expected {
        item: watched.item.clone(),
        gateway: watched.gateway,
        pod: String::new(),
        uid: String::new(),
        ip: None,
        phase: String::new(),
        ready: false,
        sidecar: false,
        secure_port: None,
        started: None,
        port: watched.port,
        behind: watched.behind,
        labels: Default::default(),
        native: false,
        template_port: watched.template_port.clone(),
    }
}

#[cfg(test)]
mod tests;
