//! How pods are scraped today: what the scrape jobs of every Prometheus make of them.

use super::discovered::{injected, to_come};
use super::kinds::WorkloadRef;
use super::labels::BySelector;
use super::objects::{self as lean, Labels, Template};
use super::pods::SECURE_PORT;
use super::{Inventory, Pod, Prometheus, Scraped, ScrapedBy};
use crate::reach::job::{self, Dialect};
use crate::reach::labels::read_as;
use crate::reach::rights::{Looks, PodRights};
use crate::reach::scrape::{Around, Discovered};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

const MERGED: u16 = 15020;
pub(super) const ENVOY: u16 = 15090;
pub(super) const SCRAPE: &str = "prometheus.io/scrape";
pub(super) const PORT: &str = "prometheus.io/port";

/// The jobs of one Prometheus.
struct Server<'a> {
    id: Arc<WorkloadRef>,
    jobs: Vec<(Arc<str>, job::Job)>,
    rights: Option<&'a PodRights>,
}

/// Who scrapes a pod in plaintext.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict(BTreeSet<ScrapedBy>);

/// What pods have in common that fare alike: pods of one template share what they are made of.
#[derive(PartialEq, Eq, Hash)]
struct Alike<'a> {
    parts: [usize; 4],
    namespace: &'a str,
    phase: &'a str,
    ready: bool,
    terminating: bool,
    owner: Option<&'a str>,
    six: bool,
    /// Where a job tells pods of one template apart.
    own: Option<&'a str>,
}

/// The scrape jobs of all configurations found.
pub(super) struct Today<'a> {
    servers: Vec<Server<'a>>,
    namespaces: &'a [lean::Namespace],
    apart: bool,
    known: RefCell<HashMap<Alike<'a>, Arc<Verdict>>>,
}

impl<'a> Today<'a> {
    pub fn new(inventory: &'a Inventory, prometheus_servers: &[Arc<Prometheus>]) -> Self {
        let servers: Vec<Server<'a>> = prometheus_servers
            .iter()
            .filter_map(|prometheus| {
                let text = prometheus.config.as_ref()?.text.as_deref().ok()?;
                let jobs = job::jobs(text, dialect(prometheus));
                let account = prometheus.account();
                Some(Server {
                    rights: inventory.rights.get(&account),
                    id: Arc::new(prometheus.id.clone()),
                    jobs: jobs
                        .into_iter()
                        .map(|job| (job.name.as_str().into(), job))
                        .collect(),
                })
            })
            .collect();
        let mut jobs = servers.iter().flat_map(|server| &server.jobs);
        Today {
            apart: jobs.any(|(_, job)| job.tells_pods_apart()),
            namespaces: &inventory.namespaces.items,
            known: RefCell::default(),
            servers,
        }
    }

    /// What of the cluster the jobs read beside pods, for questions that come later.
    pub fn around(&self, inventory: &Inventory) -> super::Around {
        let jobs = || self.servers.iter().flat_map(|server| &server.jobs);
        let mut around = super::Around::default();
        if jobs().any(|(_, job)| job.reads_services()) {
            around.services.clone_from(&inventory.services.items);
        }
        if jobs().any(|(_, job)| job.reads_namespaces()) {
            around.namespaces.clone_from(&inventory.namespaces.items);
        }
        around
    }

    /// Where the jobs of one Prometheus list pods; `None`: they are not known.
    pub fn looks(&self, of: &WorkloadRef) -> Option<Looks> {
        let server = self.servers.iter().find(|server| *server.id == *of)?;
        let jobs = server.jobs.iter().map(|(_, job)| job);
        Some(Looks::of(jobs, &of.namespace))
    }

    /// Without a configuration the annotations alone must tell.
    fn is_known(&self) -> bool {
        !self.servers.is_empty()
    }

