//! Why a workload may not be chosen, the gravest reason first, each with what the user can do.

use super::assemble::Index;
use super::inbound::Machine;
use super::injection::{self, Decision};
use super::istio::{self, NATIVE_PORTS};
use super::kinds::{Kind, ObjectRef};
use super::labels::{labels_at, subset};
use super::objects::{self as lean, Labels};
use super::owner;
use super::workload::{self, Catches, SECURE};
use super::{Progress, SidecarState, Workload};
use crate::problems::{NotCaptured, Problem, Refusal, Subject, Unmerged};
use crate::reach::authorization::{Refused, Rule};
use crate::reach::capture;
use crate::reach::inbound::{Contradiction, ServicePort};
use crate::reach::injector::{Takes, Why};

const DATAPLANE_MODE: &str = "istio.io/dataplane-mode";

pub(super) fn obstacles(
    index: &Index<'_>,
    catches: &Catches,
    item: &lean::Workload,
    workload: &Workload,
    decision: Decision,
    contradictions: &[Contradiction],
) -> Vec<Problem> {
    let id = &workload.id;
    let of = || Subject::from(id);
    let template = &workload.template;
    let meshed = matches!(
        workload.sidecar,
        SidecarState::Injected { .. } | SidecarState::Partly { .. }
    );
    // A template that brings its own proxy has one whatever the injector does.
    let injects = template.own_proxy().is_none();
    let mut found: Vec<Problem> = refused(index, workload, &decision).into_iter().collect();
    match decision {
        Decision::Never(never)
            if !meshed || template.spec.host_network || (never.is_policy() && injects) =>
        {
            found.push(never.problem(of()));
        }
        _ if !meshed && in_ambient(index, workload) => {
            let labelled = match template.metadata.labels.contains_key(DATAPLANE_MODE) {
                true => id.object(),
                false => ObjectRef::new(Kind::Namespace, "", &id.namespace),
            };
            found.push(Problem::Ambient { of: of(), labelled });
        }
        _ => {}
    }
    if id.namespace == index.root {
        found.push(Problem::InRootNamespace { of: of() });
    }
    if let Some(owner) = &workload.owner {
        found.push(owner::problem(owner, of()));
    }
    for (list, progress) in &index.unread {
        // What stands in the root namespace governs the whole mesh.
        let from_root = !list.starts_with("Service") && concerns(progress, &index.root);
        if (concerns(progress, &id.namespace) || from_root)
            && let Some(why) = crate::words::progress(progress)
        {
            found.push(Problem::GovernedByUnread {
                of: of(),
                list: (*list).to_owned(),
                why: why.into_owned(),
            });
        }
    }
    found.extend(sidecars(workload));
    let peer = workload.governed_by.peer_authentication.iter();
    found.extend(peer.filter_map(|policy| {
        let owner = policy.owner.as_ref()?;
        Some(Problem::OwnPeerAuthentication {
            of: of(),
            policy: policy.object.clone(),
            tool: owner.tool,
            owner: owner.name.clone(),
        })
    }));
    found.extend(allow_policies(workload));
    found.extend(of_policy(workload));
    let selector = &item.spec.selector;
    if !selector.match_expressions.is_empty() || selector.match_labels.is_empty() {
        found.push(Problem::NoMatchLabels { of: of() });
    }
    if let Some(other) = catches.by(id) {
        found.push(Problem::SharedLabels {
            of: of(),
            other: other.to_owned(),
        });
    }
    let machines = index.machines.get(id.namespace.as_str());
    let machines = machines.into_iter().flatten();
    found.extend(machines.filter_map(|machine| of_machine(machine, workload)));
    if let Some(other) = workload::taken(index, workload) {
        found.push(Problem::NameInUse {
            of: of(),
            name: id.our_name(),
            other,
        });
    }
    found.extend(contradictions.iter().map(|one| differing(one, workload)));
    let unknown = workload.services.iter().filter(|p| p.target.is_none());
    found.extend(unknown.map(|port| Problem::PortUnknown {
        of: of(),
        port: port.port,
        service: port.object(&id.namespace),
    }));
    if workload
        .services
        .iter()
        .any(|port| port.target == Some(SECURE))
    {
        found.push(Problem::ServesSecurePort { of: of() });
    }
    if let Some(by) = not_captured(&template.metadata.annotations) {
        found.push(Problem::PortNotCaptured { of: of(), by });
    }
    found.extend(native_port(index, workload));
    found
}

