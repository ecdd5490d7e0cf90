//! The text of a configuration inside one key of a ConfigMap or of a Secret, or in what a monitor says of its jobs: read
//! as a whole configuration, and put back as what stands there.
//!
//! A key may hold a list of jobs alone, as the Secret does that the operator's `additionalScrapeConfigs` names. Such a
//! text is read with the key of the list before it, so that one way of editing serves both; the line goes again where
//! the text is put back, and every other byte stays.

mod monitor;

use super::path::LeafPath;
use super::scrape_config::{self, GateRefusal, TextEdit};
use crate::mesh::kinds::Kind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use serde_yaml::Value as Yaml;
use std::borrow::Cow;

const HEAD: &str = "scrape_configs:\n";

/// The edits made in the text under this key.
///
/// # Errors
/// As [`scrape_config::apply`] and [`value`].
pub fn edit(object: &mut Value, key: &str, edits: &[TextEdit]) -> Result<(), GateRefusal> {
    let before = text(object, key).unwrap_or_default().into_owned();
    let after = scrape_config::apply(&before, edits)?;
    put(object, key, &after).map_err(|why| GateRefusal {
        why,
        paste: String::new(),
    })
}

/// Where the text stands.
pub fn path(kind: Kind, key: &str) -> LeafPath {
    let root = match monitor::fields(kind) {
        Some(_) => "spec",
        None => "data",
    };
    LeafPath::fields([root]).field(key)
}

/// The key of a monitor's jobs; `None`: another kind.
pub fn list_of(kind: Kind) -> Option<&'static str> {
    monitor::fields(kind).map(|(list, _)| list)
}

/// A relabel rule as a monitor writes it.
pub fn relabeling(rule: &Value) -> Value {
    monitor::relabeling(rule)
}

/// Puts a value in the place of the one that stands there, as a JSON Patch that tests it.
pub fn patch(kind: Kind, live: &Value, key: &str, value: &Value) -> [Value; 2] {
    let root = match monitor::fields(kind) {
        Some(_) => "spec",
        None => "data",
    };
    let path = format!("/{root}/{}", key.replace('~', "~0").replace('/', "~1"));
    [
        json!({"op": "test", "path": path, "value": live[root][key]}),
        json!({"op": "replace", "path": path, "value": value}),
    ]
}

/// Is there such a key?
pub fn has(object: &Value, key: &str) -> bool {
    let root = match monitor::list_of(object) {
        Some(_) => "spec",
        None => "data",
    };
    object[root].get(key).is_some()
}

/// Is it a Secret, whose text is shown to nobody?
pub fn is_secret(object: &Value) -> bool {
    object["kind"] == "Secret"
}

/// The text under this key as a configuration; `None`: there is none, or it is no text.
pub fn text<'a>(object: &'a Value, key: &str) -> Option<Cow<'a, str>> {
    if let Some((list, _)) = monitor::list_of(object) {
        return (list == key).then(|| monitor::text(object).map(Cow::Owned))?;
    }
    let plain = plain(object, key)?;
    Some(match place(&plain, is_secret(object)) {
        None => plain,
        Some(at) => Cow::Owned(format!("{}{HEAD}{}", &plain[..at], &plain[at..])),
    })
}

/// What is to stand under this key for this configuration.
///
/// # Errors
/// The text is a list of jobs, and the configuration more than its jobs.
pub fn value(object: &Value, key: &str, text: &str) -> Result<Value, String> {
    if monitor::list_of(object).is_some() {
        return monitor::value(object, text);
    }
    let now = plain(object, key).unwrap_or_default();
    let text = match place(&now, is_secret(object)) {
        None => Cow::Borrowed(text),
        Some(at) => {
            let rest = text.strip_prefix(&now[..at]);
            let list = rest.and_then(|rest| rest.strip_prefix(HEAD));
            let list = list.ok_or("the list of jobs cannot be told apart in the edited text")?;
            Cow::Owned(format!("{}{list}", &now[..at]))
        }
    };
    Ok(match is_secret(object) {
        true => STANDARD.encode(text.as_bytes()).into(),
        false => text.into(),
    })
}

/// Puts a configuration under this key.
///
/// # Errors
/// As [`value`].
pub fn put(object: &mut Value, key: &str, text: &str) -> Result<(), String> {
    let value = value(object, key, text)?;
    let root = match monitor::list_of(object) {
        Some(_) => "spec",
        None => "data",
    };
    object[root][key] = value;
    Ok(())
}

/// The text as it stands.
pub(super) fn plain<'a>(object: &'a Value, key: &str) -> Option<Cow<'a, str>> {
    let stands = object["data"][key].as_str()?;
    if !is_secret(object) {
        return Some(Cow::Borrowed(stands));
    }
    let bytes = STANDARD.decode(stands).ok()?;
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// Where the key of the list belongs in a text that is a list, or nothing; `None`: it is something else. An empty
/// ConfigMap is a mistake; an empty Secret is one to which nobody has added a job.
fn place(text: &str, secret: bool) -> Option<usize> {
    match serde_yaml::from_str::<Yaml>(text) {
        Ok(Yaml::Sequence(_)) => {}
        Ok(Yaml::Null) if secret => {}
        _ => return None,
    }
    // Behind the annotation of a document.
    let mut at = 0;
    let mut behind = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        if line.trim_end() == "---" {
            behind = at;
        }
        if !(line.trim().is_empty() || line.starts_with('#') || line.starts_with("---")) {
            break;
        }
    }
    Some(behind)
}
