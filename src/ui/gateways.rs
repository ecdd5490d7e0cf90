//! Step 5: ingress and egress gateways.

use super::layout::Places;
use super::paint::{Fit, Paint, Words};
use super::rows;
use super::theme::Role;
use super::widgets::{fact, item, list, panel};
use super::workloads;
use crate::answers::GatewayRef;
use crate::mesh::{Gateway, GatewayFlavour, Listed};
use crate::wizard::list::Row;
use crate::wizard::state::State;
use crate::words::say::ui as say;
use ratatui::layout::Rect;

fn flavour(of: GatewayFlavour) -> &'static str {
    match of {
        GatewayFlavour::Classic => say::CLASSIC,
        GatewayFlavour::GatewayApi => "Gateway API",
        GatewayFlavour::Waypoint => say::WAYPOINT,
    }
}

fn is_chosen(state: &State, of: &Gateway) -> bool {
    state.answers.gateways.contains(&GatewayRef {
        namespace: of.workload.id.namespace.clone(),
        name: of.workload.id.name.clone(),
    })
}

pub fn draw(paint: &mut Paint, state: &State, places: &Places) {
    let area = places.list;
    let role = |row: &Row| match row {
        Row::Gateway(of) => super::words::width(&of.role) as u16,
        _ => 0,
    };
    let roles = state.gateways.rows.iter().map(role).max();
    let widths = columns(area.width.saturating_sub(2), roles.unwrap_or(0));
    let heads = Rect::new(area.x + 2, area.y - 1, area.width.saturating_sub(2), 1);
    let head = [
        (Fit::Left, ""),
        (Fit::Left, say::GATEWAY),
        (Fit::Left, say::ROLE),
        (Fit::Right, say::PODS),
        (Fit::Left, say::HEAD_TODAY),
    ];
    let cells: Vec<_> = head
        .into_iter()
        .zip(widths)
        .map(|((fit, name), width)| (width, fit, Words::muted(name)))
        .collect();
    paint.cells(heads, &cells);
    list(
        paint,
        area,
        &state.gateways,
        !places.over,
        |paint, area, row| {
            let Row::Gateway(of) = row else { return };
            let blocked = row.blocked(&state.answers.take).map(|(word, _)| word);
            let path = format!("{}/{}", of.workload.id.namespace, of.workload.id.name);
            let today = match blocked {
                Some(word) => rows::blocked(word),
                None => rows::today(&of.workload),
            };
            paint.cells(
                area,
                &[
                    (
                        widths[0],
                        Fit::Left,
                        rows::mark(is_chosen(state, of), blocked.is_some()),
                    ),
                    (widths[1], Fit::Middle, rows::name(&path, blocked.is_some())),
                    (widths[2], Fit::Left, Words::muted(&of.role)),
                    (
                        widths[3],
                        Fit::Right,
                        Words::plain(format!("{}/{}", of.workload.ready, of.workload.desired)),
                    ),
                    (widths[4], Fit::Left, today),
                ],
            );
        },
    );
    let rows = state.gateways.rows.len();
    if rows == 0 && !state.cluster.filling {
        rows::empty(paint, places, &state.gateways.filter.text, say::NO_GATEWAY);
    }
    rows::filling(paint, state, places, rows, Listed::Workloads);
}

/// `longest`: of the roles.
fn columns(width: u16, longest: u16) -> [u16; 5] {
    let (pods, today) = (5, 18);
    // Short of room, the role is left to the detail; the names of gateways differ in the middle.
    let role = if width < 66 { 0 } else { longest.clamp(8, 14) };
    let rest = 1 + role + pods + today + 2 * if role == 0 { 3 } else { 4 };
    [1, width.saturating_sub(rest), role, pods, today]
}

pub fn side(paint: &mut Paint, state: &State, area: Rect) {
    let Some(Row::Gateway(of)) = state.gateways.current() else {
        panel(
            paint,
            area,
            &Words::strong(say::TITLE_GATEWAY),
            &Words::new(),
            false,
        );
        return;
    };
    let title = Words::strong(&of.workload.id.name);
    let inside = panel(paint, area, &title, &Words::new(), false);
    let room = usize::from(inside.width);
    let mut lines = workloads::detail(&of.workload, true, &state.answers, room);
    lines.push(Words::new());
    let kind = format!("{}, {}", flavour(of.flavour), of.role);
    lines.extend(fact(say::GATEWAY, Role::Plain, &kind, room));
    let selector: Vec<String> = of
        .selector
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    lines.extend(fact(say::SELECTOR, Role::Plain, &selector.join(", "), room));
    for object in &of.on_15091 {
        lines.extend(item(
            '▲',
            Role::Waiting,
            &say::serves_already(&object.to_string()),
            room,
        ));
    }
    super::prometheus::paint_from(paint, inside, &lines, state);
}
