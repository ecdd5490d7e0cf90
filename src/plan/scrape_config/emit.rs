//! YAML of our own jobs and rules, in the file's own indentation, safe for YAML 1.1 and 1.2 readers.

use serde_json::Value;

/// How the list around an item is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Column of the dash.
    pub indent: usize,
    /// Spaces between the dash and what follows.
    pub gap: usize,
    /// Columns by which nested lists stand deeper than their key.
    pub nested: usize,
    pub crlf: bool,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            indent: 0,
            gap: 1,
            nested: 0,
            crlf: false,
        }
    }
}

/// One list item with all its lines, each ended.
pub fn block_item(value: &Value, style: Style) -> String {
    let mut out = String::new();
    item(value, style.indent, style, &mut out);
    if style.crlf {
        out = out.replace('\n', "\r\n");
    }
    out
}

fn item(value: &Value, indent: usize, style: Style, out: &mut String) {
    let inner = indent + 1 + style.gap;
    let mut body = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(map, inner, style, &mut body),
        other => {
            body.push_str(&" ".repeat(inner));
            body.push_str(&flow(other));
            body.push('\n');
        }
    }
    out.push_str(&" ".repeat(indent));
    out.push('-');
    // The first line's indentation is the dash and its gap.
    out.push_str(&body[indent + 1..]);
}

fn mapping(map: &serde_json::Map<String, Value>, indent: usize, style: Style, out: &mut String) {
    for (key, value) in in_order(map) {
        out.push_str(&" ".repeat(indent));
        out.push_str(&scalar(key, false));
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                mapping(inner, indent + 2, style, out);
            }
            Value::Array(list) if list.iter().any(Value::is_object) => {
                out.push('\n');
                for value in list {
                    item(value, indent + style.nested, style, out);
                }
            }
            other => {
                out.push(' ');
                match other {
                    Value::String(text) => out.push_str(&scalar(text, false)),
                    other => out.push_str(&flow(other)),
                }
                out.push('\n');
            }
        }
    }
}

/// A value on one line: JSON's own style for mappings, so that it can stand inside `[…]` and `{…}`.
pub fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entries: Vec<String> = in_order(map)
                .map(|(k, v)| format!("{}: {}", Value::from(k.as_str()), json(v)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Array(list) => {
            let items: Vec<String> = list
                .iter()
                .map(|v| match v {
                    Value::String(text) => scalar(text, true),
                    other => flow(other),
                })
                .collect();
            format!("[{}]", items.join(", "))
        }
        Value::String(text) => scalar(text, true),
        other => other.to_string(),
    }
}

/// JSON with a space after commas and colons, and keys in the order people write them.
pub fn json(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entries: Vec<String> = in_order(map)
                .map(|(k, v)| format!("{}: {}", Value::from(k.as_str()), json(v)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Array(list) => {
            format!("[{}]", list.iter().map(json).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Keys that people put first; the rest follows by name, what is long comes last.
const FIRST: [&str; 20] = [
    "name",
    "job_name",
    "honor_labels",
    "honor_timestamps",
    "scrape_interval",
    "scrape_timeout",
    "enable_http2",
    "metrics_path",
    "scheme",
    "source_labels",
    "separator",
    "action",
    "modulus",
    "regex",
    "replacement",
    "target_label",
    "ca_file",
    "cert_file",
    "key_file",
    "role",
];
const LAST: [&str; 4] = [
    "tls_config",
    "kubernetes_sd_configs",
    "relabel_configs",
    "metric_relabel_configs",
];

fn in_order(map: &serde_json::Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|(key, _)| {
        let first = FIRST.iter().position(|k| k == key);
        let last = LAST.iter().position(|k| k == key);
        match (first, last) {
            (Some(at), _) => (0, at),
            (_, None) => (1, 0),
            (_, Some(at)) => (2, at),
        }
    });
    entries.into_iter()
}

/// A string as a scalar: plain where no reader can misread it, else quoted.
pub fn scalar(text: &str, in_flow: bool) -> String {
    if plain_is_safe(text, in_flow) {
        text.to_owned()
    } else if text
        .chars()
        .any(|c| c == '\n' || crate::text::needs_care(c))
    {
        let mut quoted = String::new();
        crate::plan::yaml::quoted(text, &mut quoted);
        quoted
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

fn plain_is_safe(text: &str, in_flow: bool) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    let words = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf",
    ];
    if words.contains(&text.to_ascii_lowercase().as_str()) {
        return false;
    }
    // Numbers, base 60 (1:30) and dates of YAML 1.1.
    let number_like = text
        .chars()
        .all(|c| c.is_ascii_digit() || "+-.:_xXoObBeEabcdfABCDFTtZz".contains(c));
    if number_like && (first.is_ascii_digit() || "+-.".contains(first)) {
        return false;
    }
    (first.is_ascii_alphanumeric() || "_/\\($.".contains(first))
        && text.chars().all(|c| c.is_ascii_graphic() || c == ' ')
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !(in_flow && text.contains([',', '[', ']', '{', '}', ':', '?', '#']))
}
