//! Whether the next pod gets a sidecar: which webhooks are called for it, and what the injector behind each makes of it.
//!
//! Source: istio `manifests/charts/istio-control/istio-discovery/templates/mutatingwebhook.yaml` and `revision-tags-mwc.yaml`
//! (the selectors stand in the webhooks themselves), `pkg/kube/inject/inject.go` (`injectRequired`, `IgnoredNamespaces`);
//! held against the real webhooks, see tests/originals.

use super::injector::{LeftAlone, Policy, injects};
use super::labels::selects;
use super::link::Verdict;
use crate::mesh::objects::{Labels, Selector};

/// Namespaces that the injector leaves alone, whatever their labels say.
pub const IGNORED: [&str; 4] = [
    "kube-system",
    "kube-public",
    "kube-node-lease",
    "local-path-storage",
];

/// An injection webhook, and the control plane that answers it.
#[derive(Clone, Copy, Debug)]
pub struct Hook<'a> {
    pub revision: Option<&'a str>,
    pub namespaces: &'a Selector,
    pub objects: &'a Selector,
}

/// A pod that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Pod<'a> {
    pub namespace: &'a str,
    pub namespace_labels: &'a Labels,
    pub labels: &'a Labels,
    pub annotations: &'a Labels,
    pub host_network: bool,
}

/// Whose injector gives the sidecar; `None`: the webhook does not say which revision it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injected<'a> {
    pub revision: Option<&'a str>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum NotInjected<'a> {
    HostNetwork,
    Ignored,
    /// No webhook's selectors take it.
    NotCalled,
    /// Every injector that is called leaves it alone; why the first does.
    LeftAlone {
        revision: Option<&'a str>,
        why: LeftAlone<'a>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread<'a> {
    Webhooks,
    /// A webhook is called, and its injector's policy could not be read.
    Policy {
        revision: Option<&'a str>,
    },
}

pub type Injection<'a> = Verdict<Injected<'a>, NotInjected<'a>, Unread<'a>>;

/// The webhooks that are called for a pod, in their order.
pub fn called<'a, 'b>(
    hooks: impl IntoIterator<Item = &'b Hook<'a>>,
    pod: &Pod<'_>,
) -> impl Iterator<Item = &'b Hook<'a>>
where
    'a: 'b,
{
    hooks.into_iter().filter(move |hook| {
        selects(hook.namespaces, pod.namespace_labels, pod.namespace)
            && selects(hook.objects, pod.labels, "")
    })
}

/// `hooks`: `None` where the webhooks could not be read. `policy`: of a revision's injector, `None` where it could not be.
pub fn decide<'a>(
    hooks: Option<&[Hook<'a>]>,
    policy: impl Fn(Option<&'a str>) -> Option<&'a Policy>,
    pod: &Pod<'_>,
) -> Injection<'a> {
    if pod.host_network {
        return Verdict::Broken(NotInjected::HostNetwork);
    }
    if IGNORED.contains(&pod.namespace) {
        return Verdict::Broken(NotInjected::Ignored);
    }
    let Some(hooks) = hooks else {
        return Verdict::Unknown(Unread::Webhooks);
    };
    let mut unknown = None;
    let mut left = None;
    for hook in called(hooks, pod) {
        let revision = hook.revision;
        let Some(policy) = policy(revision) else {
            unknown = unknown.or(Some(Unread::Policy { revision }));
            continue;
        };
        match injects(policy, pod.labels, pod.annotations) {
            Ok(()) => return Verdict::Holds(Injected { revision }),
            Err(why) => left = left.or(Some(NotInjected::LeftAlone { revision, why })),
        }
    }
    match (unknown, left) {
        (Some(unread), _) => Verdict::Unknown(unread),
        (None, left) => Verdict::Broken(left.unwrap_or(NotInjected::NotCalled)),
    }
}
