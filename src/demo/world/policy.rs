//! Which policies hold for a pod: Sidecar, PeerAuthentication, AuthorizationPolicy, NetworkPolicy.

use std::sync::Arc;

use serde_json::{Value, json};

use super::World;
use super::injection::Mesh;
use crate::demo::json::{at, has_labels, labels, list, name, namespace, selected, text};
use crate::demo::kinds;
use crate::demo::store::Store;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Strict,
    Permissive,
    Disable,
}

fn mode(word: &str) -> Option<Mode> {
    match word {
        "STRICT" => Some(Mode::Strict),
        "PERMISSIVE" => Some(Mode::Permissive),
        "DISABLE" => Some(Mode::Disable),
        _ => None,
    }
}

fn oldest<'a>(objects: impl Iterator<Item = &'a Arc<Value>>) -> Option<&'a Arc<Value>> {
    objects.min_by_key(|object| {
        (
            text(object, "/metadata/creationTimestamp").to_owned(),
            at(object, "/metadata/resourceVersion")
                .as_str()
                .and_then(|v| v.parse::<u64>().ok()),
            name(object).to_owned(),
        )
    })
}

fn has_selector(object: &Value, pointer: &str) -> bool {
    at(object, pointer)
        .as_object()
        .is_some_and(|map| !map.is_empty())
}

/// The Sidecar that governs a pod: with a selector before namespace-wide before mesh-wide, the oldest of each.
pub fn sidecar<'a>(store: &'a Store, mesh: &Mesh, pod: &Value) -> Option<&'a Arc<Value>> {
    const SELECTOR: &str = "/spec/workloadSelector/labels";
    let ns = namespace(pod);
    let own: Vec<&Arc<Value>> = store
        .all(&kinds::SIDECAR)
        .filter(|s| namespace(s) == ns)
        .collect();
    let chosen = own
        .iter()
        .copied()
        .filter(|s| has_selector(s, SELECTOR) && has_labels(at(s, SELECTOR), labels(pod)));
    oldest(chosen)
        .or_else(|| oldest(own.iter().copied().filter(|s| !has_selector(s, SELECTOR))))
        .or_else(|| {
            let root =
                |s: &&Arc<Value>| namespace(s) == mesh.root_namespace && !has_selector(s, SELECTOR);
            oldest(store.all(&kinds::SIDECAR).filter(root))
        })
}

/// The mTLS mode of a port of a pod. Unset modes inherit from namespace and mesh; the default is PERMISSIVE.
pub fn mtls(store: &Store, mesh: &Mesh, pod: &Value, port: u16) -> Mode {
    const SELECTOR: &str = "/spec/selector/matchLabels";
    let all = || store.all(&kinds::PEER_AUTHENTICATION);
    let here = |p: &&Arc<Value>| namespace(p) == namespace(pod);
    let wide = |p: &&Arc<Value>| !has_selector(p, SELECTOR);
    let chosen = oldest(
        all()
            .filter(here)
            .filter(|p| has_selector(p, SELECTOR) && has_labels(at(p, SELECTOR), labels(pod))),
    );
    if let Some(policy) = chosen {
        let level = text(policy, &format!("/spec/portLevelMtls/{port}/mode"));
        if let Some(found) = mode(level).or_else(|| mode(text(policy, "/spec/mtls/mode"))) {
            return found;
        }
    }
    let by_namespace = oldest(all().filter(here).filter(wide));
    let by_mesh = oldest(
        all()
            .filter(wide)
            .filter(|p| namespace(p) == mesh.root_namespace),
    );
    [by_namespace, by_mesh]
        .into_iter()
        .flatten()
        .find_map(|policy| mode(text(policy, "/spec/mtls/mode")))
        .unwrap_or(Mode::Permissive)
}

/// A request as authorization sees it.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub port: u16,
    pub path: &'a str,
    pub method: &'a str,
    /// `cluster.local/ns/…/sa/…`, where the peer proved one.
    pub principal: Option<&'a str>,
}

/// Whether authorization lets a request to a pod through.
pub fn authorized(store: &Store, mesh: &Mesh, pod: &Value, asked: &Asked) -> bool {
    let policies: Vec<&Arc<Value>> = store
        .all(&kinds::AUTHORIZATION_POLICY)
        .filter(|p| namespace(p) == namespace(pod) || namespace(p) == mesh.root_namespace)
        .filter(|p| has_labels(at(p, "/spec/selector/matchLabels"), labels(pod)))
        .filter(|p| list(p, "/spec/targetRefs").is_empty() && !at(p, "/spec/targetRef").is_object())
        .collect();
    let of = |action: &'static str| {
        policies
            .iter()
            .filter(move |p| match text(p, "/spec/action") {
                "" => action == "ALLOW",
                word => word == action,
            })
    };
    if of("DENY").any(|policy| matches_any(policy, asked)) {
        return false;
    }
    let mut allow = of("ALLOW").peekable();
    allow.peek().is_none() || allow.any(|policy| matches_any(policy, asked))
}

