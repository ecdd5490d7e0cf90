//! A change as it is looked at: unified, side by side, as YAML or as commands.

use super::over::tone;
use super::paint::{Paint, Words};
use super::theme::Role;
use super::widgets::{item, scrollbar};
use super::words::width;
use crate::wizard::state::{ChangeView, DiffLine, LineSign, ReviewMode};
use crate::words::say::ui as say;
use ratatui::layout::Rect;

fn roles(sign: LineSign) -> (char, Role, Role) {
    match sign {
        LineSign::Same => (' ', Role::Plain, Role::Plain),
        LineSign::Added => ('+', Role::Added, Role::AddedWord),
        LineSign::Removed => ('−', Role::Removed, Role::RemovedWord),
        LineSign::Fold => (' ', Role::Muted, Role::Muted),
    }
}

pub fn line(of: &DiffLine) -> Words {
    let (sign, role, word) = roles(of.sign);
    let mut words = Words::of(role, format!("{sign} "));
    for (changed, piece) in &of.pieces {
        words = words.and(if *changed { word } else { role }, piece);
    }
    words
}

/// Draws the lines from `offset` on; only those are made. Says how many there are in all.
pub fn draw(paint: &mut Paint, area: Rect, view: &ChangeView, mode: ReviewMode, offset: usize) {
    let notes = notes(view, usize::from(area.width));
    let body = view.len(mode);
    let all = notes.len() + body;
    // Folded lines take more rows than there are lines, so that the last line may stand at the top.
    let offset = offset.min(all.saturating_sub(1));
    let mut y = area.top();
    for at in offset..all {
        if y >= area.bottom() {
            break;
        }
        let row = Rect {
            y,
            height: area.bottom() - y,
            ..area
        };
        y += match at.checked_sub(notes.len()) {
            None => {
                paint.line(area.x, y, area.width, &notes[at]);
                1
            }
            Some(at) => body_line(paint, row, view, mode, at),
        };
    }
    if body == 0 && notes.is_empty() {
        paint.text(area.x, area.y, area.width, Role::Muted, say::NO_DIFFERENCE);
    }
    scrollbar(
        paint,
        area.right() + 1,
        area,
        offset.min(all.saturating_sub(usize::from(area.height))),
        all,
    );
}

/// What is said of the change, before its lines.
pub fn notes(view: &ChangeView, room: usize) -> Vec<Words> {
    let mut notes: Vec<Words> = view
        .notes
        .iter()
        .flat_map(|note| {
            let (glyph, role) = tone(note.tone);
            item(glyph, role, &note.text, room)
        })
        .collect();
    if !notes.is_empty() {
        notes.push(Words::new());
    }
    notes
}

/// The rows that a line takes, at most `most`: what is longer than the room goes on below, marked.
fn folded(of: &Words, room: u16, most: u16) -> Vec<Words> {
    // The mark takes two columns, and so may the widest character.
    let room = usize::from(room.max(4));
    let mut rows = vec![Words::new()];
    let mut used = 0;
    for (role, text) in &of.0 {
        let mut piece = String::new();
        for c in text.chars() {
            let wide = width(c.encode_utf8(&mut [0; 4]));
            if used + wide > room {
                if let Some(last) = rows.last_mut() {
                    last.0.push((*role, std::mem::take(&mut piece)));
                }
                if rows.len() >= usize::from(most) {
                    cut(&mut rows);
                    return rows;
                }
                rows.push(Words::muted("↳ "));
                used = 2;
            }
            piece.push(c);
            used += wide;
        }
        if let Some(last) = rows.last_mut() {
            last.0.push((*role, piece));
        }
    }
    rows
}

/// Says that the place ends before the line does.
fn cut(rows: &mut [Words]) {
    let Some(last) = rows.last_mut() else {
        return;
    };
    if let Some((_, text)) = last.0.iter_mut().rfind(|(_, text)| !text.is_empty()) {
        text.pop();
    }
    last.0.push((Role::Muted, "…".into()));
}

/// Draws one line of the body from the top of the place on; says how many rows it took.
fn body_line(
    paint: &mut Paint,
    place: Rect,
    view: &ChangeView,
    mode: ReviewMode,
    at: usize,
) -> u16 {
    let whole = match mode {
        ReviewMode::Unified => line(&view.unified[at]),
        ReviewMode::SideBySide => {
            let half = place.width.saturating_sub(3) / 2;
            let (old, new) = &view.pairs[at];
            let mut rows = 1;
            for (side, x) in [(old, place.x), (new, place.x + half + 3)] {
                if let Some(side) = side {
                    let column = Rect {
                        x,
                        width: half,
                        ..place
                    };
                    let lines = folded(&line(side), half, place.height);
                    rows = rows.max(paint.lines(column, &lines));
                }
            }
            for y in place.y..place.y + rows {
                paint.text(place.x + half + 1, y, 1, Role::Muted, "│");
            }
            return rows;
        }
        ReviewMode::Yaml => Words::plain(&view.yaml[at]),
        ReviewMode::Kubectl | ReviewMode::Owner => {
            let text = match mode {
                ReviewMode::Owner => &view.owner[at],
                _ => &view.kubectl[at],
            };
            let role = if text.trim_start().starts_with('#') {
                Role::Muted
            } else {
                Role::Plain
            };
            Words::of(role, text)
        }
    };
    paint.lines(place, &folded(&whole, place.width, place.height))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(row: &Words) -> String {
        row.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn what_is_longer_than_the_room_goes_on_below() {
        let line = Words::plain("abcdefgh").and(Role::Added, "ijklmno");
        let rows = folded(&line, 6, 9);
        let rows: Vec<String> = rows.iter().map(text).collect();
        assert_eq!(rows, ["abcdef", "↳ ghij", "↳ klmn", "↳ o"]);
    }

    #[test]
    fn wide_characters_are_not_cut_in_two() {
        let rows = folded(&Words::plain("a世界世界"), 6, 9);
        let rows: Vec<String> = rows.iter().map(text).collect();
        assert_eq!(rows, ["a世界", "↳ 世界"]);
    }

    #[test]
    fn a_line_longer_than_its_place_says_that_it_goes_on() {
        let rows = folded(&Words::plain("abcdefghijklmno"), 6, 2);
        let rows: Vec<String> = rows.iter().map(text).collect();
        assert_eq!(rows, ["abcdef", "↳ ghi…"]);
    }
}
