//! What a target waits for.

use super::{Expected, Files, Memory, Target, memory};
use jiff::Timestamp;
use std::time::Duration;

/// A pool may be missing for a moment after a reload, and while the certificates are being written.
pub(super) const POOL_PATIENCE: Duration = Duration::from_secs(60);
/// With its files there a pool is made at the first update of discovery, which are 5 s apart.
pub(super) const POOL_DUE: Duration = Duration::from_secs(15);
/// Service discovery in Prometheus sends updates every 5 s.
const DISCOVERY_PATIENCE: Duration = Duration::from_secs(120);
/// How long a pod that is not ready may fail to answer without being called DOWN.
pub(super) const START_PATIENCE: Duration = Duration::from_secs(120);

/// What is still to come before a target can be UP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waits {
    NoPod,
    /// `phase`: empty where it is not known.
    Start {
        phase: String,
    },
    Ready,
    /// The pod is from before the rollout.
    OldPod,
    /// The pod's restart brings its sidecar.
    Restart,
    Annotation,
    /// Others of the workload have the annotation.
    AnnotationLost,
    /// A policy changed a minute ago: one more scrape counts.
    PolicySettles,
    /// No pod of Prometheus runs.
    NoPrometheus,
    Answer {
        replica: String,
        error: String,
    },
    /// No secure job is in the running configuration.
    NoJob,
    Load {
        gone_by: Duration,
    },
    Certificates {
        gone_by: Duration,
    },
    JobStart {
        gone_by: Duration,
    },
    /// `late`: for longer than it should take.
    Discovery {
        late: Option<Duration>,
    },
    FirstScrape {
        next: Option<Duration>,
    },
    /// `error`: of the last scrape before the change; it may still be so.
    ScrapeAfterChange {
        next: Option<Duration>,
        error: Option<String>,
    },
}

impl Waits {
    /// The same, but for times that only count on.
    pub fn is_like(&self, other: &Waits) -> bool {
        match (self, other) {
            (
                Waits::ScrapeAfterChange { error, .. },
                Waits::ScrapeAfterChange { error: same, .. },
            ) => error == same,
            (Waits::Discovery { late }, Waits::Discovery { late: same }) => {
                late.is_some() == same.is_some()
            }
            (
                Waits::Load { .. }
                | Waits::Certificates { .. }
                | Waits::JobStart { .. }
                | Waits::FirstScrape { .. },
                _,
            ) => std::mem::discriminant(self) == std::mem::discriminant(other),
            _ => self == other,
        }
    }
}

/// `Some`: nothing can be asked of Prometheus about this pod yet.
pub(super) fn pod(one: &Expected) -> Option<Waits> {
    if one.pod.is_empty() {
        return Some(Waits::NoPod);
    }
    match one.phase.as_str() {
        "Running" => None,
        phase => Some(Waits::Start {
            phase: phase.to_owned(),
        }),
    }
}

pub(super) fn config(touched: Option<Timestamp>, now: Timestamp) -> Waits {
    match touched {
        None => Waits::NoJob,
        Some(since) => Waits::Load {
            gone_by: memory::gone_by(since, now),
        },
    }
}

pub(super) fn pool(gone_by: Duration, files: &Files) -> Waits {
    match files {
        Files::Awaited => Waits::Certificates { gone_by },
        _ => Waits::JobStart { gone_by },
    }
}

pub(super) fn discovery(one: &Expected, memory: &Memory, now: Timestamp) -> Waits {
    let age = memory.age(&one.uid, now);
    Waits::Discovery {
        late: (age >= DISCOVERY_PATIENCE).then_some(age),
    }
}

/// Until the next scrape, by Prometheus's clock; between zero and the interval.
pub(super) fn next(target: &Target, replica_now: Option<Timestamp>) -> Option<Duration> {
    let gone = memory::gone_by(target.last_scrape?, replica_now?);
    Some(target.interval.saturating_sub(gone))
}
