//! Nothing is done that was not on the screen.

use super::*;

/// A window that is too small to draw in, and one with room for so many lines of a question.
fn small(state: &mut State) {
    state.fit(Viewport {
        drawn: false,
        ..Viewport::default()
    });
}

fn room(state: &mut State, dialog: usize, dialog_last: usize) {
    state.fit(Viewport {
        dialog,
        dialog_last,
        ..Viewport::default()
    });
}

#[test]
fn in_a_window_too_small_to_draw_in_no_key_writes() {
    let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
    small(&mut state);
    let effects = keys(
        &mut state,
        "enter tab enter tab enter space n down esc 9 ? i",
    );
    assert!(effects.is_empty(), "{effects:?}");
    update(
        &mut state,
        Msg::Click {
            target: Target::Key(Action::Apply),
        },
    );
    update(&mut state, Msg::Paste("yes".into()));
    update(&mut state, Msg::Wheel(3));
    assert_eq!((state.step, state.dialog.is_none()), (Step::Review, true));
    assert!(!state.help && !state.detail);
    assert!(state.answers.leave_out.is_empty());

    // With room again the same keys mean what they say.
    state.fit(Viewport::default());
    assert!(matches!(
        keys(&mut state, "enter tab enter")[..],
        [Effect::Apply { .. }]
    ));
}

#[test]
fn a_question_on_a_screen_that_became_too_small_is_not_answered() {
    let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
    keys(&mut state, "enter");
    assert!(state.dialog.is_some());
    small(&mut state);
    assert!(keys(&mut state, "tab enter").is_empty());
    assert_eq!(state.dialog.as_ref().unwrap().focus, 0);
}

#[test]
fn in_a_window_too_small_q_and_ctrl_c_end_and_ask_nothing() {
    for end in [Key::Char('q'), Key::Ctrl('c')] {
        // Choices would be lost: a question about that could not be seen.
        let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
        small(&mut state);
        let effects = key(&mut state, end);
        assert!(matches!(effects[..], [Effect::Quit]), "{end}: {effects:?}");
    }
}

#[test]
fn in_a_window_too_small_q_and_ctrl_c_stop_a_run_after_the_write_under_way() {
    for end in [Key::Char('q'), Key::Ctrl('c')] {
        let mut state = applying();
        small(&mut state);
        let effects = key(&mut state, end);
        assert!(
            matches!(effects[..], [Effect::StopApply]),
            "{end}: {effects:?}"
        );
        assert!(state.apply.stopping && state.apply.running && !state.leaving);
        assert!(state.dialog.is_none());
    }
    // What waits for a decision that cannot be seen stops there.
    let mut state = applying();
    let id = state.apply.rows.rows[0].id.clone();
    let error = Error::new("refused");
    update(&mut state, Msg::Apply(ApplyEvent::Stopped { id, error }));
    small(&mut state);
    assert!(keys(&mut state, "tab enter u b r").is_empty());
    let effects = key(&mut state, Key::Char('q'));
    assert!(
        matches!(
            effects[..],
            [Effect::StopApply, Effect::Decide(Decision::Stop)]
        ),
        "{effects:?}"
    );
}

#[test]
fn what_writes_is_pressed_only_after_the_whole_question_was_on_the_screen() {
    let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
    keys(&mut state, "enter tab");
    room(&mut state, 4, 5);
    assert!(keys(&mut state, "enter").is_empty());
    assert!(state.dialog.is_some(), "the first page, of three");
    assert_eq!(state.dialog.as_ref().unwrap().offset, 3);
    // Not even where the next key comes before the page is drawn.
    assert!(keys(&mut state, "enter").is_empty());
    room(&mut state, 4, 5);
    assert!(keys(&mut state, "enter").is_empty());
    room(&mut state, 4, 5);
    assert_eq!(state.dialog.as_ref().unwrap().seen, 5);
    assert!(matches!(
        keys(&mut state, "enter")[..],
        [Effect::Apply { .. }]
    ));
}

#[test]
fn a_long_question_is_read_by_page_and_wheel_and_left_at_once() {
    let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
    keys(&mut state, "enter");
    room(&mut state, 4, 5);
    let offset = |state: &State| state.dialog.as_ref().unwrap().offset;
    key(&mut state, Key::PageDown);
    assert_eq!(offset(&state), 3);
    update(&mut state, Msg::Wheel(3));
    assert_eq!(offset(&state), 5);
    key(&mut state, Key::PageUp);
    assert_eq!(offset(&state), 2);
    keys(&mut state, "enter");
    assert!(state.dialog.is_none(), "the answer that changes nothing");
}
