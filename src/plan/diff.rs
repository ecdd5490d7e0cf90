//! What a change does to an object, as lines: unified or side by side, long unchanged runs folded, words
//! within a changed line marked when they come on screen.

use super::review::Reviewed;
use super::{mask, normalise, secret_text, yaml};
use crate::text::clean;
use serde_json::Value;
use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::{DiffOp, DiffableStr, diff_ratio, group_diff_ops};
use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Unchanged lines kept around a change.
const CONTEXT: usize = 3;
/// A diff that takes longer falls back to coarser hunks.
const TIMEOUT: Duration = Duration::from_millis(200);
/// Lines less alike than this share no words worth marking.
const ALIKE: f32 = 0.3;

/// Lines of a diff, safe for a terminal and without credentials.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    pub lines: Vec<Line>,
    pub added: usize,
    pub removed: usize,
    /// Fields that the server or a webhook added beside the intent, not shown.
    pub folded: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub kind: LineKind,
    /// Without its `+` or `-`; of a fold: `… 41 unchanged lines`.
    pub text: String,
    /// The other line of a changed pair, as an index into [`Diff::lines`].
    pub pair: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    Same,
    Added,
    Removed,
    /// That many unchanged lines stand here.
    Folded(usize),
}

impl Reviewed {
    /// Live against the server's answer. Work grows with the object: not per frame.
    pub fn diff(&self) -> Diff {
        let (before, after) = (self.live.as_deref(), self.after.as_deref());
        let (old, new, folded) = normalise::sides(before, after, self.intent.as_ref());
        let (mut old, mut new) = mask::pair(old, new);
        secret_text::show(self, &mut old, &mut new);
        lines(old, new, folded)
    }
}

/// Two states of an object; `None`: absent. With an intent, what was added beside it is folded away.
pub fn objects(before: Option<&Value>, after: Option<&Value>, intent: Option<&Value>) -> Diff {
    let (old, new, folded) = normalise::sides(before, after, intent);
    let (old, new) = mask::pair(old, new);
    lines(old, new, folded)
}

/// Of two sides that were masked.
fn lines(old: Option<Value>, new: Option<Value>, folded: usize) -> Diff {
    let shown = |side: Option<Value>| side.map(|value| yaml::to_lines(&value)).unwrap_or_default();
    let mut diff = texts(&shown(old), &shown(new));
    diff.folded = folded;
    diff
}

/// Two texts. Credentials must have been masked before.
pub fn texts(old: &str, new: &str) -> Diff {
    let (old, new) = (clean(old), clean(new));
    let (old, new) = (old.tokenize_lines(), new.tokenize_lines());
    let mut out = Diff::default();
    let total = old.len();
    let mut reached = 0;
    for group in group_diff_ops(operations(&old, &new), CONTEXT) {
        let start = group.first().map_or(0, |op| op.old_range().start);
        out.fold(start.saturating_sub(reached));
        for op in &group {
            out.push(&old, &new, op);
        }
        reached = group.last().map_or(reached, |op| op.old_range().end);
    }
    if !out.lines.is_empty() {
        out.fold(total.saturating_sub(reached));
    }
    out
}

/// Myers over numbers in place of texts: the crate's own entry carries every algorithm for every type along,
/// which is a quarter of a megabyte of program.
fn operations<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<DiffOp> {
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let mut number = |texts: &[&'a str]| -> Vec<u32> {
        let numbered = texts.iter().map(|text| {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            *numbers.entry(text).or_insert(next)
        });
        numbered.collect()
    };
    let (old, new) = (number(old), number(new));
    let mut hook = Compact::new(Replace::new(Capture::new()), &old, &new);
    let deadline = Some(Instant::now() + TIMEOUT);
    let all = (0..old.len(), 0..new.len());
    match myers::diff_deadline(&mut hook, &old, all.0, &new, all.1, deadline) {
        Ok(()) => hook.into_inner().into_inner().into_ops(),
    }
}

impl Diff {
    pub fn is_empty(&self) -> bool {
        self.added == 0 && self.removed == 0
    }

    fn fold(&mut self, lines: usize) {
        if lines > 0 {
            let ending = if lines == 1 { "" } else { "s" };
            self.lines.push(Line {
                kind: LineKind::Folded(lines),
                text: format!("… {lines} unchanged line{ending}"),
                pair: None,
            });
        }
    }

