//! The lines of `apply --json` and `undo --json`: one event each.

use super::json::{self, VERSION};
use crate::engine::event::{ApplyEvent, Ended, Outcome, StepState};
use crate::plan::review::{Approved, Review};
use serde_json::{Value, json};

/// What the help of both commands says of them.
pub const HELP: &str = "\
Events of --json, one a line; each has `version` (2) and `event`:
  review    as plan --json; instead of all others, where --yes is missing
  note      message: what an undo leaves alone, and why
  began     run, context, undoes (a run), changes (ids, in the order of writing)
  step      change (its id), state, detail
            state: pending, waiting, writing, rollout, done, unchanged, failed,
            leftOut, takenBack, held
  log       message
  targets   summary (counts by state)
  finished  run, ended (whole, partWay, undone), error, written, unchanged, notWritten,
            takenBack (ids), allUp, plaintextRefused, board (as status --json)";

fn event(name: &str, fields: Value) -> Value {
    let mut line = json!({"version": VERSION, "event": name});
    if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), fields) {
        line.extend(fields);
    }
    line
}

/// Instead of writing: what would be.
pub fn review(of: &Review) -> Value {
    event("review", json::review(of))
}

pub fn note(text: &str) -> Value {
    event("note", json!({"message": text}))
}

/// The first line of a run, so that whoever loses sight of it knows which to take back.
pub fn began(approved: &Approved, undoes: Option<&str>) -> Value {
    let changes: Vec<&str> = approved
        .changes()
        .iter()
        .map(|change| change.change().id.0.as_str())
        .collect();
    event(
        "began",
        json!({
            "run": approved.run().0, "context": approved.context(), "undoes": undoes,
            "changes": changes,
        }),
    )
}

/// Progress; `None`: the line comes from elsewhere, or cannot come where nobody is asked.
pub fn progress(of: &ApplyEvent) -> Option<Value> {
    Some(match of {
        ApplyEvent::Step { id, state } => {
            let (word, detail) = step(state);
            event(
                "step",
                json!({"change": id, "state": word, "detail": detail}),
            )
        }
        ApplyEvent::Log(text) => event("log", json!({"message": text})),
        ApplyEvent::Targets { board, .. } => {
            event("targets", json!({"summary": json::board(board)["summary"]}))
        }
        ApplyEvent::Again { .. } | ApplyEvent::Stopped { .. } | ApplyEvent::Finished(_) => {
            return None;
        }
    })
}

fn step(state: &StepState) -> (&'static str, Option<String>) {
    match state {
        StepState::Pending => ("pending", None),
        StepState::Waiting { on, gone_by } => (
            "waiting",
            Some(crate::words::so_far(on, *gone_by).into_owned()),
        ),
        StepState::Writing => ("writing", None),
        StepState::Rollout { .. } => ("rollout", super::words::step(state)),
        StepState::Done => ("done", None),
        StepState::Unchanged => ("unchanged", None),
        StepState::Failed(error) => ("failed", Some(error.to_string())),
        StepState::LeftOut => ("leftOut", None),
        StepState::TakenBack(why) => ("takenBack", Some(why.clone())),
        StepState::Held(why) => ("held", Some(why.clone())),
    }
}

/// The last line of an apply or undo.
pub fn finished(run: &str, outcome: &Outcome) -> Value {
    let (ended, error) = match &outcome.ended {
        Ended::Whole => ("whole", None),
        Ended::PartWay(error) => ("partWay", error.as_ref().map(ToString::to_string)),
        Ended::Undone => ("undone", None),
    };
    event(
        "finished",
        json!({
            "run": run,
            "ended": ended,
            "error": error,
            "written": outcome.written,
            "unchanged": outcome.unchanged,
            "notWritten": outcome.not_written,
            "takenBack": outcome.taken_back,
            "allUp": outcome.all_up,
            "plaintextRefused": outcome.plaintext_refused,
            "board": json::board(&outcome.board),
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::plan::review::RunId;
    use crate::plan::{ChangeId, Plan};
    use crate::targets::Lacking;
    use std::sync::Arc;

    fn documented(name: &str) -> bool {
        HELP.lines()
            .any(|line| line.starts_with(&format!("  {name} ")))
    }

    #[test]
    fn every_event_and_state_stands_in_the_help() {
        let id = ChangeId("Deployment/shop/cart#annotation".into());
        let states = [
            StepState::Pending,
            StepState::waiting(""),
            StepState::Writing,
            StepState::Rollout {
                updated: 0,
                ready: 0,
                desired: 1,
                note: String::new(),
                says_ready: false,
            },
            StepState::Done,
            StepState::Unchanged,
            StepState::Failed(Error::new("no")),
            StepState::LeftOut,
            StepState::TakenBack(String::new()),
            StepState::Held(String::new()),
        ];
        let listed = HELP.split_once("            state: ").unwrap().1;
        let listed = listed.split_once("\n  log ").unwrap().0;
        let listed: Vec<&str> = listed
            .split([',', ' ', '\n'])
            .filter(|word| !word.is_empty())
            .collect();
        let words: Vec<&str> = states.iter().map(|state| step(state).0).collect();
        assert_eq!(listed, words);

        let steps = states.map(|state| ApplyEvent::Step {
            id: id.clone(),
            state,
        });
        let others = [
            ApplyEvent::Log("x".into()),
            ApplyEvent::Targets {
                board: Arc::default(),
                lacking: Lacking::default(),
            },
        ];
        let mut lines: Vec<Value> = steps.iter().chain(&others).filter_map(progress).collect();
        lines.push(note("x"));
        lines.push(review(&Review::new(
            "demo",
            RunId("r1".into()),
            Plan::default(),
        )));
        lines.push(finished("r1", &Outcome::default()));
        for line in lines {
            assert_eq!(line["version"], VERSION);
            let name = line["event"].as_str().unwrap();
            assert!(documented(name), "{name}");
            // Fields too; those of a review are its own.
            let fields = line.as_object().unwrap().keys();
            for field in fields.filter(|_| name != "review") {
                let known = HELP
                    .split(|c: char| !c.is_ascii_alphanumeric())
                    .any(|word| word == field);
                assert!(known, "{name}.{field}");
            }
        }
    }
}
