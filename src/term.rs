//! The terminal: entered, left, and left as it was found whatever happens.
//!
//! `Terminal::clear` is never called: it asks the terminal for the cursor, and the answer would go to the
//! event stream. A screen that has to be drawn whole again gets a new [`ratatui::Terminal`].

use crate::error::{Error, Result};
use crate::runtime::{Input, Screen};
use crate::wizard::state::{State, Viewport};
use crate::wizard::{Key, Msg};
use crate::words::say::wizard as say;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event,
    EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEventKind,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use futures::{Stream, StreamExt, stream};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal};
use rustix::process::{Signal, kill_current_process_group};
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// How the state is drawn; the drawing side gives these three.
#[derive(Clone, Copy)]
pub struct Face {
    pub draw: fn(&State, &mut Frame),
    pub viewport: fn(&State, Rect) -> Viewport,
    /// What lies at a column and row.
    pub hit: fn(&State, Rect, u16, u16) -> Option<Msg>,
}

type Out = CrosstermBackend<BufWriter<Stdout>>;

/// The terminal as a screen of its own; dropped, it is as it was before.
pub struct FullScreen {
    terminal: Terminal<Out>,
    face: Face,
    /// The terminal reports the mouse to us, and does not select text by it.
    mouse: bool,
}

/// The terminal is ours: raw, on its alternate screen.
static TAKEN: AtomicBool = AtomicBool::new(false);

impl FullScreen {
    /// # Errors
    /// Standard input or output is no terminal, or it refuses the modes that are needed.
    pub fn open(face: Face) -> Result<Self> {
        if let Some(why) = no_terminal() {
            return Err(Error::new(say::NEEDS_TERMINAL)
                .cause(why)
                .hint(say::WITHOUT_SCREEN)
                .hint(say::WITHOUT_PIPES));
        }
        restore_on_panic();
        let failed =
            |e: io::Error| Error::new(say::TERMINAL_NOT_SET_UP).cause(crate::fault::io(&e));
        enter().map_err(failed)?;
        let terminal = new_terminal().map_err(|e| {
            leave();
            failed(e)
        })?;
        Ok(FullScreen {
            terminal,
            face,
            mouse: false,
        })
    }

    fn capture(&mut self, mouse: bool) -> io::Result<()> {
        match mouse {
            true => execute!(io::stdout(), EnableMouseCapture)?,
            false => execute!(io::stdout(), DisableMouseCapture)?,
        }
        self.mouse = mouse;
        Ok(())
    }

    fn area(&self) -> Rect {
        self.terminal.size().map_or(Rect::ZERO, Rect::from)
    }
}

impl Screen for FullScreen {
    fn draw(&mut self, state: &mut State) -> io::Result<()> {
        if !TAKEN.load(Ordering::SeqCst) {
            return Err(io::Error::other(say::RESTORED));
        }
        if state.mouse != self.mouse {
            self.capture(state.mouse)?;
        }
        state.fit((self.face.viewport)(state, self.area()));
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let draw = self.face.draw;
        let drawn = self.terminal.draw(|frame| draw(state, frame)).map(|_| ());
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        drawn
    }

    fn hit(&self, state: &State, column: u16, row: u16) -> Option<Msg> {
        (self.face.hit)(state, self.area(), column, row)
    }

    fn suspend(&mut self) -> io::Result<()> {
        leave();
        // The whole job stops, so that the shell that started it gets the terminal; STOP cannot be caught,
        // and nothing after this line runs before the job goes on.
        kill_current_process_group(Signal::STOP)?;
        self.resume()
    }

    fn resume(&mut self) -> io::Result<()> {
        // The shell has set modes of its own meanwhile.
        leave();
        enter()?;
        self.mouse = false;
        self.terminal = new_terminal()?;
        Ok(())
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        let backend = self.terminal.backend_mut();
        write!(backend, "\x1b]52;c;{}\x07", base64(text.as_bytes()))?;
        Write::flush(backend)
    }
}

impl Drop for FullScreen {
    fn drop(&mut self) {
        leave();
    }
}

fn new_terminal() -> io::Result<Terminal<Out>> {
    let out = BufWriter::with_capacity(1 << 16, io::stdout());
    Terminal::new(CrosstermBackend::new(out))
}

