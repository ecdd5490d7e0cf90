//! The API server as a tower service.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use kube::client::Body;

use super::answers::{self, Reply};
use super::api::{self, Answer, Call};
use super::json::number_of;
use super::routes::Query;
use super::{Fault, RequestRecord, Simulation, locked, watch};

/// The body of an answer: whole, or a stream of watch events.
pub type AnswerBody = UnsyncBoxBody<Bytes, Infallible>;

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("connection closed before message completed")]
    Cut,
    #[error("error reading a body from connection: {0}")]
    Body(String),
}

/// The API server of a [`Simulation`].
#[derive(Clone)]
pub struct SimulatedApi {
    simulation: Simulation,
}

impl SimulatedApi {
    pub(super) fn new(simulation: Simulation) -> SimulatedApi {
        SimulatedApi { simulation }
    }
}

impl tower::Service<Request<Body>> for SimulatedApi {
    type Response = Response<AnswerBody>;
    type Error = Broken;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(answer(self.simulation.clone(), request))
    }
}

fn header(headers: &HeaderMap, name: http::HeaderName) -> String {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("")
        .to_owned()
}

async fn answer(
    simulation: Simulation,
    request: Request<Body>,
) -> Result<Response<AnswerBody>, Broken> {
    let (parts, body) = request.into_parts();
    let body = body
        .collect_bytes()
        .await
        .map_err(|error| Broken::Body(error.to_string()))?;
    let path_and_query = parts
        .uri
        .path_and_query()
        .map_or("/", |p| p.as_str())
        .to_owned();
    let mut record = RequestRecord {
        method: parts.method.to_string(),
        path: path_and_query,
        status: 0,
    };
    let (fault, latency) = {
        let rules = locked(&simulation.inner.rules);
        (rules.fault.clone(), rules.latency)
    };
    if latency {
        let range = locked(&simulation.inner.world).settings.latency;
        if let Some((least, most)) = range {
            tokio::time::sleep(pause(&record.path, least, most)).await;
        }
    }
    let fault = fault.and_then(|rule| rule(&record));
    match &fault {
        Some(Fault::Cut) => {
            simulation.note(record);
            return Err(Broken::Cut);
        }
        Some(Fault::Hang) => {
            simulation.note(record);
            return std::future::pending().await;
        }
        Some(Fault::Status(code, message)) => {
            let reason = match code {
                429 => "TooManyRequests",
                503 => "ServiceUnavailable",
                504 => "Timeout",
                _ => "InternalError",
            };
            let mut reply =
                answers::failure(*code, reason, message.clone(), serde_json::Value::Null);
            if *code == 429 {
                reply.retry_after = Some(1);
            }
            record.status = *code;
            simulation.note(record);
            return whole(reply);
        }
        Some(Fault::Terminating(message)) => {
            let causes = serde_json::json!({"causes": [{
                "reason": "NamespaceTerminating",
                "message": message,
                "field": "metadata.namespace",
            }]});
            record.status = 403;
            simulation.note(record);
            return whole(answers::failure(403, "Forbidden", message.clone(), causes));
        }
        Some(Fault::CutAfter) | None => {}
    }
    let call = Call {
        method: record.method.clone(),
        path: parts.uri.path().to_owned(),
        query: Query::parse(parts.uri.query().unwrap_or("")),
        content_type: header(&parts.headers, CONTENT_TYPE),
        accept: header(&parts.headers, ACCEPT),
        agent: header(&parts.headers, USER_AGENT),
        body,
    };
    let answer = api::handle(&simulation, &call);
    record.status = match &answer {
        Answer::Whole(reply) => reply.status.as_u16(),
        Answer::Watch(_) => 200,
    };
    simulation.note(record);
    if fault == Some(Fault::CutAfter) {
        return Err(Broken::Cut);
    }
    match answer {
        Answer::Whole(reply) => whole(reply),
        Answer::Watch(from) => {
            let body = watch::stream(simulation, from);
            respond(
                Response::builder().header(CONTENT_TYPE, "application/json"),
                body,
            )
        }
    }
}

fn whole(reply: Reply) -> Result<Response<AnswerBody>, Broken> {
    let mut builder = Response::builder()
        .status(reply.status)
        .header(CONTENT_TYPE, reply.content_type);
    if let Some(seconds) = reply.retry_after {
        builder = builder.header(RETRY_AFTER, seconds);
    }
    respond(builder, Full::new(reply.body).boxed_unsync())
}

fn respond(
    builder: http::response::Builder,
    body: AnswerBody,
) -> Result<Response<AnswerBody>, Broken> {
    builder
        .body(body)
        .map_err(|error| Broken::Body(error.to_string()))
}

/// A time between the two that the path alone decides, so that a run is like the next.
fn pause(path: &str, least: Duration, most: Duration) -> Duration {
    let spread = most.saturating_sub(least).as_millis() as u64 + 1;
    least + Duration::from_millis(number_of(path) % spread)
}
