//! The review: every change beside what the server says it would become, before anything is written.

mod approved;
mod state;

pub use approved::{Approved, ApprovedChange, NotApprovable, Word};
pub use state::{ItemState, LeftOut, skipped};

use super::{Change, ChangeId, Impact, Plan, keeping};
use crate::mesh::OwnerTool;
use crate::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
use crate::problems::Problem;
use crate::words;
use jiff::Timestamp;
use serde_json::Value;
use state::is_kept;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which run of the program, and against which cluster; stands in the journal and in a label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunId(pub String);

#[derive(Clone, Debug, Default)]
pub struct Review {
    pub context: String,
    pub run: RunId,
    pub plan: Plan,
    /// By change; a change that is not here yet is still being asked.
    pub items: BTreeMap<ChangeId, Arc<Reviewed>>,
    /// By the user's word; what hangs on them is derived.
    pub left_out: BTreeSet<ChangeId>,
    /// Managers whose fields may be taken by name.
    pub taken: BTreeSet<String>,
    /// The user lets pods be replaced by some of which it is not known whether admission takes them.
    pub unchecked_pods: bool,
}

/// One change, as the server's dry run answered.
#[derive(Clone, Debug)]
pub struct Reviewed {
    pub change: Change,
    /// The object as it was read before the dry run; `None`: absent.
    pub live: Option<Arc<Value>>,
    /// The server's answer; for an unverified change our own projection of it; `None` after a delete.
    pub after: Option<Arc<Value>>,
    pub verdict: Verdict,
    /// Leaves of others that the change overwrites, with their owners and values.
    pub conflicts: Vec<Conflict>,
    /// The server's `Warning:` headers.
    pub warnings: Vec<String>,
    /// What admission said of a Pod made from the new template.
    pub pod: Option<PodVerdict>,
    /// What the rollout of the new template will meet.
    pub rollout_problems: Vec<Problem>,
    /// The intent that is sent: ours, with what we owned before.
    pub intent: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The object would be created.
    New,
    Changes,
    Deletes,
    /// Live already is as wanted; nothing will be written.
    Unchanged,
    /// It cannot be dry-run yet, because something that the plan writes earlier is not there: which, in words.
    Unverified(String),
    /// The server (a validation, an admission webhook, a quota) refuses it: its own words.
    Refused(String),
    /// Our own gate refuses (the text of `prometheus.yml` can't be edited safely …): why, and what to paste.
    Gate {
        why: String,
        paste: String,
    },
    /// The question failed: network, permission.
    Failed(String),
}

/// A field that somebody else set to another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub manager: String,
    /// As the server writes it: `.spec.template.metadata.labels.sidecar.istio.io/inject`.
    pub field: String,
    /// Their value; masked where it could be a secret.
    pub theirs: Option<Value>,
    pub ours: Option<Value>,
    pub hands: Hands,
}

/// Whose hands a field manager is (facts: which fields go by the normal approval).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hands {
    /// kubectl, a dashboard, our older versions: the normal approval takes its fields.
    Person,
    /// Helm, Argo CD, Flux, an operator, a controller, or unknown: taken only by name.
    Controller,
}

/// A Pod from the new template, dry-run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodVerdict {
    /// Admitted; `sidecar` says whether injection added istio-proxy.
    Admitted {
        sidecar: bool,
        /// The server's own.
        warnings: Vec<String>,
        findings: Vec<Problem>,
    },
    /// Forbidden by Pod Security, quota or a webhook.
    Forbidden(Problem),
    /// Admitted, and yet nothing would answer on 15091, or nothing take its certificates.
    Unfit(Problem),
    /// Could not be asked (no permission to create pods …).
    Unknown(Problem),
    /// Admitted but for a quota that leaves no room for one pod more, which this rollout does not begin with.
    BeyondQuota(Problem),
    /// Forbidden, and so is a Pod of the template that stands: taking the change back makes nothing worse.
    AsBad(Problem),
}

/// Figures for the review's header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Changes that approval would write: `new + patched + deleted`.
    pub changes: usize,
    pub new: usize,
    pub patched: usize,
    pub deleted: usize,
    pub unchanged: usize,
    pub left_out: usize,
    pub stopped: usize,
    pub asking: usize,
    /// Pods that restart through what would be written.
    pub restarts: usize,
    /// Workloads and gateways whose pods these are.
    pub restarting: usize,
}

