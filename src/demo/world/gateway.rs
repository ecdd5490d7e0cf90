//! A gateway's listeners: Gateway resources that select the pod, the VirtualServices bound to them,
//! and the ServiceEntries that these lead to.

use std::sync::Arc;

use serde_json::Value;

use super::injection::Mesh;
use super::policy::{Asked, authorized};
use super::proxy::{Caller, Outcome, Tls, behind_envoy, inside};
use crate::demo::json::{at, has_labels, labels, list, name, namespace, text};
use crate::demo::kinds;
use crate::demo::store::Store;

/// The port of a Gateway's server that a port of the pod stands for: itself, or by a Service's target port.
fn server_ports(store: &Store, pod: &Value, port: u16) -> Vec<u64> {
    let mut ports = vec![u64::from(port)];
    for service in store.of(&kinds::SERVICE, namespace(pod)) {
        if !has_labels(at(service, "/spec/selector"), labels(pod))
            || !at(service, "/spec/selector").is_object()
        {
            continue;
        }
        for entry in list(service, "/spec/ports") {
            let number = at(entry, "/port").as_u64().unwrap_or(0);
            if at(entry, "/targetPort").as_u64() == Some(u64::from(port)) {
                ports.push(number);
            }
        }
    }
    ports
}

pub fn request(store: &Store, mesh: &Mesh, pod: &Value, port: u16, caller: &Caller) -> Outcome {
    if matches!(port, 15020 | 15021 | 15090) {
        if caller.tls != Tls::Plaintext {
            return Outcome::PlainListener;
        }
        let local_only =
            super::injection::proxy_env(pod, "METRICS_LOCALHOST_ACCESS_ONLY") == Some("true");
        return match port {
            15090 if local_only => Outcome::Refused,
            15020 if local_only => {
                Outcome::answer(403, "Only requests from localhost are allowed\n")
            }
            _ => inside(pod, port, caller, mesh, false),
        };
    }
    let ports = server_ports(store, pod, port);
    let mut gateways: Vec<(&Arc<Value>, &Value)> = store
        .all(&kinds::GATEWAY)
        .filter(|gateway| {
            let selector = at(gateway, "/spec/selector");
            selector.is_object() && has_labels(selector, labels(pod))
        })
        .flat_map(|gateway| {
            list(gateway, "/spec/servers")
                .iter()
                .map(move |s| (gateway, s))
        })
        .filter(|(_, server)| {
            at(server, "/port/number")
                .as_u64()
                .is_some_and(|n| ports.contains(&n))
        })
        .collect();
    gateways.sort_by_key(|(gateway, _)| text(gateway, "/metadata/creationTimestamp").to_owned());
    let Some((_, first)) = gateways.first() else {
        return Outcome::Refused;
    };
    let tls = text(first, "/tls/mode");
    let secure = matches!(text(first, "/port/protocol"), "HTTPS" | "TLS") || !tls.is_empty();
    match (secure, caller.tls) {
        (true, Tls::Plaintext) => return Outcome::Eof,
        (false, Tls::NoCertificate | Tls::Certificate(_)) => return Outcome::PlainListener,
        (true, Tls::NoCertificate) if matches!(tls, "ISTIO_MUTUAL" | "MUTUAL") => {
            return Outcome::CertificateRequired;
        }
        _ => {}
    }
    if let Some(principal) = caller.principal() {
        let wanted = list(first, "/tls/subjectAltNames");
        let ours = format!("spiffe://{principal}");
        if !wanted.is_empty() && !wanted.iter().any(|name| *name == ours.as_str()) {
            return Outcome::Reset;
        }
    }
    let path = caller.path.split('?').next().unwrap_or("");
    let asked = Asked {
        port,
        path,
        method: caller.method,
        principal: caller.principal(),
    };
    if !authorized(store, mesh, pod, &asked) {
        return Outcome::answer(403, "RBAC: access denied");
    }
    for (gateway, server) in &gateways {
        let number = at(server, "/port/number").as_u64().unwrap_or(0);
        if let Some(destination) = routed(store, gateway, number, path) {
            return behind_envoy(reach(store, pod, &destination, caller, mesh));
        }
    }
    Outcome::answer(404, "")
}

/// Host, port and namespace of the VirtualService that takes the path on a server of a Gateway.
struct Destination {
    host: String,
    port: u64,
    namespace: String,
}

fn routed(store: &Store, gateway: &Value, port: u64, path: &str) -> Option<Destination> {
    let own = name(gateway);
    let full = format!("{}/{own}", namespace(gateway));
    store
        .all(&kinds::VIRTUAL_SERVICE)
        .filter(|service| {
            list(service, "/spec/gateways").iter().any(|bound| {
                *bound == full.as_str()
                    || (*bound == own && namespace(service) == namespace(gateway))
            })
        })
        .find_map(|service| {
            let route = list(service, "/spec/http").iter().find(|route| {
                let matches = list(route, "/match");
                matches.is_empty() || matches.iter().any(|m| fits(m, port, path))
            })?;
            let destination = at(route, "/route/0/destination");
            Some(Destination {
                host: text(destination, "/host").to_owned(),
                port: at(destination, "/port/number").as_u64().unwrap_or(80),
                namespace: namespace(service).to_owned(),
            })
        })
}

fn fits(wanted: &Value, port: u64, path: &str) -> bool {
    let port_fits = at(wanted, "/port").as_u64().is_none_or(|n| n == port);
    let exact = text(wanted, "/uri/exact");
    let prefix = text(wanted, "/uri/prefix");
    let uri_fits =
        (exact.is_empty() || exact == path) && (prefix.is_empty() || path.starts_with(prefix));
    port_fits && uri_fits
}

/// What stands behind a host: a ServiceEntry that this gateway may see, or a Service.
fn reach(store: &Store, pod: &Value, to: &Destination, caller: &Caller, mesh: &Mesh) -> Outcome {
    let entry = store.all(&kinds::SERVICE_ENTRY).find(|entry| {
        let exported = list(entry, "/spec/exportTo");
        let seen = exported.is_empty()
            || exported.iter().any(|e| e == "*" || e == namespace(pod))
            || (namespace(entry) == namespace(pod) && exported.iter().any(|e| e == "."));
        seen && list(entry, "/spec/hosts")
            .iter()
            .any(|host| *host == to.host.as_str())
    });
    if let Some(entry) = entry {
        let local = list(entry, "/spec/endpoints")
            .iter()
            .any(|e| matches!(text(e, "/address"), "127.0.0.1" | "localhost" | "::1"));
        let port = list(entry, "/spec/ports")
            .iter()
            .find(|p| at(p, "/number").as_u64() == Some(to.port))
            .map(|p| at(p, "/targetPort").as_u64().unwrap_or(to.port));
        return match port.and_then(|p| u16::try_from(p).ok()) {
            Some(port) if local => inside(pod, port, caller, mesh, true),
            _ => Outcome::answer(503, "no healthy upstream"),
        };
    }
    let mut parts = to.host.split('.');
    let service = parts.next().unwrap_or("");
    let ns = parts.next().unwrap_or(&to.namespace);
    match store.get(&kinds::SERVICE, ns, service) {
        Some(_) => Outcome::answer(200, "ok\n"),
        None => Outcome::answer(503, "no healthy upstream"),
    }
}
