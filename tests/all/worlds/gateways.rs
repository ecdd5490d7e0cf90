//! Gateways: names that Istio can follow, and what a repair leaves of other people's routes.

use super::World;
use serde_json::{Value, json};

fn gateway(name: &str) -> String {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "edge"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "front"}},
            "template": {
                "metadata": {
                    "labels": {"app": "front", "istio": "front", "sidecar.istio.io/inject": "true"},
                    "annotations": {"inject.istio.io/templates": "gateway", "prometheus.io/scrape": "true", "prometheus.io/port": "15020"},
                },
                "spec": {"containers": [{"name": "istio-proxy", "image": "auto", "args": ["proxy", "router"]}]},
            },
        },
    })
    .to_string()
}

const SPACE: &str = r#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "edge"}}"#;

fn is_label(name: &str) -> bool {
    name.len() <= 63
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[tokio::test(start_paused = true)]
async fn a_gateway_of_any_name_gets_objects_that_istio_takes_and_that_find_each_other() {
    let long = format!("front-{}", "x".repeat(70));
    for name in ["front.v2", "a.b.c", long.as_str(), "front-sts"] {
        let world = World::of(&[SPACE, &gateway(name)].join("\n---\n"));
        let (code, words) = world
            .call(&format!("apply -g edge/{name} --yes"))
            .await
            .told();
        assert_eq!(code, 0, "{name}: {words}");
        let only = |kind: &str| -> Value {
            let all = world.simulation.objects(kind, "edge");
            assert_eq!(all.len(), 1, "{name}: {kind}");
            all[0].clone()
        };
        let own = only("Gateway")["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(is_label(&own), "{own}");
        let route = only("VirtualService");
        assert_eq!(route["spec"]["gateways"], json!([format!("edge/{own}")]));
        let host = only("ServiceEntry")["spec"]["hosts"][0]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(host.split('.').all(is_label) && host.len() <= 253, "{host}");
        assert_eq!(
            route["spec"]["http"][0]["route"][0]["destination"]["host"],
            host.as_str()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_repair_takes_the_one_match_and_leaves_the_others() {
    let published = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "public", "namespace": "edge"},
        "spec": {"selector": {"istio": "front"}, "servers": [
            {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]},
            {"port": {"number": 15091, "name": "https", "protocol": "HTTPS"}, "hosts": ["*"], "tls": {"mode": "ISTIO_MUTUAL"}},
        ]},
    });
    let routes = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "all", "namespace": "edge"},
        "spec": {"hosts": ["*"], "gateways": ["public"], "http": [
            {"match": [{"uri": {"prefix": "/cart"}}, {"uri": {"exact": "/stats/prometheus"}}],
                "route": [{"destination": {"host": "admin.local", "port": {"number": 15020}}}]},
            {"match": [{"uri": {"exact": "/stats/prometheus"}, "method": {"exact": "HEAD"}}],
                "route": [{"destination": {"host": "admin.local", "port": {"number": 15020}}}]},
            {"route": [{"destination": {"host": "shop"}}]},
        ]},
    });
    let entry = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": "admin", "namespace": "edge"},
        "spec": {"hosts": ["admin.local"], "ports": [{"number": 15020, "name": "http", "protocol": "HTTP"}],
            "resolution": "STATIC", "endpoints": [{"address": "127.0.0.1"}]},
    });
    let world = World::of(
        &[
            SPACE,
            &gateway("front"),
            &published.to_string(),
            &routes.to_string(),
            &entry.to_string(),
        ]
        .join("\n---\n"),
    );
    let (code, words) = world.call("apply -g edge/front --yes").await.told();
    assert_eq!(code, 0, "{words}");
    let left = world
        .simulation
        .object("VirtualService", "edge", "all")
        .expect("it stays");
    assert_eq!(
        left["spec"]["http"],
        json!([
            {"match": [{"uri": {"prefix": "/cart"}}],
                "route": [{"destination": {"host": "admin.local", "port": {"number": 15020}}}]},
            {"route": [{"destination": {"host": "shop"}}]},
        ])
    );
    // What /cart leads to is still needed.
    assert!(
        world
            .simulation
            .object("ServiceEntry", "edge", "admin")
            .is_some()
    );
}
