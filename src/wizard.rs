//! The wizard without a screen and without a cluster: what it knows ([`State`]), what can happen ([`Msg`]),
//! what it asks of the world ([`Effect`]), and which key does what ([`keymap`]).
//!
//! A frame is drawn so: `state.fit(ui::viewport(&state, area))`, then `ui::draw(&state, frame)`. Drawing only
//! reads. Row lists are made when the mesh, the filter or a fold changes; a frame looks at the visible window.

pub mod apply;
pub mod cluster;
mod contact;
mod dialog;
mod enter;
mod export;
pub mod gateways;
pub mod keymap;
pub mod list;
pub mod msg;
pub mod namespaces;
pub mod options;
mod problems;
pub mod prometheus;
pub mod refuse;
pub mod review;
pub mod state;
pub mod status;
mod take;
pub mod update;
pub mod workloads;

#[cfg(test)]
mod tests;

pub use keymap::{Action, Binding, Key};
pub use msg::{Effect, Generation, Msg, Target, Wants};
pub use state::{Start, State, Step};
pub use update::update;
