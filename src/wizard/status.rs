//! Step 9: the monitor's table.

use super::msg::Effect;
use super::namespaces::{matches, words};
use super::state::{Connection, State};
use crate::targets::{self, Board};
use jiff::SignedDuration;
use std::sync::Arc;

/// What was seen longer ago is not shown as what is.
const OLD: SignedDuration = SignedDuration::from_secs(15);

/// A row that needs a look: everything but UP once.
pub fn problem(row: &targets::Row) -> bool {
    !matches!(
        row.state,
        targets::State::Up { double: None } | targets::State::Unsettled { .. }
    ) || row.probe == targets::Probe::Served
}

impl State {
    /// The targets of the present choices are watched from now on.
    pub(super) fn watch(&mut self) -> Vec<Effect> {
        if !matches!(self.cluster.connection, Connection::Open) {
            self.status.waiting = true;
            return Vec::new();
        }
        if self.start.monitor && self.cluster.filling && self.mesh.workloads.is_empty() {
            self.status.waiting = true;
            return Vec::new();
        }
        self.status.waiting = true;
        let now = self.now;
        let is_old = |board: &Board| {
            let age = now.zip(board.at).map(|(now, at)| now.duration_since(at));
            age.is_some_and(|age| age > OLD)
        };
        // What was so once would be read as what is so.
        if is_old(&self.status.board) && !self.status.frozen {
            self.status.board = Arc::default();
            self.derive_status();
        }
        if let Some(board) = &self.apply.board
            && self.status.board.rows.is_empty()
            && !is_old(board)
        {
            self.status.board = board.clone();
            self.status.waiting = false;
            self.derive_status();
        }
        vec![Effect::Watch {
            mesh: self.mesh.clone(),
            answers: Arc::new(self.effective()),
        }]
    }

    pub(super) fn board_came(&mut self, board: Arc<Board>) {
        self.status.waiting = false;
        if self.status.frozen {
            self.status.newest = Some(board);
        } else {
            self.status.board = board;
            self.derive_status();
        }
    }

    pub(super) fn toggle_frozen(&mut self) {
        self.status.frozen = !self.status.frozen;
        if !self.status.frozen
            && let Some(board) = self.status.newest.take()
        {
            self.status.board = board;
            self.derive_status();
        }
    }

    pub(super) fn derive_status(&mut self) {
        let filter = words(&self.status.rows.filter.text);
        let only = self.status.problems_only;
        let rows: Vec<Arc<targets::Row>> = self
            .status
            .board
            .rows
            .iter()
            .filter(|row| !only || problem(row))
            .filter(|row| {
                let e = &row.expected;
                matches(&filter, &[&e.item.namespace, &e.item.name, &e.pod])
            })
            .cloned()
            .collect();
        let key = self
            .status
            .rows
            .current()
            .map(|row| (row.expected.item.clone(), row.expected.pod.clone()));
        self.status.rows.set(rows, |row| {
            key.as_ref()
                .is_some_and(|(item, pod)| row.expected.item == *item && row.expected.pod == *pod)
        });
    }
}
