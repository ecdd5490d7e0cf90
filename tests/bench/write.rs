//! The dry run and the writes of many workloads beside the bare requests: the same dry runs and the same writes, sent
//! by a plain loop. Both in the same run, each on a namespace of its own in the cluster of KUBECONFIG, where Istio and
//! its sample Prometheus stand. The workloads have no replicas, so that there are no rollouts and no targets.
//!
//! `WORKLOADS=200` says how many. Namespaces `meshscrape-bench-ours` and `-bare` are made, and taken away at the end.

use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Request};
use http_body_util::BodyExt;
use kube::client::Body;
use meshscrape::answers::{Answers, Pace};
use meshscrape::cluster::connect::{ConnectOptions, connect};
use meshscrape::engine::apply::{ApplyOptions, Control, apply};
use meshscrape::engine::discover::discover;
use meshscrape::engine::event::Ended;
use meshscrape::engine::review::review;
use meshscrape::engine::session::{Clock, Session, here};
use meshscrape::journal::FileJournal;
use meshscrape::mesh::Mesh;
use meshscrape::plan::review::{Review, Reviewed, RunId, Word};
use meshscrape::plan::{Action, Await, Plan, keeping};
use meshscrape::recipe;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

const OURS: &str = "meshscrape-bench-ours";
const PROMETHEUS: &str = "istio-system/Deployment/prometheus";
const BARE: &str = "meshscrape-bench-bare";
/// As many at once as the review asks.
const AT_ONCE: usize = 8;

pub fn run() {
    let many = std::env::var("WORKLOADS")
        .ok()
        .and_then(|words| words.parse().ok())
        .unwrap_or(200);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // As the program has them.
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("threads");
    runtime.block_on(measure(many));
}

async fn measure(many: usize) {
    let cluster = connect(&ConnectOptions::default())
        .await
        .expect("a cluster");
    let client = cluster.client().clone();
    for namespace in [OURS, BARE] {
        fill(&client, namespace, many).await;
    }
    let mesh = discover(cluster.clone(), |_| {}).await;
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.expect("a folder");
    let session = Session {
        cluster: cluster.clone(),
        journal: Arc::new(FileJournal::at(folder.path().join("bench"))),
        clock: Clock::default(),
        who: here(),
    };

    let ours = asked(&session, &mesh, OURS);
    let began = Instant::now();
    let reviewed = review(&cluster, ours, &|_| {}).await;
    let ours_dry = began.elapsed().as_secs_f64();

    let bare = review(&cluster, asked(&session, &mesh, BARE), &|_| {}).await;
    let dry: Vec<Sent> = requests(&bare, true);
    let began = Instant::now();
    let all = futures::stream::iter(&dry).map(|sent| send(&client, sent));
    all.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    let bare_dry = began.elapsed().as_secs_f64();

    let writes: Vec<Sent> = requests(&bare, false);
    let began = Instant::now();
    for sent in &writes {
        send(&client, sent).await;
    }
    let bare_write = began.elapsed().as_secs_f64();

    let approved = reviewed.approve(Word { lose_history: true });
    let approved = approved.expect("it can be approved");
    let changes = approved.changes().len();
    let options = ApplyOptions {
        pace: Pace::All,
        probe: false,
        ..ApplyOptions::default()
    };
    let target = PROMETHEUS.parse().ok().and_then(|id| mesh.prometheus(&id));
    let target = target.cloned().expect("Istio's sample Prometheus");
    let (_steering, control) = Control::alone();
    let began = Instant::now();
    let outcome = apply(
        &session,
        approved,
        target,
        Vec::new(),
        &options,
        control,
        &|_| {},
    )
    .await;
    let ours_write = began.elapsed().as_secs_f64();
    assert_eq!(outcome.ended, Ended::Whole, "{outcome:?}");
    assert!(outcome.not_written.is_empty(), "{outcome:?}");

    for namespace in [OURS, BARE] {
        let path = format!("/api/v1/namespaces/{namespace}");
        send(&client, &Sent::new(Method::DELETE, path, "", Value::Null)).await;
    }
    println!(
        "{many} workloads, {changes} changes: dry run {ours_dry:.2} s, bare {bare_dry:.2} s ({} requests): {:.2} times; \
         write {ours_write:.2} s, bare {bare_write:.2} s ({} requests): {:.2} times; together {:.2} times (wanted: at most 1.2)",
        dry.len(),
        ours_dry / bare_dry,
        writes.len(),
        ours_write / bare_write,
        (ours_dry + ours_write) / (bare_dry + bare_write),
    );
}

