//! The lock in the cluster: one run at a time for one Prometheus, from whichever machine.
//!
//! Times in a Lease are those of its holder's clock. So whether a lock is alive is told by watching it being
//! renewed, on this machine's own clock, and never by comparing its times with ours.

use super::session::Session;
use super::waits::stop_wanted;
use crate::cluster::api::Write;
use crate::cluster::error::Reason;
use crate::cluster::{ApiError, Cluster};
use crate::error::Error;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::plan::keeping::{LOCK_SECONDS, lock, lock_object};
use crate::plan::record::Who;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const RENEW_EVERY: Duration = Duration::from_secs(LOCK_SECONDS as u64 / 3);
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A server that takes the question and never the lock is asked no more often.
const TRIES: u32 = 5;

/// The lock, held. Renewed by a task of its own until it is released or dropped.
pub(super) struct Lock {
    session: Session,
    object: ObjectRef,
    holder: String,
    lost: Arc<AtomicBool>,
    renewing: JoinHandle<()>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

/// Takes the lock; `None`: the user said stop. One that stands is watched for as long as it may go unrenewed;
/// `waiting` is told who holds it.
///
/// # Errors
/// Somebody else is at work; the lock cannot be made.
pub(super) async fn take(
    session: &Session,
    namespace: &str,
    run: &str,
    force: bool,
    stop: &mut Receiver<bool>,
    waiting: &(dyn Fn(String) + Send + Sync),
) -> Result<Option<Lock>, Error> {
    let who = &session.who;
    let object = lock(namespace);
    let mut wanted = lock_object(namespace, who, run);
    let holder = wanted["spec"]["holderIdentity"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let now = stamp(session);
    wanted["spec"]["acquireTime"] = json!(now);
    wanted["spec"]["renewTime"] = json!(now);
    let mut watched: Option<(Value, Instant)> = None;
    let mut tries = 0;
    loop {
        let standing = session
            .cluster
            .get(&object)
            .await
            .map_err(|error| cannot(&object, &error))?;
        let Some(standing) = standing else {
            let made = session
                .cluster
                .create(Kind::Lease, namespace, &wanted, Write::default())
                .await;
            match made {
                Ok(_) => return Ok(Some(held(session, object, holder))),
                // Somebody was faster, or the answer was lost: the next look tells.
                Err(error) if may_have_landed(&error) && tries < TRIES => {
                    tries += 1;
                    match stopped_within(LOOK_EVERY, stop).await {
                        true => return Ok(None),
                        false => continue,
                    }
                }
                Err(error) => return Err(cannot(&object, &error)),
            }
        };
        let theirs = standing["spec"]["holderIdentity"].as_str().unwrap_or("");
        if theirs == holder {
            return Ok(Some(held(session, object, holder)));
        }
        let renewed = standing["spec"]["renewTime"].clone();
        let seconds = standing["spec"]["leaseDurationSeconds"].as_u64();
        let patience = Duration::from_secs(seconds.unwrap_or(u64::from(LOCK_SECONDS)).min(120));
        let still = match &watched {
            Some((seen, since)) if *seen == renewed => since.elapsed(),
            Some(_) => return Err(busy(&object, &standing)),
            None => {
                watched = Some((renewed, Instant::now()));
                Duration::ZERO
            }
        };
        if force || theirs.is_empty() || is_dead(theirs, who) || still >= patience {
            let version = &standing["metadata"]["resourceVersion"];
            let operations = json!([
                {"op": "test", "path": "/metadata/resourceVersion", "value": version},
                {"op": "replace", "path": "/spec", "value": wanted["spec"]},
            ]);
            match session
                .cluster
                .json_patch(&object, &operations, Write::default())
                .await
            {
                Ok(_) => return Ok(Some(held(session, object, holder))),
                Err(error)
                    if tries < TRIES
                        && (may_have_landed(&error)
                            || matches!(error.reason, Reason::Invalid | Reason::NotFound)) =>
                {
                    tries += 1;
                    watched = None;
                    match stopped_within(LOOK_EVERY, stop).await {
                        true => return Ok(None),
                        false => continue,
                    }
                }
                Err(error) => return Err(cannot(&object, &error)),
            }
        }
        waiting(format!(
            "the lock that {theirs} holds: {} s without a renewal, of {} s",
            still.as_secs(),
            patience.as_secs()
        ));
        if stopped_within(LOOK_EVERY, stop).await {
            return Ok(None);
        }
    }
}

/// The user said stop in that time.
async fn stopped_within(time: Duration, stop: &mut Receiver<bool>) -> bool {
    tokio::select! {
        biased;
        () = stop_wanted(stop) => true,
        () = tokio::time::sleep(time) => false,
    }
}

fn may_have_landed(error: &ApiError) -> bool {
    matches!(
        error.reason,
        Reason::Stale | Reason::Timeout | Reason::Garbled | Reason::Server
    )
}

fn stamp(session: &Session) -> String {
    micros(session.clock.now())
}

/// As Kubernetes writes a MicroTime.
fn micros(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

fn held(session: &Session, object: ObjectRef, holder: String) -> Lock {
    let lost = Arc::new(AtomicBool::new(false));
    let renewing = tokio::spawn(renew(
        session.clone(),
        object.clone(),
        holder.clone(),
        Arc::clone(&lost),
    ));
    Lock {
        session: session.clone(),
        object,
        holder,
        lost,
        renewing,
    }
}

/// Something on the way may answer "not found" for a server that never heard the question: so only two looks tell
/// that the lock is gone. One that cannot be read is not called lost.
async fn is_lost(session: &Session, object: &ObjectRef, holder: &str) -> bool {
    for _ in 0..2 {
        match session.cluster.get(object).await {
            Ok(Some(live)) => return live["spec"]["holderIdentity"] != holder,
            Ok(None) => {}
            Err(_) => return false,
        }
    }
    true
}

/// A failed renewal is tried again; only somebody else's name in the lock means that it is lost.
async fn renew(session: Session, object: ObjectRef, holder: String, lost: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        let operations = json!([
            {"op": "test", "path": "/spec/holderIdentity", "value": holder},
            {"op": "replace", "path": "/spec/renewTime", "value": stamp(&session)},
        ]);
        let renewed = session
            .cluster
            .json_patch(&object, &operations, Write::default())
            .await;
        let gone = match renewed {
            Ok(_) => false,
            Err(error) if error.is_not_found() || error.reason == Reason::Invalid => {
                is_lost(&session, &object, &holder).await
            }
            Err(_) => false,
        };
        if gone {
            lost.store(true, Ordering::SeqCst);
            return;
        }
    }
}

impl Lock {
    /// # Errors
    /// Somebody took the lock away: nothing more may be written.
    pub fn holds(&self) -> Result<(), Error> {
        if !self.lost.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(
            Error::refused(format!("{} was taken over by another run", self.object))
                .cause("somebody broke the lock, so that two runs could write at once")
                .hint("look who it is, and review again when that run has ended"),
        )
    }

    /// Deletes the lock, if it still is ours. A lock that cannot be deleted falls by itself.
    pub async fn release(self) -> Result<(), ApiError> {
        self.renewing.abort();
        let cluster = &self.session.cluster;
        for _ in 0..3 {
            let Some(live) = cluster.get(&self.object).await? else {
                return Ok(());
            };
            if live["spec"]["holderIdentity"] != self.holder.as_str() {
                return Ok(());
            }
            match delete(cluster, &self.object, &live).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_not_found() => return Ok(()),
                // A renewal under way came in between.
                Err(error) if error.reason == Reason::Stale => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Deletes the lock that a process of this machine held when it was killed: else it stands until the next run.
/// Was there one?
pub(super) async fn release_dead(session: &Session, namespace: &str) -> Result<bool, ApiError> {
    let object = lock(namespace);
    let Some(live) = session.cluster.get(&object).await? else {
        return Ok(false);
    };
    let holder = live["spec"]["holderIdentity"].as_str().unwrap_or_default();
    if !is_dead(holder, &session.who) {
        return Ok(false);
    }
    match delete(&session.cluster, &object, &live).await {
        // Another run took it over in between, or let it go.
        Err(error) if error.reason == Reason::Stale || error.is_not_found() => Ok(false),
        answer => answer.map(|()| true),
    }
}

/// Deletes a lock as it was read, and no other.
async fn delete(cluster: &Cluster, object: &ObjectRef, live: &Value) -> Result<(), ApiError> {
    let meta = &live["metadata"];
    let uid = meta["uid"].as_str().unwrap_or_default();
    let version = meta["resourceVersion"].as_str();
    let gone = cluster.delete(object, uid, version, Write::default());
    gone.await.map(drop)
}

/// A process of this very machine that no longer runs.
fn is_dead(holder: &str, who: &Who) -> bool {
    let ours = format!("{who}/");
    let pid = holder.strip_prefix(&ours).and_then(|pid| pid.parse().ok());
    let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) else {
        return false;
    };
    matches!(
        rustix::process::test_kill_process(pid),
        Err(rustix::io::Errno::SRCH)
    )
}

fn busy(object: &ObjectRef, standing: &Value) -> Error {
    let spec = &standing["spec"];
    let text = |field: &str| spec[field].as_str().unwrap_or("an unknown time").to_owned();
    Error::refused("another meshscrape is changing this cluster right now")
        .cause(format!(
            "{} holds {object} since {}, and renewed it at {}",
            spec["holderIdentity"].as_str().unwrap_or("somebody"),
            text("acquireTime"),
            text("renewTime"),
        ))
        .hint("wait until it has ended, then review again")
        .hint("if it only seems to be at work: --break-lock takes the lock away from it")
}

fn cannot(object: &ObjectRef, error: &ApiError) -> Error {
    Error::refused(format!("{object} cannot be taken"))
        .cause(error)
        .hint(error.hint())
        .hint("or leave the lock out in the review")
}
