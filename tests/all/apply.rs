//! Apply from an approved review to targets UP, on the simulated cluster with a paused clock.

use crate::apply_world::{World, httpbin, id, plan, prometheus, review, world};
use meshscrape::cluster::api::Write;
use meshscrape::demo::Fault;
use meshscrape::engine::apply::{ApplyOptions, Control, summary};
use meshscrape::engine::event::{ApplyEvent, Decision, Ended, Outcome, StepState};
use meshscrape::engine::undo::plan_undo;
use meshscrape::engine::watch::Watch;
use meshscrape::error::Kind as ErrorKind;
use meshscrape::plan::record::Entry;
use meshscrape::plan::review::{Approved, NotApprovable, Word};
use meshscrape::plan::{Action, Await, ChangeId, Part};
use meshscrape::recipe::JOB;
use meshscrape::targets::State;
use meshscrape::words::say::engine as say;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn parts(ids: &[ChangeId]) -> Vec<&str> {
    ids.iter()
        .map(|id| id.0.split_once('#').unwrap().1)
        .collect()
}

const WHOLE: [&str; 7] = [
    "prometheus-pod",
    "scrape-job",
    "policy",
    "policy",
    "listener",
    "annotation",
    "plaintext-jobs",
];

/// Intents in the order of the journal, and how many of them have a result.
fn journalled(world: &World) -> (Vec<String>, usize) {
    let entries = world.journal.entries();
    let intents = entries.iter().filter_map(|entry| match entry {
        Entry::Intent(intent) => Some(intent.part.word().to_owned()),
        _ => None,
    });
    let results = entries
        .iter()
        .filter(|entry| matches!(entry, Entry::Result { written: true, .. }));
    (intents.collect(), results.count())
}

fn how(world: &World) -> Vec<String> {
    let entries = world.journal.entries();
    let ends = entries.iter().filter_map(|entry| match entry {
        Entry::Ended { run, how, .. } => Some(format!("{run} {how}")),
        _ => None,
    });
    ends.collect()
}

#[tokio::test(start_paused = true)]
async fn the_whole_recipe_brings_httpbin_up_over_mtls_and_nothing_is_scraped_twice() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    let outcome = world.apply(approved, Control::alone().1).await;

    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", world.told());
    assert_eq!(parts(&outcome.written), WHOLE);
    assert!(outcome.all_up, "{:#?}", outcome.board);
    assert_eq!(outcome.plaintext_refused, Some(true));
    assert_eq!(outcome.board.counts.up, 1);
    let (intents, results) = journalled(&world);
    assert_eq!(intents, WHOLE);
    assert_eq!(results, WHOLE.len());
    assert_eq!(how(&world), ["r1 whole"]);
    let words = summary(&outcome).join("\n");
    assert!(words.contains(&say::so_many_applied(7)), "{words}");
    assert!(words.contains(say::PLAINTEXT_REFUSED_SECURED), "{words}");

    // Once Prometheus has read it, the old jobs leave the pod out.
    tokio::time::sleep(Duration::from_secs(30)).await;
    let mut watch = Watch::new(&world.session, prometheus(), world.watched(), true);
    watch.look().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let board = watch.look().await;
    assert_eq!(board.rows[0].state, State::Up { double: None });

    // A second run finds nothing to change.
    let again = review(&world.session.cluster, plan(), "r2").await;
    let refusal = again.approve(Word { lose_history: true }).unwrap_err();
    assert_eq!(refusal, NotApprovable::NothingToDo);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_where_a_leaf_of_ours_moved_since_the_review() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    let mut moved = world
        .simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    moved["spec"]["template"]["metadata"]["annotations"] =
        json!({"prometheus.istio.io/secure-port": "15092"});
    world.simulation.put(moved);
    let outcome = world.apply(approved, Control::alone().1).await;

    assert_eq!(parts(&outcome.written), WHOLE[..5]);
    assert_eq!(
        parts(&outcome.not_written),
        ["annotation", "plaintext-jobs"]
    );
    let Ended::PartWay(Some(error)) = &outcome.ended else {
        panic!("{:?}", outcome.ended);
    };
    assert_eq!(error.kind, ErrorKind::StoppedPartWay);
    let moved = say::changed_since_the_review(&httpbin().object());
    assert_eq!(error.what, moved, "{error}");
    assert!(error.causes[0].contains("15092"), "{error}");
    assert!(!outcome.all_up);
    assert_eq!(how(&world), ["r1 partWay"]);
}

