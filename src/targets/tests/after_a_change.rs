use super::*;

#[test]
fn a_scrape_from_before_the_change_does_not_count_whatever_the_clocks_say() {
    for skew in [-86_400, -7, 0, 7, 86_400] {
        let mut world = World::default();
        let one = pod("cart-1");
        let mut see = |now: i64, health, last: i64| {
            let mut one_target = target("cart-1", health, last);
            one_target.last_scrape = Some(at(last + skew));
            let targets = vec![one_target];
            let replicas = [replica("p-0", now, skew, targets)];
            let board = world.look(now, std::slice::from_ref(&one), &replicas);
            if now == 100 {
                world.memory.touched(&one.item, false, at(100));
            }
            board.rows[0].clone()
        };
        assert_eq!(see(100, Health::Up, 99).state, UP);
        let row = see(103, Health::Up, 99);
        assert!(waits_as(&row.state, &AFTER), "{skew}: {:?}", row.state);
        // An error from before it says as little.
        let state = see(104, Health::Down, 99).state.clone();
        assert!(matches!(
            state,
            State::Waiting {
                on: Waits::ScrapeAfterChange { .. },
                ..
            }
        ));
        let row = see(115, Health::Up, 114);
        assert_eq!(row.state, UP, "{skew}");
        assert_eq!(row.last_scrape, Some(at(114)), "{skew}: by our clock");
        assert_eq!(row.next_scrape, Some(Duration::from_secs(14)), "{skew}");
    }
}

#[test]
fn without_prometheus_time_the_second_new_scrape_counts() {
    let mut world = World::default();
    let one = pod("cart-1");
    world.memory.touched(&one.item, false, at(100));
    let mut see = |now: i64, last: i64| {
        let mut replica = replica("p-0", now, 0, vec![target("cart-1", Health::Up, last)]);
        replica.now = None;
        world.state(now, &one, &[replica])
    };
    assert!(waits_as(&see(101, 99), &AFTER));
    assert!(
        waits_as(&see(102, 100), &AFTER),
        "it may have been under way"
    );
    assert!(waits_as(&see(103, 100), &AFTER));
    assert_eq!(see(117, 115), UP);
}

#[test]
fn a_target_that_came_after_the_change_counts_at_once() {
    let mut world = World::default();
    let one = pod("cart-1");
    world.look(
        99,
        std::slice::from_ref(&one),
        &[replica("p-0", 99, 0, Vec::new())],
    );
    world.memory.touched(&one.item, true, at(100));
    let targets = vec![target("cart-1", Health::Up, 108)];
    // No look came between: the clock alone tells, and nothing was live when the policy changed.
    assert_eq!(
        world.state(
            110,
            &one,
            &[replica("p-0", 110, 40, {
                let mut targets = targets;
                targets[0].last_scrape = Some(at(148));
                targets
            })]
        ),
        UP
    );
}

#[test]
fn a_policy_under_a_live_connection_settles_for_a_minute_and_counts_once_more() {
    let mut world = World::default();
    let one = pod("cart-1");
    let see = |world: &mut World, now: i64, health, last: i64| {
        world.state(
            now,
            &one,
            &[replica(
                "p-0",
                now,
                3,
                vec![target("cart-1", health, last + 3)],
            )],
        )
    };
    assert_eq!(see(&mut world, 99, Health::Up, 98), UP);
    world.memory.touched(&one.item, true, at(100));
    assert!(waits_as(&see(&mut world, 101, Health::Up, 98), &AFTER));
    let until = at(160);
    assert_eq!(
        see(&mut world, 114, Health::Up, 113),
        State::Unsettled { until }
    );
    // A change of another sort meanwhile does not shorten it.
    world.memory.touched(&one.item, false, at(120));
    assert_eq!(
        see(&mut world, 130, Health::Up, 128),
        State::Unsettled { until }
    );
    assert!(matches!(
        see(&mut world, 145, Health::Down, 143),
        State::Down { .. }
    ));
    assert_eq!(
        see(&mut world, 159, Health::Up, 158),
        State::Unsettled { until }
    );
    assert!(waits_for(
        &see(&mut world, 161, Health::Up, 158),
        &Waits::PolicySettles
    ));
    assert_eq!(see(&mut world, 174, Health::Up, 173), UP);
}

#[test]
fn a_watch_that_never_looked_before_a_policy_change_takes_no_chances() {
    let mut world = World::default();
    let one = pod("cart-1");
    world.memory.touched(&one.item, true, at(100));
    let replicas = [replica(
        "p-0",
        110,
        0,
        vec![target("cart-1", Health::Up, 108)],
    )];
    let state = world.state(110, &one, &replicas);
    assert_eq!(state, State::Unsettled { until: at(160) });
}

