//! Step 8: the writing, with its decisions.

use super::dialog;
use super::list::List;
use super::msg::Effect;
use super::refuse::{changes, counted};
use super::state::{Answer, ApplyRow, ApplyStep, DialogKind, LOG_LINES, ReviewStep, State, Step};
use crate::engine::event::{ApplyEvent, Decision, Ended, Outcome, StepState, WELL};
use crate::error::Error;
use crate::mesh::kinds::WorkloadRef;
use crate::plan::kubectl::quote;
use crate::plan::review::Approved;
use crate::plan::{ChangeId, Part};
use crate::targets::{self, Board, Lacking};
use crate::text::few;
use crate::words::say::wizard as say;
use std::sync::Arc;

impl State {
    pub(super) fn begin_apply(&mut self, approved: Approved) -> Vec<Effect> {
        let undoes = self.review.undoes.clone();
        let prometheus = match &self.review.undo_prometheus {
            Some(id) => Some(id.clone()),
            None => self.answers.prometheus.clone(),
        };
        let rows: Vec<ApplyRow> = approved
            .changes()
            .iter()
            .map(|approved| {
                let change = approved.change();
                ApplyRow {
                    id: change.id.clone(),
                    object: change.object.clone(),
                    part: change.part,
                    item: change.item.clone(),
                    why: crate::words::purpose(&change.purpose),
                    state: StepState::Pending,
                    written: false,
                }
            })
            .collect();
        let mut list = List::default();
        list.fit(self.viewport.list);
        let index = rows
            .iter()
            .enumerate()
            .map(|(at, row)| (row.id.clone(), at))
            .collect();
        list.rows = rows.into();
        let left_out = self.left_out();
        self.status.frozen = false;
        self.apply = ApplyStep {
            left_out: Arc::clone(&left_out),
            rows: list,
            index,
            running: true,
            undoing: undoes.is_some(),
            takes: undoes.clone().map(|run| {
                let from = self.review.undo_from;
                (run, from.filter(|step| *step != Step::Apply))
            }),
            run: Some(approved.run().0.clone()),
            older: self.review.undo_older.clone(),
            ..ApplyStep::default()
        };
        if self.apply.undoing {
            self.apply.turn_back();
        }
        self.enter(Step::Apply);
        self.reached = Step::Status;
        let unproven = undoes.is_none() && self.unproven().is_some();
        vec![Effect::Apply {
            approved,
            mesh: self.mesh.clone(),
            answers: Arc::new(self.effective()),
            prometheus,
            undoes,
            break_lock: self.start.break_lock || self.review.break_lock,
            left_out,
            unproven,
        }]
    }

    pub(super) fn apply_event(&mut self, event: ApplyEvent) -> Vec<Effect> {
        match event {
            ApplyEvent::Step { id, state } => {
                let Some(at) = self.apply.index.get(&id).copied() else {
                    return Vec::new();
                };
                let moves = !matches!(state, StepState::Pending | StepState::LeftOut);
                if let Some(row) = Arc::make_mut(&mut self.apply.rows.rows).get_mut(at) {
                    row.come(state);
                }
                // The list follows what is being done, unless the user looks at an earlier line.
                let follows = at >= self.apply.rows.cursor;
                if moves && follows && self.apply.running {
                    self.apply.rows.move_to(at);
                }
                Vec::new()
            }
            ApplyEvent::Log(line) => {
                self.log(line);
                Vec::new()
            }
            ApplyEvent::Targets { board, lacking } => {
                self.targets_in_words(&board, &lacking);
                self.apply.lacking = lacking;
                self.board_came(board);
                Vec::new()
            }
            // Comes as a message of its own, ready to be looked at.
            ApplyEvent::Again { .. } => Vec::new(),
            ApplyEvent::Stopped { id, error } => {
                self.log(say::log_stopped_at(&id.object(), &error.what));
                self.apply.stopped = Some((id, error));
                if self.quit_after {
                    return vec![Effect::Decide(Decision::Stop)];
                }
                self.dialog = self.stopped_dialog();
                Vec::new()
            }
            ApplyEvent::Finished(outcome) => self.finished(outcome),
        }
    }

