//! What a change is for, as values; the sentence is made by `words`.

use crate::mesh::kinds::{Kind, ObjectRef};
use crate::problems::Problem;
use serde::{Serialize, Serializer};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Purpose {
    /// PeerAuthentication: the secure port of the workload takes mutual TLS only.
    MutualTlsOnly { workload: String },
    /// AuthorizationPolicy: nobody but the reader reads the secure port, and there the metrics' path alone.
    OneReader { workload: String, reader: Reader },
    /// An ALLOW policy of others: a rule lets the reader in to the metrics' path on the secure port.
    AllowsReader { workload: String, reader: Reader },
    /// Sidecar: the secure port leads to a port inside the pod.
    LeadsInside { workload: String, port: u16 },
    /// ServiceEntry: a name for a port of the gateway itself.
    GatewayName { gateway: String, port: u16 },
    /// VirtualService: the metrics' path on the gateway's secure port leads to a port of its own.
    GatewayRoute { gateway: String, port: u16 },
    /// Gateway: the secure port, over mutual TLS, for the reader alone.
    GatewayServer { gateway: String, reader: Reader },
    /// New pods of the namespace get a sidecar.
    NamespaceInjects { namespace: String },
    /// Prometheus discovers the workload's pods by the annotation.
    Discovered { workload: String },
    /// The workload gets its first sidecar with the annotation.
    FirstSidecar { workload: String },
    /// Prometheus discovers this running pod by the annotation.
    PodDiscovered { pod: String },
    /// The annotation of a running pod differs from its template's; `has`: its value, where it has any.
    PodDiffers { pod: String, has: Option<String> },
    /// Prometheus's pod gets the certificates.
    Certificates {
        way: Certificates,
        /// The container that reloads Prometheus when they change.
        reloader: Option<String>,
    },
    /// Prometheus restarts to read its configuration.
    ReadsConfig,
    /// The secure scrape job.
    SecureJob,
    /// The plaintext jobs skip workloads by name in place of every annotated pod.
    SkipsByName,
    /// A Secret that holds the secure job for a resource of the operator.
    JobSecret { resource: ObjectRef },
    /// The operator adds the jobs of that Secret.
    AddsJobs,
    /// A monitor scrapes workloads in plaintext again.
    MonitorResumes,
    /// The plaintext jobs, or a monitor, skip what is UP over mTLS.
    PlaintextEnds { monitor: bool },
    /// It mends or ends what was found.
    Fixes {
        #[serde(serialize_with = "codes")]
        problems: Vec<Problem>,
    },
    /// The lock of the cluster.
    Lock,
    /// The lock that versions of before know.
    FormerLock,
    /// The record of the run.
    Record,
    /// The record of a run goes once the run is undone.
    RecordUndone,
    /// An undo deletes what the run created.
    DeletesCreated { object: ObjectRef },
    /// An undo restores what the run deleted.
    RestoresDeleted { object: ObjectRef },
    /// An undo restores fields that the run changed.
    RestoresFields { object: ObjectRef },
    /// An undo restores fields that others changed since.
    RevertsLater { fields: Vec<String> },
    /// An undo removes the run's rules from the plaintext jobs.
    RemovesRules { file: String },
    /// An undo removes the run's scrape job; `changed`: others changed it since.
    RemovesJob { file: String, changed: bool },
}

/// Who reads a secure port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Reader {
    #[default]
    Prometheus,
    /// Its ServiceAccount, which other pods share.
    Account { namespace: String, name: String },
}

/// How Prometheus's pod comes to its certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Certificates {
    /// A first sidecar.
    Sidecar,
    /// In place of a Secret that Istio no longer creates.
    InPlaceOfSecret,
    /// The sidecar that it has, whose capture stays.
    OwnSidecar,
}

impl Purpose {
    pub fn plaintext_ends(of: &ObjectRef) -> Purpose {
        Purpose::PlaintextEnds {
            monitor: matches!(of.kind, Kind::PodMonitor | Kind::ServiceMonitor),
        }
    }
}

fn codes<S: Serializer>(problems: &[Problem], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(problems.iter().map(|problem| problem.code().text()))
}
