//! What a plan means: for Prometheus, its jobs, what was chosen, and what was skipped.
//!
//! `names`: the subject, or the subjects of which the same is to be said.

use crate::problems::{Declared, FilterDoes, JobPart, Lost, Problem, RestsOn};
use crate::reach::merging;
use crate::recipe::SECURE_PORT;
use crate::text::few;

pub fn label(of: &Problem) -> Option<&'static str> {
    use Problem as P;
    Some(match of {
        P::FiltersNotRead { .. } | P::ReadersNotRead { .. } => "not read",
        P::OthersAdmitted { .. } | P::ReadersRemoved { .. } => "readers",
        P::ServerNameNotVerified { .. } => "server name",
        P::StartNeedsIstiod { .. } => "needs istiod",
        P::JobNotFixed { .. }
        | P::SecureJobStays { .. }
        | P::SecretJobStays { .. }
        | P::SharedMonitorStays { .. }
        | P::TodaysJobsUnknown { .. }
        | P::EnvoyPortJobStays { .. }
        | P::OtherClusterNotScraped { .. }
        | P::JobsFoldIntoOne { .. }
        | P::NotCopied { .. } => "scrape job",
        P::PlaintextJobsStay { .. }
        | P::PlaintextScrapeStays { .. }
        | P::PlaintextUntilPodsRun { .. }
        | P::PlaintextAgain { .. } => "also in plaintext",
        P::PlaintextScrapeLost { .. } => "metrics lost",
        P::JobLabelChanges { .. } | P::JobReplaced { .. } => "job label",
        P::ConfigReadAtStart { .. } => "restart",
        P::UndoLosesHistory { .. } | P::StorageNotKnown { .. } => "history",
        P::VolumeMayBlock { .. } => "volume",
        P::InboundStaysCaptured { .. } => "inbound",
        P::OutboundStaysCaptured { .. } | P::MeshExclusionsReplaced { .. } => "outbound",
        P::NoSidecarYet { .. } => "no sidecar",
        P::NothingInNamespace { .. } => "no workloads",
        P::OthersInPlaintext { .. } => "other owner",
        P::PortsAsOfToday { .. } | P::SidecarCopied { .. } => "Sidecar",
        P::NoPodToAnnotate { .. } => "no pods",
        P::AnnotatedByOthers { .. } | P::AnnotationEndsWithPod { .. } => "annotations",
        P::OneProtocolKept { .. } => "protocols differ",
        P::StrayPods { .. } => "shared labels",
        P::AppNotMerged { .. } => "app metrics",
        P::PortCloses { .. } => "port closes",
        P::AnnotationEndsScrape { .. } => "metrics lost",
        P::StatusPortOff { .. } => "status port 0",
        P::RestartRemovesAnnotation { .. } | P::MetricsInsidePodOnly { .. } => "annotations",
        P::NetworkPolicyWouldStop { .. }
        | P::NetworkPolicyByAddress { .. }
        | P::NodeNetwork { .. }
        | P::OtherNetworkPolicies { .. } => "NetworkPolicy",
        P::FilterOnSecurePort { .. } => "EnvoyFilter",
        P::ProviderDecides { .. } | P::PolicyRestsOn { .. } => "policy",
        _ => return None,
    })
}

pub fn sentence(of: &Problem, names: &str) -> Option<String> {
    of_prometheus(of, names)
        .or_else(|| of_items(of, names))
        .or_else(|| of_path(of, names))
}

