//! Text from outside, made harmless for a terminal.

use std::borrow::Cow;

/// Makes what could steer a terminal or hide text visible: C0 (but for `\n`), DEL, C1, marks that turn the
/// writing direction, and characters without width. `\x1b[31m` becomes `\u{1b}[31m`; a tab becomes four spaces.
pub fn clean(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(harmful) else {
        return Cow::Borrowed(text);
    };
    let mut safe = String::with_capacity(text.len() + 16);
    safe.push_str(&text[..first]);
    for c in text[first..].chars() {
        match c {
            '\t' => safe.push_str("    "),
            c if harmful(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

fn harmful(c: char) -> bool {
    matches!(c,
        '\0'..='\t' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn harmless_text_is_not_copied() {
        assert!(matches!(
            clean("größe 名前\nline"),
            std::borrow::Cow::Borrowed(_)
        ));
    }

    #[test]
    fn what_steers_a_terminal_becomes_visible() {
        assert_eq!(clean("a\x1b[31mb"), "a\\u{1b}[31mb");
        assert_eq!(clean("a\u{9b}31m\x7f\r"), "a\\u{9b}31m\\u{7f}\\u{d}");
        assert_eq!(clean("x\u{202e}y\u{200b}"), "x\\u{202e}y\\u{200b}");
        assert_eq!(clean("a\tb"), "a    b");
    }
}
