//! Istio's control planes and the mesh's settings, from the Kubernetes API alone.

use super::injection::Injector;
use super::kinds::Kind;
use super::mtls::Mtls;
use super::objects as lean;
use super::pods::tag;
use super::{ControlPlane, Inventory, Istio};
use crate::reach::authorization::{Provider, Providers};
use crate::reach::injector;
use crate::reach::outbound::Defaults;
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
    trust_domain_aliases: Vec<String>,
    extension_providers: Vec<serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DefaultConfig {
    proxy_metadata: BTreeMap<String, serde_yaml::Value>,
    status_port: Option<u16>,
    gateway_topology: serde_json::Value,
}

impl MeshConfig {
    pub fn aliases(&self) -> &[String] {
        &self.trust_domain_aliases
    }

    /// Who decides for CUSTOM policies.
    pub fn providers(&self) -> Providers {
        let all = self.extension_providers.iter().filter_map(|one| {
            let kind = match () {
                () if one["envoyExtAuthzHttp"].is_object() => Provider::Http,
                () if one["envoyExtAuthzGrpc"].is_object() => Provider::Grpc,
                () => return None,
            };
            Some((one["name"].as_str()?.to_owned(), kind))
        });
        all.collect()
    }

    pub fn expects_proxy_protocol(&self) -> bool {
        self.default_config.gateway_topology["proxyProtocol"].is_object()
    }

    /// The mesh's own `ENVOY_SECURE_…_PORT` settings: static listeners in every pod.
    pub fn native_port(&self) -> Option<&str> {
        self.default_config
            .proxy_metadata
            .keys()
            .map(String::as_str)
            .find(|key| NATIVE_PORTS.contains(key))
    }
}

/// What decides over the pods of one control plane's injector.
pub(super) struct Injecting {
    pub plane: injector::Plane,
    /// `None`: its ConfigMap could not be read.
    pub policy: Option<injector::Policy>,
    /// The ConfigMap of its policy, as `namespace/name`.
    pub config_map: String,
}

pub(super) fn injecting(
    inventory: &Inventory,
    of: &ControlPlane,
    fallback: &MeshConfig,
) -> Injecting {
    let map = |name: &str| {
        let name = format!("{}/{}", of.namespace, by_revision(name, &of.revision));
        (
            inventory
                .config_maps
                .get(&name)
                .and_then(|read| read.as_ref().ok()),
            name,
        )
    };
    let own: Option<MeshConfig> = map("istio")
        .0
        .and_then(|map| serde_yaml::from_str(map.data.get("mesh")?).ok());
    let config = own.as_ref().unwrap_or(fallback);
    let (found, config_map) = map(INJECTOR);
    Injecting {
        plane: injector::Plane {
            // Whether merging is on, is not known then.
            version: injector::version(&of.version).filter(|_| own.is_some()),
            merge: config.enable_prometheus_merge.unwrap_or(true),
            status_port: config.default_config.status_port.unwrap_or(15020),
        },
        policy: found.and_then(|map| injector::Policy::read(map.data.get("config")?)),
        config_map,
    }
}

const INJECTOR: &str = "istio-sidecar-injector";

fn by_revision(name: &str, revision: &str) -> String {
    match revision {
        "default" | "" => name.to_owned(),
        revision => format!("{name}-{revision}"),
    }
}

/// ConfigMaps with the policy of each control plane's injector, by namespace.
pub(super) fn injector_maps(planes: &[ControlPlane]) -> Vec<(String, String)> {
    let map = |plane: &ControlPlane| {
        let name = by_revision(INJECTOR, &plane.revision);
        (plane.namespace.clone(), name)
    };
    planes.iter().map(map).collect()
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
            let name = by_revision("istio", &plane.revision);
            (plane.namespace.clone(), name)
        })
        .collect()
}

/// What a revision's injector captures by itself; `None`: its values could not be read.
pub(super) fn outbound_defaults(
    inventory: &Inventory,
    planes: &[ControlPlane],
    revision: &str,
) -> Option<Defaults> {
    // A revision may be a tag; of several planes any is as good as none.
    let plane = planes
        .iter()
        .find(|plane| plane.revision == revision)
        .or(planes.first().filter(|_| planes.len() == 1))?;
    let (namespace, name) = (
        plane.namespace.clone(),
        by_revision(INJECTOR, &plane.revision),
    );
    let map = inventory.config_maps.get(&format!("{namespace}/{name}"))?;
    Defaults::read(map.as_ref().ok()?.data.get("values")?)
}

/// The mesh's settings, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Of the first control plane whose ConfigMap could be read.
    pub config: MeshConfig,
    /// Some control plane's ConfigMap was read.
    pub read: bool,
    pub root_namespace: Option<String>,
    pub trust_domain: Option<String>,
    pub prometheus_merge: bool,
    /// Why one of them is not known.
    pub unread: Option<String>,
}

