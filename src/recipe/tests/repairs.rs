//! What the published recipe left behind becomes changes like any other.

use super::*;
use crate::mesh::kinds::ObjectRef;
use crate::mesh::{Leftover, LeftoverKind};
use crate::recipe::testing::*;
use serde_json::json;
use std::sync::Arc;

fn leftover(
    kind: LeftoverKind,
    object: Kind,
    namespace: &str,
    name: &str,
    spec: Value,
) -> Leftover {
    Leftover {
        object: ObjectRef::new(object, namespace, name),
        kind,
        problems: Vec::new(),
        uid: format!("uid-{name}"),
        spec,
    }
}

fn published() -> Mesh {
    let mut mesh = mesh();
    let server = |n: u16| json!({"port": {"number": n, "name": format!("p{n}"), "protocol": "HTTPS"}, "hosts": ["*"]});
    mesh.leftovers = vec![
        leftover(
            LeftoverKind::NamespaceSidecar,
            Kind::Sidecar,
            "demo",
            "secure-metrics",
            json!({}),
        ),
        leftover(
            LeftoverKind::GatewayServer,
            Kind::Gateway,
            "istio-system",
            "httpbin-gateway",
            json!({"selector": {"istio": "ingressgateway"}, "servers": [server(80), server(15091)]}),
        ),
        leftover(
            LeftoverKind::AdminServiceEntry,
            Kind::ServiceEntry,
            "istio-system",
            "gateway-admin",
            json!({"hosts": ["gateway-admin.local"]}),
        ),
        leftover(
            LeftoverKind::MetricsRoute,
            Kind::VirtualService,
            "istio-system",
            "gateway-metrics",
            json!({
                "gateways": ["istio-system/httpbin-gateway"],
                "http": [{
                    "match": [{"uri": {"exact": "/stats/prometheus"}}],
                    "route": [{"destination": {"host": "gateway-admin.local"}}],
                }],
            }),
        ),
    ];
    with_gateway(&mut mesh, |g| {
        g.on_15091 = vec![ObjectRef::new(
            Kind::Gateway,
            "istio-system",
            "httpbin-gateway",
        )];
    });
    mesh
}

#[test]
fn the_selectorless_sidecar_goes_when_our_listeners_stand() {
    let mut mesh = published();
    let mut other = workload("demo", "other");
    other.scraped.secure = true;
    mesh.workloads.push(Arc::new(other));
    let plan = plan(&mesh, &answers(false));
    let gone = of(&plan, Kind::Sidecar, "secure-metrics");
    assert_eq!(
        gone.action,
        Action::Delete {
            uid: "uid-secure-metrics".into()
        }
    );
    assert_eq!(
        gone.needs,
        [of(&plan, Kind::Sidecar, "meshscrape-httpbin").id.clone()]
    );
    assert!(
        at(&plan, Kind::Sidecar, "meshscrape-httpbin") < at(&plan, Kind::Sidecar, "secure-metrics")
    );
    let closes = Problem::PortCloses {
        of: (&id("demo", "other")).into(),
        sidecar: gone.object.clone(),
    };
    assert_eq!(gone.findings, [closes]);
    assert!(
        plan.changes.iter().all(|c| c.object.kind != Kind::Gateway),
        "gateways were not chosen"
    );
}

#[test]
fn the_gateway_loses_only_its_15091_server() {
    let mesh = published();
    let plan = plan(&mesh, &answers(true));
    let Action::Edit { leaves } = &of(&plan, Kind::Gateway, "httpbin-gateway").action else {
        panic!("no edit");
    };
    assert_eq!(leaves.len(), 1);
    let kept = leaves[0].to.as_ref().expect("servers");
    assert_eq!(kept.as_array().map(Vec::len), Some(1));
    assert_eq!(kept[0]["port"]["number"], 80);
    assert!(matches!(
        of(&plan, Kind::VirtualService, "gateway-metrics").action,
        Action::Delete { .. }
    ));
    assert!(matches!(
        of(&plan, Kind::ServiceEntry, "gateway-admin").action,
        Action::Delete { .. }
    ));
    let ours = at(&plan, Kind::Gateway, "meshscrape-istio-ingressgateway");
    for (kind, name) in [
        (Kind::Gateway, "httpbin-gateway"),
        (Kind::VirtualService, "gateway-metrics"),
        (Kind::ServiceEntry, "gateway-admin"),
    ] {
        assert!(ours < at(&plan, kind, name));
        assert!(of(&plan, kind, name).needs.contains(&plan.changes[ours].id));
    }
    assert!(
        at(&plan, Kind::VirtualService, "gateway-metrics")
            < at(&plan, Kind::ServiceEntry, "gateway-admin")
    );
    assert!(
        at(&plan, Kind::ServiceEntry, "gateway-admin")
            < at(&plan, Kind::Deployment, "istio-ingressgateway")
    );
}

