//! Edits of `prometheus.yml` taken back: our job by its name, our rule by its value; never the whole text.

use super::{Cannot, Draft, NoteKind, UndoNote, Written, rank};
use crate::mesh::kinds::ObjectRef;
use crate::plan::purpose::Purpose;
use crate::plan::scrape_config::{self, TextEdit};
use crate::plan::{Action, Part, keyed, mask};
use serde_json::Value;

/// The jobs of a Prometheus configuration; `None`: it can't be read.
pub(in crate::plan) fn jobs(text: &str) -> Option<Vec<Value>> {
    let config: Value = serde_yaml::from_str(text).ok()?;
    match config.get("scrape_configs") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(list) => list.as_array().cloned(),
    }
}

/// The jobs that these edits take out.
pub(super) fn removed(edits: &[TextEdit]) -> impl Iterator<Item = &str> {
    edits.iter().filter_map(|edit| match edit {
        TextEdit::RemoveJob { name } => Some(name.as_str()),
        _ => None,
    })
}

/// Reverses the writes of one key of a ConfigMap.
pub(super) fn reverse(
    object: &ObjectRef,
    key: &str,
    writes: &[&Written],
    live: Option<&Value>,
    drafts: &mut Vec<Draft>,
    notes: &mut Vec<UndoNote>,
) {
    let mut note = |what| {
        notes.push(UndoNote {
            object: object.clone(),
            what,
        });
    };
    let Some(live) = live else {
        note(NoteKind::Gone);
        return;
    };
    let Some(mut work) = keyed::text(live, key).and_then(|text| jobs(&text)) else {
        note(NoteKind::Cannot(Cannot::Unreadable {
            file: key.to_owned(),
        }));
        return;
    };
    let mut edits: Vec<(TextEdit, &Written)> = Vec::new();
    let mut disputed: Vec<(TextEdit, &Written)> = Vec::new();
    for write in writes.iter().rev() {
        let Some(record) = &write.intent.text else {
            continue;
        };
        for edit in record.edits.iter().rev() {
            let was = match edit {
                TextEdit::ReplaceJob { name, .. } | TextEdit::RemoveJob { name } => {
                    record.was.get(name)
                }
                _ => None,
            };
            let text = match edit {
                TextEdit::ReplaceJob { name, .. } => record.was_text.get(name),
                _ => None,
            };
            let rule = match edit {
                TextEdit::RemoveRule { job, .. } => record.was_rule.get(job),
                _ => None,
            };
            match inverse(edit, was, text, rule, &mut work) {
                Ok(Some(back)) => edits.push((back, write)),
                Ok(None) => {}
                Err(what) => {
                    // A job of ours that somebody has edited can still be taken out, by the user's word.
                    if let (TextEdit::InsertJob { name, .. }, NoteKind::ChangedSince { .. }) =
                        (edit, &what)
                    {
                        disputed.push((TextEdit::RemoveJob { name: name.clone() }, write));
                    }
                    note(what);
                }
            }
        }
    }
    cancel(&mut edits);
    let another = writes.iter().any(|write| {
        let uid = write.intent.uid.as_deref();
        uid.is_some_and(|uid| live["metadata"]["uid"] != uid)
    });
    if another && !edits.is_empty() {
        // Ours may stand in it all the same, as where it was made anew from the old one: by the user's word it goes.
        note(NoteKind::Successor);
        disputed.append(&mut edits);
    }

    // Rules in old jobs come out first, jobs of ours only when nothing is annotated for them any more. A rule that takes
    // every annotated pod out comes back when none is annotated by the run.
    let is_rule = |edit: &TextEdit| {
        matches!(
            edit,
            TextEdit::AddRule { .. }
                | TextEdit::RemoveRule { .. }
                | TextEdit::ReplaceRule { .. }
                | TextEdit::EndPlaintext { .. }
                | TextEdit::ResumePlaintext { .. }
        )
    };
    for rules in [true, false] {
        let of_this: Vec<&(TextEdit, &Written)> = edits
            .iter()
            .filter(|(edit, _)| is_rule(edit) == rules)
            .collect();
        let Some(seq) = of_this.iter().map(|(_, write)| write.intent.seq).min() else {
            continue;
        };
        let part = if rules {
            Part::PlaintextJobs
        } else {
            Part::ScrapeJob
        };
        drafts.push(Draft {
            object: object.clone(),
            part,
            item: of_this
                .iter()
                .find_map(|(_, write)| write.intent.item.clone()),
            action: Action::Text {
                key: key.to_owned(),
                edits: of_this.iter().map(|(edit, _)| edit.clone()).collect(),
            },
            purpose: match rules {
                true => Purpose::RemovesRules { file: key.into() },
                false => Purpose::RemovesJob {
                    file: key.into(),
                    changed: false,
                },
            },
            seq,
            rank: rank(part, object),
            disputed: false,
        });
    }
    for (edit, write) in disputed {
        drafts.push(Draft {
            object: object.clone(),
            part: Part::ScrapeJob,
            item: None,
            purpose: Purpose::RemovesJob {
                file: key.into(),
                changed: true,
            },
            action: Action::Text {
                key: key.to_owned(),
                edits: vec![edit],
            },
            seq: write.intent.seq,
            rank: rank(Part::ScrapeJob, object),
            disputed: true,
        });
    }
}

