//! Writes what was approved, in its order, waiting between the writes for what the next one rests on.
//!
//! It stops at the first failure. Where somebody can be asked it asks; else it ends part way. A write is
//! never cut: the user's stop is heard between writes and during waits only.

mod control;
mod ending;
mod pace;
mod sending;
mod standing;

pub use control::{Control, Steering};
pub use ending::look;
use standing::Ahead;

use super::event::{ApplyEvent, Decision, Ended, Outcome, StepState};
use super::keep::{self, Keeper, Mirror, Rows};
use super::lock::Guard;
use super::outcome::last_look;
pub use super::outcome::summary;
use super::session::{PART, Session};
use super::steps::{self, Failure, Why, Wrote, title};
use super::waits::{About, Around, Waited, lacking, stop_wanted};
use super::watch::{Beside, Watch, Watched};
use super::{identity, release, runs, settle, undo};
use crate::answers::{Answers, Pace};
use crate::error::{Error, Kind};
use crate::journal::VERSION;
use crate::mesh;
use crate::mesh::kinds::{ObjectRef, WorkloadRef};
use crate::plan::record::Entry;
use crate::plan::review::{Approved, ApprovedChange, PodVerdict};
use crate::plan::{Action, Await, Change, ChangeId, Part};
use crate::targets::{Awaited, Board, Ground, Probe, Row};
use crate::words::say::cluster::REMOVE_READ_ONLY;
use crate::words::say::engine as say;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

#[derive(Clone, Debug)]
pub struct ApplyOptions {
    /// How long targets may take to come UP, each time they are waited for.
    pub timeout: Duration,
    /// How long one rollout may take.
    pub rollout_timeout: Duration,
    /// Ask for plaintext on the secure port; without it nothing is called secured.
    pub probe: bool,
    /// This apply takes that run back; it is then recorded as undone.
    pub undoes: Option<String>,
    /// It takes only a part of it back, so that the run is not called undone.
    pub undoes_part: bool,
    /// What was chosen; kept in the record, so that the run can go on anywhere.
    pub answers: Option<Answers>,
    /// Take the lock even from a run that is at work.
    pub break_lock: bool,
    /// How fast workloads restart.
    pub pace: Pace,
    /// What guards the ports besides the objects of this run.
    pub ground: Ground,
    /// What stands beside the items.
    pub beside: Beside,
    /// Prometheus cannot be asked, and the user wants it written all the same: nothing waits for its word, and what
    /// rests on it is held back.
    pub unproven: bool,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        ApplyOptions {
            timeout: Duration::from_secs(180),
            rollout_timeout: Duration::from_secs(600),
            probe: true,
            undoes: None,
            undoes_part: false,
            answers: None,
            break_lock: false,
            pace: Pace::One,
            ground: Ground::default(),
            beside: Beside::default(),
            unproven: false,
        }
    }
}

/// What has become of a change.
#[derive(Clone, Debug, PartialEq)]
enum Fate {
    Written,
    Unchanged,
    LeftOut,
    Held,
    TakenBack,
}

/// How a walk over the changes ended.
enum Walked {
    ToTheEnd,
    Stopped,
    Failed(Error),
    Undo(Error),
}

/// Only Prometheus's own answers end this wait.
fn asks_prometheus(what: &Await) -> bool {
    matches!(
        what,
        Await::ConfigLoaded { .. }
            | Await::ConfigDropped { .. }
            | Await::LeftOut { .. }
            | Await::TargetsUp(_)
            | Await::TargetsGone(_)
    )
}

/// One change's end, where it is not a failure.
enum Done {
    Fate(Fate),
    /// Its targets did not come UP after it was written: why.
    NotUp(String),
    Stopped,
}

