//! The live objects of a review: where a plan is about many of one kind in one namespace they are listed, since so many
//! questions would cost more than the dry runs.

use crate::cluster::{ApiError, Cluster};
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::plan::Plan;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// From so many objects on of one kind in one namespace, one list costs less than the questions.
const MANY: usize = 16;

type Objects = BTreeMap<String, Arc<Value>>;

#[derive(Debug)]
struct Listed {
    objects: Objects,
    asked: BTreeSet<String>,
}

/// Each list is read when the first of its objects is asked for, and answers once for each: who asks again wants
/// the object as it is then.
#[derive(Debug, Default)]
pub(super) struct Live(BTreeMap<(Kind, String), OnceCell<Option<Mutex<Listed>>>>);

impl Live {
    pub fn of(plan: &Plan) -> Self {
        let mut counts: BTreeMap<(Kind, String), usize> = BTreeMap::new();
        for change in &plan.changes {
            let object = &change.object;
            if !object.namespace.is_empty() {
                let place = (object.kind, object.namespace.clone());
                *counts.entry(place).or_default() += 1;
            }
        }
        counts.retain(|_, count| *count >= MANY);
        Live(
            counts
                .into_keys()
                .map(|place| (place, OnceCell::new()))
                .collect(),
        )
    }

    /// As [`Cluster::get`].
    pub async fn get(
        &self,
        cluster: &Cluster,
        object: &ObjectRef,
    ) -> Result<Option<Arc<Value>>, ApiError> {
        let place = (object.kind, object.namespace.clone());
        if let Some(cell) = self.0.get(&place) {
            let listed = cell.get_or_init(|| async {
                // Who may not list them may still read each.
                let list = cluster.objects(object.kind, &object.namespace, "");
                let named = |object: Value| {
                    let name = object["metadata"]["name"].as_str().unwrap_or_default();
                    (name.to_owned(), Arc::new(object))
                };
                let objects = list.await.ok()?.into_iter().map(named).collect();
                let asked = BTreeSet::new();
                Some(Mutex::new(Listed { objects, asked }))
            });
            if let Some(listed) = listed.await {
                let mut listed = listed.lock().unwrap_or_else(PoisonError::into_inner);
                if listed.asked.insert(object.name.clone()) {
                    return Ok(listed.objects.remove(&object.name));
                }
            }
        }
        Ok(cluster.get(object).await?.map(Arc::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::Simulation;
    use crate::plan::{Action, Change, Part};
    use serde_json::json;

    const OBJECTS: usize = 20;

    fn map(at: usize, value: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"key": value},
            "metadata": {"namespace": "default", "name": format!("many-{at}")}})
    }

    fn reads(simulation: &Simulation) -> usize {
        let requests = simulation.requests().into_iter();
        requests.filter(|r| r.path.contains("/configmaps")).count()
    }

    #[tokio::test(start_paused = true)]
    async fn many_of_one_kind_are_read_by_one_list_and_then_each_as_it_is() {
        let simulation = Simulation::builtin();
        for at in 0..OBJECTS - 1 {
            simulation.put(map(at, "old"));
        }
        let cluster = Cluster::new(simulation.client(), "demo");
        let names = (0..OBJECTS).map(|at| format!("many-{at}"));
        let objects = names.map(|name| ObjectRef::new(Kind::ConfigMap, "default", name));
        let objects: Vec<ObjectRef> = objects.collect();
        let mut plan = Plan::default();
        for object in &objects {
            let action = Action::Delete { uid: String::new() };
            plan.changes
                .push(Change::new(object.clone(), Part::Policy, action, ""));
        }
        let live = Live::of(&plan);
        let before = reads(&simulation);
        for (at, object) in objects.iter().enumerate() {
            let got = live.get(&cluster, object).await.unwrap();
            let wanted = cluster.get(object).await.unwrap();
            assert_eq!(got.as_deref(), wanted.as_ref(), "{object}");
            assert_eq!(got.is_none(), at == OBJECTS - 1, "one of them is not there");
        }
        assert_eq!(
            reads(&simulation) - before,
            OBJECTS + 1,
            "one list beside the test's own"
        );
        simulation.put(map(0, "new"));
        let again = live.get(&cluster, &objects[0]).await.unwrap().unwrap();
        assert_eq!(again["data"]["key"], "new");
        // A few are asked for one by one.
        plan.changes.truncate(MANY - 1);
        assert!(Live::of(&plan).0.is_empty());
    }
}
