//! Step 7: every change, and its diff.

use super::layout::Places;
use super::paint::{Fit, Paint, Words};
use super::theme::Role;
use super::widgets::{self, list, panel};
use super::words::{count, many};
use crate::wizard::Step;
use crate::wizard::state::{ReviewCounts, ReviewMode, ReviewRow, Sign, Standing, State};
use crate::words::say::ui as say;
use ratatui::layout::Rect;

/// `11 changes · ✕ 1 to settle · 6 pods restart · 1 deleted, 3 new, 4 patched`; what matters least is cut first.
pub fn heading(of: &ReviewCounts, room: usize) -> String {
    let mut parts = vec![many(of.changes, say::changes)];
    if of.stopped > 0 {
        parts.push(format!("✕ {}", say::blocked(&count(of.stopped))));
    }
    if of.restarts > 0 {
        parts.push(many(of.restarts, say::pods_restart));
    }
    let mut kinds = Vec::new();
    type Said = fn(&str) -> String;
    let each: [(usize, Said); 3] = [
        (of.deleted, say::deleted),
        (of.new, say::new),
        (of.patched, say::patched),
    ];
    for (number, said) in each {
        if number > 0 {
            kinds.push(said(&count(number)));
        }
    }
    if of.asking > 0 {
        parts.push(say::asking_about(&count(of.asking)));
    }
    let lead = parts.join(" · ");
    while !kinds.is_empty() {
        let text = format!("{lead} · {}", kinds.join(", "));
        if super::words::width(&text) <= room {
            return text;
        }
        // None is shown by half.
        kinds.pop();
    }
    lead
}

fn sign(paint: &Paint, row: &ReviewRow) -> (char, Role) {
    match (&row.standing, row.sign) {
        (Standing::Asking, _) | (_, Sign::Asking) => (paint.spinner(), Role::Accent),
        (
            Standing::Conflict(_)
            | Standing::Refused(_)
            | Standing::Gate { .. }
            | Standing::Failed(_),
            _,
        ) => ('✕', Role::Bad),
        (Standing::LeftOut | Standing::HangsOn(_), _) => ('–', Role::Muted),
        (Standing::Unchanged, _) | (_, Sign::Same) => ('✓', Role::Good),
        (_, Sign::New) => ('+', Role::Added),
        (_, Sign::Changed) => ('~', Role::Waiting),
        (_, Sign::Deleted) => ('−', Role::Removed),
    }
}

/// How the change stands, where that is more than its figures.
fn standing(row: &ReviewRow) -> Option<(Role, String)> {
    Some(match &row.standing {
        Standing::Ready if row.warnings > 0 || row.takes > 0 || row.owner.is_some() => {
            let mut said = Vec::new();
            if row.warnings > 0 {
                said.push(many(row.warnings, say::warnings));
            }
            if row.takes > 0 {
                said.push(many(row.takes, say::fields_forced));
            }
            if let Some(tool) = row.owner {
                said.push(say::of_owner(tool));
            }
            (Role::Waiting, format!("▲ {}", said.join(", ")))
        }
        Standing::Ready => return None,
        Standing::Asking => (Role::Muted, say::ASKING.into()),
        Standing::Unchanged => (Role::Muted, say::IN_PLACE.into()),
        Standing::LeftOut => (Role::Muted, say::SKIPPED.into()),
        Standing::HangsOn(_) => (Role::Muted, say::SKIPPED_DEPENDS.into()),
        Standing::Conflict(managers) => (Role::Bad, say::conflict(&managers.join(", "))),
        Standing::Refused(_) => (Role::Bad, say::REFUSED.into()),
        Standing::Gate { .. } => (Role::Bad, say::NOT_SAFE.into()),
        Standing::Failed(_) => (Role::Bad, say::NO_ANSWER.into()),
        Standing::Unverified(_) if row.takes > 0 => (
            Role::Waiting,
            format!(
                "▲ {}, {}",
                say::NOT_DRY_RUN,
                many(row.takes, say::fields_forced)
            ),
        ),
        Standing::Unverified(_) => (Role::Waiting, format!("▲ {}", say::NOT_DRY_RUN)),
    })
}

