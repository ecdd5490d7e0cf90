//! Everything that needs only Rust, in one program: fewer links.
#![allow(clippy::print_stderr)]

mod apply;
mod apply_world;
mod called;
mod cases;
mod commands;
mod demo_api;
mod export;
mod export_real;
mod faults;
mod journeys;
mod kill;
mod originals;
mod picture;
#[path = "../pty.rs"]
mod pty;
mod review;
mod rooms;
mod screens;
#[path = "../spoils.rs"]
mod spoils;
mod terminal;
mod transcripts;
mod worlds;
mod writes;
