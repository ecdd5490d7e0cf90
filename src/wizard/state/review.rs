//! What the review step knows: rows, the view beside them, and the plan of an undo.

use super::*;

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
    /// The change brings about a loss that cannot be undone.
    pub loses: bool,
    /// Fields of a person's kubectl that the approval takes.
    pub takes: usize,
    /// The tool that owns the object, and may revert the change.
    pub owner: Option<&'static str>,
}

/// Which way a change is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReviewMode {
    #[default]
    Unified,
    SideBySide,
    Yaml,
    Kubectl,
    /// What to write where the object's owner keeps it.
    Owner,
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
    /// For the owner of the object; empty: nobody would set the change back.
    pub owner: Vec<String>,
    /// Conflicts, warnings, what admission said of a Pod, what to paste: before the diff.
    pub notes: Vec<ViewNote>,
}

impl ChangeView {
    /// Columns that a line takes unfolded, about: one for each character. Of a pair, the longer side.
    pub fn columns(&self, mode: ReviewMode, at: usize) -> usize {
        let of = |line: &DiffLine| -> usize {
            line.pieces
                .iter()
                .map(|(_, text)| text.chars().count())
                .sum()
        };
        match mode {
            ReviewMode::Unified => self.unified.get(at).map_or(0, of),
            ReviewMode::SideBySide => self.pairs.get(at).map_or(0, |(old, new)| {
                let side = |side: &Option<DiffLine>| side.as_ref().map_or(0, of);
                side(old).max(side(new))
            }),
            ReviewMode::Yaml => self.yaml.get(at).map_or(0, |text| text.chars().count()),
            ReviewMode::Kubectl => self.kubectl.get(at).map_or(0, |text| text.chars().count()),
            ReviewMode::Owner => self.owner.get(at).map_or(0, |text| text.chars().count()),
        }
    }

    /// Lines of the body, unfolded.
    pub fn len(&self, mode: ReviewMode) -> usize {
        match mode {
            ReviewMode::Unified => self.unified.len(),
            ReviewMode::SideBySide => self.pairs.len(),
            ReviewMode::Yaml => self.yaml.len(),
            ReviewMode::Kubectl => self.kubectl.len(),
            ReviewMode::Owner => self.owner.len(),
        }
    }
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
    /// Workloads and gateways whose pods these are.
    pub restarting: usize,
    pub asking: usize,
    /// Changes that stop the approval: conflicts, refusals, failed questions.
    pub stopped: usize,
}

#[derive(Clone, Debug, Default)]
pub struct ReviewStep {
    pub review: Option<Review>,
    /// The run that this review takes back; `None`: a review of the choices.
    pub undoes: Option<String>,
    /// The step in which the undo was asked for.
    pub undo_from: Option<Step>,
    /// The Prometheus that the run was for, of an undo.
    pub undo_prometheus: Option<WorkloadRef>,
    /// Runs that stand after the undo all the same.
    pub undo_older: Vec<String>,
    /// What of an undo takes a word of its own.
    pub asks: Vec<String>,
    /// Why it is not certain that the run was made in this cluster.
    pub unproven: Vec<String>,
    /// What an undo leaves alone, and why; or what the plan deliberately does not do.
    pub notes: Vec<String>,
    /// Every change, in the order in which they are shown.
    pub all: Arc<[ReviewRow]>,
    /// The place of each among them, once every answer is there.
    pub order: BTreeMap<ChangeId, usize>,
    /// Those that the filter leaves.
    pub rows: List<ReviewRow>,
    /// The user has moved the cursor: it stays on its change.
    pub moved: bool,
    pub counts: ReviewCounts,
    /// Workloads and gateways of which nothing will be written, by the user's word.
    pub items_left_out: BTreeSet<WorkloadRef>,
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
    /// By the user's word: the lock is taken even from a run that is at work.
    pub break_lock: bool,
}

impl ReviewStep {
    /// How the change under the cursor is looked at: one without an owner has no text for it.
    pub fn shown(&self) -> ReviewMode {
        let owned = self
            .view
            .as_ref()
            .is_some_and(|view| !view.owner.is_empty());
        match self.mode {
            ReviewMode::Owner if !owned => ReviewMode::Unified,
            mode => mode,
        }
    }
}

impl ReviewRow {
    /// The lock of a run, where another one's stands already.
    pub fn is_held_lock(&self) -> bool {
        self.part == Part::Journal
            && self.object.kind == crate::mesh::kinds::Kind::Lease
            && self.sign == Sign::Changed
    }
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
    /// Why it is not certain that the run was made in this cluster; takes a word of its own too.
    pub unproven: Vec<String>,
    /// Runs that stand after it all the same, newest first.
    pub older: Vec<String>,
}
