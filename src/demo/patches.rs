//! JSON Patch and JSON Merge Patch.

use serde_json::Value;

use super::json::{as_map, at, text};

/// RFC 7386.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    let map = as_map(target);
    for (key, change) in changes {
        if change.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), change);
        }
    }
}

/// RFC 6902, without `copy` and `move`.
///
/// # Errors
/// What failed, as the API server's patch library says it.
pub fn apply(target: &mut Value, patch: &Value) -> Result<(), String> {
    let Some(operations) = patch.as_array() else {
        return Err("cannot unmarshal object into Go value of type jsonpatch.Patch".to_owned());
    };
    for operation in operations {
        let path = text(operation, "/path");
        let value = at(operation, "/value");
        match text(operation, "/op") {
            "test" if target.pointer(path).unwrap_or(&Value::Null) == value => {}
            "test" => return Err(format!("testing value {path} failed: test failed")),
            "add" => set(target, path, value, false)?,
            "replace" => set(target, path, value, true)?,
            "remove" => remove(target, path)?,
            other => return Err(format!("Unexpected kind: {other}")),
        }
    }
    Ok(())
}

fn parent<'a, 'p>(
    target: &'a mut Value,
    path: &'p str,
    verb: &str,
) -> Result<(&'a mut Value, String, &'p str), String> {
    let missing =
        || format!("{verb} operation does not apply: doc is missing path: {path}: missing value");
    let (above, last) = path.rsplit_once('/').ok_or_else(missing)?;
    let key = last.replace("~1", "/").replace("~0", "~");
    let parent = target.pointer_mut(above).ok_or_else(missing)?;
    Ok((parent, key, path))
}

fn set(target: &mut Value, path: &str, value: &Value, replace: bool) -> Result<(), String> {
    if path.is_empty() {
        *target = value.clone();
        return Ok(());
    }
    let verb = if replace { "replace" } else { "add" };
    let (parent, key, _) = parent(target, path, verb)?;
    let missing =
        || format!("{verb} operation does not apply: doc is missing key: {path}: missing value");
    match parent {
        Value::Object(map) => {
            if replace && !map.contains_key(&key) {
                return Err(missing());
            }
            map.insert(key, value.clone());
        }
        Value::Array(items) if key == "-" && !replace => items.push(value.clone()),
        Value::Array(items) => {
            let index: usize = key.parse().map_err(|_| missing())?;
            if replace {
                *items.get_mut(index).ok_or_else(missing)? = value.clone();
            } else if index <= items.len() {
                items.insert(index, value.clone());
            } else {
                return Err(missing());
            }
        }
        _ => return Err(missing()),
    }
    Ok(())
}

fn remove(target: &mut Value, path: &str) -> Result<(), String> {
    let (parent, key, _) = parent(target, path, "remove")?;
    let missing =
        || format!("remove operation does not apply: doc is missing key: {path}: missing value");
    match parent {
        Value::Object(map) => map.remove(&key).map(drop).ok_or_else(missing),
        Value::Array(items) => {
            let index: usize = key.parse().map_err(|_| missing())?;
            if index >= items.len() {
                return Err(missing());
            }
            items.remove(index);
            Ok(())
        }
        _ => Err(missing()),
    }
}
