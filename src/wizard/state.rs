//! Everything that the wizard knows. Values only: nothing here draws, asks or waits.

use super::list::{List, Row};
use super::msg::Generation;
use super::refuse::plural;
use crate::answers::Answers;
use crate::engine::event::{Ended, Outcome, StepState};
use crate::error::Error;
use crate::mesh::Mesh;
use crate::mesh::kinds::{ObjectRef, WorkloadRef};
use crate::plan::review::Review;
use crate::plan::{ChangeId, Part, Plan};
use crate::targets::{self, Board};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// The nine steps, in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    #[default]
    Cluster,
    Prometheus,
    Namespaces,
    Workloads,
    Gateways,
    Options,
    Review,
    Apply,
    Status,
}

impl Step {
    pub const ALL: [Step; 9] = [
        Step::Cluster,
        Step::Prometheus,
        Step::Namespaces,
        Step::Workloads,
        Step::Gateways,
        Step::Options,
        Step::Review,
        Step::Apply,
        Step::Status,
    ];

    /// From 1, as the rail counts.
    pub fn number(self) -> usize {
        self as usize + 1
    }

    pub fn title(self) -> &'static str {
        match self {
            Step::Cluster => "Cluster",
            Step::Prometheus => "Prometheus",
            Step::Namespaces => "Namespaces",
            Step::Workloads => "Workloads",
            Step::Gateways => "Gateways",
            Step::Options => "Options",
            Step::Review => "Review",
            Step::Apply => "Apply",
            Step::Status => "Status",
        }
    }

    /// The one question on top of the step.
    pub fn question(self) -> &'static str {
        match self {
            Step::Cluster => "Which cluster, and is everything there that is needed?",
            Step::Prometheus => "Which Prometheus should scrape the mesh over mTLS?",
            Step::Namespaces => "In which namespaces are the workloads?",
            Step::Workloads => "Which workloads should Prometheus scrape over mTLS?",
            Step::Gateways => "Which gateways should Prometheus scrape over mTLS?",
            Step::Options => "How should they be scraped?",
            Step::Review => "Is this what should be written? Nothing has been written yet.",
            Step::Apply => "Writing the approved changes, one after another",
            Step::Status => "Is every target scraped over mTLS?",
        }
    }

    pub fn next(self) -> Option<Step> {
        Step::ALL.get(self as usize + 1).copied()
    }

    pub fn before(self) -> Option<Step> {
        (self as usize).checked_sub(1).map(|at| Step::ALL[at])
    }
}

/// How a step stands on the rail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepMark {
    /// Walked through.
    Done,
    /// The one on the screen.
    Here,
    /// Answered by a flag or a file, not yet walked through.
    Answered,
    /// Reached before, can be jumped to.
    Reached,
    Ahead,
}

/// What the program was started with.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Choices made by flags or a file.
    pub answers: Answers,
    pub demo: bool,
    pub read_only: bool,
    /// `--context`: no question then.
    pub context: Option<String>,
    /// `--no-probe`: pods are not asked for plaintext.
    pub no_probe: bool,
    /// Only the monitor: Status is the first and the last step.
    pub monitor: bool,
    /// How long targets, and each rollout, may take. Zero: the program's own limits.
    pub timeout: std::time::Duration,
    /// Draw with ASCII only.
    pub ascii: bool,
}

/// The contexts of the kubeconfig.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contexts {
    pub names: Vec<String>,
    pub current: Option<String>,
}

/// How far the way to the cluster has come.
#[derive(Clone, Debug, Default)]
pub enum Connection {
    /// The kubeconfig is being read.
    #[default]
    Reading,
    /// Several contexts: the user chooses.
    Choosing,
    Connecting,
    Open,
    /// No kubeconfig, an unknown context, broken credentials …; `r` tries again.
    Failed(Error),
}

/// How a line of the checklist stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// Still being asked.
    Asking,
    Good,
    /// Works, with something to know.
    Warning,
    /// Needed and missing: the way on is closed, or a later step is.
    Bad,
    /// Does not apply.
    Skipped,
}

/// One line of the Cluster step's checklist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckLine {
    pub check: Check,
    pub label: &'static str,
    /// What was found.
    pub found: String,
    /// What to do, or which step it costs. Empty: nothing.
    pub todo: String,
}

#[derive(Clone, Debug, Default)]
pub struct ClusterStep {
    pub contexts: Option<Contexts>,
    /// The contexts to choose from, where there are several.
    pub list: List<Row>,
    pub connection: Connection,
    /// The context that is used, once chosen.
    pub context: Option<String>,
    pub checks: Vec<CheckLine>,
    /// The cluster is still being read.
    pub filling: bool,
    /// The picture that stands came of a reading to the end.
    pub whole: bool,
}

