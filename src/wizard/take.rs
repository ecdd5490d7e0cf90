//! The word of the user that lets what belongs to Helm, Argo CD, Flux or a controller be chosen.

use super::dialog::{button, dialog};
use super::list::Row;
use super::refuse::counted;
use super::state::{Answer, Dialog, DialogKind, Notice, Standing, State, Tone};
use crate::answers::Answers;
use crate::mesh::{Owner, OwnerTool};
use crate::text::few;
use crate::words::{self, say::wizard as say};
use std::collections::BTreeMap;

impl State {
    /// The owner of the row under the cursor, where nothing else stands, or stood, against choosing it.
    pub fn row_owner(&self) -> Option<&Owner> {
        self.list()?.current().and_then(Row::owner)
    }

    /// Why `t` takes nothing on this row.
    pub(super) fn not_takeable(&self) -> String {
        let row = self.list().and_then(|list| list.current());
        let (obstacles, owner) = match row {
            Some(Row::Prometheus(p)) => (&p.obstacles, &p.owner),
            Some(Row::Workload(w)) => (&w.obstacles, &w.owner),
            Some(Row::Gateway(g)) => (&g.workload.obstacles, &g.workload.owner),
            Some(Row::Namespace { .. }) => {
                return say::OWNERSHIP_PER_WORKLOAD.into();
            }
            _ => return say::NO_OWNER_PREVENTS.into(),
        };
        let other = obstacles
            .iter()
            .find(|obstacle| owner.as_ref().is_none_or(|owner| !owner.is(obstacle)));
        match (owner, other) {
            (Some(owner), Some(other)) => {
                say::forcing_not_enough(owner.tool.name(), &words::reason(other))
            }
            (Some(_), None) if !obstacles.is_empty() => say::OPERATOR_GENERATES.into(),
            (None, Some(other)) => say::has_no_other_owner(&words::reason(other)),
            _ => say::NO_OWNER_PREVENTS.into(),
        }
    }

    /// `t` on a row: asks whether its owner's items may be chosen; a second time, gives them back.
    pub(super) fn ask_take_owner(&mut self) {
        let Some(owner) = self.row_owner().cloned() else {
            return;
        };
        if owner.is_taken(&self.answers.take) {
            self.give_back(owner.tool);
        } else {
            self.dialog = Some(self.owner_dialog(&owner));
        }
    }

    fn owner_name(&self, owner: &Owner) -> String {
        let row = self.list().and_then(|list| list.current());
        let namespace = match row.map(Row::key) {
            Some(super::list::RowKey::Item(id)) => id.namespace,
            _ => String::new(),
        };
        owner.in_namespace(&namespace)
    }

    fn owner_dialog(&self, owner: &Owner) -> Dialog {
        let tool = owner.tool;
        let others = self.owned_by(tool).saturating_sub(1);
        let mut lines = vec![
            say::belongs_to(tool.name(), &self.owner_name(owner)),
            tool.reverts().to_owned(),
            say::REVIEW_SHOWS_SOURCE.into(),
        ];
        if others > 0 {
            lines.push(say::applies_to_all_owned(
                tool.name(),
                &counted(others, say::ONE_OTHER_ITEM, say::other_items),
            ));
        }
        dialog(
            DialogKind::TakeOwner(tool),
            say::change_owned_question(tool.name()),
            lines,
            vec![
                button(say::CANCEL, Answer::Cancel, false),
                button(say::MAKE_AVAILABLE, Answer::Yes, true),
            ],
        )
    }

    /// What the approval takes from managers that were taken by name: whose, how many fields, of which objects.
    pub(super) fn taken_by_name(&self) -> Vec<String> {
        let Some(review) = &self.review.review else {
            return Vec::new();
        };
        let mut taken: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
        let written = self.review.all.iter();
        let written =
            written.filter(|row| matches!(row.standing, Standing::Ready | Standing::Unverified(_)));
        for item in written.filter_map(|row| review.items.get(&row.id)) {
            for manager in item.controllers() {
                let of = item.conflicts.iter().filter(|c| c.manager == manager);
                let (fields, objects) = taken.entry(manager).or_default();
                *fields += of.count();
                objects.push(item.change.object.to_string());
            }
        }
        let words = taken.into_iter().map(|(manager, (fields, objects))| {
            let named = few(&objects, 3);
            match fields {
                1 => say::one_field_forced(manager, &named),
                _ => say::fields_forced(fields, manager, &named),
            }
        });
        words.collect()
    }

    /// Whose objects the approval changes, and that it may be reverted.
    pub(super) fn owned(&self) -> Vec<String> {
        let mut owned: BTreeMap<&str, usize> = BTreeMap::new();
        let rows = self.review.all.iter();
        let written =
            rows.filter(|row| matches!(row.standing, Standing::Ready | Standing::Unverified(_)));
        for owner in written.filter_map(|row| row.owner) {
            *owned.entry(owner).or_default() += 1;
        }
        let words = owned.into_iter().map(|(owner, n)| match n {
            1 => say::one_object_owned(owner),
            _ => say::objects_owned(n, owner),
        });
        words.collect()
    }

    /// Items that this tool's name would let be chosen.
    fn owned_by(&self, tool: OwnerTool) -> usize {
        let mesh = &self.mesh;
        let workloads = mesh.workloads.iter().map(|w| w.takeable());
        let gateways = mesh.gateways.iter().map(|g| g.workload.takeable());
        let prometheus_servers = mesh.prometheus_servers.iter().map(|p| p.takeable());
        workloads
            .chain(gateways)
            .chain(prometheus_servers)
            .flatten()
            .filter(|owner| owner.tool == tool)
            .count()
    }

    pub(super) fn take_owner(&mut self, tool: OwnerTool) {
        self.answers.take.insert(tool.word().to_owned());
        self.derive(self.step);
        self.notice = Some(Notice {
            tone: Tone::Waiting,
            text: say::available_now(tool.name()),
        });
    }

    /// The word is taken back, and what was chosen by it.
    fn give_back(&mut self, tool: OwnerTool) {
        self.answers
            .take
            .retain(|name| OwnerTool::named(name) != Some(tool));
        let chosen = |answers: &Answers| {
            let prometheus = usize::from(answers.prometheus.is_some());
            answers.workloads.len() + answers.gateways.len() + prometheus
        };
        let before = chosen(&self.answers);
        let (mesh, take) = (&self.mesh, &self.answers.take);
        self.answers
            .workloads
            .retain(|id| mesh.workload(id).is_none_or(|w| w.is_free(take)));
        self.answers.gateways.retain(|id| {
            let found = mesh.gateway(&id.namespace, &id.name);
            found.is_none_or(|g| g.workload.is_free(take))
        });
        if let Some(id) = &self.answers.prometheus
            && mesh.prometheus(id).is_some_and(|p| !p.is_free(take))
        {
            self.answers.prometheus = None;
        }
        self.count_chosen();
        self.derive(self.step);
        self.notice = Some(Notice {
            tone: Tone::Plain,
            text: match before - chosen(&self.answers) {
                0 => say::no_longer_available(tool.name()),
                1 => say::one_no_longer_chosen(tool.name()),
                n => say::several_no_longer_chosen(tool.name(), n),
            },
        });
    }
}
