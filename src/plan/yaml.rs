//! YAML for people and for other readers: a stable human order, and every string quoted that a YAML 1.1
//! reader would take for something else.

use super::Action;
use super::review::{ItemState, Review};
use serde_json::{Map, Value};
use std::fmt::Write;

/// How strings with line feeds are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    /// So that they read back exactly.
    Exact,
    /// Always as lines, for a diff.
    Lines,
}

/// An object as YAML, ending with a line feed.
pub fn to_yaml(value: &Value) -> String {
    write(value, Text::Exact)
}

/// For a diff: text in a ConfigMap always stands as lines.
pub(super) fn to_lines(value: &Value) -> String {
    write(value, Text::Lines)
}

fn write(value: &Value, text: Text) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(map, 0, true, text, &mut out),
        Value::Array(list) if !list.is_empty() => sequence(list, 0, text, &mut out),
        other => {
            scalar(other, 0, text, &mut out);
            out.push('\n');
        }
    }
    out
}

/// Fields that come first, in this order; the rest follows by name.
const FIRST: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "generateName",
    "labels",
    "annotations",
    "job_name",
    "selector",
    "workloadSelector",
    "port",
    "number",
];
const LAST: &[&str] = &["spec", "data", "binaryData", "stringData", "status"];

fn ordered(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let rank = |key: &str| {
        if let Some(at) = FIRST.iter().position(|first| *first == key) {
            return at;
        }
        match LAST.iter().position(|last| *last == key) {
            Some(at) => FIRST.len() + 1 + at,
            None => FIRST.len(),
        }
    };
    let mut fields: Vec<_> = map.iter().collect();
    fields.sort_unstable_by(|(a, _), (b, _)| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
    fields
}

/// `indented`: the first key needs its indentation too (it does not follow a `- `).
fn mapping(map: &Map<String, Value>, indent: usize, indented: bool, text: Text, out: &mut String) {
    for (n, (key, value)) in ordered(map).into_iter().enumerate() {
        if n > 0 || indented {
            pad(indent, out);
        }
        string(key, out);
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                mapping(inner, indent + 2, true, text, out);
            }
            Value::Array(list) if !list.is_empty() => {
                out.push('\n');
                sequence(list, indent, text, out);
            }
            other => {
                out.push(' ');
                scalar(other, indent + 2, text, out);
                out.push('\n');
            }
        }
    }
}

fn sequence(list: &[Value], indent: usize, text: Text, out: &mut String) {
    for value in list {
        pad(indent, out);
        out.push('-');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push(' ');
                mapping(inner, indent + 2, false, text, out);
            }
            Value::Array(inner) if !inner.is_empty() => {
                out.push('\n');
                sequence(inner, indent + 2, text, out);
            }
            other => {
                out.push(' ');
                scalar(other, indent + 2, text, out);
                out.push('\n');
            }
        }
    }
}

fn pad(indent: usize, out: &mut String) {
    for _ in 0..indent {
        out.push(' ');
    }
}

/// A scalar or an empty collection; without the line feed that ends it.
fn scalar(value: &Value, indent: usize, style: Text, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(_) | Value::Number(_) => {
            let _ = write!(out, "{value}");
        }
        Value::Object(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        Value::String(text) if text.contains('\n') && (style == Text::Lines || blockable(text)) => {
            block(text, indent, out);
        }
        Value::String(text) => string(text, out),
    }
}

/// Can the text stand as a literal block and read back the same?
fn blockable(text: &str) -> bool {
    !text.trim_matches('\n').is_empty()
        && text.chars().all(|c| c == '\n' || c == '\t' || printable(c))
        && !text.trim_start_matches(['\n', ' ']).starts_with('\t')
}

/// May it stand as it is? What turns a line around is written as an escape, as control characters are.
fn printable(c: char) -> bool {
    c != '\n' && !crate::text::needs_care(c) && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

fn block(text: &str, indent: usize, out: &mut String) {
    out.push('|');
    // Without it the first line's own blanks would be taken for indentation.
    if text.starts_with([' ', '\n', '\t']) {
        out.push('2');
    }
    let body = text.strip_suffix('\n');
    match body {
        None => out.push('-'),
        Some(body) if body.ends_with('\n') || body.is_empty() => out.push('+'),
        Some(_) => {}
    }
    for line in body.unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(indent, out);
            out.push_str(line);
        }
    }
}

fn string(text: &str, out: &mut String) {
    if plain(text) {
        out.push_str(text);
    } else {
        quoted(text, out);
    }
}

