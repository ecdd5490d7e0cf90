//! The Prometheus operator: of a `Prometheus` resource it makes the pod template of a StatefulSet, and of monitors and
//! the Secret of `spec.additionalScrapeConfigs` the configuration, which it keeps in a Secret of its own.
//!
//! Simulated of it (prometheus-operator, `pkg/prometheus/server` and `promcfg.go`) is what the resource adds to the
//! template that stands there at first, PodMonitors, and additional jobs. The configuration is not compressed.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{World, set_condition};
use crate::demo::json::{as_map, at, list, list_at, map_at, name, namespace, selected, text, uid};
use crate::demo::kinds;

const CONFIG_KEY: &str = "prometheus.yaml.gz";

impl World {
    pub(super) fn reconcile_operated(&mut self) {
        let resources: Vec<Arc<Value>> = self.store.all(&kinds::PROMETHEUS).cloned().collect();
        for resource in resources {
            let paused = at(&resource, "/spec/paused") == &Value::Bool(true);
            if !paused && let Some(set) = self.set_of(&resource) {
                self.operate(&resource, &set);
            }
        }
    }

    fn set_of(&self, resource: &Value) -> Option<Arc<Value>> {
        let mut sets = self.store.of(&kinds::STATEFUL_SET, namespace(resource));
        let owned = |set: &&Arc<Value>| {
            let mut owners = list(set, "/metadata/ownerReferences").iter();
            owners.any(|owner| text(owner, "/uid") == uid(resource))
        };
        sets.find(owned).cloned()
    }

    fn operate(&mut self, resource: &Value, set: &Value) {
        let base = self
            .operated
            .entry(uid(set).to_owned())
            .or_insert_with(|| without(at(set, "/spec/template"), resource))
            .clone();
        let template = with(&base, resource);
        if at(set, "/spec/template") != &template {
            let mut changed = set.clone();
            map_at(&mut changed, &["spec"]).insert("template".into(), template);
            self.write_owned(&kinds::STATEFUL_SET, Some(set), changed);
        }
        let failed = match self.configuration(resource) {
            Ok(config) => {
                self.keep_configuration(resource, &config);
                None
            }
            Err(why) => Some(why),
        };
        self.report(resource, failed.as_deref());
    }

    /// All of it, or why the operator makes none.
    fn configuration(&self, resource: &Value) -> Result<String, String> {
        let mut jobs = Vec::new();
        if at(resource, "/spec/podMonitorSelector").is_object() {
            let selector = at(resource, "/spec/podMonitorSelector");
            let monitors = self.store.all(&kinds::POD_MONITOR);
            for monitor in monitors.filter(|of| selected(selector, at(of, "/metadata/labels"))) {
                for (index, endpoint) in list(monitor, "/spec/podMetricsEndpoints")
                    .iter()
                    .enumerate()
                {
                    jobs.push(pod_monitor_job(monitor, index, endpoint));
                }
            }
        }
        let selector = at(resource, "/spec/additionalScrapeConfigs");
        if selector.is_object() {
            let (secret, key) = (text(selector, "/name"), text(selector, "/key"));
            let found = self
                .store
                .get(&kinds::SECRET, namespace(resource), secret)
                .and_then(|of| of.get("data")?.get(key)?.as_str().map(str::to_owned));
            let found = found.ok_or_else(|| {
                format!("loading additional scrape configs from Secret failed: key {key:?} of secret {secret:?} not found")
            })?;
            let bytes = STANDARD.decode(found).map_err(|e| e.to_string())?;
            let added: Option<Vec<Value>> = serde_yaml::from_slice(&bytes)
                .map_err(|e| format!("unmarshalling additional scrape configs failed: {e}"))?;
            jobs.extend(added.unwrap_or_default());
        }
        let root = json!({
            "global": {"scrape_interval": "30s", "evaluation_interval": "30s"},
            "scrape_configs": jobs,
        });
        serde_yaml::to_string(&root).map_err(|e| e.to_string())
    }

    fn keep_configuration(&mut self, resource: &Value, config: &str) {
        let (ns, own) = (
            namespace(resource),
            format!("prometheus-{}", name(resource)),
        );
        let Some(secret) = self.store.get(&kinds::SECRET, ns, &own).cloned() else {
            return;
        };
        let encoded = json!(STANDARD.encode(config));
        if secret.get("data").and_then(|data| data.get(CONFIG_KEY)) == Some(&encoded) {
            return;
        }
        let mut changed = (*secret).clone();
        map_at(&mut changed, &["data"]).insert(CONFIG_KEY.into(), encoded);
        self.write_owned(&kinds::SECRET, Some(&secret), changed);
    }

    fn report(&mut self, resource: &Value, failed: Option<&str>) {
        let Some(current) = self
            .store
            .get(&kinds::PROMETHEUS, namespace(resource), name(resource))
            .cloned()
        else {
            return;
        };
        let mut changed = (*current).clone();
        let (state, reason) = match failed {
            Some(_) => ("False", "ReconciliationFailed"),
            None => ("True", ""),
        };
        let stamp = self.stamp();
        let mut status = at(&changed, "/status").clone();
        let message = failed.unwrap_or_default();
        set_condition(&mut status, "Reconciled", state, reason, message, &stamp);
        let generation = at(&current, "/metadata/generation").clone();
        for condition in list_at(&mut status, &[], "conditions") {
            as_map(condition).insert("observedGeneration".into(), generation.clone());
        }
        as_map(&mut changed).insert("status".into(), status);
        if changed != *current {
            self.write(&kinds::PROMETHEUS, changed);
        }
    }
}

fn keys(map: &Value) -> impl Iterator<Item = (&String, &Value)> {
    map.as_object().into_iter().flatten()
}

