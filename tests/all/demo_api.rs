//! The simulated API server through the client that the program uses on real clusters.

mod world;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions,
};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Error};
use meshscrape::demo::{Fault, Simulation};
use serde_json::{Value, json};

/// The shipped world, answering at once.
fn builtin() -> (Simulation, Client) {
    let simulation = Simulation::builtin();
    simulation.latency(false);
    let client = simulation.client();
    (simulation, client)
}

fn status(error: Error) -> kube::core::Status {
    match error {
        Error::Api(status) => *status,
        other => panic!("not an answer of the API: {other:?}"),
    }
}

async fn get(client: &Client, path: &str) -> Result<String, Error> {
    let request = http::Request::get(path)
        .body(Vec::new())
        .expect("a request");
    client.request_text(request).await
}

async fn get_json(client: &Client, path: &str) -> Value {
    let text = get(client, path)
        .await
        .unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}: {text}"))
}

fn dynamic(
    client: &Client,
    group: &str,
    version: &str,
    kind: &str,
    ns: &str,
) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::namespaced_with(client.clone(), ns, &resource)
}

/// Applies one or more YAML documents as `manager`, forcing.
async fn apply(client: &Client, manager: &str, yaml: &str) {
    for document in serde_yaml::Deserializer::from_str(yaml) {
        let object: Value = serde::Deserialize::deserialize(document).expect("YAML");
        let (api_version, kind) = (
            object["apiVersion"].as_str().unwrap(),
            object["kind"].as_str().unwrap(),
        );
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let ns = object["metadata"]["namespace"].as_str().unwrap();
        let api = dynamic(client, group, version, kind, ns);
        let params = PatchParams::apply(manager).force();
        api.patch(
            object["metadata"]["name"].as_str().unwrap(),
            &params,
            &Patch::Apply(&object),
        )
        .await
        .unwrap_or_else(|e| panic!("{kind}: {e:?}"));
    }
}

const PROMETHEUS: &str = "/api/v1/namespaces/istio-system/services/http:prometheus:9090/proxy";

/// `(scrapeUrl, health, lastError)` of the targets of a job, of one app where one is named.
async fn targets(client: &Client, job: &str, pod: &str) -> Vec<(String, String, String)> {
    let path = format!("{PROMETHEUS}/api/v1/targets?state=active&scrapePool={job}");
    let answer = get_json(client, &path).await;
    let text = |v: &Value| v.as_str().unwrap_or("").to_owned();
    answer["data"]["activeTargets"]
        .as_array()
        .expect("targets")
        .iter()
        .filter(|t| t["labels"]["pod"].as_str().unwrap_or("").starts_with(pod))
        .map(|t| {
            (
                text(&t["scrapeUrl"]),
                text(&t["health"]),
                text(&t["lastError"]),
            )
        })
        .collect()
}

async fn pods(client: &Client, ns: &str, selector: &str) -> Vec<Pod> {
    let params = ListParams::default().labels(selector);
    Api::<Pod>::namespaced(client.clone(), ns)
        .list(&params)
        .await
        .expect("pods")
        .items
}

