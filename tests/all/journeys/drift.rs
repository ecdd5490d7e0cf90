//! What moves between the review and the write: said, asked about, skipped with what hangs on it, or stopped.

use super::screen::drive;
use super::ways::to_the_review;
use super::{Journey, choose, choose_gateway, watched};
use meshscrape::answers::Answers;
use meshscrape::demo::Fault;
use meshscrape::engine::apply::{ApplyOptions, Control, apply};
use meshscrape::engine::event::{ApplyEvent, Decision, Ended, Outcome, StepState};
use meshscrape::error::{Error, Kind};
use meshscrape::plan::Part;
use meshscrape::plan::review::{Approved, Word};
use meshscrape::recipe::Selection;
use meshscrape::wizard::state::Start;
use meshscrape::words::say::engine;
use meshscrape::words::say::wizard as say;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const HTTPBIN: &str = "default/Deployment/httpbin";
const OTHER: &str = "orders/StatefulSet/orders-db";
const PORT: &str = "prometheus.istio.io/secure-port";

async fn approved(journey: &Journey, answers: &Answers) -> (Selection, Approved) {
    let (selection, plan) = journey.plan(answers).await.unwrap();
    let review = journey.review(plan, answers).await;
    let approved = review.approve(Word { lose_history: true }).unwrap();
    (selection, approved)
}

