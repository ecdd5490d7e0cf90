//! What a Prometheus of the operator runs: its own answer, since its file lies compressed in a Secret.

use super::Asker;
use crate::mesh::kinds::WorkloadRef;
use crate::mesh::{Mesh, Prometheus, as_written};
use crate::prometheus::Prom;
use crate::words::say::cluster::no_answer_within;
use crate::words::say::engine as say;
use std::sync::Arc;
use std::time::Duration;

/// One that does not answer within this time counts as not answering.
const PATIENCE: Duration = Duration::from_secs(10);

/// Those whose running configuration is wanted.
pub(super) fn wanted(mesh: &Mesh, asker: &Asker) -> Vec<Arc<Prometheus>> {
    let all = &mesh.prometheus_servers;
    // A URL is that of the one that will be chosen.
    if asker.cluster.prometheus.is_some() && all.len() > 1 {
        return Vec::new();
    }
    let operated = |of: &&Arc<Prometheus>| of.pod_home.operated().is_some();
    all.iter().filter(operated).cloned().collect()
}

pub(super) async fn running(asker: Asker, of: Arc<Prometheus>) {
    let read = tokio::time::timeout(PATIENCE, read(&asker, &of)).await;
    let seconds = PATIENCE.as_secs();
    let read = read.unwrap_or_else(|_| Err(no_answer_within(seconds)));
    let id: WorkloadRef = of.id.clone();
    asker.tell(move |inventory| _ = inventory.running.insert(id, read));
}

/// The first replica that answers.
async fn read(asker: &Asker, of: &Prometheus) -> Result<Arc<str>, String> {
    let prom = Prom::new(asker.cluster.clone(), of);
    let mut last = say::NO_POD_RUNS.to_owned();
    for pod in prom.pods().await.map_err(|error| words(&error))? {
        match prom.config_text(&pod).await {
            Ok(text) => return Ok(as_written(&text).into()),
            Err(error) => last = words(&error),
        }
    }
    Err(last)
}

fn words(error: &crate::error::Error) -> String {
    match error.causes.first() {
        Some(cause) => format!("{}: {cause}", error.what),
        None => error.what.clone(),
    }
}
