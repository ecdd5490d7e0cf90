//! The problems of the cluster, listed, and what ends them taken into the plan.

use super::dialog::{button, dialog};
use super::state::{Answer, DialogKind, Notice, State, Tone};
use crate::mesh::Workload;
use crate::mesh::kinds::WorkloadRef;
use crate::problems::{Choice, Subject, groups};
use crate::text::few;
use crate::words::{self, say::wizard as say};
use std::collections::BTreeSet;

/// Of one code so many are listed, and lines in all; `meshscrape check` says them all.
const LISTED: usize = 12;
const LINES: usize = 200;

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
                lines.push(say::more_of_code(problems.len() - LISTED));
            }
            left -= problems.len();
            if lines.len() > LINES && left > 0 {
                lines.push(say::check_lists_all(left));
                break;
            }
        }
        let mut buttons = vec![button(say::CLOSE, Answer::Cancel, false)];
        if let fixes @ 1.. = self.fixes().len() {
            buttons.push(button(&say::choose_to_fix(fixes), Answer::Yes, false));
        }
        self.dialog = Some(dialog(
            DialogKind::Problems,
            say::PROBLEMS_IN_CLUSTER,
            lines,
            buttons,
        ));
    }

    /// What the problems of the cluster ask to be chosen, can be chosen, and is not yet.
    fn fixes(&self) -> BTreeSet<WorkloadRef> {
        let mut fixes = BTreeSet::new();
        for problem in self.mesh.problems.iter() {
            let (namespace, only) = match problem.choice() {
                Some(Choice::Namespace(name)) => (name, None),
                Some(Choice::Workload(of)) => (of.namespace.clone(), Some(of)),
                // Of what an earlier run wrote; the monitor finds those.
                Some(Choice::Item(_)) | None => continue,
            };
            let all = self.workloads_of(&namespace).iter();
            let asked = all.filter(|workload| {
                let meant = only
                    .as_ref()
                    .is_none_or(|of| Subject::from(&workload.id) == *of);
                meant && self.may_choose(workload)
            });
            fixes.extend(asked.map(|workload| workload.id.clone()));
        }
        fixes.retain(|id| !self.answers.workloads.contains(id));
        fixes
    }

    /// A first sidecar is asked for by itself.
    fn may_choose(&self, workload: &Workload) -> bool {
        workload.is_free(&self.answers.take) && !self.stays_outside(workload)
    }

    /// The workloads whose changes end what was listed; the review shows each change.
    pub(super) fn choose_fixes(&mut self) {
        let mut names: Vec<String> = Vec::new();
        for id in self.fixes() {
            self.answers.namespaces.insert(id.namespace.clone());
            self.choose(&id, true);
            names.push(format!("{}/{}", id.namespace, id.name));
        }
        self.notice = Some(Notice {
            tone: Tone::Plain,
            text: say::chosen_to_fix(&few(&names, 4)),
        });
    }
}
