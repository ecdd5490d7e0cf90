//! The review: every change beside what the server says it would become, before anything is written.

use super::{Change, ChangeId, Plan};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which run of the program, and against which cluster; stands in the journal and in a label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunId(pub String);

#[derive(Clone, Debug, Default)]
pub struct Review {
    pub context: String,
    pub run: RunId,
    pub plan: Plan,
    /// By change; a change that is not here yet is still being asked.
    pub items: BTreeMap<ChangeId, Arc<Reviewed>>,
    /// By the user's word; what hangs on them is derived.
    pub left_out: BTreeSet<ChangeId>,
    /// Managers whose fields may be taken by name.
    pub taken: BTreeSet<String>,
}

/// One change, as the server's dry run answered.
#[derive(Clone, Debug)]
pub struct Reviewed {
    pub change: Change,
    /// The object as it was read before the dry run; `None`: absent.
    pub live: Option<Arc<Value>>,
    /// The server's answer; for an unverified change our own projection of it; `None` after a delete.
    pub after: Option<Arc<Value>>,
    pub verdict: Verdict,
    /// Leaves of others that the change overwrites, with their owners and values.
    pub conflicts: Vec<Conflict>,
    /// The server's `Warning:` headers.
    pub warnings: Vec<String>,
    /// What admission said of a Pod made from the new template.
    pub pod: Option<PodVerdict>,
    /// The intent that is sent: ours, with what we owned before.
    pub intent: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The object would be created.
    New,
    Changes,
    Deletes,
    /// Live already is as wanted; nothing will be written.
    Unchanged,
    /// It cannot be dry-run yet, because something that the plan writes earlier is not there: which, in words.
    Unverified(String),
    /// The server (a validation, an admission webhook, a quota) refuses it: its own words.
    Refused(String),
    /// Our own gate refuses (the text of `prometheus.yml` can't be edited safely …): why, and what to paste.
    Gate {
        why: String,
        paste: String,
    },
    /// The question failed: network, permission.
    Failed(String),
}

/// A field that somebody else set to another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub manager: String,
    /// As the server writes it: `.spec.template.metadata.labels.sidecar.istio.io/inject`.
    pub field: String,
    /// Their value; masked where it could be a secret.
    pub theirs: Option<Value>,
    pub ours: Option<Value>,
    pub hands: Hands,
}

/// Whose hands a field manager is (facts: which fields go by the normal approval).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hands {
    /// kubectl, a dashboard, our older versions: the normal approval takes its fields.
    Person,
    /// Helm, Argo CD, Flux, an operator, a controller, or unknown: taken only by name.
    Controller,
}

/// A Pod from the new template, dry-run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodVerdict {
    /// Admitted; `sidecar` says whether injection added istio-proxy.
    Admitted { sidecar: bool, notes: Vec<String> },
    /// Forbidden by Pod Security, quota or a webhook: its own words.
    Forbidden(String),
    /// Could not be asked (no permission to create pods …).
    Unknown(String),
}

/// Changes approved by the user's word. Can only be made by [`Review`]; apply takes nothing else.
#[derive(Clone, Debug)]
pub struct Approved {
    pub(super) context: String,
    pub(super) run: RunId,
    pub(super) changes: Vec<ApprovedChange>,
}

#[derive(Clone, Debug)]
pub struct ApprovedChange {
    pub(super) reviewed: Arc<Reviewed>,
}

impl Approved {
    pub fn context(&self) -> &str {
        &self.context
    }
    pub fn run(&self) -> &RunId {
        &self.run
    }
    pub fn changes(&self) -> &[ApprovedChange] {
        &self.changes
    }
}

impl ApprovedChange {
    pub fn reviewed(&self) -> &Reviewed {
        &self.reviewed
    }
    pub fn change(&self) -> &Change {
        &self.reviewed.change
    }
    /// resourceVersion of the object that was shown; a write is preceded by a comparison with it.
    pub fn resource_version(&self) -> Option<&str> {
        self.reviewed.live.as_ref()?["metadata"]["resourceVersion"].as_str()
    }
    pub fn uid(&self) -> Option<&str> {
        self.reviewed.live.as_ref()?["metadata"]["uid"].as_str()
    }
}

/// Why a review cannot be approved as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotApprovable {
    NothingToDo,
    StillAsking(usize),
    /// These stop everything until they are left out or taken: conflict, refusal, failed question.
    Stopped(Vec<ChangeId>),
    /// Losing a Prometheus's history needs its own word.
    HistoryNotConfirmed,
}

/// What the user says besides "yes".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The separate confirmation that Prometheus's history is lost.
    pub lose_history: bool,
}
