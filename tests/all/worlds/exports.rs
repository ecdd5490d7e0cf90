//! What an export says is in its folder, whatever Prometheus it is for.

use super::{WEB, World};
use regex::Regex;
use std::collections::BTreeMap;
use std::path::Path;

/// A Prometheus of a kind: its name, its objects, what its folder holds.
struct Flavour {
    what: &'static str,
    prometheus: &'static str,
    yaml: String,
    job: bool,
    pod: bool,
}

const CONFIG: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: NAME, namespace: monitoring}
data:
  prometheus.yml: |
    scrape_configs:
    - job_name: kubernetes-pods
      kubernetes_sd_configs: [{role: pod}]
      relabel_configs:
      - {action: keep, regex: true, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]}
"#;

/// Nothing of the base's own Prometheus.
const NONE: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: prometheus, namespace: istio-system}
spec:
  selector: {matchLabels: {app: other}}
  template:
    metadata: {labels: {app: other}}
    spec: {containers: [{name: other, image: "example.org/other:1"}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: monitoring, labels: {istio-injection: enabled}}
"#;

fn server(
    kind: &str,
    name: &str,
    metadata: &str,
    template: &str,
    container: &str,
    volumes: &str,
) -> String {
    format!(
        "{WEB}---{NONE}---\napiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: monitoring{metadata}}}\nspec:\n  selector: {{matchLabels: {{p: {name}}}}}\n  template:\n    metadata: {{labels: {{p: {name}}}{template}}}\n    spec:\n      containers:\n      - {{name: prometheus, image: \"quay.io/prometheus/prometheus:v3.5.0\", ports: [{{containerPort: 9090}}]{container}}}\n      volumes: [{volumes}]\n"
    )
}

const CERTIFICATES: &str = r#", annotations: {traffic.sidecar.istio.io/includeOutboundIPRanges: "", proxy.istio.io/config: '{"proxyMetadata": {"OUTPUT_CERTS": "/etc/istio-output-certs"}}', sidecar.istio.io/userVolumeMount: '[{"name": "istio-certs", "mountPath": "/etc/istio-output-certs"}]'}"#;

const RENDERED: &str = ", args: [--config.file=/etc/out/prometheus.yml], volumeMounts: [{name: out, mountPath: /etc/out}]";

/// One that cannot be chosen; `own`: its pod and its job are in the folder all the same.
fn odd(what: &'static str, container: &str, volumes: &str, own: bool) -> Flavour {
    Flavour {
        what,
        prometheus: "monitoring/Deployment/odd",
        yaml: server("Deployment", "odd", "", "", container, volumes),
        job: own,
        pod: own,
    }
}

fn flavours() -> Vec<Flavour> {
    let operator = |name: &str, template: &str, mounts: &str, volumes: &str| {
        server(
            "StatefulSet",
            name,
            &format!(
                ", ownerReferences: [{{apiVersion: monitoring.coreos.com/v1, kind: Prometheus, name: {name}, uid: u-1, controller: true}}]"
            ),
            template,
            &format!(
                ", args: [--config.file=/etc/prometheus/config_out/prometheus.env.yaml, --web.enable-lifecycle], volumeMounts: [{{name: config-out, mountPath: /etc/prometheus/config_out}}{mounts}]"
            ),
            &format!("{{name: config-out, emptyDir: {{}}}}{volumes}"),
        )
    };
    let chart = server(
        "Deployment",
        "mine-prometheus-server",
        ", labels: {helm.sh/chart: prometheus-27.1.0, app.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: mine, meta.helm.sh/release-namespace: monitoring}",
        "",
        ", args: [--config.file=/etc/config/prometheus.yml], volumeMounts: [{name: config, mountPath: /etc/config}]",
        "{name: config, configMap: {name: mine-config}}",
    ) + "---"
        + &CONFIG.replace("NAME", "mine-config");
    vec![
        Flavour {
            what: "the sample",
            prometheus: "istio-system/Deployment/prometheus",
            yaml: WEB.into(),
            job: true,
            pod: true,
        },
        Flavour {
            what: "the chart",
            prometheus: "monitoring/Deployment/mine-prometheus-server",
            yaml: chart,
            job: true,
            pod: true,
        },
        Flavour {
            what: "the operator",
            prometheus: "monitoring/StatefulSet/k8s",
            yaml: operator("k8s", "", "", ""),
            job: true,
            pod: true,
        },
        Flavour {
            what: "the operator with certificates",
            prometheus: "monitoring/StatefulSet/k8s",
            yaml: operator(
                "k8s",
                CERTIFICATES,
                ", {name: istio-certs, mountPath: /etc/prom-certs/}",
                ", {name: istio-certs, emptyDir: {medium: Memory}}",
            ),
            job: true,
            pod: false,
        },
        odd(
            "a configuration in a Secret",
            ", args: [--config.file=/etc/config/prometheus.yml], volumeMounts: [{name: config, mountPath: /etc/config}]",
            "{name: config, secret: {secretName: config}}",
            true,
        ),
        odd(
            "a configuration that nobody is known to write",
            RENDERED,
            "{name: out, emptyDir: {}}",
            true,
        ),
        odd(
            "a configuration that an init container writes",
            RENDERED,
            "{name: out, emptyDir: {}}]\n      initContainers: [{name: render, volumeMounts: [{name: out, mountPath: /out}]}",
            true,
        ),
        odd(
            "a script that starts Prometheus",
            ", command: [/start.sh]",
            "",
            true,
        ),
        odd(
            "one that is never injected",
            ", args: [--config.file=/etc/config/prometheus.yml]",
            "]\n      hostNetwork: true\n      tolerations: [",
            false,
        ),
    ]
}

fn read(folder: &Path, under: &Path, out: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, under, out);
        } else {
            let name = path.strip_prefix(under).unwrap().display().to_string();
            out.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

async fn exported(world: &World, args: &str) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out");
    let called = world.call(&format!("export {args} {}", to.display())).await;
    let (code, said) = called.told();
    assert_eq!(code, 0, "{said}");
    let mut files = BTreeMap::new();
    read(&to, &to, &mut files);
    files
}

