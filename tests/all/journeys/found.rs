//! Taking back what is hard to take back: without a record, over somebody's changes, an older run under a newer.

use super::{Journey, choose, differing};
use meshscrape::engine::event::Ended;
use meshscrape::engine::found::plan_found;
use meshscrape::engine::undo::{UndoPlan, plan_undo};
use meshscrape::journal::MemoryJournal;
use meshscrape::plan::Part;
use meshscrape::plan::review::Word;
use meshscrape::plan::undo::NoteKind;
use meshscrape::words::say::{engine as say, journal};
use serde_json::{Value, json};
use std::sync::Arc;

const HOME: &str = "istio-system";
const HTTPBIN: &str = "default/Deployment/httpbin";
const CART: &str = "shop/Deployment/cart";

/// Reviews and writes an undo, as it stands.
async fn carry_out(journey: &Journey, undo: UndoPlan) {
    let answers = choose(&[HTTPBIN]);
    let (selection, _) = journey.plan(&answers).await.unwrap();
    let review = journey.review(undo.plan, &answers).await;
    let approved = review
        .approve(Word { lose_history: true })
        .unwrap_or_else(|why| panic!("{why:?}: {:#?}", review.states()));
    let outcome = journey
        .write(approved, &selection, &answers, Some(undo.run))
        .await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
}

fn forget_all(journey: &mut Journey) {
    journey.session.journal = Arc::new(MemoryJournal::new());
    for secret in journey.simulation.objects("Secret", HOME) {
        if secret["metadata"]["labels"]["meshscrape.dev/run"].is_string() {
            let name = secret["metadata"]["name"].as_str().unwrap();
            journey.simulation.remove("Secret", HOME, name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_any_record_what_is_ours_goes_and_what_cannot_be_known_is_said() {
    let mut journey = Journey::new();
    let before = journey.objects();
    journey.apply(&choose(&[HTTPBIN])).await;
    forget_all(&mut journey);
    let lost = plan_undo(&journey.session, &[HOME.into()], None, &[]).await;
    assert_eq!(lost.unwrap_err().what, journal::NO_RUN_TO_UNDO);

    let undo = plan_found(&journey.session, &*journey.mesh().await)
        .await
        .unwrap();
    let said = undo.warnings.join("\n");
    assert!(said.contains("are removed, not restored"), "{said}");
    carry_out(&journey, undo).await;
    // The one value that was taken over from somebody: it is gone instead of set back, as was said.
    let left = differing(&before, &journey.objects());
    assert!(
        left.len() == 1 && left[0].contains("Deployment istio-system/prometheus"),
        "{}",
        left.join("\n")
    );
    let again = plan_found(&journey.session, &*journey.mesh().await).await;
    assert_eq!(again.unwrap_err().what, say::NOTHING_OF_OURS_FOUND);
}

fn annotation(journey: &Journey) -> Value {
    let httpbin = journey
        .simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    httpbin["spec"]["template"]["metadata"]["annotations"]["prometheus.istio.io/secure-port"]
        .clone()
}

fn change_the_mark(journey: &Journey) {
    let mut httpbin = journey
        .simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    httpbin["spec"]["template"]["metadata"]["annotations"]["prometheus.istio.io/secure-port"] =
        json!("15092");
    journey.simulation.put(httpbin);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changed_since_stays_unless_the_user_says_otherwise() {
    for even_changed in [false, true] {
        let journey = Journey::new();
        journey.apply(&choose(&[HTTPBIN])).await;
        change_the_mark(&journey);
        let mut undo = plan_undo(&journey.session, &[HOME.into()], None, &[])
            .await
            .unwrap();
        let stays = undo.notes.iter().any(|note| {
            let NoteKind::ChangedSince {
                before, after, now, ..
            } = &note.what
            else {
                return false;
            };
            let all = [before, after, now].map(|value| value.as_ref().and_then(Value::as_str));
            all == [None, Some("15091"), Some("15092")]
        });
        assert!(stays, "{:?}", undo.notes);
        assert_eq!(undo.plan.held.len(), 1, "{:?}", undo.plan.held);
        if even_changed {
            undo.plan.held.clear();
        }
        carry_out(&journey, undo).await;
        let wanted = if even_changed {
            json!(null)
        } else {
            json!("15092")
        };
        assert_eq!(annotation(&journey), wanted);
        // Nothing else hangs on that decision.
        assert!(
            journey
                .simulation
                .object("Sidecar", "default", "meshscrape-httpbin")
                .is_none()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_run_is_not_taken_from_under_a_newer_one() {
    let journey = Journey::new();
    let before = journey.objects();
    journey.apply(&choose(&[HTTPBIN])).await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    journey.apply(&choose(&[CART])).await;
    let runs = journey.session.journal.runs().unwrap();
    let (newer, older) = (runs[0].run.clone(), runs[1].run.clone());
    let homes = [HOME.to_owned()];

    let refused = plan_undo(&journey.session, &homes, Some(&older), &[]).await;
    let words = refused.unwrap_err().to_string();
    let first = say::undo_the_newer_first(&newer);
    assert!(words.contains(&first), "{words}");

    let undo = plan_undo(&journey.session, &homes, None, &[])
        .await
        .unwrap();
    assert_eq!(undo.run, newer);
    assert!(
        undo.warnings.iter().any(|w| w.contains(&older)),
        "{:?}",
        undo.warnings
    );
    assert!(
        undo.plan
            .changes
            .iter()
            .all(|change| change.part != Part::Fix)
    );
    carry_out(&journey, undo).await;
    let undo = plan_undo(&journey.session, &homes, None, &[])
        .await
        .unwrap();
    assert_eq!(undo.run, older);
    carry_out(&journey, undo).await;
    let left = differing(&before, &journey.objects());
    assert!(left.is_empty(), "undo left:\n{}", left.join("\n"));
}
