//! How pods are scraped today: what their annotations say, and what the scrape jobs make of it.

use super::objects::{Labels, Template};
use super::pods::SECURE_PORT;
use super::{Pod, Prometheus, Scraped};
use serde::Deserialize;
use serde_yaml::Value;

const MERGED: u16 = 15020;
pub(super) const SCRAPE: &str = "prometheus.io/scrape";
pub(super) const PORT: &str = "prometheus.io/port";

/// A scrape job, as far as it decides which pods it takes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Job {
    pub job_name: String,
    pub scheme: String,
    pub metrics_path: Option<String>,
    pub tls_config: Tls,
    relabel_configs: Vec<Rule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tls {
    pub ca_file: Option<String>,
    pub cert_file: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rule {
    source_labels: Vec<String>,
    action: String,
    regex: Value,
}

impl Rule {
    fn reads(&self, label: &str) -> bool {
        self.source_labels.iter().any(|source| source == label)
    }
}

const META: &str = "__meta_kubernetes_pod_annotation_prometheus_io_scrape";
const META_SLOW: &str = "__meta_kubernetes_pod_annotation_prometheus_io_scrape_slow";
const META_SECURE: &str = "__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port";
const META_SECURE_ENVOY: &str =
    "__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_envoy_port";
const MARKED: &str = "__meta_kubernetes_pod_annotationpresent_prometheus_istio_io_secure_port";

impl Job {
    fn keeps(&self, label: &str) -> bool {
        self.relabel_configs
            .iter()
            .any(|rule| rule.action == "keep" && rule.reads(label))
    }

    /// Takes the pods that say `prometheus.io/scrape` (or `scrape_slow`).
    pub fn follows_annotations(&self) -> bool {
        self.keeps(META) || self.keeps(META_SLOW)
    }

    /// Keyed on the secure annotations, under whatever name.
    pub fn is_secure(&self) -> bool {
        self.keeps(META_SECURE) || self.keeps(META_SECURE_ENVOY)
    }

    /// The pattern by which it keeps pods with the secure annotations.
    pub fn keeps_secure_by(&self) -> Option<&str> {
        self.relabel_configs
            .iter()
            .find(|rule| {
                rule.action == "keep" && (rule.reads(META_SECURE) || rule.reads(META_SECURE_ENVOY))
            })
            .map(|rule| rule.regex.as_str().unwrap_or("(.*)"))
    }

    /// Leaves out pods that carry the secure port.
    fn leaves_marked_out(&self) -> bool {
        self.relabel_configs
            .iter()
            .any(|rule| rule.action == "drop" && (rule.reads(MARKED) || rule.reads(META_SECURE)))
    }
}

/// The scrape jobs of a configuration; none where it is not YAML.
pub(super) fn jobs(text: &str) -> Vec<Job> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct File {
        scrape_configs: Option<Vec<Value>>,
    }
    serde_yaml::from_str::<File>(text)
        .ok()
        .and_then(|file| file.scrape_configs)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|job| serde_yaml::from_value(job).ok())
        .collect()
}

/// What all configurations found say of pods that follow `prometheus.io/scrape`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OldJobs {
    /// No configuration could be read: the annotations alone must tell.
    Unknown,
    /// None takes them.
    None,
    Take {
        marked_too: bool,
    },
}

pub(super) fn old_jobs(prometheis: &[std::sync::Arc<Prometheus>]) -> OldJobs {
    let texts: Vec<&str> = prometheis
        .iter()
        .filter_map(|prometheus| prometheus.config.as_ref()?.text.as_deref().ok())
        .collect();
    if texts.is_empty() {
        return OldJobs::Unknown;
    }
    let following: Vec<Job> = texts
        .into_iter()
        .flat_map(jobs)
        .filter(Job::follows_annotations)
        .collect();
    if following.is_empty() {
        return OldJobs::None;
    }
    OldJobs::Take {
        marked_too: !following.iter().all(Job::leaves_marked_out),
    }
}

fn wants(annotations: &Labels) -> bool {
    annotations.get(SCRAPE).is_some_and(|value| value == "true")
}

/// Does a job that follows `prometheus.io/scrape` take a pod with these annotations?
pub(super) fn in_plaintext(annotations: &Labels, old: OldJobs) -> bool {
    wants(annotations) && old.take(annotations.contains_key(SECURE_PORT))
}

impl OldJobs {
    /// The jobs take a pod that says `prometheus.io/scrape`, with or without the secure port's annotation.
    fn take(self, marked: bool) -> bool {
        match self {
            OldJobs::None => false,
            OldJobs::Unknown => true,
            OldJobs::Take { marked_too } => marked_too || !marked,
        }
    }
}

fn plaintext_port(annotations: &Labels, template: &Template) -> Option<u16> {
    if !wants(annotations) {
        return None;
    }
    match annotations.get(PORT) {
        Some(port) => port.parse().ok(),
        // Without a port the job takes every declared container port.
        None => template
            .spec
            .containers
            .iter()
            .flat_map(|container| &container.ports)
            .map(|port| port.container_port)
            .next(),
    }
}

/// The app's own metrics come along on 15020: the template asks for a scrape of a port of its own.
fn app_metrics(template: &Template, merge: bool) -> bool {
    let annotations = &template.metadata.annotations;
    let merged = merge
        && annotations
            .get("prometheus.istio.io/merge-metrics")
            .is_none_or(|value| value != "false");
    merged
        && wants(annotations)
        && annotations
            .get(PORT)
            .is_none_or(|port| port.parse() != Ok(MERGED))
}

pub(super) fn scraped(template: &Template, pods: &[Pod], merge: bool, old: OldJobs) -> Scraped {
    let secure_template = template.metadata.annotations.contains_key(SECURE_PORT);
    let taken = |marked: bool| old.take(marked);
    let plaintext = if pods.is_empty() {
        plaintext_port(&template.metadata.annotations, template).filter(|_| taken(secure_template))
    } else {
        pods.iter()
            .filter(|pod| taken(pod.secure_port.is_some()))
            .find_map(|pod| plaintext_port(&pod.annotations, template))
    };
    Scraped {
        plaintext,
        secure: secure_template || pods.iter().any(|pod| pod.secure_port.is_some()),
        secure_template,
        app_metrics: app_metrics(template, merge),
    }
}
