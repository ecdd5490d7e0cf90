//! Step 8: the writes, one after another, and how it ended.

use super::layout::Places;
use super::paint::{Fit, Paint, Words};
use super::theme::Role;
use super::widgets::{self, gauge, item, list, panel, percent};
use super::words::age;
use crate::engine::event::{Ended, StepState};
use crate::wizard::state::{ApplyRow, ApplyStep, LineSign, State};
use crate::words::say::ui as say;
use ratatui::layout::Rect;
use std::time::Duration;

/// `apply` goes forwards, an undo back.
pub fn heading(state: &State) -> Words {
    let apply = &state.apply;
    let (done, all) = apply.progress();
    let verb = match (apply.undoing || apply.takes_back(), apply.running) {
        (true, true) => say::UNDOING,
        (true, false) => say::UNDONE,
        (false, true) => say::APPLYING,
        (false, false) => say::APPLY,
    };
    Words::strong(verb)
        .and(Role::Plain, format!("  {done} of {all}  "))
        .join(gauge(done, all, 16))
        .and(Role::Plain, format!("  {}", percent(done, all)))
}

/// What happens now, in the place of the question.
pub fn question(state: &State) -> (Role, String) {
    let apply = &state.apply;
    if let Some((id, _)) = &apply.stopped {
        return (Role::Bad, say::stopped_at(&id.object()));
    }
    if state.quit_after {
        return (Role::Waiting, "▲ Quitting after the current write.".into());
    }
    if apply.stopping {
        return (Role::Waiting, "▲ Stopping after the current write.".into());
    }
    if apply.running {
        let since = apply
            .began
            .zip(state.now)
            .and_then(|(began, now)| Duration::try_from(now.duration_since(began)).ok())
            .map_or(String::new(), |took| format!(", {}", age(took)));
        let counts = &state.newest_board().counts;
        if let ((done, all), true) = (apply.progress(), counts.all() > 0)
            && done == all
        {
            let limit = match state.start.timeout {
                Duration::ZERO => String::new(),
                limit => format!(" up to {}", age(limit)),
            };
            return (
                Role::Waiting,
                format!(
                    "○ All changes applied; waiting{limit} for targets: {} of {} UP{since}",
                    counts.up,
                    counts.all()
                ),
            );
        }
        let what = match apply.undoing || apply.takes_back() {
            true => "Undoing the changes",
            false => "Applying the approved changes",
        };
        return (
            Role::Plain,
            format!("{what} in order{since}. Stopping is safe."),
        );
    }
    match apply.outcome.as_ref().map(|outcome| &outcome.ended) {
        Some(Ended::Whole) if apply.undoing && !apply.older.is_empty() => (
            Role::Waiting,
            "▲ Run undone. An older run is still applied.".into(),
        ),
        Some(Ended::Whole) if apply.undoing => (Role::Good, "✓ Run undone.".into()),
        Some(Ended::Whole) => match apply.lacks() {
            Some(lacks) => (Role::Waiting, format!("▲ {lacks}.")),
            None => (Role::Good, "✓ Every approved change is applied.".into()),
        },
        Some(Ended::PartWay(_)) => (
            Role::Waiting,
            "▲ Interrupted: applied changes stay in the cluster.".into(),
        ),
        Some(Ended::Undone) => (
            Role::Waiting,
            "▲ Failed: every change of this run was undone.".into(),
        ),
        None if apply.error.is_some() => (Role::Bad, "✕ The run failed.".into()),
        None => (Role::Muted, "No run is in progress.".into()),
    }
}

fn glyph(paint: &Paint, row: &ApplyRow, running: bool) -> (char, Role) {
    if row.under_way() && !running {
        return ('▲', Role::Waiting);
    }
    match &row.state {
        StepState::Pending => ('·', Role::Muted),
        StepState::Waiting { .. } | StepState::Writing | StepState::Rollout { .. } => {
            (paint.spinner(), Role::Accent)
        }
        StepState::Done | StepState::Unchanged => ('✓', Role::Good),
        StepState::Failed(_) => ('✕', Role::Bad),
        StepState::LeftOut => ('–', Role::Muted),
        StepState::TakenBack(_) | StepState::Held(_) => ('▲', Role::Waiting),
    }
}

