//! Step 4: workloads by namespace, and the detail that gateways share.

use super::layout::Places;
use super::paint::{Fit, Paint, Words};
use super::rows;
use super::theme::Role;
use super::widgets::{fact, item, list, panel};
use super::words::{count, many};
use crate::answers::{Annotate, Answers, MetricsPort};
use crate::mesh::{Listed, OtherPods, Owner, Workload};
use crate::wizard::list::Row;
use crate::wizard::state::State;
use crate::words;
use crate::words::say::ui as say;
use ratatui::layout::Rect;

pub fn draw(paint: &mut Paint, state: &State, places: &Places) {
    list(
        paint,
        places.list,
        &state.workloads,
        !places.over,
        |paint, area, row| match row {
            Row::Namespace {
                namespace,
                open,
                choosable,
                ..
            } => {
                let chosen = state.chosen_in.get(&namespace.name).copied().unwrap_or(0);
                let figures = (chosen, *choosable, namespace.workloads);
                head(paint, area, &namespace.name, *open, figures);
            }
            Row::Workload(of) => {
                let area = Rect {
                    x: area.x + 2,
                    width: area.width.saturating_sub(2),
                    ..area
                };
                let chosen = state.answers.workloads.contains(&of.id);
                self::row(paint, area, &of.id.name, of, chosen, &state.answers);
            }
            Row::Other(of) => {
                let area = Rect {
                    x: area.x + 2,
                    width: area.width.saturating_sub(2),
                    ..area
                };
                other(paint, area, of);
            }
            _ => {}
        },
    );
    let rows = state.workloads.rows.len();
    if rows == 0 && !state.cluster.filling {
        let nothing = if state.answers.namespaces.is_empty() {
            say::NO_NAMESPACE_CHOSEN
        } else {
            say::NO_WORKLOADS_THERE
        };
        rows::empty(paint, places, &state.workloads.filter.text, nothing);
    }
    rows::filling(paint, state, places, rows, Listed::Workloads);
}

/// `figures`: chosen, can be chosen, all.
fn head(
    paint: &mut Paint,
    area: Rect,
    name: &str,
    open: bool,
    (chosen, of, all): (usize, usize, usize),
) {
    let fold = if open { "▾ " } else { "▸ " };
    let figure = match all > of {
        true => say::chosen_of_available(&count(chosen), &count(of), &count(all)),
        false => say::of(&count(chosen), &count(of)),
    };
    let figure = Words::muted(figure);
    let room = area.width.saturating_sub(figure.width() as u16 + 2);
    let name = super::paint::safe(name);
    let name = super::words::middle(&name, usize::from(room).saturating_sub(4)).into_owned();
    let mark = match chosen {
        0 if of == 0 => Words::muted("– "),
        0 => Words::plain("○ "),
        some if some >= of => Words::of(Role::Accent, "◉ "),
        _ => Words::of(Role::Accent, "◐ "),
    };
    let words = Words::muted(fold).join(mark).and(Role::Strong, name);
    paint.line(area.x, area.y, room, &words);
    paint.right(area.x, area.y, area.width, &figure);
}

/// The cells of a workload or gateway: mark, name, kind, pods, how it is scraped.
/// `◉ httpbin    Deployment   2/2  plaintext 15020`
pub fn row(
    paint: &mut Paint,
    area: Rect,
    name: &str,
    of: &Workload,
    chosen: bool,
    answers: &Answers,
) {
    let blocked = of.against(&answers.take).next();
    let (kind, pods) = (11, 7);
    let today = if area.width >= 70 { 24 } else { 20 };
    let gaps = 2 * 4;
    let rest = 1 + kind + pods + today + gaps;
    // Short of room, the kind is left to the detail.
    let (kind, rest) = if area.width < rest + 14 {
        (0, rest - kind - 2)
    } else {
        (kind, rest)
    };
    let state = match blocked {
        Some(obstacle) => rows::blocked(words::label(obstacle)),
        None => match of.takeable() {
            Some(owner) => Words::of(
                Role::Waiting,
                format!("▲ {}, ", say::owned_by(owner.tool.name())),
            )
            .join(rows::today(of)),
            None => rows::today(of),
        },
    };
    paint.cells(
        area,
        &[
            (1, Fit::Left, rows::mark(chosen, blocked.is_some())),
            (
                area.width.saturating_sub(rest),
                Fit::Middle,
                rows::name(name, blocked.is_some()),
            ),
            (kind, Fit::Left, Words::muted(of.id.kind.name())),
            (
                pods,
                Fit::Right,
                Words::plain(format!(
                    "{}/{}",
                    count(of.ready as usize),
                    count(of.desired as usize)
                )),
            ),
            (today, Fit::Left, state),
        ],
    );
}

