//! Arguments → wizard or command → exit code. The one place that prints errors.
//!
//! It is part of the library, since what the binary itself awaits would be compiled into it a second time.

use crate::cli::{self, Cli, Command, arguments};
use crate::commands::{self, Call};
use crate::demo::Simulation;
use crate::error::{Error, Result};
use crate::runtime::{self, World};
use crate::text::{self, Cleaned};
use crate::wizard::state::Start;
use crate::words::say::commands::errors as say;
use crate::world::{Demo, Real};
use clap::Parser;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(arguments(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let demo = cli.choices.demo;
    let outcome = start(cli);
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let mut said = said(&error);
            if demo {
                said = crate::text::in_demo(&said).into_owned();
            }
            let _ = writeln!(std::io::stderr(), "{said}");
            ExitCode::from(error.kind.exit_code())
        }
    }
}

/// An error as it is printed: a server's words may be in it, which must not drive the terminal.
pub fn said(error: &Error) -> String {
    crate::text::clean(&error.to_string()).into_owned()
}

/// Help and version are no errors; everything else of clap's is exit code 1, since 2 means changes.
fn usage(error: &clap::Error) -> ExitCode {
    if error.kind() == clap::error::ErrorKind::DisplayHelp
        && let Some(help) = cli::help(&std::env::args_os().collect::<Vec<_>>())
    {
        let _ = write!(std::io::stdout(), "{help}");
        return ExitCode::SUCCESS;
    }
    let _ = error.print();
    match error.use_stderr() {
        true => ExitCode::from(1),
        false => ExitCode::SUCCESS,
    }
}

fn start(cli: Cli) -> Result<u8> {
    if let Some(file) = &cli.screen.log {
        log_to(file)?;
    }
    let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let monitor = matches!(
        cli.command,
        Some(Command::Status {
            once: false,
            json: false
        })
    ) && on_terminal;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        // Each thread that decodes keeps memory of its own.
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Error::new(say::NO_THREADS).cause(e))?;
    let code = match cli.command.clone() {
        Some(command) if !monitor => runtime.block_on(command_line(command, &cli)),
        _ => runtime.block_on(wizard(&cli, monitor)),
    };
    runtime.shutdown_background();
    code
}

fn world(cli: &Cli) -> Box<dyn World> {
    if cli.choices.demo {
        Box::new(Demo::new(Simulation::builtin(), cli.choices.read_only))
    } else {
        Box::new(Real {
            kubeconfig: cli.choices.kubeconfig.clone(),
            read_only: cli.choices.read_only,
            choices: cli.choices.clone(),
        })
    }
}

async fn command_line(command: Command, cli: &Cli) -> Result<u8> {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    tokio::spawn(runtime::signals(stop));
    let world = world(cli);
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let call = Call {
        choices: &cli.choices,
        world: world.as_ref(),
        out: &mut out,
        err: &mut err,
        colour: colours(),
        stop: stopped,
    };
    commands::run(command, call).await
}

async fn wizard(cli: &Cli, monitor: bool) -> Result<u8> {
    let answers = cli.choices.answers()?;
    let mouse = cli
        .screen
        .uses_mouse(&answers, |name| std::env::var(name).ok());
    let start = Start {
        mouse,
        answers,
        demo: cli.choices.demo,
        read_only: cli.choices.read_only,
        context: cli.choices.context.clone(),
        no_probe: cli.choices.no_probe,
        monitor,
        timeout: cli.choices.timeout(),
        ascii: cli.screen.ascii,
        break_lock: cli.choices.break_lock,
    };
    runtime::on_terminal(start, || world(cli)).await
}

/// Standard output is a terminal, and nobody asked for none (`NO_COLOR`, not empty; `TERM=dumb`).
fn colours() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    std::io::stdout().is_terminal()
        && set("NO_COLOR").is_none()
        && set("TERM").is_none_or(|term| term != "dumb")
}

/// # Errors
/// The file cannot be made.
fn log_to(file: &std::path::Path) -> Result<()> {
    let out = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .map_err(|e| {
            Error::new(say::log_not_written(&file.display().to_string()))
                .cause(crate::fault::io(&e))
        })?;
    let filter = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("meshscrape", LevelFilter::DEBUG);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        // A log is read in a terminal too.
        .with_writer(std::sync::Mutex::new(Cleaned::new(out, text::Exit::Words)))
        .with_filter(filter);
    tracing_subscriber::registry().with(lines).init();
    Ok(())
}
