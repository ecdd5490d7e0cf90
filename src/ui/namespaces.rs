//! Step 3: the namespaces.

use super::layout::Places;
use super::paint::{Fit, Paint, Words};
use super::rows;
use super::theme::Role;
use super::widgets::{fact, list, panel};
use super::words::{count, many};
use crate::mesh::others::in_plaintext;
use crate::mesh::{Listed, Namespace, NamespaceInjection};
use crate::wizard::list::Row;
use crate::wizard::state::State;
use crate::words::say::ui as say;
use ratatui::layout::Rect;

fn injection(of: &NamespaceInjection) -> String {
    match of {
        NamespaceInjection::Enabled => say::INJECTION_ON.into(),
        NamespaceInjection::Revision(revision) => say::rev(revision),
        NamespaceInjection::Disabled => say::INJECTION_OFF.into(),
        NamespaceInjection::Ambient => say::AMBIENT.into(),
        NamespaceInjection::None => say::BY_POD.into(),
        NamespaceInjection::Never => say::NEVER.into(),
    }
}

fn columns(width: u16) -> [u16; 6] {
    let (inject, free, secured, mode) = (12, 13, 7, 10);
    let rest = inject + free + secured + mode + 2 * 5 + 1;
    // Narrow, the mode is left to the detail.
    if width < rest + 12 {
        let rest = inject + free + secured + 2 * 4 + 1;
        return [1, width.saturating_sub(rest), inject, free, secured, 0];
    }
    [1, width - rest, inject, free, secured, mode]
}

pub fn draw(paint: &mut Paint, state: &State, places: &Places) {
    let area = places.list;
    let widths = columns(area.width.saturating_sub(2));
    let heads = Rect::new(area.x + 2, area.y - 1, area.width.saturating_sub(2), 1);
    let head = [
        (Fit::Left, ""),
        (Fit::Left, say::NAMESPACE),
        (Fit::Left, say::INJECTION),
        (Fit::Right, say::AVAILABLE),
        (Fit::Right, say::SECURED),
        (Fit::Left, "mTLS"),
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
        &state.namespaces,
        !places.over,
        |paint, area, row| {
            let Row::Namespace {
                namespace,
                choosable,
                closed,
                held,
                ..
            } = row
            else {
                return;
            };
            let quiet = closed.is_some();
            let chosen = state.answers.namespaces.contains(&namespace.name);
            let cells = [
                (widths[0], Fit::Left, rows::mark(chosen, quiet)),
                (widths[1], Fit::Middle, rows::name(&namespace.name, quiet)),
                (
                    widths[2],
                    Fit::Left,
                    Words::plain(injection(&namespace.injection)),
                ),
                (
                    widths[3],
                    Fit::Right,
                    Words::plain(say::of(&count(*choosable), &count(namespace.workloads))),
                ),
                (
                    widths[4],
                    Fit::Right,
                    if namespace.secured == 0
                        && *choosable == 0
                        && (closed.is_some() || held.is_some())
                    {
                        Words::muted(say::WHY)
                    } else {
                        Words::plain(count(namespace.secured))
                    },
                ),
                (
                    widths[5],
                    Fit::Left,
                    Words::plain(rows::mode(namespace.mtls.0)),
                ),
            ];
            paint.cells(area, &cells);
        },
    );
    let filter = &state.namespaces.filter.text;
    if state.namespaces.rows.is_empty() && !state.cluster.filling {
        rows::empty(paint, places, filter, say::NO_NAMESPACE_READ);
    }
    rows::filling(
        paint,
        state,
        places,
        state.namespaces.rows.len(),
        Listed::Namespaces,
    );
}

pub fn side(paint: &mut Paint, state: &State, area: Rect) {
    let Some(Row::Namespace {
        namespace,
        closed,
        held,
        ..
    }) = state.namespaces.current()
    else {
        panel(
            paint,
            area,
            &Words::strong(say::TITLE_NAMESPACE),
            &Words::new(),
            false,
        );
        return;
    };
    let title = Words::strong(&namespace.name);
    let inside = panel(paint, area, &title, &Words::new(), false);
    let room = usize::from(inside.width);
    let mut lines = Vec::new();
    let said = match (closed, held) {
        (Some(why), _) => Some(('–', why)),
        (None, Some(why)) => Some(('▲', why)),
        (None, None) => None,
    };
    if let Some((glyph, why)) = said {
        lines.extend(super::widgets::item(glyph, Role::Waiting, why, room));
        lines.push(Words::new());
    }
    lines.extend(detail(namespace, room));
    let others = state.mesh.others_in(&namespace.name);
    if !others.is_empty() {
        let pods: usize = others.iter().map(|other| other.pods).sum();
        let names: Vec<String> = others.iter().map(|other| other.title()).collect();
        let text = say::pods_of_others(&many(pods, say::pods), &crate::text::few(&names, 6));
        lines.extend(fact(say::OTHERS, Role::Plain, &text, room));
        let plain = count(in_plaintext(others));
        lines.extend(fact(say::IN_PLAINTEXT, Role::Plain, &plain, room));
    }
    super::prometheus::paint_from(paint, inside, &lines, state);
}

fn detail(of: &Namespace, room: usize) -> Vec<Words> {
    let mut lines = vec![
        Words::plain(format!(
            "{}, {}",
            many(of.workloads, say::workloads),
            many(of.pods, say::pods)
        )),
        Words::new(),
    ];
    let injection = match &of.injection {
        NamespaceInjection::Enabled => say::EVERY_POD.to_owned(),
        NamespaceInjection::Revision(revision) => say::by_revision(revision),
        NamespaceInjection::Disabled => say::DISABLED.to_owned(),
        NamespaceInjection::Ambient => say::AMBIENT_NO_SIDECARS.to_owned(),
        NamespaceInjection::None => say::NO_LABEL.to_owned(),
        NamespaceInjection::Never => say::ISTIO_EXCLUDES.to_owned(),
    };
    lines.extend(fact(say::INJECTION, Role::Plain, &injection, room));
    let meshed = say::of(&count(of.meshed_pods), &many(of.pods, say::pods));
    lines.extend(fact(say::SIDECARS, Role::Plain, &meshed, room));
    let secured = say::of(&count(of.secured), &many(of.workloads, say::workloads));
    lines.extend(fact(say::SECURED, Role::Plain, &secured, room));
    let from = match &of.mtls.1 {
        Some(object) => say::mode_by(rows::mode(of.mtls.0), &object.to_string()),
        None => say::mode_by_default(rows::mode(of.mtls.0)),
    };
    lines.extend(fact("mTLS", Role::Plain, &from, room));
    if let Some(level) = &of.pod_security {
        lines.extend(fact(say::POD_SECURITY, Role::Plain, level, room));
    }
    if of.terminating {
        lines.push(Words::new());
        lines.push(Words::of(Role::Bad, format!("✕ {}", say::BEING_DELETED)));
    }
    lines
}
