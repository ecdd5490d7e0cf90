//! Pods as Prometheus's discovery and its jobs see them: those that run, and those that a template is to make.

use super::kinds::{Kind, WorkloadRef};
use super::objects::{self as lean, Labels, Template};
use super::pods::SECURE_PORT;
use super::scraped::{ENVOY, PORT, SCRAPE};
use super::{Pod, SidecarState, Workload};
use crate::reach::labels::read_as;
use std::sync::Arc;

/// What tells pods of one workload apart that a restart changes.
const OF_ONE_POD: [&str; 4] = [
    "apps.kubernetes.io/pod-index",
    "controller-revision-hash",
    "pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
];

/// A pod of the workload, as it is today or its template makes it, without the annotation of the secure port.
pub fn as_pod(workload: &Workload) -> lean::Pod {
    let own = workload.pods.iter().find(|pod| !pod.terminating);
    let mut pod = match own {
        Some(own) => seen(workload, own),
        None => to_come(&workload.id, &workload.template),
    };
    if pod.metadata.annotations.contains_key(SECURE_PORT) {
        Arc::make_mut(&mut pod.metadata.annotations).remove(SECURE_PORT);
    }
    if pod.proxy().is_none() && workload.sidecar != SidecarState::Impossible {
        pod = injected(pod, &workload.id, true);
    }
    pod
}

/// Its running pods, one for all that fare alike, and how many these are; the one that its template is to make where
/// none runs, with 0.
pub fn living(workload: &Workload) -> Vec<(usize, lean::Pod)> {
    let mut groups: Vec<(usize, &Pod, Labels)> = Vec::new();
    let running = workload.pods.iter().filter(|pod| !pod.terminating);
    for pod in running.filter(|pod| !super::pods::ended(&pod.phase)) {
        // Neighbours of one list share what they have alike.
        let same = groups
            .iter_mut()
            .find(|(_, other, _)| Arc::ptr_eq(&other.labels, &pod.labels) && is_like(other, pod));
        if let Some((count, _, _)) = same {
            *count += 1;
            continue;
        }
        let mut labels = (*pod.labels).clone();
        labels.retain(|name, _| !OF_ONE_POD.contains(&name.as_str()));
        let alike = groups
            .iter_mut()
            .find(|(_, other, known)| *known == labels && is_like(other, pod));
        match alike {
            Some((count, _, _)) => *count += 1,
            None => groups.push((1, pod, labels)),
        }
    }
    if groups.is_empty() {
        return vec![(0, to_come(&workload.id, &workload.template))];
    }
    let pods = groups.into_iter();
    pods.map(|(count, pod, _)| (count, seen(workload, pod)))
        .collect()
}

/// Labels aside.
fn is_like(one: &Pod, other: &Pod) -> bool {
    one.annotations == other.annotations
        && one.phase == other.phase
        && one.ip.is_some() == other.ip.is_some()
        && one.proxy.is_some() == other.proxy.is_some()
}

/// The pod that takes this one's place after a restart, its annotations and labels aside: with a sidecar, where one
/// `comes`.
pub fn next(pod: lean::Pod, workload: &Workload, comes: bool, merge: bool) -> lean::Pod {
    match pod.proxy() {
        None if comes => injected(pod, &workload.id, merge),
        _ => pod,
    }
}

fn seen(workload: &Workload, own: &Pod) -> lean::Pod {
    let mut pod = to_come(&workload.id, &workload.template);
    pod.metadata.name.clone_from(&own.name);
    pod.metadata.uid.clone_from(&own.uid);
    pod.metadata.labels = Arc::clone(&own.labels);
    pod.metadata.annotations = Arc::clone(&own.annotations);
    if let (Kind::Deployment, Some(hash), [owner]) = (
        workload.id.kind,
        own.labels.get("pod-template-hash"),
        Arc::make_mut(&mut pod.metadata.owner_references).as_mut_slice(),
    ) {
        owner.name = format!("{}-{hash}", workload.id.name);
    }
    if !own.spec.containers.is_empty() {
        pod.spec = own.spec.clone();
    }
    pod.status.phase.clone_from(&own.phase);
    pod.status.pod_ip.clone_from(&own.ip);
    pod.status.host_ip.clone_from(&own.host_ip);
    if !own.ready {
        Arc::make_mut(&mut pod.status.conditions)[0].status = "False".into();
    }
    pod
}

