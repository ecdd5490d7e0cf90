//! The one way onto the screen: words with roles, cleaned, cut to their place.

use super::theme::{Role, SPINNER, Theme};
use super::words;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Text from outside as an owned string that cannot steer the terminal.
pub fn safe(text: &str) -> String {
    String::from(crate::text::clean(text))
}

/// The screen's one exit: whatever way a character came into the buffer, none leaves it that could drive the
/// terminal.
pub fn clean(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if cell
            .symbol()
            .chars()
            .any(|c| c == '\n' || crate::text::needs_care(c))
        {
            cell.set_symbol("\u{fffd}");
        }
    }
}

/// A line made of pieces with roles. Every piece is cleaned as it comes in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words(pub Vec<(Role, String)>);

impl Words {
    pub fn new() -> Self {
        Words::default()
    }

    pub fn of(role: Role, text: impl AsRef<str>) -> Self {
        Words::new().and(role, text)
    }

    pub fn plain(text: impl AsRef<str>) -> Self {
        Words::of(Role::Plain, text)
    }

    pub fn muted(text: impl AsRef<str>) -> Self {
        Words::of(Role::Muted, text)
    }

    pub fn strong(text: impl AsRef<str>) -> Self {
        Words::of(Role::Strong, text)
    }

    pub fn and(mut self, role: Role, text: impl AsRef<str>) -> Self {
        let text = safe(text.as_ref());
        if !text.is_empty() {
            self.0.push((role, text));
        }
        self
    }

    pub fn join(mut self, other: Words) -> Self {
        self.0.extend(other.0);
        self
    }

    pub fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| words::width(text)).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lines of at most `room` columns; the role of each piece of text stays with its lines.
    pub fn wrapped(role: Role, text: &str, room: usize) -> Vec<Words> {
        words::wrap(&safe(text), room)
            .into_iter()
            .map(|line| Words(vec![(role, line)]))
            .collect()
    }
}

/// Where a cell's text stands, and what gives way when it is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// To the left; the end is cut.
    Left,
    /// To the left; the middle is cut.
    Middle,
    /// Numbers.
    Right,
}

/// A frame that is being drawn.
pub struct Paint<'a> {
    pub buffer: &'a mut Buffer,
    pub theme: Theme,
    /// Spinner ticks so far.
    pub ticks: u64,
    /// First line of the last page of a text that is scrolled, as it was drawn.
    pub last: usize,
}

impl Paint<'_> {
    /// Draws at most `room` columns; says how many it took. Too long a line ends in `…`.
    pub fn line(&mut self, x: u16, y: u16, room: u16, words: &Words) -> u16 {
        let area = self.buffer.area;
        if y < area.top() || y >= area.bottom() || x >= area.right() {
            return 0;
        }
        let room = room.min(area.right() - x);
        let whole = words.width() <= usize::from(room);
        let end = x + if whole { room } else { room.saturating_sub(1) };
        let mut at = x;
        for (role, text) in &words.0 {
            if at >= end {
                break;
            }
            let style = self.theme.style(*role);
            let left = usize::from(end - at);
            (at, _) = self.buffer.set_stringn(at, y, text, left, style);
            if !whole && words::width(text) >= left {
                (at, _) = self.buffer.set_stringn(at, y, "…", 1, style);
                break;
            }
        }
        at - x
    }

    pub fn text(&mut self, x: u16, y: u16, room: u16, role: Role, text: &str) -> u16 {
        self.line(x, y, room, &Words::of(role, text))
    }

    /// Ends at the right edge of the place.
    pub fn right(&mut self, x: u16, y: u16, room: u16, words: &Words) {
        let width = (words.width() as u16).min(room);
        self.line(x + room - width, y, width, words);
    }

    /// Lines from the top of the area; says how many rows were taken.
    pub fn lines(&mut self, area: Rect, lines: &[Words]) -> u16 {
        for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
            self.line(area.x, y, area.width, line);
        }
        (lines.len() as u16).min(area.height)
    }

    /// Cells side by side, two columns apart.
    pub fn cells(&mut self, area: Rect, cells: &[(u16, Fit, Words)]) {
        let mut x = area.x;
        for (width, fit, words) in cells {
            let room = (*width).min(area.right().saturating_sub(x));
            if room == 0 {
                continue;
            }
            match fit {
                Fit::Left => {
                    self.line(x, area.y, room, words);
                }
                Fit::Right => self.right(x, area.y, room, words),
                Fit::Middle => {
                    let mut short = words.clone();
                    if let Some((_, text)) = short.0.last_mut() {
                        let other = words.width() - words::width(text);
                        let cut = words::middle(text, usize::from(room).saturating_sub(other));
                        *text = cut.into_owned();
                    }
                    self.line(x, area.y, room, &short);
                }
            }
            x += width + 2;
        }
    }

    pub fn blank(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                self.buffer[(x, y)].reset();
            }
        }
    }

    /// The cursor's row: reversed as a whole, so that it is one bar whatever roles stand in it.
    pub fn select(&mut self, area: Rect) {
        self.buffer.set_style(area, self.theme.selected());
    }

    pub fn spinner(&self) -> char {
        SPINNER[(self.ticks % SPINNER.len() as u64) as usize]
    }
}