/// What the recipe made of the choices.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    pub plan: Arc<Plan>,
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
    MarkTemplate,
    MarkPods,
    InjectTemplate,
    InjectNamespace,
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
    pub price: String,
    /// What can go wrong. Empty: nothing.
    pub risk: String,
    pub chosen: bool,
    /// Why it can't be chosen.
    pub blocked: Option<String>,
}

/// A workload or gateway with its own port and mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EachRow {
    pub item: WorkloadRef,
    pub gateway: bool,
    pub port: crate::answers::MetricsPort,
    pub mark: crate::answers::Mark,
    /// It differs from the options for all.
    pub port_differs: bool,
    pub mark_differs: bool,
}

#[derive(Clone, Debug, Default)]
pub struct OptionsStep {
    pub rows: List<OptionRow>,
    /// The choice under the cursor within the row.
    pub column: usize,
    /// `e`: the list of single items is open; the column is then 0 port, 1 mark.
    pub each: Option<List<EachRow>>,
    /// The plan of the present choices, or why the recipe refuses them. `None`: being made.
    pub planned: Option<Result<Planned, Error>>,
    /// Choices that would lose metrics.
    pub forbidden: Vec<Forbidden>,
    /// The choices for which the plan was asked for.
    pub planned_for: Option<Arc<Answers>>,
    /// Prices of the whole plan, one sentence each, gravest first.
    pub prices: Vec<String>,
}

/// How one change of the review stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The server has not answered yet.
    Asking,
    Ready,
    /// Live already is as wanted.
    Unchanged,
    LeftOut,
    /// It hangs on a change that is left out or can't be written.
    HangsOn(ChangeId),
    /// Fields of these managers; stops until taken or left out.
    Conflict(Vec<String>),
    Refused(String),
    Gate {
        why: String,
        paste: String,
    },
    Failed(String),
    /// Can't be dry-run yet: why.
    Unverified(String),
}

/// The sign before a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    New,
    Changed,
    Deleted,
    Same,
    /// Not known yet.
    Asking,
}

/// One line of the review.
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewRow {
    pub id: ChangeId,
    pub object: ObjectRef,
    pub part: Part,
    pub why: String,
    pub sign: Sign,
    pub added: usize,
    pub removed: usize,
    pub standing: Standing,
    /// Number of warnings of the server and of admission.
    pub warnings: usize,
    /// Fields of a person's kubectl that the approval takes.
    pub takes: usize,
}

/// Which way a change is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReviewMode {
    #[default]
    Unified,
    SideBySide,
    Yaml,
    Kubectl,
}

/// A change ready to be looked at; made off the loop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeView {
    pub id: Option<ChangeId>,
    pub unified: Vec<DiffLine>,
    /// Old on the left, new on the right.
    pub pairs: Vec<(Option<DiffLine>, Option<DiffLine>)>,
    pub yaml: Vec<String>,
    pub kubectl: Vec<String>,
    /// Conflicts, warnings, what admission said of a Pod, what to paste: before the diff.
    pub notes: Vec<ViewNote>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewNote {
    pub tone: Tone,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Waiting,
    Bad,
    Muted,
}

/// One line of a diff.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiffLine {
    pub sign: LineSign,
    /// Pieces of the line; true: this piece changed within the line.
    pub pieces: Vec<(bool, String)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineSign {
    #[default]
    Same,
    Added,
    Removed,
    /// `… 41 unchanged lines`
    Fold,
}

/// Figures for the review's head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewCounts {
    /// Changes that would be written.
    pub changes: usize,
    pub new: usize,
    pub patched: usize,
    pub deleted: usize,
    pub unchanged: usize,
    pub left_out: usize,
    /// Pods that restart.
    pub restarts: usize,
    pub asking: usize,
    /// Changes that stop the approval: conflicts, refusals, failed questions.
    pub stopped: usize,
}

#[derive(Clone, Debug, Default)]
pub struct ReviewStep {
    pub review: Option<Review>,
    /// The run that this review takes back; `None`: a review of the choices.
    pub undoes: Option<String>,
    /// The Prometheus that the run was for, of an undo.
    pub undo_prometheus: Option<WorkloadRef>,
    /// What of an undo takes a word of its own.
    pub asks: Vec<String>,
    /// What an undo leaves alone, and why; or what the plan deliberately does not do.
    pub notes: Vec<String>,
    pub rows: List<ReviewRow>,
    pub counts: ReviewCounts,
    pub mode: ReviewMode,
    /// The diff has the arrows instead of the list.
    pub diff_focus: bool,
    /// First line of the diff that is shown.
    pub diff_offset: usize,
    pub diff_height: usize,
    /// The diff of the change under the cursor; `None`: being made.
    pub view: Option<Arc<ChangeView>>,
    pub lines: BTreeMap<ChangeId, (usize, usize)>,
    /// The review could not be made, or broke off.
    pub error: Option<Error>,
    /// The choices for which this review was made.
    pub made_for: Option<Arc<Answers>>,
    pub done: bool,
}

