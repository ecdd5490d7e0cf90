//! What a scrape job is for, told by what it makes of pods that are made up for the question: a pod in the mesh, with
//! and without the annotation of a secure port. Nothing is read off the looks of its rules.

use super::discovery::Pod;
use super::job::{Discovery, Job, Role};
use super::relabel::{Action, Rule};
use super::scrape::{Around, Discovered, Target};
use crate::mesh::objects::{
    Condition, ContainerPort, Labels, LeanContainer, LeanServicePort, OwnerReference, Service,
};
use std::collections::BTreeSet;
use std::sync::Arc;

pub const SECURE_PORT: &str = "prometheus.istio.io/secure-port";
const SECURE_ENVOY_PORT: &str = "prometheus.istio.io/secure-envoy-port";
/// An address of no network, so that a target shows whether it is the pod's own.
const IP: &str = "192.0.2.77";
const PORT: u16 = 15091;

/// What a job does with pods as they are usual in a mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// The annotation `secure-port` decides whether it scrapes a pod, or its secure port.
    pub keyed: bool,
    /// So does `secure-envoy-port`.
    pub keyed_envoy: bool,
    /// One of the two, over https.
    pub https: bool,
    /// At the port that the annotation names.
    pub at_port: bool,
    /// Follows a value of the annotation that is no number.
    pub any_value: bool,
    /// The path of such a scrape; `None`: it depends on the pod.
    pub path: Option<String>,
    /// Scrapes pods that say `prometheus.io/scrape` (or `scrape-slow`) in plaintext.
    pub plaintext: bool,
    /// Scrapes nothing of them but Envoy's own port.
    pub envoy_stats: bool,
    /// Scrapes such a pod in plaintext, and no longer once it is annotated.
    pub leaves_annotated: bool,
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    let pairs = pairs.iter();
    pairs
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

/// A pod in the mesh, as its injector leaves it, in a namespace where the job looks and with the labels that it selects.
pub fn pod(job: &Job, annotations: &[(&str, &str)]) -> Pod {
    let mut pod = Pod::default();
    let mut own = labels(&[("app", "probe"), ("pod-template-hash", "5d8f7c9b4")]);
    let mut namespace = "default".to_owned();
    for discovery in &job.discoveries {
        let Discovery::Kubernetes(sd) = discovery else {
            continue;
        };
        if let Some(first) = sd.namespaces.iter().next() {
            namespace.clone_from(first);
        }
        for selector in sd.selector(Role::Pod) {
            own.extend(selector.match_labels.clone());
            for one in &selector.match_expressions {
                if matches!(one["operator"].as_str(), Some("In" | "Exists")) {
                    let value = one["values"][0].as_str().unwrap_or("x");
                    let key = one["key"].as_str().unwrap_or_default();
                    own.insert(key.to_owned(), value.to_owned());
                }
            }
        }
    }
    pod.metadata.name = "probe-5d8f7c9b4-x7k2p".into();
    pod.metadata.namespace = namespace;
    pod.metadata.uid = "probe".into();
    pod.metadata.labels = Arc::new(own);
    pod.metadata.annotations = Arc::new(labels(annotations));
    pod.metadata.owner_references = Arc::new(vec![OwnerReference {
        kind: "ReplicaSet".into(),
        name: "probe-5d8f7c9b4".into(),
        controller: true,
        ..OwnerReference::default()
    }]);
    let container = |name: &str, port: u16, of: &str| LeanContainer {
        name: name.into(),
        image: format!("example.org/{name}:1"),
        ports: vec![ContainerPort {
            name: Some(of.into()),
            container_port: port,
            protocol: Some("TCP".into()),
        }],
        ..LeanContainer::default()
    };
    pod.spec.node_name = Some("node".into());
    pod.spec.containers = Arc::new(vec![
        container("probe", 8080, "http"),
        container("istio-proxy", 15090, "http-envoy-prom"),
    ]);
    pod.status.phase = "Running".into();
    pod.status.pod_ip = Some(IP.into());
    pod.status.conditions = Arc::new(vec![Condition {
        r#type: "Ready".into(),
        status: "True".into(),
        ..Condition::default()
    }]);
    pod
}

