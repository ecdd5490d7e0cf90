//! The targets that the jobs of a Prometheus make of a pod, before a plan and after it, and what of them differs.

use super::discovery::{Pod, Service};
use super::job::Job;
use super::relabel::Unknown;
use super::scrape::{Around, Discovered, Target};
use crate::mesh::kinds::WorkloadRef;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Labels that differ between two jobs by their nature.
const OF_THE_JOB: [&str; 2] = ["job", "instance"];

/// One scrape of a pod by a job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scrape {
    /// Its `job_name`.
    pub job: Arc<str>,
    pub target: Target,
}

impl Scrape {
    pub fn is_plain(&self) -> bool {
        self.target.scheme == "http"
    }

    /// Over TLS, at this port of the pod's own address.
    pub fn is_secure(&self, ip: &str, port: u16) -> bool {
        self.target.scheme == "https" && self.target.place() == (ip, Some(port))
    }

    /// Job, scheme and port: what tells two scrapes of one pod apart.
    fn key(&self) -> (&str, &str, Option<u16>, &str) {
        let target = &self.target;
        (&self.job, &target.scheme, target.place().1, &target.path)
    }
}

/// A label of a series that changes its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LabelChange {
    pub name: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Pods of one workload that fare alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    pub item: WorkloadRef,
    /// It was chosen, so that a secure target is to come.
    pub chosen: bool,
    /// How many there are; 0: none runs, and this is the pod that the template makes.
    pub pods: usize,
    /// One of them, and its address.
    pub pod: String,
    pub ip: String,
    pub before: BTreeSet<Scrape>,
    pub after: BTreeSet<Scrape>,
}

/// What Prometheus's ServiceAccount may not list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unlisted {
    /// All pods at once, as one of the jobs lists them, rather than those of the workload's namespace.
    pub everywhere: bool,
    pub jobs: BTreeSet<String>,
}

/// What is known before a plan is applied of the targets after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    pub prometheus: WorkloadRef,
    /// Its ServiceAccount, with its namespace.
    pub account: String,
    /// The port over which chosen workloads are to be scraped.
    pub port: u16,
    /// Chosen workloads, and the others whose targets change.
    pub outlooks: Vec<Outlook>,
    /// Jobs whose targets cannot be computed, and why.
    pub unknown: BTreeMap<String, Unknown>,
    /// Plaintext scrapes of chosen workloads, by jobs whose targets carry no labels of the pod: workload, job, ports.
    pub elsewhere: Vec<(WorkloadRef, String, Vec<u16>)>,
    /// Ended scrapes of apps at ports that the agent does not ask, so that the merged metrics lack them.
    pub unasked: Vec<(WorkloadRef, String, Vec<u16>)>,
    /// Chosen workloads whose pods no secure job may list.
    pub unlisted: BTreeMap<WorkloadRef, Unlisted>,
    /// What reads series by the label of a job whose scrapes the plan ends, by job.
    pub readers: BTreeMap<String, Vec<String>>,
    /// Why the configuration after the plan cannot be told; the targets after it are those of before then.
    pub unread: Option<String>,
}

impl Outlook {
    /// The scrapes that the plan is for.
    pub fn secure(&self, port: u16) -> impl Iterator<Item = &Scrape> {
        let after = self.after.iter();
        after.filter(move |scrape| scrape.is_secure(&self.ip, port))
    }

    /// Scrapes of today that are no more, and that none over TLS takes over.
    pub fn lost(&self, port: u16) -> Vec<&Scrape> {
        if self.secure(port).next().is_some() {
            return Vec::new();
        }
        let goes = |one: &&Scrape| !self.after.iter().any(|after| after.key() == one.key());
        self.before.iter().filter(goes).collect()
    }

    /// How the labels of the series change, with the scrape of today that is taken over: the one that differs least.
    /// `None`: nothing of today goes over into a secure scrape.
    pub fn relabelled(&self, port: u16) -> Option<(&Scrape, Vec<LabelChange>)> {
        let secure = self.secure(port).next()?;
        let all = self.before.iter().filter(|scrape| scrape.is_plain());
        // Envoy's own port says less of the app than any other does.
        let of = |scrape: &&Scrape| {
            let changes = changes(&scrape.target, &secure.target);
            (scrape.target.place().1 == Some(15090), changes.len())
        };
        let closest = all.min_by_key(of)?;
        Some((closest, changes(&closest.target, &secure.target)))
    }

