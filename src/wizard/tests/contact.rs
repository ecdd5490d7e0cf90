use super::*;
use crate::engine::contact::Contact;
use crate::targets::{Board, ReplicaNote};
use crate::wizard::state::About;

fn line(state: &State) -> Option<Check> {
    let lines = &state.cluster.checks;
    let found = lines.iter().find(|line| line.about == About::Contact);
    found.map(|line| line.check.clone())
}

fn tell(state: &mut State, contact: Contact) {
    let of = state.generations.contact;
    update(state, Msg::Contact(of, contact));
}

fn answers(url: Option<&str>, late: &[&str]) -> Contact {
    Contact::Answers {
        url: url.map(str::to_owned),
        replicas: 2,
        late: late.iter().map(|job| (*job).to_owned()).collect(),
        seen: None,
    }
}

fn unreachable() -> Contact {
    Contact::Unreachable(Error::new("it resets").hint("another way"))
}

#[test]
fn whether_prometheus_answers_stands_in_the_checklist() {
    let mut state = started(shop());
    assert_eq!(line(&state), Some(Check::Asking));
    for (contact, wanted) in [
        (answers(None, &[]), Check::Good),
        (answers(Some("https://p"), &[]), Check::Good),
        (answers(None, &["job"]), Check::Warning),
        (unreachable(), Check::Warning),
        (Contact::NotRunning(Error::new("no pod")), Check::Warning),
    ] {
        tell(&mut state, contact);
        assert_eq!(line(&state), Some(wanted));
    }
    // An answer to an older question says nothing.
    update(&mut state, Msg::Contact(Generation(0), answers(None, &[])));
    assert_eq!(line(&state), Some(Check::Warning));
}

#[test]
fn an_apply_without_proof_is_told_before_the_yes_and_is_one() {
    for (contact, wanted) in [(unreachable(), true), (answers(None, &[]), false)] {
        let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
        tell(&mut state, contact);
        keys(&mut state, "enter");
        let dialog = state.dialog.as_ref().expect("a question");
        let yes = &dialog.buttons.last().expect("a button").label;
        assert_eq!(yes == say::APPLY_UNVERIFIED, wanted, "{yes}");
        let effects = keys(&mut state, "tab enter");
        assert!(
            matches!(effects[..], [Effect::Apply { unproven, .. }] if unproven == wanted),
            "{effects:?}"
        );
    }
}

#[test]
fn the_monitor_offers_a_reload_where_certificates_came_late() {
    let mut state = started(shop());
    state.step = Step::Status;
    let seen = |state: &mut State, late: Vec<String>| {
        let replicas = vec![ReplicaNote {
            late,
            ..ReplicaNote::default()
        }];
        let board = Board {
            replicas,
            ..Board::default()
        };
        update(state, Msg::Board(Arc::new(board)));
        keys(state, "r")
    };
    assert!(seen(&mut state, Vec::new()).is_empty());
    let effects = seen(&mut state, vec!["job".into()]);
    assert!(
        matches!(effects[..], [Effect::Reload { .. }]),
        "{effects:?}"
    );
    state.start.read_only = true;
    assert!(seen(&mut state, vec!["job".into()]).is_empty());
}