/// `– import     Job   1 pod   other owner  why?`
fn other(paint: &mut Paint, area: Rect, of: &OtherPods) {
    let (kind, pods, today) = (11, 7, 24);
    let rest = 1 + kind + pods + today + 2 * 4;
    let (kind, rest) = match area.width < rest + 14 {
        true => (0, rest - kind - 2),
        false => (kind, rest),
    };
    paint.cells(
        area,
        &[
            (1, Fit::Left, rows::mark(false, true)),
            (
                area.width.saturating_sub(rest),
                Fit::Middle,
                rows::name(&of.name, true),
            ),
            (kind, Fit::Left, Words::muted(&of.kind)),
            (pods, Fit::Right, Words::muted(count(of.pods))),
            (today, Fit::Left, rows::blocked(words::label(&of.obstacle))),
        ],
    );
}

pub fn side(paint: &mut Paint, state: &State, area: Rect) {
    match state.workloads.current() {
        Some(Row::Other(of)) => {
            let inside = panel(paint, area, &Words::strong(&of.name), &Words::new(), false);
            let room = usize::from(inside.width);
            let mut lines = Words::wrapped(
                Role::Plain,
                &say::pods_in(&of.kind, &of.namespace, &many(of.pods, say::pods)),
                room,
            );
            lines.push(Words::new());
            lines.extend(item('✕', Role::Bad, &words::reason(&of.obstacle), room));
            lines.push(Words::new());
            lines.extend(fact(say::SIDECARS, Role::Plain, &count(of.meshed), room));
            lines.extend(fact(
                say::PLAINTEXT,
                Role::Plain,
                &count(of.plaintext),
                room,
            ));
            super::prometheus::paint_from(paint, inside, &lines, state);
        }
        Some(Row::Workload(of)) => {
            let title = Words::strong(&of.id.name);
            let inside = panel(paint, area, &title, &Words::new(), false);
            let lines = detail(of, false, &state.answers, usize::from(inside.width));
            super::prometheus::paint_from(paint, inside, &lines, state);
        }
        Some(Row::Namespace {
            namespace,
            choosable,
            ..
        }) => {
            let title = Words::strong(&namespace.name);
            let inside = panel(paint, area, &title, &Words::new(), false);
            let room = usize::from(inside.width);
            let chosen = state.chosen_in.get(&namespace.name).copied().unwrap_or(0);
            let mut lines = vec![
                Words::plain(many(chosen, say::workloads_chosen)),
                Words::plain(say::available(&count(*choosable))),
                Words::plain(say::in_all(&count(namespace.workloads))),
                Words::new(),
            ];
            lines.extend(Words::wrapped(Role::Muted, say::SPACE_CHOOSES_ALL, room));
            paint.lines(inside, &lines);
        }
        _ => {
            panel(
                paint,
                area,
                &Words::strong(say::TITLE_WORKLOAD),
                &Words::new(),
                false,
            );
        }
    }
}

