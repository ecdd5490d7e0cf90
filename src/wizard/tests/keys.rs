use super::*;

#[test]
fn saving_asks_for_a_name_and_never_replaces_unasked() {
    let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
    keys(&mut state, "s");
    let dialog = state.dialog.clone().unwrap();
    assert_eq!(dialog.input.as_deref(), Some("meshscrape-answers.yaml"));
    let effects = keys(&mut state, "l backspace enter");
    let [Effect::SaveAnswers { path, replace, .. }] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(path.to_str(), Some("meshscrape-answers.yaml"));
    assert!(!replace);
    update(&mut state, Msg::SaveExists(path.clone()));
    assert!(
        keys(&mut state, "enter").is_empty(),
        "the safe answer keeps the file"
    );
    update(&mut state, Msg::SaveExists(path.clone()));
    let effects = keys(&mut state, "tab enter");
    assert!(matches!(
        effects[..],
        [Effect::SaveAnswers { replace: true, .. }]
    ));
}

#[test]
fn pasted_text_goes_only_where_something_is_typed() {
    let mut state = started(shop());
    keys(&mut state, "enter enter");
    assert!(update(&mut state, Msg::Paste("q".into())).is_empty());
    assert!(!state.leaving);
    keys(&mut state, "/");
    update(&mut state, Msg::Paste("sh\x1b[31mop\n".into()));
    assert_eq!(state.namespaces.filter.text, "sh[31mop");
}

#[test]
fn ten_thousand_rows_are_made_once() {
    let many = (0..10_000)
        .map(|n| workload("shop", &format!("w{n:05}")))
        .collect();
    let mut state = started(mesh(many));
    keys(&mut state, "enter enter a enter");
    assert_eq!(state.workloads.rows.len(), 10_001);
    let made = Arc::clone(&state.workloads.rows);
    state.fit(Viewport::default());
    for press in ["down", "down", "space", "a", "G", "up", "g"] {
        keys(&mut state, press);
        state.fit(Viewport::default());
        assert!(Arc::ptr_eq(&made, &state.workloads.rows), "{press}");
        assert!(state.workloads.window().len() <= Viewport::default().list);
    }
    assert_eq!(state.chosen_in["shop"], 10_000);
}

#[test]
fn the_window_follows_the_cursor_in_any_height() {
    let mut state = started(mesh(
        (0..50)
            .map(|n| workload("shop", &format!("w{n:02}")))
            .collect(),
    ));
    keys(&mut state, "enter enter a enter");
    for height in [0, 1, 5, 60] {
        state.fit(Viewport {
            list: height,
            ..Viewport::default()
        });
        for press in ["G", "g", "down", "G"] {
            keys(&mut state, press);
            let list = &state.workloads;
            if height > 0 {
                assert!(list.window().contains(&list.cursor), "{height} {press}");
            }
        }
    }
    update(&mut state, Msg::Wheel(-1000));
    assert_eq!(state.workloads.offset, 0);
}

#[test]
fn the_footer_holds_exactly_the_keys_that_work() {
    let screens: Vec<State> = vec![
        State::new(Start::default()).0,
        started(shop()),
        {
            let mut state = started(shop());
            keys(&mut state, "enter enter a enter down");
            state
        },
        in_review(plan(), |c| reviewed(c, Verdict::New)),
        applying(),
    ];
    for mut state in screens {
        for wide in [true, false] {
            state.viewport.wide = wide;
            let footer = keymap::footer(&state);
            assert!(!footer.is_empty());
            for binding in &footer {
                assert!(binding.works());
                let found = keymap::lookup(&state, binding.key).unwrap();
                assert_eq!(found.action, binding.action, "{:?}", state.step);
            }
            let mut seen = Vec::new();
            for binding in keymap::keys(&state).iter().filter(|b| b.works()) {
                for key in [binding.key].iter().chain(binding.also) {
                    assert!(!seen.contains(key), "{key} twice in {:?}", state.step);
                    seen.push(*key);
                }
            }
            // What does not work says why, and pressing it changes no step.
            for binding in keymap::keys(&state).into_iter().filter(|b| !b.works()) {
                if keymap::lookup(&state, binding.key).is_some_and(|b| b.works()) {
                    continue;
                }
                let mut tried = state.clone();
                assert!(key(&mut tried, binding.key).is_empty());
                assert_eq!(tried.step, state.step);
                assert!(tried.notice.is_some(), "{} says nothing", binding.key);
            }
        }
    }
}

