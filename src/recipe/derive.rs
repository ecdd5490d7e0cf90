//! Today's job, secured: the same settings and labels, with discovery, address, scheme and TLS of its own.
//!
//! Facts (facts on the scrape job): keep on secure-port; two address rules, since `$1:$2` is no address of IPv6;
//! phases that may hold an IP of others are dropped; no container or port label, or the one target for each
//! container port would no longer fold into one; HTTP/2 off; `ca_file` always.

use super::METRICS_PATH;
use crate::mesh::ended;
use crate::plan::mask;
use crate::plan::scrape_config::jobs::{action, anchored, regex_text, sources};
use crate::plan::scrape_config::{Job, emit};
use crate::problems::JobPart;
use crate::reach::discovery::Pod;
use crate::reach::job::{Dialect, Job as Read};
use crate::reach::probe;
use crate::reach::relabel::Unknown;
use crate::reach::scrape::{Around, Discovered};
use serde_json::{Map, Value, json};

const SECURE: &str = "__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port";
const PHASES: [&str; 4] = ["Pending", "Succeeded", "Failed", "Completed"];
/// Settings of a job that hold no credential and mean the same over mTLS: what is not named here is not carried.
///
/// Source: `ScrapeConfig` (prometheus, config/config.go, 3.x, and what 2.x had besides) and `HTTPClientConfig`
/// (prometheus/common, config/http_config.go).
const CARRIED: [&str; 31] = [
    "always_scrape_classic_histograms",
    "body_size_limit",
    "convert_classic_histograms_to_nhcb",
    "enable_compression",
    "extra_scrape_metrics",
    "fallback_scrape_protocol",
    "follow_redirects",
    "honor_labels",
    "honor_timestamps",
    "keep_dropped_targets",
    "label_limit",
    "label_name_length_limit",
    "label_value_length_limit",
    "metric_name_escaping_scheme",
    "metric_name_validation_scheme",
    "metric_relabel_configs",
    "native_histogram_bucket_limit",
    "native_histogram_min_bucket_factor",
    "no_proxy",
    "proxy_from_environment",
    "proxy_url",
    "sample_limit",
    "scrape_classic_histograms",
    "scrape_failure_log_file",
    "scrape_fallback_protocol",
    "scrape_interval",
    "scrape_native_histograms",
    "scrape_protocols",
    "scrape_timeout",
    "target_limit",
    "track_timestamps_staleness",
];
/// Ours stands in their place.
const REPLACED: [&str; 8] = [
    "job_name",
    "scheme",
    "metrics_path",
    "enable_http2",
    "tls_config",
    "kubernetes_sd_configs",
    "relabel_configs",
    "static_configs",
];

/// A job and what of today's could not be taken along.
pub(super) struct Derived {
    pub job: Value,
    pub not_copied: Vec<JobPart>,
}

/// `required`: pods, annotated, that it has to find.
pub(super) fn secured(
    old: Option<&Job>,
    name: &str,
    certificates: &str,
    required: &[&Pod],
) -> Derived {
    let certificates = certificates.trim_end_matches('/');
    let mut not_copied = Vec::new();
    let mut job = match old {
        Some(old) => carried(old, &mut not_copied),
        None => Map::from_iter([("honor_labels".to_owned(), true.into())]),
    };
    job.insert("job_name".into(), name.into());
    job.insert("enable_http2".into(), false.into());
    job.insert("metrics_path".into(), METRICS_PATH.into());
    job.insert("scheme".into(), "https".into());
    job.insert(
        "tls_config".into(),
        json!({
            "ca_file": format!("{certificates}/root-cert.pem"),
            "cert_file": format!("{certificates}/cert-chain.pem"),
            "key_file": format!("{certificates}/key.pem"),
            "insecure_skip_verify": true,
        }),
    );
    job.insert("kubernetes_sd_configs".into(), discovery(old));
    let rules = match old {
        Some(old) => {
            let sd = job["kubernetes_sd_configs"].clone();
            rules(old, &sd, required, &mut not_copied)
        }
        None => assemble(Vec::new(), default_labels()),
    };
    job.insert("relabel_configs".into(), Value::Array(rules));
    Derived {
        job: Value::Object(job),
        not_copied,
    }
}

/// The settings that today's job shares with the secure one. What is not carried is named, without its value: the
/// targets' names are not verified, so that whoever listens would get a credential.
fn carried(old: &Job, not_copied: &mut Vec<JobPart>) -> Map<String, Value> {
    let mut job = Map::new();
    for (key, value) in old.value.as_object().into_iter().flatten() {
        let known = CARRIED.contains(&key.as_str());
        if known && mask::is_free(&json!({key: value})) {
            job.insert(key.clone(), value.clone());
        } else if !REPLACED.contains(&key.as_str()) && !key.ends_with("_sd_configs") {
            not_copied.push(JobPart::Setting {
                name: key.clone(),
                known,
            });
        }
    }
    job
}

