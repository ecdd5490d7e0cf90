//! Tower layers around every request: the read-only guard, retries of reads, a limit, faults for tests.
//!
//! From the outside in: guard, retry, limit, fault. A retry gives its place in the limit back while it waits.

use super::retry;
use crate::words::say::cluster as say;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::Body;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::Instant;
use tower::limit::ConcurrencyLimit;
use tower::{BoxError, Service, ServiceExt};
use tracing::Level;

/// Requests on their way at one time; more would only queue in the API server.
pub const AT_ONCE: usize = 8;

/// Asked before each attempt at a request what is to go wrong with it. For tests.
pub type Fault = Arc<dyn Fn(&Method, &Uri) -> Option<Spoil> + Send + Sync>;

/// What goes wrong with one attempt at a request.
#[derive(Debug)]
pub enum Spoil {
    /// It is not sent: this error takes its place.
    Unsent(BoxError),
    /// It is not sent: this answer takes its place.
    Instead(Response<Bytes>),
    /// The server carries it out, and its answer never comes.
    Unanswered,
    /// The server carries it out, and the connection breaks before the answer.
    Broken,
    /// The server carries it out, and its answer breaks off half way.
    HalfAnswer,
    /// The server carries it out, and these bytes stand in the place of its answer's.
    Garbage(Bytes),
}

/// An answer's body, its source forgotten.
pub type AnswerBody = UnsyncBoxBody<Bytes, BoxError>;

/// A request that `--read-only` held back; nothing left this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOnly {
    pub method: Method,
    pub path: String,
}

impl fmt::Display for ReadOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReadOnly { method, path } = self;
        f.write_str(&say::not_sent(method, path))
    }
}

impl std::error::Error for ReadOnly {}

/// Wraps a service in all layers.
pub fn stack<S>(
    inner: S,
    read_only: bool,
    fault: Option<Fault>,
) -> Guard<Retry<ConcurrencyLimit<Faulty<S>>>> {
    let faulty = Faulty { inner, fault };
    Guard {
        inner: Retry {
            inner: ConcurrencyLimit::new(faulty, AT_ONCE),
        },
        read_only,
    }
}

/// Lets only requests pass that change nothing, where `read_only` is set.
#[derive(Clone)]
pub struct Guard<S> {
    inner: S,
    read_only: bool,
}

/// Reads, access reviews and dry runs. What goes through a proxy reaches a pod, which knows no dry run.
fn changes_nothing(request: &Request<Body>) -> bool {
    let uri = request.uri();
    let dry_run = || {
        let asked = uri
            .query()
            .is_some_and(|query| query.split('&').any(|part| part == "dryRun=All"));
        asked && !is_proxied(uri.path())
    };
    let review = || {
        request.method() == Method::POST
            && uri.path().starts_with("/apis/authorization.k8s.io/")
            && (uri.path().ends_with("/subjectaccessreviews")
                || uri.path().ends_with("/selfsubjectaccessreviews")
                || uri.path().ends_with("/selfsubjectrulesreviews"))
    };
    matches!(*request.method(), Method::GET | Method::HEAD) || review() || dry_run()
}

fn is_proxied(path: &str) -> bool {
    path.contains("/proxy/") || path.ends_with("/proxy")
}

impl<S, B> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if self.read_only && !changes_nothing(&request) {
            let held = ReadOnly {
                method: request.method().clone(),
                path: request.uri().path().to_owned(),
            };
            return Box::pin(async move { Err(BoxError::from(held)) });
        }
        let answer = self.inner.call(request);
        Box::pin(async move { answer.await.map_err(Into::into) })
    }
}

/// Sends a read again when the server was busy or the connection broke. Never a write: it may have been done.
#[derive(Clone)]
pub struct Retry<S> {
    inner: S,
}

/// What a proxied pod answers is an answer, whatever its status.
fn may_repeat(request: &Request<Body>) -> bool {
    request.method() == Method::GET && !is_proxied(request.uri().path())
}

fn again(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::builder()
        .method(request.method().clone())
        .uri(request.uri().clone())
        .body(request.body().try_clone()?)
        .ok()?;
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}

fn busy(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

/// A connection that broke off, as against one that never came about.
fn broke_off(error: &BoxError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind::{
                BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof,
            };
            return matches!(
                io.kind(),
                ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof
            );
        }
        let text = inner.to_string();
        if text.contains("connection closed before message completed")
            || text.contains("connection reset")
        {
            return true;
        }
        cause = inner.source();
    }
    false
}

impl<S, B> Service<Request<Body>> for Retry<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // Each attempt waits for a place of its own.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = self.inner.clone();
        Box::pin(async move {
            let mut request = request;
            let mut attempt = 0;
            loop {
                let spare = (attempt < retry::TIMES && may_repeat(&request))
                    .then(|| again(&request))
                    .flatten();
                let answer = inner.clone().oneshot(request).await.map_err(Into::into);
                let Some(next) = spare else {
                    return answer;
                };
                let wait = match &answer {
                    Ok(response) if busy(response.status()) => {
                        retry::pause(attempt, retry::asked(response.headers()))
                    }
                    Err(error) if broke_off(error) => retry::pause(attempt, None),
                    _ => return answer,
                };
                drop(answer);
                tokio::time::sleep(wait).await;
                request = next;
                attempt += 1;
            }
        })
    }
}

