//! What apply waits for around its writes. Every wait has a deadline, and ends when the user says stop.

mod operated;
mod rollouts;

pub(super) use rollouts::DELETED;

use super::compare::landed;
use super::event::{ApplyEvent, StepState};
use super::lock::Guard;
use super::session::{Clock, Session};
use super::watch::{Loaded, Watch};
use crate::error::{Error, Tells};
use crate::mesh;
use crate::mesh::kinds::WorkloadRef;
use crate::plan::record::Entry;
use crate::plan::review::{ApprovedChange, Reviewed};
use crate::plan::{Await, Change, ChangeId, LeavesOut, Part};
use crate::targets::{Awaited, Board, Row, State};
use crate::words::say::engine as say;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

const READ_BACK_EVERY: Duration = Duration::from_millis(500);
const READ_BACK: Duration = Duration::from_secs(30);
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The kubelet brings a ConfigMap into the pod within about a minute; then comes the reload.
const CONFIG: Duration = Duration::from_secs(180);
/// The operator's reloader sees a changed file at once, or with its next look, every three minutes.
const CONFIG_OF_OPERATOR: Duration = Duration::from_secs(400);
const CONFIG_EVERY: Duration = Duration::from_secs(2);
/// Nothing tells when the file has reached the pod, so a Prometheus without a reloader is asked again.
const RELOAD_EVERY: Duration = Duration::from_secs(15);
/// Prometheus hears of a changed pod at once and hands changes to its scrape pools every five seconds.
const DROPPED: Duration = Duration::from_secs(45);

/// How a wait ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Waited {
    Over,
    /// By the user's word.
    Stopped,
    /// Targets that are not UP in time: which, in words.
    NotUp(String),
    Failed(Error),
}

/// What a wait is about.
pub(super) struct About<'a> {
    pub id: &'a ChangeId,
    pub reviewed: &'a Reviewed,
    /// The object as the write's answer showed it.
    pub wrote: Option<&'a Value>,
    /// Items that are out of this run, so that nothing waits for their targets.
    pub out: &'a BTreeSet<WorkloadRef>,
    /// A later change restarts Prometheus, and its configuration comes with that.
    pub restart_follows: bool,
}

/// What surrounds a run's changes.
pub(super) struct Around<'a> {
    pub session: &'a Session,
    pub target: Arc<mesh::Prometheus>,
    pub watch: Watch,
    pub up_within: Duration,
    pub rollout_within: Duration,
    pub stop: Receiver<bool>,
    pub report: &'a (dyn Fn(ApplyEvent) + Send + Sync),
    /// The run's locks.
    pub guard: Guard,
}

