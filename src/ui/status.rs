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
use crate::words::say::ui as say;
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
        return Words::strong(say::STATUS);
    }
    if counts.up == 0 && state.apply.was_taken_back() {
        return Words::strong(say::STATUS_AFTER_UNDO);
    }
    let words = Words::strong(say::up_over_mtls(
        &count(counts.up),
        &many(all, say::targets),
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
        return Words::of(Role::Waiting, format!("▲ {}", say::FROZEN));
    }
    match board.replicas.len() {
        0 => Words::new(),
        replicas => Words::muted(many(replicas, say::replicas)),
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
        return (Role::Waiting, format!("▲ {}", say::last_update(&old, why)));
    }
    if let Some(replica) = board.replicas.iter().find(|r| r.error.is_some()) {
        let why = replica.error.as_deref().unwrap_or_default();
        return (
            Role::Waiting,
            format!("▲ {}", say::does_not_answer(&replica.pod, why)),
        );
    }
    if state.status.waiting {
        return (Role::Muted, say::ASKING_PROMETHEUS.into());
    }
    let counts = &board.counts;
    if state.apply.was_taken_back() && counts.plaintext == counts.all() {
        return (Role::Good, format!("✓ {}", say::PLAINTEXT_AGAIN));
    }
    type Said = fn(&str) -> String;
    let told = |of: &[(usize, Said)]| -> Vec<String> {
        let some = of.iter().filter(|(number, _)| *number > 0);
        some.map(|(number, said)| said(&count(*number))).collect()
    };
    let of_the_up = told(&[
        (counts.secured, say::secured),
        (counts.double, say::also_plaintext),
    ]);
    let mut others = told(&[
        (counts.unguarded, say::not_guarded),
        (counts.down, say::down),
        (counts.waiting, say::waiting),
        (counts.plaintext, say::plaintext_only),
        (counts.not_covered, say::not_covered),
        (counts.left_out, say::skipped),
        (in_plaintext(&board.others), say::others_in_plaintext),
    ]);
    let well = counts.up > 0 && counts.up == counts.all() && counts.unguarded == 0;
    let lead = match (well, of_the_up.is_empty()) {
        (true, true) => Some(format!("✓ {}", say::EVERY_TARGET_UP)),
        (true, false) => {
            let those = say::every_target_up(&of_the_up.join(", "));
            Some(format!("✓ {those}"))
        }
        (false, true) => None,
        (false, false) => Some(say::up(&of_the_up.join(", "))),
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
        Some(row) => format!("○ {}", say::undoing_object(&row.object.to_string())),
        None => format!("○ {}", say::UNDOING_RUN),
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
        return Words::muted(format!("– {}", say::SKIPPED));
    }
    match state.apply.way_back_of(&of.expected.item) {
        Some(WayBack::Done) => Words::muted(format!("– {}", say::ROW_UNDONE)),
        Some(WayBack::Now) => Words::of(Role::Waiting, format!("○ {}", say::ROW_UNDOING)),
        Some(WayBack::Ahead) if !up => Words::of(Role::Waiting, format!("○ {}", say::UNDO_PENDING)),
        Some(WayBack::Ahead) | None => state_words(of),
    }
}

