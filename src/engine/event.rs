//! What the engine reports while it works: pure values that the wizard and the commands read.

use crate::error::{Error, Kind};
use crate::plan::ChangeId;
use crate::plan::review::Reviewed;
use crate::targets::{Board, Lacking};
use crate::words::say::engine as say;
use std::sync::Arc;
use std::time::Duration;

/// Progress of a review.
#[derive(Clone, Debug)]
pub enum ReviewEvent {
    Asked(Arc<Reviewed>),
    /// Every change has its answer.
    Done,
}

/// Progress of an apply.
#[derive(Clone, Debug)]
pub enum ApplyEvent {
    Step {
        id: ChangeId,
        state: StepState,
    },
    /// A line for the log, with the moment it belongs to.
    Log(String),
    /// The targets as they are now, while waiting for them, and those that the wait still lacks.
    Targets {
        board: Arc<Board>,
        lacking: Lacking,
    },
    /// The object is not as it was reviewed: the change as it would be now. [`ApplyEvent::Stopped`] follows.
    Again {
        id: ChangeId,
        item: Arc<Reviewed>,
        /// [`Decision::Again`] would write it.
        may: bool,
    },
    /// A change failed: apply waits for a [`Decision`].
    Stopped {
        id: ChangeId,
        error: Error,
    },
    Finished(Outcome),
}

impl ApplyEvent {
    /// For `--log`: what happened to which change, and no value of any field.
    pub(super) fn log(&self) {
        match self {
            ApplyEvent::Step { id, state } => tracing::info!("{}: {:?}", id.0, state.timeless()),
            ApplyEvent::Log(line) => tracing::info!("{line}"),
            ApplyEvent::Again { id, may, .. } => {
                tracing::info!("{}: {}", id.0, say::not_as_reviewed(*may));
            }
            ApplyEvent::Stopped { id, error } => tracing::warn!("{}: {error:?}", id.0),
            ApplyEvent::Finished(outcome) => tracing::info!(
                "{}",
                say::finished(
                    outcome.written.len(),
                    outcome.unchanged.len(),
                    outcome.not_written.len(),
                    outcome.taken_back.len(),
                )
            ),
            ApplyEvent::Targets { .. } => {}
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum StepState {
    Pending,
    /// Waits before or after the write.
    Waiting {
        /// For what, in words.
        on: String,
        /// For how long already, where that is worth a word.
        gone_by: Option<Duration>,
    },
    Writing,
    Rollout {
        updated: u32,
        ready: u32,
        desired: u32,
        note: String,
        /// The note has the ready ones in it.
        says_ready: bool,
    },
    Done,
    /// Live already was as wanted.
    Unchanged,
    Failed(Error),
    LeftOut,
    /// Written, then taken back: why.
    TakenBack(String),
    /// Not written, and not a failure: why (old jobs stay while a target is not UP …).
    Held(String),
}

impl StepState {
    pub fn waiting(on: impl Into<String>) -> StepState {
        StepState::Waiting {
            on: on.into(),
            gone_by: None,
        }
    }

    /// Without the time that goes by, which makes no state another one.
    pub fn timeless(&self) -> StepState {
        match self {
            StepState::Waiting { on, .. } => StepState::waiting(on),
            other => other.clone(),
        }
    }
}

/// What the user answers when apply has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Retry,
    /// Write it as it was shown anew, see [`ApplyEvent::Again`].
    Again,
    /// Leave this change out, and what hangs on it.
    LeaveOut,
    /// Take back what this run wrote for this change's workload or gateway, and go on with the others.
    TakeBack,
    /// Take back everything that this run wrote.
    Undo,
    /// End here; what was written stays.
    Stop,
}

/// How an apply or an undo ended.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub written: Vec<ChangeId>,
    pub unchanged: Vec<ChangeId>,
    pub not_written: Vec<ChangeId>,
    pub taken_back: Vec<ChangeId>,
    /// The last look at the targets of what was applied.
    pub board: Arc<Board>,
    pub all_up: bool,
    /// Plaintext was seen refused at every target; `None`: not asked, by `--no-probe` or because the run ended before.
    pub plaintext_refused: Option<bool>,
    pub ended: Ended,
}

impl Outcome {
    /// Every change stands and every target is as it should be. `probe`: plaintext was to be asked for.
    fn well(&self, probe: bool) -> bool {
        self.all_up
            && self.taken_back.is_empty()
            && (!probe || self.plaintext_refused == Some(true))
    }

    /// A later look at the same targets tells how they are now.
    pub fn look_again(&mut self, board: &Arc<Board>, probe: bool) {
        let later = board.at > self.board.at && board.stale.is_none();
        if !later || board.counts.all() == 0 || !self.not_written.is_empty() {
            return;
        }
        let counts = board.counts;
        self.all_up =
            self.ended == Ended::Whole && counts.up == counts.all() && counts.unguarded == 0;
        self.plaintext_refused = probe.then_some(counts.refused == counts.all());
        self.board = Arc::clone(board);
    }

    /// The exit code, of a command and of the wizard alike. `undoes`: a run was taken back, so nothing was to come UP.
    pub fn exit_code(&self, undoes: bool, probe: bool) -> u8 {
        match &self.ended {
            Ended::PartWay(_) if self.written.is_empty() && self.taken_back.is_empty() => {
                Kind::Refused.exit_code()
            }
            Ended::PartWay(_) => Kind::StoppedPartWay.exit_code(),
            Ended::Undone if undoes => WELL,
            Ended::Undone => Kind::UndoneAfterFailure.exit_code(),
            Ended::Whole if undoes || self.well(probe) => WELL,
            Ended::Whole => NOT_ALL_UP,
        }
    }
}

/// Done, or all is well.
pub const WELL: u8 = 0;
/// Not every target is UP, or not all could be checked.
pub const NOT_ALL_UP: u8 = 3;

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Ended {
    /// Every approved change stands.
    #[default]
    Whole,
    /// Stopped by the user or a failure; what was written stays.
    PartWay(Option<Error>),
    /// Everything written by this run was taken back.
    Undone,
}
