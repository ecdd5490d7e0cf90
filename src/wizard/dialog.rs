//! Decisions. The answer that changes nothing has the focus.

use super::contact;
use super::msg::Effect;
use super::options::pace;
use super::refuse::{changes, counted};
use super::state::{
    Again, Answer, ApplyRow, Button, Dialog, DialogKind, LineSign, Notice, Sign, Standing, State,
    Tone,
};
use crate::engine::event::Decision;
use crate::error::Error;
use crate::mesh::kinds::WorkloadRef;
use crate::plan::{ChangeId, Part};
use crate::text::few;
use crate::words::say::wizard as say;
use std::path::PathBuf;
use std::sync::Arc;

/// The file that answers are saved to unless the user types another name.
pub const ANSWERS_FILE: &str = "meshscrape-answers.yaml";

pub(super) fn button(label: &str, answer: Answer, danger: bool) -> Button {
    Button {
        label: label.into(),
        answer,
        danger,
    }
}

pub(super) fn dialog(
    kind: DialogKind,
    title: impl Into<String>,
    lines: Vec<String>,
    buttons: Vec<Button>,
) -> Dialog {
    Dialog {
        kind,
        title: title.into(),
        lines,
        input: None,
        buttons,
        focus: 0,
        offset: 0,
        seen: 0,
    }
}

pub(super) fn stopped(
    row: Option<&ApplyRow>,
    id: &ChangeId,
    error: &Error,
    written: usize,
    back: Option<(&WorkloadRef, usize)>,
    costs: Vec<String>,
    again: Option<&Again>,
) -> Dialog {
    let what = row.map_or_else(|| id.object(), |row| row.object.to_string());
    let mut lines = vec![error.what.clone()];
    lines.extend(error.causes.iter().map(|cause| say::cause(cause)));
    lines.extend(error.hints.iter().map(|hint| say::to_try(hint)));
    lines.push(say::run_waits(written));
    if let Some(again) = again {
        lines.extend(shown_again(again));
    }
    let go_on = match row {
        // A skipped annotation is undone: its pods would be scraped by nobody.
        Some(row) if row.written && row.part == Part::Annotation => say::UNDO_ITS_ANNOTATION,
        Some(row) if row.written && row.part == Part::Injection => say::UNDO_THIS_CHANGE,
        Some(row) if row.written => say::SKIP_AND_CONTINUE,
        _ => say::SKIP_IT,
    };
    let mut buttons = vec![
        button(say::VIEW_DETAILS, Answer::Cancel, false),
        match again {
            Some(again) if again.may => button(say::APPLY_AS_SHOWN, Answer::Again, true),
            _ => button(say::RETRY, Answer::Retry, true),
        },
        button(go_on, Answer::LeaveOut, true),
    ];
    if let Some((item, stand)) = back {
        let item = item.to_string();
        lines.push(say::applied_for_item(&item, stand));
        buttons.push(button(&say::undo_all_of(&item), Answer::TakeBack, true));
    }
    lines.extend(costs);
    buttons.push(button(say::UNDO_THE_RUN, Answer::Undo, true));
    buttons.push(button(say::STOP_HERE, Answer::Stop, false));
    dialog(DialogKind::Stopped, say::stopped_at(&what), lines, buttons)
}

/// What would be written now, in lines that changed; the panel beneath shows the rest.
fn shown_again(again: &Again) -> Vec<String> {
    const SHOWN: usize = 10;
    let changed: Vec<String> = again
        .view
        .unified
        .iter()
        .filter_map(|line| {
            let sign = match line.sign {
                LineSign::Added => '+',
                LineSign::Removed => '−',
                LineSign::Same | LineSign::Fold => return None,
            };
            let text: String = line.pieces.iter().map(|(_, text)| text.as_str()).collect();
            Some(format!("{sign} {}", text.trim_start()))
        })
        .collect();
    let bad = again
        .view
        .notes
        .iter()
        .filter(|note| note.tone == Tone::Bad);
    let mut lines: Vec<String> = bad.map(|note| note.text.clone()).collect();
    if again.may {
        lines.push(say::CHANGE_AGAINST_CURRENT.into());
    }
    let more = changed.len().saturating_sub(SHOWN);
    lines.extend(changed.into_iter().take(SHOWN));
    if more > 0 {
        lines.push(counted(more, say::ONE_MORE_LINE, say::more_lines));
    }
    lines
}

