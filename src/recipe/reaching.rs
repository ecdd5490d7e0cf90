//! The path by which the chosen Prometheus will reach each item's secure port, as the cluster stands: what surely breaks
//! it keeps the plan from being made, what may break it is said at its change.
//!
//! Our own objects are not among the rules that are asked: what they say is what the recipe writes.

use super::{METRICS_PATH, SECURE_PORT, authorization, select::Item};
use crate::error::Error;
use crate::mesh::kinds::ObjectRef;
use crate::mesh::{Mesh, Prometheus};
use crate::plan::Price;
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
pub(super) fn notes(mesh: &Mesh, of: &Prometheus, item: &Item<'_>) -> Vec<Price> {
    let steps = reaching(mesh, of, item).into_iter();
    let words = steps.flat_map(|(_, step)| match step {
        Step::Holds(_) => Vec::new(),
        Step::Broken(Fault::Network(stopped)) => vec![of_network(&stopped)],
        // Without its jobs there is no forecast that would say so.
        Step::Broken(Fault::MayNotList(_)) if of.looks.is_none() => vec![format!(
            "the ServiceAccount {}/{} may not list pods in namespace {}: Prometheus would not discover them",
            of.id.namespace, of.service_account, item.workload.id.namespace
        )],
        Step::Broken(_) => Vec::new(),
        Step::Unknown(why) => unknown(&why),
    });
    words.map(Price::Note).collect()
}

fn of_network(stopped: &Stopped) -> String {
    let policies = few(&stopped.policies);
    match stopped.direction {
        Direction::Ingress => format!(
            "{policies} would block ingress from Prometheus on port {SECURE_PORT}, if NetworkPolicies are enforced; allow it there"
        ),
        Direction::Egress => format!(
            "{policies} would block Prometheus's egress to port {SECURE_PORT}, if NetworkPolicies are enforced; \
             allow it there"
        ),
    }
}

fn unknown(why: &Why) -> Vec<String> {
    match why {
        Why::Network(network::Why::Address(policy)) => vec![format!(
            "{policy} lets addresses in by range; whether they include Prometheus's address is unknown"
        )],
        Why::Network(network::Why::HostNetwork(_)) => vec![format!(
            "a pod uses the node's network; whether NetworkPolicies stop Prometheus at port {SECURE_PORT} depends on \
             the network plugin"
        )],
        Why::Network(network::Why::OtherKinds(kinds)) => vec![format!(
            "the cluster has policies of kind {}; whether they stop Prometheus at port {SECURE_PORT} is not known",
            kinds.join(", ")
        )],
        Why::Filters(touches) => touches.iter().map(of_filter).collect(),
        Why::Authorization(Undecided::Asks { rule, provider }) => vec![format!(
            "{} asks the provider {provider:?} about port {SECURE_PORT}; whether it admits Prometheus is unknown",
            rule.policy
        )],
        Why::Authorization(Undecided::Rests { rule, on }) => vec![format!(
            "{} may refuse Prometheus on port {SECURE_PORT}: rule {} depends on {}",
            rule.policy,
            rule.rule + 1,
            open(on)
        )],
        // What cannot be found out of rights is no reason to say anything; the others are refused before.
        Why::RightUnasked | Why::Identity | Why::Unread(_) => Vec::new(),
    }
}

fn open(on: &Open) -> String {
    match on {
        Open::Identity => "Prometheus's identity".into(),
        Open::Source => "Prometheus's address".into(),
        Open::Destination => "the pod's address".into(),
        Open::Host => "the host that is asked for".into(),
        Open::ServerName => "the server's name in TLS".into(),
        Open::Header(name) => format!("the header {name}"),
        Open::Metadata(key) => key.clone(),
        Open::Providers => "extensionProviders, which could not be read".into(),
    }
}

fn of_filter(touch: &Touch) -> String {
    let Touch { filter, .. } = touch;
    match &touch.effect {
        Effect::LocalRateLimit => format!(
            "{filter} limits the rate on port {SECURE_PORT} too: scrapes beyond it get 429; match.listener.portNumber \
             keeps it to the app's ports"
        ),
        Effect::RateLimit => format!(
            "{filter} limits the rate on port {SECURE_PORT} too, through an external service; match.listener.portNumber \
             keeps it to the app's ports"
        ),
        other => format!(
            "{filter} puts {} on port {SECURE_PORT} too; what it does to a scrape is not known; \
             match.listener.portNumber keeps it to the app's ports",
            effect(other)
        ),
    }
}

fn effect(of: &Effect) -> &str {
    match of {
        Effect::ProxyProtocol => "PROXY protocol",
        Effect::LocalRateLimit => "local_ratelimit",
        Effect::RateLimit => "ratelimit",
        Effect::ExtAuthz => "ext_authz",
        Effect::Lua => "Lua",
        Effect::Wasm => "WASM",
        Effect::Other(name) => name,
    }
}
