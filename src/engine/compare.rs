//! Live objects beside what was reviewed: has anything moved that a change touches, is it there already?

use crate::error::Error;
use crate::mesh::kinds::ObjectRef;
use crate::plan::leaves::leaves;
use crate::plan::path::LeafPath;
use crate::plan::record::LeafChange;
use crate::plan::review::Reviewed;
use crate::plan::{Action, keyed, mask, scrape_config};
use crate::words::say::engine as say;
use serde_json::Value;
use std::borrow::Cow;

/// Live beside what was reviewed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Compared {
    /// Nothing moved that this change touches.
    AsReviewed,
    /// Live is as wanted.
    Already,
    /// What moved, in words.
    Drift(String),
}

pub(super) fn compare(reviewed: &Reviewed, live: Option<&Value>) -> Compared {
    let action = &reviewed.change.action;
    let (before, live) = match (reviewed.live.as_deref(), live) {
        (None, None) => return Compared::AsReviewed,
        (None, Some(_)) if landed(reviewed, live) => return Compared::Already,
        (None, Some(_)) => {
            return Compared::Drift(say::EXISTS_NOW.into());
        }
        (Some(_), None) if matches!(action, Action::Delete { .. }) => return Compared::Already,
        (Some(_), None) => return Compared::Drift(say::WAS_DELETED.into()),
        (Some(before), Some(live)) => (before, live),
    };
    let (old, new) = (&before["metadata"], &live["metadata"]);
    let going = |meta: &Value| !meta["deletionTimestamp"].is_null();
    if going(new) && !going(old) && !matches!(action, Action::Delete { .. }) {
        return Compared::Drift(say::IS_BEING_DELETED.into());
    }
    if old["uid"] != new["uid"] {
        return Compared::Drift(say::WAS_RECREATED.into());
    }
    // A text that was reviewed on top of an earlier edit carries the version from before that edit.
    let text = matches!(action, Action::Text { .. });
    if !text && old["resourceVersion"] == new["resourceVersion"] {
        return Compared::AsReviewed;
    }
    if landed(reviewed, Some(live)) {
        return Compared::Already;
    }
    if let Action::Text { key, .. } = action {
        return if text_of(before, key) == text_of(live, key) {
            Compared::AsReviewed
        } else {
            Compared::Drift(say::text_changed(key))
        };
    }
    let mut moved = leaves(Some(before), Some(live));
    if !matches!(action, Action::Delete { .. }) {
        let ours = ours(reviewed);
        moved.retain(|moved| ours.iter().any(|our| touches(&our.path, &moved.path)));
    }
    match moved.first() {
        None => Compared::AsReviewed,
        Some(leaf) => Compared::Drift(say::field_changed(
            &leaf.path,
            &words(&leaf.path, leaf.before.as_ref()),
            &words(&leaf.path, leaf.after.as_ref()),
        )),
    }
}

/// Is everything that the change wants there?
pub(super) fn landed(reviewed: &Reviewed, live: Option<&Value>) -> bool {
    let Some(live) = live else {
        return matches!(reviewed.change.action, Action::Delete { .. });
    };
    match &reviewed.change.action {
        Action::Delete { uid } => live["metadata"]["uid"] != uid.as_str(),
        Action::Text { key, .. } => {
            let after = reviewed.after.as_deref();
            after.is_some_and(|after| text_of(after, key) == text_of(live, key))
        }
        Action::Apply { .. } if reviewed.live.is_none() => {
            wanted(reviewed).is_some_and(|intent| holds(live, intent))
        }
        _ => {
            let Some(after) = reviewed.after.as_deref() else {
                return false;
            };
            let missing = leaves(Some(live), Some(after));
            let ours = ours(reviewed);
            !missing
                .iter()
                .any(|leaf| ours.iter().any(|our| touches(&our.path, &leaf.path)))
        }
    }
}

/// The intent as it is sent, of an apply.
fn wanted(reviewed: &Reviewed) -> Option<&Value> {
    match &reviewed.change.action {
        Action::Apply { intent } => Some(reviewed.intent.as_ref().unwrap_or(intent)),
        _ => None,
    }
}

/// Does `live` hold all of `wanted`? Lists hold their elements in any order, with others beside them.
fn holds(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, value)| {
            let empty = value.as_object().is_some_and(serde_json::Map::is_empty);
            live.get(key).map_or(empty, |live| holds(live, value))
        }),
        (Value::Array(live), Value::Array(wanted)) => wanted
            .iter()
            .all(|wanted| live.iter().any(|live| holds(live, wanted))),
        _ => live == wanted,
    }
}

/// The leaves that the change was shown to change.
pub(super) fn ours(reviewed: &Reviewed) -> Vec<LeafChange> {
    leaves(reviewed.live.as_deref(), reviewed.after.as_deref())
}

/// One path is the other, or lies within it.
fn touches(a: &LeafPath, b: &LeafPath) -> bool {
    a.0.iter().zip(&b.0).all(|(a, b)| a == b)
}

fn words(path: &LeafPath, value: Option<&Value>) -> String {
    let value = value.map(|value| mask::leaf(path, value));
    match value.as_ref() {
        None => say::ABSENT.into(),
        Some(Value::String(text)) if text.len() <= 60 => format!("\"{text}\""),
        Some(value) => {
            let text = value.to_string();
            if text.chars().count() <= 60 {
                return text;
            }
            let start: String = text.chars().take(57).collect();
            format!("{start}…")
        }
    }
}

pub(super) fn text_of<'a>(object: &'a Value, key: &str) -> Option<Cow<'a, str>> {
    keyed::text(object, key)
}

pub(super) fn edited(
    object: &ObjectRef,
    text: &str,
    edits: &[scrape_config::TextEdit],
) -> Result<String, Error> {
    scrape_config::apply(text, edits).map_err(|refusal| {
        unsafe_text(object)
            .cause(refusal.why)
            .hint(say::insert_by_hand(&refusal.paste))
    })
}

pub(super) fn unsafe_text(object: &ObjectRef) -> Error {
    Error::refused(say::text_cannot_be_edited(object))
}

#[cfg(test)]
mod tests;
