use super::super::state::ReviewMode;
use super::*;
use crate::problems::{Problem, Subject};

#[test]
fn leaving_a_change_out_leaves_out_what_hangs_on_it() {
    let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
    assert_eq!(state.review.counts.changes, 3);
    keys(&mut state, "space");
    let standings: Vec<&Standing> = state.review.rows.rows.iter().map(|r| &r.standing).collect();
    assert_eq!(*standings[0], Standing::LeftOut);
    assert!(matches!(standings[1], Standing::HangsOn(_)));
    assert!(matches!(standings[2], Standing::HangsOn(_)));
    assert_eq!(state.review.counts.changes, 0);
    assert_eq!(state.notice.clone().unwrap().text, say::more_skipped(2));
    // The way to apply is closed, with the reason.
    assert!(keys(&mut state, "enter").is_empty());
    assert!(state.dialog.is_none());
    keys(&mut state, "space");
    assert_eq!(state.review.counts.changes, 3);
    assert!(state.answers.leave_out.is_empty());
}

#[test]
fn a_review_says_where_what_it_writes_has_no_use() {
    let mut with_job = plan();
    let job = change(Kind::ConfigMap, "prometheus", Part::ScrapeJob, &[]);
    with_job.changes.insert(0, job);
    let mut state = in_review(with_job, |c| reviewed(c, Verdict::New));
    assert_eq!(state.unscraped(), None);
    keys(&mut state, "space");
    let said = state.unscraped().unwrap();
    assert_eq!(said, say::NOTHING_SCRAPES);
    keys(&mut state, "space down space");
    let said = state.unscraped().unwrap();
    assert_eq!(said, say::JOB_FINDS_NOTHING);
    keys(&mut state, "enter");
    let dialog = state.dialog.unwrap();
    assert!(dialog.lines.contains(&said), "{:?}", dialog.lines);
}

#[test]
fn the_review_is_kept_while_the_choices_are_the_same() {
    let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
    keys(&mut state, "down down space");
    let before = state.generations.review;
    keys(&mut state, "esc enter");
    assert_eq!(state.step, Step::Review);
    assert_eq!(state.generations.review, before);
    assert_eq!(state.review.counts.left_out, 1);
    // Another choice makes another review.
    keys(&mut state, "esc right space enter");
    let effects = tell_plan(&mut state, plan());
    assert!(
        matches!(&effects[..], [Effect::Review { answers, .. }] if answers.leave_out.len() == 1)
    );
}

#[test]
fn typing_ahead_waits_for_the_plan_in_the_review() {
    let mut state = started(shop());
    keys(
        &mut state,
        "enter enter down space enter a enter enter enter",
    );
    assert_eq!(state.step, Step::Review);
    assert!(state.review.review.is_none());
    assert!(keys(&mut state, "enter").is_empty());
    let effects = tell_plan(&mut state, plan());
    assert!(matches!(effects[..], [Effect::Review { .. }]));
}

#[test]
fn what_a_key_said_while_the_server_was_asked_falls_with_the_last_answer() {
    let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
    keys(&mut state, "r");
    let generation = state.generations.review;
    let opened = Review::new("demo", RunId("run-2".into()), plan());
    update(&mut state, Msg::ReviewOpened(generation, Box::new(opened)));
    keys(&mut state, "enter");
    let said = state.notice.clone().expect("why enter does nothing").text;
    assert_eq!(said, say::dry_run_in_progress(&say::changes(3)));
    for change in &plan().changes {
        tell_reviewed(&mut state, reviewed(change, Verdict::New));
    }
    update(&mut state, Msg::ReviewDone(generation, Ok(())));
    assert_eq!(state.notice, None);
}

/// Of the annotation, a field is this manager's.
fn held_by(change: &Change, manager: &str, hands: Hands) -> Arc<Reviewed> {
    let mut item = (*reviewed(change, Verdict::Changes)).clone();
    if change.part == Part::Annotation {
        item.conflicts.push(Conflict {
            manager: manager.into(),
            field: ".spec.template.metadata.annotations".into(),
            theirs: Some(json!("a")),
            ours: Some(json!("b")),
            hands,
        });
    }
    Arc::new(item)
}

/// Of a tool whose next upgrade may revert what is written.
fn owned_by_helm(change: &Change) -> Arc<Reviewed> {
    let mut item = (*reviewed(change, Verdict::Changes)).clone();
    item.live = Some(Arc::new(json!({"metadata": {
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "shop"},
    }})));
    Arc::new(item)
}