/// Pods, with today's restrictions (namespaces, selectors, another API server). A credential within is masked, and
/// a job with a mask in it is never written.
fn discovery(old: Option<&Job>) -> Value {
    let pods: Vec<Value> = old
        .and_then(|old| old.value["kubernetes_sd_configs"].as_array())
        .into_iter()
        .flatten()
        .filter(|sd| sd["role"] == "pod" && is_of_this_cluster(sd))
        .map(mask::setting)
        .collect();
    match pods.is_empty() {
        true => json!([{"role": "pod"}]),
        false => Value::Array(pods),
    }
}

fn is_of_this_cluster(sd: &Value) -> bool {
    let entry = json!({"job_name": "a", "kubernetes_sd_configs": [sd]});
    let read = Read::read(&entry, &Value::Null, Dialect::default());
    let other = |why: &Unknown| matches!(why, Unknown::OtherCluster(_));
    !read.unknown.iter().any(other)
}

/// Does the job make a target of the pod, over https at the port that its annotation names?
pub(super) fn finds(job: &Read, pod: &Pod) -> bool {
    let around = Around {
        services: &[],
        namespaces: &[],
        own: "",
        rights: None,
    };
    let targets = Discovered::of(pod, around, [])
        .targets(job)
        .unwrap_or_default();
    let wanted = pod.metadata.annotations.get(super::ANNOTATION);
    let wanted = wanted.and_then(|port| port.parse().ok());
    targets.iter().any(|target| {
        let (host, port) = target.place();
        target.scheme == "https" && port == wanted && Some(host) == pod.status.pod_ip.as_deref()
    })
}

/// Pods that a job is made for, beside those that are there: the usual ones that it scrapes today, with a sidecar and
/// annotated; where it follows `prometheus.io/scrape`, the annotation of the secure port stands in its place.
fn usual(old: &Read) -> Vec<Pod> {
    const STATUS: (&str, &str) = ("sidecar.istio.io/status", "{}");
    let around = Around {
        services: &[],
        namespaces: &[],
        own: "",
        rights: None,
    };
    let scrapes = |annotations: &[(&str, &str)]| {
        let pod = probe::pod(old, annotations);
        let targets = Discovered::of(&pod, around, []).targets(old);
        targets
            .unwrap_or_default()
            .iter()
            .any(|t| t.scheme == "http" && t.place().1 != Some(15090))
    };
    let annotated = |annotations: &[(&str, &str)]| {
        let mut all = vec![STATUS, (super::ANNOTATION, "15091")];
        all.extend(annotations);
        probe::pod(old, &all)
    };
    let mut pods = Vec::new();
    for name in ["prometheus.io/scrape", "prometheus.io/scrape-slow"] {
        for port in ["8080", "15020"] {
            let says = [(name, "true"), ("prometheus.io/port", port)];
            let meshed = [says[0], says[1], STATUS];
            if scrapes(&says) || scrapes(&meshed) {
                pods.push(annotated(&says));
                if name == "prometheus.io/scrape" {
                    pods.push(annotated(&[]));
                }
            }
        }
    }
    pods
}

/// The filters without those that drop a pod that is to be found.
fn finding(old: &Job, sd: &Value, filters: Vec<Value>, required: &[&Pod]) -> Vec<Value> {
    let usual = usual(&old.read());
    let mut filters = filters;
    for pod in usual.iter().chain(required.iter().copied()) {
        while let Some(at) = dropping(sd, &filters, pod) {
            filters.remove(at);
        }
    }
    filters
}

/// The filter at which nothing is left of a pod.
fn dropping(sd: &Value, filters: &[Value], pod: &Pod) -> Option<usize> {
    let entry = |filters: &[Value]| {
        json!({"job_name": "a", "scheme": "https", "kubernetes_sd_configs": sd,
            "relabel_configs": assemble(filters.to_vec(), Vec::new())})
    };
    let read = |filters: &[Value]| Read::read(&entry(filters), &Value::Null, Dialect::default());
    // A pod that its discovery or its phase leaves out is no filter's doing.
    if finds(&read(filters), pod) || !finds(&read(&[]), pod) {
        return None;
    }
    (0..filters.len()).find(|at| !finds(&read(&filters[..=*at]), pod))
}

fn rules(old: &Job, sd: &Value, required: &[&Pod], not_copied: &mut Vec<JobPart>) -> Vec<Value> {
    let (mut filters, mut labels) = (Vec::new(), Vec::new());
    for rule in old.rules() {
        match role(rule) {
            Role::Replaced => {
                if let Some(parameter) = rule["target_label"]
                    .as_str()
                    .and_then(|label| label.strip_prefix("__param_"))
                {
                    not_copied.push(JobPart::Parameter(parameter.to_owned()));
                }
            }
            Role::PerContainer => not_copied.push(JobPart::Rule(emit::json(&mask::setting(rule)))),
            Role::Filter => filters.push(plain(rule)),
            Role::Label => labels.push(plain(rule)),
        }
    }
    let filters = finding(old, sd, filters, required);
    for (label, source) in [
        ("namespace", "__meta_kubernetes_namespace"),
        ("pod", "__meta_kubernetes_pod_name"),
    ] {
        if !labels.iter().any(|rule| rule["target_label"] == label) {
            labels.push(json!({"source_labels": [source], "target_label": label}));
        }
    }
    assemble(filters, labels)
}

