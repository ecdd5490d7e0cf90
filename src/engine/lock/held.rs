//! A lock that is held: renewed by a task of its own until it is released or dropped, and looked at before a write
//! where it may have expired meanwhile.

use super::{LOOK_EVERY, delete, micros};
use crate::cluster::ApiError;
use crate::cluster::api::Write;
use crate::cluster::error::Reason;
use crate::engine::session::Session;
use crate::error::Error;
use crate::mesh::kinds::ObjectRef;
use crate::plan::keeping::LOCK_SECONDS;
use crate::words::say::engine as say;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

const RENEW_EVERY: Duration = Duration::from_secs(LOCK_SECONDS as u64 / 3);
const EXPIRES: Duration = Duration::from_secs(LOCK_SECONDS as u64);
/// A lock that may have expired and cannot be looked at is asked for so many times.
const LOOKS: u32 = 3;

/// The lock, held.
pub(in crate::engine) struct Lock {
    held: Arc<Held>,
    renewing: JoinHandle<()>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

/// The locks of a run, to be asked before each of its writes.
#[derive(Clone, Default)]
pub(in crate::engine) struct Guard(Vec<Arc<Held>>);

struct Held {
    session: Session,
    object: ObjectRef,
    holder: String,
    lost: AtomicBool,
    /// When the last renewal that came through was sent, by the clock that counts sleep.
    renewed: Mutex<Duration>,
}

/// What became of a renewal.
enum Renewed {
    Yes,
    /// It still is ours, though it could not be renewed.
    Stands,
    Lost,
    Unknown(ApiError),
}

impl Guard {
    pub fn new(locks: &[Lock]) -> Self {
        Guard(locks.iter().map(|lock| Arc::clone(&lock.held)).collect())
    }

    /// # Errors
    /// Somebody took a lock away, or may have: nothing more may be written.
    pub async fn holds(&self) -> Result<(), Error> {
        for held in &self.0 {
            held.holds().await?;
        }
        Ok(())
    }
}

impl Held {
    async fn holds(&self) -> Result<(), Error> {
        // A machine that slept renewed nothing, and its timers do not know it.
        for look in 0..LOOKS {
            if self.lost.load(Ordering::SeqCst) {
                return Err(self.taken_over());
            }
            let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
            if self.session.clock.elapsed().saturating_sub(renewed) < EXPIRES {
                return Ok(());
            }
            match self.renew().await {
                Renewed::Yes | Renewed::Stands => return Ok(()),
                Renewed::Lost => return Err(self.taken_over()),
                Renewed::Unknown(error) if look + 1 == LOOKS => return Err(self.unknown(&error)),
                Renewed::Unknown(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
        Ok(())
    }

    async fn renew(&self) -> Renewed {
        let session = &self.session;
        let sent = session.clock.elapsed();
        let operations = json!([
            {"op": "test", "path": "/spec/holderIdentity", "value": self.holder},
            {"op": "replace", "path": "/spec/renewTime", "value": micros(session.clock.now())},
        ]);
        let answer = session
            .cluster
            .json_patch(&self.object, &operations, Write::default())
            .await;
        if answer.is_ok() {
            *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = sent;
            return Renewed::Yes;
        }
        let renewed = self.look().await;
        if matches!(renewed, Renewed::Lost) {
            self.lost.store(true, Ordering::SeqCst);
        }
        renewed
    }

    /// Something on the way may answer "not found" for a server that never heard the question: so only two looks
    /// tell that the lock is gone. One that cannot be read is not called lost.
    async fn look(&self) -> Renewed {
        for _ in 0..2 {
            match self.session.cluster.get(&self.object).await {
                Ok(Some(live)) if live["spec"]["holderIdentity"] == self.holder.as_str() => {
                    return Renewed::Stands;
                }
                Ok(Some(_)) => return Renewed::Lost,
                Ok(None) => {}
                Err(error) => return Renewed::Unknown(error),
            }
        }
        Renewed::Lost
    }

    fn taken_over(&self) -> Error {
        Error::refused(say::acquired_by_another(&self.object))
            .cause(say::LOCK_BROKEN)
            .hint(say::WAIT_FOR_THAT_RUN)
    }

    fn unknown(&self, error: &ApiError) -> Error {
        Error::refused(say::may_have_expired(&self.object))
            .cause(say::not_renewed(LOCK_SECONDS, error))
            .hint(error.hint())
            .hint(say::RUN_AGAIN)
    }
}

impl Lock {
    /// `sent`: when the request that took it was sent.
    pub(super) fn held(
        session: &Session,
        object: ObjectRef,
        holder: String,
        sent: Duration,
    ) -> Lock {
        let held = Arc::new(Held {
            session: session.clone(),
            object,
            holder,
            lost: AtomicBool::new(false),
            renewed: Mutex::new(sent),
        });
        let renewing = tokio::spawn(renew(Arc::clone(&held)));
        Lock { held, renewing }
    }

    /// Deletes the lock, if it still is ours. A lock that cannot be deleted expires by itself.
    pub async fn release(self) -> Result<(), ApiError> {
        self.renewing.abort();
        let held = &self.held;
        let cluster = &held.session.cluster;
        for _ in 0..3 {
            let Some(live) = cluster.get(&held.object).await? else {
                return Ok(());
            };
            if live["spec"]["holderIdentity"] != held.holder.as_str() {
                return Ok(());
            }
            match delete(cluster, &held.object, &live).await {
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

/// A failed renewal is tried again; only somebody else's name in the lock means that it is lost.
async fn renew(held: Arc<Held>) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        if matches!(held.renew().await, Renewed::Lost) {
            return;
        }
    }
}
