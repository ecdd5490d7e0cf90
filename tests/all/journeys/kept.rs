//! The lock and the record of a run in the cluster: two at once, other machines, missing permissions.

use super::cut::command;
use super::{Journey, choose, differing};
use meshscrape::answers::Answers;
use meshscrape::engine::event::{Ended, Outcome};
use meshscrape::engine::runs;
use meshscrape::engine::session::Journal;
use meshscrape::engine::undo::plan_undo;
use meshscrape::journal::{FileJournal, MemoryJournal, copy};
use meshscrape::plan::Part;
use meshscrape::plan::record::{Entry, Who};
use meshscrape::plan::review::{ItemState, LeftOut, Word};
use meshscrape::problems::Problem;
use meshscrape::words::say::commands::runs as say;
use meshscrape::words::say::{engine, journal};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const HOME: &str = "istio-system";

/// The same cluster from another machine, whose journal is empty.
fn elsewhere(journey: &Journey) -> Journey {
    let mut other = Journey::over(journey.simulation.clone());
    other.session.journal = Arc::new(MemoryJournal::new());
    other.session.who = Who {
        user: "ada".into(),
        host: "elsewhere".into(),
        pid: 7,
        program: "0".into(),
        ..Who::default()
    };
    other
}

fn lease(journey: &Journey) -> Option<Value> {
    journey.simulation.object("Lease", HOME, "meshscrape")
}

fn records(journey: &Journey) -> Vec<Value> {
    let mut secrets = journey.simulation.objects("Secret", HOME);
    secrets.retain(|s| s["metadata"]["labels"]["meshscrape.dev/run"].is_string());
    secrets
}

fn put_lease(journey: &Journey, holder: &str) {
    journey.simulation.put(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "meshscrape", "namespace": HOME},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 30,
            "acquireTime": "2001-01-01T00:00:00.000000Z", "renewTime": "2001-01-01T00:00:00.000000Z"},
    }));
}

#[tokio::test(start_paused = true)]
async fn a_yes_without_a_name_takes_back_no_run_of_another_machine() {
    let journey = Journey::new();
    let before = journey.objects();
    journey
        .apply(&choose(&["default/Deployment/httpbin"]))
        .await;
    let applied = journey.objects();
    let other = elsewhere(&journey);
    let (code, words) = command(&other, "meshscrape undo --yes --lose-history").await;
    assert_eq!(code, 4, "{words}");
    assert!(words.contains(say::NO_OWN_RUN), "{words}");
    assert_eq!(differing(&applied, &journey.objects()), [] as [String; 0]);
    let run = records(&journey)[0]["metadata"]["labels"]["meshscrape.dev/run"].clone();
    let run = run.as_str().unwrap();
    assert!(words.contains(&say::review_then_name(run)), "{words}");
    let named = format!("meshscrape undo {run} --yes --lose-history");
    let (code, words) = command(&other, &named).await;
    assert_eq!(code, 0, "{words}");
    assert_eq!(differing(&before, &journey.objects()), [] as [String; 0]);
}

async fn apply_anyway(journey: &Journey, of: &str) -> Outcome {
    journey.apply(&choose(&[of])).await
}

