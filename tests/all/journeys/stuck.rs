//! Each cause that keeps a rollout from ending, as the cluster shows it, and the words it is told in.

use super::{Journey, choose};
use meshscrape::engine::event::{Ended, Outcome};
use meshscrape::error::Error;
use meshscrape::mesh::kinds::WorkloadRef;
use meshscrape::plan::review::Word;
use meshscrape::problems::Code;
use meshscrape::words::say::engine as say;
use serde_json::{Value, json};
use std::time::Duration;

const HTTPBIN: &str = "default/Deployment/httpbin";
const DATABASE: &str = "orders/StatefulSet/orders-db";
const SHIPPER: &str = "platform/DaemonSet/log-shipper";

/// Edits an object behind everybody's back.
fn edit(journey: &Journey, kind: &str, namespace: &str, name: &str, by: impl Fn(&mut Value)) {
    let mut live = journey.simulation.object(kind, namespace, name).unwrap();
    by(&mut live);
    journey.simulation.put(live);
}

fn of(journey: &Journey, workload: &str, by: impl Fn(&mut Value)) {
    let [namespace, kind, name] = workload.split('/').collect::<Vec<_>>()[..] else {
        panic!("{workload}")
    };
    edit(journey, kind, namespace, name, by);
}

fn fate(journey: &Journey, word: &str) {
    of(journey, HTTPBIN, |live| {
        live["metadata"]["annotations"]["demo.meshscrape.dev/never-ready"] = json!(word);
    });
}

fn full(journey: &Journey, namespace: &str, room: usize) {
    let pods = journey.simulation.objects("Pod", namespace).len();
    journey.simulation.put(json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "team", "namespace": namespace},
        "spec": {"hard": {"pods": (pods - room).to_string()}},
    }));
}

/// Approves the marking of the workload, lets the world change, and writes.
async fn run(workload: &str, then: impl Fn(&Journey)) -> (Journey, Outcome) {
    let journey = Journey::new();
    let outcome = run_on(&journey, workload, then).await;
    (journey, outcome)
}

async fn run_on(journey: &Journey, workload: &str, then: impl Fn(&Journey)) -> Outcome {
    let answers = choose(&[workload]);
    let (selection, plan) = journey.plan(&answers).await.unwrap();
    let review = journey.review(plan, &answers).await;
    let approved = review.approve(Word { lose_history: true }).unwrap();
    then(journey);
    journey.write(approved, &selection, &answers, None).await
}

fn stopped(journey: &Journey, outcome: &Outcome) -> Error {
    match &outcome.ended {
        Ended::PartWay(Some(error)) => error.clone(),
        other => panic!("{other:?} {:#?}", journey.told()),
    }
}

type Change = fn(&Journey);

