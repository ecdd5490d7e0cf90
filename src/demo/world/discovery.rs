//! What `kubernetes_sd_configs` finds, with the labels that Prometheus gives it.

use std::collections::HashMap;

use serde_json::Value;

use super::World;
use super::config::{self, Discovery, Job};
use super::relabel::{Labels, relabel};
use super::scrape::Target;
use crate::demo::json::{at, controller, list, name, namespace, text, uid};
use crate::demo::kinds;

/// Characters that a label name cannot hold become underscores.
fn sanitized(key: &str) -> String {
    key.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

fn put(labels: &mut Labels, key: &str, value: &str) {
    labels.insert(format!("__meta_kubernetes_{key}"), value.to_owned());
}

fn put_map(labels: &mut Labels, kind: &str, map: &Value) {
    for (key, value) in map.as_object().into_iter().flatten() {
        let key = sanitized(key);
        put(
            labels,
            &format!("{kind}_{key}"),
            value.as_str().unwrap_or(""),
        );
        put(labels, &format!("{kind}present_{key}"), "true");
    }
}

/// The target groups of one pod: one for each port of each container, init containers too;
/// one without port for a container that has none.
pub fn pod(pod: &Value) -> Vec<Labels> {
    let address = text(pod, "/status/podIP");
    if address.is_empty() {
        return Vec::new();
    }
    let mut common = Labels::new();
    put(&mut common, "namespace", namespace(pod));
    put(&mut common, "pod_name", name(pod));
    put(&mut common, "pod_uid", uid(pod));
    put(&mut common, "pod_ip", address);
    put(&mut common, "pod_node_name", text(pod, "/spec/nodeName"));
    put(&mut common, "pod_host_ip", text(pod, "/status/hostIP"));
    put(&mut common, "pod_phase", text(pod, "/status/phase"));
    let ready = list(pod, "/status/conditions")
        .iter()
        .find(|c| text(c, "/type") == "Ready")
        .map_or("unknown", |c| text(c, "/status"));
    put(&mut common, "pod_ready", &ready.to_lowercase());
    if let Some((kind, owner)) = controller(pod) {
        put(&mut common, "pod_controller_kind", kind);
        put(&mut common, "pod_controller_name", owner);
    }
    put_map(&mut common, "pod_label", at(pod, "/metadata/labels"));
    put_map(
        &mut common,
        "pod_annotation",
        at(pod, "/metadata/annotations"),
    );

    let mut targets = Vec::new();
    let inits = list(pod, "/spec/initContainers").iter().map(|c| (c, true));
    let containers = list(pod, "/spec/containers").iter().map(|c| (c, false));
    for (container, init) in containers.chain(inits) {
        let mut base = common.clone();
        put(&mut base, "pod_container_name", text(container, "/name"));
        put(&mut base, "pod_container_image", text(container, "/image"));
        put(
            &mut base,
            "pod_container_init",
            if init { "true" } else { "false" },
        );
        let ports = list(container, "/ports");
        if ports.is_empty() {
            base.insert("__address__".to_owned(), address.to_owned());
            targets.push(base);
            continue;
        }
        for port in ports {
            let mut labels = base.clone();
            let number = at(port, "/containerPort").to_string();
            put(&mut labels, "pod_container_port_number", &number);
            put(&mut labels, "pod_container_port_name", text(port, "/name"));
            put(
                &mut labels,
                "pod_container_port_protocol",
                text(port, "/protocol"),
            );
            labels.insert("__address__".to_owned(), host_port(address, &number));
            targets.push(labels);
        }
    }
    targets
}

fn host_port(address: &str, port: &str) -> String {
    if address.contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}

pub fn node(node: &Value) -> Labels {
    let mut labels = Labels::new();
    let address = text(node, "/status/addresses/0/address");
    put(&mut labels, "node_name", name(node));
    put_map(&mut labels, "node_label", at(node, "/metadata/labels"));
    labels.insert("__address__".to_owned(), host_port(address, "10250"));
    labels.insert("instance".to_owned(), name(node).to_owned());
    labels
}

/// A target group member, before and after relabelling.
#[derive(Clone, Debug)]
pub struct Found {
    pub discovered: Labels,
    /// `None`: dropped.
    pub labels: Option<Labels>,
}

fn found(job: &Job, mut labels: Labels) -> Found {
    labels.insert("job".to_owned(), job.name.clone());
    labels.insert("__scheme__".to_owned(), job.scheme.clone());
    labels.insert("__metrics_path__".to_owned(), job.path.clone());
    labels.insert(
        "__scrape_interval__".to_owned(),
        config::words(job.interval),
    );
    labels.insert("__scrape_timeout__".to_owned(), config::words(job.timeout));
    let kept = relabel(labels.clone(), &job.rules);
    Found {
        discovered: labels,
        labels: kept.filter(|l| l.contains_key("__address__")),
    }
}

impl World {
    /// Service discovery and relabelling, for all jobs of one Prometheus.
    pub(super) fn discover(&mut self, key: &str) {
        let Some(own) = self.pod_object(key) else {
            return;
        };
        let Some(mut run) = self.proms.remove(key) else {
            return;
        };
        run.discover_at = None;
        let now = self.now;
        let container = list(&own, "/spec/containers")
            .iter()
            .find(|c| text(c, "/name") == run.container)
            .cloned()
            .unwrap_or_default();
        let mut pools = std::mem::take(&mut run.pools);
        for pool in &mut pools {
            let tls = &pool.job.tls;
            pool.made = [&tls.ca_file, &tls.cert_file, &tls.key_file]
                .into_iter()
                .all(|file| self.readable(&own, &container, file));
            if !pool.made {
                pool.targets.clear();
                pool.dropped.clear();
                continue;
            }
            let found = self.find(&mut run.found, &pool.job);
            let mut fresh: Vec<Target> = Vec::new();
            pool.dropped.clear();
            let mut seen: HashMap<String, ()> = HashMap::new();
            let mut old: HashMap<String, Target> = pool
                .targets
                .drain(..)
                .map(|target| (target.key(), target))
                .collect();
            for one in found {
                let Some(labels) = one.labels else {
                    pool.dropped.push(one.discovered);
                    continue;
                };
                let Some(target) = Target::new(&pool.job, one.discovered, labels, now) else {
                    continue;
                };
                let own_key = target.key();
                if seen.insert(own_key.clone(), ()).is_some() {
                    continue;
                }
                fresh.push(match old.remove(&own_key) {
                    Some(mut kept) => {
                        kept.discovered = target.discovered;
                        kept
                    }
                    None => target,
                });
            }
            pool.targets = fresh;
        }
        run.pools = pools;
        let alive = |uid: &String| self.pods.contains_key(uid);
        run.found.retain(|(_, uid), _| alive(uid));
        self.proms.insert(key.to_owned(), run);
    }

    fn find(
        &self,
        cache: &mut HashMap<(String, String), (String, Vec<Found>)>,
        job: &Job,
    ) -> Vec<Found> {
        let mut all = Vec::new();
        for source in &job.discoveries {
            match source {
                Discovery::Static(addresses) => {
                    for address in addresses {
                        let labels = Labels::from([("__address__".to_owned(), address.clone())]);
                        all.push(found(job, labels));
                    }
                }
                Discovery::Nodes => {
                    for node in self.store.all(&kinds::NODE) {
                        all.push(found(job, self::node(node)));
                    }
                }
                Discovery::Pods(namespaces) => {
                    for pod in self.store.all(&kinds::POD) {
                        if !namespaces.is_empty()
                            && !namespaces.iter().any(|ns| ns == namespace(pod))
                        {
                            continue;
                        }
                        let version = text(pod, "/metadata/resourceVersion");
                        let entry = cache
                            .entry((job.name.clone(), uid(pod).to_owned()))
                            .or_insert_with(|| (String::new(), Vec::new()));
                        if entry.0 != version {
                            let targets = self::pod(pod).into_iter();
                            *entry = (version.to_owned(), targets.map(|t| found(job, t)).collect());
                        }
                        all.extend(entry.1.iter().cloned());
                    }
                }
                Discovery::Other => {}
            }
        }
        all
    }
}
