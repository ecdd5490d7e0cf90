//! Kubernetes objects, only the fields that are used: ten thousand of them must fit into little memory.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

pub type Labels = BTreeMap<String, String>;

/// Text that many objects have in common.
mod shared_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::sync::Arc;

    pub fn serialize<S: Serializer>(of: &Option<Arc<str>>, to: S) -> Result<S::Ok, S::Error> {
        of.as_deref().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Arc<str>>, D::Error> {
        let text: Option<std::borrow::Cow<'de, str>> = Option::deserialize(from)?;
        Ok(text.map(|text| Arc::from(&*text)))
    }
}

/// What pods of one ReplicaSet have in common, kept once.
mod shared {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::sync::Arc;

    pub fn serialize<T: Serialize, S: Serializer>(of: &Arc<T>, to: S) -> Result<S::Ok, S::Error> {
        of.as_ref().serialize(to)
    }

    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Arc<T>, D::Error> {
        T::deserialize(from).map(Arc::new)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    pub resource_version: String,
    /// Counts changes of the spec.
    pub generation: u64,
    pub creation_timestamp: Option<jiff::Timestamp>,
    pub deletion_timestamp: Option<jiff::Timestamp>,
    pub labels: Labels,
    pub annotations: Labels,
    pub owner_references: Vec<OwnerReference>,
    /// Managers only; the fields they own are read from the live object where that matters.
    pub managed_fields: Vec<Manager>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub uid: String,
    pub controller: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manager {
    pub manager: String,
    pub operation: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Namespace {
    pub metadata: Meta,
}

/// Deployment, StatefulSet, DaemonSet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Workload {
    pub metadata: Meta,
    pub spec: WorkloadSpec,
    pub status: WorkloadStatus,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadSpec {
    pub replicas: Option<u32>,
    pub ordinals: Ordinals,
    pub paused: bool,
    pub selector: Selector,
    pub template: Template,
    pub strategy: Strategy,
    pub update_strategy: Strategy,
    pub volume_claim_templates: Vec<Value>,
}

/// The numbers of a StatefulSet's pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ordinals {
    pub start: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Strategy {
    pub r#type: String,
    pub rolling_update: Option<Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selector {
    pub match_labels: Labels,
    pub match_expressions: Vec<Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadStatus {
    pub observed_generation: u64,
    pub replicas: u32,
    pub ready_replicas: u32,
    pub updated_replicas: u32,
    pub available_replicas: u32,
    pub desired_number_scheduled: u32,
    pub updated_number_scheduled: u32,
    pub number_ready: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Template {
    pub metadata: TemplateMeta,
    pub spec: PodSpec,
}

impl Template {
    /// A proxy that stands in the template itself; `auto` waits for the injector to fill it in.
    pub fn own_proxy(&self) -> Option<&Container> {
        let mut all = self
            .spec
            .containers
            .iter()
            .chain(&self.spec.init_containers);
        all.find(|container| container.name == "istio-proxy" && container.image != "auto")
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateMeta {
    pub labels: Labels,
    pub annotations: Labels,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    pub host_network: bool,
    pub service_account_name: Option<String>,
    pub containers: Vec<Container>,
    pub init_containers: Vec<Container>,
    pub volumes: Vec<Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    pub name: String,
    pub image: String,
    pub ports: Vec<ContainerPort>,
    pub command: Vec<String>,
    pub args: Vec<String>,
    pub working_dir: String,
    pub volume_mounts: Vec<VolumeMount>,
    #[serde(with = "settings")]
    pub env: Labels,
    /// `Always` makes an init container a native sidecar.
    pub restart_policy: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerPort {
    pub name: Option<String>,
    pub container_port: u16,
    pub protocol: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeMount {
    pub name: String,
    pub mount_path: String,
    pub sub_path: Option<String>,
    pub read_only: bool,
}

/// The few settings of a sidecar's environment that are read. No other variable's value is kept: they hold secrets.
mod settings {
    use super::Labels;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    const READ: [&str; 4] = [
        "OUTPUT_CERTS",
        "TRUST_DOMAIN",
        "ENVOY_SECURE_METRICS_PORT",
        "ENVOY_SECURE_MERGED_METRICS_PORT",
    ];

    #[derive(Default, Serialize, Deserialize)]
    #[serde(default)]
    struct Variable<'a> {
        #[serde(borrow)]
        name: std::borrow::Cow<'a, str>,
        value: Option<String>,
    }

    pub fn serialize<S: Serializer>(env: &Labels, to: S) -> Result<S::Ok, S::Error> {
        let variable = |(name, value): (&String, &String)| Variable {
            name: name.clone().into(),
            value: Some(value.clone()),
        };
        to.collect_seq(env.iter().map(variable))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Labels, D::Error> {
        let all = Option::<Vec<Variable>>::deserialize(from)?.unwrap_or_default();
        let read = all.into_iter().filter(|one| READ.contains(&&*one.name));
        let read = read.filter_map(|one| Some((one.name.into_owned(), one.value?)));
        Ok(read.collect())
    }
}

/// A pod in a list of ten thousand: no volumes, little env, no managedFields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pod {
    pub metadata: PodMeta,
    pub spec: LeanPodSpec,
    pub status: PodStatus,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodMeta {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    pub creation_timestamp: Option<jiff::Timestamp>,
    pub deletion_timestamp: Option<jiff::Timestamp>,
    #[serde(with = "shared")]
    pub labels: Arc<Labels>,
    #[serde(with = "shared")]
    pub annotations: Arc<Labels>,
    #[serde(with = "shared")]
    pub owner_references: Arc<Vec<OwnerReference>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LeanPodSpec {
    pub host_network: bool,
    #[serde(with = "shared_text")]
    pub node_name: Option<Arc<str>>,
    #[serde(with = "shared_text")]
    pub service_account_name: Option<Arc<str>>,
    #[serde(with = "shared")]
    pub containers: Arc<Vec<LeanContainer>>,
    #[serde(with = "shared")]
    pub init_containers: Arc<Vec<LeanContainer>>,
}

impl LeanPodSpec {
    /// Containers, then init containers.
    pub fn all(&self) -> impl Iterator<Item = &LeanContainer> {
        self.containers.iter().chain(self.init_containers.iter())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LeanContainer {
    pub name: String,
    pub image: String,
    pub ports: Vec<ContainerPort>,
    /// `Always` makes an init container a native sidecar.
    pub restart_policy: Option<String>,
    #[serde(with = "settings")]
    pub env: Labels,
}

impl Pod {
    /// The sidecar among containers, and among init containers where it is a native one.
    pub fn proxy(&self) -> Option<&LeanContainer> {
        self.spec
            .all()
            .find(|container| container.name == "istio-proxy")
    }

    /// Whether the sidecar itself opens this port as a listener that takes TLS alone (Istio 1.31,
    /// `pilot/cmd/pilot-agent/options`; the injector writes `proxyMetadata` into the sidecar's environment).
    pub fn opens_natively(&self, port: &str) -> bool {
        const OPEN: [&str; 2] = [
            "ENVOY_SECURE_METRICS_PORT",
            "ENVOY_SECURE_MERGED_METRICS_PORT",
        ];
        let env = self.proxy().map(|proxy| &proxy.env);
        env.is_some_and(|env| {
            OPEN.iter()
                .any(|name| env.get(*name).is_some_and(|at| at == port))
        })
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    pub phase: String,
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    #[serde(rename = "hostIP", with = "shared_text")]
    pub host_ip: Option<Arc<str>>,
    pub start_time: Option<jiff::Timestamp>,
    #[serde(with = "shared")]
    pub conditions: Arc<Vec<Condition>>,
    pub container_statuses: Vec<ContainerStatus>,
    pub init_container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    pub name: String,
    #[serde(rename = "containerID")]
    pub container_id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    pub r#type: String,
    pub status: String,
    pub reason: Option<String>,
    pub message: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    pub metadata: Meta,
    pub spec: ServiceSpec,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    pub r#type: Option<String>,
    #[serde(rename = "clusterIP")]
    pub cluster_ip: Option<String>,
    pub external_name: Option<String>,
    pub ip_families: Vec<String>,
    pub selector: Labels,
    pub ports: Vec<LeanServicePort>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LeanServicePort {
    pub name: Option<String>,
    pub port: u16,
    /// A number or a name.
    pub target_port: Value,
    pub app_protocol: Option<String>,
    pub protocol: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfigMap {
    pub metadata: Meta,
    pub data: BTreeMap<String, String>,
    #[serde(rename = "binaryData")]
    pub binary_data: BTreeMap<String, String>,
}

/// Istio objects: their specs are small and few, and read by path.
macro_rules! loose {
    ($($name:ident),*) => {$(
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name {
            pub metadata: Meta,
            pub spec: Value,
        }
    )*};
}
loose!(
    Sidecar,
    PeerAuthentication,
    AuthorizationPolicy,
    Gateway,
    VirtualService,
    ServiceEntry,
    WorkloadEntry,
    EnvoyFilter,
    K8sGateway,
    PodMonitor,
    NetworkPolicy
);

/// The operator's Prometheus, as far as its pods and jobs are concerned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OperatorPrometheus {
    pub metadata: Meta,
    pub spec: OperatorSpec,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OperatorSpec {
    pub pod_metadata: TemplateMeta,
    pub volumes: Vec<Value>,
    pub volume_mounts: Vec<VolumeMount>,
    pub additional_scrape_configs: Option<SecretKey>,
    pub paused: bool,
    pub shards: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretKey {
    pub name: String,
    pub key: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Webhook {
    pub metadata: Meta,
    pub webhooks: Vec<WebhookRule>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WebhookRule {
    pub name: String,
    pub namespace_selector: Selector,
    pub object_selector: Selector,
}

/// Role and ClusterRole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Role {
    pub metadata: Meta,
    pub rules: Vec<Value>,
}

/// RoleBinding and ClusterRoleBinding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Binding {
    pub metadata: Meta,
    pub role_ref: Value,
    pub subjects: Vec<Value>,
}
