//! Step 7: every change beside what the server says of it; what is left out, what is taken, the approval.

pub(super) mod rows;

use super::list::List;
use super::msg::{Effect, Generation};
use super::refuse::{changes, counted};
use super::state::{
    Notice, Planned, ReviewCounts, ReviewMode, ReviewRow, ReviewStep, Sign, Standing, State, Step,
    Tone, UndoPlan,
};
use super::update::error_notice;
use crate::answers::Answers;
use crate::error::Error;
use crate::mesh::kinds::Kind;
use crate::plan::review::{
    Hands, ItemState, LeftOut, NotApprovable, PodVerdict, Review, Reviewed, Verdict, Word,
};
use crate::plan::upstream::owner;
use crate::plan::{Change, ChangeId, Impact};
use crate::problems::Severity;
use crate::words::say::wizard as say;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A plan up to this size is judged anew at every answer; a larger one now and then.
const SMALL: usize = 300;

impl State {
    pub(super) fn begin_review(
        &mut self,
        planned: Planned,
        made_for: Option<Arc<Answers>>,
        undoes: Option<UndoPlan>,
    ) -> Vec<Effect> {
        let Planned { plan, notes, .. } = planned;
        let mut rows = List::default();
        rows.fit(self.viewport.list);
        let undo = undoes.is_some();
        let of = undoes.unwrap_or_default();
        self.review = ReviewStep {
            rows,
            made_for,
            undoes: undo.then_some(of.run),
            undo_prometheus: of.prometheus,
            undo_older: of.older,
            notes,
            asks: of.asks,
            unproven: of.unproven,
            mode: self.review.mode,
            diff_height: self.viewport.diff,
            ..ReviewStep::default()
        };
        // An undo begins with nothing left out: the words about the choices' plan are not about it.
        let mut answers = self.effective();
        if undo {
            answers.leave_out.clear();
        }
        vec![Effect::Review {
            generation: self.generations.review.advance(),
            plan,
            answers: Arc::new(answers),
        }]
    }

    pub(super) fn review_opened(&mut self, of: Generation, review: Review) -> Vec<Effect> {
        if of != self.generations.review {
            return Vec::new();
        }
        self.review.review = Some(review);
        self.judge();
        Vec::new()
    }

    pub(super) fn reviewed(
        &mut self,
        of: Generation,
        item: Arc<Reviewed>,
        added: usize,
        removed: usize,
    ) -> Vec<Effect> {
        if of != self.generations.review {
            return Vec::new();
        }
        let Some(review) = &mut self.review.review else {
            return Vec::new();
        };
        let id = item.change.id.clone();
        self.review.lines.insert(id.clone(), (added, removed));
        review.insert(item);
        let all = review.plan.changes.len();
        if all <= SMALL || review.items.len() % SMALL == 0 {
            self.judge();
        } else {
            self.review.counts.asking = self.review.counts.asking.saturating_sub(1);
        }
        if self.review.rows.current().map(|row| &row.id) == Some(&id) {
            return self.ask_view();
        }
        Vec::new()
    }

    pub(super) fn review_done(&mut self, of: Generation, result: Result<(), Error>) -> Vec<Effect> {
        if of != self.generations.review {
            return Vec::new();
        }
        match result {
            Ok(()) => self.review.done = true,
            Err(error) => self.review.error = Some(error),
        }
        // A key's "still being asked" holds no more.
        self.notice = self.notice.take().filter(|said| said.tone != Tone::Waiting);
        let before = self.review.rows.current().map(|row| row.id.clone());
        self.judge();
        let now = self.review.rows.current().map(|row| &row.id);
        if self.review.view.is_none() || now != before.as_ref() {
            return self.ask_view();
        }
        Vec::new()
    }

    /// Rows and counts anew, from the review as it stands.
    fn judge(&mut self) {
        let Some(review) = &self.review.review else {
            return;
        };
        let states = review.states();
        let rows: Vec<ReviewRow> = review
            .plan
            .changes
            .iter()
            .map(|change| row(review, change, &states, &self.review.lines))
            .collect();
        let counts = review.counts();
        if self.review.undoes.is_none() {
            self.review.items_left_out = Arc::new(review.items_left_out_of(&states));
        }
        self.review.counts = ReviewCounts {
            changes: counts.changes,
            new: counts.new,
            patched: counts.patched,
            deleted: counts.deleted,
            unchanged: counts.unchanged,
            left_out: counts.left_out,
            restarts: counts.restarts,
            restarting: counts.restarting,
            asking: counts.asking,
            stopped: counts.stopped,
        };
        self.set_changes(rows);
    }

