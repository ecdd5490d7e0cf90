//! What the user's word approved, and the one way to it.

use super::{ItemState, LeftOut, PodVerdict, Review, Reviewed, RunId, Verdict};
use crate::mesh::kinds::WorkloadRef;
use crate::plan::{Action, Await, Change, ChangeId, Part, keeping, keyed, scrape_config};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Changes approved by the user's word. Can only be made by [`Review`]; apply takes nothing else.
#[derive(Clone, Debug)]
pub struct Approved {
    pub(in crate::plan) context: String,
    pub(in crate::plan) run: RunId,
    pub(in crate::plan) changes: Vec<ApprovedChange>,
    pub(in crate::plan) respected: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct ApprovedChange {
    pub(in crate::plan) reviewed: Arc<Reviewed>,
    pub(in crate::plan) standing: Vec<Await>,
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
    /// Namespaces whose lock this run does not take, and which keeps it away all the same: those where it may not,
    /// and where runs for another Prometheus lock.
    pub fn respected(&self) -> &[String] {
        &self.respected
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
    /// The same change on the object as it is now, where the user's word for it can be asked again: it can be
    /// written, takes from no controller that was not approved, and the object did not go away.
    pub fn again(&self, now: Arc<Reviewed>) -> Option<ApprovedChange> {
        let then = &self.reviewed;
        let same = now.change.id == then.change.id && now.change.action == then.change.action;
        let writable = matches!(
            now.verdict,
            Verdict::New | Verdict::Changes | Verdict::Deletes
        ) && !matches!(
            now.pod,
            Some(PodVerdict::Forbidden(_) | PodVerdict::Unfit(_))
        );
        let gone = then.live.is_some() && now.live.is_none();
        let taken = now.controllers().is_subset(&then.controllers());
        (same && writable && !gone && taken).then(|| ApprovedChange {
            reviewed: now,
            standing: self.standing.clone(),
        })
    }
    /// The workloads whose plaintext scrape it ends.
    pub fn ends(&self) -> BTreeSet<WorkloadRef> {
        let Action::Text { edits, .. } = &self.reviewed.change.action else {
            return BTreeSet::new();
        };
        let ended = edits.iter().filter_map(|edit| match edit {
            scrape_config::TextEdit::EndPlaintext { items, .. } => Some(items),
            _ => None,
        });
        ended.flatten().cloned().collect()
    }
    /// The same change, less than what was approved: the plaintext scrape ends only for those of which this holds.
    /// `None`: nothing would be left of it.
    pub fn fewer(&self, of: impl Fn(&WorkloadRef) -> bool) -> Option<ApprovedChange> {
        let Action::Text { key, edits } = &self.reviewed.change.action else {
            return None;
        };
        let edits = scrape_config::fewer(edits, &of);
        let live = self.reviewed.live.as_ref()?;
        let before = keyed::text(live, key)?;
        let text = scrape_config::apply(&before, &edits).ok()?;
        if text == before {
            return None;
        }
        let mut after = live.as_ref().clone();
        keyed::put(&mut after, key, &text).ok()?;
        let mut reviewed = self.reviewed.as_ref().clone();
        reviewed.after = Some(Arc::new(after));
        let change = &mut reviewed.change;
        change.action = Action::Text {
            key: key.clone(),
            edits,
        };
        for wait in change.before.iter_mut().chain(&mut change.then) {
            match wait {
                Await::TargetsUp(items) => items.retain(&of),
                Await::LeftOut { jobs, .. } => {
                    jobs.iter_mut().for_each(|job| job.of.retain(&of));
                }
                _ => {}
            }
        }
        Some(ApprovedChange {
            reviewed: Arc::new(reviewed),
            standing: self.standing.clone(),
        })
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
    /// Admission could not be asked about the new pods of these, and replacing the old ones needs its own word.
    PodsNotChecked(Vec<ChangeId>),
}

/// What the user says besides "yes".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The separate confirmation that Prometheus's history is lost.
    pub lose_history: bool,
}

impl Review {
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
        let out: BTreeSet<WorkloadRef> = self
            .plan
            .changes
            .iter()
            .filter(|change| matches!(states.get(&change.id), Some(ItemState::LeftOut(_))))
            .filter_map(|change| change.item.clone())
            .collect();
        let changes: Vec<ApprovedChange> = self
            .plan
            .changes
            .iter()
            .filter(|change| states.get(&change.id).is_some_and(ItemState::is_written))
            .filter_map(|change| {
                let approved = ApprovedChange {
                    reviewed: Arc::clone(self.items.get(&change.id)?),
                    standing: self.standing(change, &states),
                };
                // What is left out is not waited for, and keeps its plaintext scrape.
                match change.part {
                    Part::PlaintextJobs
                        if approved.ends().iter().any(|item| out.contains(item)) =>
                    {
                        approved.fewer(|item| !out.contains(item))
                    }
                    _ => Some(approved),
                }
            })
            .collect();
        if changes.is_empty() {
            return Err(NotApprovable::NothingToDo);
        }
        let unchecked = self.unchecked(&states);
        if !(self.unchecked_pods || unchecked.is_empty()) {
            return Err(NotApprovable::PodsNotChecked(unchecked));
        }
        if !word.lose_history && !self.history_with(&states).is_empty() {
            return Err(NotApprovable::HistoryNotConfirmed);
        }
        Ok(Approved {
            context: self.context.clone(),
            run: self.run.clone(),
            respected: self.respected(&states),
            changes,
        })
    }

    /// The user's word that a lock is not for him holds for that place.
    fn respected(&self, states: &BTreeMap<ChangeId, ItemState>) -> Vec<String> {
        let decided = |place: &str| {
            let object = keeping::lock(place);
            let row = self.plan.changes.iter().find(|row| row.object == object);
            row.and_then(|row| states.get(&row.id))
                .is_some_and(|state| {
                    state.is_written() || *state == ItemState::LeftOut(LeftOut::ByUser)
                })
        };
        let places = keeping::places(&self.plan).into_iter();
        places
            .filter(|place| !decided(place))
            .map(str::to_owned)
            .collect()
    }

    /// Changes that would be written and replace pods, where nobody could ask whether admission takes new ones.
    /// Not those that take something back: it was there before.
    fn unchecked(&self, states: &BTreeMap<ChangeId, ItemState>) -> Vec<ChangeId> {
        let written = |change: &&Change| {
            let state = states.get(&change.id);
            change.part != Part::Undo && state.is_some_and(ItemState::is_written)
        };
        let unknown = |change: &&Change| {
            let reviewed = self.items.get(&change.id);
            reviewed.is_some_and(|of| matches!(of.pod, Some(PodVerdict::Unknown(_))))
        };
        let changes = self.plan.changes.iter().filter(written).filter(unknown);
        changes.map(|change| change.id.clone()).collect()
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
                let lasting = matches!(
                    wait,
                    Await::Operated(_) | Await::Rollout(_) | Await::ConfigLoaded { .. }
                );
                if lasting && !waits.contains(wait) {
                    waits.push(wait.clone());
                }
            }
        }
        waits
    }
}
