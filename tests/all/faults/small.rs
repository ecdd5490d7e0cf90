//! A fault at every kind of request of a run: no panic, no write without its line, words that say what to do,
//! and afterwards the run can be made again or taken back.

use super::ledger::Ledger;
use super::names::{nameless, names};
use super::program::Program;
use crate::cases::{all, on_paused_clock};
use crate::journeys::{Objects, ageless, differing};
use crate::spoils::{FAULTS, kind, spoil};
use http::{Method, Uri};
use meshscrape::cluster::stack::Spoil;
use meshscrape::engine::session::Journal;
use meshscrape::words::say::commands::{errors, runs};
use meshscrape::words::say::journal::NO_RUN_TO_UNDO;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const APPLY: &str = "meshscrape apply --yes --lose-history -w default/Deployment/httpbin -g istio-system/istio-ingressgateway";
const RESUME: &str = "meshscrape apply --resume --yes --lose-history";
const UNDO: &str = "meshscrape undo --yes --lose-history";

/// What is to go wrong: the n-th request of a kind, in the n-th way.
#[derive(Clone, Debug)]
struct Case {
    kind: String,
    nth: usize,
    fault: &'static str,
    /// Until the program ends; else once.
    lasting: bool,
    /// In the undo of a whole run; else in the run.
    in_undo: bool,
    /// The way out: again, or taken back.
    again: bool,
}

#[derive(Default)]
struct Watched {
    seen: BTreeMap<String, usize>,
    armed: Option<Case>,
    /// The request that met the fault.
    hit: Option<String>,
    ledger: Ledger,
}

struct Bench {
    program: Program,
    watched: Arc<Mutex<Watched>>,
}

impl Bench {
    fn new() -> Bench {
        let watched: Arc<Mutex<Watched>> = Arc::default();
        let seen = watched.clone();
        let program = Program::new(move |journal, method, uri| look(&seen, journal, method, uri));
        Bench { program, watched }
    }

    async fn run(&self, args: &str) -> (u8, String) {
        self.program.run(args).await
    }

    /// All but the lock, which falls by itself, and records, of which a second run leaves one more.
    fn objects(&self) -> Objects {
        let mut objects = self.program.journey.objects();
        objects.retain(|name, object| {
            !name.starts_with("Lease ")
                && object["metadata"]["labels"]["meshscrape.dev/record"].is_null()
        });
        objects
    }
}

fn look(
    watched: &Mutex<Watched>,
    journal: &dyn Journal,
    method: &Method,
    uri: &Uri,
) -> Option<Spoil> {
    let mut watched = watched.lock().unwrap();
    let spoil = armed(&mut watched, method, uri);
    watched
        .ledger
        .asked(journal, (method, uri), spoil.is_some());
    spoil
}

fn armed(watched: &mut Watched, method: &Method, uri: &Uri) -> Option<Spoil> {
    let kind = kind(method, uri);
    let nth = watched.seen.entry(kind.clone()).or_default();
    *nth += 1;
    let nth = *nth;
    let armed = watched.armed.as_ref()?;
    let request = nameless(&format!("{method} {uri}"));
    let now = match &watched.hit {
        Some(hit) => armed.lasting && *hit == request,
        None => armed.kind == kind && armed.nth == nth,
    };
    if !now {
        return None;
    }
    let spoil = spoil(armed.fault);
    watched.hit = Some(request);
    Some(spoil)
}

struct Whole {
    args: String,
    after: Objects,
    /// How many requests of each kind the run and its undo make.
    apply: BTreeMap<String, usize>,
    undo: BTreeMap<String, usize>,
}

async fn undisturbed(args: &str) -> Whole {
    let bench = Bench::new();
    let seen = || std::mem::take(&mut bench.watched.lock().unwrap().seen);
    let before = bench.objects();
    let (code, words) = bench.run(args).await;
    assert_eq!(code, 0, "{words}");
    let (after, apply) = (ageless(bench.objects()), seen());
    let (code, words) = bench.run(UNDO).await;
    assert_eq!(code, 0, "{words}");
    let left = differing(&before, &bench.objects());
    assert!(left.is_empty(), "undo left {}", left.join("\n"));
    Whole {
        args: args.to_owned(),
        after,
        apply,
        undo: seen(),
    }
}

