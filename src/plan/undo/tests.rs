use super::super::path::LeafPath;
use super::super::record::TextRecord;
use super::super::scrape_config::TextEdit;
use super::*;
use crate::plan::Impact;
use serde_json::json;

fn web() -> ObjectRef {
    ObjectRef::new(Kind::Deployment, "shop", "web")
}

fn item() -> WorkloadRef {
    WorkloadRef::new("shop", Kind::Deployment, "web")
}

fn prometheus() -> WorkloadRef {
    WorkloadRef::new("mon", Kind::Deployment, "prometheus")
}

fn started() -> Entry {
    Entry::Started {
        version: 1,
        run: "r".into(),
        at: "2026-11-23T10:00:00Z".parse().unwrap(),
        context: "c".into(),
        cluster: None,
        undoes: None,
        prometheus: Some(prometheus()),
        answers: None,
        by: None,
    }
}

fn intent(seq: u32, part: Part, object: ObjectRef) -> Intent {
    Intent {
        run: "r".into(),
        seq,
        at: "2026-11-23T10:00:00Z".parse().unwrap(),
        change: ChangeId::new(&object, part),
        part,
        object,
        item: Some(item()),
        uid: Some("u".into()),
        leaves: Vec::new(),
        text: None,
        deleted: None,
        taken: Vec::new(),
    }
}

fn result(seq: u32, written: bool, uid: &str) -> Entry {
    Entry::Result {
        run: "r".into(),
        seq,
        at: "2026-11-23T10:00:00Z".parse().unwrap(),
        written,
        uid: Some(uid.into()),
        resource_version: None,
        error: None,
    }
}

fn wrote(intent: Intent, uid: &str) -> [Entry; 2] {
    let seq = intent.seq;
    [Entry::Intent(Box::new(intent)), result(seq, true, uid)]
}

fn leaf(path: LeafPath, before: Option<Value>, after: Option<Value>) -> LeafChange {
    LeafChange {
        path,
        before,
        owners: Vec::new(),
        after,
    }
}

fn label(key: &str) -> LeafPath {
    LeafPath::fields(["spec", "template", "metadata", "labels"]).field(key)
}

fn run(entries: &[Entry], live: &[(ObjectRef, Value)]) -> (Plan, Vec<UndoNote>) {
    let live: BTreeMap<ObjectRef, Arc<Value>> = live
        .iter()
        .map(|(object, value)| (object.clone(), Arc::new(value.clone())))
        .collect();
    undo(entries, &|object| live.get(object).cloned()).unwrap()
}

fn deployment(labels: Value) -> Value {
    json!({"metadata": {"name": "web", "uid": "u"},
        "spec": {"replicas": 2, "template": {"metadata": {"labels": labels}}}})
}

/// What an undo's edit makes of the live object.
fn result_of(plan: &Plan, live: &Value) -> Value {
    let [change] = &plan.changes[..] else {
        panic!("{:?}", plan.changes);
    };
    let Action::Edit { leaves } = &change.action else {
        panic!("{:?}", change.action);
    };
    super::super::leaves::patch(live, leaves).unwrap().1
}

#[test]
fn no_run_is_an_error() {
    assert!(undo(&[], &|_| None).is_err());
}

#[test]
fn what_the_run_created_is_deleted_by_its_uid() {
    let sidecar = ObjectRef::new(Kind::Sidecar, "shop", "meshscrape-web");
    let mut it = intent(0, Part::Listener, sidecar.clone());
    it.uid = None;
    let mut entries = vec![started()];
    entries.extend(wrote(it, "made"));
    let (plan, notes) = run(
        &entries,
        &[(sidecar.clone(), json!({"metadata": {"uid": "made"}}))],
    );
    assert_eq!(
        plan.changes[0].action,
        Action::Delete { uid: "made".into() }
    );
    assert!(notes.is_empty());

    let (plan, notes) = run(
        &entries,
        &[(sidecar.clone(), json!({"metadata": {"uid": "other"}}))],
    );
    assert!(plan.changes.is_empty());
    assert_eq!(notes[0].what, NoteKind::Successor);

    let (plan, notes) = run(&entries, &[]);
    assert!(plan.changes.is_empty() && notes.is_empty());
}