/// Sidecars that the listener can neither be added to nor stand beside.
fn sidecars(workload: &Workload) -> impl Iterator<Item = Problem> {
    let all = &workload.governed_by.sidecars;
    let ours = workload.ours.iter().any(|of| of.kind == Kind::Sidecar);
    let several = all.iter().filter(|of| of.selects).count() + usize::from(ours) > 1;
    all.iter().filter_map(move |of| {
        let why = match &of.owner {
            _ if of.selects && several => Unmerged::Several,
            _ if !of.selects => match opens(&of.spec) {
                true => Unmerged::OpensPort,
                false => return None,
            },
            Some(owner) => Unmerged::Owned {
                tool: owner.tool,
                owner: owner.name.clone(),
            },
            None if workload.secured_port.is_none() && opens(&of.spec) => Unmerged::OpensPort,
            // Then our policies hold for every pod that gets the listener.
            None if !subset(
                &workload.selector,
                &labels_at(&of.spec, "/workloadSelector/labels"),
            ) =>
            {
                Unmerged::SelectsMore
            }
            None => return None,
        };
        Some(Problem::OwnSidecar {
            of: (&workload.id).into(),
            sidecar: of.object.clone(),
            why,
        })
    })
}

fn opens(sidecar: &serde_json::Value) -> bool {
    let entries = sidecar["ingress"].as_array();
    entries.is_some_and(|all| all.iter().any(workload::secure))
}

/// Every ALLOW policy that a rule for Prometheus could be added to belongs to a tool that would revert it.
pub(super) fn allow_policies(workload: &Workload) -> impl Iterator<Item = Problem> {
    let policies = &workload.governed_by.allow_policies;
    let free = policies.iter().any(|policy| policy.owner.is_none());
    let policies = policies.iter().filter(move |_| !free);
    policies.filter_map(|policy| {
        let owner = policy.owner.as_ref()?;
        Some(Problem::AllowPolicy {
            of: (&workload.id).into(),
            policy: policy.object.clone(),
            tool: owner.tool,
            owner: owner.name.clone(),
        })
    })
}

/// A DENY or CUSTOM policy that keeps every Prometheus off the port.
pub(super) fn of_policy(workload: &Workload) -> Option<Problem> {
    let of = || Subject::from(&workload.id);
    match workload.governed_by.refuses.as_ref()? {
        Refused::Denied(Rule { policy, rule }) => Some(Problem::PolicyDenies {
            of: of(),
            policy: policy.clone(),
            rule: rule + 1,
        }),
        Refused::NoProvider { rule, provider } => Some(Problem::ProviderNotDefined {
            of: of(),
            policy: rule.policy.clone(),
            provider: provider.clone(),
        }),
        Refused::NotAllowed(_) => None,
    }
}

/// Why the injector refuses the next pod of a template, where it would give it a sidecar.
pub(super) fn refused(
    index: &Index<'_>,
    workload: &Workload,
    decision: &Decision,
) -> Option<Problem> {
    let meta = &workload.template.metadata;
    let mut labels = meta.labels.clone();
    match decision {
        Decision::Injects => {}
        Decision::Never(_) => return None,
        // With a proxy of its own no label is put on it.
        Decision::ByLabel { .. } if workload.template.own_proxy().is_some() => return None,
        Decision::ByLabel { revision } => {
            labels.insert(injection::INJECT.to_owned(), "true".to_owned());
            let revision = revision.iter().cloned();
            labels.extend(revision.map(|name| (injection::REVISION.to_owned(), name)));
        }
    }
    let namespace = &workload.id.namespace;
    let of_namespace = index.namespace_labels(namespace);
    let takes = index
        .injector
        .takes(namespace, of_namespace, &labels, &meta.annotations)?;
    let Takes::No(refusal) = takes else {
        return None;
    };
    Some(Problem::InjectorRefuses {
        of: (&workload.id).into(),
        annotation: refusal.annotation.to_string(),
        value: refusal.value.to_string(),
        refusal: match refusal.why {
            Why::NoPort => Refusal::NoPort,
            Why::AgentPort(port) => Refusal::AgentPort(port),
            Why::Reserved(port, of) => Refusal::Reserved { port, of },
            Why::NoValue => Refusal::NoValue,
        },
    })
}

