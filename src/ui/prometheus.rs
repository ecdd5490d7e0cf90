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
use crate::words::say::ui as say;
use ratatui::layout::Rect;

pub fn flavour(of: PrometheusFlavour) -> &'static str {
    match of {
        PrometheusFlavour::IstioSample => say::ISTIO_SAMPLE,
        PrometheusFlavour::CommunityChart => say::COMMUNITY_CHART,
        PrometheusFlavour::Operator => say::OF_THE_OPERATOR,
        PrometheusFlavour::Plain => say::PLAIN,
        PrometheusFlavour::Agent => say::AGENT,
        PrometheusFlavour::VmAgent => "vmagent",
    }
}

pub fn tool(of: OwnerTool) -> &'static str {
    match of {
        OwnerTool::Helm => "Helm",
        OwnerTool::ArgoCd => "Argo CD",
        OwnerTool::Flux => "Flux",
        OwnerTool::Operator => say::OPERATOR,
    }
}

/// What a restart costs, in a few words for the list.
fn restart(of: &Prometheus) -> Words {
    match of.storage {
        Storage::EmptyDir => Words::of(Role::Waiting, format!("▲ {}", say::RESTART_LOSES_HISTORY)),
        Storage::Lasting(_) => Words::plain(say::HISTORY_STAYS),
        Storage::Unknown => Words::muted(say::STORAGE_UNKNOWN),
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
                Some(_) if state.reading() => Words::muted(say::READING),
                Some(_) if of.flavour == PrometheusFlavour::Operator && of.takeable().is_none() => {
                    rows::blocked(say::EXPORT_ONLY)
                }
                Some((word, _)) => rows::blocked(word),
                None => restart(of),
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
        format!("▲ {}", say::NO_PROMETHEUS),
    )];
    lines.push(Words::new());
    lines.extend(Words::wrapped(Role::Plain, say::INSTALL_ONE, room));
    lines.push(Words::of(
        Role::Accent,
        "  kubectl apply -f samples/addons/prometheus.yaml",
    ));
    lines.push(Words::new());
    lines.push(
        Words::of(Role::Accent, paint.spinner().to_string())
            .and(Role::Plain, format!(" {}", say::WAITING_FOR_PROMETHEUS)),
    );
    paint.lines(area, &lines);
}

pub fn side(paint: &mut Paint, state: &State, area: Rect) {
    let Some(Row::Prometheus(of)) = state.prometheus.current() else {
        let title = Words::strong(say::SUPPORTED_PROMETHEUS);
        let inside = panel(paint, area, &title, &Words::new(), false);
        let lines = Words::wrapped(
            Role::Plain,
            say::WHICH_IS_SUPPORTED,
            usize::from(inside.width),
        );
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
            lines.extend(item('·', Role::Muted, say::CHECKING_AVAILABLE, room));
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
    lines.extend(fact(say::PODS, Role::Plain, &of.desired.to_string(), room));
    let owner = match &of.owner {
        Some(owner) => format!(
            "{} ({})",
            tool(owner.tool),
            owner.in_namespace(&of.id.namespace)
        ),
        None => say::NO_OWNER.to_owned(),
    };
    lines.extend(fact(say::OWNER, Role::Plain, &owner, room));
    let config = match &of.config {
        Some(config) => match &config.text {
            Ok(_) => {
                let home = config.home.object();
                say::config_key(&format!("{}/{}", home.namespace, home.name), &config.key)
            }
            Err(why) => format!("{}: {}", config.home.object(), words::unread(why)),
        },
        None if of.flavour == PrometheusFlavour::Operator => say::CONFIG_BY_OPERATOR.to_owned(),
        None => say::NO_CONFIG_MAP.to_owned(),
    };
    lines.extend(fact(say::CONFIG, Role::Plain, &config, room));
    let reload = if of.reloader {
        say::RELOAD_AUTOMATIC
    } else if of.config.as_ref().is_some_and(|c| c.sub_path) {
        say::RELOAD_SUB_PATH
    } else {
        say::RELOAD_BY_RESTART
    };
    if of.config.is_some() {
        lines.extend(fact(say::RELOAD, Role::Plain, reload, room));
    }
    let sidecar = match (of.sidecar, &of.certificates) {
        (_, Some(path)) => say::certificates_in(path),
        (true, None) => say::CERTIFICATES_TO_MOUNT.to_owned(),
        (false, None) if !of.is_free(&answers.take) => say::NO.to_owned(),
        (false, None) => say::SIDECAR_TO_ADD.to_owned(),
    };
    lines.extend(fact(say::SIDECAR, Role::Plain, &sidecar, room));
    let storage = match &of.storage {
        Storage::EmptyDir => "emptyDir".to_owned(),
        Storage::Lasting(what) => what.clone(),
        Storage::Unknown => say::UNKNOWN.to_owned(),
    };
    lines.extend(fact(say::STORAGE, Role::Plain, &storage, room));
    if of.is_free(&answers.take) && of.certificates.is_none() {
        lines.push(Words::new());
        lines.push(Words::strong(say::IMPACT));
        lines.extend(item(
            '▲',
            Role::Waiting,
            &many(of.desired as usize, say::prometheus_restarts),
            room,
        ));
        if of.storage == Storage::EmptyDir {
            lines.extend(item('▲', Role::Waiting, say::HISTORY_IS_LOST, room));
        }
    }
    for fault in &of.faults {
        lines.extend(item('▲', Role::Waiting, &words::reason(fault), room));
    }
    lines
}