#[test]
fn a_creation_without_a_result_is_judged_by_its_owner() {
    let sidecar = ObjectRef::new(Kind::Sidecar, "shop", "meshscrape-web");
    let mut it = intent(0, Part::Listener, sidecar.clone());
    it.uid = None;
    let entries = [started(), Entry::Intent(Box::new(it))];
    let of = |manager: &str| json!({"metadata": {"uid": "x", "managedFields": [{"manager": manager, "operation": "Apply"}]}});
    let (plan, _) = run(&entries, &[(sidecar.clone(), of(MANAGER))]);
    assert_eq!(plan.changes[0].action, Action::Delete { uid: "x".into() });
    let (plan, notes) = run(&entries, &[(sidecar.clone(), of("kubectl"))]);
    assert!(plan.changes.is_empty());
    assert_eq!(notes[0].what, NoteKind::Successor);
}

#[test]
fn leaves_go_back_to_absent_and_to_their_values() {
    let mut it = intent(0, Part::Annotation, web());
    it.leaves = vec![
        leaf(label("new"), None, Some(json!("1"))),
        leaf(label("inject"), Some(json!("false")), Some(json!("true"))),
    ];
    let mut entries = vec![started()];
    entries.extend(wrote(it, "u"));
    let live = deployment(json!({"new": "1", "inject": "true", "app": "web"}));
    let (plan, notes) = run(&entries, &[(web(), live.clone())]);
    assert!(notes.is_empty());
    assert_eq!(
        result_of(&plan, &live),
        deployment(json!({"inject": "false", "app": "web"}))
    );
    assert_eq!(plan.changes[0].then, [Await::Rollout(item())]);
    assert_eq!(
        plan.changes[0].impacts,
        [Impact::Restarts {
            workload: item(),
            pods: 2
        }]
    );
}

#[test]
fn a_map_that_was_absent_goes_whole_but_not_with_what_others_put_there() {
    let annotations = LeafPath::fields(["spec", "template", "metadata", "annotations"]);
    let mut it = intent(0, Part::Annotation, web());
    it.leaves = vec![leaf(annotations, None, Some(json!({"m": "15020"})))];
    let mut entries = vec![started()];
    entries.extend(wrote(it, "u"));
    let with = |annotations: Value| {
        let mut object = deployment(json!({"app": "web"}));
        object["spec"]["template"]["metadata"]["annotations"] = annotations;
        object
    };
    let live = with(json!({"m": "15020"}));
    let (plan, _) = run(&entries, &[(web(), live.clone())]);
    assert_eq!(result_of(&plan, &live), deployment(json!({"app": "web"})));

    let live = with(json!({"m": "15020", "theirs": "x"}));
    let (plan, notes) = run(&entries, &[(web(), live.clone())]);
    assert_eq!(result_of(&plan, &live), with(json!({"theirs": "x"})));
    assert!(notes.is_empty());
}

/// Nothing is written unless the user takes it in, and there is something to take in.
fn is_left_alone(plan: &Plan) -> bool {
    !plan.changes.is_empty() && plan.changes.iter().all(|c| plan.held.contains(&c.id))
}

#[test]
fn what_others_changed_since_is_left_alone_and_all_three_are_said() {
    let mut it = intent(0, Part::Annotation, web());
    it.leaves = vec![leaf(
        label("inject"),
        Some(json!("false")),
        Some(json!("true")),
    )];
    let mut entries = vec![started()];
    entries.extend(wrote(it, "u"));
    let (plan, notes) = run(&entries, &[(web(), deployment(json!({"inject": "never"})))]);
    assert!(is_left_alone(&plan));
    let NoteKind::ChangedSince {
        before, after, now, ..
    } = &notes[0].what
    else {
        panic!("{:?}", notes[0]);
    };
    let all = [before, after, now].map(|value| value.as_ref().and_then(Value::as_str));
    assert_eq!(all, [Some("false"), Some("true"), Some("never")]);
}

#[test]
fn an_intent_without_a_result_is_judged_by_the_live_object() {
    let mut it = intent(0, Part::Annotation, web());
    it.leaves = vec![leaf(label("a"), None, Some(json!("1")))];
    let entries = [started(), Entry::Intent(Box::new(it))];
    let (plan, notes) = run(&entries, &[(web(), deployment(json!({})))]);
    assert!(plan.changes.is_empty() && notes.is_empty());
    let (plan, _) = run(&entries, &[(web(), deployment(json!({"a": "1"})))]);
    assert_eq!(plan.changes.len(), 1);
}