    /// A line whenever the count of targets that are UP, or what the awaited ones lack, has changed.
    fn targets_in_words(&mut self, board: &Board, lacking: &Lacking) {
        let told = |board: &Board, lacking: &Lacking| {
            let counts = board.counts;
            let waits = first_lacking(lacking).and_then(|row| {
                let pod = &row.expected.pod;
                match &row.state {
                    targets::State::Waiting { on, replica } => {
                        let on = crate::words::waits(on, replica.as_deref());
                        Some(say::pod_waits(pod, &on))
                    }
                    targets::State::Unsettled { .. } => Some(say::pod_unsettled(pod)),
                    targets::State::Down { error, .. } => Some(say::pod_down(pod, error)),
                    _ => None,
                }
            });
            let up = match counts.all() {
                1 => say::one_target_up_over_mtls(counts.up),
                all => say::targets_up_over_mtls(counts.up, all),
            };
            let waits = waits.map_or_else(String::new, |waits| format!("; {waits}"));
            format!("{up}{waits}")
        };
        let (before, lacked) = (self.newest_board(), &self.apply.lacking);
        let same = before.counts == board.counts && said_alike(lacked, lacking);
        if !same && !board.rows.is_empty() {
            let at = self
                .now
                .map_or_else(String::new, |at| at.strftime("%H:%M:%S  ").to_string());
            self.log(format!("{at}{}", told(board, lacking)));
        }
    }

    fn log(&mut self, line: String) {
        if self.apply.log.len() == LOG_LINES {
            self.apply.log.pop_front();
        }
        self.apply.log.push_back(line);
    }

    fn finished(&mut self, outcome: Outcome) -> Vec<Effect> {
        let undoing = self.apply.undoing;
        if !outcome.board.rows.is_empty() {
            self.board_came(outcome.board.clone());
        }
        self.apply.lacking = Lacking::default();
        self.leave_out_what_was_given_up();
        self.apply.undoing |= outcome.ended == Ended::Undone;
        let mut lines = summary(&outcome, undoing);
        if let (Ended::Whole, Some(older)) = (&outcome.ended, self.apply.older.first()) {
            lines.push(say::older_run_stands(older));
        }
        self.apply.outcome = Some(outcome);
        self.apply.summary = lines;
        self.apply_over()
    }

    /// What the user left out in the course of the run is no target of his any more than what he left out before.
    fn leave_out_what_was_given_up(&mut self) {
        let rows = self.apply.rows.rows.iter();
        let given_up: Vec<WorkloadRef> = rows
            .filter(|row| row.state == StepState::LeftOut && !self.apply.undoing)
            .filter_map(|row| row.item.clone())
            .collect();
        if !given_up.is_empty() {
            Arc::make_mut(&mut self.apply.left_out).extend(given_up);
        }
    }

    pub(super) fn apply_failed(&mut self, error: Error) -> Vec<Effect> {
        self.apply.summary = vec![error.what.clone()];
        self.apply.error = Some(error);
        self.apply_over()
    }

    fn apply_over(&mut self) -> Vec<Effect> {
        self.apply.running = false;
        self.apply.stopping = false;
        self.apply.stopped = None;
        self.apply.fresh = true;
        self.dialog = None;
        // What was reviewed is written: a next review begins from what is live now.
        self.review.made_for = None;
        self.options.planned_for = None;
        if self.apply.takes.is_some() {
            // Its review is answered: confirmed once more it would find nothing, or less than it shows.
            self.review = ReviewStep::default();
            self.generations.review.advance();
        }
        if self.quit_after {
            return self.leave();
        }
        self.discover()
    }

    /// `s`, or Ctrl-C while something is written.
    pub(super) fn stop_apply(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !self.apply.stopping {
            self.apply.stopping = true;
            effects.push(Effect::StopApply);
        }
        if self.apply.stopped.take().is_some() {
            self.dialog = None;
            effects.push(Effect::Decide(Decision::Stop));
        }
        effects
    }

