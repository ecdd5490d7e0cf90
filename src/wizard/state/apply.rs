//! What the apply step knows: a row for each change, its log, and how it ended.

use super::*;

/// One line of the apply.
#[derive(Clone, Debug, PartialEq)]
pub struct ApplyRow {
    pub id: ChangeId,
    pub object: ObjectRef,
    pub part: Part,
    /// The workload or gateway that it is for.
    pub item: Option<WorkloadRef>,
    pub why: String,
    pub state: StepState,
    /// It has reached the cluster and stands there, whatever went wrong afterwards.
    pub written: bool,
}

impl ApplyRow {
    /// Takes over how far the change has come.
    pub fn come(&mut self, state: StepState) {
        self.written = match &state {
            // What waits after its write is written; before it nothing is.
            StepState::Waiting { .. } => {
                self.written || matches!(self.state, StepState::Writing | StepState::Rollout { .. })
            }
            StepState::Rollout { .. } | StepState::Done => true,
            StepState::Unchanged | StepState::TakenBack(_) | StepState::Held(_) => false,
            StepState::Pending | StepState::Writing | StepState::Failed(_) | StepState::LeftOut => {
                self.written
            }
        };
        self.state = state;
    }

    /// Something is being done about it.
    pub fn under_way(&self) -> bool {
        matches!(
            self.state,
            StepState::Waiting { .. } | StepState::Writing | StepState::Rollout { .. }
        )
    }
}

/// A change whose object is not as it was reviewed, made anew.
#[derive(Clone, Debug, PartialEq)]
pub struct Again {
    pub id: ChangeId,
    pub view: Arc<ChangeView>,
    /// It can be written so.
    pub may: bool,
}

/// Lines of the apply's log that are kept.
pub const LOG_LINES: usize = 500;

#[derive(Clone, Debug, Default)]
pub struct ApplyStep {
    pub rows: List<ApplyRow>,
    pub index: HashMap<ChangeId, usize>,
    pub log: VecDeque<String>,
    pub running: bool,
    /// The user asked it to stop; it ends after the write under way.
    pub stopping: bool,
    /// It takes back what a run wrote.
    pub undoing: bool,
    /// The run that was to be taken back from the first, and the step in which that was asked for.
    pub takes: Option<(String, Option<Step>)>,
    /// By the user's decision the run under way takes back what it wrote itself.
    pub turned: bool,
    /// While something is taken back: the rows of each workload and gateway that lose something.
    pub losing: BTreeMap<WorkloadRef, Vec<usize>>,
    /// What was approved has been written and the cluster is to be read anew.
    pub fresh: bool,
    /// A change failed; apply waits for a decision.
    pub stopped: Option<(ChangeId, Error)>,
    /// The change that it stopped at, as it would be on the object as it is now.
    pub again: Option<Again>,
    pub outcome: Option<Outcome>,
    /// How it ended, in sentences.
    pub summary: Vec<String>,
    pub error: Option<Error>,
    /// The run's id, for `undo`.
    pub run: Option<String>,
    /// Of an undo: runs that stand after it all the same, newest first.
    pub older: Vec<String>,
    /// The targets that are waited for, as far as they lack something.
    pub lacking: Lacking,
    /// Workloads and gateways that were left out, before it or in its course.
    pub left_out: Arc<BTreeSet<WorkloadRef>>,
    /// The first tick after it began.
    pub began: Option<Timestamp>,
}

/// How far the way back of one workload or gateway has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayBack {
    Ahead,
    Now,
    Done,
}

impl ApplyStep {
    /// A run was taken back to its end.
    pub fn was_taken_back(&self) -> bool {
        let whole = |outcome: &Outcome| outcome.ended == Ended::Whole;
        self.undoing && !self.running && self.outcome.as_ref().is_some_and(whole)
    }

    /// How many changes a run of this sitting left standing at its end.
    pub fn standing(&self) -> usize {
        match &self.outcome {
            Some(outcome) if !self.undoing && outcome.ended != Ended::Undone => {
                outcome.written.len()
            }
            _ => 0,
        }
    }

    /// What was written is being taken back just now.
    pub fn takes_back(&self) -> bool {
        self.running && (self.undoing || self.turned)
    }

    /// Remembers which rows lose something; for [`ApplyStep::way_back_of`].
    pub fn turn_back(&mut self) {
        self.losing.clear();
        for (at, row) in self.rows.rows.iter().enumerate() {
            if let (Some(item), true) = (&row.item, self.undoing || row.written) {
                self.losing.entry(item.clone()).or_default().push(at);
            }
        }
    }

