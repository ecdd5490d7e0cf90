//! A reviewed plan as a folder of files, for owners who let Git, Helm or a shell do the writing.
//!
//! The folder's text comes from the review alone: the same intents that an apply would send. No file holds the
//! whole of a ConfigMap or a credential of its text.

use super::review::{Review, Reviewed};
use super::{Action, Change, ChangeId, Part};
use crate::error::Error;
use crate::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
use crate::mesh::{Owner, PrometheusFlavour, Unread};
use crate::problems::Problem;
use serde_json::Value;
use std::collections::BTreeMap;

mod gitops;
mod helm;
mod merge;
mod prometheus;
mod readme;
mod script;
mod splice;
#[cfg(test)]
mod tests;
mod way;

// For what else tells an owner what to write.
pub(super) use gitops::patch_of;
pub(super) use helm::{JOBS_AS_MAP, as_text_of, by_name, server, with_rules};
pub(super) use prometheus::{jobs_of, pod_of, rules_of, text_of};
pub use splice::{Splice, splices};
pub use way::Way;

/// The script of kubectl commands.
pub const SCRIPT: &str = "apply.sh";
pub const README: &str = "README.md";

/// What an export needs to know beside the review.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    pub prometheus: WorkloadRef,
    pub flavour: PrometheusFlavour,
    pub owner: Option<Owner>,
    /// The container that runs Prometheus.
    pub container: String,
    /// The port of its HTTP API and the prefix of its paths.
    pub http_port: u16,
    pub route_prefix: String,
    /// It asks for HTTPS or a password, so that the API server's proxy cannot be answered.
    pub web_config: bool,
    pub reload: Reload,
    /// Major version of the chart that it was installed from, where a label says so.
    pub chart: Option<u32>,
    /// Its plaintext jobs whose rules an export may have to write anew: name and `relabel_configs`.
    pub old_jobs: BTreeMap<String, Vec<Value>>,
    /// Objects of the plan that somebody else keeps as they are, and who.
    pub owned: BTreeMap<ObjectRef, Owner>,
    /// Why its own changes could not be worked out; `None`: they could.
    pub gap: Option<Gap>,
    /// Jobs that somebody has to add where its configuration really comes from: name and job.
    pub by_hand: Vec<(String, Value)>,
}

/// Why the changes at a Prometheus cannot be worked out whole.
#[derive(Clone, Debug, PartialEq)]
pub enum Gap {
    /// Its operator writes its configuration into a Secret.
    Operator(WorkloadRef),
    Blocked(Problem),
    NotFound(WorkloadRef),
    Unread(WorkloadRef, Unread),
}

/// How Prometheus comes to read a changed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// A container of its pod asks it to.
    ByItself,
    /// `POST /-/reload` is answered.
    OnRequest,
    /// Only by a restart.
    Restart,
}

/// One file of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Relative, with `/`; letters, digits, `.`, `-` and `_` only.
    pub path: String,
    pub text: String,
    pub executable: bool,
}

/// The folder, before it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Export {
    /// Sorted by path. Empty: there is nothing to change.
    pub files: Vec<File>,
    /// Changes that the script makes.
    pub by_script: usize,
    /// Changes that their owner has to make, with the reason.
    pub by_owner: Vec<(ChangeId, String)>,
    /// Changes that are in no file, with the reason.
    pub left_out: Vec<(ChangeId, String)>,
}

impl Export {
    /// What was written, in words for a person: one line each, control characters taken out.
    pub fn words(&self, folder: &str) -> Vec<String> {
        if self.files.is_empty() {
            return vec!["No changes, so no files were written.".into()];
        }
        let mut lines = vec![format!(
            "{} files written to {folder}; begin with {README}.",
            self.files.len()
        )];
        if self.by_script > 0 {
            lines.push(format!(
                "{} of the changes are made by {SCRIPT}.",
                self.by_script
            ));
        }
        for (words, list) in [
            ("for its owner", &self.by_owner),
            ("in no file", &self.left_out),
        ] {
            lines.extend(list.iter().map(|(id, why)| format!("{words}: {id}: {why}")));
        }
        lines
            .iter()
            .map(|line| crate::text::clean(line).replace('\n', " "))
            .collect()
    }

