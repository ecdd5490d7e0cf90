//! Every combination of what a mesh can be and what can be chosen; what must be true of each plan.

use super::*;
use crate::answers::{Annotate, Injection, MetricsPort};
use crate::mesh::kinds::ObjectRef;
use crate::mesh::{Leftover, LeftoverKind, MtlsMode, NamespaceInjection, SidecarState, Storage};
use crate::plan::{Await, ChangeId};
use crate::recipe::testing::*;
use std::collections::BTreeSet;

/// Whether a change sets or removes an annotation of the app's own scraping.
pub fn touches_prometheus_io(change: &Change) -> bool {
    match &change.action {
        Action::Apply { intent } => intent.to_string().contains("\"prometheus.io/"),
        Action::Edit { leaves } => format!("{leaves:?}").contains("prometheus.io/"),
        Action::Text { .. } | Action::Delete { .. } => false,
    }
}

pub fn invariants(plan: &Plan) {
    let mut seen: BTreeSet<&ChangeId> = BTreeSet::new();
    for change in &plan.changes {
        assert!(!touches_prometheus_io(change), "{}", change.id);
        for need in change.needs.iter().chain(&change.after) {
            assert!(seen.contains(need), "{} comes before {need}", change.id);
        }
        assert!(seen.insert(&change.id), "{} stands twice", change.id);
        if let Action::Apply { intent } = &change.action {
            let spec = &intent["spec"];
            let selector = match change.object.kind {
                Kind::PeerAuthentication | Kind::AuthorizationPolicy => {
                    &spec["selector"]["matchLabels"]
                }
                Kind::Sidecar => &spec["workloadSelector"]["labels"],
                Kind::Gateway => &spec["selector"],
                _ => continue,
            };
            assert!(
                selector.as_object().is_some_and(|s| !s.is_empty()),
                "{}",
                change.id
            );
        }
    }
    for listener in plan.changes.iter().filter(|c| c.part == Part::Listener) {
        let kinds: BTreeSet<Kind> = plan
            .changes
            .iter()
            .filter(|c| listener.needs.contains(&c.id))
            .map(|c| c.object.kind)
            .collect();
        match listener.object.kind {
            Kind::Sidecar => {
                assert!(
                    kinds.contains(&Kind::PeerAuthentication)
                        && kinds.contains(&Kind::AuthorizationPolicy)
                );
            }
            _ => {
                let servers = &intent(listener)["spec"]["servers"];
                for server in servers.as_array().expect("servers") {
                    assert!(
                        server["tls"]["subjectAltNames"][0]
                            .as_str()
                            .is_some_and(|s| s.starts_with("spiffe://"))
                    );
                }
            }
        }
    }
    for annotation in plan.changes.iter().filter(|c| c.part == Part::Annotation) {
        let listener = plan
            .changes
            .iter()
            .find(|c| c.part == Part::Listener && c.item == annotation.item);
        let listener = listener.expect("an annotation without a listener");
        assert!(annotation.needs.contains(&listener.id));
        let job = part(plan, Part::ScrapeJob).expect("a job");
        assert!(
            annotation.needs.contains(&job.id),
            "an annotation without a job"
        );
    }
    for (i, change) in plan.changes.iter().enumerate() {
        if change.part == Part::PlaintextJobs {
            assert_eq!(i, plan.changes.len() - 1, "the old jobs come last");
            assert!(matches!(change.before[..], [Await::TargetsUp(_)]));
        }
    }
}

#[test]
fn every_combination_keeps_what_must_hold() {
    let mut made = 0;
    let states = [
        SidecarState::Injected {
            versions: vec!["1.31.0".into()],
            revision: "default".into(),
        },
        SidecarState::Partly {
            with: 1,
            without: 1,
        },
        SidecarState::Switchable { revision: None },
        SidecarState::Switchable {
            revision: Some("canary".into()),
        },
        SidecarState::AfterRestart,
    ];
    for (mode, state, port, annotation, injection, reloader, lasting, repair, stop) in
        combinations(&states)
    {
        let mut mesh = mesh();
        mesh.namespaces[0].injection = NamespaceInjection::None;
        mesh.leftovers.push(Leftover {
            object: ObjectRef::new(Kind::Sidecar, "demo", "secure-metrics"),
            kind: LeftoverKind::NamespaceSidecar,
            problems: Vec::new(),
            uid: "u".into(),
            spec: Value::Null,
        });
        with_workload(&mut mesh, |w| {
            w.mtls = (mode, None);
            w.sidecar = state.clone();
        });
        with_prometheus(&mut mesh, |p| {
            p.reloader = reloader;
            if lasting {
                p.storage = Storage::Lasting("data".into());
            }
        });
        let mut answers = answers(true);
        answers.options.port = port;
        answers.options.annotate = annotation;
        answers.options.injection = injection;
        answers.options.inject = true;
        answers.options.repair = repair;
        answers.options.stop_plaintext_jobs = stop;
        let loses = port == MetricsPort::Envoy && stop == Some(true);
        let unfit = annotation == Annotate::Pods
            && matches!(
                state,
                SidecarState::Switchable { .. } | SidecarState::AfterRestart
            );
        match crate::recipe::plan(&mesh, &answers) {
            Ok(plan) => {
                assert!(
                    !loses && !unfit,
                    "{state:?} {port:?} {annotation:?} {stop:?}"
                );
                invariants(&plan);
                assert_eq!(
                    Ok(plan),
                    crate::recipe::plan(&mesh, &answers),
                    "the plan wavers"
                );
                made += 1;
            }
            Err(error) => assert!(loses || unfit, "{error}"),
        }
    }
    assert!(made > 300, "{made}");
}

type Row<'a> = (
    MtlsMode,
    &'a SidecarState,
    MetricsPort,
    Annotate,
    Injection,
    bool,
    bool,
    bool,
    Option<bool>,
);

fn combinations(states: &[SidecarState]) -> impl Iterator<Item = Row<'_>> {
    let modes = [MtlsMode::Permissive, MtlsMode::Strict, MtlsMode::Disable];
    let flags = [false, true];
    modes.into_iter().flat_map(move |mode| {
        states.iter().flat_map(move |state| {
            [MetricsPort::Merged, MetricsPort::Envoy]
                .into_iter()
                .flat_map(move |port| {
                    [Annotate::Template, Annotate::Pods]
                        .into_iter()
                        .flat_map(move |annotation| {
                            [Injection::Template, Injection::Namespace]
                                .into_iter()
                                .flat_map(move |injection| {
                                    flags.into_iter().flat_map(move |reloader| {
                                        flags.into_iter().flat_map(move |lasting| {
                                            flags.into_iter().flat_map(move |repair| {
                                                [None, Some(true), Some(false)].into_iter().map(
                                                    move |stop| {
                                                        (
                                                            mode, state, port, annotation,
                                                            injection, reloader, lasting, repair,
                                                            stop,
                                                        )
                                                    },
                                                )
                                            })
                                        })
                                    })
                                })
                        })
                })
        })
    })
}
