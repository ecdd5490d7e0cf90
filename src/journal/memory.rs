use super::{newest_first, no_such_run, note, nothing_to_undo, offered};
use crate::engine::session::{Journal, RunNote};
use crate::error::Error;
use crate::plan::record::Entry;
use std::sync::{Mutex, PoisonError};

/// Keeps its lines as long as the program runs.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    entries: Mutex<Vec<Entry>>,
}

impl MemoryJournal {
    pub fn new() -> Self {
        MemoryJournal::default()
    }

    /// Every line in the order of writing.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn of(entries: &[Entry], run: &str) -> Vec<Entry> {
        entries.iter().filter(|e| e.run() == run).cloned().collect()
    }

    fn notes(entries: &[Entry]) -> Vec<RunNote> {
        let runs = entries.iter().filter_map(|entry| match entry {
            Entry::Started { run, .. } => note(&Self::of(entries, run)),
            _ => None,
        });
        newest_first(runs.collect())
    }
}

impl Journal for MemoryJournal {
    fn append(&self, entry: &Entry) -> Result<(), Error> {
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(entry.clone());
        Ok(())
    }

    fn run(&self, run: Option<&str>) -> Result<Vec<Entry>, Error> {
        let entries = self.entries();
        let runs = Self::notes(&entries);
        match run {
            Some(run) if runs.iter().any(|r| r.run == run) => Ok(Self::of(&entries, run)),
            Some(run) => Err(no_such_run(run, &runs)),
            None => match offered(&runs) {
                Some(run) => Ok(Self::of(&entries, run)),
                None => Err(nothing_to_undo()),
            },
        }
    }

    fn runs(&self) -> Result<Vec<RunNote>, Error> {
        Ok(Self::notes(&self.entries()))
    }
}
