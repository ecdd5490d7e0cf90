//! The loop over a screen and a world of its own: order, panics, signals, and the whole way on the demo.

use super::{Input, Screen, World, run};
use crate::demo::Simulation;
use crate::engine::event::{Ended, Outcome};
use crate::engine::session::Session;
use crate::error::{Error, Result};
use crate::text::few;
use crate::wizard::Msg;
use crate::wizard::keymap::Key;
use crate::wizard::state::{Connection, Contexts, Start, State, Step};
use crate::words::say::wizard as say;
use crate::world::Demo;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use futures::future::BoxFuture;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, timeout};
use tokio_stream_of::receiver;

/// A receiver as a stream, without a crate for it.
mod tokio_stream_of {
    use futures::{Stream, stream};
    use tokio::sync::mpsc::UnboundedReceiver;

    pub fn receiver<T: Unpin + 'static>(
        from: UnboundedReceiver<T>,
    ) -> impl Stream<Item = T> + Unpin {
        Box::pin(stream::unfold(from, |mut from| async move {
            from.recv().await.map(|item| (item, from))
        }))
    }
}

/// What happened, in order.
type Story = Arc<Mutex<Vec<String>>>;

/// Remembers the last state that was drawn.
#[derive(Clone, Default)]
struct Seen {
    state: Arc<Mutex<Option<State>>>,
    story: Story,
    frames: Arc<Mutex<usize>>,
}

impl Screen for Seen {
    fn draw(&mut self, state: &mut State) -> io::Result<()> {
        self.story.lock().unwrap().push("frame".into());
        *self.frames.lock().unwrap() += 1;
        *self.state.lock().unwrap() = Some(state.clone());
        Ok(())
    }
    fn hit(&self, _: &State, _: u16, _: u16) -> Option<Msg> {
        None
    }
    fn suspend(&mut self) -> io::Result<()> {
        self.story.lock().unwrap().push("suspend".into());
        Ok(())
    }
    fn resume(&mut self) -> io::Result<()> {
        self.story.lock().unwrap().push("resume".into());
        Ok(())
    }
    fn copy(&mut self, text: &str) -> io::Result<()> {
        self.story.lock().unwrap().push(format!("copy {text}"));
        Ok(())
    }
}

