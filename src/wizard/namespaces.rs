//! Step 3: in which namespaces the workloads are.

use super::list::Row;
use super::state::{Chosen, Notice, State, Tone};
use crate::mesh::Workload;
use crate::mesh::kinds::WorkloadRef;
use crate::mesh::others::{OtherPods, in_plaintext};
use crate::text::few;
use crate::words::{self, say::wizard as say};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Does every word of the filter stand in one of the texts?
pub(super) fn matches(filter: &[String], texts: &[&str]) -> bool {
    filter.iter().all(|word| {
        texts.iter().any(|text| {
            text.as_bytes()
                .windows(word.len().max(1))
                .any(|w| w.eq_ignore_ascii_case(word.as_bytes()))
        })
    })
}

pub(super) fn words(filter: &str) -> Vec<String> {
    filter.split_whitespace().map(str::to_owned).collect()
}

impl State {
    pub(super) fn derive_namespaces(&mut self) {
        let filter = words(&self.namespaces.filter.text);
        let first = self.namespaces.rows.is_empty();
        let reading = self.reading() || self.cluster.filling;
        let rows: Vec<Row> = self
            .mesh
            .namespaces
            .iter()
            .filter(|n| matches(&filter, &[&n.name]))
            .map(|n| {
                let workloads = self.workloads_of(&n.name);
                let choosable = choosable(workloads, &self.answers.take);
                let closed = (!reading)
                    .then(|| self.closed(&n.name, workloads))
                    .flatten();
                Row::Namespace {
                    namespace: Arc::new(n.clone()),
                    open: false,
                    choosable,
                    shown: workloads.len(),
                    held: match choosable {
                        _ if reading || closed.is_some() => None,
                        0 if workloads.is_empty() => others_only(self.mesh.others_in(&n.name)),
                        0 => Some(held(workloads)),
                        _ => partly(workloads, &self.answers.take),
                    },
                    closed,
                }
            })
            .collect();
        self.namespaces.renew(rows);
        if first {
            // The cursor begins where there is something to choose.
            let at =
                self.namespaces.rows.iter().position(
                    |row| matches!(row, Row::Namespace { choosable, .. } if *choosable > 0),
                );
            self.namespaces.move_to(at.unwrap_or(0));
        }
    }

    /// Workloads of a namespace: a slice of the mesh's own order.
    pub(super) fn workloads_of(&self, namespace: &str) -> &[Arc<Workload>] {
        let all = &self.mesh.workloads;
        let from = all.partition_point(|w| w.id.namespace.as_str() < namespace);
        let to = from + all[from..].partition_point(|w| w.id.namespace == namespace);
        &all[from..to]
    }

    pub(super) fn toggle_namespace(&mut self) {
        if let Some(Row::Namespace {
            namespace,
            closed,
            held,
            choosable,
            ..
        }) = self.namespaces.current()
        {
            let name = namespace.name.clone();
            // Workloads chosen in it stay remembered for when it comes back.
            if !self.answers.namespaces.remove(&name) && closed.is_none() {
                let nothing = held.as_ref().filter(|_| *choosable == 0);
                self.notice = nothing.map(|why| Notice {
                    tone: Tone::Waiting,
                    text: why.to_string(),
                });
                self.answers.namespaces.insert(name);
            }
        }
    }

    /// Why none of a namespace's workloads can ever be chosen. `None`: one can, or could by its owner's name.
    fn closed(&self, namespace: &str, workloads: &[Arc<Workload>]) -> Option<Arc<str>> {
        let Some(first) = workloads.first() else {
            let mesh = &self.mesh;
            let prometheus = mesh
                .prometheus_servers
                .iter()
                .any(|p| p.id.namespace == namespace);
            let mut gateways = mesh.gateways.iter();
            let gateway = gateways.any(|g| g.workload.id.namespace == namespace);
            let mut planes = mesh.istio.control_planes.iter();
            let words = match (prometheus, gateway) {
                (true, true) => say::PROMETHEUS_AND_GATEWAYS_ALONE,
                (true, false) => say::PROMETHEUS_ALONE,
                (false, true) => say::GATEWAYS_ALONE,
                _ if planes.any(|plane| plane.namespace == namespace) => say::ISTIO_ALONE,
                // Its rows in step 4 say what it holds.
                _ if !mesh.others_in(namespace).is_empty() => return None,
                _ => say::HOLDS_NO_WORKLOAD,
            };
            return Some(words.into());
        };
        let closed = |w: &Arc<Workload>| !w.obstacles.is_empty() && w.takeable().is_none();
        if !workloads.iter().all(closed) {
            return None;
        }
        let reason = first
            .obstacles
            .first()
            .map(words::reason)
            .unwrap_or_default();
        Some(match workloads.len() {
            1 => say::only_workload_closed(&reason).into(),
            n => say::no_workload_available(n, &reason).into(),
        })
    }

