//! Prometheus servers that are in the mesh already, and where they keep their data.

use super::{WEB, World};
use serde_json::Value;

const RUN: &str = "-w shop/Deployment/web --prometheus mon/Deployment/prometheus";

/// A Prometheus of its own in a namespace that injects, with these annotations of its template, and this below its
/// scrape jobs.
fn meshed(annotations: &str, more: &str) -> World {
    World::of(&format!(
        r#"{WEB}
---
apiVersion: v1
kind: Namespace
metadata: {{name: mon, labels: {{istio-injection: enabled}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: prometheus, namespace: mon}}
spec:
  selector: {{matchLabels: {{app: prometheus}}}}
  template:
    metadata: {{labels: {{app: prometheus}}, annotations: {{{annotations}}}}}
    spec:
      serviceAccountName: prometheus
      containers:
      - name: prometheus
        image: docker.io/prom/prometheus:v3.10.0
        args: [--config.file=/etc/config/prometheus.yml, --storage.tsdb.path=/data, --web.enable-lifecycle]
        ports: [{{containerPort: 9090}}]
        volumeMounts: [{{name: config, mountPath: /etc/config}}, {{name: data, mountPath: /data}}]
      volumes:
      - {{name: config, configMap: {{name: prometheus}}}}
      - {{name: data, persistentVolumeClaim: {{claimName: prometheus}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: prometheus, namespace: mon}}
data:
  prometheus.yml: |
    scrape_configs:
    - job_name: kubernetes-pods
      kubernetes_sd_configs: [{{role: pod}}]
      relabel_configs:
      - {{action: keep, regex: true, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]}}
      - {{action: replace, regex: '(\d+);((([0-9]+?)(\.|$)){{4}})', replacement: $2:$1, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_port, __meta_kubernetes_pod_ip], target_label: __address__}}
{more}"#
    ))
}

const SENDS: &str = "    alerting:
      alertmanagers:
      - static_configs: [{targets: ['alertmanager.mon:9093']}]
    remote_write:
    - url: http://receiver.mon:19291/api/v1/receive
";

