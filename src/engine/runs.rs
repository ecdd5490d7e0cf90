//! The runs that there are: those of this machine's journal, and those whose record stands in the cluster.

use super::identity::{Made, identity, made};
use super::keep;
use super::session::{Journal, RunNote, Session};
use crate::answers::Answers;
use crate::cluster::ApiError;
use crate::error::Error;
use crate::journal::{self, copy};
use crate::mesh::kinds::ObjectRef;
use crate::plan::Part;
use crate::plan::keeping::RUN_LABEL;
use crate::plan::record::Entry;
use crate::plan::resume::{self, Stands, Step};
use crate::words::say::engine as say;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Objects that are read at the same time.
const AT_ONCE: usize = 8;

/// A run, and where its record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub note: RunNote,
    /// In this machine's journal.
    pub here: bool,
    /// In the cluster, so that another machine can take it back.
    pub in_cluster: bool,
}

impl Known {
    /// Whether it was made in the cluster of this identity.
    pub fn made(&self, cluster: Option<&str>) -> Made {
        made(self.note.cluster.as_deref(), cluster)
    }
}

/// Every run, newest first; and what could not be read, in words.
///
/// # Errors
/// The journal of this machine cannot be read.
pub async fn known(
    session: &Session,
    namespaces: &[String],
) -> Result<(Vec<Known>, Vec<String>), Error> {
    let mut runs: BTreeMap<String, Known> = BTreeMap::new();
    for note in session.journal.runs()? {
        let known = Known {
            note,
            here: true,
            in_cluster: false,
        };
        runs.insert(known.note.run.clone(), known);
    }
    let mut words = session.journal.warnings();
    for namespace in namespaces {
        match records(session, namespace, None).await {
            Ok(found) => {
                for (run, (entries, torn)) in found {
                    if let Some(torn) = torn {
                        words.push(say::record_torn(&run, &torn));
                    }
                    if let Some(known) = runs.get_mut(&run) {
                        known.in_cluster = true;
                    } else if let Some(note) = journal::note(&entries) {
                        let known = Known {
                            note,
                            here: false,
                            in_cluster: true,
                        };
                        runs.insert(run, known);
                    }
                }
            }
            Err(error) => words.push(say::records_cannot_be_read(namespace, &error)),
        }
    }
    let mut runs: Vec<Known> = runs.into_values().collect();
    sort(&mut runs);
    Ok((runs, words))
}

/// The runs of these journals, newest first; and what could not be read, in words.
///
/// # Errors
/// A journal cannot be read.
pub fn of_machine(journals: &[Arc<dyn Journal>]) -> Result<(Vec<Known>, Vec<String>), Error> {
    let (mut runs, mut words) = (Vec::new(), Vec::new());
    for journal in journals {
        runs.extend(journal.runs()?.into_iter().map(|note| Known {
            note,
            here: true,
            in_cluster: false,
        }));
        words.extend(journal.warnings());
    }
    sort(&mut runs);
    Ok((runs, words))
}

fn sort(runs: &mut [Known]) {
    runs.sort_unstable_by(|a, b| (b.note.at, &b.note.run).cmp(&(a.note.at, &a.note.run)));
}

/// The lines of a run: from this machine's journal, and what its record in the cluster knows beyond them. Without a
/// name the newest that was made in this cluster, or may have been; where there is none, the newest.
///
/// # Errors
/// There is no such run in either; the journal cannot be read.
pub async fn entries(
    session: &Session,
    namespaces: &[String],
    run: Option<&str>,
) -> Result<(Vec<Entry>, Vec<String>), Error> {
    let cluster = match run {
        Some(_) => None,
        None => identity(session).await.ok(),
    };
    let may_be =
        |note: &RunNote| made(note.cluster.as_deref(), cluster.as_deref()) != Made::Elsewhere;
    let here = local(session, run, &may_be);
    let run = match &here {
        Ok(entries) => entries.first().map(|entry| entry.run().to_owned()),
        Err((_, Some(damaged))) => Some(damaged.clone()),
        Err((_, None)) => run.map(str::to_owned),
    };
    let mut words = Vec::new();
    let mut found: Vec<(Vec<Entry>, RunNote)> = Vec::new();
    for namespace in namespaces {
        match records(session, namespace, run.as_deref()).await {
            Ok(records) => {
                for (id, (lines, torn)) in records {
                    if let Some(torn) = torn {
                        words.push(say::record_torn(&id, &torn));
                    }
                    if let Some(note) = journal::note(&lines) {
                        found.push((lines, note));
                    }
                }
            }
            Err(error) => words.push(say::records_cannot_be_read(namespace, &error)),
        }
    }
    let missing = match here {
        Ok(entries) => {
            let known: Vec<Entry> = found.into_iter().flat_map(|(lines, _)| lines).collect();
            let (entries, lost) = copy::completed(entries, &known);
            if lost > 0 {
                words.push(say::recorded_only_in_the_cluster(lost));
            }
            return Ok((entries, words));
        }
        Err(missing) => missing,
    };
    let (missing, damaged) = missing;
    found.retain(|(_, note)| {
        note.how.as_deref() != Some("undone") && note.undoes.is_none() && may_be(note)
    });
    found.sort_unstable_by(|(_, a), (_, b)| (a.at, &a.run).cmp(&(b.at, &b.run)));
    match found.pop() {
        Some((mut lines, note)) => {
            // The context is what another machine calls the cluster.
            if let Some(Entry::Started { context, .. }) = lines.first_mut() {
                session.cluster.context.clone_into(context);
            }
            let why = match damaged {
                Some(_) => missing.what,
                None => say::NO_RECORD_HERE.into(),
            };
            words.push(say::read_from_the_cluster(&note.run, &why));
            Ok((lines, words))
        }
        None => Err(missing),
    }
}

