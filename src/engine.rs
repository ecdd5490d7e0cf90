//! Async work over the cluster: discover, review, apply, watch, undo. Reports events; knows no screen.

pub mod apply;
mod compare;
pub mod contact;
pub mod discover;
pub mod event;
pub mod folder;
pub mod found;
pub mod identity;
mod keep;
mod lock;
mod outcome;
mod process;
pub mod release;
pub mod review;
pub mod rollout;
pub mod runs;
pub mod session;
pub mod settle;
mod steps;
pub mod undo;
mod waits;
pub mod watch;