#[tokio::test]
async fn a_version_and_a_list_come_as_from_a_real_server() {
    let (_, client) = builtin();
    assert_eq!(
        client.apiserver_version().await.unwrap().git_version,
        "v1.36.3"
    );
    let all = Api::<Deployment>::all(client.clone())
        .list(&ListParams::default())
        .await
        .unwrap();
    assert!(all.items.len() > 25, "{}", all.items.len());
    for deployment in &all.items {
        let name = deployment.metadata.name.as_deref().unwrap_or("");
        let status = deployment.status.as_ref().expect(name);
        assert_eq!(
            status.available_replicas, deployment.spec.replicas,
            "{name}"
        );
        assert!(
            deployment
                .metadata
                .managed_fields
                .as_ref()
                .is_some_and(|m| !m.is_empty()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn lists_page_by_limit_and_continue() {
    let (_, client) = builtin();
    let api = Api::<Pod>::all(client.clone());
    let whole = api.list(&ListParams::default()).await.unwrap();
    let mut names = Vec::new();
    let mut params = ListParams::default().limit(7);
    loop {
        let page = api.list(&params).await.unwrap();
        names.extend(page.items.iter().map(|p| p.metadata.name.clone().unwrap()));
        match page.metadata.continue_ {
            Some(token) => {
                let left = page.metadata.remaining_item_count.unwrap();
                assert_eq!(left as usize, whole.items.len() - names.len());
                params = params.continue_token(&token);
            }
            None => break,
        }
    }
    let expected: Vec<String> = whole
        .items
        .iter()
        .map(|p| p.metadata.name.clone().unwrap())
        .collect();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn selectors_choose_by_labels_and_fields() {
    let (_, client) = builtin();
    let found = pods(&client, "shop", "app in (cart, catalog),version!=v2").await;
    assert_eq!(found.len(), 4);
    let params = ListParams::default().fields("metadata.name=httpbin");
    let api = Api::<Deployment>::all(client.clone());
    assert_eq!(api.list(&params).await.unwrap().items.len(), 1);
    let wrong = api
        .list(&ListParams::default().fields("spec.replicas=1"))
        .await
        .unwrap_err();
    assert_eq!(status(wrong).code, 400);
}

#[tokio::test]
async fn sidecars_are_where_the_rules_put_them() {
    let (_, client) = builtin();
    for (ns, app, meshed) in [
        ("default", "httpbin", true),
        ("analytics", "reports", true),
        ("warehouse", "stock", false),
        ("search", "search-api", false),
        ("platform", "node-monitor", false),
    ] {
        let found = pods(&client, ns, &format!("app={app}")).await;
        assert!(!found.is_empty(), "{app}");
        for pod in found {
            let annotations = pod.metadata.annotations.unwrap_or_default();
            assert_eq!(
                annotations.contains_key("sidecar.istio.io/status"),
                meshed,
                "{app}"
            );
            if meshed {
                assert_eq!(annotations["prometheus.io/port"], "15020");
                let inits = pod.spec.unwrap().init_containers.unwrap();
                assert!(
                    inits
                        .iter()
                        .any(|c| c.name == "istio-proxy" && c.restart_policy.is_some())
                );
            }
        }
    }
    let ambient = pods(&client, "search", "app=search-api").await;
    assert_eq!(
        ambient[0].metadata.annotations.as_ref().unwrap()["ambient.istio.io/redirection"],
        "enabled"
    );
}

#[tokio::test]
async fn everything_is_scraped_in_plaintext_at_first() {
    let (_, client) = builtin();
    let found = targets(&client, "kubernetes-pods", "").await;
    assert!(found.len() > 30, "{}", found.len());
    for (url, health, error) in &found {
        assert_eq!(health, "up", "{url}: {error}");
    }
    let httpbin = targets(&client, "kubernetes-pods", "httpbin").await;
    assert_eq!(httpbin.len(), 1, "one target a pod: {httpbin:?}");
    assert!(httpbin[0].0.ends_with(":15020/stats/prometheus"));
    let up = get_json(
        &client,
        &format!("{PROMETHEUS}/api/v1/query?query=up%7Bjob%3D%22kubernetes-pods%22%7D"),
    )
    .await;
    assert_eq!(up["data"]["result"].as_array().unwrap().len(), found.len());
    assert_eq!(
        get(&client, &format!("{PROMETHEUS}/-/ready"))
            .await
            .unwrap(),
        "Prometheus Server is Ready.\n"
    );
}

#[tokio::test]
async fn an_apply_meets_the_owner_of_a_field() {
    let (simulation, client) = builtin();
    let api = dynamic(&client, "apps", "v1", "Deployment", "istio-system");
    let body = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "prometheus"},
        "spec": {"template": {"metadata": {"labels": {"sidecar.istio.io/inject": "true"}}}},
    });
    let before = simulation
        .object("Deployment", "istio-system", "prometheus")
        .unwrap();
    let refused = api
        .patch(
            "prometheus",
            &PatchParams::apply("meshscrape"),
            &Patch::Apply(&body),
        )
        .await;
    let refused = status(refused.unwrap_err());
    assert_eq!(refused.code, 409);
    let causes = refused.details.unwrap().causes;
    assert_eq!(causes.len(), 1);
    assert_eq!(causes[0].reason, "FieldManagerConflict");
    assert_eq!(
        causes[0].field,
        ".spec.template.metadata.labels.sidecar.istio.io/inject"
    );
    assert_eq!(
        causes[0].message,
        "conflict with \"kubectl-client-side-apply\" using apps/v1"
    );

    let dry = PatchParams::apply("meshscrape").force().dry_run();
    let shown = api
        .patch("prometheus", &dry, &Patch::Apply(&body))
        .await
        .unwrap();
    let label = "/spec/template/metadata/labels/sidecar.istio.io~1inject";
    assert_eq!(shown.data.pointer(label), Some(&json!("true")));
    assert_eq!(
        simulation
            .object("Deployment", "istio-system", "prometheus")
            .unwrap(),
        before,
        "a dry run stores nothing"
    );
}

#[tokio::test]
async fn locks_are_refused_without_ownership_causes() {
    let (_, client) = builtin();
    let api = dynamic(&client, "", "v1", "ConfigMap", "istio-system");
    let params = PatchParams::apply("meshscrape");
    for meta in [
        json!({"name": "prometheus", "resourceVersion": "1"}),
        json!({"name": "prometheus", "uid": "00000000-0000-0000-0000-000000000001"}),
        json!({"name": "gone", "uid": "00000000-0000-0000-0000-000000000001"}),
    ] {
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta});
        let name = body["metadata"]["name"].as_str().unwrap();
        let refused = status(
            api.patch(name, &params, &Patch::Apply(&body))
                .await
                .unwrap_err(),
        );
        assert_eq!((refused.code, refused.reason.as_str()), (409, "Conflict"));
        assert!(refused.details.unwrap().causes.is_empty());
    }
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap",
                      "metadata": {"name": "x", "managedFields": [{"manager": "m"}]}});
    assert_eq!(
        status(
            api.patch("x", &params, &Patch::Apply(&body))
                .await
                .unwrap_err()
        )
        .code,
        400
    );
}

