//! Figures and names as people read them, cut and broken by display width.

use std::borrow::Cow;
use std::time::Duration;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `4 ms`, `3 s`, `2 min`, `5 h`, `3 d`.
pub fn duration(of: Duration) -> String {
    let ms = of.as_millis();
    let s = of.as_secs();
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 if ms % 1_000 >= 100 => format!("{:.1} s", of.as_secs_f64()),
        _ if s < 100 => format!("{s} s"),
        _ if s < 100 * 60 => format!("{} min", s / 60),
        _ if s < 48 * 3600 => format!("{} h", s / 3600),
        _ => format!("{} d", s / 86_400),
    }
}

/// Whole seconds; for ages and countdowns, which would flicker otherwise.
pub fn age(of: Duration) -> String {
    duration(Duration::from_secs(of.as_secs().max(1)))
}

/// `9,800`
pub fn count(of: usize) -> String {
    let digits = of.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 pod`, `1,200 pods`.
pub fn many(of: usize, what: fn(usize, &str) -> String) -> String {
    what(of, &count(of))
}

pub fn width(text: &str) -> usize {
    text.width()
}

/// Cuts the end: `prometheus is …`.
pub fn cut(text: &str, room: usize) -> Cow<'_, str> {
    if text.width() <= room {
        return Cow::Borrowed(text);
    }
    match room {
        0 => Cow::Borrowed(""),
        _ => Cow::Owned(format!("{}…", head(text, room - 1))),
    }
}

/// Cuts the middle, so that both ends stay readable: `invoice-7c…-p1x2`.
pub fn middle(text: &str, room: usize) -> Cow<'_, str> {
    if text.width() <= room {
        return Cow::Borrowed(text);
    }
    if room < 3 {
        return cut(text, room);
    }
    let left = (room - 1).div_ceil(2);
    let start = head(text, left);
    Cow::Owned(format!("{start}…{}", tail(text, room - 1 - start.width())))
}

fn head(text: &str, room: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > room {
            return &text[..at];
        }
    }
    text
}

fn tail(text: &str, room: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > room {
            return &text[at + c.len_utf8()..];
        }
    }
    text
}

/// Breaks text into lines of at most `room` columns, at spaces where there are some.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    // The widest character takes two columns.
    let room = room.max(2);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let indent: String = paragraph.chars().take_while(|c| *c == ' ').collect();
        let mut line = indent.clone();
        let mut empty = true;
        for word in paragraph.split_whitespace() {
            let mut word = word;
            let gap = usize::from(!empty);
            if !empty && line.width() + gap + word.width() > room {
                lines.push(std::mem::replace(&mut line, indent.clone()));
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            while line.width() + word.width() > room {
                let fits = head(word, room.saturating_sub(line.width()));
                // A long name is broken where its parts meet, so that no number is read as two.
                let fits = match fits.rfind(['/', ':', '-', '.', '_', ',']) {
                    Some(at) if at >= fits.len() / 3 => &fits[..=at],
                    _ => fits,
                };
                if fits.is_empty() {
                    if line.trim().is_empty() {
                        line.clear();
                        continue;
                    }
                } else {
                    line.push_str(fits);
                    word = &word[fits.len()..];
                }
                lines.push(std::mem::take(&mut line));
            }
            line.push_str(word);
            empty = false;
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::say::ui as say;

    #[test]
    fn durations_and_counts_as_people_say_them() {
        let said = |ms| duration(Duration::from_millis(ms));
        assert_eq!(said(4), "4 ms");
        assert_eq!(said(1_250), "1.2 s");
        assert_eq!(said(3_010), "3 s");
        assert_eq!(said(99_000), "99 s");
        assert_eq!(said(150_000), "2 min");
        assert_eq!(said(3 * 3_600_000), "3 h");
        assert_eq!(said(72 * 3_600_000), "3 d");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_200), "1,200");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(many(1_200, say::pods), say::pods(1_200, "1,200"));
    }

    #[test]
    fn both_ends_of_a_long_name_stay() {
        assert_eq!(middle("invoice-7c9d8b6f-p1x2", 12), "invoic…-p1x2");
        assert_eq!(middle("short", 12), "short");
        assert_eq!(middle("名前名前名前名前", 9), "名前…名前");
        for room in 0..20 {
            assert!(width(&middle("データ-database-データ", room)) <= room);
            assert!(width(&cut("データ-database-データ", room)) <= room);
        }
    }

    #[test]
    fn wrapping_breaks_at_spaces_and_never_overflows() {
        assert_eq!(
            wrap("mTLS is PERMISSIVE for port 15091", 12),
            ["mTLS is", "PERMISSIVE", "for port", "15091"]
        );
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(
            wrap("istio-ingressgateway:443", 22),
            ["istio-ingressgateway:", "443"]
        );
        assert_eq!(wrap("a\n  b", 9), ["a", "  b"]);
        for room in 1..12 {
            for line in wrap("名前 is a-very-long-name of 名前名前名前", room) {
                assert!(width(&line) <= room.max(2), "{line:?} in {room}");
            }
        }
    }
}
