//! Resources, patches and server-side-apply fragments: what is committed, and what it is applied with.

use super::{File, Setup, Step, Way, comment, file, merge};
use crate::mesh::PrometheusFlavour;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::plan::yaml::to_yaml;
use crate::plan::{Action, Change, Part};
use crate::words;
use serde_json::{Value, json};
use std::fmt::Write;

pub(super) fn files(steps: &[Step], setup: &Setup) -> Vec<File> {
    let mut files = Vec::new();
    let mut resources: Vec<(&Step, String)> = Vec::new();
    let mut patches: Vec<(&Step, String)> = Vec::new();
    // The operator makes Prometheus's workload anew from its resource: a patch of it would not last.
    let made = |step: &&Step| {
        setup.flavour == PrometheusFlavour::Operator
            && matches!(
                step.change.part,
                Part::PrometheusPod | Part::ScrapeJob | Part::PlaintextJobs
            )
    };
    for step in steps.iter().filter(|step| step.exported() && !made(step)) {
        if step.is_new() {
            let path = format!("resources/{}.yaml", step.stem);
            let text = format!(
                "{}{}",
                comment(&words::purpose(&step.change.purpose)),
                to_yaml(&step.intent())
            );
            files.push(file(&path, text));
            resources.push((step, path));
        } else if let Some(patch) = patch(step) {
            let name = format!("{}.yaml", step.stem);
            let text = format!(
                "{}{}",
                comment(&words::purpose(&step.change.purpose)),
                to_yaml(&patch)
            );
            files.push(file(format!("patches/{name}"), text));
            patches.push((step, name));
        }
        if let Some(fragment) = fragment(step) {
            files.push(fragment);
        }
    }
    if !resources.is_empty() {
        files.push(file("kustomization.yaml", kustomization(&resources)));
    }
    if !patches.is_empty() {
        files.push(file("patches/kustomization.yaml", component(&patches)));
    }
    files
}

/// New objects, policies first. Two groups, since a GitOps tool applies one commit at once.
fn kustomization(resources: &[(&Step, String)]) -> String {
    let mut out = String::from(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n\
         # In this order, so that no port is open before its policies (needs kustomize 5 or kubectl 1.27).\n\
         sortOptions:\n  order: fifo\nresources:\n",
    );
    let policy = |step: &Step| step.change.part == Part::Policy;
    let groups = [
        ("first commit: who may read the port", true),
        (
            "second commit, once the first is applied: what opens the port",
            false,
        ),
    ];
    for (words, policies) in groups {
        let mut group = resources
            .iter()
            .filter(|(step, _)| policy(step) == policies)
            .peekable();
        if group.peek().is_some() {
            let _ = writeln!(out, "# {words}");
        }
        for (_, path) in group {
            let _ = writeln!(out, "- {path}");
        }
    }
    out
}

/// A component: it is listed in the owner's own kustomization, which holds what is patched.
fn component(patches: &[(&Step, String)]) -> String {
    let mut out = String::from(
        "# List this folder under `components:` of the kustomization that holds these objects.\n\
         # A patch whose object is not in it changes nothing, and kustomize does not say so; where your files name\n\
         # no namespace, take the line `namespace:` out of its target.\n\
         apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n",
    );
    for (step, name) in patches {
        let object = &step.change.object;
        let mut target = json!({"kind": object.kind.name(), "name": exact(&object.name)});
        if !object.namespace.is_empty() {
            target["namespace"] = object.namespace.as_str().into();
        }
        if let Some((group, version)) = object.kind.api_version().split_once('/') {
            target["group"] = group.into();
            target["version"] = version.into();
        } else {
            target["version"] = object.kind.api_version().into();
        }
        let _ = write!(
            out,
            "{}",
            to_yaml(&json!([{"path": name, "target": target}]))
        );
    }
    out
}

/// kustomize reads a target's name as a regular expression, anchored at both ends.
fn exact(name: &str) -> String {
    name.replace('.', "\\.")
}

/// What the change makes of an object that somebody's kustomization holds. `None`: not by a patch (a running
/// pod stands in no Git; text in a ConfigMap is no field of its own).
fn patch(step: &Step) -> Option<Value> {
    patch_of(step.change, step.is_whole())
}

/// `whole`: the object is ours, and the intent all of it.
pub(in crate::plan) fn patch_of(change: &Change, whole: bool) -> Option<Value> {
    let object = &change.object;
    match &change.action {
        _ if object.kind == Kind::Pod => None,
        Action::Apply { intent } if whole => {
            let mut patch = head(object);
            patch["spec"] = intent["spec"].clone();
            Some(patch)
        }
        Action::Apply { intent } => {
            let mut patch = intent.clone();
            if let Some(metadata) = patch["metadata"].as_object_mut() {
                metadata.remove("uid");
                metadata.remove("resourceVersion");
            }
            Some(patch)
        }
        Action::Edit { leaves } if crate::plan::kubectl::holds_credentials(leaves) => None,
        Action::Edit { leaves } => {
            let mut patch = merge::patch(leaves);
            let head = head(object);
            for field in ["apiVersion", "kind"] {
                patch[field] = head[field].clone();
            }
            for field in ["name", "namespace"] {
                if !head["metadata"][field].is_null() {
                    patch["metadata"][field] = head["metadata"][field].clone();
                }
            }
            Some(patch)
        }
        Action::Delete { .. } => {
            let mut patch = head(object);
            patch["$patch"] = "delete".into();
            Some(patch)
        }
        Action::Text { .. } => None,
    }
}

fn head(object: &ObjectRef) -> Value {
    let mut head = json!({
        "apiVersion": object.kind.api_version(),
        "kind": object.kind.name(),
        "metadata": {"name": object.name},
    });
    if !object.namespace.is_empty() {
        head["metadata"]["namespace"] = object.namespace.as_str().into();
    }
    head
}

/// The file that server-side apply takes for an object that is there already.
fn fragment(step: &Step) -> Option<File> {
    if step.is_new() || !matches!(step.change.action, Action::Apply { .. }) {
        return None;
    }
    let mut text = comment(&words::purpose(&step.change.purpose));
    if let Way::Owner(why) = &step.way {
        text.push_str(&comment(&format!("Not applied by the script: {why}.")));
    }
    text.push_str(&to_yaml(&step.intent()));
    Some(file(format!("apply/{}.yaml", step.stem), text))
}
