//! What keeps a rollout from reaching its pods, or makes it cost more than one would think: known before it begins.
//!
//! Source of the rules: the controllers of `k8s.io/kubernetes` (`pkg/controller/{deployment,statefulset,daemon}`)
//! and the quota admission plugin.

mod quota;

use serde_json::Value;

/// Something about a workload, or about its namespace, that a rollout will meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hurdle {
    pub kind: HurdleKind,
    /// What will happen, and what causes it.
    pub what: String,
    /// What to do.
    pub todo: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HurdleKind {
    /// A Deployment that replaces no pod until it is resumed.
    Paused,
    /// Pods change only when somebody deletes them.
    OnDelete,
    /// The first pods of a StatefulSet keep the old template.
    Partition,
    /// A ResourceQuota leaves no room for the new pods.
    Quota,
    /// A PodDisruptionBudget that a rollout does not ask.
    Budget,
}

impl HurdleKind {
    pub const ALL: [HurdleKind; 5] = [
        HurdleKind::Paused,
        HurdleKind::OnDelete,
        HurdleKind::Partition,
        HurdleKind::Quota,
        HurdleKind::Budget,
    ];

    /// Its name in JSON.
    pub fn word(self) -> &'static str {
        match self {
            HurdleKind::Paused => "paused",
            HurdleKind::OnDelete => "onDelete",
            HurdleKind::Partition => "partition",
            HurdleKind::Quota => "quota",
            HurdleKind::Budget => "disruptionBudget",
        }
    }
}

impl Hurdle {
    /// Both in one line.
    pub fn words(&self) -> String {
        format!("{}; {}", self.what, self.todo)
    }
}

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
pub fn hurdles(live: &Value, around: &Around<'_>) -> Vec<Hurdle> {
    let mut found: Vec<Hurdle> = held(live).into_iter().collect();
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

fn place(live: &Value) -> (&str, &str, &str) {
    let meta = &live["metadata"];
    (
        live["kind"].as_str().unwrap_or_default(),
        meta["namespace"].as_str().unwrap_or_default(),
        meta["name"].as_str().unwrap_or_default(),
    )
}

/// A workload that does not bring its new template to all its pods.
fn held(live: &Value) -> Option<Hurdle> {
    let (kind, namespace, name) = place(live);
    let spec = &live["spec"];
    let strategy = &spec["updateStrategy"];
    match kind {
        "Deployment" if spec["paused"] == true => Some(Hurdle {
            kind: HurdleKind::Paused,
            what: "the Deployment is paused: the change is written, but its pods keep the old template until it is resumed".into(),
            todo: format!("kubectl -n {namespace} rollout resume deployment/{name}"),
        }),
        "StatefulSet" | "DaemonSet" if strategy["type"] == "OnDelete" => Some(Hurdle {
            kind: HurdleKind::OnDelete,
            what: format!("the {kind} has update strategy OnDelete: the change is written, but each pod keeps the old template until it is deleted"),
            todo: format!("delete them one by one when it suits: kubectl -n {namespace} delete pod -l {}", selector(live)),
        }),
        "StatefulSet" => {
            let partition = strategy["rollingUpdate"]["partition"].as_u64()?;
            let replicas = spec["replicas"].as_u64().unwrap_or(1);
            let stay = partition.min(replicas);
            let which = match stay {
                0 => return None,
                1 => format!("pod {name}-0 keeps"),
                n => format!("pods {name}-0 to {name}-{} keep", n - 1),
            };
            Some(Hurdle {
                kind: HurdleKind::Partition,
                what: format!("the StatefulSet has partition {partition}: {which} the old template until it is lowered"),
                todo: format!(
                    "kubectl -n {namespace} patch statefulset {name} -p '{{\"spec\":{{\"updateStrategy\":{{\"rollingUpdate\":{{\"partition\":0}}}}}}}}'"
                ),
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
fn budget(live: &Value, pace: Pace, budgets: &[Value]) -> Option<Hurdle> {
    let (kind, namespace, name) = place(live);
    let labels = &live["spec"]["template"]["metadata"]["labels"];
    let budget = budgets.iter().find(|budget| {
        let status = &budget["status"];
        status["disruptionsAllowed"] == 0
            && status["expectedPods"].as_u64().unwrap_or(0) > 0
            && selects(&budget["spec"]["selector"], labels)
    })?;
    let own = budget["metadata"]["name"].as_str().unwrap_or_default();
    let away = match (pace.away, pace.pods) {
        (away, pods) if away == pods && pods > 1 => format!("all {pods} of its pods go at once"),
        (_, 1) => "its only pod goes before the new one is there".to_owned(),
        (1, pods) => format!("1 of its {pods} pods is away at a time"),
        (away, pods) => format!("up to {away} of its {pods} pods are away at a time"),
    };
    let todo = match kind {
        "Deployment" => format!(
            "to keep all of them: kubectl -n {namespace} patch deployment {name} -p '{{\"spec\":{{\"strategy\":{{\"type\":\"RollingUpdate\",\"rollingUpdate\":{{\"maxSurge\":1,\"maxUnavailable\":0}}}}}}}}'"
        ),
        _ => format!("leave it out now if the {kind} must stay whole"),
    };
    Some(Hurdle {
        kind: HurdleKind::Budget,
        what: format!(
            "PodDisruptionBudget {own} allows no disruption now, but a rollout does not ask it (only evictions do): {away}"
        ),
        todo,
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