/// The edit that takes this one back in the jobs as they stand, carried out in them; `None`: nothing to do.
fn inverse(
    edit: &TextEdit,
    was: Option<&Value>,
    text: Option<&String>,
    rule_was: Option<&(String, usize)>,
    work: &mut Vec<Value>,
) -> Result<Option<TextEdit>, NoteKind> {
    let find = |work: &[Value], name: &str| work.iter().position(|job| job["job_name"] == name);
    let changed =
        |name: &str, before: Option<&Value>, after: Option<&Value>, now: Option<&Value>| {
            NoteKind::ChangedSince {
                field: format!("the job {name}"),
                before: before.map(mask::setting),
                after: after.map(mask::setting),
                now: now.map(mask::setting),
            }
        };
    match edit {
        TextEdit::InsertJob { name, job } => match find(work, name) {
            None => Ok(None),
            Some(at) if same(&work[at], job) => {
                work.remove(at);
                Ok(Some(TextEdit::RemoveJob { name: name.clone() }))
            }
            Some(at) => Err(changed(name, None, Some(job), Some(&work[at]))),
        },
        TextEdit::ReplaceJob { name, job } => {
            let at = find(work, name);
            match (at, was) {
                (Some(at), Some(was)) if same(&work[at], job) => {
                    work[at] = was.clone();
                    let name = name.clone();
                    Ok(Some(match text.cloned() {
                        Some(text) => TextEdit::RestoreJob { name, text },
                        // Records of older versions hold its meaning alone.
                        None => TextEdit::ReplaceJob {
                            name,
                            job: was.clone(),
                        },
                    }))
                }
                (Some(at), Some(was)) if same(&work[at], was) => Ok(None),
                (at, Some(was)) => Err(changed(name, Some(was), Some(job), at.map(|at| &work[at]))),
                (_, None) => Err(NoteKind::Cannot(Cannot::ReplacedUnrecorded {
                    job: name.clone(),
                })),
            }
        }
        // Only an undo restores, and an undo is not taken back.
        TextEdit::RestoreJob { name, .. } => {
            Err(NoteKind::Cannot(Cannot::Restored { job: name.clone() }))
        }
        TextEdit::RemoveJob { name } => match (find(work, name), was) {
            (Some(at), Some(was)) if same(&work[at], was) => Ok(None),
            (Some(at), was) => Err(changed(name, was, None, Some(&work[at]))),
            (None, Some(was)) => {
                work.insert(0, was.clone());
                Ok(Some(TextEdit::InsertJob {
                    name: name.clone(),
                    job: was.clone(),
                }))
            }
            (None, None) => Err(NoteKind::Cannot(Cannot::RemovedUnrecorded {
                job: name.clone(),
            })),
        },
        TextEdit::AddRule { job, rule } => Ok(rules(work, job).and_then(|rules| {
            let at = rules.iter().position(|other| other == rule)?;
            rules.remove(at);
            Some(TextEdit::RemoveRule {
                job: job.clone(),
                rule: rule.clone(),
            })
        })),
        TextEdit::RemoveRule { job, rule } => Ok(rules(work, job).and_then(|rules| {
            if rules.contains(rule) {
                return None;
            }
            let at = rule_was.map_or(0, |(_, at)| *at);
            rules.insert(at.min(rules.len()), rule.clone());
            let (job, rule) = (job.clone(), rule.clone());
            Some(match rule_was.cloned() {
                Some((text, at)) => TextEdit::RestoreRule {
                    job,
                    rule,
                    text,
                    at,
                },
                // Records of older versions hold its meaning alone.
                None => TextEdit::AddRule { job, rule },
            })
        })),
        TextEdit::ReplaceRule { job, rule, by } => Ok(rules(work, job).and_then(|rules| {
            let at = rules.iter().position(|other| other == by)?;
            rules[at] = rule.clone();
            Some(TextEdit::ReplaceRule {
                job: job.clone(),
                rule: by.clone(),
                by: rule.clone(),
            })
        })),
        TextEdit::RestoreRule { job, rule, .. } => Ok(rules(work, job).and_then(|rules| {
            let at = rules.iter().position(|other| other == rule)?;
            rules.remove(at);
            Some(TextEdit::RemoveRule {
                job: job.clone(),
                rule: rule.clone(),
            })
        })),
        TextEdit::EndPlaintext { job, items } => Ok(rules(work, job).and_then(|rules| {
            let items = scrape_config::rename(rules, items, false);
            let job = job.clone();
            (!items.is_empty()).then_some(TextEdit::ResumePlaintext { job, items })
        })),
        TextEdit::ResumePlaintext { job, items } => Ok(rules(work, job).and_then(|rules| {
            let items = scrape_config::rename(rules, items, true);
            let job = job.clone();
            (!items.is_empty()).then_some(TextEdit::EndPlaintext { job, items })
        })),
    }
}

