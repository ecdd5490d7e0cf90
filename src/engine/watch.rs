//! The watch over the targets of some items: asks the cluster and every Prometheus replica, probes, joins.

pub mod follow;
mod guards;
mod paths;
mod pods;
mod probe;
#[cfg(test)]
mod tests;

use super::session::Session;
use crate::answers::MetricsPort;
use crate::error::Error;
use crate::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
use crate::mesh::{self, OtherPods};
use crate::plan::LeavesOut;
use crate::prometheus::{Prom, Running, Wanted};
use crate::reach::certificates;
use crate::targets::{
    self, About, Board, BoardInput, Expected, Files, Ground, Memory, Replica, Standing,
};
use crate::words::say::engine as say;
use guards::Guards;
use paths::Paths;
use probe::{Memo, Probes};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Discovery needs five seconds to make the pool that a reload is for.
const CURE_EVERY: Duration = Duration::from_secs(30);

/// A workload or gateway whose pods should be scraped over mTLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    pub item: WorkloadRef,
    pub gateway: bool,
    pub port: MetricsPort,
    /// The port inside the pod that this is.
    pub behind: u16,
    /// Labels that its pods carry.
    pub selector: BTreeMap<String, String>,
    /// The template's annotation `secure-port`, where every pod is of that template.
    pub template_port: Option<String>,
}

/// What stands beside the items that are watched.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// Items of which the user wants nothing written: no targets, unless they are such already.
    pub left_out: BTreeSet<WorkloadRef>,
    /// Pods that nothing can be written for.
    pub others: Vec<Arc<OtherPods>>,
    pub memory: SharedMemory,
}

/// What looks leave behind, for several watches over one Prometheus.
#[derive(Clone, Debug, Default)]
pub struct SharedMemory(Arc<Mutex<Memory>>);

impl SharedMemory {
    fn get(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at targets, and remembers what the looks before have shown.
pub struct Watch {
    session: Session,
    prom: Prom,
    target: Arc<mesh::Prometheus>,
    items: Vec<Watched>,
    probe: bool,
    /// Items that the user left out.
    left_out: BTreeSet<WorkloadRef>,
    others: Vec<Arc<OtherPods>>,
    memory: SharedMemory,
    probes: Probes,
    guards: Guards,
    paths: Paths,
    ground: Ground,
    last: Option<Arc<Board>>,
    /// When replicas were reloaded last, since certificates came late.
    cured: Option<Instant>,
}

/// How far every replica has come with a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    Yes,
    /// Some replica's running configuration lacks it.
    NotYet,
    /// Some replica failed to start it, in words: its certificates may come late.
    NoPool(String),
}

/// What one look read.
struct Seen {
    expected: Vec<Expected>,
    replicas: Vec<Replica>,
}

impl Watch {
    /// `probe`: also ask the secure ports in plaintext, through the API server's pod proxy.
    pub fn new(
        session: &Session,
        prometheus: Arc<mesh::Prometheus>,
        items: Vec<Watched>,
        probe: bool,
    ) -> Self {
        Watch {
            prom: Prom::new(session.cluster.clone(), &prometheus),
            target: prometheus,
            session: session.clone(),
            items,
            probe,
            left_out: BTreeSet::new(),
            others: Vec::new(),
            memory: SharedMemory::default(),
            probes: Probes::default(),
            guards: Guards::default(),
            paths: Paths::default(),
            ground: Ground::default(),
            last: None,
            cured: None,
        }
    }

    /// What holds for the whole mesh; without it, no identity is compared.
    pub fn on(mut self, ground: Ground) -> Self {
        self.ground = ground;
        self
    }

    /// What is beside the items: what the user left out, what cannot be secured; and what other watches over the same
    /// Prometheus remember, so that all of them tell the same.
    pub fn beside(mut self, beside: Beside) -> Self {
        self.left_out = beside.left_out;
        self.others = beside.others;
        self.memory = beside.memory;
        self
    }

    /// These are left out from now on.
    pub fn leave_out(&mut self, items: impl IntoIterator<Item = WorkloadRef>) {
        self.left_out.extend(items);
    }

