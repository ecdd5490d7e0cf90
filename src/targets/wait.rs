//! What a target waits for, in words.

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

/// `Some`: nothing can be asked of Prometheus about this pod yet.
pub(super) fn pod(one: &Expected) -> Option<String> {
    if one.pod.is_empty() {
        return Some("a pod: none runs yet".into());
    }
    match one.phase.as_str() {
        "Running" => None,
        "" => Some("the pod to start".into()),
        phase => Some(format!("the pod to start ({phase})")),
    }
}

pub(super) const READY: &str = "the rollout: the pod is not ready yet";
pub(super) const OLD_POD: &str = "the rollout: this pod is from before it";
pub(super) const RESTART: &str = "the rollout: the pod's restart brings the sidecar";
pub(super) const MARK: &str =
    "its mark: the pod carries no annotation prometheus.istio.io/secure-port yet";
pub(super) const MARK_LOST: &str = "its mark: others of the workload carry prometheus.istio.io/secure-port, this pod does not \
     (a mark on running pods goes with the pod)";
pub(super) const SETTLING: &str =
    "the next scrape: a policy changed a minute ago, and it counts once more";

pub(super) fn replica(name: &str, error: &str) -> String {
    format!("an answer from Prometheus {name}: {error}")
}

pub(super) fn config(touched: Option<Timestamp>, now: Timestamp) -> String {
    let Some(since) = touched else {
        return "a secure scrape job: none is in Prometheus's running configuration".into();
    };
    format!(
        "Prometheus to load the scrape job: the file reaches it in about a minute ({} gone by)",
        seconds(memory::gone_by(since, now))
    )
}

pub(super) fn pool(gone_by: Duration, files: &Files) -> String {
    let seconds = seconds(gone_by);
    match files {
        Files::Awaited => format!(
            "the certificates of the scrape job: istio-proxy beside Prometheus has none from istiod yet ({seconds} gone by)"
        ),
        _ => format!(
            "the scrape job to start: Prometheus has it in its configuration but not at work, as when its \
             certificates are not there yet ({seconds} gone by)"
        ),
    }
}

pub(super) fn discovery(one: &Expected, memory: &Memory, now: Timestamp) -> String {
    let age = memory.age(&one.uid, now);
    let words = "Prometheus to discover the pod";
    if age < DISCOVERY_PATIENCE {
        return words.into();
    }
    format!(
        "{words}: {} gone by, so look whether Prometheus may list pods (ClusterRole), and at the job's relabel rules",
        seconds(age)
    )
}

pub(super) fn first_scrape(next: Option<Duration>) -> String {
    about("the first scrape", next)
}

/// `error`: what the last scrape before the change failed with; it may still be so.
pub(super) fn scrape_after_change(next: Option<Duration>, error: Option<&str>) -> String {
    let words = about("the first scrape after the change", next);
    match error {
        Some(error) => format!("{words}; the last one failed: {error}"),
        None => words,
    }
}

fn about(what: &str, next: Option<Duration>) -> String {
    match next.map(|next| next.as_secs()) {
        Some(next) if next > 0 => format!("{what}, in about {next} s"),
        _ => what.to_owned(),
    }
}

/// Until the next scrape, by Prometheus's clock; between zero and the interval.
pub(super) fn next(target: &Target, replica_now: Option<Timestamp>) -> Option<Duration> {
    let gone = memory::gone_by(target.last_scrape?, replica_now?);
    Some(target.interval.saturating_sub(gone))
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        short @ 0..120 => format!("{short} s"),
        long => format!("{} min", long / 60),
    }
}