/// The lines in this machine's journal; else the error, and which run it is whose lines stand here and cannot be
/// read. A newer run of that kind is not passed over for an older one.
fn local(
    session: &Session,
    run: Option<&str>,
    may_be: &dyn Fn(&RunNote) -> bool,
) -> Result<Vec<Entry>, (Error, Option<String>)> {
    let journal = &session.journal;
    let newest = match run {
        Some(_) => None,
        None => {
            let runs = journal.runs().map_err(|error| (error, None))?;
            let newest = runs
                .into_iter()
                .find(|note| note.can_be_undone() && may_be(note));
            newest.map(|note| note.run)
        }
    };
    let found = journal.run(run.or(newest.as_deref()));
    if run.is_some() && found.is_ok() {
        return found.map_err(|error| (error, None));
    }
    let newest = found.as_ref().ok().and_then(|entries| entries.first());
    let meant = journal.damaged().into_iter().find(|id| match run {
        Some(run) => id == run,
        None => newest.is_none_or(|newest| newest.run() < id.as_str()),
    });
    match meant {
        Some(id) => {
            let found = journal.run(Some(&id));
            found.map_err(|error| (error, Some(id)))
        }
        None => found.map_err(|error| (error, None)),
    }
}

/// A run that was cut off or stopped part way, held against the cluster.
#[derive(Clone, Debug)]
pub struct Unfinished {
    /// The run itself; where its undo was cut off, the one that is taken back.
    pub known: Known,
    /// The undo that did not come to its end.
    pub undo: Option<RunNote>,
    pub steps: Vec<Step>,
    /// What it was for, so that it can go on; `None`: the record does not say.
    pub answers: Option<Answers>,
    /// It is certain that it was made in this cluster.
    pub certain: bool,
}

impl Unfinished {
    /// How many of its changes stand as written, as before, and otherwise.
    pub fn counts(&self) -> (usize, usize, usize) {
        let of =
            |wanted: fn(&Stands) -> bool| self.steps.iter().filter(|s| wanted(&s.stands)).count();
        (
            of(|stands| *stands == Stands::After),
            of(|stands| *stands == Stands::Before),
            of(|stands| matches!(stands, Stands::Other(_))),
        )
    }

    /// In one line: which run, whose, and how far it came.
    pub fn words(&self) -> String {
        let (after, before, other) = self.counts();
        let note = self.undo.as_ref().unwrap_or(&self.known.note);
        let (run, all) = (&self.known.note.run, self.steps.len());
        let words = match (&self.undo, &note.by) {
            (Some(_), Some(by)) => say::undo_interrupted_of(by, run, before, all, after),
            (Some(_), None) => say::undo_interrupted(run, before, all, after),
            (None, Some(by)) => say::run_interrupted_of(run, by, after, all, before),
            (None, None) => say::run_interrupted(run, after, all, before),
        };
        match other {
            0 => words,
            _ => say::others_changed(&words, other),
        }
    }
}

/// The newest run or undo, where it did not come to its end: cut off, or stopped part way, and not taken back.
/// A run that is at work just now looks the same; the lock tells it apart when something is written.
///
/// # Errors
/// The journal, or an object of the run, cannot be read.
pub async fn unfinished(
    session: &Session,
    namespaces: &[String],
) -> Result<Option<Unfinished>, Error> {
    let (runs, _) = known(session, namespaces).await?;
    unfinished_of(session, namespaces, runs).await
}

/// As [`unfinished`], of the runs that this machine made: what a command without a name is about. Another machine's
/// may be at work on another Prometheus just now.
///
/// # Errors
/// As [`unfinished`].
pub async fn unfinished_here(
    session: &Session,
    namespaces: &[String],
) -> Result<Option<Unfinished>, Error> {
    let (mut runs, _) = known(session, namespaces).await?;
    // One whose file is damaged is of this machine all the same.
    let damaged = session.journal.damaged();
    runs.retain(|run| run.here || damaged.contains(&run.note.run));
    unfinished_of(session, namespaces, runs).await
}

