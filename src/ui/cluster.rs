//! Step 1: the context, and whether everything is there that is needed.

use super::layout::Places;
use super::paint::{Paint, Words};
use super::theme::Role;
use super::widgets::{self, item, list, panel};
use crate::wizard::list::Row;
use crate::wizard::state::{About, Check, CheckLine, Connection, State};
use ratatui::layout::Rect;

pub fn draw(paint: &mut Paint, state: &State, places: &Places) {
    if super::layout::choosing(state) {
        return contexts(paint, state, places);
    }
    let room = usize::from(places.list.width);
    match &state.cluster.connection {
        Connection::Reading => wait(paint, places.list, "reading the kubeconfig"),
        Connection::Connecting => {
            let context = state.cluster.context.as_deref().unwrap_or("the cluster");
            wait(paint, places.list, &format!("connecting to {context}"));
        }
        Connection::Failed(error) => {
            let mut lines = widgets::error(error, room);
            lines.push(Words::new());
            lines.push(
                Words::of(Role::Accent, "r").and(Role::Plain, " retries; no choices are lost"),
            );
            paint.lines(places.list, &lines);
        }
        Connection::Choosing | Connection::Open => checklist(paint, state, places.list),
    }
}

fn wait(paint: &mut Paint, area: Rect, what: &str) {
    let words =
        Words::of(Role::Accent, paint.spinner().to_string()).and(Role::Plain, format!(" {what} …"));
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
            let note = if is_current { "current" } else { "" };
            let room = usize::from(area.width).saturating_sub(note.len() + 2);
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
        "asking …"
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
        .map(|line| line.about.label().len());
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
        wait(paint, area, "asking the API server");
    }
}

/// What the cluster means for the steps to come.
pub fn side(paint: &mut Paint, state: &State, area: Rect) {
    let title = Words::strong("What is needed");
    let inside = panel(paint, area, &title, &Words::new(), false);
    let room = usize::from(inside.width);
    let mut lines = Vec::new();
    if super::layout::choosing(state) {
        if let Some(Row::Context(name)) = state.cluster.list.current() {
            lines.extend(Words::wrapped(Role::Strong, name, room));
            lines.push(Words::new());
        }
        lines.extend(Words::wrapped(
            Role::Plain,
            "No request is sent before you choose a context, and nothing is written \
             before you have seen it as a diff.",
            room,
        ));
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
            "Nothing is written before you review its diff and confirm.",
            room,
        ));
    }
    super::prometheus::paint_from(paint, inside, &lines, state);
}

/// What a line of the checklist is good for.
fn meaning(about: About) -> &'static str {
    match about {
        About::Server => "meshscrape reads and writes everything through the API server.",
        About::Istio => "The Istio version and revision decide which settings the proxies support.",
        About::DataPlane => "Port 15091 is opened by a workload's sidecar, or by a gateway.",
        About::TrustDomain => {
            "The first part of Prometheus's SPIFFE identity (spiffe://TRUST-DOMAIN/…)."
        }
        About::RootNamespace => "Sidecars and policies in this namespace apply to the whole mesh.",
        About::MeshMode => {
            "The default mTLS mode of workloads without their own policy. Port 15091 always gets STRICT."
        }
        About::Prometheus => "The server that will scrape over mTLS. You choose it in step 2.",
        About::Reading => "The lists that the next steps show, read from the API server.",
        About::Permissions => "Your permissions, from access reviews. These write nothing.",
        About::Interrupted => "A run that its record shows as interrupted.",
        About::Contact => "Queries to the chosen Prometheus. They show which targets are UP.",
        About::Problems => "What blocks or endangers the set-up in this cluster.",
    }
}
