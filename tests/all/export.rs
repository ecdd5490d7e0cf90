//! An export on the simulated cluster: its script, read line by line and done by the requests that kubectl would
//! send, ends where an apply ends; and what must not stand in it does not.

mod script;

use crate::called::call;
use crate::journeys::{Journey, Objects, choose, choose_gateway, differing};
use meshscrape::answers::{Annotate, Answers};
use meshscrape::engine::event::Ended;
use meshscrape::engine::folder;
use meshscrape::engine::review::review;
use meshscrape::plan::export::{Export, Setup, export};
use meshscrape::plan::review::{Review, RunId};
use meshscrape::recipe;
use meshscrape::world::Demo;
use script::Script;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

async fn exported(journey: &Journey, answers: &Answers) -> (Export, Setup) {
    let mesh = journey.mesh().await;
    let (plan, setup) = recipe::for_export(&mesh, answers).unwrap();
    let run = RunId::new(journey.session.clock.now());
    let mut asked = Review::new("demo", run, plan);
    for manager in &answers.take {
        asked.take(manager.clone());
    }
    let reviewed = review(&journey.session.cluster, asked, &|_| {}).await;
    (export(&reviewed, &setup), setup)
}

/// What lasts of a run: its record, its lock and its name are no part of an export.
fn lasting(journey: &Journey) -> Objects {
    let mut objects = journey.objects();
    objects.retain(|name, _| !name.starts_with("Secret ") && !name.starts_with("Lease "));
    for object in objects.values_mut() {
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.remove("uid");
        metadata.remove("creationTimestamp");
        let owners = metadata.get_mut("ownerReferences");
        for owner in owners.and_then(Value::as_array_mut).into_iter().flatten() {
            owner.as_object_mut().unwrap().remove("uid");
        }
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.remove("meshscrape.dev/run");
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    objects
}

/// Apply on one cluster, the script on another of the same kind: the same end.
async fn same_end(before: impl Fn(&Journey), answers: &Answers) -> Export {
    let applied = Journey::new();
    before(&applied);
    settle().await;
    let outcome = applied.apply(answers).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", applied.told());
    settle().await;

    let scripted = Journey::new();
    before(&scripted);
    settle().await;
    let (export, _) = exported(&scripted, answers).await;
    assert!(export.by_owner.is_empty(), "{:?}", export.by_owner);
    assert!(export.left_out.is_empty(), "{:?}", export.left_out);
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out");
    folder::put(&export, &to, false).unwrap();
    Script::read(&to).run(&scripted.simulation).await;
    settle().await;
    scripted.dressed();

    assert_eq!(
        differing(&lasting(&applied), &lasting(&scripted)),
        [""; 0],
        "apply (first) and the script (second) end apart"
    );
    // Both own what they wrote under the same name and in the same way.
    scripted.nothing_to_change(answers).await;
    let (again, _) = exported(&scripted, answers).await;
    assert_eq!(again, Export::default());
    export
}

async fn settle() {
    tokio::time::sleep(Duration::from_secs(120)).await;
}

#[tokio::test(start_paused = true)]
async fn the_script_ends_where_an_apply_ends() {
    let mut answers = choose(&["default/Deployment/httpbin", "shop/StatefulSet/sessions"]);
    answers.gateways = choose_gateway("istio-system", "istio-ingressgateway").gateways;
    let export = same_end(|_| {}, &answers).await;
    let paths: Vec<&str> = export.files.iter().map(|f| f.path.as_str()).collect();
    for start in [
        "README.md",
        "apply.sh",
        "kustomization.yaml",
        "patches/kustomization.yaml",
        "prometheus/scrape-job.yaml",
        "prometheus/old-jobs-rule.yaml",
    ] {
        assert!(paths.contains(&start), "{start} is not in {paths:?}");
    }
    // The Prometheus of Istio's sample is of no chart whose values would be kept.
    assert!(!paths.iter().any(|path| path.starts_with("values/")));
}

#[tokio::test(start_paused = true)]
async fn running_pods_are_marked_by_the_script_too() {
    let mut answers = choose(&["default/Deployment/httpbin"]);
    answers.options.annotate = Annotate::Pods;
    let export = same_end(|_| {}, &answers).await;
    assert!(
        !export
            .files
            .iter()
            .any(|f| f.path.starts_with("patches/") && f.text.contains("kind: Pod\n"))
    );
}

/// The published recipe, which the plan repairs by deletions and single leaves.
fn published(journey: &Journey) {
    let simulation = &journey.simulation;
    simulation.put(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Sidecar",
        "metadata": {"name": "secure-metrics", "namespace": "default"},
        "spec": {"ingress": [{"port": {"number": 15091, "protocol": "HTTP", "name": "https-metrics"},
            "defaultEndpoint": "127.0.0.1:15020"}]},
    }));
    simulation.put(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Gateway",
        "metadata": {"name": "httpbin-gateway", "namespace": "istio-system"},
        "spec": {"selector": {"istio": "ingressgateway"}, "servers": [
            {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]},
            {"port": {"number": 15091, "name": "https-metrics", "protocol": "HTTPS"},
             "tls": {"mode": "ISTIO_MUTUAL"}, "hosts": ["*"]}]},
    }));
    let mut prometheus = simulation
        .object("Deployment", "istio-system", "prometheus")
        .unwrap();
    let pod = &mut prometheus["spec"]["template"]["spec"];
    let volumes = pod["volumes"].as_array_mut().unwrap();
    volumes.push(json!({"name": "istio-certs", "secret": {"secretName": "istio.default"}}));
    simulation.put(prometheus);
}

