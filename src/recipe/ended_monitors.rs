//! The plaintext jobs that the operator makes of PodMonitors and ServiceMonitors: each leaves out what is secured by a
//! relabelling of its own monitor. A monitor is never turned to the secure port.

use crate::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
use crate::mesh::{Mesh, PrometheusConfig};
use crate::plan::scrape_config::TextEdit;
use crate::plan::{Action, keyed};
use crate::reach::job::{Dialect, jobs};
use std::collections::BTreeMap;

/// The monitor that a job is made of: `podMonitor/NAMESPACE/NAME/INDEX`.
pub(super) fn monitor_of(job: &str) -> Option<ObjectRef> {
    let parts: Vec<&str> = job.split('/').collect();
    let [kind, namespace, name, _] = parts[..] else {
        return None;
    };
    let kind = match kind {
        "podMonitor" => Kind::PodMonitor,
        "serviceMonitor" => Kind::ServiceMonitor,
        _ => return None,
    };
    Some(ObjectRef::new(kind, namespace, name))
}

/// Where a job's rules are written, and the key of the text there.
pub(super) fn place_of(place: &PrometheusConfig, job: &str) -> Option<(ObjectRef, String)> {
    if place.home.holds(job) {
        return Some((place.home.object().clone(), place.key.clone()));
    }
    let monitor = monitor_of(job)?;
    let key = keyed::list_of(monitor.kind)?;
    Some((monitor, key.to_owned()))
}

/// Another Prometheus that makes a job of the same monitor, or may: an end there would lose its targets.
pub(super) fn also_of<'a>(mesh: &'a Mesh, of: &WorkloadRef, job: &str) -> Option<&'a WorkloadRef> {
    let others = mesh.prometheus_servers.iter();
    let mut others = others.filter(|other| other.id != *of && other.pod_home.operated().is_some());
    let uses = |text: &str| {
        let all = jobs(text, Dialect::default());
        all.iter().any(|other| other.name == job)
    };
    let found = others.find(|other| match &other.config {
        Some(config) => config.text.as_deref().map_or(true, uses),
        None => true,
    })?;
    Some(&found.id)
}

/// The edits by the object that they are made in, the configuration's own first.
pub(super) fn by_place(
    place: &PrometheusConfig,
    edits: impl Iterator<Item = TextEdit>,
) -> Vec<(ObjectRef, Action)> {
    let mut by: BTreeMap<(bool, ObjectRef, String), Vec<TextEdit>> = BTreeMap::new();
    for edit in edits {
        if let Some((object, key)) = place_of(place, edit.job()) {
            let monitors = object != *place.home.object();
            by.entry((monitors, object, key)).or_default().push(edit);
        }
    }
    let by = by.into_iter();
    by.map(|((_, object, key), edits)| (object, Action::Text { key, edits }))
        .collect()
}
