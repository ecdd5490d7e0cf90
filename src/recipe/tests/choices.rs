use super::*;
use crate::answers::{Annotate, MetricsPort};
use crate::mesh::kinds::WorkloadRef;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::{Listed, Owner, OwnerTool, SidecarState, Unread};
use crate::problems::{Problem, Subject, Unmerged};
use crate::recipe::testing::*;
use crate::recipe::{Choice, forbidden, select};
use crate::words;
use std::sync::Arc;

fn own_sidecar(of: impl Into<Subject>) -> Problem {
    Problem::OwnSidecar {
        of: of.into(),
        sidecar: ObjectRef::new(Kind::Sidecar, "demo", "mine"),
        why: Unmerged::Several,
    }
}

fn owned_by(of: impl Into<Subject>, tool: OwnerTool) -> Problem {
    Problem::Owned {
        of: of.into(),
        tool,
        owner: "web".into(),
    }
}

#[test]
fn a_namespace_alone_means_all_that_can_be_chosen_there() {
    let mut mesh = mesh();
    let mut other = workload("demo", "sleepy");
    other.obstacles = vec![own_sidecar(&other.id)];
    mesh.workloads.push(Arc::new(other));
    mesh.workloads.push(Arc::new(workload("shop", "cart")));
    let mut answers = Answers::default();
    answers.namespaces.insert("demo".into());
    let chosen = select(&mesh, &answers).expect("a selection");
    let names: Vec<String> = chosen.workloads.iter().map(|w| w.id.to_string()).collect();
    assert_eq!(names, ["demo/Deployment/httpbin"]);
    let passed_over = [own_sidecar(&id("demo", "sleepy"))];
    assert_eq!(chosen.passed_over, passed_over);
    assert_eq!(plan(&mesh, &answers).skipped, passed_over);
    answers.workloads.insert(id("shop", "cart"));
    answers.namespaces.insert("shop".into());
    assert_eq!(select(&mesh, &answers).expect("both").workloads.len(), 2);
}

#[test]
fn what_could_not_be_listed_is_not_said_to_be_absent() {
    let mut mesh = mesh();
    let why = "daemonsets: the server sent no answer";
    let failed = crate::mesh::Progress::Failed(crate::mesh::Failure::new(why));
    mesh.progress.insert(Listed::Workloads, failed);
    let mut answers = Answers::default();
    answers.workloads.insert(id("demo", "agent"));
    let words = refusal(&mesh, &answers);
    assert!(!words.contains("there is no workload"), "{words}");
    assert!(words.contains(why), "{words}");
    let mut answers = Answers::default();
    answers.namespaces.insert("demo".into());
    let skipped = plan(&mesh, &answers).skipped;
    assert!(
        matches!(&skipped[..], [Problem::ListNotRead { why: told, .. }] if told.contains(why)),
        "{skipped:?}"
    );
}

#[test]
fn envoyfilters_that_were_not_listed_are_not_taken_for_none() {
    use crate::mesh::Progress;
    let mut answers = Answers::default();
    answers.workloads.insert(id("demo", "httpbin"));
    let told = |progress| {
        let mut mesh = mesh();
        mesh.progress.insert(Listed::EnvoyFilters, progress);
        !said(&plan(&mesh, &answers), Code::FiltersNotRead).is_empty()
    };
    assert!(told(Progress::Absent));
    assert!(told(Progress::Denied("may not list envoyfilters".into())));
    assert!(!told(Progress::Complete));
}

