//! Every sentence about a problem, made last and in one place: one file a language, chosen by the problem's code and
//! filled with its values. Nothing reads a sentence.

mod en;
mod explained;
mod listed;

use crate::problems::{Code, Problem, Remedy};
use crate::reach::forecast::Forecast;
use crate::targets::Waits;
use std::borrow::Cow;
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
        Language::Pseudo => vec![format!("forecast {} {}", of.prometheus, of.outlooks.len())],
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
