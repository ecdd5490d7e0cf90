//! What a Prometheus itself says that it scrapes, laid over what its jobs were computed to scrape.

use super::kinds::WorkloadRef;
use super::scraped::foremost;
use super::{Gateway, Mesh, Pod, ScrapedBy, Workload};
use crate::problems::Problem;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Discovery sends updates every 5 s and a file reaches a pod within about a minute; what is younger is no difference.
const SETTLED: Duration = Duration::from_secs(180);

/// One active target, wherever its job has it from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Observed {
    /// Its scrape pool.
    pub job: Arc<str>,
    pub scheme: Scheme,
    /// Without brackets.
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    Http,
    Https,
}

/// A recording or alerting rule that it evaluates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub group: String,
    pub name: String,
    /// PromQL
    pub query: String,
}

/// The targets that one Prometheus reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    pub of: WorkloadRef,
    /// Of all its replicas.
    pub targets: Arc<[Observed]>,
    /// Empty where it could not be asked for them, too.
    pub rules: Arc<[Rule]>,
    pub at: jiff::Timestamp,
}

/// The mesh with what this Prometheus scrapes in plaintext taken from its own targets, for every workload of which a
/// pod runs. What the evaluation of its jobs says otherwise is among [`Mesh::differences`].
pub fn observe(mesh: &Mesh, seen: &Observation) -> Mesh {
    let mut by_address: HashMap<&str, Vec<&Observed>> = HashMap::new();
    for target in seen.targets.iter().filter(|t| t.scheme == Scheme::Http) {
        by_address.entry(&target.host).or_default().push(target);
    }
    let mut mesh = mesh.clone();
    let mut differences = Vec::new();
    for workload in &mut mesh.workloads {
        if let Some(new) = of_workload(workload, seen, &by_address, &mut differences) {
            *workload = Arc::new(new);
        }
    }
    for gateway in &mut mesh.gateways {
        if let Some(workload) = of_workload(&gateway.workload, seen, &by_address, &mut differences)
        {
            *gateway = Arc::new(Gateway {
                workload,
                ..Gateway::clone(gateway)
            });
        }
    }
    mesh.differences = differences.into();
    mesh.rules_of
        .insert(seen.of.clone(), Arc::clone(&seen.rules));
    mesh
}

/// `None`: it is as it was computed.
fn of_workload(
    workload: &Workload,
    seen: &Observation,
    by_address: &HashMap<&str, Vec<&Observed>>,
    differences: &mut Vec<Problem>,
) -> Option<Workload> {
    // Without a configuration nothing was computed to hold it against.
    let computed = workload.scraped.by.as_ref()?;
    let living = |pod: &&Pod| !pod.terminating && pod.ip.is_some() && pod.phase == "Running";
    let pods: Vec<&Pod> = workload.pods.iter().filter(living).collect();
    if pods.is_empty() {
        return None;
    }
    let id = Arc::new(seen.of.clone());
    let found: BTreeSet<ScrapedBy> = pods
        .iter()
        .filter_map(|pod| by_address.get(pod.ip.as_deref()?))
        .flatten()
        .map(|target| ScrapedBy {
            prometheus: Arc::clone(&id),
            job: Arc::clone(&target.job),
            port: target.port,
            now: true,
        })
        .collect();
    let (own, others): (Vec<&ScrapedBy>, Vec<&ScrapedBy>) =
        computed.iter().partition(|by| *by.prometheus == seen.of);
    let now: BTreeSet<ScrapedBy> = own.iter().filter(|by| by.now).copied().cloned().collect();
    if now == found {
        return None;
    }
    let settled = pods.iter().all(|pod| {
        let age = pod.started.map(|at| seen.at.duration_since(at));
        age.is_some_and(|age| Duration::try_from(age).is_ok_and(|age| age >= SETTLED))
    });
    let mut by: BTreeSet<ScrapedBy> = others.into_iter().cloned().collect();
    if settled {
        differences.push(Problem::TargetsDiffer {
            of: (&workload.id).into(),
            prometheus: seen.of.clone(),
            seen: names(found.difference(&now)),
            computed: names(now.difference(&found)),
        });
    } else {
        // They may be on their way.
        by.extend(now);
    }
    let known: BTreeSet<(Arc<str>, u16)> =
        found.iter().map(|by| (by.job.clone(), by.port)).collect();
    let later = own.into_iter().filter(|by| !by.now).cloned();
    by.extend(later.filter(|by| !known.contains(&(by.job.clone(), by.port))));
    by.extend(found);
    let mut new = workload.clone();
    let ports = |now: bool| {
        by.iter()
            .filter(|by| by.now || !now)
            .map(|by| by.port)
            .collect()
    };
    new.scraped.plaintext = foremost(&ports(true), &new.template);
    new.scraped.asks = foremost(&ports(false), &new.template);
    new.scraped.by = Some(by.into_iter().collect());
    Some(new)
}

fn names<'a>(all: impl Iterator<Item = &'a ScrapedBy>) -> Vec<String> {
    all.map(|by| format!("port {} by {}", by.port, by.job))
        .collect()
}
