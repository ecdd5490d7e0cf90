//! Where in the text an edit goes. Lines and columns only: what they mean is the gate's business.

use super::emit::{self, Style};
use super::{TextEdit, Yaml, read_job, rules_of, to_yaml};
use serde_json::Value;
use std::ops::Range;

/// Marks a key line that was added with its list, so that it goes when the list is empty again.
const OURS: &str = "# added by meshscrape";

const UNSURE: &str = "cannot be found with certainty in the text";
const FLOW: &str = "the entry is written in flow style, and not as it was inserted";

/// The text after the edit; the edit is known to be needed.
pub(super) fn edit(text: &str, root: &Yaml, edit: &TextEdit) -> Result<String, String> {
    let file = File::new(text);
    match edit {
        TextEdit::InsertJob { job, .. } => {
            if root.get("scrape_configs").is_none() {
                return file.insert_list(job);
            }
            let list = file.scrape_configs(root)?;
            file.insert_first(&list, job)
        }
        TextEdit::ReplaceJob { name, job } => {
            let list = file.scrape_configs(root)?;
            let i = position(root, name)?;
            let item = list.item(i)?;
            let new = emit::block_item(job, list.style(item, &file));
            Ok(file.splice(file.bytes(item.lines.clone()), &new))
        }
        TextEdit::RestoreJob { name, text: was } => {
            let list = file.scrape_configs(root)?;
            let item = list.item(position(root, name)?)?;
            let bytes = file.bytes(item.lines.clone());
            if indent(was) == item.indent {
                return Ok(file.splice(bytes, was));
            }
            // Somebody has set the list at another column since.
            let job = serde_json::to_value(read_job(was)?).map_err(|e| e.to_string())?;
            Ok(file.splice(bytes, &emit::block_item(&job, list.style(item, &file))))
        }
        TextEdit::RemoveJob { name } => {
            let list = file.scrape_configs(root)?;
            let i = position(root, name)?;
            file.remove(&list, i, root, "scrape_configs")
        }
        TextEdit::AddRule { job, rule } => {
            let i = position(root, job)?;
            let jobs = file.scrape_configs(root)?;
            let item = jobs.item(i)?;
            let value = &root["scrape_configs"][i];
            if value.get("relabel_configs").is_none() {
                return file.insert_list_in(item, rule, jobs.nested());
            }
            let rules = file.rules(item, value)?;
            file.insert_first(&rules, rule)
        }
        TextEdit::RemoveRule { job, rule } => {
            let i = position(root, job)?;
            let jobs = file.scrape_configs(root)?;
            let value = &root["scrape_configs"][i];
            let rules = file.rules(jobs.item(i)?, value)?;
            let k = place_of(value, &to_yaml(rule)?)?;
            file.remove(&rules, k, value, "relabel_configs")
        }
        TextEdit::ReplaceRule { job, rule, by } => {
            let i = position(root, job)?;
            let jobs = file.scrape_configs(root)?;
            let value = &root["scrape_configs"][i];
            let rules = file.rules(jobs.item(i)?, value)?;
            let k = place_of(value, &to_yaml(rule)?)?;
            if rules.flow.is_some() {
                let bytes = file.in_flow(&rules, k, &value["relabel_configs"])?;
                return Ok(file.splice(bytes, &emit::flow(by)));
            }
            let item = rules.item(k)?;
            let new = emit::block_item(by, rules.style(item, &file));
            Ok(file.splice(file.bytes(item.lines.clone()), &new))
        }
        TextEdit::RestoreRule {
            job,
            rule,
            text: was,
            at,
        } => {
            let i = position(root, job)?;
            let jobs = file.scrape_configs(root)?;
            let value = &root["scrape_configs"][i];
            if value.get("relabel_configs").is_none() {
                return file.insert_list_in(jobs.item(i)?, rule, jobs.nested());
            }
            let rules = file.rules(jobs.item(i)?, value)?;
            if rules.flow.is_some() {
                return match at {
                    0 => file.insert_first(&rules, rule),
                    _ => Err(FLOW.into()),
                };
            }
            let Some(next) = rules.items.get(*at) else {
                return match rules.items.last() {
                    Some(last) if file.ended(last.lines.end - 1) => {
                        let end = file.bytes(last.lines.clone()).end;
                        Ok(file.splice(end..end, was))
                    }
                    Some(_) => Err("the last line has no line end".into()),
                    None => file.insert_first(&rules, rule),
                };
            };
            let start = file.bytes(next.lines.clone()).start;
            if indent(was) == next.indent {
                return Ok(file.splice(start..start, was));
            }
            // Somebody has set the list at another column since.
            let new = emit::block_item(rule, rules.style(next, &file));
            Ok(file.splice(start..start, &new))
        }
        TextEdit::EndPlaintext { .. } | TextEdit::ResumePlaintext { .. } => {
            Err("it is made step by step".into())
        }
    }
}