fn default_labels() -> Vec<Value> {
    vec![
        json!({"action": "labelmap", "regex": "__meta_kubernetes_pod_label_(.+)"}),
        json!({"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"}),
        json!({"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"}),
        json!({"source_labels": ["__meta_kubernetes_pod_node_name"], "target_label": "node"}),
    ]
}

fn assemble(filters: Vec<Value>, labels: Vec<Value>) -> Vec<Value> {
    let ip = "__meta_kubernetes_pod_ip";
    let mut rules = vec![json!({"source_labels": [SECURE], "action": "keep", "regex": r"\d+"})];
    rules.extend(filters);
    rules.push(json!({
        "source_labels": ["__meta_kubernetes_pod_phase"],
        "action": "drop",
        "regex": PHASES.join("|"),
    }));
    rules.push(json!({
        "source_labels": [SECURE, ip],
        "regex": r"(\d+);((([0-9]+?)(\.|$)){4})",
        "replacement": "$2:$1",
        "target_label": "__address__",
    }));
    rules.push(json!({
        "source_labels": [SECURE, ip],
        "regex": r"(\d+);(([A-Fa-f0-9]{1,4}::?){1,7}[A-Fa-f0-9]{1,4})",
        "replacement": "[$2]:$1",
        "target_label": "__address__",
    }));
    rules.extend(labels);
    rules
}

enum Role {
    /// Discovery by annotations, address, scheme, path: ours stands in its place.
    Replaced,
    /// Would keep the targets of a pod's containers from folding into one.
    PerContainer,
    /// Keeps or drops pods by what Kubernetes says of them.
    Filter,
    Label,
}

fn role(rule: &Value) -> Role {
    const ANNOTATION: &str = "__meta_kubernetes_pod_annotation";
    let action = action(rule);
    let selects = matches!(action.as_str(), "keep" | "drop");
    let target = rule["target_label"].as_str().unwrap_or_default();
    let replacement = rule["replacement"].as_str().unwrap_or_default();
    let ours = |s: &str| {
        s.starts_with(ANNOTATION)
            && (s.ends_with("_prometheus_istio_io_secure_port")
                || s.ends_with("_prometheus_istio_io_secure_envoy_port"))
    };
    let discovers = |s: &str| {
        ["scrape", "port", "path", "scheme"]
            .iter()
            .any(|word| s == format!("{ANNOTATION}_prometheus_io_{word}"))
    };
    let phase = action == "drop"
        && sources(rule).eq(["__meta_kubernetes_pod_phase"])
        && regex_text(rule).split('|').all(|p| PHASES.contains(&p));
    // What ends plaintext scrapes ends no secure one.
    if ended::read(rule).is_some()
        || matches!(target, "__address__" | "__scheme__" | "__metrics_path__")
        || target.starts_with("__param_")
        || replacement.starts_with("__param_")
        || (sources(rule).any(ours) && sources(rule).all(ours))
        || (selects && sources(rule).all(discovers) && sources(rule).next().is_some())
        || phase
    {
        return Role::Replaced;
    }
    let container = "__meta_kubernetes_pod_container_";
    if sources(rule).any(|s| s.starts_with(container)) {
        return if selects {
            Role::Filter
        } else {
            Role::PerContainer
        };
    }
    let maps_containers = || {
        let parts = [
            "name",
            "id",
            "image",
            "init",
            "port_name",
            "port_number",
            "port_protocol",
        ];
        let regex = regex_text(rule);
        // Compiling is dear, and most rules name another prefix in full.
        let fixed = regex
            .split(['(', '[', '.', '*', '+', '?', '\\', '|'])
            .next();
        let fixed = fixed.unwrap_or_default();
        (container.starts_with(fixed) || fixed.starts_with(container) || regex.contains('|'))
            && anchored(&regex).is_some_and(|regex| {
                parts
                    .iter()
                    .any(|part| regex.is_match(&format!("{container}{part}")))
            })
    };
    if action == "labelmap" && maps_containers() {
        return Role::PerContainer;
    }
    if selects && sources(rule).all(|s| s.starts_with("__meta_kubernetes_")) {
        return Role::Filter;
    }
    Role::Label
}

/// The same rule, with a regex that is text and without the action that is the default.
fn plain(rule: &Value) -> Value {
    let mut rule = rule.clone();
    if let Value::Object(map) = &mut rule {
        if map.get("action").is_some_and(|a| a == "replace") {
            map.remove("action");
        }
        if map.get("regex").is_some_and(|r| !r.is_string()) {
            let text = regex_text(&Value::Object(map.clone()));
            map.insert("regex".into(), text.into());
        }
    }
    rule
}
