//! Why a target is DOWN, by the objects on the path to it rather than by the looks of its error.

use super::{Cause, Expected, Ground};
use crate::mesh::kinds::ObjectRef;
use crate::mesh::objects::Labels;
use crate::reach::authorization::{Refused, Why as Undecided};
use crate::reach::filters::Touch;
use crate::reach::network::Direction;
use crate::reach::path::{Fault, Link, Rules, Scraper, Step, Target, Why, path};

const METRICS_PATH: &str = "/stats/prometheus";

/// The links between one Prometheus and a pod.
pub fn links(one: &Expected, rules: &Rules, ground: &Ground) -> Vec<(Link, Step)> {
    let Some(port) = one
        .secure_port
        .as_deref()
        .and_then(|port| port.parse().ok())
    else {
        return Vec::new();
    };
    let address = |text: &String| text.parse().ok();
    // Of several replicas it is not known which asks.
    let from = match ground.addresses.as_slice() {
        [only] => address(only),
        _ => None,
    };
    let none = Labels::new();
    let from = Scraper {
        namespace: &ground.namespace,
        labels: &ground.labels,
        principal: ground.principal.as_deref(),
        address: from,
        host_network: ground.host_network,
    };
    let to = Target {
        namespace: &one.item.namespace,
        labels: &one.labels,
        annotations: &none,
        ports: &[],
        address: one.ip.as_ref().and_then(address),
        host_network: false,
        gateway: one.gateway,
        port,
        path: METRICS_PATH,
    };
    path(rules, &from, &to)
}

/// What an error can come of: each link has its own way to fail a scrape.
fn shows(error: &str, words: &[&str]) -> bool {
    let error = error.to_lowercase();
    words.iter().any(|word| error.contains(word))
}

const TIMEOUT: &[&str] = &[
    "context deadline exceeded",
    "i/o timeout",
    "client.timeout exceeded",
];
const RESET: &[&str] = &["connection reset by peer", "eof", "connection refused"];
const FORBIDDEN: &[&str] = &["http status 403"];
const LIMITED: &[&str] = &["http status 429"];
const LOGIN: &[&str] = &["http status 401", "http status 403", "content-type"];

/// The first link that is broken, or may be, in a way that such an error comes of.
pub fn cause(links: &[(Link, Step)], error: &str, one: &Expected) -> Option<Cause> {
    links.iter().find_map(|(_, step)| match step {
        Step::Holds(_) => None,
        Step::Broken(fault) => broken(fault, error, one),
        Step::Unknown(why) => undecided(why, error, one),
    })
}

fn broken(fault: &Fault, error: &str, one: &Expected) -> Option<Cause> {
    let port = one.secure_port.as_deref().unwrap_or("15091");
    match fault {
        Fault::Network(stopped) if shows(error, TIMEOUT) => {
            let object = stopped.policies.first().cloned();
            let (way, from) = match stopped.direction {
                Direction::Ingress => ("into", "Prometheus's pods"),
                Direction::Egress => ("out to", "these pods"),
            };
            Some(Cause {
                code: "network-policy",
                cause: format!("{} let nothing {way} port {port} here", named(&stopped.policies)),
                fix: format!("allow {from} on port {port} in one of them"),
                object,
                field: Some("spec"),
            })
        }
        Fault::Filter(touch) if shows(error, RESET) || shows(error, TIMEOUT) => Some(Cause {
            code: "proxy-protocol",
            cause: format!(
                "{} makes port {port} wait for a PROXY protocol header, which Prometheus does not send",
                touch.filter
            ),
            fix: format!("leave port {port} out of its match"),
            object: Some(touch.filter.clone()),
            field: Some("spec.configPatches"),
        }),
        Fault::ProxyProtocol if shows(error, RESET) || shows(error, TIMEOUT) => Some(Cause {
            code: "proxy-protocol",
            cause: format!(
                "gatewayTopology.proxyProtocol makes port {port} wait for a PROXY protocol header, which Prometheus \
                 does not send"
            ),
            fix: "take proxyProtocol out of the mesh's defaultConfig or the pod's proxy.istio.io/config".into(),
            ..Cause::default()
        }),
        Fault::Refused(refused) if shows(error, FORBIDDEN) => {
            let (object, how) = match refused {
                Refused::Denied(rule) => (
                    Some(rule.policy.clone()),
                    format!("{} denies it (rule {})", rule.policy, rule.rule + 1),
                ),
                Refused::NotAllowed(all) => (
                    all.first().cloned(),
                    format!("{} allow only what they list", named(all)),
                ),
                Refused::NoProvider { rule, provider } => (
                    Some(rule.policy.clone()),
                    format!("{} asks the provider {provider:?}, which is not defined", rule.policy),
                ),
            };
            Some(Cause {
                code: "policy-refuses",
                cause: format!("Prometheus is refused on port {port}: {how}"),
                fix: format!("make an exception there for Prometheus's identity on port {port}"),
                object,
                field: Some("spec.rules"),
            })
        }
        _ => None,
    }
}

fn undecided(why: &Why, error: &str, one: &Expected) -> Option<Cause> {
    let port = one.secure_port.as_deref().unwrap_or("15091");
    match why {
        Why::Filters(touches) if shows(error, LIMITED) => {
            let touch: &Touch = touches.iter().find(|touch| touch.limits())?;
            Some(Cause {
                code: "rate-limit",
                cause: format!("{} limits the rate on port {port} too", touch.filter),
                fix:
                    "keep it to the app's ports by match.listener.portNumber, or scrape less often"
                        .into(),
                object: Some(touch.filter.clone()),
                field: Some("spec.configPatches"),
            })
        }
        Why::Filters(touches) if shows(error, LOGIN) => {
            let touch = touches.iter().find(|touch| !touch.limits())?;
            Some(Cause {
                code: "envoy-filter",
                cause: format!(
                    "{} puts a filter on port {port} too, which may refuse it",
                    touch.filter
                ),
                fix: "keep it to the app's ports by match.listener.portNumber".into(),
                object: Some(touch.filter.clone()),
                field: Some("spec.configPatches"),
            })
        }
        Why::Authorization(Undecided::Asks { rule, provider }) if shows(error, LOGIN) => {
            Some(Cause {
                code: "policy-asks",
                cause: format!(
                    "{} asks the provider {provider:?} about port {port}",
                    rule.policy
                ),
                fix: format!("leave port {port} out of that policy"),
                object: Some(rule.policy.clone()),
                field: Some("spec.rules"),
            })
        }
        Why::Authorization(Undecided::Rests { rule, .. }) if shows(error, FORBIDDEN) => {
            Some(Cause {
                code: "policy-refuses",
                cause: format!(
                    "{} (rule {}) may refuse Prometheus on port {port}",
                    rule.policy,
                    rule.rule + 1
                ),
                fix: format!("make an exception there for Prometheus's identity on port {port}"),
                object: Some(rule.policy.clone()),
                field: Some("spec.rules"),
            })
        }
        _ => None,
    }
}

fn named(all: &[ObjectRef]) -> String {
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    crate::text::few(&names, 3)
}
