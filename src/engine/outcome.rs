//! The last look at the targets, and the words for how an apply ended.

use super::event::{ApplyEvent, Ended, Outcome};
use super::waits::{Around, LOOK_EVERY, stop_wanted, teller};
use crate::plan::ChangeId;
use crate::targets::{Awaited, Board};
use crate::words::say::engine as say;
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
        Ended::Whole if outcome.written.is_empty() => say::NO_CHANGES.to_owned(),
        Ended::Whole => changes(
            outcome.written.len(),
            say::ONE_APPLIED,
            say::so_many_applied,
        ),
        Ended::Undone => changes(
            outcome.taken_back.len(),
            say::FAILED_AND_ONE_UNDONE,
            say::failed_and_undone,
        ),
        Ended::PartWay(_) if outcome.written.is_empty() => say::STOPPED_WITHOUT_CHANGES.to_owned(),
        Ended::PartWay(_) if outcome.written.len() == 1 => {
            say::stopped_after_one(outcome.not_written.len())
        }
        Ended::PartWay(_) => {
            say::stopped_part_way(outcome.written.len(), outcome.not_written.len())
        }
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
        list(say::APPLIED_ONES, &outcome.written);
    }
    list(say::NOT_APPLIED_ONES, &outcome.not_written);
    list(say::UNDONE_ONES, &outcome.taken_back);
    if !outcome.unchanged.is_empty() {
        lines.push(changes(
            outcome.unchanged.len(),
            say::ONE_IN_PLACE,
            say::already_in_place,
        ));
    }
    let counts = &outcome.board.counts;
    if counts.all() > 0 {
        lines.push(say::targets_up(counts.up, counts.all()));
        lines.push(match outcome.plaintext_refused {
            Some(true) if outcome.all_up => say::PLAINTEXT_REFUSED_SECURED.to_owned(),
            Some(true) => say::PLAINTEXT_REFUSED.to_owned(),
            Some(false) => say::PLAINTEXT_NOT_REFUSED.to_owned(),
            None => say::PLAINTEXT_NOT_CHECKED.to_owned(),
        });
    }
    lines
}

fn changes(count: usize, one: &str, many: fn(usize) -> String) -> String {
    match count {
        1 => one.to_owned(),
        _ => many(count),
    }
}
