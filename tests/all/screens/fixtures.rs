//! A small mesh, and states of the wizard on it.

use jiff::Timestamp;
use meshscrape::answers::{GatewayRef, Mark, MetricsPort};
use meshscrape::engine::event::{Ended, Outcome, StepState};
use meshscrape::error::Error;
use meshscrape::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
use meshscrape::mesh::{
    ControlPlane, Gateway, GatewayFlavour, Governed, Istio, Mesh, MtlsMode, Namespace,
    NamespaceInjection, Obstacle, Owner, OwnerTool, Progress, Prometheus, PrometheusConfig,
    PrometheusFlavour, Scraped, ServicePort, SidecarState, Storage, Workload,
};
use meshscrape::plan::{ChangeId, Part};
use meshscrape::targets::{
    Board, Cause, Counts, Expected, Probe, ReplicaNote, Row as TargetRow, State as TargetState,
};
use meshscrape::wizard::list::{List, Row};
use meshscrape::wizard::state::{
    Answer, ApplyRow, Button, ChangeView, Check, CheckLine, Connection, Contexts, Dialog,
    DialogKind, DiffLine, EachRow, LineSign, Notice, OptionCell, OptionChoice, OptionRow, Planned,
    ReviewCounts, ReviewRow, Sign, Standing, State, Step, Tone, ViewNote,
};
use std::sync::Arc;
use std::time::Duration;

pub fn deployment(namespace: &str, name: &str) -> WorkloadRef {
    WorkloadRef::new(namespace, Kind::Deployment, name)
}

pub fn workload(namespace: &str, name: &str) -> Workload {
    Workload {
        id: deployment(namespace, name),
        uid: format!("uid-{name}"),
        desired: 2,
        ready: 2,
        pods: Vec::new(),
        template: Default::default(),
        selector: [("app".to_owned(), name.to_owned())].into(),
        services: vec![ServicePort {
            service: name.to_owned(),
            port: 80,
            target: Some(8080),
            name: Some("http".into()),
            app_protocol: None,
            transport: "TCP".into(),
        }],
        sidecar: SidecarState::Injected {
            versions: vec!["1.31.0".into()],
            revision: "default".into(),
        },
        mtls: (MtlsMode::Permissive, None),
        governed_by: Governed::default(),
        scraped: Scraped {
            plaintext: Some(15020),
            ..Scraped::default()
        },
        envoy_filters: Vec::new(),
        owner: None,
        obstacles: Vec::new(),
        ours: Vec::new(),
        secured_port: None,
    }
}

fn workloads() -> Vec<Arc<Workload>> {
    let mut cart = workload("shop", "cart");
    cart.desired = 3;
    cart.ready = 3;
    cart.scraped.app_metrics = true;
    cart.envoy_filters = vec![ObjectRef::new(Kind::EnvoyFilter, "shop", "ratelimit")];
    let mut legacy = workload("shop", "legacy");
    legacy.desired = 1;
    legacy.ready = 1;
    legacy.sidecar = SidecarState::Impossible;
    legacy.scraped.plaintext = None;
    legacy.obstacles = vec![Obstacle {
        word: "host network",
        reason:
            "Deployment shop/legacy runs on the host's network, where Istio injects no sidecar. \
                 Take hostNetwork out of its pod template to choose it."
                .into(),
    }];
    let mut ledger = workload("shop", "ledger");
    ledger.id.kind = Kind::StatefulSet;
    ledger.desired = 3;
    ledger.ready = 3;
    ledger.scraped = Scraped {
        secure: true,
        secure_template: true,
        ..Scraped::default()
    };
    ledger.secured_port = Some(15020);
    let mut tax = workload("billing", "tax");
    tax.obstacles = vec![Obstacle {
        word: "own Sidecar",
        reason: "Sidecar billing/tax selects its pods; a second one would be ignored.".into(),
    }];
    let mut report = workload(
        "billing",
        "report-generator-for-quarterly-statements-eu-central",
    );
    report.sidecar = SidecarState::Switchable { revision: None };
    report.scraped.plaintext = None;
    vec![
        Arc::new(workload("billing", "invoice")),
        Arc::new(report),
        Arc::new(tax),
        Arc::new(cart),
        Arc::new(workload("shop", "httpbin")),
        Arc::new(ledger),
        Arc::new(legacy),
    ]
}

