//! What is known already and kept quiet: by a flag, or by the file of an earlier check.

use crate::error::{Error, Result};
use crate::problems::{Code, Problem};
use crate::words::say::commands::check as say;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// `CODE[:NAMESPACE/NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    code: Code,
    /// `NAMESPACE/NAME`, or the name of what has no namespace.
    place: Option<String>,
}

impl Known {
    /// # Errors
    /// There is no such code.
    pub fn parse(text: &str) -> Result<Known, String> {
        let (code, place) = match text.split_once(':') {
            Some((code, place)) => (code, Some(place.to_owned())),
            None => (text, None),
        };
        let code = Code::named(code).ok_or_else(|| {
            format!("there is no code `{code}`; all codes: meshscrape check --explain")
        })?;
        Ok(Known { code, place })
    }

    pub fn knows(&self, problem: &Problem) -> bool {
        let place = self.place.as_ref();
        problem.code() == self.code && place.is_none_or(|place| *place == problem.of().place())
    }
}

/// Code and subject of what an earlier check found. What else it told may change without being news.
#[derive(Debug, Default)]
pub struct Baseline(BTreeSet<[String; 4]>);

impl Baseline {
    /// # Errors
    /// The file cannot be read, or no check wrote it.
    pub fn read(file: &Path) -> Result<Baseline> {
        let failed = || Error::new(say::baseline_not_read(&file.display().to_string()));
        let text = std::fs::read_to_string(file)
            .map_err(|error| failed().cause(crate::fault::io(&error)))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| failed().cause(error))?;
        let Some(problems) = value["problems"].as_array() else {
            return Err(failed()
                .cause(say::NO_PROBLEMS_LIST)
                .hint(say::WRITE_A_BASELINE));
        };
        let of = |problem: &Value| {
            let part = |at: &str| {
                problem
                    .pointer(at)
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            };
            Some([
                part("/code")?,
                part("/subject/kind")?,
                part("/subject/namespace")?,
                part("/subject/name")?,
            ])
        };
        Ok(Baseline(problems.iter().filter_map(of).collect()))
    }

    pub fn knows(&self, problem: &Problem) -> bool {
        let of = problem.of();
        let key = [
            problem.code().text().to_owned(),
            of.kind.clone().into_owned(),
            of.namespace.clone(),
            of.name.clone(),
        ];
        self.0.contains(&key)
    }
}
