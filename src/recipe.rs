//! The recipe: from what is there and what was chosen to the changes that secure it. One file for each part.
//!
//! Pure. Everything that has to hold of the result holds by construction here: no object of ours without a
//! selector, no listener without its policies earlier in the order, no `prometheus.io/*` annotation touched.

mod added_jobs;
mod annotation;
mod authorization;
mod cert_watch;
mod derive;
mod ended_monitors;
mod export;
mod forbidden;
mod forecast;
mod gateway;
mod impacts;
mod injection;
mod merged;
mod mtls;
mod old_jobs;
mod order;
mod pod_place;
mod prometheus_pod;
mod reaching;
mod repair;
mod scrape_job;
mod select;
mod sidecar;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

pub use authorization::principal;
pub use export::for_export;
pub use forbidden::{Choice, Forbidden, forbidden};
pub use forecast::forecast;
pub use order::plan;
pub use reaching::reaching;
pub use select::{Item, Selection, known_namespace, select};

use crate::mesh::kinds::{Kind, ObjectRef};
use serde_json::{Value, json};

/// The port that 15020 or 15090 is served on over mTLS.
pub const SECURE_PORT: u16 = 15091;
/// The path that the merged and Envoy's own metrics have in common.
pub const METRICS_PATH: &str = "/stats/prometheus";
/// The annotation that Prometheus discovers by.
pub use crate::reach::probe::SECURE_PORT as ANNOTATION;
/// The pod label by which injection is decided; an annotation of that name is not seen by the webhook (fault 7).
pub const INJECT: &str = "sidecar.istio.io/inject";
/// The name of the scrape job; twins carry the ending of the old job.
pub const JOB: &str = "istio-secure-merged-metrics";

/// An object of our own: named, labelled, whole.
fn own(object: &ObjectRef, spec: Value) -> Value {
    json!({
        "apiVersion": object.kind.api_version(),
        "kind": object.kind.name(),
        "metadata": {
            "name": object.name,
            "namespace": object.namespace,
            "labels": {"app.kubernetes.io/managed-by": "meshscrape"},
        },
        "spec": spec,
    })
}

/// An intent over somebody else's pod template: only the leaves we want.
fn template_intent(object: &ObjectRef, template: Value) -> Value {
    json!({
        "apiVersion": object.kind.api_version(),
        "kind": object.kind.name(),
        "metadata": {"name": object.name, "namespace": object.namespace},
        "spec": {"template": template},
    })
}

fn ours(kind: Kind, item: &crate::mesh::Workload) -> ObjectRef {
    match &item.former_name {
        Some(name) => ObjectRef::new(kind, &item.id.namespace, name),
        None => item.id.ours(kind),
    }
}
