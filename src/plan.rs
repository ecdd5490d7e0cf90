//! The plan: what would be written, in which order, and what a dry run says of it.
//!
//! `recipe` (or an undo) makes a [`Plan`]; `engine::review` asks the server of every change and makes a
//! [`Review`]; only a `Review` makes an [`Approved`], and apply takes nothing else.

use crate::mesh::OtherPods;
use crate::mesh::kinds::{ObjectRef, WorkloadRef};
use crate::plan::purpose::Purpose;
use crate::problems::Problem;
use crate::reach::forecast::Forecast;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub mod diff;
pub mod export;
pub mod holder;
pub mod keeping;
pub mod keyed;
pub mod kubectl;
pub mod leaves;
pub mod mask;
pub mod normalise;
pub mod owners;
pub mod path;
pub mod purpose;
pub mod record;
pub mod release;
pub mod resume;
pub mod review;
pub mod rollout_problems;
pub mod scrape_config;
mod secret_text;
pub mod undo;
pub mod upstream;
pub mod yaml;

/// Changes in the order of writing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub changes: Vec<Change>,
    /// Impacts and risks of the plan as a whole (per change: [`Change::impacts`]).
    pub impacts: Vec<Impact>,
    /// What holds of the plan as a whole.
    pub findings: Vec<Problem>,
    /// What of the named namespaces cannot be chosen, and why.
    pub skipped: Vec<Problem>,
    /// Pods beside what was chosen that nothing can be written for.
    pub others: Vec<Arc<OtherPods>>,
    /// The namespace of the Prometheus it is for: there the record is kept. `None`: nowhere.
    pub home: Option<String>,
    /// Istio's root namespace: there the cluster's one lock lies. `None`: not known.
    pub root: Option<String>,
    /// The namespaces of every Prometheus: there the locks of older versions lie, and of users without the right to
    /// the root namespace.
    pub homes: Vec<String>,
    /// The run that it takes back.
    pub undoes: Option<String>,
    /// Changes that are left out until the user takes them in: over what somebody else changed since.
    pub held: BTreeSet<ChangeId>,
    /// What is of use only while one of these is written or stands: a listener without a mark is scraped by
    /// nobody. With all of them left out it is left out too.
    pub serves: BTreeMap<ChangeId, Vec<ChangeId>>,
    /// The targets before it and after it, where that can be told.
    pub forecast: Option<Arc<Forecast>>,
}

/// Stable within a plan and between runs: `Kind/namespace/name#part`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ChangeId(pub String);

/// What parts were called in records and choices of before.
const FORMER: [(&str, &str); 3] = [
    ("mark", "annotation"),
    ("old-jobs", "plaintext-jobs"),
    ("repair", "fix"),
];

impl From<String> for ChangeId {
    fn from(text: String) -> ChangeId {
        let renamed = text.rsplit_once('#').and_then(|(object, part)| {
            // An undo's: `undo-mark`, `undo-mark-changed-since`.
            let (undo, part) = match part.strip_prefix("undo-") {
                Some(part) => ("undo-", part),
                None => ("", part),
            };
            FORMER.iter().find_map(|(former, now)| {
                let rest = part.strip_prefix(former)?;
                let whole = rest.is_empty() || rest.starts_with('-');
                whole.then(|| format!("{object}#{undo}{now}{rest}"))
            })
        });
        ChangeId(renamed.unwrap_or(text))
    }
}

impl From<ChangeId> for String {
    fn from(id: ChangeId) -> String {
        id.0
    }
}

impl ChangeId {
    pub fn new(object: &ObjectRef, part: Part) -> Self {
        ChangeId(format!(
            "{}/{}/{}#{}",
            object.kind.name(),
            object.namespace,
            object.name,
            part.word()
        ))
    }

