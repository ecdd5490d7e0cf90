//! Values for the charts whose forms are known: prometheus-community/prometheus and kube-prometheus-stack.

use super::prometheus::{self, Pod};
use super::{File, Setup, Step, comment, file};
use crate::mesh::PrometheusFlavour;
use crate::mesh::ended;
use crate::plan::mask;
use crate::plan::yaml::to_yaml;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// From this version on the chart takes its jobs as a map.
pub(in crate::plan) const JOBS_AS_MAP: u32 = 28;

pub(super) fn files(steps: &[Step], setup: &Setup) -> Vec<File> {
    match setup.flavour {
        PrometheusFlavour::CommunityChart => community(steps, setup),
        PrometheusFlavour::Operator => operator(steps, setup),
        _ => Vec::new(),
    }
}

fn put(map: &mut Value, key: &str, value: Value) {
    let empty = match &value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    if !empty {
        map[key] = value;
    }
}

fn values(words: &[&str], value: &Value) -> String {
    let head: String = words.iter().map(|words| comment(words)).collect();
    // The rules of today's jobs may hold a credential.
    let shown = mask::text(&to_yaml(&mask::setting(value)));
    let gap = match shown.contains(mask::MASK) {
        true => comment(&format!(
            "{} replaces a credential of today's job; put your own value there.",
            mask::MASK
        )),
        false => String::new(),
    };
    format!("{head}{gap}{shown}")
}

fn community(steps: &[Step], setup: &Setup) -> Vec<File> {
    let mut files = Vec::new();
    let server = server(prometheus::pod(steps, setup).unwrap_or_default());
    let jobs = prometheus::jobs(steps, setup);
    let lists = "Lists in values are replaced whole: what your own values hold under the same key has to stay in.";
    let as_map = setup.chart.is_none_or(|chart| chart >= JOBS_AS_MAP);
    let as_text = setup.chart.is_none_or(|chart| chart < JOBS_AS_MAP);
    if as_map {
        let mut all = json!({});
        put(&mut all, "server", server.clone());
        put(&mut all, "scrapeConfigs", by_name(&jobs));
        if all != json!({}) {
            let head = [
                "Values of the chart prometheus-community/prometheus, version 28 and later.",
                lists,
            ];
            files.push(file("values/prometheus-28.yaml", values(&head, &all)));
        }
        let old = with_rules(&prometheus::rules(steps), &setup.old_jobs);
        if old != json!({}) {
            let head = [
                "Second step, once every new target is UP: the plaintext jobs skip secured pods.",
                "Chart prometheus-community/prometheus, version 28 and later; the rules are those of today with the new ones.",
            ];
            let text = values(&head, &json!({"scrapeConfigs": old}));
            files.push(file("values/prometheus-28-old-jobs.yaml", text));
        }
    }
    if as_text {
        let mut all = json!({});
        put(&mut all, "server", server);
        let text = as_text_of(&jobs);
        if !text.is_empty() {
            all["extraScrapeConfigs"] = text.into();
        }
        if all != json!({}) {
            let head = [
                "Values of the chart prometheus-community/prometheus before version 28.",
                "extraScrapeConfigs is one string: append this to what your own values hold there.",
                "Its built-in jobs stand in serverFiles, as one list; the rule of prometheus/old-jobs-rule.yaml goes there by hand.",
                lists,
            ];
            files.push(file("values/prometheus-27.yaml", values(&head, &all)));
        }
    }
    files
}

/// What the chart's server takes for its pod.
pub(in crate::plan) fn server(pod: Pod) -> Value {
    let mut server = json!({});
    put(&mut server, "podLabels", pod.labels);
    put(&mut server, "podAnnotations", pod.annotations);
    put(&mut server, "extraVolumes", pod.volumes);
    put(&mut server, "extraVolumeMounts", pod.mounts);
    server
}

/// `scrapeConfigs` of the chart from 28 on.
pub(in crate::plan) fn by_name(jobs: &[(&str, &Value)]) -> Value {
    let jobs = jobs
        .iter()
        .map(|(name, job)| ((*name).to_owned(), without_name(job)));
    Value::Object(jobs.collect::<Map<_, _>>())
}

/// `scrapeConfigs` of the old jobs, each with its rules before those of today.
pub(in crate::plan) fn with_rules(
    rules: &[(&str, Value)],
    today: &BTreeMap<String, Vec<Value>>,
) -> Value {
    let mut jobs: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (job, rule) in rules {
        let all = jobs
            .entry(job)
            .or_insert_with(|| today.get(*job).cloned().unwrap_or_default());
        let goes = |other: &Value| {
            other == rule || ended::is_everything(other) || prometheus::takes_place(rule, other)
        };
        all.retain(|other| !goes(other));
        all.insert(0, rule.clone());
    }
    let mut old = json!({});
    for (job, rules) in jobs {
        old[job] = json!({"relabel_configs": rules});
    }
    old
}

/// `extraScrapeConfigs` of the chart before 28, which reads the string as a template.
pub(in crate::plan) fn as_text_of(jobs: &[(&str, &Value)]) -> String {
    let text: String = jobs
        .iter()
        .map(|(_, job)| prometheus::text_of(job))
        .collect();
    text.replace("{{", "{{ \"{{\" }}")
}

fn without_name(job: &Value) -> Value {
    let mut job = job.clone();
    if let Some(map) = job.as_object_mut() {
        map.remove("job_name");
    }
    job
}

fn operator(steps: &[Step], setup: &Setup) -> Vec<File> {
    let Pod {
        labels,
        annotations,
        volumes,
        mounts,
    } = prometheus::pod(steps, setup).unwrap_or_default();
    let mut metadata = json!({});
    put(&mut metadata, "labels", labels);
    put(&mut metadata, "annotations", annotations);
    let mut spec = json!({});
    put(&mut spec, "podMetadata", metadata);
    put(&mut spec, "volumes", volumes);
    put(&mut spec, "volumeMounts", mounts);
    let owner = setup
        .owner
        .as_ref()
        .map_or("its resource", |owner| owner.name.as_str());
    let name = owner.strip_prefix("Prometheus ").unwrap_or(owner);
    let jobs: Vec<Value> = prometheus::jobs(steps, setup)
        .into_iter()
        .map(|(_, job)| job.clone())
        .collect();
    let mut files = Vec::new();
    let lists = "Lists are replaced whole: what volumes, volumeMounts and additionalScrapeConfigs hold today has to stay in.";
    // What the pod has already is not asked for again.
    if spec != json!({}) {
        let resource = json!({
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "Prometheus",
            "metadata": {"name": name, "namespace": setup.prometheus.namespace},
            "spec": spec,
        });
        let mut head = vec![
            "Without that chart: what the Prometheus resource gets. Merge it into the one you keep.",
        ];
        if !jobs.is_empty() {
            head.push(
                "The jobs of scrape-job.yaml are appended to the key of the Secret that spec.additionalScrapeConfigs names.",
            );
        }
        head.push(lists);
        let text = values(&head, &resource);
        files.push(file("prometheus/prometheus-resource.yaml", text));
    }
    let mut in_chart = spec;
    put(&mut in_chart, "additionalScrapeConfigs", jobs.into());
    if in_chart != json!({}) {
        let head = ["Values of the chart kube-prometheus-stack.", lists];
        let text = values(&head, &json!({"prometheus": {"prometheusSpec": in_chart}}));
        files.push(file("values/kube-prometheus-stack.yaml", text));
    }
    files
}