/// With somebody at the screen who answers each stop with the next of these.
async fn asked(
    journey: &Journey,
    (selection, approved): (Selection, Approved),
    answers: &Answers,
    decisions: Vec<Decision>,
) -> Outcome {
    let (steering, control) = Control::asked();
    let events = Arc::clone(&journey.events);
    let talk = tokio::spawn(async move {
        for (stops, decision) in decisions.into_iter().enumerate() {
            loop {
                let stopped = |event: &&ApplyEvent| matches!(event, ApplyEvent::Stopped { .. });
                let seen = events.lock().unwrap().iter().filter(stopped).count();
                if seen > stops {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            steering.decisions.send(decision).await.unwrap();
        }
        // Held open, so that the run is not ended by its silence.
        std::future::pending::<()>().await;
        drop(steering);
    });
    let events = Arc::clone(&journey.events);
    let report = move |event| events.lock().unwrap().push(event);
    let outcome = apply(
        &journey.session,
        approved,
        Arc::clone(&selection.prometheus),
        watched(&selection, answers),
        &ApplyOptions::default(),
        control,
        &report,
    )
    .await;
    talk.abort();
    journey.dressed();
    outcome
}

/// Changes an object behind the run's back.
fn edit(journey: &Journey, of: (&str, &str, &str), change: impl FnOnce(&mut Value)) {
    let (kind, namespace, name) = of;
    let mut object = journey.simulation.object(kind, namespace, name).unwrap();
    change(&mut object);
    journey.simulation.put(object);
}

fn remark(journey: &Journey, value: &str) {
    edit(journey, ("Deployment", "default", "httpbin"), |object| {
        object["spec"]["template"]["metadata"]["annotations"][PORT] = value.into();
    });
}

fn failure(outcome: &Outcome) -> &Error {
    match &outcome.ended {
        Ended::PartWay(Some(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Deleted and made anew, as it was but for its identity.
fn anew(journey: &Journey, namespace: &str, name: &str) {
    let mut object = journey
        .simulation
        .object("Deployment", namespace, name)
        .unwrap();
    journey.simulation.remove("Deployment", namespace, name);
    let metadata = object["metadata"].as_object_mut().unwrap();
    for field in [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "managedFields",
    ] {
        metadata.remove(field);
    }
    journey.simulation.put(object);
}

/// Offers to write a change anew, and whether it may be written so.
fn offers(journey: &Journey) -> Vec<bool> {
    let events = journey.events.lock().unwrap();
    let mays = events.iter().filter_map(|event| match event {
        ApplyEvent::Again { may, .. } => Some(*may),
        _ => None,
    });
    mays.collect()
}

fn ours(journey: &Journey) -> Vec<String> {
    let all = journey.objects().into_keys();
    all.filter(|name| name.contains("meshscrape-httpbin"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn what_moved_comes_back_with_its_new_diff_and_the_run_goes_on_after_a_yes() {
    let journey = Journey::new();
    let answers = choose(&[HTTPBIN]);
    let approved = approved(&journey, &answers).await;
    remark(&journey, "15099");
    let outcome = asked(&journey, approved, &answers, vec![Decision::Again]).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
    assert!(outcome.all_up, "{:#?}", journey.told());
    assert_eq!(outcome.not_written, []);
    assert_eq!(offers(&journey), [true]);
    let events = journey.events.lock().unwrap();
    let diff = events.iter().find_map(|event| match event {
        ApplyEvent::Again { item, .. } => Some(item.diff().plain()),
        _ => None,
    });
    let diff = diff.unwrap();
    assert!(diff.contains("15099") && diff.contains("15091"), "{diff}");
}

#[tokio::test(start_paused = true)]
async fn it_can_move_once_more_while_the_question_stands() {
    let journey = Journey::new();
    let answers = choose(&[HTTPBIN]);
    let approved = approved(&journey, &answers).await;
    remark(&journey, "15099");
    let (simulation, events) = (journey.simulation.clone(), Arc::clone(&journey.events));
    let again = tokio::spawn(async move {
        let offered = |event: &ApplyEvent| matches!(event, ApplyEvent::Again { .. });
        while !events.lock().unwrap().iter().any(offered) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut object = simulation
            .object("Deployment", "default", "httpbin")
            .unwrap();
        object["spec"]["template"]["metadata"]["annotations"][PORT] = "15098".into();
        simulation.put(object);
    });
    let decisions = vec![Decision::Again, Decision::Again];
    let outcome = asked(&journey, approved, &answers, decisions).await;
    again.await.unwrap();
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
    assert_eq!(offers(&journey), [true, true]);
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_came_meanwhile_is_not_taken_by_that_yes() {
    let journey = Journey::new();
    let answers = choose(&[HTTPBIN]);
    let approved = approved(&journey, &answers).await;
    let of = ("default", "httpbin");
    super::owners::annotate(&journey, of, "helm", json!({PORT: "15099"})).await;
    let decisions = vec![Decision::Again, Decision::LeaveOut];
    let outcome = asked(&journey, approved, &answers, decisions).await;
    assert_eq!(offers(&journey), [false, false], "{:#?}", journey.told());
    failure(&outcome);
    let live = journey
        .simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    let annotations = &live["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations[PORT], "15099", "left as Helm set it");
}

#[tokio::test(start_paused = true)]
async fn without_a_screen_it_stops_with_object_and_field_and_its_exit_code_says_whether_anything_was_written()
 {
    let answers = choose(&[HTTPBIN]);
    let journey = Journey::new();
    let (selection, first) = approved(&journey, &answers).await;
    remark(&journey, "15099");
    let outcome = journey.write(first, &selection, &answers, None).await;
    let error = failure(&outcome);
    assert_eq!(error.kind, Kind::StoppedPartWay);
    assert_eq!(outcome.exit_code(false, true), 5);
    let words = error.to_string();
    assert!(words.contains("Deployment default/httpbin"), "{words}");
    assert!(words.contains(PORT) && words.contains("15099"), "{words}");
    assert_eq!(offers(&journey), [false; 0], "there is nobody to ask");

    let journey = Journey::new();
    let (selection, first) = approved(&journey, &answers).await;
    let before = journey.objects();
    let of = ("Deployment", "istio-system", "prometheus");
    edit(&journey, of, |object| {
        object["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"] =
            "maybe".into();
    });
    let outcome = journey.write(first, &selection, &answers, None).await;
    let error = failure(&outcome);
    assert_eq!(error.kind, Kind::Refused);
    assert_eq!(outcome.exit_code(false, true), 4, "{:?}", outcome.written);
    let words = error.to_string();
    assert!(
        words.contains("Deployment istio-system/prometheus"),
        "{words}"
    );
    assert!(words.contains("sidecar.istio.io/inject"), "{words}");
    let kept: Vec<_> = journey.objects().into_keys().collect();
    assert_eq!(
        kept,
        before.into_keys().collect::<Vec<_>>(),
        "no record of nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_was_deleted_is_skipped_whole_and_the_others_go_on() {
    let journey = Journey::new();
    let answers = choose(&[HTTPBIN, OTHER]);
    let (selection, approved) = approved(&journey, &answers).await;
    journey
        .simulation
        .remove("Deployment", "default", "httpbin");
    let outcome = journey.write(approved, &selection, &answers, None).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
    assert_eq!(ours(&journey), [""; 0], "nothing of it was begun");
    assert!(!outcome.all_up);
    assert_eq!(outcome.exit_code(false, true), 3);
    assert!(outcome.written.iter().any(|id| id.0.contains("orders-db")));
    let told = journey.told().join("\n");
    let moved = engine::changed_since_the_review(&"Deployment default/httpbin");
    let gone = format!("{moved}: {}", engine::WAS_DELETED);
    assert!(told.contains(&gone), "{told}");
}

/// The Deployment goes with the very request that writes its listener, or while its annotation rolls out.
#[tokio::test(start_paused = true)]
async fn a_workload_that_goes_while_it_is_written_leaves_nothing_of_ours_behind() {
    for before_its_mark in [true, false] {
        let journey = Journey::new();
        let answers = choose(&[HTTPBIN, OTHER]);
        let (selection, approved) = approved(&journey, &answers).await;
        let simulation = journey.simulation.clone();
        let events = Arc::clone(&journey.events);
        let cut = tokio::spawn(async move {
            let rolls = |event: &ApplyEvent| matches!(event, ApplyEvent::Step { id, state: StepState::Rollout { .. } } if id.0.contains("httpbin#annotation"));
            let settles = |event: &ApplyEvent| matches!(event, ApplyEvent::Step { id, state: StepState::Waiting { .. } } if id.0.contains("httpbin#listener"));
            let due = |event: &ApplyEvent| match before_its_mark {
                true => settles(event),
                false => rolls(event),
            };
            while !events.lock().unwrap().iter().any(due) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            simulation.remove("Deployment", "default", "httpbin");
        });
        let outcome = journey.write(approved, &selection, &answers, None).await;
        cut.await.unwrap();
        assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
        assert_eq!(ours(&journey), [""; 0], "{:#?}", journey.told());
        assert!(!outcome.taken_back.is_empty());
        assert!(outcome.written.iter().any(|id| id.0.contains("orders-db")));
        assert_eq!(outcome.exit_code(false, true), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_was_deleted_is_skipped_whole() {
    let journey = Journey::new();
    let mut answers = choose_gateway("istio-system", "istio-ingressgateway");
    answers.workloads = choose(&[HTTPBIN]).workloads;
    let (selection, approved) = approved(&journey, &answers).await;
    journey
        .simulation
        .remove("Deployment", "istio-system", "istio-ingressgateway");
    let outcome = journey.write(approved, &selection, &answers, None).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
    let begun = journey.objects().into_keys();
    let begun: Vec<String> = begun
        .filter(|name| name.contains("meshscrape-istio-ingress"))
        .collect();
    assert_eq!(begun, [""; 0]);
    assert_eq!(ours(&journey).len(), 3, "{:#?}", ours(&journey));
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_was_made_anew_is_another_one() {
    let journey = Journey::new();
    let answers = choose(&[HTTPBIN]);
    let (selection, approved) = approved(&journey, &answers).await;
    anew(&journey, "default", "httpbin");
    let outcome = journey.write(approved, &selection, &answers, None).await;
    assert_eq!(ours(&journey), [""; 0]);
    let told = journey.told().join("\n");
    assert!(told.contains(engine::WAS_RECREATED), "{told}");
    assert!(!outcome.all_up);
}

/// Another image of the server's container.
fn upgrade_prometheus(deployment: &mut Value) {
    let containers = &mut deployment["spec"]["template"]["spec"]["containers"];
    let all = containers.as_array_mut().unwrap();
    let server = all.iter_mut().find(|c| c["name"] == "prometheus-server");
    server.unwrap()["image"] = "prom/prometheus:v9.0.0".into();
}

#[tokio::test(start_paused = true)]
async fn a_prometheus_that_is_another_one_stops_the_run_before_anything() {
    type Edit = fn(&mut Value);
    let cases: [(&str, Option<Edit>); 3] = [
        (
            "the image of its container prometheus-server was",
            Some(upgrade_prometheus),
        ),
        (
            "its configuration came from the key prometheus.yml of the ConfigMap prometheus, and now from",
            Some(|object| {
                let all = object["spec"]["template"]["spec"]["volumes"]
                    .as_array_mut()
                    .unwrap();
                let config = all
                    .iter_mut()
                    .find(|v| v["configMap"]["name"] == "prometheus")
                    .unwrap();
                config["configMap"]["name"] = "prometheus-v3".into();
            }),
        ),
        ("it was deleted and recreated", None),
    ];
    for (words, change) in cases {
        let journey = Journey::new();
        let answers = choose(&[HTTPBIN]);
        let (selection, approved) = approved(&journey, &answers).await;
        match change {
            Some(change) => edit(
                &journey,
                ("Deployment", "istio-system", "prometheus"),
                change,
            ),
            None => anew(&journey, "istio-system", "prometheus"),
        }
        let before = journey.objects();
        let outcome = journey.write(approved, &selection, &answers, None).await;
        let error = failure(&outcome);
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.what.contains("Deployment istio-system/prometheus"));
        assert_eq!(outcome.exit_code(false, true), 4);
        let left = super::differing(&before, &journey.objects());
        assert!(left.is_empty(), "{}", left.join("\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_in_the_midst_of_a_run_stops_it_before_prometheuss_next_change() {
    let journey = Journey::new();
    let answers = choose(&[HTTPBIN]);
    let (selection, approved) = approved(&journey, &answers).await;
    let before = journey
        .simulation
        .object("ConfigMap", "istio-system", "prometheus");
    let simulation = journey.simulation.clone();
    let has = move |part: &str| {
        simulation
            .object(part, "default", "meshscrape-httpbin")
            .is_some()
    };
    let simulation = journey.simulation.clone();
    let events = Arc::clone(&journey.events);
    let upgrade = tokio::spawn(async move {
        let written = |event: &ApplyEvent| matches!(event, ApplyEvent::Step { id, state: StepState::Rollout { .. } } if id.0.ends_with(Part::PrometheusPod.word()));
        while !events.lock().unwrap().iter().any(written) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut object = simulation
            .object("Deployment", "istio-system", "prometheus")
            .unwrap();
        upgrade_prometheus(&mut object);
        simulation.put(object);
    });
    let outcome = journey.write(approved, &selection, &answers, None).await;
    upgrade.await.unwrap();
    let error = failure(&outcome);
    assert_eq!(error.kind, Kind::StoppedPartWay, "{error}");
    assert!(error.to_string().contains("v9.0.0"), "{error}");
    assert!(
        !has("Sidecar"),
        "no listener for a Prometheus that nobody looked at"
    );
    let after = journey
        .simulation
        .object("ConfigMap", "istio-system", "prometheus");
    assert_eq!(before, after, "its text is as it was");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_terminating_costs_its_own_workloads_alone() {
    let journey = Journey::new();
    let answers = choose(&[HTTPBIN, OTHER]);
    let (selection, approved) = approved(&journey, &answers).await;
    journey.simulation.fault(Box::new(|request| {
        let hit = super::writes(request)
            && request.path.contains("/namespaces/default/")
            && request.path.contains("istio.io");
        hit.then(|| {
            Fault::Terminating("authorizationpolicies.security.istio.io \"meshscrape-httpbin\" is forbidden: unable to create new content in namespace default because it is being terminated".into())
        })
    }));
    let outcome = journey.write(approved, &selection, &answers, None).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
    assert_eq!(ours(&journey), [""; 0]);
    assert!(outcome.written.iter().any(|id| id.0.contains("orders-db")));
    let told = journey.told().join("\n");
    assert!(told.contains("because it is being terminated"), "{told}");
    assert_eq!(outcome.exit_code(false, true), 3);
}

/// The whole of it at the screen: the question with the new diff, a reflex that writes nothing, the yes.
#[tokio::test(start_paused = true)]
async fn at_the_screen_the_change_comes_back_and_the_run_goes_on() {
    let journey = Journey::new();
    let simulation = journey.simulation.clone();
    drive(&simulation, Start::default(), |user| async {
        to_the_review(&user).await;
        remark(&journey, "15099");
        user.press("enter");
        user.until("it asks for the yes", |s| s.dialog.is_some())
            .await;
        user.press("tab enter");
        user.sees(say::LOSE_HISTORY).await;
        user.press("tab enter");
        user.until("it stops", |s| s.apply.stopped.is_some()).await;
        user.sees(say::APPLY_AS_SHOWN).await;
        for words in [
            &*engine::changed_since_the_review(&"Deployment default/httpbin"),
            "− prometheus.istio.io/secure-port: \"15099\"",
            "+ prometheus.istio.io/secure-port: \"15091\"",
        ] {
            assert!(user.shows(words), "{words}\n{}", user.text());
        }
        user.press("enter");
        user.until("the question is put off", |s| s.dialog.is_none())
            .await;
        user.sees("+ prometheus.istio.io/secure-port: \"15091\"")
            .await;
        user.press("enter");
        user.until("the question is back", |s| s.dialog.is_some())
            .await;
        user.press("tab enter");
        user.until("it ends", |s| s.apply.outcome.is_some()).await;
        let ended = user.state(|s| s.apply.outcome.as_ref().map(|o| o.ended.clone()));
        assert_eq!(ended, Some(Ended::Whole), "{}", user.text());
        user
    })
    .await;
    let live = simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    let annotations = &live["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations[PORT], "15091");
}
