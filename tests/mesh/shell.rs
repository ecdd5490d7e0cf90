//! What the cells do from outside the program: processes with a deadline, and requests over bare TCP.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How a process ended.
pub struct Ran {
    /// `None`: it was ended because its time was over.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn ok(self, what: &str) -> Result<String, String> {
        match self.code {
            Some(0) => Ok(self.out),
            code => Err(format!(
                "{what}: {}\n{}",
                code.map_or("not done in time".into(), |code| format!("exit {code}")),
                tail(&format!("{}{}", self.out, self.err), 30)
            )),
        }
    }
}

/// The last lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Runs to the end, or to the end of its time.
pub fn run(command: &mut Command, input: &str, within: Duration) -> Ran {
    let spawned = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            let name = command.get_program().display();
            return Ran {
                code: None,
                out: String::new(),
                err: format!("{name} cannot be started: {error}"),
            };
        }
    };
    let reader = |stream: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut stream) = stream {
                let _ = stream.read_to_end(&mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let out = reader(child.stdout.take().map(|s| Box::new(s) as _));
    let err = reader(child.stderr.take().map(|s| Box::new(s) as _));
    if let Some(mut stdin) = child.stdin.take() {
        // A process that reads nothing is no fault of the writer.
        let _ = stdin.write_all(input.as_bytes());
    }
    let deadline = Instant::now() + within;
    let code = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status.code().or(Some(-1)),
            Ok(None) if Instant::now() < deadline => pause(20),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
        }
    };
    Ran {
        code,
        out: out.join().unwrap_or_default(),
        err: err.join().unwrap_or_default(),
    }
}

pub fn pause(milliseconds: u64) {
    std::thread::park_timeout(Duration::from_millis(milliseconds));
}

/// The longest that one call may take: a namespace with a gateway is gone after its pods' grace and the
/// controller's own pauses, which are long while all cells are at work.
const KUBECTL: Duration = Duration::from_secs(300);

pub fn kubectl(args: &[&str]) -> Result<String, String> {
    let mut command = Command::new("kubectl");
    run(command.args(args), "", KUBECTL).ok(&format!("kubectl {}", args.join(" ")))
}

/// `kubectl apply` of some objects, as a person does it.
pub fn apply(objects: &[Value]) -> Result<(), String> {
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
    let mut command = Command::new("kubectl");
    run(
        command.args(["apply", "-f", "-"]),
        &list.to_string(),
        KUBECTL,
    )
    .ok("kubectl apply")
    .map(drop)
}

pub fn get(args: &[&str]) -> Result<Value, String> {
    let all: Vec<&str> = ["get", "-o", "json"].iter().chain(args).copied().collect();
    let text = kubectl(&all)?;
    serde_json::from_str(&text).map_err(|error| format!("kubectl get: {error}"))
}

pub fn rolled_out(namespace: &str, deployment: &str) -> Result<(), String> {
    let name = format!("deployment/{deployment}");
    kubectl(&[
        "rollout",
        "status",
        "-n",
        namespace,
        &name,
        "--timeout=110s",
    ])
    .map(drop)
}

/// A shell's words inside a container.
pub fn exec(namespace: &str, pod: &str, container: &str, script: &str) -> Result<String, String> {
    let args = [
        "exec", "-n", namespace, pod, "-c", container, "--", "sh", "-c",
    ];
    let all: Vec<&str> = args.iter().copied().chain([script]).collect();
    let mut command = Command::new("kubectl");
    run(command.args(&all), "", KUBECTL).ok(&format!("exec in {namespace}/{pod} {container}"))
}

/// A plain HTTP request from this machine; the status and the body.
pub fn http(method: &str, host: &str, port: u16, path: &str) -> Result<(u16, String), String> {
    let failed = |error: std::io::Error| format!("{method} http://{host}:{port}{path}: {error}");
    let limit = Duration::from_secs(10);
    let address = (host, port)
        .to_socket_addrs()
        .map_err(failed)?
        .next()
        .ok_or("no address")?;
    let mut stream = TcpStream::connect_timeout(&address, limit).map_err(failed)?;
    stream.set_read_timeout(Some(limit)).map_err(failed)?;
    // HTTP/1.0: no keep-alive, no chunks.
    let head = format!("{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(head.as_bytes()).map_err(failed)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| format!("no HTTP answer from {host}:{port}: {head:?}"))?;
    Ok((status, body.to_owned()))
}

/// Asks again until it holds; the last reason where it never does.
pub fn until<T>(within: Duration, ask: impl Fn() -> Result<T, String>) -> Result<T, String> {
    let begun = Instant::now();
    loop {
        match ask() {
            Ok(found) => return Ok(found),
            Err(why) if begun.elapsed() >= within => {
                return Err(format!("after {} s: {why}", within.as_secs()));
            }
            Err(_) => pause(500),
        }
    }
}
