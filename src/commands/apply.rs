//! `meshscrape apply`: the approved changes, written in their order, and the targets awaited.

use super::flow::{self, Opened};
use super::{Call, events, words, written};
use crate::engine::apply::{self, ApplyOptions, Control};
use crate::engine::event::{ApplyEvent, Ended, Outcome, StepState};
use crate::engine::settle;
use crate::engine::watch::{Watch, Watched, follow};
use crate::error::{Error, Result};
use crate::mesh::Prometheus;
use crate::plan::review::{NotApprovable, Review, Word};
use crate::recipe;
use crate::targets::{Probe, Row, State};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

pub async fn run(
    mut call: Call<'_>,
    yes: bool,
    lose_history: bool,
    resume: Option<&str>,
    json: bool,
) -> Result<u8> {
    not_read_only(&call, yes)?;
    let mut opened = flow::open(&call).await?;
    match resume {
        Some(run) => flow::resume(&mut call, &mut opened, run).await?,
        None => flow::note_unfinished(&mut call, &opened).await,
    }
    let selection = recipe::select(&opened.mesh, &opened.answers)?;
    let (review, contact) = flow::reviewed(&opened).await?;
    flow::note_takes(&mut call, &opened, &review);
    let watched = follow::watched(&opened.mesh, &opened.answers);
    let prometheus = selection.prometheus.clone();
    if let Some(stopped) = flow::stopped(&review) {
        return Err(stopped);
    }
    if review.counts().changes == 0 {
        if yes {
            // What another Prometheus's run left is that one's.
            let home = [prometheus.id.namespace.clone()];
            call.note(&settle::all_stands(&opened.session, &home).await?);
        }
        let outcome = look(&mut call, &opened, prometheus, watched, yes).await;
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
        Some(_) => call.note(&[
            "Prometheus cannot be asked: no target is awaited, and the plaintext jobs stay".into(),
        ]),
        None => call.note(&words::behind(&contact)),
    }
    let job = Job {
        lose_history,
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
        return Err(Error::refused("nothing was written: this is read-only")
            .cause("--read-only lets nothing but reads, access reviews and dry runs through")
            .hint("leave --read-only away, or see the changes with: meshscrape plan"));
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
    Ok(
        Error::refused("nothing was written: there was no yes").hint(format!(
            "meshscrape {command} … --yes, when the changes above are right"
        )),
    )
}

/// Nothing to change: what was applied before is looked at, for as long as it may take.
/// `yes`: a Prometheus whose certificates came late is reloaded.
async fn look(
    call: &mut Call<'_>,
    opened: &Opened,
    prometheus: Arc<Prometheus>,
    watched: Vec<Watched>,
    yes: bool,
) -> Outcome {
    let probe = !call.choices.no_probe;
    let ground = follow::ground(&opened.mesh, &prometheus);
    let mut watch = Watch::new(&opened.session, prometheus, watched, probe).on(ground);
    let deadline = Instant::now() + call.choices.timeout();
    let done = Mutex::new(Vec::new());
    let told = |words: String| {
        if let Ok(mut done) = done.lock() {
            done.push(words);
        }
    };
    let told: Option<&(dyn Fn(String) + Send + Sync)> = match yes {
        true => Some(&told),
        false => None,
    };
    let board = watch
        .until_cured(LOOK_EVERY, deadline, &|_| {}, told, |board| {
            let asked =
                |row: &Row| !matches!(row.state, State::Up { .. }) || row.probe != Probe::NotAsked;
            let late = yes
                && board
                    .replicas
                    .iter()
                    .any(|replica| !replica.late.is_empty());
            !late
                && board.counts.waiting == 0
                && (!probe || board.rows.iter().all(|row| asked(row)))
        })
        .await;
    call.note(&done.into_inner().unwrap_or_default());
    let counts = board.counts;
    Outcome {
        all_up: counts.all() > 0 && counts.up == counts.all() && counts.unguarded == 0,
        plaintext_refused: (probe && counts.up > 0).then_some(counts.secured == counts.all()),
        board,
        ..Outcome::default()
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(2);

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
    let approved = review
        .approve(word)
        .map_err(|why| match why {
            NotApprovable::HistoryNotConfirmed => {
                let refused = Error::refused(
                    "nothing was written: Prometheus would lose all its history",
                )
                .cause("its data goes with its pod (an emptyDir, or the container itself), and these changes restart it")
                .hint("to allow this: --lose-history; to avoid it, give Prometheus a volume that stays");
                match job.undoes {
                    Some(_) => refused,
                    None => refused.cause(
                        "an undo restarts it once more: what it gathers until then is lost too",
                    ),
                }
            }
            NotApprovable::StillAsking(count) => {
                Error::refused(format!("nothing was written: {count} changes have no answer yet"))
            }
            NotApprovable::Stopped(ids) => Error::refused(format!(
                "nothing was written: {} changes cannot be made as they are",
                ids.len()
            )),
            NotApprovable::NothingToDo => Error::new("nothing to do"),
        });
    let approved = approved?;
    let run = approved.run().0.clone();
    let first = match json {
        true => format!("{}\n", events::began(&approved, job.undoes.as_deref())),
        false => words::review(review),
    };
    written(call.out.write_all(first.as_bytes()))?;
    let options = ApplyOptions {
        timeout: call.choices.timeout(),
        rollout_timeout: call.choices.timeout(),
        probe: !call.choices.no_probe,
        undoes: job.undoes.clone(),
        undoes_part: job.part,
        answers: job.undoes.is_none().then(|| opened.answers.clone()),
        break_lock: call.choices.break_lock,
        pace: opened.answers.options.pace,
        ground: follow::ground(&opened.mesh, &prometheus),
        unproven: job.unproven,
    };
    let control = Control {
        stop: call.stop.clone(),
        decisions: None,
    };
    let printer = Mutex::new(Printer {
        out: &mut *call.out,
        json,
        last: BTreeMap::new(),
        targets: String::new(),
    });
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
        let board = if outcome.board.rows.is_empty() {
            String::new()
        } else {
            format!("\n{}", words::board(&outcome.board))
        };
        let undo = if outcome.written.is_empty() || undoes {
            String::new()
        } else if call.choices.demo {
            // Its cluster ends with the command, and the run with it.
            "See such a run taken back with: meshscrape undo --demo --yes\n".to_owned()
        } else {
            let on = match outcome.ended {
                Ended::PartWay(_) => "go on with it: meshscrape apply --resume --yes; ",
                _ => "",
            };
            format!("Run {run}; {on}take it back with: meshscrape undo {run} --yes\n")
        };
        format!("\n{}{board}{undo}", words::outcome(outcome))
    };
    written(call.out.write_all(text.as_bytes()))?;
    if json {
        return Ok(());
    }
    let failure = words::failure(outcome, call.choices.demo);
    written(call.err.write_all(failure.as_bytes()))
}

/// Prints what is new, and nothing twice.
struct Printer<'a> {
    out: &'a mut (dyn std::io::Write + Send),
    json: bool,
    last: BTreeMap<String, String>,
    targets: String,
}