fn no_terminal() -> Option<String> {
    if !io::stdin().is_terminal() {
        return Some(say::STDIN_NO_TERMINAL.into());
    }
    if !io::stdout().is_terminal() {
        return Some(say::STDOUT_NO_TERMINAL.into());
    }
    std::env::var("TERM")
        .is_ok_and(|term| term == "dumb")
        .then(|| say::TERM_IS_DUMB.into())
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let entered = execute!(
        io::stdout(),
        EnterAlternateScreen,
        cursor::Hide,
        EnableBracketedPaste
    );
    if entered.is_err() {
        leave();
    }
    entered
}

/// Undoes [`enter`]; a second call does nothing.
fn leave() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // Each by itself: one that fails must not keep the others.
        let mut out = io::stdout();
        let _ = execute!(out, EndSynchronizedUpdate);
        let _ = execute!(out, DisableMouseCapture);
        let _ = execute!(out, DisableBracketedPaste);
        let _ = execute!(out, cursor::Show);
        let _ = execute!(out, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

/// The panic's words come on a terminal that can show them, from whichever thread.
fn restore_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            before(panic);
        }));
    });
}

/// Keys, the mouse, resizes, and the signals that concern the screen.
///
/// # Errors
/// A signal cannot be listened to.
pub fn inputs() -> Result<impl Stream<Item = Input> + Unpin> {
    let listen = |kind: SignalKind, input: fn() -> Input| -> Result<_> {
        let heard = signal(kind).map_err(|e| Error::new(say::NO_SIGNALS).cause(e))?;
        Ok(stream::unfold(heard, move |mut heard| async move {
            heard.recv().await.map(|()| (input(), heard))
        })
        .boxed())
    };
    let stop = SignalKind::from_raw(Signal::TSTP.as_raw());
    let go_on = SignalKind::from_raw(Signal::CONT.as_raw());
    let keys = EventStream::new()
        .map(|event| event.map_or(Input::Ended, Input::Event))
        .chain(stream::once(async { Input::Ended }))
        .boxed();
    Ok(stream::select_all([
        keys,
        listen(SignalKind::terminate(), || Input::Terminate)?,
        listen(SignalKind::hangup(), || Input::Terminate)?,
        listen(SignalKind::interrupt(), || Input::Terminate)?,
        listen(stop, || Input::Suspend)?,
        listen(go_on, || Input::Resumed)?,
    ]))
}

/// A terminal's event as a message. `hit` says what lies under the mouse.
pub fn message(event: Event, hit: impl FnOnce(u16, u16) -> Option<Msg>) -> Option<Msg> {
    match event {
        Event::Key(event) => key(event).map(Msg::Key),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Mouse(event) => match event.kind {
            MouseEventKind::Down(crossterm::event::MouseButton::Left) => {
                hit(event.column, event.row)
            }
            MouseEventKind::ScrollUp => Some(Msg::Wheel(-3)),
            MouseEventKind::ScrollDown => Some(Msg::Wheel(3)),
            _ => None,
        },
        Event::Resize(..) | Event::FocusGained | Event::FocusLost => None,
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    if event.kind != KeyEventKind::Press {
        return None;
    }
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    Some(match event.code {
        KeyCode::Char(c) if control => Key::Ctrl(c.to_ascii_lowercase()),
        KeyCode::Char(_) if event.modifiers.contains(KeyModifiers::ALT) => return None,
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0u32, |word, (at, byte)| {
            word | u32::from(*byte) << (16 - 8 * at)
        });
        for at in 0..4 {
            if at <= chunk.len() {
                out.push(char::from(DIGITS[(word >> (18 - 6 * at)) as usize & 63]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads_as_the_standard_says() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn only_presses_are_keys_and_alt_is_not_a_letter() {
        let press = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        assert_eq!(key(press), Some(Key::Char('q')));
        let release = KeyEvent {
            kind: KeyEventKind::Release,
            ..press
        };
        assert_eq!(key(release), None);
        let alt = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT);
        assert_eq!(key(alt), None);
        let control = KeyEvent::new(KeyCode::Char('C'), KeyModifiers::CONTROL);
        assert_eq!(key(control), Some(Key::Ctrl('c')));
    }
}
