//! The first jobs that are added to an operator's own: a Secret with them, and the resource that names it.
//!
//! The operator appends the jobs of one Secret (`spec.additionalScrapeConfigs`). One that is named already is added
//! to, and never exchanged for another.

use super::scrape_job::Config;
use crate::error::Error;
use crate::mesh::kinds::MANAGER;
use crate::mesh::{ConfigHome, Prometheus};
use crate::plan::path::LeafPath;
use crate::plan::purpose::Purpose;
use crate::plan::scrape_config::{TextEdit, jobs};
use crate::plan::{Action, Change, Expected, LeafEdit, Part, keyed};
use serde_json::{Value, json};

/// `job`: the change as an edit of text, of which the Secret is made here.
///
/// # Errors
/// The job would hold a credential.
pub(super) fn changes(of: &Prometheus, config: &Config, job: Change) -> Result<[Change; 2], Error> {
    let failed = || Error::new(format!("no scrape job can be added to {}", of.id));
    let (Some(operated), ConfigHome::New(secret), Action::Text { key, edits }) =
        (of.pod_home.operated(), &config.place.home, &job.action)
    else {
        return Err(failed());
    };
    let mut object = json!({
        "apiVersion": secret.kind.api_version(),
        "kind": secret.kind.name(),
        "metadata": {
            "name": secret.name,
            "namespace": secret.namespace,
            "labels": {"app.kubernetes.io/managed-by": MANAGER},
        },
        "type": "Opaque",
        "data": {key.as_str(): ""},
    });
    keyed::edit(&mut object, key, edits).map_err(|refusal| failed().cause(refusal.why))?;
    let resource = &operated.resource;
    let selector = LeafEdit {
        path: LeafPath::fields(["spec", "additionalScrapeConfigs"]),
        expect: Expected::Absent,
        to: Some(json!({"name": secret.name, "key": key})),
    };
    let made = Change {
        impacts: job.impacts,
        ..Change::new(
            secret.clone(),
            Part::ScrapeJob,
            Action::Apply { intent: object },
            Purpose::JobSecret {
                resource: resource.clone(),
            },
        )
    };
    let named = Change {
        needs: vec![made.id.clone()],
        ..Change::new(
            resource.clone(),
            Part::ScrapeJob,
            Action::Edit {
                leaves: vec![selector],
            },
            Purpose::AddsJobs,
        )
    };
    Ok([made, named])
}

/// The jobs in a Secret that is made here, as the edits that would add them to a text.
pub(super) fn of_secret(secret: &Value, key: &str) -> Vec<TextEdit> {
    let text = keyed::text(secret, key);
    let jobs = text.and_then(|text| jobs(&text).ok()).unwrap_or_default();
    let mut edits: Vec<TextEdit> = jobs
        .into_iter()
        .map(|job| TextEdit::InsertJob {
            name: job.name,
            job: job.value,
        })
        .collect();
    // Each goes first.
    edits.reverse();
    edits
}
