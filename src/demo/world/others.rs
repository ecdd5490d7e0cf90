//! Controllers whose pods are no workload of the mesh: ReplicaSets of nobody, Jobs, CronJobs.

use std::sync::Arc;

use serde_json::{Value, json};

use super::World;
use super::pods::Born;
use crate::demo::json::{at, list, map_at, name, name_part, namespace, text, uid};
use crate::demo::kinds::{self, Kind};

impl World {
    pub(super) fn reconcile_others(&mut self) {
        let crons: Vec<Arc<Value>> = self.store.all(&kinds::CRON_JOB).cloned().collect();
        for cron in crons {
            self.reconcile_cron(&cron);
        }
        let jobs: Vec<Arc<Value>> = self.store.all(&kinds::JOB).cloned().collect();
        for job in jobs {
            let wanted = at(&job, "/spec/parallelism").as_u64().unwrap_or(1) as usize;
            let on = at(&job, "/spec/suspend") != &Value::Bool(true);
            self.replicate(
                &job,
                "batch.kubernetes.io/job-name",
                if on { wanted } else { 0 },
            );
        }
        let sets: Vec<Arc<Value>> = self.store.all(&kinds::REPLICA_SET).cloned().collect();
        for set in sets {
            // A Deployment's is told by the Deployment.
            if list(&set, "/metadata/ownerReferences").is_empty() {
                let wanted = at(&set, "/spec/replicas").as_u64().unwrap_or(1) as usize;
                self.replicate(&set, "", wanted);
            }
        }
    }

    /// As many pods as wanted, whatever the template says now: none is replaced by a newer one.
    /// `label`: that their pods carry with the owner's name.
    fn replicate(&mut self, owner: &Value, label: &str, wanted: usize) {
        let pods = self.pods_of(namespace(owner), uid(owner), "");
        let living = pods.iter().filter(|pod| !pod.leaving);
        let surplus: Vec<String> = living.clone().skip(wanted).map(|p| p.uid.clone()).collect();
        let missing = wanted.saturating_sub(living.count());
        for pod in surplus {
            self.stop_pod(&pod);
        }
        let mut template = at(owner, "/spec/template").clone();
        if !label.is_empty() {
            map_at(&mut template, &["metadata", "labels"]).insert(label.into(), json!(name(owner)));
        }
        for _ in 0..missing {
            let seed = format!("{}{}", uid(owner), self.unique());
            let born = Born {
                owner,
                template: &template,
                name: format!("{}-{}", name(owner), name_part(&seed, 5)),
                generate: format!("{}-", name(owner)),
                node: None,
                fate: self.fate(owner),
            };
            if let Err(why) = self.create_pod(born) {
                self.failed_create(owner, &why);
                break;
            }
        }
    }

    /// One Job, called after the minute that it was due in; no second one while it stands.
    fn reconcile_cron(&mut self, cron: &Value) {
        let ns = namespace(cron).to_owned();
        let own = |job: &Arc<Value>| text(job, "/metadata/ownerReferences/0/uid") == uid(cron);
        let has = self.store.of(&kinds::JOB, &ns).any(own);
        if has || at(cron, "/spec/suspend") == &Value::Bool(true) {
            return;
        }
        let minute = self.birth().as_second() / 60;
        let job = json!({
            "metadata": {
                "name": format!("{}-{minute}", name(cron)), "namespace": ns,
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": name(cron),
                    "uid": uid(cron), "controller": true, "blockOwnerDeletion": true}],
            },
            "spec": at(cron, "/spec/jobTemplate/spec"),
        });
        self.write_owned(&kinds::JOB, None, job);
    }
}

/// The API group of a controller, as its pods name it.
pub(super) fn api_version(owner: &Value) -> String {
    let kind = |kind: &&&'static Kind| kind.kind == text(owner, "/kind");
    let known = [&kinds::JOB, &kinds::CRON_JOB].iter().find(kind).copied();
    known.map_or_else(|| "apps/v1".to_owned(), Kind::api_version)
}
