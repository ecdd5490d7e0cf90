//! EnvoyFilters that touch the listener of one port, and what they put there as far as it can be named.
//!
//! Source: istio `pilot/pkg/networking/core/envoyfilter/listener_patch.go` (`listenerMatch`, `filterChainMatch`): a sidecar
//! has one listener `virtualInbound` with a filter chain a port, a gateway a listener a port; `push_context.go`
//! (`getMatchedEnvoyFilters`): those of the root namespace hold everywhere.

use super::link::Verdict;
use super::{selector, takes};
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::objects::{EnvoyFilter, Labels};
use serde_json::Value;

/// A listener that answers on a port, and the pods that it stands in.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub namespace: &'a str,
    pub labels: &'a Labels,
    pub gateway: bool,
    pub port: u16,
}

/// What a patch puts before, or makes of, the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Envoy waits for a PROXY protocol header, which Prometheus does not send.
    ProxyProtocol,
    /// Scrapes are counted in a bucket for this listener alone.
    LocalRateLimit,
    /// A service outside decides by its own rules.
    RateLimit,
    ExtAuthz,
    Lua,
    Wasm,
    /// Any other filter or patch, by its name or what it applies to.
    Other(String),
}

/// One patch of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    pub filter: ObjectRef,
    /// Which patch of it, from 0.
    pub patch: usize,
    pub effect: Effect,
}

/// `Broken`: a scrape cannot get through. `Unknown`: what the patches do to a scrape cannot be computed.
pub type Filters = Verdict<(), Touch, Vec<Touch>>;

pub fn on_listener<'a>(
    filters: impl IntoIterator<Item = &'a EnvoyFilter>,
    place: &Place<'_>,
    root: &str,
) -> Filters {
    let mut touches = Vec::new();
    for filter in filters {
        if !attaches(filter, place, root) {
            continue;
        }
        let patches = filter.spec["configPatches"].as_array();
        for (at, patch) in patches.into_iter().flatten().enumerate() {
            let Some(effect) = effect(patch, place) else {
                continue;
            };
            let meta = &filter.metadata;
            let touch = Touch {
                filter: ObjectRef::new(Kind::EnvoyFilter, &meta.namespace, &meta.name),
                patch: at,
                effect,
            };
            if touch.effect == Effect::ProxyProtocol && !lets_others_in(patch) {
                return Verdict::Broken(touch);
            }
            touches.push(touch);
        }
    }
    match touches.is_empty() {
        true => Verdict::Holds(()),
        false => Verdict::Unknown(touches),
    }
}

/// Whether gateways built from this proxy configuration expect a PROXY protocol header on every port.
///
/// Source: istio `pilot/pkg/networking/core/gateway.go` (`GetGatewayTopology().GetProxyProtocol()`): the pod's own
/// `proxy.istio.io/config` is laid over the mesh's `defaultConfig`.
pub fn expects_proxy_protocol(of_mesh: bool, annotation: Option<&str>) -> bool {
    let own: Option<Value> = annotation.and_then(|text| serde_yaml::from_str(text).ok());
    let own = own.map(|config| config["gatewayTopology"]["proxyProtocol"].is_object());
    of_mesh || own.unwrap_or(false)
}