#[tokio::test(start_paused = true)]
async fn a_field_is_forced_only_from_the_owner_that_was_approved() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    assert!(!approved.changes()[0].reviewed().conflicts.is_empty());
    // Somebody else takes the field with the same value: no leaf moves, but the owner is another.
    let label = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "prometheus", "namespace": "istio-system"},
        "spec": {"template": {"metadata": {"labels": {"sidecar.istio.io/inject": "false"}}}},
    });
    let path =
        "/apis/apps/v1/namespaces/istio-system/deployments/prometheus?fieldManager=helm&force=true";
    let request = http::Request::patch(path)
        .header("content-type", "application/apply-patch+yaml")
        .body(label.to_string().into_bytes())
        .unwrap();
    let client = world.simulation.client();
    client.request_text(request).await.unwrap();

    let outcome = world.apply(approved, Control::alone().1).await;
    assert!(outcome.written.is_empty(), "{:#?}", world.told());
    let Ended::PartWay(Some(error)) = &outcome.ended else {
        panic!("{:?}", outcome.ended);
    };
    assert_eq!(error.kind, ErrorKind::Refused);
    assert!(error.to_string().contains("helm"), "{error}");
    let live = world
        .simulation
        .object("Deployment", "istio-system", "prometheus")
        .unwrap();
    let labels = &live["spec"]["template"]["metadata"]["labels"];
    assert_eq!(labels["sidecar.istio.io/inject"], "false");
}

/// The user says stop while that write is answered.
async fn stopped_after(world: &World, approved: Approved, after: usize) -> Outcome {
    let (stop, control) = Control::alone();
    let writes = AtomicUsize::new(0);
    world.simulation.on_write(Box::new(move |_| {
        if writes.fetch_add(1, Ordering::SeqCst) + 1 == after {
            stop.send_replace(true);
        }
    }));
    world.apply(approved, control).await
}