#[test]
fn the_question_before_writing_names_owners_and_what_is_given_up_and_what_had_no_room() {
    let mut whole = plan();
    let lock = change(Kind::Lease, "meshscrape", Part::Journal, &[]);
    whole.changes.insert(0, lock);
    whole.findings = vec![Problem::PlaintextJobsStay {
        of: Subject::new("Deployment", "mon", "prometheus"),
    }];
    let mut state = in_review(whole, |c| match c.part {
        Part::Annotation => owned_by_helm(c),
        _ => reviewed(c, Verdict::New),
    });
    let owners = state.review.rows.rows.iter().map(|row| row.owner);
    // What an owner may revert comes first, the lock last.
    assert_eq!(owners.collect::<Vec<_>>(), [Some("Helm"), None, None, None]);
    let said = |state: &State| state.confirm_apply().lines.join("\n");
    let belongs = say::one_object_owned(OwnerTool::Helm.name());
    assert!(said(&state).contains(&belongs), "{}", said(&state));
    assert!(state.unkept().is_empty() && !said(&state).contains("MS259"));
    keys(&mut state, "G space");
    let unkept = state.unkept();
    assert!(!unkept.is_empty() && unkept.iter().all(|line| said(&state).contains(line)));
    state.fit(Viewport {
        notes_seen: false,
        ..Viewport::default()
    });
    assert!(said(&state).contains("▲ MS259: "), "{}", said(&state));
}

#[test]
fn a_controllers_field_is_taken_by_name_only() {
    let mut state = in_review(plan(), |c| {
        held_by(c, "argocd-controller", Hands::Controller)
    });
    assert_eq!(state.review.counts.stopped, 1);
    assert!(keys(&mut state, "enter").is_empty());
    assert!(state.dialog.is_none());
    keys(&mut state, "t");
    let dialog = state.dialog.clone().unwrap();
    assert_eq!(dialog.kind, DialogKind::Take("argocd-controller".into()));
    assert_eq!(dialog.buttons[dialog.focus].answer, Answer::Cancel);
    keys(&mut state, "enter");
    assert!(
        state.answers.take.is_empty(),
        "the safe answer takes nothing"
    );
    keys(&mut state, "t tab enter");
    assert!(state.answers.take.contains("argocd-controller"));
    assert_eq!(state.review.counts.stopped, 0);
    keys(&mut state, "enter");
    let dialog = state.dialog.clone().unwrap();
    assert_eq!(dialog.kind, DialogKind::ConfirmApply);
    let taken = say::one_field_forced("argocd-controller", "Deployment shop/cart");
    assert!(dialog.lines.contains(&taken), "{:?}", dialog.lines);
    // What is left out takes nothing.
    keys(&mut state, "enter space enter");
    let lines = state.dialog.clone().map(|dialog| dialog.lines);
    let lines = lines.unwrap_or_default().join("\n");
    assert!(!lines.contains("argocd"), "{lines}");
}

#[test]
fn the_question_about_a_persons_field_says_by_what_its_row_is_marked() {
    let mut state = in_review(plan(), |c| held_by(c, "kubectl-edit", Hands::Person));
    let annotated = state.review.rows.rows.iter().map(|row| row.takes);
    assert_eq!(annotated.collect::<Vec<_>>(), [1, 0, 0]);
    keys(&mut state, "enter");
    let lines = state.dialog.clone().unwrap().lines.join("\n");
    assert!(lines.contains(say::ONE_FIELD_OVERWRITTEN), "{lines}");
}

#[test]
fn the_question_before_writing_names_the_context_and_its_safe_answer_has_the_focus() {
    let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
    assert!(keys(&mut state, "enter").is_empty());
    let dialog = state.dialog.clone().unwrap();
    let title = say::apply_changes_to(&say::changes(3), "demo");
    assert_eq!(dialog.title, title);
    assert_eq!(dialog.lines[0], say::pods_restart(2));
    assert_eq!(dialog.buttons[dialog.focus].answer, Answer::Cancel);
    assert!(keys(&mut state, "enter").is_empty());
    assert_eq!(state.step, Step::Review);
    let effects = keys(&mut state, "enter tab enter");
    assert!(
        matches!(&effects[..], [Effect::Apply { approved, .. }] if approved.changes().len() == 3)
    );
    assert_eq!(state.step, Step::Apply);
    assert!(state.apply.running);
}

