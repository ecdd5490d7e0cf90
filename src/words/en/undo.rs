//! What an undo says beside its changes.

use crate::mesh::kinds::MANAGER;
use crate::plan::undo::{Cannot, NoteKind, UndoNote};
use serde_json::Value;

pub fn note(of: &UndoNote) -> String {
    let object = &of.object;
    let say = |value: &Option<Value>| match value {
        Some(value) => value.to_string(),
        None => "absent".to_owned(),
    };
    match &of.what {
        NoteKind::ChangedSince {
            field,
            before,
            after,
            now,
        } => format!(
            "{object}: {field} was changed by others since the run and stays, unless you include it: before the run {}, after the run {}, now {}",
            say(before),
            say(after),
            say(now)
        ),
        NoteKind::Gone => format!("{object} is gone: nothing to undo"),
        NoteKind::Successor => {
            format!("{object} was recreated since this run: it stays")
        }
        NoteKind::BroughtBack => format!(
            "{object} was deleted by this run and is restored; its field manager becomes {MANAGER}"
        ),
        NoteKind::OpensListener => {
            format!("{object}: restoring it opens port 15091 to plaintext, without policies")
        }
        NoteKind::Cannot(why) => format!("{object}: {}", cannot(why)),
    }
}

fn cannot(why: &Cannot) -> String {
    match why {
        Cannot::Unreadable { file } => format!(
            "{file} cannot be read as a Prometheus configuration: remove meshscrape's jobs by hand"
        ),
        Cannot::ReplacedUnrecorded { job } => {
            format!("the job {job} was replaced, and what it was is not recorded")
        }
        Cannot::RemovedUnrecorded { job } => {
            format!("the job {job} was taken out, and what it was is not recorded")
        }
        Cannot::Restored { job } => {
            format!("the job {job} was brought back by an undo: apply again instead")
        }
    }
}
