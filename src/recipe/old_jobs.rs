//! The plaintext jobs of today leave out what carries the mark, once the secure targets are UP.
//!
//! Facts: the `kubernetes-pods` job would scrape every secured pod a second time, in plaintext (fault 13). With
//! 15090 behind the port, ending the old job loses what only the merged endpoint has.

use super::select::{Item, Selection};
use super::{JOB, scrape_job, scrape_job::Config};
use crate::answers::{Answers, MetricsPort};
use crate::mesh::kinds::WorkloadRef;
use crate::mesh::{Mesh, Prometheus, Workload};
use crate::plan::scrape_config::{Job, TextEdit, leave_marked_out_rule};
use crate::plan::{Action, Await, Change, Part, Price};
use crate::reach::{injector, merging};
use crate::text::few;
use std::collections::BTreeMap;
use std::fmt;

/// Whether the old jobs are to leave marked pods out, and what is said of it.
pub(super) struct Decision {
    pub stop: bool,
    pub notes: Vec<String>,
}

/// What ending the plaintext scrape of a workload would lose.
pub(super) struct Loss {
    pub of: WorkloadRef,
    /// In words.
    pub what: String,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.of, self.what)
    }
}

/// `None`: nothing would be lost.
pub(super) fn lost(mesh: &Mesh, workload: &Workload, port: MetricsPort) -> Option<Loss> {
    let today = workload.scraped.plaintext?;
    let by_sidecar = lost_by_sidecar(mesh, workload);
    let what = match port {
        MetricsPort::Merged if by_sidecar.is_some() => by_sidecar?.to_string(),
        MetricsPort::Merged if today == 15020 || today == 15090 || merges(mesh, workload) => {
            return None;
        }
        MetricsPort::Merged => format!(
            "the metrics of the app on port {today}, since merging is off and 15020 does not carry them"
        ),
        MetricsPort::Envoy if today == 15090 => return None,
        MetricsPort::Envoy if workload.scraped.app_metrics => {
            "the metrics of the app and of the agent, which 15090 does not carry".into()
        }
        MetricsPort::Envoy => {
            format!("the metrics that today's scrape of port {today} brings beside Envoy's")
        }
    };
    Some(Loss {
        of: workload.id.clone(),
        what,
    })
}

fn merges(mesh: &Mesh, workload: &Workload) -> bool {
    let annotations = &workload.template.metadata.annotations;
    injector::merges(annotations, mesh.istio.prometheus_merge)
}

/// What the agent of a first sidecar would not ask the app for, of what is asked for today.
fn lost_by_sidecar(mesh: &Mesh, workload: &Workload) -> Option<merging::Lost> {
    if !(workload.enters_mesh() && merges(mesh, workload)) {
        return None;
    }
    let next = &workload.template.metadata.annotations;
    let living = workload.pods.iter().find(|pod| !pod.terminating);
    let today = living.map_or(next, |pod| &*pod.annotations);
    merging::lost(today, next, &workload.template.spec)
}

/// Whether the plaintext scrape of an app that gets its first sidecar stays as it is: it would lose by merging,
/// and the user has not said that the plaintext jobs end.
pub(super) fn keeps_own_scrape(mesh: &Mesh, answers: &Answers, workload: &Workload) -> bool {
    answers.options.stop_plaintext_jobs != Some(true) && lost_by_sidecar(mesh, workload).is_some()
}

/// Everything that would be lost by ending the old jobs for what carries the mark, chosen now or secured before.
pub(super) fn losses(mesh: &Mesh, answers: &Answers, chosen: &Selection) -> Vec<Loss> {
    let mut losses: Vec<Loss> = chosen
        .items(answers)
        .filter_map(|item| lost(mesh, item.workload, item.port))
        .collect();
    for workload in others(mesh, chosen) {
        let port = workload
            .secured_port
            .and_then(|p| MetricsPort::try_from(p).ok());
        if let Some(port) = port.filter(|_| workload.scraped.secure) {
            losses.extend(lost(mesh, workload, port));
        }
    }
    losses
}

