//! The Sidecar that opens 15091, and keeps the workload's own ports.
//!
//! Facts: without a selector it governs the whole namespace; any listed `ingress` takes away the listeners of
//! the workload's service ports, so that each target port stands here with the protocol that istiod reads today, or
//! with none, which keeps detection (fault 3).

use super::{SECURE_PORT, impacts, ours, own};
use crate::answers::MetricsPort;
use crate::error::Error;
use crate::mesh::Workload;
use crate::mesh::kinds::Kind;
use crate::plan::purpose::Purpose;
use crate::plan::{Action, Await, Change, ChangeId, Part};
use crate::problems::{Declared, Problem};
use crate::reach::inbound::{Protocol, ServicePort, by_target};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

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
        "defaultEndpoint": format!("127.0.0.1:{}", workload.behind(port)),
    })];
    ingress.extend(kept);
    let intent = own(
        &object,
        json!({"workloadSelector": {"labels": workload.selector}, "ingress": ingress}),
    );
    let mut findings = doubtful;
    findings.extend(impacts::strays(workload));
    Ok(Change {
        item: Some(workload.id.clone()),
        needs: policies.to_vec(),
        before: vec![Await::Settle(Duration::from_secs(1))],
        impacts: impacts::listener(workload),
        findings,
        ..Change::new(
            object,
            Part::Listener,
            Action::Apply { intent },
            Purpose::LeadsInside {
                workload: workload.id.name.clone(),
                port: workload.behind(port),
            },
        )
    })
}

/// One entry for each target port, and what leads to it in more than one declared way.
fn ingress(workload: &Workload) -> Result<(Vec<Value>, Vec<Problem>), Error> {
    for port in &workload.services {
        let object = || port.object(&workload.id.namespace);
        if port.target.is_none() {
            return Err(Error::new(format!(
                "port {} of {} leads to a container port that is not known",
                port.port,
                object()
            ))
            .hint(format!(
                "name that port in the pod template of {}",
                workload.id
            )));
        }
        if port.target == Some(SECURE_PORT) {
            return Err(Error::new(format!(
                "{} already leads to port {SECURE_PORT} of {}",
                object(),
                workload.id
            )));
        }
    }
    let mut names = BTreeSet::from(["http-metrics".to_owned()]);
    let mut doubts = Vec::new();
    let mut entries = Vec::new();
    for (target, ports) in by_target(&workload.services) {
        let first = ports[0];
        doubts.extend(disagreement(workload, target, &ports));
        let mut name = first
            .name
            .clone()
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| format!("port-{target}"));
        if !names.insert(name.clone()) {
            name = format!("{name}-{target}");
            names.insert(name.clone());
        }
        let mut port = json!({"number": target, "name": name});
        if let Some(protocol) = first.protocol.in_sidecar() {
            port["protocol"] = protocol.into();
        }
        entries.push(json!({ "port": port }));
    }
    Ok((entries, doubts))
}

/// What Istio does today with declarations that differ, which the Sidecar keeps.
fn disagreement(workload: &Workload, target: u16, ports: &[&ServicePort]) -> Option<Problem> {
    let (first, rest) = ports.split_first()?;
    let mut others: Vec<Declared> = Vec::new();
    let mut of_one_age = true;
    for port in rest {
        if !port.protocol.same_chain(first.protocol) {
            of_one_age &= port.created == first.created;
            let told = declared(workload, port);
            if !others.contains(&told) {
                others.push(told);
            }
        }
    }
    if others.is_empty() {
        return None;
    }
    Some(Problem::OneProtocolKept {
        of: (&workload.id).into(),
        port: target,
        kept: declared(workload, first),
        passed_over: others,
        of_one_age,
    })
}

fn declared(workload: &Workload, port: &ServicePort) -> Declared {
    Declared {
        object: port.object(&workload.id.namespace),
        protocol: match port.protocol {
            Protocol::Detected => None,
            declared => Some(declared.word().to_owned()),
        },
    }
}