#[test]
fn a_namespace_without_workloads_says_so_and_names_its_gateways() {
    let mut mesh = mesh();
    let of = gateway().workload.id;
    mesh.gateways = vec![Arc::new(gateway())];
    mesh.workloads.retain(|w| w.id.namespace != of.namespace);
    let mut answers = Answers::default();
    answers.namespaces.insert("demo".into());
    answers.namespaces.insert(of.namespace.clone());
    let none = Problem::NothingInNamespace {
        of: Subject::new("Namespace", "", &of.namespace),
        gateways: vec![format!("-g {}/{}", of.namespace, of.name)],
    };
    assert_eq!(plan(&mesh, &answers).skipped, [none]);
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    let mesh = mesh();
    let mut answers = Answers::default();
    answers.namespaces.insert("dmeo".into());
    assert!(refusal(&mesh, &answers).contains("did you mean `demo`"));
    let mut answers = Answers::default();
    answers.workloads.insert(id("demo", "httpbn"));
    assert!(refusal(&mesh, &answers).contains("did you mean `demo/Deployment/httpbin`"));
    let mut answers = Answers::default();
    answers.workloads.insert(id("istio-system", "httpbin"));
    let words = refusal(&mesh, &answers);
    assert!(
        words.contains("did you mean `demo/Deployment/httpbin`"),
        "{words}"
    );
    // What is near only by its namespace and kind is no guess.
    let mut answers = Answers::default();
    answers.workloads.insert(id("demo", "zzz"));
    let words = refusal(&mesh, &answers);
    assert!(!words.contains("did you mean"), "{words}");
    assert!(
        words.contains("available: demo/Deployment/httpbin"),
        "{words}"
    );
    let mut answers = super::super::testing::answers(false);
    answers
        .gateways
        .insert("istio-system/istio-ingresgateway".parse().expect("a name"));
    assert!(refusal(&mesh, &answers).contains("did you mean `istio-system/istio-ingressgateway`"));
    let mut answers = super::super::testing::answers(false);
    answers.prometheus = Some(id("istio-system", "promtheus"));
    assert!(refusal(&mesh, &answers).contains("did you mean `istio-system/Deployment/prometheus`"));
    let mut answers = Answers::default();
    answers
        .workloads
        .insert(id("istio-system", "istio-ingressgateway"));
    assert!(refusal(&mesh, &answers).contains("-g istio-system/istio-ingressgateway"));
    assert!(refusal(&mesh, &Answers::default()).contains("no workloads or gateways are chosen"));
}

#[test]
fn what_cannot_be_chosen_is_refused_with_its_reason() {
    let mut mesh = mesh();
    with_workload(&mut mesh, |w| w.obstacles = vec![own_sidecar(&w.id)]);
    let error = select(&mesh, &answers(false)).expect_err("refused");
    assert_eq!(error.kind.exit_code(), 1, "as the README says");
    assert!(error.causes[0].contains("Sidecar demo/mine"));
    assert!(!error.hints.is_empty());
    mesh.workloads.push(Arc::new(workload("demo", "cart")));
    assert!(refusal(&mesh, &answers(false)).contains("-n demo selects the available workloads"));
    let mut mesh = super::super::testing::mesh();
    with_prometheus(&mut mesh, |p| {
        p.obstacles = vec![owned_by(&p.id, OwnerTool::Operator)]
    });
    assert!(refusal(&mesh, &answers(false)).contains("web"));
}

#[test]
fn no_name_is_proposed_that_cannot_be_chosen() {
    let mut mesh = mesh();
    let mut search = workload("demo", "search");
    search.obstacles = vec![own_sidecar(&search.id)];
    mesh.workloads.push(Arc::new(search));
    let mut answers = Answers::default();
    answers.workloads.insert(id("demo", "serch"));
    let words = refusal(&mesh, &answers);
    assert!(
        words.contains("`demo/Deployment/search` is similar, but not available: "),
        "{words}"
    );
    let mut answers = Answers::default();
    answers.workloads.insert(id("demo", "zzz"));
    let words = refusal(&mesh, &answers);
    assert!(!words.contains("search"), "{words}");
    let mut far = mesh.clone();
    far.workloads.retain(|w| w.id.name == "search");
    assert!(refusal(&far, &answers).contains("the wizard lists them all"));
}

#[test]
fn it_never_guesses_between_two_prometheis() {
    let mut mesh = mesh();
    let mut second = prometheus(SAMPLE);
    second.id = id("monitoring", "prometheus");
    mesh.prometheus_servers.push(Arc::new(second));
    let words = refusal(&mesh, &answers(false));
    assert!(
        words.contains("istio-system/Deployment/prometheus"),
        "{words}"
    );
    assert!(
        words.contains("monitoring/Deployment/prometheus"),
        "{words}"
    );
    let mut named = answers(false);
    named.prometheus = Some(id("monitoring", "prometheus"));
    assert_eq!(
        select(&mesh, &named)
            .expect("named")
            .prometheus
            .id
            .namespace,
        "monitoring"
    );
    let first = Arc::make_mut(&mut mesh.prometheus_servers[0]);
    first.obstacles = vec![owned_by(&first.id, OwnerTool::Helm)];
    assert_eq!(
        select(&mesh, &answers(false))
            .expect("the other")
            .prometheus
            .id
            .namespace,
        "monitoring"
    );
}

