//! The keys of the review.

use super::{Action, Binding, Key, unfiltered};
use crate::wizard::state::{ReviewMode, ReviewRow, Standing, State, Step};

pub(super) fn keys(state: &State, all: &mut Vec<Binding>) {
    use Key::*;
    let review = &state.review;
    let row = review.rows.current();
    let none = || row.is_none().then(|| "there is no change here".to_owned());
    let toggle = match row.map(|r| &r.standing) {
        Some(Standing::LeftOut) => "include",
        _ => "skip",
    };
    let not_toggled = match row.map(|r| &r.standing) {
        Some(Standing::HangsOn(id)) => {
            Some(format!("depends on {}, which is skipped", id.object()))
        }
        Some(Standing::Unchanged) => Some("no changes here".to_owned()),
        _ => None,
    };
    // First of all, so that the narrowest footer names it: the yes rests on the diff.
    all.push(
        Binding::new(
            Tab,
            if review.diff_focus { "list" } else { "diff" },
            Action::Focus,
        )
        .unless(none()),
    );
    all.push(
        Binding::new(Char(' '), toggle, Action::LeaveOut)
            .unless(not_toggled)
            .unless(none()),
    );
    let mode = match state.sees_diff() {
        true => review.shown(),
        false => ReviewMode::Unified,
    };
    let label = |of: ReviewMode, name: &'static str| if mode == of { "diff" } else { name };
    let v = match mode {
        ReviewMode::SideBySide => "unified",
        _ => "side by side",
    };
    let y = label(ReviewMode::Yaml, "YAML");
    let k = label(ReviewMode::Kubectl, "kubectl");
    all.push(Binding::new(Char('v'), v, Action::SideBySide).unless(none()));
    all.push(Binding::new(Char('y'), y, Action::Yaml).unless(none()));
    all.push(Binding::new(Char('K'), k, Action::Kubectl).unless(none()));
    let owned = review.view.as_ref().map(|view| !view.owner.is_empty());
    let unowned = match owned {
        Some(true) => None,
        Some(false) => Some("this change has no other owner".to_owned()),
        None => Some("the diff is being computed".to_owned()),
    };
    all.push(
        Binding::new(
            Char('o'),
            label(ReviewMode::Owner, "for its owner"),
            Action::Owner,
        )
        .unless(unowned)
        .unless(none()),
    );
    let warns = review.rows.rows.iter().any(ReviewRow::warns);
    all.push(
        Binding::new(Char('w'), "next warning", Action::NextWarning)
            .unless((!warns).then(|| "no change here has a warning".to_owned())),
    );
    let deletes = review.rows.rows.iter().any(ReviewRow::deletes);
    all.push(
        Binding::new(Char('d'), "next deletion", Action::NextDeletion)
            .unless((!deletes).then(|| "no change here deletes anything".to_owned())),
    );
    let filtered = !review.rows.filter.text.is_empty();
    all.push(
        Binding::new(Char('/'), "filter", Action::Filter)
            .quiet_if(filtered)
            .unless(unfiltered(state)),
    );
    let conflict = matches!(row.map(|r| &r.standing), Some(Standing::Conflict(_)));
    let lock = row.is_some_and(ReviewRow::is_held_lock);
    let take = match (lock, review.break_lock) {
        (false, _) => "force ownership",
        (true, false) => "break the lock",
        (true, true) => "keep the lock",
    };
    all.push(
        Binding::new(Char('t'), take, Action::Take)
            .unless((!conflict && !lock).then(|| "no field conflict here".to_owned())),
    );
    all.push(Binding::new(Char('e'), "export", Action::Export).unless(state.export_refused()));
    // With the diff open the footer names the keys of the diff; an undo is made from no answers.
    let over = state.detail || review.undoes.is_some();
    all.push(Binding::new(Char('s'), "save answers", Action::Save).quiet_if(over));
    all.push(
        Binding::new(Char('r'), "review again", Action::Retry)
            .unless(
                (review.review.is_some() && !review.done)
                    .then(|| "the review is in progress".to_owned()),
            )
            .quiet_if(review.error.is_none()),
    );
    if state.nothing_to_write() {
        all.push(Binding::new(Enter, "status", Action::Jump(Step::Status)));
    } else {
        let label = match review.undoes {
            Some(_) => "undo …",
            None => "apply …",
        };
        all.push(Binding::new(Enter, label, Action::Apply).unless(state.apply_refused()));
    }
}