impl State {
    /// What the user set up beside the mesh, and would lose.
    fn filters_that_stop(&self) -> Option<String> {
        let filters = self.review.review.as_ref()?.filters_that_stop();
        let names: Vec<String> = filters.iter().map(ToString::to_string).collect();
        (!names.is_empty()).then(|| say::filters_stop(&few(&names, 4)))
    }

    /// The question before anything is written: it names the context and the counts.
    pub(super) fn confirm_apply(&self) -> Dialog {
        let counts = &self.review.counts;
        let context = match &self.cluster.context {
            Some(context) => context.clone(),
            None => self.mesh.context.clone(),
        };
        let restart = match counts.restarts {
            0 => say::NO_POD_RESTARTS.to_owned(),
            1 => say::ONE_POD_RESTARTS.to_owned(),
            n => match counts.restarting {
                0 | 1 => say::pods_restart(n),
                _ => pace::restarts(self.answers.options.pace, n),
            },
        };
        let mut lines = vec![restart];
        let history = self
            .review
            .review
            .as_ref()
            .is_some_and(|r| !r.loses_history().is_empty());
        if history {
            lines.push(say::HISTORY_CONFIRMED_APART.into());
        }
        let unproven = self.unproven().filter(|_| self.review.undoes.is_none());
        lines.extend(unproven.map(contact::costs).into_iter().flatten());
        if self.review.break_lock {
            lines.push(say::LOCK_IS_BROKEN.into());
        }
        lines.extend(self.unscraped());
        lines.extend(self.filters_that_stop());
        let written = |row: &&super::state::ReviewRow| {
            matches!(row.standing, Standing::Ready | Standing::Unverified(_))
        };
        let rows = || self.review.all.iter().filter(written);
        let deleted: Vec<String> = rows()
            .filter(|row| row.sign == Sign::Deleted)
            .map(|row| row.object.to_string())
            .collect();
        if !deleted.is_empty() {
            lines.push(say::deleted(&few(&deleted, 4)));
        }
        let takes: usize = rows().map(|row| row.takes).sum();
        if takes > 0 {
            lines.push(counted(
                takes,
                say::ONE_FIELD_OVERWRITTEN,
                say::fields_overwritten,
            ));
        }
        lines.extend(self.taken_by_name());
        lines.extend(self.owned());
        if counts.left_out > 0 {
            let skipped = counts.left_out;
            lines.push(counted(
                skipped,
                say::ONE_CHANGE_SKIPPED,
                say::changes_skipped,
            ));
        }
        lines.extend(self.unkept());
        // Under a list that fills the screen they had no room.
        if !self.viewport.notes_seen {
            let notes = self.review.notes.iter();
            lines.extend(notes.map(|note| format!("▲ {note}")));
        }
        let changes = changes(counts.changes);
        let (title, yes) = match &self.review.undoes {
            Some(run) => (
                say::undo_run_on(run, &context, &changes),
                say::undo_changes(&changes),
            ),
            None => (
                say::apply_changes_to(&changes, &context),
                match unproven {
                    Some(_) => say::APPLY_UNVERIFIED.to_owned(),
                    None => say::apply_changes(&changes),
                },
            ),
        };
        let kind = match self.review.undoes {
            Some(_) => DialogKind::ConfirmUndo,
            None => DialogKind::ConfirmApply,
        };
        dialog(
            kind,
            title,
            lines,
            vec![
                button(say::CANCEL, Answer::Cancel, false),
                button(&yes, Answer::Yes, true),
            ],
        )
    }

    pub(super) fn confirm_history(&self) -> Dialog {
        let of = match &self.answers.prometheus {
            Some(id) => id.to_string(),
            None => "Prometheus".into(),
        };
        let mut lines = vec![say::history_in_pod(&of), say::HISTORY_DELETED.into()];
        if self.review.undoes.is_none() {
            lines.push(say::HISTORY_DELETED_AGAIN.into());
        }
        dialog(
            DialogKind::ConfirmHistory,
            say::LOSE_HISTORY,
            lines,
            vec![
                button(say::CANCEL, Answer::Cancel, false),
                button(
                    match self.review.undoes {
                        Some(_) => say::UNDO_AND_LOSE_HISTORY,
                        None => say::APPLY_AND_LOSE_HISTORY,
                    },
                    Answer::Yes,
                    true,
                ),
            ],
        )
    }

