//! What is scraped in plaintext today, job by job.

use crate::mesh::Mesh;
use crate::targets::Board;
use crate::text::{few, line as flat};
use crate::words::say::commands::check as say;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What one job takes in plaintext.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scraper {
    /// `None`: by its annotations, whichever job follows them.
    pub job: Option<String>,
    /// Their names, `NAMESPACE/KIND/NAME` or the pod's owner.
    pub of: Vec<String>,
}

/// By the targets of Prometheus and its jobs; where neither is known, by the annotations.
pub fn jobs(mesh: &Mesh, board: Option<&Board>, spaces: &BTreeSet<String>) -> Vec<Scraper> {
    let mut found: BTreeMap<Option<String>, BTreeSet<String>> = BTreeMap::new();
    let within = |namespace: &str| spaces.is_empty() || spaces.contains(namespace);
    let mut known = BTreeSet::new();
    for row in board.into_iter().flat_map(|board| &board.rows) {
        if let Some(job) = row.state.plaintext_job() {
            let item = row.expected.item.to_string();
            known.insert(item.clone());
            found.entry(Some(job.to_owned())).or_default().insert(item);
        }
    }
    let workloads = mesh.workloads.iter().map(|workload| workload.as_ref());
    let gateways = mesh.gateways.iter().map(|gateway| &gateway.workload);
    for workload in workloads.chain(gateways) {
        let name = workload.id.to_string();
        let plain = workload.scraped.plaintext.is_some() && workload.desired > 0;
        if !plain || !within(&workload.id.namespace) {
            continue;
        }
        let by = workload.scraped.by.iter().flatten().filter(|by| by.now);
        let jobs: BTreeSet<&str> = by.map(|by| &*by.job).collect();
        for job in &jobs {
            let job = Some((*job).to_owned());
            found.entry(job).or_default().insert(name.clone());
        }
        if jobs.is_empty() && !known.contains(&name) {
            found.entry(None).or_default().insert(name);
        }
    }
    for other in mesh.others.iter().filter(|other| other.plaintext > 0) {
        if within(&other.namespace) {
            let name = format!("{}/{}/{}", other.namespace, other.kind, other.name);
            found.entry(None).or_default().insert(name);
        }
    }
    found
        .into_iter()
        .map(|(job, of)| Scraper {
            job,
            of: of.into_iter().collect(),
        })
        .collect()
}

pub fn as_json(jobs: &[Scraper]) -> Value {
    let jobs = jobs.iter();
    jobs.map(|scraper| json!({"job": scraper.job, "workloads": scraper.of}))
        .collect()
}

pub fn in_words(jobs: &[Scraper]) -> String {
    let mut out = String::new();
    if jobs.is_empty() {
        return out;
    }
    let _ = writeln!(out, "{}", say::IN_PLAINTEXT_TODAY);
    for scraper in jobs {
        let job = match &scraper.job {
            Some(job) => say::by_job(job),
            None => say::BY_ANNOTATION.to_owned(),
        };
        let _ = writeln!(
            out,
            "  {}",
            say::scraped(&flat(&job), scraper.of.len(), &flat(&few(&scraper.of, 6)))
        );
    }
    out.push('\n');
    out
}