#[test]
fn a_write_that_failed_is_not_taken_back() {
    let mut it = intent(0, Part::Annotation, web());
    it.leaves = vec![leaf(label("a"), None, Some(json!("1")))];
    let entries = [
        started(),
        Entry::Intent(Box::new(it)),
        result(0, false, "u"),
    ];
    let (plan, _) = run(&entries, &[(web(), deployment(json!({"a": "1"})))]);
    assert!(plan.changes.is_empty());
}

#[test]
fn what_the_run_took_back_itself_is_not_brought_again() {
    let mut annotation = intent(0, Part::Annotation, web());
    annotation.leaves = vec![leaf(label("a"), None, Some(json!("1")))];
    let mut back = intent(1, Part::Undo, web());
    back.leaves = vec![leaf(label("a"), Some(json!("1")), None)];
    let mut entries = vec![started()];
    entries.extend(wrote(annotation, "u"));
    entries.extend(wrote(back, "u"));
    let (plan, notes) = run(&entries, &[(web(), deployment(json!({})))]);
    assert!(
        plan.changes.is_empty() && notes.is_empty(),
        "{plan:?} {notes:?}"
    );
}

#[test]
fn a_successor_and_a_pod_that_is_gone() {
    let mut it = intent(0, Part::Annotation, web());
    it.leaves = vec![leaf(label("a"), None, Some(json!("1")))];
    let mut pod = it.clone();
    pod.seq = 1;
    pod.object = ObjectRef::new(Kind::Pod, "shop", "web-0");
    let mut entries = vec![started()];
    entries.extend(wrote(it, "u"));
    entries.extend(wrote(pod, "u"));
    let mut other = deployment(json!({"a": "1"}));
    other["metadata"]["uid"] = json!("successor");
    let (plan, notes) = run(&entries, &[(web(), other)]);
    assert!(plan.changes.is_empty());
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].what, NoteKind::Successor);
}

#[test]
fn a_deleted_listener_comes_back_and_asks() {
    let sidecar = ObjectRef::new(Kind::Sidecar, "shop", "metrics");
    let was = json!({"kind": "Sidecar", "metadata": {"name": "metrics", "uid": "old", "resourceVersion": "3"},
        "spec": {"ingress": [{"port": {"number": 15091}}]}});
    let mut it = intent(0, Part::Fix, sidecar.clone());
    it.uid = Some("old".into());
    it.deleted = Some(was.clone());
    let mut entries = vec![started()];
    entries.extend(wrote(it, "old"));
    let (plan, notes) = run(&entries, &[]);
    assert_eq!(
        plan.changes[0].action,
        Action::Apply {
            intent: json!({"kind": "Sidecar", "metadata": {"name": "metrics"},
                "spec": {"ingress": [{"port": {"number": 15091}}]}})
        }
    );
    assert!(notes.iter().any(UndoNote::asks));
    assert!(notes.iter().any(|note| note.what == NoteKind::BroughtBack));
    // Never deleted after all.
    let (plan, notes) = run(&entries, &[(sidecar, was)]);
    assert!(plan.changes.is_empty() && notes.is_empty());
}

const CONFIG: &str = "scrape_configs:\n- job_name: a\n";

fn config_map() -> ObjectRef {
    ObjectRef::new(Kind::ConfigMap, "mon", "prometheus")
}

fn text(seq: u32, part: Part, edits: &[TextEdit], before: &str, after: &str) -> [Entry; 2] {
    let mut it = intent(seq, part, config_map());
    it.item = None;
    it.text = Some(TextRecord::new("prometheus.yml", edits, before, after));
    wrote(it, "u")
}

fn config(text: &str) -> (ObjectRef, Value) {
    (
        config_map(),
        json!({"metadata": {"uid": "u"}, "data": {"prometheus.yml": text}}),
    )
}

