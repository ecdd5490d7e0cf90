//! The targets that a job makes of pods and Services.
//!
//! Source: `scrape/target.go` (`PopulateDiscoveredLabels`, `PopulateLabels`, `Target.URL`, `hash`), `scrape/scrape.go`
//! (`sync`) of Prometheus 3.11; 2.x adds a port to an address without one.

use super::discovery::{
    ADDRESS, Attach, Endpoints, Group, Knows, Namespace, Pod, Service, endpoints_labels, leads_to,
    of_endpoint, of_pod, of_service,
};
use super::job::{Discovery, Job, Kubernetes, Role, millis};
use super::labels::selects;
use super::relabel::{Labels, Set, Unknown, relabel};
use super::rights::PodRights;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One scrape: where it leads, and the labels that its series get.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    pub scheme: String,
    /// Host and port, as the job made them.
    pub address: String,
    pub path: String,
    pub query: String,
    /// Without those that begin with `__`.
    pub labels: BTreeMap<String, String>,
    /// Those that begin with `__`, less discovery's own: targets that differ in one do not fold into one.
    hidden: BTreeMap<String, String>,
}

impl Target {
    /// The URL as Prometheus shows it.
    pub fn url(&self) -> String {
        let slash = match self.path.is_empty() || self.path.starts_with('/') {
            true => "",
            false => "/",
        };
        let query = match self.query.is_empty() {
            true => String::new(),
            false => format!("?{}", self.query),
        };
        let scheme = match self.scheme.is_empty() {
            true => "//".to_owned(),
            false => format!("{}://", self.scheme),
        };
        let host = escaped(&self.address, b"-_.~$&+,/:;=@!'()*[]<>\"", false);
        let path = escaped(&self.path, b"-_.~$&+,/:;=@", false);
        format!("{scheme}{host}{slash}{path}{query}")
    }

    /// Host without brackets, and port: that of the scheme where none stands.
    pub fn place(&self) -> (&str, Option<u16>) {
        host_and_port(&self.scheme, &self.address)
    }
}

fn host_and_port<'a>(scheme: &str, address: &'a str) -> (&'a str, Option<u16>) {
    let (host, port) = match address
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match address.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, Some(port)),
            _ => (address, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok(),
        None if scheme == "https" => Some(443),
        None => Some(80),
    };
    (host, port)
}

/// Go's `net/url`: what is not named stands as `%XX`.
fn escaped(text: &str, free: &[u8], plus: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' if plus => out.push('+'),
            b if b.is_ascii_alphanumeric() || free.contains(&b) => out.push(char::from(b)),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

/// What became of one discovered set of labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    Target(Target),
    /// By a rule.
    Dropped,
    /// Prometheus logs it and makes no target.
    Fault,
}

/// The labels with which relabelling begins.
pub fn begun<'a>(job: &'a Job, discovered: &'a Set) -> Labels<'a> {
    let mut labels = Labels::new(discovered);
    labels.or("job", &*job.name);
    labels.or("__scrape_interval__", &*job.interval);
    labels.or("__scrape_timeout__", &*job.timeout);
    labels.or("__metrics_path__", &*job.metrics_path);
    labels.or("__scheme__", &*job.scheme);
    for (key, values) in &job.params {
        if let Some(first) = values.first() {
            let name = format!("__param_{key}");
            if labels.get(&name).is_empty() {
                labels.set(name, &**first);
            }
        }
    }
    labels
}

/// The address of a target after its rules; `None`: Prometheus makes no target of it.
fn address(job: &Job, labels: &mut Labels) -> Option<String> {
    let mut address = labels.get(ADDRESS).to_owned();
    if job.dialect.adds_port && !has_port(&address) && has_port(&format!("{address}:1234")) {
        let port = match labels.get("__scheme__") {
            "http" | "" => 80,
            "https" => 443,
            _ => return None,
        };
        address = format!("{address}:{port}");
        labels.set(ADDRESS, address.clone());
    }
    let interval = millis(labels.get("__scrape_interval__")).unwrap_or(0);
    let timeout = millis(labels.get("__scrape_timeout__")).unwrap_or(0);
    if address.is_empty()
        || address.contains('/')
        || interval == 0
        || timeout == 0
        || timeout > interval
    {
        return None;
    }
    Some(address)
}

