//! Journeys through `update` by messages alone.

use super::keymap::{self, Action, Key};
use super::list::Row;
use super::msg::{Effect, Generation, Msg, Target};
use super::state::{
    Answer, ChangeView, Check, Connection, Contexts, DialogKind, Forbidden, OptionChoice, Planned,
    Standing, Start, State, Step, Viewport,
};
use super::update;
use crate::answers::{Answers, Mark, MetricsPort};
use crate::engine::event::{ApplyEvent, Decision, Ended, Outcome, StepState};
use crate::error::Error;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::{
    ControlPlane, Mesh, Namespace, NamespaceInjection, Obstacle, Progress, Workload,
};
use crate::plan::review::{Conflict, Hands, Review, Reviewed, RunId, Verdict};
use crate::plan::{Action as Write, Change, ChangeId, Part, Plan, Price};
use crate::recipe::testing::{SAMPLE, gateway, id, prometheus, workload};
use serde_json::json;
use std::sync::Arc;

fn namespace(name: &str) -> Namespace {
    Namespace {
        name: name.into(),
        terminating: false,
        injection: NamespaceInjection::Enabled,
        pods: 2,
        meshed_pods: 2,
        secured: 0,
        workloads: 1,
        mtls: Default::default(),
        pod_security: None,
    }
}

fn blocked(namespace: &str, name: &str, word: &'static str) -> Workload {
    Workload {
        obstacles: vec![Obstacle {
            word,
            reason: format!("{name} can't be chosen: {word}"),
        }],
        ..workload(namespace, name)
    }
}

/// A mesh of these workloads, in the order that assembling keeps.
fn mesh(workloads: Vec<Workload>) -> Mesh {
    let mut workloads: Vec<Arc<Workload>> = workloads.into_iter().map(Arc::new).collect();
    workloads.sort_by(|a, b| a.id.sort_key().cmp(&b.id.sort_key()));
    let mut names: Vec<String> = workloads.iter().map(|w| w.id.namespace.clone()).collect();
    names.push("istio-system".into());
    names.sort();
    names.dedup();
    let mut mesh = Mesh {
        context: "demo".into(),
        server: Some(Ok("v1.36.0".into())),
        namespaces: names.iter().map(|name| namespace(name)).collect(),
        workloads,
        gateways: vec![Arc::new(gateway())],
        prometheis: vec![Arc::new(prometheus(SAMPLE))],
        ..Mesh::default()
    };
    mesh.istio.control_planes.push(ControlPlane {
        revision: "default".into(),
        namespace: "istio-system".into(),
        version: "1.31.0".into(),
        ready: true,
    });
    mesh.progress.insert("pods", Progress::Complete);
    mesh
}

fn shop() -> Mesh {
    mesh(vec![
        workload("billing", "invoice"),
        blocked("billing", "tax", "own Sidecar"),
        workload("default", "httpbin"),
        workload("shop", "cart"),
        workload("shop", "catalog"),
        blocked("shop", "search", "Helm"),
    ])
}

fn key(state: &mut State, key: Key) -> Vec<Effect> {
    update(state, Msg::Key(key))
}

/// Types keys as a person would: letters, and names in angle brackets.
fn keys(state: &mut State, text: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for word in text.split(' ') {
        let named = match word {
            "enter" => Some(Key::Enter),
            "esc" => Some(Key::Esc),
            "space" => Some(Key::Char(' ')),
            "tab" => Some(Key::Tab),
            "down" => Some(Key::Down),
            "up" => Some(Key::Up),
            "left" => Some(Key::Left),
            "right" => Some(Key::Right),
            "backspace" => Some(Key::Backspace),
            _ => None,
        };
        match named {
            Some(named) => effects.extend(key(state, named)),
            None => {
                for c in word.chars() {
                    effects.extend(key(state, Key::Char(c)));
                }
            }
        }
    }
    effects
}

fn connected(start: Start) -> State {
    let (mut state, effects) = State::new(start);
    assert!(matches!(effects[..], [Effect::LoadContexts]));
    let contexts = Contexts {
        names: vec!["demo".into()],
        current: Some("demo".into()),
    };
    let effects = update(&mut state, Msg::Contexts(Ok(contexts)));
    let [Effect::Connect(generation, _)] = effects[..] else {
        panic!("{effects:?}");
    };
    let effects = update(&mut state, Msg::Connected(generation, Ok(())));
    assert!(matches!(effects[..], [Effect::Discover(_)]));
    state
}

