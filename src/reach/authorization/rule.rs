//! Whether one rule of a policy matches a request.

use super::text::{glob, in_brackets, is_template, pattern, template};
use super::{Ground, Header, Listener, Open, Peer, Request, Told, trust};
use crate::reach::ranges::Range;
use core::net::IpAddr;
use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    Open(Open),
}

impl Truth {
    fn of(is: bool) -> Truth {
        if is { Truth::Yes } else { Truth::No }
    }

    fn not(self) -> Truth {
        match self {
            Truth::Yes => Truth::No,
            Truth::No => Truth::Yes,
            open => open,
        }
    }
}

fn any(all: impl IntoIterator<Item = Truth>) -> Truth {
    let mut found = Truth::No;
    for one in all {
        match one {
            Truth::Yes => return Truth::Yes,
            Truth::Open(on) if found == Truth::No => found = Truth::Open(on),
            _ => {}
        }
    }
    found
}

fn every(all: impl IntoIterator<Item = Truth>) -> Truth {
    any(all.into_iter().map(Truth::not)).not()
}

/// istiod leaves the rule out: a `when` that it does not know, or in an ALLOW policy something that the listener
/// cannot tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skipped;

/// A value that istiod can make no matcher of. In a DENY policy it is left out, which makes the rule wider; in an
/// ALLOW policy the whole rule is (`model.go`, `checkError`).
struct Bad;

struct Look<'a> {
    allow: bool,
    /// The policy's own.
    namespace: &'a str,
    request: &'a Request<'a>,
    ground: &'a Ground<'a>,
}

/// `allow`: of an ALLOW policy. A rule matches where one of `from`, one of `to` and all of `when` do; an absent list
/// matches everything.
pub(super) fn matches(
    rule: &Value,
    allow: bool,
    namespace: &str,
    request: &Request<'_>,
    ground: &Ground<'_>,
) -> Result<Truth, Skipped> {
    if rule.is_null() {
        return Err(Skipped);
    }
    let look = Look {
        allow,
        namespace,
        request,
        ground,
    };
    let mut conditions = Vec::new();
    for when in list(rule, "when") {
        let key = when["key"].as_str().unwrap_or_default();
        let field = Field::of_key(key).ok_or(Skipped)?;
        conditions.extend(look.condition(&field, list(when, "values"), list(when, "notValues"))?);
    }
    conditions.push(look.one_of(rule, "from", "source", SOURCE)?);
    conditions.push(look.one_of(rule, "to", "operation", OPERATION)?);
    Ok(every(conditions))
}

fn list<'a>(of: &'a Value, field: &str) -> &'a [Value] {
    of[field].as_array().map_or(&[], Vec::as_slice)
}

