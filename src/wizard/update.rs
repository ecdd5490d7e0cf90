//! The one place where the state changes.

mod moves;

use super::keymap::{self, Action, Key};
use super::msg::{Effect, Msg, Target, Wants};
use super::prometheus::LOOK_AGAIN;
use super::state::{
    ClusterStep, Connection, Notice, ReviewMode, ReviewRow, Start, State, Step, Tone,
};
use crate::words::say::wizard as say;

impl State {
    /// The state before anything is read, and the first question.
    pub fn new(start: Start) -> (State, Vec<Effect>) {
        let mut answers = start.answers.clone();
        for id in &answers.workloads {
            answers.namespaces.insert(id.namespace.clone());
        }
        let step = if start.monitor {
            Step::Status
        } else {
            Step::Cluster
        };
        let mut state = State {
            step,
            reached: step,
            prometheus_by_user: answers.prometheus.is_some(),
            cluster: ClusterStep {
                context: start.context.clone(),
                ..ClusterStep::default()
            },
            mouse: start.mouse,
            answers,
            start,
            ..State::default()
        };
        state.status.waiting = true;
        state.count_chosen();
        (state, vec![Effect::LoadContexts])
    }

    /// What the world should go on telling, by what is on the screen.
    pub fn wants(&self) -> Wants {
        let connecting = matches!(
            self.cluster.connection,
            Connection::Reading | Connection::Connecting
        );
        let planning = self.options.planned.is_none();
        let spinner = match self.step {
            Step::Options => planning,
            Step::Review => {
                self.review.error.is_none()
                    && (planning || !self.review.done || self.view_is_made())
            }
            Step::Apply => self.apply.running,
            Step::Status => self.status.waiting || connecting,
            _ => connecting || self.cluster.filling,
        };
        let open = matches!(self.cluster.connection, Connection::Open);
        let missing = matches!(self.step, Step::Cluster | Step::Prometheus)
            && open
            && !self.cluster.filling
            && self.waits_for_prometheus();
        Wants {
            spinner,
            clock: matches!(self.step, Step::Apply | Step::Status),
            watch: self.step == Step::Status,
            rediscover: missing.then_some(LOOK_AGAIN),
        }
    }

    /// Makes the rows of a step anew, from the mesh and its filter.
    pub(super) fn derive(&mut self, step: Step) {
        match step {
            Step::Prometheus => self.derive_prometheus(),
            Step::Namespaces => self.derive_namespaces(),
            Step::Workloads => self.derive_workloads(),
            Step::Gateways => self.derive_gateways(),
            Step::Options => self.derive_options(),
            Step::Status => self.derive_status(),
            Step::Review => self.derive_review(),
            Step::Cluster | Step::Apply => {}
        }
    }

    /// Goes to a step, and asks what that step needs.
    pub(super) fn enter(&mut self, step: Step) -> Vec<Effect> {
        self.step = step;
        self.reached = self.reached.max(step);
        self.detail = false;
        self.detail_offset = 0;
        if !self.viewport.wide {
            self.show_diff(false);
        }
        self.derive(step);
        match step {
            Step::Options => {
                let effects = self.plan();
                self.option_row_moved();
                effects
            }
            Step::Review if self.review.undoes.is_none() => self.ensure_review(),
            Step::Status => self.watch(),
            _ => Vec::new(),
        }
    }

    fn next(&mut self) -> Vec<Effect> {
        match self.step {
            Step::Cluster if matches!(self.cluster.connection, Connection::Choosing) => {
                return self.choose_context();
            }
            Step::Prometheus if self.answers.prometheus.is_none() => {
                let mut effects = self.choose_prometheus();
                effects.extend(
                    self.step
                        .next()
                        .map_or_else(Vec::new, |step| self.enter(step)),
                );
                return effects;
            }
            // There would be no row in the step between.
            Step::Namespaces if self.passes_over_workloads() => {
                let effects = self.enter(Step::Gateways);
                self.notice = Some(Notice {
                    tone: Tone::Plain,
                    text: say::NO_NAMESPACE_CHOSEN.into(),
                });
                return effects;
            }
            _ => {}
        }
        match self.step.next() {
            Some(step) => self.enter(step),
            None => Vec::new(),
        }
    }

