//! Inside the injector: its own policy, and the pods that it refuses since 1.31.

use serde_json::Value;

use crate::demo::json::{annotation, at, has_labels, label, labels, list, selected, text};
use crate::demo::kinds;
use crate::demo::store::Store;

/// By the ConfigMap `istio-sidecar-injector[-REV]`; without one every pod that reaches the webhook is injected,
/// but for those that say no.
pub fn wants(store: &Store, istio_namespace: &str, revision: &str, pod: &Value) -> bool {
    let said = label(pod, "sidecar.istio.io/inject")
        .or_else(|| annotation(pod, "sidecar.istio.io/inject"));
    let name = match revision {
        "default" => "istio-sidecar-injector".to_owned(),
        revision => format!("istio-sidecar-injector-{revision}"),
    };
    let config: Option<Value> = store
        .get(&kinds::CONFIG_MAP, istio_namespace, &name)
        .and_then(|map| serde_yaml::from_str(text(map, "/data/config")).ok());
    let Some(config) = config else {
        return said != Some("false");
    };
    let policy = text(&config, "/policy");
    if !matches!(policy, "enabled" | "disabled") {
        return false;
    }
    match said {
        Some("true") => return true,
        Some("false") => return false,
        _ => {}
    }
    let any = |selectors: &str| {
        list(&config, selectors).iter().any(|selector| {
            let empty = at(selector, "/matchLabels")
                .as_object()
                .is_none_or(|m| m.is_empty())
                && list(selector, "/matchExpressions").is_empty();
            !empty && selected(selector, labels(pod))
        })
    };
    !any("/neverInjectSelector") && (policy == "enabled" || any("/alwaysInjectSelector"))
}

/// The version of the revision's istiod, by its image.
pub fn version(store: &Store, istio_namespace: &str, revision: &str) -> Option<(u32, u32)> {
    let mut all = store.of(&kinds::DEPLOYMENT, istio_namespace);
    let istiod = all.find(|of| {
        let own = serde_json::json!({"app": "istiod", "istio.io/rev": revision});
        has_labels(&own, labels(of))
    })?;
    let image = text(istiod, "/spec/template/spec/containers/0/image");
    let mut numbers = image.rsplit_once(':')?.1.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

const RESERVED: [u16; 9] = [
    15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090,
];

/// Why the injector of 1.31 and later refuses the pod; `merging`: the mesh's setting.
pub fn refuses(pod: &Value, merging: bool) -> Option<String> {
    let called = |name: &str| {
        let wanted = bare(name);
        let all = at(pod, "/metadata/annotations").as_object();
        all.into_iter()
            .flatten()
            .find(|(key, _)| bare(key) == wanted)
            .and_then(|(_, value)| value.as_str())
    };
    let on = match annotation(pod, "prometheus.istio.io/merge-metrics") {
        Some(word) => word == "true",
        None => merging,
    };
    let port = called("prometheus.io/port");
    if !on || called("prometheus.io/scrape") == Some("false") || port == Some("15020") {
        return None;
    }
    let (ports, what): (Vec<&str>, &str) = match called("prometheus.istio.io/scrape-targets") {
        Some(targets) => {
            let entries = targets.split(',').map(str::trim).filter(|e| !e.is_empty());
            let ports = entries.map(|entry| entry.split(':').next().unwrap_or(entry).trim());
            (
                ports.collect(),
                "invalid prometheus scrape targets: target port",
            )
        }
        None => (
            port.into_iter().collect(),
            "invalid prometheus scrape configuration: port",
        ),
    };
    ports
        .into_iter()
        .filter(|port| !port.is_empty())
        .find_map(|port| match port.parse::<u16>() {
            Err(_) | Ok(0) => Some(format!("{what} {port:?} is invalid")),
            Ok(number) if RESERVED.contains(&number) => Some(format!(
                "{what} {port} is reserved for Istio and cannot be scraped"
            )),
            Ok(_) => None,
        })
}

fn bare(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.chars().map(letter).collect()
}