#[derive(Clone, Debug)]
enum Field<'a> {
    DestinationIp,
    Port,
    Sni,
    Filter(&'a str),
    SourceIp,
    RemoteIp,
    Namespace,
    TrustDomain,
    ServiceAccount,
    Principal,
    /// `request.auth.…`: a token, which Prometheus does not send; `false`: a key that cannot be read.
    Token(bool),
    /// `None`: a key that cannot be read.
    Header(Option<&'a str>),
    Host,
    Path,
    Method,
}

/// A field of an entry, and the one that says which values it must not have.
type Named = (&'static str, &'static str, Field<'static>);

const SOURCE: &[Named] = &[
    ("ipBlocks", "notIpBlocks", Field::SourceIp),
    ("remoteIpBlocks", "notRemoteIpBlocks", Field::RemoteIp),
    ("namespaces", "notNamespaces", Field::Namespace),
    ("trustDomains", "notTrustDomains", Field::TrustDomain),
    (
        "serviceAccounts",
        "notServiceAccounts",
        Field::ServiceAccount,
    ),
    (
        "requestPrincipals",
        "notRequestPrincipals",
        Field::Token(true),
    ),
    ("principals", "notPrincipals", Field::Principal),
];
const OPERATION: &[Named] = &[
    ("ports", "notPorts", Field::Port),
    ("paths", "notPaths", Field::Path),
    ("methods", "notMethods", Field::Method),
    ("hosts", "notHosts", Field::Host),
];

impl Field<'_> {
    /// Source: `model.go`, `New`.
    fn of_key(key: &str) -> Option<Field<'_>> {
        Some(match key {
            "destination.ip" => Field::DestinationIp,
            "destination.port" => Field::Port,
            "connection.sni" => Field::Sni,
            "source.ip" => Field::SourceIp,
            "remote.ip" => Field::RemoteIp,
            "source.namespace" => Field::Namespace,
            "source.trustDomain" => Field::TrustDomain,
            "source.serviceAccount" => Field::ServiceAccount,
            "source.principal" => Field::Principal,
            "request.auth.principal" | "request.auth.audiences" | "request.auth.presenter" => {
                Field::Token(true)
            }
            _ => {
                if key.starts_with("experimental.envoy.filters.") {
                    Field::Filter(key)
                } else if let Some(rest) = key.strip_prefix("request.headers") {
                    Field::Header(in_brackets(rest))
                } else {
                    let rest = key.strip_prefix("request.auth.claims")?;
                    Field::Token(in_brackets(rest).is_some())
                }
            }
        })
    }
}

