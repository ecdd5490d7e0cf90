//! The path by which one Prometheus reaches one pod's secure port: its links, in the order in which a scrape meets them.
//!
//! Each link is computed by its own file; here they are put in order. Which pods a job keeps comes before.

use super::authorization::{
    self, Allowed, HEADERS_OF_PROMETHEUS, Listener, Peer, Pods, Providers, Refused, Request,
};
use super::capture::{self, NotCaptured};
use super::filters::{self, Effect, Place, Touch};
use super::link::Verdict;
use super::network::{self, Connection, End, Passes, Stopped};
use super::rights::{Accounts, Looks, PodRights, Right};
use crate::mesh::objects::{
    AuthorizationPolicy, ContainerPort, EnvoyFilter, Labels, NetworkPolicy,
};
use core::net::IpAddr;
use std::collections::BTreeMap;

/// What was read of one kind, or why it could not be.
pub type Read<T> = Result<Vec<T>, String>;

/// Objects and settings of the cluster that bear on the path.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Istio's root namespace; empty: not known.
    pub root: String,
    /// `trustDomainAliases`
    pub aliases: Vec<String>,
    /// `extensionProviders` that decide for CUSTOM; `None`: not known.
    pub providers: Option<Providers>,
    /// `defaultConfig.gatewayTopology.proxyProtocol`
    pub proxy_protocol: bool,
    pub policies: Read<AuthorizationPolicy>,
    pub filters: Read<EnvoyFilter>,
    pub network: Read<NetworkPolicy>,
    /// Kinds of network policies of other vendors that there are objects of.
    pub other_networks: Vec<String>,
    /// Labels of namespaces, for those that NetworkPolicies may name.
    pub namespaces: BTreeMap<String, Labels>,
    /// Who may list pods, of the accounts that were asked about.
    pub rights: Accounts,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            root: String::new(),
            aliases: Vec::new(),
            providers: None,
            proxy_protocol: false,
            policies: Ok(Vec::new()),
            filters: Ok(Vec::new()),
            network: Ok(Vec::new()),
            other_networks: Vec::new(),
            namespaces: BTreeMap::new(),
            rights: Accounts::new(),
        }
    }
}

/// The Prometheus that scrapes.
#[derive(Clone, Copy, Debug)]
pub struct Scraper<'a> {
    pub namespace: &'a str,
    pub labels: &'a Labels,
    /// `<trust domain>/ns/<namespace>/sa/<service account>`; `None`: not known.
    pub principal: Option<&'a str>,
    /// `None`: not known, as that of a pod that is still to start.
    pub address: Option<IpAddr>,
    pub host_network: bool,
    /// The name of its ServiceAccount.
    pub account: &'a str,
    /// Where its jobs list pods; `None`: not known.
    pub looks: Option<&'a Looks>,
}

/// The pod that is scraped.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub namespace: &'a str,
    pub labels: &'a Labels,
    pub annotations: &'a Labels,
    pub ports: &'a [ContainerPort],
    pub address: Option<IpAddr>,
    pub host_network: bool,
    pub gateway: bool,
    pub port: u16,
    pub path: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// Prometheus lists the pods that it discovers.
    Discovery,
    Network,
    Capture,
    /// What EnvoyFilters and settings of the mesh put on the listener.
    Filters,
    Authorization,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    MayList,
    Network(Passes),
    Captured,
    NoFilter,
    Allowed(Allowed),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Prometheus's ServiceAccount may not list and watch pods there; `None`: everywhere, as its jobs do.
    MayNotList(Option<String>),
    Network(Stopped),
    NotCaptured(NotCaptured),
    Filter(Touch),
    /// `gatewayTopology.proxyProtocol` holds for every port of the gateway.
    ProxyProtocol,
    Refused(Refused),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody was asked what Prometheus's ServiceAccount may list.
    RightUnasked,
    Network(network::Why),
    Filters(Vec<Touch>),
    Authorization(authorization::Why),
    /// The identity of Prometheus.
    Identity,
    /// Objects could not be read: the reader's words.
    Unread(String),
}

