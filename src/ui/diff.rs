//! A change as it is looked at: unified, side by side, as YAML or as commands.

use super::over::tone;
use super::paint::{Paint, Words};
use super::theme::Role;
use super::widgets::{item, scrollbar};
use crate::wizard::state::{ChangeView, DiffLine, LineSign, ReviewMode};
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
    let room = usize::from(area.width);
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
    let body = match mode {
        ReviewMode::Unified => view.unified.len(),
        ReviewMode::SideBySide => view.pairs.len(),
        ReviewMode::Yaml => view.yaml.len(),
        ReviewMode::Kubectl => view.kubectl.len(),
    };
    let all = notes.len() + body;
    let height = usize::from(area.height);
    let offset = offset.min(all.saturating_sub(height));
    for (at, y) in (offset..all).zip(area.top()..area.bottom()) {
        let row = Rect {
            y,
            height: 1,
            ..area
        };
        match at.checked_sub(notes.len()) {
            None => {
                paint.line(area.x, y, area.width, &notes[at]);
            }
            Some(at) => body_line(paint, row, view, mode, at),
        }
    }
    if body == 0 && notes.is_empty() {
        paint.text(area.x, area.y, area.width, Role::Muted, "No difference.");
    }
    scrollbar(paint, area.right() + 1, area, offset, all);
}

fn body_line(paint: &mut Paint, row: Rect, view: &ChangeView, mode: ReviewMode, at: usize) {
    match mode {
        ReviewMode::Unified => {
            paint.line(row.x, row.y, row.width, &line(&view.unified[at]));
        }
        ReviewMode::SideBySide => {
            let half = row.width.saturating_sub(3) / 2;
            let (old, new) = &view.pairs[at];
            for (side, x) in [(old, row.x), (new, row.x + half + 3)] {
                if let Some(side) = side {
                    paint.line(x, row.y, half, &line(side));
                }
            }
            paint.text(row.x + half + 1, row.y, 1, Role::Muted, "│");
        }
        ReviewMode::Yaml => {
            paint.text(row.x, row.y, row.width, Role::Plain, &view.yaml[at]);
        }
        ReviewMode::Kubectl => {
            let text = &view.kubectl[at];
            let role = if text.trim_start().starts_with('#') {
                Role::Muted
            } else {
                Role::Plain
            };
            paint.text(row.x, row.y, row.width, role, text);
        }
    }
}
