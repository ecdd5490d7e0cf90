//! Why a way is closed here and now, in words: asked by the keymap and by `update` alike.

use super::keymap::bad_checks;
use super::list::{Filter, List, Row};
use super::state::{Connection, ReviewRow, Standing, State, Step, StepMark, Viewport};
use crate::mesh::kinds::Kind;
use crate::plan::Part;
use crate::words::say::wizard as say;

impl State {
    /// The list of the present step, where it is one of the mesh's rows.
    pub fn list(&self) -> Option<&List<Row>> {
        match self.step {
            Step::Cluster => Some(&self.cluster.list),
            Step::Prometheus => Some(&self.prometheus),
            Step::Namespaces => Some(&self.namespaces),
            Step::Workloads => Some(&self.workloads),
            Step::Gateways => Some(&self.gateways),
            _ => None,
        }
    }

    pub(super) fn list_mut(&mut self) -> Option<&mut List<Row>> {
        match self.step {
            Step::Cluster => Some(&mut self.cluster.list),
            Step::Prometheus => Some(&mut self.prometheus),
            Step::Namespaces => Some(&mut self.namespaces),
            Step::Workloads => Some(&mut self.workloads),
            Step::Gateways => Some(&mut self.gateways),
            _ => None,
        }
    }

    /// The filter of the present step, where it has one.
    pub fn filter(&self) -> Option<&Filter> {
        match self.step {
            Step::Namespaces | Step::Workloads | Step::Gateways => {
                self.list().map(|list| &list.filter)
            }
            Step::Review => Some(&self.review.rows.filter),
            Step::Status => Some(&self.status.rows.filter),
            _ => None,
        }
    }

    /// Rows of whatever the arrows move through.
    pub fn list_len(&self) -> usize {
        match self.step {
            Step::Options => match &self.options.each {
                Some(each) => each.rows.len(),
                None => self.options.rows.rows.len(),
            },
            Step::Review => self.review.rows.rows.len(),
            Step::Apply => self.apply.rows.rows.len(),
            Step::Status => self.status.rows.rows.len(),
            _ => self.list().map_or(0, |list| list.rows.len()),
        }
    }

    /// Takes over the heights that the drawing side has laid out; call it before each frame.
    pub fn fit(&mut self, viewport: Viewport) {
        self.viewport = viewport;
        if let (Some(dialog), true) = (&mut self.dialog, viewport.drawn) {
            dialog.offset = dialog.offset.min(viewport.dialog_last);
            dialog.seen = dialog.seen.max(dialog.offset);
        }
        let height = viewport.list;
        for list in [
            &mut self.cluster.list,
            &mut self.prometheus,
            &mut self.namespaces,
            &mut self.workloads,
            &mut self.gateways,
        ] {
            list.fit(height);
        }
        self.options.rows.fit(height);
        if let Some(each) = &mut self.options.each {
            each.fit(height);
        }
        self.review.rows.fit(height);
        self.review.diff_height = viewport.diff;
        self.apply.rows.fit(height);
        self.status.rows.fit(height);
        if viewport.wide && !self.reads_on() {
            self.detail = false;
        }
    }

    /// The panel of this step is low on every screen: its text can be laid over the step and scrolled.
    pub fn reads_on(&self) -> bool {
        matches!(self.step, Step::Apply | Step::Status)
    }

    /// Lists of the mesh on the screen have not come to their end: what is missing in it may still come.
    pub fn reading(&self) -> bool {
        super::cluster::filling(&self.mesh)
    }

    /// Choices were made that no file and no cluster holds.
    pub(super) fn would_lose_choices(&self) -> bool {
        let (now, then) = (&self.answers, &self.start.answers);
        let chosen = now.workloads != then.workloads
            || now.gateways != then.gateways
            || now.namespaces != then.namespaces
            || now.options != then.options
            || now.each != then.each
            || now.leave_out != then.leave_out
            || now.take != then.take;
        let review = self.step == Step::Review && self.review.undoes.is_some();
        !self.start.monitor && self.apply.outcome.is_none() && (chosen || review)
    }