#[test]
fn on_a_narrow_screen_the_diff_over_the_list_scrolls() {
    use crate::wizard::state::{ChangeView, DiffLine, LineSign};
    for open in ["tab", "i"] {
        let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
        state.viewport.wide = false;
        let line = DiffLine {
            sign: LineSign::Added,
            pieces: vec![(false, "a: 1".into())],
        };
        state.review.view = Some(Arc::new(ChangeView {
            unified: vec![line; 200],
            ..ChangeView::default()
        }));
        keys(&mut state, open);
        keys(&mut state, "down down down");
        assert_eq!(state.review.diff_offset, 3, "{open}");
        keys(&mut state, "up");
        assert_eq!(state.review.diff_offset, 2, "{open}");
        // Another change is one key away all the same, and the footer names it.
        let named = |state: &State, key| keymap::footer(state).iter().any(|b| b.key == key);
        assert!(
            named(&state, Key::Down) && named(&state, Key::Char('n')),
            "{open}"
        );
        assert!(matches!(keys(&mut state, "n")[..], [Effect::View { .. }]));
        assert_eq!(
            (state.review.rows.cursor, state.detail),
            (1, true),
            "{open}"
        );
        // A diff that is seen whole leaves the arrows to the rows.
        state.review.view = Some(Arc::default());
        assert!(!named(&state, Key::Char('n')) && named(&state, Key::Down));
        keys(&mut state, "down");
        assert_eq!(
            (state.review.rows.cursor, state.detail),
            (2, true),
            "{open}"
        );
        keys(&mut state, "N");
        assert_eq!(state.review.rows.cursor, 1);
    }
}

#[test]
fn under_a_detail_that_is_seen_whole_the_arrows_move_the_rows() {
    let mut state = started(shop());
    state.fit(Viewport {
        wide: false,
        ..Viewport::default()
    });
    keys(&mut state, "enter enter i down");
    assert_eq!((state.namespaces.cursor, state.detail), (1, true));
    state.fit(Viewport {
        wide: false,
        detail_last: 3,
        ..Viewport::default()
    });
    keys(&mut state, "down down down down down");
    assert_eq!((state.namespaces.cursor, state.detail_offset), (1, 3));
    let footer = keymap::footer(&state);
    let named = |key, label| footer.iter().any(|b| b.key == key && b.label == label);
    assert!(named(Key::Down, say::SCROLL) && named(Key::Char('n'), say::NEXT_ROW));
    // What is another row's begins at its top.
    keys(&mut state, "n");
    assert_eq!((state.namespaces.cursor, state.detail_offset), (2, 0));
}

#[test]
fn a_way_of_looking_opens_the_diff_where_it_is_not_seen() {
    let label = |state: &State, key| keymap::lookup(state, Key::Char(key)).unwrap().label;
    let modes = [
        ('v', ReviewMode::SideBySide),
        ('y', ReviewMode::Yaml),
        ('K', ReviewMode::Kubectl),
        ('o', ReviewMode::Owner),
    ];
    for (key, mode) in modes {
        let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
        state.viewport.wide = false;
        state.review.view = Some(Arc::new(ChangeView {
            owner: vec!["a: 1".into()],
            ..ChangeView::default()
        }));
        let before = label(&state, key);
        keys(&mut state, &key.to_string());
        assert!(state.detail && state.review.diff_focus, "{key}");
        assert_eq!(state.review.shown(), mode);
        assert_ne!(label(&state, key), before);
        keys(&mut state, &key.to_string());
        assert!(state.detail, "the diff stays open");
        assert_eq!(state.review.shown(), ReviewMode::Unified);
        // Closed and asked for again, it is what was asked for.
        keys(&mut state, &format!("{key} esc"));
        assert!(!state.detail);
        assert_eq!(label(&state, key), before);
        keys(&mut state, &key.to_string());
        assert_eq!((state.detail, state.review.shown()), (true, mode));
        // What `tab` calls a diff is one.
        keys(&mut state, "esc tab");
        assert_eq!(state.review.shown(), ReviewMode::Unified);
    }
}