    /// # Errors
    /// There are changes, and none of them could be put into a file.
    pub fn usable(&self) -> Result<(), Error> {
        if !self.files.is_empty() || self.left_out.is_empty() {
            return Ok(());
        }
        let mut error = Error::refused("nothing was exported: no change can be made as it is");
        for (id, why) in &self.left_out {
            error = error.cause(format!("{id}: {why}"));
        }
        Err(error)
    }
}

/// One change with its place in the folder.
struct Step<'a> {
    change: &'a Change,
    reviewed: Option<&'a Reviewed>,
    way: Way,
    /// `03-sidecar-shop-meshscrape-cart`: number and name, for all its files.
    stem: String,
}

impl Step<'_> {
    /// Does the object come into being with this change?
    fn is_new(&self) -> bool {
        let live = self.reviewed.and_then(|reviewed| reviewed.live.as_ref());
        matches!(self.change.action, Action::Apply { .. })
            && live.is_none()
            && self.change.object.kind != Kind::Pod
            && self.is_whole()
    }

    /// An object of our own, not a fragment of somebody's.
    fn is_whole(&self) -> bool {
        self.intent()["metadata"]["labels"]["app.kubernetes.io/managed-by"]
            == crate::mesh::kinds::MANAGER
    }

    /// What is applied. Without the run that made it: an export is no run.
    fn intent(&self) -> Value {
        let Action::Apply { intent } = &self.change.action else {
            return Value::Null;
        };
        let sent = self.reviewed.and_then(|reviewed| reviewed.intent.as_ref());
        let live = self.reviewed.and_then(|reviewed| reviewed.live.as_ref());
        let mut intent = sent.unwrap_or(intent).clone();
        if live.is_none()
            && let Some(metadata) = intent["metadata"].as_object_mut()
        {
            metadata.remove("annotations");
        }
        intent
    }

    fn in_script(&self) -> bool {
        matches!(self.way, Way::Script { .. })
    }

    fn exported(&self) -> bool {
        matches!(self.way, Way::Script { .. } | Way::Owner(_))
    }
}

/// The files of a reviewed plan. The run's own record and lock are no part of it.
pub fn export(review: &Review, setup: &Setup) -> Export {
    let steps = steps(review, setup);
    let mut export = Export::default();
    for step in &steps {
        let id = step.change.id.clone();
        match &step.way {
            Way::Script { .. } => export.by_script += 1,
            Way::Owner(why) => export.by_owner.push((id, why.clone())),
            Way::Out(why) => export.left_out.push((id, why.clone())),
            Way::Stands => {}
        }
    }
    if export.by_script == 0 && export.by_owner.is_empty() {
        return export;
    }
    let mut files = gitops::files(&steps, setup);
    files.extend(prometheus::files(&steps, setup));
    files.extend(helm::files(&steps, setup));
    files.extend(script::files(&steps, setup, &review.context));
    files.push(readme::file(review, setup, &steps, &files));
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    export.files = files;
    export
}

fn steps<'a>(review: &'a Review, setup: &Setup) -> Vec<Step<'a>> {
    let ways = way::ways(review, setup);
    let changes = review
        .plan
        .changes
        .iter()
        .filter(|change| change.part != Part::Journal);
    changes
        .enumerate()
        .map(|(n, change)| Step {
            change,
            reviewed: review.items.get(&change.id).map(AsRef::as_ref),
            way: ways.get(&change.id).cloned().unwrap_or(Way::Stands),
            stem: stem(n + 1, change),
        })
        .collect()
}

/// A file's name: cut short, since a namespace and a name together can be longer than a file's name may be.
fn stem(n: usize, change: &Change) -> String {
    let object = &change.object;
    let words = format!(
        "{}-{}-{}",
        object.kind.name(),
        object.namespace,
        object.name
    );
    let safe: String = words
        .to_lowercase()
        .chars()
        .map(|c| match c {
            'a'..='z' | '0'..='9' | '.' => c,
            _ => '-',
        })
        .take(100)
        .collect();
    format!(
        "{n:03}-{}",
        safe.replace("--", "-").trim_matches(['-', '.'])
    )
}

fn file(path: impl Into<String>, text: impl Into<String>) -> File {
    File {
        path: path.into(),
        text: text.into(),
        executable: false,
    }
}

/// Words as comment lines, so that nothing from the cluster can end the comment.
fn comment(words: &str) -> String {
    let clean = crate::text::clean(words);
    let mut out = String::new();
    for line in clean.split(['\n', '\r']) {
        out.push_str("# ");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
