//! What others govern a workload with: added to where one of ours would count for nothing, copied where ours replaces it.

use super::*;
use crate::mesh::kinds::ObjectRef;
use crate::mesh::objects::{AuthorizationPolicy, Meta};
use crate::mesh::{Governing, Workload};
use crate::plan::Expected;
use crate::problems::tests::absent;
use crate::recipe::testing::*;
use serde_json::json;
use std::sync::Arc;

fn governing(kind: Kind, name: &str, selects: bool, spec: Value) -> Arc<Governing> {
    Arc::new(Governing {
        object: ObjectRef::new(kind, "demo", name),
        spec,
        selects,
        owner: None,
    })
}

/// The sample's plan with an edited workload.
fn with(edit: impl FnOnce(&mut Workload)) -> Plan {
    let mut mesh = mesh();
    edit(Arc::make_mut(&mut mesh.workloads[0]));
    plan(&mesh, &answers(false))
}

/// The one leaf that is edited: its path, what stands there, what is to.
fn leaf(change: &Change) -> (String, &Expected, &Value) {
    let Action::Edit { leaves } = &change.action else {
        panic!("{change:?}");
    };
    let [leaf] = &leaves[..] else {
        panic!("{leaves:?}");
    };
    let to = leaf.to.as_ref().expect("a value");
    (leaf.path.to_string(), &leaf.expect, to)
}

fn listeners(to: &Value) -> Vec<u64> {
    let all = to.as_array().expect("a list").iter();
    all.filter_map(|one| one["port"]["number"].as_u64())
        .collect()
}

#[test]
fn a_sidecar_without_a_selector_is_copied_but_for_what_is_ours() {
    let theirs = json!({
        "egress": [{"hosts": ["./*"]}],
        "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
        "inboundConnectionPool": {"http": {"http1MaxPendingRequests": 7}},
    });
    let of = governing(Kind::Sidecar, "all", false, theirs.clone());
    let plan = with(|workload| workload.governed_by.sidecars = vec![of]);
    let change = self::of(&plan, Kind::Sidecar, "meshscrape-httpbin");
    let spec = &intent(change)["spec"];
    for field in ["egress", "outboundTrafficPolicy", "inboundConnectionPool"] {
        assert_eq!(spec[field], theirs[field], "{field}");
    }
    assert_eq!(listeners(&spec["ingress"]), [15091, 8080]);
    assert_eq!(said(&plan, Code::SidecarCopied), ["httpbin"]);
    absent(Code::SidecarCopied, findings(&with(|_| ())).cloned());
    // Its listeners are those that the pods have, whatever their Services say.
    let listed = json!({"ingress": [{"port": {"number": 9999, "protocol": "TCP", "name": "own"}}]});
    let of = governing(Kind::Sidecar, "all", false, listed);
    let plan = with(|workload| workload.governed_by.sidecars = vec![of]);
    let change = self::of(&plan, Kind::Sidecar, "meshscrape-httpbin");
    assert_eq!(listeners(&intent(change)["spec"]["ingress"]), [15091, 9999]);
}

#[test]
fn a_sidecar_with_a_selector_gets_the_listener_and_keeps_its_own() {
    let selector = json!({"labels": {"app": "httpbin", "version": "v1"}});
    let plan_of = |ingress: Value| {
        let mut spec = json!({"workloadSelector": selector, "egress": [{"hosts": ["./*"]}]});
        if !ingress.is_null() {
            spec["ingress"] = ingress;
        }
        let of = governing(Kind::Sidecar, "mine", true, spec);
        with(|workload| workload.governed_by.sidecars = vec![of])
    };
    // Without one it listens on every inbound port, and with one on what it lists alone.
    let plan = plan_of(Value::Null);
    let change = of(&plan, Kind::Sidecar, "mine");
    let (path, expect, to) = leaf(change);
    assert_eq!((&*path, expect), (".spec.ingress", &Expected::Absent));
    assert_eq!(listeners(to), [8080, 15091]);
    assert_eq!(change.needs.len(), 2);
    assert!(
        plan.changes
            .iter()
            .all(|c| c.object.name != "meshscrape-httpbin" || c.object.kind != Kind::Sidecar)
    );
    let own = json!([{"port": {"number": 9999, "protocol": "TCP", "name": "own"}}]);
    let plan = plan_of(own.clone());
    let (_, expect, to) = leaf(of(&plan, Kind::Sidecar, "mine"));
    assert_eq!(*expect, Expected::Value(own));
    assert_eq!(listeners(to), [9999, 15091]);
    // Where it stands nothing is to be changed.
    let plan = plan_of(to.clone());
    let (_, expect, again) = leaf(of(&plan, Kind::Sidecar, "mine"));
    assert_eq!(*expect, Expected::Value(again.clone()));
}

