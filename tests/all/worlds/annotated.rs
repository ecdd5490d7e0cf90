//! Running pods whose annotation was changed by hand, and targets that are late.

use super::{WEB, World};
use meshscrape::words::say::commands::{self as say, board};
use serde_json::{Value, json};
use std::time::Duration;

const PORT: &str = "prometheus.istio.io/secure-port";

async fn secured() -> World {
    let world = World::of(WEB);
    let (code, words) = world
        .call("apply -w shop/Deployment/web --yes")
        .await
        .told();
    assert_eq!(code, 0, "{words}");
    world
}

/// The annotation of the one pod, as somebody's kubectl sets it; `None` removes it.
fn annotate(world: &World, port: Option<&str>) {
    let mut pod = world.simulation.objects("Pod", "shop").remove(0);
    let annotations = pod["metadata"]["annotations"].as_object_mut().unwrap();
    match port {
        Some(port) => drop(annotations.insert(PORT.into(), json!(port))),
        None => drop(annotations.remove(PORT)),
    }
    world.simulation.put(pod);
}

async fn status(world: &World) -> Value {
    let called = world.call("status --json -w shop/Deployment/web").await;
    serde_json::from_str(&called.out).unwrap_or_else(|why| panic!("{why}: {}", called.out))
}

#[tokio::test(start_paused = true)]
async fn a_pod_annotated_by_hand_is_a_change_of_the_plan_and_told_by_status() {
    for port in [None, Some("15099")] {
        let world = secured().await;
        annotate(&world, port);
        tokio::time::sleep(Duration::from_secs(40)).await;

        let board = status(&world).await;
        assert_eq!(
            board["targets"][0]["cause"]["name"], "AnnotationChanged",
            "{port:?}: {board}"
        );

        let plan = world.plan("-w shop/Deployment/web").await;
        let changes: Vec<&Value> = plan["changes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|change| change["state"] != "unchanged" && change["part"] != "journal")
            .collect();
        assert_eq!(changes.len(), 1, "{changes:#?}");
        assert_eq!(
            (&changes[0]["kind"], &changes[0]["part"]),
            (&json!("Pod"), &json!("annotation"))
        );
        assert_eq!(plan["summary"]["podsThatRestart"], 0);

        let (code, words) = world
            .call("apply -w shop/Deployment/web --yes")
            .await
            .told();
        assert_eq!(code, 0, "{port:?}: {words}");
        let pod = world.simulation.objects("Pod", "shop").remove(0);
        assert_eq!(pod["metadata"]["annotations"][PORT], "15091");
        let (code, words) = world.call("plan -w shop/Deployment/web").await.told();
        assert_eq!(code, 0, "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_puts_the_annotation_back_as_somebody_had_it() {
    let world = secured().await;
    annotate(&world, Some("15099"));
    let (code, words) = world
        .call("apply -w shop/Deployment/web --yes")
        .await
        .told();
    assert_eq!(code, 0, "{words}");
    let (code, words) = world.call("undo --yes").await.told();
    assert_eq!(code, 0, "{words}");
    let pod = world.simulation.objects("Pod", "shop").remove(0);
    assert_eq!(pod["metadata"]["annotations"][PORT], "15099");
}

#[tokio::test(start_paused = true)]
async fn an_apply_that_finds_nothing_to_change_waits_for_what_may_pass() {
    let world = secured().await;
    // No packet gets through for a while.
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "shut", "namespace": "shop"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    });
    world.simulation.put(policy);
    tokio::time::sleep(Duration::from_secs(100)).await;
    let board = status(&world).await;
    assert_eq!(
        board["targets"][0]["cause"]["name"], "NetworkPolicyStops",
        "{board}"
    );

    let simulation = world.simulation.clone();
    let opened = async move {
        tokio::time::sleep(Duration::from_secs(30)).await;
        simulation.remove("NetworkPolicy", "shop", "shut");
    };
    let (called, ()) = tokio::join!(world.call("apply -w shop/Deployment/web --yes"), opened);
    let (code, words) = called.told();
    assert_eq!(code, 0, "{words}");
    assert!(
        words.contains(&board::targets(&board::up_of(0, say::ONE_TARGET))),
        "the wait is told: {words}"
    );
}

#[tokio::test(start_paused = true)]
async fn its_wait_has_an_end_and_names_the_cause() {
    let world = secured().await;
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "shut", "namespace": "shop"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    });
    world.simulation.put(policy);
    tokio::time::sleep(Duration::from_secs(100)).await;
    let began = tokio::time::Instant::now();
    let (code, words) = world
        .call("apply -w shop/Deployment/web --yes --timeout 60")
        .await
        .told();
    assert_eq!(code, 3, "{words}");
    assert!(words.contains(&board::all_down(1)), "{words}");
    let took = began.elapsed().as_secs();
    assert!((60..90).contains(&took), "{took} s");
}