/// One line of the apply.
#[derive(Clone, Debug, PartialEq)]
pub struct ApplyRow {
    pub id: ChangeId,
    pub object: ObjectRef,
    pub part: Part,
    pub why: String,
    pub state: StepState,
    /// It has reached the cluster and stands there, whatever went wrong afterwards.
    pub written: bool,
}

impl ApplyRow {
    /// Takes over how far the change has come.
    pub fn come(&mut self, state: StepState) {
        self.written = match &state {
            // What waits after its write is written; before it nothing is.
            StepState::Waiting(_) => {
                self.written || matches!(self.state, StepState::Writing | StepState::Rollout { .. })
            }
            StepState::Rollout { .. } | StepState::Done => true,
            StepState::Unchanged | StepState::TakenBack(_) | StepState::Held(_) => false,
            StepState::Pending | StepState::Writing | StepState::Failed(_) | StepState::LeftOut => {
                self.written
            }
        };
        self.state = state;
    }

    /// Something is being done about it.
    pub fn under_way(&self) -> bool {
        matches!(
            self.state,
            StepState::Waiting(_) | StepState::Writing | StepState::Rollout { .. }
        )
    }
}

/// Lines of the apply's log that are kept.
pub const LOG_LINES: usize = 500;

#[derive(Clone, Debug, Default)]
pub struct ApplyStep {
    pub rows: List<ApplyRow>,
    pub index: HashMap<ChangeId, usize>,
    pub log: VecDeque<String>,
    pub running: bool,
    /// The user asked it to stop; it ends after the write under way.
    pub stopping: bool,
    /// It takes back what a run wrote.
    pub undoing: bool,
    /// What was approved has been written and the cluster is to be read anew.
    pub fresh: bool,
    /// A change failed; apply waits for a decision.
    pub stopped: Option<(ChangeId, Error)>,
    pub outcome: Option<Outcome>,
    /// How it ended, in sentences.
    pub summary: Vec<String>,
    pub error: Option<Error>,
    /// The run's id, for `undo`.
    pub run: Option<String>,
    /// Targets while they are waited for.
    pub board: Option<Arc<Board>>,
    /// The first tick after it began.
    pub began: Option<Timestamp>,
}

impl ApplyStep {
    /// (steps that are finished, all). Once it is over, only what stands as approved counts.
    pub fn progress(&self) -> (usize, usize) {
        let over = !self.running && !self.undoing;
        let done = self.rows.rows.iter().filter(|r| {
            let stands = matches!(r.state, StepState::Done | StepState::Unchanged);
            match over {
                true => stands,
                false => r.state != StepState::Pending && !r.under_way(),
            }
        });
        (done.count(), self.rows.rows.len())
    }

    /// What an apply that went to its end still lacks: changes that were held back, targets that are not UP.
    pub fn lacks(&self) -> Option<String> {
        let outcome = self.outcome.as_ref()?;
        if self.undoing || outcome.ended != Ended::Whole {
            return None;
        }
        let stand = outcome.written.len() + outcome.unchanged.len();
        let lost = outcome.not_written.len() + outcome.taken_back.len();
        if outcome.all_up && lost == 0 {
            return None;
        }
        let mut parts = Vec::new();
        if lost > 0 {
            parts.push(format!("{stand} of {} written", stand + lost));
            let why = |wanted: fn(&StepState) -> Option<&String>| {
                self.rows.rows.iter().find_map(|row| wanted(&row.state))
            };
            let said = |number: usize, what: &str, why: Option<&String>| {
                let why = why.map_or_else(String::new, |why| format!(": {why}"));
                format!("{number} {what}{why}")
            };
            if !outcome.not_written.is_empty() {
                let held = why(|state| match state {
                    StepState::Held(why) => Some(why),
                    _ => None,
                });
                let what = if held.is_some() {
                    "held back"
                } else {
                    "left out"
                };
                parts.push(said(outcome.not_written.len(), what, held));
            }
            if !outcome.taken_back.is_empty() {
                let back = why(|state| match state {
                    StepState::TakenBack(why) => Some(why),
                    _ => None,
                });
                parts.push(said(outcome.taken_back.len(), "taken back", back));
            }
        }
        let counts = outcome.board.counts;
        if !outcome.all_up {
            parts.push(match counts.all() {
                0 => "targets are not known to be UP".to_owned(),
                all => format!("{} of {} UP", counts.up, plural(all, "target", "targets")),
            });
        }
        Some(parts.join("; "))
    }
}

