//! Benchmarks, run by hand: `cargo bench -- start`, `-- evaluate`, `-- journal`, and on the current kubeconfig's cluster
//! `-- discover`, `-- write`.
//! Figures are compared within one run, never with a clock that another machine set.
#![allow(clippy::print_stdout)]

mod discover;
mod evaluate;
mod journal;
mod paper;
mod start;
mod write;

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"))
        .collect();
    match wanted.first().map(String::as_str) {
        Some("start") => start::run(),
        Some("discover") => discover::run(),
        Some("evaluate") => evaluate::run(),
        Some("journal") => journal::run(),
        Some("write") => write::run(),
        _ => println!("usage: cargo bench -- start | evaluate | discover | journal | write"),
    }
}

/// The middle of the figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
