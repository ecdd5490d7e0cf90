//! What is there: the cluster as meshscrape understands it. Values only; `engine::discover` fills
//! an [`Inventory`] from the API server, [`assemble`] makes a [`Mesh`] of it.

pub mod ended;
pub mod kinds;
pub mod objects;

mod assemble;
mod certificates;
mod config_source;
mod discovered;
mod gateway;
mod generated;
mod governed;
mod homes;
mod images;
mod inbound;
mod injection;
mod istio;
mod labels;
mod leftovers;
mod listed;
mod mtls;
pub mod named;
mod observed;
mod obstacles;
pub mod others;
pub mod owner;
mod pods;
mod prometheus;
mod rules;
mod running;
mod scraped;
mod sharers;
mod storage;
#[cfg(test)]
pub(crate) mod tests;
mod workload;

pub use crate::reach::inbound::{Protocol, ServicePort};
pub use assemble::{assemble, wanted_config_maps};
pub use discovered::{as_pod, living, next};
pub use homes::{ConfigHome, Operated, PodHome, carried_over, is_generated};
pub use listed::Listed;
pub use observed::{Observation, Observed, Rule, Scheme, observe};
pub use others::OtherPods;
pub use prometheus::{accounts, storage_of};
pub use running::as_written;
pub use scraped::dialect;

use crate::answers::MetricsPort;
use crate::problems::Problem;
use crate::reach::authorization::Refused;
use crate::reach::outbound::Outbound;
use crate::reach::path::Rules;
use crate::reach::rights::{Accounts, Looks};
use kinds::{Kind, ObjectRef, WorkloadRef};
use objects as lean;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How far the answer to one question to the cluster has come. A partial answer is a value.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Progress {
    /// Not asked yet.
    #[default]
    Waiting,
    /// Still filling; `about` is the API server's own estimate of the whole.
    Filling {
        seen: usize,
        about: Option<usize>,
    },
    Complete,
    /// No permission: the verb and resource that are missing, in words.
    Denied(String),
    /// No permission in some namespaces, which are missing from the list; `what`: the plural.
    DeniedIn {
        what: &'static str,
        namespaces: Vec<String>,
    },
    /// The kind does not exist in this cluster (its CRD is not installed).
    Absent,
    /// The question failed.
    Failed(Failure),
}

/// A question that the API server did not answer as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error in words.
    pub why: String,
    /// The credentials are missing or have expired.
    pub expired: bool,
}

impl Failure {
    pub fn new(why: impl Into<String>) -> Self {
        Failure {
            why: why.into(),
            expired: false,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl Progress {
    /// Nothing more will come without asking again.
    pub fn settled(&self) -> bool {
        !matches!(self, Progress::Waiting | Progress::Filling { .. })
    }

    /// It was refused or failed, at least in part.
    pub fn fails(&self) -> bool {
        matches!(
            self,
            Progress::Denied(_) | Progress::DeniedIn { .. } | Progress::Failed(_)
        )
    }
}

/// A list and how far it has come.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    pub items: Vec<T>,
    pub progress: Progress,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Listing {
            items: Vec::new(),
            progress: Progress::Waiting,
        }
    }
}

/// Everything that was read, as lean objects; the input of [`assemble()`].
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    pub context: String,
    /// The API server's `gitVersion`, or why it could not be asked.
    pub server: Option<Result<String, Failure>>,
    pub namespaces: Listing<lean::Namespace>,
    pub workloads: BTreeMap<Kind, Listing<lean::Workload>>,
    pub pods: Listing<lean::Pod>,
    pub services: Listing<lean::Service>,
    pub sidecars: Listing<lean::Sidecar>,
    pub peer_authentications: Listing<lean::PeerAuthentication>,
    pub authorization_policies: Listing<lean::AuthorizationPolicy>,
    pub gateways: Listing<lean::Gateway>,
    pub virtual_services: Listing<lean::VirtualService>,
    pub service_entries: Listing<lean::ServiceEntry>,
    pub workload_entries: Listing<lean::WorkloadEntry>,
    pub envoy_filters: Listing<lean::EnvoyFilter>,
    pub k8s_gateways: Listing<lean::K8sGateway>,
    pub pod_monitors: Listing<lean::PodMonitor>,
    pub prometheuses: Listing<lean::OperatorPrometheus>,
    /// What those that the operator runs said of their running configuration, or why they did not.
    pub running: BTreeMap<WorkloadRef, Result<Arc<str>, String>>,
    pub webhooks: Listing<lean::Webhook>,
    pub network_policies: Listing<lean::NetworkPolicy>,
    /// Kinds of network policies of other vendors that there are objects of, or that may not be listed.
    pub other_networks: Vec<String>,
    /// Istio's ConfigMaps `istio[-REV]` and the ones that a Prometheus reads, by `namespace/name`.
    pub config_maps: BTreeMap<String, Result<lean::ConfigMap, String>>,
    /// What the user said of the mesh, for where it cannot be read.
    pub told: Told,
    /// Answers of the access reviews that were asked.
    pub access: BTreeMap<AccessQuestion, bool>,
    pub asked: Asked,
    /// Where the accounts of Prometheus servers may list pods.
    pub rights: Accounts,
}