pub type Step = Verdict<Evidence, Fault, Why>;

/// Every link with its verdict.
pub fn path(rules: &Rules, from: &Scraper<'_>, to: &Target<'_>) -> Vec<(Link, Step)> {
    vec![
        (Link::Discovery, of_discovery(rules, from, to)),
        (Link::Network, of_network(rules, from, to)),
        (Link::Capture, of_capture(to)),
        (Link::Filters, of_filters(rules, to)),
        (Link::Authorization, of_policies(rules, from, to)),
    ]
}

/// The first link that is broken.
pub fn broken(path: &[(Link, Step)]) -> Option<(Link, &Fault)> {
    path.iter()
        .find_map(|(link, step)| Some((*link, step.fault()?)))
}

fn of_discovery(rules: &Rules, from: &Scraper<'_>, to: &Target<'_>) -> Step {
    let account = (from.namespace.to_owned(), from.account.to_owned());
    let none = PodRights::default();
    let rights = rules.rights.get(&account).unwrap_or(&none);
    let here = Some(to.namespace);
    let places: Vec<Option<&str>> = match from.looks {
        None => vec![None, here],
        Some(looks) => {
            let places = looks.places().map(|(place, _)| place);
            let places: Vec<_> = places
                .filter(|place| place.is_none() || *place == here)
                .collect();
            match places.is_empty() {
                // A job that is still to come looks everywhere.
                true => vec![None],
                false => places,
            }
        }
    };
    let mut open = None;
    for place in &places {
        match rights.at(*place) {
            Right::Granted => return Verdict::Holds(Evidence::MayList),
            Right::Denied => {}
            Right::Unread(why) => open = Some(Why::Unread(why.clone())),
            Right::Unasked => open = open.or(Some(Why::RightUnasked)),
        }
    }
    match open {
        Some(why) => Verdict::Unknown(why),
        None => {
            let place = places.first().copied().flatten();
            Verdict::Broken(Fault::MayNotList(place.map(str::to_owned)))
        }
    }
}

fn of_network(rules: &Rules, from: &Scraper<'_>, to: &Target<'_>) -> Step {
    let policies = match &rules.network {
        Ok(policies) => policies,
        Err(why) => return Verdict::Unknown(Why::Unread(why.clone())),
    };
    let none = Labels::new();
    let labels_of = |namespace: &str| rules.namespaces.get(namespace).unwrap_or(&none);
    let connection = Connection {
        from: End {
            namespace: from.namespace,
            namespace_labels: labels_of(from.namespace),
            labels: from.labels,
            address: from.address,
            ports: &[],
            host_network: from.host_network,
        },
        to: End {
            namespace: to.namespace,
            namespace_labels: labels_of(to.namespace),
            labels: to.labels,
            address: to.address,
            ports: to.ports,
            host_network: to.host_network,
        },
        port: to.port,
    };
    network::lets(policies, &rules.other_networks, &connection).map(
        Evidence::Network,
        Fault::Network,
        Why::Network,
    )
}

fn of_capture(to: &Target<'_>) -> Step {
    // A gateway's pods take traffic without capture.
    if to.gateway {
        return Verdict::Holds(Evidence::Captured);
    }
    match capture::left_out(to.annotations, to.port) {
        None => Verdict::Holds(Evidence::Captured),
        Some(how) => Verdict::Broken(Fault::NotCaptured(how)),
    }
}

fn of_filters(rules: &Rules, to: &Target<'_>) -> Step {
    let own = to.annotations.get("proxy.istio.io/config");
    if to.gateway && filters::expects_proxy_protocol(rules.proxy_protocol, own.map(String::as_str))
    {
        return Verdict::Broken(Fault::ProxyProtocol);
    }
    let all = match &rules.filters {
        Ok(all) => all,
        Err(why) => return Verdict::Unknown(Why::Unread(why.clone())),
    };
    let place = Place {
        namespace: to.namespace,
        labels: to.labels,
        gateway: to.gateway,
        port: to.port,
    };
    filters::on_listener(all, &place, &rules.root).map(
        |()| Evidence::NoFilter,
        Fault::Filter,
        Why::Filters,
    )
}

