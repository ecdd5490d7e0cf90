mod after_a_change;
mod awaited;
mod causes;
mod reaching;
mod standing;
mod where_it_leads;

use super::*;
use crate::mesh::kinds::Kind;
use crate::problems::{Code, tests::absent};
use std::collections::{BTreeSet, HashMap};

const SECURE: &str = "istio-secure-merged-metrics";
const OLD: &str = "kubernetes-pods";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
}

fn item(name: &str) -> WorkloadRef {
    WorkloadRef::new("shop", Kind::Deployment, name)
}

pub(super) fn pod(name: &str) -> Expected {
    Expected {
        item: item("cart"),
        gateway: false,
        pod: name.into(),
        uid: format!("uid-{name}"),
        ip: Some("10.0.0.9".into()),
        phase: "Running".into(),
        ready: true,
        sidecar: true,
        secure_port: Some("15091".into()),
        template_port: None,
        started: None,
        port: MetricsPort::Merged,
        behind: 15020,
        labels: Default::default(),
        native: false,
    }
}

fn target(pod: &str, health: Health, last: i64) -> Target {
    Target {
        job: SECURE.into(),
        url: "https://10.0.0.9:15091/stats/prometheus".into(),
        namespace: "shop".into(),
        pod: pod.into(),
        health,
        last_error: match health {
            Health::Down => "Get \"https://10.0.0.9:15091/stats/prometheus\": read tcp 10.0.0.1:41234->10.0.0.9:15091: read: connection reset by peer".into(),
            _ => String::new(),
        },
        last_scrape: (last > 0).then(|| at(last)),
        took: Duration::from_millis(40),
        interval: Duration::from_secs(15),
    }
}

fn plain(pod: &str, port: u16) -> Target {
    Target {
        job: OLD.into(),
        url: format!("http://10.0.0.9:{port}/stats/prometheus"),
        ..target(pod, Health::Up, 5)
    }
}

/// A replica whose clock is `skew` seconds off ours.
fn replica(name: &str, now: i64, skew: i64, targets: Vec<Target>) -> Replica {
    Replica {
        pod: name.into(),
        error: None,
        asked_at: Some(at(now)),
        now: Some(at(now + skew)),
        jobs_loaded: vec![SECURE.into()],
        pools: vec![SECURE.into(), OLD.into()],
        targets,
        ..Replica::default()
    }
}

#[derive(Default)]
struct World {
    memory: Memory,
    probes: HashMap<String, Probe>,
    about: HashMap<WorkloadRef, About>,
    standing: HashMap<String, Standing>,
    ground: Ground,
    left_out: BTreeSet<WorkloadRef>,
}

impl World {
    fn look(&mut self, now: i64, expected: &[Expected], replicas: &[Replica]) -> Board {
        self.memory.observe(at(now), expected, replicas);
        board(&BoardInput {
            now: at(now),
            expected,
            replicas,
            probes: &self.probes,
            about: &self.about,
            standing: &self.standing,
            ground: &self.ground,
            left_out: &self.left_out,
            others: &[],
            memory: &self.memory,
        })
    }

    fn state(&mut self, now: i64, one: &Expected, replicas: &[Replica]) -> State {
        let board = self.look(now, std::slice::from_ref(one), replicas);
        board.rows[0].state.clone()
    }
}

fn look_once(one: &Expected, replicas: &[Replica]) -> State {
    World::default().state(10, one, replicas)
}

fn waits_for(state: &State, wanted: &Waits) -> bool {
    matches!(state, State::Waiting { on, .. } if on == wanted)
}

/// For something like it, however long.
fn waits_as(state: &State, wanted: &Waits) -> bool {
    matches!(state, State::Waiting { on, .. } if on.is_like(wanted))
}

fn seconds(of: u64) -> Duration {
    Duration::from_secs(of)
}

const FIRST: Waits = Waits::FirstScrape { next: None };
const DISCOVERY: Waits = Waits::Discovery { late: None };
const AFTER: Waits = Waits::ScrapeAfterChange {
    next: None,
    error: None,
};

const UP: State = State::Up { double: None };

