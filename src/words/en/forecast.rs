//! What a plan does to the targets.

use crate::problems::Problem;
use crate::reach::forecast::{Forecast, Group, LabelChange, Way};
use crate::text::few;

pub fn sentence(of: &Problem) -> Option<String> {
    let subject = of.of();
    Some(match of {
        Problem::TargetLost { job, url, .. } => format!(
            "After this plan, {job} no longer scrapes {subject} ({url}), and no secure job scrapes it instead."
        ),
        Problem::SecureTargetMissing { prometheus, .. } => {
            format!("After this plan, no job of {prometheus} would find {subject} over mutual TLS.")
        }
        Problem::PodsNotListed {
            account,
            jobs,
            namespaces,
            ..
        } => {
            let place = match namespaces.is_empty() {
                true => "in all namespaces at once, as its jobs do".to_owned(),
                false => format!("in namespace {}", few(namespaces, 3)),
            };
            // Where its configuration is not known, its jobs are not either.
            let jobs = match jobs.is_empty() {
                true => String::new(),
                false => format!(" Jobs that find no pods there: {}.", few(jobs, 6)),
            };
            format!(
                "The ServiceAccount {account} of {subject} may not list and watch pods {place}.{jobs}"
            )
        }
        Problem::SecureTargetDoubled { jobs, .. } => match jobs.as_slice() {
            [job] => {
                format!("After this plan, {job} would scrape {subject} twice over mutual TLS.")
            }
            jobs => format!(
                "After this plan, several jobs would scrape {subject} over mutual TLS: {}.",
                jobs.join(", ")
            ),
        },
        Problem::LabelsChange {
            job, by, labels, ..
        } => format!(
            "Labels of {subject} change from job {job} to {by}: {}. Update rules and dashboards that use them.",
            few(labels, 6)
        ),
        Problem::TargetsNotComputed { job, why, .. } => format!(
            "The targets of job {job} of {subject} cannot be computed, so the forecast skips them: {why}."
        ),
        Problem::TargetsDiffer {
            prometheus,
            seen,
            computed,
            ..
        } => {
            let list = |all: &[String]| match all.is_empty() {
                true => "nothing".to_owned(),
                false => few(all, 4),
            };
            format!(
                "{prometheus} scrapes {subject} otherwise than its configuration says. Beyond it: {}. Missing: {}. \
                 Its own targets count.",
                list(seen),
                list(computed)
            )
        }
        Problem::AppMetricsLost { job, ports, .. } => {
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            format!(
                "Metrics that {job} scrapes of {subject} on port {} are lost: that scrape ends, and the merged metrics \
                 do not hold them.",
                ports.join(", ")
            )
        }
        Problem::JobLabelRead { job, by, .. } => format!(
            "Series of secured pods leave job {job}, which is named by: {}.",
            few(by, 6)
        ),
        Problem::ScrapedByOtherDiscovery { job, ports, .. } => {
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            format!(
                "Job {job} scrapes {subject} in plaintext (port {}) by addresses of its own. That scrape does not end \
                 with this plan.",
                ports.join(", ")
            )
        }
        _ => return None,
    })
}

pub fn to_do(of: &Problem) -> Option<&'static str> {
    Some(match of {
        Problem::TargetLost { .. } => {
            "Choose the workload too, or keep that job: --plaintext-jobs keep."
        }
        Problem::SecureTargetMissing { .. } => {
            "Check the filters of today's jobs in the scrape job's diff, or skip this workload."
        }
        Problem::SecureTargetDoubled { .. } => {
            "Let one of the jobs drop the workload in its relabel_configs."
        }
        Problem::LabelsChange { .. } => {
            "Add relabel rules for these labels to today's job and plan again, or update the rules and dashboards."
        }
        Problem::TargetsDiffer { .. } => {
            "Check that Prometheus has loaded its configuration; if so, please report the job as a fault of meshscrape."
        }
        Problem::AppMetricsLost { .. } => {
            "Name the app's port in prometheus.io/port of the pod template, so that the agent asks it."
        }
        Problem::JobLabelRead { .. } => {
            "Let them match the new job too, for example job=~\"OLD|istio-secure-merged-metrics.*\"."
        }
        Problem::ScrapedByOtherDiscovery { .. } => {
            "Remove these targets from that job once the workload is UP over mutual TLS."
        }
        _ => return None,
    })
}

/// One line for all workloads whose targets change alike.
pub fn lines(of: &Forecast) -> Vec<String> {
    let mut lines: Vec<String> = of.groups().iter().map(line).collect();
    if let Some(why) = &of.unread {
        lines.push(format!(
            "the configuration after this plan is unknown, because it cannot be edited: {why}"
        ));
    }
    lines
}

fn line(of: &Group) -> String {
    let names: Vec<String> = of.items.iter().map(ToString::to_string).collect();
    let mut out = format!("{} (pods: {}): ", few(&names, 3), of.pods);
    let ways = |all: &[Way]| -> String {
        let all: Vec<String> = all.iter().map(way).collect();
        all.join(", ")
    };
    match (of.ended.is_empty(), of.begun.is_empty()) {
        (true, true) => out.push_str("no change"),
        (true, false) => out.push_str(&format!("new {}", ways(&of.begun))),
        (false, true) => out.push_str(&format!("ends {}", ways(&of.ended))),
        (false, false) => {
            out.push_str(&format!("{} → {}", ways(&of.ended), ways(&of.begun)));
        }
    }
    if !of.stays.is_empty() {
        out.push_str(&format!("; unchanged: {}", ways(&of.stays)));
    }
    if !of.labels.is_empty() {
        let labels: Vec<String> = of.labels.iter().map(label).collect();
        out.push_str(&format!("; labels: {}", labels.join(", ")));
    } else if !of.ended.is_empty() && !of.begun.is_empty() {
        out.push_str("; labels unchanged but job");
    }
    out
}

fn way(of: &Way) -> String {
    let port = of.port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{} {port}{} by {}", of.scheme, of.path, of.job)
}

/// Without a value where workloads differ in it.
fn label(of: &LabelChange) -> String {
    let name = &of.name;
    let is = |value: &str| match value.is_empty() {
        true => String::new(),
        false => format!("={value}"),
    };
    match (&of.before, &of.after) {
        (Some(old), None) => format!("-{name}{}", is(old)),
        (None, new) => format!("+{name}{}", is(new.as_deref().unwrap_or_default())),
        (Some(old), Some(new)) if old.is_empty() || new.is_empty() => format!("~{name}"),
        (Some(old), Some(new)) => format!("~{name}={old}→{new}"),
    }
}
