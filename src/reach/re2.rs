//! Go's regular expressions as Prometheus uses them: anchored, matched by the `regex` crate, expanded as Go does.
//!
//! Source: `model/relabel/relabel.go` (`NewRegexp`: `^(?s:…)$`), Go's `regexp/syntax` (perl classes are ASCII, `[` and
//! `&&` in a class are literal, `\` before punctuation is that character) and `regexp.Regexp.Expand`. What Go reads and
//! this crate does not is refused, never read otherwise.

use regex::{Captures, Regex};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// A pattern, compiled only where it is no plain text.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Literal,
    /// `(.*)`, `(.+)`, and these after a literal; `captured`: within parentheses.
    Rest {
        prefix: usize,
        some: bool,
        captured: bool,
    },
    Regex {
        regex: Arc<Regex>,
        /// Every text that matches begins with these bytes of the pattern.
        prefix: usize,
    },
}

/// What a pattern captured of a text.
pub enum Found<'t> {
    Whole(&'t str),
    Rest(&'t str, &'t str),
    Groups(Captures<'t>, &'t Regex),
}

impl Pattern {
    /// # Errors
    /// Why it cannot be read here: no pattern of Go's, or one that this program cannot match.
    pub fn new(text: &str) -> Result<Pattern, String> {
        let text = text.to_owned();
        let plain = |text: &str| !text.contains(|c: char| r".+*?()|[]{}^$\".contains(c));
        if plain(&text) {
            let form = Form::Literal;
            return Ok(Pattern { text, form });
        }
        for (ending, some, captured) in [
            ("(.*)", false, true),
            ("(.+)", true, true),
            (".*", false, false),
            (".+", true, false),
        ] {
            if let Some(before) = text.strip_suffix(ending)
                && plain(before)
            {
                let prefix = before.len();
                let form = Form::Rest {
                    prefix,
                    some,
                    captured,
                };
                return Ok(Pattern { text, form });
            }
        }
        let regex = compiled(&text)?;
        let form = Form::Regex {
            prefix: literal(&text),
            regex,
        };
        Ok(Pattern { text, form })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn is_match(&self, text: &str) -> bool {
        match &self.form {
            Form::Literal => text == self.text,
            Form::Rest { prefix, some, .. } => {
                text.starts_with(&self.text[..*prefix]) && (!some || text.len() > *prefix)
            }
            Form::Regex { regex, prefix } => {
                text.starts_with(&self.text[..*prefix]) && regex.is_match(text)
            }
        }
    }

    pub fn find<'t>(&'t self, text: &'t str) -> Option<Found<'t>> {
        if !matches!(self.form, Form::Regex { .. }) && !self.is_match(text) {
            return None;
        }
        Some(match &self.form {
            Form::Literal => Found::Whole(text),
            Form::Rest {
                captured: false, ..
            } => Found::Whole(text),
            Form::Rest { prefix, .. } => Found::Rest(text, &text[*prefix..]),
            Form::Regex { regex, prefix } => {
                if !text.starts_with(&self.text[..*prefix]) {
                    return None;
                }
                Found::Groups(regex.captures(text)?, regex)
            }
        })
    }
}

impl Found<'_> {
    fn numbered(&self, at: usize) -> &str {
        match self {
            Found::Whole(text) | Found::Rest(text, _) if at == 0 => text,
            Found::Rest(_, rest) if at == 1 => rest,
            Found::Groups(groups, _) => groups.get(at).map_or("", |found| found.as_str()),
            _ => "",
        }
    }

    fn named(&self, name: &str) -> &str {
        match self {
            Found::Groups(groups, regex) => {
                let mut names = regex.capture_names();
                match names.any(|known| known == Some(name)) {
                    true => groups.name(name).map_or("", |found| found.as_str()),
                    false => "",
                }
            }
            _ => "",
        }
    }

    /// Go's `Expand`: `$1`, `${1}`, `$name` (the longest run of letters, digits and `_`), `$$`; a `$` that begins none of
    /// these is itself, and what was not captured is empty.
    pub fn expand(&self, template: &str) -> String {
        let mut out = String::with_capacity(template.len() + 16);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            rest = after;
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
                continue;
            }
            let Some((name, after)) = reference(rest) else {
                out.push('$');
                continue;
            };
            rest = after;
            out.push_str(match number(name) {
                Some(at) => self.numbered(at),
                None => self.named(name),
            });
        }
        out.push_str(rest);
        out
    }
}

