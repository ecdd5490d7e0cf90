//! Credentials taken out of what is shown: Secrets, password-like fields, and text inside ConfigMaps.

use super::path::{LeafPath, Step};
use keys::{
    Inside, Of, WORDS, by_sibling, compiled, is_credential, is_switch, may_name_one, under, within,
};
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

mod keys;
#[cfg(test)]
mod tests;
mod text;

/// What stands in a credential's place.
pub const MASK: &str = "••••••";

/// `key: value` in YAML, JSON or flow text. 1: key, quotes included; 2: separator; 3: value.
static FIELD: LazyLock<Regex> = LazyLock::new(|| {
    compiled(&format!(
        r#"(?i)(["']?[\w.\-]*(?:{WORDS})[\w.\-]*["']?)(\s*[:=]\s*)("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s,{{}}\[\]#'"|>&*!][^,{{}}#\n]*)"#
    ))
});

/// A block scalar or a value of its own line behind a credential's key.
static BLOCK: LazyLock<Regex> = LazyLock::new(|| {
    compiled(&format!(
        r#"(?i)^(\s*(?:-\s+)*)(["']?[\w.\-]*(?:{WORDS})[\w.\-]*["']?)\s*:\s*(?:[|>][-+0-9]*)\s*(?:#.*)?$"#
    ))
});