fn place_of(job: &Yaml, rule: &Yaml) -> Result<usize, String> {
    let mut rules = rules_of(job)?.into_iter();
    rules
        .position(|other| other == *rule)
        .ok_or_else(|| "the rule is not there".into())
}

/// The text of a rule, and its place among those of its job.
pub(super) fn rule(
    text: &str,
    root: &Yaml,
    job: &str,
    rule: &Yaml,
) -> Result<(String, usize), String> {
    let file = File::new(text);
    let i = position(root, job)?;
    let jobs = file.scrape_configs(root)?;
    let value = &root["scrape_configs"][i];
    let rules = file.rules(jobs.item(i)?, value)?;
    let k = place_of(value, rule)?;
    let bytes = match rules.flow {
        Some(_) => file.in_flow(&rules, k, &value["relabel_configs"])?,
        None => file.bytes(rules.item(k)?.lines.clone()),
    };
    Ok((text[bytes].to_owned(), k))
}

/// The text of a job: from the first line to the last with content.
pub(super) fn job<'a>(text: &'a str, root: &Yaml, name: &str) -> Result<&'a str, String> {
    let file = File::new(text);
    let list = file.scrape_configs(root)?;
    let item = list.item(position(root, name)?)?;
    Ok(&text[file.bytes(item.lines.clone())])
}

fn position(root: &Yaml, name: &str) -> Result<usize, String> {
    root["scrape_configs"]
        .as_sequence()
        .and_then(|list| {
            list.iter()
                .position(|j| j["job_name"].as_str() == Some(name))
        })
        .ok_or_else(|| format!("there is no job `{name}`"))
}

struct File<'a> {
    text: &'a str,
    /// Byte ranges of the lines, with their line ends.
    lines: Vec<Range<usize>>,
}

/// A list in the text: of the lines after its key, or (`flow`) behind an opening bracket.
struct List {
    key_line: usize,
    key_indent: usize,
    /// Offset just behind `[`.
    flow: Option<usize>,
    items: Vec<Item>,
}

struct Item {
    /// First line to the last with content.
    lines: Range<usize>,
    indent: usize,
    gap: usize,
}

impl List {
    fn item(&self, i: usize) -> Result<&Item, String> {
        self.items.get(i).ok_or_else(|| {
            if self.flow.is_some() {
                "the list is written in flow style ([…]), where a single entry is not edited".into()
            } else {
                format!("the entry {UNSURE}")
            }
        })
    }

    /// Columns by which the file sets lists deeper than their key.
    fn nested(&self) -> usize {
        match self.items.first() {
            Some(item) => item.indent.saturating_sub(self.key_indent).min(2),
            None => 0,
        }
    }

    fn style(&self, item: &Item, file: &File) -> Style {
        Style {
            indent: item.indent,
            gap: item.gap,
            nested: self.nested(),
            crlf: file.crlf(item.lines.start),
        }
    }
}

impl<'a> File<'a> {
    fn new(text: &'a str) -> Self {
        let mut start = 0;
        let lines = text
            .split_inclusive('\n')
            .map(|line| {
                let range = start..start + line.len();
                start = range.end;
                range
            })
            .collect();
        File { text, lines }
    }