    fn push(&mut self, old: &[&str], new: &[&str], op: &DiffOp) {
        let first = self.lines.len();
        let mut add = |kind: LineKind, texts: &[&str]| {
            self.lines.extend(texts.iter().map(|text| Line {
                kind,
                text: text.trim_end_matches(['\n', '\r']).to_owned(),
                pair: None,
            }));
        };
        if let DiffOp::Equal { .. } = op {
            add(LineKind::Same, &old[op.old_range()]);
            return;
        }
        add(LineKind::Removed, &old[op.old_range()]);
        add(LineKind::Added, &new[op.new_range()]);
        self.removed += op.old_range().len();
        self.added += op.new_range().len();
        if let DiffOp::Replace {
            old_len, new_len, ..
        } = *op
        {
            for n in 0..old_len.min(new_len) {
                let (old, new) = (first + n, first + old_len + n);
                if let Some(line) = self.lines.get_mut(old) {
                    line.pair = Some(new);
                }
                if let Some(line) = self.lines.get_mut(new) {
                    line.pair = Some(old);
                }
            }
        }
    }

    /// Byte ranges of the words of a changed line that its other side lacks; empty where the two lines have
    /// little in common. Computed when asked: only for lines on screen.
    pub fn words(&self, line: usize) -> Vec<Range<usize>> {
        let Some(this) = self.lines.get(line) else {
            return Vec::new();
        };
        let Some(other) = this.pair.and_then(|pair| self.lines.get(pair)) else {
            return Vec::new();
        };
        let removed = match this.kind {
            LineKind::Removed => true,
            LineKind::Added => false,
            _ => return Vec::new(),
        };
        let (this, other) = (this.text.tokenize_words(), other.text.tokenize_words());
        let (old, new) = if removed {
            (&this, &other)
        } else {
            (&other, &this)
        };
        let operations = operations(old, new);
        if diff_ratio(&operations, old.len(), new.len()) < ALIKE {
            return Vec::new();
        }
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        for op in &operations {
            let words = if removed {
                op.old_range()
            } else {
                op.new_range()
            };
            let length: usize = this[words].iter().map(|word| word.len()).sum();
            let differs = !matches!(op, DiffOp::Equal { .. }) && length > 0;
            match ranges.last_mut() {
                Some(last) if differs && last.end == at => last.end += length,
                _ if differs => ranges.push(at..at + length),
                _ => {}
            }
            at += length;
        }
        ranges
    }

    /// Rows of the side-by-side view: indices into [`Diff::lines`] of the left and the right half. Unchanged
    /// lines and folds stand on both.
    pub fn pairs(&self) -> Vec<(Option<usize>, Option<usize>)> {
        let mut rows = Vec::with_capacity(self.lines.len());
        let mut at = 0;
        while at < self.lines.len() {
            if matches!(self.lines[at].kind, LineKind::Same | LineKind::Folded(_)) {
                rows.push((Some(at), Some(at)));
                at += 1;
                continue;
            }
            let removed_end = self.run(at, LineKind::Removed);
            let added_end = self.run(removed_end, LineKind::Added);
            let (removed, added) = (removed_end - at, added_end - removed_end);
            for n in 0..removed.max(added) {
                rows.push((
                    (n < removed).then_some(at + n),
                    (n < added).then_some(removed_end + n),
                ));
            }
            at = added_end;
        }
        rows
    }

    fn run(&self, from: usize, kind: LineKind) -> usize {
        let count = self.lines[from..]
            .iter()
            .take_while(|line| line.kind == kind)
            .count();
        from + count
    }

