//! What is missing is a state that the steps show and say how to mend; the program goes on.

use super::screen::drive;
use super::{Journey, choose};
use meshscrape::demo::{Fault, Simulation};
use meshscrape::wizard::state::{About, Check, Connection, Start, Step};
use meshscrape::words::say::cluster::LOG_IN_AGAIN;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

fn quick() -> Simulation {
    let simulation = Simulation::builtin();
    simulation.quick();
    simulation
}

/// What the checklist says, line by line.
fn checklist(state: &meshscrape::wizard::State) -> String {
    let lines = state.cluster.checks.iter();
    lines
        .map(|line| {
            format!(
                "{:?} {}: {} -> {}\n",
                line.check,
                line.about.label(),
                line.found,
                line.todo
            )
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_is_named_with_what_it_costs_and_the_way_goes_on() {
    for (verb, group, resource, says) in [
        (
            "list",
            "",
            "namespaces",
            vec!["namespaces", "missing from the steps"],
        ),
        ("list", "", "pods", vec!["pods", "missing from the steps"]),
        (
            "list",
            "networking.istio.io",
            "*",
            vec!["Istio policies", "Istio gateways", "missing from the steps"],
        ),
        (
            "list",
            "security.istio.io",
            "*",
            vec!["Istio policies", "missing from the steps"],
        ),
        ("*", "", "pods/proxy", vec!["get pods/proxy", "step 9"]),
        (
            "patch",
            "apps",
            "deployments",
            vec!["patch deployments", "step 8"],
        ),
    ] {
        let simulation = quick();
        simulation.deny(verb, group, resource, None);
        let exit = drive(&simulation, Start::default(), |user| async move {
            user.read().await;
            let said = user.state(checklist);
            for word in says {
                assert!(
                    said.contains(word),
                    "{verb} {resource}: {word} is not in\n{said}"
                );
            }
            assert!(user.shows("ClusterRole"), "{}", user.text());
            user.press("enter");
            user.at(Step::Prometheus).await;
            user.press("enter");
            user.at(Step::Namespaces).await;
            user
        })
        .await;
        assert_eq!(exit.code, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn kinds_that_are_not_installed_are_states_and_not_errors() {
    for groups in [
        &["gateway.networking.k8s.io", "monitoring.coreos.com"][..],
        &["networking.istio.io", "security.istio.io"],
    ] {
        let simulation = quick();
        for group in groups {
            simulation.without_group(group);
        }
        let exit = drive(&simulation, Start::default(), |user| async move {
            user.read().await;
            let failed = user.state(|s| {
                let lines = s.cluster.checks.iter();
                lines
                    .filter(|l| l.about == About::Reading)
                    .map(|l| l.found.clone())
                    .collect::<Vec<_>>()
            });
            assert_eq!(failed, [""; 0]);
            user.press("enter enter");
            user.at(Step::Namespaces).await;
            user
        })
        .await;
        assert_eq!(exit.code, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn no_istio_at_all_is_said_with_what_to_do() {
    let simulation = quick();
    simulation.remove("Deployment", "istio-system", "istiod");
    drive(&simulation, Start::default(), |user| async move {
        user.read().await;
        user.until("Istio is missing", |s| {
            s.cluster
                .checks
                .iter()
                .any(|l| l.about == About::Istio && l.check == Check::Bad)
        })
        .await;
        assert!(user.shows("istioctl install"), "{}", user.text());
        user
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_prometheus_that_comes_later_appears_by_itself() {
    let simulation = quick();
    let mut kept: Value = simulation
        .object("Deployment", "istio-system", "prometheus")
        .unwrap();
    for field in [
        "uid",
        "resourceVersion",
        "managedFields",
        "creationTimestamp",
        "generation",
    ] {
        kept["metadata"].as_object_mut().unwrap().remove(field);
    }
    kept.as_object_mut().unwrap().remove("status");
    simulation.remove("Deployment", "istio-system", "prometheus");
    simulation.remove("StatefulSet", "monitoring", "prometheus-k8s");
    let cluster = simulation.clone();
    drive(&simulation, Start::default(), |user| async move {
        user.read().await;
        assert!(
            user.shows("samples/addons/prometheus.yaml"),
            "{}",
            user.text()
        );
        user.press("enter");
        user.at(Step::Prometheus).await;
        user.press("enter");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(user.state(|s| s.step), Step::Prometheus);
        cluster.put(kept);
        user.until("it appears", |s| !s.prometheus.rows.is_empty())
            .await;
        user.press("enter");
        user.at(Step::Namespaces).await;
        user
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_said_and_a_fresh_one_goes_on() {
    let simulation = quick();
    simulation.expire_token(true);
    let cluster = simulation.clone();
    drive(&simulation, Start::default(), |user| async move {
        user.read().await;
        user.sees(LOG_IN_AGAIN).await;
        user.press("enter");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(user.state(|s| s.step), Step::Cluster);
        cluster.expire_token(false);
        user.press("r");
        user.until("the mesh is read", |s| {
            !s.cluster.filling && !s.mesh.workloads.is_empty()
        })
        .await;
        // Midway: what is chosen stays, the review says why it cannot ask.
        user.press("enter enter down down space enter a enter enter");
        user.at(Step::Options).await;
        cluster.expire_token(true);
        user.press("enter");
        user.until("the review has ended", |s| {
            s.step == Step::Review && s.review.done
        })
        .await;
        let counts = user.state(|s| s.review.counts.clone());
        assert!(counts.stopped > 0 && counts.changes == 0, "{counts:?}");
        let chosen = user.state(|s| s.answers.workloads.len());
        assert_eq!(chosen, 1);
        assert!(
            user.text().contains("401")
                || user.text().contains("nauthorized")
                || user.shows("credentials"),
            "{}",
            user.text()
        );
        cluster.expire_token(false);
        user.press("r");
        user.until("it is asked again", |s| {
            s.review.done && s.review.counts.changes > 0
        })
        .await;
        user
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_cannot_be_reached_is_said_and_found_again() {
    let simulation = quick();
    let away = Arc::new(AtomicBool::new(true));
    let gone = Arc::clone(&away);
    simulation.fault(Box::new(move |_| {
        gone.load(Ordering::SeqCst).then_some(Fault::Cut)
    }));
    drive(&simulation, Start::default(), |user| async move {
        user.until("it is said", |s| {
            matches!(s.cluster.connection, Connection::Failed(_))
                || s.cluster
                    .checks
                    .iter()
                    .any(|l| l.check == Check::Bad && l.about == About::Server)
        })
        .await;
        user.sees("press r").await;
        away.store(false, Ordering::SeqCst);
        user.until("no answer is waited for", |s| !s.cluster.filling)
            .await;
        user.press("r");
        user.until("the mesh is read", |s| {
            !s.cluster.filling && !s.mesh.workloads.is_empty()
        })
        .await;
        user
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_grew_too_old_is_begun_anew_and_nothing_is_there_twice() {
    let whole = quick();
    let mut names = Vec::new();
    for broken in [None, Some(410), Some(503)] {
        let simulation = if broken.is_some() {
            quick()
        } else {
            whole.clone()
        };
        if let Some(status) = broken {
            let asked = AtomicUsize::new(0);
            simulation.fault(Box::new(move |request| {
                let list = request.path.starts_with("/api/v1/pods?")
                    || request.path.starts_with("/apis/apps/v1/deployments");
                (list && asked.fetch_add(1, Ordering::SeqCst) < 2).then(|| {
                    Fault::Status(status, "The provided continue parameter is too old".into())
                })
            }));
        }
        drive(&simulation, Start::default(), |user| async {
            user.read().await;
            names.push(user.state(|s| {
                let pods: usize = s.mesh.workloads.iter().map(|w| w.pods.len()).sum();
                let ids: Vec<String> = s.mesh.workloads.iter().map(|w| w.id.to_string()).collect();
                (pods, ids)
            }));
            user
        })
        .await;
    }
    assert!(names[0].0 > 20, "{names:?}");
    assert_eq!(names[0], names[1]);
    assert_eq!(names[0], names[2]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_never_answers_or_is_cut_holds_up_nothing_else() {
    for fault in [Fault::Hang, Fault::CutAfter] {
        let fault_is_cut = fault == Fault::CutAfter;
        let simulation = quick();
        simulation.fault(Box::new(move |request| {
            request.path.contains("envoyfilters").then(|| fault.clone())
        }));
        drive(&simulation, Start::default(), |user| async move {
            user.until("the rest is there", |s| s.mesh.workloads.len() > 10)
                .await;
            user.until("Prometheus is there", |s| {
                s.mesh
                    .prometheus_servers
                    .iter()
                    .any(|p| p.obstacles.is_empty())
            })
            .await;
            assert!(user.state(|s| s.cluster.filling) || fault_is_cut);
            user.press("enter enter");
            user.at(Step::Namespaces).await;
            user.press("down down space esc esc");
            user.at(Step::Cluster).await;
            user.until("the end", |s| !s.cluster.filling).await;
            let said = user.state(checklist);
            assert!(
                said.contains("EnvoyFilters") && said.contains("press r"),
                "{said}"
            );
            assert_eq!(user.state(|s| s.answers.namespaces.len()), 1);
            user
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_read_is_not_taken_for_absent() {
    for (group, resource, word) in [
        ("networking.istio.io", "sidecars", "Sidecars"),
        (
            "security.istio.io",
            "peerauthentications",
            "PeerAuthentications",
        ),
        (
            "security.istio.io",
            "authorizationpolicies",
            "AuthorizationPolicies",
        ),
        ("", "services", "Services"),
    ] {
        let journey = Journey::new();
        journey.simulation.deny("list", group, resource, None);
        let error = journey
            .plan(&choose(&["default/Deployment/httpbin"]))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        // One namespace that may not be read costs that one alone; the root namespace would cost all.
        journey.simulation.allow_all();
        for namespace in journey.simulation.objects("Namespace", "") {
            let name = namespace["metadata"]["name"].as_str().unwrap();
            if !["default", "istio-system"].contains(&name) {
                journey.simulation.deny("list", group, resource, Some(name));
            }
        }
        journey.simulation.deny("list", group, resource, Some(""));
        journey
            .plan(&choose(&["default/Deployment/httpbin"]))
            .await
            .unwrap();
        journey
            .plan(&choose(&["shop/Deployment/cart"]))
            .await
            .unwrap_err();
    }
}
