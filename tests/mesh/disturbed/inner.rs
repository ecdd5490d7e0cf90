//! The program in a process of its own, over the client stack's fault layer before the real API server: requests go
//! wrong as it was told, or it kills itself around one of its writes.

use crate::spoils::{kind, spoil};
use clap::Parser;
use futures::future::BoxFuture;
use http::{Method, Request, Uri};
use http_body_util::BodyExt;
use kube::client::Body;
use meshscrape::cli::Cli;
use meshscrape::cluster::Cluster;
use meshscrape::cluster::connect::{ConnectOptions, connect};
use meshscrape::cluster::stack::Fault;
use meshscrape::commands::{self, Call};
use meshscrape::engine::session::{Clock, Journal, Session};
use meshscrape::error::Error;
use meshscrape::journal::FileJournal;
use meshscrape::plan::record::Entry;
use meshscrape::runtime::World;
use meshscrape::wizard::state::Contexts;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tower::BoxError;

/// The first word of a process of this kind; its order stands in the environment.
pub const WORD: &str = "--as-the-program";
pub const ORDER: &str = "MESHSCRAPE_TEST_ORDER";

/// What a process is to do, and what is to go wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub args: String,
    /// Where listeners of ours are looked for after each write.
    pub namespace: String,
    pub troubles: Vec<Trouble>,
    /// The file that takes a line for each write and each trouble that came, and whatever should never be.
    pub notes: PathBuf,
}

/// Something that goes wrong once, with the n-th request of a kind (`write`: of any write).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub kind: String,
    pub nth: usize,
    /// A fault's name, or one of the three moments of a kill.
    pub what: String,
}

/// It has asked, and the write never reaches the server.
pub const BEFORE: &str = "killed before";
/// The write is done, and the program never sees the answer.
pub const ANSWER_LOST: &str = "killed with the answer lost";
/// The program has the answer, and asks for the next thing.
pub const AFTER: &str = "killed after";

/// What stands beside each listener of ours.
const NEEDS: [(&str, &[&str]); 2] = [
    (
        "networking.istio.io/v1/sidecars",
        &[
            "security.istio.io/v1/peerauthentications",
            "security.istio.io/v1/authorizationpolicies",
        ],
    ),
    (
        "networking.istio.io/v1/gateways",
        &[
            "networking.istio.io/v1/serviceentries",
            "networking.istio.io/v1/virtualservices",
        ],
    ),
];

struct Seen {
    troubles: Vec<(Trouble, usize)>,
    /// The write on its way that is the last, and how it ends.
    last: Option<(String, String)>,
    /// The kill comes with the next request.
    doomed: bool,
}

/// Between the program and the API server.
struct Between {
    order: Order,
    journal: Arc<FileJournal>,
    seen: Mutex<Seen>,
}

impl Between {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, line: &str) {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.order.notes);
        let _ = file.and_then(|mut file| writeln!(file, "{line}"));
    }

    fn die(&self) -> ! {
        let me = rustix::process::getpid();
        let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }

    /// What this request meets; each trouble comes once.
    fn trouble(&self, method: &Method, uri: &Uri) -> Option<Trouble> {
        let kind = kind(method, uri);
        let mut seen = self.seen();
        if seen.doomed {
            self.die();
        }
        let mut met = None;
        for (trouble, count) in &mut seen.troubles {
            if trouble.kind == kind || (trouble.kind == "write" && writes(method, uri)) {
                *count += 1;
                if *count == trouble.nth && met.is_none() {
                    met = Some(trouble.clone());
                }
            }
        }
        if let Some(met) = &met {
            self.note(&format!("TROUBLE {} {kind} {method} {uri}", met.what));
        }
        met
    }

    /// No write without its line.
    fn announced(&self, path: &str) -> bool {
        // Lock and record are what a run is kept by, and stand beside it.
        if path.contains("/secrets/") || path.contains("/leases") {
            return true;
        }
        let runs = self.journal.runs().unwrap_or_default().into_iter();
        runs.filter_map(|note| self.journal.run(Some(&note.run)).ok())
            .flatten()
            .any(|entry| matches!(entry, Entry::Intent(intent) if intent.object.path() == path))
    }
}

fn writes(method: &Method, uri: &Uri) -> bool {
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let asks = *method == Method::GET
        || path.contains("/authorization.k8s.io/")
        || path.contains("/proxy/")
        || query.contains("dryRun=All");
    !asks
}

async fn names(client: &kube::Client, what: &str, namespace: &str) -> Result<Vec<Value>, BoxError> {
    let (group, plural) = what.rsplit_once('/').ok_or("no kind")?;
    let uri = format!("/apis/{group}/namespaces/{namespace}/{plural}");
    let answer = client.send(Request::get(uri).body(Body::empty())?).await?;
    let body = answer.into_body().collect().await?.to_bytes();
    let list: Value = serde_json::from_slice(&body)?;
    let items = list["items"].as_array().cloned();
    Ok(items.ok_or("no list")?)
}

