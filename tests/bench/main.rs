//! Benchmarks, run by hand: `tests/bench/run NAME`, which starts an API server for those that ask one; see README.md.
//! Figures are compared within one run, never with a clock that another machine set.
#![allow(clippy::print_stdout)]

mod discover;
mod evaluate;
mod fill;
mod journal;
mod paper;
mod program;
#[path = "../pty.rs"]
#[allow(dead_code)]
mod pty;
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
        Some("fill") => fill::run(),
        Some("program") => program::run(),
        Some("journal") => journal::run(),
        Some("write") => write::run(),
        _ => println!(
            "usage: cargo bench -- start | evaluate | journal | discover | program | write | fill"
        ),
    }
}

/// The middle of the figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The peak of a process's resident memory; 0: it has ended.
fn peak_kilobytes(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let mut lines = status.lines();
    let peak = lines.find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    peak.and_then(|peak| peak.parse().ok()).unwrap_or(0)
}
