//! What every job of the engine works with: the cluster, the journal, the clock. Demo swaps these three.

pub use super::process::here;
use super::process::sleep_ahead;
use crate::cluster::Cluster;
use crate::error::Error;
use crate::plan::record::{Entry, Who};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

#[derive(Clone)]
pub struct Session {
    pub cluster: Cluster,
    pub journal: Arc<dyn Journal>,
    pub clock: Clock,
    /// Who writes, for the journal and the lock.
    pub who: Who,
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
    /// The cluster's identity, where the record says it.
    pub cluster: Option<String>,
    /// It went as far as to write something.
    pub wrote: bool,
    /// `whole`, `partWay`, `undone`; `None`: it never said, so it was cut off.
    pub how: Option<String>,
    pub undoes: Option<String>,
    /// Who ran it and where, where the record says so.
    pub by: Option<String>,
}

impl RunNote {
    /// It wrote, and was neither taken back nor is it an undo itself.
    pub fn can_be_undone(&self) -> bool {
        self.wrote && self.undoes.is_none() && self.how.as_deref() != Some("undone")
    }

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

/// Wall-clock time that follows tokio's clock, so that tests can pause it, and counts the machine's sleep, which
/// tokio's does not.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Timestamp,
    at: Instant,
    sleep: Sleep,
}

/// How long the machine has slept since a clock began.
#[derive(Clone, Copy, Debug)]
enum Sleep {
    /// From what was ahead at the beginning.
    Measured(Duration),
    /// So many seconds, as a test says.
    Told(&'static AtomicU64),
}

impl Default for Clock {
    fn default() -> Self {
        Clock {
            start: Timestamp::now(),
            at: Instant::now(),
            sleep: Sleep::Measured(sleep_ahead()),
        }
    }
}

impl Clock {
    /// The clock of a machine that sleeps as long as it is told to, in seconds; for tests.
    pub fn sleeping(seconds: &'static AtomicU64) -> Self {
        Clock {
            sleep: Sleep::Told(seconds),
            ..Clock::default()
        }
    }

    pub fn now(&self) -> Timestamp {
        self.start + SignedDuration::try_from(self.elapsed()).unwrap_or_default()
    }

    /// Since the clock began, the machine's sleep counted.
    pub fn elapsed(&self) -> Duration {
        let slept = match self.sleep {
            // The two clocks are not read at one moment, which is no sleep.
            Sleep::Measured(ahead) => match sleep_ahead().saturating_sub(ahead) {
                slept if slept < Duration::from_secs(1) => Duration::ZERO,
                slept => slept,
            },
            Sleep::Told(seconds) => Duration::from_secs(seconds.load(Ordering::SeqCst)),
        };
        self.at.elapsed() + slept
    }
}
