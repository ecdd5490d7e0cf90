use super::*;
use crate::answers::MetricsPort;
use crate::targets::{Board, Counts, Expected, Probe, Row, State as TargetState};

fn row(name: &str, state: TargetState) -> Arc<Row> {
    Arc::new(Row {
        expected: Expected {
            item: id("shop", name),
            gateway: false,
            pod: format!("{name}-0"),
            uid: name.into(),
            ip: None,
            phase: "Running".into(),
            ready: true,
            sidecar: true,
            secure_port: None,
            started: None,
            port: MetricsPort::Merged,
            labels: Default::default(),
            native: false,
        },
        state,
        probe: Probe::NotAsked,
        guard: Default::default(),
        last_scrape: None,
        took: None,
        trend: Vec::new(),
        next_scrape: None,
    })
}

fn seen(state: &mut State, rows: Vec<Arc<Row>>) {
    let board = Board {
        counts: Counts::of(&rows),
        rows,
        ..Board::default()
    };
    state.board_came(Arc::new(board));
}

fn pods(state: &State) -> Vec<&str> {
    let rows = state.status.rows.rows.iter();
    rows.map(|row| &*row.expected.pod).collect()
}

fn board() -> Vec<Arc<Row>> {
    let on = "config reload in about 40 s".into();
    let why = "the pod has no sidecar".into();
    let error = "connection reset by peer".into();
    vec![
        row("cart", TargetState::Waiting { on }),
        row("ledger", TargetState::NotCovered { why }),
        row("legacy", TargetState::Up { double: None }),
        row("tax", TargetState::Down { error, cause: None }),
    ]
}

#[test]
fn problems_come_worst_first_and_the_filter_finds_states_and_errors() {
    let mut state = started(shop());
    state.step = Step::Status;
    seen(&mut state, board());
    assert_eq!(pods(&state).len(), 4);
    keys(&mut state, "p");
    assert_eq!(pods(&state), ["tax-0", "cart-0", "ledger-0"]);
    keys(&mut state, "p");
    for (text, found) in [
        ("down", "tax-0"),
        ("reset", "tax-0"),
        ("reload", "cart-0"),
        ("sidecar", "ledger-0"),
        ("up", "legacy-0"),
    ] {
        state.status.rows.filter.text = text.into();
        state.derive_status();
        assert_eq!(pods(&state), [found], "{text}");
    }
}

#[test]
fn what_was_left_out_in_the_review_is_not_told_as_what_cannot_be_covered() {
    let mut state = in_review(plan(), |c| reviewed(c, Verdict::New));
    keys(&mut state, "space");
    let why = "the pod has no sidecar".into();
    seen(
        &mut state,
        vec![row("cart", TargetState::NotCovered { why })],
    );
    assert_eq!(state.status.left_out, [1, 0]);
    keys(&mut state, "enter");
    state.step = Step::Status;
    state.status.rows.filter.text = "left out".into();
    state.derive_status();
    assert_eq!(pods(&state), ["cart-0"]);
    keys(&mut state, "p");
    assert!(pods(&state).is_empty(), "it is no problem");
    state.step = Step::Review;
    keys(&mut state, "space");
    let rows = state.status.board.rows.clone();
    seen(&mut state, rows);
    assert_eq!(state.status.left_out, [0, 0]);
}
