//! Every sentence about a problem, made last and in one place: one file a language, chosen by the problem's code and
//! filled with its values. Nothing reads a sentence.

mod en;
mod explained;
mod listed;
pub mod say;
pub(crate) mod texts;

use crate::plan::export::Gap;
use crate::plan::purpose::Purpose;
use crate::plan::undo::UndoNote;
use crate::plan::{Impact, Plan};
use crate::problems::{Code, Problem, Remedy};
use crate::reach::forecast::Forecast;
use crate::targets::Waits;
use crate::text::few;
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

pub use listed::{explained, progress, table, unread};

/// In which language the sentences are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    /// For tests: each sentence is its code and its values, so that a test that passes has read no words.
    Pseudo,
}

/// Pseudo in builds with the feature `pseudo-language`, which only tests have.
pub const LANGUAGE: Language = match cfg!(feature = "pseudo-language") {
    true => Language::Pseudo,
    false => Language::English,
};

/// Two or three words, for a narrow column: `own Sidecar`, `Helm`.
pub fn label(of: &Problem) -> &'static str {
    match LANGUAGE {
        Language::English => en::label(of),
        Language::Pseudo => of.code().text(),
    }
}

/// What a code is called, whatever its values.
pub fn title(code: Code) -> &'static str {
    match LANGUAGE {
        Language::English => explained::row(code).0,
        Language::Pseudo => code.name(),
    }
}

/// What the code means, and why it matters.
pub fn explanation(code: Code) -> Cow<'static, str> {
    match LANGUAGE {
        Language::English => explained::row(code).1.into(),
        Language::Pseudo => code.name().into(),
    }
}

/// What is wrong: whole sentences, with the names of the objects.
pub fn sentence(of: &Problem) -> String {
    match LANGUAGE {
        Language::English => en::sentence(of),
        Language::Pseudo => pseudo(of),
    }
}

/// What to do; `None`: nothing can be done.
pub fn to_do(of: &Problem) -> Option<String> {
    match LANGUAGE {
        Language::English => en::to_do(of),
        // Whether there is something to do is no matter of the language.
        Language::Pseudo => en::to_do(of).map(|_| of.code().text().to_owned()),
    }
}

/// What is wrong and what to do.
pub fn reason(of: &Problem) -> String {
    match remedy(of).filter(|_| LANGUAGE == Language::English) {
        Some(to_do) => format!("{} {to_do}", sentence(of)),
        None => sentence(of),
    }
}

/// The gravest first, those of which the same is to be said of several subjects in one; each with its words.
pub fn together<'a>(of: impl IntoIterator<Item = &'a Problem>) -> Vec<(&'a Problem, String)> {
    let mut all = alike(of);
    for (problem, words) in &mut all {
        if let Some(to_do) = remedy(problem).filter(|_| LANGUAGE == Language::English) {
            words.push(' ');
            words.push_str(&to_do);
        }
    }
    all
}

/// The same without what to do.
pub fn alike<'a>(of: impl IntoIterator<Item = &'a Problem>) -> Vec<(&'a Problem, String)> {
    let mut groups: Vec<Vec<&Problem>> = Vec::new();
    let mut known: BTreeMap<(Code, String), usize> = BTreeMap::new();
    for problem in of {
        let same = (
            problem.code(),
            Value::Object(problem.evidence()).to_string(),
        );
        let at = *known.entry(same).or_insert(groups.len());
        match groups.get_mut(at) {
            Some(group) if group.contains(&problem) => {}
            Some(group) => group.push(problem),
            None => groups.push(vec![problem]),
        }
    }
    groups.sort_by_key(|group| Reverse(group[0].severity()));
    let worded = groups.into_iter().flat_map(|group| match of_all(&group) {
        Some(words) => vec![(group[0], words)],
        None => group.into_iter().map(|one| (one, sentence(one))).collect(),
    });
    worded.collect()
}

/// One sentence for all of them; `None`: none that names several.
fn of_all(group: &[&Problem]) -> Option<String> {
    let [one, _, ..] = group else { return None };
    let names: Vec<String> = group.iter().map(|one| one.of().to_string()).collect();
    match LANGUAGE {
        Language::English => en::plan::sentence(one, &few(&names, 3)),
        Language::Pseudo => Some(format!("{} {}.", one.code(), names.join(" "))),
    }
}