async fn unfinished_of(
    session: &Session,
    namespaces: &[String],
    mut runs: Vec<Known>,
) -> Result<Option<Unfinished>, Error> {
    if runs.is_empty() {
        return Ok(None);
    }
    let cluster = identity(session).await.ok();
    runs.retain(|run| run.made(cluster.as_deref()) != Made::Elsewhere);
    let open = |run: &Known| !matches!(run.note.how.as_deref(), Some("whole" | "undone"));
    let undo = runs
        .first()
        .filter(|run| open(run) && !run.note.is_part())
        .map(|run| run.note.clone())
        .filter(|note| note.undoes.is_some());
    let newest = match undo.as_ref().and_then(|note| note.undoes.as_deref()) {
        Some(undone) => runs
            .into_iter()
            .find(|run| run.note.run == undone && run.note.how.as_deref() != Some("undone")),
        None => runs
            .into_iter()
            .find(|run| run.note.undoes.is_none())
            .filter(open),
    };
    let Some(known) = newest else {
        return Ok(None);
    };
    let (entries, _) = entries(session, namespaces, Some(&known.note.run)).await?;
    let live = live(session, &entries).await?;
    let steps = resume::steps(&entries, &|object| live.get(object).cloned().flatten());
    if steps.iter().all(|step| step.stands == Stands::Before) {
        return Ok(None);
    }
    Ok(Some(Unfinished {
        certain: known.made(cluster.as_deref()) == Made::Here || met(&entries, &live),
        known,
        undo,
        steps,
        answers: answers(&entries),
    }))
}

/// Other runs that stand beside the one that is to be taken back: the names of the older ones, newest first.
///
/// # Errors
/// A newer run rests on it, and would break; the journal or an object cannot be read.
pub(super) async fn beside(
    session: &Session,
    namespaces: &[String],
    run: &str,
    at: Timestamp,
    of: &[Entry],
) -> Result<Vec<String>, Error> {
    let (runs, _) = known(session, namespaces).await?;
    let cluster = identity(session).await.ok();
    let others = runs.iter().filter(|other| {
        other.note.run != run
            && other.note.undoes.is_none()
            && other.note.how.as_deref() != Some("undone")
            && match other.made(cluster.as_deref()) {
                Made::Here => true,
                Made::Elsewhere => false,
                Made::Unknown => other.note.context == session.cluster.context,
            }
    });
    let (newer, older): (Vec<&Known>, Vec<&Known>) =
        others.partition(|other| (other.note.at, other.note.run.as_str()) > (at, run));
    for newer in newer {
        let name = &newer.note.run;
        let Ok((entries, _)) = entries(session, namespaces, Some(name)).await else {
            continue;
        };
        let Some(shared) = rests_on(&entries, of) else {
            continue;
        };
        let live = live(session, &entries).await?;
        let steps = resume::steps(&entries, &|object| live.get(object).cloned().flatten());
        if steps.iter().any(|step| step.stands == Stands::After) {
            return Err(Error::refused(say::newer_run_is_applied(run, name))
                .cause(say::both_need(&shared))
                .hint(say::undo_the_newer_first(name)));
        }
    }
    Ok(older.iter().map(|older| older.note.run.clone()).collect())
}

/// What a newer run shares with an older one, or cannot do without.
fn rests_on(newer: &[Entry], older: &[Entry]) -> Option<String> {
    let intents = |entries: &[Entry]| -> Vec<(Part, ObjectRef)> {
        let intents = entries.iter().filter_map(|entry| match entry {
            Entry::Intent(intent) => Some((intent.part, intent.object.clone())),
            _ => None,
        });
        intents.collect()
    };
    let prometheus = |entries: &[Entry]| match entries.first() {
        Some(Entry::Started { prometheus, .. }) => prometheus.clone(),
        _ => None,
    };
    // A record that names no Prometheus may mean any.
    let one_prometheus = match (prometheus(newer), prometheus(older)) {
        (Some(newer), Some(older)) => newer == older,
        _ => true,
    };
    let (newer, older) = (intents(newer), intents(older));
    let annotations = newer.iter().any(|(part, _)| *part == Part::Annotation);
    let needed = older.iter().find(|(part, object)| {
        let serves_all = matches!(part, Part::PrometheusPod | Part::ScrapeJob);
        (annotations && serves_all && one_prometheus)
            || newer.iter().any(|(_, other)| other == object)
    });
    needed.map(|(_, object)| object.to_string())
}

/// What a run was for, where its record says so.
pub fn answers(entries: &[Entry]) -> Option<Answers> {
    match entries.first() {
        Some(Entry::Started { answers, .. }) => answers.as_deref().cloned(),
        _ => None,
    }
}

