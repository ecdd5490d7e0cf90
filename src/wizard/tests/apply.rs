use super::*;
use crate::targets::Board;
use crate::wizard::state::Contexts;

#[test]
fn a_failure_asks_and_the_answer_goes_to_the_engine() {
    for (presses, decision) in [
        ("r", Decision::Retry),
        ("u tab enter", Decision::Undo),
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

/// Stopped at this row of the plan, those before it written.
fn stopped_at(at: usize) -> State {
    let mut state = applying();
    let ids: Vec<ChangeId> = state.apply.rows.rows.iter().map(|r| r.id.clone()).collect();
    for id in &ids[..at] {
        for done in [StepState::Writing, StepState::Done] {
            let id = id.clone();
            update(&mut state, Msg::Apply(ApplyEvent::Step { id, state: done }));
        }
    }
    let failed = ApplyEvent::Stopped {
        id: ids[at].clone(),
        error: Error::new("the rollout is not done"),
    };
    update(&mut state, Msg::Apply(failed));
    state
}

fn answers(state: &State) -> Vec<Answer> {
    let dialog = state.dialog.as_ref().expect("it asks");
    dialog.buttons.iter().map(|button| button.answer).collect()
}

#[test]
fn where_a_workload_stands_written_it_alone_can_be_taken_back() {
    for presses in ["b", "tab tab tab enter"] {
        let mut state = stopped_at(2);
        let dialog = state.dialog.clone().unwrap();
        let back = dialog.buttons.iter().find(|b| b.answer == Answer::TakeBack);
        let cart = "shop/Deployment/cart";
        assert_eq!(back.unwrap().label, say::undo_all_of(cart));
        assert!(
            dialog.lines.contains(&say::applied_for_item(cart, 2)),
            "{:?}",
            dialog.lines
        );
        let effects = keys(&mut state, presses);
        assert!(
            matches!(effects[..], [Effect::Decide(Decision::TakeBack)]),
            "{presses}: {effects:?}"
        );
        assert!(state.dialog.is_none());
    }
}

#[test]
fn nothing_is_offered_back_that_does_not_stand_or_is_no_workloads() {
    let nothing_written = stopped_at(0);
    assert!(!answers(&nothing_written).contains(&Answer::TakeBack));

    let mut undoing = stopped_at(2);
    undoing.apply.undoing = true;
    keys(&mut undoing, "esc enter");
    assert!(!answers(&undoing).contains(&Answer::TakeBack));

    let mut of_no_workload = stopped_at(2);
    for row in Arc::make_mut(&mut of_no_workload.apply.rows.rows) {
        row.item = None;
    }
    keys(&mut of_no_workload, "esc enter");
    assert!(!answers(&of_no_workload).contains(&Answer::TakeBack));
    assert!(keys(&mut of_no_workload, "b").is_empty());
    assert!(of_no_workload.dialog.is_some());
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
    let rows = &state.apply.rows.rows;
    let (written, missing) = (rows[0].id.object(), rows[1].id.object());
    assert!(said.contains(&say::applied(&written)), "{said}");
    assert!(said.contains(&say::not_applied(&missing)), "{said}");
    assert_eq!(state.apply.progress(), (1, 3), "{said}");
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
    let enter = keymap::lookup(&state, Key::Enter).unwrap();
    assert_eq!(enter.label, say::ASK_TO_UNDO);
    keys(&mut state, "esc");
    assert_eq!(state.step, Step::Apply);
    assert!(state.review.undoes.is_none());
}

/// What the run tells where the object of a row is not as it was reviewed.
fn moved(state: &mut State, at: usize, may: bool, notes: Vec<ViewNote>) {
    let id = state.apply.rows.rows[at].id.clone();
    let line = |sign, text: &str| DiffLine {
        sign,
        pieces: vec![(false, text.into())],
    };
    let mut unified = vec![
        line(LineSign::Same, "metadata:"),
        line(LineSign::Removed, "  secure-port: \"15099\""),
        line(LineSign::Added, "  secure-port: \"15091\""),
    ];
    unified.extend((0..12).map(|n| line(LineSign::Added, &format!("  more: {n}"))));
    let view = Arc::new(ChangeView {
        unified,
        notes,
        ..ChangeView::default()
    });
    let shown = Msg::Again {
        id: id.clone(),
        view,
        may,
    };
    assert!(update(state, shown).is_empty());
    let error = Error::refused("Deployment shop/cart changed since the review");
    update(state, Msg::Apply(ApplyEvent::Stopped { id, error }));
}

#[test]
fn what_moved_is_shown_anew_and_written_only_after_a_yes() {
    let mut state = applying();
    moved(&mut state, 1, true, Vec::new());
    let dialog = state.dialog.clone().unwrap();
    assert_eq!(dialog.buttons[dialog.focus].answer, Answer::Cancel);
    let words = dialog.lines.join("\n");
    for line in [
        "\n− secure-port: \"15099\"",
        "\n+ secure-port: \"15091\"",
        &say::more_lines(4),
    ] {
        assert!(words.contains(line), "{words}");
    }
    // A reflex writes nothing, and the question can be called back with its diff.
    assert!(keys(&mut state, "enter").is_empty());
    assert!(state.apply.again.is_some());
    keys(&mut state, "enter");
    assert_eq!(state.dialog, Some(dialog));
    let effects = keys(&mut state, "tab enter");
    assert!(
        matches!(effects[..], [Effect::Decide(Decision::Again)]),
        "{effects:?}"
    );
    assert!(state.apply.again.is_none());
    // What fails afterwards for another reason is no longer about that diff.
    let id = state.apply.rows.rows[1].id.clone();
    let error = Error::new("no answer");
    update(&mut state, Msg::Apply(ApplyEvent::Stopped { id, error }));
    let dialog = state.dialog.clone().unwrap();
    assert!(dialog.buttons.iter().all(|b| b.answer != Answer::Again));
}

#[test]
fn what_may_not_be_written_as_it_is_now_says_why_and_is_not_offered() {
    let mut state = applying();
    let note = ViewNote {
        tone: Tone::Bad,
        text: "Conflict: .spec is 1 by helm".into(),
    };
    moved(&mut state, 1, false, vec![note]);
    let dialog = state.dialog.clone().unwrap();
    assert!(dialog.lines.iter().any(|line| line.contains("by helm")));
    assert!(dialog.buttons.iter().all(|b| b.answer != Answer::Again));
}

#[test]
fn while_a_run_is_taken_back_the_status_speaks_of_that_and_offers_no_undo() {
    use crate::wizard::state::WayBack;
    let mut state = applying();
    update(
        &mut state,
        Msg::Apply(ApplyEvent::Finished(Outcome::default())),
    );
    let effects = keys(&mut state, "u");
    let [Effect::PlanUndo(generation, _, Some(run))] = &effects[..] else {
        panic!("{effects:?}");
    };
    let undo = crate::wizard::state::UndoPlan {
        run: run.clone(),
        plan: Arc::new(plan()),
        older: vec!["run-0".into()],
        ..Default::default()
    };
    update(&mut state, Msg::UndoPlanned(*generation, Ok(undo)));
    let generation = state.generations.review;
    let opened = Review::new("demo", RunId("run-2".into()), plan());
    update(&mut state, Msg::ReviewOpened(generation, Box::new(opened)));
    for change in &plan().changes {
        tell_reviewed(&mut state, reviewed(change, Verdict::Deletes));
    }
    update(&mut state, Msg::ReviewDone(generation, Ok(())));
    keys(&mut state, "enter tab enter enter");
    assert_eq!(state.step, Step::Status);
    assert!(state.apply.takes_back());
    let cart = id("shop", "cart");
    assert_eq!(state.apply.way_back_of(&cart), Some(WayBack::Ahead));
    assert_eq!(state.apply.way_back_of(&id("shop", "other")), None);
    assert!(keys(&mut state, "u").is_empty());
    let why = state.notice.clone().unwrap().text;
    assert_eq!(why, say::RUN_IS_BEING_UNDONE);

    let ids: Vec<ChangeId> = state.apply.rows.rows.iter().map(|r| r.id.clone()).collect();
    for (at, id) in ids.into_iter().enumerate() {
        let step = |state| ApplyEvent::Step {
            id: id.clone(),
            state,
        };
        update(&mut state, Msg::Apply(step(StepState::Writing)));
        assert_eq!(state.apply.way_back_of(&cart), Some(WayBack::Now), "{at}");
        update(&mut state, Msg::Apply(step(StepState::Done)));
    }
    assert_eq!(state.apply.way_back_of(&cart), Some(WayBack::Done));
    update(
        &mut state,
        Msg::Apply(ApplyEvent::Finished(Outcome::default())),
    );
    assert_eq!(state.apply.way_back_of(&cart), None);
    // What stands still is named, and the same key goes on with it.
    let ended = state.apply.summary.last().unwrap();
    assert_eq!(*ended, say::older_run_stands("run-0"));
    let effects = keys(&mut state, "u");
    assert!(
        matches!(&effects[..], [Effect::PlanUndo(_, _, Some(run))] if run == "run-0"),
        "{effects:?}"
    );
}

#[test]
fn a_run_that_turns_back_counts_what_it_has_taken_back() {
    let mut state = stopped_at(2);
    // One key does not take back a run: it is asked, and the way back leads to where it stopped.
    keys(&mut state, "u");
    let asked = state.dialog.clone().unwrap();
    assert_eq!(asked.kind, DialogKind::UndoRun);
    let two = format!("{}: ", say::changes(2));
    assert!(asked.lines[0].starts_with(&two), "{:?}", asked.lines);
    keys(&mut state, "enter");
    assert_eq!(state.dialog.clone().unwrap().kind, DialogKind::Stopped);
    assert!(!state.apply.takes_back() && state.apply.stopped.is_some());
    keys(&mut state, "u tab enter");
    assert!(state.apply.takes_back());
    assert_eq!(state.apply.progress(), (0, 2));
    let id = state.apply.rows.rows[1].id.clone();
    let back = StepState::TakenBack("undone".into());
    update(&mut state, Msg::Apply(ApplyEvent::Step { id, state: back }));
    assert_eq!(state.apply.progress(), (1, 2));
}

#[test]
fn a_failed_prometheus_alone_is_not_offered_back() {
    let mut state = stopped_at(2);
    for row in Arc::make_mut(&mut state.apply.rows.rows) {
        row.part = Part::PrometheusPod;
    }
    keys(&mut state, "esc enter");
    assert!(!answers(&state).contains(&Answer::TakeBack));
}

#[test]
fn the_apply_panel_is_laid_over_the_step_to_be_read_and_scrolled_on_wide_screens_too() {
    let mut state = stopped_at(2);
    keys(&mut state, "esc i");
    state.fit(Viewport {
        detail_last: 5,
        ..Viewport::default()
    });
    assert!(state.detail);
    keys(&mut state, "down down");
    assert_eq!(state.detail_offset, 2);
    keys(&mut state, "esc");
    assert!(!state.detail);
}

/// After an apply or an undo that took minutes, the board from before it would be read as how it is.
#[test]
fn a_board_of_long_ago_is_not_shown_as_it_is() {
    let now: jiff::Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
    let shown = |age: i64, frozen: bool| {
        let mut state = started(shop());
        let at = Some(now - jiff::SignedDuration::from_secs(age));
        state.now = Some(now);
        state.status.frozen = frozen;
        state.status.board = Arc::new(Board {
            at,
            ..Board::default()
        });
        state.watch();
        state.status.board.at == at
    };
    assert!(shown(5, false));
    assert!(!shown(120, false));
    assert!(shown(120, true), "who froze it wants to read it");
}

#[test]
fn who_leaves_is_told_the_commands_that_go_on_from_there() {
    let mut state = applying();
    state.apply.run = Some("r1".into());
    assert!(state.next_commands().is_empty(), "nothing is written yet");
    let id = state.apply.rows.rows[0].id.clone();
    let ended = |state: &mut State, ended| {
        let outcome = Outcome {
            ended,
            written: vec![id.clone()],
            ..Outcome::default()
        };
        update(state, Msg::Apply(ApplyEvent::Finished(outcome)));
    };
    ended(&mut state, Ended::Whole);
    state.cluster.context = Some("prod".into());
    state.cluster.contexts = Some(Contexts {
        names: vec!["prod".into()],
        current: Some("prod".into()),
    });
    assert_eq!(
        state.next_commands(),
        [
            say::to_see_targets("meshscrape status"),
            say::to_undo("meshscrape undo r1 --yes")
        ]
    );
    // Another context than the kubeconfig's own has to be named.
    state.cluster.context = Some("it's".into());
    ended(&mut state, Ended::PartWay(None));
    assert_eq!(
        state.next_commands(),
        [
            say::to_resume(r"meshscrape apply --resume r1 --yes --context 'it'\''s'"),
            say::to_undo(r"meshscrape undo r1 --yes --context 'it'\''s'")
        ]
    );
}

#[test]
fn the_review_of_an_undo_leads_back_to_where_it_was_asked_for() {
    let mut state = applying();
    update(
        &mut state,
        Msg::Apply(ApplyEvent::Finished(Outcome::default())),
    );
    for step in [Step::Apply, Step::Status] {
        keys(&mut state, if step == Step::Apply { "8" } else { "9" });
        assert_eq!(state.step, step);
        let effects = keys(&mut state, "u");
        let Some(Effect::PlanUndo(generation, ..)) = effects.last() else {
            panic!("{effects:?}");
        };
        let undo = crate::wizard::state::UndoPlan {
            plan: Arc::new(plan()),
            ..Default::default()
        };
        update(&mut state, Msg::UndoPlanned(*generation, Ok(undo)));
        assert_eq!(state.step, Step::Review);
        keys(&mut state, "esc");
        assert_eq!(state.step, step);
    }
}
