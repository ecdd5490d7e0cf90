//! Where a Prometheus keeps what is written for it: its scrape jobs, and the description of its pods.

use super::kinds::{Kind, ObjectRef};
use super::objects::{self as lean, Labels, Meta, VolumeMount};
use super::{Inventory, Owner, Prometheus, owner};
use crate::problems::{Problem, Subject};
use serde_json::Value;

/// Where a job is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigHome {
    /// A key of this object holds the whole file.
    File(ObjectRef),
    /// A key of this Secret, which the operator's resource names, holds jobs that the operator adds to its own.
    Added(ObjectRef),
    /// The resource names no Secret: this one is made, and named there.
    New(ObjectRef),
}

impl ConfigHome {
    pub fn object(&self) -> &ObjectRef {
        match self {
            ConfigHome::File(object) | ConfigHome::Added(object) | ConfigHome::New(object) => {
                object
            }
        }
    }

    /// May a record hold what an edit takes away?
    pub fn may_record(&self) -> bool {
        matches!(self, ConfigHome::File(_))
    }

    /// Can an edit of the text change this job? What the operator makes from its own resources is not in the text.
    pub fn holds(&self, job: &str) -> bool {
        match self {
            ConfigHome::File(_) => true,
            ConfigHome::Added(_) | ConfigHome::New(_) => !is_generated(job),
        }
    }
}

/// The operator calls a job by the resource that it makes it from (prometheus-operator, `pkg/prometheus/promcfg.go`).
pub fn is_generated(job: &str) -> bool {
    ["podMonitor/", "serviceMonitor/", "probe/", "scrapeConfig/"]
        .iter()
        .any(|kind| job.starts_with(kind))
}

/// Where its pods are described.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum PodHome {
    /// In the workload's own pod template.
    #[default]
    Template,
    /// In the resource that the operator makes the workload from.
    Resource(Box<Operated>),
}

/// What the operator's resource says of the pods.
#[derive(Clone, Debug, PartialEq)]
pub struct Operated {
    pub resource: ObjectRef,
    pub labels: Labels,
    pub annotations: Labels,
    pub volumes: Vec<Value>,
    pub mounts: Vec<VolumeMount>,
    /// The Secret and key of `spec.additionalScrapeConfigs`.
    pub additional: Option<(String, String)>,
    pub paused: bool,
    pub shards: u32,
    pub owner: Option<Owner>,
}

/// The key of a Secret that this program makes.
const KEY: &str = "scrape-configs.yaml";

impl Operated {
    /// The Secret and key for its additional jobs.
    pub fn jobs(&self) -> (ConfigHome, String) {
        let space = &self.resource.namespace;
        match &self.additional {
            Some((name, key)) => (
                ConfigHome::Added(ObjectRef::new(Kind::Secret, space, name)),
                key.clone(),
            ),
            None => {
                let name = format!("meshscrape-prometheus-{}", self.resource.name);
                let secret = ObjectRef::new(Kind::Secret, space, name);
                (ConfigHome::New(secret), KEY.to_owned())
            }
        }
    }
}

/// Is what the resource says of Istio on its pods carried over to the workload's pod template, and nothing else? Of
/// volumes and mounts: all that the resource has.
pub fn carried_over(resource: &Value, workload: &Value, container: &str) -> bool {
    let (spec, template) = (&resource["spec"], &workload["spec"]["template"]);
    let of_mesh = |map: &Value| -> Labels {
        let map = map.as_object().into_iter().flatten();
        map.filter(|(key, _)| key.contains("istio.io/") || key.contains("meshscrape.dev/"))
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect()
    };
    let same =
        |map: &str| of_mesh(&spec["podMetadata"][map]) == of_mesh(&template["metadata"][map]);
    let has = |list: &Value, there: &Value, key: &str| {
        let there = there.as_array().map_or(&[][..], Vec::as_slice);
        let mut list = list.as_array().into_iter().flatten();
        list.all(|one| there.iter().any(|other| other[key] == one[key]))
    };
    let containers = template["spec"]["containers"].as_array();
    let mut containers = containers.into_iter().flatten();
    let own = containers.find(|of| of["name"] == container);
    let mounts = own.map_or(&Value::Null, |own| &own["volumeMounts"]);
    same("labels")
        && same("annotations")
        && has(&spec["volumes"], &template["spec"]["volumes"], "name")
        && has(&spec["volumeMounts"], mounts, "mountPath")
}

impl PodHome {
    pub fn operated(&self) -> Option<&Operated> {
        match self {
            PodHome::Template => None,
            PodHome::Resource(operated) => Some(operated),
        }
    }
}

impl Prometheus {
    /// The object whose change makes its pods anew.
    pub fn pod_object(&self) -> ObjectRef {
        match &self.pod_home {
            PodHome::Template => self.id.object(),
            PodHome::Resource(operated) => operated.resource.clone(),
        }
    }
}

/// What keeps a change of the resource from reaching its pods, or from being seen there.
pub(super) fn obstacles(of: &Operated, subject: &Subject) -> Vec<Problem> {
    let (subject, resource) = (|| subject.clone(), || of.resource.clone());
    let mut found = Vec::new();
    if of.paused {
        found.push(Problem::OperatorPaused {
            of: subject(),
            resource: resource(),
        });
    }
    if of.shards > 1 {
        found.push(Problem::Sharded {
            of: subject(),
            resource: resource(),
            shards: of.shards,
        });
    }
    found
}

/// By the uid in the owner reference: a name alone may be another one's. `None`: no `Prometheus` of the operator owns
/// it, or it could not be read.
pub(super) fn operated(inventory: &Inventory, meta: &Meta) -> Option<Operated> {
    let owner = meta
        .owner_references
        .iter()
        .find(|owner| owner.kind == "Prometheus")?;
    let found = inventory.prometheuses.items.iter().find(|found| {
        !owner.uid.is_empty()
            && found.metadata.uid == owner.uid
            && found.metadata.namespace == meta.namespace
    })?;
    let lean::OperatorPrometheus { metadata, spec } = found;
    Some(Operated {
        resource: ObjectRef::new(
            Kind::OperatorPrometheus,
            &metadata.namespace,
            &metadata.name,
        ),
        labels: spec.pod_metadata.labels.clone(),
        annotations: spec.pod_metadata.annotations.clone(),
        volumes: spec.volumes.clone(),
        mounts: spec.volume_mounts.clone(),
        additional: spec
            .additional_scrape_configs
            .as_ref()
            .map(|selector| (selector.name.clone(), selector.key.clone())),
        paused: spec.paused,
        shards: spec.shards.unwrap_or(1),
        owner: owner::owner(metadata),
    })
}
