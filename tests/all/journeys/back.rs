//! A rollout that fails before a user who then takes back just its workload.

use super::Journey;
use super::screen::drive;
use meshscrape::engine::event::Ended;
use meshscrape::wizard::state::{DialogKind, Start, Step};
use meshscrape::words::say::wizard as say;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_failed_rollout_is_taken_back_by_its_button_and_the_other_workload_stands() {
    let journey = Journey::new();
    let simulation = &journey.simulation;
    let template = |ns: &str, name: &str| {
        let live = simulation.object("Deployment", ns, name).unwrap();
        live["spec"]["template"].clone()
    };
    let mut stuck = simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    stuck["metadata"]["annotations"] = json!({"demo.meshscrape.dev/never-ready": "true"});
    stuck["spec"]["progressDeadlineSeconds"] = json!(60);
    simulation.put(stuck);
    let before = template("default", "httpbin");
    let start = Start {
        answers: super::choose(&["default/Deployment/httpbin", "shop/Deployment/cart"]),
        ..Start::default()
    };
    drive(simulation, start, |user| async move {
        user.read().await;
        user.press("enter enter enter enter enter enter");
        user.until("the review is whole", |s| {
            s.step == Step::Review && s.review.done
        })
        .await;
        user.press("enter");
        user.until("it asks for the yes", |s| s.dialog.is_some())
            .await;
        user.press("tab enter");
        user.until("it asks for the history", |s| {
            let kind = s.dialog.as_ref().map(|dialog| &dialog.kind);
            kind == Some(&DialogKind::ConfirmHistory)
        })
        .await;
        user.press("tab enter");
        user.until("it stops", |s| {
            let kind = s.dialog.as_ref().map(|dialog| &dialog.kind);
            kind == Some(&DialogKind::Stopped)
        })
        .await;
        let unready = meshscrape::problems::Code::ContainerNotReady;
        assert!(
            crate::tells(&user.text(), unready, "readiness probe fails"),
            "{}",
            user.text()
        );
        assert!(
            user.shows(&say::undo_all_of("default/Deployment/httpbin")),
            "{}",
            user.text()
        );
        // Look first, Retry, Undo its annotation, then the one.
        user.press("tab tab tab enter");
        user.until("it ends", |s| s.apply.outcome.is_some()).await;
        let outcome = user.state(|s| s.apply.outcome.clone().unwrap());
        assert!(matches!(outcome.ended, Ended::PartWay(_)), "{outcome:?}");
        assert!(!outcome.taken_back.is_empty());
        assert!(
            outcome.taken_back.iter().all(|id| id.0.contains("httpbin")),
            "{outcome:?}"
        );
        assert!(
            outcome
                .written
                .iter()
                .any(|id| id.0 == "Deployment/shop/cart#annotation")
        );
        user
    })
    .await;
    assert_eq!(template("default", "httpbin"), before);
    for kind in ["Sidecar", "PeerAuthentication", "AuthorizationPolicy"] {
        let left = simulation.object(kind, "default", "meshscrape-httpbin");
        assert!(left.is_none(), "{kind}");
    }
    let annotated = template("shop", "cart");
    assert_eq!(
        annotated["metadata"]["annotations"]["prometheus.istio.io/secure-port"],
        "15091"
    );
    journey.dressed();
}