/// Glyph and word of a state.
pub fn state_words(of: &Row) -> Words {
    match &of.state {
        targets::State::Up { .. } if !of.guard.faults().is_empty() => {
            Words::of(Role::Bad, format!("✕ {}", say::UP_NOT_GUARDED))
        }
        targets::State::Up { double: Some(_) } => {
            Words::of(Role::Waiting, format!("▲ {}", say::UP_ALSO_PLAINTEXT))
        }
        targets::State::Up { double: None } => match of.probe {
            Probe::Refused if of.guard.holds() => {
                Words::of(Role::Good, format!("● {}", say::UP_SECURED))
            }
            Probe::Served => Words::of(Role::Bad, format!("✕ {}", say::UP_PLAINTEXT_SERVED)),
            _ => Words::of(Role::Good, format!("● {}", say::UP)),
        },
        targets::State::Unsettled { .. } => {
            Words::of(Role::Waiting, format!("○ {}", say::UP_CONFIRMING))
        }
        targets::State::Down { error, cause } => {
            let why = cause.as_deref().map(words::sentence);
            let why = why.unwrap_or_else(|| error.clone());
            Words::of(Role::Bad, format!("✕ {} ", say::DOWN)).and(Role::Plain, why)
        }
        targets::State::Waiting { on, replica } => {
            let on = words::waits(on, replica.as_deref());
            Words::of(Role::Waiting, format!("○ {}  ", say::WAITING)).and(Role::Plain, on)
        }
        targets::State::Plaintext { .. } => {
            Words::of(Role::Waiting, format!("▲ {}", say::PLAINTEXT_ONLY))
        }
        targets::State::NotCovered => {
            Words::muted(format!("– {}  ", say::NOT_COVERED)).and(Role::Muted, words::not_covered())
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
    let head = [
        (Fit::Left, say::NAMESPACE),
        (Fit::Left, say::WORKLOAD),
        (Fit::Left, say::POD),
        (Fit::Left, say::STATE),
        (Fit::Right, say::LAST),
        (Fit::Right, say::TOOK),
        (Fit::Left, say::TREND),
    ];
    let cells: Vec<_> = head
        .into_iter()
        .zip(widths)
        .map(|((fit, name), width)| (width, fit, Words::muted(name)))
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
                .and(Role::Muted, format!(" {}", say::ASKING_FOR_TARGETS));
            paint.line(area.x, area.y, area.width, &words);
        } else if state.status.problems_only && filter.is_empty() {
            rows::empty(paint, places, "", say::NO_PROBLEM);
        } else {
            rows::empty(paint, places, filter, say::NONE_ANNOTATED);
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
        panel(
            paint,
            area,
            &Words::strong(say::TARGET),
            &Words::new(),
            false,
        );
        return;
    };
    let pod = &of.expected.pod;
    let back = state.apply.way_back_of(&of.expected.item);
    let title = match &of.state {
        _ if back.is_some() => say::which_undone(&of.expected.item.name),
        targets::State::Down { .. } => say::why_down(pod),
        targets::State::Waiting { .. } => say::what_waits(pod),
        targets::State::Plaintext { .. } if state.apply.was_taken_back() => pod.clone(),
        _ if of.left_out => pod.clone(),
        targets::State::Plaintext { .. } => say::why_plaintext(pod),
        targets::State::NotCovered => say::why_not_covered(pod),
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
    lines.extend(Words::wrapped(Role::Muted, say::AFTER_UNDO, room));
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
        lines.extend(item('–', Role::Muted, say::SKIPPED_IN_REVIEW, room));
    }
    match &of.state {
        targets::State::Up { double } => {
            if let Some(job) = double {
                lines.extend(item('▲', Role::Waiting, &say::also_scrapes(job), room));
                // What is lost without the old job: recipe/old_jobs.rs.
                lines.extend(item(' ', Role::Muted, say::NEXT_APPLY_ENDS, room));
            }
            let text = say::up_on(of.expected.port.into());
            lines.extend(item('●', Role::Good, &text, room));
        }
        targets::State::Unsettled { until } => {
            let left = match state.now.or(state.status.board.at) {
                Some(now) => age(Duration::try_from(until.duration_since(now)).unwrap_or_default()),
                None => say::A_MINUTE.into(),
            };
            lines.extend(item('○', Role::Waiting, &say::confirmed_after(&left), room));
        }
        targets::State::Down { error, cause } => {
            match cause {
                Some(cause) => {
                    lines.extend(Words::wrapped(Role::Plain, &words::sentence(cause), room));
                    if let Some(fix) = words::remedy(cause) {
                        lines.extend(fact(say::FIX, Role::Strong, &fix, room));
                    }
                }
                None => lines.extend(Words::wrapped(Role::Plain, say::UNKNOWN_CAUSE, room)),
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
                true => say::undone_plaintext(job),
                false => say::no_job_mtls(job),
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
            lines.extend(fact(say::FIX, Role::Strong, &fix, room));
        }
    }
    if let targets::Guard::Unknown(why) = &of.guard {
        let text = format!("▲ {}", say::policies_unread(why));
        lines.extend(fact(say::GUARD, Role::Waiting, &text, room));
    }
    if !state.status.board.shared_with.is_empty() {
        let others = crate::text::few(&state.status.board.shared_with, 3);
        let text = say::who_reads(&others);
        lines.extend(fact(say::READERS, Role::Waiting, &text, room));
    }
    let proof = match &of.probe {
        Probe::NotAsked if state.start.no_probe => Some((Role::Muted, say::NOT_CHECKED.into())),
        Probe::NotAsked => None,
        Probe::Refused if of.guard.holds() => {
            Some((Role::Good, format!("✓ {}", say::REFUSED_SECURED)))
        }
        Probe::Refused => Some((Role::Plain, format!("✓ {}", say::REFUSED_ON))),
        Probe::Served => Some((Role::Bad, format!("✕ {}", say::SERVED_ON))),
        Probe::Unknown(why) | Probe::Unclear(why) => {
            Some((Role::Waiting, format!("▲ {}", say::not_checked_why(why))))
        }
    };
    if let Some((role, text)) = proof {
        lines.extend(fact(say::PLAINTEXT, role, &text, room));
    }
    let mut place = say::in_namespace(&of.expected.item.name, &of.expected.item.namespace);
    if let Some(ip) = &of.expected.ip {
        place += &format!(", {ip}");
    }
    lines.extend(fact(say::WORKLOAD, Role::Plain, &place, room));
    let up = matches!(of.state, targets::State::Up { .. });
    if let (false, Some(last)) = (up, of.last_scrape) {
        let time = since_words(state.now.or(state.status.board.at), Some(last));
        let text = match of.took {
            Some(took) => say::ago_took(&time, &duration(took)),
            None => say::ago(&time),
        };
        lines.extend(fact(say::SCRAPED, Role::Plain, &text, room));
    }
    if let Some(next) = of.next_scrape {
        lines.extend(fact(
            say::NEXT,
            Role::Plain,
            &say::scrape_in(&age(next)),
            room,
        ));
    }
    lines
}
