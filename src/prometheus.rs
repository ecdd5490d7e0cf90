//! The way into a Prometheus of the cluster: through the API server's proxy, replica by replica.
//!
//! Each question finds the running pods anew, so that a Prometheus which restarted meanwhile is found.

mod answer;
mod config;
mod targets;
mod way;

#[cfg(test)]
mod tests;

pub use config::{Job, Running};
pub use targets::Wanted;
pub use way::{Ready, owned_by};

use crate::cluster::api::encode;
use crate::cluster::{ApiError, Cluster};
use crate::error::Error;
use crate::mesh::kinds::WorkloadRef;
use crate::mesh::objects::Labels;
use crate::mesh::{self, Observed, Rule};
use crate::targets::Target;
use crate::words::say::prometheus as say;
use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// A Prometheus and how it is asked. Cheap to clone; clones share what was learned of the way.
#[derive(Clone)]
pub struct Prom {
    cluster: Cluster,
    at: Arc<At>,
}

struct At {
    id: WorkloadRef,
    /// Labels of its pod template, as a Service selects by them.
    labels: Labels,
    /// Those that no patch of ours changes: the selector where the workload itself cannot be read.
    lasting: Labels,
    port: u16,
    prefix: String,
    https: AtomicBool,
    /// The workload's own selector; it never changes.
    selector: OnceCell<Labels>,
    service: OnceCell<Option<way::Through>>,
    /// By pod: the running configuration as it was read last, by the hash of its text.
    configs: Mutex<HashMap<String, (u64, Arc<Running>)>>,
}

impl Prom {
    pub fn new(cluster: Cluster, at: &mesh::Prometheus) -> Self {
        let prefix = at.route_prefix.trim_matches('/');
        Prom {
            cluster,
            at: Arc::new(At {
                id: at.id.clone(),
                labels: at.template.metadata.labels.clone(),
                lasting: lasting(&at.template.metadata.labels),
                port: at.http_port,
                prefix: if prefix.is_empty() {
                    String::new()
                } else {
                    format!("/{prefix}")
                },
                https: AtomicBool::new(at.web_config),
                selector: OnceCell::new(),
                service: OnceCell::new(),
                configs: Mutex::default(),
            }),
        }
    }

    /// Active targets of these jobs (of all, where none is named) that belong to a wanted pod.
    /// One answer is in memory at a time; parsing runs off the async threads.
    ///
    /// # Errors
    /// What stands in the way, what it means and what to do.
    pub async fn targets(
        &self,
        pod: &str,
        jobs: &[String],
        wanted: &Arc<Wanted>,
    ) -> Result<Vec<Target>, Error> {
        if jobs.is_empty() {
            return self.targets_of(pod, None, wanted).await;
        }
        let mut all = Vec::new();
        for job in jobs {
            all.extend(self.targets_of(pod, Some(job), wanted).await?);
        }
        Ok(all)
    }

    async fn targets_of(
        &self,
        pod: &str,
        job: Option<&str>,
        wanted: &Arc<Wanted>,
    ) -> Result<Vec<Target>, Error> {
        let mut path = "/api/v1/targets?state=active".to_owned();
        if let Some(job) = job {
            path.push_str("&scrapePool=");
            path.push_str(&encode(job));
        }
        let body = self.get(pod, &path).await?;
        let wanted = Arc::clone(wanted);
        // Prometheus before 2.42 ignores `scrapePool` and sends every job's targets.
        let job = job.map(str::to_owned);
        self.parse(pod, move |at| {
            targets::parse(&body, &wanted, job.as_deref()).map_err(|e| e.at(at))
        })
        .await
    }

    /// All active targets, whatever discovered them.
    ///
    /// # Errors
    /// As [`Prom::targets`].
    pub async fn observed(&self, pod: &str) -> Result<Vec<Observed>, Error> {
        let body = self.get(pod, "/api/v1/targets?state=active").await?;
        self.parse(pod, move |at| {
            targets::observed(&body).map_err(|e| e.at(at))
        })
        .await
    }

    /// Its recording and alerting rules.
    ///
    /// # Errors
    /// As [`Prom::targets`].
    pub async fn rules(&self, pod: &str) -> Result<Vec<Rule>, Error> {
        let body = self.get(pod, "/api/v1/rules").await?;
        self.parse(pod, move |at| targets::rules(&body).map_err(|e| e.at(at)))
            .await
    }

    /// The running configuration: its jobs, by `/api/v1/status/config`.
    ///
    /// # Errors
    /// As [`Prom::targets`].
    pub async fn config(&self, pod: &str) -> Result<Arc<Running>, Error> {
        let body = self.get(pod, "/api/v1/status/config").await?;
        let hash = config::hash(&body);
        let known = self.configs().get(pod).cloned();
        if let Some((_, running)) = known.filter(|(old, _)| *old == hash) {
            return Ok(running);
        }
        let running = self
            .parse(pod, move |at| config::parse(&body).map_err(|e| e.at(at)))
            .await?;
        let running = Arc::new(running);
        self.configs()
            .insert(pod.to_owned(), (hash, Arc::clone(&running)));
        Ok(running)
    }

