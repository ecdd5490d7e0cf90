//! The Sidecar that opens 15091, and keeps the workload's own ports.
//!
//! Facts: without a selector it governs the whole namespace; any listed `ingress` takes away the listeners of
//! the workload's service ports, so that each target port stands here with its declared protocol, or with
//! none, which keeps sniffing (fault 3).

use super::{SECURE_PORT, ours, own, prices};
use crate::answers::MetricsPort;
use crate::error::Error;
use crate::gather::Gather;
use crate::mesh::kinds::Kind;
use crate::mesh::{ServicePort, Workload};
use crate::plan::{Action, Await, Change, ChangeId, Part, Price};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Ports of the agent and of Envoy itself, which inbound capture leaves out.
const PROXY_PORTS: [u16; 6] = [15000, 15001, 15006, 15020, 15021, 15090];

/// # Errors
/// A Service port whose target is not known, or one that leads to 15091 itself.
pub(super) fn listener(
    workload: &Workload,
    port: MetricsPort,
    policies: [ChangeId; 2],
) -> Result<Change, Error> {
    let object = ours(Kind::Sidecar, workload);
    let (kept, doubtful) = ingress(workload)?;
    let mut ingress = vec![json!({
        "port": {"number": SECURE_PORT, "name": "http-metrics", "protocol": "HTTP"},
        "defaultEndpoint": format!("127.0.0.1:{}", u16::from(port)),
    })];
    ingress.extend(kept);
    let intent = own(
        &object,
        json!({"workloadSelector": {"labels": workload.selector}, "ingress": ingress}),
    );
    let mut prices = prices::listener(workload);
    prices.extend(doubtful.into_iter().map(Price::Note));
    Ok(Change {
        item: Some(workload.id.clone()),
        needs: policies.to_vec(),
        before: vec![Await::Settle(Duration::from_secs(1))],
        prices,
        ..Change::new(
            object,
            Part::Listener,
            Action::Apply { intent },
            format!(
                "Port {SECURE_PORT} of {} leads to {} inside the pod",
                workload.id.name,
                u16::from(port)
            ),
        )
    })
}

/// One entry for each target port of the workload's Services, and words where two Services disagree.
fn ingress(workload: &Workload) -> Result<(Vec<Value>, Vec<String>), Error> {
    let mut by_target: BTreeMap<u16, Vec<&ServicePort>> = BTreeMap::new();
    for port in &workload.services {
        // Envoy has no inbound listeners for UDP and SCTP.
        if !(port.transport.is_empty() || port.transport == "TCP") {
            continue;
        }
        let target = port.target.ok_or_else(|| {
            Error::new(format!(
                "port {} of Service {}/{} leads to a container port that is not known",
                port.port, workload.id.namespace, port.service
            ))
            .hint(format!(
                "name that port in the pod template of {}",
                workload.id
            ))
        })?;
        if target == SECURE_PORT {
            return Err(Error::new(format!(
                "Service {}/{} already leads to port {SECURE_PORT} of {}",
                workload.id.namespace, port.service, workload.id
            )));
        }
        if !PROXY_PORTS.contains(&target) {
            by_target.entry(target).or_default().push(port);
        }
    }
    let mut names = BTreeSet::from(["http-metrics".to_owned()]);
    let mut doubts = Vec::new();
    let mut entries = Vec::new();
    for (target, mut ports) in by_target {
        // A declared protocol before none, then by Service, so that the plan does not waver.
        ports.sort_unstable_by_key(|p| (protocol(p).is_none(), &p.service, p.port));
        let first = ports[0];
        let declared: BTreeSet<&str> = ports.iter().filter_map(|p| protocol(p)).gather();
        if declared.len() > 1 {
            doubts.push(format!(
                "Services declare port {target} of {} as {}; it is kept as {}",
                workload.id.name,
                declared.iter().copied().collect::<Vec<_>>().join(" and "),
                protocol(first).unwrap_or("undeclared")
            ));
        }
        let mut name = first
            .name
            .clone()
            .unwrap_or_else(|| format!("port-{target}"));
        if !names.insert(name.clone()) {
            name = format!("{name}-{target}");
            names.insert(name.clone());
        }
        let mut port = json!({"number": target, "name": name});
        if let Some(protocol) = protocol(first) {
            port["protocol"] = protocol.into();
        }
        entries.push(json!({ "port": port }));
    }
    Ok((entries, doubts))
}

/// The protocol that a Service declares for a port: by `appProtocol`, else by the prefix of its name.
pub(super) fn protocol(port: &ServicePort) -> Option<&'static str> {
    if let Some(app) = &port.app_protocol {
        return match app.to_ascii_lowercase().as_str() {
            "kubernetes.io/h2c" => Some("HTTP2"),
            "kubernetes.io/ws" => Some("HTTP"),
            "kubernetes.io/wss" => Some("HTTPS"),
            word => known(word),
        };
    }
    let name = port.name.as_deref()?.to_ascii_lowercase();
    if name == "grpc-web" || name.starts_with("grpc-web-") {
        return known("grpc-web");
    }
    known(name.split('-').next()?)
}

fn known(word: &str) -> Option<&'static str> {
    Some(match word {
        "http" => "HTTP",
        "https" => "HTTPS",
        "http2" => "HTTP2",
        "grpc" => "GRPC",
        "grpc-web" => "GRPC-WEB",
        "tcp" => "TCP",
        "tls" => "TLS",
        "mongo" => "MONGO",
        "mysql" => "MYSQL",
        "redis" => "REDIS",
        _ => return None,
    })
}
