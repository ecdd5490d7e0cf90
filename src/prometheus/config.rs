//! The running configuration, as far as the targets are concerned: which jobs, and what they are keyed on.

use super::answer::{self, Fault};
use crate::mesh::ended;
use crate::mesh::kinds::WorkloadRef;
use crate::plan::LeavesOut;
use crate::reach::job::Dialect;
use crate::reach::probe::{self, Kind};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Jobs of a running configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    pub jobs: Vec<Job>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub name: String,
    /// Scrapes annotated pods at their secure port, whatever its name.
    pub secure: bool,
    /// Discovers pods, by themselves or behind Services.
    pub pods: bool,
    /// Scrapes nothing in plaintext that carries the secure port's annotation.
    pub leaves_annotated_out: bool,
    /// The files that its TLS settings name.
    pub files: Vec<String>,
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

    /// The files that these jobs name.
    pub fn files(&self, jobs: &[String]) -> Vec<String> {
        let asked = self.jobs.iter().filter(|job| jobs.contains(&job.name));
        asked.flat_map(|job| job.files.iter().cloned()).collect()
    }

    /// Whether each of these jobs drops the pods of its workloads, and not whatever is annotated. A job that is not
    /// there scrapes nothing.
    pub fn leave_out(&self, wanted: &[LeavesOut]) -> bool {
        wanted.iter().all(|wanted| {
            let mut of = self.jobs.iter().filter(|job| job.name == wanted.job);
            of.all(|job| {
                let named = |item: &WorkloadRef| job.leaves_out.contains(item);
                !job.leaves_annotated_out
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
    tls_config: Option<Tls>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tls {
    ca_file: Option<String>,
    cert_file: Option<String>,
    key_file: Option<String>,
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
    regex: serde_yaml::Value,
}

pub(super) fn hash(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}

pub(super) fn text(body: &[u8]) -> Result<String, Fault> {
    let data: Data = answer::data(body)?;
    Ok(data.yaml)
}

pub(super) fn parse(body: &[u8]) -> Result<Running, Fault> {
    let data: Data = answer::data(body)?;
    let config: Config = serde_yaml::from_str(&data.yaml).map_err(answer::unreadable)?;
    let jobs = config.scrape_configs.unwrap_or_default();
    let read = crate::reach::job::jobs(&data.yaml, Dialect::default());
    let kinds: BTreeMap<String, Kind> = read
        .into_iter()
        .map(|job| (job.name.clone(), probe::kind(&job)))
        .collect();
    let jobs = jobs.into_iter().map(|config| {
        let kind = kinds.get(&config.job_name).cloned();
        job(config, kind.unwrap_or_default())
    });
    Ok(Running {
        jobs: jobs.collect(),
    })
}

fn job(config: ScrapeConfig, kind: Kind) -> Job {
    let rules = config.relabel_configs.unwrap_or_default();
    let leaves_annotated_out = kind.leaves_annotated;
    let discoveries = config.kubernetes_sd_configs.unwrap_or_default();
    let tls = config.tls_config.unwrap_or_default();
    let files = [tls.ca_file, tls.cert_file, tls.key_file];
    let files = files.into_iter().flatten();
    Job {
        files: files.filter(|file| !file.is_empty()).collect(),
        name: config.job_name,
        secure: kind.keyed,
        pods: discoveries
            .iter()
            .any(|sd| matches!(&*sd.role, "pod" | "endpoints" | "endpointslice")),
        leaves_annotated_out,
        leaves_out: rules.iter().filter_map(named).flatten().collect(),
    }
}

fn named(rule: &Rule) -> Option<BTreeSet<WorkloadRef>> {
    let labels = rule.source_labels.as_deref().unwrap_or_default();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    ended::read_parts(&labels, rule.action.as_deref()?, rule.regex.as_str()?)
}
