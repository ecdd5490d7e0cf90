//! Which plaintext scrapes end is decided for each workload: what has to stay, or cannot come, holds nobody back.

use super::{WEB, World};
use meshscrape::plan::scrape_config::{self, TextEdit};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const WEB_HERE: &str = "-w shop/Deployment/web";

/// A workload like `web`, under another name.
fn like_web(name: &str) -> String {
    WEB.replace("name: web,", &format!("name: {name},"))
        .replace("app: web", &format!("app: {name}"))
        .replace("- name: web", &format!("- name: {name}"))
}

fn world(own: &[&str]) -> World {
    World::of(&[&[WEB], own].concat().join("\n---\n"))
}

fn text(world: &World) -> String {
    let config = world
        .simulation
        .object("ConfigMap", "istio-system", "prometheus")
        .unwrap();
    config["data"]["prometheus.yml"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn template(world: &World, name: &str) -> Value {
    let live = world.simulation.object("Deployment", "shop", name).unwrap();
    live["spec"]["template"].clone()
}

/// Pods that Prometheus has as targets in one job, with the workload's name in place of the pod's.
async fn scraped(world: &World, job: &str) -> BTreeSet<String> {
    // Discovery and the kubelet have their time.
    tokio::time::sleep(std::time::Duration::from_secs(120)).await;
    let prometheus = world.simulation.objects("Pod", "istio-system");
    let named = |pod: &&Value| pod["metadata"]["labels"]["app"] == "prometheus";
    let pod = prometheus.iter().find(named).unwrap();
    let path = format!("/api/v1/targets?state=active&scrapePool={job}");
    let answer = world
        .session
        .cluster
        .pod_proxy(
            "istio-system",
            pod["metadata"]["name"].as_str().unwrap(),
            "http",
            9090,
            &path,
        )
        .await
        .unwrap();
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let targets = body["data"]["activeTargets"].as_array().unwrap().iter();
    targets
        .map(|target| {
            let pod = &target["discoveredLabels"]["__meta_kubernetes_pod_name"];
            let name = pod.as_str().unwrap();
            name.split('-').next().unwrap().to_owned()
        })
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

const PLAIN: &str = "kubernetes-pods";
const SECURE: &str = "istio-secure-merged-metrics";

#[tokio::test(start_paused = true)]
async fn one_on_15090_keeps_its_plaintext_scrape_and_the_other_is_scraped_once() {
    let world = world(&[&like_web("envoy")]);
    let before = text(&world);
    let (code, words) = world
        .call("apply -w shop/Deployment/envoy --port 15090 --yes")
        .await
        .told();
    assert_eq!(code, 0, "{words}");
    let between = text(&world);
    let (code, words) = world.call(&format!("apply {WEB_HERE} --yes")).await.told();
    assert_eq!(code, 0, "{words}");
    assert_eq!(scraped(&world, SECURE).await, set(&["envoy", "web"]));
    assert_eq!(
        scraped(&world, PLAIN).await,
        set(&["envoy"]),
        "{}",
        text(&world)
    );
    let plan = world.plan(WEB_HERE).await;
    assert_eq!(plan["summary"]["changes"], 0, "{plan}");
    for was in [between, before] {
        let (code, words) = world.call("undo --yes").await.told();
        assert_eq!(code, 0, "{words}");
        assert_eq!(text(&world), was);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_come_is_not_waited_for() {
    let bare = r#"
apiVersion: v1
kind: Pod
metadata: {name: bare, namespace: shop, labels: {app: web}, annotations: {prometheus.io/scrape: "true", prometheus.io/port: "8080"}}
spec: {containers: [{name: web, image: "example.org/web:1", ports: [{containerPort: 8080}]}]}
"#;
    let idle = like_web("idle").replace(
        "spec:\n  selector: {matchLabels",
        "spec:\n  replicas: 0\n  selector: {matchLabels",
    );
    assert!(idle.contains("replicas: 0"), "{idle}");
    let world = world(&[bare, &idle]);
    let began = tokio::time::Instant::now();
    let (code, words) = world.call("apply -n shop --yes").await.told();
    assert_eq!(code, 0, "{words}");
    assert!(
        began.elapsed().as_secs() < 200,
        "{:?}\n{words}",
        began.elapsed()
    );
    assert_eq!(
        scraped(&world, PLAIN).await,
        set(&["bare"]),
        "{}",
        text(&world)
    );
    assert_eq!(scraped(&world, SECURE).await, set(&["web"]));
    // Its pods come later, and are seen to be scraped before their plaintext scrape ends.
    let mut live = world
        .simulation
        .object("Deployment", "shop", "idle")
        .unwrap();
    live["spec"]["replicas"] = json!(1);
    world.simulation.put(live);
    assert_eq!(scraped(&world, PLAIN).await, set(&["bare", "idle"]));
    assert_eq!(scraped(&world, SECURE).await, set(&["idle", "web"]));
    let (code, words) = world.call("apply -n shop --yes").await.told();
    assert_eq!(code, 0, "{words}");
    assert_eq!(scraped(&world, PLAIN).await, set(&["bare"]), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_mark_of_somebody_else_ends_nothing() {
    // By hand, by a canary controller that copied the template, by Istio's injector for a port of its own.
    let hand = like_web("hand").replace(
        "annotations: {prometheus",
        "annotations: {prometheus.istio.io/secure-port: \"15091\", prometheus",
    );
    let native = like_web("native").replace(
        "annotations: {prometheus",
        "annotations: {prometheus.istio.io/secure-port: \"15092\", proxy.istio.io/config: '{\"proxyMetadata\": {\"ENVOY_SECURE_MERGED_METRICS_PORT\": \"15092\"}}', prometheus",
    );
    for annotation in ["template", "pods"] {
        let world = world(&[&hand, &native]);
        let (code, words) = world
            .call(&format!("apply {WEB_HERE} --annotate {annotation} --yes"))
            .await
            .told();
        assert_eq!(code, 0, "{words}");
        assert_eq!(
            scraped(&world, PLAIN).await,
            set(&["hand", "native"]),
            "{}",
            text(&world)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_stays_down_keeps_its_plaintext_scrape_and_the_others_lose_theirs() {
    let closed = r#"
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: other, namespace: shop}
spec:
  podSelector: {matchLabels: {app: other}}
  policyTypes: [Ingress]
  ingress: [{ports: [{port: 8080}, {port: 15020}]}]
"#;
    let world = world(&[&like_web("other"), closed]);
    let (code, words) = world.call("apply -n shop --yes --timeout 200").await.told();
    assert_eq!(code, 3, "{words}");
    assert_eq!(scraped(&world, PLAIN).await, set(&["other"]), "{words}");
    assert_eq!(scraped(&world, SECURE).await, set(&["other", "web"]));
}

#[tokio::test(start_paused = true)]
async fn the_rule_of_an_earlier_version_gives_way_without_a_restart() {
    let world = world(&[&like_web("envoy")]);
    let (code, words) = world.call(&format!("apply {WEB_HERE} --yes")).await.told();
    assert_eq!(code, 0, "{words}");
    // As the version before left it, set by hand into one line.
    let resume = TextEdit::ResumePlaintext {
        job: PLAIN.into(),
        items: vec!["shop/Deployment/web".parse().unwrap()],
    };
    let mut earlier = scrape_config::apply(&text(&world), &[resume]).unwrap();
    let job = earlier.find("job_name: kubernetes-pods").unwrap();
    let list = job + earlier[job..].find("relabel_configs:\n").unwrap();
    let first = list + "relabel_configs:\n".len();
    let column = earlier[first..].find('-').unwrap();
    let rule = "- {action: drop, source_labels: [__meta_kubernetes_pod_annotationpresent_prometheus_istio_io_secure_port], regex: 'true'} # once\n";
    earlier.insert_str(first, &format!("{}{rule}", " ".repeat(column)));
    let mut live = world
        .simulation
        .object("ConfigMap", "istio-system", "prometheus")
        .unwrap();
    live["data"]["prometheus.yml"] = earlier.clone().into();
    world.simulation.put(live);
    assert_eq!(scraped(&world, PLAIN).await, set(&["envoy"]));

    let before = template(&world, "web");
    let envoy = "-w shop/Deployment/envoy --port 15090";
    let plan = world.plan(envoy).await;
    let restarts = plan["summary"]["podsThatRestart"].as_u64().unwrap();
    assert_eq!(restarts, 1, "the one that is secured now: {plan}");
    let (code, words) = world.call(&format!("apply {envoy} --yes")).await.told();
    assert_eq!(code, 0, "{words}");
    assert_eq!(template(&world, "web"), before);
    assert_eq!(
        scraped(&world, PLAIN).await,
        set(&["envoy"]),
        "{}",
        text(&world)
    );
    assert_eq!(scraped(&world, SECURE).await, set(&["envoy", "web"]));
    assert!(!text(&world).contains("# once"), "{}", text(&world));

    let (code, words) = world.call("undo --yes").await.told();
    assert_eq!(code, 0, "{words}");
    assert_eq!(text(&world), earlier);
}