/// With what the injector adds (`pkg/kube/inject/webhook.go`, `applyPrometheusMerge`;
/// `files/injection-template.yaml`, labels).
pub(super) fn injected(mut pod: lean::Pod, of: &WorkloadRef, merge: bool) -> lean::Pod {
    let labels = Arc::make_mut(&mut pod.metadata.labels);
    let first = |names: &[&str], default: &str| {
        let value = names.iter().find_map(|name| labels.get(*name));
        value.map_or(default, String::as_str).to_owned()
    };
    const NAME: &str = "service.istio.io/canonical-name";
    const REVISION: &str = "service.istio.io/canonical-revision";
    const TLS: &str = "security.istio.io/tlsMode";
    for (label, value) in [
        (
            NAME,
            first(&[NAME, "app.kubernetes.io/name", "app"], &of.name),
        ),
        (
            REVISION,
            first(
                &[REVISION, "app.kubernetes.io/version", "version"],
                "latest",
            ),
        ),
        (TLS, first(&[TLS], "istio")),
    ] {
        labels.insert(label.to_owned(), value);
    }
    let annotations = Arc::make_mut(&mut pod.metadata.annotations);
    let says = |name: &str, value: &str| {
        let mut all = read_as(annotations, name);
        all.any(|(_, own)| own == value)
    };
    if merge && !says(SCRAPE, "false") && !says("prometheus.istio.io/merge-metrics", "false") {
        for (key, value) in [
            (SCRAPE, "true"),
            (PORT, "15020"),
            ("prometheus.io/path", "/stats/prometheus"),
        ] {
            annotations.insert(key.to_owned(), value.to_owned());
        }
    }
    let status = "sidecar.istio.io/status".to_owned();
    annotations.entry(status).or_insert_with(|| "{}".to_owned());
    Arc::make_mut(&mut pod.spec.containers).push(lean::LeanContainer {
        name: super::pods::PROXY.to_owned(),
        ports: vec![lean::ContainerPort {
            name: Some("http-envoy-prom".to_owned()),
            container_port: ENVOY,
            protocol: Some("TCP".to_owned()),
        }],
        ..lean::LeanContainer::default()
    });
    pod
}

/// A pod as the template makes it; what its injector would add is not.
pub(super) fn to_come(id: &WorkloadRef, template: &Template) -> lean::Pod {
    let lean_container = |of: &lean::Container| lean::LeanContainer {
        name: of.name.clone(),
        image: of.image.clone(),
        ports: of.ports.clone(),
        restart_policy: of.restart_policy.clone(),
        ..lean::LeanContainer::default()
    };
    let mut pod = lean::Pod::default();
    let (kind, name) = match id.kind {
        Kind::Deployment => (Kind::ReplicaSet, format!("{}-0", id.name)),
        kind => (kind, id.name.clone()),
    };
    pod.metadata.name = format!("{name}-0");
    pod.metadata.namespace.clone_from(&id.namespace);
    pod.metadata.labels = Arc::new(template.metadata.labels.clone());
    pod.metadata.annotations = Arc::new(template.metadata.annotations.clone());
    pod.metadata.owner_references = Arc::new(vec![lean::OwnerReference {
        kind: kind.name().to_owned(),
        name,
        controller: true,
        ..lean::OwnerReference::default()
    }]);
    let spec = &template.spec;
    pod.spec.containers = Arc::new(spec.containers.iter().map(lean_container).collect());
    pod.spec.init_containers = Arc::new(spec.init_containers.iter().map(lean_container).collect());
    pod.status.phase = "Running".into();
    pod.status.pod_ip = Some("192.0.2.1".into());
    pod.status.conditions = Arc::new(vec![lean::Condition {
        r#type: "Ready".into(),
        status: "True".into(),
        ..lean::Condition::default()
    }]);
    pod
}
