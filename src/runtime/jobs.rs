//! Effects on their way: each one a task whose answer comes back as a report.
//!
//! A question gives way to a newer one of its kind. A write never does: it is told to stop, and waited for.

use super::World;
use super::view;
use crate::answers::Answers;
use crate::engine::apply::{self, ApplyOptions, Control, Steering};
use crate::engine::contact::contact;
use crate::engine::event::{ApplyEvent, Decision, ReviewEvent};
use crate::engine::folder::put;
use crate::engine::session::{Clock, Session};
use crate::engine::watch::{Beside, SharedMemory, Watch, follow, monitor};
use crate::engine::{discover, found, review, runs, undo};
use crate::error::{Error, Result};
use crate::mesh::kinds::WorkloadRef;
use crate::mesh::{Mesh, Told, observe};
use crate::plan::export::export;
use crate::plan::review::{Approved, Review, RunId, skipped};
use crate::plan::undo::found::FOUND;
use crate::plan::{Plan, keeping};
use crate::problems::Problem;
use crate::recipe;
use crate::targets::Board;
use crate::wizard::state::{Earlier, Forbidden, OptionChoice, Planned, Start, UndoPlan};
use crate::wizard::{Effect, Generation, Msg};
use crate::words::{self, say::wizard as say};
use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

/// What a task tells the loop.
pub(super) enum Report {
    Msg(Msg),
    Connected(Generation, Result<Session>),
}

/// Kinds of questions: of each, only the newest goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Question {
    Contexts,
    Connect,
    Discover,
    Plan,
    Review,
    View,
    Undo,
    Earlier,
    Contact,
    Watch,
}

/// The monitor looks this often.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a write may take to end when the program has to.
const LAST_WRITE: Duration = Duration::from_secs(60);

type Tell = UnboundedSender<Report>;

pub(super) struct Jobs {
    world: Arc<dyn World>,
    tell: Tell,
    tasks: JoinSet<()>,
    newest: HashMap<Question, AbortHandle>,
    session: Option<Session>,
    clock: Clock,
    /// The apply under way.
    writing: Option<(Id, Steering)>,
    memory: SharedMemory,
    probe: bool,
    timeout: Option<Duration>,
    told: Told,
}

impl Jobs {
    pub fn new(world: Arc<dyn World>, tell: Tell, start: &Start) -> Self {
        Jobs {
            world,
            tell,
            tasks: JoinSet::new(),
            newest: HashMap::new(),
            session: None,
            clock: Clock::default(),
            writing: None,
            memory: SharedMemory::default(),
            probe: !start.no_probe,
            timeout: Some(start.timeout).filter(|limit| !limit.is_zero()),
            told: start.answers.options.told(),
        }
    }

    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    pub fn session(&mut self, session: Session) {
        self.clock = session.clock;
        self.memory = SharedMemory::default();
        self.session = Some(session);
    }

    /// Waits for any task to end. Cancelling it loses nothing.
    ///
    /// # Errors
    /// A task panicked: the screen has been given back already, so the loop must end.
    pub async fn ended(&mut self) -> Result<()> {
        match self.tasks.join_next_with_id().await {
            None => std::future::pending().await,
            Some(Ok((id, ()))) => {
                self.over(id);
                Ok(())
            }
            Some(Err(error)) => {
                self.over(error.id());
                panicked(error)
            }
        }
    }

    fn over(&mut self, id: Id) {
        if self
            .writing
            .as_ref()
            .is_some_and(|(writing, _)| *writing == id)
        {
            self.writing = None;
        }
    }

    /// Ends the apply between two writes, where one is under way, and waits for it.
    pub async fn end_writing(&mut self) {
        let Some((_, steering)) = &self.writing else {
            return;
        };
        let _ = steering.stop.send(true);
        let _ = steering.decisions.try_send(Decision::Stop);
        let waited = async {
            while self.writing.is_some() {
                // A second panic says nothing new.
                let _ = self.ended().await;
            }
        };
        let _ = tokio::time::timeout(LAST_WRITE, waited).await;
    }

    pub fn stop_watching(&mut self) {
        if let Some(watching) = self.newest.remove(&Question::Watch) {
            watching.abort();
        }
    }

    fn ask(&mut self, question: Question, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.tasks.spawn(task);
        if let Some(older) = self.newest.insert(question, handle) {
            older.abort();
        }
    }

    fn say(&self, msg: Msg) {
        let _ = self.tell.send(Report::Msg(msg));
    }

    /// The session, which every effect after `Connect` has.
    fn open(&self) -> Result<Session> {
        self.session
            .clone()
            .ok_or_else(|| Error::new(say::NO_CONNECTION))
    }

