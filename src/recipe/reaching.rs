//! The path by which the chosen Prometheus will reach each item's secure port, as the cluster stands: what surely breaks
//! it keeps the plan from being made, what may break it is said at its change.
//!
//! Our own objects are not among the rules that are asked: what they say is what the recipe writes.

use super::{METRICS_PATH, SECURE_PORT, authorization, merged, select::Item};
use crate::error::Error;
use crate::mesh::kinds::ObjectRef;
use crate::mesh::{Mesh, Prometheus};
use crate::problems::{FilterDoes, Problem, RestsOn, Subject};
use crate::reach::authorization::Why as Undecided;
use crate::reach::authorization::{Open, Refused};
use crate::reach::filters::{Effect, Touch};
use crate::reach::network::{self, Direction, Stopped};
use crate::reach::path::{Fault, Link, Scraper, Step, Target, Why, path};

/// The links of one item's path.
pub fn reaching(mesh: &Mesh, of: &Prometheus, item: &Item<'_>) -> Vec<(Link, Step)> {
    let principal = authorization::principal(mesh, of);
    let from = Scraper {
        namespace: &of.id.namespace,
        labels: &of.template.metadata.labels,
        principal: principal.as_deref(),
        // Its pods restart, and so may the item's: neither has the address of today.
        address: None,
        host_network: of.template.spec.host_network,
        account: &of.service_account,
        looks: of.looks.as_ref(),
    };
    let template = &item.workload.template;
    let containers = template.spec.containers.iter();
    let ports: Vec<_> = containers
        .flat_map(|one| one.ports.iter().cloned())
        .collect();
    let to = Target {
        namespace: &item.workload.id.namespace,
        labels: &template.metadata.labels,
        annotations: &template.metadata.annotations,
        ports: &ports,
        address: None,
        host_network: template.spec.host_network,
        gateway: item.gateway.is_some(),
        port: SECURE_PORT,
        path: METRICS_PATH,
    };
    path(&mesh.rules, &from, &to)
}

