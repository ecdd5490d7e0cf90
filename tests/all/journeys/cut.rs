//! Ways back that meet a cluster in which Prometheus is gone, and ways back that were cut off.

use super::{Journey, Objects, choose, differing};
use crate::called::{Over, call};
use meshscrape::demo::Simulation;
use meshscrape::engine::event::Ended;
use meshscrape::engine::runs;
use meshscrape::engine::session::{Journal, RunNote};
use meshscrape::engine::undo::plan_undo;
use meshscrape::error::Error;
use meshscrape::plan::record::Entry;
use meshscrape::plan::review::Word;
use meshscrape::words::say::commands::{errors, runs as say};
use meshscrape::words::say::{engine, journal};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const HTTPBIN: &str = "default/Deployment/httpbin";
const HOME: &str = "istio-system";

/// Exit code and words of a command.
pub async fn command(journey: &Journey, args: &str) -> (u8, String) {
    let told = call(&Over(journey.session.clone()), args).await.told();
    journey.dressed();
    told
}

/// All but Prometheus and its configuration, and the records of what could not be taken back whole.
fn left(before: &Objects, journey: &Journey) -> Vec<String> {
    let of = |objects: &Objects| -> Objects {
        let mut objects = objects.clone();
        objects.retain(|name, object| {
            !name.ends_with("istio-system/prometheus")
                && !name.starts_with("Lease ")
                && object["metadata"]["labels"]["meshscrape.dev/record"].is_null()
        });
        objects
    };
    differing(&of(before), &of(&journey.objects()))
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_prometheus_is_gone_is_taken_back_as_far_as_it_stands() {
    let journey = Journey::new();
    let before = journey.objects();
    let outcome = journey
        .apply(&choose(&[HTTPBIN, "shop/Deployment/cart"]))
        .await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
    for kind in ["Deployment", "ConfigMap"] {
        journey.simulation.remove(kind, HOME, "prometheus");
    }
    let begun = Instant::now();
    let (code, words) = command(&journey, "meshscrape undo --yes --lose-history").await;
    assert_eq!(code, 0, "{words}");
    assert!(
        words.contains(&engine::prometheus_is_gone(
            &"istio-system/Deployment/prometheus"
        )),
        "{words}"
    );
    // Nothing waits for a Prometheus that is not there.
    assert!(
        begun.elapsed() < Duration::from_secs(120),
        "{:?}",
        begun.elapsed()
    );
    let left = left(&before, &journey);
    assert!(left.is_empty(), "undo left:\n{}", left.join("\n"));
    let (code, words) = command(&journey, "meshscrape undo --yes --lose-history").await;
    assert_eq!(code, 1, "{words}");
    assert!(words.contains(journal::NO_RUN_TO_UNDO), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_prometheus_that_goes_in_the_middle_of_the_way_back_does_not_hold_it_up() {
    let journey = Journey::new();
    let before = journey.objects();
    journey.apply(&choose(&[HTTPBIN])).await;
    let simulation = journey.simulation.clone();
    let gone = tokio::spawn(async move {
        let annotated = |simulation: &Simulation| {
            let live = simulation
                .object("Deployment", "default", "httpbin")
                .unwrap();
            let template = &live["spec"]["template"]["metadata"]["annotations"];
            !template["prometheus.istio.io/secure-port"].is_null()
        };
        while annotated(&simulation) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for kind in ["Deployment", "ConfigMap"] {
            simulation.remove(kind, HOME, "prometheus");
        }
    });
    let (code, words) = command(&journey, "meshscrape undo --yes --lose-history").await;
    gone.await.unwrap();
    // The rest of the run is the next undo's.
    assert!(
        code == 0 || words.contains(&errors::hint("")),
        "{code}\n{words}"
    );
    if code != 0 {
        let (code, words) = command(&journey, "meshscrape undo --yes --lose-history").await;
        assert_eq!(code, 0, "{words}");
    }
    let left = left(&before, &journey);
    assert!(left.is_empty(), "undo left:\n{}", left.join("\n"));
}

/// Starts to take the newest run back, and is cut off when the annotation is gone.
async fn cut_off(journey: &Journey) {
    let answers = choose(&[HTTPBIN]);
    let (selection, _) = journey.plan(&answers).await.unwrap();
    let undo = plan_undo(&journey.session, &[HOME.into()], None, &[])
        .await
        .unwrap();
    let review = journey.review(undo.plan.clone(), &answers).await;
    let approved = review.approve(Word { lose_history: true }).unwrap();
    let running = journey.write(approved, &selection, &answers, Some(undo.run));
    tokio::select! {
        _ = running => panic!("it ended before it was cut off"),
        () = async {
            while journey.simulation.object("Sidecar", "default", "meshscrape-httpbin").is_some() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        } => {}
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_was_cut_off_is_told_as_one_and_goes_on() {
    let journey = Journey::new();
    let before = journey.objects();
    journey.apply(&choose(&[HTTPBIN])).await;
    let run = journey.session.journal.runs().unwrap()[0].run.clone();
    cut_off(&journey).await;
    let found = runs::unfinished(&journey.session, &[HOME.into()]).await;
    let found = found.unwrap().expect("the undo that was cut off");
    assert_eq!(found.known.note.run, run);
    let undo = found.undo.clone().expect("it is an undo");
    assert_eq!(undo.undoes.as_ref(), Some(&run));
    let (after, back, other) = found.counts();
    assert!(after > 0 && back > 0 && other == 0, "{found:?}");

    // A start of another command tells it, and to go on with a run is not to go on with an undo.
    let (_, words) = command(&journey, &format!("meshscrape apply -w {HTTPBIN}")).await;
    assert!(words.contains(&found.words()), "{words}");
    assert!(words.contains(&say::undo_or_apply_again(&run)), "{words}");
    let (code, words) = command(&journey, "meshscrape apply --resume --yes").await;
    assert_eq!(code, 1, "{words}");
    assert!(words.contains(say::INTERRUPTED_IS_UNDO), "{words}");

    let (code, words) = command(&journey, "meshscrape undo --yes --lose-history").await;
    assert_eq!(code, 0, "{words}");
    let left = differing(&before, &journey.objects());
    assert!(left.is_empty(), "undo left:\n{}", left.join("\n"));
    let found = runs::unfinished(&journey.session, &[HOME.into()]).await;
    assert!(found.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_was_cut_off_can_be_turned_round() {
    let journey = Journey::new();
    let answers = choose(&[HTTPBIN]);
    journey.apply(&answers).await;
    let run = journey.session.journal.runs().unwrap()[0].run.clone();
    cut_off(&journey).await;
    let again = format!("meshscrape apply --resume {run} --yes --lose-history");
    let (code, words) = command(&journey, &again).await;
    assert_eq!(code, 0, "{words}");
    journey.nothing_to_change(&answers).await;
    let found = runs::unfinished(&journey.session, &[HOME.into()]).await;
    assert!(found.unwrap().is_none(), "the newer run came to its end");
}

/// Counts how often runs are read.
struct Counting {
    inner: Arc<dyn Journal>,
    lists: AtomicUsize,
    reads: AtomicUsize,
}

impl Journal for Counting {
    fn append(&self, entry: &Entry) -> Result<(), Error> {
        self.inner.append(entry)
    }

    fn run(&self, run: Option<&str>) -> Result<Vec<Entry>, Error> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.run(run)
    }

    fn runs(&self) -> Result<Vec<RunNote>, Error> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        self.inner.runs()
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_of_runs_reads_each_of_them_once() {
    let mut journey = Journey::new();
    for workload in [HTTPBIN, "shop/Deployment/cart"] {
        journey.apply(&choose(&[workload])).await;
    }
    let counting = Arc::new(Counting {
        inner: Arc::clone(&journey.session.journal),
        lists: AtomicUsize::new(0),
        reads: AtomicUsize::new(0),
    });
    journey.session.journal = Arc::clone(&counting) as Arc<dyn Journal>;
    let (known, _) = runs::known(&journey.session, &[HOME.into()]).await.unwrap();
    assert_eq!(known.len(), 2);
    let me = journey.session.who.to_string();
    assert!(
        known.iter().all(|run| run.note.by.as_ref() == Some(&me)),
        "{known:?}"
    );
    let count = |of: &AtomicUsize| of.load(Ordering::SeqCst);
    assert_eq!((count(&counting.lists), count(&counting.reads)), (1, 0));
}

/// A process of this machine that was killed while it held the lock there. No process has so high a number.
fn dead_lock(journey: &Journey, namespace: &str) {
    let mut dead = journey.session.who.clone();
    dead.pid = i32::MAX as u32;
    let holder = dead.holder();
    journey.simulation.put(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "meshscrape", "namespace": namespace},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 30},
    }));
}

#[tokio::test(start_paused = true)]
async fn a_killed_runs_lock_is_given_back_where_the_command_is_about_its_prometheus() {
    let journey = Journey::new();
    journey.apply(&choose(&[HTTPBIN])).await;
    let locks = || {
        let stands = |namespace: &&str| {
            let lease = journey.simulation.object("Lease", namespace, "meshscrape");
            lease.is_some()
        };
        let homes = [HOME, "monitoring"];
        homes.into_iter().filter(stands).collect::<Vec<_>>()
    };
    for home in [HOME, "monitoring"] {
        dead_lock(&journey, home);
    }
    let again = format!("meshscrape apply -w {HTTPBIN} --yes");
    let (code, words) = command(&journey, &again).await;
    assert_eq!(code, 0, "{words}");
    assert!(words.contains(&engine::lock_released(HOME)), "{words}");
    assert_eq!(locks(), ["monitoring"], "{words}");
    let (code, words) = command(&journey, "meshscrape undo --yes --lose-history").await;
    assert_eq!(code, 0, "{words}");
    assert_eq!(locks(), ["monitoring"], "{words}");
}