    /// Said where what would be written has no use: a port that no Prometheus reads, or a job that finds nothing.
    pub fn unscraped(&self) -> Option<String> {
        if self.review.undoes.is_some() {
            return None;
        }
        let rows = |of: [Part; 2]| {
            let rows = self.review.all.iter();
            rows.filter(move |row| of.contains(&row.part))
        };
        let readers = || rows([Part::PrometheusPod, Part::ScrapeJob]);
        let ports = || rows([Part::Listener, Part::Annotation]);
        let out =
            |row: &ReviewRow| matches!(row.standing, Standing::LeftOut | Standing::HangsOn(_));
        let written =
            |row: &ReviewRow| matches!(row.standing, Standing::Ready | Standing::Unverified(_));
        if readers().any(out) && ports().any(written) {
            return Some(say::NOTHING_SCRAPES.into());
        }
        let none = ports().next().is_some() && ports().all(out) && readers().any(written);
        none.then(|| say::JOB_FINDS_NOTHING.into())
    }

    /// What is given up with a lock or the record of the run.
    pub(super) fn unkept(&self) -> Vec<String> {
        let unguarded = |place: &str| {
            let review = self.review.review.as_ref();
            let words = review.map_or_else(String::new, |review| review.unguarded(place));
            let (first, rest) = words.split_at(words.chars().next().map_or(0, char::len_utf8));
            format!("{}{rest}.", first.to_uppercase())
        };
        let rows = self.review.all.iter();
        let out = rows.filter(|row| row.part == Part::Journal && row.standing == Standing::LeftOut);
        out.map(|row| match row.object.kind {
            Kind::Lease => unguarded(&row.object.namespace),
            _ => say::RECORD_NOT_KEPT.into(),
        })
        .collect()
    }

    /// Nothing of the present step is chosen, so that enter goes on without workloads.
    pub(super) fn passes_over_workloads(&self) -> bool {
        match self.step {
            Step::Namespaces => self.answers.namespaces.is_empty(),
            Step::Workloads => self.answers.workloads.is_empty(),
            _ => false,
        }
    }

    /// Why enter does not lead to the next step.
    pub fn next_refused(&self) -> Option<String> {
        match self.step {
            Step::Cluster => match &self.cluster.connection {
                Connection::Reading => Some(say::KUBECONFIG_IS_READ.into()),
                Connection::Connecting => Some(say::CONNECTING.into()),
                Connection::Failed(error) => Some(error.what.clone()),
                Connection::Choosing => None,
                Connection::Open => bad_checks(self),
            },
            Step::Prometheus => {
                let take = &self.answers.take;
                let chosen = self.answers.prometheus.as_ref();
                let found = chosen.and_then(|id| self.mesh.prometheus(id));
                let free = found.is_some_and(|p| p.is_free(take));
                if !free && self.cluster.filling && self.reading() {
                    return Some(say::READING_FOR_PROMETHEUS.into());
                }
                match found {
                    Some(p) => p.against(take).next().map(crate::words::reason),
                    // Enter takes the one under the cursor.
                    None => match self.prometheus.current() {
                        Some(row) => row.blocked(take).map(|(_, why)| why.into_owned()),
                        None if self.cluster.filling => Some(say::SEARCHING_PROMETHEUS.into()),
                        None => Some(say::NO_PROMETHEUS_AVAILABLE.into()),
                    },
                }
            }
            Step::Namespaces | Step::Workloads => {
                let empty = self
                    .list()
                    .is_some_and(|list| list.rows.is_empty() && list.filter.text.is_empty());
                (empty && self.cluster.filling).then(|| say::READING_WITHOUT_ROWS.into())
            }
            Step::Gateways => (self.chosen_count() == 0).then(|| say::NOTHING_CHOSEN.to_owned()),
            // A plan of half a cluster could miss what governs a workload.
            Step::Options if self.cluster.filling => Some(say::STILL_READING.into()),
            Step::Options => match &self.options.planned {
                Some(Err(error)) => Some(error.what.clone()),
                // A plan that is still being made is waited for in the review.
                None | Some(Ok(_)) => None,
            },
            Step::Review => self.apply_refused(),
            Step::Apply => None,
            Step::Status => Some(say::LAST_STEP.into()),
        }
    }

