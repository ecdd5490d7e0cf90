//! Kubernetes objects by name: which kind, where, and under which API path.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// Our field manager, and the value of `app.kubernetes.io/managed-by` on our own objects.
pub const MANAGER: &str = "meshscrape";

/// A kind of object that meshscrape reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    Namespace,
    Pod,
    Service,
    ConfigMap,
    Secret,
    ServiceAccount,
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    Sidecar,
    Gateway,
    VirtualService,
    ServiceEntry,
    WorkloadEntry,
    EnvoyFilter,
    PeerAuthentication,
    AuthorizationPolicy,
    /// `gateway.networking.k8s.io` Gateway; called so to keep it apart from Istio's.
    K8sGateway,
    NetworkPolicy,
    /// The Prometheus operator's `Prometheus` resource.
    OperatorPrometheus,
    PodMonitor,
    ServiceMonitor,
    MutatingWebhookConfiguration,
    Lease,
    Role,
    RoleBinding,
    ClusterRole,
    ClusterRoleBinding,
}

impl Kind {
    /// (apiVersion, kind as written in YAML, plural in paths, namespaced).
    pub const fn row(self) -> (&'static str, &'static str, &'static str, bool) {
        match self {
            Kind::Namespace => ("v1", "Namespace", "namespaces", false),
            Kind::Pod => ("v1", "Pod", "pods", true),
            Kind::Service => ("v1", "Service", "services", true),
            Kind::ConfigMap => ("v1", "ConfigMap", "configmaps", true),
            Kind::Secret => ("v1", "Secret", "secrets", true),
            Kind::ServiceAccount => ("v1", "ServiceAccount", "serviceaccounts", true),
            Kind::Deployment => ("apps/v1", "Deployment", "deployments", true),
            Kind::StatefulSet => ("apps/v1", "StatefulSet", "statefulsets", true),
            Kind::DaemonSet => ("apps/v1", "DaemonSet", "daemonsets", true),
            Kind::ReplicaSet => ("apps/v1", "ReplicaSet", "replicasets", true),
            Kind::Sidecar => ("networking.istio.io/v1", "Sidecar", "sidecars", true),
            Kind::Gateway => ("networking.istio.io/v1", "Gateway", "gateways", true),
            Kind::VirtualService => (
                "networking.istio.io/v1",
                "VirtualService",
                "virtualservices",
                true,
            ),
            Kind::ServiceEntry => (
                "networking.istio.io/v1",
                "ServiceEntry",
                "serviceentries",
                true,
            ),
            Kind::WorkloadEntry => (
                "networking.istio.io/v1",
                "WorkloadEntry",
                "workloadentries",
                true,
            ),
            Kind::EnvoyFilter => (
                "networking.istio.io/v1alpha3",
                "EnvoyFilter",
                "envoyfilters",
                true,
            ),
            Kind::PeerAuthentication => (
                "security.istio.io/v1",
                "PeerAuthentication",
                "peerauthentications",
                true,
            ),
            Kind::AuthorizationPolicy => (
                "security.istio.io/v1",
                "AuthorizationPolicy",
                "authorizationpolicies",
                true,
            ),
            Kind::K8sGateway => ("gateway.networking.k8s.io/v1", "Gateway", "gateways", true),
            Kind::NetworkPolicy => (
                "networking.k8s.io/v1",
                "NetworkPolicy",
                "networkpolicies",
                true,
            ),
            Kind::OperatorPrometheus => (
                "monitoring.coreos.com/v1",
                "Prometheus",
                "prometheuses",
                true,
            ),
            Kind::PodMonitor => (
                "monitoring.coreos.com/v1",
                "PodMonitor",
                "podmonitors",
                true,
            ),
            Kind::ServiceMonitor => (
                "monitoring.coreos.com/v1",
                "ServiceMonitor",
                "servicemonitors",
                true,
            ),
            Kind::MutatingWebhookConfiguration => (
                "admissionregistration.k8s.io/v1",
                "MutatingWebhookConfiguration",
                "mutatingwebhookconfigurations",
                false,
            ),
            Kind::Lease => ("coordination.k8s.io/v1", "Lease", "leases", true),
            Kind::Role => ("rbac.authorization.k8s.io/v1", "Role", "roles", true),
            Kind::RoleBinding => (
                "rbac.authorization.k8s.io/v1",
                "RoleBinding",
                "rolebindings",
                true,
            ),
            Kind::ClusterRole => (
                "rbac.authorization.k8s.io/v1",
                "ClusterRole",
                "clusterroles",
                false,
            ),
            Kind::ClusterRoleBinding => (
                "rbac.authorization.k8s.io/v1",
                "ClusterRoleBinding",
                "clusterrolebindings",
                false,
            ),
        }
    }

    /// The kind of workload that a word stands for, as in kubectl and whatever its case.
    pub fn of_workload(word: &str) -> Option<Kind> {
        Some(match word.to_ascii_lowercase().as_str() {
            "deployment" | "deployments" | "deploy" => Kind::Deployment,
            "statefulset" | "statefulsets" | "sts" => Kind::StatefulSet,
            "daemonset" | "daemonsets" | "ds" => Kind::DaemonSet,
            _ => return None,
        })
    }

    pub fn api_version(self) -> &'static str {
        self.row().0
    }

    pub fn name(self) -> &'static str {
        self.row().1
    }

    pub fn plural(self) -> &'static str {
        self.row().2
    }

    /// The API group; empty for core.
    pub fn group(self) -> &'static str {
        self.row().0.split_once('/').map_or("", |(group, _)| group)
    }

    /// The path of the collection: of one namespace, or (`None`) of the whole cluster.
    pub fn path(self, namespace: Option<&str>) -> String {
        let (version, _, plural, namespaced) = self.row();
        let root = if version.contains('/') { "apis" } else { "api" };
        match namespace {
            Some(ns) if namespaced => format!("/{root}/{version}/namespaces/{ns}/{plural}"),
            _ => format!("/{root}/{version}/{plural}"),
        }
    }
}

