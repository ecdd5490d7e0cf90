//! Step 9: every expected target, as the cluster and Prometheus see it.

use super::layout::Places;
use super::paint::{Fit, Paint, Words};
use super::rows;
use super::theme::Role;
use super::widgets::{fact, gauge, item, list, panel, percent, sparkline};
use super::words::{age, count, duration, many};
use crate::mesh::others::in_plaintext;
use crate::problems::Problem;
use crate::targets::{self, Probe, Row};
use crate::wizard::state::{ApplyStep, State, WayBack};
use crate::words;
use jiff::Timestamp;
use ratatui::layout::Rect;
use std::time::Duration;

/// `7 of 9 targets UP over mTLS  ███████░░  78 %`
pub fn heading(state: &State, room: usize) -> Words {
    if state.apply.takes_back() {
        return super::apply::heading(state);
    }
    let counts = &state.status.board.counts;
    let all = counts.all();
    if all == 0 {
        return Words::strong("Status");
    }
    if counts.up == 0 && state.apply.was_taken_back() {
        return Words::strong("Status after the undo");
    }
    let words = Words::strong(format!(
        "{} of {} UP over mTLS",
        count(counts.up),
        many(all, "target")
    ));
    let left = room.saturating_sub(words.width() + 10);
    if left < 6 {
        return words;
    }
    words
        .and(Role::Plain, "  ")
        .join(gauge(counts.up, all, left.min(24)))
        .and(Role::Plain, format!("  {}", percent(counts.up, all)))
}

/// `next scrape 6 s · 2 Prometheus replicas`
pub fn note(state: &State) -> Words {
    let board = &state.status.board;
    if state.status.frozen {
        return Words::of(Role::Waiting, "▲ frozen");
    }
    match board.replicas.len() {
        0 => Words::new(),
        replicas => Words::muted(many(replicas, "Prometheus replica")),
    }
}

/// What is to be known before the table is believed.
pub fn question(state: &State) -> (Role, String) {
    let board = &state.status.board;
    if state.apply.takes_back() {
        return (Role::Waiting, taking_back(&state.apply));
    }
    if let Some((why, since)) = &board.stale {
        let old = since_words(state.now, Some(*since));
        return (Role::Waiting, format!("▲ last update {old} ago: {why}"));
    }
    if let Some(replica) = board.replicas.iter().find(|r| r.error.is_some()) {
        let why = replica.error.as_deref().unwrap_or_default();
        return (
            Role::Waiting,
            format!("▲ {} does not answer: {why}", replica.pod),
        );
    }
    if state.status.waiting {
        return (Role::Muted, "asking Prometheus …".into());
    }
    let counts = &board.counts;
    if state.apply.was_taken_back() && counts.plaintext == counts.all() {
        let text = "✓ Run undone: pods are scraped in plaintext again, as before.";
        return (Role::Good, text.into());
    }
    let told = |of: &[(usize, &str)]| -> Vec<String> {
        let some = of.iter().filter(|(number, _)| *number > 0);
        some.map(|(number, word)| format!("{} {word}", count(*number)))
            .collect()
    };
    let of_the_up = told(&[
        (counts.secured, "secured"),
        (counts.double, "also plaintext"),
    ]);
    let mut others = told(&[
        (counts.unguarded, "not guarded"),
        (counts.down, "DOWN"),
        (counts.waiting, "waiting"),
        (counts.plaintext, "plaintext only"),
        (counts.not_covered, "not covered"),
        (counts.left_out, "skipped"),
        (
            in_plaintext(&board.others),
            "pods of other owners in plaintext",
        ),
    ]);
    let well = counts.up > 0 && counts.up == counts.all() && counts.unguarded == 0;
    let lead = match (well, of_the_up.is_empty()) {
        (true, true) => Some("✓ every target is UP".to_owned()),
        (true, false) => Some(format!("✓ every target is UP: {}", of_the_up.join(", "))),
        (false, true) => None,
        (false, false) => Some(format!("UP: {}", of_the_up.join(", "))),
    };
    others.splice(0..0, lead);
    let role = if well { Role::Good } else { Role::Plain };
    match others.is_empty() {
        true => (role, state.step.question().into()),
        false => (role, others.join(" · ")),
    }
}

/// What the undo under way is doing.
fn taking_back(apply: &ApplyStep) -> String {
    let now = apply.rows.rows.iter().find(|row| row.under_way());
    match now {
        Some(row) => format!("○ Undoing the run: {}.", row.object),
        None => "○ Undoing the run.".to_owned(),
    }
}

