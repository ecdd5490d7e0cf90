//! Short ways into `serde_json` values, for objects whose shape nobody guarantees.

use serde_json::{Map, Value};

static NULL: Value = Value::Null;

/// What stands at a JSON pointer, or `null`.
pub fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&NULL)
}

/// The text at a JSON pointer, or `""`.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    at(value, pointer).as_str().unwrap_or("")
}

/// The list at a JSON pointer, or nothing.
pub fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    at(value, pointer).as_array().map_or(&[], Vec::as_slice)
}

pub fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

pub fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

pub fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// A label of the object, read without a pointer: label keys hold slashes.
pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}

/// An annotation of the object.
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object
        .get("metadata")?
        .get("annotations")?
        .get(key)?
        .as_str()
}

/// The map at `keys`, made where it is missing or something else.
pub fn map_at<'a>(value: &'a mut Value, keys: &[&str]) -> &'a mut Map<String, Value> {
    let mut current = value;
    for key in keys {
        current = as_map(current)
            .entry((*key).to_owned())
            .or_insert(Value::Null);
    }
    as_map(current)
}

/// The value as a map; anything else becomes an empty one.
pub fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("made an object above"),
    }
}

/// The list under `key`, made where it is missing.
pub fn list_at<'a>(value: &'a mut Value, keys: &[&str], key: &str) -> &'a mut Vec<Value> {
    let entry = map_at(value, keys)
        .entry(key.to_owned())
        .or_insert(Value::Null);
    if !entry.is_array() {
        *entry = Value::Array(Vec::new());
    }
    match entry {
        Value::Array(items) => items,
        _ => unreachable!("made a list above"),
    }
}

/// Whether `labels` has every pair of `wanted` (`matchLabels`); an empty or absent map wants nothing.
pub fn has_labels(wanted: &Value, labels: &Value) -> bool {
    wanted.as_object().is_none_or(|map| {
        map.iter()
            .all(|(key, value)| labels.get(key) == Some(value))
    })
}

/// A whole LabelSelector: `matchLabels` and `matchExpressions`.
pub fn selected(selector: &Value, labels: &Value) -> bool {
    has_labels(at(selector, "/matchLabels"), labels)
        && list(selector, "/matchExpressions").iter().all(|rule| {
            let value = labels.get(text(rule, "/key")).and_then(Value::as_str);
            let listed = value.is_some_and(|v| list(rule, "/values").iter().any(|x| x == v));
            match text(rule, "/operator") {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}

pub fn labels(object: &Value) -> &Value {
    at(object, "/metadata/labels")
}

/// A map of these, which are moved: `json!` writes what it is given anew.
pub fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let fields = fields.into_iter();
    Value::Object(fields.map(|(key, value)| (key.to_owned(), value)).collect())
}

/// A stable 64-bit number from text (FNV-1a), for names, addresses and staggering.
pub fn number_of(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// `length` characters of the alphabet that Kubernetes makes names from.
pub fn name_part(seed: &str, length: usize) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut state = number_of(seed);
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(ALPHABET[((state >> 33) % ALPHABET.len() as u64) as usize])
        })
        .collect()
}