#[test]
fn ending_the_plaintext_jobs_with_15090_is_forbidden_where_it_loses() {
    let mesh = mesh();
    let mut answers = answers(false);
    answers.options.port = MetricsPort::Envoy;
    let default = plan(&mesh, &answers);
    assert!(
        part(&default, Part::PlaintextJobs).is_none(),
        "the old jobs stay"
    );
    assert_eq!(said(&default, Code::PlaintextScrapeStays), ["httpbin"]);
    assert!(
        forbidden(&mesh, &answers)
            .iter()
            .any(|f| f.choice == Choice::StopPlaintextJobs)
    );
    answers.options.stop_plaintext_jobs = Some(true);
    assert!(refusal(&mesh, &answers).contains("--lose-metrics"));
    answers.options.port = MetricsPort::Merged;
    assert!(part(&plan(&mesh, &answers), Part::PlaintextJobs).is_some());
    answers.options.stop_plaintext_jobs = Some(false);
    assert!(part(&plan(&mesh, &answers), Part::PlaintextJobs).is_none());
}

#[test]
fn with_15090_scraped_today_nothing_is_lost() {
    let mut mesh = mesh();
    with_workload(&mut mesh, |w| w.scraped.plaintext = Some(15090));
    let mut answers = answers(false);
    answers.options.port = MetricsPort::Envoy;
    assert!(part(&plan(&mesh, &answers), Part::PlaintextJobs).is_some());
}

#[test]
fn an_app_scraped_by_itself_where_merging_is_off_keeps_its_job() {
    let mut mesh = mesh();
    with_workload(&mut mesh, |w| {
        w.scraped.plaintext = Some(8080);
        w.template
            .metadata
            .annotations
            .insert("prometheus.istio.io/merge-metrics".into(), "false".into());
    });
    assert!(part(&plan(&mesh, &answers(false)), Part::PlaintextJobs).is_none());
}

#[test]
fn running_pods_cannot_be_marked_where_a_restart_comes() {
    let mut mesh = mesh();
    with_workload(&mut mesh, |w| w.sidecar = SidecarState::AfterRestart);
    let mut answers = answers(false);
    answers.options.inject = true;
    let why = forbidden(&mesh, &answers);
    assert!(
        why.iter()
            .any(|f| f.choice == Choice::Annotate(Annotate::Pods)
                && f.item == Some(id("demo", "httpbin")))
    );
    answers.options.annotate = Annotate::Pods;
    let of = (&id("demo", "httpbin")).into();
    let why = words::sentence(&Problem::RestartRemovesAnnotation { of });
    assert!(refusal(&mesh, &answers).contains(&why));
}

#[test]
fn marks_on_running_pods_with_plaintext_closed_are_forbidden() {
    let mut mesh = mesh();
    with_workload(&mut mesh, |w| {
        w.template.metadata.annotations.insert(
            "proxy.istio.io/config".into(),
            "{proxyMetadata: {METRICS_LOCALHOST_ACCESS_ONLY: \"true\"}}".into(),
        );
    });
    let mut answers = answers(false);
    answers.options.annotate = Annotate::Pods;
    let of = (&id("demo", "httpbin")).into();
    let why = words::sentence(&Problem::MetricsInsidePodOnly { of });
    assert!(refusal(&mesh, &answers).contains(&why));
}

#[test]
fn items_carry_their_own_options() {
    let mut answers = answers(true);
    let gateway = id("istio-system", "istio-ingressgateway");
    answers.each.entry(gateway.clone()).or_default().port = Some(MetricsPort::Envoy);
    let chosen = select(&mesh(), &answers).expect("a selection");
    let expected: Vec<(WorkloadRef, MetricsPort, Annotate)> = vec![
        (
            id("demo", "httpbin"),
            MetricsPort::Merged,
            Annotate::Template,
        ),
        (gateway, MetricsPort::Envoy, Annotate::Template),
    ];
    assert_eq!(chosen.refs(&answers), expected);
}

#[test]
fn a_prometheus_whose_text_was_not_read_is_refused() {
    let mut mesh = mesh();
    with_prometheus(&mut mesh, |p| {
        if let Some(config) = &mut p.config {
            config.text = Err(Unread::Failed("no permission to get configmaps".into()));
        }
    });
    assert!(refusal(&mesh, &answers(false)).contains("no permission"));
}

