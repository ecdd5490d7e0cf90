//! Step 7: every change, and its diff.

use super::layout::Places;
use super::paint::{Fit, Paint, Words};
use super::theme::Role;
use super::widgets::{self, list, panel};
use super::words::{count, many};
use crate::wizard::Step;
use crate::wizard::state::{ReviewCounts, ReviewMode, ReviewRow, Sign, Standing, State};
use ratatui::layout::Rect;

/// `11 changes · ✕ 1 to settle · 6 pods restart · 1 deleted, 3 new, 4 patched`; what matters least is cut first.
pub fn heading(of: &ReviewCounts, room: usize) -> String {
    let mut parts = vec![many(of.changes, "change")];
    if of.stopped > 0 {
        parts.push(format!("✕ blocked: {}", count(of.stopped)));
    }
    if of.restarts > 0 {
        let verb = if of.restarts == 1 {
            "restarts"
        } else {
            "restart"
        };
        parts.push(format!("{} {verb}", many(of.restarts, "pod")));
    }
    let mut kinds = Vec::new();
    for (number, word) in [
        (of.deleted, "deleted"),
        (of.new, "new"),
        (of.patched, "patched"),
    ] {
        if number > 0 {
            kinds.push(format!("{} {word}", count(number)));
        }
    }
    if of.asking > 0 {
        parts.push(format!("asking about {}", count(of.asking)));
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
                said.push(many(row.warnings, "warning"));
            }
            if row.takes > 0 {
                said.push(format!("{} forced", many(row.takes, "field")));
            }
            if let Some(tool) = row.owner {
                said.push(format!("of {tool}"));
            }
            (Role::Waiting, format!("▲ {}", said.join(", ")))
        }
        Standing::Ready => return None,
        Standing::Asking => (Role::Muted, "asking …".into()),
        Standing::Unchanged => (Role::Muted, "in place".into()),
        Standing::LeftOut => (Role::Muted, "skipped".into()),
        Standing::HangsOn(_) => (Role::Muted, "skipped: depends".into()),
        Standing::Conflict(managers) => (Role::Bad, format!("conflict: {}", managers.join(", "))),
        Standing::Refused(_) => (Role::Bad, "refused".into()),
        Standing::Gate { .. } => (Role::Bad, "not safe to edit".into()),
        Standing::Failed(_) => (Role::Bad, "no answer".into()),
        Standing::Unverified(_) if row.takes > 0 => (
            Role::Waiting,
            format!("▲ not dry-run, {} forced", many(row.takes, "field")),
        ),
        Standing::Unverified(_) => (Role::Waiting, "▲ not dry-run".into()),
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
                .and(Role::Muted, " dry-running each change on the API server …"),
        );
    } else if review.rows.rows.is_empty() || state.nothing_to_write() {
        lines.push(Words::of(
            Role::Good,
            "✓ No changes. The cluster matches your choices.",
        ));
    }
    lines.extend(notes(&review.notes, rest));
    let height = usize::from(rest.height);
    if lines.len() > height && height > 0 {
        lines.truncate(height - 1);
        lines.push(Words::muted(
            "… more notes: press enter to see them before confirming",
        ));
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
    if super::words::width(&name) + 2 + "YAML as sent".len() + 4 > room {
        head.extend(Words::wrapped(Role::Strong, &name, room));
    }
    // What was said of it stands among the notes of the view, once that is made.
    if review.view.is_none() {
        head.extend(Words::wrapped(Role::Plain, &row.why, room));
    }
    let more = match &row.standing {
        Standing::HangsOn(id) => Some(format!(
            "– Skipped: depends on {}, which is skipped.",
            id.object()
        )),
        Standing::LeftOut => Some("– Skipped by you; space includes it.".to_owned()),
        _ => None,
    };
    if let Some(text) = more {
        head.extend(Words::wrapped(Role::Muted, &text, room));
    }
    if !head.is_empty() {
        head.push(Words::new());
    }
    head
}

pub fn side(paint: &mut Paint, state: &State, area: Rect) {
    let review = &state.review;
    let Some(row) = review.rows.current() else {
        panel(paint, area, &Words::strong("Change"), &Words::new(), false);
        return;
    };
    let mode = match review.shown() {
        ReviewMode::Unified => "diff",
        ReviewMode::SideBySide => "before │ after",
        ReviewMode::Yaml => "YAML as sent",
        ReviewMode::Kubectl => "as kubectl",
        ReviewMode::Owner => "for its owner",
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
                .and(Role::Muted, " waiting for the dry run …");
            paint.line(rest.x, rest.y, rest.width, &words);
        }
        None => {
            paint.text(
                rest.x,
                rest.y,
                rest.width,
                Role::Muted,
                "… computing the diff",
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
        assert_eq!(standing(&row).unwrap().1, "▲ 1 field forced");
        row.takes = 2;
        row.warnings = 1;
        assert_eq!(standing(&row).unwrap().1, "▲ 1 warning, 2 fields forced");
        (row.warnings, row.takes, row.owner) = (0, 0, Some("Helm"));
        assert_eq!(standing(&row).unwrap().1, "▲ of Helm");
    }
}
