//! Whether the new pods fit into the quotas of their namespace.

use super::{Around, Pace, subject};
use crate::problems::Problem;
use serde_json::Value;

/// The resources that a pod is counted by, as quotas name them.
const COUNTED: [&str; 8] = [
    "pods",
    "count/pods",
    "cpu",
    "memory",
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
];

/// The first quota that leaves too little room, and what comes of it.
///
/// Quotas with scopes count some pods only, and which is not for us to judge: nothing is said of them.
pub(super) fn short(live: &Value, pace: Pace, around: &Around<'_>) -> Option<Problem> {
    for quota in around.quotas {
        let scoped = quota["spec"]["scopes"]
            .as_array()
            .is_some_and(|scopes| !scopes.is_empty())
            || !quota["spec"]["scopeSelector"].is_null();
        if scoped {
            continue;
        }
        let own = quota["metadata"]["name"].as_str().unwrap_or_default();
        for resource in COUNTED {
            let figure = |of: &str| quota["status"][of][resource].as_str();
            let (Some(hard), Some(used)) = (figure("hard"), figure("used")) else {
                continue;
            };
            let (Some(limit), Some(taken)) = (amount(hard), amount(used)) else {
                continue;
            };
            let Some(needs) = needs(resource, own, pace, around) else {
                continue;
            };
            let room = (limit - taken).max(0);
            if needs <= room {
                continue;
            }
            return Some(Problem::QuotaTooSmall {
                of: subject(live),
                quota: own.to_owned(),
                resource: resource.to_owned(),
                used: used.to_owned(),
                hard: hard.to_owned(),
                needs: shown(resource, needs),
                old_stay: pace.away == 0,
            });
        }
    }
    None
}

/// How much more than now the rollout takes at its height, in thousandths; `None`: not known.
fn needs(resource: &str, quota: &str, pace: Pace, around: &Around<'_>) -> Option<i128> {
    let of = |pod: Option<&Value>| pod.and_then(|pod| per_pod(pod, resource));
    let refused = around
        .refused
        .and_then(|words| requested(words, quota, resource));
    let new = of(around.new).or(refused)?;
    let pods = i128::from(pace.pods);
    let old = match of(around.old) {
        Some(old) => old,
        // One new pod beside all the old ones is certain.
        None if pace.away == 0 => return Some(new),
        None => return None,
    };
    let grows = (new - old).max(0);
    Some(match pace.away {
        0 => new + (pods - 1) * grows,
        _ => pods * grows,
    })
}

/// What a pod counts for in a quota, in thousandths; `None`: it says nothing of it.
///
/// The sum of its containers and restartable init containers, or the greatest other init container beside
/// the restartable ones before it, where that is more; with its overhead.
fn per_pod(pod: &Value, resource: &str) -> Option<i128> {
    let spec = &pod["spec"];
    let (what, name) = match resource {
        "pods" | "count/pods" => return Some(1000),
        "cpu" | "memory" => ("requests", resource),
        other => other.split_once('.')?,
    };
    let of = |resources: &Value| {
        let given = resources[what][name].as_str();
        // The server fills in a request from its limit.
        let given = given.or_else(|| resources["limits"][name].as_str());
        given.and_then(amount)
    };
    let overhead = spec["overhead"][name].as_str().and_then(amount);
    let overhead = overhead.unwrap_or(0);
    if let Some(whole) = of(&spec["resources"]) {
        return Some(whole + overhead);
    }
    let list = |of: &str| spec[of].as_array().cloned().unwrap_or_default();
    let (mut beside, mut most) = (0, 0);
    for init in list("initContainers") {
        let own = of(&init["resources"]).unwrap_or(0);
        if init["restartPolicy"] == "Always" {
            beside += own;
            most = most.max(beside);
        } else {
            most = most.max(beside + own);
        }
    }
    let running: i128 = list("containers")
        .iter()
        .map(|container| of(&container["resources"]).unwrap_or(0))
        .sum();
    Some((running + beside).max(most) + overhead)
}

/// Of a refusal `exceeded quota: NAME, requested: R=V,…, used: …, limited: …`.
fn requested(words: &str, quota: &str, resource: &str) -> Option<i128> {
    let rest = words.split_once(&format!("exceeded quota: {quota}, requested: "))?;
    let list = rest.1.split(", used:").next()?;
    let value = list
        .split(',')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == resource)?;
    amount(value.1)
}

/// A Kubernetes quantity in thousandths, rounded up; `None`: it is none.
pub(super) fn amount(text: &str) -> Option<i128> {
    const SUFFIXES: [(&str, f64); 15] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let (number, factor) = SUFFIXES
        .iter()
        .find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)))
        .unwrap_or((text, 1.0));
    let number: f64 = number.parse().ok().filter(|n: &f64| n.is_finite())?;
    // What floating point adds to a thousandth is no part of it.
    Some((number * factor * 1000.0 - 1e-6).ceil() as i128)
}

/// An amount of thousandths as people write it.
fn shown(resource: &str, thousandths: i128) -> String {
    if resource.ends_with("memory") {
        let mebibyte = 1_048_576_000;
        return format!("{}Mi", (thousandths + mebibyte - 1) / mebibyte);
    }
    match thousandths % 1000 {
        0 => (thousandths / 1000).to_string(),
        _ => format!("{thousandths}m"),
    }
}
