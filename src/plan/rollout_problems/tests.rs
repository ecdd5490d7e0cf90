use super::quota::amount;
use super::*;
use crate::problems::tests::told;
use crate::problems::{Code, Remedy};
use serde_json::json;

fn deployment(replicas: u64, strategy: Value) -> Value {
    json!({
        "kind": "Deployment", "metadata": {"namespace": "shop", "name": "cart"},
        "spec": {
            "replicas": replicas, "strategy": strategy,
            "selector": {"matchLabels": {"app": "cart"}},
            "template": {"metadata": {"labels": {"app": "cart"}}},
        },
    })
}

fn stateful(replicas: u64, strategy: Value) -> Value {
    json!({
        "kind": "StatefulSet", "metadata": {"namespace": "shop", "name": "db"},
        "spec": {
            "replicas": replicas, "updateStrategy": strategy,
            "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}},
        },
    })
}

fn daemon(strategy: Value) -> Value {
    json!({
        "kind": "DaemonSet", "metadata": {"namespace": "shop", "name": "agent"},
        "spec": {
            "updateStrategy": strategy,
            "selector": {"matchLabels": {"app": "agent"}},
            "template": {"metadata": {"labels": {"app": "agent"}}},
        },
        "status": {"desiredNumberScheduled": 5},
    })
}

fn alone(live: &Value) -> Vec<Problem> {
    rollout_problems(live, &Around::default())
}

fn kinds(rollout_problems: &[Problem]) -> Vec<Code> {
    rollout_problems.iter().map(Problem::code).collect()
}

/// What to do.
fn to_do(of: &Problem) -> String {
    crate::words::remedy(of).unwrap_or_default()
}

#[test]
fn what_keeps_pods_on_the_old_template_is_named_with_the_command_that_mends_it() {
    let mut paused = deployment(2, json!({}));
    paused["spec"]["paused"] = json!(true);
    for (live, kind, what, todo) in [
        (
            paused,
            Code::RolloutPaused,
            "",
            "kubectl -n shop rollout resume deployment/cart",
        ),
        (
            stateful(3, json!({"type": "OnDelete"})),
            Code::RolloutOnDelete,
            "selector=app=db",
            "kubectl -n shop delete pod -l app=db",
        ),
        (
            daemon(json!({"type": "OnDelete"})),
            Code::RolloutOnDelete,
            "selector=app=agent",
            "kubectl -n shop delete pod -l app=agent",
        ),
        (
            stateful(
                3,
                json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}),
            ),
            Code::RolloutPartition,
            "partition=2",
            "kubectl -n shop patch statefulset db",
        ),
    ] {
        let found = alone(&live);
        assert_eq!(kinds(&found), [kind]);
        assert!(told(&found[0]).contains(what), "{}", told(&found[0]));
        assert!(to_do(&found[0]).contains(todo), "{}", to_do(&found[0]));
    }
    for live in [
        deployment(2, json!({"type": "RollingUpdate"})),
        deployment(2, json!({"type": "Recreate"})),
        stateful(3, json!({"rollingUpdate": {"partition": 0}})),
        stateful(0, json!({"rollingUpdate": {"partition": 2}})),
        daemon(json!({"type": "RollingUpdate"})),
        json!({"kind": "ConfigMap"}),
    ] {
        assert_eq!(alone(&live), []);
    }
}

#[test]
fn the_pace_is_the_controllers() {
    let rolling = |surge: &str, away: &str| json!({"rollingUpdate": {"maxSurge": surge, "maxUnavailable": away}});
    let pace_of = |live: &Value| pace(live).map(|pace| (pace.pods, pace.away));
    // A quarter of three rounds down to none away, of four to one.
    assert_eq!(pace_of(&deployment(3, json!({}))), Some((3, 0)));
    assert_eq!(pace_of(&deployment(4, json!({}))), Some((4, 1)));
    assert_eq!(
        pace_of(&deployment(3, rolling("0%", "25%"))),
        Some((3, 1)),
        "neither would move it"
    );
    assert_eq!(
        pace_of(&deployment(3, json!({"type": "Recreate"}))),
        Some((3, 3))
    );
    assert_eq!(pace_of(&stateful(3, json!({}))), Some((3, 1)));
    assert_eq!(
        pace_of(&stateful(3, json!({"rollingUpdate": {"partition": 2}}))),
        Some((1, 1))
    );
    assert_eq!(pace_of(&daemon(json!({}))), Some((5, 1)));
    let surging = json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
    assert_eq!(pace_of(&daemon(surging)), Some((5, 0)));
    assert_eq!(pace_of(&stateful(3, json!({"type": "OnDelete"}))), None);
}

