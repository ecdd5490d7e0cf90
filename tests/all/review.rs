//! The review against the simulated API server: what each kind of change is answered.

use jiff::Timestamp;
use meshscrape::cluster::Cluster;
use meshscrape::cluster::api::Write;
use meshscrape::demo::{Fault, RequestRecord, Simulation};
use meshscrape::engine::event::ReviewEvent;
use meshscrape::engine::review::review;
use meshscrape::mesh::kinds::MANAGER;
use meshscrape::mesh::kinds::{Kind, ObjectRef};
use meshscrape::plan::path::LeafPath;
use meshscrape::plan::record::{Entry, Intent};
use meshscrape::plan::review::{
    Hands, ItemState, PodVerdict, Review, Reviewed, RunId, Verdict, Word,
};
use meshscrape::plan::scrape_config::TextEdit;
use meshscrape::plan::{Action, Change, ChangeId, Expected, LeafEdit, Part, Plan, undo};
use meshscrape::problems::{Code, Problem};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

fn world() -> (Simulation, Cluster) {
    let simulation = Simulation::builtin();
    simulation.latency(false);
    let cluster = Cluster::new(simulation.client(), "demo");
    (simulation, cluster)
}

fn change(part: Part, object: ObjectRef, action: Action) -> Change {
    Change::new(
        object,
        part,
        action,
        meshscrape::plan::purpose::Purpose::SecureJob,
    )
}

async fn ask(cluster: &Cluster, changes: Vec<Change>) -> Review {
    let plan = Plan {
        changes,
        ..Plan::default()
    };
    let new = Review::new("demo", RunId("run-1".into()), plan);
    review(cluster, new, &|_| {}).await
}

/// Of a plan with one change.
async fn ask_one(cluster: &Cluster, change: Change) -> Arc<Reviewed> {
    let id = change.id.clone();
    Arc::clone(&ask(cluster, vec![change]).await.items[&id])
}

fn policy(namespace: &str) -> (ObjectRef, Value) {
    let object = ObjectRef::new(Kind::PeerAuthentication, namespace, "meshscrape-x");
    let intent = json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"name": "meshscrape-x", "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "meshscrape"}},
        "spec": {"selector": {"matchLabels": {"app": "x"}}, "portLevelMtls": {"15091": {"mode": "STRICT"}}},
    });
    (object, intent)
}

fn deployment(namespace: &str, name: &str, template: Value) -> Change {
    let object = ObjectRef::new(Kind::Deployment, namespace, name);
    let intent = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace}, "spec": {"template": template}});
    change(Part::Annotation, object, Action::Apply { intent })
}

fn annotation() -> Change {
    let annotations = json!({"prometheus.istio.io/secure-port": "15091"});
    deployment(
        "default",
        "httpbin",
        json!({"metadata": {"annotations": annotations}}),
    )
}

fn prometheus() -> ObjectRef {
    ObjectRef::new(Kind::ConfigMap, "istio-system", "prometheus")
}

fn text(part: Part, edits: Vec<TextEdit>) -> Change {
    let key = "prometheus.yml".into();
    change(part, prometheus(), Action::Text { key, edits })
}

fn insert() -> TextEdit {
    TextEdit::InsertJob {
        name: "ours".into(),
        job: json!({"job_name": "ours", "static_configs": [{"targets": ["localhost:1"]}]}),
    }
}

#[tokio::test]
async fn a_new_object_then_unchanged_on_a_second_run() {
    let (simulation, cluster) = world();
    let (object, intent) = policy("default");
    let it = change(Part::Policy, object.clone(), Action::Apply { intent });
    let new = ask_one(&cluster, it.clone()).await;
    assert_eq!(new.verdict, Verdict::New);
    let sent = new.intent.clone().unwrap();
    assert_eq!(
        sent["metadata"]["annotations"]["meshscrape.dev/run"],
        "run-1"
    );
    assert!(new.diff().added > 5 && new.diff().removed == 0);
    assert!(
        simulation
            .object("PeerAuthentication", "default", "meshscrape-x")
            .is_none()
    );

    cluster
        .apply(&object, &sent, Write::default())
        .await
        .unwrap();
    let plan = Plan {
        changes: vec![it],
        ..Plan::default()
    };
    let second = Review::new("demo", RunId("run-2".into()), plan);
    let second = review(&cluster, second, &|_| {}).await;
    let again = second.items.values().next().unwrap();
    assert_eq!(again.verdict, Verdict::Unchanged);
    assert!(again.diff().is_empty());
    assert!(second.approve(Word::default()).is_err());
}