pub fn draw(paint: &mut Paint, state: &State, places: &Places) {
    let review = &state.review;
    let area = places.list;
    if let Some(error) = &review.error {
        let lines = widgets::error(error, usize::from(area.width));
        paint.lines(area, &lines);
        return;
    }
    list(
        paint,
        area,
        &review.rows,
        !review.diff_focus && !places.over,
        row,
    );
    let rest = places.under;
    let mut lines = Vec::new();
    if review.rows.rows.is_empty() && !review.done {
        lines.push(
            Words::of(Role::Accent, paint.spinner().to_string())
                .and(Role::Muted, format!(" {}", say::DRY_RUNNING)),
        );
    } else if review.rows.rows.is_empty() || state.nothing_to_write() {
        lines.push(Words::of(
            Role::Good,
            format!("✓ {} {}", say::NO_CHANGES, say::MATCHES_CHOICES),
        ));
    }
    lines.extend(notes(&review.notes, rest));
    let height = usize::from(rest.height);
    if lines.len() > height && height > 0 {
        lines.truncate(height - 1);
        lines.push(Words::muted(format!("… {}", say::MORE_NOTES)));
    }
    paint.lines(rest, &lines);
}

/// What holds for the whole run, under the rows; no more of it than would be seen, and a row.
fn notes(notes: &[String], place: Rect) -> Vec<Words> {
    let lines = notes
        .iter()
        .flat_map(|note| widgets::item('▲', Role::Waiting, note, usize::from(place.width)));
    lines.take(usize::from(place.height) + 1).collect()
}

/// All that holds for the whole run has room under the rows.
pub fn notes_seen(state: &State, under: Rect) -> bool {
    notes(&state.review.notes, under).len() <= usize::from(under.height)
}

/// The rows, and under them what holds for the plan as a whole. However many rows there are, a part of the notes stays
/// in sight: a quarter of the height at most.
pub fn parts(state: &State, area: Rect) -> (Rect, Rect) {
    let wanted = match notes(&state.review.notes, area).len() as u16 {
        0 => 0,
        // A blank row before them.
        lines => lines + 1,
    };
    let list = Rect {
        height: area.height - wanted.min(area.height / 4),
        ..area
    };
    let rows = state.review.rows.rows.len().min(usize::from(list.height)) as u16;
    let under = Rect {
        y: area.y + rows + 1,
        height: area.height.saturating_sub(rows + 1),
        ..area
    };
    (list, under)
}

fn row(paint: &mut Paint, area: Rect, row: &ReviewRow) {
    let (glyph, role) = sign(paint, row);
    let quiet = matches!(
        row.standing,
        Standing::LeftOut | Standing::HangsOn(_) | Standing::Unchanged
    );
    let plain = if quiet { Role::Muted } else { Role::Plain };
    let most = area.width * 3 / 8;
    // A name of ours with its run is longer than a kind is unknown.
    let (kind, kind_name) = super::rows::kind(row.object.kind, area.width >= 84);
    let path = super::rows::path(&row.object, row.part);
    let names = area.width.saturating_sub(1 + kind + 2 * 3);
    // The figures give way to a name that is then seen whole.
    let beside = names.saturating_sub(super::words::width(&path) as u16);
    let figures = match standing(row) {
        Some((role, text)) => {
            let said = Words::of(role, text);
            let both = Words::new()
                .join(said.clone())
                .and(Role::Plain, "  ")
                .join(figures(row));
            let has_figures = matches!(row.standing, Standing::Ready | Standing::Unverified(_));
            match has_figures && both.width() <= usize::from(most.min(beside)) {
                true => both,
                false => said,
            }
        }
        None => figures(row),
    };
    let last = (figures.width() as u16).min(most);
    let name = names.saturating_sub(last);
    paint.cells(
        area,
        &[
            (1, Fit::Left, Words::of(role, glyph.to_string())),
            (kind, Fit::Left, Words::of(plain, kind_name)),
            (name, Fit::Middle, Words::of(plain, path)),
            (last, Fit::Right, figures),
        ],
    );
}

