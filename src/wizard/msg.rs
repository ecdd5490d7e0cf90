//! What can happen to the wizard, and what it asks of the world.

use super::keymap::{Action, Key};
use super::state::{ChangeView, Contexts, Earlier, Forbidden, Planned, Step, UndoPlan};
use crate::answers::Answers;
use crate::engine::contact::Contact;
use crate::engine::event::{ApplyEvent, Decision};
use crate::error::Error;
use crate::mesh::kinds::WorkloadRef;
use crate::mesh::{Mesh, Observation, Prometheus};
use crate::plan::review::{Approved, Review, Reviewed};
use crate::plan::{ChangeId, Plan};
use crate::targets::Board;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// Counts the questions of one kind. An answer that carries an older number is thrown away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

impl Generation {
    /// The number of a new question.
    pub fn advance(&mut self) -> Generation {
        self.0 += 1;
        *self
    }
}

/// Something happened.
#[derive(Clone, Debug)]
pub enum Msg {
    Key(Key),
    /// Pasted text; goes into the field that is being typed into, and nowhere else.
    Paste(String),
    Click {
        target: Target,
    },
    /// Lines up (negative) or down.
    Wheel(isize),
    /// Time went on: spinners turn, ages grow.
    Tick(Timestamp),
    /// SIGTERM, SIGHUP or Ctrl-C: end as soon as no write is cut.
    Interrupt,
    /// Time to look whether what was missing has appeared; see [`Wants::rediscover`].
    Rediscover,
    Contexts(Result<Contexts, Error>),
    Connected(Generation, Result<(), Error>),
    /// The mesh as far as it has been read; `last`: nothing more comes of this question.
    Mesh {
        generation: Generation,
        mesh: Arc<Mesh>,
        last: bool,
    },
    Planned {
        generation: Generation,
        result: Result<Planned, Error>,
        /// Choices that would lose metrics, whether the plan could be made or not.
        forbidden: Vec<Forbidden>,
    },
    /// The review has begun: every change, none answered yet.
    ReviewOpened(Generation, Box<Review>),
    Reviewed {
        generation: Generation,
        item: Arc<Reviewed>,
        /// Lines added and removed.
        added: usize,
        removed: usize,
    },
    ReviewDone(Generation, Result<(), Error>),
    /// The diff of one change, as asked for by [`Effect::View`].
    View(Generation, Arc<ChangeView>),
    Apply(ApplyEvent),
    /// A change whose object moved meanwhile, as it would be now; the question about it follows.
    Again {
        id: ChangeId,
        view: Arc<ChangeView>,
        /// It can be written so.
        may: bool,
    },
    /// The apply could not begin or broke off.
    ApplyFailed(Error),
    Board(Arc<Board>),
    UndoPlanned(Generation, Result<UndoPlan, Error>),
    /// The newest run, where it was not finished.
    Earlier(Generation, Option<Box<Earlier>>),
    /// Whether the chosen Prometheus can be asked.
    Contact(Generation, Contact),
    Reloaded(Result<(), Error>),
    Saved(Result<PathBuf, Error>),
    /// The file to save into is there already.
    SaveExists(PathBuf),
    /// The folder that was asked for, and what was written, in words.
    Exported(PathBuf, Result<Vec<String>, Error>),
    Copied(Result<(), Error>),
}

/// What a click hit; the drawing side knows where things are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A row of the step's list, by its number; a click on the row under the cursor chooses it.
    Row(usize),
    /// A step on the rail.
    Step(Step),
    /// A button of the dialog.
    Button(usize),
    /// A key of the footer.
    Key(Action),
    /// A choice of an option: row and choice.
    Choice(usize, usize),
}

/// What the world is asked to do. The answer comes as a [`Msg`].
#[derive(Clone, Debug)]
pub enum Effect {
    LoadContexts,
    /// Opens the connection to the context (`None`: the current one, or the cluster around the pod).
    Connect(Generation, Option<String>),
    Discover(Generation),
    Plan {
        generation: Generation,
        mesh: Arc<Mesh>,
        /// What the chosen Prometheus scrapes, where it said so.
        seen: Option<Arc<Observation>>,
        answers: Arc<Answers>,
    },
    Review {
        generation: Generation,
        plan: Arc<Plan>,
        answers: Arc<Answers>,
    },
    View {
        generation: Generation,
        item: Arc<Reviewed>,
        /// Controllers whose fields the user lets be taken from it.
        taken: BTreeSet<String>,
    },
    Apply {
        approved: Approved,
        mesh: Arc<Mesh>,
        answers: Arc<Answers>,
        prometheus: Option<WorkloadRef>,
        /// The run that this one takes back.
        undoes: Option<String>,
        break_lock: bool,
        /// Items that were left out, so that nothing waits for their targets.
        left_out: Arc<BTreeSet<WorkloadRef>>,
        /// Nobody can be asked whether the targets come UP, and the user said yes to that.
        unproven: bool,
    },
    /// Asks whether this Prometheus answers.
    Contact(Generation, Arc<Prometheus>),
    /// Makes the Prometheus of these answers read its configuration again.
    Reload {
        mesh: Arc<Mesh>,
        answers: Arc<Answers>,
    },
    Decide(Decision),
    /// Ends the apply after the write under way.
    StopApply,
    /// Begins to watch the targets of these answers anew; ends with [`Wants::watch`] false.
    Watch {
        mesh: Arc<Mesh>,
        answers: Arc<Answers>,
        left_out: Arc<BTreeSet<WorkloadRef>>,
    },
    /// Reads the journal, and the records in the cluster, for what can be taken back: this run, or the newest.
    PlanUndo(Generation, Arc<Mesh>, Option<String>),
    /// Looks whether the newest run was finished, by this machine's journal and the records in these namespaces.
    Earlier(Generation, Vec<String>),
    SaveAnswers {
        path: PathBuf,
        answers: Arc<Answers>,
        replace: bool,
    },
    /// Writes the reviewed plan into a folder.
    Export {
        folder: PathBuf,
        /// In the place of an earlier export.
        overwrite: bool,
        review: Box<Review>,
        mesh: Arc<Mesh>,
        answers: Arc<Answers>,
    },
    Copy(String),
    Suspend,
    /// Ends the program; nothing is being written any more.
    Quit,
}

/// Subscriptions that follow from the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Something on the screen turns: about eight ticks a second.
    pub spinner: bool,
    /// Ages are on the screen: a tick a second.
    pub clock: bool,
    /// The monitor runs.
    pub watch: bool,
    /// The cluster is asked anew from time to time, because what is missing may appear.
    pub rediscover: Option<std::time::Duration>,
}
