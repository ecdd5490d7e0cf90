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
use ratatui::layout::Rect;

fn injection(of: &NamespaceInjection) -> String {
    match of {
        NamespaceInjection::Enabled => "on".into(),
        NamespaceInjection::Revision(revision) => format!("rev {revision}"),
        NamespaceInjection::Disabled => "off".into(),
        NamespaceInjection::Ambient => "ambient".into(),
        NamespaceInjection::None => "by pod".into(),
        NamespaceInjection::Never => "never".into(),
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
    let head = ["", "namespace", "injection", "available", "secured", "mTLS"];
    let cells: Vec<_> = head
        .iter()
        .zip(widths)
        .map(|(name, width)| {
            let fit = match *name {
                "available" | "secured" => Fit::Right,
                _ => Fit::Left,
            };
            (width, fit, Words::muted(name))
        })
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
                    Words::plain(format!(
                        "{} of {}",
                        count(*choosable),
                        count(namespace.workloads)
                    )),
                ),
                (
                    widths[4],
                    Fit::Right,
                    if namespace.secured == 0
                        && *choosable == 0
                        && (closed.is_some() || held.is_some())
                    {
                        Words::muted("why?")
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
        rows::empty(
            paint,
            places,
            filter,
            "No namespace could be read; r asks again.",
        );
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
            &Words::strong("Namespace"),
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
        let text = format!(
            "{} of other owners: {}",
            many(pods, "pod"),
            crate::text::few(&names, 6)
        );
        lines.extend(fact("others", Role::Plain, &text, room));
        let plain = count(in_plaintext(others));
        lines.extend(fact("in plaintext", Role::Plain, &plain, room));
    }
    super::prometheus::paint_from(paint, inside, &lines, state);
}

fn detail(of: &Namespace, room: usize) -> Vec<Words> {
    let mut lines = vec![
        Words::plain(format!(
            "{}, {}",
            many(of.workloads, "workload"),
            many(of.pods, "pod")
        )),
        Words::new(),
    ];
    let injection = match &of.injection {
        NamespaceInjection::Enabled => "every pod gets a sidecar".to_owned(),
        NamespaceInjection::Revision(revision) => format!("by revision {revision}"),
        NamespaceInjection::Disabled => "disabled: pod labels have no effect".to_owned(),
        NamespaceInjection::Ambient => "ambient, without sidecars".to_owned(),
        NamespaceInjection::None => "no label: injected only if the pod has the label".to_owned(),
        NamespaceInjection::Never => "never: Istio excludes this namespace".to_owned(),
    };
    lines.extend(fact("injection", Role::Plain, &injection, room));
    let meshed = format!("{} of {}", count(of.meshed_pods), many(of.pods, "pod"));
    lines.extend(fact("sidecars", Role::Plain, &meshed, room));
    let secured = format!(
        "{} of {}",
        count(of.secured),
        many(of.workloads, "workload")
    );
    lines.extend(fact("secured", Role::Plain, &secured, room));
    let from = match &of.mtls.1 {
        Some(object) => format!("{}, by {object}", rows::mode(of.mtls.0)),
        None => format!("{}, Istio's default", rows::mode(of.mtls.0)),
    };
    lines.extend(fact("mTLS", Role::Plain, &from, room));
    if let Some(level) = &of.pod_security {
        lines.extend(fact("pod security", Role::Plain, level, room));
    }
    if of.terminating {
        lines.push(Words::new());
        lines.push(Words::of(Role::Bad, "✕ This namespace is being deleted."));
    }
    lines
}
