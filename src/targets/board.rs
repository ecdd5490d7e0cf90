//! The join: expected pods × replicas × probes × what earlier looks left behind.

use super::memory::Freshness;
use super::{
    About, Board, Counts, Expected, Files, Ground, Guard, Health, Memory, Probe, Replica,
    ReplicaNote, Row, Standing, State, Target, Waits, address, cause, reaching, wait,
};
use crate::mesh::OtherPods;
use crate::mesh::kinds::WorkloadRef;
use crate::problems::Problem;
use crate::words::say::targets as say;
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// One look, with [`Memory`] that has already observed it.
pub struct BoardInput<'a> {
    /// This machine's clock.
    pub now: Timestamp,
    pub expected: &'a [Expected],
    pub replicas: &'a [Replica],
    /// By the pod's uid.
    pub probes: &'a HashMap<String, Probe>,
    pub about: &'a HashMap<WorkloadRef, About>,
    /// By the pod's uid.
    pub standing: &'a HashMap<String, Standing>,
    pub ground: &'a Ground,
    /// Items that the user left out.
    pub left_out: &'a BTreeSet<WorkloadRef>,
    /// Pods beside them that cannot be targets.
    pub others: &'a [Arc<OtherPods>],
    pub memory: &'a Memory,
}

/// Joins one look. Rows come in the order namespace, name, kind, pod.
pub fn board(input: &BoardInput) -> Board {
    let index = Index::of(input);
    let mut rows: Vec<Arc<Row>> = input
        .expected
        .iter()
        .map(|one| Arc::new(index.row(one)))
        .collect();
    rows.sort_unstable_by(|a, b| {
        let (a, b) = (&a.expected, &b.expected);
        let items = a.item.sort_key().cmp(&b.item.sort_key());
        items.then_with(|| a.pod.cmp(&b.pod))
    });
    Board {
        at: Some(input.now),
        counts: Counts::of(&rows),
        rows,
        replicas: input.replicas.iter().map(note).collect(),
        shared_with: input.ground.shared_with.clone(),
        others: input.others.to_vec(),
        stale: None,
    }
}

fn note(replica: &Replica) -> ReplicaNote {
    ReplicaNote {
        pod: replica.pod.clone(),
        error: replica.error.clone(),
        job_loaded: !replica.jobs_loaded.is_empty() && replica.failing().next().is_none(),
        late: match replica.files {
            Files::Written => replica.failing().map(str::to_owned).collect(),
            _ => Vec::new(),
        },
    }
}

impl Counts {
    pub fn of(rows: &[Arc<Row>]) -> Counts {
        let mut counts = Counts::default();
        for row in rows {
            counts.unguarded += usize::from(!row.left_out && !row.guard.faults().is_empty());
            match &row.state {
                _ if row.left_out => counts.left_out += 1,
                State::Up { double } => {
                    let secured = row.is_secured();
                    counts.up += 1;
                    counts.refused += usize::from(secured);
                    counts.double += usize::from(double.is_some());
                    counts.secured += usize::from(secured && double.is_none());
                }
                State::Down { .. } => counts.down += 1,
                State::Unsettled { .. } | State::Waiting { .. } => counts.waiting += 1,
                State::Plaintext { .. } => counts.plaintext += 1,
                State::NotCovered => counts.not_covered += 1,
            }
        }
        counts
    }
}

impl Row {
    /// UP over mTLS, plaintext refused, and what guards the port stands.
    pub fn is_secured(&self) -> bool {
        let up = matches!(self.state, State::Up { .. });
        up && self.probe == Probe::Refused && self.guard.holds()
    }
}

impl Replica {
    /// By a job keyed on the secure port, whatever its name.
    fn is_keyed(&self, target: &Target) -> bool {
        self.jobs_loaded.contains(&target.job)
    }

    /// By such a job, and over mTLS to the pod's own secure port.
    pub(super) fn is_secure(&self, target: &Target, one: &Expected) -> bool {
        self.is_keyed(target) && address::is_secure_port_of(&target.url, one)
    }

    /// Secure jobs in the running configuration that have no pool.
    pub(super) fn failing(&self) -> impl Iterator<Item = &str> {
        let jobs = self.jobs_loaded.iter();
        jobs.filter(|job| !self.pools.contains(job))
            .map(String::as_str)
    }
}

type Key<'a> = (&'a str, &'a str);

/// What one replica shows of the pods.
struct View<'a> {
    replica: &'a Replica,
    /// Targets of jobs keyed on the secure port; where they lead is another question.
    keyed: HashMap<Key<'a>, Vec<&'a Target>>,
    /// Targets over plain HTTP, of whatever job.
    plain: HashMap<Key<'a>, Vec<&'a Target>>,
}

