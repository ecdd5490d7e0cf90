//! Whether a pod gets a sidecar, as Istio decides it: first whether a webhook is called at all, by its
//! selectors; then, inside, host network, the pod's label before its annotation, the policy.

use super::istio::{Injecting, MeshConfig, injecting};
use super::objects::{Labels, PodSpec, WebhookRule};
use super::{ControlPlane, Inventory, NamespaceInjection, Progress};
use crate::problems::{Problem, Subject};
use crate::reach::injection::{self, Hook, IGNORED, NotInjected, Pod, called};
use crate::reach::injector::{self, LeftAlone, Takes};
use crate::reach::labels::written;
use crate::reach::link::Verdict;
use std::collections::{BTreeMap, BTreeSet};

pub(super) use injector::INJECT;
pub(super) const REVISION: &str = "istio.io/rev";
const NAMESPACE_LABEL: &str = "istio-injection";

pub(super) struct Injector<'a> {
    /// The injection webhooks with the revision of each; `None` where none could be read, so that Istio's own
    /// rules stand in.
    rules: Option<Vec<Hook<'a>>>,
    /// What decides inside each revision's injector.
    inside: BTreeMap<String, Injecting>,
    /// Revisions and tags that a pod may name.
    revisions: BTreeSet<String>,
    /// All webhooks are known, so that a revision which none of them names is served by nothing.
    complete: bool,
    /// It is known that there is no Istio at all.
    nothing: bool,
}

/// What decides over a pod template's sidecar.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The next pod gets one.
    Injects,
    /// A label on the template would bring one; with this revision where the label alone is not enough.
    ByLabel {
        revision: Option<String>,
    },
    Never(Never),
}

/// Why a pod never gets a sidecar.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Never {
    SystemNamespace,
    HostNetwork,
    NoIstio,
    /// One of the injector's `neverInjectSelector`.
    Selector {
        selector: String,
        config_map: String,
    },
    Policy {
        policy: String,
        config_map: String,
    },
    /// The namespace's label.
    Disabled {
        label: String,
    },
    NoSuchRevision(String),
    NotCalled,
}

impl Never {
    /// The injector's own configuration leaves the pod out, whoever calls it.
    pub fn is_policy(&self) -> bool {
        matches!(self, Never::Selector { .. } | Never::Policy { .. })
    }

    pub fn problem(self, of: Subject) -> Problem {
        match self {
            Never::SystemNamespace => Problem::SystemNamespace { of },
            Never::HostNetwork => Problem::HostNetwork { of },
            Never::NoIstio => Problem::NoIstio { of },
            Never::Selector {
                selector,
                config_map,
            } => Problem::NeverInjected {
                of,
                selector,
                config_map,
            },
            Never::Policy { policy, config_map } => Problem::InjectionPolicyInvalid {
                of,
                policy,
                config_map,
            },
            Never::Disabled { label } => Problem::InjectionDisabled { of, label },
            Never::NoSuchRevision(revision) => Problem::RevisionWithoutWebhook { of, revision },
            Never::NotCalled => Problem::NotInjected { of },
        }
    }
}

pub(super) fn of_namespace(name: &str, labels: &Labels) -> NamespaceInjection {
    if IGNORED.contains(&name) {
        return NamespaceInjection::Never;
    }
    match labels.get(NAMESPACE_LABEL).map(String::as_str) {
        Some("enabled") => return NamespaceInjection::Enabled,
        Some(_) => return NamespaceInjection::Disabled,
        None => {}
    }
    if let Some(revision) = labels.get(REVISION) {
        NamespaceInjection::Revision(revision.clone())
    } else if super::istio::is_ambient(labels) {
        NamespaceInjection::Ambient
    } else {
        NamespaceInjection::None
    }
}

