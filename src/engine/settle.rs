//! What a killed run leaves open, where there is nothing more to write for it: its end in the journal, its locks.

use super::lock;
use super::runs;
use super::session::Session;
use crate::error::Error;
use crate::plan::record::Entry;
use crate::plan::resume::Stands;
use crate::words::say::engine as say;

/// Closes the newest run where it was cut off when all of it stood already, and gives its locks back. What was done,
/// in words. Records are looked for in the `homes`, locks in the `places`.
///
/// # Errors
/// The journal cannot be read or written.
pub async fn all_stands(
    session: &Session,
    homes: &[String],
    places: &[String],
) -> Result<Vec<String>, Error> {
    let mut words = Vec::new();
    if let Some(found) = runs::unfinished_here(session, homes).await?
        && found.undo.is_none()
        && found.certain
        && found.steps.iter().all(|step| step.stands == Stands::After)
    {
        let run = found.known.note.run;
        ended(session, &run, "whole")?;
        words.push(say::nothing_left_to_do(&run));
    }
    words.extend(locks(session, places).await);
    Ok(words)
}

/// Records how a run ended, so that it is not offered again. A run of another machine has no line here.
///
/// # Errors
/// The journal cannot be read or written.
pub fn ended(session: &Session, run: &str, how: &str) -> Result<(), Error> {
    if !session.journal.runs()?.iter().any(|note| note.run == run) {
        return Ok(());
    }
    session.journal.append(&Entry::Ended {
        run: run.to_owned(),
        at: session.clock.now(),
        how: how.into(),
    })
}

/// Gives back the locks that killed processes of this machine left. What was done or could not be, in words.
pub async fn locks(session: &Session, places: &[String]) -> Vec<String> {
    let mut words = Vec::new();
    for namespace in places {
        match lock::release_dead(session, namespace).await {
            Ok(true) => words.push(say::lock_released(namespace)),
            Ok(false) => {}
            Err(error) => words.push(say::lock_not_checked(namespace, &error)),
        }
    }
    words
}
