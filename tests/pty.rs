//! The real program behind a real (pseudo-)terminal, driven with keys.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The program behind a terminal of its own, and what its screen shows.
pub struct Terminal {
    pub master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    pub screen: Arc<Mutex<vt100::Parser>>,
}

pub fn lines(count: u16) -> std::num::NonZero<u16> {
    count.try_into().unwrap()
}

pub const LIMIT: Duration = Duration::from_secs(60);

impl Terminal {
    pub fn start(args: &[&str], columns: u16, rows: u16) -> Terminal {
        Terminal::with(args, &[], columns, rows)
    }

    /// The same, with more environment.
    pub fn with(args: &[&str], env: &[(&str, &str)], columns: u16, rows: u16) -> Terminal {
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
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(
            lines(rows),
            lines(columns),
            0,
        )));
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

    /// The program's process.
    pub fn id(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    pub fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    pub fn alternate(&self) -> bool {
        self.screen.lock().unwrap().screen().alternate_screen()
    }

    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn(&Terminal) -> bool) {
        self.within(LIMIT, what, holds);
    }

    #[track_caller]
    pub fn within(&self, limit: Duration, what: &str, holds: impl Fn(&Terminal) -> bool) {
        let deadline = Instant::now() + limit;
        while !holds(self) {
            assert!(Instant::now() < deadline, "never: {what}\n{}", self.text());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    #[track_caller]
    pub fn shows(&self, words: &str) {
        self.until(words, |terminal| terminal.text().contains(words));
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    #[track_caller]
    pub fn ends(&mut self) -> u32 {
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

    pub fn signal(&self, name: &str) {
        let pid = self.id().to_string();
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
