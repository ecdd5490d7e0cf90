//! Where things are: one place that drawing, the visible windows and the mouse agree on.
//!
//! ```text
//! header
//! rail │ step │ side          rail from 102 columns, side from 120
//! footer
//! ```
//! Narrower, the rail is one line, and the side opens over the step: the names of the rows need the room more.

use super::widgets::inner;
use crate::wizard::state::{Connection, ReviewMode, State, Viewport};
use crate::wizard::{Step, keymap};
use crate::words::say::ui as say;
use ratatui::layout::Rect;

/// From here on the side stands beside the step. With less, rows would be cut that are whole at 80 columns.
pub const WIDE: u16 = 120;
/// From here on the rail is a box, and leaves the step what it has at 80 columns.
const RAILED: u16 = 80 + RAIL;
/// Smaller than this nothing is drawn but the wish for room.
pub const LEAST: (u16, u16) = (60, 16);
const RAIL: u16 = 22;
/// From here on narrow screens have two lines of keys.
const TALL: u16 = 20;
/// From here on Review and Status have the rail in its box.
const ROOMY: u16 = 140;

/// The places of one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    pub wide: bool,
    /// The rail is a box; else one line.
    pub tall_rail: bool,
    pub header: Rect,
    /// The rail's box, or its one line.
    pub rail: Rect,
    /// The step's box.
    pub step: Rect,
    /// Rows of the step's list.
    pub list: Rect,
    /// Under the rows of the review: what holds for the plan as a whole.
    pub under: Rect,
    /// The box of the detail, the diff, the log or the cause; empty where it is not shown.
    pub side: Rect,
    /// The side lies over the step.
    pub over: bool,
    pub footer: Rect,
}

pub fn too_small(area: Rect) -> bool {
    area.width < LEAST.0 || area.height < LEAST.1
}

pub fn places(state: &State, area: Rect) -> Places {
    let wide = area.width >= WIDE;
    // List beside diff, and the table of targets, need the rail's room more than the rail does.
    let roomy = !matches!(state.step, Step::Review | Step::Status) || area.width >= ROOMY;
    let row = |y| Rect::new(area.x, y, area.width, 1);
    // The review has the most keys. By step and size alone, so that nothing jumps when a key comes or goes.
    let two = match state.step {
        Step::Review => area.width < ROOMY,
        // Theirs fit on one.
        Step::Cluster | Step::Apply | Step::Status => false,
        _ => !wide && area.height >= TALL,
    };
    let keys = 1 + u16::from(two);
    let mut places = Places {
        wide,
        header: row(area.y),
        footer: Rect {
            height: keys,
            ..row(area.bottom().saturating_sub(keys))
        },
        ..Places::default()
    };
    let body = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(1 + keys),
    );
    places.tall_rail = area.width >= RAILED && roomy;
    let main = if state.start.monitor {
        // The monitor alone has no steps to show.
        places.tall_rail = false;
        body
    } else if places.tall_rail {
        places.rail = Rect {
            width: RAIL,
            ..body
        };
        Rect {
            x: body.x + RAIL,
            width: body.width - RAIL,
            ..body
        }
    } else {
        places.rail = row(body.y);
        Rect {
            y: body.y + 1,
            height: body.height.saturating_sub(1),
            ..body
        }
    };
    let (step, side) = split(state, main, wide);
    places.step = step;
    places.side = side;
    if (!wide || state.reads_on()) && state.detail {
        places.side = main;
        places.over = true;
    }
    let top = above_list(state);
    let mut list = inner(step);
    list.y += top;
    list.height = list.height.saturating_sub(top + below_list(state));
    if state.step == Step::Options && state.options.each.is_none() {
        list = inner(step);
        list.y += 2;
        list.height = list.height.saturating_sub(2);
    }
    places.list = list;
    if state.step == Step::Review {
        (places.list, places.under) = super::review::parts(state, list);
    }
    places
}

/// Step and side within the middle of the screen.
fn split(state: &State, main: Rect, wide: bool) -> (Rect, Rect) {
    let beside = |side: u16| {
        let step = Rect {
            width: main.width - side,
            ..main
        };
        let side = Rect {
            x: step.right(),
            width: side,
            ..main
        };
        (step, side)
    };
    let below = |side: u16| {
        let step = Rect {
            height: main.height - side,
            ..main
        };
        let side = Rect {
            y: step.bottom(),
            height: side,
            ..main
        };
        (step, side)
    };
    match state.step {
        Step::Review if wide && state.review.mode == ReviewMode::SideBySide => {
            let rows = state.review.rows.rows.len() as u16 + 4;
            below(main.height - rows.clamp(8, main.height / 3))
        }
        // The rows have long names; a line of YAML seldom fills its half.
        Step::Review if wide => beside(main.width * 46 / 100),
        Step::Status if main.height >= 16 => below((main.height / 3).clamp(6, 9)),
        Step::Apply if main.height >= 16 => below((main.height * 2 / 5).clamp(6, 16)),
        Step::Options if state.options.each.is_none() => (main, Rect::default()),
        // Their rows have the most columns, and long names.
        Step::Namespaces | Step::Workloads | Step::Gateways | Step::Options if wide => {
            beside((main.width * 29 / 100).clamp(28, 56))
        }
        _ if wide => beside((main.width * 36 / 100).clamp(28, 56)),
        _ => (main, Rect::default()),
    }
}

