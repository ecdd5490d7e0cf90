//! A Pod from a new template, dry-run: injection, Pod Security and quotas speak at pods, not at Deployments.

use crate::cluster::Cluster;
use crate::cluster::api::{Answer, Write};
use crate::cluster::error::Reason;
use crate::mesh::kinds::{Kind, WorkloadRef};
use crate::plan::review::{PodVerdict, Reviewed, Verdict};
use crate::plan::{Action, Part, Plan};
use crate::reach::injected::{Short, proxy, short};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

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

/// Asks admission; with the Pod that it makes, where it takes one.
pub(super) async fn ask(
    cluster: &Cluster,
    reviewed: &Reviewed,
    known: &Known,
) -> (PodVerdict, Option<Value>) {
    let after = reviewed.after.as_deref().unwrap_or(&Value::Null);
    match of_template(cluster, reviewed, after).await {
        Ok(answer) => {
            if keeps_placeholder(&answer.body)
                && !known.created.contains(&reviewed.change.object.namespace)
            {
                let why = "injection does not reach its new pods: istio-proxy keeps the placeholder image `auto`, so they would never run";
                return (PodVerdict::Forbidden(why.into()), Some(answer.body));
            }
            // A proxy that the template itself holds, as a gateway's does, is no sidecar from injection.
            let own = after["spec"]["template"]["spec"]["containers"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one["name"] == "istio-proxy"));
            let verdict = match unfit(reviewed, &answer.body, known) {
                Some(why) => PodVerdict::Unfit(why),
                None => PodVerdict::Admitted {
                    sidecar: proxy(&answer.body).is_some() && !own,
                    notes: notes(reviewed, &answer, known),
                },
            };
            (verdict, Some(answer.body))
        }
        Err(PodVerdict::Forbidden(why)) if reviewed.change.part == Part::Undo => {
            let live = reviewed.live.as_deref().unwrap_or(&Value::Null);
            let as_bad = matches!(
                of_template(cluster, reviewed, live).await,
                Err(PodVerdict::Forbidden(_))
            );
            let verdict = match as_bad {
                true => PodVerdict::AsBad(format!(
                    "the cluster rejects new pods of both the current and the restored template, so \
                     missing pods are not replaced until this is fixed: {why}"
                )),
                false => PodVerdict::Forbidden(why),
            };
            (verdict, None)
        }
        Err(verdict) => (verdict, None),
    }
}

async fn of_template(
    cluster: &Cluster,
    reviewed: &Reviewed,
    workload: &Value,
) -> Result<Answer, PodVerdict> {
    let object = &reviewed.change.object;
    let pod = pod(
        &object.name,
        &object.namespace,
        &workload["spec"]["template"],
    );
    let asked = cluster.create(Kind::Pod, &object.namespace, &pod, Write::DRY_RUN);
    asked.await.map_err(|error| match error.reason {
        Reason::Forbidden => PodVerdict::Unknown(format!(
            "no permission to dry-run a pod in {}: {}",
            object.namespace, error.message
        )),
        _ if error.refuses() => PodVerdict::Forbidden(error.message),
        _ => PodVerdict::Unknown(error.message),
    })
}

/// What the plan says of an item, as far as it bears on its pods.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind {
    gateway: bool,
    /// The port that 15091 leads to.
    port: u16,
}

/// What a plan tells of the pods that it makes.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Namespaces that the plan itself writes, whose labels do not yet speak.
    pub created: BTreeSet<String>,
    behind: BTreeMap<WorkloadRef, Behind>,
}

impl Known {
    pub fn of(plan: &Plan) -> Self {
        let applied = plan
            .changes
            .iter()
            .filter_map(|change| match &change.action {
                Action::Apply { intent } => Some((change, intent)),
                _ => None,
            });
        let mut known = Known::default();
        for (change, intent) in applied {
            let object = &change.object;
            let port = match object.kind {
                Kind::Namespace => {
                    known.created.insert(object.name.clone());
                    continue;
                }
                Kind::Sidecar => of_listener(intent),
                Kind::ServiceEntry => intent["spec"]["ports"][0]["number"].as_u64(),
                _ => continue,
            };
            if let (Some(item), Some(port)) = (&change.item, port) {
                let behind = Behind {
                    gateway: object.kind == Kind::ServiceEntry,
                    port: u16::try_from(port).unwrap_or_default(),
                };
                known.behind.insert(item.clone(), behind);
            }
        }
        known
    }
}

/// The port behind the listener on 15091 of a Sidecar.
fn of_listener(intent: &Value) -> Option<u64> {
    let entries = intent["spec"]["ingress"].as_array()?;
    let entry = entries.iter().find(|e| e["port"]["number"] == 15091)?;
    let endpoint = entry["defaultEndpoint"].as_str()?;
    endpoint.rsplit(':').next()?.parse().ok()
}

/// Why the change would be in vain though admission takes its pods.
fn unfit(reviewed: &Reviewed, pod: &Value, known: &Known) -> Option<String> {
    let change = &reviewed.change;
    if known.created.contains(&change.object.namespace) {
        return None;
    }
    let behind = match change.part {
        Part::Mark => {
            let item = change.item.as_ref();
            item.and_then(|item| known.behind.get(item).copied())
        }
        Part::PrometheusPod => None,
        _ => return None,
    };
    // What is not known of an item is not held against it.
    let behind = behind.unwrap_or(Behind {
        gateway: true,
        port: 0,
    });
    Some(match short(pod, behind.gateway, behind.port)? {
        Short::NoSidecar => format!(
            "its new pods would have no sidecar: admission adds no istio-proxy to a Pod of {}'s new template. Look at \
             policy, neverInjectSelector and alwaysInjectSelector in Istio's ConfigMap istio-sidecar-injector (with \
             -REVISION, where there are revisions), and at the webhook's selectors",
            change.object
        ),
        Short::StatusPort(0) => format!(
            "port 15091 would lead nowhere: the agent of {}'s new pods serves no metrics (status port 0). Choose port \
             15090 for it, or give the agent its port 15020 back",
            change.object
        ),
        Short::StatusPort(port) => format!(
            "port 15091 would lead nowhere: the agent of {}'s new pods serves on {port}, and not on the port that \
             15091 leads to. Plan again, or choose port 15090 for it",
            change.object
        ),
        Short::NotCaptured(setting) => format!(
            "port 15091 would never be reached: the sidecar of {}'s new pods does not capture it ({setting}). Correct \
             the annotation, or the value of the injector that says so",
            change.object
        ),
    })
}

fn notes(reviewed: &Reviewed, answer: &Answer, known: &Known) -> Vec<String> {
    let mut notes = answer.warnings.clone();
    let namespace = &reviewed.change.object.namespace;
    if proxy(&answer.body).is_none() && known.created.contains(namespace) {
        notes.push(format!(
            "its sidecar can be checked only after the namespace {namespace} has the label"
        ));
    }
    notes
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

/// The image that injection fills in for a gateway's proxy is still to be filled in.
fn keeps_placeholder(pod: &Value) -> bool {
    let containers = pod["spec"]["containers"].as_array();
    containers
        .into_iter()
        .flatten()
        .any(|container| container["name"] == "istio-proxy" && container["image"] == "auto")
}