#[tokio::test(start_paused = true)]
async fn a_run_leaves_its_record_and_no_lock_and_its_undo_leaves_nothing() {
    let journey = Journey::new();
    let answers = choose(&["default/Deployment/httpbin"]);
    let before = journey.objects();
    let outcome = journey.apply(&answers).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
    assert_eq!(lease(&journey), None);
    let secrets = records(&journey);
    assert_eq!(secrets.len(), 1);
    let (lines, torn) = copy::entries(&secrets);
    assert_eq!(torn, None);
    let local = journey.session.journal.run(None).unwrap();
    assert_eq!(lines, local, "the record is the journal");
    assert!(
        matches!(&lines[0], Entry::Started { answers: Some(kept), by: Some(_), .. } if **kept == answers),
        "{:?}",
        lines[0]
    );
    journey.undo(&answers).await;
    let left = differing(&before, &journey.objects());
    assert!(left.is_empty(), "undo left:\n{}", left.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn another_machine_takes_a_run_back() {
    let journey = Journey::new();
    let answers = choose(&["default/Deployment/httpbin"]);
    let before = journey.objects();
    journey.apply(&answers).await;

    let mut other = elsewhere(&journey);
    let folder = tempfile::tempdir().unwrap();
    let files = Arc::new(FileJournal::at(folder.path().join("journal")));
    other.session.journal = Arc::clone(&files) as _;
    let (known, _) = runs::known(&other.session, &[HOME.into()]).await.unwrap();
    assert_eq!(known.len(), 1);
    assert!(known[0].in_cluster && !known[0].here);
    let (undo, outcome) = other.undo(&answers).await;
    assert!(
        undo.warnings
            .iter()
            .any(|w| w.contains(engine::NO_RECORD_HERE)),
        "{:?}",
        undo.warnings
    );
    assert_eq!(outcome.ended, Ended::Whole);
    let left = differing(&before, &journey.objects());
    assert!(left.is_empty(), "undo left:\n{}", left.join("\n"));
    let runs = files.runs().unwrap();
    assert!(
        runs.len() == 1 && runs[0].undoes.is_some() && runs[0].how.as_deref() == Some("whole"),
        "{runs:?}"
    );
    let told = other.told().join("\n");
    let unwritten = journal::journal_not_written(&files.folder().display());
    assert!(!told.contains(&unwritten), "{told}");
}

/// The machine goes away after some writes: no line of the journal but those in the cluster is left.
async fn cut_off(journey: &Journey, answers: &Answers) {
    let (selection, plan) = journey.plan(answers).await.unwrap();
    let review = journey.review(plan, answers).await;
    let approved = review.approve(Word { lose_history: true }).unwrap();
    let running = journey.write(approved, &selection, answers, None);
    tokio::select! {
        _ = running => panic!("it ended before it was cut off"),
        () = async {
            while journey.simulation.object("Sidecar", "default", "meshscrape-httpbin").is_none() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        } => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_cut_off_is_taken_back_from_its_plan() {
    let journey = Journey::new();
    let answers = choose(&["default/Deployment/httpbin"]);
    let before = journey.objects();
    cut_off(&journey, &answers).await;
    assert!(
        lease(&journey).is_some(),
        "nobody was there to give it back"
    );
    let other = elsewhere(&journey);
    let (_, outcome) = other.undo(&answers).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", other.told());
    let left = differing(&before, &journey.objects());
    assert!(left.is_empty(), "undo left:\n{}", left.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_second_run_is_told_who_is_at_work_and_writes_nothing() {
    let journey = Journey::new();
    put_lease(&journey, "ada@elsewhere/7");
    let simulation = journey.simulation.clone();
    // Ada's program is at work: it renews.
    let ada = tokio::spawn(async move {
        for at in 1.. {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let mut lease = simulation.object("Lease", HOME, "meshscrape").unwrap();
            lease["spec"]["renewTime"] = json!(format!("2001-01-01T00:00:{:02}.000000Z", at % 60));
            simulation.put(lease);
        }
    });
    let before = journey.objects();
    let outcome = apply_anyway(&journey, "default/Deployment/httpbin").await;
    ada.abort();
    let Ended::PartWay(Some(error)) = &outcome.ended else {
        panic!("{:?}", outcome.ended)
    };
    let words = error.to_string();
    assert!(
        words.contains("ada@elsewhere/7")
            && words.contains("2001-01-01")
            && words.contains(engine::BREAK_ITS_LOCK),
        "{words}"
    );
    assert_eq!(outcome.written, []);
    let mut after = journey.objects();
    // The lease alone has moved, by its holder.
    after.retain(|name, _| !name.contains("Lease"));
    let mut before = before;
    before.retain(|name, _| !name.contains("Lease"));
    assert_eq!(differing(&before, &after), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_nobody_renews_falls_whatever_its_times_say() {
    let journey = Journey::new();
    put_lease(&journey, "ada@elsewhere/7");
    let outcome = apply_anyway(&journey, "default/Deployment/httpbin").await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
    assert_eq!(lease(&journey), None);
    let told = journey.told().join("\n");
    assert!(told.contains("ada@elsewhere/7"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_dead_process_of_this_machine_holds_no_lock() {
    let journey = Journey::new();
    // No process can have this number: the kernel's largest is below.
    let dead = Who {
        pid: i32::MAX as u32,
        nonce: "of another".into(),
        ..journey.session.who.clone()
    };
    put_lease(&journey, &dead.holder());
    let begun = tokio::time::Instant::now();
    let outcome = apply_anyway(&journey, "default/Deployment/httpbin").await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
    let told = journey.told().join("\n");
    assert!(!told.contains(&dead.pid.to_string()), "{told}");
    assert!(begun.elapsed() < Duration::from_secs(600));
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_secrets_and_leases_a_run_goes_on_and_says_so() {
    let journey = Journey::new();
    journey.simulation.deny("create", "", "secrets", None);
    journey
        .simulation
        .deny("create", "coordination.k8s.io", "leases", None);
    let answers = choose(&["default/Deployment/httpbin"]);
    let (selection, plan) = journey.plan(&answers).await.unwrap();
    let review = journey.review(plan, &answers).await;
    let rows: Vec<_> = review
        .plan
        .changes
        .iter()
        .filter(|change| change.part == Part::Journal)
        .map(|change| review.state(&change.id).unwrap())
        .collect();
    assert!(
        rows.len() == 2
            && rows
                .iter()
                .all(|r| matches!(r, ItemState::LeftOut(LeftOut::NotTaken(_)))),
        "{rows:?}"
    );
    let warnings: Vec<String> = review.warnings().into_iter().map(|w| w.1).collect();
    assert!(
        warnings
            .iter()
            .any(|w| w.contains("only this machine keeps the record"))
    );
    let approved = review.approve(Word { lose_history: true }).unwrap();
    let outcome = journey.write(approved, &selection, &answers, None).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
    assert_eq!(records(&journey), [json!(null); 0]);
}

#[tokio::test(start_paused = true)]
async fn a_broken_lock_stops_the_run_that_held_it() {
    let journey = Journey::new();
    let simulation = journey.simulation.clone();
    let thief = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if let Some(mut lease) = simulation.object("Lease", HOME, "meshscrape") {
                lease["spec"]["holderIdentity"] = json!("ada@elsewhere/7");
                simulation.put(lease);
                return;
            }
        }
    });
    let outcome = apply_anyway(&journey, "default/Deployment/httpbin").await;
    thief.await.unwrap();
    let lost = engine::acquired_by_another(&"Lease istio-system/meshscrape");
    assert!(
        matches!(&outcome.ended, Ended::PartWay(Some(error)) if error.what == lost),
        "{:?}",
        outcome.ended
    );
    assert!(lease(&journey).is_some(), "it is ada's");
}

#[tokio::test(start_paused = true)]
async fn a_plan_with_nothing_to_change_has_nothing_to_keep() {
    let journey = Journey::new();
    let answers = choose(&["default/Deployment/httpbin"]);
    journey.apply(&answers).await;
    journey.nothing_to_change(&answers).await;
}

#[tokio::test]
async fn a_large_record_is_split_and_read_back() {
    let journey = Journey::new();
    let answers = choose(&["default/Deployment/httpbin"]);
    let line = Entry::Started {
        version: 1,
        run: "r".into(),
        at: jiff::Timestamp::UNIX_EPOCH,
        context: "c".repeat(1000),
        cluster: None,
        undoes: None,
        prometheus: None,
        answers: Some(Box::new(answers)),
        by: None,
    };
    let lines = vec![line; 2000];
    let texts = copy::append(Vec::new(), "r", &lines).unwrap();
    let secret = |(part, text): (usize, &String)| copy::secret(HOME, "r", part, text);
    let mut secrets: Vec<Value> = texts.iter().enumerate().map(secret).collect();
    assert!(secrets.len() > 2, "{}", secrets.len());
    for secret in &secrets {
        assert!(secret.to_string().len() < 1_400_000);
    }
    // More lines leave every text but the last as it is.
    let more = copy::append(texts.clone(), "r", &lines).unwrap();
    let full = texts.len() - 1;
    assert_eq!(texts[..full], more[..full]);
    assert!(more[full].starts_with(&texts[full]));
    secrets.reverse();
    assert_eq!(copy::entries(&secrets), (lines.clone(), None));
    secrets.remove(1);
    let (read, torn) = copy::entries(&secrets);
    let last = secrets[0]["metadata"]["name"].as_str().unwrap();
    assert!(read.len() < lines.len() && torn == Some(journal::part_is_missing(last)));
    let undo = plan_undo(&journey.session, &[HOME.into()], Some("r"), &[]).await;
    assert_eq!(undo.unwrap_err().what, journal::no_such_run("r"));
}

#[tokio::test(start_paused = true)]
async fn a_read_only_session_begins_nothing() {
    let journey = Journey::new();
    let answers = choose(&["default/Deployment/httpbin"]);
    let (selection, plan) = journey.plan(&answers).await.unwrap();
    let review = journey.review(plan, &answers).await;
    let approved = review.approve(Word { lose_history: true }).unwrap();
    let mut closed = Journey::over(journey.simulation.clone());
    closed.session.cluster.read_only = true;
    let outcome = closed.write(approved, &selection, &answers, None).await;
    assert!(
        matches!(&outcome.ended, Ended::PartWay(Some(error)) if error.what == engine::NOT_WRITTEN_READ_ONLY),
        "{:?}",
        outcome.ended
    );
    assert_eq!(closed.session.journal.runs().unwrap(), []);
}

/// A mesh-wide Sidecar would stand in the root namespace: where that alone may not be read, whether there is one is
/// not known, which is not the same as none.
#[tokio::test(start_paused = true)]
async fn a_root_namespace_that_may_not_be_read_keeps_workloads_from_being_chosen() {
    let journey = Journey::new();
    let simulation = &journey.simulation;
    for place in ["", HOME] {
        simulation.deny("list", "networking.istio.io", "sidecars", Some(place));
    }
    let mesh = journey.mesh().await;
    let httpbin = mesh
        .workloads
        .iter()
        .find(|w| w.id.to_string() == "default/Deployment/httpbin")
        .unwrap();
    assert!(
        matches!(
            &httpbin.obstacles[..],
            [Problem::GovernedByUnread { why, .. }, ..] if why.contains("istio-system")
        ),
        "{:?}",
        httpbin.obstacles
    );
    let error = journey.plan(&choose(&["default/Deployment/httpbin"])).await;
    assert!(error.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_resume_without_a_name_goes_on_with_no_run_of_another_machine() {
    let journey = Journey::new();
    let answers = choose(&["default/Deployment/httpbin"]);
    cut_off(&journey, &answers).await;
    let there = journey.objects();
    let other = elsewhere(&journey);
    let (code, words) = command(&other, "meshscrape apply --resume --yes --lose-history").await;
    assert_eq!(code, 1, "{words}");
    assert!(words.contains(say::NOTHING_TO_RESUME_HERE), "{words}");
    assert_eq!(differing(&there, &journey.objects()), [] as [String; 0]);
    let run = journey.session.journal.runs().unwrap()[0].run.clone();
    let named = format!("meshscrape apply --resume {run} --yes --lose-history");
    assert!(words.contains(&say::resume_by_id(&run)), "{words}");
    // The killed process's lock falls when nobody renews it.
    let (code, words) = command(&other, &named).await;
    assert_eq!(code, 0, "{words}");
}
