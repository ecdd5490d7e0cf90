//! The review: every change of a plan asked of the server as a dry run, before any is written.

mod conflicts;
mod keeping;
mod live;
mod pods;
mod rollout_problems;

use super::event::ReviewEvent;
use crate::cluster::api::{Answer, Write};
use crate::cluster::error::Reason;
use crate::cluster::{ApiError, Cluster};
use crate::mesh::kinds::MANAGER;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::plan::leaves::patch;
use crate::plan::normalise::normalise;
use crate::plan::owners::{merge, owned_intent};
use crate::plan::path::LeafPath;
use crate::plan::review::{Review, Reviewed, Verdict};
use crate::plan::scrape_config::{self, TextEdit};
use crate::plan::{Action, Change, LeafEdit, Part, Plan, keyed};
use crate::words::say::engine as say;
use futures::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;

/// Changes asked at a time.
const AT_ONCE: usize = 8;
/// A question that lost a race with another writer is asked again, so many times in all.
const ATTEMPTS: usize = 4;
/// On objects that we create: which run made them.
const RUN: &str = "meshscrape.dev/run";

/// Asks the server of every change: reads the live object, dry-runs the change, and for a new pod template
/// a Pod from it. Nothing is written. Each answer is reported as it comes.
///
/// A question that fails is a [`Verdict`], not an error: the others go on.
pub async fn review(
    cluster: &Cluster,
    review: Review,
    report: &(dyn Fn(ReviewEvent) + Send + Sync),
) -> Review {
    let mut review = review;
    let asker = Asker {
        cluster,
        run: review.run.0.clone(),
        undoes: review.plan.undoes.is_some(),
        known: pods::Known::of(&review.plan),
        namespaces: rollout_problems::Namespaces::of(&review.plan),
        live: live::Live::of(&review.plan),
    };
    let groups = groups(&review.plan);
    let mut answers = futures::stream::iter(groups)
        .map(|group| asker.group(group))
        .buffer_unordered(AT_ONCE);
    while let Some(answered) = answers.next().await {
        for reviewed in answered {
            let reviewed = Arc::new(reviewed);
            review.insert(Arc::clone(&reviewed));
            report(ReviewEvent::Asked(reviewed));
        }
    }
    drop(answers);
    report(ReviewEvent::Done);
    review
}

/// Asks of one change once more, on the objects as they are now.
pub async fn again(cluster: &Cluster, change: &Change, run: &str) -> Option<Reviewed> {
    let asker = Asker {
        cluster,
        run: run.to_owned(),
        // It was asked in the review, and a record keeps no credential in any case.
        undoes: true,
        known: pods::Known::default(),
        namespaces: rollout_problems::Namespaces::default(),
        live: live::Live::default(),
    };
    asker.group(vec![change.clone()]).await.pop()
}

/// Changes that are asked one after another, the later ones on the result of the earlier: text edits of one
/// ConfigMap. All others stand alone.
fn groups(plan: &Plan) -> Vec<Vec<Change>> {
    let mut groups: Vec<Vec<Change>> = Vec::new();
    for change in &plan.changes {
        let text = matches!(change.action, Action::Text { .. });
        let same = groups.iter_mut().find(|group| {
            text && group.first().is_some_and(|first| {
                first.object == change.object && matches!(first.action, Action::Text { .. })
            })
        });
        match same {
            Some(group) => group.push(change.clone()),
            None => groups.push(vec![change.clone()]),
        }
    }
    groups
}

struct Asker<'a> {
    cluster: &'a Cluster,
    run: String,
    /// Is it an undo?
    undoes: bool,
    known: pods::Known,
    namespaces: rollout_problems::Namespaces,
    live: live::Live,
}

/// The answer to one attempt.
enum Asked {
    Yes(Box<Reviewed>),
    /// Somebody else wrote meanwhile.
    Again(String),
}

