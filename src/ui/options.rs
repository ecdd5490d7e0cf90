//! Step 6: port, mark and the rest, with the picture of the traffic that they make.

use super::layout::Places;
use super::paint::{Fit, Paint, Words};
use super::picture::{self, Traffic};
use super::theme::Role;
use super::widgets::{self, item, list, panel};
use super::words::{many, width};
use crate::answers::{Annotate, MetricsPort};
use crate::wizard::list::List;
use crate::wizard::state::{EachRow, OptionCell, OptionChoice, OptionRow, State};
use crate::words::say::ui as say;
use ratatui::layout::Rect;

/// The column of the labels.
fn labels(rows: &[OptionRow]) -> u16 {
    rows.iter().map(|row| width(row.label)).max().unwrap_or(0) as u16 + 2
}

/// Lines that are kept for what a choice costs.
const COSTS: u16 = 8;

/// Where each choice of each row stands. Side by side where all of a row fit, else one below the other; where
/// that leaves too little room for the costs, only the row under the cursor shows more than what is chosen.
pub fn choices(rows: &List<OptionRow>, area: Rect) -> Vec<(usize, usize, Rect)> {
    let all = laid_out(rows, area, None);
    if height_of(&all, area) + COSTS < area.height {
        return all;
    }
    laid_out(rows, area, Some(rows.cursor))
}

fn laid_out(list: &List<OptionRow>, area: Rect, open: Option<usize>) -> Vec<(usize, usize, Rect)> {
    let rows = &list.rows;
    let mut placed = Vec::new();
    let mut y = area.y;
    let label = labels(rows);
    let room = area.width.saturating_sub(label + 2);
    for (at, row) in rows.iter().enumerate() {
        let wide = |cell: &OptionCell| width(&cell.label) as u16 + 4;
        let all: u16 = row.choices.iter().map(|cell| wide(cell) + 3).sum();
        let beside = all <= room + 3;
        let chosen = row.choices.iter().any(|cell| cell.chosen);
        let folded = !beside && chosen && open.is_some_and(|open| open != at);
        let mut x = area.x + 2 + label;
        for (column, cell) in row.choices.iter().enumerate() {
            if folded && !cell.chosen {
                continue;
            }
            placed.push((at, column, Rect::new(x, y, wide(cell).min(room), 1)));
            if beside {
                x += wide(cell) + 3;
            } else if !folded && column + 1 < row.choices.len() {
                y += 1;
            }
        }
        y += 1;
    }
    placed
}

fn height_of(placed: &[(usize, usize, Rect)], area: Rect) -> u16 {
    placed
        .last()
        .map_or(0, |(_, _, place)| place.y + 1 - area.y)
}

fn rows_height(rows: &List<OptionRow>, area: Rect) -> u16 {
    height_of(&choices(rows, area), area)
}

/// Whether the old jobs leave secured pods out, as the choice on the screen says.
fn jobs_stopped(state: &State) -> bool {
    let cells = state.options.rows.rows.iter().flat_map(|row| &row.choices);
    for cell in cells {
        if cell.chosen && cell.choice == OptionChoice::StopPlaintext {
            return true;
        }
        if cell.chosen && cell.choice == OptionChoice::KeepPlaintext {
            return false;
        }
    }
    state
        .answers
        .options
        .stop_plaintext_jobs
        .unwrap_or(state.answers.options.port == MetricsPort::Merged)
}

fn traffic(state: &State) -> Traffic<'_> {
    let answers = &state.answers;
    let one = match (answers.workloads.len(), answers.workloads.first()) {
        (1, Some(one)) => Some(one.name.as_str()),
        _ => None,
    };
    Traffic {
        prometheus: answers
            .prometheus
            .as_ref()
            .map_or("", |id| id.namespace.as_str()),
        workload: one,
        port: answers.options.port,
        jobs_stopped: jobs_stopped(state),
        lasting: answers.options.annotate == Annotate::Template,
    }
}

