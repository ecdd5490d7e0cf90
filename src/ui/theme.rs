//! How things look by their role: colours, modifiers, and the ASCII twin of every glyph.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};
use std::sync::OnceLock;

/// What a piece of text means. Colour only repeats what a glyph or a word says already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    #[default]
    Plain,
    Strong,
    Accent,
    Good,
    Waiting,
    Bad,
    Muted,
    Added,
    Removed,
    /// A changed word within an added or removed line.
    AddedWord,
    RemovedWord,
}

/// Colours or none, UTF-8 or ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    pub colour: bool,
    pub ascii: bool,
}

impl Default for Theme {
    fn default() -> Self {
        Theme {
            colour: true,
            ascii: false,
        }
    }
}

static THEME: OnceLock<Theme> = OnceLock::new();

/// Fixes the theme of the process; the first word counts. Without one it follows the environment.
pub fn set(theme: Theme) {
    let _ = THEME.set(theme);
}

/// The theme of the process.
pub fn current() -> Theme {
    *THEME.get_or_init(|| Theme::from_env(false, |name| std::env::var(name).ok()))
}

impl Theme {
    /// `NO_COLOR` (not empty) takes colours away; `ascii`, or a locale that is not UTF-8, every other glyph.
    pub fn from_env(ascii: bool, env: impl Fn(&str) -> Option<String>) -> Theme {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let locale = set("LC_ALL")
            .or_else(|| set("LC_CTYPE"))
            .or_else(|| set("LANG"))
            .unwrap_or_default()
            .to_ascii_lowercase();
        Theme {
            colour: set("NO_COLOR").is_none(),
            ascii: ascii || !(locale.contains("utf-8") || locale.contains("utf8")),
        }
    }

    /// Sixteen colours, none of them white, black or grey: readable on light and on dark.
    pub fn style(self, role: Role) -> Style {
        let plain = Style::new();
        let (colour, style) = match role {
            Role::Plain => (None, plain),
            Role::Strong => (None, plain.add_modifier(Modifier::BOLD)),
            Role::Accent => (Some(Color::Cyan), plain.add_modifier(Modifier::BOLD)),
            Role::Good => (Some(Color::Green), plain),
            Role::Waiting => (Some(Color::Yellow), plain),
            Role::Bad => (Some(Color::Red), plain.add_modifier(Modifier::BOLD)),
            Role::Muted => (None, plain.add_modifier(Modifier::DIM)),
            Role::Added => (Some(Color::Green), plain),
            Role::Removed => (Some(Color::Red), plain),
            Role::AddedWord => (
                Some(Color::Green),
                plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            ),
            Role::RemovedWord => (
                Some(Color::Red),
                plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            ),
        };
        match colour {
            Some(colour) if self.colour => style.fg(colour),
            _ => style,
        }
    }

    /// The row under the cursor: reversed, so that it shows without colours.
    pub fn selected(self) -> Style {
        Style::reset().add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }
}

/// Every glyph that the screens use, with its twin. Both are one column wide, so that nothing moves.
pub const TWINS: &[(char, char)] = &[
    ('✓', 'v'),
    ('✕', 'x'),
    ('▲', '!'),
    ('●', '*'),
    ('◉', '*'),
    ('◐', '%'),
    ('○', 'o'),
    ('▸', '>'),
    ('▾', '-'),
    ('◂', '<'),
    ('▶', '>'),
    ('▌', '>'),
    ('•', '*'),
    ('◦', ','),
    ('·', '.'),
    ('…', '~'),
    ('–', '-'),
    ('—', '-'),
    ('−', '-'),
    ('→', '>'),
    ('↳', '\\'),
    ('↑', '^'),
    ('↓', 'v'),
    ('×', 'x'),
    ('“', '"'),
    ('”', '"'),
    ('‘', '\''),
    ('’', '\''),
    ('─', '-'),
    ('━', '-'),
    ('╌', '-'),
    ('│', '|'),
    ('┃', '#'),
    ('╭', '+'),
    ('╮', '+'),
    ('╰', '+'),
    ('╯', '+'),
    ('┌', '+'),
    ('┐', '+'),
    ('└', '+'),
    ('┘', '+'),
    ('├', '+'),
    ('┤', '+'),
    ('█', '#'),
    ('░', '.'),
    ('▁', '_'),
    ('▂', '.'),
    ('▃', ':'),
    ('▄', '-'),
    ('▅', '='),
    ('▆', '+'),
    ('▇', '*'),
    ('⠋', '|'),
    ('⠙', '/'),
    ('⠹', '-'),
    ('⠸', '\\'),
    ('⠼', '|'),
    ('⠴', '/'),
    ('⠦', '-'),
    ('⠧', '\\'),
    ('⠇', '|'),
    ('⠏', '/'),
];

/// Frames of the spinner.
pub const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Puts the twins in place of the glyphs of a drawn frame; any other character becomes `?`.
pub fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if cell.symbol().is_ascii() {
            continue;
        }
        let first = cell.symbol().chars().next().unwrap_or(' ');
        let twin = TWINS
            .iter()
            .find(|(glyph, _)| *glyph == first)
            .map_or('?', |(_, twin)| *twin);
        cell.set_char(twin);
    }
}
