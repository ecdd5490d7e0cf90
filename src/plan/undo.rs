//! A run taken back: (journal, live objects) → a plan that goes the same road as any other.
//!
//! Each recorded write is reversed, newest first, on a copy of the live object; what the copy then differs
//! in is the change. So a write that the run itself took back cancels out, and what others changed since
//! is left alone and said.

pub mod found;
mod restart;
mod text;

use super::leaves::{children, leaves};
use super::record::{Entry, Intent, LeafChange};
use super::{Action, Await, Change, ChangeId, Expected, LeafEdit, Part, Plan, mask, normalise};
use crate::error::Error;
use crate::mesh::kinds::MANAGER;
use crate::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
use crate::plan::purpose::Purpose;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) use text::jobs;

/// istiod's time to push (a second was enough between policies and listener).
const SETTLE: Duration = Duration::from_secs(2);

/// What an undo leaves alone, or does that the user should know of.
#[derive(Clone, Debug, PartialEq)]
pub struct UndoNote {
    pub object: ObjectRef,
    pub what: NoteKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum NoteKind {
    /// Somebody else changed the field since; it stays as it is now. Values are masked.
    ChangedSince {
        field: String,
        before: Option<Value>,
        after: Option<Value>,
        now: Option<Value>,
    },
    /// The object is gone; nothing of it can be taken back.
    Gone,
    /// Another object of that name stands now; it stays.
    Successor,
    /// The run deleted it; it comes back with meshscrape as its owner.
    BroughtBack,
    /// It brings back somebody's listener on 15091 without the policies that guard one.
    OpensListener,
    /// It cannot be put back.
    Cannot(Cannot),
}

/// Why a scrape job cannot be put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cannot {
    /// The file is no configuration of Prometheus any more.
    Unreadable {
        file: String,
    },
    /// Records of older versions do not hold what was replaced or taken out.
    ReplacedUnrecorded {
        job: String,
    },
    RemovedUnrecorded {
        job: String,
    },
    /// By an undo, which is not undone.
    Restored {
        job: String,
    },
}

impl UndoNote {
    /// Must the user say yes to this on its own?
    pub fn asks(&self) -> bool {
        self.what == NoteKind::OpensListener
    }
}

/// A write as the journal holds it, with what came of it.
pub(super) struct Written<'a> {
    pub intent: &'a Intent,
    /// From the result.
    pub uid: Option<&'a str>,
}

/// Takes back what these entries (of one run) say was written, as far as it still stands so.
///
/// An intent without a result is judged by the live object: as before means not written.
///
/// # Errors
/// The entries hold no run.
pub fn undo(
    entries: &[Entry],
    live: &dyn Fn(&ObjectRef) -> Option<Arc<Value>>,
) -> Result<(Plan, Vec<UndoNote>), Error> {
    let Some(prometheus) = entries.iter().find_map(|entry| match entry {
        Entry::Started { prometheus, .. } => Some(prometheus.clone()),
        _ => None,
    }) else {
        return Err(Error::new("the journal holds no such run")
            .hint("list the runs that it holds: meshscrape undo --help"));
    };
    let written = written(entries);
    let mut groups: BTreeMap<(&ObjectRef, Option<&str>), Vec<&Written>> = BTreeMap::new();
    for write in &written {
        let key = write.intent.text.as_ref().map(|text| text.key.as_str());
        let group = groups.entry((&write.intent.object, key)).or_default();
        group.push(write);
    }

    let mut drafts = Vec::new();
    let mut notes = Vec::new();
    for ((object, key), writes) in groups {
        let now = live(object);
        match key {
            Some(key) => text::reverse(
                object,
                key,
                &writes,
                now.as_deref(),
                &mut drafts,
                &mut notes,
            ),
            None => reverse(object, &writes, now.as_deref(), &mut drafts, &mut notes),
        }
    }
    drafts.sort_by_key(|draft| (draft.rank, std::cmp::Reverse(draft.seq)));
    Ok((plan(drafts, prometheus.as_ref(), live), notes))
}

