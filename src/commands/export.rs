//! `meshscrape export`: the plan as a folder, for Git, Helm or a shell.

use super::{Call, exit, flow, json, written};
use crate::engine;
use crate::engine::folder;
use crate::error::Result;
use crate::plan::export::{Export, export};
use crate::plan::review::{Review, RunId};
use crate::recipe;
use serde_json::json;
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
        review.toggle(id);
    }
    let review = engine::review::review(&opened.session.cluster, review, &|_| {}).await;
    let export = export(&review, &setup);
    export.usable()?;
    folder::put(&export, folder, overwrite)?;
    let text = match json {
        true => format!("{:#}\n", as_json(&export, folder)),
        false => format!(
            "{}\n",
            export.words(&folder.display().to_string()).join("\n")
        ),
    };
    written(call.out.write_all(text.as_bytes()))?;
    Ok(exit::WELL)
}

fn as_json(export: &Export, folder: &Path) -> serde_json::Value {
    let list = |list: &[(crate::plan::ChangeId, String)]| -> Vec<serde_json::Value> {
        list.iter()
            .map(|(id, why)| json!({"id": id, "message": why}))
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
