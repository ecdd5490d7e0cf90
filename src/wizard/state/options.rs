//! What the options step knows: its rows, what they may not be, and the plan they lead to.

use super::*;
use crate::problems::{Problem, Severity, of_forecast};
use crate::words::{self, say::wizard as say};

/// What the recipe made of the choices.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    pub plan: Arc<Plan>,
    /// What holds for it as a whole, made where it is planned.
    pub notes: Vec<String>,
    /// What it costs, one sentence each, gravest first.
    pub impacts: Vec<String>,
}

impl Planned {
    /// Its targets and what is wrong with them stand first. Work grows with the plan.
    pub fn new(plan: Plan) -> Self {
        let forecast = plan.forecast.as_deref();
        let problems = forecast.map(of_forecast).unwrap_or_default();
        let line = |(problem, words): (&Problem, String)| format!("{}: {words}", problem.code());
        let lines = |all: &mut dyn Iterator<Item = &Problem>| -> Vec<String> {
            words::together(all).into_iter().map(line).collect()
        };
        let grave = problems.iter();
        let mut grave = grave.filter(|problem| problem.severity() > Severity::Note);
        let mut notes = lines(&mut grave);
        notes.extend(forecast.map(words::forecast).unwrap_or_default());
        notes.extend(lines(&mut plan.findings.iter()));
        let skipped = words::skipped(&plan.skipped).into_iter();
        notes.extend(skipped.map(|words| say::skipped_in_plan(&words)));
        let mut impacts = words::impacts(&plan);
        let of_changes = plan.changes.iter();
        let mut of_changes = of_changes.flat_map(|change| &change.findings);
        impacts.extend(lines(&mut of_changes));
        Planned {
            plan: Arc::new(plan),
            notes,
            impacts,
        }
    }
}

/// A choice that can't be made, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    pub option: OptionChoice,
    /// The item that it is forbidden for; `None`: for all together.
    pub item: Option<WorkloadRef>,
    pub why: String,
}

/// A single choice of the Options step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OptionChoice {
    Port(crate::answers::MetricsPort),
    AnnotateTemplate,
    AnnotatePods,
    InjectTemplate,
    InjectNamespace,
    Pace(crate::answers::Pace),
    StopPlaintext,
    KeepPlaintext,
    Repair,
    NoRepair,
}

/// One row of the Options step, with its choices side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionRow {
    pub label: &'static str,
    pub choices: Vec<OptionCell>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionCell {
    pub choice: OptionChoice,
    /// `15020 merged: Envoy, agent and app`
    pub label: String,
    /// What it costs: restarts, cut connections. Empty: nothing.
    pub impact: String,
    /// What can go wrong. Empty: nothing.
    pub risk: String,
    pub chosen: bool,
    /// Why it can't be chosen.
    pub blocked: Option<String>,
}

/// A workload or gateway with its own port and annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EachRow {
    pub item: WorkloadRef,
    pub gateway: bool,
    pub port: crate::answers::MetricsPort,
    pub annotate: crate::answers::Annotate,
    /// It differs from the options for all.
    pub port_differs: bool,
    pub annotate_differs: bool,
}

#[derive(Clone, Debug, Default)]
pub struct OptionsStep {
    /// Row and column of the last click, and whether in the list of single items.
    pub clicked: Option<(usize, usize, bool)>,
    pub rows: List<OptionRow>,
    /// The choice under the cursor within the row.
    pub column: usize,
    /// `e`: the list of single items is open; the column is then 0 port, 1 annotation.
    pub each: Option<List<EachRow>>,
    /// The plan of the present choices, or why the recipe refuses them. `None`: being made.
    pub planned: Option<Result<Planned, Error>>,
    /// Choices that would lose metrics.
    pub forbidden: Vec<Forbidden>,
    /// The choices for which the plan was asked for.
    pub planned_for: Option<Arc<Answers>>,
    /// Impacts of the whole plan, one sentence each, gravest first.
    pub impacts: Vec<String>,
}