    fn back(&mut self) -> Vec<Effect> {
        if self.step == Step::Options && self.options.each.is_some() {
            self.toggle_each_list();
            return Vec::new();
        }
        if self.step == Step::Review && self.review.undoes.is_some() {
            // The review of an undo is left for where it was asked from.
            let asked_from = self.review.undo_from;
            self.review = Default::default();
            self.generations.review.advance();
            let to = if let Some(step) = asked_from {
                step
            } else if self.reached < Step::Apply {
                Step::Cluster
            } else if self.apply.rows.rows.is_empty() {
                Step::Status
            } else {
                Step::Apply
            };
            return self.enter(to);
        }
        if self.step == Step::Gateways && self.answers.namespaces.is_empty() {
            return self.enter(Step::Namespaces);
        }
        if self.step == Step::Apply
            && let Some((run, from)) = self.apply.takes.clone()
        {
            return self.back_from_undo(run, from);
        }
        match self.step.before() {
            // An apply that never was has nothing to show.
            Some(Step::Apply) if self.apply.rows.rows.is_empty() => self.enter(Step::Review),
            Some(step) => self.enter(step),
            None => Vec::new(),
        }
    }

    /// From what an undo wrote: to what is left of it, shown anew; else to where it was asked for, or to the review
    /// of the choices, which begins from what is live now.
    fn back_from_undo(&mut self, run: String, from: Option<Step>) -> Vec<Effect> {
        if !self.apply.was_taken_back() {
            return self.start_undo(Some(run));
        }
        match from {
            Some(step) if self.start.monitor || self.chosen_count() == 0 => self.enter(step),
            None if self.start.monitor => self.enter(Step::Status),
            None if self.chosen_count() == 0 => self.enter(Step::Cluster),
            _ => self.enter(Step::Review),
        }
    }

    fn retry(&mut self) -> Vec<Effect> {
        if self.step == Step::Review {
            if self.review.undoes.is_some() {
                let run = self.review.undoes.clone();
                return self.start_undo(run);
            }
            self.review = Default::default();
            return self.plan_anew();
        }
        self.ask_again()
    }

    fn quit(&mut self) -> Vec<Effect> {
        if self.apply.running {
            self.dialog = Some(self.quit_applying());
            return Vec::new();
        }
        if self.would_lose_choices() {
            self.dialog = Some(self.quit_choices());
            return Vec::new();
        }
        self.leave()
    }

    pub(super) fn leave(&mut self) -> Vec<Effect> {
        self.leaving = true;
        vec![Effect::Quit]
    }

    /// Ctrl-C. While something is written it only stops the run, and says what was written.
    fn interrupt(&mut self) -> Vec<Effect> {
        if self.apply.running {
            if self.apply.stopping {
                self.notice = Some(Notice {
                    tone: Tone::Waiting,
                    text: say::STOPS_AFTER_WRITE.into(),
                });
            }
            return self.stop_apply();
        }
        self.leave()
    }

    /// A key in a window too small to draw in: both that act ask nothing, since no question could be seen.
    fn unseen(&mut self, key: Key) -> Vec<Effect> {
        match key {
            Key::Ctrl('c') => self.interrupt(),
            Key::Char('q') if self.apply.running => {
                self.quit_after = true;
                self.stop_apply()
            }
            Key::Char('q') => self.leave(),
            _ => Vec::new(),
        }
    }

    fn key(&mut self, key: Key) -> Vec<Effect> {
        self.notice = None;
        self.clicked = None;
        self.options.clicked = None;
        if let Some(binding) = keymap::lookup(self, key) {
            if let Some(why) = binding.why_not {
                let tone = match binding.action {
                    Action::Info => Tone::Plain,
                    _ => Tone::Waiting,
                };
                self.notice = Some(Notice { tone, text: why });
                return Vec::new();
            }
            return self.act(binding.action);
        }
        if keymap::typing(self) {
            match key {
                Key::Char(c) => {
                    self.type_over();
                    return self.typed(|text| text.push(c));
                }
                Key::Ctrl('u') => return self.typed(String::clear),
                Key::Backspace => {
                    return self.typed(|text| {
                        text.pop();
                    });
                }
                _ => {}
            }
        }
        Vec::new()
    }

