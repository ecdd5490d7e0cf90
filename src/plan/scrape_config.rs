//! `prometheus.yml` edited as text: one insertion at a time, each gated by parsing before and after.
//!
//! Comments, line ends, quoting and every other byte of the file stay as they are. What this room cannot
//! edit with certainty it refuses, and says what to paste.

use super::mask;
use crate::mesh::kinds::WorkloadRef;
use serde::{Deserialize, Serialize};
use serde_yaml::Value as Yaml;

pub mod emit;
mod ended;
pub(crate) mod jobs;
mod place;
#[cfg(test)]
mod tests;

pub(in crate::plan) use ended::rename;
pub use ended::{effective, ended_rules, fewer};
pub use jobs::{Job, jobs};

/// One edit of the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "edit")]
pub enum TextEdit {
    /// Inserts a job, as the first of `scrape_configs`; the same job there already is no change.
    InsertJob {
        name: String,
        job: serde_json::Value,
    },
    /// Puts ours in the place of a job of that name (a repair).
    ReplaceJob {
        name: String,
        job: serde_json::Value,
    },
    RemoveJob {
        name: String,
    },
    /// Puts the very text that a replaced job had in the place of the job of that name (undo of a repair).
    RestoreJob {
        name: String,
        text: String,
    },
    /// Puts a relabel rule first in a job's `relabel_configs`.
    AddRule {
        job: String,
        rule: serde_json::Value,
    },
    RemoveRule {
        job: String,
        rule: serde_json::Value,
    },
    /// Puts a rule in the place of another one.
    ReplaceRule {
        job: String,
        rule: serde_json::Value,
        by: serde_json::Value,
    },
    /// Puts the very text that a rule had back where it stood (undo of its removal).
    RestoreRule {
        job: String,
        rule: serde_json::Value,
        text: String,
        at: usize,
    },
    /// A plaintext job leaves out the annotated pods of these workloads, beside those that it leaves out already.
    EndPlaintext {
        job: String,
        items: Vec<WorkloadRef>,
    },
    /// A plaintext job scrapes the pods of these workloads again.
    ResumePlaintext {
        job: String,
        items: Vec<WorkloadRef>,
    },
}

impl TextEdit {
    /// The job that it is about.
    pub fn job(&self) -> &str {
        match self {
            TextEdit::InsertJob { name, .. }
            | TextEdit::ReplaceJob { name, .. }
            | TextEdit::RemoveJob { name }
            | TextEdit::RestoreJob { name, .. } => name,
            TextEdit::AddRule { job, .. }
            | TextEdit::RemoveRule { job, .. }
            | TextEdit::ReplaceRule { job, .. }
            | TextEdit::RestoreRule { job, .. }
            | TextEdit::EndPlaintext { job, .. }
            | TextEdit::ResumePlaintext { job, .. } => job,
        }
    }
}

/// The gate refused: nothing is written, and the user is shown what to paste.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateRefusal {
    pub why: String,
    /// YAML to paste by hand, and where.
    pub paste: String,
}

impl std::fmt::Display for GateRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for GateRefusal {}

/// Applies the edits in order. An edit that stands already is no change, so applying twice equals applying once.
///
/// `RemoveJob` after `InsertJob`, `RemoveRule` after `AddRule`, and `RestoreJob` after `ReplaceJob` give back the
/// very bytes.
///
/// # Errors
/// Where the text is no valid YAML, where the place cannot be found with certainty, or where the parsed
/// result would be anything but the parsed original with that edit.
pub fn apply(text: &str, edits: &[TextEdit]) -> Result<String, GateRefusal> {
    let mut text = text.to_owned();
    for edit in edits {
        let refuse = |why: String| GateRefusal {
            why,
            paste: paste(edit),
        };
        if !matches!(
            edit,
            TextEdit::EndPlaintext { .. } | TextEdit::ResumePlaintext { .. }
        ) {
            text = single(text, edit).map_err(refuse)?;
            continue;
        }
        // Each step is found in the text as the one before has left it.
        while let Some(step) = ended::step(&text, edit).map_err(refuse)? {
            text = single(text, &step).map_err(refuse)?;
        }
    }
    Ok(text)
}

