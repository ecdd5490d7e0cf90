//! How pods are scraped today: what their annotations say, and what the scrape jobs make of it.

use super::ended;
use super::kinds::WorkloadRef;
use super::objects::{Labels, Template};
use super::pods::SECURE_PORT;
use super::{Pod, Prometheus, Scraped};
use crate::reach::labels::read_as;
use serde::Deserialize;
use serde_yaml::Value;
use std::collections::BTreeSet;

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

    /// The workloads that it names to be left out.
    fn names(&self) -> Option<BTreeSet<WorkloadRef>> {
        let sources: Vec<&str> = self.source_labels.iter().map(String::as_str).collect();
        ended::read_parts(&sources, &self.action, self.regex.as_str()?)
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

    /// Leaves out whatever carries the secure port.
    fn leaves_marked_out(&self) -> bool {
        self.relabel_configs.iter().any(|rule| {
            rule.action == "drop"
                && (rule.reads(MARKED) || rule.reads(META_SECURE))
                && rule.names().is_none()
        })
    }

    /// Leaves out the annotated pods of these workloads.
    fn leaves_out(&self) -> BTreeSet<WorkloadRef> {
        let rules = self.relabel_configs.iter();
        rules.filter_map(Rule::names).flatten().collect()
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OldJobs {
    /// No configuration could be read: the annotations alone must tell.
    Unknown,
    /// None takes them.
    None,
    /// Each of these takes them, but for the annotated pods that it leaves out.
    Take(Vec<LeavesOut>),
}

/// Which annotated pods a job leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LeavesOut {
    All,
    Of(BTreeSet<WorkloadRef>),
}

impl OldJobs {
    /// Does one of them scrape pods of this workload?
    fn take(&self, of: Option<&WorkloadRef>, annotated: bool) -> bool {
        match self {
            OldJobs::None => false,
            OldJobs::Unknown => true,
            OldJobs::Take(jobs) => jobs.iter().any(|job| {
                !annotated
                    || match job {
                        LeavesOut::All => false,
                        LeavesOut::Of(named) => of.is_none_or(|of| !named.contains(of)),
                    }
            }),
        }
    }
}

pub(super) fn old_jobs(prometheis: &[std::sync::Arc<Prometheus>]) -> OldJobs {
    let texts: Vec<&str> = prometheis
        .iter()
        .filter_map(|prometheus| prometheus.config.as_ref()?.text.as_deref().ok())
        .collect();
    if texts.is_empty() {
        return OldJobs::Unknown;
    }
    let following: Vec<LeavesOut> = texts
        .into_iter()
        .flat_map(jobs)
        .filter(Job::follows_annotations)
        .map(|job| match job.leaves_marked_out() {
            true => LeavesOut::All,
            false => LeavesOut::Of(job.leaves_out()),
        })
        .collect();
    if following.is_empty() {
        return OldJobs::None;
    }
    OldJobs::Take(following)
}

/// By either of Istio's sample jobs, the slow one too.
fn wants(annotations: &Labels) -> bool {
    let says = |name| read_as(annotations, name).any(|(_, value)| value == "true");
    says(SCRAPE) || says("prometheus.io/scrape_slow")
}

/// Does a job that follows `prometheus.io/scrape` take a pod with these annotations, of no workload that a rule names?
pub(super) fn in_plaintext(annotations: &Labels, old: &OldJobs) -> bool {
    wants(annotations) && old.take(None, annotations.contains_key(SECURE_PORT))
}

fn plaintext_port(annotations: &Labels, template: &Template) -> Option<u16> {
    if !wants(annotations) {
        return None;
    }
    let port = read_as(annotations, PORT).find_map(|(_, port)| port.parse().ok());
    match port {
        Some(port) => Some(port),
        // Without a port that is a number the job takes every declared container port.
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

pub(super) fn scraped(
    id: &WorkloadRef,
    template: &Template,
    pods: &[Pod],
    merge: bool,
    old: &OldJobs,
) -> Scraped {
    let secure_template = template.metadata.annotations.contains_key(SECURE_PORT);
    // As if nothing left out what is annotated.
    let of = |as_annotated: bool| {
        if pods.is_empty() {
            plaintext_port(&template.metadata.annotations, template)
                .filter(|_| old.take(Some(id), as_annotated && secure_template))
        } else {
            pods.iter()
                .filter(|pod| old.take(Some(id), as_annotated && pod.secure_port.is_some()))
                .find_map(|pod| plaintext_port(&pod.annotations, template))
        }
    };
    Scraped {
        plaintext: of(true),
        asks: of(false),
        secure: secure_template || pods.iter().any(|pod| pod.secure_port.is_some()),
        secure_template,
        app_metrics: app_metrics(template, merge),
    }
}
