//! Reads the cluster: every list at once, each page decoded while the next one is on its way, and a new
//! [`Mesh`] reported now and then while it fills.

mod access;
mod keep;
mod lists;
mod networks;
mod rights;
mod running;
#[cfg(test)]
mod tests;

use crate::cluster::Cluster;
use crate::cluster::error::Reason;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::objects as lean;
use crate::mesh::{self, Inventory, Listing, Mesh, NO_SUCH_OBJECT, Progress, Told};
use crate::problems;
use lists::{ending, list, pages};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Reports while filling are at least this far apart.
const REPORT_EVERY: Duration = Duration::from_millis(200);
/// Reads the whole cluster; `report` gets each new picture, the last one too, which is also returned.
///
/// What may not be listed everywhere is tried namespace by namespace, where those are known.
pub async fn discover(
    cluster: Cluster,
    report: impl Fn(Arc<Mesh>) + Send + Sync + 'static,
) -> Arc<Mesh> {
    discover_told(cluster, Told::default(), report).await
}

/// [`discover`] with the user's word for settings of the mesh that cannot be read.
pub async fn discover_told(
    cluster: Cluster,
    told: Told,
    report: impl Fn(Arc<Mesh>) + Send + Sync + 'static,
) -> Arc<Mesh> {
    run(cluster, None, told, report).await
}

/// [`discover`] in these namespaces alone, for users who may not list the others.
pub async fn discover_in(
    cluster: Cluster,
    namespaces: Vec<String>,
    report: impl Fn(Arc<Mesh>) + Send + Sync + 'static,
) -> Arc<Mesh> {
    run(cluster, Some(namespaces), Told::default(), report).await
}

/// One thing learnt.
type Update = Box<dyn FnOnce(&mut Inventory) + Send>;
type Place<T> = fn(&mut Inventory) -> &mut Listing<T>;

/// What each question needs: the way to the cluster, where answers go, and where to look.
#[derive(Clone)]
struct Asker {
    cluster: Cluster,
    updates: UnboundedSender<Update>,
    /// The namespaces to look in by the user's word; `None`: all at once.
    only: Option<Arc<[String]>>,
    /// Names of all namespaces, once listed; `None` inside: they cannot be had.
    names: watch::Receiver<Option<Option<Arc<[String]>>>>,
}

async fn run(
    cluster: Cluster,
    only: Option<Vec<String>>,
    told: Told,
    report: impl Fn(Arc<Mesh>) + Send + Sync + 'static,
) -> Arc<Mesh> {
    let (updates, received) = unbounded_channel();
    let (found_names, names) = watch::channel(None);
    let asker = Asker {
        cluster: cluster.clone(),
        updates,
        only: only.map(Arc::from),
        names,
    };
    let mut tasks = JoinSet::new();
    ask_everything(&asker, &mut tasks, found_names);
    let inventory = Inventory {
        context: cluster.context.clone(),
        told,
        ..Inventory::default()
    };
    let collector = Collector {
        asker,
        inventory,
        asked_maps: BTreeSet::new(),
        asked_rights: false,
        asked_running: false,
        tasks,
    };
    collector.collect(received, &report).await
}

