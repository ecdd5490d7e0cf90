//! The review: every change beside what the server says it would become, before anything is written.

use super::{Action, Await, Change, ChangeId, Part, Plan, Price};
use crate::mesh::kinds::{Kind, WorkloadRef};
use jiff::Timestamp;
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
    pub(super) standing: Vec<Await>,
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
    /// What is waited for before the write: the change's own, after what its needs would have waited for
    /// that stand unchanged (an earlier run may have been cut off in the midst of that wait).
    pub fn before(&self) -> Vec<Await> {
        let own = &self.reviewed.change.before;
        let mut waits = self.standing.clone();
        waits.extend(
            own.iter()
                .filter(|wait| !self.standing.contains(wait))
                .cloned(),
        );
        waits
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
    /// These stop everything until they are left out or taken: conflict, refusal, failed question. What
    /// hangs on them falls with them and is not named.
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

/// What comes of a change as the review stands: the server's verdict, the user's word, and what it hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemState {
    /// No answer yet.
    Asking,
    /// Approval would write it.
    Ready,
    /// Live already is as wanted.
    Unchanged,
    LeftOut(LeftOut),
    /// Stops until these managers are taken by name, or the change is left out.
    Conflict(Vec<String>),
    /// The server's own words.
    Refused(String),
    Gate {
        why: String,
        paste: String,
    },
    Failed(String),
    /// Approval would write it, though no dry run could be made yet: why.
    Unverified(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    ByUser,
    /// On this change, which is left out, refused or in conflict.
    HangsOn(ChangeId),
    /// The run's lock or record, which the cluster does not take: why. The run goes on without it.
    NotTaken(String),
}

impl ItemState {
    /// Would approval write it?
    pub fn is_written(&self) -> bool {
        matches!(self, ItemState::Ready | ItemState::Unverified(_))
    }

    /// Is it written, or could it still be: by the server's answer, by the user's word?
    fn may_be_written(&self) -> bool {
        self.is_written() || self.stops() || *self == ItemState::Asking
    }

    /// Does it keep the review from being approved until it is left out or taken?
    pub fn stops(&self) -> bool {
        matches!(
            self,
            ItemState::Conflict(_)
                | ItemState::Refused(_)
                | ItemState::Gate { .. }
                | ItemState::Failed(_)
        )
    }
}

/// Figures for the review's header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Changes that approval would write: `new + patched + deleted`.
    pub changes: usize,
    pub new: usize,
    pub patched: usize,
    pub deleted: usize,
    pub unchanged: usize,
    pub left_out: usize,
    pub stopped: usize,
    pub asking: usize,
    /// Pods that restart through what would be written.
    pub restarts: usize,
}

/// A row of the run's own: its lock or its record.
fn is_kept(change: &Change) -> bool {
    change.part == Part::Journal && matches!(change.action, Action::Apply { .. })
}