impl Printer<'_> {
    fn print(&mut self, event: &ApplyEvent) {
        let line = if self.json {
            events::progress(event).map(|value| value.to_string())
        } else {
            self.words(event)
        };
        if let Some(line) = line {
            let key = match event {
                ApplyEvent::Step { id, .. } => id.0.clone(),
                ApplyEvent::Targets(_) => "targets".into(),
                _ => String::new(),
            };
            // Seconds that go by are no news.
            let news = line.split(" s so far").next().unwrap_or_default();
            let news = news
                .trim_end_matches(|c: char| c.is_ascii_digit())
                .to_owned();
            if !key.is_empty() && self.last.insert(key, news.clone()).as_ref() == Some(&news) {
                return;
            }
            // A closed pipe must not end a run that is writing.
            let _ = writeln!(self.out, "{line}");
            let _ = self.out.flush();
        }
    }

    fn words(&mut self, event: &ApplyEvent) -> Option<String> {
        match event {
            ApplyEvent::Step { id, state } => {
                if matches!(state, StepState::Pending) {
                    return None;
                }
                let text = words::step(state)?;
                Some(format!(
                    "{}: {}",
                    crate::text::clean(&id.title()),
                    crate::text::clean(&text)
                ))
            }
            ApplyEvent::Log(text) => Some(crate::text::clean(text).into_owned()),
            ApplyEvent::Targets(board) => {
                let line = format!("targets: {}", words::sum(board));
                if line == self.targets {
                    return None;
                }
                self.targets.clone_from(&line);
                Some(line)
            }
            ApplyEvent::Stopped { id, error } => Some(format!(
                "stopped at {}: {}",
                crate::text::clean(&id.title()),
                crate::text::clean(&error.to_string())
            )),
            ApplyEvent::Again { .. } | ApplyEvent::Finished(_) => None,
        }
    }
}
