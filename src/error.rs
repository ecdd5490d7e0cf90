//! One error for the whole program: what went wrong, what caused it, what to try.
//!
//! Its kind decides the exit code; `main` is the one place that prints it.

use crate::words::say::commands::errors as say;
use std::fmt;

/// What an error means for the caller of the program; each has its own exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything that failed, wrong arguments too.
    Failed,
    /// Refused before anything was written: a conflict, an admission refusal, drift.
    Refused,
    /// Stopped part way: some changes were written, others not. The run can go on or be undone.
    StoppedPartWay,
    /// A failure after which everything was taken back.
    UndoneAfterFailure,
}

impl Kind {
    /// The process's exit code. 0, 2 and 3 are outcomes, not errors.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Refused => 4,
            Kind::StoppedPartWay => 5,
            Kind::UndoneAfterFailure => 6,
        }
    }
}

/// An error in the words of the user: what, why, and what to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub kind: Kind,
    /// What went wrong, one sentence without a full stop.
    pub what: String,
    /// What caused it, outermost first; may hold the other side's own words.
    pub causes: Vec<String>,
    /// What to try.
    pub hints: Vec<String>,
    pub tells: Option<Tells>,
}

/// What a caller has to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// The folder holds an earlier export.
    FolderTaken,
    /// The object or its namespace went away meanwhile.
    Gone,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(what: impl Into<String>) -> Self {
        Error {
            kind: Kind::Failed,
            what: what.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            tells: None,
        }
    }

    pub fn refused(what: impl Into<String>) -> Self {
        Error {
            kind: Kind::Refused,
            ..Error::new(what)
        }
    }

    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    pub fn tells(mut self, what: Tells) -> Self {
        self.tells = Some(what);
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Error {
    /// Three kinds of lines: `error:`, `cause:`, `try:`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = |text: &str| text.replace('\n', "\n       ");
        write!(f, "{}", say::error(&lines(&self.what)))?;
        for cause in &self.causes {
            // A webhook's or a policy's own words may take several lines.
            write!(f, "\n{}", say::cause(&lines(cause)))?;
        }
        for hint in &self.hints {
            write!(f, "\n  {}", say::hint(&lines(hint)))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The valid name nearest to a mistyped one, for "did you mean". Names of several parts, as `NS/KIND/NAME`, are
/// near when each part is, or when only one part of them is another.
pub fn nearest<'a>(given: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    valid
        .into_iter()
        .map(|name| (likeness(given, name), name))
        .filter(|(score, _)| *score > 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Zero to one.
fn likeness(given: &str, name: &str) -> f64 {
    let (given_parts, parts) = (given.split('/'), name.split('/'));
    if given_parts.clone().count() != parts.clone().count() {
        return strsim::normalized_damerau_levenshtein(given, name);
    }
    let pairs = || given_parts.clone().zip(parts.clone());
    let worst = pairs()
        .map(|(given, part)| strsim::normalized_damerau_levenshtein(given, part))
        .fold(1.0, f64::min);
    let others = pairs().filter(|(given, part)| given != part).count();
    let same_name = given.rsplit('/').next() == name.rsplit('/').next();
    // The right name in the wrong namespace, or of the wrong kind.
    match (parts.count(), others, same_name) {
        (2.., 1, true) => worst.max(0.6),
        _ => worst,
    }
}
