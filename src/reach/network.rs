//! What NetworkPolicies of both ends would make of a connection.
//!
//! Source: `k8s.io/api/networking/v1` (the semantics in its comments) and the defaults that the API server writes
//! (`pkg/apis/networking/v1/defaults.go`); held against the engine of `sigs.k8s.io/kube-network-policies`, see
//! tests/originals. Whether anything in a cluster enforces them cannot be read from its objects.

use super::labels::selects;
use super::link::Verdict;
use super::ranges::Range;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::objects::{ContainerPort, Labels, NetworkPolicy, Selector};
use core::net::IpAddr;
use serde_json::Value;

/// A pod at one end.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    pub namespace: &'a str,
    pub namespace_labels: &'a Labels,
    pub labels: &'a Labels,
    /// `None`: not known, as that of a pod that does not run yet.
    pub address: Option<IpAddr>,
    /// What its containers declare, for ports by name.
    pub ports: &'a [ContainerPort],
    pub host_network: bool,
}

/// A TCP connection from one pod to a port of another.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    pub from: End<'a>,
    pub to: End<'a>,
    pub port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Out of the pod that asks.
    Egress,
    /// Into the pod that answers.
    Ingress,
}

/// Why the connection passes: how many policies select an end, none of which stops it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passes {
    pub egress: usize,
    pub ingress: usize,
}

/// Policies that select an end and of which none lets the connection through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    pub direction: Direction,
    pub policies: Vec<ObjectRef>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// A rule names addresses, and that of the other end is not known.
    Address(ObjectRef),
    /// An end uses the node's network: what policies make of it differs between networks.
    HostNetwork(Direction),
    /// Objects of other kinds have a say too: their kinds.
    OtherKinds(Vec<String>),
}

pub type Network = Verdict<Passes, Stopped, Why>;

/// `others`: kinds of policies of other vendors that the cluster has objects of.
pub fn lets<'a>(
    policies: impl IntoIterator<Item = &'a NetworkPolicy>,
    others: &[String],
    connection: &Connection<'_>,
) -> Network {
    let all: Vec<&NetworkPolicy> = policies.into_iter().collect();
    let mut passes = Passes::default();
    let mut unknown = None;
    for direction in [Direction::Egress, Direction::Ingress] {
        let own = match direction {
            Direction::Egress => &connection.from,
            Direction::Ingress => &connection.to,
        };
        let isolating: Vec<&NetworkPolicy> = all
            .iter()
            .copied()
            .filter(|policy| isolates(policy, direction, own))
            .collect();
        if isolating.is_empty() {
            continue;
        }
        if own.host_network {
            unknown = unknown.or(Some(Why::HostNetwork(direction)));
            continue;
        }
        match through(&isolating, direction, connection) {
            Ok(true) => match direction {
                Direction::Egress => passes.egress = isolating.len(),
                Direction::Ingress => passes.ingress = isolating.len(),
            },
            Ok(false) => {
                let policies = isolating.iter().map(|policy| reference(policy)).collect();
                return Verdict::Broken(Stopped {
                    direction,
                    policies,
                });
            }
            Err(why) => unknown = unknown.or(Some(why)),
        }
    }
    if unknown.is_none() && !others.is_empty() {
        unknown = Some(Why::OtherKinds(others.to_vec()));
    }
    unknown.map_or(Verdict::Holds(passes), Verdict::Unknown)
}

fn reference(policy: &NetworkPolicy) -> ObjectRef {
    let meta = &policy.metadata;
    ObjectRef::new(Kind::NetworkPolicy, &meta.namespace, &meta.name)
}

fn list<'a>(of: &'a Value, field: &str) -> &'a [Value] {
    of[field].as_array().map_or(&[], Vec::as_slice)
}

fn selector(of: &Value) -> Selector {
    serde_json::from_value(of.clone()).unwrap_or_default()
}

/// Once a policy selects a pod for a direction, only what some policy lets through passes there.
fn isolates(policy: &NetworkPolicy, direction: Direction, pod: &End<'_>) -> bool {
    let spec = &policy.spec;
    let types = list(spec, "policyTypes");
    let speaks = match direction {
        Direction::Ingress => types.is_empty() || types.iter().any(|one| one == "Ingress"),
        Direction::Egress => match types.is_empty() {
            true => !list(spec, "egress").is_empty(),
            false => types.iter().any(|one| one == "Egress"),
        },
    };
    speaks
        && policy.metadata.namespace == pod.namespace
        && selects(&selector(&spec["podSelector"]), pod.labels, "")
}

