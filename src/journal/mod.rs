//! Records of writes: on disk for real clusters, in memory for the demo and for tests.

pub mod copy;
mod file;
mod memory;
#[cfg(test)]
mod tests;

pub use file::FileJournal;
pub use memory::MemoryJournal;

use crate::engine::session::RunNote;
use crate::error::Error;
use crate::plan::record::Entry;

/// The version of the lines that this program writes; lines of a newer one are refused.
pub const VERSION: u32 = 1;

impl Entry {
    /// The run that the line belongs to.
    pub fn run(&self) -> &str {
        match self {
            Entry::Started { run, .. } | Entry::Result { run, .. } | Entry::Ended { run, .. } => {
                run
            }
            Entry::Intent(intent) => &intent.run,
        }
    }
}

/// A run in short, and whether it went as far as to write anything.
struct Summary {
    note: RunNote,
    wrote: bool,
}

/// `None` where the entries do not begin with `Started`. The last `Ended` counts: an undone run has two.
fn summary(entries: &[Entry]) -> Option<Summary> {
    let Some(Entry::Started {
        run,
        at,
        context,
        undoes,
        by,
        ..
    }) = entries.first()
    else {
        return None;
    };
    let how = entries.iter().rev().find_map(|entry| match entry {
        Entry::Ended { how, .. } => Some(how.clone()),
        _ => None,
    });
    Some(Summary {
        note: RunNote {
            run: run.clone(),
            at: *at,
            context: context.clone(),
            how,
            undoes: undoes.clone(),
            by: by.as_ref().map(ToString::to_string),
        },
        wrote: entries
            .iter()
            .any(|entry| matches!(entry, Entry::Intent(_))),
    })
}

/// A run in short; `None` where the entries do not begin with its beginning.
pub fn note(entries: &[Entry]) -> Option<RunNote> {
    summary(entries).map(|summary| summary.note)
}

fn newest_first(mut runs: Vec<Summary>) -> Vec<Summary> {
    runs.sort_unstable_by(|a, b| (b.note.at, &b.note.run).cmp(&(a.note.at, &a.note.run)));
    runs
}

/// The run that an undo without a name means: the newest that wrote something, is no undo itself and
/// has not been undone.
fn offered(runs: &[Summary]) -> Option<&str> {
    runs.iter()
        .find(|run| {
            run.wrote && run.note.undoes.is_none() && run.note.how.as_deref() != Some("undone")
        })
        .map(|run| run.note.run.as_str())
}

fn nothing_to_undo() -> Error {
    Error::new("there is no run to undo")
        .cause("the journal holds no run that wrote something and has not been undone")
}

fn no_such_run(run: &str, runs: &[Summary]) -> Error {
    let error = Error::new(format!("there is no run `{run}` in the journal"));
    match runs {
        [] => error.cause("the journal is empty"),
        runs => {
            let names: Vec<&str> = runs.iter().take(5).map(|r| r.note.run.as_str()).collect();
            error.hint(format!("newest runs: {}", names.join(", ")))
        }
    }
}
