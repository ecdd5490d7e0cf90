//! Findings as JUnit XML, as CI servers read it: a suite for each severity, a case for each problem.

use crate::problems::{Findings, Severity};
use crate::text::clean;
use crate::words;
use std::fmt::Write;

/// `fail_on`: what is less grave has passed, and says what it is.
pub fn report(findings: &Findings, fail_on: Severity) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all = findings.problems.len();
    let fails = |severity: Severity| severity >= fail_on;
    let of = findings.problems.iter();
    let failed = of.filter(|problem| fails(problem.severity())).count();
    let _ = writeln!(
        out,
        "<testsuites name=\"meshscrape check\" tests=\"{all}\" failures=\"{failed}\">"
    );
    for (severity, count) in findings.counts() {
        let name = severity.name();
        if count == 0 {
            continue;
        }
        let failed = if fails(severity) { count } else { 0 };
        let _ = writeln!(
            out,
            "  <testsuite name=\"{name}\" tests=\"{count}\" failures=\"{failed}\">"
        );
        for problem in findings
            .problems
            .iter()
            .filter(|p| p.severity() == severity)
        {
            let code = problem.code();
            let _ = writeln!(
                out,
                "    <testcase classname=\"{code}\" name=\"{}\">",
                escaped(&problem.of().to_string())
            );
            let (title, reason) = (words::title(code), words::reason(problem));
            let (title, reason) = (escaped(title), escaped(&reason));
            let _ = match fails(severity) {
                true => writeln!(
                    out,
                    "      <failure type=\"{code}\" message=\"{title}\">{reason}</failure>"
                ),
                false => writeln!(out, "      <system-out>{title}: {reason}</system-out>"),
            };
            out.push_str("    </testcase>\n");
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Text that can stand in an element or an attribute. Control characters, which XML 1.0 cannot hold at all, are
/// their pictures.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problems::{Problem, Subject};

    #[test]
    fn text_of_the_cluster_is_escaped_and_cannot_drive_a_terminal() {
        let odd = "a\"><x>&'\u{1b}[2J\u{0}";
        let problem = Problem::PathWithoutPort {
            of: Subject::new("Deployment", "shop", odd),
            path: odd.to_owned(),
        };
        let text = report(&Findings::new(vec![problem], |_| false), Severity::Note);
        assert!(
            !text.contains('\u{1b}') && !text.contains('\u{0}'),
            "{text}"
        );
        assert!(text.contains("a&quot;&gt;&lt;x&gt;&amp;&apos;"), "{text}");
        let (open, close) = (
            text.matches("<testcase").count(),
            text.matches("</testcase>").count(),
        );
        assert_eq!((open, close), (1, 1), "{text}");
    }
}
