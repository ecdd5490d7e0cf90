//! The keys of the options.

use super::{Action, Binding, Key};
use crate::wizard::state::State;

pub(super) fn keys(state: &State, all: &mut Vec<Binding>) {
    use Key::*;
    let none = || (state.list_len() == 0).then(|| "there is no row yet".to_owned());
    let each = state.options.each.is_some();
    let blocked = state.choice_blocked();
    let row = state.options.rows.current();
    let cell = row.and_then(|row| row.choices.get(state.options.column));
    let space = match cell {
        _ if each => "change",
        Some(cell) if cell.chosen => "change",
        _ => "choose",
    };
    all.push(Binding::new(Char(' '), space, Action::Toggle).unless(blocked));
    let (right, left) = match each {
        true => ("annotation", "port"),
        false => ("next choice", "previous choice"),
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
            .unless(last.then(|| "this is the last choice of the row".to_owned()))
            .unless(none()),
    );
    all.push(
        Binding::new(Left, left, Action::Left)
            .also(&[Char('h')])
            .quiet_if(!last)
            .unless(first.then(|| "this is the first choice of the row".to_owned()))
            .unless(none()),
    );
    let label = if each { "for all" } else { "per item" };
    all.push(Binding::new(Char('e'), label, Action::Each));
    all.push(Binding::new(Enter, "review", Action::Next).unless(state.next_refused()));
}
