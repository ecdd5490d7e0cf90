//! Prometheus's relabelling, for the actions that scrape jobs of a mesh use.

use std::collections::{BTreeMap, HashMap};
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::Regex;
use serde_json::Value;

use crate::demo::json::{list, text};

pub type Labels = BTreeMap<String, String>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Replace,
    Keep,
    Drop,
    LabelMap,
    LabelDrop,
    LabelKeep,
    Lowercase,
    Uppercase,
    KeepEqual,
    DropEqual,
}

/// One rule of `relabel_configs`.
#[derive(Clone, Debug)]
pub struct Rule {
    action: Action,
    source: Vec<String>,
    separator: String,
    regex: Regex,
    target: String,
    replacement: String,
}

impl Rule {
    /// Reads a rule with Prometheus's defaults.
    ///
    /// # Errors
    /// In words near to Prometheus's own.
    pub fn read(value: &Value) -> Result<Rule, String> {
        let action = match text(value, "/action").to_lowercase().as_str() {
            "" | "replace" => Action::Replace,
            "keep" => Action::Keep,
            "drop" => Action::Drop,
            "labelmap" => Action::LabelMap,
            "labeldrop" => Action::LabelDrop,
            "labelkeep" => Action::LabelKeep,
            "lowercase" => Action::Lowercase,
            "uppercase" => Action::Uppercase,
            "keepequal" => Action::KeepEqual,
            "dropequal" => Action::DropEqual,
            other => return Err(format!("unknown relabel action {other:?}")),
        };
        let scalar = |key: &str| match value.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            // Unquoted `true` or `8080` is text to Prometheus.
            Some(Value::Null) | None => None,
            Some(other) => Some(other.to_string()),
        };
        let pattern = scalar("regex").unwrap_or_else(|| "(.*)".to_owned());
        let regex =
            compiled(&pattern).ok_or_else(|| format!("error parsing regexp: {pattern:?}"))?;
        let target = scalar("target_label").unwrap_or_default();
        if action == Action::Replace && target.is_empty() {
            return Err(
                "relabel configuration for replace action requires 'target_label' value".to_owned(),
            );
        }
        Ok(Rule {
            action,
            source: list(value, "/source_labels")
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            separator: scalar("separator").unwrap_or_else(|| ";".to_owned()),
            regex,
            target,
            replacement: scalar("replacement").unwrap_or_else(|| "$1".to_owned()),
        })
    }
}

/// Anchored, as Prometheus does; each pattern is compiled once, since configurations are loaded again and again.
fn compiled(pattern: &str) -> Option<Regex> {
    static KNOWN: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = known.get(pattern) {
        return Some(regex.clone());
    }
    let regex = Regex::new(&format!("^(?s:{pattern})$")).ok()?;
    if known.len() < 1000 {
        known.insert(pattern.to_owned(), regex.clone());
    }
    Some(regex)
}

/// Go and the regex crate read `$1` and `${1}` alike: the longest run of word characters.
fn expand(captures: &regex::Captures, template: &str) -> String {
    let mut out = String::new();
    captures.expand(template, &mut out);
    out
}

/// Runs the rules in order; `None` when one of them drops the target.
pub fn relabel(mut labels: Labels, rules: &[Rule]) -> Option<Labels> {
    for rule in rules {
        let value = rule
            .source
            .iter()
            .map(|name| labels.get(name).map_or("", String::as_str))
            .collect::<Vec<_>>()
            .join(&rule.separator);
        match rule.action {
            Action::Keep if !rule.regex.is_match(&value) => return None,
            Action::Drop if rule.regex.is_match(&value) => return None,
            Action::Keep | Action::Drop => {}
            Action::KeepEqual | Action::DropEqual => {
                let equal = labels.get(&rule.target).map_or("", String::as_str) == value;
                if equal == (rule.action == Action::DropEqual) {
                    return None;
                }
            }
            Action::Replace => {
                let Some(captures) = rule.regex.captures(&value) else {
                    continue;
                };
                let target = expand(&captures, &rule.target);
                let fresh = expand(&captures, &rule.replacement);
                if fresh.is_empty() {
                    labels.remove(&target);
                } else {
                    labels.insert(target, fresh);
                }
            }
            Action::Lowercase => {
                labels.insert(rule.target.clone(), value.to_lowercase());
            }
            Action::Uppercase => {
                labels.insert(rule.target.clone(), value.to_uppercase());
            }
            Action::LabelMap => {
                let mapped: Vec<(String, String)> = labels
                    .iter()
                    .filter_map(|(name, value)| {
                        let captures = rule.regex.captures(name)?;
                        Some((expand(&captures, &rule.replacement), value.clone()))
                    })
                    .collect();
                labels.extend(mapped);
            }
            Action::LabelDrop => labels.retain(|name, _| !rule.regex.is_match(name)),
            Action::LabelKeep => labels.retain(|name, _| rule.regex.is_match(name)),
        }
    }
    Some(labels)
}
