//! How a run ends: its last line, its undo, and what is told of it.

use super::*;
use crate::text::few;
use crate::words::say::engine as say;

impl Run {
    /// Before a plaintext scrape ends: only that of workloads whose secure targets are UP; the others keep theirs, and
    /// hold nobody back.
    ///
    /// # Errors
    /// Why nothing of the change is left.
    pub(super) async fn only_what_is_up(
        &mut self,
        around: &mut Around<'_>,
        at: usize,
        lacking: Option<String>,
    ) -> Result<(), String> {
        let approved = &self.changes[at];
        let ends = match approved.change().part {
            Part::PlaintextJobs => approved.ends(),
            _ => BTreeSet::new(),
        };
        if ends.is_empty() {
            return lacking.map_or(Ok(()), Err);
        }
        if lacking.is_none() {
            // Those that were not waited for too.
            around.watch.look().await;
        }
        let (up, others): (BTreeSet<_>, BTreeSet<_>) =
            ends.into_iter().partition(|item| around.watch.is_up(item));
        if others.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = others.iter().map(ToString::to_string).collect();
        let why = match lacking {
            Some(why) => say::not_up_why(&few(&names, 3), &why),
            None => say::not_up(&few(&names, 3)),
        };
        let fewer = approved.fewer(|item| up.contains(item));
        let fewer = fewer.ok_or_else(|| why.clone())?;
        around.log(say::plaintext_stays(&why));
        self.changes[at] = fewer;
        self.kept_plaintext.extend(others);
        Ok(())
    }

    pub(super) async fn end(
        &mut self,
        around: &mut Around<'_>,
        walked: Walked,
        options: &ApplyOptions,
    ) -> Ended {
        let wrote = self.fates.values().any(|fate| *fate == Fate::Written);
        let part_way = |error: Error| {
            let kind = if wrote {
                Kind::StoppedPartWay
            } else {
                error.kind
            };
            Ended::PartWay(Some(error.kind(kind)))
        };
        let ended = match walked {
            Walked::Stopped => Ended::PartWay(None),
            Walked::Failed(error) => part_way(error),
            Walked::ToTheEnd => match self.left_out_for.take() {
                Some(error) => part_way(error),
                None => Ended::Whole,
            },
            Walked::Undo(error) => self.undo(around, error).await,
        };
        if self.begun {
            for words in self.release(around, &ended, options).await {
                around.log(words);
            }
            let how = match &ended {
                Ended::Whole => "whole",
                Ended::PartWay(_) => "partWay",
                Ended::Undone => "undone",
            };
            around.record_end(&self.id, how);
            let counts = self.counts_as_undone && !options.undoes_part;
            if let (Some(run), Ended::Whole, true) = (&options.undoes, &ended, counts)
                && let Err(error) = settle::ended(around.session, run, "undone")
            {
                around.log(error.what);
            }
        }
        if let Some(keeper) = self.keeper.take() {
            // Refused before any write: then there is nothing to keep a record of.
            let nothing =
                !wrote && matches!(&ended, Ended::PartWay(Some(e)) if e.kind == Kind::Refused);
            let undone = ended == Ended::Undone;
            let kept = keeper.kept.clone();
            for words in keeper.end(nothing || undone).await {
                around.log(words);
            }
            // Lock and record of a run that was undone went with it.
            if undone {
                for id in &kept {
                    around.step(id, StepState::TakenBack("undone".into()));
                }
            } else if !nothing {
                self.kept = kept;
            }
        }
        ended
    }

    /// Gives up the fields of what was taken back: by an undo, or of this very run. What could not be, in words.
    async fn release(
        &self,
        around: &mut Around<'_>,
        ended: &Ended,
        options: &ApplyOptions,
    ) -> Vec<String> {
        let session = around.session;
        let homes = [around.target.id.namespace.clone()];
        let taken_back = self.fates.values().any(|fate| *fate == Fate::TakenBack);
        let own = match (&options.undoes, ended) {
            (Some(_), Ended::Whole) => false,
            (None, _) if taken_back => true,
            _ => return Vec::new(),
        };
        if let Err(lost) = around.guard.holds().await {
            return vec![lost.what];
        }
        let place = release::Place {
            session,
            homes: &homes,
            as_run: &self.id,
        };
        match &options.undoes {
            None if own => match session.journal.run(Some(&self.id)) {
                Ok(entries) => release::release(&place, &self.id, &entries).await,
                Err(error) => vec![error.what],
            },
            Some(run) if !self.undone.is_empty() => {
                release::release(&place, run, &self.undone).await
            }
            _ => release::of_changes(&place, &self.changes).await,
        }
    }

