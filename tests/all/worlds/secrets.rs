//! Credentials of today's job and of the text around it: named, never carried, never shown, never recorded.

use super::{WEB, World};
use crate::called::Called;
use serde_json::Value;
use std::path::Path;

/// What no output, no file and no record may hold.
const NEEDLE: &str = "needle";

fn configuration(job: &str, discovery: &str, around: &str) -> String {
    let indented =
        |text: &str| -> String { text.lines().map(|line| format!("    {line}\n")).collect() };
    format!(
        "{WEB}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: prometheus, namespace: istio-system}}\ndata:\n  prometheus.yml: |\n{}    scrape_configs:\n    - job_name: kubernetes-pods\n      scrape_interval: 7s\n{}      kubernetes_sd_configs:\n      - role: pod\n{}      relabel_configs:\n      - {{action: keep, regex: true, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]}}\n      - {{target_label: __param_key, replacement: needle-by-rule}}\n",
        indented(around),
        job.lines()
            .map(|line| format!("      {line}\n"))
            .collect::<String>(),
        discovery
            .lines()
            .map(|line| format!("        {line}\n"))
            .collect::<String>(),
    )
}

/// Each kind of setting that authenticates, in some style of YAML.
const KINDS: &[(&str, &str)] = &[
    (
        "http_headers",
        "http_headers:\n  X-Api-Key:\n    secrets:\n    - needle-1\n    values: [needle-2]",
    ),
    (
        "params",
        "params:\n  token:\n    - needle-3\n  code: [\"needle-4\",\n    needle-5]",
    ),
    (
        "basic_auth",
        "basic_auth: {username: u, password: needle-6}",
    ),
    (
        "authorization",
        "authorization:\n  credentials: >-\n    needle-7\n    needle-8",
    ),
    ("bearer_token", "bearer_token: needle-9"),
    (
        "oauth2",
        "oauth2:\n  client_id: i\n  client_secret: needle-10\n  token_url: https://t\n  endpoint_params: {a: needle-11}",
    ),
    (
        "sigv4",
        "sigv4: {region: eu, access_key: needle-12, secret_key: needle-13}",
    ),
    ("proxy_url", "proxy_url: http://u:needle-14@proxy:3128"),
    (
        "proxy_connect_header",
        "proxy_connect_header:\n  Proxy-Authorization: [Basic needle-15]",
    ),
    ("some_new_setting", "some_new_setting: {deep: [needle-16]}"),
];

fn all_text(folder: &Path, out: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all_text(&path, out),
            false => out.push_str(&std::fs::read_to_string(&path).unwrap()),
        }
    }
}

/// Everything that is kept of runs: the journal, and the records and locks in the cluster.
fn records(world: &World) -> String {
    let journal = &world.session.journal;
    let mut out = String::new();
    for run in journal.runs().unwrap() {
        out.push_str(&format!("{:?}", journal.run(Some(&run.run)).unwrap()));
    }
    for kind in ["Secret", "Lease"] {
        for object in world.simulation.objects(kind, "") {
            out.push_str(&object.to_string());
            for value in object["data"].as_object().into_iter().flatten() {
                let plain = value.1.as_str().and_then(decoded);
                out.push_str(&plain.unwrap_or_default());
            }
        }
    }
    out
}

fn decoded(text: &str) -> Option<String> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn jobs(world: &World) -> Vec<Value> {
    let map = world
        .simulation
        .object("ConfigMap", "istio-system", "prometheus")
        .unwrap();
    let config: Value =
        serde_yaml::from_str(map["data"]["prometheus.yml"].as_str().unwrap()).unwrap();
    config["scrape_configs"].as_array().unwrap().clone()
}

fn holds_none(line: &str, called: Called) -> u8 {
    let (code, said) = called.told();
    assert!(!said.contains(NEEDLE), "{line}: {said}");
    code
}

const AROUND: &str = "remote_write:\n- url: https://x.example.org/push?code=needle-30\n  headers: {X: needle-31}\n# basic_auth: {password: needle-32}\nglobal: {scrape_interval: 15s}";

#[tokio::test(start_paused = true)]
async fn no_credential_of_todays_job_is_carried_shown_or_recorded() {
    let job: String = KINDS.iter().map(|(_, text)| format!("{text}\n")).collect();
    let world = World::of(&configuration(&job, "", AROUND));
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out").display().to_string();
    let plan = world.plan("-w shop/Deployment/web").await;
    let problems = plan["problems"].as_array().unwrap().iter();
    let not_copied: Vec<&Value> = problems
        .filter(|problem| problem["code"] == "MS258")
        .map(|problem| &problem["evidence"]["what"])
        .collect();
    for (name, _) in KINDS {
        let named = |part: &&Value| part["setting"]["name"] == *name;
        assert!(not_copied.iter().any(named), "{name}: {not_copied:?}");
    }
    let parameter = serde_json::json!({"parameter": "key"});
    assert!(not_copied.contains(&&parameter), "{not_copied:?}");
    assert!(!plan.to_string().contains(NEEDLE), "{plan}");
    for line in [
        "plan -w shop/Deployment/web",
        "plan -w shop/Deployment/web --yaml",
        &format!("export -w shop/Deployment/web {to}"),
    ] {
        holds_none(line, world.call(line).await);
    }
    let mut files = String::new();
    all_text(Path::new(&to), &mut files);
    assert!(
        files.contains("scrape_interval: 7s") && !files.contains(NEEDLE),
        "{files}"
    );

    let line = "apply -w shop/Deployment/web --yes --json";
    assert_eq!(holds_none(line, world.call(line).await), 0);
    let jobs = jobs(&world);
    let secure: Vec<&Value> = jobs
        .iter()
        .filter(|job| job["job_name"] != "kubernetes-pods")
        .collect();
    assert_eq!(secure.len(), 1, "{jobs:?}");
    assert_eq!(secure[0]["scrape_interval"], "7s");
    for (name, _) in KINDS {
        assert!(secure[0].get(*name).is_none(), "{name} is carried");
    }
    assert!(!secure[0].to_string().contains(NEEDLE), "{}", secure[0]);
    let records = records(&world);
    assert!(records.contains("istio-secure-merged-metrics") && !records.contains(NEEDLE));

    for line in ["undo", "undo --yes --lose-history"] {
        holds_none(line, world.call(line).await);
    }
    assert!(!self::records(&world).contains(NEEDLE));
}