/// Settings of the mesh in the user's words. They count only where the cluster does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub root_namespace: Option<String>,
    pub trust_domain: Option<String>,
}

/// How [`Inventory::config_maps`] says that there is no such object.
pub const NO_SUCH_OBJECT: &str = "it does not exist";

/// How far the access reviews have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub of: usize,
    /// Those that failed too, which leave no answer.
    pub done: usize,
}

/// One access review: may I `verb` `resource` there?
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccessQuestion {
    pub verb: &'static str,
    pub group: &'static str,
    /// `pods/proxy` with its subresource where there is one.
    pub resource: &'static str,
    /// `None`: in all namespaces.
    pub namespace: Option<String>,
}

/// The cluster, understood. Cheap to share; made anew when the [`Inventory`] has grown.
#[derive(Clone, Debug, Default)]
pub struct Mesh {
    pub context: String,
    pub server: Option<Result<String, Failure>>,
    pub istio: Istio,
    pub namespaces: Vec<Namespace>,
    /// Sorted by namespace, name, kind. Gateways, istiod and Prometheus servers are not among them.
    pub workloads: Vec<Arc<Workload>>,
    pub gateways: Vec<Arc<Gateway>>,
    pub prometheus_servers: Vec<Arc<Prometheus>>,
    /// Pods of other owners, sorted by namespace, kind, name.
    pub others: Vec<Arc<OtherPods>>,
    pub leftovers: Vec<Leftover>,
    /// All that was found, as [`crate::problems::of_mesh`] tells it: worked out where the mesh is made.
    pub problems: Arc<[Problem]>,
    /// How far each list has come; for the words where rows are still missing.
    pub progress: BTreeMap<Listed, Progress>,
    pub access: BTreeMap<AccessQuestion, bool>,
    pub asked: Asked,
    /// What of others bears on the path of a scrape; our own policies are not among them.
    pub rules: Arc<Rules>,
    pub around: Arc<Around>,
    /// Where a Prometheus scrapes otherwise than its jobs were computed to.
    pub differences: Arc<[Problem]>,
    /// The rules of those that were asked.
    pub rules_of: BTreeMap<WorkloadRef, Arc<[Rule]>>,
}

/// What scrape jobs read beside pods, as far as one of them does.
#[derive(Clone, Debug, Default)]
pub struct Around {
    pub services: Vec<lean::Service>,
    pub namespaces: Vec<lean::Namespace>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Istio {
    /// Every control plane found.
    pub control_planes: Vec<ControlPlane>,
    /// `None`: not known, and then the user has to say it.
    pub root_namespace: Option<String>,
    pub trust_domain: Option<String>,
    /// Why one of the two is not known.
    pub settings_unread: Option<String>,
    /// `enablePrometheusMerge`; Istio's default is true.
    pub prometheus_merge: bool,
    /// Mode and source of the mesh-wide PeerAuthentication.
    pub mesh_mode: (MtlsMode, Option<ObjectRef>),
    /// Ambient mode is in use somewhere (ztunnel or labelled namespaces).
    pub ambient: bool,
    /// The unlabelled revision has an injector, so that `sidecar.istio.io/inject` alone is enough.
    pub default_injector: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPlane {
    /// `default` for the unlabelled one.
    pub revision: String,
    pub namespace: String,
    /// From istiod's image tag.
    pub version: String,
    pub ready: bool,
}

/// A PeerAuthentication's mode as it takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MtlsMode {
    #[default]
    Permissive,
    Strict,
    Disable,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    pub name: String,
    pub terminating: bool,
    pub injection: NamespaceInjection,
    pub pods: usize,
    pub meshed_pods: usize,
    /// Workloads of it that already have the secure port.
    pub secured: usize,
    pub workloads: usize,
    pub mtls: (MtlsMode, Option<ObjectRef>),
    /// The level of `pod-security.kubernetes.io/enforce`, if any.
    pub pod_security: Option<String>,
}

/// What the namespace's labels say of injection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamespaceInjection {
    /// `istio-injection=enabled`
    Enabled,
    /// `istio.io/rev=…`
    Revision(String),
    /// `istio-injection=disabled`: no pod label reaches the webhook.
    Disabled,
    /// `istio.io/dataplane-mode=ambient`
    Ambient,
    /// No label: a pod's own label decides.
    None,
    /// kube-system and its like, which no injection webhook is called for.
    Never,
}

