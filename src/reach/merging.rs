//! What of an app's plaintext scrape is lost when its pods get a sidecar and the agent asks the app instead.

use super::injector::scrape_targets;
use super::labels::read_as;
use crate::mesh::objects::{Labels, PodSpec};
use serde::Serialize;
use std::collections::BTreeSet;

/// What the agent does not ask for, though the jobs that follow `prometheus.io/scrape` ask for it today.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// Ports that are scraped today and that the agent does not ask.
    pub ports: Vec<u16>,
    /// Where the agent asks; empty: nowhere.
    pub asked: Vec<u16>,
    /// `prometheus.io/scheme: https`, and the agent asks over http.
    pub https: bool,
    /// Parameters (`prometheus.io/param_…`) that the agent does not send.
    pub parameters: Vec<String>,
}

/// `today`: annotations of the pods that run without a sidecar. `next`: those of the template that is injected.
/// `None`: the agent asks for all that is asked for today, or nothing is.
///
/// Source: istio `pilot/cmd/pilot-agent/status/server.go` (`NewServer`: port 80 and `/metrics` where none are
/// named, `appMetricsURL`: http) and `pkg/kube/inject/webhook.go` (`getPrometheusScrapeConfiguration`); Istio's
/// sample job: a number in `prometheus.io/port` makes one target, else every declared port is one, and a pod without
/// any is asked at the scheme's own port (prometheus `discovery/kubernetes/pod.go`, `scrape/target.go`).
pub fn lost(today: &Labels, next: &Labels, spec: &PodSpec) -> Option<Lost> {
    let says = |name: &str| {
        let mut all = read_as(today, name);
        all.any(|(_, value)| value == "true")
    };
    if !says("prometheus.io/scrape") && !says("prometheus.io/scrape_slow") {
        return None;
    }
    let https = read_as(today, "prometheus.io/scheme").any(|(_, value)| value == "https");
    let scraped = ports_today(today, spec, https);
    let asked = ports_of_agent(next);
    let ports: Vec<u16> = scraped.difference(&asked).copied().collect();
    let prefix = "prometheus.io/param_";
    let parameters: Vec<String> = today
        .keys()
        .filter_map(|key| key.strip_prefix(prefix))
        .map(str::to_owned)
        .collect();
    let lost = Lost {
        ports,
        asked: asked.into_iter().collect(),
        https,
        parameters,
    };
    let nothing = lost.ports.is_empty() && !lost.https && lost.parameters.is_empty();
    (!nothing).then_some(lost)
}

fn ports_today(annotations: &Labels, spec: &PodSpec, https: bool) -> BTreeSet<u16> {
    let digits = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let named = read_as(annotations, "prometheus.io/port")
        .map(|(_, value)| value)
        .find(digits)
        .and_then(|text| text.parse().ok());
    if let Some(port) = named {
        return BTreeSet::from([port]);
    }
    let containers = spec.containers.iter().chain(&spec.init_containers);
    let declared: BTreeSet<u16> = containers
        .flat_map(|container| &container.ports)
        .filter(|port| port.protocol.as_deref().is_none_or(|of| of == "TCP"))
        .map(|port| port.container_port)
        .collect();
    match declared.is_empty() {
        true => BTreeSet::from([if https { 443 } else { 80 }]),
        false => declared,
    }
}

