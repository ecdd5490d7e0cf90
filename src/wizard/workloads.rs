//! Step 4: the workloads, as a tree by namespace.

use super::list::Row;
use super::namespaces::{choosable, matches, words};
use super::state::{Notice, State, Tone};
use crate::mesh::Workload;
use crate::mesh::kinds::WorkloadRef;
use crate::words::say::wizard as say;
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

    pub(super) fn choose(&mut self, id: &WorkloadRef, yes: bool) {
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
                if yes && self.stays_outside(w) {
                    self.ask_first_sidecar(&id);
                    return;
                }
                if !yes {
                    self.answers.first_sidecar.remove(&id);
                }
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
                        text: say::NONE_AVAILABLE.into(),
                    });
                    return;
                }
                self.toggle_where(|w| w.id.namespace == name);
            }
            _ => {}
        }
    }

    /// `a`: everything that the filter shows and that is in the mesh; when all of it is chosen, none.
    pub(super) fn toggle_workloads(&mut self) {
        let chosen = self.answers.namespaces.clone();
        self.toggle_where(|w| chosen.contains(&w.id.namespace));
    }

    fn toggle_where(&mut self, within: impl Fn(&Workload) -> bool) {
        let filter = words(&self.workloads.filter.text);
        let shown = |w: &&Arc<Workload>| {
            w.is_free(&self.answers.take)
                && within(w)
                && matches(&filter, &[&w.id.namespace, &w.id.name, w.id.kind.name()])
        };
        let all: Vec<Arc<Workload>> = self.mesh.workloads.iter().filter(shown).cloned().collect();
        let (outside, inside): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|w| self.stays_outside(w));
        let chosen = |w: &Arc<Workload>| self.answers.workloads.contains(&w.id);
        let none_left = inside.iter().all(chosen);
        for workload in &inside {
            self.choose(&workload.id, !none_left);
        }
        if none_left {
            for workload in &inside {
                self.answers.first_sidecar.remove(&workload.id);
            }
        }
        if !none_left || inside.is_empty() {
            let names: Vec<String> = outside.iter().map(|w| w.id.name.clone()).collect();
            self.name_outside(&names);
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
