use super::*;
use crate::mesh::SidecarState;
use crate::plan::review::PodVerdict;
use crate::problems::Problem;

fn with_outside() -> Mesh {
    let outside = |name: &str, sidecar| Workload {
        sidecar,
        ..workload("shop", name)
    };
    mesh(vec![
        workload("shop", "cart"),
        outside("legacy", SidecarState::Switchable { revision: None }),
        outside("stock", SidecarState::AfterRestart),
    ])
}

/// In the step Workloads, with the namespace chosen and the cursor on its head.
fn among(mesh: Mesh) -> State {
    let mut state = started(mesh);
    keys(&mut state, "enter enter down space enter");
    assert_eq!(state.step, Step::Workloads);
    state
}

#[test]
fn all_takes_what_is_in_the_mesh_and_names_the_rest() {
    for key in ["a", "space"] {
        let mut state = among(with_outside());
        keys(&mut state, key);
        assert_eq!(
            state.answers.workloads,
            [id("shop", "cart")].into(),
            "{key}"
        );
        let said = state.notice.clone().unwrap().text;
        assert!(said.contains("legacy") && said.contains("stock"), "{said}");
        // A second time it lets go of them again.
        keys(&mut state, key);
        assert!(state.answers.workloads.is_empty(), "{key}");
    }
}

#[test]
fn a_first_sidecar_by_hand_is_asked_for() {
    let mut state = among(with_outside());
    keys(&mut state, "down down");
    assert_eq!(under_cursor(&state), "legacy");
    keys(&mut state, "space");
    let dialog = state.dialog.clone().unwrap();
    assert_eq!(dialog.kind, DialogKind::FirstSidecar(id("shop", "legacy")));
    assert_eq!(dialog.buttons[dialog.focus].answer, Answer::Cancel);
    keys(&mut state, "enter");
    assert!(state.answers.workloads.is_empty());
    keys(&mut state, "space tab enter");
    assert_eq!(state.answers.workloads, [id("shop", "legacy")].into());
    assert!(state.answers.may_inject(&id("shop", "legacy")));
    assert!(!state.answers.may_inject(&id("shop", "stock")));
    // Let go of, it is asked again.
    keys(&mut state, "space space");
    assert!(state.dialog.is_some());
    assert!(state.answers.first_sidecar.is_empty());
}

#[test]
fn the_flag_lets_all_of_them_in() {
    let mut state = among(with_outside());
    state.answers.options.inject = true;
    keys(&mut state, "a");
    assert_eq!(state.answers.workloads.len(), 3);
    assert!(state.dialog.is_none());
}

#[test]
fn restarting_pods_that_nobody_could_check_takes_a_second_yes() {
    let unasked = |change: &Change| {
        let mut reviewed = Reviewed::clone(&reviewed(change, Verdict::Changes));
        if change.part == Part::Annotation {
            reviewed.pod = Some(PodVerdict::Unknown(Problem::PodsNotChecked {
                of: (&reviewed.change.object).into(),
                why: "no permission".into(),
                denied: true,
            }));
        }
        Arc::new(reviewed)
    };
    let mut state = in_review(plan(), unasked);
    assert!(keys(&mut state, "enter tab enter").is_empty());
    let dialog = state.dialog.clone().unwrap();
    assert_eq!(dialog.kind, DialogKind::ConfirmUnchecked);
    assert_eq!(dialog.buttons[dialog.focus].answer, Answer::Cancel);
    let effects = keys(&mut state, "tab enter");
    assert!(matches!(effects[..], [Effect::Apply { .. }]));
}