impl RunId {
    /// Sortable by time, and fit for a label or a file's name: `20261123-104512-x7`.
    pub fn new(now: Timestamp) -> Self {
        use std::hash::{BuildHasher, Hasher};
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let chance = std::collections::hash_map::RandomState::new()
            .build_hasher()
            .finish();
        let digit = |n: u64| char::from(DIGITS[(n % 36) as usize]);
        RunId(format!(
            "{}-{}{}",
            now.strftime("%Y%m%d-%H%M%S"),
            digit(chance),
            digit(chance / 36)
        ))
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Reviewed {
    /// The template itself holds istio-proxy, as a gateway's does: no sidecar beside an application.
    pub fn has_own_proxy(&self) -> bool {
        let containers = self
            .after
            .as_ref()
            .and_then(|after| after["spec"]["template"]["spec"]["containers"].as_array());
        containers
            .into_iter()
            .flatten()
            .any(|container| container["name"] == "istio-proxy")
    }

    /// Managers whose fields it overwrites and who must be taken by name.
    pub fn controllers(&self) -> BTreeSet<&str> {
        self.conflicts
            .iter()
            .filter(|conflict| conflict.hands == Hands::Controller)
            .map(|conflict| conflict.manager.as_str())
            .collect()
    }
}

impl Review {
    pub fn new(context: impl Into<String>, run: RunId, plan: Plan) -> Self {
        Review {
            context: context.into(),
            run,
            left_out: plan.held.clone(),
            plan,
            ..Review::default()
        }
    }

    /// Takes the server's answer for a change; a later answer replaces an earlier one.
    pub fn insert(&mut self, reviewed: impl Into<Arc<Reviewed>>) {
        let reviewed = reviewed.into();
        self.items.insert(reviewed.change.id.clone(), reviewed);
    }

    /// How many changes have no answer yet.
    pub fn pending(&self) -> usize {
        self.plan
            .changes
            .iter()
            .filter(|change| !self.items.contains_key(&change.id))
            .count()
    }

    /// Leaves a change out, or takes it in again.
    pub fn toggle(&mut self, id: &ChangeId) {
        if !self.left_out.remove(id) {
            self.left_out.insert(id.clone());
        }
    }

    /// Lets the fields of this manager be taken; a tool's own word (`argocd`) stands for all its managers.
    pub fn take(&mut self, name: impl Into<String>) {
        let name = name.into();
        if let Some(tool) = OwnerTool::named(&name)
            && !tool.managers().any(|manager| manager == name)
        {
            self.taken.extend(tool.managers().map(str::to_owned));
        }
        self.taken.insert(name);
    }

    pub fn counts(&self) -> Counts {
        let states = self.states();
        let mut counts = Counts::default();
        for change in &self.plan.changes {
            match states.get(&change.id) {
                Some(ItemState::Asking) | None => counts.asking += 1,
                Some(ItemState::Unchanged) => counts.unchanged += 1,
                Some(ItemState::LeftOut(_)) => counts.left_out += 1,
                Some(state) if state.stops() => counts.stopped += 1,
                Some(_) => {
                    counts.changes += 1;
                    let reviewed = self.items.get(&change.id);
                    match reviewed.map(|reviewed| (&reviewed.verdict, &reviewed.live)) {
                        Some((Verdict::New, _) | (Verdict::Unverified(_), None)) => counts.new += 1,
                        Some((Verdict::Deletes, _)) => counts.deleted += 1,
                        _ => counts.patched += 1,
                    }
                }
            }
        }
        let mut restarts: BTreeMap<WorkloadRef, usize> = BTreeMap::new();
        for impact in self.impacts_with(&states) {
            if let Impact::Restarts { workload, pods } = impact {
                let most = restarts.entry(workload.clone()).or_default();
                *most = (*most).max(*pods);
            }
        }
        counts.restarts = restarts.values().sum();
        counts.restarting = restarts.len();
        counts
    }

    fn impacts_with<'a>(
        &'a self,
        states: &'a BTreeMap<ChangeId, ItemState>,
    ) -> impl Iterator<Item = &'a Impact> {
        self.plan
            .changes
            .iter()
            .filter(|change| states.get(&change.id).is_some_and(ItemState::is_written))
            .flat_map(|change| &change.impacts)
    }

