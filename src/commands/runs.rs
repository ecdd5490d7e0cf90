//! `meshscrape undo --list`: the runs that there are, here and in the cluster.

use super::flow;
use super::{Call, exit, written};
use crate::engine::identity::{Made, identity};
use crate::engine::runs::{self, Known};
use crate::error::Result;
use crate::text;
use crate::words::say::commands::runs as say;
use jiff::tz::TimeZone;
use serde_json::json;

pub async fn run(mut call: Call<'_>, json: bool) -> Result<u8> {
    let (runs, cluster) = match flow::open(&call).await {
        Ok(opened) => {
            let (runs, words) = runs::known(&opened.session, &opened.mesh.homes()).await?;
            call.note(&words);
            (runs, identity(&opened.session).await.ok())
        }
        // What this machine knows needs no cluster.
        Err(error) => {
            let context = call.choices.context.as_deref();
            let (runs, mut words) = runs::of_machine(&call.world.journals(context)?)?;
            let why = std::iter::once(&error.what)
                .chain(&error.causes)
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(": ");
            words.push(match context {
                Some(context) => say::records_not_listed_of(&why, context),
                None => say::records_not_listed(&why),
            });
            call.note(&words);
            (runs, None)
        }
    };
    let text = match json {
        true => as_json(&runs, cluster.as_deref()),
        false => table(&runs, cluster.as_deref()),
    };
    written(call.out.write_all(text.as_bytes()))?;
    Ok(exit::WELL)
}

fn how(run: &Known) -> &str {
    match run.note.how.as_deref() {
        Some("whole") => say::WHOLE,
        Some("undone") => say::UNDONE,
        Some("partWay") => say::INTERRUPTED,
        Some(other) => other,
        None => say::INTERRUPTED_OR_RUNNING,
    }
}

fn table(runs: &[Known], cluster: Option<&str>) -> String {
    use std::fmt::Write;
    if runs.is_empty() {
        return format!("{}\n", say::NO_RUNS);
    }
    let mut out = String::new();
    for run in runs {
        let at = run.note.at.to_zoned(TimeZone::system());
        let place = match (run.here, run.in_cluster) {
            (true, true) => say::HERE_AND_IN_CLUSTER,
            (true, false) => say::HERE,
            _ => say::IN_CLUSTER,
        };
        let what = match &run.note.undoes {
            Some(undone) => say::undo_of(undone, how(run)),
            None => how(run).to_owned(),
        };
        let place = match run.made(cluster) {
            _ if cluster.is_none() => say::of_context(place, &run.note.context),
            Made::Elsewhere => say::of_another_cluster(place),
            Made::Here | Made::Unknown => place.to_owned(),
        };
        let by = run.note.by.as_deref().unwrap_or("");
        let line = format!(
            "{}  {}  {what}  ({place})  {by}",
            run.note.run,
            at.strftime("%Y-%m-%d %H:%M:%S")
        );
        let _ = writeln!(out, "{}", text::line(line.trim_end()));
    }
    out
}

fn as_json(runs: &[Known], cluster: Option<&str>) -> String {
    let runs: Vec<_> = runs
        .iter()
        .map(|run| {
            let this = match run.made(cluster) {
                Made::Here => Some(true),
                Made::Elsewhere => Some(false),
                Made::Unknown => None,
            };
            json!({
                "run": run.note.run, "at": run.note.at, "context": run.note.context,
                "cluster": run.note.cluster, "thisCluster": this,
                "ended": run.note.how, "undoes": run.note.undoes, "by": run.note.by,
                "here": run.here, "inCluster": run.in_cluster,
            })
        })
        .collect();
    format!(
        "{}\n",
        json!({"version": super::json::VERSION, "runs": runs})
    )
}