/// # Errors
/// A link is surely broken: Prometheus would be refused.
pub(super) fn check(mesh: &Mesh, of: &Prometheus, items: &[Item<'_>]) -> Result<(), Error> {
    for item in items {
        for (_, step) in reaching(mesh, of, item) {
            if let Some(Fault::Refused(Refused::NotAllowed(all))) = step.fault()
                && merged::writable(mesh, &item.workload.id.namespace, all).is_some()
            {
                continue;
            }
            if let Some((why, hint)) = step.fault().and_then(|fault| refusal(fault)) {
                return Err(Error::refused(format!(
                    "{} could not reach port {SECURE_PORT} of {}",
                    of.id, item.workload.id
                ))
                .cause(why)
                .hint(hint));
            }
        }
    }
    Ok(())
}

/// What NetworkPolicies stop is a risk only: whether anything enforces them cannot be read. Capture is looked at where
/// workloads are chosen, and what Prometheus may list in the forecast.
fn refusal(fault: &Fault) -> Option<(String, &'static str)> {
    const HERE: &str = "exempt Prometheus's identity on port 15091 there, or skip this workload";
    Some(match fault {
        Fault::Refused(Refused::Denied(rule)) => (
            format!("{} denies it (rule {})", rule.policy, rule.rule + 1),
            HERE,
        ),
        Fault::Refused(Refused::NotAllowed(all)) => (
            format!("{} allows only what it lists", few(all)),
            HERE,
        ),
        Fault::Refused(Refused::NoProvider { rule, provider }) => (
            format!(
                "{} asks the provider {provider:?}, which the mesh does not define: istiod denies then",
                rule.policy
            ),
            HERE,
        ),
        Fault::Filter(touch) => (
            format!(
                "{} makes the listener wait for a PROXY protocol header, which Prometheus does not send",
                touch.filter
            ),
            "exclude port 15091 from its match, or skip this workload",
        ),
        Fault::ProxyProtocol => (
            "gatewayTopology.proxyProtocol makes every port of the gateway wait for a PROXY protocol header, which \
             Prometheus does not send"
                .to_owned(),
            "skip this gateway",
        ),
        Fault::MayNotList(_) | Fault::Network(_) | Fault::NotCaptured(_) => return None,
    })
}

fn few(all: &[ObjectRef]) -> String {
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    crate::text::few(&names, 3)
}

/// What may keep Prometheus off the port, for the change that opens it.
pub(super) fn doubts(mesh: &Mesh, of: &Prometheus, item: &Item<'_>) -> Vec<Problem> {
    let subject = Subject::from(&item.workload.id);
    let steps = reaching(mesh, of, item).into_iter();
    let found = steps.flat_map(|(_, step)| match step {
        Step::Broken(Fault::Network(stopped)) => vec![of_network(subject.clone(), stopped)],
        // Without its jobs there is no forecast that would say so.
        Step::Broken(Fault::MayNotList(_)) if of.looks.is_none() => {
            vec![Problem::PodsNotListed {
                of: (&of.id).into(),
                account: format!("{}/{}", of.id.namespace, of.service_account),
                jobs: Vec::new(),
                namespaces: vec![item.workload.id.namespace.clone()],
            }]
        }
        Step::Holds(_) | Step::Broken(_) => Vec::new(),
        Step::Unknown(why) => unknown(&subject, why),
    });
    found.collect()
}

fn of_network(of: Subject, stopped: Stopped) -> Problem {
    Problem::NetworkPolicyWouldStop {
        of,
        policies: stopped.policies,
        egress: stopped.direction == Direction::Egress,
    }
}

fn unknown(subject: &Subject, why: Why) -> Vec<Problem> {
    let of = subject.clone();
    let one = match why {
        Why::Network(network::Why::Address(policy)) => {
            Problem::NetworkPolicyByAddress { of, policy }
        }
        Why::Network(network::Why::HostNetwork(_)) => Problem::NodeNetwork { of },
        Why::Network(network::Why::OtherKinds(kinds)) => {
            Problem::OtherNetworkPolicies { of, kinds }
        }
        Why::Filters(touches) => {
            let touches = touches.into_iter();
            return touches.map(|touch| of_filter(of.clone(), touch)).collect();
        }
        Why::Authorization(Undecided::Asks { rule, provider }) => Problem::ProviderDecides {
            of,
            policy: rule.policy,
            provider,
        },
        Why::Authorization(Undecided::Rests { rule, on }) => Problem::PolicyRestsOn {
            of,
            policy: rule.policy,
            rule: rule.rule + 1,
            on: rests_on(on),
        },
        // What cannot be found out of rights is no reason to say anything; the others are refused before.
        Why::RightUnasked | Why::Identity | Why::Unread(_) => return Vec::new(),
    };
    vec![one]
}

fn rests_on(open: Open) -> RestsOn {
    match open {
        Open::Identity => RestsOn::Identity,
        Open::Source => RestsOn::Source,
        Open::Destination => RestsOn::Destination,
        Open::Host => RestsOn::Host,
        Open::ServerName => RestsOn::ServerName,
        Open::Header(name) => RestsOn::Header(name),
        Open::Metadata(key) => RestsOn::Metadata(key),
        Open::Providers => RestsOn::Providers,
    }
}

fn of_filter(of: Subject, touch: Touch) -> Problem {
    let named = |name: &str| FilterDoes::Other(name.to_owned());
    Problem::FilterOnSecurePort {
        of,
        filter: touch.filter,
        does: match touch.effect {
            Effect::LocalRateLimit => FilterDoes::LocalRateLimit,
            Effect::RateLimit => FilterDoes::RateLimit,
            Effect::ProxyProtocol => named("PROXY protocol"),
            Effect::ExtAuthz => named("ext_authz"),
            Effect::Lua => named("Lua"),
            Effect::Wasm => named("WASM"),
            Effect::Other(name) => FilterDoes::Other(name),
        },
    }
}