#[tokio::test]
async fn a_mark_is_dry_run_as_a_pod_too_and_nothing_is_written() {
    let (simulation, cluster) = world();
    let before = simulation.object("Deployment", "default", "httpbin");
    let answer = ask_one(&cluster, annotation()).await;
    assert_eq!(answer.verdict, Verdict::Changes);
    assert!(
        matches!(
            &answer.pod,
            Some(PodVerdict::Admitted { sidecar: true, .. })
        ),
        "{:?}",
        answer.pod
    );
    let Some(PodVerdict::Admitted { findings, .. }) = &answer.pod else {
        panic!("{:?}", answer.pod);
    };
    let codes: Vec<&str> = findings.iter().map(|one| one.code().text()).collect();
    crate::absent(Code::PodsNotChecked, &codes.join(" "));
    let diff = answer.diff();
    assert!(
        diff.plain()
            .contains("+         prometheus.istio.io/secure-port: \"15091\""),
        "{}",
        diff.plain()
    );
    assert_eq!(diff.removed, 0);
    assert_eq!(
        simulation.object("Deployment", "default", "httpbin"),
        before
    );
}

#[tokio::test]
async fn a_pod_that_would_get_no_sidecar_is_a_blocker() {
    let (_simulation, cluster) = world();
    let annotations = json!({"prometheus.istio.io/secure-port": "15091"});
    let it = deployment(
        "warehouse",
        "stock",
        json!({"metadata": {"annotations": annotations}}),
    );
    let answer = ask_one(&cluster, it).await;
    let Some(PodVerdict::Unfit(why)) = &answer.pod else {
        panic!("{:?}", answer.pod);
    };
    assert_eq!(why.code(), Code::NoSidecarAdded);
}

#[tokio::test]
async fn no_permission_to_ask_for_a_pod_is_said_and_stops_nothing() {
    let (simulation, cluster) = world();
    simulation.deny("create", "", "pods", None);
    let answer = ask_one(&cluster, annotation()).await;
    assert_eq!(answer.verdict, Verdict::Changes);
    assert!(
        matches!(
            &answer.pod,
            Some(PodVerdict::Unknown(Problem::PodsNotChecked {
                denied: true,
                ..
            }))
        ),
        "{:?}",
        answer.pod
    );
}

