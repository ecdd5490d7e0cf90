//! Taking a run back: its journal and the live objects make a plan, which goes the way of every plan.

use super::identity;
use super::keep;
use super::runs;
use super::session::Session;
use super::steps;
use super::waits::{About, Around, Waited};
use crate::error::{Error, Kind};
use crate::journal::VERSION;
use crate::mesh::kinds::{Kind as Of, ObjectRef, WorkloadRef};
use crate::mesh::{Mesh, Prometheus};
use crate::plan::record::{Entry, Intent};
use crate::plan::review::{Approved, NotApprovable, Review, RunId, Word};
use crate::plan::undo::{UndoNote, undo};
use crate::plan::{Await, ChangeId, Plan, keeping};
use crate::words::say::engine as say;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What taking a run back comes to.
#[derive(Clone, Debug)]
pub struct UndoPlan {
    /// The run that is taken back; goes into `ApplyOptions::undoes`.
    pub run: String,
    /// The Prometheus that the run was for.
    pub prometheus: Option<WorkloadRef>,
    pub plan: Plan,
    pub notes: Vec<UndoNote>,
    /// What the journal had to say while it was read.
    pub warnings: Vec<String>,
    /// Runs that stand after it all the same, newest first.
    pub older: Vec<String>,
    /// Why it is not certain that the run was made in this cluster; goes on by the user's word alone.
    pub unproven: Option<Error>,
    /// It was made in this cluster for certain, or objects of its own were met: taken back, it counts as undone.
    pub met: bool,
}

/// Plans the undo of a run; `None`: of the newest one that has not been undone. A run that this machine knows
/// nothing of is looked for in the cluster, in the `homes` of its Prometheus servers.
///
/// # Errors
/// There is no such run, it was undone already or is an undo itself, it was made in another cluster, a newer run
/// rests on it, the journal or an object cannot be read. Where it is not known in which cluster it was made, the plan
/// says so ([`UndoPlan::unproven`]).
pub async fn plan_undo(
    session: &Session,
    homes: &[String],
    run: Option<&str>,
    only: &[WorkloadRef],
) -> Result<UndoPlan, Error> {
    let (mut entries, mut warnings) = runs::entries(session, homes, run).await?;
    let Some(Entry::Started {
        run,
        context,
        cluster,
        undoes,
        prometheus,
        at,
        ..
    }) = entries.first()
    else {
        return Err(Error::new(say::JOURNAL_LACKS_ITS_START).hint(say::CHECK_ITS_FILE));
    };
    if let Some(undone) = undoes {
        return Err(Error::new(say::is_itself_an_undo(run, undone)).hint(say::APPLY_AGAIN));
    }
    let unproven = identity::check(session, run, (context, cluster.as_deref())).await?;
    if is_undone(&entries) {
        return Err(Error::new(say::undone_already(run)));
    }
    let (run, at) = (run.clone(), *at);
    let prometheus = prometheus.clone();
    if !only.is_empty() {
        keep_items(&mut entries, &run, only)?;
    }
    let older = runs::beside(session, homes, &run, at, &entries).await?;
    warnings.extend(older.iter().map(|name| say::older_stays_applied(name)));
    let live = runs::live(session, &entries).await?;
    let (mut plan, notes) = undo(&entries, &|object| live.get(object).cloned().flatten())?;
    let met = unproven.is_none() || runs::met(&entries, &live);
    plan.undoes = Some(run.clone());
    if let Some(gone) = &prometheus
        && let Some(words) = without(session, gone, &mut plan).await
    {
        warnings.push(words);
    }
    // What is left of a run after part of it was taken back still needs its record.
    if let Some(home) = plan.home.clone().filter(|_| only.is_empty()) {
        match keep::secrets(session, &home, Some(&run)).await {
            Ok(secrets) => keeping::forget(&mut plan, &secrets),
            // Not to be seen here is not to be written here either.
            Err(error) => warnings.push(say::record_stays(&error)),
        }
    }
    warnings.extend(session.journal.warnings());
    Ok(UndoPlan {
        run,
        prometheus,
        plan,
        notes,
        warnings,
        older,
        unproven,
        met,
    })
}

impl UndoPlan {
    /// The Prometheus that the way back is watched in. One that is gone keeps nothing from being taken back.
    ///
    /// # Errors
    /// The record names none, and there is none to choose.
    pub fn target(&self, mesh: &Mesh) -> Result<Arc<Prometheus>, Error> {
        target(self.prometheus.as_ref(), mesh)
    }
}

