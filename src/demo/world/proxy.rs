//! What a request to a port of a pod meets: nothing, the app, a sidecar's listener, a gateway's, or the agent.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::injection::{Mesh, proxy_env};
use super::pods::{has_sidecar, is_gateway};
use super::policy::{Asked, Mode, authorized, mtls, sidecar};
use super::{World, gateway};
use crate::demo::json::{annotation, at, list, name, namespace, text, uid};
use crate::demo::store::Store;

/// For how long connections that were there before a policy go on being served (Envoy drains for 45 s).
pub const DRAIN: Duration = Duration::from_secs(45);
/// For how long an idle connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(60);

/// What comes back from a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Answer {
        code: u16,
        body: String,
    },
    /// The request reached the app behind this port.
    App(u16),
    /// Nobody listens.
    Refused,
    /// Closed by the other side's filter chains, or its policy.
    Reset,
    Eof,
    /// Dropped on the way.
    Timeout,
    /// TLS, and the listener wants a client certificate.
    CertificateRequired,
    /// TLS to a plaintext listener.
    PlainListener,
}

impl Outcome {
    pub fn answer(code: u16, body: impl Into<String>) -> Outcome {
        let body = body.into();
        Outcome::Answer { code, body }
    }
}

/// What the caller offers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tls<'a> {
    Plaintext,
    NoCertificate,
    /// The principal of a certificate of the mesh, without `spiffe://`.
    Certificate(&'a str),
}

/// Who asks, and how.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// `None`: the API server's proxy.
    pub pod: Option<&'a Value>,
    pub tls: Tls<'a>,
    pub method: &'a str,
    pub path: &'a str,
}

impl Caller<'_> {
    pub fn principal(&self) -> Option<&str> {
        match self.tls {
            Tls::Certificate(principal) => Some(principal),
            _ => None,
        }
    }
}

/// A connection that was served, and what became of it.
#[derive(Clone, Debug)]
pub struct Kept {
    served: Duration,
    refused: Option<Duration>,
}

impl World {
    /// A request to a port of a pod.
    pub fn request(&mut self, pod: &Arc<Value>, port: u16, caller: &Caller) -> Outcome {
        let mesh = self.mesh();
        let outcome = self.outcome(&mesh, pod, port, caller);
        if caller.pod.is_some() || caller.tls != Tls::Plaintext {
            return outcome;
        }
        // The API server reuses a connection that a policy would now refuse, until Envoy has drained it.
        let key = (uid(pod).to_owned(), port);
        let now = self.now;
        match (&outcome, self.kept.get_mut(&key)) {
            (Outcome::Answer { .. } | Outcome::App(_), _) => {
                self.kept.insert(
                    key,
                    Kept {
                        served: now,
                        refused: None,
                    },
                );
                outcome
            }
            (Outcome::Reset, Some(kept)) if now.saturating_sub(kept.served) < IDLE => {
                let refused = *kept.refused.get_or_insert(now);
                if now.saturating_sub(refused) >= DRAIN {
                    return outcome;
                }
                kept.served = now;
                inside(pod, 15020, caller, &mesh, true)
            }
            _ => outcome,
        }
    }

    /// The same without memory of connections.
    pub fn outcome(&self, mesh: &Mesh, pod: &Arc<Value>, port: u16, caller: &Caller) -> Outcome {
        let Some(run) = self.pods.get(uid(pod)) else {
            return Outcome::Timeout;
        };
        if !run.is_running() {
            return Outcome::Refused;
        }
        if let Some(from) = caller.pod
            && uid(from) != uid(pod)
            && !self.network_allows(from, pod, port)
        {
            return Outcome::Timeout;
        }
        if is_gateway(pod) {
            return gateway::request(&self.store, mesh, pod, port, caller);
        }
        if has_sidecar(pod) {
            return meshed(&self.store, mesh, pod, port, caller);
        }
        plain_app(pod, port, caller)
    }
}

fn declares(pod: &Value, port: u16) -> bool {
    list(pod, "/spec/containers").iter().any(|container| {
        list(container, "/ports")
            .iter()
            .any(|p| at(p, "/containerPort").as_u64() == Some(u64::from(port)))
    })
}

fn plain_app(pod: &Value, port: u16, caller: &Caller) -> Outcome {
    match (declares(pod, port), caller.tls) {
        (false, _) => Outcome::Refused,
        (true, Tls::Plaintext) => Outcome::App(port),
        (true, _) => Outcome::PlainListener,
    }
}

/// Whether the sidecar captures what arrives at a port.
fn captured(pod: &Value, port: u16) -> bool {
    if matches!(
        port,
        15000 | 15001 | 15004 | 15006 | 15008 | 15020 | 15021 | 15090
    ) {
        return false;
    }
    let listed = |text: &str| text.split(',').any(|p| p.trim().parse() == Ok(port));
    let included = match annotation(pod, "traffic.sidecar.istio.io/includeInboundPorts") {
        None | Some("*") => true,
        Some(ports) => listed(ports),
    };
    included && !annotation(pod, "traffic.sidecar.istio.io/excludeInboundPorts").is_some_and(listed)
}

