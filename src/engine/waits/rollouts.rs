//! A rollout awaited, and the cause named where it stands still.

use super::{Around, Waited};
use crate::cluster::error::Reason;
use crate::engine::event::StepState;
use crate::engine::rollout::{Rollout, rollout_state, why_stuck};
use crate::error::{Error, Tells};
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::plan::ChangeId;
use crate::plan::rollout_problems::selector;
use crate::problems::Problem;
use crate::words;
use crate::words::say::engine as say;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(1);
/// Pods take some seconds to start; before that nothing is wrong.
const LOOK_AFTER: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// A pull or a start that fails once may still succeed: the kubelet tries again within this time.
const LASTS: Duration = Duration::from_secs(60);
/// Pages of pods or ReplicaSets that are read for a cause, of the workload's own by its selector.
const PAGES: usize = 4;

/// The cause of a rollout that failed because its workload is gone.
pub(in crate::engine) const DELETED: &str = say::WAS_DELETED;

impl Around<'_> {
    pub(super) async fn rollout(&self, object: &ObjectRef, id: &ChangeId) -> Waited {
        let begun = Instant::now();
        let deadline = begun + self.rollout_within;
        let mut figures = (0, 0);
        let mut moved = begun;
        let mut looked: Option<Instant> = None;
        let mut stuck: Option<Problem> = None;
        loop {
            let note = match self.session.cluster.get(object).await {
                Ok(None) => {
                    return match failed(object, DELETED.to_owned(), None) {
                        Waited::Failed(error) => Waited::Failed(error.tells(Tells::Gone)),
                        other => other,
                    };
                }
                Ok(Some(live)) => match rollout_state(&live) {
                    Rollout::Done => return Waited::Over,
                    Rollout::Failed(why) => {
                        let stuck = self.cause(&live, object).await;
                        return failed(object, why, stuck.as_ref());
                    }
                    Rollout::NeverByItself(why) => {
                        self.log(format!("{object}: {why}"));
                        return Waited::Over;
                    }
                    Rollout::Going {
                        updated,
                        ready,
                        desired,
                        note,
                        says_ready,
                    } => {
                        let now = Instant::now();
                        if figures != (updated, ready) {
                            figures = (updated, ready);
                            moved = now;
                            stuck = None;
                        }
                        let still = now - moved;
                        let due = looked.is_none_or(|at| now - at >= LOOK_EVERY);
                        if still >= LOOK_AFTER && due {
                            looked = Some(now);
                            stuck = self.cause(&live, object).await;
                        }
                        if still >= LASTS
                            && let Some(stuck) = stuck.as_ref().filter(|stuck| stuck.lasts())
                        {
                            return failed(object, note, Some(stuck));
                        }
                        let told = match &stuck {
                            Some(stuck) => format!("{note}; {}", words::sentence(stuck)),
                            None => note.clone(),
                        };
                        let state = StepState::Rollout {
                            updated,
                            ready,
                            desired,
                            note: told,
                            says_ready,
                        };
                        self.step(id, state);
                        note
                    }
                },
                Err(error) if error.reason == Reason::Forbidden => {
                    return failed(object, error.to_string(), None);
                }
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                let note = say::after_seconds(self.rollout_within.as_secs(), &note);
                return failed(object, note, stuck.as_ref());
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Why it stands still, as far as the objects around it may be read.
    async fn cause(&self, live: &Value, object: &ObjectRef) -> Option<Problem> {
        let selector = selector(live);
        let sets = match object.kind {
            Kind::Deployment => self.listed(Kind::ReplicaSet, object, &selector).await,
            _ => Vec::new(),
        };
        let pods = self.listed(Kind::Pod, object, &selector).await;
        if let Some(stuck) = why_stuck(live, &sets, &pods, &[]) {
            return Some(stuck);
        }
        let events = self.failed_creates(object).await;
        why_stuck(live, &sets, &pods, &events)
    }

    /// What cannot be read tells no cause; the rollout's own figures are said all the same.
    async fn listed(&self, kind: Kind, of: &ObjectRef, selector: &str) -> Vec<Value> {
        let cluster = &self.session.cluster;
        let query = format!("labelSelector={}", crate::cluster::api::encode(selector));
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..PAGES {
            let page = cluster
                .page::<Value>(kind, Some(&of.namespace), &query, token.as_deref())
                .await;
            let Ok(page) = page else { break };
            found.extend(page.items);
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        found
    }

    async fn failed_creates(&self, of: &ObjectRef) -> Vec<Value> {
        let path = format!(
            "/api/v1/namespaces/{}/events?limit=100&fieldSelector=reason%3DFailedCreate",
            of.namespace
        );
        let list: Value = self.session.cluster.read(&path).await.unwrap_or_default();
        list["items"].as_array().cloned().unwrap_or_default()
    }
}

fn failed(object: &ObjectRef, note: String, stuck: Option<&Problem>) -> Waited {
    let mut error = Error::new(say::rollout_not_done(object));
    if let Some(stuck) = stuck {
        error = error.cause(words::sentence(stuck));
    }
    error = error.cause(note);
    if let Some(hint) = stuck.and_then(words::remedy) {
        error = error.hint(hint);
    }
    Waited::Failed(error.hint(format!(
        "kubectl -n {} describe {} {}",
        object.namespace,
        object.kind.name().to_lowercase(),
        object.name
    )))
}
