use super::*;

#[test]
fn a_failure_asks_and_the_answer_goes_to_the_engine() {
    for (presses, decision) in [
        ("r", Decision::Retry),
        ("u", Decision::Undo),
        ("tab tab enter", Decision::LeaveOut),
        ("tab tab tab tab enter", Decision::Stop),
    ] {
        let mut state = applying();
        let id = state.apply.rows.rows[1].id.clone();
        let failed = ApplyEvent::Stopped {
            id,
            error: Error::new("the server says no"),
        };
        update(&mut state, Msg::Apply(failed));
        let dialog = state.dialog.clone().unwrap();
        assert_eq!(dialog.buttons[dialog.focus].answer, Answer::Cancel);
        // A reflex of enter decides nothing; the decision can be called back.
        assert!(keys(&mut state, "enter").is_empty());
        assert!(state.dialog.is_none() && state.apply.stopped.is_some());
        keys(&mut state, "enter");
        let effects = keys(&mut state, presses);
        assert!(
            matches!(&effects[..], [Effect::Decide(d)] if *d == decision),
            "{presses}: {effects:?}"
        );
        assert!(state.dialog.is_none() && state.apply.stopped.is_none());
    }
}

#[test]
fn quitting_while_writing_asks_and_then_waits_for_the_write() {
    let mut state = applying();
    assert!(keys(&mut state, "q").is_empty());
    let dialog = state.dialog.clone().unwrap();
    assert_eq!(dialog.kind, DialogKind::QuitApplying);
    assert_eq!(dialog.buttons[dialog.focus].answer, Answer::Cancel);
    let effects = keys(&mut state, "tab enter");
    assert!(matches!(effects[..], [Effect::StopApply]));
    assert!(!state.leaving, "the write under way goes on");
    let outcome = Outcome {
        ended: Ended::PartWay(None),
        ..Outcome::default()
    };
    let effects = update(&mut state, Msg::Apply(ApplyEvent::Finished(outcome)));
    assert!(matches!(effects[..], [Effect::Quit]));
}

#[test]
fn ctrl_c_stops_the_writing_first_and_only_then_the_program() {
    let mut state = applying();
    let effects = key(&mut state, Key::Ctrl('c'));
    assert!(matches!(effects[..], [Effect::StopApply]));
    assert!(!state.leaving);
    assert!(key(&mut state, Key::Ctrl('c')).is_empty());
    let written = state.apply.rows.rows[0].id.clone();
    let outcome = Outcome {
        written: vec![written.clone()],
        not_written: vec![state.apply.rows.rows[1].id.clone()],
        ended: Ended::PartWay(None),
        ..Outcome::default()
    };
    update(&mut state, Msg::Apply(ApplyEvent::Finished(outcome)));
    assert!(!state.leaving);
    let said = state.apply.summary.join("\n");
    assert!(
        said.contains(&written.0) && said.contains("Not written"),
        "{said}"
    );
    assert!(matches!(
        key(&mut state, Key::Ctrl('c'))[..],
        [Effect::Quit]
    ));
}

#[test]
fn a_terminating_signal_ends_the_program_after_the_write() {
    let mut state = applying();
    assert!(matches!(
        update(&mut state, Msg::Interrupt)[..],
        [Effect::StopApply]
    ));
    let effects = update(
        &mut state,
        Msg::Apply(ApplyEvent::Finished(Outcome::default())),
    );
    assert!(matches!(effects[..], [Effect::Quit]));
}

#[test]
fn while_writing_no_step_is_left() {
    let mut state = applying();
    for press in ["esc", "4", "7"] {
        keys(&mut state, press);
        assert_eq!(state.step, Step::Apply, "{press}");
    }
}

#[test]
fn the_apply_follows_its_steps_and_its_log_is_bounded() {
    let mut state = applying();
    let id = state.apply.rows.rows[2].id.clone();
    let step = ApplyEvent::Step {
        id,
        state: StepState::Writing,
    };
    update(&mut state, Msg::Apply(step));
    assert_eq!(state.apply.rows.cursor, 2);
    for n in 0..2000 {
        update(&mut state, Msg::Apply(ApplyEvent::Log(format!("line {n}"))));
    }
    assert_eq!(state.apply.log.len(), crate::wizard::state::LOG_LINES);
    assert_eq!(state.apply.log.back().unwrap(), "line 1999");
    assert_eq!(state.apply.progress(), (0, 3));
}

#[test]
fn undo_is_a_review_of_its_own_and_esc_leaves_it() {
    let mut state = applying();
    update(
        &mut state,
        Msg::Apply(ApplyEvent::Finished(Outcome::default())),
    );
    let effects = keys(&mut state, "u");
    let [Effect::PlanUndo(generation, _, Some(run))] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(run, "run-1");
    let undo = crate::wizard::state::UndoPlan {
        run: run.clone(),
        plan: Arc::new(plan()),
        ..Default::default()
    };
    let effects = update(&mut state, Msg::UndoPlanned(*generation, Ok(undo)));
    assert!(
        matches!(effects[..], [Effect::Review { .. }]),
        "{effects:?}"
    );
    assert_eq!(state.step, Step::Review);
    assert_eq!(state.review.undoes.as_deref(), Some("run-1"));
    keys(&mut state, "esc");
    assert_eq!(state.step, Step::Apply);
    assert!(state.review.undoes.is_none());
}
