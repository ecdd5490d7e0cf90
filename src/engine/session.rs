//! What every job of the engine works with: the cluster, the journal, the clock. Demo swaps these three.

use crate::cluster::Cluster;
use crate::error::Error;
use crate::plan::record::{Entry, Who};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use tokio::time::Instant;

#[derive(Clone)]
pub struct Session {
    pub cluster: Cluster,
    pub journal: Arc<dyn Journal>,
    pub clock: Clock,
    /// Who writes, for the journal and the lock.
    pub who: Who,
}

/// This process, on this machine, of this user.
pub fn here() -> Who {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = named("USER")
        .or_else(|| named("LOGNAME"))
        .unwrap_or_else(|| rustix::process::getuid().as_raw().to_string());
    Who {
        user,
        host: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        pid: std::process::id(),
        program: env!("CARGO_PKG_VERSION").into(),
    }
}

/// Where records of writes are kept. Appending returns only when the line is safe.
pub trait Journal: Send + Sync {
    /// # Errors
    /// The line could not be kept: nothing may then be written to the cluster.
    fn append(&self, entry: &Entry) -> Result<(), Error>;
    /// Every entry of a run, oldest first; `None`: of the newest run that is not itself an undo and has not been undone.
    fn run(&self, run: Option<&str>) -> Result<Vec<Entry>, Error>;
    /// Runs by id, newest first, with the time they began, their context and how they ended.
    fn runs(&self) -> Result<Vec<RunNote>, Error>;
    /// Ids of runs whose entries stand here and cannot be read, newest first.
    fn damaged(&self) -> Vec<String> {
        Vec::new()
    }
    /// What reading and appending found wrong and went on from (a torn last line …), in words; each once.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunNote {
    pub run: String,
    pub at: Timestamp,
    pub context: String,
    /// `whole`, `partWay`, `undone`; `None`: it never said, so it was cut off.
    pub how: Option<String>,
    pub undoes: Option<String>,
    /// Who ran it and where, where the record says so.
    pub by: Option<String>,
}

impl RunNote {
    /// A change that was taken back while its run went on, not the undo of the run.
    pub fn is_part(&self) -> bool {
        self.undoes
            .as_deref()
            .and_then(|run| self.run.strip_prefix(run))
            .is_some_and(|rest| rest.starts_with(PART))
    }
}

/// What stands between a run's id and the number of a change of it that was taken back.
pub const PART: &str = "-b";

/// Wall-clock time that follows tokio's clock, so that tests can pause it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Timestamp,
    at: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Clock {
            start: Timestamp::now(),
            at: Instant::now(),
        }
    }
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        self.start + SignedDuration::try_from(self.at.elapsed()).unwrap_or_default()
    }
}