impl Around<'_> {
    pub fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    pub fn step(&self, id: &ChangeId, state: StepState) {
        (self.report)(ApplyEvent::Step {
            id: id.clone(),
            state,
        });
    }

    pub fn log(&self, line: impl AsRef<str>) {
        teller(self.session.clock, self.report)(line.as_ref().to_owned());
    }

    /// Tells the watch what a write may have changed for the targets.
    pub fn touched(&mut self, change: &Change) {
        let live = matches!(
            change.part,
            Part::Policy | Part::Listener | Part::Route | Part::Fix | Part::Undo
        );
        match change.part {
            // The secure targets stay as they are.
            Part::PlaintextJobs => {}
            Part::PrometheusPod | Part::ScrapeJob => self.watch.touched(None, false),
            _ => self.watch.touched(change.item.as_ref(), live),
        }
    }

    /// One of these changes is to Prometheus's own workload, so it will restart.
    pub fn restarted_by(&self, changes: &[ApprovedChange]) -> bool {
        let prometheus = self.target.pod_object();
        changes.iter().any(|c| c.change().object == prometheus)
    }

    /// The last line of a run. Nothing can be done about a failure any more than to say it: without the
    /// line the run counts as cut off, and is offered to be undone.
    pub fn record_end(&self, run: &str, how: &str) {
        let entry = Entry::Ended {
            run: run.to_owned(),
            at: self.session.clock.now(),
            how: how.to_owned(),
        };
        if let Err(error) = self.session.journal.append(&entry) {
            let cause = error.causes.first().map_or("", String::as_str);
            self.log(format!("{}: {cause}", error.what));
        }
    }

    pub async fn wait(&mut self, what: &Await, about: &About<'_>) -> Waited {
        let mut stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop_wanted(&mut stop) => Waited::Stopped,
            waited = self.wait_on(what, about) => waited,
        }
    }

    async fn wait_on(&mut self, what: &Await, about: &About<'_>) -> Waited {
        match what {
            Await::ReadBack => {
                let written = vec![(about.reviewed, about.wrote)];
                match self.read_back(about.id, written).await {
                    Ok(()) => Waited::Over,
                    Err(error) => Waited::Failed(error),
                }
            }
            Await::Settle(time) => {
                self.waiting(about.id, say::ON_ISTIOD);
                tokio::time::sleep(*time).await;
                Waited::Over
            }
            Await::Rollout(workload) => self.rollout(&workload.object(), about.id).await,
            Await::Operated(workload) => self.operated(workload, about).await,
            Await::ConfigLoaded { job, .. } => self.config(&Wanted::Runs(job), about).await,
            Await::ConfigDropped { job, .. } => self.config(&Wanted::Gone(job), about).await,
            Await::LeftOut { jobs, .. } => self.config(&Wanted::LeavesOut(jobs), about).await,
            Await::TargetsUp(items) => {
                let items: Vec<&WorkloadRef> = items
                    .iter()
                    .filter(|item| !about.out.contains(*item))
                    .collect();
                self.targets_up(&items, about.id).await
            }
            Await::TargetsGone(item) => self.targets_gone(item, about.id).await,
        }
    }

    fn waiting(&self, id: &ChangeId, on: impl Into<String>) {
        self.step(id, StepState::waiting(on));
    }

    /// Reads objects back as they were written, beside what the server answered to that.
    pub async fn read_back(
        &self,
        id: &ChangeId,
        written: Vec<(&Reviewed, Option<&Value>)>,
    ) -> Result<(), Error> {
        if let [(one, _)] = written[..]
            && one.change.id == *id
        {
            self.waiting(id, say::ON_READ_BACK);
        } else if !written.is_empty() {
            self.waiting(id, say::ON_POLICIES_READ_BACK);
        }
        let all = written
            .into_iter()
            .map(|(reviewed, wrote)| self.read_one_back(reviewed, wrote));
        futures::future::try_join_all(all).await.map(drop)
    }

    async fn read_one_back(&self, reviewed: &Reviewed, wrote: Option<&Value>) -> Result<(), Error> {
        let object = &reviewed.change.object;
        let deadline = Instant::now() + READ_BACK;
        loop {
            let why = match self.session.cluster.get(object).await {
                Ok(live) => {
                    let same = match (&live, wrote) {
                        (Some(live), Some(wrote)) => {
                            live["metadata"]["resourceVersion"]
                                == wrote["metadata"]["resourceVersion"]
                        }
                        _ => false,
                    };
                    if same || landed(reviewed, live.as_ref()) {
                        return Ok(());
                    }
                    match live {
                        Some(_) => say::DIFFERS.to_owned(),
                        None => say::IS_GONE.to_owned(),
                    }
                }
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                return Err(Error::new(say::not_read_back(object))
                    .cause(why)
                    .hint(say::FIND_WHAT_CHANGES_IT));
            }
            tokio::time::sleep(READ_BACK_EVERY).await;
        }
    }

    /// Waits until the running configuration is as wanted.
    async fn config(&mut self, wanted: &Wanted<'_>, about: &About<'_>) -> Waited {
        let id = &self.target.id;
        let reloads = self.target.reloader || self.target.lifecycle;
        if !reloads && about.restart_follows {
            self.log(say::reads_when_it_restarts(id));
            return Waited::Over;
        }
        let begun = Instant::now();
        let mut reload_at = begun + RELOAD_EVERY;
        loop {
            let plain = |over: bool| match over {
                true => Loaded::Yes,
                false => Loaded::NotYet,
            };
            let state = match wanted {
                Wanted::Runs(job) => self.watch.job_loaded(job).await,
                Wanted::Gone(job) => self.watch.job_dropped(job).await.map(plain),
                Wanted::LeavesOut(jobs) => self.watch.left_out(jobs).await.map(plain),
            };
            let answered = state.is_ok();
            let failed = matches!(state, Ok(Loaded::NoPool(_)));
            let why = match state {
                Ok(Loaded::Yes) => return Waited::Over,
                Ok(Loaded::NotYet) => wanted.not_yet(),
                Ok(Loaded::NoPool(why)) => why,
                Err(why) if self.prometheus_gone().await => return self.gone(wanted, why),
                Err(why) => why,
            };
            if let Wanted::Runs(job) = wanted
                && failed
                && let Some(words) = self.watch.cure_job(job).await
            {
                self.log(words);
            }
            let on = say::a_configmap_takes_time(&wanted.awaited());
            let gone_by = Some(begun.elapsed());
            self.step(about.id, StepState::Waiting { on, gone_by });
            if begun.elapsed() >= self.config_within() {
                return match wanted {
                    Wanted::Runs(job) if !answered => self.unasked(job, why),
                    _ => self.config_late(wanted, why, reloads),
                };
            }
            if !self.target.reloader && self.target.lifecycle && Instant::now() >= reload_at {
                reload_at = Instant::now() + RELOAD_EVERY;
                // A reload that comes too early does no harm; a refused one is said, and the wait goes on.
                if let Err(error) = self.watch.reload().await {
                    self.log(error.what);
                }
            }
            tokio::time::sleep(CONFIG_EVERY).await;
        }
    }

    fn config_within(&self) -> Duration {
        match self.target.pod_home.operated() {
            Some(_) => CONFIG_OF_OPERATOR,
            None => CONFIG,
        }
    }

    /// Was Prometheus itself deleted?
    async fn prometheus_gone(&self) -> bool {
        let object = self.target.id.object();
        matches!(self.session.cluster.get(&object).await, Ok(None))
    }

    fn gone(&self, wanted: &Wanted<'_>, why: String) -> Waited {
        match wanted {
            Wanted::Runs(job) => Waited::Failed(
                Error::new(say::does_not_run_job(&self.target.id, job))
                    .tells(Tells::Gone)
                    .cause(DELETED)
                    .cause(why)
                    .hint(say::SET_IT_UP_AGAIN),
            ),
            Wanted::Gone(_) | Wanted::LeavesOut(_) => Waited::Over,
        }
    }

    /// What Prometheus runs is not known: its log would be the wrong place to look.
    fn unasked(&self, job: &str, why: String) -> Waited {
        let id = &self.target.id;
        Waited::Failed(
            Error::new(say::does_not_answer(id, job))
                .cause(say::after_seconds(self.config_within().as_secs(), &why))
                .hint(say::check_its_pods(&id.namespace)),
        )
    }

    fn config_late(&self, wanted: &Wanted<'_>, why: String, reloads: bool) -> Waited {
        let id = &self.target.id;
        let Wanted::Runs(job) = wanted else {
            // The file is right, and nothing is lost meanwhile.
            self.log(say::until_it_reads_its_file(&why, id));
            return Waited::Over;
        };
        let error = Error::new(say::does_not_run_job(id, job))
            .cause(say::after_seconds(self.config_within().as_secs(), &why));
        Waited::Failed(if reloads {
            error.hint(say::CHECK_ITS_LOG)
        } else {
            error.hint(say::restart_it(
                &id.namespace,
                &id.kind.name().to_lowercase(),
                &id.name,
            ))
        })
    }

    /// Waits until Prometheus has dropped the targets of an item whose annotations are gone. It never holds up the way
    /// back: an annotation that somebody set meanwhile would do so for ever.
    async fn targets_gone(&self, item: &WorkloadRef, id: &ChangeId) -> Waited {
        let deadline = Instant::now() + DROPPED;
        self.waiting(id, say::on_targets_dropped(item));
        loop {
            let why = match self.watch.dropped(item).await {
                Ok(true) => return Waited::Over,
                Ok(false) => say::still_scrapes(item),
                // Then nothing scrapes any more.
                Err(_) if self.prometheus_gone().await => return Waited::Over,
                Err(why) => why,
            };
            if Instant::now() >= deadline {
                self.log(say::removed_anyway(&why));
                return Waited::Over;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn targets_up(&mut self, items: &[&WorkloadRef], id: &ChangeId) -> Waited {
        if items.is_empty() {
            return Waited::Over;
        }
        self.waiting(id, say::ON_TARGETS_UP);
        let report = self.report;
        let told = teller(self.session.clock, report);
        let deadline = Instant::now() + self.up_within;
        let awaited = Awaited {
            items: Some(items.iter().copied().cloned().collect()),
            ..Awaited::default()
        };
        let tell = |board: Arc<Board>| {
            let lacking = awaited.lacking(&board);
            report(ApplyEvent::Targets { board, lacking });
        };
        let board = self
            .watch
            .until_cured(LOOK_EVERY, deadline, &tell, Some(&told), |board| {
                awaited.is_met(board)
            })
            .await;
        match lacking(&board, &awaited) {
            None => Waited::Over,
            Some(why) => Waited::NotUp(why),
        }
    }
}

/// Logs, also while what surrounds the run is at work.
pub(super) fn teller<'a>(
    clock: Clock,
    report: &'a (dyn Fn(ApplyEvent) + Send + Sync),
) -> impl Fn(String) + Send + Sync + 'a {
    move |line| {
        let now = clock.now().to_zoned(TimeZone::system());
        let line = format!("{}  {line}", now.strftime("%H:%M:%S"));
        report(ApplyEvent::Log(line));
    }
}

