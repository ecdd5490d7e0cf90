//! Whole ways through the program over the simulated cluster: what a user meets, from reading the cluster
//! to taking a run back, with what must hold at every moment watched from the outside.

mod back;
mod cut;
mod damage;
mod drift;
mod events;
mod found;
mod kept;
mod owners;
mod refusals;
mod rollout_problems;
mod runs;
pub mod screen;
mod seen;
mod states;
mod stuck;
mod ways;

use meshscrape::answers::{Answers, GatewayRef};
use meshscrape::cluster::Cluster;
use meshscrape::demo::{RequestRecord, Simulation};
use meshscrape::engine::apply::{ApplyOptions, Control, apply};
use meshscrape::engine::discover::discover;
use meshscrape::engine::event::{ApplyEvent, Ended, Outcome};
use meshscrape::engine::review::review;
use meshscrape::engine::session::{Clock, Session};
use meshscrape::engine::undo::{UndoPlan, plan_undo};
use meshscrape::engine::watch::Watched;
use meshscrape::error::Error;
use meshscrape::journal::MemoryJournal;
use meshscrape::mesh::Mesh;
use meshscrape::plan::review::{Approved, ItemState, NotApprovable, Review, RunId, Word};
use meshscrape::plan::{Plan, keeping};
use meshscrape::recipe::{self, Selection};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// A user's way over one cluster.
pub struct Journey {
    pub simulation: Simulation,
    pub session: Session,
    pub events: Arc<Mutex<Vec<ApplyEvent>>>,
    /// Moments at which a listener of ours stood without what it needs.
    naked: Arc<Mutex<Vec<String>>>,
}

/// What a listener of ours never stands without.
const NEEDS: [(&str, &[&str]); 2] = [
    ("Sidecar", &["PeerAuthentication", "AuthorizationPolicy"]),
    (
        "networking.istio.io/v1/Gateway",
        &["ServiceEntry", "VirtualService"],
    ),
];

/// Everything that a run may touch.
const KINDS: [&str; 14] = [
    "Namespace",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ConfigMap",
    "Sidecar",
    "PeerAuthentication",
    "AuthorizationPolicy",
    "networking.istio.io/v1/Gateway",
    "VirtualService",
    "ServiceEntry",
    "EnvoyFilter",
    "Secret",
    "Lease",
];

pub type Objects = BTreeMap<String, Value>;

impl Journey {
    pub fn new() -> Journey {
        Journey::over(Simulation::builtin())
    }

    pub fn over(simulation: Simulation) -> Journey {
        simulation.quick();
        let naked: Arc<Mutex<Vec<String>>> = Arc::default();
        watch_listeners(&simulation, &naked);
        let session = Session {
            cluster: Cluster::new(simulation.client(), "demo"),
            journal: Arc::new(MemoryJournal::new()),
            clock: Clock::default(),
            who: meshscrape::engine::session::here(),
        };
        Journey {
            simulation,
            session,
            events: Arc::default(),
            naked,
        }
    }

    pub async fn mesh(&self) -> Arc<Mesh> {
        discover(self.session.cluster.clone(), |_| {}).await
    }

    pub async fn plan(&self, answers: &Answers) -> Result<(Selection, Plan), Error> {
        let mesh = self.mesh().await;
        let selection = recipe::select(&mesh, answers)?;
        Ok((selection, recipe::plan(&mesh, answers)?))
    }

    pub async fn review(&self, mut plan: Plan, answers: &Answers) -> Review {
        let run = RunId::new(self.session.clock.now());
        keeping::keep(&mut plan, &run.0, &self.session.who);
        let mut asked = Review::new("demo", run, plan);
        for manager in &answers.take {
            asked.take(manager.clone());
        }
        review(&self.session.cluster, asked, &|_| {}).await
    }

    /// Reads the cluster, plans, reviews, approves and writes.
    pub async fn apply(&self, answers: &Answers) -> Outcome {
        let (selection, plan) = self.plan(answers).await.unwrap();
        let review = self.review(plan, answers).await;
        let approved = review
            .approve(Word { lose_history: true })
            .unwrap_or_else(|why| panic!("{why:?}: {:#?}", review.states()));
        self.write(approved, &selection, answers, None).await
    }