#[test]
fn losing_history_takes_a_second_yes() {
    let mut with_history = plan();
    with_history.changes[0].impacts.push(Impact::LosesHistory {
        prometheus: id("istio-system", "prometheus"),
    });
    let mut state = in_review(with_history, |c| reviewed(c, Verdict::New));
    assert!(keys(&mut state, "enter tab enter").is_empty());
    let dialog = state.dialog.clone().unwrap();
    assert_eq!(dialog.kind, DialogKind::ConfirmHistory);
    assert_eq!(dialog.buttons[dialog.focus].answer, Answer::Cancel);
    let effects = keys(&mut state, "tab enter");
    assert!(matches!(effects[..], [Effect::Apply { .. }]));
}

#[test]
fn read_only_reviews_and_never_applies() {
    let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
    state.start.read_only = true;
    assert!(keys(&mut state, "enter").is_empty());
    assert!(state.dialog.is_none());
    let said = state.notice.clone().unwrap().text;
    assert_eq!(said, say::READ_ONLY_NOT_APPLIED);
}

#[test]
fn a_second_run_finds_nothing_to_write_and_leads_to_the_status() {
    let mut state = in_review(plan(), |c| reviewed(c, Verdict::Unchanged));
    assert!(state.nothing_to_write());
    let effects = keys(&mut state, "enter");
    assert_eq!(state.step, Step::Status);
    assert!(matches!(effects[..], [Effect::Watch { .. }]));
    assert!(state.wants().watch);
    // Back over an apply that never was.
    keys(&mut state, "esc");
    assert_eq!(state.step, Step::Review);
    assert!(!state.wants().watch);
}

#[test]
fn the_diff_follows_the_cursor_and_a_late_one_is_thrown_away() {
    let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
    let old = state.generations.view;
    let effects = keys(&mut state, "down");
    let [
        Effect::View {
            generation, item, ..
        },
    ] = &effects[..]
    else {
        panic!("{effects:?}");
    };
    assert_eq!(item.change.part, Part::Listener);
    let generation = *generation;
    update(&mut state, Msg::View(old, Arc::default()));
    assert!(state.review.view.is_none());
    let view = ChangeView {
        yaml: vec!["kind: Sidecar".into()],
        ..ChangeView::default()
    };
    update(&mut state, Msg::View(generation, Arc::new(view)));
    assert_eq!(state.review.view.as_ref().unwrap().yaml.len(), 1);
}

/// Ninety-four changes: what matters is found without going through all of them.
#[test]
fn a_long_review_begins_with_what_matters_and_leads_to_it() {
    let mut whole = plan();
    whole.changes.clear();
    let lock = change(Kind::Lease, "meshscrape", Part::Journal, &[]);
    whole.changes.push(lock);
    for at in 0..90 {
        let name = format!("web-{at:02}");
        whole
            .changes
            .push(change(Kind::Sidecar, &name, Part::Listener, &[]));
    }
    whole
        .changes
        .push(change(Kind::VirtualService, "old", Part::Fix, &[]));
    whole
        .changes
        .push(change(Kind::Deployment, "cart", Part::Annotation, &[]));
    let mut state = in_review(whole, |c| match (c.part, c.object.name.as_str()) {
        (Part::Fix, _) => reviewed(c, Verdict::Deletes),
        (Part::Annotation, _) => held_by(c, "kubectl-edit", Hands::Person),
        _ => reviewed(c, Verdict::New),
    });
    let name = |state: &State| state.review.rows.current().unwrap().object.name.clone();
    assert_eq!(name(&state), "old", "what is deleted comes first");
    let last = state.review.rows.rows.last().unwrap();
    assert_eq!(last.part, Part::Journal);

    keys(&mut state, "w");
    assert_eq!(name(&state), "cart");
    keys(&mut state, "w");
    assert_eq!(
        name(&state),
        "old",
        "after the last warning the first again"
    );
    keys(&mut state, "down down down d");
    assert_eq!(name(&state), "old");
    // A row that is skipped stays where it is.
    keys(&mut state, "space");
    assert_eq!(state.review.rows.cursor, 0);

    keys(&mut state, "/ w e b - 4 2 enter");
    assert_eq!(state.review.rows.rows.len(), 1);
    assert_eq!(name(&state), "web-42");
    // The question counts every change, and not those that the filter leaves.
    assert_eq!(state.review.counts.changes, 92);
    assert!(
        state.confirm_apply().title.contains("92"),
        "{}",
        state.confirm_apply().title
    );
    keys(&mut state, "esc");
    assert_eq!(state.review.rows.rows.len(), 93);
}
