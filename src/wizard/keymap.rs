//! The one keymap. What a key does here and now, and why it does nothing: the footer, the help and the
//! palette are drawn from it, and `update` looks keys up in it and nowhere else.

use super::list::Row;
use super::state::{Answer, Connection, Earlier, State, Step};
use crate::words::say::wizard as say;
use run::undo_refused;
use std::fmt;

mod options;
mod review;
mod run;

/// A key, as the terminal told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    Char(char),
    Ctrl(char),
    Enter,
    Esc,
    Backspace,
    Tab,
    BackTab,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
}

impl fmt::Display for Key {
    /// As the footer names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Char(' ') => f.write_str(say::KEY_SPACE),
            Key::Char(c) => write!(f, "{c}"),
            Key::Ctrl(c) => f.write_str(&say::key_ctrl(*c)),
            Key::Enter => f.write_str(say::KEY_ENTER),
            Key::Esc => f.write_str(say::KEY_ESC),
            Key::Backspace => f.write_str(say::KEY_BACKSPACE),
            Key::Tab => f.write_str(say::KEY_TAB),
            Key::BackTab => f.write_str(say::KEY_SHIFT_TAB),
            Key::Up => f.write_str(say::KEY_UP),
            Key::Down => f.write_str(say::KEY_DOWN),
            Key::Left => f.write_str(say::KEY_LEFT),
            Key::Right => f.write_str(say::KEY_RIGHT),
            Key::PageUp => f.write_str(say::KEY_PAGE_UP),
            Key::PageDown => f.write_str(say::KEY_PAGE_DOWN),
            Key::Home => f.write_str(say::KEY_HOME),
            Key::End => f.write_str(say::KEY_END),
        }
    }
}

/// What a key, or a click, does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Up,
    Down,
    /// Another row even where the arrows scroll what lies over the rows.
    NextRow,
    RowBefore,
    Left,
    Right,
    PageUp,
    PageDown,
    Top,
    Bottom,
    /// Choose or leave what is under the cursor.
    Toggle,
    ToggleAll,
    Next,
    Back,
    Jump(Step),
    /// The next change with a warning, or that loses or deletes something.
    NextWarning,
    NextDeletion,
    Filter,
    /// Ends typing into the filter; the text stays.
    FilterDone,
    FilterClear,
    Info,
    /// Gives the mouse to the terminal, or takes it.
    Mouse,
    Help,
    Close,
    Quit,
    Interrupt,
    Suspend,
    /// Ask the cluster again.
    Retry,
    /// Options of single items.
    Each,
    LeaveOut,
    SideBySide,
    Yaml,
    Kubectl,
    /// What to write where the object's owner keeps it.
    Owner,
    Focus,
    Export,
    Save,
    Take,
    Apply,
    StopApply,
    /// Brings the decision about a failed change back on the screen.
    Decide,
    /// Take the run back.
    Undo,
    /// With the run that was not finished.
    GoOn,
    Problems,
    /// All problems of the cluster, with what to do.
    ListProblems,
    Freeze,
    /// Prometheus reads its configuration again.
    Reload,
    ButtonNext,
    ButtonBefore,
    Press,
    Cancel,
    /// Presses the button with this answer.
    Answer(Answer),
}

/// One key with what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub key: Key,
    /// Other keys that do the same.
    pub also: &'static [Key],
    /// A word or two for the footer.
    pub label: String,
    pub action: Action,
    /// Why it does nothing here and now; `None`: it works.
    pub why_not: Option<String>,
    /// It stands in the footer (help shows every one).
    pub footer: bool,
}

impl Binding {
    fn new(key: Key, label: impl Into<String>, action: Action) -> Self {
        Binding {
            key,
            also: &[],
            label: label.into(),
            action,
            why_not: None,
            footer: true,
        }
    }

    fn also(mut self, keys: &'static [Key]) -> Self {
        self.also = keys;
        self
    }

    fn unless(mut self, why: Option<String>) -> Self {
        self.why_not = self.why_not.or(why);
        self
    }

    /// In the help only.
    fn quiet(mut self) -> Self {
        self.footer = false;
        self
    }