/// What a workload is today, what it will be, what that costs.
/// `gateway`: its proxy is all of its pods, and no sidecar.
pub fn detail(of: &Workload, gateway: bool, answers: &Answers, room: usize) -> Vec<Words> {
    let mut lines = Vec::new();
    if super::words::width(&of.id.name) + 2 > room {
        // The title is cut: the whole name stands here.
        lines.extend(Words::wrapped(Role::Strong, &of.id.name, room));
    }
    lines.extend(Words::wrapped(
        Role::Plain,
        &say::ready_in(
            of.id.kind.name(),
            &of.id.namespace,
            of.ready,
            &many(of.desired as usize, say::pods),
        ),
        room,
    ));
    for obstacle in of.against(&answers.take) {
        lines.push(Words::new());
        lines.extend(item('✕', Role::Bad, &words::reason(obstacle), room));
    }
    lines.extend(taking(of.takeable(), answers, room));
    lines.push(Words::new());
    lines.push(Words::strong(say::TODAY));
    lines.extend(scraped(of, room));
    let (label, proxy) = match gateway {
        true => (say::PROXY, rows::proxy(of)),
        false => (say::SIDECAR, rows::sidecar(&of.sidecar)),
    };
    lines.extend(fact(label, Role::Plain, &proxy, room));
    let mtls = match &of.mtls.1 {
        Some(object) => say::mode_by(rows::mode(of.mtls.0), &object.to_string()),
        None => say::mode_by_default(rows::mode(of.mtls.0)),
    };
    lines.extend(fact("mTLS", Role::Plain, &mtls, room));
    for port in &of.services {
        let target = match port.target {
            Some(target) if target != port.port => format!(" → {target}"),
            _ => String::new(),
        };
        let text = format!("{}:{}{target}", port.service, port.port);
        lines.extend(fact(say::SERVICE, Role::Plain, &text, room));
    }
    if let Some(owner) = &of.owner {
        let name = owner.in_namespace(&of.id.namespace);
        let text = format!("{} ({name})", super::prometheus::tool(owner.tool));
        lines.extend(fact(say::OWNER, Role::Plain, &text, room));
    }
    if of.is_free(&answers.take) {
        lines.push(Words::new());
        lines.push(Words::strong(say::AFTER));
        lines.extend(after(of, answers, room));
    }
    lines
}

/// What choosing something that has an owner means, and the key for it.
pub fn taking(owner: Option<&Owner>, answers: &Answers, room: usize) -> Vec<Words> {
    let Some(owner) = owner else {
        return Vec::new();
    };
    let mut lines = vec![Words::new()];
    if owner.is_taken(&answers.take) {
        lines.extend(item('▲', Role::Waiting, owner.tool.reverts(), room));
    } else {
        let text = say::make_available(owner.tool.name());
        lines.extend(item('·', Role::Plain, &text, room));
    }
    lines
}

fn scraped(of: &Workload, room: usize) -> Vec<Words> {
    let mut lines = Vec::new();
    if of.scraped.secure || of.scraped.secure_template {
        let to = of
            .secured_port
            .map_or(String::new(), |port| format!(" → {port}"));
        let text = format!("✓ mTLS  pod:15091{to}");
        lines.push(Words::of(Role::Good, text));
    }
    if let Some(port) = of.scraped.plaintext {
        lines.push(Words::of(
            Role::Waiting,
            format!("▲ {}  pod:{port}", say::PLAINTEXT),
        ));
    }
    if lines.is_empty() {
        lines.push(Words::muted(format!("· {}", say::NOT_SCRAPED)));
    }
    if of.scraped.app_metrics {
        lines.extend(item('·', Role::Muted, say::APP_HAS_METRICS, room));
    }
    lines
}

fn after(of: &Workload, answers: &Answers, room: usize) -> Vec<Words> {
    let port = answers.port_of(&of.id);
    let mut lines = vec![Words::of(
        Role::Good,
        format!("✓ mTLS  pod:15091 → {}", u16::from(port)),
    )];
    if port == MetricsPort::Envoy && of.scraped.app_metrics {
        lines.extend(item('▲', Role::Waiting, say::APP_IN_PLAINTEXT, room));
    }
    let injects = !matches!(
        of.sidecar,
        crate::mesh::SidecarState::Injected { .. } | crate::mesh::SidecarState::Impossible
    );
    if answers.annotate_of(&of.id) == Annotate::Template || injects {
        let pods = many(of.desired as usize, say::pods_restart);
        lines.extend(item('▲', Role::Waiting, &format!("{pods}."), room));
    } else {
        lines.extend(item('▲', Role::Waiting, say::NO_RESTART, room));
    }
    if of.enters_mesh() {
        lines.extend(item('▲', Role::Waiting, say::FIRST_SIDECAR, room));
    }
    for filter in &of.envoy_filters {
        lines.extend(item(
            '▲',
            Role::Waiting,
            &say::stops_matching(&filter.to_string()),
            room,
        ));
    }
    lines
}
