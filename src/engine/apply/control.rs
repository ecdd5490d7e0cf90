//! How an apply is steered while it runs.

use crate::engine::event::Decision;
use tokio::sync::{mpsc, watch};

/// How an apply is told what to do while it runs.
#[derive(Debug)]
pub struct Control {
    /// Becomes true when the user wants it to end; heard between writes and during waits.
    pub stop: watch::Receiver<bool>,
    /// Answers to [`ApplyEvent::Stopped`]; `None`: there is no one to ask, and a failure ends the run.
    pub decisions: Option<mpsc::Receiver<Decision>>,
}

/// The other end of a [`Control`].
#[derive(Clone, Debug)]
pub struct Steering {
    pub stop: watch::Sender<bool>,
    pub decisions: mpsc::Sender<Decision>,
}

impl Control {
    /// For a person at the screen.
    pub fn asked() -> (Steering, Control) {
        let (stop, stopped) = watch::channel(false);
        let (decisions, decided) = mpsc::channel(4);
        let control = Control {
            stop: stopped,
            decisions: Some(decided),
        };
        (Steering { stop, decisions }, control)
    }

    /// With no one to ask.
    pub fn alone() -> (watch::Sender<bool>, Control) {
        let (stop, stopped) = watch::channel(false);
        let control = Control {
            stop: stopped,
            decisions: None,
        };
        (stop, control)
    }
}