    fn quiet_if(self, quiet: bool) -> Self {
        if quiet { self.quiet() } else { self }
    }

    /// How soon the footer gives it up where room is short: 0 last.
    pub fn rank(&self) -> u8 {
        match self.key {
            Key::Enter | Key::Esc | Key::Tab | Key::Char(' ' | 'n') => 0,
            _ if self.action == Action::StopApply => 0,
            _ if matches!(self.action, Action::Answer(_)) => 1,
            Key::Char('t' | 'u' | '/' | 'o') => 1,
            Key::Char('a' | 'e' | 'i' | 'b') => 2,
            Key::Char('v' | 'y' | 'K' | 'p') => 3,
            _ => 4,
        }
    }

    pub fn works(&self) -> bool {
        self.why_not.is_none()
    }

    fn has(&self, key: Key) -> bool {
        self.key == key || self.also.contains(&key)
    }
}

/// Keys go into a text now: letters are typed, not looked up.
pub fn typing(state: &State) -> bool {
    match &state.dialog {
        Some(dialog) => dialog.input.is_some(),
        None => !state.help && state.filter().is_some_and(|filter| filter.editing),
    }
}

/// The binding of a key here and now; it may say why it does nothing.
pub fn lookup(state: &State, key: Key) -> Option<Binding> {
    let mut found: Vec<Binding> = keys(state).into_iter().filter(|b| b.has(key)).collect();
    let works = found.iter().position(Binding::works).unwrap_or(0);
    (!found.is_empty()).then(|| found.swap_remove(works))
}

/// The footer: what works here and now.
pub fn footer(state: &State) -> Vec<Binding> {
    keys(state)
        .into_iter()
        .filter(|binding| binding.footer && binding.works())
        .collect()
}

/// Every key of the step, for the help: whatever lies over the step now.
pub fn help(state: &State) -> Vec<Binding> {
    let mut all = step_keys(state);
    all.extend(everywhere());
    // What does nothing now comes after what does.
    all.sort_by_key(|binding| binding.why_not.is_some());
    all
}

/// Keys that work whatever lies on top.
fn everywhere() -> [Binding; 2] {
    [
        Binding::new(Key::Ctrl('c'), say::STOP_OR_QUIT, Action::Interrupt).quiet(),
        Binding::new(Key::Ctrl('z'), say::SUSPEND_TO_SHELL, Action::Suspend).quiet(),
    ]
}

/// Every key of the present screen.
pub fn keys(state: &State) -> Vec<Binding> {
    use Key::*;
    let mut all = if let Some(dialog) = &state.dialog {
        let mut keys = dialog_keys(dialog);
        if state.viewport.dialog_last > 0 {
            keys.push(Binding::new(PageDown, say::SCROLL_DOWN, Action::PageDown));
            keys.push(Binding::new(PageUp, say::PAGE_UP, Action::PageUp).quiet());
        }
        keys
    } else if state.help {
        let mut help = vec![
            Binding::new(Esc, say::CLOSE_HELP, Action::Close).also(&[
                Char('?'),
                Enter,
                Char('q'),
                Backspace,
            ]),
            Binding::new(Down, say::SCROLL, Action::Down).also(&[Char('j')]),
            Binding::new(Up, say::ROW_UP, Action::Up)
                .also(&[Char('k')])
                .quiet(),
        ];
        help.extend(paging());
        help
    } else if typing(state) {
        vec![
            Binding::new(Enter, say::KEEP_FILTER, Action::FilterDone),
            Binding::new(Esc, say::CLEAR_THE_FILTER, Action::FilterClear),
            Binding::new(Down, say::NEXT_ROW, Action::Down).quiet(),
            Binding::new(Up, say::PREVIOUS_ROW, Action::Up).quiet(),
        ]
    } else {
        step_keys(state)
    };
    all.extend(everywhere());
    all
}