fn quota(hard: Value, used: Value) -> Value {
    json!({"metadata": {"name": "team"}, "spec": {}, "status": {"hard": hard, "used": used}})
}

fn pod(cpu: &[&str]) -> Value {
    let containers: Vec<Value> = cpu
        .iter()
        .map(|cpu| json!({"resources": {"requests": {"cpu": cpu}}}))
        .collect();
    json!({"spec": {"containers": containers}})
}

fn with(live: &Value, quotas: &[Value], old: Option<&Value>, new: Option<&Value>) -> Vec<Problem> {
    let around = Around {
        quotas,
        old,
        new,
        ..Around::default()
    };
    rollout_problems(live, &around)
}

#[test]
fn a_full_quota_hinders_only_where_a_new_pod_comes_before_an_old_one_goes() {
    let full = [quota(json!({"pods": "3"}), json!({"pods": "3"}))];
    let (old, new) = (pod(&["100m"]), pod(&["100m"]));
    let found = with(&deployment(3, json!({})), &full, Some(&old), Some(&new));
    assert_eq!(kinds(&found), [Code::QuotaTooSmall]);
    assert_eq!(
        told(&found[0]),
        "hard=3 needs=1 oldStay=true quota=team resource=pods used=3"
    );
    assert!(to_do(&found[0]).contains("kubectl -n shop describe resourcequota team"));

    // An old pod makes room for the new one.
    for live in [
        deployment(4, json!({})),
        deployment(3, json!({"type": "Recreate"})),
        stateful(3, json!({})),
        daemon(json!({})),
    ] {
        assert_eq!(with(&live, &full, Some(&old), Some(&new)), []);
    }
    let room = [quota(json!({"pods": "4"}), json!({"pods": "3"}))];
    assert_eq!(
        with(&deployment(3, json!({})), &room, Some(&old), Some(&new)),
        []
    );
}

#[test]
fn a_sidecar_that_is_new_must_fit_into_every_pod() {
    // Three pods gain 100m each, 200m are left.
    let quotas = [quota(
        json!({"requests.cpu": "2"}),
        json!({"requests.cpu": "1800m"}),
    )];
    let (old, new) = (pod(&["500m"]), pod(&["500m", "100m"]));
    let found = with(&stateful(3, json!({})), &quotas, Some(&old), Some(&new));
    assert_eq!(kinds(&found), [Code::QuotaTooSmall]);
    assert_eq!(
        told(&found[0]),
        "hard=2 needs=300m oldStay=false quota=team resource=requests.cpu used=1800m"
    );
    let two = stateful(2, json!({}));
    assert_eq!(with(&two, &quotas, Some(&old), Some(&new)), []);
    // A Deployment that surges needs the whole of one pod besides.
    let found = with(&deployment(2, json!({})), &quotas, Some(&old), Some(&new));
    assert!(told(&found[0]).contains("needs=700m"), "{found:?}");
}

#[test]
fn init_containers_count_as_the_scheduler_counts_them() {
    let pod = json!({"spec": {
        "initContainers": [
            {"restartPolicy": "Always", "resources": {"limits": {"memory": "64Mi"}}},
            {"resources": {"requests": {"memory": "512Mi"}}},
        ],
        "containers": [{"resources": {"requests": {"memory": "256Mi"}}}],
        "overhead": {"memory": "10Mi"},
    }});
    let full = [quota(json!({"memory": "1Gi"}), json!({"memory": "1Gi"}))];
    let one = json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
    let found = with(&deployment(1, one), &full, Some(&pod), Some(&pod));
    assert!(told(&found[0]).contains("needs=586Mi"), "{found:?}");
}

