//! What a wait wants of the targets: which of them still lack it, and whether waiting may bring it.

use super::{Board, Probe, Row, State};
use crate::mesh::kinds::WorkloadRef;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Awaited {
    /// The targets of these items; `None`: of every one.
    pub items: Option<BTreeSet<WorkloadRef>>,
    /// Plaintext to the port is asked for, and answered.
    pub probe: bool,
    /// No plaintext job scrapes these besides: their plaintext scrape was ended.
    pub no_double: BTreeSet<WorkloadRef>,
}

/// The targets that a wait still lacks: the gravest few, and how many more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lacking {
    pub rows: Vec<Arc<Row>>,
    pub more: usize,
}

/// So many are named.
const NAMED: usize = 4;

impl Awaited {
    /// Of this item's targets something is waited for.
    pub fn concerns(&self, item: &WorkloadRef) -> bool {
        self.items.as_ref().is_none_or(|items| items.contains(item))
    }

    fn lacks(&self, row: &Row) -> bool {
        if row.left_out || !self.concerns(&row.expected.item) {
            return false;
        }
        match &row.state {
            State::Up { double } => {
                !row.guard.faults().is_empty()
                    || (double.is_some() && self.no_double.contains(&row.expected.item))
                    || (self.probe && matches!(row.probe, Probe::NotAsked | Probe::Served))
            }
            _ => true,
        }
    }

    fn lacking_rows<'a>(&'a self, board: &'a Board) -> impl Iterator<Item = &'a Arc<Row>> {
        board.rows.iter().filter(|row| self.lacks(row))
    }

    /// Of a target that is well in all else it is not told yet whether it refuses plaintext.
    fn is_unclear(&self, board: &Board) -> bool {
        let unclear = |row: &Arc<Row>| {
            self.concerns(&row.expected.item)
                && !row.left_out
                && matches!(row.state, State::Up { .. })
                && matches!(row.probe, Probe::Unclear(_))
        };
        self.probe && board.rows.iter().any(unclear)
    }

    /// Figures that are old, and none at all, prove nothing.
    pub fn is_met(&self, board: &Board) -> bool {
        board.stale.is_none()
            && board.at.is_some()
            && self.lacking_rows(board).next().is_none()
            && !self.is_unclear(board)
    }

    /// Waiting brings nothing more: all that lack something do so for a cause that stays.
    pub fn is_settled(&self, board: &Board) -> bool {
        board.stale.is_none()
            && board.at.is_some()
            && !self.lacking_rows(board).any(|row| may_pass(row))
            && !self.is_unclear(board)
    }

    /// The rows that lack something, the gravest first.
    pub fn lacking(&self, board: &Board) -> Lacking {
        let mut rows: Vec<&Arc<Row>> = self.lacking_rows(board).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.state.gravity()));
        Lacking {
            more: rows.len().saturating_sub(NAMED),
            rows: rows.into_iter().take(NAMED).cloned().collect(),
        }
    }
}

/// Whether a row that is not as it should be may become so without anybody's doing.
fn may_pass(row: &Row) -> bool {
    match &row.state {
        State::Up { .. } => row.probe == Probe::NotAsked && row.guard.faults().is_empty(),
        State::Unsettled { .. } | State::Waiting { .. } => true,
        State::Down { cause, .. } => cause.as_ref().is_none_or(|cause| !cause.stays()),
        State::Plaintext { .. } | State::NotCovered => false,
    }
}