/// Can a record hold what these edits take away, so that it can be restored?
///
/// # Errors
/// Where a job that is removed or replaced holds credentials, which no record keeps. What a job of ours took along
/// from today's by an earlier version, and the new one does not, is let go.
pub fn recordable(text: &str, edits: &[TextEdit]) -> Result<(), GateRefusal> {
    let Ok(root) = parse(text) else {
        return Ok(());
    };
    for edit in edits {
        let (name, new) = match edit {
            TextEdit::ReplaceJob { name, job } => (name, Some(job)),
            TextEdit::RemoveJob { name } => (name, None),
            _ => continue,
        };
        without_credentials(&root, name, new).map_err(|why| GateRefusal {
            why,
            paste: paste(edit),
        })?;
    }
    Ok(())
}

/// A job without the settings that hold credentials.
pub(super) fn freed(job: &serde_json::Value) -> serde_json::Value {
    let mut job = job.clone();
    if let Some(map) = job.as_object_mut() {
        map.retain(|key, value| mask::is_free(&serde_json::json!({key: value})));
    }
    job
}

fn single(text: String, edit: &TextEdit) -> Result<String, String> {
    let before = parse(&text)?;
    let Some(wanted) = model(&before, edit)? else {
        return Ok(text);
    };
    if let TextEdit::InsertJob { name, job } | TextEdit::ReplaceJob { name, job } = edit {
        carries_none(name, job)?;
    }
    let after = place::edit(&text, &before, edit)?;
    gate(&after, wanted)?;
    Ok(after)
}

/// The text of a job, from its dash to its last line with content; `None`: it cannot be told apart.
pub fn text_of_job(text: &str, name: &str) -> Option<String> {
    let root = parse(text).ok()?;
    place::job(text, &root, name).ok().map(str::to_owned)
}

/// The text of a rule and its place among the rules of its job; `None`: it cannot be told apart.
pub fn text_of_rule(text: &str, job: &str, rule: &serde_json::Value) -> Option<(String, usize)> {
    let root = parse(text).ok()?;
    place::rule(text, &root, job, &to_yaml(rule).ok()?).ok()
}

fn without_credentials(
    root: &Yaml,
    name: &str,
    new: Option<&serde_json::Value>,
) -> Result<(), String> {
    let jobs = root["scrape_configs"].as_sequence().into_iter().flatten();
    let held: Vec<String> = jobs
        .filter(|job| job["job_name"].as_str() == Some(name))
        .filter_map(|job| serde_json::to_value(job).ok())
        .filter(|job| new != Some(&freed(job)))
        .flat_map(|job| mask::held(&job))
        .collect();
    if held.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the job `{name}` holds credentials ({}): replaced, it could only be restored from a record of them, and no record holds any. Remove them from the job, or put them into files that it names",
        held.join(", ")
    ))
}

/// A job made after today's keeps its discovery, and with it what the discovery authenticates with.
fn carries_none(name: &str, job: &serde_json::Value) -> Result<(), String> {
    if mask::is_free(job) {
        return Ok(());
    }
    Err(format!(
        "the job `{name}` would carry a credential of today's job ({}), and no new job may: put it into a file (such as password_file) and name that file in today's job first",
        mask::masked_in(job).join(", ")
    ))
}

/// What a job's own text says; it is one entry of a list.
pub(crate) fn read_job(text: &str) -> Result<Yaml, String> {
    let list: Yaml = serde_yaml::from_str(text)
        .map_err(|e| format!("the recorded job is no valid YAML: {e}"))?;
    match list {
        Yaml::Sequence(mut jobs) if jobs.len() == 1 => Ok(jobs.remove(0)),
        _ => Err("the recorded text is not one job".into()),
    }
}

