use super::*;
use crate::engine::session::Journal;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::plan::record::Intent;
use crate::plan::{ChangeId, Part};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn started(run: &str, second: i64, undoes: Option<&str>) -> Entry {
    Entry::Started {
        version: VERSION,
        run: run.into(),
        at: at(second),
        context: "lab".into(),
        cluster: None,
        undoes: undoes.map(str::to_owned),
        prometheus: None,
        answers: None,
        by: None,
    }
}

fn intent(run: &str, seq: u32) -> Entry {
    let object = ObjectRef::new(Kind::Sidecar, "shop", "meshscrape-cart");
    Entry::Intent(Box::new(Intent {
        run: run.into(),
        seq,
        at: at(1),
        change: ChangeId::new(&object, Part::Listener),
        part: Part::Listener,
        object,
        item: None,
        uid: None,
        leaves: Vec::new(),
        text: None,
        deleted: None,
        taken: Vec::new(),
    }))
}

fn ended(run: &str, how: &str) -> Entry {
    Entry::Ended {
        run: run.into(),
        at: at(9),
        how: how.into(),
    }
}

fn journal() -> (tempfile::TempDir, FileJournal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = FileJournal::at(folder.path().join("meshscrape").join("lab"));
    (folder, journal)
}

#[test]
fn what_is_appended_is_read_back() {
    let (_folder, journal) = journal();
    let entries = [
        started("r1", 0, None),
        intent("r1", 0),
        ended("r1", "whole"),
    ];
    for entry in &entries {
        journal.append(entry).unwrap();
    }
    assert_eq!(journal.run(Some("r1")).unwrap(), entries);
    // Another process reads it too, also while it is being written.
    let other = FileJournal::at(journal.folder());
    assert_eq!(other.run(None).unwrap(), entries);
    assert_eq!(other.runs().unwrap()[0].how.as_deref(), Some("whole"));
}

#[test]
fn nobody_else_can_read_it() {
    let (_folder, journal) = journal();
    journal.append(&started("r1", 0, None)).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(journal.folder()), 0o700);
    assert_eq!(mode(&journal.folder().join("r1.jsonl")), 0o600);

    // A folder that was opened up meanwhile is closed again.
    fs::set_permissions(journal.folder(), Permissions::from_mode(0o755)).unwrap();
    journal.append(&intent("r1", 0)).unwrap();
    assert_eq!(mode(journal.folder()), 0o700);
}

#[test]
fn a_torn_last_line_is_ignored_and_said_and_cut_by_the_next_append() {
    let (_folder, journal) = journal();
    journal.append(&started("r1", 0, None)).unwrap();
    journal.append(&intent("r1", 0)).unwrap();
    let path = journal.folder().join("r1.jsonl");
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(br#"{"entry":"result","run":"r1","se"#)
        .unwrap();
    drop(file);

    assert_eq!(journal.run(Some("r1")).unwrap().len(), 2);
    let warnings = journal.warnings();
    assert!(warnings[0].contains("torn"), "{warnings:?}");
    assert!(journal.warnings().is_empty());

    journal.append(&ended("r1", "partWay")).unwrap();
    let entries = journal.run(Some("r1")).unwrap();
    assert_eq!(entries.last(), Some(&ended("r1", "partWay")));
    assert_eq!(entries.len(), 3);
}

#[test]
fn a_file_that_is_edited_or_taken_away_in_mid_run_loses_no_line_in_silence() {
    let (_folder, journal) = journal();
    journal.append(&started("r1", 0, None)).unwrap();
    let path = journal.folder().join("r1.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    // As editors do it: a new file under the old name, with something torn at its end.
    fs::remove_file(&path).unwrap();
    fs::write(&path, format!("{text}\n{{\"entry\"")).unwrap();
    journal.append(&intent("r1", 0)).unwrap();
    assert_eq!(journal.run(Some("r1")).unwrap().len(), 2);
    fs::remove_file(&path).unwrap();
    let error = journal.append(&intent("r1", 1)).unwrap_err();
    let unwritten = say::journal_not_written(&journal.folder().display());
    assert_eq!(error.what, unwritten, "{error}");
}

#[test]
fn damage_elsewhere_is_an_error_that_names_the_line() {
    let (_folder, journal) = journal();
    journal.append(&started("r1", 0, None)).unwrap();
    let path = journal.folder().join("r1.jsonl");
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str("not json\n");
    text.push_str(&serde_json::to_string(&ended("r1", "whole")).unwrap());
    text.push('\n');
    fs::write(&path, text).unwrap();
    let error = journal.run(Some("r1")).unwrap_err();
    assert_eq!(error.what, say::line_is_damaged(&path.display(), 2));
    // The other runs can still be listed.
    journal.append(&started("r2", 5, None)).unwrap();
    assert_eq!(journal.runs().unwrap().len(), 1);
    assert!(journal.warnings()[0].contains("r1"));
}

#[test]
fn a_newer_version_is_refused() {
    let (_folder, journal) = journal();
    journal.append(&started("r1", 0, None)).unwrap();
    let path = journal.folder().join("r1.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace(&format!("\"version\":{VERSION}"), "\"version\":99"),
    )
    .unwrap();
    let error = journal.run(Some("r1")).unwrap_err();
    assert_eq!(error.what, say::of_a_newer_meshscrape(&path.display()));
}