    /// This item (or every one) was changed just now: scrapes begun before count no more.
    /// `policy` when a policy changed, under whatever connections live. A [`look`](Watch::look) before the first
    /// change tells which there are; without it every target found UP right after is held back for a minute.
    pub fn touched(&mut self, item: Option<&WorkloadRef>, policy: bool) {
        let now = self.session.clock.now();
        let items = self.items.iter().map(|watched| &watched.item);
        for touched in items.filter(|known| item.is_none_or(|item| item == *known)) {
            self.memory.get().touched(touched, policy, now);
            self.probes.forget(touched);
            self.guards.forget(&touched.namespace);
        }
    }

    /// One look. Where the cluster or Prometheus cannot be asked, the last board with [`Board::stale`] set:
    /// nothing may be concluded from its figures.
    pub async fn look(&mut self) -> Arc<Board> {
        let board = match self.see().await {
            Ok(seen) => self.join(&seen).await,
            Err((error, expected)) => self.stale(&error, expected),
        };
        let board = Arc::new(board);
        self.last = Some(Arc::clone(&board));
        board
    }

    /// Looks every `every` until `done` or the deadline, and reports each board. `done` is asked of fresh boards only.
    pub async fn until(
        &mut self,
        every: Duration,
        deadline: Instant,
        report: &(dyn Fn(Arc<Board>) + Send + Sync),
        done: impl Fn(&Board) -> bool,
    ) -> Arc<Board> {
        self.until_cured(every, deadline, report, None, done).await
    }

    /// As [`Watch::until`]; a Prometheus whose certificates came late is reloaded meanwhile, and `told` what was done.
    pub async fn until_cured(
        &mut self,
        every: Duration,
        deadline: Instant,
        report: &(dyn Fn(Arc<Board>) + Send + Sync),
        told: Option<&(dyn Fn(String) + Send + Sync)>,
        done: impl Fn(&Board) -> bool,
    ) -> Arc<Board> {
        loop {
            let next = Instant::now() + every;
            let board = self.look().await;
            report(Arc::clone(&board));
            if let Some(told) = told
                && let Some(words) = self.cure_seen().await
            {
                told(words);
            }
            if board.stale.is_none() && done(&board) || Instant::now() >= deadline {
                return board;
            }
            tokio::time::sleep_until(next.min(deadline)).await;
        }
    }

    /// Whether this job runs in every replica: in its running configuration, and at work.
    ///
    /// # Errors
    /// In words what stands in the way: a replica that cannot be asked. It may pass.
    pub async fn job_loaded(&self, job: &str) -> Result<Loaded, String> {
        for pod in self.prom.pods().await.map_err(|e| words(&e))? {
            let running = self.prom.config(&pod).await.map_err(|e| words(&e))?;
            if !running.has(job) {
                return Ok(Loaded::NotYet);
            }
            let pools = self.prom.pools(&pod).await.map_err(|e| words(&e))?;
            if pools.is_some_and(|pools| !pools.iter().any(|pool| pool == job)) {
                return Ok(Loaded::NoPool(say::pool_missing(&pod, job)));
            }
        }
        Ok(Loaded::Yes)
    }

    /// Whether this job is gone from the running configuration of every replica.
    ///
    /// # Errors
    /// A replica that cannot be asked, in words.
    pub async fn job_dropped(&self, job: &str) -> Result<bool, String> {
        self.every_replica_runs(|config| !config.has(job)).await
    }

    /// Whether these jobs leave out these workloads, and nothing for the mark alone, in the running configuration of
    /// every replica.
    ///
    /// # Errors
    /// A replica that cannot be asked, in words.
    pub async fn left_out(&self, jobs: &[LeavesOut]) -> Result<bool, String> {
        self.every_replica_runs(|config| config.leave_out(jobs))
            .await
    }

