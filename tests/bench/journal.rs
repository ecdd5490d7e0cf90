//! What a hundred journalled changes add: an intent before and a result after each, synced, in a folder on tmpfs.

use meshscrape::engine::session::Journal;
use meshscrape::journal::{FileJournal, VERSION};
use meshscrape::mesh::kinds::{Kind, ObjectRef};
use meshscrape::plan::path::LeafPath;
use meshscrape::plan::record::{Entry, Intent, LeafChange};
use meshscrape::plan::{ChangeId, Part};
use serde_json::json;
use std::path::Path;
use std::time::Instant;

const RUNS: usize = 21;
const CHANGES: u32 = 100;
const TMPFS: &str = "/dev/shm";

pub fn run() {
    let place = Path::new(TMPFS);
    let (place, name) = match place.is_dir() {
        true => (place.to_path_buf(), TMPFS.to_owned()),
        false => (std::env::temp_dir(), "the temporary folder".to_owned()),
    };
    let figures = (0..RUNS).map(|at| milliseconds(&place, at)).collect();
    println!(
        "{CHANGES} changes journalled in {:.1} ms in {name} (median of {RUNS}; wanted: less than 100 ms)",
        super::median(figures)
    );
}

fn milliseconds(place: &Path, at: usize) -> f64 {
    let folder = tempfile::tempdir_in(place).expect("a folder");
    let journal = FileJournal::at(folder.path().join("bench"));
    let run = format!("r{at}");
    let entries = entries(&run);
    let began = Instant::now();
    for entry in &entries {
        journal.append(entry).expect("a line");
    }
    began.elapsed().as_secs_f64() * 1000.0
}

fn entries(run: &str) -> Vec<Entry> {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let mut out = vec![Entry::Started {
        version: VERSION,
        run: run.into(),
        at,
        context: "bench".into(),
        cluster: None,
        undoes: None,
        prometheus: None,
        answers: None,
        by: None,
    }];
    for seq in 0..CHANGES {
        let object = ObjectRef::new(Kind::Deployment, "shop", format!("workload-{seq}"));
        let path = LeafPath::fields(["spec", "template", "metadata", "annotations", "mark"]);
        out.push(Entry::Intent(Box::new(Intent {
            run: run.into(),
            seq,
            at,
            change: ChangeId::new(&object, Part::Annotation),
            part: Part::Annotation,
            object,
            item: None,
            uid: Some("0f0e0d0c-0b0a-0908-0706-050403020100".into()),
            leaves: vec![LeafChange {
                path,
                before: None,
                owners: Vec::new(),
                after: Some(json!("15091")),
            }],
            text: None,
            deleted: None,
            taken: Vec::new(),
        })));
        out.push(Entry::Result {
            run: run.into(),
            seq,
            at,
            written: true,
            uid: None,
            resource_version: Some("12345".into()),
            error: None,
        });
    }
    out
}