#[test]
fn our_job_and_our_rule_are_taken_out() {
    let insert = TextEdit::InsertJob {
        name: "ours".into(),
        job: json!({"job_name": "ours", "scheme": "https"}),
    };
    let rule = json!({"action": "drop", "regex": "15020"});
    let add = TextEdit::AddRule {
        job: "a".into(),
        rule: rule.clone(),
    };
    let mut entries = vec![started()];
    entries.extend(text(0, Part::ScrapeJob, &[insert], CONFIG, "x"));
    entries.extend(text(1, Part::PlaintextJobs, &[add], "x", "y"));
    let now = "scrape_configs:\n- job_name: ours\n  scheme: https\n- job_name: a\n  relabel_configs:\n  - {action: drop, regex: '15020'}\n";
    let (plan, notes) = run(&entries, &[config(now)]);
    assert!(notes.is_empty(), "{notes:?}");
    let actions: Vec<&Action> = plan.changes.iter().map(|change| &change.action).collect();
    let key = "prometheus.yml".to_owned();
    assert_eq!(
        actions,
        [
            &Action::Text {
                key: key.clone(),
                edits: vec![TextEdit::RemoveRule {
                    job: "a".into(),
                    rule
                }]
            },
            &Action::Text {
                key,
                edits: vec![TextEdit::RemoveJob {
                    name: "ours".into()
                }]
            },
        ]
    );
    assert_ne!(plan.changes[0].id, plan.changes[1].id);
    assert_eq!(
        plan.changes[1].then,
        [Await::ConfigDropped {
            prometheus: prometheus(),
            job: "ours".into()
        }]
    );
    // Taken out by somebody already.
    let (plan, notes) = run(&entries, &[config(CONFIG)]);
    assert!(plan.changes.is_empty() && notes.is_empty());
    // Ours, edited by somebody: left alone.
    let (plan, notes) = run(
        &entries,
        &[config(
            "scrape_configs:\n- job_name: ours\n  scheme: http\n",
        )],
    );
    assert!(is_left_alone(&plan));
    assert!(matches!(notes[0].what, NoteKind::ChangedSince { .. }));
}

const RULES: &str = "scrape_configs:\n- job_name: a\n  relabel_configs:\n  - action: keep\n";

#[test]
fn names_are_taken_out_whatever_a_later_run_has_added() {
    let item = |name: &str| -> WorkloadRef { name.parse().expect("a workload") };
    let end = |names: &[&str]| TextEdit::EndPlaintext {
        job: "a".into(),
        items: names.iter().map(|name| item(name)).collect(),
    };
    let both = end(&["shop/Deployment/web", "shop/Deployment/cart"]);
    let now = crate::plan::scrape_config::apply(RULES, &[both]).expect("edited");
    let mut entries = vec![started()];
    let first = end(&["shop/Deployment/web"]);
    entries.extend(text(
        0,
        Part::PlaintextJobs,
        std::slice::from_ref(&first),
        RULES,
        "x",
    ));
    let (plan, notes) = run(&entries, &[config(&now)]);
    assert!(notes.is_empty(), "{notes:?}");
    let Action::Text { edits, .. } = &plan.changes[0].action else {
        panic!("{plan:?}")
    };
    let left = crate::plan::scrape_config::apply(&now, edits).expect("edited");
    let second = end(&["shop/Deployment/cart"]);
    assert_eq!(
        Ok(left),
        crate::plan::scrape_config::apply(RULES, &[second])
    );
}

#[test]
fn the_rule_of_an_earlier_version_comes_back_last_and_as_it_was_written() {
    let was = RULES.replace(
        "relabel_configs:\n",
        "relabel_configs:\n  - {regex: 'true', source_labels: [__meta_kubernetes_pod_annotationpresent_prometheus_istio_io_secure_port], action: drop}\n",
    );
    assert_ne!(was, RULES);
    let edits = [
        TextEdit::RemoveRule {
            job: "a".into(),
            rule: crate::mesh::ended::everything(),
        },
        TextEdit::EndPlaintext {
            job: "a".into(),
            items: vec!["shop/Deployment/web".parse().expect("a workload")],
        },
    ];
    let now = crate::plan::scrape_config::apply(&was, &edits).expect("edited");
    let mut entries = vec![started()];
    entries.extend(text(0, Part::ScrapeJob, &edits, &was, "x"));
    let (plan, notes) = run(&entries, &[config(&now)]);
    assert!(notes.is_empty(), "{notes:?}");
    let mut back = now;
    for change in &plan.changes {
        let Action::Text { edits, .. } = &change.action else {
            panic!("{plan:?}")
        };
        back = crate::plan::scrape_config::apply(&back, edits).expect("edited");
    }
    assert_eq!(back, was);
    assert!(matches!(
        &plan.changes.last().expect("changes").action,
        Action::Text { edits, .. } if matches!(edits[..], [TextEdit::RestoreRule { .. }])
    ));
}