fn attaches(filter: &EnvoyFilter, place: &Place<'_>, root: &str) -> bool {
    let of = filter.metadata.namespace.as_str();
    let targets = filter.spec["targetRefs"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let selected = || {
        takes(
            &selector(&filter.spec, "/workloadSelector/labels"),
            place.labels,
        )
    };
    let gateway = place.labels.get("gateway.networking.k8s.io/gateway-name");
    let here = of == place.namespace || of == root;
    match (targets.is_empty(), gateway) {
        (true, _) => here && selected(),
        (false, Some(name)) => {
            of == place.namespace && targets.iter().any(|target| target["name"] == name.as_str())
        }
        (false, None) => false,
    }
}

/// What a patch does to the port's listener; `None`: it touches another, or nothing that a scrape meets.
fn effect(patch: &Value, place: &Place<'_>) -> Option<Effect> {
    let matched = &patch["match"];
    let context = matched["context"].as_str().unwrap_or("ANY");
    let own = if place.gateway {
        "GATEWAY"
    } else {
        "SIDECAR_INBOUND"
    };
    if context != "ANY" && context != own {
        return None;
    }
    let applies = patch["applyTo"].as_str().unwrap_or_default();
    let meets = match applies {
        "LISTENER" | "LISTENER_FILTER" | "FILTER_CHAIN" | "NETWORK_FILTER" | "HTTP_FILTER" => {
            of_listener(&matched["listener"], applies, place)
        }
        "ROUTE_CONFIGURATION" | "VIRTUAL_HOST" | "HTTP_ROUTE" => {
            of_route(&matched["routeConfiguration"], place) && !is_plain_route(patch)
        }
        _ => false,
    };
    meets.then(|| named(patch, applies))
}

fn of_listener(of: &Value, applies: &str, place: &Place<'_>) -> bool {
    let port = u64::from(place.port);
    let text = |at: &Value| at.as_str().unwrap_or_default().to_owned();
    let name = text(&of["name"]);
    let own_name = match place.gateway {
        true => format!("0.0.0.0_{port}"),
        false => "virtualInbound".to_owned(),
    };
    if !name.is_empty() && name != own_name {
        return false;
    }
    let number = of["portNumber"].as_u64().unwrap_or(0);
    let whole = matches!(applies, "LISTENER" | "LISTENER_FILTER");
    let chain = &of["filterChain"];
    let numbers = match (place.gateway, whole) {
        (false, true) => number == 0 || number == 15006 || applies == "LISTENER_FILTER",
        _ => number == 0 || number == port,
    };
    // Its chain has TLS, and no server names or protocols of its own.
    let chain_name = text(&chain["name"]);
    let protocol = text(&chain["transportProtocol"]);
    let filter = text(&chain["filter"]["name"]);
    numbers
        && (whole
            || ([0, port].contains(&chain["destinationPort"].as_u64().unwrap_or(0))
                && (chain_name.is_empty() || chain_name.ends_with(&format!("_{port}")))
                && text(&chain["sni"]).is_empty()
                && text(&chain["applicationProtocols"]).is_empty()
                && (place.gateway || ["", "tls"].contains(&protocol.as_str()))
                && !filter.contains("tcp_proxy")))
}

fn of_route(of: &Value, place: &Place<'_>) -> bool {
    let port = u64::from(place.port);
    let named = |name: &Value| {
        let parts = name.as_str().unwrap_or_default();
        parts.is_empty()
            || parts
                .split(['|', ':', '.', '_'])
                .any(|part| part == port.to_string())
    };
    [0, port].contains(&of["portNumber"].as_u64().unwrap_or(0))
        && named(&of["name"])
        && named(&of["vhost"]["name"])
}

/// Routes that are merged with nothing but headers or timeouts keep no scrape off.
fn is_plain_route(patch: &Value) -> bool {
    let text = patch["patch"]["value"].to_string();
    let decides = [
        "typed_per_filter_config",
        "rate_limits",
        "direct_response",
        "redirect",
        "typedPerFilterConfig",
        "rateLimits",
    ];
    !decides.iter().any(|word| text.contains(word))
}

fn named(patch: &Value, applies: &str) -> Effect {
    let value = &patch["patch"]["value"];
    let text = format!("{value}{}", patch["match"]["listener"]);
    let text = match patch["patch"]["operation"].as_str() {
        // What is taken away is named by the match.
        Some("REMOVE") => return Effect::Other(format!("REMOVE {applies}")),
        _ => text,
    };
    let kinds: [(&[&str], Effect); 6] = [
        (
            &["listener.proxy_protocol", "ProxyProtocol"],
            Effect::ProxyProtocol,
        ),
        (
            &["local_ratelimit", "LocalRateLimit"],
            Effect::LocalRateLimit,
        ),
        (
            &[
                "filters.http.ratelimit",
                "filters.network.ratelimit",
                "rate_limits",
                "RateLimit",
            ],
            Effect::RateLimit,
        ),
        (&["ext_authz", "ExtAuthz"], Effect::ExtAuthz),
        (&["filters.http.lua", "v3.Lua"], Effect::Lua),
        (
            &["filters.http.wasm", "filters.network.wasm", "v3.Wasm"],
            Effect::Wasm,
        ),
    ];
    let found = kinds
        .into_iter()
        .find(|(words, _)| words.iter().any(|word| text.contains(word)));
    found.map_or_else(
        || Effect::Other(value["name"].as_str().unwrap_or(applies).to_owned()),
        |(_, effect)| effect,
    )
}

fn lets_others_in(patch: &Value) -> bool {
    let text = patch["patch"]["value"].to_string();
    text.contains(r#""allow_requests_without_proxy_protocol":true"#)
        || text.contains(r#""allowRequestsWithoutProxyProtocol":true"#)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{labels, meta};
    use super::*;
    use serde_json::json;

    fn found(namespace: &str, spec: Value, gateway: bool) -> Filters {
        let mut filter = EnvoyFilter {
            metadata: meta("f", 1),
            spec,
        };
        filter.metadata.namespace = namespace.into();
        let own = labels(&[("app", "web")]);
        let place = Place {
            namespace: "shop",
            labels: &own,
            gateway,
            port: 15091,
        };
        on_listener(&[filter], &place, "istio-system")
    }

    fn http(matched: Value, name: &str) -> Value {
        json!({"configPatches": [{"applyTo": "HTTP_FILTER", "match": matched,
            "patch": {"operation": "INSERT_BEFORE", "value": {"name": name}}}]})
    }

    fn effects(filters: &Filters) -> Vec<Effect> {
        let touches = filters.why().into_iter().flatten();
        touches.map(|touch| touch.effect.clone()).collect()
    }

    const LIMIT: &str = "envoy.filters.http.local_ratelimit";

    #[test]
    fn which_listeners_a_patch_touches() {
        let inbound = |listener: Value| json!({"context": "SIDECAR_INBOUND", "listener": listener});
        for (matched, touches) in [
            (json!({}), true),
            (inbound(json!({})), true),
            (inbound(json!({"portNumber": 15091})), true),
            (inbound(json!({"portNumber": 8080})), false),
            (
                inbound(json!({"filterChain": {"destinationPort": 8080}})),
                false,
            ),
            (
                inbound(
                    json!({"filterChain": {"filter": {"name": "envoy.filters.network.http_connection_manager"}}}),
                ),
                true,
            ),
            (
                inbound(
                    json!({"filterChain": {"filter": {"name": "envoy.filters.network.tcp_proxy"}}}),
                ),
                false,
            ),
            (
                inbound(json!({"filterChain": {"sni": "web.example"}})),
                false,
            ),
            (inbound(json!({"name": "virtualOutbound"})), false),
            (json!({"context": "SIDECAR_OUTBOUND"}), false),
            (json!({"context": "GATEWAY"}), false),
        ] {
            let is = effects(&found("shop", http(matched.clone(), LIMIT), false));
            let expected = if touches {
                vec![Effect::LocalRateLimit]
            } else {
                vec![]
            };
            assert_eq!(is, expected, "{matched}");
        }
        let gateway = |matched: Value| !found("shop", http(matched, LIMIT), true).holds();
        assert!(gateway(json!({"context": "GATEWAY"})));
        assert!(gateway(
            json!({"context": "GATEWAY", "listener": {"portNumber": 15091}})
        ));
        assert!(!gateway(
            json!({"context": "GATEWAY", "listener": {"portNumber": 8443}})
        ));
        assert!(!gateway(json!({"context": "SIDECAR_INBOUND"})));
    }

    #[test]
    fn whose_pods_and_what() {
        let all = || http(json!({"context": "SIDECAR_INBOUND"}), LIMIT);
        assert!(!found("istio-system", all(), false).holds());
        assert!(found("bank", all(), false).holds());
        let mut other = all();
        other["workloadSelector"] = json!({"labels": {"app": "cart"}});
        assert!(found("shop", other, false).holds());
        for (name, effect) in [
            ("envoy.filters.http.ext_authz", Effect::ExtAuthz),
            ("envoy.filters.http.ratelimit", Effect::RateLimit),
            ("envoy.filters.http.lua", Effect::Lua),
            ("envoy.filters.http.wasm", Effect::Wasm),
            (
                "envoy.filters.http.cors",
                Effect::Other("envoy.filters.http.cors".into()),
            ),
        ] {
            assert_eq!(
                effects(&found("shop", http(json!({}), name), false)),
                [effect]
            );
        }
    }

    #[test]
    fn a_proxy_protocol_that_is_asked_for_lets_no_scrape_in() {
        let patch = |value: Value| {
            json!({"configPatches": [{"applyTo": "LISTENER", "match": {"context": "SIDECAR_INBOUND"},
                "patch": {"operation": "MERGE", "value": {"listener_filters": [value]}}}]})
        };
        let name = "envoy.filters.listener.proxy_protocol";
        let asked = found("shop", patch(json!({"name": name})), false);
        assert_eq!(
            asked.fault().map(|of| &of.effect),
            Some(&Effect::ProxyProtocol)
        );
        let may =
            json!({"name": name, "typed_config": {"allow_requests_without_proxy_protocol": true}});
        assert_eq!(
            effects(&found("shop", patch(may), false)),
            [Effect::ProxyProtocol]
        );
        assert!(expects_proxy_protocol(
            false,
            Some("gatewayTopology: {proxyProtocol: {}}")
        ));
        assert!(expects_proxy_protocol(true, None));
        assert!(!expects_proxy_protocol(
            false,
            Some("gatewayTopology: {numTrustedProxies: 1}")
        ));
    }
}
