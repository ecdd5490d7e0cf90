//! What the published recipe and Istio's secure sample left behind, taken away when ours stands.

use super::select::Selection;
use crate::mesh::kinds::{ObjectRef, WorkloadRef};
use crate::mesh::{Gateway, Leftover, LeftoverKind, Mesh};
use crate::plan::path::LeafPath;
use crate::plan::{Action, Change, ChangeId, Expected, LeafEdit, Part, Price};
use serde_json::Value;
use std::collections::BTreeMap;

fn of_kind(mesh: &Mesh, kind: LeftoverKind) -> impl Iterator<Item = &Leftover> {
    let mut found: Vec<_> = mesh.leftovers.iter().filter(|l| l.kind == kind).collect();
    found.sort_unstable_by(|a, b| a.object.cmp(&b.object));
    found.into_iter()
}

fn delete(leftover: &Leftover, needs: Vec<ChangeId>) -> Change {
    Change {
        needs,
        ..Change::new(
            leftover.object.clone(),
            Part::Repair,
            Action::Delete {
                uid: leftover.uid.clone(),
            },
            leftover.fault.clone(),
        )
    }
}

/// Selectorless Sidecars (fault 3) of the namespaces in which something was chosen, once all our listeners
/// there stand. `listeners`: those of the chosen workloads.
pub(super) fn sidecars(
    mesh: &Mesh,
    chosen: &Selection,
    listeners: &BTreeMap<WorkloadRef, ChangeId>,
) -> Vec<Change> {
    of_kind(mesh, LeftoverKind::NamespaceSidecar)
        .filter_map(|leftover| {
            let space = &leftover.object.namespace;
            let needs: Vec<ChangeId> = listeners
                .iter()
                .filter(|(item, _)| item.namespace == *space)
                .map(|(_, id)| id.clone())
                .collect();
            if needs.is_empty() {
                return None;
            }
            let mut change = delete(leftover, needs);
            let losing: Vec<String> = mesh
                .workloads
                .iter()
                .filter(|w| w.id.namespace == *space && w.secured_port.is_none())
                .filter(|w| !chosen.workloads.iter().any(|c| c.id == w.id))
                .filter(|w| w.scraped.secure)
                .map(|w| w.id.to_string())
                .collect();
            if !losing.is_empty() {
                change.prices.push(Price::Note(format!(
                    "{} lose the port 15091 that this Sidecar opened for them",
                    losing.join(", ")
                )));
            }
            Some(change)
        })
        .collect()
}

/// The old 15091 server of the chosen gateways, its route and its ServiceEntry (faults 9 and 10), once ours stands.
/// Of two servers with one host and port the later is skipped, so that ours takes over when the old one goes.
pub(super) fn gateways(
    mesh: &Mesh,
    chosen: &Selection,
    listeners: &BTreeMap<WorkloadRef, ChangeId>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut repaired: BTreeMap<ObjectRef, Vec<ChangeId>> = BTreeMap::new();
    for leftover in of_kind(mesh, LeftoverKind::GatewayServer) {
        let needs: Vec<ChangeId> = chosen
            .gateways
            .iter()
            .filter(|g| serves(g, leftover))
            .filter_map(|g| listeners.get(&g.workload.id).cloned())
            .collect();
        if needs.is_empty() {
            continue;
        }
        repaired.insert(leftover.object.clone(), needs.clone());
        changes.push(without(leftover, "servers", needs, |server| {
            server["port"]["number"] == super::SECURE_PORT
        }));
    }
    let all: Vec<ChangeId> = listeners
        .iter()
        .filter(|(item, _)| chosen.gateways.iter().any(|g| g.workload.id == **item))
        .map(|(_, id)| id.clone())
        .collect();
    let mut hosts = Vec::new();
    let mut routes = Vec::new();
    for leftover in of_kind(mesh, LeftoverKind::MetricsRoute) {
        let bound = bound_to(leftover);
        let needs: Vec<ChangeId> = match bound.is_empty() {
            true => all.clone(),
            false => bound
                .iter()
                .filter_map(|g| repaired.get(g))
                .flatten()
                .cloned()
                .collect(),
        };
        if needs.is_empty() {
            continue;
        }
        hosts.extend(destinations(&leftover.spec));
        routes.push(without(leftover, "http", needs, |route| {
            route["match"].as_array().into_iter().flatten().any(|m| {
                [&m["uri"]["exact"], &m["uri"]["prefix"]]
                    .iter()
                    .any(|uri| *uri == super::METRICS_PATH)
            })
        }));
    }
    for leftover in of_kind(mesh, LeftoverKind::AdminServiceEntry) {
        let served = leftover.spec["hosts"]
            .as_array()
            .is_none_or(|list| list.iter().any(|h| hosts.iter().any(|host| h == host)));
        if served && !all.is_empty() {
            let mut change = delete(leftover, all.clone());
            change.after = routes.iter().map(|r| r.id.clone()).collect();
            changes.push(change);
        }
    }
    // Routes first, then what they lead to.
    let at = changes
        .iter()
        .position(|c| c.object.kind == crate::mesh::kinds::Kind::ServiceEntry)
        .unwrap_or(changes.len());
    changes.splice(at..at, routes);
    changes
}

fn serves(gateway: &Gateway, leftover: &Leftover) -> bool {
    gateway.on_15091.contains(&leftover.object)
        || leftover.spec["selector"]
            .as_object()
            .is_some_and(|selector| {
                let labels = &gateway.workload.template.metadata.labels;
                !selector.is_empty()
                    && selector
                        .iter()
                        .all(|(k, v)| labels.get(k).map(String::as_str) == v.as_str())
            })
}

/// The Gateways that a VirtualService names, in full.
fn bound_to(route: &Leftover) -> Vec<ObjectRef> {
    let kind = crate::mesh::kinds::Kind::Gateway;
    route.spec["gateways"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|name| match name.split_once('/') {
            Some((space, name)) => ObjectRef::new(kind, space, name),
            None => ObjectRef::new(kind, &route.object.namespace, name),
        })
        .collect()
}

fn destinations(spec: &Value) -> Vec<Value> {
    let routes = spec["http"].as_array().into_iter().flatten();
    routes
        .flat_map(|http| http["route"].as_array().into_iter().flatten())
        .map(|route| route["destination"]["host"].clone())
        .collect()
}

/// The object without the entries of its (atomic) list; deleted where nothing else is in it.
fn without(
    leftover: &Leftover,
    list: &str,
    needs: Vec<ChangeId>,
    bad: impl Fn(&Value) -> bool,
) -> Change {
    let today = leftover.spec[list].as_array().cloned().unwrap_or_default();
    let kept: Vec<Value> = today.iter().filter(|entry| !bad(entry)).cloned().collect();
    if kept.is_empty() || kept.len() == today.len() {
        return delete(leftover, needs);
    }
    let edit = LeafEdit {
        path: LeafPath::fields(["spec", list]),
        expect: Expected::Value(today.into()),
        to: Some(kept.into()),
    };
    Change {
        needs,
        ..Change::new(
            leftover.object.clone(),
            Part::Repair,
            Action::Edit { leaves: vec![edit] },
            leftover.fault.clone(),
        )
    }
}

/// Whether a Gateway of others on 15091 is one that the plan takes away.
pub(super) fn taken_away(mesh: &Mesh, object: &ObjectRef) -> bool {
    of_kind(mesh, LeftoverKind::GatewayServer).any(|l| l.object == *object)
}
