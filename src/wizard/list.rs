//! A list with a cursor, a filter and a visible window. Rows point into the mesh; the words of a row are
//! made by whoever draws it, for the visible window only.

use crate::mesh::kinds::WorkloadRef;
use crate::mesh::{Gateway, Namespace, OtherPods, Owner, Prometheus, Workload};
use crate::words::{self, say::wizard as say};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// One line of a list.
#[derive(Clone, Debug)]
pub enum Row {
    Context(Arc<str>),
    Prometheus(Arc<Prometheus>),
    /// In the Namespaces step a line to choose; in the Workloads step the head of its workloads.
    Namespace {
        namespace: Arc<Namespace>,
        /// Its workloads are shown (Workloads step).
        open: bool,
        /// Workloads that can be chosen.
        choosable: usize,
        /// Workloads that the filter leaves.
        shown: usize,
        /// Why nothing of it can be chosen, by no word of the user's either.
        closed: Option<Arc<str>>,
        /// Why nothing of it can be chosen before its owners are named.
        held: Option<Arc<str>>,
    },
    Workload(Arc<Workload>),
    /// Pods that cannot be chosen, whoever makes them.
    Other(Arc<OtherPods>),
    Gateway(Arc<Gateway>),
}

/// What a row stands for; the cursor stays on it when the list is made anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowKey {
    Context(String),
    Namespace(String),
    /// Namespace, kind and name of the owner of pods that cannot be chosen.
    Other(String, String, String),
    /// A workload, a Prometheus, or the Deployment that carries a gateway.
    Item(WorkloadRef),
}

impl Row {
    pub fn key(&self) -> RowKey {
        match self {
            Row::Context(name) => RowKey::Context(name.to_string()),
            Row::Prometheus(p) => RowKey::Item(p.id.clone()),
            Row::Namespace { namespace, .. } => RowKey::Namespace(namespace.name.clone()),
            Row::Workload(w) => RowKey::Item(w.id.clone()),
            Row::Other(o) => RowKey::Other(o.namespace.clone(), o.kind.clone(), o.name.clone()),
            Row::Gateway(g) => RowKey::Item(g.workload.id.clone()),
        }
    }

    fn is(&self, key: &RowKey) -> bool {
        match (self, key) {
            (Row::Context(name), RowKey::Context(key)) => **name == **key,
            (Row::Namespace { namespace, .. }, RowKey::Namespace(key)) => namespace.name == *key,
            (Row::Prometheus(p), RowKey::Item(key)) => p.id == *key,
            (Row::Workload(w), RowKey::Item(key)) => w.id == *key,
            (Row::Other(o), RowKey::Other(namespace, kind, name)) => {
                (&o.namespace, &o.kind, &o.name) == (namespace, kind, name)
            }
            (Row::Gateway(g), RowKey::Item(key)) => g.workload.id == *key,
            _ => false,
        }
    }

    /// Why it cannot be chosen: a short word for the line, the reason for the detail. `None`: it can.
    /// `take`: managers that the user has named, see [`crate::mesh::Owner::is_taken`].
    pub fn blocked(&self, take: &BTreeSet<String>) -> Option<(&str, Cow<'_, str>)> {
        let obstacle = match self {
            Row::Prometheus(p) => p.against(take).next(),
            Row::Workload(w) => w.against(take).next(),
            Row::Gateway(g) => g.workload.against(take).next(),
            Row::Other(o) => Some(&o.obstacle),
            Row::Namespace { closed, .. } => {
                return closed
                    .as_deref()
                    .map(|why| (say::NOTHING_TO_CHOOSE, why.into()));
            }
            Row::Context(_) => None,
        };
        obstacle.map(|problem| (words::label(problem), words::reason(problem).into()))
    }

    /// The owner whose name alone stands between the row and being chosen, or stood.
    pub fn owner(&self) -> Option<&Owner> {
        match self {
            Row::Prometheus(p) => p.takeable(),
            Row::Workload(w) => w.takeable(),
            Row::Gateway(g) => g.workload.takeable(),
            Row::Context(_) | Row::Namespace { .. } | Row::Other(_) => None,
        }
    }
}

/// The text of a filter, and whether keys go into it now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub text: String,
    pub editing: bool,
    /// Editing has just begun on a text that was kept: the next letter begins a new one.
    pub fresh: bool,
}

/// Rows, cursor, window.
#[derive(Clone, Debug)]
pub struct List<R = Row> {
    pub rows: Arc<[R]>,
    /// Always a row, where there is one.
    pub cursor: usize,
    /// The first visible row.
    pub offset: usize,
    /// How many rows are visible.
    pub height: usize,
    pub filter: Filter,
}

impl<R> Default for List<R> {
    fn default() -> Self {
        List {
            rows: Arc::from(Vec::new()),
            cursor: 0,
            offset: 0,
            height: 16,
            filter: Filter::default(),
        }
    }
}

impl<R> List<R> {
    pub fn current(&self) -> Option<&R> {
        self.rows.get(self.cursor)
    }

    /// Indices of the visible rows.
    pub fn window(&self) -> Range<usize> {
        let start = self.offset.min(self.rows.len());
        start..(start + self.height).min(self.rows.len())
    }

    pub fn move_by(&mut self, by: isize) {
        self.move_to(self.cursor.saturating_add_signed(by));
    }

    pub fn move_to(&mut self, row: usize) {
        self.cursor = row.min(self.rows.len().saturating_sub(1));
        self.follow();
    }

    /// The wheel: the window moves, the cursor stays inside it.
    pub fn scroll(&mut self, by: isize) {
        let last = self.rows.len().saturating_sub(self.height.max(1));
        self.offset = self.offset.saturating_add_signed(by).min(last);
        let end = (self.offset + self.height.max(1)).min(self.rows.len());
        self.cursor = self
            .cursor
            .clamp(self.offset, end.saturating_sub(1).max(self.offset));
    }

    pub fn fit(&mut self, height: usize) {
        self.height = height;
        self.follow();
    }

    fn follow(&mut self) {
        let height = self.height.max(1);
        if self.cursor < self.offset {
            self.offset = self.cursor;
        } else if self.cursor >= self.offset + height {
            self.offset = self.cursor + 1 - height;
        }
        self.offset = self.offset.min(self.rows.len().saturating_sub(height));
    }

    /// New rows; the cursor goes to the row that `same` recognises, or stays at its number.
    pub fn set(&mut self, rows: Vec<R>, same: impl Fn(&R) -> bool) {
        let place = self.cursor.saturating_sub(self.offset);
        let found = rows.iter().position(same);
        self.rows = rows.into();
        self.cursor = found
            .unwrap_or(self.cursor)
            .min(self.rows.len().saturating_sub(1));
        // The chosen line stays where it is on the screen, whatever came in above it.
        self.offset = self.cursor.saturating_sub(place);
        self.follow();
    }
}

impl List<Row> {
    /// New rows; the cursor stays on the same item.
    pub fn renew(&mut self, rows: Vec<Row>) {
        match self.current().map(Row::key) {
            Some(key) => self.set(rows, |row| row.is(&key)),
            None => self.set(rows, |_| false),
        }
    }
}