    /// The running configuration as its text, with every default filled in and without passwords.
    ///
    /// # Errors
    /// As [`Prom::targets`].
    pub async fn config_text(&self, pod: &str) -> Result<String, Error> {
        let body = self.get(pod, "/api/v1/status/config").await?;
        self.parse(pod, move |at| config::text(&body).map_err(|e| e.at(at)))
            .await
    }

    /// Names of the scrape pools; `None` where this Prometheus cannot say (before 2.42).
    /// A job that is in the running configuration without a pool failed to load.
    ///
    /// # Errors
    /// As [`Prom::targets`].
    pub async fn pools(&self, pod: &str) -> Result<Option<Vec<String>>, Error> {
        let path = "/api/v1/scrape_pools";
        let answer = self.ask(pod, path).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let at = self.place(pod);
        let body = answer::accept(answer.status, answer.body).map_err(|e| e.at(&at))?;
        targets::pools(&body).map(Some).map_err(|e| e.at(&at))
    }

    /// What Prometheus's own clock says; `None` where it cannot be asked that.
    pub async fn time(&self, pod: &str) -> Option<Timestamp> {
        let path = format!("/api/v1/query?query={}", encode("time()"));
        let body = self.get(pod, &path).await.ok()?;
        targets::time(&body)
    }

    /// When it loaded its configuration, by its own clock; `None` where it cannot say.
    pub async fn loaded_at(&self, pod: &str) -> Option<Timestamp> {
        let body = self.get(pod, "/api/v1/status/runtimeinfo").await.ok()?;
        targets::loaded_at(&body)
    }

    /// Makes Prometheus read its configuration file again. Only where `--web.enable-lifecycle` is set.
    ///
    /// # Errors
    /// As [`Prom::targets`]; a configuration that Prometheus refuses, in its own words.
    pub async fn reload(&self, pod: &str) -> Result<(), Error> {
        if let Some(direct) = &self.cluster.prometheus {
            // The guard of the cluster's own requests does not stand before this one.
            if self.cluster.read_only {
                return Err(Error::refused(say::NOT_RELOADED_READ_ONLY));
            }
            let answer = direct.ask(Method::POST, "/-/reload").await;
            let answer = answer.map_err(|e| self.denied(pod, &e))?;
            return answer::reloaded(answer.status, &answer.body)
                .map_err(|e| e.at(&self.place(pod)));
        }
        let path = format!("{}/-/reload", self.at.prefix);
        let (ns, port) = (&self.at.id.namespace, self.at.port);
        let mut again = true;
        loop {
            let answer = self
                .cluster
                .pod_proxy_post(ns, pod, self.scheme(), port, &path)
                .await
                .map_err(|e| self.denied(pod, &e))?;
            if again && self.other_scheme(answer.status, &answer.body) {
                again = false;
                continue;
            }
            return answer::reloaded(answer.status, &answer.body)
                .map_err(|e| e.at(&self.place(pod)));
        }
    }

    fn configs(&self) -> std::sync::MutexGuard<'_, HashMap<String, (u64, Arc<Running>)>> {
        self.at
            .configs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn scheme(&self) -> &'static str {
        if self.at.https.load(Ordering::Relaxed) {
            "https"
        } else {
            "http"
        }
    }

    /// A web configuration may hold TLS or only a password: the first answer tells. True: ask again the other way.
    fn other_scheme(&self, status: u16, body: &Bytes) -> bool {
        let Some(https) = answer::wants_https(status, body) else {
            return false;
        };
        self.at.https.swap(https, Ordering::Relaxed) != https
    }

    async fn parse<T: Send + 'static>(
        &self,
        pod: &str,
        work: impl FnOnce(&str) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let at = self.place(pod);
        match tokio::task::spawn_blocking(move || work(&at)).await {
            Ok(result) => result,
            Err(e) => Err(Error::new(say::READING_FAILED).cause(e)),
        }
    }

    fn place(&self, pod: &str) -> String {
        if let Some(url) = self.url() {
            return url.to_owned();
        }
        say::pod_on_port(&self.at.id.namespace, pod, self.at.port)
    }

    fn denied(&self, pod: &str, error: &ApiError) -> Error {
        if let Some(url) = self.url() {
            return Error::new(say::cannot_be_reached(url))
                .cause(&error.message)
                .hint(say::CHECK_THE_URL);
        }
        answer::denied(&self.place(pod), error)
    }
}

fn lasting(labels: &Labels) -> Labels {
    let mut labels = labels.clone();
    labels.retain(|key, _| !key.contains("istio.io/"));
    labels
}
