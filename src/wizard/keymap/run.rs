//! The keys while a run writes, and of the monitor.

use super::{Action, Binding, Key, unfiltered};
use crate::wizard::state::State;

pub(super) fn apply_keys(state: &State, all: &mut Vec<Binding>) {
    use Key::*;
    let apply = &state.apply;
    let running = apply.running;
    all.push(
        Binding::new(Char('s'), "stop", Action::StopApply)
            .unless((!running).then(|| "no run is in progress".to_owned()))
            .unless(
                apply
                    .stopped
                    .is_some()
                    .then(|| "the run has stopped: enter to decide".to_owned()),
            )
            .unless(
                apply
                    .stopping
                    .then(|| "the run stops after the current write".to_owned()),
            ),
    );
    all.push(Binding::new(Char('u'), "undo", Action::Undo).unless(undo_refused(state)));
    if apply.stopped.is_some() {
        all.push(Binding::new(Enter, "decide …", Action::Decide));
    } else {
        all.push(Binding::new(Enter, "status", Action::Next));
    }
}

pub(super) fn status_keys(state: &State, all: &mut Vec<Binding>) {
    use Key::*;
    let status = &state.status;
    let problems = if status.problems_only {
        "show all"
    } else {
        "problems"
    };
    let freeze = if status.frozen { "unfreeze" } else { "freeze" };
    all.push(Binding::new(Char('p'), problems, Action::Problems));
    all.push(Binding::new(Char('f'), freeze, Action::Freeze));
    if state.late_jobs() {
        let read_only = state
            .start
            .read_only
            .then(|| "read-only: nothing is written".to_owned());
        all.push(Binding::new(Char('r'), "reload Prometheus", Action::Reload).unless(read_only));
    }
    let filtered = !status.rows.filter.text.is_empty();
    all.push(
        Binding::new(Char('/'), "filter", Action::Filter)
            // The way out of it has the room.
            .quiet_if(filtered)
            .unless(unfiltered(state)),
    );
    all.push(Binding::new(Char('u'), "undo", Action::Undo).unless(undo_refused(state)));
}

pub(super) fn undo_refused(state: &State) -> Option<String> {
    if state.start.read_only {
        return Some("read-only: nothing is written".into());
    }
    if state.apply.takes_back() {
        return Some("the run is being undone".into());
    }
    if state.apply.running {
        return Some("the run is still in progress".into());
    }
    let over = state.apply.undoing && state.apply.outcome.is_some();
    if over && state.apply.older.is_empty() {
        return Some("the run was undone".into());
    }
    None
}
