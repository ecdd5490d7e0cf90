//! The simulated cluster served on loopback to a program in another process, which may be killed.
//!
//! One connection at a time, one request after the other, each a length and its JSON. The program brings its
//! clock along with every request, and the simulation follows it: so neither waits for real time to pass.

use crate::journeys::{Objects, objects, watch_listeners, writes};
use http::Request;
use http_body_util::BodyExt;
use kube::client::Body;
use meshscrape::demo::{RequestRecord, Simulation};
use meshscrape::plan::record::Entry;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::time::Instant;
use tower::{Service, ServiceExt};

/// A request on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    /// The program's clock.
    pub clock: Duration,
    pub method: String,
    pub uri: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// An answer on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answered {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// Writes one frame.
pub fn send<T: Serialize>(stream: &mut TcpStream, value: &T) -> io::Result<()> {
    let bytes = serde_json::to_vec(value)?;
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&bytes)
}

/// Reads one frame.
pub fn receive<T: for<'a> Deserialize<'a>>(stream: &mut TcpStream) -> io::Result<T> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// Where the program is killed, seen from its n-th write, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It has asked, and the write is not done.
    Before,
    /// The write is done, and the program never sees the answer.
    AnswerLost,
    /// The program has the answer, and asks for the next thing.
    After,
}

/// What the program printed, and how it ended; `None`: it was killed.
#[derive(Debug)]
pub struct Told {
    pub code: Option<i32>,
    pub words: String,
}

/// A cluster and the state folder of the program that writes to it.
pub struct Served {
    pub simulation: Simulation,
    listener: TcpListener,
    begun: Instant,
    state: tempfile::TempDir,
    naked: Arc<Mutex<Vec<String>>>,
    /// The writes that were carried out for the program that ran last.
    pub written: Vec<String>,
}

/// Memory where there is some to be had: a journal that is synced to a disk costs more than the whole run.
fn quick_folder() -> tempfile::TempDir {
    let shm = Path::new("/dev/shm");
    tempfile::tempdir_in(if shm.is_dir() { shm } else { Path::new("/tmp") }).unwrap()
}

/// Longer than any program of these tests takes, on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(300);

impl Served {
    /// Must be called within a runtime whose clock is paused.
    pub fn new() -> Served {
        let begun = Instant::now();
        let simulation = Simulation::builtin();
        simulation.quick();
        let naked: Arc<Mutex<Vec<String>>> = Arc::default();
        watch_listeners(&simulation, &naked);
        Served {
            simulation,
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            begun,
            state: quick_folder(),
            naked,
            written: Vec::new(),
        }
    }

    pub fn objects(&self) -> Objects {
        objects(&self.simulation)
    }

