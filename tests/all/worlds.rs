//! Small clusters told in YAML, each odd in one way, run through the whole program over the demo's API.
//!
//! A world is the objects of `base.yaml` with its own laid over them: one of the same kind, namespace and name
//! replaces. What the program says of it and would write is asserted by code and object.

mod annotated;
mod asked;
mod check;
mod clusters;
mod entering;
mod escapes;
mod exports;
mod gateways;
mod guards;
mod identity;
mod jobs;
mod late;
mod locks;
mod merged;
mod operator;
mod others;
mod plaintext;
mod ports;
mod prometheus;
mod reached;
mod readers;
mod released;
mod rights;
mod secrets;

use crate::called::{Called, Over, call};
use meshscrape::cluster::Cluster;
use meshscrape::demo::Simulation;
use meshscrape::engine::session::{Clock, Session};
use meshscrape::journal::MemoryJournal;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

const BASE: &str = include_str!("worlds/base.yaml");

/// One small cluster, and a user before it.
pub struct World {
    pub simulation: Simulation,
    pub session: Session,
}

impl World {
    /// The base with these YAML documents laid over it.
    ///
    /// # Panics
    /// The text is no YAML, or holds what the demo does not simulate.
    pub fn of(own: &str) -> World {
        let mut documents = documents(BASE);
        for object in documents_of(own) {
            match documents.iter_mut().find(|old| key(old) == key(&object)) {
                Some(old) => *old = object,
                None => documents.push(object),
            }
        }
        // A file may leave out the namespaces that it names.
        let namespaces: BTreeSet<&str> = documents
            .iter()
            .filter_map(|object| object["metadata"]["namespace"].as_str())
            .collect();
        let made: Vec<Value> = namespaces
            .into_iter()
            .map(
                |name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
            )
            .filter(|made| documents.iter().all(|old| key(old) != key(made)))
            .collect();
        documents.splice(0..0, made);
        let text = |object: &Value| meshscrape::text::json(&object.to_string()).into_owned();
        let texts: Vec<String> = documents.iter().map(text).collect();
        let simulation = Simulation::from_scenario(&texts.join("\n---\n"))
            .unwrap_or_else(|why| panic!("the world: {why}"));
        simulation.quick();
        let session = Session {
            cluster: Cluster::new(simulation.client(), "demo"),
            journal: Arc::new(MemoryJournal::new()),
            clock: Clock::default(),
            who: meshscrape::engine::session::here(),
        };
        World {
            simulation,
            session,
        }
    }

    /// Calls the program with these arguments, as its `main` does.
    pub async fn call(&self, args: &str) -> Called {
        let args = format!("meshscrape {args}");
        call(&Over(self.session.clone()), &args).await
    }

    /// `plan … --json` as JSON.
    pub async fn plan(&self, args: &str) -> Value {
        let called = self.call(&format!("plan --json {args}")).await;
        serde_json::from_str(&called.out).unwrap_or_else(|why| {
            panic!("{why}: {}\n{}\n{:?}", called.out, called.err, called.ended)
        })
    }
}

fn documents(text: &str) -> Vec<Value> {
    documents_of(text).collect()
}

fn documents_of(text: &str) -> impl Iterator<Item = Value> {
    serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).expect("YAML"))
        .filter(|value| !value.is_null())
}

fn key(object: &Value) -> [String; 4] {
    [
        "/apiVersion",
        "/kind",
        "/metadata/namespace",
        "/metadata/name",
    ]
    .map(|path| {
        let part = object.pointer(path).and_then(Value::as_str);
        part.unwrap_or_default().to_owned()
    })
}

/// `WORLD=file.yaml ARGS='plan -n shop;apply -n shop --yes' cargo test --test all -- --ignored --nocapture try_a_world`
/// calls the program over the world of any file, command by command, and prints what it said.
#[tokio::test(start_paused = true)]
#[ignore = "a tool: names its world in the environment"]
async fn try_a_world() {
    let file = std::env::var("WORLD").expect("WORLD names a YAML file");
    let args = std::env::var("ARGS").expect("ARGS are the program's arguments");
    let world = World::of(&std::fs::read_to_string(file).expect("the file"));
    for args in args.split(';') {
        let (code, words) = world.call(args.trim()).await.told();
        eprintln!("$ meshscrape {args}\n{words}\nexit {code}\n");
    }
}

#[tokio::test(start_paused = true)]
async fn the_base_is_a_cluster_that_can_be_secured() {
    let world = World::of(WEB);
    let plan = world.plan("-w shop/Deployment/web").await;
    assert!(!plan["changes"].as_array().unwrap().is_empty(), "{plan}");
    let (code, words) = world
        .call("apply -w shop/Deployment/web --yes")
        .await
        .told();
    assert_eq!(code, 0, "{words}");
    let ours = world.simulation.objects("Sidecar", "shop");
    assert_eq!(ours.len(), 1, "{ours:?}");
}

/// A workload in the mesh that is scraped by its annotation.
pub const WEB: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {prometheus.io/scrape: "true", prometheus.io/port: "8080"}}
    spec:
      containers: [{name: web, image: "example.org/web:1", ports: [{name: http, containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"#;
