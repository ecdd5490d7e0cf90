//! Text from the cluster, made safe for a terminal; and names in a row.

use crate::words::say::commands as say;
use std::borrow::{Borrow, Cow};
use std::io::{self, Write};

/// Makes control characters visible: names and messages from the cluster must not reach the terminal as
/// escape sequences, nor turn a line around. Line feeds stay, a tab becomes four spaces.
///
/// C0 and DEL become their pictures (`␛`), C1 and the bidirectional overrides become `�`.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(needs_care) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push(c),
            '\t' => out.push_str("    "),
            '\u{7f}' => out.push('\u{2421}'),
            c if (c as u32) < 0x20 => {
                out.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'));
            }
            c if needs_care(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The same for what has to stay on its line: a line feed becomes its picture (`␊`), so that no text from the
/// cluster can pass for a line of the program's own.
pub fn line(text: &str) -> Cow<'_, str> {
    match clean(text) {
        cleaned if !cleaned.contains('\n') => cleaned,
        cleaned => Cow::Owned(cleaned.replace('\n', "␊")),
    }
}

/// How a piece of a command's output looks on a terminal that has colours. It is marked by characters of Unicode's
/// private use, which text from the cluster cannot bring along ([`clean`] takes them out); the exit makes a colour of
/// them, or drops them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Added,
    Removed,
    Warning,
    Bad,
    Strong,
}

const PLAIN_AGAIN: char = '\u{f8ff}';

impl Tone {
    const ALL: [(Tone, char, &'static str); 5] = [
        (Tone::Added, '\u{f8f0}', "\x1b[32m"),
        (Tone::Removed, '\u{f8f1}', "\x1b[31m"),
        (Tone::Warning, '\u{f8f2}', "\x1b[33m"),
        (Tone::Bad, '\u{f8f3}', "\x1b[1;31m"),
        (Tone::Strong, '\u{f8f4}', "\x1b[1m"),
    ];

    pub fn of(self, text: &str) -> String {
        let mark = Tone::ALL.iter().find(|(tone, ..)| *tone == self);
        let mark = mark.map_or(PLAIN_AGAIN, |(_, mark, _)| *mark);
        format!("{mark}{text}{PLAIN_AGAIN}")
    }

    fn escape(mark: char) -> Option<&'static str> {
        if mark == PLAIN_AGAIN {
            return Some("\x1b[0m");
        }
        let found = Tone::ALL.iter().find(|(_, own, _)| *own == mark);
        found.map(|(.., escape)| *escape)
    }
}

/// What the one exit of all output makes of characters that could drive a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Pictures, as [`clean`] does.
    Words,
    /// The same, and each [`Tone`] in its colour.
    Colours,
    /// JSON's own escapes: readers get back what was meant.
    Json,
}

/// The one exit of all that a command says: whatever is written through it, no control character comes out but
/// line feeds and tabs.
pub struct Cleaned<W> {
    out: W,
    exit: Exit,
    demo: bool,
    /// The beginning of a character that the last write cut in two.
    cut: Vec<u8>,
}

impl<W: Write> Cleaned<W> {
    pub fn new(out: W, exit: Exit) -> Self {
        Cleaned {
            out,
            exit,
            demo: false,
            cut: Vec::new(),
        }
    }

    /// Commands that are named stay in the demo: without its flag they would mean a real cluster.
    pub fn of_demo(mut self, demo: bool) -> Self {
        self.demo = demo;
        self
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        let safe = out_of(text, self.exit);
        match self.demo {
            true => self.out.write_all(in_demo(&safe).as_bytes()),
            false => self.out.write_all(safe.as_bytes()),
        }
    }
}

/// Every command of this program in a text, with the flag that keeps it in the demo.
pub fn in_demo(text: &str) -> Cow<'_, str> {
    const PROGRAM: &str = "meshscrape ";
    const FLAG: &str = "--demo";
    let is_command = |rest: &str| {
        let verb = rest.split(|c: char| !c.is_ascii_lowercase()).next();
        let known = ["plan", "apply", "status", "undo", "check", "export"];
        verb.is_some_and(|verb| known.contains(&verb))
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(PROGRAM) {
        let (before, after) = rest.split_at(at + PROGRAM.len());
        out.push_str(before);
        let line = after.lines().next().unwrap_or_default();
        if is_command(after) && !line.contains(FLAG) {
            out.push_str(FLAG);
            out.push(' ');
        }
        rest = after;
    }
    match out.is_empty() {
        true => Cow::Borrowed(text),
        false => Cow::Owned(out + rest),
    }
}

/// JSON in which no character could drive a terminal: it is written as an escape.
pub fn json(text: &str) -> Cow<'_, str> {
    out_of(text, Exit::Json)
}