/// Intents that were written, or may have been.
fn written(entries: &[Entry]) -> Vec<Written<'_>> {
    let mut results: BTreeMap<u32, (bool, Option<&str>)> = BTreeMap::new();
    for entry in entries {
        if let Entry::Result {
            seq, written, uid, ..
        } = entry
        {
            results.insert(*seq, (*written, uid.as_deref()));
        }
    }
    entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Intent(intent) => Some(intent.as_ref()),
            _ => None,
        })
        .filter_map(|intent| match results.get(&intent.seq) {
            Some((false, _)) => None,
            Some((true, uid)) => Some(Written { intent, uid: *uid }),
            None => Some(Written { intent, uid: None }),
        })
        .collect()
}

/// A change of the undo before it has its place.
pub(super) struct Draft {
    pub object: ObjectRef,
    pub part: Part,
    pub item: Option<WorkloadRef>,
    pub action: Action,
    pub purpose: Purpose,
    pub seq: u32,
    pub rank: u8,
    /// Over what somebody else changed since: only by the user's word.
    pub disputed: bool,
}

/// Reverse of need: old jobs, annotations, listeners, policies and routes, what was repaired, job, Prometheus.
pub(super) fn rank(part: Part, object: &ObjectRef) -> u8 {
    let workload = matches!(
        object.kind,
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet
    );
    match part {
        Part::PlaintextJobs => 0,
        Part::Annotation | Part::Injection => 1,
        Part::Listener => 2,
        Part::Policy | Part::Route => 3,
        Part::ScrapeJob => 5,
        Part::PrometheusPod => 6,
        Part::Fix if object.kind == Kind::ConfigMap => 5,
        Part::Fix if workload => 6,
        Part::Fix | Part::Undo => 4,
        Part::Journal => 7,
    }
}