    /// The object in a reader's words: `Deployment shop/cart`, `Namespace shop`.
    pub fn object(&self) -> String {
        let path = self
            .0
            .rsplit_once('#')
            .map_or(self.0.as_str(), |(path, _)| path);
        let mut parts = path.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(kind), Some(""), Some(name)) => format!("{kind} {name}"),
            (Some(kind), Some(namespace), Some(name)) => format!("{kind} {namespace}/{name}"),
            _ => path.to_owned(),
        }
    }

    /// [`ChangeId::object`] and the part: `Deployment shop/cart (mark)`.
    pub fn title(&self) -> String {
        let part = self.0.rsplit_once('#').map_or("", |(_, part)| part);
        format!("{} ({part})", self.object())
    }
}

impl std::fmt::Display for ChangeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub id: ChangeId,
    pub object: ObjectRef,
    pub action: Action,
    pub part: Part,
    /// The workload, gateway or Prometheus that it serves; changes of one item are reviewed and left out together.
    pub item: Option<WorkloadRef>,
    /// Changes that must stand before this one. Leaving one of them out leaves this one out.
    pub needs: Vec<ChangeId>,
    /// What this one comes after, where both are written; it does not fall with them.
    pub after: Vec<ChangeId>,
    /// What is waited for between the last write and this one.
    pub before: Vec<Await>,
    /// What is waited for before the next change is written.
    pub then: Vec<Await>,
    pub purpose: Purpose,
    pub impacts: Vec<Impact>,
    /// What may come of it, beyond its impacts.
    pub findings: Vec<Problem>,
}

/// The role of a change in the recipe; for grouping, order and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    PrometheusPod,
    ScrapeJob,
    Injection,
    /// PeerAuthentication, AuthorizationPolicy.
    Policy,
    /// Sidecar or Gateway: what opens 15091.
    Listener,
    /// ServiceEntry and VirtualService behind a gateway's listener.
    Route,
    #[serde(alias = "mark")]
    Annotation,
    #[serde(alias = "oldJobs")]
    PlaintextJobs,
    /// Removal or repair of what the published recipe left behind.
    #[serde(alias = "repair")]
    Fix,
    /// Taking something of ours back.
    Undo,
    /// The record of the run in the cluster, and the lock that keeps a second run away.
    Journal,
}

impl Change {
    /// One that nothing hangs on yet, and that waits for nothing.
    pub fn new(object: ObjectRef, part: Part, action: Action, purpose: Purpose) -> Self {
        Change {
            id: ChangeId::new(&object, part),
            object,
            action,
            part,
            item: None,
            needs: Vec::new(),
            after: Vec::new(),
            before: Vec::new(),
            then: Vec::new(),
            purpose,
            impacts: Vec::new(),
            findings: Vec::new(),
        }
    }
}

impl Part {
    pub fn word(self) -> &'static str {
        match self {
            Part::PrometheusPod => "prometheus-pod",
            Part::ScrapeJob => "scrape-job",
            Part::Injection => "injection",
            Part::Policy => "policy",
            Part::Listener => "listener",
            Part::Route => "route",
            Part::Annotation => "annotation",
            Part::PlaintextJobs => "plaintext-jobs",
            Part::Fix => "fix",
            Part::Undo => "undo",
            Part::Journal => "journal",
        }
    }
}

/// How an object is changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Server-side apply of an intent. The whole of what we want of the object: the review adds what we
    /// already own of it, so that an earlier run's fields do not fall out.
    Apply { intent: Value },
    /// JSON Patch made of leaves, each tested for its present value.
    Edit { leaves: Vec<LeafEdit> },
    /// Text inside one key of a ConfigMap or Secret.
    Text {
        key: String,
        edits: Vec<scrape_config::TextEdit>,
    },
    /// Delete the object; with its uid, so that a successor of the same name is left alone.
    Delete { uid: String },
}

/// One leaf set or removed. Paths address list elements by their keys (see [`path::LeafPath`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeafEdit {
    pub path: path::LeafPath,
    /// What must stand there for the edit to be right; `None`: absent. Unset means: whatever stands there at review.
    #[serde(default, skip_serializing_if = "Expected::is_any")]
    pub expect: Expected,
    /// `None` removes the leaf.
    pub to: Option<Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Expected {
    #[default]
    Any,
    Absent,
    Value(Value),
}

