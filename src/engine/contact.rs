//! Whether Prometheus can be asked: known before anything rests on it.

use super::session::Session;
use super::watch::Watch;
use crate::error::Error;
use crate::mesh::{self, Observation};
use crate::prometheus::{Prom, Ready};
use std::sync::Arc;
use std::time::Duration;

/// How often one that is starting is asked, and how far apart.
const TRIES: usize = 4;
const BETWEEN: Duration = Duration::from_secs(3);

/// What came of it.
#[derive(Clone, Debug)]
pub enum Contact {
    /// Every replica that runs answers.
    Answers {
        /// The URL that it was asked by, past the API server.
        url: Option<String>,
        replicas: usize,
        /// Secure jobs without a pool that a reload would start: their certificates came late.
        late: Vec<String>,
        /// What it scrapes; `None`: its targets could not be read.
        seen: Option<Arc<Observation>>,
    },
    /// None of its pods is ready: there is nothing to be asked yet.
    NotRunning(Error),
    /// It runs, and cannot be asked.
    Unreachable(Error),
}

impl Contact {
    /// What it scrapes, where it said so.
    pub fn seen(&self) -> Option<&Arc<Observation>> {
        match self {
            Contact::Answers { seen, .. } => seen.as_ref(),
            _ => None,
        }
    }

    /// Why what is written could not be proved.
    pub fn unproven(&self) -> Option<&Error> {
        match self {
            Contact::Unreachable(error) => Some(error),
            _ => None,
        }
    }
}

pub async fn contact(session: &Session, prometheus: &Arc<mesh::Prometheus>) -> Contact {
    let prom = Prom::new(session.cluster.clone(), prometheus);
    let (running, mut pods) = match (prom.running().await, prom.url()) {
        (running, Some(url)) => (running.unwrap_or_default().len(), vec![url.to_owned()]),
        (Ok(pods), None) => (pods.len(), pods),
        (Err(error), None) => return Contact::NotRunning(error),
    };
    let ready = prometheus.pods.iter().any(|pod| pod.ready);
    for attempt in 1.. {
        let mut starting = None;
        if attempt > 1 {
            pods = match prom.pods().await {
                Ok(pods) => pods,
                Err(error) => return Contact::NotRunning(error),
            };
        }
        for pod in &pods {
            match prom.ready(pod).await {
                Ready::Yes => {}
                Ready::Starting(error) => starting = Some(error),
                Ready::No(error) if ready || prom.url().is_some() => {
                    return Contact::Unreachable(error);
                }
                Ready::No(error) => return Contact::NotRunning(error),
            }
        }
        match starting {
            None => break,
            Some(error) if !ready => return Contact::NotRunning(error),
            Some(error) if attempt == TRIES => return Contact::Unreachable(error),
            Some(_) => tokio::time::sleep(BETWEEN).await,
        }
    }
    let watch = Watch::new(session, Arc::clone(prometheus), Vec::new(), false);
    let (seen, late) = tokio::join!(
        observation(session, prometheus, &prom, &pods),
        watch.late_jobs(&pods)
    );
    Contact::Answers {
        url: prom.url().map(str::to_owned),
        replicas: running,
        late,
        seen,
    }
}

/// The targets of all its replicas; a shard has only some.
async fn observation(
    session: &Session,
    of: &mesh::Prometheus,
    prom: &Prom,
    pods: &[String],
) -> Option<Arc<Observation>> {
    let mut targets = Vec::new();
    // Replicas evaluate the same rules; one that cannot tell them keeps nothing else from being known.
    let mut rules = None;
    for pod in pods {
        let asks = rules.is_none();
        let of_rules = async {
            match asks {
                true => prom.rules(pod).await.ok(),
                false => None,
            }
        };
        let (own, told) = tokio::join!(prom.observed(pod), of_rules);
        targets.extend(own.ok()?);
        rules = rules.or(told);
    }
    targets.sort_unstable();
    targets.dedup();
    Some(Arc::new(Observation {
        of: of.id.clone(),
        targets: targets.into(),
        rules: rules.unwrap_or_default().into(),
        at: session.clock.now(),
    }))
}
