//! Who would revert a direct change: Helm, Argo CD, Flux, or another controller.
//!
//! Labels that a chart leaves behind do not make a Helm release: the release's annotations do.

use super::objects::Meta;
use super::{Owner, OwnerTool, Prometheus, PrometheusFlavour, Workload};
use crate::problems::{Problem, Subject};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Who would revert a direct change of an object; `None`: nobody that its metadata names.
pub fn owner(meta: &Meta) -> Option<Owner> {
    let label = |key: &str| meta.labels.get(key).map(String::as_str);
    let annotation = |key: &str| meta.annotations.get(key).map(String::as_str);
    let managed = |names: &[&str]| {
        meta.managed_fields
            .iter()
            .any(|entry| names.contains(&entry.manager.as_str()))
    };
    let found = |tool, name: String| Some(Owner { tool, name });

    if let Some(owner) = meta.owner_references.first() {
        return found(
            OwnerTool::Operator,
            format!("{} {}", owner.kind, owner.name),
        );
    }
    if let Some(id) = annotation("argocd.argoproj.io/tracking-id") {
        let application = id.split(':').next().unwrap_or(id);
        return found(OwnerTool::ArgoCd, application.to_owned());
    }
    if let Some(application) = label("argocd.argoproj.io/instance") {
        return found(OwnerTool::ArgoCd, application.to_owned());
    }
    let flux = label("helm.toolkit.fluxcd.io/name").or(label("kustomize.toolkit.fluxcd.io/name"));
    if let Some(name) = flux {
        return found(OwnerTool::Flux, name.to_owned());
    }
    if let Some(release) = annotation("meta.helm.sh/release-name")
        && label("app.kubernetes.io/managed-by") == Some("Helm")
    {
        return found(OwnerTool::Helm, release.to_owned());
    }
    if managed(&["argocd-controller", "argocd-application-controller"]) {
        let instance = label("app.kubernetes.io/instance").unwrap_or(&meta.name);
        return found(OwnerTool::ArgoCd, instance.to_owned());
    }
    if managed(&["kustomize-controller", "helm-controller"]) {
        return found(OwnerTool::Flux, meta.name.clone());
    }
    None
}

impl OwnerTool {
    /// The tool's name as users write it.
    pub fn name(self) -> &'static str {
        match self {
            OwnerTool::Helm => "Helm",
            OwnerTool::ArgoCd => "Argo CD",
            OwnerTool::Flux => "Flux",
            OwnerTool::Operator => "operator",
        }
    }
}

/// Field managers that each tool writes as: Helm's own name, Argo CD's controller (older and newer), Flux's two.
const MANAGERS: &[(OwnerTool, &str)] = &[
    (OwnerTool::Helm, "helm"),
    (OwnerTool::ArgoCd, "argocd-controller"),
    (OwnerTool::ArgoCd, "argocd-application-controller"),
    (OwnerTool::Flux, "kustomize-controller"),
    (OwnerTool::Flux, "helm-controller"),
];

impl OwnerTool {
    /// The word for it after `--force-owner`.
    pub fn word(self) -> &'static str {
        match self {
            OwnerTool::Helm => "helm",
            OwnerTool::ArgoCd => "argocd",
            OwnerTool::Flux => "flux",
            OwnerTool::Operator => "operator",
        }
    }

    /// The tool that is meant by a name to take by: its own word, or one of its field managers.
    pub fn named(name: &str) -> Option<OwnerTool> {
        let word = name.to_ascii_lowercase().replace([' ', '-'], "");
        [Self::Helm, Self::ArgoCd, Self::Flux, Self::Operator]
            .into_iter()
            .find(|tool| tool.word() == word)
            .or_else(|| {
                MANAGERS
                    .iter()
                    .find(|(_, m)| *m == name)
                    .map(|(tool, _)| *tool)
            })
    }

    /// The field managers that it writes as. An operator's name of its own is not known.
    pub fn managers(self) -> impl Iterator<Item = &'static str> {
        MANAGERS
            .iter()
            .filter(move |(tool, _)| *tool == self)
            .map(|(_, manager)| *manager)
    }

    /// What becomes of a direct change, in a sentence.
    pub fn reverts(self) -> &'static str {
        match self {
            OwnerTool::Helm => {
                "Helm's next upgrade may revert a direct change, or fail on it, unless the chart's values contain the same change."
            }
            OwnerTool::ArgoCd => {
                "Argo CD's next sync may revert a direct change (at once, where self-heal is on), unless its source contains the same change."
            }
            OwnerTool::Flux => {
                "Flux's next reconciliation may revert a direct change, unless its source contains the same change."
            }
            OwnerTool::Operator => "The controller may revert a direct change at once.",
        }
    }
}

