//! Held against what a real Prometheus made of odd jobs over odd pods: tests/mesh/reach/record asks it.

use super::discovery::{Namespace, Pod, Service};
use super::job::{self, Dialect};
use super::relabel::Set;
use super::scrape::{Around, Discovered, Made, begun, discovered, made};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const JOBS: &str = include_str!("../../tests/mesh/reach/jobs.yaml");

#[derive(Deserialize)]
struct Recorded {
    version: String,
    pods: Vec<Pod>,
    services: Vec<Service>,
    namespaces: Vec<Namespace>,
    labels: Vec<String>,
    sets: Vec<Vec<usize>>,
    /// Job, URL, what was discovered, what the job began with, labels in the end.
    active: Vec<(String, String, usize, usize, Vec<usize>)>,
    /// By job, by what it began with.
    dropped: BTreeMap<String, BTreeMap<String, Vec<usize>>>,
}

fn recorded() -> Recorded {
    let text = include_str!("../../tests/mesh/reach/recorded.json");
    serde_json::from_str(text).expect("a recording")
}

/// Labels as the recording has them. What changes from run to run is left out: a slice's name and the time of its change.
fn plain<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut all: Vec<String> = labels
        .filter(|(name, _)| !name.contains("last_change_trigger_time"))
        .filter(|(name, _)| !name.starts_with("__meta_kubernetes_endpointslice_name"))
        // Of the node, which is not read.
        .filter(|(name, _)| !name.starts_with("__meta_kubernetes_endpointslice_endpoint_zone"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    all.sort();
    all.join("\u{1}")
}

/// The line of a label set without what its labels have in common with all others.
fn differing(ours: &BTreeSet<String>, theirs: &BTreeSet<String>) -> String {
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
        let one = a.difference(b).next().cloned().unwrap_or_default();
        let near = b.difference(a).min_by_key(|other| {
            let (a, b): (BTreeSet<_>, BTreeSet<_>) =
                (one.split('\u{1}').collect(), other.split('\u{1}').collect());
            a.symmetric_difference(&b).count()
        });
        let near = near.cloned().unwrap_or_default();
        let (a, b): (BTreeSet<_>, BTreeSet<_>) =
            (one.split('\u{1}').collect(), near.split('\u{1}').collect());
        format!(
            "{} alone; the first has {:?} where the nearest has {:?}",
            a_count(ours, theirs),
            a.difference(&b).collect::<Vec<_>>(),
            b.difference(&a).collect::<Vec<_>>()
        )
    };
    format!(
        "ours {}\n   prometheus {}",
        only(ours, theirs),
        only(theirs, ours)
    )
}

fn a_count(a: &BTreeSet<String>, b: &BTreeSet<String>) -> usize {
    a.difference(b).count()
}