    /// The diff of the change under the cursor.
    pub(super) fn ask_view(&mut self) -> Vec<Effect> {
        self.review.view = None;
        self.review.diff_offset = 0;
        let generation = self.generations.view.advance();
        match self.current_item() {
            Some(item) => vec![Effect::View {
                generation,
                item: item.clone(),
                taken: item
                    .controllers()
                    .into_iter()
                    .filter(|manager| self.has_taken(manager))
                    .map(str::to_owned)
                    .collect(),
            }],
            None => Vec::new(),
        }
    }

    /// The server's answer for the change under the cursor, once it is there.
    pub fn current_item(&self) -> Option<&Arc<Reviewed>> {
        let id = &self.review.rows.current()?.id;
        self.review.review.as_ref()?.items.get(id)
    }

    /// A diff has been asked for and is on its way.
    pub(super) fn view_is_made(&self) -> bool {
        self.review.view.is_none() && self.current_item().is_some()
    }

    /// The diff is on the screen: beside the list, or over it.
    pub(super) fn sees_diff(&self) -> bool {
        self.viewport.wide || self.detail
    }

    pub(super) fn scroll_diff(&mut self, by: isize) {
        let last = self.diff_last();
        self.review.diff_offset = self.review.diff_offset.saturating_add_signed(by).min(last);
    }

    /// First line of the diff's last page; zero: all of it is seen.
    pub(super) fn diff_last(&self) -> usize {
        let Some(view) = &self.review.view else {
            return 0;
        };
        let mode = self.review.shown();
        let lines = view.len(mode);
        let room = match mode {
            ReviewMode::SideBySide => self.viewport.diff_width / 2,
            _ => self.viewport.diff_width,
        };
        // The last page, counted from the end: long lines are folded and take several rows.
        let room = room.saturating_sub(4).max(1);
        let mut left = self.review.diff_height.max(1);
        let mut page = 0;
        for at in (0..lines).rev() {
            let rows = view.columns(mode, at).div_ceil(room).max(1);
            if rows > left {
                break;
            }
            left -= rows;
            page += 1;
        }
        let notes = self.viewport.notes;
        if page == lines {
            notes.saturating_sub(left)
        } else {
            // At least the last line, where it alone is more than a page.
            lines + notes - page.max(1)
        }
    }

    pub(super) fn toggle_left_out(&mut self) -> Vec<Effect> {
        let Some(id) = self.review.rows.current().map(|row| row.id.clone()) else {
            return Vec::new();
        };
        let Some(review) = &mut self.review.review else {
            return Vec::new();
        };
        let before = review.counts().left_out;
        review.toggle(&id);
        let out = review.left_out.contains(&id);
        if self.review.undoes.is_none() {
            if out {
                self.answers.leave_out.insert(id.clone());
            } else {
                self.answers.leave_out.remove(&id);
            }
        }
        self.judge();
        let fell = self.review.counts.left_out.saturating_sub(before + 1);
        if out && fell > 0 {
            self.notice = Some(Notice {
                tone: Tone::Waiting,
                text: counted(fell, say::ONE_MORE_SKIPPED, say::more_skipped),
            });
        }
        Vec::new()
    }

