//! What surrounds a run's writes: the locks, and the record in the cluster.
//!
//! The record is written whole before the first change, with what every approved change is about to do, and
//! again in batches while the run goes on: so it costs a few requests a run, and at any moment tells another
//! machine what may have been written. The line before each write is the local file's.

use super::lock::{self, Guard, Lock};
use super::session::{Journal, RunNote, Session};
use super::steps;
use crate::cluster::ApiError;
use crate::cluster::api::Write;
use crate::cluster::retry;
use crate::error::Error;
use crate::journal::copy;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::plan::keeping::LOCK_SECONDS;
use crate::plan::record::Entry;
use crate::plan::review::ApprovedChange;
use crate::plan::{Change, ChangeId};
use crate::words::say::engine as say;
use crate::words::say::journal::SKIP_THE_SECRET;
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

/// The record in the cluster is at most this much behind, while writes go on.
const FLUSH_EVERY: Duration = Duration::from_secs(5);

/// A journal that remembers what goes into it, for the copy.
pub(super) struct Mirror {
    inner: Arc<dyn Journal>,
    lines: Mutex<Vec<Entry>>,
}

impl Mirror {
    fn lines(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for Mirror {
    fn append(&self, entry: &Entry) -> Result<(), Error> {
        self.inner.append(entry)?;
        self.lines().push(entry.clone());
        Ok(())
    }

    fn run(&self, run: Option<&str>) -> Result<Vec<Entry>, Error> {
        self.inner.run(run)
    }

    fn runs(&self) -> Result<Vec<RunNote>, Error> {
        self.inner.runs()
    }

    fn damaged(&self) -> Vec<String> {
        self.inner.damaged()
    }

    fn warnings(&self) -> Vec<String> {
        self.inner.warnings()
    }
}

/// A session whose journal is mirrored.
pub(super) fn mirrored(session: &Session) -> (Session, Arc<Mirror>) {
    let mirror = Arc::new(Mirror {
        inner: Arc::clone(&session.journal),
        lines: Mutex::default(),
    });
    let session = Session {
        journal: Arc::clone(&mirror) as Arc<dyn Journal>,
        ..session.clone()
    };
    (session, mirror)
}

/// Locks and record of one run.
pub(super) struct Keeper {
    session: Session,
    mirror: Arc<Mirror>,
    run: String,
    locks: Vec<Lock>,
    record: Option<Record>,
    /// The rows that stand, for the outcome.
    pub kept: Vec<ChangeId>,
}

struct Record {
    namespace: String,
    /// What is planned; taken when the record is begun.
    planned: Vec<Entry>,
    /// Lines of the mirror that the cluster has.
    flushed: usize,
    at: Instant,
    /// The text of each Secret that stands.
    texts: Vec<String>,
}

/// What a run is kept by.
pub(super) struct Rows<'a> {
    /// The rows of lock and record, as approved.
    pub rows: &'a [ApprovedChange],
    /// The changes themselves.
    pub changes: &'a [ApprovedChange],
    /// Namespaces whose lock this run does not take, and which keeps it away all the same.
    pub respected: &'a [String],
    pub break_lock: bool,
}

impl Keeper {
    /// Takes the locks and writes the record, as far as their rows were approved. `Started` is in the journal.
    /// `None`: the user said stop.
    ///
    /// # Errors
    /// Another run is at work, or the record cannot be written: nothing was changed.
    pub async fn begin(
        session: &Session,
        mirror: Arc<Mirror>,
        run: &str,
        rows: &Rows<'_>,
        stop: &mut Receiver<bool>,
        waiting: &(dyn Fn(&ChangeId, String) + Send + Sync),
    ) -> Result<Option<Keeper>, Error> {
        let mut keeper = Keeper {
            session: session.clone(),
            mirror,
            run: run.to_owned(),
            locks: Vec::new(),
            record: None,
            kept: Vec::new(),
        };
        let of = |kind: Kind| {
            let rows = rows.rows.iter().map(ApprovedChange::change);
            rows.filter(move |change| change.object.kind == kind)
        };
        let taken = keeper.lock_up(rows, of(Kind::Lease), stop, waiting).await;
        if !matches!(taken, Ok(true)) {
            // What was taken before another one could not be.
            keeper.release().await;
            return taken.map(|_| None);
        }
        if let Some(row) = of(Kind::Secret).next() {
            let mut planned = Vec::new();
            for (seq, change) in (0_u32..).zip(rows.changes) {
                let live = change.reviewed().live.as_deref();
                let seq = copy::PLANNED + seq;
                let intent = steps::intent(session, run, seq, change.reviewed(), live)?;
                planned.push(Entry::Intent(Box::new(intent)));
            }
            keeper.record = Some(Record {
                namespace: row.object.namespace.clone(),
                planned,
                flushed: 0,
                at: Instant::now(),
                texts: Vec::new(),
            });
            let written = keeper.flush().await;
            if let Err(error) = written {
                keeper.release().await;
                return Err(Error::refused(say::RECORD_NOT_KEPT)
                    .cause(error.what)
                    .cause(error.causes.join(", "))
                    .hint(SKIP_THE_SECRET));
            }
            keeper.kept.push(row.id.clone());
        }
        Ok(Some(keeper))
    }

