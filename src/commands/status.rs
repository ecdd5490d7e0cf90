//! `meshscrape status`: one look at every target.

use super::{Call, exit, flow, json, words, written};
use crate::engine::watch::Watch;
use crate::error::{Error, Result};
use crate::recipe;
use std::time::Duration;
use tokio::time::Instant;

pub async fn run(call: Call<'_>, json: bool) -> Result<u8> {
    let opened = flow::open(&call).await?;
    let answers = if opened.answers.chooses_something() {
        opened.answers.clone()
    } else {
        flow::secured(&opened.mesh, &opened.answers)
    };
    if !answers.chooses_something() {
        return Err(Error::new("nothing is secured yet")
            .cause("no workload or gateway carries the secure port, and none was named")
            .hint("see what can be done with: meshscrape plan -n NAMESPACE"));
    }
    let selection = recipe::select(&opened.mesh, &answers)?;
    let watched = flow::watched(&selection, &answers);
    let mut watch = Watch::new(
        &opened.session,
        selection.prometheus.clone(),
        watched,
        !call.choices.no_probe,
    );
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
    let all_up = board.counts.all() > 0 && board.counts.up == board.counts.all();
    let checked = call.choices.no_probe || board.counts.secured == board.counts.all();
    Ok(if all_up && checked {
        exit::WELL
    } else {
        exit::NOT_ALL
    })
}