#[tokio::test(start_paused = true)]
async fn deletions_and_single_leaves_come_out_the_same() {
    let mut answers = choose(&["default/Deployment/httpbin"]);
    answers.gateways = choose_gateway("istio-system", "istio-ingressgateway").gateways;
    let export = same_end(published, &answers).await;
    let script = &export
        .files
        .iter()
        .find(|f| f.path == "apply.sh")
        .unwrap()
        .text;
    assert!(
        script.contains(
            "\nremove '/apis/networking.istio.io/v1/namespaces/default/sidecars/secure-metrics' "
        ),
        "{script}"
    );
    assert!(
        script.contains("\nedit 'deployments.apps' 'istio-system' 'prometheus' "),
        "{script}"
    );
    assert!(
        script.contains("\nedit 'gateways.networking.istio.io' 'istio-system' 'httpbin-gateway' "),
        "{script}"
    );
    let of_volume = export
        .files
        .iter()
        .find(|f| f.path.starts_with("patches/") && f.text.contains("istio-certs"))
        .unwrap();
    assert!(
        of_volume.text.contains("secret: null"),
        "{}",
        of_volume.text
    );
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_changed_since_is_not_edited() {
    let journey = Journey::new();
    let (export, _) = exported(&journey, &choose(&["default/Deployment/httpbin"])).await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out");
    folder::put(&export, &to, false).unwrap();
    let mut map = journey
        .simulation
        .object("ConfigMap", "istio-system", "prometheus")
        .unwrap();
    let text = map["data"]["prometheus.yml"].as_str().unwrap();
    map["data"]["prometheus.yml"] = format!("{text}# mine\n").into();
    journey.simulation.put(map.clone());
    let why = Script::read(&to)
        .try_run(&journey.simulation)
        .await
        .unwrap_err();
    assert!(why.contains("was changed since the export"), "{why}");
    let now = journey
        .simulation
        .object("ConfigMap", "istio-system", "prometheus");
    assert_eq!(now.unwrap()["data"], map["data"]);
}

#[tokio::test(start_paused = true)]
async fn what_helm_owns_is_for_helm_and_the_rest_waits_for_it() {
    let journey = Journey::new();
    for kind in ["Deployment", "ConfigMap"] {
        let mut object = journey
            .simulation
            .object(kind, "istio-system", "prometheus")
            .unwrap();
        object["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm".into();
        object["metadata"]["labels"]["helm.sh/chart"] = "prometheus-28.1.0".into();
        object["metadata"]["annotations"] = json!({"meta.helm.sh/release-name": "prom",
            "meta.helm.sh/release-namespace": "istio-system"});
        journey.simulation.put(object);
    }
    let mut answers = choose(&["default/Deployment/httpbin"]);
    answers.prometheus = Some("istio-system/Deployment/prometheus".parse().unwrap());
    assert!(
        recipe::plan(&*journey.mesh().await, &answers).is_err(),
        "greyed in the wizard"
    );
    let (export, _) = exported(&journey, &answers).await;
    let owned: Vec<&str> = export
        .by_owner
        .iter()
        .map(|(id, _)| id.0.as_str())
        .collect();
    assert_eq!(
        owned,
        [
            "Deployment/istio-system/prometheus#prometheus-pod",
            "ConfigMap/istio-system/prometheus#scrape-job",
            "ConfigMap/istio-system/prometheus#plaintext-jobs",
        ]
    );
    let before = journey.objects();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out");
    folder::put(&export, &to, false).unwrap();
    let stopped = Script::read(&to)
        .try_run(&journey.simulation)
        .await
        .unwrap_err();
    assert!(stopped.contains("MESHSCRAPE_OWNER_DONE"), "{stopped}");
    // Policies and listener stand; no annotation is written before Prometheus has its job, and nothing of Helm's.
    let mut after = journey.objects();
    after.retain(|name, _| !name.contains("default/meshscrape-httpbin"));
    assert_eq!(differing(&before, &after), [""; 0]);
    assert_eq!(journey.objects().len(), before.len() + 3);
    journey.dressed();
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_write_it_is_written_all_the_same() {
    let journey = Journey::new();
    for group in ["apps", "", "networking.istio.io", "security.istio.io"] {
        journey.simulation.deny("patch", group, "*", None);
    }
    let (export, _) = exported(&journey, &choose(&["default/Deployment/httpbin"])).await;
    assert_eq!(export.left_out, []);
    assert_eq!(export.by_script, 7);
}

/// Credentials in every place of a configuration that the new job is made after, and beside it.
const SECRETS: &str = "needle-";

fn with_secrets(carried: bool) -> Demo {
    let simulation = meshscrape::demo::Simulation::builtin();
    simulation.quick();
    let mut map = simulation
        .object("ConfigMap", "istio-system", "prometheus")
        .unwrap();
    let text = map["data"]["prometheus.yml"].as_str().unwrap().to_owned();
    let of_job = match carried {
        true => {
            "  proxy_url: http://u:needle-proxy@proxy:3128\n  http_headers: {X: {values: [needle-header]}}\n  basic_auth: {username: u, password: needle-basic}\n"
        }
        false => "  basic_auth: {username: u, password: needle-basic}\n",
    };
    let text = text.replace(
        "  job_name: kubernetes-pods\n",
        &format!("  job_name: kubernetes-pods\n{of_job}"),
    );
    assert!(text.contains("needle-basic"));
    let text = match carried {
        true => {
            let (front, back) = text.split_once("needle-header").unwrap();
            let back = back.replacen(
                "role: pod\n",
                "role: pod\n    bearer_token: needle-discovery\n",
                1,
            );
            format!("{front}needle-header{back}")
        }
        false => text,
    };
    let text = format!(
        "remote_write:\n- url: https://u:needle-url@example.com/write\n  authorization:\n    credentials: needle-token\n- url: https://example.com\n  bearer_token: needle-bearer\n{text}"
    );
    map["data"]["prometheus.yml"] = text.into();
    simulation.put(map);
    Demo::new(simulation, false)
}

fn all_text(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        text.push_str(&match path.is_dir() {
            true => all_text(&path),
            false => std::fs::read_to_string(&path).unwrap(),
        });
    }
    text
}

#[tokio::test(start_paused = true)]
async fn no_output_and_no_record_holds_a_credential_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    for carried in [false, true] {
        let to = folder.path().join(carried.to_string());
        let to = to.to_str().unwrap();
        let choice = ["-w", "default/Deployment/httpbin"];
        let world = with_secrets(carried);
        for line in [
            &["plan", "--json"][..],
            &["plan", "--yaml"],
            &["plan"],
            &["export", to, "--json"],
            &["apply", "--yes", "--lose-history", "--json"],
        ] {
            let words = [&["meshscrape"], line, &choice[..]].concat().join(" ");
            let called = call(&world, &words).await;
            let failed = called.ended.is_err();
            let (code, said) = called.told();
            assert!(!said.contains(SECRETS), "{carried} {line:?}: {said}");
            // A job that would carry one is refused, since the record would hold it.
            if line[0] == "export" {
                assert!(!failed && code == 0, "{said}");
                let said: Value = serde_json::from_str(&said).unwrap();
                assert_eq!(said["byOwner"].as_array().unwrap().is_empty(), !carried);
            } else if carried {
                assert!(failed, "{line:?}: {said}");
                assert!(said.contains("would carry a credential"), "{said}");
            }
        }
        let written = all_text(Path::new(to));
        assert!(written.contains("istio-secure-merged-metrics"));
        assert!(!written.contains(SECRETS), "in the export");
        let record: String = ["Secret", "Lease"]
            .iter()
            .flat_map(|kind| world.simulation.objects(kind, ""))
            .map(|object| object.to_string())
            .collect();
        assert!(!record.contains(SECRETS));
        let session = meshscrape::runtime::World::connect(&world, None)
            .await
            .unwrap();
        let runs = session.journal.runs().unwrap();
        assert_eq!(
            runs.is_empty(),
            carried,
            "a run is recorded where one was made"
        );
        for run in runs {
            let record = format!("{:?}", session.journal.run(Some(&run.run)).unwrap());
            assert!(record.contains("istio-secure-merged-metrics"));
            assert!(!record.contains(SECRETS), "{record}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hostile_cluster_breaks_out_of_no_file() {
    let journey = Journey::new();
    let evil = "x'; touch /tmp/owned; '\u{1b}[31m\n$(touch /tmp/owned)\n---\nkind: Secret";
    let mut httpbin = journey
        .simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    httpbin["spec"]["template"]["metadata"]["annotations"]["note"] = evil.into();
    httpbin["spec"]["selector"]["matchLabels"]["app"] = "on".into();
    httpbin["spec"]["template"]["metadata"]["labels"]["app"] = "on".into();
    journey.simulation.put(httpbin);
    settle().await;
    let (export, _) = exported(&journey, &choose(&["default/Deployment/httpbin"])).await;
    for file in &export.files {
        assert!(!file.text.contains('\u{1b}'), "{}", file.path);
        assert!(!file.text.contains("touch"), "{}", file.path);
        let safe = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        assert!(file.path.chars().all(safe), "{}", file.path);
    }
    let policy = export
        .files
        .iter()
        .find(|f| f.path.contains("peerauthentication"))
        .unwrap();
    assert!(policy.text.contains("app: \"on\"\n"), "{}", policy.text);
}
