//! Apply, second run and undo of each kind of choice.

use super::{Journey, choose, choose_gateway, differing, writes};
use meshscrape::answers::{Annotate, Answers, Injection, MetricsPort, Pace};
use meshscrape::engine::apply::Control;
use meshscrape::engine::event::{ApplyEvent, Decision, Ended, StepState};
use meshscrape::plan::review::{ItemState, NotApprovable, Word};
use meshscrape::plan::scrape_config::{self, TextEdit};
use meshscrape::plan::{ChangeId, Part};
use meshscrape::problems::{Lost, Problem};
use meshscrape::words::say::engine as say;
use serde_json::{Value, json};
use std::time::Duration;

/// Applies, finds nothing more to change, takes it back: every object is as it was, but for those that had
/// to be made anew, which are so in all but their identity.
pub(super) async fn there_and_back(journey: &Journey, answers: &Answers, anew: &[&str]) {
    let before = journey.objects();
    let outcome = journey.apply(answers).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
    assert!(
        outcome.all_up,
        "{:#?}\n{:#?}",
        outcome.board,
        journey.told()
    );
    assert_eq!(
        outcome.plaintext_refused,
        Some(true),
        "{:#?}",
        outcome.board
    );
    assert_eq!(outcome.not_written, []);
    journey.nothing_to_change(answers).await;
    back(journey, answers, anew, before).await;
}

async fn back(journey: &Journey, answers: &Answers, anew: &[&str], mut before: super::Objects) {
    let (undo, _) = journey.undo(answers).await;
    // What comes back with a fault that it had before is said, and nothing else has to be.
    assert_eq!(undo.notes.is_empty(), anew.is_empty(), "{:?}", undo.notes);
    let mut after = journey.objects();
    for name in anew {
        for objects in [&mut before, &mut after] {
            let object = objects.get_mut(*name).unwrap_or_else(|| panic!("{name}"));
            let metadata = object["metadata"].as_object_mut().unwrap();
            metadata.remove("uid");
            metadata.remove("creationTimestamp");
        }
    }
    let left = differing(&before, &after);
    assert!(left.is_empty(), "undo left:\n{}", left.join("\n"));
}