    pub(super) fn decide(&mut self, decision: Decision) -> Vec<Effect> {
        self.apply.again = None;
        match self.apply.stopped.take() {
            Some(_) => {
                if decision == Decision::Undo {
                    self.apply.turned = true;
                    self.apply.turn_back();
                }
                vec![Effect::Decide(decision)]
            }
            None => Vec::new(),
        }
    }

    /// Asked before a run that stopped is taken back whole: its keys are near those that only look.
    pub(super) fn undo_run_dialog(&self) -> super::state::Dialog {
        let rows = self.apply.rows.rows.iter();
        let stand: Vec<String> = rows
            .filter(|row| row.written)
            .map(|row| row.object.to_string())
            .collect();
        let mut lines = vec![
            format!("{}: {}.", changes(stand.len()), few(&stand, 6)),
            say::ALL_UNDONE_AT_ONCE.into(),
        ];
        lines.extend(self.history_cost());
        dialog::dialog(
            DialogKind::UndoRun,
            say::UNDO_EVERY_CHANGE,
            lines,
            vec![
                dialog::button(say::CANCEL, Answer::Cancel, false),
                dialog::button(say::UNDO_THE_RUN, Answer::Yes, true),
            ],
        )
    }

    pub(super) fn stopped_dialog(&self) -> Option<super::state::Dialog> {
        let (id, error) = self.apply.stopped.as_ref()?;
        let row = self
            .apply
            .index
            .get(id)
            .and_then(|at| self.apply.rows.rows.get(*at));
        let written = self
            .apply
            .rows
            .rows
            .iter()
            .filter(|row| row.written)
            .count();
        let back = self.apply.way_back();
        let again = self.apply.again.as_ref().filter(|again| again.id == *id);
        Some(dialog::stopped(
            row,
            id,
            error,
            written,
            back,
            self.costs_of_ways(back.is_some()),
            again,
        ))
    }

    /// What taking back a part, or the whole run, costs.
    fn costs_of_ways(&self, part: bool) -> Vec<String> {
        let rows = || self.apply.rows.rows.iter();
        let mut costs = Vec::new();
        // They wait until every target is UP.
        let old_jobs =
            |row: &ApplyRow| row.part == Part::PlaintextJobs && row.state == StepState::Pending;
        if part && rows().any(old_jobs) {
            costs.push(say::OLD_JOBS_COUNT_TWICE.into());
        }
        costs.extend(self.history_cost());
        costs
    }

    fn history_cost(&self) -> Option<String> {
        let loses = !self.review.review.as_ref()?.loses_history().is_empty();
        let mut rows = self.apply.rows.rows.iter();
        let restarts = rows.any(|row| row.part == Part::PrometheusPod && row.written);
        (loses && restarts).then(|| say::HISTORY_IS_LOST.into())
    }

    /// `u`: what can be taken back is read from the journal, then reviewed like any other plan.
    pub(super) fn ask_undo(&mut self) -> Vec<Effect> {
        let run = if self.step == Step::Cluster {
            let earlier = self.cluster.earlier.as_ref();
            earlier.map(|earlier| earlier.run.clone())
        } else if let (true, Some(older)) = (self.apply.undoing, self.apply.older.first()) {
            Some(older.clone())
        } else if self.step == Step::Apply || self.apply.outcome.is_some() {
            self.apply.run.clone()
        } else {
            None
        };
        self.start_undo(run)
    }

    /// The exit code: that of the command which ends so, by the newest look at the targets.
    pub fn exit_code(&self) -> u8 {
        let apply = &self.apply;
        let probe = !self.start.no_probe;
        match (&apply.outcome, &apply.error) {
            (Some(outcome), _) => {
                let mut outcome = outcome.clone();
                outcome.look_again(self.newest_board(), probe);
                outcome.exit_code(apply.takes.is_some(), probe)
            }
            (None, Some(error)) => error.kind.exit_code(),
            (None, None) => WELL,
        }
    }

