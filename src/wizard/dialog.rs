//! Decisions. The answer that changes nothing has the focus.

use super::contact;
use super::msg::Effect;
use super::options::pace;
use super::refuse::plural;
use super::state::{
    Again, Answer, ApplyRow, Button, Dialog, DialogKind, LineSign, Notice, Sign, Standing, State,
    Tone,
};
use crate::engine::event::Decision;
use crate::error::Error;
use crate::mesh::kinds::WorkloadRef;
use crate::plan::{ChangeId, Part};
use crate::text::few;
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
    lines.extend(error.causes.iter().map(|cause| format!("Cause: {cause}")));
    lines.extend(error.hints.iter().map(|hint| format!("Try: {hint}")));
    lines.push(format!(
        "{}. The run waits for your decision.",
        match written {
            1 => "Applied changes of this run: 1".to_owned(),
            n => format!("Applied changes of this run: {n}"),
        }
    ));
    if let Some(again) = again {
        lines.extend(shown_again(again));
    }
    let go_on = match row {
        // An annotation that is left out is taken back: its pods would be scraped by nobody.
        Some(row) if row.written && row.part == Part::Annotation => "Undo its annotation",
        Some(row) if row.written && row.part == Part::Injection => "Undo this change",
        Some(row) if row.written => "Skip and continue",
        _ => "Skip it",
    };
    let mut buttons = vec![
        button("View details", Answer::Cancel, false),
        match again {
            Some(again) if again.may => button("Apply as shown", Answer::Again, true),
            _ => button("Retry", Answer::Retry, true),
        },
        button(go_on, Answer::LeaveOut, true),
    ];
    if let Some((item, stand)) = back {
        lines.push(format!(
            "Applied changes for {item}: {stand}. You can undo only these; the run then continues.",
        ));
        buttons.push(button(
            &format!("Undo all of {item}"),
            Answer::TakeBack,
            true,
        ));
    }
    lines.extend(costs);
    buttons.push(button("Undo the run", Answer::Undo, true));
    buttons.push(button("Stop here", Answer::Stop, false));
    dialog(
        DialogKind::Stopped,
        format!("Stopped at {what}"),
        lines,
        buttons,
    )
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
        lines.push("The change against the current object:".into());
    }
    let more = changed.len().saturating_sub(SHOWN);
    lines.extend(changed.into_iter().take(SHOWN));
    if more > 0 {
        lines.push(format!("… and {}", plural(more, "more line", "more lines")));
    }
    lines
}

impl State {
    /// What the user set up beside the mesh, and would lose.
    fn filters_that_stop(&self) -> Option<String> {
        let filters = self.review.review.as_ref()?.filters_that_stop();
        let names: Vec<String> = filters.iter().map(ToString::to_string).collect();
        (!names.is_empty()).then(|| {
            format!(
                "▲ EnvoyFilters stop matching, because they select renamed listeners: {}.",
                few(&names, 4)
            )
        })
    }

