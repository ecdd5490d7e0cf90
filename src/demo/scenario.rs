//! Scenarios: a world told in YAML.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::json::{as_map, at, has_labels, labels, map_at, name, namespace, text, uid};
use super::kinds::{self, Kind};
use super::world::World;
use super::{defaults, described, ownership};

/// The manager of what a person applied with kubectl.
pub const HAND: &str = "kubectl-client-side-apply";

/// How a scenario behaves; durations are written in seconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    user: String,
    kubernetes_version: String,
    istio_version: String,
    istio_namespace: String,
    prometheus_version: String,
    native_sidecars: bool,
    absent_groups: Vec<String>,
    age_hours: i64,
    pod_start: [f64; 2],
    pod_stop: f64,
    config_sync: f64,
    discovery: f64,
    certs: f64,
    latency: Option<[f64; 2]>,
    expired_token: bool,
}

impl Default for Written {
    fn default() -> Written {
        Written {
            user: "demo".to_owned(),
            kubernetes_version: "1.36.3".to_owned(),
            istio_version: "1.31.0".to_owned(),
            istio_namespace: "istio-system".to_owned(),
            prometheus_version: "3.10.0".to_owned(),
            native_sidecars: true,
            absent_groups: Vec::new(),
            age_hours: 72,
            pod_start: [2.0, 4.0],
            pod_stop: 1.0,
            config_sync: 6.0,
            discovery: 1.0,
            certs: 1.0,
            latency: None,
            expired_token: false,
        }
    }
}

/// How a scenario behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who the client is, in messages.
    pub user: String,
    pub kubernetes_version: String,
    pub istio_version: String,
    pub istio_namespace: String,
    pub prometheus_version: String,
    /// Sidecars as init containers that go on running.
    pub native_sidecars: bool,
    /// API groups whose CRDs are not installed.
    pub absent_groups: Vec<String>,
    /// How old everything is that the scenario holds.
    pub age_hours: i64,
    /// From creation to ready, least and most.
    pub pod_start: (Duration, Duration),
    pub pod_stop: Duration,
    /// From the change of a ConfigMap to its files in pods.
    pub config_sync: Duration,
    /// From the change of a pod to Prometheus's targets.
    pub discovery: Duration,
    /// From the start of a sidecar to the files of `OUTPUT_CERTS`.
    pub certs: Duration,
    /// How long answers take, least and most; `None`: no time.
    pub latency: Option<(Duration, Duration)>,
    /// Every request is answered 401.
    pub expired_token: bool,
}

fn seconds(number: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(number).map_err(|e| format!("settings: {number}: {e}"))
}

impl Settings {
    fn read(value: Value) -> Result<Settings, String> {
        let written: Written = if value.is_null() {
            Written::default()
        } else {
            serde_json::from_value(value).map_err(|e| format!("settings: {e}"))?
        };
        let pair = |[least, most]: [f64; 2]| Ok::<_, String>((seconds(least)?, seconds(most)?));
        Ok(Settings {
            pod_start: pair(written.pod_start)?,
            pod_stop: seconds(written.pod_stop)?,
            config_sync: seconds(written.config_sync)?,
            discovery: seconds(written.discovery)?,
            certs: seconds(written.certs)?,
            latency: written.latency.map(pair).transpose()?,
            user: written.user,
            kubernetes_version: written.kubernetes_version,
            istio_version: written.istio_version,
            istio_namespace: written.istio_namespace,
            prometheus_version: written.prometheus_version,
            native_sidecars: written.native_sidecars,
            absent_groups: written.absent_groups,
            age_hours: written.age_hours,
            expired_token: written.expired_token,
        })
    }
}

/// A parsed scenario.
pub struct Scenario {
    pub settings: Settings,
    objects: Vec<Entry>,
    annotations: Vec<Annotated>,
}

/// Annotations that somebody set on running pods.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotated {
    namespace: String,
    labels: Value,
    annotations: Value,
}

struct Entry {
    kind: &'static Kind,
    object: Value,
    manager: String,
    operation: String,
}

impl Scenario {
    pub fn parse(yaml: &str) -> Result<Scenario, String> {
        let mut settings = Value::Null;
        let mut objects = Vec::new();
        let mut annotations = Vec::new();
        for (index, document) in serde_yaml::Deserializer::from_str(yaml).enumerate() {
            let place = format!("document {}", index + 1);
            let mut value = Value::deserialize(document).map_err(|e| format!("{place}: {e}"))?;
            if value.is_null() {
                continue;
            }
            if let Some(found) = value.get("settings") {
                settings = found.clone();
                continue;
            }
            if let Some(found) = value.get("annotate") {
                let found = serde_json::from_value(found.clone());
                annotations.push(found.map_err(|e| format!("{place}: annotate: {e}"))?);
                continue;
            }
            let (api_version, kind) = (text(&value, "/apiVersion"), text(&value, "/kind"));
            let known = kinds::by_object(api_version, kind)
                .ok_or_else(|| format!("{place}: {kind:?} of {api_version:?} is not simulated"))?;
            if name(&value).is_empty() {
                return Err(format!("{place}: {kind} without metadata.name"));
            }
            if known.namespaced == namespace(&value).is_empty() {
                return Err(format!(
                    "{place}: {kind} {}: metadata.namespace",
                    name(&value)
                ));
            }
            // `by: helm` and `by: {apply: flux}` say who wrote the object.
            let by = as_map(&mut value).remove("by").unwrap_or(Value::Null);
            let (manager, operation) = match text(&by, "/apply") {
                "" => (by.as_str().unwrap_or(HAND), "Update"),
                applier => (applier, "Apply"),
            };
            objects.push(Entry {
                kind: known,
                manager: manager.to_owned(),
                operation: operation.to_owned(),
                object: value,
            });
        }
        Ok(Scenario {
            settings: Settings::read(settings)?,
            objects,
            annotations,
        })
    }