#[test]
fn over_an_empty_list_no_key_is_offered_that_needs_a_row() {
    let mut empty = shop();
    empty.gateways.clear();
    let mut state = started(empty);
    state.viewport.wide = false;
    keys(&mut state, "enter enter enter");
    assert_eq!((state.step, state.list_len()), (Step::Gateways, 0));
    let offered = |state: &State, key| {
        keymap::footer(state)
            .iter()
            .any(|b| b.key == Key::Char(key))
    };
    assert!(!offered(&state, '/') && !offered(&state, 'i'));
    keys(&mut state, "/");
    assert!(!keymap::typing(&state) && state.notice.is_some());
    // A filter that leaves no row is changed by the same key.
    let mut state = started(shop());
    keys(&mut state, "enter enter / zzz enter");
    assert_eq!(state.list_len(), 0);
    assert!(offered(&state, '/'));
}

#[test]
fn without_a_namespace_enter_says_that_it_leads_to_the_gateways_and_does() {
    let mut state = started(shop());
    keys(&mut state, "enter enter");
    let enter = |state: &State| keymap::lookup(state, Key::Enter).unwrap().label;
    assert_eq!(
        (state.step, enter(&state).as_str()),
        (Step::Namespaces, say::GATEWAYS_ONLY)
    );
    keys(&mut state, "enter");
    assert_eq!(state.step, Step::Gateways);
    let said = state.notice.clone().unwrap().text;
    assert_eq!(said, say::NO_NAMESPACE_CHOSEN);
    keys(&mut state, "esc");
    assert_eq!(state.step, Step::Namespaces);
    keys(&mut state, "a");
    assert_eq!(enter(&state), say::NEXT);
    keys(&mut state, "enter");
    assert_eq!(
        (state.step, enter(&state).as_str()),
        (Step::Workloads, say::GATEWAYS_ONLY)
    );
}

#[test]
fn digits_jump_only_to_steps_reached() {
    let mut state = started(shop());
    keys(&mut state, "4");
    assert_eq!(state.step, Step::Cluster);
    keys(&mut state, "enter enter enter 1 3");
    assert_eq!(state.step, Step::Namespaces);
}

#[test]
fn clicks_do_what_keys_do() {
    let mut state = started(shop());
    keys(&mut state, "enter enter");
    let click = |state: &mut State, target| update(state, Msg::Click { target });
    click(&mut state, Target::Row(3));
    assert_eq!(under_cursor(&state), "shop");
    assert!(state.answers.namespaces.is_empty());
    click(&mut state, Target::Row(3));
    assert!(state.answers.namespaces.contains("shop"));
    click(&mut state, Target::Key(Action::Next));
    assert_eq!(state.step, Step::Workloads);
    click(&mut state, Target::Step(Step::Status));
    assert_eq!(state.step, Step::Workloads, "not reached yet");
    click(&mut state, Target::Step(Step::Cluster));
    assert_eq!(state.step, Step::Cluster);
    click(&mut state, Target::Row(99));
}

/// Whoever clicks into the window to bring it to the front chooses nothing by it.
#[test]
fn a_first_click_only_selects_also_under_the_cursor() {
    let mut state = started(shop());
    keys(&mut state, "enter enter");
    let click = |state: &mut State, target| update(state, Msg::Click { target });
    let cursor = state.namespaces.cursor;
    click(&mut state, Target::Row(cursor));
    assert!(state.answers.namespaces.is_empty());
    // A key in between makes the next click the first again.
    keys(&mut state, "down up");
    click(&mut state, Target::Row(cursor));
    assert!(state.answers.namespaces.is_empty());
    click(&mut state, Target::Row(cursor));
    assert_eq!(state.answers.namespaces.len(), 1);
}

