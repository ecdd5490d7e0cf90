use super::*;
use crate::mesh::kinds::ObjectRef;
use crate::plan::Change;
use crate::problems::tests::absent;
use crate::problems::{Code, Subject};

fn change(kind: Kind, part: Part, intent: Value) -> Change {
    let item = WorkloadRef::new("shop", Kind::Deployment, "web");
    Change {
        item: Some(item),
        ..Change::new(
            ObjectRef::new(kind, "shop", "web"),
            part,
            Action::Apply { intent },
            crate::plan::purpose::Purpose::SecureJob,
        )
    }
}

/// What is known of a plan that opens 15091 for 15020 of a Deployment, and of its annotation.
fn annotation() -> (Reviewed, Known) {
    let ingress = json!([{"port": {"number": 15091}, "defaultEndpoint": "127.0.0.1:15020"}]);
    let sidecar = json!({"spec": {"ingress": ingress}});
    let annotation = change(Kind::Deployment, Part::Annotation, json!({}));
    let plan = Plan {
        changes: vec![
            change(Kind::Sidecar, Part::Listener, sidecar),
            annotation.clone(),
        ],
        ..Plan::default()
    };
    let reviewed = Reviewed {
        change: annotation,
        live: None,
        after: None,
        verdict: Verdict::Changes,
        conflicts: Vec::new(),
        warnings: Vec::new(),
        pod: None,
        rollout_problems: Vec::new(),
        intent: None,
    };
    (reviewed, Known::of(&plan))
}

fn answered(annotations: Value, captured: &str) -> Value {
    json!({"metadata": {"annotations": annotations}, "spec": {
        "initContainers": [{"name": "istio-init", "args": ["-b", captured]}],
        "containers": [{"name": "istio-proxy", "image": "proxyv2"}],
    }})
}

#[test]
fn a_pod_that_admission_takes_may_still_be_in_vain() {
    let (annotation, known) = annotation();
    let of = |pod: Value| unfit(&annotation, &pod, &known);
    absent(Code::NoSidecarAdded, of(answered(json!({}), "*")));
    absent(Code::PortNeverReached, of(answered(json!({}), "15091")));
    let at = |port: &str| json!({"status.sidecar.istio.io/port": port});
    absent(Code::PortLeadsNowhere, of(answered(at("15020"), "*")));
    let web = || Subject::new("Deployment", "shop", "web");
    assert_eq!(
        of(json!({"spec": {"containers": [{"name": "web"}]}})),
        Some(Problem::NoSidecarAdded { of: web() })
    );
    for serves in [0, 15025] {
        let annotations = json!({"status.sidecar.istio.io/port": serves.to_string()});
        assert_eq!(
            of(answered(annotations, "*")),
            Some(Problem::PortLeadsNowhere { of: web(), serves })
        );
    }
    let found = of(answered(json!({}), "8080")).expect("not captured");
    assert_eq!(found.code(), Code::PortNeverReached);
}

#[test]
fn of_a_namespace_that_gets_its_label_first_nothing_is_known_yet() {
    let (annotation, mut known) = annotation();
    let answer = |body| Answer {
        body,
        warnings: Vec::new(),
    };
    let bare = json!({"spec": {"containers": [{"name": "web"}]}});
    absent(
        Code::SidecarNotChecked,
        findings(&annotation, &answer(bare.clone()), &known),
    );
    known.created.insert("shop".into());
    assert_eq!(unfit(&annotation, &bare, &known), None);
    let found = findings(&annotation, &answer(bare), &known);
    let codes: Vec<Code> = found.iter().map(Problem::code).collect();
    assert_eq!(codes, [Code::SidecarNotChecked]);
    assert_eq!(
        findings(&annotation, &answer(answered(json!({}), "*")), &known),
        []
    );
}
