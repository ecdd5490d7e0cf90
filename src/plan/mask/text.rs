//! Credentials in a text that is YAML or JSON, found by its structure and taken out in place: every other byte
//! stays, and lines stay lines.

use super::MASK;
use super::keys::{Inside, Of, by_sibling, is_switch, under, within};
use granit_parser::{Event, Parser, ScalarStyle};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A node of the text.
struct Node {
    kind: Kind,
    /// Bytes of a scalar as it is written.
    at: Range<usize>,
    anchor: usize,
}

enum Kind {
    Scalar { value: String, style: ScalarStyle },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Alias(usize),
}

struct Parsed {
    documents: Vec<Node>,
    comments: Vec<Range<usize>>,
}

/// The text with its credentials masked. `None`: it is no mapping or list, or no YAML, or it could not be masked
/// with certainty; then nothing is known of what stands where.
pub(super) fn masked(text: &str) -> Option<String> {
    let parsed = parse(text)?;
    let mut walk = Walk::new(&parsed);
    for document in &parsed.documents {
        walk.node(document, Inside::Plain);
    }
    let hidden = walk.hidden;
    let mut cuts: Vec<(Range<usize>, String)> = Vec::new();
    for document in &parsed.documents {
        scalars(document, &mut |node, style| {
            if hidden.contains(&node.at.start) {
                cuts.push((node.at.clone(), veil(&text[node.at.clone()], style)));
            }
        });
    }
    let structural = spliced(text, &mut cuts);
    // What was masked has other places now.
    let again = parse(&structural)?;
    if !same(&parsed, &again, &hidden) {
        return None;
    }
    let mut cuts = commented_out(&structural, &again.comments);
    Some(spliced(&structural, &mut cuts))
}

fn spliced(text: &str, cuts: &mut [(Range<usize>, String)]) -> String {
    cuts.sort_by_key(|(at, _)| at.start);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (at, new) in cuts {
        out.push_str(&text[from..at.start.max(from)]);
        out.push_str(new);
        from = at.end.max(from);
    }
    out.push_str(&text[from..]);
    out
}

fn parse(text: &str) -> Option<Parsed> {
    let mark = text.len() - text.trim_start_matches('\u{feff}').len();
    let options = granit_parser::options! {
        emit_comments: true,
        max_buffered_comment_events: 1_000_000,
    };
    let mut comments = Vec::new();
    let mut events = Vec::new();
    for event in Parser::new_from_str_with_options(&text[mark..], options) {
        let (event, span) = event.ok()?;
        let at = span.byte_range()?;
        let at = at.start + mark..at.end + mark;
        text.get(at.clone())?;
        match event {
            Event::Comment(..) => comments.push(at),
            event => events.push((event, at)),
        }
    }
    let mut documents = Vec::new();
    let mut events = events.into_iter().peekable();
    while let Some((event, _)) = events.peek() {
        match event {
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd => {
                events.next();
            }
            _ => documents.push(node(&mut events)?),
        }
    }
    let structured = |node: &Node| matches!(&node.kind, Kind::List(_) | Kind::Map(_));
    let empty = |node: &Node| matches!(&node.kind, Kind::Scalar { value, .. } if value.is_empty());
    let good = documents.iter().any(structured)
        && documents.iter().all(|node| structured(node) || empty(node));
    good.then_some(Parsed {
        documents,
        comments,
    })
}

fn node<'a>(events: &mut impl Iterator<Item = (Event<'a>, Range<usize>)>) -> Option<Node> {
    let (event, at) = events.next()?;
    made(event, at, events)
}

fn made<'a>(
    event: Event<'a>,
    at: Range<usize>,
    events: &mut impl Iterator<Item = (Event<'a>, Range<usize>)>,
) -> Option<Node> {
    let (kind, anchor) = match event {
        Event::Scalar(value, style, anchor, _) => {
            let value = value.into_owned();
            (Kind::Scalar { value, style }, anchor)
        }
        Event::Alias(of) => (Kind::Alias(of), 0),
        Event::SequenceStart(_, anchor, _) => {
            let mut list = Vec::new();
            loop {
                match events.next()? {
                    (Event::SequenceEnd, _) => break,
                    (event, at) => list.push(made(event, at, events)?),
                }
            }
            (Kind::List(list), anchor)
        }
        Event::MappingStart(_, anchor, _) => {
            let mut map = Vec::new();
            loop {
                match events.next()? {
                    (Event::MappingEnd, _) => break,
                    (event, at) => {
                        let key = made(event, at, events)?;
                        map.push((key, node(events)?));
                    }
                }
            }
            (Kind::Map(map), anchor)
        }
        _ => return None,
    };
    Some(Node { kind, at, anchor })
}

