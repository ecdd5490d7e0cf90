//! What a target waits for.

use crate::targets::Waits;
use std::time::Duration;

pub const NOT_COVERED: &str = "the pod has no sidecar";

pub fn waits(on: &Waits) -> String {
    match on {
        Waits::NoPod => "a pod: none is running yet".into(),
        Waits::Start { phase } if phase.is_empty() => "the pod to start".into(),
        Waits::Start { phase } => format!("the pod to start ({phase})"),
        Waits::Ready => "the rollout: the pod is not ready yet".into(),
        Waits::OldPod => "the rollout: the pod still has the old template".into(),
        Waits::Restart => "the rollout: the pod gets its sidecar at its restart".into(),
        Waits::Annotation => {
            "the annotation prometheus.istio.io/secure-port, which the pod does not have yet".into()
        }
        Waits::AnnotationLost => {
            "the annotation prometheus.istio.io/secure-port, which other pods of the workload have \
             (annotations on running pods are lost with the pod)"
                .into()
        }
        Waits::PolicySettles => "the next scrape: a policy changed less than a minute ago".into(),
        Waits::NoPrometheus => "Prometheus: no pod is running".into(),
        Waits::Answer { replica, error } => {
            format!("an answer from Prometheus {replica}: {error}")
        }
        Waits::NoJob => "a secure scrape job: none is in Prometheus's running configuration".into(),
        Waits::Load { gone_by } => format!(
            "Prometheus to load the scrape job: the file reaches it in about a minute ({} so far)",
            seconds(*gone_by)
        ),
        Waits::Certificates { gone_by } => format!(
            "the certificates of the scrape job: istiod has not issued them to Prometheus's istio-proxy yet ({} so far)",
            seconds(*gone_by)
        ),
        Waits::JobStart { gone_by } => format!(
            "the scrape job to start: Prometheus loaded but did not start it, probably for lack of \
             certificates ({} so far)",
            seconds(*gone_by)
        ),
        Waits::Discovery { late: None } => "Prometheus to discover the pod".into(),
        Waits::Discovery { late: Some(late) } => format!(
            "Prometheus to discover the pod ({} so far): check that Prometheus may list pods (ClusterRole), and the \
             job's relabel rules",
            seconds(*late)
        ),
        Waits::FirstScrape { next } => about("the first scrape", *next),
        Waits::ScrapeAfterChange { next, error } => {
            let words = about("the first scrape after the change", *next);
            match error {
                Some(error) => format!("{words}; the last one failed: {error}"),
                None => words,
            }
        }
    }
}

fn about(what: &str, next: Option<Duration>) -> String {
    match next.map(|next| next.as_secs()) {
        Some(next) if next > 0 => format!("{what}, in about {next} s"),
        _ => what.to_owned(),
    }
}

pub fn so_far(on: &str, time: Duration) -> String {
    format!("{on} ({} so far)", seconds(time))
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        short @ 0..120 => format!("{short} s"),
        long => format!("{} min", long / 60),
    }
}
