use super::super::state::{About, Earlier};
use super::*;
use crate::mesh::AccessQuestion;
use crate::problems::Severity;

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
    without.prometheus_servers.clear();
    without.progress.insert(
        Listed::Services,
        Progress::Denied("may not list services".into()),
    );
    let state = started(without);
    let line = |about: About| {
        let found = state.cluster.checks.iter().find(|l| l.about == about);
        found.unwrap_or_else(|| panic!("no line {about:?}"))
    };
    assert_eq!(line(About::Istio).check, Check::Bad);
    assert_eq!(line(About::Istio).todo, say::INSTALL_ISTIO);
    assert_eq!(line(About::Prometheus).check, Check::Bad);
    assert!(line(About::Reading).found.contains("may not list services"));

    let mut expired = mesh(Vec::new());
    expired.server = Some(Err(crate::mesh::Failure {
        why: "401 Unauthorized".into(),
        expired: true,
    }));
    let state = started(expired);
    assert_eq!(state.cluster.checks.len(), 1);
    assert_eq!(state.cluster.checks[0].todo, say::LOG_IN_AGAIN);
    assert!(state.next_refused().is_some());
}

#[test]
fn permissions_are_all_given_only_when_all_were_asked() {
    let permissions = |mesh: &Mesh| {
        let checks = crate::wizard::cluster::checks(mesh, &Default::default());
        let found = checks
            .into_iter()
            .find(|line| line.about == About::Permissions);
        found.map(|line| (line.check, line.found)).unwrap()
    };
    let question = |verb| AccessQuestion {
        verb,
        group: "",
        resource: "pods",
        namespace: None,
    };
    let mut mesh = shop();
    mesh.asked = crate::mesh::Asked { of: 3, done: 1 };
    mesh.access.insert(question("create"), true);
    assert_eq!(
        permissions(&mesh),
        (Check::Asking, say::none_missing_so_far(1, 3))
    );
    mesh.asked.done = 3;
    mesh.access.insert(question("patch"), true);
    assert_eq!(permissions(&mesh), (Check::Warning, say::granted_but(2, 1)));
    mesh.access.insert(question("delete"), true);
    assert_eq!(permissions(&mesh), (Check::Good, say::all_granted(3)));
    mesh.access.insert(question("delete"), false);
    assert_eq!(permissions(&mesh).1, say::missing("delete pods"));
}

#[test]
fn an_undo_that_was_cut_off_is_told_as_one_and_goes_on_by_its_key() {
    let mut state = started(shop());
    let earlier = Earlier {
        run: "r1".into(),
        words: "the undo of run r1 was interrupted".into(),
        undo: true,
        answers: Some(Answers::default()),
    };
    let of = state.generations.discover;
    update(&mut state, Msg::Earlier(of, Some(Box::new(earlier))));
    let line = |state: &State| {
        let mut lines = state.cluster.checks.iter();
        let line = lines.find(|l| l.about == About::Interrupted).cloned();
        line.expect("it is told")
    };
    assert!(line(&state).found.contains("the undo of run r1"));
    assert_eq!(line(&state).todo, say::U_RESUMES_UNDO);
    let effects = keys(&mut state, "u");
    assert!(
        matches!(&effects[..], [Effect::PlanUndo(_, _, Some(run))] if run == "r1"),
        "{effects:?}"
    );
}

#[test]
fn an_earlier_run_is_looked_for_even_without_a_prometheus() {
    let mut none = shop();
    none.prometheus_servers.clear();
    let mut state = connected(Start::default());
    let of = state.generations.discover;
    let effects = update(
        &mut state,
        Msg::Mesh {
            generation: of,
            mesh: Arc::new(none),
            last: true,
        },
    );
    let asked = |effects: &[Effect]| effects.iter().any(|e| matches!(e, Effect::Earlier(..)));
    assert!(asked(&effects), "{effects:?}");
    let effects = update(
        &mut state,
        Msg::Mesh {
            generation: of,
            mesh: Arc::new(shop()),
            last: true,
        },
    );
    assert!(asked(&effects), "its records may be in the cluster");
    let effects = update(
        &mut state,
        Msg::Mesh {
            generation: of,
            mesh: Arc::new(shop()),
            last: true,
        },
    );
    assert!(!asked(&effects), "once is enough");
}

