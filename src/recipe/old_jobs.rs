//! The plaintext jobs of today leave out, by name, the workloads whose secure targets are UP.
//!
//! Facts: the `kubernetes-pods` job would scrape every secured pod a second time, in plaintext (fault 13). With
//! 15090 behind the port, ending the old job loses what only the merged endpoint has. So it is decided for each
//! workload and each job, and nobody else is held back by one that has to stay.

use super::ended_monitors;
use super::order::reloads;
use super::select::{Item, Selection};
use super::{JOB, scrape_job::Config};
use crate::answers::{Answers, MetricsPort};
use crate::mesh::ended;
use crate::mesh::kinds::{ObjectRef, WorkloadRef};
use crate::mesh::{Mesh, Prometheus, Workload};
use crate::plan::purpose::Purpose;
use crate::plan::scrape_config::{Job, TextEdit};
use crate::plan::{Action, Await, Change, LeavesOut, Part};
use crate::problems::{Lost, Problem};
use crate::reach::{injector, merging};
use std::collections::{BTreeMap, BTreeSet};

/// Which plaintext scrapes end, and what is said of it.
#[derive(Default)]
pub(super) struct Decision {
    /// Edits that come with the scrape job, before anything is annotated: names in place of the rule of an earlier
    /// version, and what has to be scraped in plaintext again.
    pub first: Vec<TextEdit>,
    /// What the jobs leave out after these.
    first_left_out: Vec<LeavesOut>,
    /// What each job leaves out at the end, once it is UP.
    last: Vec<(String, Vec<WorkloadRef>)>,
    pub findings: Vec<Problem>,
}

