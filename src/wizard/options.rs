//! Step 6: port, annotation, injection, pace, old jobs, repair; for all and for each item, with impact and risk.

pub(super) mod pace;

use super::list::List;
use super::msg::{Effect, Generation};
use super::refuse::counted;
use super::state::{
    EachRow, Forbidden, Notice, OptionCell, OptionChoice, OptionRow, Planned, ReviewStep, State,
    Step, Tone,
};
use crate::answers::{Annotate, Answers, Injection, ItemOptions, MetricsPort, Pace};
use crate::error::Error;
use crate::mesh::kinds::WorkloadRef;
use crate::mesh::{SidecarState, Workload};
use crate::plan::Part;
use crate::words::say::wizard as say;
use std::collections::BTreeSet;
use std::sync::Arc;

impl State {
    /// The choices as the recipe takes them: workloads by name, and only of chosen namespaces.
    pub fn effective(&self) -> Answers {
        let mut answers = self.answers.clone();
        answers
            .workloads
            .retain(|id| self.answers.namespaces.contains(&id.namespace));
        answers.namespaces = answers
            .workloads
            .iter()
            .map(|id| id.namespace.clone())
            .collect();
        answers.each.retain(|id, each| {
            *each != ItemOptions::default()
                && (answers.workloads.contains(id)
                    || answers
                        .gateways
                        .iter()
                        .any(|g| g.namespace == id.namespace && g.name == id.name))
        });
        answers
    }

    /// The choices that make the plan. The pace is none of them, so another pace asks for no second review.
    fn planning(&self) -> Answers {
        let mut answers = self.effective();
        answers.options.pace = Pace::default();
        answers
    }

    /// Asks for the plan of the present choices, unless that very plan is there or under way.
    pub(super) fn plan(&mut self) -> Vec<Effect> {
        let answers = self.planning();
        if self.options.planned_for.as_deref() == Some(&answers) {
            self.derive_options();
            return Vec::new();
        }
        self.plan_of(answers)
    }

    /// The same choices may plan differently now: the mesh was read anew.
    pub(super) fn plan_anew(&mut self) -> Vec<Effect> {
        let answers = self.planning();
        self.plan_of(answers)
    }

    fn plan_of(&mut self, answers: Answers) -> Vec<Effect> {
        let answers = Arc::new(answers);
        self.options.planned = None;
        self.options.planned_for = Some(answers.clone());
        self.derive_options();
        vec![Effect::Plan {
            generation: self.generations.plan.advance(),
            mesh: self.mesh.clone(),
            seen: self.seen().cloned(),
            answers,
        }]
    }

    pub(super) fn planned(
        &mut self,
        of: Generation,
        result: Result<Planned, Error>,
        forbidden: Vec<Forbidden>,
    ) -> Vec<Effect> {
        if of != self.generations.plan {
            return Vec::new();
        }
        self.options.impacts = match &result {
            Ok(planned) => planned.impacts.clone(),
            Err(_) => Vec::new(),
        };
        self.options.planned = Some(result);
        self.options.forbidden = forbidden;
        self.derive_options();
        if self.step == Step::Review && self.review.undoes.is_none() {
            return self.ensure_review();
        }
        Vec::new()
    }

    /// Chosen workloads and the workloads behind chosen gateways.
    fn chosen_items(&self) -> impl Iterator<Item = (&Workload, bool)> {
        let workloads = self
            .answers
            .workloads
            .iter()
            .filter(|id| self.answers.namespaces.contains(&id.namespace))
            .filter_map(|id| self.mesh.workload(id))
            .map(|w| (&**w, false));
        let gateways = self
            .answers
            .gateways
            .iter()
            .filter_map(|g| self.mesh.gateway(&g.namespace, &g.name))
            .map(|g| (&g.workload, true));
        workloads.chain(gateways)
    }