fn own_container(template: &mut Value) -> Option<&mut Value> {
    let mut containers = list_at(template, &["spec"], "containers").iter_mut();
    containers.find(|container| text(container, "/name") == "prometheus")
}

/// The template without what the resource adds.
fn without(template: &Value, resource: &Value) -> Value {
    let mut base = template.clone();
    for map in ["labels", "annotations"] {
        let of_resource = at(resource, &format!("/spec/podMetadata/{map}"));
        for (key, _) in keys(of_resource) {
            map_at(&mut base, &["metadata", map]).remove(key);
        }
    }
    let names = |list: &[Value], key: &str| -> Vec<String> {
        list.iter().map(|one| text(one, key).to_owned()).collect()
    };
    let volumes = names(list(resource, "/spec/volumes"), "/name");
    list_at(&mut base, &["spec"], "volumes")
        .retain(|of| !volumes.iter().any(|v| v == text(of, "/name")));
    let mounts = names(list(resource, "/spec/volumeMounts"), "/mountPath");
    if let Some(own) = own_container(&mut base) {
        list_at(own, &[], "volumeMounts")
            .retain(|of| !mounts.iter().any(|m| m == text(of, "/mountPath")));
    }
    base
}

fn with(base: &Value, resource: &Value) -> Value {
    let mut template = base.clone();
    for map in ["labels", "annotations"] {
        let of_resource = at(resource, &format!("/spec/podMetadata/{map}"));
        // Labels that the operator selects by stay its own.
        for (key, value) in keys(of_resource) {
            let into = map_at(&mut template, &["metadata", map]);
            into.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    let volumes = list(resource, "/spec/volumes").to_vec();
    if !volumes.is_empty() {
        list_at(&mut template, &["spec"], "volumes").extend(volumes);
    }
    let mounts = list(resource, "/spec/volumeMounts").to_vec();
    if !mounts.is_empty()
        && let Some(own) = own_container(&mut template)
    {
        list_at(own, &[], "volumeMounts").extend(mounts);
    }
    template
}

/// A label's name as discovery writes it.
fn sanitized(label: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    label.chars().map(plain).collect()
}

fn pod_monitor_job(monitor: &Value, index: usize, endpoint: &Value) -> Value {
    let (ns, own) = (namespace(monitor), name(monitor));
    let spaces = at(monitor, "/spec/namespaceSelector");
    let mut discovery = json!({"role": "pod"});
    if spaces.get("any") != Some(&Value::Bool(true)) {
        let names = list(spaces, "/matchNames");
        let names = match names.is_empty() {
            true => vec![json!(ns)],
            false => names.to_vec(),
        };
        as_map(&mut discovery).insert("namespaces".into(), json!({"names": names}));
    }
    let mut rules = vec![
        json!({"source_labels": ["job"], "target_label": "__tmp_prometheus_job_name"}),
        json!({"source_labels": ["__meta_kubernetes_pod_phase"], "regex": "(Failed|Succeeded)", "action": "drop"}),
    ];
    for (label, value) in keys(at(monitor, "/spec/selector/matchLabels")) {
        let label = sanitized(label);
        rules.push(json!({
            "source_labels": [format!("__meta_kubernetes_pod_label_{label}"),
                format!("__meta_kubernetes_pod_labelpresent_{label}")],
            "regex": format!("({});true", value.as_str().unwrap_or_default()), "action": "keep",
        }));
    }
    for expression in list(monitor, "/spec/selector/matchExpressions") {
        let label = sanitized(text(expression, "/key"));
        let present = format!("__meta_kubernetes_pod_labelpresent_{label}");
        let action = match text(expression, "/operator") {
            "Exists" => "keep",
            _ => "drop",
        };
        rules.push(json!({"source_labels": [present], "regex": "true", "action": action}));
    }
    let port = text(endpoint, "/port");
    if !port.is_empty() {
        rules.push(json!({
            "source_labels": ["__meta_kubernetes_pod_container_port_name"], "regex": port, "action": "keep",
        }));
    }
    for (label, target) in [
        ("__meta_kubernetes_namespace", "namespace"),
        ("__meta_kubernetes_pod_container_name", "container"),
        ("__meta_kubernetes_pod_name", "pod"),
    ] {
        rules.push(json!({"source_labels": [label], "target_label": target}));
    }
    rules.push(json!({"target_label": "job", "replacement": format!("{ns}/{own}")}));
    rules.extend(list(endpoint, "/relabelings").iter().map(rule));
    let mut job = json!({
        "job_name": format!("podMonitor/{ns}/{own}/{index}"),
        "honor_timestamps": true,
        "kubernetes_sd_configs": [discovery],
        "relabel_configs": rules,
    });
    for (from, to) in [
        ("interval", "scrape_interval"),
        ("path", "metrics_path"),
        ("scheme", "scheme"),
    ] {
        if let Some(value) = endpoint.get(from) {
            as_map(&mut job).insert(to.into(), value.clone());
        }
    }
    job
}

/// A relabelling of the resource as Prometheus writes it.
fn rule(of: &Value) -> Value {
    let named = [
        ("sourceLabels", "source_labels"),
        ("separator", "separator"),
        ("targetLabel", "target_label"),
        ("regex", "regex"),
        ("modulus", "modulus"),
        ("replacement", "replacement"),
    ];
    let mut rule = json!({});
    for (from, to) in named {
        if let Some(value) = of.get(from) {
            as_map(&mut rule).insert(to.into(), value.clone());
        }
    }
    if let Some(action) = of.get("action").and_then(Value::as_str) {
        as_map(&mut rule).insert("action".into(), json!(action.to_ascii_lowercase()));
    }
    rule
}