/// The state in a few words, for so many columns.
fn said(row: &ApplyRow, running: bool, room: usize) -> Words {
    if row.under_way() && !running {
        return Words::of(
            Role::Waiting,
            if row.written {
                "applied, not verified"
            } else {
                "not written"
            },
        );
    }
    match &row.state {
        StepState::Pending if !running => Words::muted("not written"),
        StepState::Pending => Words::muted("pending"),
        StepState::Waiting { on, gone_by } => Words::plain(format!(
            "waiting for {}",
            crate::words::so_far(on, *gone_by)
        )),
        StepState::Writing => Words::plain("writing"),
        StepState::Rollout {
            updated,
            ready,
            desired,
            note,
            says_ready,
        } => {
            let words = if *says_ready {
                Words::plain(note)
            } else {
                let words = Words::plain(format!("{ready} of {desired} ready"));
                match note.is_empty() {
                    true => words,
                    false => words.and(Role::Muted, format!("  {note}")),
                }
            };
            // The picture of the figures gives way to what they wait for.
            let picture =
                gauge(*ready.min(updated) as usize, *desired as usize, 8).and(Role::Plain, " ");
            if picture.width() + words.width() <= room {
                picture.join(words)
            } else {
                words
            }
        }
        StepState::Done => Words::of(Role::Good, "done"),
        StepState::Unchanged => Words::muted("in place"),
        StepState::Failed(error) => Words::of(Role::Bad, &error.what),
        StepState::LeftOut => Words::muted("skipped"),
        StepState::TakenBack(why) => Words::of(Role::Waiting, format!("undone: {why}")),
        StepState::Held(why) => Words::of(Role::Waiting, format!("not written: {why}")),
    }
}

/// A change of a run under way: what became of it, and its object.
pub fn sentence(row: &ApplyRow, room: usize) -> Words {
    let (glyph, role) = match &row.state {
        StepState::Done | StepState::Unchanged | StepState::TakenBack(_) => ('✓', Role::Good),
        StepState::Failed(_) => ('✕', Role::Bad),
        _ if row.under_way() => ('○', Role::Waiting),
        _ => ('·', Role::Muted),
    };
    let name = row.object.to_string();
    let left = room.saturating_sub(super::words::width(&name) + 4);
    Words::of(role, format!("{glyph} "))
        .and(Role::Plain, format!("{name}  "))
        .join(said(row, true, left))
}

pub fn draw(paint: &mut Paint, state: &State, places: &Places) {
    let apply = &state.apply;
    let running = apply.running;
    list(
        paint,
        places.list,
        &apply.rows,
        !places.over,
        |paint, area, of| row(paint, area, of, running),
    );
    if apply.rows.rows.is_empty() {
        let words = match &apply.error {
            Some(_) => Words::new(),
            None => Words::muted("No run yet. Press enter in the review to apply the changes."),
        };
        paint.line(places.list.x, places.list.y, places.list.width, &words);
    }
}

fn row(paint: &mut Paint, area: Rect, row: &ApplyRow, running: bool) {
    let (glyph, role) = glyph(paint, row, running);
    let (kind, kind_name) = super::rows::kind(row.object.kind, area.width >= 90);
    let rest = area.width.saturating_sub(1 + kind + 2 * 3);
    let name = rest * 45 / 100;
    let path = super::rows::path(&row.object, row.part);
    let said = said(row, running, usize::from(rest - name));
    // What the one does not need goes to the other, where that is longer than its columns.
    let (whole, words) = (super::words::width(&path) as u16, said.width() as u16);
    let name = match words > rest - name {
        true => name.min(whole),
        false if whole > name => whole.min(rest - words),
        false => name,
    };
    let plain = if row.state == StepState::Pending {
        Role::Muted
    } else {
        Role::Plain
    };
    paint.cells(
        area,
        &[
            (1, Fit::Left, Words::of(role, glyph.to_string())),
            (kind, Fit::Left, Words::of(plain, kind_name)),
            (name, Fit::Middle, Words::of(plain, path)),
            (rest - name, Fit::Left, said),
        ],
    );
}

/// The targets that the wait still lacks, the gravest first, and why.
fn waiting(state: &State, room: usize) -> Vec<Words> {
    let lacking = &state.apply.lacking;
    let mut lines: Vec<Words> = lacking
        .rows
        .iter()
        .flat_map(|row| {
            let said = super::status::state_words(row);
            let role = said.0.first().map_or(Role::Plain, |(role, _)| *role);
            let text: String = said.0.iter().map(|(_, text)| text.as_str()).collect();
            Words::wrapped(
                role,
                &format!("{}: {}", row.expected.pod, text.trim()),
                room,
            )
        })
        .collect();
    if lacking.more > 0 {
        lines.push(Words::muted(format!("targets more: {}", lacking.more)));
    }
    lines
}