#[tokio::test]
async fn a_failing_test_of_a_json_patch_is_422() {
    let (simulation, client) = builtin();
    let api = Api::<ConfigMap>::namespaced(client.clone(), "istio-system");
    let patch = |value: &str| -> json_patch_like::Patch {
        json_patch_like::of(json!([
            {"op": "test", "path": "/data/rule", "value": value},
            {"op": "replace", "path": "/data/rule", "value": "new"},
        ]))
    };
    simulation.put(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "notes", "namespace": "istio-system"}, "data": {"rule": "old"}}));
    let refused = send_patch(
        &client,
        "/api/v1/namespaces/istio-system/configmaps/notes",
        &patch("other"),
    )
    .await;
    assert_eq!(status(refused.unwrap_err()).code, 422);
    send_patch(
        &client,
        "/api/v1/namespaces/istio-system/configmaps/notes",
        &patch("old"),
    )
    .await
    .unwrap();
    assert_eq!(api.get("notes").await.unwrap().data.unwrap()["rule"], "new");
}

/// A JSON Patch as plain JSON: the typed form wants a feature that the program does not need.
mod json_patch_like {
    pub type Patch = Vec<u8>;
    pub fn of(value: serde_json::Value) -> Patch {
        value.to_string().into_bytes()
    }
}

async fn send_patch(client: &Client, path: &str, body: &[u8]) -> Result<Value, Error> {
    let request = http::Request::patch(path)
        .header("content-type", "application/json-patch+json")
        .body(body.to_vec())
        .expect("a request");
    client.request(request).await
}

