use super::*;
use crate::mesh::Listed;

#[test]
fn choosing_goes_from_namespaces_to_workloads_and_back_loses_nothing() {
    let mut state = started(shop());
    keys(&mut state, "enter enter");
    assert_eq!(rows(&state), ["billing", "default", "istio-system", "shop"]);
    assert_eq!(under_cursor(&state), "billing");
    keys(&mut state, "space down down down space enter");
    assert_eq!(
        rows(&state),
        [
            "billing",
            "  invoice",
            "  tax",
            "shop",
            "  cart",
            "  catalog",
            "  search"
        ]
    );
    assert!(state.answers.workloads.is_empty(), "nothing is preselected");
    keys(&mut state, "a");
    let chosen: Vec<String> = state
        .answers
        .workloads
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        chosen,
        [
            "billing/Deployment/invoice",
            "shop/Deployment/cart",
            "shop/Deployment/catalog"
        ]
    );
    assert_eq!(state.chosen_in["shop"], 2);
    // Back, leave shop, come back to it: its workloads are still chosen.
    keys(&mut state, "esc space enter");
    assert_eq!(state.effective().workloads.len(), 1);
    keys(&mut state, "esc space enter");
    assert_eq!(state.effective().workloads.len(), 3);
    let before = state.answers.clone();
    keys(&mut state, "esc esc esc enter enter enter");
    assert_eq!(state.step, Step::Workloads);
    assert_eq!(state.answers, before);
}

#[test]
fn what_cannot_be_chosen_says_why() {
    let mut state = started(shop());
    keys(&mut state, "enter enter space enter down down");
    assert_eq!(under_cursor(&state), "tax");
    keys(&mut state, "space");
    assert!(state.answers.workloads.is_empty());
    assert!(state.notice.clone().unwrap().text.contains("billing/mine"));
}

#[test]
fn space_on_a_head_takes_the_whole_namespace_and_leaves_it_again() {
    let mut state = started(shop());
    keys(&mut state, "enter enter down down down space enter");
    assert_eq!(under_cursor(&state), "shop");
    keys(&mut state, "space");
    assert_eq!(state.answers.workloads.len(), 2);
    keys(&mut state, "space");
    assert!(state.answers.workloads.is_empty());
    assert_eq!(state.chosen_in["shop"], 0);
}

#[test]
fn folding_hides_the_rows_and_keeps_the_choice() {
    let mut state = started(shop());
    keys(
        &mut state,
        "enter enter down down down space enter down space left",
    );
    assert_eq!(rows(&state), ["shop"]);
    assert_eq!(state.answers.workloads.len(), 1);
    keys(&mut state, "right");
    assert_eq!(rows(&state).len(), 4);
}

#[test]
fn a_filter_narrows_the_rows_and_all_means_what_is_shown() {
    let mut state = started(shop());
    keys(&mut state, "enter enter a enter / cat");
    assert!(keymap::typing(&state));
    assert_eq!(rows(&state), ["shop", "  catalog"]);
    // While typing, letters are text and not keys.
    keys(&mut state, "q");
    assert!(!state.leaving);
    assert!(rows(&state).is_empty());
    keys(&mut state, "backspace enter a");
    let chosen: Vec<String> = state
        .answers
        .workloads
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(chosen, ["shop/Deployment/catalog"]);
    keys(&mut state, "esc");
    assert_eq!(rows(&state).len(), 9, "esc clears the filter first");
    keys(&mut state, "esc");
    assert_eq!(state.step, Step::Namespaces);
}

#[test]
fn a_new_mesh_keeps_the_cursor_on_its_item_and_the_choices() {
    let mut state = started(shop());
    keys(&mut state, "enter enter a enter down down down down");
    let on = under_cursor(&state);
    keys(&mut state, "a");
    let chosen = state.answers.workloads.clone();
    let mut grown = shop();
    for name in ["aaa", "bbb", "ccc"] {
        grown.workloads.push(Arc::new(workload("billing", name)));
    }
    grown
        .workloads
        .sort_by(|a, b| a.id.sort_key().cmp(&b.id.sort_key()));
    state.generations.discover.advance();
    tell_mesh(&mut state, grown, true);
    assert_eq!(under_cursor(&state), on);
    assert_eq!(state.answers.workloads, chosen);
}