fn reference(text: &str) -> Option<(&str, &str)> {
    let (braced, inner) = match text.strip_prefix('{') {
        Some(inner) => (true, inner),
        None => (false, text),
    };
    let end = inner
        .find(|c: char| !(c.is_alphabetic() || c.is_numeric() || c == '_'))
        .unwrap_or(inner.len());
    let (name, after) = inner.split_at(end);
    if name.is_empty() {
        return None;
    }
    match braced {
        true => Some((name, after.strip_prefix('}')?)),
        false => Some((name, after)),
    }
}

/// Go: digits alone, no leading zero, below a hundred million.
fn number(name: &str) -> Option<usize> {
    let digits = name.bytes().all(|b| b.is_ascii_digit());
    let leads = name.len() > 1 && name.starts_with('0');
    (digits && !leads && name.len() <= 9)
        .then(|| name.parse().ok())
        .flatten()
}

/// Bytes of a pattern that every match begins with; none where an alternative could begin otherwise.
fn literal(pattern: &str) -> usize {
    if pattern.contains('|') {
        return 0;
    }
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"_-;:/=, ".contains(b);
    let end = pattern.bytes().take_while(plain).count();
    // A count after the last one makes it optional.
    match pattern.as_bytes().get(end) {
        Some(b'*' | b'?' | b'{' | b'+') => end.saturating_sub(1),
        _ => end,
    }
}

/// Each pattern once: configurations are read again and again.
fn compiled(pattern: &str) -> Result<Arc<Regex>, String> {
    type Known = HashMap<String, Result<Arc<Regex>, String>>;
    static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = known.get(pattern) {
        return regex.clone();
    }
    let made = translated(pattern).and_then(|text| {
        Regex::new(&format!("^(?s:{text})$"))
            .map(Arc::new)
            .map_err(|_| {
                format!("{pattern:?} is a regular expression that this program cannot read")
            })
    });
    if known.len() < 2000 {
        known.insert(pattern.to_owned(), made.clone());
    }
    made
}

/// Go's syntax in this crate's.
fn translated(pattern: &str) -> Result<String, String> {
    let unread = |what: &str| format!("{pattern:?} holds {what}, which this program does not read");
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern.chars().peekable();
    let mut depth = 0usize;
    // The last thing was a count (`*`, `+?`, `{2}`), after which Go allows no other.
    let mut counted = false;
    while let Some(c) = rest.next() {
        let was = std::mem::take(&mut counted);
        match c {
            '\\' => match rest
                .next()
                .ok_or_else(|| unread("a backslash at its end"))?
            {
                'd' => out.push_str("[0-9]"),
                'D' => out.push_str("[^0-9]"),
                'w' => out.push_str("[0-9A-Za-z_]"),
                'W' => out.push_str("[^0-9A-Za-z_]"),
                's' => out.push_str(r"[\t\n\f\r ]"),
                'S' => out.push_str(r"[^\t\n\f\r ]"),
                'b' => out.push_str(r"(?-u:\b)"),
                'Q' => {
                    let quoted: String = rest.by_ref().collect();
                    let (inner, after) = quoted.split_once(r"\E").unwrap_or((&quoted, ""));
                    out.push_str(&regex::escape(inner));
                    // Whatever follows is read by itself: what was open stays open.
                    let tail = translated_after(after, pattern, depth)?;
                    out.push_str(&tail);
                    return Ok(out);
                }
                c @ ('a' | 'f' | 't' | 'n' | 'r' | 'v' | 'A' | 'z' | 'x') => {
                    out.push('\\');
                    out.push(c);
                }
                c if c.is_ascii() && !c.is_ascii_alphanumeric() => escaped(c, &mut out),
                c => return Err(unread(&format!(r"\{c}"))),
            },
            '[' => class(&mut rest, &mut out).map_err(|what| unread(&what))?,
            '(' => {
                depth += 1;
                out.push('(');
                if rest.peek() == Some(&'?') {
                    rest.next();
                    out.push('?');
                    flags(&mut rest, &mut out, &mut depth).map_err(|what| unread(&what))?;
                }
            }
            ')' => {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| unread("a `)` too many"))?;
                out.push(')');
            }
            '{' => match repeat(&mut rest) {
                Some(count) => {
                    if was
                        || count
                            .split(',')
                            .any(|n| n.parse().is_ok_and(|n: u32| n > 1000))
                    {
                        return Err(unread("a count that Go refuses"));
                    }
                    out.push('{');
                    out.push_str(&count);
                    out.push('}');
                    counted = true;
                    lazy(&mut rest, &mut out);
                }
                None => out.push_str(r"\{"),
            },
            '*' | '+' | '?' => {
                if was {
                    return Err(unread("a count after a count"));
                }
                out.push(c);
                counted = true;
                lazy(&mut rest, &mut out);
            }
            '}' => out.push_str(r"\}"),
            ']' => out.push_str(r"\]"),
            c => out.push(c),
        }
    }
    Ok(out)
}

