use super::*;
use std::sync::Arc;

fn row(name: &str, state: State, probe: Probe) -> Arc<Row> {
    let one = Expected {
        item: item(name),
        ..pod(&format!("{name}-1"))
    };
    Arc::new(Row {
        expected: one,
        state,
        probe,
        guard: Guard::default(),
        last_scrape: None,
        took: None,
        trend: Vec::new(),
        next_scrape: None,
        left_out: false,
    })
}

/// DOWN with this error, and its cause.
fn down(error: &str) -> State {
    let cause = cause(error, a_pod(), &About::default());
    assert!(cause.is_some(), "{error}");
    State::Down {
        error: error.into(),
        cause: cause.map(Box::new),
    }
}

fn seen(rows: Vec<Arc<Row>>) -> Board {
    Board {
        at: Some(at(1)),
        counts: Counts::of(&rows),
        rows,
        ..Board::default()
    }
}

fn waiting() -> State {
    State::Waiting {
        on: Waits::NoPod,
        replica: None,
    }
}

#[test]
fn only_the_awaited_items_are_waited_for_and_what_was_left_out_is_not() {
    let out = Row {
        left_out: true,
        ..(*row("tax", State::Plaintext { job: OLD.into() }, Probe::NotAsked)).clone()
    };
    let board = seen(vec![
        row("cart", UP, Probe::Refused),
        row("ledger", waiting(), Probe::NotAsked),
        Arc::new(out),
    ]);
    assert_eq!((board.counts.all(), board.counts.left_out), (2, 1));
    let of = |items: &[&str]| Awaited {
        items: Some(items.iter().map(|name| item(name)).collect()),
        ..Awaited::default()
    };
    assert!(of(&["cart", "tax"]).is_met(&board));
    assert!(!of(&["cart", "ledger"]).is_met(&board));
    let lacking = Awaited::default().lacking(&board);
    let names: Vec<&str> = lacking.rows.iter().map(|r| &*r.expected.pod).collect();
    assert_eq!((names, lacking.more), (vec!["ledger-1"], 0));
}

#[test]
fn the_gravest_are_named_first_and_the_rest_is_counted() {
    let mut rows: Vec<Arc<Row>> = (0..9)
        .map(|n| row(&format!("w{n}"), waiting(), Probe::NotAsked))
        .collect();
    rows.push(row("tax", down("HTTP status 503"), Probe::NotAsked));
    let lacking = Awaited::default().lacking(&seen(rows));
    assert_eq!(lacking.rows[0].expected.pod, "tax-1");
    assert_eq!((lacking.rows.len(), lacking.more), (4, 6));
}

#[test]
fn probes_and_the_end_of_the_plaintext_scrape_are_waited_for_where_asked_for() {
    let double = State::Up {
        double: Some(OLD.into()),
    };
    let board = seen(vec![row("cart", double, Probe::NotAsked)]);
    let wants = |probe, no_double: bool| Awaited {
        items: None,
        probe,
        no_double: board
            .rows
            .iter()
            .filter(|_| no_double)
            .map(|row| row.expected.item.clone())
            .collect(),
    };
    assert!(wants(false, false).is_met(&board));
    assert!(!wants(true, false).is_met(&board));
    assert!(!wants(false, true).is_met(&board));
}

/// A proxy whose listener came back a moment ago answers plaintext with a 503 of the passthrough that was there before.
#[test]
fn an_answer_that_proves_nothing_is_waited_over_and_changes_no_outcome() {
    let all = Awaited {
        probe: true,
        ..Awaited::default()
    };
    for (probe, waits) in [
        (Probe::Unclear("503".into()), true),
        (Probe::Unknown("403".into()), false),
        (Probe::Refused, false),
    ] {
        let board = seen(vec![row("cart", UP, probe.clone())]);
        assert_eq!(all.is_met(&board), !waits, "{probe:?}");
        assert_eq!(all.is_settled(&board), !waits, "{probe:?}");
        assert_eq!(all.lacking(&board), Lacking::default(), "{probe:?}");
        assert!(Awaited::default().is_met(&board));
    }
}

#[test]
fn old_figures_and_none_end_no_wait() {
    let mut board = seen(vec![row("cart", UP, Probe::Refused)]);
    assert!(Awaited::default().is_met(&board));
    board.stale = Some(("away".into(), at(1)));
    assert!(!Awaited::default().is_met(&board) && !Awaited::default().is_settled(&board));
    assert!(!Awaited::default().is_met(&Board::default()));
}

#[test]
fn a_wait_ends_early_only_where_waiting_brings_nothing() {
    for (state, settled) in [
        (UP, true),
        (waiting(), false),
        (State::Unsettled { until: at(60) }, false),
        (down("i/o timeout"), false),
        (down("connection refused"), false),
        (down("HTTP status 503"), false),
        (down("HTTP status 403"), false),
        (down("doesn't contain any IP SANs"), true),
        (down("certificate required"), true),
        (
            State::Down {
                error: "new words".into(),
                cause: None,
            },
            false,
        ),
        (State::Plaintext { job: OLD.into() }, true),
        (State::NotCovered, true),
    ] {
        let board = seen(vec![row("cart", state.clone(), Probe::Refused)]);
        assert_eq!(Awaited::default().is_settled(&board), settled, "{state:?}");
    }
    // One that may pass keeps it going beside one that stays.
    let board = seen(vec![
        row("cart", down("doesn't contain any IP SANs"), Probe::NotAsked),
        row("tax", down("i/o timeout"), Probe::NotAsked),
    ]);
    assert!(!Awaited::default().is_settled(&board));
}

#[test]
fn every_cause_that_stays_is_one_of_the_table() {
    let errors = [
        "x509: cannot validate certificate because it doesn't contain any IP SANs",
        "http: server gave HTTP response to HTTPS client",
        "remote error: tls: certificate required",
        "remote error: tls: unknown certificate authority",
        "dial tcp: address fd00::1:15091: too many colons in address",
        "received unsupported Content-Type \"text/html\"",
        "server returned HTTP status 404 Not Found",
    ];
    for error in errors {
        let cause = cause(error, a_pod(), &About::default());
        let state = State::Down {
            error: error.into(),
            cause: cause.map(Box::new),
        };
        let board = seen(vec![row("cart", state, Probe::NotAsked)]);
        assert!(Awaited::default().is_settled(&board), "{error}");
    }
}
