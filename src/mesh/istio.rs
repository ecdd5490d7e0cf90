//! Istio's control planes and the mesh's settings, from the Kubernetes API alone.

use super::injection::Injector;
use super::kinds::Kind;
use super::mtls::Mtls;
use super::objects as lean;
use super::pods::tag;
use super::{ControlPlane, Inventory, Istio};
use serde::Deserialize;
use std::collections::BTreeMap;

const DEFAULT_ROOT: &str = "istio-system";
const DEFAULT_TRUST: &str = "cluster.local";

/// The part of MeshConfig that matters here; absent keys have Istio's defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MeshConfig {
    root_namespace: Option<String>,
    trust_domain: Option<String>,
    enable_prometheus_merge: Option<bool>,
    default_config: DefaultConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DefaultConfig {
    proxy_metadata: BTreeMap<String, serde_yaml::Value>,
}

impl MeshConfig {
    /// The mesh's own `ENVOY_SECURE_…_PORT` settings: static listeners in every pod.
    pub fn native_port(&self) -> Option<&str> {
        self.default_config
            .proxy_metadata
            .keys()
            .map(String::as_str)
            .find(|key| NATIVE_PORTS.contains(key))
    }
}

/// Agent settings that open the native secure ports (Istio 1.31 and later).
pub(super) const NATIVE_PORTS: [&str; 2] = [
    "ENVOY_SECURE_METRICS_PORT",
    "ENVOY_SECURE_MERGED_METRICS_PORT",
];

/// Is this Deployment an istiod?
pub(super) fn is_istiod(workload: &lean::Workload) -> bool {
    workload
        .metadata
        .labels
        .get("app")
        .is_some_and(|app| app == "istiod")
}

pub(super) fn control_planes(inventory: &Inventory) -> Vec<ControlPlane> {
    let mut found: Vec<ControlPlane> = inventory
        .workloads
        .get(&Kind::Deployment)
        .into_iter()
        .flat_map(|list| &list.items)
        .filter(|deployment| is_istiod(deployment))
        .map(|deployment| {
            let meta = &deployment.metadata;
            let containers = &deployment.spec.template.spec.containers;
            let version = containers
                .iter()
                .find(|c| c.name == "discovery")
                .or(containers.first())
                .map(|c| tag(&c.image))
                .or_else(|| meta.labels.get("app.kubernetes.io/version").cloned());
            ControlPlane {
                revision: meta
                    .labels
                    .get("istio.io/rev")
                    .cloned()
                    .unwrap_or_else(|| "default".to_owned()),
                namespace: meta.namespace.clone(),
                version: version.unwrap_or_default(),
                ready: deployment.status.ready_replicas > 0,
            }
        })
        .collect();
    found.sort_by(|a, b| {
        let key = |c: &ControlPlane| {
            (
                c.revision != "default",
                c.namespace.clone(),
                c.revision.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    found
}

/// Names of the ConfigMaps that hold the mesh's settings, by namespace: `istio`, or `istio-REV`.
pub(super) fn config_maps(planes: &[ControlPlane]) -> Vec<(String, String)> {
    planes
        .iter()
        .map(|plane| {
            let name = match plane.revision.as_str() {
                "default" => "istio".to_owned(),
                revision => format!("istio-{revision}"),
            };
            (plane.namespace.clone(), name)
        })
        .collect()
}

/// The settings of the first control plane whose ConfigMap could be read.
pub(super) fn mesh_config(inventory: &Inventory, planes: &[ControlPlane]) -> MeshConfig {
    let default = vec![(DEFAULT_ROOT.to_owned(), "istio".to_owned())];
    config_maps(planes)
        .into_iter()
        .chain(default)
        .find_map(|(namespace, name)| {
            let map = inventory.config_maps.get(&format!("{namespace}/{name}"))?;
            let text = map.as_ref().ok()?.data.get("mesh")?;
            serde_yaml::from_str(text).ok()
        })
        .unwrap_or_default()
}

pub(super) fn root_namespace(config: &MeshConfig, planes: &[ControlPlane]) -> String {
    config
        .root_namespace
        .clone()
        .filter(|name| !name.is_empty())
        .or_else(|| planes.first().map(|plane| plane.namespace.clone()))
        .unwrap_or_else(|| DEFAULT_ROOT.to_owned())
}

pub(super) fn istio(
    inventory: &Inventory,
    planes: Vec<ControlPlane>,
    config: &MeshConfig,
    root_namespace: String,
    mtls: &Mtls<'_>,
    injector: &Injector<'_>,
) -> Istio {
    Istio {
        mesh_mode: mtls.mesh(),
        ambient: ambient(inventory),
        default_injector: injector.default_injector(),
        control_planes: planes,
        root_namespace,
        trust_domain: config
            .trust_domain
            .clone()
            .filter(|domain| !domain.is_empty())
            .unwrap_or_else(|| DEFAULT_TRUST.to_owned()),
        prometheus_merge: config.enable_prometheus_merge.unwrap_or(true),
    }
}

fn ambient(inventory: &Inventory) -> bool {
    let ztunnel = |w: &lean::Workload| {
        w.metadata
            .labels
            .get("app")
            .is_some_and(|app| app == "ztunnel")
    };
    inventory
        .namespaces
        .items
        .iter()
        .any(|ns| is_ambient(&ns.metadata.labels))
        || inventory
            .workloads
            .get(&Kind::DaemonSet)
            .is_some_and(|list| list.items.iter().any(ztunnel))
}

pub(super) fn is_ambient(labels: &lean::Labels) -> bool {
    labels
        .get("istio.io/dataplane-mode")
        .is_some_and(|mode| mode == "ambient")
}

/// Istio's own parts: the control plane, ztunnel and the CNI agent are nobody's workloads.
pub(super) fn is_part_of_istio(workload: &lean::Workload) -> bool {
    let labels = &workload.metadata.labels;
    let is = |key: &str, value: &str| labels.get(key).is_some_and(|found| found == value);
    is_istiod(workload) || is("app", "ztunnel") || is("k8s-app", "istio-cni-node")
}
