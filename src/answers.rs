//! What the user chose. The wizard fills it step by step, flags pre-fill it, a file keeps it.

use crate::error::Error;
use crate::mesh::Mesh;
use crate::mesh::Told;
use crate::mesh::kinds::WorkloadRef;
use crate::mesh::named::Named;
use crate::plan::ChangeId;
use crate::words::say::commands::errors as say;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

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
    /// Workloads without a sidecar that may get their first one, by which they enter the mesh.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub first_sidecar: BTreeSet<WorkloadRef>,
    /// Changes left out in the review, by id.
    pub leave_out: BTreeSet<ChangeId>,
    /// Workloads named in part, until the cluster has been read: [`Answers::settle`].
    #[serde(skip)]
    pub named: BTreeSet<Named>,
    /// What port 15091 of single workloads leads to, until then.
    #[serde(skip)]
    pub ports: BTreeMap<Named, MetricsPort>,
    /// The wizard uses the mouse; where it is not said, on but over SSH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mouse: Option<bool>,
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
            _ => Err(say::not_a_gateway(&text)),
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
    #[serde(alias = "mark")]
    pub annotate: Annotate,
    pub injection: Injection,
    /// All that is chosen may get its first sidecar.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub inject: bool,
    /// Old plaintext jobs leave secured pods out. `None`: each workload of which nothing would be lost
    /// (15020: mostly; 15090: only where nothing but Envoy's series is scraped today). `true`: all that are chosen, or
    /// none where one would lose. `false`: none that is not left out already.
    pub stop_plaintext_jobs: Option<bool>,
    /// With `true` there: those of which something would be lost, too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lose_metrics: bool,
    /// Repair what the published recipe or Istio's sample left behind.
    pub repair: bool,
    /// How fast workloads restart.
    #[serde(skip_serializing_if = "Pace::is_default")]
    pub pace: Pace,
    /// The mesh's trust domain and root namespace, for where the mesh's settings may not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_namespace: Option<String>,
    /// Nobody but the chosen Prometheus may read the secure port, whoever was let in by an earlier run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub only_this_prometheus: bool,
}

impl Options {
    /// The plaintext jobs end for all that is chosen, whatever is lost by it.
    pub fn loses_metrics(&self) -> bool {
        self.stop_plaintext_jobs == Some(true) && self.lose_metrics
    }
}

/// How fast workloads are restarted, one after another or together.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "camelCase")]
pub enum Pace {
    /// One workload at a time: the next begins when the rollout of the one before is done.
    #[default]
    One,
    /// One at a time, and its targets are UP before the next begins; one that is not stops the run.
    Canary,
    /// Annotations are written one after another; their rollouts are awaited together at the end.
    All,
}

impl Pace {
    fn is_default(&self) -> bool {
        *self == Pace::default()
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            port: MetricsPort::Merged,
            annotate: Annotate::Template,
            injection: Injection::Template,
            inject: false,
            stop_plaintext_jobs: None,
            lose_metrics: false,
            repair: true,
            pace: Pace::One,
            trust_domain: None,
            root_namespace: None,
            only_this_prometheus: false,
        }
    }
}

impl Options {
    /// What is said of the mesh.
    pub fn told(&self) -> Told {
        Told {
            root_namespace: self.root_namespace.clone(),
            trust_domain: self.trust_domain.clone(),
        }
    }
}

/// Options of one workload or gateway where they differ from those for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ItemOptions {
    pub port: Option<MetricsPort>,
    #[serde(alias = "mark")]
    pub annotate: Option<Annotate>,
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
            other => Err(say::not_a_metrics_port(other)),
        }
    }
}