#[test]
fn up_down_and_first_scrape_of_one_replica() {
    let one = pod("cart-1");
    let see = |target| look_once(&one, &[replica("p-0", 10, 0, vec![target])]);
    assert_eq!(see(target("cart-1", Health::Up, 9)), UP);
    assert!(waits_as(&see(target("cart-1", Health::Unknown, 0)), &FIRST));
    // Prometheus calls a target unknown until it was scraped, whatever else stands there.
    assert!(waits_as(&see(target("cart-1", Health::Up, 0)), &FIRST));
    let State::Down { error, cause } = see(target("cart-1", Health::Down, 9)) else {
        panic!("not DOWN");
    };
    assert_eq!(
        error,
        "read tcp 10.0.0.9:15091: read: connection reset by peer"
    );
    assert_eq!(cause.map(|c| c.code().name()), Some("HandshakeReset"));
}

#[test]
fn a_target_of_another_pod_or_namespace_is_nobodys() {
    let one = pod("cart-1");
    let mut elsewhere = target("cart-1", Health::Up, 9);
    elsewhere.namespace = "billing".into();
    let targets = vec![elsewhere, target("cart-2", Health::Up, 9)];
    let state = look_once(&one, &[replica("p-0", 10, 0, targets)]);
    assert!(waits_as(&state, &DISCOVERY), "{state:?}");
}

#[test]
fn what_it_waits_for() {
    let up = || vec![target("cart-1", Health::Up, 9)];
    let replicas = [replica("p-0", 10, 0, Vec::new())];
    let pending = Expected {
        phase: "Pending".into(),
        ..pod("cart-1")
    };
    assert!(waits_for(
        &look_once(&pending, &replicas),
        &Waits::Start {
            phase: "Pending".into()
        }
    ));
    let none = Expected {
        pod: String::new(),
        ..pod("cart-1")
    };
    assert!(waits_for(&look_once(&none, &replicas), &Waits::NoPod));
    let starting = Expected {
        ready: false,
        ..pod("cart-1")
    };
    assert!(waits_for(&look_once(&starting, &replicas), &Waits::Ready));
    // Scraping does not depend on readiness: what is UP is UP.
    assert_eq!(look_once(&starting, &[replica("p-0", 10, 0, up())]), UP);
    let unannotated = Expected {
        secure_port: None,
        ..pod("cart-1")
    };
    assert!(waits_for(
        &look_once(&unannotated, &replicas),
        &Waits::Annotation
    ));
    let mut unloaded = replica("p-0", 10, 0, Vec::new());
    unloaded.jobs_loaded.clear();
    let state = look_once(&pod("cart-1"), &[unloaded]);
    assert!(waits_for(&state, &Waits::NoJob), "{state:?}");
    assert!(waits_for(
        &look_once(&pod("cart-1"), &[]),
        &Waits::NoPrometheus
    ));
}

#[test]
fn the_seconds_of_the_config_sync_are_counted_from_the_change() {
    let mut world = World::default();
    world.memory.touched(&item("cart"), false, at(10));
    let mut unloaded = replica("p-0", 33, 500, vec![plain("cart-1", 15020)]);
    unloaded.jobs_loaded.clear();
    let state = world.state(33, &pod("cart-1"), &[unloaded]);
    assert!(
        waits_for(
            &state,
            &Waits::Load {
                gone_by: seconds(23)
            }
        ),
        "{state:?}"
    );
}

#[test]
fn a_rollout_keeps_old_pods_waiting() {
    let old = Expected {
        sidecar: false,
        secure_port: None,
        ..pod("cart-old")
    };
    let both = [old.clone(), pod("cart-new")];
    let replicas = [replica("p-0", 10, 0, Vec::new())];
    let board = World::default().look(10, &both, &replicas);
    let state = |name: &str| {
        let row = board.rows.iter().find(|row| row.expected.pod == name);
        row.expect("a row").state.clone()
    };
    assert!(waits_for(&state("cart-old"), &Waits::OldPod));
    assert!(waits_as(&state("cart-new"), &DISCOVERY));
    // Alone and untouched it is simply outside the mesh; after a change its restart is awaited.
    let mut world = World::default();
    assert!(matches!(
        world.state(10, &old, &replicas),
        State::NotCovered
    ));
    world.memory.touched(&item("cart"), false, at(11));
    assert!(waits_for(
        &world.state(12, &old, &replicas),
        &Waits::Restart
    ));
}

