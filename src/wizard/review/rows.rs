//! The rows of the review: in which order they are shown, which of them a filter leaves, and the ways from one that
//! matters to the next.

use crate::plan::Part;
use crate::wizard::msg::Effect;
use crate::wizard::namespaces::{matches, words};
use crate::wizard::state::{Notice, ReviewRow, Sign, Standing, State, Tone};
use crate::words::say::wizard as say;

/// How soon a change has to be read. The order of the rows once every answer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It keeps everything from being written until somebody decides.
    Stops,
    /// Something of the user's goes: an object, or what an impact says is lost.
    Loses,
    /// A warning, a field of somebody else's, an owner that may revert it.
    Warns,
    Plain,
    /// Nothing would be written.
    Quiet,
    /// Lock and record of the run: housekeeping.
    Journal,
}

impl ReviewRow {
    pub fn rank(&self) -> Rank {
        match &self.standing {
            Standing::Conflict(_)
            | Standing::Refused(_)
            | Standing::Gate { .. }
            | Standing::Failed(_) => Rank::Stops,
            _ if self.is_held_lock() => Rank::Stops,
            _ if self.part == Part::Journal => Rank::Journal,
            Standing::LeftOut | Standing::HangsOn(_) | Standing::Unchanged => Rank::Quiet,
            _ if self.sign == Sign::Deleted || self.loses => Rank::Loses,
            Standing::Unverified(_) => Rank::Warns,
            _ if self.warnings > 0 || self.takes > 0 || self.owner.is_some() => Rank::Warns,
            _ => Rank::Plain,
        }
    }

    /// It stops, loses something, or has a warning.
    pub fn warns(&self) -> bool {
        matches!(self.rank(), Rank::Stops | Rank::Loses | Rank::Warns)
    }

    /// An object goes by it.
    pub fn deletes(&self) -> bool {
        self.sign == Sign::Deleted && !matches!(self.rank(), Rank::Quiet | Rank::Journal)
    }

    /// What a filter may name: the object, the part, and how the change stands.
    fn is_found(&self, filter: &[String]) -> bool {
        if filter.is_empty() {
            return true;
        }
        let object = self.object.to_string();
        let sign = match self.sign {
            Sign::New => say::FIND_NEW,
            Sign::Changed => say::FIND_PATCHED,
            Sign::Deleted => say::FIND_DELETED,
            Sign::Same => say::FIND_UNCHANGED,
            Sign::Asking => "",
        };
        let stands = match self.rank() {
            Rank::Stops => say::FIND_CONFLICT,
            Rank::Warns => say::FIND_WARNING,
            Rank::Quiet => say::FIND_SKIPPED,
            _ => "",
        };
        let texts = [
            object.as_str(),
            self.part.word(),
            &self.why,
            sign,
            stands,
            self.owner.unwrap_or_default(),
        ];
        matches(filter, &texts)
    }
}

impl State {
    /// All rows anew. While answers come in they keep the order of writing, but for the run's own lock and record, which
    /// stand last. Once all are there they are ordered by what matters, and stay so: none moves when it is skipped.
    pub(super) fn set_changes(&mut self, mut rows: Vec<ReviewRow>) {
        if self.review.done && self.review.order.is_empty() {
            rows.sort_by_key(ReviewRow::rank);
            let ids = rows.iter().map(|row| row.id.clone());
            self.review.order = ids.zip(0..).collect();
        } else if self.review.done {
            rows.sort_by_key(|row| self.review.order.get(&row.id).copied());
        } else {
            rows.sort_by_key(|row| row.part == Part::Journal);
        }
        self.review.all = rows.into();
        self.derive_review();
    }

    /// The rows that the filter leaves; the cursor stays on its change.
    pub(in crate::wizard) fn derive_review(&mut self) {
        let review = &mut self.review;
        let filter = words(&review.rows.filter.text);
        let rows: Vec<ReviewRow> = review
            .all
            .iter()
            .filter(|row| row.is_found(&filter))
            .cloned()
            .collect();
        let id = review.rows.current().map(|row| row.id.clone());
        // Nobody has moved yet: the first row is the one that matters most.
        let id = id.filter(|_| review.moved || !filter.is_empty());
        match id {
            Some(id) => review.rows.set(rows, |row| row.id == id),
            None => {
                review.rows.set(rows, |_| false);
                review.rows.move_to(0);
            }
        }
    }

    /// The next row like that; after the last one the first again. `only`: said where there is no other.
    pub(in crate::wizard) fn next_change(
        &mut self,
        wanted: fn(&ReviewRow) -> bool,
        only: &str,
    ) -> Vec<Effect> {
        let rows = &self.review.rows;
        let count = rows.rows.len();
        let next = (1..=count)
            .map(|by| (rows.cursor + by) % count)
            .find(|at| wanted(&rows.rows[*at]));
        match next {
            Some(at) if at == rows.cursor => {
                self.notice = Some(Notice {
                    tone: Tone::Plain,
                    text: only.to_owned(),
                });
                Vec::new()
            }
            Some(at) => self.move_row(at as isize - self.review.rows.cursor as isize),
            None => Vec::new(),
        }
    }
}