fn picture_lines(state: &State) -> Vec<Words> {
    let traffic = traffic(state);
    let mut lines = picture::picture(&traffic);
    let (role, text) = picture::mark(traffic.lasting);
    lines.push(Words::of(role, text));
    lines
}

pub fn draw(paint: &mut Paint, state: &State, places: &Places) {
    if let Some(rows) = &state.options.each {
        return each(paint, rows, state, places);
    }
    let area = places.list;
    let rows = &state.options.rows.rows;
    let tall = rows_height(&state.options.rows, area);
    let costs = costs(state, usize::from(area.width));
    let least = 1 + (costs.len() as u16).min(4);
    let picture = picture::HEIGHT + 2;
    let mut top = area;
    if area.width >= picture::WIDTH && area.height >= tall + least + picture {
        let inside = Rect {
            x: area.x + (area.width - picture::WIDTH) / 3,
            ..area
        };
        paint.lines(inside, &picture_lines(state));
        top.y += picture;
        top.height -= picture;
    }
    let shift = top.y - area.y;
    let mut labelled = None;
    for (at, column, place) in choices(&state.options.rows, area) {
        let place = Rect {
            y: place.y + shift,
            ..place
        };
        let (row, cell) = (&rows[at], &rows[at].choices[column]);
        if labelled != Some(at) {
            labelled = Some(at);
            let role = if at == state.options.rows.cursor {
                Role::Strong
            } else {
                Role::Plain
            };
            paint.text(area.x + 2, place.y, labels(rows), role, row.label);
            if at == state.options.rows.cursor {
                paint.text(area.x, place.y, 1, Role::Accent, "▌");
            }
        }
        choice(paint, cell, place);
        if at == state.options.rows.cursor && column == state.options.column && !places.over {
            paint.select(place);
        }
    }
    let rest = Rect {
        y: top.y + tall + 1,
        height: top.height.saturating_sub(tall + 1),
        ..top
    };
    let mut lines = costs;
    if lines.len() > usize::from(rest.height) {
        lines.retain(|line| !line.is_empty());
    }
    if lines.len() > usize::from(rest.height) && rest.height > 0 {
        let more = lines.len() + 1 - usize::from(rest.height);
        lines.truncate(usize::from(rest.height) - 1);
        let more = match places.wide {
            true => many(more, say::more_lines),
            false => many(more, say::more_lines_on_i),
        };
        lines.push(Words::muted(format!("  … {more}")));
    }
    paint.lines(rest, &lines);
}

/// Rows that the picture takes above the choices, for the mouse.
pub fn shift(state: &State, area: Rect) -> u16 {
    let tall = rows_height(&state.options.rows, area);
    let least = 1 + (costs(state, usize::from(area.width)).len() as u16).min(4);
    let picture = picture::HEIGHT + 2;
    if area.width >= picture::WIDTH && area.height >= tall + least + picture {
        picture
    } else {
        0
    }
}

fn choice(paint: &mut Paint, cell: &OptionCell, place: Rect) {
    let (sign, role) = match (cell.chosen, &cell.blocked) {
        (true, _) => ("(•) ", Role::Strong),
        (false, Some(_)) => ("(–) ", Role::Muted),
        (false, None) => ("( ) ", Role::Plain),
    };
    let words =
        Words::of(if cell.chosen { Role::Accent } else { role }, sign).and(role, &cell.label);
    paint.line(place.x, place.y, place.width, &words);
}

