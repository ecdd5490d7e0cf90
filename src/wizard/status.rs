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
    grave(row) > 0
}

/// Metrics that anyone may read are the gravest of problems.
fn grave(row: &targets::Row) -> u8 {
    match row.probe {
        targets::Probe::Served => u8::MAX,
        _ if !row.guard.faults().is_empty() => u8::MAX - 1,
        _ => row.state.gravity(),
    }
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

    /// It is not scraped over mTLS because the user left it out in the review.
    pub fn is_left_out(&self, row: &targets::Row) -> bool {
        matches!(
            row.state,
            targets::State::NotCovered { .. } | targets::State::Plaintext { .. }
        ) && self.review.items_left_out.contains(&row.expected.item)
    }

    /// How many targets should be UP: all but what the user left out.
    pub fn targets_wanted(&self) -> usize {
        let left_out: usize = self.status.left_out.iter().sum();
        self.status.board.counts.all().saturating_sub(left_out)
    }

    pub(super) fn derive_status(&mut self) {
        let mut left_out = [0, 0];
        for row in &self.status.board.rows {
            if self.is_left_out(row) {
                let plain = matches!(row.state, targets::State::Plaintext { .. });
                left_out[usize::from(plain)] += 1;
            }
        }
        self.status.left_out = left_out;
        let filter = words(&self.status.rows.filter.text);
        let only = self.status.problems_only;
        let mut rows: Vec<Arc<targets::Row>> = self
            .status
            .board
            .rows
            .iter()
            .filter(|row| !only || (problem(row) && !self.is_left_out(row)))
            .filter(|row| {
                let e = &row.expected;
                let [state, said, why] = match self.is_left_out(row) {
                    true => ["left out", "", ""],
                    false => row.state.words(),
                };
                let proof = match row.probe {
                    _ if !row.guard.faults().is_empty() => "not guarded",
                    targets::Probe::Refused => "secured",
                    targets::Probe::Served => "plaintext served",
                    _ => "",
                };
                let (namespace, name) = (&e.item.namespace, &e.item.name);
                matches(&filter, &[namespace, name, &e.pod, state, said, why, proof])
            })
            .cloned()
            .collect();
        if only {
            rows.sort_by_key(|row| std::cmp::Reverse(grave(row)));
        }
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