#[tokio::test(start_paused = true)]
async fn a_discovery_that_needs_a_credential_is_refused_by_its_name() {
    for (setting, text) in [
        (
            "kubernetes_sd_configs.bearer_token",
            "bearer_token: needle-20",
        ),
        (
            "kubernetes_sd_configs.tls_config.key",
            "tls_config:\n  key: |\n    needle-22",
        ),
        (
            "kubernetes_sd_configs.http_headers.X",
            "http_headers: {X: {values: [needle-23]}}",
        ),
    ] {
        let world = World::of(&configuration("", text, AROUND));
        let plan = world.call("plan --json -w shop/Deployment/web").await;
        assert!(plan.out.contains(setting), "{}", plan.out);
        assert!(!plan.told().1.contains(NEEDLE));
        let line = "apply -w shop/Deployment/web --yes";
        assert_eq!(holds_none(line, world.call(line).await), 4);
        assert!(!records(&world).contains(NEEDLE));
    }
    // Another cluster's pods are none of the secure job's: nothing of it is carried.
    let text = "api_server: https://u:needle-21@api.example.org";
    let world = World::of(&configuration("", text, AROUND));
    let plan = world.plan("-w shop/Deployment/web").await;
    assert!(
        plan["problems"].to_string().contains("api.example.org"),
        "{plan}"
    );
    assert!(!plan.to_string().contains(NEEDLE));
    // A file's name is no credential: what it authenticates is the discovery, as today.
    let text = "bearer_token_file: /var/run/secrets/kubernetes.io/serviceaccount/token";
    let world = World::of(&configuration("", text, ""));
    assert_eq!(
        world
            .call("apply -w shop/Deployment/web --yes")
            .await
            .told()
            .0,
        0
    );
    let carried = &jobs(&world)[0]["kubernetes_sd_configs"][0]["bearer_token_file"];
    assert!(carried.is_string());
}

/// A job of ours that an earlier version made with today's headers loses them, and no record keeps them.
#[tokio::test(start_paused = true)]
async fn headers_that_were_carried_before_are_let_go() {
    let world = World::of(&configuration("", "", ""));
    assert_eq!(
        world
            .call("apply -w shop/Deployment/web --yes")
            .await
            .told()
            .0,
        0
    );
    let mut map = world
        .simulation
        .object("ConfigMap", "istio-system", "prometheus")
        .unwrap();
    let text = map["data"]["prometheus.yml"].as_str().unwrap().replace(
        "job_name: istio-secure-merged-metrics\n",
        "job_name: istio-secure-merged-metrics\n      http_headers: {X: {values: [needle-40]}}\n",
    );
    let indent = text
        .lines()
        .find(|line| line.contains("istio-secure"))
        .unwrap();
    let indent = " ".repeat(indent.find("job_name").unwrap());
    let text = text.replace("      http_headers", &format!("{indent}http_headers"));
    assert!(text.contains(NEEDLE));
    map["data"]["prometheus.yml"] = text.into();
    world.simulation.put(map);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let line = "apply -w shop/Deployment/web --yes";
    assert_eq!(holds_none(line, world.call(line).await), 0);
    assert!(
        jobs(&world)
            .iter()
            .all(|job| !job.to_string().contains("needle-40"))
    );
    assert!(!records(&world).contains(NEEDLE));
}

/// The name of a setting that a job of somebody's holds, where fixing would take that job away for good.
#[tokio::test(start_paused = true)]
async fn a_job_that_no_record_could_restore_is_not_taken_away() {
    let job = "- job_name: my-secure\n  bearer_token: needle-50\n  kubernetes_sd_configs: [{role: pod}]\n  relabel_configs:\n  - {action: keep, regex: .+, source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port]}\n";
    let mut text = configuration("", "", "");
    text.extend(job.lines().map(|line| format!("    {line}\n")));
    let world = World::of(&text);
    let line = "apply -w shop/Deployment/web --yes --json";
    let called = world.call(line).await;
    let (code, said) = called.told();
    assert_eq!(code, 4, "{said}");
    assert!(
        said.contains("my-secure") && said.contains("bearer_token") && !said.contains(NEEDLE),
        "{said}"
    );
}
