//! `meshscrape status`: one look at every target.

use super::{Call, exit, flow, json, words, written};
use crate::engine::contact::contact;
use crate::engine::watch::{Beside, Watch, follow};
use crate::error::Result;
use crate::recipe;
use crate::targets::Board;
use crate::words::say::commands as say;
use std::time::Duration;
use tokio::time::Instant;

pub async fn run(mut call: Call<'_>, json: bool) -> Result<u8> {
    let opened = flow::open(&call).await?;
    let (mesh, answers) = (&opened.mesh, &opened.answers);
    if answers.chooses_something() {
        // Names are checked as everywhere; what cannot be secured is shown all the same.
        recipe::select(mesh, answers)
            .map(drop)
            .or_else(|error| match error.kind {
                _ if follow::watched(mesh, answers).is_empty() => Err(error),
                _ => Ok(()),
            })?;
    }
    let watched = follow::watched(mesh, answers);
    if watched.is_empty() {
        let demo = if call.choices.demo { " --demo" } else { "" };
        let command = format!("meshscrape plan{demo} -n NAMESPACE");
        let words = format!("{}\n{}\n", say::NO_TARGETS, say::see_plan(&command));
        let text = if json {
            format!("{:#}\n", json::board(&Board::default()))
        } else {
            words
        };
        written(call.out.write_all(text.as_bytes()))?;
        return Ok(exit::NOT_ALL);
    }
    let prometheus = follow::prometheus(mesh, answers)?;
    let beside = Beside {
        others: follow::others(mesh, answers, &watched),
        ..Beside::default()
    };
    if opened.session.cluster.prometheus.is_some() {
        let contact = contact(&opened.session, &prometheus).await;
        call.note(&words::behind(&contact));
    }
    let ground = follow::ground(mesh, &prometheus);
    let probe = !call.choices.no_probe;
    let watch = Watch::new(&opened.session, prometheus, watched, probe);
    let mut watch = watch.on(ground).beside(beside);
    let mut board = watch.look().await;
    // With `--timeout` a command waits as long for what is only not yet so.
    if let Some(timeout) = call.choices.timeout
        && board.counts.waiting > 0
    {
        let deadline = Instant::now() + timeout;
        board = watch
            .until(Duration::from_secs(2), deadline, &|_| {}, |board| {
                board.counts.waiting == 0
            })
            .await;
    }
    let text = if json {
        format!("{:#}\n", json::board(&board))
    } else {
        words::board(&board)
    };
    written(call.out.write_all(text.as_bytes()))?;
    let counts = board.counts;
    let all_up = counts.all() > 0 && counts.up == counts.all() && counts.unguarded == 0;
    let checked = call.choices.no_probe || counts.refused == counts.all();
    Ok(if all_up && checked {
        exit::WELL
    } else {
        exit::NOT_ALL
    })
}
