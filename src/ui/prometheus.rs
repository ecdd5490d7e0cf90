//! Step 2: which Prometheus.

use super::layout::Places;
use super::paint::{Fit, Paint, Words};
use super::rows;
use super::theme::Role;
use super::widgets::{fact, item, list, panel};
use super::words::many;
use crate::answers::Answers;
use crate::mesh::{Listed, OwnerTool, Prometheus, PrometheusFlavour, Storage};
use crate::wizard::list::Row;
use crate::wizard::state::State;
use crate::words;
use ratatui::layout::Rect;

pub fn flavour(of: PrometheusFlavour) -> &'static str {
    match of {
        PrometheusFlavour::IstioSample => "Istio's sample",
        PrometheusFlavour::CommunityChart => "community chart",
        PrometheusFlavour::Operator => "of the operator",
        PrometheusFlavour::Plain => "plain",
        PrometheusFlavour::Agent => "agent",
        PrometheusFlavour::VmAgent => "vmagent",
    }
}

pub fn tool(of: OwnerTool) -> &'static str {
    match of {
        OwnerTool::Helm => "Helm",
        OwnerTool::ArgoCd => "Argo CD",
        OwnerTool::Flux => "Flux",
        OwnerTool::Operator => "operator",
    }
}

/// What a restart costs, in a few words for the list.
fn restart(of: &Prometheus) -> (Role, &'static str) {
    match of.storage {
        Storage::EmptyDir => (Role::Waiting, "▲ restart loses history"),
        Storage::Lasting(_) => (Role::Plain, "history stays"),
        Storage::Unknown => (Role::Muted, "storage unknown"),
    }
}

pub fn draw(paint: &mut Paint, state: &State, places: &Places) {
    let wide = places.list.width >= 64;
    list(
        paint,
        places.list,
        &state.prometheus,
        !places.over,
        |paint, area, row| {
            let Row::Prometheus(of) = row else { return };
            let chosen = state.answers.prometheus.as_ref() == Some(&of.id);
            let blocked = row.blocked(&state.answers.take);
            let words = match blocked {
                Some(_) if state.reading() => Words::muted("reading …"),
                Some(_) if of.flavour == PrometheusFlavour::Operator && of.takeable().is_none() => {
                    rows::blocked("export only")
                }
                Some((word, _)) => rows::blocked(word),
                None => {
                    let (role, text) = restart(of);
                    Words::of(role, text)
                }
            };
            let last = 24.min(area.width / 2);
            let kind = if wide { 15 } else { 0 };
            let gaps = if wide { 6 } else { 4 };
            let name = area.width.saturating_sub(1 + last + kind + gaps);
            let path = format!("{}/{}", of.id.namespace, of.id.name);
            paint.cells(
                area,
                &[
                    (1, Fit::Left, rows::mark(chosen, blocked.is_some())),
                    (name, Fit::Middle, rows::name(&path, blocked.is_some())),
                    (kind, Fit::Left, Words::muted(flavour(of.flavour))),
                    (last, Fit::Left, words),
                ],
            );
        },
    );
    if state.prometheus.rows.is_empty() && !state.cluster.filling {
        nothing(paint, places.list);
    } else {
        rows::filling(
            paint,
            state,
            places,
            state.prometheus.rows.len(),
            Listed::Workloads,
        );
    }
}

fn nothing(paint: &mut Paint, area: Rect) {
    let room = usize::from(area.width);
    let mut lines = vec![Words::of(
        Role::Waiting,
        "▲ No Prometheus was found in this cluster.",
    )];
    lines.push(Words::new());
    lines.extend(Words::wrapped(
        Role::Plain,
        "Install one. Istio's sample is enough to begin with; from the folder of Istio's release:",
        room,
    ));
    lines.push(Words::of(
        Role::Accent,
        "  kubectl apply -f samples/addons/prometheus.yaml",
    ));
    lines.push(Words::new());
    lines.push(Words::of(Role::Accent, paint.spinner().to_string()).and(
        Role::Plain,
        " waiting for Prometheus: this list updates automatically",
    ));
    paint.lines(area, &lines);
}

pub fn side(paint: &mut Paint, state: &State, area: Rect) {
    let Some(Row::Prometheus(of)) = state.prometheus.current() else {
        let title = Words::strong("Supported Prometheus");
        let inside = panel(paint, area, &title, &Words::new(), false);
        let text = "A Deployment or StatefulSet that no other tool manages (no Helm, no operator, no \
                    GitOps), whose --config.file comes from a ConfigMap. Others are listed too, with \
                    the reason.";
        let lines = Words::wrapped(Role::Plain, text, usize::from(inside.width));
        paint.lines(inside, &lines);
        return;
    };
    let title = Words::strong(&of.id.name);
    let inside = panel(paint, area, &title, &Words::new(), false);
    paint_from(
        paint,
        inside,
        &detail(
            of,
            &state.answers,
            usize::from(inside.width),
            state.reading(),
        ),
        state,
    );
}