struct Run {
    id: String,
    seq: u32,
    changes: Vec<ApprovedChange>,
    /// Where each change stands among them.
    places: BTreeMap<ChangeId, usize>,
    fates: BTreeMap<ChangeId, Fate>,
    /// Left out by the user after a failure, whether written before it or not; what needs them falls.
    given_up: BTreeSet<ChangeId>,
    /// Its first line is in the journal.
    begun: bool,
    /// The lines of the run that it takes back.
    undone: Vec<Entry>,
    /// The run that it takes back was made in this cluster for certain, or objects of its own stand here.
    counts_as_undone: bool,
    /// The first failure that was answered by leaving a change out.
    left_out_for: Option<Error>,
    take_backs: u32,
    pace: Pace,
    unproven: bool,
    /// Items whose workload went away meanwhile, and how.
    gone: BTreeMap<WorkloadRef, String>,
    /// What a write was sent to.
    sent: BTreeSet<ObjectRef>,
    /// Items whose plaintext scrape was to end and did not, since they were not UP.
    kept_plaintext: BTreeSet<WorkloadRef>,
    /// What failed before its turn, since it was sent together with the one before.
    early: BTreeMap<ChangeId, Failure>,
    /// Policies that were written and are not read back yet, as the server answered: their listener waits for it.
    unread: BTreeMap<ChangeId, Option<Value>>,
    /// Items whose workload was seen to stand.
    seen: BTreeSet<WorkloadRef>,
    /// The next item's workload, asked for while the one before it is written.
    ahead: Option<Ahead>,
    decisions: Option<mpsc::Receiver<Decision>>,
    /// The run that this one takes back.
    undoes: Option<String>,
    /// The rows of locks and record.
    rows: Vec<ApprovedChange>,
    /// Namespaces whose lock is not taken and keeps this run away.
    respected: Vec<String>,
    keeper: Option<Keeper>,
    /// Rows that stood, once the keeper is gone.
    kept: Vec<ChangeId>,
}

/// Applies what was approved and says how it ended; every event goes to `report`, the last one is
/// [`ApplyEvent::Finished`] with the same outcome.
///
/// `watched` are the items whose targets are followed; `target` is the Prometheus that scrapes them.
/// A write in flight goes on to its end even where the returned future is dropped.
pub async fn apply(
    session: &Session,
    approved: Approved,
    target: Arc<mesh::Prometheus>,
    watched: Vec<Watched>,
    options: &ApplyOptions,
    control: Control,
    report: &(dyn Fn(ApplyEvent) + Send + Sync),
) -> Outcome {
    let report = &|event: ApplyEvent| {
        event.log();
        report(event);
    };
    let items: Vec<WorkloadRef> = watched.iter().map(|watched| watched.item.clone()).collect();
    let (session, mirror) = keep::mirrored(session);
    let session = &session;
    let is_row = |change: &ApprovedChange| {
        let change = change.change();
        change.part == Part::Journal && matches!(change.action, Action::Apply { .. })
    };
    let (rows, changes): (Vec<_>, Vec<_>) = approved.changes().iter().cloned().partition(is_row);
    let mut around = Around {
        session,
        watch: Watch::new(session, Arc::clone(&target), watched, options.probe)
            .on(options.ground.clone())
            .beside(options.beside.clone()),
        target,
        up_within: options.timeout,
        rollout_within: options.rollout_timeout,
        stop: control.stop,
        report,
        guard: Guard::default(),
    };
    let ids = changes.iter().map(|change| change.change().id.clone());
    let places = ids.zip(0..).collect();
    let mut run = Run {
        id: approved.run().0.clone(),
        seq: 0,
        places,
        changes,
        fates: BTreeMap::new(),
        given_up: BTreeSet::new(),
        begun: false,
        undone: Vec::new(),
        counts_as_undone: true,
        left_out_for: None,
        take_backs: 0,
        pace: options.pace,
        unproven: options.unproven,
        gone: BTreeMap::new(),
        sent: BTreeSet::new(),
        early: BTreeMap::new(),
        kept_plaintext: BTreeSet::new(),
        unread: BTreeMap::new(),
        seen: BTreeSet::new(),
        ahead: None,
        decisions: control.decisions,
        undoes: options.undoes.clone(),
        rows,
        respected: approved.respected().to_vec(),
        keeper: None,
        kept: Vec::new(),
    };
    if !items.is_empty() {
        // What is UP already is known as such: a policy that changes under it is then told from a first scrape.
        around.watch.look().await;
    }
    let walked = match run
        .begin(&mut around, mirror, approved.context(), options)
        .await
    {
        Ok(true) => run.walk(&mut around).await,
        Ok(false) => Walked::Stopped,
        Err(error) => Walked::Failed(error),
    };
    let ended = run.end(&mut around, walked, options).await;
    let outcome = run.outcome(&mut around, &items, options, ended).await;
    report(ApplyEvent::Finished(outcome.clone()));
    outcome
}