    pub fn begin(&mut self, effect: Effect) {
        let tell = self.tell.clone();
        match effect {
            Effect::LoadContexts => {
                let world = Arc::clone(&self.world);
                self.ask(Question::Contexts, async move {
                    let contexts = apart(move || world.contexts()).await;
                    let _ = tell.send(Report::Msg(Msg::Contexts(contexts)));
                });
            }
            Effect::Connect(generation, context) => {
                // Whatever is still asked of the former cluster says nothing any more.
                for question in [
                    Question::Discover,
                    Question::Plan,
                    Question::Review,
                    Question::Contact,
                    Question::Watch,
                ] {
                    if let Some(older) = self.newest.remove(&question) {
                        older.abort();
                    }
                }
                self.session = None;
                let world = Arc::clone(&self.world);
                self.ask(Question::Connect, async move {
                    let session = world.connect(context).await;
                    let _ = tell.send(Report::Connected(generation, session));
                });
            }
            Effect::Discover(generation) => match self.open() {
                Ok(session) => {
                    self.ask(
                        Question::Discover,
                        discover_all(session, self.told.clone(), generation, tell),
                    );
                }
                Err(error) => self.say(Msg::Connected(generation, Err(error))),
            },
            Effect::Plan {
                generation,
                mesh,
                seen,
                answers,
            } => self.ask(Question::Plan, async move {
                let (result, forbidden) = apart(move || match seen {
                    Some(seen) => plan(&observe(&mesh, &seen), &answers),
                    None => plan(&mesh, &answers),
                })
                .await;
                let _ = tell.send(Report::Msg(Msg::Planned {
                    generation,
                    result,
                    forbidden,
                }));
            }),
            Effect::Review {
                generation,
                plan,
                answers,
            } => match self.open() {
                Ok(session) => {
                    let review = review_of(&session, &plan, &answers);
                    self.ask(
                        Question::Review,
                        review_all(session, review, generation, tell),
                    );
                }
                Err(error) => self.say(Msg::ReviewDone(generation, Err(error))),
            },
            Effect::View {
                generation,
                item,
                taken,
            } => self.ask(Question::View, async move {
                let view = apart(move || view::of(&item, &taken)).await;
                let _ = tell.send(Report::Msg(Msg::View(generation, Arc::new(view))));
            }),
            Effect::Apply {
                approved,
                mesh,
                answers,
                prometheus,
                undoes,
                break_lock,
                left_out,
                unproven,
            } => {
                let options = ApplyOptions {
                    undoes,
                    break_lock,
                    beside: self.beside(left_out),
                    unproven,
                    ..ApplyOptions::default()
                };
                self.apply(approved, &mesh, &answers, prometheus, options);
            }
            Effect::Contact(generation, prometheus) => {
                if let Ok(session) = self.open() {
                    self.ask(Question::Contact, async move {
                        let found = contact(&session, &prometheus).await;
                        let _ = tell.send(Report::Msg(Msg::Contact(generation, found)));
                    });
                }
            }
            Effect::Reload { mesh, answers } => {
                let asked = self
                    .open()
                    .and_then(|session| Ok((follow::prometheus(&mesh, &answers)?, session)));
                match asked {
                    Ok((prometheus, session)) => {
                        _ = self.tasks.spawn(async move {
                            let watch = Watch::new(&session, prometheus, Vec::new(), false);
                            let _ = tell.send(Report::Msg(Msg::Reloaded(watch.reload().await)));
                        })
                    }
                    Err(error) => self.say(Msg::Reloaded(Err(error))),
                }
            }
            Effect::Decide(decision) => {
                if let Some((_, steering)) = &self.writing {
                    let _ = steering.decisions.try_send(decision);
                }
            }
            Effect::StopApply => {
                if let Some((_, steering)) = &self.writing {
                    let _ = steering.stop.send(true);
                }
            }
            Effect::Watch {
                mesh,
                answers,
                left_out,
            } => {
                let beside = self.beside(left_out);
                self.watch(&mesh, &answers, beside);
            }
            Effect::PlanUndo(generation, mesh, run) => match self.open() {
                Ok(session) => self.ask(Question::Undo, async move {
                    let plan = undo_of(&session, &mesh, run.as_deref()).await;
                    let plan = plan.map(|found| UndoPlan {
                        notes: view::undo_notes(&found),
                        asks: view::undo_asks(&found),
                        unproven: view::unproven(&found),
                        run: found.run,
                        prometheus: found.prometheus,
                        older: found.older,
                        plan: Arc::new(found.plan),
                    });
                    let _ = tell.send(Report::Msg(Msg::UndoPlanned(generation, plan)));
                }),
                Err(error) => self.say(Msg::UndoPlanned(generation, Err(error))),
            },
            Effect::Earlier(generation, homes) => {
                // Not to be told is no reason to be kept from anything.
                if let Ok(session) = self.open() {
                    self.ask(Question::Earlier, async move {
                        let found = runs::unfinished(&session, &homes).await;
                        let earlier = found.ok().flatten().map(|found| {
                            Box::new(Earlier {
                                words: found.words(),
                                undo: found.undo.is_some(),
                                run: found.known.note.run,
                                answers: found.answers,
                            })
                        });
                        let _ = tell.send(Report::Msg(Msg::Earlier(generation, earlier)));
                    });
                }
            }
            Effect::SaveAnswers {
                path,
                answers,
                replace,
            } => {
                self.tasks.spawn(async move {
                    let saved = apart(move || save(&path, &answers, replace)).await;
                    let _ = tell.send(Report::Msg(saved));
                });
            }
            Effect::Export {
                folder,
                overwrite,
                review,
                mesh,
                answers,
            } => {
                self.tasks.spawn(async move {
                    let to = folder.clone();
                    let made = apart(move || {
                        let (_, setup) = recipe::for_export(&mesh, &answers)?;
                        let export = export(&review, &setup);
                        export.usable()?;
                        put(&export, &to, overwrite)?;
                        Ok(export.words(&to.display().to_string()))
                    });
                    let _ = tell.send(Report::Msg(Msg::Exported(folder, made.await)));
                });
            }
            // These concern the screen; the loop has done them.
            Effect::Copy(_) | Effect::Suspend | Effect::Quit => {}
        }
    }