#[test]
fn plaintext_and_double_scraping_name_the_old_job() {
    let mut unannotated = pod("cart-1");
    unannotated.secure_port = None;
    let plaintext = State::Plaintext { job: OLD.into() };
    let old = || vec![plain("cart-1", 15020)];
    assert_eq!(
        look_once(&unannotated, &[replica("p-0", 10, 0, old())]),
        plaintext
    );
    // Marked, but Prometheus has no secure job at all.
    let mut without = replica("p-0", 10, 0, old());
    without.jobs_loaded.clear();
    assert_eq!(look_once(&pod("cart-1"), &[without]), plaintext);
    let double = |other: Target| {
        let targets = vec![target("cart-1", Health::Up, 9), other];
        look_once(&pod("cart-1"), &[replica("p-0", 10, 0, targets)])
    };
    let twice = State::Up {
        double: Some(OLD.into()),
    };
    assert_eq!(double(plain("cart-1", 15020)), twice);
    assert_eq!(double(plain("cart-1", 15090)), twice);
    // The application's own port brings other figures.
    assert_eq!(double(plain("cart-1", 8080)), UP);
    // An old target that fails brings none.
    let mut failing = plain("cart-1", 15020);
    failing.health = Health::Down;
    assert_eq!(double(failing), UP);
}

#[test]
fn a_replica_that_disagrees_makes_the_row_not_up() {
    let one = pod("cart-1");
    let up = || replica("p-0", 10, 0, vec![target("cart-1", Health::Up, 9)]);
    let other = |targets| replica("p-1", 10, 0, targets);
    let state = look_once(&one, &[up(), other(Vec::new())]);
    assert!(
        matches!(&state, State::Waiting { on: Waits::Discovery { .. }, replica: Some(of) } if of == "p-1"),
        "{state:?}"
    );
    let state = look_once(
        &one,
        &[up(), other(vec![target("cart-1", Health::Down, 9)])],
    );
    assert!(matches!(&state, State::Down { error, .. } if error.ends_with("(p-1)")));
    let mut away = other(Vec::new());
    away.error = Some("connection refused".into());
    let state = look_once(&one, &[up(), away]);
    assert!(
        matches!(&state, State::Waiting { on: Waits::Answer { replica, error }, .. } if replica == "p-1" && error == "connection refused"),
        "{state:?}"
    );
    let same = other(vec![target("cart-1", Health::Up, 8)]);
    assert_eq!(look_once(&one, &[up(), same]), UP);
}

#[test]
fn counts_and_order() {
    let mut world = World::default();
    let mut other = pod("aaa-1");
    other.item = item("aaa");
    let mut unannotated = pod("cart-0");
    unannotated.secure_port = None;
    let expected = [
        pod("cart-2"),
        pod("cart-1"),
        unannotated,
        other,
        pod("cart-3"),
    ];
    world.probes.insert("uid-cart-1".into(), Probe::Refused);
    world.probes.insert("uid-cart-2".into(), Probe::Served);
    world.probes.insert("uid-cart-3".into(), Probe::Refused);
    let targets = vec![
        target("cart-1", Health::Up, 9),
        target("cart-2", Health::Up, 9),
        plain("cart-2", 15020),
        target("cart-3", Health::Down, 9),
        plain("cart-0", 15020),
    ];
    let board = world.look(10, &expected, &[replica("p-0", 10, 0, targets)]);
    let pods: Vec<&str> = board.rows.iter().map(|r| r.expected.pod.as_str()).collect();
    assert_eq!(pods, ["aaa-1", "cart-0", "cart-1", "cart-2", "cart-3"]);
    let expected = Counts {
        up: 2,
        down: 1,
        waiting: 1,
        plaintext: 1,
        not_covered: 0,
        refused: 1,
        secured: 1,
        double: 1,
        unguarded: 0,
        left_out: 0,
    };
    assert_eq!(board.counts, expected);
    assert_eq!(board.counts.all(), 5);
    assert!(may_probe(&board.rows[2]) && !may_probe(&board.rows[4]));
}

