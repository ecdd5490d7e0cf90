//! `check`: every problem by code and subject, what fails the exit code, what is kept quiet.

use super::{WEB, World};
use serde_json::{Value, json};

const ODD: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: own, namespace: shop}
spec:
  selector: {matchLabels: {app: own}}
  template:
    metadata: {labels: {app: own, tier: web}, annotations: {prometheus.io/scrape: "true", prometheus.io/port: "9000"}}
    spec:
      containers: [{name: own, image: "example.org/own:1", ports: [{name: http, containerPort: 9000}]}]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: mine, namespace: shop}
spec: {workloadSelector: {labels: {tier: web}}, egress: [{hosts: ["./*"]}]}
"#;

/// A risk: the Sidecar of the published task.
const PUBLISHED: &str = r#"
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: metrics, namespace: shop}
spec: {ingress: [{port: {number: 15091, protocol: HTTP, name: h}, defaultEndpoint: "127.0.0.1:15020"}]}
"#;

impl World {
    /// Exit code and answer of `check --json`.
    async fn check(&self, args: &str) -> (u8, Value) {
        let called = self.call(&format!("check --json {args}")).await;
        let out = called.out.clone();
        let (code, words) = called.told();
        let value = serde_json::from_str(&out).unwrap_or_else(|why| panic!("{why}: {words}"));
        (code, value)
    }
}

/// Code and subject of each problem in a namespace.
fn told(of: &Value, namespace: &str) -> Vec<String> {
    let problems = of["problems"].as_array().expect("problems");
    let here = problems
        .iter()
        .filter(|p| p["subject"]["namespace"] == namespace);
    here.map(|p| {
        let part = |at: &str| p.pointer(at).and_then(Value::as_str).unwrap_or_default();
        let (kind, name) = (part("/subject/kind"), part("/subject/name"));
        format!("{} {kind} {name}", part("/name"))
    })
    .collect()
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_secured_is_a_note_and_fails_nothing() {
    let world = World::of(&format!("{WEB}---{ODD}"));
    let (code, found) = world.check("-n shop").await;
    assert_eq!(
        told(&found, "shop"),
        ["OwnSidecar Deployment own"],
        "{found}"
    );
    assert_eq!(code, 0, "{found}");
    let problem = &found["problems"][0];
    assert_eq!(problem["code"], "MS312");
    assert_eq!(problem["severity"], "note");
    assert_eq!(problem["ist"], "IST0110");
    assert_eq!(
        problem["evidence"]["sidecar"],
        json!({"kind": "Sidecar", "namespace": "shop", "name": "mine"})
    );
    assert_eq!(found["version"], 2);
    let plain = found["plaintextJobs"].to_string();
    assert!(plain.contains("shop/Deployment/web"), "{plain}");
    let (code, _) = world.check("-n shop --fail-on note").await;
    assert_eq!(code, 3);
    let (code, words) = world
        .call("check -n shop --fail-on note --ignore MS312:shop/own")
        .await
        .told();
    assert_eq!(code, 0, "{words}");
    assert!(
        world.simulation.objects("Sidecar", "shop").len() == 1,
        "reads only"
    );
}

#[tokio::test(start_paused = true)]
async fn a_risk_fails_until_it_is_known() {
    let world = World::of(&format!("{WEB}---{PUBLISHED}"));
    let (code, found) = world.check("-n shop").await;
    assert!(
        told(&found, "shop").contains(&"NamespaceSidecar Sidecar metrics".to_owned()),
        "{found}"
    );
    assert_eq!(code, 3);
    let (code, _) = world.check("-n shop --fail-on blocks").await;
    assert_eq!(code, 0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known.json");
    let file = file.to_str().unwrap();
    let (code, _) = world
        .check(&format!("-n shop --write-baseline {file}"))
        .await;
    assert_eq!(code, 3, "it is written, and still told");
    let (code, quiet) = world.check(&format!("-n shop --baseline {file}")).await;
    assert_eq!((code, &quiet["problems"]), (0, &json!([])), "{quiet}");
    assert!(quiet["known"].as_u64().unwrap() > 0);
    // The output itself is a baseline too.
    std::fs::write(file, found.to_string()).unwrap();
    assert_eq!(
        world.check(&format!("-n shop --baseline {file}")).await.0,
        0
    );
    std::fs::write(file, "{}").unwrap();
    let (code, words) = world.call(&format!("check --baseline {file}")).await.told();
    assert_eq!(code, 1, "{words}");
    let (code, xml) = world.call("check -n shop --junit -").await.told();
    assert_eq!(code, 3);
    assert!(xml.contains("<testcase classname=\"MS331\""), "{xml}");
}

#[tokio::test(start_paused = true)]
async fn what_is_secured_and_lost_its_guard_is_a_risk() {
    let world = World::of(WEB);
    let (code, words) = world.call("apply -n shop --yes").await.told();
    assert_eq!(code, 0, "{words}");
    let (code, well) = world.check("-n shop").await;
    assert_eq!((code, told(&well, "shop")), (0, Vec::new()), "{well}");
    world
        .simulation
        .remove("AuthorizationPolicy", "shop", "meshscrape-web");
    tokio::time::advance(std::time::Duration::from_secs(180)).await;
    let (code, found) = world.check("-n shop").await;
    assert_eq!(
        told(&found, "shop"),
        ["GuardGone Deployment web"],
        "{found}"
    );
    assert_eq!(code, 3);
    assert_eq!(
        found["problems"][0]["remedy"]["command"],
        "meshscrape apply -w shop/Deployment/web"
    );
}

#[tokio::test(start_paused = true)]
async fn every_code_is_explained_without_a_cluster() {
    let world = World::of("");
    let (code, all) = world.call("check --explain").await.told();
    assert_eq!(code, 0);
    for one in meshscrape::problems::Code::ALL {
        assert!(all.contains(one.text()), "{one}");
        let (code, words) = world.call(&format!("check --explain {one}")).await.told();
        assert!(code == 0 && words.contains(one.name()), "{words}");
    }
    assert_eq!(world.call("check --explain MS999").await.told().0, 1);
}