/// Comes back when the user says stop, and never where nobody can say it any more.
pub(super) async fn stop_wanted(stop: &mut Receiver<bool>) {
    let nobody = stop.wait_for(|stop| *stop).await.is_err();
    if nobody {
        std::future::pending::<()>().await;
    }
}

/// What the running configuration should come to.
enum Wanted<'a> {
    Runs(&'a str),
    Gone(&'a str),
    LeavesOut(&'a [LeavesOut]),
}

fn names(jobs: &[LeavesOut]) -> String {
    let names: Vec<&str> = jobs.iter().map(|job| job.job.as_str()).collect();
    names.join(", ")
}

impl Wanted<'_> {
    fn awaited(&self) -> String {
        match self {
            Wanted::Runs(job) => say::on_job_run(job),
            Wanted::Gone(job) => say::on_job_dropped(job),
            Wanted::LeavesOut(jobs) => say::on_pods_skipped(&names(jobs)),
        }
    }

    fn not_yet(&self) -> String {
        match self {
            Wanted::Runs(job) => say::job_not_there_yet(job),
            Wanted::Gone(job) => say::job_still_there(job),
            Wanted::LeavesOut(jobs) => {
                let jobs = names(jobs);
                say::still_scrape_plaintext(&jobs)
            }
        }
    }
}

/// Which of the awaited targets are not UP, in words, the gravest first; `None`: all are. Old figures prove nothing.
pub(super) fn lacking(board: &Board, awaited: &Awaited) -> Option<String> {
    if let Some((why, _)) = &board.stale {
        return Some(why.clone());
    }
    if board.at.is_none() {
        return Some(say::TARGETS_NOT_READ.into());
    }
    let up = Awaited {
        items: awaited.items.clone(),
        ..Awaited::default()
    };
    let lacking = up.lacking(board);
    let first = lacking.rows.first()?;
    let wanted = |row: &&Arc<Row>| !row.left_out && up.concerns(&row.expected.item);
    let all = board.rows.iter().filter(wanted).count();
    let not_up = lacking.rows.len() + lacking.more;
    // The gravest come first: where the first is UP, all of them are.
    let said = match first.state {
        State::Up { .. } => say::so_many_not_guarded,
        _ => say::so_many_not_up,
    };
    let why = |row: &Row| match (&row.state, row.guard.faults()) {
        (State::Up { .. }, [fault, ..]) => crate::words::sentence(fault),
        (state, _) => state_words(state),
    };
    let named = lacking.rows.iter().take(NAMED);
    let words: Vec<String> = named
        .map(|row| format!("{}: {}", row.expected.pod, why(row)))
        .collect();
    let mut names = words.join("; ");
    if not_up > NAMED {
        names = say::and_more(&names, not_up - NAMED);
    }
    Some(said(not_up, all, &names))
}

/// So many targets are named.
const NAMED: usize = 3;

fn state_words(state: &State) -> String {
    match state {
        State::Up { .. } => say::UP.into(),
        State::Unsettled { .. } => say::UP_NOT_SETTLED.into(),
        State::Down { error, .. } => say::down(error),
        State::Waiting { on, replica } => crate::words::waits(on, replica.as_deref()),
        State::Plaintext { job } => say::plaintext_by(job),
        State::NotCovered => crate::words::not_covered().to_owned(),
    }
}