    /// With `+`, `-` and blanks in front, as plain text.
    pub fn plain(&self) -> String {
        let mut out = String::new();
        for line in &self.lines {
            out.push_str(match line.kind {
                LineKind::Added => "+ ",
                LineKind::Removed => "- ",
                LineKind::Same | LineKind::Folded(_) => "  ",
            });
            out.push_str(&line.text);
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn long_runs_are_folded() {
        let old: String = (0..50).map(|n| format!("line {n}\n")).collect();
        let new = old.replace("line 25\n", "line 25 changed\n");
        let diff = texts(&old, &new);
        assert_eq!((diff.added, diff.removed), (1, 1));
        let shown: Vec<&str> = diff.lines.iter().map(|l| l.text.as_str()).collect();
        assert_eq!(
            shown,
            [
                "… 22 unchanged lines",
                "line 22",
                "line 23",
                "line 24",
                "line 25",
                "line 25 changed",
                "line 26",
                "line 27",
                "line 28",
                "… 21 unchanged lines"
            ]
        );
    }

    #[test]
    fn words_within_a_line_are_marked_on_both_sides() {
        let diff = texts(
            "a\n    inject: \"false\"\nb\n",
            "a\n    inject: \"true\"\nb\n",
        );
        let removed = diff
            .lines
            .iter()
            .position(|l| l.kind == LineKind::Removed)
            .unwrap();
        let added = diff
            .lines
            .iter()
            .position(|l| l.kind == LineKind::Added)
            .unwrap();
        let marked = |line: usize| -> Vec<&str> {
            diff.words(line)
                .into_iter()
                .map(|range| &diff.lines[line].text[range])
                .collect()
        };
        assert_eq!(marked(removed), ["\"false\""]);
        assert_eq!(marked(added), ["\"true\""]);
        assert!(diff.words(0).is_empty());
    }

    #[test]
    fn side_by_side_pairs_changed_lines() {
        let diff = texts("same\nold 1\nold 2\n", "same\nnew 1\n");
        assert_eq!(
            diff.pairs(),
            [(Some(0), Some(0)), (Some(1), Some(3)), (Some(2), None)]
        );
    }

    #[test]
    fn a_config_map_is_diffed_line_by_line_with_credentials_masked() {
        let map = |text: &str| json!({"kind": "ConfigMap", "metadata": {"name": "p"}, "data": {"prometheus.yml": text}});
        let before = map("scrape_configs:\n- job_name: a\n  basic_auth: {password: hunter2}\n");
        let after = map(
            "scrape_configs:\n- job_name: new\n- job_name: a\n  basic_auth: {password: hunter2}\n",
        );
        let diff = objects(Some(&before), Some(&after), None);
        assert_eq!((diff.added, diff.removed), (1, 0), "{}", diff.plain());
        assert!(
            diff.plain().contains("+     - job_name: new\n"),
            "{}",
            diff.plain()
        );
        assert!(!diff.plain().contains("hunter2"));
    }

    #[test]
    fn windows_line_ends_still_diff_by_lines() {
        let map = |text: &str| json!({"data": {"p": text}});
        let diff = objects(
            Some(&map("a:\r\n- b\r\n")),
            Some(&map("a:\r\n- c\r\n- b\r\n")),
            None,
        );
        assert_eq!((diff.added, diff.removed), (1, 0), "{}", diff.plain());
    }

    #[test]
    fn removed_fields_are_shown_and_escapes_are_not() {
        let before = json!({"metadata": {"labels": {"a": "1", "b": "\u{1b}[31m"}}});
        let after = json!({"metadata": {"labels": {"a": "1"}}});
        let diff = objects(Some(&before), Some(&after), Some(&json!({})));
        assert_eq!((diff.added, diff.removed), (0, 1));
        assert!(!diff.plain().contains('\u{1b}'));
    }

    #[test]
    fn a_new_object_is_all_added_and_a_deleted_one_all_removed() {
        let object = json!({"kind": "K", "metadata": {"name": "x"}});
        let new = objects(None, Some(&object), Some(&object));
        assert_eq!((new.added, new.removed), (3, 0));
        let gone = objects(Some(&object), None, None);
        assert_eq!((gone.added, gone.removed), (0, 3));
        assert!(objects(Some(&object), Some(&object), None).is_empty());
    }

    #[test]
    fn a_megabyte_of_text_is_diffed_within_the_deadline() {
        let text: String = (0..40_000)
            .map(|n| format!("- job_name: job-{n}\n"))
            .collect();
        let map = |text: &str| json!({"kind": "ConfigMap", "data": {"p": text}});
        let changed = text.replace("job-20000\n", "job-x\n");
        let started = std::time::Instant::now();
        let diff = objects(Some(&map(&text)), Some(&map(&changed)), None);
        assert_eq!((diff.added, diff.removed), (1, 1));
        assert_eq!(diff.lines.len(), 10);
        // Generous: an unoptimised build on a busy machine.
        assert!(started.elapsed() < Duration::from_secs(20));
    }
}
