//! A fault at each request of a run of more than forty changes, and of its undo.
//!
//! A person at the screen meets them one after the other, and each time says "again": so one run goes through
//! a fault at every request that it makes, and has to end as if there had been none.

use super::ledger::Ledger;
use super::names::{nameless, object_of};
use crate::cases::{all, on_paused_clock};
use crate::journeys::{Journey, Objects, ageless, differing, watched};
use crate::spoils::{FAULTS, spoil};
use clap::Parser;
use http::{Method, Uri};
use meshscrape::answers::{Answers, Pace};
use meshscrape::cli::Cli;
use meshscrape::cluster::Cluster;
use meshscrape::cluster::stack::{Fault, Spoil};
use meshscrape::demo::Simulation;
use meshscrape::engine::apply::{ApplyOptions, Control, apply};
use meshscrape::engine::event::{ApplyEvent, Decision, Ended, Outcome};
use meshscrape::engine::session::Session;
use meshscrape::engine::undo::plan_undo;
use meshscrape::error::Error;
use meshscrape::plan::Plan;
use meshscrape::plan::review::{NotApprovable, Word};
use meshscrape::recipe::Selection;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Which fault is met, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Case {
    /// A number into the faults; `None`: each in its turn.
    fault: Option<usize>,
    /// It stays until the run stops for it, for as long as the run may bear it; else it is there twice.
    lasting: bool,
    in_undo: bool,
}

/// So often a lasting fault is met at one request by a run that bears it.
const BORNE: usize = 8;
/// More runs than faults at beginnings of runs; so many would be a run that never ends.
const RUNS: usize = 40;
/// More stops than there are requests to stop at.
const STOPS: usize = 400;

#[derive(Default)]
struct Met {
    /// How often each request was made, and whether its fault is over.
    asked: BTreeMap<String, (usize, bool)>,
    faults: usize,
    /// Requests that were spoiled since the run last stopped, and how.
    spoiled: Vec<(String, &'static str)>,
    armed: bool,
    ledger: Ledger,
    wrong: Vec<String>,
}

impl Met {
    fn spoil(&mut self, case: Case, method: &Method, uri: &Uri) -> Option<Spoil> {
        if !self.armed {
            return None;
        }
        let key = nameless(&format!("{method} {uri}"));
        let (count, over) = self.asked.entry(key.clone()).or_default();
        *count += 1;
        let now = match case.lasting {
            true => !*over && *count <= BORNE,
            // The second time it may be asked for another reason. What is polled is spoiled no more after that.
            false => matches!(*count, 1 | 3),
        };
        if !now {
            return None;
        }
        let fault = FAULTS[case.fault.unwrap_or(self.faults % FAULTS.len())];
        self.faults += 1;
        self.spoiled.push((key, fault));
        Some(spoil(fault))
    }

    /// The run stopped at a change, or ended before one: what it stopped for is over, and is named.
    fn told(&mut self, error: &Error, change: Option<String>) {
        let spoiled = std::mem::take(&mut self.spoiled);
        for (request, _) in &spoiled {
            if let Some((_, over)) = self.asked.get_mut(request) {
                *over = true;
            }
        }
        let named = |words: &str| match change.as_deref() {
            // A wait after a change may be for Prometheus.
            Some(change) => [change, "istio-system/Deployment/prometheus"]
                .iter()
                .any(|name| words.contains(*name)),
            None => spoiled
                .iter()
                .any(|(request, _)| words.contains(&object_of(request))),
        };
        let words = error.to_string();
        if error.hints.is_empty() || !named(&words) {
            self.wrong.push(format!(
                "{change:?}, {spoiled:?}: no name or no next step in\n{words}"
            ));
        }
    }
}

struct Bench {
    journey: Journey,
    answers: Answers,
    met: Arc<Mutex<Met>>,
}

impl Bench {
    fn new(case: Case) -> Bench {
        let mut journey = Journey::over(Simulation::builtin());
        let met: Arc<Mutex<Met>> = Arc::default();
        let (seen, journal) = (met.clone(), journey.session.journal.clone());
        let fault: Fault = Arc::new(move |method, uri| {
            let mut met = seen.lock().unwrap();
            let spoil = met.spoil(case, method, uri);
            met.ledger.asked(&*journal, (method, uri), spoil.is_some());
            spoil
        });
        let service = journey.simulation.service();
        journey.session = Session {
            cluster: Cluster::over_with(service, "demo", false, Some(fault)),
            ..journey.session
        };
        let args = format!("meshscrape apply {}", crate::kill::CHOICES);
        let cli = Cli::try_parse_from(args.split_whitespace()).unwrap();
        Bench {
            journey,
            answers: cli.choices.answers().unwrap(),
            met,
        }
    }

    fn objects(&self) -> Objects {
        let mut objects = self.journey.objects();
        objects.retain(|name, object| {
            !name.starts_with("Lease ")
                && object["metadata"]["labels"]["meshscrape.dev/record"].is_null()
        });
        objects
    }