impl<'a> Injector<'a> {
    pub fn new(inventory: &'a Inventory, planes: &[ControlPlane], mesh: &MeshConfig) -> Self {
        let mut revisions: BTreeSet<String> = planes.iter().map(|p| p.revision.clone()).collect();
        let mut rules = Vec::new();
        for webhook in &inventory.webhooks.items {
            let injects = |rule: &&WebhookRule| rule.name.ends_with("sidecar-injector.istio.io");
            let labels = &webhook.metadata.labels;
            let revision = labels.get(REVISION).map(String::as_str);
            let own = webhook.webhooks.iter().filter(injects);
            rules.extend(own.map(|rule| Hook {
                revision,
                namespaces: &rule.namespace_selector,
                objects: &rule.object_selector,
            }));
            revisions.extend(labels.get("istio.io/tag").or(labels.get(REVISION)).cloned());
        }
        let complete = inventory.webhooks.progress == Progress::Complete;
        let planes_known = inventory
            .workloads
            .get(&super::kinds::Kind::Deployment)
            .is_some_and(|list| list.progress == Progress::Complete);
        Injector {
            nothing: complete && planes_known && rules.is_empty() && planes.is_empty(),
            rules: (complete && !rules.is_empty()).then_some(rules),
            inside: planes
                .iter()
                .map(|plane| (plane.revision.clone(), injecting(inventory, plane, mesh)))
                .collect(),
            complete,
            revisions,
        }
    }

    /// The agent's port, by the settings of a revision's mesh.
    pub fn status_port(&self, revision: Option<&str>) -> u16 {
        let own = self.inside.get(revision.unwrap_or("default"));
        own.or(self.inside.values().next())
            .map_or(15020, |inside| inside.plane.status_port)
    }

    /// Would `sidecar.istio.io/inject: "true"` alone bring a sidecar in a namespace without labels?
    pub fn default_injector(&self) -> bool {
        let pod = Labels::from([(INJECT.to_owned(), "true".to_owned())]);
        !self.nothing && self.reached("default", &Labels::new(), &pod)
    }

    /// Is a webhook called for a pod with these labels?
    fn reached(&self, namespace: &str, namespace_labels: &Labels, pod: &Labels) -> bool {
        self.called(namespace, namespace_labels, pod).is_some()
    }