/// What the choice under the cursor costs, and the whole of what was chosen.
fn costs(state: &State, room: usize) -> Vec<Words> {
    let mut lines = Vec::new();
    let cell = state
        .options
        .rows
        .current()
        .and_then(|row| row.choices.get(state.options.column));
    if let Some(cell) = cell.filter(|_| state.options.each.is_none()) {
        if let Some(why) = &cell.blocked {
            lines.extend(item('✕', Role::Bad, &say::not_available(why), room));
        }
        if !cell.impact.is_empty() {
            lines.extend(item('▲', Role::Waiting, &cell.impact, room));
        }
        if !cell.risk.is_empty() {
            lines.extend(item('▲', Role::Waiting, &cell.risk, room));
        }
        if !lines.is_empty() {
            lines.insert(0, Words::strong(say::THIS_CHOICE));
            lines.push(Words::new());
        }
    }
    match &state.options.planned {
        None => lines.push(Words::muted(format!("… {}", say::COMPUTING_IMPACT))),
        Some(Err(error)) => lines.extend(widgets::error(error, room)),
        Some(Ok(_)) => {
            lines.push(Words::strong(say::TOTAL_IMPACT));
            if state.options.impacts.is_empty() {
                lines.push(Words::of(Role::Good, format!("✓ {}", say::NO_IMPACT)));
            }
            for impact in &state.options.impacts {
                lines.extend(item('▲', Role::Waiting, impact, room));
            }
        }
    }
    lines
}

/// The list of single items, each with its port and mark.
fn each(paint: &mut Paint, rows: &List<EachRow>, state: &State, places: &Places) {
    let width = places.list.width.saturating_sub(2);
    list(paint, places.list, rows, false, |paint, area, row| {
        let port = match row.port {
            MetricsPort::Merged => say::MERGED_PORT,
            MetricsPort::Envoy => "15090 Envoy",
        };
        let mark = match row.annotate {
            Annotate::Template => say::TEMPLATE,
            Annotate::Pods => say::RUNNING_PODS,
        };
        let own = |text: &str, differs: bool| {
            if differs {
                Words::of(Role::Accent, "◉ ").and(Role::Strong, text)
            } else {
                Words::muted("· ").and(Role::Muted, text)
            }
        };
        let name = width.saturating_sub(14 + 14 + 4);
        let path = format!("{}/{}", row.item.namespace, row.item.name);
        paint.cells(
            area,
            &[
                (name, Fit::Middle, Words::plain(path)),
                (14, Fit::Left, own(port, row.port_differs)),
                (14, Fit::Left, own(mark, row.annotate_differs)),
            ],
        );
        if rows
            .current()
            .is_some_and(|current| current.item == row.item)
            && !places.over
        {
            let x = area.x + name + 2 + 16 * (state.options.column.min(1) as u16);
            paint.select(Rect::new(x, area.y, 14, 1));
        }
    });
    if rows.rows.is_empty() {
        paint.text(
            places.list.x,
            places.list.y,
            places.list.width,
            Role::Muted,
            say::NO_WORKLOADS_CHOSEN,
        );
    }
}

/// Narrow screens open picture and costs over the choices; with single items they stand beside them.
pub fn side(paint: &mut Paint, state: &State, area: Rect) {
    // Over the choices it has to say which of them it is about.
    let row = state.options.rows.current();
    let title = match row.filter(|_| state.options.each.is_none() && !state.viewport.wide) {
        Some(row) => {
            let chosen = row.choices.iter().find(|cell| cell.chosen);
            let chosen = chosen.map_or("", |cell| cell.label.as_str());
            Words::strong(row.label).and(Role::Plain, format!("  {chosen}"))
        }
        None => Words::strong(say::IMPACT),
    };
    let inside = panel(paint, area, &title, &Words::new(), false);
    let room = usize::from(inside.width);
    let mut lines = Vec::new();
    if inside.width >= picture::WIDTH {
        lines.extend(picture_lines(state));
        lines.push(Words::new());
    }
    if state.options.each.is_some() {
        lines.extend(Words::wrapped(
            Role::Plain,
            &format!("◉ {} · {}", say::OWN_SETTING, say::SAME_AS_ALL),
            room,
        ));
        lines.push(Words::new());
    }
    lines.extend(costs(state, room));
    super::prometheus::paint_from(paint, inside, &lines, state);
}