fn of_prometheus(of: &Problem, names: &str) -> Option<String> {
    use Problem as P;
    Some(match of {
        P::FiltersNotRead { why, .. } => format!(
            "EnvoyFilters could not be listed: {}. One that selects an inbound cluster or route may stop matching, \
             because Sidecars rename them.",
            why.as_deref()
                .unwrap_or("this API server knows no such kind")
        ),
        P::ReadersNotRead { account, why, .. } => format!(
            "Pods could not be listed: {why}. Other pods with ServiceAccount {account} can read port {SECURE_PORT} too."
        ),
        P::OthersAdmitted { principals, .. } => format!(
            "Port {SECURE_PORT} also stays open to {}, by an earlier run.",
            few(principals, 3)
        ),
        P::ServerNameNotVerified { .. } => "Prometheus does not verify the server name (insecure_skip_verify), because \
             Istio's certificates name no hosts. ca_file is set anyway."
            .into(),
        P::StartNeedsIstiod { .. } => format!(
            "After this plan, {names} starts only while istiod answers, because its pod is injected."
        ),
        P::TodaysJobsUnknown { why, .. } => format!(
            "Today's scrape jobs are unknown, because the running configuration could not be read: {why}. The secure job \
             is Istio's usual one, and no plaintext scrape ends."
        ),
        P::SharedMonitorStays { job, other, .. } => format!(
            "The plaintext job {job} stays: {other} may use the same monitor, and would lose its targets too."
        ),
        P::SecretJobStays { job, .. } => format!(
            "The job {job} stays unchanged: it is in a Secret, and the record of a change would repeat its text."
        ),
        P::JobNotFixed { job, .. } => {
            format!("Job {job} is used unchanged, because fixes are off (--no-fix).")
        }
        P::SecureJobStays { job, .. } => {
            format!("Job {job} stays unchanged: it already scrapes annotated pods over mutual TLS.")
        }
        P::EnvoyPortJobStays { job, .. } => format!(
            "Job {job} follows prometheus.istio.io/secure-envoy-port and stays unchanged. Both jobs scrape pods with \
             both annotations."
        ),
        P::OtherClusterNotScraped { job, server, .. } => format!(
            "Job {job} discovers another cluster ({server}). The secure job does not scrape that cluster."
        ),
        P::JobsFoldIntoOne { job, by, .. } => {
            format!("Job {by} also replaces {job}: both select the same pods.")
        }
        P::NotCopied { job, by, what, .. } => match what {
            JobPart::Setting { name, known } => format!(
                "Job {by} does not copy {name} of {job}: {}.",
                without(name, *known)
            ),
            JobPart::Parameter(name) => format!(
                "Job {by} does not copy the rule of {job} that sets the request parameter {name}: {}.",
                without("params", true)
            ),
            JobPart::Rule(rule) => {
                format!("Job {by} does not copy a rule of {job} that tells containers apart: {rule}.")
            }
        },
        P::PlaintextJobsStay { .. } => {
            "The plaintext jobs stay: secured pods are scraped twice, and Envoy's series exist in both jobs.".into()
        }
        P::JobLabelChanges { jobs, by, .. } => format!(
            "Series of secured pods get a job label that begins with {by} instead of {}.",
            jobs.join(", ")
        ),
        P::JobReplaced { job, .. } => {
            format!("Job {job} is replaced: its series get another job label.")
        }
        P::ConfigReadAtStart { .. } => format!(
            "{names} loads this at its next restart. Until then, secured pods are scraped twice."
        ),
        P::UndoLosesHistory { .. } => format!(
            "An undo restarts {names} again and deletes the history gathered until then."
        ),
        P::StorageNotKnown { .. } => {
            format!("History of {names} may be lost in the restart: its storage is unknown.")
        }
        P::VolumeMayBlock { .. } => format!(
            "Two pods of {names} run during the rollout. A ReadWriteOnce volume can keep the new pod from starting."
        ),
        P::OutboundStaysCaptured { peers, .. } => {
            let through = match peers.as_deref() {
                None => "Its Alertmanagers and remote-write targets are unknown.".into(),
                Some([]) => "Its configuration has no Alertmanagers and no remote write.".into(),
                Some(peers) => format!("This includes {}.", few(peers, 5)),
            };
            format!(
                "Outbound traffic of {names} still goes through its sidecar, except port {SECURE_PORT}. {through}"
            )
        }
        P::InboundStaysCaptured { port, .. } => format!(
            "Port {port} of {names} stays captured by its sidecar. The policies and logins that guard it stay."
        ),
        P::MeshExclusionsReplaced { annotation, .. } => format!(
            "{annotation} replaces the mesh's own list, which could not be read (ConfigMap istio-sidecar-injector)."
        ),
        _ => return None,
    })
}

