//! What can be taken back where no record of a run is left: what carries our label, and the fields that our
//! manager alone owns. It is told as the record of one run, so that it goes the way of every undo.

use super::text::jobs;
use crate::mesh::kinds::{Kind, MANAGER, ObjectRef, WorkloadRef};
use crate::plan::leaves::{children, leaves};
use crate::plan::owners::Owners;
use crate::plan::path::{LeafPath, Step};
use crate::plan::record::{Entry, Intent, TextRecord};
use crate::plan::scrape_config::{self, TextEdit};
use crate::plan::{ChangeId, Part, keyed};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Stands for the run where there is no record of one.
pub const FOUND: &str = "without-record";

/// An object that may hold something of ours.
#[derive(Clone, Debug)]
pub struct Seen {
    pub object: ObjectRef,
    pub live: Arc<Value>,
    pub item: Option<WorkloadRef>,
    /// Of a ConfigMap: the key with the Prometheus configuration.
    pub key: Option<String>,
}

/// What cannot be known without a record, in sentences.
pub const UNKNOWN: [&str; 3] = [
    "no record is used: changes are found by meshscrape's label and field manager",
    "earlier values of fields whose ownership was forced are unknown: such fields are removed, not restored",
    "unknown without a record: what a fix changed or deleted, and a scrape job's earlier content; neither is restored",
];

/// The record that these objects amount to; `job` is the name that our scrape jobs begin with.
///
/// Where Prometheus loads its configuration only at its start, `restart_loads`, the pod comes after the text.
pub fn entries(
    context: &str,
    prometheus: &WorkloadRef,
    seen: &[Seen],
    job: &str,
    restart_loads: bool,
) -> Vec<Entry> {
    let mut out = vec![Entry::Started {
        version: 1,
        run: FOUND.into(),
        at: Timestamp::UNIX_EPOCH,
        context: context.to_owned(),
        cluster: None,
        undoes: None,
        prometheus: Some(prometheus.clone()),
        answers: None,
        by: None,
    }];
    let pod_first = |part: Part| match (part, restart_loads) {
        (Part::PrometheusPod, false) => 0,
        (Part::ScrapeJob, _) => 1,
        (Part::PrometheusPod, true) => 2,
        _ => 3,
    };
    let mut intents: Vec<Intent> = seen
        .iter()
        .filter_map(|seen| intent(seen, prometheus, job))
        .collect();
    intents.sort_by_key(|intent| pod_first(intent.part));
    for (seq, mut intent) in (0_u32..).zip(intents) {
        intent.seq = seq;
        out.push(Entry::Intent(Box::new(intent)));
    }
    out
}

fn intent(seen: &Seen, prometheus: &WorkloadRef, job: &str) -> Option<Intent> {
    let part = match seen.object.kind {
        Kind::PeerAuthentication | Kind::AuthorizationPolicy => Part::Policy,
        Kind::Sidecar | Kind::Gateway => Part::Listener,
        Kind::ServiceEntry | Kind::VirtualService => Part::Route,
        Kind::ConfigMap | Kind::Secret => Part::ScrapeJob,
        Kind::Namespace => Part::Injection,
        _ if seen.object == prometheus.object() => Part::PrometheusPod,
        _ => Part::Annotation,
    };
    let mut intent = Intent {
        run: FOUND.into(),
        seq: 0,
        at: Timestamp::UNIX_EPOCH,
        change: ChangeId::new(&seen.object, part),
        part,
        object: seen.object.clone(),
        item: seen.item.clone(),
        uid: seen.live["metadata"]["uid"].as_str().map(str::to_owned),
        leaves: Vec::new(),
        text: None,
        deleted: None,
        taken: Vec::new(),
    };
    match part {
        // Made by us as a whole.
        Part::Policy | Part::Listener | Part::Route => intent.uid = None,
        Part::ScrapeJob => {
            let key = seen.key.as_ref()?;
            let text = &*keyed::text(&seen.live, key)?;
            let edits = edits(text, job, written_by_us(&seen.live));
            if edits.is_empty() {
                return None;
            }
            intent.text = Some(TextRecord {
                // They stand in the text already.
                edits: edits.clone(),
                ..TextRecord::new(key, &edits, text, text)
            });
        }
        _ => {
            intent.leaves = leaves(Some(&without_ours(&seen.live)), Some(&seen.live));
            if intent.leaves.is_empty() {
                return None;
            }
        }
    }
    Some(intent)
}

