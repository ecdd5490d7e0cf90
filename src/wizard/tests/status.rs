use super::*;
use crate::answers::MetricsPort;
use crate::targets::{Board, Counts, Expected, Probe, Row, State as TargetState, Waits};

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
            template_port: None,
            started: None,
            port: MetricsPort::Merged,
            behind: 15020,
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
        left_out: false,
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
    let on = Waits::Annotation;
    let error = "connection reset by peer".into();
    vec![
        row("cart", TargetState::Waiting { on, replica: None }),
        row("ledger", TargetState::NotCovered),
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
        (say::FIND_WAITING, "cart-0"),
        (say::FIND_NOT_COVERED, "ledger-0"),
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
    let watched = |state: &mut State| match &state.watch()[..] {
        [Effect::Watch { left_out, .. }] => left_out.contains(&id("shop", "cart")),
        effects => panic!("{effects:?}"),
    };
    assert!(!watched(&mut state));
    keys(&mut state, "space");
    assert!(watched(&mut state), "the watch is told");
    let out = Row {
        left_out: true,
        ..(*row("cart", TargetState::NotCovered)).clone()
    };
    seen(&mut state, vec![Arc::new(out)]);
    assert_eq!(
        (
            state.status.board.counts.all(),
            state.status.board.counts.left_out
        ),
        (0, 1)
    );
    state.step = Step::Status;
    state.status.rows.filter.text = say::FIND_LEFT_OUT.into();
    state.derive_status();
    assert_eq!(pods(&state), ["cart-0"]);
    keys(&mut state, "p");
    assert!(pods(&state).is_empty(), "it is no problem");
    state.step = Step::Review;
    keys(&mut state, "space");
    assert!(!watched(&mut state));
}

fn told(state: &mut State, rows: Vec<Arc<Row>>, at: i64) {
    let board = Board {
        at: jiff::Timestamp::from_second(at).ok(),
        counts: Counts::of(&rows),
        rows,
        ..Board::default()
    };
    let awaited = crate::targets::Awaited::default();
    let board = Arc::new(board);
    let lacking = awaited.lacking(&board);
    update(state, Msg::Apply(ApplyEvent::Targets { board, lacking }));
}

#[test]
fn apply_and_status_tell_by_one_board() {
    let mut state = applying();
    let waits = || TargetState::Waiting {
        on: Waits::NoPod,
        replica: None,
    };
    told(
        &mut state,
        vec![
            row("cart", waits()),
            row("tax", TargetState::Up { double: None }),
        ],
        5,
    );
    assert_eq!(state.newest_board().counts.up, 1);
    assert_eq!(state.apply.lacking.rows[0].expected.pod, "cart-0");
    assert_eq!(pods(&state), ["cart-0", "tax-0"], "Status has them too");
    // The monitor's look is as good as the run's.
    seen(
        &mut state,
        vec![row("cart", TargetState::Up { double: None })],
    );
    assert_eq!(state.newest_board().counts.all(), 1);
}

#[test]
fn the_exit_code_is_the_commands_by_the_newest_look() {
    let up = |probe| {
        let row = row("cart", TargetState::Up { double: None });
        Arc::new(Row {
            probe,
            ..(*row).clone()
        })
    };
    let mut state = applying();
    let late = |at: i64, rows: Vec<Arc<Row>>| {
        Arc::new(Board {
            at: jiff::Timestamp::from_second(at).ok(),
            counts: Counts::of(&rows),
            rows,
            ..Board::default()
        })
    };
    let waits = TargetState::Waiting {
        on: Waits::NoPod,
        replica: None,
    };
    let board = late(10, vec![row("cart", waits)]);
    let outcome = Outcome {
        board,
        ..Outcome::default()
    };
    update(&mut state, Msg::Apply(ApplyEvent::Finished(outcome)));
    assert_eq!(state.exit_code(), 3, "not all is UP");
    update(&mut state, Msg::Board(late(20, vec![up(Probe::NotAsked)])));
    assert_eq!(state.exit_code(), 3, "nothing is called secured unseen");
    update(&mut state, Msg::Board(late(30, vec![up(Probe::Refused)])));
    assert_eq!(state.exit_code(), 0);
    let error = "503".into();
    let down = TargetState::Down { error, cause: None };
    update(&mut state, Msg::Board(late(40, vec![row("cart", down)])));
    assert_eq!(state.exit_code(), 3);

    // Stopped before anything was written, and part way.
    for (written, code) in [(false, 4), (true, 5)] {
        let mut state = applying();
        let id = state.apply.rows.rows[0].id.clone();
        let outcome = Outcome {
            ended: Ended::PartWay(None),
            written: if written { vec![id] } else { Vec::new() },
            ..Outcome::default()
        };
        update(&mut state, Msg::Apply(ApplyEvent::Finished(outcome)));
        assert_eq!(state.exit_code(), code);
    }
}
