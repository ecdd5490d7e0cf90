//! A journal on this machine that was cut, edited or taken away, and places where none can be kept.

use super::cut::command;
use super::{Journey, Objects, choose, differing, writes};
use meshscrape::engine::event::Ended;
use meshscrape::journal::FileJournal;
use meshscrape::words::say::{engine as say, journal};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const HTTPBIN: &str = "default/Deployment/httpbin";
const UNDO: &str = "meshscrape undo --yes --lose-history";

/// A user whose runs are kept in files.
fn on_disk() -> (tempfile::TempDir, Journey) {
    let folder = tempfile::tempdir().unwrap();
    let mut journey = Journey::new();
    journey.session.journal = Arc::new(FileJournal::at(folder.path().join("demo")));
    (folder, journey)
}

/// The same machine after the program was started anew.
fn started_anew(journey: &mut Journey, folder: &Path) {
    journey.session.journal = Arc::new(FileJournal::at(folder.join("demo")));
}

fn file(folder: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(folder.join("demo"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .collect();
    files.sort();
    files.pop().unwrap()
}

fn without_records(mut objects: Objects) -> Objects {
    objects.retain(|_, object| object["metadata"]["labels"]["meshscrape.dev/record"].is_null());
    objects
}

fn take_records(journey: &Journey) {
    for secret in journey.simulation.objects("Secret", "istio-system") {
        if secret["metadata"]["labels"]["meshscrape.dev/record"].is_string() {
            let name = secret["metadata"]["name"].as_str().unwrap();
            journey.simulation.remove("Secret", "istio-system", name);
        }
    }
}

/// Damages the file of a whole run, and takes the run back.
async fn taken_back(what: &str, damage: impl Fn(&str) -> Vec<u8>) -> (String, PathBuf) {
    let (folder, mut journey) = on_disk();
    let before = journey.objects();
    let outcome = journey.apply(&choose(&[HTTPBIN])).await;
    assert_eq!(outcome.ended, Ended::Whole, "{:#?}", journey.told());
    let path = file(folder.path());
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, damage(&text)).unwrap();
    started_anew(&mut journey, folder.path());
    let (code, words) = command(&journey, UNDO).await;
    assert_eq!(code, 0, "{what}:\n{words}");
    let left = differing(&before, &journey.objects());
    assert!(
        left.is_empty(),
        "{what}, left:\n{}\n{words}",
        left.join("\n")
    );
    (words, path)
}

/// Long ones, which are run by name.
mod samples {
    use super::*;

    /// A file that lost its end, at any place: the record in the cluster has what it lacks.
    #[tokio::test(start_paused = true)]
    #[ignore = "long: .ci/run runs it"]
    async fn a_journal_that_was_cut_loses_no_write() {
        for part in [1, 3, 5, 7, 9] {
            let what = format!("cut at {part} tenths");
            taken_back(&what, |text| {
                // A line is longer than this, so that it is cut in its middle.
                let at = text.len() * part / 10;
                let at = at + usize::from(text.as_bytes()[at - 1] == b'\n') * 5;
                text.as_bytes()[..at].to_vec()
            })
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_from_which_lines_were_taken_loses_no_write() {
    let (words, _) = taken_back("every third line taken", |text| {
        let lines = text.lines().enumerate();
        let kept: Vec<&str> = lines
            .filter(|(at, _)| at % 3 != 1)
            .map(|(_, l)| l)
            .collect();
        (kept.join("\n") + "\n").into_bytes()
    })
    .await;
    let lost = |writes| words.contains(&say::recorded_only_in_the_cluster(writes));
    assert!((1..100).any(lost), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_journal_edited_beyond_reading_gives_way_to_the_record_in_the_cluster() {
    let (words, path) = taken_back("line 3 is no JSON", |text| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines[2] = "{\"entry\": oops";
        (lines.join("\n") + "\n").into_bytes()
    })
    .await;
    let run = path.file_stem().unwrap().to_str().unwrap();
    let damaged = journal::line_is_damaged(&path.display(), 3);
    let instead = say::read_from_the_cluster(run, &damaged);
    assert!(words.contains(&instead), "{words}");
}

/// Without the cluster's record a damaged file is an error that names the line, and nothing is written; nor is an
/// older run taken back in its place.
#[tokio::test(start_paused = true)]
async fn a_damaged_journal_alone_is_one_clear_error() {
    let (folder, mut journey) = on_disk();
    journey.apply(&choose(&["shop/Deployment/cart"])).await;
    let older = file(folder.path());
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    journey.apply(&choose(&[HTTPBIN])).await;
    take_records(&journey);
    let path = file(folder.path());
    assert_ne!(path, older);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\n{", "\n(", 1)).unwrap();
    started_anew(&mut journey, folder.path());
    let stands = without_records(journey.objects());
    let (code, words) = command(&journey, UNDO).await;
    assert_eq!(code, 1, "{words}");
    let damaged = journal::line_is_damaged(&path.display(), 2);
    assert!(words.contains(&damaged), "{words}");
    assert!(words.contains(journal::FIX_THE_LINE), "{words}");
    let left = differing(&stands, &without_records(journey.objects()));
    assert!(left.is_empty(), "{}", left.join("\n"));
    // The older one can still be had by its name; it says what rests on it.
    let name = older.file_stem().unwrap().to_str().unwrap().to_owned();
    assert!(journey.session.journal.run(Some(&name)).is_ok());
}

/// A file in the place of the folder, and one that the system lets nobody write to: root neither.
#[tokio::test(start_paused = true)]
async fn without_a_place_for_the_journal_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("state");
    fs::write(&blocked, "").unwrap();
    for place in [blocked.join("demo"), PathBuf::from("/proc/self/demo")] {
        let mut journey = Journey::new();
        journey.session.journal = Arc::new(FileJournal::at(&place));
        let apply = format!("meshscrape apply --yes --lose-history -w {HTTPBIN}");
        let (code, words) = command(&journey, &apply).await;
        assert_eq!(code, 4, "{words}");
        let unwritten = journal::journal_not_written(&place.display());
        assert!(words.contains(&unwritten), "{words}");
        assert!(words.contains(journal::MAKE_FOLDER_WRITABLE), "{words}");
        let written = journey.simulation.requests();
        assert!(!written.iter().any(writes), "{words}");
    }
}