    /// The line without its end and without a byte order mark.
    fn line(&self, i: usize) -> &'a str {
        self.text[self.lines[i].clone()]
            .trim_end_matches(['\n', '\r'])
            .trim_start_matches('\u{feff}')
    }

    fn crlf(&self, i: usize) -> bool {
        self.text[self.lines[i].clone()].ends_with("\r\n")
    }

    fn ended(&self, i: usize) -> bool {
        self.text[self.lines[i].clone()].ends_with('\n')
    }

    fn bytes(&self, lines: Range<usize>) -> Range<usize> {
        self.lines[lines.start].start..self.lines[lines.end - 1].end
    }

    fn splice(&self, at: Range<usize>, new: &str) -> String {
        let mut out = String::with_capacity(self.text.len() + new.len());
        out.push_str(&self.text[..at.start]);
        out.push_str(new);
        out.push_str(&self.text[at.end..]);
        out
    }

    /// The first line of the root mapping.
    fn root_line(&self) -> Result<usize, String> {
        (0..self.lines.len())
            .find(|i| {
                let line = self.line(*i);
                !quiet(line)
                    && !line.starts_with('%')
                    && line.trim_end() != "---"
                    && !line.starts_with("--- #")
            })
            .ok_or_else(|| "the file has no key at all".into())
    }

    fn scrape_configs(&self, root: &Yaml) -> Result<List, String> {
        let first = self.root_line()?;
        let count = root["scrape_configs"].as_sequence().map_or(0, Vec::len);
        self.list(
            first..self.lines.len(),
            indent(self.line(first)),
            "scrape_configs",
            count,
        )
    }

    fn rules(&self, item: &Item, job: &Yaml) -> Result<List, String> {
        let column = item.indent + 1 + item.gap;
        self.list(
            item.lines.clone(),
            column,
            "relabel_configs",
            rules_of(job)?.len(),
        )
    }

    /// The list under `key`, which stands in `column` of one of the lines; it has `count` entries.
    fn list(
        &self,
        within: Range<usize>,
        column: usize,
        key: &str,
        count: usize,
    ) -> Result<List, String> {
        let (key_line, rest) = within
            .clone()
            .find_map(|i| {
                self.key_at(i, column, key, i == within.start)
                    .map(|r| (i, r))
            })
            .ok_or_else(|| format!("the key `{key}` {UNSURE}"))?;
        let value = rest.trim_start();
        let mut list = List {
            key_line,
            key_indent: column,
            flow: None,
            items: Vec::new(),
        };
        if value.starts_with('[') {
            let line = self.line(key_line);
            let offset = value.as_ptr() as usize - line.as_ptr() as usize;
            let bom = self.text[self.lines[key_line].clone()].len()
                - self.text[self.lines[key_line].clone()]
                    .trim_start_matches('\u{feff}')
                    .len();
            list.flow = Some(self.lines[key_line].start + bom + offset + 1);
            return Ok(list);
        }
        let nothing = value.is_empty() || value.starts_with('#') || value == "~" || value == "null";
        let anchor = value.starts_with('&') && !value.contains(' ');
        if !nothing && !anchor {
            return Err(format!(
                "the value of `{key}` is written in a way that is not edited here"
            ));
        }
        if (value == "~" || value == "null") && count == 0 {
            return Err(format!("`{key}` is set to {value}"));
        }
        list.items = self.items(key_line + 1..within.end, column);
        if list.items.len() != count {
            return Err(format!("the entries of `{key}` {UNSURE}"));
        }
        Ok(list)
    }

    /// What follows `key:` where that key stands in this column; a dash before it counts as a space.
    fn key_at(&self, i: usize, column: usize, key: &str, dash: bool) -> Option<&'a str> {
        let line = self.line(i);
        let lead = line.get(..column)?;
        let blank = lead.chars().all(|c| c == ' ' || (dash && c == '-'));
        let after = line.get(column..)?;
        let after = [key.to_owned(), format!("\"{key}\""), format!("'{key}'")]
            .iter()
            .find_map(|k| after.strip_prefix(k.as_str()))?;
        let rest = after.trim_start_matches(' ').strip_prefix(':')?;
        (blank && (rest.is_empty() || rest.starts_with(' '))).then_some(rest)
    }

    fn items(&self, within: Range<usize>, key_indent: usize) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        let mut column = None;
        for i in within {
            let line = self.line(i);
            if quiet(line) {
                continue;
            }
            let at = indent(line);
            let dash = line[at..].starts_with("- ") || &line[at..] == "-";
            let column = *column.get_or_insert(at);
            if at < key_indent || at < column || (at == column && !dash) {
                break;
            }
            if at == column {
                let rest = &line[at + 1..];
                let gap = if rest.trim().is_empty() {
                    1
                } else {
                    indent(rest)
                };
                items.push(Item {
                    lines: i..i + 1,
                    indent: at,
                    gap,
                });
            } else if let Some(item) = items.last_mut() {
                item.lines.end = i + 1;
            }
        }
        items
    }

    fn insert_first(&self, list: &List, value: &Value) -> Result<String, String> {
        if let Some(at) = list.flow {
            let empty = self.text[at..].trim_start().starts_with(']');
            let comma = if empty { "" } else { ", " };
            return Ok(self.splice(at..at, &format!("{}{comma}", emit::flow(value))));
        }
        if !self.ended(list.key_line) {
            return Err("the last line has no line end".into());
        }
        let style = match list.items.first() {
            Some(item) => Style {
                crlf: self.crlf(list.key_line),
                ..list.style(item, self)
            },
            None => Style {
                indent: list.key_indent,
                crlf: self.crlf(list.key_line),
                ..Style::default()
            },
        };
        let at = self.lines[list.key_line].end;
        Ok(self.splice(at..at, &emit::block_item(value, style)))
    }

    /// A file without `scrape_configs`: key and job go before its first key, so that whole lines come and go.
    fn insert_list(&self, job: &Value) -> Result<String, String> {
        let first = self.root_line()?;
        let line = self.line(first);
        let column = indent(line);
        if !starts_key(&line[column..]) || !self.ended(first) && self.lines.len() == 1 {
            return Err("there is no `scrape_configs`, and no place for it is certain".into());
        }
        let start = self.lines[first].start
            + if self.text[self.lines[first].clone()].starts_with('\u{feff}') {
                3
            } else {
                0
            };
        self.insert_key(start, column, "scrape_configs", job, self.crlf(first), 0)
    }

    /// A job without `relabel_configs`: before another of its keys that stands on a line of its own.
    fn insert_list_in(&self, item: &Item, rule: &Value, nested: usize) -> Result<String, String> {
        let column = item.indent + 1 + item.gap;
        let next = item.lines.clone().skip(1).find(|i| {
            let line = self.line(*i);
            !quiet(line) && indent(line) == column && starts_key(&line[column..])
        });
        match next {
            Some(i) => self.insert_key(
                self.lines[i].start,
                column,
                "relabel_configs",
                rule,
                self.crlf(i),
                nested,
            ),
            None => Err("the job has no `relabel_configs`, and no place for it is certain".into()),
        }
    }

    fn insert_key(
        &self,
        at: usize,
        column: usize,
        key: &str,
        value: &Value,
        crlf: bool,
        nested: usize,
    ) -> Result<String, String> {
        let style = Style {
            indent: column + nested,
            nested,
            crlf,
            ..Style::default()
        };
        let end = if crlf { "\r\n" } else { "\n" };
        let new = format!(
            "{}{key}: {OURS}{end}{}",
            " ".repeat(column),
            emit::block_item(value, style)
        );
        Ok(self.splice(at..at, &new))
    }

    /// Where the i-th entry of a list in flow style stands, if it and those before it are written as we write them.
    fn in_flow(&self, list: &List, i: usize, entries: &Yaml) -> Result<Range<usize>, String> {
        let mut at = list.flow.ok_or(FLOW)?;
        for (n, entry) in entries.as_sequence().ok_or(FLOW)?.iter().enumerate() {
            let value = serde_json::to_value(entry).map_err(|e| e.to_string())?;
            let ours = emit::flow(&value);
            if !self.text[at..].starts_with(&ours) {
                return Err(FLOW.into());
            }
            if n == i {
                return Ok(at..at + ours.len());
            }
            at += ours.len();
            let comma = self.text[at..].strip_prefix(", ").ok_or(FLOW)?;
            at = self.text.len() - comma.len();
        }
        Err(FLOW.into())
    }

    /// The i-th entry of the list under `key` of `parent`.
    fn remove(&self, list: &List, i: usize, parent: &Yaml, key: &str) -> Result<String, String> {
        if list.flow.is_some() {
            let Range { start: at, end } = self.in_flow(list, i, &parent[key])?;
            let comma = if self.text[end..].starts_with(", ") {
                2
            } else {
                0
            };
            return Ok(self.splice(at..end + comma, ""));
        }
        let item = list.item(i)?;
        let mut lines = item.lines.clone();
        if list.items.len() == 1
            && self.line(list.key_line).trim_end().ends_with(OURS)
            && lines.start == list.key_line + 1
        {
            lines.start = list.key_line;
        }
        let mut at = self.bytes(lines);
        if self.text[at.start..].starts_with('\u{feff}') {
            at.start += 3;
        }
        Ok(self.splice(at, ""))
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// An empty line or a comment.
fn quiet(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// `word:` at the start, bare or quoted; not a flow collection or a list.
fn starts_key(line: &str) -> bool {
    let line = line.trim_start_matches(['"', '\'']);
    let word = line
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
        .unwrap_or(line.len());
    word > 0
        && !line.starts_with('-')
        && line[word..]
            .trim_start_matches(['"', '\''])
            .starts_with(':')
}