/// The plan of one namespace's workloads alone, without rollouts and other waits; policies are still read back.
fn asked(session: &Session, mesh: &Mesh, namespace: &str) -> Review {
    let here = mesh
        .workloads
        .iter()
        .filter(|w| w.id.namespace == namespace);
    let answers = Answers {
        workloads: here.map(|workload| workload.id.clone()).collect(),
        prometheus: PROMETHEUS.parse().ok(),
        ..Answers::default()
    };
    let whole = recipe::plan(mesh, &answers).expect("a plan");
    let mut plan = Plan {
        home: Some(namespace.to_owned()),
        ..Plan::default()
    };
    plan.changes = whole
        .changes
        .into_iter()
        .filter(|c| c.item.is_some())
        .collect();
    let ids: BTreeSet<_> = plan
        .changes
        .iter()
        .map(|change| change.id.clone())
        .collect();
    for change in &mut plan.changes {
        change.needs.retain(|need| ids.contains(need));
        change.before.clear();
        change.then.retain(|what| matches!(what, Await::ReadBack));
    }
    let run = RunId::new(session.clock.now());
    keeping::keep(&mut plan, &run.0, &session.who);
    Review::new(session.cluster.context.clone(), run, plan)
}

/// One bare request.
struct Sent {
    method: Method,
    uri: String,
    content: &'static str,
    body: Bytes,
}

impl Sent {
    fn new(method: Method, uri: String, content: &'static str, body: Value) -> Sent {
        let body = match body {
            Value::Null => Bytes::new(),
            body => Bytes::from(body.to_string()),
        };
        Sent {
            method,
            uri,
            content,
            body,
        }
    }
}

async fn send(client: &kube::Client, sent: &Sent) {
    let request = Request::builder()
        .method(sent.method.clone())
        .uri(&sent.uri)
        .header("Content-Type", sent.content)
        .body(Body::from(sent.body.to_vec()))
        .expect("a request");
    let answer = client.send(request).await.expect("an answer");
    let status = answer.status();
    let body = answer
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    let words = String::from_utf8_lossy(&body);
    assert!(status.is_success(), "{} {}: {words}", sent.method, sent.uri);
}

/// The dry runs, with a Pod of each new template; or the writes.
fn requests(review: &Review, dry: bool) -> Vec<Sent> {
    let items = review
        .plan
        .changes
        .iter()
        .filter_map(|change| review.items.get(&change.id));
    let of_items = items.filter(|item| item.change.item.is_some());
    of_items.flat_map(|item| of(item, dry)).collect()
}

fn of(item: &Reviewed, dry: bool) -> Vec<Sent> {
    let object = &item.change.object;
    let Action::Apply { intent } = &item.change.action else {
        panic!("{object} is no apply");
    };
    let force = !item.conflicts.is_empty();
    let query = format!(
        "fieldManager=meshscrape{}{}",
        if dry { "&dryRun=All" } else { "" },
        if force { "&force=true" } else { "" }
    );
    let uri = format!("{}?{query}", object.path());
    let intent = item.intent.as_ref().unwrap_or(intent).clone();
    let mut out = vec![Sent::new(
        Method::PATCH,
        uri,
        "application/apply-patch+yaml",
        intent,
    )];
    if dry && item.pod.is_some() {
        let template = &item.after.as_ref().expect("an answer")["spec"]["template"];
        let mut metadata = template["metadata"].clone();
        metadata["generateName"] = format!("{}-", object.name).into();
        metadata["namespace"] = object.namespace.as_str().into();
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]});
        let uri = format!("/api/v1/namespaces/{}/pods?dryRun=All", object.namespace);
        out.push(Sent::new(Method::POST, uri, "application/json", pod));
    }
    out
}

async fn fill(client: &kube::Client, namespace: &str, many: usize) {
    let apply = |path: String, body: Value| {
        let uri = format!("{path}?fieldManager=kubectl");
        Sent::new(Method::PATCH, uri, "application/apply-patch+yaml", body)
    };
    let space = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": namespace, "labels": {"istio-injection": "enabled"}}});
    send(
        client,
        &apply(format!("/api/v1/namespaces/{namespace}"), space),
    )
    .await;
    let workloads = (0..many).map(|at| {
        let name = format!("w{at}");
        let labels = json!({"app": name});
        let body = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "app", "image": "example.com/app:1",
                        "ports": [{"containerPort": 8080}]}]}}}});
        apply(
            format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}"),
            body,
        )
    });
    let workloads: Vec<Sent> = workloads.collect();
    let all = futures::stream::iter(&workloads).map(|sent| send(client, sent));
    all.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}