#[tokio::test]
async fn a_conflict_names_field_owner_and_both_values() {
    let (simulation, cluster) = world();
    let mut object = simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    let inject = json!("false");
    object["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"] = inject.clone();
    object["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("managedFields");
    simulation.put(object);
    let labels = json!({"sidecar.istio.io/inject": "true"});
    let it = deployment(
        "default",
        "httpbin",
        json!({"metadata": {"labels": labels}}),
    );
    let review = ask(&cluster, vec![it.clone()]).await;
    let answer = &review.items[&it.id];
    assert_eq!(answer.verdict, Verdict::Changes, "{answer:?}");
    let [conflict] = &answer.conflicts[..] else {
        panic!("{:?}", answer.conflicts);
    };
    assert_eq!(
        conflict.field,
        ".spec.template.metadata.labels.sidecar.istio.io/inject"
    );
    assert_eq!(conflict.manager, "kubectl-client-side-apply");
    assert_eq!(conflict.hands, Hands::Person);
    assert_eq!(
        (conflict.theirs.clone(), conflict.ours.clone()),
        (Some(inject), Some(json!("true")))
    );
    assert_eq!((answer.diff().added, answer.diff().removed), (1, 1));
    assert_eq!(review.state(&it.id), Some(ItemState::Ready));
}

#[tokio::test]
async fn what_an_earlier_run_set_does_not_fall_out() {
    let (_simulation, cluster) = world();
    let labels = json!({"sidecar.istio.io/inject": "true"});
    let first = deployment(
        "default",
        "httpbin",
        json!({"metadata": {"labels": labels}}),
    );
    let Action::Apply { intent } = &first.action else {
        unreachable!()
    };
    cluster
        .apply(
            &first.object,
            intent,
            Write {
                dry_run: false,
                force: true,
            },
        )
        .await
        .unwrap();
    let answer = ask_one(&cluster, annotation()).await;
    let sent = answer.intent.as_ref().unwrap();
    assert_eq!(
        sent["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"],
        "true"
    );
    assert_eq!(answer.diff().removed, 0, "{}", answer.diff().plain());
}

#[tokio::test]
async fn texts_of_one_config_map_are_asked_in_sequence() {
    let (_simulation, cluster) = world();
    let rule = json!({"action": "drop", "regex": ".+", "source_labels": ["__meta_x"]});
    let add = TextEdit::AddRule {
        job: "kubernetes-pods".into(),
        rule,
    };
    let changes = vec![
        text(Part::ScrapeJob, vec![insert()]),
        text(Part::PlaintextJobs, vec![add]),
    ];
    let ids: Vec<ChangeId> = changes.iter().map(|change| change.id.clone()).collect();
    let review = ask(&cluster, changes).await;
    let (job, rule) = (&review.items[&ids[0]], &review.items[&ids[1]]);
    assert_eq!(
        (&job.verdict, &rule.verdict),
        (&Verdict::Changes, &Verdict::Changes)
    );
    let of = |value: &Option<Arc<Value>>| value.as_ref().unwrap()["data"]["prometheus.yml"].clone();
    assert_eq!(of(&job.after), of(&rule.live));
    assert!(
        job.diff().plain().contains("+     - job_name: ours"),
        "{}",
        job.diff().plain()
    );
    assert!(!rule.diff().plain().contains("+     - job_name: ours"));
    assert_eq!(job.conflicts[0].hands, Hands::Person);
    assert!(review.approve(Word::default()).is_ok());
}

#[tokio::test]
async fn a_gate_that_refuses_shows_what_to_paste() {
    let (simulation, cluster) = world();
    let mut map = simulation
        .object("ConfigMap", "istio-system", "prometheus")
        .unwrap();
    map["data"]["prometheus.yml"] = json!("scrape_configs:\n\t- broken");
    map["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("managedFields");
    simulation.put(map);
    let answer = ask_one(&cluster, text(Part::ScrapeJob, vec![insert()])).await;
    assert!(
        matches!(&answer.verdict, Verdict::Gate { paste, .. } if paste.contains("ours")),
        "{:?}",
        answer.verdict
    );
}

#[tokio::test]
async fn single_leaves_are_edited_with_their_owners_named() {
    let (_simulation, cluster) = world();
    let object = ObjectRef::new(Kind::Deployment, "default", "httpbin");
    let path = LeafPath::fields(["spec", "template", "metadata", "labels", "version"]);
    let edit = |expect, to: Option<Value>| {
        let leaves = vec![LeafEdit {
            path: path.clone(),
            expect,
            to,
        }];
        change(Part::Fix, object.clone(), Action::Edit { leaves })
    };
    let live = cluster.get(&object).await.unwrap().unwrap();
    let now = path.get(&live).cloned().unwrap();
    let annotation = LeafPath::fields(["metadata", "annotations", "a"]);
    let add = vec![LeafEdit {
        path: annotation,
        expect: Expected::Absent,
        to: Some(json!("1")),
    }];
    let answer = ask_one(
        &cluster,
        change(Part::Fix, object.clone(), Action::Edit { leaves: add }),
    )
    .await;
    assert_eq!(answer.verdict, Verdict::Changes, "{answer:?}");
    assert!(answer.conflicts.is_empty() && answer.pod.is_none());

    let answer = ask_one(&cluster, edit(Expected::Value(json!("else")), None)).await;
    assert!(
        matches!(&answer.verdict, Verdict::Refused(words) if words.contains("version")),
        "{answer:?}"
    );

    let answer = ask_one(&cluster, edit(Expected::Any, Some(now))).await;
    assert_eq!(answer.verdict, Verdict::Unchanged);
}

#[tokio::test]
async fn deletes_hold_only_for_the_object_that_was_meant() {
    let (simulation, cluster) = world();
    let object = ObjectRef::new(Kind::Service, "default", "httpbin");
    let delete = |uid: &str| {
        change(
            Part::Fix,
            object.clone(),
            Action::Delete { uid: uid.into() },
        )
    };
    let live = simulation.object("Service", "default", "httpbin").unwrap();
    let uid = live["metadata"]["uid"].as_str().unwrap();
    let answer = ask_one(&cluster, delete(uid)).await;
    assert_eq!(answer.verdict, Verdict::Deletes, "{answer:?}");
    assert!(answer.diff().removed > 3 && answer.diff().added == 0);
    assert!(simulation.object("Service", "default", "httpbin").is_some());

    let other = ask_one(&cluster, delete("someone-else")).await;
    assert_eq!(other.verdict, Verdict::Unchanged);
    assert_eq!(other.warnings.len(), 1);

    simulation.remove("Service", "default", "httpbin");
    assert_eq!(
        ask_one(&cluster, delete(uid)).await.verdict,
        Verdict::Unchanged
    );
}

#[tokio::test]
async fn a_controllers_object_and_text_are_taken_only_by_name() {
    let (simulation, cluster) = world();
    let (object, mut intent) = policy("default");
    intent["metadata"]["labels"] = json!({});
    let path = format!("{}?fieldManager=helm&force=true", object.path());
    let request = http::Request::patch(path)
        .header("Content-Type", "application/apply-patch+yaml")
        .body(serde_json::to_vec(&intent).unwrap())
        .unwrap();
    let made: Value = simulation.client().request(request).await.unwrap();
    let uid = made["metadata"]["uid"].as_str().unwrap().to_owned();
    let delete = change(Part::Fix, object.clone(), Action::Delete { uid });
    let mut review = ask(&cluster, vec![delete.clone()]).await;
    let helm = vec!["helm".to_owned()];
    assert_eq!(
        review.state(&delete.id),
        Some(ItemState::Conflict(helm.clone()))
    );
    review.take("helm");
    assert_eq!(review.state(&delete.id), Some(ItemState::Ready));

    intent["spec"]["portLevelMtls"]["15091"]["mode"] = json!("DISABLE");
    let other = change(Part::Policy, object, Action::Apply { intent });
    let review = ask(&cluster, vec![other.clone()]).await;
    assert_eq!(review.state(&other.id), Some(ItemState::Conflict(helm)));
    let conflict = &review.items[&other.id].conflicts[0];
    assert_eq!(
        (conflict.theirs.clone(), conflict.ours.clone()),
        (Some(json!("STRICT")), Some(json!("DISABLE")))
    );
}

#[tokio::test]
async fn a_missing_namespace_is_refused_or_awaited() {
    let (_simulation, cluster) = world();
    let (object, intent) = policy("nowhere");
    let it = change(Part::Policy, object, Action::Apply { intent });
    let alone = ask_one(&cluster, it.clone()).await;
    assert!(
        matches!(&alone.verdict, Verdict::Refused(words) if words.contains("nowhere")),
        "{alone:?}"
    );

    let namespace = change(
        Part::Injection,
        ObjectRef::new(Kind::Namespace, "", "nowhere"),
        Action::Apply {
            intent: json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "nowhere"}}),
        },
    );
    let review = ask(&cluster, vec![namespace, it.clone()]).await;
    assert!(matches!(
        review.state(&it.id),
        Some(ItemState::Unverified(_))
    ));
    assert!(review.items[&it.id].diff().added > 0);
    assert_eq!(review.counts().new, 2);
}

