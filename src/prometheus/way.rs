//! Which pods to ask, and how to get to them: the pod proxy first, a Service where that is denied.

use super::{Prom, answer};
use crate::cluster::api::{Proxied, encode};
use crate::error::Error;
use crate::mesh::kinds::{Kind, WorkloadRef};
use crate::mesh::objects::{Labels, OwnerReference, Pod, Service, Workload};
use crate::words::say::prometheus as say;
use bytes::Bytes;
use http::Method;

/// A Service that leads to Prometheus's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Through {
    pub service: String,
    pub port: u16,
}

/// Whether a replica can be asked.
#[derive(Clone, Debug)]
pub enum Ready {
    Yes,
    /// It is not listening yet, or reads its log again.
    Starting(Error),
    No(Error),
}

impl Prom {
    /// By its URL, past the API server.
    pub fn url(&self) -> Option<&str> {
        self.cluster.prometheus.as_ref().map(|direct| direct.url())
    }

    /// Whether it answers with Prometheus's API.
    pub async fn ready(&self, pod: &str) -> Ready {
        let answer = match self.ask(pod, "/api/v1/status/buildinfo").await {
            Ok(answer) => answer,
            Err(error) => return Ready::No(error),
        };
        let starting = answer::starting(answer.status, &answer.body);
        let read = answer::accept(answer.status, answer.body)
            .and_then(|body| answer::data::<serde::de::IgnoredAny>(&body).map(drop));
        match read.map_err(|e| e.at(&self.place(pod))) {
            Ok(()) => Ready::Yes,
            Err(error) if starting => Ready::Starting(error),
            Err(error) => Ready::No(error),
        }
    }

    /// Whom to ask: the pods that run now, or whoever answers at the URL.
    ///
    /// # Errors
    /// As [`Prom::running`].
    pub async fn pods(&self) -> Result<Vec<String>, Error> {
        match self.url() {
            Some(url) => Ok(vec![url.to_owned()]),
            None => self.running().await,
        }
    }

    /// Names of the pods that run now, in order.
    ///
    /// # Errors
    /// The list was refused or failed, or no pod runs: the states of those that there are.
    pub async fn running(&self) -> Result<Vec<String>, Error> {
        let id = &self.at.id;
        let pods = self.all_pods().await?;
        let mut running: Vec<String> = pods
            .iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .filter(|pod| pod.status.phase == "Running")
            .map(|pod| pod.metadata.name.clone())
            .collect();
        running.sort_unstable();
        if !running.is_empty() {
            return Ok(running);
        }
        let mut error = Error::new(say::no_pod_runs(&id));
        for pod in &pods {
            let name = &pod.metadata.name;
            error = error.cause(match pod.metadata.deletion_timestamp {
                Some(_) => say::is_ending(name),
                None => format!("{name} {}", pod.status.phase),
            });
        }
        Err(error.hint(format!(
            "kubectl -n {} describe {} {}",
            id.namespace,
            id.kind.name().to_lowercase(),
            id.name
        )))
    }

