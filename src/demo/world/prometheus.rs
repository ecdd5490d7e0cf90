//! Prometheus in its pod: the configuration it has loaded, the targets it has discovered, and its scrapes.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use serde_json::Value;

use super::World;
use super::config::{self, Config, Discovery, Job};
use super::discovery::Found;
use super::injection::{mount_of, output_certs, proxy_container};
use super::relabel::Labels;
use super::scrape::Target;
use crate::demo::json::{at, list, name, namespace, text, uid};
use crate::demo::kinds;

/// Where the text of `--config.file` comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// A Secret in place of a ConfigMap.
    pub secret: bool,
    pub map: String,
    pub key: String,
    /// Mounted by `subPath`: never updated in a running pod.
    pub fixed: bool,
}

/// One Prometheus.
#[derive(Clone, Debug)]
pub struct PromRun {
    pub namespace: String,
    pub pod: String,
    pub container: String,
    pub port: u16,
    /// `--web.enable-lifecycle`
    pub lifecycle: bool,
    /// Basic auth stands in its `--web.config.file`.
    pub asks_password: bool,
    reloader: bool,
    source: Option<Source>,
    synced: String,
    sync_at: Option<Duration>,
    reload_at: Option<Duration>,
    pub(super) discover_at: Option<Duration>,
    /// Of what its discovery watches, as it was when it was told last.
    watched: u64,
    pub config: Config,
    pub loaded_ok: bool,
    pub loaded_at: Duration,
    pub started_at: Duration,
    pub pools: Vec<Pool>,
    /// What discovery found of each job and pod, with the pod's version it was found for.
    pub(super) found: HashMap<(String, String), (String, Vec<Found>)>,
}

#[derive(Clone, Debug)]
pub struct Pool {
    pub job: Job,
    /// Its TLS files could be read; without them Prometheus makes no pool at all.
    pub made: bool,
    pub targets: Vec<Target>,
    pub dropped: Vec<Arc<Labels>>,
}

