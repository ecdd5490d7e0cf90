//! A simulated cluster inside the program: a Kubernetes API server with Istio and Prometheus behind it,
//! served in process to the same `kube::Client` that talks to real ones.
//!
//! It knows nothing of the rest of the program, so that what it says of a recipe is said by the rules of
//! Kubernetes, Istio and Prometheus alone. What it does not simulate it answers with 501.

mod answers;
mod api;
mod defaults;
mod fields;
mod json;
mod kinds;
mod ownership;
mod patches;
mod proxied;
mod rights;
mod routes;
mod scenario;
mod selectors;
mod service;
mod store;
mod validation;
mod watch;
mod world;
mod write;

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

pub use scenario::Settings;
pub use service::SimulatedApi;

use json::{name, namespace, text};
use kinds::Kind;
use world::World;

/// How many requests the log keeps.
const LOG: usize = 20_000;

/// One request that the API server has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    /// The status of the answer; 0 before there is one.
    pub status: u16,
}

/// What to do to a request in place of answering it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status, with this message.
    Status(u16, String),
    /// A write is refused with this message, since the namespace is on its way out.
    Terminating(String),
    /// The connection breaks before an answer.
    Cut,
    /// The request is carried out, and the connection breaks before the answer.
    CutAfter,
    /// No answer, ever.
    Hang,
}

/// Decides for a request whether something happens in place of its answer.
pub type FaultRule = Box<dyn Fn(&RequestRecord) -> Option<Fault> + Send + Sync>;
type WriteHook = Arc<dyn Fn(&Simulation) + Send + Sync>;

/// What access is refused: a verb on a resource of a group, everywhere or in one namespace.
#[derive(Clone, Debug)]
struct Denial {
    verb: String,
    group: String,
    resource: String,
    namespace: Option<String>,
}

#[derive(Default)]
struct Rules {
    denials: Vec<Denial>,
    expired: bool,
    fault: Option<Arc<FaultRule>>,
    hooks: Vec<WriteHook>,
    latency: bool,
}

struct Inner {
    world: Mutex<World>,
    rules: Mutex<Rules>,
    log: Mutex<VecDeque<RequestRecord>>,
    begun: Instant,
}

/// A cluster that lives in this process. Clones share it.
#[derive(Clone)]
pub struct Simulation {
    inner: Arc<Inner>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Simulation {
    /// Builds the world from a scenario: YAML documents, one with `settings:`, the others Kubernetes objects.
    ///
    /// # Errors
    /// Names the document, and what is wrong with it.
    pub fn from_scenario(text: &str) -> Result<Simulation, String> {
        Simulation::beginning_at(text, Timestamp::now())
    }

    /// The same, with the wall clock at the beginning given.
    ///
    /// # Errors
    /// As [`Simulation::from_scenario`].
    pub fn beginning_at(text: &str, start: Timestamp) -> Result<Simulation, String> {
        let scenario = scenario::Scenario::parse(text)?;
        Ok(Simulation::over(scenario.into_world(start)?))
    }

    fn over(world: World) -> Simulation {
        let latency = world.settings.latency.is_some();
        Simulation {
            inner: Arc::new(Inner {
                world: Mutex::new(world),
                rules: Mutex::new(Rules {
                    latency,
                    ..Rules::default()
                }),
                log: Mutex::default(),
                begun: Instant::now(),
            }),
        }
    }

    /// The scenario that ships with the program, built once and copied after that.
    ///
    /// # Panics
    /// Never with the shipped text: a test builds it.
    pub fn builtin() -> Simulation {
        static BUILT: LazyLock<World> = LazyLock::new(|| {
            scenario::Scenario::parse(BUILTIN)
                .and_then(|scenario| scenario.into_world(Timestamp::now()))
                .unwrap_or_else(|error| panic!("the demo's scenario: {error}"))
        });
        Simulation::over(BUILT.beginning(Timestamp::now()))
    }

    /// The world, brought up to now.
    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = locked(&self.inner.world);
        world.advance(self.inner.begun.elapsed());
        world
    }

    /// Writes an object straight into the store, as a person's `kubectl apply` would.
    /// Objects of kinds that are not simulated are ignored.
    pub fn put(&self, object: Value) {
        let mut world = self.world();
        let Some(kind) = kinds::by_object(text(&object, "/apiVersion"), text(&object, "/kind"))
        else {
            return;
        };
        scenario::put(&mut world, kind, object, scenario::HAND, "Update");
        let now = world.now;
        world.advance(now);
    }

