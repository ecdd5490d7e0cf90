//! Watches: a stream of JSON lines that follows the store's log.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Simulation;
use super::json::namespace;
use super::kinds::Kind;
use super::service::AnswerBody;
use super::store::Happened;

/// How often an idle watch looks again.
const LOOK: Duration = Duration::from_millis(200);

/// Which objects a watch follows.
pub type Filter = Arc<dyn Fn(&Value) -> bool + Send + Sync>;

/// A watch from a revision on.
pub struct From {
    pub kind: &'static Kind,
    pub namespace: String,
    pub filter: Filter,
    pub revision: u64,
    /// Objects to send as `ADDED` first, where the watch began without a revision.
    pub first: Vec<Arc<Value>>,
    pub bookmarks: bool,
    /// After this time the server ends the watch.
    pub timeout: Duration,
}

struct State {
    simulation: Simulation,
    from: From,
    end: Instant,
    over: bool,
}

pub fn stream(simulation: Simulation, from: From) -> AnswerBody {
    let state = State {
        end: Instant::now() + from.timeout,
        simulation,
        from,
        over: false,
    };
    let frames = stream::unfold(state, |mut state| async move {
        loop {
            if state.over {
                return None;
            }
            let lines = state.next_lines();
            if !lines.is_empty() {
                let frame = http_body::Frame::data(Bytes::from(lines));
                return Some((Ok(frame), state));
            }
            if Instant::now() >= state.end {
                return None;
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

fn line(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

impl State {
    fn next_lines(&mut self) -> String {
        let from = &mut self.from;
        let mut lines = String::new();
        for object in from.first.drain(..) {
            lines.push_str(&line("ADDED", &object));
        }
        let world = self.simulation.world();
        let Some(events) = world.store.since(from.revision) else {
            self.over = true;
            return line(
                "ERROR",
                &json!({
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "message": format!("too old resource version: {} ({})", from.revision, world.store.revision()),
                    "reason": "Expired", "code": 410,
                }),
            );
        };
        for event in events {
            let here = from.namespace.is_empty() || namespace(&event.object) == from.namespace;
            if *event.kind != *from.kind || !here || !(from.filter)(&event.object) {
                continue;
            }
            let kind = match event.happened {
                Happened::Added => "ADDED",
                Happened::Modified => "MODIFIED",
                Happened::Deleted => "DELETED",
            };
            lines.push_str(&line(kind, &event.object));
        }
        let latest = world.store.revision();
        let ending = Instant::now() >= self.end;
        if from.bookmarks && lines.is_empty() && ending && !self.over {
            self.over = true;
            lines.push_str(&line(
                "BOOKMARK",
                &json!({"kind": from.kind.kind, "apiVersion": from.kind.api_version(),
                        "metadata": {"resourceVersion": latest.to_string()}}),
            ));
        }
        from.revision = latest;
        lines
    }
}
