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
use crate::words::say::journal as say;

/// The version of the lines that this program writes; lines of a newer one are refused.
pub const VERSION: u32 = 2;

impl Entry {
    /// The run that the line belongs to.
    pub fn run(&self) -> &str {
        match self {
            Entry::Started { run, .. }
            | Entry::Result { run, .. }
            | Entry::Release { run, .. }
            | Entry::Ended { run, .. } => run,
            Entry::Intent(intent) => &intent.run,
        }
    }
}

/// A run in short; `None` where the entries do not begin with `Started`. The last `Ended` counts: an undone run has
/// two.
pub fn note(entries: &[Entry]) -> Option<RunNote> {
    let Some(Entry::Started {
        run,
        at,
        context,
        cluster,
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
    Some(RunNote {
        run: run.clone(),
        at: *at,
        context: context.clone(),
        cluster: cluster.clone(),
        wrote: entries
            .iter()
            .any(|entry| matches!(entry, Entry::Intent(_))),
        how,
        undoes: undoes.clone(),
        by: by.as_ref().map(ToString::to_string),
    })
}

fn newest_first(mut runs: Vec<RunNote>) -> Vec<RunNote> {
    runs.sort_unstable_by(|a, b| (b.at, &b.run).cmp(&(a.at, &a.run)));
    runs
}

/// The run that an undo without a name means: the newest that wrote something, is no undo itself and
/// has not been undone.
fn offered(runs: &[RunNote]) -> Option<&str> {
    let found = runs.iter().find(|run| run.can_be_undone());
    found.map(|run| run.run.as_str())
}

fn nothing_to_undo() -> Error {
    Error::new(say::NO_RUN_TO_UNDO).cause(say::NOTHING_NOT_UNDONE)
}

fn no_such_run(run: &str, runs: &[RunNote]) -> Error {
    let error = Error::new(say::no_such_run(run));
    match runs {
        [] => error.cause(say::JOURNAL_IS_EMPTY),
        runs => {
            let names: Vec<&str> = runs.iter().take(5).map(|r| r.run.as_str()).collect();
            error.hint(say::newest_runs(&names.join(", ")))
        }
    }
}