/// The object without the leaves that we applied and nobody else owns as well.
fn without_ours(live: &Value) -> Value {
    let owners = Owners::of_object(live);
    let mut ours = owners.applied_by(MANAGER);
    let edited = owners.updated_by(MANAGER);
    let watches = watches(live, &edited);
    if !watches.is_empty() {
        // With a watch the whole of Prometheus's pod part comes as one edit.
        ours.extend(edited);
    }
    ours.retain(|path| owners.others(path).is_empty());
    ours.retain(|path| !watches.iter().any(|(args, _)| args == path));
    let mut left = stripped(&LeafPath::default(), live, &ours).unwrap_or_default();
    for (args, before) in watches {
        args.set(&mut left, before);
    }
    left
}

/// The arguments to which a watch of ours was added, and what they were: one of a folder whose mount is ours too.
fn watches(live: &Value, edited: &BTreeSet<LeafPath>) -> Vec<(LeafPath, Value)> {
    let of = |path: &LeafPath| {
        let (last, container) = path.0.split_last()?;
        let container = LeafPath(container.to_vec());
        let args = path.get(live)?.as_array()?;
        let ours = |arg: &&Value| {
            let text = arg.as_str().unwrap_or_default();
            text.strip_prefix("--watched-dir=").is_some_and(|folder| {
                let mount = container
                    .clone()
                    .field("volumeMounts")
                    .element("mountPath", folder);
                edited.iter().any(|leaf| mount.holds(leaf))
            })
        };
        let before: Vec<Value> = args.iter().filter(|arg| !ours(arg)).cloned().collect();
        let named = matches!(last, Step::Field(name) if name == "args");
        (named && before.len() < args.len()).then(|| (path.clone(), Value::Array(before)))
    };
    edited.iter().filter_map(of).collect()
}

/// `None`: nothing of it stays.
fn stripped(path: &LeafPath, value: &Value, ours: &BTreeSet<LeafPath>) -> Option<Value> {
    if ours.contains(path) {
        return None;
    }
    if !ours.iter().any(|leaf| path.holds(leaf)) {
        return Some(value.clone());
    }
    let Some(inner) = children(path, value) else {
        return Some(value.clone());
    };
    let mut list = Vec::new();
    let mut map = Map::new();
    for (step, before) in inner {
        let Some(mut stays) = stripped(&path.clone().step(step.clone()), before, ours) else {
            continue;
        };
        match step {
            Step::Field(name) => {
                map.insert(name, stays);
            }
            Step::Element(keys) => {
                // An element that others have filled keeps the fields that it is found by.
                if let Some(fields) = stays.as_object_mut() {
                    fields.extend(keys.into_iter().map(|(key, value)| (key, value.value())));
                }
                list.push(stays);
            }
            Step::Index(_) => list.push(stays),
        }
    }
    match value {
        Value::Array(_) => (!list.is_empty()).then_some(Value::Array(list)),
        _ => (!map.is_empty()).then_some(Value::Object(map)),
    }
}

fn written_by_us(live: &Value) -> bool {
    Owners::of_object(live)
        .iter()
        .any(|owner| owner.manager == MANAGER)
}

