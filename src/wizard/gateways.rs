//! Step 5: the gateways.

use super::list::Row;
use super::namespaces::{matches, words};
use super::state::State;
use crate::answers::GatewayRef;
use crate::mesh::Gateway;

pub(super) fn id(gateway: &Gateway) -> GatewayRef {
    GatewayRef {
        namespace: gateway.workload.id.namespace.clone(),
        name: gateway.workload.id.name.clone(),
    }
}

impl State {
    pub(super) fn derive_gateways(&mut self) {
        let filter = words(&self.gateways.filter.text);
        let rows = self
            .mesh
            .gateways
            .iter()
            .filter(|g| {
                let id = &g.workload.id;
                matches(&filter, &[&id.namespace, &id.name, &g.role])
            })
            .map(|g| Row::Gateway(g.clone()))
            .collect();
        let first = self.gateways.rows.is_empty();
        self.gateways.renew(rows);
        if first {
            // The cursor begins where there is something to choose.
            let take = &self.answers.take;
            let mut rows = self.gateways.rows.iter();
            let free = rows.position(|row| row.blocked(take).is_none());
            self.gateways.move_to(free.unwrap_or(0));
        }
    }

    pub(super) fn toggle_gateway(&mut self) {
        if let Some(Row::Gateway(g)) = self.gateways.current()
            && g.workload.is_free(&self.answers.take)
        {
            let id = id(g);
            if !self.answers.gateways.remove(&id) {
                self.answers.gateways.insert(id);
            }
        }
    }

    pub(super) fn toggle_gateways(&mut self) {
        let ids: Vec<GatewayRef> = self
            .gateways
            .rows
            .iter()
            .filter_map(|row| match row {
                Row::Gateway(g) if g.workload.is_free(&self.answers.take) => Some(id(g)),
                _ => None,
            })
            .collect();
        let all = ids.iter().all(|id| self.answers.gateways.contains(id));
        for id in ids {
            if all {
                self.answers.gateways.remove(&id);
            } else {
                self.answers.gateways.insert(id);
            }
        }
    }
}
