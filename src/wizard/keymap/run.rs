//! The keys while a run writes, and of the monitor.

use super::{Action, Binding, Key, unfiltered};
use crate::wizard::state::State;
use crate::words::say::wizard as say;

pub(super) fn apply_keys(state: &State, all: &mut Vec<Binding>) {
    use Key::*;
    let apply = &state.apply;
    let running = apply.running;
    all.push(
        Binding::new(Char('s'), say::STOP_RUN, Action::StopApply)
            .unless((!running).then(|| say::NO_RUN_IN_PROGRESS.to_owned()))
            .unless(
                apply
                    .stopped
                    .is_some()
                    .then(|| say::ENTER_TO_DECIDE.to_owned()),
            )
            .unless(apply.stopping.then(|| say::STOPS_AFTER_WRITE.to_owned())),
    );
    all.push(Binding::new(Char('u'), say::UNDO, Action::Undo).unless(undo_refused(state)));
    if apply.stopped.is_some() {
        all.push(Binding::new(Enter, say::DECIDE, Action::Decide));
    } else {
        all.push(Binding::new(Enter, say::TO_STATUS, Action::Next));
    }
}

pub(super) fn status_keys(state: &State, all: &mut Vec<Binding>) {
    use Key::*;
    let status = &state.status;
    let problems = if status.problems_only {
        say::SHOW_ALL
    } else {
        say::SHOW_PROBLEMS
    };
    let freeze = if status.frozen {
        say::UNFREEZE
    } else {
        say::FREEZE
    };
    all.push(Binding::new(Char('p'), problems, Action::Problems));
    all.push(Binding::new(Char('f'), freeze, Action::Freeze));
    if state.late_jobs() {
        let read_only = state.start.read_only.then(|| say::READ_ONLY.to_owned());
        all.push(Binding::new(Char('r'), say::RELOAD_PROMETHEUS, Action::Reload).unless(read_only));
    }
    let filtered = !status.rows.filter.text.is_empty();
    all.push(
        Binding::new(Char('/'), say::FILTER, Action::Filter)
            // The way out of it has the room.
            .quiet_if(filtered)
            .unless(unfiltered(state)),
    );
    all.push(Binding::new(Char('u'), say::UNDO, Action::Undo).unless(undo_refused(state)));
}

pub(super) fn undo_refused(state: &State) -> Option<String> {
    if state.start.read_only {
        return Some(say::READ_ONLY.into());
    }
    if state.apply.takes_back() {
        return Some(say::RUN_IS_BEING_UNDONE.into());
    }
    if state.apply.running {
        return Some(say::RUN_STILL_IN_PROGRESS.into());
    }
    let over = state.apply.undoing && state.apply.outcome.is_some();
    if over && state.apply.older.is_empty() {
        return Some(say::RUN_WAS_UNDONE.into());
    }
    None
}
