//! Waiting for the Prometheus operator, which carries a changed resource over to the workload that it makes.

use super::{About, Around, Waited};
use crate::error::Error;
use crate::mesh::carried_over;
use crate::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
use crate::words::say::engine as say;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// The operator acts on a change at once; it may be starting, or wait for its turn as the leader.
const WITHIN: Duration = Duration::from_secs(120);
const EVERY: Duration = Duration::from_secs(1);

impl Around<'_> {
    /// Waits until the pod template of the workload is what its resource says.
    pub(super) async fn operated(&self, workload: &WorkloadRef, about: &About<'_>) -> Waited {
        let changed = &about.reviewed.change.object;
        let resource = match self.target.pod_home.operated() {
            Some(operated) => &operated.resource,
            None if changed.kind == Kind::OperatorPrometheus => changed,
            // Nothing of an operator's was changed.
            None => return Waited::Over,
        };
        self.waiting(about.id, say::on_the_operator(workload));
        let begun = Instant::now();
        loop {
            let why = match self.look_at_operated(resource, workload).await {
                Ok(None) => return Waited::Over,
                Ok(Some(why)) => why,
                Err(why) => why,
            };
            if begun.elapsed() >= WITHIN {
                let error = Error::new(say::operator_has_not_updated(workload));
                let error = error.cause(say::after_seconds(WITHIN.as_secs(), &why));
                return Waited::Failed(error.hint(say::check_the_operator(resource)));
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// `None`: it is done. Else why not yet, in the operator's words where it has some.
    async fn look_at_operated(
        &self,
        resource: &ObjectRef,
        workload: &WorkloadRef,
    ) -> Result<Option<String>, String> {
        let cluster = &self.session.cluster;
        let get = async |object: &ObjectRef| match cluster.get(object).await {
            Ok(Some(live)) => Ok(live),
            Ok(None) => Err(say::there_is_no(object)),
            Err(error) => Err(error.to_string()),
        };
        let made_from = get(resource).await?;
        let made = get(&workload.object()).await?;
        if carried_over(&made_from, &made, &self.target.container) {
            return Ok(None);
        }
        let said = refused(&made_from);
        Ok(Some(
            said.unwrap_or_else(|| say::TEMPLATE_NOT_UPDATED.to_owned()),
        ))
    }
}

/// Why the operator did not carry this state of the resource out.
fn refused(resource: &Value) -> Option<String> {
    let conditions = resource["status"]["conditions"].as_array()?;
    let reconciled = conditions.iter().find(|of| of["type"] == "Reconciled")?;
    let of_this = reconciled["observedGeneration"] == resource["metadata"]["generation"];
    let message = reconciled["message"].as_str()?;
    (of_this && reconciled["status"] == "False" && !message.is_empty()).then(|| message.to_owned())
}
