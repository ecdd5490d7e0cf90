//! A Pod from a new template, dry-run: injection, Pod Security and quotas speak at pods, not at Deployments.

use crate::cluster::Cluster;
use crate::cluster::api::Write;
use crate::cluster::error::Reason;
use crate::mesh::kinds::Kind;
use crate::plan::review::{PodVerdict, Reviewed, Verdict};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Does the change make new pods?
pub(super) fn wanted(reviewed: &Reviewed) -> bool {
    let kind = reviewed.change.object.kind;
    let (Some(live), Some(after)) = (&reviewed.live, &reviewed.after) else {
        return false;
    };
    matches!(kind, Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet)
        && reviewed.verdict == Verdict::Changes
        && live["spec"]["template"] != after["spec"]["template"]
}

/// Asks admission; with the Pod that it makes, where it takes one. `created`: namespaces that the plan itself writes, whose labels do not yet speak.
pub(super) async fn ask(
    cluster: &Cluster,
    reviewed: &Reviewed,
    created: &BTreeSet<String>,
) -> (PodVerdict, Option<Value>) {
    let object = &reviewed.change.object;
    let template = match &reviewed.after {
        Some(after) => &after["spec"]["template"],
        None => return (PodVerdict::Unknown("there is no template".into()), None),
    };
    let pod = pod(&object.name, &object.namespace, template);
    let answer = cluster
        .create(Kind::Pod, &object.namespace, &pod, Write::DRY_RUN)
        .await;
    let verdict = match answer {
        Ok(answer) => {
            // A proxy that the template itself holds, as a gateway's does, is no sidecar from injection.
            let own = has_proxy(&json!({"spec": template["spec"]}));
            let sidecar = has_proxy(&answer.body) && !own;
            let mut notes = answer.warnings;
            if keeps_placeholder(&answer.body) && !created.contains(&object.namespace) {
                let why = "injection does not reach its new pods: istio-proxy keeps the placeholder image `auto`, so they would never run";
                return (PodVerdict::Forbidden(why.into()), Some(answer.body));
            }
            if !(sidecar || own) && relies_on_injection(template) {
                notes.push(if created.contains(&object.namespace) {
                    format!(
                        "whether its pods get a sidecar shows only when the label stands on the namespace {}",
                        object.namespace
                    )
                } else {
                    "injection adds no istio-proxy to its new pods: look at the injector's webhook and the revision label".into()
                });
            }
            return (PodVerdict::Admitted { sidecar, notes }, Some(answer.body));
        }
        Err(error) if error.reason == Reason::Forbidden => PodVerdict::Unknown(format!(
            "no permission to dry-run a pod in {}: {}",
            object.namespace, error.message
        )),
        Err(error) if error.refuses() => PodVerdict::Forbidden(error.message),
        Err(error) => PodVerdict::Unknown(error.message),
    };
    (verdict, None)
}

fn pod(name: &str, namespace: &str, template: &Value) -> Value {
    let mut metadata = Map::new();
    metadata.insert("generateName".into(), json!(format!("{name}-")));
    metadata.insert("namespace".into(), json!(namespace));
    for field in ["labels", "annotations"] {
        if let Some(value) = template["metadata"].get(field) {
            metadata.insert(field.into(), value.clone());
        }
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
}

fn has_proxy(pod: &Value) -> bool {
    ["containers", "initContainers"].iter().any(|list| {
        pod["spec"][*list]
            .as_array()
            .into_iter()
            .flatten()
            .any(|container| container["name"] == "istio-proxy")
    })
}

/// The image that injection fills in for a gateway's proxy is still to be filled in.
fn keeps_placeholder(pod: &Value) -> bool {
    let containers = pod["spec"]["containers"].as_array();
    containers
        .into_iter()
        .flatten()
        .any(|container| container["name"] == "istio-proxy" && container["image"] == "auto")
}

/// Does the template say that it wants a sidecar, or carry a mark that only one can honour?
fn relies_on_injection(template: &Value) -> bool {
    let metadata = &template["metadata"];
    metadata["labels"]["sidecar.istio.io/inject"] == "true"
        || metadata["labels"].get("istio.io/rev").is_some()
        || metadata["annotations"]
            .get("prometheus.istio.io/secure-port")
            .is_some()
}