fn of_items(of: &Problem, names: &str) -> Option<String> {
    use Problem as P;
    Some(match of {
        P::NoSidecarYet { .. } => format!("No sidecar yet: {names}."),
        P::NothingInNamespace { gateways, .. } => match gateways.is_empty() {
            true => format!("{names} contains no Deployment, StatefulSet or DaemonSet."),
            false => format!("{names} contains only gateways, which have to be named."),
        },
        P::OthersInPlaintext { pods, owners, .. } => {
            let pods = match pods {
                1 => "1 pod of another owner stays".to_owned(),
                n => format!("{n} pods of other owners stay"),
            };
            format!(
                "{names}: {pods} in plaintext ({}). Only Deployments, StatefulSets and DaemonSets can be secured.",
                few(owners, 6)
            )
        }
        P::PortsAsOfToday { .. } => {
            format!("Sidecars do not follow later Service changes: {names}.")
        }
        P::NoPodToAnnotate { .. } => format!("No running pods to annotate: {names}."),
        P::PlaintextScrapeStays { lost, .. } => format!(
            "Scraped twice: {names}. The plaintext scrape stays, because ending it would lose {}.",
            self::lost(lost)
        ),
        P::PlaintextScrapeLost { lost, .. } => {
            format!(
                "Metrics lost when the plaintext scrape of {names} ends: {}.",
                self::lost(lost)
            )
        }
        P::PlaintextUntilPodsRun { .. } => format!(
            "No pods: {names}. The plaintext scrape stays until an apply finds the targets UP."
        ),
        P::AnnotatedByOthers { .. } => format!(
            "Annotated with secure-port, but not by meshscrape: {names}. The plaintext scrape stays."
        ),
        P::PlaintextAgain { .. } => format!("Scraped in plaintext again: {names}."),
        P::OneProtocolKept {
            port,
            kept,
            passed_over,
            of_one_age,
            ..
        } => {
            let which = match of_one_age {
                true => "the first by name of declarations of one age",
                false => "the oldest declaration",
            };
            let others: Vec<String> = passed_over.iter().map(declares).collect();
            format!(
                "Port {port} of {names}: Istio follows {which}, and the Sidecar keeps it: {}. Passed over: {}.",
                declares(kept),
                others.join("; ")
            )
        }
        P::StrayPods { pods, .. } => {
            let (what, them) = match &pods[..] {
                [one] => (format!("Pod {one} has no owner and carries"), "it"),
                _ => (
                    format!("Pods {} have no owner and carry", pods.join(", ")),
                    "them",
                ),
            };
            format!(
                "{what} the labels of {names}: port {SECURE_PORT} opens there too. Nothing annotates or restarts \
                 {them}, so Prometheus scrapes {them} as before."
            )
        }
        P::AppNotMerged {
            annotation, strict, ..
        } => {
            let strict = match strict {
                true => {
                    " Its mTLS mode is STRICT, which refuses a Prometheus whose traffic bypasses the sidecar."
                }
                false => "",
            };
            format!(
                "{annotation}: \"false\" keeps today's plaintext scrape of {names}, because the merged metrics would \
                 not contain its app in full. That job also scrapes istio-proxy's port 15090, and is DOWN there.{strict}"
            )
        }
        P::AnnotationEndsWithPod { .. } => {
            format!("The annotation is lost when the pod is replaced: {names}.")
        }
        P::PortCloses { sidecar, .. } => format!(
            "Port {SECURE_PORT} closes at {names}: only {sidecar} opened it, which this plan removes."
        ),
        P::SidecarCopied {
            sidecar, fields, ..
        } => format!(
            "A Sidecar of its own replaces {sidecar} for {names}, and repeats its {}. A later change of {sidecar} \
             reaches {names} with the next apply.",
            fields.join(", ")
        ),
        P::ReadersRemoved { principals, .. } => format!(
            "{} can no longer read the metrics of {names} over mutual TLS.",
            few(principals, 3)
        ),
        P::AnnotationEndsScrape { lost, .. } => format!(
            "Metrics lost when {names} is annotated, because the plaintext jobs skip annotated pods: {}.",
            self::lost(lost)
        ),
        P::StatusPortOff { .. } => {
            format!("The agent in the pods of {names} serves no metrics: its status port is 0.")
        }
        P::RestartRemovesAnnotation { .. } => format!(
            "{names} must restart to get its sidecar, and the restart removes the annotation."
        ),
        P::MetricsInsidePodOnly { .. } => format!(
            "{names} serves plaintext metrics only inside the pod: a pod that restarts without the annotation is not \
             scraped."
        ),
        _ => return None,
    })
}

