//! Fields of others that a change would overwrite.

use crate::cluster::error::FieldConflict;
use crate::mesh::kinds::MANAGER;
use crate::plan::LeafEdit;
use crate::plan::leaves::all;
use crate::plan::mask;
use crate::plan::owners::{Owners, hands};
use crate::plan::path::{LeafPath, Step};
use crate::plan::review::{Conflict, Hands};
use crate::words::say::engine as say;
use serde_json::Value;

/// Of a server-side apply: as the server named them, with both values.
pub(super) fn of_apply(
    causes: &[FieldConflict],
    live: Option<&Value>,
    intent: &Value,
) -> Vec<Conflict> {
    let mut paths: Vec<(String, LeafPath)> = Vec::new();
    for (leaf, _) in all(intent) {
        // A conflict may name a parent of our leaf, where the field is atomic for the server.
        for depth in (1..=leaf.0.len()).rev() {
            let path = LeafPath(leaf.0[..depth].to_vec());
            paths.push((path.to_string(), path));
        }
    }
    causes
        .iter()
        // Ours by a patch, as the undo of an earlier version left it, is nobody's.
        .filter(|cause| cause.manager != MANAGER)
        .map(|cause| {
            let path = paths
                .iter()
                .find(|(shown, _)| *shown == cause.field)
                .map(|(_, path)| path);
            let value = |of: &Value| path.and_then(|path| Some(mask::leaf(path, path.get(of)?)));
            Conflict {
                manager: cause.manager.clone(),
                field: cause.field.clone(),
                theirs: live.and_then(value),
                ours: value(intent),
                hands: hands(&cause.manager),
            }
        })
        .collect()
}

/// Of a JSON Patch, which the server never holds against anybody: from the object's managed fields.
pub(super) fn of_edit(live: &Value, edits: &[LeafEdit]) -> Vec<Conflict> {
    let owners = Owners::of_object(live);
    let mut out = Vec::new();
    for edit in edits {
        let theirs = edit.path.get(live);
        if theirs.is_none() || theirs == edit.to.as_ref() {
            continue;
        }
        for manager in owners.others(&edit.path) {
            out.push(Conflict {
                hands: hands(&manager),
                manager,
                field: edit.path.to_string(),
                theirs: theirs.map(|value| mask::leaf(&edit.path, value)),
                ours: edit.to.as_ref().map(|value| mask::leaf(&edit.path, value)),
            });
        }
    }
    out
}

/// Of text in a ConfigMap: the key's owners; the text itself is too long, and may hold credentials.
pub(super) fn of_text(live: &Value, path: &LeafPath) -> Vec<Conflict> {
    Owners::of_object(live)
        .others(path)
        .into_iter()
        .map(|manager| Conflict {
            hands: hands(&manager),
            manager,
            field: path.to_string(),
            theirs: None,
            ours: None,
        })
        .collect()
}

/// Of a delete: controllers that would make the object again.
pub(super) fn of_delete(live: &Value) -> Vec<Conflict> {
    let mut managers: Vec<String> = Owners::of_object(live)
        .iter()
        .filter(|owner| owner.manager != MANAGER && hands(&owner.manager) == Hands::Controller)
        // Who only wrote a label or an annotation does not bring the object back.
        .filter(|owner| owner.leaves.iter().any(|leaf| !in_metadata(leaf)))
        .map(|owner| owner.manager.clone())
        .collect();
    managers.sort_unstable();
    managers.dedup();
    managers
        .into_iter()
        .map(|manager| Conflict {
            manager,
            field: say::WHOLE_OBJECT.into(),
            theirs: None,
            ours: None,
            hands: Hands::Controller,
        })
        .collect()
}

fn in_metadata(leaf: &LeafPath) -> bool {
    matches!(leaf.0.first(), Some(Step::Field(field)) if field == "metadata" || field == "status")
}