    /// Are all targets of this item UP, by the last look? An item without a target is not, and old figures prove nothing.
    pub fn is_up(&self, item: &WorkloadRef) -> bool {
        let Some(board) = self.last.as_ref().filter(|board| board.stale.is_none()) else {
            return false;
        };
        let of = |row: &&Arc<targets::Row>| row.expected.item == *item;
        let up = targets::Awaited {
            items: Some([item.clone()].into()),
            ..targets::Awaited::default()
        };
        up.is_met(board) && board.rows.iter().any(|row| of(&row))
    }

    async fn every_replica_runs(&self, wanted: impl Fn(&Running) -> bool) -> Result<bool, String> {
        for pod in self.prom.pods().await.map_err(|e| words(&e))? {
            let running = self.prom.config(&pod).await.map_err(|e| words(&e))?;
            if !wanted(&running) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether no replica has a target of this item's pods in a secure job any more.
    ///
    /// # Errors
    /// The item's pods cannot be listed, or a replica cannot be asked, in words.
    pub async fn dropped(&self, item: &WorkloadRef) -> Result<bool, String> {
        let pods = pods::of(&self.session.cluster, item).await;
        let pods = pods.map_err(|e| words(&e))?;
        let space = item.namespace.as_str();
        let wanted = Arc::new(Wanted::new(pods.iter().map(|pod| (space, pod.as_str()))));
        for replica in self.prom.pods().await.map_err(|e| words(&e))? {
            let running = self.prom.config(&replica).await.map_err(|e| words(&e))?;
            let secure = running.secure();
            if secure.is_empty() {
                continue;
            }
            let targets = self.prom.targets(&replica, &secure, &wanted).await;
            if !targets.map_err(|e| words(&e))?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes every replica read its configuration again (`--web.enable-lifecycle`).
    ///
    /// # Errors
    /// The first replica that refused or could not be asked.
    pub async fn reload(&self) -> Result<(), Error> {
        for pod in self.prom.pods().await? {
            self.prom.reload(&pod).await?;
        }
        Ok(())
    }

    /// What the pod tells of these files; nothing where it cannot be read.
    async fn files(&self, pod: &str, files: &[String]) -> Files {
        // Behind a URL it is known which pod answers where there is one.
        let only = match self.prom.url() {
            None => pod.to_owned(),
            Some(_) => match self.prom.running().await.as_deref() {
                Ok([only]) => only.clone(),
                _ => return Files::Unknown,
            },
        };
        let object = ObjectRef::new(Kind::Pod, &self.target.id.namespace, only);
        match self.session.cluster.get(&object).await {
            Ok(Some(found)) => certificates::files(&found, &self.target.container, files),
            _ => Files::Unknown,
        }
    }

    /// Replicas in which a reload would start this job, since its certificates came after the configuration.
    async fn late(&self, job: &str) -> Result<Vec<String>, Error> {
        let mut late = Vec::new();
        for pod in self.prom.pods().await? {
            let running = self.prom.config(&pod).await?;
            let pools = self.prom.pools(&pod).await?;
            let fails = pools.is_some_and(|pools| !pools.iter().any(|pool| pool == job));
            if running.has(job) && fails {
                let named = running.files(&[job.to_owned()]);
                if self.files(&pod, &named).await == Files::Written {
                    late.push(pod);
                }
            }
        }
        Ok(late)
    }

    /// Secure jobs that a reload would start, in whatever replica; none where that cannot be asked.
    pub async fn late_jobs(&self, pods: &[String]) -> Vec<String> {
        let mut late = BTreeSet::new();
        for pod in pods {
            let Ok(running) = self.prom.config(pod).await else {
                continue;
            };
            let mut failing = running.secure();
            if failing.is_empty() {
                continue;
            }
            let Ok(Some(pools)) = self.prom.pools(pod).await else {
                continue;
            };
            failing.retain(|job| !pools.contains(job));
            if !failing.is_empty()
                && self.files(pod, &running.files(&failing)).await == Files::Written
            {
                late.extend(failing);
            }
        }
        late.into_iter().collect()
    }

    /// Reloads the replicas that loaded this job before its certificates were there. What was done, in words.
    pub async fn cure_job(&mut self, job: &str) -> Option<String> {
        if !self.may_cure() {
            return None;
        }
        let late = self.late(job).await.ok()?;
        self.cure(&late, job).await
    }

    /// The same for what the last look has shown.
    pub async fn cure_seen(&mut self) -> Option<String> {
        let board = self.last.clone().filter(|board| board.stale.is_none())?;
        let late = board.replicas.iter().filter(|r| !r.late.is_empty());
        let pods: Vec<String> = late.clone().map(|replica| replica.pod.clone()).collect();
        if pods.is_empty() || !self.may_cure() {
            return None;
        }
        let jobs: BTreeSet<&str> = late
            .flat_map(|r| r.late.iter().map(String::as_str))
            .collect();
        let jobs: Vec<&str> = jobs.into_iter().collect();
        self.cure(&pods, &jobs.join(", ")).await
    }

    fn may_cure(&self) -> bool {
        let due = self.cured.is_none_or(|at| at.elapsed() >= CURE_EVERY);
        due && self.target.lifecycle && !self.session.cluster.read_only
    }

    async fn cure(&mut self, pods: &[String], jobs: &str) -> Option<String> {
        if pods.is_empty() {
            return None;
        }
        self.cured = Some(Instant::now());
        for pod in pods {
            if let Err(error) = self.prom.reload(pod).await {
                return Some(words(&error));
            }
        }
        Some(say::reloaded(&pods.join(", "), jobs))
    }

    async fn see(&self) -> Result<Seen, (Error, Vec<Expected>)> {
        let cluster = &self.session.cluster;
        let (expected, proms) =
            tokio::join!(pods::expected(cluster, &self.items), self.prom.pods());
        let expected = expected.map_err(|e| (e, Vec::new()))?;
        let proms = match proms {
            Ok(proms) => proms,
            Err(e) => return Err((e, expected)),
        };
        let pods = expected.iter();
        let wanted = Arc::new(Wanted::new(
            pods.map(|one| (&*one.item.namespace, &*one.pod)),
        ));
        let mut replicas = Vec::with_capacity(proms.len());
        let mut failed = None;
        // One after the other: a replica's answer may be 26 MB.
        for pod in proms {
            let replica = match self.replica(&pod, &wanted).await {
                Ok(replica) => replica,
                Err(error) => {
                    let replica = Replica {
                        pod,
                        error: Some(words(&error)),
                        ..Replica::default()
                    };
                    failed.get_or_insert(error);
                    replica
                }
            };
            replicas.push(replica);
        }
        match failed {
            Some(error) if replicas.iter().all(|r| r.error.is_some()) => Err((error, expected)),
            _ => Ok(Seen { expected, replicas }),
        }
    }

    async fn replica(&self, pod: &str, wanted: &Arc<Wanted>) -> Result<Replica, Error> {
        let running = self.prom.config(pod).await?;
        let jobs_loaded = running.secure();
        let pools = self.prom.pools(pod).await?;
        let pools = pools.unwrap_or_else(|| jobs_loaded.clone());
        let failing = jobs_loaded.iter().filter(|job| !pools.contains(job));
        let failing: Vec<String> = failing.cloned().collect();
        let (files, loaded_at) = if failing.is_empty() {
            (Files::Unknown, None)
        } else {
            let named = running.files(&failing);
            tokio::join!(self.files(pod, &named), self.prom.loaded_at(pod))
        };
        // Ours first: see `Memory`.
        let asked_at = Some(self.session.clock.now());
        let now = self.prom.time(pod).await;
        let jobs = [jobs_loaded.clone(), running.old()].concat();
        let targets = if jobs.is_empty() {
            Vec::new()
        } else {
            self.prom.targets(pod, &jobs, wanted).await?
        };
        Ok(Replica {
            pod: pod.to_owned(),
            error: None,
            asked_at,
            now,
            pools,
            files,
            loaded_at,
            reloads: self.target.lifecycle,
            jobs_loaded,
            targets,
        })
    }

    async fn join(&mut self, seen: &Seen) -> Board {
        let now = self.session.clock.now();
        let memory = self.memory.clone();
        memory.get().observe(now, &seen.expected, &seen.replicas);
        let pods: HashSet<&str> = seen.expected.iter().map(|one| one.uid.as_str()).collect();
        self.probes.keep(&pods);
        let cluster = &self.session.cluster;
        self.guards.ask(cluster, &seen.expected, &self.ground).await;
        let standing = self.guards.standing(&seen.expected, &self.ground);
        let mut standing = standing;
        let mut first = self.board(seen, &standing);
        if self.look_closer(&first, &mut standing).await {
            first = self.board(seen, &standing);
        }
        if self.probe_further(&first, &standing).await {
            self.board(seen, &standing)
        } else {
            first
        }
    }

    fn board(&self, seen: &Seen, standing: &HashMap<String, Standing>) -> Board {
        targets::board(&BoardInput {
            now: self.session.clock.now(),
            expected: &seen.expected,
            replicas: &seen.replicas,
            probes: &self.probes.answers(),
            about: &self.about(),
            standing,
            ground: &self.ground,
            left_out: &self.left_out,
            others: &self.others,
            memory: &self.memory.get(),
        })
    }

    fn about(&self) -> HashMap<WorkloadRef, About> {
        let items = self.items.iter().map(|watched| {
            let about = About {
                gateway: watched.gateway,
                port: watched.port,
                ..About::default()
            };
            (watched.item.clone(), about)
        });
        items.collect()
    }

    /// The whole path to what is DOWN, which takes more lists. True: something new was learned.
    async fn look_closer(
        &mut self,
        board: &Board,
        standing: &mut HashMap<String, Standing>,
    ) -> bool {
        let is_down = |row: &&Arc<targets::Row>| matches!(row.state, targets::State::Down { .. });
        let down: Vec<Expected> = board
            .rows
            .iter()
            .filter(is_down)
            .map(|row| row.expected.clone())
            .collect();
        if down.is_empty() {
            return false;
        }
        let cluster = &self.session.cluster;
        let rules = self.paths.rules(cluster, &down, &self.ground).await;
        for one in &down {
            let links = targets::links(one, &rules, &self.ground);
            standing.entry(one.uid.clone()).or_default().links = links;
        }
        true
    }

    /// Plaintext probes where due. True: something new was learned.
    async fn probe_further(&mut self, board: &Board, standing: &HashMap<String, Standing>) -> bool {
        let due: Vec<Expected> = board
            .rows
            .iter()
            .filter(|row| self.probe && targets::may_probe(row))
            .map(|row| &row.expected)
            .filter(|one| self.probes.due(&one.uid))
            .cloned()
            .collect();
        if due.is_empty() {
            return false;
        }
        let cluster = &self.session.cluster;
        let memos: Vec<(String, Memo)> = probe::ask(cluster, due, standing).await;
        self.probes.take(memos);
        true
    }

    fn stale(&self, error: &Error, expected: Vec<Expected>) -> Board {
        let now = self.session.clock.now();
        let why = words(error);
        if let Some(last) = &self.last {
            return targets::stale(Some(last), why, now);
        }
        // Nothing was seen yet: the pods at least are known.
        let standing = self.guards.standing(&expected, &self.ground);
        let seen = Seen {
            expected,
            replicas: Vec::new(),
        };
        let board = self.board(&seen, &standing);
        targets::stale(Some(&board), why, now)
    }
}

/// Looks and reports, until the future is dropped.
pub async fn monitor(mut watch: Watch, every: Duration, report: impl Fn(Arc<Board>) + Send + Sync) {
    loop {
        let next = Instant::now() + every;
        report(watch.look().await);
        tokio::time::sleep_until(next).await;
    }
}

/// An error in one line.
fn words(error: &Error) -> String {
    let mut line = error.what.clone();
    for cause in &error.causes {
        line.push_str(": ");
        line.push_str(cause);
    }
    if let Some(hint) = error.hints.first() {
        line = say::with_a_hint(&line, hint);
    }
    line
}
