//! What a forecast finds wrong: each once for a workload.

use super::{Problem, Subject};
use crate::plan::mask;
use crate::reach::forecast::{Forecast, LabelChange, Outlook};
use std::collections::BTreeSet;

/// In the order of the workloads, the gravest of each first.
pub fn of_forecast(of: &Forecast) -> Vec<Problem> {
    let mut found: Vec<Problem> = Vec::new();
    for outlook in &of.outlooks {
        // Pods of one workload that fare differently may lack the same; they stand beside each other.
        for problem in of_outlook(of, outlook) {
            let mut same = found
                .iter()
                .rev()
                .take_while(|one| one.of() == problem.of());
            if !same.any(|one| *one == problem) {
                found.push(problem);
            }
        }
    }
    found.extend(unlisted(of));
    found.extend(
        of.unasked
            .iter()
            .map(|(item, job, ports)| Problem::AppMetricsLost {
                of: item.into(),
                job: job.clone(),
                ports: ports.clone(),
            }),
    );
    found.extend(of.readers.iter().map(|(job, by)| Problem::JobLabelRead {
        of: (&of.prometheus).into(),
        job: job.clone(),
        by: by.clone(),
    }));
    found.extend(
        of.elsewhere
            .iter()
            .map(|(item, job, ports)| Problem::ScrapedByOtherDiscovery {
                of: item.into(),
                job: job.clone(),
                ports: ports.clone(),
            }),
    );
    found.extend(
        of.unknown
            .iter()
            .map(|(job, why)| Problem::TargetsNotComputed {
                of: (&of.prometheus).into(),
                job: job.clone(),
                why: why.to_string(),
            }),
    );
    found
}

/// All pods at once, and those of namespaces: two remedies.
fn unlisted(of: &Forecast) -> Vec<Problem> {
    let mut found = Vec::new();
    for everywhere in [true, false] {
        let all = of.unlisted.iter();
        let all: Vec<_> = all
            .filter(|(_, what)| what.everywhere == everywhere)
            .collect();
        let jobs: BTreeSet<&String> = all.iter().flat_map(|(_, what)| &what.jobs).collect();
        let spaces: BTreeSet<&String> = all.iter().map(|(item, _)| &item.namespace).collect();
        if !all.is_empty() {
            found.push(Problem::PodsNotListed {
                of: (&of.prometheus).into(),
                account: of.account.clone(),
                jobs: jobs.into_iter().cloned().collect(),
                namespaces: match everywhere {
                    true => Vec::new(),
                    false => spaces.into_iter().cloned().collect(),
                },
            });
        }
    }
    found
}

fn of_outlook(of: &Forecast, outlook: &Outlook) -> Vec<Problem> {
    let subject = || Subject::from(&outlook.item);
    let mut found = Vec::new();
    let lost = outlook.lost(of.port).into_iter();
    found.extend(lost.map(|scrape| Problem::TargetLost {
        of: subject(),
        job: scrape.job.to_string(),
        url: mask::urls(&scrape.target.url()),
    }));
    let jobs: BTreeSet<&str> = outlook.secure(of.port).map(|one| &*one.job).collect();
    if outlook.chosen && jobs.is_empty() && !of.unlisted.contains_key(&outlook.item) {
        found.push(Problem::SecureTargetMissing {
            of: subject(),
            prometheus: of.prometheus.clone(),
        });
    }
    if outlook.secure(of.port).count() > 1 {
        found.push(Problem::SecureTargetDoubled {
            of: subject(),
            jobs: jobs.iter().map(|job| (*job).to_owned()).collect(),
        });
    }
    if outlook.before != outlook.after
        && let Some((today, labels)) = outlook.relabelled(of.port)
        // What only comes along breaks nothing that reads the others.
        && labels.iter().any(|label| label.before.is_some())
    {
        let by = outlook.secure(of.port).next();
        found.push(Problem::LabelsChange {
            of: subject(),
            job: today.job.to_string(),
            by: by.map(|one| one.job.to_string()).unwrap_or_default(),
            labels: labels.iter().map(named).collect(),
        });
    }
    found
}

/// `-app=cart`, `+node=n1`, `version=v1→v2`.
fn named(of: &LabelChange) -> String {
    match (&of.before, &of.after) {
        (Some(old), Some(new)) => format!("{}={old}→{new}", of.name),
        (Some(old), None) => format!("-{}={old}", of.name),
        (None, new) => format!("+{}={}", of.name, new.as_deref().unwrap_or_default()),
    }
}
