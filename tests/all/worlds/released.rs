//! After an undo nothing stands under this program's name, and the next plan is as on the first day.

use super::{WEB, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A Prometheus whose injection a person has switched off.
const OFF: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: prometheus, namespace: istio-system}
spec:
  selector: {matchLabels: {app: prometheus}}
  template:
    metadata: {labels: {app: prometheus, sidecar.istio.io/inject: "false"}}
    spec:
      serviceAccountName: prometheus
      containers:
      - name: reload
        image: example.org/prometheus-config-reloader:v1
        args: [--watched-dir=/etc/config, "--reload-url=http://localhost:9090/-/reload"]
        volumeMounts: [{name: config-volume, mountPath: /etc/config}]
      - name: prometheus-server
        image: docker.io/prom/prometheus:v3.10.0
        args: [--config.file=/etc/config/prometheus.yml, --storage.tsdb.path=/data, --web.enable-lifecycle]
        ports: [{containerPort: 9090}]
        volumeMounts: [{name: config-volume, mountPath: /etc/config}, {name: data, mountPath: /data}]
      volumes:
      - {name: config-volume, configMap: {name: prometheus}}
      - {name: data, persistentVolumeClaim: {claimName: prometheus}}
"#;

/// A second workload.
const API: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}, annotations: {prometheus.io/scrape: "true", prometheus.io/port: "8080"}}
    spec:
      containers: [{name: api, image: "example.org/api:1", ports: [{name: http, containerPort: 8080}]}]
"#;

const APPLY: &str = "apply -w shop/Deployment/web --yes";
const KINDS: [&str; 4] = ["Deployment", "ConfigMap", "Namespace", "Sidecar"];

fn world() -> World {
    World::of(&format!("{WEB}\n---\n{OFF}\n---\n{API}"))
}

type Owned = BTreeMap<String, Vec<(String, Value)>>;

/// Who owns which fields of every object, but for what controllers report.
fn owners(world: &World) -> Owned {
    let mut all = Owned::new();
    for kind in KINDS {
        for object in world.simulation.objects(kind, "") {
            let meta = &object["metadata"];
            let mut owned: Vec<(String, Value)> = meta["managedFields"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|entry| entry["subresource"].as_str().unwrap_or_default().is_empty())
                .map(|entry| {
                    let manager = format!("{}/{}", entry["manager"], entry["operation"]);
                    (manager.replace('"', ""), entry["fieldsV1"].clone())
                })
                .collect();
            owned.sort_by_key(|(manager, _)| manager.clone());
            let name = format!("{kind} {}/{}", meta["namespace"], meta["name"]);
            all.insert(name.replace('"', ""), owned);
        }
    }
    all
}

fn differing(before: &Owned, after: &Owned) -> Vec<String> {
    let differs = before
        .iter()
        .filter(|(name, owned)| after.get(*name) != Some(owned));
    differs
        .map(|(name, owned)| format!("{name}\n  {owned:?}\n  {:?}", after.get(name)))
        .collect()
}

fn ours(owned: &Owned) -> Vec<&String> {
    let ours = |of: &&String| {
        owned[*of]
            .iter()
            .any(|(by, _)| by.starts_with("meshscrape/"))
    };
    owned.keys().filter(ours).collect()
}

async fn did(world: &World, args: &str) -> String {
    let (code, words) = world.call(args).await.told();
    assert_eq!(code, 0, "{args}: {words}");
    words
}

/// The plan without what is of its moment.
async fn plan(world: &World) -> Value {
    let mut plan = world.plan("-w shop/Deployment/web").await;
    let run = plan["run"].as_str().unwrap().to_owned();
    plan["changes"] = Value::from(
        plan["changes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|change| change["part"] != "journal")
            .map(|change| change.to_string().replace(&run, ""))
            .collect::<Vec<_>>(),
    );
    plan["run"] = json!(null);
    // Names and addresses of pods.
    plan["forecast"] = json!(null);
    plan
}

#[tokio::test(start_paused = true)]
async fn after_an_undo_every_field_has_the_owner_of_the_first_day() {
    let world = world();
    let (first, before) = (plan(&world).await, owners(&world));
    did(&world, APPLY).await;
    assert!(!ours(&owners(&world)).is_empty());
    did(&world, "undo --yes").await;
    let left = differing(&before, &owners(&world));
    assert!(left.is_empty(), "{}", left.join("\n"));
    assert_eq!(plan(&world).await, first);
    // And once more.
    did(&world, APPLY).await;
    did(&world, "undo --yes").await;
    assert_eq!(differing(&before, &owners(&world)), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn without_a_record_nothing_stays_under_our_name_either() {
    let world = world();
    did(&world, APPLY).await;
    did(&world, "undo --without-record --yes").await;
    let after = owners(&world);
    assert_eq!(ours(&after), [""; 0], "{after:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_an_older_run_applied_stays_ours_until_it_is_undone_too() {
    let world = world();
    let before = owners(&world);
    did(&world, APPLY).await;
    let one = owners(&world);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    did(&world, "apply -w shop/Deployment/api --yes").await;
    did(&world, "undo --yes").await;
    assert_eq!(differing(&one, &owners(&world)), [""; 0]);
    did(&world, "undo --yes").await;
    assert_eq!(differing(&before, &owners(&world)), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_undone_is_released_and_the_rest_stays_ours() {
    let world = world();
    let before = owners(&world);
    did(
        &world,
        "apply -w shop/Deployment/web shop/Deployment/api --yes",
    )
    .await;
    let all = owners(&world);
    did(&world, "undo --only shop/Deployment/api --yes").await;
    let after = owners(&world);
    let api = "Deployment shop/api";
    assert_eq!(after[api], before[api]);
    for kept in [
        "Deployment shop/web",
        "Deployment istio-system/prometheus",
        "ConfigMap istio-system/prometheus",
    ] {
        assert_eq!(after[kept], all[kept], "{kept}");
    }
    did(&world, "undo --yes").await;
    assert_eq!(differing(&before, &owners(&world)), [""; 0]);
}

/// What the undo of an earlier version left under our name is reported as nobody's.
#[tokio::test(start_paused = true)]
async fn a_field_under_our_name_is_no_persons() {
    let world = world();
    let patch = json!([
        {"op": "replace", "path": "/spec/template/metadata/labels/sidecar.istio.io~1inject", "value": "no"},
    ]);
    let path =
        "/apis/apps/v1/namespaces/istio-system/deployments/prometheus?fieldManager=meshscrape";
    let request = http::Request::patch(path)
        .header("content-type", "application/json-patch+json")
        .body(patch.to_string().into_bytes())
        .unwrap();
    world
        .simulation
        .client()
        .request_text(request)
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let found = world.plan("-w shop/Deployment/web").await;
    let conflicts: Vec<&Value> = found["changes"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|change| change["conflicts"].as_array().unwrap())
        .filter(|conflict| conflict["manager"] == "meshscrape")
        .collect();
    assert!(conflicts.is_empty(), "{conflicts:#?}");
    did(&world, APPLY).await;
}
