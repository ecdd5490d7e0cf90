use super::*;
use crate::mesh::kinds::Kind;
use crate::plan::Part;
use crate::plan::review::{Conflict, Hands, Verdict};
use serde_json::json;

fn annotated() -> Reviewed {
    let object = ObjectRef::new(Kind::Deployment, "shop", "cart");
    Reviewed {
        change: Change::new(
            object,
            Part::Annotation,
            Action::Apply { intent: json!({}) },
            crate::plan::purpose::Purpose::SecureJob,
        ),
        live: None,
        after: None,
        verdict: Verdict::Changes,
        conflicts: Vec::new(),
        warnings: Vec::new(),
        pod: None,
        rollout_problems: Vec::new(),
        intent: None,
    }
}

#[test]
fn force_is_for_exactly_the_approved_conflicts() {
    let conflict = |manager: &str, field: &str| crate::cluster::error::FieldConflict {
        manager: manager.into(),
        field: field.into(),
    };
    let error = |conflicts| ApiError {
        method: "PATCH".into(),
        path: "/x".into(),
        reason: Reason::FieldConflict,
        message: String::new(),
        conflicts,
        without_namespace: false,
        retry_after: None,
    };
    let mut approved = annotated();
    approved.conflicts = vec![Conflict {
        manager: "kubectl".into(),
        field: ".spec.a".into(),
        theirs: None,
        ours: None,
        hands: Hands::Person,
    }];
    let object = approved.change.object.clone();
    let check = |conflicts| as_approved(&object, &error(conflicts), &approved);
    assert!(check(vec![conflict("kubectl", ".spec.a")]).is_ok());
    for other in [
        vec![conflict("helm", ".spec.a")],
        vec![conflict("kubectl", ".spec.b")],
        vec![conflict("kubectl", ".spec.a"), conflict("helm", ".spec.b")],
    ] {
        let now: Vec<String> = other
            .iter()
            .map(|now| say::now_belongs_to(&now.field, &now.manager))
            .collect();
        let refusal = check(other).unwrap_err();
        assert_eq!(refusal.kind, crate::error::Kind::Refused);
        assert!(now.contains(&refusal.causes[0]), "{refusal}");
    }
}
