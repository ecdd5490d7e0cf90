//! What the plan rests on, looked at again before it is written to: the workload of each item, and Prometheus.

use super::*;
use crate::cluster::ApiError;
use crate::engine::review;
use crate::mesh::kinds::Kind as Of;
use crate::words::say::engine as say;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// An answer that is older is asked for again.
const FRESH: Duration = Duration::from_secs(1);

/// A workload that was asked for before its turn.
pub(super) struct Ahead {
    item: WorkloadRef,
    asked: Instant,
    answer: JoinHandle<Result<Option<Value>, ApiError>>,
}

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
            Part::PrometheusPod | Part::ScrapeJob | Part::PlaintextJobs => {
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

    /// Asks for the workload of the next change while this one is written.
    pub(super) fn look_ahead(&mut self, around: &Around<'_>, at: usize) {
        let next = self.changes.get(at + 1).map(ApprovedChange::change);
        let Some(next) = next.filter(|next| !matches!(next.part, Part::Undo | Part::Journal))
        else {
            return;
        };
        let Some(item) = next.item.as_ref().filter(|item| !self.seen.contains(item)) else {
            return;
        };
        let object = item.object();
        if next.object == object || self.changes[at].change().item.as_ref() == Some(item) {
            return;
        }
        let cluster = around.session.cluster.clone();
        self.ahead = Some(Ahead {
            item: item.clone(),
            asked: Instant::now(),
            answer: tokio::spawn(async move { cluster.get(&object).await }),
        });
    }

    /// What was asked ahead for this item, if that is as good as asking now.
    async fn asked_ahead(&mut self, item: &WorkloadRef) -> Option<Result<Option<Value>, ApiError>> {
        let ahead = self.ahead.take()?;
        let fresh = ahead.item == *item && ahead.asked.elapsed() < FRESH;
        if fresh { ahead.answer.await.ok() } else { None }
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
        let answer = match self.asked_ahead(&item).await {
            Some(answer) => answer,
            None => around.session.cluster.get(&object).await,
        };
        let Ok(live) = answer else {
            return Ok(());
        };
        let known = self
            .changes
            .iter()
            .find(|other| other.change().object == object)
            .and_then(ApprovedChange::uid);
        let how = match &live {
            None => say::WAS_DELETED,
            Some(live) if !live["metadata"]["deletionTimestamp"].is_null() => say::IS_BEING_DELETED,
            Some(live) if known.is_some_and(|uid| live["metadata"]["uid"] != uid) => {
                say::WAS_RECREATED
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

    /// A policy whose listener is still to come in this run is read back right before that.
    pub(super) fn is_read_back_later(&self, at: usize) -> bool {
        let change = self.changes[at].change();
        change.part == Part::Policy
            && self.fates.get(&change.id) == Some(&Fate::Written)
            && self.changes[at + 1..]
                .iter()
                .map(ApprovedChange::change)
                .take_while(|next| next.item == change.item)
                .any(|next| next.part == Part::Listener && next.needs.contains(&change.id))
    }

    /// A listener is written only while its policies stand: those of this run as they were written, and also those
    /// that the review found unchanged. `false`: the user said stop.
    pub(super) async fn policies_stand(
        &mut self,
        around: &Around<'_>,
        listener: &Change,
    ) -> Result<bool, Error> {
        let (unread, others): (Vec<&ChangeId>, Vec<&ChangeId>) = listener
            .needs
            .iter()
            .partition(|need| self.unread.contains_key(*need));
        let written = unread.iter().filter_map(|id| {
            let at = self.places.get(*id)?;
            Some((self.changes[*at].reviewed(), self.unread[*id].as_ref()))
        });
        let mut stop = around.stop.clone();
        let session = around.session;
        tokio::select! {
            biased;
            () = stop_wanted(&mut stop) => return Ok(false),
            stand = async {
                let back = around.read_back(&listener.id, written.collect());
                let stand = stand(session, listener, &others);
                tokio::try_join!(back, stand)
            } => stand?,
        };
        let read: Vec<ChangeId> = unread.into_iter().cloned().collect();
        for id in read {
            self.unread.remove(&id);
        }
        Ok(true)
    }

    async fn prometheus_stands(around: &Around<'_>) -> Result<(), Error> {
        let object = around.target.id.object();
        let Ok(live) = around.session.cluster.get(&object).await else {
            return Ok(());
        };
        let moved = match &live {
            None => Some(say::WAS_DELETED.to_owned()),
            Some(live) => around.target.moved(live),
        };
        match moved {
            Some(how) => Err(changed(&object, &how)),
            None => Ok(()),
        }
    }

    /// A change falls with what it needs. What was written stands, though it failed afterwards: a policy
    /// that is there but could not be read back does not carry a listener either.
    pub(super) fn falls(&mut self, around: &Around<'_>, change: &ApprovedChange) -> bool {
        let change = change.change();
        let lost = change.needs.iter().filter(|need| {
            self.given_up.contains(need)
                || matches!(
                    self.fates.get(need),
                    Some(Fate::LeftOut | Fate::Held | Fate::TakenBack)
                )
        });
        let Some(first) = lost.filter_map(|need| self.places.get(need)).min() else {
            return false;
        };
        let lost = self.changes[*first].change();
        let (fate, state) = match self.fates.get(&lost.id) {
            Some(Fate::Held | Fate::TakenBack) => (
                Fate::Held,
                StepState::Held(say::depends_on_what_is_missing(&title(lost))),
            ),
            _ => (Fate::LeftOut, StepState::LeftOut),
        };
        around.step(&change.id, state);
        self.fates.insert(change.id.clone(), fate);
        true
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
    /// rest is not written. A pod is replaced all the time: then only its own annotation is not written.
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
    Error::refused(say::changed_since_the_review(object))
        .cause(how)
        .hint(say::REVIEW_AGAIN_FOR_THE_STATE)
}

/// Do the policies stand that these of a listener's needs write?
async fn stand(session: &Session, listener: &Change, needs: &[&ChangeId]) -> Result<(), Error> {
    let policies = needs.iter().filter_map(|need| policy_of(need));
    let all = policies.map(|policy| async move {
        match session.cluster.get(&policy).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(
                Error::refused(say::policy_is_gone(&listener.object, &policy))
                    .cause(say::UNPROTECTED_WITHOUT_THE_POLICY)
                    .hint(say::REVIEW_AGAIN_FOR_THE_POLICY),
            ),
            Err(error) => Err(steps::not_written(&listener.object, &error)),
        }
    });
    futures::future::try_join_all(all).await.map(drop)
}

/// The policy that a change of this id writes; `None`: it writes something else.
fn policy_of(id: &ChangeId) -> Option<ObjectRef> {
    let (object, _) = id.0.split_once('#')?;
    let [kind, namespace, name] = object.split('/').collect::<Vec<_>>()[..] else {
        return None;
    };
    let kinds = [Of::PeerAuthentication, Of::AuthorizationPolicy];
    let kind = kinds.into_iter().find(|known| known.name() == kind)?;
    Some(ObjectRef::new(kind, namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_known_by_the_id_of_its_change() {
        let policy = ObjectRef::new(Of::AuthorizationPolicy, "shop", "meshscrape-cart");
        assert_eq!(
            policy_of(&ChangeId::new(&policy, Part::Policy)),
            Some(policy)
        );
        let listener = ObjectRef::new(Of::Sidecar, "shop", "meshscrape-cart");
        assert_eq!(policy_of(&ChangeId::new(&listener, Part::Listener)), None);
    }
}
