//! What hinders a rollout, and the same rollout with one thing otherwise.

use super::absent;
use crate::plan::rollout_problems::{Around, rollout_problems};
use crate::problems::{Code, Problem};
use serde_json::{Value, json};

fn live(kind: &str, more: Value) -> Value {
    let mut spec = json!({
        "replicas": 4, "selector": {"matchLabels": {"app": "cart"}},
        "template": {"metadata": {"labels": {"app": "cart"}}},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({"kind": kind, "metadata": {"namespace": "shop", "name": "cart"}, "spec": spec})
}

fn codes(found: Vec<Problem>) -> Vec<Code> {
    found.iter().map(Problem::code).collect()
}

#[test]
fn each_comes_and_is_absent_where_one_thing_is_otherwise() {
    let alone = |live: &Value| rollout_problems(live, &Around::default());
    let paused = |paused: bool| alone(&live("Deployment", json!({"paused": paused})));
    assert_eq!(codes(paused(true)), [Code::RolloutPaused]);
    absent(Code::RolloutPaused, paused(false));
    let strategy = |strategy: Value| {
        let update = json!({"updateStrategy": strategy});
        alone(&live("StatefulSet", update))
    };
    let found = strategy(json!({"type": "OnDelete"}));
    assert_eq!(codes(found), [Code::RolloutOnDelete]);
    absent(
        Code::RolloutOnDelete,
        strategy(json!({"type": "RollingUpdate"})),
    );
    let partition = |from: u64| strategy(json!({"rollingUpdate": {"partition": from}}));
    assert_eq!(codes(partition(1)), [Code::RolloutPartition]);
    absent(Code::RolloutPartition, partition(0));
}

#[test]
fn bounds_count_where_the_rollout_meets_them() {
    let pod = json!({"spec": {"containers": [{}]}});
    let rolling = |surge: u64, away: u64| {
        let rolling = json!({"maxSurge": surge, "maxUnavailable": away});
        live(
            "Deployment",
            json!({"strategy": {"rollingUpdate": rolling}}),
        )
    };
    let quota = |hard: &str| {
        let quotas = [
            json!({"metadata": {"name": "team"}, "spec": {}, "status": {"hard": {"pods": hard}, "used": {"pods": "4"}}}),
        ];
        let around = Around {
            quotas: &quotas,
            old: Some(&pod),
            new: Some(&pod),
            ..Around::default()
        };
        rollout_problems(&rolling(1, 0), &around)
    };
    assert_eq!(codes(quota("4")), [Code::QuotaTooSmall]);
    absent(Code::QuotaTooSmall, quota("5"));
    let budget = |away: u64| {
        let budgets = [
            json!({"metadata": {"name": "keep"}, "spec": {"selector": {"matchLabels": {"app": "cart"}}},
            "status": {"disruptionsAllowed": 0, "expectedPods": 4}}),
        ];
        let around = Around {
            budgets: &budgets,
            ..Around::default()
        };
        rollout_problems(&rolling(1, away), &around)
    };
    assert_eq!(codes(budget(1)), [Code::BudgetNotAsked]);
    absent(Code::BudgetNotAsked, budget(0));
}
