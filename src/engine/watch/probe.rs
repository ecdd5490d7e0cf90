//! Does the secure port refuse plaintext? Asked through the API server's pod proxy, which a port-forward could not
//! prove. Never before the policies stand: a connection that once got metrics is kept alive and goes on getting them.

use crate::cluster::api::Proxied;
use crate::cluster::{ApiError, Cluster};
use crate::mesh::kinds::WorkloadRef;
use crate::targets::{Expected, Policy, Probe, Standing};
use crate::words::say::engine as say;
use futures::{StreamExt, stream};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

const SECURE_PORT: u16 = 15091;
/// At most one probe of a pod in this time.
const PAUSE: Duration = Duration::from_secs(30);
/// The API server keeps a connection alive for so long: metrics over it prove nothing.
const KEPT_ALIVE: Duration = Duration::from_secs(60);
const AT_ONCE: usize = 8;
/// What is not probed within this time waits for the next look.
const BUDGET: Duration = Duration::from_secs(5);

/// Answers by the pod's uid.
#[derive(Default)]
pub(super) struct Probes {
    memos: HashMap<String, Remembered>,
}

/// One answer.
pub(super) struct Memo {
    item: WorkloadRef,
    probe: Probe,
}

struct Remembered {
    memo: Memo,
    at: Instant,
    served_since: Option<Instant>,
}

impl Probes {
    /// A refusal stands until the item is touched or the pod changes.
    pub fn due(&self, uid: &str) -> bool {
        self.memos
            .get(uid)
            .is_none_or(|known| known.memo.probe != Probe::Refused && known.at.elapsed() >= PAUSE)
    }

    pub fn forget(&mut self, item: &WorkloadRef) {
        self.memos.retain(|_, known| known.memo.item != *item);
    }

    pub fn keep(&mut self, uids: &HashSet<&str>) {
        self.memos.retain(|uid, _| uids.contains(uid.as_str()));
    }

    pub fn take(&mut self, memos: Vec<(String, Memo)>) {
        let at = Instant::now();
        for (uid, memo) in memos {
            let before = self.memos.get(&uid).and_then(|known| known.served_since);
            let served_since = (memo.probe == Probe::Served).then(|| before.unwrap_or(at));
            let known = Remembered {
                memo,
                at,
                served_since,
            };
            self.memos.insert(uid, known);
        }
    }

    pub fn answers(&self) -> HashMap<String, Probe> {
        let answers = self.memos.iter();
        answers
            .map(|(uid, known)| (uid.clone(), known.answer()))
            .collect()
    }
}

impl Remembered {
    fn answer(&self) -> Probe {
        match self.served_since {
            Some(since) if self.at.duration_since(since) < KEPT_ALIVE => {
                Probe::Unclear(say::SERVED_BEFORE_THE_POLICY.into())
            }
            _ => self.memo.probe.clone(),
        }
    }
}

/// Probes the pods whose policies stand; what does not come in time is not among the answers.
pub(super) async fn ask(
    cluster: &Cluster,
    pods: Vec<Expected>,
    standing: &HashMap<String, Standing>,
) -> Vec<(String, Memo)> {
    let end = Instant::now() + BUDGET;
    let mut answers = stream::iter(pods)
        .map(|pod| async move {
            let policy = standing.get(&pod.uid).map(|is| is.policy);
            let probe = if policy == Some(Policy::NotStrict) {
                Probe::Unknown(say::NOT_CHECKED_NO_POLICY.into())
            } else {
                one(cluster, &pod).await
            };
            let memo = Memo {
                item: pod.item,
                probe,
            };
            (pod.uid, memo)
        })
        .buffer_unordered(AT_ONCE);
    let mut memos = Vec::new();
    while let Ok(Some(answer)) = tokio::time::timeout_at(end, answers.next()).await {
        memos.push(answer);
    }
    memos
}

async fn one(cluster: &Cluster, pod: &Expected) -> Probe {
    let port = pod
        .secure_port
        .as_deref()
        .and_then(|port| port.parse().ok());
    let answer = cluster
        .pod_proxy(
            &pod.item.namespace,
            &pod.pod,
            "http",
            port.unwrap_or(SECURE_PORT),
            "/stats/prometheus",
        )
        .await;
    match answer {
        Ok(answer) => judge(&answer, pod.native),
        Err(error) => not_asked(&error),
    }
}

fn not_asked(error: &ApiError) -> Probe {
    if error.is_from_api_server() {
        Probe::Unknown(say::not_checked_forbidden(&error.message))
    } else {
        Probe::Unclear(say::plaintext_not_tried(&error.message))
    }
}

/// A connection that was taken and then broken off without an answer proves it: reset by a sidecar under STRICT,
/// closed (`EOF`) by a gateway's TLS server. `connection refused` says that nothing listens, and an answer of any
/// kind that plaintext was taken. So does a proxy whose listener comes back, until its filter chains are changed: only
/// an answer that stays proves anything.
///
/// Before a `native` listener stands Envoy's inbound passthrough: it takes the plaintext, carries it to the listener,
/// which takes TLS alone and breaks off, and says so with a 503 of its own.
fn judge(answer: &Proxied, native: bool) -> Probe {
    if (200..300).contains(&answer.status) {
        return Probe::Served;
    }
    let said = String::from_utf8_lossy(&answer.body);
    let status: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let way = status
        .as_ref()
        .filter(|status| status["kind"] == "Status")
        .and_then(|status| status["message"].as_str());
    if native && answer.status == 503 && way.is_none() && broken_off(&said) {
        return Probe::Refused;
    }
    match way {
        Some(message)
            if message.contains("connection reset by peer") || message.ends_with(": EOF") =>
        {
            Probe::Refused
        }
        Some(message) if message.contains("connection refused") => {
            Probe::Unclear(say::NOTHING_LISTENS.into())
        }
        // It was not let through: so it stays.
        Some(message) if matches!(answer.status, 401 | 403) => {
            Probe::Unknown(say::came_to_nothing(message))
        }
        Some(message) => Probe::Unclear(say::came_to_nothing(message)),
        None => {
            let start: String = said.trim().chars().take(80).collect();
            Probe::Unclear(say::plaintext_answered(answer.status, &start))
        }
    }
}

/// Envoy's own words for an upstream that ended the connection. One that nobody listens behind is told otherwise
/// (`remote connection failure`).
fn broken_off(said: &str) -> bool {
    let reason = said
        .strip_prefix("upstream connect error or disconnect/reset before headers.")
        .and_then(|rest| rest.split_once("reset reason: "))
        .map(|(_, reason)| reason.trim());
    reason.is_some_and(|reason| {
        reason.starts_with("connection termination")
            || reason.starts_with("remote reset")
            || reason.starts_with("connection reset")
    })
}

#[cfg(test)]
mod tests;
