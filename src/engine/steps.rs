//! One change: compared with what was reviewed, journalled, written, journalled again.
//!
//! It runs in a task of its own, so that whoever waits for it may go away without cutting between the
//! request and the line that says how it ended.

use super::compare::{Compared, compare, edited, landed, ours, text_of, unsafe_text};
use crate::cluster::api::Write;
use crate::cluster::error::{ApiError, Reason};
use crate::cluster::retry;
use crate::engine::session::Session;
use crate::error::{Error, Tells};
use crate::mesh::kinds::{Kind, MANAGER, ObjectRef};
use crate::plan::leaves::patch;
use crate::plan::owners::Owners;
use crate::plan::record::{Entry, Intent, TextRecord};
use crate::plan::release::taken;
use crate::plan::review::{ApprovedChange, Reviewed};
use crate::plan::{Action, Change, LeafEdit, Part, keyed, mask, scrape_config};
use crate::words::say::engine as say;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Writes that lost a race against a status update are made again on the newer object, so many times.
const ATTEMPTS: u32 = 5;
/// After a write without an answer: how often and how long apart the object is looked at.
const LOOKS: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// A resourceVersion that no object has, since the store itself begins with it: an apply for it makes an object, and
/// is refused where one is.
const NEVER: &str = "1";

/// How a write came out.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wrote {
    /// The object as the server answered; `None` after a delete.
    Yes(Option<Value>),
    /// Live already was as wanted; nothing was sent.
    Already,
}

/// A write that did not come out well.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub error: Error,
    pub why: Why,
    /// The object was changed all the same (the record of it could not be completed).
    pub written: bool,
}

/// What kind of failure it is, where that decides how the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The object is not as it was reviewed.
    Moved,
    /// The object, or the namespace that it would be in, is gone or going.
    Gone,
    Other,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            why: match error.tells {
                Some(Tells::Gone) => Why::Gone,
                _ => Why::Other,
            },
            error,
            written: false,
        }
    }
}

/// Writes one change under its run's next number. Goes on to its end even where the caller is dropped.
///
/// `moved`: this run has written to the object already, so that it is no longer as it was reviewed.
pub(super) async fn write(
    session: &Session,
    run: &str,
    seq: u32,
    change: &ApprovedChange,
    moved: bool,
) -> Result<Wrote, Failure> {
    let step = Step {
        session: session.clone(),
        run: run.to_owned(),
        seq,
        change: change.clone(),
        moved,
    };
    let object = change.change().object.clone();
    match tokio::spawn(step.go()).await {
        Ok(result) => result,
        Err(e) => Err(Error::new(say::write_interrupted(&object))
            .cause(e)
            .hint(say::CHECK_THE_OBJECT)
            .into()),
    }
}

/// What a write of this change would announce, on that live object.
///
/// # Errors
/// The text cannot be edited any more.
pub(super) fn intent(
    session: &Session,
    run: &str,
    seq: u32,
    reviewed: &Reviewed,
    live: Option<&Value>,
) -> Result<Intent, Error> {
    let change = &reviewed.change;
    let mut intent = Intent {
        run: run.to_owned(),
        seq,
        at: session.clock.now(),
        change: change.id.clone(),
        part: change.part,
        object: change.object.clone(),
        item: change.item.clone(),
        uid: live.and_then(|live| live["metadata"]["uid"].as_str().map(str::to_owned)),
        leaves: Vec::new(),
        text: None,
        deleted: None,
        taken: Vec::new(),
    };
    match (&change.action, live) {
        // Our own record is not recorded once more, and no Secret's content at all.
        (Action::Delete { .. }, _)
            if change.part == Part::Journal || change.object.kind == Kind::Secret => {}
        (Action::Delete { .. }, live) => intent.deleted = live.cloned(),
        (Action::Text { key, edits }, Some(live)) => {
            let path = keyed::path(change.object.kind, key);
            intent.taken = taken(live, std::iter::once(&path));
            let before = text_of(live, key).unwrap_or_default();
            let after = edited(&change.object, &before, edits)?;
            intent.text = Some(TextRecord::new(key, edits, &before, &after));
        }
        (_, Some(live)) => {
            intent.leaves = ours(reviewed);
            if change.object.kind == Kind::Secret {
                intent.leaves.retain(|leaf| !mask::is_secret(&leaf.path));
            }
            let theirs = intent.leaves.iter().filter(|leaf| leaf.before.is_some());
            intent.taken = taken(live, theirs.map(|leaf| &leaf.path));
        }
        (_, None) => {}
    }
    Ok(intent)
}

