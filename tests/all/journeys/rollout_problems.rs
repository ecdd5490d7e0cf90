//! What a rollout will meet is known before anything is written, and is what then happens.

use super::{Journey, choose};
use meshscrape::commands::{json, words};
use meshscrape::engine::event::Ended;
use meshscrape::plan::review::{ItemState, PodVerdict, Review};
use meshscrape::problems::{Code, Problem};
use serde_json::{Value, json};
use std::time::Duration;

const HTTPBIN: &str = "default/Deployment/httpbin";
const DATABASE: &str = "orders/StatefulSet/orders-db";
const SHIPPER: &str = "platform/DaemonSet/log-shipper";

fn change(journey: &Journey, workload: &str, edit: impl Fn(&mut Value)) {
    let [namespace, kind, name] = workload.split('/').collect::<Vec<_>>()[..] else {
        panic!("{workload}")
    };
    let mut live = journey.simulation.object(kind, namespace, name).unwrap();
    edit(&mut live);
    journey.simulation.put(live);
}

/// As many pods as there are now.
fn full(journey: &Journey, namespace: &str) {
    let pods = journey.simulation.objects("Pod", namespace).len();
    journey.simulation.put(json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "team", "namespace": namespace},
        "spec": {"hard": {"pods": pods.to_string()}},
    }));
}

fn budget(journey: &Journey, namespace: &str, app: &str) {
    journey.simulation.put(json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "keep", "namespace": namespace},
        "spec": {"minAvailable": "100%", "selector": {"matchLabels": {"app": app}}},
    }));
}

async fn review(journey: &Journey, workload: &str) -> Review {
    tokio::time::sleep(Duration::from_secs(5)).await;
    let answers = choose(&[workload]);
    let (_, plan) = journey.plan(&answers).await.unwrap();
    journey.review(plan, &answers).await
}

fn found(review: &Review) -> Vec<Code> {
    let items = review.items.values();
    items
        .flat_map(|item| item.rollout_problems.iter().map(|problem| problem.code()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn each_problem_is_said_at_its_change_in_words_and_json() {
    for (workload, kind, says) in [
        (
            HTTPBIN,
            Code::RolloutPaused,
            "rollout resume deployment/httpbin",
        ),
        (DATABASE, Code::RolloutOnDelete, "update strategy OnDelete"),
        (DATABASE, Code::RolloutPartition, "has partition 1"),
        (SHIPPER, Code::RolloutOnDelete, "update strategy OnDelete"),
        (HTTPBIN, Code::QuotaTooSmall, "ResourceQuota team"),
        (DATABASE, Code::BudgetNotAsked, "does not limit rollouts"),
    ] {
        let journey = Journey::new();
        let quiet = review(&journey, workload).await;
        assert_eq!(found(&quiet), [], "{workload}");
        match kind {
            Code::RolloutPaused => change(&journey, workload, |live| {
                live["spec"]["paused"] = json!(true);
            }),
            Code::RolloutOnDelete => change(&journey, workload, |live| {
                live["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
            }),
            Code::RolloutPartition => change(&journey, workload, |live| {
                live["spec"]["updateStrategy"] =
                    json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
            }),
            Code::QuotaTooSmall => full(&journey, "default"),
            Code::BudgetNotAsked => budget(&journey, "orders", "orders-db"),
            other => panic!("{other}"),
        }
        let review = review(&journey, workload).await;
        assert_eq!(found(&review), [kind], "{workload}");
        let text = words::review(&review);
        assert!(crate::tells(&text, kind, says), "{text}");
        let value = json::review(&review);
        let changes = value["changes"].as_array().unwrap();
        let problem = changes
            .iter()
            .flat_map(|change| change["problems"].as_array().unwrap())
            .find(|problem| problem["code"] == kind.text())
            .unwrap();
        let told = format!("{}{}", problem["message"], problem["remedy"]);
        assert!(crate::tells(&told, kind, says), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_read_is_not_told_of() {
    let journey = Journey::new();
    full(&journey, "default");
    budget(&journey, "orders", "orders-db");
    for (group, resource) in [("", "resourcequotas"), ("policy", "poddisruptionbudgets")] {
        journey.simulation.deny("list", group, resource, None);
    }
    assert_eq!(found(&review(&journey, DATABASE).await), []);
    // The refusal of a Pod is the server's own word all the same.
    let review = review(&journey, HTTPBIN).await;
    assert_eq!(found(&review), []);
    let refused = review.states().into_values().any(
        |state| matches!(state, ItemState::Refused(why) if why.contains("exceeded quota: team")),
    );
    assert!(refused, "{:#?}", review.states());
}

#[tokio::test(start_paused = true)]
async fn a_full_quota_does_not_hinder_a_set_whose_old_pods_go_first() {
    let journey = Journey::new();
    let quiet = json::review(&review(&journey, DATABASE).await);
    crate::absent(Code::QuotaRefusesOneMore, &quiet.to_string());
    full(&journey, "orders");
    let review = review(&journey, DATABASE).await;
    assert_eq!(found(&review), []);
    let annotations = review
        .items
        .iter()
        .find(|(id, _)| id.0 == "StatefulSet/orders/orders-db#annotation");
    let said = annotations.and_then(|(_, item)| item.pod.clone());
    assert!(
        matches!(
            &said,
            Some(PodVerdict::BeyondQuota(Problem::QuotaRefusesOneMore { .. }))
        ),
        "{said:?}"
    );
    let outcome = journey.apply(&choose(&[DATABASE])).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
    assert!(outcome.all_up, "{:#?}", outcome.board);
}

#[tokio::test(start_paused = true)]
async fn the_namespaces_bounds_are_read_once_and_only_where_something_restarts() {
    let journey = Journey::new();
    let answers = choose(&["shop/Deployment/cart", "shop/Deployment/storefront"]);
    let (_, plan) = journey.plan(&answers).await.unwrap();
    journey.review(plan, &answers).await;
    for resource in ["resourcequotas", "poddisruptionbudgets"] {
        let asked: Vec<String> = journey
            .simulation
            .requests()
            .iter()
            .map(|request| request.path.clone())
            .filter(|path| path.contains(resource))
            .collect();
        let mut once = asked.clone();
        once.sort();
        once.dedup();
        assert_eq!(asked.len(), once.len(), "{asked:?}");
        assert!(asked.iter().any(|path| path.contains("/namespaces/shop/")));
        assert!(asked.len() <= 2, "shop's and Prometheus's own: {asked:?}");
    }
}