/// Settings from the ConfigMaps of the control planes. What they leave out has istiod's defaults
/// (`pkg/config/mesh/mesh.go`, `DefaultMeshConfig`); what could not be read has none, and is looked for elsewhere: the
/// injector writes the trust domain into each proxy's environment. Last comes what the user said.
pub(super) fn settings(inventory: &Inventory, planes: &[ControlPlane]) -> Settings {
    let mut maps = config_maps(planes);
    if maps.is_empty() {
        maps.push((DEFAULT_ROOT.to_owned(), "istio".to_owned()));
    }
    let mut read: Vec<(String, MeshConfig)> = Vec::new();
    let mut unread = None;
    for (namespace, name) in maps {
        let key = format!("{namespace}/{name}");
        match mesh_config(inventory.config_maps.get(&key), !planes.is_empty()) {
            Ok(config) => read.push((key, config)),
            Err(why) => {
                unread.get_or_insert(format!("ConfigMap {key}: {why}"));
            }
        }
    }
    let agreed = |of: fn(&MeshConfig) -> String| -> Result<String, Option<String>> {
        let mut all = read.iter().map(|(key, config)| (key, of(config)));
        let Some((first, value)) = all.next() else {
            return Err(None);
        };
        match all.find(|(_, other)| *other != value) {
            None => Ok(value),
            Some((key, other)) => Err(Some(format!(
                "ConfigMap {first} says {value}, ConfigMap {key} says {other}"
            ))),
        }
    };
    let told = &inventory.told;
    let mut why_not = None;
    let mut known = |found: Result<String, Option<String>>, told: &Option<String>| {
        found
            .map_err(|why| why_not = why.or(why_not.take()))
            .ok()
            .or_else(|| told.clone())
    };
    let root_namespace = known(agreed(MeshConfig::root_namespace), &told.root_namespace);
    let by_proxies = |why| proxies_trust_domain(inventory).ok_or(why);
    let trust_domain = known(
        agreed(MeshConfig::trust_domain).or_else(by_proxies),
        &told.trust_domain,
    );
    let is_known = root_namespace.is_some() && trust_domain.is_some();
    let prometheus_merge = match read.first() {
        Some((_, config)) => config.enable_prometheus_merge.unwrap_or(true),
        None => inventory.pods.items.iter().any(is_merged),
    };
    Settings {
        read: !read.is_empty(),
        config: read
            .into_iter()
            .next()
            .map(|(_, config)| config)
            .unwrap_or_default(),
        root_namespace,
        trust_domain,
        prometheus_merge,
        unread: why_not.or(unread).filter(|_| !is_known),
    }
}

/// `here`: its istiod runs in this cluster, so that a ConfigMap that does not exist means istiod's defaults.
fn mesh_config(
    map: Option<&Result<lean::ConfigMap, String>>,
    here: bool,
) -> Result<MeshConfig, String> {
    match map {
        None => Err("it has not been read yet".to_owned()),
        Some(Ok(map)) => match map.data.get("mesh") {
            None => Ok(MeshConfig::default()),
            // An empty text is null in YAML.
            Some(text) => serde_yaml::from_str::<Option<MeshConfig>>(text)
                .map(Option::unwrap_or_default)
                .map_err(|error| format!("its key mesh is not readable: {error}")),
        },
        Some(Err(why)) if here && why == super::NO_SUCH_OBJECT => Ok(MeshConfig::default()),
        Some(Err(why)) => Err(why.clone()),
    }
}

/// The injector's own annotations on a pod whose app's metrics the agent merges (`pkg/kube/inject/webhook.go`,
/// `applyPrometheusMerge`).
fn is_merged(pod: &lean::Pod) -> bool {
    let is = |key: &str, value: &str| {
        pod.metadata
            .annotations
            .get(key)
            .is_some_and(|v| v == value)
    };
    pod.proxy().is_some()
        && is("prometheus.io/port", "15020")
        && is("prometheus.io/path", "/stats/prometheus")
}

/// The one trust domain that all running proxies were started with.
fn proxies_trust_domain(inventory: &Inventory) -> Option<String> {
    let pods = inventory
        .pods
        .items
        .iter()
        .filter(|pod| !super::pods::finished(pod));
    let mut all = pods.filter_map(|pod| pod.proxy()?.env.get("TRUST_DOMAIN"));
    let first = all.next()?;
    all.all(|other| other == first).then(|| first.clone())
}

impl MeshConfig {
    fn root_namespace(&self) -> String {
        let set = self.root_namespace.clone().filter(|name| !name.is_empty());
        set.unwrap_or_else(|| DEFAULT_ROOT.to_owned())
    }

    fn trust_domain(&self) -> String {
        let set = self.trust_domain.clone().filter(|name| !name.is_empty());
        set.unwrap_or_else(|| DEFAULT_TRUST.to_owned())
    }
}

pub(super) fn istio(
    inventory: &Inventory,
    planes: Vec<ControlPlane>,
    settings: Settings,
    mtls: &Mtls<'_>,
    injector: &Injector<'_>,
) -> Istio {
    Istio {
        mesh_mode: mtls.mesh(),
        ambient: ambient(inventory),
        default_injector: injector.default_injector(),
        control_planes: planes,
        root_namespace: settings.root_namespace,
        trust_domain: settings.trust_domain,
        settings_unread: settings.unread,
        prometheus_merge: settings.prometheus_merge,
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