fn template(world: &World) -> Value {
    let found = world.simulation.objects("Deployment", "mon");
    let prometheus = found.iter().find(|o| o["metadata"]["name"] == "prometheus");
    prometheus.expect("it is there")["spec"]["template"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_meshed_prometheus_keeps_its_outbound_capture() {
    let world = meshed(
        "traffic.sidecar.istio.io/excludeOutboundPorts: '4317'",
        SENDS,
    );
    let plan = world.plan(RUN).await;
    let changes = plan["changes"].as_array().unwrap();
    let pod = changes.iter().find(|c| c["part"] == "prometheusPod");
    let problems = pod.expect("a change of the pod")["problems"].to_string();
    for named in ["alertmanager.mon:9093", "receiver.mon:19291"] {
        assert!(problems.contains(named), "{problems}");
    }
    let (code, words) = world.call(&format!("apply {RUN} --yes")).await.told();
    assert_eq!(code, 0, "{words}");
    let annotations = &template(&world)["metadata"]["annotations"];
    let traffic = |key: &str| annotations.get(format!("traffic.sidecar.istio.io/{key}"));
    assert_eq!(traffic("excludeOutboundPorts").unwrap(), "4317,15091");
    assert_eq!(traffic("includeOutboundIPRanges"), None);
    assert_eq!(traffic("includeInboundPorts"), None);
    // And so it is as wanted.
    let again = world.plan(RUN).await;
    assert_eq!(again["summary"]["changes"], 0, "{again:#}");
    // The way back leaves it as it was.
    let (code, words) = world.call("undo --yes").await.told();
    assert_eq!(code, 0, "{words}");
    let annotations = &template(&world)["metadata"]["annotations"];
    assert_eq!(
        annotations["traffic.sidecar.istio.io/excludeOutboundPorts"],
        "4317"
    );
}

#[tokio::test(start_paused = true)]
async fn a_first_sidecar_captures_nothing() {
    let world = World::of(WEB);
    let (code, words) = world
        .call("apply -w shop/Deployment/web --yes")
        .await
        .told();
    assert_eq!(code, 0, "{words}");
    let found = world.simulation.objects("Deployment", "istio-system");
    let prometheus = found.iter().find(|o| o["metadata"]["name"] == "prometheus");
    let annotations = &prometheus.unwrap()["spec"]["template"]["metadata"]["annotations"];
    for key in ["includeOutboundIPRanges", "includeInboundPorts"] {
        assert_eq!(annotations[format!("traffic.sidecar.istio.io/{key}")], "");
    }
}

#[tokio::test(start_paused = true)]
async fn the_default_folder_on_a_claim_lasts() {
    let world = World::of(&format!(
        r"{WEB}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: prometheus, namespace: istio-system}}
spec:
  selector: {{matchLabels: {{app: prometheus}}}}
  template:
    metadata: {{labels: {{app: prometheus}}}}
    spec:
      serviceAccountName: prometheus
      containers:
      - name: prometheus
        image: docker.io/prom/prometheus:v3.10.0
        args: [--config.file=/etc/config/prometheus.yml, --web.enable-lifecycle]
        ports: [{{containerPort: 9090}}]
        volumeMounts: [{{name: config, mountPath: /etc/config}}, {{name: data, mountPath: /prometheus/data}}]
      volumes:
      - {{name: config, configMap: {{name: prometheus}}}}
      - {{name: data, persistentVolumeClaim: {{claimName: prometheus}}}}
"
    ));
    let plan = world.plan("-w shop/Deployment/web").await;
    assert!(!plan.to_string().contains("losesHistory"), "{plan:#}");
    let (code, words) = world
        .call("apply -w shop/Deployment/web --yes")
        .await
        .told();
    assert_eq!(code, 0, "{words}");
    let (code, words) = world.call("undo --yes").await.told();
    assert_eq!(code, 0, "{words}");
}

/// Thanos's sidecar makes the file of a ConfigMap's text, and reloads Prometheus when that changes.
const RENDERED: &str = r#"
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: prometheus, namespace: thanos}
spec:
  selector: {matchLabels: {app: prometheus}}
  template:
    metadata: {labels: {app: prometheus}}
    spec:
      serviceAccountName: prometheus
      containers:
      - name: prometheus
        image: prom/prometheus:v3.10.0
        args: [--config.file=/shared/prometheus.yml, --storage.tsdb.path=/data]
        volumeMounts: [{name: shared, mountPath: /shared}, {name: data, mountPath: /data}]
      - name: thanos-sidecar
        image: quay.io/thanos/thanos:v0.40.1
        args: [sidecar, --reloader.config-file=/etc/config/prometheus.yml, --reloader.config-envsubst-file=/shared/prometheus.yml]
        volumeMounts: [{name: config, mountPath: /etc/config}, {name: shared, mountPath: /shared}]
      volumes: [{name: config, configMap: {name: source}}, {name: shared, emptyDir: {}}, {name: data, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: source, namespace: thanos}
data:
  prometheus.yml: |
    scrape_configs:
    - job_name: kubernetes-pods
      kubernetes_sd_configs: [{role: pod}]
      relabel_configs:
      - {action: keep, regex: true, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]}
"#;

#[tokio::test(start_paused = true)]
async fn a_config_that_a_sidecar_renders_is_edited_where_it_comes_from() {
    let world = World::of(&format!("{WEB}{RENDERED}"));
    let plan = world
        .plan("-w shop/Deployment/web --prometheus thanos/StatefulSet/prometheus")
        .await;
    let changes = plan["changes"].as_array().expect("changes");
    let edited = |part: &str| {
        let mut all = changes.iter();
        all.find(|change| change["part"] == part).expect("a change")
    };
    for part in ["scrapeJob", "plaintextJobs"] {
        let change = edited(part);
        assert_eq!(
            (&change["kind"], &change["name"]),
            (&"ConfigMap".into(), &"source".into())
        );
    }
    // The sidecar loads it: no restart is asked for, and none is told apart from the certificates' own.
    let pod = edited("prometheusPod").to_string();
    assert!(!pod.contains("meshscrape.dev/scrape-config"), "{pod}");
}

#[tokio::test(start_paused = true)]
async fn a_prometheus_that_cannot_be_written_says_what_makes_its_config() {
    for (from, to, code, named) in [
        (
            "--config.file=/shared/prometheus.yml, ",
            "",
            "MS206",
            "/prometheus/prometheus.yml",
        ),
        (
            "args: [--config.file=/shared",
            "command: [/start.sh]\n        args: [--x=/shared",
            "MS209",
            "/start.sh",
        ),
        (
            "sidecar, --reloader.config-file=/etc/config/prometheus.yml, ",
            "",
            "MS208",
            "ConfigMap thanos/source",
        ),
        (
            "/shared/prometheus.yml, --storage",
            "/shared/$(POD).yml, --storage",
            "MS210",
            "/shared/$(POD).yml",
        ),
        (
            "configMap: {name: source}",
            "secret: {secretName: source}",
            "MS205",
            r#""secret":"source""#,
        ),
    ] {
        assert!(RENDERED.contains(from), "{from}");
        let world = World::of(&format!("{WEB}{}", RENDERED.replace(from, to)));
        let called = world.call("check --fail-on note --json").await;
        let found: Value = serde_json::from_str(&called.out).expect("JSON");
        let problems = found["problems"].as_array().expect("problems");
        let of = problems.iter().find(|problem| problem["code"] == code);
        let text = of
            .unwrap_or_else(|| panic!("{code}: {found:#}"))
            .to_string();
        assert!(text.contains(named), "{code}: {text}");
    }
}