#[tokio::test]
async fn no_permission_fails_that_change_alone() {
    let (simulation, cluster) = world();
    simulation.deny("patch", "security.istio.io", "peerauthentications", None);
    let (object, intent) = policy("default");
    let it = change(Part::Policy, object, Action::Apply { intent });
    let review = ask(&cluster, vec![it.clone(), annotation()]).await;
    assert!(
        matches!(review.state(&it.id), Some(ItemState::Failed(_))),
        "{:?}",
        review.items[&it.id]
    );
    assert_eq!(review.items[&annotation().id].verdict, Verdict::Changes);
}

#[tokio::test]
async fn a_cut_connection_is_a_verdict_and_every_answer_is_reported() {
    let (simulation, cluster) = world();
    simulation.fault(Box::new(|request: &RequestRecord| {
        (request.method == "PATCH" && request.path.contains("httpbin")).then_some(Fault::Cut)
    }));
    let (object, intent) = policy("default");
    let plan = Plan {
        changes: vec![
            annotation(),
            change(Part::Policy, object, Action::Apply { intent }),
        ],
        ..Plan::default()
    };
    let heard = Mutex::new((0, false));
    let new = Review::new("demo", RunId("r".into()), plan);
    let review = review(&cluster, new, &|event| {
        let mut heard = heard.lock().unwrap();
        match event {
            ReviewEvent::Asked(_) => heard.0 += 1,
            ReviewEvent::Done => heard.1 = true,
        }
    })
    .await;
    assert_eq!(*heard.lock().unwrap(), (2, true));
    assert_eq!(review.pending(), 0);
    assert!(matches!(
        review.items[&annotation().id].verdict,
        Verdict::Failed(_)
    ));
}

