//! A first sidecar, by which a workload enters the mesh: decided for each by hand, or for all by the flag.

use super::dialog::{button, dialog};
use super::refuse::plural;
use super::state::{Answer, Dialog, DialogKind, Notice, State, Tone};
use crate::mesh::Workload;
use crate::mesh::kinds::WorkloadRef;
use crate::plan::ChangeId;
use crate::text::few;

impl State {
    /// Not in the mesh yet, and nobody has said that it may enter.
    pub(super) fn stays_outside(&self, workload: &Workload) -> bool {
        workload.enters_mesh() && !self.answers.may_inject(&workload.id)
    }

    pub(super) fn ask_first_sidecar(&mut self, id: &WorkloadRef) {
        let pods = self.mesh.workload(id).map_or(0, |w| w.desired as usize);
        self.dialog = Some(dialog(
            DialogKind::FirstSidecar(id.clone()),
            format!("Add a sidecar to {}?", id.name),
            vec![
                format!("{id} is not in the mesh yet."),
                format!(
                    "To join, {} with istio-proxy, and all traffic of {} then goes through the sidecar.",
                    match pods {
                        1 => "its pod restarts".to_owned(),
                        n => format!("its {n} pods restart"),
                    },
                    id.name
                ),
            ],
            vec![
                button("Cancel", Answer::Cancel, false),
                button("Add a sidecar", Answer::Yes, true),
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
            text: format!(
                "{} skipped, not in the mesh: {}; press space on a row to add its sidecar",
                plural(outside.len(), "workload", "workloads"),
                few(outside, 3)
            ),
        });
    }

    pub(super) fn confirm_unchecked(&self, ids: &[ChangeId]) -> Dialog {
        let names: Vec<String> = ids.iter().map(ChangeId::object).collect();
        dialog(
            DialogKind::ConfirmUnchecked,
            "Restart pods without an admission check?",
            vec![
                format!(
                    "The new pods could not be checked against admission: {}.",
                    few(&names, 5)
                ),
                "If admission rejects them, the rollout stops, and a Recreate workload is down."
                    .into(),
                "Permission to create pods (used for dry runs only) enables this check.".into(),
            ],
            vec![
                button("Cancel", Answer::Cancel, false),
                button("Restart unchecked", Answer::Yes, true),
            ],
        )
    }
}
