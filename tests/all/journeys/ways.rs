//! Ways through the screens: back and forth, up to the yes and not beyond, with hostile names on them.

use super::screen::{User, drive, is_unsafe};
use super::writes;
use crate::called::call;
use meshscrape::answers::Answers;
use meshscrape::demo::Simulation;
use meshscrape::wizard::state::{Start, Step};
use meshscrape::world::Demo;
use serde_json::json;
use std::time::Duration;

fn quick() -> Simulation {
    let simulation = Simulation::builtin();
    simulation.quick();
    simulation
}

pub(super) async fn to_the_review(user: &User) {
    user.until("the cluster is read", |s| {
        !s.cluster.filling && !s.mesh.workloads.is_empty()
    })
    .await;
    // The third namespace is default, whose one workload is httpbin.
    user.press("enter enter down down space enter a enter enter enter");
    user.until("the review is whole", |s| {
        s.step == Step::Review && s.review.done
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn up_to_the_yes_nothing_but_questions_is_sent() {
    for read_only in [false, true] {
        let simulation = quick();
        let start = Start {
            read_only,
            ..Start::default()
        };
        drive(&simulation, start, |user| async move {
            to_the_review(&user).await;
            user.press("enter");
            if read_only {
                tokio::time::sleep(Duration::from_secs(5)).await;
                user.press("tab enter");
            } else {
                user.until("it asks for the yes", |s| s.dialog.is_some())
                    .await;
                // The answer that has the focus changes nothing.
                user.press("enter");
            }
            tokio::time::sleep(Duration::from_secs(30)).await;
            assert!(!user.state(|s| s.apply.running));
            user
        })
        .await;
        let sent = simulation.requests();
        assert!(sent.iter().any(|r| r.path.contains("dryRun=All")));
        let wrote: Vec<_> = sent.iter().filter(|r| writes(r)).collect();
        assert!(wrote.is_empty(), "{wrote:#?}");
    }
}

/// Long ones, which are run by name.
mod samples {
    use super::*;

    #[tokio::test(start_paused = true)]
    #[ignore = "long: .ci/run runs it"]
    async fn forty_keys_back_and_forth_lose_no_choice() {
        // A little generator of its own: the same ways every time.
        for seed in 1..=12_u32 {
            let simulation = quick();
            simulation.latency(seed % 2 == 0);
            drive(&simulation, Start::default(), |user| async move {
                to_the_review(&user).await;
                let before: Answers = user.state(|s| s.answers.clone());
                assert_eq!(before.workloads.len(), 1);
                let mut random = seed;
                for _ in 0..40 {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let keys = [
                        "enter", "esc", "esc", "down", "up", "tab", "?", "1", "3", "5", "end",
                        "home", "v", "4",
                    ];
                    let key = keys[(random >> 16) as usize % keys.len()];
                    // Never the yes: a dialog is always left.
                    let asks = user.state(|s| s.dialog.is_some());
                    user.press(if asks || user.state(|s| s.help) {
                        "esc"
                    } else {
                        key
                    });
                    tokio::time::sleep(Duration::from_millis(u64::from(random % 400))).await;
                }
                assert_eq!(user.state(|s| s.answers.clone()), before);
                assert!(!user.state(|s| s.apply.running));
                for _ in 0..12 {
                    user.press("esc");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                user.at(Step::Cluster).await;
                user.press("enter enter enter enter enter enter");
                user.until("the review again", |s| {
                    s.step == Step::Review && s.review.done
                })
                .await;
                assert_eq!(user.state(|s| s.answers.clone()), before);
                user
            })
            .await;
            assert!(simulation.requests().iter().all(|r| !writes(r)));
        }
    }
}

const EVIL: &str = "evil\u{1b}]0;owned\u{7}\u{1b}[31m\u{202e}gnp\u{9b}2J\r\n\u{2066}漢字漢字";

fn hostile() -> Simulation {
    let simulation = quick();
    let long = "w".repeat(300);
    let wide = "漢".repeat(80);
    for name in [EVIL, &long, &wide] {
        simulation.put(json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": format!("a-{name}"), "labels": {"istio-injection": "enabled"}},
        }));
        for namespace in ["default", &format!("a-{name}")] {
            simulation.put(json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
                "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "evil"}}, "template": {
                    "metadata": {"labels": {"app": "evil"}, "annotations": {"note": EVIL}},
                    "spec": {"containers": [{"name": "app", "image": format!("example.com/{name}:1")}]}}},
            }));
        }
    }
    let mut httpbin = simulation
        .object("Deployment", "default", "httpbin")
        .unwrap();
    httpbin["spec"]["template"]["metadata"]["annotations"]["note"] = EVIL.into();
    simulation.put(httpbin);
    simulation
}

#[tokio::test(start_paused = true)]
async fn hostile_names_reach_no_cell_of_the_screen() {
    let simulation = hostile();
    drive(&simulation, Start::default(), |user| async move {
        user.until("the cluster is read", |s| {
            !s.cluster.filling && !s.mesh.workloads.is_empty()
        })
        .await;
        user.press("enter enter");
        user.at(Step::Namespaces).await;
        user.sees("a-evil").await;
        user.press("a enter");
        user.at(Step::Workloads).await;
        user.press("i i a down down down");
        user.sees("evil").await;
        user.press("enter enter");
        user.until("options", |s| {
            s.step == Step::Options && s.options.planned.is_some()
        })
        .await;
        user.press("e down e enter");
        tokio::time::sleep(Duration::from_secs(60)).await;
        user.press("v y k down down end");
        tokio::time::sleep(Duration::from_secs(5)).await;
        user
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn hostile_names_reach_no_output_of_the_commands() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("out").display().to_string();
    for line in [
        "plan -w default/Deployment/httpbin",
        "plan -w default/Deployment/httpbin --json",
        "plan -w default/Deployment/httpbin --yaml",
        "plan -n default",
        "export -n default OUT",
        "status -n default --once",
    ] {
        let simulation = hostile();
        let world = Demo::new(simulation, false);
        let line = line.replace("OUT", &folder);
        let words = format!("meshscrape {line}");
        let called = call(&world, &words).await;
        let mut said = called.out + &called.err;
        if let Err(error) = called.ended {
            said.push_str(&meshscrape::text::clean(&error.to_string()));
        }
        assert!(!said.is_empty(), "{line}");
        let bad: Vec<&str> = said.lines().filter(|l| l.chars().any(is_unsafe)).collect();
        assert!(bad.is_empty(), "{line}: {bad:?}");
    }
}
