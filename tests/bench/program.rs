//! The whole program behind a pseudo-terminal, on the current kubeconfig's cluster: from its start to its first frame
//! and to the whole list of workloads, and its peak memory; beside `/bin/true` in the same terminal.
//!
//! Against an API server of `tests/bench/run`, whose namespaces it knows by their names.

use crate::pty::Terminal;
use crate::start::milliseconds;
use std::time::{Duration, Instant};

const RUNS: usize = 5;
/// On a machine that does other work besides.
const LIMIT: Duration = Duration::from_secs(120);

pub fn run() {
    let (mut frame, mut listed, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
    let mut nothing = Vec::new();
    for _ in 0..RUNS {
        let (first, all, peak) = once();
        frame.push(first);
        listed.push(all);
        peaks.push(peak);
        nothing.push(milliseconds("/bin/true", &[], false));
    }
    println!(
        "first frame after {:.0} ms (/bin/true ends after {:.1} ms), the list of workloads after {:.2} s; peak memory \
         {:.0} MB, at most {:.0} MB (medians of {RUNS}; wanted: at most 99 MB)",
        super::median(frame),
        super::median(nothing),
        super::median(listed),
        super::median(peaks.clone()),
        peaks.into_iter().fold(0.0, f64::max),
    );
}

/// Milliseconds, seconds, megabytes.
fn once() -> (f64, f64, f64) {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().to_string_lossy();
    let began = Instant::now();
    let mut screen = Terminal::with(&[], &[("XDG_STATE_HOME", &state)], 120, 40);
    screen.within(LIMIT, "a first frame", |s| s.text().contains("meshscrape"));
    let first = began.elapsed().as_secs_f64() * 1000.0;
    screen.within(LIMIT, "the whole cluster", |s| {
        s.text().contains("enter next")
    });
    screen.press("\r");
    screen.within(LIMIT, "a Prometheus that can be chosen", |s| {
        let text = s.text();
        text.contains("Which Prometheus") && !text.contains("still being read")
    });
    screen.press("\r");
    screen.within(LIMIT, "namespaces", |s| {
        s.text().contains("Which namespaces hold")
    });
    // All of them.
    screen.press("a");
    screen.press("\r");
    screen.within(LIMIT, "workloads", |s| s.text().contains("Which workloads"));
    let all = began.elapsed().as_secs_f64();
    let peak = super::peak_kilobytes(screen.id()) as f64 / 1024.0;
    screen.press("q");
    (first, all, peak)
}