    /// Reviews and writes; each stop is answered with "again". `None`: there was nothing to do.
    async fn write(
        &self,
        plan: Plan,
        selection: &Selection,
        undoes: Option<String>,
        armed: bool,
    ) -> Option<Outcome> {
        let review = self.journey.review(plan, &self.answers).await;
        let approved = match review.approve(Word { lose_history: true }) {
            Ok(approved) => approved,
            Err(NotApprovable::NothingToDo) => return None,
            Err(why) => panic!("{why:?}: {:#?}", review.states()),
        };
        let watched = match undoes {
            Some(_) => Vec::new(),
            None => watched(selection, &self.answers),
        };
        let options = ApplyOptions {
            pace: if armed { Pace::One } else { Pace::All },
            probe: armed,
            answers: undoes.is_none().then(|| self.answers.clone()),
            undoes,
            ..ApplyOptions::default()
        };
        let (steering, control) = Control::asked();
        let met = self.met.clone();
        let objects: BTreeMap<_, _> = review
            .items
            .values()
            .map(|item| (item.change.id.clone(), item.change.object.to_string()))
            .collect();
        let events = self.journey.events.clone();
        let stops = Arc::new(AtomicUsize::new(0));
        let counted = stops.clone();
        let report = move |event: ApplyEvent| {
            if let ApplyEvent::Stopped { id, error } = &event {
                met.lock().unwrap().told(error, Some(objects[id].clone()));
                let stops = counted.fetch_add(1, Ordering::SeqCst);
                let next = match stops < STOPS {
                    true => Decision::Retry,
                    false => Decision::Stop,
                };
                steering.decisions.try_send(next).unwrap();
            }
            if !matches!(event, ApplyEvent::Targets { .. }) {
                events.lock().unwrap().push(event);
            }
        };
        // No two runs of one machine begin at one moment, as those of a paused clock would.
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.met.lock().unwrap().armed = armed;
        let outcome = apply(
            &self.journey.session,
            approved,
            Arc::clone(&selection.prometheus),
            watched,
            &options,
            control,
            &report,
        )
        .await;
        let stops = stops.load(Ordering::SeqCst);
        assert!(stops < STOPS, "no end of it: {:#?}", self.last_words());
        let mut met = self.met.lock().unwrap();
        met.armed = false;
        if let Ended::PartWay(error) = &outcome.ended {
            let error = error.as_ref().expect("nobody said stop");
            met.told(error, None);
        }
        drop(met);
        self.journey.dressed();
        Some(outcome)
    }

    fn last_words(&self) -> Vec<String> {
        let told = self.journey.told();
        told[told.len().saturating_sub(12)..].to_vec()
    }

    /// Until all of it stands.
    async fn there(&self, armed: bool) {
        for _ in 0..RUNS {
            let (selection, plan) = self.journey.plan(&self.answers).await.unwrap();
            let Some(outcome) = self.write(plan, &selection, None, armed).await else {
                return;
            };
            assert_ne!(outcome.ended, Ended::Undone);
        }
        panic!("no end of it: {:#?}", self.last_words());
    }

    /// Until none of it stands.
    async fn back(&self, armed: bool) {
        let (selection, _) = self.journey.plan(&self.answers).await.unwrap();
        for _ in 0..RUNS {
            let homes = ["istio-system".to_owned()];
            let Ok(undo) = plan_undo(&self.journey.session, &homes, None, &[]).await else {
                return;
            };
            let run = undo.run.clone();
            if self
                .write(undo.plan, &selection, Some(run.clone()), armed)
                .await
                .is_none()
            {
                meshscrape::engine::settle::ended(&self.journey.session, &run, "undone").unwrap();
            }
        }
        panic!("no end of it: {:#?}", self.last_words());
    }
}

/// How it stands after a run that met nothing.
fn whole() -> &'static Objects {
    static WHOLE: std::sync::OnceLock<Objects> = std::sync::OnceLock::new();
    WHOLE.get_or_init(|| {
        on_paused_clock(async {
            let bench = Bench::new(Case {
                fault: None,
                lasting: false,
                in_undo: false,
            });
            bench.there(false).await;
            ageless(bench.objects())
        })
    })
}

async fn met(case: &Case) -> usize {
    let bench = Bench::new(*case);
    let before = bench.objects();
    bench.there(!case.in_undo).await;
    let left = differing(whole(), &ageless(bench.objects()));
    assert!(left.is_empty(), "not whole:\n{}", left.join("\n"));
    bench.back(case.in_undo || case.fault.is_none()).await;
    let left = differing(&before, &bench.objects());
    assert!(left.is_empty(), "left:\n{}", left.join("\n"));
    let met = bench.met.lock().unwrap();
    let journal = &*bench.journey.session.journal;
    met.ledger
        .close(journal, &bench.journey.simulation.requests());
    assert!(met.wrong.is_empty(), "{}", met.wrong.join("\n\n"));
    met.faults
}

/// Each request meets each fault, once and again, and lasting. `FAULT=404` takes those faults alone.
#[test]
#[ignore = "takes a quarter of an hour: every fault at each request"]
fn every_fault_at_each_request_of_forty_changes_and_of_their_undo() {
    let only = std::env::var("FAULT").unwrap_or_default();
    let mut cases = Vec::new();
    for lasting in [false, true] {
        for in_undo in [false, true] {
            let chosen = (0..FAULTS.len()).filter(|fault| FAULTS[*fault].contains(only.as_str()));
            cases.extend(chosen.map(|fault| Case {
                fault: Some(fault),
                lasting,
                in_undo,
            }));
        }
    }
    whole();
    let count = AtomicUsize::new(0);
    all(&cases, async |case: &Case| {
        let begun = std::time::Instant::now();
        let met = met(case).await;
        eprintln!("{case:?}: {met} faults, {:.0?}", begun.elapsed());
        count.fetch_add(met, Ordering::SeqCst);
    });
    let faults = count.into_inner();
    assert!(
        !only.is_empty() || faults > 8000,
        "{faults} faults in {} runs",
        cases.len()
    );
}

/// A part of the cases each; the wholes stand above.
mod samples {
    use super::*;

    /// Each request meets the next of all faults, in the run and in its undo.
    #[test]
    #[ignore = "takes a minute: a sample that .ci/run takes"]
    fn a_fault_at_each_request_of_forty_changes_and_of_their_undo() {
        let case = Case {
            fault: None,
            lasting: false,
            in_undo: false,
        };
        whole();
        let met = on_paused_clock(met(&case));
        assert!(met > 200, "{met} faults");
    }
}
