use super::*;

#[test]
fn single_items_can_differ_and_only_their_difference_is_kept() {
    let mut state = started(shop());
    keys(&mut state, "enter enter a enter a enter enter");
    keys(&mut state, "e down space right space");
    let item = state.options.each.as_ref().unwrap().rows[1].item.clone();
    assert_eq!(state.answers.port_of(&item), MetricsPort::Envoy);
    assert_eq!(state.answers.annotate_of(&item), Annotate::Pods);
    assert_eq!(state.effective().each.len(), 1);
    keys(&mut state, "space left space");
    assert!(state.answers.each.is_empty());
    keys(&mut state, "esc");
    assert!(state.options.each.is_none());
    assert_eq!(state.step, Step::Options);
}

#[test]
fn a_plan_that_the_recipe_refuses_closes_the_way_and_says_why() {
    let mut state = started(shop());
    keys(&mut state, "enter enter down space enter a enter enter");
    let generation = state.generations.plan;
    update(
        &mut state,
        Msg::Planned {
            generation,
            result: Err(Error::new("prometheus.yml has no scrape_configs")),
            forbidden: Vec::new(),
        },
    );
    keys(&mut state, "enter");
    assert_eq!(state.step, Step::Options);
    assert!(
        state
            .notice
            .clone()
            .unwrap()
            .text
            .contains("scrape_configs")
    );
}

#[test]
fn what_all_choices_cost_alike_is_said_once() {
    let mut state = in_review(plan_of_cuts(), |c| reviewed(c, Verdict::New));
    keys(&mut state, "esc");
    let cells = state.options.rows.rows.iter().flat_map(|row| &row.choices);
    let said = crate::words::impacts(&plan_of_cuts());
    let others = crate::words::impacts(&plan());
    let cut = said.iter().find(|one| !others.contains(one)).expect("one");
    assert!(cells.into_iter().all(|cell| !cell.impact.contains(cut)));
    let all = state.options.impacts.iter();
    assert_eq!(all.filter(|one| *one == cut).count(), 1);
}

fn plan_of_cuts() -> Plan {
    let mut plan = plan();
    plan.impacts.push(Impact::CutsConnections {
        workload: id("shop", "cart"),
    });
    plan
}

#[test]
fn space_on_the_chosen_option_takes_the_next_that_can_be_and_a_click_does_not() {
    let mut state = started(shop());
    keys(
        &mut state,
        "enter enter down down down space enter down space enter enter",
    );
    assert_eq!(state.step, Step::Options);
    tell_plan(&mut state, plan());
    assert_eq!(state.options.rows.current().unwrap().label, say::ROW_PORT);
    let space = keymap::lookup(&state, Key::Char(' ')).unwrap();
    assert_eq!((space.label.as_str(), space.works()), (say::CHANGE, true));
    keys(&mut state, "space");
    assert_eq!(state.answers.options.port, MetricsPort::Envoy);
    assert_eq!(state.options.column, 1);
    update(
        &mut state,
        Msg::Click {
            target: Target::Choice(0, 1),
        },
    );
    assert_eq!(state.answers.options.port, MetricsPort::Envoy);
    keys(&mut state, "space");
    assert_eq!(state.answers.options.port, MetricsPort::Merged);
    state.options.forbidden = vec![Forbidden {
        option: OptionChoice::Port(MetricsPort::Envoy),
        item: None,
        why: "metrics would be lost".into(),
    }];
    state.derive_options();
    assert!(keys(&mut state, "space").is_empty());
    let why = state.notice.clone().unwrap().text;
    assert!(why.contains("metrics would be lost"), "{why}");
    assert_eq!(state.answers.options.port, MetricsPort::Merged);
}
