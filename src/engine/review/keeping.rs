//! The rows of the run's lock and record. They are made, not applied: one that stands already is another run's.

use super::{Asked, Asker, blank, refused_or_failed, yes};
use crate::cluster::ApiError;
use crate::cluster::api::{Answer, Write};
use crate::cluster::error::Reason;
use crate::mesh::kinds::Kind;
use crate::plan::Change;
use crate::plan::holder::shown;
use crate::plan::review::Verdict;
use crate::words::say::engine as say;
use serde_json::Value;
use std::sync::Arc;

impl Asker<'_> {
    pub(super) async fn keeping(&self, change: &Change, intent: &Value) -> Asked {
        let object = &change.object;
        let live = match self.cluster.get(object).await {
            Ok(live) => live.map(Arc::new),
            Err(error) => return yes(blank(change.clone(), not_made(&error))),
        };
        let mut reviewed = blank(change.clone(), Verdict::New);
        reviewed.intent = Some(intent.clone());
        reviewed.after = Some(Arc::new(intent.clone()));
        if let Some(live) = live {
            if object.kind == Kind::Lease {
                reviewed.warnings.push(held_by(&live));
            }
            reviewed.live = Some(live);
            reviewed.verdict = Verdict::Changes;
            return yes(reviewed);
        }
        let made = self
            .cluster
            .create(object.kind, &object.namespace, intent, Write::DRY_RUN)
            .await;
        match made {
            Ok(Answer { body, warnings }) => {
                reviewed.warnings = warnings;
                reviewed.after = Some(Arc::new(body));
                yes(reviewed)
            }
            Err(error) if error.reason == Reason::Stale => Asked::Again(error.message),
            Err(error) => {
                reviewed.verdict = not_made(&error);
                yes(reviewed)
            }
        }
    }
}

/// A missing permission is the cluster's word on the row: the run then does without. Anything else is a question
/// that failed, as with any change.
fn not_made(error: &ApiError) -> Verdict {
    match error.reason {
        Reason::Forbidden | Reason::Denied | Reason::NotFound => {
            Verdict::Refused(error.message.clone())
        }
        _ => refused_or_failed(error),
    }
}

/// Who holds a lock and since when, in words.
pub fn held_by(lease: &Value) -> String {
    let spec = &lease["spec"];
    let text = |field: &str| spec[field].as_str().unwrap_or(say::UNKNOWN_TIME);
    say::lock_is_held(
        shown(spec["holderIdentity"].as_str().unwrap_or(say::SOMEBODY)),
        text("acquireTime"),
        text("renewTime"),
    )
}