/// Where the annotation that Prometheus discovers by is put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Annotate {
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
    /// A namespace, a workload or a gateway is named.
    pub fn chooses_something(&self) -> bool {
        !(self.namespaces.is_empty()
            && self.workloads.is_empty()
            && self.gateways.is_empty()
            && self.named.is_empty())
    }

    /// Looks up what was named in part, now that the cluster has been read.
    ///
    /// # Errors
    /// No workload is called so, or several are. What could be looked up is kept, the rest is forgotten.
    pub fn settle(&mut self, mesh: &Mesh) -> Result<(), Error> {
        let mut first = Ok(());
        for named in std::mem::take(&mut self.named) {
            match named.find(mesh) {
                Ok(id) => {
                    self.workloads.insert(id);
                }
                Err(error) => first = first.and(Err(error)),
            }
        }
        for (named, port) in std::mem::take(&mut self.ports) {
            match named.find(mesh) {
                Ok(id) => self.each.entry(id).or_default().port = Some(port),
                Err(error) => first = first.and(Err(error)),
            }
        }
        first
    }

    pub fn port_of(&self, item: &WorkloadRef) -> MetricsPort {
        self.each
            .get(item)
            .and_then(|each| each.port)
            .unwrap_or(self.options.port)
    }

    /// May this workload get its first sidecar, where it has none?
    pub fn may_inject(&self, item: &WorkloadRef) -> bool {
        self.options.inject || self.first_sidecar.contains(item)
    }

    pub fn annotate_of(&self, item: &WorkloadRef) -> Annotate {
        self.each
            .get(item)
            .and_then(|each| each.annotate)
            .unwrap_or(self.options.annotate)
    }
}

/// The file: the answers beside the version of their form.
#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    answers: Answers,
}

impl Answers {
    /// # Errors
    /// The file is missing, is no YAML, has unknown keys, or is of another version; the error names the place.
    pub fn load(file: &Path) -> Result<Answers, Error> {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|e| {
            Error::new(say::answers_not_read(&shown))
                .cause(crate::fault::io(&e))
                .hint(say::WIZARD_WRITES_ANSWERS)
        })?;
        Answers::parse(&text).map_err(|e| {
            Error::new(say::answers_not_valid(&shown))
                .cause(e)
                .hint(say::FIX_ANSWERS)
        })
    }

    fn parse(text: &str) -> Result<Answers, String> {
        #[derive(Deserialize)]
        struct Head {
            version: Option<u32>,
        }
        let head: Head = serde_yaml::from_str(text).map_err(|e| e.to_string())?;
        match head.version {
            Some(VERSION) => {}
            Some(other) => {
                return Err(say::other_version(other, VERSION));
            }
            None => return Err(say::lacks_version(VERSION)),
        }
        let file: File = serde_yaml::from_str(text).map_err(|e| e.to_string())?;
        Ok(file.answers)
    }

    pub fn to_yaml(&self) -> String {
        let file = File {
            version: VERSION,
            answers: self.clone(),
        };
        serde_yaml::to_string(&file).unwrap_or_default()
    }

    /// Writes the file whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, file: &Path) -> Result<(), Error> {
        let failed = |e: std::io::Error| {
            Error::new(say::answers_not_saved(&file.display().to_string()))
                .cause(crate::fault::io(&e))
                .hint(say::CHOOSE_ANOTHER_PLACE)
        };
        let mut beside = file.as_os_str().to_owned();
        beside.push(".new");
        let mut out = std::fs::File::create(&beside).map_err(failed)?;
        out.write_all(self.to_yaml().as_bytes()).map_err(failed)?;
        out.sync_all().map_err(failed)?;
        std::fs::rename(&beside, file).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::kinds::Kind;

    fn some() -> Answers {
        Answers {
            prometheus: Some(WorkloadRef::new(
                "istio-system",
                Kind::Deployment,
                "prometheus",
            )),
            workloads: [WorkloadRef::new("shop", Kind::StatefulSet, "ledger")].into(),
            gateways: ["istio-system/istio-ingressgateway".parse().unwrap()].into(),
            options: Options {
                port: MetricsPort::Envoy,
                annotate: Annotate::Pods,
                ..Options::default()
            },
            ..Answers::default()
        }
    }

    #[test]
    fn what_was_saved_is_what_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("answers.yaml");
        some().save(&file).unwrap();
        assert_eq!(Answers::load(&file).unwrap(), some());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_file_names_the_place() {
        for (text, place) in [
            ("version: 1\nanswers:\n  options: {port: 15021}\n", "15021"),
            (
                "version: 1\nanswers:\n  workload: []\n",
                "unknown field `workload`",
            ),
            (
                "version: 1\nanswers:\n  workloads: [shop/cart]\n",
                "shop/cart",
            ),
            ("version: 7\nanswers: {}\n", &say::other_version(7, VERSION)),
            ("answers: {}\n", &say::lacks_version(VERSION)),
            ("version: 1\nanswers: [\n", "line "),
        ] {
            let error = Answers::parse(text).unwrap_err();
            assert!(error.contains(place), "{text:?}: {error}");
        }
    }
}
