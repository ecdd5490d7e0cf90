//! Why a workload may not be chosen, the gravest reason first, each with what the user can do.

use super::assemble::Index;
use super::inbound::Machine;
use super::injection::{self, Decision};
use super::istio::{self, NATIVE_PORTS};
use super::objects::{self as lean, Labels, Template};
use super::owner;
use super::pods::PROXY;
use super::workload::{self, Catches, SECURE};
use super::{Obstacle, SidecarState, Workload};
use crate::reach::authorization::{Refused, Rule};
use crate::reach::capture::{self, NotCaptured};
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
) -> Vec<Obstacle> {
    let id = &workload.id;
    let what = format!("The {} {}/{}", id.kind.name(), id.namespace, id.name);
    let template = &workload.template;
    let meshed = matches!(
        workload.sidecar,
        SidecarState::Injected { .. } | SidecarState::Partly { .. }
    );
    let mut found = Vec::new();
    let mut add = |word: &'static str, reason: String| found.push(Obstacle { word, reason });

    // A template that brings its own proxy has one whatever the injector does.
    let injects = !has_proxy(template);
    let named = format!("the {} {}/{}", id.kind.name(), id.namespace, id.name);
    if let Some(reason) = refused(index, &named, workload, &decision) {
        add(REFUSED, reason);
    }
    match decision {
        Decision::Never { word, reason }
            if !meshed || template.spec.host_network || (word == injection::POLICY && injects) =>
        {
            add(word, reason)
        }
        _ if !meshed && in_ambient(index, workload) => add(
            "ambient",
            format!(
                "{what} is in Istio's ambient mode, where pods have no sidecar; what meshscrape writes needs one. \
                 To choose it, take the label {DATAPLANE_MODE} from {}, have sidecars injected there, and restart \
                 its pods.",
                match template.metadata.labels.contains_key(DATAPLANE_MODE) {
                    true => "its pod template".to_owned(),
                    false => format!("the namespace {}", id.namespace),
                }
            ),
        ),
        _ => {}
    }
    if id.namespace == index.root {
        add(
            "root namespace",
            format!(
                "{what} runs in Istio's root namespace, where istiod ignores a PeerAuthentication with a selector: \
                 plaintext to 15091 could not be refused for it alone. Run it in another namespace to choose it."
            ),
        );
    }
    if let Some(owner) = &workload.owner {
        found.push(owner::obstacle(owner, &what, &id.namespace));
    }
    let mut add = |word: &'static str, reason: String| found.push(Obstacle { word, reason });
    for (list, why) in &index.unread {
        // What stands in the root namespace governs the whole mesh.
        let from_root = !list.starts_with("Service") && concerns(why, &index.root);
        if concerns(why, &id.namespace) || from_root {
            add(
                "not read",
                format!(
                    "The {list} could not be read, and what governs or reaches its pods stands there: {why}. \
                     Get the permission (the README holds a ready ClusterRole), or read the cluster again."
                ),
            );
        }
    }
    for sidecar in &workload.governed_by.sidecars {
        let (namespace, name) = (&sidecar.namespace, &sidecar.name);
        add(
            "own Sidecar",
            format!(
                "The Sidecar {namespace}/{name} governs its pods, and one with a selector would replace it whole. \
                 Add the 15091 listener to that Sidecar by hand, or remove it."
            ),
        );
    }
    for policy in &workload.governed_by.peer_authentications {
        let (namespace, name) = (&policy.namespace, &policy.name);
        add(
            "own PeerAuthentication",
            format!(
                "The PeerAuthentication {namespace}/{name} selects its pods, and Istio counts only the oldest one. \
                 Set portLevelMtls for 15091 to STRICT in that one by hand, or remove it."
            ),
        );
    }
    for policy in &workload.governed_by.allow_policies {
        let (namespace, name) = (&policy.namespace, &policy.name);
        add(
            "ALLOW policy",
            format!(
                "The AuthorizationPolicy {namespace}/{name} allows only what it lists for its pods, so 15091 would \
                 be refused to Prometheus. Allow Prometheus on 15091 there by hand, or remove it."
            ),
        );
    }
    if let Some(reason) = of_policy(workload) {
        add(REFUSES, reason);
    }
    let selector = &item.spec.selector;
    if !selector.match_expressions.is_empty() || selector.match_labels.is_empty() {
        add(
            "matchExpressions",
            format!(
                "{what} selects its pods by matchExpressions, which Istio's selectors cannot express. \
                 Only workloads selected by matchLabels can be chosen."
            ),
        );
    }
    if let Some(other) = catches.by(id) {
        add(
            "shared labels",
            format!(
                "The selector of {} also takes pods of {other}, so policies for the one would hit the other. \
                 Give them different labels to choose it.",
                id.name
            ),
        );
    }
    for machine in index
        .machines
        .get(id.namespace.as_str())
        .into_iter()
        .flatten()
    {
        if let Some(reason) = of_machine(machine, workload) {
            add("WorkloadEntry", reason);
        }
    }
    if let Some(other) = workload::taken(index, workload) {
        add(
            "name in use",
            format!(
                "Its objects would be called {}, and an earlier version gave that name to those of {other}. \
                 Undo the run that secured {other} to choose this one; secured again, that one gets other names.",
                id.our_name()
            ),
        );
    }
    for contradiction in contradictions {
        add("ports differ", differing(contradiction, workload));
    }
    for port in workload
        .services
        .iter()
        .filter(|port| port.target.is_none())
    {
        add(
            "unknown port",
            format!(
                "Port {} of the {} {} leads to a container port by a name that no container declares, so it \
                 could not be kept open. Declare the named port in the pod template.",
                port.port,
                port.kind.name(),
                port.service
            ),
        );
    }
    if workload
        .services
        .iter()
        .any(|port| port.target == Some(SECURE))
    {
        add(
            "port 15091",
            format!(
                "{what} serves something of its own on 15091, the port that the metrics would need."
            ),
        );
    }
    if let Some(reason) = not_captured(&template.metadata.annotations, &what) {
        add("not captured", reason);
    }
    if let Some(setting) = native_port(index, template) {
        add(
            "native port",
            format!(
                "Its proxy already opens a secure metrics port by {setting}; where that is 15091, Envoy keeps it \
                 and drops ours without a word. Take the setting away to choose it."
            ),
        );
    }
    found
}

