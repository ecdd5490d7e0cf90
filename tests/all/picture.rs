//! Pictures for the README, drawn from the real screens over the demo's cluster.
//! `cargo test --test all picture -- --ignored` writes them anew into assets/.

use meshscrape::demo::Simulation;
use meshscrape::runtime::{self, Input, Screen};
use meshscrape::ui::{self, Theme};
use meshscrape::wizard::state::{Start, Step};
use meshscrape::wizard::{Msg, State};
use meshscrape::world::Demo;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use std::fmt::Write;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const AREA: Rect = Rect::new(0, 0, 120, 34);

/// A screen that keeps its last frame and the state behind it.
#[derive(Clone, Default)]
struct Film {
    last: Arc<Mutex<Option<(State, Buffer)>>>,
}

impl Screen for Film {
    fn draw(&mut self, state: &mut State) -> io::Result<()> {
        state.fit(ui::viewport(state, AREA));
        let mut buffer = Buffer::empty(AREA);
        let theme = Theme {
            colour: true,
            ascii: false,
        };
        ui::draw_in(state, &mut buffer, AREA, theme);
        *self.last.lock().unwrap() = Some((state.clone(), buffer));
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

impl Film {
    async fn until(&self, what: &str, holds: impl Fn(&State) -> bool) {
        for _ in 0..6000 {
            if self
                .last
                .lock()
                .unwrap()
                .as_ref()
                .is_some_and(|(s, _)| holds(s))
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never: {what}");
    }

    fn keep(&self, name: &str) {
        let file = format!("{}/assets/{name}.svg", env!("CARGO_MANIFEST_DIR"));
        let last = self.last.lock().unwrap();
        std::fs::write(file, svg(&last.as_ref().unwrap().1)).unwrap();
    }
}

#[tokio::test(start_paused = true)]
#[ignore = "writes the pictures"]
async fn take() {
    let mut screen = Film::default();
    let film = screen.clone();
    let (keys, inputs) = tokio::sync::mpsc::unbounded_channel();
    let inputs = futures::stream::unfold(inputs, |mut inputs| async {
        inputs.recv().await.map(|input| (input, inputs))
    });
    let press = |names: &str| {
        for name in names.split(' ') {
            let code = match name {
                "enter" => KeyCode::Enter,
                "down" => KeyCode::Down,
                "tab" => KeyCode::Tab,
                "space" => KeyCode::Char(' '),
                other => KeyCode::Char(other.chars().next().unwrap()),
            };
            let event = Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
            keys.send(Input::Event(event)).unwrap();
        }
    };
    let start = Start {
        demo: true,
        ..Start::default()
    };
    let user = async {
        film.until("the cluster is read", |s| {
            !s.cluster.filling && !s.mesh.workloads.is_empty()
        })
        .await;
        press("enter enter");
        film.until("namespaces", |s| s.step == Step::Namespaces)
            .await;
        // default, fulfilment (where one target stays DOWN) and shop.
        press("down down space down down space enter");
        film.until("workloads", |s| s.step == Step::Workloads).await;
        press("a enter enter");
        film.until("options", |s| s.step == Step::Options).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        film.keep("options");
        press("enter");
        film.until("the review is whole", |s| {
            s.step == Step::Review && s.review.done
        })
        .await;
        // Past the lock and the record, to what Prometheus's Deployment becomes.
        press("down down");
        tokio::time::sleep(Duration::from_secs(2)).await;
        film.keep("review");
        press("enter tab enter");
        film.until("history is asked for", |s| s.dialog.is_some())
            .await;
        press("tab enter");
        film.until("it writes", |s| s.apply.running).await;
        film.until("the run is over", |s| !s.apply.running).await;
        press("enter");
        film.until("the monitor shows it", |s| {
            s.step == Step::Status && s.status.board.counts.up > 0
        })
        .await;
        tokio::time::sleep(Duration::from_secs(90)).await;
        film.keep("status");
        press("q");
    };
    let world = || Box::new(Demo::new(Simulation::builtin(), false)) as Box<dyn runtime::World>;
    let wizard = runtime::run(&mut screen, Box::pin(inputs), start, world);
    tokio::select! {
        ended = wizard => drop(ended.unwrap()),
        () = async { user.await; std::future::pending::<()>().await } => {}
    }
}

const CELL: (f32, f32) = (8.4, 18.0);

/// A terminal screen as SVG text.
fn svg(buffer: &Buffer) -> String {
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    let (width, height) = (
        f32::from(columns) * CELL.0 + 16.0,
        f32::from(rows) * CELL.1 + 16.0,
    );
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#14181f\"/>\n"
    );
    for y in 0..rows {
        let mut x = 0;
        while x < columns {
            let cell = &buffer[(x, y)];
            let start = x;
            let mut text = String::new();
            while x < columns && buffer[(x, y)].style() == cell.style() {
                text.push_str(buffer[(x, y)].symbol());
                x += 1;
            }
            let reversed = cell.modifier.contains(Modifier::REVERSED);
            let (mut ink, mut paper) = (color(cell.fg, "#d7dce4"), color(cell.bg, "#14181f"));
            if reversed {
                std::mem::swap(&mut ink, &mut paper);
            }
            let (left, top) = (f32::from(start) * CELL.0 + 8.0, f32::from(y) * CELL.1 + 8.0);
            let length = f32::from(x - start) * CELL.0;
            if paper != "#14181f" {
                let _ = writeln!(
                    out,
                    "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"{}\" fill=\"{paper}\"/>",
                    CELL.1
                );
            }
            if text.trim().is_empty() {
                continue;
            }
            let weight = if cell.modifier.contains(Modifier::BOLD) {
                " font-weight=\"bold\""
            } else {
                ""
            };
            let opacity = if cell.modifier.contains(Modifier::DIM) {
                " opacity=\"0.6\""
            } else {
                ""
            };
            let text = text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            let _ = writeln!(
                out,
                "<text xml:space=\"preserve\" x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" \
                 lengthAdjust=\"spacingAndGlyphs\" fill=\"{ink}\"{weight}{opacity}>{text}</text>",
                top + 13.5
            );
        }
    }
    out.push_str("</svg>\n");
    out
}

fn color(color: Color, default: &'static str) -> &'static str {
    match color {
        Color::Black => "#14181f",
        Color::Red | Color::LightRed => "#f2777a",
        Color::Green | Color::LightGreen => "#8fd18f",
        Color::Yellow | Color::LightYellow => "#f0c674",
        Color::Blue | Color::LightBlue => "#7fb4f0",
        Color::Magenta | Color::LightMagenta => "#d39ae0",
        Color::Cyan | Color::LightCyan => "#6fd0d8",
        Color::Gray => "#b8c0cc",
        Color::DarkGray => "#7d8796",
        Color::White => "#ffffff",
        _ => default,
    }
}
