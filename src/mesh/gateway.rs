//! Gateways: workloads whose one container is the proxy itself, and the Istio objects that configure them.

use super::assemble::{Index, all_workloads};
use super::injection::Decision;
use super::kinds::{Kind, ObjectRef, WorkloadRef};
use super::labels::{is_ours, labels_at};
use super::objects::{self as lean, Labels};
use super::pods::PROXY;
use super::workload::{Base, base, secure, takes};
use super::{Gateway, GatewayFlavour, Inventory, Workload};
use super::{leftovers, obstacles as against};
use crate::problems::{Problem, Subject};
use std::collections::BTreeMap;

const API_NAME: &str = "gateway.networking.k8s.io/gateway-name";
const API_CLASS: &str = "gateway.networking.k8s.io/gateway-class-name";
const WAYPOINT_CLASS: &str = "istio-waypoint";

/// An istio-proxy that routes for others: an injected gateway, a classic one, or one of the Gateway API.
pub(super) fn is_gateway(item: &lean::Workload) -> bool {
    let template = &item.spec.template;
    let containers = &template.spec.containers;
    let injected = template
        .metadata
        .annotations
        .get("inject.istio.io/templates")
        .is_some_and(|list| list.split(',').any(|name| name.trim() == "gateway"));
    let routes = containers
        .iter()
        .any(|c| c.name == PROXY && c.args.iter().chain(&c.command).any(|arg| arg == "router"));
    let alone = matches!(&containers[..], [only] if only.name == PROXY);
    injected || routes || alone || template.metadata.labels.contains_key(API_NAME)
}

/// Names of the Gateway API's waypoints.
pub(super) fn waypoints(inventory: &Inventory) -> Vec<(&str, &str)> {
    inventory
        .k8s_gateways
        .items
        .iter()
        .filter(|gateway| gateway.spec["gatewayClassName"].as_str() == Some(WAYPOINT_CLASS))
        .map(|gateway| {
            let meta = &gateway.metadata;
            (meta.namespace.as_str(), meta.name.as_str())
        })
        .collect()
}

fn flavour(index: &Index<'_>, item: &lean::Workload) -> GatewayFlavour {
    let labels = &item.spec.template.metadata.labels;
    let Some(name) = labels.get(API_NAME) else {
        return GatewayFlavour::Classic;
    };
    let waypoint = labels.contains_key("istio.io/waypoint-for")
        || labels
            .get(API_CLASS)
            .is_some_and(|class| class == WAYPOINT_CLASS)
        || labels
            .get("gateway.istio.io/managed")
            .is_some_and(|by| by == "istio.io-mesh-controller")
        || index
            .waypoints
            .contains(&(item.metadata.namespace.as_str(), name.as_str()));
    if waypoint {
        GatewayFlavour::Waypoint
    } else {
        GatewayFlavour::GatewayApi
    }
}

/// The fewest labels that people know a gateway by; all of its selector where those would take others too.
fn selector(item: &lean::Workload, others: &[&lean::Workload]) -> Labels {
    let labels = &item.spec.template.metadata.labels;
    let mut selector: Labels = ["app", "istio"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), labels.get(key)?.clone())))
        .collect();
    let shared = |selector: &Labels| {
        others
            .iter()
            .any(|other| takes(selector, &other.spec.template))
    };
    if selector.is_empty() || shared(&selector) {
        selector.extend(item.spec.selector.match_labels.clone());
    }
    if shared(&selector) {
        selector.extend(labels.clone());
    }
    selector
}

fn role(item: &lean::Workload) -> String {
    let labels = &item.spec.template.metadata.labels;
    let named = labels
        .get("istio")
        .or(labels.get("app"))
        .unwrap_or(&item.metadata.name);
    for role in ["ingress", "egress"] {
        if named.contains(role) {
            return role.to_owned();
        }
    }
    named.clone()
}

pub(super) fn gateway(
    index: &Index<'_>,
    inventory: &Inventory,
    kind: Kind,
    item: &lean::Workload,
) -> Gateway {
    let Base {
        mut workload,
        decision,
        // A gateway's own listeners are no concern of its Sidecar.
        contradictions: _,
    } = base(index, kind, item);
    // Gateways have no Sidecar and no inbound capture: only policies for the pod count.
    workload.governed_by.sidecars.clear();
    workload.governed_by.peer_authentication = None;
    let flavour = flavour(index, item);
    let others: Vec<&lean::Workload> = all_workloads(inventory)
        .filter(|(other, found)| (*other, &found.metadata.uid) != (kind, &item.metadata.uid))
        .filter(|(other, found)| {
            (*other, &found.metadata.namespace, &found.metadata.name)
                != (kind, &item.metadata.namespace, &item.metadata.name)
        })
        .map(|(_, found)| found)
        .collect();
    let selector = selector(item, &others);
    let labels = &item.spec.template.metadata.labels;
    let on_15091: Vec<&lean::Gateway> = index
        .gateways
        .selecting("", labels)
        .into_iter()
        .filter(|gateway| !is_ours(&gateway.metadata))
        .filter(|gateway| {
            let servers = gateway.spec["servers"].as_array();
            servers.is_some_and(|all| all.iter().any(secure))
        })
        .collect();
    let strays = index.pods.strays(&workload.id.namespace, &selector);
    workload.strays = strays.into_iter().map(super::pods::pod).collect();
    workload.former_name = former_name(index, &workload.id, &selector);
    (workload.ours, workload.secured_port) = ours(index, &workload);
    workload.admits = admits(index, &workload);
    let caught = others
        .iter()
        .find(|other| takes(&selector, &other.spec.template))
        .map(|other| format!("{}/{}", other.metadata.namespace, other.metadata.name));
    let no_image = without_image(&workload, &decision);
    workload.obstacles = by_injection(index, &workload, decision);
    workload
        .obstacles
        .extend(obstacles(index, &workload, flavour, &on_15091, caught));
    // Where pods run all the same, the review says which change their successors would not survive.
    let runs = workload.pods.iter().any(|pod| pod.proxy.is_some());
    let unfit = match runs {
        true => no_image,
        false => {
            workload.obstacles.extend(no_image);
            None
        }
    };
    Gateway {
        flavour,
        selector,
        on_15091: on_15091.into_iter().map(gateway_ref).collect(),
        unfit,
        role: role(item),
        workload,
    }
}

