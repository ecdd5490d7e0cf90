//! A question over the step, and a line under it.

use super::*;

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
    /// First line of the text that is shown, where the window is too low for all of it.
    pub offset: usize,
    /// The furthest that it was shown from: what lies below was not seen yet.
    pub seen: usize,
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
    /// Restart pods though admission could not be asked about the new ones.
    ConfirmUnchecked,
    /// A workload's first sidecar, chosen by hand.
    FirstSidecar(crate::mesh::kinds::WorkloadRef),
    /// Quit while something is being written.
    QuitApplying,
    /// A change failed.
    Stopped,
    /// Take back the whole run that stopped: a confirmation of its own.
    UndoRun,
    /// Take a controller's fields, by its name.
    Take(String),
    /// Let what this tool owns be chosen.
    TakeOwner(crate::mesh::OwnerTool),
    SaveAnswers,
    /// Write the review to a folder.
    Export,
    /// What came of it.
    Exported,
    /// All problems of the cluster.
    Problems,
    /// Quit with choices that are written nowhere.
    QuitChoices,
    ReplaceFile(std::path::PathBuf),
    ConfirmUndo,
    /// The undo brings back somebody's listener without policies: a confirmation of its own.
    ConfirmOpens,
    ConfirmCluster,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Cancel,
    Yes,
    /// Put it in the place of what stands there.
    Replace,
    Retry,
    /// Write the change as it is shown anew.
    Again,
    LeaveOut,
    /// Take back what stands for the failed change's workload or gateway.
    TakeBack,
    Undo,
    Stop,
}

/// A short message at the bottom; the next key takes it away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub tone: Tone,
    pub text: String,
}