/// Lines of the step's box above its rows: question, filter or blank, headings.
pub fn above_list(state: &State) -> u16 {
    match state.step {
        Step::Namespaces | Step::Gateways | Step::Status => 3,
        _ => 2,
    }
}

/// Lines below the rows, where something is still to come or to be said.
fn below_list(state: &State) -> u16 {
    match state.step {
        Step::Prometheus | Step::Namespaces | Step::Workloads | Step::Gateways => {
            u16::from(state.cluster.filling)
        }
        _ => 0,
    }
}

/// The Cluster step shows contexts rather than the checklist.
pub fn choosing(state: &State) -> bool {
    matches!(state.cluster.connection, Connection::Choosing)
}

/// The heights that [`State::fit`] asks for.
pub fn viewport(state: &State, area: Rect) -> Viewport {
    if too_small(area) {
        return Viewport {
            drawn: false,
            list: 1,
            diff: 1,
            diff_width: 1,
            wide: area.width >= WIDE,
            ..Viewport::default()
        };
    }
    let places = places(state, area);
    let (help, help_last) = match state.help {
        true => super::over::help_room(state, under_header(area, places.footer)),
        false => (1, 0),
    };
    let (dialog, dialog_last) = match &state.dialog {
        Some(dialog) => super::over::dialog_room(dialog, under_header(area, places.footer)),
        None => (1, 0),
    };
    let side = match places.side {
        Rect { width: 0, .. } => places.step,
        side => side,
    };
    let detail_last = match (places.over, state.step) {
        (false, _) | (_, Step::Review) => 0,
        _ => super::detail_last(state, places.side),
    };
    Viewport {
        drawn: true,
        dialog,
        dialog_last,
        detail_last,
        list: usize::from(places.list.height.max(1)),
        diff: usize::from(
            inner(side)
                .height
                .saturating_sub(super::review::head(state, side).len() as u16)
                .max(1),
        ),
        diff_width: usize::from(inner(side).width.max(1)),
        notes: match (&state.review.view, state.step) {
            (Some(view), Step::Review) => {
                super::diff::notes(view, usize::from(inner(side).width)).len()
            }
            _ => 0,
        },
        notes_seen: state.step != Step::Review || super::review::notes_seen(state, places.under),
        wide: places.wide,
        help,
        help_last,
    }
}

/// Where a dialog or the help may lie: header and footer stay in sight.
pub fn under_header(area: Rect, footer: Rect) -> Rect {
    Rect {
        y: area.y + 1,
        height: area.height.saturating_sub(1 + footer.height),
        ..area
    }
}

/// Keys of the footer with their places: from the left in the keymap's order, help and quit at the right end.
/// What does not fit is left to the help, the least needed first; the footer then says where all keys stand.
pub fn footer(state: &State, area: Rect) -> Vec<(keymap::Binding, Rect)> {
    let (mut last, mut first): (Vec<_>, Vec<_>) = keymap::footer(state)
        .into_iter()
        .partition(|b| matches!(b.action, keymap::Action::Help | keymap::Action::Quit));
    if let Some(placed) = footer_of(&first, &last, area) {
        return placed;
    }
    last.retain(|binding| binding.action != keymap::Action::Quit);
    for binding in &mut last {
        binding.label = say::ALL_KEYS.into();
    }
    loop {
        if let Some(placed) = footer_of(&first, &last, area) {
            return placed;
        }
        let ranks = first.iter().map(keymap::Binding::rank).enumerate();
        let Some((least, _)) = ranks.max_by_key(|(at, rank)| (*rank, *at)) else {
            return Vec::new();
        };
        first.remove(least);
    }
}

/// These keys in the lines of the area; `None`: they do not fit.
fn footer_of(
    first: &[keymap::Binding],
    last: &[keymap::Binding],
    area: Rect,
) -> Option<Vec<(keymap::Binding, Rect)>> {
    use super::words::width;
    const GAP: u16 = 2;
    let room_of = |b: &keymap::Binding| (width(&b.key.to_string()) + 1 + width(&b.label)) as u16;
    let bottom = area.bottom().checked_sub(1)?;
    let mut right = area.right().saturating_sub(1);
    let mut placed = Vec::new();
    for binding in last.iter().rev() {
        let room = room_of(binding);
        right = right.checked_sub(room)?;
        placed.push((binding.clone(), Rect::new(right, bottom, room, 1)));
        right = right.checked_sub(GAP)?;
    }
    let (mut x, mut y) = (area.x + 1, area.y);
    for binding in first {
        let room = room_of(binding);
        let end = |y: u16| {
            if y == bottom {
                right
            } else {
                area.right().saturating_sub(1)
            }
        };
        if x + room > end(y) && y < bottom {
            (x, y) = (area.x + 1, y + 1);
        }
        if x + room > end(y) {
            return None;
        }
        placed.push((binding.clone(), Rect::new(x, y, room, 1)));
        x += room + GAP;
    }
    Some(placed)
}
