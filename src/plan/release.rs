//! Whose fields are whose after an undo: what we applied is released, and what was taken from others is theirs again.
//!
//! An undo by patch leaves traces in `managedFields`: the value that comes back is then our write, and of what we
//! applied the keys of list elements and whatever others own as well stay under our name. A client may write
//! `managedFields` itself, where nothing else changes in the same request (apimachinery, managedfields/internal
//! /fieldmanager.go: `decodeLiveOrNew`; kubectl moves its own fields so, client-go/util/csaupgrade).

use super::keyed;
use super::owners::step;
use super::path::LeafPath;
use super::record::{Intent, LeafChange};
use super::resume::{Stands, stands};
use crate::mesh::kinds::MANAGER;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::cell::Cell;

/// What a manager owned of the fields that a write changes: an entry of `managedFields`, cut down to them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Taken {
    pub manager: String,
    pub operation: String,
    pub api_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    pub fields: Value,
}

/// What others own at these paths, so that it can be given back.
pub fn taken<'a>(live: &Value, paths: impl Iterator<Item = &'a LeafPath>) -> Vec<Taken> {
    let paths: Vec<&LeafPath> = paths.collect();
    let mut out = Vec::new();
    for entry in entries(live).iter().filter(|entry| !is_ours(entry)) {
        if is_subresource(entry) {
            continue;
        }
        let mut fields = Map::new();
        for path in &paths {
            if let Some(found) = branch(&entry["fieldsV1"], path) {
                join(&mut fields, &found);
            }
        }
        if fields.is_empty() {
            continue;
        }
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        out.push(Taken {
            manager: text("manager"),
            operation: text("operation"),
            api_version: text("apiVersion"),
            time: entry["time"].as_str().map(str::to_owned),
            fields: Value::Object(fields),
        });
    }
    out
}

/// The whole list of `managedFields` as it is to be once these writes of a run were taken back; `None`: it is so.
///
/// Only what was taken back counts: a field that still stands as the run left it stays ours. `alone`: no other run
/// of ours stands in this object, so that nothing of it need stay ours.
pub fn released(live: &Value, intents: &[&Intent], alone: bool) -> Option<Value> {
    let (mut undone, mut standing) = (Vec::new(), Vec::new());
    let mut back: Vec<(&Taken, &LeafPath)> = Vec::new();
    let texts: Vec<(LeafPath, &Intent)> = intents
        .iter()
        .filter_map(|intent| {
            let key = &intent.text.as_ref()?.key;
            Some((keyed::path(intent.object.kind, key), *intent))
        })
        .collect();
    for (path, intent) in &texts {
        // A text is one field: it is given back whole, when nothing of ours is left in it.
        let ours = |intent: &&Intent| stands(intent, Some(live)) != Stands::Before;
        if intents.iter().filter(|of| of.text.is_some()).any(ours) || !alone {
            standing.push(path);
        } else {
            undone.push(path);
            back.extend(intent.taken.iter().map(|taken| (taken, path)));
        }
    }
    for intent in intents {
        for leaf in &intent.leaves {
            if still_stands(leaf, live) {
                standing.push(&leaf.path);
            } else {
                undone.push(&leaf.path);
                let now = leaf.path.get(live);
                if leaf.before.is_some() && now == leaf.before.as_ref() {
                    back.extend(intent.taken.iter().map(|taken| (taken, &leaf.path)));
                }
            }
        }
    }
    let list = entries(live);
    // Made anew by us after a delete.
    let whole = intents
        .iter()
        .find_map(|intent| intent.deleted.as_ref())
        .filter(|deleted| deleted["metadata"]["uid"] != live["metadata"]["uid"])
        .filter(|_| alone && list.iter().any(is_ours));
    let mut out: Vec<Value> = Vec::new();
    for entry in list {
        if !is_ours(entry) || is_subresource(entry) {
            out.push(entry.clone());
            continue;
        }
        let applied = entry["operation"] == "Apply";
        let stays = |path: &LeafPath| {
            if standing.iter().any(|of| of.holds(path)) {
                return true;
            }
            if whole.is_some() || undone.iter().any(|of| of.holds(path)) {
                return false;
            }
            // What others hold as well stays without us; what is ours alone is of a run that is not known here.
            let shared = || list.iter().any(|of| !is_ours(of) && owns(of, path));
            !alone || !standing.is_empty() || (applied && !shared())
        };
        let fields = entry["fieldsV1"].as_object();
        let kept = fields.and_then(|fields| kept(&LeafPath::default(), fields, &stays));
        if let Some(kept) = kept {
            let mut entry = entry.clone();
            entry["fieldsV1"] = Value::Object(kept);
            out.push(entry);
        }
    }
    for (taken, path) in back {
        if let Some(fields) = branch(&taken.fields, path) {
            give(&mut out, taken, &fields);
        }
    }
    for entry in whole.map_or(&[][..], entries) {
        if is_ours(entry) || is_subresource(entry) {
            continue;
        }
        let of = serde_json::from_value::<Taken>(json!({
            "manager": entry["manager"], "operation": entry["operation"],
            "apiVersion": entry["apiVersion"], "time": entry["time"], "fields": entry["fieldsV1"],
        }));
        if let (Ok(of), Some(fields)) = (of, entry["fieldsV1"].as_object()) {
            give(&mut out, &of, fields);
        }
    }
    if out == list {
        return None;
    }
    // An empty list is taken for none at all; one empty entry says that nobody owns anything.
    Some(match out.is_empty() {
        true => json!([{}]),
        false => Value::Array(out),
    })
}

