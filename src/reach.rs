//! What the programs of others make of objects, computed by their own rules: one file a rule, each naming its source.

pub mod authorization;
pub mod capture;
pub mod certificates;
pub mod discovery;
pub mod filters;
pub mod forecast;
pub mod inbound;
pub mod injected;
pub mod injection;
pub mod injector;
pub mod job;
pub mod labels;
pub mod link;
pub mod merging;
pub mod mtls;
pub mod network;
pub mod outbound;
pub mod path;
pub mod probe;
pub mod promql;
pub mod ranges;
pub mod re2;
pub mod relabel;
pub mod rights;
pub mod scrape;
pub mod sends;
pub mod sidecar;

pub use link::Verdict;

use crate::mesh::objects::{Labels, Meta};
use serde_json::Value;

/// The order in which istiod looks at objects of a kind: age, then `name.namespace`
/// (`pilot/pkg/model/push_context.go`, `sortConfigByCreationTime`).
pub fn by_age(meta: &Meta) -> impl Ord + use<> {
    let name = format!("{}.{}", meta.name, meta.namespace);
    // One without a time is being made: the youngest.
    let at = meta.creation_timestamp;
    (at.is_none(), at, name)
}

/// The labels of a selector inside a loose spec; empty where it has none.
fn selector<'a>(spec: &'a Value, pointer: &str) -> Vec<(&'a str, &'a str)> {
    let labels = spec.pointer(pointer).and_then(Value::as_object);
    labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        .collect()
}

fn takes(selector: &[(&str, &str)], labels: &Labels) -> bool {
    selector
        .iter()
        .all(|(key, value)| labels.get(*key).is_some_and(|own| own == value))
}

#[cfg(test)]
mod testing {
    use crate::mesh::objects::{Labels, Meta};

    /// An object of namespace `shop`, made at this second.
    pub fn meta(name: &str, at: i64) -> Meta {
        Meta {
            name: name.into(),
            namespace: "shop".into(),
            creation_timestamp: jiff::Timestamp::from_second(at).ok(),
            ..Meta::default()
        }
    }

    pub fn labels(pairs: &[(&str, &str)]) -> Labels {
        let pairs = pairs.iter();
        pairs.map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }
}

#[cfg(test)]
mod recorded_tests;
