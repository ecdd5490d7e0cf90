//! Does the secure port refuse plaintext? Asked through the API server's pod proxy, which a port-forward could not
//! prove. Never before the policies stand: a connection that once got metrics is kept alive and goes on getting them.

use crate::cluster::api::Proxied;
use crate::cluster::{ApiError, Cluster};
use crate::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
use crate::targets::{Expected, Policy, Probe};
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
/// Policies are read again after this time.
const POLICY_AGE: Duration = Duration::from_secs(30);
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
            Some(since) if self.at.duration_since(since) < KEPT_ALIVE => Probe::Unknown(
                "plaintext was answered, perhaps over a connection from before the policy: asked again within a minute"
                    .into(),
            ),
            _ => self.memo.probe.clone(),
        }
    }
}

/// What of ours demands mTLS on the secure port, by item.
#[derive(Default)]
pub(super) struct Policies {
    known: HashMap<WorkloadRef, (Policy, Instant)>,
}

impl Policies {
    pub fn of(&self, item: &WorkloadRef) -> Policy {
        self.known.get(item).map(|(is, _)| *is).unwrap_or_default()
    }

    pub fn fresh(&self, item: &WorkloadRef) -> bool {
        let known = self.known.get(item);
        known.is_some_and(|(_, at)| at.elapsed() < POLICY_AGE)
    }

    pub fn forget(&mut self, item: &WorkloadRef) {
        self.known.remove(item);
    }

    pub async fn ask(&mut self, cluster: &Cluster, items: HashSet<(WorkloadRef, bool)>) {
        let answers = stream::iter(items)
            .map(|(item, gateway)| async move {
                let policy = policy(cluster, &item, gateway).await;
                (item, policy)
            })
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        let at = Instant::now();
        let answers = answers.into_iter().map(|(item, is)| (item, (is, at)));
        self.known.extend(answers);
    }
}

async fn policy(cluster: &Cluster, item: &WorkloadRef, gateway: bool) -> Policy {
    let kind = if gateway {
        Kind::Gateway
    } else {
        Kind::PeerAuthentication
    };
    let object = ObjectRef::new(kind, &item.namespace, item.our_name());
    match cluster.get(&object).await {
        Err(_) => Policy::Unknown,
        Ok(None) => Policy::Absent,
        Ok(Some(object)) if demands_mtls(&object, gateway) => Policy::Strict,
        Ok(Some(_)) => Policy::NotStrict,
    }
}

fn demands_mtls(object: &Value, gateway: bool) -> bool {
    let spec = &object["spec"];
    if !gateway {
        return spec["portLevelMtls"][SECURE_PORT.to_string()]["mode"] == "STRICT";
    }
    let servers = spec["servers"].as_array().map_or(&[][..], Vec::as_slice);
    servers.iter().any(|server| {
        server["port"]["number"] == SECURE_PORT && server["tls"]["mode"] == "ISTIO_MUTUAL"
    })
}

/// Probes the pods whose policies stand; what does not come in time is not among the answers.
pub(super) async fn ask(
    cluster: &Cluster,
    pods: Vec<Expected>,
    policies: &Policies,
) -> Vec<(String, Memo)> {
    let end = Instant::now() + BUDGET;
    let mut answers = stream::iter(pods)
        .map(|pod| async move {
            let probe = if policies.of(&pod.item) == Policy::NotStrict {
                Probe::Unknown("not asked: no policy demands mTLS on the port yet".into())
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
        Ok(answer) => judge(&answer),
        Err(error) => not_asked(&error),
    }
}

fn not_asked(error: &ApiError) -> Probe {
    Probe::Unknown(if error.is_from_api_server() {
        format!(
            "plaintext could not be tried: it needs `get` on pods/proxy ({})",
            error.message
        )
    } else {
        format!("plaintext could not be tried: {}", error.message)
    })
}

/// A connection that was taken and then broken off without an answer proves it: reset by a sidecar under STRICT,
/// closed (`EOF`) by a gateway's TLS server. `connection refused` says that nothing listens, and an answer of any
/// kind that plaintext was taken.
fn judge(answer: &Proxied) -> Probe {
    if (200..300).contains(&answer.status) {
        return Probe::Served;
    }
    let said = String::from_utf8_lossy(&answer.body);
    let status: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let way = status
        .as_ref()
        .filter(|status| status["kind"] == "Status")
        .and_then(|status| status["message"].as_str());
    match way {
        Some(message)
            if message.contains("connection reset by peer") || message.ends_with(": EOF") =>
        {
            Probe::Refused
        }
        Some(message) if message.contains("connection refused") => {
            Probe::Unknown("nothing listens on the port for the API server".into())
        }
        Some(message) => {
            Probe::Unknown(format!("the plaintext request came to nothing: {message}"))
        }
        None => {
            let start: String = said.trim().chars().take(80).collect();
            Probe::Unknown(format!(
                "the port took plaintext and answered {}: {start}",
                answer.status
            ))
        }
    }
}

#[cfg(test)]
mod tests;