/// Why the injector refuses the next pod of a template, where it would give it a sidecar.
pub(super) fn refused(
    index: &Index<'_>,
    what: &str,
    workload: &Workload,
    decision: &Decision,
) -> Option<String> {
    let meta = &workload.template.metadata;
    let mut labels = meta.labels.clone();
    match decision {
        Decision::Injects => {}
        Decision::Never { .. } => return None,
        // With a proxy of its own no label is put on it.
        Decision::ByLabel { .. } if has_proxy(&workload.template) => return None,
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
    let (key, value) = (&refusal.annotation, &refusal.value);
    let why = match refusal.why {
        Why::NoPort => "which is no port number".to_owned(),
        Why::AgentPort(port) => format!("which is the agent's own port {port}"),
        Why::Reserved(port, of) => {
            format!("and Istio reserves port {port} ({of})")
        }
        Why::NoValue => "which is no value that it can have".to_owned(),
    };
    Some(format!(
        "Istio's injector refuses every new pod of {what}: its annotation {key} is {value:?}, {why}. Pods that run \
         now could not be replaced. Correct the annotation on the pod template."
    ))
}

/// The short word of a workload whose new pods the injector refuses.
pub(super) const REFUSED: &str = "injector refuses";

/// `auto` waits for the injector to fill it in.
pub(super) fn has_proxy(template: &Template) -> bool {
    let spec = &template.spec;
    let mut containers = spec.containers.iter().chain(&spec.init_containers);
    containers.any(|container| container.name == PROXY && container.image != "auto")
}

/// The short word where a policy of others denies port 15091 to Prometheus.
pub(super) const REFUSES: &str = "policy refuses";

/// A DENY or CUSTOM policy that keeps every Prometheus off the port.
pub(super) fn of_policy(workload: &Workload) -> Option<String> {
    match workload.governed_by.refuses.as_ref()? {
        Refused::Denied(Rule { policy, rule }) => Some(format!(
            "The AuthorizationPolicy {}/{} denies Prometheus port 15091 of its pods (rule {}). Take port 15091 or \
             Prometheus's identity out of that rule (notPorts, notPrincipals) to choose it.",
            policy.namespace,
            policy.name,
            rule + 1
        )),
        Refused::NoProvider { rule, provider } => Some(format!(
            "The AuthorizationPolicy {}/{} asks the provider {provider:?}, which the mesh's extensionProviders do not \
             define, so istiod denies port 15091. Define the provider, or take port 15091 out of the policy.",
            rule.policy.namespace, rule.policy.name
        )),
        Refused::NotAllowed(_) => None,
    }
}

/// One Sidecar governs all pods of a workload.
fn differing(of: &Contradiction, workload: &Workload) -> String {
    let namespace = &workload.id.namespace;
    let told = |(pod, port): &(String, ServicePort)| {
        let object = port.object(namespace);
        format!("{} on the pod {pod} ({object})", port.protocol.word())
    };
    format!(
        "Port {} of its pods has {}, and {}. One Sidecar governs all of them, so the protocol would change for some. \
         Declare one protocol in both, by appProtocol for example.",
        of.target,
        told(&of.one),
        told(&of.other)
    )
}

/// Policies and Sidecars select WorkloadEntries as they select pods; and a pod whose address one of them has gets
/// its ports by it.
fn of_machine(machine: &Machine<'_>, workload: &Workload) -> Option<String> {
    let namespace = &workload.id.namespace;
    let name = machine.name;
    if !workload.selector.is_empty() && machine.carries(&workload.selector) {
        return Some(format!(
            "The WorkloadEntry {namespace}/{name} carries the labels of its pods, so the policies and the listener \
             would hold for that machine too. Give it a label of its own, or other labels, to choose this one."
        ));
    }
    let pods = workload.pods.iter().chain(&workload.strays);
    let mut pods = pods.filter(|pod| pod.ip.is_some() && pod.ip.as_deref() == machine.address);
    let pod = pods.next()?;
    Some(format!(
        "The WorkloadEntry {namespace}/{name} has the address of the pod {}, and Istio then takes its inbound ports \
         from that entry, which meshscrape cannot read. Delete the entry to choose this one.",
        pod.name
    ))
}

/// Where a list was read namespace by namespace, the reason names the ones that are missing.
fn concerns(why: &str, namespace: &str) -> bool {
    match why.split_once(" may not be listed in ") {
        Some((_, missing)) => missing.split(", ").any(|name| name == namespace),
        None => true,
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
fn not_captured(annotations: &Labels, what: &str) -> Option<String> {
    let cause = match capture::left_out(annotations, SECURE)? {
        NotCaptured::NotIncluded => format!("{} does not list 15091", capture::INCLUDE),
        NotCaptured::Excluded => format!("{} lists 15091", capture::EXCLUDE),
        NotCaptured::Off => format!("{} is NONE", capture::MODE),
    };
    Some(format!(
        "{what} does not capture inbound traffic to 15091 ({cause}), so a listener there would never be reached. \
         Correct the annotation on its pod template to choose it."
    ))
}

/// The setting that opens native secure ports for these pods, if any.
pub(super) fn native_port(index: &Index<'_>, template: &Template) -> Option<String> {
    let own = template.metadata.annotations.get("proxy.istio.io/config");
    NATIVE_PORTS
        .iter()
        .find(|name| own.is_some_and(|text| text.contains(*name)))
        .map(|name| format!("{name} in its annotation proxy.istio.io/config"))
        .or_else(|| {
            let name = index.native_port.as_ref()?;
            Some(format!("{name} in the mesh's defaultConfig"))
        })
}