/// A Sidecar, a PeerAuthentication, an ALLOW policy that select the workload; a Sidecar of its namespace.
#[tokio::test(start_paused = true)]
async fn what_others_govern_is_added_to_and_left_as_it_was() {
    let journey = Journey::new();
    let of = |app: &str| format!("billing/Deployment/{app}");
    let all: Vec<String> = ["invoices", "ledger", "tax"].map(of).to_vec();
    let mut all: Vec<&str> = all.iter().map(String::as_str).collect();
    all.push("loyalty/Deployment/points");
    there_and_back(&journey, &choose(&all), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_stateful_set() {
    let journey = Journey::new();
    there_and_back(&journey, &choose(&["orders/StatefulSet/orders-db"]), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_set() {
    let journey = Journey::new();
    there_and_back(&journey, &choose(&["platform/DaemonSet/log-shipper"]), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_workload_under_strict() {
    let journey = Journey::new();
    let answers = choose(&["payments/Deployment/fraud-check"]);
    there_and_back(&journey, &answers, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway() {
    let journey = Journey::new();
    let answers = choose_gateway("istio-system", "istio-ingressgateway");
    there_and_back(&journey, &answers, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_on_15090() {
    let journey = Journey::new();
    let mut answers = choose_gateway("istio-system", "istio-egressgateway");
    answers.options.port = MetricsPort::Envoy;
    there_and_back(&journey, &answers, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn several_of_every_kind_at_once() {
    let journey = Journey::new();
    let mut answers = choose_gateway("istio-system", "istio-ingressgateway");
    answers.workloads = choose(&[
        "default/Deployment/httpbin",
        "shop/Deployment/cart",
        "shop/StatefulSet/sessions",
        "platform/DaemonSet/log-shipper",
    ])
    .workloads;
    there_and_back(&journey, &answers, &[]).await;
}

/// What is chosen may enter the mesh.
fn with_first_sidecar(mut answers: Answers) -> Answers {
    answers.options.inject = true;
    answers
}

#[tokio::test(start_paused = true)]
async fn injection_switched_on_by_the_template() {
    let journey = Journey::new();
    let answers = with_first_sidecar(choose(&["warehouse/Deployment/stock"]));
    there_and_back(&journey, &answers, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn injection_switched_on_by_the_namespace_names_who_else_gets_a_sidecar() {
    let journey = Journey::new();
    journey.simulation.put(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "bystander", "namespace": "warehouse", "labels": {"app": "bystander"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "bystander"}},
            "template": {"metadata": {"labels": {"app": "bystander"}},
                "spec": {"containers": [{"name": "app", "image": "example.com/bystander:1"}]}}},
    }));
    tokio::time::sleep(Duration::from_secs(30)).await;
    let mut answers = with_first_sidecar(choose(&["warehouse/Deployment/stock"]));
    answers.options.injection = Injection::Namespace;
    let (_, plan) = journey.plan(&answers).await.unwrap();
    assert!(
        format!(
            "{:?}",
            (
                &plan.impacts,
                plan.changes.iter().map(|c| &c.impacts).collect::<Vec<_>>()
            )
        )
        .contains("bystander"),
        "{plan:#?}"
    );
    there_and_back(&journey, &answers, &[]).await;
    let labels = journey
        .simulation
        .object("Namespace", "", "warehouse")
        .unwrap();
    assert!(
        labels["metadata"]["labels"]
            .get("istio-injection")
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn marks_on_running_pods_restart_nothing_and_go_again() {
    let journey = Journey::new();
    let annotations = |journey: &Journey| -> Vec<(String, Value)> {
        let pods = journey.simulation.objects("Pod", "default");
        pods.iter()
            .map(|pod| {
                let annotations = &pod["metadata"]["annotations"];
                let annotation = annotations["prometheus.istio.io/secure-port"].clone();
                (
                    pod["metadata"]["uid"].as_str().unwrap().to_owned(),
                    annotation,
                )
            })
            .collect()
    };
    let before = annotations(&journey);
    assert!(before.iter().all(|(_, annotation)| annotation.is_null()));
    let mut answers = choose(&["default/Deployment/httpbin"]);
    answers.options.annotate = Annotate::Pods;
    let objects = journey.objects();
    let outcome = journey.apply(&answers).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
    assert!(outcome.all_up, "{:#?}", outcome.board);
    let annotated = annotations(&journey);
    assert!(
        annotated
            .iter()
            .all(|(_, annotation)| annotation == "15091"),
        "{annotated:?}"
    );
    let uids = |of: &[(String, Value)]| of.iter().map(|(uid, _)| uid.clone()).collect::<Vec<_>>();
    assert_eq!(uids(&annotated), uids(&before));
    journey.nothing_to_change(&answers).await;
    back(&journey, &answers, &[], objects).await;
    assert_eq!(annotations(&journey), before);
}

#[tokio::test(start_paused = true)]
async fn on_15090_the_old_jobs_stay_and_both_impacts_are_said() {
    let journey = Journey::new();
    let mut answers = choose(&["default/Deployment/httpbin"]);
    answers.options.port = MetricsPort::Envoy;
    let (_, plan) = journey.plan(&answers).await.unwrap();
    assert!(
        plan.changes.iter().all(|c| c.part != Part::PlaintextJobs),
        "{plan:#?}"
    );
    let stays = plan.findings.iter().find_map(|problem| match problem {
        Problem::PlaintextScrapeStays { lost, .. } => Some(lost),
        _ => None,
    });
    assert_eq!(
        stays,
        Some(&Lost::NotEnvoys { port: 15020 }),
        "{:?}",
        plan.findings
    );
    let mut forbidden = answers.clone();
    forbidden.options.stop_plaintext_jobs = Some(true);
    let error = journey.plan(&forbidden).await.unwrap_err();
    assert!(error.to_string().contains("lose"), "{error}");
    assert!(!error.hints.is_empty());

    there_and_back(&journey, &answers, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn where_somebody_has_marked_pods_left_out_15090_is_refused_for_what_it_would_lose() {
    let journey = Journey::new();
    leave_annotated_out(&journey);
    let mut answers = choose(&["shop/Deployment/cart"]);
    answers.options.port = MetricsPort::Envoy;
    let error = journey.plan(&answers).await.unwrap_err();
    assert!(error.what.contains("15090"), "{error}");
    assert!(
        error.to_string().contains("shop/Deployment/cart"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn one_on_15090_beside_one_whose_plaintext_scrape_ended() {
    let journey = Journey::new();
    journey
        .apply(&choose(&["default/Deployment/httpbin"]))
        .await;
    let mut answers = choose(&["shop/Deployment/cart"]);
    answers.options.port = MetricsPort::Envoy;
    there_and_back(&journey, &answers, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_published_recipe_left_is_repaired_and_comes_up() {
    let journey = Journey::new();
    let answers = choose(&["returns/Deployment/returns-api"]);
    let (_, plan) = journey.plan(&answers).await.unwrap();
    let repairs = plan.changes.iter().filter(|c| c.part == Part::Fix);
    assert!(repairs.count() > 0, "{plan:#?}");
    there_and_back(&journey, &answers, &["Sidecar returns/secure-metrics"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_field_of_helm_stops_the_run_until_it_is_taken_by_name() {
    let journey = Journey::new();
    // Helm applies the very annotation that is our annotation, with another value.
    let annotation = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "httpbin", "namespace": "default"},
        "spec": {"template": {"metadata": {"annotations": {"prometheus.istio.io/secure-port": "15099"}}}},
    });
    let path = "/apis/apps/v1/namespaces/default/deployments/httpbin?fieldManager=helm&force=true";
    let request = http::Request::patch(path)
        .header("content-type", "application/apply-patch+yaml")
        .body(annotation.to_string().into_bytes())
        .unwrap();
    journey
        .simulation
        .client()
        .request_text(request)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;

    let mut answers = choose(&["default/Deployment/httpbin"]);
    let (_, plan) = journey.plan(&answers).await.unwrap();
    let review = journey.review(plan, &answers).await;
    let states = review.states();
    let stopped: Vec<_> = states
        .iter()
        .filter(|(_, state)| matches!(state, ItemState::Conflict(who) if who == &["helm"]))
        .collect();
    assert_eq!(stopped.len(), 1, "{states:#?}");
    let refusal = review.approve(Word { lose_history: true }).unwrap_err();
    assert!(matches!(refusal, NotApprovable::Stopped(ids) if ids.contains(stopped[0].0)));

    answers.take.insert("helm".into());
    let outcome = journey.apply(&answers).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
    assert!(outcome.all_up, "{:#?}", outcome.board);
    journey.nothing_to_change(&answers).await;
}

/// Somebody's own rule, by which the plaintext jobs leave out whatever carries the annotation.
fn leave_annotated_out(journey: &Journey) {
    let mut live = journey
        .simulation
        .object("ConfigMap", "istio-system", "prometheus")
        .unwrap();
    let rule = json!({
        "source_labels": ["__meta_kubernetes_pod_annotationpresent_prometheus_istio_io_secure_port"],
        "action": "drop", "regex": "(true)",
    });
    let edits = ["kubernetes-pods", "kubernetes-pods-slow"].map(|job| TextEdit::AddRule {
        job: job.into(),
        rule: rule.clone(),
    });
    let text = live["data"]["prometheus.yml"].as_str().unwrap();
    live["data"]["prometheus.yml"] = scrape_config::apply(text, &edits).unwrap().into();
    journey.simulation.put(live);
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_is_taken_back_stops_the_run_also_where_the_old_jobs_leave_it_out() {
    for pace in [Pace::One, Pace::Canary] {
        let journey = Journey::new();
        leave_annotated_out(&journey);
        journey
            .apply(&choose(&["default/Deployment/httpbin"]))
            .await;
        let mut answers = choose(&["fulfilment/Deployment/shipping", "shop/Deployment/cart"]);
        answers.options.pace = pace;
        let outcome = journey.apply(&answers).await;
        let annotated = |ids: &[ChangeId], name: &str| {
            let annotation = format!("Deployment/{name}#annotation");
            ids.iter().any(|id| id.0 == annotation)
        };
        let told = journey.told();
        assert!(
            annotated(&outcome.taken_back, "fulfilment/shipping"),
            "{told:#?}"
        );
        match pace {
            Pace::Canary => {
                let Ended::PartWay(Some(error)) = &outcome.ended else {
                    panic!("{outcome:?}");
                };
                assert_eq!(error.hints[0], say::SEE_WHY_NOT_UP, "{error}");
                assert!(annotated(&outcome.not_written, "shop/cart"), "{told:#?}");
            }
            _ => assert!(annotated(&outcome.written, "shop/cart"), "{told:#?}"),
        }
        let live = journey
            .simulation
            .object("Deployment", "fulfilment", "shipping");
        let annotations = &live.unwrap()["spec"]["template"]["metadata"]["annotations"];
        assert!(annotations.get("prometheus.istio.io/secure-port").is_none());
        journey.dressed();
    }
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_was_taken_back_is_written_again_by_retry() {
    let journey = Journey::new();
    leave_annotated_out(&journey);
    journey
        .apply(&choose(&["default/Deployment/httpbin"]))
        .await;
    let mut answers = choose(&["fulfilment/Deployment/shipping"]);
    answers.options.pace = Pace::Canary;
    let (selection, plan) = journey.plan(&answers).await.unwrap();
    let review = journey.review(plan, &answers).await;
    let approved = review.approve(Word { lose_history: true }).unwrap();
    let (steering, control) = Control::asked();
    for decision in [Decision::Retry, Decision::Stop] {
        steering.decisions.try_send(decision).unwrap();
    }
    let outcome = journey
        .write_under(approved, &selection, &answers, None, control)
        .await;
    let told = journey.told();
    let annotation = "Deployment/fulfilment/shipping#annotation: ";
    let count = |word: &str| {
        let wanted = format!("{annotation}{word}");
        told.iter().filter(|line| line.starts_with(&wanted)).count()
    };
    assert_eq!(count("Writing"), 2, "{told:#?}");
    assert_eq!(count("TakenBack"), 2, "{told:#?}");
    let stopped = "Deployment/fulfilment/shipping#annotation stopped: ";
    assert_eq!(
        told.iter().filter(|line| line.starts_with(stopped)).count(),
        2
    );
    assert!(
        outcome
            .taken_back
            .iter()
            .any(|id| annotation.starts_with(&id.0))
    );
}

#[tokio::test(start_paused = true)]
async fn a_mark_whose_target_stays_down_is_taken_back_where_the_old_jobs_leave_it_out() {
    let journey = Journey::new();
    leave_annotated_out(&journey);
    let first = journey
        .apply(&choose(&["default/Deployment/httpbin"]))
        .await;
    assert!(first.all_up, "{:#?}", first.board);
    let before = journey
        .simulation
        .object("Deployment", "fulfilment", "shipping");

    let answers = choose(&["fulfilment/Deployment/shipping"]);
    let outcome = journey.apply(&answers).await;
    assert!(!outcome.all_up);
    let taken: Vec<&str> = outcome.taken_back.iter().map(|id| id.0.as_str()).collect();
    assert_eq!(
        taken,
        ["Deployment/fulfilment/shipping#annotation"],
        "{:#?}",
        journey.told()
    );
    let why = journey
        .events
        .lock()
        .unwrap()
        .iter()
        .find_map(|event| match event {
            ApplyEvent::Step {
                state: StepState::TakenBack(why),
                ..
            } => Some(why.clone()),
            _ => None,
        });
    let why = why.expect("it is said");
    assert!(why.contains("shipping"), "{why}");
    let template = |object: Option<Value>| object.unwrap()["spec"]["template"].clone();
    let after = journey
        .simulation
        .object("Deployment", "fulfilment", "shipping");
    assert_eq!(template(after), template(before));
    // Its pods are scraped in plaintext again.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let pods = journey.simulation.objects("Pod", "fulfilment");
    assert!(pods.iter().all(|pod| {
        pod["metadata"]["annotations"]
            .get("prometheus.istio.io/secure-port")
            .is_none()
    }));
    journey.dressed();
}

#[tokio::test(start_paused = true)]
async fn before_the_yes_only_reads_reviews_and_dry_runs_are_sent() {
    let journey = Journey::new();
    let before = journey.objects();
    for answers in [
        with_first_sidecar(choose(&[
            "default/Deployment/httpbin",
            "warehouse/Deployment/stock",
        ])),
        choose(&["returns/Deployment/returns-api"]),
        choose_gateway("istio-system", "istio-ingressgateway"),
    ] {
        let (_, plan) = journey.plan(&answers).await.unwrap();
        let review = journey.review(plan, &answers).await;
        assert!(review.counts().changes > 0);
    }
    let sent = journey.simulation.requests();
    assert!(sent.iter().any(|r| r.method != "GET"));
    let wrote: Vec<_> = sent.iter().filter(|r| writes(r)).collect();
    assert!(wrote.is_empty(), "{wrote:#?}");
    assert_eq!(journey.objects(), before);
}

#[tokio::test(start_paused = true)]
async fn an_undo_leaves_the_listener_until_prometheus_has_dropped_its_targets() {
    let journey = Journey::new();
    let mut answers = choose(&["default/Deployment/httpbin"]);
    answers.options.annotate = Annotate::Pods;
    journey.apply(&answers).await;
    let begun = journey.simulation.requests().len();
    journey.undo(&answers).await;

    let requests = journey.simulation.requests();
    let undo = &requests[begun..];
    let at = |method: &str, path: &str| {
        let found = undo
            .iter()
            .rposition(|r| r.method == method && r.path.contains(path));
        found.unwrap_or_else(|| panic!("no {method} {path} in {undo:#?}"))
    };
    let unannotated = at("PATCH", "/namespaces/default/pods/");
    let gone = at("DELETE", "/sidecars/meshscrape-httpbin");
    let asked = undo[unannotated..gone].iter();
    let asked = asked.filter(|r| r.path.contains("/api/v1/targets"));
    assert!(asked.count() > 0, "the listener went unasked");
    let told = journey.told().join("\n");
    let item = "default/Deployment/httpbin";
    assert!(told.contains(&say::on_targets_dropped(&item)), "{told}");
    assert!(!told.contains(&say::still_scrapes(&item)), "{told}");
}