#[test]
fn one_process_writes_at_a_time_and_the_end_lets_the_next_in() {
    let (_folder, journal) = journal();
    journal.append(&started("r1", 0, None)).unwrap();
    let other = FileJournal::at(journal.folder());
    let error = other.append(&started("r2", 1, None)).unwrap_err();
    assert_eq!(error.what, say::ANOTHER_RUN);
    assert!(!journal.folder().join("r2.jsonl").exists());

    // The undo of a change is a run within the run: its end lets nobody in.
    journal.append(&started("r1-b1", 1, Some("r1"))).unwrap();
    journal.append(&ended("r1-b1", "whole")).unwrap();
    assert!(other.append(&started("r2", 1, None)).is_err());

    journal.append(&ended("r1", "whole")).unwrap();
    other.append(&started("r2", 1, None)).unwrap();
}

#[test]
fn a_place_that_cannot_be_written_is_said_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the folder should be: also root cannot write there.
    let blocked = folder.path().join("state");
    fs::write(&blocked, "").unwrap();
    let journal = FileJournal::at(blocked.join("lab"));
    let error = journal.append(&started("r1", 0, None)).unwrap_err();
    assert_eq!(error.kind, crate::error::Kind::Refused);
    let unwritten = say::journal_not_written(&journal.folder().display());
    assert_eq!(error.what, unwritten, "{error}");
    assert_eq!(error.hints, [say::MAKE_FOLDER_WRITABLE]);
}

#[test]
fn a_run_is_never_begun_twice() {
    let (_folder, journal) = journal();
    journal.append(&started("r1", 0, None)).unwrap();
    assert!(journal.append(&started("r1", 0, None)).is_err());
}

#[test]
fn names_from_outside_make_no_paths() {
    let (folder, journal) = journal();
    fs::write(folder.path().join("secret.jsonl"), "{}\n").unwrap();
    journal.append(&started("r1", 0, None)).unwrap();
    for name in ["../../secret", "/etc/passwd", "..", ""] {
        let error = journal.run(Some(name)).unwrap_err();
        assert_eq!(error.what, say::no_such_run(name));
        assert!(error.hints[0].contains("r1"), "{error}");
    }
}

#[test]
fn a_context_becomes_one_folder() {
    let name = |context: &str| {
        let journal = FileJournal::of_context(context).unwrap();
        let folder = journal.folder().to_owned();
        let parent = folder.parent().unwrap().file_name().unwrap().to_owned();
        assert_eq!(parent, "meshscrape", "{context}");
        folder.file_name().unwrap().to_str().unwrap().to_owned()
    };
    assert_eq!(name("kind-lab"), "kind-lab");
    let long = "x".repeat(400);
    let contexts = [
        "arn:aws:eks:eu-west-1:1:cluster/prod",
        "..",
        ".",
        "../../etc",
        long.as_str(),
    ];
    let names: std::collections::BTreeSet<String> = contexts.iter().map(|c| name(c)).collect();
    assert_eq!(names.len(), contexts.len());
    assert!(names.iter().all(|name| name.len() < 255));
}

fn offers(journal: &dyn Journal) {
    let none = journal.run(None).unwrap_err();
    assert_eq!(none.what, say::NO_RUN_TO_UNDO);
    let write = |entries: &[Entry]| {
        for entry in entries {
            journal.append(entry).unwrap();
        }
    };
    write(&[
        started("r1", 0, None),
        intent("r1", 0),
        ended("r1", "whole"),
    ]);
    write(&[
        started("r2", 10, None),
        intent("r2", 0),
        ended("r2", "whole"),
    ]);
    // Wrote nothing, and an undo: neither is what "undo" means.
    write(&[started("r3", 20, None), ended("r3", "partWay")]);
    write(&[
        started("r4", 30, Some("r2")),
        intent("r4", 0),
        ended("r4", "whole"),
    ]);
    assert_eq!(journal.run(None).unwrap()[0].run(), "r2");
    write(&[ended("r2", "undone")]);
    assert_eq!(journal.run(None).unwrap()[0].run(), "r1");
    write(&[ended("r1", "undone")]);
    assert!(journal.run(None).is_err());

    let runs: Vec<String> = journal.runs().unwrap().into_iter().map(|r| r.run).collect();
    assert_eq!(runs, ["r4", "r3", "r2", "r1"]);
    let notes = journal.runs().unwrap();
    assert_eq!(notes[0].undoes.as_deref(), Some("r2"));
    assert_eq!(notes[2].how.as_deref(), Some("undone"));
}

#[test]
fn the_newest_run_that_can_be_undone_is_offered() {
    offers(&journal().1);
    offers(&MemoryJournal::new());
}
