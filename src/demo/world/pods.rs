//! Pods: creation through admission, the seconds until they are ready, and their end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::fate::Fate;
use super::injection::{self, Injection};
use super::{World, injector, podstatus, quota, schedule};
use crate::demo::defaults;
use crate::demo::json::{
    annotation, at, label, list, map_at, name, namespace, number_of, text, uid,
};
use crate::demo::kinds;
use crate::demo::ownership;

/// How far a pod has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// No node takes it.
    Pending,
    /// Scheduled; volumes not there yet, or images.
    Creating,
    /// Init containers run.
    Init,
    /// Containers run, not ready.
    Started,
    Ready,
}

/// What the kubelet knows of a pod.
#[derive(Clone, Debug)]
pub struct PodRun {
    pub namespace: String,
    pub name: String,
    pub stage: Stage,
    /// When the next stage comes; `None` when it waits for something, or is through.
    pub(super) next: Option<Duration>,
    /// Why it does not go on.
    pub waiting: Option<String>,
    certs_at: Option<Duration>,
    /// Certificates have been written to the directory of `OUTPUT_CERTS`.
    pub certs: bool,
    pub(super) leaving: Option<Duration>,
    pub fate: Fate,
    /// How often its containers were started again.
    pub restarts: u32,
    pub(super) pace: Duration,
}

impl PodRun {
    pub fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// Its containers accept connections.
    pub fn is_running(&self) -> bool {
        self.stage >= Stage::Started
    }

    /// The kubelet doubles it with each restart, from 10 s to 5 minutes.
    pub(super) fn back_off(&self) -> Duration {
        Duration::from_secs((10 << self.restarts.min(5)).min(300))
    }

    pub(super) fn due(&self) -> Option<Duration> {
        [self.next, self.certs_at, self.leaving]
            .into_iter()
            .flatten()
            .min()
    }
}

/// A pod that a controller wants.
pub struct Born<'a> {
    pub owner: &'a Value,
    pub template: &'a Value,
    pub name: String,
    pub generate: String,
    pub node: Option<String>,
    pub fate: Fate,
}

/// A pod after admission.
///
/// # Errors
/// Who forbids it, and why.
pub fn admit(world: &mut World, pod: &mut Value) -> Result<(), Refused> {
    let ns = world
        .store
        .get(&kinds::NAMESPACE, "", namespace(pod))
        .cloned()
        .unwrap_or_default();
    let istio = &world.settings.istio_namespace.clone();
    if let Some(revision) = injection::injector(&world.store, istio, &ns, pod) {
        let mesh = world.mesh();
        let version = injector::version(&world.store, istio, &revision);
        // Pods of the beginning are from before an upgrade.
        if version.is_none_or(|version| version >= (1, 31))
            && !world.settling
            && let Some(why) = injector::refuses(pod, mesh.merge_metrics)
        {
            return Err(Refused::ByWebhook(format!(
                "admission webhook \"namespace.sidecar-injector.istio.io\" denied the request: {why}"
            )));
        }
        let with = Injection {
            mesh: &mesh,
            revision: &revision,
            version: &world.settings.istio_version,
            native: world.settings.native_sidecars,
        };
        injection::inject(pod, &with);
    } else if label(&ns, "istio.io/dataplane-mode") == Some("ambient")
        && at(pod, "/spec/hostNetwork") != &Value::Bool(true)
    {
        map_at(pod, &["metadata", "annotations"])
            .insert("ambient.istio.io/redirection".into(), json!("enabled"));
    }
    defaults::fill(&kinds::POD, pod);
    let refused = injection::pod_security(&ns, pod)
        .or_else(|| quota::refuses(&world.store, pod).filter(|_| !world.settling));
    refused.map_or(Ok(()), |why| Err(Refused::ByPlugin(why)))
}

/// Whose word it is that a pod may not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// In the words of a real server's message after `is forbidden: `.
    ByPlugin(String),
    /// The server's whole message.
    ByWebhook(String),
}

