//! The real program as a process, with a state folder of its own.

use crate::forecast;
use crate::shell::{Ran, run, tail};
use crate::user;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

/// The program as one user of one machine runs it.
pub struct Program {
    state: PathBuf,
    /// What every call says after the command's name.
    choices: Vec<String>,
    who: Who,
    /// Made by the first call, when its namespace stands.
    kubeconfig: OnceLock<Result<PathBuf, String>>,
}

/// Who runs it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Of the namespace of its Prometheus, see `user.rs`.
    User,
    /// Who may do everything, the cluster's lock included.
    Administrator,
}

/// The last line that `apply` and `undo` print, and how they ended.
pub struct Told {
    pub code: i32,
    pub last: Value,
    pub text: String,
    /// Whether Prometheus's targets are as the plan before it had said; `None`: not asked.
    pub forecast: Option<Result<String, String>>,
}

/// Users of different namespaces have nothing to do with each other. An administrator honours every lock there is: it
/// writes while nobody else does.
static WRITES: RwLock<()> = RwLock::new(());

/// For as long as a user's run writes.
pub fn beside() -> RwLockReadGuard<'static, ()> {
    WRITES.read().unwrap_or_else(PoisonError::into_inner)
}

/// The operator's reloader may look at its file every three minutes only, and a run waits for it twice.
const LIMIT: Duration = Duration::from_secs(780);

impl Program {
    /// As a user of its Prometheus's namespace.
    pub fn new(cell: &str, choices: &[String]) -> Result<Program, String> {
        Program::of(cell, choices, Who::User)
    }

    pub fn of_administrator(cell: &str, choices: &[String]) -> Result<Program, String> {
        Program::of(cell, choices, Who::Administrator)
    }

    fn of(cell: &str, choices: &[String], who: Who) -> Result<Program, String> {
        let state = folder().join(cell);
        let _ = std::fs::remove_dir_all(&state);
        std::fs::create_dir_all(&state).map_err(|e| format!("{}: {e}", state.display()))?;
        Ok(Program {
            state,
            choices: choices.to_vec(),
            who,
            kubeconfig: OnceLock::new(),
        })
    }

    fn call(&self, words: &[&str], choices: bool) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meshscrape"));
        command.args(words).env("XDG_STATE_HOME", &self.state);
        if self.who == Who::User {
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
        }
        if choices {
            command.args(&self.choices);
        }
        run(&mut command, "", LIMIT)
    }

    /// A call that writes.
    fn writes(&self, words: &[&str], choices: bool) -> Result<Told, String> {
        let (_beside, _alone) = match self.who {
            Who::User => (Some(beside()), None),
            Who::Administrator => (
                None,
                Some(WRITES.write().unwrap_or_else(PoisonError::into_inner)),
            ),
        };
        told(self.call(words, choices))
    }

    fn user(&self) -> Result<PathBuf, String> {
        let at = self.choices.iter().position(|word| word == "--prometheus");
        let prometheus = at.and_then(|at| self.choices.get(at + 1));
        let namespace = prometheus.and_then(|name| Some(name.split_once('/')?.0));
        user::kubeconfig(namespace.ok_or("no choice names a Prometheus")?)
    }

    /// Where it ends well, its forecast is held against what Prometheus reports.
    pub fn apply(&self) -> Result<Told, String> {
        let plan = self.plan().map(|(_, plan)| plan["forecast"].clone());
        let mut told = self.writes(&["apply", "--yes", "--lose-history", "--json"], true)?;
        if told.code == 0 {
            told.forecast = Some(plan.and_then(|forecast| forecast::held(&forecast)));
        }
        Ok(told)
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
        self.writes(&["undo", "--yes", "--lose-history", "--json"], false)
    }

    /// The same, with the word that a listener without its policies may come back.
    pub fn undo_reopening(&self) -> Result<Told, String> {
        let words = ["undo", "--yes", "--lose-history", "--reopen", "--json"];
        self.writes(&words, false)
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
        forecast: None,
    })
}

impl Told {
    /// Ended with 0, with the targets that were forecast.
    pub fn well(&self) -> Result<String, String> {
        match self.code {
            0 => match &self.forecast {
                Some(Err(why)) => Err(format!("the forecast does not hold: {why}")),
                Some(Ok(words)) => Ok(format!("{} written, forecast: {words}", self.written())),
                None => Ok(format!("{} written", self.written())),
            },
            code => Err(format!("exit {code}\n{}", tail(&self.text, 20))),
        }
    }

    pub fn written(&self) -> usize {
        self.last["written"].as_array().map_or(0, Vec::len)
    }
}
