//! Keys in a window too small to draw in, and what stands on the screen after an undo.

use super::screen::{User, drive};
use super::{Journey, choose};
use meshscrape::engine::event::Ended;
use meshscrape::wizard::state::{DialogKind, Start, Step};
use meshscrape::words::say::ui as say;

/// Writes that are no dry runs.
fn writes(journey: &Journey) -> usize {
    let sent = journey.simulation.requests();
    let write = |request: &&meshscrape::demo::RequestRecord| {
        let reads = request.method == "GET" || request.path.contains("accessreviews");
        !reads && !request.path.contains("dryRun")
    };
    sent.iter().filter(write).count()
}

async fn asked(user: &User, kind: DialogKind) {
    user.until(&format!("{kind:?}"), |s| {
        s.dialog.as_ref().map(|dialog| &dialog.kind) == Some(&kind)
    })
    .await;
}

async fn in_review(user: &User) {
    user.until("the review is whole", |s| {
        s.step == Step::Review && s.review.done
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn keys_in_a_window_too_small_to_draw_in_approve_nothing() {
    let journey = Journey::new();
    let start = Start {
        answers: choose(&["default/Deployment/httpbin"]),
        ..Start::default()
    };
    let exit = drive(&journey.simulation, start, |user| async move {
        user.read().await;
        user.press("enter enter enter enter enter enter");
        in_review(&user).await;
        user.resize(40, 10);
        user.press("enter tab enter tab enter");
        user.sees(&say::needs_size(60, 16, 40, 10)).await;
        user.resize(160, 50);
        user.until("it is drawn again", |s| s.viewport.drawn).await;
        assert_eq!(
            user.state(|s| (s.step, s.dialog.is_none())),
            (Step::Review, true)
        );
        user
    })
    .await;
    assert_eq!((writes(&journey), exit.code), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn questions_are_drawn_before_keys_that_came_at_once_answer_them() {
    let journey = Journey::new();
    let start = Start {
        answers: choose(&["default/Deployment/httpbin"]),
        ..Start::default()
    };
    drive(&journey.simulation, start, |user| async move {
        user.read().await;
        user.press("enter enter enter enter enter enter");
        in_review(&user).await;
        user.press("enter tab enter tab enter");
        user.until("it is written", |s| s.apply.running).await;
        let asked = user.asked();
        let kinds = [DialogKind::ConfirmApply, DialogKind::ConfirmHistory];
        assert_eq!(asked, kinds);
        user
    })
    .await;
}

/// The undo asked for and confirmed to its end.
async fn undone(user: &User) {
    user.press("u");
    in_review(user).await;
    user.press("enter");
    asked(user, DialogKind::ConfirmUndo).await;
    user.press("tab enter");
    let over = |s: &meshscrape::wizard::State| {
        (s.apply.takes.is_some() && s.apply.outcome.is_some())
            || s.dialog
                .as_ref()
                .is_some_and(|d| d.kind == DialogKind::ConfirmHistory)
    };
    user.until("it is confirmed", over).await;
    user.press("tab enter");
    user.until("it is over", |s| {
        s.apply.takes.is_some() && s.apply.outcome.is_some()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_an_undo_there_is_nothing_to_confirm_twice() {
    let journey = Journey::new();
    let start = Start {
        answers: choose(&["default/Deployment/httpbin"]),
        ..Start::default()
    };
    let exit = drive(&journey.simulation, start, |user| async move {
        user.read().await;
        user.press("enter enter enter enter enter enter");
        in_review(&user).await;
        user.press("enter");
        asked(&user, DialogKind::ConfirmApply).await;
        user.press("tab enter");
        asked(&user, DialogKind::ConfirmHistory).await;
        user.press("tab enter");
        user.until("it ends", |s| s.apply.outcome.is_some()).await;
        undone(&user).await;
        let ended = user.state(|s| s.apply.outcome.as_ref().map(|o| o.ended.clone()));
        assert_eq!(ended, Some(Ended::Whole));
        user.until("the cluster is read anew", |s| !s.cluster.filling)
            .await;
        // Back: what the choices would write now, not the undo once more.
        user.press("esc");
        in_review(&user).await;
        let shown = user.state(|s| (s.review.undoes.clone(), s.review.counts.changes));
        assert!(
            shown.0.is_none() && shown.1 > 0,
            "{shown:?}\n{}",
            user.text()
        );
        user
    })
    .await;
    assert_eq!(exit.code, 0, "{:?}", exit.summary);
    assert!(
        journey
            .simulation
            .object("Sidecar", "default", "meshscrape-httpbin")
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn an_undo_from_the_monitor_leads_back_to_it() {
    let journey = Journey::new();
    journey
        .apply(&choose(&["default/Deployment/httpbin"]))
        .await;
    let start = Start {
        monitor: true,
        ..Start::default()
    };
    let exit = drive(&journey.simulation, start, |user| async move {
        user.read().await;
        undone(&user).await;
        user.press("esc");
        user.at(Step::Status).await;
        user
    })
    .await;
    assert_eq!(exit.code, 0, "{:?}", exit.summary);
}
