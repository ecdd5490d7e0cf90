//! What bears on a rollout in its namespace: quotas and disruption budgets, each read once.

use crate::cluster::Cluster;
use crate::cluster::api::encode;
use crate::plan::Plan;
use crate::plan::review::{PodVerdict, Reviewed};
use crate::plan::rollout_problems::{Around, pace, rollout_problems};
use crate::problems::Problem;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
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

/// From so many namespaces on, the bounds of all are listed at once, if they are no more than so many.
const MANY: usize = 8;
const MOST: usize = 500;

/// Read as they are needed, and kept for one review.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    /// How many the plan is about.
    many: usize,
    /// `None`: those of the whole cluster cannot be had at once.
    all: OnceCell<Option<BTreeMap<String, Bounds>>>,
    each: Mutex<BTreeMap<String, Arc<OnceCell<Bounds>>>>,
}

impl Namespaces {
    pub fn of(plan: &Plan) -> Self {
        let objects = plan.changes.iter().map(|change| &change.object);
        let names: BTreeSet<&str> = objects.map(|object| &*object.namespace).collect();
        Namespaces {
            many: names.len(),
            ..Namespaces::default()
        }
    }

    async fn all(&self, cluster: &Cluster) -> Option<&BTreeMap<String, Bounds>> {
        if self.many < MANY {
            return None;
        }
        let all = self.all.get_or_init(|| async {
            let (quotas, budgets) = tokio::join!(
                whole(cluster, "/api/v1/resourcequotas"),
                whole(cluster, "/apis/policy/v1/poddisruptionbudgets")
            );
            let mut all: BTreeMap<String, Bounds> = BTreeMap::new();
            let space = |object: &Value| {
                let space = object["metadata"]["namespace"].as_str();
                space.unwrap_or_default().to_owned()
            };
            for quota in quotas? {
                all.entry(space(&quota)).or_default().quotas.push(quota);
            }
            for budget in budgets? {
                all.entry(space(&budget)).or_default().budgets.push(budget);
            }
            Some(all)
        });
        all.await.as_ref()
    }

    fn cell(&self, namespace: &str) -> Arc<OnceCell<Bounds>> {
        let mut all = self.each.lock().unwrap_or_else(PoisonError::into_inner);
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
        Some(PodVerdict::Forbidden(Problem::QuotaUsedUp { of, said })) => {
            Some((of.clone(), said.clone()))
        }
        _ => None,
    };
    let pace = pace(after);
    let cell = namespaces.cell(namespace);
    let read = async || bounds(cluster, namespace).await;
    let none = Bounds::default();
    let bounds = match pace {
        Some(_) => match namespaces.all(cluster).await {
            Some(all) => Some(all.get(namespace).unwrap_or(&none)),
            None => Some(cell.get_or_init(read).await),
        },
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
        refused: refused.as_ref().map(|(_, said)| said.as_str()),
    };
    reviewed.rollout_problems = rollout_problems(after, &around);
    if let Some((of, said)) = refused
        && pace.is_none_or(|pace| pace.away > 0)
    {
        let more = Problem::QuotaRefusesOneMore { of, said };
        reviewed.pod = Some(PodVerdict::BeyondQuota(more));
    }
}

async fn bounds(cluster: &Cluster, namespace: &str) -> Bounds {
    let quotas = format!("/api/v1/namespaces/{namespace}/resourcequotas?limit={LIMIT}");
    let budgets =
        format!("/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets?limit={LIMIT}");
    let (quotas, budgets) = tokio::join!(items(cluster, &quotas), items(cluster, &budgets));
    Bounds { quotas, budgets }
}

/// A list that is whole in one answer.
async fn whole(cluster: &Cluster, path: &str) -> Option<Vec<Value>> {
    let list: Value = cluster.read(&format!("{path}?limit={MOST}")).await.ok()?;
    let more = list["metadata"]["continue"].as_str();
    let items = list["items"].as_array().cloned().unwrap_or_default();
    more.is_none_or(str::is_empty).then_some(items)
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
