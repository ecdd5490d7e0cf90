//! The real program in a real (pseudo-)terminal.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The program behind a terminal of its own, and what its screen shows.
struct Terminal {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
}

fn lines(count: u16) -> std::num::NonZero<u16> {
    count.try_into().unwrap()
}

const LIMIT: Duration = Duration::from_secs(60);

impl Terminal {
    fn start(args: &[&str], columns: u16, rows: u16) -> Terminal {
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_meshscrape"));
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(lines(rows), lines(columns), 0)));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let shared = screen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 65536];
            while let Ok(count) = reader.read(&mut bytes) {
                if count == 0 {
                    break;
                }
                shared.lock().unwrap().process(&bytes[..count]);
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Terminal {
            master: pair.master,
            child,
            keys,
            screen,
        }
    }

    fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    fn alternate(&self) -> bool {
        self.screen.lock().unwrap().screen().alternate_screen()
    }

    #[track_caller]
    fn until(&self, what: &str, holds: impl Fn(&Terminal) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !holds(self) {
            assert!(Instant::now() < deadline, "never: {what}\n{}", self.text());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    #[track_caller]
    fn shows(&self, words: &str) {
        self.until(words, |terminal| terminal.text().contains(words));
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    #[track_caller]
    fn ends(&mut self) -> u32 {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // What the program wrote last may still be on its way.
                self.until("the terminal is left", |terminal| !terminal.alternate());
                return status.exit_code();
            }
            assert!(
                Instant::now() < deadline,
                "it does not end\n{}",
                self.text()
            );
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.process_id().unwrap().to_string();
        let sent = std::process::Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status()
            .unwrap();
        assert!(sent.success());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_starts_says_demo_and_q_leaves_the_terminal_as_it_was() {
    let mut terminal = Terminal::start(&["--demo"], 120, 40);
    terminal.shows("DEMO");
    assert!(terminal.alternate());
    terminal.press("q");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn ctrl_c_and_signals_restore_the_terminal() {
    for how in ["ctrl-c", "TERM", "HUP"] {
        let mut terminal = Terminal::start(&["--demo"], 100, 30);
        terminal.shows("DEMO");
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
