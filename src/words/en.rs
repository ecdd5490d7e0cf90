//! English.

pub(super) mod export;
pub(super) mod forecast;
pub(super) mod impacts;
pub(super) mod others;
pub(super) mod plan;
pub(super) mod purposes;
mod rollouts;
mod targets;
pub(super) mod undo;
pub(super) mod waits;

use crate::mesh::kinds::ObjectRef;
use crate::mesh::{OwnerTool, Unread};
use crate::problems::{NotCaptured, Problem, Refusal, Subject, Unmerged};
use std::fmt::Display;

pub(super) fn label(of: &Problem) -> &'static str {
    use Problem as P;
    match of {
        P::NoIstio { .. } => "no Istio",
        P::ListNotRead { .. } | P::SettingsNotRead { .. } | P::GovernedByUnread { .. } => {
            "not read"
        }
        P::PrometheusAgent { .. } => "agent",
        P::VmAgent { .. } => "vmagent",
        P::PrometheusDaemonSet { .. } => "DaemonSet",
        P::ConfigInSecret { .. } => "config in a Secret",
        P::ConfigNotFound { .. } => "config not found",
        P::ConfigWritten { .. } => "config written by a container",
        P::ConfigUnnamed { .. } => "config file not named",
        P::ConfigVariable { .. } => "config file varies",
        P::ConfigGenerated { .. } => "generated config",
        P::OwnProxyWithoutCertificates { .. } => "own istio-proxy without certificates",
        P::ConfigNotRead { .. } => "config not read",
        P::OperatorPaused { .. } => "operator paused",
        P::Sharded { .. } => "sharded",
        P::SharedIdentity { .. } => "shared identity",
        P::JobTakesAnyAnnotation { .. }
        | P::JobFollowsPath { .. }
        | P::JobInPlaintext { .. }
        | P::JobWithoutCa { .. }
        | P::JobWithoutCertificate { .. } => "scrape job",
        P::SecretNeverCreated { .. }
        | P::CertificatesReadOnly { .. }
        | P::CertificatesNotMounted { .. } => "certificates",
        P::CapturePortsUnread { .. }
        | P::InjectAnnotationUnread { .. }
        | P::CapturesOwnScrapes { .. } => "pod template",
        P::SystemNamespace { .. } => "system namespace",
        P::HostNetwork { .. } => "host network",
        P::NeverInjected { .. } | P::InjectionPolicyInvalid { .. } => "injector policy",
        P::InjectionDisabled { .. } => "injection off",
        P::RevisionWithoutWebhook { .. } => "no such revision",
        P::NotInjected { .. } | P::NoProxyImage { .. } => "no injection",
        P::InjectorRefuses { .. } => "injector refuses",
        P::Ambient { .. } => "ambient",
        P::InRootNamespace { .. } => "root namespace",
        P::Owned { tool, .. } => tool.name(),
        P::OwnSidecar { .. } => "own Sidecar",
        P::OwnPeerAuthentication { .. } => "own PeerAuthentication",
        P::AllowPolicy { .. } => "ALLOW policy",
        P::PolicyDenies { .. } | P::ProviderNotDefined { .. } => "policy refuses",
        P::NoMatchLabels { .. } => "matchExpressions",
        P::SharedLabels { .. } => "shared labels",
        P::MachineCarriesLabels { .. } | P::MachineHasAddress { .. } => "WorkloadEntry",
        P::NameInUse { .. } => "name in use",
        P::PortsDiffer { .. } => "ports differ",
        P::PortUnknown { .. } => "unknown port",
        P::ServesSecurePort { .. } => "port 15091",
        P::PortNotCaptured { .. } => "not captured",
        P::NativePort { .. } => "native port",
        P::OtherOwner { .. } => "other owner",
        P::NamespaceSidecar { .. } | P::SidecarCopyStale { .. } => "Sidecar",
        P::PathWithoutPort { .. } | P::AnnotationOnPodsOnly { .. } => "annotations",
        P::ManagedByGatewayApi { .. } => "Gateway API",
        P::Waypoint { .. } => "waypoint",
        P::OwnServer { .. } => "own 15091",
        P::GatewayServesPlaintext { .. } | P::GatewayOpenToMesh { .. } => "Gateway",
        P::EntryHostOverruled { .. } | P::EntryExported { .. } => "ServiceEntry",
        P::RouteOnEveryServer { .. } => "VirtualService",
        P::TargetLost { .. }
        | P::SecureTargetMissing { .. }
        | P::SecureTargetDoubled { .. }
        | P::LabelsChange { .. }
        | P::TargetsNotComputed { .. } => "forecast",
        P::PodsNotListed { .. } => "may not list pods",
        P::JobLabelRead { .. } => "job label",
        P::AppMetricsLost { .. } => "app metrics",
        P::TargetsDiffer { .. } | P::ScrapedByOtherDiscovery { .. } => "scraped",
        _ => {
            let known = plan::label(of).or_else(|| rollouts::label(of));
            known.unwrap_or_else(|| targets::label(of))
        }
    }
}