    fn apply(
        &mut self,
        approved: Approved,
        mesh: &Mesh,
        answers: &Answers,
        prometheus: Option<WorkloadRef>,
        mut defaults: ApplyOptions,
    ) {
        let target = match defaults.undoes {
            Some(_) => undo::target(prometheus.as_ref(), mesh).ok(),
            None => prometheus
                .as_ref()
                .and_then(|id| mesh.prometheus(id))
                .cloned(),
        };
        let (session, target) = match (self.open(), target) {
            (Ok(session), Some(target)) => (session, target),
            (Err(error), _) => return self.say(Msg::ApplyFailed(error)),
            (Ok(_), None) => {
                let gone = Error::new(say::PROMETHEUS_GONE).hint(say::READ_AND_REVIEW_AGAIN);
                return self.say(Msg::ApplyFailed(gone));
            }
        };
        // What is taken back is not expected to come UP.
        let watched = match defaults.undoes {
            Some(_) => Vec::new(),
            None => follow::watched(mesh, answers),
        };
        defaults.beside.others = follow::others(mesh, answers, &watched);
        let options = ApplyOptions {
            timeout: self.timeout.unwrap_or(defaults.timeout),
            rollout_timeout: self.timeout.map_or(defaults.rollout_timeout, |limit| {
                limit.max(defaults.rollout_timeout)
            }),
            probe: self.probe,
            answers: defaults.undoes.is_none().then(|| answers.clone()),
            pace: answers.options.pace,
            ground: follow::ground(mesh, &target),
            ..defaults
        };
        let (steering, control) = Control::asked();
        let tell = self.tell.clone();
        let task = self.tasks.spawn(async move {
            let report = |event: ApplyEvent| {
                let _ = tell.send(Report::Msg(match event {
                    ApplyEvent::Again { id, item, may } => {
                        // What was approved of it was approved with its managers.
                        let managers = item.controllers().into_iter().map(str::to_owned);
                        let taken = managers.filter(|_| may).collect();
                        let view = Arc::new(view::of(&item, &taken));
                        Msg::Again { id, view, may }
                    }
                    event => Msg::Apply(event),
                }));
            };
            // The outcome comes as the last event, too.
            apply::apply(
                &session, approved, target, watched, &options, control, &report,
            )
            .await;
        });
        self.writing = Some((task.id(), steering));
    }

    /// All watches over the targets of one connection remember together.
    fn beside(&self, left_out: Arc<BTreeSet<WorkloadRef>>) -> Beside {
        Beside {
            left_out: Arc::unwrap_or_clone(left_out),
            others: Vec::new(),
            memory: self.memory.clone(),
        }
    }

    fn watch(&mut self, mesh: &Mesh, answers: &Answers, mut beside: Beside) {
        let tell = self.tell.clone();
        let at = self.now();
        let watch = self
            .open()
            .and_then(|session| Ok((follow::prometheus(mesh, answers)?, session)))
            .map(|(prometheus, session)| {
                let ground = follow::ground(mesh, &prometheus);
                let watched = follow::watched(mesh, answers);
                beside.others = follow::others(mesh, answers, &watched);
                let watch = Watch::new(&session, prometheus, watched, self.probe);
                watch.on(ground).beside(beside)
            });
        match watch {
            Ok(watch) => self.ask(Question::Watch, async move {
                monitor(watch, LOOK_EVERY, move |board| {
                    let _ = tell.send(Report::Msg(Msg::Board(board)));
                })
                .await;
            }),
            Err(error) => self.say(Msg::Board(Arc::new(Board {
                at: Some(at),
                stale: Some((error.what, at)),
                ..Board::default()
            }))),
        }
    }
}

