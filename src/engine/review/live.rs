//! The live objects of a review: where most of what stands somewhere is in the plan, it is listed, since so many
//! questions would cost more than the dry runs.

use crate::cluster::{ApiError, Cluster};
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::plan::{Part, Plan};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// From so many objects of one kind on, in one namespace and in the cluster, a list is tried.
const IN_NAMESPACE: usize = 3;
const IN_CLUSTER: usize = 32;
/// Objects in a list for each that is wanted of it; more would cost more than the questions.
const SHARE: usize = 2;

/// By namespace and name; `None`: it was asked for.
type Objects = BTreeMap<(String, String), Option<Arc<Value>>>;

/// All of one kind in one place, of which so many are wanted.
#[derive(Debug, Default)]
struct List {
    wanted: usize,
    /// `None`: it cannot be had, or is too long.
    objects: OnceCell<Option<Mutex<Objects>>>,
}

/// Each list is read when the first of its objects is asked for, and answers once for each: who asks again wants
/// the object as it is then.
#[derive(Debug, Default)]
pub(super) struct Live {
    namespaces: BTreeMap<(Kind, String), List>,
    cluster: BTreeMap<Kind, List>,
}

impl Live {
    pub fn of(plan: &Plan) -> Self {
        let mut live = Live::default();
        for change in &plan.changes {
            let object = &change.object;
            // Other Secrets are none of our business.
            let secret = object.kind == Kind::Secret && change.part != Part::Journal;
            if !object.namespace.is_empty() && !secret {
                let place = (object.kind, object.namespace.clone());
                live.namespaces.entry(place).or_default().wanted += 1;
                live.cluster.entry(object.kind).or_default().wanted += 1;
            }
        }
        let spaces = |kind: Kind| live.namespaces.keys().filter(|(of, _)| *of == kind).count();
        live.cluster
            .retain(|kind, list| list.wanted >= IN_CLUSTER && spaces(*kind) > 1);
        live.namespaces
            .retain(|_, list| list.wanted >= IN_NAMESPACE);
        live
    }

    /// As [`Cluster::get`].
    pub async fn get(
        &self,
        cluster: &Cluster,
        object: &ObjectRef,
    ) -> Result<Option<Arc<Value>>, ApiError> {
        let kind = object.kind;
        let place = (kind, object.namespace.clone());
        let lists = [
            (self.cluster.get(&kind), None),
            (self.namespaces.get(&place), Some(&*object.namespace)),
        ];
        for (list, namespace) in lists {
            let Some(list) = list else { continue };
            let objects = list.objects.get_or_init(|| async {
                // Who may not list them may still read each.
                let listed = cluster.few(kind, namespace, list.wanted * SHARE).await;
                Some(Mutex::new(named(listed.ok()??)))
            });
            if let Some(objects) = objects.await {
                let mut objects = objects.lock().unwrap_or_else(PoisonError::into_inner);
                let name = (object.namespace.clone(), object.name.clone());
                match objects.insert(name, None) {
                    Some(Some(live)) => return Ok(Some(live)),
                    None => return Ok(None),
                    Some(None) => {}
                }
                break;
            }
        }
        Ok(cluster.get(object).await?.map(Arc::new))
    }
}

fn named(objects: Vec<Value>) -> Objects {
    let name = |object: &Value, field: &str| {
        let name = object["metadata"][field].as_str();
        name.unwrap_or_default().to_owned()
    };
    objects
        .into_iter()
        .map(|object| {
            let name = (name(&object, "namespace"), name(&object, "name"));
            (name, Some(Arc::new(object)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::Simulation;
    use crate::plan::purpose::Purpose;
    use crate::plan::{Action, Change, Part};
    use serde_json::json;

    fn map(object: &ObjectRef, value: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"key": value},
            "metadata": {"namespace": object.namespace, "name": object.name}})
    }

    fn reads(simulation: &Simulation) -> usize {
        let requests = simulation.requests().into_iter();
        requests.filter(|r| r.path.contains("/configmaps")).count()
    }

    /// Maps of a plan, all but the last of which stand.
    fn world(spaces: &[&str], each: usize) -> (Simulation, Cluster, Vec<ObjectRef>, Plan) {
        let simulation = Simulation::builtin();
        let mut objects = Vec::new();
        let mut plan = Plan::default();
        for space in spaces {
            for at in 0..each {
                let object = ObjectRef::new(Kind::ConfigMap, *space, format!("many-{at}"));
                let action = Action::Delete { uid: String::new() };
                let change = Change::new(object.clone(), Part::Policy, action, Purpose::SecureJob);
                plan.changes.push(change);
                objects.push(object);
            }
        }
        for object in &objects[..objects.len() - 1] {
            simulation.put(map(object, "old"));
        }
        let cluster = Cluster::new(simulation.client(), "demo");
        (simulation, cluster, objects, plan)
    }

    /// How many requests it takes to have them all, beside the test's own.
    async fn cost(
        simulation: &Simulation,
        cluster: &Cluster,
        objects: &[ObjectRef],
        live: &Live,
    ) -> usize {
        let before = reads(simulation);
        for (at, object) in objects.iter().enumerate() {
            let got = live.get(cluster, object).await.unwrap();
            let wanted = cluster.get(object).await.unwrap();
            assert_eq!(got.as_deref(), wanted.as_ref(), "{object}");
            assert_eq!(
                got.is_none(),
                at + 1 == objects.len(),
                "the last is not there"
            );
        }
        reads(simulation) - before - objects.len()
    }

    #[tokio::test(start_paused = true)]
    async fn many_in_one_namespace_are_one_list_and_then_each_as_it_is() {
        let (simulation, cluster, objects, plan) = world(&["default"], 20);
        let live = Live::of(&plan);
        assert_eq!(cost(&simulation, &cluster, &objects, &live).await, 1);
        simulation.put(map(&objects[0], "new"));
        let again = live.get(&cluster, &objects[0]).await.unwrap().unwrap();
        assert_eq!(again["data"]["key"], "new");
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_are_asked_for_one_by_one() {
        let (simulation, cluster, objects, plan) = world(&["default"], IN_NAMESPACE - 1);
        let cost = cost(&simulation, &cluster, &objects, &Live::of(&plan)).await;
        assert_eq!(cost, IN_NAMESPACE - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn many_over_namespaces_are_one_list() {
        let (simulation, cluster, objects, plan) = world(&["default", "shop", "orders"], 14);
        let cost = cost(&simulation, &cluster, &objects, &Live::of(&plan)).await;
        assert_eq!(cost, 1);
    }

    /// Among many others, a list would read more than it saves.
    #[tokio::test(start_paused = true)]
    async fn a_part_of_a_crowd_is_not_listed() {
        let (simulation, cluster, objects, plan) = world(&["default", "shop"], 16);
        for at in 0..100 {
            let other = ObjectRef::new(Kind::ConfigMap, "default", format!("other-{at}"));
            simulation.put(map(&other, "other"));
        }
        let cost = cost(&simulation, &cluster, &objects, &Live::of(&plan)).await;
        // The cluster's list and default's are too long; shop's serves.
        assert_eq!(cost, 1 + 1 + 16 + 1);
    }
}
