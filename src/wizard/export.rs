//! The review written to a folder: which one, and what came of it.

use super::dialog::{button, dialog};
use super::msg::Effect;
use super::state::{Answer, Dialog, DialogKind, State};
use crate::error::{Error, Tells};
use crate::words::say::wizard as say;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Lines of a long list that a dialog shows.
const SHOWN: usize = 6;

impl State {
    /// `meshscrape-prod-eu` beside where the program runs.
    fn export_folder(&self) -> String {
        let context = self.cluster.context.as_ref().unwrap_or(&self.mesh.context);
        let safe: String = context
            .chars()
            .map(|c| match c {
                c if c.is_ascii_alphanumeric() => c,
                '.' | '-' | '_' => c,
                _ => '-',
            })
            .take(100)
            .collect();
        format!("./meshscrape-{safe}")
    }

    pub(super) fn export_dialog(&self) -> Dialog {
        Dialog {
            input: Some(self.export_folder()),
            ..dialog(
                DialogKind::Export,
                say::EXPORT_TO_FOLDER,
                vec![say::EXPORT_HOLDS.into(), say::EXPORT_WRITES_NOTHING.into()],
                vec![
                    button(say::EXPORT, Answer::Yes, false),
                    button(say::CANCEL, Answer::Cancel, false),
                ],
            )
        }
    }

    pub(super) fn export(&mut self, folder: &str, overwrite: bool) -> Vec<Effect> {
        let (false, Some(review)) = (folder.is_empty(), &self.review.review) else {
            self.dialog = Some(self.export_dialog());
            return Vec::new();
        };
        let answers = match &self.review.made_for {
            Some(answers) => Arc::clone(answers),
            None => Arc::new(self.effective()),
        };
        vec![Effect::Export {
            folder: PathBuf::from(folder),
            overwrite,
            review: Box::new(review.clone()),
            mesh: Arc::clone(&self.mesh),
            answers,
        }]
    }

    /// Says what was written; what went wrong stands over the name, so that it can be mended.
    pub(super) fn exported(&mut self, folder: &Path, result: Result<Vec<String>, Error>) {
        if self.dialog.is_some() {
            return;
        }
        self.dialog = Some(match result {
            Ok(lines) => dialog(
                DialogKind::Exported,
                say::EXPORTED,
                shortened(lines),
                vec![button(say::CLOSE, Answer::Cancel, false)],
            ),
            Err(error) => {
                let mut asked = self.export_dialog();
                asked.input = Some(folder.display().to_string());
                asked.lines = vec![error.what.clone()];
                asked
                    .lines
                    .extend(error.causes.iter().map(|cause| say::cause(cause)));
                if error.tells == Some(Tells::FolderTaken) {
                    asked.lines.push(say::HOLDS_EARLIER_EXPORT.into());
                    asked
                        .buttons
                        .insert(1, button(say::REPLACE_EXPORT, Answer::Replace, true));
                } else {
                    asked
                        .lines
                        .extend(error.hints.iter().map(|hint| say::to_try(hint)));
                }
                asked.lines = shortened(asked.lines);
                asked
            }
        });
    }
}

fn shortened(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(SHOWN);
    if more > 1 {
        lines.truncate(SHOWN);
        lines.push(say::more_in_readme(more));
    }
    lines
}
