//! What can be done about a problem.

use super::{Item, Problem};
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

impl Problem {
    pub fn remedy(&self) -> Remedy {
        let of = self.of();
        let plan = |choice: String| Remedy::Changes {
            command: format!("meshscrape plan {choice}"),
        };
        let command = |command: String| Remedy::Command { command };
        match self {
            Problem::NamespaceSidecar { .. } => plan(format!("-n {}", of.namespace)),
            Problem::PathWithoutPort { .. } | Problem::AnnotationOnPodsOnly { .. } => {
                plan(format!("-w {}/{}/{}", of.namespace, of.kind, of.name))
            }
            Problem::AnnotationChanged { item, .. }
            | Problem::ObjectGone { item, .. }
            | Problem::ObjectAltered { item, .. }
            | Problem::GuardGone { item, .. }
            | Problem::GuardAltered { item, .. } => Remedy::Changes {
                command: format!("meshscrape apply {}", item.choice()),
            },
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