/// Kubernetes takes no longer name.
const LONGEST: usize = 253;
/// A DNS label.
const LABEL: usize = 63;

/// The name of one object: what it is and where. Displayed as `Kind namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectRef {
    pub kind: Kind,
    /// Empty for objects without a namespace.
    pub namespace: String,
    pub name: String,
}

impl ObjectRef {
    pub fn new(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        ObjectRef {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    pub fn path(&self) -> String {
        let ns = (!self.namespace.is_empty()).then_some(self.namespace.as_str());
        format!("{}/{}", self.kind.path(ns), self.name)
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind.name(), self.name)
        } else {
            write!(f, "{} {}/{}", self.kind.name(), self.namespace, self.name)
        }
    }
}

/// A workload, a gateway's Deployment or a Prometheus: `NS/KIND/NAME` on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct WorkloadRef {
    pub namespace: String,
    /// `Deployment`, `StatefulSet` or `DaemonSet`.
    pub kind: Kind,
    pub name: String,
}

impl WorkloadRef {
    pub fn new(namespace: impl Into<String>, kind: Kind, name: impl Into<String>) -> Self {
        WorkloadRef {
            namespace: namespace.into(),
            kind,
            name: name.into(),
        }
    }

    pub fn object(&self) -> ObjectRef {
        ObjectRef::new(self.kind, &self.namespace, &self.name)
    }

    /// The name of our objects for it. No two workloads of a namespace have one name: `-sts` and `-ds` keep kinds
    /// apart, and a Deployment whose own name ends so begins where no other can, with a second hyphen.
    pub fn our_name(&self) -> String {
        let plain = self.plain_name();
        if self.former_name().is_some() || plain.len() > LONGEST {
            return self.second_name(LONGEST);
        }
        plain
    }

    /// The same for objects that route. Istio takes a Gateway whose name is one DNS label alone.
    pub fn our_gateway_name(&self) -> String {
        let name = self.our_name();
        match name.len() > LABEL || name.contains('.') {
            true => self.second_name(LABEL),
            false => name,
        }
    }

    /// One of our objects for it.
    pub fn ours(&self, kind: Kind) -> ObjectRef {
        let name = match kind {
            Kind::Gateway | Kind::VirtualService | Kind::ServiceEntry => self.our_gateway_name(),
            _ => self.our_name(),
        };
        ObjectRef::new(kind, &self.namespace, name)
    }

    /// What earlier versions called its objects, where that is another workload's name now.
    pub fn former_name(&self) -> Option<String> {
        let ends = self.name.ends_with("-sts") || self.name.ends_with("-ds");
        (self.kind == Kind::Deployment && ends).then(|| self.plain_name())
    }

    fn plain_name(&self) -> String {
        let ending = match self.kind {
            Kind::StatefulSet => "-sts",
            Kind::DaemonSet => "-ds",
            _ => "",
        };
        format!("meshscrape-{}{ending}", self.name)
    }

    /// Begins as no plain name can, since no Kubernetes name begins with a hyphen. Where it has to be cut, it ends
    /// in a fingerprint.
    fn second_name(&self, longest: usize) -> String {
        let plain = self.plain_name();
        let own = plain.strip_prefix("meshscrape-").unwrap_or(&plain);
        let whole = format!("meshscrape--{own}");
        if whole.len() <= longest && (longest > LABEL || !own.contains('.')) {
            return whole;
        }
        let digest = Sha256::digest(format!("{}/{}", self.kind.name(), self.name));
        let print: String = digest.iter().take(6).map(|b| format!("{b:02x}")).collect();
        let room = LABEL - "meshscrape---".len() - print.len();
        let short: String = own.replace('.', "-").chars().take(room).collect();
        format!("meshscrape--{}-{print}", short.trim_end_matches('-'))
    }
}

/// Why a workload of this kind, as a user wrote it, cannot be named.
fn not_secured(kind: &str, text: &str) -> String {
    const SECURED: &str = "Deployment, StatefulSet or DaemonSet";
    let named = match kind {
        "job" | "jobs" => "Job",
        "cronjob" | "cronjobs" | "cj" => "CronJob",
        "replicaset" | "replicasets" | "rs" => "ReplicaSet",
        "replicationcontroller" | "replicationcontrollers" | "rc" => "ReplicationController",
        "pod" | "pods" | "po" => "Pod",
        _ => {
            return format!(
                "`{kind}` in `{text}` is no kind that can be secured; kinds: {SECURED}"
            );
        }
    };
    format!(
        "`{text}` cannot be secured: {}; kinds that can: {SECURED}",
        crate::words::why_not(named)
    )
}

impl fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.kind.name(), self.name)
    }
}

impl From<WorkloadRef> for String {
    fn from(of: WorkloadRef) -> String {
        of.to_string()
    }
}

impl TryFrom<String> for WorkloadRef {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::str::FromStr for WorkloadRef {
    type Err = String;

    /// Kinds are matched without regard to case; `deploy`, `sts`, `ds` work as in kubectl.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let [namespace, kind, name] = parts[..] else {
            return Err(format!(
                "`{text}` is not NAMESPACE/KIND/NAME, such as shop/Deployment/cart"
            ));
        };
        let Some(kind) = Kind::of_workload(kind) else {
            return Err(not_secured(&kind.to_ascii_lowercase(), text));
        };
        if namespace.is_empty() || name.is_empty() {
            return Err(format!("`{text}` lacks a namespace or a name"));
        }
        Ok(WorkloadRef::new(namespace, kind, name))
    }
}
