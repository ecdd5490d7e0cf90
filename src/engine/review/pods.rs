//! A Pod from a new template, dry-run: injection, Pod Security and quotas speak at pods, not at Deployments.

use crate::cluster::Cluster;
use crate::cluster::api::{Answer, Write};
use crate::cluster::error::Reason;
use crate::engine::rollout::stuck::refused;
use crate::mesh::kinds::{Kind, WorkloadRef};
use crate::plan::review::{PodVerdict, Reviewed, Verdict};
use crate::plan::{Action, Part, Plan};
use crate::problems::Problem;
use crate::reach::injected::{Short, proxy, short};
use crate::words;
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
                let of = (&reviewed.change.object).into();
                let forbidden = PodVerdict::Forbidden(Problem::NoProxyImage { of });
                return (forbidden, Some(answer.body));
            }
            // A proxy that the template itself holds, as a gateway's does, is no sidecar from injection.
            let own = after["spec"]["template"]["spec"]["containers"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one["name"] == "istio-proxy"));
            let verdict = match unfit(reviewed, &answer.body, known) {
                Some(why) => PodVerdict::Unfit(why),
                None => PodVerdict::Admitted {
                    sidecar: proxy(&answer.body).is_some() && !own,
                    findings: findings(reviewed, &answer, known),
                    warnings: answer.warnings,
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
                true => PodVerdict::AsBad(Problem::PodsRefusedAnyway {
                    of: why.of().clone(),
                    said: words::sentence(&why),
                }),
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
        reason if reason != Reason::Forbidden && error.refuses() => {
            PodVerdict::Forbidden(refused(object.into(), &error.message))
        }
        reason => PodVerdict::Unknown(Problem::PodsNotChecked {
            of: object.into(),
            denied: reason == Reason::Forbidden,
            why: error.message,
        }),
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
fn unfit(reviewed: &Reviewed, pod: &Value, known: &Known) -> Option<Problem> {
    let change = &reviewed.change;
    if known.created.contains(&change.object.namespace) {
        return None;
    }
    let behind = match change.part {
        Part::Annotation => {
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
    let of = (&change.object).into();
    Some(match short(pod, behind.gateway, behind.port)? {
        Short::NoSidecar => Problem::NoSidecarAdded { of },
        Short::StatusPort(serves) => Problem::PortLeadsNowhere { of, serves },
        Short::NotCaptured(setting) => Problem::PortNeverReached { of, setting },
    })
}

fn findings(reviewed: &Reviewed, answer: &Answer, known: &Known) -> Vec<Problem> {
    let object = &reviewed.change.object;
    let later = proxy(&answer.body).is_none() && known.created.contains(&object.namespace);
    let later = later.then(|| Problem::SidecarNotChecked {
        of: object.into(),
        namespace: object.namespace.clone(),
    });
    later.into_iter().collect()
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

#[cfg(test)]
mod tests;
