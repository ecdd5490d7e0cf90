//! The recipe as values: the samples, each fault of the published text, and what must always be true.

mod choices;
mod ended;
mod faults;
mod findings;
mod forecast;
mod golden;
mod job;
mod leaving_out;
mod merged;
mod must_not;
mod pod;
mod readers;
mod repairs;
mod table;

use crate::answers::Answers;
use crate::mesh::Mesh;
use crate::mesh::kinds::Kind;
use crate::plan::scrape_config::TextEdit;
use crate::plan::{Action, Change, Part, Plan};
use crate::problems::{Code, Problem};
use serde_json::Value;

fn plan(mesh: &Mesh, answers: &Answers) -> Plan {
    super::plan(mesh, answers).unwrap_or_else(|e| panic!("{e}"))
}

fn refusal(mesh: &Mesh, answers: &Answers) -> String {
    match super::plan(mesh, answers) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("the plan was made"),
    }
}

fn of<'a>(plan: &'a Plan, kind: Kind, name: &str) -> &'a Change {
    plan.changes
        .iter()
        .find(|c| c.object.kind == kind && c.object.name == name)
        .unwrap_or_else(|| panic!("no change of {kind:?} {name}"))
}

fn intent(change: &Change) -> &Value {
    match &change.action {
        Action::Apply { intent } => intent,
        other => panic!("{} is no apply: {other:?}", change.id),
    }
}

fn part(plan: &Plan, part: Part) -> Option<&Change> {
    plan.changes.iter().find(|c| c.part == part)
}

fn edits(change: &Change) -> &[TextEdit] {
    match &change.action {
        Action::Text { edits, .. } => edits,
        other => panic!("{} is no text edit: {other:?}", change.id),
    }
}

/// The jobs of ours in a plan, by name.
fn jobs(plan: &Plan) -> Vec<(&str, &Value)> {
    let change = part(plan, Part::ScrapeJob).expect("a scrape job");
    let edits = edits(change).iter();
    edits
        .filter_map(|edit| match edit {
            TextEdit::InsertJob { name, job } | TextEdit::ReplaceJob { name, job } => {
                Some((name.as_str(), job))
            }
            _ => None,
        })
        .collect()
}

/// What is said of a plan as a whole and of its changes.
fn findings(plan: &Plan) -> impl Iterator<Item = &Problem> {
    let of_changes = plan.changes.iter().flat_map(|change| &change.findings);
    plan.findings.iter().chain(of_changes)
}

/// The names of the subjects of which a plan says this.
fn said(plan: &Plan, code: Code) -> Vec<&str> {
    findings(plan)
        .filter(|problem| problem.code() == code)
        .map(|problem| problem.of().name.as_str())
        .collect()
}

fn at(plan: &Plan, kind: Kind, name: &str) -> usize {
    let id = &of(plan, kind, name).id;
    plan.changes
        .iter()
        .position(|c| c.id == *id)
        .expect("there")
}