impl Asker<'_> {
    async fn group(&self, group: Vec<Change>) -> Vec<Reviewed> {
        if matches!(
            group.first(),
            Some(Change {
                action: Action::Text { .. },
                ..
            })
        ) {
            return self.texts(group).await;
        }
        let mut out = Vec::new();
        for change in group {
            out.push(self.ask(change).await);
        }
        out
    }

    async fn ask(&self, change: Change) -> Reviewed {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            match self.attempt(&change).await {
                Asked::Yes(mut reviewed) => {
                    if pods::wanted(&reviewed) {
                        let (verdict, pod) = pods::ask(self.cluster, &reviewed, &self.known).await;
                        reviewed.pod = Some(verdict);
                        let namespaces = &self.namespaces;
                        rollout_problems::find(
                            self.cluster,
                            namespaces,
                            &mut reviewed,
                            pod.as_ref(),
                        )
                        .await;
                    }
                    return *reviewed;
                }
                Asked::Again(words) => last = words,
            }
        }
        let verdict = Verdict::Failed(say::changes_too_fast(&last));
        blank(change, verdict)
    }

    async fn attempt(&self, change: &Change) -> Asked {
        if let (Part::Journal, Action::Apply { intent }) = (change.part, &change.action) {
            return self.keeping(change, intent).await;
        }
        let live = match self.live.get(self.cluster, &change.object).await {
            Ok(live) => live,
            Err(error) => return yes(blank(change.clone(), failed(&error))),
        };
        match &change.action {
            Action::Apply { intent } => self.apply(change, intent, live).await,
            Action::Edit { leaves } => self.edit(change, leaves, live).await,
            Action::Delete { uid } => self.delete(change, uid, live).await,
            // Asked as a group.
            Action::Text { .. } => yes(blank(
                change.clone(),
                Verdict::Failed(say::TEXT_BY_CONFIGMAP.into()),
            )),
        }
    }

    async fn apply(&self, change: &Change, intent: &Value, live: Option<Arc<Value>>) -> Asked {
        let object = &change.object;
        let mut reviewed = blank(change.clone(), Verdict::Unchanged);
        reviewed.live = live.clone();
        if object.kind == Kind::Pod {
            let uid = &intent["metadata"]["uid"];
            let other = match &live {
                None => true,
                Some(pod) => !uid.is_null() && pod["metadata"]["uid"] != *uid,
            };
            if other {
                let words = say::deleted_since_the_plan(object);
                reviewed.warnings.push(words);
                return yes(reviewed);
            }
        }
        if object.kind == Kind::Secret && live.as_ref().is_some_and(|live| !is_made_by_us(live)) {
            reviewed.verdict = Verdict::Refused(say::another_exists(object));
            // Nothing of it is shown.
            reviewed.live = None;
            return yes(reviewed);
        }
        let intent = self.intent(intent, live.as_deref());
        reviewed.intent = Some(intent.clone());

        let (answer, causes) = match self.cluster.apply(object, &intent, Write::DRY_RUN).await {
            Err(error) if error.reason == Reason::FieldConflict => {
                let force = Write {
                    dry_run: true,
                    force: true,
                };
                let causes = error.conflicts;
                (self.cluster.apply(object, &intent, force).await, causes)
            }
            answer => (answer, Vec::new()),
        };
        reviewed.conflicts = conflicts::of_apply(&causes, live.as_deref(), &intent);
        match answer {
            Ok(Answer { body, warnings }) => {
                reviewed.warnings = warnings;
                reviewed.verdict = match &live {
                    None => Verdict::New,
                    Some(live) if normalise(live) == normalise(&body) => Verdict::Unchanged,
                    Some(_) => Verdict::Changes,
                };
                if reviewed.verdict == Verdict::Unchanged {
                    reviewed.conflicts.clear();
                }
                reviewed.after = Some(Arc::new(body));
                yes(reviewed)
            }
            Err(error) if error.reason == Reason::Stale => Asked::Again(error.message),
            Err(error) if error.is_not_found() => {
                reviewed.verdict = self.missing(object, &error).await;
                if matches!(reviewed.verdict, Verdict::Unverified(_)) {
                    reviewed.after = Some(Arc::new(intent));
                }
                yes(reviewed)
            }
            Err(error) => {
                reviewed.verdict = refused_or_failed(&error);
                reviewed.after = Some(Arc::new(intent));
                yes(reviewed)
            }
        }
    }

    /// The intent as it is sent. Of an object that is wholly ours the plan's intent is everything; of
    /// anybody else's, what we own already stays in.
    fn intent(&self, intent: &Value, live: Option<&Value>) -> Value {
        let run = LeafPath::fields(["metadata", "annotations"]).field(RUN);
        if intent["metadata"]["labels"]["app.kubernetes.io/managed-by"] == MANAGER {
            let mut out = intent.clone();
            let kept = match live {
                Some(live) => run.get(live).cloned(),
                None => Some(Value::from(self.run.as_str())),
            };
            if let Some(kept) = kept.filter(|kept| kept != "") {
                run.set(&mut out, kept);
            }
            return out;
        }
        match live.and_then(|live| owned_intent(live, MANAGER)) {
            Some(owned) => merge(owned, intent),
            None => intent.clone(),
        }
    }

    /// Why an apply found nothing to apply to.
    async fn missing(&self, object: &ObjectRef, error: &ApiError) -> Verdict {
        let namespace = &object.namespace;
        if self.known.created.contains(namespace) {
            return Verdict::Unverified(say::namespace_comes(namespace));
        }
        let there = ObjectRef::new(Kind::Namespace, "", namespace);
        if !namespace.is_empty() && matches!(self.cluster.get(&there).await, Ok(None)) {
            return Verdict::Refused(say::no_namespace(namespace));
        }
        Verdict::Refused(say::kind_not_known(
            object.kind.name(),
            object.kind.api_version(),
            &error.message,
        ))
    }

    async fn edit(&self, change: &Change, leaves: &[LeafEdit], live: Option<Arc<Value>>) -> Asked {
        let object = &change.object;
        let mut reviewed = blank(change.clone(), Verdict::Unchanged);
        reviewed.live = live.clone();
        let Some(live) = live else {
            if leaves.iter().any(|edit| edit.to.is_some()) {
                reviewed.verdict = Verdict::Refused(say::does_not_exist(object));
            }
            return yes(reviewed);
        };
        let (operations, _) = match patch(&live, leaves) {
            Ok(patched) => patched,
            Err(mismatch) => {
                reviewed.verdict = Verdict::Refused(say::plan_again(&mismatch));
                return yes(reviewed);
            }
        };
        if operations.is_empty() {
            reviewed.after = Some(live);
            return yes(reviewed);
        }
        reviewed.conflicts = conflicts::of_edit(&live, leaves);
        let operations = Value::Array(operations);
        match self
            .cluster
            .json_patch(object, &operations, Write::DRY_RUN)
            .await
        {
            Ok(answer) => {
                reviewed.warnings = answer.warnings;
                reviewed.verdict = changed(&live, &answer.body);
                reviewed.after = Some(Arc::new(answer.body));
                yes(reviewed)
            }
            Err(error) => self.raced(reviewed, &live, error).await,
        }
    }

    /// A patch that failed: on its test of the resourceVersion, it is asked again.
    async fn raced(&self, mut reviewed: Reviewed, live: &Value, error: ApiError) -> Asked {
        let raced = match error.reason {
            Reason::Stale => true,
            Reason::Invalid => match self.cluster.get(&reviewed.change.object).await {
                Ok(now) => now.is_none_or(|now| {
                    now["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]
                }),
                Err(_) => false,
            },
            _ => false,
        };
        if raced {
            return Asked::Again(error.message);
        }
        reviewed.verdict = refused_or_failed(&error);
        yes(reviewed)
    }

    async fn delete(&self, change: &Change, uid: &str, live: Option<Arc<Value>>) -> Asked {
        let object = &change.object;
        let mut reviewed = blank(change.clone(), Verdict::Unchanged);
        reviewed.live = live.clone();
        let Some(live) = live else {
            return yes(reviewed);
        };
        if live["metadata"]["uid"] != uid {
            let words = say::another_stays(object);
            reviewed.warnings.push(words);
            reviewed.after = Some(live);
            return yes(reviewed);
        }
        reviewed.conflicts = conflicts::of_delete(&live);
        match self.cluster.delete(object, uid, None, Write::DRY_RUN).await {
            Ok(answer) => {
                reviewed.warnings = answer.warnings;
                reviewed.verdict = Verdict::Deletes;
                yes(reviewed)
            }
            Err(error) if error.is_not_found() => Asked::Again(error.message),
            Err(error) if error.reason == Reason::Stale => Asked::Again(error.message),
            Err(error) => {
                reviewed.verdict = refused_or_failed(&error);
                yes(reviewed)
            }
        }
    }

    /// Text edits of one ConfigMap, each on the result of the one before.
    async fn texts(&self, group: Vec<Change>) -> Vec<Reviewed> {
        let object = match group.first() {
            Some(first) => first.object.clone(),
            None => return Vec::new(),
        };
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let live = match self.cluster.get(&object).await {
                Ok(Some(live)) => live,
                Ok(None) => {
                    let verdict = Verdict::Refused(say::does_not_exist(&object));
                    return all(group, verdict);
                }
                Err(error) => return all(group, failed(&error)),
            };
            match self.text_chain(&group, live).await {
                Ok(reviewed) => return reviewed,
                Err(words) => last = words,
            }
        }
        let words = say::changes_too_fast(&last);
        all(group, Verdict::Failed(words))
    }

    /// One attempt; `Err`: somebody else wrote meanwhile.
    async fn text_chain(&self, group: &[Change], live: Value) -> Result<Vec<Reviewed>, String> {
        let real = live.clone();
        let mut base = Arc::new(live);
        let mut out = Vec::new();
        for change in group {
            let Action::Text { key, edits } = &change.action else {
                continue;
            };
            let mut reviewed = blank(change.clone(), Verdict::Unchanged);
            reviewed.live = Some(Arc::clone(&base));
            let text = &*keyed::text(&base, key).unwrap_or_default();
            let missing = !keyed::has(&base, key);
            let keeps = match self.undoes {
                // What an undo takes away was this program's own, and is not restored.
                true => Ok(()),
                false => scrape_config::recordable(text, edits).map_err(gate),
            };
            match keeps.and_then(|()| edited(&change.object, key, text, missing, edits)) {
                Err(verdict) => reviewed.verdict = verdict,
                Ok(after) if after == text => reviewed.after = Some(Arc::clone(&base)),
                Ok(after) => {
                    let value = match keyed::value(&base, key, &after) {
                        Ok(value) => value,
                        Err(why) => {
                            reviewed.verdict = gate(scrape_config::GateRefusal {
                                why,
                                paste: String::new(),
                            });
                            out.push(reviewed);
                            continue;
                        }
                    };
                    let operations = text_patch(change.object.kind, &real, key, &value);
                    let answer = self
                        .cluster
                        .json_patch(&change.object, &operations, Write::DRY_RUN)
                        .await;
                    match answer {
                        Ok(answer) => {
                            reviewed.conflicts =
                                conflicts::of_text(&real, &keyed::path(change.object.kind, key));
                            reviewed.warnings = answer.warnings;
                            reviewed.verdict = Verdict::Changes;
                            base = Arc::new(answer.body);
                            reviewed.after = Some(Arc::clone(&base));
                        }
                        Err(error) => match self.raced(reviewed, &real, error).await {
                            Asked::Again(words) => return Err(words),
                            Asked::Yes(failed) => {
                                out.push(*failed);
                                continue;
                            }
                        },
                    }
                }
            }
            out.push(reviewed);
        }
        Ok(out)
    }
}

