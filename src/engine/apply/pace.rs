//! How fast workloads restart, and what is taken back of one of them.

use super::*;
use crate::words::say::engine as say;

impl Run {
    /// With the pace `all`, is this a change that is written while earlier rollouts still go on?
    ///
    /// Whatever rests on annotated pods (the old jobs) waits for them; so does an undo's way from one kind to
    /// the next, since listeners must not go before the annotations that lead to them.
    pub(super) fn may_overtake(&self, around: &Around<'_>, at: usize) -> bool {
        let change = self.changes[at].change();
        let rolls = change
            .then
            .iter()
            .any(|what| matches!(what, Await::Rollout(_)));
        let others = change.object != around.target.pod_object();
        match change.part {
            Part::Annotation | Part::Injection => true,
            Part::Undo => rolls && others,
            Part::Policy | Part::Listener | Part::Route => true,
            _ => false,
        }
    }

    /// Only waits for pods may come later; a policy is read back before its listener is written.
    pub(super) fn waits_later(change: &Change, defer: bool) -> bool {
        defer
            && change
                .then
                .iter()
                .any(|what| matches!(what, Await::Rollout(_)))
    }

    /// Awaits the rollouts that were put off.
    pub(super) async fn catch_up(
        &mut self,
        around: &mut Around<'_>,
        later: &mut Vec<usize>,
    ) -> Option<Walked> {
        for at in std::mem::take(later) {
            if let Some(end) = self.through(around, at, false).await {
                return Some(end);
            }
        }
        None
    }

    /// What is awaited after a change: its own waits, and for a canary its targets too.
    pub(super) fn awaited(&self, at: usize) -> Vec<Await> {
        let change = self.changes[at].change();
        let mut awaited = change.then.clone();
        let annotations =
            |change: &Change| matches!(change.part, Part::Annotation | Part::Injection);
        let Some(item) = &change.item else {
            return awaited;
        };
        if self.pace != Pace::Canary || !annotations(change) {
            return awaited;
        }
        let last = !self.changes[at + 1..]
            .iter()
            .any(|c| annotations(c.change()) && c.change().item.as_ref() == Some(item));
        let asked = awaited
            .iter()
            .any(|what| matches!(what, Await::TargetsUp(_)));
        if last && !asked {
            awaited.push(Await::TargetsUp(vec![item.clone()]));
        }
        awaited
    }

    /// Takes back what this run wrote for the item of a change that failed; the others go on.
    pub(super) async fn take_back_item(
        &mut self,
        around: &mut Around<'_>,
        change: &Change,
        error: &Error,
    ) -> Result<(), Error> {
        let of: BTreeSet<ChangeId> = self
            .changes
            .iter()
            .map(ApprovedChange::change)
            .filter(|other| {
                other.id == change.id || (change.item.is_some() && other.item == change.item)
            })
            .filter(|other| self.fates.get(&other.id) == Some(&Fate::Written))
            .map(|other| other.id.clone())
            .collect();
        let why = error.what.clone();
        if !of.is_empty() {
            self.take_back(around, change, &of, why.clone()).await?;
        }
        if !of.contains(&change.id) {
            self.fates.insert(change.id.clone(), Fate::TakenBack);
            around.step(&change.id, StepState::TakenBack(why));
        }
        Ok(())
    }

    /// A failure's words, with the way to take back just the workload it is about; of an undo, with the way on.
    pub(super) fn with_way_back(&self, change: &Change, error: Error) -> Error {
        match (&change.item, &self.undoes) {
            (_, Some(run)) if self.decisions.is_none() => error.hint(say::resume_the_undo(run)),
            (Some(item), _)
                if self.decisions.is_none() && self.items(&[Fate::Written]).contains(item) =>
            {
                error.hint(say::undo_this_workload_only(&self.id, &item))
            }
            _ => error,
        }
    }
}