/// Lets a test break requests; passes everything on otherwise.
#[derive(Clone)]
pub struct Faulty<S> {
    inner: S,
    fault: Option<Fault>,
}

impl<S, B> Service<Request<Body>> for Faulty<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<AnswerBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let fault = self.fault.as_ref();
        let spoil = fault.and_then(|fault| fault(request.method(), request.uri()));
        match spoil {
            Some(Spoil::Unsent(error)) => return Box::pin(async move { Err(error) }),
            Some(Spoil::Instead(answer)) => {
                return Box::pin(async move { Ok(answer.map(whole)) });
            }
            _ => {}
        }
        let asked = Asked::of(request.method(), request.uri());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await.map_err(Into::into);
            asked.log(answer.as_ref().map(Response::status));
            let answer = answer?;
            let answer = answer.map(|body| body.map_err(Into::into).boxed_unsync());
            match spoil {
                None => Ok(answer),
                Some(spoil) => spoiled(answer, spoil).await,
            }
        })
    }
}

/// A request for `--log`: its method, path and query. Bodies and headers, where secrets are, are never logged.
pub(super) struct Asked {
    words: String,
    since: Instant,
}

impl Asked {
    pub fn of(method: &Method, uri: &Uri) -> Asked {
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        Asked {
            words: match tracing::enabled!(Level::DEBUG) {
                true => format!("{method} {path}"),
                false => String::new(),
            },
            since: Instant::now(),
        }
    }

    pub fn log(self, answer: Result<StatusCode, impl fmt::Display>) {
        let Asked { words, since } = self;
        let took = since.elapsed().as_millis();
        match answer {
            Ok(status) => tracing::debug!("{}", say::answered_in(&words, &status.as_u16(), took)),
            Err(error) => tracing::debug!("{}", say::answered_in(&words, &error, took)),
        }
    }
}

