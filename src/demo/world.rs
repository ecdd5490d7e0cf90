//! The world behind the API: controllers, pods, proxies and Prometheus. It has no task of its own;
//! [`World::advance`] brings it up to a moment, jumping from one thing that happens to the next.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::json::{map_at, uid};
use super::kinds::{self, Kind};
use super::ownership;
use super::scenario::Settings;
use super::store::{Store, stamp};

pub mod config;
pub mod discovery;
pub mod fate;
pub mod gateway;
pub mod injection;
pub mod injector;
mod operator;
mod others;
pub mod pods;
pub mod podstatus;
pub mod policy;
pub mod promapi;
pub mod prometheus;
pub mod proxy;
pub mod quota;
pub mod relabel;
pub mod rollout;
pub mod schedule;
pub mod scrape;
pub mod sets;

pub use injection::Mesh;

/// The manager that the world's own writes go under.
pub const CONTROLLER: &str = "kube-controller-manager";

#[derive(Clone, Debug)]
pub struct World {
    pub store: Store,
    pub settings: Settings,
    /// Time since the simulation began.
    pub now: Duration,
    start: Timestamp,
    /// Before the first request everything is as it has been for days.
    pub settling: bool,
    pub pods: BTreeMap<String, pods::PodRun>,
    pub rollouts: HashMap<String, rollout::RolloutRun>,
    pub proms: BTreeMap<String, prometheus::PromRun>,
    pub kept: HashMap<(String, u16), proxy::Kept>,
    /// Templates that were there from the beginning: they get ready even where later ones do not.
    pub first_templates: HashSet<String>,
    /// What the operator's StatefulSets are made of besides their resources, by uid.
    operated: HashMap<String, Value>,
    settled: u64,
    /// Namespaces whose Deployments have nothing left to do, with the revisions at which they were looked at.
    at_rest: HashMap<String, [u64; 2]>,
    pod_targets: discovery::PodTargets,
    mesh: Option<(u64, Mesh)>,
    pub(super) counter: u64,
}

impl World {
    pub fn new(settings: Settings, start: Timestamp) -> World {
        World {
            store: Store::default(),
            settings,
            now: Duration::ZERO,
            start,
            settling: true,
            pods: BTreeMap::new(),
            rollouts: HashMap::new(),
            proms: BTreeMap::new(),
            kept: HashMap::new(),
            first_templates: HashSet::new(),
            operated: HashMap::new(),
            settled: 0,
            at_rest: HashMap::new(),
            pod_targets: HashMap::new(),
            mesh: None,
            counter: 0,
        }
    }

    /// The same world, beginning at another time.
    pub fn beginning(&self, start: Timestamp) -> World {
        World {
            start,
            ..self.clone()
        }
    }

    /// Wall clock of a moment of the simulation.
    pub fn wall(&self, moment: Duration) -> Timestamp {
        let moment = SignedDuration::try_from(moment).unwrap_or(SignedDuration::MAX);
        self.start.saturating_add(moment).unwrap_or(self.start)
    }

    pub fn wall_now(&self) -> Timestamp {
        self.wall(self.now)
    }

    /// Now, as metadata writes it. What is there from the beginning is a few days old.
    pub fn stamp(&self) -> String {
        stamp(self.birth())
    }

    pub fn birth(&self) -> Timestamp {
        let now = self.wall_now();
        if self.settling {
            now.saturating_sub(SignedDuration::from_hours(self.settings.age_hours))
                .unwrap_or(now)
        } else {
            now
        }
    }

    /// Mesh config, read again when something was written.
    pub fn mesh(&mut self) -> Mesh {
        let revision = self.store.revision();
        match &self.mesh {
            Some((at, mesh)) if *at == revision => mesh.clone(),
            _ => {
                let mesh = Mesh::read(&self.store, &self.settings.istio_namespace);
                self.mesh = Some((revision, mesh.clone()));
                mesh
            }
        }
    }

    /// A write that keeps owners as they are: what a controller does to status.
    pub fn write(&mut self, kind: &'static Kind, object: Value) {
        let birth = self.birth();
        self.store.write(kind, object, birth);
    }

    /// A write of a controller that comes to own what it changes.
    pub fn write_owned(&mut self, kind: &'static Kind, old: Option<&Value>, object: Value) {
        let object = ownership::update(kind, old, object, CONTROLLER, &self.stamp());
        self.write(kind, object);
    }