/// A Deployment, StatefulSet or DaemonSet, with everything that governs how it is scraped.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    pub id: WorkloadRef,
    pub uid: String,
    pub desired: u32,
    pub ready: u32,
    pub pods: Vec<Pod>,
    /// Every pod is of the present template, by the workload's status: what differs was changed by hand.
    pub rolled_out: bool,
    pub template: lean::Template,
    /// The `matchLabels` of its selector: what our policies and listener select by.
    pub selector: BTreeMap<String, String>,
    /// The ports of Services and ServiceEntries that lead to its pods, in istiod's order.
    pub services: Vec<ServicePort>,
    /// Meshed pods that carry the selector's labels and have no owner: our policies and listener hold for them too.
    pub strays: Vec<Pod>,
    pub sidecar: SidecarState,
    pub mtls: (MtlsMode, Option<ObjectRef>),
    /// What governs it today, other than our own objects and those recognised as leftovers.
    pub governed_by: Governed,
    pub scraped: Scraped,
    /// EnvoyFilters that match `inbound|…` names which a Sidecar listener would rename.
    pub envoy_filters: Vec<ObjectRef>,
    pub owner: Option<Owner>,
    /// Why it cannot be chosen (every reason, the gravest first). Empty: it can.
    pub obstacles: Vec<Problem>,
    /// Our objects for it that exist already.
    pub ours: Vec<ObjectRef>,
    /// The name of our objects, where they still carry the one that earlier versions gave them.
    pub former_name: Option<String>,
    /// The port behind the secure one, read from our own Sidecar or Gateway where it exists.
    pub secured_port: Option<u16>,
    /// Where the agent serves the merged metrics: 15020, unless the pod or the mesh says otherwise; 0: nowhere.
    pub status_port: u16,
    /// Principals (without `spiffe://`) that our own policy or Gateway lets in to the secure port, as it stands.
    pub admits: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pod {
    pub name: String,
    pub uid: String,
    pub ip: Option<String>,
    pub phase: String,
    pub ready: bool,
    /// The value of `prometheus.istio.io/secure-port` on the pod itself.
    pub secure_port: Option<String>,
    pub labels: Arc<lean::Labels>,
    /// The annotations that were kept, among them `prometheus.io/scrape`, `prometheus.io/port` …, as they stand
    /// after injection.
    pub annotations: Arc<lean::Labels>,
    /// istio-proxy's image tag; `None` without a sidecar.
    pub proxy: Option<String>,
    pub started: Option<jiff::Timestamp>,
    pub terminating: bool,
    /// Its containers and its node.
    pub spec: lean::LeanPodSpec,
    pub host_ip: Option<Arc<str>>,
}

/// Whether the pods have a sidecar, or how they could get one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SidecarState {
    /// Every running pod has one, of these versions.
    Injected {
        versions: Vec<String>,
        revision: String,
    },
    /// Some pods have one: a restart is under way or due.
    Partly { with: usize, without: usize },
    /// None has one, and a pod-template label would bring it; `revision` where the label needs one.
    Switchable { revision: Option<String> },
    /// None has one and the template already asks for it: the next restart brings it.
    AfterRestart,
    /// Never: the reason stands among the obstacles.
    Impossible,
}

/// An object of others that governs pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Governing {
    pub object: ObjectRef,
    pub spec: Value,
    /// By their labels; otherwise with all pods of a namespace, or of the mesh.
    pub selects: bool,
    /// Who would revert a change of it.
    pub owner: Option<Owner>,
}

/// Istio objects of others that select or govern the pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Governed {
    /// Those with a selector that takes them; where there is none, the one of the namespace or of the mesh.
    pub sidecars: Vec<Arc<Governing>>,
    /// The one with a selector that counts: the oldest, unless ours is older.
    pub peer_authentication: Option<Arc<Governing>>,
    /// ALLOW policies that let no Prometheus of this cluster in to port 15091, those of its namespace first.
    pub allow_policies: Vec<Arc<Governing>>,
    /// Where our Sidecar no longer says what the one says that it stands for: fields of `spec`.
    pub stale: Vec<String>,
    /// A policy that refuses every Prometheus of this cluster there.
    pub refuses: Option<Refused>,
}