impl RunId {
    /// Sortable by time, and fit for a label or a file's name: `20261123-104512-x7`.
    pub fn new(now: Timestamp) -> Self {
        use std::hash::{BuildHasher, Hasher};
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let chance = std::collections::hash_map::RandomState::new()
            .build_hasher()
            .finish();
        let digit = |n: u64| char::from(DIGITS[(n % 36) as usize]);
        RunId(format!(
            "{}-{}{}",
            now.strftime("%Y%m%d-%H%M%S"),
            digit(chance),
            digit(chance / 36)
        ))
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Reviewed {
    /// Managers whose fields it overwrites and who must be taken by name.
    pub fn controllers(&self) -> BTreeSet<&str> {
        self.conflicts
            .iter()
            .filter(|conflict| conflict.hands == Hands::Controller)
            .map(|conflict| conflict.manager.as_str())
            .collect()
    }
}

impl Review {
    pub fn new(context: impl Into<String>, run: RunId, plan: Plan) -> Self {
        Review {
            context: context.into(),
            run,
            left_out: plan.held.clone(),
            plan,
            ..Review::default()
        }
    }

    /// Takes the server's answer for a change; a later answer replaces an earlier one.
    pub fn insert(&mut self, reviewed: impl Into<Arc<Reviewed>>) {
        let reviewed = reviewed.into();
        self.items.insert(reviewed.change.id.clone(), reviewed);
    }

    /// How many changes have no answer yet.
    pub fn pending(&self) -> usize {
        self.plan
            .changes
            .iter()
            .filter(|change| !self.items.contains_key(&change.id))
            .count()
    }

    /// Leaves a change out, or takes it in again.
    pub fn toggle(&mut self, id: &ChangeId) {
        if !self.left_out.remove(id) {
            self.left_out.insert(id.clone());
        }
    }

    /// Lets this manager's fields be taken.
    pub fn take(&mut self, manager: impl Into<String>) {
        self.taken.insert(manager.into());
    }

    /// The state of every change. Work grows with the plan: not per frame.
    pub fn states(&self) -> BTreeMap<ChangeId, ItemState> {
        let changes: BTreeMap<&ChangeId, &Change> = self
            .plan
            .changes
            .iter()
            .map(|change| (&change.id, change))
            .collect();
        let mut states = BTreeMap::new();
        for change in &self.plan.changes {
            self.resolve(change, &changes, &mut states, &mut BTreeSet::new());
        }
        self.nothing_to_keep(&mut states);
        states
    }

    /// Where nothing else is written, there is no run to lock or to record.
    fn nothing_to_keep(&self, states: &mut BTreeMap<ChangeId, ItemState>) {
        let keeps = |change: &&Change| change.part == Part::Journal && is_kept(change);
        let writes = self.plan.changes.iter().any(|change| {
            !keeps(&change)
                && states
                    .get(&change.id)
                    .is_some_and(ItemState::may_be_written)
        });
        if !writes {
            for change in self.plan.changes.iter().filter(keeps) {
                states.insert(change.id.clone(), ItemState::Unchanged);
            }
        }
    }

    /// One change's state; for all of them use [`Review::states`].
    pub fn state(&self, id: &ChangeId) -> Option<ItemState> {
        self.states().remove(id)
    }

    fn resolve(
        &self,
        change: &Change,
        changes: &BTreeMap<&ChangeId, &Change>,
        states: &mut BTreeMap<ChangeId, ItemState>,
        open: &mut BTreeSet<ChangeId>,
    ) -> ItemState {
        if let Some(state) = states.get(&change.id) {
            return state.clone();
        }
        let own = self.own_state(change);
        // What stands already falls with nothing.
        let state = if own == ItemState::Unchanged || !open.insert(change.id.clone()) {
            own
        } else if self.left_out.contains(&change.id) {
            ItemState::LeftOut(LeftOut::ByUser)
        } else {
            let fallen = change.needs.iter().find(|need| {
                changes.get(need).is_some_and(|need| {
                    let state = self.resolve(need, changes, states, open);
                    state.stops() || matches!(state, ItemState::LeftOut(_))
                })
            });
            match fallen {
                Some(need) => ItemState::LeftOut(LeftOut::HangsOn(need.clone())),
                None => own,
            }
        };
        states.insert(change.id.clone(), state.clone());
        state
    }

    fn own_state(&self, change: &Change) -> ItemState {
        let Some(reviewed) = self.items.get(&change.id) else {
            return ItemState::Asking;
        };
        match &reviewed.verdict {
            Verdict::Refused(why) if is_kept(change) => {
                return ItemState::LeftOut(LeftOut::NotTaken(why.clone()));
            }
            Verdict::Unchanged => return ItemState::Unchanged,
            Verdict::Refused(words) => return ItemState::Refused(words.clone()),
            Verdict::Failed(words) => return ItemState::Failed(words.clone()),
            Verdict::Gate { why, paste } => {
                return ItemState::Gate {
                    why: why.clone(),
                    paste: paste.clone(),
                };
            }
            Verdict::New | Verdict::Changes | Verdict::Deletes | Verdict::Unverified(_) => {}
        }
        if let Some(PodVerdict::Forbidden(words)) = &reviewed.pod {
            return ItemState::Refused(format!("its new pods would be refused: {words}"));
        }
        let untaken: Vec<String> = reviewed
            .controllers()
            .into_iter()
            .filter(|manager| !self.taken.contains(*manager))
            .map(str::to_owned)
            .collect();
        if !untaken.is_empty() {
            return ItemState::Conflict(untaken);
        }
        match &reviewed.verdict {
            Verdict::Unverified(why) => ItemState::Unverified(why.clone()),
            _ => ItemState::Ready,
        }
    }

    pub fn counts(&self) -> Counts {
        let states = self.states();
        let mut counts = Counts::default();
        for change in &self.plan.changes {
            match states.get(&change.id) {
                Some(ItemState::Asking) | None => counts.asking += 1,
                Some(ItemState::Unchanged) => counts.unchanged += 1,
                Some(ItemState::LeftOut(_)) => counts.left_out += 1,
                Some(state) if state.stops() => counts.stopped += 1,
                Some(_) => {
                    counts.changes += 1;
                    let reviewed = self.items.get(&change.id);
                    match reviewed.map(|reviewed| (&reviewed.verdict, &reviewed.live)) {
                        Some((Verdict::New, _) | (Verdict::Unverified(_), None)) => counts.new += 1,
                        Some((Verdict::Deletes, _)) => counts.deleted += 1,
                        _ => counts.patched += 1,
                    }
                }
            }
        }
        let mut restarts: BTreeMap<WorkloadRef, usize> = BTreeMap::new();
        for price in self.prices_with(&states) {
            if let Price::Restarts { workload, pods } = price {
                let most = restarts.entry(workload.clone()).or_default();
                *most = (*most).max(*pods);
            }
        }
        counts.restarts = restarts.values().sum();
        counts
    }

    fn prices_with<'a>(
        &'a self,
        states: &'a BTreeMap<ChangeId, ItemState>,
    ) -> impl Iterator<Item = &'a Price> {
        self.plan
            .changes
            .iter()
            .filter(|change| states.get(&change.id).is_some_and(ItemState::is_written))
            .flat_map(|change| &change.prices)
    }

