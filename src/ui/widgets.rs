//! Parts that several screens are made of.

use super::paint::{Paint, Words};
use super::theme::Role;
use super::words;
use crate::wizard::list::List;
use crate::words::say::ui as say;
use ratatui::layout::Rect;

/// A box with a title and a note at the right; gives back the room inside.
pub fn panel(paint: &mut Paint, area: Rect, title: &Words, note: &Words, focus: bool) -> Rect {
    if area.width < 4 || area.height < 2 {
        return Rect::new(area.x, area.y, 0, 0);
    }
    let role = if focus { Role::Accent } else { Role::Muted };
    let style = paint.theme.style(role);
    let (left, right) = (area.x, area.right() - 1);
    let (top, bottom) = (area.y, area.bottom() - 1);
    for x in left + 1..right {
        paint.buffer.set_stringn(x, top, "─", 1, style);
        paint.buffer.set_stringn(x, bottom, "─", 1, style);
    }
    for y in top + 1..bottom {
        paint.buffer.set_stringn(left, y, "│", 1, style);
        paint.buffer.set_stringn(right, y, "│", 1, style);
    }
    for (x, y, corner) in [
        (left, top, "╭"),
        (right, top, "╮"),
        (left, bottom, "╰"),
        (right, bottom, "╯"),
    ] {
        paint.buffer.set_stringn(x, y, corner, 1, style);
    }
    let mut room = area.width - 4;
    if !note.is_empty() {
        let width = (note.width() as u16 + 2).min(room.saturating_sub(6));
        if width > 4 {
            let padded = Words::plain(" ").join(note.clone()).and(Role::Plain, " ");
            paint.right(right - 1 - width, top, width, &padded);
            room -= width;
        }
    }
    let padded = Words::plain(" ").join(title.clone()).and(Role::Plain, " ");
    paint.line(left + 1, top, room, &padded);
    inner(area)
}

/// The room inside a panel: the border and one column at either side taken away.
pub fn inner(area: Rect) -> Rect {
    Rect::new(
        area.x + 2,
        area.y + 1,
        area.width.saturating_sub(4),
        area.height.saturating_sub(2),
    )
}

/// Where the window stands, on the right border of the panel; nothing where all rows are on the screen.
pub fn scrollbar(paint: &mut Paint, x: u16, area: Rect, offset: usize, rows: usize) {
    let height = usize::from(area.height);
    if rows <= height || height == 0 {
        return;
    }
    let thumb = (height * height / rows).clamp(1, height);
    let way = height - thumb;
    let start = (offset * way).div_ceil((rows - height).max(1)).min(way);
    let style = paint.theme.style(Role::Accent);
    for at in start..start + thumb {
        paint
            .buffer
            .set_stringn(x, area.y + at as u16, "┃", 1, style);
    }
}

/// The visible rows of a list. `row` draws one into its line; only the window is ever looked at.
pub fn list<R>(
    paint: &mut Paint,
    area: Rect,
    of: &List<R>,
    focus: bool,
    mut row: impl FnMut(&mut Paint, Rect, &R),
) {
    let window = of.window();
    for (index, y) in window.clone().zip(area.top()..area.bottom()) {
        let Some(item) = of.rows.get(index) else {
            break;
        };
        let line = Rect::new(area.x + 2, y, area.width.saturating_sub(2), 1);
        row(paint, line, item);
        if index == of.cursor {
            if focus {
                paint.select(Rect::new(area.x, y, area.width, 1));
            }
            paint.text(area.x, y, 1, Role::Accent, "▌");
        }
    }
    scrollbar(paint, area.right() + 1, area, window.start, of.rows.len());
}

/// `███████░░░`
pub fn gauge(done: usize, all: usize, room: usize) -> Words {
    let full = (done * room).checked_div(all).unwrap_or(0).min(room);
    Words::of(Role::Good, "█".repeat(full)).and(Role::Muted, "░".repeat(room - full))
}

/// `78 %`; never 100 before all is done.
pub fn percent(done: usize, all: usize) -> String {
    format!("{} %", (done * 100).checked_div(all).unwrap_or(0))
}

/// Durations as bars, oldest first, against the longest of them.
pub fn sparkline(of: &[f32], room: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let last = &of[of.len().saturating_sub(room)..];
    let most = last.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    last.iter()
        .map(|value| {
            let part = (value.max(0.0) / most * 7.0).round();
            BARS[(part as usize).min(7)]
        })
        .collect()
}

/// A label in a narrow column with a value that goes on below itself.
pub fn fact(label: &str, role: Role, value: &str, room: usize) -> Vec<Words> {
    let column = 11;
    let head = format!("{label:<column$}");
    // A name that would be broken in the narrow column gets the next line to itself.
    let longest = value
        .split_whitespace()
        .map(words::width)
        .max()
        .unwrap_or(0);
    if words::width(&head) > column || room < 2 * column || longest > room - column {
        let mut lines = vec![Words::muted(label)];
        lines.extend(
            Words::wrapped(role, value, room.saturating_sub(2))
                .into_iter()
                .map(|line| Words::plain("  ").join(line)),
        );
        return lines;
    }
    Words::wrapped(role, value, room - column)
        .into_iter()
        .enumerate()
        .map(|(at, line)| {
            let lead = if at == 0 { &head } else { "" };
            Words::muted(format!("{lead:<column$}")).join(line)
        })
        .collect()
}

/// A glyph with text that goes on below itself.
pub fn item(glyph: char, role: Role, text: &str, room: usize) -> Vec<Words> {
    Words::wrapped(Role::Plain, text, room.saturating_sub(2))
        .into_iter()
        .enumerate()
        .map(|(at, line)| {
            let lead = if at == 0 { glyph } else { ' ' };
            Words::of(role, format!("{lead} ")).join(line)
        })
        .collect()
}

/// An error in its place: what, why, what to try.
pub fn error(of: &crate::error::Error, room: usize) -> Vec<Words> {
    let mut lines = Words::wrapped(Role::Bad, &format!("✕ {}", of.what), room);
    for cause in &of.causes {
        lines.extend(fact(say::CAUSE, Role::Plain, cause, room));
    }
    for hint in &of.hints {
        lines.extend(fact(say::TRY, Role::Plain, hint, room));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_full_only_when_all_is_done() {
        let full = |done, all| gauge(done, all, 10).0[0].1.matches('█').count();
        assert_eq!(full(9, 10), 9);
        assert_eq!(full(999, 1000), 9);
        assert_eq!(full(10, 10), 10);
        assert_eq!(percent(999, 1000), "99 %");
        assert_eq!(percent(0, 0), "0 %");
    }

    #[test]
    fn a_sparkline_shows_the_newest_against_the_longest() {
        assert_eq!(sparkline(&[1.0, 2.0, 4.0], 8), "▃▅█");
        assert_eq!(sparkline(&[9.0, 1.0, 2.0, 4.0], 3), "▃▅█");
        assert_eq!(sparkline(&[], 3), "");
        assert_eq!(sparkline(&[0.0, f32::NAN], 3).chars().count(), 2);
    }
}