/// Where one discovered set of labels would be scraped: scheme and address, the labels of its series left aside.
///
/// # Errors
/// Where it cannot be computed.
fn led(job: &Job, discovered: &Set) -> Result<Option<(String, String)>, Unknown> {
    let mut labels = begun(job, discovered);
    if !relabel(&mut labels, job.deciding())? {
        return Ok(None);
    }
    let address = address(job, &mut labels);
    Ok(address.map(|address| (labels.get("__scheme__").to_owned(), address)))
}

/// # Errors
/// Where it cannot be computed.
pub fn made(job: &Job, discovered: &Set) -> Result<Made, Unknown> {
    let mut labels = begun(job, discovered);
    if !relabel(&mut labels, &job.rules)? {
        return Ok(Made::Dropped);
    }
    let Some(address) = address(job, &mut labels) else {
        return Ok(Made::Fault);
    };
    labels.or("instance", address.clone());
    let mut query: BTreeMap<String, Vec<String>> = job
        .params
        .iter()
        .map(|(key, values)| (key.clone(), values.clone()))
        .collect();
    for (name, value) in labels.iter() {
        let Some(key) = name.strip_prefix("__param_") else {
            continue;
        };
        let values = query.entry(key.to_owned()).or_default();
        match values.first_mut() {
            Some(first) => *first = value.to_owned(),
            None => values.push(value.to_owned()),
        }
    }
    let part = |text: &str| escaped(text, b"-_.~", true);
    let query: Vec<String> = query
        .iter()
        .flat_map(|(key, values)| values.iter().map(move |value| (key, value)))
        .map(|(key, value)| format!("{}={}", part(key), part(value)))
        .collect();
    Ok(Made::Target(Target {
        scheme: labels.get("__scheme__").to_owned(),
        path: labels.get("__metrics_path__").to_owned(),
        query: query.join("&"),
        labels: labels.collect(|name| !name.starts_with("__")),
        hidden: labels.collect(|name| name.starts_with("__") && !name.starts_with("__meta_")),
        address,
    }))
}

/// Go's `net.SplitHostPort` finds a port.
fn has_port(address: &str) -> bool {
    match address.strip_prefix('[') {
        Some(rest) => rest.split_once(']').is_some_and(|(host, port)| {
            port.starts_with(':') && !host.contains(['[', ']']) && !port[1..].contains(':')
        }),
        None => address.matches(':').count() == 1 && !address.contains(['[', ']']),
    }
}

/// Objects as they are found, and where Prometheus runs.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    pub services: &'a [Service],
    pub namespaces: &'a [Namespace],
    /// Prometheus's own namespace.
    pub own: &'a str,
    /// What its ServiceAccount may list; `None`: everything.
    pub rights: Option<&'a PodRights>,
}

impl<'a> Around<'a> {
    /// Where pods may surely not be listed, none are found.
    fn lists(&self, sd: &Kubernetes, namespace: &str) -> bool {
        let place = (!sd.is_everywhere()).then_some(namespace);
        sd.looks_in(namespace, self.own) && !self.rights.is_some_and(|rights| rights.denied(place))
    }

    fn namespace(&self, name: &str) -> Option<&'a Namespace> {
        self.namespaces
            .iter()
            .find(|space| space.metadata.name == name)
    }
}

/// What discovery finds of one pod, kept for all jobs.
pub struct Discovered<'a> {
    pod: &'a Pod,
    around: Around<'a>,
    services: Vec<&'a Service>,
    found: HashMap<(Option<Endpoints>, Attach, bool), Option<Vec<Set>>>,
}

impl<'a> Discovered<'a> {
    /// `services`: those of the pod's namespace, at least.
    pub fn of(
        pod: &'a Pod,
        around: Around<'a>,
        services: impl IntoIterator<Item = &'a Service>,
    ) -> Self {
        let services = services
            .into_iter()
            .filter(|service| leads_to(service, pod));
        Discovered {
            pod,
            around,
            services: services.collect(),
            found: HashMap::new(),
        }
    }