async fn broken(case: &Case, whole: &Whole) {
    let bench = Bench::new();
    let before = ageless(bench.objects());
    if case.in_undo {
        let (code, words) = bench.run(&whole.args).await;
        assert_eq!(code, 0, "{words}");
    }
    {
        let mut watched = bench.watched.lock().unwrap();
        watched.seen.clear();
        watched.armed = Some(case.clone());
    }
    let (code, words) = bench
        .run(if case.in_undo { UNDO } else { &whole.args })
        .await;
    let hit = {
        let mut watched = bench.watched.lock().unwrap();
        watched.armed = None;
        watched.hit.take()
    };
    let hit = hit.unwrap_or_else(|| panic!("no such request was made:\n{words}"));
    // 0 and 3: written, by another way or in spite of it; the table says what is not UP, and why.
    if !matches!(code, 0 | 3) {
        let last = words
            .rfind(&errors::error(""))
            .map_or("", |at| &words[at..]);
        let named = names(&hit).iter().any(|name| last.contains(name));
        assert!(
            named && last.contains(&errors::hint("")),
            "exit code {code}, none of {:?} or no next step:\n{words}",
            names(&hit)
        );
        let words = nameless(&words);
        let way_on = match case.in_undo {
            true => "meshscrape undo RUN --yes",
            false => "meshscrape apply --resume --yes",
        };
        assert!(code != 5 || words.contains(way_on), "no way on:\n{words}");
    }
    let (args, wanted) = match (case.in_undo, case.again) {
        (false, true) => (RESUME, &whole.after),
        _ => (UNDO, &before),
    };
    let (mut second, mut told) = bench.run(args).await;
    if told.contains(runs::NOTHING_TO_RESUME) || told.contains(runs::NOTHING_TO_RESUME_HERE) {
        (second, told) = bench.run(&whole.args).await;
    }
    let nothing = told.contains(NO_RUN_TO_UNDO) || told.contains("undone");
    assert!(
        second == 0 || nothing,
        "the way out, exit code {second}:\n{told}\n--- first:\n{words}"
    );
    let left = differing(wanted, &ageless(bench.objects()));
    assert!(
        left.is_empty(),
        "left:\n{}\n{words}\n---\n{told}",
        left.join("\n")
    );
    let requests = bench.program.journey.simulation.requests();
    let journal = &*bench.program.journey.session.journal;
    bench
        .watched
        .lock()
        .unwrap()
        .ledger
        .close(journal, &requests);
}

/// Every fault at the first or the last request of every kind.
fn cases(whole: &Whole) -> Vec<Case> {
    let mut cases = Vec::new();
    for (in_undo, kinds) in [(false, &whole.apply), (true, &whole.undo)] {
        for (kind, count) in kinds {
            for (at, fault) in FAULTS.into_iter().enumerate() {
                let odd = (at + cases.len() / FAULTS.len()) % 2 == 1;
                cases.push(Case {
                    kind: kind.clone(),
                    nth: if odd { *count } else { 1 },
                    fault,
                    lasting: at % 2 == 0,
                    in_undo,
                    again: at % 4 < 2,
                });
            }
        }
    }
    cases
}

/// A part of all cases in which every kind of request meets faults, and every fault is met.
#[test]
#[ignore = "takes minutes"]
fn a_fault_ends_in_words_and_a_way_out() {
    let whole = on_paused_clock(undisturbed(APPLY));
    let every: Vec<Case> = cases(&whole);
    let chosen: Vec<Case> = every.into_iter().step_by(9).collect();
    for fault in FAULTS {
        assert!(chosen.iter().any(|case| case.fault == fault), "{fault}");
    }
    for kind in whole.apply.keys() {
        assert!(chosen.iter().any(|case| case.kind == *kind), "{kind}");
    }
    all(&chosen, async |case: &Case| broken(case, &whole).await);
}

#[test]
#[ignore = "takes minutes: every fault at every kind of request"]
fn every_fault_at_every_kind_of_request() {
    let whole = on_paused_clock(undisturbed(APPLY));
    all(&cases(&whole), async |case: &Case| {
        broken(case, &whole).await
    });
}