/// Whether some rule of some policy lets the connection through.
fn through(
    policies: &[&NetworkPolicy],
    direction: Direction,
    connection: &Connection<'_>,
) -> Result<bool, Why> {
    let (rules, peers, other) = match direction {
        Direction::Egress => ("egress", "to", &connection.to),
        Direction::Ingress => ("ingress", "from", &connection.from),
    };
    let mut unknown = None;
    for policy in policies {
        for rule in list(&policy.spec, rules) {
            let ports = list(rule, "ports");
            if !ports.is_empty() && !ports.iter().any(|port| is_port(port, connection)) {
                continue;
            }
            let peers = list(rule, peers);
            if peers.is_empty() {
                return Ok(true);
            }
            for peer in peers {
                match is_peer(peer, &policy.metadata.namespace, other) {
                    Some(true) => return Ok(true),
                    Some(false) => {}
                    None if other.host_network => {
                        unknown = unknown.or(Some(Why::HostNetwork(direction)));
                    }
                    None => unknown = unknown.or(Some(Why::Address(reference(policy)))),
                }
            }
        }
    }
    unknown.map_or(Ok(false), Err)
}

/// A name is that of a port of the pod that is asked, in either direction.
fn is_port(port: &Value, connection: &Connection<'_>) -> bool {
    if port["protocol"].as_str().unwrap_or("TCP") != "TCP" {
        return false;
    }
    let asked = connection.port;
    let own = &port["port"];
    if let Some(name) = own.as_str() {
        let declared = |one: &ContainerPort| {
            one.name.as_deref() == Some(name)
                && one.container_port == asked
                && one.protocol.as_deref().is_none_or(|of| of == "TCP")
        };
        return connection.to.ports.iter().any(declared);
    }
    match (own.as_u64(), port["endPort"].as_u64()) {
        (None, _) => true,
        (Some(first), None) => first == u64::from(asked),
        (Some(first), Some(last)) => (first..=last).contains(&u64::from(asked)),
    }
}

/// `None`: it cannot be told.
fn is_peer(peer: &Value, namespace: &str, other: &End<'_>) -> Option<bool> {
    let block = &peer["ipBlock"];
    if block.is_object() {
        let address = other.address?;
        let holds = |of: &Value| {
            let range = of.as_str().and_then(Range::parse);
            range.is_some_and(|range| range.holds(address))
        };
        return Some(holds(&block["cidr"]) && !list(block, "except").iter().any(holds));
    }
    let (pods, namespaces) = (&peer["podSelector"], &peer["namespaceSelector"]);
    let there = match namespaces.is_object() {
        true => selects(
            &selector(namespaces),
            other.namespace_labels,
            other.namespace,
        ),
        false => namespace == other.namespace,
    };
    let is = there
        && (pods.is_object() || namespaces.is_object())
        && (!pods.is_object() || selects(&selector(pods), other.labels, ""));
    // What comes from the node's network carries no pod's labels on most networks.
    if is && other.host_network {
        return None;
    }
    Some(is)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{labels, meta};
    use super::*;
    use serde_json::json;

    fn policy(spec: Value) -> NetworkPolicy {
        NetworkPolicy {
            metadata: meta("n", 1),
            spec,
        }
    }

    fn asked(specs: &[Value], others: &[String], change: fn(&mut Connection<'_>)) -> Network {
        let (none, web) = (Labels::new(), labels(&[("app", "web")]));
        let end = |namespace| End {
            namespace,
            namespace_labels: &none,
            labels: &web,
            address: None,
            ports: &[],
            host_network: false,
        };
        let mut connection = Connection {
            from: end("mon"),
            to: end("shop"),
            port: 15091,
        };
        change(&mut connection);
        let policies: Vec<_> = specs.iter().cloned().map(policy).collect();
        lets(&policies, others, &connection)
    }

    #[test]
    fn what_cannot_be_told_is_not_told() {
        let block = json!({"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]});
        let all = json!({"podSelector": {}, "ingress": [{}]});
        let pods = json!({"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {}}]}]});
        let same = |_: &mut Connection<'_>| {};
        let name = ObjectRef::new(Kind::NetworkPolicy, "shop", "n");
        let unknown = asked(std::slice::from_ref(&block), &[], same);
        assert_eq!(unknown, Verdict::Unknown(Why::Address(name)));
        assert!(asked(&[block, all.clone()], &[], same).holds());
        let host = asked(std::slice::from_ref(&pods), &[], |of| {
            of.from.host_network = true
        });
        assert_eq!(host, Verdict::Unknown(Why::HostNetwork(Direction::Ingress)));
        let to = asked(&[pods], &[], |of| of.to.host_network = true);
        assert_eq!(to, Verdict::Unknown(Why::HostNetwork(Direction::Ingress)));
        let cilium = ["CiliumNetworkPolicy".to_owned()];
        let others = asked(std::slice::from_ref(&all), &cilium, same);
        assert_eq!(others, Verdict::Unknown(Why::OtherKinds(cilium.to_vec())));
        // What one of these stops, no other lets through.
        let none = json!({"podSelector": {}});
        let stopped = asked(&[none], &cilium, same);
        assert_eq!(
            stopped.fault().map(|of| of.direction),
            Some(Direction::Ingress)
        );
    }
}
