//! What a cell found, the table of all, and what a person needs where one fails.

use crate::program::folder;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What was looked at in one cell, in order.
#[derive(Default)]
pub struct Checks {
    pub all: Vec<Check>,
    /// Said before each name: whose it is.
    pub of: String,
}

pub struct Check {
    pub name: String,
    pub found: Result<String, String>,
    pub took: Duration,
}

impl Checks {
    /// Looks, and remembers what was seen; a look that fails does not keep the next from being made.
    pub fn add(&mut self, name: &str, look: impl FnOnce() -> Result<String, String>) -> bool {
        let begun = Instant::now();
        let found = look();
        let well = found.is_ok();
        let name = match self.of.is_empty() {
            true => name.to_owned(),
            false => format!("{}: {name}", self.of),
        };
        self.all.push(Check {
            name,
            found,
            took: begun.elapsed(),
        });
        well
    }

    /// As `add`, where nothing after it makes sense without it.
    pub fn must(
        &mut self,
        name: &str,
        look: impl FnOnce() -> Result<String, String>,
    ) -> Result<(), Stop> {
        self.add(name, look).then_some(()).ok_or(Stop)
    }

    pub fn failed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all.iter().filter_map(|check| match &check.found {
            Ok(_) => None,
            Err(why) => Some((check.name.as_str(), why.as_str())),
        })
    }
}

/// A cell ends here; the reason is among its checks.
pub struct Stop;

pub fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(160).collect()
}

/// A cell that ran.
pub struct Row {
    pub cell: String,
    pub about: Vec<(&'static str, String)>,
    pub checks: Checks,
    pub took: Duration,
    pub evidence: String,
}

impl Row {
    pub fn holds(&self) -> bool {
        self.checks.failed().next().is_none()
    }

    pub fn json(&self) -> Value {
        let checks = self.checks.all.iter().map(|check| {
            let (holds, seen) = match &check.found {
                Ok(seen) => (true, seen),
                Err(why) => (false, why),
            };
            json!({"check": check.name, "holds": holds, "seen": seen, "seconds": seconds(check.took)})
        });
        json!({
            "cell": self.cell,
            "about": self.about.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            "holds": self.holds(),
            "seconds": seconds(self.took),
            "checks": checks.collect::<Vec<_>>(),
        })
    }
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

/// The table as Markdown: what stands in README.md.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from("| cell | what it is | looks | holds |\n|---|---|---|---|\n");
    for row in rows {
        let about: Vec<&str> = row.about.iter().map(|(_, value)| value.as_str()).collect();
        let holds = match row.checks.failed().next() {
            None => "yes".to_owned(),
            Some((name, why)) => format!("**no**: {name}: {}", first_line(why)),
        };
        let looks = row.checks.all.len();
        let line = format!(
            "| {} | {} | {looks} | {holds} |\n",
            row.cell,
            about.join(", ")
        );
        text.push_str(&line);
    }
    text
}

/// Everything that failed in a cell.
pub fn failure(row: &Row) -> String {
    let mut text = format!("\n== {} does not hold\n", row.cell);
    for (name, why) in row.checks.failed() {
        text.push_str(&format!("-- {name}\n{}\n", crate::shell::tail(why, 40)));
    }
    text
}

/// Writes the cells as JSON, with the versions they were seen on.
pub fn write(rows: &[Row], versions: &Value) -> Result<String, String> {
    let cells: Vec<Value> = rows.iter().map(Row::json).collect();
    let all = json!({"version": 1, "measuredOn": versions, "cells": cells});
    let file = folder().join("cells.json");
    std::fs::create_dir_all(folder())
        .and_then(|()| std::fs::write(&file, format!("{all:#}\n")))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file.display().to_string())
}