    fn of(&self, pod: &'a lean::Pod, services: &BySelector<'a, &'a lean::Service>) -> Arc<Verdict> {
        let (meta, spec, status) = (&pod.metadata, &pod.spec, &pod.status);
        fn at<T>(of: &Arc<T>) -> usize {
            Arc::as_ptr(of) as *const () as usize
        }
        let alike = Alike {
            parts: [
                at(&meta.labels),
                at(&meta.annotations),
                at(&spec.containers),
                at(&spec.init_containers),
            ],
            namespace: &meta.namespace,
            phase: &status.phase,
            ready: status
                .conditions
                .iter()
                .any(|c| c.r#type == "Ready" && c.status == "True"),
            terminating: meta.deletion_timestamp.is_some(),
            owner: meta
                .owner_references
                .first()
                .map(|owner| owner.name.as_str()),
            six: status.pod_ip.as_deref().is_some_and(|ip| ip.contains(':')),
            own: self.apart.then_some(&meta.uid),
        };
        if let Some(known) = self.known.borrow().get(&alike) {
            return Arc::clone(known);
        }
        let verdict = Arc::new(self.judge(pod, services));
        let made = Arc::clone(&verdict);
        self.known.borrow_mut().insert(alike, made);
        verdict
    }

    fn judge(&self, pod: &lean::Pod, services: &BySelector<'a, &'a lean::Service>) -> Verdict {
        let mut verdict = Verdict(self.plain(pod, services, true));
        if pod.metadata.annotations.contains_key(SECURE_PORT) {
            let mut bare = pod.clone();
            Arc::make_mut(&mut bare.metadata.annotations).remove(SECURE_PORT);
            let now: BTreeSet<_> = verdict
                .0
                .iter()
                .map(|by| (by.job.clone(), by.port))
                .collect();
            let asks = self.plain(&bare, services, false).into_iter();
            verdict
                .0
                .extend(asks.filter(|by| !now.contains(&(by.job.clone(), by.port))));
        }
        verdict
    }

    fn plain(
        &self,
        pod: &lean::Pod,
        services: &BySelector<'a, &'a lean::Service>,
        now: bool,
    ) -> BTreeSet<ScrapedBy> {
        let meta = &pod.metadata;
        let ip = pod.status.pod_ip.as_deref().unwrap_or_default();
        let services = services.selecting(&meta.namespace, &meta.labels);
        let mut found = BTreeSet::new();
        for server in &self.servers {
            let around = Around {
                services: &[],
                namespaces: self.namespaces,
                own: &server.id.namespace,
                rights: server.rights,
            };
            let mut discovered = Discovered::of(pod, around, services.iter().copied());
            for (name, job) in &server.jobs {
                let places = discovered.places(job).unwrap_or_default();
                for (_, host, port) in places.iter().filter(|(scheme, ..)| scheme == "http") {
                    if let Some(port) = *port
                        && host == ip
                    {
                        found.insert(ScrapedBy {
                            prometheus: Arc::clone(&server.id),
                            job: Arc::clone(name),
                            port,
                            now,
                        });
                    }
                }
            }
        }
        found
    }

    /// Is the pod scraped in plaintext?
    pub fn scrapes(
        &self,
        pod: &'a lean::Pod,
        services: &BySelector<'a, &'a lean::Service>,
    ) -> bool {
        match self.is_known() {
            true => self.of(pod, services).0.iter().any(|by| by.now),
            false => wants(&pod.metadata.annotations),
        }
    }
}

/// By the tag of its container's image.
pub fn dialect(prometheus: &Prometheus) -> Dialect {
    let containers = &prometheus.template.spec.containers;
    let own = containers.iter().find(|c| c.name == prometheus.container);
    Dialect::of(
        &own.map(|own| super::pods::tag(&own.image))
            .unwrap_or_default(),
    )
}

/// By either of Istio's sample jobs, the slow one too.
fn wants(annotations: &Labels) -> bool {
    let says = |name| read_as(annotations, name).any(|(_, value)| value == "true");
    says(SCRAPE) || says("prometheus.io/scrape_slow")
}

fn plaintext_port(annotations: &Labels, template: &Template) -> Option<u16> {
    if !wants(annotations) {
        return None;
    }
    let port = read_as(annotations, PORT).find_map(|(_, port)| port.parse().ok());
    // Without a port that is a number the job takes every declared container port.
    port.or_else(|| declared(template).next())
}

fn declared(template: &Template) -> impl Iterator<Item = u16> {
    let containers = template.spec.containers.iter();
    containers
        .flat_map(|container| &container.ports)
        .map(|port| port.container_port)
}

/// The app's own metrics come along on 15020: the template asks for a scrape of a port of its own.
fn app_metrics(template: &Template, merge: bool) -> bool {
    let annotations = &template.metadata.annotations;
    let merged = merge
        && annotations
            .get("prometheus.istio.io/merge-metrics")
            .is_none_or(|value| value != "false");
    merged
        && wants(annotations)
        && annotations
            .get(PORT)
            .is_none_or(|port| port.parse() != Ok(MERGED))
}

/// The one port that stands for all: the merged one, else one of the app's, in the order of the template.
pub(super) fn foremost(ports: &BTreeSet<u16>, template: &Template) -> Option<u16> {
    if ports.contains(&MERGED) {
        return Some(MERGED);
    }
    let app = declared(template).find(|port| ports.contains(port) && *port != ENVOY);
    app.or_else(|| ports.iter().copied().find(|port| *port != ENVOY))
        .or_else(|| ports.first().copied())
}

pub(super) fn scraped<'a>(
    id: &WorkloadRef,
    template: &Template,
    found: &[&'a lean::Pod],
    pods: &[Pod],
    merge: bool,
    (today, services): (&Today<'a>, &BySelector<'a, &'a lean::Service>),
) -> Scraped {
    let secure_template = template.metadata.annotations.contains_key(SECURE_PORT);
    let secure = secure_template || pods.iter().any(|pod| pod.secure_port.is_some());
    let mut scraped = Scraped {
        secure,
        secure_template,
        app_metrics: app_metrics(template, merge),
        ..Scraped::default()
    };
    if !today.is_known() {
        scraped.plaintext = match pods.is_empty() {
            true => plaintext_port(&template.metadata.annotations, template),
            false => pods
                .iter()
                .find_map(|pod| plaintext_port(&pod.annotations, template)),
        };
        scraped.asks = scraped.plaintext;
        return scraped;
    }
    let by: BTreeSet<ScrapedBy> = match found.is_empty() {
        true => today.judge(&to_come(id, template), services).0,
        false => {
            let verdicts = found.iter().map(|pod| today.of(pod, services));
            verdicts.flat_map(|verdict| verdict.0.clone()).collect()
        }
    };
    let ports = |now: bool| {
        by.iter()
            .filter(|by| by.now || !now)
            .map(|by| by.port)
            .collect()
    };
    scraped.plaintext = foremost(&ports(true), template);
    scraped.asks = foremost(&ports(false), template);
    let mut by: Vec<ScrapedBy> = by.into_iter().collect();
    // What a first sidecar brings along is scraped from then on.
    if !found.iter().any(|pod| pod.proxy().is_some()) {
        let next = injected(to_come(id, template), id, merge);
        let known = |one: &ScrapedBy| by.iter().any(|by| by.job == one.job && by.port == one.port);
        let more: Vec<ScrapedBy> = today
            .plain(&next, services, false)
            .into_iter()
            .filter(|one| !known(one))
            .collect();
        by.extend(more);
    }
    scraped.by = Some(by);
    scraped
}
