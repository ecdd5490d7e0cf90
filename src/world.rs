//! The two worlds that the program can work in: a real cluster, or the simulated one.
//! They differ in connection, journal and clock, and in nothing else.

use crate::cli::Choices;
use crate::cluster::Cluster;
use crate::cluster::connect::{self, ConnectOptions};
use crate::demo::Simulation;
use crate::engine::session::{Clock, Journal, Session};
use crate::error::Error;
use crate::journal::{FileJournal, MemoryJournal};
use crate::runtime::World;
use crate::wizard::state::Contexts;
use crate::words::say::commands as say;
use futures::future::BoxFuture;
use std::path::PathBuf;
use std::sync::Arc;

/// A cluster of the kubeconfig.
#[derive(Clone, Debug, Default)]
pub struct Real {
    pub kubeconfig: Option<PathBuf>,
    pub read_only: bool,
    /// For the way to Prometheus that they name.
    pub choices: Choices,
}

impl World for Real {
    fn contexts(&self) -> Result<Contexts, Error> {
        connect::contexts(self.kubeconfig.as_deref()).map(|found| Contexts {
            names: found.names,
            current: found.current,
        })
    }

    fn connect(&self, context: Option<String>) -> BoxFuture<'static, Result<Session, Error>> {
        let options = ConnectOptions {
            kubeconfig: self.kubeconfig.clone(),
            context,
            read_only: self.read_only,
        };
        let choices = self.choices.clone();
        Box::pin(async move {
            let mut cluster = connect::connect(&options).await?;
            cluster.prometheus = choices.direct()?;
            let journal = FileJournal::of_context(&cluster.context)?;
            Ok(Session {
                cluster,
                journal: Arc::new(journal),
                clock: Clock::default(),
                who: crate::engine::session::here(),
            })
        })
    }

    fn journals(&self, context: Option<&str>) -> Result<Vec<Arc<dyn Journal>>, Error> {
        Ok(FileJournal::of_machine(context)?
            .into_iter()
            .map(|journal| Arc::new(journal) as Arc<dyn Journal>)
            .collect())
    }
}

/// The cluster inside the program. Each world has one, whoever connects.
pub struct Demo {
    session: Session,
    pub simulation: Simulation,
}

/// The demo's context, as the scenario calls it.
pub const DEMO_CONTEXT: &str = "demo";

impl Demo {
    /// Needs a running tokio runtime, as every client does.
    pub fn new(simulation: Simulation, read_only: bool) -> Self {
        let cluster = Cluster::over(simulation.service(), DEMO_CONTEXT, read_only);
        Demo {
            session: Session {
                cluster,
                journal: Arc::new(MemoryJournal::default()),
                clock: Clock::default(),
                who: crate::engine::session::here(),
            },
            simulation,
        }
    }
}

impl World for Demo {
    fn contexts(&self) -> Result<Contexts, Error> {
        Ok(Contexts {
            names: vec![DEMO_CONTEXT.into()],
            current: Some(DEMO_CONTEXT.into()),
        })
    }

    fn connect(&self, context: Option<String>) -> BoxFuture<'static, Result<Session, Error>> {
        let session = self.session.clone();
        Box::pin(async move {
            match context {
                Some(other) if other != DEMO_CONTEXT => {
                    Err(Error::new(say::no_context_in_demo(&other))
                        .hint(say::leave_context_away(DEMO_CONTEXT)))
                }
                _ => Ok(session),
            }
        })
    }
}
