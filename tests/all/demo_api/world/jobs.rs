use super::*;

const OLD_JOB_RULE: &str = "      - {source_labels: [__meta_kubernetes_pod_annotationpresent_prometheus_istio_io_secure_port], action: drop, regex: \"true\"}\n";

#[tokio::test(start_paused = true)]
async fn marked_pods_are_scraped_twice_until_the_old_job_leaves_them_out() {
    let (_, client) = builtin();
    apply(&client, "me", PROMETHEUS_POD).await;
    add_job(&client).await;
    for text in [POLICIES, LISTENER, ANNOTATION] {
        apply(&client, "me", text).await;
    }
    wait(40).await;
    assert_eq!(targets(&client, SECURE, "httpbin").await.len(), 1);
    assert_eq!(
        targets(&client, "kubernetes-pods", "httpbin").await.len(),
        1
    );

    let api = Api::<ConfigMap>::namespaced(client.clone(), "istio-system");
    let text = api.get("prometheus").await.unwrap().data.unwrap()["prometheus.yml"].clone();
    let at = text.find("job_name: kubernetes-pods\n").unwrap();
    let rules = at + text[at..].find("relabel_configs:\n").unwrap() + "relabel_configs:\n".len();
    let rule = OLD_JOB_RULE.trim_start_matches("    ");
    let changed = format!("{}{rule}{}", &text[..rules], &text[rules..]);
    let patch = json!({"data": {"prometheus.yml": changed}});
    api.patch("prometheus", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    wait(5).await;
    assert_eq!(
        targets(&client, "kubernetes-pods", "httpbin").await.len(),
        1,
        "the kubelet has not synced yet"
    );
    wait(10).await;
    assert_eq!(
        targets(&client, "kubernetes-pods", "httpbin").await.len(),
        0
    );
    assert_eq!(targets(&client, SECURE, "httpbin").await[0].1, "up");
}

#[tokio::test(start_paused = true)]
async fn a_mark_on_a_running_pod_needs_no_restart() {
    let (simulation, client) = builtin();
    apply(&client, "me", PROMETHEUS_POD).await;
    add_job(&client).await;
    apply(&client, "me", POLICIES).await;
    apply(&client, "me", LISTENER).await;
    let pod = pods(&client, "default", "app=httpbin")
        .await
        .remove(0)
        .metadata;
    let mark = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": pod.name, "uid": pod.uid, "annotations": {"prometheus.istio.io/secure-port": "15091"}}});
    let api = Api::<Pod>::namespaced(client.clone(), "default");
    let name = pod.name.clone().unwrap();
    api.patch(&name, &PatchParams::apply("me"), &Patch::Apply(&mark))
        .await
        .unwrap();
    wait(30).await;
    assert_eq!(targets(&client, SECURE, "httpbin").await[0].1, "up");
    // Lost with the pod.
    api.delete(&name, &DeleteParams::default()).await.unwrap();
    wait(20).await;
    assert!(targets(&client, SECURE, "httpbin").await.is_empty());
    let fresh = simulation.objects("Pod", "default");
    assert_eq!(fresh.len(), 1);
    assert_ne!(fresh[0]["metadata"]["name"], name);
}

#[tokio::test(start_paused = true)]
async fn the_published_recipe_of_one_namespace_is_down_until_it_is_repaired() {
    let (_, client) = builtin();
    apply(&client, "me", PROMETHEUS_POD).await;
    add_job(&client).await;
    // The page's `kubectl annotate pod`.
    let pod = pods(&client, "returns", "app=returns-api").await.remove(0);
    let mark = json!({"metadata": {"annotations": {"prometheus.istio.io/secure-port": "15091"}}});
    Api::<Pod>::namespaced(client.clone(), "returns")
        .patch(
            &pod.metadata.name.unwrap(),
            &PatchParams::default(),
            &Patch::Merge(&mark),
        )
        .await
        .unwrap();
    wait(40).await;
    let found = targets(&client, SECURE, "returns-api").await;
    assert_eq!(found.len(), 1);
    assert!(
        found[0].2.ends_with("connection reset by peer"),
        "{found:?}"
    );
    let repair = POLICIES
        .replace("namespace: default", "namespace: returns")
        .replace("app: httpbin, version: v1", "app: returns-api");
    apply(&client, "me", &repair).await;
    wait(10).await;
    assert_eq!(targets(&client, SECURE, "returns-api").await[0].1, "up");
}

#[tokio::test(start_paused = true)]
async fn up_lies_for_a_while_after_a_policy_has_gone() {
    let (simulation, client) = builtin();
    apply(&client, "me", PROMETHEUS_POD).await;
    add_job(&client).await;
    for text in [POLICIES, LISTENER, ANNOTATION] {
        apply(&client, "me", text).await;
    }
    wait(40).await;
    assert_eq!(targets(&client, SECURE, "httpbin").await[0].1, "up");
    simulation.remove("PeerAuthentication", "default", "metrics-httpbin");
    wait(20).await;
    assert_eq!(
        targets(&client, SECURE, "httpbin").await[0].1,
        "up",
        "on the connection from before"
    );
    wait(40).await;
    let found = targets(&client, SECURE, "httpbin").await;
    assert_eq!(found[0].1, "down");
    assert!(
        found[0].2.ends_with("connection reset by peer"),
        "{found:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reload_takes_what_the_kubelet_has_brought() {
    let (_, client) = builtin();
    let post = || {
        let request = http::Request::post(format!("{PROMETHEUS}/-/reload"))
            .body(Vec::new())
            .unwrap();
        client.request_text(request)
    };
    let loaded = async || {
        let info = get_json(&client, &format!("{PROMETHEUS}/api/v1/status/runtimeinfo")).await;
        info["data"]["reloadConfigSuccess"] == true
    };
    assert_eq!(post().await.unwrap(), "");
    assert!(loaded().await);
    // A configuration that cannot be read leaves the old one in place.
    let patch =
        json!({"data": {"prometheus.yml": "scrape_configs: [{job_name: a}, {job_name: a}]"}});
    let api = Api::<ConfigMap>::namespaced(client.clone(), "istio-system");
    api.patch("prometheus", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    wait(15).await;
    assert!(!loaded().await);
    assert_eq!(status(post().await.unwrap_err()).code, 500);
    assert!(!targets(&client, "kubernetes-pods", "").await.is_empty());
}
