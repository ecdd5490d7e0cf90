//! Expected pods against what each Prometheus replica sees: the state of every target, with its cause.

mod address;
mod awaited;
mod board;
mod cause;
mod memory;
mod reaching;
mod standing;
mod wait;

#[cfg(test)]
mod tests;

pub use crate::reach::certificates::Files;
pub use address::place;
pub use awaited::{Awaited, Lacking};
pub use board::{BoardInput, board, may_probe, next_scrape, stale};
pub use cause::{About, cause, group};
pub use memory::Memory;
pub use reaching::links;
pub use standing::{Ground, Guard, Objects, Policy, Read, Standing, standing};
pub use wait::Waits;

use crate::answers::MetricsPort;
use crate::mesh::OtherPods;
use crate::mesh::kinds::WorkloadRef;
use crate::mesh::objects::Labels;
use crate::problems::Problem;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// A pod that should be scraped over mTLS, from the cluster's point of view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub item: WorkloadRef,
    pub gateway: bool,
    pub pod: String,
    pub uid: String,
    pub ip: Option<String>,
    pub phase: String,
    pub ready: bool,
    pub sidecar: bool,
    /// The value of `prometheus.istio.io/secure-port`; `None`: not marked (yet).
    pub secure_port: Option<String>,
    /// What the pod's template says of it, where the pod is known to be of that template; else `None`.
    pub template_port: Option<String>,
    pub started: Option<Timestamp>,
    pub port: MetricsPort,
    /// The port inside the pod that this is: the agent's may have been moved.
    pub behind: u16,
    pub labels: Arc<Labels>,
    /// Its own proxy opens the secure port, by a setting of its environment.
    pub native: bool,
}

impl Expected {
    /// The template's value, where the running pod was annotated otherwise.
    fn strayed(&self) -> Option<&str> {
        let wanted = self.template_port.as_deref()?;
        (self.secure_port.as_deref() != Some(wanted)).then_some(wanted)
    }
}

/// What one Prometheus replica says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replica {
    pub pod: String,
    /// Why it could not be asked; the rest is then of `asked_at` or empty.
    pub error: Option<String>,
    pub asked_at: Option<Timestamp>,
    /// What its own clock said when it was asked: its times are compared with no other clock.
    pub now: Option<Timestamp>,
    /// Secure jobs in its *running* configuration.
    pub jobs_loaded: Vec<String>,
    /// Jobs whose scrape pool exists: a job without one failed to load (certificates unreadable).
    pub pools: Vec<String>,
    /// Of the files that such jobs name.
    pub files: Files,
    /// When it loaded its configuration, by its own clock; asked where a job failed.
    pub loaded_at: Option<Timestamp>,
    /// It takes reload requests.
    pub reloads: bool,
    pub targets: Vec<Target>,
}

/// One active target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    pub job: String,
    pub url: String,
    pub namespace: String,
    pub pod: String,
    pub health: Health,
    /// Prometheus's own words; empty when UP.
    pub last_error: String,
    /// When the last scrape began.
    pub last_scrape: Option<Timestamp>,
    pub took: Duration,
    pub interval: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    Up,
    Down,
    #[default]
    Unknown,
}

/// What plaintext to the secure port got, asked through the API server's pod proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Probe {
    #[default]
    NotAsked,
    /// Reset: what "secured" needs.
    Refused,
    /// Metrics came in plaintext.
    Served,
    /// It could not be told, and asking again tells no more: no permission; in words.
    Unknown(String),
    /// An answer that proves neither, as a proxy gives while its listeners change: the next one may; in words.
    Unclear(String),
}

/// One line of the status table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub expected: Expected,
    pub state: State,
    pub probe: Probe,
    pub guard: Guard,
    pub last_scrape: Option<Timestamp>,
    pub took: Option<Duration>,
    /// Seconds of the last scrapes, oldest first, at most [`TREND`].
    pub trend: Vec<f32>,
    pub next_scrape: Option<Duration>,
    /// It is no target because the user left its item out: it counts as nothing that should be UP.
    pub left_out: bool,
}

pub const TREND: usize = 16;

#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// UP over mTLS, by a scrape begun after the last change. `double`: also scraped in plaintext, by this job.
    Up { double: Option<String> },
    /// UP, but a policy changed under a live connection: counts when it is still so at that time.
    Unsettled { until: Timestamp },
    Down {
        error: String,
        cause: Option<Box<Problem>>,
    },
    /// Nothing is wrong yet. `replica`: of Prometheus, named where the replicas disagree.
    Waiting { on: Waits, replica: Option<String> },
    /// Scraped, but only in plaintext, by this job.
    Plaintext { job: String },
    /// Its pod has no sidecar.
    NotCovered,
}

impl State {
    /// How much it needs a look, the greatest first; zero: nothing is wrong.
    pub fn gravity(&self) -> u8 {
        match self {
            State::Down { .. } => 5,
            State::Waiting { .. } => 4,
            State::Plaintext { .. } => 3,
            State::NotCovered => 2,
            State::Up { double: Some(_) } => 1,
            State::Unsettled { .. } | State::Up { double: None } => 0,
        }
    }

    /// The job that scrapes it in plaintext.
    pub fn plaintext_job(&self) -> Option<&str> {
        match self {
            State::Plaintext { job } | State::Up { double: Some(job) } => Some(job),
            _ => None,
        }
    }
}

/// The whole table at one moment.
#[derive(Clone, Debug, Default)]
pub struct Board {
    pub at: Option<Timestamp>,
    pub rows: Vec<Arc<Row>>,
    pub replicas: Vec<ReplicaNote>,
    pub counts: Counts,
    /// Who else has the identity that the ports let in.
    pub shared_with: Vec<String>,
    /// Pods beside them that cannot be targets over mTLS: of Jobs, of other controllers, of nobody.
    pub others: Vec<Arc<OtherPods>>,
    /// Why the figures are old, since when; `None`: they are fresh.
    pub stale: Option<(String, Timestamp)>,
}

/// A Prometheus replica in one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaNote {
    pub pod: String,
    pub error: Option<String>,
    pub job_loaded: bool,
    /// Jobs that a reload would start: their certificates came after the configuration was loaded.
    pub late: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub up: usize,
    pub down: usize,
    pub waiting: usize,
    pub plaintext: usize,
    pub not_covered: usize,
    /// UP, plaintext seen refused, and every object that guards the port seen to stand.
    pub refused: usize,
    /// Of those, the ones that nothing scrapes in plaintext besides.
    pub secured: usize,
    /// UP, and scraped in plaintext besides.
    pub double: usize,
    /// An object that opens or guards the port is gone or altered.
    pub unguarded: usize,
    /// No targets, by the user's word; not among the others.
    pub left_out: usize,
}

impl Counts {
    pub fn all(&self) -> usize {
        self.up + self.down + self.waiting + self.plaintext + self.not_covered
    }
}