impl Run {
    /// The beginning of the record, the lock, the record in the cluster; `false`: the user said stop.
    async fn begin(
        &mut self,
        around: &mut Around<'_>,
        mirror: Arc<Mirror>,
        context: &str,
        options: &ApplyOptions,
    ) -> Result<bool, Error> {
        let session = around.session;
        if context != session.cluster.context {
            return Err(
                Error::refused(say::reviewed_elsewhere(context, &session.cluster.context))
                    .hint(say::REVIEW_ON_THIS_CLUSTER),
            );
        }
        if session.cluster.read_only {
            return Err(Error::refused(say::NOT_WRITTEN_READ_ONLY).hint(REMOVE_READ_ONLY));
        }
        let cluster = identity::identity(session).await;
        if let (Err(why), None) = (&cluster, &options.undoes) {
            around.log(say::cluster_not_recorded(&why));
        }
        self.counts_as_undone = match &options.undoes {
            Some(undone) => {
                runs::is_of_this_cluster(session, undone, cluster.as_deref().ok()).await
            }
            None => true,
        };
        if let Some(undone) = &options.undoes {
            // The record in the cluster goes with the undo.
            let homes = [around.target.id.namespace.clone()];
            let found = runs::entries(session, &homes, Some(undone)).await;
            self.undone = found.map(|(entries, _)| entries).unwrap_or_default();
        }
        session.journal.append(&Entry::Started {
            version: VERSION,
            run: self.id.clone(),
            at: session.clock.now(),
            context: context.to_owned(),
            cluster: cluster.ok(),
            undoes: options.undoes.clone(),
            prometheus: Some(around.target.id.clone()),
            answers: options.answers.clone().map(Box::new),
            by: Some(Box::new(session.who.clone())),
        })?;
        self.begun = true;
        for change in self.rows.iter().chain(&self.changes) {
            around.step(&change.change().id, StepState::Pending);
        }
        let rows = Rows {
            rows: &self.rows,
            changes: &self.changes,
            respected: &self.respected,
            break_lock: options.break_lock,
        };
        let report = around.report;
        let waiting = |id: &ChangeId, words: String| {
            let state = StepState::waiting(words);
            report(ApplyEvent::Step {
                id: id.clone(),
                state,
            });
        };
        let stop = &mut around.stop;
        self.keeper = Keeper::begin(session, mirror, &self.id, &rows, stop, &waiting).await?;
        let Some(keeper) = &self.keeper else {
            return Ok(false);
        };
        around.guard = keeper.guard();
        for id in &keeper.kept {
            around.step(id, StepState::Done);
        }
        Ok(true)
    }

    async fn walk(&mut self, around: &mut Around<'_>) -> Walked {
        // Changes that are written, and whose rollouts are still to be awaited.
        let mut later: Vec<usize> = Vec::new();
        for at in 0..self.changes.len() {
            let change = self.changes[at].clone();
            let id = &change.change().id;
            if !self.may_overtake(around, at)
                && let Some(end) = self.catch_up(around, &mut later).await
            {
                return end;
            }
            if let Some(keeper) = &mut self.keeper
                && let Err(late) = keeper.flush_if_due().await
            {
                // It says what was planned all the same, and live objects tell the rest.
                around.log(format!("{}: {}", late.what, late.causes.join(", ")));
            }
            if self.falls(around, &change) || self.went(around, change.change()) {
                continue;
            }
            self.look_ahead(around, at);
            let defer = self.pace == Pace::All && self.may_overtake(around, at);
            if let Some(end) = self.through(around, at, defer).await {
                return end;
            }
            let written = self.fates.get(id) == Some(&Fate::Written);
            if written && Run::waits_later(change.change(), defer) {
                later.push(at);
            }
        }
        if let Some(end) = self.catch_up(around, &mut later).await {
            return end;
        }
        Walked::ToTheEnd
    }

