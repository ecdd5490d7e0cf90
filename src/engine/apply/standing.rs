//! What the plan rests on, looked at again before it is written to: the workload of each item, and Prometheus.

use super::*;
use crate::engine::review;
use crate::mesh::kinds::Kind as Of;

impl Run {
    /// Before an item's first write: does its workload still stand? Before each of Prometheus's own: is it the
    /// one that was reviewed? An undo takes back what is there, whatever became of the rest.
    pub(super) async fn stands(
        &mut self,
        around: &Around<'_>,
        approved: &ApprovedChange,
    ) -> Result<(), Failure> {
        let change = approved.change();
        match change.part {
            Part::Undo | Part::Journal => Ok(()),
            Part::PrometheusPod | Part::ScrapeJob | Part::OldJobs => {
                Run::prometheus_stands(around).await.map_err(Failure::from)
            }
            _ => match &change.item {
                Some(item) if !self.seen.contains(item) => {
                    self.item_stands(around, item.clone(), change).await
                }
                _ => Ok(()),
            },
        }
    }

    async fn item_stands(
        &mut self,
        around: &Around<'_>,
        item: WorkloadRef,
        change: &Change,
    ) -> Result<(), Failure> {
        let object = item.object();
        // A change of the workload itself is compared with it anyway.
        if change.object == object {
            return Ok(());
        }
        // Who may not read it cannot be told; the writes themselves will.
        let Ok(live) = around.session.cluster.get(&object).await else {
            return Ok(());
        };
        let known = self
            .changes
            .iter()
            .find(|other| other.change().object == object)
            .and_then(ApprovedChange::uid);
        let how = match &live {
            None => "it was deleted",
            Some(live) if !live["metadata"]["deletionTimestamp"].is_null() => "it is being deleted",
            Some(live) if known.is_some_and(|uid| live["metadata"]["uid"] != uid) => {
                "it was deleted and made anew"
            }
            Some(_) => {
                self.seen.insert(item);
                return Ok(());
            }
        };
        Err(Failure {
            why: Why::Gone,
            ..changed(&object, how).into()
        })
    }

    async fn prometheus_stands(around: &Around<'_>) -> Result<(), Error> {
        let object = around.target.id.object();
        let Ok(live) = around.session.cluster.get(&object).await else {
            return Ok(());
        };
        let moved = match &live {
            None => Some("it was deleted".to_owned()),
            Some(live) => around.target.moved(live),
        };
        match moved {
            Some(how) => Err(changed(&object, &how)),
            None => Ok(()),
        }
    }

    /// Without its workload an item's changes are of no use, and the others go on; without Prometheus, none are.
    pub(super) fn may_fall_alone(&self, around: &Around<'_>, change: &Change) -> bool {
        let part = !matches!(change.part, Part::Undo | Part::Journal);
        part && change
            .item
            .as_ref()
            .is_some_and(|item| *item != around.target.id)
    }

    /// Lets an item go whose workload, or namespace, went away: what this run wrote for it is taken back, the
    /// rest is not written. A pod is replaced all the time: then only its own mark is not written.
    pub(super) async fn let_go(
        &mut self,
        around: &mut Around<'_>,
        change: &Change,
        error: &Error,
    ) -> Result<(), Error> {
        let why = match error.causes.first() {
            Some(cause) => format!("{}: {cause}", error.what),
            None => error.what.clone(),
        };
        around.log(&why);
        if let (Some(item), true) = (&change.item, change.object.kind != Of::Pod) {
            self.gone.insert(item.clone(), why.clone());
            let of: BTreeSet<ChangeId> = self
                .changes
                .iter()
                .map(ApprovedChange::change)
                .filter(|other| other.item.as_ref() == Some(item))
                .filter(|other| self.fates.get(&other.id) == Some(&Fate::Written))
                .map(|other| other.id.clone())
                .collect();
            if !of.is_empty() {
                self.take_back(around, change, &of, why.clone()).await?;
            }
        }
        around.step(&change.id, StepState::Held(why));
        self.settle(around, &change.id, Fate::Held);
        Ok(())
    }

    /// A change of an item that was let go.
    pub(super) fn went(&mut self, around: &Around<'_>, change: &Change) -> bool {
        let why = change.item.as_ref().and_then(|item| self.gone.get(item));
        let Some(why) = why.cloned() else {
            return false;
        };
        around.step(&change.id, StepState::Held(why));
        self.settle(around, &change.id, Fate::Held);
        true
    }

    /// Where there is somebody to ask: the change as it would be on the object as it is now.
    pub(super) async fn shown_again(
        &self,
        around: &Around<'_>,
        approved: &ApprovedChange,
        failure: &Failure,
    ) -> Option<ApprovedChange> {
        if failure.why != Why::Moved || failure.written || self.decisions.is_none() {
            return None;
        }
        let change = approved.change();
        let now = review::again(&around.session.cluster, change, &self.id).await?;
        let item = Arc::new(now);
        let again = approved.again(Arc::clone(&item));
        (around.report)(ApplyEvent::Again {
            id: change.id.clone(),
            item,
            may: again.is_some(),
        });
        again
    }
}

fn changed(object: &crate::mesh::kinds::ObjectRef, how: &str) -> Error {
    Error::refused(format!("{object} changed since the review"))
        .cause(how)
        .hint("review again: the new state is then shown before anything is written")
}