fn edited(
    object: &ObjectRef,
    key: &str,
    text: &str,
    missing: bool,
    edits: &[TextEdit],
) -> Result<String, Verdict> {
    if missing {
        return Err(Verdict::Refused(say::has_no_key(object, key)));
    }
    scrape_config::apply(text, edits).map_err(gate)
}

fn gate(refusal: scrape_config::GateRefusal) -> Verdict {
    Verdict::Gate {
        why: refusal.why,
        paste: refusal.paste,
    }
}

/// Replaces one key's text, where the object and its text are the ones that were read.
fn text_patch(kind: Kind, live: &Value, key: &str, after: &Value) -> Value {
    let mut operations = Vec::new();
    if let Some(version) = live["metadata"]["resourceVersion"].as_str() {
        operations
            .push(json!({"op": "test", "path": "/metadata/resourceVersion", "value": version}));
    }
    operations.extend(keyed::patch(kind, live, key, after));
    Value::Array(operations)
}

fn is_made_by_us(object: &Value) -> bool {
    object["metadata"]["labels"]["app.kubernetes.io/managed-by"] == MANAGER
}

fn yes(reviewed: Reviewed) -> Asked {
    Asked::Yes(Box::new(reviewed))
}

fn all(group: Vec<Change>, verdict: Verdict) -> Vec<Reviewed> {
    group
        .into_iter()
        .map(|change| blank(change, verdict.clone()))
        .collect()
}

fn blank(change: Change, verdict: Verdict) -> Reviewed {
    Reviewed {
        change,
        live: None,
        after: None,
        verdict,
        conflicts: Vec::new(),
        warnings: Vec::new(),
        pod: None,
        rollout_problems: Vec::new(),
        intent: None,
    }
}

fn changed(live: &Value, after: &Value) -> Verdict {
    if normalise(live) == normalise(after) {
        Verdict::Unchanged
    } else {
        Verdict::Changes
    }
}

/// The question could not be put, or got no answer.
fn failed(error: &ApiError) -> Verdict {
    Verdict::Failed(format!("{}: {}", error.message, error.hint()))
}

/// A refusal is the server's word on the change itself: a validation, an admission webhook, a quota.
fn refused_or_failed(error: &ApiError) -> Verdict {
    match error.reason {
        Reason::Invalid | Reason::Denied => Verdict::Refused(error.message.clone()),
        _ => failed(error),
    }
}