/// The edits that would have made our jobs and rules in this text.
fn edits(text: &str, ours: &str, written: bool) -> Vec<TextEdit> {
    let (Some(values), Ok(known)) = (jobs(text), scrape_config::jobs(text)) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for (value, job) in values.into_iter().zip(known) {
        let named = job.name == ours || job.name.starts_with(&format!("{ours}-"));
        // The published recipe has a job of this name too, with another path.
        let as_ours = value["metrics_path"] == "/stats/prometheus" && value["scheme"] == "https";
        if named && job.secure && (written || as_ours) {
            out.push(TextEdit::InsertJob {
                name: job.name,
                job: value,
            });
            continue;
        }
        if let Some(rule) = job.rule_of_earlier_versions() {
            out.push(TextEdit::AddRule {
                job: job.name.clone(),
                rule: rule.clone(),
            });
        }
        let items: Vec<WorkloadRef> = job.leaves_out().into_iter().collect();
        if !items.is_empty() {
            out.push(TextEdit::EndPlaintext {
                job: job.name,
                items,
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::undo::{UndoNote, undo};
    use crate::plan::{Action, Plan};
    use serde_json::json;

    const JOB: &str = "ours";

    fn deployment(annotations: &Value, fields: &Value) -> Seen {
        let object = ObjectRef::new(Kind::Deployment, "shop", "web");
        let live = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": "shop", "name": "web", "uid": "u", "managedFields": fields},
            "spec": {"replicas": 1, "template": {"metadata": {"annotations": annotations}, "spec": {}}},
        });
        Seen {
            object,
            live: Arc::new(live),
            item: None,
            key: None,
        }
    }

    fn owned(manager: &str, field: &str) -> Value {
        json!({"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {"f:template":
            {"f:metadata": {"f:annotations": {format!("f:{field}"): {}}}}}}})
    }

    fn taken_back(seen: &[Seen]) -> (Plan, Vec<UndoNote>) {
        let prometheus = WorkloadRef::new("mon", Kind::Deployment, "prometheus");
        let entries = entries("c", &prometheus, seen, JOB, false);
        let live = |object: &ObjectRef| {
            let seen = seen.iter().find(|seen| seen.object == *object)?;
            Some(Arc::clone(&seen.live))
        };
        undo(&entries, &live).expect("a plan")
    }

    #[test]
    fn a_field_that_is_ours_alone_goes_and_a_shared_one_stays() {
        let fields = json!([
            owned("meshscrape", "mark"),
            owned("meshscrape", "shared"),
            owned("argocd", "shared")
        ]);
        let annotations = json!({"mark": "15091", "shared": "x", "theirs": "y"});
        let (plan, _) = taken_back(&[deployment(&annotations, &fields)]);
        let Action::Edit { leaves } = &plan.changes[0].action else {
            panic!("{plan:?}")
        };
        assert_eq!(leaves.len(), 1);
        assert!(leaves[0].path.to_string().contains("mark"), "{leaves:?}");
        assert_eq!(leaves[0].to, None);
    }

    #[test]
    fn what_nobody_of_us_wrote_is_left_alone() {
        let fields = json!([owned("argocd", "mark")]);
        let (plan, _) = taken_back(&[deployment(&json!({"mark": "15091"}), &fields)]);
        assert!(plan.changes.is_empty(), "{plan:?}");
    }

    #[test]
    fn our_job_and_our_rules_go_and_the_published_job_stays() {
        let rule = "    - {source_labels: [__meta_kubernetes_pod_annotationpresent_prometheus_istio_io_secure_port], action: drop, regex: 'true'}\n";
        let keep = "    - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port], action: keep, regex: '\\d+'}\n";
        let text = format!(
            "scrape_configs:\n- job_name: ours\n  scheme: https\n  metrics_path: /stats/prometheus\n  kubernetes_sd_configs: [{{role: pod}}]\n  relabel_configs:\n{keep}- job_name: pods\n  relabel_configs:\n{rule}- job_name: ours-published\n  scheme: https\n  kubernetes_sd_configs: [{{role: pod}}]\n  relabel_configs:\n{keep}"
        );
        let map = Seen {
            object: ObjectRef::new(Kind::ConfigMap, "mon", "prometheus"),
            live: Arc::new(json!({"metadata": {"uid": "u"}, "data": {"p": text}})),
            item: None,
            key: Some("p".into()),
        };
        let (plan, notes) = taken_back(&[map]);
        let edits: Vec<&TextEdit> = plan
            .changes
            .iter()
            .filter_map(|change| match &change.action {
                Action::Text { edits, .. } => Some(edits),
                _ => None,
            })
            .flatten()
            .collect();
        assert!(
            matches!(&edits[..], [TextEdit::RemoveRule { job, .. }, TextEdit::RemoveJob { name }]
                if job == "pods" && name == "ours"),
            "{edits:?} {notes:?}"
        );
    }

    #[test]
    fn what_we_made_goes_by_its_uid_listener_before_policy() {
        let made = |kind: Kind| Seen {
            object: ObjectRef::new(kind, "shop", "meshscrape-web"),
            live: Arc::new(json!({"metadata": {"uid": kind.name(), "managedFields": [
                {"manager": "meshscrape", "operation": "Apply", "fieldsV1": {}}]}})),
            item: None,
            key: None,
        };
        let (plan, _) = taken_back(&[made(Kind::PeerAuthentication), made(Kind::Sidecar)]);
        let uids: Vec<&str> = plan
            .changes
            .iter()
            .filter_map(|change| match &change.action {
                Action::Delete { uid } => Some(uid.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(uids, ["Sidecar", "PeerAuthentication"]);
        assert!(plan.changes[1].needs.contains(&plan.changes[0].id));
    }
}
