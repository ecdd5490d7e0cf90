//! The commands over a simulated cluster whose requests may be spoiled.

use crate::called::{Over, call};
use crate::journeys::Journey;
use http::{Method, Uri};
use meshscrape::cluster::Cluster;
use meshscrape::cluster::stack::{Fault, Spoil};
use meshscrape::demo::Simulation;
use meshscrape::engine::session::{Journal, Session};
use std::sync::Arc;

pub struct Program {
    pub journey: Journey,
    world: Over,
}

impl Program {
    /// Every request is shown to `look`, which may spoil it.
    pub fn new(
        look: impl Fn(&dyn Journal, &Method, &Uri) -> Option<Spoil> + Send + Sync + 'static,
    ) -> Program {
        let journey = Journey::over(Simulation::builtin());
        let journal = journey.session.journal.clone();
        let fault: Fault = Arc::new(move |method, uri| look(&*journal, method, uri));
        let service = journey.simulation.service();
        let session = Session {
            cluster: Cluster::over_with(service, "demo", false, Some(fault)),
            ..journey.session.clone()
        };
        Program {
            journey,
            world: Over(session),
        }
    }

    /// Exit code and words.
    pub async fn run(&self, args: &str) -> (u8, String) {
        let called = call(&self.world, args).await;
        if let Err(error) = &called.ended {
            assert!(!error.hints.is_empty(), "no next step: {error}");
        }
        let (code, words) = called.told();
        self.journey.dressed();
        let raw = words.contains('\x1b');
        assert!(!raw, "the answer reached the terminal: {words:?}");
        (code, words)
    }
}