fn out_of(text: &str, exit: Exit) -> Cow<'_, str> {
    if !text.chars().any(|c| c != '\t' && needs_care(c)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match exit {
            _ if c == '\t' || !needs_care(c) => safe.push(c),
            Exit::Colours if Tone::escape(c).is_some() => {
                safe.push_str(Tone::escape(c).unwrap_or_default());
            }
            Exit::Words if Tone::escape(c).is_some() => {}
            Exit::Words | Exit::Colours => safe.push_str(&clean(c.encode_utf8(&mut [0; 4]))),
            Exit::Json => safe.push_str(&format!("\\u{:04x}", c as u32)),
        }
    }
    Cow::Owned(safe)
}

impl<W: Write> Write for Cleaned<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.cut);
        all.extend_from_slice(bytes);
        for chunk in all.utf8_chunks() {
            self.put(chunk.valid())?;
            let rest = chunk.invalid();
            let ends = rest.as_ptr_range().end == all.as_ptr_range().end;
            if ends
                && rest.len() < 4
                && std::str::from_utf8(rest).is_err_and(|e| e.error_len().is_none())
            {
                self.cut = rest.to_vec();
            } else if !rest.is_empty() {
                self.put("\u{fffd}")?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Could this character drive a terminal, or turn a line around?
pub fn needs_care(c: char) -> bool {
    match c {
        '\n' => false,
        c if (c as u32) < 0x20 => true,
        '\u{7f}'..='\u{9f}' => true,
        // What marks the tones of this program's own words.
        '\u{f8f0}'..='\u{f8ff}' => true,
        // Left-to-right and right-to-left marks, embeddings, overrides and isolates; line separators;
        // the byte order mark.
        '\u{061c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => true,
        _ => false,
    }
}

/// The first names, and how many more there are: `a, b, c and 2 more`.
pub fn few<S: Borrow<str>>(names: &[S], most: usize) -> String {
    let named = names[..names.len().min(most)].join(", ");
    match names.len().saturating_sub(most) {
        0 => named,
        more => say::and_more(&named, more),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_command_that_is_named_in_the_demo_stays_there() {
        for (said, is) in [
            (
                "run meshscrape undo 7 --yes",
                "run meshscrape --demo undo 7 --yes",
            ),
            (
                "meshscrape undo --demo --yes",
                "meshscrape undo --demo --yes",
            ),
            ("meshscrape needs 60x16", "meshscrape needs 60x16"),
            ("Sidecar shop/meshscrape-web", "Sidecar shop/meshscrape-web"),
            (
                "meshscrape plan\nmeshscrape check, then",
                "meshscrape --demo plan\nmeshscrape --demo check, then",
            ),
            ("nothing", "nothing"),
        ] {
            assert_eq!(super::in_demo(said), is);
        }
    }

    use super::{Cleaned, Exit, clean, few, line};
    use crate::words::say::commands::and_more;
    use std::borrow::Cow;
    use std::io::Write;

    #[test]
    fn escape_sequences_do_not_survive() {
        assert_eq!(clean("\x1b[31mred\x07"), "␛[31mred␇");
        assert_eq!(clean("a\u{9b}31m\u{7f}"), "a\u{fffd}31m␡");
        assert_eq!(clean("line\r\nnext"), "line␍\nnext");
    }

    #[test]
    fn a_line_cannot_be_turned_around() {
        assert_eq!(clean("a\u{202e}b\u{2066}c"), "a\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn what_has_no_room_is_counted() {
        assert_eq!(few(&["a", "b"], 2), "a, b");
        assert_eq!(few(&["a", "b", "c", "d"], 2), and_more("a, b", 2));
        assert_eq!(few::<&str>(&[], 2), "");
    }

    #[test]
    fn ordinary_text_is_not_copied() {
        assert!(matches!(clean("größe: 漢字\nok"), Cow::Borrowed(_)));
        assert_eq!(clean("a\tb"), "a    b");
    }

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(line("a\nb\x1b"), "a␊b␛");
        assert!(matches!(line("ab"), Cow::Borrowed(_)));
    }

    #[test]
    fn the_exit_cleans_whatever_is_written_through_it() {
        let said = |exit, pieces: &[&[u8]]| {
            let mut out = Vec::new();
            let mut through = Cleaned::new(&mut out, exit);
            for piece in pieces {
                through.write_all(piece).unwrap();
            }
            String::from_utf8(out).unwrap()
        };
        assert_eq!(said(Exit::Words, &[b"a\tb\x1b[31m\n"]), "a\tb␛[31m\n");
        assert_eq!(
            said(Exit::Json, &["\"\u{9b}\u{202e}\u{7f}\"".as_bytes()]),
            r#""\u009b\u202e\u007f""#
        );
        // A character that is written in two pieces, and one that never ends.
        assert_eq!(said(Exit::Words, &[b"\xc2", b"\x9b."]), "\u{fffd}.");
        assert_eq!(said(Exit::Words, &["ö".as_bytes()]), "ö");
        assert_eq!(said(Exit::Words, &[b"\xc3", b"\xb6"]), "ö");
        assert_eq!(said(Exit::Words, &[b"\xff!"]), "\u{fffd}!");
    }
}
