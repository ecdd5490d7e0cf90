//! A run's record as Secrets: what stands in the cluster beside the file on this machine.

use crate::error::Error;
use crate::plan::keeping::{KEY, record, record_object};
use crate::plan::record::Entry;
use serde_json::Value;

/// Bytes of record in one Secret. The API server takes 1 MiB of data, and etcd 1.5 MiB of the whole object,
/// whose data are in base64.
const PART: usize = 900 * 1024;

/// The Secrets that hold these lines, in order.
///
/// # Errors
/// One line alone is larger than a Secret.
pub fn secrets(namespace: &str, run: &str, entries: &[Entry]) -> Result<Vec<Value>, Error> {
    let mut texts = vec![String::new()];
    for entry in entries {
        let line = serde_json::to_string(entry)
            .map_err(|e| Error::new("a line of the record cannot be written").cause(e))?;
        if line.len() >= PART {
            return Err(Error::refused(format!(
                "the record of run {run} does not fit into a Secret"
            ))
            .cause(format!("one change alone takes {} bytes", line.len()))
            .hint("leave the Secret out in the review: the record on this machine has room"));
        }
        if texts
            .last()
            .is_some_and(|text| text.len() + line.len() + 1 > PART)
        {
            texts.push(String::new());
        }
        if let Some(text) = texts.last_mut() {
            text.push_str(&line);
            text.push('\n');
        }
    }
    let secrets = texts.iter().enumerate().map(|(part, text)| {
        let object = record(namespace, run, part);
        record_object(&object, run, text)
    });
    Ok(secrets.collect())
}

/// The lines of a run's Secrets, as the API server gave them. A line cut off or edited beyond reading ends
/// the record there, since each later one may rest on it: what was read, and what is wrong.
pub fn entries(secrets: &[Value]) -> (Vec<Entry>, Option<String>) {
    let mut parts: Vec<(usize, &Value)> = secrets.iter().map(|s| (part_of(s), s)).collect();
    parts.sort_by_key(|(part, _)| *part);
    let mut out = Vec::new();
    for (at, (part, secret)) in parts.iter().enumerate() {
        let name = secret["metadata"]["name"].as_str().unwrap_or_default();
        if *part != at {
            return (
                out,
                Some(format!("the part before Secret {name} is missing")),
            );
        }
        let Some(text) = decoded(secret) else {
            return (out, Some(format!("Secret {name} holds no readable {KEY}")));
        };
        for (line, text) in text
            .lines()
            .enumerate()
            .filter(|(_, text)| !text.is_empty())
        {
            match serde_json::from_str(text) {
                Ok(entry) => out.push(entry),
                Err(e) => {
                    return (out, Some(format!("Secret {name}, line {}: {e}", line + 1)));
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