    /// Impacts of what approval would write, each once.
    pub fn impacts(&self) -> BTreeSet<Impact> {
        let states = self.states();
        self.impacts_with(&states).cloned().collect()
    }

    /// EnvoyFilters that match names which would change.
    pub fn filters_that_stop(&self) -> BTreeSet<ObjectRef> {
        let impacts = self.impacts();
        let filters = impacts.iter().filter_map(|impact| match impact {
            Impact::EnvoyFilterStops { filter, .. } => Some(filter.clone()),
            _ => None,
        });
        filters.collect()
    }

    /// Prometheus servers that would lose their history; losing it takes a confirmation of its own.
    pub fn loses_history(&self) -> Vec<WorkloadRef> {
        self.history_with(&self.states())
    }

    fn history_with(&self, states: &BTreeMap<ChangeId, ItemState>) -> Vec<WorkloadRef> {
        let written: BTreeSet<_> = self
            .plan
            .changes
            .iter()
            .filter(|change| states.get(&change.id).is_some_and(ItemState::is_written))
            .map(|change| &change.object)
            .collect();
        // An impact of the plan as a whole counts where something of that Prometheus's pod is written.
        let of_plan = self.plan.impacts.iter().filter(|impact| {
            matches!(impact, Impact::LosesHistory { prometheus } if written.contains(&prometheus.object()))
        });
        let lost: BTreeSet<WorkloadRef> = self
            .impacts_with(states)
            .chain(of_plan)
            .filter_map(|impact| match impact {
                Impact::LosesHistory { prometheus } => Some(prometheus.clone()),
                _ => None,
            })
            .collect();
        lost.into_iter().collect()
    }

    /// What this run goes without where it does not take the lock there.
    pub fn unguarded(&self, place: &str) -> String {
        let taken = self.plan.changes.iter().filter(|row| {
            let refused = self
                .items
                .get(&row.id)
                .is_some_and(|item| matches!(item.verdict, Verdict::Refused(_)));
            is_kept(row)
                && row.object.kind == Kind::Lease
                && !refused
                && !self.left_out.contains(&row.id)
        });
        let taken = taken.map(|row| row.object.namespace.as_str());
        let others: Vec<&str> = taken.filter(|other| *other != place).collect();
        keeping::unguarded(&self.plan, place, &others)
    }

    /// What the run goes without where the cluster does not take this row of its own, and why.
    pub fn not_kept(&self, reviewed: &Reviewed) -> Option<String> {
        let change = &reviewed.change;
        let Verdict::Refused(why) = &reviewed.verdict else {
            return None;
        };
        let without = match change.object.kind {
            _ if !is_kept(change) => return None,
            Kind::Lease => self.unguarded(&change.object.namespace),
            _ => "only this machine keeps the record of the run".to_owned(),
        };
        Some(format!("{without}: {why}"))
    }

    /// The server's warnings and what admission noted, with the change they belong to.
    pub fn warnings(&self) -> Vec<(ChangeId, String)> {
        let mut out = Vec::new();
        for change in &self.plan.changes {
            let Some(reviewed) = self.items.get(&change.id) else {
                continue;
            };
            let (warnings, findings) = match &reviewed.pod {
                Some(PodVerdict::Admitted {
                    warnings, findings, ..
                }) => (&warnings[..], &findings[..]),
                Some(
                    PodVerdict::Unknown(why)
                    | PodVerdict::BeyondQuota(why)
                    | PodVerdict::AsBad(why),
                ) => (&[][..], std::slice::from_ref(why)),
                _ => (&[][..], &[][..]),
            };
            out.extend(
                self.not_kept(reviewed)
                    .map(|words| (change.id.clone(), words)),
            );
            for words in reviewed.warnings.iter().chain(warnings) {
                out.push((change.id.clone(), words.clone()));
            }
            for problem in reviewed.rollout_problems.iter().chain(findings) {
                out.push((change.id.clone(), words::reason(problem)));
            }
        }
        out
    }
}

#[cfg(test)]
pub(super) mod tests;