/// The undo of a run; without any run, of what stands in the cluster all the same.
async fn undo_of(session: &Session, mesh: &Mesh, run: Option<&str>) -> Result<undo::UndoPlan> {
    let planned = match run {
        Some(FOUND) => found::plan_found(session, mesh).await,
        _ => match undo::plan_undo(session, &mesh.homes(), run, &[]).await {
            Err(error) if run.is_none() => {
                found::plan_found(session, mesh).await.map_err(|_| error)
            }
            planned => planned,
        },
    };
    planned.map(|mut planned| {
        keeping::place(&mut planned.plan, mesh);
        planned
    })
}

/// Work that burns CPU or blocks, off the threads that others wait on. A panic in it is a panic here.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that shuts down cancels it: nobody waits for the answer then.
            Err(_) => std::future::pending().await,
        },
    }
}

fn panicked(error: JoinError) -> Result<()> {
    match error.try_into_panic() {
        Ok(panic) => Err(Error::new(say::CRASHED)
            .cause(words(&*panic))
            .hint(say::WRITES_ARE_RECORDED)),
        // A question that gave way to a newer one.
        Err(_) => Ok(()),
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => say::TASK_PANICKED.to_owned(),
    }
}

async fn discover_all(session: Session, told: Told, generation: Generation, tell: Tell) {
    let partial = tell.clone();
    let mesh = discover::discover_told(session.cluster, told, move |mesh| {
        let _ = partial.send(Report::Msg(Msg::Mesh {
            generation,
            mesh,
            last: false,
        }));
    })
    .await;
    let _ = tell.send(Report::Msg(Msg::Mesh {
        generation,
        mesh,
        last: true,
    }));
}

fn sentences(of: &[Problem]) -> String {
    let alike = words::alike(of).into_iter();
    let all: Vec<String> = alike.map(|(_, sentence)| sentence).collect();
    all.join(" ")
}

fn plan(mesh: &Mesh, answers: &Answers) -> (Result<Planned>, Vec<Forbidden>) {
    let forbidden = recipe::forbidden(mesh, answers)
        .into_iter()
        .map(|found| Forbidden {
            option: match found.choice {
                recipe::Choice::StopPlaintextJobs => OptionChoice::StopPlaintext,
                recipe::Choice::Port(port) => OptionChoice::Port(port),
                recipe::Choice::Annotate(crate::answers::Annotate::Template) => {
                    OptionChoice::AnnotateTemplate
                }
                recipe::Choice::Annotate(crate::answers::Annotate::Pods) => {
                    OptionChoice::AnnotatePods
                }
            },
            item: found.item,
            why: sentences(&found.why),
        })
        .collect();
    let plan = recipe::plan(mesh, answers).map(|mut plan| {
        let by_user = answers.leave_out.iter().cloned();
        let skipped = skipped(&plan, by_user);
        let forecast = recipe::forecast(mesh, answers, &plan, &skipped);
        plan.forecast = forecast.map(Arc::new);
        Planned::new(plan)
    });
    (plan, forbidden)
}

fn review_of(session: &Session, plan: &Plan, answers: &Answers) -> Review {
    let run = RunId::new(session.clock.now());
    let mut plan = plan.clone();
    keeping::keep(&mut plan, &run.0, &session.who);
    let mut review = Review::new(session.cluster.context.clone(), run, plan);
    for manager in &answers.take {
        review.take(manager.clone());
    }
    review.left_out.extend(answers.leave_out.iter().cloned());
    review
}

async fn review_all(session: Session, opened: Review, generation: Generation, tell: Tell) {
    let _ = tell.send(Report::Msg(Msg::ReviewOpened(
        generation,
        Box::new(opened.clone()),
    )));
    let report = |event: ReviewEvent| {
        if let ReviewEvent::Asked(item) = event {
            let diff = item.diff();
            let _ = tell.send(Report::Msg(Msg::Reviewed {
                generation,
                added: diff.added,
                removed: diff.removed,
                item,
            }));
        }
    };
    review::review(&session.cluster, opened, &report).await;
    let _ = tell.send(Report::Msg(Msg::ReviewDone(generation, Ok(()))));
}

fn save(path: &Path, answers: &Answers, replace: bool) -> Msg {
    if !replace && path.exists() {
        return Msg::SaveExists(PathBuf::from(path));
    }
    Msg::Saved(answers.save(path).map(|()| PathBuf::from(path)))
}
