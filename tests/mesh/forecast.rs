//! What the program said of the targets before it wrote, held against what Prometheus reports afterwards.

use crate::objects::text;
use crate::program::Program;
use crate::prom::Prom;
use crate::shell::until;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A scrape without the address and the labels that a restart changes.
type Scrape = (String, String, BTreeMap<String, String>);

/// Discovery and a reload, each of which gathers what changes for some seconds.
const SETTLED: Duration = Duration::from_secs(90);

const OF_ONE_POD: [&str; 6] = [
    "instance",
    "pod",
    "pod_template_hash",
    "controller_revision_hash",
    "apps_kubernetes_io_pod_index",
    "statefulset_kubernetes_io_pod_name",
];

/// What a plan of these choices says of the targets, for a cell that applies by other ways than [`Program::apply`].
pub fn before(cell: &str, choices: &[String]) -> Result<Value, String> {
    let program = Program::new(&format!("{cell}-plan"), choices)?;
    let (_, plan) = program.plan()?;
    Ok(plan["forecast"].clone())
}

/// Compares until they are equal; the scrapes that were compared, or the differences.
pub fn held(forecast: &Value) -> Result<String, String> {
    let prometheus = text(&forecast["prometheus"]);
    let namespace = prometheus.split('/').next().unwrap_or_default();
    let mut wanted: BTreeMap<&str, BTreeSet<Scrape>> = BTreeMap::new();
    for workload in forecast["workloads"].as_array().into_iter().flatten() {
        // Where no pod runs nothing is seen; what other cells have is being changed by them.
        let place = text(&workload["workload"]);
        let of_others = place.starts_with("mesh-") && !place.starts_with(namespace);
        if workload["pods"] == 0 || of_others {
            continue;
        }
        let all = wanted.entry(text(&workload["workload"])).or_default();
        let after = workload["after"].as_array().into_iter().flatten();
        all.extend(after.map(|scrape| {
            let (_, rest) = text(&scrape["url"]).split_once("://").unwrap_or_default();
            (
                text(&scrape["job"]).to_owned(),
                format!("{}://{}", text(&scrape["scheme"]), without_address(rest)),
                labels(&scrape["labels"]),
            )
        }));
    }
    if wanted.is_empty() {
        return Err(format!("it names no workload: {forecast}"));
    }
    until(SETTLED, || {
        let found = Prom::of(namespace)?.api("targets?state=active")?;
        let active = found["activeTargets"].as_array().cloned();
        let active = active.unwrap_or_default();
        for (workload, wanted) in &wanted {
            let own = active.iter().filter(|target| is_of(target, workload));
            let seen: BTreeSet<Scrape> = own.map(scrape).collect();
            if seen != *wanted {
                return Err(format!(
                    "{workload}: forecast, and not seen: {:?}; seen, and not forecast: {:?}",
                    wanted.difference(&seen).collect::<Vec<_>>(),
                    seen.difference(wanted).collect::<Vec<_>>()
                ));
            }
        }
        let count: usize = wanted.values().map(BTreeSet::len).sum();
        Ok(format!("{count} scrapes of {} workloads", wanted.len()))
    })
}

fn scrape(target: &Value) -> Scrape {
    let url = text(&target["scrapeUrl"]);
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    (
        text(&target["scrapePool"]).to_owned(),
        format!("{scheme}://{}", without_address(rest)),
        labels(&target["labels"]),
    )
}

/// `:15091/stats/prometheus` of `10.0.0.7:15091/stats/prometheus`.
fn without_address(rest: &str) -> &str {
    let end = match rest.find(']') {
        Some(end) => end + 1,
        None => rest.find([':', '/']).unwrap_or(rest.len()),
    };
    &rest[end..]
}

fn labels(of: &Value) -> BTreeMap<String, String> {
    let all = of.as_object().into_iter().flatten();
    all.filter(|(name, _)| !OF_ONE_POD.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), text(value).to_owned()))
        .collect()
}

/// By the names that discovery gives of a pod's controller.
fn is_of(target: &Value, workload: &str) -> bool {
    let found = |name: &str| text(&target["discoveredLabels"][format!("__meta_kubernetes_{name}")]);
    let mut parts = workload.split('/');
    let (namespace, kind, name) = (parts.next(), parts.next(), parts.next());
    let controller = found("pod_controller_name");
    let own = match kind {
        Some("Deployment") => {
            let hash = found("pod_label_pod_template_hash");
            let bare = controller.strip_suffix(hash);
            bare.and_then(|bare| bare.strip_suffix('-'))
        }
        _ => Some(controller),
    };
    namespace == Some(found("namespace")) && own == name && own.is_some()
}
