//! `meshscrape export`: the plan as a folder, for Git, Helm or a shell.

use super::{Call, exit, flow, json, written};
use crate::engine;
use crate::engine::folder;
use crate::error::{Error, Result};
use crate::plan::export::{Export, README, SCRIPT, export};
use crate::plan::review::{Review, RunId};
use crate::recipe;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

pub async fn run(call: Call<'_>, folder: &Path, overwrite: bool, json: bool) -> Result<u8> {
    let opened = flow::open(&call).await?;
    flow::chosen(&opened)?;
    let (plan, setup) = recipe::for_export(&opened.mesh, &opened.answers)?;
    let run = RunId::new(opened.session.clock.now());
    let mut review = Review::new(opened.mesh.context.clone(), run, plan);
    for manager in &opened.answers.take {
        review.take(manager.clone());
    }
    for id in &opened.answers.leave_out {
        review.toggle(&crate::plan::ChangeId(id.clone()));
    }
    let review = engine::review::review(&opened.session.cluster, review, &|_| {}).await;
    let export = export(&review, &setup);
    if export.files.is_empty() {
        nothing_usable(&export)?;
    } else {
        write(&export, folder, overwrite)?;
    }
    let text = match json {
        true => format!("{:#}\n", as_json(&export, folder)),
        false => told(&export, folder),
    };
    written(call.out.write_all(text.as_bytes()))?;
    Ok(exit::WELL)
}

/// Writes the folder.
///
/// # Errors
/// See [`folder::write`].
pub fn write(export: &Export, folder: &Path, overwrite: bool) -> Result<()> {
    let files: Vec<folder::Entry> = export
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.text.as_str(), file.executable))
        .collect();
    folder::write(folder, &files, overwrite)
}

/// # Errors
/// There are changes, and none of them could be put into a file.
fn nothing_usable(export: &Export) -> Result<()> {
    if export.left_out.is_empty() {
        return Ok(());
    }
    let mut error = Error::refused("nothing was exported: no change can be made as it is");
    for (id, why) in &export.left_out {
        error = error.cause(format!("{id}: {why}"));
    }
    Err(error)
}

/// What was written, in words.
pub fn told(export: &Export, folder: &Path) -> String {
    if export.files.is_empty() {
        return "Nothing to change, so nothing was written.\n".into();
    }
    let mut out = format!(
        "{} files written to {}; begin with {README}.\n",
        export.files.len(),
        folder.display()
    );
    if export.by_script > 0 {
        let _ = writeln!(out, "{} changes are made by {SCRIPT}.", export.by_script);
    }
    for (words, list) in [
        ("for its owner", &export.by_owner),
        ("in no file", &export.left_out),
    ] {
        for (id, why) in list {
            let _ = writeln!(out, "  {words}: {id}: {why}");
        }
    }
    crate::text::clean(&out).into_owned()
}

fn as_json(export: &Export, folder: &Path) -> serde_json::Value {
    let list = |list: &[(crate::plan::ChangeId, String)]| -> Vec<serde_json::Value> {
        list.iter()
            .map(|(id, why)| json!({"id": id, "why": why}))
            .collect()
    };
    json!({
        "version": json::VERSION,
        "folder": folder.display().to_string(),
        "files": export.files.iter().map(|file| &file.path).collect::<Vec<_>>(),
        "byScript": export.by_script,
        "byOwner": list(&export.by_owner),
        "leftOut": list(&export.left_out),
    })
}
