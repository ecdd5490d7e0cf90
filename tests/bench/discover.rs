//! Reading a whole cluster beside the bare paginated GETs of the same lists.

use http_body_util::BodyExt;
use meshscrape::cluster::connect::{ConnectOptions, connect};
use meshscrape::engine::discover::discover;
use std::time::Instant;

const RUNS: usize = 5;
const LISTS: &[&str] = &[
    "/api/v1/namespaces",
    "/api/v1/pods",
    "/api/v1/services",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/statefulsets",
    "/apis/apps/v1/daemonsets",
    "/apis/networking.istio.io/v1/sidecars",
    "/apis/networking.istio.io/v1/gateways",
    "/apis/networking.istio.io/v1/virtualservices",
    "/apis/networking.istio.io/v1/serviceentries",
    "/apis/networking.istio.io/v1alpha3/envoyfilters",
    "/apis/security.istio.io/v1/peerauthentications",
    "/apis/security.istio.io/v1/authorizationpolicies",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
];

pub fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // As the program has them.
        .worker_threads(1)
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .expect("threads");
    runtime.block_on(async {
        let mut ours = Vec::new();
        let mut bare = Vec::new();
        let mut rows = 0;
        // Of one listing, as the program makes it: later ones find the allocator's leavings of those before.
        let mut peak = None;
        for _ in 0..RUNS {
            let began = Instant::now();
            let cluster = connect(&ConnectOptions::default()).await.expect("a cluster");
            let mesh = discover(cluster, |_| {}).await;
            ours.push(began.elapsed().as_secs_f64());
            rows = mesh.workloads.len();
            peak.get_or_insert_with(|| super::peak_kilobytes(std::process::id()) / 1024);
            drop(mesh);
            let began = Instant::now();
            lists().await;
            bare.push(began.elapsed().as_secs_f64());
        }
        let (ours, bare) = (super::median(ours), super::median(bare));
        println!(
            "{rows} workloads listed in {ours:.2} s, the bare lists take {bare:.2} s: {:.2} times; peak memory {} MB",
            ours / bare,
            peak.unwrap_or_default()
        );
    });
}

/// The same lists, page after page, the answers thrown away; as many at once as the program asks.
async fn lists() {
    let config = kube::Config::infer().await.expect("a kubeconfig");
    let client = kube::Client::try_from(config).expect("a client");
    let all = LISTS.iter().map(|path| {
        let client = client.clone();
        async move {
            let mut token = String::new();
            loop {
                let uri = format!("{path}?limit=500&continue={token}");
                let request = http::Request::get(uri)
                    .body(kube::client::Body::empty())
                    .expect("a request");
                let answer = client.send(request).await.expect("an answer");
                let body = answer
                    .into_body()
                    .collect()
                    .await
                    .expect("a body")
                    .to_bytes();
                let text = String::from_utf8_lossy(&body[..body.len().min(400)]);
                let next = text
                    .split("\"continue\":\"")
                    .nth(1)
                    .and_then(|rest| rest.split('"').next())
                    .unwrap_or_default();
                if next.is_empty() {
                    break;
                }
                token = next.to_owned();
            }
        }
    });
    futures::future::join_all(all).await;
}
