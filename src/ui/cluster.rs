//! Step 1: the context, and whether everything is there that is needed.

use super::layout::Places;
use super::paint::{Paint, Words};
use super::theme::Role;
use super::widgets::{self, item, list, panel};
use super::words::width;
use crate::wizard::list::Row;
use crate::wizard::state::{About, Check, CheckLine, Connection, State};
use crate::words::say::ui as say;
use ratatui::layout::Rect;

pub fn draw(paint: &mut Paint, state: &State, places: &Places) {
    if super::layout::choosing(state) {
        return contexts(paint, state, places);
    }
    let room = usize::from(places.list.width);
    match &state.cluster.connection {
        Connection::Reading => wait(paint, places.list, say::READING_KUBECONFIG),
        Connection::Connecting => {
            let context = state.cluster.context.as_deref();
            let what = context.map_or(say::CONNECTING.to_owned(), say::connecting_to);
            wait(paint, places.list, &what);
        }
        Connection::Failed(error) => {
            let mut lines = widgets::error(error, room);
            lines.push(Words::new());
            let retries = format!(" {}", say::RETRIES);
            lines.push(Words::of(Role::Accent, "r").and(Role::Plain, retries));
            paint.lines(places.list, &lines);
        }
        Connection::Choosing | Connection::Open => checklist(paint, state, places.list),
    }
}

fn wait(paint: &mut Paint, area: Rect, what: &str) {
    let words =
        Words::of(Role::Accent, paint.spinner().to_string()).and(Role::Plain, format!(" {what}"));
    paint.line(area.x, area.y, area.width, &words);
}

fn contexts(paint: &mut Paint, state: &State, places: &Places) {
    let current = state
        .cluster
        .contexts
        .as_ref()
        .and_then(|contexts| contexts.current.as_deref());
    list(
        paint,
        places.list,
        &state.cluster.list,
        !places.over,
        |paint, area, row| {
            let Row::Context(name) = row else { return };
            let is_current = current == Some(&**name);
            let note = if is_current { say::CURRENT } else { "" };
            let room = usize::from(area.width).saturating_sub(width(note) + 2);
            let name = super::paint::safe(name);
            paint.text(
                area.x,
                area.y,
                area.width,
                Role::Plain,
                &super::words::middle(&name, room),
            );
            paint.right(area.x, area.y, area.width, &Words::muted(note));
        },
    );
}

fn glyph(paint: &Paint, check: &Check) -> (char, Role) {
    match check {
        Check::Asking => (paint.spinner(), Role::Accent),
        Check::Good => ('✓', Role::Good),
        Check::Warning => ('▲', Role::Waiting),
        Check::Bad => ('✕', Role::Bad),
        Check::Skipped => ('–', Role::Muted),
    }
}

/// One line of the checklist, with what to do below it.
fn check_lines(paint: &Paint, line: &CheckLine, column: usize, room: usize) -> Vec<Words> {
    let (glyph, role) = glyph(paint, &line.check);
    let found = if line.check == Check::Asking && line.found.is_empty() {
        say::ASKING
    } else {
        &line.found
    };
    let mut lines: Vec<Words> = Words::wrapped(
        match line.check {
            Check::Asking | Check::Skipped => Role::Muted,
            Check::Bad => Role::Bad,
            _ => Role::Plain,
        },
        found,
        room.saturating_sub(column + 2).max(1),
    )
    .into_iter()
    .enumerate()
    .map(|(at, found)| {
        let lead = if at == 0 {
            Words::of(role, glyph.to_string())
                .and(Role::Plain, format!(" {:<column$}", line.about.label()))
        } else {
            Words::plain(" ".repeat(column + 2))
        };
        lead.join(found)
    })
    .collect();
    if !line.todo.is_empty() {
        let below = Words::wrapped(
            Role::Plain,
            &format!("→ {}", line.todo),
            room.saturating_sub(column + 2).max(1),
        );
        lines.extend(
            below
                .into_iter()
                .map(|line| Words::plain(" ".repeat(column + 2)).join(line)),
        );
    }
    lines
}

fn checklist(paint: &mut Paint, state: &State, area: Rect) {
    let room = usize::from(area.width);
    let labels = state
        .cluster
        .checks
        .iter()
        .map(|line| width(line.about.label()));
    let column = (labels.max().unwrap_or(0) + 1).max(16).min(room / 2);
    let all: Vec<Vec<Words>> = state
        .cluster
        .checks
        .iter()
        .map(|line| check_lines(paint, line, column, room))
        .collect();
    let tall: usize = all.iter().map(Vec::len).sum();
    // Where not all fits, what to do is kept for what is not well, and the rest takes one line each.
    let short = tall > usize::from(area.height);
    let lines: Vec<Words> = all
        .into_iter()
        .zip(&state.cluster.checks)
        .flat_map(|(lines, check)| {
            let keep = if short && !matches!(check.check, Check::Bad) {
                1
            } else {
                lines.len()
            };
            lines.into_iter().take(keep)
        })
        .collect();
    paint.lines(area, &lines);
    if lines.is_empty() {
        wait(paint, area, say::ASKING_API);
    }
}

/// What the cluster means for the steps to come.
pub fn side(paint: &mut Paint, state: &State, area: Rect) {
    let title = Words::strong(say::WHAT_IS_NEEDED);
    let inside = panel(paint, area, &title, &Words::new(), false);
    let room = usize::from(inside.width);
    let mut lines = Vec::new();
    if super::layout::choosing(state) {
        if let Some(Row::Context(name)) = state.cluster.list.current() {
            lines.extend(Words::wrapped(Role::Strong, name, room));
            lines.push(Words::new());
        }
        lines.extend(Words::wrapped(Role::Plain, say::NO_REQUEST_YET, room));
    } else {
        // What is not well comes first, whole; of the rest the line itself says what was found.
        let is_bad = |line: &&CheckLine| matches!(line.check, Check::Bad | Check::Warning);
        let (bad, well): (Vec<_>, Vec<_>) = state.cluster.checks.iter().partition(is_bad);
        for line in bad.iter().chain(&well) {
            let (glyph, role) = glyph(paint, &line.check);
            lines.extend(item(glyph, role, line.about.label(), room));
            if is_bad(line) {
                for text in [&line.found, &line.todo] {
                    if !text.is_empty() {
                        lines.extend(item(' ', role, text, room));
                    }
                }
            }
            lines.extend(item(' ', Role::Muted, meaning(line.about), room));
        }
        if !lines.is_empty() {
            lines.push(Words::new());
        }
        lines.extend(Words::wrapped(
            Role::Muted,
            say::NOTHING_BEFORE_REVIEW,
            room,
        ));
    }
    super::prometheus::paint_from(paint, inside, &lines, state);
}

/// What a line of the checklist is good for.
fn meaning(about: About) -> &'static str {
    match about {
        About::Server => say::MEANS_SERVER,
        About::Istio => say::MEANS_ISTIO,
        About::DataPlane => say::MEANS_DATA_PLANE,
        About::TrustDomain => say::MEANS_TRUST_DOMAIN,
        About::RootNamespace => say::MEANS_ROOT_NAMESPACE,
        About::MeshMode => say::MEANS_MESH_MODE,
        About::Prometheus => say::MEANS_PROMETHEUS,
        About::Reading => say::MEANS_READING,
        About::Permissions => say::MEANS_PERMISSIONS,
        About::Interrupted => say::MEANS_INTERRUPTED,
        About::Contact => say::MEANS_CONTACT,
        About::Problems => say::MEANS_PROBLEMS,
    }
}