fn of_policies(rules: &Rules, from: &Scraper<'_>, to: &Target<'_>) -> Step {
    let policies = match &rules.policies {
        Ok(policies) => policies,
        Err(why) => return Verdict::Unknown(Why::Unread(why.clone())),
    };
    let pods = Pods {
        namespace: to.namespace,
        labels: to.labels,
    };
    let own: Vec<&AuthorizationPolicy> = policies
        .iter()
        .filter(|policy| authorization::attaches(policy, &pods, &rules.root))
        .collect();
    if own.is_empty() {
        return Verdict::Holds(Evidence::Allowed(Allowed::NotDenied));
    }
    let host = to.address.map(|address| match address {
        IpAddr::V4(address) => format!("{address}:{}", to.port),
        IpAddr::V6(address) => format!("[{address}]:{}", to.port),
    });
    let request = Request {
        peer: from.principal.map_or(Peer::Unknown, Peer::Mesh),
        source: from.address,
        destination: to.address,
        port: to.port,
        method: "GET",
        path: to.path,
        host: host.as_deref(),
        // By address: no name is asked for.
        sni: Some(""),
        headers: HEADERS_OF_PROMETHEUS,
        listener: Listener::Http,
    };
    let domain = from.principal.and_then(|of| of.split('/').next());
    let ground = authorization::Ground {
        trust_domain: domain.unwrap_or_default(),
        aliases: &rules.aliases,
        providers: rules.providers.as_ref(),
    };
    authorization::decide(own, &request, &ground).map(Evidence::Allowed, Fault::Refused, |why| {
        match why {
            authorization::Why::Rests {
                on: authorization::Open::Identity,
                ..
            } => Why::Identity,
            why => Why::Authorization(why),
        }
    })
}

