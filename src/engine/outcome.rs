//! The last look at the targets, and the words for how an apply ended.

use super::event::{ApplyEvent, Ended, Outcome};
use super::waits::{Around, LOOK_EVERY, stop_wanted, teller};
use crate::plan::ChangeId;
use crate::targets::{Awaited, Board};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Looks until nothing that is awaited lacks anything, or what lacks it never will; until the time is over, or the
/// user says stop. `cure`: a Prometheus whose certificates came late is reloaded meanwhile.
pub(super) async fn last_look(
    around: &mut Around<'_>,
    patience: Duration,
    awaited: &Awaited,
    cure: bool,
    done: impl Fn(&Board) -> bool,
) -> Arc<Board> {
    let report = around.report;
    let told = teller(around.session.clock, report);
    let told: Option<&(dyn Fn(String) + Send + Sync)> = match cure {
        true => Some(&told),
        false => None,
    };
    let last = std::sync::Mutex::new(Arc::<Board>::default());
    let tell = |board: Arc<Board>| {
        if let Ok(mut last) = last.lock() {
            *last = Arc::clone(&board);
        }
        let lacking = awaited.lacking(&board);
        report(ApplyEvent::Targets { board, lacking });
    };
    if patience.is_zero() {
        let board = around.watch.look().await;
        tell(Arc::clone(&board));
        return board;
    }
    let mut stop = around.stop.clone();
    let deadline = Instant::now() + patience;
    tokio::select! {
        biased;
        () = stop_wanted(&mut stop) => {}
        board = around.watch.until_cured(LOOK_EVERY, deadline, &tell, told, done) => return board,
    }
    last.into_inner().unwrap_or_default()
}

/// How an apply ended, in words, one thing a line.
pub fn summary(outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(match &outcome.ended {
        Ended::Whole if outcome.written.is_empty() => "No changes.".to_owned(),
        Ended::Whole => format!("{} applied.", changes(outcome.written.len())),
        Ended::Undone => format!("Failed: {} undone.", changes(outcome.taken_back.len())),
        Ended::PartWay(_) if outcome.written.is_empty() => {
            "Stopped: no changes applied.".to_owned()
        }
        Ended::PartWay(_) => format!(
            "Stopped: {} applied, {} not applied.",
            changes(outcome.written.len()),
            outcome.not_written.len()
        ),
    });
    if let Ended::PartWay(Some(error)) = &outcome.ended {
        lines.push(error.what.clone());
        lines.extend(error.causes.iter().map(|cause| format!("  {cause}")));
    }
    let mut list = |title: &str, ids: &[ChangeId]| {
        if !ids.is_empty() {
            lines.push(format!("{title}:"));
            lines.extend(ids.iter().map(|id| format!("  {id}")));
        }
    };
    if outcome.ended != Ended::Whole {
        list("Applied", &outcome.written);
    }
    list("Not applied", &outcome.not_written);
    list("Undone", &outcome.taken_back);
    if !outcome.unchanged.is_empty() {
        lines.push(format!(
            "{} already in place.",
            changes(outcome.unchanged.len())
        ));
    }
    let counts = &outcome.board.counts;
    if counts.all() > 0 {
        lines.push(format!(
            "{} of {} targets UP over mTLS.",
            counts.up,
            counts.all()
        ));
        lines.push(match outcome.plaintext_refused {
            Some(true) if outcome.all_up => "Plaintext is refused: secured.".to_owned(),
            Some(true) => "Plaintext is refused at every target.".to_owned(),
            Some(false) => "Plaintext was not refused at every target.".to_owned(),
            None => "Plaintext was not checked, so no target is reported as secured.".to_owned(),
        });
    }
    lines
}

fn changes(count: usize) -> String {
    match count {
        1 => "1 change".into(),
        n => format!("{n} changes"),
    }
}