    pub(super) fn derive_options(&mut self) {
        let mut pods = 0;
        let mut without_sidecar: BTreeSet<WorkloadRef> = BTreeSet::new();
        for (workload, gateway) in self.chosen_items() {
            pods += workload.pods.len();
            if !gateway && matches!(workload.sidecar, SidecarState::Switchable { .. }) {
                without_sidecar.insert(workload.id.clone());
            }
        }
        let options = &self.answers.options;
        let restarts = match pods {
            0 => String::new(),
            n => counted(n, say::RESTARTS_ONE_POD, say::restarts_pods),
        };
        let cell = |choice, label: &str, impact: &str, risk: &str, chosen| OptionCell {
            choice,
            label: label.to_owned(),
            impact: impact.to_owned(),
            risk: risk.to_owned(),
            chosen,
            blocked: None,
        };
        let mut rows = vec![
            OptionRow {
                label: say::ROW_PORT,
                choices: vec![
                    cell(
                        OptionChoice::Port(MetricsPort::Merged),
                        say::MERGED_PORT,
                        "",
                        "",
                        options.port == MetricsPort::Merged,
                    ),
                    cell(
                        OptionChoice::Port(MetricsPort::Envoy),
                        say::ENVOY_PORT,
                        "",
                        say::NO_APP_METRICS,
                        options.port == MetricsPort::Envoy,
                    ),
                ],
            },
            OptionRow {
                label: say::ROW_ANNOTATE,
                choices: vec![
                    cell(
                        OptionChoice::AnnotateTemplate,
                        say::ANNOTATE_TEMPLATE,
                        &restarts,
                        "",
                        options.annotate == Annotate::Template,
                    ),
                    cell(
                        OptionChoice::AnnotatePods,
                        say::ANNOTATE_PODS,
                        "",
                        say::ANNOTATION_LOST_WITH_POD,
                        options.annotate == Annotate::Pods,
                    ),
                ],
            },
        ];
        if !without_sidecar.is_empty() {
            let count = counted(without_sidecar.len(), say::ONE_WORKLOAD, say::workloads);
            rows.push(OptionRow {
                label: say::ROW_SIDECAR,
                choices: vec![
                    cell(
                        OptionChoice::InjectTemplate,
                        &say::label_on_template(&count),
                        say::RESTARTS_THEIR_PODS,
                        "",
                        options.injection == Injection::Template,
                    ),
                    cell(
                        OptionChoice::InjectNamespace,
                        say::LABEL_ON_NAMESPACE,
                        say::RESTARTS_THEIR_PODS,
                        say::OTHERS_GET_SIDECAR,
                        options.injection == Injection::Namespace,
                    ),
                ],
            });
        }
        rows.extend(self.pace_row());
        let plan = match &self.options.planned {
            Some(Ok(planned)) => Some(&planned.plan),
            _ => None,
        };
        let stops = options.stop_plaintext_jobs.unwrap_or_else(|| {
            // The recipe decides; until it has, the port's default stands.
            plan.map_or(options.port == MetricsPort::Merged, |plan| {
                plan.changes.iter().any(|c| c.part == Part::PlaintextJobs)
            })
        });
        rows.push(OptionRow {
            label: say::ROW_PLAINTEXT_JOBS,
            choices: vec![
                cell(
                    OptionChoice::StopPlaintext,
                    say::STOP_ONCE_UP,
                    "",
                    "",
                    stops,
                ),
                cell(
                    OptionChoice::KeepPlaintext,
                    say::KEEP,
                    "",
                    say::COUNTED_TWICE,
                    !stops,
                ),
            ],
        });
        if !self.mesh.leftovers.is_empty() {
            rows.push(OptionRow {
                label: say::ROW_EXISTING,
                choices: vec![
                    cell(
                        OptionChoice::Repair,
                        say::FIX_LEFTOVERS,
                        "",
                        "",
                        options.repair,
                    ),
                    cell(
                        OptionChoice::NoRepair,
                        say::KEEP,
                        "",
                        say::STAYS_BROKEN,
                        !options.repair,
                    ),
                ],
            });
        }
        for row in &mut rows {
            for cell in &mut row.choices {
                cell.blocked = self
                    .options
                    .forbidden
                    .iter()
                    .find(|f| f.option == cell.choice)
                    .map(|f| f.why.clone());
            }
        }
        let first = |row: &OptionRow| row.choices.first().map(|cell| cell.choice);
        let current = self.options.rows.current().and_then(first);
        let same = |row: &OptionRow| current.is_some() && first(row) == current;
        self.options.rows.set(rows, same);
        self.clamp_column();
        if self.options.each.is_some() {
            self.derive_each();
        }
    }

    fn clamp_column(&mut self) {
        let columns = match (&self.options.each, self.options.rows.current()) {
            (Some(_), _) => 2,
            (None, Some(row)) => row.choices.len(),
            (None, None) => 1,
        };
        self.options.column = self.options.column.min(columns - 1);
    }

    /// The cursor came to another row: it stands on that row's present choice.
    pub(super) fn option_row_moved(&mut self) {
        if self.options.each.is_none()
            && let Some(row) = self.options.rows.current()
        {
            self.options.column = row.choices.iter().position(|c| c.chosen).unwrap_or(0);
        }
    }

    pub(super) fn move_column(&mut self, by: isize) {
        self.options.column = self.options.column.saturating_add_signed(by);
        self.clamp_column();
    }

    /// The choice that space takes: the one under the cursor, or where that is the chosen one already, the
    /// next that can be.
    pub fn choice_of_space(&self) -> Option<usize> {
        let row = self.options.rows.current()?;
        let at = self.options.column;
        let free = |at: &usize| {
            let cell = &row.choices[*at];
            !cell.chosen && cell.blocked.is_none()
        };
        let all = row.choices.len();
        if row.choices.get(at)?.chosen {
            (1..all).map(|by| (at + by) % all).find(free)
        } else {
            Some(at).filter(free)
        }
    }