#[test]
fn the_mouse_is_given_to_the_terminal_and_taken_by_a_key() {
    let mut state = started(shop());
    assert!(!state.mouse, "as it was started");
    keys(&mut state, "M");
    assert!(state.mouse);
    assert_eq!(state.notice.as_ref().unwrap().text, say::MOUSE_ON);
    keys(&mut state, "M");
    assert!(!state.mouse);
}

#[test]
fn the_first_green_target_is_at_most_fifteen_keys_away() {
    let mut state = started(shop());
    let mut count = 0;
    let mut press = |state: &mut State, text: &str| {
        count += text.split(' ').count();
        keys(state, text)
    };
    press(&mut state, "enter enter space enter a enter enter");
    let mut history = plan();
    history.changes[0].impacts.push(Impact::LosesHistory {
        prometheus: id("istio-system", "prometheus"),
    });
    tell_plan(&mut state, history.clone());
    press(&mut state, "enter");
    let generation = state.generations.review;
    let opened = Review::new("demo", RunId("run-1".into()), history.clone());
    update(&mut state, Msg::ReviewOpened(generation, Box::new(opened)));
    for change in &history.changes {
        tell_reviewed(&mut state, reviewed(change, Verdict::New));
    }
    update(&mut state, Msg::ReviewDone(generation, Ok(())));
    press(&mut state, "enter tab enter tab enter");
    assert_eq!(state.step, Step::Apply);
    update(
        &mut state,
        Msg::Apply(ApplyEvent::Finished(Outcome::default())),
    );
    press(&mut state, "enter");
    assert_eq!(state.step, Step::Status);
    assert!(count <= 15, "{count} keys");
}

#[test]
fn the_monitor_alone_watches_as_soon_as_the_cluster_is_read() {
    let mut state = connected(Start {
        monitor: true,
        ..Start::default()
    });
    assert_eq!(state.step, Step::Status);
    let effects = tell_mesh(&mut state, shop(), true);
    assert!(matches!(effects[..], [Effect::Watch { .. }]), "{effects:?}");
    keys(&mut state, "esc");
    assert_eq!(state.step, Step::Status);
    assert!(matches!(keys(&mut state, "q")[..], [Effect::Quit]));
}

#[test]
fn another_context_forgets_the_former_cluster() {
    let mut state = started(shop());
    state.cluster.contexts = Some(Contexts {
        names: vec!["demo".into(), "prod".into()],
        current: Some("demo".into()),
    });
    let names = ["demo", "prod"].map(|name| Row::Context(name.into()));
    state.cluster.list.renew(names.into());
    let old = state.generations.discover;
    keys(&mut state, "c down enter");
    assert!(state.mesh.workloads.is_empty());
    update(
        &mut state,
        Msg::Mesh {
            generation: old,
            mesh: Arc::new(shop()),
            last: true,
        },
    );
    assert!(
        state.mesh.workloads.is_empty(),
        "a late answer of the former cluster"
    );
    assert_ne!(state.generations.connect, Generation(1));
}

#[test]
fn the_help_scrolls_by_pages_and_to_its_ends_and_not_beyond() {
    let mut state = started(shop());
    keys(&mut state, "?");
    state.fit(Viewport {
        help: 10,
        help_last: 25,
        ..Viewport::default()
    });
    key(&mut state, Key::PageDown);
    assert_eq!(state.detail_offset, 9);
    key(&mut state, Key::End);
    assert_eq!(state.detail_offset, 25);
    keys(&mut state, "up");
    assert_eq!(state.detail_offset, 24);
    key(&mut state, Key::PageUp);
    key(&mut state, Key::Home);
    assert_eq!(state.detail_offset, 0);
    assert!(state.help);
}