#[test]
fn the_peer_authentication_that_counts_gets_the_port() {
    let selector = json!({"selector": {"matchLabels": {"app": "httpbin"}}});
    let of = governing(Kind::PeerAuthentication, "own", true, selector);
    let mut mesh = mesh();
    mesh.workloads.push(Arc::new(workload("demo", "httpbin-2")));
    for workload in &mut mesh.workloads {
        let governed = &mut Arc::make_mut(workload).governed_by;
        governed.peer_authentication = Some(Arc::clone(&of));
    }
    let mut answers = answers(false);
    answers.workloads.insert(id("demo", "httpbin-2"));
    let plan = plan(&mesh, &answers);
    let all = plan.changes.iter();
    let peers: Vec<_> = all
        .filter(|c| c.object.kind == Kind::PeerAuthentication)
        .collect();
    let [change] = peers[..] else {
        panic!("{peers:?}");
    };
    assert_eq!(change.object.name, "own");
    let intent = intent(change);
    assert_eq!(
        intent["spec"],
        json!({"portLevelMtls": {"15091": {"mode": "STRICT"}}})
    );
    assert_eq!(intent["metadata"].get("labels"), None);
    // Both listeners need it, and it goes only with both annotations.
    let needing = plan.changes.iter().filter(|c| c.needs.contains(&change.id));
    assert_eq!(needing.filter(|c| c.part == Part::Listener).count(), 2);
    assert_eq!(plan.serves[&change.id].len(), 2);
}

#[test]
fn an_allow_policy_gets_a_rule_where_it_keeps_this_prometheus_out() {
    let policy = |name: &str, rules: Value| AuthorizationPolicy {
        metadata: Meta {
            name: name.into(),
            namespace: "demo".into(),
            ..Meta::default()
        },
        spec: json!({"selector": {"matchLabels": {"app": "httpbin"}}, "rules": rules}),
    };
    let on_8080 = json!([{"to": [{"operation": {"ports": ["8080"]}}]}]);
    let plan_of = |policies: Vec<AuthorizationPolicy>| {
        let mut mesh = mesh();
        Arc::make_mut(&mut mesh.rules).policies = Ok(policies);
        super::super::plan(&mesh, &answers(false))
    };
    let made = plan_of(vec![policy("own", on_8080.clone())]).expect("a plan");
    let change = of(&made, Kind::AuthorizationPolicy, "own");
    let (path, expect, to) = leaf(change);
    assert_eq!(
        (&*path, expect),
        (".spec.rules", &Expected::Value(on_8080.clone()))
    );
    assert_eq!(to[0], on_8080[0]);
    assert_eq!(
        to[1],
        json!({
            "from": [{"source": {"principals": ["cluster.local/ns/istio-system/sa/prometheus"]}}],
            "to": [{"operation": {"ports": ["15091"], "methods": ["GET"], "paths": ["/stats/prometheus"]}}],
        })
    );
    let listener = part(&made, Part::Listener).expect("a listener");
    assert!(listener.needs.contains(&change.id));
    // With the rule it lets Prometheus in, and one that allows everything always did.
    let none = |plan: Plan| plan.changes.iter().all(|c| c.object.name != "own");
    assert!(none(
        plan_of(vec![policy("own", to.clone())]).expect("a plan")
    ));
    let open = vec![policy("own", on_8080.clone()), policy("all", json!([{}]))];
    assert!(none(plan_of(open).expect("a plan")));
    // A tool would take the rule out again.
    let mut owned = policy("own", on_8080);
    owned.metadata.labels = labels([("argocd.argoproj.io/instance", "shop")]);
    assert!(plan_of(vec![owned]).is_err());
}
