//! The runs that there are: those of this machine's journal, and those whose record stands in the cluster.

use super::keep;
use super::session::{RunNote, Session};
use crate::cluster::ApiError;
use crate::error::Error;
use crate::journal::{self, copy};
use crate::plan::keeping::RUN_LABEL;
use crate::plan::record::Entry;
use serde_json::Value;
use std::collections::BTreeMap;

/// A run, and where its record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub note: RunNote,
    /// In this machine's journal.
    pub here: bool,
    /// In the cluster, so that another machine can take it back.
    pub in_cluster: bool,
    /// Who ran it, where the record says so.
    pub by: Option<String>,
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
        let by = session.journal.run(Some(&note.run)).ok();
        let known = Known {
            by: by.and_then(|entries| by_of(&entries)),
            note,
            here: true,
            in_cluster: false,
        };
        runs.insert(known.note.run.clone(), known);
    }
    let mut words = session.journal.warnings();
    for namespace in namespaces {
        match records(session, namespace).await {
            Ok(found) => {
                for (run, (entries, torn)) in found {
                    if let Some(torn) = torn {
                        words.push(format!("the record of run {run} in the cluster: {torn}"));
                    }
                    if let Some(known) = runs.get_mut(&run) {
                        known.in_cluster = true;
                    } else if let Some(note) = journal::note(&entries) {
                        let known = Known {
                            by: by_of(&entries),
                            note,
                            here: false,
                            in_cluster: true,
                        };
                        runs.insert(run, known);
                    }
                }
            }
            Err(error) => words.push(format!(
                "records in namespace {namespace} cannot be read: {error}"
            )),
        }
    }
    let mut runs: Vec<Known> = runs.into_values().collect();
    runs.sort_by(|a, b| (b.note.at, &b.note.run).cmp(&(a.note.at, &a.note.run)));
    Ok((runs, words))
}

/// The lines of a run: from this machine's journal, else from its record in the cluster.
///
/// # Errors
/// There is no such run in either; the journal cannot be read.
pub async fn entries(
    session: &Session,
    namespaces: &[String],
    run: Option<&str>,
) -> Result<(Vec<Entry>, Vec<String>), Error> {
    let missing = match session.journal.run(run) {
        Ok(entries) => return Ok((entries, Vec::new())),
        // A damaged journal is no missing one, but the cluster may hold the same run whole.
        Err(error) => error,
    };
    let mut words = Vec::new();
    let mut found: Vec<(Vec<Entry>, RunNote)> = Vec::new();
    for namespace in namespaces {
        match records(session, namespace).await {
            Ok(records) => {
                for (id, (lines, torn)) in records {
                    if run.is_some_and(|run| run != id) {
                        continue;
                    }
                    if let Some(torn) = torn {
                        words.push(format!("the record of run {id} in the cluster: {torn}"));
                    }
                    if let Some(note) = journal::note(&lines) {
                        found.push((lines, note));
                    }
                }
            }
            Err(error) => words.push(format!(
                "records in namespace {namespace} cannot be read: {error}"
            )),
        }
    }
    found.retain(|(_, note)| note.how.as_deref() != Some("undone") && note.undoes.is_none());
    found.sort_by(|(_, a), (_, b)| (a.at, &a.run).cmp(&(b.at, &b.run)));
    match found.pop() {
        Some((mut lines, note)) => {
            // The context is what another machine calls the cluster.
            if let Some(Entry::Started { context, .. }) = lines.first_mut() {
                session.cluster.context.clone_into(context);
            }
            words.push(format!(
                "run {} is read from its record in the cluster: this machine has none of it",
                note.run
            ));
            Ok((lines, words))
        }
        None => Err(missing),
    }
}

fn by_of(entries: &[Entry]) -> Option<String> {
    match entries.first() {
        Some(Entry::Started { by: Some(by), .. }) => Some(by.to_string()),
        _ => None,
    }
}

type Records = BTreeMap<String, (Vec<Entry>, Option<String>)>;

/// The records that stand in a namespace, by run.
async fn records(session: &Session, namespace: &str) -> Result<Records, ApiError> {
    let mut by_run: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for secret in keep::secrets(session, namespace, None).await? {
        if let Some(run) = secret["metadata"]["labels"][RUN_LABEL].as_str() {
            by_run.entry(run.to_owned()).or_default().push(secret);
        }
    }
    let records = by_run
        .into_iter()
        .map(|(run, secrets)| (run, copy::entries(&secrets)));
    Ok(records.collect())
}
