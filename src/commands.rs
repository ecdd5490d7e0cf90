//! The engine without a screen: words or JSON, and an exit code. One file a command.

pub mod apply;
pub mod check;
pub mod events;
pub mod export;
pub mod flow;
pub mod json;
pub mod plan;
pub mod runs;
pub mod status;
pub mod undo;
pub mod words;

use crate::cli::{Choices, Command};
use crate::error::{Error, Result};
use crate::plan::undo::found::FOUND;
use crate::runtime::World;
use crate::text::{self, Cleaned};
use crate::words::say::commands as say;
use std::io::Write;

/// Exit codes that are outcomes, not errors (errors have theirs by [`crate::error::Kind`]).
pub mod exit {
    pub use crate::engine::event::{NOT_ALL_UP as NOT_ALL, WELL};
    /// `plan`: there are changes.
    pub const CHANGES: u8 = 2;
}

/// What a command works with.
pub struct Call<'a> {
    pub choices: &'a Choices,
    pub world: &'a dyn World,
    /// Results: words or JSON.
    pub out: &'a mut (dyn Write + Send),
    /// Progress for a person, beside JSON too.
    pub err: &'a mut (dyn Write + Send),
    /// The output is a terminal that shows colours.
    pub colour: bool,
    /// Becomes true with Ctrl-C, SIGTERM or SIGHUP.
    pub stop: tokio::sync::watch::Receiver<bool>,
}

impl Call<'_> {
    /// Notes on the error stream, one a line; where it is closed they are lost, and nothing else.
    pub(crate) fn note(&mut self, lines: &[String]) {
        for line in lines {
            let _ = writeln!(self.err, "{}", say::note(&crate::text::line(line)));
        }
    }
}

/// Runs the command and gives its exit code.
///
/// # Errors
/// Anything that kept the command from its answer; `main` prints it.
pub async fn run(command: Command, call: Call<'_>) -> Result<u8> {
    let exit = match &command {
        Command::Plan { json: true, .. }
        | Command::Apply { json: true, .. }
        | Command::Export { json: true, .. }
        | Command::Status { json: true, .. }
        | Command::Undo { json: true, .. }
        | Command::Check(check::Options { json: true, .. }) => text::Exit::Json,
        _ if call.colour => text::Exit::Colours,
        _ => text::Exit::Words,
    };
    let call = Call {
        colour: call.colour,
        out: &mut Cleaned::new(call.out, exit).of_demo(call.choices.demo),
        err: &mut Cleaned::new(call.err, text::Exit::Words).of_demo(call.choices.demo),
        choices: call.choices,
        world: call.world,
        stop: call.stop,
    };
    match command {
        Command::Plan { json, yaml } => plan::run(call, json, yaml).await,
        Command::Check(options) => check::run(call, &options).await,
        Command::Apply {
            yes,
            lose_history,
            unchecked_pods,
            resume,
            this_cluster,
            json,
        } => {
            let resume = resume.map(|run| flow::Resume { run, this_cluster });
            let word = apply::Yes {
                yes,
                lose_history,
                unchecked_pods,
            };
            apply::run(call, word, resume.as_ref(), json).await
        }
        Command::Export {
            folder,
            overwrite,
            json,
        } => export::run(call, &folder, overwrite, json).await,
        Command::Status { json, .. } => status::run(call, json).await,
        Command::Undo {
            list: true, json, ..
        } => runs::run(call, json).await,
        Command::Undo {
            run,
            only,
            yes,
            lose_history,
            reopen,
            even_changed,
            this_cluster,
            without_record,
            json,
            ..
        } => {
            let word = undo::Yes {
                yes,
                lose_history,
                reopen,
                even_changed,
                this_cluster,
            };
            let run = match without_record {
                true => Some(FOUND),
                false => run.as_deref(),
            };
            undo::run(call, run, &only, word, json).await
        }
    }
}

/// A closed pipe ends the command without a word; anything else is an error.
pub(crate) fn written(result: std::io::Result<()>) -> Result<()> {
    match result {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new(say::OUTPUT_NOT_WRITTEN).cause(crate::fault::io(&e)))
        }
        _ => Ok(()),
    }
}