#[test]
fn the_trend_grows_with_each_scrape_and_stays_bounded() {
    let mut world = World::default();
    let one = pod("cart-1");
    let mut trend = Vec::new();
    for tick in 0..60 {
        // Three looks fall into one scrape interval.
        let last = 10 + tick / 3 * 15;
        let targets = vec![target("cart-1", Health::Up, last)];
        let now = 20 + tick * 5;
        let replicas = [replica("p-0", now, 0, targets)];
        let board = world.look(now, std::slice::from_ref(&one), &replicas);
        trend = board.rows[0].trend.clone();
        if tick == 4 {
            assert_eq!(trend, [0.04, 0.04]);
        }
    }
    assert_eq!(trend.len(), TREND);
}

#[test]
fn old_figures_say_since_when() {
    let mut world = World::default();
    let one = pod("cart-1");
    let replicas = [replica("p-0", 10, 0, vec![target("cart-1", Health::Up, 9)])];
    let fresh = world.look(10, std::slice::from_ref(&one), &replicas);
    let first = stale(Some(&fresh), "away".into(), at(20));
    let then = stale(Some(&first), "still away".into(), at(30));
    assert_eq!(then.stale, Some(("still away".into(), at(10))));
    assert_eq!(then.at, Some(at(10)));
    let never = stale(None, "away".into(), at(20));
    assert_eq!(never.stale, Some(("away".into(), at(20))));
}

#[test]
fn a_target_is_secured_or_scraped_twice_and_never_both() {
    let mut world = World::default();
    let two = [pod("cart-1"), pod("cart-2")];
    for one in &two {
        world.probes.insert(one.uid.clone(), Probe::Refused);
    }
    let targets = vec![
        target("cart-1", Health::Up, 9),
        target("cart-2", Health::Up, 9),
        plain("cart-2", 15020),
    ];
    let counts = world
        .look(10, &two, &[replica("p-0", 10, 0, targets)])
        .counts;
    assert_eq!((counts.up, counts.refused), (2, 2));
    assert_eq!((counts.secured, counts.double), (1, 1));
}

#[test]
fn what_was_left_out_counts_only_where_it_is_a_target_all_the_same() {
    let mut world = World::default();
    world.left_out.insert(item("cart"));
    let unannotated = Expected {
        secure_port: None,
        ..pod("cart-2")
    };
    let two = [pod("cart-1"), unannotated];
    let targets = vec![target("cart-1", Health::Up, 9), plain("cart-2", 15020)];
    let board = world.look(10, &two, &[replica("p-0", 10, 0, targets)]);
    let out: Vec<bool> = board.rows.iter().map(|row| row.left_out).collect();
    assert_eq!(out, [false, true]);
    let counts = board.counts;
    assert_eq!((counts.up, counts.all(), counts.left_out), (1, 1, 1));
}

#[test]
fn a_pod_annotated_otherwise_than_its_template_is_told_as_that() {
    let strayed = |port: Option<&str>| Expected {
        secure_port: port.map(str::to_owned),
        template_port: Some("15091".into()),
        ..pod("cart-1")
    };
    let code = |state: State| match state {
        State::Down { cause, .. } => cause.map(|cause| cause.code().name()),
        _ => None,
    };
    let changed = Some("AnnotationChanged");
    let alone = |one: &Expected, targets| look_once(one, &[replica("p-0", 10, 0, targets)]);
    assert_eq!(code(alone(&strayed(None), Vec::new())), changed);
    // Taken by the plaintext job again, since it is no longer told as secured.
    assert_eq!(
        code(alone(&strayed(None), vec![plain("cart-1", 15020)])),
        changed
    );
    let failed = vec![target("cart-1", Health::Down, 9)];
    assert_eq!(code(alone(&strayed(Some("15099")), failed)), changed);
    // UP is UP, and as the template says is nobody's doing.
    let up = || vec![target("cart-1", Health::Up, 9)];
    let mut native = up();
    native[0].url = native[0].url.replace("15091", "15092");
    assert_eq!(alone(&strayed(Some("15092")), native), UP);
    assert_eq!(alone(&strayed(Some("15091")), up()), UP);
    let failed = vec![target("cart-1", Health::Down, 9)];
    if let State::Down { cause, .. } = alone(&strayed(Some("15091")), failed.clone()) {
        absent(Code::AnnotationChanged, cause.map(|cause| *cause));
    }
    assert_eq!(
        code(alone(&strayed(Some("15091")), failed)),
        Some("HandshakeReset")
    );
}

/// A pod, for what is about one.
fn a_pod() -> crate::problems::Subject {
    crate::problems::Subject::new("Pod", "shop", "cart-1")
}