    async fn undo(&mut self, around: &mut Around<'_>, error: Error) -> Ended {
        let run = format!("{}-undo", self.id);
        let mut stand: BTreeMap<ObjectRef, Vec<ChangeId>> = BTreeMap::new();
        for change in self.changes.iter().map(ApprovedChange::change) {
            if self.fates.get(&change.id) == Some(&Fate::Written) {
                let of_object = stand.entry(change.object.clone()).or_default();
                of_object.push(change.id.clone());
            }
        }
        let mut gone = Vec::new();
        let back: &mut undo::Back<'_> = &mut |around, object| {
            for id in stand.remove(object).unwrap_or_default() {
                around.step(&id, StepState::TakenBack("undone".into()));
                gone.push(id);
            }
        };
        let taken_back = undo::take_back(around, &self.id, &run, None, back).await;
        for id in gone {
            self.fates.insert(id, Fate::TakenBack);
        }
        if let Err(failed) = taken_back {
            let what = match around.stopped() {
                true => say::UNDO_STOPPED,
                false => say::NOT_ALL_UNDONE,
            };
            let mut told = Error::new(what)
                .kind(Kind::StoppedPartWay)
                .cause(failed.what);
            told.causes.extend(failed.causes);
            told.causes.push(say::reason_for_the_undo(&error.what));
            told.hints = failed.hints;
            return Ended::PartWay(Some(told));
        }
        for change in &self.changes {
            let id = &change.change().id;
            if self.fates.get(id) == Some(&Fate::Written) {
                self.fates.insert(id.clone(), Fate::TakenBack);
                around.step(id, StepState::TakenBack(say::UNDONE.into()));
            }
        }
        Ended::Undone
    }

    /// The items of changes that came to one of these fates.
    pub(super) fn items(&self, fates: &[Fate]) -> BTreeSet<WorkloadRef> {
        let changes = self.changes.iter().map(ApprovedChange::change);
        changes
            .filter(|change| {
                self.fates
                    .get(&change.id)
                    .is_some_and(|f| fates.contains(f))
            })
            .filter_map(|change| change.item.clone())
            .collect()
    }

    pub(super) fn given_up_items(&self) -> impl Iterator<Item = WorkloadRef> {
        let changes = self.changes.iter().map(ApprovedChange::change);
        changes
            .filter(|change| self.given_up.contains(&change.id))
            .filter_map(|change| change.item.clone())
    }

    fn of(&self, fates: &[Option<Fate>]) -> Vec<ChangeId> {
        let ids = self.changes.iter().map(|change| &change.change().id);
        ids.filter(|id| fates.contains(&self.fates.get(*id).cloned()))
            .cloned()
            .collect()
    }

    pub(super) async fn outcome(
        &self,
        around: &mut Around<'_>,
        items: &[WorkloadRef],
        options: &ApplyOptions,
        ended: Ended,
    ) -> Outcome {
        let mut out = self.items(&[Fate::LeftOut]);
        out.extend(self.given_up_items());
        around.watch.leave_out(out.iter().cloned());
        let lost = self
            .fates
            .values()
            .any(|fate| matches!(fate, Fate::Held | Fate::TakenBack));
        let whole = ended == Ended::Whole;
        // After an undo nothing is to come UP.
        let forward = options.undoes.is_none();
        let old_jobs = self.changes.iter().filter(|change| {
            change.change().part == Part::PlaintextJobs
                && self.fates.get(&change.change().id) == Some(&Fate::Written)
        });
        // For those that keep their plaintext scrape all the time was waited already.
        let waited = !self.kept_plaintext.is_empty();
        let awaited = Awaited {
            items: Some(items.iter().filter(|i| !out.contains(i)).cloned().collect()),
            probe: options.probe,
            no_double: old_jobs.flat_map(ApprovedChange::ends).collect(),
        };
        let board = if items.is_empty() || self.fates.is_empty() {
            Arc::default()
        } else if whole
            && forward
            && !lost
            && !waited
            && !options.timeout.is_zero()
            && !options.unproven
        {
            around.log(say::CHECKING_THE_TARGETS);
            last_look(around, options.timeout, &awaited, true, |board| {
                awaited.is_met(board)
            })
            .await
        } else {
            last_look(around, Duration::ZERO, &awaited, false, |_| true).await
        };
        let counts = |item: &WorkloadRef| awaited.concerns(item);
        let rows = || {
            let wanted = |row: &&Arc<Row>| !row.left_out && counts(&row.expected.item);
            board.rows.iter().filter(wanted)
        };
        Outcome {
            written: [self.kept.clone(), self.of(&[Some(Fate::Written)])].concat(),
            unchanged: self.of(&[Some(Fate::Unchanged)]),
            not_written: self.of(&[None, Some(Fate::LeftOut), Some(Fate::Held)]),
            taken_back: self.of(&[Some(Fate::TakenBack)]),
            all_up: whole
                && !lost
                && (!forward || items.is_empty() || lacking(&board, &awaited).is_none()),
            plaintext_refused: refused(rows().map(|row| &row.probe)).filter(|_| options.probe),
            board,
            ended,
        }
    }
}