fn dialog_keys(dialog: &super::state::Dialog) -> Vec<Binding> {
    use Key::*;
    let focused = dialog.buttons.get(dialog.focus);
    let press = focused.map_or_else(String::new, |button| match button.answer {
        // The name stands on the button.
        Answer::TakeBack => say::UNDO_THIS_WORKLOAD.to_owned(),
        _ => button.label.to_lowercase(),
    });
    let mut all = vec![
        Binding::new(Enter, press, Action::Press),
        Binding::new(Tab, say::NEXT, Action::ButtonNext),
        Binding::new(BackTab, say::PREVIOUS_BUTTON, Action::ButtonBefore).quiet(),
    ];
    if dialog.input.is_none() {
        all[1] = Binding::new(Tab, say::NEXT, Action::ButtonNext).also(&[
            Right,
            Down,
            Char('l'),
            Char('j'),
        ]);
        all[2] = Binding::new(BackTab, say::PREVIOUS_BUTTON, Action::ButtonBefore)
            .also(&[Left, Up, Char('h'), Char('k')])
            .quiet();
    }
    for button in &dialog.buttons {
        match button.answer {
            Answer::Cancel => {
                let answer = Action::Answer(Answer::Cancel);
                let binding = Binding::new(Esc, button.label.to_lowercase(), answer);
                all.push(match dialog.input {
                    Some(_) => binding,
                    None => binding.also(&[Char('q')]),
                });
            }
            Answer::Retry if dialog.input.is_none() => all.push(Binding::new(
                Char('r'),
                say::RETRY_CHANGE,
                Action::Answer(Answer::Retry),
            )),
            Answer::TakeBack if dialog.input.is_none() => {
                let answer = Action::Answer(Answer::TakeBack);
                all.push(Binding::new(Char('b'), say::UNDO_RUN, answer))
            }
            Answer::Undo if dialog.input.is_none() => all.push(Binding::new(
                Char('u'),
                say::UNDO,
                Action::Answer(Answer::Undo),
            )),
            _ => {}
        }
    }
    all
}