fn tell_mesh(state: &mut State, mesh: Mesh, last: bool) -> Vec<Effect> {
    let generation = state.generations.discover;
    update(
        state,
        Msg::Mesh {
            generation,
            mesh: Arc::new(mesh),
            last,
        },
    )
}

fn started(mesh: Mesh) -> State {
    let mut state = connected(Start::default());
    tell_mesh(&mut state, mesh, true);
    state
}

fn rows(state: &State) -> Vec<String> {
    state
        .list()
        .unwrap()
        .rows
        .iter()
        .map(|row| match row {
            Row::Context(name) => name.to_string(),
            Row::Prometheus(p) => p.id.name.clone(),
            Row::Namespace { namespace, .. } => namespace.name.clone(),
            Row::Workload(w) => format!("  {}", w.id.name),
            Row::Gateway(g) => g.workload.id.name.clone(),
        })
        .collect()
}

fn under_cursor(state: &State) -> String {
    let at = state.list().unwrap().cursor;
    rows(state)[at].trim().to_owned()
}

fn change(kind: Kind, name: &str, part: Part, needs: &[&ChangeId]) -> Change {
    let object = ObjectRef::new(kind, "shop", name);
    Change {
        id: ChangeId::new(&object, part),
        object,
        action: Write::Apply {
            intent: json!({"kind": kind.name()}),
        },
        part,
        item: Some(id("shop", "cart")),
        needs: needs.iter().map(|id| (*id).clone()).collect(),
        after: Vec::new(),
        before: Vec::new(),
        then: Vec::new(),
        why: format!("writes {name}"),
        prices: Vec::new(),
    }
}

/// Policy ← listener ← mark, and a Prometheus that loses its history.
fn plan() -> Plan {
    let policy = change(
        Kind::PeerAuthentication,
        "meshscrape-cart",
        Part::Policy,
        &[],
    );
    let listener = change(
        Kind::Sidecar,
        "meshscrape-cart",
        Part::Listener,
        &[&policy.id],
    );
    let mut mark = change(Kind::Deployment, "cart", Part::Mark, &[&listener.id]);
    mark.prices.push(Price::Restarts {
        workload: id("shop", "cart"),
        pods: 2,
    });
    Plan {
        changes: vec![policy, listener, mark],
        ..Plan::default()
    }
}

fn reviewed(change: &Change, verdict: Verdict) -> Arc<Reviewed> {
    Arc::new(Reviewed {
        change: change.clone(),
        live: None,
        after: Some(Arc::new(json!({"kind": change.object.kind.name()}))),
        verdict,
        conflicts: Vec::new(),
        warnings: Vec::new(),
        pod: None,
        intent: None,
    })
}

fn tell_plan(state: &mut State, plan: Plan) -> Vec<Effect> {
    let generation = state.generations.plan;
    update(
        state,
        Msg::Planned {
            generation,
            result: Ok(Planned {
                plan: Arc::new(plan),
            }),
            forbidden: Vec::new(),
        },
    )
}

fn tell_reviewed(state: &mut State, item: Arc<Reviewed>) -> Vec<Effect> {
    let generation = state.generations.review;
    update(
        state,
        Msg::Reviewed {
            generation,
            item,
            added: 3,
            removed: 1,
        },
    )
}

/// In the review of `plan`, every change answered by `verdict`.
fn in_review(plan: Plan, answer: impl Fn(&Change) -> Arc<Reviewed>) -> State {
    let mut state = started(shop());
    keys(
        &mut state,
        "enter enter down down down space enter down space enter enter",
    );
    assert_eq!(state.step, Step::Options);
    tell_plan(&mut state, plan.clone());
    let effects = keys(&mut state, "enter");
    assert!(
        matches!(effects[..], [Effect::Review { .. }]),
        "{effects:?}"
    );
    let generation = state.generations.review;
    let opened = Review::new("demo", RunId("run-1".into()), plan.clone());
    update(&mut state, Msg::ReviewOpened(generation, Box::new(opened)));
    for change in &plan.changes {
        tell_reviewed(&mut state, answer(change));
    }
    update(&mut state, Msg::ReviewDone(generation, Ok(())));
    state
}

fn applying() -> State {
    let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
    let effects = keys(&mut state, "enter tab enter");
    assert!(matches!(effects[..], [Effect::Apply { .. }]), "{effects:?}");
    state
}