/// Parses the whole file; duplicate keys, tabs as indentation and a second document are errors.
pub(crate) fn parse(text: &str) -> Result<Yaml, String> {
    if text
        .trim_matches(['\u{feff}', ' ', '\n', '\r', '\t'])
        .is_empty()
    {
        return Err("the file is empty".into());
    }
    // Prometheus's reader takes a byte order mark; serde_yaml does not.
    match serde_yaml::from_str::<Yaml>(text.trim_start_matches('\u{feff}')) {
        Ok(root @ Yaml::Mapping(_)) => Ok(root),
        Ok(_) => {
            Err("the file is no mapping of keys, as Prometheus's configuration must be".into())
        }
        Err(error) => Err(format!("the file is no valid YAML: {error}")),
    }
}

/// What the file must parse to after the edit; `None`: it stands already.
fn model(before: &Yaml, edit: &TextEdit) -> Result<Option<Yaml>, String> {
    let mut root = before.clone();
    let mut list = match root.get("scrape_configs") {
        None | Some(Yaml::Null) => Vec::new(),
        Some(Yaml::Sequence(list)) => list.clone(),
        Some(_) => return Err("`scrape_configs` is no list".into()),
    };
    let at = |name: &str| -> Result<Option<usize>, String> {
        let mut found = (0..list.len()).filter(|i| list[*i]["job_name"].as_str() == Some(name));
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(format!("two jobs are called `{name}`")),
            (first, None) => Ok(first),
        }
    };
    match edit {
        TextEdit::InsertJob { name, job } => {
            let job = to_yaml(job)?;
            match at(name)? {
                Some(i) if list[i] == job => return Ok(None),
                Some(_) => {
                    return Err(format!(
                        "a job `{name}` with other settings stands there already"
                    ));
                }
                None => list.insert(0, job),
            }
        }
        TextEdit::ReplaceJob { name, job } => {
            let job = to_yaml(job)?;
            let i = at(name)?.ok_or_else(|| format!("there is no job `{name}` to replace"))?;
            if list[i] == job {
                return Ok(None);
            }
            list[i] = job;
        }
        TextEdit::RestoreJob { name, text } => {
            let job = read_job(text)?;
            let i = at(name)?.ok_or_else(|| format!("there is no job `{name}` to replace"))?;
            if list[i] == job {
                return Ok(None);
            }
            list[i] = job;
        }
        TextEdit::RemoveJob { name } => match at(name)? {
            Some(i) => drop(list.remove(i)),
            None => return Ok(None),
        },
        TextEdit::AddRule { job, rule } => {
            let rule = to_yaml(rule)?;
            let i = at(job)?.ok_or_else(|| format!("there is no job `{job}`"))?;
            let mut rules = rules_of(&list[i])?;
            if rules.contains(&rule) {
                return Ok(None);
            }
            rules.insert(0, rule);
            set(&mut list[i], "relabel_configs", Yaml::Sequence(rules));
        }
        TextEdit::RemoveRule { job, rule } => {
            let rule = to_yaml(rule)?;
            let Some(i) = at(job)? else { return Ok(None) };
            let mut rules = rules_of(&list[i])?;
            let Some(k) = rules.iter().position(|r| *r == rule) else {
                return Ok(None);
            };
            rules.remove(k);
            set(&mut list[i], "relabel_configs", Yaml::Sequence(rules));
        }
        TextEdit::ReplaceRule { job, rule, by } => {
            let (rule, by) = (to_yaml(rule)?, to_yaml(by)?);
            let i = at(job)?.ok_or_else(|| format!("there is no job `{job}`"))?;
            let mut rules = rules_of(&list[i])?;
            let Some(k) = rules.iter().position(|r| *r == rule) else {
                return Err(format!("the job `{job}` has no such rule to replace"));
            };
            rules[k] = by;
            set(&mut list[i], "relabel_configs", Yaml::Sequence(rules));
        }
        TextEdit::RestoreRule {
            job, rule, at: k, ..
        } => {
            let rule = to_yaml(rule)?;
            let i = at(job)?.ok_or_else(|| format!("there is no job `{job}`"))?;
            let mut rules = rules_of(&list[i])?;
            if rules.contains(&rule) {
                return Ok(None);
            }
            rules.insert((*k).min(rules.len()), rule);
            set(&mut list[i], "relabel_configs", Yaml::Sequence(rules));
        }
        TextEdit::EndPlaintext { .. } | TextEdit::ResumePlaintext { .. } => {
            return Err("it is made step by step".into());
        }
    }
    set(&mut root, "scrape_configs", Yaml::Sequence(list));
    Ok(Some(root))
}

