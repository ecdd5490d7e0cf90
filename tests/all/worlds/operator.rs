//! A Prometheus that the operator runs: its resource and the Secret of its additional jobs are written, its monitors
//! lose what is secured, and an undo leaves no trace. No text of that Secret is told to anybody.

use super::{WEB, World};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use meshscrape::problems::Code;
use meshscrape::words::say::commands::{self as say, board};
use serde_json::Value;

const PROMETHEUS: &str = "--prometheus monitoring/StatefulSet/prometheus-k8s";
const CHOSEN: &str = "--prometheus monitoring/StatefulSet/prometheus-k8s -w shop/Deployment/web";
/// What no output and no record may hold.
const NEEDLE: &str = "needle";

const ADDED: &str = "\
# ours since 2019, needle-comment
- job_name: kubernetes-pods
  scrape_interval: 7s
  kubernetes_sd_configs:
    - role: pod
  relabel_configs:
    - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
      action: keep
      regex: true
    - source_labels: [__address__, __meta_kubernetes_pod_annotation_prometheus_io_port]
      action: replace
      regex: ([^:]+)(?::\\d+)?;(\\d+)
      replacement: $1:$2
      target_label: __address__
- job_name: legacy
  basic_auth: {username: u, password: needle-password}
  static_configs: [{targets: [\"needle.example.org:80\"]}]
";

/// `spec`: more of the resource.
fn operated(spec: &str) -> String {
    format!(
        r#"{WEB}---
apiVersion: v1
kind: Namespace
metadata: {{name: monitoring}}
---
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {{name: k8s, namespace: monitoring}}
spec:
  replicas: 1
  serviceAccountName: prometheus-k8s
  podMonitorSelector: {{}}
  volumes: [{{name: extra, emptyDir: {{}}}}]
  volumeMounts: [{{name: extra, mountPath: /extra}}]
{spec}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: prometheus-k8s
  namespace: monitoring
  ownerReferences: [{{apiVersion: monitoring.coreos.com/v1, kind: Prometheus, name: k8s, controller: true}}]
by: PrometheusOperator
spec:
  serviceName: prometheus-operated
  podManagementPolicy: Parallel
  selector: {{matchLabels: {{prometheus: k8s}}}}
  template:
    metadata: {{labels: {{prometheus: k8s}}}}
    spec:
      serviceAccountName: prometheus-k8s
      containers:
      - name: prometheus
        image: "quay.io/prometheus/prometheus:v3.10.0"
        args: [--config.file=/etc/prometheus/config_out/prometheus.env.yaml, --web.enable-lifecycle]
        ports: [{{containerPort: 9090, name: web}}]
        volumeMounts: [{{name: config-out, mountPath: /etc/prometheus/config_out, readOnly: true}}, {{name: db, mountPath: /prometheus}}, {{name: extra, mountPath: /extra}}]
      - name: config-reloader
        image: "quay.io/prometheus-operator/prometheus-config-reloader:v0.89.0"
        args: ["--reload-url=http://localhost:9090/-/reload", --config-file=/etc/prometheus/config/prometheus.yaml.gz, --config-envsubst-file=/etc/prometheus/config_out/prometheus.env.yaml, --watched-dir=/etc/prometheus/rules]
        volumeMounts: [{{name: config, mountPath: /etc/prometheus/config}}, {{name: config-out, mountPath: /etc/prometheus/config_out}}]
      volumes:
      - {{name: config, secret: {{secretName: prometheus-k8s}}}}
      - {{name: config-out, emptyDir: {{medium: Memory}}}}
      - {{name: db, persistentVolumeClaim: {{claimName: db}}}}
      - {{name: extra, emptyDir: {{}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: prometheus-k8s, namespace: monitoring}}
stringData: {{prometheus.yaml.gz: ""}}
"#
    )
}

/// With a Secret of additional jobs, and a key in it that is nobody's business.
fn with_secret(text: &str) -> String {
    let spec = "  storage: {volumeClaimTemplate: {}}\n  additionalScrapeConfigs: {name: extra-jobs, key: jobs.yaml}";
    let encoded = STANDARD.encode(text);
    format!(
        "{}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: extra-jobs, namespace: monitoring}}\ndata: {{jobs.yaml: {encoded}, other.bin: {}}}\n",
        operated(spec),
        STANDARD.encode("needle-other")
    )
}

fn without_secret() -> String {
    operated("  storage: {volumeClaimTemplate: {}}")
}

fn object(world: &World, kind: &str, name: &str) -> Value {
    let found = world.simulation.object(kind, "monitoring", name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn jobs_text(world: &World) -> String {
    let secret = object(world, "Secret", "extra-jobs");
    let bytes = STANDARD.decode(secret["data"]["jobs.yaml"].as_str().unwrap());
    String::from_utf8(bytes.unwrap()).unwrap()
}

/// What of an object counts for who looks at it: all but versions and times.
fn content(object: &Value) -> Value {
    let mut of = object.clone();
    for field in ["resourceVersion", "generation", "managedFields"] {
        of["metadata"].as_object_mut().unwrap().remove(field);
    }
    of.as_object_mut().unwrap().remove("status");
    of
}

fn records(world: &World) -> String {
    let journal = &world.session.journal;
    let runs = journal.runs().unwrap();
    let of = |run: &str| format!("{:?}", journal.run(Some(run)).unwrap());
    let mut out: String = runs.iter().map(|run| of(&run.run)).collect();
    for secret in world.simulation.objects("Secret", "monitoring") {
        if secret["metadata"]["name"]
            .as_str()
            .unwrap()
            .starts_with("meshscrape-")
        {
            let data = secret["data"].as_object().unwrap().values();
            for value in data {
                let bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
                out.push_str(&String::from_utf8_lossy(&bytes));
            }
        }
    }
    out
}

async fn told(world: &World, args: &str) -> (u8, String) {
    let (code, words) = world.call(args).await.told();
    assert!(!words.contains(NEEDLE), "{args}: {words}");
    (code, words)
}

#[tokio::test(start_paused = true)]
async fn jobs_are_added_to_the_secret_that_is_named_and_all_comes_back() {
    let world = World::of(&with_secret(ADDED));
    let before = [
        "Prometheus/k8s",
        "StatefulSet/prometheus-k8s",
        "Secret/extra-jobs",
    ]
    .map(|of| {
        let (kind, name) = of.split_once('/').unwrap();
        (kind, name, content(&object(&world, kind, name)))
    });

    let (code, words) = told(&world, &format!("plan {CHOSEN}")).await;
    assert_eq!(code, 2, "{words}");
    let (_, words) = told(&world, &format!("plan --yaml {CHOSEN}")).await;
    assert!(words.contains("istio-secure-merged-metrics"), "{words}");
    told(&world, &format!("plan --json {CHOSEN}")).await;
    let plan = world.plan(CHOSEN).await;
    let changes: Vec<String> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["id"].as_str().unwrap().to_owned())
        .filter(|id| id.contains("monitoring") && !id.ends_with("#journal"))
        .collect();
    assert_eq!(
        changes,
        [
            "Prometheus/monitoring/k8s#prometheus-pod",
            "Secret/monitoring/extra-jobs#scrape-job",
            "Secret/monitoring/extra-jobs#plaintext-jobs",
        ]
    );

    let (code, words) = told(&world, &format!("apply {CHOSEN} --yes")).await;
    assert_eq!(code, 0, "{words}");
    let resource = object(&world, "Prometheus", "k8s");
    let spec = &resource["spec"];
    assert_eq!(
        spec["podMetadata"]["labels"]["sidecar.istio.io/inject"],
        "true"
    );
    assert_eq!(spec["volumes"].as_array().unwrap().len(), 2, "{spec}");
    assert_eq!(spec["volumeMounts"].as_array().unwrap().len(), 2, "{spec}");
    assert_eq!(spec["additionalScrapeConfigs"]["name"], "extra-jobs");
    let secret = object(&world, "Secret", "extra-jobs");
    assert_eq!(secret["data"]["other.bin"], STANDARD.encode("needle-other"));
    let text = jobs_text(&world);
    let (_, rest) = ADDED.split_once("- job_name: kubernetes-pods\n").unwrap();
    assert!(
        text.starts_with("- job_name: istio-secure-merged-metrics\n"),
        "{text}"
    );
    assert!(
        text.contains(r"regex: \d+;shop;(ReplicaSet;(web)-[0-9a-z]+)"),
        "{text}"
    );
    let (_, legacy) = rest.split_once("- job_name: legacy").unwrap();
    assert!(text.ends_with(legacy), "{text}");
    let (code, words) = told(&world, &format!("status --once {PROMETHEUS}")).await;
    assert_eq!(code, 0, "{words}");
    assert!(!records(&world).contains(NEEDLE));

    // Nothing is left to do.
    let (code, words) = told(&world, &format!("plan {CHOSEN}")).await;
    assert_eq!(code, 0, "{words}");

    let (code, words) = told(&world, "undo --yes").await;
    assert_eq!(code, 0, "{words}");
    assert_eq!(jobs_text(&world), ADDED);
    for (kind, name, before) in before {
        assert_eq!(
            content(&object(&world, kind, name)),
            before,
            "{kind} {name}"
        );
    }
    assert!(!records(&world).contains(NEEDLE));
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_made_and_named_where_none_is() {
    let world = World::of(&without_secret());
    let before = content(&object(&world, "Prometheus", "k8s"));
    let plan = world.plan(CHOSEN).await;
    let changes: Vec<&str> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|change| change["id"].as_str())
        .filter(|id| id.contains("monitoring") && !id.ends_with("#journal"))
        .collect();
    assert_eq!(
        changes,
        [
            "Secret/monitoring/meshscrape-prometheus-k8s#scrape-job",
            "Prometheus/monitoring/k8s#prometheus-pod",
            "Prometheus/monitoring/k8s#scrape-job",
        ]
    );
    let (code, words) = told(&world, &format!("apply {CHOSEN} --yes")).await;
    assert_eq!(code, 0, "{words}");
    let spec = object(&world, "Prometheus", "k8s")["spec"].clone();
    assert_eq!(
        spec["additionalScrapeConfigs"]["name"],
        "meshscrape-prometheus-k8s"
    );
    let (code, words) = told(&world, &format!("plan {CHOSEN}")).await;
    assert_eq!(code, 0, "{words}");
    let (code, words) = told(&world, &format!("status --once {PROMETHEUS}")).await;
    assert_eq!(code, 0, "{words}");

    let (code, words) = told(&world, "undo --yes").await;
    assert_eq!(code, 0, "{words}");
    assert_eq!(content(&object(&world, "Prometheus", "k8s")), before);
    assert!(
        world
            .simulation
            .object("Secret", "monitoring", "meshscrape-prometheus-k8s")
            .is_none()
    );
}

/// Istio's sample, shortened: Envoy's own port of every sidecar, in plaintext.
const MONITOR: &str = r#"---
apiVersion: v1
kind: Namespace
metadata: {name: istio-monitors}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: envoy-stats-monitor, namespace: istio-monitors}
spec:
  selector: {matchExpressions: [{key: istio-prometheus-ignore, operator: DoesNotExist}]}
  namespaceSelector: {any: true}
  jobLabel: envoy-stats
  podMetricsEndpoints:
  - path: /stats/prometheus
    interval: 15s
    relabelings:
    - {action: keep, sourceLabels: [__meta_kubernetes_pod_container_name], regex: istio-proxy}
    - {action: keep, sourceLabels: [__meta_kubernetes_pod_container_port_name], regex: ".*-envoy-prom"}
"#;

#[tokio::test(start_paused = true)]
async fn a_monitor_ends_by_a_relabelling_of_its_own() {
    let world = World::of(&format!("{}{MONITOR}", without_secret()));
    let monitor = || {
        let found = world
            .simulation
            .object("PodMonitor", "istio-monitors", "envoy-stats-monitor");
        found.expect("the monitor")
    };
    let before = content(&monitor());
    let id = "PodMonitor/istio-monitors/envoy-stats-monitor#plaintext-jobs";
    let plan = world.plan(CHOSEN).await;
    let last = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .rfind(|change| !change["id"].as_str().unwrap().ends_with("#journal"));
    assert_eq!(last.unwrap()["id"], id, "{plan}");

    let (code, words) = told(&world, &format!("apply {CHOSEN} --yes")).await;
    assert_eq!(code, 0, "{words}");
    let rules = monitor()["spec"]["podMetricsEndpoints"][0]["relabelings"].clone();
    assert_eq!(rules.as_array().unwrap().len(), 3, "{rules}");
    assert_eq!(rules[0]["action"], "drop");
    assert_eq!(rules[0]["regex"], r"\d+;shop;(ReplicaSet;(web)-[0-9a-z]+)");
    // Prometheus scrapes it once.
    let (code, words) = told(&world, &format!("status --once {PROMETHEUS}")).await;
    assert_eq!(code, 0, "{words}");
    assert!(words.contains(&board::up_of(1, say::ONE_TARGET)), "{words}");
    let (code, words) = told(&world, &format!("plan {CHOSEN}")).await;
    assert_eq!(code, 0, "{words}");

    let (code, words) = told(&world, "undo --yes").await;
    assert_eq!(code, 0, "{words}");
    assert_eq!(content(&monitor()), before);
}

/// What ends there would end for the other one too, which may have no secure job.
#[tokio::test(start_paused = true)]
async fn a_monitor_that_another_prometheus_uses_stays() {
    let another = operated("  storage: {volumeClaimTemplate: {}}")
        .replace(WEB, "")
        .replace("k8s", "other")
        .replace(
            "kind: Namespace\nmetadata: {name: monitoring}",
            "kind: Namespace\nmetadata: {name: more}",
        );
    let world = World::of(&format!("{}{MONITOR}{another}", without_secret()));
    let plan = world.plan(CHOSEN).await;
    let ids = plan["changes"].to_string();
    assert!(!ids.contains("#plaintext-jobs"), "{ids}");
    let stays = found(&plan, Code::SharedMonitorStays).expect("said");
    assert_eq!(
        stays["evidence"]["other"],
        "monitoring/StatefulSet/prometheus-other"
    );
    // Alone it ends.
    let world = World::of(&format!("{}{MONITOR}", without_secret()));
    let plan = world.plan(CHOSEN).await;
    crate::absent(Code::SharedMonitorStays, &plan.to_string());
}

fn found(plan: &Value, code: Code) -> Option<&Value> {
    let mut all = plan["problems"].as_array()?.iter();
    all.find(|problem| problem["code"] == code.text())
}

/// A user's own secure job there, which lacks ca_file: a change would put its text into the record.
#[tokio::test(start_paused = true)]
async fn a_secure_job_of_somebody_elses_in_a_secret_stays() {
    let theirs = "\
- job_name: theirs
  scheme: https
  metrics_path: /stats/prometheus
  basic_auth: {username: u, password: needle-password}
  tls_config: {cert_file: /c/cert-chain.pem, key_file: /c/key.pem, insecure_skip_verify: true}
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs:
    - source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port]
      action: keep
      regex: \\d+
    - source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port, __meta_kubernetes_pod_ip]
      action: replace
      regex: (\\d+);((([0-9]+?)(\\.|$)){4})
      replacement: $2:$1
      target_label: __address__
";
    let world = World::of(&with_secret(theirs));
    let plan = world.plan(CHOSEN).await;
    let stays = found(&plan, Code::SecretJobStays).unwrap_or_else(|| panic!("{plan:#}"));
    assert_eq!(stays["evidence"]["job"], "theirs");
    let world = World::of(&with_secret(ADDED));
    let plan = world.plan(CHOSEN).await;
    crate::absent(Code::SecretJobStays, &plan.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_may_not_be_read_stops_the_run_before_any_write() {
    let world = World::of(&with_secret(ADDED));
    world.simulation.deny("get", "", "secrets", None);
    let (code, words) = told(&world, &format!("apply {CHOSEN} --yes")).await;
    assert_eq!(code, 4, "{words}");
    assert!(words.contains("Secret monitoring/extra-jobs"), "{words}");
    assert!(words.contains("forbidden"), "{words}");
    assert!(world.simulation.objects("Sidecar", "shop").is_empty());
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out");
    let (code, words) = told(&world, &format!("export {CHOSEN} {}", to.display())).await;
    assert_eq!(code, 0, "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_text_that_is_no_list_is_left_alone_and_shown_to_nobody() {
    let world = World::of(&with_secret("password: needle: [\n"));
    let (code, words) = told(&world, &format!("apply {CHOSEN} --yes")).await;
    assert_eq!(code, 4, "{words}");
    assert_eq!(jobs_text(&world), "password: needle: [\n");
}

/// Without its answer the jobs of today are unknown, and none of them ends.
#[tokio::test(start_paused = true)]
async fn without_the_running_configuration_no_plaintext_job_ends() {
    let world = World::of(&with_secret(ADDED));
    world.simulation.deny("get", "", "pods/proxy", None);
    world.simulation.deny("get", "", "services/proxy", None);
    let plan = world.plan(CHOSEN).await;
    let ids = plan["changes"].to_string();
    assert!(!ids.contains("#plaintext-jobs"), "{ids}");
    assert!(
        ids.contains("Secret/monitoring/extra-jobs#scrape-job"),
        "{ids}"
    );
    assert!(found(&plan, Code::TodaysJobsUnknown).is_some(), "{plan:#}");
    let world = World::of(&with_secret(ADDED));
    let plan = world.plan(CHOSEN).await;
    crate::absent(Code::TodaysJobsUnknown, &plan.to_string());
}

#[tokio::test(start_paused = true)]
async fn what_the_operator_would_not_carry_out_is_not_available() {
    for (spec, code) in [("  paused: true", "MS215"), ("  shards: 2", "MS216")] {
        let world = World::of(&operated(spec));
        let (exit, words) = told(&world, &format!("plan {CHOSEN}")).await;
        assert_eq!(exit, 1, "{words}");
        let (_, words) = told(&world, "check --json").await;
        assert!(words.contains(code), "{code}: {words}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_owner_of_the_resource_is_asked_for() {
    let owned = "labels: {app.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: kps}";
    let text = without_secret().replace(
        "metadata: {name: k8s, namespace: monitoring}\nspec:",
        &format!("metadata: {{name: k8s, namespace: monitoring, {owned}}}\nspec:"),
    );
    let world = World::of(&text);
    let (code, words) = told(&world, &format!("plan {CHOSEN}")).await;
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("--force-owner helm"), "{words}");
    let (code, words) = told(&world, &format!("plan {CHOSEN} --force-owner helm")).await;
    assert_eq!(code, 2, "{words}");
    // Taken by nobody's word, it is not guessed at.
    let (code, words) = told(&world, "plan -w shop/Deployment/web --force-owner helm").await;
    assert_eq!(code, 2, "{words}");
    assert!(!words.contains("monitoring/k8s"), "{words}");
}