#[test]
fn a_gateway_that_was_only_15091_goes_and_a_users_own_route_stays() {
    let mut mesh = published();
    mesh.leftovers[1].spec["servers"]
        .as_array_mut()
        .expect("servers")
        .remove(0);
    mesh.leftovers[3].spec["http"]
        .as_array_mut()
        .expect("http")
        .push(json!({"route": [{"destination": {"host": "shop"}}]}));
    let plan = plan(&mesh, &answers(true));
    assert!(matches!(
        of(&plan, Kind::Gateway, "httpbin-gateway").action,
        Action::Delete { .. }
    ));
    let Action::Edit { leaves } = &of(&plan, Kind::VirtualService, "gateway-metrics").action else {
        panic!("the user's route would go");
    };
    assert_eq!(
        leaves[0]
            .to
            .as_ref()
            .and_then(|l| l[0]["route"][0]["destination"]["host"].as_str()),
        Some("shop")
    );
}

#[test]
fn without_repair_nothing_of_others_goes_and_a_taken_port_is_refused() {
    let mesh = published();
    let mut answers = answers(false);
    answers.options.repair = false;
    let made = plan(&mesh, &answers);
    assert!(
        made.changes
            .iter()
            .all(|c| !matches!(c.action, Action::Delete { .. }))
    );
    answers.gateways = super::super::testing::answers(true).gateways;
    assert!(refusal(&mesh, &answers).contains("httpbin-gateway"));
}

#[test]
fn somebody_elses_server_on_15091_is_refused_even_with_repair() {
    let mut mesh = published();
    mesh.leftovers.clear();
    assert!(refusal(&mesh, &answers(true)).contains("already has a server on port 15091"));
}

/// The edit of the published route, and what it leaves of the list.
fn routes_left(mesh: &Mesh) -> Vec<Value> {
    let plan = plan(mesh, &answers(true));
    let Action::Edit { leaves } = &of(&plan, Kind::VirtualService, "gateway-metrics").action else {
        panic!("the whole route would go");
    };
    assert_eq!(leaves[0].path.to_string(), ".spec.http");
    leaves[0]
        .to
        .as_ref()
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

fn goes(mesh: &Mesh, kind: Kind, name: &str) -> bool {
    let plan = plan(mesh, &answers(true));
    let mut changes = plan.changes.iter();
    let change = changes.find(|c| c.object.kind == kind && c.object.name == name);
    change.is_some_and(|change| matches!(change.action, Action::Delete { .. }))
}

#[test]
fn of_a_route_with_other_matches_only_the_metrics_go() {
    let mut mesh = published();
    let host = mesh.leftovers[3].spec["http"][0]["route"][0]["destination"]["host"].clone();
    mesh.leftovers[3].spec["http"][0]["match"] = json!([
        {"uri": {"prefix": "/shop"}},
        {"uri": {"exact": "/stats/prometheus"}},
        {"uri": {"exact": "/cart"}, "method": {"exact": "POST"}},
    ]);
    let left = routes_left(&mesh);
    assert_eq!(
        left[0]["match"],
        json!([{"uri": {"prefix": "/shop"}}, {"uri": {"exact": "/cart"}, "method": {"exact": "POST"}}])
    );
    assert_eq!(left[0]["route"][0]["destination"]["host"], host);
    // The other matches lead where the metrics led.
    assert!(!goes(&mesh, Kind::ServiceEntry, "gateway-admin"));
}

#[test]
fn a_virtual_service_with_routes_of_another_kind_stays() {
    let mut mesh = published();
    mesh.leftovers[3].spec["tcp"] = json!([{"route": [{"destination": {"host": "mysql"}}]}]);
    assert!(routes_left(&mesh).is_empty());
    assert!(goes(&mesh, Kind::ServiceEntry, "gateway-admin"));
}

#[test]
fn a_service_entry_keeps_ports_and_hosts_that_are_no_metrics() {
    let mut mesh = published();
    let entry = &mut mesh.leftovers[2];
    assert_eq!(entry.object.kind, Kind::ServiceEntry);
    entry.spec["ports"] = json!([
        {"number": 15020, "name": "http-metrics", "protocol": "HTTP"},
        {"number": 8080, "name": "http-admin", "protocol": "HTTP"},
    ]);
    let made = plan(&mesh, &answers(true));
    let Action::Edit { leaves } = &of(&made, Kind::ServiceEntry, "gateway-admin").action else {
        panic!("the other port would go");
    };
    assert_eq!(
        leaves[0].to,
        Some(json!([{"number": 8080, "name": "http-admin", "protocol": "HTTP"}]))
    );
}
