//! What the wizard looks like, step by step.

mod fixtures;

use fixtures::state;
use meshscrape::error::Error;
use meshscrape::ui::{self, Theme};
use meshscrape::wizard::list::{List, Row};
use meshscrape::wizard::state::{Connection, LineSign, ReviewMode, Tone};
use meshscrape::wizard::{Action, Msg, State, Step, Target, keymap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use std::sync::Arc;

const PLAIN: Theme = Theme {
    colour: true,
    ascii: false,
};

/// A frame as the runtime draws it: fitted, then drawn.
fn buffer_in(state: &mut State, width: u16, height: u16, theme: Theme) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    state.fit(ui::viewport(state, area));
    let mut buffer = Buffer::empty(area);
    ui::draw_in(state, &mut buffer, area, theme);
    buffer
}

fn buffer(state: &mut State, width: u16, height: u16) -> Buffer {
    buffer_in(state, width, height, PLAIN)
}

fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut out = String::new();
    for y in area.top()..area.bottom() {
        let mut line = String::new();
        let mut skip = 0;
        for x in area.left()..area.right() {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn screen(state: &mut State, width: u16, height: u16) -> String {
    text(&buffer(state, width, height))
}

/// Both sizes of one state, under one name.
macro_rules! both {
    ($name:expr, $state:expr) => {{
        let mut state = $state;
        insta::assert_snapshot!(concat!($name, "_80x24"), screen(&mut state, 80, 24));
        insta::assert_snapshot!(concat!($name, "_120x40"), screen(&mut state, 120, 40));
    }};
}

fn with(step: Step, change: impl FnOnce(&mut State)) -> State {
    let mut state = state(step);
    change(&mut state);
    state
}

#[test]
fn every_step() {
    both!("1_cluster", state(Step::Cluster));
    both!("2_prometheus", state(Step::Prometheus));
    both!("3_namespaces", state(Step::Namespaces));
    both!("4_workloads", state(Step::Workloads));
    both!("5_gateways", state(Step::Gateways));
    both!("6_options", state(Step::Options));
    both!("7_review", state(Step::Review));
    both!("8_apply", state(Step::Apply));
    both!("9_status", state(Step::Status));
}

#[test]
fn other_faces_of_the_steps() {
    both!("1_contexts", with(Step::Cluster, fixtures::contexts));
    both!(
        "1_unreachable",
        with(Step::Cluster, |state| {
            state.cluster.connection = Connection::Failed(
                Error::new("the API server of prod-eu did not answer within 5 s")
                    .cause("https://10.0.0.1:6443: connection timed out")
                    .hint("check the VPN, or choose another context with c"),
            );
        })
    );
    both!(
        "2_none",
        with(Step::Prometheus, |state| {
            state.prometheus = List::default();
            state.answers.prometheus = None;
        })
    );
    both!(
        "2_operator",
        with(Step::Prometheus, |state| {
            fixtures::read(state);
            state.prometheus.cursor = 1;
            state.detail = true;
        })
    );
    both!("4_filling", with(Step::Workloads, fixtures::filling));
    both!(
        "4_filter",
        with(Step::Workloads, |state| {
            state.workloads.filter.text = "inv".into();
            state.workloads.filter.editing = true;
        })
    );
    both!(
        "6_pace",
        with(Step::Options, |state| {
            state.options.rows.cursor = 2;
            state.options.column = 2;
        })
    );
    both!("6_each", with(Step::Options, fixtures::each));
    both!(
        "7_conflict",
        with(Step::Review, |state| {
            state.review.rows.cursor = 6;
            state.review.view = None;
        })
    );
    both!(
        "7_side_by_side",
        with(Step::Review, |state| state.review.mode =
            ReviewMode::SideBySide)
    );
    both!("7_whole", with(Step::Review, fixtures::reviewed));
    both!("8_failed", with(Step::Apply, fixtures::failed));
    both!(
        "8_rollout_failed",
        with(Step::Apply, fixtures::rollout_failed)
    );
    both!("8_ended", with(Step::Apply, fixtures::ended));
    both!(
        "9_one_up",
        with(Step::Status, |state| state.status.rows.cursor = 0)
    );
    both!(
        "0_start",
        State {
            ticks: 3,
            ..State::default()
        }
    );
}

#[test]
fn what_lies_over_a_step() {
    both!("over_confirm", with(Step::Review, fixtures::confirm));
    both!("over_file", with(Step::Review, fixtures::ask_file));
    both!("over_export", with(Step::Review, fixtures::ask_folder));
    both!(
        "over_export_again",
        with(Step::Review, fixtures::folder_taken)
    );
    both!("over_exported", with(Step::Review, fixtures::exported));
    both!(
        "over_help",
        with(Step::Workloads, |state| state.help = true)
    );
    both!(
        "over_notice",
        with(Step::Options, |state| {
            state.start.demo = true;
            state.start.read_only = true;
            fixtures::note(
                state,
                Tone::Bad,
                "The file /etc/answers.yaml could not be written: permission denied",
            );
        })
    );
    for (name, step) in [
        ("detail_2", Step::Prometheus),
        ("detail_4", Step::Workloads),
        ("detail_6", Step::Options),
        ("detail_7", Step::Review),
    ] {
        let mut state = with(step, |state| state.detail = true);
        insta::assert_snapshot!(name, screen(&mut state, 80, 24));
    }
}

#[test]
fn a_filter_takes_no_key_from_the_footer() {
    let workloads = with(Step::Workloads, |state| {
        state.workloads.filter.text = "shop".into();
    });
    let status = with(Step::Status, |state| {
        state.status.rows.filter.text = "shop".into();
    });
    for mut state in [workloads, status] {
        let said = screen(&mut state, 80, 24);
        for key in ["i detail", "? help", "q quit", "esc clear filter"] {
            assert!(said.contains(key), "{said}");
        }
    }
}

#[test]
fn too_small_a_screen_says_which_size_is_needed() {
    for (width, height) in [(59, 24), (80, 15), (10, 3), (1, 1)] {
        let said = screen(&mut state(Step::Workloads), width, height);
        assert!(!said.contains("Workloads"), "{said}");
        if width > 40 {
            assert_eq!(
                said.lines().next().map(str::to_owned),
                Some(format!("meshscrape needs 60×16, this is {width}×{height}"))
            );
        }
    }
}

#[test]
fn every_size_is_drawn_without_overflow() {
    for step in Step::ALL {
        for (width, height) in [(60, 16), (61, 17), (79, 20), (99, 50), (100, 16), (250, 80)] {
            for change in [|_: &mut State| (), |state: &mut State| state.detail = true] {
                let mut state = with(step, change);
                screen(&mut state, width, height);
            }
        }
    }
}

/// The row of the screen that holds a text.
/// What a wider window adds beside the list is not taken from the names in it.
#[test]
fn a_hundred_columns_show_every_name_that_eighty_do() {
    use fixtures::cluster::{gateways, namespace, workload};
    for step in [Step::Workloads, Step::Gateways, Step::Namespaces] {
        let mut whole_at_80 = 0;
        for length in 8..40 {
            let name: String = "reconcile-".chars().cycle().take(length).collect();
            let row = match step {
                Step::Workloads => Row::Workload(Arc::new(workload("shop", &name))),
                Step::Gateways => {
                    let mut gateway = (*gateways()[0]).clone();
                    gateway.workload.id.name = name.clone();
                    Row::Gateway(Arc::new(gateway))
                }
                _ => Row::Namespace {
                    namespace: Arc::new(namespace(
                        &name,
                        meshscrape::mesh::NamespaceInjection::Enabled,
                        [1, 1, 1, 1],
                    )),
                    open: false,
                    choosable: 1,
                    shown: 1,
                    closed: None,
                    held: None,
                },
            };
            let mut state = with(step, |state| {
                let list = match step {
                    Step::Workloads => &mut state.workloads,
                    Step::Gateways => &mut state.gateways,
                    _ => &mut state.namespaces,
                };
                list.rows = vec![row].into();
                list.cursor = 0;
                list.offset = 0;
            });
            if screen(&mut state, 80, 30).contains(&name) {
                whole_at_80 = length;
                for width in [100, 110, 119] {
                    let wider = screen(&mut state, width, 30);
                    assert!(wider.contains(&name), "{width} columns:\n{wider}");
                }
            }
        }
        assert!(whole_at_80 > 8, "{step:?}");
    }
}

fn row_of(buffer: &Buffer, needle: &str) -> u16 {
    let text = text(buffer);
    let at = text.lines().position(|line| line.contains(needle));
    at.unwrap_or_else(|| panic!("no {needle:?} in\n{text}")) as u16
}

#[test]
fn the_row_under_the_cursor_is_marked_without_colour() {
    for theme in [
        PLAIN,
        Theme {
            colour: false,
            ascii: true,
        },
    ] {
        let mut state = state(Step::Workloads);
        state.workloads.cursor = 1;
        let buffer = buffer_in(&mut state, 120, 40, theme);
        let reversed = |y: u16| {
            (22..60).all(|x| {
                let modifier = buffer[(x + 3, y)].modifier;
                modifier.contains(Modifier::REVERSED | Modifier::BOLD)
            })
        };
        let invoice = row_of(&buffer, "chosen: 1, available: 2 of 3") + 1;
        assert!(reversed(invoice));
        assert!(!reversed(invoice + 1));
    }
}

#[test]
fn no_color_means_none() {
    let theme = Theme {
        colour: false,
        ascii: false,
    };
    for step in Step::ALL {
        let buffer = buffer_in(&mut state(step), 120, 40, theme);
        for cell in &buffer.content {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
        }
    }
    let theme = Theme::from_env(false, |name| match name {
        "NO_COLOR" => Some("1".into()),
        "LANG" => Some("de_DE.UTF-8".into()),
        _ => None,
    });
    assert!(!theme.colour && !theme.ascii);
    let latin = Theme::from_env(false, |name| {
        (name == "LC_ALL").then(|| "de_DE.ISO-8859-1".into())
    });
    assert!(latin.colour && latin.ascii);
    assert!(Theme::from_env(false, |_| None).ascii);
}

#[test]
fn ascii_has_a_twin_for_every_glyph() {
    let theme = Theme {
        colour: true,
        ascii: true,
    };
    let changes: [fn(&mut State); 7] = [
        |_| (),
        fixtures::contexts,
        fixtures::filling,
        fixtures::failed,
        fixtures::ended,
        fixtures::confirm,
        |state| state.start.demo = true,
    ];
    for step in Step::ALL {
        for change in changes {
            for width in [80, 120] {
                let mut plain = with(step, change);
                let drawn = screen(&mut plain, width, 40);
                let ascii = text(&buffer_in(&mut plain, width, 40, theme));
                assert!(ascii.is_ascii(), "{ascii}");
                assert_eq!(
                    ascii.matches('?').count(),
                    drawn.matches('?').count(),
                    "a glyph without a twin in\n{drawn}\n{ascii}"
                );
            }
        }
    }
}

#[test]
fn names_from_the_cluster_cannot_steer_the_terminal() {
    let hostile = "evil\x1b[31m\u{202e}\u{9b}2J\r\n";
    let mut state = with(Step::Workloads, |state| {
        let mut one = fixtures::workload("shop", hostile);
        one.services[0].service = hostile.into();
        state.workloads.rows = Arc::from(vec![Row::Workload(Arc::new(one))]);
        state.workloads.cursor = 0;
        state.cluster.context = Some(hostile.into());
        fixtures::note(state, Tone::Bad, hostile);
    });
    let mut seen = 0;
    let mut check = |buffer: Buffer| {
        for cell in &buffer.content {
            assert!(
                !cell
                    .symbol()
                    .chars()
                    .any(|c| c.is_control() || c == '\u{202e}'),
                "{:?}",
                cell.symbol()
            );
        }
        seen += text(&buffer).matches('␛').count();
    };
    check(buffer(&mut state, 120, 40));
    state = with(Step::Status, |_| ());
    let target = fixtures::target(
        hostile,
        hostile,
        hostile,
        meshscrape::targets::State::Down {
            error: hostile.into(),
            cause: None,
        },
    );
    state.status.rows.rows = Arc::from(vec![Arc::new(target)]);
    state.status.rows.cursor = 0;
    check(buffer(&mut state, 120, 40));
    state = with(Step::Apply, |_| ());
    state.apply.log.push_back(hostile.into());
    check(buffer(&mut state, 80, 24));
    let mut state = with(Step::Review, |state| {
        let view = Arc::make_mut(state.review.view.as_mut().expect("a view"));
        view.unified[0].sign = LineSign::Added;
        view.unified[0].pieces = vec![(true, hostile.into())];
    });
    check(buffer(&mut state, 120, 40));
    assert!(seen >= 5, "hostile text was seen {seen} times");
}

#[test]
fn wide_characters_stay_in_their_columns() {
    let mut state = with(Step::Workloads, |state| {
        let mut rows = state.workloads.rows.to_vec();
        rows[1] = Row::Workload(Arc::new(fixtures::workload(
            "billing",
            "請求書サービスの長い名前で列からはみ出すもの",
        )));
        state.workloads.rows = rows.into();
    });
    for (width, height) in [(80, 24), (100, 30), (120, 40)] {
        let buffer = buffer(&mut state, width, height);
        let row = row_of(&buffer, "請求");
        let other = row_of(&buffer, "httpbin");
        let border = |y: u16| -> Vec<u16> {
            (0..width)
                .filter(|x| buffer[(*x, y)].symbol() == "│")
                .collect()
        };
        assert_eq!(border(row), border(other));
        assert!(text(&buffer).contains("plaintext 15020"));
    }
}

#[test]
fn ten_thousand_rows_look_like_a_hundred() {
    let many = |count: usize| {
        with(Step::Workloads, |state| {
            let rows = (0..count).map(|at| {
                Row::Workload(Arc::new(fixtures::workload("shop", &format!("w-{at:05}"))))
            });
            state.workloads = List {
                rows: rows.collect(),
                cursor: 3,
                ..List::default()
            };
        })
    };
    // The scrollbar alone may tell them apart.
    let plain = |text: String| text.replace('┃', "│");
    assert_eq!(
        plain(screen(&mut many(100), 120, 40)),
        plain(screen(&mut many(10_000), 120, 40))
    );
    let mut end = many(10_000);
    end.workloads.cursor = 9_999;
    let text = screen(&mut end, 120, 40);
    assert!(text.contains("w-09999") && !text.contains("w-09000"));
}

#[test]
fn the_footer_holds_only_keys_that_work() {
    for step in Step::ALL {
        let mut state = state(step);
        for width in [60, 80, 120, 200] {
            let text = screen(&mut state, width, 24);
            let footer = text.lines().last().unwrap_or_default().to_owned();
            assert!(
                footer.contains("? help") && footer.contains("q quit")
                    || footer.ends_with("? all keys"),
                "{footer}"
            );
            for binding in keymap::keys(&state).iter().filter(|b| !b.works()) {
                let words = format!(" {} {}", binding.key, binding.label);
                let same = keymap::footer(&state)
                    .iter()
                    .any(|b| format!(" {} {}", b.key, b.label) == words);
                assert!(same || !footer.contains(&words), "{words:?} in {footer:?}");
            }
            if width == 200 {
                for binding in keymap::footer(&state) {
                    let words = format!("{} {}", binding.key, binding.label);
                    assert!(footer.contains(&words), "{words:?} not in {footer:?}");
                }
            }
        }
    }
}

#[test]
fn where_keys_do_not_fit_the_least_needed_go_first_and_the_footer_says_so() {
    let mut review = state(Step::Review);
    for width in [80, 120] {
        let text = screen(&mut review, width, 24);
        let lines: Vec<&str> = text.lines().rev().take(2).collect();
        for key in ["tab diff", "space ", "v side", "y YAML", "K kubectl", "? "] {
            assert!(
                lines.iter().any(|line| line.contains(key)),
                "{key} at {width}: {lines:?}"
            );
        }
    }
    // Over a diff that has to be scrolled the way to the next change is named.
    review.detail = true;
    review.review.diff_focus = true;
    let mut view = (**review.review.view.as_ref().expect("a view")).clone();
    let lines = view.unified.clone();
    view.unified = lines.iter().cycle().take(60).cloned().collect();
    review.review.view = Some(Arc::new(view));
    let text = screen(&mut review, 80, 24);
    for key in ["down scroll", "n next row", "esc close detail", "q quit"] {
        assert!(text.contains(key), "{text}");
    }
    let mut options = state(Step::Options);
    let text = screen(&mut options, 60, 19);
    let footer = text.lines().last().unwrap_or_default();
    assert!(
        footer.contains("space change") && footer.ends_with("? all keys"),
        "{footer}"
    );
}

#[test]
fn on_a_low_screen_the_options_leave_room_for_their_impact() {
    let mut low = state(Step::Options);
    let text = screen(&mut low, 80, 19);
    assert!(text.contains("history of Prometheus"), "{text}");
    let all = screen(&mut low, 80, 40);
    assert!(all.contains("15090 Envoy only"), "{all}");
    assert!(!text.contains("15090 Envoy only"), "{text}");
}

/// The column and row where a text begins.
fn place_of(buffer: &Buffer, needle: &str) -> (u16, u16) {
    let y = row_of(buffer, needle);
    let width = buffer.area.width;
    let x = (0..width).find(|x| {
        let rest: String = (*x..width).map(|x| buffer[(x, y)].symbol()).collect();
        rest.starts_with(needle)
    });
    (x.expect("it is there"), y)
}

#[test]
fn the_mouse_hits_what_is_drawn() {
    let hit = |state: &mut State, size: (u16, u16), needle: &str| {
        let drawn = buffer(state, size.0, size.1);
        let (x, y) = place_of(&drawn, needle);
        match ui::hit(state, Rect::new(0, 0, size.0, size.1), x, y) {
            Some(Msg::Click { target }) => Some(target),
            Some(other) => panic!("{other:?}"),
            None => None,
        }
    };
    for size in [(80, 24), (120, 40)] {
        let mut workloads = state(Step::Workloads);
        assert_eq!(hit(&mut workloads, size, "ledger"), Some(Target::Row(7)));
        assert_eq!(
            hit(&mut workloads, size, "help"),
            Some(Target::Key(Action::Help))
        );
        let mut options = state(Step::Options);
        assert_eq!(hit(&mut options, size, "15090"), Some(Target::Choice(0, 1)));
        assert_eq!(
            hit(&mut options, size, "on running"),
            Some(Target::Choice(1, 1))
        );
        let mut status = state(Step::Status);
        assert_eq!(hit(&mut status, size, "invoice-7"), Some(Target::Row(4)));
        let mut asked = with(Step::Review, fixtures::confirm);
        assert_eq!(hit(&mut asked, size, "Apply  "), Some(Target::Button(1)));
        assert_eq!(hit(&mut asked, size, "Deploy"), None);
    }
    let mut wide = state(Step::Workloads);
    assert_eq!(
        hit(&mut wide, (120, 40), "Namespaces"),
        Some(Target::Step(Step::Namespaces))
    );
    assert_eq!(
        hit(&mut wide, (80, 24), "▸·"),
        Some(Target::Step(Step::Workloads))
    );
}