    fn confirm_opens(&self) -> Dialog {
        dialog(
            DialogKind::ConfirmOpens,
            say::OPEN_TO_PLAINTEXT,
            self.review.asks.clone(),
            vec![
                button(say::CANCEL, Answer::Cancel, false),
                button(say::REOPEN_PORT, Answer::Yes, true),
            ],
        )
    }

    fn confirm_cluster(&self) -> Dialog {
        dialog(
            DialogKind::ConfirmCluster,
            say::MADE_IN_THIS_CLUSTER,
            self.review.unproven.clone(),
            vec![
                button(say::CANCEL, Answer::Cancel, false),
                button(say::SAME_CLUSTER, Answer::Yes, true),
            ],
        )
    }

    pub(super) fn quit_applying(&self) -> Dialog {
        let (done, all) = self.apply.progress();
        dialog(
            DialogKind::QuitApplying,
            say::RUN_IN_PROGRESS,
            vec![say::steps_done(done, all), say::QUITTING_STOPS_RUN.into()],
            vec![
                button(say::KEEP_APPLYING, Answer::Cancel, false),
                button(say::STOP_APPLYING_AND_QUIT, Answer::Yes, true),
            ],
        )
    }

    pub(super) fn quit_choices(&self) -> Dialog {
        dialog(
            DialogKind::QuitChoices,
            say::QUIT_LOSES_CHOICES,
            vec![say::NO_RUN.into()],
            vec![
                button(say::CANCEL, Answer::Cancel, false),
                button(say::SAVE_ANSWERS_FIRST, Answer::Yes, false),
                button(say::QUIT_AND_LOSE_CHOICES, Answer::Stop, true),
            ],
        )
    }

    pub(super) fn save_dialog(&self) -> Dialog {
        Dialog {
            input: Some(ANSWERS_FILE.into()),
            ..dialog(
                DialogKind::SaveAnswers,
                say::SAVE_ANSWERS_TO_FILE,
                vec![say::REUSE_ANSWERS.into()],
                vec![
                    button(say::SAVE, Answer::Yes, false),
                    button(say::CANCEL, Answer::Cancel, false),
                ],
            )
        }
    }

    pub(super) fn replace_dialog(&self, path: PathBuf) -> Dialog {
        dialog(
            DialogKind::ReplaceFile(path.clone()),
            say::FILE_EXISTS,
            vec![say::replace_question(&path.display().to_string())],
            vec![
                button(say::CANCEL, Answer::Cancel, false),
                button(say::REPLACE_FILE, Answer::Yes, true),
            ],
        )
    }

    pub(super) fn take_dialog(&self, manager: &str, fields: Vec<String>) -> Dialog {
        let mut lines = vec![say::owns_these_fields(manager)];
        let more = fields.len().saturating_sub(8);
        lines.extend(fields.into_iter().take(8));
        if more > 0 {
            lines.push(say::and_more(more));
        }
        dialog(
            DialogKind::Take(manager.to_owned()),
            say::force_from_question(manager),
            lines,
            vec![
                button(say::CANCEL, Answer::Cancel, false),
                button(&say::force_from(manager), Answer::Yes, true),
            ],
        )
    }

    /// Text of the question that the window had no room for yet; then an answer that writes or loses something
    /// shows the next page of it instead.
    fn reads_on_first(&mut self, answer: Answer) -> bool {
        let (last, page) = (self.viewport.dialog_last, self.viewport.dialog);
        let Some(dialog) = &mut self.dialog else {
            return false;
        };
        let mut buttons = dialog.buttons.iter();
        let danger = buttons.any(|button| button.answer == answer && button.danger);
        if !danger || dialog.seen >= last {
            return false;
        }
        dialog.offset = (dialog.seen + page.saturating_sub(1).max(1)).min(last);
        true
    }

