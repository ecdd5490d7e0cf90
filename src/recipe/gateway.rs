//! A gateway's 15091: a Gateway of its own, with a route behind it that no public server carries.
//!
//! Facts: routes are built for every server of a Gateway, so the metrics would be served on the public port as
//! well (fault 9): a Gateway with 15091 alone, and a match on the port. `subjectAltNames` (with `spiffe://`) lets
//! only Prometheus in. The ServiceEntry's host does not end in `.local` and is exported nowhere (fault 10).

use super::authorization::Readers;
use super::{METRICS_PATH, SECURE_PORT, impacts, ours, own};
use crate::answers::MetricsPort;
use crate::mesh::Gateway;
use crate::mesh::kinds::Kind;
use crate::plan::purpose::Purpose;
use crate::plan::{Action, Await, Change, Part};
use serde_json::json;
use std::time::Duration;

/// A host for the gateway's own metrics, which no other gateway of its namespace has. `name`: of its Gateway.
fn host(name: &str) -> String {
    let own = name.strip_prefix("meshscrape-").unwrap_or(name);
    match own.strip_prefix('-') {
        Some(own) => format!("{own}.renamed.meshscrape.internal"),
        None => format!("{own}.metrics.meshscrape.internal"),
    }
}

/// ServiceEntry, VirtualService and Gateway, in the order of writing.
pub(super) fn changes(gateway: &Gateway, port: MetricsPort, readers: &Readers) -> [Change; 3] {
    let of = &gateway.workload;
    let name = ours(Kind::Gateway, of).name;
    let short = of.id.name.as_str();
    let host = host(&name);
    let number = of.behind(port);

    let entry = ours(Kind::ServiceEntry, of);
    let entry_intent = own(
        &entry,
        json!({
            "hosts": [host],
            "exportTo": ["."],
            "location": "MESH_EXTERNAL",
            "ports": [{"number": number, "name": "http-metrics", "protocol": "HTTP"}],
            "resolution": "STATIC",
            "endpoints": [{"address": "127.0.0.1"}],
        }),
    );
    let route = ours(Kind::VirtualService, of);
    let route_intent = own(
        &route,
        json!({
            "hosts": ["*"],
            // A bare name with a dot in it would mean a Gateway of another namespace.
            "gateways": [format!("{}/{name}", of.id.namespace)],
            "exportTo": ["."],
            "http": [{
                "match": [{"uri": {"exact": METRICS_PATH}, "port": SECURE_PORT}],
                "route": [{"destination": {"host": host, "port": {"number": number}}}],
            }],
        }),
    );
    let listener = ours(Kind::Gateway, of);
    let identities = readers
        .principals
        .iter()
        .map(|one| format!("spiffe://{one}"));
    let listener_intent = own(
        &listener,
        json!({
            "selector": gateway.selector,
            "servers": [{
                "port": {"number": SECURE_PORT, "name": "https-metrics", "protocol": "HTTPS"},
                "tls": {
                    "mode": "ISTIO_MUTUAL",
                    "subjectAltNames": identities.collect::<Vec<_>>(),
                },
                "hosts": ["*"],
            }],
        }),
    );
    let item = Some(of.id.clone());
    let entry = Change {
        item: item.clone(),
        then: vec![Await::ReadBack],
        ..Change::new(
            entry,
            Part::Route,
            Action::Apply {
                intent: entry_intent,
            },
            Purpose::GatewayName {
                gateway: short.to_owned(),
                port: number,
            },
        )
    };
    let route = Change {
        item: item.clone(),
        needs: vec![entry.id.clone()],
        then: vec![Await::ReadBack],
        ..Change::new(
            route,
            Part::Route,
            Action::Apply {
                intent: route_intent,
            },
            Purpose::GatewayRoute {
                gateway: short.to_owned(),
                port: number,
            },
        )
    };
    let listener = Change {
        item,
        needs: vec![entry.id.clone(), route.id.clone()],
        before: vec![Await::Settle(Duration::from_secs(1))],
        findings: impacts::strays(of)
            .into_iter()
            .chain(readers.removed(of))
            .collect(),
        ..Change::new(
            listener,
            Part::Listener,
            Action::Apply {
                intent: listener_intent,
            },
            Purpose::GatewayServer {
                gateway: short.to_owned(),
                reader: readers.who.clone(),
            },
        )
    };
    [entry, route, listener]
}
