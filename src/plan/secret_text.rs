//! What is shown of a text in a Secret: the lines that this program adds, and of all others only that they are there.
//!
//! A line counts as ours where it is, letter by letter, one that our own edits render to: what cannot be told stays
//! hidden.

use super::mask::{self, MASK};
use super::review::Reviewed;
use super::scrape_config::{TextEdit, emit, ended_rules};
use super::{Action, Part, keyed};
use crate::mesh::kinds::Kind;
use serde_json::Value;
use std::collections::BTreeSet;

/// Puts what may be seen in the place of the hidden text.
pub(super) fn show(of: &Reviewed, before: &mut Option<Value>, after: &mut Option<Value>) {
    if of.change.object.kind != Kind::Secret {
        return;
    }
    let keys: Vec<&String> = match &of.change.action {
        Action::Text { key, .. } => vec![key],
        Action::Apply { intent } if of.change.part == Part::ScrapeJob => {
            let data = intent["data"].as_object();
            data.into_iter().flatten().map(|(key, _)| key).collect()
        }
        _ => return,
    };
    for key in keys {
        let read = |side: &Option<_>| -> Option<String> {
            let object: &std::sync::Arc<Value> = side.as_ref()?;
            keyed::is_secret(object).then(|| keyed::plain(object, key).map(|text| text.into()))?
        };
        let (old, new) = (read(&of.live), read(&of.after));
        let ours = ours(&of.change.action, key);
        let (old, new) = shown(&old.unwrap_or_default(), new.as_deref(), &ours);
        for (side, text) in [(before.as_mut(), Some(old)), (after.as_mut(), new)] {
            if let (Some(side), Some(text)) = (side, text)
                && side["data"].get(key).is_some()
            {
                side["data"][key.as_str()] = text.into();
            }
        }
    }
}

/// The lines of ours, without their indentation.
fn ours(action: &Action, key: &str) -> BTreeSet<String> {
    let item = |value: &Value| emit::block_item(&mask::setting(value), emit::Style::default());
    let text = match action {
        Action::Text { edits, .. } => edits
            .iter()
            .map(|edit| match edit {
                TextEdit::InsertJob { job, .. } | TextEdit::ReplaceJob { job, .. } => item(job),
                TextEdit::AddRule { rule, .. } => item(rule),
                TextEdit::ReplaceRule { by, .. } => item(by),
                TextEdit::EndPlaintext { items, .. } => {
                    ended_rules(items).iter().map(item).collect()
                }
                _ => String::new(),
            })
            .collect(),
        // Made by this program as a whole.
        Action::Apply { intent } => {
            let whole = keyed::plain(intent, key).unwrap_or_default();
            mask::text(&whole)
        }
        _ => String::new(),
    };
    let lines = text.lines().map(|line| line.trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

/// Both texts, line by line. Only what was added is looked at: the rest was there before.
fn shown(old: &str, new: Option<&str>, ours: &BTreeSet<String>) -> (String, Option<String>) {
    let before: Vec<&str> = old.lines().collect();
    let hidden = |line: &str| match line.trim().is_empty() {
        true => String::new(),
        false => MASK.to_owned(),
    };
    let Some(new) = new else {
        return (joined(before.into_iter().map(hidden)), None);
    };
    let after: Vec<&str> = new.lines().collect();
    let most = before.len().min(after.len());
    let front = (0..most).take_while(|i| before[*i] == after[*i]).count();
    let back = (0..most - front)
        .take_while(|i| before[before.len() - 1 - i] == after[after.len() - 1 - i])
        .count();
    let added = front..after.len() - back;
    let lines = after.iter().enumerate().map(|(at, line)| {
        match added.contains(&at) && ours.contains(line.trim()) {
            true => (*line).to_owned(),
            false => hidden(line),
        }
    });
    let lines: Vec<String> = lines.collect();
    let old = before.iter().enumerate().map(|(at, line)| {
        let changed = (front..before.len() - back).contains(&at);
        // Else two hidden lines would look the same.
        match (changed, hidden(line)) {
            (true, text) if !text.is_empty() => format!("{text} (before)"),
            (_, text) => text,
        }
    });
    (joined(old), Some(joined(lines.into_iter())))
}

fn joined(lines: impl Iterator<Item = String>) -> String {
    lines.map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_were_added_and_are_ours_are_shown() {
        let old = "- job_name: a\n  password: hunter2\n  scheme: https\n";
        let new = "- job_name: ours\n  scheme: https\n  token: stranger\n- job_name: a\n  password: hunter2\n  scheme: https\n";
        let ours = ["- job_name: ours", "scheme: https"];
        let ours = ours.into_iter().map(str::to_owned).collect();
        let (before, after) = shown(old, Some(new), &ours);
        assert_eq!(before, format!("{MASK}\n{MASK}\n{MASK}\n"));
        let hidden = format!("{MASK}\n").repeat(4);
        assert_eq!(
            after.as_deref(),
            Some(format!("- job_name: ours\n  scheme: https\n{hidden}").as_str())
        );
    }

    #[test]
    fn what_is_taken_away_stays_hidden() {
        let (before, after) = shown("- a: b\n- c: d\n", Some("- c: d\n"), &BTreeSet::new());
        assert_eq!(before, format!("{MASK} (before)\n{MASK}\n"));
        assert_eq!(after, Some(format!("{MASK}\n")));
    }
}