    /// Prices of what approval would write, each once.
    pub fn prices(&self) -> BTreeSet<Price> {
        let states = self.states();
        self.prices_with(&states).cloned().collect()
    }

    /// Prometheis that would lose their history; losing it takes a confirmation of its own.
    pub fn loses_history(&self) -> Vec<WorkloadRef> {
        self.history_with(&self.states())
    }

    fn history_with(&self, states: &BTreeMap<ChangeId, ItemState>) -> Vec<WorkloadRef> {
        let written: BTreeSet<_> = self
            .plan
            .changes
            .iter()
            .filter(|change| states.get(&change.id).is_some_and(ItemState::is_written))
            .map(|change| &change.object)
            .collect();
        // A price of the plan as a whole counts where something of that Prometheus's pod is written.
        let of_plan = self.plan.prices.iter().filter(|price| {
            matches!(price, Price::LosesHistory { prometheus } if written.contains(&prometheus.object()))
        });
        let lost: BTreeSet<WorkloadRef> = self
            .prices_with(states)
            .chain(of_plan)
            .filter_map(|price| match price {
                Price::LosesHistory { prometheus } => Some(prometheus.clone()),
                _ => None,
            })
            .collect();
        lost.into_iter().collect()
    }

    /// The server's warnings and what admission noted, with the change they belong to.
    pub fn warnings(&self) -> Vec<(ChangeId, String)> {
        let mut out = Vec::new();
        for change in &self.plan.changes {
            let Some(reviewed) = self.items.get(&change.id) else {
                continue;
            };
            let notes: &[String] = match &reviewed.pod {
                Some(PodVerdict::Admitted { notes, .. }) => notes,
                _ => &[],
            };
            if let (true, Verdict::Refused(why)) = (is_kept(change), &reviewed.verdict) {
                let without = match change.object.kind {
                    Kind::Lease => "nothing keeps a second run away",
                    _ => "only this machine keeps the record of the run",
                };
                out.push((change.id.clone(), format!("{without}: {why}")));
            }
            for words in reviewed.warnings.iter().chain(notes) {
                out.push((change.id.clone(), words.clone()));
            }
            if let Some(PodVerdict::Unknown(why)) = &reviewed.pod {
                out.push((
                    change.id.clone(),
                    format!("whether its new pods would be admitted is not known: {why}"),
                ));
            }
        }
        out
    }

    /// The one way to an [`Approved`]: what will be written, in order.
    ///
    /// # Errors
    /// What has to happen first, see [`NotApprovable`].
    pub fn approve(&self, word: Word) -> Result<Approved, NotApprovable> {
        let pending = self.pending();
        if pending > 0 {
            return Err(NotApprovable::StillAsking(pending));
        }
        let states = self.states();
        let stopped: Vec<ChangeId> = self
            .plan
            .changes
            .iter()
            .filter(|change| states.get(&change.id).is_some_and(ItemState::stops))
            .map(|change| change.id.clone())
            .collect();
        if !stopped.is_empty() {
            return Err(NotApprovable::Stopped(stopped));
        }
        let changes: Vec<ApprovedChange> = self
            .plan
            .changes
            .iter()
            .filter(|change| states.get(&change.id).is_some_and(ItemState::is_written))
            .filter_map(|change| {
                Some(ApprovedChange {
                    reviewed: Arc::clone(self.items.get(&change.id)?),
                    standing: self.standing(change, &states),
                })
            })
            .collect();
        if changes.is_empty() {
            return Err(NotApprovable::NothingToDo);
        }
        if !word.lose_history && !self.history_with(&states).is_empty() {
            return Err(NotApprovable::HistoryNotConfirmed);
        }
        Ok(Approved {
            context: self.context.clone(),
            run: self.run.clone(),
            changes,
        })
    }

    /// What the unchanged needs of a change would have waited for after their write.
    fn standing(&self, change: &Change, states: &BTreeMap<ChangeId, ItemState>) -> Vec<Await> {
        let mut waits: Vec<Await> = Vec::new();
        for need in &self.plan.changes {
            if !change.needs.contains(&need.id)
                || states.get(&need.id) != Some(&ItemState::Unchanged)
            {
                continue;
            }
            for wait in &need.then {
                let lasting = matches!(wait, Await::Rollout(_) | Await::ConfigLoaded { .. });
                if lasting && !waits.contains(wait) {
                    waits.push(wait.clone());
                }
            }
        }
        waits
    }
}

#[cfg(test)]
#[path = "review_tests.rs"]
pub(super) mod tests;