#[test]
fn a_choice_whose_workload_is_gone_is_dropped_and_said() {
    let mut state = started(shop());
    keys(&mut state, "enter enter a enter a");
    let mut less = shop();
    less.workloads.retain(|w| w.id.name != "cart");
    state.generations.discover.advance();
    tell_mesh(&mut state, less, true);
    assert_eq!(state.answers.workloads.len(), 3);
    assert!(
        state
            .notice
            .clone()
            .unwrap()
            .text
            .contains("shop/Deployment/cart")
    );
}

#[test]
fn a_list_that_is_still_filling_drops_no_choice() {
    let mut state = connected(Start {
        answers: Answers {
            workloads: [id("shop", "cart")].into(),
            ..Answers::default()
        },
        ..Start::default()
    });
    let mut partial = mesh(vec![workload("billing", "invoice")]);
    partial
        .progress
        .insert(Listed::Workloads, Progress::Waiting);
    tell_mesh(&mut state, partial, false);
    assert!(state.answers.workloads.contains(&id("shop", "cart")));
    assert!(state.answers.namespaces.contains("shop"));
}

#[test]
fn a_namespace_named_by_a_flag_means_all_that_can_be_chosen_in_it() {
    let start = Start {
        answers: Answers {
            namespaces: ["shop".to_owned()].into(),
            ..Answers::default()
        },
        ..Start::default()
    };
    let mut state = connected(start);
    tell_mesh(&mut state, shop(), true);
    let chosen: Vec<String> = state
        .answers
        .workloads
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(chosen, ["shop/Deployment/cart", "shop/Deployment/catalog"]);
    // Only once: what the user takes out stays out when the cluster is read again.
    keys(&mut state, "enter enter enter down space");
    assert_eq!(state.answers.workloads.len(), 1);
    state.generations.discover.advance();
    tell_mesh(&mut state, shop(), true);
    assert_eq!(state.answers.workloads.len(), 1);
}

#[test]
fn answers_to_an_old_question_fall_away() {
    let mut state = started(shop());
    let old = state.generations.discover;
    state.generations.discover.advance();
    let before = Arc::clone(&state.mesh);
    update(
        &mut state,
        Msg::Mesh {
            generation: old,
            mesh: Arc::new(mesh(Vec::new())),
            last: true,
        },
    );
    assert!(Arc::ptr_eq(&before, &state.mesh));

    keys(&mut state, "enter enter down space enter a enter enter");
    assert_eq!(state.step, Step::Options);
    let first = state.generations.plan;
    keys(&mut state, "right space");
    assert_ne!(first, state.generations.plan, "another choice asks anew");
    update(
        &mut state,
        Msg::Planned {
            generation: first,
            result: Ok(Planned::default()),
            forbidden: Vec::new(),
        },
    );
    assert!(state.options.planned.is_none());
}

#[test]
fn a_refresh_shows_no_half_read_cluster() {
    let mut state = started(shop());
    keys(&mut state, "r");
    let before = Arc::clone(&state.mesh);
    tell_mesh(&mut state, mesh(Vec::new()), false);
    assert!(Arc::ptr_eq(&before, &state.mesh));
    tell_mesh(&mut state, shop(), true);
    assert!(!Arc::ptr_eq(&before, &state.mesh));
}

