//! The commands over a simulated cluster whose requests may be spoiled.

use crate::journeys::Journey;
use clap::Parser;
use futures::future::BoxFuture;
use http::{Method, Uri};
use meshscrape::cli::Cli;
use meshscrape::cluster::Cluster;
use meshscrape::cluster::stack::{Fault, Spoil};
use meshscrape::commands::{self, Call};
use meshscrape::demo::Simulation;
use meshscrape::engine::session::{Journal, Session};
use meshscrape::error::Error;
use meshscrape::runtime::World;
use meshscrape::wizard::state::Contexts;
use std::sync::Arc;

struct Broken {
    session: Session,
}

impl World for Broken {
    fn contexts(&self) -> Result<Contexts, Error> {
        Ok(Contexts {
            names: vec!["demo".into()],
            current: Some("demo".into()),
        })
    }

    fn connect(&self, _: Option<String>) -> BoxFuture<'static, Result<Session, Error>> {
        let session = self.session.clone();
        Box::pin(async move { Ok(session) })
    }
}

pub struct Program {
    pub journey: Journey,
    world: Broken,
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
            world: Broken { session },
        }
    }

    /// Exit code and words.
    pub async fn run(&self, args: &str) -> (u8, String) {
        let cli = Cli::try_parse_from(args.split_whitespace()).unwrap();
        let (_stop, stopped) = tokio::sync::watch::channel(false);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let call = Call {
            choices: &cli.choices,
            world: &self.world,
            out: &mut out,
            err: &mut err,
            stop: stopped,
        };
        let ended = commands::run(cli.command.unwrap(), call).await;
        let mut words = String::from_utf8(out).unwrap() + &String::from_utf8(err).unwrap();
        let code = match ended {
            Ok(code) => code,
            Err(error) => {
                assert!(!error.hints.is_empty(), "no next step: {error}");
                words += &error.to_string();
                error.kind.exit_code()
            }
        };
        self.journey.dressed();
        assert!(!words.contains('\x1b'), "the answer reached the terminal");
        (code, words)
    }
}