const STATUS: (&str, &str) = ("sidecar.istio.io/status", "{\"revision\":\"default\"}");
const SCRAPED: [(&str, &str); 3] = [
    ("prometheus.io/scrape", "true"),
    ("prometheus.io/port", "15020"),
    ("prometheus.io/path", "/stats/prometheus"),
];

/// A Service that leads to the pod and says the same.
fn service(pod: &Pod) -> Service {
    let mut service = Service::default();
    service.metadata.name = "probe".into();
    service
        .metadata
        .namespace
        .clone_from(&pod.metadata.namespace);
    service.metadata.annotations = labels(&SCRAPED);
    service.spec.selector = labels(&[("app", "probe")]);
    service.spec.ports = vec![LeanServicePort {
        name: Some("http".into()),
        port: 80,
        target_port: 8080.into(),
        ..LeanServicePort::default()
    }];
    service
}

/// What it makes of a pod with these annotations; nothing where that cannot be computed.
fn targets(job: &Job, annotations: &[(&str, &str)]) -> BTreeSet<Target> {
    let pod = pod(job, annotations);
    let services = [service(&pod)];
    let around = Around {
        services: &services,
        namespaces: &[],
        own: &pod.metadata.namespace,
        rights: None,
    };
    let mut found = Discovered::of(&pod, around, &services);
    let mut targets = found.targets(job).unwrap_or_default();
    targets.retain(|target| target.place().0 == IP);
    targets
}

fn at(targets: &BTreeSet<Target>, port: u16) -> Option<&Target> {
    targets.iter().find(|target| target.place().1 == Some(port))
}

/// Scrapes over http, of the pod's own address.
fn plain(targets: &BTreeSet<Target>) -> BTreeSet<u16> {
    let plain = targets.iter().filter(|target| target.scheme == "http");
    plain.filter_map(|target| target.place().1).collect()
}

/// The job without the filters that read no annotation of a secure port; `None`: it has no other.
fn open(job: &Job) -> Option<Job> {
    let keyed = |rule: &Rule| {
        let filter = matches!(
            rule.action,
            Action::Keep | Action::Drop | Action::KeepEqual | Action::DropEqual
        );
        let reads = |name: &String| {
            name.ends_with("_prometheus_istio_io_secure_port")
                || name.ends_with("_prometheus_istio_io_secure_envoy_port")
        };
        !filter || rule.source.iter().any(reads)
    };
    if job.rules.iter().all(keyed) {
        return None;
    }
    let mut open = job.clone();
    open.rules.retain(keyed);
    Some(open)
}

/// Only such a discovery brings a target at a pod's own address.
fn finds_pods(discovery: &Discovery) -> bool {
    matches!(discovery, Discovery::Kubernetes(sd) if matches!(sd.role, Role::Pod | Role::Endpoints(_)))
}