static USERINFO: LazyLock<Regex> =
    LazyLock::new(|| compiled(r#"(?i)([a-z][a-z0-9+.\-]*://)[^/\s"']+@"#));

/// What a URL asks with: a token is often among it.
static QUERY: LazyLock<Regex> =
    LazyLock::new(|| compiled(r#"(?i)([a-z][a-z0-9+.\-]*://[^\s"'?#]+\?)[^\s"'#]+"#));

static BEARER: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"(?i)\b(bearer|basic)(\s+)([a-z0-9+/=_.~\-]{8,})"));

/// A bcrypt hash, as Prometheus's web configuration keeps passwords.
static BCRYPT: LazyLock<Regex> = LazyLock::new(|| compiled(r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{20,}"));

/// Text with credentials masked, found by its structure where it is YAML or JSON; whole where it has lines, or
/// looks like JSON, and is neither. Lines stay lines.
pub fn text(text: &str) -> String {
    if !text.contains('\n') && !is_json(text) && !text.contains(": ") {
        return line_masked(text);
    }
    match text::masked(text) {
        Some(masked) => by_line(&masked),
        None if is_whole(text) => whole(text),
        None => line_masked(text),
    }
}

/// Of a text without a known structure: is nothing of it shown?
fn is_whole(text: &str) -> bool {
    text.trim_end().contains('\n') || is_json(text)
}

/// Does a text mean to be JSON? `[$2]:$1` does not.
fn is_json(text: &str) -> bool {
    let text = text.trim_start();
    let inner = text.trim_start_matches('[').trim_start();
    text.starts_with('{') || text.starts_with('[') && inner.starts_with(['{', '"', '\''])
}

/// Every line hidden, with its indentation.
fn whole(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches(['\n', '\r']);
        let content = body.trim_start();
        out.push_str(&body[..body.len() - content.len()]);
        if !content.is_empty() {
            out.push_str(MASK);
        }
        out.push_str(&line[body.len()..]);
    }
    out
}

/// The second of two texts; of one that is hidden whole, the lines that the first does not have stay readable:
/// they are our own.
fn text_after(before: &str, after: &str) -> String {
    let known = |text: &str| text::masked(text).is_some() || !is_whole(text);
    if known(before) && known(after) {
        return text(after);
    }
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let most = old.len().min(new.len());
    let front = (0..most).take_while(|i| old[*i] == new[*i]).count();
    let back = (0..most - front)
        .take_while(|i| old[old.len() - 1 - i] == new[new.len() - 1 - i])
        .count();
    let (first, last) = (front, new.len() - back);
    let mut theirs = old.iter().collect::<std::collections::HashSet<_>>();
    theirs.retain(|line| !line.trim().is_empty());
    let lines = new.iter().enumerate().map(|(n, line)| {
        match (first..last).contains(&n) && !theirs.contains(line) {
            true => by_line(line),
            false => whole(line),
        }
    });
    lines.collect()
}

/// Line by line: what looks like a credential wherever it stands, in comments too.
fn by_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Indentation of the key whose block is hidden; inside a PEM block.
    let mut hidden: Option<usize> = None;
    let mut pem = false;
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches(['\n', '\r']);
        let end = &line[body.len()..];
        let indent = body.len() - body.trim_start().len();
        if let Some(key) = hidden {
            if body.trim().is_empty() || indent > key {
                if !body.trim().is_empty() {
                    out.push_str(&body[..indent]);
                    out.push_str(MASK);
                }
                out.push_str(end);
                continue;
            }
            hidden = None;
        }
        if pem || body.contains("PRIVATE KEY-----") {
            let ends = body.contains("-----END");
            pem = !ends;
            out.push_str(&body[..indent]);
            out.push_str(MASK);
            out.push_str(end);
            continue;
        }
        if body.contains(['|', '>'])
            && let Some(found) = BLOCK.captures(body)
            && is_credential(found[2].trim_matches(['"', '\'']))
        {
            hidden = Some(found[1].len());
        }
        out.push_str(&line_masked(body));
        out.push_str(end);
    }
    out
}

/// URLs within words without what authenticates in them: a user, a query.
pub fn urls(text: &str) -> String {
    if !text.contains("://") {
        return text.to_owned();
    }
    let masked = USERINFO.replace_all(text, format!("${{1}}{MASK}@"));
    QUERY
        .replace_all(&masked, format!("${{1}}{MASK}"))
        .into_owned()
}

/// One line of words: credentials in URLs, tokens, `key: value` of keys that are called like one.
pub fn line_masked(line: &str) -> String {
    let mut masked = urls(line);
    if masked.contains("$2") {
        masked = BCRYPT.replace_all(&masked, MASK).into_owned();
    }
    let lower = masked.to_ascii_lowercase();
    if lower.contains("bearer") || lower.contains("basic") {
        let put = format!("${{1}}${{2}}{MASK}");
        masked = BEARER.replace_all(&masked, put).into_owned();
    }
    if !masked.contains([':', '=']) || !may_name_one(&masked) {
        return masked;
    }
    let masked = FIELD.replace_all(&masked, |found: &regex::Captures| {
        let key = found[1].trim_matches(['"', '\'']);
        match is_credential(key) {
            true => format!("{}{}{MASK}", &found[1], &found[2]),
            false => found[0].to_owned(),
        }
    });
    masked.into_owned()
}

const BEFORE: &str = " (before)";
const AFTER: &str = " (after)";

/// Both sides of a diff with credentials masked; one that differs says so on both sides.
pub fn pair(before: Option<Value>, after: Option<Value>) -> (Option<Value>, Option<Value>) {
    let secret = [&before, &after]
        .iter()
        .any(|side| side.as_ref().is_some_and(|value| value["kind"] == "Secret"));
    let masked_before = before
        .clone()
        .map(|value| object(value, after.as_ref(), BEFORE, secret));
    let masked_after = after.map(|value| object(value, before.as_ref(), AFTER, secret));
    (masked_before, masked_after)
}

/// An object with credentials masked.
pub fn masked(value: &Value) -> Value {
    object(value.clone(), None, "", value["kind"] == "Secret")
}

fn object(value: Value, other: Option<&Value>, side: &str, secret: bool) -> Value {
    let mut out = value;
    if secret || !out["binaryData"].is_null() {
        let fields: &[&str] = match secret {
            true => &["data", "stringData", "binaryData"],
            false => &["binaryData"],
        };
        for field in fields.iter().copied() {
            let theirs = other.and_then(|other| other.get(field));
            if let Some(Value::Object(data)) = out.get_mut(field) {
                for (key, value) in data.iter_mut() {
                    hide(value, theirs.and_then(|theirs| theirs.get(key)), side);
                }
            }
        }
    }
    walk(&mut out, Inside::Plain, other, side);
    out
}

fn hide(value: &mut Value, other: Option<&Value>, side: &str) {
    let differs = other.is_some_and(|other| other != value);
    *value = Value::from(format!("{MASK}{}", if differs { side } else { "" }));
}

fn walk(value: &mut Value, inside: Inside, other: Option<&Value>, side: &str) {
    match value {
        Value::Object(map) => {
            let inside = within(inside, Of::Object);
            let by_name = |map: &serde_json::Map<String, Value>, key: &str| {
                by_sibling(key, |of| map.get(of)?.as_str().map(str::to_owned))
            };
            let hidden: Vec<bool> = map.keys().map(|key| by_name(map, key)).collect();
            for ((key, inner), hidden) in map.iter_mut().zip(hidden) {
                let theirs = other.and_then(|other| other.get(key));
                let inside = match hidden {
                    true => Inside::Hidden,
                    false => under(inside, key, Of::Object),
                };
                walk(inner, inside, theirs, side);
            }
        }
        Value::Array(list) => {
            for (index, inner) in list.iter_mut().enumerate() {
                let theirs = other.and_then(|other| other.get(index));
                walk(inner, inside, theirs, side);
            }
        }
        Value::Null | Value::Bool(_) => {}
        Value::String(words) if inside == Inside::Plain => {
            let hidden = match other.and_then(Value::as_str) {
                Some(before) if side == AFTER && before != words => text_after(before, words),
                _ => text(words),
            };
            if hidden != *words {
                *words = hidden;
            }
        }
        Value::String(words) if words.starts_with(MASK) || is_switch(inside, words) => {}
        Value::Number(_) if inside == Inside::Plain => {}
        Value::String(_) | Value::Number(_) => hide(value, other, side),
    }
}

/// Where a leaf stands, by the fields that lead to it.
fn at(path: &LeafPath) -> Inside {
    path.0
        .iter()
        .fold(Inside::Plain, |inside, step| match step {
            Step::Field(name) => under(within(inside, Of::Object), name, Of::Object),
            _ => inside,
        })
}

/// Is this, in a Secret, what it keeps?
pub fn is_secret(path: &LeafPath) -> bool {
    match path.0.first() {
        Some(Step::Field(name)) => !matches!(
            name.as_str(),
            "metadata" | "type" | "immutable" | "apiVersion" | "kind"
        ),
        _ => true,
    }
}

/// One leaf's value in words: masked, cut to a line.
pub fn shown(path: &LeafPath, value: &Value) -> String {
    let words = leaf(path, value).to_string();
    if words.chars().count() > 120 {
        let cut: String = words.chars().take(117).collect();
        return format!("{cut}…");
    }
    words
}

/// One leaf's value, masked.
pub fn leaf(path: &LeafPath, value: &Value) -> Value {
    let mut out = value.clone();
    walk(&mut out, at(path), None, "");
    out
}

/// The settings of a scrape job, or any value of a file, with credentials masked.
pub fn setting(value: &Value) -> Value {
    let mut out = value.clone();
    file(&mut out, Inside::Plain);
    out
}

fn file(value: &mut Value, inside: Inside) {
    match value {
        Value::Object(map) => {
            let inside = within(inside, Of::File);
            let hidden: Vec<bool> = map
                .keys()
                .map(|key| by_sibling(key, |of| map.get(of)?.as_str().map(str::to_owned)))
                .collect();
            for ((key, inner), hidden) in map.iter_mut().zip(hidden) {
                let inside = match hidden {
                    true => Inside::Hidden,
                    false => under(inside, key, Of::File),
                };
                file(inner, inside);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| file(value, inside)),
        Value::Null | Value::Bool(_) => {}
        Value::String(words) if inside == Inside::Plain => *words = text(words),
        Value::String(words) if is_switch(inside, words) => {}
        Value::Number(_) if inside == Inside::Plain => {}
        Value::String(_) | Value::Number(_) => *value = Value::from(MASK),
    }
}

/// The settings of a job, or any value of a file, that hold a credential: `http_headers`, `oauth2.client_secret`.
pub fn held(value: &Value) -> Vec<String> {
    fn differ(path: &str, a: &Value, b: &Value, out: &mut Vec<String>) {
        if a == b {
            return;
        }
        match (a, b) {
            (Value::Object(a), Value::Object(b)) => {
                for (key, value) in a {
                    let path = match path {
                        "" => key.clone(),
                        path => format!("{path}.{key}"),
                    };
                    differ(&path, value, b.get(key).unwrap_or(&Value::Null), out);
                }
            }
            (Value::Array(a), Value::Array(b)) if a.iter().any(Value::is_object) => {
                for (a, b) in a.iter().zip(b) {
                    differ(path, a, b, out);
                }
            }
            _ if out.iter().any(|known| known == path) => {}
            _ => out.push(path.to_owned()),
        }
    }
    let mut out = Vec::new();
    differ("", value, &setting(value), &mut out);
    out
}

/// The settings that hold a credential, or did before it was masked.
pub fn masked_in(value: &Value) -> Vec<String> {
    fn collect(path: &str, value: &Value, out: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let path = match path {
                        "" => key.clone(),
                        path => format!("{path}.{key}"),
                    };
                    collect(&path, value, out);
                }
            }
            Value::Array(list) => list.iter().for_each(|value| collect(path, value, out)),
            Value::String(text) if text.contains(MASK) && !out.iter().any(|of| of == path) => {
                out.push(path.to_owned());
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    collect("", &setting(value), &mut out);
    out
}

/// Does a value hold nothing that would be masked, and nothing that was?
pub fn is_free(value: &Value) -> bool {
    fn masked(value: &Value) -> bool {
        match value {
            Value::Object(map) => map
                .iter()
                .any(|(key, value)| key.contains(MASK) || masked(value)),
            Value::Array(list) => list.iter().any(masked),
            Value::String(text) => text.contains(MASK),
            _ => false,
        }
    }
    !masked(value) && setting(value) == *value
}
