//! The scrape job: one for each of today's jobs that follows `prometheus.io/scrape`, and never a second one
//! beside a job that is keyed on the annotation already.

use super::JOB;
use super::derive::{Derived, finds, secured};
use super::select::Item;
use super::{ANNOTATION, SECURE_PORT};
use crate::error::Error;
use crate::mesh::kinds::WorkloadRef;
use crate::mesh::{self, ConfigHome, Mesh, Prometheus, PrometheusConfig, objects as lean};
use crate::plan::purpose::Purpose;
use crate::plan::scrape_config::{Job, TextEdit, jobs};
use crate::plan::{Action, Await, Change, Part};
use crate::problems::{Problem, Subject};
use crate::reach::job::Job as Read;
use crate::reach::probe;
use crate::reach::relabel::Unknown;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The configuration of a Prometheus, read.
pub(super) struct Config<'a> {
    pub of: WorkloadRef,
    pub place: &'a PrometheusConfig,
    pub jobs: Vec<Job>,
    /// What is to be found by the secure jobs: see [`Config::over`].
    pub pods: Vec<Wanted>,
    /// Why the jobs of today are not known.
    pub unknown: Option<String>,
}

/// A workload as the secure jobs are to find it.
pub(super) struct Wanted {
    pub of: WorkloadRef,
    /// One of its pods, with its sidecar and annotated.
    pub pod: lean::Pod,
    /// The jobs that scrape it in plaintext today, Envoy's own port aside.
    pub by: BTreeSet<String>,
}

impl Config<'_> {
    /// Can this job be changed by an edit of the text?
    pub fn holds(&self, job: &Job) -> bool {
        self.place.home.holds(&job.name)
    }

    /// With the workloads that are chosen or secured.
    pub fn over(mut self, mesh: &Mesh, of: &Prometheus, items: &[Item]) -> Self {
        let gateways = mesh.gateways.iter().map(|gateway| &gateway.workload);
        let all = mesh.workloads.iter().map(|w| w.as_ref()).chain(gateways);
        for workload in all {
            let chosen = items.iter().any(|item| item.workload.id == workload.id);
            // Who was not evaluated is found as before.
            let Some(by) = workload.scraped.by.as_ref() else {
                continue;
            };
            if !chosen && !workload.scraped.secure {
                continue;
            }
            let by = by
                .iter()
                .filter(|by| *by.prometheus == of.id && by.port != 15090);
            let mut pod = mesh::as_pod(workload);
            let annotations = Arc::make_mut(&mut pod.metadata.annotations);
            annotations.insert(ANNOTATION.into(), SECURE_PORT.to_string());
            self.pods.push(Wanted {
                of: workload.id.clone(),
                by: by.map(|by| by.job.to_string()).collect(),
                pod,
            });
        }
        self
    }
}

/// # Errors
/// Where the configuration was not found, not read, or is not what this program can edit.
pub(super) fn config(of: &Prometheus) -> Result<Config<'_>, Error> {
    let failed = || Error::new(format!("the configuration of {} cannot be edited", of.id));
    let place = of
        .config
        .as_ref()
        .ok_or_else(|| failed().cause("its --config.file leads to no ConfigMap"))?;
    let text = match (&place.text, &place.home) {
        (Ok(text), _) => text,
        (Err(why), ConfigHome::File(_)) => {
            return Err(failed().cause(crate::words::unread(why)));
        }
        // A job is added without what runs today.
        (Err(why), _) => {
            return Ok(Config {
                of: of.id.clone(),
                place,
                jobs: Vec::new(),
                pods: Vec::new(),
                unknown: Some(crate::words::unread(why)),
            });
        }
    };
    let jobs = jobs(text)
        .map_err(|e| failed().cause(format!("{}, key {}: {e}", place.home.object(), place.key)))?;
    Ok(Config {
        of: of.id.clone(),
        place,
        jobs,
        pods: Vec::new(),
        unknown: None,
    })
}

/// What becomes of the jobs.
pub(super) struct Jobs {
    pub change: Option<Change>,
    /// The jobs that scrape the annotated pods afterwards.
    pub names: Vec<String>,
    /// The jobs as they would stand, for the configuration's fingerprint.
    pub values: Vec<Value>,
    pub findings: Vec<Problem>,
}