    async fn all_pods(&self) -> Result<Vec<Pod>, Error> {
        let id = &self.at.id;
        let selector = self.selector().await;
        let query = format!("labelSelector={}", encode(&select(selector)));
        let mut pods: Vec<Pod> = Vec::new();
        let mut token = None;
        loop {
            let page = self
                .cluster
                .page(Kind::Pod, Some(&id.namespace), &query, token.as_deref())
                .await?;
            pods.extend(page.items);
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        pods.retain(|pod: &Pod| owned_by(&pod.metadata.owner_references, id));
        Ok(pods)
    }

    async fn selector(&self) -> &Labels {
        let read = || async {
            let workload: Workload = self.cluster.read(&self.at.id.object().path()).await?;
            Ok::<_, crate::cluster::ApiError>(workload.spec.selector.match_labels)
        };
        match self.at.selector.get_or_try_init(read).await {
            Ok(labels) if !labels.is_empty() => labels,
            _ => &self.at.lasting,
        }
    }

    pub(super) async fn get(&self, pod: &str, path: &str) -> Result<Bytes, Error> {
        let answer = self.ask(pod, path).await?;
        answer::accept(answer.status, answer.body).map_err(|e| e.at(&self.place(pod)))
    }

    /// The status and body as Prometheus (or the way to it) gave them.
    pub(super) async fn ask(&self, pod: &str, path: &str) -> Result<Proxied, Error> {
        if let Some(direct) = &self.cluster.prometheus {
            let answer = direct.ask(Method::GET, path).await;
            return answer.map_err(|e| self.denied(pod, &e));
        }
        let path = format!("{}{path}", self.at.prefix);
        let first = self.once(pod, &path).await?;
        if self.other_scheme(first.status, &first.body) {
            return self.once(pod, &path).await;
        }
        Ok(first)
    }

    async fn once(&self, pod: &str, path: &str) -> Result<Proxied, Error> {
        let (ns, port) = (&self.at.id.namespace, self.at.port);
        let refused = match self
            .cluster
            .pod_proxy(ns, pod, self.scheme(), port, path)
            .await
        {
            Ok(answer) => return Ok(answer),
            Err(refused) => refused,
        };
        if !refused.is_from_api_server() {
            return Err(self.denied(pod, &refused));
        }
        // A Service answers for any replica: it can stand for a pod only where there is one.
        let alone = self.running().await.is_ok_and(|pods| pods.len() == 1);
        let through = if alone { self.service().await } else { None };
        let Some(Through { service, port }) = through else {
            return Err(self.denied(pod, &refused));
        };
        self.cluster
            .service_proxy(ns, &service, self.scheme(), port, path)
            .await
            .map_err(|_| self.denied(pod, &refused))
    }

    async fn service(&self) -> Option<Through> {
        let find = || async {
            let namespace = Some(self.at.id.namespace.as_str());
            let page = self
                .cluster
                .page::<Service>(Kind::Service, namespace, "", None)
                .await?;
            Ok::<_, crate::cluster::ApiError>(page.items.iter().find_map(|s| self.leads_here(s)))
        };
        self.at.service.get_or_try_init(find).await.ok()?.clone()
    }

    fn leads_here(&self, service: &Service) -> Option<Through> {
        let selector = &service.spec.selector;
        let selects = !selector.is_empty()
            && selector
                .iter()
                .all(|(key, value)| self.at.labels.get(key) == Some(value));
        let ports = &service.spec.ports;
        let port = ports.iter().find(|port| match &port.target_port {
            serde_json::Value::Number(number) => number.as_u64() == Some(self.at.port.into()),
            // A named port is resolved by the pod; the usual names and a lone port are enough here.
            serde_json::Value::String(name) => {
                ports.len() == 1
                    || ["http", "web", "http-web", "http-prometheus"].contains(&&**name)
            }
            _ => port.port == self.at.port,
        })?;
        selects.then(|| Through {
            service: service.metadata.name.clone(),
            port: port.port,
        })
    }
}

/// A label selector as a query value, not yet encoded.
fn select(labels: &Labels) -> String {
    labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(",")
}

/// Whether a pod with these owners belongs to the workload. A selector alone may catch another workload's pods;
/// a Deployment owns its pods through a ReplicaSet called `NAME-HASH`. Pods without owners pass.
pub fn owned_by(owners: &[OwnerReference], workload: &WorkloadRef) -> bool {
    owners.is_empty()
        || owners.iter().any(|owner| match workload.kind {
            Kind::Deployment => {
                owner.kind == "ReplicaSet"
                    && owner
                        .name
                        .strip_prefix(&workload.name)
                        .and_then(|rest| rest.strip_prefix('-'))
                        .is_some_and(|hash| !hash.is_empty() && !hash.contains('-'))
            }
            kind => owner.kind == kind.name() && owner.name == workload.name,
        })
}
