//! The simulated API server against transcripts of a real one: the same requests, the same answers.
//!
//! `MESHSCRAPE_RECORD=1 cargo test --test all transcripts::record -- --ignored` writes them anew from the
//! cluster of the current kubeconfig.

use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const REQUESTS: &str = include_str!("../transcripts/requests.yaml");
const ANSWERS: &str = include_str!("../transcripts/answers.json");

#[derive(Deserialize)]
struct Request {
    name: String,
    method: String,
    path: String,
    r#type: Option<String>,
    #[serde(default)]
    body: Value,
    look: Vec<String>,
    #[serde(default)]
    keep: BTreeMap<String, String>,
}

/// Plays every request; what was looked at, by the request's name.
async fn play(client: kube::Client) -> Map<String, Value> {
    let requests: Vec<Request> = serde_yaml::from_str(REQUESTS).unwrap();
    let mut kept: BTreeMap<String, String> = BTreeMap::new();
    let mut answers = Map::new();
    for request in requests {
        let fill = |text: String| {
            kept.iter().fold(text, |text, (name, value)| {
                text.replace(&format!("${{{name}}}"), value)
            })
        };
        let body = if request.body.is_null() {
            Vec::new()
        } else {
            fill(request.body.to_string()).into_bytes()
        };
        let kind = match (&request.r#type, request.method.as_str()) {
            (Some(kind), _) => kind,
            (None, "PATCH") => "application/apply-patch+yaml",
            _ => "application/json",
        };
        let sent = http::Request::builder()
            .method(request.method.as_str())
            .uri(fill(request.path))
            .header("Content-Type", kind)
            .header("Accept", "application/json")
            .body(kube::client::Body::from(body))
            .unwrap();
        let response = client.send(sent).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let answer: Value = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        for (name, pointer) in request.keep {
            let value = answer.pointer(&pointer).and_then(Value::as_str).unwrap();
            kept.insert(name, value.to_owned());
        }
        let mut looked = Map::from_iter([("status".to_owned(), json!(status))]);
        for pointer in request.look {
            let value = answer.pointer(&pointer).cloned().unwrap_or(Value::Null);
            looked.insert(pointer, steady(value));
        }
        answers.insert(request.name, Value::Object(looked));
    }
    answers
}

/// Without what differs from one server and moment to the next.
fn steady(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(key, _)| !matches!(key.as_str(), "time" | "uid" | "resourceVersion"))
            .map(|(key, value)| (key, steady(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(steady).collect();
            // Causes of a conflict, and managers, come in no order that is promised.
            if items
                .iter()
                .any(|item| item.get("reason").is_some() || item.get("manager").is_some())
            {
                items.sort_by_key(Value::to_string);
            }
            items.into()
        }
        other => other,
    }
}

#[tokio::test]
async fn the_simulated_api_server_answers_as_the_recorded_one() {
    let simulation = meshscrape::demo::Simulation::builtin();
    simulation.quick();
    let recorded: Map<String, Value> = serde_json::from_str(ANSWERS).unwrap();
    let simulated = play(simulation.client()).await;
    let differing: Vec<String> = recorded
        .iter()
        .filter(|(name, answer)| simulated.get(*name) != Some(answer))
        .map(|(name, answer)| {
            let got = simulated.get(name).cloned().unwrap_or_default();
            format!("{name}\n  recorded:  {answer}\n  simulated: {got}")
        })
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert_eq!(recorded.len(), simulated.len());
}

#[tokio::test]
#[ignore = "needs a real API server; writes the transcripts"]
async fn record() {
    let config = kube::Config::infer().await.unwrap();
    let client = meshscrape::cluster::tls::client_for_ca_certificates(&config).unwrap();
    let answers = play(client).await;
    let old: Map<String, Value> = serde_json::from_str(ANSWERS).unwrap_or_default();
    for (name, answer) in &answers {
        if old.get(name) != Some(answer) {
            eprintln!("differs: {name}");
        }
    }
    if std::env::var_os("MESHSCRAPE_RECORD").is_some() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/transcripts/answers.json"
        );
        let text = serde_json::to_string_pretty(&answers).unwrap() + "\n";
        std::fs::write(file, text).unwrap();
    }
}
