//! What the user chose. The wizard fills it step by step, flags pre-fill it, a file keeps it.

use crate::mesh::kinds::WorkloadRef;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The `version` that this program writes and reads.
pub const VERSION: u32 = 1;

/// Choices, as the wizard's steps and the command line's flags make them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Answers {
    pub prometheus: Option<WorkloadRef>,
    /// Namespaces shown in the next step; named alone (no workload chosen in it) a namespace means all its workloads.
    pub namespaces: BTreeSet<String>,
    pub workloads: BTreeSet<WorkloadRef>,
    /// Gateways by the Deployment that carries them.
    pub gateways: BTreeSet<GatewayRef>,
    pub options: Options,
    /// Differing options of single workloads and gateways.
    pub each: BTreeMap<WorkloadRef, ItemOptions>,
    /// Managers whose fields may be taken, by name.
    pub take: BTreeSet<String>,
    /// Changes left out in the review, by id.
    pub leave_out: BTreeSet<String>,
}

/// A gateway as `NAMESPACE/NAME` of its Deployment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct GatewayRef {
    pub namespace: String,
    pub name: String,
}

impl From<GatewayRef> for String {
    fn from(of: GatewayRef) -> String {
        format!("{}/{}", of.namespace, of.name)
    }
}

impl TryFrom<String> for GatewayRef {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.split('/').collect::<Vec<_>>()[..] {
            [namespace, name] if !namespace.is_empty() && !name.is_empty() => Ok(GatewayRef {
                namespace: namespace.into(),
                name: name.into(),
            }),
            _ => Err(format!(
                "`{text}` is not NAMESPACE/NAME of a gateway's Deployment, such as istio-system/istio-ingressgateway"
            )),
        }
    }
}

impl std::str::FromStr for GatewayRef {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.to_owned().try_into()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Options {
    pub port: MetricsPort,
    pub mark: Mark,
    pub injection: Injection,
    /// Old plaintext jobs leave secured pods out. `None`: the default of the port
    /// (15020: yes; 15090: only where nothing but Envoy's series would be lost).
    pub stop_plaintext_jobs: Option<bool>,
    /// Repair what the published recipe or Istio's sample left behind.
    pub repair: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            port: MetricsPort::Merged,
            mark: Mark::Template,
            injection: Injection::Template,
            stop_plaintext_jobs: None,
            repair: true,
        }
    }
}

/// Options of one workload or gateway where they differ from those for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ItemOptions {
    pub port: Option<MetricsPort>,
    pub mark: Option<Mark>,
}

/// Which plaintext port inside the pod 15091 leads to.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(into = "u16", try_from = "u16")]
pub enum MetricsPort {
    /// 15020: Envoy, the agent and the app, merged.
    #[default]
    Merged,
    /// 15090: Envoy only.
    Envoy,
}

impl From<MetricsPort> for u16 {
    fn from(port: MetricsPort) -> u16 {
        match port {
            MetricsPort::Merged => 15020,
            MetricsPort::Envoy => 15090,
        }
    }
}

impl TryFrom<u16> for MetricsPort {
    type Error = String;
    fn try_from(port: u16) -> Result<Self, String> {
        match port {
            15020 => Ok(MetricsPort::Merged),
            15090 => Ok(MetricsPort::Envoy),
            other => Err(format!(
                "port {other} is neither 15020 (merged: Envoy, agent and app) nor 15090 (Envoy only)"
            )),
        }
    }
}

/// Where the annotation that Prometheus discovers by is put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// On the pod template: lasting, restarts the pods.
    #[default]
    Template,
    /// On the running pods: no restart, lost with the pod.
    Pods,
}

/// How a workload without a sidecar gets one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Injection {
    /// A label on the pod template of what was chosen.
    #[default]
    Template,
    /// The namespace's label; whatever else restarts there gets a sidecar too.
    Namespace,
}

impl Answers {
    pub fn port_of(&self, item: &WorkloadRef) -> MetricsPort {
        self.each
            .get(item)
            .and_then(|each| each.port)
            .unwrap_or(self.options.port)
    }

    pub fn mark_of(&self, item: &WorkloadRef) -> Mark {
        self.each
            .get(item)
            .and_then(|each| each.mark)
            .unwrap_or(self.options.mark)
    }
}
