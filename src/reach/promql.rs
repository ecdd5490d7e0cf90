//! Which series a PromQL expression selects by the label `job`: its matchers, and nothing else of it.
//!
//! Source: `promql/parser/lex.go` of Prometheus (strings in `"`, `'` with escapes, in backquotes without; comments from
//! `#` to the end of the line; matchers within braces), `model/labels/matcher.go` (`=~` is anchored at both ends).

use super::re2::Pattern;

/// Whether some matcher of the expression asks for this very job, by name or by a pattern that is not for all jobs.
pub fn names_job(expression: &str, job: &str) -> bool {
    matchers(expression).iter().any(|(op, value)| match op {
        Op::Equal | Op::NotEqual => value == job,
        Op::Like | Op::NotLike => {
            let matches = |text: &str| Pattern::new(value).is_ok_and(|p| p.is_match(text));
            // One that fits any job names none.
            matches(job) && !matches("\u{1}no such job\u{1}")
        }
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Equal,
    NotEqual,
    Like,
    NotLike,
}

/// The matchers of the label `job`.
fn matchers(expression: &str) -> Vec<(Op, String)> {
    let mut found = Vec::new();
    let mut depth = 0usize;
    // The label and operator that stand before the next string.
    let mut word = String::new();
    let mut before: Option<(String, Op)> = None;
    let mut chars = expression.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '"' | '\'' | '`' => {
                let text = string(c, &mut chars);
                match before.take() {
                    Some((label, op)) if depth > 0 && label == "job" => found.push((op, text)),
                    Some(_) => {}
                    // Label names may be quoted (`{"job"="x"}`).
                    None => word = text,
                }
                continue;
            }
            '=' | '!' => {
                let second = chars.next_if(|c| matches!(c, '=' | '~'));
                let op = match (c, second) {
                    ('=', None) => Some(Op::Equal),
                    ('=', Some('~')) => Some(Op::Like),
                    ('!', Some('=')) => Some(Op::NotEqual),
                    ('!', Some('~')) => Some(Op::NotLike),
                    _ => None,
                };
                before = op.map(|op| (std::mem::take(&mut word), op));
                continue;
            }
            c if c.is_whitespace() => continue,
            c if c.is_alphanumeric() || matches!(c, '_' | ':') => {
                word.push(c);
                continue;
            }
            _ => {}
        }
        word.clear();
        before = None;
    }
    found
}

/// The rest of a string that was begun by this quote.
fn string(quote: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            c if c == quote => break,
            '\\' if quote != '`' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(other) => text.push(other),
                None => break,
            },
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_names_a_job_by_its_matchers_alone() {
        for (expression, names) in [
            (r#"up{job="kubernetes-pods"} == 0"#, true),
            (r#"up{ job = 'kubernetes-pods', pod!="x" }"#, true),
            (
                r#"sum by (job) (rate(x{job=~"kubernetes-(pods|nodes)"}[5m]))"#,
                true,
            ),
            (r#"x{job!="kubernetes-pods"}"#, true),
            (r#"x{job!~`kubernetes-.+`}"#, true),
            (r#"{"job"="kubernetes-pods"}"#, true),
            (r#"{__name__="x",job="kubernetes-pods"}"#, true),
            // All jobs, another job, another label, no matcher.
            (r#"up{job=~".+"}"#, false),
            (r#"up{job="kubernetes-pods-slow"}"#, false),
            (r#"up{job=~"pods"}"#, false),
            (r#"up{exported_job="kubernetes-pods"}"#, false),
            (
                r#"label_replace(x, "job", "kubernetes-pods", "", "")"#,
                false,
            ),
            ("x # {job=\"kubernetes-pods\"}\n + y", false),
            (r#"x{a="job=\"kubernetes-pods\""}"#, false),
            (r#"x{job="#, false),
        ] {
            assert_eq!(
                names_job(expression, "kubernetes-pods"),
                names,
                "{expression}"
            );
        }
    }
}