/// `The Deployment shop/cart`.
fn the(of: &Subject) -> String {
    format!("The {of}")
}

pub(super) fn sentence(of: &Problem) -> String {
    use Problem as P;
    let subject = of.of();
    match of {
        P::NoIstio { .. } => {
            "No Istio control plane and no injection webhook was found in this cluster.".into()
        }
        P::ListNotRead { list, why, .. } => format!("The {list} could not be read: {why}."),
        P::SettingsNotRead { why, .. } => {
            format!("Istio's root namespace or trust domain is not known: {why}.")
        }
        P::GovernedByUnread { list, why, .. } => format!(
            "The {list} could not be read: {why}. One of them may apply to {subject}."
        ),
        P::PrometheusAgent { .. } => format!(
            "{} is a Prometheus agent, which has no targets page to verify scrapes. Agents are not supported yet.",
            the(subject)
        ),
        P::VmAgent { .. } => format!(
            "{} is VictoriaMetrics' vmagent, which is not supported yet.",
            the(subject)
        ),
        P::PrometheusDaemonSet { .. } => format!(
            "{} is a DaemonSet. Only Deployments and StatefulSets are supported.",
            the(subject)
        ),
        P::ConfigInSecret { file, secret, .. } => format!(
            "Its {file} comes from the Secret {secret}. meshscrape reads only its own Secrets."
        ),
        P::ConfigNotFound {
            file,
            volume,
            declared,
            ..
        } => match volume {
            None => format!(
                "Its configuration cannot be followed to a ConfigMap: {file} is not mounted; it is part of the image."
            ),
            Some(volume) if *declared => format!(
                "Its configuration cannot be followed to a ConfigMap: no ConfigMap fills the volume {volume} of {file}."
            ),
            Some(volume) => format!(
                "Its configuration cannot be followed to a ConfigMap: the volume {volume} of {file} is not declared."
            ),
        },
        P::ConfigWritten {
            file,
            by,
            init,
            from,
            ..
        } => {
            let kind = if *init { "init container" } else { "container" };
            let made = format!("Its {file} is written by the {kind} {by}");
            match from.is_empty() {
                true => format!("{made}. What it is made from is not known."),
                false => format!("{made}, which reads {}.", the_objects(from)),
            }
        }
        P::ConfigUnnamed { starts, from, .. } => {
            let started = match starts {
                Some(program) => format!("the container starts {program}"),
                None => "its image starts something of its own".to_owned(),
            };
            let told = format!("Its configuration file is not known: {started}, and no --config.file is given.");
            match from.is_empty() {
                true => told,
                false => format!("{told} Mounted there: {}.", the_objects(from)),
            }
        }
        P::OwnProxyWithoutCertificates { .. } => format!(
            "The pod template of {subject} has its own istio-proxy container, which writes no certificates."
        ),
        P::ConfigGenerated { config_map, .. } => format!(
            "{config_map} is generated by kustomize: its name ends with the hash of its content. The next build writes over any edit of it."
        ),
        P::ConfigVariable { file, .. } => format!(
            "Its configuration file is {file}: a variable of the container, so that each replica may read another file."
        ),
        P::ConfigNotRead {
            config_map,
            key,
            why,
            ..
        } => format!(
            "Its configuration, key {key} of the {config_map}, could not be read: {}.",
            unread(why)
        ),
        P::OperatorPaused { resource, .. } => format!(
            "The operator does not carry out changes of the {resource}: spec.paused is true."
        ),
        P::Sharded {
            resource, shards, ..
        } => format!(
            "The {resource} has {shards} shards, each with some of the targets. Several shards are not supported yet."
        ),
        P::SharedIdentity { account, with, .. } => format!(
            "Prometheus's ServiceAccount {account} is also used by {}. They can read every secure port too.",
            with.join(", ")
        ),
        P::JobTakesAnyAnnotation { job, .. } => {
            format!("The job {job} uses any value of the annotation as a port.")
        }
        P::JobFollowsPath { job, .. } => format!(
            "The job {job} takes its path from prometheus.io/path, which belongs to the plaintext port."
        ),
        P::JobInPlaintext { job, .. } => {
            format!("The job {job} scrapes the secure port in plaintext.")
        }
        P::JobWithoutCa { job, .. } => format!(
            "The job {job} has no ca_file: scrapes stop when the certificate rotates."
        ),
        P::JobWithoutCertificate { job, .. } => {
            format!("The job {job} sends no client certificate.")
        }
        P::SecretNeverCreated { volume, secret, .. } => format!(
            "The volume {volume} needs the Secret {secret}, which nothing creates: the pod never starts."
        ),
        P::CertificatesReadOnly { volume, .. } => format!(
            "istio-proxy mounts the certificates' volume {volume} read-only and never becomes ready."
        ),
        P::CertificatesNotMounted {
            volume, container, ..
        } => format!(
            "The volume {volume} with the certificates is mounted into istio-proxy alone, not into {container}."
        ),
        P::CapturePortsUnread { setting, .. } => format!(
            "No Istio version reads {setting}, so inbound traffic to Prometheus is still captured."
        ),
        P::InjectAnnotationUnread { key, .. } => format!(
            "{key} is set as an annotation, where the injection webhook does not see it."
        ),
        P::CapturesOwnScrapes { port, .. } => match port {
            Some(port) => format!(
                "Prometheus's scrapes of port {port} go through its own sidecar, which can make it scrape itself."
            ),
            None => "Prometheus's scrapes go through its own sidecar, which can make it scrape itself."
                .into(),
        },
        P::SystemNamespace { .. } => format!(
            "Istio never injects a sidecar in the namespace {}, so 15091 cannot be opened there.",
            subject.namespace
        ),
        P::HostNetwork { .. } => {
            "Its pods use the host's network (hostNetwork: true), where Istio never injects a sidecar."
                .into()
        }
        P::NeverInjected {
            selector,
            config_map,
            ..
        } => format!(
            "Istio's injector skips its pods: they match neverInjectSelector ({selector}) in the ConfigMap {config_map}."
        ),
        P::InjectionPolicyInvalid {
            policy, config_map, ..
        } => format!(
            "Istio's injector adds no sidecar to any pod: its policy in the ConfigMap {config_map} is {policy:?}, \
             which is neither enabled nor disabled."
        ),
        P::InjectionDisabled { label, .. } => format!(
            "The namespace {} has the label {label}, so no label on a pod reaches the injection webhook.",
            subject.namespace
        ),
        P::RevisionWithoutWebhook { revision, .. } => format!(
            "The namespace {} has the label istio.io/rev={revision}, but no injection webhook serves that revision or tag.",
            subject.namespace
        ),
        P::NotInjected { .. } => format!(
            "No injection webhook is called for pods in the namespace {}, whatever their labels.",
            subject.namespace
        ),
        P::InjectorRefuses {
            annotation,
            value,
            refusal,
            ..
        } => {
            let why = match refusal {
                Refusal::NoPort => "which is no port number".to_owned(),
                Refusal::AgentPort(port) => format!("which is the agent's own port {port}"),
                Refusal::Reserved { port, of } => {
                    format!("and Istio reserves port {port} ({of})")
                }
                Refusal::NoValue => "which is not a valid value".to_owned(),
            };
            format!(
                "Istio's injector refuses every new pod of the {subject}: its annotation {annotation} is {value:?}, \
                 {why}. Pods that run now could not be replaced."
            )
        }
        P::Ambient { .. } => format!(
            "{} is in Istio's ambient mode, where pods have no sidecar to open 15091 on.",
            the(subject)
        ),
        P::InRootNamespace { .. } => format!(
            "{} runs in Istio's root namespace, where istiod ignores a PeerAuthentication with a selector: plaintext \
             to 15091 could not be refused for it alone.",
            the(subject)
        ),
        P::Owned { tool, owner, .. } => owned(subject, *tool, owner),
        P::OwnSidecar { sidecar, why, .. } => match why {
            Unmerged::Several => format!(
                "The {sidecar} is one of several Sidecars that select its pods, and Istio applies only the oldest one."
            ),
            Unmerged::SelectsMore => format!(
                "The {sidecar} selects its pods and others. With the listener in it, port 15091 of the others would open \
                 without policies."
            ),
            Unmerged::OpensPort => {
                format!("The {sidecar} already has a listener on port 15091 for its pods.")
            }
            Unmerged::Owned { tool, owner } => owned(sidecar, *tool, owner),
        },
        P::OwnPeerAuthentication {
            policy,
            tool,
            owner,
            ..
        } => format!(
            "Of PeerAuthentications that select its pods Istio applies the oldest one. {}",
            owned(policy, *tool, owner)
        ),
        P::AllowPolicy {
            policy,
            tool,
            owner,
            ..
        } => format!(
            "The {policy} allows only what it lists for its pods, so it refuses 15091 to Prometheus. {}",
            owned(policy, *tool, owner)
        ),
        P::PolicyDenies { policy, rule, .. } => {
            format!("The {policy} denies Prometheus access to port 15091 of its pods (rule {rule}).")
        }
        P::ProviderNotDefined {
            policy, provider, ..
        } => format!(
            "The {policy} uses the provider {provider}, which the mesh's extensionProviders do not define, so istiod \
             denies port 15091."
        ),
        P::NoMatchLabels { .. } => format!(
            "{} selects its pods by matchExpressions, which Istio's selectors cannot express.",
            the(subject)
        ),
        P::SharedLabels { other, .. } => format!(
            "The selector of {} also selects pods of {other}, so its objects would apply to both.",
            subject.name
        ),
        P::MachineCarriesLabels { entry, .. } => format!(
            "The {entry} has the labels of its pods, so the policies and the listener would apply to that machine too."
        ),
        P::MachineHasAddress { entry, pod, .. } => format!(
            "The {entry} has the address of the pod {pod}, and Istio then takes its inbound ports from that entry, \
             which meshscrape cannot read."
        ),
        P::NameInUse { name, other, .. } => format!(
            "Its objects would be named {name}, but an earlier version used that name for objects of {other}."
        ),
        P::PortsDiffer {
            port,
            pod,
            protocol,
            object,
            other_pod,
            other_protocol,
            other_object,
            ..
        } => format!(
            "Port {port} has {protocol} on the pod {pod} ({object}) and {other_protocol} on the pod {other_pod} \
             ({other_object}). One Sidecar governs both, so one protocol would change."
        ),
        P::PortUnknown { port, service, .. } => format!(
            "Port {port} of the {service} names a container port that no container declares, so it could not be kept open."
        ),
        P::ServesSecurePort { .. } => format!(
            "{} serves something else on 15091, the port that the metrics need.",
            the(subject)
        ),
        P::PortNotCaptured { by, .. } => {
            let key = by.annotation();
            let cause = match by {
                NotCaptured::NotIncluded => format!("{key} does not list 15091"),
                NotCaptured::Excluded => format!("{key} lists 15091"),
                NotCaptured::InterceptionNone => format!("{key} is NONE"),
            };
            format!(
                "{} does not capture inbound traffic to 15091 ({cause}), so a listener there would never be reached.",
                the(subject)
            )
        }
        P::NativePort {
            setting,
            in_mesh_config,
            ..
        } => {
            let place = match in_mesh_config {
                true => "the mesh's defaultConfig",
                false => "its annotation proxy.istio.io/config",
            };
            format!(
                "Its proxy already opens a secure metrics port by {setting} in {place}. Where that is 15091, Envoy \
                 keeps it and silently drops a second listener."
            )
        }
        P::OtherOwner { .. } => format!(
            "{} is not available: {}.",
            the(subject),
            others::why_not(&subject.kind)
        ),
        P::SidecarCopyStale {
            sidecar, fields, ..
        } => {
            let what = match sidecar {
                Some(sidecar) => format!("differs from {sidecar}, which it replaces for these pods"),
                None => "replaces a Sidecar for these pods that no longer exists".to_owned(),
            };
            format!("The Sidecar of {subject} {what}: {}.", fields.join(", "))
        }
        P::NamespaceSidecar { .. } => format!(
            "The {subject} applies to every workload of its namespace. It removes the listeners of their own ports, and \
             plaintext to 15091 is served unless mTLS is STRICT."
        ),
        P::PathWithoutPort { path, .. } => format!(
            "Its pod template has prometheus.io/path={path} without a port, so the agent asks the app for it on port 80."
        ),
        P::AnnotationOnPodsOnly { pods, .. } => format!(
            "The annotation secure-port is on running pods only (pods: {pods}), and is lost when they are replaced."
        ),
        P::ManagedByGatewayApi { .. } => format!(
            "{} is managed by a Gateway of the Gateway API, which an Istio Gateway on 15091 does not reach. It needs \
             Istio's native secure ports, which are not covered yet.",
            subject.place()
        ),
        P::Waypoint { .. } => format!(
            "{} is a waypoint of ambient mode, which has no sidecar to open 15091 on.",
            subject.place()
        ),
        P::OwnServer { gateway, .. } => format!(
            "The {gateway} already has a server on 15091 for it, and Istio silently skips the later of two."
        ),
        P::NoProxyImage { .. } => format!(
            "The proxy of {} gets its image from injection (image: auto), and no injection webhook is called for its \
             pods: a new pod would never run.",
            subject.place()
        ),
        P::GatewayServesPlaintext { port, .. } => format!(
            "The {subject} has a server on 15091, but its other server on port {port} serves /stats/prometheus in plaintext too."
        ),
        P::GatewayOpenToMesh { .. } => format!(
            "The {subject} has a server on 15091 that any workload of the mesh may read."
        ),
        P::EntryHostOverruled { host, .. } => format!(
            "The {subject} routes to the gateway's metrics by the host {host}, which a DestinationRule for *.local breaks."
        ),
        P::EntryExported { .. } => format!(
            "The {subject} routes to the gateway's metrics and is exported to every sidecar of the mesh."
        ),
        P::RouteOnEveryServer { .. } => format!(
            "The {subject} serves /stats/prometheus on every server of its Gateway, including the public plaintext ones."
        ),
        _ => rollouts::sentence(of)
            .or_else(|| forecast::sentence(of))
            .or_else(|| plan::sentence(of, &subject.to_string()))
            .unwrap_or_else(|| targets::sentence(of)),
    }
}

