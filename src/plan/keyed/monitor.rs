//! A PodMonitor or ServiceMonitor read as the jobs that the operator makes of it, as far as their relabel rules go:
//! so that a rule is added to it, recorded and taken out again as in any scrape configuration.
//!
//! The operator puts `relabelings` behind rules of its own (prometheus-operator, `pkg/prometheus/promcfg.go`), in the
//! same order and under other names.

use crate::mesh::kinds::Kind;
use serde_json::{Map, Value, json};

/// As the resource writes a rule, and as Prometheus does.
const FIELDS: [(&str, &str); 7] = [
    ("sourceLabels", "source_labels"),
    ("separator", "separator"),
    ("targetLabel", "target_label"),
    ("regex", "regex"),
    ("modulus", "modulus"),
    ("replacement", "replacement"),
    ("action", "action"),
];

/// The list of its endpoints, and what its jobs are called by.
pub(super) fn list_of(object: &Value) -> Option<(&'static str, &'static str)> {
    let kind = [Kind::PodMonitor, Kind::ServiceMonitor]
        .into_iter()
        .find(|kind| object["kind"] == kind.name())?;
    fields(kind)
}

pub(super) fn fields(kind: Kind) -> Option<(&'static str, &'static str)> {
    match kind {
        Kind::PodMonitor => Some(("podMetricsEndpoints", "podMonitor")),
        Kind::ServiceMonitor => Some(("endpoints", "serviceMonitor")),
        _ => None,
    }
}

fn endpoints<'a>(object: &'a Value, list: &str) -> &'a [Value] {
    object["spec"][list].as_array().map_or(&[], Vec::as_slice)
}

fn rules(endpoint: &Value) -> &[Value] {
    endpoint["relabelings"]
        .as_array()
        .map_or(&[], Vec::as_slice)
}

fn named(object: &Value, job: &str, index: usize) -> String {
    let meta = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    format!("{job}/{}/{}/{index}", meta("namespace"), meta("name"))
}

/// A configuration of its jobs, of which nothing but their own rules is told; `None`: it is no monitor.
pub(super) fn text(object: &Value) -> Option<String> {
    let (list, job) = list_of(object)?;
    let jobs: Vec<Value> = endpoints(object, list)
        .iter()
        .enumerate()
        .map(|(index, endpoint)| {
            let rules: Vec<Value> = rules(endpoint).iter().map(|of| translated(of, 0)).collect();
            // A list, if an empty one: so that there is a place for the first rule.
            json!({"job_name": named(object, job, index), "relabel_configs": rules})
        })
        .collect();
    serde_yaml::to_string(&json!({"scrape_configs": jobs})).ok()
}

/// The list of endpoints with the rules of that configuration. A rule that stands there already stays as it is written.
pub(super) fn value(object: &Value, text: &str) -> Result<Value, String> {
    let (list, job) = list_of(object).ok_or("it is no monitor")?;
    let config: Value = serde_yaml::from_str(text).map_err(|e| e.to_string())?;
    let jobs = config["scrape_configs"].as_array();
    let jobs = jobs.map_or(&[][..], Vec::as_slice);
    let before = endpoints(object, list);
    let same = jobs.len() == before.len()
        && jobs
            .iter()
            .enumerate()
            .all(|(index, of)| of["job_name"] == named(object, job, index).as_str());
    if !same {
        return Err("the endpoints are not those of before".into());
    }
    let after = before.iter().zip(jobs).map(|(endpoint, job)| {
        let new = job["relabel_configs"].as_array();
        let new = new.map_or(&[][..], Vec::as_slice);
        let there: Vec<(Value, &Value)> = rules(endpoint)
            .iter()
            .map(|rule| (translated(rule, 0), rule))
            .collect();
        let new: Vec<Value> = new
            .iter()
            .map(|rule| {
                let old = there.iter().find(|(same, _)| same == rule);
                old.map_or_else(|| translated(rule, 1), |(_, old)| (*old).clone())
            })
            .collect();
        let mut endpoint = endpoint.clone();
        if let Some(map) = endpoint.as_object_mut() {
            match new.is_empty() {
                true => drop(map.remove("relabelings")),
                false => drop(map.insert("relabelings".into(), new.into())),
            }
        }
        endpoint
    });
    Ok(after.collect())
}

pub(super) fn relabeling(rule: &Value) -> Value {
    translated(rule, 1)
}

/// A rule under the names of the other side. `from`: 0 as the resource writes it, 1 as Prometheus does.
fn translated(rule: &Value, from: usize) -> Value {
    let mut out = Map::new();
    for (field, value) in rule.as_object().into_iter().flatten() {
        let pair = FIELDS.iter().find(|pair| [pair.0, pair.1][from] == field);
        let name = pair.map_or(field.as_str(), |pair| [pair.1, pair.0][from]);
        out.insert(name.to_owned(), value.clone());
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use crate::mesh::kinds::WorkloadRef;
    use crate::plan::keyed::{edit, put, text};
    use crate::plan::scrape_config::TextEdit;
    use serde_json::json;

    #[test]
    fn a_rule_comes_first_and_goes_without_a_trace() {
        let monitor = json!({
            "apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor",
            "metadata": {"name": "envoy", "namespace": "istio-system"},
            "spec": {"podMetricsEndpoints": [
                {"port": "other", "params": {"token": ["x"]}},
                {"path": "/stats/prometheus", "relabelings": [
                    {"action": "keep", "sourceLabels": ["__meta_kubernetes_pod_container_name"], "regex": "istio-proxy"},
                    {"action": "LabelDrop", "regex": "__meta_(.+)"},
                ]},
            ]},
        });
        let key = "podMetricsEndpoints";
        assert!(!text(&monitor, key).unwrap().contains("token"));
        let items: Vec<WorkloadRef> = vec!["shop/Deployment/web".parse().unwrap()];
        let end = |index: usize| TextEdit::EndPlaintext {
            job: format!("podMonitor/istio-system/envoy/{index}"),
            items: items.clone(),
        };
        let mut changed = monitor.clone();
        edit(&mut changed, key, &[end(0), end(1)]).unwrap();
        for (index, rules) in [(0, 1), (1, 3)] {
            let all = changed["spec"][key][index]["relabelings"]
                .as_array()
                .unwrap();
            assert_eq!(all.len(), rules);
            assert_eq!(all[0]["action"], "drop");
            assert_eq!(all[0]["sourceLabels"].as_array().unwrap().len(), 4);
        }
        assert_eq!(
            changed["spec"][key][1]["relabelings"][2]["action"],
            "LabelDrop"
        );
        let resume = |index: usize| TextEdit::ResumePlaintext {
            job: format!("podMonitor/istio-system/envoy/{index}"),
            items: items.clone(),
        };
        edit(&mut changed, key, &[resume(0), resume(1)]).unwrap();
        assert_eq!(changed, monitor);
        // Another one's endpoints.
        let other = "scrape_configs:\n- job_name: podMonitor/istio-system/envoy/0\n";
        assert!(put(&mut changed, key, other).is_err());
    }
}