    /// Nothing changes but what was chosen to.
    pub fn is_still(&self) -> bool {
        !self.chosen && self.before == self.after
    }
}

/// A scrape without the pod: what many pods have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    pub job: Arc<str>,
    pub scheme: String,
    pub port: Option<u16>,
    pub path: String,
}

impl From<&Scrape> for Way {
    fn from(of: &Scrape) -> Self {
        Way {
            job: Arc::clone(&of.job),
            scheme: of.target.scheme.clone(),
            port: of.target.place().1,
            path: of.target.path.clone(),
        }
    }
}

/// Workloads whose targets change alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    pub items: Vec<&'a WorkloadRef>,
    pub pods: usize,
    pub ended: Vec<Way>,
    pub begun: Vec<Way>,
    pub stays: Vec<Way>,
    /// Of the scrape that goes over into the secure one; with values where they are the same for all.
    pub labels: Vec<LabelChange>,
}

impl Forecast {
    /// In the order of their first workloads.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for outlook in &self.outlooks {
            let ways =
                |of: &BTreeSet<Scrape>| -> BTreeSet<Way> { of.iter().map(Way::from).collect() };
            let (before, after) = (ways(&outlook.before), ways(&outlook.after));
            let of = Group {
                items: vec![&outlook.item],
                pods: outlook.pods,
                ended: before.difference(&after).cloned().collect(),
                begun: after.difference(&before).cloned().collect(),
                stays: before.intersection(&after).cloned().collect(),
                labels: outlook
                    .relabelled(self.port)
                    .map_or(Vec::new(), |(_, all)| all),
            };
            let alike = |one: &&mut Group| {
                let names = |of: &Group| -> Vec<(String, bool, bool)> {
                    let all = of.labels.iter();
                    all.map(|one| (one.name.clone(), one.before.is_some(), one.after.is_some()))
                        .collect()
                };
                (&one.ended, &one.begun, &one.stays) == (&of.ended, &of.begun, &of.stays)
                    && names(one) == names(&of)
            };
            match groups.iter_mut().find(alike) {
                Some(group) => {
                    if group.items.last() != of.items.first() {
                        group.items.extend(of.items);
                    }
                    group.pods += of.pods;
                    for (known, other) in group.labels.iter_mut().zip(of.labels) {
                        for (known, other) in [
                            (&mut known.before, other.before),
                            (&mut known.after, other.after),
                        ] {
                            if *known != other && known.is_some() {
                                *known = Some(String::new());
                            }
                        }
                    }
                }
                None => groups.push(of),
            }
        }
        groups
    }
}

fn changes(before: &Target, after: &Target) -> Vec<LabelChange> {
    let names: BTreeSet<&String> = before.labels.keys().chain(after.labels.keys()).collect();
    names
        .into_iter()
        .filter(|name| !OF_THE_JOB.contains(&name.as_str()))
        .filter_map(|name| {
            let (old, new) = (before.labels.get(name), after.labels.get(name));
            (old != new).then(|| LabelChange {
                name: name.clone(),
                before: old.cloned(),
                after: new.cloned(),
            })
        })
        .collect()
}

/// All targets that these jobs make of a pod. `services`: those that lead to it, at least.
pub fn scrapes<'a>(
    jobs: impl IntoIterator<Item = (&'a Arc<str>, &'a Job)>,
    pod: &Pod,
    around: Around<'_>,
    services: &[&Service],
    unknown: &mut BTreeMap<String, Unknown>,
) -> BTreeSet<Scrape> {
    let mut discovered = Discovered::of(pod, around, services.iter().copied());
    let mut found = BTreeSet::new();
    for (name, job) in jobs.into_iter().filter(|(_, job)| job.may_find_pods()) {
        if let Some(why) = job.elsewhere() {
            unknown
                .entry(name.to_string())
                .or_insert_with(|| why.clone());
        }
        match discovered.targets(job) {
            Ok(targets) => found.extend(targets.into_iter().map(|target| Scrape {
                job: Arc::clone(name),
                target,
            })),
            Err(why) => _ = unknown.entry(name.to_string()).or_insert(why),
        }
    }
    found
}
