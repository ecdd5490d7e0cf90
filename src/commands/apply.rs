//! `meshscrape apply`: the approved changes, written in their order, and the targets awaited.

use super::flow::{self, Opened};
use super::{Call, events, words, written};
use crate::engine::apply::{self, ApplyOptions, Control};
use crate::engine::event::{ApplyEvent, Ended, Outcome, StepState};
use crate::engine::settle;
use crate::engine::watch::{Beside, Watched, follow};
use crate::error::{Error, Result};
use crate::mesh::Prometheus;
use crate::mesh::others::in_plaintext;
use crate::plan::ChangeId;
use crate::plan::review::{NotApprovable, PodVerdict, Review, Word};
use crate::recipe;
use crate::targets::Counts;
use crate::words::say::commands::{board, review as blocked};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What the user says yes to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Yes {
    pub yes: bool,
    pub lose_history: bool,
    /// Pods are replaced though nobody could ask whether admission takes the new ones.
    pub unchecked_pods: bool,
}

pub async fn run(
    mut call: Call<'_>,
    word: Yes,
    resume: Option<&flow::Resume>,
    json: bool,
) -> Result<u8> {
    let yes = word.yes;
    not_read_only(&call, yes)?;
    let mut opened = flow::open(&call).await?;
    match resume {
        Some(run) => flow::resume(&mut call, &mut opened, run).await?,
        None => flow::note_unfinished(&mut call, &opened).await,
    }
    let selection = recipe::select(&opened.mesh, &opened.answers)?;
    let (mut review, contact) = flow::reviewed(&mut opened).await?;
    review.unchecked_pods = word.unchecked_pods;
    flow::known_skips(&call, &review)?;
    flow::note_takes(&mut call, &opened, &review);
    let watched = follow::chosen(&opened.mesh, &opened.answers, &selection);
    let prometheus = selection.prometheus.clone();
    if let Some(stopped) = flow::stopped(&review) {
        return Err(stopped);
    }
    if review.counts().changes == 0 {
        if yes {
            // What another Prometheus's run left is that one's.
            let home = [prometheus.id.namespace.clone()];
            let places = flow::lock_places(&opened, &prometheus);
            call.note(&settle::all_stands(&opened.session, &home, &places).await?);
        }
        let outcome = look(&mut call, &opened, &review, json, prometheus, watched, yes).await;
        print(&mut call, "", &outcome, json, false)?;
        return Ok(outcome.exit_code(false, !call.choices.no_probe));
    }
    if !yes {
        let refused = not_yes(&mut call, &review, "apply", json)?;
        if !json {
            let text = words::contact(&contact);
            written(call.out.write_all(text.as_bytes()))?;
        }
        return Err(refused);
    }
    let unproven = flow::provable(&contact);
    match unproven {
        Some(refused) if !call.choices.unproven => return Err(refused),
        Some(_) => call.note(&[blocked::UNPROVEN.into()]),
        None => call.note(&words::behind(&contact)),
    }
    let job = Job {
        lose_history: word.lose_history,
        json,
        undoes: None,
        part: false,
        unproven: contact.unproven().is_some(),
    };
    let outcome = write(&mut call, &opened, &review, &job, prometheus, watched).await?;
    Ok(outcome.exit_code(false, !call.choices.no_probe))
}

/// With `--read-only` nothing can be written, so nothing is begun.
pub fn not_read_only(call: &Call<'_>, yes: bool) -> Result<()> {
    if yes && call.choices.read_only {
        return Err(Error::refused(blocked::READ_ONLY)
            .cause(blocked::READ_ONLY_ALLOWS)
            .hint(blocked::REMOVE_READ_ONLY));
    }
    Ok(())
}

/// Without `--yes`: the review is shown, and nothing is written.
pub fn not_yes(call: &mut Call<'_>, review: &Review, command: &str, json: bool) -> Result<Error> {
    let text = match json {
        true => format!("{}\n", events::review(review)),
        false => words::review(review),
    };
    written(call.out.write_all(text.as_bytes()))?;
    Ok(Error::refused(blocked::YES_IS_MISSING).hint(blocked::apply_the_above(command)))
}