    /// Up or down the text of a question that is longer than its room.
    pub(super) fn scroll_dialog(&mut self, by: isize) {
        let last = self.viewport.dialog_last;
        if let Some(dialog) = &mut self.dialog {
            dialog.offset = dialog.offset.saturating_add_signed(by).min(last);
        }
    }

    /// The dialog is answered.
    pub(super) fn answer(&mut self, answer: Answer) -> Vec<Effect> {
        if self.reads_on_first(answer) {
            return Vec::new();
        }
        let Some(dialog) = self.dialog.take() else {
            return Vec::new();
        };
        if answer == Answer::Cancel {
            if dialog.kind == DialogKind::ConfirmHistory {
                self.notice = Some(Notice {
                    tone: Tone::Plain,
                    text: say::HISTORY_KEPT.into(),
                });
            }
            if dialog.kind == DialogKind::UndoRun {
                self.dialog = self.stopped_dialog();
            }
            return Vec::new();
        }
        match dialog.kind {
            DialogKind::Stopped if answer == Answer::Undo => {
                self.dialog = Some(self.undo_run_dialog());
                Vec::new()
            }
            DialogKind::UndoRun => self.decide(Decision::Undo),
            DialogKind::ConfirmUndo if !self.review.unproven.is_empty() => {
                self.dialog = Some(self.confirm_cluster());
                Vec::new()
            }
            DialogKind::ConfirmUndo | DialogKind::ConfirmCluster
                if !self.review.asks.is_empty() =>
            {
                self.dialog = Some(self.confirm_opens());
                Vec::new()
            }
            DialogKind::ConfirmApply
            | DialogKind::ConfirmUndo
            | DialogKind::ConfirmCluster
            | DialogKind::ConfirmOpens => self.approve(false),
            DialogKind::ConfirmHistory => self.approve(true),
            DialogKind::ConfirmUnchecked => self.allow_unchecked(),
            DialogKind::FirstSidecar(id) => {
                self.allow_first_sidecar(&id);
                Vec::new()
            }
            DialogKind::QuitApplying => {
                self.quit_after = true;
                self.stop_apply()
            }
            DialogKind::Stopped => self.decide(match answer {
                Answer::Retry => Decision::Retry,
                Answer::Again => Decision::Again,
                Answer::LeaveOut => Decision::LeaveOut,
                Answer::TakeBack => Decision::TakeBack,
                Answer::Undo => Decision::Undo,
                _ => Decision::Stop,
            }),
            DialogKind::Take(manager) => self.take(&manager),
            DialogKind::TakeOwner(tool) => {
                self.take_owner(tool);
                Vec::new()
            }
            DialogKind::SaveAnswers => {
                let text = dialog.input.unwrap_or_default();
                let name = text.trim();
                if name.is_empty() {
                    self.dialog = Some(self.save_dialog());
                    return Vec::new();
                }
                self.save(PathBuf::from(name), false)
            }
            DialogKind::ReplaceFile(path) => self.save(path, true),
            DialogKind::Export => {
                let text = dialog.input.unwrap_or_default();
                self.export(text.trim(), answer == Answer::Replace)
            }
            DialogKind::Problems => {
                self.choose_fixes();
                Vec::new()
            }
            DialogKind::Exported => Vec::new(),
            DialogKind::QuitChoices if answer == Answer::Stop => self.leave(),
            DialogKind::QuitChoices => {
                self.dialog = Some(self.save_dialog());
                Vec::new()
            }
        }
    }

    fn save(&mut self, path: PathBuf, replace: bool) -> Vec<Effect> {
        self.saving = Some(path.clone());
        vec![Effect::SaveAnswers {
            path,
            answers: Arc::new(self.effective()),
            replace,
        }]
    }

    pub(super) fn press(&mut self) -> Vec<Effect> {
        let answer = self
            .dialog
            .as_ref()
            .and_then(|dialog| dialog.buttons.get(dialog.focus))
            .map(|button| button.answer);
        match answer {
            Some(answer) => self.answer(answer),
            None => Vec::new(),
        }
    }

    pub(super) fn move_button(&mut self, by: isize) {
        if let Some(dialog) = &mut self.dialog {
            let all = dialog.buttons.len().max(1) as isize;
            dialog.focus = (dialog.focus as isize + by).rem_euclid(all) as usize;
        }
    }
}
