//! StatefulSets and DaemonSets.

use std::sync::Arc;

use serde_json::{Value, json};

use super::World;
use super::pods::Born;
use super::rollout::{Seen, template_hash};
use crate::demo::json::{at, map_at, name, name_part, namespace, text, uid};
use crate::demo::kinds::{self, Kind};

const HASH: &str = "controller-revision-hash";

impl World {
    pub(super) fn reconcile_sets(&mut self) {
        let stateful: Vec<Arc<Value>> = self.store.all(&kinds::STATEFUL_SET).cloned().collect();
        for set in stateful {
            self.reconcile_stateful(&set);
        }
        let daemons: Vec<Arc<Value>> = self.store.all(&kinds::DAEMON_SET).cloned().collect();
        for set in daemons {
            self.reconcile_daemon(&set);
        }
    }

    fn template_of(set: &Value, hash: &str) -> Value {
        let mut template = at(set, "/spec/template").clone();
        map_at(&mut template, &["metadata", "labels"]).insert(HASH.into(), json!(hash));
        template
    }

    fn reconcile_stateful(&mut self, set: &Value) {
        let own = name(set).to_owned();
        let hash = format!("{own}-{}", template_hash(set));
        let replicas = at(set, "/spec/replicas").as_u64().unwrap_or(1) as usize;
        let pods = self.pods_of(namespace(set), uid(set), HASH);
        let at_ordinal = |n: usize| pods.iter().find(|pod| pod.name == format!("{own}-{n}"));
        let parallel = text(set, "/spec/podManagementPolicy") == "Parallel";
        let mut waiting = false;
        let mut template = Self::template_of(set, &hash);
        for ordinal in 0..replicas {
            match at_ordinal(ordinal) {
                Some(pod) => waiting |= !pod.ready || pod.leaving,
                None if !waiting || parallel || self.settling => {
                    map_at(&mut template, &["metadata", "labels"]).insert(
                        "apps.kubernetes.io/pod-index".into(),
                        json!(ordinal.to_string()),
                    );
                    let pod_name = format!("{own}-{ordinal}");
                    map_at(&mut template, &["metadata", "labels"])
                        .insert("statefulset.kubernetes.io/pod-name".into(), json!(pod_name));
                    let born = Born {
                        owner: set,
                        template: &template,
                        name: pod_name,
                        generate: format!("{own}-"),
                        node: None,
                        fate: self.fate(set),
                    };
                    waiting = true;
                    if let Err(why) = self.create_pod(born) {
                        self.failed_create(set, &why);
                        break;
                    }
                }
                None => {}
            }
        }
        for pod in pods.iter().filter(|pod| !pod.leaving) {
            let ordinal = pod
                .name
                .rsplit('-')
                .next()
                .and_then(|n| n.parse::<usize>().ok());
            if ordinal.is_none_or(|n| n >= replicas) {
                self.stop_pod(&pod.uid);
            }
        }
        let rolling = text(set, "/spec/updateStrategy/type") != "OnDelete";
        let partition = at(set, "/spec/updateStrategy/rollingUpdate/partition")
            .as_u64()
            .unwrap_or(0) as usize;
        if rolling && !waiting {
            // From the highest ordinal down, one at a time.
            let stale = (partition..replicas)
                .rev()
                .find_map(|n| at_ordinal(n).filter(|pod| pod.hash != hash));
            if let Some(pod) = stale {
                self.stop_pod(&pod.uid);
            }
        }
        let pods = self.pods_of(namespace(set), uid(set), HASH);
        let updated = pods
            .iter()
            .filter(|pod| pod.hash == hash && !pod.leaving)
            .count();
        let mut status = counts(&pods, set);
        let map = map_at(&mut status, &[]);
        map.insert("updatedReplicas".into(), json!(updated));
        map.insert("updateRevision".into(), json!(hash));
        let before = text(set, "/status/currentRevision");
        let done = updated == replicas && pods.iter().all(|pod| pod.ready);
        let current = if done || before.is_empty() {
            hash.as_str()
        } else {
            before
        };
        map.insert("currentRevision".into(), json!(current));
        let on_current = pods
            .iter()
            .filter(|pod| pod.hash == current && !pod.leaving)
            .count();
        map.insert("currentReplicas".into(), json!(on_current));
        map.insert("collisionCount".into(), json!(0));
        self.set_status(&kinds::STATEFUL_SET, set, status);
    }