/// Nothing to change: what was applied before is looked at, for as long as it may take.
/// `yes`: a Prometheus whose certificates came late is reloaded.
async fn look(
    call: &mut Call<'_>,
    opened: &Opened,
    review: &Review,
    json: bool,
    prometheus: Arc<Prometheus>,
    watched: Vec<Watched>,
    yes: bool,
) -> Outcome {
    let options = options(call, opened, review, &prometheus, &watched);
    let stop = call.stop.clone();
    let printer = Mutex::new(Printer::new(&mut *call.out, json));
    let report = |event: ApplyEvent| {
        if let Ok(mut printer) = printer.lock() {
            printer.print(&event);
        }
    };
    apply::look(
        &opened.session,
        prometheus,
        watched,
        &options,
        yes,
        stop,
        &report,
    )
    .await
}

fn options(
    call: &Call<'_>,
    opened: &Opened,
    review: &Review,
    prometheus: &Prometheus,
    watched: &[Watched],
) -> ApplyOptions {
    ApplyOptions {
        timeout: call.choices.timeout(),
        rollout_timeout: call.choices.timeout(),
        probe: !call.choices.no_probe,
        break_lock: call.choices.break_lock,
        pace: opened.answers.options.pace,
        ground: follow::ground(&opened.mesh, prometheus),
        beside: Beside {
            left_out: review.items_left_out(),
            others: follow::others(&opened.mesh, &opened.answers, watched),
            ..Beside::default()
        },
        ..ApplyOptions::default()
    }
}

/// How a run is written and told.
pub struct Job {
    pub lose_history: bool,
    pub json: bool,
    /// The run that this one takes back.
    pub undoes: Option<String>,
    /// Only a part of it.
    pub part: bool,
    /// Nobody can be asked whether the targets come UP.
    pub unproven: bool,
}

/// Approves and writes; prints progress, and the outcome at the end.
pub async fn write(
    call: &mut Call<'_>,
    opened: &Opened,
    review: &Review,
    job: &Job,
    prometheus: Arc<Prometheus>,
    watched: Vec<Watched>,
) -> Result<Outcome> {
    if let Some(stopped) = flow::stopped(review) {
        return Err(stopped);
    }
    let json = job.json;
    let word = Word {
        lose_history: job.lose_history,
    };
    let approved = review.approve(word).map_err(|why| match why {
        NotApprovable::HistoryNotConfirmed => {
            let refused = Error::refused(blocked::HISTORY_LOST)
                .cause(blocked::HISTORY_IN_POD)
                .hint(blocked::ALLOW_HISTORY_LOSS);
            match job.undoes {
                Some(_) => refused,
                None => refused.cause(blocked::UNDO_LOSES_AGAIN),
            }
        }
        NotApprovable::PodsNotChecked(ids) => not_checked(review, &ids),
        NotApprovable::StillAsking(count) => Error::refused(blocked::dry_runs_not_finished(count)),
        NotApprovable::Stopped(ids) => Error::refused(blocked::blocked_changes(ids.len())),
        NotApprovable::NothingToDo => Error::new(blocked::NOTHING_TO_DO),
    });
    let approved = approved?;
    let run = approved.run().0.clone();
    let first = match json {
        true => format!("{}\n", events::began(&approved, job.undoes.as_deref())),
        false => words::review(review),
    };
    written(call.out.write_all(first.as_bytes()))?;
    let options = ApplyOptions {
        undoes: job.undoes.clone(),
        undoes_part: job.part,
        answers: job.undoes.is_none().then(|| opened.answers.clone()),
        unproven: job.unproven,
        ..options(call, opened, review, &prometheus, &watched)
    };
    let control = Control {
        stop: call.stop.clone(),
        decisions: None,
    };
    let printer = Mutex::new(Printer::new(&mut *call.out, json));
    let report = |event: ApplyEvent| {
        if let Ok(mut printer) = printer.lock() {
            printer.print(&event);
        }
    };
    let outcome = apply::apply(
        &opened.session,
        approved,
        prometheus,
        watched,
        &options,
        control,
        &report,
    )
    .await;
    print(call, &run, &outcome, json, job.undoes.is_some())?;
    Ok(outcome)
}

/// Nobody could ask whether admission takes the new pods of these changes.
fn not_checked(review: &Review, ids: &[ChangeId]) -> Error {
    let mut error = Error::refused(blocked::PODS_NOT_CHECKED);
    for reviewed in ids.iter().filter_map(|id| review.items.get(id)) {
        if let Some(PodVerdict::Unknown(why)) = &reviewed.pod {
            error = error.cause(crate::words::sentence(why));
        }
    }
    error
        .hint(blocked::GET_POD_PERMISSION)
        .hint(blocked::RESTART_UNCHECKED)
}