/// The change under the cursor, where there is more to say of it than its line may hold.
/// `whole`: of any state, since it is read for the name that the column cut.
fn of_the_row(apply: &ApplyStep, room: usize, whole: bool) -> Vec<Words> {
    let Some(row) = apply.rows.current() else {
        return Vec::new();
    };
    let stopped_here = apply.stopped.as_ref().is_some_and(|(id, _)| *id == row.id);
    let (role, text) = match &row.state {
        StepState::Failed(error) if !stopped_here => {
            let mut lines = vec![Words::muted(row.object.to_string())];
            lines.extend(widgets::error(error, room));
            return lines;
        }
        StepState::Waiting { on, gone_by } => {
            let on = crate::words::so_far(on, *gone_by);
            (Role::Waiting, format!("waiting for {on}"))
        }
        StepState::Rollout { note, .. } if !note.is_empty() => (Role::Waiting, note.clone()),
        StepState::TakenBack(why) => (Role::Waiting, format!("undone: {why}")),
        StepState::Held(why) => (Role::Waiting, format!("not written: {why}")),
        _ if whole => {
            let mut lines = Words::wrapped(Role::Strong, &row.object.to_string(), room);
            lines.push(said(row, apply.running, room));
            return lines;
        }
        _ => return Vec::new(),
    };
    Words::wrapped(role, &format!("{}: {text}", row.object), room)
}

/// The log, or what stopped it, or how it ended.
pub fn side(paint: &mut Paint, state: &State, area: Rect) {
    let apply = &state.apply;
    let title = if apply.stopped.is_some() || apply.error.is_some() {
        "What stopped it"
    } else if apply.summary.is_empty() {
        "Log"
    } else {
        "How it ended"
    };
    let note = match &apply.run {
        Some(run) => Words::muted(format!("run {run}")),
        None => Words::new(),
    };
    let inside = panel(paint, area, &Words::strong(title), &note, false);
    let room = usize::from(inside.width);
    let mut lines = Vec::new();
    if let Some((id, error)) = &apply.stopped {
        lines.push(Words::muted(id.object()));
        lines.extend(widgets::error(error, room));
    }
    if let Some(again) = &apply.again {
        lines.push(Words::new());
        lines.push(Words::muted("The change against the current object"));
        let changed = again.view.unified.iter();
        lines.extend(
            changed
                .filter(|line| matches!(line.sign, LineSign::Added | LineSign::Removed))
                .map(super::diff::line),
        );
    }
    if let Some(error) = &apply.error {
        lines.extend(widgets::error(error, room));
    }
    // First: the list of what was written may be longer than the panel.
    let ended = apply.outcome.as_ref().map(|outcome| &outcome.ended);
    if let (false, Some(Ended::PartWay(_))) = (apply.undoing, ended) {
        let ways = "esc: review the remaining changes and resume · u: undo what was applied";
        lines.extend(item('•', Role::Accent, ways, room));
    }
    if let Some(lacks) = apply.lacks() {
        lines.extend(item('▲', Role::Waiting, &lacks, room));
    }
    for sentence in &apply.summary {
        lines.extend(item('•', Role::Accent, sentence, room));
    }
    if let (true, false, Some(older)) = (apply.undoing, apply.running, apply.older.first()) {
        let way = format!("u: undo the older run {older}");
        lines.extend(item('•', Role::Accent, &way, room));
    }
    if apply.running {
        lines.extend(waiting(state, room));
    }
    lines.extend(of_the_row(apply, room, state.detail));
    if !lines.is_empty() && !apply.log.is_empty() {
        lines.push(Words::new());
    }
    // What does not fit is scrolled to; the log gives way first.
    if lines.len() > usize::from(inside.height) || state.detail {
        let log = apply.log.iter();
        lines.extend(log.flat_map(|line| Words::wrapped(Role::Muted, line, room)));
        super::prometheus::paint_from(paint, inside, &lines, state);
        return;
    }
    let taken = paint.lines(inside, &lines);
    let rest = Rect {
        y: inside.y + taken,
        height: inside.height - taken,
        ..inside
    };
    let height = usize::from(rest.height);
    let skip = apply.log.len().saturating_sub(height);
    for (line, y) in apply.log.iter().skip(skip).zip(rest.top()..rest.bottom()) {
        paint.text(rest.x, y, rest.width, Role::Muted, line);
    }
    if lines.is_empty() && apply.log.is_empty() {
        paint.text(rest.x, rest.y, rest.width, Role::Muted, "The log is empty.");
    }
}
