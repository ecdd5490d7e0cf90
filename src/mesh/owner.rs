//! Who would set a direct change back: Helm, Argo CD, Flux, or another controller.
//!
//! Labels that a chart leaves behind do not make a Helm release: the release's annotations do.

use super::objects::Meta;
use super::{Obstacle, Owner, OwnerTool};

pub(super) fn owner(meta: &Meta) -> Option<Owner> {
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

/// `what`: "the Deployment shop/cart".
pub(super) fn obstacle(owner: &Owner, what: &str) -> Obstacle {
    let name = &owner.name;
    let reason = match owner.tool {
        OwnerTool::Helm => format!(
            "{what} belongs to the Helm release {name}, whose next upgrade may set a direct change back. \
             Set the annotation and labels in the release's values instead."
        ),
        OwnerTool::ArgoCd => format!(
            "{what} belongs to the Argo CD application {name}, which sets a direct change back. \
             Commit the change to what the application syncs from instead."
        ),
        OwnerTool::Flux => format!(
            "{what} is applied by Flux ({name}), which sets a direct change back. \
             Commit the change to what Flux reconciles instead."
        ),
        OwnerTool::Operator => format!(
            "{what} is controlled by {name}, whose controller sets a direct change back. \
             Change {name} instead."
        ),
    };
    Obstacle {
        word: owner.tool.name(),
        reason,
    }
}
