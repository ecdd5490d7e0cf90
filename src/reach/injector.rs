//! What Istio's injector makes of a pod once its webhook is called: a sidecar, nothing, or a refusal.

use super::labels::{read_as, selects, truth};
use super::ranges::Range;
use crate::mesh::objects::{Labels, Selector};
use serde::{Deserialize, Deserializer};

/// The part of the ConfigMap `istio-sidecar-injector[-REV]` (key `config`) that decides.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Policy {
    pub policy: String,
    #[serde(deserialize_with = "or_none")]
    pub never_inject_selector: Vec<Selector>,
    #[serde(deserialize_with = "or_none")]
    pub always_inject_selector: Vec<Selector>,
}

/// A key without a value is an empty list.
fn or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Selector>, D::Error> {
    Option::<Vec<Selector>>::deserialize(from).map(Option::unwrap_or_default)
}

impl Policy {
    /// `None`: it is no such configuration.
    pub fn read(text: &str) -> Option<Policy> {
        serde_yaml::from_str(text).ok()
    }
}

/// Why a pod that reached the webhook gets no sidecar.
#[derive(Clone, Debug, PartialEq)]
pub enum LeftAlone<'a> {
    /// `sidecar.istio.io/inject: "false"`, as a label or, without the label, as an annotation.
    Said,
    /// One of the injector's `neverInjectSelector`.
    Never(&'a Selector),
    /// `policy: disabled`: only pods that ask by their label get one.
    Disabled,
    /// A policy that Istio does not know injects nothing, whatever a pod says.
    Illegal(&'a str),
}

pub const INJECT: &str = "sidecar.istio.io/inject";

/// Whether the injector adds a sidecar, and else why not; host network and system namespaces come before.
///
/// Source: istio `pkg/kube/inject/inject.go` (`injectRequired`): the label before the annotation; a value other
/// than true and false counts as none; then never, then always (an empty selector matches nothing), then the policy.
pub fn injects<'a>(
    policy: &'a Policy,
    labels: &Labels,
    annotations: &Labels,
) -> Result<(), LeftAlone<'a>> {
    let enabled = match policy.policy.as_str() {
        "enabled" => true,
        "disabled" => false,
        other => return Err(LeftAlone::Illegal(other)),
    };
    let said = labels.get(INJECT).or(annotations.get(INJECT));
    match said.map(String::as_str) {
        Some("true") => return Ok(()),
        Some("false") => return Err(LeftAlone::Said),
        _ => {}
    }
    let matching = |selector: &&Selector| {
        let empty = selector.match_labels.is_empty() && selector.match_expressions.is_empty();
        !empty && selects(selector, labels, "")
    };
    if let Some(selector) = policy.never_inject_selector.iter().find(matching) {
        return Err(LeftAlone::Never(selector));
    }
    match enabled || policy.always_inject_selector.iter().any(|s| matching(&s)) {
        true => Ok(()),
        false => Err(LeftAlone::Disabled),
    }
}

/// What of a control plane decides which pods its injector refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// Major and minor; `None`: not known.
    pub version: Option<(u32, u32)>,
    /// `enablePrometheusMerge`
    pub merge: bool,
    /// `defaultConfig.statusPort`
    pub status_port: u16,
}

/// Major and minor of a version as image tags write it: `1.31.0`, `v1.30.2-distroless`, `1.31-alpha.1f3a`.
pub fn version(tag: &str) -> Option<(u32, u32)> {
    let mut parts = tag.strip_prefix('v').unwrap_or(tag).split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?;
    let end = minor.find(|c: char| !c.is_ascii_digit());
    Some((major, minor[..end.unwrap_or(minor.len())].parse().ok()?))
}

/// An annotation for which the injector refuses the pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub annotation: String,
    pub value: String,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It names no port number.
    NoPort,
    /// The agent's own port: the agent would ask itself.
    AgentPort(u16),
    /// A port of Istio's data plane.
    Reserved(u16, &'static str),
    /// A value that the annotation cannot have, in any version.
    NoValue,
}

/// Whether the injector takes the next pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takes {
    Yes,
    No(Refusal),
    /// From 1.31 on it would refuse; which version it is, is not known.
    Unknown(Refusal),
}

/// The version since which ports are looked at: absent in 1.30.0, there in 1.31.
const LOOKS_SINCE: (u32, u32) = (1, 31);

/// Ports that no app's metrics may be asked at.
///
/// Source: istio `pilot/cmd/pilot-agent/status/server.go` (`istioReservedPorts`).
const RESERVED: [(u16, &str); 9] = [
    (15000, "Envoy's admin"),
    (15001, "outbound capture"),
    (15004, "istiod's debugging"),
    (15006, "inbound capture"),
    (15008, "HBONE"),
    (15020, "the agent's merged metrics"),
    (15021, "Envoy's health"),
    (15053, "the DNS proxy"),
    (15090, "Envoy's metrics, which are merged already"),
];

pub const MERGE: &str = "prometheus.istio.io/merge-metrics";

