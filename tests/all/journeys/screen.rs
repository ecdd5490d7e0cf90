//! The real loop over a screen that remembers what was drawn, with a user who presses keys.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use futures::stream;
use meshscrape::demo::Simulation;
use meshscrape::runtime::{Exit, Input, Screen, run};
use meshscrape::ui::{self, Theme};
use meshscrape::wizard::Msg;
use meshscrape::wizard::state::{Dialog, DialogKind, Start, State, Step};
use meshscrape::world::Demo;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

/// What the screen showed last, and what no cell may ever hold.
struct Drawn {
    area: Rect,
    state: Option<State>,
    /// Questions in the order in which they came up.
    asked: Vec<DialogKind>,
    text: String,
    unsafe_cells: Vec<String>,
}

impl Default for Drawn {
    fn default() -> Self {
        Drawn {
            area: Rect::new(0, 0, 160, 50),
            state: None,
            asked: Vec::new(),
            text: String::new(),
            unsafe_cells: Vec::new(),
        }
    }
}

#[derive(Clone, Default)]
struct Glass(Arc<Mutex<Drawn>>);

/// Control characters, and those that turn a line around.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

impl Screen for Glass {
    fn draw(&mut self, state: &mut State) -> io::Result<()> {
        let area = self.0.lock().unwrap().area;
        state.fit(ui::viewport(state, area));
        let mut buffer = Buffer::empty(area);
        let theme = Theme {
            colour: true,
            ascii: false,
        };
        ui::draw_in(state, &mut buffer, area, theme);
        let mut drawn = self.0.lock().unwrap();
        drawn.text.clear();
        for y in 0..area.height {
            for x in 0..area.width {
                let symbol = buffer[(x, y)].symbol();
                if symbol.chars().any(is_unsafe) {
                    drawn
                        .unsafe_cells
                        .push(format!("{:?}: {symbol:?}", state.step));
                }
                drawn.text.push_str(symbol);
            }
            drawn.text.push('\n');
        }
        let before = drawn.state.as_ref().and_then(|state| state.dialog.clone());
        let kind = |dialog: &Option<Dialog>| dialog.as_ref().map(|dialog| dialog.kind.clone());
        if let Some(now) = kind(&state.dialog)
            && kind(&before) != Some(now.clone())
        {
            drawn.asked.push(now);
        }
        drawn.state = Some(state.clone());
        Ok(())
    }
    fn hit(&self, _: &State, _: u16, _: u16) -> Option<Msg> {
        None
    }
    fn suspend(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn resume(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn copy(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }
}

/// Who sits before it.
pub struct User {
    glass: Glass,
    keys: UnboundedSender<Input>,
}

impl User {
    /// Keys by name or letter, with blanks between.
    pub fn press(&self, keys: &str) {
        for word in keys.split_whitespace() {
            let code = match word {
                "enter" => KeyCode::Enter,
                "esc" => KeyCode::Esc,
                "tab" => KeyCode::Tab,
                "down" => KeyCode::Down,
                "up" => KeyCode::Up,
                "home" => KeyCode::Home,
                "end" => KeyCode::End,
                "space" => KeyCode::Char(' '),
                letter => KeyCode::Char(letter.chars().next().unwrap()),
            };
            let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
            // A loop that ended takes no more keys; whoever waits for what they should do says so.
            let _ = self.keys.send(Input::Event(event));
        }
    }

    /// The window gets another size.
    pub fn resize(&self, width: u16, height: u16) {
        self.glass.0.lock().unwrap().area = Rect::new(0, 0, width, height);
        let _ = self.keys.send(Input::Event(Event::Resize(width, height)));
    }

    /// Every question that was on the screen, in their order.
    pub fn asked(&self) -> Vec<DialogKind> {
        self.glass.0.lock().unwrap().asked.clone()
    }

    pub fn text(&self) -> String {
        self.glass.0.lock().unwrap().text.clone()
    }

    pub fn state<T>(&self, of: impl Fn(&State) -> T) -> T {
        of(self.glass.0.lock().unwrap().state.as_ref().unwrap())
    }

    pub async fn until(&self, what: &str, holds: impl Fn(&State) -> bool) {
        let end = Instant::now() + Duration::from_secs(900);
        loop {
            if self
                .glass
                .0
                .lock()
                .unwrap()
                .state
                .as_ref()
                .is_some_and(&holds)
            {
                return;
            }
            assert!(Instant::now() < end, "never: {what}\n{}", self.text());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Words on the screen, whatever their line breaks.
    pub fn shows(&self, words: &str) -> bool {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let cleaned = self.text().replace(['│', '║', '┃'], " ");
        flat(&cleaned).contains(&flat(words))
    }

    pub async fn sees(&self, words: &str) {
        let end = Instant::now() + Duration::from_secs(900);
        while !self.shows(words) {
            assert!(
                Instant::now() < end,
                "never on the screen: {words}\n{}",
                self.text()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn read(&self) {
        self.until("the cluster is read", |s| {
            !s.cluster.filling && (s.mesh.server.is_some())
        })
        .await;
    }

    pub async fn at(&self, step: Step) {
        self.until(&format!("{step:?}"), |s| s.step == step).await;
    }
}

/// Runs the wizard over this cluster while the user does what they do; then they quit.
pub async fn drive<F: Future<Output = User>>(
    simulation: &Simulation,
    start: Start,
    user: impl FnOnce(User) -> F,
) -> Exit {
    let mut glass = Glass::default();
    let (keys, mut inputs) = unbounded_channel();
    let inputs = Box::pin(stream::poll_fn(move |cx| inputs.poll_recv(cx)));
    let mine = User {
        glass: glass.clone(),
        keys,
    };
    let simulation = simulation.clone();
    let read_only = start.read_only;
    let world = move || -> Box<dyn meshscrape::runtime::World> {
        Box::new(Demo::new(simulation, read_only))
    };
    let ways = async {
        let user = user(mine).await;
        let _ = user.keys.send(Input::Terminate);
        user
    };
    let (exit, _user) = tokio::join!(run(&mut glass, inputs, start, world), ways);
    let drawn = glass.0.lock().unwrap();
    assert!(
        drawn.unsafe_cells.is_empty(),
        "{:?}",
        &drawn.unsafe_cells[..1]
    );
    exit.unwrap()
}