    /// `t`: the manager whose fields stand against the change under the cursor.
    pub(super) fn ask_take(&mut self) -> Vec<Effect> {
        if self.step != Step::Review {
            self.ask_take_owner();
            return Vec::new();
        }
        let row = self.review.rows.current();
        if row.is_some_and(super::state::ReviewRow::is_held_lock) {
            self.review.break_lock = !self.review.break_lock;
            let text = match self.review.break_lock {
                true => say::LOCK_WILL_BE_BROKEN,
                false => say::LOCK_WILL_STAY,
            };
            self.notice = Some(Notice {
                tone: Tone::Waiting,
                text: text.into(),
            });
            return Vec::new();
        }
        let Some(item) = self.current_item() else {
            return Vec::new();
        };
        let untaken = item
            .controllers()
            .into_iter()
            .find(|manager| !self.has_taken(manager))
            .map(str::to_owned);
        if let Some(manager) = untaken {
            let review = self.review.review.as_ref();
            let fields = review.map_or_else(Vec::new, |review| fields_of(review, &manager));
            self.dialog = Some(self.take_dialog(&manager, fields));
        }
        Vec::new()
    }

    fn has_taken(&self, manager: &str) -> bool {
        let review = self.review.review.as_ref();
        review.is_some_and(|review| review.taken.contains(manager))
    }

    pub(super) fn take(&mut self, manager: &str) -> Vec<Effect> {
        if let Some(review) = &mut self.review.review {
            review.take(manager);
        }
        if self.review.undoes.is_none() {
            self.answers.take.insert(manager.to_owned());
        }
        self.judge();
        // What is said of its fields is another now.
        self.ask_view()
    }

    /// The user said yes; losing history takes a second yes.
    pub(super) fn approve(&mut self, lose_history: bool) -> Vec<Effect> {
        // The question of a moment ago may no longer be what would be written.
        if let Some(why) = self.apply_refused() {
            self.notice = Some(Notice {
                tone: Tone::Bad,
                text: why,
            });
            return Vec::new();
        }
        let Some(review) = &self.review.review else {
            return Vec::new();
        };
        match review.approve(Word { lose_history }) {
            Ok(approved) => self.begin_apply(approved),
            Err(NotApprovable::HistoryNotConfirmed) => {
                self.dialog = Some(self.confirm_history());
                Vec::new()
            }
            Err(NotApprovable::PodsNotChecked(ids)) => {
                self.dialog = Some(self.confirm_unchecked(&ids));
                Vec::new()
            }
            Err(why) => {
                self.notice = Some(Notice {
                    tone: Tone::Bad,
                    text: not_approvable(&why),
                });
                Vec::new()
            }
        }
    }

    /// Pods are replaced though nobody could ask whether admission takes the new ones.
    pub(super) fn allow_unchecked(&mut self) -> Vec<Effect> {
        if let Some(review) = &mut self.review.review {
            review.unchecked_pods = true;
        }
        self.approve(false)
    }

    pub(super) fn start_undo(&mut self, run: Option<String>) -> Vec<Effect> {
        self.notice = Some(Notice {
            tone: Tone::Waiting,
            text: say::READING_RUN.into(),
        });
        vec![Effect::PlanUndo(
            self.generations.undo.advance(),
            Arc::clone(&self.mesh),
            run,
        )]
    }

    pub(super) fn undo_planned(
        &mut self,
        of: Generation,
        result: Result<UndoPlan, Error>,
    ) -> Vec<Effect> {
        if of != self.generations.undo || self.apply.running {
            return Vec::new();
        }
        match result {
            Ok(mut undo) => {
                self.notice = None;
                let plan = undo.plan.clone();
                let from = match self.step {
                    Step::Review => self.review.undo_from,
                    step => Some(step),
                };
                let notes = std::mem::take(&mut undo.notes);
                let planned = Planned {
                    plan,
                    notes,
                    impacts: Vec::new(),
                };
                let effects = self.begin_review(planned, None, Some(undo));
                self.review.undo_from = from;
                self.enter(Step::Review);
                effects
            }
            Err(error) => {
                self.notice = Some(error_notice(&error));
                Vec::new()
            }
        }
    }
}

