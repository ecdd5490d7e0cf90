//! What lies over a step: a decision, the help, a notice.

use super::paint::{Fit, Paint, Words};
use super::theme::Role;
use super::widgets::{inner, panel};
use super::words::width;
use crate::wizard::keymap;
use crate::wizard::state::{Dialog, Notice, State, Tone};
use crate::words::say::ui as say;
use ratatui::layout::Rect;

pub fn tone(of: Tone) -> (char, Role) {
    match of {
        Tone::Plain => ('•', Role::Plain),
        Tone::Good => ('✓', Role::Good),
        Tone::Waiting => ('▲', Role::Waiting),
        Tone::Bad => ('✕', Role::Bad),
        Tone::Muted => ('·', Role::Muted),
    }
}

fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let width = width.min(area.width);
    let height = height.min(area.height);
    Rect::new(
        area.x + (area.width - width) / 2,
        area.y + (area.height - height) / 2,
        width,
        height,
    )
}

struct Lines {
    place: Rect,
    text: Vec<Words>,
    input: bool,
    /// Lines that the buttons take.
    buttons: u16,
}

/// Where each button is: its column, its line, its width. What does not fit beside the others goes below them.
fn flow(dialog: &Dialog, room: u16) -> Vec<(u16, u16, u16)> {
    let (mut x, mut y) = (0, 0);
    let mut placed = Vec::new();
    for button in &dialog.buttons {
        let wide = (width(&button.label) as u16).saturating_add(4).min(room);
        if x > 0 && x + wide > room {
            (x, y) = (0, y + 1);
        }
        placed.push((x, y, wide));
        x += wide + 2;
    }
    placed
}

fn dialog_lines(dialog: &Dialog, area: Rect) -> Lines {
    let buttons: usize = dialog.buttons.iter().map(|b| width(&b.label) + 6).sum();
    let longest = dialog.lines.iter().map(|line| width(line)).max();
    let room = longest
        .unwrap_or(0)
        .max(buttons)
        .max(width(&dialog.title) + 2)
        .clamp(40, usize::from(area.width.saturating_sub(8)).min(76));
    let text: Vec<Words> = dialog
        .lines
        .iter()
        .flat_map(|line| Words::wrapped(Role::Plain, line, room))
        .collect();
    let input = dialog.input.is_some();
    let rows = flow(dialog, room as u16)
        .last()
        .map_or(1, |(_, y, _)| y + 1);
    let height = text.len() + 3 + usize::from(rows) + 2 * usize::from(input);
    Lines {
        place: centred(area, room as u16 + 4, height as u16),
        text,
        input,
        buttons: rows,
    }
}

/// Where the buttons of the dialog are.
pub fn buttons(dialog: &Dialog, area: Rect) -> Vec<Rect> {
    let lines = dialog_lines(dialog, area);
    let place = inner(lines.place);
    let top = place.bottom().saturating_sub(lines.buttons);
    flow(dialog, place.width)
        .into_iter()
        .map(|(x, y, wide)| Rect::new(place.x + x, top + y, wide, 1).intersection(place))
        .collect()
}

impl Lines {
    /// Where its text stands.
    fn room(&self) -> Rect {
        let inside = inner(self.place);
        let below = 1 + self.buttons + 2 * u16::from(self.input);
        Rect {
            height: inside.height.saturating_sub(below),
            ..inside
        }
    }

    /// First line of the text's last page; zero: all of it is seen.
    fn last(&self) -> usize {
        let height = usize::from(self.room().height);
        self.text.len().saturating_sub(height)
    }
}

/// (lines of the dialog's text that are seen at once, the first line of its last page)
pub fn dialog_room(dialog: &Dialog, area: Rect) -> (usize, usize) {
    let lines = dialog_lines(dialog, area);
    (usize::from(lines.room().height).max(1), lines.last())
}

