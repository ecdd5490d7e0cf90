//! Where the description of Prometheus's pods is written, and what stands there: the pod template of its workload, or
//! the operator's resource, of which the operator makes that template.

use crate::mesh::objects::{Labels, VolumeMount};
use crate::mesh::{PodHome, Prometheus};
use crate::plan::path::LeafPath;
use serde_json::Value;

pub(super) struct PodPlace<'a> {
    pub labels: (LeafPath, &'a Labels),
    pub annotations: (LeafPath, &'a Labels),
    pub volumes: (LeafPath, &'a [Value]),
    /// Of the container that runs Prometheus.
    pub mounts: (LeafPath, &'a [VolumeMount]),
}

pub(super) fn pod_place(of: &Prometheus) -> PodPlace<'_> {
    match &of.pod_home {
        PodHome::Template => {
            let template = || LeafPath::fields(["spec", "template"]);
            let metadata = |map: &str| template().field("metadata").field(map);
            let spec = || template().field("spec");
            let own = of.template.spec.containers.iter();
            let mut own = own.filter(|container| container.name == of.container);
            PodPlace {
                labels: (metadata("labels"), &of.template.metadata.labels),
                annotations: (metadata("annotations"), &of.template.metadata.annotations),
                volumes: (spec().field("volumes"), &of.template.spec.volumes),
                mounts: (
                    spec()
                        .field("containers")
                        .element("name", &of.container)
                        .field("volumeMounts"),
                    own.next().map_or(&[], |own| &own.volume_mounts),
                ),
            }
        }
        PodHome::Resource(operated) => {
            let metadata = |map: &str| LeafPath::fields(["spec", "podMetadata", map]);
            PodPlace {
                labels: (metadata("labels"), &operated.labels),
                annotations: (metadata("annotations"), &operated.annotations),
                volumes: (LeafPath::fields(["spec", "volumes"]), &operated.volumes),
                mounts: (LeafPath::fields(["spec", "volumeMounts"]), &operated.mounts),
            }
        }
    }
}