/// Every file and folder of the export that one of its own texts names is there.
fn names_what_is_there(what: &str, files: &BTreeMap<String, String>) {
    let named = Regex::new(
        r"(?:apply\.sh|README\.md|kustomization\.yaml|(?:patches|apply|values|prometheus|resources)/[\w./-]*|[\w-]*(?:job|rule|resource|stack|prometheus-\d+)s?\.yaml)",
    )
    .unwrap();
    let there = |name: &str| {
        let name = name.trim_end_matches('.');
        files.keys().any(|path| {
            path == name || path.ends_with(&format!("/{name}")) || path.starts_with(name)
        })
    };
    for (path, text) in files {
        // Of the script, its words for the reader; the rest is run by other tests.
        for line in text
            .lines()
            .filter(|line| path != "apply.sh" || line.starts_with("by_eye"))
        {
            for name in named.find_iter(line) {
                // An image, a chart or a path on the cluster's side is no file of ours.
                let before = &line[..name.start()];
                if before.ends_with(['/', ':', '-', '_'])
                    || before.ends_with("chart ")
                    || before.ends_with("community")
                {
                    continue;
                }
                assert!(
                    there(name.as_str()),
                    "{what}: {path} names {}, which is not there: {line}\n{:?}",
                    name.as_str(),
                    files.keys()
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_readme_says_is_in_the_folder() {
    for flavour in flavours() {
        let what = flavour.what;
        let world = World::of(&flavour.yaml);
        let args = format!("-w shop/Deployment/web --prometheus {}", flavour.prometheus);
        let files = exported(&world, &args).await;
        names_what_is_there(what, &files);
        let readme = &files["README.md"];
        let job = files
            .keys()
            .any(|path| path == "prometheus/scrape-job.yaml");
        assert_eq!(job, flavour.job, "{what}: {:?}", files.keys());
        assert_eq!(
            readme.contains("its scrape job"),
            flavour.job,
            "{what}: {readme}"
        );
        assert_eq!(readme.contains("its pod"), flavour.pod, "{what}: {readme}");
        let of_operator = flavour.prometheus.contains("StatefulSet");
        let values = files.get("values/kube-prometheus-stack.yaml");
        assert_eq!(values.is_some(), of_operator, "{what}");
        assert!(
            values.is_none_or(|text| text.contains("additionalScrapeConfigs")),
            "{what}"
        );
        // Nobody is told to change a ConfigMap that is not there.
        let (_, changes) = readme.split_once("## Changes").unwrap();
        let told = |line: &&str| line.starts_with("| ") || line.contains("for its owner");
        for line in changes
            .lines()
            .filter(|line| line.contains("ConfigMap "))
            .filter(told)
        {
            let there = world.simulation.objects("ConfigMap", "").iter().any(|map| {
                let name = |field: &str| {
                    map["metadata"][field]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned()
                };
                line.contains(&name("name")) && line.contains(&name("namespace"))
            });
            assert!(there, "{what}: {line}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_plan_skips_is_in_no_file() {
    let world = World::of(WEB);
    let plan = world.plan("-w shop/Deployment/web").await;
    let id = |kind: &str| -> String {
        let changes = plan["changes"].as_array().unwrap();
        let of = changes
            .iter()
            .find(|change| change["kind"] == kind)
            .unwrap();
        of["id"].as_str().unwrap().to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    let answers = folder.path().join("answers.yaml");
    let text = format!(
        "version: 1\nanswers:\n  workloads: [shop/Deployment/web]\n  leaveOut: [\"{}\"]\n",
        id("Sidecar")
    );
    std::fs::write(&answers, text).unwrap();
    let args = format!("--answers {}", answers.display());
    let plan = world.plan(&args).await;
    let skipped: Vec<(String, String)> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["state"] == "leftOut" && change["part"] != "journal")
        .map(|change| {
            let text = |field: &str| change[field].as_str().unwrap().to_owned();
            (text("kind"), text("name"))
        })
        .collect();
    assert!(
        skipped.iter().any(|(kind, _)| kind == "PeerAuthentication"),
        "{skipped:?}"
    );
    let files = exported(&world, &args).await;
    for (kind, name) in skipped {
        for (path, text) in &files {
            let holds = text.contains(&format!("kind: {kind}\n"))
                && text.contains(&format!("name: {name}\n"));
            assert!(!holds, "{path} holds {kind} {name}");
        }
    }
    names_what_is_there("one that was skipped", &files);
}