#[test]
fn a_forbidden_choice_is_greyed_and_cannot_be_made() {
    let mut state = started(shop());
    keys(&mut state, "enter enter down space enter a enter enter");
    let generation = state.generations.plan;
    update(
        &mut state,
        Msg::Planned {
            generation,
            result: Ok(Planned::default()),
            forbidden: vec![Forbidden {
                option: OptionChoice::Port(MetricsPort::Envoy),
                item: None,
                why: "would lose the app's metrics".into(),
            }],
        },
    );
    let cell = &state.options.rows.rows[0].choices[1];
    assert_eq!(
        cell.blocked.as_deref(),
        Some("would lose the app's metrics")
    );
    assert!(keys(&mut state, "right space").is_empty());
    assert_eq!(state.answers.options.port, MetricsPort::Merged);
    assert!(state.notice.clone().unwrap().text.contains("lose"));
}

#[test]
fn nothing_chosen_goes_no_further_than_the_gateways() {
    let mut state = started(shop());
    keys(&mut state, "enter enter enter enter enter");
    assert_eq!(state.step, Step::Gateways);
    assert_eq!(state.notice.clone().unwrap().text, say::NOTHING_CHOSEN);
    keys(&mut state, "space enter");
    assert_eq!(state.step, Step::Options);
}

/// A workload of a Helm release and one of an Argo CD application beside it.
fn owned() -> Mesh {
    let owned = |name: &str, tool: OwnerTool| Workload {
        owner: Some(Owner {
            tool,
            name: name.into(),
        }),
        ..blocked("shop", name, owned_by(tool))
    };
    mesh(vec![
        workload("shop", "cart"),
        owned("news", OwnerTool::ArgoCd),
        owned("search", OwnerTool::Helm),
    ])
}

/// Nothing in it is without an owner.
fn owned_alone() -> Mesh {
    let mut mesh = owned();
    mesh.workloads.retain(|w| w.owner.is_some());
    mesh
}

#[test]
fn what_an_owner_holds_is_chosen_after_one_question() {
    let mut state = started(owned());
    keys(&mut state, "enter enter down space enter down down down");
    assert_eq!(under_cursor(&state), "search");
    keys(&mut state, "space");
    assert!(state.answers.workloads.is_empty());
    keys(&mut state, "t");
    let dialog = state.dialog.clone().unwrap();
    assert_eq!(dialog.kind, DialogKind::TakeOwner(OwnerTool::Helm));
    assert_eq!(dialog.buttons[dialog.focus].answer, Answer::Cancel);
    let reverts = OwnerTool::Helm.reverts().to_owned();
    assert!(dialog.lines.contains(&reverts), "{:?}", dialog.lines);
    keys(&mut state, "enter");
    assert!(
        state.answers.take.is_empty(),
        "the safe answer takes nothing"
    );
    keys(&mut state, "t tab enter space");
    assert_eq!(state.answers.take, ["helm".to_owned()].into());
    assert!(state.answers.workloads.contains(&id("shop", "search")));
    // The other owner was not named.
    keys(&mut state, "up space");
    assert_eq!(under_cursor(&state), "news");
    assert_eq!(state.answers.workloads.len(), 1);
    // A second time the word is taken back, and what was chosen by it.
    keys(&mut state, "down t");
    assert!(state.dialog.is_none());
    assert!(state.answers.take.is_empty());
    assert!(state.answers.workloads.is_empty());
    let said = state.notice.clone().unwrap().text;
    assert_eq!(said, say::one_no_longer_chosen(OwnerTool::Helm.name()));
}

#[test]
fn the_key_says_why_it_does_nothing() {
    let mut state = started(owned());
    keys(&mut state, "enter enter down space enter down t");
    assert_eq!(under_cursor(&state), "cart");
    assert!(state.dialog.is_none());
    let said = state.notice.clone().unwrap().text;
    assert_eq!(said, say::NO_OWNER_PREVENTS);
    // Where more than an owner's name stands against it.
    let mut state = started(shop());
    keys(&mut state, "enter enter space enter down down t");
    assert_eq!(under_cursor(&state), "tax");
    assert!(state.dialog.is_none());
    let said = state.notice.clone().unwrap().text;
    let reason = crate::words::reason(&own_sidecar((&id("billing", "tax")).into()));
    assert_eq!(said, say::has_no_other_owner(&reason));
}