    pub async fn write(
        &self,
        approved: Approved,
        selection: &Selection,
        answers: &Answers,
        undoes: Option<String>,
    ) -> Outcome {
        let control = Control::alone().1;
        self.write_under(approved, selection, answers, undoes, control)
            .await
    }

    /// Writes what was approved, steered by somebody.
    pub async fn write_under(
        &self,
        approved: Approved,
        selection: &Selection,
        answers: &Answers,
        undoes: Option<String>,
        control: Control,
    ) -> Outcome {
        let watched = match undoes {
            Some(_) => Vec::new(),
            None => watched(selection, answers),
        };
        let options = ApplyOptions {
            answers: undoes.is_none().then(|| answers.clone()),
            undoes,
            pace: answers.options.pace,
            ..ApplyOptions::default()
        };
        let events = Arc::clone(&self.events);
        let report = move |event| events.lock().unwrap().push(event);
        let prometheus = Arc::clone(&selection.prometheus);
        let outcome = apply(
            &self.session,
            approved,
            prometheus,
            watched,
            &options,
            control,
            &report,
        )
        .await;
        self.dressed();
        outcome
    }

    /// No listener of ours stood without what it needs, after any write so far.
    pub fn dressed(&self) {
        assert_eq!(*self.naked.lock().unwrap(), [""; 0], "listeners without");
    }

    pub async fn nothing_to_change(&self, answers: &Answers) {
        let (_, plan) = self.plan(answers).await.unwrap();
        let review = self.review(plan, answers).await;
        let states = review.states();
        let left: Vec<String> = review
            .items
            .values()
            .filter(|item| states[&item.change.id] != ItemState::Unchanged)
            .map(|item| {
                format!(
                    "{}: {:?}\n{}",
                    item.change.id,
                    item.verdict,
                    item.diff().plain()
                )
            })
            .collect();
        assert_eq!(left, [""; 0], "a second run would write");
        let refusal = review.approve(Word { lose_history: true }).unwrap_err();
        assert_eq!(refusal, NotApprovable::NothingToDo);
    }

    /// Takes the newest run back by the way that a person takes.
    pub async fn undo(&self, answers: &Answers) -> (UndoPlan, Outcome) {
        let (selection, _) = self.plan(answers).await.unwrap();
        let undo = plan_undo(&self.session, &["istio-system".into()], None, &[])
            .await
            .unwrap();
        let review = self.review(undo.plan.clone(), answers).await;
        let approved = review
            .approve(Word { lose_history: true })
            .unwrap_or_else(|why| panic!("{why:?}: {:#?}", review.states()));
        let run = Some(undo.run.clone());
        let outcome = self.write(approved, &selection, answers, run).await;
        assert_eq!(outcome.ended, Ended::Whole, "{:#?}", self.told());
        (undo, outcome)
    }

    /// What was told of the runs so far, for a failing test to show.
    pub fn told(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        events
            .iter()
            .filter_map(|event| match event {
                ApplyEvent::Step { id, state } => Some(format!("{id}: {state:?}")),
                ApplyEvent::Log(line) => Some(line.clone()),
                ApplyEvent::Stopped { id, error } => Some(format!("{id} stopped: {error}")),
                _ => None,
            })
            .collect()
    }

    /// Objects that a run may touch, without what the server keeps for itself.
    pub fn objects(&self) -> Objects {
        objects(&self.simulation)
    }
}

/// Objects that a run may touch, without what the server keeps for itself.
pub fn objects(simulation: &Simulation) -> Objects {
    let mut all = BTreeMap::new();
    for kind in KINDS {
        for mut object in simulation.objects(kind, "") {
            strip(&mut object);
            let meta = &object["metadata"];
            let name = format!("{kind} {}/{}", meta["namespace"], meta["name"]);
            all.insert(name.replace('"', ""), object);
        }
    }
    all
}