fn matches_any(policy: &Value, asked: &Asked) -> bool {
    list(policy, "/spec/rules").iter().any(|rule| {
        let from = list(rule, "/from");
        let to = list(rule, "/to");
        // Conditions (`when`) are not simulated: a rule with any matches nothing.
        list(rule, "/when").is_empty()
            && (from.is_empty() || from.iter().any(|f| source(at(f, "/source"), asked)))
            && (to.is_empty() || to.iter().any(|t| operation(at(t, "/operation"), asked)))
    })
}

/// Istio's value match: exact, `prefix*`, `*suffix`, and `*` for anything that is not empty.
fn fits(pattern: &str, value: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(""), _) => !value.is_empty(),
        (Some(suffix), _) => value.ends_with(suffix),
        (_, Some(prefix)) => value.starts_with(prefix),
        _ => pattern == value,
    }
}

fn field(object: &Value, yes: &str, no: &str, value: &str) -> bool {
    let any = |key: &str| {
        list(object, &format!("/{key}"))
            .iter()
            .filter_map(Value::as_str)
            .any(|pattern| fits(pattern, value))
    };
    let named = |key: &str| !list(object, &format!("/{key}")).is_empty();
    (!named(yes) || any(yes)) && (!named(no) || !any(no))
}

fn source(source: &Value, asked: &Asked) -> bool {
    let principal = asked.principal.unwrap_or("");
    let ns = principal.split('/').nth(2).unwrap_or("");
    field(source, "principals", "notPrincipals", principal)
        && field(source, "namespaces", "notNamespaces", ns)
        && list(source, "/requestPrincipals").is_empty()
        && list(source, "/ipBlocks").is_empty()
}

fn operation(operation: &Value, asked: &Asked) -> bool {
    field(operation, "ports", "notPorts", &asked.port.to_string())
        && field(operation, "paths", "notPaths", asked.path)
        && field(operation, "methods", "notMethods", asked.method)
        && list(operation, "/hosts").is_empty()
}

impl World {
    /// Whether NetworkPolicies let a pod reach a port of another.
    pub fn network_allows(&self, from: &Value, to: &Value, port: u16) -> bool {
        let mut selecting = self
            .store
            .of(&kinds::NETWORK_POLICY, namespace(to))
            .filter(|policy| selected(at(policy, "/spec/podSelector"), labels(to)))
            .filter(|policy| {
                let types = list(policy, "/spec/policyTypes");
                types.is_empty() || types.iter().any(|t| t == "Ingress")
            })
            .peekable();
        if selecting.peek().is_none() {
            return true;
        }
        let empty = json!({});
        let from_ns = self
            .store
            .get(&kinds::NAMESPACE, "", namespace(from))
            .map_or(&empty, |ns| &**ns);
        selecting.any(|policy| {
            list(policy, "/spec/ingress").iter().any(|rule| {
                let ports = list(rule, "/ports");
                let open = ports.is_empty() || ports.iter().any(|entry| port_fits(entry, to, port));
                let peers = list(rule, "/from");
                let peer = peers.is_empty()
                    || peers.iter().any(|peer| {
                        let pods = at(peer, "/podSelector");
                        let spaces = at(peer, "/namespaceSelector");
                        let block = at(peer, "/ipBlock");
                        let space = if spaces.is_object() {
                            selected(spaces, labels(from_ns))
                        } else {
                            namespace(from) == namespace(to)
                        };
                        block.is_null() && space && (pods.is_null() || selected(pods, labels(from)))
                            || text(block, "/cidr") == "0.0.0.0/0"
                    });
                open && peer
            })
        })
    }
}

fn port_fits(entry: &Value, pod: &Value, port: u16) -> bool {
    match at(entry, "/port") {
        Value::Number(number) => {
            let first = number.as_u64().unwrap_or(0);
            let last = at(entry, "/endPort").as_u64().unwrap_or(first);
            (first..=last).contains(&u64::from(port))
        }
        Value::String(wanted) => list(pod, "/spec/containers").iter().any(|container| {
            list(container, "/ports").iter().any(|p| {
                text(p, "/name") == wanted
                    && at(p, "/containerPort").as_u64() == Some(u64::from(port))
            })
        }),
        _ => true,
    }
}
