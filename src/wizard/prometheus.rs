//! Step 2: which Prometheus. The only choosable one is chosen by itself; between two the user says.

use super::list::Row;
use super::msg::Effect;
use super::state::State;
use std::time::Duration;

/// How often a missing Prometheus is looked for anew.
pub const LOOK_AGAIN: Duration = Duration::from_secs(3);

impl State {
    pub(super) fn derive_prometheus(&mut self) {
        let rows = self
            .mesh
            .prometheus_servers
            .iter()
            .map(|p| Row::Prometheus(p.clone()))
            .collect();
        let first = self.prometheus.rows.is_empty();
        self.prometheus.renew(rows);
        if first && let Some(chosen) = &self.answers.prometheus {
            let at = self
                .mesh
                .prometheus_servers
                .iter()
                .position(|p| p.id == *chosen);
            if let Some(at) = at {
                self.prometheus.move_to(at);
            }
        }
    }

    pub(super) fn preselect_prometheus(&mut self) {
        if self.prometheus_by_user {
            return;
        }
        let only = self.mesh.only_prometheus(&self.answers.take);
        self.answers.prometheus = only.map(|only| only.id.clone());
    }

    pub(super) fn choose_prometheus(&mut self) -> Vec<Effect> {
        if let Some(Row::Prometheus(p)) = self.prometheus.current()
            && p.is_free(&self.answers.take)
        {
            self.answers.prometheus = Some(p.id.clone());
            self.prometheus_by_user = true;
        }
        self.ask_contact()
    }

    /// No Prometheus can be chosen yet, and none is being looked for: one may be installed meanwhile.
    pub(super) fn waits_for_prometheus(&self) -> bool {
        !self
            .mesh
            .prometheus_servers
            .iter()
            .any(|p| p.is_free(&self.answers.take))
    }
}