struct Step {
    session: Session,
    run: String,
    seq: u32,
    change: ApprovedChange,
    moved: bool,
}

/// The object that a request is for.
#[derive(Clone, Copy)]
enum On<'a> {
    /// As it was reviewed, and not looked at since: the server refuses what is for another state of it.
    Reviewed(Option<&'a Value>),
    /// As it was read just before.
    Read(Option<&'a Value>),
}

impl<'a> On<'a> {
    fn live(self) -> Option<&'a Value> {
        match self {
            On::Reviewed(live) | On::Read(live) => live,
        }
    }
}

/// What one request came to.
enum Sent {
    Yes(Option<Value>),
    /// The object moved between the comparison and the write: compare again.
    Raced,
    /// The server turned it away for now, before it did anything.
    Later(Option<Duration>),
    No(Error),
    /// What is there, or who owns it, is not what was approved.
    Moved(Error),
    /// No answer, or a broken one: only the live object can tell.
    Unknown(ApiError),
}

impl Step {
    async fn go(self) -> Result<Wrote, Failure> {
        let reviewed = self.change.reviewed();
        let object = &reviewed.change.object;
        let mut announced = false;
        for attempt in 0..ATTEMPTS {
            let read;
            let on = if attempt == 0 && !self.moved && guards_itself(reviewed) {
                On::Reviewed(reviewed.live.as_deref())
            } else {
                read = match self.read().await {
                    Ok(live) => live,
                    Err(error) => return Err(self.give_up(announced, not_written(object, &error))),
                };
                if let Some(ended) = self.compared(read.as_ref(), announced) {
                    return ended;
                }
                On::Read(read.as_ref())
            };
            if !announced {
                let intent = intent(&self.session, &self.run, self.seq, reviewed, on.live())?;
                let entry = Entry::Intent(Box::new(intent));
                self.session.journal.append(&entry)?;
                announced = true;
            }
            match self.send(on).await {
                Sent::Yes(answer) => {
                    self.result(true, answer.as_ref(), None)?;
                    return Ok(Wrote::Yes(answer));
                }
                Sent::Raced => {}
                Sent::Later(asked) => tokio::time::sleep(retry::pause(attempt, asked)).await,
                Sent::No(error) => return Err(self.give_up(true, error)),
                Sent::Moved(error) => {
                    return Err(Failure {
                        why: Why::Moved,
                        ..self.give_up(true, error)
                    });
                }
                Sent::Unknown(error) => return self.look(&error).await,
            }
        }
        let error = Error::new(say::was_not_written(object))
            .cause(say::attempts_failed(ATTEMPTS))
            .hint(say::TRY_AGAIN);
        Err(self.give_up(true, error))
    }

    /// The object now. One that was there in the review is gone only by two looks: a listener that is only called gone
    /// would stand without its policies.
    async fn read(&self) -> Result<Option<Value>, ApiError> {
        let reviewed = self.change.reviewed();
        let cluster = &self.session.cluster;
        match cluster.get(&reviewed.change.object).await? {
            None if reviewed.live.is_some() => cluster.get(&reviewed.change.object).await,
            live => Ok(live),
        }
    }