    /// Why no other step is to be had while a run is not over.
    fn at_work(&self) -> &'static str {
        if self.apply.stopped.is_some() {
            say::ENTER_DECIDES
        } else if self.apply.stopping {
            say::STOPS_AFTER_WRITE
        } else {
            say::S_STOPS_RUN
        }
    }

    pub fn back_refused(&self) -> Option<String> {
        if self.options.each.is_some() && self.step == Step::Options {
            return None;
        }
        if self.apply.running && self.step != Step::Status {
            return Some(self.at_work().into());
        }
        if self.start.monitor && self.step == Step::Status {
            return Some(say::Q_QUITS_MONITOR.into());
        }
        (self.step == Step::Cluster).then(|| say::FIRST_STEP.to_owned())
    }

    pub fn jump_refused(&self, step: Step) -> Option<String> {
        if step == self.step {
            return Some(say::STEP_IS_OPEN.into());
        }
        if self.start.monitor && step < Step::Review {
            return Some(say::ONLY_MONITOR.into());
        }
        if self.apply.running && step != Step::Status && step != Step::Apply {
            return Some(self.at_work().into());
        }
        if step == Step::Apply && self.apply.rows.rows.is_empty() {
            return Some(say::NOTHING_APPLIED_YET.into());
        }
        (step > self.reached).then(|| say::STEPS_BEFORE_FIRST.to_owned())
    }

    /// Why the review cannot be written to a folder.
    pub fn export_refused(&self) -> Option<String> {
        let review = &self.review;
        if review.undoes.is_some() {
            return Some(say::NO_EXPORT_OF_UNDO.into());
        }
        (review.review.is_none() || !review.done).then(|| say::REVIEW_IN_PROGRESS.to_owned())
    }

    /// Why the review cannot be applied as it stands.
    pub fn apply_refused(&self) -> Option<String> {
        let review = &self.review;
        if let Some(error) = &review.error {
            return Some(error.what.clone());
        }
        if review.review.is_none() || !review.done {
            return Some(say::dry_run_in_progress(&changes(review.counts.asking)));
        }
        if self.start.read_only {
            return Some(say::READ_ONLY_NOT_APPLIED.into());
        }
        if review.counts.stopped > 0 {
            let stopped = review.counts.stopped;
            return Some(counted(stopped, say::ONE_CONFLICTS, say::several_conflict));
        }
        (review.counts.changes == 0).then(|| say::NO_CHANGES.to_owned())
    }

    /// The review is whole and finds the cluster as wanted.
    pub fn nothing_to_write(&self) -> bool {
        let review = &self.review;
        review.done
            && review.error.is_none()
            && review.counts.changes == 0
            && review.counts.stopped == 0
            && review.counts.left_out == 0
    }

    /// Why space can't choose anything in this row of the options.
    pub fn choice_blocked(&self) -> Option<String> {
        if self.options.each.is_some() || self.choice_of_space().is_some() {
            return None;
        }
        let Some(row) = self.options.rows.current() else {
            return Some(say::NO_OPTIONS_YET.into());
        };
        let here = row.choices.get(self.options.column)?;
        let other = || row.choices.iter().find_map(|cell| cell.blocked.clone());
        here.blocked
            .clone()
            .or_else(|| other().map(|why| say::no_other_choice(&why)))
            .or_else(|| Some(say::NO_OTHER_CHOICE.into()))
    }

    /// Chosen workloads and gateways.
    pub fn chosen_count(&self) -> usize {
        self.answers.workloads.len() + self.answers.gateways.len()
    }

    /// How a step stands on the rail.
    pub fn mark(&self, step: Step) -> StepMark {
        let answers = &self.start.answers;
        if step == self.step {
            return StepMark::Here;
        }
        if step == Step::Workloads && step < self.step && self.answers.workloads.is_empty() {
            return StepMark::Reached;
        }
        if step < self.step {
            return StepMark::Done;
        }
        if step <= self.reached {
            return StepMark::Reached;
        }
        let answered = match step {
            Step::Prometheus => answers.prometheus.is_some(),
            Step::Namespaces => !answers.namespaces.is_empty(),
            Step::Workloads => !answers.workloads.is_empty(),
            Step::Gateways => !answers.gateways.is_empty(),
            Step::Options => answers.options != Default::default() || !answers.each.is_empty(),
            _ => false,
        };
        if answered {
            StepMark::Answered
        } else {
            StepMark::Ahead
        }
    }

    /// Changes of the review that stand against an approval.
    pub fn standing_against(&self) -> impl Iterator<Item = &super::state::ReviewRow> {
        self.review.all.iter().filter(|row| {
            matches!(
                row.standing,
                Standing::Conflict(_)
                    | Standing::Refused(_)
                    | Standing::Gate { .. }
                    | Standing::Failed(_)
            )
        })
    }
}

/// `1 pod`, `6 pods`.
pub(super) fn counted(count: usize, one: &str, several: fn(usize) -> String) -> String {
    match count {
        1 => one.to_owned(),
        _ => several(count),
    }
}

pub(super) fn changes(count: usize) -> String {
    counted(count, say::ONE_CHANGE, say::changes)
}
