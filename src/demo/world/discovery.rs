//! What `kubernetes_sd_configs` finds, with the labels that Prometheus gives it.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::World;
use super::config::{self, Discovery, Job};
use super::relabel::{Labels, relabel};
use super::scrape::Target;
use crate::demo::json::{at, list, name, namespace, text, uid};
use crate::demo::kinds;
use crate::demo::rights::{self, Asked};
use crate::reach;
use crate::reach::discovery::{self, Attach, Endpoints, Knows};

fn put(labels: &mut Labels, key: &str, value: &str) {
    labels.insert(format!("__meta_kubernetes_{key}"), value.to_owned());
}

fn put_map(labels: &mut Labels, kind: &str, map: &Value) {
    for (key, value) in map.as_object().into_iter().flatten() {
        let key = discovery::sanitized(key);
        put(
            labels,
            &format!("{kind}_{key}"),
            value.as_str().unwrap_or(""),
        );
        put(labels, &format!("{kind}present_{key}"), "true");
    }
}

fn owned(set: reach::relabel::Set) -> Labels {
    let pairs = set.iter();
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The targets of one pod before relabelling.
pub fn pod(pod: &Value) -> Vec<Labels> {
    let Ok(pod) = discovery::Pod::deserialize(pod) else {
        return Vec::new();
    };
    let found = discovery::of_pod(&pod, Attach::default(), None);
    found.into_iter().map(owned).collect()
}

/// Those of one pod behind a Service.
fn behind(service: &Value, pod: &Value, role: Endpoints) -> Vec<Labels> {
    let read = (
        discovery::Service::deserialize(service),
        discovery::Pod::deserialize(pod),
    );
    let (Ok(service), Ok(pod)) = read else {
        return Vec::new();
    };
    if !discovery::leads_to(&service, &pod) {
        return Vec::new();
    }
    let knows = Knows {
        pod: true,
        service: true,
    };
    let found = discovery::of_endpoint(&service, &pod, role, Attach::default(), None, knows);
    found.into_iter().map(owned).collect()
}

/// Those of each pod, by its uid, with the version of the pod that they were found for.
pub(super) type PodTargets = HashMap<String, (String, Arc<[Labels]>)>;

/// The targets of one pod: the same for every job and every Prometheus until the pod changes.
fn targets_of(known: &mut PodTargets, pod: &Value) -> Arc<[Labels]> {
    let version = text(pod, "/metadata/resourceVersion");
    match known.get(uid(pod)) {
        Some((seen, targets)) if seen == version => targets.clone(),
        _ => {
            let targets: Arc<[Labels]> = self::pod(pod).into();
            let entry = (version.to_owned(), targets.clone());
            known.insert(uid(pod).to_owned(), entry);
            targets
        }
    }
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
    pub discovered: Arc<Labels>,
    /// `None`: dropped.
    pub labels: Option<Arc<Labels>>,
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
    let kept = relabel(&labels, &job.rules);
    Found {
        discovered: Arc::new(labels),
        labels: kept.filter(|l| l.contains_key("__address__")).map(Arc::new),
    }
}

/// Where a discovery finds what it may list: a list of all needs the right to all.
struct Places<'a> {
    everywhere: bool,
    namespaces: Vec<&'a str>,
}

impl<'a> Places<'a> {
    fn new(named: &'a [String], lists: &dyn Fn(&str) -> bool) -> Self {
        let namespaces = named.iter().map(String::as_str);
        Places {
            everywhere: named.is_empty() && lists(""),
            namespaces: namespaces.filter(|name| lists(name)).collect(),
        }
    }

    fn has(&self, namespace: &str) -> bool {
        self.everywhere || self.namespaces.contains(&namespace)
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
        let mut pods = std::mem::take(&mut self.pod_targets);
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
            let lists = |place: &str| self.lists_pods(&own, place);
            let found = self.find(&mut pods, &mut run.found, &pool.job, &lists);
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
                let Some(target) = Target::new(&pool.job, one.discovered, &labels, now) else {
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
        let alive = |key: &String| {
            let uid = key.split('/').next().unwrap_or_default();
            self.pods.contains_key(uid)
        };
        run.found.retain(|(_, uid), _| alive(uid));
        pods.retain(|uid, _| alive(uid));
        self.pod_targets = pods;
        self.proms.insert(key.to_owned(), run);
    }

    /// Whether a pod's ServiceAccount may list and watch pods; `place` empty: in all namespaces.
    fn lists_pods(&self, pod: &Value, place: &str) -> bool {
        let (user, groups) = rights::account(namespace(pod), text(pod, "/spec/serviceAccountName"));
        ["list", "watch"].into_iter().all(|verb| {
            self.allows(&Asked {
                user: &user,
                groups: groups.iter().map(String::as_str).collect(),
                verb,
                group: "",
                resource: "pods",
                namespace: place,
            })
        })
    }

    fn find(
        &self,
        pods: &mut PodTargets,
        cache: &mut HashMap<(String, String), (String, Vec<Found>)>,
        job: &Job,
        lists: &dyn Fn(&str) -> bool,
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
                    let places = Places::new(namespaces, lists);
                    for pod in self.store.all(&kinds::POD) {
                        if !places.has(namespace(pod)) {
                            continue;
                        }
                        let version = text(pod, "/metadata/resourceVersion");
                        let entry = cache
                            .entry((job.name.clone(), uid(pod).to_owned()))
                            .or_insert_with(|| (String::new(), Vec::new()));
                        if entry.0 != version {
                            let targets = targets_of(pods, pod);
                            let made = targets.iter().map(|t| found(job, t.clone()));
                            *entry = (version.to_owned(), made.collect());
                        }
                        all.extend(entry.1.iter().cloned());
                    }
                }
                Discovery::Endpoints(role, namespaces) => {
                    let places = Places::new(namespaces, lists);
                    for service in self.store.all(&kinds::SERVICE) {
                        let space = namespace(service);
                        let selector = at(service, "/spec/selector").as_object();
                        let Some(selector) = selector.filter(|all| !all.is_empty()) else {
                            continue;
                        };
                        if !places.has(space) {
                            continue;
                        }
                        for pod in self.store.all(&kinds::POD) {
                            let own = at(pod, "/metadata/labels");
                            if namespace(pod) != space
                                || !selector.iter().all(|(k, v)| own.get(k) == Some(v))
                            {
                                continue;
                            }
                            let version = format!(
                                "{}/{}",
                                text(pod, "/metadata/resourceVersion"),
                                text(service, "/metadata/resourceVersion")
                            );
                            let key = format!("{}/{}", uid(pod), name(service));
                            let entry = cache.entry((job.name.clone(), key)).or_default();
                            if entry.0 != version {
                                let targets = behind(service, pod, *role).into_iter();
                                *entry = (version, targets.map(|t| found(job, t)).collect());
                            }
                            all.extend(entry.1.iter().cloned());
                        }
                    }
                }
                Discovery::Other => {}
            }
        }
        all
    }
}
