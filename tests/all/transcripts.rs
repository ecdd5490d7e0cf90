//! The simulated API server against transcripts of a real one: the same requests, the same answers.
//! tests/mesh holds the transcripts against a real API server, and records them anew.

#[path = "../transcripts/play.rs"]
#[allow(dead_code)] // the other suite uses the rest
mod play;

use play::{differences, play, recorded};
use serde_json::json;

#[tokio::test]
async fn the_simulated_api_server_answers_as_the_recorded_one() {
    let simulation = meshscrape::demo::Simulation::builtin();
    simulation.quick();
    let recorded = recorded();
    let simulated = play(simulation.client()).await;
    assert!(!recorded.is_empty());
    let differing: Vec<String> = recorded
        .keys()
        .chain(simulated.keys())
        .flat_map(|name| {
            let all = differences(recorded.get(name), simulated.get(name));
            all.into_iter().map(move |what| format!("{name}: {what}"))
        })
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn a_difference_names_its_place_and_both_answers() {
    let then = json!({"status": 200, "/data": {"one": "1"}});
    let now = json!({"status": 200, "/data": {"one": "2"}});
    assert!(differences(Some(&then), Some(&then)).is_empty());
    let told = differences(Some(&then), Some(&now));
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("/data\n"), "{told:?}");
    assert!(told[0].contains(r#"{"one":"1"}"#) && told[0].contains(r#"{"one":"2"}"#));
    assert_eq!(differences(None, Some(&now)), ["it was not recorded"]);
    assert_eq!(differences(Some(&now), None), ["it is asked no more"]);
}