/// Looks at what stands, where nothing had to be written: as long as after any other apply, unless what is not UP
/// stays so for a cause that waiting does not take away. `cure`: a Prometheus whose certificates came late is reloaded.
pub async fn look(
    session: &Session,
    target: Arc<mesh::Prometheus>,
    watched: Vec<Watched>,
    options: &ApplyOptions,
    cure: bool,
    stop: tokio::sync::watch::Receiver<bool>,
    report: &(dyn Fn(ApplyEvent) + Send + Sync),
) -> Outcome {
    let mut around = Around {
        session,
        watch: Watch::new(session, Arc::clone(&target), watched, options.probe)
            .on(options.ground.clone())
            .beside(options.beside.clone()),
        target,
        up_within: options.timeout,
        rollout_within: options.rollout_timeout,
        stop,
        report,
        guard: Guard::default(),
    };
    let awaited = Awaited {
        probe: options.probe,
        ..Awaited::default()
    };
    let late = |board: &Board| board.replicas.iter().any(|of| !of.late.is_empty());
    let done = |board: &Board| awaited.is_settled(board) && !(cure && late(board));
    let board = last_look(&mut around, options.timeout, &awaited, cure, done).await;
    let counts = board.counts;
    let wanted = board.rows.iter().filter(|row| !row.left_out);
    Outcome {
        all_up: counts.all() > 0 && lacking(&board, &awaited).is_none(),
        plaintext_refused: refused(wanted.map(|row| &row.probe)).filter(|_| options.probe),
        board,
        ..Outcome::default()
    }
}

/// Was plaintext refused at every target? `None`: there is none, or not all were asked before the run ended.
fn refused<'a>(probes: impl Iterator<Item = &'a Probe>) -> Option<bool> {
    let mut all = None;
    for probe in probes {
        match probe {
            Probe::NotAsked => return None,
            Probe::Refused => all = all.or(Some(true)),
            Probe::Served | Probe::Unknown(_) | Probe::Unclear(_) => all = Some(false),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_is_not_called_served() {
        let refused = |probes: &[Probe]| super::refused(probes.iter());
        assert_eq!(refused(&[]), None);
        assert_eq!(refused(&[Probe::Refused, Probe::Refused]), Some(true));
        assert_eq!(refused(&[Probe::Refused, Probe::NotAsked]), None);
        assert_eq!(refused(&[Probe::Served, Probe::Refused]), Some(false));
        assert_eq!(refused(&[Probe::Unknown("403".into())]), Some(false));
    }
}