impl Owner {
    /// The owner of an object as the API server gives it.
    pub fn of(object: &serde_json::Value) -> Option<Owner> {
        let meta: Meta = serde_json::from_value(object["metadata"].clone()).ok()?;
        owner(&meta)
    }

    /// Do the names given to take by cover this owner?
    pub fn is_taken(&self, take: &BTreeSet<String>) -> bool {
        take.iter()
            .any(|name| OwnerTool::named(name) == Some(self.tool))
    }

    /// Its name as users find it. A controller's resource stands beside what is made from it: `Prometheus monitoring/k8s`.
    pub fn in_namespace(&self, namespace: &str) -> String {
        match self.name.split_once(' ') {
            Some((kind, name)) if self.tool == OwnerTool::Operator => {
                format!("{kind} {namespace}/{name}")
            }
            _ => self.name.clone(),
        }
    }

    /// Is this problem nothing but that owner?
    pub fn is(&self, problem: &Problem) -> bool {
        matches!(problem, Problem::Owned { tool, .. } if *tool == self.tool)
    }
}

fn against<'a>(
    obstacles: &'a [Problem],
    owner: Option<&'a Owner>,
    take: &BTreeSet<String>,
) -> impl Iterator<Item = &'a Problem> + Clone {
    let taken = owner.filter(|owner| owner.is_taken(take));
    obstacles
        .iter()
        .filter(move |obstacle| taken.is_none_or(|owner| !owner.is(obstacle)))
}

impl Workload {
    /// Why it cannot be chosen, where these managers are taken by name: the gravest first.
    pub fn against<'a>(
        &'a self,
        take: &BTreeSet<String>,
    ) -> impl Iterator<Item = &'a Problem> + Clone {
        against(&self.obstacles, self.owner.as_ref(), take)
    }

    /// It can be chosen.
    pub fn is_free(&self, take: &BTreeSet<String>) -> bool {
        self.against(take).next().is_none()
    }

    /// The owner whose name alone keeps it from being chosen, or lets it be.
    pub fn takeable(&self) -> Option<&Owner> {
        takeable(&self.obstacles, self.owner.as_ref())
    }
}

impl Prometheus {
    /// Why it cannot be chosen, where these managers are taken by name: the gravest first. The Prometheus
    /// operator makes the whole object, its configuration too: it cannot be taken.
    pub fn against<'a>(
        &'a self,
        take: &BTreeSet<String>,
    ) -> impl Iterator<Item = &'a Problem> + Clone {
        against(&self.obstacles, self.taker(), take)
    }

    /// It can be chosen.
    pub fn is_free(&self, take: &BTreeSet<String>) -> bool {
        self.against(take).next().is_none()
    }

    /// The owner whose name alone keeps it from being chosen, or lets it be.
    pub fn takeable(&self) -> Option<&Owner> {
        takeable(&self.obstacles, self.taker())
    }

    fn taker(&self) -> Option<&Owner> {
        // Without its resource, an operator's Prometheus is its operator's alone.
        let operator = self.flavour == PrometheusFlavour::Operator;
        self.owner.as_ref().filter(|owner| {
            owner.tool != OwnerTool::Operator && (!operator || self.pod_home.operated().is_some())
        })
    }
}

impl super::Mesh {
    /// The one that is meant where none is named; `None`: none can be chosen, or several. The word for an owner may be
    /// about workloads, so one that needs no word comes first.
    pub fn only_prometheus(&self, take: &BTreeSet<String>) -> Option<&Arc<Prometheus>> {
        let all = self.prometheus_servers.iter();
        let free: Vec<&Arc<Prometheus>> = all.filter(|p| p.is_free(take)).collect();
        let unowned = |p: &&&Arc<Prometheus>| p.obstacles.is_empty();
        let unowned: Vec<&Arc<Prometheus>> = free.iter().filter(unowned).copied().collect();
        match (&unowned[..], &free[..]) {
            ([one], _) | ([], [one]) => Some(one),
            _ => None,
        }
    }
}

fn takeable<'a>(obstacles: &[Problem], owner: Option<&'a Owner>) -> Option<&'a Owner> {
    let owner = owner?;
    let only = !obstacles.is_empty() && obstacles.iter().all(|obstacle| owner.is(obstacle));
    only.then_some(owner)
}

pub(super) fn problem(owner: &Owner, of: Subject) -> Problem {
    Problem::Owned {
        tool: owner.tool,
        owner: owner.in_namespace(&of.namespace),
        of,
    }
}