fn namespace(name: &str, injection: NamespaceInjection, figures: [usize; 4]) -> Namespace {
    Namespace {
        name: name.into(),
        terminating: false,
        injection,
        pods: figures[0],
        meshed_pods: figures[1],
        workloads: figures[2],
        secured: figures[3],
        mtls: (MtlsMode::Permissive, None),
        pod_security: None,
    }
}

pub fn prometheus(namespace: &str, name: &str) -> Prometheus {
    Prometheus {
        id: deployment(namespace, name),
        flavour: PrometheusFlavour::IstioSample,
        owner: None,
        desired: 1,
        pods: Vec::new(),
        template: Default::default(),
        service_account: "prometheus".into(),
        container: "prometheus-server".into(),
        http_port: 9090,
        route_prefix: String::new(),
        web_config: false,
        config: Some(PrometheusConfig {
            config_map: ObjectRef::new(Kind::ConfigMap, namespace, name),
            key: "prometheus.yml".into(),
            text: Ok("scrape_configs: []".into()),
            sub_path: false,
        }),
        reloader: true,
        lifecycle: true,
        storage: Storage::EmptyDir,
        strategy: "Recreate".into(),
        sidecar: false,
        certificates: None,
        obstacles: Vec::new(),
        faults: Vec::new(),
    }
}

fn prometheis() -> Vec<Arc<Prometheus>> {
    let mut chart = prometheus("observability", "kube-prometheus-stack-prometheus");
    chart.flavour = PrometheusFlavour::Operator;
    chart.id.kind = Kind::StatefulSet;
    chart.storage = Storage::Lasting("PersistentVolumeClaim prometheus-db".into());
    chart.owner = Some(Owner {
        tool: OwnerTool::Operator,
        name: "Prometheus observability/main".into(),
    });
    chart.obstacles = vec![Obstacle {
        word: "operator",
        reason:
            "The Prometheus operator writes its configuration; a direct change would be set back."
                .into(),
    }];
    vec![
        Arc::new(prometheus("istio-system", "prometheus")),
        Arc::new(chart),
    ]
}

fn gateways() -> Vec<Arc<Gateway>> {
    let gateway = |name: &str, role: &str| Gateway {
        workload: Workload {
            desired: 1,
            ready: 1,
            ..workload("istio-system", name)
        },
        flavour: GatewayFlavour::Classic,
        selector: [("istio".to_owned(), format!("{role}gateway"))].into(),
        on_15091: Vec::new(),
        role: role.into(),
    };
    let mut api = gateway("public-istio", "ingress");
    api.flavour = GatewayFlavour::GatewayApi;
    api.workload.obstacles = vec![Obstacle {
        word: "Gateway API",
        reason: "Gateway API gateways are not covered yet.".into(),
    }];
    vec![
        Arc::new(gateway("istio-egressgateway", "egress")),
        Arc::new(gateway("istio-ingressgateway", "ingress")),
        Arc::new(api),
    ]
}

pub fn mesh() -> Mesh {
    Mesh {
        context: "prod-eu".into(),
        server: Some(Ok("v1.36.1".into())),
        istio: Istio {
            control_planes: vec![ControlPlane {
                revision: "default".into(),
                namespace: "istio-system".into(),
                version: "1.31.0".into(),
                ready: true,
            }],
            root_namespace: "istio-system".into(),
            trust_domain: "cluster.local".into(),
            ..Istio::default()
        },
        namespaces: vec![
            namespace("billing", NamespaceInjection::Enabled, [6, 4, 3, 0]),
            namespace("default", NamespaceInjection::None, [0, 0, 0, 0]),
            namespace("kube-system", NamespaceInjection::Never, [1_204, 0, 12, 0]),
            namespace(
                "shop",
                NamespaceInjection::Revision("canary".into()),
                [9, 8, 4, 1],
            ),
        ],
        workloads: workloads(),
        gateways: gateways(),
        prometheis: prometheis(),
        ..Mesh::default()
    }
}

pub fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().expect("a timestamp")
}

fn list<R>(rows: Vec<R>, cursor: usize) -> List<R> {
    List {
        rows: rows.into(),
        cursor,
        ..List::default()
    }
}

