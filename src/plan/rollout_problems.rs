//! What keeps a rollout from reaching its pods, or makes it cost more than one would think: known before it begins.
//!
//! Source of the rules: the controllers of `k8s.io/kubernetes` (`pkg/controller/{deployment,statefulset,daemon}`)
//! and the quota admission plugin.

mod quota;

use crate::problems::{Problem, Subject};
use serde_json::Value;

/// What stands around a workload in its namespace. Empty where it is not there or may not be read: then
/// nothing is said of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<'a> {
    pub quotas: &'a [Value],
    pub budgets: &'a [Value],
    /// A running pod of the workload.
    pub old: Option<&'a Value>,
    /// A Pod of the new template as admission would make it.
    pub new: Option<&'a Value>,
    /// The refusal of such a Pod by a quota, in the server's words.
    pub refused: Option<&'a str>,
}

/// How the controller will replace the pods of a Deployment, StatefulSet or DaemonSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Pods that get the new template by the controller's own doing.
    pub pods: u64,
    /// Of those, how many may be away at a time. None: a new pod has to be ready before an old one goes.
    pub away: u64,
}

/// What the rollout of this live workload will meet. Nothing, for kinds without rollouts.
pub fn rollout_problems(live: &Value, around: &Around<'_>) -> Vec<Problem> {
    let mut found: Vec<Problem> = held(live).into_iter().collect();
    let Some(pace) = pace(live).filter(|pace| pace.pods > 0) else {
        return found;
    };
    found.extend(quota::short(live, pace, around));
    if pace.away > 0 {
        found.extend(budget(live, pace, around.budgets));
    }
    found
}

/// The controller's pace; `None`: it replaces no pod by itself.
pub fn pace(live: &Value) -> Option<Pace> {
    let spec = &live["spec"];
    let replicas = spec["replicas"].as_u64().unwrap_or(1);
    match live["kind"].as_str()? {
        "Deployment" if spec["paused"] == true => None,
        "Deployment" if spec["strategy"]["type"] == "Recreate" => Some(Pace {
            pods: replicas,
            away: replicas,
        }),
        "Deployment" => {
            let rolling = &spec["strategy"]["rollingUpdate"];
            let surge = share(&rolling["maxSurge"], "25%", replicas, true);
            let away = share(&rolling["maxUnavailable"], "25%", replicas, false);
            // The controller takes one away where rounding would let it do neither.
            let away = if surge == 0 { away.max(1) } else { away };
            Some(Pace {
                pods: replicas,
                away: away.min(replicas),
            })
        }
        "StatefulSet" if spec["updateStrategy"]["type"] == "OnDelete" => None,
        "StatefulSet" => {
            let rolling = &spec["updateStrategy"]["rollingUpdate"];
            let partition = rolling["partition"].as_u64().unwrap_or(0);
            let away = share(&rolling["maxUnavailable"], "1", replicas, true).max(1);
            let pods = replicas.saturating_sub(partition);
            Some(Pace {
                pods,
                away: away.min(pods),
            })
        }
        "DaemonSet" if spec["updateStrategy"]["type"] == "OnDelete" => None,
        "DaemonSet" => {
            let pods = live["status"]["desiredNumberScheduled"].as_u64()?;
            let rolling = &spec["updateStrategy"]["rollingUpdate"];
            let surge = share(&rolling["maxSurge"], "0", pods, true);
            let away = share(&rolling["maxUnavailable"], "1", pods, true);
            Some(Pace {
                pods,
                away: if surge > 0 { 0 } else { away.max(1).min(pods) },
            })
        }
        _ => None,
    }
}

/// A number or a percentage of `all`.
fn share(value: &Value, default: &str, all: u64, up: bool) -> u64 {
    let text = match value {
        Value::Number(number) => return number.as_u64().unwrap_or(0),
        Value::String(text) => text.as_str(),
        _ => default,
    };
    match text.strip_suffix('%') {
        Some(percent) => {
            let part = percent.parse::<u64>().unwrap_or(0) * all;
            if up { part.div_ceil(100) } else { part / 100 }
        }
        None => text.parse().unwrap_or(0),
    }
}

fn subject(live: &Value) -> Subject {
    let meta = &live["metadata"];
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Subject::new(
        word(&live["kind"]),
        word(&meta["namespace"]),
        word(&meta["name"]),
    )
}

/// A workload that does not bring its new template to all its pods.
fn held(live: &Value) -> Option<Problem> {
    let of = subject(live);
    let spec = &live["spec"];
    let strategy = &spec["updateStrategy"];
    match &*of.kind {
        "Deployment" if spec["paused"] == true => Some(Problem::RolloutPaused { of }),
        "StatefulSet" | "DaemonSet" if strategy["type"] == "OnDelete" => {
            let selector = selector(live);
            Some(Problem::RolloutOnDelete { of, selector })
        }
        "StatefulSet" => {
            let partition = strategy["rollingUpdate"]["partition"].as_u64()?;
            let replicas = spec["replicas"].as_u64().unwrap_or(1);
            let stay = partition.min(replicas);
            (stay > 0).then_some(Problem::RolloutPartition {
                of,
                partition,
                stay,
            })
        }
        _ => None,
    }
}

/// `spec.selector.matchLabels` as a query; expressions beside them only make it wider.
pub fn selector(live: &Value) -> String {
    let labels = live["spec"]["selector"]["matchLabels"].as_object();
    let pairs: Vec<String> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    pairs.join(",")
}

/// A budget bounds evictions (drains, the autoscaler), never a controller's own rollout. Worth a word only
/// where it allows nothing and the rollout takes pods away all the same.
fn budget(live: &Value, pace: Pace, budgets: &[Value]) -> Option<Problem> {
    let labels = &live["spec"]["template"]["metadata"]["labels"];
    let budget = budgets.iter().find(|budget| {
        let status = &budget["status"];
        status["disruptionsAllowed"] == 0
            && status["expectedPods"].as_u64().unwrap_or(0) > 0
            && selects(&budget["spec"]["selector"], labels)
    })?;
    Some(Problem::BudgetNotAsked {
        of: subject(live),
        budget: budget["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        away: pace.away,
        pods: pace.pods,
    })
}

/// A label selector over labels; one that is empty takes all, one that is absent takes none.
fn selects(selector: &Value, labels: &Value) -> bool {
    let Some(selector) = selector.as_object() else {
        return false;
    };
    let wanted = selector.get("matchLabels").and_then(Value::as_object);
    let equal = wanted
        .into_iter()
        .flatten()
        .all(|(key, value)| &labels[key] == value);
    let rules = selector.get("matchExpressions").and_then(Value::as_array);
    equal
        && rules.into_iter().flatten().all(|rule| {
            let value = rule["key"].as_str().and_then(|key| labels.get(key));
            let listed = rule["values"]
                .as_array()
                .is_some_and(|values| value.is_some_and(|value| values.contains(value)));
            match rule["operator"].as_str() {
                Some("In") => listed,
                Some("NotIn") => !listed,
                Some("Exists") => value.is_some(),
                Some("DoesNotExist") => value.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests;
