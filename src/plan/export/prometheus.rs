//! Prometheus's own part: its pod, its new jobs, and the rule for its old ones, as files to paste from.

use super::{File, Setup, Step, comment, file, merge};
use crate::mesh::{PrometheusFlavour, ended};
use crate::plan::scrape_config::{TextEdit, emit, ended_rules};
use crate::plan::{Action, Part, mask};
use crate::words;
use serde_json::{Map, Value};

/// What the pod gets, whatever holds its template.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::plan) struct Pod {
    pub labels: Value,
    pub annotations: Value,
    pub volumes: Value,
    /// Of the container that runs Prometheus.
    pub mounts: Value,
}

/// The pod's part of the plan. `None`: nothing changes about it.
pub(super) fn pod(steps: &[Step], setup: &Setup) -> Option<Pod> {
    let step = exported(steps, Part::PrometheusPod)?;
    let object = match &step.change.action {
        Action::Apply { intent } => intent.clone(),
        Action::Edit { leaves } => merge::patch(leaves),
        _ => return None,
    };
    Some(pod_of(&object, &setup.container))
}

/// What a fragment of the workload says of its pods.
pub(in crate::plan) fn pod_of(object: &Value, container: &str) -> Pod {
    let template = &object["spec"]["template"];
    let containers = template["spec"]["containers"].as_array();
    let container = containers
        .into_iter()
        .flatten()
        .find(|of| of["name"] == container);
    Pod {
        labels: some(&template["metadata"]["labels"]),
        annotations: some(&template["metadata"]["annotations"]),
        volumes: some(&template["spec"]["volumes"]),
        mounts: container.map_or(Value::Null, |container| some(&container["volumeMounts"])),
    }
}

/// Without what a patch would remove: values and resources are written as they shall be.
fn some(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), some(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(list) => list.iter().map(some).collect(),
        other => other.clone(),
    }
}

pub(super) fn exported<'a>(steps: &'a [Step<'a>], part: Part) -> Option<&'a Step<'a>> {
    steps
        .iter()
        .find(|step| step.change.part == part && step.exported())
}

/// The jobs that edits bring or put in another's place, in the order of the file.
pub(in crate::plan) fn jobs_of(edits: &[TextEdit]) -> Vec<(&str, &Value)> {
    // Each insertion goes first, so that the last one named stands at the top.
    let mut jobs: Vec<_> = edits
        .iter()
        .filter_map(|edit| match edit {
            TextEdit::InsertJob { name, job } | TextEdit::ReplaceJob { name, job } => {
                Some((name.as_str(), job))
            }
            _ => None,
        })
        .collect();
    jobs.reverse();
    jobs
}

/// Old jobs and the rules that each gets; they stand for those of the same form that it has.
pub(in crate::plan) fn rules_of(edits: &[TextEdit]) -> Vec<(&str, Value)> {
    edits
        .iter()
        .flat_map(|edit| match edit {
            TextEdit::AddRule { job, rule } => vec![(job.as_str(), rule.clone())],
            TextEdit::EndPlaintext { job, items } => {
                let rules = ended_rules(items).into_iter();
                rules.map(|rule| (job.as_str(), rule)).collect()
            }
            _ => Vec::new(),
        })
        .collect()
}

fn edits<'a>(steps: &'a [Step<'a>], part: Part) -> &'a [TextEdit] {
    match exported(steps, part).map(|step| &step.change.action) {
        Some(Action::Text { edits, .. }) => edits,
        _ => &[],
    }
}

/// The jobs that are new or take another's place, in the order of the file.
pub(super) fn jobs<'a>(steps: &'a [Step<'a>], setup: &'a Setup) -> Vec<(&'a str, &'a Value)> {
    let by_hand = setup.by_hand.iter().map(|(name, job)| (name.as_str(), job));
    let mut jobs = jobs_of(edits(steps, Part::ScrapeJob));
    jobs.extend(by_hand);
    jobs
}

/// Old jobs and the rules that each gets: once all is UP, and before, in place of the rule of an earlier version.
pub(super) fn rules<'a>(steps: &'a [Step<'a>]) -> Vec<(&'a str, Value)> {
    let last = rules_of(edits(steps, Part::PlaintextJobs));
    let mut rules = rules_of(edits(steps, Part::ScrapeJob));
    rules.retain(|(job, rule)| {
        !last
            .iter()
            .any(|(other, by)| job == other && takes_place(by, rule))
    });
    rules.extend(last);
    rules
}

/// Both name workloads of one namespace.
pub(super) fn takes_place(by: &Value, rule: &Value) -> bool {
    let space = |rule: &Value| Some(ended::read(rule)?.first()?.namespace.clone());
    space(by).is_some_and(|of| space(rule) == Some(of))
}

/// The job as the text of one list entry, credentials masked.
pub(in crate::plan) fn text_of(job: &Value) -> String {
    emit::block_item(&mask::setting(job), emit::Style::default())
}

pub(super) fn files(steps: &[Step], setup: &Setup) -> Vec<File> {
    let mut files = Vec::new();
    let jobs = jobs(steps, setup);
    if !jobs.is_empty() {
        let mut text = comment("Prometheus scrapes annotated pods over mutual TLS.");
        text.push_str(&comment(match setup.flavour {
            PrometheusFlavour::Operator => {
                "Place: the key of the Secret that spec.additionalScrapeConfigs of the Prometheus resource names; replace a job of the same name."
            }
            _ => "Place: entries of scrape_configs, before the others; replace a job of the same name.",
        }));
        if let Some(gap) = &setup.gap {
            text.push_str(&comment(&words::gap(gap)));
        }
        for edit in edits(steps, Part::ScrapeJob) {
            if let TextEdit::RemoveJob { name } = edit {
                text.push_str(&comment(&format!("Remove the job {name}.")));
            }
        }
        for (_, job) in &jobs {
            let shown = text_of(job);
            if shown.contains(mask::MASK) {
                text.push_str(&comment(
                    "A credential of today's job was here; put it into a file and reference the file.",
                ));
            }
            text.push_str(&shown);
        }
        files.push(file("prometheus/scrape-job.yaml", text));
    }
    let rules = rules(steps);
    if !rules.is_empty() {
        let mut text = comment(
            "Last step, once every new target is UP: the plaintext jobs skip secured pods.",
        );
        text.push_str(&comment(
            "Replace a rule there with the same source_labels and namespace, and a rule that drops every annotated pod.",
        ));
        for (job, rule) in rules {
            text.push_str(&comment(&format!(
                "Place: first of relabel_configs of the job {job}."
            )));
            text.push_str(&emit::block_item(&rule, emit::Style::default()));
        }
        files.push(file("prometheus/old-jobs-rule.yaml", text));
    }
    files
}
