//! How fast workloads restart: a row of the Options step.

use crate::answers::{Annotate, Pace};
use crate::mesh::SidecarState;
use crate::wizard::state::{OptionCell, OptionChoice, OptionRow, State};
use crate::words::say::wizard as say;

impl State {
    /// Nothing to choose where there is only one item.
    pub(super) fn pace_row(&self) -> Option<OptionRow> {
        let items = self.chosen_items().count();
        let restart = self
            .chosen_items()
            .filter(|(workload, gateway)| {
                let injected =
                    !gateway && matches!(workload.sidecar, SidecarState::Switchable { .. });
                injected || self.answers.annotate_of(&workload.id) == Annotate::Template
            })
            .count();
        if items < 2 {
            return None;
        }

        let [one, canary, all] = match restart {
            0 => [
                String::new(),
                say::UP_AFTER_EACH_WORKLOAD.to_owned(),
                String::new(),
            ],
            1 => [
                String::new(),
                say::UP_AFTER_THE_ROLLOUT.to_owned(),
                String::new(),
            ],
            n => [
                say::rollouts_one_by_one(n),
                say::rollouts_with_canary(n),
                say::restart_in_parallel(n),
            ],
        };
        let shared = match restart {
            0 | 1 => "",
            _ => say::SHARED_FAULT,
        };
        let cell = |pace, label: &str, impact: String, risk: &str| OptionCell {
            choice: OptionChoice::Pace(pace),
            label: label.to_owned(),
            impact,
            risk: risk.to_owned(),
            chosen: self.answers.options.pace == pace,
            blocked: None,
        };
        Some(OptionRow {
            label: say::ROW_ROLLOUT,
            choices: vec![
                cell(Pace::One, say::ONE_AT_A_TIME, one, ""),
                cell(Pace::Canary, say::CANARY, canary, ""),
                cell(Pace::All, say::IN_PARALLEL, all, shared),
            ],
        })
    }
}

/// How many pods restart, and how the restarts of a run follow each other.
pub(in crate::wizard) fn restarts(pace: Pace, pods: usize) -> String {
    match pace {
        Pace::One => say::pods_restart_one_by_one(pods),
        Pace::Canary => say::pods_restart_with_canary(pods),
        Pace::All => say::pods_restart_in_parallel(pods),
    }
}
