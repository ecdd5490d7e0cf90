//! Deployments: ReplicaSets, rolling updates, and the status that tells of them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{World, set_condition};
use crate::demo::json::{
    annotation, at, label, labels, map_at, name, name_part, namespace, text, uid,
};
use crate::demo::kinds;
use crate::demo::world::fate::Fate;
use crate::demo::world::pods::Born;

/// What is remembered of a rollout between two looks at it.
#[derive(Clone, Debug, Default)]
pub struct RolloutRun {
    /// What counts as progress: hash, updated, ready, all.
    seen: (String, usize, usize, usize),
    /// When the rollout counts as stuck.
    pub deadline: Option<Duration>,
    stuck: bool,
}

/// A hash of the pod template, as stable as the template.
pub fn template_hash(workload: &Value) -> String {
    name_part(&at(workload, "/spec/template").to_string(), 10)
}

/// Names one template of one workload, for the set of those that were there at first.
pub fn template_key(workload: &Value) -> String {
    format!("{}/{}", uid(workload), template_hash(workload))
}

/// A count or a percentage of `replicas`.
fn share(value: &Value, replicas: usize, up: bool) -> usize {
    if let Some(number) = value.as_u64() {
        return number as usize;
    }
    let percent: usize = value
        .as_str()
        .and_then(|text| text.trim_end_matches('%').parse().ok())
        .unwrap_or(25);
    let exact = replicas * percent;
    if up { exact.div_ceil(100) } else { exact / 100 }
}

/// A pod of a workload, as its controller sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub uid: String,
    pub name: String,
    pub hash: String,
    pub ready: bool,
    pub leaving: bool,
}

impl World {
    /// The pods that a controller of this uid owns.
    pub fn pods_of(&self, ns: &str, owner: &str, hash_label: &str) -> Vec<Seen> {
        self.store
            .of(&kinds::POD, ns)
            .filter(|pod| text(pod, "/metadata/ownerReferences/0/uid") == owner)
            .map(|pod| Seen {
                uid: uid(pod).to_owned(),
                name: name(pod).to_owned(),
                hash: label(pod, hash_label).unwrap_or("").to_owned(),
                ready: self.pods.get(uid(pod)).is_some_and(|run| run.is_ready()),
                leaving: !text(pod, "/metadata/deletionTimestamp").is_empty(),
            })
            .collect()
    }

    pub(super) fn reconcile_deployments(&mut self) {
        let all: Vec<Arc<Value>> = self.store.all(&kinds::DEPLOYMENT).cloned().collect();
        for of_one in all.chunk_by(|one, other| namespace(one) == namespace(other)) {
            let ns = namespace(&of_one[0]);
            let touched = [self.store.touched(ns), self.store.touched("")];
            if self.at_rest.get(ns) == Some(&touched) {
                continue;
            }
            let mut refused = false;
            for deployment in of_one {
                refused |= self.reconcile_deployment(deployment);
            }
            // What admission refused may hang on objects of any namespace.
            if !refused {
                self.at_rest.insert(ns.to_owned(), touched);
            }
        }
        let alive: Vec<&str> = self
            .store
            .all(&kinds::DEPLOYMENT)
            .map(|deployment| uid(deployment))
            .collect();
        self.rollouts.retain(|key, _| alive.contains(&key.as_str()));
    }

