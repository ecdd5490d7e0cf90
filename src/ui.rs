//! The wizard's face: a [`State`] becomes a frame. Nothing here asks, waits or remembers; what is drawn is what
//! the window shows, whatever the size of the cluster.

mod apply;
mod cluster;
mod diff;
mod frame;
mod gateways;
mod hit;
mod layout;
mod namespaces;
mod options;
mod over;
mod paint;
mod picture;
mod prometheus;
mod review;
mod rows;
mod status;
pub mod theme;
mod widgets;
mod words;
mod workloads;

pub use hit::hit;
pub use layout::viewport;
pub use theme::Theme;

use crate::wizard::{State, Step};
use crate::words::say::ui as say;
use layout::Places;
use paint::{Paint, Words};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use theme::Role;

/// Draws the whole screen in the theme of the process.
pub fn draw(state: &State, frame: &mut Frame) {
    let area = frame.area();
    let mut theme = theme::current();
    theme.ascii |= state.start.ascii;
    draw_in(state, frame.buffer_mut(), area, theme);
}

/// Draws into a buffer, in a theme.
pub fn draw_in(state: &State, buffer: &mut Buffer, area: Rect, theme: Theme) {
    let mut paint = Paint {
        buffer,
        theme,
        ticks: state.ticks,
        last: 0,
    };
    if layout::too_small(area) {
        frame::too_small(&mut paint, state, area);
    } else {
        whole(&mut paint, state, area);
    }
    if theme.ascii {
        theme::to_ascii(buffer);
    }
    paint::clean(buffer);
}

fn whole(paint: &mut Paint, state: &State, area: Rect) {
    let places = layout::places(state, area);
    frame::header(paint, state, places.header);
    frame::rail(paint, state, &places);
    // A detail that lies over the step hides all of it.
    if !places.over {
        step(paint, state, &places);
    }
    if places.side.width > 0 {
        paint.blank(places.side);
        side(paint, state, places.side);
    }
    frame::footer(paint, state, places.footer);
    if let Some(notice) = &state.notice {
        over::notice(paint, notice, places.footer);
    }
    let area = layout::under_header(area, places.footer);
    if state.help {
        over::help(paint, state, area);
    }
    if let Some(dialog) = &state.dialog {
        over::dialog(paint, dialog, area);
    }
}

/// The line under a step's title, and what follows it where there is room.
fn question(state: &State) -> (Role, String, String) {
    let alone = |(role, words): (Role, String)| (role, words, String::new());
    match state.step {
        Step::Apply => alone(apply::question(state)),
        Step::Status => alone(status::question(state)),
        Step::Options if state.options.each.is_some() => (
            Role::Plain,
            say::EACH_QUESTION.into(),
            format!(" {}", say::EACH_HOW),
        ),
        Step::Review if state.review.undoes.is_some() => (
            Role::Plain,
            say::UNDO_QUESTION.into(),
            format!(" {}", say::NOTHING_UNTIL_CONFIRMED),
        ),
        // Said where it is always seen: under a long list there is no room.
        Step::Review if state.nothing_to_write() => (
            Role::Good,
            format!("✓ {}", say::NO_CHANGES),
            format!(" {}", say::MATCHES_CHOICES),
        ),
        Step::Review => match state.unscraped() {
            Some(words) => alone((Role::Waiting, format!("▲ {words}"))),
            None => {
                let more = match state.apply.standing() {
                    0 => say::NOTHING_APPLIED_YET.to_owned(),
                    n => say::applied_before(&words::many(n, say::changes)),
                };
                (
                    Role::Plain,
                    state.step.question().into(),
                    format!(" {more}"),
                )
            }
        },
        step => alone((Role::Plain, step.question().into())),
    }
}