#[test]
fn what_is_not_known_of_a_quota_is_not_said() {
    let live = deployment(3, json!({}));
    let (old, new) = (pod(&["1"]), pod(&["1"]));
    let mut scoped = quota(json!({"pods": "3"}), json!({"pods": "3"}));
    scoped["spec"]["scopes"] = json!(["BestEffort"]);
    let not_counted_yet = json!({"metadata": {"name": "team"}, "spec": {"hard": {"pods": "3"}}});
    let other = quota(json!({"services": "1"}), json!({"services": "1"}));
    let odd = quota(json!({"pods": "many"}), json!({"pods": "3"}));
    for quotas in [scoped, not_counted_yet, other, odd] {
        assert_eq!(with(&live, &[quotas], Some(&old), Some(&new)), []);
    }
    let cpu = [quota(json!({"cpu": "3"}), json!({"cpu": "3"}))];
    assert_eq!(with(&live, &cpu, None, None), []);
    assert_eq!(with(&stateful(3, json!({})), &cpu, None, Some(&new)), []);
}

#[test]
fn a_refusal_tells_what_the_pod_would_have_taken() {
    let quotas = [quota(json!({"cpu": "3"}), json!({"cpu": "2900m"}))];
    let around = Around {
        quotas: &quotas,
        refused: Some(
            "pods \"cart-\" is forbidden: exceeded quota: team, requested: cpu=600m, used: cpu=2900m, limited: cpu=3",
        ),
        ..Around::default()
    };
    let found = rollout_problems(&deployment(3, json!({})), &around);
    assert!(told(&found[0]).contains("needs=600m"), "{found:?}");
}

fn budget(selector: Value, allowed: u64) -> Value {
    json!({
        "metadata": {"name": "keep"}, "spec": {"selector": selector},
        "status": {"disruptionsAllowed": allowed, "expectedPods": 3},
    })
}

#[test]
fn a_budget_is_told_of_only_where_the_rollout_takes_pods_away_past_it() {
    let around = |budgets: &[Value], live: &Value| {
        rollout_problems(
            live,
            &Around {
                budgets,
                ..Around::default()
            },
        )
    };
    let cart = json!({"matchLabels": {"app": "cart"}});
    let none = [budget(cart.clone(), 0)];
    let found = around(&none, &deployment(4, json!({})));
    assert_eq!(kinds(&found), [Code::BudgetNotAsked]);
    assert_eq!(told(&found[0]), "away=1 budget=keep pods=4");
    assert!(
        matches!(found[0].remedy(), Remedy::Command { command } if command.contains("maxUnavailable\":0"))
    );

    // The old pods stay until the new ones are ready.
    assert_eq!(around(&none, &deployment(3, json!({}))), []);
    assert_eq!(around(&[budget(cart, 1)], &deployment(4, json!({}))), []);
    assert_eq!(around(&none, &stateful(3, json!({}))), [], "other pods");
    let expression =
        json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["db"]}]});
    let found = around(&[budget(expression, 0)], &stateful(3, json!({})));
    assert_eq!(found[0].remedy(), Remedy::Text);
    assert_eq!(
        around(&[budget(json!({}), 0)], &stateful(3, json!({}))).len(),
        1
    );
    assert_eq!(
        around(&[budget(Value::Null, 0)], &stateful(3, json!({}))),
        []
    );
}

#[test]
fn quantities_are_read_as_kubernetes_writes_them() {
    for (text, thousandths) in [
        ("3", Some(3000)),
        ("100m", Some(100)),
        ("1.5", Some(1500)),
        ("250u", Some(1)),
        ("2Gi", Some(2_147_483_648_000)),
        ("128974848", Some(128_974_848_000)),
        ("129e6", Some(129_000_000_000)),
        ("1E", Some(1_000_000_000_000_000_000_000)),
        ("0", Some(0)),
        ("many", None),
        ("", None),
        ("NaN", None),
        ("inf", None),
    ] {
        assert_eq!(amount(text), thousandths, "{text}");
    }
}
