//! The dry run and the writes of many workloads beside the bare requests: the same dry runs and the same writes, sent
//! by a plain loop, half of them before ours and half after, so that a load which comes or goes meets both alike.
//!
//! In the cluster of KUBECONFIG; an API server alone is enough, if it knows Istio's CRDs. Without istiod nothing is
//! injected: the Pod that the review asks for is then admitted as it is, for ours and for the bare requests alike. The
//! workloads have no replicas, so that there are no rollouts and no targets.
//!
//! `WORKLOADS=200` says how many, `NAMESPACES=50` over how many they are spread. Namespaces `meshscrape-bench-…`
//! are made, and taken away at the end. A smaller pass goes before and is not counted: an API server that has just
//! started makes what it needs for a kind at the first writes of it, whoever sends them.

use crate::paper;
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
use meshscrape::mesh::kinds::{Kind, WorkloadRef};
use meshscrape::plan::review::{Review, Reviewed, RunId, Word};
use meshscrape::plan::{Action, Await, Plan, keeping};
use meshscrape::recipe;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

/// As many at once as the review asks.
const AT_ONCE: usize = 8;
const WARM_UP: usize = 100;

pub fn run() {
    let number = |name: &str| -> Option<usize> { std::env::var(name).ok()?.parse().ok() };
    let many = number("WORKLOADS").unwrap_or(200);
    let spaces = number("NAMESPACES").unwrap_or(many.div_ceil(4)).max(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // As the program has them.
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("threads");
    runtime.block_on(measure(WARM_UP.min(many), WARM_UP.min(many).div_ceil(4)));
    println!("{}", runtime.block_on(measure(many, spaces)));
}

async fn measure(many: usize, spaces: usize) -> String {
    let cluster = connect(&ConnectOptions::default())
        .await
        .expect("a cluster");
    let client = cluster.client().clone();
    // Nobody may be there to finish the end of an earlier one's namespaces.
    let name = format!(
        "meshscrape-bench-{}",
        jiff::Timestamp::now().as_millisecond()
    );
    let [ours, bare] = ["ours", "bare"].map(|side| format!("{name}-{side}"));
    space(&client, &name).await;
    let paper = paper::put(&cluster, &name).await;
    let prometheus: WorkloadRef = format!("{name}/Deployment/prometheus")
        .parse()
        .expect("a name");
    for side in [&ours, &bare] {
        fill(&client, side, many, spaces).await;
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

    let bare_review = review(
        &cluster,
        asked(&session, &mesh, &bare, &prometheus),
        &|_| {},
    )
    .await;
    let dry: Vec<Sent> = requests(&bare_review, true);
    let (first, second) = dry.split_at(dry.len() / 2);
    let ours_asked = asked(&session, &mesh, &ours, &prometheus);
    let mut bare_dry = at_once(&client, first).await;
    let began = Instant::now();
    let reviewed = review(&cluster, ours_asked, &|_| {}).await;
    let ours_dry = began.elapsed().as_secs_f64();
    bare_dry += at_once(&client, second).await;

    let writes: Vec<Sent> = requests(&bare_review, false);
    let approved = reviewed.approve(Word { lose_history: true });
    let approved = approved.expect("it can be approved");
    let changes = approved.changes().len();
    let options = ApplyOptions {
        pace: Pace::All,
        probe: false,
        ..ApplyOptions::default()
    };
    let target = mesh.prometheus(&prometheus).cloned().expect("Prometheus");
    let (_steering, control) = Control::alone();
    let (first, second) = writes.split_at(writes.len() / 2);
    let mut bare_write = in_turn(&client, first).await;
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
    bare_write += in_turn(&client, second).await;
    assert_eq!(outcome.ended, Ended::Whole, "{outcome:?}");
    assert!(outcome.not_written.is_empty(), "{outcome:?}");
    // The promise itself wants these: no listener before its policies were read back.
    let back: Vec<Sent> = read_back(&bare_review);
    let read = in_turn(&client, &back).await;

    clear(&client, [ours.as_str(), bare.as_str()], spaces).await;
    for path in [Some(format!("/api/v1/namespaces/{name}")), paper]
        .into_iter()
        .flatten()
    {
        send(&client, &Sent::new(Method::DELETE, path, "", Value::Null)).await;
    }
    format!(
        "{many} workloads in {spaces} namespaces, {changes} changes: dry run {ours_dry:.2} s, bare {bare_dry:.2} s ({} \
         requests): {:.2} times; write {ours_write:.2} s, bare {bare_write:.2} s ({} requests): {:.2} times; together \
         {:.2} times (wanted: at most 1.2); {} policies read back, bare {read:.2} s: with them {:.2} times",
        dry.len(),
        ours_dry / bare_dry,
        writes.len(),
        ours_write / bare_write,
        (ours_dry + ours_write) / (bare_dry + bare_write),
        back.len(),
        (ours_dry + ours_write) / (bare_dry + bare_write + read),
    )
}

/// The seconds that these take, as many at a time as the review asks.
async fn at_once(client: &kube::Client, requests: &[Sent]) -> f64 {
    let began = Instant::now();
    let all = futures::stream::iter(requests).map(|sent| send(client, sent));
    all.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    began.elapsed().as_secs_f64()
}

/// The seconds that these take one after the other, as a run writes.
async fn in_turn(client: &kube::Client, requests: &[Sent]) -> f64 {
    let began = Instant::now();
    for sent in requests {
        send(client, sent).await;
    }
    began.elapsed().as_secs_f64()
}

/// The plan of one side's workloads alone, without rollouts and other waits; policies are still read back.
fn asked(session: &Session, mesh: &Mesh, side: &str, prometheus: &WorkloadRef) -> Review {
    let here = mesh
        .workloads
        .iter()
        .filter(|w| w.id.namespace.starts_with(side));
    let answers = Answers {
        workloads: here.map(|workload| workload.id.clone()).collect(),
        prometheus: Some(prometheus.clone()),
        ..Answers::default()
    };
    let whole = recipe::plan(mesh, &answers).expect("a plan");
    let mut plan = Plan {
        home: Some(format!("{side}-0")),
        ..Plan::default()
    };
    plan.changes = whole
        .changes
        .into_iter()
        .filter(|c| c.item.as_ref().is_some_and(|item| item != prometheus))
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
pub struct Sent {
    method: Method,
    uri: String,
    content: &'static str,
    body: Bytes,
}

impl Sent {
    pub fn new(method: Method, uri: String, content: &'static str, body: Value) -> Sent {
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

    /// Of a person's hands.
    pub fn apply(path: &str, body: Value) -> Sent {
        let uri = format!("{path}?fieldManager=kubectl");
        Sent::new(Method::PATCH, uri, "application/apply-patch+yaml", body)
    }
}

pub async fn send(client: &kube::Client, sent: &Sent) {
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

/// The reads of the policies that were written.
fn read_back(review: &Review) -> Vec<Sent> {
    let changes = review.plan.changes.iter();
    let awaited = changes.filter(|change| change.then.contains(&Await::ReadBack));
    awaited
        .map(|change| Sent::new(Method::GET, change.object.path(), "", Value::Null))
        .collect()
}

fn names(side: &str, spaces: usize) -> impl Iterator<Item = String> {
    (0..spaces).map(move |space| format!("{side}-{space}"))
}

async fn space(client: &kube::Client, name: &str) {
    let body = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"istio-injection": "enabled"}}});
    send(
        client,
        &Sent::apply(&format!("/api/v1/namespaces/{name}"), body),
    )
    .await;
}

async fn fill(client: &kube::Client, side: &str, many: usize, spaces: usize) {
    for name in names(side, spaces) {
        space(client, &name).await;
    }
    let workloads = (0..many).map(|at| {
        let (namespace, name) = (format!("{side}-{}", at % spaces), format!("w{at}"));
        let labels = json!({"app": name});
        let body = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "app", "image": "example.com/app:1",
                        "ports": [{"containerPort": 8080}]}]}}}});
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
        Sent::apply(&path, body)
    });
    at_once(client, &workloads.collect::<Vec<Sent>>()).await;
}

/// What was made goes before its namespaces, which an API server alone never ends.
async fn clear(client: &kube::Client, sides: [&str; 2], spaces: usize) {
    let kinds = [
        Kind::Deployment,
        Kind::Sidecar,
        Kind::PeerAuthentication,
        Kind::AuthorizationPolicy,
    ];
    let all = sides.into_iter().flat_map(|side| names(side, spaces));
    let away = all.flat_map(|name| {
        let objects = kinds.map(|kind| kind.path(Some(&name)));
        let paths = objects
            .into_iter()
            .chain([format!("/api/v1/namespaces/{name}")]);
        paths
            .map(|path| Sent::new(Method::DELETE, path, "", Value::Null))
            .collect::<Vec<_>>()
    });
    for sent in away {
        send(client, &sent).await;
    }
}
