//! The scrape job: one for each of today's jobs that follows `prometheus.io/scrape`, and never a second one
//! beside a job that is keyed on the mark already.

use super::JOB;
use super::derive::{Derived, secured};
use crate::error::Error;
use crate::mesh::{Prometheus, PrometheusConfig};
use crate::plan::scrape_config::{Job, TextEdit, jobs};
use crate::plan::{Action, Await, Change, Part, Price};
use serde_json::Value;

/// The configuration of a Prometheus, read.
pub(super) struct Config<'a> {
    pub place: &'a PrometheusConfig,
    pub jobs: Vec<Job>,
}

/// # Errors
/// Where the configuration was not found, not read, or is not what this program can edit.
pub(super) fn config(of: &Prometheus) -> Result<Config<'_>, Error> {
    let failed = || Error::new(format!("the configuration of {} cannot be edited", of.id));
    let place = of
        .config
        .as_ref()
        .ok_or_else(|| failed().cause("its --config.file leads to no ConfigMap"))?;
    let text = place
        .text
        .as_deref()
        .map_err(|why| failed().cause(crate::words::unread(why)))?;
    let jobs = jobs(text)
        .map_err(|e| failed().cause(format!("{}, key {}: {e}", place.config_map, place.key)))?;
    Ok(Config { place, jobs })
}

/// What becomes of the jobs.
pub(super) struct Jobs {
    pub change: Option<Change>,
    /// The jobs that scrape the marked pods afterwards.
    pub names: Vec<String>,
    /// The jobs as they would stand, for the configuration's fingerprint.
    pub values: Vec<Value>,
    pub notes: Vec<String>,
}

pub(super) fn scrape_jobs(config: &Config, certificates: &str, repair: bool) -> Jobs {
    let mut notes = Vec::new();
    let mut wanted = wanted(&config.jobs, certificates, &mut notes);
    let there: Vec<&Job> = config.jobs.iter().filter(|j| j.secure).collect();
    if !repair && !there.is_empty() && there.iter().any(|job| !stands(job, &wanted)) {
        for job in &there {
            notes.push(format!(
                "the job {} is used as it stands, since nothing is to be repaired",
                job.name
            ));
        }
        return Jobs {
            change: None,
            names: there.iter().map(|j| j.name.clone()).collect(),
            values: there.iter().map(|j| j.value.clone()).collect(),
            notes,
        };
    }
    let mut edits = Vec::new();
    let mut prices = Vec::new();
    for job in &there {
        if !wanted.iter().any(|(name, _)| *name == job.name) {
            edits.push(TextEdit::RemoveJob {
                name: job.name.clone(),
            });
            prices.push(Price::Note(format!(
                "what the job {} scrapes gets another job label",
                job.name
            )));
        }
    }
    // Each insertion goes first, so that the last one named stands at the top.
    wanted.reverse();
    for (name, job) in &wanted {
        let (name, job) = (name.clone(), job.clone());
        edits.push(
            match config.jobs.iter().any(|j| j.name == name && j.value != job) {
                true => TextEdit::ReplaceJob { name, job },
                false => TextEdit::InsertJob { name, job },
            },
        );
    }
    wanted.reverse();
    for job in config.jobs.iter().filter(|j| j.secure_envoy) {
        notes.push(format!(
            "the job {} follows prometheus.istio.io/secure-envoy-port; it is left as it is, and a pod with both annotations is scraped by both jobs",
            job.name
        ));
    }
    let change = Change {
        prices,
        ..Change::new(
            config.place.config_map.clone(),
            Part::ScrapeJob,
            Action::Text {
                key: config.place.key.clone(),
                edits,
            },
            "Prometheus scrapes marked pods over mutual TLS, as today's job does in plaintext",
        )
    };
    Jobs {
        change: Some(change),
        names: wanted.iter().map(|(name, _)| name.clone()).collect(),
        values: wanted.into_iter().map(|(_, job)| job).collect(),
        notes,
    }
}

/// The change with more edits of the same text.
pub(super) fn with(change: Option<Change>, config: &Config, more: &[TextEdit]) -> Option<Change> {
    if more.is_empty() {
        return change;
    }
    let mut change = change.unwrap_or_else(|| {
        Change::new(
            config.place.config_map.clone(),
            Part::ScrapeJob,
            Action::Text {
                key: config.place.key.clone(),
                edits: Vec::new(),
            },
            "The plaintext jobs leave out by name what is secured, in place of whatever is annotated",
        )
    });
    if let Action::Text { edits, .. } = &mut change.action {
        edits.extend_from_slice(more);
    }
    Some(change)
}

fn stands(job: &Job, wanted: &[(String, Value)]) -> bool {
    wanted
        .iter()
        .any(|(name, value)| *name == job.name && *value == job.value)
}

/// Our jobs by name, the main one first.
fn wanted(all: &[Job], certificates: &str, notes: &mut Vec<String>) -> Vec<(String, Value)> {
    let mut old: Vec<&Job> = all.iter().filter(|j| j.plaintext).collect();
    if let Some(main) = main_job(&old) {
        let main = old.remove(main);
        old.insert(0, main);
    }
    if old.is_empty() {
        return vec![(JOB.into(), secured(None, JOB, certificates).job)];
    }
    let mut made: Vec<(String, Value)> = Vec::new();
    for job in &old {
        let name = twin_name(old[0], job);
        let Derived {
            job: value,
            notes: said,
        } = secured(Some(job), &name, certificates);
        // Two jobs that select the same pods would scrape them twice.
        if let Some((first, _)) = made
            .iter()
            .find(|(_, other)| selects(other) == selects(&value))
        {
            notes.push(format!(
                "{first} stands for {} as well: both select the same pods",
                job.name
            ));
            continue;
        }
        notes.extend(said);
        made.push((name, value));
    }
    made
}

/// The one whose name the others extend, else the first.
fn main_job(old: &[&Job]) -> Option<usize> {
    (0..old.len()).find(|i| {
        let others = old.iter().filter(|j| j.name != old[*i].name);
        let mut extended = others.filter(|j| j.name.starts_with(&old[*i].name));
        extended.next().is_some()
    })
}

fn twin_name(main: &Job, job: &Job) -> String {
    if main.name == job.name {
        return JOB.into();
    }
    match job.name.strip_prefix(&main.name) {
        Some(ending) => format!("{JOB}{ending}"),
        None => format!("{JOB}-{}", job.name),
    }
}

/// What decides which pods a job takes: its discovery and its keeping and dropping rules.
fn selects(job: &Value) -> (Value, Vec<Value>) {
    let rules = job["relabel_configs"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|rule| rule["action"].is_string() && rule["action"] != "labelmap")
        .cloned()
        .collect();
    (job["kubernetes_sd_configs"].clone(), rules)
}

/// What has to be seen before marks may follow.
pub(super) fn loaded(of: &Prometheus, names: &[String]) -> Vec<Await> {
    names
        .iter()
        .map(|job| Await::ConfigLoaded {
            prometheus: of.id.clone(),
            job: job.clone(),
        })
        .collect()
}
