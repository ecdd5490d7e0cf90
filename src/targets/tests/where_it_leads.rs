//! A target proves something of the secure port only where its URL leads there.

use super::*;

fn astray(url: &str, health: Health) -> Target {
    Target {
        url: url.into(),
        ..target("cart-1", health, 9)
    }
}

fn see(targets: Vec<Target>) -> State {
    look_once(&pod("cart-1"), &[replica("p-0", 10, 0, targets)])
}

#[test]
fn plaintext_by_a_job_that_calls_itself_secure_is_plaintext() {
    let state = see(vec![astray(
        "http://10.0.0.9:15020/stats/prometheus",
        Health::Up,
    )]);
    assert_eq!(state, State::Plaintext { job: SECURE.into() });
    // At the secure port, too: then the port took plaintext.
    let state = see(vec![astray(
        "http://10.0.0.9:15091/stats/prometheus",
        Health::Up,
    )]);
    assert_eq!(state, State::Plaintext { job: SECURE.into() });
}

#[test]
fn another_address_or_port_over_tls_proves_nothing() {
    for url in [
        "https://10.0.0.10:15091/stats/prometheus",
        "https://mtls-proxy.mon:15091/stats/prometheus",
        "https://10.0.0.9:8443/stats/prometheus",
    ] {
        let State::Down { cause, .. } = see(vec![astray(url, Health::Up)]) else {
            panic!("{url} counts");
        };
        assert_eq!(
            cause.map(|cause| cause.code().name()),
            Some("TargetElsewhere"),
            "{url}"
        );
    }
    // Beside the right one it changes nothing.
    let both = vec![
        astray(
            "https://mtls-proxy.mon:15091/stats/prometheus",
            Health::Down,
        ),
        target("cart-1", Health::Up, 9),
    ];
    assert_eq!(see(both), UP);
    // At the right address it is a failure of its own.
    let State::Down { cause, .. } = see(vec![target("cart-1", Health::Down, 9)]) else {
        panic!("it counts");
    };
    absent(Code::TargetElsewhere, cause.map(|cause| *cause));
}

#[test]
fn a_pod_that_only_a_plaintext_job_reads_is_in_plaintext_though_a_secure_job_runs() {
    let old = vec![plain("cart-1", 15020)];
    assert_eq!(see(old.clone()), State::Plaintext { job: OLD.into() });
    // After a change its secure scrape is what is awaited.
    let mut world = World::default();
    world.memory.touched(&item("cart"), false, at(8));
    let state = world.state(10, &pod("cart-1"), &[replica("p-0", 10, 0, old.clone())]);
    assert!(waits_as(&state, &DISCOVERY), "{state:?}");
    // A job that failed to start is the greater news.
    let mut failing = replica("p-0", 10, 0, old);
    failing.pools = vec![OLD.into()];
    let state = look_once(&pod("cart-1"), &[failing]);
    assert!(!matches!(state, State::Plaintext { .. }), "{state:?}");
}

#[test]
fn what_leads_elsewhere_leaves_no_trend() {
    let mut world = World::default();
    let one = pod("cart-1");
    let targets = vec![astray(
        "https://10.0.0.10:15091/stats/prometheus",
        Health::Up,
    )];
    let replicas = [replica("p-0", 10, 0, targets)];
    let board = world.look(10, std::slice::from_ref(&one), &replicas);
    assert!(board.rows[0].trend.is_empty());
}
