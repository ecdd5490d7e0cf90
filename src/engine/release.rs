//! The end of an undo: fields that this program applied are released, and what it took from others is theirs again.

use super::identity::{Made, identity};
use super::lock;
use super::runs;
use super::session::Session;
use super::undo;
use crate::cluster::ApiError;
use crate::cluster::api::Write;
use crate::cluster::error::Reason;
use crate::error::Error;
use crate::mesh::Prometheus;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::plan::record::{Entry, Intent, LeafChange, TextRecord};
use crate::plan::release::released;
use crate::plan::resume::{Stands, stands};
use crate::plan::review::{ApprovedChange, RunId};
use crate::plan::scrape_config::TextEdit;
use crate::plan::undo::found::FOUND;
use crate::plan::{Action, Expected, LeafEdit};
use crate::words::say::engine as say;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects that are looked at at the same time.
const AT_ONCE: usize = 8;
/// An object that others write to all the while is tried so often.
const ATTEMPTS: usize = 5;

/// Where it is done, and recorded.
#[derive(Clone)]
pub(super) struct Place<'a> {
    pub session: &'a Session,
    /// Namespaces with records of runs.
    pub homes: &'a [String],
    /// The run whose journal gets a line before each write.
    pub as_run: &'a str,
}

/// Releases what was undone of this run; of what still stands as the run left it nothing. What could not be
/// released, in words.
pub(super) async fn release(place: &Place<'_>, run: &str, entries: &[Entry]) -> Vec<String> {
    of_intents(place, run, &intents(entries)).await
}

/// As [`release`], by what was written to undo it: where no record of the run is left.
pub(super) async fn of_changes(place: &Place<'_>, changes: &[ApprovedChange]) -> Vec<String> {
    let intents: Vec<Intent> = changes.iter().filter_map(undone).collect();
    of_intents(place, FOUND, &intents).await
}

/// What an undo that was cut off right before its end has left: no more than its name on fields. Released as a run
/// of its own, once nobody holds a lock in these `places`; nothing is written where nothing is left.
///
/// # Errors
/// Another run is at work; the journal cannot be read or written.
pub async fn late(
    session: &Session,
    homes: &[String],
    places: &[String],
    run: &str,
    prometheus: &Prometheus,
) -> Result<Vec<String>, Error> {
    let (entries, _) = runs::entries(session, homes, Some(run)).await?;
    let others = others(session, homes, run).await;
    let mut left = false;
    for (object, intents) in by_object(&intents(&entries)) {
        let live = session.cluster.get(&object).await.ok().flatten();
        left |=
            live.is_some_and(|live| managed(&object, &live, &intents, others.as_deref()).is_some());
    }
    if !left {
        return Ok(Vec::new());
    }
    let (_going, mut stop) = tokio::sync::watch::channel(false);
    for namespace in places {
        lock::respect(session, namespace, false, &mut stop, &|_| {}).await?;
    }
    let RunId(as_run) = RunId::new(session.clock.now());
    undo::begin(session, &as_run, run, prometheus).await?;
    let place = Place {
        session,
        homes,
        as_run: &as_run,
    };
    let failed = release(&place, run, &entries).await;
    session.journal.append(&Entry::Ended {
        how: match failed.is_empty() {
            true => "whole".into(),
            false => "partWay".into(),
        },
        run: as_run,
        at: session.clock.now(),
    })?;
    Ok(failed)
}

fn intents(entries: &[Entry]) -> Vec<Intent> {
    let intents = entries.iter().filter_map(|entry| match entry {
        Entry::Intent(intent) => Some(intent.as_ref().clone()),
        _ => None,
    });
    intents.collect()
}

fn by_object(intents: &[Intent]) -> BTreeMap<ObjectRef, Vec<Intent>> {
    let mut by_object: BTreeMap<ObjectRef, Vec<Intent>> = BTreeMap::new();
    for intent in intents {
        let edits = !intent.leaves.is_empty() || intent.text.is_some() || intent.deleted.is_some();
        if edits && !matches!(intent.object.kind, Kind::Lease | Kind::Secret) {
            let of_object = by_object.entry(intent.object.clone()).or_default();
            of_object.push(intent.clone());
        }
    }
    by_object
}

async fn of_intents(place: &Place<'_>, run: &str, intents: &[Intent]) -> Vec<String> {
    let by_object = by_object(intents);
    if by_object.is_empty() {
        return Vec::new();
    }
    // Not to know the other runs is to leave them what they may have.
    let others = Arc::new(others(place.session, place.homes, run).await);
    let mut each = Vec::new();
    for (object, intents) in by_object {
        let others = Arc::clone(&others);
        each.push(async move {
            let done = one(place, &object, &intents, others.as_deref()).await;
            let failed = done.err()?;
            Some(say::fields_not_released(&object, &failed.what))
        });
    }
    let failed: Vec<Option<String>> = stream::iter(each).buffered(AT_ONCE).collect().await;
    failed.into_iter().flatten().collect()
}

