//! What can be done about a problem.

use super::{Item, Problem, Subject};
use serde::Serialize;

/// Who can do it, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Remedy {
    /// Changes that this command shows and can be applied.
    Changes {
        command: String,
    },
    /// A command of the user's own tools.
    Command {
        command: String,
    },
    /// Something that the object's owner has to do: [`crate::words::to_do`] says what.
    Text,
    None,
}

impl Item {
    /// The choice on the command line that means it.
    pub fn choice(&self) -> String {
        let id = &self.id;
        let port = match self.behind {
            15090 => " --port 15090",
            _ => "",
        };
        match self.gateway {
            true => format!("-g {}/{}{port}", id.namespace, id.name),
            false => format!("-w {id}{port}"),
        }
    }
}

/// What to choose, so that the plan holds the changes that end a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// All of a namespace.
    Namespace(String),
    /// A workload, by its subject.
    Workload(Subject),
    Item(Item),
}

impl Choice {
    /// On the command line.
    fn flags(&self) -> String {
        match self {
            Choice::Namespace(name) => format!("-n {name}"),
            Choice::Workload(of) => format!("-w {}/{}/{}", of.namespace, of.kind, of.name),
            Choice::Item(item) => item.choice(),
        }
    }
}

impl Problem {
    /// `None`: no change of a plan ends it.
    pub fn choice(&self) -> Option<Choice> {
        let of = self.of();
        match self {
            Problem::NamespaceSidecar { .. } => Some(Choice::Namespace(of.namespace.clone())),
            Problem::SidecarCopyStale { .. }
            | Problem::PathWithoutPort { .. }
            | Problem::AnnotationOnPodsOnly { .. } => Some(Choice::Workload(of.clone())),
            Problem::AnnotationChanged { item, .. }
            | Problem::ObjectGone { item, .. }
            | Problem::ObjectAltered { item, .. }
            | Problem::GuardGone { item, .. }
            | Problem::GuardAltered { item, .. } => Some(Choice::Item(item.clone())),
            _ => None,
        }
    }

    pub fn remedy(&self) -> Remedy {
        let of = self.of();
        if let Some(choice) = self.choice() {
            // What an earlier run wrote is written again; the rest is new, and looked at first.
            let verb = match &choice {
                Choice::Item(_) => "apply",
                _ => "plan",
            };
            return Remedy::Changes {
                command: format!("meshscrape {verb} {}", choice.flags()),
            };
        }
        let command = |command: String| Remedy::Command { command };
        match self {
            Problem::RolloutPaused { .. } => command(format!(
                "kubectl -n {} rollout resume deployment/{}",
                of.namespace, of.name
            )),
            Problem::RolloutOnDelete { selector, .. } => command(format!(
                "kubectl -n {} delete pod -l {selector}",
                of.namespace
            )),
            Problem::RolloutPartition { .. } => command(format!(
                "kubectl -n {} patch statefulset {} -p '{}'",
                of.namespace,
                of.name,
                r#"{"spec":{"updateStrategy":{"rollingUpdate":{"partition":0}}}}"#
            )),
            Problem::QuotaTooSmall { quota, .. } => command(format!(
                "kubectl -n {} describe resourcequota {quota}",
                of.namespace
            )),
            Problem::BudgetNotAsked { .. } if of.kind == "Deployment" => command(format!(
                "kubectl -n {} patch deployment {} -p '{}'",
                of.namespace,
                of.name,
                r#"{"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1,"maxUnavailable":0}}}}"#
            )),
            Problem::QuotaUsedUp { .. } => command(format!(
                "kubectl -n {} describe resourcequota",
                of.namespace
            )),
            Problem::PodsRefused { .. } => command(format!(
                "kubectl -n {} get events --field-selector reason=FailedCreate",
                of.namespace
            )),
            Problem::NoNode { .. } | Problem::ContainerNotStarted { .. } => command(format!(
                "kubectl -n {} describe pod {}",
                of.namespace, of.name
            )),
            Problem::ContainerCrashes { container, .. } => command(format!(
                "kubectl -n {} logs {} -c {container} --previous",
                of.namespace, of.name
            )),
            Problem::ContainerNotReady { container, .. } => command(format!(
                "kubectl -n {} logs {} -c {container}",
                of.namespace, of.name
            )),
            _ if crate::words::to_do(self).is_some() => Remedy::Text,
            _ => Remedy::None,
        }
    }
}
