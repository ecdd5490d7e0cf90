//! The keys of the options.

use super::{Action, Binding, Key};
use crate::wizard::state::State;
use crate::words::say::wizard as say;

pub(super) fn keys(state: &State, all: &mut Vec<Binding>) {
    use Key::*;
    let none = || (state.list_len() == 0).then(|| say::NO_ROW_YET.to_owned());
    let each = state.options.each.is_some();
    let blocked = state.choice_blocked();
    let row = state.options.rows.current();
    let cell = row.and_then(|row| row.choices.get(state.options.column));
    let space = match cell {
        _ if each => say::CHANGE,
        Some(cell) if cell.chosen => say::CHANGE,
        _ => say::CHOOSE,
    };
    all.push(Binding::new(Char(' '), space, Action::Toggle).unless(blocked));
    let (right, left) = match each {
        true => (say::TO_ANNOTATION, say::TO_PORT),
        false => (say::NEXT_CHOICE, say::PREVIOUS_CHOICE),
    };
    let columns = match each {
        true => 2,
        false => row.map_or(1, |row| row.choices.len()),
    };
    let (first, last) = (
        state.options.column == 0,
        state.options.column + 1 >= columns,
    );
    all.push(
        Binding::new(Right, right, Action::Right)
            .also(&[Char('l')])
            .unless(last.then(|| say::LAST_CHOICE.to_owned()))
            .unless(none()),
    );
    all.push(
        Binding::new(Left, left, Action::Left)
            .also(&[Char('h')])
            .quiet_if(!last)
            .unless(first.then(|| say::FIRST_CHOICE.to_owned()))
            .unless(none()),
    );
    let label = if each { say::FOR_ALL } else { say::PER_ITEM };
    all.push(Binding::new(Char('e'), label, Action::Each));
    all.push(Binding::new(Enter, say::TO_REVIEW, Action::Next).unless(state.next_refused()));
}