fn since_words(now: Option<Timestamp>, then: Option<Timestamp>) -> String {
    match now.zip(then) {
        // A clock that runs behind makes no negative ages.
        Some((now, then)) => age(Duration::try_from(now.duration_since(then)).unwrap_or_default()),
        None => "–".into(),
    }
}

/// Glyph and word of a state, while its workload may be losing what makes it a target.
fn words_of(state: &State, of: &Row) -> Words {
    let up = matches!(of.state, targets::State::Up { .. });
    if of.left_out {
        return Words::muted("– skipped");
    }
    match state.apply.way_back_of(&of.expected.item) {
        Some(WayBack::Done) => Words::muted("– undone"),
        Some(WayBack::Now) => Words::of(Role::Waiting, "○ undoing"),
        Some(WayBack::Ahead) if !up => Words::of(Role::Waiting, "○ undo pending"),
        Some(WayBack::Ahead) | None => state_words(of),
    }
}

/// Glyph and word of a state.
pub fn state_words(of: &Row) -> Words {
    match &of.state {
        targets::State::Up { .. } if !of.guard.faults().is_empty() => {
            Words::of(Role::Bad, "✕ UP, not guarded")
        }
        targets::State::Up { double: Some(_) } => Words::of(Role::Waiting, "▲ UP, also plaintext"),
        targets::State::Up { double: None } => match of.probe {
            Probe::Refused if of.guard.holds() => Words::of(Role::Good, "● UP   mTLS, secured"),
            Probe::Served => Words::of(Role::Bad, "✕ UP, plaintext served"),
            _ => Words::of(Role::Good, "● UP   mTLS"),
        },
        targets::State::Unsettled { .. } => Words::of(Role::Waiting, "○ UP, confirming"),
        targets::State::Down { error, cause } => {
            let why = cause.as_deref().map(words::sentence);
            let why = why.unwrap_or_else(|| error.clone());
            Words::of(Role::Bad, "✕ DOWN ").and(Role::Plain, why)
        }
        targets::State::Waiting { on, replica } => {
            let on = words::waits(on, replica.as_deref());
            Words::of(Role::Waiting, "○ waiting  ").and(Role::Plain, on)
        }
        targets::State::Plaintext { .. } => Words::of(Role::Waiting, "▲ plaintext only"),
        targets::State::NotCovered => {
            Words::muted("– not covered  ").and(Role::Muted, words::not_covered())
        }
    }
}

/// Widths: namespace, workload, pod, state, last, took, trend. Zero: left to the detail.
fn columns(width: u16) -> [u16; 7] {
    let (last, took) = (7, 7);
    let (namespace, trend) = match width {
        ..=89 => (12, 0),
        90..=109 => (12, 8),
        _ => (14, 16),
    };
    let gaps = if trend > 0 { 12 } else { 10 };
    let rest = width.saturating_sub(namespace + last + took + trend + gaps);
    let state = 22;
    let names = rest.saturating_sub(state);
    if width < 90 {
        // The pod says the workload's name too.
        return [namespace, 0, names + 2, state, last, took, 0];
    }
    let workload = names * 40 / 100;
    [
        namespace,
        workload,
        names - workload,
        state,
        last,
        took,
        trend,
    ]
}

pub fn draw(paint: &mut Paint, state: &State, places: &Places) {
    let area = places.list;
    let widths = columns(area.width.saturating_sub(2));
    let heads = Rect::new(area.x + 2, area.y - 1, area.width.saturating_sub(2), 1);
    let names = [
        "namespace",
        "workload",
        "pod",
        "state",
        "last",
        "took",
        "trend",
    ];
    let cells: Vec<_> = names
        .iter()
        .zip(widths)
        .map(|(name, width)| {
            let fit = match *name {
                "last" | "took" => Fit::Right,
                _ => Fit::Left,
            };
            (width, fit, Words::muted(name))
        })
        .collect();
    paint.cells(heads, &cells);
    let now = state.now.or(state.status.board.at);
    list(
        paint,
        area,
        &state.status.rows,
        !places.over,
        |paint, area, of| row(paint, area, of, words_of(state, of), &widths, now),
    );
    if state.status.rows.rows.is_empty() {
        let filter = &state.status.rows.filter.text;
        if state.status.waiting {
            let words = Words::of(Role::Accent, paint.spinner().to_string())
                .and(Role::Muted, " asking Prometheus for its targets …");
            paint.line(area.x, area.y, area.width, &words);
        } else if state.status.problems_only && filter.is_empty() {
            rows::empty(paint, places, "", "No target has a problem; p shows all.");
        } else {
            rows::empty(
                paint,
                places,
                filter,
                "No pod is annotated with secure-port: nothing is scraped over mTLS yet.",
            );
        }
    }
}

