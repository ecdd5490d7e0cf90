//! What bears on a rollout in its namespace: quotas and disruption budgets, each read once for each namespace.

use crate::cluster::Cluster;
use crate::cluster::api::encode;
use crate::plan::hurdles::{Around, hurdles, pace};
use crate::plan::review::{PodVerdict, Reviewed};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// More than a namespace has.
const LIMIT: usize = 100;

/// Of one namespace. What may not be read is empty, and nothing is said of it.
#[derive(Debug, Default)]
struct Bounds {
    quotas: Vec<Value>,
    budgets: Vec<Value>,
}

/// Read as they are needed, and kept for one review.
#[derive(Debug, Default)]
pub(super) struct Namespaces(Mutex<BTreeMap<String, Arc<OnceCell<Bounds>>>>);

impl Namespaces {
    fn cell(&self, namespace: &str) -> Arc<OnceCell<Bounds>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(namespace.to_owned()).or_default())
    }
}

/// Finds what the rollout of this change will meet. `new`: the Pod that admission made of its new template.
pub(super) async fn find(
    cluster: &Cluster,
    namespaces: &Namespaces,
    reviewed: &mut Reviewed,
    new: Option<&Value>,
) {
    let (Some(live), Some(after)) = (&reviewed.live, &reviewed.after) else {
        return;
    };
    let namespace = reviewed.change.object.namespace.as_str();
    // A quota's refusal of a pod more: the server's own word, exact where the rollout begins with one more.
    let refused = match &reviewed.pod {
        Some(PodVerdict::Forbidden(words)) if words.contains("exceeded quota") => {
            Some(words.clone())
        }
        _ => None,
    };
    let pace = pace(after);
    let cell = namespaces.cell(namespace);
    let read = async || bounds(cluster, namespace).await;
    let bounds = match pace {
        Some(_) => Some(cell.get_or_init(read).await),
        // Its controller does nothing by itself.
        None => None,
    };
    let quotas = bounds.map_or(&[][..], |bounds| &bounds.quotas);
    let old = match quotas.is_empty() {
        true => None,
        false => a_pod(cluster, live).await,
    };
    let around = Around {
        quotas,
        budgets: bounds.map_or(&[][..], |bounds| &bounds.budgets),
        old: old.as_ref(),
        new,
        refused: refused.as_deref(),
    };
    reviewed.hurdles = hurdles(after, &around);
    if let Some(words) = refused
        && pace.is_none_or(|pace| pace.away > 0)
    {
        reviewed.pod = Some(PodVerdict::Unknown(format!(
            "a quota refuses one pod more, which this rollout does not begin with: {words}"
        )));
    }
}

async fn bounds(cluster: &Cluster, namespace: &str) -> Bounds {
    let quotas = format!("/api/v1/namespaces/{namespace}/resourcequotas?limit={LIMIT}");
    let budgets =
        format!("/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets?limit={LIMIT}");
    let (quotas, budgets) = tokio::join!(items(cluster, &quotas), items(cluster, &budgets));
    Bounds { quotas, budgets }
}

async fn items(cluster: &Cluster, path: &str) -> Vec<Value> {
    let list: Value = cluster.read(path).await.unwrap_or_default();
    list["items"].as_array().cloned().unwrap_or_default()
}

/// One of the workload's pods, for what its containers ask for with what was injected.
async fn a_pod(cluster: &Cluster, live: &Value) -> Option<Value> {
    let labels = live["spec"]["selector"]["matchLabels"].as_object()?;
    let pairs: Vec<String> = labels
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    let namespace = live["metadata"]["namespace"].as_str()?;
    let path = format!(
        "/api/v1/namespaces/{namespace}/pods?limit=1&labelSelector={}",
        encode(&pairs.join(","))
    );
    items(cluster, &path).await.into_iter().next()
}
