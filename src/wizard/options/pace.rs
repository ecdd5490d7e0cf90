//! How fast workloads restart: a row of the Options step.

use crate::answers::{Mark, Pace};
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
                injected || self.answers.mark_of(&workload.id) == Mark::Template
            })
            .count();
        if items < 2 {
            return None;
        }
        let rollouts = plural(restart, "rollout", "rollouts");
        let up = "its targets must be UP before the next begins: a minute or two more for each";
        let [one, canary, all] = match restart {
            0 => [
                String::new(),
                format!("after each workload {up}"),
                String::new(),
            ],
            1 => [
                String::new(),
                format!("after the rollout {up}"),
                String::new(),
            ],
            n => [
                format!("{rollouts} in a row: it takes as long as all of them together"),
                format!("{rollouts} in a row, and after each {up}"),
                format!(
                    "{n} workloads restart together: their extra pods need room at the same time"
                ),
            ],
        };
        let shared = match restart {
            0 | 1 => "",
            _ => "a fault that they share shows only when all of them are restarting",
        };
        let cell = |pace, label: &str, price: String, risk: &str| OptionCell {
            choice: OptionChoice::Pace(pace),
            label: label.to_owned(),
            price,
            risk: risk.to_owned(),
            chosen: self.answers.options.pace == pace,
            blocked: None,
        };
        Some(OptionRow {
            label: "Pace",
            choices: vec![
                cell(Pace::One, "one by one", one, ""),
                cell(Pace::Canary, "canary", canary, ""),
                cell(Pace::All, "all at once", all, shared),
            ],
        })
    }
}

/// How the restarts of a run follow each other, for the end of a sentence.
pub(in crate::wizard) fn words(pace: Pace) -> &'static str {
    match pace {
        Pace::One => "one workload after another",
        Pace::Canary => "one workload after another, each UP before the next",
        Pace::All => "all workloads at once",
    }
}
