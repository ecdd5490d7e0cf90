//! The PeerAuthentication that refuses plaintext on 15091.
//!
//! Facts: under PERMISSIVE the listener serves plaintext and resets Prometheus's TLS, which carries no Istio
//! ALPN (fault 1). `portLevelMtls` needs a selector, and the container port as its key.

use super::{SECURE_PORT, ours, own};
use crate::mesh::Workload;
use crate::mesh::kinds::Kind;
use crate::plan::purpose::Purpose;
use crate::plan::{Action, Await, Change, Part};
use serde_json::json;

pub(super) fn peer_authentication(workload: &Workload) -> Change {
    let object = ours(Kind::PeerAuthentication, workload);
    let intent = own(
        &object,
        json!({
            "selector": {"matchLabels": workload.selector},
            "portLevelMtls": {SECURE_PORT.to_string(): {"mode": "STRICT"}},
        }),
    );
    Change {
        item: Some(workload.id.clone()),
        then: vec![Await::ReadBack],
        ..Change::new(
            object,
            Part::Policy,
            Action::Apply { intent },
            Purpose::MutualTlsOnly {
                workload: workload.id.name.clone(),
            },
        )
    }
}