    /// One change to its end; `None`: the walk goes on.
    async fn through(&mut self, around: &mut Around<'_>, at: usize, defer: bool) -> Option<Walked> {
        loop {
            // Another one after it was shown anew.
            let change = self.changes[at].clone();
            let id = &change.change().id;
            if around.stopped() {
                return Some(Walked::Stopped);
            }
            let failure = match self.one(around, at, &change, defer).await {
                Ok(Done::Fate(Fate::Written)) if Run::waits_later(change.change(), defer) => {
                    let later = say::ROLLOUT_AT_THE_END;
                    around.step(id, StepState::waiting(later));
                    return None;
                }
                Ok(Done::Fate(fate)) => {
                    self.settle(around, id, fate);
                    return None;
                }
                Ok(Done::Stopped) => return Some(Walked::Stopped),
                Ok(Done::NotUp(why)) => match self.not_up(around, &change, why).await {
                    Ok(()) => return None,
                    Err(error) => error.into(),
                },
                Err(failure) => failure,
            };
            if failure.why == Why::Gone && self.may_fall_alone(around, change.change()) {
                return match self.let_go(around, change.change(), &failure.error).await {
                    Ok(()) => None,
                    Err(error) => Some(Walked::Failed(error)),
                };
            }
            let again = self.shown_again(around, &change, &failure).await;
            let error = self.with_way_back(change.change(), failure.error);
            around.step(id, StepState::Failed(error.clone()));
            around.log(format!("{}: {}", title(change.change()), error.what));
            match self.decide(around, id, &error).await {
                Decision::Retry => {
                    if self.fates.get(id) == Some(&Fate::TakenBack) {
                        self.fates.remove(id);
                    }
                }
                // Without a new look at it there is nothing that the word could be about.
                Decision::Again => {
                    if let Some(again) = again {
                        self.changes[at] = again;
                    }
                }
                Decision::LeaveOut => {
                    self.left_out_for.get_or_insert_with(|| error.clone());
                    self.given_up.insert(id.clone());
                    if self.is_annotation_of_ours(change.change()) {
                        // Left standing it would take its pods out of the old jobs, UP or not.
                        let why = say::skipped(&error.what);
                        let only = BTreeSet::from([id.clone()]);
                        match self.take_back(around, change.change(), &only, why).await {
                            Ok(()) => return None,
                            Err(error) => return Some(Walked::Failed(error)),
                        }
                    }
                    self.fates.entry(id.clone()).or_insert(Fate::LeftOut);
                    around.step(id, StepState::LeftOut);
                    return None;
                }
                Decision::TakeBack => {
                    self.left_out_for.get_or_insert_with(|| error.clone());
                    self.given_up.insert(id.clone());
                    return match self.take_back_item(around, change.change(), &error).await {
                        Ok(()) => None,
                        Err(error) => Some(Walked::Failed(error)),
                    };
                }
                Decision::Undo => return Some(Walked::Undo(error)),
                Decision::Stop => return Some(Walked::Failed(error)),
            }
        }
    }

    fn settle(&mut self, around: &Around<'_>, id: &ChangeId, fate: Fate) {
        match &fate {
            Fate::Written => around.step(id, StepState::Done),
            Fate::Unchanged => around.step(id, StepState::Unchanged),
            // Held and taken back were said with their reasons.
            _ => {}
        }
        self.fates.insert(id.clone(), fate);
    }

    async fn one(
        &mut self,
        around: &mut Around<'_>,
        at: usize,
        approved: &ApprovedChange,
        defer: bool,
    ) -> Result<Done, Failure> {
        let change = approved.change();
        let mut answer: Option<Value> = None;
        if let Some(failure) = self.early.remove(&change.id) {
            return Err(failure);
        }
        // After a retry only what failed is done again: a change that was written is waited for.
        if !self.fates.contains_key(&change.id) {
            let mut lacking = None;
            for what in approved.before() {
                match self.wait(around, &what, at, None).await {
                    Waited::Over => {}
                    Waited::Stopped => return Ok(Done::Stopped),
                    Waited::Failed(error) => return Err(error.into()),
                    Waited::NotUp(why) => lacking = Some(why),
                }
            }
            if around.stopped() {
                return Ok(Done::Stopped);
            }
            if let Err(why) = self.only_what_is_up(around, at, lacking).await {
                around.step(&change.id, StepState::Held(why.clone()));
                around.log(say::is_not_applied(&title(change), &why));
                return Ok(Done::Fate(Fate::Held));
            }
            self.stands(around, approved).await?;
            if change.part == Part::Listener && !self.policies_stand(around, change).await? {
                return Ok(Done::Stopped);
            }
            around.guard.holds().await?;
            answer = self.send(around, at).await?;
        }
        if self.fates.get(&change.id) == Some(&Fate::Written) && Run::waits_later(change, defer) {
            return Ok(Done::Fate(Fate::Written));
        }
        let mut awaited = self.awaited(at);
        awaited.retain(|what| !(self.unproven && asks_prometheus(what)));
        if self.is_read_back_later(at) {
            awaited.retain(|what| *what != Await::ReadBack);
            self.unread.insert(change.id.clone(), answer.take());
        }
        for what in &awaited {
            match self.wait(around, what, at, answer.as_ref()).await {
                Waited::Over => {}
                Waited::Stopped => return Ok(Done::Stopped),
                // Its new pods are refused as those of before were: waiting cannot mend it.
                Waited::Failed(error)
                    if matches!(what, Await::Rollout(_))
                        && matches!(approved.reviewed().pod, Some(PodVerdict::AsBad(_))) =>
                {
                    around.log(format!("{}: {}", title(change), error.what));
                }
                Waited::Failed(error) => return Err(error.into()),
                Waited::NotUp(why) => return Ok(Done::NotUp(why)),
            }
        }
        let fate = self.fates.get(&change.id).cloned();
        Ok(Done::Fate(fate.unwrap_or(Fate::Written)))
    }

