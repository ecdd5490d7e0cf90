//! Why a target is DOWN, by the objects on the path to it rather than by the looks of its error.

use super::{Expected, Ground};
use crate::mesh::objects::Labels;
use crate::problems::Problem;
use crate::reach::authorization::{Refused, Why as Undecided};
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
        account: &ground.account,
        looks: ground.looks.as_ref(),
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
pub fn cause(links: &[(Link, Step)], error: &str, one: &Expected) -> Option<Problem> {
    links.iter().find_map(|(_, step)| match step {
        Step::Holds(_) => None,
        Step::Broken(fault) => broken(fault, error, one),
        Step::Unknown(why) => undecided(why, error, one),
    })
}

fn port(one: &Expected) -> String {
    one.secure_port.clone().unwrap_or_else(|| "15091".into())
}

fn broken(fault: &Fault, error: &str, one: &Expected) -> Option<Problem> {
    let (of, port) = (one.subject(), port(one));
    match fault {
        Fault::Network(stopped) if shows(error, TIMEOUT) => Some(Problem::NetworkPolicyStops {
            of,
            policies: stopped.policies.clone(),
            egress: stopped.direction == Direction::Egress,
            port,
        }),
        Fault::Filter(touch) if shows(error, RESET) || shows(error, TIMEOUT) => {
            Some(Problem::ProxyProtocolExpected {
                of,
                filter: Some(touch.filter.clone()),
                port,
            })
        }
        Fault::ProxyProtocol if shows(error, RESET) || shows(error, TIMEOUT) => {
            Some(Problem::ProxyProtocolExpected {
                of,
                filter: None,
                port,
            })
        }
        Fault::Refused(by) if shows(error, FORBIDDEN) => Some(refused(one, port, by)),
        _ => None,
    }
}

/// Policies that surely refuse Prometheus.
pub(super) fn refused(one: &Expected, port: String, by: &Refused) -> Problem {
    let (policy, rule, provider) = match by {
        Refused::Denied(rule) => (Some(&rule.policy), Some(rule.rule + 1), None),
        Refused::NotAllowed(all) => (all.first(), None, None),
        Refused::NoProvider { rule, provider } => (
            Some(&rule.policy),
            Some(rule.rule + 1),
            Some(provider.clone()),
        ),
    };
    let of = one.subject();
    match policy {
        Some(policy) => Problem::PolicyRefuses {
            of,
            policy: policy.clone(),
            rule,
            provider,
            port,
        },
        None => Problem::PrometheusForbidden { of },
    }
}

fn undecided(why: &Why, error: &str, one: &Expected) -> Option<Problem> {
    let (of, port) = (one.subject(), port(one));
    match why {
        Why::Filters(touches) if shows(error, LIMITED) => {
            let touch = touches.iter().find(|touch| touch.limits())?;
            Some(Problem::RateLimited {
                of,
                filter: Some(touch.filter.clone()),
            })
        }
        Why::Filters(touches) if shows(error, LOGIN) => {
            let touch = touches.iter().find(|touch| !touch.limits())?;
            Some(Problem::FilterMayRefuse {
                of,
                filter: touch.filter.clone(),
                port,
            })
        }
        Why::Authorization(Undecided::Asks { rule, provider }) if shows(error, LOGIN) => {
            Some(Problem::PolicyAsksProvider {
                of,
                policy: rule.policy.clone(),
                provider: provider.clone(),
                port,
            })
        }
        Why::Authorization(Undecided::Rests { rule, .. }) if shows(error, FORBIDDEN) => {
            Some(Problem::PolicyMayRefuse {
                of,
                policy: rule.policy.clone(),
                rule: rule.rule + 1,
                port,
            })
        }
        _ => None,
    }
}
