//! The keys of the review.

use super::{Action, Binding, Key, unfiltered};
use crate::wizard::state::{ReviewMode, ReviewRow, Standing, State, Step};
use crate::words::say::wizard as say;

pub(super) fn keys(state: &State, all: &mut Vec<Binding>) {
    use Key::*;
    let review = &state.review;
    let row = review.rows.current();
    let none = || row.is_none().then(|| say::NO_CHANGE_HERE.to_owned());
    let toggle = match row.map(|r| &r.standing) {
        Some(Standing::LeftOut) => say::INCLUDE,
        _ => say::SKIP,
    };
    let not_toggled = match row.map(|r| &r.standing) {
        Some(Standing::HangsOn(id)) => Some(say::depends_on_skipped(&id.object())),
        Some(Standing::Unchanged) => Some(say::NOTHING_CHANGES_HERE.to_owned()),
        _ => None,
    };
    // First of all, so that the narrowest footer names it: the yes rests on the diff.
    all.push(
        Binding::new(
            Tab,
            if review.diff_focus {
                say::SHOW_LIST
            } else {
                say::SHOW_DIFF
            },
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
    let label = |of: ReviewMode, name: &'static str| if mode == of { say::SHOW_DIFF } else { name };
    let v = match mode {
        ReviewMode::SideBySide => say::SHOW_UNIFIED,
        _ => say::SHOW_SIDE_BY_SIDE,
    };
    let y = label(ReviewMode::Yaml, "YAML");
    let k = label(ReviewMode::Kubectl, "kubectl");
    all.push(Binding::new(Char('v'), v, Action::SideBySide).unless(none()));
    all.push(Binding::new(Char('y'), y, Action::Yaml).unless(none()));
    all.push(Binding::new(Char('K'), k, Action::Kubectl).unless(none()));
    let owned = review.view.as_ref().map(|view| !view.owner.is_empty());
    let unowned = match owned {
        Some(true) => None,
        Some(false) => Some(say::NO_OTHER_OWNER.to_owned()),
        None => Some(say::DIFF_IS_COMPUTED.to_owned()),
    };
    all.push(
        Binding::new(
            Char('o'),
            label(ReviewMode::Owner, say::FOR_ITS_OWNER),
            Action::Owner,
        )
        .unless(unowned)
        .unless(none()),
    );
    let warns = review.rows.rows.iter().any(ReviewRow::warns);
    all.push(
        Binding::new(Char('w'), say::NEXT_WARNING, Action::NextWarning)
            .unless((!warns).then(|| say::NO_WARNING_HERE.to_owned())),
    );
    let deletes = review.rows.rows.iter().any(ReviewRow::deletes);
    all.push(
        Binding::new(Char('d'), say::NEXT_DELETION, Action::NextDeletion)
            .unless((!deletes).then(|| say::NO_DELETION_HERE.to_owned())),
    );
    let filtered = !review.rows.filter.text.is_empty();
    all.push(
        Binding::new(Char('/'), say::FILTER, Action::Filter)
            .quiet_if(filtered)
            .unless(unfiltered(state)),
    );
    let conflict = matches!(row.map(|r| &r.standing), Some(Standing::Conflict(_)));
    let lock = row.is_some_and(ReviewRow::is_held_lock);
    let take = match (lock, review.break_lock) {
        (false, _) => say::FORCE_OWNERSHIP,
        (true, false) => say::BREAK_LOCK,
        (true, true) => say::KEEP_LOCK,
    };
    all.push(
        Binding::new(Char('t'), take, Action::Take)
            .unless((!conflict && !lock).then(|| say::NO_CONFLICT_HERE.to_owned())),
    );
    all.push(
        Binding::new(Char('e'), say::EXPORT_REVIEW, Action::Export).unless(state.export_refused()),
    );
    // With the diff open the footer names the keys of the diff; an undo is made from no answers.
    let over = state.detail || review.undoes.is_some();
    all.push(Binding::new(Char('s'), say::SAVE_ANSWERS, Action::Save).quiet_if(over));
    all.push(
        Binding::new(Char('r'), say::REVIEW_AGAIN, Action::Retry)
            .unless(
                (review.review.is_some() && !review.done)
                    .then(|| say::REVIEW_IN_PROGRESS.to_owned()),
            )
            .quiet_if(review.error.is_none()),
    );
    if state.nothing_to_write() {
        all.push(Binding::new(
            Enter,
            say::TO_STATUS,
            Action::Jump(Step::Status),
        ));
    } else {
        let label = match review.undoes {
            Some(_) => say::ASK_TO_UNDO,
            None => say::ASK_TO_APPLY,
        };
        all.push(Binding::new(Enter, label, Action::Apply).unless(state.apply_refused()));
    }
}
