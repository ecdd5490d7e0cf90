//! What stands around every step: header, rail, footer.

use super::layout::{self, Places};
use super::paint::{Paint, Words};
use super::theme::Role;
use super::widgets::panel;
use super::words::{count, width};
use crate::wizard::Step;
use crate::wizard::state::{State, StepMark};
use crate::words::say::ui as say;
use ratatui::layout::Rect;

/// `meshscrape  prod-eu · Istio 1.31.0 · Kubernetes 1.36        DEMO  read-only`
pub fn header(paint: &mut Paint, state: &State, area: Rect) {
    let mut right = Words::new();
    if state.start.demo {
        let text = if area.width < layout::WIDE {
            say::DEMO
        } else {
            say::DEMO_SIMULATED
        };
        right = right.and(Role::Waiting, format!("▲ {text}"));
    }
    if state.start.read_only {
        let gap = if right.is_empty() { "" } else { "   " };
        right = right
            .and(Role::Plain, gap)
            .and(Role::Strong, say::READ_ONLY);
    }
    let mut left = Words::of(Role::Accent, "meshscrape").and(Role::Plain, "   ");
    let mut facts = Vec::new();
    let context = match &state.cluster.context {
        Some(context) => context.as_str(),
        None => state.mesh.context.as_str(),
    };
    if !context.is_empty() {
        facts.push(context.to_owned());
    }
    let mut versions: Vec<&str> = state
        .mesh
        .istio
        .control_planes
        .iter()
        .map(|plane| plane.version.as_str())
        .collect();
    versions.sort_unstable();
    versions.dedup();
    if !versions.is_empty() {
        facts.push(format!("Istio {}", versions.join(", ")));
    }
    if let Some(Ok(version)) = &state.mesh.server {
        facts.push(format!("Kubernetes {}", version.trim_start_matches('v')));
    }
    left = left.and(Role::Plain, facts.join(" · "));
    let room = area.width.saturating_sub(2);
    let taken = right.width() as u16;
    paint.line(
        area.x + 1,
        area.y,
        room.saturating_sub(if taken == 0 { 0 } else { taken + 2 }),
        &left,
    );
    paint.right(area.x + 1, area.y, room, &right);
}

/// The glyph of a step, and its role.
fn mark(of: StepMark) -> (char, Role) {
    match of {
        StepMark::Done => ('✓', Role::Good),
        StepMark::Here => ('▸', Role::Accent),
        StepMark::Answered => ('•', Role::Accent),
        StepMark::Reached => ('○', Role::Plain),
        StepMark::Ahead => ('·', Role::Muted),
    }
}

/// What is chosen or reached there, in a figure.
fn figure(state: &State, step: Step) -> String {
    let many = |of: usize| if of == 0 { String::new() } else { count(of) };
    match step {
        Step::Namespaces => many(state.answers.namespaces.len()),
        Step::Workloads => many(state.answers.workloads.len()),
        Step::Gateways => many(state.answers.gateways.len()),
        // Once it is written, a review tells of what was.
        Step::Review
            if state.apply.outcome.is_some()
                && state.review.made_for.is_none()
                && state.review.undoes.is_none() =>
        {
            String::new()
        }
        Step::Review => many(state.review.counts.changes),
        Step::Apply => match state.apply.progress() {
            (_, 0) => String::new(),
            (done, all) => format!("{done}/{all}"),
        },
        // Elsewhere nobody looks at the targets, and the figures would grow old.
        Step::Status if !matches!(state.step, Step::Apply | Step::Status) => String::new(),
        Step::Status => {
            let counts = &state.newest_board().counts;
            match counts.all() {
                0 => String::new(),
                all => format!("{}/{all}", counts.up),
            }
        }
        Step::Cluster | Step::Prometheus | Step::Options => String::new(),
    }
}

pub fn rail(paint: &mut Paint, state: &State, places: &Places) {
    if places.rail.height == 0 {
        return;
    }
    if !places.tall_rail {
        return step_line(paint, state, places.rail);
    }
    let inside = panel(
        paint,
        places.rail,
        &Words::plain(say::SET_UP),
        &Words::new(),
        false,
    );
    for (step, y) in Step::ALL.into_iter().zip(inside.top()..inside.bottom()) {
        let (glyph, role) = mark(state.mark(step));
        let name = match state.mark(step) {
            StepMark::Here => Role::Strong,
            StepMark::Ahead => Role::Muted,
            _ => Role::Plain,
        };
        // The key that leads there.
        let words = Words::of(role, glyph.to_string())
            .and(Role::Muted, format!(" {} ", step.number()))
            .and(name, step.title());
        paint.line(inside.x, y, inside.width, &words);
        let figure = Words::plain(figure(state, step));
        if !figure.is_empty() {
            paint.right(inside.x, y, inside.width, &figure);
        }
    }
}

/// `4/9 Workloads 3  ✓✓✓▸·····`
fn step_line(paint: &mut Paint, state: &State, area: Rect) {
    let step = state.step;
    let mut words = Words::muted(format!("{}/{} ", step.number(), Step::ALL.len()))
        .and(Role::Strong, step.title());
    let figure = figure(state, step);
    if !figure.is_empty() {
        words = words.and(Role::Plain, format!(" {figure}"));
    }
    words = words.and(Role::Plain, "  ");
    for step in Step::ALL {
        let (glyph, role) = mark(state.mark(step));
        words = words.and(role, glyph.to_string());
    }
    paint.line(area.x + 1, area.y, area.width - 1, &words);
}

/// Columns where the step line's marks stand, for the mouse.
pub fn step_line_marks(state: &State, area: Rect) -> u16 {
    let step = state.step;
    let figure = figure(state, step);
    let gap = if figure.is_empty() {
        0
    } else {
        1 + width(&figure)
    };
    let lead = format!("{}/{} {}", step.number(), Step::ALL.len(), step.title());
    area.x + 1 + (width(&lead) + gap + 2) as u16
}

pub fn footer(paint: &mut Paint, state: &State, area: Rect) {
    for (binding, place) in layout::footer(state, area) {
        let words = Words::of(Role::Accent, binding.key.to_string())
            .and(Role::Plain, format!(" {}", binding.label));
        paint.line(place.x, place.y, place.width, &words);
    }
}

/// No step and no question can be drawn: which keys act all the same.
pub fn too_small(paint: &mut Paint, state: &State, area: Rect) {
    let (width, height) = layout::LEAST;
    let keys = match (state.apply.running, state.apply.stopping) {
        (true, false) => say::QUIT_STOPS,
        (true, true) => say::STOPPING,
        (false, _) => say::QUIT,
    };
    let size = say::needs_size(width, height, area.width, area.height);
    let room = usize::from(area.width);
    let lines = [size.as_str(), keys]
        .into_iter()
        .flat_map(|text| super::words::wrap(text, room));
    for (line, y) in lines.zip(area.top()..area.bottom()) {
        paint.text(area.x, y, area.width, Role::Plain, &line);
    }
}