    /// A kept filter gives way to what is typed; backspace changes it instead.
    fn type_over(&mut self) {
        if self.dialog.is_none()
            && let Some(filter) = self.filter_mut().filter(|filter| filter.fresh)
        {
            filter.text.clear();
        }
    }

    /// Changes the text that is being typed into, and what follows from it.
    fn typed(&mut self, edit: impl FnOnce(&mut String)) -> Vec<Effect> {
        if let Some(dialog) = &mut self.dialog {
            if let Some(input) = &mut dialog.input {
                edit(input);
            }
            return Vec::new();
        }
        let step = self.step;
        let before = self.review.rows.current().map(|row| row.id.clone());
        if let Some(filter) = self.filter_mut() {
            edit(&mut filter.text);
            filter.fresh = false;
            self.derive(step);
        }
        let now = self.review.rows.current().map(|row| &row.id);
        match step == Step::Review && now != before.as_ref() {
            true => self.ask_view(),
            false => Vec::new(),
        }
    }

    fn filter_mut(&mut self) -> Option<&mut super::list::Filter> {
        match self.step {
            Step::Namespaces | Step::Workloads | Step::Gateways => {
                self.list_mut().map(|list| &mut list.filter)
            }
            Step::Review => Some(&mut self.review.rows.filter),
            Step::Status => Some(&mut self.status.rows.filter),
            _ => None,
        }
    }