#[test]
fn nothing_is_asked_before_the_first_message_but_the_contexts() {
    let (state, effects) = State::new(Start::default());
    assert!(matches!(effects[..], [Effect::LoadContexts]));
    assert_eq!(state.step, Step::Cluster);
    assert!(state.wants().spinner && !state.wants().watch);
}

#[test]
fn several_contexts_are_a_question_with_the_current_one_under_the_cursor() {
    let (mut state, _) = State::new(Start::default());
    let contexts = Contexts {
        names: vec!["dev".into(), "prod".into()],
        current: Some("prod".into()),
    };
    assert!(update(&mut state, Msg::Contexts(Ok(contexts))).is_empty());
    assert!(matches!(state.cluster.connection, Connection::Choosing));
    assert_eq!(under_cursor(&state), "prod");
    let effects = keys(&mut state, "up enter");
    assert!(matches!(&effects[..], [Effect::Connect(_, Some(name))] if name == "dev"));
    assert_eq!(state.step, Step::Cluster);
}

#[test]
fn a_context_named_by_a_flag_is_no_question() {
    let (mut state, _) = State::new(Start {
        context: Some("dev".into()),
        ..Start::default()
    });
    let contexts = Contexts {
        names: vec!["dev".into(), "prod".into()],
        current: Some("prod".into()),
    };
    let effects = update(&mut state, Msg::Contexts(Ok(contexts)));
    assert!(matches!(&effects[..], [Effect::Connect(_, Some(name))] if name == "dev"));
}

#[test]
fn a_broken_kubeconfig_is_a_state_and_r_reads_it_again() {
    let (mut state, _) = State::new(Start::default());
    let broken = Error::new("the kubeconfig is broken at line 3");
    update(&mut state, Msg::Contexts(Err(broken)));
    assert!(keys(&mut state, "enter").is_empty());
    assert_eq!(state.step, Step::Cluster);
    assert!(state.notice.clone().unwrap().text.contains("line 3"));
    assert!(matches!(keys(&mut state, "r")[..], [Effect::LoadContexts]));
}

#[test]
fn the_checklist_says_what_is_missing_and_what_to_do() {
    let mut without = mesh(Vec::new());
    without.istio.control_planes.clear();
    without.prometheis.clear();
    without
        .progress
        .insert("services", Progress::Denied("may not list services".into()));
    let state = started(without);
    let line = |label: &str| {
        let found = state.cluster.checks.iter().find(|l| l.label == label);
        found.unwrap_or_else(|| panic!("no line {label}"))
    };
    assert_eq!(line("Istio").check, Check::Bad);
    assert!(line("Istio").todo.contains("istioctl install"));
    assert_eq!(line("Prometheus").check, Check::Bad);
    assert!(line("Reading").found.contains("may not list services"));

    let mut expired = mesh(Vec::new());
    expired.server = Some(Err("401 Unauthorized".into()));
    let state = started(expired);
    assert_eq!(state.cluster.checks.len(), 1);
    assert!(state.cluster.checks[0].todo.contains("log in again"));
    assert!(state.next_refused().is_some());
}

#[test]
fn expired_credentials_take_a_fresh_connection() {
    let mut state = connected(Start::default());
    let mut expired = mesh(Vec::new());
    expired.server = Some(Err("401 Unauthorized".into()));
    tell_mesh(&mut state, expired, true);
    assert!(matches!(keys(&mut state, "r")[..], [Effect::Connect(..)]));
}

#[test]
fn the_only_choosable_prometheus_is_chosen_and_none_between_two() {
    let state = started(shop());
    assert_eq!(
        state.answers.prometheus,
        Some(id("istio-system", "prometheus"))
    );
    let mut two = shop();
    let mut other = prometheus(SAMPLE);
    other.id = id("monitoring", "prometheus");
    two.prometheis.push(Arc::new(other));
    let mut state = started(two);
    assert_eq!(state.answers.prometheus, None);
    // Enter takes the one under the cursor.
    keys(&mut state, "enter down enter");
    assert_eq!(
        state.answers.prometheus,
        Some(id("monitoring", "prometheus"))
    );
    assert_eq!(state.step, Step::Namespaces);
}