impl PromRun {
    pub(super) fn due(&self) -> Option<Duration> {
        [self.sync_at, self.reload_at, self.discover_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// The configuration is to be read again, as after `POST /-/reload`.
    pub fn reload_soon(&mut self, now: Duration) {
        self.reload_at = Some(now);
    }
}

/// The container that runs Prometheus, and its `--config.file`.
fn prometheus_container(pod: &Value) -> Option<(&Value, &str)> {
    list(pod, "/spec/containers").iter().find_map(|container| {
        let args = list(container, "/args")
            .iter()
            .chain(list(container, "/command"));
        let file = args
            .filter_map(Value::as_str)
            .find_map(|arg| arg.trim_start_matches('-').strip_prefix("config.file="))?;
        Some((container, file))
    })
}

fn source(pod: &Value, container: &Value, file: &str) -> Option<Source> {
    let mount = mount_of(container, file)?;
    let wanted = text(mount, "/name");
    let volume = list(pod, "/spec/volumes")
        .iter()
        .find(|v| text(v, "/name") == wanted)?;
    let map = text(volume, "/configMap/name");
    if map.is_empty() {
        return rendered(pod, file);
    }
    let sub = text(mount, "/subPath");
    let place = text(mount, "/mountPath").trim_end_matches('/');
    let relative = if sub.is_empty() {
        file.strip_prefix(place)?.trim_start_matches('/')
    } else {
        sub
    };
    let items = list(volume, "/configMap/items");
    let key = items
        .iter()
        .find(|item| text(item, "/path") == relative)
        .map_or(relative, |item| text(item, "/key"));
    Some(Source {
        secret: false,
        map: map.to_owned(),
        key: key.to_owned(),
        fixed: !sub.is_empty(),
    })
}

/// The file is what a reloader beside Prometheus makes of one in a Secret.
fn rendered(pod: &Value, file: &str) -> Option<Source> {
    let made = |container: &&Value| {
        let mut args = list(container, "/args").iter().filter_map(Value::as_str);
        args.any(|arg| arg.strip_prefix("--config-envsubst-file=") == Some(file))
    };
    let reloader = list(pod, "/spec/containers").iter().find(made)?;
    let mut args = list(reloader, "/args").iter().filter_map(Value::as_str);
    let from = args.find_map(|arg| arg.strip_prefix("--config-file="))?;
    let mount = mount_of(reloader, from)?;
    let mut volumes = list(pod, "/spec/volumes").iter();
    let volume = volumes.find(|v| text(v, "/name") == text(mount, "/name"))?;
    let secret = text(volume, "/secret/secretName");
    let place = text(mount, "/mountPath").trim_end_matches('/');
    (!secret.is_empty()).then_some(Source {
        secret: true,
        map: secret.to_owned(),
        key: from.strip_prefix(place)?.trim_start_matches('/').to_owned(),
        fixed: false,
    })
}

impl World {
    /// The identity that a pod's certificate carries.
    pub fn principal(&self, pod: &Value, trust_domain: &str) -> String {
        let account = match text(pod, "/spec/serviceAccountName") {
            "" => "default",
            account => account,
        };
        format!("{trust_domain}/ns/{}/sa/{account}", namespace(pod))
    }

    fn current_text(&self, ns: &str, source: &Source) -> String {
        let kind = match source.secret {
            true => &kinds::SECRET,
            false => &kinds::CONFIG_MAP,
        };
        let Some(map) = self.store.get(kind, ns, &source.map) else {
            return String::new();
        };
        let stands = map.get("data").and_then(|data| data.get(&source.key));
        let stands = stands.and_then(Value::as_str).unwrap_or("");
        if !source.secret {
            return stands.to_owned();
        }
        let bytes = base64::engine::general_purpose::STANDARD.decode(stands);
        bytes
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default()
    }

    /// Something was written: new Prometheus pods, gone ones, changed configuration, changed pods.
    pub(super) fn prometheus_changed(&mut self) {
        let now = self.now;
        let pods: Vec<Arc<Value>> = self
            .store
            .all(&kinds::POD)
            .filter(|pod| {
                self.pods
                    .get(uid(pod))
                    .is_some_and(super::pods::PodRun::is_running)
            })
            .filter(|pod| prometheus_container(pod).is_some())
            .cloned()
            .collect();
        self.proms
            .retain(|key, _| pods.iter().any(|pod| uid(pod) == key));
        for pod in &pods {
            if self.proms.contains_key(uid(pod)) {
                continue;
            }
            self.start_prometheus(pod);
        }
        let keys: Vec<String> = self.proms.keys().cloned().collect();
        let delay = self.settings.config_sync;
        let discovery = self.settings.discovery;
        for key in keys {
            let Some(run) = self.proms.get(&key) else {
                continue;
            };
            let changed = match &run.source {
                Some(source) if !source.fixed => {
                    self.current_text(&run.namespace, source) != run.synced
                }
                _ => false,
            };
            let watched = self.watched(run);
            let Some(run) = self.proms.get_mut(&key) else {
                continue;
            };
            run.sync_at = if changed {
                Some(run.sync_at.unwrap_or(now + delay))
            } else {
                None
            };
            if run.watched != watched {
                run.watched = watched;
                run.discover_at = Some(run.discover_at.unwrap_or(now + discovery));
            }
        }
    }

    /// Changes with every object that some job's discovery watches.
    fn watched(&self, run: &PromRun) -> u64 {
        let mut hasher = DefaultHasher::new();
        let ways = run.config.jobs.iter().flat_map(|job| &job.discoveries);
        let mut spaces: BTreeSet<&str> = BTreeSet::new();
        for way in ways {
            match way {
                Discovery::Pods(named) if named.is_empty() => _ = spaces.insert(""),
                Discovery::Pods(named) => spaces.extend(named.iter().map(String::as_str)),
                Discovery::Nodes => {
                    for node in self.store.all(&kinds::NODE) {
                        text(node, "/metadata/resourceVersion").hash(&mut hasher);
                    }
                }
                _ => {}
            }
        }
        for pod in self.store.all(&kinds::POD) {
            if spaces.contains("") || spaces.contains(namespace(pod)) {
                uid(pod).hash(&mut hasher);
                text(pod, "/metadata/resourceVersion").hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    fn start_prometheus(&mut self, pod: &Arc<Value>) {
        let Some((container, file)) = prometheus_container(pod) else {
            return;
        };
        let source = source(pod, container, file);
        let ns = namespace(pod).to_owned();
        let synced = source
            .as_ref()
            .map(|source| self.current_text(&ns, source))
            .unwrap_or_default();
        let has_arg = |container: &Value, wanted: &str| {
            list(container, "/args")
                .iter()
                .filter_map(Value::as_str)
                .any(|arg| arg.trim_start_matches('-').starts_with(wanted))
        };
        let reloader = list(pod, "/spec/containers")
            .iter()
            .any(|c| has_arg(c, "reload-url") || has_arg(c, "webhook-url"));
        let port = list(container, "/ports")
            .first()
            .and_then(|p| at(p, "/containerPort").as_u64())
            .and_then(|p| u16::try_from(p).ok())
            .unwrap_or(9090);
        let run = PromRun {
            namespace: ns,
            pod: name(pod).to_owned(),
            container: text(container, "/name").to_owned(),
            port,
            lifecycle: has_arg(container, "web.enable-lifecycle"),
            asks_password: self.asks_password(pod, container),
            reloader,
            source,
            synced,
            sync_at: None,
            reload_at: None,
            discover_at: None,
            watched: 0,
            config: Config::default(),
            loaded_ok: true,
            loaded_at: self.now,
            started_at: self.now,
            pools: Vec::new(),
            found: HashMap::new(),
        };
        let key = uid(pod).to_owned();
        self.proms.insert(key.clone(), run);
        self.load(&key);
    }

    /// The file of `--web.config.file`, in a ConfigMap or Secret, names users.
    fn asks_password(&self, pod: &Value, container: &Value) -> bool {
        let args = list(container, "/args").iter().filter_map(Value::as_str);
        let mut args = args.map(|arg| arg.trim_start_matches('-'));
        let Some(file) = args.find_map(|arg| arg.strip_prefix("web.config.file=")) else {
            return false;
        };
        let Some(mount) = mount_of(container, file) else {
            return false;
        };
        let mut volumes = list(pod, "/spec/volumes").iter();
        let Some(volume) = volumes.find(|v| text(v, "/name") == text(mount, "/name")) else {
            return false;
        };
        let name = file.rsplit('/').next().unwrap_or_default();
        let key = format!("/data/{name}");
        let of = |kind, object: &str| {
            let found = self.store.get(kind, namespace(pod), object)?;
            Some(text(found, &key).to_owned())
        };
        let map = of(&kinds::CONFIG_MAP, text(volume, "/configMap/name"));
        let secret = of(&kinds::SECRET, text(volume, "/secret/secretName"));
        let plain = secret.and_then(|text| {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(text)
                .ok()?;
            String::from_utf8(bytes).ok()
        });
        let texts = [map, plain];
        texts
            .iter()
            .flatten()
            .any(|text| text.contains("basic_auth_users:"))
    }

    /// Reads the configuration that lies in the pod.
    fn load(&mut self, key: &str) {
        let now = self.now;
        let Some(run) = self.proms.get_mut(key) else {
            return;
        };
        match config::parse(&run.synced) {
            Ok(config) => {
                let mut old: Vec<Pool> = std::mem::take(&mut run.pools);
                run.pools = config
                    .jobs
                    .iter()
                    .map(|job| {
                        let targets = old
                            .iter_mut()
                            .find(|pool| pool.job.name == job.name)
                            .map(|pool| std::mem::take(&mut pool.targets))
                            .unwrap_or_default();
                        Pool {
                            job: job.clone(),
                            made: false,
                            targets,
                            dropped: Vec::new(),
                        }
                    })
                    .collect();
                run.config = config;
                run.loaded_ok = true;
                run.loaded_at = now;
                run.found.clear();
                self.discover(key);
            }
            Err(_) => run.loaded_ok = false,
        }
    }

    /// Certificates came to this pod. A pool that could not be made is tried again with the next update of discovery:
    /// the first comes a moment after the configuration was loaded, any other when what is watched changes.
    pub(super) fn prometheus_look_again(&mut self, key: &str) {
        let first = self.settings.discovery * 5;
        let now = self.now;
        if let Some(run) = self.proms.get_mut(key)
            && now <= run.loaded_at + first
        {
            run.discover_at = Some(run.discover_at.unwrap_or(run.loaded_at + first));
        }
    }

    pub(super) fn prometheus_due(&mut self) {
        let now = self.now;
        let keys: Vec<String> = self.proms.keys().cloned().collect();
        let due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        for key in keys {
            let Some(run) = self.proms.get(&key) else {
                continue;
            };
            if due(run.sync_at) {
                let fresh = run
                    .source
                    .as_ref()
                    .map(|s| self.current_text(&run.namespace, s));
                if let (Some(run), Some(fresh)) = (self.proms.get_mut(&key), fresh) {
                    run.synced = fresh;
                    run.sync_at = None;
                    if run.reloader {
                        run.reload_at = Some(now + Duration::from_secs(1));
                    }
                }
            }
            if self.proms.get(&key).is_some_and(|run| due(run.reload_at)) {
                if let Some(run) = self.proms.get_mut(&key) {
                    run.reload_at = None;
                }
                self.load(&key);
            }
            if self.proms.get(&key).is_some_and(|run| due(run.discover_at)) {
                self.discover(&key);
            }
        }
    }

    /// Whether a file can be read in the Prometheus container.
    pub(super) fn readable(&self, pod: &Value, container: &Value, file: &str) -> bool {
        if file.is_empty() || file.starts_with("/var/run/secrets/kubernetes.io/serviceaccount/") {
            return true;
        }
        let Some(mount) = mount_of(container, file) else {
            return false;
        };
        let volume_name = text(mount, "/name");
        let place = text(mount, "/mountPath").trim_end_matches('/');
        let Some(inner) = file
            .strip_prefix(place)
            .map(|rest| rest.trim_start_matches('/'))
        else {
            return false;
        };
        let Some(volume) = list(pod, "/spec/volumes")
            .iter()
            .find(|v| text(v, "/name") == volume_name)
        else {
            return false;
        };
        let ns = namespace(pod);
        let keyed = |kind, object: &str| {
            self.store
                .get(kind, ns, object)
                .is_some_and(|o| o.get("data").is_some_and(|data| data.get(inner).is_some()))
        };
        let secret = text(volume, "/secret/secretName");
        let map = text(volume, "/configMap/name");
        if !secret.is_empty() {
            return keyed(&kinds::SECRET, secret);
        }
        if !map.is_empty() {
            return keyed(&kinds::CONFIG_MAP, map);
        }
        let written = self.pods.get(uid(pod)).is_some_and(|run| run.certs);
        let Some((directory, true)) = output_certs(pod) else {
            return false;
        };
        let same_volume = proxy_container(pod)
            .and_then(|proxy| mount_of(proxy, directory))
            .is_some_and(|m| text(m, "/name") == volume_name && text(m, "/mountPath") == directory);
        written && same_volume && matches!(inner, "key.pem" | "cert-chain.pem" | "root-cert.pem")
    }
}
