//! Two clusters that their kubeconfigs call the same: a run belongs to the one in which it was made.

use super::{WEB, World};
use meshscrape::engine::session::Journal;
use meshscrape::journal::MemoryJournal;
use meshscrape::mesh::kinds::{Kind, ObjectRef};
use meshscrape::plan::record::Entry;
use meshscrape::plan::undo::{NoteKind, UndoNote};
use meshscrape::words::say::commands::runs as say;
use meshscrape::words::say::engine;
use serde_json::Value;
use std::sync::Arc;

const APPLY: &str = "apply -w shop/Deployment/web --yes";

async fn applied() -> World {
    let world = World::of(WEB);
    let (code, words) = world.call(APPLY).await.told();
    assert_eq!(code, 0, "{words}");
    world
}

/// The program on another cluster, with this machine's journal.
fn with_journal_of(mut other: World, machine: &World) -> World {
    other.session.journal = Arc::clone(&machine.session.journal);
    other
}

fn uid(world: &World) -> String {
    let space = world.simulation.object("Namespace", "", "kube-system");
    space.unwrap()["metadata"]["uid"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn run(world: &World) -> String {
    world.session.journal.runs().unwrap()[0].run.clone()
}

/// What an undo would take away.
fn ours(world: &World) -> (usize, bool) {
    let config = world
        .simulation
        .object("ConfigMap", "istio-system", "prometheus");
    let job = config.unwrap()["data"]["prometheus.yml"]
        .as_str()
        .unwrap()
        .contains("istio-secure-merged-metrics");
    (world.simulation.objects("Sidecar", "").len(), job)
}

/// As an older version wrote it: without the cluster's identity.
fn forget_cluster(world: &mut World) {
    let old = MemoryJournal::new();
    for mut line in world.session.journal.run(None).unwrap() {
        if let Entry::Started { cluster, .. } = &mut line {
            *cluster = None;
        }
        old.append(&line).unwrap();
    }
    world.session.journal = Arc::new(old);
    // The record in the cluster knows it too.
    for secret in world.simulation.objects("Secret", "istio-system") {
        let name = secret["metadata"]["name"].as_str().unwrap();
        world.simulation.remove("Secret", "istio-system", name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_of_another_cluster_is_neither_taken_back_nor_called_undone() {
    let first = applied().await;
    assert_ne!(uid(&first), uid(&World::of(WEB)));
    for second in [applied().await, World::of(WEB)] {
        let second = with_journal_of(second, &first);
        let stood = ours(&second);
        for args in ["undo --yes", &format!("undo {} --yes", run(&first))] {
            let (code, words) = second.call(args).await.told();
            assert_eq!(code, 4, "{args}: {words}");
            assert!(
                words.contains(&uid(&first)) && words.contains(&uid(&second)),
                "{words}"
            );
            assert_eq!(ours(&second), stood, "{args}: {words}");
        }
        // No word helps against what is known.
        let args = format!("undo {} --yes --this-cluster", run(&first));
        assert_eq!(second.call(&args).await.told().0, 4);
    }
    let (code, words) = first.call("undo --yes").await.told();
    assert_eq!(code, 0, "{words}");
    assert_eq!(ours(&first), (0, false));
}

#[tokio::test(start_paused = true)]
async fn without_a_name_the_newest_run_of_this_cluster_is_meant() {
    let first = applied().await;
    let second = with_journal_of(World::of(WEB), &first);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let (code, words) = second.call(APPLY).await.told();
    assert_eq!(code, 0, "{words}");
    // Nor is another cluster's run offered as one that was cut off, or stands in the way of an older one.
    let (code, words) = first.call("undo --yes").await.told();
    assert_eq!(code, 0, "{words}");
    assert_eq!((ours(&first), ours(&second)), ((0, false), (1, true)));
    let (code, words) = second.call("undo --yes").await.told();
    assert_eq!(code, 0, "{words}");
    assert_eq!(ours(&second), (0, false));
}

#[tokio::test(start_paused = true)]
async fn a_run_of_another_cluster_is_not_gone_on_with() {
    let first = applied().await;
    let second = with_journal_of(World::of(WEB), &first);
    let args = format!("apply --resume {} --yes", run(&first));
    let (code, words) = second.call(&args).await.told();
    assert_eq!(code, 4, "{words}");
    assert!(words.contains(&uid(&first)), "{words}");
    assert_eq!(ours(&second), (0, false));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_does_not_say_its_cluster_takes_the_users_word() {
    let mut first = applied().await;
    forget_cluster(&mut first);
    let stood = ours(&first);
    let (code, words) = first.call("undo --yes").await.told();
    assert_eq!(code, 4, "{words}");
    assert!(words.contains(engine::CONFIRM_THE_CLUSTER), "{words}");
    assert_eq!(ours(&first), stood);

    // By a wrong word nothing is found, and nothing is called undone.
    let second = with_journal_of(World::of(WEB), &first);
    let (code, words) = second.call("undo --yes --this-cluster").await.told();
    assert_eq!(code, 0, "{words}");
    assert!(
        words.contains(&say::not_recorded_as_undone(&run(&first))),
        "{words}"
    );
    let third = with_journal_of(applied().await, &first);
    let stood = ours(&third);
    let (_, words) = third.call("undo --yes --this-cluster").await.told();
    assert_eq!(ours(&third), stood, "{words}");

    let (code, words) = first.call("undo --yes --this-cluster").await.told();
    assert_eq!(code, 0, "{words}");
    assert_eq!(ours(&first), (0, false));
    let note = &first.session.journal.runs().unwrap();
    let undone = note.iter().find(|note| note.undoes.is_none()).unwrap();
    assert_eq!(undone.how.as_deref(), Some("undone"));
}

#[tokio::test(start_paused = true)]
async fn where_kube_system_may_not_be_read_an_undo_takes_the_users_word() {
    let world = applied().await;
    world.simulation.deny("get", "", "namespaces", None);
    let (code, words) = world.call("undo --yes").await.told();
    assert_eq!(code, 4, "{words}");
    assert!(
        words.contains("kube-system") && words.contains(engine::CONFIRM_THE_CLUSTER),
        "{words}"
    );
    let (code, words) = world.call("undo --yes --this-cluster").await.told();
    assert_eq!(code, 0, "{words}");
    assert_eq!(ours(&world), (0, false));
}

#[tokio::test(start_paused = true)]
async fn where_kube_system_may_not_be_read_a_run_says_that_its_record_lacks_the_cluster() {
    let world = World::of(WEB);
    world.simulation.deny("get", "", "namespaces", None);
    let (code, words) = world.call(APPLY).await.told();
    assert_eq!(code, 0, "{words}");
    let unrecorded = engine::cluster_not_recorded(&"");
    assert!(words.contains(&unrecorded), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_configmap_that_was_made_anew_keeps_its_text() {
    let world = applied().await;
    let mut map = world
        .simulation
        .object("ConfigMap", "istio-system", "prometheus")
        .unwrap();
    world
        .simulation
        .remove("ConfigMap", "istio-system", "prometheus");
    map["metadata"] = serde_json::json!({"name": "prometheus", "namespace": "istio-system"});
    world.simulation.put(map);
    let (code, words) = world.call("undo --yes").await.told();
    assert_eq!(code, 0, "{words}");
    assert_eq!(ours(&world), (0, true), "{words}");
    let note = UndoNote {
        object: ObjectRef::new(Kind::ConfigMap, "istio-system", "prometheus"),
        what: NoteKind::Successor,
    };
    assert!(
        words.contains(&meshscrape::words::undo_note(&note)),
        "{words}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_list_of_runs_says_which_were_made_in_another_cluster() {
    let first = applied().await;
    let second = with_journal_of(World::of(WEB), &first);
    for (world, here) in [(&first, true), (&second, false)] {
        let called = world.call("undo --list --json").await;
        let list: Value = serde_json::from_str(&called.out).unwrap();
        assert_eq!(list["runs"][0]["thisCluster"], here, "{list}");
        assert_eq!(list["runs"][0]["cluster"], uid(&first), "{list}");
        let (_, words) = world.call("undo --list").await.told();
        assert_eq!(
            words.contains(&say::of_another_cluster(say::HERE)),
            !here,
            "{words}"
        );
    }
}
