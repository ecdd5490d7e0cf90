//! The transcripts that keep the simulated API server honest, held against a real one.
//! With MESHSCRAPE_RECORD set they are written anew, after what differs was shown.

#[path = "../transcripts/play.rs"]
mod play;

use crate::report::{Checks, Stop};
use crate::shell::kubectl;
use play::{NAMESPACE, differences, play, recorded};
use serde_json::{Map, Value};

pub const NAME: &str = "transcripts";

pub fn run(checks: &mut Checks) -> Result<(), Stop> {
    let mut answers = Map::new();
    checks.must("the requests are played", || {
        // An earlier run may have broken off in the middle.
        kubectl(&["delete", "namespace", NAMESPACE, "--ignore-not-found"])?;
        answers = played()?;
        Ok(format!("{} requests", answers.len()))
    })?;
    let recorded = recorded();
    let gone = recorded.keys().filter(|name| !answers.contains_key(*name));
    for name in answers.keys().chain(gone) {
        checks.add(name, || {
            let all = differences(recorded.get(name), answers.get(name));
            match all.is_empty() {
                true => Ok("as recorded".into()),
                false => Err(all.join("\n")),
            }
        });
    }
    if std::env::var_os("MESHSCRAPE_RECORD").is_some() {
        checks.add("the answers are recorded", || record(&answers));
    }
    Ok(())
}

fn played() -> Result<Map<String, Value>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let config = kube::Config::infer().await.map_err(|e| e.to_string())?;
        let client =
            meshscrape::cluster::transport::client(&config).map_err(|error| error.to_string())?;
        Ok(play(client).await)
    })
}

fn record(answers: &Map<String, Value>) -> Result<String, String> {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/transcripts/answers.json"
    );
    let text = serde_json::to_string_pretty(answers).map_err(|error| error.to_string())?;
    std::fs::write(file, text + "\n").map_err(|error| format!("{file}: {error}"))?;
    Ok(file.into())
}