/// What pods of one item have.
#[derive(Clone, Copy, Default)]
struct Siblings {
    sidecar: bool,
    marked: bool,
}

struct Index<'a> {
    input: &'a BoardInput<'a>,
    views: Vec<View<'a>>,
    siblings: HashMap<&'a WorkloadRef, Siblings>,
}

/// What one replica says of one pod.
enum Says {
    Up,
    Unsettled(Timestamp),
    Waiting(Waits),
    Down(String, Option<Box<Problem>>),
}

struct Verdict<'a> {
    replica: &'a Replica,
    target: Option<&'a Target>,
    says: Says,
}

impl<'a> Index<'a> {
    fn of(input: &'a BoardInput<'a>) -> Self {
        let mut siblings: HashMap<&WorkloadRef, Siblings> = HashMap::new();
        for one in input.expected {
            let known = siblings.entry(&one.item).or_default();
            known.sidecar |= one.sidecar;
            known.marked |= one.secure_port.is_some();
        }
        Index {
            input,
            views: input.replicas.iter().map(View::of).collect(),
            siblings,
        }
    }

    fn row(&self, one: &Expected) -> Row {
        let verdicts = self.verdicts(one);
        let seen = verdicts.iter().find(|v| v.target.is_some());
        let state = self.state(one, &verdicts);
        let target = seen.and_then(|v| v.target);
        let scraped = target.filter(|target| target.last_scrape.is_some());
        Row {
            left_out: self.input.left_out.contains(&one.item) && is_no_target(one, &state),
            state,
            probe: self.input.probes.get(&one.uid).cloned().unwrap_or_default(),
            guard: self.guard(one),
            last_scrape: seen.and_then(|v| self.here(v)),
            took: scraped.map(|target| target.took),
            trend: self.input.memory.trend(&one.item.namespace, &one.pod),
            next_scrape: seen.and_then(|v| wait::next(v.target?, self.clock(v.replica))),
            expected: one.clone(),
        }
    }

    /// What is not a target yet needs no guard.
    fn guard(&self, one: &Expected) -> Guard {
        let standing = self.input.standing.get(&one.uid);
        standing.map(|is| is.guard.clone()).unwrap_or_default()
    }

    /// The last scrape by this machine's clock; never later than now.
    fn here(&self, verdict: &Verdict) -> Option<Timestamp> {
        let last = verdict.target?.last_scrape?;
        let now = self.input.now;
        let here = match (verdict.replica.asked_at, verdict.replica.now) {
            (Some(ours), Some(theirs)) => last
                .checked_add(ours.duration_since(theirs))
                .unwrap_or(last),
            _ => last,
        };
        Some(here.min(now))
    }

    /// The replica's own clock; ours where it does not tell.
    fn clock(&self, replica: &Replica) -> Option<Timestamp> {
        replica.now.or(Some(self.input.now))
    }

    fn state(&self, one: &Expected, verdicts: &[Verdict]) -> State {
        let waiting = |on: Waits| State::Waiting { on, replica: None };
        let siblings = self.siblings.get(&one.item).copied().unwrap_or_default();
        let touched = self.input.memory.touched_at(&one.item).is_some();
        if let Some(on) = wait::pod(one) {
            return waiting(on);
        }
        if !one.sidecar && !one.gateway {
            return match (siblings.sidecar, touched) {
                (true, _) => waiting(Waits::OldPod),
                (false, true) => waiting(Waits::Restart),
                (false, false) => State::NotCovered,
            };
        }
        let plain = self.plain(one);
        let by_hand = one.strayed().filter(|_| !touched);
        let by_hand = by_hand.map(|wanted| cause::strayed(one, wanted, plain.as_deref()));
        if let (None, Some((error, cause))) = (&one.secure_port, by_hand.clone()) {
            let cause = Some(Box::new(cause));
            return State::Down { error, cause };
        }
        if one.secure_port.is_none() {
            return match (plain, siblings.marked, touched) {
                (_, true, true) => waiting(Waits::OldPod),
                (Some(job), ..) => State::Plaintext { job },
                (None, true, false) => waiting(Waits::AnnotationLost),
                (None, false, _) => waiting(Waits::Annotation),
            };
        }
        // Nobody reads it over mTLS, and somebody without: whatever is still to come, that is how it is.
        let nobody = |v: &Verdict| {
            v.target.is_none() && v.replica.error.is_none() && v.replica.failing().next().is_none()
        };
        if let (Some(job), false, true) = (&plain, touched, verdicts.iter().all(nobody)) {
            return State::Plaintext { job: job.clone() };
        }
        match self.together(verdicts) {
            State::Up { .. } => State::Up {
                double: self.double(one),
            },
            State::Waiting { .. } if !one.ready => waiting(Waits::Ready),
            State::Down { .. } if !one.ready && self.young(one) => waiting(Waits::Ready),
            // Another port is another listener, or none: what it answers says nothing of the template's.
            State::Waiting { .. } | State::Down { .. } if by_hand.is_some() => {
                let (error, cause) = by_hand.map_or_else(
                    || (String::new(), None),
                    |(error, cause)| (error, Some(Box::new(cause))),
                );
                State::Down { error, cause }
            }
            state => state,
        }
    }