    /// The label sets that a discovery finds of it.
    fn by(&mut self, sd: &Kubernetes) -> &[Set] {
        let pod = self.pod;
        let space = &pod.metadata.namespace;
        let role = match sd.role {
            Role::Pod => None,
            Role::Endpoints(which) => Some(which),
            Role::Service => return &[],
        };
        let taken = |role: Role, labels: &Group| {
            sd.selector(role)
                .all(|selector| selects(selector, labels, ""))
        };
        let own_pod = taken(Role::Pod, &pod.metadata.labels);
        if !self.around.lists(sd, space) || (role.is_none() && !own_pod) {
            return &[];
        }
        let namespace = match sd.attach.namespace {
            true => self.around.namespace(space),
            false => None,
        };
        let services = &self.services;
        let key = (role, sd.attach, sd.selectors.is_empty());
        let all = self.found.entry(key).or_default();
        if all.is_none() || !sd.selectors.is_empty() {
            *all = Some(match role {
                None => of_pod(pod, sd.attach, namespace),
                Some(which) => services
                    .iter()
                    .filter(|service| taken(sd.role, &endpoints_labels(service, which)))
                    .flat_map(|service| {
                        let knows = Knows {
                            pod: own_pod,
                            service: taken(Role::Service, &service.metadata.labels),
                        };
                        of_endpoint(service, pod, which, sd.attach, namespace, knows)
                    })
                    .collect(),
            });
        }
        all.as_deref().unwrap_or_default()
    }

    /// The targets that a job makes of this pod, those that fold into one counted once.
    ///
    /// # Errors
    /// Where it cannot be computed.
    pub fn targets(&mut self, job: &Job) -> Result<BTreeSet<Target>, Unknown> {
        let mut targets = BTreeSet::new();
        if let Some(why) = job.blocked() {
            return Err(why.clone());
        }
        for discovery in &job.discoveries {
            let Discovery::Kubernetes(sd) = discovery else {
                continue;
            };
            for set in self.by(sd) {
                if let Made::Target(target) = made(job, set)? {
                    targets.insert(target);
                }
            }
        }
        Ok(targets)
    }
}

impl Discovered<'_> {
    /// Where a job scrapes this pod: scheme, host and port. What [`Discovered::targets`] tells of it, at less cost.
    ///
    /// # Errors
    /// Where it cannot be computed.
    pub fn places(
        &mut self,
        job: &Job,
    ) -> Result<BTreeSet<(String, String, Option<u16>)>, Unknown> {
        let mut places = BTreeSet::new();
        if let Some(why) = job.blocked() {
            return Err(why.clone());
        }
        for discovery in &job.discoveries {
            let Discovery::Kubernetes(sd) = discovery else {
                continue;
            };
            for set in self.by(sd) {
                if let Some((scheme, address)) = led(job, set)? {
                    let (host, port) = host_and_port(&scheme, &address);
                    let host = host.to_owned();
                    places.insert((scheme, host, port));
                }
            }
        }
        Ok(places)
    }
}

/// Everything that a job discovers among these objects, label sets as they are before relabelling.
pub fn discovered(job: &Job, pods: &[Pod], around: Around) -> Vec<Set> {
    let mut all = Vec::new();
    for discovery in &job.discoveries {
        match discovery {
            Discovery::Static { addresses, labels } => {
                all.extend(addresses.iter().map(|address| {
                    let own = labels.iter().map(|(k, v)| (k.clone(), v.clone()));
                    own.chain([(ADDRESS.to_owned(), address.clone())]).collect()
                }))
            }
            Discovery::Kubernetes(sd) if sd.role == Role::Service => {
                for service in around.services {
                    let space = &service.metadata.namespace;
                    let labels = &service.metadata.labels;
                    let mut selectors = sd.selector(Role::Service);
                    if sd.looks_in(space, around.own)
                        && selectors.all(|one| selects(one, labels, ""))
                    {
                        all.extend(of_service(service, sd.attach, around.namespace(space)));
                    }
                }
            }
            Discovery::Kubernetes(sd) => {
                for pod in pods {
                    let mut found = Discovered::of(pod, around, around.services);
                    all.extend(found.by(sd).iter().cloned());
                }
            }
        }
    }
    all
}
