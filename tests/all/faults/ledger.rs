//! Requests held against the journal, one by one and in sum.

use crate::journeys::writes;
use http::{Method, Uri};
use meshscrape::demo::RequestRecord;
use meshscrape::engine::session::Journal;
use meshscrape::plan::record::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// What a run is kept by, and what stands in no line of its own.
fn keeps(path: &str) -> bool {
    path.contains("/secrets/meshscrape-run-") || path.contains("/leases")
}

fn is_write(method: &str, path: &str) -> bool {
    let record = RequestRecord {
        method: method.to_owned(),
        path: path.to_owned(),
        status: 0,
    };
    writes(&record) && !path.contains("/proxy/")
}

/// How often a path was announced, and how that came out.
#[derive(Clone, Copy, Debug, Default)]
struct Lines {
    written: usize,
    not_written: usize,
    /// Without a second line.
    open: usize,
}

fn lines(journal: &dyn Journal) -> BTreeMap<String, Lines> {
    let mut results = BTreeMap::new();
    let mut announced = Vec::new();
    let mut lines: BTreeMap<String, Lines> = BTreeMap::new();
    for note in journal.runs().unwrap() {
        for entry in journal.run(Some(&note.run)).unwrap() {
            match entry {
                Entry::Intent(intent) => announced.push(intent),
                Entry::Result {
                    run, seq, written, ..
                } => {
                    let first = results.insert((run, seq), written).is_none();
                    assert!(first, "two results of one write");
                }
                // Nothing says how it came out: the live object tells.
                Entry::Release { object, .. } => {
                    lines.entry(object.path()).or_default().open += 1;
                }
                _ => {}
            }
        }
    }
    for intent in announced {
        let of = lines.entry(intent.object.path()).or_default();
        match results.get(&(intent.run.clone(), intent.seq)) {
            Some(true) => of.written += 1,
            Some(false) => of.not_written += 1,
            None => of.open += 1,
        }
    }
    lines
}

/// What is known of the requests so far.
#[derive(Default)]
pub struct Ledger {
    /// Collections that were posted to, and not looked at since.
    posted: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Ledger {
    /// A request on its way: a write has its line, which no result closes yet; a POST that may have been done is
    /// not sent again before an unspoiled look at what it makes.
    pub fn asked(&mut self, journal: &dyn Journal, (method, uri): (&Method, &Uri), spoiled: bool) {
        let path = uri.path();
        if *method == Method::GET && !spoiled {
            self.posted
                .retain(|posted| !path.starts_with(&format!("{posted}/")));
        }
        if !is_write(method.as_str(), &uri.to_string()) {
            return;
        }
        let announced = match keeps(path) {
            true => journal.runs().unwrap().iter().any(|note| {
                let record = path.rsplit('/').next().unwrap_or_default();
                path.contains("/leases")
                    || record.starts_with(&format!("meshscrape-run-{}", note.run))
            }),
            false => lines(journal).get(path).is_some_and(|lines| lines.open > 0),
        };
        if !announced {
            self.wrong.push(format!("{method} {path} without a line"));
        }
        if *method == Method::POST && !self.posted.insert(path.to_owned()) {
            self.wrong
                .push(format!("{method} {path} once more, without a look"));
        }
    }

    /// All that was asked: nothing was wrong, and the server's writes are those of the journal.
    pub fn close(&self, journal: &dyn Journal, requests: &[RequestRecord]) {
        assert_eq!(self.wrong, [""; 0]);
        let mut done: BTreeMap<&str, usize> = BTreeMap::new();
        for request in requests {
            let path = request.path.split('?').next().unwrap_or_default();
            if is_write(&request.method, &request.path) && request.status < 300 && !keeps(path) {
                *done.entry(path).or_default() += 1;
            }
        }
        let lines = lines(journal);
        for (path, count) in &done {
            let of = lines.get(*path).copied().unwrap_or_default();
            assert!(
                (of.written..=of.written + of.open).contains(count),
                "{path}: {count} writes, and the journal has {of:?}"
            );
        }
        for (path, of) in &lines {
            let count = done.get(path.as_str()).copied().unwrap_or_default();
            let kept = keeps(path);
            assert!(
                kept || of.written <= count,
                "{path}: {count} writes, {of:?}"
            );
        }
    }
}
