//! Prometheus in its pod: the configuration it has loaded, the targets it has discovered, and its scrapes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::config::{self, Config, Discovery, Job};
use super::injection::{mount_of, output_certs, proxy_container};
use super::proxy::{Caller, DRAIN, Outcome, Tls, app_metrics};
use super::relabel::{Labels, relabel};
use super::{World, discovery};
use crate::demo::json::{annotation, at, list, name, namespace, number_of, text, uid};
use crate::demo::kinds;

/// Where the text of `--config.file` comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    pub map: String,
    pub key: String,
    /// Mounted by `subPath`: never updated in a running pod.
    pub fixed: bool,
}

/// One Prometheus.
#[derive(Debug)]
pub struct PromRun {
    pub namespace: String,
    pub pod: String,
    pub container: String,
    pub port: u16,
    /// `--web.enable-lifecycle`
    pub lifecycle: bool,
    reloader: bool,
    source: Option<Source>,
    synced: String,
    sync_at: Option<Duration>,
    reload_at: Option<Duration>,
    discover_at: Option<Duration>,
    pub config: Config,
    pub loaded_ok: bool,
    pub loaded_at: Duration,
    pub started_at: Duration,
    pub pools: Vec<Pool>,
    found: HashMap<(String, String), (String, Vec<Found>)>,
}

/// A target group member, before and after relabelling.
#[derive(Clone, Debug)]
pub struct Found {
    pub discovered: Labels,
    /// `None`: dropped.
    pub labels: Option<Labels>,
}

#[derive(Debug)]
pub struct Pool {
    pub job: Job,
    /// Its TLS files could be read; without them Prometheus makes no pool at all.
    pub made: bool,
    pub targets: Vec<Target>,
    pub dropped: Vec<Labels>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Unknown,
    Up,
    Down,
}