#[tokio::test]
async fn a_delete_keeps_to_its_preconditions() {
    let (simulation, client) = builtin();
    let api = dynamic(&client, "networking.istio.io", "v1", "Sidecar", "loyalty");
    let live = api.get("default").await.unwrap();
    let with = |uid: &str, version: &str| DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: Some(version.to_owned()),
        }),
        ..DeleteParams::default()
    };
    let (uid, version) = (
        live.metadata.uid.unwrap(),
        live.metadata.resource_version.unwrap(),
    );
    for params in [with("other", &version), with(&uid, "1")] {
        assert_eq!(
            status(api.delete("default", &params).await.unwrap_err()).code,
            409
        );
    }
    api.delete("default", &with(&uid, &version).dry_run())
        .await
        .unwrap();
    assert!(simulation.object("Sidecar", "loyalty", "default").is_some());
    api.delete("default", &with(&uid, &version)).await.unwrap();
    assert!(simulation.object("Sidecar", "loyalty", "default").is_none());
}

#[tokio::test]
async fn what_is_not_simulated_says_so() {
    let (_, client) = builtin();
    let error = status(
        get(&client, "/api/v1/namespaces/default/pods/x/log")
            .await
            .unwrap_err(),
    );
    assert_eq!(error.code, 501);
    assert!(
        error
            .message
            .contains("not simulated: GET /api/v1/namespaces/default/pods/x/log")
    );
}

#[tokio::test]
async fn refusals_show_in_requests_and_in_reviews() {
    let (simulation, client) = builtin();
    simulation.deny("list", "", "namespaces", None);
    let error = Api::<Namespace>::all(client.clone())
        .list(&ListParams::default())
        .await
        .unwrap_err();
    let error = status(error);
    assert_eq!(error.code, 403);
    assert_eq!(
        error.message,
        "namespaces is forbidden: User \"demo\" cannot list resource \"namespaces\" in API group \"\" at the cluster scope"
    );
    let review = |resource: &str| {
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
               "spec": {"resourceAttributes": {"verb": "list", "resource": resource}}})
    };
    for (resource, allowed) in [("namespaces", false), ("pods", true)] {
        let request = http::Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            .header("content-type", "application/json")
            .body(review(resource).to_string().into_bytes())
            .unwrap();
        let answer: Value = client.request(request).await.unwrap();
        assert_eq!(answer["status"]["allowed"], allowed, "{resource}");
    }
    simulation.expire_token(true);
    assert_eq!(
        status(get(&client, "/version").await.unwrap_err()).code,
        401
    );
}

#[tokio::test]
async fn faults_happen_in_place_of_answers() {
    let (simulation, client) = builtin();
    simulation.fault(Box::new(|request| {
        request.path.starts_with("/version").then_some(Fault::Cut)
    }));
    assert!(!matches!(
        get(&client, "/version").await.unwrap_err(),
        Error::Api(_)
    ));
    assert!(get(&client, "/apis").await.is_ok());
}

#[tokio::test]
async fn a_dry_run_of_a_pod_shows_the_sidecar_or_pod_securitys_no() {
    let (simulation, client) = builtin();
    let pod: Pod = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"generateName": "httpbin-", "labels": {"app": "httpbin"}},
        "spec": {"containers": [{"name": "app", "image": "x:1"}]},
    }))
    .unwrap();
    let api = Api::<Pod>::namespaced(client.clone(), "default");
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let shown = api.create(&dry, &pod).await.unwrap();
    let names: Vec<String> = shown
        .spec
        .unwrap()
        .init_containers
        .unwrap()
        .into_iter()
        .map(|c| c.name)
        .collect();
    assert_eq!(names, ["istio-init", "istio-proxy"]);
    let before = simulation.objects("Pod", "default").len();

    let mut ns = simulation.object("Namespace", "", "default").unwrap();
    ns["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = json!("baseline");
    simulation.put(ns);
    let refused = status(api.create(&dry, &pod).await.unwrap_err());
    assert_eq!(refused.code, 403);
    assert!(refused.message.contains("violates PodSecurity \"baseline:latest\": non-default capabilities (container \"istio-init\" must not include \"NET_ADMIN\", \"NET_RAW\""), "{}", refused.message);
    assert_eq!(simulation.objects("Pod", "default").len(), before);
}
