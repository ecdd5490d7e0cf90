//! What a write takes and what guards it: no look before it where the request can say for itself what it is for.

use crate::apply_world::{World, plan, world};
use crate::spoils::spoil;
use http::Method;
use meshscrape::answers::Pace;
use meshscrape::cluster::Cluster;
use meshscrape::cluster::stack::Fault;
use meshscrape::engine::apply::{ApplyOptions, Control};
use meshscrape::engine::event::{Ended, Outcome};
use meshscrape::mesh::kinds::Kind;
use meshscrape::plan::Part;
use meshscrape::plan::record::Entry;
use meshscrape::words::say::engine as say;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const PEER: &str = "/peerauthentications/meshscrape-httpbin";
const DENY: &str = "/authorizationpolicies/meshscrape-httpbin";
const LISTENER: &str = "/sidecars/meshscrape-httpbin";

fn words(outcome: &Outcome) -> String {
    match &outcome.ended {
        Ended::PartWay(Some(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Method and path of the requests from that one on.
fn since(world: &World, from: usize) -> Vec<String> {
    let requests = world.simulation.requests().into_iter().skip(from);
    let lines = requests.map(|request| {
        let path = request
            .path
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned();
        format!("{} {path}", request.method)
    });
    lines.collect()
}

#[tokio::test(start_paused = true)]
async fn what_stands_as_reviewed_is_written_at_once_and_policies_are_read_back_before_their_listener()
 {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    let from = world.simulation.requests().len();
    let outcome = world.apply(approved, Control::alone().1).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", world.told());
    let lines = since(&world, from);
    let of = |method: &str, path: &str| {
        let of = lines.iter().enumerate();
        let of = of.filter(|(_, line)| line.starts_with(method) && line.ends_with(path));
        of.map(|(at, _)| at).collect::<Vec<usize>>()
    };
    let (listener, deny) = (of("PATCH", LISTENER)[0], of("PATCH", DENY)[0]);
    for policy in [PEER, DENY] {
        let reads = of("GET", policy);
        assert!(of("PATCH", policy)[0] < reads[0], "{policy}: {lines:#?}");
        assert!((deny..listener).contains(&reads[0]), "{policy}: {lines:#?}");
    }
    let looks = of("GET", LISTENER);
    assert!(looks.iter().all(|look| *look > listener), "{lines:#?}");
}

fn like_ours(world: &World, spec: Value) -> Value {
    let object = json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"name": "meshscrape-httpbin", "namespace": "default"}, "spec": spec});
    world.simulation.put(object);
    stands(world)
}

fn stands(world: &World) -> Value {
    let object = world
        .simulation
        .object("PeerAuthentication", "default", "meshscrape-httpbin");
    object.unwrap()
}

/// An apply would join its fields with theirs, and no owner would object.
#[tokio::test(start_paused = true)]
async fn what_came_to_be_since_the_review_is_not_written_into() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    let theirs = like_ours(&world, json!({"mtls": {"mode": "PERMISSIVE"}}));
    let outcome = world.apply(approved, Control::alone().1).await;
    assert!(words(&outcome).contains(say::EXISTS_NOW));
    assert_eq!(stands(&world), theirs);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_made_alike_is_not_taken_back_with_the_run() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    let labels = json!({"app": "httpbin", "version": "v1"});
    let spec = json!({"selector": {"matchLabels": labels}, "portLevelMtls": {"15091": {"mode": "STRICT"}}});
    let theirs = like_ours(&world, spec);
    let outcome = world.apply(approved, Control::alone().1).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", world.told());
    assert_eq!(outcome.unchanged.len(), 1);
    let outcome = world.undo(Some("r1"), "r2").await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", world.told());
    assert_eq!(stands(&world)["spec"], theirs["spec"]);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_goes_before_its_listener_is_missed() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    world.simulation.on_write(Box::new(|simulation| {
        let name = "meshscrape-httpbin";
        if simulation
            .object("AuthorizationPolicy", "default", name)
            .is_some()
        {
            simulation.remove("PeerAuthentication", "default", name);
        }
    }));
    let outcome = world.apply(approved, Control::alone().1).await;
    let words = words(&outcome);
    assert!(
        words.contains("PeerAuthentication default/meshscrape-httpbin"),
        "{words}"
    );
    assert!(words.contains(say::IS_GONE), "{words}");
    let listener = world
        .simulation
        .object("Sidecar", "default", "meshscrape-httpbin");
    assert_eq!(listener, None);
}