    fn act(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Up => self.moved(-1),
            Action::Down => self.moved(1),
            Action::PageUp => self.moved(-(self.page() as isize)),
            Action::PageDown => self.moved(self.page() as isize),
            Action::Top => self.moved(isize::MIN / 2),
            Action::Bottom => self.moved(isize::MAX / 2),
            Action::NextRow => self.move_row(1),
            Action::RowBefore => self.move_row(-1),
            Action::Left => self.sideways(-1),
            Action::Right => self.sideways(1),
            Action::Toggle => self.toggle(),
            Action::ToggleAll => {
                match self.step {
                    Step::Namespaces => self.toggle_namespaces(),
                    Step::Workloads => self.toggle_workloads(),
                    Step::Gateways => self.toggle_gateways(),
                    _ => {}
                }
                Vec::new()
            }
            Action::Next => self.next(),
            Action::Back => self.back(),
            Action::Jump(step) => self.enter(step),
            Action::NextWarning => self.next_change(ReviewRow::warns, say::ONLY_WARNING),
            Action::NextDeletion => self.next_change(ReviewRow::deletes, say::ONLY_DELETION),
            Action::Filter => {
                if let Some(filter) = self.filter_mut() {
                    filter.editing = true;
                    filter.fresh = !filter.text.is_empty();
                }
                Vec::new()
            }
            Action::FilterDone => {
                if let Some(filter) = self.filter_mut() {
                    filter.editing = false;
                    filter.fresh = false;
                }
                Vec::new()
            }
            Action::FilterClear => {
                let effects = self.typed(String::clear);
                if let Some(filter) = self.filter_mut() {
                    filter.editing = false;
                    filter.fresh = false;
                }
                effects
            }
            Action::Info => {
                self.detail = !self.detail;
                self.detail_offset = 0;
                if self.step == Step::Review && !self.viewport.wide {
                    self.show_diff(self.detail);
                }
                Vec::new()
            }
            Action::Mouse => {
                self.mouse = !self.mouse;
                self.notice = Some(Notice {
                    tone: Tone::Plain,
                    text: match self.mouse {
                        true => say::MOUSE_ON,
                        false => say::MOUSE_OFF,
                    }
                    .into(),
                });
                Vec::new()
            }
            Action::Help => {
                self.help = true;
                self.detail_offset = 0;
                Vec::new()
            }
            Action::Close => {
                self.help = false;
                self.detail_offset = 0;
                Vec::new()
            }
            Action::Quit => self.quit(),
            Action::Interrupt => self.interrupt(),
            Action::Suspend => vec![Effect::Suspend],
            Action::Retry => self.retry(),
            Action::Each => {
                if self.step == Step::Cluster {
                    self.cluster.connection = Connection::Choosing;
                    self.generations.connect.advance();
                    self.generations.discover.advance();
                    self.cluster.filling = false;
                } else {
                    self.toggle_each_list();
                }
                Vec::new()
            }
            Action::LeaveOut => self.toggle_left_out(),
            Action::SideBySide => self.look(ReviewMode::SideBySide),
            Action::Yaml => self.look(ReviewMode::Yaml),
            Action::Kubectl => self.look(ReviewMode::Kubectl),
            Action::Owner => self.look(ReviewMode::Owner),
            Action::Focus => {
                if self.viewport.wide {
                    self.review.diff_focus = !self.review.diff_focus;
                } else {
                    self.show_diff(!self.detail);
                }
                Vec::new()
            }
            Action::Export => {
                self.dialog = Some(self.export_dialog());
                Vec::new()
            }
            Action::Save => {
                self.dialog = Some(self.save_dialog());
                Vec::new()
            }
            Action::Take => self.ask_take(),
            Action::Apply => {
                self.dialog = Some(self.confirm_apply());
                Vec::new()
            }
            Action::StopApply => self.stop_apply(),
            Action::Decide => {
                self.dialog = self.stopped_dialog();
                Vec::new()
            }
            Action::Undo => self.ask_undo(),
            Action::GoOn => self.go_on(),
            Action::ListProblems => {
                self.list_problems();
                Vec::new()
            }
            Action::Problems => {
                self.status.problems_only = !self.status.problems_only;
                self.derive_status();
                // The worst is what one looks for.
                self.status.rows.move_to(0);
                Vec::new()
            }
            Action::Freeze => {
                self.toggle_frozen();
                Vec::new()
            }
            Action::Reload => self.reload(),
            Action::ButtonNext => {
                self.move_button(1);
                Vec::new()
            }
            Action::ButtonBefore => {
                self.move_button(-1);
                Vec::new()
            }
            Action::Press => self.press(),
            Action::Cancel => self.answer(super::state::Answer::Cancel),
            Action::Answer(answer) => self.answer(answer),
        }
    }

    /// What is asked for is seen at once: on a narrow screen it opens over the list.
    fn look(&mut self, mode: ReviewMode) -> Vec<Effect> {
        let back = self.sees_diff() && self.review.shown() == mode;
        self.review.mode = if back { ReviewMode::Unified } else { mode };
        self.review.diff_offset = 0;
        if !self.viewport.wide {
            self.show_diff(true);
        }
        Vec::new()
    }

    /// The diff lies over the list: who looks at it has the arrows there too. Closed, it is a diff again.
    fn show_diff(&mut self, open: bool) {
        self.detail = open;
        self.review.diff_focus = open;
        if !open {
            self.review.mode = ReviewMode::Unified;
        }
    }

    /// A click does what the key would do, or says why not.
    fn act_if(&mut self, action: Action) -> Vec<Effect> {
        let found = keymap::keys(self).into_iter().find(|b| b.action == action);
        match found {
            Some(binding) => match binding.why_not {
                None => self.act(action),
                Some(why) => {
                    self.notice = Some(Notice {
                        tone: Tone::Waiting,
                        text: why,
                    });
                    Vec::new()
                }
            },
            None => Vec::new(),
        }
    }
}