#[tokio::test(start_paused = true)]
async fn a_stop_after_any_write_ends_there_and_says_what_was_written() {
    for after in 1..WHOLE.len() {
        let world = world();
        let approved = world.approved(plan(), "r1").await;
        let outcome = stopped_after(&world, approved, after).await;
        assert_eq!(outcome.ended, Ended::PartWay(None), "{:#?}", world.told());
        assert_eq!(parts(&outcome.written), WHOLE[..after]);
        assert_eq!(parts(&outcome.not_written), WHOLE[after..]);
        assert_eq!(journalled(&world).1, after);
        assert_eq!(how(&world), ["r1 partWay"]);

        // Going on later writes the rest, and only that.
        let approved = world.approved(plan(), "r2").await;
        let rest = world.apply(approved, Control::alone().1).await;
        assert_eq!(rest.ended, Ended::Whole, "{:#?}", world.told());
        assert_eq!(parts(&rest.written), WHOLE[after..]);
        assert!(rest.all_up);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_is_found_to_have_landed() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    let cut = AtomicBool::new(false);
    world.simulation.fault(Box::new(move |request| {
        let write = request.method == "PATCH" && request.path.contains("sidecars");
        (write && !cut.swap(true, Ordering::SeqCst)).then_some(Fault::CutAfter)
    }));
    let outcome = world.apply(approved, Control::alone().1).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", world.told());
    assert_eq!(parts(&outcome.written), WHOLE);
    let sidecars = world
        .writes()
        .into_iter()
        .filter(|w| w.contains("sidecars"));
    assert!(sidecars.count() <= 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_never_landed_is_a_failure_without_a_result_line() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    world.simulation.fault(Box::new(|request| {
        let write = request.method == "PATCH" && request.path.contains("sidecars");
        write.then_some(Fault::Hang)
    }));
    let outcome = world.apply(approved, Control::alone().1).await;
    let Ended::PartWay(Some(error)) = &outcome.ended else {
        panic!("{:?}", outcome.ended);
    };
    let unanswered = say::write_not_answered(&"Sidecar default/meshscrape-httpbin");
    assert_eq!(error.what, unanswered, "{error}");
    assert_eq!(parts(&outcome.written), WHOLE[..4]);
    let entries = world.journal.entries();
    let last = entries
        .iter()
        .rfind(|entry| matches!(entry, Entry::Intent(_) | Entry::Result { .. }));
    assert!(matches!(last, Some(Entry::Intent(_))), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn dropping_apply_never_cuts_between_a_write_and_its_result() {
    let world = world();
    world.simulation.latency(true);
    let mut caught = 0;
    for pause in (300..3_000).step_by(60) {
        let approved = world.approved(plan(), &format!("r{pause}")).await;
        let wait = Duration::from_millis(pause);
        let applying = world.apply(approved, Control::alone().1);
        let _ = tokio::time::timeout(wait, applying).await;
        let (begun, done) = journalled(&world);
        caught += begun.len() - done;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (begun, done) = journalled(&world);
        assert_eq!(begun.len(), done, "dropped after {pause} ms");
    }
    assert!(caught > 0, "no drop met a write on its way");
}

/// httpbin's secure port is closed to Prometheus, so its target stays DOWN.
fn closed(world: &World) {
    world.simulation.put(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "httpbin", "namespace": "default"},
        "spec": {"podSelector": {"matchLabels": {"app": "httpbin"}}, "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": 8080}, {"port": 15020}, {"port": 15090}]}]},
    }));
}

#[tokio::test(start_paused = true)]
async fn the_old_jobs_stay_while_a_target_is_not_up() {
    let world = world();
    closed(&world);
    let approved = world.approved(plan(), "r1").await;
    let outcome = world.apply(approved, Control::alone().1).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", world.told());
    assert_eq!(parts(&outcome.written), WHOLE[..6]);
    assert_eq!(parts(&outcome.not_written), ["plaintext-jobs"]);
    assert!(!outcome.all_up);
    let events = world.events.lock().unwrap();
    let held = events.iter().find_map(|event| match event {
        ApplyEvent::Step {
            state: StepState::Held(why),
            ..
        } => Some(why.clone()),
        _ => None,
    });
    let why = held.expect("held");
    assert!(why.contains("httpbin-"), "{why}");
    let row = &outcome.board.rows[0];
    assert!(matches!(row.state, State::Down { .. }), "{row:?}");
    assert_eq!(row.expected.item, httpbin());
}