    fn reconcile_daemon(&mut self, set: &Value) {
        let own = name(set).to_owned();
        let hash = template_hash(set);
        let nodes: Vec<String> = self
            .store
            .all(&kinds::NODE)
            .map(|node| name(node).to_owned())
            .collect();
        let pods = self.pods_of(namespace(set), uid(set), HASH);
        let node_of = |world: &World, pod: &Seen| {
            world
                .store
                .get(&kinds::POD, namespace(set), &pod.name)
                .map(|object| text(object, "/spec/nodeName").to_owned())
                .unwrap_or_default()
        };
        let mut template = Self::template_of(set, &hash);
        let generation = at(set, "/metadata/generation").to_string();
        map_at(&mut template, &["metadata", "labels"])
            .insert("pod-template-generation".into(), json!(generation));
        for node in &nodes {
            if pods.iter().any(|pod| node_of(self, pod) == *node) {
                continue;
            }
            let suffix = self.unique();
            let born = Born {
                owner: set,
                template: &template,
                name: format!("{own}-{}", name_part(&format!("{own}{node}{suffix}"), 5)),
                generate: format!("{own}-"),
                node: Some(node.clone()),
                fate: self.fate(set),
            };
            if let Err(why) = self.create_pod(born) {
                self.failed_create(set, &why);
                break;
            }
        }
        let restless = pods.len() < nodes.len() || pods.iter().any(|pod| pod.leaving || !pod.ready);
        if text(set, "/spec/updateStrategy/type") != "OnDelete" {
            let stale = pods.iter().filter(|pod| pod.hash != hash && !pod.leaving);
            // One node at a time; a pod that is not ready is no loss.
            let next = stale
                .clone()
                .find(|pod| !pod.ready)
                .or_else(|| stale.clone().next().filter(|_| !restless));
            if let Some(pod) = next {
                self.stop_pod(&pod.uid);
            }
        }
        let pods = self.pods_of(namespace(set), uid(set), HASH);
        let alive: Vec<&Seen> = pods.iter().filter(|pod| !pod.leaving).collect();
        let ready = alive.iter().filter(|pod| pod.ready).count();
        let mut status = json!({
            "observedGeneration": at(set, "/metadata/generation"),
            "desiredNumberScheduled": nodes.len(), "currentNumberScheduled": alive.len(),
            "numberMisscheduled": 0, "numberReady": ready,
            "updatedNumberScheduled": alive.iter().filter(|pod| pod.hash == hash).count(),
        });
        let map = map_at(&mut status, &[]);
        if ready > 0 {
            map.insert("numberAvailable".into(), json!(ready));
        }
        if ready < nodes.len() {
            map.insert("numberUnavailable".into(), json!(nodes.len() - ready));
        }
        self.set_status(&kinds::DAEMON_SET, set, status);
    }

    /// These kinds have no condition for it: only an event tells why no pod is made.
    pub(super) fn failed_create(&mut self, owner: &Value, why: &str) {
        let (ns, own) = (namespace(owner).to_owned(), name(owner).to_owned());
        // Pods of a DaemonSet have another name with each try; one event stands for all of them.
        let seed = format!(
            "{}{}",
            uid(owner),
            why.split_once(" is forbidden").map_or(why, |w| w.1)
        );
        let event = format!("{own}.{}", name_part(&seed, 16));
        if self.store.get(&kinds::EVENT, &ns, &event).is_some() {
            return;
        }
        let stamp = self.stamp();
        let kind = text(owner, "/kind");
        self.write(
            &kinds::EVENT,
            json!({
                "metadata": {"name": event, "namespace": ns, "creationTimestamp": stamp},
                "involvedObject": {"apiVersion": "apps/v1", "kind": kind, "name": own,
                    "namespace": ns, "uid": uid(owner)},
                "type": "Warning", "reason": "FailedCreate", "count": 1,
                "message": format!("create Pod {own} in {kind} {own} failed error: {why}"),
                "firstTimestamp": stamp, "lastTimestamp": stamp,
            }),
        );
    }

    fn set_status(&mut self, kind: &'static Kind, set: &Value, status: Value) {
        if at(set, "/status") == &status {
            return;
        }
        if let Some(current) = self.store.get(kind, namespace(set), name(set)) {
            let mut changed = (**current).clone();
            map_at(&mut changed, &[]).insert("status".into(), status);
            self.write(kind, changed);
        }
    }
}

fn counts(pods: &[Seen], set: &Value) -> Value {
    let alive = pods.iter().filter(|pod| !pod.leaving).count();
    let ready = pods.iter().filter(|pod| !pod.leaving && pod.ready).count();
    json!({
        "observedGeneration": at(set, "/metadata/generation"),
        "replicas": alive, "readyReplicas": ready, "availableReplicas": ready,
    })
}
