use super::*;
use crate::answers::Pace;
use crate::wizard::state::OptionRow;

const ROW: &str = say::ROW_ROLLOUT;

fn pace_row(state: &State) -> &OptionRow {
    let rows = &state.options.rows.rows;
    rows.iter().find(|row| row.label == ROW).expect(ROW)
}

/// In the options of two workloads, with the cursor on the pace.
fn at_pace() -> State {
    let mut state = started(shop());
    keys(
        &mut state,
        "enter enter down down down space enter a enter enter",
    );
    assert_eq!(state.step, Step::Options);
    tell_plan(&mut state, plan());
    let rows = &state.options.rows.rows;
    let at = rows.iter().position(|row| row.label == ROW).unwrap();
    for _ in 0..at {
        keys(&mut state, "down");
    }
    state
}

#[test]
fn one_by_one_is_the_pace_until_another_is_chosen_and_each_says_its_impact() {
    let mut state = at_pace();
    let row = pace_row(&state).clone();
    let chosen: Vec<bool> = row.choices.iter().map(|cell| cell.chosen).collect();
    assert_eq!(chosen, [true, false, false]);
    assert_eq!(row.choices[0].impact, say::rollouts_one_by_one(2));
    assert_eq!(row.choices[1].impact, say::rollouts_with_canary(2));
    assert_eq!(row.choices[2].impact, say::restart_in_parallel(2));
    assert_eq!(row.choices[2].risk, say::SHARED_FAULT);

    keys(&mut state, "right space");
    assert_eq!(state.effective().options.pace, Pace::Canary);
    keys(&mut state, "right space");
    assert_eq!(state.effective().options.pace, Pace::All);
    assert!(pace_row(&state).choices[2].chosen);
    assert!(!pace_row(&state).choices[0].chosen);
}

#[test]
fn another_pace_asks_for_no_new_plan_and_is_in_the_saved_answers() {
    let mut state = at_pace();
    assert!(keys(&mut state, "right space").is_empty());
    assert!(matches!(state.options.planned, Some(Ok(_))));
    keys(&mut state, "enter s");
    let effects = keys(&mut state, "enter");
    let [Effect::SaveAnswers { answers, .. }] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert!(
        answers.to_yaml().contains("pace: canary"),
        "{}",
        answers.to_yaml()
    );
}

#[test]
fn marks_on_running_pods_restart_nothing_and_a_single_workload_has_no_pace() {
    let mut state = at_pace();
    state.answers.options.annotate = Annotate::Pods;
    state.derive_options();
    let row = pace_row(&state);
    assert_eq!(row.choices[0].impact, "");
    assert_eq!(row.choices[2].impact, "");
    assert_eq!(row.choices[1].impact, say::UP_AFTER_EACH_WORKLOAD);

    let mut one = started(shop());
    keys(
        &mut one,
        "enter enter down down down space enter down space enter enter",
    );
    assert_eq!(one.step, Step::Options);
    assert!(one.options.rows.rows.iter().all(|row| row.label != ROW));
}

#[test]
fn the_question_before_writing_and_the_writing_have_the_pace() {
    let mut plan = plan();
    let mut other = change(Kind::Deployment, "catalog", Part::Annotation, &[]);
    other.impacts.push(Impact::Restarts {
        workload: id("shop", "catalog"),
        pods: 1,
    });
    plan.changes.push(other);
    let mut state = in_review(plan, |c| reviewed(c, Verdict::New));
    state.answers.options.pace = Pace::All;
    keys(&mut state, "enter");
    let dialog = state.dialog.clone().unwrap();
    assert_eq!(dialog.lines[0], say::pods_restart_in_parallel(3));
    let effects = keys(&mut state, "tab enter");
    assert!(
        matches!(&effects[..], [Effect::Apply { answers, .. }] if answers.options.pace == Pace::All),
        "{effects:?}"
    );
}