    /// The end of it, where the object is not, or need not be, written any more.
    fn compared(&self, live: Option<&Value>, announced: bool) -> Option<Result<Wrote, Failure>> {
        let reviewed = self.change.reviewed();
        let object = &reviewed.change.object;
        match compare(reviewed, live) {
            Compared::AsReviewed => None,
            Compared::Already if announced => {
                // What was sent so far was refused; yet something on the way may have sent it twice.
                let ours = live.is_none_or(is_by_us);
                Some(self.result(ours, live, None).map(|()| Wrote::Already))
            }
            Compared::Already => Some(Ok(Wrote::Already)),
            Compared::Drift(why) => {
                let error = Error::refused(say::changed_since_the_review(object))
                    .cause(why)
                    .hint(say::REVIEW_AGAIN_FOR_THE_STATE);
                Some(Err(Failure {
                    why: match live {
                        Some(live) if live["metadata"]["deletionTimestamp"].is_null() => Why::Moved,
                        _ => Why::Gone,
                    },
                    ..self.give_up(announced, error)
                }))
            }
        }
    }

    /// Ends the record of a write that did not happen.
    fn give_up(&self, announced: bool, error: Error) -> Failure {
        if announced && let Err(failure) = self.result(false, None, Some(&error)) {
            return Failure {
                written: false,
                ..failure
            };
        }
        error.into()
    }

    fn result(
        &self,
        written: bool,
        answer: Option<&Value>,
        error: Option<&Error>,
    ) -> Result<(), Failure> {
        let meta = |field: &str| answer?["metadata"][field].as_str().map(str::to_owned);
        let entry = Entry::Result {
            run: self.run.clone(),
            seq: self.seq,
            at: self.session.clock.now(),
            written,
            uid: meta("uid"),
            resource_version: meta("resourceVersion"),
            error: error.map(|e| match e.causes.first() {
                Some(cause) => format!("{}: {cause}", e.what),
                None => e.what.clone(),
            }),
        };
        self.session
            .journal
            .append(&entry)
            .map_err(|error| Failure {
                error,
                why: Why::Other,
                written,
            })
    }

    async fn send(&self, on: On<'_>) -> Sent {
        let live = on.live();
        let reviewed = self.change.reviewed();
        let change = &reviewed.change;
        match &change.action {
            Action::Apply { intent } => {
                let intent = reviewed.intent.as_ref().unwrap_or(intent);
                self.apply(intent, on).await
            }
            Action::Edit { leaves } => self.edit(leaves, live).await,
            Action::Text { key, edits } => self.text(key, edits, live).await,
            Action::Delete { uid } => {
                let version = live.and_then(|live| live["metadata"]["resourceVersion"].as_str());
                let cluster = &self.session.cluster;
                let answer = cluster
                    .delete(&change.object, uid, version, Write::default())
                    .await;
                match answer {
                    Ok(_) => Sent::Yes(None),
                    Err(error) if error.is_not_found() => self.really_gone(uid).await,
                    Err(error) => failed(&change.object, error),
                }
            }
        }
    }

    /// Something on the way may answer "not found" for a server that never heard the question: so only two looks tell
    /// that it is gone.
    async fn really_gone(&self, uid: &str) -> Sent {
        let object = &self.change.change().object;
        for _ in 0..2 {
            match self.session.cluster.get(object).await {
                Ok(Some(live)) if live["metadata"]["uid"] == uid => {
                    return Sent::No(
                        Error::new(say::was_not_deleted(object))
                            .cause(say::CALLED_GONE_BUT_THERE)
                            .hint(say::CHECK_PROXIES),
                    );
                }
                Ok(Some(_)) => return Sent::Yes(None),
                Ok(None) => {}
                Err(error) => return failed(object, error),
            }
        }
        Sent::Yes(None)
    }