fn of_path(of: &Problem, names: &str) -> Option<String> {
    use Problem as P;
    Some(match of {
        P::NetworkPolicyWouldStop {
            policies, egress, ..
        } => {
            let policies: Vec<String> = policies.iter().map(ToString::to_string).collect();
            let what = match egress {
                true => "Prometheus's egress",
                false => "ingress from Prometheus",
            };
            format!(
                "{} would block {what} to port {SECURE_PORT} of {names}, if NetworkPolicies are enforced.",
                few(&policies, 3)
            )
        }
        P::NetworkPolicyByAddress { policy, .. } => format!(
            "{policy} lets addresses in by range. Whether they include Prometheus's address is unknown."
        ),
        P::NodeNetwork { .. } => format!(
            "A pod uses the node's network. Whether NetworkPolicies stop Prometheus at port {SECURE_PORT} of {names} \
             depends on the network plugin."
        ),
        P::OtherNetworkPolicies { kinds, .. } => format!(
            "The cluster has policies of kind {}. Whether they stop Prometheus at port {SECURE_PORT} of {names} is \
             unknown.",
            kinds.join(", ")
        ),
        P::FilterOnSecurePort { filter, does, .. } => match does {
            FilterDoes::LocalRateLimit => format!(
                "{filter} limits the rate on port {SECURE_PORT} of {names} too: scrapes beyond it get 429."
            ),
            FilterDoes::RateLimit => format!(
                "{filter} limits the rate on port {SECURE_PORT} of {names} too, through an external service."
            ),
            FilterDoes::Other(name) => format!(
                "{filter} puts {name} on port {SECURE_PORT} of {names} too. What it does to a scrape is unknown."
            ),
        },
        P::ProviderDecides {
            policy, provider, ..
        } => format!(
            "{policy} asks the provider {provider:?} about port {SECURE_PORT} of {names}. Whether it admits Prometheus \
             is unknown."
        ),
        P::PolicyRestsOn {
            policy, rule, on, ..
        } => format!(
            "{policy} may refuse Prometheus on port {SECURE_PORT} of {names}: rule {rule} depends on {}.",
            rests_on(on)
        ),
        _ => return None,
    })
}