#[test]
fn expired_credentials_take_a_fresh_connection() {
    let mut state = connected(Start::default());
    let mut expired = mesh(Vec::new());
    expired.server = Some(Err(crate::mesh::Failure {
        why: "401 Unauthorized".into(),
        expired: true,
    }));
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
    two.prometheus_servers.push(Arc::new(other));
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
    none.prometheus_servers.clear();
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
fn what_stands_beside_an_owner_is_said_and_an_operators_prometheus_is_not_taken() {
    let mut owned = shop();
    let mut p = prometheus(SAMPLE);
    p.flavour = crate::mesh::PrometheusFlavour::Operator;
    p.owner = Some(Owner {
        tool: OwnerTool::Operator,
        name: "Prometheus k8s".into(),
    });
    p.obstacles.push(Problem::Owned {
        of: (&p.id).into(),
        tool: OwnerTool::Operator,
        owner: "Prometheus k8s".into(),
    });
    owned.prometheus_servers = vec![Arc::new(p.clone())];
    let mut state = started(owned.clone());
    keys(&mut state, "enter t");
    let said = state.notice.clone().unwrap().text;
    assert_eq!(said, say::OPERATOR_GENERATES);
    p.flavour = crate::mesh::PrometheusFlavour::Plain;
    p.owner = Some(Owner {
        tool: OwnerTool::Helm,
        name: "prom".into(),
    });
    let of = || (&p.id).into();
    p.obstacles = vec![
        Problem::Owned {
            of: of(),
            tool: OwnerTool::Helm,
            owner: "prom".into(),
        },
        Problem::ConfigInSecret {
            of: of(),
            file: "prometheus.yml".into(),
            secret: "the-secret".into(),
        },
    ];
    owned.prometheus_servers = vec![Arc::new(p)];
    let mut state = started(owned);
    keys(&mut state, "enter t");
    let said = state.notice.clone().unwrap().text;
    assert!(
        said.contains("Helm") && said.contains("the-secret"),
        "{said}"
    );
}

#[test]
fn the_first_step_counts_the_problems_and_lists_them() {
    let mut mesh = shop();
    let of = || Subject::new("Sidecar", "shop", "metrics");
    mesh.problems = vec![
        Problem::NamespaceSidecar { of: of() },
        own_sidecar(Subject::new("Deployment", "billing", "tax")),
    ]
    .into();
    let mut state = started(mesh);
    let lines = crate::wizard::cluster::checks(&state.mesh, &state.answers.take);
    let line = lines
        .iter()
        .find(|line| line.about == About::Problems)
        .unwrap();
    let (risk, note) = (Severity::Risk.name(), Severity::Note.name());
    assert_eq!(line.found, format!("{risk}: 1 · {note}: 1"));
    keys(&mut state, "p");
    let dialog = state.dialog.clone().unwrap();
    assert!(dialog.lines[0].contains("MS331"), "{:?}", dialog.lines);
    assert!(
        dialog
            .lines
            .iter()
            .any(|line| line.contains("billing/mine"))
    );
    keys(&mut state, "esc");
    assert!(state.dialog.is_none() && state.answers.workloads.is_empty());
    // What ends it is taken into the plan: the namespace's workloads, and nobody's that has no such remedy.
    keys(&mut state, "p tab enter");
    assert!(state.dialog.is_none());
    let chosen: Vec<String> = state
        .answers
        .workloads
        .iter()
        .map(|id| id.to_string())
        .collect();
    assert!(!chosen.is_empty(), "{:?}", state.notice);
    for id in &state.answers.workloads {
        assert_eq!(id.namespace, "shop");
        assert!(
            state
                .mesh
                .workload(id)
                .unwrap()
                .is_free(&state.answers.take)
        );
    }
    assert!(state.answers.namespaces.contains("shop"));
    // Once all of them are chosen there is nothing left to take.
    keys(&mut state, "p");
    assert_eq!(state.dialog.clone().unwrap().buttons.len(), 1);
    // Nothing was found: no line and no key.
    let mut state = started(shop());
    keys(&mut state, "p");
    assert!(state.dialog.is_none());
}

#[test]
fn a_prometheus_with_an_owner_cannot_be_chosen_and_says_why() {
    let mut owned = shop();
    let mut p = prometheus(SAMPLE);
    p.obstacles.push(Problem::Owned {
        of: (&p.id).into(),
        tool: OwnerTool::Operator,
        owner: "Prometheus k8s".into(),
    });
    owned.prometheus_servers = vec![Arc::new(p)];
    let mut state = started(owned);
    keys(&mut state, "enter space");
    assert_eq!(state.answers.prometheus, None);
    assert!(
        state
            .notice
            .clone()
            .unwrap()
            .text
            .contains("Prometheus k8s")
    );
    keys(&mut state, "enter");
    assert_eq!(state.step, Step::Prometheus);
}