#[tokio::test]
async fn a_race_with_a_status_update_is_asked_again() {
    let (simulation, cluster) = world();
    let object = ObjectRef::new(Kind::Deployment, "default", "httpbin");
    // Between the first read and the first patch somebody writes.
    let raced = Mutex::new(false);
    let writer = simulation.clone();
    simulation.fault(Box::new(move |request: &RequestRecord| {
        if request.method == "PATCH" && !std::mem::replace(&mut *raced.lock().unwrap(), true) {
            let mut live = writer.object("Deployment", "default", "httpbin").unwrap();
            live["metadata"]
                .as_object_mut()
                .unwrap()
                .remove("managedFields");
            live["metadata"]["annotations"]["raced"] = json!("yes");
            writer.put(live);
        }
        None
    }));
    let path = LeafPath::fields(["metadata", "annotations", "a"]);
    let leaves = vec![LeafEdit {
        path,
        expect: Expected::Absent,
        to: Some(json!("1")),
    }];
    let answer = ask_one(&cluster, change(Part::Fix, object, Action::Edit { leaves })).await;
    assert_eq!(answer.verdict, Verdict::Changes, "{answer:?}");
    assert_eq!(
        answer.live.as_ref().unwrap()["metadata"]["annotations"]["raced"],
        "yes"
    );
}

#[tokio::test]
async fn an_undo_goes_the_same_road() {
    let (simulation, cluster) = world();
    let before = simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    let answer = ask_one(&cluster, annotation()).await;
    let object = answer.change.object.clone();
    let leaves = meshscrape::plan::leaves::leaves(answer.live.as_deref(), answer.after.as_deref());
    assert!(!leaves.is_empty());
    cluster
        .apply(&object, answer.intent.as_ref().unwrap(), Write::default())
        .await
        .unwrap();

    let at: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
    let started = Entry::Started {
        version: 1,
        run: "r".into(),
        at,
        context: "demo".into(),
        cluster: None,
        undoes: None,
        prometheus: None,
        answers: None,
        by: None,
    };
    let intent = Entry::Intent(Box::new(Intent {
        run: "r".into(),
        seq: 0,
        at,
        change: answer.change.id.clone(),
        part: Part::Annotation,
        object: object.clone(),
        item: None,
        uid: before["metadata"]["uid"].as_str().map(str::to_owned),
        leaves,
        text: None,
        deleted: None,
        taken: Vec::new(),
    }));
    let live = cluster.get(&object).await.unwrap().map(Arc::new);
    let (plan, notes) = undo::undo(&[started, intent], &|_| live.clone()).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    let back = ask(&cluster, plan.changes).await;
    let reviewed = back.items.values().next().unwrap();
    assert_eq!(reviewed.verdict, Verdict::Changes, "{reviewed:?}");
    assert!(reviewed.conflicts.is_empty());
    let spec = |value: &Value| value["spec"]["template"].clone();
    assert_eq!(spec(reviewed.after.as_deref().unwrap()), spec(&before));
    let managers = &reviewed.after.as_ref().unwrap()["metadata"]["managedFields"];
    let ours: Vec<&Value> = managers
        .as_array()
        .unwrap()
        .iter()
        .filter(|m| m["manager"] == MANAGER)
        .collect();
    assert!(
        ours.iter().all(|m| !m.to_string().contains("secure-port")),
        "{ours:?}"
    );
}