pub(super) fn scrape_jobs(config: &Config, certificates: &str, repair: bool) -> Jobs {
    let mut findings = Vec::new();
    let subject = || Subject::from(&config.of);
    if let Some(why) = &config.unknown {
        findings.push(Problem::TodaysJobsUnknown {
            of: subject(),
            why: why.clone(),
        });
    }
    let (kept, mut wanted) = wanted(config, certificates, &mut findings);
    let own = config.jobs.iter().filter(|job| config.holds(job));
    let secure = own.filter(|job| job.secure && !kept.contains(&job.name));
    let (there, others): (Vec<&Job>, Vec<&Job>) =
        secure.partition(|job| config.place.home.may_record() || is_ours(job));
    findings.extend(others.iter().map(|job| Problem::SecretJobStays {
        of: subject(),
        job: job.name.clone(),
    }));
    if !repair && !there.is_empty() && there.iter().any(|job| !stands(job, &wanted)) {
        for job in &there {
            findings.push(Problem::JobNotFixed {
                of: subject(),
                job: job.name.clone(),
            });
        }
        return Jobs {
            change: None,
            names: there.iter().map(|j| j.name.clone()).collect(),
            values: there.iter().map(|j| j.value.clone()).collect(),
            findings,
        };
    }
    let mut edits = Vec::new();
    let mut replaced = Vec::new();
    for job in &there {
        if !wanted.iter().any(|(name, _)| *name == job.name) {
            edits.push(TextEdit::RemoveJob {
                name: job.name.clone(),
            });
            replaced.push(Problem::JobReplaced {
                of: subject(),
                job: job.name.clone(),
            });
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
        findings.push(Problem::EnvoyPortJobStays {
            of: subject(),
            job: job.name.clone(),
        });
    }
    for job in &config.jobs {
        for why in job.read().unknown {
            if let Unknown::OtherCluster(server) = why {
                findings.push(Problem::OtherClusterNotScraped {
                    of: subject(),
                    job: job.name.clone(),
                    server: crate::plan::mask::urls(&server),
                });
            }
        }
    }
    let values = |wanted: Vec<(String, Value)>| {
        // Where ours finds what was chosen, nobody waits for the user's.
        let alone = wanted.is_empty();
        let kept = config
            .jobs
            .iter()
            .filter(|job| alone && kept.contains(&job.name));
        let kept = kept.map(|job| (job.name.clone(), job.value.clone()));
        kept.chain(wanted).unzip::<String, Value, Vec<_>, Vec<_>>()
    };
    if edits.is_empty() {
        let (names, values) = values(wanted);
        return Jobs {
            change: None,
            names,
            values,
            findings,
        };
    }
    let change = Change {
        findings: replaced,
        ..Change::new(
            config.place.home.object().clone(),
            Part::ScrapeJob,
            Action::Text {
                key: config.place.key.clone(),
                edits,
            },
            Purpose::SecureJob,
        )
    };
    let (names, values) = values(wanted);
    Jobs {
        change: Some(change),
        names,
        values,
        findings,
    }
}

/// By its name.
fn is_ours(job: &Job) -> bool {
    job.name == JOB || job.name.starts_with(&format!("{JOB}-"))
}

/// A job of the user's that finds annotated pods as it should, under a name that is none of ours.
fn is_healthy(job: &Job) -> bool {
    let read = job.read();
    let kind = probe::kind(&read);
    !is_ours(job)
        && kind.keyed
        && kind.https
        && kind.at_port
        && !kind.any_value
        && kind.path.as_deref() == Some(super::METRICS_PATH)
        && read.ca_file.is_some()
        && read.cert_file.is_some()
}

/// The change with more edits of the same text.
pub(super) fn with(change: Option<Change>, config: &Config, more: &[TextEdit]) -> Option<Change> {
    if more.is_empty() {
        return change;
    }
    let mut change = change.unwrap_or_else(|| {
        Change::new(
            config.place.home.object().clone(),
            Part::ScrapeJob,
            Action::Text {
                key: config.place.key.clone(),
                edits: Vec::new(),
            },
            Purpose::SkipsByName,
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

/// The jobs of the user's that stay as they are, by name, and ours, the main one first.
fn wanted(
    config: &Config,
    certificates: &str,
    findings: &mut Vec<Problem>,
) -> (BTreeSet<String>, Vec<(String, Value)>) {
    let all = &config.jobs;
    let mut kept = BTreeSet::new();
    let mut found: BTreeSet<&WorkloadRef> = BTreeSet::new();
    for job in all.iter().filter(|job| is_healthy(job)) {
        let read = job.read();
        found.extend(found_by(config, &read));
        kept.insert(job.name.clone());
    }
    let missing = |pod: &Wanted| !found.contains(&pod.of);
    if !kept.is_empty() && !config.pods.is_empty() {
        for name in &kept {
            findings.push(Problem::SecureJobStays {
                of: (&config.of).into(),
                job: name.clone(),
            });
        }
        if !config.pods.iter().any(missing) {
            return (kept, Vec::new());
        }
    } else {
        // Nothing tells whom it finds.
        kept.clear();
    }
    let by_pods = |job: &Job| config.pods.iter().any(|pod| pod.by.contains(&job.name));
    let pod_role = |job: &Job| {
        let sds = job.value["kubernetes_sd_configs"].as_array();
        sds.into_iter().flatten().any(|sd| sd["role"] == "pod")
    };
    let follows = |job: &&Job| {
        let scrapes = job.plaintext || by_pods(job);
        let plain = !job.secure && !job.secure_envoy && !job.envoy_stats;
        scrapes && pod_role(job) && plain && config.holds(job)
    };
    let mut old: Vec<&Job> = all.iter().filter(follows).collect();
    if let Some(main) = main_job(&old) {
        let main = old.remove(main);
        old.insert(0, main);
    }
    let mut made: Vec<(String, Value)> = Vec::new();
    let mut made_find: BTreeSet<&WorkloadRef> = BTreeSet::new();
    for job in &old {
        let name = twin_name(old[0], job);
        let required: Vec<&lean::Pod> = config
            .pods
            .iter()
            .filter(|pod| {
                let nobodys =
                    pod.by.is_empty() || !old.iter().any(|old| pod.by.contains(&old.name));
                pod.by.contains(&job.name) || (nobodys && job.name == old[0].name)
            })
            .map(|pod| &pod.pod)
            .collect();
        let Derived {
            job: value,
            not_copied,
        } = secured(Some(job), &name, certificates, &required);
        let finds = found_by(
            config,
            &Read::read(&value, &Value::Null, Default::default()),
        );
        // Two jobs that select the same pods would scrape them twice.
        let same = made
            .iter()
            .find(|(_, other)| selects(other) == selects(&value));
        let all_found = !finds.is_empty() && finds.is_subset(&made_find);
        if let Some((first, _)) = same.or_else(|| made.first().filter(|_| all_found)) {
            findings.push(Problem::JobsFoldIntoOne {
                of: (&config.of).into(),
                job: job.name.clone(),
                by: first.clone(),
            });
            continue;
        }
        made_find.extend(finds);
        findings.extend(not_copied.into_iter().map(|what| Problem::NotCopied {
            of: (&config.of).into(),
            job: job.name.clone(),
            by: name.clone(),
            what,
        }));
        made.push((name, value));
    }
    if made.is_empty() {
        made.push((JOB.into(), secured(None, JOB, certificates, &[]).job));
    }
    // Where a kept job looks, ours does not.
    let spaces: BTreeSet<String> = all
        .iter()
        .filter(|job| kept.contains(&job.name))
        .flat_map(|job| spaces(&job.value))
        .collect();
    if !spaces.is_empty() {
        for (_, job) in &mut made {
            leave_to_others(job, &spaces);
        }
    }
    (kept, made)
}

/// The workloads that a secure job finds.
fn found_by<'a>(config: &'a Config, job: &Read) -> BTreeSet<&'a WorkloadRef> {
    let found = config.pods.iter().filter(|pod| finds(job, &pod.pod));
    found.map(|pod| &pod.of).collect()
}

fn spaces(job: &Value) -> Vec<String> {
    let sds = job["kubernetes_sd_configs"].as_array();
    let names = sds
        .into_iter()
        .flatten()
        .filter_map(|sd| sd["namespaces"]["names"].as_array());
    let names = names.flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

fn leave_to_others(job: &mut Value, spaces: &BTreeSet<String>) {
    let names: Vec<String> = spaces.iter().cloned().collect();
    if let Some(rules) = job["relabel_configs"].as_array_mut() {
        rules.insert(
            1,
            json!({
                "source_labels": ["__meta_kubernetes_namespace"],
                "action": "drop",
                "regex": names.join("|"),
            }),
        );
    }
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

/// What has to be seen before annotations may follow.
pub(super) fn loaded(of: &Prometheus, names: &[String]) -> Vec<Await> {
    names
        .iter()
        .map(|job| Await::ConfigLoaded {
            prometheus: of.id.clone(),
            job: job.clone(),
        })
        .collect()
}