/// Reverses the writes of one object that are not text.
fn reverse(
    object: &ObjectRef,
    writes: &[&Written],
    live: Option<&Value>,
    drafts: &mut Vec<Draft>,
    notes: &mut Vec<UndoNote>,
) {
    let mut note = |what| {
        let note = UndoNote {
            object: object.clone(),
            what,
        };
        if !notes.contains(&note) {
            notes.push(note);
        }
    };
    let mut work = live.cloned();
    let mut brought_back = false;
    let mut disputed: Vec<LeafEdit> = Vec::new();
    for write in writes.iter().rev() {
        let intent = write.intent;
        if let Some(deleted) = &intent.deleted {
            match &work {
                None => {
                    work = Some(normalise::clean(deleted));
                    brought_back = true;
                }
                // The delete was never carried out.
                Some(now) if now["metadata"]["uid"] == deleted["metadata"]["uid"] => {}
                Some(_) => note(NoteKind::Successor),
            }
        } else if let Some(uid) = &intent.uid {
            match &mut work {
                None if object.kind == Kind::Pod => {}
                None => note(NoteKind::Gone),
                Some(now) if !brought_back && now["metadata"]["uid"] != uid.as_str() => {
                    // A pod's successor of the same name never bore the annotation of this one.
                    if object.kind != Kind::Pod {
                        note(NoteKind::Successor);
                    }
                }
                Some(now) => {
                    for leaf in &intent.leaves {
                        take_back(leaf, now, &mut note, &mut disputed);
                    }
                }
            }
        } else {
            match &work {
                None => {}
                Some(now) if brought_back || made_by(now, write.uid) => {
                    work = None;
                    brought_back = false;
                }
                Some(_) => note(NoteKind::Successor),
            }
        }
    }

    let first = writes
        .iter()
        .find(|write| write.intent.part != Part::Undo)
        .or(writes.first());
    let Some(first) = first.map(|write| write.intent) else {
        return;
    };
    if let (Some(back), false) = (&work, disputed.is_empty()) {
        let mut over = back.clone();
        for edit in &disputed {
            match &edit.to {
                Some(value) => edit.path.set(&mut over, value.clone()),
                None => {
                    edit.path.remove(&mut over);
                }
            }
        }
        if opens_listener(object, &over) && !live.is_some_and(|now| opens_listener(object, now)) {
            note(NoteKind::OpensListener);
        }
        let fields: Vec<String> = disputed.iter().map(|edit| edit.path.to_string()).collect();
        drafts.push(Draft {
            object: object.clone(),
            part: first.part,
            item: first.item.clone(),
            action: Action::Edit { leaves: disputed },
            purpose: Purpose::RevertsLater { fields },
            seq: first.seq,
            rank: rank(first.part, object),
            disputed: true,
        });
    }
    let action = match (live, &work) {
        (Some(now), None) => Action::Delete {
            uid: now["metadata"]["uid"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        },
        (None, Some(back)) => {
            note(NoteKind::BroughtBack);
            Action::Apply {
                intent: back.clone(),
            }
        }
        (Some(now), Some(back)) => {
            let edits = edits(now, back);
            if edits.is_empty() {
                return;
            }
            Action::Edit { leaves: edits }
        }
        (None, None) => return,
    };
    let opens = match &action {
        Action::Apply { intent } => opens_listener(object, intent),
        Action::Edit { .. } => work.as_ref().is_some_and(|back| {
            opens_listener(object, back) && !live.is_some_and(|now| opens_listener(object, now))
        }),
        _ => false,
    };
    if opens {
        note(NoteKind::OpensListener);
    }
    // The operator needs the Secret for as long as its resource names it.
    let rank = match (&action, object.kind) {
        (Action::Delete { .. }, Kind::Secret) => 7,
        _ => rank(first.part, object),
    };
    let of = object.clone();
    let purpose = match &action {
        Action::Delete { .. } => Purpose::DeletesCreated { object: of },
        Action::Apply { .. } => Purpose::RestoresDeleted { object: of },
        _ => Purpose::RestoresFields { object: of },
    };
    drafts.push(Draft {
        object: object.clone(),
        part: first.part,
        item: first.item.clone(),
        action,
        purpose,
        seq: first.seq,
        rank,
        disputed: false,
    });
}

/// Is this the object that we made? By its uid, or where that is not known by our field manager.
pub(super) fn made_by(object: &Value, uid: Option<&str>) -> bool {
    match uid {
        Some(uid) => object["metadata"]["uid"] == uid,
        None => object["metadata"]["managedFields"]
            .as_array()
            .is_some_and(|fields| fields.iter().any(|entry| entry["manager"] == MANAGER)),
    }
}

/// Puts one leaf back in the working copy, where it still stands as the run left it.
fn take_back(
    leaf: &LeafChange,
    work: &mut Value,
    note: &mut dyn FnMut(NoteKind),
    disputed: &mut Vec<LeafEdit>,
) {
    let now = leaf.path.get(work).filter(|now| !now.is_null()).cloned();
    if now == leaf.before {
        return;
    }
    if now == leaf.after {
        match &leaf.before {
            Some(before) => leaf.path.set(work, before.clone()),
            None => {
                leaf.path.remove(work);
            }
        }
        return;
    }
    // We made the whole subtree and others have added to it: ours goes, theirs stays.
    if let (None, Some(after), Some(standing)) = (&leaf.before, &leaf.after, &now)
        && let Some(ours) = children(&leaf.path, after)
        && children(&leaf.path, standing).is_some()
    {
        for (step, value) in ours {
            let inner = LeafChange {
                path: leaf.path.clone().step(step),
                before: None,
                owners: Vec::new(),
                after: Some(value.clone()),
            };
            // The key of an element that somebody else's fields now fill stays with them.
            take_back(&inner, work, note, disputed);
        }
        return;
    }
    disputed.retain(|edit| edit.path != leaf.path);
    disputed.push(LeafEdit {
        path: leaf.path.clone(),
        expect: match now.clone() {
            Some(now) => Expected::Value(now),
            None => Expected::Absent,
        },
        to: leaf.before.clone(),
    });
    let masked = |value: &Option<Value>| value.as_ref().map(|value| mask::leaf(&leaf.path, value));
    note(NoteKind::ChangedSince {
        field: leaf.path.to_string(),
        before: masked(&leaf.before),
        after: masked(&leaf.after),
        now: masked(&now),
    });
}

/// From the live object to the working copy, each leaf tested for what stands there now.
fn edits(live: &Value, work: &Value) -> Vec<LeafEdit> {
    leaves(Some(live), Some(work))
        .into_iter()
        .map(|change| LeafEdit {
            path: change.path,
            expect: match change.before {
                Some(value) => Expected::Value(value),
                None => Expected::Absent,
            },
            to: change.after,
        })
        .collect()
}

/// Would this object open 15091?
fn opens_listener(object: &ObjectRef, value: &Value) -> bool {
    let list = match object.kind {
        Kind::Sidecar => "ingress",
        Kind::Gateway => "servers",
        _ => return false,
    };
    value["spec"][list].as_array().is_some_and(|listeners| {
        listeners
            .iter()
            .any(|listener| listener["port"]["number"] == 15091)
    })
}

/// Drafts, already in order, as a plan with its needs, waits and impacts.
fn plan(
    drafts: Vec<Draft>,
    prometheus: Option<&WorkloadRef>,
    live: &dyn Fn(&ObjectRef) -> Option<Arc<Value>>,
) -> Plan {
    let mut plan = Plan {
        home: prometheus.map(|prometheus| prometheus.namespace.clone()),
        ..Plan::default()
    };
    let ranks: Vec<u8> = drafts.iter().map(|draft| draft.rank).collect();
    // Without a reloader the run wrote the configuration before the pod, so that Prometheus restarts once;
    // then the configuration only takes effect with the pod's restart here too.
    let job_seq = drafts.iter().filter(|d| d.rank == 5).map(|d| d.seq).min();
    let restart_loads = drafts
        .iter()
        .any(|draft| draft.rank == 6 && job_seq.is_some_and(|job| job < draft.seq));
    let mut dropped: Vec<Await> = Vec::new();
    // A listener must be gone from the proxies, not only from the API, before its policies go.
    let mut listeners_gone = false;
    for draft in drafts {
        let mut id = ChangeId(format!(
            "{}-{}",
            ChangeId::new(&draft.object, Part::Undo),
            draft.part.word()
        ));
        if draft.disputed {
            id = ChangeId(format!("{id}-changed-since"));
        }
        if plan.changes.iter().any(|change| change.id == id) {
            id = ChangeId(format!("{id}-{}", draft.seq));
        }
        let needed = |other: &Change, rank: u8| match (draft.rank, rank) {
            // An annotation without its listener is a target that fails; a listener without its policies is open.
            (2, 1) | (3, 2) => other.item == draft.item,
            // The job goes when nothing is annotated for it; certificates when nothing reads them.
            (5, 1) | (6, 5) | (7, 6) => true,
            _ => false,
        };
        let needs = plan
            .changes
            .iter()
            .zip(&ranks)
            .filter(|(other, rank)| needed(other, **rank) && !plan.held.contains(&other.id))
            .map(|(other, _)| other.id.clone())
            .collect();
        let mut change = Change {
            findings: Vec::new(),
            id,
            object: draft.object,
            action: draft.action,
            part: Part::Undo,
            item: draft.item,
            needs,
            after: Vec::new(),
            before: Vec::new(),
            then: Vec::new(),
            purpose: draft.purpose,
            impacts: Vec::new(),
        };
        // Else Prometheus would go on scraping a port that has gone, and call its targets DOWN.
        if draft.rank == 2
            && !change.needs.is_empty()
            && let Some(item) = &change.item
        {
            change.before.push(Await::TargetsGone(item.clone()));
        }
        if draft.rank == 3 && !change.needs.is_empty() && !listeners_gone {
            change.before.push(Await::Settle(SETTLE));
            listeners_gone = true;
        }
        if let (Action::Text { edits, .. }, Some(prometheus), false) =
            (&change.action, prometheus, draft.disputed)
        {
            dropped.extend(text::removed(edits).map(|job| Await::ConfigDropped {
                prometheus: prometheus.clone(),
                job: job.to_owned(),
            }));
            if !restart_loads {
                change.then.append(&mut dropped);
            }
        }
        restart::restart(&mut change, prometheus, live);
        if draft.rank == 6 {
            change.then.append(&mut dropped);
        }
        if draft.disputed {
            plan.held.insert(change.id.clone());
        }
        plan.changes.push(change);
    }
    plan
}

#[cfg(test)]
mod tests;