#[test]
fn jobs_make_the_targets_that_prometheus_makes() {
    let recorded = recorded();
    let of = |sets: &[&[usize]]| {
        let pairs = sets
            .iter()
            .copied()
            .flatten()
            .map(|at| recorded.labels[*at].split_once('=').expect("a label"));
        plain(pairs)
    };
    let both = |found: usize, begun: usize| {
        of(&[
            recorded.sets[found].as_slice(),
            recorded.sets[begun].as_slice(),
        ])
    };
    let around = Around {
        services: &recorded.services,
        namespaces: &recorded.namespaces,
        own: "monitoring",
        rights: None,
    };
    let dialect = Dialect::of(&recorded.version);
    let jobs = job::jobs(JOBS, dialect);
    assert!(jobs.len() >= 60 && recorded.pods.len() >= 30);
    let mut differences = Vec::new();
    for job in &jobs {
        assert_eq!(job.unknown, [], "{}", job.name);
        let mut active: BTreeSet<String> = BTreeSet::new();
        let mut from: BTreeSet<String> = BTreeSet::new();
        let mut dropped: BTreeSet<String> = BTreeSet::new();
        let all: Vec<Set> = discovered(job, &recorded.pods, around);
        for set in &all {
            let labels = begun(job, set);
            match made(job, set).expect("computed") {
                Made::Target(target) => {
                    let public = target.labels.iter().map(|(k, v)| (&**k, &**v));
                    active.insert(format!("{}\u{1}{}", target.url(), plain(public)));
                    from.insert(plain(labels.iter()));
                }
                Made::Dropped => _ = dropped.insert(plain(labels.iter())),
                Made::Fault => {}
            }
        }
        let theirs = recorded.active.iter().filter(|one| one.0 == job.name);
        let their_active: BTreeSet<String> = theirs
            .clone()
            .map(|(_, url, _, _, labels)| format!("{url}\u{1}{}", of(&[labels.as_slice()])))
            .collect();
        let their_from: BTreeSet<String> = theirs
            .map(|(_, _, found, begun, _)| both(*found, *begun))
            .collect();
        let their_dropped: BTreeSet<String> = recorded
            .dropped
            .get(&job.name)
            .into_iter()
            .flatten()
            .flat_map(|(begun, found)| {
                let begun: usize = begun.parse().expect("a number");
                found.iter().map(move |found| both(*found, begun))
            })
            .collect();
        if active != their_active {
            differences.push(format!(
                "{}: targets: {}",
                job.name,
                differing(&active, &their_active)
            ));
        }
        // Of targets that fold into one, Prometheus shows one's labels.
        if !their_from.is_subset(&from) {
            differences.push(format!(
                "{}: discovered: {}",
                job.name,
                differing(&from, &their_from)
            ));
        }
        if dropped != their_dropped {
            differences.push(format!(
                "{}: dropped: {}",
                job.name,
                differing(&dropped, &their_dropped)
            ));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// A seeded walk: what is odd in a job or a pod may be unknown, and never ends the program.
#[test]
fn mutated_jobs_and_pods_never_panic() {
    let recorded = recorded();
    let mut seed: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut next = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % u64::try_from(below.max(1)).unwrap_or(1)).unwrap_or(0)
    };
    let text: Vec<char> = JOBS.chars().collect();
    let odd: Vec<char> = "$(){}[]|\\^*+?.:;-_1aÄ\u{0}\u{301}\n\"'%/&"
        .chars()
        .collect();
    let mut read = 0;
    for _ in 0..400 {
        let mut mutated = text.clone();
        for _ in 0..=next(3) {
            let at = next(mutated.len());
            match next(3) {
                0 => drop(mutated.remove(at)),
                1 => mutated.insert(at, odd[next(odd.len())]),
                _ => mutated[at] = odd[next(odd.len())],
            }
        }
        let mutated: String = mutated.into_iter().collect();
        let jobs = job::jobs(
            &mutated,
            if next(2) == 0 {
                Dialect::of("v2.53.0")
            } else {
                Dialect::default()
            },
        );
        read += usize::from(!jobs.is_empty());
        let Some(job) = jobs.get(next(jobs.len())) else {
            continue;
        };
        let mut pod = recorded.pods[next(recorded.pods.len())].clone();
        let odd_text: String = (0..next(6)).map(|_| odd[next(odd.len())]).collect();
        match next(5) {
            0 => pod.metadata.name = odd_text,
            1 => pod.status.pod_ip = Some(odd_text),
            2 => drop(
                std::sync::Arc::make_mut(&mut pod.metadata.annotations)
                    .insert(odd_text.clone(), odd_text),
            ),
            3 => std::sync::Arc::make_mut(&mut pod.metadata.owner_references).clear(),
            _ => std::sync::Arc::make_mut(&mut pod.spec.containers).clear(),
        }
        let around = Around {
            services: &recorded.services,
            namespaces: &recorded.namespaces,
            own: "",
            rights: None,
        };
        let pods = [pod];
        let once: Vec<_> = discovered(job, &pods, around)
            .iter()
            .map(|set| made(job, set))
            .collect();
        let again: Vec<_> = discovered(job, &pods, around)
            .iter()
            .map(|set| made(job, set))
            .collect();
        assert_eq!(once, again);
        for target in once.into_iter().flatten() {
            if let Made::Target(target) = target {
                drop((target.url(), target.place().1));
            }
        }
    }
    assert!(read > 100, "{read}");
}

/// The short way leaves rules out, and comes to the same places.
#[test]
fn the_deciding_rules_lead_where_all_of_them_lead() {
    let recorded = recorded();
    let around = Around {
        services: &recorded.services,
        namespaces: &recorded.namespaces,
        own: "monitoring",
        rights: None,
    };
    let jobs = job::jobs(JOBS, Dialect::of(&recorded.version));
    let (mut left, mut all) = (0, 0);
    for job in &jobs {
        left += job.deciding().len();
        all += job.rules.len();
        for pod in &recorded.pods {
            let mut found = Discovered::of(pod, around, around.services);
            let targets = found.targets(job).expect("computed");
            let whole: BTreeSet<_> = targets
                .iter()
                .map(|one| {
                    let (host, port) = one.place();
                    (one.scheme.clone(), host.to_owned(), port)
                })
                .collect();
            let short = found.places(job).expect("computed");
            assert_eq!(short, whole, "{} over {}", job.name, pod.metadata.name);
        }
    }
    assert!(left < all, "{left} of {all} rules");
}
