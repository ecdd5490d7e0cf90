//! Pods that no Deployment, StatefulSet or DaemonSet makes, and gateways: what is listed and counted as what.

use super::{WEB, World};
use meshscrape::problems::Code;
use meshscrape::wizard::list::Row;
use meshscrape::words::say::commands::{board, pods};
use serde_json::Value;

const OTHERS: &str = r#"
apiVersion: batch/v1
kind: Job
metadata: {name: import, namespace: shop}
spec:
  parallelism: 2
  template:
    metadata: {labels: {app: import}, annotations: {prometheus.io/scrape: "true"}}
    spec: {restartPolicy: Never, containers: [{name: app, image: "example.org/import:1"}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        metadata: {labels: {app: nightly}, annotations: {prometheus.io/scrape: "true"}}
        spec: {restartPolicy: Never, containers: [{name: app, image: "example.org/nightly:1"}]}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web-old, namespace: shop}
spec:
  selector: {matchLabels: {app: web-old}}
  template:
    metadata: {labels: {app: web-old}, annotations: {prometheus.io/scrape: "true"}}
    spec: {containers: [{name: app, image: "example.org/web:0"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: debug, namespace: shop, annotations: {prometheus.io/scrape: "false"}}
spec: {containers: [{name: app, image: "example.org/debug:1"}]}
"#;

/// Kind and figures by the owner's name, the number of a CronJob's Job cut off.
fn told(others: &Value) -> Vec<(String, u64, u64)> {
    let figure = |of: &Value, name: &str| of[name].as_u64().unwrap();
    let mut told: Vec<_> = others
        .as_array()
        .unwrap()
        .iter()
        .map(|of| {
            let name = of["name"]
                .as_str()
                .unwrap()
                .trim_end_matches(|c: char| c.is_ascii_digit());
            let title = format!("{} {name}", of["kind"].as_str().unwrap());
            (title, figure(of, "pods"), figure(of, "inPlaintext"))
        })
        .collect();
    told.sort();
    told
}

fn all() -> Vec<(String, u64, u64)> {
    vec![
        ("Job import".into(), 2, 2),
        ("Job nightly-".into(), 1, 1),
        ("Pod debug".into(), 1, 0),
        ("ReplicaSet web-old".into(), 1, 1),
    ]
}

#[tokio::test(start_paused = true)]
async fn pods_of_other_owners_are_counted_in_plan_apply_and_status() {
    let world = World::of(&format!("{WEB}---{OTHERS}"));
    let plan = world.plan("-n shop").await;
    assert_eq!(told(&plan["otherPods"]), all());
    let mut problems = plan["problems"].as_array().unwrap().iter();
    let stay = problems.find(|problem| problem["name"] == "OthersInPlaintext");
    assert_eq!(stay.unwrap()["evidence"]["pods"], 4);

    let (code, words) = world.call("apply -n shop --yes").await.told();
    assert_eq!(code, 0, "{words}");
    assert!(
        words.contains(&board::others_in_plaintext(&pods(4))),
        "{words}"
    );

    let status = world.call("status --json").await;
    let board: Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(told(&board["otherPods"]), all());
    assert_eq!(board["summary"]["otherPodsInPlaintext"], 4);
    assert_eq!(board["summary"]["up"], board["summary"]["all"]);
    let (code, words) = world.call("status --once").await.told();
    assert!(words.contains("Job shop/import"), "{words}");
    assert_eq!(code, 0, "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_of_other_owners_alone_says_whose_pods_they_are() {
    let world = World::of(OTHERS);
    let (code, words) = world.call("plan -n shop").await.told();
    assert_eq!(code, 1);
    for name in ["Job import", "ReplicaSet web-old"] {
        assert!(words.contains(name), "{name}: {words}");
    }
    assert!(
        crate::tells(&words, Code::OthersInPlaintext, "4 pods of other owners"),
        "{words}"
    );
}

#[tokio::test(start_paused = true)]
async fn they_stand_in_the_wizards_lists_and_cannot_be_chosen() {
    use crate::journeys::screen::drive;
    use meshscrape::wizard::state::{Start, Step};

    let world = World::of(OTHERS);
    drive(&world.simulation, Start::default(), |user| async move {
        user.read().await;
        user.press("enter enter");
        user.at(Step::Namespaces).await;
        user.press("/ s h o p enter space enter");
        user.at(Step::Workloads).await;
        let rows = user.state(|s| s.workloads.rows.clone());
        let others = rows.iter().filter(|row| matches!(row, Row::Other(_)));
        assert_eq!(others.count(), 4, "{}", user.text());
        user.press("down space");
        user.until("it says why", |s| s.notice.is_some()).await;
        assert!(user.state(|s| s.answers.workloads.is_empty()));
        user
    })
    .await;
}

/// A gateway by the chart: its proxy's image is filled in by injection.
fn gateway(injection: &str, image: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Namespace
metadata: {{name: edge, labels: {{istio-injection: {injection}}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: gate, namespace: edge, labels: {{app: gate, istio: gate}}}}
spec:
  selector: {{matchLabels: {{app: gate}}}}
  template:
    metadata: {{labels: {{app: gate, istio: gate}}, annotations: {{inject.istio.io/templates: gateway}}}}
    spec:
      serviceAccountName: gate
      containers: [{{name: istio-proxy, image: "{image}", args: [proxy, router]}}]
"#
    )
}

#[tokio::test(start_paused = true)]
async fn a_gateways_own_proxy_is_no_sidecar() {
    for injection in ["enabled", "disabled"] {
        let image = if injection == "enabled" {
            "auto"
        } else {
            "docker.io/istio/proxyv2:1.31.0"
        };
        let world = World::of(&gateway(injection, image));
        let plan = world.plan("-g edge/gate").await;
        let changes = plan["changes"].as_array().unwrap();
        let gate = changes
            .iter()
            .find(|c| c["kind"] == "Deployment" && c["namespace"] == "edge");
        let pod = &gate.unwrap()["pod"];
        assert_eq!(pod["verdict"], "admitted", "{injection}: {pod}");
        assert_eq!(pod["sidecar"], false, "{injection}: {pod}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_injection_does_not_reach_is_not_restarted() {
    let world = World::of(&gateway("disabled", "auto"));
    // It is shown whole, and the one change that restarts it is refused.
    let (code, words) = world.call("plan -g edge/gate").await.told();
    assert_eq!(code, 4, "{words}");
    assert!(
        crate::tells(&words, Code::NoProxyImage, "edge/gate"),
        "{words}"
    );
    let (code, words) = world
        .call("apply -g edge/gate --yes --lose-history")
        .await
        .told();
    assert_eq!(code, 4, "{words}");
    assert!(world.simulation.objects("Gateway", "edge").is_empty());
    let (_, words) = world.call("check").await.told();
    assert!(words.contains("MS404"), "{words}");
}
