//! The review written to a folder: which one, and what came of it.

use super::dialog::{button, dialog};
use super::msg::Effect;
use super::state::{Answer, Dialog, DialogKind, State};
use crate::error::{Error, Tells};
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
                "Export to a folder",
                vec![
                    "YAML with a kustomization, patches, a script of kubectl commands, and a README that explains each file."
                        .into(),
                    "Nothing is written to the cluster.".into(),
                ],
                vec![
                    button("Export", Answer::Yes, false),
                    button("Cancel", Answer::Cancel, false),
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
                "Exported",
                shortened(lines),
                vec![button("Close", Answer::Cancel, false)],
            ),
            Err(error) => {
                let mut asked = self.export_dialog();
                asked.input = Some(folder.display().to_string());
                asked.lines = vec![error.what.clone()];
                asked
                    .lines
                    .extend(error.causes.iter().map(|cause| format!("Cause: {cause}")));
                if error.tells == Some(Tells::FolderTaken) {
                    asked
                        .lines
                        .push("The folder holds an earlier export. Other files in it stay.".into());
                    asked
                        .buttons
                        .insert(1, button("Replace the export", Answer::Replace, true));
                } else {
                    asked
                        .lines
                        .extend(error.hints.iter().map(|hint| format!("Try: {hint}")));
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
        lines.push(format!("… and {} more; README.md has all", more));
    }
    lines
}
