//! What earlier looks left behind: which scrapes are older than a change, and how long scrapes took.
//!
//! Times of Prometheus are compared with Prometheus's own clock alone, times of this machine with this machine's:
//! a skew between them makes nothing fresh that is old.

use super::{Expected, Health, Replica, TREND, Target};
use crate::mesh::kinds::WorkloadRef;
use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// How long a connection from before a policy change may live on and show UP (facts: 45 to 60 s).
pub(super) const SETTLING: SignedDuration = SignedDuration::from_secs(60);

/// Kept between looks; empty at the start.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    touches: HashMap<WorkloadRef, Touch>,
    /// By namespace and pod.
    trends: HashMap<(String, String), Trend>,
    /// When a pod was first seen, by uid.
    pods: HashMap<String, Timestamp>,
    /// Since when a replica has had a job without its pool.
    failing: HashMap<(String, String), Timestamp>,
    /// Pods that were UP at the last look; `None`: there has been none.
    up: Option<HashMap<WorkloadRef, HashSet<String>>>,
}

#[derive(Clone, Debug)]
struct Touch {
    /// This machine's clock.
    at: Timestamp,
    policy: Option<Timestamp>,
    /// Pods of the item that were UP when the policy changed.
    live: HashSet<String>,
    /// No look came before the change: what is UP at the first one after it may have been so before.
    unknown: bool,
    /// What each replica showed at its first look after the change.
    bases: HashMap<String, Base>,
    /// The same, taken once the policy has settled: what was UP all along has to be UP once more.
    settled: HashMap<String, Base>,
}

#[derive(Clone, Debug)]
struct Base {
    /// The change by the replica's own clock, or a moment later.
    since: Option<Timestamp>,
    seen: HashMap<(String, String), Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    last: Option<Timestamp>,
    /// Scrapes since the base, as far as looks have shown them.
    newer: u32,
}

#[derive(Clone, Debug, Default)]
struct Trend {
    last: Option<Timestamp>,
    took: Vec<f32>,
}

/// Whether what a target shows belongs to the item as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    Fresh,
    /// The scrape may have begun before the change.
    Old,
    /// A policy changed under a live connection.
    Unsettled(Timestamp),
    /// The minute is over, a scrape since has yet to come.
    Settling,
}

impl Memory {
    /// The item was changed at `now`; `policy` when a policy changed, under whatever connections live.
    /// Without a look before it, every target that the next one finds UP counts as such a connection.
    pub fn touched(&mut self, item: &WorkloadRef, policy: bool, now: Timestamp) {
        let earlier = self.touches.remove(item);
        let (mut since, mut live) = earlier
            .and_then(|touch| Some((touch.policy?, touch.live)))
            .filter(|(since, _)| now.duration_since(*since) < SETTLING)
            .map_or((None, HashSet::new()), |(at, live)| (Some(at), live));
        if policy {
            since = Some(now);
            let up = self.up.as_ref().and_then(|up| up.get(item));
            live.extend(up.into_iter().flatten().cloned());
        }
        let touch = Touch {
            at: now,
            policy: since,
            live,
            unknown: self.up.is_none(),
            bases: HashMap::new(),
            settled: HashMap::new(),
        };
        self.touches.insert(item.clone(), touch);
    }

    /// When the item was changed last, by this machine's clock.
    pub fn touched_at(&self, item: &WorkloadRef) -> Option<Timestamp> {
        self.touches.get(item).map(|touch| touch.at)
    }

    /// Takes in one look. Replicas that could not be asked leave everything as it was.
    pub fn observe(&mut self, now: Timestamp, expected: &[Expected], replicas: &[Replica]) {
        let asked: Vec<&Replica> = replicas.iter().filter(|r| r.error.is_none()).collect();
        let mut items: HashMap<(&str, &str), &Expected> = HashMap::new();
        for one in expected {
            items.insert((&one.item.namespace, &one.pod), one);
            self.pods.entry(one.uid.clone()).or_insert(now);
        }
        let mut up: HashMap<WorkloadRef, HashSet<String>> = HashMap::new();
        for replica in &asked {
            let mut of: HashMap<&WorkloadRef, Vec<&Target>> = HashMap::new();
            for target in &replica.targets {
                let Some(one) = items.get(&(&*target.namespace, &*target.pod)) else {
                    continue;
                };
                if !replica.is_secure(target, one) {
                    continue;
                }
                of.entry(&one.item).or_default().push(target);
                if target.health == Health::Up {
                    let pods = up.entry(one.item.clone()).or_default();
                    pods.insert(target.pod.clone());
                }
            }
            for (item, touch) in &mut self.touches {
                touch.observe(
                    now,
                    replica,
                    of.get(item).map(Vec::as_slice).unwrap_or_default(),
                );
            }
        }
        if !asked.is_empty() {
            self.up = Some(up);
        }
        self.observe_pools(now, &asked);
        self.observe_trends(&asked, &items);
        let here: HashSet<&str> = expected.iter().map(|one| one.uid.as_str()).collect();
        self.pods.retain(|uid, _| here.contains(uid.as_str()));
        self.trends
            .retain(|(ns, pod), _| items.contains_key(&(ns.as_str(), pod.as_str())));
    }

    fn observe_pools(&mut self, now: Timestamp, asked: &[&Replica]) {
        let mut failing = HashMap::new();
        for replica in asked {
            for job in replica.failing() {
                let key = (replica.pod.clone(), job.to_owned());
                let since = self.failing.get(&key).copied().unwrap_or(now);
                failing.insert(key, since);
            }
        }
        self.failing = failing;
    }

