//! The one loop: keys, signals and the engine's reports become messages, messages change the state, the
//! state's effects go to the engine. It has the thread that draws; work is done elsewhere.

use crate::engine::session::{Journal, Session};
use crate::error::{Error, Result};
use crate::term::{self, Face, FullScreen};
use crate::ui;
use crate::wizard::msg::Wants;
use crate::wizard::state::{Contexts, Start, State};
use crate::wizard::{Effect, Msg, update};
use crate::words::say::wizard as say;
use crossterm::event::Event;
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};
use jobs::{Jobs, Report};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

mod jobs;
#[cfg(test)]
mod tests;
mod view;

/// What the program works in: a real cluster, or the simulated one.
pub trait World: Send + Sync {
    /// Reads the kubeconfig; may block.
    ///
    /// # Errors
    /// It is missing or broken.
    fn contexts(&self) -> Result<Contexts>;
    /// # Errors
    /// The context is unknown, or its credentials cannot be had.
    fn connect(&self, context: Option<String>) -> BoxFuture<'static, Result<Session>>;
    /// The journals of this machine: of that kube-context, or of all. A world that is not of this machine has none.
    ///
    /// # Errors
    /// Their folder is not known, or cannot be read.
    fn journals(&self, _context: Option<&str>) -> Result<Vec<Arc<dyn Journal>>> {
        Ok(Vec::new())
    }
}

/// What the loop draws on.
pub trait Screen {
    /// # Errors
    /// The terminal went away.
    fn draw(&mut self, state: &mut State) -> io::Result<()>;
    /// What lies there, as the message that a click on it means.
    fn hit(&self, state: &State, column: u16, row: u16) -> Option<Msg>;
    /// Gives the terminal to the shell; returns when the program goes on.
    ///
    /// # Errors
    /// The terminal cannot be left or taken again.
    fn suspend(&mut self) -> io::Result<()>;
    /// Takes the terminal again after the program was stopped from outside.
    ///
    /// # Errors
    /// The terminal cannot be taken again.
    fn resume(&mut self) -> io::Result<()>;
    /// Puts text into the terminal's clipboard.
    ///
    /// # Errors
    /// The terminal went away.
    fn copy(&mut self, text: &str) -> io::Result<()>;
}

/// What comes in from the terminal.
#[derive(Clone, Debug)]
pub enum Input {
    Event(Event),
    /// No more keys: the terminal is gone.
    Ended,
    /// SIGTERM, SIGHUP, SIGINT.
    Terminate,
    /// SIGTSTP
    Suspend,
    /// SIGCONT
    Resumed,
}

/// The drawing side.
const FACE: Face = Face {
    draw: ui::draw,
    viewport: ui::viewport,
    hit: ui::hit,
};

/// How the wizard ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    pub code: u8,
    /// What was written and what was not, for the terminal that is left behind.
    pub summary: Vec<String>,
}

/// Spinners turn this often, ages grow this often.
const SPIN: Duration = Duration::from_millis(125);
const AGE: Duration = Duration::from_secs(1);
/// Messages taken in before the next frame at most.
const BURST: usize = 512;

/// The wizard on the program's own terminal. The world is made after the first frame.
///
/// # Errors
/// There is no terminal; or a fault of the program, after which the terminal is as it was.
pub async fn on_terminal(start: Start, world: impl FnOnce() -> Box<dyn World>) -> Result<u8> {
    let mut screen = FullScreen::open(FACE)?;
    let exit = match term::inputs() {
        Ok(inputs) => run(&mut screen, inputs, start, world).await,
        Err(error) => Err(error),
    };
    drop(screen);
    let exit = exit?;
    let mut out = io::stdout();
    for line in &exit.summary {
        let _ = writeln!(out, "{}", crate::text::line(line));
    }
    Ok(exit.code)
}

/// For commands without a screen: says true at the first SIGINT, SIGTERM or SIGHUP.
pub async fn signals(stop: watch::Sender<bool>) {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let heard: Vec<_> = kinds
        .into_iter()
        .filter_map(|kind| signal(kind).ok())
        .collect();
    if heard.is_empty() {
        return;
    }
    let waits = heard.into_iter().map(|mut signal| {
        async move {
            signal.recv().await;
        }
        .boxed()
    });
    futures::future::select_all(waits).await;
    let _ = stop.send(true);
}

/// The loop, over any screen and any input.
///
/// # Errors
/// A task panicked, or the screen cannot be drawn on. Nothing is being written any more when it returns.
pub async fn run(
    screen: &mut dyn Screen,
    inputs: impl Stream<Item = Input> + Unpin,
    start: Start,
    world: impl FnOnce() -> Box<dyn World>,
) -> Result<Exit> {
    let (mut state, effects) = State::new(start);
    // Before the kubeconfig is read and any request is made.
    screen.draw(&mut state).map_err(lost)?;
    let (tx, rx) = mpsc::unbounded_channel();
    let jobs = Jobs::new(Arc::from(world()), tx, &state.start);
    let mut looped = Loop {
        screen,
        state,
        jobs,
        reports: rx,
        ticked: Instant::now(),
        looked: Instant::now(),
        over: false,
    };
    looped.obey(effects)?;
    let ended = looped.turn(inputs).await;
    looped.jobs.end_writing().await;
    ended?;
    Ok(looped.exit())
}

