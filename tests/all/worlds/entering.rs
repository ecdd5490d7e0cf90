//! Workloads that are not in the mesh yet: who lets them in, what the injector makes of their pods, and what of their
//! metrics goes.

use super::{WEB, World};
use meshscrape::problems::Code;
use meshscrape::words::say::commands::review as blocked;
use serde_json::Value;

/// `web` is in the mesh; `old` runs in a namespace that no label has opened to the injector.
const OUTSIDE: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: yard}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: old, namespace: yard}
spec:
  replicas: 2
  selector: {matchLabels: {app: old}}
  template:
    metadata: {labels: {app: old}, annotations: {prometheus.io/scrape: "true", prometheus.io/port: "8080"}}
    spec:
      containers: [{name: old, image: "example.org/old:1", ports: [{name: http, containerPort: 8080}]}]
---
"#;

fn outside(more: &str) -> World {
    World::of(&format!("{OUTSIDE}{WEB}{more}"))
}

fn of_kind<'a>(plan: &'a Value, part: &'a str, name: &'a str) -> Option<&'a Value> {
    plan["changes"]
        .as_array()?
        .iter()
        .find(|change| change["part"] == part && change["name"] == name)
}

fn impacts(change: &Value) -> Vec<&str> {
    let all = change["impacts"].as_array().into_iter().flatten();
    all.filter_map(|impact| impact["kind"].as_str()).collect()
}

/// The evidence of what a list holds of a workload by this name of a problem.
fn of_problem<'a>(list: &'a Value, problem: &str, workload: &str) -> Option<&'a Value> {
    let mut all = list.as_array()?.iter();
    let found = all.find(|one| one["name"] == problem && one["subject"]["name"] == workload)?;
    Some(&found["evidence"])
}