    pub fn into_world(self, start: Timestamp) -> Result<World, String> {
        let mut world = World::new(self.settings, start);
        let mut entries = self.objects;
        let order = |kind: &Kind| kinds::KINDS.iter().position(|k| *k == kind);
        entries.sort_by_key(|entry| order(entry.kind));
        for entry in entries {
            let ns = namespace(&entry.object);
            if !ns.is_empty() && world.store.get(&kinds::NAMESPACE, "", ns).is_none() {
                return Err(format!(
                    "{}: no such namespace",
                    described(entry.kind, &entry.object)
                ));
            }
            if let Some(fault) = defaults::check(entry.kind, None, &entry.object) {
                let what = described(entry.kind, &entry.object);
                return Err(format!("{what}: {}: {}", fault.field, fault.message));
            }
            put(
                &mut world,
                entry.kind,
                entry.object,
                &entry.manager,
                &entry.operation,
            );
        }
        world.settle();
        for annotated in self.annotations {
            annotated.set(&mut world);
        }
        let now = world.now;
        world.advance(now);
        world.prometheus_settled();
        world.store.compact();
        Ok(world)
    }
}

impl Annotated {
    fn set(&self, world: &mut World) {
        let pods: Vec<_> = world
            .store
            .of(&kinds::POD, &self.namespace)
            .filter(|pod| has_labels(&self.labels, labels(pod)))
            .cloned()
            .collect();
        for pod in pods {
            let mut changed = (*pod).clone();
            let wanted = self.annotations.as_object().cloned().unwrap_or_default();
            map_at(&mut changed, &["metadata", "annotations"]).extend(wanted);
            let stamp = world.stamp();
            let changed =
                ownership::update(&kinds::POD, Some(&pod), changed, "kubectl-annotate", &stamp);
            world.write(&kinds::POD, changed);
        }
    }
}

/// References to owners in the same namespace, written without a uid, get it.
fn complete_owners(world: &World, object: &mut Value) {
    let ns = namespace(object).to_owned();
    let owners = object
        .pointer_mut("/metadata/ownerReferences")
        .and_then(Value::as_array_mut);
    for owner in owners.into_iter().flatten() {
        let kind = kinds::by_object(text(owner, "/apiVersion"), text(owner, "/kind"));
        let found = kind.and_then(|kind| world.store.get(kind, &ns, text(owner, "/name")));
        if let (Some(found), true) = (found, text(owner, "/uid").is_empty()) {
            as_map(owner).insert("uid".into(), json!(uid(found)));
        }
    }
}

/// Writes an object as `manager` would have.
pub fn put(world: &mut World, kind: &'static Kind, object: Value, manager: &str, operation: &str) {
    let mut object = object;
    complete_owners(world, &mut object);
    let stamp = world.stamp();
    let old = world
        .store
        .get(kind, namespace(&object), name(&object))
        .cloned();
    if *kind == kinds::POD && old.is_none() {
        // A pod of its own goes through admission too; a forbidden one stays away.
        if super::world::pods::admit(world, &mut object).is_err() {
            return;
        }
    }
    if let Some(old) = &old
        && object.get("status").is_none()
    {
        let status = at(old, "/status").clone();
        as_map(&mut object).insert("status".into(), status);
    }
    let written = if operation == "Apply" {
        let before = old.as_deref();
        match ownership::apply(kind, before, &object, manager, true, &stamp) {
            Ok(applied) => applied,
            Err(_) => return,
        }
    } else {
        let mut carried = object;
        if let Some(old) = &old {
            let entries = at(old, "/metadata/managedFields").clone();
            as_map(&mut carried["metadata"]).insert("managedFields".into(), entries);
        }
        ownership::update(kind, old.as_deref(), carried, manager, &stamp)
    };
    let mut written = written;
    defaults::fill(kind, &mut written);
    if *kind == kinds::POD {
        if old.is_none() {
            world.place_pod(written, super::world::fate::Fate::Well);
        } else {
            world.write(kind, written);
        }
        return;
    }
    if text(&written, "/metadata/creationTimestamp").is_empty() {
        as_map(&mut written["metadata"]).insert("creationTimestamp".into(), json!(stamp));
    }
    world.write(kind, written);
}