impl Touch {
    /// Whether a scrape may be answered 429 by it.
    pub fn limits(&self) -> bool {
        matches!(self.effect, Effect::LocalRateLimit | Effect::RateLimit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{labels, meta};
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_broken_link_is_the_first_that_a_scrape_meets() {
        let (web, none) = (labels(&[("app", "web")]), Labels::new());
        let out = labels(&[("traffic.sidecar.istio.io/excludeInboundPorts", "15091")]);
        let from = Scraper {
            namespace: "mon",
            labels: &none,
            principal: Some("cluster.local/ns/mon/sa/prometheus"),
            address: None,
            host_network: false,
            account: "prometheus",
            looks: None,
        };
        let to = |annotations| Target {
            namespace: "shop",
            labels: &web,
            annotations,
            ports: &[],
            address: None,
            host_network: false,
            gateway: false,
            port: 15091,
            path: "/stats/prometheus",
        };
        let account = || ("mon".to_owned(), "prometheus".to_owned());
        let rights = |everywhere, shop| PodRights {
            everywhere,
            namespaces: [("shop".to_owned(), shop)].into(),
        };
        let mut rules = Rules::default();
        let unasked = path(&rules, &from, &to(&none));
        assert_eq!(
            unasked[0],
            (Link::Discovery, Verdict::Unknown(Why::RightUnasked))
        );
        rules
            .rights
            .insert(account(), rights(Right::Granted, Right::Unasked));
        assert!(
            path(&rules, &from, &to(&none))
                .iter()
                .all(|(_, step)| step.holds())
        );
        rules.policies = Ok(vec![AuthorizationPolicy {
            metadata: meta("all", 1),
            spec: json!({"action": "DENY", "rules": [{}]}),
        }]);
        let first = |rules: &Rules, annotations| {
            let all = path(rules, &from, &to(annotations));
            broken(&all).map(|(link, _)| link)
        };
        assert_eq!(first(&rules, &none), Some(Link::Authorization));
        assert_eq!(first(&rules, &out), Some(Link::Capture));
        rules.network = Ok(vec![NetworkPolicy {
            metadata: meta("none", 1),
            spec: json!({"podSelector": {}}),
        }]);
        assert_eq!(first(&rules, &out), Some(Link::Network));
        rules
            .rights
            .insert(account(), rights(Right::Denied, Right::Denied));
        assert_eq!(first(&rules, &out), Some(Link::Discovery));
    }

    #[test]
    fn where_the_jobs_look_decides_which_right_is_asked_for() {
        let none = Labels::new();
        let from = |looks| Scraper {
            namespace: "mon",
            labels: &none,
            principal: None,
            address: None,
            host_network: false,
            account: "prometheus",
            looks,
        };
        let to = Target {
            namespace: "shop",
            labels: &none,
            annotations: &none,
            ports: &[],
            address: None,
            host_network: false,
            gateway: false,
            port: 15091,
            path: "/stats/prometheus",
        };
        let step = |everywhere: Right, shop: Right, looks| {
            let mut rules = Rules::default();
            let rights = PodRights {
                everywhere,
                namespaces: [("shop".to_owned(), shop)].into(),
            };
            let account = ("mon".to_owned(), "prometheus".to_owned());
            rules.rights.insert(account, rights);
            of_discovery(&rules, &from(looks), &to)
        };
        let jobs = || ["a".to_owned()].into();
        let wide = Looks {
            everywhere: jobs(),
            ..Looks::default()
        };
        let shop = Looks {
            namespaces: [("shop".to_owned(), jobs())].into(),
            ..Looks::default()
        };
        let both = Looks {
            everywhere: jobs(),
            ..shop.clone()
        };
        let other = Looks {
            namespaces: [("other".to_owned(), jobs())].into(),
            ..Looks::default()
        };
        let (no, yes) = (|| Right::Denied, || Right::Granted);
        let unread = || Right::Unread("refused".into());
        let broken =
            |place: Option<&str>| Verdict::Broken(Fault::MayNotList(place.map(str::to_owned)));
        let open = || Verdict::Unknown(Why::Unread("refused".into()));
        let holds = || Verdict::Holds(Evidence::MayList);
        for (everywhere, here, looks, wanted) in [
            (yes(), Right::Unasked, Some(&wide), holds()),
            (no(), yes(), Some(&wide), broken(None)),
            (no(), yes(), Some(&shop), holds()),
            (no(), no(), Some(&shop), broken(Some("shop"))),
            (no(), yes(), Some(&both), holds()),
            (no(), yes(), Some(&other), broken(None)),
            (no(), yes(), None, holds()),
            (no(), no(), None, broken(None)),
            (unread(), Right::Unasked, Some(&wide), open()),
            (no(), unread(), Some(&shop), open()),
            (
                no(),
                Right::Unasked,
                None,
                Verdict::Unknown(Why::RightUnasked),
            ),
        ] {
            let what = format!("{everywhere:?} {here:?} {looks:?}");
            assert_eq!(step(everywhere, here, looks), wanted, "{what}");
        }
    }

    #[test]
    fn a_gateway_that_waits_for_a_proxy_protocol() {
        let none = Labels::new();
        let own = labels(&[(
            "proxy.istio.io/config",
            "gatewayTopology:\n  proxyProtocol: {}\n",
        )]);
        let to = Target {
            namespace: "edge",
            labels: &none,
            annotations: &own,
            ports: &[],
            address: None,
            host_network: false,
            gateway: true,
            port: 15091,
            path: "/stats/prometheus",
        };
        let rules = Rules::default();
        assert_eq!(
            of_filters(&rules, &to),
            Verdict::Broken(Fault::ProxyProtocol)
        );
        let sidecar = Target {
            gateway: false,
            ..to
        };
        assert!(of_filters(&rules, &sidecar).holds());
    }
}
