//! A run's record as Secrets: what stands in the cluster beside the file on this machine.

use crate::error::Error;
use crate::plan::ChangeId;
use crate::plan::keeping::{KEY, record, record_object};
use crate::plan::record::Entry;
use crate::words::say::journal as say;
use serde_json::Value;
use std::collections::BTreeSet;

/// Bytes of record in one Secret. The API server takes 1 MiB of data, and etcd 1.5 MiB of the whole object,
/// whose data are in base64.
const PART: usize = 900 * 1024;

/// Where the numbers of writes begin that were only planned when the record was begun. No write has such a number,
/// so a planned line never gets a result: the live object tells.
pub const PLANNED: u32 = 1 << 20;

/// The texts of a record, one for each Secret, with further lines at the end. Lines never move from one text to
/// another: so the record is whole at every moment, also while only some of its Secrets are rewritten.
///
/// # Errors
/// One line alone is larger than a Secret.
pub fn append(mut texts: Vec<String>, run: &str, entries: &[Entry]) -> Result<Vec<String>, Error> {
    for entry in entries {
        let line =
            serde_json::to_string(entry).map_err(|e| Error::new(say::LINE_NOT_WRITTEN).cause(e))?;
        if line.len() >= PART {
            return Err(Error::refused(say::does_not_fit(run))
                .cause(say::one_change_takes(line.len()))
                .hint(say::SKIP_THE_SECRET));
        }
        match texts.last_mut() {
            Some(text) if text.len() + line.len() < PART => {
                text.push_str(&line);
                text.push('\n');
            }
            _ => texts.push(line + "\n"),
        }
    }
    Ok(texts)
}

/// The Secret that holds this text of a record, counted from 0.
pub fn secret(namespace: &str, run: &str, part: usize, text: &str) -> Value {
    record_object(&record(namespace, run, part), run, text)
}

/// The lines of a run's Secrets, as the API server gave them. A line cut off or edited beyond reading ends
/// the record there, since each later one may rest on it: what was read, and what is wrong.
///
/// What was planned counts only until the write itself is announced, or the run has ended without it.
pub fn entries(secrets: &[Value]) -> (Vec<Entry>, Option<String>) {
    let (mut lines, wrong) = lines(secrets);
    let ended = lines.iter().any(|line| matches!(line, Entry::Ended { .. }));
    let announced: BTreeSet<ChangeId> = lines
        .iter()
        .filter_map(|line| match line {
            Entry::Intent(intent) if intent.seq < PLANNED => Some(intent.change.clone()),
            _ => None,
        })
        .collect();
    lines.retain(|line| match line {
        Entry::Intent(intent) if intent.seq >= PLANNED => {
            !ended && !announced.contains(&intent.change)
        }
        _ => true,
    });
    (lines, wrong)
}

/// The lines of a run, with what its record in the cluster knows beyond them, and how many writes these lines had
/// lost: a file that was cut or edited loses lines, and the cluster has its own. What is only planned there counts
/// where nothing here announces it.
pub fn completed(mut lines: Vec<Entry>, record: &[Entry]) -> (Vec<Entry>, usize) {
    let (mut numbers, mut results) = (BTreeSet::new(), BTreeSet::new());
    let (mut changes, mut ended) = (BTreeSet::new(), false);
    for line in &lines {
        match line {
            Entry::Intent(intent) => {
                numbers.insert(intent.seq);
                changes.insert(intent.change.clone());
            }
            Entry::Result { seq, .. } => {
                results.insert(*seq);
            }
            Entry::Ended { .. } => ended = true,
            Entry::Started { .. } | Entry::Release { .. } => {}
        }
    }
    let beyond = record.iter().filter(|line| match line {
        Entry::Started { .. } | Entry::Release { .. } => false,
        Entry::Intent(intent) if intent.seq >= PLANNED => {
            !ended && !changes.contains(&intent.change)
        }
        Entry::Intent(intent) => !numbers.contains(&intent.seq),
        Entry::Result { seq, .. } => !results.contains(seq),
        Entry::Ended { .. } => !ended,
    });
    let before = lines.len();
    lines.extend(beyond.cloned());
    let lost = lines[before..]
        .iter()
        .filter(|line| matches!(line, Entry::Intent(intent) if intent.seq < PLANNED));
    let lost = lost.count();
    // As they were written: what was written twice is taken back in the reverse of that.
    lines.sort_by_key(|line| match line {
        Entry::Started { .. } => (0, 0),
        Entry::Intent(intent) => (1, intent.seq),
        Entry::Result { seq, .. } => (1, *seq),
        Entry::Release { .. } => (2, 0),
        Entry::Ended { .. } => (3, 0),
    });
    (lines, lost)
}

fn lines(secrets: &[Value]) -> (Vec<Entry>, Option<String>) {
    let mut parts: Vec<(usize, &Value)> = secrets.iter().map(|s| (part_of(s), s)).collect();
    parts.sort_unstable_by_key(|(part, _)| *part);
    let mut out = Vec::new();
    for (at, (part, secret)) in parts.iter().enumerate() {
        let name = secret["metadata"]["name"].as_str().unwrap_or_default();
        if *part != at {
            return (out, Some(say::part_is_missing(name)));
        }
        let Some(text) = decoded(secret) else {
            return (out, Some(say::holds_no_readable(name, KEY)));
        };
        for (line, text) in text
            .lines()
            .enumerate()
            .filter(|(_, text)| !text.is_empty())
        {
            match serde_json::from_str(text) {
                Ok(entry) => out.push(entry),
                Err(e) => {
                    return (out, Some(say::line_of_secret(name, line + 1, &e)));
                }
            }
        }
    }
    (out, None)
}

/// 0 for the first part: names of later ones end with their number, from 2.
fn part_of(secret: &Value) -> usize {
    let name = secret["metadata"]["name"].as_str().unwrap_or_default();
    let run = secret["metadata"]["labels"][crate::plan::keeping::RUN_LABEL]
        .as_str()
        .unwrap_or_default();
    let ending = name
        .strip_prefix("meshscrape-run-")
        .and_then(|rest| rest.strip_prefix(run))
        .and_then(|rest| rest.strip_prefix('-'));
    ending
        .and_then(|number| number.parse::<usize>().ok())
        .map_or(0, |number| number.saturating_sub(1))
}

fn decoded(secret: &Value) -> Option<String> {
    let bytes: k8s_openapi::ByteString =
        serde_json::from_value(secret["data"][KEY].clone()).ok()?;
    String::from_utf8(bytes.0).ok()
}