/// Why a text could not be read.
pub(super) fn unread(why: &Unread) -> String {
    match why {
        Unread::NotYet => "it has not been read yet".into(),
        Unread::NoKey(key) => format!("it has no key {key}"),
        Unread::Failed(why) => why.clone(),
    }
}

fn owned(of: &impl Display, tool: OwnerTool, owner: &str) -> String {
    let the = format!("The {of}");
    match tool {
        OwnerTool::Helm => format!(
            "{the} belongs to the Helm release {owner}, whose next upgrade may revert a direct change."
        ),
        OwnerTool::ArgoCd => {
            format!(
                "{the} belongs to the Argo CD application {owner}, which reverts a direct change."
            )
        }
        OwnerTool::Flux => {
            format!("{the} is applied by Flux ({owner}), which reverts a direct change.")
        }
        OwnerTool::Operator => {
            format!("{the} is made from the {owner}, whose controller reverts a direct change.")
        }
    }
}

pub(super) fn to_do(of: &Problem) -> Option<String> {
    use Problem as P;
    let subject = of.of();
    let text = match of {
        P::NoIstio { .. } => "Install Istio first.".to_owned(),
        P::ListNotRead { .. } | P::GovernedByUnread { .. } => {
            "Get the permission (see the ClusterRole in the README), or read the cluster again.".into()
        }
        P::SettingsNotRead { .. } => {
            "Get the permission to read that ConfigMap, or pass --root-namespace and --trust-domain.".into()
        }
        P::OperatorPaused { resource, .. } => format!("Set spec.paused of the {resource} to false."),
        P::SharedIdentity { .. } => "Give Prometheus its own ServiceAccount.".into(),
        P::PodsNotListed { namespaces, .. } => {
            let (role, place) = match namespaces.is_empty() {
                true => ("ClusterRole", String::new()),
                false => ("Role", format!(" in {}", crate::text::few(namespaces, 3))),
            };
            format!(
                "Bind that ServiceAccount by a {role}Binding{place} to a {role} with the rule {{apiGroups: [\"\"], \
                 resources: [pods], verbs: [get, list, watch]}}."
            )
        }
        P::JobTakesAnyAnnotation { .. } => r"Keep only values that match \d+.".into(),
        P::JobFollowsPath { .. } => "Set metrics_path: /stats/prometheus in the job.".into(),
        P::JobInPlaintext { .. } => "Set scheme: https in the job.".into(),
        P::JobWithoutCa { .. } => "Set ca_file in the job's tls_config.".into(),
        P::JobWithoutCertificate { .. } => {
            "Set cert_file and key_file in the job's tls_config.".into()
        }
        P::SecretNeverCreated { volume, .. } => {
            format!("Make {volume} an emptyDir in memory.")
        }
        P::CertificatesReadOnly { .. } => "Make that mount writable.".into(),
        P::CertificatesNotMounted { container, .. } => {
            format!("Mount it into the container {container} too.")
        }
        P::CapturePortsUnread { .. } => {
            "Set traffic.sidecar.istio.io/includeInboundPorts: \"\" instead.".into()
        }
        P::InjectAnnotationUnread { .. } => "Set it as a label of the pod template.".into(),
        P::CapturesOwnScrapes { setting, port, .. } => match port {
            Some(port) => format!("Add {port} to {setting}."),
            None => format!("Set {setting}: \"\"."),
        },
        P::NeverInjected { .. } => {
            "Remove that selector, or set the label sidecar.istio.io/inject: \"true\" on the pod template.".into()
        }
        P::InjectionPolicyInvalid { .. } => "Set the policy to enabled or disabled.".into(),
        P::InjectionDisabled { .. } => "Remove that label from the namespace first.".into(),
        P::RevisionWithoutWebhook { .. } => "Install it, or correct the namespace's label.".into(),
        P::InjectorRefuses { .. } => "Correct the annotation on the pod template.".into(),
        P::Ambient { labelled, .. } => format!(
            "Remove the label istio.io/dataplane-mode from the {labelled}, enable injection there, and restart the pods."
        ),
        P::InRootNamespace { .. } => "Run it in another namespace.".into(),
        P::Owned { tool, owner, .. } => match tool {
            OwnerTool::Helm => "Set the annotation and labels in the release's values instead.".into(),
            OwnerTool::ArgoCd => "Commit the change to what the application syncs from instead.".into(),
            OwnerTool::Flux => "Commit the change to what Flux reconciles instead.".into(),
            OwnerTool::Operator => format!("Change the {owner} instead."),
        },
        P::OwnSidecar { why, .. } => match why {
            Unmerged::Several => "Keep one Sidecar that selects these pods.".into(),
            Unmerged::SelectsMore => "Give the workload a Sidecar of its own.".into(),
            Unmerged::OpensPort => "Remove that listener.".into(),
            Unmerged::Owned { .. } => {
                "Add a listener for 15091, and every inbound port, to the Sidecar in its source.".into()
            }
        },
        P::OwnPeerAuthentication { .. } => {
            "Set portLevelMtls for 15091 to STRICT in its source.".into()
        }
        P::AllowPolicy { .. } => {
            "Add a rule that allows Prometheus on 15091 to the policy in its source.".into()
        }
        P::PolicyDenies { .. } => {
            "Remove port 15091 or Prometheus's identity from that rule (notPorts, notPrincipals).".into()
        }
        P::ProviderNotDefined { .. } => {
            "Define the provider, or remove port 15091 from the policy.".into()
        }
        P::NoMatchLabels { .. } => "Only workloads selected by matchLabels are available.".into(),
        P::SharedLabels { .. } => "Give them different labels.".into(),
        P::MachineCarriesLabels { .. } => "Give one of them a different label.".into(),
        P::MachineHasAddress { .. } => "Delete the entry.".into(),
        P::NameInUse { other, .. } => format!(
            "Undo the run that secured {other}, then secure it again: its objects get new names."
        ),
        P::PortsDiffer { .. } => "Declare one protocol in both, by appProtocol for example.".into(),
        P::PortUnknown { .. } => "Declare the named port in the pod template.".into(),
        P::ServesSecurePort { .. } => "Serve it on another port.".into(),
        P::PortNotCaptured { .. } => "Correct the annotation on its pod template.".into(),
        P::NativePort { .. } => "Remove the setting.".into(),
        P::NamespaceSidecar { .. } | P::SidecarCopyStale { .. } => return None,
        P::GatewayServesPlaintext { .. }
        | P::GatewayOpenToMesh { .. }
        | P::EntryHostOverruled { .. }
        | P::EntryExported { .. }
        | P::RouteOnEveryServer { .. } => {
            "Secure the gateway with meshscrape (-g NAMESPACE/NAME): this replaces the faulty objects.".into()
        }
        P::PathWithoutPort { .. }
        | P::AnnotationOnPodsOnly { .. } => return None,
        P::OwnServer { .. } => "Remove that server.".into(),
        P::OwnProxyWithoutCertificates { .. } => {
            "Set OUTPUT_CERTS in that container's environment, and mount one emptyDir there and in Prometheus's container."
                .into()
        }
        P::ConfigGenerated { .. } => {
            "Export the changes (meshscrape export), and add the scrape job to the file that kustomize reads."
                .into()
        }
        P::NoProxyImage { .. } => format!("Enable injection for the {subject}."),
        P::PrometheusAgent { .. }
        | P::VmAgent { .. }
        | P::PrometheusDaemonSet { .. }
        | P::ConfigInSecret { .. }
        | P::ConfigNotFound { .. }
        | P::ConfigWritten { .. }
        | P::ConfigUnnamed { .. }
        | P::ConfigVariable { .. }
        | P::ConfigNotRead { .. }
        | P::Sharded { .. }
        | P::SystemNamespace { .. }
        | P::HostNetwork { .. }
        | P::NotInjected { .. }
        | P::OtherOwner { .. }
        | P::ManagedByGatewayApi { .. }
        | P::Waypoint { .. } => return None,
        _ => {
            let short = rollouts::to_do(of).or_else(|| forecast::to_do(of));
            let short = short.map(str::to_owned).or_else(|| plan::to_do(of));
            return short.or_else(|| targets::to_do(of));
        }
    };
    Some(text)
}

/// Each with its article: `the ConfigMap infra/prometheus`.
fn the_objects(of: &[ObjectRef]) -> String {
    let named: Vec<String> = of.iter().map(|one| format!("the {one}")).collect();
    crate::text::few(&named, 3)
}