    /// `a`: all rows that are shown and have something to choose; when all are chosen, none.
    pub(super) fn toggle_namespaces(&mut self) {
        let names: Vec<String> = self
            .namespaces
            .rows
            .iter()
            .filter_map(|row| match row {
                Row::Namespace {
                    namespace,
                    choosable,
                    ..
                } if *choosable > 0 => Some(namespace.name.clone()),
                _ => None,
            })
            .collect();
        let all = names.iter().all(|n| self.answers.namespaces.contains(n));
        if !all {
            self.answers.namespaces.extend(names);
            return;
        }
        // One that was chosen by hand though nothing of it is available goes with the others.
        let shown: Vec<String> = self
            .namespaces
            .rows
            .iter()
            .filter_map(|row| match row {
                Row::Namespace { namespace, .. } => Some(namespace.name.clone()),
                _ => None,
            })
            .collect();
        for name in shown {
            self.answers.namespaces.remove(&name);
        }
    }

    /// Namespaces named by flags without a workload of theirs mean all that can be chosen in them.
    pub(super) fn expand_namespaces(&mut self) {
        let flags = std::mem::take(&mut self.start.answers.namespaces);
        for name in flags {
            let named = self
                .start
                .answers
                .workloads
                .iter()
                .any(|w| w.namespace == name);
            if !self.mesh.namespaces.iter().any(|known| known.name == name) {
                self.answers.namespaces.remove(&name);
                let text = say::no_such_namespace(&name);
                self.notice = Some(Notice {
                    tone: Tone::Bad,
                    text,
                });
                continue;
            }
            if named || !self.answers.namespaces.contains(&name) {
                continue;
            }
            let ids: Vec<WorkloadRef> = self
                .workloads_of(&name)
                .iter()
                .filter(|w| w.is_free(&self.answers.take) && !self.stays_outside(w))
                .map(|w| w.id.clone())
                .collect();
            self.answers.workloads.extend(ids);
        }
    }

    /// Makes the counts by namespace anew.
    pub(super) fn count_chosen(&mut self) {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for id in &self.answers.workloads {
            match counts.get_mut(&id.namespace) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(id.namespace.clone(), 1);
                }
            }
        }
        self.chosen_in = counts;
    }

    /// Whether a row is chosen; cheap, for each visible row of a frame.
    pub fn chosen(&self, row: &Row) -> Chosen {
        let yes = |yes: bool| if yes { Chosen::Yes } else { Chosen::No };
        if row.blocked(&self.answers.take).is_some() {
            return Chosen::Blocked;
        }
        match row {
            Row::Context(name) => yes(self.cluster.context.as_deref() == Some(name)),
            Row::Prometheus(p) => yes(self.answers.prometheus.as_ref() == Some(&p.id)),
            Row::Workload(w) => yes(self.answers.workloads.contains(&w.id)),
            Row::Other(_) => Chosen::Blocked,
            Row::Gateway(g) => yes(self.answers.gateways.contains(&super::gateways::id(g))),
            Row::Namespace {
                namespace,
                choosable,
                ..
            } => {
                if self.step != super::state::Step::Workloads {
                    return yes(self.answers.namespaces.contains(&namespace.name));
                }
                match self.chosen_in.get(&namespace.name).copied().unwrap_or(0) {
                    0 => Chosen::No,
                    n if n >= *choosable => Chosen::Yes,
                    n => Chosen::Some(n),
                }
            }
        }
    }
}

/// What a namespace holds that has no workload.
fn others_only(others: &[Arc<OtherPods>]) -> Option<Arc<str>> {
    let names: Vec<String> = others.iter().map(|other| other.title()).collect();
    let pods: usize = others.iter().map(|other| other.pods).sum();
    let plain = in_plaintext(others);
    (pods > 0).then(|| say::pods_of_others(pods, &few(&names, 3), plain).into())
}

/// What can't be chosen where other workloads can, each with its reason's word.
fn partly(workloads: &[Arc<Workload>], take: &BTreeSet<String>) -> Option<Arc<str>> {
    let words = |w: &Arc<Workload>| {
        let obstacle = w.against(take).next()?;
        Some(format!("{} ({})", w.id.name, words::label(obstacle)))
    };
    let closed: Vec<String> = workloads.iter().filter_map(words).collect();
    if closed.is_empty() {
        return None;
    }
    let named = few(&closed, 3);
    Some(say::partly_available(closed.len(), workloads.len(), &named).into())
}

/// Whose names would let something of it be chosen.
fn held(workloads: &[Arc<Workload>]) -> Arc<str> {
    let owned: Vec<String> = workloads
        .iter()
        .filter_map(|w| {
            let owner = w.takeable()?;
            Some(say::owned_by(&w.id.name, owner.tool.name()))
        })
        .collect();
    let named = few(&owned, 3);
    match workloads.len() {
        1 => say::only_workload_owned(&named).into(),
        n => say::workloads_owned(n, &named).into(),
    }
}

pub(super) fn choosable(workloads: &[Arc<Workload>], take: &BTreeSet<String>) -> usize {
    workloads.iter().filter(|w| w.is_free(take)).count()
}
