//! What AuthorizationPolicies make of one request, as Envoy decides it from istiod's configuration.
//!
//! Source: istio `pilot/pkg/security/authz/{builder,model,matcher}`, `pilot/pkg/model/{authorization,policyattachment}.go`;
//! held against both programs, see tests/mesh.

mod kept;
mod rule;
mod text;
mod trust;

pub use kept::{Door, Kept, kept};

use super::labels::truth;
use super::link::Verdict;
use super::{selector, takes};
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::objects::{AuthorizationPolicy, Labels};
use core::net::IpAddr;
use rule::Truth;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A request as the listener sees it. `None`: not known, but where it says otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub peer: Peer<'a>,
    pub source: Option<IpAddr>,
    pub destination: Option<IpAddr>,
    pub port: u16,
    pub method: &'a str,
    pub path: &'a str,
    /// `HOST:PORT` as it is asked for.
    pub host: Option<&'a str>,
    /// The server's name in the TLS handshake; empty where an address is asked.
    pub sni: Option<&'a str>,
    pub headers: &'a [Header<'a>],
    pub listener: Listener,
}

/// Who is at the other end, by the certificate that the listener was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer<'a> {
    /// `<trust domain>/ns/<namespace>/sa/<service account>`
    Mesh(&'a str),
    /// No certificate: plaintext, or TLS that goes on to something else.
    Nobody,
    Unknown,
}

/// A header that the request carries; names in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    pub name: &'a str,
    pub value: Told<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    Is(&'a str),
    /// How it begins, and no more.
    Begins(&'a str),
}

/// What kind of filter chain takes the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listener {
    #[default]
    Http,
    Tcp,
}

/// What Prometheus sends, and what Envoy adds before it asks the policies.
pub const HEADERS_OF_PROMETHEUS: &[Header<'static>] = &[
    begins("accept", ""),
    Header {
        name: "accept-encoding",
        value: Told::Is("gzip"),
    },
    begins("user-agent", "Prometheus/"),
    begins("x-prometheus-scrape-timeout-seconds", ""),
    begins("x-forwarded-proto", "http"),
    begins("x-request-id", ""),
];

const fn begins<'a>(name: &'a str, with: &'a str) -> Header<'a> {
    Header {
        name,
        value: Told::Begins(with),
    }
}

/// What of the mesh bears on its policies.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    pub trust_domain: &'a str,
    /// `trustDomainAliases`
    pub aliases: &'a [String],
    /// `extensionProviders` that decide for CUSTOM; `None`: not known.
    pub providers: Option<&'a Providers>,
}

pub type Providers = BTreeMap<String, Provider>;

/// Whom a CUSTOM policy asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// `envoyExtAuthzHttp`: not asked on TCP.
    Http,
    /// `envoyExtAuthzGrpc`
    Grpc,
}

/// A rule of a policy, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub policy: ObjectRef,
    pub rule: usize,
}

/// Why the request gets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// No ALLOW policy selects the pods, and none that denies matches.
    NotDenied,
    By(Rule),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Denied(Rule),
    /// ALLOW policies select the pods, and no rule of theirs matches.
    NotAllowed(Vec<ObjectRef>),
    /// A CUSTOM rule matches whose provider cannot be asked; istiod denies then.
    NoProvider {
        rule: Rule,
        provider: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// A CUSTOM rule matches, and its provider decides.
    Asks { rule: Rule, provider: String },
    /// The rule rests on something that is not known.
    Rests { rule: Rule, on: Open },
}

/// What of a request is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Open {
    Identity,
    Source,
    Destination,
    Host,
    ServerName,
    Header(String),
    /// What another filter left behind (`experimental.envoy.filters.…`).
    Metadata(String),
    /// `extensionProviders` of the mesh.
    Providers,
}

pub type Decision = Verdict<Allowed, Refused, Why>;

/// The pods behind the listener.
#[derive(Clone, Copy, Debug)]
pub struct Pods<'a> {
    pub namespace: &'a str,
    pub labels: &'a Labels,
}

/// Whether a policy holds for pods: by selector in their namespace and the root namespace, by `targetRefs` for
/// gateways of the Gateway API alone (`WorkloadPolicyMatcher.ShouldAttachPolicy`; a waypoint takes no selector).
pub fn attaches(policy: &AuthorizationPolicy, pods: &Pods<'_>, root: &str) -> bool {
    let of = policy.metadata.namespace.as_str();
    if of != pods.namespace && of != root {
        return false;
    }
    let spec = &policy.spec;
    let listed = spec["targetRefs"].as_array().filter(|all| !all.is_empty());
    let single = spec.get("targetRef").filter(|one| !one.is_null());
    let targets: Vec<&Value> = match listed {
        Some(all) => all.iter().collect(),
        None => single.into_iter().collect(),
    };
    let selected = || takes(&selector(spec, "/selector/matchLabels"), pods.labels);
    let is = |key: &str, value: &str| pods.labels.get(key).is_some_and(|own| own == value);
    match (
        pods.labels.get("gateway.networking.k8s.io/gateway-name"),
        targets.is_empty(),
    ) {
        (None, true) => selected(),
        (None, false) => false,
        (Some(_), true) => {
            !is(
                "gateway.networking.k8s.io/gateway-class-name",
                "istio-waypoint",
            ) && selected()
        }
        (Some(gateway), false) => {
            of == pods.namespace
                && targets.iter().any(|target| {
                    let text = |field: &str| target[field].as_str().unwrap_or_default();
                    text("kind") == "Gateway"
                        && text("group") == "gateway.networking.k8s.io"
                        && text("name") == gateway
                        && ["", pods.namespace].contains(&text("namespace"))
                })
        }
    }
}

