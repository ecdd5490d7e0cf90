//! Async work over the cluster: discover, review, apply, watch, undo. Reports events; knows no screen.

pub mod discover;
pub mod event;
pub mod session;
pub mod watch;