/// A gateway whose proxy has no image but the placeholder that injection fills in, where injection does not reach its
/// pods: a restart would leave none running.
///
/// Source: Istio's gateway charts (`image: auto`) and the injection template `gateway`, which replaces it.
fn without_image(workload: &Workload, decision: &Decision) -> Option<Problem> {
    let containers = &workload.template.spec.containers;
    let placeholder = |c: &lean::Container| c.name == PROXY && c.image == "auto";
    let waits = *decision != Decision::Injects && containers.iter().any(placeholder);
    waits.then(|| Problem::NoProxyImage {
        of: (&workload.id).into(),
    })
}

/// The name that earlier versions gave our objects, where they exist and are for these pods.
fn former_name(index: &Index<'_>, id: &WorkloadRef, selector: &Labels) -> Option<String> {
    let name = id.former_name()?;
    let gateway = index.our_gateways.get(&(&id.namespace, &name))?;
    (labels_at(&gateway.spec, "/selector") == *selector).then_some(name)
}

fn ours(index: &Index<'_>, workload: &Workload) -> (Vec<ObjectRef>, Option<u16>) {
    let id = &workload.id;
    let name = workload.former_name.clone();
    let name = name.unwrap_or_else(|| id.our_gateway_name());
    let key = (id.namespace.as_str(), name.as_str());
    let entry = index.our_entries.get(&key);
    let there: BTreeMap<Kind, bool> = BTreeMap::from([
        (Kind::ServiceEntry, entry.is_some()),
        (Kind::VirtualService, index.our_routes.contains_key(&key)),
        (Kind::Gateway, index.our_gateways.contains_key(&key)),
    ]);
    let found = there
        .into_iter()
        .filter(|(_, there)| *there)
        .map(|(kind, _)| ObjectRef::new(kind, &id.namespace, &name))
        .collect();
    let port = entry
        .filter(|_| index.our_gateways.contains_key(&key))
        .and_then(|entry| entry.spec["ports"][0]["number"].as_u64())
        .and_then(|port| u16::try_from(port).ok());
    (found, port)
}

/// What stands against the next pod of a gateway whose proxy the injector fills in.
fn by_injection(index: &Index<'_>, workload: &Workload, decision: Decision) -> Vec<Problem> {
    if let Some(problem) = against::refused(index, workload, &decision) {
        return vec![problem];
    }
    match decision {
        Decision::Never(never) if never.is_policy() && workload.template.own_proxy().is_none() => {
            vec![never.problem((&workload.id).into())]
        }
        _ => Vec::new(),
    }
}

/// Whom our own Gateway lets in: the `subjectAltNames` of its secure server.
fn admits(index: &Index<'_>, workload: &Workload) -> Vec<String> {
    let ours = workload.ours.iter().find(|of| of.kind == Kind::Gateway);
    let gateway = ours.and_then(|of| {
        let key = (of.namespace.as_str(), of.name.as_str());
        index.our_gateways.get(&key)
    });
    let servers = gateway.and_then(|gateway| gateway.spec["servers"].as_array());
    let names = servers
        .into_iter()
        .flatten()
        .filter(|server| secure(server))
        .filter_map(|server| server["tls"]["subjectAltNames"].as_array())
        .flatten();
    names
        .filter_map(|name| name.as_str()?.strip_prefix("spiffe://"))
        .map(str::to_owned)
        .collect()
}

fn obstacles(
    index: &Index<'_>,
    workload: &Workload,
    flavour: GatewayFlavour,
    on_15091: &[&lean::Gateway],
    caught: Option<String>,
) -> Vec<Problem> {
    let of = || Subject::from(&workload.id);
    let mut found = Vec::new();
    match flavour {
        GatewayFlavour::Classic => {}
        GatewayFlavour::GatewayApi => found.push(Problem::ManagedByGatewayApi { of: of() }),
        GatewayFlavour::Waypoint => found.push(Problem::Waypoint { of: of() }),
    }
    for gateway in on_15091 {
        let object = gateway_ref(gateway);
        if leftovers::gateway_faults(&object, &gateway.spec).is_empty() {
            found.push(Problem::OwnServer {
                of: of(),
                gateway: object,
            });
        }
    }
    found.extend(against::allow_policies(workload));
    found.extend(against::of_policy(workload));
    if let Some(other) = caught {
        found.push(Problem::SharedLabels { of: of(), other });
    }
    found.extend(against::native_port(index, workload));
    found
}

fn gateway_ref(gateway: &lean::Gateway) -> ObjectRef {
    let meta = &gateway.metadata;
    ObjectRef::new(Kind::Gateway, &meta.namespace, &meta.name)
}
