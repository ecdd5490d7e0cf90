//! How what was chosen gets its sidecar: by a label on its pod template, or by the namespace's label.
//!
//! Facts: the webhook matches labels, and a pod's own label reaches it in a namespace that says nothing. Where
//! the unlabelled revision has no injector, `istio.io/rev` is needed as well.

use super::{INJECT, select::Selection};
use crate::answers::{Answers, Injection};
use crate::error::Error;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::{Mesh, NamespaceInjection, SidecarState, Workload};
use crate::plan::purpose::Purpose;
use crate::plan::{Action, Change, Impact, Part};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Labels for the pod template; empty where it needs none. What we set in an earlier run stays in, since an
/// intent that leaves it out would take it back.
pub(super) fn template_labels(
    mesh: &Mesh,
    workload: &Workload,
    by_namespace: bool,
) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let label = workload
        .template
        .metadata
        .labels
        .get(INJECT)
        .map(String::as_str);
    let injecting = matches!(
        namespace(mesh, &workload.id.namespace),
        Some(NamespaceInjection::Enabled | NamespaceInjection::Revision(_))
    );
    let revision = match &workload.sidecar {
        SidecarState::Switchable { revision } => {
            if by_namespace && label != Some("false") {
                return labels;
            }
            revision.clone()
        }
        _ if label == Some("true") && !injecting => workload
            .template
            .metadata
            .labels
            .get("istio.io/rev")
            .cloned(),
        _ => return labels,
    };
    labels.insert(INJECT.into(), "true".into());
    if let Some(revision) = revision {
        labels.insert("istio.io/rev".into(), revision);
    }
    labels
}

pub(super) fn namespace<'a>(mesh: &'a Mesh, name: &str) -> Option<&'a NamespaceInjection> {
    mesh.namespaces
        .iter()
        .find(|n| n.name == name)
        .map(|n| &n.injection)
}

/// The label on each namespace that has a chosen workload without a sidecar, where the user asked for it.
///
/// # Errors
/// Where a revision is needed and it is not certain which.
pub(super) fn namespaces(
    mesh: &Mesh,
    answers: &Answers,
    chosen: &Selection,
) -> Result<Vec<Change>, Error> {
    if answers.options.injection != Injection::Namespace {
        return Ok(Vec::new());
    }
    let switchable = |w: &Workload| matches!(w.sidecar, SidecarState::Switchable { .. });
    let names: BTreeSet<&str> = chosen
        .workloads
        .iter()
        .filter(|w| switchable(w))
        .map(|w| w.id.namespace.as_str())
        .collect();
    names
        .into_iter()
        .filter(|name| {
            !matches!(
                namespace(mesh, name),
                Some(NamespaceInjection::Enabled | NamespaceInjection::Revision(_))
            )
        })
        .map(|name| {
            let label = match revision(mesh)? {
                None => json!({"istio-injection": "enabled"}),
                Some(revision) => json!({"istio.io/rev": revision}),
            };
            let object = ObjectRef::new(Kind::Namespace, "", name);
            let intent = json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": label},
            });
            let others: Vec<_> = mesh
                .workloads
                .iter()
                .filter(|w| w.id.namespace == name && switchable(w))
                .filter(|w| !chosen.workloads.iter().any(|c| c.id == w.id))
                .map(|w| w.id.clone())
                .collect();
            let impacts = match others.is_empty() {
                true => Vec::new(),
                false => vec![Impact::AlsoInjected {
                    namespace: name.into(),
                    workloads: others,
                }],
            };
            Ok(Change {
                impacts,
                ..Change::new(
                    object,
                    Part::Injection,
                    Action::Apply { intent },
                    Purpose::NamespaceInjects {
                        namespace: name.into(),
                    },
                )
            })
        })
        .collect()
}

/// The revision that must be named beside the inject label; `None` where the unlabelled one has an injector.
///
/// # Errors
/// Where there are several control planes to choose from, or none was found.
pub(super) fn revision(mesh: &Mesh) -> Result<Option<String>, Error> {
    if mesh.istio.default_injector {
        return Ok(None);
    }
    match &mesh.istio.control_planes[..] {
        [one] => Ok(Some(one.revision.clone())),
        [] => Err(Error::new(
            "no Istio control plane was found that could inject a sidecar",
        )),
        several => {
            let names: Vec<&str> = several.iter().map(|c| c.revision.as_str()).collect();
            Err(Error::new("it is not certain which Istio revision is to inject the sidecar")
                .cause(format!("there is no default revision, and there are {}", names.join(", ")))
                .hint("set a default tag (istioctl tag set default --revision …) or label the namespace with istio.io/rev"))
        }
    }
}