/// A static TLS-only listener of the agent (1.31 and later): its port, and whether it is the merged one.
fn native_port(pod: &Value, port: u16) -> Option<bool> {
    let is = |variable: &str| proxy_env(pod, variable).and_then(|v| v.parse().ok()) == Some(port);
    if is("ENVOY_SECURE_METRICS_PORT") {
        return Some(false);
    }
    is("ENVOY_SECURE_MERGED_METRICS_PORT").then_some(true)
}

fn meshed(store: &Store, mesh: &Mesh, pod: &Value, port: u16, caller: &Caller) -> Outcome {
    if matches!(port, 15020 | 15021 | 15090) {
        return agent_port(pod, port, caller, mesh);
    }
    let mode = mtls(store, mesh, pod, port);
    if let Some(merged) = native_port(pod, port) {
        return native(
            merged,
            captured(pod, port).then_some(mode),
            pod,
            caller,
            mesh,
        );
    }
    if !captured(pod, port) {
        return plain_app(pod, port, caller);
    }
    let governing = sidecar(store, mesh, pod);
    let listener = governing.and_then(|sidecar| {
        list(sidecar, "/spec/ingress")
            .iter()
            .find(|entry| at(entry, "/port/number").as_u64() == Some(u64::from(port)))
    });
    let Some(listener) = listener else {
        return unlisted(store, mesh, pod, port, mode, caller);
    };
    match (mode, caller.tls) {
        (Mode::Strict, Tls::Plaintext) => return Outcome::Reset,
        (Mode::Strict, Tls::NoCertificate) => return Outcome::CertificateRequired,
        (Mode::Strict, Tls::Certificate(_)) | (_, Tls::Plaintext) => {}
        // Only TLS with one of Istio's ALPNs has a filter chain, and Prometheus cannot send that.
        (Mode::Permissive, _) => return Outcome::Reset,
        (Mode::Disable, _) => return Outcome::PlainListener,
    }
    if !allowed(store, mesh, pod, port, caller) {
        return Outcome::answer(403, "RBAC: access denied");
    }
    let endpoint = text(listener, "/defaultEndpoint");
    let target = match endpoint.rsplit(':').next().and_then(|p| p.parse().ok()) {
        Some(target) if !endpoint.is_empty() => target,
        _ => port,
    };
    behind_envoy(inside(pod, target, caller, mesh, true))
}

fn allowed(store: &Store, mesh: &Mesh, pod: &Value, port: u16, caller: &Caller) -> bool {
    let asked = Asked {
        port,
        path: caller.path.split('?').next().unwrap_or(""),
        method: caller.method,
        principal: caller.principal(),
    };
    authorized(store, mesh, pod, &asked)
}

/// Captured, and no Sidecar lists the port: the service's own listener, or the passthrough chains.
fn unlisted(
    store: &Store,
    mesh: &Mesh,
    pod: &Value,
    port: u16,
    mode: Mode,
    caller: &Caller,
) -> Outcome {
    if !declares(pod, port) {
        return match (mode, caller.tls) {
            (Mode::Strict, Tls::Plaintext) => Outcome::Reset,
            (Mode::Strict, Tls::NoCertificate) => Outcome::CertificateRequired,
            (Mode::Strict, Tls::Certificate(_)) => Outcome::Eof,
            _ => Outcome::Refused,
        };
    }
    match (mode, caller.tls) {
        (Mode::Strict, Tls::Plaintext) => Outcome::Reset,
        (Mode::Strict, Tls::NoCertificate) => Outcome::CertificateRequired,
        (Mode::Strict, Tls::Certificate(_)) | (_, Tls::Plaintext) => {
            if allowed(store, mesh, pod, port, caller) {
                Outcome::App(port)
            } else {
                Outcome::answer(403, "RBAC: access denied")
            }
        }
        _ => Outcome::PlainListener,
    }
}

fn native(
    merged: bool,
    capture: Option<Mode>,
    pod: &Value,
    caller: &Caller,
    mesh: &Mesh,
) -> Outcome {
    match (caller.tls, capture) {
        // Inbound capture terminates the TLS and forwards plaintext to a TLS-only listener.
        (Tls::Certificate(_) | Tls::NoCertificate, Some(Mode::Strict)) => Outcome::Reset,
        (Tls::Plaintext, Some(Mode::Strict) | None) => Outcome::Reset,
        (Tls::Plaintext, Some(_)) => Outcome::answer(
            503,
            "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
        ),
        (Tls::NoCertificate, _) => Outcome::CertificateRequired,
        (Tls::Certificate(_), _) => {
            let target = if merged { 15020 } else { 15090 };
            inside(pod, target, caller, mesh, true)
        }
    }
}