    /// Without force first: the server then names the conflicts as they are now. Forced only where they
    /// are exactly those that were approved, and only onto the very object that was compared.
    async fn apply(&self, intent: &Value, on: On<'_>) -> Sent {
        let object = &self.change.change().object;
        let cluster = &self.session.cluster;
        let mut body = intent.clone();
        let version = match on.live() {
            Some(live) => {
                // An object that went away meanwhile must not come back as a fragment of itself.
                body["metadata"]["uid"] = live["metadata"]["uid"].clone();
                live["metadata"]["resourceVersion"].clone()
            }
            None => NEVER.into(),
        };
        // What was read just before may be written to all the while, by its controller's status.
        if !matches!(on, On::Read(Some(_))) {
            body["metadata"]["resourceVersion"] = version.clone();
        }
        let conflict = match cluster.apply(object, &body, Write::default()).await {
            Ok(answer) => return Sent::Yes(Some(answer.body)),
            Err(error) if error.reason == Reason::FieldConflict => error,
            Err(error) => return failed(object, error),
        };
        if let Err(error) = as_approved(object, &conflict, self.change.reviewed()) {
            return match on {
                // A look tells more of what happened to it.
                On::Reviewed(_) => Sent::Raced,
                On::Read(_) => Sent::Moved(error),
            };
        }
        body["metadata"]["resourceVersion"] = version;
        let force = Write {
            force: true,
            ..Write::default()
        };
        match cluster.apply(object, &body, force).await {
            Ok(answer) => Sent::Yes(Some(answer.body)),
            Err(error) => failed(object, error),
        }
    }

    async fn edit(&self, edits: &[LeafEdit], live: Option<&Value>) -> Sent {
        let object = &self.change.change().object;
        let Some(live) = live else {
            return Sent::No(gone(object));
        };
        match patch(live, edits) {
            Ok((operations, _)) => self.patch(live, operations).await,
            Err(why) => Sent::Moved(
                Error::refused(say::was_not_written(object))
                    .cause(why)
                    .hint(say::REVIEW_AGAIN),
            ),
        }
    }

    async fn text(
        &self,
        key: &str,
        edits: &[scrape_config::TextEdit],
        live: Option<&Value>,
    ) -> Sent {
        let object = &self.change.change().object;
        let Some(live) = live else {
            return Sent::No(gone(object));
        };
        let text = edited(object, &text_of(live, key).unwrap_or_default(), edits);
        let put = |text: String| {
            keyed::value(live, key, &text).map_err(|why| unsafe_text(object).cause(why))
        };
        match text.and_then(put) {
            Ok(value) => {
                let [_, replace] = keyed::patch(object.kind, live, key, &value);
                let operations = vec![
                    json!({"op": "test", "path": "/metadata/resourceVersion",
                        "value": live["metadata"]["resourceVersion"]}),
                    replace,
                ];
                self.patch(live, operations).await
            }
            Err(error) => Sent::No(error),
        }
    }

    /// The patch tests the resourceVersion, so it holds only for the very object that was compared.
    async fn patch(&self, live: &Value, operations: Vec<Value>) -> Sent {
        let object = &self.change.change().object;
        let cluster = &self.session.cluster;
        let version = &live["metadata"]["resourceVersion"];
        let operations = Value::Array(operations);
        let answer = cluster
            .json_patch(object, &operations, Write::default())
            .await;
        let error = match answer {
            Ok(answer) => return Sent::Yes(Some(answer.body)),
            Err(error) => error,
        };
        // A failed test and a failed validation are both "invalid"; the object itself tells them apart.
        if error.reason == Reason::Invalid
            && let Ok(Some(now)) = cluster.get(object).await
            && now["metadata"]["resourceVersion"] != *version
        {
            return Sent::Raced;
        }
        failed(object, error)
    }