fn figures(row: &ReviewRow) -> Words {
    let mut words = Words::new();
    if row.added > 0 || row.sign == Sign::New {
        words = words.and(Role::Added, format!("+{}", row.added));
    }
    if row.removed > 0 {
        let gap = if words.is_empty() { "" } else { " " };
        words = words.and(Role::Removed, format!("{gap}−{}", row.removed));
    }
    words
}

/// What stands over the diff in this place: the whole name where the title of the box would be cut, and how the change
/// stands; then a blank row.
pub fn head(state: &State, area: Rect) -> Vec<Words> {
    let review = &state.review;
    let (Some(row), Step::Review) = (review.rows.current(), state.step) else {
        return Vec::new();
    };
    let room = usize::from(area.width.saturating_sub(4));
    let name = row.object.to_string();
    let mut head = Vec::new();
    // Beside the title stands how it is looked at.
    if super::words::width(&name) + 2 + super::words::width(say::AS_YAML) + 4 > room {
        head.extend(Words::wrapped(Role::Strong, &name, room));
    }
    // What was said of it stands among the notes of the view, once that is made.
    if review.view.is_none() {
        head.extend(Words::wrapped(Role::Plain, &row.why, room));
    }
    let more = match &row.standing {
        Standing::HangsOn(id) => Some(say::hangs_on(&id.object())),
        Standing::LeftOut => Some(say::SKIPPED_BY_YOU.to_owned()),
        _ => None,
    };
    if let Some(text) = more {
        head.extend(Words::wrapped(Role::Muted, &format!("– {text}"), room));
    }
    if !head.is_empty() {
        head.push(Words::new());
    }
    head
}

pub fn side(paint: &mut Paint, state: &State, area: Rect) {
    let review = &state.review;
    let Some(row) = review.rows.current() else {
        panel(
            paint,
            area,
            &Words::strong(say::CHANGE),
            &Words::new(),
            false,
        );
        return;
    };
    let mode = match review.shown() {
        ReviewMode::Unified => say::AS_DIFF,
        ReviewMode::SideBySide => say::AS_SIDES,
        ReviewMode::Yaml => say::AS_YAML,
        ReviewMode::Kubectl => say::AS_KUBECTL,
        ReviewMode::Owner => say::FOR_OWNER,
    };
    let title = Words::strong(row.object.to_string());
    let inside = panel(paint, area, &title, &Words::muted(mode), review.diff_focus);
    let taken = paint.lines(inside, &head(state, area));
    let rest = Rect {
        y: inside.y + taken,
        height: inside.height - taken,
        ..inside
    };
    match &review.view {
        Some(view) => super::diff::draw(paint, rest, view, review.shown(), review.diff_offset),
        None if matches!(row.standing, Standing::Asking) => {
            let words = Words::of(Role::Accent, paint.spinner().to_string())
                .and(Role::Muted, format!(" {}", say::WAITING_FOR_DRY_RUN));
            paint.line(rest.x, rest.y, rest.width, &words);
        }
        None => {
            paint.text(
                rest.x,
                rest.y,
                rest.width,
                Role::Muted,
                &format!("… {}", say::COMPUTING_DIFF),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::kinds::{Kind, ObjectRef};
    use crate::plan::{ChangeId, Part};

    #[test]
    fn a_row_says_that_it_takes_fields_of_a_person() {
        let mut row = ReviewRow {
            id: ChangeId("a".into()),
            object: ObjectRef::new(Kind::Deployment, "shop", "cart"),
            part: Part::Annotation,
            why: String::new(),
            sign: Sign::Changed,
            added: 1,
            removed: 0,
            standing: Standing::Ready,
            loses: false,
            warnings: 0,
            takes: 0,
            owner: None,
        };
        assert_eq!(standing(&row), None);
        row.takes = 1;
        assert_eq!(
            standing(&row).unwrap().1,
            format!("▲ {}", say::fields_forced(1, "1"))
        );
        row.takes = 2;
        row.warnings = 1;
        let both = format!(
            "▲ {}, {}",
            say::warnings(1, "1"),
            say::fields_forced(2, "2")
        );
        assert_eq!(standing(&row).unwrap().1, both);
        (row.warnings, row.takes, row.owner) = (0, 0, Some("Helm"));
        assert_eq!(
            standing(&row).unwrap().1,
            format!("▲ {}", say::of_owner("Helm"))
        );
    }
}
