//! From the start of the program in a pseudo-terminal to its first words, beside `/bin/true` in the same terminal.

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::io::Read;
use std::time::Instant;

const RUNS: usize = 41;

pub fn run() {
    let mut words = Vec::new();
    let mut nothing = Vec::new();
    for _ in 0..RUNS {
        words.push(milliseconds(
            env!("CARGO_BIN_EXE_meshscrape"),
            &["--demo"],
            true,
        ));
        nothing.push(milliseconds("/bin/true", &[], false));
    }
    println!(
        "first words after {:.1} ms, /bin/true ends after {:.1} ms (medians of {RUNS})",
        super::median(words),
        super::median(nothing)
    );
}

pub fn milliseconds(program: &str, args: &[&str], until_words: bool) -> f64 {
    let pair = native_pty_system()
        .openpty(PtySize {
            rows: 40,
            cols: 120,
            pixel_width: 0,
            pixel_height: 0,
        })
        .expect("a pseudo-terminal");
    let mut reader = pair.master.try_clone_reader().expect("its reader");
    let mut command = CommandBuilder::new(program);
    command.args(args);
    command.env("TERM", "xterm-256color");
    let began = Instant::now();
    let mut child = pair.slave.spawn_command(command).expect("the program");
    drop(pair.slave);
    if until_words {
        let mut seen = Vec::new();
        let mut bytes = [0; 65536];
        while !String::from_utf8_lossy(&seen).contains("meshscrape") {
            match reader.read(&mut bytes) {
                Ok(0) | Err(_) => break,
                Ok(count) => seen.extend_from_slice(&bytes[..count]),
            }
        }
    } else {
        let _ = child.wait();
    }
    let took = began.elapsed().as_secs_f64() * 1000.0;
    let _ = child.kill();
    let _ = child.wait();
    took
}