/// As [`UndoPlan::target`].
///
/// # Errors
/// No Prometheus is named, and there is none to choose.
pub fn target(named: Option<&WorkloadRef>, mesh: &Mesh) -> Result<Arc<Prometheus>, Error> {
    // Whoever owns it: what is taken back was written all the same.
    let found = match named {
        Some(id) => mesh.prometheus(id),
        None => mesh
            .prometheus_servers
            .iter()
            .find(|p| p.obstacles.is_empty() || p.takeable().is_some()),
    };
    match (found, named) {
        (Some(found), _) => Ok(Arc::clone(found)),
        (None, Some(id)) => Ok(Arc::new(Prometheus::named(id.clone()))),
        (None, None) => {
            Err(Error::new(say::PROMETHEUS_OF_RUN_UNKNOWN).hint(say::CHECK_YOU_MAY_LIST))
        }
    }
}

/// What is to be said where the Prometheus of a run is gone; with its namespace goes the place of the record.
async fn without(session: &Session, prometheus: &WorkloadRef, plan: &mut Plan) -> Option<String> {
    let gone = session.cluster.get(&prometheus.object()).await;
    // Who may not read it cannot be told.
    if !matches!(gone, Ok(None)) {
        return None;
    }
    let space = ObjectRef::new(Of::Namespace, "", &prometheus.namespace);
    let leaving = match session.cluster.get(&space).await {
        Ok(None) => true,
        Ok(Some(live)) => !live["metadata"]["deletionTimestamp"].is_null(),
        Err(_) => false,
    };
    if !leaving {
        return Some(say::prometheus_is_gone(prometheus));
    }
    plan.home = None;
    Some(say::prometheus_and_record_gone(prometheus))
}

/// Leaves the writes of these workloads and gateways alone.
fn keep_items(entries: &mut Vec<Entry>, run: &str, only: &[WorkloadRef]) -> Result<(), Error> {
    let of = |item: &Option<WorkloadRef>| item.as_ref().is_some_and(|item| only.contains(item));
    let items: BTreeSet<WorkloadRef> = intents(entries)
        .filter_map(|intent| intent.item.clone())
        .collect();
    if let Some(unknown) = only.iter().find(|item| !items.contains(*item)) {
        let names: Vec<String> = items.iter().map(WorkloadRef::to_string).collect();
        return Err(Error::new(say::wrote_nothing_for(run, unknown))
            .hint(say::it_wrote_for(&names.join(", "))));
    }
    let seqs: BTreeSet<u32> = intents(entries)
        .filter(|intent| of(&intent.item))
        .map(|intent| intent.seq)
        .collect();
    keep_seqs(entries, &seqs);
    Ok(())
}

fn intents(entries: &[Entry]) -> impl Iterator<Item = &Intent> {
    entries.iter().filter_map(|entry| match entry {
        Entry::Intent(intent) => Some(intent.as_ref()),
        _ => None,
    })
}

fn is_undone(entries: &[Entry]) -> bool {
    entries
        .iter()
        .any(|entry| matches!(entry, Entry::Ended { how, .. } if how == "undone"))
}

pub(super) async fn plan_of(
    session: &Session,
    entries: &[Entry],
) -> Result<(Plan, Vec<UndoNote>), Error> {
    let live = runs::live(session, entries).await?;
    undo(entries, &|object| live.get(object).cloned().flatten())
}

/// Told of each object that is as it was before.
pub(super) type Back<'a> = dyn FnMut(&mut Around<'_>, &ObjectRef) + Send + 'a;

/// Takes back a run, or these changes of it, at once: planned, dry-run and written like any change, and
/// recorded as a run of its own.
pub(super) async fn take_back(
    around: &mut Around<'_>,
    run: &str,
    as_run: &str,
    only: Option<&BTreeSet<ChangeId>>,
    back: &mut Back<'_>,
) -> Result<(), Error> {
    let mut entries = around.session.journal.run(Some(run))?;
    if let Some(only) = only {
        keep_changes(&mut entries, only);
    }
    let (plan, _) = plan_of(around.session, &entries).await?;
    if plan.changes.is_empty() {
        return Ok(());
    }
    let cluster = &around.session.cluster;
    let review = Review::new(cluster.context.clone(), RunId(as_run.to_owned()), plan);
    let review = super::review::review(cluster, review, &|_| {}).await;
    // The history that could go is the little that was gathered since this very run's restart.
    match review.approve(Word { lose_history: true }) {
        Ok(approved) => straight(around, run, as_run, approved, back).await,
        Err(NotApprovable::NothingToDo) => Ok(()),
        Err(why) => Err(refusal(&review, &why)),
    }
}