    async fn wait(
        &self,
        around: &mut Around<'_>,
        what: &Await,
        at: usize,
        wrote: Option<&Value>,
    ) -> Waited {
        if self.unproven && asks_prometheus(what) {
            let why = say::PROMETHEUS_NOT_QUERIED;
            return Waited::NotUp(why.into());
        }
        let reviewed = self.changes[at].reviewed();
        let mut out = BTreeSet::new();
        if matches!(what, Await::TargetsUp(_)) {
            out = self.items(&[Fate::LeftOut, Fate::TakenBack]);
            out.extend(self.given_up_items());
        }
        let about = About {
            id: &reviewed.change.id,
            reviewed,
            wrote,
            out: &out,
            restart_follows: around.restarted_by(&self.changes[at + 1..]),
        };
        around.wait(what, &about).await
    }

    /// An annotation takes its pod out of the old jobs at once where those leave annotated pods out, so an annotation
    /// whose target does not come UP goes away again: no workload stays unscraped. The run then goes on,
    /// but for a canary, which must not be followed by the others.
    async fn not_up(
        &mut self,
        around: &mut Around<'_>,
        approved: &ApprovedChange,
        why: String,
    ) -> Result<(), Error> {
        let change = approved.change();
        let leaves_old_jobs = change
            .then
            .iter()
            .any(|what| matches!(what, Await::TargetsUp(_)));
        if !(self.is_annotation_of_ours(change) && leaves_old_jobs) {
            return Err(Error::new(say::targets_not_up_within(
                &title(change),
                around.up_within.as_secs(),
            ))
            .cause(why)
            .hint(say::SEE_WHY_NOT_UP));
        }
        let only = BTreeSet::from([change.id.clone()]);
        self.take_back(around, change, &only, why.clone()).await?;
        if self.pace != Pace::Canary {
            return Ok(());
        }
        Err(Error::new(say::undone_as_not_up_within(
            &title(change),
            around.up_within.as_secs(),
        ))
        .cause(why)
        .hint(say::SEE_WHY_NOT_UP))
    }

    /// Written by this run, and on the pods or their template.
    fn is_annotation_of_ours(&self, change: &Change) -> bool {
        self.fates.get(&change.id) == Some(&Fate::Written)
            && matches!(change.part, Part::Annotation | Part::Injection)
    }

    /// Takes these changes of this run back, and waits for the rollout that this means.
    async fn take_back(
        &mut self,
        around: &mut Around<'_>,
        change: &Change,
        only: &BTreeSet<ChangeId>,
        why: String,
    ) -> Result<(), Error> {
        let state = StepState::waiting(say::waits_for_its_undo(&why));
        around.step(&change.id, state);
        self.take_backs += 1;
        let run = format!("{}{PART}{}", self.id, self.take_backs);
        undo::take_back(around, &self.id, &run, Some(only), &mut |_, _| ())
            .await
            .map_err(|error| {
                Error::new(say::could_not_be_undone(&title(change)))
                    .kind(Kind::StoppedPartWay)
                    .cause(&why)
                    .cause(error.what)
                    .hint(say::UNDO_THE_RUN)
            })?;
        around.log(say::was_undone(&title(change), &why));
        for id in only {
            around.step(id, StepState::TakenBack(why.clone()));
            self.fates.insert(id.clone(), Fate::TakenBack);
        }
        Ok(())
    }

    async fn decide(&mut self, around: &Around<'_>, id: &ChangeId, error: &Error) -> Decision {
        let Some(decisions) = &mut self.decisions else {
            return Decision::Stop;
        };
        (around.report)(ApplyEvent::Stopped {
            id: id.clone(),
            error: error.clone(),
        });
        let mut stop = around.stop.clone();
        tokio::select! {
            biased;
            () = stop_wanted(&mut stop) => Decision::Stop,
            decision = decisions.recv() => decision.unwrap_or(Decision::Stop),
        }
    }
}
