//! The program under test, in a process of its own: the commands as they are, over a wire to the test.

use super::served::{Answered, Asked, receive, send};
use clap::Parser;
use futures::future::BoxFuture;
use http::{Request, Response};
use kube::client::Body;
use meshscrape::cli::Cli;
use meshscrape::cluster::Cluster;
use meshscrape::commands::{self, Call};
use meshscrape::engine::session::{Clock, Session};
use meshscrape::error::Error;
use meshscrape::journal::FileJournal;
use meshscrape::runtime::World;
use meshscrape::wizard::state::Contexts;
use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;
use tower::BoxError;

const CONTEXT: &str = "served";

struct Wire {
    stream: Arc<Mutex<TcpStream>>,
    begun: Instant,
    clock: Clock,
}

impl World for Wire {
    fn contexts(&self) -> Result<Contexts, Error> {
        Ok(Contexts {
            names: vec![CONTEXT.into()],
            current: Some(CONTEXT.into()),
        })
    }

    fn connect(&self, _: Option<String>) -> BoxFuture<'static, Result<Session, Error>> {
        let (stream, begun, clock) = (self.stream.clone(), self.begun, self.clock);
        let service = tower::service_fn(move |request: Request<Body>| {
            let stream = stream.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await?;
                let asked = Asked {
                    clock: begun.elapsed(),
                    method: parts.method.to_string(),
                    uri: parts
                        .uri
                        .path_and_query()
                        .map_or("/", |p| p.as_str())
                        .into(),
                    headers: super::headers(&parts.headers),
                    body: String::from_utf8(body.to_vec())?,
                };
                // Blocks on purpose: a paused clock goes on only when all of the program waits for it.
                let mut stream = stream.lock().expect("no panic holds it");
                send(&mut stream, &asked)?;
                let answered: Answered = receive(&mut stream)?;
                let mut response = Response::builder().status(answered.status);
                for (name, value) in &answered.headers {
                    response = response.header(name, value);
                }
                Ok::<_, BoxError>(response.body(Body::from(answered.body.into_bytes()))?)
            }
        });
        Box::pin(async move {
            Ok(Session {
                cluster: Cluster::over(service, CONTEXT, false),
                journal: Arc::new(FileJournal::of_context(CONTEXT)?),
                clock,
                who: meshscrape::engine::session::here(),
            })
        })
    }
}

fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is for another test to set"))
}

/// Does what another test says; nothing by itself.
#[test]
#[ignore = "the program that tests kill: started by them alone"]
fn as_told() {
    if std::env::var_os("MESHSCRAPE_TEST_SERVER").is_none() {
        return;
    }
    let stream = TcpStream::connect(told("MESHSCRAPE_TEST_SERVER")).unwrap();
    stream.set_nodelay(true).unwrap();
    let ahead = Duration::from_nanos(told("MESHSCRAPE_TEST_CLOCK").parse().unwrap());
    let args = told("MESHSCRAPE_TEST_ARGS");
    let cli = Cli::try_parse_from(args.split_whitespace()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let code = runtime.block_on(async {
        let (begun, clock) = (Instant::now(), Clock::default());
        tokio::time::advance(ahead).await;
        let world = Wire {
            stream: Arc::new(Mutex::new(stream)),
            begun,
            clock,
        };
        let (_stop, stopped) = tokio::sync::watch::channel(false);
        let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
        let call = Call {
            choices: &cli.choices,
            world: &world,
            out: &mut out,
            err: &mut err,
            colour: false,
            stop: stopped,
        };
        match commands::run(cli.command.unwrap(), call).await {
            Ok(code) => code,
            Err(error) => {
                writeln!(std::io::stdout(), "{error}").unwrap();
                error.kind.exit_code()
            }
        }
    });
    writeln!(std::io::stdout(), "\nexit code {code}").unwrap();
}
