//! What `apply --json` and `undo --json` print, line by line.

use crate::called::call;
use meshscrape::commands::events;
use meshscrape::demo::Simulation;
use meshscrape::world::Demo;
use serde_json::Value;
use std::collections::BTreeSet;

async fn lines(line: &str) -> Vec<Value> {
    let simulation = Simulation::builtin();
    simulation.quick();
    let world = Demo::new(simulation, false);
    // Without a yes it ends with an error, which goes elsewhere.
    let text = call(&world, line).await.out;
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn each_line_is_an_event_that_the_help_names_and_the_first_names_the_run() {
    let mut seen = BTreeSet::new();
    for (line, first, last) in [
        (
            "meshscrape apply --demo --yes --lose-history -w default/Deployment/httpbin --json",
            "began",
            "finished",
        ),
        (
            "meshscrape undo --demo --yes --reopen -w returns/Deployment/returns-api --json",
            "began",
            "finished",
        ),
        (
            "meshscrape apply --demo -w default/Deployment/httpbin --json",
            "review",
            "review",
        ),
    ] {
        let told = lines(line).await;
        assert_eq!(told[0]["event"], first, "{line}");
        assert_eq!(told.last().unwrap()["event"], last, "{line}");
        let ends: Vec<&Value> = told
            .iter()
            .filter(|event| event["event"] == "finished")
            .map(|event| &event["run"])
            .collect();
        let begins: Vec<&Value> = told
            .iter()
            .filter(|event| event["event"] == "began")
            .map(|event| &event["run"])
            .collect();
        assert_eq!(begins, ends, "{line}");
        for event in told {
            assert_eq!(event["version"], 2);
            seen.insert(event["event"].as_str().unwrap().to_owned());
        }
    }
    let told: Vec<&str> = seen.iter().map(String::as_str).collect();
    assert_eq!(
        told,
        [
            "began", "finished", "log", "note", "review", "step", "targets"
        ]
    );
    for name in told {
        let named = events::HELP
            .lines()
            .any(|line| line.starts_with(&format!("  {name} ")));
        assert!(named, "{name}");
    }
}

/// In the demo too, what is found is found in the cluster as the apply left it.
#[tokio::test(start_paused = true)]
async fn an_undo_without_a_record_finds_all_that_an_undo_by_its_record_takes_back() {
    let mut changes = Vec::new();
    for way in ["", " --without-record"] {
        let told = lines(&format!("meshscrape undo --demo{way} --yes --json")).await;
        let mut began = told.iter().filter(|event| event["event"] == "began");
        let ids = &began.next_back().unwrap()["changes"];
        let parts: BTreeSet<String> = ids
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_str().unwrap())
            // The record itself is named after the run.
            .filter(|id| !id.contains("meshscrape-run-"))
            .map(str::to_owned)
            .collect();
        changes.push(parts);
    }
    assert!(!changes[0].is_empty());
    assert_eq!(changes[0], changes[1]);
}
