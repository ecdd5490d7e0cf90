//! The scrape jobs of a `prometheus.yml`, and what each has to do with the secure port.

use super::{Yaml, parse};
use crate::mesh::ended;
use crate::mesh::kinds::WorkloadRef;
use crate::reach::job::{self, Dialect};
use crate::reach::probe;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;

/// A job of `scrape_configs`, read for what it means here.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub name: String,
    /// The job as it stands, merge keys resolved.
    pub value: Value,
    /// Scrapes pods that say `prometheus.io/scrape` (or `scrape-slow`) in plaintext.
    pub plaintext: bool,
    /// Scrapes Envoy's own plaintext port 15090, as Istio's documentation shows, and no other.
    pub envoy_stats: bool,
    /// Keyed on `prometheus.istio.io/secure-port`.
    pub secure: bool,
    /// Keyed on `prometheus.istio.io/secure-envoy-port`.
    pub secure_envoy: bool,
    /// Leaves out whatever carries the mark.
    pub leaves_annotated_out: bool,
}

impl Job {
    /// As Prometheus reads it.
    pub fn read(&self) -> job::Job {
        job::Job::read(&self.value, &Value::Null, Dialect::default())
    }

    /// The relabel rules, in order.
    pub fn rules(&self) -> &[Value] {
        self.value["relabel_configs"]
            .as_array()
            .map_or(&[], Vec::as_slice)
    }

    /// The workloads whose annotated pods it leaves out by name.
    pub fn leaves_out(&self) -> BTreeSet<WorkloadRef> {
        let rules = self.rules().iter();
        rules.filter_map(ended::read).flatten().collect()
    }

    /// The rule of earlier versions, which leaves out whatever carries the mark, as it is written here.
    pub fn rule_of_earlier_versions(&self) -> Option<&Value> {
        self.rules().iter().find(|rule| ended::is_everything(rule))
    }

    /// Does the job's discovery look for pods in a namespace? `own` is Prometheus's own one.
    ///
    /// Prometheus: without `namespaces`, or with none named, it looks in all.
    pub fn discovers_pods_in(&self, namespace: &str, own: &str) -> bool {
        let looks = |sd: &Value| {
            let spaces = &sd["namespaces"];
            let names = spaces["names"].as_array().map_or(&[][..], Vec::as_slice);
            let own_too = spaces["own_namespace"] == true;
            match (names.is_empty(), own_too) {
                (true, false) => true,
                _ => (own_too && namespace == own) || names.iter().any(|name| name == namespace),
            }
        };
        let discoveries = self.value["kubernetes_sd_configs"].as_array();
        discoveries
            .into_iter()
            .flatten()
            .any(|sd| POD_ROLES.iter().any(|role| sd["role"] == *role) && looks(sd))
    }
}

/// The roles whose targets carry the labels of their pods.
const POD_ROLES: [&str; 3] = ["pod", "endpoints", "endpointslice"];

/// All jobs of the text, in its order.
///
/// # Errors
/// Where the text is no valid YAML or `scrape_configs` no list of mappings.
pub fn jobs(text: &str) -> Result<Vec<Job>, String> {
    let mut root = parse(text)?;
    root.apply_merge().map_err(|e| e.to_string())?;
    let list = match root.get("scrape_configs") {
        None | Some(Yaml::Null) => return Ok(Vec::new()),
        Some(Yaml::Sequence(list)) => list,
        Some(_) => return Err("`scrape_configs` is no list".into()),
    };
    list.iter().map(one).collect()
}

fn one(yaml: &Yaml) -> Result<Job, String> {
    let value = serde_json::to_value(yaml).map_err(|e| e.to_string())?;
    let name = value["job_name"]
        .as_str()
        .ok_or("an entry of `scrape_configs` has no job_name")?
        .to_owned();
    let mut job = Job {
        name,
        value,
        plaintext: false,
        envoy_stats: false,
        secure: false,
        secure_envoy: false,
        leaves_annotated_out: false,
    };
    let kind = probe::kind(&job.read());
    job.secure = kind.keyed;
    job.secure_envoy = kind.keyed_envoy;
    job.plaintext = kind.plaintext;
    job.envoy_stats = kind.envoy_stats;
    job.leaves_annotated_out = kind.leaves_annotated;
    Ok(job)
}

/// A rule's action; Prometheus's default is `replace`.
pub(crate) fn action(rule: &Value) -> String {
    rule["action"]
        .as_str()
        .unwrap_or("replace")
        .to_ascii_lowercase()
}

pub(crate) fn sources(rule: &Value) -> impl Iterator<Item = &str> {
    rule["source_labels"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// A rule's regex as text: YAML reads a bare `true` as a boolean, Prometheus as the word.
pub(crate) fn regex_text(rule: &Value) -> String {
    match &rule["regex"] {
        Value::Null => "(.*)".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A regex as Prometheus reads it.
pub(crate) fn anchored(regex: &str) -> Option<Regex> {
    Regex::new(&format!("^(?s:{regex})$")).ok()
}
