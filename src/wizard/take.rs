//! The word of the user that lets what belongs to Helm, Argo CD, Flux or a controller be chosen.

use super::dialog::{button, dialog};
use super::list::Row;
use super::refuse::plural;
use super::state::{Answer, Dialog, DialogKind, Notice, Standing, State, Tone};
use crate::answers::Answers;
use crate::mesh::{Owner, OwnerTool};
use crate::text::few;
use crate::words;
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
                return "ownership is set per workload: press t on a row below".into();
            }
            _ => return "no owner prevents choosing it".into(),
        };
        let other = obstacles
            .iter()
            .find(|obstacle| owner.as_ref().is_none_or(|owner| !owner.is(obstacle)));
        match (owner, other) {
            (Some(owner), Some(other)) => format!(
                "forcing ownership from {} is not enough: {}",
                owner.tool.name(),
                words::reason(other)
            ),
            (Some(_), None) if !obstacles.is_empty() => {
                "its operator generates the whole configuration; meshscrape can only export it (i)"
                    .into()
            }
            (None, Some(other)) => format!("it has no other owner: {}", words::reason(other)),
            _ => "no owner prevents choosing it".into(),
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
            format!(
                "This object belongs to {} ({}).",
                tool.name(),
                self.owner_name(owner)
            ),
            tool.reverts().to_owned(),
            "The review shows each change, and the matching change for its source (o).".into(),
        ];
        if others > 0 {
            lines.push(format!(
                "This applies to everything {} owns here: {}.",
                tool.name(),
                plural(others, "other item", "other items")
            ));
        }
        dialog(
            DialogKind::TakeOwner(tool),
            format!("Change what {} owns?", tool.name()),
            lines,
            vec![
                button("Cancel", Answer::Cancel, false),
                button("Make it available", Answer::Yes, true),
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
            format!(
                "{} forced over {manager}, which may revert {}: {named}.",
                plural(fields, "field is", "fields are"),
                if fields == 1 { "it" } else { "them" },
            )
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
        let words = owned.into_iter().map(|(owner, n)| {
            let objects = plural(n, "object belongs", "objects belong");
            let them = if n == 1 { "it" } else { "them" };
            format!("{objects} to {owner}, which may revert {them}; flagged in the review.")
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
            text: format!(
                "objects of {} are available now; t makes them unavailable again",
                tool.name()
            ),
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
                0 => format!("objects of {} are no longer available", tool.name()),
                n => format!(
                    "objects of {} are no longer available: {} no longer chosen",
                    tool.name(),
                    plural(n, "item is", "items are")
                ),
            },
        });
    }
}