pub fn watch_listeners(simulation: &Simulation, naked: &Arc<Mutex<Vec<String>>>) {
    let seen = Arc::clone(naked);
    simulation.on_write(Box::new(move |simulation| {
        for (kind, needs) in NEEDS {
            for listener in simulation.objects(kind, "") {
                let meta = &listener["metadata"];
                let ours = meta["labels"]["app.kubernetes.io/managed-by"] == "meshscrape";
                if !ours && !has_our_entry(&listener) {
                    continue;
                }
                let (ns, name) = (meta["namespace"].as_str(), meta["name"].as_str());
                let (ns, name) = (ns.unwrap(), name.unwrap());
                for need in needs {
                    let guards = || {
                        let mut all = simulation.objects(need, ns).into_iter();
                        all.any(|one| guards(&one, &listener))
                    };
                    if simulation.object(need, ns, name).is_none() && !guards() {
                        let words = format!("{kind} {ns}/{name} without {need}");
                        seen.lock().unwrap().push(words);
                    }
                }
            }
        }
    }));
}

/// A Sidecar of others to which our listener was added.
fn has_our_entry(listener: &Value) -> bool {
    let mut entries = listener["spec"]["ingress"].as_array().into_iter().flatten();
    let selects = listener["spec"]["workloadSelector"].is_object();
    selects && entries.any(|one| one["port"]["name"] == "http-metrics")
}

/// A policy of whatever name that speaks of the secure port of all pods that the Sidecar selects.
fn guards(policy: &Value, listener: &Value) -> bool {
    let labels = &listener["spec"]["workloadSelector"]["labels"];
    let Some(selector) = policy["spec"]["selector"]["matchLabels"].as_object() else {
        return false;
    };
    let mut pairs = selector.iter();
    let of_port = policy["spec"].to_string().contains("\"15091\"");
    of_port && pairs.all(|(key, value)| labels.get(key) == Some(value))
}

fn strip(object: &mut Value) {
    let metadata = object["metadata"].as_object_mut().unwrap();
    for field in ["resourceVersion", "generation", "managedFields"] {
        metadata.remove(field);
    }
    if let Some(annotations) = metadata.get_mut("annotations") {
        let annotations = annotations.as_object_mut().unwrap();
        annotations.remove("deployment.kubernetes.io/revision");
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    object.as_object_mut().unwrap().remove("status");
}

/// For a comparison with the objects of another simulation: its moments are others, and the names of runs.
pub fn ageless(mut objects: Objects) -> Objects {
    for object in objects.values_mut() {
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.remove("creationTimestamp");
        metadata.remove("uid");
        if let Some(owners) = metadata.get_mut("ownerReferences") {
            for owner in owners.as_array_mut().unwrap() {
                owner.as_object_mut().unwrap().remove("uid");
            }
        }
        if let Some(annotations) = metadata.get_mut("annotations") {
            annotations
                .as_object_mut()
                .unwrap()
                .remove("meshscrape.dev/run");
        }
    }
    objects
}

/// Only what differs, for a failure that can be read.
pub fn differing(before: &Objects, after: &Objects) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| {
            let show = |object: Option<&Value>| object.map_or("absent".into(), Value::to_string);
            format!(
                "{name}\n  {}\n  {}",
                show(before.get(name)),
                show(after.get(name))
            )
        })
        .collect()
}

pub fn watched(selection: &Selection, answers: &Answers) -> Vec<Watched> {
    selection
        .items(answers)
        .map(|item| Watched {
            item: item.workload.id.clone(),
            gateway: item.gateway.is_some(),
            port: item.port,
            behind: item.workload.behind(item.port),
            selector: item.workload.selector.clone(),
            template_port: None,
        })
        .collect()
}

/// Answers that choose these workloads (`namespace/Kind/name`).
pub fn choose(workloads: &[&str]) -> Answers {
    Answers {
        workloads: workloads.iter().map(|w| w.parse().unwrap()).collect(),
        ..Answers::default()
    }
}

pub fn choose_gateway(namespace: &str, name: &str) -> Answers {
    let gateway = GatewayRef {
        namespace: namespace.into(),
        name: name.into(),
    };
    Answers {
        gateways: BTreeSet::from([gateway]),
        ..Answers::default()
    }
}

/// A request that could change something: neither a read, nor an access review, nor a dry run.
pub fn writes(request: &RequestRecord) -> bool {
    let review = request.method == "POST" && request.path.contains("/authorization.k8s.io/");
    !(request.method == "GET" || review || request.path.contains("dryRun=All"))
}
