use super::*;
use crate::mesh::kinds::Kind;
use crate::plan::review::Verdict;
use crate::plan::{Change, Part};
use serde_json::json;
use std::sync::Arc;

fn change(action: Action) -> Change {
    let object = ObjectRef::new(Kind::Deployment, "shop", "cart");
    Change::new(
        object,
        Part::Annotation,
        action,
        crate::plan::purpose::Purpose::SecureJob,
    )
}

fn reviewed(action: Action, live: Option<Value>, after: Option<Value>) -> Reviewed {
    Reviewed {
        change: change(action),
        live: live.map(Arc::new),
        after: after.map(Arc::new),
        verdict: Verdict::Changes,
        conflicts: Vec::new(),
        warnings: Vec::new(),
        pod: None,
        rollout_problems: Vec::new(),
        intent: None,
    }
}

fn deployment(version: &str, annotations: Value, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop", "uid": "u1", "resourceVersion": version},
        "spec": {"template": {
            "metadata": {"annotations": annotations},
            "spec": {"containers": [{"name": "app", "image": image}]},
        }},
    })
}

fn annotation() -> Reviewed {
    let intent = json!({"spec": {"template": {"metadata": {"annotations": {"port": "15091"}}}}});
    reviewed(
        Action::Apply { intent },
        Some(deployment("1", json!({"a": "1"}), "v1")),
        Some(deployment("1", json!({"a": "1", "port": "15091"}), "v1")),
    )
}

#[test]
fn what_others_change_elsewhere_is_no_drift() {
    let same = deployment("1", json!({"a": "1"}), "v1");
    assert_eq!(compare(&annotation(), Some(&same)), Compared::AsReviewed);
    // Another version, and another image that this change does not touch.
    let elsewhere = deployment("2", json!({"a": "1"}), "v2");
    assert_eq!(
        compare(&annotation(), Some(&elsewhere)),
        Compared::AsReviewed
    );
}

#[test]
fn a_leaf_of_ours_that_moved_is_drift() {
    let moved = deployment("2", json!({"a": "1", "port": "15020"}), "v1");
    let Compared::Drift(why) = compare(&annotation(), Some(&moved)) else {
        panic!("no drift");
    };
    let then = deployment("1", json!({"a": "1"}), "v1");
    let all = leaves(Some(&then), Some(&moved));
    let mut paths = all.iter().map(|leaf| &leaf.path);
    let port = paths.find(|path| path.to_string().contains("port"));
    let port = port.expect("it moved");
    assert_eq!(why, say::field_changed(port, say::ABSENT, "\"15020\""));
}

#[test]
fn what_is_there_already_is_not_written_again() {
    let there = deployment("2", json!({"a": "1", "port": "15091"}), "v2");
    assert_eq!(compare(&annotation(), Some(&there)), Compared::Already);
}

#[test]
fn an_object_of_the_same_name_is_another_object() {
    let mut anew = deployment("9", json!({"a": "1"}), "v1");
    anew["metadata"]["uid"] = json!("u2");
    assert!(matches!(
        compare(&annotation(), Some(&anew)),
        Compared::Drift(_)
    ));
    assert!(matches!(compare(&annotation(), None), Compared::Drift(_)));
}

#[test]
fn a_new_object_must_still_be_missing() {
    let intent = json!({"spec": {"action": "DENY"}});
    let new = reviewed(Action::Apply { intent }, None, None);
    assert_eq!(compare(&new, None), Compared::AsReviewed);
    let foreign = json!({"metadata": {"uid": "u"}, "spec": {"action": "ALLOW"}});
    assert!(matches!(compare(&new, Some(&foreign)), Compared::Drift(_)));
    let ours = json!({"metadata": {"uid": "u"}, "spec": {"action": "DENY", "more": 1}});
    assert_eq!(compare(&new, Some(&ours)), Compared::Already);
}

#[test]
fn text_is_compared_by_its_key_alone() {
    let map = |version: &str, text: &str, other: &str| {
        json!({"metadata": {"uid": "u", "resourceVersion": version},
            "data": {"prometheus.yml": text, "other": other}})
    };
    let edit = Action::Text {
        key: "prometheus.yml".into(),
        edits: Vec::new(),
    };
    let text = reviewed(edit, Some(map("1", "old", "x")), Some(map("1", "new", "x")));
    let elsewhere = map("2", "old", "y");
    assert_eq!(compare(&text, Some(&elsewhere)), Compared::AsReviewed);
    let done = map("2", "new", "y");
    assert_eq!(compare(&text, Some(&done)), Compared::Already);
    // Also under the version that was reviewed: it may be of a text before an earlier edit.
    let unedited = map("1", "older", "x");
    assert!(matches!(
        compare(&text, Some(&unedited)),
        Compared::Drift(_)
    ));
    let moved = map("2", "older", "x");
    assert!(matches!(compare(&text, Some(&moved)), Compared::Drift(_)));
}

#[test]
fn a_delete_wants_the_whole_object_as_it_was() {
    let live = json!({"metadata": {"uid": "u", "resourceVersion": "1"}, "spec": {"a": 1}});
    let delete = reviewed(Action::Delete { uid: "u".into() }, Some(live.clone()), None);
    assert_eq!(compare(&delete, Some(&live)), Compared::AsReviewed);
    assert_eq!(compare(&delete, None), Compared::Already);
    let moved = json!({"metadata": {"uid": "u", "resourceVersion": "2"}, "spec": {"a": 2}});
    assert!(matches!(compare(&delete, Some(&moved)), Compared::Drift(_)));
    let touched = json!({"metadata": {"uid": "u", "resourceVersion": "2"}, "spec": {"a": 1}, "status": {"x": 1}});
    assert_eq!(compare(&delete, Some(&touched)), Compared::AsReviewed);
}

#[test]
fn lists_hold_their_elements_in_any_company() {
    let live = json!({"a": [{"name": "x", "b": 1}, {"name": "y"}], "c": {"d": 1}});
    assert!(holds(&live, &json!({"a": [{"name": "y"}]})));
    assert!(holds(&live, &json!({"a": [{"name": "x"}], "e": {}})));
    assert!(!holds(&live, &json!({"a": [{"name": "z"}]})));
    assert!(!holds(&live, &json!({"c": {"d": 2}})));
    assert!(!holds(&live, &json!({"e": 1})));
}
