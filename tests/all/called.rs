//! A command of the program, called as its `main` calls it.

use clap::Parser;
use futures::future::BoxFuture;
use meshscrape::cli::{Cli, arguments};
use meshscrape::commands::{self, Call};
use meshscrape::engine::session::Session;
use meshscrape::error::{Error, Result};
use meshscrape::program;
use meshscrape::runtime::World;
use meshscrape::wizard::state::Contexts;
use std::ffi::OsString;

/// What came of a command.
pub struct Called {
    pub ended: Result<u8>,
    pub out: String,
    pub err: String,
}

pub async fn call(world: &dyn World, args: &str) -> Called {
    let words = args.split_whitespace().map(OsString::from);
    let cli = Cli::try_parse_from(arguments(words)).unwrap();
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let call = Call {
        choices: &cli.choices,
        world,
        out: &mut out,
        err: &mut err,
        colour: false,
        stop: stopped,
    };
    let ended = commands::run(cli.command.unwrap(), call).await;
    Called {
        ended,
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

impl Called {
    /// Exit code, and all that was said.
    pub fn told(self) -> (u8, String) {
        let mut words = self.out + &self.err;
        let code = self.ended.unwrap_or_else(|error| {
            words += &program::said(&error);
            error.kind.exit_code()
        });
        (code, words)
    }
}

/// The one cluster of a session.
pub struct Over(pub Session);

impl World for Over {
    fn contexts(&self) -> Result<Contexts> {
        Ok(Contexts {
            names: vec!["demo".into()],
            current: Some("demo".into()),
        })
    }

    fn connect(
        &self,
        _: Option<String>,
    ) -> BoxFuture<'static, std::result::Result<Session, Error>> {
        let session = self.0.clone();
        Box::pin(async move { Ok(session) })
    }
}