fn gate(after: &str, wanted: Yaml) -> Result<(), String> {
    let after = parse(after).map_err(|e| format!("the edited text would not parse: {e}"))?;
    if canonical(after) == canonical(wanted) {
        Ok(())
    } else {
        Err("the edited text would not mean the same as before plus the edit".into())
    }
}

/// An absent list, an empty one and `null` mean the same to Prometheus.
fn canonical(mut root: Yaml) -> Yaml {
    let empty = |v: Option<&Yaml>| match v {
        Some(Yaml::Sequence(list)) => list.is_empty(),
        Some(Yaml::Null) => true,
        _ => false,
    };
    if let Some(Yaml::Sequence(list)) = root.get_mut("scrape_configs") {
        for job in list {
            if empty(job.get("relabel_configs"))
                && let Yaml::Mapping(job) = job
            {
                job.remove("relabel_configs");
            }
        }
    }
    if empty(root.get("scrape_configs"))
        && let Yaml::Mapping(root) = &mut root
    {
        root.remove("scrape_configs");
    }
    root
}

fn rules_of(job: &Yaml) -> Result<Vec<Yaml>, String> {
    match job.get("relabel_configs") {
        None | Some(Yaml::Null) => Ok(Vec::new()),
        Some(Yaml::Sequence(list)) => Ok(list.clone()),
        Some(_) => Err("`relabel_configs` is no list".into()),
    }
}

fn set(map: &mut Yaml, key: &str, value: Yaml) {
    if let Yaml::Mapping(map) = map {
        map.insert(key.into(), value);
    }
}

pub(crate) fn to_yaml(value: &serde_json::Value) -> Result<Yaml, String> {
    serde_yaml::to_value(value).map_err(|e| e.to_string())
}

fn paste(edit: &TextEdit) -> String {
    let item =
        |value: &serde_json::Value| emit::block_item(&mask::setting(value), emit::Style::default());
    match edit {
        TextEdit::InsertJob { job, .. } => {
            format!("# first under scrape_configs:\n{}", item(job))
        }
        TextEdit::ReplaceJob { name, job } => format!(
            "# under scrape_configs:, in place of the job {name}\n{}",
            item(job)
        ),
        TextEdit::RestoreJob { name, text } => {
            format!(
                "# under scrape_configs:, in place of the job {name}\n{}",
                mask::text(text)
            )
        }
        TextEdit::RemoveJob { name } => {
            format!("# take the job {name} out of scrape_configs\n")
        }
        TextEdit::AddRule { job, rule } => format!(
            "# first under relabel_configs: of the job {job}\n{}",
            item(rule)
        ),
        TextEdit::RemoveRule { job, rule } => format!(
            "# take this out of relabel_configs: of the job {job}\n{}",
            item(rule)
        ),
        TextEdit::ReplaceRule { job, rule, by } => format!(
            "# in relabel_configs: of the job {job}, in place of this\n{}# this\n{}",
            item(rule),
            item(by)
        ),
        TextEdit::RestoreRule { job, text, .. } => {
            format!("# under relabel_configs: of the job {job}\n{text}")
        }
        TextEdit::EndPlaintext { job, items } => {
            let rules: String = ended_rules(items).iter().map(item).collect();
            format!("# first under relabel_configs: of the job {job}\n{rules}")
        }
        TextEdit::ResumePlaintext { job, items } => {
            let rules: String = ended_rules(items).iter().map(item).collect();
            format!("# take the names in this out of relabel_configs: of the job {job}\n{rules}")
        }
    }
}