/// Objects by name, as they are now; `None`: absent.
pub(super) type Live = BTreeMap<ObjectRef, Option<Arc<Value>>>;

/// Does one of the very objects that this run wrote stand here? No two clusters have objects of one uid.
pub(super) fn met(entries: &[Entry], live: &Live) -> bool {
    let uid = |object: &ObjectRef| live.get(object)?.as_ref()?["metadata"]["uid"].as_str();
    let mut written: BTreeMap<u32, &ObjectRef> = BTreeMap::new();
    entries.iter().any(|entry| match entry {
        Entry::Intent(intent) => {
            written.insert(intent.seq, &intent.object);
            intent.uid.is_some() && intent.uid.as_deref() == uid(&intent.object)
        }
        Entry::Result { seq, uid: made, .. } => {
            made.is_some() && made.as_deref() == written.get(seq).and_then(|object| uid(object))
        }
        _ => false,
    })
}

/// Was this run of this machine's journal made here for certain, or does one of its own objects stand here? Of a run
/// that is not in the journal nothing is called undone.
pub(super) async fn is_of_this_cluster(
    session: &Session,
    run: &str,
    cluster: Option<&str>,
) -> bool {
    let Ok(entries) = session.journal.run(Some(run)) else {
        return true;
    };
    let note = journal::note(&entries);
    let recorded = note.as_ref().and_then(|note| note.cluster.as_deref());
    if made(recorded, cluster) == Made::Here {
        return true;
    }
    live(session, &entries)
        .await
        .is_ok_and(|live| met(&entries, &live))
}

/// The objects that a run wrote or was about to write, as they are now.
///
/// # Errors
/// One of them cannot be read.
pub(super) async fn live(session: &Session, entries: &[Entry]) -> Result<Live, Error> {
    let objects: BTreeSet<ObjectRef> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Intent(intent) => Some(intent.object.clone()),
            _ => None,
        })
        .collect();
    stream::iter(objects)
        .map(|object| async move {
            let live = session.cluster.get(&object).await.map_err(|error| {
                Error::new(say::cannot_be_read(&object))
                    .cause(&error)
                    .hint(error.hint())
            })?;
            Ok::<_, Error>((object, live.map(Arc::new)))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

type Records = BTreeMap<String, (Vec<Entry>, Option<String>)>;

/// The records that stand in a namespace, by run; of one run, or of all.
async fn records(
    session: &Session,
    namespace: &str,
    run: Option<&str>,
) -> Result<Records, ApiError> {
    let mut by_run: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for secret in keep::secrets(session, namespace, run).await? {
        if let Some(run) = secret["metadata"]["labels"][RUN_LABEL].as_str() {
            by_run.entry(run.to_owned()).or_default().push(secret);
        }
    }
    let records = by_run
        .into_iter()
        .map(|(run, secrets)| (run, copy::entries(&secrets)));
    Ok(records.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::kinds::{Kind, WorkloadRef};
    use crate::plan::ChangeId;
    use crate::plan::record::Intent;

    fn run(prometheus: Option<&str>, part: Part, object: ObjectRef) -> [Entry; 2] {
        let at = Timestamp::UNIX_EPOCH;
        let prometheus =
            prometheus.map(|space| WorkloadRef::new(space, Kind::Deployment, "prometheus"));
        let started = Entry::Started {
            version: 1,
            run: "r".into(),
            at,
            context: "c".into(),
            cluster: None,
            undoes: None,
            prometheus,
            answers: None,
            by: None,
        };
        let intent = Intent {
            run: "r".into(),
            seq: 0,
            at,
            change: ChangeId::new(&object, part),
            part,
            object,
            item: None,
            uid: None,
            leaves: Vec::new(),
            text: None,
            deleted: None,
            taken: Vec::new(),
        };
        [started, Entry::Intent(Box::new(intent))]
    }

    #[test]
    fn a_run_rests_on_another_by_its_prometheus_or_an_object() {
        let of = |kind, space: &str, name: &str| ObjectRef::new(kind, space, name);
        let pod = |space| {
            let object = of(Kind::Deployment, space, "prometheus");
            run(Some(space), Part::PrometheusPod, object)
        };
        let annotation = |prometheus| {
            run(
                prometheus,
                Part::Annotation,
                of(Kind::Deployment, "shop", "cart"),
            )
        };
        assert_eq!(
            rests_on(&annotation(Some("one")), &pod("one")).as_deref(),
            Some("Deployment one/prometheus")
        );
        assert_eq!(rests_on(&annotation(Some("two")), &pod("one")), None);
        assert!(rests_on(&annotation(None), &pod("one")).is_some());
        assert!(rests_on(&annotation(Some("two")), &annotation(Some("one"))).is_some());
    }
}
