//! The real program as a process, with a state folder of its own.

use crate::shell::{Ran, run, tail};
use crate::user;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// The program as one user of one machine runs it.
pub struct Program {
    state: PathBuf,
    /// What every call says after the command's name.
    choices: Vec<String>,
    /// Of the user of its Prometheus's namespace, made by the first call, when that stands.
    kubeconfig: OnceLock<Result<PathBuf, String>>,
}

/// The last line that `apply` and `undo` print, and how they ended.
pub struct Told {
    pub code: i32,
    pub last: Value,
    pub text: String,
}

const LIMIT: Duration = Duration::from_secs(480);

impl Program {
    pub fn new(cell: &str, choices: &[String]) -> Result<Program, String> {
        let state = folder().join(cell);
        let _ = std::fs::remove_dir_all(&state);
        std::fs::create_dir_all(&state).map_err(|e| format!("{}: {e}", state.display()))?;
        Ok(Program {
            state,
            choices: choices.to_vec(),
            kubeconfig: OnceLock::new(),
        })
    }

    fn call(&self, words: &[&str], choices: bool) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meshscrape"));
        command.args(words).env("XDG_STATE_HOME", &self.state);
        match self.kubeconfig.get_or_init(|| self.user()) {
            Ok(file) => command.env("KUBECONFIG", file),
            Err(error) => {
                return Ran {
                    code: None,
                    out: String::new(),
                    err: error.clone(),
                };
            }
        };
        if choices {
            command.args(&self.choices);
        }
        run(&mut command, "", LIMIT)
    }

    fn user(&self) -> Result<PathBuf, String> {
        let at = self.choices.iter().position(|word| word == "--prometheus");
        let prometheus = at.and_then(|at| self.choices.get(at + 1));
        let namespace = prometheus.and_then(|name| Some(name.split_once('/')?.0));
        user::kubeconfig(namespace.ok_or("no choice names a Prometheus")?)
    }

    pub fn apply(&self) -> Result<Told, String> {
        told(self.call(&["apply", "--yes", "--lose-history", "--json"], true))
    }

    /// The exit code, and the table as JSON.
    pub fn status(&self) -> Result<(i32, Value), String> {
        let ran = self.call(&["status", "--json"], true);
        let code = ran.code.ok_or("status was not done in time")?;
        let text = format!("{}{}", ran.out, ran.err);
        let status = serde_json::from_str(&ran.out).map_err(|_| tail(&text, 20))?;
        Ok((code, status))
    }

    pub fn undo(&self) -> Result<Told, String> {
        told(self.call(&["undo", "--yes", "--lose-history", "--json"], false))
    }

    /// The same, with the word that a listener without its policies may come back.
    pub fn undo_reopening(&self) -> Result<Told, String> {
        let words = ["undo", "--yes", "--lose-history", "--reopen", "--json"];
        told(self.call(&words, false))
    }

    /// The exit code, and what was said, of a call that should not get far.
    pub fn refused(&self, words: &[&str]) -> Result<(i32, String), String> {
        let ran = self.call(words, true);
        let text = format!("{}{}", ran.out, ran.err);
        let code = ran.code.ok_or("it was not done in time")?;
        Ok((code, tail(&text, 20)))
    }

    /// The exit code, and the plan as JSON.
    pub fn plan(&self) -> Result<(i32, Value), String> {
        let ran = self.call(&["plan", "--json"], true);
        let text = format!("{}{}", ran.out, ran.err);
        let code = ran.code.ok_or("plan was not done in time")?;
        let plan = serde_json::from_str(&ran.out).map_err(|_| tail(&text, 20))?;
        Ok((code, plan))
    }
}

/// What a run of the harness leaves: state folders, the table, evidence.
pub fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/target").into());
    target.join("mesh")
}

fn told(ran: Ran) -> Result<Told, String> {
    let text = format!("{}{}", ran.out, ran.err);
    let code = ran
        .code
        .ok_or_else(|| format!("not done in time:\n{}", tail(&text, 20)))?;
    let last = ran.out.lines().last().unwrap_or_default();
    Ok(Told {
        code,
        last: serde_json::from_str(last).unwrap_or_default(),
        text,
    })
}

impl Told {
    /// Ended with 0.
    pub fn well(&self) -> Result<String, String> {
        match self.code {
            0 => Ok(format!("{} written", self.written())),
            code => Err(format!("exit {code}\n{}", tail(&self.text, 20))),
        }
    }

    pub fn written(&self) -> usize {
        self.last["written"].as_array().map_or(0, Vec::len)
    }
}
