//! What Prometheus reports counts, and what was computed otherwise is named.

use super::*;
use crate::mesh::{Observation, Observed, Scheme, ScrapedBy, Workload, observe};
use crate::recipe::testing;
use std::sync::Arc;

const START: i64 = 1_000;

fn by(job: &str, port: u16, now: bool) -> ScrapedBy {
    ScrapedBy {
        prometheus: Arc::new(testing::id("istio-system", "prometheus")),
        job: job.into(),
        port,
        now,
    }
}

fn mesh(computed: Vec<ScrapedBy>) -> Mesh {
    let mut mesh = testing::mesh();
    testing::with_workload(&mut mesh, |of| {
        of.scraped.by = Some(computed);
        for (at, pod) in of.pods.iter_mut().enumerate() {
            pod.ip = Some(format!("10.0.0.{}", at + 1));
            pod.started = jiff::Timestamp::from_second(START).ok();
        }
    });
    mesh
}

/// So many seconds after the pods have started.
fn seen(targets: &[(&str, &str, u16)], after: i64) -> Observation {
    let target = |(job, host, port): &(&str, &str, u16)| Observed {
        job: (*job).into(),
        scheme: Scheme::Http,
        host: (*host).into(),
        port: *port,
    };
    Observation {
        of: testing::id("istio-system", "prometheus"),
        targets: targets.iter().map(target).collect(),
        rules: Arc::default(),
        at: jiff::Timestamp::from_second(START + after).expect("a time"),
    }
}

fn of(mesh: &Mesh) -> &Workload {
    &mesh.workloads[0]
}

#[test]
fn what_was_computed_right_is_no_difference() {
    let mesh = mesh(vec![by("kubernetes-pods", 15020, true)]);
    let same = observe(&mesh, &seen(&[("kubernetes-pods", "10.0.0.1", 15020)], 900));
    assert!(Arc::ptr_eq(&same.workloads[0], &mesh.workloads[0]));
    assert!(same.differences.is_empty());
    absent(Code::TargetsDiffer, crate::problems::of_mesh(&same));
}

#[test]
fn a_job_that_cannot_be_computed_is_seen_for_what_it_does() {
    let mesh = mesh(vec![by("kubernetes-pods", 15020, true)]);
    let targets = [
        ("kubernetes-pods", "10.0.0.1", 15020),
        ("by-hand", "10.0.0.2", 8080),
        ("another", "10.9.9.9", 8080),
    ];
    let now = observe(&mesh, &seen(&targets, 900));
    assert_eq!(
        of(&now).scraped.by,
        Some(vec![
            by("by-hand", 8080, true),
            by("kubernetes-pods", 15020, true)
        ])
    );
    let codes: Vec<Code> = now.differences.iter().map(|one| one.code()).collect();
    assert_eq!(codes, [Code::TargetsDiffer]);
    let found = crate::problems::of_mesh(&now);
    assert!(found.iter().any(|one| one.code() == Code::TargetsDiffer));
}

#[test]
fn what_prometheus_does_not_scrape_is_not_called_scraped() {
    let later = by("slow", 15020, false);
    let mesh = mesh(vec![by("kubernetes-pods", 15020, true), later.clone()]);
    let now = observe(&mesh, &seen(&[], 900));
    assert_eq!(of(&now).scraped.by, Some(vec![later.clone()]));
    assert_eq!(of(&now).scraped.plaintext, None);
    // Discovery takes its time.
    let young = observe(&mesh, &seen(&[], 30));
    assert!(young.differences.is_empty());
    assert_eq!(of(&young).scraped.by, of(&mesh).scraped.by);
}

#[test]
fn nothing_is_said_of_another_prometheus_or_of_what_runs_no_pod() {
    let mut mesh = mesh(vec![by("kubernetes-pods", 15020, true)]);
    let mut other = seen(&[("x", "10.0.0.1", 8080)], 900);
    other.of = testing::id("monitoring", "other");
    let now = observe(&mesh, &other);
    // Both are known of: each for itself.
    assert_eq!(of(&now).scraped.by.as_ref().map(Vec::len), Some(2));
    testing::with_workload(&mut mesh, |of| of.pods.clear());
    let now = observe(&mesh, &seen(&[], 900));
    assert!(now.differences.is_empty());
    assert!(Arc::ptr_eq(&now.workloads[0], &mesh.workloads[0]));
}
