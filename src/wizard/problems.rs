//! The problems of the cluster, listed, and what ends them taken into the plan.

use super::dialog::{button, dialog};
use super::state::{Answer, DialogKind, Notice, State, Tone};
use crate::answers::GatewayRef;
use crate::mesh::Workload;
use crate::mesh::kinds::WorkloadRef;
use crate::problems::{Choice, groups};
use crate::text::few;
use crate::words;
use std::collections::BTreeSet;

/// Of one code so many are listed, and lines in all; `meshscrape check` says them all.
const LISTED: usize = 12;
const LINES: usize = 200;

/// What the problems of the cluster ask to be chosen, can be chosen, and is not yet.
#[derive(Default)]
struct Fixes {
    workloads: BTreeSet<WorkloadRef>,
    gateways: BTreeSet<GatewayRef>,
}

impl Fixes {
    fn count(&self) -> usize {
        self.workloads.len() + self.gateways.len()
    }
}

impl State {
    /// The problems of the cluster, by code, each with its object and what to do.
    pub(super) fn list_problems(&mut self) {
        let mut lines = Vec::new();
        let mut left = self.mesh.problems.len();
        for (code, problems) in groups(&self.mesh.problems) {
            lines.push(format!(
                "{} {code}  {}",
                code.severity().name(),
                words::title(code)
            ));
            for problem in problems.iter().take(LISTED) {
                let reason = words::reason(problem);
                lines.push(format!("  {}: {reason}", problem.of()));
            }
            if problems.len() > LISTED {
                lines.push(format!("  and {} more", problems.len() - LISTED));
            }
            left -= problems.len();
            if lines.len() > LINES && left > 0 {
                lines.push(format!("{left} more: meshscrape check lists them all"));
                break;
            }
        }
        let mut buttons = vec![button("Close", Answer::Cancel, false)];
        if let fixes @ 1.. = self.fixes().count() {
            buttons.push(button(
                &format!("Choose {fixes} to fix"),
                Answer::Yes,
                false,
            ));
        }
        self.dialog = Some(dialog(
            DialogKind::Problems,
            "Problems in this cluster",
            lines,
            buttons,
        ));
    }

    fn fixes(&self) -> Fixes {
        let mut fixes = Fixes::default();
        for problem in self.mesh.problems.iter() {
            let of = problem.of();
            match problem.choice() {
                Some(Choice::Namespace(name)) => {
                    let all = self.workloads_of(&name).iter();
                    fixes.workloads.extend(
                        all.filter(|workload| self.may_choose(workload))
                            .map(|workload| workload.id.clone()),
                    );
                }
                Some(Choice::Workload(_)) => {
                    let mut all = self.workloads_of(&of.namespace).iter();
                    let found = all.find(|workload| {
                        workload.id.name == of.name && workload.id.kind.name() == of.kind
                    });
                    let found = found.filter(|workload| self.may_choose(workload));
                    fixes
                        .workloads
                        .extend(found.map(|workload| workload.id.clone()));
                }
                Some(Choice::Item(item)) if item.gateway => {
                    let gateway = self.mesh.gateway(&item.id.namespace, &item.id.name);
                    if gateway.is_some_and(|of| of.workload.is_free(&self.answers.take)) {
                        fixes.gateways.insert(GatewayRef {
                            namespace: item.id.namespace.clone(),
                            name: item.id.name.clone(),
                        });
                    }
                }
                Some(Choice::Item(item)) => {
                    let found = self.mesh.workload(&item.id);
                    let found = found.filter(|workload| self.may_choose(workload));
                    fixes
                        .workloads
                        .extend(found.map(|workload| workload.id.clone()));
                }
                None => {}
            }
        }
        fixes
            .workloads
            .retain(|id| !self.answers.workloads.contains(id));
        fixes
            .gateways
            .retain(|id| !self.answers.gateways.contains(id));
        fixes
    }

    /// A first sidecar is asked for by itself.
    fn may_choose(&self, workload: &Workload) -> bool {
        workload.is_free(&self.answers.take) && !self.stays_outside(workload)
    }

    /// The workloads and gateways whose changes end what was listed; the review shows each change.
    pub(super) fn choose_fixes(&mut self) {
        let fixes = self.fixes();
        let mut names: Vec<String> = Vec::new();
        for id in &fixes.workloads {
            self.answers.namespaces.insert(id.namespace.clone());
            self.choose(id, true);
            names.push(format!("{}/{}", id.namespace, id.name));
        }
        for id in fixes.gateways {
            names.push(format!("{}/{}", id.namespace, id.name));
            self.answers.gateways.insert(id);
        }
        self.notice = Some(Notice {
            tone: Tone::Plain,
            text: format!("chosen: {}; the review shows their changes", few(&names, 4)),
        });
    }
}