    fn young(&self, one: &Expected) -> bool {
        self.input.memory.age(&one.uid, self.input.now) < wait::START_PATIENCE
    }

    /// UP only where every replica says so; the gravest of what they say otherwise.
    fn together(&self, verdicts: &[Verdict]) -> State {
        let all = verdicts.len();
        let worst = verdicts.iter().max_by_key(|v| v.says.gravity());
        let Some(worst) = worst else {
            return State::Waiting {
                on: Waits::NoPrometheus,
                replica: None,
            };
        };
        let same = |v: &&Verdict| v.says.gravity() == worst.says.gravity();
        // Named only where the replicas disagree.
        let name = (verdicts.iter().filter(same).count() < all).then_some(&worst.replica.pod);
        let named = |text: &str| match name {
            Some(pod) => format!("{text} ({pod})"),
            None => text.to_owned(),
        };
        match &worst.says {
            Says::Up => State::Up { double: None },
            Says::Unsettled(until) => State::Unsettled { until: *until },
            Says::Waiting(on) => State::Waiting {
                on: on.clone(),
                replica: name.cloned(),
            },
            Says::Down(error, cause) => State::Down {
                error: named(error),
                cause: cause.clone(),
            },
        }
    }

    fn verdicts(&self, one: &Expected) -> Vec<Verdict<'a>> {
        self.views
            .iter()
            .map(|view| {
                let keyed = view.keyed.get(&(&*one.item.namespace, &*one.pod));
                let keyed = keyed.map_or(&[][..], Vec::as_slice);
                let said = keyed
                    .iter()
                    .filter(|target| view.replica.is_secure(target, one))
                    .map(|target| (Some(*target), self.of_target(one, view.replica, target)));
                // Several secure jobs may carry the pod: the gravest counts.
                let (target, says) =
                    said.max_by_key(|(_, says)| says.gravity())
                        .unwrap_or_else(|| match keyed.first() {
                            Some(other) if view.replica.error.is_none() => {
                                (None, elsewhere(one, other))
                            }
                            _ => (None, self.without_target(one, view.replica)),
                        });
                Verdict {
                    replica: view.replica,
                    target,
                    says,
                }
            })
            .collect()
    }

    fn without_target(&self, one: &Expected, replica: &Replica) -> Says {
        let (memory, now) = (self.input.memory, self.input.now);
        if let Some(error) = &replica.error {
            return Says::Waiting(Waits::Answer {
                replica: replica.pod.clone(),
                error: error.clone(),
            });
        }
        if replica.jobs_loaded.is_empty() {
            return Says::Waiting(wait::config(memory.touched_at(&one.item), now));
        }
        let Some(job) = replica.failing().next() else {
            return Says::Waiting(wait::discovery(one, memory, now));
        };
        // How long this program has looked on, or since Prometheus loaded it, whichever is more.
        let since = replica.loaded_at.zip(replica.now);
        let since = since.map_or(Duration::ZERO, |(at, now)| super::memory::gone_by(at, now));
        let gone_by = memory.failing_for(&replica.pod, job, now).max(since);
        let patience = match replica.files {
            Files::Written => wait::POOL_DUE,
            _ => wait::POOL_PATIENCE,
        };
        if gone_by < patience {
            return Says::Waiting(wait::pool(gone_by, &replica.files));
        }
        Says::Down(
            say::pool_failed(job),
            Some(Box::new(cause::failed_pool(
                one.subject(),
                &replica.files,
                replica.reloads,
            ))),
        )
    }

    fn of_target(&self, one: &Expected, replica: &Replica, target: &Target) -> Says {
        let now = self.input.now;
        if replica.error.is_some() {
            return self.without_target(one, replica);
        }
        let next = wait::next(target, self.clock(replica));
        if target.health == Health::Unknown || target.last_scrape.is_none() {
            return Says::Waiting(Waits::FirstScrape { next });
        }
        let freshness = self
            .input
            .memory
            .freshness(&one.item, &replica.pod, target, now);
        match (freshness, target.health) {
            (Freshness::Old, health) => {
                let error = cause::group(&target.last_error);
                let failed = health == Health::Down && !error.is_empty();
                Says::Waiting(Waits::ScrapeAfterChange {
                    next,
                    error: failed.then(|| error.to_string()),
                })
            }
            (Freshness::Settling, Health::Up) => Says::Waiting(Waits::PolicySettles),
            (Freshness::Unsettled(until), Health::Up) => Says::Unsettled(until),
            (Freshness::Fresh, Health::Up) => Says::Up,
            (_, _) => {
                let mut about = self.input.about.get(&one.item).copied().unwrap_or_default();
                about.gateway = one.gateway;
                about.port = one.port;
                about.behind = one.behind;
                let standing = self.input.standing.get(&one.uid);
                about.policy = standing.map(|is| is.policy).unwrap_or_default();
                let faults = standing.map_or(&[][..], |is| is.guard.faults());
                // An object that is gone is the cause, whatever the error looks like.
                let fault = faults.iter().find(|fault| fault.breaks_scrapes());
                let links = standing.map_or(&[][..], |is| &is.links[..]);
                let known = || {
                    let by_objects = reaching::cause(links, &target.last_error, one);
                    let by_error = || cause::cause(&target.last_error, one.subject(), &about);
                    by_objects.or_else(by_error)
                };
                Says::Down(
                    cause::group(&target.last_error),
                    fault.cloned().or_else(known).map(Box::new),
                )
            }
        }
    }

    fn plain(&self, one: &Expected) -> Option<String> {
        self.plain_targets(one).next().map(|t| t.job.clone())
    }

    /// The same figures again, in plaintext: the proxy's own ports. An application's own port is something else.
    fn double(&self, one: &Expected) -> Option<String> {
        self.plain_targets(one)
            .find(|target| address::is_proxys_port(target, one))
            .map(|target| target.job.clone())
    }

    fn plain_targets(&self, one: &Expected) -> impl Iterator<Item = &'a Target> {
        let mut found: Vec<&'a Target> = Vec::new();
        for view in &self.views {
            let here = view.plain.get(&(&*one.item.namespace, &*one.pod));
            found.extend(here.into_iter().flatten().copied());
        }
        found.into_iter()
    }
}