/// One Sidecar governs all pods of a workload.
fn differing(of: &Contradiction, workload: &Workload) -> Problem {
    let namespace = &workload.id.namespace;
    let told = |(pod, port): &(String, ServicePort)| {
        (
            pod.clone(),
            port.protocol.word().to_owned(),
            port.object(namespace),
        )
    };
    let (pod, protocol, object) = told(&of.one);
    let (other_pod, other_protocol, other_object) = told(&of.other);
    Problem::PortsDiffer {
        of: (&workload.id).into(),
        port: of.target,
        pod,
        protocol,
        object,
        other_pod,
        other_protocol,
        other_object,
    }
}

/// Policies and Sidecars select WorkloadEntries as they select pods; and a pod whose address one of them has gets
/// its ports by it.
fn of_machine(machine: &Machine<'_>, workload: &Workload) -> Option<Problem> {
    let of = || Subject::from(&workload.id);
    let entry = ObjectRef::new(Kind::WorkloadEntry, &workload.id.namespace, machine.name);
    if !workload.selector.is_empty() && machine.carries(&workload.selector) {
        return Some(Problem::MachineCarriesLabels { of: of(), entry });
    }
    let pods = workload.pods.iter().chain(&workload.strays);
    let mut pods = pods.filter(|pod| pod.ip.is_some() && pod.ip.as_deref() == machine.address);
    let pod = pods.next()?;
    Some(Problem::MachineHasAddress {
        of: of(),
        entry,
        pod: pod.name.clone(),
    })
}

/// Where a list was read namespace by namespace, only some are missing.
fn concerns(progress: &Progress, namespace: &str) -> bool {
    match progress {
        Progress::DeniedIn { namespaces, .. } => namespaces.iter().any(|name| name == namespace),
        _ => true,
    }
}

fn in_ambient(index: &Index<'_>, workload: &Workload) -> bool {
    let labels = &workload.template.metadata.labels;
    match labels.get(DATAPLANE_MODE).map(String::as_str) {
        Some("ambient") => true,
        Some(_) => false,
        None => {
            istio::is_ambient(index.namespace_labels(&workload.id.namespace))
                && labels
                    .get(injection::INJECT)
                    .is_none_or(|value| value != "true")
        }
    }
}

/// A Sidecar listener is reached through inbound capture alone.
fn not_captured(annotations: &Labels) -> Option<NotCaptured> {
    Some(match capture::left_out(annotations, SECURE)? {
        capture::NotCaptured::NotIncluded => NotCaptured::NotIncluded,
        capture::NotCaptured::Excluded => NotCaptured::Excluded,
        capture::NotCaptured::Off => NotCaptured::InterceptionNone,
    })
}

/// The setting that opens native secure ports for these pods, if any.
pub(super) fn native_port(index: &Index<'_>, workload: &Workload) -> Option<Problem> {
    let own = workload
        .template
        .metadata
        .annotations
        .get("proxy.istio.io/config");
    let mut names = NATIVE_PORTS.iter();
    let own = names.find(|name| own.is_some_and(|text| text.contains(**name)));
    let (setting, in_mesh_config) = match (own, &index.native_port) {
        (Some(name), _) => ((*name).to_owned(), false),
        (None, Some(name)) => (name.clone(), true),
        (None, None) => return None,
    };
    Some(Problem::NativePort {
        of: (&workload.id).into(),
        setting,
        in_mesh_config,
    })
}