/// A state in the middle of the wizard: everything read, some things chosen.
pub fn state(step: Step) -> State {
    let mesh = Arc::new(mesh());
    let mut state = State {
        step,
        reached: step,
        now: Some(now()),
        ..State::default()
    };
    state.cluster.context = Some("prod-eu".into());
    state.cluster.connection = Connection::Open;
    state.cluster.checks = checks();
    state.answers.prometheus = Some(deployment("istio-system", "prometheus"));
    state.answers.namespaces = ["billing".to_owned(), "shop".to_owned()].into();
    state.answers.workloads = [
        deployment("billing", "invoice"),
        deployment("shop", "cart"),
        deployment("shop", "httpbin"),
    ]
    .into();
    state.answers.gateways = [GatewayRef {
        namespace: "istio-system".into(),
        name: "istio-ingressgateway".into(),
    }]
    .into();
    state.chosen_in = [("billing".to_owned(), 1), ("shop".to_owned(), 2)].into();
    state.prometheus = list(
        mesh.prometheis
            .iter()
            .cloned()
            .map(Row::Prometheus)
            .collect(),
        0,
    );
    let head = |at: usize, open, choosable, shown| Row::Namespace {
        namespace: Arc::new(mesh.namespaces[at].clone()),
        open,
        choosable,
        shown,
    };
    state.namespaces = list((0..4).map(|at| head(at, false, 2, 0)).collect(), 3);
    let of = |namespace: &str| {
        let rows = mesh
            .workloads
            .iter()
            .filter(|w| w.id.namespace == namespace);
        rows.cloned().map(Row::Workload).collect::<Vec<_>>()
    };
    let mut rows = vec![head(0, true, 2, 3)];
    rows.extend(of("billing"));
    rows.push(head(3, true, 3, 4));
    rows.extend(of("shop"));
    state.workloads = list(rows, 5);
    state.gateways = list(mesh.gateways.iter().cloned().map(Row::Gateway).collect(), 1);
    state.mesh = mesh;
    options(&mut state);
    if step >= Step::Review {
        review(&mut state);
    }
    if step >= Step::Apply {
        apply(&mut state);
    }
    if step == Step::Status {
        ended(&mut state);
        status(&mut state);
    }
    state
}

pub fn contexts(state: &mut State) {
    let names = ["kind-dev", "prod-eu", "prod-us"];
    state.cluster.contexts = Some(Contexts {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        current: Some("prod-eu".into()),
    });
    state.cluster.list = list(
        names
            .iter()
            .map(|name| Row::Context((*name).into()))
            .collect(),
        1,
    );
    state.cluster.connection = Connection::Choosing;
    state.cluster.context = None;
    state.mesh = Arc::new(Mesh::default());
}

fn checks() -> Vec<CheckLine> {
    let line = |check, label, found: &str, todo: &str| CheckLine {
        check,
        label,
        found: found.into(),
        todo: todo.into(),
    };
    vec![
        line(Check::Good, "API server", "Kubernetes 1.36.1", ""),
        line(Check::Good, "Istio", "1.31.0 in istio-system", ""),
        line(Check::Skipped, "ambient", "not in use", ""),
        line(Check::Good, "trust domain", "cluster.local", ""),
        line(
            Check::Good,
            "mesh-wide mTLS",
            "PERMISSIVE, Istio's default",
            "",
        ),
        line(
            Check::Warning,
            "Prometheus",
            "2 found, 1 can be chosen",
            "The operator's Prometheus is not covered yet.",
        ),
        line(
            Check::Bad,
            "may write Sidecars",
            "no: sidecars.networking.istio.io, verb patch",
            "Ask for the ClusterRole of the README; Apply is closed without it.",
        ),
        line(Check::Asking, "may write policies", "", ""),
    ]
}

