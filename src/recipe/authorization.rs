//! The AuthorizationPolicy that keeps everybody but Prometheus, and every path but the metrics, off 15091.
//!
//! Facts: behind 15020 stands the agent's whole mux, with `/quitquitquit` and `/debug` (fault 2). DENY, since the
//! first ALLOW would close every other port of the pod. Principals are written without `spiffe://` here.

use super::{METRICS_PATH, SECURE_PORT, ours, own};
use crate::mesh::kinds::Kind;
use crate::mesh::{Mesh, Prometheus, Workload};
use crate::plan::{Action, Await, Change, Part};
use serde_json::json;

/// Prometheus's identity, `<trust domain>/ns/<namespace>/sa/<service account>`.
pub(super) fn principal(mesh: &Mesh, prometheus: &Prometheus) -> String {
    let domain = match mesh.istio.trust_domain.as_str() {
        "" => "cluster.local",
        domain => domain,
    };
    let account = match prometheus.service_account.as_str() {
        "" => "default",
        account => account,
    };
    format!("{domain}/ns/{}/sa/{account}", prometheus.id.namespace)
}

pub(super) fn policy(workload: &Workload, principal: &str) -> Change {
    let object = ours(Kind::AuthorizationPolicy, workload);
    let port = SECURE_PORT.to_string();
    let intent = own(
        &object,
        json!({
            "selector": {"matchLabels": workload.selector},
            "action": "DENY",
            "rules": [
                {
                    "from": [{"source": {"notPrincipals": [principal]}}],
                    "to": [{"operation": {"ports": [port]}}],
                },
                {"to": [{"operation": {"ports": [port], "notPaths": [METRICS_PATH]}}]},
            ],
        }),
    );
    Change {
        item: Some(workload.id.clone()),
        then: vec![Await::ReadBack],
        ..Change::new(
            object,
            Part::Policy,
            Action::Apply { intent },
            format!(
                "Only Prometheus reads port {SECURE_PORT} of {}, and only {METRICS_PATH}",
                workload.id.name
            ),
        )
    }
}