fn lost(error: io::Error) -> Error {
    Error::new(say::TERMINAL_LOST).cause(error)
}

struct Loop<'a> {
    screen: &'a mut dyn Screen,
    state: State,
    jobs: Jobs,
    reports: mpsc::UnboundedReceiver<Report>,
    /// When spinners and ages last moved on.
    ticked: Instant,
    /// When the cluster was last asked anew because something is missing.
    looked: Instant,
    over: bool,
}

impl Loop<'_> {
    async fn turn(&mut self, inputs: impl Stream<Item = Input> + Unpin) -> Result<()> {
        let mut inputs = inputs.fuse();
        while !self.over {
            let wants = self.state.wants();
            let tick = match (wants.spinner, wants.clock) {
                (true, _) => Some(SPIN),
                (false, true) => Some(AGE),
                (false, false) => None,
            };
            let next_tick = self.ticked + tick.unwrap_or_default();
            let next_look = self.looked + wants.rediscover.unwrap_or_default();
            tokio::select! {
                Some(input) = inputs.next() => {
                    // Keys that wait already: one frame for all of them. A question that comes up, and a window of
                    // another size, are drawn before the next key.
                    let mut drawn_first = self.input(input)?;
                    for _ in 0..BURST {
                        if drawn_first || self.over {
                            break;
                        }
                        match inputs.next().now_or_never() {
                            Some(Some(input)) => drawn_first = self.input(input)?,
                            _ => break,
                        }
                    }
                }
                Some(report) = self.reports.recv() => {
                    self.report(report)?;
                    for _ in 0..BURST {
                        match self.reports.try_recv() {
                            Ok(report) if !self.over => self.report(report)?,
                            _ => break,
                        }
                    }
                }
                ended = self.jobs.ended() => ended?,
                () = sleep_until(next_tick), if tick.is_some() => {
                    self.ticked = Instant::now();
                    let now = self.jobs.now();
                    self.tell(Msg::Tick(now))?;
                }
                () = sleep_until(next_look), if wants.rediscover.is_some() => {
                    self.tell(Msg::Rediscover)?;
                }
            }
            self.follow(wants);
            if !self.over {
                self.screen.draw(&mut self.state).map_err(lost)?;
            }
        }
        Ok(())
    }

    /// Subscriptions that the new state no longer wants end; a wait that begins, begins now.
    fn follow(&mut self, before: Wants) {
        let wants = self.state.wants();
        if !wants.watch {
            self.jobs.stop_watching();
        }
        if before.rediscover.is_none() {
            self.looked = Instant::now();
        }
        if !(before.spinner || before.clock) {
            self.ticked = Instant::now();
        }
    }

    /// `true`: what is to be answered next, or where it is drawn, is another now.
    fn input(&mut self, input: Input) -> Result<bool> {
        let asked = |state: &State| state.dialog.as_ref().map(|dialog| dialog.kind.clone());
        let before = asked(&self.state);
        let resized = matches!(input, Input::Event(Event::Resize(..)));
        self.take_in(input)?;
        Ok(resized || asked(&self.state) != before)
    }

    fn take_in(&mut self, input: Input) -> Result<()> {
        match input {
            Input::Event(event) => {
                let (screen, state) = (&*self.screen, &self.state);
                let msg = term::message(event, |column, row| screen.hit(state, column, row));
                msg.map_or(Ok(()), |msg| self.tell(msg))
            }
            Input::Ended | Input::Terminate => self.tell(Msg::Interrupt),
            Input::Suspend => self.screen.suspend().map_err(lost),
            Input::Resumed => self.screen.resume().map_err(lost),
        }
    }

    fn report(&mut self, report: Report) -> Result<()> {
        match report {
            Report::Msg(msg) => {
                let discovered = matches!(msg, Msg::Mesh { last: true, .. });
                if discovered {
                    self.looked = Instant::now();
                }
                self.tell(msg)
            }
            Report::Connected(generation, result) => {
                let result = if generation == self.state.generations.connect {
                    result.map(|session| self.jobs.session(session))
                } else {
                    result.map(|_| ())
                };
                self.tell(Msg::Connected(generation, result))
            }
        }
    }

    fn tell(&mut self, msg: Msg) -> Result<()> {
        let effects = update(&mut self.state, msg);
        self.obey(effects)
    }

    fn obey(&mut self, effects: Vec<Effect>) -> Result<()> {
        for effect in effects {
            match effect {
                Effect::Quit => self.over = true,
                Effect::Suspend => self.screen.suspend().map_err(lost)?,
                Effect::Copy(text) => {
                    let copied = self.screen.copy(&text).map_err(lost);
                    let more = update(&mut self.state, Msg::Copied(copied));
                    debug_assert!(more.is_empty());
                }
                other => self.jobs.begin(other),
            }
        }
        Ok(())
    }

    fn exit(&self) -> Exit {
        let mut summary = self.state.apply.summary.clone();
        summary.extend(self.state.next_commands());
        Exit {
            code: self.state.exit_code(),
            summary,
        }
    }
}