/// Workloads and gateways that were not chosen, and that the old jobs of this Prometheus can discover.
fn others<'a>(mesh: &'a Mesh, chosen: &'a Selection) -> impl Iterator<Item = &'a Workload> {
    let workloads = mesh.workloads.iter().map(|w| w.as_ref());
    let jobs = scrape_job::config(&chosen.prometheus).map(|config| config.jobs);
    let own = &chosen.prometheus.id.namespace;
    let discovered = move |namespace: &str| match &jobs {
        Ok(jobs) => old(jobs).any(|job| job.discovers_pods_in(namespace, own)),
        // What cannot be read may reach anything.
        Err(_) => true,
    };
    workloads
        .chain(mesh.gateways.iter().map(|g| &g.workload))
        .filter(|w| !chosen.workloads.iter().any(|c| c.id == w.id))
        .filter(|w| !chosen.gateways.iter().any(|c| c.workload.id == w.id))
        .filter(move |w| discovered(&w.id.namespace))
}

/// The user's word, else: yes where nothing is lost by it.
pub(super) fn decide(mesh: &Mesh, answers: &Answers, chosen: &Selection) -> Decision {
    let losses = losses(mesh, answers, chosen);
    let strangers: Vec<String> = others(mesh, chosen)
        .filter(|w| w.scraped.secure && w.secured_port.is_none() && w.scraped.plaintext.is_some())
        .map(|w| w.id.to_string())
        .collect();
    let mut notes = Vec::new();
    let stop = match answers.options.stop_plaintext_jobs {
        Some(stop) => stop,
        None => losses.is_empty() && strangers.is_empty(),
    };
    if !stop {
        notes.push(
            "the plaintext jobs stay: secured pods are scraped twice, and Envoy's series stand under both jobs"
                .into(),
        );
        notes.extend(together(&losses));
    }
    if !strangers.is_empty() {
        notes.push(format!(
            "the mark is also on {}, though this program did not secure that: plaintext jobs that leave marked pods out would leave it to the secure job alone",
            strangers.join(", ")
        ));
    }
    Decision { stop, notes }
}

/// One note for all that would lose the same.
fn together(losses: &[Loss]) -> Vec<String> {
    let mut of: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for loss in losses {
        of.entry(&loss.what).or_default().push(loss.of.to_string());
    }
    let notes = of.into_iter().map(|(what, items)| {
        let items = few(&items, 3);
        format!("ending the plaintext jobs would lose, of {items}: {what}")
    });
    notes.collect()
}

/// The jobs of today that scrape marked pods in plaintext.
pub(super) fn old(jobs: &[Job]) -> impl Iterator<Item = &Job> {
    jobs.iter().filter(|job| job.plaintext || job.envoy_stats)
}

/// Whether a mark takes its pod out of an old job at once.
pub(super) fn leave_marked_out(jobs: &[Job]) -> bool {
    old(jobs).any(|job| job.plaintext && job.leaves_marked_out)
}

/// The last change of a plan. `items` must all be UP before it.
pub(super) fn old_jobs(config: &Config, of: &Prometheus, items: &[Item]) -> Option<Change> {
    let rule = leave_marked_out_rule();
    let edits: Vec<TextEdit> = old(&config.jobs)
        .filter(|job| !job.leaves_marked_out || job.rules().contains(&rule))
        .map(|job| TextEdit::AddRule {
            job: job.name.clone(),
            rule: rule.clone(),
        })
        .collect();
    if edits.is_empty() {
        return None;
    }
    let names: Vec<String> = edits
        .iter()
        .filter_map(|edit| match edit {
            TextEdit::AddRule { job, .. } => Some(job.clone()),
            _ => None,
        })
        .collect();
    let price = Price::Note(format!(
        "the series of secured pods go on under a job label that begins with {JOB}, in place of {}; rules and dashboards that name it have to follow",
        names.join(", ")
    ));
    Some(Change {
        before: vec![Await::TargetsUp(
            items.iter().map(|item| item.workload.id.clone()).collect(),
        )],
        // Without either, the file counts from its next restart on.
        then: if of.reloader || of.lifecycle {
            vec![Await::MarkedLeftOut {
                prometheus: of.id.clone(),
                jobs: names,
            }]
        } else {
            Vec::new()
        },
        prices: vec![price],
        ..Change::new(
            config.place.config_map.clone(),
            Part::OldJobs,
            Action::Text {
                key: config.place.key.clone(),
                edits,
            },
            "The plaintext jobs leave out pods that carry the mark, so that nothing is scraped twice",
        )
    })
}