fn step(paint: &mut Paint, state: &State, places: &Places) {
    let room = usize::from(places.step.width).saturating_sub(6);
    let (title, note) = title(state, room);
    let focus = !(state.step == Step::Review && state.review.diff_focus);
    let inside = widgets::panel(paint, places.step, &title, &note, focus);
    let (role, question, more) = question(state);
    let whole = format!("{question}{more}");
    // Short of room, the question itself stays whole.
    let question = match words::width(&whole) <= usize::from(inside.width) {
        true => whole,
        false => question,
    };
    paint.text(inside.x, inside.y, inside.width, role, &question);
    filter(paint, state, inside);
    match state.step {
        Step::Cluster => cluster::draw(paint, state, places),
        Step::Prometheus => prometheus::draw(paint, state, places),
        Step::Namespaces => namespaces::draw(paint, state, places),
        Step::Workloads => workloads::draw(paint, state, places),
        Step::Gateways => gateways::draw(paint, state, places),
        Step::Options => options::draw(paint, state, places),
        Step::Review => review::draw(paint, state, places),
        Step::Apply => apply::draw(paint, state, places),
        Step::Status => status::draw(paint, state, places),
    }
}

/// Title of the step's box and the note at its right.
fn title(state: &State, room: usize) -> (Words, Words) {
    let plain = Words::strong(state.step.title());
    match state.step {
        Step::Namespaces => {
            let chosen = state.answers.namespaces.len();
            (plain, Words::muted(say::chosen(&words::count(chosen))))
        }
        Step::Workloads => {
            let chosen = state.answers.workloads.len();
            (plain, Words::muted(say::chosen(&words::count(chosen))))
        }
        Step::Gateways => {
            let chosen = state.answers.gateways.len();
            (plain, Words::muted(say::chosen(&words::count(chosen))))
        }
        Step::Review if state.review.rows.rows.is_empty() => (plain, Words::new()),
        Step::Review => {
            let undoes = state.review.undoes.is_some();
            let lead = match undoes {
                true => words::width(&say::undo_heading("")),
                false => 0,
            };
            let heading = review::heading(&state.review.counts, room.saturating_sub(lead + 4));
            let heading = match undoes {
                true => say::undo_heading(&heading),
                false => heading,
            };
            (Words::strong(heading), Words::new())
        }
        Step::Apply if !state.apply.rows.rows.is_empty() => (apply::heading(state), Words::new()),
        Step::Status => {
            let note = status::note(state);
            let left = room.saturating_sub(note.width() + 4);
            (status::heading(state, left), note)
        }
        _ => (plain, Words::new()),
    }
}

/// The filter, in the line under the question.
fn filter(paint: &mut Paint, state: &State, inside: Rect) {
    let Some(filter) = state.filter() else {
        return;
    };
    if filter.text.is_empty() && !filter.editing {
        return;
    }
    let words = Words::of(Role::Accent, "/ ").and(Role::Strong, &filter.text);
    let at = paint.line(inside.x, inside.y + 1, inside.width - 1, &words);
    if filter.fresh && filter.editing {
        // As a selected text: what is typed takes its place.
        paint.select(Rect::new(
            inside.x + 2,
            inside.y + 1,
            at.saturating_sub(2),
            1,
        ));
    }
    if filter.editing {
        paint.select(Rect::new(inside.x + at, inside.y + 1, 1, 1));
    }
    let found = Words::muted(match state.list_len() {
        0 if !filter.text.is_empty() => say::NO_ROW_MATCHES.to_owned(),
        found => words::many(found, say::rows),
    });
    if words.width() + found.width() + 3 < usize::from(inside.width) {
        paint.right(inside.x, inside.y + 1, inside.width, &found);
    }
}

/// First line of the last page of the detail, drawn into this place.
fn detail_last(state: &State, area: Rect) -> usize {
    let mut paint = Paint {
        buffer: &mut Buffer::empty(area),
        theme: Theme::default(),
        ticks: 0,
        last: 0,
    };
    side(&mut paint, state, area);
    paint.last
}

fn side(paint: &mut Paint, state: &State, area: Rect) {
    match state.step {
        Step::Cluster => cluster::side(paint, state, area),
        Step::Prometheus => prometheus::side(paint, state, area),
        Step::Namespaces => namespaces::side(paint, state, area),
        Step::Workloads => workloads::side(paint, state, area),
        Step::Gateways => gateways::side(paint, state, area),
        Step::Options => options::side(paint, state, area),
        Step::Review => review::side(paint, state, area),
        Step::Apply => apply::side(paint, state, area),
        Step::Status => status::side(paint, state, area),
    }
}