/// The agent's plaintext ports, from another host.
fn agent_port(pod: &Value, port: u16, caller: &Caller, mesh: &Mesh) -> Outcome {
    if caller.tls != Tls::Plaintext {
        return Outcome::PlainListener;
    }
    let local_only = proxy_env(pod, "METRICS_LOCALHOST_ACCESS_ONLY") == Some("true");
    match port {
        15090 if local_only => Outcome::Refused,
        15020 if local_only && caller.path.contains("/stats/prometheus") => {
            Outcome::answer(403, "Only requests from localhost are allowed\n")
        }
        _ => inside(pod, port, caller, mesh, false),
    }
}

/// An answer that Envoy gives where nothing stands behind its listener.
pub fn behind_envoy(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Refused => Outcome::answer(
            503,
            "upstream connect error or disconnect/reset before headers. reset reason: remote connection \
             failure, transport failure reason: delayed connect error: Connection refused",
        ),
        other => other,
    }
}

/// What answers on a port of the pod itself; `local` when the request comes from its own proxy.
pub fn inside(pod: &Value, port: u16, caller: &Caller, mesh: &Mesh, local: bool) -> Outcome {
    let path = caller.path.split('?').next().unwrap_or("");
    // The agent's server may have been moved; 0 switches it off.
    let moved = annotation(pod, "status.sidecar.istio.io/port").and_then(|port| port.parse().ok());
    let agent: u16 = moved.unwrap_or(15020);
    let port = match port {
        port if port == agent => 15020,
        15020 => return Outcome::Refused,
        port => port,
    };
    match (port, path) {
        (15090, "/stats/prometheus") => Outcome::answer(200, envoy_metrics(pod)),
        (15020, "/stats/prometheus" | "/metrics") => {
            Outcome::answer(200, merged_metrics(pod, mesh))
        }
        (15020 | 15021, "/healthz/ready") => Outcome::answer(200, ""),
        (15020, "/quitquitquit" | "/drain") if caller.method != "POST" => {
            Outcome::answer(405, "Invalid request method\n")
        }
        (15020, p) if p == "/quitquitquit" || p == "/drain" || p.starts_with("/debug/") => {
            if local {
                Outcome::answer(200, "OK\n")
            } else {
                Outcome::answer(403, "Only requests from localhost are allowed\n")
            }
        }
        (15020 | 15021 | 15090, _) => Outcome::answer(404, "404 page not found\n"),
        _ if declares(pod, port) => Outcome::App(port),
        _ => Outcome::Refused,
    }
}

fn labels_of(pod: &Value) -> String {
    let app = text(pod, "/metadata/labels/app");
    let app = if app.is_empty() { name(pod) } else { app };
    format!(
        "destination_workload=\"{app}\",destination_workload_namespace=\"{}\"",
        namespace(pod)
    )
}

/// A few series such as Envoy has.
pub fn envoy_metrics(pod: &Value) -> String {
    let labels = labels_of(pod);
    let count = crate::demo::json::number_of(uid(pod)) % 90_000 + 1_000;
    format!(
        "# TYPE istio_requests_total counter\n\
         istio_requests_total{{reporter=\"destination\",response_code=\"200\",{labels}}} {count}\n\
         # TYPE envoy_server_live gauge\nenvoy_server_live{{}} 1\n\
         # TYPE envoy_server_uptime gauge\nenvoy_server_uptime{{}} {}\n\
         # TYPE envoy_cluster_upstream_cx_active gauge\n\
         envoy_cluster_upstream_cx_active{{cluster_name=\"xds-grpc\"}} 1\n",
        count / 7
    )
}

/// Envoy's, the agent's, and the app's series where merging is on.
fn merged_metrics(pod: &Value, mesh: &Mesh) -> String {
    let start = 1_700_000_000 + crate::demo::json::number_of(uid(pod)) % 1_000_000;
    let agent = format!(
        "# TYPE istio_agent_process_start_time_seconds gauge\n\
         istio_agent_process_start_time_seconds {start}\n\
         # TYPE istio_agent_scrapes_total counter\nistio_agent_scrapes_total 42\n"
    );
    let app = if mesh.merge_metrics {
        app_metrics(pod)
    } else {
        String::new()
    };
    format!("{}{agent}{app}", envoy_metrics(pod))
}

/// A few series of the app's own.
pub fn app_metrics(pod: &Value) -> String {
    let count = crate::demo::json::number_of(name(pod)) % 5_000;
    format!(
        "# TYPE http_requests_total counter\nhttp_requests_total{{code=\"200\"}} {count}\n\
         # TYPE process_open_fds gauge\nprocess_open_fds 17\n"
    )
}
