//! Everything that needs only Rust, in one program: fewer links.
#![allow(clippy::print_stderr)]

mod apply;
mod apply_world;
mod called;
mod cases;
mod commands;
mod demo_api;
#[cfg(feature = "pseudo-language")]
mod english;
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

/// Beside the situation that brings a code about, what is said does not name it: neither in text nor in JSON.
pub fn absent(code: meshscrape::problems::Code, said: &str) {
    assert!(!said.contains(code.text()), "{said}");
}

/// Whether a text tells of a problem: by its sentence in English, by its code in the language that has no sentences.
pub fn tells(text: &str, code: meshscrape::problems::Code, english: &str) -> bool {
    match meshscrape::words::LANGUAGE {
        meshscrape::words::Language::English => text.contains(english),
        meshscrape::words::Language::Pseudo => text.contains(code.text()),
    }
}
