//! Who owns which field: server-side apply, and what ordinary writes do to owners.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fields::{
    FieldSet, Path, Printed, Step, from_v1, leaves, merge, remove_at, to_v1, value_at,
};
use super::json::{at, list, map_at, object as object_of, text};
use super::kinds::Kind;

/// One entry of `managedFields`.
#[derive(Clone, Debug, PartialEq)]
struct Owner {
    manager: String,
    operation: String,
    api_version: String,
    time: String,
    subresource: String,
    fields: FieldSet,
}

impl Owner {
    /// As the API server names a manager in a conflict: an applier by its name alone.
    fn printed(&self) -> String {
        let mut words = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            words.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if self.operation == "Update" {
            words.push_str(&format!(" using {}", self.api_version));
        }
        words
    }
}

fn owners(object: &Value) -> Vec<Owner> {
    let entries = list(object, "/metadata/managedFields").iter();
    entries
        .map(|entry| Owner {
            manager: text(entry, "/manager").to_owned(),
            operation: text(entry, "/operation").to_owned(),
            api_version: text(entry, "/apiVersion").to_owned(),
            time: text(entry, "/time").to_owned(),
            subresource: text(entry, "/subresource").to_owned(),
            fields: from_v1(at(entry, "/fieldsV1")),
        })
        .collect()
}

fn set_owners(object: &mut Value, owners: &[Owner]) {
    let entries: Vec<Value> = owners
        .iter()
        .filter(|owner| !owner.fields.is_empty())
        .map(|owner| {
            let mut entry = object_of([
                ("manager", json!(owner.manager)),
                ("operation", json!(owner.operation)),
                ("apiVersion", json!(owner.api_version)),
                ("time", json!(owner.time)),
                ("fieldsType", json!("FieldsV1")),
                ("fieldsV1", to_v1(&owner.fields)),
            ]);
            if !owner.subresource.is_empty() {
                map_at(&mut entry, &[]).insert("subresource".into(), json!(owner.subresource));
            }
            entry
        })
        .collect();
    map_at(object, &["metadata"]).insert("managedFields".into(), Value::Array(entries));
}

/// A field that another manager holds with another value.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// `"M" using V`, as the server prints it.
    pub manager: String,
    /// `.spec.replicas`
    pub field: String,
}

/// Applies `body` over `live` for `manager`.
///
/// # Errors
/// The conflicts, where another manager owns a field with another value and `force` is not set.
pub fn apply(
    kind: &Kind,
    live: Option<&Value>,
    body: &Value,
    manager: &str,
    force: bool,
    time: &str,
) -> Result<Value, Vec<Conflict>> {
    let builtin = kind.is_builtin();
    let empty = json!({});
    let live = live.unwrap_or(&empty);
    let wanted = leaves(body, builtin, false);
    let mut owners = owners(live);
    let is_us =
        |o: &Owner| o.manager == manager && o.operation == "Apply" && o.subresource.is_empty();
    let mut before = None;
    if let Some(index) = owners.iter().position(is_us) {
        before = Some(owners.remove(index));
    }

    let mut conflicts = Vec::new();
    for owner in &mut owners {
        let lost: Vec<Path> = wanted
            .intersection(&owner.fields)
            .filter(|path| !same(value_at(live, path), value_at(body, path), path))
            .cloned()
            .collect();
        for path in &lost {
            conflicts.push(Conflict {
                manager: owner.printed(),
                field: Printed(path).to_string(),
            });
            owner.fields.remove(path);
        }
    }
    if !conflicts.is_empty() && !force {
        return Err(conflicts);
    }

    let mut merged = merge(live, body, builtin);
    if let Some(before) = &before {
        drop_unwanted(&mut merged, &before.fields, &wanted, &owners);
    }
    let unchanged = before.as_ref().is_some_and(|b| b.fields == wanted);
    let time = match &before {
        Some(before) if unchanged && merged == *live => before.time.clone(),
        _ => time.to_owned(),
    };
    owners.push(Owner {
        manager: manager.to_owned(),
        operation: "Apply".to_owned(),
        api_version: kind.api_version(),
        time,
        subresource: String::new(),
        fields: wanted,
    });
    if unchanged {
        // The order of entries stays when nothing changed, so that an idle apply writes nothing.
        let order: BTreeMap<String, usize> = list(live, "/metadata/managedFields")
            .iter()
            .enumerate()
            .map(|(i, e)| {
                (
                    format!("{}/{}", text(e, "/manager"), text(e, "/operation")),
                    i,
                )
            })
            .collect();
        owners.sort_by_key(|o| {
            order
                .get(&format!("{}/{}", o.manager, o.operation))
                .copied()
        });
    }
    set_owners(&mut merged, &owners);
    Ok(merged)
}