impl World {
    /// Creates a pod for a controller.
    ///
    /// # Errors
    /// Why admission forbids it.
    pub(super) fn create_pod(&mut self, born: Born) -> Result<(), String> {
        let owner = born.owner;
        let ns = namespace(owner).to_owned();
        let mut metadata = at(born.template, "/metadata").clone();
        let map = map_at(&mut metadata, &[]);
        map.insert("name".into(), json!(born.name));
        map.insert("generateName".into(), json!(born.generate));
        map.insert("namespace".into(), json!(ns));
        map.insert(
            "ownerReferences".into(),
            json!([{"apiVersion": super::others::api_version(owner), "kind": text(owner, "/kind"), "name": name(owner),
                    "uid": uid(owner), "controller": true, "blockOwnerDeletion": true}]),
        );
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
                             "spec": at(born.template, "/spec")});
        admit(self, &mut pod).map_err(|refused| match refused {
            Refused::ByPlugin(why) => format!("pods \"{}\" is forbidden: {why}", born.name),
            Refused::ByWebhook(words) => words,
        })?;
        if let Some(node) = born.node {
            map_at(&mut pod, &["spec"]).insert("nodeName".into(), json!(node));
        }
        pod = ownership::update(&kinds::POD, None, pod, super::CONTROLLER, &self.stamp());
        self.place_pod(pod, born.fate);
        Ok(())
    }

    /// Puts an admitted pod into the store and starts its life.
    pub fn place_pod(&mut self, mut pod: Value, fate: Fate) {
        let mut nowhere = None;
        if text(&pod, "/spec/nodeName").is_empty() {
            match schedule::node_for(&self.store, &pod, self.settling) {
                Ok(node) => {
                    map_at(&mut pod, &["spec"]).insert("nodeName".into(), json!(node));
                }
                Err(why) => nowhere = Some(why),
            }
        }
        let (ns, own) = (namespace(&pod).to_owned(), name(&pod).to_owned());
        let (least, most) = self.settings.pod_start;
        let spread = (most.saturating_sub(least)).as_millis() as u64 + 1;
        let pace = least + Duration::from_millis(number_of(&own) % spread);
        let mut run = PodRun {
            namespace: ns.clone(),
            name: own.clone(),
            stage: Stage::Creating,
            next: Some(self.now + pace.mul_f32(0.3)),
            waiting: None,
            certs_at: None,
            certs: false,
            leaving: None,
            fate,
            restarts: 0,
            pace,
        };
        if nowhere.is_some() {
            run.stage = Stage::Pending;
            run.next = None;
            run.waiting = nowhere;
        }
        let number = self.unique();
        let address = if at(&pod, "/spec/hostNetwork") == &Value::Bool(true) {
            self.node_address(text(&pod, "/spec/nodeName"))
        } else {
            format!("10.244.{}.{}", number / 250, number % 250 + 2)
        };
        map_at(&mut pod, &["status"]).insert("podIP".into(), json!(address));
        if self.settling {
            run.stage = Stage::Ready;
            run.next = None;
            run.certs = injection::output_certs(&pod).is_some_and(|(_, writable)| writable);
            if let Some(why) = self.missing_volume(&pod) {
                run.stage = Stage::Creating;
                run.waiting = Some(why);
            }
        }
        let birth = self.birth();
        let written = self.store.write(&kinds::POD, pod, birth);
        self.pods.insert(uid(&written).to_owned(), run);
        self.refresh_pod(uid(&written));
    }

    pub fn node_address(&self, node: &str) -> String {
        self.store
            .get(&kinds::NODE, "", node)
            .map(|node| text(node, "/status/addresses/0/address").to_owned())
            .unwrap_or_default()
    }

    /// Begins the end of a pod.
    pub fn stop_pod(&mut self, pod: &str) {
        let stamp = self.stamp();
        let until = self.now + self.settings.pod_stop;
        let settling = self.settling;
        let Some(run) = self.pods.get_mut(pod) else {
            return;
        };
        if run.leaving.is_some() {
            return;
        }
        run.leaving = Some(until);
        let (ns, own) = (run.namespace.clone(), run.name.clone());
        if settling {
            self.store.delete(&kinds::POD, &ns, &own);
            self.pods.remove(pod);
            return;
        }
        if let Some(object) = self.store.get(&kinds::POD, &ns, &own) {
            let mut changed = (**object).clone();
            let meta = map_at(&mut changed, &["metadata"]);
            meta.insert("deletionTimestamp".into(), json!(stamp));
            meta.insert("deletionGracePeriodSeconds".into(), json!(30));
            self.write(&kinds::POD, changed);
        }
    }

    /// Pods that came without a controller get a life; what is gone is forgotten; who waits looks again.
    pub(super) fn reconcile_pods(&mut self) {
        let alive: Vec<Arc<Value>> = self.store.all(&kinds::POD).cloned().collect();
        for pod in &alive {
            if !self.pods.contains_key(uid(pod)) {
                self.store.delete(&kinds::POD, namespace(pod), name(pod));
                self.place_pod((**pod).clone(), Fate::Well);
            }
        }
        let gone: Vec<String> = self
            .pods
            .iter()
            .filter(|(_, run)| {
                self.store
                    .get(&kinds::POD, &run.namespace, &run.name)
                    .is_none()
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.pods.remove(&key);
        }
        let waiting: Vec<String> = self
            .pods
            .iter()
            .filter(|(_, run)| run.stage == Stage::Creating && run.waiting.is_some())
            .map(|(key, _)| key.clone())
            .collect();
        self.schedule_pending();
        for key in waiting {
            let Some(object) = self.pod_object(&key) else {
                continue;
            };
            if self.missing_volume(&object).is_none() {
                let next = self.now + Duration::from_secs(1);
                if let Some(run) = self.pods.get_mut(&key) {
                    run.waiting = None;
                    run.next = Some(next);
                }
            }
        }
    }

    pub fn pod_object(&self, key: &str) -> Option<Arc<Value>> {
        let run = self.pods.get(key)?;
        self.store
            .get(&kinds::POD, &run.namespace, &run.name)
            .cloned()
    }

    /// The first volume that cannot be mounted, in the kubelet's words.
    fn missing_volume(&self, pod: &Value) -> Option<String> {
        let ns = namespace(pod);
        list(pod, "/spec/volumes").iter().find_map(|volume| {
            let own = text(volume, "/name");
            let secret = text(volume, "/secret/secretName");
            let optional =
                |source: &str| at(volume, &format!("/{source}/optional")) == &Value::Bool(true);
            if !secret.is_empty()
                && !optional("secret")
                && self.store.get(&kinds::SECRET, ns, secret).is_none()
            {
                return Some(format!(
                    "MountVolume.SetUp failed for volume {own:?} : secret {secret:?} not found"
                ));
            }
            let map = text(volume, "/configMap/name");
            // Istiod writes this one into every namespace.
            let known = map.is_empty() || map == "istio-ca-root-cert" || optional("configMap");
            (!known && self.store.get(&kinds::CONFIG_MAP, ns, map).is_none()).then(|| {
                format!("MountVolume.SetUp failed for volume {own:?} : configmap {map:?} not found")
            })
        })
    }

    pub(super) fn pods_due(&mut self) {
        let now = self.now;
        let due: Vec<String> = self
            .pods
            .iter()
            .filter(|(_, run)| run.due().is_some_and(|at| at <= now))
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            self.pod_due(&key);
        }
    }

    fn pod_due(&mut self, key: &str) {
        let now = self.now;
        let Some(object) = self.pod_object(key) else {
            return;
        };
        let Some(mut run) = self.pods.get(key).cloned() else {
            return;
        };
        if run.leaving.is_some_and(|at| at <= now) {
            self.store.delete(&kinds::POD, &run.namespace, &run.name);
            self.pods.remove(key);
            return;
        }
        let istiod = self.istiod_answers();
        if run.certs_at.is_some_and(|at| at <= now) {
            run.certs_at = Some(now + self.settings.certs).filter(|_| !istiod);
            if istiod {
                run.certs = true;
                self.prometheus_look_again(key);
            }
        }
        if run.next.is_some_and(|at| at <= now) {
            run.next = None;
            let certs = injection::output_certs(&object);
            // Without istiod the agent gets no certificate, and is not ready.
            let unsigned = !istiod && !run.certs && certs.is_some();
            let again = Some(now + self.settings.certs);
            let native = list(&object, "/spec/initContainers")
                .iter()
                .any(|c| text(c, "/name") == "istio-proxy");
            let certs_fail = certs.is_some_and(|(_, writable)| !writable);
            let write_certs = |run: &mut PodRun| {
                if certs.is_some_and(|(_, writable)| writable) {
                    run.certs_at = Some(now + self.settings.certs);
                }
            };
            match run.stage {
                // The scheduler looks again when something has changed.
                Stage::Pending => {}
                Stage::Creating => match self.missing_volume(&object) {
                    Some(why) => run.waiting = Some(why),
                    None => {
                        run.stage = Stage::Init;
                        run.next = Some(now + run.pace.mul_f32(0.3));
                        if native {
                            write_certs(&mut run);
                        }
                    }
                },
                // An agent that cannot write its certificates is never ready, and holds the rest back.
                Stage::Init if native && certs_fail => {
                    run.waiting = Some("istio-proxy is not ready".to_owned());
                }
                Stage::Init if native && unsigned => {
                    run.waiting = Some("istio-proxy is not ready".to_owned());
                    run.next = again;
                }
                Stage::Init => {
                    run.waiting = None;
                    run.stage = Stage::Started;
                    run.next = Some(now + run.pace.mul_f32(0.4));
                    if !native {
                        write_certs(&mut run);
                    }
                }
                Stage::Started if run.fate == Fate::Unready => {
                    run.waiting = Some("the readiness probe fails".to_owned());
                }
                Stage::Started if run.fate == Fate::NoImage => {
                    run.waiting = Some("the image cannot be pulled".to_owned());
                }
                Stage::Started if run.fate == Fate::Crash => {
                    let ended = run.waiting.is_none();
                    run.waiting = ended.then(|| "its containers end".to_owned());
                    let until = if ended {
                        run.back_off()
                    } else {
                        run.restarts += 1;
                        run.pace.mul_f32(0.4)
                    };
                    run.next = Some(now + until);
                }
                Stage::Started if certs_fail => {
                    run.waiting = Some("istio-proxy is not ready".to_owned());
                }
                Stage::Started if unsigned => {
                    run.waiting = Some("istio-proxy is not ready".to_owned());
                    run.next = again;
                }
                Stage::Started | Stage::Ready => {
                    run.waiting = None;
                    run.stage = Stage::Ready;
                }
            }
        }
        self.pods.insert(key.to_owned(), run);
        self.refresh_pod(key);
    }

    /// A pod of istiod is ready; a cluster without any is taken to have one elsewhere.
    fn istiod_answers(&self) -> bool {
        let deployments = self.store.all(&kinds::DEPLOYMENT);
        let mut istiods = deployments
            .filter(|d| label(d, "app") == Some("istiod"))
            .peekable();
        if istiods.peek().is_none() {
            return true;
        }
        self.store.all(&kinds::POD).any(|pod| {
            label(pod, "app") == Some("istiod")
                && self.pods.get(uid(pod)).is_some_and(PodRun::is_ready)
        })
    }

    /// Writes a pod's status where it changed.
    pub(super) fn refresh_pod(&mut self, key: &str) {
        let Some(object) = self.pod_object(key) else {
            return;
        };
        let Some(run) = self.pods.get(key) else {
            return;
        };
        let address = self.node_address(text(&object, "/spec/nodeName"));
        let status = podstatus::status(&object, run, &address, &self.stamp());
        if at(&object, "/status") != &status {
            let mut changed = (*object).clone();
            map_at(&mut changed, &[]).insert("status".into(), status);
            self.write(&kinds::POD, changed);
        }
    }

    /// The running pod that has this address, but for those on the host's network.
    pub fn pod_at(&self, address: &str) -> Option<(String, Arc<Value>)> {
        self.store
            .all(&kinds::POD)
            .find(|pod| {
                text(pod, "/status/podIP") == address
                    && at(pod, "/spec/hostNetwork") != &Value::Bool(true)
            })
            .map(|pod| (uid(pod).to_owned(), pod.clone()))
    }

    /// The ready pods behind a Service.
    pub fn endpoints(&self, service: &Value) -> Vec<Arc<Value>> {
        let selector = at(service, "/spec/selector");
        if !selector.is_object() {
            return Vec::new();
        }
        self.store
            .of(&kinds::POD, namespace(service))
            .filter(|pod| crate::demo::json::has_labels(selector, at(pod, "/metadata/labels")))
            .filter(|pod| self.pods.get(uid(pod)).is_some_and(PodRun::is_ready))
            .cloned()
            .collect()
    }
}

/// Whether a pod has a sidecar (gateways, which run a proxy of their own, count apart).
pub fn has_sidecar(pod: &Value) -> bool {
    annotation(pod, "sidecar.istio.io/status").is_some() && !is_gateway(pod)
}

/// Whether the pod's proxy is a gateway's.
pub fn is_gateway(pod: &Value) -> bool {
    injection::proxy_container(pod)
        .is_some_and(|container| list(container, "/args").iter().any(|arg| arg == "router"))
}