    /// A write without an answer: has it landed?
    async fn look(&self, error: &ApiError) -> Result<Wrote, Failure> {
        let reviewed = self.change.reviewed();
        let object = &reviewed.change.object;
        let mut seen = false;
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
            let Ok(live) = self.session.cluster.get(object).await else {
                continue;
            };
            seen = true;
            if landed(reviewed, live.as_ref()) {
                self.result(true, live.as_ref(), None)?;
                return Ok(Wrote::Yes(live));
            }
        }
        // No line that says "not written": the request may still be on its way, and a missing line means
        // that the live object has to be looked at.
        let state = if seen {
            say::STILL_AS_BEFORE
        } else {
            say::NOT_READ_AFTERWARDS
        };
        let what = if error.reason == Reason::Server {
            say::was_not_written(object)
        } else {
            say::write_not_answered(object)
        };
        Err(Error::new(what)
            .cause(error)
            .cause(state)
            .hint(error.hint())
            .into())
    }
}

/// Can its request say for itself what it is for? Then the server compares, and no look before it is needed.
fn guards_itself(reviewed: &Reviewed) -> bool {
    match (&reviewed.change.action, &reviewed.live) {
        (Action::Apply { .. }, None) => true,
        (Action::Apply { .. } | Action::Edit { .. }, Some(live)) => {
            live["metadata"]["resourceVersion"].is_string()
        }
        // What is deleted is recorded whole, and a text with its surroundings: as they are just before.
        _ => false,
    }
}

/// Did an apply or a patch of ours ever reach it?
fn is_by_us(live: &Value) -> bool {
    Owners::of_object(live)
        .iter()
        .any(|owner| owner.manager == MANAGER)
}

fn gone(object: &ObjectRef) -> Error {
    Error::refused(say::exists_no_more(object)).hint(say::REVIEW_AGAIN)
}

pub(super) fn not_written(object: &ObjectRef, error: &ApiError) -> Error {
    let failed = Error {
        tells: error.without_namespace.then_some(Tells::Gone),
        ..Error::new(say::was_not_written(object))
            .cause(error)
            .hint(error.hint())
    };
    match error.reason {
        Reason::FieldConflict | Reason::Stale | Reason::Invalid | Reason::Denied => {
            failed.kind(crate::error::Kind::Refused)
        }
        _ => failed,
    }
}

fn failed(object: &ObjectRef, error: ApiError) -> Sent {
    match error.reason {
        Reason::Stale => Sent::Raced,
        Reason::TooMany => Sent::Later(error.retry_after),
        Reason::Timeout | Reason::Unreachable | Reason::Garbled | Reason::Server => {
            Sent::Unknown(error)
        }
        _ => Sent::No(not_written(object, &error)),
    }
}

/// Are the server's conflicts exactly those that the user approved?
fn as_approved(object: &ObjectRef, error: &ApiError, reviewed: &Reviewed) -> Result<(), Error> {
    let now: BTreeSet<(&str, &str)> = error
        .conflicts
        .iter()
        // Ours by a patch of an earlier version's undo: nobody's to be asked for.
        .filter(|c| c.manager != MANAGER)
        .map(|c| (c.manager.as_str(), c.field.as_str()))
        .collect();
    let then: BTreeSet<(&str, &str)> = reviewed
        .conflicts
        .iter()
        .map(|c| (c.manager.as_str(), c.field.as_str()))
        .collect();
    if now == then {
        return Ok(());
    }
    let mut refusal = Error::refused(say::would_force_more(object));
    for (manager, field) in now.difference(&then) {
        refusal = refusal.cause(say::now_belongs_to(field, manager));
    }
    for (manager, field) in then.difference(&now) {
        refusal = refusal.cause(say::belongs_no_longer_to(field, manager));
    }
    Err(refusal.hint(say::REVIEW_AGAIN_FOR_THE_OWNERS))
}

/// For other rooms of the engine that name what a change is.
pub(super) fn title(change: &Change) -> String {
    format!("{} ({})", change.object, change.part.word())
}

#[cfg(test)]
mod tests;