/// Takes what happened into the state; answers with what is to be done.
pub fn update(state: &mut State, msg: Msg) -> Vec<Effect> {
    match msg {
        // What cannot be seen cannot be decided.
        Msg::Key(key) if !state.viewport.drawn => state.unseen(key),
        Msg::Paste(_) | Msg::Click { .. } | Msg::Wheel(_) if !state.viewport.drawn => Vec::new(),
        Msg::Key(key) => state.key(key),
        Msg::Paste(text) => {
            if keymap::typing(state) {
                let line: String = text.chars().filter(|c| !c.is_control()).collect();
                state.type_over();
                state.typed(|into| into.push_str(&line));
            }
            Vec::new()
        }
        Msg::Click { target } => state.click(target),
        Msg::Wheel(by) => state.wheel(by),
        Msg::Tick(now) => {
            state.now = Some(now);
            state.ticks = state.ticks.wrapping_add(1);
            if state.apply.running {
                state.apply.began.get_or_insert(now);
            }
            Vec::new()
        }
        Msg::Interrupt => {
            state.quit_after = true;
            if state.apply.running {
                state.stop_apply()
            } else {
                state.leave()
            }
        }
        Msg::Rediscover => {
            if state.wants().rediscover.is_some() {
                state.discover()
            } else {
                Vec::new()
            }
        }
        Msg::Contexts(answer) => state.contexts(answer),
        Msg::Connected(of, answer) => state.connected(of, answer),
        Msg::Mesh {
            generation,
            mesh,
            last,
        } => state.mesh_came(generation, mesh, last),
        Msg::Planned {
            generation,
            result,
            forbidden,
        } => state.planned(generation, result, forbidden),
        Msg::ReviewOpened(of, review) => state.review_opened(of, *review),
        Msg::Reviewed {
            generation,
            item,
            added,
            removed,
        } => state.reviewed(generation, item, added, removed),
        Msg::ReviewDone(of, result) => state.review_done(of, result),
        Msg::View(of, view) => {
            if of == state.generations.view {
                state.review.view = Some(view);
                state.scroll_diff(0);
            }
            Vec::new()
        }
        Msg::Apply(event) => state.apply_event(event),
        Msg::Again { id, view, may } => {
            state.apply.again = Some(super::state::Again { id, view, may });
            Vec::new()
        }
        Msg::ApplyFailed(error) => state.apply_failed(error),
        Msg::Board(board) => {
            state.board_came(board);
            Vec::new()
        }
        Msg::UndoPlanned(of, result) => state.undo_planned(of, result),
        Msg::Contact(of, contact) => state.contact_came(of, contact),
        Msg::Reloaded(result) => {
            state.notice = Some(match result {
                Ok(()) => Notice {
                    tone: Tone::Good,
                    text: say::PROMETHEUS_RELOADED.into(),
                },
                Err(error) => error_notice(&error),
            });
            Vec::new()
        }
        Msg::Earlier(of, earlier) => {
            state.earlier_found(of, earlier.map(|earlier| *earlier));
            Vec::new()
        }
        Msg::Saved(result) => {
            let path = state.saving.take();
            if let (Err(error), Some(path), None) = (&result, path, &state.dialog) {
                // The name that was typed stays, so that it can be mended.
                let mut dialog = state.save_dialog();
                dialog.input = Some(path.display().to_string());
                dialog.lines.insert(0, error_notice(error).text);
                state.dialog = Some(dialog);
                return Vec::new();
            }
            state.notice = Some(match result {
                Ok(path) => Notice {
                    tone: Tone::Good,
                    text: say::saved_to(&path.display().to_string()),
                },
                Err(error) => error_notice(&error),
            });
            Vec::new()
        }
        Msg::Exported(folder, result) => {
            state.exported(&folder, result);
            Vec::new()
        }
        Msg::SaveExists(path) => {
            if state.dialog.is_none() {
                state.dialog = Some(state.replace_dialog(path));
            }
            Vec::new()
        }
        Msg::Copied(result) => {
            state.notice = Some(match result {
                Ok(()) => Notice {
                    tone: Tone::Good,
                    text: say::COPIED.into(),
                },
                Err(error) => error_notice(&error),
            });
            Vec::new()
        }
    }
}

pub(super) fn error_notice(error: &crate::error::Error) -> Notice {
    let cause = error
        .causes
        .first()
        .map_or_else(String::new, |cause| format!(": {cause}"));
    Notice {
        tone: Tone::Bad,
        text: format!("{}{cause}", error.what),
    }
}