fn still_stands(leaf: &LeafChange, live: &Value) -> bool {
    let now = leaf.path.get(live).filter(|now| !now.is_null());
    now == leaf.after.as_ref() && leaf.after.is_some()
}

fn give(list: &mut Vec<Value>, to: &Taken, fields: &Map<String, Value>) {
    let theirs = list.iter_mut().find(|entry| {
        !is_subresource(entry)
            && entry["manager"] == to.manager.as_str()
            && entry["operation"] == to.operation.as_str()
            && entry["apiVersion"] == to.api_version.as_str()
    });
    match theirs.and_then(|entry| entry["fieldsV1"].as_object_mut()) {
        Some(theirs) => join(theirs, fields),
        None => {
            let mut entry = json!({
                "manager": to.manager, "operation": to.operation, "apiVersion": to.api_version,
                "fieldsType": "FieldsV1", "fieldsV1": fields,
            });
            if let Some(time) = &to.time {
                entry["time"] = json!(time);
            }
            list.push(entry);
        }
    }
}

fn entries(object: &Value) -> &[Value] {
    let list = object["metadata"]["managedFields"].as_array();
    list.map_or(&[], Vec::as_slice)
}

fn is_ours(entry: &Value) -> bool {
    entry["manager"] == MANAGER
}

fn is_subresource(entry: &Value) -> bool {
    entry["subresource"]
        .as_str()
        .is_some_and(|of| !of.is_empty())
}

/// The part of a `fieldsV1` set that lies on the way to this path and below it; `None`: nothing of it is owned.
fn branch(set: &Value, path: &LeafPath) -> Option<Map<String, Value>> {
    let set = set.as_object()?;
    let Some((first, rest)) = path.0.split_first() else {
        return Some(set.clone());
    };
    let (key, inner) = set
        .iter()
        .find(|(key, _)| step(key).as_ref() == Some(first))?;
    // A value that is owned as one has nothing below it.
    let inner = match inner.as_object().is_some_and(Map::is_empty) {
        true => Map::new(),
        false => branch(inner, &LeafPath(rest.to_vec()))?,
    };
    Some(Map::from_iter([(key.clone(), Value::Object(inner))]))
}

/// Both sets together. A node without children is the place itself, which beside children is written as `.`.
fn join(into: &mut Map<String, Value>, other: &Map<String, Value>) {
    for (key, theirs) in other {
        match into.get_mut(key) {
            None => {
                into.insert(key.clone(), theirs.clone());
            }
            Some(ours) => {
                let (Some(ours), Some(theirs)) = (ours.as_object_mut(), theirs.as_object()) else {
                    continue;
                };
                if ours.is_empty() != theirs.is_empty() {
                    ours.insert(".".into(), json!({}));
                }
                join(ours, theirs);
            }
        }
    }
}