/// In double quotes, with every character escaped that some reader does not take as it stands.
pub(super) fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if printable(c) => out.push(c),
            c if (c as u32) < 0x100 => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if (c as u32) < 0x10000 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => {
                let _ = write!(out, "\\U{:08x}", c as u32);
            }
        }
    }
    out.push('"');
}

/// Words that YAML 1.1 readers take for booleans, nulls or merge keys.
const WORDS: &[&str] = &[
    "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nil", "none",
];

/// Does every YAML reader take these characters for this very string, without quotes?
fn plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    if text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #")
        || !text.chars().all(printable)
        || WORDS.contains(&text.to_ascii_lowercase().as_str())
    {
        return false;
    }
    if first.is_ascii_digit() {
        return quantity(text) || address(text);
    }
    first.is_ascii_alphabetic()
        || matches!(first, '/' | '_' | '(' | '^' | '$')
        || (!first.is_ascii() && !first.is_whitespace())
}

/// `100m`, `128Mi`, `15s`: digits, then a unit that no reader takes for a number.
fn quantity(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    [
        "m", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi", "s", "h", "ms",
    ]
    .contains(&unit)
}

/// `127.0.0.1:15020`: three dots or more are neither number nor date.
fn address(text: &str) -> bool {
    text.matches('.').count() >= 3
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | ':' | '/'))
}