    /// The question before anything is written: it names the context and the counts.
    pub(super) fn confirm_apply(&self) -> Dialog {
        let counts = &self.review.counts;
        let context = match &self.cluster.context {
            Some(context) => context.clone(),
            None => self.mesh.context.clone(),
        };
        let restart = match counts.restarts {
            0 => "No pod restarts.".to_owned(),
            1 => "1 pod restarts.".to_owned(),
            n => match counts.restarting {
                0 | 1 => format!("{n} pods restart."),
                _ => format!(
                    "{n} pods restart, {}.",
                    pace::words(self.answers.options.pace)
                ),
            },
        };
        let mut lines = vec![restart];
        let history = self
            .review
            .review
            .as_ref()
            .is_some_and(|r| !r.loses_history().is_empty());
        if history {
            lines.push("Prometheus loses its history. You confirm this separately.".into());
        }
        let unproven = self.unproven().filter(|_| self.review.undoes.is_none());
        lines.extend(unproven.map(contact::costs).into_iter().flatten());
        if self.review.break_lock {
            lines.push(
                "The lock is broken: if its holder still runs, both runs write at the same time."
                    .into(),
            );
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
            lines.push(format!("Deleted: {}.", few(&deleted, 4)));
        }
        let takes: usize = rows().map(|row| row.takes).sum();
        if takes > 0 {
            lines.push(format!(
                "{}; see {} in the review.",
                plural(
                    takes,
                    "field that a person set with kubectl is overwritten",
                    "fields that a person set with kubectl are overwritten"
                ),
                if takes == 1 { "it" } else { "them" }
            ));
        }
        lines.extend(self.taken_by_name());
        lines.extend(self.owned());
        if counts.left_out > 0 {
            lines.push(format!(
                "{} skipped.",
                plural(counts.left_out, "change is", "changes are")
            ));
        }
        lines.extend(self.unkept());
        // Under a list that fills the screen they had no room.
        if !self.viewport.notes_seen {
            let notes = self.review.notes.iter();
            lines.extend(notes.map(|note| format!("▲ {note}")));
        }
        let (title, yes) = match &self.review.undoes {
            Some(run) => (
                format!(
                    "Undo run {run} on {context}? {}.",
                    plural(counts.changes, "change", "changes")
                ),
                format!("Undo {}", plural(counts.changes, "change", "changes")),
            ),
            None => (
                format!(
                    "Apply {} to {context}?",
                    plural(counts.changes, "change", "changes")
                ),
                match unproven {
                    Some(_) => "Apply without verification".to_owned(),
                    None => format!("Apply {}", plural(counts.changes, "change", "changes")),
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
                button("Cancel", Answer::Cancel, false),
                button(&yes, Answer::Yes, true),
            ],
        )
    }

    pub(super) fn confirm_history(&self) -> Dialog {
        let of = match &self.answers.prometheus {
            Some(id) => id.to_string(),
            None => "Prometheus".into(),
        };
        let mut lines = vec![
            format!("{of} stores its data in its pod (an emptyDir) and must restart."),
            "All history is deleted by the restart. This cannot be undone.".into(),
        ];
        if self.review.undoes.is_none() {
            lines.push(
                "An undo restarts Prometheus again and deletes the history gathered until then."
                    .into(),
            );
        }
        dialog(
            DialogKind::ConfirmHistory,
            "Lose Prometheus's history?",
            lines,
            vec![
                button("Cancel", Answer::Cancel, false),
                button(
                    match self.review.undoes {
                        Some(_) => "Undo and lose history",
                        None => "Apply and lose history",
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
            "Open port 15091 to plaintext again?",
            self.review.asks.clone(),
            vec![
                button("Cancel", Answer::Cancel, false),
                button("Reopen port 15091", Answer::Yes, true),
            ],
        )
    }

    fn confirm_cluster(&self) -> Dialog {
        dialog(
            DialogKind::ConfirmCluster,
            "Was this run made in this cluster?",
            self.review.unproven.clone(),
            vec![
                button("Cancel", Answer::Cancel, false),
                button("Same cluster: undo the run", Answer::Yes, true),
            ],
        )
    }

    pub(super) fn quit_applying(&self) -> Dialog {
        let (done, all) = self.apply.progress();
        dialog(
            DialogKind::QuitApplying,
            "A run is in progress",
            vec![
                format!("{done} of {all} steps are done."),
                "Quitting stops the run after the current write. Applied changes stay and can be undone later.".into(),
            ],
            vec![
                button("Keep applying", Answer::Cancel, false),
                button("Stop applying and quit", Answer::Yes, true),
            ],
        )
    }

    pub(super) fn quit_choices(&self) -> Dialog {
        dialog(
            DialogKind::QuitChoices,
            "Quit? Your choices are lost",
            vec!["No run is in progress.".into()],
            vec![
                button("Cancel", Answer::Cancel, false),
                button("Save answers first", Answer::Yes, false),
                button("Quit and lose choices", Answer::Stop, true),
            ],
        )
    }

    pub(super) fn save_dialog(&self) -> Dialog {
        Dialog {
            input: Some(ANSWERS_FILE.into()),
            ..dialog(
                DialogKind::SaveAnswers,
                "Save the answers to a file",
                vec!["Reuse them with: meshscrape plan --answers FILE".into()],
                vec![
                    button("Save", Answer::Yes, false),
                    button("Cancel", Answer::Cancel, false),
                ],
            )
        }
    }

    pub(super) fn replace_dialog(&self, path: PathBuf) -> Dialog {
        dialog(
            DialogKind::ReplaceFile(path.clone()),
            "The file already exists",
            vec![format!("Replace {}?", path.display())],
            vec![
                button("Cancel", Answer::Cancel, false),
                button("Replace the file", Answer::Yes, true),
            ],
        )
    }

    pub(super) fn take_dialog(&self, manager: &str, fields: Vec<String>) -> Dialog {
        let mut lines = vec![format!("{manager} owns these fields and may revert them:")];
        let more = fields.len().saturating_sub(8);
        lines.extend(fields.into_iter().take(8));
        if more > 0 {
            lines.push(format!("… and {more} more"));
        }
        dialog(
            DialogKind::Take(manager.to_owned()),
            format!("Force ownership from {manager}?"),
            lines,
            vec![
                button("Cancel", Answer::Cancel, false),
                button(
                    &format!("Force ownership from {manager}"),
                    Answer::Yes,
                    true,
                ),
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
                    text: "no changes applied; give Prometheus a persistent volume, or skip its change".into(),
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
