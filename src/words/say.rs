//! The texts of each room, by name.

pub mod cluster;
pub mod commands;
pub mod engine;
pub mod journal;
pub mod plan;
pub mod prometheus;
pub mod targets;
pub mod ui;
pub mod wizard;