fn step_keys(state: &State) -> Vec<Binding> {
    use Key::*;
    let mut all = Vec::new();
    let lists = state.list_len() > 0;
    let no_rows = || (!lists).then(|| say::NO_ROW_YET.to_owned());
    match state.step {
        Step::Cluster => {
            if matches!(state.cluster.connection, Connection::Choosing) {
                all.push(
                    Binding::new(Enter, say::USE_THIS_CONTEXT, Action::Next).also(&[Char(' ')]),
                );
            } else {
                all.push(Binding::new(Enter, say::NEXT, Action::Next).unless(state.next_refused()));
            }
            // What is still being read is not missing.
            if state.cluster.whole && !state.mesh.problems.is_empty() {
                all.push(Binding::new(
                    Char('p'),
                    say::SHOW_PROBLEMS,
                    Action::ListProblems,
                ));
            }
            if let Some(earlier) = state.cluster.earlier.as_ref().filter(|found| found.undo) {
                all.push(
                    Binding::new(Char('u'), say::RESUME_UNDO, Action::Undo)
                        .unless(undo_refused(state)),
                );
                let words = say::APPLY_RUN_AGAIN;
                all.push(Binding::new(Char('o'), words, Action::GoOn).unless(no_answers(earlier)));
            } else if let Some(earlier) = &state.cluster.earlier {
                all.push(
                    Binding::new(Char('o'), say::RESUME_RUN, Action::GoOn)
                        .unless(no_answers(earlier)),
                );
                all.push(
                    Binding::new(Char('u'), say::UNDO_IT, Action::Undo).unless(undo_refused(state)),
                );
            }
            all.push(Binding::new(Char('r'), say::REFRESH, Action::Retry).unless(retry(state)));
            let others = state.cluster.contexts.as_ref().map_or(0, |c| c.names.len());
            all.push(
                Binding::new(Char('c'), say::OTHER_CONTEXT, Action::Each).unless(
                    (others < 2 || matches!(state.cluster.connection, Connection::Choosing))
                        .then(|| say::NO_OTHER_CONTEXT.to_owned()),
                ),
            );
        }
        Step::Prometheus => {
            let blocked = state.prometheus.current();
            let blocked = blocked.and_then(|row| closed(row, state));
            all.push(
                Binding::new(Char(' '), say::CHOOSE, Action::Toggle)
                    .unless(blocked)
                    .unless(no_rows()),
            );
            all.push(take_owner(state));
            all.push(Binding::new(Enter, say::NEXT, Action::Next).unless(state.next_refused()));
            all.push(Binding::new(Char('r'), say::REFRESH, Action::Retry).unless(retry(state)));
        }
        Step::Namespaces | Step::Workloads | Step::Gateways => {
            let row = state.list().and_then(|list| list.current());
            let blocked = row.and_then(|row| closed(row, state));
            // What a flag chose can be given up, whatever stands against it.
            let chosen = matches!(row, Some(Row::Namespace { namespace, .. })
                if state.answers.namespaces.contains(&namespace.name));
            let blocked = blocked.filter(|_| !chosen);
            all.push(
                Binding::new(Char(' '), say::CHOOSE, Action::Toggle)
                    .unless(blocked)
                    .unless(no_rows()),
            );
            all.push(
                Binding::new(Char('a'), say::ALL_OR_NONE, Action::ToggleAll).unless(no_rows()),
            );
            if state.step != Step::Namespaces {
                all.push(take_owner(state));
            }
            if state.step == Step::Workloads {
                let head = matches!(row, Some(Row::Namespace { .. }));
                let open = matches!(row, Some(Row::Namespace { open: true, .. }));
                all.push(
                    Binding::new(Right, say::UNFOLD, Action::Right)
                        .also(&[Char('l')])
                        .quiet()
                        .unless((!head || open).then(|| say::NOTHING_FOLDED.to_owned())),
                );
                all.push(
                    Binding::new(Left, say::FOLD, Action::Left)
                        .also(&[Char('h')])
                        .quiet()
                        .unless(no_rows()),
                );
            }
            all.push(
                Binding::new(Char('/'), say::FILTER, Action::Filter).unless(unfiltered(state)),
            );
            let next = if state.passes_over_workloads() {
                say::GATEWAYS_ONLY
            } else {
                say::NEXT
            };
            all.push(Binding::new(Enter, next, Action::Next).unless(state.next_refused()));
            all.push(
                Binding::new(Char('r'), say::REFRESH, Action::Retry)
                    .quiet()
                    .unless(retry(state)),
            );
        }
        Step::Options => options::keys(state, &mut all),
        Step::Review => review::keys(state, &mut all),
        Step::Apply => run::apply_keys(state, &mut all),
        Step::Status => run::status_keys(state, &mut all),
    }
    all.extend(common_keys(state));
    all
}

/// What stands under the cursor belongs to Helm, Argo CD, Flux or a controller: chosen only by its name.
fn take_owner(state: &State) -> Binding {
    let owner = state.row_owner();
    let label = match owner {
        Some(owner) if owner.is_taken(&state.answers.take) => say::stop_forcing(owner.tool.name()),
        Some(owner) => say::force_ownership_of(owner.tool.name()),
        None => say::FORCE_OWNERSHIP.to_owned(),
    };
    Binding::new(Key::Char('t'), label, Action::Take)
        .unless(owner.is_none().then(|| state.not_takeable()))
}

/// Why the row cannot be chosen, with the key that opens it where there is one.
fn closed(row: &Row, state: &State) -> Option<String> {
    let (_, why) = row.blocked(&state.answers.take)?;
    Some(match row.owner() {
        Some(_) => say::or_press_t(&why),
        None => why.into_owned(),
    })
}

/// Why there is nothing to filter. A filter that leaves no row can still be changed.
fn unfiltered(state: &State) -> Option<String> {
    let text = state.filter().is_some_and(|filter| !filter.text.is_empty());
    (state.list_len() == 0 && !text).then(|| say::NO_ROW_TO_FILTER.to_owned())
}

/// Why `r` does nothing.
fn retry(state: &State) -> Option<String> {
    if matches!(
        state.cluster.connection,
        Connection::Choosing | Connection::Reading | Connection::Connecting
    ) {
        return Some(say::NOTHING_ASKED.into());
    }
    state
        .cluster
        .filling
        .then(|| say::ALREADY_READING.to_owned())
}