    /// The scenario is loaded: let everything come to rest at once.
    pub fn settle(&mut self) {
        self.reconcile();
        for deployment in self.store.all(&kinds::DEPLOYMENT) {
            self.first_templates
                .insert(rollout::template_key(deployment));
        }
        for set in self
            .store
            .all(&kinds::STATEFUL_SET)
            .chain(self.store.all(&kinds::DAEMON_SET))
        {
            self.first_templates.insert(rollout::template_key(set));
        }
        self.settling = false;
        self.prometheus_settled();
    }

    /// Brings the world up to `to`.
    pub fn advance(&mut self, to: Duration) {
        if to < self.now {
            return;
        }
        // A bound, so that a fault in here shows as a stale world and not as a hang.
        for _ in 0..100_000 {
            self.reconcile();
            let next = self.next_event().filter(|at| *at <= to);
            let until = next.unwrap_or(to).max(self.now);
            self.scrape_until(until);
            self.now = until;
            if next.is_none() {
                return;
            }
            self.pods_due();
            self.rollouts_due();
            self.prometheus_due();
        }
        self.now = to;
    }

    fn next_event(&self) -> Option<Duration> {
        let pods = self.pods.values().filter_map(pods::PodRun::due);
        let rollouts = self.rollouts.values().filter_map(|run| run.deadline);
        let proms = self.proms.values().filter_map(prometheus::PromRun::due);
        pods.chain(rollouts).chain(proms).min()
    }

    /// Controllers look at the store until none has anything left to do.
    fn reconcile(&mut self) {
        for _ in 0..200 {
            if self.settled == self.store.revision() {
                return;
            }
            self.settled = self.store.revision();
            self.reconcile_operated();
            self.reconcile_deployments();
            self.reconcile_sets();
            self.reconcile_others();
            self.reconcile_pods();
            self.reconcile_counts();
            self.prometheus_changed();
        }
    }

    /// A namespace goes, and with it what is in it.
    pub fn remove_namespace(&mut self, name: &str) {
        for kind in kinds::KINDS.iter().filter(|kind| kind.namespaced) {
            let gone: Vec<String> = self
                .store
                .of(kind, name)
                .map(|object| super::json::name(object).to_owned())
                .collect();
            for object in gone {
                self.remove(kind, name, &object);
            }
        }
        self.store.delete(&kinds::NAMESPACE, "", name);
    }

    /// Deletes an object and, as garbage collection does, what it owns.
    pub fn remove(&mut self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Value> {
        if *kind == kinds::NAMESPACE {
            let found = self.store.get(kind, "", name).map(|o| (**o).clone())?;
            self.remove_namespace(name);
            return Some(found);
        }
        let gone = self.store.delete(kind, namespace, name)?;
        let owner = uid(&gone).to_owned();
        for child in [&kinds::REPLICA_SET, &kinds::POD] {
            let children: Vec<(String, String)> = self
                .store
                .of(child, namespace)
                .filter(|object| {
                    super::json::list(object, "/metadata/ownerReferences")
                        .iter()
                        .any(|reference| super::json::text(reference, "/uid") == owner)
                })
                .map(|object| (super::json::name(object).to_owned(), uid(object).to_owned()))
                .collect();
            for (child_name, child_uid) in children {
                if *child == kinds::POD {
                    self.stop_pod(&child_uid);
                } else {
                    self.remove(child, namespace, &child_name);
                }
            }
        }
        Some((*gone).clone())
    }

    /// A number that no two calls share, for names.
    pub fn unique(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

/// Sets a condition, keeping its times where nothing of it changed.
pub fn set_condition(
    status: &mut Value,
    kind: &str,
    state: &str,
    reason: &str,
    message: &str,
    now: &str,
) {
    let conditions = super::json::list_at(status, &[], "conditions");
    let old = conditions
        .iter()
        .position(|c| c.get("type").is_some_and(|t| t == kind));
    let mut fresh = json!({
        "type": kind, "status": state, "lastUpdateTime": now, "lastTransitionTime": now,
        "reason": reason, "message": message,
    });
    match old {
        Some(index) => {
            let before = &conditions[index];
            if before.get("status").is_some_and(|s| s == state) {
                map_at(&mut fresh, &[]).insert(
                    "lastTransitionTime".into(),
                    before
                        .get("lastTransitionTime")
                        .cloned()
                        .unwrap_or_default(),
                );
                let equal = before.get("reason").is_some_and(|r| r == reason)
                    && before.get("message").is_some_and(|m| m == message);
                if equal {
                    return;
                }
            }
            conditions[index] = fresh;
        }
        None => conditions.push(fresh),
    }
}

#[cfg(test)]
mod rules_tests;
