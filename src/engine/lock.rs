//! The locks in the cluster: one run at a time, from whichever machine.
//!
//! Times in a Lease are those of its holder's clock. So whether a lock is alive is told by watching it being
//! renewed, on this machine's own clock, and never by comparing its times with ours.

mod held;

pub(super) use held::{Guard, Lock};

use super::process;
use super::session::Session;
use super::waits::stop_wanted;
use crate::cluster::api::Write;
use crate::cluster::error::Reason;
use crate::cluster::{ApiError, Cluster};
use crate::error::Error;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::plan::holder::{is_dead, shown};
use crate::plan::keeping::{LOCK_SECONDS, lock, lock_object};
use crate::plan::record::Who;
use crate::words::say::engine as say;
use crate::words::say::journal::{ANOTHER_RUN, WAIT_THEN_REVIEW};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A server that takes the question and never the lock is asked no more often.
const TRIES: u32 = 5;

/// Told who holds a lock that is waited for.
type Waiting<'a> = &'a (dyn Fn(String) + Send + Sync);

/// Another's lock, watched.
struct Watched<'a> {
    object: &'a ObjectRef,
    who: &'a Who,
    force: bool,
    /// Its last renewal, and when it was first seen.
    seen: Option<(Value, Instant)>,
}

impl<'a> Watched<'a> {
    fn new(object: &'a ObjectRef, who: &'a Who, force: bool) -> Self {
        Watched {
            object,
            who,
            force,
            seen: None,
        }
    }

    /// May it be passed by now? Else who holds it and for how long it was not renewed, in words.
    ///
    /// # Errors
    /// It was renewed meanwhile: its holder is at work.
    fn free(&mut self, standing: &Value) -> Result<Option<String>, Error> {
        let spec = &standing["spec"];
        let theirs = spec["holderIdentity"].as_str().unwrap_or("");
        let renewed = spec["renewTime"].clone();
        let seconds = spec["leaseDurationSeconds"].as_u64();
        let patience = Duration::from_secs(seconds.unwrap_or(u64::from(LOCK_SECONDS)).min(120));
        let still = match &self.seen {
            Some((seen, since)) if *seen == renewed => since.elapsed(),
            Some(_) if !self.force => return Err(busy(self.object, standing)),
            _ => {
                self.seen = Some((renewed, Instant::now()));
                Duration::ZERO
            }
        };
        let over = theirs.is_empty() || still >= patience;
        if self.force || over || is_dead(theirs, self.who, &process::seen) {
            return Ok(None);
        }
        Ok(Some(say::lock_of(
            shown(theirs),
            still.as_secs(),
            patience.as_secs(),
        )))
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
    waiting: Waiting<'_>,
) -> Result<Option<Lock>, Error> {
    let who = &session.who;
    let object = lock(namespace);
    let mut wanted = lock_object(namespace, who, run);
    let holder = who.holder();
    let mut watched = Watched::new(&object, who, force);
    let mut tries = 0;
    loop {
        // As long ago as the server may at most have it.
        let sent = session.clock.elapsed();
        let now = micros(session.clock.now());
        wanted["spec"]["acquireTime"] = json!(now);
        wanted["spec"]["renewTime"] = json!(now);
        let standing = session
            .cluster
            .get(&object)
            .await
            .map_err(|error| cannot(&object, &error))?;
        let held = || Lock::held(session, object.clone(), holder.clone(), sent);
        let Some(standing) = standing else {
            let made = session
                .cluster
                .create(Kind::Lease, namespace, &wanted, Write::default())
                .await;
            match made {
                Ok(_) => return Ok(Some(held())),
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
        if standing["spec"]["holderIdentity"] == holder.as_str() {
            return Ok(Some(held()));
        }
        let Some(words) = watched.free(&standing)? else {
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
                Ok(_) => return Ok(Some(held())),
                Err(error)
                    if tries < TRIES
                        && (may_have_landed(&error)
                            || matches!(error.reason, Reason::Invalid | Reason::NotFound)) =>
                {
                    tries += 1;
                    watched.seen = None;
                    match stopped_within(LOOK_EVERY, stop).await {
                        true => return Ok(None),
                        false => continue,
                    }
                }
                Err(error) => return Err(cannot(&object, &error)),
            }
        };
        waiting(words);
        if stopped_within(LOOK_EVERY, stop).await {
            return Ok(None);
        }
    }
}

/// Waits until nobody holds the lock there, without taking it; `false`: the user said stop. What may not be read
/// keeps nobody away.
///
/// # Errors
/// Somebody is at work.
pub(super) async fn respect(
    session: &Session,
    namespace: &str,
    force: bool,
    stop: &mut Receiver<bool>,
    waiting: Waiting<'_>,
) -> Result<bool, Error> {
    let object = lock(namespace);
    let mut watched = Watched::new(&object, &session.who, force);
    loop {
        let Ok(Some(standing)) = session.cluster.get(&object).await else {
            return Ok(true);
        };
        let Some(words) = watched.free(&standing)? else {
            return Ok(true);
        };
        waiting(words);
        if stopped_within(LOOK_EVERY, stop).await {
            return Ok(false);
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

/// As Kubernetes writes a MicroTime.
fn micros(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// Deletes the lock that a process of this machine held when it was killed: else it stands until the next run.
/// Was there one?
pub(super) async fn release_dead(session: &Session, namespace: &str) -> Result<bool, ApiError> {
    let object = lock(namespace);
    let Some(live) = session.cluster.get(&object).await? else {
        return Ok(false);
    };
    let holder = live["spec"]["holderIdentity"].as_str().unwrap_or_default();
    if !is_dead(holder, &session.who, &process::seen) {
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

fn busy(object: &ObjectRef, standing: &Value) -> Error {
    let spec = &standing["spec"];
    let text = |field: &str| spec[field].as_str().unwrap_or(say::UNKNOWN_TIME).to_owned();
    Error::refused(ANOTHER_RUN)
        .cause(say::holds_the_lock(
            shown(spec["holderIdentity"].as_str().unwrap_or(say::SOMEBODY)),
            object,
            &text("acquireTime"),
            &text("renewTime"),
        ))
        .hint(WAIT_THEN_REVIEW)
        .hint(say::BREAK_ITS_LOCK)
}

fn cannot(object: &ObjectRef, error: &ApiError) -> Error {
    Error::refused(say::lock_not_acquired(object))
        .cause(error)
        .hint(error.hint())
        .hint(say::OR_SKIP_THE_LOCK)
}