fn scalars<'a>(node: &'a Node, each: &mut impl FnMut(&'a Node, ScalarStyle)) {
    match &node.kind {
        Kind::Scalar { style, .. } => each(node, *style),
        Kind::List(list) => list.iter().for_each(|node| scalars(node, each)),
        Kind::Map(map) => map.iter().for_each(|(key, value)| {
            scalars(key, each);
            scalars(value, each);
        }),
        Kind::Alias(_) => {}
    }
}

/// Finds the scalars to hide, by where they begin.
struct Walk<'a> {
    anchors: HashMap<usize, &'a Node>,
    seen: HashSet<(usize, Inside)>,
    hidden: HashSet<usize>,
}

impl<'a> Walk<'a> {
    fn new(parsed: &'a Parsed) -> Self {
        fn note<'a>(node: &'a Node, anchors: &mut HashMap<usize, &'a Node>) {
            if node.anchor > 0 {
                anchors.insert(node.anchor, node);
            }
            match &node.kind {
                Kind::List(list) => list.iter().for_each(|node| note(node, anchors)),
                Kind::Map(map) => map.iter().for_each(|(key, value)| {
                    note(key, anchors);
                    note(value, anchors);
                }),
                Kind::Scalar { .. } | Kind::Alias(_) => {}
            }
        }
        let mut anchors = HashMap::new();
        for document in &parsed.documents {
            note(document, &mut anchors);
        }
        Walk {
            anchors,
            seen: HashSet::new(),
            hidden: HashSet::new(),
        }
    }

    fn text_of(&self, node: &Node) -> Option<String> {
        match &node.kind {
            Kind::Scalar { value, .. } => Some(value.clone()),
            Kind::Alias(of) => match self.anchors.get(of).map(|node| &node.kind) {
                Some(Kind::Scalar { value, .. }) => Some(value.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    fn node(&mut self, node: &Node, inside: Inside) {
        match &node.kind {
            Kind::Scalar { value, style } => {
                let switch = *style == ScalarStyle::Plain && is_switch(inside, value);
                if (inside != Inside::Plain && !switch) || holds(value) {
                    self.hidden.insert(node.at.start);
                }
            }
            Kind::List(list) => list.iter().for_each(|node| self.node(node, inside)),
            Kind::Map(map) => {
                let inside = within(inside, Of::File);
                for (key, value) in map {
                    let Some(name) = self.text_of(key) else {
                        self.node(key, Inside::Credential);
                        self.node(value, Inside::Credential);
                        continue;
                    };
                    let sibling = |of: &str| {
                        let mut found = map.iter();
                        let (_, value) =
                            found.find(|(key, _)| self.text_of(key).as_deref() == Some(of))?;
                        self.text_of(value)
                    };
                    let stands = match by_sibling(&name, sibling) {
                        true => Inside::Hidden,
                        false => under(inside, &name, Of::File),
                    };
                    self.node(value, stands);
                }
            }
            Kind::Alias(of) => {
                // What stands under the anchor was found where it is written, but not in this light.
                if inside != Inside::Plain
                    && self.seen.insert((*of, inside))
                    && let Some(node) = self.anchors.get(of).copied()
                {
                    self.node(node, inside);
                }
            }
        }
    }
}

/// Is a value a text of its own that holds a credential?
fn holds(value: &str) -> bool {
    let nested = value.contains('\n') || value.trim_start().starts_with(['{', '[']);
    nested && masked(value).is_some_and(|masked| masked != value)
}

/// The written form of a scalar, hidden; as many lines as before.
fn veil(written: &str, style: ScalarStyle) -> String {
    let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
    let mut out = String::new();
    let body = written.trim_end_matches([' ', '\t', '\n', '\r']);
    for (n, line) in body.split('\n').enumerate() {
        if n > 0 {
            out.push('\n');
        }
        let ended = line.ends_with('\r');
        let line = line.trim_end_matches('\r');
        let content = line.trim_start();
        if n == 0 && block && content.starts_with(['|', '>']) {
            out.push_str(line);
        } else if n == 0 && !block {
            // One line in quotes stays in quotes, so that JSON stays JSON.
            let quote = content.chars().next().filter(|c| matches!(c, '"' | '\''));
            let quote = quote.filter(|_| !body.contains('\n')).map(String::from);
            let quote = quote.unwrap_or_default();
            out.push_str(&format!("{quote}{MASK}{quote}"));
        } else if !content.is_empty() {
            out.push_str(&line[..line.len() - content.len()]);
            out.push_str(MASK);
        }
        if ended {
            out.push('\r');
        }
    }
    out.push_str(&written[body.len()..]);
    out
}

/// Is the second the first with these scalars hidden, and nothing else changed?
fn same(before: &Parsed, after: &Parsed, hidden: &HashSet<usize>) -> bool {
    fn nodes(before: &Node, after: &Node, hidden: &HashSet<usize>) -> bool {
        match (&before.kind, &after.kind) {
            (Kind::Scalar { value: old, .. }, Kind::Scalar { value: new, .. }) => {
                match hidden.contains(&before.at.start) && !before.at.is_empty() {
                    true => new.chars().all(|c| c == '•' || c.is_whitespace()),
                    false => old == new,
                }
            }
            (Kind::List(old), Kind::List(new)) => {
                old.len() == new.len() && old.iter().zip(new).all(|(a, b)| nodes(a, b, hidden))
            }
            (Kind::Map(old), Kind::Map(new)) => {
                old.len() == new.len()
                    && old
                        .iter()
                        .zip(new)
                        .all(|((k1, v1), (k2, v2))| nodes(k1, k2, hidden) && nodes(v1, v2, hidden))
            }
            (Kind::Alias(old), Kind::Alias(new)) => old == new,
            _ => false,
        }
    }
    before.documents.len() == after.documents.len()
        && before
            .documents
            .iter()
            .zip(&after.documents)
            .all(|(a, b)| nodes(a, b, hidden))
}

/// Comments that are settings put out of use: their values are hidden, and what stands deeper below them.
fn commented_out(text: &str, comments: &[Range<usize>]) -> Vec<(Range<usize>, String)> {
    let mut cuts = Vec::new();
    // Column of the last setting among comments that follow each other; end of the comment before.
    let mut setting: Option<usize> = None;
    let mut end = 0;
    for at in comments {
        let between = text.get(end..at.start).unwrap_or("x");
        if between.contains(|c: char| !c.is_whitespace()) {
            setting = None;
        }
        end = at.end;
        let comment = &text[at.clone()];
        let body = comment.trim_start_matches('#');
        let content = body.trim_start();
        let column = comment.len() - content.len();
        let from = at.start + column;
        if content.trim().is_empty() {
            continue;
        }
        if setting.is_some_and(|of| column > of) && !content.trim_end().ends_with(':') {
            let shown = key_of(content).unwrap_or(0);
            cuts.push((from + shown..at.end, hidden_rest(shown)));
            continue;
        }
        setting = match key_of(content) {
            Some(key) => {
                if !content[key..].trim().is_empty() {
                    cuts.push((from + key..at.end, hidden_rest(key)));
                }
                Some(column)
            }
            None if content.starts_with("- ") || content.starts_with(['"', '\'', '[', '{']) => {
                cuts.push((from..at.end, MASK.to_owned()));
                Some(column)
            }
            None => None,
        };
    }
    cuts
}

fn hidden_rest(shown: usize) -> String {
    match shown {
        0 => MASK.to_owned(),
        _ => format!(" {MASK}"),
    }
}

/// Bytes of `key:` at the beginning of a line, with a dash or without.
fn key_of(line: &str) -> Option<usize> {
    let (key, rest) = line.split_once(':')?;
    let word = key.trim_start_matches("- ").trim();
    let plain = !word.is_empty() && !word.contains(char::is_whitespace);
    (plain && (rest.is_empty() || rest.starts_with([' ', '\t', '\r']))).then_some(key.len() + 1)
}