/// Whether a pod with these annotations gets through the injector.
///
/// Source: istio `pkg/kube/inject/validate.go` (`AnnotationValidation`) and `webhook.go` (`applyPrometheusMerge`):
/// where merging is on and scrape is not false, ports are looked at, those of `scrape-targets` in place of
/// `prometheus.io/port`; a port that is the agent's already is taken for a pod that was injected before.
pub fn takes(annotations: &Labels, plane: &Plane) -> Takes {
    if let Some(refusal) = bad_value(annotations) {
        return Takes::No(refusal);
    }
    let scrape = read_as(annotations, "prometheus.io/scrape").find_map(|(_, value)| truth(value));
    if scrape == Some(false) || !merges(annotations, plane.merge) {
        return Takes::Yes;
    }
    let agent = plane.status_port.to_string();
    let ports = || read_as(annotations, "prometheus.io/port");
    if ports().next().is_some() && ports().all(|(_, value)| value == agent) {
        return Takes::Yes;
    }
    let targets: Vec<(&str, String)> = read_as(annotations, "prometheus.istio.io/scrape-targets")
        .filter_map(|(key, value)| Some((key, scrape_targets(value)?)))
        .flat_map(|(key, all)| all.into_iter().map(move |(port, _)| (key, port)))
        .collect();
    let asked: Vec<(&str, String)> = match targets.is_empty() {
        true => ports()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key, value.to_owned()))
            .collect(),
        false => targets,
    };
    let refusal = asked.into_iter().find_map(|(annotation, value)| {
        let why = bad_port(&value, plane.status_port)?;
        Some(Refusal {
            annotation: annotation.to_owned(),
            value,
            why,
        })
    });
    match (refusal, plane.version) {
        (None, _) => Takes::Yes,
        (Some(refusal), None) => Takes::Unknown(refusal),
        (Some(_), Some(version)) if version < LOOKS_SINCE => Takes::Yes,
        (Some(refusal), Some(_)) => Takes::No(refusal),
    }
}

/// The port of the agent's own server in a pod; 0: it serves nothing. `mesh`: `defaultConfig.statusPort`.
///
/// Source: `pilot/cmd/pilot-agent/config/config.go` (the annotation of the status port, then `proxy.istio.io/config`,
/// then the mesh's default).
pub fn status_port(annotations: &Labels, mesh: u16) -> u16 {
    let own = annotations.get("status.sidecar.istio.io/port");
    let configured = || {
        let text = annotations.get("proxy.istio.io/config")?;
        let config: serde_json::Value = serde_yaml::from_str(text).ok()?;
        config["statusPort"].as_u64()?.try_into().ok()
    };
    own.and_then(|text| text.trim().parse().ok())
        .or_else(configured)
        .unwrap_or(mesh)
}

/// Whether the app's metrics are merged for a pod: its annotation, else the mesh's setting.
pub fn merges(annotations: &Labels, mesh: bool) -> bool {
    let own = annotations.get(MERGE).and_then(|value| truth(value));
    own.unwrap_or(mesh)
}

fn bad_port(value: &str, agent: u16) -> Option<Why> {
    // As Go's Atoi: a sign and zeros before are no fault.
    let Some(port) = value
        .parse::<i64>()
        .ok()
        .and_then(|n| u16::try_from(n).ok())
    else {
        return Some(Why::NoPort);
    };
    if port == 0 {
        return Some(Why::NoPort);
    }
    if port == agent {
        return Some(Why::AgentPort(port));
    }
    let reserved = RESERVED.iter().find(|(number, _)| *number == port);
    reserved.map(|(number, what)| Why::Reserved(*number, what))
}

/// `PORT:PATH,PORT` as ports and paths; `None`: Istio cannot read it and goes by `prometheus.io/port`.
///
/// Source: istio `pilot/cmd/pilot-agent/status/server.go` (`ParseScrapeTargets`).
pub fn scrape_targets(text: &str) -> Option<Vec<(String, String)>> {
    let entries = text.split(',').map(str::trim).filter(|e| !e.is_empty());
    entries
        .map(|entry| {
            let (port, path) = entry.split_once(':').unwrap_or((entry, ""));
            let (port, path) = (port.trim(), path.trim());
            let path = if path.is_empty() { "/metrics" } else { path };
            (!port.is_empty()).then(|| (port.to_owned(), path.to_owned()))
        })
        .collect()
}

/// Whether a value is one that its annotation can have.
type Good<'a> = &'a dyn Fn(&str) -> bool;

/// Annotations whose values Istio checks, in every version. Quantities, interfaces and `proxy.istio.io/config`
/// are left to the injector itself.
fn bad_value(annotations: &Labels) -> Option<Refusal> {
    let port = |text: &str| text.trim().parse::<u16>().is_ok();
    let ports = |text: &str| text.trim().is_empty() || text.split(',').all(port);
    let number = |text: &str| text.parse::<u32>().is_ok();
    let ranges = |text: &str| text.is_empty() || text.split(',').all(range);
    let checks: [(&str, Good); 11] = [
        (MERGE, &|text| truth(text).is_some()),
        ("sidecar.istio.io/interceptionMode", &|text| {
            matches!(text, "REDIRECT" | "TPROXY" | "NONE")
        }),
        ("status.sidecar.istio.io/port", &port),
        (
            "readiness.status.sidecar.istio.io/initialDelaySeconds",
            &number,
        ),
        ("readiness.status.sidecar.istio.io/periodSeconds", &number),
        (
            "readiness.status.sidecar.istio.io/failureThreshold",
            &number,
        ),
        (
            "traffic.sidecar.istio.io/includeOutboundIPRanges",
            &|text| text == "*" || ranges(text),
        ),
        ("traffic.sidecar.istio.io/excludeOutboundIPRanges", &ranges),
        ("traffic.sidecar.istio.io/includeInboundPorts", &|text| {
            text == "*" || ports(text)
        }),
        ("traffic.sidecar.istio.io/excludeInboundPorts", &ports),
        ("traffic.sidecar.istio.io/excludeOutboundPorts", &ports),
    ];
    checks.iter().find_map(|(annotation, good)| {
        let value = annotations.get(*annotation)?;
        (!good(value)).then(|| Refusal {
            annotation: (*annotation).to_owned(),
            value: value.clone(),
            why: Why::NoValue,
        })
    })
}

/// An address and its length, as Go's `netip.ParsePrefix` has it.
fn range(text: &str) -> bool {
    text.contains('/') && Range::parse(text).is_some()
}

#[cfg(test)]
mod tests;