#[test]
fn a_replaced_job_comes_back_as_it_was() {
    let before = "scrape_configs:\n- job_name: b\n  scheme: http\n- job_name: gone\n";
    let edits = [
        TextEdit::ReplaceJob {
            name: "b".into(),
            job: json!({"job_name": "b", "scheme": "https"}),
        },
        TextEdit::RemoveJob {
            name: "gone".into(),
        },
    ];
    let mut entries = vec![started()];
    entries.extend(text(0, Part::Fix, &edits, before, "x"));
    let (plan, notes) = run(
        &entries,
        &[config("scrape_configs:\n- job_name: b\n  scheme: https\n")],
    );
    assert!(notes.is_empty());
    let Action::Text { edits, .. } = &plan.changes[0].action else {
        panic!()
    };
    assert_eq!(
        edits[..],
        [
            TextEdit::InsertJob {
                name: "gone".into(),
                job: json!({"job_name": "gone"})
            },
            TextEdit::RestoreJob {
                name: "b".into(),
                text: "- job_name: b\n  scheme: http\n".into()
            },
        ]
    );
}

#[test]
fn the_reverse_of_need_and_a_single_restart() {
    let create = |seq, part, kind| {
        let mut it = intent(seq, part, ObjectRef::new(kind, "shop", "meshscrape-web"));
        it.uid = None;
        it
    };
    let insert = TextEdit::InsertJob {
        name: "ours".into(),
        job: json!({"job_name": "ours"}),
    };
    let mut annotation = intent(5, Part::Annotation, web());
    annotation.leaves = vec![leaf(label("a"), None, Some(json!("1")))];
    let mut pod = intent(1, Part::PrometheusPod, prometheus().object());
    pod.leaves = vec![leaf(label("a"), None, Some(json!("1")))];
    pod.item = None;
    let mut entries = vec![started()];
    entries.extend(text(0, Part::ScrapeJob, &[insert], CONFIG, "x"));
    entries.extend(wrote(pod, "u"));
    entries.extend(wrote(
        create(2, Part::Policy, Kind::PeerAuthentication),
        "p",
    ));
    entries.extend(wrote(
        create(3, Part::Policy, Kind::AuthorizationPolicy),
        "a",
    ));
    entries.extend(wrote(create(4, Part::Listener, Kind::Sidecar), "s"));
    entries.extend(wrote(annotation, "u"));

    let named = |kind| ObjectRef::new(kind, "shop", "meshscrape-web");
    let uid = |uid: &str| json!({"metadata": {"uid": uid}});
    let mut prom = deployment(json!({"a": "1"}));
    prom["spec"]["template"]["spec"] = json!({
        "containers": [{"name": "p", "args": ["--config.file=/c", "--storage.tsdb.path=/data"],
            "volumeMounts": [{"name": "d", "mountPath": "/data"}]}],
        "volumes": [{"name": "d", "emptyDir": {}}]});
    let (plan, notes) = run(
        &entries,
        &[
            (named(Kind::PeerAuthentication), uid("p")),
            (named(Kind::AuthorizationPolicy), uid("a")),
            (named(Kind::Sidecar), uid("s")),
            (web(), deployment(json!({"a": "1"}))),
            (prometheus().object(), prom),
            config("scrape_configs:\n- job_name: ours\n- job_name: a\n"),
        ],
    );
    assert!(notes.is_empty(), "{notes:?}");
    let order: Vec<String> = plan.changes.iter().map(|c| c.object.to_string()).collect();
    assert_eq!(
        order,
        [
            "Deployment shop/web",
            "Sidecar shop/meshscrape-web",
            "AuthorizationPolicy shop/meshscrape-web",
            "PeerAuthentication shop/meshscrape-web",
            "ConfigMap mon/prometheus",
            "Deployment mon/prometheus",
        ]
    );
    let [annotation, listener, rules, strict, job, pod] = &plan.changes[..] else {
        panic!()
    };
    assert_eq!(listener.needs, std::slice::from_ref(&annotation.id));
    assert_eq!(listener.before, [Await::TargetsGone(item())]);
    assert_eq!(rules.before, [Await::Settle(SETTLE)]);
    assert_eq!(rules.needs, std::slice::from_ref(&listener.id));
    assert_eq!(strict.needs, std::slice::from_ref(&listener.id));
    assert_eq!(job.needs, std::slice::from_ref(&annotation.id));
    assert_eq!(pod.needs, std::slice::from_ref(&job.id));
    // The job was written before the pod: there is no reloader, so the restart drops it.
    assert!(job.then.is_empty());
    assert_eq!(
        pod.then,
        [
            Await::Rollout(prometheus()),
            Await::ConfigDropped {
                prometheus: prometheus(),
                job: "ours".into()
            },
        ]
    );
    assert!(pod.impacts.contains(&Impact::LosesHistory {
        prometheus: prometheus()
    }));
}