fn ask_everything(
    asker: &Asker,
    tasks: &mut JoinSet<()>,
    found_names: watch::Sender<Option<Option<Arc<[String]>>>>,
) {
    tasks.spawn(version(asker.clone()));
    tasks.spawn(namespaces(asker.clone(), found_names));
    // The longest list first: it decides how long all of it takes.
    tasks.spawn(list::<lean::Pod>(asker.clone(), Kind::Pod, |i| &mut i.pods));
    tasks.spawn(list::<lean::Workload>(
        asker.clone(),
        Kind::Deployment,
        |i| workloads(i, Kind::Deployment),
    ));
    tasks.spawn(list::<lean::Workload>(
        asker.clone(),
        Kind::StatefulSet,
        |i| workloads(i, Kind::StatefulSet),
    ));
    tasks.spawn(list::<lean::Workload>(
        asker.clone(),
        Kind::DaemonSet,
        |i| workloads(i, Kind::DaemonSet),
    ));
    tasks.spawn(list::<lean::Service>(asker.clone(), Kind::Service, |i| {
        &mut i.services
    }));
    tasks.spawn(list::<lean::Webhook>(
        asker.clone(),
        Kind::MutatingWebhookConfiguration,
        |i| &mut i.webhooks,
    ));
    tasks.spawn(list::<lean::Sidecar>(asker.clone(), Kind::Sidecar, |i| {
        &mut i.sidecars
    }));
    tasks.spawn(list::<lean::PeerAuthentication>(
        asker.clone(),
        Kind::PeerAuthentication,
        |i| &mut i.peer_authentications,
    ));
    tasks.spawn(list::<lean::AuthorizationPolicy>(
        asker.clone(),
        Kind::AuthorizationPolicy,
        |i| &mut i.authorization_policies,
    ));
    tasks.spawn(list::<lean::Gateway>(asker.clone(), Kind::Gateway, |i| {
        &mut i.gateways
    }));
    tasks.spawn(list::<lean::VirtualService>(
        asker.clone(),
        Kind::VirtualService,
        |i| &mut i.virtual_services,
    ));
    tasks.spawn(list::<lean::ServiceEntry>(
        asker.clone(),
        Kind::ServiceEntry,
        |i| &mut i.service_entries,
    ));
    tasks.spawn(list::<lean::WorkloadEntry>(
        asker.clone(),
        Kind::WorkloadEntry,
        |i| &mut i.workload_entries,
    ));
    tasks.spawn(list::<lean::EnvoyFilter>(
        asker.clone(),
        Kind::EnvoyFilter,
        |i| &mut i.envoy_filters,
    ));
    tasks.spawn(list::<lean::K8sGateway>(
        asker.clone(),
        Kind::K8sGateway,
        |i| &mut i.k8s_gateways,
    ));
    tasks.spawn(list::<lean::PodMonitor>(
        asker.clone(),
        Kind::PodMonitor,
        |i| &mut i.pod_monitors,
    ));
    tasks.spawn(list::<lean::OperatorPrometheus>(
        asker.clone(),
        Kind::OperatorPrometheus,
        |i| &mut i.prometheuses,
    ));
    tasks.spawn(list::<lean::NetworkPolicy>(
        asker.clone(),
        Kind::NetworkPolicy,
        |i| &mut i.network_policies,
    ));
    tasks.spawn(networks::networks(asker.clone()));
    tasks.spawn(access::access(asker.clone()));
}

fn workloads(inventory: &mut Inventory, kind: Kind) -> &mut Listing<lean::Workload> {
    inventory.workloads.entry(kind).or_default()
}

struct Collector {
    asker: Asker,
    inventory: Inventory,
    asked_maps: BTreeSet<(String, String)>,
    asked_rights: bool,
    asked_running: bool,
    tasks: JoinSet<()>,
}

impl Collector {
    async fn collect(
        mut self,
        mut received: UnboundedReceiver<Update>,
        report: &(impl Fn(Arc<Mesh>) + Send + Sync),
    ) -> Arc<Mesh> {
        let mut due = Instant::now();
        let mut news = false;
        loop {
            tokio::select! {
                biased;
                Some(update) = received.recv() => {
                    update(&mut self.inventory);
                    while let Ok(update) = received.try_recv() {
                        update(&mut self.inventory);
                    }
                    self.ask_for_config_maps();
                    self.ask_for_rights();
                    if self.knows_operated() {
                        report(self.ask_for_running().await);
                    }
                    news = true;
                }
                ended = self.tasks.join_next() => match ended {
                    // Updates come before the end of the task that sent them, so nothing is left behind.
                    None => break,
                    Some(Err(failure)) if failure.is_panic() => std::panic::resume_unwind(failure.into_panic()),
                    Some(_) => {}
                },
                // What came shortly after a report is not held back until something else comes.
                () = sleep_until(due), if news => {}
            }
            if news && Instant::now() >= due {
                let begun = Instant::now();
                report(self.assemble().await);
                // A big cluster is not understood anew more often than it pays.
                due = Instant::now() + REPORT_EVERY.max(begun.elapsed() * 5);
                news = false;
            }
        }
        let whole = self.assemble().await;
        report(whole.clone());
        whole
    }

    /// Assembling burns CPU: elsewhere, on the inventory itself rather than a copy.
    async fn assemble(&mut self) -> Arc<Mesh> {
        let inventory = std::mem::take(&mut self.inventory);
        let made = tokio::task::spawn_blocking(move || {
            let mut mesh = mesh::assemble(&inventory);
            mesh.problems = problems::of_mesh(&mesh).into();
            (inventory, mesh)
        });
        match made.await {
            Ok((inventory, mesh)) => {
                self.inventory = inventory;
                Arc::new(mesh)
            }
            Err(failure) => match failure.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime shuts down: there is nobody left to tell.
                Err(_) => Arc::default(),
            },
        }
    }

    fn ask_for_config_maps(&mut self) {
        // Cheap, but not needed for each page of pods.
        let settled = |kind| {
            self.inventory
                .workloads
                .get(kind)
                .is_some_and(|l| l.progress.settled())
        };
        let kinds = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet];
        if self.inventory.workloads.is_empty() || !kinds.iter().any(settled) {
            return;
        }
        let mut wanted = mesh::wanted_config_maps(&self.inventory);
        if kinds.iter().all(settled)
            && self
                .inventory
                .workloads
                .values()
                .all(|l| l.items.is_empty())
        {
            // Deployments may not be listed: Istio's settings stand in its usual place all the same.
            wanted.push(("istio-system".to_owned(), "istio".to_owned()));
        }
        for name in wanted {
            if self.asked_maps.insert(name.clone()) {
                self.tasks
                    .spawn(config_map(self.asker.clone(), name.0, name.1));
            }
        }
    }
}

