//! Text from the cluster, made safe for a terminal; and names in a row.

use std::borrow::{Borrow, Cow};

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

fn needs_care(c: char) -> bool {
    match c {
        '\n' => false,
        c if (c as u32) < 0x20 => true,
        '\u{7f}'..='\u{9f}' => true,
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
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::{clean, few};
    use std::borrow::Cow;

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
        assert_eq!(few(&["a", "b", "c", "d"], 2), "a, b and 2 more");
        assert_eq!(few::<&str>(&[], 2), "");
    }

    #[test]
    fn ordinary_text_is_not_copied() {
        assert!(matches!(clean("größe: 漢字\nok"), Cow::Borrowed(_)));
        assert_eq!(clean("a\tb"), "a    b");
    }
}
