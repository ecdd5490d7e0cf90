//! Step 9: the monitor's table.

use super::msg::Effect;
use super::namespaces::{matches, words};
use super::state::{Connection, State};
use crate::mesh::kinds::WorkloadRef;
use crate::targets::{self, Board};
use crate::words::say::wizard as say;
use jiff::SignedDuration;
use std::collections::BTreeSet;
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
        self.status.waiting = self.status.board.rows.is_empty();
        vec![Effect::Watch {
            mesh: self.mesh.clone(),
            answers: Arc::new(self.effective()),
            left_out: self.left_out(),
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

    /// The newest look, which every step tells by; the monitor may show an older one that is frozen.
    pub fn newest_board(&self) -> &Arc<Board> {
        self.status.newest.as_ref().unwrap_or(&self.status.board)
    }

    /// Workloads and gateways of which the user wants nothing written.
    pub(super) fn left_out(&self) -> Arc<BTreeSet<WorkloadRef>> {
        let (now, then) = (&self.review.items_left_out, &self.apply.left_out);
        match (now.is_empty(), then.is_empty()) {
            (true, _) => Arc::clone(then),
            (false, true) => Arc::clone(now),
            (false, false) => Arc::new(now.union(then).cloned().collect()),
        }
    }

    pub(super) fn derive_status(&mut self) {
        let filter = words(&self.status.rows.filter.text);
        let only = self.status.problems_only;
        let mut rows: Vec<Arc<targets::Row>> = self
            .status
            .board
            .rows
            .iter()
            .filter(|row| !only || (problem(row) && !row.left_out))
            .filter(|row| {
                let e = &row.expected;
                let (state, said, why) = match row.left_out {
                    true => (say::FIND_LEFT_OUT, "", String::new()),
                    false => shown(&row.state),
                };
                let proof = match row.probe {
                    _ if !row.guard.faults().is_empty() => say::FIND_NOT_GUARDED,
                    targets::Probe::Refused => say::FIND_SECURED,
                    targets::Probe::Served => say::FIND_SERVED,
                    _ => "",
                };
                let (namespace, name) = (&e.item.namespace, &e.item.name);
                matches(
                    &filter,
                    &[namespace, name, &e.pod, state, said, &why, proof],
                )
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

/// What a row shows of a state, for the filter.
fn shown(state: &targets::State) -> (&str, &str, String) {
    use targets::State as S;
    let none = String::new;
    match state {
        S::Up { double: None } => ("UP", "", none()),
        S::Up { double: Some(job) } => ("UP", say::FIND_ALSO_PLAINTEXT, job.clone()),
        S::Unsettled { .. } => ("UP", say::FIND_CONFIRMING, none()),
        S::Down { error, cause } => {
            let cause = cause.as_deref().map(crate::words::sentence);
            ("DOWN", error, cause.unwrap_or_default())
        }
        S::Waiting { on, replica } => {
            let on = crate::words::waits(on, replica.as_deref());
            (say::FIND_WAITING, "", on)
        }
        S::Plaintext { job } => (say::FIND_PLAINTEXT, job, none()),
        S::NotCovered => (say::FIND_NOT_COVERED, crate::words::not_covered(), none()),
    }
}
