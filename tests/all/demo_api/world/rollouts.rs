use super::*;

#[tokio::test(start_paused = true)]
async fn a_rollout_takes_seconds_and_one_gets_stuck() {
    let (_, client) = builtin();
    let mark = |name: &str| {
        ANNOTATION
            .replace("httpbin", name)
            .replace("namespace: default", "namespace: shop")
    };
    apply(&client, "me", &mark("storefront")).await;
    let api = Api::<Deployment>::namespaced(client.clone(), "shop");
    let at_once = api.get("storefront").await.unwrap().status.unwrap();
    assert_eq!(
        at_once.updated_replicas,
        Some(1),
        "one more than wanted, by the surge"
    );
    assert_eq!(at_once.available_replicas, Some(3));
    wait(30).await;
    let later = api.get("storefront").await.unwrap();
    assert_eq!(later.status.as_ref().unwrap().updated_replicas, Some(3));
    assert_eq!(later.status.as_ref().unwrap().replicas, Some(3));
    assert_eq!(
        later.status.as_ref().unwrap().observed_generation,
        later.metadata.generation
    );

    apply(&client, "me", &mark("recommendations")).await;
    wait(60).await;
    let stuck = serde_json::to_value(api.get("recommendations").await.unwrap()).unwrap();
    let progressing = stuck["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["type"] == "Progressing");
    assert_eq!(progressing.unwrap()["reason"], "ProgressDeadlineExceeded");
    assert_eq!(stuck["status"]["availableReplicas"], 2, "the old pods stay");
}

#[tokio::test(start_paused = true)]
async fn dropped_intents_go_and_hooks_hear_of_writes() {
    let (simulation, client) = builtin();
    let heard = Arc::new(Mutex::new(0));
    let counter = heard.clone();
    simulation.on_write(Box::new(move |_| *counter.lock().unwrap() += 1));
    apply(&client, "me", ANNOTATION).await;
    apply(&client, "me", ANNOTATION).await;
    assert_eq!(*heard.lock().unwrap(), 1, "an idle apply writes nothing");
    apply(
        &client,
        "me",
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: httpbin, namespace: default}}",
    )
    .await;
    let live = simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    assert!(
        live.pointer("/spec/template/metadata/annotations")
            .is_none()
    );
    let managers: Vec<&str> = live["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["manager"].as_str().unwrap())
        .collect();
    assert!(!managers.contains(&"me"), "{managers:?}");
}

#[tokio::test(start_paused = true)]
async fn minutes_pass_quickly() {
    let (_, client) = builtin();
    let begun = std::time::Instant::now();
    wait(3600).await;
    assert!(
        targets(&client, "kubernetes-pods", "")
            .await
            .iter()
            .all(|t| t.1 == "up")
    );
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_of_changes() {
    use futures::TryStreamExt;
    let (simulation, client) = builtin();
    let api = Api::<Deployment>::namespaced(client.clone(), "default");
    let version = api
        .list(&ListParams::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    let params = kube::api::WatchParams::default().timeout(20);
    let mut stream = Box::pin(api.watch(&params, &version).await.unwrap());
    let mut live = simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    live["metadata"]["labels"] = json!({"changed": "yes"});
    simulation.put(live);
    let mut seen = false;
    while let Some(event) = stream.try_next().await.unwrap() {
        if let kube::core::WatchEvent::Modified(object) = event {
            seen |= object
                .metadata
                .labels
                .is_some_and(|l| l.contains_key("changed"));
        }
    }
    assert!(seen);
    let expired = api
        .watch(&params, "1")
        .await
        .unwrap()
        .try_collect::<Vec<_>>()
        .await
        .unwrap();
    assert!(
        matches!(&expired[0], kube::core::WatchEvent::Error(e) if e.code == 410),
        "{expired:?}"
    );
}

/// The rule that keeps marked pods out of a plaintext job, as its first.
#[tokio::test(start_paused = true)]
async fn every_kind_of_workload_rolls_out_and_back() {
    let (simulation, client) = builtin();
    let marked = |kind: &str, ns: &str, name: &str| {
        ANNOTATION
            .replace("kind: Deployment", &format!("kind: {kind}"))
            .replace("httpbin", name)
            .replace("namespace: default", &format!("namespace: {ns}"))
    };
    let port = |ns: &str, app: &str| -> Vec<bool> {
        let pods = simulation.objects("Pod", ns);
        let of_app = pods
            .iter()
            .filter(|p| p["metadata"]["labels"]["app"] == app);
        of_app
            .map(|p| {
                p["metadata"]["annotations"]
                    .get("prometheus.istio.io/secure-port")
                    .is_some()
            })
            .collect()
    };
    for (kind, ns, name, count) in [
        ("StatefulSet", "shop", "sessions", 2),
        ("DaemonSet", "platform", "log-shipper", 3),
        ("Deployment", "shop", "recommendations", 2),
    ] {
        apply(&client, "me", &marked(kind, ns, name)).await;
        wait(60).await;
        let after = port(ns, name);
        let stuck = name == "recommendations";
        assert!(
            after.iter().filter(|m| **m).count() >= if stuck { 1 } else { count },
            "{name}: {after:?}"
        );
        let nothing = format!(
            "{{apiVersion: apps/v1, kind: {kind}, metadata: {{name: {name}, namespace: {ns}}}}}"
        );
        apply(&client, "me", &nothing).await;
        wait(60).await;
        assert_eq!(port(ns, name), vec![false; count], "{name}");
        let status = simulation.object(kind, ns, name).unwrap();
        assert_eq!(
            status["status"]["observedGeneration"], status["metadata"]["generation"],
            "{name}"
        );
        let ready = status["status"]
            .get("numberReady")
            .unwrap_or(&status["status"]["readyReplicas"]);
        assert_eq!(ready, count, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_deployment_waits() {
    let (_, client) = builtin();
    let api = Api::<Deployment>::namespaced(client.clone(), "default");
    let pause = |paused: bool| Patch::Merge(json!({"spec": {"paused": paused}}));
    api.patch("httpbin", &PatchParams::default(), &pause(true))
        .await
        .unwrap();
    let before = pods(&client, "default", "app=httpbin").await[0]
        .metadata
        .name
        .clone();
    apply(&client, "me", ANNOTATION).await;
    wait(30).await;
    assert_eq!(
        pods(&client, "default", "app=httpbin").await[0]
            .metadata
            .name,
        before
    );
    api.patch("httpbin", &PatchParams::default(), &pause(false))
        .await
        .unwrap();
    wait(30).await;
    assert_ne!(
        pods(&client, "default", "app=httpbin").await[0]
            .metadata
            .name,
        before
    );
}