/// What policies that hold for the pods make of one request: CUSTOM, then DENY, then ALLOW; a request that one of them
/// surely refuses is refused, whatever the others would say.
pub fn decide<'a>(
    policies: impl IntoIterator<Item = &'a AuthorizationPolicy>,
    request: &Request<'_>,
    ground: &Ground<'_>,
) -> Decision {
    let mut by_action: [Vec<&AuthorizationPolicy>; 3] = Default::default();
    for policy in policies {
        let at = match policy.spec["action"].as_str().unwrap_or("ALLOW") {
            "CUSTOM" => 0,
            "DENY" => 1,
            "ALLOW" => 2,
            _ => continue,
        };
        // A dry run of CUSTOM asks all the same (`builder.go`, `buildHTTP`).
        if at == 0 || !is_dry_run(policy) {
            by_action[at].push(policy);
        }
    }
    let [custom, deny, allow] = by_action;
    let mut unknown = None;
    for answer in [
        customs(&custom, request, ground),
        denies(&deny, request, ground),
    ] {
        match answer {
            Verdict::Broken(refused) => return Verdict::Broken(refused),
            Verdict::Unknown(why) => unknown = unknown.or(Some(why)),
            Verdict::Holds(_) => {}
        }
    }
    match (allows(&allow, request, ground), unknown) {
        (Verdict::Holds(_), Some(why)) => Verdict::Unknown(why),
        (answer, _) => answer,
    }
}

fn is_dry_run(policy: &AuthorizationPolicy) -> bool {
    let said = policy.metadata.annotations.get("istio.io/dry-run");
    said.and_then(|text| truth(text)).unwrap_or(false)
}

fn reference(policy: &AuthorizationPolicy) -> ObjectRef {
    let meta = &policy.metadata;
    ObjectRef::new(Kind::AuthorizationPolicy, &meta.namespace, &meta.name)
}

/// Each rule that is not skipped, with what it makes of the request.
fn judged<'a>(
    policies: &[&'a AuthorizationPolicy],
    allow: bool,
    request: &Request<'_>,
    ground: &Ground<'_>,
) -> Vec<(&'a AuthorizationPolicy, Rule, Truth)> {
    let mut found = Vec::new();
    for policy in policies {
        let rules = policy.spec["rules"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        for (at, of) in rules.iter().enumerate() {
            let namespace = &policy.metadata.namespace;
            // A rule that istiod skips matches nothing.
            if let Ok(truth) = rule::matches(of, allow, namespace, request, ground) {
                let rule = Rule {
                    policy: reference(policy),
                    rule: at,
                };
                found.push((*policy, rule, truth));
            }
        }
    }
    found
}

fn customs(
    policies: &[&AuthorizationPolicy],
    request: &Request<'_>,
    ground: &Ground<'_>,
) -> Decision {
    let name = |policy: &AuthorizationPolicy| {
        let name = policy.spec["provider"]["name"].as_str();
        name.unwrap_or_default().to_owned()
    };
    let names: BTreeSet<String> = policies.iter().map(|policy| name(policy)).collect();
    let mut unknown = None;
    for (policy, rule, truth) in judged(policies, false, request, ground) {
        if truth == Truth::No {
            continue;
        }
        let provider = name(policy);
        let known = ground.providers.map(|all| all.get(&provider));
        // Several providers of one workload are refused unless istiod is told otherwise.
        let good = match known {
            None => None,
            Some(None) => Some(false),
            Some(Some(_)) if names.len() > 1 => None,
            Some(Some(Provider::Http)) if request.listener == Listener::Tcp => continue,
            Some(Some(_)) => Some(true),
        };
        match (truth, good) {
            (Truth::Yes, Some(false)) => {
                return Verdict::Broken(Refused::NoProvider { rule, provider });
            }
            (Truth::Yes, Some(true)) => {
                unknown = unknown.or(Some(Why::Asks { rule, provider }));
            }
            (Truth::Yes, None) => {
                let on = Open::Providers;
                unknown = unknown.or(Some(Why::Rests { rule, on }));
            }
            (Truth::Open(on), _) => unknown = unknown.or(Some(Why::Rests { rule, on })),
            (Truth::No, _) => {}
        }
    }
    unknown.map_or(Verdict::Holds(Allowed::NotDenied), Verdict::Unknown)
}

fn denies(
    policies: &[&AuthorizationPolicy],
    request: &Request<'_>,
    ground: &Ground<'_>,
) -> Decision {
    let mut unknown = None;
    for (_, rule, truth) in judged(policies, false, request, ground) {
        match truth {
            Truth::Yes => return Verdict::Broken(Refused::Denied(rule)),
            Truth::Open(on) => unknown = unknown.or(Some(Why::Rests { rule, on })),
            Truth::No => {}
        }
    }
    unknown.map_or(Verdict::Holds(Allowed::NotDenied), Verdict::Unknown)
}

fn allows(
    policies: &[&AuthorizationPolicy],
    request: &Request<'_>,
    ground: &Ground<'_>,
) -> Decision {
    if policies.is_empty() {
        return Verdict::Holds(Allowed::NotDenied);
    }
    let mut unknown = None;
    for (_, rule, truth) in judged(policies, true, request, ground) {
        match truth {
            Truth::Yes => return Verdict::Holds(Allowed::By(rule)),
            Truth::Open(on) => unknown = unknown.or(Some(Why::Rests { rule, on })),
            Truth::No => {}
        }
    }
    let all = policies.iter().map(|policy| reference(policy)).collect();
    unknown.map_or(Verdict::Broken(Refused::NotAllowed(all)), Verdict::Unknown)
}

#[cfg(test)]
mod tests;
