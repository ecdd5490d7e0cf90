//! `meshscrape undo`: a run taken back, by the same review and the same road.

use super::apply::Job;
use super::flow::{self, Opened};
use super::{Call, apply, events, exit, written};
use crate::engine::event::Outcome;
use crate::engine::watch::follow;
use crate::engine::{self, settle};
use crate::error::{Error, Result};
use crate::mesh::kinds::{Kind, WorkloadRef};
use crate::plan::keeping;
use crate::plan::undo::found::FOUND;
use crate::words::say::commands::{self as say, runs};

/// What the user says yes to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Yes {
    pub yes: bool,
    pub lose_history: bool,
    /// Somebody's listener without its policies comes back.
    pub reopen: bool,
    /// Put back also what somebody else changed since.
    pub even_changed: bool,
    /// The run was made in this cluster, though its record does not say so.
    pub this_cluster: bool,
}

pub async fn run(
    mut call: Call<'_>,
    run: Option<&str>,
    only: &[WorkloadRef],
    mut word: Yes,
    json: bool,
) -> Result<u8> {
    apply::not_read_only(&call, word.yes)?;
    let mut opened = flow::open(&call).await?;
    if call.choices.demo {
        // Each command has a simulation of its own: there is nothing to undo yet.
        if let Some(run) = run.filter(|run| *run != FOUND) {
            return Err(Error::new(runs::no_such_run(run))
                .cause(runs::DEMO_ENDS)
                .hint(runs::DEMO_UNDO));
        }
        if !opened.answers.chooses_something() {
            opened.answers.workloads.insert(demo_workload());
        }
        applied_first(&mut call, &opened, json).await?;
        // What was applied is to be seen in what is read of the cluster.
        let answers = opened.answers;
        opened = flow::open(&call).await?;
        opened.answers = answers;
    }
    word.lose_history |= call.choices.demo;
    take_back(&mut call, &opened, run, only, word, json).await
}

async fn take_back(
    call: &mut Call<'_>,
    opened: &Opened,
    run: Option<&str>,
    only: &[WorkloadRef],
    word: Yes,
    json: bool,
) -> Result<u8> {
    let mut undo = if run == Some(FOUND) {
        engine::found::plan_found(&opened.session, &opened.mesh).await?
    } else {
        let homes = opened.mesh.homes();
        let undo = engine::undo::plan_undo(&opened.session, &homes, run, only).await;
        if undo.is_err() && word.yes {
            // Killed before its first line, a run leaves no more than its lock.
            call.note(&settle::locks(&opened.session, &opened.mesh.lock_places()).await);
        }
        undo.map_err(|error| match run {
            Some(_) => error,
            None => error.hint(runs::UNDO_WITHOUT_RECORD),
        })?
    };
    if run.is_none() && word.yes {
        own_run(opened, &undo.run)?;
    }
    flow::by_word(undo.unproven.take(), word.this_cluster)?;
    if word.even_changed {
        undo.plan.held.clear();
    } else if !undo.plan.held.is_empty() {
        undo.warnings.push(runs::CHANGED_STAYS.into());
    }
    call.note(&undo.warnings);
    for note in &undo.notes {
        let line = match json {
            true => events::note(&crate::words::undo_note(note)).to_string(),
            false => say::note(&crate::text::line(&crate::words::undo_note(note))),
        };
        written(writeln!(call.out, "{line}"))?;
    }
    let prometheus = undo.target(&opened.mesh)?;
    keeping::place(&mut undo.plan, &opened.mesh);
    let review = flow::ask(opened, undo.plan.clone()).await;
    if review.counts().changes == 0 && flow::stopped(&review).is_none() {
        if word.yes && undo.met {
            let (homes, places) = (opened.mesh.homes(), opened.mesh.lock_places());
            let session = &opened.session;
            let late = engine::release::late(session, &homes, &places, &undo.run, &prometheus);
            match late.await {
                Ok(failed) => call.note(&failed),
                Err(error) => call.note(&[runs::not_released(&error.what)]),
            }
        }
        if only.is_empty() && undo.met {
            settle::ended(&opened.session, &undo.run, "undone")?;
        }
        if word.yes {
            let places = flow::lock_places(opened, &prometheus);
            call.note(&settle::locks(&opened.session, &places).await);
        }
        let run = &undo.run;
        if !undo.met {
            call.note(&[runs::not_recorded_as_undone(run)]);
        }
        let line = match json {
            true => events::finished(run, &Outcome::default()).to_string(),
            false if undo.met => runs::nothing_left(run),
            false => runs::NOTHING_TO_UNDO_HERE.to_owned(),
        };
        written(writeln!(call.out, "{line}"))?;
        return Ok(exit::WELL);
    }
    if !word.yes {
        return Err(apply::not_yes(
            call,
            &review,
            &match run {
                Some(FOUND) => "undo --without-record".to_owned(),
                _ => format!("undo {}", undo.run),
            },
            json,
        )?);
    }
    let opens: Vec<String> = undo
        .notes
        .iter()
        .filter(|note| note.asks())
        .map(crate::words::undo_note)
        .collect();
    if !(opens.is_empty() || word.reopen) {
        let mut error = Error::refused(runs::WOULD_REOPEN);
        for words in opens {
            error = error.cause(words);
        }
        return Err(error.hint(runs::ALLOW_REOPEN));
    }
    let job = Job {
        lose_history: word.lose_history,
        json,
        undoes: Some(undo.run.clone()),
        part: !only.is_empty(),
        unproven: false,
    };
    let outcome = apply::write(call, opened, &review, &job, prometheus, Vec::new()).await?;
    Ok(outcome.exit_code(true, !call.choices.no_probe))
}

/// Yes without a name is meant for a run of one's own: one that stands in the cluster alone may be somebody else's,
/// of another Prometheus, or at work.
fn own_run(opened: &Opened, run: &str) -> Result<()> {
    let journal = &opened.session.journal;
    // One whose file is damaged is of this machine all the same.
    let here = journal.runs()?.iter().any(|note| note.run == run);
    if here || journal.damaged().iter().any(|damaged| damaged == run) {
        return Ok(());
    }
    Err(Error::refused(runs::NO_OWN_RUN)
        .cause(runs::newest_is_anothers(run))
        .hint(runs::review_then_name(run))
        .hint(runs::LIST_RUNS))
}

/// What the demo takes where nothing is chosen.
fn demo_workload() -> WorkloadRef {
    WorkloadRef::new("default", Kind::Deployment, "httpbin")
}

/// In the demo an undo shows both: first what is applied, then how it goes.
async fn applied_first(call: &mut Call<'_>, opened: &Opened, json: bool) -> Result<()> {
    let selection = crate::recipe::select(&opened.mesh, &opened.answers)?;
    let review = flow::review(opened).await?;
    if !json {
        written(writeln!(call.out, "{}\n", runs::DEMO_APPLIES))?;
    }
    let watched = follow::chosen(&opened.mesh, &opened.answers, &selection);
    let job = Job {
        lose_history: true,
        json,
        undoes: None,
        part: false,
        unproven: false,
    };
    let prometheus = selection.prometheus.clone();
    apply::write(call, opened, &review, &job, prometheus, watched).await?;
    if !json {
        written(writeln!(call.out, "\n{}\n", runs::DEMO_UNDOES))?;
    }
    Ok(())
}