fn no_answers(earlier: &Earlier) -> Option<String> {
    let without = earlier.answers.is_none();
    without.then(|| say::NO_CHOICES_RECORDED.to_owned())
}

/// Through a long list or text by more than a row.
fn paging() -> [Binding; 4] {
    use Key::*;
    [
        Binding::new(PageDown, say::PAGE_DOWN, Action::PageDown)
            .also(&[Ctrl('d'), Ctrl('f')])
            .quiet(),
        Binding::new(PageUp, say::PAGE_UP, Action::PageUp)
            .also(&[Ctrl('u'), Ctrl('b')])
            .quiet(),
        Binding::new(Home, say::FIRST_ROW, Action::Top)
            .also(&[Char('g')])
            .quiet(),
        Binding::new(End, say::LAST_ROW, Action::Bottom)
            .also(&[Char('G')])
            .quiet(),
    ]
}

fn common_keys(state: &State) -> Vec<Binding> {
    use Key::*;
    let over = state.detail || (state.step == Step::Review && state.review.diff_focus);
    let scrolls = state.scrolls();
    let (down, up) = match scrolls {
        true => (say::SCROLL, say::SCROLL_UP),
        false => (say::NEXT_ROW, say::PREVIOUS_ROW),
    };
    let one = (state.list_len() < 2).then(|| say::NO_OTHER_ROW.to_owned());
    let mut all = vec![
        Binding::new(Down, down, Action::Down)
            .also(&[Char('j')])
            .quiet_if(!over || (!scrolls && one.is_some())),
        Binding::new(Up, up, Action::Up).also(&[Char('k')]).quiet(),
        Binding::new(Char('n'), say::NEXT_ROW, Action::NextRow)
            .quiet_if(!scrolls)
            .unless(one.clone()),
        Binding::new(Char('N'), say::PREVIOUS_ROW, Action::RowBefore)
            .quiet()
            .unless(one),
    ];
    all.extend(paging());
    let filtered = state.filter().is_some_and(|f| !f.text.is_empty());
    if state.detail {
        all.push(Binding::new(Esc, say::CLOSE_DETAIL, Action::Info).also(&[Char('i'), Backspace]));
    } else {
        if filtered {
            all.push(Binding::new(Esc, say::CLEAR_FILTER, Action::FilterClear));
        } else {
            all.push(
                Binding::new(Esc, say::GO_BACK, Action::Back)
                    .also(&[Backspace])
                    .unless(state.back_refused()),
            );
        }
        // Without a row these two have a text of their own.
        let alone = matches!(
            state.step,
            Step::Cluster | Step::Prometheus | Step::Options | Step::Apply
        );
        let detail = Binding::new(Char('i'), say::SHOW_DETAIL, Action::Info)
            .unless((!alone && state.list_len() == 0).then(|| say::NO_ROW_SELECTED.to_owned()));
        all.push(if state.viewport.wide && !state.reads_on() {
            detail.quiet().unless(Some(match state.step {
                Step::Options => say::TEXT_IS_VISIBLE.into(),
                _ => say::DETAIL_IS_BESIDE.into(),
            }))
        } else {
            detail
        });
    }
    for step in Step::ALL {
        let digit = char::from_digit(step.number() as u32, 10).unwrap_or('0');
        all.push(
            Binding::new(Char(digit), step.title(), Action::Jump(step))
                .quiet()
                .unless(state.jump_refused(step)),
        );
    }
    let mouse = match state.mouse {
        true => say::MOUSE_OFF,
        false => say::USE_MOUSE,
    };
    all.push(Binding::new(Char('M'), mouse, Action::Mouse).quiet());
    all.push(Binding::new(Char('?'), say::SHOW_HELP, Action::Help));
    all.push(Binding::new(Char('q'), say::QUIT, Action::Quit));
    all
}

/// Why the way on is closed: nothing can be read.
pub(super) fn bad_checks(state: &State) -> Option<String> {
    match &state.mesh.server {
        Some(Err(failure)) => Some(failure.why.clone()),
        _ => None,
    }
}
