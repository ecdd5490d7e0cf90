//! Everything that the wizard knows. Values only: nothing here draws, asks or waits.

mod apply;
mod dialog;
mod options;
mod review;

pub use apply::*;
pub use dialog::*;
pub use options::*;
pub use review::*;

use super::list::{List, Row, RowKey};
use super::msg::Generation;
use crate::answers::Answers;
use crate::engine::contact::Contact;
use crate::engine::event::{Ended, Outcome, StepState};
use crate::error::Error;
use crate::mesh::Mesh;
use crate::mesh::kinds::{ObjectRef, WorkloadRef};
use crate::plan::review::Review;
use crate::plan::{ChangeId, Part, Plan};
use crate::targets::{self, Board, Lacking};
use crate::words::say::wizard as say;
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
            Step::Cluster => say::STEP_CLUSTER,
            Step::Prometheus => "Prometheus",
            Step::Namespaces => say::STEP_NAMESPACES,
            Step::Workloads => say::STEP_WORKLOADS,
            Step::Gateways => say::STEP_GATEWAYS,
            Step::Options => say::STEP_OPTIONS,
            Step::Review => say::STEP_REVIEW,
            Step::Apply => say::STEP_APPLY,
            Step::Status => say::STEP_STATUS,
        }
    }

    /// The one question on top of the step.
    pub fn question(self) -> &'static str {
        match self {
            Step::Cluster => say::WHICH_CLUSTER,
            Step::Prometheus => say::WHICH_PROMETHEUS,
            Step::Namespaces => say::WHICH_NAMESPACES,
            Step::Workloads => say::WHICH_WORKLOADS,
            Step::Gateways => say::WHICH_GATEWAYS,
            Step::Options => say::HOW_TO_SCRAPE,
            Step::Review => say::REVIEW_CHANGES,
            Step::Apply => say::APPLYING_IN_ORDER,
            Step::Status => say::IS_EVERYTHING_SCRAPED,
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
    /// Clicks and the wheel come to the program in place of the terminal's own selection.
    pub mouse: bool,
    /// `--break-lock`
    pub break_lock: bool,
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

/// What a line of the checklist is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Server,
    Istio,
    DataPlane,
    TrustDomain,
    RootNamespace,
    MeshMode,
    Prometheus,
    /// Whether the chosen Prometheus answers.
    Contact,
    Reading,
    Permissions,
    Problems,
    /// A run that was not finished.
    Interrupted,
}

impl About {
    pub fn label(self) -> &'static str {
        match self {
            About::Server => say::ABOUT_SERVER,
            About::Istio => "Istio",
            About::DataPlane => say::ABOUT_DATA_PLANE,
            About::TrustDomain => say::ABOUT_TRUST_DOMAIN,
            About::RootNamespace => say::ABOUT_ROOT_NAMESPACE,
            About::MeshMode => say::ABOUT_MESH_MODE,
            About::Prometheus => "Prometheus",
            About::Contact => say::ABOUT_CONTACT,
            About::Reading => say::ABOUT_READING,
            About::Permissions => say::ABOUT_PERMISSIONS,
            About::Problems => say::ABOUT_PROBLEMS,
            About::Interrupted => say::ABOUT_INTERRUPTED,
        }
    }
}

/// One line of the Cluster step's checklist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckLine {
    pub check: Check,
    pub about: About,
    /// What was found.
    pub found: String,
    /// What to do, or which step it costs. Empty: nothing.
    pub todo: String,
}

/// A run that was cut off, or stopped part way, and not taken back; or one whose undo was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Earlier {
    pub run: String,
    /// Whose it is, and how far it came.
    pub words: String,
    /// It was being taken back.
    pub undo: bool,
    /// What it was for; `None`: its record does not say, so it can only be taken back.
    pub answers: Option<Answers>,
}

#[derive(Clone, Debug, Default)]
pub struct ClusterStep {
    pub earlier: Option<Earlier>,
    /// It was looked for on this connection.
    pub earlier_asked: bool,
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
    /// The Prometheus that was asked whether it answers, since the last reading.
    pub asks: Option<WorkloadRef>,
    /// What came of that.
    pub contact: Option<Contact>,
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

/// Heights of what is on the screen, as the drawing side lays it out. See [`State::fit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewport {
    /// The window has room for the screen. Where it has none, nothing that was not seen may be done.
    pub drawn: bool,
    /// First line of the last page of the dialog's text; zero: all of it is seen.
    pub dialog_last: usize,
    /// Lines of the dialog's text that are seen at once.
    pub dialog: usize,
    /// Rows of the step's list (or of the options' single items).
    pub list: usize,
    /// Lines of the diff, or of the detail.
    pub diff: usize,
    /// Columns of the diff; longer lines are folded.
    pub diff_width: usize,
    /// Rows of what is said before the diff.
    pub notes: usize,
    /// What holds for the whole run has room under the rows of the review.
    pub notes_seen: bool,
    /// First line of the last page of the detail that lies over the step; zero: all of it is seen.
    pub detail_last: usize,
    /// Wide enough for the detail beside the list; else `i` opens it over the list.
    pub wide: bool,
    /// Lines of the help that are seen at once.
    pub help: usize,
    /// First line of the help's last page.
    pub help_last: usize,
}

impl Default for Viewport {
    fn default() -> Self {
        Viewport {
            drawn: true,
            dialog_last: 0,
            dialog: 16,
            list: 16,
            diff: 16,
            diff_width: 56,
            notes: 0,
            notes_seen: true,
            detail_last: 0,
            wide: true,
            help: 16,
            help_last: 0,
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
    pub contact: Generation,
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
    /// The mouse is ours now.
    pub mouse: bool,
    /// The row of the last click: a second one on it acts.
    pub clicked: Option<RowKey>,
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