#[test]
fn what_is_named_at_the_start_is_not_dropped() {
    let mut state = connected(Start {
        answers: Answers {
            namespaces: ["shop".to_owned()].into(),
            workloads: [id("shop", "search"), id("shop", "news")].into(),
            take: ["helm".to_owned()].into(),
            ..Answers::default()
        },
        ..Start::default()
    });
    tell_mesh(&mut state, owned(), true);
    assert_eq!(state.answers.workloads, [id("shop", "search")].into());
}

#[test]
fn a_namespace_with_nothing_to_choose_says_why_and_stays_out() {
    let mut state = started(mesh(vec![
        blocked("dull", "agent", host_network),
        workload("shop", "cart"),
    ]));
    keys(&mut state, "enter enter");
    assert_eq!(state.step, Step::Namespaces);
    let of = (&id("dull", "agent")).into();
    let host = crate::words::reason(&Problem::HostNetwork { of });
    for (name, why) in [
        ("dull", host),
        (
            "istio-system",
            say::PROMETHEUS_AND_GATEWAYS_ALONE.to_owned(),
        ),
    ] {
        let at = rows(&state).iter().position(|row| row == name).unwrap();
        state.namespaces.move_to(at);
        assert!(keys(&mut state, "space").is_empty());
        let said = state.notice.clone().unwrap().text;
        assert!(said.contains(&why), "{said}");
        assert!(!state.answers.namespaces.contains(name));
    }
    let mut state = started(owned_alone());
    keys(&mut state, "enter enter down");
    assert_eq!(under_cursor(&state), "shop");
    let Some(Row::Namespace {
        held: Some(why), ..
    }) = state.namespaces.current().cloned()
    else {
        panic!("nothing is said");
    };
    for (name, tool) in [("news", OwnerTool::ArgoCd), ("search", OwnerTool::Helm)] {
        assert!(why.contains(&say::owned_by(name, tool.name())), "{why}");
    }
    keys(&mut state, "space");
    assert_eq!(state.notice.clone().unwrap().text, *why);
    assert!(state.answers.namespaces.contains("shop"));
}

#[test]
fn a_namespace_that_is_open_in_part_names_what_is_not() {
    let mut state = started(owned());
    keys(&mut state, "enter enter down");
    let Some(Row::Namespace {
        held: Some(why),
        choosable: 1,
        ..
    }) = state.namespaces.current()
    else {
        panic!("nothing is said");
    };
    assert!(
        why.contains("news (") && why.contains("search (") && !why.contains("ledger"),
        "{why}"
    );
    keys(&mut state, "space");
    assert_eq!(state.notice, None, "what can be chosen needs no warning");
}

#[test]
fn what_a_flag_named_can_be_given_up_whatever_stands_against_it() {
    let mut state = started(mesh(vec![blocked("dull", "agent", host_network)]));
    keys(&mut state, "enter enter");
    state.answers.namespaces.insert("dull".into());
    state.namespaces.move_to(0);
    keys(&mut state, "space");
    assert!(state.answers.namespaces.is_empty());
}

#[test]
fn a_slash_on_a_kept_filter_begins_a_new_one_and_backspace_changes_the_old() {
    let mut state = started(shop());
    keys(&mut state, "enter enter / bil enter");
    assert_eq!(rows(&state), ["billing"]);
    keys(&mut state, "/ sh");
    assert_eq!(state.namespaces.filter.text, "sh");
    keys(&mut state, "enter / backspace o");
    assert_eq!(state.namespaces.filter.text, "so");
    keys(&mut state, "enter / enter");
    assert_eq!(state.namespaces.filter.text, "so");
    keys(&mut state, "esc");
    assert!(state.namespaces.filter.text.is_empty());
}