fn translated_after(after: &str, pattern: &str, depth: usize) -> Result<String, String> {
    if after.is_empty() {
        return Ok(String::new());
    }
    // The groups that are open before the quotation close after it.
    let opened = format!("{}{after}", "(".repeat(depth));
    let tail = translated(&opened).map_err(|_| {
        format!("{pattern:?} is a regular expression that this program cannot read")
    })?;
    Ok(tail[depth..].to_owned())
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn escaped(c: char, out: &mut String) {
    out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

fn lazy(rest: &mut Chars, out: &mut String) {
    if rest.peek() == Some(&'?') {
        rest.next();
        out.push('?');
    }
}

/// `2}`, `2,}`, `2,3}`; anything else makes the brace a character.
fn repeat(rest: &mut Chars) -> Option<String> {
    let mut ahead = rest.clone();
    let mut count = String::new();
    loop {
        match ahead.next()? {
            '}' => break,
            c if c.is_ascii_digit() || c == ',' => count.push(c),
            _ => return None,
        }
    }
    let mut parts = count.split(',');
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let least = parts.next().is_some_and(digits);
    let most = parts
        .next()
        .is_none_or(|most| most.is_empty() || digits(most));
    if !least || !most || parts.next().is_some() {
        return None;
    }
    *rest = ahead;
    Some(count)
}

/// What follows `(?`: `P<name>`, `<name>`, or flags of `imsU` (this crate's `x`, `u` and `R` are none of Go's).
fn flags(rest: &mut Chars, out: &mut String, depth: &mut usize) -> Result<(), String> {
    if matches!(rest.peek(), Some('P' | '<')) {
        for c in rest.by_ref() {
            out.push(c);
            if c == '>' {
                return Ok(());
            }
        }
        return Err("a group without a name's end".into());
    }
    for c in rest.by_ref() {
        out.push(c);
        match c {
            'i' | 'm' | 's' | 'U' | '-' => {}
            ':' => return Ok(()),
            ')' => {
                *depth = depth.saturating_sub(1);
                return Ok(());
            }
            c => return Err(format!("the flag {c}")),
        }
    }
    Err("flags without an end".into())
}

/// A bracket expression: in Go's, `[`, `&&`, `--` and `~~` within are characters.
fn class(rest: &mut Chars, out: &mut String) -> Result<(), String> {
    out.push('[');
    if rest.peek() == Some(&'^') {
        rest.next();
        out.push('^');
    }
    let mut first = true;
    loop {
        let c = rest.next().ok_or("a `[` without its end")?;
        match c {
            ']' if !first => {
                out.push(']');
                return Ok(());
            }
            ']' => out.push_str(r"\]"),
            '[' => {
                let mut ahead = rest.clone();
                let name: String = ahead.by_ref().take_while(|c| *c != ']').collect();
                if name.len() > 2 && name.starts_with(':') && name.ends_with(':') {
                    *rest = ahead;
                    out.push('[');
                    out.push_str(&name);
                    out.push(']');
                } else {
                    out.push_str(r"\[");
                }
            }
            '\\' => match rest.next().ok_or("a backslash at its end")? {
                'd' => out.push_str("0-9"),
                'w' => out.push_str("0-9A-Za-z_"),
                's' => out.push_str(r"\t\n\f\r "),
                'D' => out.push_str("[^0-9]"),
                'W' => out.push_str("[^0-9A-Za-z_]"),
                'S' => out.push_str(r"[^\t\n\f\r ]"),
                c @ ('a' | 'f' | 't' | 'n' | 'r' | 'v' | 'x') => {
                    out.push('\\');
                    out.push(c);
                }
                c if c.is_ascii() && !c.is_ascii_alphanumeric() => escaped_in_class(c, out),
                c => return Err(format!(r"\{c}")),
            },
            '-' => {
                // A range's own sign, or a character at either end.
                let last = rest.peek() == Some(&']');
                match first || last {
                    true => out.push_str(r"\-"),
                    false if rest.peek() == Some(&'-') => return Err("`--` in a class".into()),
                    false => out.push('-'),
                }
            }
            '&' | '~' => escaped_in_class(c, out),
            c => out.push(c),
        }
        first = false;
    }
}

fn escaped_in_class(c: char, out: &mut String) {
    match c {
        '&' | '~' | '-' | '[' | ']' | '^' | '\\' => {
            out.push('\\');
            out.push(c);
        }
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pattern, text, template, result of the replacement (`None`: no match).
    const CASES: &[(&str, &str, &str, Option<&str>)] = &[
        ("(.*)", "", "$1", Some("")),
        ("(.*)", "a\nb", "$1", Some("a\nb")),
        ("true", "true", "$0!", Some("true!")),
        ("true", "truer", "$0", None),
        ("", "", "x", Some("x")),
        ("", "a", "x", None),
        ("a|b", "ab", "x", None),
        ("(.+)", "", "x", None),
        ("a_(.+)", "a_b", "${1}_x", Some("b_x")),
        ("a_(.+)", "a_b", "$1_x", Some("")),
        ("(.+)", "b", "$$1", Some("$1")),
        ("(.+)", "b", "$", Some("$")),
        ("(.+)", "b", "${1", Some("${1")),
        ("(.+)", "b", "$-1", Some("$-1")),
        ("(.+)", "b", "$01", Some("")),
        ("(.+)", "b", "$2", Some("")),
        ("(?P<n>.+):(\\d+)", "a:1", "$n-$2", Some("a-1")),
        ("(?<n>.+)", "a", "${n}${m}", Some("a")),
        (
            r"([^:]+)(?::\d+)?;(\d+)",
            "10.0.0.1:80;15020",
            "$1:$2",
            Some("10.0.0.1:15020"),
        ),
        (
            r"(\d+);(([A-Fa-f0-9]{1,4}::?){1,7}[A-Fa-f0-9]{1,4})",
            "15091;fd00::9",
            "[$2]:$1",
            Some("[fd00::9]:15091"),
        ),
        // Go's perl classes are ASCII.
        (r"\d+", "١٢", "x", None),
        (r"\w+", "é", "x", None),
        (r"\W", "é", "x", Some("x")),
        (r"[\d]", "١", "x", None),
        (r"[\W]", "é", "x", Some("x")),
        (r"\<a\>", "<a>", "x", Some("x")),
        (r"\_", "_", "x", Some("x")),
        ("[[a]", "[", "x", Some("x")),
        ("[a&&b]", "&", "x", Some("x")),
        ("[]a]", "]", "x", Some("x")),
        ("[a-]", "-", "x", Some("x")),
        ("[[:digit:]]+", "12", "x", Some("x")),
        ("a{,2}", "a{,2}", "x", Some("x")),
        ("a{2}", "aa", "x", Some("x")),
        ("(?i)TRUE", "true", "x", Some("x")),
        (r"\Qa.b\E(.*)", "a.bc", "$1", Some("c")),
        (r"\Qa.b\E(.*)", "axbc", "$1", None),
        ("a]b}", "a]b}", "x", Some("x")),
        (r"15020|15090", "15090", "x", Some("x")),
        ("ab?", "a", "x", Some("x")),
        ("ab*c", "ac", "x", Some("x")),
    ];

    #[test]
    fn patterns_match_and_expand_as_gos() {
        for (pattern, text, template, wanted) in CASES {
            let pattern = Pattern::new(pattern).unwrap();
            let got = pattern.find(text).map(|found| found.expand(template));
            assert_eq!(got.as_deref(), *wanted, "{pattern:?} {text} {template}");
            assert_eq!(
                pattern.is_match(text),
                wanted.is_some(),
                "{pattern:?} {text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_alike_is_refused() {
        for pattern in [
            r"\C", r"\pL", "(?x)a", "a**", "a)|(b", "(", "[a", r"a\", "a{1001}", r"(?=a)", r"\1",
            r"\B", "[a--b]",
        ] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }
}