    /// The revision whose webhook is called for a pod with these labels; inside `None`: it is not known which.
    fn called<'b>(
        &'b self,
        namespace: &str,
        namespace_labels: &'b Labels,
        pod: &'b Labels,
    ) -> Option<Option<&'b str>> {
        if let Some(rules) = &self.rules {
            let pod = Pod {
                namespace,
                namespace_labels,
                labels: pod,
                annotations: &Labels::new(),
                host_network: false,
            };
            return called(rules, &pod).next().map(|hook| hook.revision);
        }
        let inject = pod.get(INJECT).map(String::as_str);
        if inject == Some("false") {
            return None;
        }
        if let Some(value) = namespace_labels.get(NAMESPACE_LABEL) {
            return (value == "enabled").then_some(None);
        }
        match namespace_labels.get(REVISION).or(pod.get(REVISION)) {
            Some(revision) if !self.complete || self.revisions.contains(revision) => {
                Some(Some(revision))
            }
            Some(_) => None,
            None => (inject == Some("true")).then_some(None),
        }
    }

    /// What decides inside the webhook that is called. A revision that is not known: the only control plane's.
    fn inside(&self, revision: Option<&str>) -> Option<&Injecting> {
        let named = revision.and_then(|name| self.inside.get(name));
        match self.inside.len() {
            1 => named.or(self.inside.values().next()),
            _ => named,
        }
    }

    /// Whether the injector takes the next pod of a template that it would give a sidecar; `None`: not known by
    /// which control plane.
    pub fn takes(
        &self,
        namespace: &str,
        namespace_labels: &Labels,
        labels: &Labels,
        annotations: &Labels,
    ) -> Option<Takes> {
        let revision = self.called(namespace, namespace_labels, labels)?;
        let inside = self.inside(revision)?;
        Some(injector::takes(annotations, &inside.plane))
    }

    /// What the injectors of all webhooks that are called make of a pod, and whose policy says so; `None`: none is
    /// called, or its policy is not known.
    fn left_alone(
        &self,
        namespace: &str,
        namespace_labels: &Labels,
        labels: &Labels,
        annotations: &Labels,
    ) -> Option<(&Injecting, Result<(), LeftAlone<'_>>)> {
        let Some(rules) = &self.rules else {
            let inside = self.inside(self.called(namespace, namespace_labels, labels)?)?;
            let found = injector::injects(inside.policy.as_ref()?, labels, annotations);
            return Some((inside, found));
        };
        let pod = Pod {
            namespace,
            namespace_labels,
            labels,
            annotations,
            host_network: false,
        };
        let policy = |revision: Option<&str>| self.inside(revision)?.policy.as_ref();
        match injection::decide(Some(rules), policy, &pod) {
            Verdict::Holds(injected) => Some((self.inside(injected.revision)?, Ok(()))),
            Verdict::Broken(NotInjected::LeftAlone { revision, why }) => {
                Some((self.inside(revision)?, Err(why)))
            }
            // What would call it, asks the only control plane that there is.
            Verdict::Broken(NotInjected::NotCalled) => {
                let inside = self.inside(None)?;
                let found = injector::injects(inside.policy.as_ref()?, labels, annotations);
                found.is_err().then_some((inside, found))
            }
            _ => None,
        }
    }

    /// What would happen to the next pod of a template.
    pub fn decide(
        &self,
        namespace: &str,
        namespace_labels: &Labels,
        labels: &Labels,
        annotations: &Labels,
        spec: &PodSpec,
    ) -> Decision {
        let never = Decision::Never;
        if IGNORED.contains(&namespace) {
            return never(Never::SystemNamespace);
        }
        if spec.host_network {
            return never(Never::HostNetwork);
        }
        if self.nothing {
            return never(Never::NoIstio);
        }
        let said = labels.get(INJECT).or(annotations.get(INJECT));
        let mut refused = said.is_some_and(|value| value == "false");
        let called = self.called(namespace, namespace_labels, labels);
        let decided = self.left_alone(namespace, namespace_labels, labels, annotations);
        if let Some((inside, decided)) = decided {
            match decided {
                Ok(()) => return Decision::Injects,
                // Someone keeps these pods out: a label of ours would overrule it.
                Err(LeftAlone::Never(selector)) => {
                    return never(Never::Selector {
                        selector: written(selector),
                        config_map: inside.config_map.clone(),
                    });
                }
                Err(LeftAlone::Illegal(policy)) => {
                    return never(Never::Policy {
                        policy: policy.to_owned(),
                        config_map: inside.config_map.clone(),
                    });
                }
                Err(LeftAlone::Said | LeftAlone::Disabled) => refused = true,
            }
        }
        if !refused && called.is_some() {
            return Decision::Injects;
        }
        let mut asked = labels.clone();
        asked.insert(INJECT.to_owned(), "true".to_owned());
        if self.reached(namespace, namespace_labels, &asked) {
            return Decision::ByLabel { revision: None };
        }
        for revision in &self.revisions {
            asked.insert(REVISION.to_owned(), revision.clone());
            if self.rules.is_some() && self.reached(namespace, namespace_labels, &asked) {
                return Decision::ByLabel {
                    revision: Some(revision.clone()),
                };
            }
        }
        match of_namespace(namespace, namespace_labels) {
            NamespaceInjection::Disabled => {
                let value = namespace_labels.get(NAMESPACE_LABEL);
                let value = value.map_or("disabled", String::as_str);
                never(Never::Disabled {
                    label: format!("{NAMESPACE_LABEL}={value}"),
                })
            }
            NamespaceInjection::Revision(revision) => never(Never::NoSuchRevision(revision)),
            _ => never(Never::NotCalled),
        }
    }
}
