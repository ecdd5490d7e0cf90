//! The cursor: keys that move it, the wheel, clicks.

use super::*;
use crate::wizard::list::Row;

impl State {
    pub(super) fn page(&self) -> usize {
        let height = if self.dialog.is_some() {
            self.viewport.dialog
        } else if self.help {
            self.viewport.help
        } else if self.step == Step::Review && self.review.diff_focus {
            self.review.diff_height
        } else {
            self.viewport.list
        };
        height.saturating_sub(1).max(1)
    }

    /// On narrow screens the diff is the review's detail, and scrolls as the diff that it is.
    fn diff_on_top(&self) -> bool {
        self.step == Step::Review && self.review.diff_focus
    }

    /// The arrows: through what lies on top.
    pub(super) fn moved(&mut self, by: isize) -> Vec<Effect> {
        if self.dialog.is_some() {
            self.scroll_dialog(by);
            return Vec::new();
        }
        if self.help || (self.scrolls() && !self.diff_on_top()) {
            let last = match self.help {
                true => self.viewport.help_last,
                false => self.viewport.detail_last,
            };
            self.detail_offset = self.detail_offset.saturating_add_signed(by).min(last);
            return Vec::new();
        }
        if self.scrolls() {
            self.scroll_diff(by);
            return Vec::new();
        }
        self.move_row(by)
    }

    /// The arrows scroll what lies over the rows, or has the focus: not all of it is seen.
    pub fn scrolls(&self) -> bool {
        match self.diff_on_top() {
            true => self.diff_last() > 0,
            false => self.detail && self.viewport.detail_last > 0,
        }
    }

    /// Another row, whatever lies over the rows.
    pub(in crate::wizard) fn move_row(&mut self, by: isize) -> Vec<Effect> {
        self.detail_offset = 0;
        match self.step {
            Step::Options => match &mut self.options.each {
                Some(each) => each.move_by(by),
                None => {
                    self.options.rows.move_by(by);
                    self.option_row_moved();
                }
            },
            Step::Review => {
                let before = self.review.rows.cursor;
                self.review.moved = true;
                self.review.rows.move_by(by);
                if self.review.rows.cursor != before {
                    return self.ask_view();
                }
            }
            Step::Apply => self.apply.rows.move_by(by),
            Step::Status => self.status.rows.move_by(by),
            _ => {
                if let Some(list) = self.list_mut() {
                    list.move_by(by);
                }
            }
        }
        Vec::new()
    }

    pub(super) fn wheel(&mut self, by: isize) -> Vec<Effect> {
        if self.dialog.is_some() || self.help || self.detail {
            return self.moved(by);
        }
        match self.step {
            Step::Options => return self.moved(by.signum()),
            Step::Review if self.review.diff_focus => self.scroll_diff(by),
            Step::Review => {
                let before = self.review.rows.cursor;
                self.review.moved = true;
                self.review.rows.scroll(by);
                if self.review.rows.cursor != before {
                    return self.ask_view();
                }
            }
            Step::Apply => self.apply.rows.scroll(by),
            Step::Status => self.status.rows.scroll(by),
            _ => {
                if let Some(list) = self.list_mut() {
                    list.scroll(by);
                }
            }
        }
        Vec::new()
    }

    pub(super) fn sideways(&mut self, by: isize) -> Vec<Effect> {
        match self.step {
            Step::Options => self.move_column(by),
            Step::Workloads => self.fold(by < 0),
            _ => {}
        }
        Vec::new()
    }

    pub(super) fn toggle(&mut self) -> Vec<Effect> {
        match self.step {
            Step::Prometheus => return self.choose_prometheus(),
            Step::Namespaces => self.toggle_namespace(),
            Step::Workloads => self.toggle_workload(),
            Step::Gateways => self.toggle_gateway(),
            Step::Options => return self.choose_option(),
            _ => {}
        }
        Vec::new()
    }

    pub(super) fn click(&mut self, target: Target) -> Vec<Effect> {
        self.notice = None;
        if self.dialog.is_some() {
            if let (Target::Button(at), Some(dialog)) = (target, &mut self.dialog)
                && at < dialog.buttons.len()
            {
                dialog.focus = at;
                return self.press();
            }
            return Vec::new();
        }
        if self.help {
            self.help = false;
            return Vec::new();
        }
        match target {
            Target::Row(at) => self.click_row(at),
            Target::Step(step) => self.act_if(Action::Jump(step)),
            Target::Key(action) => self.act_if(action),
            Target::Choice(row, column) => {
                let at = (row, column, self.options.each.is_some());
                let second = self.options.clicked.replace(at) == Some(at);
                match &mut self.options.each {
                    Some(each) => each.move_to(row),
                    None => self.options.rows.move_to(row),
                }
                self.options.column = column;
                self.move_column(0);
                if !second {
                    return Vec::new();
                }
                let cell = self
                    .options
                    .rows
                    .current()
                    .and_then(|r| r.choices.get(column));
                if self.options.each.is_none() && cell.is_some_and(|cell| cell.chosen) {
                    return Vec::new();
                }
                self.act_if(Action::Toggle)
            }
            Target::Button(_) => Vec::new(),
        }
    }

    pub(super) fn click_row(&mut self, at: usize) -> Vec<Effect> {
        let cursor = match self.step {
            Step::Options => self.options.rows.cursor,
            Step::Review => self.review.rows.cursor,
            Step::Apply => self.apply.rows.cursor,
            Step::Status => self.status.rows.cursor,
            _ => self.list().map_or(0, |list| list.cursor),
        };
        let row = self.list().and_then(|list| list.rows.get(at)).map(Row::key);
        let second = row.is_some() && self.clicked == row;
        self.clicked = row;
        if at != cursor {
            return self.moved(at as isize - cursor as isize);
        }
        // One that a key brought the cursor to is only selected by the first click.
        if !second {
            return Vec::new();
        }
        match self.step {
            Step::Cluster => self.act_if(Action::Next),
            Step::Prometheus | Step::Namespaces | Step::Workloads | Step::Gateways => {
                self.act_if(Action::Toggle)
            }
            _ => Vec::new(),
        }
    }
}