/// What a plan skips, and why: with the subject, which not every sentence names.
pub fn skipped(of: &[Problem]) -> Vec<String> {
    let lines = together(of).into_iter();
    lines
        .map(|(problem, words)| match en::plan::label(problem) {
            Some(_) => words,
            None => format!("{}: {words}", problem.of()),
        })
        .collect()
}

/// What a change does.
pub fn purpose(of: &Purpose) -> String {
    match LANGUAGE {
        Language::English => en::purposes::sentence(of),
        Language::Pseudo => format!("{of:?}"),
    }
}

/// Why an export cannot hold all that is to be changed at a Prometheus.
pub fn gap(of: &Gap) -> String {
    match LANGUAGE {
        Language::English => en::export::gap(of),
        Language::Pseudo => match of {
            Gap::Operator(id) => format!("{id} Operator"),
            Gap::Blocked(problem) => reason(problem).trim_end_matches('.').to_owned(),
            Gap::NotFound(id) => format!("{id} NotFound"),
            Gap::Unread(id, why) => format!("{id} Unread {why:?}"),
        },
    }
}

/// What an undo says of an object.
pub fn undo_note(of: &UndoNote) -> String {
    match LANGUAGE {
        Language::English => en::undo::note(of),
        Language::Pseudo => format!("{} {:?}", of.object, of.what),
    }
}

/// Why pods of an owner of this kind cannot be secured.
pub fn why_not(kind: &str) -> Cow<'static, str> {
    match LANGUAGE {
        Language::English => en::others::why_not(kind).into(),
        Language::Pseudo => format!("OtherOwner {kind}").into(),
    }
}

/// An impact of a change.
pub fn impact(of: &Impact) -> String {
    match LANGUAGE {
        Language::English => en::impacts::sentence(of),
        Language::Pseudo => format!("{of:?}"),
    }
}

/// Every impact of a plan, summed where many workloads have the same.
pub fn impacts(of: &Plan) -> Vec<String> {
    match LANGUAGE {
        Language::English => en::impacts::all(of),
        Language::Pseudo => {
            let of_changes = of.changes.iter().flat_map(|change| &change.impacts);
            of.impacts.iter().chain(of_changes).map(impact).collect()
        }
    }
}

/// What is wrong with several, in their order.
pub fn sentences(of: &[Problem]) -> String {
    let all: Vec<String> = of.iter().map(sentence).collect();
    all.join(" ")
}

/// What to do, as a command where there is one.
pub fn remedy(of: &Problem) -> Option<String> {
    match of.remedy() {
        Remedy::Changes { command } | Remedy::Command { command } => Some(command),
        Remedy::Text => to_do(of),
        Remedy::None => None,
    }
}

/// What a plan does to the targets, a line for all workloads that fare alike.
pub fn forecast(of: &Forecast) -> Vec<String> {
    match LANGUAGE {
        Language::English => en::forecast::lines(of),
        Language::Pseudo => {
            let values: [&dyn Display; 2] = [&of.prometheus, &of.outlooks.len()];
            vec![texts::pseudo("forecast", &values)]
        }
    }
}

/// What is waited for, and for how long already.
pub fn so_far(on: &str, gone_by: Option<Duration>) -> Cow<'_, str> {
    match (gone_by, LANGUAGE) {
        (None, _) => on.into(),
        (Some(time), Language::English) => en::waits::so_far(on, time).into(),
        (Some(time), Language::Pseudo) => format!("{on} {time:?}").into(),
    }
}

/// What a target waits for. `replica`: of Prometheus, where the others say otherwise.
pub fn waits(on: &Waits, replica: Option<&str>) -> String {
    let words = match LANGUAGE {
        Language::English => en::waits::waits(on),
        Language::Pseudo => format!("{on:?}"),
    };
    match replica {
        Some(pod) => format!("{words} ({pod})"),
        None => words,
    }
}

/// Why a pod is no target.
pub fn not_covered() -> &'static str {
    match LANGUAGE {
        Language::English => en::waits::NOT_COVERED,
        Language::Pseudo => "NotCovered",
    }
}

fn pseudo(of: &Problem) -> String {
    let values: Vec<String> = of
        .values()
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{} {} {}.", of.code(), of.of(), values.join(" "))
}