fn options(state: &mut State) {
    let cell = |choice, label: &str, chosen| OptionCell {
        choice,
        label: label.into(),
        price: String::new(),
        risk: String::new(),
        chosen,
        blocked: None,
    };
    let mut envoy = cell(
        OptionChoice::Port(MetricsPort::Envoy),
        "15090 Envoy only",
        false,
    );
    envoy.risk = "The app's metrics of 1 workload would go on in plaintext.".into();
    let mut template = cell(OptionChoice::MarkTemplate, "on the template: lasting", true);
    template.price = "7 pods restart.".into();
    let mut keep = cell(OptionChoice::KeepPlaintext, "let them go on", false);
    keep.blocked = Some("every series would count twice".into());
    let rows = vec![
        OptionRow {
            label: "Port",
            choices: vec![
                cell(
                    OptionChoice::Port(MetricsPort::Merged),
                    "15020 merged: Envoy, agent and app",
                    true,
                ),
                envoy,
            ],
        },
        OptionRow {
            label: "Mark pods",
            choices: vec![
                template,
                cell(
                    OptionChoice::MarkPods,
                    "on running pods: gone with the pod",
                    false,
                ),
            ],
        },
        OptionRow {
            label: "Plaintext jobs",
            choices: vec![
                cell(OptionChoice::StopPlaintext, "leave secured pods out", true),
                keep,
            ],
        },
    ];
    state.options.rows = list(rows, 1);
    state.options.planned = Some(Ok(Planned::default()));
    state.options.prices = vec![
        "Prometheus istio-system/prometheus restarts and loses its history (emptyDir).".into(),
        "7 pods of 3 workloads restart.".into(),
        "Connections open for more than 45 s to 3 workloads are cut once.".into(),
    ];
}

pub fn each(state: &mut State) {
    let row = |name: &str, port, differs| EachRow {
        item: deployment("shop", name),
        gateway: false,
        port,
        mark: Mark::Template,
        port_differs: differs,
        mark_differs: false,
    };
    state.options.each = Some(list(
        vec![
            row("cart", MetricsPort::Merged, false),
            row("httpbin", MetricsPort::Envoy, true),
        ],
        1,
    ));
}

fn changes() -> Vec<(ObjectRef, Part)> {
    let of =
        |kind, namespace: &str, name: &str, part| (ObjectRef::new(kind, namespace, name), part);
    vec![
        of(
            Kind::Deployment,
            "istio-system",
            "prometheus",
            Part::PrometheusPod,
        ),
        of(
            Kind::ConfigMap,
            "istio-system",
            "prometheus",
            Part::ScrapeJob,
        ),
        of(
            Kind::PeerAuthentication,
            "shop",
            "meshscrape-httpbin",
            Part::Policy,
        ),
        of(
            Kind::AuthorizationPolicy,
            "shop",
            "meshscrape-httpbin",
            Part::Policy,
        ),
        of(Kind::Sidecar, "shop", "meshscrape-httpbin", Part::Listener),
        of(Kind::Deployment, "shop", "httpbin", Part::Mark),
        of(Kind::Deployment, "billing", "invoice", Part::Mark),
    ]
}

fn review(state: &mut State) {
    let figures = [(14, 0), (22, 0), (12, 0), (19, 0), (21, 0), (1, 1), (1, 0)];
    let rows = changes()
        .into_iter()
        .zip(figures)
        .enumerate()
        .map(|(at, ((object, part), (added, removed)))| ReviewRow {
            id: ChangeId::new(&object, part),
            sign: if (2..5).contains(&at) {
                Sign::New
            } else {
                Sign::Changed
            },
            standing: match at {
                3 => Standing::Unverified("its namespace comes first".into()),
                5 => Standing::Asking,
                6 => Standing::Conflict(vec!["argocd-controller".into()]),
                _ => Standing::Ready,
            },
            object,
            part,
            why: "Gives Prometheus a sidecar that writes its certificates to a shared volume."
                .into(),
            added,
            removed,
            warnings: usize::from(at == 1),
            takes: usize::from(at == 0),
        })
        .collect();
    state.review.rows = list(rows, 0);
    state.review.done = true;
    state.review.counts = ReviewCounts {
        changes: 7,
        new: 3,
        patched: 4,
        restarts: 6,
        stopped: 1,
        ..ReviewCounts::default()
    };
    let same = |text: &str| DiffLine {
        sign: LineSign::Same,
        pieces: vec![(false, text.into())],
    };
    let changed = |sign, word: &str| DiffLine {
        sign,
        pieces: vec![
            (false, "        sidecar.istio.io/inject: ".into()),
            (true, word.into()),
        ],
    };
    let fold = DiffLine {
        sign: LineSign::Fold,
        pieces: vec![(false, "… 41 unchanged lines".into())],
    };
    let (old, new) = (
        changed(LineSign::Removed, "\"false\""),
        changed(LineSign::Added, "\"true\""),
    );
    let unified = vec![
        same("spec:"),
        same("  template:"),
        same("    metadata:"),
        same("      labels:"),
        old.clone(),
        new.clone(),
        fold.clone(),
    ];
    let mut pairs: Vec<_> = unified[..4]
        .iter()
        .map(|line| (Some(line.clone()), Some(line.clone())))
        .collect();
    pairs.push((Some(old), Some(new)));
    pairs.push((None, Some(fold)));
    state.review.view = Some(Arc::new(ChangeView {
        id: state.review.rows.current().map(|row| row.id.clone()),
        unified,
        pairs,
        yaml: vec!["apiVersion: apps/v1".into(), "kind: Deployment".into()],
        kubectl: vec![
            "# as server-side apply".into(),
            "kubectl apply --server-side …".into(),
        ],
        notes: vec![
            ViewNote {
                tone: Tone::Plain,
                text: "Gives Prometheus a sidecar that writes its certificates to a shared volume."
                    .into(),
            },
            ViewNote {
                tone: Tone::Waiting,
                text: "Its history is in an emptyDir and is lost.".into(),
            },
        ],
    }));
}

