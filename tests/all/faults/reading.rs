//! A fault at each request that comes before the first write of forty changes: nothing is written, and a review
//! that is not the one of the whole cluster says what it lacks.

use super::names::{nameless, names};
use super::program::Program;
use crate::cases::{all, on_paused_clock};
use crate::journeys::writes;
use crate::spoils::{FAULTS, spoil};
use meshscrape::words::say::commands::{errors, review as blocked};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

fn review() -> String {
    format!("meshscrape apply --lose-history {}", crate::kill::CHOICES)
}

#[derive(Clone, Debug)]
struct Case {
    request: String,
    fault: &'static str,
    lasting: bool,
}

/// The review's words, and each request that it took.
async fn undisturbed() -> (String, Vec<String>) {
    let asked: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let seen = asked.clone();
    let program = Program::new(move |_, method, uri| {
        let request = nameless(&format!("{method} {uri}"));
        *seen.lock().unwrap().entry(request).or_default() += 1;
        None
    });
    let (code, words) = program.run(&review()).await;
    assert_eq!(code, 4, "{words}");
    assert!(words.contains(blocked::YES_IS_MISSING), "{words}");
    let asked = asked.lock().unwrap().keys().cloned().collect();
    (nameless(&words), asked)
}

async fn spoiled(case: &Case, whole: &str) {
    let met = Arc::new(AtomicUsize::new(0));
    let (count, of) = (met.clone(), case.clone());
    let program = Program::new(move |_, method, uri| {
        if nameless(&format!("{method} {uri}")) != of.request {
            return None;
        }
        let before = count.fetch_add(1, Ordering::SeqCst);
        (of.lasting || before == 0).then(|| spoil(of.fault))
    });
    let (code, words) = program.run(&review()).await;
    assert!(met.load(Ordering::SeqCst) > 0, "not asked");
    let mut written = program.journey.simulation.requests();
    written.retain(writes);
    assert!(written.is_empty(), "{written:?}");
    let words = nameless(&words);
    if words == whole {
        return;
    }
    let lower = words.to_lowercase();
    let named = names(&case.request)
        .iter()
        .any(|name| lower.contains(&name.to_lowercase()));
    assert!(
        named && words.contains(&errors::hint("")),
        "exit code {code}, none of {:?} or no next step:\n{}",
        names(&case.request),
        news(whole, &words)
    );
}

/// Lines that the undisturbed review has not.
fn news(whole: &str, words: &str) -> String {
    let known: std::collections::BTreeSet<&str> = whole.lines().collect();
    let lines: Vec<&str> = words.lines().filter(|line| !known.contains(line)).collect();
    lines.join("\n")
}

/// A sample over all requests, with each fault.
#[test]
fn a_fault_before_the_first_write_is_told_and_nothing_is_written() {
    let (whole, requests) = on_paused_clock(undisturbed());
    let cases: Vec<Case> = (0..requests.len())
        .step_by(40)
        .map(|at| Case {
            request: requests[at].clone(),
            fault: FAULTS[at / 40 % FAULTS.len()],
            lasting: true,
        })
        .collect();
    all(&cases, async |case: &Case| spoiled(case, &whole).await);
}

/// Each request with each fault, lasting; where the client does not ask again by itself, single too.
#[test]
#[ignore = "takes half an hour: every fault at each request before a write"]
fn every_fault_at_each_request_before_the_first_write() {
    let (whole, requests) = on_paused_clock(undisturbed());
    let mut cases = Vec::new();
    for request in &requests {
        for fault in FAULTS {
            for lasting in [true, false] {
                if lasting || !request.starts_with("GET ") {
                    cases.push(Case {
                        request: request.clone(),
                        fault,
                        lasting,
                    });
                }
            }
        }
    }
    eprintln!("{} requests, {} cases", requests.len(), cases.len());
    all(&cases, async |case: &Case| spoiled(case, &whole).await);
}