    /// Whether a pod that it wants was refused.
    fn reconcile_deployment(&mut self, deployment: &Arc<Value>) -> bool {
        let ns = namespace(deployment).to_owned();
        let own = name(deployment).to_owned();
        let hash = template_hash(deployment);
        let replicas = at(deployment, "/spec/replicas").as_u64().unwrap_or(1) as usize;
        let paused = at(deployment, "/spec/paused") == &Value::Bool(true);
        let sets: Vec<Arc<Value>> = self
            .store
            .of(&kinds::REPLICA_SET, &ns)
            .filter(|set| text(set, "/metadata/ownerReferences/0/uid") == uid(deployment))
            .cloned()
            .collect();
        let newest = sets.iter().map(|set| set_revision(set)).max().unwrap_or(0);
        let found = sets
            .iter()
            .find(|set| label(set, "pod-template-hash") == Some(&hash));
        let current = match found {
            Some(set) if set_revision(set) == newest || paused => set.clone(),
            Some(set) => self.renumber(set, newest + 1),
            None if paused && !sets.is_empty() => {
                self.deployment_status(deployment, &sets, None, replicas, None);
                return false;
            }
            None => self.new_replica_set(deployment, &hash, newest + 1),
        };
        self.note_revision(deployment, set_revision(&current));

        let mut failure = None;
        let mine = self.pods_of(&ns, uid(&current), "pod-template-hash");
        let others: Vec<Seen> = sets
            .iter()
            .filter(|set| uid(set) != uid(&current))
            .flat_map(|set| self.pods_of(&ns, uid(set), "pod-template-hash"))
            .collect();
        let new: Vec<&Seen> = mine.iter().filter(|pod| !pod.leaving).collect();
        let old: Vec<&Seen> = others.iter().filter(|pod| !pod.leaving).collect();
        let recreate = text(deployment, "/spec/strategy/type") == "Recreate";
        let mut create = replicas.saturating_sub(new.len());
        if !paused && recreate {
            for pod in &old {
                self.stop_pod(&pod.uid);
            }
            if !others.is_empty() {
                create = 0;
            }
        } else if !paused {
            let rolling = at(deployment, "/spec/strategy/rollingUpdate");
            let surge = share(at(rolling, "/maxSurge"), replicas, true);
            let mut missing = share(at(rolling, "/maxUnavailable"), replicas, false);
            if surge == 0 && missing == 0 {
                missing = 1;
            }
            if !old.is_empty() {
                create = create.min((replicas + surge).saturating_sub(new.len() + old.len()));
            }
            let ready = new.iter().chain(&old).filter(|pod| pod.ready).count();
            let mut spare = ready.saturating_sub(replicas.saturating_sub(missing));
            for pod in &old {
                if !pod.ready {
                    self.stop_pod(&pod.uid);
                } else if spare > 0 {
                    spare -= 1;
                    self.stop_pod(&pod.uid);
                }
            }
        }
        for pod in new.iter().rev().take(new.len().saturating_sub(replicas)) {
            self.stop_pod(&pod.uid);
        }
        for _ in 0..create {
            let suffix = self.unique();
            let pod_name = format!(
                "{}-{}",
                name(&current),
                name_part(&format!("{own}{suffix}"), 5)
            );
            let born = Born {
                owner: &current,
                template: at(&current, "/spec/template"),
                name: pod_name,
                generate: format!("{}-", name(&current)),
                node: None,
                fate: self.fate(deployment),
            };
            if let Err(why) = self.create_pod(born) {
                failure = Some(why);
                break;
            }
        }
        let sets: Vec<Arc<Value>> = self
            .store
            .of(&kinds::REPLICA_SET, &ns)
            .filter(|set| text(set, "/metadata/ownerReferences/0/uid") == uid(deployment))
            .cloned()
            .collect();
        let refused = failure.is_some();
        self.deployment_status(deployment, &sets, Some(&hash), replicas, failure);
        refused
    }

    /// A scenario says of a workload what becomes of that which is rolled out later: it never gets ready
    /// (`true`), it crashes (`crash`), or its image is gone (`image`).
    pub fn fate(&self, workload: &Value) -> Fate {
        let first = self.settling || self.first_templates.contains(&template_key(workload));
        match annotation(workload, "demo.meshscrape.dev/never-ready") {
            Some(_) if first => Fate::Well,
            Some("crash") => Fate::Crash,
            Some("image") => Fate::NoImage,
            Some(_) => Fate::Unready,
            None => Fate::Well,
        }
    }

