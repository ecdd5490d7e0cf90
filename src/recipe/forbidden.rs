//! Choices that would lose metrics. They can't be made, and say why.

use super::select::{Item, Selection, select};
use super::{old_jobs, scrape_job};
use crate::answers::{Annotate, Answers, MetricsPort};
use crate::error::Error;
use crate::mesh::kinds::WorkloadRef;
use crate::mesh::{Mesh, SidecarState};
use crate::problems::Problem;
use crate::words;

/// A choice of the options step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// `stop_plaintext_jobs: true`
    StopPlaintextJobs,
    Port(MetricsPort),
    Annotate(Annotate),
}

/// A choice that cannot be made, as the other answers stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    pub choice: Choice,
    /// The item it is forbidden for; `None`: for all together.
    pub item: Option<WorkloadRef>,
    pub why: Vec<Problem>,
}

/// What cannot be chosen in the options step, given the rest of the answers. Empty while nothing is selected.
pub fn forbidden(mesh: &Mesh, answers: &Answers) -> Vec<Forbidden> {
    let Ok(chosen) = select(mesh, answers) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let losses = old_jobs::losses(mesh, answers, &chosen);
    // Where some lose nothing, ending theirs is a choice.
    if !losses.is_empty() && losses.len() == chosen.items(answers).count() {
        found.push(Forbidden {
            choice: Choice::StopPlaintextJobs,
            item: None,
            why: losses,
        });
    }
    let ended = ended(&chosen) || answers.options.stop_plaintext_jobs == Some(true);
    for item in chosen.items(answers) {
        if ended && let Some(why) = port_loses(mesh, &item, MetricsPort::Envoy) {
            found.push(Forbidden {
                choice: Choice::Port(MetricsPort::Envoy),
                item: Some(item.workload.id.clone()),
                why: vec![why],
            });
        }
        if let Some(why) = no_agent(&item) {
            found.push(Forbidden {
                choice: Choice::Port(MetricsPort::Merged),
                item: Some(item.workload.id.clone()),
                why: vec![why],
            });
        }
        if let Some(why) = pods_unfit(&item) {
            found.push(Forbidden {
                choice: Choice::Annotate(Annotate::Pods),
                item: Some(item.workload.id.clone()),
                why: vec![why],
            });
        }
    }
    found
}

/// # Errors
/// Where the answers make a choice that would lose metrics.
pub(super) fn check(mesh: &Mesh, answers: &Answers, chosen: &Selection) -> Result<(), Error> {
    if answers.options.stop_plaintext_jobs == Some(true) && !answers.options.lose_metrics {
        let losses = old_jobs::losses(mesh, answers, chosen);
        if !losses.is_empty() {
            let mut error = Error::new("ending the plaintext jobs would lose metrics");
            for (_, words) in words::alike(&losses) {
                error = error.cause(words);
            }
            return Err(error
                .hint("use --port 15020, or --plaintext-jobs keep")
                .hint("to lose these metrics: --lose-metrics"));
        }
    }
    let ended = ended(chosen);
    for item in chosen.items(answers) {
        if ended && let Some(why) = port_loses(mesh, &item, item.port) {
            return Err(Error::new(format!(
                "port {} is not available for {}",
                u16::from(item.port),
                item.workload.id
            ))
            .cause(words::sentence(&why))
            .hint(words::remedy(&why).unwrap_or_default()));
        }
        if item.port == MetricsPort::Merged
            && let Some(why) = no_agent(&item)
        {
            let id = &item.workload.id;
            return Err(
                Error::refused(format!("port 15020 is not available for {id}"))
                    .cause(words::sentence(&why))
                    .hint(words::remedy(&why).unwrap_or_default()),
            );
        }
        if item.annotation == Annotate::Pods
            && let Some(why) = pods_unfit(&item)
        {
            return Err(Error::new(format!(
                "the running pods of {} cannot be annotated",
                item.workload.id
            ))
            .cause(words::sentence(&why))
            .hint(words::remedy(&why).unwrap_or_default()));
        }
    }
    Ok(())
}

/// The old jobs leave annotated pods out already, so that an annotation ends the plaintext scrape at once.
fn ended(chosen: &Selection) -> bool {
    let of = &chosen.prometheus;
    scrape_job::config(of).is_ok_and(|c| old_jobs::leave_annotated_out(of, &c.jobs))
}

fn port_loses(mesh: &Mesh, item: &Item, port: MetricsPort) -> Option<Problem> {
    let lost = old_jobs::lost(mesh, item.workload, port)?;
    let of = (&item.workload.id).into();
    Some(Problem::AnnotationEndsScrape { of, lost })
}

/// The merged metrics are served nowhere.
fn no_agent(item: &Item) -> Option<Problem> {
    let of = || (&item.workload.id).into();
    (item.workload.status_port == 0).then(|| Problem::StatusPortOff { of: of() })
}

fn pods_unfit(item: &Item) -> Option<Problem> {
    let of = || (&item.workload.id).into();
    if item.gateway.is_none() {
        match item.workload.sidecar {
            SidecarState::Switchable { .. } | SidecarState::AfterRestart => {
                return Some(Problem::RestartRemovesAnnotation { of: of() });
            }
            _ => {}
        }
    }
    let annotations = &item.workload.template.metadata.annotations;
    let closed = annotations
        .get("proxy.istio.io/config")
        .and_then(|text| serde_yaml::from_str::<serde_json::Value>(text).ok())
        .is_some_and(|c| c["proxyMetadata"]["METRICS_LOCALHOST_ACCESS_ONLY"] == "true");
    closed.then(|| Problem::MetricsInsidePodOnly { of: of() })
}