/// Where the agent of an injected pod asks for the app's metrics.
pub fn ports_of_agent(annotations: &Labels) -> BTreeSet<u16> {
    let get = |name: &str| read_as(annotations, name).next().map(|(_, value)| value);
    let (scrape, path, port) = (
        get("prometheus.io/scrape").unwrap_or_default(),
        get("prometheus.io/path").unwrap_or_default(),
        get("prometheus.io/port").unwrap_or_default(),
    );
    let targets = get("prometheus.istio.io/scrape-targets")
        .and_then(scrape_targets)
        .unwrap_or_default();
    if scrape == "false" {
        return BTreeSet::new();
    }
    if !targets.is_empty() {
        let ports = targets.iter().filter_map(|(port, _)| port.parse().ok());
        return ports.collect();
    }
    match (scrape, path, port) {
        ("", "", "") => BTreeSet::new(),
        (_, _, "") => BTreeSet::from([80]),
        (_, _, port) => port.parse().ok().into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::objects::{Container, ContainerPort};

    fn pairs(text: &str) -> Labels {
        let own = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap();
            (format!("prometheus.{key}"), value.to_owned())
        };
        text.split_whitespace().map(own).collect()
    }

    fn with_ports(ports: &[(u16, &str)]) -> PodSpec {
        let port = |(number, protocol): &(u16, &str)| ContainerPort {
            container_port: *number,
            protocol: (!protocol.is_empty()).then(|| (*protocol).to_owned()),
            ..ContainerPort::default()
        };
        PodSpec {
            containers: vec![Container {
                ports: ports.iter().map(port).collect(),
                ..Container::default()
            }],
            ..PodSpec::default()
        }
    }

    #[test]
    fn what_the_agent_does_not_ask_for() {
        let two: &[(u16, &str)] = &[(8080, ""), (9102, "TCP"), (53, "UDP")];
        let nothing = None;
        // Ports that are lost, and where the agent asks.
        let at = |ports: &[u16], asked: &[u16]| {
            Some(Lost {
                ports: ports.to_vec(),
                asked: asked.to_vec(),
                ..Lost::default()
            })
        };
        for (annotations, ports, expected) in [
            // Not scraped at all.
            ("io/port=8080", two, nothing.clone()),
            ("io/scrape=false", two, nothing.clone()),
            // One port by its number: the agent asks there too.
            ("io/scrape=true io/port=8080", two, nothing.clone()),
            ("io.scrape=true io.port=9102", two, nothing.clone()),
            ("io/scrape=true", two, at(&[8080, 9102], &[80])),
            ("io/scrape_slow=true", two, at(&[8080, 9102], &[])),
            ("io/scrape=true", &[(80, "")], nothing.clone()),
            (
                "io/scrape=true",
                &[(80, ""), (9102, "")],
                at(&[9102], &[80]),
            ),
            ("io/scrape=true", &[], nothing.clone()),
            (
                "io/scrape=true io/port=metrics",
                &[(9102, "")],
                at(&[9102], &[]),
            ),
            (
                "istio.io/scrape-targets=8080:/a,9102 io/scrape=true",
                two,
                nothing.clone(),
            ),
            (
                "istio.io/scrape-targets=8080:/a io/scrape=true",
                two,
                at(&[9102], &[8080]),
            ),
            (
                "io/scrape=true io/port=8443 io/scheme=https",
                two,
                Some(Lost {
                    https: true,
                    asked: vec![8443],
                    ..Lost::default()
                }),
            ),
            (
                "io/scrape=true io/port=8443 io/scheme=http",
                two,
                nothing.clone(),
            ),
            (
                "io/scrape=true io/scheme=https",
                &[],
                at(&[443], &[80]).map(|lost| Lost {
                    https: true,
                    ..lost
                }),
            ),
            (
                "io/scrape=true io/port=80 io/param_format=json",
                two,
                Some(Lost {
                    parameters: vec!["format".into()],
                    asked: vec![80],
                    ..Lost::default()
                }),
            ),
        ] {
            let annotations = pairs(annotations);
            let found = lost(&annotations, &annotations, &with_ports(ports));
            assert_eq!(found, expected, "{annotations:?} {ports:?}");
        }
    }

    #[test]
    fn what_only_running_pods_say_is_lost_with_them() {
        let (today, next) = (pairs("io/scrape=true io/port=8080"), Labels::new());
        let lost = lost(&today, &next, &with_ports(&[])).unwrap();
        assert_eq!((lost.ports, lost.asked), (vec![8080], vec![]));
    }
}
