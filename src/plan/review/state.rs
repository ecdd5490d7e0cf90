//! What comes of each change: the server's verdict, the user's word, and what it hangs on.

use super::{PodVerdict, Review, RunId, Verdict};
use crate::mesh::kinds::WorkloadRef;
use crate::plan::{Action, Change, ChangeId, Part, Plan};
use crate::words;
use std::collections::{BTreeMap, BTreeSet};

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
    /// On this change, which is left out, refused or in conflict; or it is of use only with this one, which
    /// is left out.
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

/// A row of the run's own: its lock or its record.
pub(super) fn is_kept(change: &Change) -> bool {
    change.part == Part::Journal && matches!(change.action, Action::Apply { .. })
}

/// What of a plan is not written where the user skips these: they, and what depends on them.
pub fn skipped(plan: &Plan, by_user: impl IntoIterator<Item = ChangeId>) -> BTreeSet<ChangeId> {
    let mut review = Review::new(String::new(), RunId(String::new()), plan.clone());
    review.left_out.extend(by_user);
    let states = review.states().into_iter();
    states
        .filter(|(_, state)| matches!(state, ItemState::LeftOut(_)))
        .map(|(id, _)| id)
        .collect()
}

impl Review {
    /// Workloads and gateways of which something is left out and nothing is written.
    pub fn items_left_out(&self) -> BTreeSet<WorkloadRef> {
        self.items_left_out_of(&self.states())
    }

    /// The same, where the states are known.
    pub fn items_left_out_of(
        &self,
        states: &BTreeMap<ChangeId, ItemState>,
    ) -> BTreeSet<WorkloadRef> {
        let (mut out, mut written) = (BTreeSet::new(), BTreeSet::new());
        for change in &self.plan.changes {
            let Some(item) = &change.item else { continue };
            match states.get(&change.id) {
                Some(ItemState::LeftOut(_)) => out.insert(item.clone()),
                Some(ItemState::Unchanged) => false,
                _ => written.insert(item.clone()),
            };
        }
        &out - &written
    }

    /// The state of every change. Work grows with the plan: not per frame.
    pub fn states(&self) -> BTreeMap<ChangeId, ItemState> {
        let changes: BTreeMap<&ChangeId, &Change> = self
            .plan
            .changes
            .iter()
            .map(|change| (&change.id, change))
            .collect();
        let mut unused = BTreeMap::new();
        let mut states = loop {
            let mut states = BTreeMap::new();
            for change in &self.plan.changes {
                self.resolve(change, &changes, &unused, &mut states, &mut BTreeSet::new());
            }
            let more = self.unused(&states);
            let before = unused.len();
            unused.extend(more);
            if unused.len() == before {
                break states;
            }
        };
        self.nothing_to_keep(&mut states);
        states
    }

    /// What would be written though all that it is for is left out by the user, with the first of these. What
    /// stops is no such case: it keeps the whole from being written, and says why at its own place.
    fn unused(&self, states: &BTreeMap<ChangeId, ItemState>) -> Vec<(ChangeId, ChangeId)> {
        let out = |id: &ChangeId| self.let_go(id, states);
        let serves = self.plan.serves.iter();
        serves
            .filter(|(id, _)| states.get(id).is_some_and(ItemState::may_be_written))
            .filter(|(_, of)| of.iter().all(out))
            .filter_map(|(id, of)| Some((id.clone(), of.first()?.clone())))
            .collect()
    }

    /// Left out by the user, or with what was.
    fn let_go<'a>(&self, mut id: &'a ChangeId, states: &'a BTreeMap<ChangeId, ItemState>) -> bool {
        // One step a change at most, whatever hangs on what.
        for _ in &self.plan.changes {
            match states.get(id) {
                Some(ItemState::LeftOut(LeftOut::ByUser)) => return true,
                Some(ItemState::LeftOut(LeftOut::HangsOn(of))) => id = of,
                _ => return false,
            }
        }
        false
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
        if writes {
            return;
        }
        let out = |change: &&Change| {
            let state = states.get(&change.id);
            !keeps(change) && matches!(state, Some(ItemState::LeftOut(_)))
        };
        let state = match self.plan.changes.iter().find(out) {
            Some(change) => ItemState::LeftOut(LeftOut::HangsOn(change.id.clone())),
            None => ItemState::Unchanged,
        };
        for change in self.plan.changes.iter().filter(keeps) {
            states.insert(change.id.clone(), state.clone());
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
        unused: &BTreeMap<ChangeId, ChangeId>,
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
        } else if let Some(of) = unused.get(&change.id) {
            ItemState::LeftOut(LeftOut::HangsOn(of.clone()))
        } else {
            let fallen = change.needs.iter().find(|need| {
                changes.get(need).is_some_and(|need| {
                    let state = self.resolve(need, changes, unused, states, open);
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
        if let Some(PodVerdict::Forbidden(why) | PodVerdict::Unfit(why)) = &reviewed.pod {
            return ItemState::Refused(words::reason(why));
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
}