fn whole(body: Bytes) -> AnswerBody {
    Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// What arrives of an answer that the server gave.
async fn spoiled(
    answer: Response<AnswerBody>,
    spoil: Spoil,
) -> Result<Response<AnswerBody>, BoxError> {
    let (parts, body) = answer.into_parts();
    let broken = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let body = match spoil {
        Spoil::Unanswered => return std::future::pending().await,
        Spoil::Broken => return Err(broken().into()),
        Spoil::Unsent(error) => return Err(error),
        Spoil::Instead(answer) => return Ok(answer.map(whole)),
        Spoil::Garbage(bytes) => whole(bytes),
        Spoil::HalfAnswer => {
            let bytes = body.collect().await?.to_bytes();
            let half = http_body::Frame::data(bytes.slice(..bytes.len() / 2));
            let frames = [Ok(half), Err(BoxError::from(broken()))];
            StreamBody::new(futures::stream::iter(frames)).boxed_unsync()
        }
    };
    Ok(Response::from_parts(parts, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::api::{Cluster, Write};
    use crate::cluster::error::Reason;
    use crate::mesh::kinds::{Kind, ObjectRef};
    use serde_json::json;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tower::service_fn;

    type Sent = Arc<Mutex<Vec<String>>>;

    /// An API server that answers everything with `{}` after the given statuses, and notes what reached it.
    fn server(statuses: &'static [u16], read_only: bool) -> (Cluster, Sent) {
        let sent = Sent::default();
        let noted = sent.clone();
        let calls = Arc::new(AtomicUsize::new(0));
        let service = service_fn(move |request: Request<Body>| {
            let line = format!("{} {}", request.method(), request.uri());
            noted.lock().expect("no panic holds it").push(line);
            let call = calls.fetch_add(1, Ordering::SeqCst);
            let status = statuses.get(call).copied().unwrap_or(200);
            async move {
                let mut response = Response::new(Body::from(b"{}".to_vec()));
                *response.status_mut() = StatusCode::from_u16(status).expect("a status");
                Ok::<_, BoxError>(response)
            }
        });
        (Cluster::over(service, "test", read_only), sent)
    }

    fn lines(sent: &Sent) -> Vec<String> {
        sent.lock().expect("no panic holds it").clone()
    }

    fn cart() -> ObjectRef {
        ObjectRef::new(Kind::Deployment, "shop", "cart")
    }

    #[tokio::test]
    async fn read_only_lets_reads_reviews_and_dry_runs_pass() {
        let (cluster, sent) = server(&[], true);
        cluster.get(&cart()).await.expect("a read");
        cluster
            .may("patch", "apps", "deployments", None)
            .await
            .expect("a review");
        cluster
            .may_account(("mon", "prometheus"), "list", "pods", None)
            .await
            .expect("a review of another");
        let intent = json!({"kind": "Deployment"});
        cluster
            .apply(&cart(), &intent, Write::DRY_RUN)
            .await
            .expect("a dry run");
        assert_eq!(lines(&sent).len(), 4);
    }

    #[tokio::test]
    async fn read_only_holds_every_write_back_and_says_so() {
        let (cluster, sent) = server(&[], true);
        let intent = json!({"kind": "Deployment"});
        let real = Write::default();
        let errors = [
            cluster.apply(&cart(), &intent, real).await.err(),
            cluster.json_patch(&cart(), &json!([]), real).await.err(),
            cluster.create(Kind::Pod, "shop", &intent, real).await.err(),
            cluster.delete(&cart(), "uid", None, real).await.err(),
        ];
        for error in errors {
            let error = error.expect("held back");
            assert_eq!(error.reason, Reason::ReadOnly);
        }
        assert_eq!(lines(&sent), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_dry_run_through_a_proxy_is_no_dry_run() {
        let request = |method: Method, path: &str| {
            let built = Request::builder()
                .method(method)
                .uri(path)
                .body(Body::empty());
            built.expect("a request")
        };
        let proxied = "/api/v1/namespaces/a/pods/http:p:9090/proxy/-/reload?dryRun=All";
        assert!(!changes_nothing(&request(Method::POST, proxied)));
        let named_so = "/api/v1/namespaces/a/configmaps/x?note=dryRun=All";
        assert!(!changes_nothing(&request(Method::PATCH, named_so)));
        let dry = "/api/v1/namespaces/a/configmaps/x?fieldManager=m&dryRun=All";
        assert!(changes_nothing(&request(Method::PATCH, dry)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_is_sent_again_while_the_server_is_busy() {
        let (cluster, sent) = server(&[503, 429], false);
        cluster.get(&cart()).await.expect("the third attempt");
        assert_eq!(lines(&sent).len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_is_not_sent_for_ever() {
        let (cluster, sent) = server(&[500; 20], false);
        let error = cluster
            .get(&cart())
            .await
            .expect_err("the server stays broken");
        assert_eq!(error.reason, Reason::Server);
        assert_eq!(lines(&sent).len(), 1 + retry::TIMES as usize);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_is_sent_once() {
        let (cluster, sent) = server(&[503], false);
        let intent = json!({"kind": "Deployment"});
        let answer = cluster.apply(&cart(), &intent, Write::default()).await;
        assert_eq!(answer.expect_err("busy").reason, Reason::Server);
        assert_eq!(lines(&sent).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_pod_answers_through_the_proxy_is_not_asked_again() {
        let (cluster, sent) = server(&[503], false);
        let answer = cluster
            .pod_proxy("shop", "cart-1", "http", 15091, "/stats/prometheus")
            .await;
        assert_eq!(answer.expect("an answer").status, 503);
        assert_eq!(lines(&sent).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_connection_is_tried_again_and_a_refused_one_is_not() {
        for (kind, attempts) in [
            (std::io::ErrorKind::ConnectionReset, 2),
            (std::io::ErrorKind::ConnectionRefused, 1),
        ] {
            let calls = Arc::new(AtomicUsize::new(0));
            let counted = calls.clone();
            let fault: Fault = Arc::new(move |_, _| {
                let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
                first.then(|| Spoil::Unsent(std::io::Error::from(kind).into()))
            });
            let service = service_fn(|_: Request<Body>| async {
                Ok::<_, BoxError>(Response::new(Body::from(b"{}".to_vec())))
            });
            let mut stack = stack(service, false, Some(fault));
            let request = Request::builder().uri("/version").body(Body::empty());
            let answer = stack
                .ready()
                .await
                .expect("ready")
                .call(request.expect("a request"))
                .await;
            assert_eq!(answer.is_ok(), attempts == 2);
            assert_eq!(calls.load(Ordering::SeqCst), attempts);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_whose_answer_is_spoiled_reached_the_server_once() {
        type Make = fn() -> Spoil;
        let spoils: [(Make, usize, Reason); 5] = [
            (|| Spoil::Unanswered, 1, Reason::Timeout),
            (|| Spoil::Broken, 1, Reason::Unreachable),
            (|| Spoil::HalfAnswer, 1, Reason::Garbled),
            (|| Spoil::Garbage("<html>".into()), 1, Reason::Garbled),
            (
                || {
                    let mut answer = Response::new(Bytes::from_static(b"{}"));
                    *answer.status_mut() = StatusCode::CONFLICT;
                    Spoil::Instead(answer)
                },
                0,
                Reason::Stale,
            ),
        ];
        for (spoil, reached, reason) in spoils {
            let sent = Sent::default();
            let noted = sent.clone();
            let service = service_fn(move |request: Request<Body>| {
                let line = request.uri().to_string();
                noted.lock().expect("no panic holds it").push(line);
                async { Ok::<_, BoxError>(Response::new(Body::from(b"{}".to_vec()))) }
            });
            let fault: Fault = Arc::new(move |_, _| Some(spoil()));
            let cluster = Cluster::over_with(service, "test", false, Some(fault));
            let intent = json!({"kind": "Deployment"});
            let answer = cluster.apply(&cart(), &intent, Write::default()).await;
            assert_eq!(answer.expect_err("spoiled").reason, reason);
            assert_eq!(lines(&sent).len(), reached, "{reason:?}");
        }
    }
}
