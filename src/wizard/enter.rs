//! A first sidecar, by which a workload enters the mesh: decided for each by hand, or for all by the flag.

use super::dialog::{button, dialog};
use super::refuse::counted;
use super::state::{Answer, Dialog, DialogKind, Notice, State, Tone};
use crate::mesh::Workload;
use crate::mesh::kinds::WorkloadRef;
use crate::plan::ChangeId;
use crate::text::few;
use crate::words::say::wizard as say;

impl State {
    /// Not in the mesh yet, and nobody has said that it may enter.
    pub(super) fn stays_outside(&self, workload: &Workload) -> bool {
        workload.enters_mesh() && !self.answers.may_inject(&workload.id)
    }

    pub(super) fn ask_first_sidecar(&mut self, id: &WorkloadRef) {
        let pods = self.mesh.workload(id).map_or(0, |w| w.desired as usize);
        self.dialog = Some(dialog(
            DialogKind::FirstSidecar(id.clone()),
            say::add_sidecar_question(&id.name),
            vec![
                say::not_in_mesh_yet(&id.to_string()),
                match pods {
                    1 => say::joining_restarts_pod(&id.name),
                    n => say::joining_restarts_pods(n, &id.name),
                },
            ],
            vec![
                button(say::CANCEL, Answer::Cancel, false),
                button(say::ADD_SIDECAR, Answer::Yes, true),
            ],
        ));
    }

    pub(super) fn allow_first_sidecar(&mut self, id: &WorkloadRef) {
        self.answers.first_sidecar.insert(id.clone());
        self.choose(id, true);
    }

    /// Says which workloads a choice of many has passed over.
    pub(super) fn name_outside(&mut self, outside: &[String]) {
        if outside.is_empty() {
            return;
        }
        self.notice = Some(Notice {
            tone: Tone::Waiting,
            text: say::skipped_outside(
                &counted(outside.len(), say::ONE_WORKLOAD, say::workloads),
                &few(outside, 3),
            ),
        });
    }

    pub(super) fn confirm_unchecked(&self, ids: &[ChangeId]) -> Dialog {
        let names: Vec<String> = ids.iter().map(ChangeId::object).collect();
        dialog(
            DialogKind::ConfirmUnchecked,
            say::RESTART_UNCHECKED_PODS,
            vec![
                say::pods_not_checked(&few(&names, 5)),
                say::IF_ADMISSION_REJECTS.into(),
                say::PERMISSION_TO_CHECK.into(),
            ],
            vec![
                button(say::CANCEL, Answer::Cancel, false),
                button(say::RESTART_UNCHECKED, Answer::Yes, true),
            ],
        )
    }
}
