//! Which workloads a plaintext job leaves out, as edits of its rules: see [`crate::mesh::ended`].

use super::{TextEdit, Yaml, parse, rules_of};
use crate::mesh::ended::{can_name, read, rule};
use crate::mesh::kinds::WorkloadRef;
use serde_json::Value;
use std::collections::BTreeSet;

/// The rules that name these workloads, one for each namespace.
pub fn ended_rules(items: &[WorkloadRef]) -> Vec<Value> {
    let all: BTreeSet<WorkloadRef> = items.iter().cloned().collect();
    let spaces: BTreeSet<&str> = all.iter().map(|item| item.namespace.as_str()).collect();
    let rules = spaces.into_iter().filter_map(|space| rule(space, &all));
    rules.collect()
}

/// One step on the way to what a list of rules is to name.
enum Next {
    Add(Value),
    Replace(Value, Value),
    Remove(Value),
}

/// `None`: all of them are named already (or, where it does not `end`, none is).
fn next(rules: &[Value], items: &[WorkloadRef], end: bool) -> Option<Next> {
    let named: Vec<(&Value, BTreeSet<WorkloadRef>)> = rules
        .iter()
        .filter_map(|rule| Some((rule, read(rule)?)))
        .collect();
    let is_named = |item: &WorkloadRef| named.iter().any(|(_, named)| named.contains(item));
    let mut others = items.iter().filter(|item| is_named(item) != end);
    let first = others.find(|item| can_name(item))?;
    let space = &first.namespace;
    let wanted = items.iter().filter(|item| item.namespace == *space);
    let there = named.iter().find(|(_, named)| match end {
        true => named.iter().any(|other| other.namespace == *space),
        false => named.contains(first),
    });
    let Some((old, all)) = there else {
        return rule(space, &wanted.cloned().collect()).map(Next::Add);
    };
    let mut all = all.clone();
    for item in wanted {
        match end {
            true => drop(all.insert(item.clone())),
            false => drop(all.remove(item)),
        }
    }
    let old = (*old).clone();
    Some(match rule(space, &all) {
        Some(by) => Next::Replace(old, by),
        None => Next::Remove(old),
    })
}

/// The next step by which the edit comes to be in this text; `None`: it is there.
pub(super) fn step(text: &str, edit: &TextEdit) -> Result<Option<TextEdit>, String> {
    let (job, items, end) = match edit {
        TextEdit::EndPlaintext { job, items } => (job, items, true),
        TextEdit::ResumePlaintext { job, items } => (job, items, false),
        _ => return Ok(None),
    };
    let Some(rules) = rules(text, job)? else {
        return match end {
            true => Err(format!("there is no job `{job}`")),
            false => Ok(None),
        };
    };
    let job = job.clone();
    Ok(next(&rules, items, end).map(|next| match next {
        Next::Add(rule) => TextEdit::AddRule { job, rule },
        Next::Replace(rule, by) => TextEdit::ReplaceRule { job, rule, by },
        Next::Remove(rule) => TextEdit::RemoveRule { job, rule },
    }))
}

/// Has these rules name the workloads, or no longer; those whose state that changed.
pub(in crate::plan) fn rename(
    rules: &mut Vec<Value>,
    items: &[WorkloadRef],
    end: bool,
) -> Vec<WorkloadRef> {
    let named: BTreeSet<WorkloadRef> = rules.iter().filter_map(read).flatten().collect();
    while let Some(next) = next(rules, items, end) {
        match next {
            Next::Add(rule) => rules.insert(0, rule),
            Next::Replace(old, by) => {
                for rule in rules.iter_mut().filter(|rule| **rule == old) {
                    *rule = by.clone();
                }
            }
            Next::Remove(old) => rules.retain(|rule| *rule != old),
        }
    }
    let changed = items.iter().filter(|item| named.contains(item) != end);
    changed.cloned().collect()
}

/// A job's rules as JSON; `None`: there is no such job.
fn rules(text: &str, job: &str) -> Result<Option<Vec<Value>>, String> {
    let root = parse(text)?;
    let jobs = root["scrape_configs"].as_sequence();
    let found = jobs
        .into_iter()
        .flatten()
        .find(|of| of["job_name"].as_str() == Some(job));
    let json = |rule: &Yaml| serde_json::to_value(rule).map_err(|e| e.to_string());
    let Some(found) = found else { return Ok(None) };
    let rules = rules_of(found)?;
    rules.iter().map(json).collect::<Result<_, _>>().map(Some)
}

/// The edits without what stands in the text already, so that taking them back takes back no more than they did.
pub fn effective(text: &str, edits: &[TextEdit]) -> Vec<TextEdit> {
    let mut now = text.to_owned();
    let mut kept = Vec::new();
    for edit in edits {
        let named = |job: &str| -> BTreeSet<WorkloadRef> {
            let rules = rules(&now, job).ok().flatten().unwrap_or_default();
            rules.iter().filter_map(read).flatten().collect()
        };
        let edit = match edit {
            TextEdit::EndPlaintext { job, items } => {
                let there = named(job);
                some(job, items, |item| !there.contains(item), true)
            }
            TextEdit::ResumePlaintext { job, items } => {
                let there = named(job);
                some(job, items, |item| there.contains(item), false)
            }
            other => Some(other.clone()),
        };
        let Some(edit) = edit else { continue };
        match super::apply(&now, std::slice::from_ref(&edit)) {
            Ok(after) if after == now => continue,
            Ok(after) => now = after,
            // What cannot be told is recorded.
            Err(_) => {}
        }
        kept.push(edit);
    }
    kept
}

/// The edits with fewer workloads: only those of which this holds.
pub fn fewer(edits: &[TextEdit], of: impl Fn(&WorkloadRef) -> bool) -> Vec<TextEdit> {
    let kept = edits.iter().filter_map(|edit| match edit {
        TextEdit::EndPlaintext { job, items } => some(job, items, &of, true),
        _ => Some(edit.clone()),
    });
    kept.collect()
}

fn some(
    job: &str,
    items: &[WorkloadRef],
    of: impl Fn(&WorkloadRef) -> bool,
    ends: bool,
) -> Option<TextEdit> {
    let items: Vec<WorkloadRef> = items.iter().filter(|item| of(item)).cloned().collect();
    let job = job.to_owned();
    (!items.is_empty()).then_some(match ends {
        true => TextEdit::EndPlaintext { job, items },
        false => TextEdit::ResumePlaintext { job, items },
    })
}