fn row(
    paint: &mut Paint,
    area: Rect,
    of: &Row,
    said: Words,
    widths: &[u16; 7],
    now: Option<Timestamp>,
) {
    let took = of.took.map_or(String::new(), duration);
    let last = match of.last_scrape {
        Some(at) => since_words(now, Some(at)),
        None => String::new(),
    };
    let mut cells = vec![
        (
            widths[0],
            Fit::Middle,
            Words::plain(&of.expected.item.namespace),
        ),
        (widths[1], Fit::Middle, Words::plain(&of.expected.item.name)),
        (widths[2], Fit::Middle, Words::plain(&of.expected.pod)),
    ];
    let up = matches!(
        of.state,
        targets::State::Up { .. } | targets::State::Unsettled { .. }
    );
    if !up || last.is_empty() {
        // What is wrong has the room of the figures, up to the end of the line.
        cells.push((u16::MAX / 2, Fit::Left, said));
    } else {
        cells.push((widths[3], Fit::Left, said));
        cells.push((widths[4], Fit::Right, Words::plain(last)));
        cells.push((widths[5], Fit::Right, Words::plain(took)));
        let bars = sparkline(&of.trend, usize::from(widths[6]));
        cells.push((widths[6], Fit::Left, Words::of(Role::Accent, bars)));
    }
    paint.cells(area, &cells);
}

/// Why the target under the cursor is as it is, and what to do.
pub fn side(paint: &mut Paint, state: &State, area: Rect) {
    let Some(of) = state.status.rows.current() else {
        panel(paint, area, &Words::strong("Target"), &Words::new(), false);
        return;
    };
    let pod = &of.expected.pod;
    let back = state.apply.way_back_of(&of.expected.item);
    let title = match &of.state {
        _ if back.is_some() => format!("Which changes are undone for {}?", of.expected.item.name),
        targets::State::Down { .. } => format!("Why is {pod} DOWN?"),
        targets::State::Waiting { .. } => format!("What does {pod} wait for?"),
        targets::State::Plaintext { .. } if state.apply.was_taken_back() => pod.clone(),
        _ if of.left_out => pod.clone(),
        targets::State::Plaintext { .. } => format!("Why is {pod} not scraped over mTLS?"),
        targets::State::NotCovered => format!("Why is {pod} not covered?"),
        _ => pod.clone(),
    };
    let inside = panel(paint, area, &Words::strong(title), &Words::new(), false);
    let room = usize::from(inside.width);
    let lines = match back {
        Some(_) => lost(&state.apply, of, room),
        None => cause(state, of, room),
    };
    super::prometheus::paint_from(paint, inside, &lines, state);
}

/// What its workload loses in the undo under way, and how far that is.
fn lost(apply: &ApplyStep, of: &Row, room: usize) -> Vec<Words> {
    let rows = apply.losing.get(&of.expected.item).into_iter().flatten();
    let rows = rows.filter_map(|at| apply.rows.rows.get(*at));
    let mut lines: Vec<Words> = rows.map(|row| super::apply::sentence(row, room)).collect();
    lines.extend(Words::wrapped(
        Role::Muted,
        "After this undo the pod is scraped in plaintext, as before.",
        room,
    ));
    lines
}

/// What is wrong with the objects that guard it, beside the cause of its being DOWN.
fn faults(of: &Row) -> impl Iterator<Item = &Problem> {
    let down = match &of.state {
        targets::State::Down { cause, .. } => cause.as_deref(),
        _ => None,
    };
    let faults = of.guard.faults().iter();
    faults.filter(move |fault| Some(*fault) != down)
}