/// A set without the places that do not stay; `None`: nothing is left.
fn kept(
    path: &LeafPath,
    set: &Map<String, Value>,
    stays: &dyn Fn(&LeafPath) -> bool,
) -> Option<Map<String, Value>> {
    let mut out = Map::new();
    for (key, inner) in set {
        if key == "." {
            if stays(path) {
                out.insert(key.clone(), inner.clone());
            }
            continue;
        }
        // What is not understood is nobody's to drop.
        let (Some(step), Some(inner)) = (step(key), inner.as_object()) else {
            out.insert(key.clone(), inner.clone());
            continue;
        };
        let path = path.clone().step(step);
        let left = match inner.is_empty() {
            true => stays(&path).then(Map::new),
            false => kept(&path, inner, stays),
        };
        if let Some(mut left) = left {
            if left.len() == 1 && left.contains_key(".") {
                left.clear();
            }
            out.insert(key.clone(), Value::Object(left));
        }
    }
    (!out.is_empty()).then_some(out)
}

/// Does this entry own the place itself?
fn owns(entry: &Value, path: &LeafPath) -> bool {
    let found = Cell::new(false);
    let look = |at: &LeafPath| {
        found.set(found.get() || at == path);
        false
    };
    if let Some(set) = branch(&entry["fieldsV1"], path) {
        kept(&LeafPath::default(), &set, &look);
    }
    found.get()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::kinds::{Kind, ObjectRef};
    use crate::plan::record::TextRecord;
    use crate::plan::scrape_config::TextEdit;
    use crate::plan::{ChangeId, Part};

    const HAND: &str = "kubectl-client-side-apply";

    fn intent() -> Intent {
        let object = ObjectRef::new(Kind::Deployment, "mon", "prometheus");
        Intent {
            run: "r".into(),
            seq: 0,
            at: jiff::Timestamp::UNIX_EPOCH,
            change: ChangeId::new(&object, Part::PrometheusPod),
            part: Part::PrometheusPod,
            object,
            item: None,
            uid: Some("u".into()),
            leaves: Vec::new(),
            text: None,
            deleted: None,
            taken: Vec::new(),
        }
    }

    fn label() -> LeafPath {
        LeafPath::fields(["spec", "template", "metadata", "labels", "inject"])
    }

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1", "time": "t",
            "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    fn labelled(inner: Value) -> Value {
        json!({"f:spec": {"f:template": {"f:metadata": {"f:labels": inner}}}})
    }

    fn live(value: &str, managed: Value) -> Value {
        json!({"metadata": {"uid": "u", "managedFields": managed},
            "spec": {"template": {"metadata": {"labels": {"inject": value}}}}})
    }

    /// The label was a person's, was forced, and comes back by a patch of ours.
    #[test]
    fn a_field_taken_by_force_is_its_owners_again() {
        let first = json!([
            entry(
                HAND,
                "Update",
                labelled(json!({".": {}, "f:app": {}, "f:inject": {}}))
            ),
            entry("controller", "Update", json!({"f:status": {}})),
        ]);
        let mut of = intent();
        of.leaves = vec![LeafChange {
            path: label(),
            before: Some(json!("false")),
            owners: vec![HAND.into()],
            after: Some(json!("true")),
        }];
        let before = live("false", first.clone());
        of.taken = taken(&before, of.leaves.iter().map(|leaf| &leaf.path));
        assert_eq!(of.taken.len(), 1);
        assert_eq!(of.taken[0].fields, labelled(json!({"f:inject": {}})));
        let forced = json!([
            entry(HAND, "Update", labelled(json!({".": {}, "f:app": {}}))),
            entry("controller", "Update", json!({"f:status": {}})),
            entry("meshscrape", "Update", labelled(json!({"f:inject": {}}))),
        ]);
        // Back by our patch.
        let after = live("false", forced.clone());
        assert_eq!(released(&after, &[&of], true), Some(first.clone()));
        // Where its owner has nothing left, the entry is made anew.
        let mut bare = after.clone();
        bare["metadata"]["managedFields"] = json!([entry(
            "meshscrape",
            "Update",
            labelled(json!({"f:inject": {}}))
        )]);
        let made = json!([entry(HAND, "Update", labelled(json!({"f:inject": {}})))]);
        assert_eq!(released(&bare, &[&of], true), Some(made));
        // While it stands as written it stays ours, and is given to nobody.
        assert_eq!(released(&live("true", forced.clone()), &[&of], true), None);
        // Somebody's third value is not given back either.
        let third = released(&live("maybe", forced), &[&of], true).unwrap();
        assert!(!third.to_string().contains("f:inject"), "{third}");
        // It is as on the first day: nothing to do.
        assert_eq!(released(&before, &[&of], true), None);
    }

    /// The key of a container that was not ours stays under our name after a patch.
    #[test]
    fn what_others_hold_as_well_is_let_go_and_what_is_ours_alone_stays() {
        let container =
            |inner: Value| json!({"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": inner}}});
        let theirs = entry(
            HAND,
            "Update",
            container(json!({".": {}, "f:image": {}, "f:name": {}})),
        );
        let ours = |inner: Value| entry("meshscrape", "Apply", container(inner));
        let object = |ours: Value| {
            json!({"metadata": {"uid": "u", "managedFields": [theirs, ours]},
            "spec": {"containers": [{"name": "app", "image": "i", "tty": true}]}})
        };
        let of = intent();
        let left = object(ours(json!({".": {}, "f:name": {}})));
        assert_eq!(released(&left, &[&of], true), Some(json!([theirs])));
        // Of a run that nobody knows of here.
        let more = object(ours(json!({".": {}, "f:name": {}, "f:tty": {}})));
        let kept = json!([theirs, ours(json!({"f:tty": {}}))]);
        assert_eq!(released(&more, &[&of], true), Some(kept));
    }

    #[test]
    fn another_runs_fields_stay_ours() {
        let mut of = intent();
        of.leaves = vec![LeafChange {
            path: label(),
            before: None,
            owners: Vec::new(),
            after: Some(json!("true")),
        }];
        let other = labelled(json!({"f:other": {}}));
        let managed = json!([
            entry("meshscrape", "Update", other.clone()),
            entry("meshscrape", "Apply", other)
        ]);
        assert_eq!(released(&live("false", managed), &[&of], false), None);
    }

    #[test]
    fn a_text_is_given_back_when_nothing_of_ours_is_left_in_it() {
        let edits = [TextEdit::InsertJob {
            name: "ours".into(),
            job: json!({"job_name": "ours"}),
        }];
        let before = "scrape_configs:\n- job_name: a\n";
        let after = crate::plan::scrape_config::apply(before, &edits).expect("inserted");
        let data = |text: &str, managed: Value| json!({"metadata": {"uid": "u", "managedFields": managed}, "data": {"p": text}});
        let first = json!([entry(
            HAND,
            "Update",
            json!({"f:data": {".": {}, "f:p": {}}})
        )]);
        let mut of = intent();
        of.object = ObjectRef::new(Kind::ConfigMap, "mon", "prometheus");
        of.text = Some(TextRecord::new("p", &edits, before, &after));
        of.taken = taken(
            &data(before, first.clone()),
            [LeafPath::fields(["data", "p"])].iter(),
        );
        let ours = json!([
            entry(HAND, "Update", json!({"f:data": {}})),
            entry("meshscrape", "Update", json!({"f:data": {"f:p": {}}})),
        ]);
        assert_eq!(released(&data(&after, ours.clone()), &[&of], true), None);
        assert_eq!(released(&data(before, ours.clone()), &[&of], false), None);
        assert_eq!(released(&data(before, ours), &[&of], true), Some(first));
    }

    #[test]
    fn an_object_that_comes_back_is_its_owners_again() {
        let theirs = entry(HAND, "Update", json!({"f:spec": {"f:a": {}}}));
        let mut of = intent();
        of.deleted =
            Some(json!({"metadata": {"uid": "u", "managedFields": [theirs]}, "spec": {"a": 1}}));
        let ours = entry("meshscrape", "Apply", json!({"f:spec": {"f:a": {}}}));
        let back = |uid: &str, by: &Value| json!({"metadata": {"uid": uid, "managedFields": [by]}, "spec": {"a": 1}});
        assert_eq!(
            released(&back("v", &ours), &[&of], true),
            Some(json!([theirs]))
        );
        // Never deleted, or somebody else's by the same name.
        assert_eq!(released(&back("u", &theirs), &[&of], true), None);
        let others = entry("helm", "Apply", json!({"f:spec": {"f:a": {}}}));
        assert_eq!(released(&back("v", &others), &[&of], true), None);
    }
}