fn apply(state: &mut State) {
    let states = [
        StepState::Done,
        StepState::Unchanged,
        StepState::Done,
        StepState::Done,
        StepState::Writing,
        StepState::Rollout {
            updated: 2,
            ready: 1,
            desired: 2,
            note: "httpbin-5d9c is starting".into(),
        },
        StepState::Pending,
    ];
    let rows = changes()
        .into_iter()
        .zip(states)
        .map(|((object, part), state)| ApplyRow {
            id: ChangeId::new(&object, part),
            object,
            part,
            why: String::new(),
            written: state == StepState::Done,
            state,
        })
        .collect();
    state.apply.rows = list(rows, 4);
    state.apply.running = true;
    state.apply.began = Some(now() - jiff::SignedDuration::from_secs(75));
    state.apply.run = Some("20260101-115845-x7".into());
    state.apply.log = [
        "11:58:45 Deployment istio-system/prometheus written",
        "11:59:12 rollout of istio-system/prometheus is complete",
        "11:59:13 PeerAuthentication shop/meshscrape-httpbin written and read back",
    ]
    .map(str::to_owned)
    .into();
}

pub fn failed(state: &mut State) {
    let Some(row) = state.apply.rows.rows.get(4) else {
        return;
    };
    let id = row.id.clone();
    let error = Error::new("Sidecar shop/meshscrape-httpbin was refused")
        .cause("admission webhook \"validation.istio.io\" denied the request: port 15091 is used twice")
        .hint("leave it out, or remove the other listener and retry");
    state.apply.stopped = Some((id, error));
    state.dialog = Some(Dialog {
        kind: DialogKind::Stopped,
        title: "A change failed".into(),
        lines: vec![
            "Sidecar shop/meshscrape-httpbin was refused. 4 changes are written, 3 are not.".into(),
        ],
        input: None,
        buttons: vec![
            button("Retry", Answer::Retry, false),
            button("Leave out", Answer::LeaveOut, false),
            button("Undo", Answer::Undo, true),
            button("Stop here", Answer::Stop, false),
        ],
        focus: 0,
    });
}

pub fn ended(state: &mut State) {
    let mut rows = state.apply.rows.rows.to_vec();
    for row in &mut rows {
        row.state = StepState::Done;
    }
    state.apply.rows.rows = rows.into();
    state.apply.running = false;
    state.apply.outcome = Some(Outcome {
        ended: Ended::Whole,
        all_up: true,
        ..Outcome::default()
    });
    state.apply.summary = vec![
        "7 changes were written.".into(),
        "All 6 targets are UP over mTLS; plaintext was seen refused at each.".into(),
    ];
}

pub fn button(label: &str, answer: Answer, danger: bool) -> Button {
    Button {
        label: label.into(),
        answer,
        danger,
    }
}

pub fn confirm(state: &mut State) {
    state.dialog = Some(Dialog {
        kind: DialogKind::ConfirmApply,
        title: "Apply 7 changes to prod-eu?".into(),
        lines: vec![
            "3 objects are new, 4 are patched. 6 pods restart.".into(),
            "Connections open for more than 45 s are cut once.".into(),
        ],
        input: None,
        buttons: vec![
            button("Not yet", Answer::Cancel, false),
            button("Apply", Answer::Yes, true),
        ],
        focus: 0,
    });
}