pub fn kind(whole: &Job) -> Kind {
    let mut kind = Kind::default();
    if !whole.discoveries.iter().any(finds_pods) {
        return kind;
    }
    let scrape = |job: &Job, more: &[(&'static str, &'static str)]| {
        let mut all = vec![STATUS];
        all.extend(SCRAPED);
        all.extend(more);
        targets(job, &all)
    };
    let none = scrape(whole, &[]);
    let annotated = scrape(whole, &[(SECURE_PORT, "15091")]);
    // Whom a job keyed on the annotation takes besides is another question.
    let open = open(whole);
    let (bare, secured) = match &open {
        Some(open) => (scrape(open, &[]), scrape(open, &[(SECURE_PORT, "15091")])),
        None => (none.clone(), annotated.clone()),
    };
    let job = open.as_ref().unwrap_or(whole);
    let envoy = scrape(job, &[(SECURE_ENVOY_PORT, "15091")]);
    let decides = |own: &BTreeSet<Target>| {
        let port = at(&bare, PORT).is_none() && at(own, PORT).is_some();
        port || (bare.is_empty() && !own.is_empty())
    };
    kind.keyed = decides(&secured);
    kind.keyed_envoy = !kind.keyed && decides(&envoy);
    let own = if kind.keyed { &secured } else { &envoy };
    let own = at(own, PORT).or(own.first());
    if let Some(target) = own.filter(|_| kind.keyed || kind.keyed_envoy) {
        kind.at_port = target.place().1 == Some(PORT);
        let name = if kind.keyed {
            SECURE_PORT
        } else {
            SECURE_ENVOY_PORT
        };
        kind.https = target.scheme == "https";
        kind.any_value = targets(job, &[STATUS, (name, "yes")])
            .iter()
            .next()
            .is_some();
        let other = targets(
            job,
            &[STATUS, (name, "15091"), ("prometheus.io/path", "/other")],
        );
        let same = other.iter().all(|other| other.path == target.path);
        kind.path = same.then(|| target.path.clone());
        return kind;
    }
    let job = whole;
    let slow = [
        STATUS,
        ("prometheus.io/scrape-slow", "true"),
        ("prometheus.io/port", "15020"),
    ];
    let unmeshed = [
        ("prometheus.io/scrape", "true"),
        ("prometheus.io/port", "8080"),
    ];
    let mut ports = plain(&none);
    let unannotated = targets(job, &slow);
    ports.extend(plain(&unannotated));
    ports.extend(plain(&targets(job, &unmeshed)));
    kind.envoy_stats = ports == BTreeSet::from([15090]);
    kind.plaintext = !ports.is_empty() && !kind.envoy_stats;
    let mut slow_annotated = slow.to_vec();
    slow_annotated.push((SECURE_PORT, "15091"));
    let goes = |before: &BTreeSet<Target>, after: &BTreeSet<Target>| {
        !plain(before).is_empty() && plain(after).is_empty()
    };
    kind.leaves_annotated =
        goes(&none, &annotated) || goes(&unannotated, &targets(job, &slow_annotated));
    kind
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::job::jobs;

    fn of(rules: &str, more: &str) -> Kind {
        let text = format!(
            "scrape_configs:\n- job_name: a\n  kubernetes_sd_configs: [{{role: pod}}]\n{more}  relabel_configs:\n{rules}"
        );
        let jobs = jobs(&text, Default::default());
        assert_eq!(jobs.len(), 1, "{text}");
        assert_eq!(jobs[0].unknown, []);
        kind(&jobs[0])
    }

    const KEEP: &str = "  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], action: keep, regex: true}\n";
    const PORT: &str = "  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port, __meta_kubernetes_pod_ip], regex: '(\\d+);(.+)', replacement: '$2:$1', target_label: __address__}\n";
    const SECURE: &str = "__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port";

    #[test]
    fn a_job_is_what_it_does() {
        let plain = of(KEEP, "");
        assert!(plain.plaintext && !plain.leaves_annotated && !plain.keyed);
        let rule = format!("{KEEP}  - {{source_labels: [{SECURE}], action: keep, regex: ''}}\n");
        let unannotated = of(&rule, "");
        assert!(unannotated.plaintext && unannotated.leaves_annotated && !unannotated.keyed);
        let rule = format!("{PORT}  - {{source_labels: [{SECURE}], action: keep, regex: \\d+}}\n");
        let secure = of(&rule, "  scheme: https\n");
        assert!(secure.keyed && secure.https && !secure.any_value && !secure.plaintext);
        assert_eq!(secure.path.as_deref(), Some("/metrics"));
        assert!(!of(&rule, "").https);
        let envoy = of(
            "  - {source_labels: [__meta_kubernetes_pod_container_port_name], action: keep, regex: .*-envoy-prom}\n",
            "",
        );
        assert!(envoy.envoy_stats && !envoy.plaintext);
        // Drops what has a sidecar, and takes what has none.
        let rule = format!(
            "{KEEP}  - {{source_labels: [__meta_kubernetes_pod_annotation_sidecar_istio_io_status], action: drop, regex: (.+)}}\n"
        );
        assert!(of(&rule, "").plaintext);
        let https = of(KEEP, "  scheme: https\n");
        assert!(!https.plaintext && !https.keyed);
    }
}