    pub(super) fn choose_option(&mut self) -> Vec<Effect> {
        if self.options.each.is_some() {
            return self.toggle_each();
        }
        let Some(column) = self.choice_of_space() else {
            return Vec::new();
        };
        self.options.column = column;
        let Some(cell) = self
            .options
            .rows
            .current()
            .and_then(|row| row.choices.get(self.options.column))
        else {
            return Vec::new();
        };
        if cell.blocked.is_some() {
            return Vec::new();
        }
        let options = &mut self.answers.options;
        match cell.choice {
            OptionChoice::Port(port) => {
                options.port = port;
                // A word about the old jobs was given for the other port; its default may differ.
                options.stop_plaintext_jobs = None;
            }
            OptionChoice::AnnotateTemplate => options.annotate = Annotate::Template,
            OptionChoice::AnnotatePods => options.annotate = Annotate::Pods,
            OptionChoice::InjectTemplate => options.injection = Injection::Template,
            OptionChoice::InjectNamespace => options.injection = Injection::Namespace,
            OptionChoice::Pace(pace) => options.pace = pace,
            // For each workload by itself: where metrics would be lost, the recipe keeps the scrape.
            OptionChoice::StopPlaintext => options.stop_plaintext_jobs = None,
            OptionChoice::KeepPlaintext => options.stop_plaintext_jobs = Some(false),
            OptionChoice::Repair => options.repair = true,
            OptionChoice::NoRepair => options.repair = false,
        }
        self.plan()
    }

    /// `e`: single items, and back.
    pub(super) fn toggle_each_list(&mut self) {
        if self.options.each.take().is_none() {
            let mut list = List::default();
            list.fit(self.viewport.list);
            self.options.each = Some(list);
            self.options.column = 0;
            self.derive_each();
        } else {
            self.option_row_moved();
        }
    }

    fn derive_each(&mut self) {
        let rows: Vec<EachRow> = self
            .chosen_items()
            .map(|(workload, gateway)| {
                let each = self.answers.each.get(&workload.id);
                EachRow {
                    item: workload.id.clone(),
                    gateway,
                    port: self.answers.port_of(&workload.id),
                    annotate: self.answers.annotate_of(&workload.id),
                    port_differs: each.is_some_and(|e| e.port.is_some()),
                    annotate_differs: each.is_some_and(|e| e.annotate.is_some()),
                }
            })
            .collect();
        if let Some(list) = &mut self.options.each {
            let key = list.current().map(|row| row.item.clone());
            list.set(rows, |row| Some(&row.item) == key.as_ref());
        }
    }

    fn toggle_each(&mut self) -> Vec<Effect> {
        let Some(row) = self.options.each.as_ref().and_then(|list| list.current()) else {
            return Vec::new();
        };
        let item = row.item.clone();
        let port = match self.answers.port_of(&item) {
            MetricsPort::Merged => MetricsPort::Envoy,
            MetricsPort::Envoy => MetricsPort::Merged,
        };
        let annotation = match self.answers.annotate_of(&item) {
            Annotate::Template => Annotate::Pods,
            Annotate::Pods => Annotate::Template,
        };
        let wanted = match (self.options.column, annotation) {
            (0, _) => OptionChoice::Port(port),
            (_, Annotate::Template) => OptionChoice::AnnotateTemplate,
            (_, Annotate::Pods) => OptionChoice::AnnotatePods,
        };
        let mut forbidden = self.options.forbidden.iter();
        if let Some(no) = forbidden.find(|f| f.option == wanted && f.item.as_ref() == Some(&item)) {
            self.notice = Some(Notice {
                tone: Tone::Waiting,
                text: no.why.clone(),
            });
            return Vec::new();
        }
        let options = &self.answers.options;
        let (all_port, all_annotate) = (options.port, options.annotate);
        let each = self.answers.each.entry(item.clone()).or_default();
        if self.options.column == 0 {
            each.port = (port != all_port).then_some(port);
        } else {
            each.annotate = (annotation != all_annotate).then_some(annotation);
        }
        if *each == ItemOptions::default() {
            self.answers.each.remove(&item);
        }
        self.plan()
    }

    /// Shows the review of the present choices: the one that is there, or a new one.
    pub(super) fn ensure_review(&mut self) -> Vec<Effect> {
        let mut answers = self.planning();
        let mut effects = Vec::new();
        if self.options.planned_for.as_deref() != Some(&answers) || self.apply.fresh {
            self.apply.fresh = false;
            self.review = ReviewStep::default();
            effects.extend(self.plan_of(answers));
            return effects;
        }
        match &self.options.planned {
            None => {}
            Some(Err(error)) => {
                self.review = ReviewStep {
                    error: Some(error.clone()),
                    ..ReviewStep::default()
                };
            }
            Some(Ok(planned)) => {
                answers.leave_out.clear();
                answers.take.clear();
                let same = self.review.made_for.as_deref() == Some(&answers);
                if !(same && self.review.error.is_none() && self.review.undoes.is_none()) {
                    let planned = planned.clone();
                    effects.extend(self.begin_review(planned, Some(Arc::new(answers)), None));
                }
            }
        }
        effects
    }
}