impl Seen {
    /// How the last run ended.
    fn ended(&self) -> Outcome {
        let state = self.state.lock().unwrap();
        state.as_ref().unwrap().apply.outcome.clone().unwrap()
    }
    /// Waits until a drawn state is so; says what was drawn last if it never is.
    async fn until(&self, what: &str, holds: impl Fn(&State) -> bool) {
        let end = Instant::now() + Duration::from_secs(600);
        loop {
            if self.state.lock().unwrap().as_ref().is_some_and(&holds) {
                return;
            }
            if Instant::now() > end {
                let state = self.state.lock().unwrap();
                let state = state.as_ref().unwrap();
                panic!(
                    "never: {what}; {:?} {:?} {:?} {:?} {:?}",
                    state.step, state.notice, state.dialog, state.apply, state.status.board
                );
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn press(to: &UnboundedSender<Input>, keys: &str) {
    for word in keys.split(' ') {
        let code = match word {
            "enter" => KeyCode::Enter,
            "tab" => KeyCode::Tab,
            "down" => KeyCode::Down,
            "space" => KeyCode::Char(' '),
            letter => KeyCode::Char(letter.chars().next().unwrap()),
        };
        let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
        to.send(Input::Event(event)).unwrap();
    }
}

/// A world that says when it is asked.
struct Told {
    story: Story,
    panics: bool,
}

impl World for Told {
    fn contexts(&self) -> Result<Contexts> {
        assert!(!self.panics, "the kubeconfig made it fall");
        self.story.lock().unwrap().push("contexts".into());
        Ok(Contexts {
            names: vec!["one".into()],
            current: Some("one".into()),
        })
    }
    fn connect(&self, _: Option<String>) -> BoxFuture<'static, Result<Session>> {
        self.story.lock().unwrap().push("connect".into());
        Box::pin(async { Err(Error::new("no way to the cluster")) })
    }
}

#[tokio::test]
async fn the_first_frame_comes_before_anything_is_read_or_asked() {
    let mut screen = Seen::default();
    let story = screen.story.clone();
    let (keys, inputs) = unbounded_channel();
    let seen = screen.clone();
    let told = story.clone();
    let world = || -> Box<dyn World> {
        told.lock().unwrap().push("world".into());
        Box::new(Told {
            story: told.clone(),
            panics: false,
        })
    };
    let user = async {
        seen.until("a connection that failed", |s| {
            matches!(s.cluster.connection, Connection::Failed(_))
        })
        .await;
        press(&keys, "q");
    };
    let (exit, ()) = tokio::join!(
        run(&mut screen, receiver(inputs), Start::default(), world),
        user
    );
    assert_eq!(exit.unwrap().code, 0);
    let story = story.lock().unwrap();
    let first = |word: &str| story.iter().position(|w| w == word).unwrap();
    assert_eq!(first("frame"), 0);
    assert!(first("world") < first("contexts") && first("contexts") < first("connect"));
}

#[tokio::test]
async fn a_panic_in_a_task_ends_the_loop_with_its_words() {
    let mut screen = Seen::default();
    let story = screen.story.clone();
    let (_keys, inputs) = unbounded_channel();
    let world = || -> Box<dyn World> {
        Box::new(Told {
            story,
            panics: true,
        })
    };
    let ended = run(&mut screen, receiver(inputs), Start::default(), world);
    let error = timeout(Duration::from_secs(60), ended)
        .await
        .unwrap()
        .unwrap_err();
    assert!(
        error.causes[0].contains("the kubeconfig made it fall"),
        "{error}"
    );
}

#[tokio::test]
async fn signals_and_the_end_of_input_end_it_and_a_stop_gives_the_terminal_away() {
    for last in [Input::Terminate, Input::Ended] {
        let mut screen = Seen::default();
        let story = screen.story.clone();
        let (keys, inputs) = unbounded_channel();
        for input in [Input::Suspend, Input::Resumed, last] {
            keys.send(input).unwrap();
        }
        let told = story.clone();
        let world = || -> Box<dyn World> {
            Box::new(Told {
                story: told,
                panics: false,
            })
        };
        let ended = run(&mut screen, receiver(inputs), Start::default(), world);
        let exit = timeout(Duration::from_secs(60), ended)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(exit.code, 0);
        let story = story.lock().unwrap();
        assert!(story.iter().any(|w| w == "suspend") && story.iter().any(|w| w == "resume"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_screen_is_not_drawn_again() {
    let mut screen = Seen::default();
    let seen = screen.clone();
    let story = screen.story.clone();
    let (keys, inputs) = unbounded_channel();
    let world = || -> Box<dyn World> {
        Box::new(Told {
            story,
            panics: false,
        })
    };
    let user = async {
        seen.until("a connection that failed", |s| {
            matches!(s.cluster.connection, Connection::Failed(_))
        })
        .await;
        let before = *seen.frames.lock().unwrap();
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(*seen.frames.lock().unwrap(), before);
        press(&keys, "q");
    };
    let (exit, ()) = tokio::join!(
        run(&mut screen, receiver(inputs), Start::default(), world),
        user
    );
    exit.unwrap();
}

fn demo() -> Box<dyn World> {
    let simulation = Simulation::builtin();
    simulation.latency(false);
    Box::new(Demo::new(simulation, false))
}

/// Secures httpbin by keys, from the first screen to a green target; then takes it back.
#[tokio::test(start_paused = true)]
async fn the_demo_goes_green_within_fifteen_keys_and_two_minutes_and_back() {
    let mut screen = Seen::default();
    let seen = screen.clone();
    let (keys, inputs) = unbounded_channel();
    let start = Start {
        demo: true,
        ..Start::default()
    };
    let user = async {
        let began = Instant::now();
        let count = std::cell::Cell::new(0);
        let press = |text: &str| {
            count.set(count.get() + text.split(' ').count());
            press(&keys, text);
        };
        seen.until("the cluster is read", |s| {
            !s.cluster.filling && !s.mesh.workloads.is_empty()
        })
        .await;
        // The third namespace is default, whose one workload is httpbin.
        press("enter enter down down space enter a enter enter enter");
        seen.until("the review is whole", |s| {
            s.step == Step::Review && s.review.done
        })
        .await;
        press("enter tab enter");
        seen.until("history is asked for", |s| s.dialog.is_some())
            .await;
        press("tab enter");
        seen.until("it writes", |s| s.apply.running).await;
        seen.until("a green target", |s| s.newest_board().counts.up > 0)
            .await;
        assert!(count.get() <= 15, "{} keys", count.get());
        let took = began.elapsed();
        assert!(took < Duration::from_secs(120), "{took:?}");
        seen.until("the run is over", |s| !s.apply.running).await;
        press("enter");
        seen.until("the monitor shows it", |s| {
            s.step == Step::Status && s.status.board.counts.up == 1
        })
        .await;
        press("u");
        seen.until("the undo is reviewed", |s| {
            s.step == Step::Review && s.review.undoes.is_some() && s.review.done
        })
        .await;
        press("enter tab enter");
        seen.until("it takes back, or asks for history", |s| {
            s.dialog
                .as_ref()
                .is_some_and(|d| matches!(d.kind, crate::wizard::state::DialogKind::ConfirmHistory))
                || s.apply.undoing
        })
        .await;
        let asks = seen
            .state
            .lock()
            .unwrap()
            .as_ref()
            .unwrap()
            .dialog
            .is_some();
        if asks {
            press("tab enter");
        }
        seen.until("it is taken back", |s| {
            s.apply.undoing && s.apply.outcome.is_some()
        })
        .await;
        press("q");
    };
    let (exit, ()) = tokio::join!(run(&mut screen, receiver(inputs), start, demo), user);
    let exit = exit.unwrap();
    assert_eq!(exit.code, 0, "{exit:?}");
    let ended = seen.ended();
    assert_eq!(ended.ended, Ended::Whole, "{exit:?}");
    let written = say::changes(ended.written.len());
    assert_eq!(exit.summary[0], say::run_undone(&written), "{exit:?}");
}

/// Quitting in the midst of it stops between two writes and says what was written.
#[tokio::test(start_paused = true)]
async fn quitting_while_it_writes_says_what_was_written() {
    let mut screen = Seen::default();
    let seen = screen.clone();
    let (keys, inputs) = unbounded_channel();
    let start = Start {
        demo: true,
        ..Start::default()
    };
    let user = async {
        seen.until("the cluster is read", |s| {
            !s.cluster.filling && !s.mesh.workloads.is_empty()
        })
        .await;
        press(
            &keys,
            "enter enter down down space enter a enter enter enter",
        );
        seen.until("the review is whole", |s| {
            s.step == Step::Review && s.review.done
        })
        .await;
        press(&keys, "enter tab enter tab enter");
        seen.until("it writes", |s| {
            s.apply.running && s.apply.progress().0 == 3
        })
        .await;
        keys.send(Input::Terminate).unwrap();
    };
    let (exit, ()) = tokio::join!(run(&mut screen, receiver(inputs), start, demo), user);
    let exit = exit.unwrap();
    assert_eq!(exit.code, 5, "{exit:?}");
    let names: Vec<String> = {
        let state = seen.state.lock().unwrap();
        let rows = &state.as_ref().unwrap().apply.rows.rows;
        rows.iter().map(|row| row.id.object()).collect()
    };
    let cut = (1..names.len()).find(|cut| {
        let (written, missing) = names.split_at(*cut);
        exit.summary.contains(&say::applied(&few(written, 8)))
            && exit.summary.contains(&say::not_applied(&few(missing, 8)))
    });
    assert!(cut.is_some(), "{exit:?}");
}

#[test]
fn keys_of_the_terminal_are_keys_of_the_wizard() {
    let event = Event::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE));
    let msg = crate::term::message(event, |_, _| None);
    assert!(matches!(msg, Some(Msg::Key(Key::Enter))));
}
