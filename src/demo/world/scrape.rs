//! Targets and their scrapes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::World;
use super::config::Job;
use super::proxy::{Caller, DRAIN, Outcome, Tls, app_metrics};
use super::relabel::Labels;
use crate::demo::json::{annotation, namespace, number_of, text};
use crate::demo::kinds;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Unknown,
    Up,
    Down,
}

#[derive(Clone, Debug)]
pub struct Target {
    pub discovered: Arc<Labels>,
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

impl World {
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
    pub(super) fn new(
        job: &Job,
        discovered: Arc<Labels>,
        labels: &Labels,
        now: Duration,
    ) -> Option<Target> {
        let of = |key: &str| labels.get(key).cloned().unwrap_or_default();
        let address = of("__address__");
        let scheme = of("__scheme__");
        let path = of("__metrics_path__");
        let mut parameters: Vec<String> = Vec::new();
        for (key, value) in labels {
            if let Some(parameter) = key.strip_prefix("__param_") {
                parameters.push(format!("{parameter}={value}"));
            }
        }
        let shown = labels.iter().filter(|(key, _)| !key.starts_with("__"));
        let mut labels: Labels = shown
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
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
    pub(super) fn key(&self) -> String {
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