#[tokio::test(start_paused = true)]
async fn a_listener_is_not_written_where_its_unchanged_policy_went_away() {
    let world = world();
    let mut first = plan();
    first.changes.truncate(4);
    let approved = world.approved(first, "r1").await;
    world.apply(approved, Control::alone().1).await;
    let approved = world.approved(plan(), "r2").await;
    let ids: Vec<ChangeId> = approved
        .changes()
        .iter()
        .map(|c| c.change().id.clone())
        .collect();
    assert_eq!(parts(&ids), WHOLE[4..]);
    world
        .simulation
        .remove("PeerAuthentication", "default", "meshscrape-httpbin");
    let outcome = world.apply(approved, Control::alone().1).await;
    assert!(outcome.written.is_empty());
    let gone = say::policy_is_gone(
        &"Sidecar default/meshscrape-httpbin",
        &"PeerAuthentication default/meshscrape-httpbin",
    );
    assert!(
        matches!(&outcome.ended, Ended::PartWay(Some(e)) if e.kind == ErrorKind::Refused
            && e.what == gone),
        "{:?}",
        outcome.ended
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_without_policies_would_be_noticed() {
    let world = world();
    let plan = plan();
    let listener = &plan.changes[4];
    let Action::Apply { intent } = &listener.action else {
        panic!("not an apply");
    };
    let cluster = &world.session.cluster;
    let write = Write::default();
    cluster
        .apply(&listener.object, intent, write)
        .await
        .unwrap();
    assert_eq!(*world.naked.lock().unwrap(), ["default/meshscrape-httpbin"]);
}

/// Answers each stop with the next of these.
fn answering(world: &World, answers: Vec<Decision>) -> Control {
    let (steering, control) = Control::asked();
    let events = Arc::clone(&world.events);
    tokio::spawn(async move {
        for (stops, answer) in answers.into_iter().enumerate() {
            loop {
                let seen = events
                    .lock()
                    .unwrap()
                    .iter()
                    .filter(|event| matches!(event, ApplyEvent::Stopped { .. }))
                    .count();
                if seen > stops {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            steering.decisions.send(answer).await.unwrap();
        }
        // Held open, so that the run is not ended by its silence.
        std::future::pending::<()>().await;
        drop(steering);
    });
    control
}

/// Only what differs, for a failure that can be read.
fn differing(
    before: &BTreeMap<String, Value>,
    after: &BTreeMap<String, Value>,
) -> Vec<(String, Option<Value>, Option<Value>)> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| {
            (
                name.clone(),
                before.get(name).cloned(),
                after.get(name).cloned(),
            )
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn undo_brings_every_object_back_as_it_was() {
    let world = world();
    let before = world.objects();
    let approved = world.approved(plan(), "r1").await;
    let outcome = world.apply(approved, Control::alone().1).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", world.told());
    assert_ne!(world.objects(), before);

    let outcome = world.undo(None, "r2").await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", world.told());
    assert_eq!(differing(&before, &world.objects()), []);
    assert_eq!(how(&world), ["r1 whole", "r2 whole", "r1 undone"]);

    // Prometheus scrapes as before, and no second undo is offered.
    tokio::time::sleep(Duration::from_secs(30)).await;
    let mut watch = Watch::new(&world.session, prometheus(), world.watched(), false);
    watch.look().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let board = watch.look().await;
    assert!(
        matches!(&board.rows[0].state, State::Plaintext { job } if job == "kubernetes-pods"),
        "{:?}",
        board.rows[0].state
    );
    assert!(plan_undo(&world.session, &[], None, &[]).await.is_err());
    let again = plan_undo(&world.session, &[], Some("r1"), &[])
        .await
        .unwrap_err();
    assert_eq!(again.what, say::undone_already("r1"));
}

#[tokio::test(start_paused = true)]
async fn what_was_written_before_a_stop_can_be_undone() {
    for after in 1..WHOLE.len() {
        let world = world();
        let before = world.objects();
        let approved = world.approved(plan(), "r1").await;
        let outcome = stopped_after(&world, approved, after).await;
        assert_eq!(parts(&outcome.written), WHOLE[..after]);
        let undone = world.undo(Some("r1"), "r2").await;
        assert_eq!(undone.ended, Ended::Whole, "{:#?}", world.told());
        assert_eq!(differing(&before, &world.objects()), [], "after {after}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_undo_takes_back_what_this_run_wrote() {
    let world = world();
    let before = world.objects();
    let approved = world.approved(plan(), "r1").await;
    refusing(&world, "default/deployments", 9);
    let control = answering(&world, vec![Decision::Undo]);
    let outcome = world.apply(approved, control).await;
    assert_eq!(outcome.ended, Ended::Undone, "{:#?}", world.told());
    assert_eq!(parts(&outcome.taken_back), WHOLE[..5]);
    assert!(outcome.written.is_empty());
    assert_eq!(differing(&before, &world.objects()), []);
    assert_eq!(how(&world), ["r1-undo whole", "r1 undone"]);
    assert!(plan_undo(&world.session, &[], None, &[]).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_does_not_come_to_its_end_tells_what_went_back_and_what_stands() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    // The annotation, then everything of Prometheus.
    let refused = Mutex::new(false);
    world.simulation.fault(Box::new(move |request| {
        let write = request.method == "PATCH" && !request.path.contains("dryRun");
        let mut refused = refused.lock().unwrap();
        let of = |path: &str| request.path.contains(path);
        let hit = write && (of("default/deployments") || *refused && of("istio-system/"));
        *refused |= hit;
        hit.then(|| Fault::Status(403, "denied by policy".into()))
    }));
    let control = answering(&world, vec![Decision::Undo]);
    let outcome = world.apply(approved, control).await;
    let Ended::PartWay(Some(error)) = &outcome.ended else {
        panic!("{:?}", outcome.ended);
    };
    assert_eq!(error.what, say::NOT_ALL_UNDONE);
    assert_eq!(parts(&outcome.taken_back), WHOLE[2..5]);
    assert_eq!(parts(&outcome.written), WHOLE[..2]);
    let told = world.told().join("\n");
    assert_eq!(told.matches("TakenBack").count(), 3, "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_mark_whose_target_is_not_up_is_taken_back_at_once() {
    let world = world();
    closed(&world);
    let httpbin_before = world.simulation.object("Deployment", "default", "httpbin");
    let mut plan = plan();
    plan.changes.pop();
    let annotation = plan.changes.last_mut().unwrap();
    annotation.then.push(Await::TargetsUp(vec![httpbin()]));
    let approved = world.approved(plan, "r1").await;
    let outcome = world.apply(approved, Control::alone().1).await;

    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", world.told());
    assert_eq!(parts(&outcome.taken_back), ["annotation"]);
    assert_eq!(parts(&outcome.written), WHOLE[..5]);
    assert!(!outcome.all_up);
    let httpbin_after = world.simulation.object("Deployment", "default", "httpbin");
    let template = |object: &Option<Value>| object.as_ref().unwrap()["spec"].clone();
    assert_eq!(template(&httpbin_after), template(&httpbin_before));
    let status = &httpbin_after.unwrap()["status"];
    assert_eq!(status["updatedReplicas"], status["replicas"]);

    // The undo of the run finds the annotation gone already.
    let undone = world.undo(None, "r2").await;
    assert_eq!(undone.ended, Ended::Whole, "{:#?}", world.told());
    assert!(undone.written.iter().all(|id| !id.0.contains("annotation")));
}

/// Refuses so many writes of these objects.
fn refusing(world: &World, path: &'static str, times: usize) {
    let left = Mutex::new(times);
    world.simulation.fault(Box::new(move |request| {
        let write = request.method == "PATCH"
            && request.path.contains(path)
            && !request.path.contains("dryRun");
        let mut left = left.lock().unwrap();
        (write && *left > 0).then(|| {
            *left -= 1;
            Fault::Status(403, "denied by policy".into())
        })
    }));
}

#[tokio::test(start_paused = true)]
async fn a_prometheus_that_does_not_answer_is_not_said_to_lack_the_job() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    world.simulation.fault(Box::new(|request| {
        let asked = request.path.contains("/proxy/");
        asked.then(|| Fault::Status(403, "pods/proxy is forbidden".into()))
    }));
    let outcome = world.apply(approved, Control::alone().1).await;
    let Ended::PartWay(Some(error)) = &outcome.ended else {
        panic!("{:?}", outcome.ended);
    };
    let words = error.to_string();
    let unanswered = say::does_not_answer(&prometheus().id, JOB);
    assert_eq!(error.what, unanswered, "{words}");
    assert!(words.contains("pods/proxy is forbidden"), "{words}");
    assert!(!words.contains(say::CHECK_ITS_LOG), "{words}");
    assert_eq!(parts(&outcome.written), WHOLE[..2]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_goes_on_where_it_failed() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    refusing(&world, "sidecars", 1);
    let control = answering(&world, vec![Decision::Retry]);
    let outcome = world.apply(approved, control).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", world.told());
    assert_eq!(parts(&outcome.written), WHOLE);
    assert!(outcome.all_up);
}

#[tokio::test(start_paused = true)]
async fn leaving_out_a_policy_leaves_out_all_that_hangs_on_it() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    refusing(&world, "authorizationpolicies", 9);
    let control = answering(&world, vec![Decision::LeaveOut]);
    let outcome = world.apply(approved, control).await;
    assert_eq!(parts(&outcome.written), WHOLE[..3]);
    assert_eq!(
        parts(&outcome.not_written),
        ["policy", "listener", "annotation", "plaintext-jobs"]
    );
    assert!(matches!(&outcome.ended, Ended::PartWay(Some(e)) if e.to_string().contains("denied")));
    assert!(
        world
            .simulation
            .object("Sidecar", "default", "meshscrape-httpbin")
            .is_none()
    );
}

/// An annotation of what was given up may stand from before, and its pods would then be scraped by nobody.
#[tokio::test(start_paused = true)]
async fn after_something_was_left_out_the_old_jobs_are_held_though_they_do_not_hang_on_it() {
    let world = world();
    let mut plan = plan();
    let job = id(&plan, Part::ScrapeJob);
    let old = plan.changes.last_mut().unwrap();
    (old.needs, old.before) = (vec![job], Vec::new());
    let approved = world.approved(plan, "r1").await;
    refusing(&world, "authorizationpolicies", 9);
    let control = answering(&world, vec![Decision::LeaveOut]);
    let outcome = world.apply(approved, control).await;
    let left = parts(&outcome.not_written);
    assert!(
        left.contains(&"plaintext-jobs"),
        "{left:?} {:#?}",
        world.told()
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_stop_ends_part_way() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    refusing(&world, "sidecars", 9);
    let control = answering(&world, vec![Decision::Retry, Decision::Stop]);
    let outcome = world.apply(approved, control).await;
    assert!(matches!(outcome.ended, Ended::PartWay(Some(_))));
    assert_eq!(parts(&outcome.written), WHOLE[..4]);
}

#[tokio::test(start_paused = true)]
async fn leaving_out_a_mark_that_is_written_takes_it_back() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    let httpbin = || {
        world
            .simulation
            .object("Deployment", "default", "httpbin")
            .unwrap()
    };
    let mut stuck = httpbin();
    stuck["metadata"]["annotations"] = json!({"demo.meshscrape.dev/never-ready": "true"});
    world.simulation.put(stuck);
    let template = httpbin()["spec"]["template"].clone();
    let options = ApplyOptions {
        rollout_timeout: Duration::from_secs(90),
        ..ApplyOptions::default()
    };
    let control = answering(&world, vec![Decision::LeaveOut]);
    let outcome = world.apply_with(approved, control, &options).await;

    assert_eq!(
        parts(&outcome.taken_back),
        ["annotation"],
        "{:?} {:#?}",
        outcome.ended,
        world.told()
    );
    assert!(!outcome.written.contains(&id(&plan(), Part::Annotation)));
    assert!(!outcome.written.contains(&id(&plan(), Part::PlaintextJobs)));
    assert_eq!(httpbin()["spec"]["template"], template);
    assert!(!outcome.all_up);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_never_gets_ready_stops_in_its_time() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    let mut stuck = world
        .simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    stuck["metadata"]["annotations"] = json!({"demo.meshscrape.dev/never-ready": "true"});
    world.simulation.put(stuck);
    let options = ApplyOptions {
        rollout_timeout: Duration::from_secs(90),
        ..ApplyOptions::default()
    };
    let outcome = world
        .apply_with(approved, Control::alone().1, &options)
        .await;
    let Ended::PartWay(Some(error)) = &outcome.ended else {
        panic!("{:?} {:#?}", outcome.ended, world.told());
    };
    let rollout = say::rollout_not_done(&httpbin().object());
    assert_eq!(error.what, rollout, "{error}");
    assert_eq!(parts(&outcome.not_written), ["plaintext-jobs"]);
    assert!(outcome.written.contains(&id(&plan(), Part::Annotation)));
}

#[tokio::test(start_paused = true)]
async fn changes_reviewed_elsewhere_are_refused() {
    let mut world = world();
    let approved = world.approved(plan(), "r1").await;
    world.session.cluster.context = "prod".into();
    let outcome = world.apply(approved, Control::alone().1).await;
    assert!(
        matches!(&outcome.ended, Ended::PartWay(Some(e)) if e.kind == ErrorKind::Refused),
        "{:?}",
        outcome.ended
    );
    assert!(world.journal.entries().is_empty());
    assert_eq!(world.writes(), [""; 0]);
}

/// httpbin, whose new pods never get ready.
fn never_ready(world: &World) {
    let mut stuck = world
        .simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    stuck["metadata"]["annotations"] = json!({"demo.meshscrape.dev/never-ready": "true"});
    world.simulation.put(stuck);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_stands_still_says_which_pod_and_how_to_take_it_back() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    never_ready(&world);
    let options = ApplyOptions {
        rollout_timeout: Duration::from_secs(90),
        ..ApplyOptions::default()
    };
    let outcome = world
        .apply_with(approved, Control::alone().1, &options)
        .await;
    let Ended::PartWay(Some(error)) = &outcome.ended else {
        panic!("{:?}", outcome.ended);
    };
    assert!(error.causes[0].contains("httpbin-"), "{error}");
    let unready = meshscrape::problems::Code::ContainerNotReady;
    assert!(
        crate::tells(&error.causes[0], unready, "readiness probe fails"),
        "{error}"
    );
    assert!(
        error
            .hints
            .iter()
            .any(|hint| *hint == say::undo_this_workload_only("r1", &httpbin())),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn just_the_workload_that_failed_is_taken_back() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    never_ready(&world);
    let template = || {
        let live = world.simulation.object("Deployment", "default", "httpbin");
        live.unwrap()["spec"]["template"].clone()
    };
    let before = template();
    let options = ApplyOptions {
        rollout_timeout: Duration::from_secs(90),
        ..ApplyOptions::default()
    };
    let control = answering(&world, vec![Decision::TakeBack]);
    let outcome = world.apply_with(approved, control, &options).await;

    assert_eq!(parts(&outcome.written), WHOLE[..2], "{:#?}", world.told());
    assert_eq!(parts(&outcome.taken_back), WHOLE[2..6]);
    assert_eq!(parts(&outcome.not_written), ["plaintext-jobs"]);
    assert!(matches!(outcome.ended, Ended::PartWay(Some(_))));
    assert_eq!(template(), before);
    for kind in ["Sidecar", "PeerAuthentication", "AuthorizationPolicy"] {
        let left = world
            .simulation
            .object(kind, "default", "meshscrape-httpbin");
        assert!(left.is_none(), "{kind}");
    }
    assert!(world.naked.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_does_not_come_up_stops_the_run() {
    let world = world();
    closed(&world);
    let approved = world.approved(plan(), "r1").await;
    let options = ApplyOptions {
        pace: meshscrape::answers::Pace::Canary,
        ..ApplyOptions::default()
    };
    let outcome = world
        .apply_with(approved, Control::alone().1, &options)
        .await;
    let Ended::PartWay(Some(error)) = &outcome.ended else {
        panic!("{:?}", outcome.ended);
    };
    assert_eq!(error.hints[0], say::SEE_WHY_NOT_UP, "{error}");
    assert_eq!(parts(&outcome.not_written), ["plaintext-jobs"]);
}

#[tokio::test(start_paused = true)]
async fn all_at_once_ends_as_one_by_one_does() {
    let world = world();
    let approved = world.approved(plan(), "r1").await;
    let options = ApplyOptions {
        pace: meshscrape::answers::Pace::All,
        ..ApplyOptions::default()
    };
    let outcome = world
        .apply_with(approved, Control::alone().1, &options)
        .await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", world.told());
    assert_eq!(parts(&outcome.written), WHOLE);
    assert!(outcome.all_up);
    assert!(
        world
            .told()
            .iter()
            .any(|line| format!("{line:?}").contains(say::ROLLOUT_AT_THE_END)),
        "{:#?}",
        world.told()
    );
}