#[tokio::test(start_paused = true)]
async fn a_namespace_skips_what_is_not_in_the_mesh_and_names_it() {
    let world = outside("");
    let plan = world.plan("-n yard shop").await;
    assert!(of_kind(&plan, "annotation", "web").is_some(), "{plan}");
    assert!(of_kind(&plan, "annotation", "old").is_none(), "{plan}");
    let skipped = of_problem(&plan["skipped"], "NoSidecarYet", "old");
    assert!(skipped.is_some(), "{plan}");
    assert_eq!(of_problem(&plan["skipped"], "NoSidecarYet", "web"), None);
    let (code, words) = world.call("apply -n yard shop --yes").await.told();
    assert_eq!(code, 0, "{words}");
    assert!(world.simulation.objects("Sidecar", "yard").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_workload_named_by_itself_is_refused_without_the_flag() {
    let world = outside("");
    for args in [
        "plan -w yard/Deployment/old",
        "apply --yes -w yard/Deployment/old shop/Deployment/web",
        "plan -n yard",
    ] {
        let (code, words) = world.call(args).await.told();
        assert_eq!(code, 4, "{args}: {words}");
        let names = ["yard/Deployment/old", "Deployment yard/old"];
        assert!(names.iter().any(|name| words.contains(name)), "{words}");
        assert!(words.contains("--inject"), "{words}");
    }
    assert!(world.simulation.objects("Sidecar", "shop").is_empty());
}

#[tokio::test(start_paused = true)]
async fn with_the_flag_it_enters_and_that_is_an_impact_of_its_own() {
    let world = outside("");
    for args in ["-n yard --inject", "-w yard/Deployment/old --inject"] {
        let plan = world.plan(args).await;
        let annotation = of_kind(&plan, "annotation", "old").unwrap_or_else(|| panic!("{plan}"));
        assert_eq!(
            impacts(annotation),
            ["restarts", "firstSidecar"],
            "{annotation}"
        );
    }
    let (code, words) = world.call("apply -n yard --inject --yes").await.told();
    assert_eq!(code, 0, "{words}");
    // From then on it is in the mesh.
    let (code, words) = world.call("plan -n yard").await.told();
    assert_eq!(code, 0, "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_that_any_restart_would_bring_is_a_decision_too() {
    // Its pods are from before the namespace's label.
    let world = outside("");
    world
        .simulation
        .put(serde_json::json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "yard", "labels": {"istio-injection": "enabled"}}}));
    for (args, expected) in [("", 4), ("--inject", 2)] {
        let args = format!("plan -w yard/Deployment/old {args}");
        let (code, words) = world.call(&args).await.told();
        assert_eq!(code, expected, "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_of_before_load_and_ask_for_the_flag() {
    let world = outside("");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answers.yaml");
    let text = "version: 1\nanswers:\n  workloads: [yard/Deployment/old]\n";
    std::fs::write(&file, text).unwrap();
    let args = format!("plan --answers {}", file.display());
    assert_eq!(world.call(&args).await.told().0, 4);
    assert_eq!(world.call(&format!("{args} --inject")).await.told().0, 2);
    std::fs::write(
        &file,
        format!("{text}  firstSidecar: [yard/Deployment/old]\n"),
    )
    .unwrap();
    assert_eq!(world.call(&args).await.told().0, 2);
}

/// Two ports that are scraped today, since no annotation names one.
const TWO_PORTS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: two, namespace: yard}
spec:
  selector: {matchLabels: {app: two}}
  template:
    metadata: {labels: {app: two}, annotations: {prometheus.io/scrape: "true"}}
    spec:
      containers: [{name: two, image: "example.org/two:1", ports: [{containerPort: 8080}, {containerPort: 9102}]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: tls, namespace: yard}
spec:
  selector: {matchLabels: {app: tls}}
  template:
    metadata: {labels: {app: tls}, annotations: {prometheus.io/scrape: "true", prometheus.io/port: "8443", prometheus.io/scheme: https}}
    spec:
      containers: [{name: tls, image: "example.org/tls:1", ports: [{containerPort: 8443}]}]
---
"#;

#[tokio::test(start_paused = true)]
async fn metrics_that_a_first_sidecar_would_lose_are_named_and_their_scrape_stays() {
    let world = World::of(&format!("{OUTSIDE}{TWO_PORTS}{WEB}"));
    let plan = world
        .plan("-w yard/Deployment/two yard/Deployment/tls yard/Deployment/old --inject")
        .await;
    let lost = |name: &str| {
        let stays = of_problem(&plan["problems"], "PlaintextScrapeStays", name);
        stays.map(|evidence| &evidence["lost"]["byAgent"])
    };
    assert_eq!(
        lost("two").unwrap()["ports"],
        serde_json::json!([8080, 9102])
    );
    assert_eq!(lost("tls").unwrap()["https"], true);
    assert_eq!(lost("old"), None);
    let merging = |name: &str| {
        let annotation = of_kind(&plan, "annotation", name).unwrap_or_else(|| panic!("{plan}"));
        let diff = annotation["diff"].to_string();
        diff.contains("prometheus.istio.io/merge-metrics")
    };
    assert!(merging("two") && merging("tls"), "{plan}");
    assert!(!merging("old"), "{plan}");

    let (code, words) = world
        .call("apply -w yard/Deployment/two --inject --yes")
        .await
        .told();
    assert!(matches!(code, 0 | 3), "{code}: {words}");
    // The injector has left the annotations of today's scrape as they are.
    let pods = world.simulation.objects("Pod", "yard");
    let two = pods
        .iter()
        .find(|pod| pod["metadata"]["labels"]["app"] == "two");
    let annotations = &two.unwrap()["metadata"]["annotations"];
    assert_eq!(
        annotations["prometheus.io/port"],
        Value::Null,
        "{annotations}"
    );
    let maps = world.simulation.objects("ConfigMap", "istio-system");
    let text = maps
        .iter()
        .find_map(|map| map["data"]["prometheus.yml"].as_str())
        .unwrap();
    let plaintext = text
        .split("job_name")
        .find(|job| job.contains("kubernetes-pods"));
    assert!(plaintext.is_some(), "{text}");
    // And the next plan still knows why.
    let again = world.plan("-w yard/Deployment/two").await;
    let stays = of_problem(&again["problems"], "PlaintextScrapeStays", "two");
    assert!(stays.is_some(), "{again}");
}

/// A pod from before the upgrade, and the injector of 1.31.
fn annotated(annotations: &str) -> String {
    WEB.replace(
        r#"prometheus.io/scrape: "true", prometheus.io/port: "8080""#,
        annotations,
    )
}

#[tokio::test(start_paused = true)]
async fn a_port_that_the_injector_refuses_is_seen_without_the_right_to_ask() {
    for annotations in [
        r#"prometheus.io/scrape: "true", prometheus.io/port: "15090""#,
        r#"prometheus.io/scrape: "true", prometheus.io/port: http-metrics"#,
        r#"prometheus.io.port: "15021""#,
        r#"prometheus.istio.io/scrape-targets: "8080:/a,15020:/b""#,
    ] {
        let world = World::of(&annotated(annotations));
        for asks in [true, false] {
            if !asks {
                world.simulation.deny("create", "", "pods", None);
            }
            for args in [
                "plan -n shop",
                "apply --yes -w shop/Deployment/web --unchecked-pods",
            ] {
                let (code, words) = world.call(args).await.told();
                assert_eq!(code, 4, "{annotations} {args}: {words}");
                let refuses = Code::InjectorRefuses;
                assert!(crate::tells(&words, refuses, "injector refuses"), "{words}");
            }
        }
        assert!(world.simulation.objects("Sidecar", "shop").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn who_refuses_is_the_control_plane_of_the_revision() {
    let old = |version: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: istiod, namespace: istio-system, labels: {{app: istiod, istio.io/rev: default}}}}\n\
             spec:\n  selector: {{matchLabels: {{app: istiod}}}}\n  template:\n    metadata: {{labels: {{app: istiod, sidecar.istio.io/inject: \"false\"}}}}\n    \
             spec: {{containers: [{{name: discovery, image: \"docker.io/istio/pilot:{version}\"}}]}}\n---\n"
        )
    };
    let bad = annotated(r#"prometheus.io/scrape: "true", prometheus.io/port: "15090""#);
    for (version, code) in [("1.30.4", 2), ("1.31.1", 4)] {
        let world = World::of(&format!("{}{bad}", old(version)));
        let (found, words) = world.call("plan -n shop").await.told();
        assert_eq!(found, code, "{version}: {words}");
    }
    let off = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n\
               data: {mesh: \"enablePrometheusMerge: false\"}\n---\n";
    let world = World::of(&format!("{off}{bad}"));
    let (found, words) = world.call("plan -n shop").await.told();
    assert_eq!(found, 2, "{words}");
}

#[tokio::test(start_paused = true)]
async fn pods_that_nobody_could_check_take_a_flag() {
    let world = World::of(WEB);
    world.simulation.deny("create", "", "pods", None);
    let (code, words) = world.call("plan -n shop").await.told();
    assert_eq!(code, 2, "{words}");
    assert!(words.contains(blocked::REQUIRES_UNCHECKED_PODS), "{words}");
    let (code, words) = world.call("apply -n shop --yes").await.told();
    assert_eq!(code, 4, "{words}");
    assert!(words.contains(blocked::RESTART_UNCHECKED), "{words}");
    assert!(world.simulation.objects("Sidecar", "shop").is_empty());
    let (code, words) = world
        .call("apply -n shop --yes --unchecked-pods")
        .await
        .told();
    assert_eq!(code, 0, "{words}");
    // The way back takes none.
    let (code, words) = world.call("undo --yes").await.told();
    assert_eq!(code, 0, "{words}");
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_can_only_leave_it_as_bad_goes_on() {
    // Merging is off while it is secured, and comes on afterwards: from then on neither template's pods are taken.
    let off = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n\
               data: {mesh: \"enablePrometheusMerge: false\"}\n---\n";
    let bad = annotated(r#"prometheus.io/scrape: "true", prometheus.io/port: "15090""#);
    let world = World::of(&format!("{off}{bad}"));
    let (code, words) = world.call("apply -n shop --yes --port 15090").await.told();
    assert!(matches!(code, 0 | 3), "{code}: {words}");
    assert_eq!(world.simulation.objects("Sidecar", "shop").len(), 1);
    let mut map = world
        .simulation
        .objects("ConfigMap", "istio-system")
        .into_iter()
        .find(|map| map["metadata"]["name"] == "istio")
        .unwrap();
    map["data"]["mesh"] = "enablePrometheusMerge: true".into();
    let (_, words) = world.call("undo").await.told();
    crate::absent(Code::PodsRefusedAnyway, &words);
    world.simulation.put(map);
    let (_, words) = world.call("undo").await.told();
    assert!(words.contains(Code::PodsRefusedAnyway.text()), "{words}");
    let (code, words) = world.call("undo --yes --timeout 120").await.told();
    assert_eq!(code, 0, "{words}");
    assert!(world.simulation.objects("Sidecar", "shop").is_empty());
    let deployments = world.simulation.objects("Deployment", "shop");
    let annotations = &deployments[0]["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations["prometheus.istio.io/secure-port"], Value::Null);
}

/// The injector's own ConfigMap.
fn injector(config: &str) -> String {
    let config: Value = serde_yaml::from_str(config).unwrap();
    let map = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "istio-sidecar-injector", "namespace": "istio-system"},
        "data": {"config": config.to_string()}});
    format!("{map}\n---\n")
}

#[tokio::test(start_paused = true)]
async fn what_the_injectors_own_policy_leaves_out_is_a_blocker() {
    let never = "{policy: enabled, neverInjectSelector: [{matchExpressions: [{key: app, operator: In, values: [web]}]}]}";
    // Without any injection Prometheus gets no certificate either: there is nothing to choose.
    for (policy, problem, named, expected) in [
        (never, Code::NeverInjected, "neverInjectSelector", 4),
        (
            "{policy: broken}",
            Code::InjectionPolicyInvalid,
            "broken",
            1,
        ),
    ] {
        let world = World::of(&format!("{}{WEB}", injector(policy)));
        for args in [
            "plan -w shop/Deployment/web --inject",
            "apply -n shop --yes --inject",
        ] {
            let (code, words) = world.call(args).await.told();
            assert_eq!(code, expected, "{policy}: {words}");
            assert!(crate::tells(&words, problem, named), "{words}");
            assert!(words.contains("istio-sidecar-injector"), "{words}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_dry_run_of_a_pod_shows_what_could_not_be_read() {
    let never = "{policy: enabled, neverInjectSelector: [{matchLabels: {app: web}}]}";
    let world = World::of(&format!("{}{WEB}", injector(never)));
    world.simulation.fault(Box::new(|request| {
        let unread = request.path.contains("/configmaps/istio-sidecar-injector");
        let words = "configmaps is forbidden".to_owned();
        unread.then_some(meshscrape::demo::Fault::Status(403, words))
    }));
    let plan = world.plan("-w shop/Deployment/web --inject").await;
    let annotation = of_kind(&plan, "annotation", "web").unwrap_or_else(|| panic!("{plan}"));
    assert_eq!(annotation["pod"]["verdict"], "unfit", "{annotation}");
    assert_eq!(annotation["state"], "refused", "{annotation}");
    let (code, words) = world.call("apply -n shop --yes --inject").await.told();
    assert_eq!(code, 4, "{words}");
    assert!(world.simulation.objects("Sidecar", "shop").is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_secure_port_leads_to_wherever_the_agent_serves() {
    let at = |port: &str| {
        annotated(&format!(
            r#"prometheus.io/scrape: "true", prometheus.io/port: "8080", status.sidecar.istio.io/port: "{port}""#
        ))
    };
    let args = |port: &str| format!("-w shop/Deployment/web --port {port}");
    for (agent, port, leads) in [
        ("15999", "15020", "127.0.0.1:15999"),
        ("15999", "15090", "127.0.0.1:15090"),
        ("0", "15090", "127.0.0.1:15090"),
    ] {
        let world = World::of(&at(agent));
        let apply = format!("apply {} --yes --lose-history", args(port));
        let (code, words) = world.call(&apply).await.told();
        assert_eq!(code, 0, "{agent} {port}: {words}");
        let sidecars = world.simulation.objects("Sidecar", "shop");
        let entry = &sidecars[0]["spec"]["ingress"][0];
        assert_eq!(entry["defaultEndpoint"], leads);
        let (code, words) = world.call(&format!("plan {}", args(port))).await.told();
        assert_eq!(code, 0, "{agent} {port}: {words}");
    }
    // Switched off there is nothing behind 15020.
    let world = World::of(&at("0"));
    let (code, words) = world.call(&format!("plan {}", args("15020"))).await.told();
    assert_eq!(code, 4, "{words}");
    let way_out = "--port-of shop/Deployment/web=15090";
    assert!(
        crate::tells(&words, Code::StatusPortOff, way_out),
        "{words}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_waits_for_labels_gets_one_with_the_flag() {
    let world = World::of(&format!("{}{WEB}", injector("{policy: disabled}")));
    let (code, words) = world.call("plan -n shop").await.told();
    assert_eq!(code, 4, "{words}");
    let (code, words) = world.call("apply -n shop --inject --yes").await.told();
    assert_eq!(code, 0, "{words}");
}
