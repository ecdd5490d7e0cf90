//! The Sidecar that opens the secure port leaves every inbound port as istiod has it.

use super::World;
use serde_json::{Value, json};

/// Number and protocol of every entry of the only Sidecar of ours, but for the secure port.
fn kept(world: &World, namespace: &str) -> Vec<(u64, Option<String>)> {
    let all = world.simulation.objects("Sidecar", namespace);
    let [only] = &all[..] else {
        panic!("{} Sidecars", all.len())
    };
    let entries = only["spec"]["ingress"].as_array().expect("ingress");
    let ports = entries.iter().map(|entry| &entry["port"]);
    ports
        .filter(|port| port["number"] != 15091)
        .map(|port| {
            let protocol = port["protocol"].as_str().map(str::to_owned);
            (port["number"].as_u64().expect("a number"), protocol)
        })
        .collect()
}

fn of(ports: &[(u64, &str)]) -> Vec<(u64, Option<String>)> {
    let protocol = |word: &str| (!word.is_empty()).then(|| word.to_owned());
    ports.iter().map(|(n, word)| (*n, protocol(word))).collect()
}

async fn applied(own: &str, args: &str) -> World {
    let world = World::of(own);
    let (code, words) = world.call(&format!("apply {args} --yes")).await.told();
    assert_eq!(code, 0, "{words}");
    world
}

/// What the plan says at the Sidecar of this name.
async fn said_at(world: &World, args: &str, name: &str) -> String {
    let plan = world.plan(args).await;
    let mut changes = plan["changes"].as_array().expect("changes").iter();
    let change = changes.find(|change| change["kind"] == "Sidecar" && change["name"] == name);
    change.unwrap_or_else(|| panic!("no {name}")).to_string()
}

fn workload(kind: &str, name: &str, labels: &Value) -> String {
    json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}},
                "spec": {"containers": [{"name": "app", "image": "example.org/app:1", "ports": [{"containerPort": 8080}]}]},
            },
        },
    })
    .to_string()
}

fn service(name: &str, created: &str, selector: &Value, ports: &Value) -> String {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": created},
        "spec": {"selector": selector, "ports": ports},
    })
    .to_string()
}

const OLD: &str = "2024-03-01T00:00:00Z";
const NEW: &str = "2026-03-01T00:00:00Z";

#[tokio::test(start_paused = true)]
async fn ports_of_server_first_protocols_stay_tcp_where_nothing_is_declared() {
    let app = json!({"app": "pg"});
    let world = applied(
        &[
            workload("Deployment", "mail", &app),
            service(
                "smtp",
                OLD,
                &app,
                &json!([{"name": "main", "port": 25, "targetPort": 1025}]),
            ),
            service("mongo", OLD, &app, &json!([{"port": 27017, "name": "db"}])),
            service(
                "named",
                OLD,
                &app,
                &json!([{"port": 3306, "targetPort": 3333, "name": "http"}]),
            ),
            service(
                "other",
                OLD,
                &app,
                &json!([{"port": 2525, "targetPort": 2526, "name": "main"}]),
            ),
            service(
                "dns",
                OLD,
                &app,
                &json!([{"port": 53, "targetPort": 5353, "name": "u", "protocol": "UDP"}]),
            ),
        ]
        .join("\n---\n"),
        "-n shop",
    )
    .await;
    let right = [
        (1025, "TCP"),
        (2526, ""),
        (3333, "HTTP"),
        (5353, "TCP"),
        (27017, "TCP"),
    ];
    assert_eq!(kept(&world, "shop"), of(&right));
}

#[tokio::test(start_paused = true)]
async fn of_services_that_disagree_the_oldest_stands_and_the_plan_says_so() {
    let app = json!({"app": "web"});
    let own = [
        workload("Deployment", "web", &app),
        service(
            "zz-first",
            OLD,
            &app,
            &json!([{"name": "app", "port": 80, "targetPort": 8080}]),
        ),
        service(
            "a-late",
            NEW,
            &app,
            &json!([{"name": "tcp-app", "port": 81, "targetPort": 8080}]),
        ),
        service(
            "b-late",
            NEW,
            &app,
            &json!([{"name": "grpc", "port": 7000}]),
        ),
        service(
            "yy-first",
            OLD,
            &app,
            &json!([{"name": "raw", "appProtocol": "tcp", "port": 7000}]),
        ),
    ]
    .join("\n---\n");
    let world = World::of(&own);
    let said = said_at(&world, "-n shop", "meshscrape-web").await;
    for object in ["zz-first", "a-late", "b-late", "yy-first"] {
        assert!(said.contains(object), "{object}: {said}");
    }
    let world = applied(&own, "-n shop").await;
    assert_eq!(kept(&world, "shop"), of(&[(7000, "TCP"), (8080, "")]));
}

