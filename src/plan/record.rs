//! What the journal keeps of a write: enough to go on, or to take it back. One JSON object a line.

use super::path::LeafPath;
use super::release::Taken;
use super::scrape_config::{TextEdit, effective, freed, text_of_job, text_of_rule};
use super::{ChangeId, Part, mask};
use crate::answers::Answers;
use crate::mesh::kinds::{ObjectRef, WorkloadRef};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "entry")]
pub enum Entry {
    #[serde(rename_all = "camelCase")]
    Started {
        version: u32,
        run: String,
        at: Timestamp,
        context: String,
        /// The cluster's identity; `None`: it could not be read, or the record is of an older version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cluster: Option<String>,
        /// Undo of this run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undoes: Option<String>,
        prometheus: Option<WorkloadRef>,
        /// What was chosen, so that the run can go on on any machine; `None` for an undo.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answers: Option<Box<Answers>>,
        /// Who ran it, and with which program.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Box<Who>>,
    },
    /// Written (and synced to disk) before the request is sent.
    Intent(Box<Intent>),
    /// Written after the answer; a missing one means: look at the live object.
    #[serde(rename_all = "camelCase")]
    Result {
        run: String,
        seq: u32,
        at: Timestamp,
        written: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uid: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource_version: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// Written before the fields of what was undone are released: values stay, only `managedFields` change.
    #[serde(rename_all = "camelCase")]
    Release {
        run: String,
        at: Timestamp,
        object: ObjectRef,
    },
    #[serde(rename_all = "camelCase")]
    Ended {
        run: String,
        at: Timestamp,
        /// `whole`, `partWay` or `undone`.
        how: String,
    },
}

/// Who writes: a person on a machine, in one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Who {
    pub user: String,
    pub host: String,
    pub pid: u32,
    /// The program's version.
    pub program: String,
    /// What tells the process apart from all others; empty where the platform does not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub boot: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pid_namespace: String,
    /// When the process began, in ticks since the boot.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub started: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nonce: String,
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.user, self.host)
    }
}

/// What a write is about to change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    pub run: String,
    /// Counts the writes of a run from 0.
    pub seq: u32,
    pub at: Timestamp,
    pub change: ChangeId,
    pub part: Part,
    pub object: ObjectRef,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<WorkloadRef>,
    /// The live object's uid before the write; `None`: the write creates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Leaves that change; empty where the write creates or deletes the whole object, or edits text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<LeafChange>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextRecord>,
    /// The whole object, where the write deletes it; so that it can be brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Value>,
    /// What others owned of the fields that it changes, so that it is theirs again after an undo.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<Taken>,
}

/// One leaf, before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeafChange {
    pub path: LeafPath,
    /// `None`: absent.
    pub before: Option<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// `None`: removed.
    pub after: Option<Value>,
}

/// Edits of text inside a ConfigMap's key: hashes, place and our own text, never the whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TextRecord {
    pub key: String,
    pub edits: Vec<TextEdit>,
    /// SHA-256 of the whole text, in hex.
    pub before: String,
    pub after: String,
    /// Jobs that the edits replaced or took out, by name, so that they can be put back; without what holds
    /// credentials.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub was: BTreeMap<String, Value>,
    /// The text of each replaced job, where it holds no credential.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub was_text: BTreeMap<String, String>,
    /// The text of the rule that was taken out of each job, and its place there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub was_rule: BTreeMap<String, (String, usize)>,
}

impl TextRecord {
    /// Of a text before and after its edits.
    pub fn new(key: impl Into<String>, edits: &[TextEdit], before: &str, after: &str) -> Self {
        let jobs = super::undo::jobs(before).unwrap_or_default();
        let was: BTreeMap<String, Value> = edits
            .iter()
            .filter_map(|edit| match edit {
                TextEdit::ReplaceJob { name, .. } | TextEdit::RemoveJob { name } => {
                    let job = jobs.iter().find(|job| job["job_name"] == name.as_str())?;
                    Some((name.clone(), freed(job)))
                }
                _ => None,
            })
            .collect();
        let was_text = edits
            .iter()
            .filter_map(|edit| match edit {
                TextEdit::ReplaceJob { name, .. }
                    if was.get(name).is_some_and(|kept| jobs.contains(kept)) =>
                {
                    let text = text_of_job(before, name)?;
                    // Its comments may hold what its settings do not.
                    (mask::text(&text) == text).then(|| (name.clone(), text))
                }
                _ => None,
            })
            .collect();
        let was_rule = edits
            .iter()
            .filter_map(|edit| match edit {
                TextEdit::RemoveRule { job, rule } => {
                    Some((job.clone(), text_of_rule(before, job, rule)?))
                }
                _ => None,
            })
            .collect();
        TextRecord {
            key: key.into(),
            edits: effective(before, edits),
            before: sha256(before),
            after: sha256(after),
            was,
            was_text,
            was_rule,
        }
    }
}

/// SHA-256 of a text, in hex.
pub fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