    /// The program, and all that it says. `room`: what a file of its own may hold, in bytes.
    fn start(&self, args: &str, room: Option<u64>) -> (Child, JoinHandle<String>) {
        let (mut said, out) = io::pipe().unwrap();
        let mut command = Command::new("sh");
        // With the signal ignored, a write beyond the limit fails as on a full disk: part of it is done.
        let limit = room.map_or(String::new(), |bytes| {
            format!("ulimit -f {}; ", bytes / 512)
        });
        command
            .args(["-c", &format!("trap '' XFSZ; {limit}exec \"$@\""), "sh"])
            .arg(std::env::current_exe().unwrap())
            .args([
                "kill::program::as_told",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env("XDG_STATE_HOME", self.state.path())
            .env(
                "MESHSCRAPE_TEST_SERVER",
                self.listener.local_addr().unwrap().to_string(),
            )
            .env(
                "MESHSCRAPE_TEST_CLOCK",
                self.begun.elapsed().as_nanos().to_string(),
            )
            .env("MESHSCRAPE_TEST_ARGS", args)
            .stdin(Stdio::null())
            .stderr(out.try_clone().unwrap())
            .stdout(out);
        let child = command.spawn().unwrap();
        // The writing end goes with it, so that the reading one comes to an end.
        drop(command);
        let words = std::thread::spawn(move || {
            let mut words = String::new();
            said.read_to_string(&mut words).unwrap();
            words
        });
        (child, words)
    }

    /// Runs the program, kills it where that is wanted, and tells how it ended.
    pub async fn run(&mut self, args: &str, kill: Option<(usize, Moment)>) -> Told {
        self.run_on(args, kill, None).await
    }

    /// The same, on a disk that has room for so many bytes in a file.
    pub async fn run_on(
        &mut self,
        args: &str,
        kill: Option<(usize, Moment)>,
        room: Option<u64>,
    ) -> Told {
        self.written.clear();
        let (mut child, words) = self.start(args, room);
        let connected = self.connected(&mut child);
        if let Some(mut stream) = connected {
            self.serve(&mut stream, &mut child, kill).await;
        }
        let status = child.wait().unwrap();
        let words = words.join().unwrap();
        let code = words
            .lines()
            .find_map(|line| line.strip_prefix("exit code ")?.parse().ok());
        assert!(
            code.is_some() || status.code().is_none(),
            "it neither ended nor was killed:\n{words}"
        );
        assert_eq!(*self.naked.lock().unwrap(), [""; 0], "listeners without");
        Told { code, words }
    }

    fn connected(&self, child: &mut Child) -> Option<TcpStream> {
        self.listener.set_nonblocking(true).unwrap();
        let deadline = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < deadline {
            if let Ok((stream, _)) = self.listener.accept() {
                stream.set_nonblocking(false).unwrap();
                stream.set_nodelay(true).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                return Some(stream);
            }
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        None
    }

    async fn serve(
        &mut self,
        stream: &mut TcpStream,
        child: &mut Child,
        kill: Option<(usize, Moment)>,
    ) {
        while let Ok(asked) = receive::<Asked>(stream) {
            if let Some(ahead) = asked.clock.checked_sub(self.begun.elapsed())
                && !ahead.is_zero()
            {
                tokio::time::advance(ahead).await;
            }
            let record = RequestRecord {
                method: asked.method.clone(),
                path: asked.uri.clone(),
                status: 0,
            };
            let write = writes(&record) && !asked.uri.contains("/proxy/");
            let here = |moment| kill == Some((self.written.len() + usize::from(write), moment));
            if kill == Some((self.written.len(), Moment::After)) || (write && here(Moment::Before))
            {
                child.kill().unwrap();
                return;
            }
            let last = write && here(Moment::AnswerLost);
            if write {
                self.announced(&asked);
            }
            let line = format!("{} {}", asked.method, asked.uri);
            let answered = self.answer(asked).await;
            if write && answered.status < 300 {
                self.written.push(line);
            }
            if last {
                child.kill().unwrap();
                return;
            }
            if send(stream, &answered).is_err() {
                return;
            }
        }
    }

    async fn answer(&self, asked: Asked) -> Answered {
        let mut request = Request::builder()
            .method(asked.method.as_str())
            .uri(&asked.uri);
        for (name, value) in &asked.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(asked.body.into_bytes())).unwrap();
        let mut service = self.simulation.service();
        let answer = service.ready().await.unwrap().call(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answered {
            status: parts.status.as_u16(),
            headers: super::headers(&parts.headers),
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// No write without its line: the journal names the object before the request comes in. Lock and record
    /// are what a run is kept by, and stand beside it.
    fn announced(&self, asked: &Asked) {
        let path = asked.uri.split('?').next().unwrap_or_default();
        if path.contains("/secrets/") || path.contains("/leases") {
            return;
        }
        let announced = self.journal().iter().any(|entry| match entry {
            Entry::Intent(intent) => intent.object.path() == path,
            Entry::Release { object, .. } => object.path() == path,
            _ => false,
        });
        assert!(
            announced,
            "{} {path} without a line before it",
            asked.method
        );
    }

    /// Every whole line of every run, in no order.
    pub fn journal(&self) -> Vec<Entry> {
        let texts = self.files().into_iter();
        texts
            .flat_map(|text| {
                let lines = text.lines().map(serde_json::from_str);
                lines.filter_map(Result::ok).collect::<Vec<Entry>>()
            })
            .collect()
    }

    /// The text of every run's file, in no order.
    pub fn files(&self) -> Vec<String> {
        let mut folders: Vec<PathBuf> = vec![self.state.path().join("meshscrape")];
        let mut texts = Vec::new();
        while let Some(folder) = folders.pop() {
            for found in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = found.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "jsonl") {
                    texts.push(std::fs::read_to_string(path).unwrap());
                }
            }
        }
        texts
    }
}