/// A proxy on the way says "not found" to a DELETE, and once more to the look after it.
#[tokio::test(start_paused = true)]
async fn two_answers_of_not_found_do_not_make_a_delete() {
    let mut world = world();
    let approved = world.approved(plan(), "r1").await;
    let outcome = world.apply(approved, Control::alone().1).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", world.told());
    let lies = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&lies);
    let fault: Fault = Arc::new(move |method, uri| {
        let dry = uri.query().is_some_and(|query| query.contains("dryRun"));
        let so_far = told.load(Ordering::SeqCst);
        let next = match so_far {
            0 => *method == Method::DELETE && !dry,
            1 => *method == Method::GET,
            _ => false,
        };
        if !(next && uri.path().ends_with(LISTENER)) {
            return None;
        }
        told.store(so_far + 1, Ordering::SeqCst);
        Some(spoil("404"))
    });
    world.session.cluster =
        Cluster::over_with(world.simulation.service(), "demo", false, Some(fault));
    let outcome = world.undo(Some("r1"), "r2").await;
    assert_eq!(lies.load(Ordering::SeqCst), 2, "{:#?}", world.told());
    let words = words(&outcome);
    let kept = say::was_not_deleted(&"Sidecar default/meshscrape-httpbin");
    assert!(words.contains(&kept), "{words}");
    let entries = world.journal.entries();
    let numbers = entries.iter().filter_map(|entry| match entry {
        Entry::Intent(of) if of.run == "r2" && of.object.kind == Kind::Sidecar => Some(of.seq),
        _ => None,
    });
    let numbers: Vec<u32> = numbers.collect();
    let not_written = entries.iter().any(|entry| {
        matches!(entry, Entry::Result { run, seq, written: false, .. }
            if run == "r2" && numbers == [*seq])
    });
    assert!(not_written, "{entries:#?}");
    assert!(
        world
            .simulation
            .object("Sidecar", "default", "meshscrape-httpbin")
            .is_some()
    );
}

fn all_at_once() -> ApplyOptions {
    ApplyOptions {
        pace: Pace::All,
        ..ApplyOptions::default()
    }
}

#[tokio::test(start_paused = true)]
async fn all_at_once_the_two_policies_are_sent_together_and_both_read_back_before_their_listener() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    let from = world.simulation.requests().len();
    let control = Control::alone().1;
    let outcome = world.apply_with(approved, control, &all_at_once()).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", world.told());
    let lines = since(&world, from);
    let at = |method: &str, path: &str| {
        let found = |line: &String| line.starts_with(method) && line.ends_with(path);
        lines.iter().position(found).unwrap()
    };
    let listener = at("PATCH", LISTENER);
    for policy in [PEER, DENY] {
        let (write, read) = (at("PATCH", policy), at("GET", policy));
        assert!(write < read && read < listener, "{lines:#?}");
    }
    // The second was announced before the first was answered.
    let of_policies = |entry: &Entry| match entry {
        Entry::Intent(of) if of.part == Part::Policy => Some((of.seq, "intent")),
        Entry::Result { seq, .. } => Some((*seq, "result")),
        _ => None,
    };
    let entries = world.journal.entries();
    let lines: Vec<(u32, &str)> = entries.iter().filter_map(of_policies).collect();
    let first = lines.iter().position(|line| line.1 == "intent").unwrap();
    let (one, other) = (lines[first], lines[first + 1]);
    assert!(one.1 == "intent" && other.1 == "intent", "{lines:?}");
    assert_eq!(other.0, one.0 + 1);
    let outcome = world.undo(Some("r1"), "r2").await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", world.told());
}

/// Of two that were sent together the second is refused: the first stands, the run stops there, and nothing listens.
#[tokio::test(start_paused = true)]
async fn a_policy_that_is_refused_beside_its_twin_stops_the_run_in_its_own_words() {
    let mut world = world();
    let approved = world.approved(plan(), "r1").await;
    let fault: Fault = Arc::new(|method, uri| {
        let meant = *method == Method::PATCH && uri.path().ends_with(DENY);
        meant.then(|| spoil("422"))
    });
    world.session.cluster =
        Cluster::over_with(world.simulation.service(), "demo", false, Some(fault));
    let control = Control::alone().1;
    let outcome = world.apply_with(approved, control, &all_at_once()).await;
    let words = words(&outcome);
    assert!(
        words.contains("AuthorizationPolicy default/meshscrape-httpbin"),
        "{words}"
    );
    let object = |kind: &str| {
        world
            .simulation
            .object(kind, "default", "meshscrape-httpbin")
    };
    assert!(object("PeerAuthentication").is_some() && object("Sidecar").is_none());
    // Each intent has its result, and the refused one says so.
    let entries = world.journal.entries();
    let results = entries.iter().filter_map(|entry| match entry {
        Entry::Result { seq, written, .. } => Some((*seq, *written)),
        _ => None,
    });
    let results: Vec<(u32, bool)> = results.collect();
    let intents = entries.iter().filter_map(|entry| match entry {
        Entry::Intent(of) => Some(of.seq),
        _ => None,
    });
    let mut intents: Vec<u32> = intents.collect();
    intents.sort_unstable();
    let mut ended: Vec<u32> = results.iter().map(|(seq, _)| *seq).collect();
    ended.sort_unstable();
    assert_eq!(intents, ended);
    assert_eq!(results.iter().filter(|(_, written)| !written).count(), 1);
}
