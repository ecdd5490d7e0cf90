//! What belongs to Helm, Argo CD or Flux: chosen by its owner's name, shown with its owner, written, taken back.

use super::Journey;
use super::choose;
use super::cut::command;
use super::runs::there_and_back;
use meshscrape::plan::review::{ItemState, Word};
use meshscrape::words::say::commands::force_without_effect;
use serde_json::{Value, json};
use std::time::Duration;

/// Somebody applies these template annotations to a Deployment, by server-side apply.
pub(super) async fn annotate(
    journey: &Journey,
    of: (&str, &str),
    manager: &str,
    annotations: Value,
) {
    let (namespace, name) = of;
    let body = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"metadata": {"annotations": annotations}}},
    });
    let path = format!(
        "/apis/apps/v1/namespaces/{namespace}/deployments/{name}?fieldManager={manager}&force=true"
    );
    let request = http::Request::patch(path)
        .header("content-type", "application/apply-patch+yaml")
        .body(body.to_string().into_bytes())
        .unwrap();
    let client = journey.simulation.client();
    client.request_text(request).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn each_owner_has_to_be_named() {
    let journey = Journey::new();
    for (name, take) in [
        ("newsletter", "helm"),
        ("landing-pages", "argocd"),
        ("coupons", "flux"),
    ] {
        let mut answers = choose(&[&format!("marketing/Deployment/{name}")]);
        let error = journey.plan(&answers).await.unwrap_err().to_string();
        let error = format!("{error} {:?}", journey.plan(&answers).await.unwrap_err());
        assert!(error.contains(&format!("--force-owner {take}")), "{error}");
        answers.take.insert(take.into());
        assert!(journey.plan(&answers).await.is_ok(), "{take}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_from_its_owners_comes_up_and_goes_back() {
    let journey = Journey::new();
    let mut answers = choose(&[
        "marketing/Deployment/newsletter",
        "marketing/Deployment/landing-pages",
        "marketing/Deployment/coupons",
    ]);
    answers.take = ["helm", "argocd", "flux"].map(str::to_owned).into();
    there_and_back(&journey, &answers, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn the_word_for_a_tool_takes_the_fields_of_its_managers_and_of_nobody_else() {
    let journey = Journey::new();
    let of = ("marketing", "landing-pages");
    let annotation = json!({"prometheus.istio.io/secure-port": "15099"});
    annotate(&journey, of, "argocd-controller", annotation.clone()).await;
    let mut answers = choose(&["marketing/Deployment/landing-pages"]);
    answers.take.insert("argocd".into());
    let (_, plan) = journey.plan(&answers).await.unwrap();
    let review = journey.review(plan, &answers).await;
    assert!(review.approve(Word { lose_history: true }).is_ok());
    let conflict = review
        .items
        .values()
        .flat_map(|item| &item.conflicts)
        .find(|conflict| conflict.manager == "argocd-controller")
        .unwrap();
    assert_eq!(conflict.theirs, Some(json!("15099")));
    assert_eq!(conflict.ours, Some(json!("15091")));

    // A second manager holds the same field: the first one's name does not cover it.
    annotate(&journey, of, "terraform", annotation).await;
    let (_, plan) = journey.plan(&answers).await.unwrap();
    let review = journey.review(plan, &answers).await;
    let stopped = review
        .states()
        .into_values()
        .any(|state| matches!(state, ItemState::Conflict(managers) if managers == ["terraform"]));
    assert!(stopped, "{:#?}", review.states());
}

#[tokio::test(start_paused = true)]
async fn a_name_to_take_from_that_nobody_bears_is_said() {
    let journey = Journey::new();
    let plan = "meshscrape plan -w default/Deployment/httpbin --force-owner helm,helmm";
    let (code, words) = command(&journey, plan).await;
    assert_eq!(code, 2, "{words}");
    assert!(words.contains(&force_without_effect("helmm")), "{words}");
    let of_helm = force_without_effect("helm");
    assert!(
        !words.lines().any(|line| line.ends_with(&of_helm)),
        "{words}"
    );
}
