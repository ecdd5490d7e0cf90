//! Step 4: the workloads, as a tree by namespace.

use super::list::Row;
use super::namespaces::{choosable, matches, words};
use super::state::{Notice, State, Tone};
use crate::mesh::Workload;
use crate::mesh::kinds::WorkloadRef;
use std::sync::Arc;

impl State {
    pub(super) fn derive_workloads(&mut self) {
        let filter = words(&self.workloads.filter.text);
        let mut rows = Vec::new();
        for namespace in &self.mesh.namespaces {
            if !self.answers.namespaces.contains(&namespace.name) {
                continue;
            }
            let all = self.workloads_of(&namespace.name);
            let shown: Vec<&Arc<Workload>> = all
                .iter()
                .filter(|w| matches(&filter, &[&w.id.namespace, &w.id.name, w.id.kind.name()]))
                .collect();
            let others = self.mesh.others_in(&namespace.name);
            let others = others
                .iter()
                .filter(|o| matches(&filter, &[&o.namespace, &o.name, &o.kind]));
            if shown.is_empty() && others.clone().next().is_none() && !filter.is_empty() {
                continue;
            }
            // A filter shows what it finds, folded or not.
            let open = !filter.is_empty() || !self.folded.contains(&namespace.name);
            rows.push(Row::Namespace {
                namespace: Arc::new(namespace.clone()),
                open,
                choosable: choosable(all, &self.answers.take),
                shown: shown.len(),
                closed: None,
                held: None,
            });
            if open {
                rows.extend(shown.into_iter().map(|w| Row::Workload(w.clone())));
                rows.extend(others.map(|o| Row::Other(o.clone())));
            }
        }
        self.workloads.renew(rows);
    }

    fn choose(&mut self, id: &WorkloadRef, yes: bool) {
        let changed = if yes {
            self.answers.workloads.insert(id.clone())
        } else {
            self.answers.workloads.remove(id)
        };
        if changed {
            let count = self.chosen_in.entry(id.namespace.clone()).or_default();
            *count = if yes {
                *count + 1
            } else {
                count.saturating_sub(1)
            };
        }
    }

    /// Space: one workload, or on a namespace's head all of it that the filter shows.
    pub(super) fn toggle_workload(&mut self) {
        match self.workloads.current() {
            Some(Row::Workload(w)) if w.is_free(&self.answers.take) => {
                let id = w.id.clone();
                let yes = !self.answers.workloads.contains(&id);
                self.choose(&id, yes);
            }
            Some(Row::Namespace {
                namespace,
                choosable,
                ..
            }) => {
                let name = namespace.name.clone();
                if *choosable == 0 {
                    self.notice = Some(Notice {
                        tone: Tone::Waiting,
                        text: "none of them can be chosen as they are; each row says why".into(),
                    });
                    return;
                }
                self.toggle_where(|w| w.id.namespace == name);
            }
            _ => {}
        }
    }

    /// `a`: everything that the filter shows; when all of it is chosen, none.
    pub(super) fn toggle_workloads(&mut self) {
        let chosen = self.answers.namespaces.clone();
        self.toggle_where(|w| chosen.contains(&w.id.namespace));
    }

    fn toggle_where(&mut self, within: impl Fn(&Workload) -> bool) {
        let filter = words(&self.workloads.filter.text);
        let ids: Vec<WorkloadRef> = self
            .mesh
            .workloads
            .iter()
            .filter(|w| {
                w.is_free(&self.answers.take)
                    && within(w)
                    && matches(&filter, &[&w.id.namespace, &w.id.name, w.id.kind.name()])
            })
            .map(|w| w.id.clone())
            .collect();
        let all = ids.iter().all(|id| self.answers.workloads.contains(id));
        for id in &ids {
            self.choose(id, !all);
        }
    }

    /// Left folds the namespace of the row under the cursor, right opens it.
    pub(super) fn fold(&mut self, fold: bool) {
        let name = match self.workloads.current() {
            Some(Row::Namespace { namespace, .. }) => namespace.name.clone(),
            Some(Row::Workload(w)) => w.id.namespace.clone(),
            Some(Row::Other(o)) => o.namespace.clone(),
            _ => return,
        };
        if fold {
            let head = self.workloads.rows.iter().position(
                |row| matches!(row, Row::Namespace { namespace, .. } if namespace.name == name),
            );
            if let Some(head) = head {
                self.workloads.move_to(head);
            }
            self.folded.insert(name);
        } else {
            self.folded.remove(&name);
        }
        self.derive_workloads();
    }
}