    /// The trend follows the first replica that scrapes the pod by a secure job.
    fn observe_trends(&mut self, asked: &[&Replica], items: &HashMap<(&str, &str), &Expected>) {
        let mut done = HashSet::new();
        for replica in asked {
            for target in &replica.targets {
                let one = items.get(&(&*target.namespace, &*target.pod));
                if !one.is_some_and(|one| replica.is_secure(target, one)) {
                    continue;
                }
                let key = (target.namespace.clone(), target.pod.clone());
                if target.last_scrape.is_none() || !done.insert(key.clone()) {
                    continue;
                }
                let trend = self.trends.entry(key).or_default();
                if trend.last != target.last_scrape {
                    trend.last = target.last_scrape;
                    trend.took.push(target.took.as_secs_f32());
                    let over = trend.took.len().saturating_sub(TREND);
                    trend.took.drain(..over);
                }
            }
        }
    }

    pub(super) fn trend(&self, namespace: &str, pod: &str) -> Vec<f32> {
        let key = (namespace.to_owned(), pod.to_owned());
        self.trends
            .get(&key)
            .map(|trend| trend.took.clone())
            .unwrap_or_default()
    }

    /// How long the pod has been known here.
    pub(super) fn age(&self, uid: &str, now: Timestamp) -> Duration {
        self.pods
            .get(uid)
            .map_or(Duration::ZERO, |first| gone_by(*first, now))
    }

    /// How long the replica has had this job without its pool.
    pub(super) fn failing_for(&self, replica: &str, job: &str, now: Timestamp) -> Duration {
        let key = (replica.to_owned(), job.to_owned());
        self.failing
            .get(&key)
            .map_or(Duration::ZERO, |first| gone_by(*first, now))
    }

    pub(super) fn freshness(
        &self,
        item: &WorkloadRef,
        replica: &str,
        target: &Target,
        now: Timestamp,
    ) -> Freshness {
        let Some(touch) = self.touches.get(item) else {
            return Freshness::Fresh;
        };
        let Some(base) = touch.bases.get(replica) else {
            return Freshness::Old;
        };
        let fresh = base.fresh(target);
        let Some(until) = touch.until().filter(|_| touch.live.contains(&target.pod)) else {
            return if fresh {
                Freshness::Fresh
            } else {
                Freshness::Old
            };
        };
        let again = touch.settled.get(replica);
        match (now < until, fresh) {
            (_, false) => Freshness::Old,
            (true, true) => Freshness::Unsettled(until),
            (false, true) if again.is_some_and(|base| base.fresh(target)) => Freshness::Fresh,
            (false, true) => Freshness::Settling,
        }
    }
}

impl Touch {
    fn until(&self) -> Option<Timestamp> {
        self.policy
            .map(|at| at.saturating_add(SETTLING).unwrap_or(at))
    }

    fn observe(&mut self, now: Timestamp, replica: &Replica, targets: &[&Target]) {
        let over = self.until().is_none_or(|until| now >= until);
        let first = !self.bases.contains_key(&replica.pod);
        if first && !over && self.unknown {
            let up = targets.iter().filter(|t| t.health == Health::Up);
            self.live.extend(up.map(|t| t.pod.clone()));
        }
        look(&mut self.bases, replica, targets, self.at);
        if let Some(until) = self.until().filter(|_| over) {
            look(&mut self.settled, replica, targets, until);
        }
    }
}

/// The first look makes the base, those after it tell what is newer.
fn look(
    bases: &mut HashMap<String, Base>,
    replica: &Replica,
    targets: &[&Target],
    since: Timestamp,
) {
    match bases.get_mut(&replica.pod) {
        Some(base) => base.observe(targets),
        None => drop(bases.insert(replica.pod.clone(), Base::new(replica, targets, since))),
    }
}

impl Base {
    /// `since` by this machine's clock. Both clocks were read at one moment, ours first: carried over to the
    /// replica's, the change comes out no earlier than it was.
    fn new(replica: &Replica, targets: &[&Target], since: Timestamp) -> Self {
        let seen = targets.iter().map(|target| {
            let seen = Seen {
                last: target.last_scrape,
                newer: 0,
            };
            (key(target), seen)
        });
        let theirs = replica.now.zip(replica.asked_at).and_then(|(now, asked)| {
            let gone = asked.duration_since(since).max(SignedDuration::ZERO);
            now.checked_sub(gone).ok()
        });
        Base {
            since: theirs,
            seen: seen.collect(),
        }
    }

    fn observe(&mut self, targets: &[&Target]) {
        for target in targets {
            if let Some(seen) = self.seen.get_mut(&key(target))
                && seen.last != target.last_scrape
            {
                seen.last = target.last_scrape;
                seen.newer += 1;
            }
        }
    }

    /// Begun after the change. Where Prometheus does not tell its time: a target that came later, or the second new
    /// scrape, since the first may have been under way.
    fn fresh(&self, target: &Target) -> bool {
        match (self.since, target.last_scrape) {
            (Some(since), Some(last)) => last > since,
            _ => self
                .seen
                .get(&key(target))
                .is_none_or(|seen| seen.newer >= 2),
        }
    }
}

fn key(target: &Target) -> (String, String) {
    (target.pod.clone(), target.url.clone())
}

/// Never negative.
pub(super) fn gone_by(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}
