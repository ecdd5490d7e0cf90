//! Everything that needs only Rust, in one program: fewer links.
#![allow(clippy::print_stderr)]

mod transcripts;
mod demo_api;
mod review;
mod apply;
mod apply_world;
mod screens;