    fn new_replica_set(&mut self, deployment: &Value, hash: &str, revision: u64) -> Arc<Value> {
        let ns = namespace(deployment).to_owned();
        let set_name = format!("{}-{hash}", name(deployment));
        let mut template = at(deployment, "/spec/template").clone();
        map_at(&mut template, &["metadata", "labels"])
            .insert("pod-template-hash".into(), json!(hash));
        let mut selector = at(deployment, "/spec/selector").clone();
        map_at(&mut selector, &["matchLabels"]).insert("pod-template-hash".into(), json!(hash));
        let set = json!({
            "metadata": {
                "name": set_name, "namespace": ns, "labels": labels(&template),
                "annotations": {"deployment.kubernetes.io/revision": revision.to_string()},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": name(deployment),
                    "uid": uid(deployment), "controller": true, "blockOwnerDeletion": true}],
            },
            "spec": {"replicas": 0, "selector": selector, "template": template},
            "status": {"replicas": 0},
        });
        self.write_owned(&kinds::REPLICA_SET, None, set);
        self.store
            .get(&kinds::REPLICA_SET, &ns, &set_name)
            .cloned()
            .unwrap_or_default()
    }

    fn renumber(&mut self, set: &Value, revision: u64) -> Arc<Value> {
        let mut changed = set.clone();
        map_at(&mut changed, &["metadata", "annotations"]).insert(
            "deployment.kubernetes.io/revision".into(),
            json!(revision.to_string()),
        );
        self.write(&kinds::REPLICA_SET, changed);
        self.store
            .get(&kinds::REPLICA_SET, namespace(set), name(set))
            .cloned()
            .unwrap_or_default()
    }

    fn note_revision(&mut self, deployment: &Value, revision: u64) {
        let revision = revision.to_string();
        if annotation(deployment, "deployment.kubernetes.io/revision") == Some(&revision) {
            return;
        }
        let mut changed = deployment.clone();
        map_at(&mut changed, &["metadata", "annotations"])
            .insert("deployment.kubernetes.io/revision".into(), json!(revision));
        self.write_owned(&kinds::DEPLOYMENT, Some(deployment), changed);
    }

    fn deployment_status(
        &mut self,
        seen: &Value,
        sets: &[Arc<Value>],
        hash: Option<&str>,
        replicas: usize,
        failure: Option<String>,
    ) {
        let ns = namespace(seen).to_owned();
        let Some(deployment) = self.store.get(&kinds::DEPLOYMENT, &ns, name(seen)).cloned() else {
            return;
        };
        let (mut all, mut updated, mut ready) = (0, 0, 0);
        let mut current_name = String::new();
        for set in sets {
            let pods = self.pods_of(&ns, uid(set), "pod-template-hash");
            let alive = pods.iter().filter(|pod| !pod.leaving).count();
            let set_ready = pods.iter().filter(|pod| !pod.leaving && pod.ready).count();
            all += alive;
            ready += set_ready;
            let is_current = hash.is_some() && label(set, "pod-template-hash") == hash;
            if is_current {
                updated = alive;
                current_name = name(set).to_owned();
            }
            let wanted = if is_current {
                replicas.max(alive)
            } else {
                alive
            };
            self.replica_set_status(set, wanted, alive, set_ready);
        }
        let now = self.now;
        let key = uid(&deployment).to_owned();
        let limit = at(&deployment, "/spec/progressDeadlineSeconds")
            .as_u64()
            .unwrap_or(600);
        let complete = updated == replicas && all == replicas && ready >= replicas;
        let run = self.rollouts.entry(key).or_default();
        let progress = (hash.unwrap_or("").to_owned(), updated, ready, all);
        if run.seen != progress {
            run.seen = progress;
            run.stuck = false;
            run.deadline = Some(now + Duration::from_secs(limit));
        }
        if complete || hash.is_none() {
            run.deadline = None;
            run.stuck = false;
        }
        let stuck = run.stuck;

        let stamp = self.stamp();
        let mut changed = (*deployment).clone();
        let generation = at(&deployment, "/metadata/generation").clone();
        let mut status = at(&deployment, "/status").clone();
        let map = map_at(&mut status, &[]);
        map.insert("observedGeneration".into(), generation);
        let unavailable = all.max(replicas).saturating_sub(ready);
        for (field, count) in [
            ("replicas", all),
            ("updatedReplicas", updated),
            ("readyReplicas", ready),
            ("availableReplicas", ready),
            ("unavailableReplicas", unavailable),
        ] {
            if count == 0 {
                map.remove(field);
            } else {
                map.insert(field.into(), json!(count));
            }
        }
        let set = format!("ReplicaSet \"{current_name}\"");
        if hash.is_none() {
            set_condition(
                &mut status,
                "Progressing",
                "Unknown",
                "DeploymentPaused",
                "Deployment is paused",
                &stamp,
            );
        } else if stuck {
            let words = format!("{set} has timed out progressing.");
            set_condition(
                &mut status,
                "Progressing",
                "False",
                "ProgressDeadlineExceeded",
                &words,
                &stamp,
            );
        } else if complete {
            let words = format!("{set} has successfully progressed.");
            set_condition(
                &mut status,
                "Progressing",
                "True",
                "NewReplicaSetAvailable",
                &words,
                &stamp,
            );
        } else {
            let words = format!("{set} is progressing.");
            set_condition(
                &mut status,
                "Progressing",
                "True",
                "ReplicaSetUpdated",
                &words,
                &stamp,
            );
        }
        let least = replicas
            - share(
                at(&deployment, "/spec/strategy/rollingUpdate/maxUnavailable"),
                replicas,
                false,
            )
            .min(replicas);
        if ready >= least {
            let words = "Deployment has minimum availability.";
            set_condition(
                &mut status,
                "Available",
                "True",
                "MinimumReplicasAvailable",
                words,
                &stamp,
            );
        } else {
            let words = "Deployment does not have minimum availability.";
            set_condition(
                &mut status,
                "Available",
                "False",
                "MinimumReplicasUnavailable",
                words,
                &stamp,
            );
        }
        let known = crate::demo::json::list(&status, "/conditions")
            .iter()
            .any(|c| text(c, "/type") == "ReplicaFailure");
        match failure {
            // The controller keeps the words of the first try, whose pod had another name.
            Some(_) if known => {}
            Some(why) => set_condition(
                &mut status,
                "ReplicaFailure",
                "True",
                "FailedCreate",
                &why,
                &stamp,
            ),
            None => {
                if let Some(Value::Array(conditions)) = status.get_mut("conditions") {
                    conditions.retain(|c| text(c, "/type") != "ReplicaFailure");
                }
            }
        }
        if &status != at(&deployment, "/status") {
            map_at(&mut changed, &[]).insert("status".into(), status);
            self.write(&kinds::DEPLOYMENT, changed);
        }
    }

    fn replica_set_status(&mut self, set: &Value, wanted: usize, alive: usize, ready: usize) {
        let status = json!({
            "observedGeneration": 1, "replicas": alive, "fullyLabeledReplicas": alive,
            "readyReplicas": ready, "availableReplicas": ready,
        });
        if at(set, "/spec/replicas") == &json!(wanted) && at(set, "/status") == &status {
            return;
        }
        let mut changed = set.clone();
        map_at(&mut changed, &["spec"]).insert("replicas".into(), json!(wanted));
        map_at(&mut changed, &[]).insert("status".into(), status);
        self.write(&kinds::REPLICA_SET, changed);
    }

    /// Rollouts whose deadline has come.
    pub(super) fn rollouts_due(&mut self) {
        let now = self.now;
        let late: Vec<String> = self
            .rollouts
            .iter_mut()
            .filter(|(_, run)| run.deadline.is_some_and(|at| at <= now))
            .map(|(key, run)| {
                run.deadline = None;
                run.stuck = true;
                key.clone()
            })
            .collect();
        let all: Vec<Arc<Value>> = self.store.all(&kinds::DEPLOYMENT).cloned().collect();
        for deployment in all.iter().filter(|d| late.iter().any(|key| key == uid(d))) {
            self.reconcile_deployment(deployment);
        }
    }
}

fn set_revision(set: &Value) -> u64 {
    annotation(set, "deployment.kubernetes.io/revision")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}