#[derive(Clone, Debug, Default)]
pub struct StatusStep {
    /// What is shown: the newest board, or the frozen one.
    pub board: Arc<Board>,
    /// The newest, while the shown one is frozen.
    pub newest: Option<Arc<Board>>,
    pub rows: List<Arc<targets::Row>>,
    pub problems_only: bool,
    pub frozen: bool,
    /// Nothing is known yet.
    pub waiting: bool,
}

/// The plan that takes a run back.
#[derive(Clone, Debug, Default)]
pub struct UndoPlan {
    pub run: String,
    /// The Prometheus that the run was for.
    pub prometheus: Option<WorkloadRef>,
    pub plan: Arc<Plan>,
    pub notes: Vec<String>,
    /// What takes a word of its own: somebody's open listener that would come back.
    pub asks: Vec<String>,
}

/// A decision that is asked for. Drawn over the step; the safe answer has the focus.
#[derive(Clone, Debug, PartialEq)]
pub struct Dialog {
    pub kind: DialogKind,
    pub title: String,
    pub lines: Vec<String>,
    /// A field to type into, with its text.
    pub input: Option<String>,
    pub buttons: Vec<Button>,
    pub focus: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Button {
    pub label: String,
    pub answer: Answer,
    /// It writes, deletes or loses something.
    pub danger: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum DialogKind {
    ConfirmApply,
    /// Losing Prometheus's history: a confirmation of its own.
    ConfirmHistory,
    /// Quit while something is being written.
    QuitApplying,
    /// A change failed.
    Stopped,
    /// Take a controller's fields, by its name.
    Take(String),
    SaveAnswers,
    /// Quit with choices that are written nowhere.
    QuitChoices,
    ReplaceFile(std::path::PathBuf),
    ConfirmUndo,
    /// The undo brings back somebody's listener without policies: a confirmation of its own.
    ConfirmOpens,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Cancel,
    Yes,
    Retry,
    LeaveOut,
    Undo,
    Stop,
}

/// A short message at the bottom; the next key takes it away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub tone: Tone,
    pub text: String,
}

/// Heights of what is on the screen, as the drawing side lays it out. See [`State::fit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewport {
    /// Rows of the step's list (or of the options' single items).
    pub list: usize,
    /// Lines of the diff, or of the detail.
    pub diff: usize,
    /// Wide enough for the detail beside the list; else `i` opens it over the list.
    pub wide: bool,
}

impl Default for Viewport {
    fn default() -> Self {
        Viewport {
            list: 16,
            diff: 16,
            wide: true,
        }
    }
}

/// The numbers of the newest questions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Generations {
    pub connect: Generation,
    pub discover: Generation,
    pub plan: Generation,
    pub review: Generation,
    pub view: Generation,
    pub undo: Generation,
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub start: Start,
    pub step: Step,
    /// The furthest step reached.
    pub reached: Step,
    pub answers: Answers,
    pub mesh: Arc<Mesh>,
    pub cluster: ClusterStep,
    pub prometheus: List<Row>,
    pub namespaces: List<Row>,
    pub workloads: List<Row>,
    /// Namespaces whose workloads are folded away.
    pub folded: BTreeSet<String>,
    /// Chosen workloads by namespace.
    pub chosen_in: BTreeMap<String, usize>,
    pub gateways: List<Row>,
    pub options: OptionsStep,
    pub review: ReviewStep,
    pub apply: ApplyStep,
    pub status: StatusStep,
    pub dialog: Option<Dialog>,
    /// `?`
    pub help: bool,
    /// `i` on a narrow screen: the detail lies over the list.
    pub detail: bool,
    pub detail_offset: usize,
    pub notice: Option<Notice>,
    pub viewport: Viewport,
    pub generations: Generations,
    /// The time of the last tick.
    pub now: Option<Timestamp>,
    /// Counts spinner ticks.
    pub ticks: u64,
    /// The Prometheus was chosen by the user's word; else the only choosable one is.
    pub prometheus_by_user: bool,
    /// The program ends as soon as the write under way is over.
    pub quit_after: bool,
    /// The file that the answers are being saved to.
    pub saving: Option<std::path::PathBuf>,
    /// The program ends; set once.
    pub leaving: bool,
}

/// Whether a row is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    No,
    Yes,
    /// A namespace of which some workloads are chosen.
    Some(usize),
    /// It can't be.
    Blocked,
}
