//! What the mouse hits: the same places that were drawn.

use super::layout::{self, Places};
use super::{frame, options, over};
use crate::wizard::msg::{Msg, Target};
use crate::wizard::{State, Step};
use ratatui::layout::{Position, Rect};

/// What lies under a click at a column and a row of the screen.
pub fn hit(state: &State, area: Rect, column: u16, row: u16) -> Option<Msg> {
    target(state, area, Position::new(column, row)).map(|target| Msg::Click { target })
}

fn target(state: &State, area: Rect, at: Position) -> Option<Target> {
    if layout::too_small(area) {
        return None;
    }
    let places = layout::places(state, area);
    if let Some(dialog) = &state.dialog {
        // A decision hides what lies under it.
        let between = layout::under_header(area, places.footer);
        return over::buttons(dialog, between)
            .iter()
            .position(|place| place.contains(at))
            .map(Target::Button);
    }
    if places.footer.contains(at) {
        return layout::footer(state, places.footer)
            .into_iter()
            .find(|(_, place)| place.contains(at))
            .map(|(binding, _)| Target::Key(binding.action));
    }
    if state.help {
        return None;
    }
    if places.rail.contains(at) {
        return rail(state, &places, at).map(Target::Step);
    }
    if places.over || !places.list.contains(at) {
        return None;
    }
    rows(state, &places, at)
}

fn rail(state: &State, places: &Places, at: Position) -> Option<Step> {
    let index = if places.tall_rail {
        at.y.checked_sub(places.rail.y + 1)?
    } else {
        at.x.checked_sub(frame::step_line_marks(state, places.rail))?
    };
    Step::ALL.get(usize::from(index)).copied()
}

fn rows(state: &State, places: &Places, at: Position) -> Option<Target> {
    let area = places.list;
    let line = usize::from(at.y - area.y);
    let (offset, len) = match state.step {
        Step::Options if state.options.each.is_none() => {
            let shift = options::shift(state, area);
            let at = Position::new(at.x, at.y.checked_sub(shift)?);
            return options::choices(&state.options.rows, area)
                .into_iter()
                .find(|(_, _, place)| place.contains(at))
                .map(|(row, column, _)| Target::Choice(row, column));
        }
        Step::Options => match &state.options.each {
            Some(each) => (each.window().start, each.rows.len()),
            None => return None,
        },
        Step::Cluster if !layout::choosing(state) => return None,
        Step::Review => (
            state.review.rows.window().start,
            state.review.rows.rows.len(),
        ),
        Step::Apply => (state.apply.rows.window().start, state.apply.rows.rows.len()),
        Step::Status => (
            state.status.rows.window().start,
            state.status.rows.rows.len(),
        ),
        _ => {
            let list = state.list()?;
            (list.window().start, list.rows.len())
        }
    };
    let row = offset + line;
    (row < len).then_some(Target::Row(row))
}