pub fn ask_file(state: &mut State) {
    state.dialog = Some(Dialog {
        kind: DialogKind::SaveAnswers,
        title: "Save the answers".into(),
        lines: vec!["File to write:".into()],
        input: Some("meshscrape-answers.yaml".into()),
        buttons: vec![
            button("Cancel", Answer::Cancel, false),
            button("Save", Answer::Yes, false),
        ],
        focus: 1,
    });
}

pub fn note(state: &mut State, tone: Tone, text: &str) {
    state.notice = Some(Notice {
        tone,
        text: text.into(),
    });
}

pub fn target(namespace: &str, name: &str, pod: &str, state: TargetState) -> TargetRow {
    TargetRow {
        expected: Expected {
            item: deployment(namespace, name),
            gateway: false,
            pod: pod.into(),
            uid: pod.into(),
            ip: Some("10.42.0.17".into()),
            phase: "Running".into(),
            ready: true,
            sidecar: true,
            secure_port: Some("15091".into()),
            started: None,
            port: MetricsPort::Merged,
        },
        state,
        probe: Probe::NotAsked,
        last_scrape: None,
        took: None,
        trend: Vec::new(),
        next_scrape: None,
    }
}

fn up(mut row: TargetRow, probe: Probe) -> TargetRow {
    row.probe = probe;
    row.last_scrape = Some(now() - jiff::SignedDuration::from_secs(3));
    row.took = Some(Duration::from_millis(4));
    row.trend = vec![0.004, 0.005, 0.004, 0.009, 0.004];
    row.next_scrape = Some(Duration::from_secs(6));
    row
}

pub fn targets() -> Vec<Arc<TargetRow>> {
    let well = TargetState::Up { double: None };
    [
        up(
            target("shop", "httpbin", "httpbin-5d9c7b66f4-x2kqp", well.clone()),
            Probe::Refused,
        ),
        up(
            target("shop", "httpbin", "httpbin-5d9c7b66f4-zz81m", well),
            Probe::NotAsked,
        ),
        up(
            target(
                "shop",
                "ledger",
                "ledger-0",
                TargetState::Up {
                    double: Some("kubernetes-pods".into()),
                },
            ),
            Probe::NotAsked,
        ),
        target(
            "shop",
            "cart",
            "cart-66f7d4b9c8-k9s2d",
            TargetState::Waiting {
                on: "config reload in about 40 s".into(),
            },
        ),
        target(
            "billing",
            "invoice",
            "invoice-7c6d8f9b5-p1x7z",
            TargetState::Down {
                error: "Get \"https://10.42.0.17:15091/stats/prometheus\": read: connection reset by peer"
                    .into(),
                cause: Some(Cause {
                    code: "permissive",
                    cause: "mTLS is PERMISSIVE for port 15091, so Envoy accepts plaintext there and \
                            resets Prometheus's TLS."
                        .into(),
                    fix: "PeerAuthentication with STRICT on 15091".into(),
                }),
            },
        ),
        target(
            "billing",
            "tax",
            "tax-58b4c7d6f-qq9wl",
            TargetState::NotCovered {
                why: "ambient".into(),
            },
        ),
    ]
    .map(Arc::new)
    .into()
}

fn status(state: &mut State) {
    let rows = targets();
    state.status.board = Arc::new(Board {
        at: Some(now()),
        rows: rows.clone(),
        replicas: vec![ReplicaNote {
            pod: "prometheus-0".into(),
            error: None,
            job_loaded: true,
        }],
        counts: Counts {
            up: 3,
            down: 1,
            waiting: 1,
            not_covered: 1,
            secured: 1,
            double: 1,
            ..Counts::default()
        },
        stale: None,
    });
    state.status.rows = list(rows, 4);
}

/// The lists are still being filled.
pub fn filling(state: &mut State) {
    state.cluster.filling = true;
    let mut mesh = (*state.mesh).clone();
    mesh.progress.insert(
        "pods",
        Progress::Filling {
            seen: 1_200,
            about: Some(9_800),
        },
    );
    state.mesh = Arc::new(mesh);
}