/// The entries of these changes, and the beginning of their run.
fn keep_changes(entries: &mut Vec<Entry>, only: &BTreeSet<ChangeId>) {
    let seqs: BTreeSet<u32> = intents(entries)
        .filter(|intent| only.contains(&intent.change))
        .map(|intent| intent.seq)
        .collect();
    keep_seqs(entries, &seqs);
}

fn keep_seqs(entries: &mut Vec<Entry>, seqs: &BTreeSet<u32>) {
    entries.retain(|entry| match entry {
        Entry::Started { .. } => true,
        Entry::Intent(intent) => seqs.contains(&intent.seq),
        Entry::Result { seq, .. } => seqs.contains(seq),
        Entry::Release { .. } | Entry::Ended { .. } => false,
    });
}

fn refusal(review: &Review, why: &NotApprovable) -> Error {
    let mut error = Error::new(say::NOT_UNDOABLE_NOW);
    if let NotApprovable::Stopped(ids) = why {
        for id in ids {
            let Some(reviewed) = review.items.get(id) else {
                continue;
            };
            error = error.cause(format!(
                "{}: {:?}",
                reviewed.change.object, reviewed.verdict
            ));
        }
    }
    error.hint(say::SEE_EACH_BLOCKER)
}

/// The first line of a run that undoes another.
///
/// # Errors
/// The journal cannot be written.
pub(super) async fn begin(
    session: &Session,
    run: &str,
    undoes: &str,
    prometheus: &Prometheus,
) -> Result<(), Error> {
    session.journal.append(&Entry::Started {
        version: VERSION,
        run: run.to_owned(),
        at: session.clock.now(),
        context: session.cluster.context.clone(),
        cluster: identity::identity(session).await.ok(),
        undoes: Some(undoes.to_owned()),
        prometheus: Some(prometheus.id.clone()),
        answers: None,
        by: Some(Box::new(session.who.clone())),
    })
}

/// Writes in order without asking anybody. Stops where a write fails; a wait that only makes things
/// smoother (a rollout, a configuration that is dropped late) does not hold up the way back.
async fn straight(
    around: &mut Around<'_>,
    undoes: &str,
    run: &str,
    approved: Approved,
    back: &mut Back<'_>,
) -> Result<(), Error> {
    begin(around.session, run, undoes, &around.target).await?;
    let result = straight_on(around, run, &approved, back).await;
    let how = if result.is_ok() { "whole" } else { "partWay" };
    around.record_end(run, how);
    result
}

async fn straight_on(
    around: &mut Around<'_>,
    run: &str,
    approved: &Approved,
    back: &mut Back<'_>,
) -> Result<(), Error> {
    let nobody = BTreeSet::new();
    let changes = approved.changes();
    let mut written: BTreeSet<ObjectRef> = BTreeSet::new();
    let places = changes.iter().enumerate();
    let last: BTreeMap<&ObjectRef, usize> = places
        .map(|(at, change)| (&change.change().object, at))
        .collect();
    for (at, change) in changes.iter().enumerate() {
        let restart_follows = around.restarted_by(&changes[at + 1..]);
        let about = |wrote| About {
            id: &change.change().id,
            reviewed: change.reviewed(),
            wrote,
            out: &nobody,
            restart_follows,
        };
        for what in change.before() {
            let waited = around.wait(&what, &about(None)).await;
            go_on(around, &what, waited)?;
        }
        if around.stopped() {
            return Err(stopped());
        }
        around.guard.holds().await?;
        let seq = u32::try_from(at).unwrap_or(u32::MAX);
        let object = &change.change().object;
        let moved = !written.insert(object.clone());
        let wrote = steps::write(around.session, run, seq, change, moved)
            .await
            .map_err(|failure| failure.error)?;
        around.log(say::is_undone(&change.change().object));
        around.touched(change.change());
        if last.get(object) == Some(&at) {
            back(around, object);
        }
        let answer = match &wrote {
            steps::Wrote::Yes(answer) => answer.as_ref(),
            steps::Wrote::Already => None,
        };
        for what in &change.change().then {
            let waited = around.wait(what, &about(answer)).await;
            go_on(around, what, waited)?;
        }
    }
    Ok(())
}

fn go_on(around: &Around<'_>, what: &Await, waited: Waited) -> Result<(), Error> {
    match waited {
        Waited::Over => Ok(()),
        Waited::Stopped => Err(stopped()),
        Waited::Failed(error) if *what == Await::ReadBack => Err(error),
        Waited::Failed(error) => {
            around.log(error.what);
            Ok(())
        }
        Waited::NotUp(why) => {
            around.log(why);
            Ok(())
        }
    }
}

fn stopped() -> Error {
    Error::new(say::STOPPED_DURING_THE_UNDO).kind(Kind::StoppedPartWay)
}