/// A secure job has a target for the pod that proves nothing of its secure port.
fn elsewhere(one: &Expected, target: &Target) -> Says {
    let mut error = say::target_is(&target.url);
    if !target.last_error.is_empty() {
        error = format!("{error}: {}", cause::group(&target.last_error));
    }
    Says::Down(error, Some(Box::new(cause::elsewhere(one))))
}

impl<'a> View<'a> {
    fn of(replica: &'a Replica) -> Self {
        let mut view = View {
            replica,
            keyed: HashMap::new(),
            plain: HashMap::new(),
        };
        for target in &replica.targets {
            let key = (&*target.namespace, &*target.pod);
            if address::is_plaintext(target) && target.health == Health::Up {
                view.plain.entry(key).or_default().push(target);
            } else if replica.is_keyed(target) {
                view.keyed.entry(key).or_default().push(target);
            }
        }
        view
    }
}

impl Says {
    fn gravity(&self) -> u8 {
        match self {
            Says::Up => 0,
            Says::Unsettled(_) => 1,
            Says::Waiting(_) => 2,
            Says::Down(..) => 3,
        }
    }
}

/// Nothing scrapes it over mTLS, and nothing is under way to: what an earlier run secured is a target, left out or not.
fn is_no_target(one: &Expected, state: &State) -> bool {
    match state {
        State::NotCovered | State::Plaintext { .. } => true,
        State::Waiting { .. } => one.secure_port.is_none(),
        State::Up { .. } | State::Unsettled { .. } | State::Down { .. } => false,
    }
}

/// A board that shows nothing new: what was last seen, why it is old, and since when.
pub fn stale(last: Option<&Board>, why: String, now: Timestamp) -> Board {
    let mut board = last.cloned().unwrap_or_default();
    let since = match &board.stale {
        Some((_, since)) => *since,
        None => board.at.unwrap_or(now),
    };
    board.stale = Some((why, since));
    board
}

/// Whether a scrape of this row may be followed by a plaintext probe.
pub fn may_probe(row: &Row) -> bool {
    matches!(row.state, State::Up { .. }) && !row.expected.pod.is_empty()
}

/// The wait until the next scrape of any row; for the head of the table.
pub fn next_scrape(board: &Board) -> Option<Duration> {
    board.rows.iter().filter_map(|row| row.next_scrape).min()
}
