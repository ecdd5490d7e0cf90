//! Journeys through `update` by messages alone; here their cluster, plan and driver.

mod apply;
mod choices;
mod cluster;
mod contact;
mod enter;
mod export;
mod keys;
mod options;
mod pace;
mod review;
mod seen;
mod status;

use super::keymap::{self, Action, Key};
use super::list::Row;
use super::msg::{Effect, Generation, Msg, Target};
use super::state::{
    Answer, ChangeView, Check, Connection, Contexts, DialogKind, DiffLine, Forbidden, LineSign,
    OptionChoice, Planned, Standing, Start, State, Step, Tone, ViewNote, Viewport,
};
use super::update;
use crate::answers::{Annotate, Answers, MetricsPort};
use crate::engine::event::{ApplyEvent, Decision, Ended, Outcome, StepState};
use crate::error::Error;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::{
    ControlPlane, Listed, Mesh, Namespace, NamespaceInjection, Owner, OwnerTool, Progress, Workload,
};
use crate::plan::review::{Conflict, Hands, Review, Reviewed, RunId, Verdict};
use crate::plan::{Action as Write, Change, ChangeId, Impact, Part, Plan};
use crate::problems::Unmerged;
use crate::problems::{Problem, Subject};
use crate::recipe::testing::{SAMPLE, gateway, id, prometheus, workload};
use crate::words::say::wizard as say;
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

/// One that cannot be chosen, for a reason of its own.
fn blocked(namespace: &str, name: &str, why: fn(Subject) -> Problem) -> Workload {
    let workload = workload(namespace, name);
    Workload {
        obstacles: vec![why((&workload.id).into())],
        ..workload
    }
}

fn host_network(of: Subject) -> Problem {
    Problem::HostNetwork { of }
}

fn own_sidecar(of: Subject) -> Problem {
    let sidecar = ObjectRef::new(Kind::Sidecar, &of.namespace, "mine");
    let why = Unmerged::Several;
    Problem::OwnSidecar { of, sidecar, why }
}

fn owned_by(tool: OwnerTool) -> fn(Subject) -> Problem {
    match tool {
        OwnerTool::Helm => |of| Problem::Owned {
            of,
            tool: OwnerTool::Helm,
            owner: "web".into(),
        },
        _ => |of| Problem::Owned {
            of,
            tool: OwnerTool::ArgoCd,
            owner: "web".into(),
        },
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
        prometheus_servers: vec![Arc::new(prometheus(SAMPLE))],
        ..Mesh::default()
    };
    mesh.istio.control_planes.push(ControlPlane {
        revision: "default".into(),
        namespace: "istio-system".into(),
        version: "1.31.0".into(),
        ready: true,
    });
    mesh.progress.insert(Listed::Pods, Progress::Complete);
    mesh
}

fn shop() -> Mesh {
    mesh(vec![
        workload("billing", "invoice"),
        blocked("billing", "tax", own_sidecar),
        workload("default", "httpbin"),
        workload("shop", "cart"),
        workload("shop", "catalog"),
        blocked("shop", "search", owned_by(OwnerTool::Helm)),
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
            Row::Other(o) => format!("  {}", o.title()),
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
    let intent = json!({"kind": kind.name()});
    Change {
        item: Some(id("shop", "cart")),
        needs: needs.iter().map(|id| (*id).clone()).collect(),
        ..Change::new(
            object,
            part,
            Write::Apply { intent },
            crate::plan::purpose::Purpose::SecureJob,
        )
    }
}

/// Policy ← listener ← annotation, and a Prometheus that loses its history.
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
    let mut annotation = change(Kind::Deployment, "cart", Part::Annotation, &[&listener.id]);
    annotation.impacts.push(Impact::Restarts {
        workload: id("shop", "cart"),
        pods: 2,
    });
    Plan {
        changes: vec![policy, listener, annotation],
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
        rollout_problems: Vec::new(),
        intent: None,
    })
}

fn tell_plan(state: &mut State, plan: Plan) -> Vec<Effect> {
    let generation = state.generations.plan;
    update(
        state,
        Msg::Planned {
            generation,
            result: Ok(Planned::new(plan)),
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
