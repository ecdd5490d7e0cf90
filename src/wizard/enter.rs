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
            format!("Give {} its first sidecar?", id.name),
            vec![
                format!("{id} is not in the mesh yet."),
                format!(
                    "To be secured {} with istio-proxy, and all traffic of {} goes through it from then on.",
                    match pods {
                        1 => "its pod restarts".to_owned(),
                        n => format!("its {n} pods restart"),
                    },
                    id.name
                ),
            ],
            vec![
                button("Keep it out of the mesh", Answer::Cancel, false),
                button("Give it a sidecar", Answer::Yes, true),
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
                "{} not in the mesh yet, and skipped: {}; space on its row decides for one",
                plural(outside.len(), "workload is", "workloads are"),
                few(outside, 3)
            ),
        });
    }

    pub(super) fn confirm_unchecked(&self, ids: &[ChangeId]) -> Dialog {
        let names: Vec<String> = ids.iter().map(ChangeId::object).collect();
        dialog(
            DialogKind::ConfirmUnchecked,
            "Restart pods that nobody could check?",
            vec![
                format!(
                    "Whether the cluster admits the new pods could not be asked: {}.",
                    few(&names, 5)
                ),
                "Where it refuses them, a rollout stops, and a workload that is recreated is down."
                    .into(),
                "The right to create pods (for dry runs alone) lets this be asked.".into(),
            ],
            vec![
                button("Cancel", Answer::Cancel, false),
                button("Restart them unchecked", Answer::Yes, true),
            ],
        )
    }
}