pub fn dialog(paint: &mut Paint, dialog: &Dialog, area: Rect) {
    let lines = dialog_lines(dialog, area);
    paint.blank(lines.place);
    let title = Words::strong(&dialog.title);
    let (text, last) = (lines.room(), lines.last());
    let skip = dialog.offset.min(last);
    let note = match last - skip {
        0 => Words::new(),
        more => Words::of(Role::Waiting, say::lines_below(more)),
    };
    let inside = panel(paint, lines.place, &title, &note, true);
    let taken = paint.lines(text, &lines.text[skip..]);
    super::widgets::scrollbar(paint, inside.right() + 1, text, skip, lines.text.len());
    if let Some(input) = &dialog.input {
        // The end of what is typed stays in view.
        let room = inside.width.saturating_sub(3);
        let shown = super::words::middle(input, usize::from(room)).into_owned();
        let words = Words::of(Role::Accent, "> ").and(Role::Plain, shown);
        let at = paint.line(inside.x, inside.y + taken + 1, inside.width, &words);
        paint.select(Rect::new(inside.x + at, inside.y + taken + 1, 1, 1));
    }
    for (at, (button, place)) in dialog.buttons.iter().zip(buttons(dialog, area)).enumerate() {
        let role = if button.danger {
            Role::Bad
        } else {
            Role::Plain
        };
        let text = if at == dialog.focus {
            format!("▸ {}  ", button.label)
        } else {
            format!("  {}  ", button.label)
        };
        paint.text(place.x, place.y, place.width, role, &text);
        if at == dialog.focus {
            paint.select(place);
        }
    }
}

/// A line of the help: keys, and what they do or why they do nothing here.
type HelpLine = (String, Words, Role);

/// The help's box with its lines, and the columns that the keys take.
fn help_lines(state: &State, area: Rect) -> (Rect, Vec<HelpLine>, u16) {
    let bindings: Vec<(String, keymap::Binding)> = keymap::help(state)
        .into_iter()
        .map(|binding| {
            let all = [binding.key]
                .into_iter()
                .chain(binding.also.iter().copied());
            let names: Vec<String> = all.map(|key| key.to_string()).collect();
            (names.join(" "), binding)
        })
        .collect();
    let keys = bindings.iter().map(|(keys, _)| width(keys)).max();
    let keys = keys.unwrap_or_default();
    let room = usize::from(area.width.min(84)).saturating_sub(keys + 6);
    let mut lines = Vec::new();
    for (mut keys, binding) in bindings {
        let (role, said) = match &binding.why_not {
            Some(why) => (Role::Muted, say::not_now(&binding.label, why)),
            None => (Role::Plain, binding.label.clone()),
        };
        for said in Words::wrapped(role, &said, room) {
            lines.push((std::mem::take(&mut keys), said, role));
        }
    }
    (
        centred(area, 84, lines.len() as u16 + 2),
        lines,
        keys as u16,
    )
}

/// (lines of the help that are seen at once, the first line of its last page)
pub fn help_room(state: &State, area: Rect) -> (usize, usize) {
    let (place, lines, _) = help_lines(state, area);
    let height = usize::from(inner(place).height);
    (height.max(1), lines.len().saturating_sub(height))
}

/// Every key of the screen; those that do nothing here say why.
pub fn help(paint: &mut Paint, state: &State, area: Rect) {
    let (place, lines, keys_width) = help_lines(state, area);
    paint.blank(place);
    let title = Words::strong(say::keys_of(state.step.title()));
    let more = usize::from(inner(place).height) < lines.len();
    let note = if more {
        say::DOWN_OR_CLOSE
    } else {
        say::ESC_CLOSE
    };
    let inside = panel(paint, place, &title, &Words::muted(note), true);
    let skip = state
        .detail_offset
        .min(lines.len().saturating_sub(usize::from(inside.height)));
    for ((keys, said, role), y) in lines.iter().skip(skip).zip(inside.top()..inside.bottom()) {
        let role = match role {
            Role::Muted => Role::Muted,
            _ => Role::Accent,
        };
        let row = Rect {
            y,
            height: 1,
            ..inside
        };
        paint.cells(
            row,
            &[
                (keys_width, Fit::Left, Words::of(role, keys)),
                (
                    inside.width.saturating_sub(keys_width + 2),
                    Fit::Left,
                    said.clone(),
                ),
            ],
        );
    }
    super::widgets::scrollbar(paint, inside.right() + 1, inside, skip, lines.len());
}

/// A short message above the footer.
pub fn notice(paint: &mut Paint, notice: &Notice, footer: Rect) {
    let (glyph, role) = tone(notice.tone);
    let room = usize::from(footer.width.saturating_sub(4));
    let lines = super::widgets::item(glyph, role, &notice.text, room);
    let height = (lines.len() as u16).clamp(1, 4);
    let place = Rect {
        y: footer.y.saturating_sub(height),
        height,
        ..footer
    };
    paint.blank(place);
    let inside = Rect {
        x: place.x + 1,
        width: place.width.saturating_sub(2),
        ..place
    };
    paint.lines(inside, &lines);
}