impl Look<'_> {
    fn one_of(
        &self,
        rule: &Value,
        of: &str,
        inner: &str,
        fields: &[Named],
    ) -> Result<Truth, Skipped> {
        let entries = list(rule, of);
        if entries.is_empty() {
            return Ok(Truth::Yes);
        }
        // Every one is looked at: a fault in one skips the rule, whatever another says.
        let mut found = Vec::new();
        for entry in entries {
            let entry = &entry[inner];
            let mut conditions = Vec::new();
            for (values, not, field) in fields {
                conditions.extend(self.condition(field, list(entry, values), list(entry, not))?);
            }
            found.push(every(conditions));
        }
        Ok(any(found))
    }

    fn condition(
        &self,
        field: &Field<'_>,
        values: &[Value],
        not: &[Value],
    ) -> Result<Option<Truth>, Skipped> {
        let is = self.one(field, values)?;
        let not = self.one(field, not)?.map(Truth::not);
        Ok(match (is, not) {
            (None, None) => None,
            (is, not) => Some(every(is.into_iter().chain(not))),
        })
    }

    /// `None`: no value is left that says anything.
    fn one(&self, field: &Field<'_>, values: &[Value]) -> Result<Option<Truth>, Skipped> {
        let mut found = Vec::new();
        for value in values {
            let value = value.as_str().unwrap_or_default();
            match self.value(field, value) {
                Ok(truth) => found.push(truth),
                Err(Bad) if self.allow => return Err(Skipped),
                Err(Bad) => {}
            }
        }
        Ok((!found.is_empty()).then(|| any(found)))
    }

    fn value(&self, field: &Field<'_>, value: &str) -> Result<Truth, Bad> {
        let request = self.request;
        let http_only = match request.listener {
            Listener::Http => Ok(()),
            Listener::Tcp => Err(Bad),
        };
        match field {
            Field::DestinationIp => within(value, request.destination, Open::Destination),
            Field::SourceIp | Field::RemoteIp => within(value, request.source, Open::Source),
            Field::Port => {
                let port: u32 = value.parse().map_err(|_| Bad)?;
                if value.starts_with('+') || port > u32::from(u16::MAX) {
                    return Err(Bad);
                }
                Ok(Truth::of(port == u32::from(request.port)))
            }
            Field::Sni => Ok(match request.sni {
                Some(sni) => Truth::of(pattern(value, sni)),
                None => Truth::Open(Open::ServerName),
            }),
            Field::Filter(key) => match key.split_once('[') {
                Some(_) => Ok(Truth::Open(Open::Metadata((*key).to_owned()))),
                None => Err(Bad),
            },
            Field::Namespace | Field::TrustDomain | Field::ServiceAccount | Field::Principal => {
                Ok(match request.peer {
                    Peer::Nobody => Truth::No,
                    Peer::Unknown => Truth::Open(Open::Identity),
                    Peer::Mesh(principal) => Truth::of(self.peer(field, value, principal)),
                })
            }
            Field::Token(readable) => {
                http_only?;
                if *readable { Ok(Truth::No) } else { Err(Bad) }
            }
            Field::Header(name) => {
                http_only?;
                let name = name.ok_or(Bad)?.to_ascii_lowercase();
                Ok(self.header(&name, value))
            }
            Field::Host => {
                http_only?;
                let wanted = value.to_ascii_lowercase();
                Ok(match request.host {
                    Some(host) => Truth::of(pattern(&wanted, &host.to_ascii_lowercase())),
                    None if value == "*" => Truth::Yes,
                    None => Truth::Open(Open::Host),
                })
            }
            Field::Path => {
                http_only?;
                let end = request.path.find(['?', '#']);
                let path = &request.path[..end.unwrap_or(request.path.len())];
                Ok(Truth::of(match is_template(value) {
                    true => template(value, path),
                    false => pattern(value, path),
                }))
            }
            Field::Method => {
                http_only?;
                Ok(Truth::of(pattern(value, request.method)))
            }
        }
    }

    fn peer(&self, field: &Field<'_>, value: &str, principal: &str) -> bool {
        let Ground {
            trust_domain,
            aliases,
            ..
        } = *self.ground;
        match field {
            Field::Namespace => glob(&format!("*/ns/{value}/*"), principal),
            Field::TrustDomain => {
                let own = principal.split('/').next().unwrap_or_default();
                value == "*"
                    || trust::domains(value, trust_domain, aliases)
                        .iter()
                        .any(|domain| glob(domain, own))
            }
            Field::ServiceAccount => {
                let (namespace, account) = value.split_once('/').unwrap_or((self.namespace, value));
                let parts: Vec<&str> = principal.split('/').collect();
                matches!(parts[..], [_, "ns", ns, "sa", sa] if ns == namespace && sa == account)
            }
            _ => trust::principals(value, trust_domain, aliases)
                .iter()
                .any(|wanted| pattern(wanted, principal)),
        }
    }

    fn header(&self, name: &str, value: &str) -> Truth {
        let pseudo = match name {
            ":method" => Some(Some(self.request.method)),
            ":path" => Some(Some(self.request.path)),
            ":authority" | "host" => Some(self.request.host),
            _ => None,
        };
        let given = match pseudo {
            Some(Some(text)) => Told::Is(text),
            Some(None) => Told::Begins(""),
            None => {
                let mut all = self.request.headers.iter();
                match all.find(|header| header.name == name) {
                    Some(Header { value, .. }) => *value,
                    None => return Truth::No,
                }
            }
        };
        match given {
            _ if value == "*" => Truth::Yes,
            Told::Is(text) => Truth::of(pattern(value, text)),
            Told::Begins(with) => match value.strip_suffix('*') {
                Some(prefix) if with.starts_with(prefix) => Truth::Yes,
                Some(prefix) if !prefix.starts_with(with) && !value.starts_with('*') => Truth::No,
                None if !value.starts_with('*') && !value.starts_with(with) => Truth::No,
                _ => Truth::Open(Open::Header(name.to_owned())),
            },
        }
    }
}

/// An address or a range; those of the other family hold nothing.
fn within(range: &str, address: Option<IpAddr>, open: Open) -> Result<Truth, Bad> {
    let range = Range::parse(range).ok_or(Bad)?;
    Ok(match address {
        Some(address) => Truth::of(range.holds(address)),
        None => Truth::Open(open),
    })
}