impl Expected {
    fn is_any(&self) -> bool {
        matches!(self, Expected::Any)
    }
}

/// What apply waits for around a write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Await {
    /// The object is read back as it was written.
    ReadBack,
    /// istiod has had time to push (facts: a second between policies and listener).
    Settle(Duration),
    /// The rollout of the changed workload, judged as `kubectl rollout status` does.
    Rollout(WorkloadRef),
    /// The operator has carried the changed resource over to the pod template of this workload.
    Operated(WorkloadRef),
    /// The new scrape job stands in the running configuration of every replica of that Prometheus.
    ConfigLoaded {
        prometheus: WorkloadRef,
        job: String,
    },
    /// The job no longer stands in the running configuration (undo).
    ConfigDropped {
        prometheus: WorkloadRef,
        job: String,
    },
    /// The running configuration has each of these jobs leave out its workloads, and nothing for the annotation alone.
    LeftOut {
        prometheus: WorkloadRef,
        jobs: Vec<LeavesOut>,
    },
    /// Every target of these items is UP by a scrape begun after the last change.
    TargetsUp(Vec<WorkloadRef>),
    /// No Prometheus replica scrapes a pod of this item over mTLS any more (undo).
    TargetsGone(WorkloadRef),
}

/// The workloads that a plaintext job leaves out by name, and some that it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LeavesOut {
    pub job: String,
    pub of: Vec<WorkloadRef>,
    pub not: Vec<WorkloadRef>,
}

/// What a change costs, shown where the choice is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Impact {
    /// Pods of this workload restart.
    Restarts { workload: WorkloadRef, pods: usize },
    /// Prometheus restarts and its history is lost with its `emptyDir`; takes a confirmation of its own.
    LosesHistory { prometheus: WorkloadRef },
    /// Prometheus restarts; scraping and alerting pause.
    ScrapeGap { prometheus: WorkloadRef },
    /// Connections open for more than about 45 s are cut once.
    CutsConnections { workload: WorkloadRef },
    /// An EnvoyFilter matches an `inbound|…` name that this renames.
    EnvoyFilterStops {
        filter: ObjectRef,
        workload: WorkloadRef,
    },
    /// Its pods get their first sidecar: it enters the mesh.
    FirstSidecar {
        workload: WorkloadRef,
        /// Plaintext to its ports is refused from then on.
        strict: bool,
    },
    /// These workloads get a sidecar at their next restart, though they were not chosen.
    AlsoInjected {
        namespace: String,
        workloads: Vec<WorkloadRef>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_records_of_before_are_known_by_their_names_of_now() {
        let read = |text: &str| serde_json::from_value::<ChangeId>(text.into()).unwrap().0;
        for (before, now) in [
            (
                "Deployment/shop/cart#mark",
                "Deployment/shop/cart#annotation",
            ),
            ("ConfigMap/i/p#old-jobs", "ConfigMap/i/p#plaintext-jobs"),
            ("Gateway/i/g#repair", "Gateway/i/g#fix"),
            ("Pod/shop/a#undo-mark-7", "Pod/shop/a#undo-annotation-7"),
            (
                "ConfigMap/i/p#undo-old-jobs",
                "ConfigMap/i/p#undo-plaintext-jobs",
            ),
            ("Pod/shop/a#marker", "Pod/shop/a#marker"),
            ("Pod/shop/mark#policy", "Pod/shop/mark#policy"),
        ] {
            assert_eq!(read(before), now);
        }
        let part = |text: &str| serde_json::from_value::<Part>(text.into()).unwrap();
        assert_eq!(part("mark"), Part::Annotation);
        assert_eq!(part("oldJobs"), Part::PlaintextJobs);
        assert_eq!(part("repair"), Part::Fix);
    }
}
