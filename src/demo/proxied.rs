//! The API server's proxy to pods and Services.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answers::{self, Reply};
use super::api::{Call, named};
use super::json::{annotation, at, label, list, name, number_of, text, uid};
use super::kinds;
use super::routes::{Objects, Query};
use super::world::World;
use super::world::proxy::{Caller, Outcome, Tls, app_metrics};

/// `[SCHEME:]NAME[:PORT]`
struct Named<'a> {
    https: bool,
    name: &'a str,
    port: &'a str,
}

fn read(text: &str) -> Named<'_> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [scheme @ ("http" | "https"), name, port] => Named {
            https: *scheme == "https",
            name,
            port,
        },
        [name, port] => Named {
            https: false,
            name,
            port,
        },
        _ => Named {
            https: false,
            name: text,
            port: "",
        },
    }
}

pub fn handle(world: &mut World, call: &Call, to: &Objects) -> Reply {
    let wanted = read(&to.name);
    let Some(found) = named(world, to, wanted.name) else {
        return answers::not_found(to.kind, wanted.name);
    };
    let (pod, port) = if *to.kind == kinds::SERVICE {
        match behind(world, &found, wanted.port) {
            Ok(place) => place,
            Err(reply) => return reply,
        }
    } else {
        let port = match wanted.port.parse() {
            Ok(port) => port,
            Err(_) if wanted.port.is_empty() => first_port(&found),
            Err(_) => return answers::bad_request(format!("invalid port {:?}", wanted.port)),
        };
        (found, port)
    };
    let path = format!("/{}", to.rest);
    let caller = Caller {
        pod: None,
        tls: if wanted.https {
            Tls::NoCertificate
        } else {
            Tls::Plaintext
        },
        method: &call.method,
        path: &path,
    };
    let outcome = world.request(&pod, port, &caller);
    let address = text(&pod, "/status/podIP").to_owned();
    let target = format!("{address}:{port}");
    let own = format!("10.250.0.2:{}", 32768 + number_of(&target) % 28000);
    match outcome {
        Outcome::Answer { code, body } => Reply::text(code, body),
        Outcome::App(port) => app(world, call, &pod, port, &path),
        Outcome::Refused => {
            answers::unreachable(&format!("dial tcp {target}: connect: connection refused"))
        }
        Outcome::Reset => answers::unreachable(&format!(
            "read tcp {own}->{target}: read: connection reset by peer"
        )),
        Outcome::Eof => answers::unreachable("EOF"),
        Outcome::Timeout => answers::unreachable(&format!("dial tcp {target}: i/o timeout")),
        Outcome::CertificateRequired => {
            answers::unreachable("remote error: tls: certificate required")
        }
        Outcome::PlainListener => {
            answers::unreachable("http: server gave HTTP response to HTTPS client")
        }
    }
}

fn first_port(pod: &Value) -> u16 {
    at(pod, "/spec/containers/0/ports/0/containerPort")
        .as_u64()
        .and_then(|p| u16::try_from(p).ok())
        .unwrap_or(80)
}

/// A ready pod behind a Service's port, and the port of the pod.
fn behind(world: &World, service: &Value, wanted: &str) -> Result<(Arc<Value>, u16), Reply> {
    let unavailable = |why: String| answers::failure(503, "ServiceUnavailable", why, Value::Null);
    let own = name(service);
    let number: Option<u64> = wanted.parse().ok();
    let entry = list(service, "/spec/ports").iter().find(|port| {
        let numbered = number.is_some() && at(port, "/port").as_u64() == number;
        wanted.is_empty() || text(port, "/name") == wanted || numbered
    });
    let Some(entry) = entry else {
        return Err(unavailable(format!(
            "no service port {wanted:?} found for service {own:?}"
        )));
    };
    let pods = world.endpoints(service);
    let Some(pod) = pods.first() else {
        return Err(unavailable(format!(
            "no endpoints available for service {own:?}"
        )));
    };
    let port = match at(entry, "/targetPort") {
        Value::String(named) => list(pod, "/spec/containers")
            .iter()
            .flat_map(|container| list(container, "/ports"))
            .find(|port| text(port, "/name") == named)
            .and_then(|port| at(port, "/containerPort").as_u64()),
        other => other.as_u64(),
    };
    match port.and_then(|p| u16::try_from(p).ok()) {
        Some(port) => Ok((pod.clone(), port)),
        None => Err(unavailable(format!(
            "no endpoints available for service {own:?}"
        ))),
    }
}

/// The app itself: Prometheus where it is one, else something small.
fn app(world: &mut World, call: &Call, pod: &Value, port: u16, path: &str) -> Reply {
    if world
        .proms
        .get(uid(pod))
        .is_some_and(|run| run.port == port)
    {
        let mut query = call.query.clone();
        if call
            .content_type
            .starts_with("application/x-www-form-urlencoded")
        {
            query
                .0
                .extend(Query::parse(&String::from_utf8_lossy(&call.body)).0);
        }
        return world.ask_prometheus(uid(pod), &call.method, path, &query);
    }
    let metrics = annotation(pod, "prometheus.io/path").unwrap_or("/metrics");
    if path == metrics || path == "/metrics" {
        return Reply::text(200, app_metrics(pod));
    }
    let app = label(pod, "app").unwrap_or(name(pod));
    Reply::json(200, &json!({"app": app, "path": path}))
}
