//! The Sidecar that opens 15091, and keeps the workload's own ports.
//!
//! Facts: without a selector it governs the whole namespace; any listed `ingress` takes away the listeners of
//! the workload's service ports, so that each target port stands here with the protocol that istiod reads today, or
//! with none, which keeps detection (fault 3).

use super::{SECURE_PORT, impacts, merged, ours, own};
use crate::answers::MetricsPort;
use crate::error::Error;
use crate::mesh::kinds::Kind;
use crate::mesh::{Governing, Workload};
use crate::plan::purpose::Purpose;
use crate::plan::{Action, Await, Change, ChangeId, Part};
use crate::problems::{Declared, Problem};
use crate::reach::inbound::{Protocol, ServicePort, by_target};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// # Errors
/// A Service port whose target is not known, or one that leads to 15091 itself.
pub(super) fn listener(
    workload: &Workload,
    port: MetricsPort,
    policies: Vec<ChangeId>,
) -> Result<Change, Error> {
    let entry = json!({
        "port": {"number": SECURE_PORT, "name": "http-metrics", "protocol": "HTTP"},
        "defaultEndpoint": format!("127.0.0.1:{}", workload.behind(port)),
    });
    let (object, action, mut findings) = match workload.governed_by.sidecars.first() {
        Some(theirs) if theirs.selects => {
            let (action, doubtful) = added(workload, theirs, entry)?;
            (theirs.object.clone(), action, doubtful)
        }
        theirs => {
            let object = ours(Kind::Sidecar, workload);
            let (spec, doubtful) = whole(workload, theirs.map(AsRef::as_ref), entry)?;
            let intent = own(&object, spec);
            (object, Action::Apply { intent }, doubtful)
        }
    };
    findings.extend(impacts::strays(workload));
    Ok(Change {
        item: Some(workload.id.clone()),
        needs: policies,
        before: vec![Await::Settle(Duration::from_secs(1))],
        impacts: impacts::listener(workload),
        findings,
        ..Change::new(
            object,
            Part::Listener,
            action,
            Purpose::LeadsInside {
                workload: workload.id.name.clone(),
                port: workload.behind(port),
            },
        )
    })
}

/// A Sidecar of our own. It governs the pods in place of `theirs`, that of the namespace or of the mesh, and istiod
/// merges none: what that one says of them it says too.
fn whole(
    workload: &Workload,
    theirs: Option<&Governing>,
    entry: Value,
) -> Result<(Value, Vec<Problem>), Error> {
    let mut spec = Map::new();
    let mut findings = Vec::new();
    let said = theirs.and_then(|of| of.spec.as_object());
    for (field, value) in said.into_iter().flatten() {
        spec.insert(field.clone(), value.clone());
    }
    if let (Some(theirs), false) = (theirs, spec.is_empty()) {
        findings.push(Problem::SidecarCopied {
            of: (&workload.id).into(),
            sidecar: theirs.object.clone(),
            fields: spec.keys().cloned().collect(),
        });
    }
    let (kept, doubtful) = kept(workload, spec.get("ingress"))?;
    findings.extend(doubtful);
    spec.insert(
        "workloadSelector".to_owned(),
        json!({"labels": workload.selector}),
    );
    let ingress: Vec<Value> = [entry].into_iter().chain(kept).collect();
    spec.insert("ingress".to_owned(), ingress.into());
    Ok((spec.into(), findings))
}

/// The listener in the Sidecar of others that selects the workload's pods.
fn added(
    workload: &Workload,
    theirs: &Governing,
    entry: Value,
) -> Result<(Action, Vec<Problem>), Error> {
    let today = &theirs.spec["ingress"];
    let others: Vec<Value> = list(today).filter(|one| !opens(one)).cloned().collect();
    let (kept, doubtful) = kept(workload, Some(&others.into()))?;
    let wanted: Vec<Value> = match list(today).any(opens) {
        // Where it stands, so that nothing changes where nothing is to change.
        true => list(today)
            .map(|one| match opens(one) {
                true => entry.clone(),
                false => one.clone(),
            })
            .collect(),
        false => kept.into_iter().chain([entry]).collect(),
    };
    Ok((merged::replaced("ingress", today, wanted), doubtful))
}

fn list(of: &Value) -> impl Iterator<Item = &Value> {
    of.as_array().into_iter().flatten()
}

fn opens(entry: &Value) -> bool {
    entry["port"]["number"] == SECURE_PORT
}

/// The listeners that the pods have today: those that the governing Sidecar lists, else one for each inbound port.
fn kept(workload: &Workload, listed: Option<&Value>) -> Result<(Vec<Value>, Vec<Problem>), Error> {
    match listed.and_then(Value::as_array) {
        Some(listed) if !listed.is_empty() => Ok((listed.clone(), Vec::new())),
        _ => ingress(workload),
    }
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