#[tokio::test(start_paused = true)]
async fn services_by_a_running_pods_own_labels_and_service_entries_keep_their_ports() {
    let app = json!({"app": "kv"});
    let entry = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": {"name": "partner", "namespace": "shop"},
        "spec": {"hosts": ["kv.partner.example"], "resolution": "STATIC", "workloadSelector": {"labels": app},
            "ports": [{"number": 9443, "name": "tls-x", "protocol": "TLS", "targetPort": 9000}]},
    });
    let world = applied(
        &[
            workload("StatefulSet", "kv", &app),
            service("kv", OLD, &app, &json!([{"name": "http", "port": 8080}])),
            service(
                "kv-0",
                OLD,
                &json!({"statefulset.kubernetes.io/pod-name": "kv-0"}),
                &json!([{"name": "tcp-peer", "port": 5701}]),
            ),
            entry.to_string(),
        ]
        .join("\n---\n"),
        "-n shop",
    )
    .await;
    assert_eq!(
        kept(&world, "shop"),
        of(&[(5701, "TCP"), (8080, "HTTP"), (9000, "TLS")])
    );
}

/// A meshed pod that nobody made.
fn bare(labels: &Value) -> String {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "debug-copy", "namespace": "shop", "labels": labels},
        "spec": {"containers": [
            {"name": "app", "image": "example.org/app:1"}, {"name": "istio-proxy", "image": "example.org/proxyv2:1.30.2"},
        ]},
        "status": {"phase": "Running", "podIP": "10.9.0.9"},
    })
    .to_string()
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_nobody_is_named_and_its_ports_are_kept() {
    let app = json!({"app": "web"});
    let world = World::of(
        &[
            workload("Deployment", "web", &app),
            bare(&json!({"app": "web", "debug": "true"})),
            service("web", OLD, &app, &json!([{"name": "http", "port": 8080}])),
            service(
                "debug",
                OLD,
                &json!({"debug": "true"}),
                &json!([{"name": "tcp-dbg", "port": 5005}]),
            ),
        ]
        .join("\n---\n"),
    );
    let said = said_at(&world, "-n shop", "meshscrape-web").await;
    assert!(said.contains("shop/debug-copy"), "{said}");
    assert!(said.contains("5005"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn pods_whose_chains_differ_on_one_port_are_not_put_under_one_sidecar() {
    let app = json!({"app": "pg"});
    let world = World::of(
        &[
            workload("StatefulSet", "pg", &app),
            bare(&json!({"app": "pg", "role": "replica"})),
            service(
                "pg",
                OLD,
                &json!({"statefulset.kubernetes.io/pod-name": "pg-0"}),
                &json!([{"name": "tcp", "port": 5432}]),
            ),
            service(
                "pg-read",
                NEW,
                &json!({"app": "pg", "role": "replica"}),
                &json!([{"name": "sql", "port": 5432}]),
            ),
        ]
        .join("\n---\n"),
    );
    let (code, words) = world.call("plan -w shop/StatefulSet/pg").await.told();
    assert_ne!(code, 0, "{words}");
    for part in ["5432", "pg-0", "debug-copy", "pg-read"] {
        assert!(words.contains(part), "{part}: {words}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_with_the_workloads_labels_is_a_blocker() {
    let app = json!({"app": "web"});
    let machine = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry",
        "metadata": {"name": "vm-7", "namespace": "shop"},
        "spec": {"address": "192.0.2.7", "labels": {"app": "web", "on": "vm"}},
    });
    let own = [workload("Deployment", "web", &app), machine.to_string()].join("\n---\n");
    let (code, words) = World::of(&own)
        .call("plan -w shop/Deployment/web")
        .await
        .told();
    assert_ne!(code, 0, "{words}");
    assert!(words.contains("WorkloadEntry shop/vm-7"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn two_workloads_whose_names_look_alike_have_objects_of_their_own() {
    let world = applied(
        &[
            workload("StatefulSet", "db", &json!({"app": "db"})),
            workload("Deployment", "db-sts", &json!({"app": "other"})),
            workload("DaemonSet", "db-sts", &json!({"app": "third"})),
        ]
        .join("\n---\n"),
        "-n shop",
    )
    .await;
    for kind in ["Sidecar", "PeerAuthentication", "AuthorizationPolicy"] {
        let all = world.simulation.objects(kind, "shop");
        let labels = all.iter().map(|object| {
            let spec = &object["spec"];
            let selector = spec.pointer("/selector/matchLabels/app");
            let selector = selector.or_else(|| spec.pointer("/workloadSelector/labels/app"));
            selector
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        });
        let labels: std::collections::BTreeSet<String> = labels.collect();
        assert_eq!(
            labels,
            ["db", "other", "third"].map(str::to_owned).into(),
            "{kind}"
        );
    }
}