fn print(
    call: &mut Call<'_>,
    run: &str,
    outcome: &Outcome,
    json: bool,
    undoes: bool,
) -> Result<()> {
    let text = if json {
        format!("{}\n", events::finished(run, outcome))
    } else {
        let targets = if outcome.board.rows.is_empty() {
            String::new()
        } else {
            format!("\n{}", words::board(&outcome.board))
        };
        // The demo's undo is of a run that ended well.
        let cut = call.choices.demo && outcome.ended != Ended::Whole;
        let undo = if outcome.written.is_empty() || undoes || cut {
            String::new()
        } else if call.choices.demo {
            // Its cluster ends with the command, and the run with it.
            format!("{}\n", board::SEE_AN_UNDO)
        } else {
            let ways = match outcome.ended {
                Ended::PartWay(_) => board::run_can_go_on(run),
                _ => board::run_can_be_undone(run),
            };
            format!("{ways}\n")
        };
        format!("\n{}{targets}{undo}", words::outcome(outcome, undoes))
    };
    written(call.out.write_all(text.as_bytes()))?;
    if json {
        return Ok(());
    }
    let failure = words::failure(outcome);
    written(call.err.write_all(failure.as_bytes()))
}

/// Prints what is new, and nothing twice.
struct Printer<'a> {
    out: &'a mut (dyn std::io::Write + Send),
    json: bool,
    steps: BTreeMap<ChangeId, StepState>,
    /// Targets by state, and pods of other owners in plaintext.
    targets: Option<(Counts, usize)>,
}

impl<'a> Printer<'a> {
    fn new(out: &'a mut (dyn std::io::Write + Send), json: bool) -> Self {
        Printer {
            out,
            json,
            steps: BTreeMap::new(),
            targets: None,
        }
    }

    fn print(&mut self, event: &ApplyEvent) {
        let line = if self.json {
            events::progress(event).map(|value| value.to_string())
        } else {
            Printer::words(event)
        };
        if let Some(line) = line
            && self.is_news(event)
        {
            // A closed pipe must not end a run that is writing.
            let _ = writeln!(self.out, "{line}");
            let _ = self.out.flush();
        }
    }

    fn is_news(&mut self, event: &ApplyEvent) -> bool {
        match event {
            ApplyEvent::Step { id, state } => {
                let state = state.timeless();
                let before = self.steps.insert(id.clone(), state.clone());
                before != Some(state)
            }
            ApplyEvent::Targets { board, .. } => {
                let now = Some((board.counts, in_plaintext(&board.others)));
                std::mem::replace(&mut self.targets, now) != now
            }
            _ => true,
        }
    }

    fn words(event: &ApplyEvent) -> Option<String> {
        match event {
            ApplyEvent::Step { id, state } => {
                if matches!(state, StepState::Pending) {
                    return None;
                }
                let text = words::step(state)?;
                Some(format!(
                    "{}: {}",
                    crate::text::line(&id.title()),
                    crate::text::line(&text)
                ))
            }
            ApplyEvent::Log(text) => Some(crate::text::line(text).into_owned()),
            ApplyEvent::Targets { board: of, .. } => Some(board::targets(&words::sum(of))),
            ApplyEvent::Stopped { id, error } => Some(board::stopped_at(
                &crate::text::line(&id.title()),
                &crate::text::line(&error.to_string().replace('\n', "; ")),
            )),
            ApplyEvent::Again { .. } | ApplyEvent::Finished(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn time_that_goes_by_is_no_news() {
        for json in [false, true] {
            let mut out = Vec::new();
            let mut printer = Printer::new(&mut out, json);
            let mut tell = |on: &str, seconds| {
                printer.print(&ApplyEvent::Step {
                    id: ChangeId("Deployment/shop/cart#annotation".into()),
                    state: StepState::Waiting {
                        on: on.into(),
                        gone_by: Some(Duration::from_secs(seconds)),
                    },
                });
            };
            tell("the first thing", 1);
            tell("the first thing", 130);
            tell("another", 2);
            tell("the first thing", 3);
            let said = String::from_utf8(out).unwrap();
            assert_eq!(said.lines().count(), 3, "{said}");
            assert!(said.contains("another"), "{said}");
        }
    }
}
