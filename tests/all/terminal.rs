//! The real program in a real (pseudo-)terminal.

use crate::pty::{Terminal, lines};
use meshscrape::words::say::ui as say;
use portable_pty::PtySize;

#[test]
fn it_starts_says_demo_and_q_leaves_the_terminal_as_it_was() {
    let mut terminal = Terminal::start(&["--demo"], 120, 40);
    terminal.shows(say::DEMO_SIMULATED);
    assert!(terminal.alternate());
    terminal.press("q");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn ctrl_c_and_signals_restore_the_terminal() {
    for how in ["ctrl-c", "TERM", "HUP"] {
        let mut terminal = Terminal::start(&["--demo"], 100, 30);
        terminal.shows(say::DEMO);
        match how {
            "ctrl-c" => terminal.press("\x03"),
            signal => terminal.signal(signal),
        }
        terminal.ends();
    }
}

#[test]
fn a_tiny_terminal_says_which_size_is_needed_and_loses_nothing() {
    let mut terminal = Terminal::start(&["--demo"], 120, 40);
    terminal.shows("Istio 1.31.0");
    let resize = |terminal: &Terminal, cols, rows| {
        terminal
            .screen
            .lock()
            .unwrap()
            .screen_mut()
            .set_size(lines(rows), lines(cols));
        terminal
            .master
            .resize(PtySize {
                rows,
                cols,
                pixel_width: 0,
                pixel_height: 0,
            })
            .unwrap();
    };
    resize(&terminal, 30, 5);
    terminal.shows("60");
    resize(&terminal, 120, 40);
    terminal.shows("Istio 1.31.0");
    terminal.press("q");
    assert_eq!(terminal.ends(), 0);
}
