//! `labelSelector` and `fieldSelector` of list requests.

use serde_json::Value;

use super::json::{labels, name, namespace, text};

/// One requirement on a label.
#[derive(Debug, PartialEq)]
enum Need {
    Is(String, String),
    IsNot(String, String),
    Has(String),
    HasNot(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
}

/// Whether an object's labels meet the selector.
///
/// # Errors
/// Names the requirement that could not be read.
pub fn by_labels(selector: &str) -> Result<impl Fn(&Value) -> bool + use<>, String> {
    let needs = split(selector)
        .into_iter()
        .map(|part| need(part.trim()))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(move |object: &Value| {
        let get = |key: &str| labels(object).get(key).and_then(Value::as_str);
        needs.iter().all(|need| match need {
            Need::Is(key, value) => get(key) == Some(value),
            Need::IsNot(key, value) => get(key) != Some(value),
            Need::Has(key) => get(key).is_some(),
            Need::HasNot(key) => get(key).is_none(),
            Need::In(key, values) => get(key).is_some_and(|v| values.iter().any(|x| x == v)),
            Need::NotIn(key, values) => !get(key).is_some_and(|v| values.iter().any(|x| x == v)),
        })
    })
}

/// Commas part requirements, but not inside `in (a, b)`.
fn split(selector: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (index, c) in selector.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&selector[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&selector[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn need(part: &str) -> Result<Need, String> {
    let owned = |s: &str| s.trim().to_owned();
    let values = |s: &str| {
        let inner = s.trim().trim_start_matches('(').trim_end_matches(')');
        inner.split(',').map(owned).collect()
    };
    if let Some((key, value)) = part.split_once("!=") {
        return Ok(Need::IsNot(owned(key), owned(value)));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok(Need::Is(owned(key), owned(value)));
    }
    if let Some((key, list)) = part.split_once(" notin ") {
        return Ok(Need::NotIn(owned(key), values(list)));
    }
    if let Some((key, list)) = part.split_once(" in ") {
        return Ok(Need::In(owned(key), values(list)));
    }
    if let Some(key) = part.strip_prefix('!') {
        return Ok(Need::HasNot(owned(key)));
    }
    if part.contains(char::is_whitespace) {
        return Err(format!("unable to parse requirement: {part}"));
    }
    Ok(Need::Has(owned(part)))
}

/// Whether an object meets a field selector over the few fields that clients select by.
///
/// # Errors
/// Names the field that is not supported.
pub fn by_fields(selector: &str) -> Result<impl Fn(&Value) -> bool + use<>, String> {
    let mut needs = Vec::new();
    for part in selector.split(',').filter(|p| !p.is_empty()) {
        let (key, value, equal) = match part.split_once("!=") {
            Some((key, value)) => (key, value, false),
            None => match part.split_once("==").or_else(|| part.split_once('=')) {
                Some((key, value)) => (key, value, true),
                None => return Err(format!("invalid field selector: {part:?}")),
            },
        };
        if !matches!(
            key,
            "metadata.name"
                | "metadata.namespace"
                | "spec.nodeName"
                | "status.phase"
                | "type"
                | "reason"
                | "involvedObject.name"
                | "involvedObject.kind"
                | "involvedObject.uid"
        ) {
            return Err(format!("field label not supported: {key}"));
        }
        needs.push((key.to_owned(), value.to_owned(), equal));
    }
    Ok(move |object: &Value| {
        needs.iter().all(|(key, value, equal)| {
            let found = match key.as_str() {
                "metadata.name" => name(object),
                "metadata.namespace" => namespace(object),
                other => text(object, &format!("/{}", other.replace('.', "/"))),
            };
            (found == value) == *equal
        })
    })
}