impl Collector {
    fn workloads_settled(&self) -> bool {
        let kinds = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet];
        kinds.iter().all(|kind| {
            let list = self.inventory.workloads.get(kind);
            list.is_some_and(|list| list.progress.settled())
        })
    }

    /// Every Prometheus of the operator is known, and none was asked yet.
    fn knows_operated(&self) -> bool {
        let resources = &self.inventory.prometheuses;
        !self.asked_running
            && resources.progress.settled()
            && !resources.items.is_empty()
            && self.workloads_settled()
    }

    /// Once, beside all else that is still asked: who they are is a matter of assembling what is known.
    async fn ask_for_running(&mut self) -> Arc<Mesh> {
        self.asked_running = true;
        let mesh = self.assemble().await;
        for of in running::wanted(&mesh, &self.asker) {
            self.tasks.spawn(running::running(self.asker.clone(), of));
        }
        mesh
    }

    /// Once, when every Prometheus is known and what its jobs look for.
    fn ask_for_rights(&mut self) {
        let listed = self.workloads_settled();
        let read = |(namespace, name): &(String, String)| {
            let maps = &self.inventory.config_maps;
            maps.contains_key(&format!("{namespace}/{name}"))
        };
        if self.asked_rights || !listed || !self.asked_maps.iter().all(read) {
            return;
        }
        self.asked_rights = true;
        for (account, looks) in mesh::accounts(&self.inventory) {
            let asker = self.asker.clone();
            self.tasks.spawn(rights::rights(asker, account, looks));
        }
    }
}

impl Asker {
    fn tell(&self, update: impl FnOnce(&mut Inventory) + Send + 'static) {
        // The receiver is gone only when nobody waits for the answer any more.
        let _ = self.updates.send(Box::new(update));
    }

    fn settle<T>(&self, place: Place<T>, progress: Progress)
    where
        T: 'static,
    {
        self.tell(move |inventory| place(inventory).progress = progress);
    }
}
async fn version(asker: Asker) {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        git_version: String,
    }
    let server = match asker.cluster.read::<Version>("/version").await {
        Ok(version) => Ok(version.git_version),
        Err(error) => Err(crate::mesh::Failure {
            why: format!("{}; {}", error.message, error.hint()),
            expired: error.reason == Reason::Unauthorized,
        }),
    };
    asker.tell(move |inventory| inventory.server = Some(server));
}

async fn namespaces(asker: Asker, names: watch::Sender<Option<Option<Arc<[String]>>>>) {
    if let Some(only) = asker.only.clone() {
        for name in only.iter() {
            let namespace = ObjectRef::new(Kind::Namespace, "", name);
            let read = asker
                .cluster
                .read::<lean::Namespace>(&namespace.path())
                .await;
            // One that may not be read is still looked into: its labels are then unknown.
            let read = read.unwrap_or_else(|_| lean::Namespace {
                metadata: lean::Meta {
                    name: name.clone(),
                    ..lean::Meta::default()
                },
            });
            asker.tell(move |inventory| inventory.namespaces.items.push(read));
        }
        asker.settle(|i| &mut i.namespaces, Progress::Complete);
        names.send_replace(Some(Some(only)));
        return;
    }
    let place: Place<lean::Namespace> = |i| &mut i.namespaces;
    let outcome = pages(&asker, Kind::Namespace, None, place, 0).await;
    let mut listed = None;
    if outcome.is_ok() {
        let (answer, found) = oneshot::channel::<Arc<[String]>>();
        // The collector answers when it has applied every page told before.
        asker.tell(move |inventory| {
            let all = inventory
                .namespaces
                .items
                .iter()
                .map(|ns| ns.metadata.name.clone());
            let _ = answer.send(all.collect());
        });
        listed = found.await.ok();
    }
    asker.settle(place, ending(Kind::Namespace, &outcome));
    names.send_replace(Some(listed));
}
async fn config_map(asker: Asker, namespace: String, name: String) {
    let object = ObjectRef::new(Kind::ConfigMap, &namespace, &name);
    let read = asker.cluster.read::<lean::ConfigMap>(&object.path()).await;
    let read = read.map_err(|error| match error.reason {
        Reason::NotFound => NO_SUCH_OBJECT.to_owned(),
        _ => format!("{}; {}", error.message, error.hint()),
    });
    asker.tell(move |inventory| {
        inventory
            .config_maps
            .insert(format!("{namespace}/{name}"), read);
    });
}