    /// Removes an object, and what it owns. The kind is `Deployment` or `apps/v1/Deployment`.
    pub fn remove(&self, kind: &str, namespace: &str, name: &str) {
        let mut world = self.world();
        if let Some(kind) = kinds::by_name(kind) {
            world.remove(kind, namespace, name);
        }
        let now = world.now;
        world.advance(now);
    }

    /// An object as it stands now. The kind is `Deployment` or `apps/v1/Deployment`.
    pub fn object(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let world = self.world();
        let found = world.store.get(kinds::by_name(kind)?, namespace, name)?;
        Some((**found).clone())
    }

    /// All objects of a kind, of one namespace or (empty) of all.
    pub fn objects(&self, kind: &str, ns: &str) -> Vec<Value> {
        let world = self.world();
        let Some(kind) = kinds::by_name(kind) else {
            return Vec::new();
        };
        let all = world
            .store
            .all(kind)
            .filter(|o| ns.is_empty() || namespace(o) == ns);
        all.map(|object| (**object).clone()).collect()
    }

    /// Refuses a verb on a resource: requests get 403, access reviews say no. `*` stands for any.
    /// A subresource is written `pods/proxy`.
    pub fn deny(&self, verb: &str, group: &str, resource: &str, namespace: Option<&str>) {
        locked(&self.inner.rules).denials.push(Denial {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.map(str::to_owned),
        });
    }

    /// Takes back all refusals.
    pub fn allow_all(&self) {
        locked(&self.inner.rules).denials.clear();
    }

    /// Whether the token has expired: every request is then answered 401.
    pub fn expire_token(&self, expired: bool) {
        locked(&self.inner.rules).expired = expired;
    }

    /// Takes an API group away, as where its CRDs are not installed: its paths answer a plain 404.
    pub fn without_group(&self, group: &str) {
        self.world().settings.absent_groups.push(group.to_owned());
    }

    /// Forgets the changes so far: a watch from an earlier revision is answered `410 Expired`.
    pub fn compact(&self) {
        self.world().store.compact();
    }

    /// Whether answers take the time that the scenario's settings give.
    pub fn latency(&self, on: bool) {
        locked(&self.inner.rules).latency = on;
    }

    /// Answers come at once, as tests want them.
    pub fn quick(&self) {
        self.latency(false);
    }

    /// The requests so far, oldest first.
    pub fn requests(&self) -> Vec<RequestRecord> {
        locked(&self.inner.log).iter().cloned().collect()
    }

    /// Asks `rule` about every request; what it returns happens in place of the answer.
    pub fn fault(&self, rule: FaultRule) {
        locked(&self.inner.rules).fault = Some(Arc::new(rule));
    }

    /// Calls `hook` after each write that changed something, dry runs aside.
    pub fn on_write(&self, hook: Box<dyn Fn(&Simulation) + Send + Sync>) {
        locked(&self.inner.rules).hooks.push(Arc::from(hook));
    }

    /// The API server, as a service for `kube::Client::new`.
    pub fn service(&self) -> SimulatedApi {
        SimulatedApi::new(self.clone())
    }

    /// A client of this cluster. Must be called within a tokio runtime.
    pub fn client(&self) -> kube::Client {
        kube::Client::new(self.service(), "default")
    }

    fn note(&self, record: RequestRecord) {
        let mut log = locked(&self.inner.log);
        if log.len() == LOG {
            log.pop_front();
        }
        log.push_back(record);
    }

    fn written(&self) {
        let hooks = locked(&self.inner.rules).hooks.clone();
        for hook in hooks {
            hook(self);
        }
    }

    /// Whether the rules refuse this to the user.
    fn denied(&self, verb: &str, kind: (&str, &str), namespace: &str) -> bool {
        let (group, resource) = kind;
        let fits = |pattern: &str, value: &str| pattern == "*" || pattern == value;
        locked(&self.inner.rules).denials.iter().any(|denial| {
            fits(&denial.verb, verb)
                && fits(&denial.group, group)
                && fits(&denial.resource, resource)
                && denial.namespace.as_deref().is_none_or(|ns| ns == namespace)
        })
    }
}

/// `kind "name"` in a namespace, for messages of the scenario.
fn described(kind: &Kind, object: &Value) -> String {
    format!("{} {}/{}", kind.kind, namespace(object), name(object))
}

const BUILTIN: &str = concat!(
    include_str!("../assets/demo/settings.yaml"),
    "\n---\n",
    include_str!("../assets/demo/istio.yaml"),
    "\n---\n",
    include_str!("../assets/demo/prometheus.yaml"),
    "\n---\n",
    include_str!("../assets/demo/shop.yaml"),
    "\n---\n",
    include_str!("../assets/demo/special.yaml"),
);

#[cfg(test)]
mod tests;
