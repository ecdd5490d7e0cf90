//! Taking back without a record: what stands in the cluster and is this program's, by label and field manager.

use super::keep;
use super::session::Session;
use super::undo::{UndoPlan, plan_of};
use crate::cluster::api::encode;
use crate::error::Error;
use crate::mesh::kinds::{Kind, MANAGER, ObjectRef, WorkloadRef};
use crate::mesh::{Mesh, Prometheus, Workload};
use crate::plan::keeping;
use crate::plan::undo::found::{FOUND, Seen, UNKNOWN, entries};
use crate::recipe::{ANNOTATION, JOB};
use crate::words::say::engine as say;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Kinds of which this program makes whole objects, all with its label.
const MADE: [Kind; 6] = [
    Kind::Sidecar,
    Kind::Gateway,
    Kind::PeerAuthentication,
    Kind::AuthorizationPolicy,
    Kind::ServiceEntry,
    Kind::VirtualService,
];

/// Objects that are read at the same time.
const AT_ONCE: usize = 8;

/// Plans taking back everything of this program's that stands in the cluster, whatever run it is of.
///
/// # Errors
/// Nothing of it stands there; there is no Prometheus; an object cannot be read.
pub async fn plan_found(session: &Session, mesh: &Mesh) -> Result<UndoPlan, Error> {
    let mut warnings: Vec<String> = UNKNOWN.iter().map(|words| (*words).to_owned()).collect();
    let prometheus = prometheus(mesh).ok_or_else(|| Error::new(say::NO_PROMETHEUS_TO_UNDO))?;
    if let Some(operated) = prometheus.pod_home.operated() {
        warnings.push(say::operated_keeps_what_was_written(&operated.resource));
    }
    let mut seen = made(session, &items(mesh), &mut warnings).await;
    let changed = changed(mesh, prometheus);
    let read: Vec<Option<Seen>> = stream::iter(changed)
        .map(|(object, item, key)| read(session, object, item, key))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    seen.extend(read.into_iter().flatten());
    let restart_loads = !(prometheus.reloader || prometheus.lifecycle);
    let context = &session.cluster.context;
    let lines = entries(context, &prometheus.id, &seen, JOB, restart_loads);
    let (mut plan, notes) = plan_of(session, &lines).await?;
    if plan.changes.is_empty() {
        return Err(Error::new(say::NOTHING_OF_OURS_FOUND).cause(say::NOTHING_IS_OURS));
    }
    plan.undoes = Some(FOUND.to_owned());
    match keep::secrets(session, &prometheus.id.namespace, None).await {
        Ok(secrets) => keeping::forget(&mut plan, &secrets),
        Err(error) => warnings.push(say::records_stay(&error)),
    }
    Ok(UndoPlan {
        run: FOUND.to_owned(),
        prometheus: Some(prometheus.id.clone()),
        plan,
        notes,
        warnings,
        older: Vec::new(),
        unproven: None,
        met: true,
    })
}

/// The one whose configuration holds a job of ours, else the first that can be chosen.
fn prometheus(mesh: &Mesh) -> Option<&Arc<Prometheus>> {
    let has_job = |of: &&Arc<Prometheus>| {
        let text = of
            .config
            .as_ref()
            .and_then(|config| config.text.as_ref().ok());
        text.is_some_and(|text| text.contains(JOB))
    };
    let mut all = mesh.prometheus_servers.iter();
    all.clone()
        .find(has_job)
        .or_else(|| all.find(|prometheus| prometheus.obstacles.is_empty()))
}

fn workloads(mesh: &Mesh) -> impl Iterator<Item = &Workload> {
    let gateways = mesh.gateways.iter().map(|gateway| &gateway.workload);
    mesh.workloads.iter().map(Arc::as_ref).chain(gateways)
}

/// Which workload each of our objects serves.
fn items(mesh: &Mesh) -> BTreeMap<ObjectRef, WorkloadRef> {
    workloads(mesh)
        .flat_map(|workload| {
            let ours = workload.ours.iter().cloned();
            ours.map(|object| (object, workload.id.clone()))
        })
        .collect()
}

/// Whole objects of ours. A kind that is not installed holds none; one that may not be listed is said.
async fn made(
    session: &Session,
    items: &BTreeMap<ObjectRef, WorkloadRef>,
    warnings: &mut Vec<String>,
) -> Vec<Seen> {
    let selector = format!("app.kubernetes.io/managed-by={MANAGER}");
    let query = format!("labelSelector={}", encode(&selector));
    let mut out = Vec::new();
    for kind in MADE {
        let mut token: Option<String> = None;
        loop {
            let page = session
                .cluster
                .page::<Value>(kind, None, &query, token.as_deref());
            let page = match page.await {
                Ok(page) => page,
                Err(error) if error.is_not_found() => break,
                Err(error) => {
                    warnings.push(say::kind_not_listed(kind.name(), &error));
                    break;
                }
            };
            out.extend(page.items.into_iter().map(|mut live| {
                // List items come without their kind.
                live["kind"] = json!(kind.name());
                let meta = |field: &str| live["metadata"][field].as_str().unwrap_or_default();
                let object = ObjectRef::new(kind, meta("namespace"), meta("name"));
                Seen {
                    item: items.get(&object).cloned(),
                    object,
                    live: Arc::new(live),
                    key: None,
                }
            }));
            token = page.next;
            if token.is_none() {
                break;
            }
        }
    }
    out
}

type Place = (ObjectRef, Option<WorkloadRef>, Option<String>);

/// Objects of others in which fields of ours may stand: what is annotated, the namespaces of that, Prometheus.
fn changed(mesh: &Mesh, prometheus: &Prometheus) -> Vec<Place> {
    let mut out: Vec<Place> = Vec::new();
    let mut spaces: Vec<&str> = Vec::new();
    for workload in workloads(mesh) {
        let template = &workload.template.metadata.annotations;
        let item = || Some(workload.id.clone());
        if template.get(ANNOTATION).is_some() {
            out.push((workload.id.object(), item(), None));
        } else {
            let annotated = workload.pods.iter().filter(|pod| pod.secure_port.is_some());
            out.extend(annotated.map(|pod| {
                let object = ObjectRef::new(Kind::Pod, &workload.id.namespace, &pod.name);
                (object, item(), None)
            }));
        }
        let ours = template.get(ANNOTATION).is_some() || !workload.ours.is_empty();
        if ours && !spaces.contains(&workload.id.namespace.as_str()) {
            spaces.push(&workload.id.namespace);
            let object = ObjectRef::new(Kind::Namespace, "", &workload.id.namespace);
            out.push((object, None, None));
        }
    }
    // What was there before in an operator's resource is not to be told from its fields.
    if prometheus.pod_home.operated().is_none() {
        out.push((prometheus.id.object(), None, None));
    }
    if let Some(config) = &prometheus.config {
        out.push((config.home.object().clone(), None, Some(config.key.clone())));
    }
    out
}

async fn read(
    session: &Session,
    object: ObjectRef,
    item: Option<WorkloadRef>,
    key: Option<String>,
) -> Result<Option<Seen>, Error> {
    let live = session.cluster.get(&object).await.map_err(|error| {
        Error::new(say::cannot_be_read(&object))
            .cause(&error)
            .hint(error.hint())
    })?;
    Ok(live.map(|live| Seen {
        object,
        live: Arc::new(live),
        item,
        key,
    }))
}