/// Lines from the detail's scroll offset on.
pub fn paint_from(paint: &mut Paint, inside: Rect, lines: &[Words], state: &State) {
    let most = lines.len().saturating_sub(usize::from(inside.height));
    paint.last = most;
    let skip = state.detail_offset.min(most);
    paint.lines(inside, &lines[skip..]);
    super::widgets::scrollbar(paint, inside.right() + 1, inside, skip, lines.len());
}

fn detail(of: &Prometheus, answers: &Answers, room: usize, reading: bool) -> Vec<Words> {
    let mut lines = Words::wrapped(
        Role::Plain,
        &format!(
            "{} {}/{}, {}",
            of.id.kind.name(),
            of.id.namespace,
            of.id.name,
            flavour(of.flavour)
        ),
        room,
    );
    for obstacle in of.against(&answers.take) {
        lines.push(Words::new());
        if reading {
            let text = "checking whether it is available …";
            lines.extend(item('·', Role::Muted, text, room));
            break;
        }
        lines.extend(item('✕', Role::Bad, &words::reason(obstacle), room));
    }
    if !reading {
        lines.extend(super::workloads::taking(of.takeable(), answers, room));
        if let Some(way) = of.by_export() {
            lines.push(Words::new());
            lines.extend(item('→', Role::Plain, &format!("{way}."), room));
        }
    }
    lines.push(Words::new());
    lines.extend(fact("pods", Role::Plain, &of.desired.to_string(), room));
    let owner = match &of.owner {
        Some(owner) => format!(
            "{} ({})",
            tool(owner.tool),
            owner.in_namespace(&of.id.namespace)
        ),
        None => "none: no tool reverts changes".to_owned(),
    };
    lines.extend(fact("owner", Role::Plain, &owner, room));
    let config = match &of.config {
        Some(config) => match &config.text {
            Ok(_) => format!(
                "{}/{}, key {}",
                config.home.object().namespace,
                config.home.object().name,
                config.key
            ),
            Err(why) => format!("{}: {}", config.home.object(), words::unread(why)),
        },
        None if of.flavour == PrometheusFlavour::Operator => "written by its operator".to_owned(),
        None => "in no ConfigMap".to_owned(),
    };
    lines.extend(fact("config", Role::Plain, &config, room));
    let reload = if of.reloader {
        "automatic when the file changes"
    } else if of.config.as_ref().is_some_and(|c| c.sub_path) {
        "restart only: the file is mounted by subPath"
    } else {
        "with a restart"
    };
    if of.config.is_some() {
        lines.extend(fact("reload", Role::Plain, reload, room));
    }
    let sidecar = match (of.sidecar, &of.certificates) {
        (_, Some(path)) => format!("yes, certificates in {path}"),
        (true, None) => {
            "yes; its certificates will be mounted into the Prometheus container".to_owned()
        }
        (false, None) if !of.is_free(&answers.take) => "no".to_owned(),
        (false, None) => "no; one will be added, for certificates only".to_owned(),
    };
    lines.extend(fact("sidecar", Role::Plain, &sidecar, room));
    let storage = match &of.storage {
        Storage::EmptyDir => "emptyDir".to_owned(),
        Storage::Lasting(what) => what.clone(),
        Storage::Unknown => "unknown".to_owned(),
    };
    lines.extend(fact("storage", Role::Plain, &storage, room));
    if of.is_free(&answers.take) && of.certificates.is_none() {
        lines.push(Words::new());
        lines.push(Words::strong("Impact"));
        lines.extend(item(
            '▲',
            Role::Waiting,
            &format!(
                "{} once; scraping and alerting pause during the restart.",
                if of.desired == 1 {
                    "1 pod restarts".to_owned()
                } else {
                    format!("{} restart", many(of.desired as usize, "pod"))
                }
            ),
            room,
        ));
        if of.storage == Storage::EmptyDir {
            lines.extend(item(
                '▲',
                Role::Waiting,
                "History is lost: Prometheus stores its data in an emptyDir. You confirm this separately.",
                room,
            ));
        }
    }
    for fault in &of.faults {
        lines.extend(item('▲', Role::Waiting, &words::reason(fault), room));
    }
    lines
}