/// What ending the plaintext scrape of a workload would lose; `None`: nothing.
pub(super) fn lost(mesh: &Mesh, workload: &Workload, port: MetricsPort) -> Option<Lost> {
    // What is left out already would be lost all the same.
    let scraped = &workload.scraped;
    let today = scraped.plaintext.or(scraped.asks)?;
    let by_sidecar = lost_by_sidecar(mesh, workload);
    match port {
        MetricsPort::Merged if by_sidecar.is_some() => by_sidecar.map(Lost::ByAgent),
        MetricsPort::Merged if today == 15020 || today == 15090 || merges(mesh, workload) => None,
        MetricsPort::Merged => Some(Lost::NotMerged { port: today }),
        MetricsPort::Envoy if today == 15090 => None,
        MetricsPort::Envoy if workload.scraped.app_metrics => Some(Lost::AppAndAgent),
        MetricsPort::Envoy => Some(Lost::NotEnvoys { port: today }),
    }
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

/// What ending the plaintext scrapes of all that was chosen would lose.
pub(super) fn losses(mesh: &Mesh, answers: &Answers, chosen: &Selection) -> Vec<Problem> {
    let of = |item: Item| {
        let lost = lost(mesh, item.workload, item.port)?;
        let of = (&item.workload.id).into();
        Some(Problem::PlaintextScrapeLost { of, lost })
    };
    chosen.items(answers).filter_map(of).collect()
}

/// [`lost`], by ending what this job scrapes: Envoy's own port brings nothing that both secure ports do not.
fn lost_of(
    job: &Job,
    ports: Option<BTreeSet<u16>>,
    mesh: &Mesh,
    workload: &Workload,
    port: MetricsPort,
) -> Option<Lost> {
    let envoys_alone = match &ports {
        Some(ports) => ports.iter().all(|port| *port == 15090),
        None => job.envoy_stats && !job.plaintext,
    };
    if envoys_alone {
        return None;
    }
    let whole = lost(mesh, workload, port);
    // The agent asks the app where its annotations say, and nowhere else.
    let unasked = || {
        let asked = merging::ports_of_agent(&workload.template.metadata.annotations);
        let ports = ports.unwrap_or_default().into_iter();
        // A container without a port is asked at the scheme's own, where nobody need listen.
        let containers = workload.template.spec.containers.iter();
        let declared = containers.flat_map(|container| &container.ports);
        let own = |port: &u16| {
            let mut declared = declared.clone();
            let guessed = matches!(port, 80 | 443)
                && !declared.any(|declared| declared.container_port == *port);
            !guessed && !matches!(port, 15020 | 15090) && !asked.contains(port)
        };
        let ports: Vec<u16> = ports.filter(own).collect();
        let meshed = !workload.enters_mesh() && port == MetricsPort::Merged;
        (meshed && !ports.is_empty()).then(|| Lost::NotAsked {
            job: job.name.clone(),
            ports,
        })
    };
    whole.or_else(unasked)
}

pub(super) fn everything(mesh: &Mesh) -> impl Iterator<Item = &Workload> {
    let workloads = mesh.workloads.iter().map(|w| w.as_ref());
    workloads.chain(mesh.gateways.iter().map(|g| &g.workload))
}

/// The port that stands behind ours by an earlier run.
fn secured_on(workload: &Workload) -> Option<MetricsPort> {
    workload.leads_to().filter(|_| workload.scraped.secure)
}

/// The user's word, else what loses nothing. What runs no pod cannot be seen UP, and nobody waits for it.
pub(super) fn decide(
    mesh: &Mesh,
    answers: &Answers,
    of: &Prometheus,
    config: &Config,
    items: &[Item],
) -> Decision {
    let mut decision = Decision::default();
    let own = &of.id.namespace;
    let ports: BTreeMap<&WorkloadRef, MetricsPort> = items
        .iter()
        .map(|item| (&item.workload.id, item.port))
        .collect();
    let stays = answers.options.stop_plaintext_jobs == Some(false);
    // The user has seen what, by name.
    let loses_them = answers.options.loses_metrics();
    let mut losses: BTreeMap<WorkloadRef, Lost> = BTreeMap::new();
    let mut again: BTreeSet<WorkloadRef> = BTreeSet::new();
    let mut ends: BTreeSet<WorkloadRef> = BTreeSet::new();
    let scrapes_any = |job: &Job| {
        let mut all = everything(mesh).filter_map(|w| w.scraped.ports(&of.id, &job.name));
        all.any(|ports| !ports.is_empty())
    };
    let ending = |job: &&Job| {
        let plain = job.plaintext || job.envoy_stats || scrapes_any(job);
        plain
            && !job.secure
            && !job.secure_envoy
            && ended_monitors::place_of(config.place, &job.name).is_some()
            && job.read().discovers_pods()
    };
    for job in config.jobs.iter().filter(ending) {
        let earlier = job.rule_of_earlier_versions();
        // Somebody's own rule for all that is annotated is theirs to keep.
        if job.leaves_annotated_out && earlier.is_none() {
            continue;
        }
        let named = job.leaves_out();
        let mut first = LeavesOut {
            job: job.name.clone(),
            ..LeavesOut::default()
        };
        let discovers = |w: &Workload| match w.scraped.ports(&of.id, &job.name) {
            Some(ports) => !ports.is_empty(),
            None => job.discovers_pods_in(&w.id.namespace, own),
        };
        let loses = |w: &Workload| {
            let port = ports.get(&w.id).copied().or_else(|| secured_on(w));
            let ports = w.scraped.ports(&of.id, &job.name);
            port.and_then(|port| lost_of(job, ports, mesh, w, port))
        };
        if let Some(rule) = earlier {
            decision.first.push(TextEdit::RemoveRule {
                job: job.name.clone(),
                rule: rule.clone(),
            });
            let (stay, back): (Vec<&Workload>, Vec<&Workload>) = everything(mesh)
                .filter(|w| w.scraped.secure && discovers(w))
                .partition(|w| {
                    secured_on(w).is_some() && loses(w).is_none() && ended::can_name(&w.id)
                });
            again.extend(back.iter().map(|w| w.id.clone()));
            let left: Vec<WorkloadRef> = stay.iter().map(|w| w.id.clone()).collect();
            if !left.is_empty() {
                decision.first.push(TextEdit::EndPlaintext {
                    job: job.name.clone(),
                    items: left.clone(),
                });
            }
            first.of = left;
        }
        let mut resumed = Vec::new();
        let mut last = Vec::new();
        for item in items.iter().filter(|item| discovers(item.workload)) {
            let id = &item.workload.id;
            let loss = loses(item.workload);
            // A name that was left behind would end the scrape with the annotation, before anything is UP.
            let secured = secured_on(item.workload).is_some();
            if named.contains(id) && ((loss.is_some() && !loses_them) || !secured) {
                resumed.push(id.clone());
                if secured {
                    again.insert(id.clone());
                }
            }
            let holds = loss.is_some() && !loses_them;
            // The first job's is said.
            if let Some(loss) = loss {
                losses.entry(id.clone()).or_insert(loss);
            }
            if holds {
                continue;
            }
            if item.workload.desired > 0 && !stays && ended::can_name(id) {
                last.push(id.clone());
            }
        }
        // What ends here ends for everybody who uses the monitor.
        let also = || ended_monitors::also_of(mesh, &of.id, &job.name);
        if !last.is_empty()
            && !config.holds(job)
            && let Some(other) = also()
        {
            decision.findings.push(Problem::SharedMonitorStays {
                of: (&of.id).into(),
                job: job.name.clone(),
                other: other.to_string(),
            });
            continue;
        }
        if !resumed.is_empty() {
            first.not = resumed.clone();
            decision.first.push(TextEdit::ResumePlaintext {
                job: job.name.clone(),
                items: resumed,
            });
        }
        if earlier.is_some() || !first.not.is_empty() {
            decision.first_left_out.push(first);
        }
        if !last.is_empty() {
            ends.extend(last.iter().cloned());
            decision.last.push((job.name.clone(), last));
        }
    }
    if stays {
        let of = (&of.id).into();
        decision.findings.push(Problem::PlaintextJobsStay { of });
    }
    let losses = losses.into_iter().map(|(id, lost)| {
        let of = (&id).into();
        match loses_them {
            true => Problem::PlaintextScrapeLost { of, lost },
            false => Problem::PlaintextScrapeStays { of, lost },
        }
    });
    decision.findings.extend(losses);
    decision.say(mesh, items, &ends, &again);
    decision
}

impl Decision {
    fn say(
        &mut self,
        mesh: &Mesh,
        items: &[Item],
        ends: &BTreeSet<WorkloadRef>,
        again: &BTreeSet<WorkloadRef>,
    ) {
        let idle = items.iter().filter(|item| item.workload.desired == 0);
        let idle = idle.map(|item| Problem::PlaintextUntilPodsRun {
            of: (&item.workload.id).into(),
        });
        let strangers = everything(mesh)
            .filter(|w| w.scraped.secure && w.secured_port.is_none() && !ends.contains(&w.id))
            .filter(|w| w.scraped.plaintext.is_some() || w.scraped.asks.is_some())
            .map(|w| Problem::AnnotatedByOthers { of: (&w.id).into() });
        let again = again
            .iter()
            .map(|id| Problem::PlaintextAgain { of: id.into() });
        self.findings.extend(idle.chain(strangers).chain(again));
    }

    /// What is waited for after the first edits, where they are read without a restart.
    pub fn loaded(&self, of: &Prometheus) -> Option<Await> {
        let any = !self.first_left_out.is_empty() && reloads(of);
        any.then(|| Await::LeftOut {
            prometheus: of.id.clone(),
            jobs: self.first_left_out.clone(),
        })
    }

    /// Every workload whose plaintext scrape ends at the end.
    pub fn ends(&self) -> BTreeSet<&WorkloadRef> {
        self.last.iter().flat_map(|(_, items)| items).collect()
    }
}

/// The jobs of today that scrape annotated pods in plaintext.
pub(super) fn old(jobs: &[Job]) -> impl Iterator<Item = &Job> {
    jobs.iter().filter(|job| job.plaintext || job.envoy_stats)
}

/// Whether an annotation takes its pod out of an old job at once: by somebody's own rule, or by that of an earlier version
/// where what takes its place is read at the next start only.
pub(super) fn leave_annotated_out(of: &Prometheus, jobs: &[Job]) -> bool {
    let replaced = |job: &Job| job.rule_of_earlier_versions().is_some() && reloads(of);
    old(jobs).any(|job| job.plaintext && job.leaves_annotated_out && !replaced(job))
}

/// The last changes of a plan: of the configuration, and of each monitor.
pub(super) fn old_jobs(decision: &Decision, config: &Config, of: &Prometheus) -> Vec<Change> {
    let edits = decision
        .last
        .iter()
        .map(|(job, items)| TextEdit::EndPlaintext {
            job: job.clone(),
            items: items.clone(),
        });
    let mut changes: Vec<Change> = ended_monitors::by_place(config.place, edits)
        .into_iter()
        .map(|(object, action)| ending(decision, object, action, of))
        .collect();
    // One wait for all of them: each may take as long as a reload.
    if let Some((last, others)) = changes.split_last_mut() {
        let mut waits: Vec<Await> = others.iter_mut().flat_map(|of| of.then.drain(..)).collect();
        waits.append(&mut last.then);
        last.then = waits;
    }
    changes
}

fn ending(decision: &Decision, object: ObjectRef, action: Action, of: &Prometheus) -> Change {
    let named = |job: &String| match &action {
        Action::Text { edits, .. } => edits.iter().any(|edit| edit.job() == job),
        _ => false,
    };
    let last: Vec<&(String, Vec<WorkloadRef>)> =
        decision.last.iter().filter(|(job, _)| named(job)).collect();
    let renamed = Problem::JobLabelChanges {
        of: (&of.id).into(),
        jobs: last.iter().map(|(job, _)| job.clone()).collect(),
        by: JOB.to_owned(),
    };
    let ends: BTreeSet<WorkloadRef> = last.iter().flat_map(|(_, of)| of).cloned().collect();
    let jobs = last.iter().map(|(job, items)| LeavesOut {
        job: job.clone(),
        of: items.clone(),
        not: Vec::new(),
    });
    let then = vec![Await::LeftOut {
        prometheus: of.id.clone(),
        jobs: jobs.collect(),
    }];
    let purpose = Purpose::plaintext_ends(&object);
    Change {
        before: vec![Await::TargetsUp(ends.into_iter().collect())],
        // Without either, the file counts from its next restart on.
        then: match of.reloader || of.lifecycle {
            true => then,
            false => Vec::new(),
        },
        findings: vec![renamed],
        ..Change::new(object, Part::PlaintextJobs, action, purpose)
    }
}