#[derive(Clone, Debug)]
pub struct Target {
    pub discovered: Labels,
    pub labels: Labels,
    pub url: String,
    address: String,
    scheme: String,
    path: String,
    next: Duration,
    pub health: Health,
    pub error: String,
    pub last: Option<Duration>,
    pub took: f64,
    pub samples: usize,
    /// Since when its connection lives on only because it was there before a policy.
    kept: Option<Duration>,
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
        return None;
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
        map: map.to_owned(),
        key: key.to_owned(),
        fixed: !sub.is_empty(),
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
        let Some(map) = self.store.get(&kinds::CONFIG_MAP, ns, &source.map) else {
            return String::new();
        };
        map.get("data")
            .and_then(|data| data.get(&source.key))
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
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
            let Some(run) = self.proms.get_mut(&key) else {
                continue;
            };
            run.sync_at = if changed {
                Some(run.sync_at.unwrap_or(now + delay))
            } else {
                None
            };
            run.discover_at = Some(run.discover_at.unwrap_or(now + discovery));
        }
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
            reloader,
            source,
            synced,
            sync_at: None,
            reload_at: None,
            discover_at: None,
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

    /// Certificates came to this pod: a pool that could not be made may be made now.
    pub(super) fn prometheus_look_again(&mut self, key: &str) {
        let soon = self.now + self.settings.discovery;
        if let Some(run) = self.proms.get_mut(key) {
            run.discover_at = Some(soon);
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
    fn readable(&self, pod: &Value, container: &Value, file: &str) -> bool {
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

    /// Service discovery and relabelling, for all jobs of one Prometheus.
    fn discover(&mut self, key: &str) {
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
                        all.push(found(job, discovery::node(node)));
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
                            let targets = discovery::pod(pod).into_iter();
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

    /// Everything was scraped just before the simulation began.
    pub fn prometheus_settled(&mut self) {
        let keys: Vec<String> = self.proms.keys().cloned().collect();
        for key in keys {
            self.discover(&key);
            self.scrape(&key, Duration::ZERO, true);
        }
    }

    /// All scrapes that fall before `until`; nothing else happens in between, so each target is asked once.
    pub(super) fn scrape_until(&mut self, until: Duration) {
        let keys: Vec<String> = self.proms.keys().cloned().collect();
        for key in keys {
            self.scrape(&key, until, false);
        }
    }

    fn scrape(&mut self, key: &str, until: Duration, all: bool) {
        let Some(own) = self.pod_object(key) else {
            return;
        };
        let due = |t: &Target| all || t.next <= until;
        let waiting = self
            .proms
            .get(key)
            .is_some_and(|run| run.pools.iter().any(|pool| pool.targets.iter().any(due)));
        if !waiting {
            return;
        }
        let Some(mut run) = self.proms.remove(key) else {
            return;
        };
        for pool in &mut run.pools {
            let job = pool.job.clone();
            for target in pool.targets.iter_mut().filter(|t| due(t)) {
                let every = job.interval.as_millis().max(1);
                let first = target.next;
                let missed = until.saturating_sub(first).as_millis() / every;
                let last = if all {
                    until
                } else {
                    first + job.interval * u32::try_from(missed).unwrap_or(u32::MAX)
                };
                let result = self.scraped(&own, &job, target);
                target.take(result, first.min(last), last, &job);
                target.next = if all {
                    target.next
                } else {
                    last + job.interval
                };
            }
        }
        self.proms.insert(key.to_owned(), run);
    }

    /// One scrape: the sample count and the body's size, or Prometheus's error.
    fn scraped(&mut self, own: &Arc<Value>, job: &Job, target: &Target) -> Result<usize, Failure> {
        let (host, port) = split_address(&target.address, &target.scheme);
        if matches!(host.as_str(), "localhost" | "127.0.0.1") {
            return Ok(640);
        }
        let is_node = self
            .store
            .all(&kinds::NODE)
            .any(|node| text(node, "/status/addresses/0/address") == host);
        if is_node || host.starts_with("kubernetes.default") {
            return Ok(210);
        }
        let error = |why: &str| Failure::hard(format!("Get {:?}: {why}", target.url));
        let pod = if host.parse::<std::net::IpAddr>().is_ok() {
            self.pod_at(&host).map(|(_, pod)| pod)
        } else {
            let mut parts = host.split('.');
            let service = parts.next().unwrap_or("").to_owned();
            let ns = parts.next().unwrap_or(namespace(own)).to_owned();
            let Some(service) = self.store.get(&kinds::SERVICE, &ns, &service).cloned() else {
                return Err(error(&format!(
                    "dial tcp: lookup {host} on 10.96.0.10:53: no such host"
                )));
            };
            self.endpoints(&service).first().cloned()
        };
        let Some(pod) = pod else {
            return Err(error("context deadline exceeded"));
        };
        let mesh = self.mesh();
        let principal = self.principal(own, &mesh.trust_domain);
        let tls = if target.scheme != "https" {
            Tls::Plaintext
        } else if job.tls.cert_file.is_empty() {
            Tls::NoCertificate
        } else {
            Tls::Certificate(&principal)
        };
        let caller = Caller {
            pod: Some(own),
            tls,
            method: "GET",
            path: &target.path,
        };
        let outcome = self.request(&pod, port, &caller);
        let from = format!(
            "{}:{}",
            text(own, "/status/podIP"),
            32768 + number_of(&target.url) % 28000
        );
        let to = format!("{host}:{port}");
        if tls != Tls::Plaintext
            && !job.tls.insecure
            && matches!(outcome, Outcome::Answer { .. } | Outcome::App(_))
        {
            return Err(error(&format!(
                "tls: failed to verify certificate: x509: cannot validate certificate for {host} because it \
                 doesn't contain any IP SANs"
            )));
        }
        let lines = |body: &str| body.lines().filter(|l| !l.starts_with('#')).count();
        match outcome {
            Outcome::Answer { code: 200, body } => Ok(lines(&body)),
            Outcome::Answer { code, .. } => Err(Failure::hard(format!(
                "server returned HTTP status {}",
                http::StatusCode::from_u16(code)
                    .map_or_else(|_| code.to_string(), |c| c.to_string())
            ))),
            Outcome::App(_) => {
                let wanted = annotation(&pod, "prometheus.io/path").unwrap_or("/metrics");
                if target.path == wanted || target.path == "/metrics" {
                    Ok(lines(&app_metrics(&pod)))
                } else {
                    Err(Failure::hard(
                        "server returned HTTP status 404 Not Found".to_owned(),
                    ))
                }
            }
            Outcome::Refused => Err(error(&format!(
                "dial tcp {to}: connect: connection refused"
            ))),
            Outcome::Reset => Err(Failure {
                words: format!(
                    "Get {:?}: read tcp {from}->{to}: read: connection reset by peer",
                    target.url
                ),
                drains: true,
            }),
            Outcome::Eof => Err(error("EOF")),
            Outcome::Timeout => Err(error("context deadline exceeded")),
            Outcome::CertificateRequired => Err(error("remote error: tls: certificate required")),
            Outcome::PlainListener => Err(error("http: server gave HTTP response to HTTPS client")),
        }
    }
}

/// A scrape that failed.
struct Failure {
    words: String,
    /// A connection from before the change would go on for a while.
    drains: bool,
}

impl Failure {
    fn hard(words: String) -> Failure {
        Failure {
            words,
            drains: false,
        }
    }
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

fn split_address(address: &str, scheme: &str) -> (String, u16) {
    let default = if scheme == "https" { 443 } else { 80 };
    if let Some(rest) = address.strip_prefix('[') {
        let (host, port) = rest.split_once(']').unwrap_or((rest, ""));
        return (
            host.to_owned(),
            port.trim_start_matches(':').parse().unwrap_or(default),
        );
    }
    match address.rsplit_once(':') {
        Some((host, port)) => (host.to_owned(), port.parse().unwrap_or(default)),
        None => (address.to_owned(), default),
    }
}

impl Target {
    fn new(job: &Job, discovered: Labels, mut labels: Labels, now: Duration) -> Option<Target> {
        let take = |labels: &mut Labels, key: &str| labels.remove(key).unwrap_or_default();
        let address = take(&mut labels, "__address__");
        let scheme = take(&mut labels, "__scheme__");
        let path = take(&mut labels, "__metrics_path__");
        let mut parameters: Vec<String> = Vec::new();
        for (key, value) in &labels {
            if let Some(parameter) = key.strip_prefix("__param_") {
                parameters.push(format!("{parameter}={value}"));
            }
        }
        labels.retain(|key, _| !key.starts_with("__"));
        labels
            .entry("instance".to_owned())
            .or_insert_with(|| address.clone());
        if address.is_empty() {
            return None;
        }
        let query = if parameters.is_empty() {
            String::new()
        } else {
            format!("?{}", parameters.join("&"))
        };
        let url = format!("{scheme}://{address}{path}{query}");
        let spread =
            number_of(&format!("{}{url}", job.name)) % (job.interval.as_millis() as u64).max(1);
        Some(Target {
            discovered,
            labels,
            url,
            address,
            scheme,
            path,
            next: now + Duration::from_millis(spread),
            health: Health::Unknown,
            error: String::new(),
            last: None,
            took: 0.0,
            samples: 0,
            kept: None,
        })
    }

    /// Final labels and URL: what two discovered targets must share to be one.
    fn key(&self) -> String {
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        format!("{} {}", self.url, labels.join(","))
    }

    fn take(&mut self, result: Result<usize, Failure>, first: Duration, last: Duration, job: &Job) {
        let noise = number_of(&format!("{}{}", self.url, last.as_millis())) % 400;
        let quick = 0.004 + noise as f64 / 20_000.0;
        self.last = Some(last);
        match result {
            Ok(samples) => {
                self.health = Health::Up;
                self.error.clear();
                self.samples = samples;
                self.took = quick;
                self.kept = None;
            }
            Err(failure) => {
                if failure.drains && self.health == Health::Up {
                    let since = *self.kept.get_or_insert(first);
                    if last.saturating_sub(since) < DRAIN {
                        self.took = quick;
                        return;
                    }
                }
                let slow = failure.words.ends_with("deadline exceeded");
                self.took = if slow {
                    job.timeout.as_secs_f64()
                } else {
                    quick / 3.0
                };
                self.health = Health::Down;
                self.error = failure.words;
                self.samples = 0;
            }
        }
    }
}
