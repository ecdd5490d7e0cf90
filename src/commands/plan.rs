//! `meshscrape plan`: what would be changed, dry-run on the server.

use super::{Call, exit, flow, json, words, written};
use crate::error::Result;

pub async fn run(mut call: Call<'_>, json: bool, yaml: bool) -> Result<u8> {
    let mut opened = flow::open(&call).await?;
    let (review, contact) = flow::reviewed(&mut opened).await?;
    flow::known_skips(&call, &review)?;
    flow::note_takes(&mut call, &opened, &review);
    let text = if json {
        let mut value = json::review(&review);
        value["prometheus"] = json::contact(&contact);
        format!("{value:#}\n")
    } else if yaml {
        crate::plan::yaml::export(&review)
    } else {
        words::review(&review) + &words::contact(&contact)
    };
    written(call.out.write_all(text.as_bytes()))?;
    if let Some(stopped) = flow::stopped(&review) {
        return Err(stopped);
    }
    Ok(if review.counts().changes == 0 {
        exit::WELL
    } else {
        exit::CHANGES
    })
}
