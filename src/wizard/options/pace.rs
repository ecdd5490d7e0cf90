//! How fast workloads restart: a row of the Options step.

use crate::answers::{Annotate, Pace};
use crate::mesh::SidecarState;
use crate::wizard::refuse::plural;
use crate::wizard::state::{OptionCell, OptionChoice, OptionRow, State};

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
        let rollouts = plural(restart, "rollout", "rollouts");
        let up = "targets must be UP before the next one starts: 1 to 2 min more each";
        let [one, canary, all] = match restart {
            0 => [
                String::new(),
                format!("after each workload, {up}"),
                String::new(),
            ],
            1 => [
                String::new(),
                format!("after the rollout, {up}"),
                String::new(),
            ],
            n => [
                format!("{rollouts} one at a time: the total time is the sum of all"),
                format!("{rollouts} one at a time; after each, {up}"),
                format!(
                    "{n} workloads restart in parallel: their surge pods need capacity at the same time"
                ),
            ],
        };
        let shared = match restart {
            0 | 1 => "",
            _ => "a shared fault appears only after every workload started to restart",
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
            label: "Rollout",
            choices: vec![
                cell(Pace::One, "one at a time", one, ""),
                cell(Pace::Canary, "canary", canary, ""),
                cell(Pace::All, "parallel", all, shared),
            ],
        })
    }
}

/// How the restarts of a run follow each other, for the end of a sentence.
pub(in crate::wizard) fn words(pace: Pace) -> &'static str {
    match pace {
        Pace::One => "one workload at a time",
        Pace::Canary => "one workload at a time, each UP before the next",
        Pace::All => "all workloads in parallel",
    }
}