fn cause(state: &State, of: &Row, room: usize) -> Vec<Words> {
    let mut lines = Vec::new();
    if of.left_out {
        let text = "Skipped in the review: nothing was applied for this workload.";
        lines.extend(item('–', Role::Muted, text, room));
    }
    match &of.state {
        targets::State::Up { double } => {
            if let Some(job) = double {
                lines.extend(item(
                    '▲',
                    Role::Waiting,
                    &format!(
                        "Job {job} also scrapes the pod in plaintext: its series are counted twice."
                    ),
                    room,
                ));
                // What is lost without the old job: recipe/old_jobs.rs.
                let way = "The next apply with all targets UP ends this plaintext scrape, unless metrics would be lost.";
                lines.extend(item(' ', Role::Muted, way, room));
            }
            let text = format!("UP over mTLS on 15091 → {}", u16::from(of.expected.port));
            lines.extend(item('●', Role::Good, &text, room));
        }
        targets::State::Unsettled { until } => {
            let left = match state.now.or(state.status.board.at) {
                Some(now) => age(Duration::try_from(until.duration_since(now)).unwrap_or_default()),
                None => "a minute".into(),
            };
            lines.extend(item(
                '○',
                Role::Waiting,
                &format!(
                    "UP over a connection from before a policy change: confirmed if the target \
                     stays UP for {left}."
                ),
                room,
            ));
        }
        targets::State::Down { error, cause } => {
            match cause {
                Some(cause) => {
                    lines.extend(Words::wrapped(Role::Plain, &words::sentence(cause), room));
                    if let Some(fix) = words::remedy(cause) {
                        lines.extend(fact("fix", Role::Strong, &fix, room));
                    }
                }
                None => lines.extend(Words::wrapped(
                    Role::Plain,
                    "Unknown cause. Error from Prometheus:",
                    room,
                )),
            }
            lines.extend(fact("Prometheus", Role::Muted, error, room));
        }
        targets::State::Waiting { on, replica } => {
            let on = words::waits(on, replica.as_deref());
            lines.extend(item('○', Role::Waiting, &on, room));
        }
        targets::State::Plaintext { job } => lines.extend(item(
            '▲',
            Role::Waiting,
            &match state.apply.was_taken_back() {
                true => format!("Run undone: job {job} scrapes the pod in plaintext."),
                false => {
                    format!("Job {job} scrapes the pod in plaintext; no job scrapes it over mTLS.")
                }
            },
            room,
        )),
        targets::State::NotCovered => {
            lines.extend(item('–', Role::Muted, words::not_covered(), room));
        }
    }
    for fault in faults(of) {
        lines.extend(item('✕', Role::Bad, &words::sentence(fault), room));
        if let Some(fix) = words::remedy(fault) {
            lines.extend(fact("fix", Role::Strong, &fix, room));
        }
    }
    if let targets::Guard::Unknown(why) = &of.guard {
        let text = format!("▲ its policies could not be read: {why}");
        lines.extend(fact("guard", Role::Waiting, &text, room));
    }
    if !state.status.board.shared_with.is_empty() {
        let others = crate::text::few(&state.status.board.shared_with, 3);
        let text = format!("Prometheus and other pods with its ServiceAccount: {others}");
        lines.extend(fact("readers", Role::Waiting, &text, room));
    }
    let proof = match &of.probe {
        Probe::NotAsked if state.start.no_probe => {
            Some((Role::Muted, "not checked (--no-probe)".into()))
        }
        Probe::NotAsked => None,
        Probe::Refused if of.guard.holds() => {
            Some((Role::Good, "✓ refused on 15091: secured".to_owned()))
        }
        Probe::Refused => Some((Role::Plain, "✓ refused on 15091".to_owned())),
        Probe::Served => Some((Role::Bad, "✕ served on 15091: not secured".to_owned())),
        Probe::Unknown(why) | Probe::Unclear(why) => {
            Some((Role::Waiting, format!("▲ could not be checked: {why}")))
        }
    };
    if let Some((role, text)) = proof {
        lines.extend(fact("plaintext", role, &text, room));
    }
    let place = format!(
        "{} in {}{}",
        of.expected.item.name,
        of.expected.item.namespace,
        match &of.expected.ip {
            Some(ip) => format!(", {ip}"),
            None => String::new(),
        }
    );
    lines.extend(fact("workload", Role::Plain, &place, room));
    let up = matches!(of.state, targets::State::Up { .. });
    if let (false, Some(last)) = (up, of.last_scrape) {
        let mut text = format!(
            "{} ago",
            since_words(state.now.or(state.status.board.at), Some(last))
        );
        if let Some(took) = of.took {
            text += &format!(", duration {}", duration(took));
        }
        lines.extend(fact("scraped", Role::Plain, &text, room));
    }
    if let Some(next) = of.next_scrape {
        lines.extend(fact(
            "next",
            Role::Plain,
            &format!("scrape in {}", age(next)),
            room,
        ));
    }
    lines
}