/// What approval would write (conflicts taken), as YAML documents that `kubectl apply` takes; what it cannot take (text inside
/// a ConfigMap, single leaves, deletions) stands as comments with the command for it.
pub fn export(review: &Review) -> String {
    let states = review.states();
    let mut out = String::new();
    for change in &review.plan.changes {
        if !matches!(
            states.get(&change.id),
            Some(
                ItemState::Ready
                    | ItemState::Unverified(_)
                    | ItemState::Conflict(_)
                    | ItemState::Asking
            )
        ) {
            continue;
        }
        let reviewed = review.items.get(&change.id);
        out.push_str("---\n");
        for line in crate::words::purpose(&change.purpose).lines() {
            let _ = writeln!(out, "# {}", crate::text::clean(line));
        }
        match &change.action {
            Action::Apply { intent } => {
                let intent = reviewed
                    .and_then(|reviewed| reviewed.intent.as_ref())
                    .unwrap_or(intent);
                out.push_str(&to_yaml(intent));
            }
            _ => {
                for line in super::kubectl::command(change, reviewed.map(AsRef::as_ref)).lines() {
                    let _ = writeln!(out, "# {line}");
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn back(value: &Value) -> Value {
        let yaml = to_yaml(value);
        serde_yaml::from_str(&yaml).unwrap_or_else(|e| panic!("{e} in\n{yaml}"))
    }

    #[test]
    fn words_that_old_readers_misread_are_quoted() {
        for word in [
            "on",
            "Off",
            "yes",
            "NO",
            "y",
            "N",
            "true",
            "False",
            "null",
            "~",
            "1:30",
            "2001-01-01",
            "15091",
            "0x1F",
            "1e5",
            "1_000",
            ".5",
            "-1",
            "+1",
            "",
            " x",
            "x ",
            "a: b",
            "a #b",
            "- x",
            "*a",
            "&a",
            "!x",
            "%x",
            "@x",
            "`x",
            "'x",
            "{",
            "[",
            ">",
            "|",
            "?",
            "=",
            "<<",
            "12",
            "1.5",
            "0b1",
            "0o7",
            "0777",
            "1_0.0",
            "1:30:45",
            "-1:30",
            "2001-01-01T00:00:00Z",
            "2001-1-1 0:0:0",
            ".inf",
            "-.INF",
            ".NaN",
            "+.5",
            "1.",
            "1e+3",
            "NULL",
            "nil",
            "TRUE",
            "---",
            "...",
            "x\t",
            "x:",
        ] {
            let yaml = to_yaml(&json!({ "k": word }));
            assert!(yaml.starts_with("k: \""), "{word:?} gives {yaml}");
            assert_eq!(back(&json!({ "k": word })), json!({ "k": word }));
        }
        for word in [
            "httpbin",
            "127.0.0.1:15020",
            "100m",
            "128Mi",
            "15s",
            "/stats/prometheus",
            "cluster.local/ns/a",
        ] {
            assert_eq!(to_yaml(&json!({ "k": word })), format!("k: {word}\n"));
        }
    }

    #[test]
    fn keys_are_quoted_too() {
        assert_eq!(
            to_yaml(&json!({"15091": {"mode": "STRICT"}, "on": 1})),
            "\"15091\":\n  mode: STRICT\n\"on\": 1\n"
        );
    }

    #[test]
    fn people_read_what_it_is_first() {
        let object = json!({"spec": {"b": [{"image": "i", "name": "c", "args": ["--x"]}], "a": {}},
            "kind": "K", "data": {}, "apiVersion": "v1", "metadata": {"labels": {"z": "1"}, "namespace": "s", "name": "x"}});
        assert_eq!(
            to_yaml(&object),
            "apiVersion: v1\nkind: K\nmetadata:\n  name: x\n  namespace: s\n  labels:\n    z: \"1\"\n\
             spec:\n  a: {}\n  b:\n  - name: c\n    args:\n    - \"--x\"\n    image: i\ndata: {}\n"
        );
    }

    #[test]
    fn text_reads_back_exactly() {
        for text in [
            "a\n",
            "a",
            "a\nb",
            "a\nb\n",
            "a\n\n",
            "a\n\n\n",
            "\na\n",
            "  a\nb\n",
            "\n",
            "\n\n",
            "a\r\nb\r\n",
            "a\tb\n\tc\n",
            "\ta\nb",
            "a  \nb\n",
            " \na\n",
            "a\n \n",
            "  \n",
            "# c\n---\n...\n",
            "é\u{1F600}\n",
            "\u{7f}x\n",
            "\u{2028}\n",
            "a\n  ",
            "\n  a\n b\n",
            "tab\t",
            "\u{feff}x",
            "'\n\"\\\n",
        ] {
            let value = json!({"o": [{"t": text}], "t": text, "l": [text, [text]]});
            assert_eq!(back(&value), value, "{text:?}");
        }
    }

    #[test]
    fn any_string_reads_back() {
        let alphabet: Vec<char> = "ab 1:#-'\"\\\n\t{}[]|>.,&*!%@yn~é".chars().collect();
        let mut seed = 7u64;
        for _ in 0..3000 {
            let mut text = String::new();
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let mut bits = seed;
            for _ in 0..(seed >> 60) {
                text.push(alphabet[(bits % alphabet.len() as u64) as usize]);
                bits = bits.rotate_right(7).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            }
            let value = json!({"k": text, "l": [text], "m": {"n": [{"k": text}]}});
            assert_eq!(back(&value), value, "{text:?}");
        }
    }

    #[test]
    fn an_export_holds_what_an_apply_takes_and_says_the_rest() {
        use crate::plan::review::{RunId, tests::change};
        use crate::plan::{Plan, purpose::Purpose, scrape_config::TextEdit};
        let mut apply = change("a", &[]);
        let purpose = Purpose::PodDiscovered {
            pod: "opens\nnothing".into(),
        };
        apply.purpose = purpose.clone();
        apply.action = Action::Apply {
            intent: json!({"kind": "K", "data": {"on": "yes"}}),
        };
        let mut text = change("t", &[]);
        text.action = Action::Text {
            key: "prometheus.yml".into(),
            edits: vec![TextEdit::RemoveJob { name: "j".into() }],
        };
        let mut left_out = change("x", &[]);
        left_out.action = Action::Delete { uid: "u".into() };
        let mut review = Review::new(
            "c",
            RunId::default(),
            Plan {
                changes: vec![apply, text, left_out.clone()],
                ..Plan::default()
            },
        );
        review.toggle(&left_out.id);
        let yaml = export(&review);
        let documents: Vec<Value> = serde_yaml::Deserializer::from_str(&yaml)
            .map(|document| serde::Deserialize::deserialize(document).unwrap())
            .collect();
        assert_eq!(
            documents,
            [json!({"kind": "K", "data": {"on": "yes"}}), Value::Null]
        );
        for line in crate::words::purpose(&purpose).lines() {
            assert!(yaml.contains(&format!("# {line}\n")), "{yaml}");
        }
        assert!(
            yaml.contains("# # in prometheus.yml, remove the job j\n"),
            "{yaml}"
        );
        assert!(!yaml.contains("delete"), "{yaml}");
    }

    #[test]
    fn nested_and_empty_collections() {
        let value =
            json!({"a": [[1, [2]], {}, []], "b": null, "c": [[{"x": [1]}]], "d": true, "e": -1.5});
        assert_eq!(back(&value), value);
        assert_eq!(back(&json!([1, {"a": 2}])), json!([1, {"a": 2}]));
        assert_eq!(back(&json!("x")), json!("x"));
    }
}
