//! The wizard itself, from its first screen to green targets, with keys in a pseudo-terminal.

use crate::evidence;
use crate::forecast;
use crate::matrix::{choices, secured};
use crate::program::{beside, folder};
use crate::pty::Terminal;
use crate::report::{Checks, Stop};
use crate::subject::{Kind, Subject};
use crate::world;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

pub const NAME: &str = "wizard";

pub fn namespace() -> String {
    format!("mesh-{NAME}")
}

fn subjects() -> Result<[Subject; 2], String> {
    let of = |kind| Subject::of(kind, &namespace(), 15020, "PERMISSIVE");
    Ok([of(Kind::Sidecar)?, of(Kind::Gateway)?])
}

pub fn evidence() -> String {
    let subjects = subjects().map(Vec::from).unwrap_or_default();
    evidence::of(
        &namespace(),
        &choices(&namespace(), 15020, "template"),
        &subjects,
    )
}

pub fn run(checks: &mut Checks) -> Result<(), Stop> {
    let namespace = namespace();
    checks.must("the samples stand", || {
        world::build(&namespace, "PERMISSIVE").map(|()| namespace.clone())
    })?;
    let forecast = forecast::before(NAME, &choices(&namespace, 15020, "template"));
    checks.must("the wizard, by keys, to green targets", || {
        // The driver panics with the screen where something never shows.
        catch_unwind(AssertUnwindSafe(|| keys(&namespace))).map_err(|panic| {
            let words = panic.downcast_ref::<String>().cloned();
            words.unwrap_or_else(|| "the terminal's driver broke off".into())
        })
    })?;
    checks.add("its targets are as the plan had said", || {
        forecast::held(&forecast?)
    });
    secured(checks, &namespace, subjects)
}

/// The Prometheus is named by a flag, since the other cells have theirs in the same cluster; all else by keys.
fn keys(namespace: &str) -> String {
    let prometheus = format!("{namespace}/Deployment/prometheus");
    let state = folder().join("state").join(NAME);
    let state = state.to_string_lossy().into_owned();
    let user = crate::user::kubeconfig(namespace).unwrap_or_else(|why| panic!("{why}"));
    let user = user.to_string_lossy().into_owned();
    let _beside = beside();
    let mut screen = Terminal::with(
        &["--prometheus", &prometheus],
        &[("XDG_STATE_HOME", &state), ("KUBECONFIG", &user)],
        120,
        40,
    );
    screen.shows("does it meet the requirements");
    // The last line of the checklist.
    screen.shows("all granted");
    screen.until("the whole cluster is read", |s| {
        s.text().contains("enter next")
    });
    screen.press("\r");
    screen.shows("Which Prometheus");
    row(&screen, "◉", namespace);
    next(&mut screen);
    screen.shows("Which namespaces hold");
    screen.press(&format!("/{namespace}\r"));
    row(&screen, "▌ ○", namespace);
    screen.press(" ");
    row(&screen, "▌ ◉", namespace);
    next(&mut screen);
    screen.shows("Which workloads");
    screen.press("/httpbin\r");
    row(&screen, "○", "httpbin");
    screen.press("a");
    row(&screen, "◉", "httpbin");
    next(&mut screen);
    screen.shows("Which gateways");
    screen.press(&format!("/{namespace}\r"));
    row(&screen, "▌ ○", namespace);
    screen.press("a");
    row(&screen, "▌ ◉", namespace);
    next(&mut screen);
    screen.shows("How should Prometheus scrape");
    next(&mut screen);
    screen.shows("Review the changes");
    screen.until("the review is whole", |s| s.text().contains("enter apply"));
    screen.press("\r");
    screen.shows("Cancel");
    screen.press("\t\r");
    screen.shows("Lose Prometheus");
    screen.press("\t\r");
    screen.within(Duration::from_secs(300), "it has ended well", |s| {
        s.text().contains("Every approved change is applied")
            && s.text().contains("2 of 2 targets are UP over mTLS")
    });
    let end = screen
        .text()
        .lines()
        .find(|line| line.contains("targets are UP"))
        .unwrap_or_default()
        .trim_matches(['│', ' '])
        .to_owned();
    screen.press("\r");
    screen.shows("of 2 targets UP");
    screen.press("q");
    let code = screen.ends();
    format!("{end} (exit {code})")
}

/// Waits for a row of a list; rows come and change while the cluster is still being read.
fn row(screen: &Terminal, glyph: &str, name: &str) {
    screen.until(&format!("{glyph} before {name}"), |screen| {
        let text = screen.text();
        text.lines()
            .filter_map(|line| line.split_once(glyph))
            .any(|(_, after)| after.contains(name))
    });
}

/// Enter, once the footer offers it: it shows the keys that work.
fn next(screen: &mut Terminal) {
    screen.until("enter in the footer", |screen| {
        let text = screen.text();
        let footer = text.trim_end().lines().last();
        footer.is_some_and(|line| line.contains("enter "))
    });
    screen.press("\r");
}