    /// Takes each lock of these rows, the cluster's first; `false`: the user said stop.
    async fn lock_up<'a>(
        &mut self,
        of: &Rows<'_>,
        rows: impl Iterator<Item = &'a Change>,
        stop: &mut Receiver<bool>,
        waiting: &(dyn Fn(&ChangeId, String) + Send + Sync),
    ) -> Result<bool, Error> {
        let session = self.session.clone();
        let force = of.break_lock;
        let mut first = None;
        for row in rows {
            let tell = |words| waiting(&row.id, words);
            let place = &row.object.namespace;
            let Some(lock) = lock::take(&session, place, &self.run, force, stop, &tell).await?
            else {
                return Ok(false);
            };
            self.locks.push(lock);
            self.kept.push(row.id.clone());
            first.get_or_insert(&row.id);
        }
        // After its own lock stands, so that of two runs which respect each other one at least is seen.
        for place in of.respected {
            let tell = |words| {
                if let Some(row) = first {
                    waiting(row, words);
                }
            };
            if !lock::respect(&session, place, force, stop, &tell).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is asked before each write.
    pub fn guard(&self) -> Guard {
        Guard::new(&self.locks)
    }

    /// Brings the record up to date, where it is time to. A record that is late still says what was planned.
    pub async fn flush_if_due(&mut self) -> Result<(), Error> {
        let due = self
            .record
            .as_ref()
            .is_some_and(|record| record.at.elapsed() >= FLUSH_EVERY);
        if due { self.flush().await } else { Ok(()) }
    }

    /// Ends the record and lets the lock go: what went wrong with either, in words. The record of a run that
    /// was undone goes.
    pub async fn end(mut self, undone: bool) -> Vec<String> {
        let mut words = Vec::new();
        let written = if undone {
            self.forget().await
        } else {
            self.flush().await
        };
        if let Err(error) = written {
            words.push(format!("{}: {}", error.what, error.causes.join(", ")));
        }
        words.extend(self.release().await);
        words
    }

    async fn forget(&mut self) -> Result<(), Error> {
        let Some(record) = self.record.take() else {
            return Ok(());
        };
        let cluster = &self.session.cluster;
        let failed = |error: ApiError| {
            Error::new(say::RECORD_NOT_DELETED)
                .cause(&error)
                .hint(error.hint())
        };
        let standing = secrets(&self.session, &record.namespace, Some(&self.run)).await;
        for secret in standing.map_err(failed)? {
            let meta = |field: &str| secret["metadata"][field].as_str().unwrap_or_default();
            let object = ObjectRef::new(Kind::Secret, meta("namespace"), meta("name"));
            let version = Some(meta("resourceVersion"));
            match cluster
                .delete(&object, meta("uid"), version, Write::default())
                .await
            {
                Err(error) if !error.is_not_found() => return Err(failed(error)),
                _ => {}
            }
        }
        Ok(())
    }

    async fn release(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        // The cluster's last: with it goes what keeps all others away.
        while let Some(lock) = self.locks.pop() {
            if let Err(failed) = lock.release().await {
                words.push(say::lock_not_released(&failed, LOCK_SECONDS));
            }
        }
        words
    }

    async fn flush(&mut self) -> Result<(), Error> {
        let Some(record) = &mut self.record else {
            return Ok(());
        };
        record.at = Instant::now();
        let (mut fresh, seen) = {
            let lines = self.mirror.lines();
            let fresh = lines[record.flushed..].iter();
            let of_this = fresh.filter(|line| line.run() == self.run);
            (of_this.cloned().collect::<Vec<Entry>>(), lines.len())
        };
        if record.texts.is_empty() {
            fresh.extend(record.planned.iter().cloned());
        }
        let texts = copy::append(record.texts.clone(), &self.run, &fresh)?;
        for (at, text) in texts.iter().enumerate() {
            if record.texts.get(at) == Some(text) {
                continue;
            }
            let secret = copy::secret(&record.namespace, &self.run, at, text);
            write(&self.session, &secret)
                .await
                .map_err(|(object, error)| {
                    Error::new(say::was_not_written(&object))
                        .cause(&error)
                        .hint(error.hint())
                })?;
        }
        record.texts = texts;
        record.planned = Vec::new();
        record.flushed = seen;
        Ok(())
    }
}

/// Makes or replaces one Secret of the record; it is ours alone.
async fn write(session: &Session, secret: &Value) -> Result<(), (ObjectRef, ApiError)> {
    let meta = |field: &str| secret["metadata"][field].as_str().unwrap_or_default();
    let object = ObjectRef::new(Kind::Secret, meta("namespace"), meta("name"));
    let mut last = None;
    for attempt in 0..retry::TIMES {
        let answer = session
            .cluster
            .apply(&object, secret, Write::default())
            .await;
        match answer {
            Ok(_) => return Ok(()),
            // Applying the same text again does no harm.
            Err(error) if error.may_pass() => {
                let pause = retry::pause(attempt, error.retry_after);
                last = Some(error);
                tokio::time::sleep(pause).await;
            }
            Err(error) => return Err((object, error)),
        }
    }
    match last {
        Some(error) => Err((object, error)),
        None => Ok(()),
    }
}

/// Every Secret of our records in a namespace; of one run, or of all.
///
/// # Errors
/// They cannot be listed.
pub(super) async fn secrets(
    session: &Session,
    namespace: &str,
    run: Option<&str>,
) -> Result<Vec<Value>, ApiError> {
    use crate::plan::keeping::{RECORD_LABEL, RUN_LABEL};
    let selector = match run {
        Some(run) => format!("{RUN_LABEL}={run}"),
        None => RECORD_LABEL.to_owned(),
    };
    let query = format!("labelSelector={}", crate::cluster::api::encode(&selector));
    session
        .cluster
        .objects(Kind::Secret, namespace, &query)
        .await
}