#[test]
fn a_failed_pool_is_waited_for_then_called_down() {
    let mut world = World::default();
    let one = pod("cart-1");
    let mut see = |now: i64| {
        let mut replica = replica("p-0", now, 0, Vec::new());
        replica.pools = vec![OLD.into()];
        let board = world.look(now, std::slice::from_ref(&one), &[replica]);
        assert!(!board.replicas[0].job_loaded);
        board.rows[0].state.clone()
    };
    let start = |of| Waits::JobStart {
        gone_by: seconds(of),
    };
    assert!(waits_for(&see(10), &start(0)));
    assert!(waits_for(&see(60), &start(50)));
    let State::Down { cause, .. } = see(71) else {
        panic!("not DOWN");
    };
    assert_eq!(cause.map(|c| c.code().name()), Some("JobNotStarted"));
}

#[test]
fn a_pod_that_is_not_ready_is_given_time_before_it_is_down() {
    let mut world = World::default();
    let mut one = pod("cart-1");
    one.ready = false;
    let mut see = |now: i64| {
        let targets = vec![target("cart-1", Health::Down, now - 1)];
        world.state(now, &one, &[replica("p-0", now, 0, targets)])
    };
    assert!(waits_for(&see(10), &Waits::Ready));
    assert!(matches!(see(131), State::Down { .. }));
}

#[test]
fn a_failure_since_the_change_stays_one_when_the_policy_has_settled() {
    let mut world = World::default();
    let one = pod("cart-1");
    let see = |world: &mut World, now: i64, health, last: i64| {
        let mut failed = target("cart-1", health, last);
        failed.last_error = "server returned HTTP status 503 Service Unavailable".into();
        world.state(now, &one, &[replica("p-0", now, 3, vec![failed])])
    };
    see(&mut world, 99, Health::Down, 95 + 3);
    world.memory.touched(&one.item, true, at(100));
    let state = see(&mut world, 101, Health::Down, 95 + 3);
    let State::Waiting {
        on: Waits::ScrapeAfterChange { error, .. },
        ..
    } = &state
    else {
        panic!("{state:?}");
    };
    assert!(
        error
            .as_ref()
            .is_some_and(|error| error.contains("HTTP status 503"))
    );
    // The minute is over between two scrapes: the last one is from after the change all the same.
    for now in [115, 159, 161] {
        let state = see(&mut world, now, Health::Down, now - 2 + 3);
        let code = match &state {
            State::Down { cause, .. } => cause.as_ref().map(|cause| cause.code().name()),
            _ => None,
        };
        assert_eq!(code, Some("NothingBehind"), "{now}: {state:?}");
    }
}

#[test]
fn what_came_up_after_a_policy_change_is_not_held_back_when_it_settles() {
    let mut world = World::default();
    let one = pod("cart-1");
    let see = |world: &mut World, now: i64, health, last: i64| {
        let targets = vec![target("cart-1", health, last)];
        world.state(now, &one, &[replica("p-0", now, 0, targets)])
    };
    see(&mut world, 99, Health::Down, 98);
    world.memory.touched(&one.item, true, at(100));
    assert!(matches!(
        see(&mut world, 110, Health::Down, 108),
        State::Down { .. }
    ));
    assert_eq!(see(&mut world, 125, Health::Up, 123), UP);
    assert_eq!(
        see(&mut world, 161, Health::Up, 158),
        UP,
        "no connection was open"
    );
}

#[test]
fn why_a_pool_failed_is_told_by_its_files() {
    let one = pod("cart-1");
    // Loaded 100 s ago by its own clock, which goes 5 s fast; seen for the first time.
    let see = |files: Files, reloads: bool, loaded: i64| {
        let mut replica = replica("p-0", 200, 5, Vec::new());
        replica.pools = vec![OLD.into()];
        (replica.files, replica.reloads) = (files, reloads);
        replica.loaded_at = Some(at(loaded));
        let board = World::default().look(200, std::slice::from_ref(&one), &[replica]);
        (board.rows[0].state.clone(), board.replicas[0].late.len())
    };
    let code = |state: &State| match state {
        State::Down { cause, .. } => cause.as_ref().map(|cause| cause.code().name()),
        _ => None,
    };
    let of = |files| match see(files, true, 105).0 {
        State::Down { cause, .. } => cause.map(|cause| *cause),
        _ => None,
    };
    // What each of them is not: another answer of the files.
    absent(Code::CertificatesLate, of(Files::Awaited));
    absent(Code::CertificatesMissing, of(Files::Written));
    absent(Code::JobNotStarted, of(Files::Awaited));
    for (files, wanted, late) in [
        (Files::Written, "CertificatesLate", 1),
        (Files::Awaited, "CertificatesMissing", 0),
        (Files::Nobody("no sidecar".into()), "JobNotStarted", 0),
        (Files::Unknown, "JobNotStarted", 0),
    ] {
        for reloads in [true, false] {
            let (state, jobs) = see(files.clone(), reloads, 105);
            assert_eq!((code(&state), jobs), (Some(wanted), late), "{files:?}");
        }
    }
    // A moment after it was loaded nothing is wrong yet, and the seconds go by.
    let (state, _) = see(Files::Written, true, 195);
    let gone_by = seconds(10);
    assert!(waits_for(&state, &Waits::JobStart { gone_by }), "{state:?}");
    let (state, _) = see(Files::Awaited, true, 165);
    let gone_by = seconds(40);
    assert!(
        waits_for(&state, &Waits::Certificates { gone_by }),
        "{state:?}"
    );
}