/// A fault, which stays until the program ends, at a request in the midst of forty changes, for each kind of request
/// that a run makes while it writes; then the run is gone on with by its record.
fn in_the_midst(whole: &Whole) -> Vec<Case> {
    let writes = whole.apply.iter().filter(|(kind, _)| {
        !kind.ends_with("dry run")
            && ["PATCH ", "POST ", "DELETE "]
                .iter()
                .any(|method| kind.starts_with(method))
    });
    let cases = writes.flat_map(|(kind, count)| {
        FAULTS.map(|fault| Case {
            kind: kind.clone(),
            nth: count.div_ceil(2),
            fault,
            lasting: true,
            in_undo: false,
            again: true,
        })
    });
    cases.collect()
}

fn forty() -> String {
    format!(
        "meshscrape apply --yes --lose-history {}",
        crate::kill::CHOICES
    )
}

#[test]
#[ignore = "takes minutes: every fault at every kind of write of forty changes"]
fn every_fault_in_forty_changes_is_gone_on_with() {
    let whole = on_paused_clock(undisturbed(&forty()));
    all(&in_the_midst(&whole), async |case: &Case| {
        broken(case, &whole).await
    });
}

/// A proxy on the way says "not found" to every renewal of the lock, which stands all the same.
#[test]
fn a_lock_that_stands_is_not_lost_by_an_answer_of_not_found() {
    let renewals = Arc::new(AtomicUsize::new(0));
    let met = renewals.clone();
    on_paused_clock(async {
        let program = Program::new(move |_, method, uri| {
            let renewal = *method == Method::PATCH && uri.path().contains("/leases/");
            renewal.then(|| {
                met.fetch_add(1, Ordering::SeqCst);
                spoil("404")
            })
        });
        let (code, words) = program.run(APPLY).await;
        assert_eq!(code, 0, "{words}");
    });
    assert!(renewals.load(Ordering::SeqCst) > 0);
}

/// A part of the cases each; the wholes stand above.
mod samples {
    use super::*;

    #[test]
    #[ignore = "takes a minute: a sample that .ci/run takes"]
    fn a_fault_in_forty_changes_is_gone_on_with() {
        let whole = on_paused_clock(undisturbed(&forty()));
        let every = in_the_midst(&whole);
        let step = every.len() / 3 + 1;
        let chosen: Vec<Case> = every.into_iter().step_by(step).collect();
        all(&chosen, async |case: &Case| broken(case, &whole).await);
    }

    /// A server that answers every asking for the lock with an error, for as long as one asks.
    #[test]
    #[ignore = "takes a minute: a sample that .ci/run takes"]
    fn a_lock_that_cannot_be_had_ends_in_words() {
        for fault in FAULTS {
            let hits = Arc::new(AtomicUsize::new(0));
            let met = hits.clone();
            on_paused_clock(async {
                let program = Program::new(move |_, method, uri| {
                    (kind(method, uri) == "POST leases").then(|| {
                        met.fetch_add(1, Ordering::SeqCst);
                        spoil(fault)
                    })
                });
                let (code, words) = program.run(APPLY).await;
                // With some of them the server made it before the answer was lost.
                assert!(matches!(code, 0 | 1 | 4), "{fault}: {code}: {words}");
                assert!(
                    code == 0 || words.contains(&errors::hint("")),
                    "{fault}: {words}"
                );
            });
            let hits = hits.load(Ordering::SeqCst);
            assert!((1..20).contains(&hits), "{fault}: {hits}");
        }
    }

    /// The last of what an undo deletes.
    #[test]
    #[ignore = "takes a minute: a sample that .ci/run takes"]
    fn an_undo_whose_record_cannot_be_deleted_says_how_to_go_on() {
        let whole = on_paused_clock(undisturbed(APPLY));
        let case = Case {
            kind: "DELETE secrets".into(),
            nth: 1,
            fault: "503",
            lasting: true,
            in_undo: true,
            again: true,
        };
        all(&[case], async |case: &Case| broken(case, &whole).await);
    }
}