fn rules<'a>(work: &'a mut [Value], name: &str) -> Option<&'a mut Vec<Value>> {
    let job = work.iter_mut().find(|job| job["job_name"] == name)?;
    let rules = job.as_object_mut()?.entry("relabel_configs");
    rules
        .or_insert_with(|| Value::Array(Vec::new()))
        .as_array_mut()
}

/// The same job, apart from its name.
fn same(a: &Value, b: &Value) -> bool {
    let nameless = |job: &Value| {
        let mut job = job.clone();
        if let Some(map) = job.as_object_mut() {
            map.remove("job_name");
        }
        job
    };
    nameless(a) == nameless(b)
}

/// Drops pairs that take each other back: the run had already reversed itself.
fn cancel(edits: &mut Vec<(TextEdit, &Written)>) {
    let mut at = 0;
    while at < edits.len() {
        let twin = edits[at + 1..]
            .iter()
            .position(|(later, _)| opposite(&edits[at].0, later));
        match twin {
            Some(offset) => {
                edits.remove(at + 1 + offset);
                edits.remove(at);
            }
            None => at += 1,
        }
    }
}

fn opposite(a: &TextEdit, b: &TextEdit) -> bool {
    match (a, b) {
        (TextEdit::InsertJob { name: a, .. }, TextEdit::RemoveJob { name: b }) => a == b,
        (TextEdit::AddRule { job: a, rule: x }, TextEdit::RemoveRule { job: b, rule: y }) => {
            a == b && x == y
        }
        (
            TextEdit::EndPlaintext { job: a, items: x },
            TextEdit::ResumePlaintext { job: b, items: y },
        )
        | (
            TextEdit::ResumePlaintext { job: a, items: x },
            TextEdit::EndPlaintext { job: b, items: y },
        ) => a == b && x == y,
        _ => false,
    }
}
