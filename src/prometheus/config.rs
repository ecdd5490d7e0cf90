//! The running configuration, as far as the targets are concerned: which jobs, and what they are keyed on.

use super::answer::{self, Fault};
use crate::mesh::ended;
use crate::mesh::kinds::WorkloadRef;
use crate::plan::LeavesOut;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Prometheus's meta label of the annotation `prometheus.istio.io/secure-port`.
const SECURE_PORT: &str = "__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port";

const SECURE_PORT_PRESENT: &str =
    "__meta_kubernetes_pod_annotationpresent_prometheus_istio_io_secure_port";

/// Jobs of a running configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    pub jobs: Vec<Job>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub name: String,
    /// Keyed on the secure port's annotation, whatever its name.
    pub secure: bool,
    /// Discovers pods.
    pub pods: bool,
    /// Drops whatever carries the secure port's annotation.
    pub leaves_marked_out: bool,
    /// Workloads whose annotated pods it drops by name.
    pub leaves_out: BTreeSet<WorkloadRef>,
}

impl Running {
    pub fn has(&self, job: &str) -> bool {
        self.jobs.iter().any(|known| known.name == job)
    }

    /// Names of the jobs keyed on the secure port's annotation.
    pub fn secure(&self) -> Vec<String> {
        self.names(|job| job.secure)
    }

    /// Names of the other jobs that discover pods: those that may scrape the same ones in plaintext.
    pub fn old(&self) -> Vec<String> {
        self.names(|job| job.pods && !job.secure)
    }

    /// Whether each of these jobs drops the pods of its workloads, and not whatever is annotated. A job that is not
    /// there scrapes nothing.
    pub fn leave_out(&self, wanted: &[LeavesOut]) -> bool {
        wanted.iter().all(|wanted| {
            let mut of = self.jobs.iter().filter(|job| job.name == wanted.job);
            of.all(|job| {
                let named = |item: &WorkloadRef| job.leaves_out.contains(item);
                !job.leaves_marked_out
                    && wanted.of.iter().all(named)
                    && !wanted.not.iter().any(named)
            })
        })
    }

    fn names(&self, which: impl Fn(&Job) -> bool) -> Vec<String> {
        let jobs = self.jobs.iter().filter(|job| which(job));
        jobs.map(|job| job.name.clone()).collect()
    }
}

#[derive(Deserialize)]
struct Data {
    yaml: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Config {
    scrape_configs: Option<Vec<ScrapeConfig>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ScrapeConfig {
    job_name: String,
    kubernetes_sd_configs: Option<Vec<Discovery>>,
    relabel_configs: Option<Vec<Rule>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Discovery {
    role: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Rule {
    source_labels: Option<Vec<String>>,
    action: Option<String>,
    target_label: Option<String>,
    regex: serde_yaml::Value,
}

pub(super) fn hash(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}

pub(super) fn parse(body: &[u8]) -> Result<Running, Fault> {
    let data: Data = answer::data(body)?;
    let config: Config = serde_yaml::from_str(&data.yaml)
        .map_err(|e| answer::unreadable("its running configuration", e))?;
    let jobs = config.scrape_configs.unwrap_or_default();
    Ok(Running {
        jobs: jobs.into_iter().map(job).collect(),
    })
}

fn job(config: ScrapeConfig) -> Job {
    let rules = config.relabel_configs.unwrap_or_default();
    let leaves_marked_out = rules.iter().any(drops_marked);
    let discoveries = config.kubernetes_sd_configs.unwrap_or_default();
    Job {
        name: config.job_name,
        secure: rules.iter().any(keyed),
        pods: discoveries.iter().any(|sd| sd.role == "pod"),
        leaves_marked_out,
        leaves_out: rules.iter().filter_map(named).flatten().collect(),
    }
}

fn named(rule: &Rule) -> Option<BTreeSet<WorkloadRef>> {
    let labels = rule.source_labels.as_deref().unwrap_or_default();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    ended::read_parts(&labels, rule.action.as_deref()?, rule.regex.as_str()?)
}

fn drops_marked(rule: &Rule) -> bool {
    let labels = rule.source_labels.as_deref().unwrap_or_default();
    rule.action.as_deref() == Some("drop")
        && matches!(labels, [only] if only == SECURE_PORT || only == SECURE_PORT_PRESENT)
}

/// A rule by which the annotation decides whether a pod is scraped, or at which address. One that drops marked pods
/// belongs to a job that leaves them to the secure one; one that copies the annotation into a label decides nothing.
fn keyed(rule: &Rule) -> bool {
    let labels = rule.source_labels.as_deref().unwrap_or_default();
    let reads = |wanted: &str| labels.iter().any(|label| label == wanted);
    let action = rule.action.as_deref().unwrap_or("replace");
    match action.to_ascii_lowercase().as_str() {
        "keep" => reads(SECURE_PORT) || reads(SECURE_PORT_PRESENT),
        "keepequal" => reads(SECURE_PORT),
        "replace" => reads(SECURE_PORT) && rule.target_label.as_deref() == Some("__address__"),
        _ => false,
    }
}