/// An item's own path says only that it is there, so its content is no conflict.
fn same(live: Option<&Value>, wanted: Option<&Value>, path: &[Step]) -> bool {
    match path.last() {
        Some(Step::Item(_)) => true,
        _ => live == wanted || (live.is_none() && wanted.is_none_or(Value::is_null)),
    }
}

/// Fields we applied before and no longer want go, unless somebody else owns them too.
fn drop_unwanted(object: &mut Value, before: &FieldSet, wanted: &FieldSet, others: &[Owner]) {
    let held = |path: &Path| {
        let below = |other: &Path| match path.last() {
            // An item stays while anybody owns anything in it.
            Some(Step::Item(_)) => other.starts_with(path),
            _ => other == path,
        };
        wanted.iter().any(below) || others.iter().any(|o| o.fields.iter().any(below))
    };
    // In order: an item comes before its fields, and takes them with it.
    for path in before.difference(wanted) {
        if !held(path) {
            remove_at(object, path);
        }
    }
}

/// An ordinary write by `manager`: it comes to own what it changed, and everybody loses what is gone.
/// `before` and `after` are the objects without regard to `managedFields`; the result carries them.
pub fn update(
    kind: &Kind,
    before: Option<&Value>,
    mut after: Value,
    manager: &str,
    time: &str,
) -> Value {
    let builtin = kind.is_builtin();
    let empty = json!({});
    let before = before.unwrap_or(&empty);
    // What a writer says of the owners counts; an empty entry resets them, and an object without owners gets none by
    // an update (apimachinery, managedfields/internal: `decodeLiveOrNew`, `isResetManagedFields`, `skipNonApplied`).
    let claimed = at(&after, "/metadata/managedFields").as_array();
    let reset = claimed.is_some_and(|list| list.is_empty() || *list == [json!({})]);
    if reset && !list(before, "/metadata/managedFields").is_empty() {
        map_at(&mut after, &["metadata"]).remove("managedFields");
        return after;
    }
    let mut owners = match owners(&after) {
        none if none.is_empty() => owners(before),
        claimed => claimed,
    };
    let is_us =
        |o: &Owner| o.manager == manager && o.operation == "Update" && o.subresource.is_empty();
    let present = leaves(&after, builtin, true);
    let changed: FieldSet = present
        .iter()
        .filter(
            |path| match (value_at(before, path), value_at(&after, path)) {
                (None, _) => true,
                (Some(_), Some(Value::Object(_))) => false,
                (Some(_), _) if matches!(path.last(), Some(Step::Item(_))) => false,
                (old, new) => old != new,
            },
        )
        .filter(|path| !matches!(path.first(), Some(Step::Field(f)) if f == "status"))
        .cloned()
        .collect();
    for owner in &mut owners {
        let ours = is_us(owner);
        owner.fields.retain(|path| {
            value_at(&after, path).is_some()
                && (ours || !changed.contains(path) || owner.subresource == "status")
        });
    }
    if !changed.is_empty() {
        match owners.iter_mut().find(|o| is_us(o)) {
            Some(owner) => {
                owner.fields.extend(changed);
                owner.time = time.to_owned();
            }
            None => owners.push(Owner {
                manager: manager.to_owned(),
                operation: "Update".to_owned(),
                api_version: kind.api_version(),
                time: time.to_owned(),
                subresource: String::new(),
                fields: changed,
            }),
        }
    }
    set_owners(&mut after, &owners);
    after
}

#[cfg(test)]
mod tests;