pub fn to_do(of: &Problem) -> Option<String> {
    use Problem as P;
    let subject = of.of();
    let text = match of {
        P::StatusPortOff { .. } => {
            let (space, kind, name) = (&subject.namespace, &subject.kind, &subject.name);
            return Some(format!(
                "Use Envoy's own port for it: --port-of {space}/{kind}/{name}=15090."
            ));
        }
        P::NothingInNamespace { gateways, .. } if !gateways.is_empty() => {
            return Some(format!("Name them separately: {}.", gateways.join(" ")));
        }
        P::FiltersNotRead { why: Some(_), .. } => {
            "Get permission to list EnvoyFilters, and plan again."
        }
        P::ReadersNotRead { .. } => "Get permission to list pods, and plan again.",
        P::OthersAdmitted { .. } => "To remove their access: --only-this-prometheus.",
        P::JobNotFixed { .. } => "To let meshscrape fix it, omit --no-fix.",
        P::JobLabelChanges { .. } | P::JobReplaced { .. } => {
            "Update rules and dashboards that use the label."
        }
        P::StorageNotKnown { .. } => "Check that its data is on a persistent volume.",
        P::MeshExclusionsReplaced { .. } => "Add the mesh's excluded ports to the annotation.",
        P::NoSidecarYet { .. } => "To add one: --inject. The pods restart and join the mesh.",
        P::PortsAsOfToday { .. } => "Plan again after you change a Service.",
        P::NoPodToAnnotate { .. } | P::AnnotationEndsWithPod { .. } => {
            "To keep it on every pod, annotate the pod template: --annotate template."
        }
        P::PlaintextScrapeLost { lost, .. } => match lost {
            Lost::AppAndAgent | Lost::NotEnvoys { .. } => {
                "To keep them: --port 15020, or --plaintext-jobs keep."
            }
            Lost::ByAgent(_) | Lost::NotMerged { .. } | Lost::NotAsked { .. } => {
                "To keep them: --plaintext-jobs keep."
            }
        },
        P::AnnotationEndsScrape { lost, .. } => match lost {
            Lost::AppAndAgent | Lost::NotEnvoys { .. } => "Use --port 15020.",
            Lost::ByAgent(_) | Lost::NotMerged { .. } | Lost::NotAsked { .. } => {
                "Skip it, or remove that rule from the plaintext jobs."
            }
        },
        P::RestartRemovesAnnotation { .. } | P::MetricsInsidePodOnly { .. } => {
            "Annotate the pod template: --annotate template."
        }
        P::OneProtocolKept { .. } => "Declare one protocol in all of them.",
        P::StrayPods { .. } => "Give them other labels, or an owner.",
        P::AppNotMerged { .. } => {
            "To merge the metrics, name the app's one port in prometheus.io/port first (since Istio 1.31 also several, \
             in prometheus.istio.io/scrape-targets)."
        }
        P::PortCloses { .. } => "Secure these workloads too, or keep that Sidecar: --no-fix.",
        P::NetworkPolicyWouldStop { .. } => "Allow it in the policy.",
        P::NetworkPolicyByAddress { .. } => "Check that it does.",
        P::OtherNetworkPolicies { .. } => "Check that they allow Prometheus.",
        P::FilterOnSecurePort { .. } => {
            "To keep it to the app's ports, set match.listener.portNumber."
        }
        P::ProviderDecides { .. } | P::PolicyRestsOn { .. } => {
            "Exclude port 15091 or Prometheus's identity from that rule."
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// What it means that a setting of today's job is not carried.
fn without(setting: &str, known: bool) -> &'static str {
    match setting {
        "basic_auth" | "authorization" | "bearer_token" | "bearer_token_file" | "oauth2"
        | "sigv4" | "azuread" | "google_iam" => {
            "the client certificate authenticates Prometheus at the secure port; a pod that asks for this credential as well answers 401 or 403"
        }
        "http_headers" => {
            "scrapes of the secure port are sent without these headers; a pod that asks for one refuses them"
        }
        "params" => {
            "scrapes of the secure port are sent without these request parameters; their filters do not apply"
        }
        "proxy_url" => {
            "the URL holds a user, so that Prometheus scrapes the secure port directly; pods that only the proxy reaches are DOWN"
        }
        "proxy_connect_header" => {
            "the proxy is asked without these headers; if it asks for one, the targets are DOWN with 407"
        }
        _ if known => "it holds a credential",
        _ => "meshscrape does not know this setting; Prometheus uses its default",
    }
}

/// What is lost, to stand after `lose` or a colon.
pub fn lost(of: &Lost) -> String {
    let list = |ports: &[u16]| {
        let words: Vec<String> = ports.iter().map(u16::to_string).collect();
        words.join(", ")
    };
    let plural = |ports: &[u16]| if ports.len() == 1 { "port" } else { "ports" };
    match of {
        Lost::ByAgent(merging::Lost {
            ports,
            asked,
            https,
            parameters,
        }) => {
            let mut parts = Vec::new();
            if !ports.is_empty() {
                let asked = match asked.is_empty() {
                    true => "no port".to_owned(),
                    false => format!("{} {} only", plural(asked), list(asked)),
                };
                parts.push(format!(
                    "the metrics of the app on {} {} (with a sidecar the agent asks the app at {asked})",
                    plural(ports),
                    list(ports)
                ));
            }
            if *https {
                parts.push(
                    "the metrics of the app over https (with a sidecar the agent asks the app over http)".into(),
                );
            }
            if !parameters.is_empty() {
                parts.push(format!(
                    "the parameters {} of today's scrape, which the agent does not send",
                    parameters.join(", ")
                ));
            }
            parts.join("; ")
        }
        Lost::NotMerged { port } => {
            format!("the app metrics on port {port}, which are not on 15020 because merging is off")
        }
        Lost::AppAndAgent => {
            "the metrics of the app and of the agent, which are not on 15090".into()
        }
        Lost::NotEnvoys { port } => format!("the metrics on port {port} other than Envoy's"),
        Lost::NotAsked { job, ports } => format!(
            "the app metrics that {job} scrapes on {} {}, which are not in the merged metrics",
            plural(ports),
            list(ports)
        ),
    }
}

fn declares(of: &Declared) -> String {
    match &of.protocol {
        None => format!("{} declares no protocol (Istio detects it)", of.object),
        Some(protocol) => format!("{} declares {protocol}", of.object),
    }
}

fn rests_on(on: &RestsOn) -> String {
    match on {
        RestsOn::Identity => "Prometheus's identity".into(),
        RestsOn::Source => "Prometheus's address".into(),
        RestsOn::Destination => "the pod's address".into(),
        RestsOn::Host => "the host that is asked for".into(),
        RestsOn::ServerName => "the server's name in TLS".into(),
        RestsOn::Header(name) => format!("the header {name}"),
        RestsOn::Metadata(key) => key.clone(),
        RestsOn::Providers => "extensionProviders, which could not be read".into(),
    }
}