#[tokio::test(start_paused = true)]
async fn each_cause_stops_the_run_in_its_own_words() {
    let causes: [(&str, Code, Change, &[&str]); 7] = [
        (
            HTTPBIN,
            Code::QuotaUsedUp,
            |journey| full(journey, "default", 0),
            &[
                "ResourceQuota of namespace default is used up",
                "exceeded quota: team, requested: pods=1",
                "describe resourcequota",
            ],
        ),
        (
            HTTPBIN,
            Code::PodSecurityForbids,
            |journey| {
                edit(journey, "Namespace", "", "default", |live| {
                    live["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] =
                        json!("restricted");
                });
            },
            &[
                "Pod Security of namespace default forbids the new pods",
                "violates PodSecurity \"restricted:latest\"",
                "CNI plugin",
            ],
        ),
        (
            HTTPBIN,
            Code::ImageNotPulled,
            |journey| fate(journey, "image"),
            &[
                "of container httpbin in pod httpbin-",
                "cannot be pulled (ImagePullBackOff)",
                "the pull secret",
            ],
        ),
        (
            HTTPBIN,
            Code::ContainerCrashes,
            |journey| fate(journey, "crash"),
            &[
                "httpbin in pod httpbin-",
                "keeps crashing",
                "restarting failed container=httpbin",
                "--previous",
            ],
        ),
        (
            HTTPBIN,
            Code::ContainerNotReady,
            |journey| fate(journey, "true"),
            &["runs, but is not ready: its readiness probe fails"],
        ),
        // The old pod has gone when the quota refuses the new one, and only an event tells of it.
        (
            DATABASE,
            Code::QuotaUsedUp,
            |journey| full(journey, "orders", 1),
            &["ResourceQuota of namespace orders is used up", "pods=1"],
        ),
        (
            SHIPPER,
            Code::QuotaUsedUp,
            |journey| full(journey, "platform", 1),
            &["ResourceQuota of namespace platform is used up", "pods=1"],
        ),
    ];
    for (workload, code, change, says) in causes {
        let (journey, outcome) = run(workload, change).await;
        let error = stopped(&journey, &outcome);
        let said = error.to_string();
        for words in says {
            assert!(crate::tells(&said, code, words), "{words}: {said}");
        }
        let of: WorkloadRef = workload.parse().unwrap();
        assert_eq!(error.what, say::rollout_not_done(&of.object()), "{said}");
        // What would leave the pods out of the old jobs is not written any more.
        assert!(
            outcome
                .not_written
                .iter()
                .any(|id| id.0.ends_with("#plaintext-jobs")),
            "{workload}: {outcome:?}"
        );
        journey.dressed();
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_no_node_takes_is_said_and_goes_on_when_one_does() {
    let journey = Journey::new();
    // A first run, so that Prometheus need not restart in the one that is looked at.
    let first = journey.apply(&choose(&["shop/Deployment/cart"])).await;
    assert_eq!(first.ended, Ended::Whole);
    let cordon = |journey: &Journey, closed: bool| {
        for node in ["node-a", "node-b", "node-c"] {
            edit(journey, "Node", "", node, |live| {
                live["spec"]["unschedulable"] = json!(closed);
            });
        }
    };
    let outcome = run_on(&journey, HTTPBIN, |journey| cordon(journey, true)).await;
    let error = stopped(&journey, &outcome);
    let said = &error.causes[0];
    assert!(
        crate::tells(said, Code::NoNode, "node can run pod httpbin-"),
        "{error}"
    );
    assert!(
        said.contains("0/3 nodes are available: 3 node(s) were unschedulable."),
        "{error}"
    );
    cordon(&journey, false);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let live = journey
        .simulation
        .object("Deployment", "default", "httpbin");
    let status = live.unwrap()["status"].clone();
    assert_eq!(
        (
            &status["updatedReplicas"],
            &status["replicas"],
            &status["availableReplicas"]
        ),
        (&json!(1), &json!(1), &json!(1))
    );
}

/// Long ones, which are run by name.
mod samples {
    use super::*;

    #[tokio::test(start_paused = true)]
    #[ignore = "long: .ci/run runs it"]
    async fn what_waits_for_somebody_is_said_and_the_old_jobs_stay() {
        let mut on_delete = vec![say::ONE_OLD_POD_STAYS.to_owned()];
        on_delete.extend((2..5).map(say::old_pods_stay));
        let causes: [(&str, Change, &[String]); 4] = [
            (
                HTTPBIN,
                |journey| {
                    of(journey, HTTPBIN, |live| {
                        live["spec"]["paused"] = json!(true)
                    })
                },
                &[say::PAUSED.into()],
            ),
            (
                DATABASE,
                |journey| {
                    of(journey, DATABASE, |live| {
                        live["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
                    });
                },
                &on_delete,
            ),
            (
                DATABASE,
                |journey| {
                    of(journey, DATABASE, |live| {
                        live["spec"]["updateStrategy"] =
                            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
                    });
                },
                &[say::first_pod_keeps(1)],
            ),
            (
                SHIPPER,
                |journey| {
                    of(journey, SHIPPER, |live| {
                        live["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
                    });
                },
                &on_delete,
            ),
        ];
        for (workload, change, says) in causes {
            let (journey, outcome) = run(workload, change).await;
            let told = journey.told();
            assert!(
                told.iter()
                    .any(|line| says.iter().any(|of| line.contains(of))),
                "{workload} {says:?}: {told:#?}"
            );
            assert!(!outcome.all_up, "{workload}: {:#?}", outcome.board);
            assert!(
                outcome
                    .not_written
                    .iter()
                    .any(|id| id.0.ends_with("#plaintext-jobs")),
                "{workload}: {outcome:?}"
            );
        }
    }
}
