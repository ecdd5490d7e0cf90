//! Requests and what an API server answers to them, in the parts that the simulated one has to give as well.

use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const REQUESTS: &str = include_str!("requests.yaml");
const ANSWERS: &str = include_str!("answers.json");
/// Made and taken away by the requests themselves.
pub const NAMESPACE: &str = "meshscrape-transcript";

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
pub async fn play(client: kube::Client) -> Map<String, Value> {
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

/// The answers as they were recorded, by the request's name.
pub fn recorded() -> Map<String, Value> {
    serde_json::from_str(ANSWERS).unwrap_or_default()
}

/// What differs of one request: each place that was looked at, with both answers.
pub fn differences(recorded: Option<&Value>, answer: Option<&Value>) -> Vec<String> {
    let fields = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
    let (Some(then), Some(now)) = (fields(recorded), fields(answer)) else {
        return match (recorded, answer) {
            (None, Some(_)) => vec!["it was not recorded".into()],
            (Some(_), None) => vec!["it is asked no more".into()],
            _ => Vec::new(),
        };
    };
    let places: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let differ = places
        .into_iter()
        .filter(|at| then.get(*at) != now.get(*at));
    let text = |value: Option<&Value>| value.map_or("absent".into(), Value::to_string);
    differ
        .map(|at| {
            let (then, now) = (text(then.get(at)), text(now.get(at)));
            format!("{at}\n  recorded {then}\n  now      {now}")
        })
        .collect()
}