/// How the pods are scraped today, as their annotations and the scrape jobs say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scraped {
    /// Port of the plaintext scrape by a `prometheus.io/scrape` job, if any.
    pub plaintext: Option<u16>,
    /// The same, as if no job left out what is secured: what comes back where that ends.
    pub asks: Option<u16>,
    /// Some pod or the template carries the secure port.
    pub secure: bool,
    /// The template itself carries it (lasting), not only pods.
    pub secure_template: bool,
    /// The app declares metrics of its own that the merge brings along.
    pub app_metrics: bool,
    /// The plaintext scrapes, job by job; `None`: no configuration could be read.
    pub by: Option<Vec<ScrapedBy>>,
}

/// One plaintext scrape of pods, at an address of their own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScrapedBy {
    pub prometheus: Arc<WorkloadRef>,
    pub job: Arc<str>,
    pub port: u16,
    /// Today. Else it would be so without the annotation of the secure port, or once the pods have a sidecar.
    pub now: bool,
}

impl Scraped {
    /// The ports that a job scrapes, today or without the annotation; `None`: not known.
    pub fn ports(&self, prometheus: &WorkloadRef, job: &str) -> Option<BTreeSet<u16>> {
        let own = self.by.as_ref()?.iter();
        let own = own.filter(|by| *by.prometheus == *prometheus && &*by.job == job);
        Some(own.map(|by| by.port).collect())
    }
}

/// Who would revert a direct change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub tool: OwnerTool,
    /// The release, application or kustomization; or the owning resource.
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnerTool {
    Helm,
    ArgoCd,
    Flux,
    /// The Prometheus operator or another controller, by ownerReferences.
    Operator,
}

/// A gateway: the workload whose pods carry it, and the Istio objects that configure it.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    pub workload: Workload,
    pub flavour: GatewayFlavour,
    /// Labels that a Gateway of ours selects its pods by.
    pub selector: BTreeMap<String, String>,
    /// Istio Gateways of others that have a server on 15091 for it.
    pub on_15091: Vec<ObjectRef>,
    /// What a restart of its running pods would end in.
    pub unfit: Option<Problem>,
    /// `ingress`, `egress` or a name from its labels; for the list.
    pub role: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayFlavour {
    Classic,
    GatewayApi,
    Waypoint,
}

/// A Prometheus that runs in the cluster, and where its configuration comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Prometheus {
    pub id: WorkloadRef,
    pub flavour: PrometheusFlavour,
    pub owner: Option<Owner>,
    pub desired: u32,
    pub pods: Vec<Pod>,
    pub template: lean::Template,
    pub pod_home: PodHome,
    pub service_account: String,
    /// Whose pods have that ServiceAccount too, and with it the identity that the secure ports let in.
    pub shared_with: Vec<String>,
    /// The container that runs Prometheus.
    pub container: String,
    /// Port of its HTTP API and prefix of its paths (`""` or `/prometheus`).
    pub http_port: u16,
    pub route_prefix: String,
    /// Empty: not known.
    pub uid: String,
    /// HTTPS or basic auth stand in its `--web.config.file`.
    pub web_config: bool,
    pub config: Option<PrometheusConfig>,
    /// Where its jobs list pods; `None`: its configuration is not known.
    pub looks: Option<Looks>,
    /// A container that reloads it when the file changes.
    pub reloader: bool,
    /// `--web.enable-lifecycle`
    pub lifecycle: bool,
    pub storage: Storage,
    /// `Recreate` or `RollingUpdate`.
    pub strategy: String,
    pub sidecar: bool,
    /// What its sidecar captures of what it sends; `None`: it is in no mesh today.
    pub outbound: Option<Outbound>,
    /// Mount path of certificates written by OUTPUT_CERTS that both containers share, if so set up.
    pub certificates: Option<String>,
    /// Why it cannot be chosen. Empty: it can.
    pub obstacles: Vec<Problem>,
    /// Faults of the published recipe that its pod template carries (`istio.default` Secret, read-only mount …).
    pub faults: Vec<Problem>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrometheusFlavour {
    IstioSample,
    CommunityChart,
    Operator,
    Plain,
    Agent,
    VmAgent,
}

/// The file that `--config.file` names, followed to its ConfigMap; of one that the operator runs, its running
/// configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrometheusConfig {
    pub home: ConfigHome,
    pub key: String,
    /// The text of the whole file, or why it could not be read.
    pub text: Result<Arc<str>, Unread>,
    /// Mounted by subPath: never updated in a running pod.
    pub sub_path: bool,
}

