//! The kinds that the simulated API server knows.

/// One resource of the API.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub namespaced: bool,
}

impl Kind {
    /// `apps/v1`, or `v1` for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Of a network plugin: served only where a scenario has one.
    pub fn is_of_a_vendor(&self) -> bool {
        matches!(self.group, "cilium.io" | "policy.networking.k8s.io")
    }

    /// `deployments.apps`, as error messages write it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// Kinds with schemas of Kubernetes itself, whose lists merge by key; lists of the others are atomic.
    pub fn is_builtin(&self) -> bool {
        !self.group.contains("istio.io")
            && self.group != "monitoring.coreos.com"
            && self.group != "gateway.networking.k8s.io"
            && !self.is_of_a_vendor()
    }
}

macro_rules! kinds {
    ($($id:ident = $group:literal $version:literal $kind:literal $plural:literal $namespaced:literal;)*) => {
        $(pub static $id: Kind = Kind {
            group: $group, version: $version, kind: $kind, plural: $plural, namespaced: $namespaced,
        };)*
        /// All of them, in the order in which a scenario is best loaded.
        pub static KINDS: &[&Kind] = &[$(&$id),*];
    };
}

kinds! {
    NAMESPACE = "" "v1" "Namespace" "namespaces" false;
    NODE = "" "v1" "Node" "nodes" false;
    CONFIG_MAP = "" "v1" "ConfigMap" "configmaps" true;
    SECRET = "" "v1" "Secret" "secrets" true;
    SERVICE_ACCOUNT = "" "v1" "ServiceAccount" "serviceaccounts" true;
    CLUSTER_ROLE = "rbac.authorization.k8s.io" "v1" "ClusterRole" "clusterroles" false;
    ROLE = "rbac.authorization.k8s.io" "v1" "Role" "roles" true;
    CLUSTER_ROLE_BINDING = "rbac.authorization.k8s.io" "v1" "ClusterRoleBinding" "clusterrolebindings" false;
    ROLE_BINDING = "rbac.authorization.k8s.io" "v1" "RoleBinding" "rolebindings" true;
    SERVICE = "" "v1" "Service" "services" true;
    CLAIM = "" "v1" "PersistentVolumeClaim" "persistentvolumeclaims" true;
    EVENT = "" "v1" "Event" "events" true;
    RESOURCE_QUOTA = "" "v1" "ResourceQuota" "resourcequotas" true;
    DISRUPTION_BUDGET = "policy" "v1" "PodDisruptionBudget" "poddisruptionbudgets" true;
    WEBHOOK = "admissionregistration.k8s.io" "v1" "MutatingWebhookConfiguration" "mutatingwebhookconfigurations" false;
    NETWORK_POLICY = "networking.k8s.io" "v1" "NetworkPolicy" "networkpolicies" true;
    CILIUM_POLICY = "cilium.io" "v2" "CiliumNetworkPolicy" "ciliumnetworkpolicies" true;
    ADMIN_POLICY = "policy.networking.k8s.io" "v1alpha1" "AdminNetworkPolicy" "adminnetworkpolicies" false;
    LEASE = "coordination.k8s.io" "v1" "Lease" "leases" true;
    SIDECAR = "networking.istio.io" "v1" "Sidecar" "sidecars" true;
    GATEWAY = "networking.istio.io" "v1" "Gateway" "gateways" true;
    VIRTUAL_SERVICE = "networking.istio.io" "v1" "VirtualService" "virtualservices" true;
    SERVICE_ENTRY = "networking.istio.io" "v1" "ServiceEntry" "serviceentries" true;
    WORKLOAD_ENTRY = "networking.istio.io" "v1" "WorkloadEntry" "workloadentries" true;
    DESTINATION_RULE = "networking.istio.io" "v1" "DestinationRule" "destinationrules" true;
    ENVOY_FILTER = "networking.istio.io" "v1alpha3" "EnvoyFilter" "envoyfilters" true;
    PEER_AUTHENTICATION = "security.istio.io" "v1" "PeerAuthentication" "peerauthentications" true;
    AUTHORIZATION_POLICY = "security.istio.io" "v1" "AuthorizationPolicy" "authorizationpolicies" true;
    API_GATEWAY = "gateway.networking.k8s.io" "v1" "Gateway" "gateways" true;
    PROMETHEUS = "monitoring.coreos.com" "v1" "Prometheus" "prometheuses" true;
    POD_MONITOR = "monitoring.coreos.com" "v1" "PodMonitor" "podmonitors" true;
    SERVICE_MONITOR = "monitoring.coreos.com" "v1" "ServiceMonitor" "servicemonitors" true;
    DEPLOYMENT = "apps" "v1" "Deployment" "deployments" true;
    STATEFUL_SET = "apps" "v1" "StatefulSet" "statefulsets" true;
    DAEMON_SET = "apps" "v1" "DaemonSet" "daemonsets" true;
    REPLICA_SET = "apps" "v1" "ReplicaSet" "replicasets" true;
    JOB = "batch" "v1" "Job" "jobs" true;
    CRON_JOB = "batch" "v1" "CronJob" "cronjobs" true;
    POD = "" "v1" "Pod" "pods" true;
}

/// The kind that serves `plural` in `group` and `version`.
pub fn by_path(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    KINDS
        .iter()
        .copied()
        .find(|k| k.group == group && k.version == version && k.plural == plural)
}

/// The kind of an object by its `apiVersion` and `kind`.
pub fn by_object(api_version: &str, kind: &str) -> Option<&'static Kind> {
    KINDS
        .iter()
        .copied()
        .find(|k| k.kind == kind && k.api_version() == api_version)
}

/// `Deployment`, `apps/Deployment` or `apps/v1/Deployment`; a bare `Gateway` is Istio's.
pub fn by_name(name: &str) -> Option<&'static Kind> {
    let (prefix, kind) = name.rsplit_once('/').unwrap_or(("", name));
    let group = prefix.split('/').next().unwrap_or("");
    KINDS
        .iter()
        .copied()
        .find(|k| k.kind == kind && (prefix.is_empty() || k.group == group || prefix == k.version))
}