fn owned(of: &WorkloadRef, tool: OwnerTool, more: &[Problem]) -> (Option<Owner>, Vec<Problem>) {
    let owner = Owner {
        tool,
        name: "web".into(),
    };
    let mut obstacles = vec![owned_by(of, tool)];
    obstacles.extend_from_slice(more);
    (Some(owner), obstacles)
}

#[test]
fn what_an_owner_holds_is_chosen_only_by_its_name() {
    let mut mesh = mesh();
    with_workload(&mut mesh, |w| {
        (w.owner, w.obstacles) = owned(&w.id, OwnerTool::Helm, &[])
    });
    let mut answers = answers(false);
    let words = refusal(&mesh, &answers);
    assert!(words.contains("--force-owner helm"), "{words}");
    assert!(words.contains("next upgrade"), "{words}");
    answers.take = ["argocd".to_owned()].into();
    assert!(refusal(&mesh, &answers).contains("web"));
    answers.take = ["helm".to_owned()].into();
    assert_eq!(select(&mesh, &answers).expect("taken").workloads.len(), 1);
    // A namespace named as a whole takes it too.
    answers.workloads.clear();
    answers.namespaces = ["demo".to_owned()].into();
    assert_eq!(select(&mesh, &answers).expect("taken").workloads.len(), 1);
    // Whatever else stands against it is no matter of its owner.
    let other = [own_sidecar(&id("demo", "httpbin"))];
    with_workload(&mut mesh, |w| {
        (w.owner, w.obstacles) = owned(&w.id, OwnerTool::Helm, &other)
    });
    let words = refusal(&mesh, &answers);
    assert!(words.contains("demo/mine"), "{words}");
    assert_eq!(words.matches("demo/mine").count(), 1, "{words}");
}

#[test]
fn a_prometheus_of_helm_can_be_taken_and_one_of_the_operator_cannot() {
    let mut mesh = mesh();
    with_prometheus(&mut mesh, |p| {
        (p.owner, p.obstacles) = owned(&p.id, OwnerTool::Helm, &[])
    });
    let mut answers = answers(false);
    assert!(refusal(&mesh, &answers).contains("--force-owner helm"));
    answers.take = ["helm".to_owned(), "operator".to_owned()].into();
    assert!(select(&mesh, &answers).is_ok());
    with_prometheus(&mut mesh, |p| {
        (p.owner, p.obstacles) = owned(&p.id, OwnerTool::Operator, &[])
    });
    let words = refusal(&mesh, &answers);
    assert!(words.contains("web"), "{words}");
    assert!(!words.contains("--force-owner"), "{words}");
}

#[test]
fn pods_annotated_otherwise_than_their_template_are_annotated_again_without_a_restart() {
    use crate::plan::{Action, Part};
    let annotated = |workload: crate::mesh::Workload| {
        let mut mesh = mesh();
        mesh.workloads = vec![Arc::new(workload)];
        let mut answers = Answers::default();
        answers.workloads.insert(id("shop", "cart"));
        let plan = plan(&mesh, &answers);
        let annotations = plan
            .changes
            .into_iter()
            .filter(|c| c.part == Part::Annotation);
        annotations
            .map(|c| (c.object.name.clone(), c.impacts.len(), c.action))
            .collect::<Vec<_>>()
    };
    let mut cart = workload("shop", "cart");
    let annotations = &mut cart.template.metadata.annotations;
    annotations.insert(crate::recipe::ANNOTATION.into(), "15091".into());
    cart.pods[0].secure_port = Some("15091".into());
    for port in [None, Some("15092".to_owned())] {
        cart.pods[1].secure_port = port;
        let found = annotated(cart.clone());
        let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["cart", "cart-2"]);
        let (_, impacts, Action::Apply { intent }) = &found[1] else {
            panic!("{found:?}");
        };
        assert_eq!(*impacts, 0);
        assert_eq!(
            intent["metadata"]["annotations"][crate::recipe::ANNOTATION],
            "15091"
        );
    }
    // While older pods are still being replaced they differ by right; where all restart they come right.
    let mut rolling = cart.clone();
    rolling.rolled_out = false;
    assert_eq!(annotated(rolling).len(), 1);
    let mut unannotated = cart;
    unannotated.template.metadata.annotations.clear();
    assert_eq!(annotated(unannotated).len(), 1);
}