/// Listeners of ours that stand without what they need, by the live objects.
async fn naked(client: &kube::Client, namespace: &str) -> Result<Vec<String>, BoxError> {
    let mut found = Vec::new();
    for (listeners, needs) in NEEDS {
        // The listeners first: one that comes after has nothing to do with what is read now.
        let listeners = names(client, listeners, namespace).await?;
        for need in needs {
            let there = names(client, need, namespace).await?;
            let ours = listeners.iter().filter(|listener| {
                listener["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "meshscrape"
            });
            for listener in ours {
                let name = &listener["metadata"]["name"];
                if !there.iter().any(|one| one["metadata"]["name"] == *name) {
                    found.push(format!("{name} without {need}"));
                }
            }
        }
    }
    Ok(found)
}

struct Disturbed(Order);

impl World for Disturbed {
    fn contexts(&self) -> Result<Contexts, Error> {
        meshscrape::cluster::connect::contexts(None).map(|found| Contexts {
            names: found.names,
            current: found.current,
        })
    }

    fn connect(&self, _: Option<String>) -> BoxFuture<'static, Result<Session, Error>> {
        let order = self.0.clone();
        Box::pin(async move {
            let real = connect(&ConnectOptions::default()).await?;
            let (client, context) = (real.client().clone(), real.context);
            let journal = Arc::new(FileJournal::of_context(&context)?);
            let between = Arc::new(Between {
                seen: Mutex::new(Seen {
                    troubles: order.troubles.iter().map(|t| (t.clone(), 0)).collect(),
                    last: None,
                    doomed: false,
                }),
                journal: Arc::clone(&journal),
                order,
            });
            let before = Arc::clone(&between);
            let service = tower::service_fn(move |request: Request<Body>| {
                let (client, between) = (client.clone(), Arc::clone(&before));
                async move { passed(&client, &between, request).await }
            });
            let fault: Fault = Arc::new(move |method, uri| {
                let trouble = between.trouble(method, uri)?;
                match trouble.what.as_str() {
                    BEFORE => between.die(),
                    // When the server has answered.
                    ANSWER_LOST | AFTER => {
                        between.seen().last = Some((uri.path().to_owned(), trouble.what));
                        None
                    }
                    fault => Some(spoil(fault)),
                }
            });
            Ok(Session {
                cluster: Cluster::over_with(service, context, false, Some(fault)),
                journal,
                clock: Clock::default(),
                who: meshscrape::engine::session::here(),
            })
        })
    }
}

/// One request on its way: each write has its line before it, and leaves no listener alone.
async fn passed(
    client: &kube::Client,
    between: &Between,
    request: Request<Body>,
) -> Result<http::Response<Body>, BoxError> {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let write = writes(&method, &uri);
    if write && !between.announced(uri.path()) {
        between.note(&format!("WRONG {method} {} without a line", uri.path()));
    }
    let answer = client.send(request).await?;
    if write && answer.status().is_success() {
        between.note(&format!(
            "WRITE {} {method} {}",
            kind(&method, &uri),
            uri.path()
        ));
        for words in naked(client, &between.order.namespace).await? {
            between.note(&format!("WRONG after {method} {}: {words}", uri.path()));
        }
    }
    let mut seen = between.seen();
    match &seen.last {
        Some((path, how)) if path == uri.path() && write => {
            if how == ANSWER_LOST {
                between.die();
            }
            seen.doomed = true;
        }
        _ => {}
    }
    drop(seen);
    Ok(answer)
}

/// Does what its order says; the exit code.
pub fn run() -> i32 {
    let order = std::env::var(ORDER).unwrap_or_default();
    let order: Order = match serde_json::from_str(&order) {
        Ok(order) => order,
        Err(error) => {
            eprintln!("{ORDER}: {error}");
            return 70;
        }
    };
    let cli = match Cli::try_parse_from(order.args.split_whitespace()) {
        Ok(cli) => cli,
        Err(error) => {
            eprintln!("{error}");
            return 70;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let (Ok(runtime), Some(command)) = (runtime, cli.command.clone()) else {
        return 70;
    };
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let world = Disturbed(order);
    let call = Call {
        choices: &cli.choices,
        world: &world,
        out: &mut out,
        err: &mut err,
        colour: false,
        stop: stopped,
    };
    match runtime.block_on(commands::run(command, call)) {
        Ok(code) => code.into(),
        Err(error) => {
            println!("{error}");
            error.kind.exit_code().into()
        }
    }
}