    /// The commands that go on from here once the screen is gone, with the context where it is not the kubeconfig's
    /// own. Of the demo nothing is left.
    pub fn next_commands(&self) -> Vec<String> {
        let (Some(run), Some(outcome)) = (&self.apply.run, &self.apply.outcome) else {
            return Vec::new();
        };
        if self.start.demo || outcome.written.is_empty() {
            return Vec::new();
        }
        let contexts = self.cluster.contexts.as_ref();
        let own = contexts.and_then(|contexts| contexts.current.as_ref());
        let context = match self.cluster.context.as_ref() {
            Some(context) if Some(context) != own => format!(" --context {}", quote(context)),
            _ => String::new(),
        };
        let back = |run: &String| say::to_undo(&format!("meshscrape undo {run} --yes{context}"));
        if self.apply.undoing {
            let older = self.apply.older.first();
            return older.map(back).into_iter().collect();
        }
        let first = match outcome.ended {
            Ended::Whole => say::to_see_targets(&format!("meshscrape status{context}")),
            Ended::PartWay(_) => {
                say::to_resume(&format!("meshscrape apply --resume {run} --yes{context}"))
            }
            Ended::Undone => return Vec::new(),
        };
        vec![first, back(run)]
    }
}

/// How a run ended, in sentences.
pub fn summary(outcome: &Outcome, undoing: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let written = changes(outcome.written.len());
    match &outcome.ended {
        Ended::Whole if undoing => lines.push(say::run_undone(&written)),
        Ended::Whole if outcome.not_written.is_empty() && outcome.taken_back.is_empty() => {
            lines.push(say::all_applied(&written));
        }
        Ended::Whole => lines.push(say::others_skipped(&written)),
        Ended::Undone => lines.push(say::ALL_UNDONE.into()),
        Ended::PartWay(error) => {
            lines.push(say::interrupted(&written));
            if let Some(error) = error {
                lines.push(say::cause(&error.what));
            }
        }
    }
    if !outcome.unchanged.is_empty() {
        lines.push(counted(
            outcome.unchanged.len(),
            say::ONE_UP_TO_DATE,
            say::several_up_to_date,
        ));
    }
    let ids = |words: fn(&str) -> String, ids: &[ChangeId], lines: &mut Vec<String>| {
        if !ids.is_empty() {
            let names: Vec<String> = ids.iter().map(|id| id.object()).collect();
            lines.push(words(&few(&names, 8)));
        }
    };
    if !matches!(outcome.ended, Ended::Whole) {
        ids(say::applied, &outcome.written, &mut lines);
    }
    ids(say::not_applied, &outcome.not_written, &mut lines);
    ids(say::undone, &outcome.taken_back, &mut lines);
    let counts = outcome.board.counts;
    if counts.all() > 0 && !undoing {
        let plaintext = match outcome.plaintext_refused {
            Some(true) => say::PLAINTEXT_REFUSED,
            Some(false)
                if outcome
                    .board
                    .rows
                    .iter()
                    .any(|row| row.probe == targets::Probe::Served) =>
            {
                say::PLAINTEXT_SERVED
            }
            Some(false) | None => say::PLAINTEXT_NOT_CHECKED,
        };
        lines.push(match counts.all() {
            1 => say::one_target_is_up(counts.up, plaintext),
            all => say::targets_are_up(counts.up, all, plaintext),
        });
    }
    lines
}

/// The first that is waited for, and what for can be said.
fn first_lacking(of: &Lacking) -> Option<&Arc<targets::Row>> {
    let mut rows = of.rows.iter();
    rows.find(|row| {
        matches!(
            row.state,
            targets::State::Waiting { .. }
                | targets::State::Unsettled { .. }
                | targets::State::Down { .. }
        )
    })
}

/// Seconds that only count on are no news.
fn said_alike(one: &Lacking, other: &Lacking) -> bool {
    use targets::State as S;
    match (first_lacking(one), first_lacking(other)) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            one.expected.pod == other.expected.pod
                && match (&one.state, &other.state) {
                    (S::Waiting { on, .. }, S::Waiting { on: then, .. }) => on.is_like(then),
                    (S::Unsettled { .. }, S::Unsettled { .. }) => true,
                    (one, other) => one == other,
                }
        }
        _ => false,
    }
}