async fn one(
    place: &Place<'_>,
    object: &ObjectRef,
    intents: &[Intent],
    others: Option<&[Intent]>,
) -> Result<(), Error> {
    let session = place.session;
    let failed = |error: ApiError| Error::new(error.to_string());
    for attempt in 1.. {
        let Some(live) = session.cluster.get(object).await.map_err(failed)? else {
            return Ok(());
        };
        let Some(managed) = managed(object, &live, intents, others) else {
            return Ok(());
        };
        // The version is replaced rather than tested: another one is then a conflict, not an invalid patch.
        let operations = json!([
            {"op": "replace", "path": "/metadata/managedFields", "value": managed},
            {"op": "replace", "path": "/metadata/resourceVersion",
                "value": live["metadata"]["resourceVersion"]},
        ]);
        session.journal.append(&Entry::Release {
            run: place.as_run.to_owned(),
            at: session.clock.now(),
            object: object.clone(),
        })?;
        let answer = session
            .cluster
            .json_patch(object, &operations, Write::default())
            .await;
        match answer {
            Err(error) if error.reason == Reason::Stale && attempt < ATTEMPTS => {}
            Err(error) if error.is_not_found() => return Ok(()),
            answer => return answer.map(drop).map_err(failed),
        }
    }
    Ok(())
}

fn managed(
    object: &ObjectRef,
    live: &Value,
    intents: &[Intent],
    others: Option<&[Intent]>,
) -> Option<Value> {
    let uid = live["metadata"]["uid"].as_str();
    let this = |intent: &&Intent| intent.deleted.is_some() || intent.uid.as_deref() == uid;
    let intents: Vec<&Intent> = intents.iter().filter(this).collect();
    let alone = others.is_some_and(|others| {
        let mut others = others.iter().filter(|other| other.object == *object);
        others.all(|other| stands(other, Some(live)) == Stands::Before)
    });
    released(live, &intents, alone)
}

/// The writes of other runs in this cluster that were not taken back; `None`: not known.
async fn others(session: &Session, homes: &[String], run: &str) -> Option<Vec<Intent>> {
    let (known, _) = runs::known(session, homes).await.ok()?;
    let cluster = identity(session).await.ok();
    let mut out = Vec::new();
    for other in known {
        let counts = other.note.run != run
            && other.note.undoes.is_none()
            && other.note.how.as_deref() != Some("undone")
            && other.made(cluster.as_deref()) != Made::Elsewhere;
        if !counts || run == FOUND {
            continue;
        }
        let (entries, _) = runs::entries(session, homes, Some(&other.note.run))
            .await
            .ok()?;
        out.extend(entries.into_iter().filter_map(|entry| match entry {
            Entry::Intent(intent) => Some(*intent),
            _ => None,
        }));
    }
    Some(out)
}

/// The write that this change takes back, as far as the change tells.
fn undone(approved: &ApprovedChange) -> Option<Intent> {
    let change = approved.change();
    let mut intent = Intent {
        run: FOUND.into(),
        seq: 0,
        at: jiff::Timestamp::UNIX_EPOCH,
        change: change.id.clone(),
        part: change.part,
        object: change.object.clone(),
        item: change.item.clone(),
        uid: approved.uid().map(str::to_owned),
        leaves: Vec::new(),
        text: None,
        deleted: None,
        taken: Vec::new(),
    };
    match &change.action {
        Action::Edit { leaves } => intent.leaves = leaves.iter().map(leaf).collect(),
        Action::Text { key, edits } => {
            let edits: Vec<TextEdit> = edits.iter().filter_map(made).collect();
            intent.text = Some(TextRecord::new(key, &edits, "", ""));
        }
        Action::Apply { .. } | Action::Delete { .. } => return None,
    }
    Some(intent)
}

fn leaf(edit: &LeafEdit) -> LeafChange {
    LeafChange {
        path: edit.path.clone(),
        before: edit.to.clone(),
        owners: Vec::new(),
        after: match &edit.expect {
            Expected::Value(value) => Some(value.clone()),
            Expected::Absent | Expected::Any => None,
        },
    }
}

/// What an edit that takes something out had once put in.
fn made(edit: &TextEdit) -> Option<TextEdit> {
    match edit {
        TextEdit::RemoveJob { name } => Some(TextEdit::InsertJob {
            name: name.clone(),
            job: json!({"job_name": name}),
        }),
        TextEdit::RemoveRule { job, rule } => Some(TextEdit::AddRule {
            job: job.clone(),
            rule: rule.clone(),
        }),
        TextEdit::ResumePlaintext { job, items } => Some(TextEdit::EndPlaintext {
            job: job.clone(),
            items: items.clone(),
        }),
        _ => None,
    }
}
