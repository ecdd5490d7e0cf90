//! What the published recipe and Istio's secure sample left behind, taken away when ours stands.

use super::select::Selection;
use crate::mesh::kinds::{ObjectRef, WorkloadRef};
use crate::mesh::{Gateway, Leftover, LeftoverKind, Mesh};
use crate::plan::path::LeafPath;
use crate::plan::purpose::Purpose;
use crate::plan::{Action, Change, ChangeId, Expected, LeafEdit, Part};
use crate::problems::Problem;
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
            Part::Fix,
            Action::Delete {
                uid: leftover.uid.clone(),
            },
            Purpose::Fixes {
                problems: leftover.problems.clone(),
            },
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
            let losing = mesh
                .workloads
                .iter()
                .filter(|w| w.id.namespace == *space && w.secured_port.is_none())
                .filter(|w| !chosen.workloads.iter().any(|c| c.id == w.id))
                .filter(|w| w.scraped.secure)
                .map(|w| Problem::PortCloses {
                    of: (&w.id).into(),
                    sidecar: leftover.object.clone(),
                });
            change.findings.extend(losing);
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
        let servers = list(&leftover.spec, "servers").iter();
        let servers = servers.filter(|server| server["port"]["number"] != super::SECURE_PORT);
        let servers = servers.cloned().collect();
        changes.extend(cut(leftover, "servers", servers, needs));
    }
    let all: Vec<ChangeId> = listeners
        .iter()
        .filter(|(item, _)| chosen.gateways.iter().any(|g| g.workload.id == **item))
        .map(|(_, id)| id.clone())
        .collect();
    let mut freed = Vec::new();
    let mut kept = Vec::new();
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
            kept.extend(destinations(&leftover.spec));
            continue;
        }
        freed.extend(destinations(&leftover.spec));
        let http = without_metrics(&leftover.spec);
        let mut after = leftover.spec.clone();
        after["http"] = http.clone().into();
        kept.extend(destinations(&after));
        routes.extend(cut(leftover, "http", http, needs));
    }
    // A host that another route still leads to stays, and so does what it names.
    freed.retain(|host| !kept.contains(host));
    for leftover in of_kind(mesh, LeftoverKind::AdminServiceEntry) {
        if all.is_empty() {
            continue;
        }
        if let Some(mut change) = without_hosts(leftover, &freed, all.clone()) {
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

fn list<'a>(spec: &'a Value, name: &str) -> &'a [Value] {
    spec[name].as_array().map_or(&[], Vec::as_slice)
}

/// The hosts that a VirtualService leads to, by whatever kind of route.
fn destinations(spec: &Value) -> Vec<Value> {
    let mut hosts = Vec::new();
    for route in ["http", "tls", "tcp"].iter().flat_map(|of| list(spec, of)) {
        let routed = list(route, "route")
            .iter()
            .map(|r| &r["destination"]["host"]);
        let mirrors = list(route, "mirrors")
            .iter()
            .map(|m| &m["destination"]["host"]);
        let all = routed.chain(mirrors).chain([&route["mirror"]["host"]]);
        hosts.extend(all.filter(|host| host.is_string()).cloned());
    }
    hosts
}

/// The HTTP routes less the matches of the metrics; a route of which no match is left goes with them.
fn without_metrics(spec: &Value) -> Vec<Value> {
    let metrics = |wanted: &Value| {
        let uri = &wanted["uri"];
        [&uri["exact"], &uri["prefix"]]
            .iter()
            .any(|path| **path == super::METRICS_PATH)
    };
    let mut kept = Vec::new();
    for route in list(spec, "http") {
        let matches = list(route, "match");
        let others: Vec<Value> = matches.iter().filter(|m| !metrics(m)).cloned().collect();
        if others.len() == matches.len() {
            kept.push(route.clone());
        } else if !others.is_empty() {
            let mut route = route.clone();
            route["match"] = others.into();
            kept.push(route);
        }
    }
    kept
}

/// A ServiceEntry for the metrics less the hosts that nothing needs any more; `None`: all are needed. One that
/// serves other ports beside the metrics keeps those.
fn without_hosts(leftover: &Leftover, freed: &[Value], needs: Vec<ChangeId>) -> Option<Change> {
    let spec = &leftover.spec;
    let hosts = list(spec, "hosts");
    let (gone, stay): (Vec<&Value>, Vec<&Value>) = hosts.iter().partition(|h| freed.contains(h));
    if !hosts.is_empty() && gone.is_empty() {
        return None;
    }
    let metrics = |port: &Value| matches!(port["number"].as_u64(), Some(15020 | 15090));
    let ports = list(spec, "ports").iter().filter(|port| !metrics(port));
    let ports: Vec<Value> = ports.cloned().collect();
    match (stay.is_empty(), ports.is_empty()) {
        (true, true) => Some(delete(leftover, needs)),
        (true, false) => cut(leftover, "ports", ports, needs),
        (false, _) => cut(
            leftover,
            "hosts",
            stay.into_iter().cloned().collect(),
            needs,
        ),
    }
}

/// The object with what is left of its (atomic) list; deleted where nothing else is in it. `None`: all of it is.
fn cut(leftover: &Leftover, name: &str, kept: Vec<Value>, needs: Vec<ChangeId>) -> Option<Change> {
    let today = list(&leftover.spec, name);
    let others = ["http", "tls", "tcp"].into_iter().filter(|of| *of != name);
    let mut others = others.map(|of| list(&leftover.spec, of));
    let nothing_else = others.all(<[Value]>::is_empty);
    if kept == today {
        return None;
    }
    if kept.is_empty() && nothing_else {
        return Some(delete(leftover, needs));
    }
    let edit = LeafEdit {
        path: LeafPath::fields(["spec", name]),
        expect: Expected::Value(today.into()),
        to: (!kept.is_empty()).then(|| kept.into()),
    };
    Some(Change {
        needs,
        ..Change::new(
            leftover.object.clone(),
            Part::Fix,
            Action::Edit { leaves: vec![edit] },
            Purpose::Fixes {
                problems: leftover.problems.clone(),
            },
        )
    })
}

/// Whether a Gateway of others on 15091 is one that the plan takes away.
pub(super) fn taken_away(mesh: &Mesh, object: &ObjectRef) -> bool {
    of_kind(mesh, LeftoverKind::GatewayServer).any(|l| l.object == *object)
}