/// Why a configuration could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Unread {
    NotYet,
    NoKey(String),
    /// In the server's words.
    Failed(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// History goes with the pod.
    EmptyDir,
    /// A PersistentVolumeClaim or a host path: history stays.
    Lasting(String),
    Unknown,
}

/// Something that the published recipe or Istio's secure sample left behind, recognised by what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    pub object: ObjectRef,
    pub kind: LeftoverKind,
    /// What is wrong with it; never empty.
    pub problems: Vec<Problem>,
    pub uid: String,
    /// The object's spec as it stands; null for kinds that are not repaired by their spec.
    pub spec: serde_json::Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeftoverKind {
    /// A selectorless `Sidecar` whose ingress is 15091 alone.
    NamespaceSidecar,
    /// A `Gateway` with a 15091 server beside a public one, or open to any mesh identity.
    GatewayServer,
    /// A `ServiceEntry` on a `.local` host or exported everywhere.
    AdminServiceEntry,
    /// A `VirtualService` that serves `/stats/prometheus` on every server of its Gateway.
    MetricsRoute,
    /// Annotations put on a running pod or template (`prometheus.io/path`, `secure-port`).
    Annotations,
    /// A job keyed on the secure annotations, other than ours.
    ScrapeJob,
    /// Prometheus's own pod template.
    PrometheusPod,
}

impl Workload {
    /// The port inside the pod that the secure one is to lead to.
    pub fn behind(&self, port: MetricsPort) -> u16 {
        match port {
            MetricsPort::Merged => self.status_port,
            MetricsPort::Envoy => port.into(),
        }
    }

    /// What the secure port of ours leads to; `None`: there is none, or it leads elsewhere.
    pub fn leads_to(&self) -> Option<MetricsPort> {
        match self.secured_port? {
            port if port == self.status_port => Some(MetricsPort::Merged),
            port => port.try_into().ok(),
        }
    }

    /// To be secured it has to enter the mesh: no pod of it that runs has a sidecar, and a restart brings one.
    pub fn enters_mesh(&self) -> bool {
        match self.sidecar {
            SidecarState::Switchable { .. } => true,
            // Without pods there is nothing that changes.
            SidecarState::AfterRestart => self.desired > 0,
            _ => false,
        }
    }
}

impl Mesh {
    pub fn workload(&self, id: &WorkloadRef) -> Option<&Arc<Workload>> {
        self.workloads
            .binary_search_by(|w| w.id.sort_key().cmp(&id.sort_key()))
            .ok()
            .map(|at| &self.workloads[at])
    }

    pub fn gateway(&self, namespace: &str, name: &str) -> Option<&Arc<Gateway>> {
        self.gateways
            .iter()
            .find(|g| g.workload.id.namespace == namespace && g.workload.id.name == name)
    }

    /// Pods of other owners in a namespace: a slice of the mesh's own order.
    pub fn others_in(&self, namespace: &str) -> &[Arc<OtherPods>] {
        let all = &self.others;
        let from = all.partition_point(|other| other.namespace.as_str() < namespace);
        let to = from + all[from..].partition_point(|other| other.namespace == namespace);
        &all[from..to]
    }

    /// Why a list is not whole: it was refused or failed, at least in part.
    pub fn unlisted(&self, what: Listed) -> Option<Cow<'_, str>> {
        crate::words::progress(self.progress.get(&what)?)
    }

    /// The namespaces in which there is a Prometheus: there records of runs stand.
    pub fn homes(&self) -> Vec<String> {
        let spaces: std::collections::BTreeSet<&String> = self
            .prometheus_servers
            .iter()
            .map(|p| &p.id.namespace)
            .collect();
        spaces.into_iter().cloned().collect()
    }

    /// The namespaces in which a lock may lie: Istio's root namespace first, then those of [`Mesh::homes`].
    pub fn lock_places(&self) -> Vec<String> {
        let root = self.istio.root_namespace.clone();
        let root = root.filter(|root| !root.is_empty());
        let homes = self.homes().into_iter();
        let homes: Vec<String> = homes.filter(|home| Some(home) != root.as_ref()).collect();
        root.into_iter().chain(homes).collect()
    }

    pub fn prometheus(&self, id: &WorkloadRef) -> Option<&Arc<Prometheus>> {
        self.prometheus_servers.iter().find(|p| p.id == *id)
    }
}

impl WorkloadRef {
    /// The order of lists: namespace, name, kind.
    pub fn sort_key(&self) -> (&str, &str, Kind) {
        (&self.namespace, &self.name, self.kind)
    }
}
