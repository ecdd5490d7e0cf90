//! The writes themselves, one by one; under "all at once" the two policies of an item together.

use super::*;

impl Run {
    /// Writes one change; what the server answered.
    pub(super) async fn send(
        &mut self,
        around: &mut Around<'_>,
        at: usize,
    ) -> Result<Option<Value>, Failure> {
        let approved = self.changes[at].clone();
        let first = self.begin_write(around, &approved);
        let Some(twin) = self.twin(at) else {
            let wrote = first.await;
            return self.wrote(around, approved.change(), wrote);
        };
        let twin = self.changes[twin].clone();
        let second = self.begin_write(around, &twin);
        let (first, second) = tokio::join!(first, second);
        match self.wrote(around, twin.change(), second) {
            Ok(_) => {
                if let Some(fate) = self.fates.get(&twin.change().id).cloned() {
                    self.settle(around, &twin.change().id, fate);
                }
            }
            // Its own turn is next.
            Err(failure) => {
                self.early.insert(twin.change().id.clone(), failure);
            }
        }
        self.wrote(around, approved.change(), first)
    }

    /// The other policy of the same item, where neither waits for the other and the user said all at once.
    fn twin(&self, at: usize) -> Option<usize> {
        let (change, next) = (self.changes[at].change(), self.changes.get(at + 1)?);
        let other = next.change();
        let alike = self.pace == Pace::All
            && [change, other].iter().all(|of| of.part == Part::Policy)
            && change.item.is_some()
            && change.item == other.item
            && change.object != other.object;
        let free = next.before().is_empty()
            && other.needs.is_empty()
            && !self.fates.contains_key(&other.id)
            && !self.given_up.contains(&other.id);
        (alike && free).then_some(at + 1)
    }

    fn begin_write(
        &mut self,
        around: &Around<'_>,
        approved: &ApprovedChange,
    ) -> impl Future<Output = Result<Wrote, Failure>> + use<> {
        let change = approved.change();
        around.step(&change.id, StepState::Writing);
        let seq = self.seq;
        self.seq += 1;
        let moved = !self.sent.insert(change.object.clone());
        let (session, run, approved) = (around.session.clone(), self.id.clone(), approved.clone());
        async move { steps::write(&session, &run, seq, &approved, moved).await }
    }

    /// Takes down what became of a write.
    fn wrote(
        &mut self,
        around: &mut Around<'_>,
        change: &Change,
        wrote: Result<Wrote, Failure>,
    ) -> Result<Option<Value>, Failure> {
        match wrote {
            Ok(Wrote::Yes(answer)) => {
                let title = title(change);
                around.log(match (&change.action, change.part) {
                    (Action::Delete { .. }, _) => say::is_deleted(&title),
                    (_, Part::Undo) => say::is_reverted(&title),
                    _ => say::is_written(&title),
                });
                around.touched(change);
                self.fates.insert(change.id.clone(), Fate::Written);
                Ok(answer)
            }
            Ok(Wrote::Already) => {
                self.fates.insert(change.id.clone(), Fate::Unchanged);
                Ok(None)
            }
            Err(failure) => {
                if failure.written {
                    self.fates.insert(change.id.clone(), Fate::Written);
                    around.touched(change);
                }
                Err(failure)
            }
        }
    }
}