fn row(
    review: &Review,
    change: &Change,
    states: &BTreeMap<ChangeId, ItemState>,
    lines: &BTreeMap<ChangeId, (usize, usize)>,
) -> ReviewRow {
    let item = review.items.get(&change.id);
    let sign = match item.map(|item| &item.verdict) {
        None => Sign::Asking,
        Some(Verdict::New) => Sign::New,
        Some(Verdict::Deletes) => Sign::Deleted,
        Some(Verdict::Unchanged) => Sign::Same,
        Some(Verdict::Unverified(_)) if item.is_some_and(|item| item.live.is_none()) => Sign::New,
        Some(_) => Sign::Changed,
    };
    let standing = match states.get(&change.id) {
        None | Some(ItemState::Asking) => Standing::Asking,
        Some(ItemState::Ready) => Standing::Ready,
        Some(ItemState::Unchanged) => Standing::Unchanged,
        Some(ItemState::LeftOut(LeftOut::ByUser | LeftOut::NotTaken(_))) => Standing::LeftOut,
        Some(ItemState::LeftOut(LeftOut::HangsOn(on))) => Standing::HangsOn(on.clone()),
        Some(ItemState::Conflict(managers)) => Standing::Conflict(managers.clone()),
        Some(ItemState::Refused(words)) => Standing::Refused(words.clone()),
        Some(ItemState::Gate { why, paste }) => Standing::Gate {
            why: why.clone(),
            paste: paste.clone(),
        },
        Some(ItemState::Failed(words)) => Standing::Failed(words.clone()),
        Some(ItemState::Unverified(why)) => Standing::Unverified(why.clone()),
    };
    let notes = match item.and_then(|item| item.pod.as_ref()) {
        Some(PodVerdict::Admitted {
            warnings, findings, ..
        }) => warnings.len() + findings.len(),
        Some(_) => 1,
        None => 0,
    };
    let stops = |impact: &&Impact| matches!(impact, Impact::EnvoyFilterStops { .. });
    let filters = change.impacts.iter().filter(stops).count();
    let found = |severity| {
        let all = change.findings.iter();
        all.filter(move |found| found.severity() >= severity)
            .count()
    };
    let first_sidecar = |impact: &Impact| matches!(impact, Impact::FirstSidecar { .. });
    let (added, removed) = lines.get(&change.id).copied().unwrap_or_default();
    ReviewRow {
        id: change.id.clone(),
        object: change.object.clone(),
        part: change.part,
        why: crate::words::purpose(&change.purpose),
        sign,
        added,
        removed,
        standing,
        loses: change
            .impacts
            .iter()
            .any(|impact| matches!(impact, Impact::LosesHistory { .. }))
            || found(Severity::Loses) > 0,
        warnings: notes
            + filters
            + found(Severity::Risk)
            + usize::from(change.impacts.iter().any(first_sidecar))
            + item.map_or(0, |item| item.warnings.len() + item.rollout_problems.len()),
        takes: item.map_or(0, |item| {
            item.conflicts
                .iter()
                .filter(|conflict| conflict.hands == Hands::Person)
                // Into a file of a ConfigMap text is inserted: nobody loses theirs.
                .filter(|conflict| {
                    change.object.kind != Kind::ConfigMap || !conflict.field.starts_with(".data")
                })
                .count()
        }),
        owner: item.and_then(|item| owner(item)),
    }
}

/// Every field of the review that this manager holds against a change, with both values.
fn fields_of(review: &Review, manager: &str) -> Vec<String> {
    let value = |value: &Option<serde_json::Value>| {
        value
            .as_ref()
            .map_or_else(|| say::NO_VALUE.to_owned(), ToString::to_string)
    };
    review
        .items
        .values()
        .flat_map(|item| {
            item.conflicts
                .iter()
                .filter(|conflict| conflict.manager == manager)
                .map(|conflict| {
                    say::field_becomes(
                        &item.change.object.to_string(),
                        &conflict.field,
                        &value(&conflict.theirs),
                        &value(&conflict.ours),
                    )
                })
        })
        .collect()
}

fn not_approvable(why: &NotApprovable) -> String {
    match why {
        NotApprovable::NothingToDo => say::NO_CHANGES.into(),
        NotApprovable::StillAsking(n) => say::dry_run_in_progress(&changes(*n)),
        NotApprovable::Stopped(ids) => counted(
            ids.len(),
            say::ONE_MUST_BE_FORCED,
            say::several_must_be_forced,
        ),
        NotApprovable::PodsNotChecked(ids) => {
            counted(ids.len(), say::ONE_NOT_CHECKED, say::several_not_checked)
        }
        NotApprovable::HistoryNotConfirmed => say::HISTORY_NOT_CONFIRMED.into(),
    }
}
