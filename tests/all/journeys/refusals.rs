//! What a webhook or a policy refuses: its own words, whole, at the change.

use super::{Journey, choose};
use meshscrape::demo::Fault;
use meshscrape::engine::event::Ended;
use meshscrape::plan::Part;
use meshscrape::plan::review::{ItemState, Word};

const WORDS: &str = "admission webhook \"limits.example.com\" denied the request: two rules are broken:\n  1. a Sidecar cannot name ports\n  2. it needs an owner label\nask platform@example.com";

/// Every write of a Sidecar is denied; of dry runs, or of the others.
fn deny(journey: &Journey, dry_runs: bool, code: u16) {
    journey.simulation.fault(Box::new(move |request| {
        let of = request.method == "PATCH" && request.path.contains("/sidecars/");
        let hit = of && request.path.contains("dryRun") == dry_runs;
        hit.then(|| Fault::Status(code, WORDS.into()))
    }));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_that_is_denied_says_so_whole_whatever_code_the_webhook_chose() {
    for code in [400, 403, 409, 422, 500] {
        let journey = Journey::new();
        deny(&journey, true, code);
        let answers = choose(&["default/Deployment/httpbin"]);
        let (_, plan) = journey.plan(&answers).await.unwrap();
        let review = journey.review(plan, &answers).await;
        let listener = review
            .plan
            .changes
            .iter()
            .find(|change| change.part == Part::Listener)
            .unwrap();
        assert_eq!(
            review.state(&listener.id),
            Some(ItemState::Refused(WORDS.into())),
            "{code}"
        );
        assert!(review.approve(Word { lose_history: true }).is_err());
        // In the words of `plan` every line stands, and lines stay apart.
        let words = meshscrape::commands::words::review(&review);
        for line in WORDS.lines() {
            let of = words.lines().find(|shown| shown.contains(line.trim()));
            assert!(of.is_some(), "{line}\n{words}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_denied_stops_the_run_with_the_whole_of_it() {
    for code in [403, 500] {
        let journey = Journey::new();
        deny(&journey, false, code);
        let answers = choose(&["default/Deployment/httpbin"]);
        let outcome = journey.apply(&answers).await;
        let Ended::PartWay(Some(error)) = &outcome.ended else {
            panic!("{:?}", outcome.ended);
        };
        assert!(error.what.contains("Sidecar default/meshscrape-httpbin"));
        assert_eq!(error.causes[0], WORDS, "{code}");
        assert!(!error.hints.iter().any(|hint| hint.contains("permission")));
    }
}