    /// Of a workload or gateway that something is taken back from just now; of others `None`.
    pub fn way_back_of(&self, item: &WorkloadRef) -> Option<WayBack> {
        let rows = self.losing.get(item).filter(|_| self.takes_back())?;
        let rows = || rows.iter().filter_map(|at| self.rows.rows.get(*at));
        let back = |row: &ApplyRow| match self.undoing {
            true => row.state != StepState::Pending && !row.under_way(),
            false => matches!(row.state, StepState::TakenBack(_)),
        };
        Some(if rows().all(back) {
            WayBack::Done
        } else if rows().any(|row| back(row) || row.under_way()) {
            WayBack::Now
        } else {
            WayBack::Ahead
        })
    }

    /// (rows that lose something and have lost it, all that do), while something is taken back.
    fn turned_progress(&self) -> (usize, usize) {
        let of_run = |row: &&ApplyRow| row.written || matches!(row.state, StepState::TakenBack(_));
        let back = |row: &&ApplyRow| matches!(row.state, StepState::TakenBack(_));
        let rows = || self.rows.rows.iter();
        (rows().filter(back).count(), rows().filter(of_run).count())
    }

    /// The workload or gateway of the change that failed, with the number of changes of this run that stand
    /// for it and can be taken back without the others. `None`: there are none.
    pub fn way_back(&self) -> Option<(&WorkloadRef, usize)> {
        let (id, _) = self.stopped.as_ref()?;
        let row = self.rows.rows.get(*self.index.get(id)?)?;
        // Prometheus serves every workload: without it none of them is of use.
        if matches!(row.part, Part::PrometheusPod | Part::ScrapeJob) {
            return None;
        }
        let item = row.item.as_ref()?;
        let of_item = |row: &&ApplyRow| row.written && row.item.as_ref() == Some(item);
        let stand = self.rows.rows.iter().filter(of_item).count();
        (!self.undoing && stand > 0).then_some((item, stand))
    }

    /// (steps that are finished, all). Once it is over, only what stands as approved counts.
    pub fn progress(&self) -> (usize, usize) {
        if self.turned && self.running {
            return self.turned_progress();
        }
        // Once it is over the figures are those of the words about its end.
        if let (Some(outcome), false) = (&self.outcome, self.running) {
            let stand = outcome.written.len() + outcome.unchanged.len();
            return match outcome.ended {
                Ended::Undone => (outcome.taken_back.len(), stand + outcome.taken_back.len()),
                _ => (stand.min(self.rows.rows.len()), self.rows.rows.len()),
            };
        }
        let over = !self.running && !self.undoing;
        let done = self.rows.rows.iter().filter(|r| {
            let stands = matches!(r.state, StepState::Done | StepState::Unchanged);
            match over {
                true => stands,
                false => r.state != StepState::Pending && !r.under_way(),
            }
        });
        (done.count(), self.rows.rows.len())
    }

    /// What an apply that went to its end still lacks: changes that were held back, targets that are not UP.
    pub fn lacks(&self) -> Option<String> {
        let outcome = self.outcome.as_ref()?;
        if self.undoing || outcome.ended != Ended::Whole {
            return None;
        }
        let stand = outcome.written.len() + outcome.unchanged.len();
        let lost = outcome.not_written.len() + outcome.taken_back.len();
        if outcome.all_up && lost == 0 {
            return None;
        }
        let mut parts = Vec::new();
        if lost > 0 {
            parts.push(say::applied_of(stand, stand + lost));
            let why = |wanted: fn(&StepState) -> Option<&String>| {
                self.rows.rows.iter().find_map(|row| wanted(&row.state))
            };
            let said = |what: String, why: Option<&String>| match why {
                Some(why) => format!("{what}: {why}"),
                None => what,
            };
            if !outcome.not_written.is_empty() {
                let held = why(|state| match state {
                    StepState::Held(why) => Some(why),
                    _ => None,
                });
                let number = outcome.not_written.len();
                let what = match held {
                    Some(_) => say::held_back(number),
                    None => say::left_out(number),
                };
                parts.push(said(what, held));
            }
            if !outcome.taken_back.is_empty() {
                let back = why(|state| match state {
                    StepState::TakenBack(why) => Some(why),
                    _ => None,
                });
                parts.push(said(say::taken_back(outcome.taken_back.len()), back));
            }
        }
        let counts = outcome.board.counts;
        if !outcome.all_up {
            parts.push(match counts.all() {
                0 => say::TARGETS_NOT_VERIFIED.to_owned(),
                1 => say::one_target_up(counts.up),
                all => say::targets_up(counts.up, all),
            });
        }
        Some(parts.join("; "))
    }
}
