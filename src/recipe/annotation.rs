//! The annotation `prometheus.istio.io/secure-port`, by which the scrape job discovers, and nothing beside it.
//!
//! Facts: on a running pod it is lost with the pod (fault 11); `prometheus.io/path` in a template without a port
//! makes the agent scrape the app at `:80` (fault 12), so that no `prometheus.io/*` is written here.

use super::{ANNOTATION, SECURE_PORT, injection, select::Item, template_intent};
use crate::answers::{Annotate, Injection};
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::{Mesh, MtlsMode, Pod, Workload};
use crate::plan::purpose::Purpose;
use crate::plan::{Action, Await, Change, Impact, Part};
use crate::problems::{Problem, Subject};
use crate::reach::injector::MERGE;
use serde_json::json;

/// Pods that somebody annotated otherwise than their template: it reads as wanted, so that nothing would restart them.
/// Annotated again they cost no restart, and a later pod has the template's value anyway.
fn strayed(workload: &Workload) -> impl Iterator<Item = &Pod> {
    let port = SECURE_PORT.to_string();
    let stays = workload.template.metadata.annotations.get(ANNOTATION) == Some(&port);
    let wanted = stays && workload.rolled_out;
    running(workload)
        .into_iter()
        .filter(move |pod| wanted && pod.secure_port.as_ref() != Some(&port))
}

/// Pods with a proxy, by name.
fn running(workload: &Workload) -> Vec<&Pod> {
    let mut pods: Vec<_> = workload
        .pods
        .iter()
        .filter(|pod| !pod.terminating && pod.proxy.is_some())
        .filter(|pod| !matches!(pod.phase.as_str(), "Succeeded" | "Failed"))
        .collect();
    pods.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    pods
}

/// One change on the template, with the inject label where it is needed, so that the pods restart once;
/// or one change for each running pod that has a sidecar.
/// `keep_own`: where a first sidecar would lose part of today's scrape of the app, merging is switched off for
/// it, so that the injector leaves the annotations that this scrape goes by as they are.
pub(super) fn changes(
    mesh: &Mesh,
    item: &Item,
    injection: Injection,
    keep_own: bool,
) -> Vec<Change> {
    match item.annotation {
        Annotate::Template => {
            let template = template(mesh, item, injection, keep_own);
            // New pods take the template's annotation.
            let restarts = !template.impacts.is_empty();
            let pods = strayed(item.workload).filter(|_| !restarts);
            let pods = pods.map(|pod| strayed_pod(item.workload, pod));
            std::iter::once(template).chain(pods).collect()
        }
        Annotate::Pods => pods(item),
    }
}

fn template(mesh: &Mesh, item: &Item, by: Injection, keep_own: bool) -> Change {
    let workload = item.workload;
    let object = workload.id.object();
    let by_namespace = by == Injection::Namespace;
    let labels = match item.gateway {
        Some(_) => Default::default(),
        None => injection::template_labels(mesh, workload, by_namespace),
    };
    let mut metadata = json!({"annotations": {ANNOTATION: SECURE_PORT.to_string()}});
    let meta = &workload.template.metadata;
    let entering = item.gateway.is_none() && workload.enters_mesh();
    let keeps = entering && keep_own;
    if keeps {
        metadata["annotations"][MERGE] = json!("false");
    }
    let mut restarts = meta.annotations.get(ANNOTATION) != Some(&SECURE_PORT.to_string());
    if !labels.is_empty() {
        restarts |= labels.iter().any(|(k, v)| meta.labels.get(k) != Some(v));
        metadata["labels"] = json!(labels);
    }
    let name = workload.id.name.clone();
    let purpose = match entering {
        true => Purpose::FirstSidecar { workload: name },
        false => Purpose::Discovered { workload: name },
    };
    let mut impacts = Vec::new();
    if restarts {
        impacts.push(Impact::Restarts {
            workload: workload.id.clone(),
            pods: workload.desired as usize,
        });
    }
    if entering {
        impacts.push(Impact::FirstSidecar {
            workload: workload.id.clone(),
            strict: workload.mtls.0 == MtlsMode::Strict,
        });
    }
    let apart = keeps.then(|| Problem::AppNotMerged {
        of: (&workload.id).into(),
        annotation: MERGE.to_owned(),
        strict: workload.mtls.0 == MtlsMode::Strict,
    });
    Change {
        findings: apart.into_iter().collect(),
        item: Some(workload.id.clone()),
        then: vec![Await::Rollout(workload.id.clone())],
        impacts,
        ..Change::new(
            object.clone(),
            Part::Annotation,
            Action::Apply {
                intent: template_intent(&object, json!({ "metadata": metadata })),
            },
            purpose,
        )
    }
}

fn pods(item: &Item) -> Vec<Change> {
    let lost = |pod: &Pod| {
        let of = Subject::new(Kind::Pod.name(), &item.workload.id.namespace, &pod.name);
        Problem::AnnotationEndsWithPod { of }
    };
    running(item.workload)
        .into_iter()
        .map(|pod| {
            let purpose = Purpose::PodDiscovered {
                pod: pod.name.clone(),
            };
            on_pod(item.workload, pod, purpose, Some(lost(pod)))
        })
        .collect()
}

fn strayed_pod(workload: &Workload, pod: &Pod) -> Change {
    let purpose = Purpose::PodDiffers {
        pod: pod.name.clone(),
        has: pod.secure_port.clone(),
    };
    on_pod(workload, pod, purpose, None)
}

fn on_pod(workload: &Workload, pod: &Pod, purpose: Purpose, finding: Option<Problem>) -> Change {
    let object = ObjectRef::new(Kind::Pod, &workload.id.namespace, &pod.name);
    let intent = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod.name,
            "namespace": workload.id.namespace,
            "uid": pod.uid,
            "annotations": {ANNOTATION: SECURE_PORT.to_string()},
        },
    });
    Change {
        item: Some(workload.id.clone()),
        findings: finding.into_iter().collect(),
        ..Change::new(object, Part::Annotation, Action::Apply { intent }, purpose)
    }
}