#[test]
fn a_missing_prometheus_is_waited_for() {
    let mut none = shop();
    none.prometheis.clear();
    let mut state = started(none);
    keys(&mut state, "enter");
    assert_eq!(state.step, Step::Prometheus);
    assert!(state.wants().rediscover.is_some());
    let effects = update(&mut state, Msg::Rediscover);
    assert!(matches!(effects[..], [Effect::Discover(_)]));
    // One question at a time.
    assert!(update(&mut state, Msg::Rediscover).is_empty());
    tell_mesh(&mut state, shop(), true);
    assert_eq!(rows(&state), ["prometheus"]);
    assert!(state.wants().rediscover.is_none());
    keys(&mut state, "enter");
    assert_eq!(state.step, Step::Namespaces);
}

#[test]
fn a_prometheus_with_an_owner_cannot_be_chosen_and_says_why() {
    let mut owned = shop();
    let mut p = prometheus(SAMPLE);
    p.obstacles.push(Obstacle {
        word: "operator",
        reason: "the operator would set it back".into(),
    });
    owned.prometheis = vec![Arc::new(p)];
    let mut state = started(owned);
    keys(&mut state, "enter space");
    assert_eq!(state.answers.prometheus, None);
    assert!(state.notice.clone().unwrap().text.contains("operator"));
    keys(&mut state, "enter");
    assert_eq!(state.step, Step::Prometheus);
}

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
    assert!(state.notice.clone().unwrap().text.contains("own Sidecar"));
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
    partial.progress.insert("workloads", Progress::Waiting);
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
fn single_items_can_differ_and_only_their_difference_is_kept() {
    let mut state = started(shop());
    keys(&mut state, "enter enter a enter a enter enter");
    keys(&mut state, "e down space right space");
    let item = state.options.each.as_ref().unwrap().rows[1].item.clone();
    assert_eq!(state.answers.port_of(&item), MetricsPort::Envoy);
    assert_eq!(state.answers.mark_of(&item), Mark::Pods);
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
fn nothing_chosen_goes_no_further_than_the_gateways() {
    let mut state = started(shop());
    keys(&mut state, "enter enter enter enter enter");
    assert_eq!(state.step, Step::Gateways);
    assert!(state.notice.clone().unwrap().text.contains("no workload"));
    keys(&mut state, "space enter");
    assert_eq!(state.step, Step::Options);
}

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
    assert!(state.notice.clone().unwrap().text.contains("2 changes"));
    // The way to apply is closed, with the reason.
    assert!(keys(&mut state, "enter").is_empty());
    assert!(state.dialog.is_none());
    keys(&mut state, "space");
    assert_eq!(state.review.counts.changes, 3);
    assert!(state.answers.leave_out.is_empty());
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
fn a_controllers_field_is_taken_by_name_only() {
    let conflicting = |c: &Change| {
        let mut item = (*reviewed(c, Verdict::Changes)).clone();
        if c.part == Part::Mark {
            item.conflicts.push(Conflict {
                manager: "argocd-controller".into(),
                field: ".spec.template.metadata.annotations".into(),
                theirs: Some(json!("a")),
                ours: Some(json!("b")),
                hands: Hands::Controller,
            });
        }
        Arc::new(item)
    };
    let mut state = in_review(plan(), conflicting);
    assert_eq!(state.review.counts.stopped, 1);
    assert!(keys(&mut state, "enter").is_empty());
    assert!(state.dialog.is_none());
    keys(&mut state, "down down t");
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
    assert_eq!(state.dialog.clone().unwrap().kind, DialogKind::ConfirmApply);
}

#[test]
fn the_question_before_writing_names_the_context_and_its_safe_answer_has_the_focus() {
    let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
    assert!(keys(&mut state, "enter").is_empty());
    let dialog = state.dialog.clone().unwrap();
    assert_eq!(dialog.title, "Apply 3 changes to demo?");
    assert!(dialog.lines[0].contains("2 pods restart"));
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
fn losing_history_takes_a_second_yes() {
    let mut with_history = plan();
    with_history.changes[0].prices.push(Price::LosesHistory {
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
    assert!(state.notice.clone().unwrap().text.contains("read-only"));
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
    let [Effect::View { generation, item }] = &effects[..] else {
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
    assert_eq!(state.apply.log.len(), super::state::LOG_LINES);
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
    let [Effect::PlanUndo(generation, Some(run))] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(run, "run-1");
    let undo = super::state::UndoPlan {
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
    history.changes[0].prices.push(Price::LosesHistory {
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
