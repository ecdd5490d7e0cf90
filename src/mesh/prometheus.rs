//! Every Prometheus that runs in the cluster, found by its owner and its arguments, never by its name alone;
//! and the configuration that its `--config.file` leads to.

use super::assemble::Index;
use super::config_source::{Mounted, Source, config_path, flag, follow, mount_of, option, reloads};
use super::generated::generated;
use super::homes;
use super::images::last_part;
use super::injection::Decision;
use super::kinds::{Kind, ObjectRef, WorkloadRef};
use super::objects::{self as lean, Container};
use super::{
    ConfigHome, Inventory, PodHome, Prometheus, PrometheusConfig, PrometheusFlavour, Storage,
    Unread, certificates, istio, owner, pods, sharers, storage,
};
use crate::problems::{Problem, Subject};
use crate::reach::job::{Dialect, jobs};
use crate::reach::outbound::outbound;
use crate::reach::rights::Looks;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

const DEFAULT_PORT: u16 = 9090;

/// Arguments that no other program of the family takes.
const OF_ITS_OWN: [&str; 7] = [
    "storage.tsdb",
    "storage.agent",
    "storage.remote",
    "web.console",
    "web.enable-lifecycle",
    "query.",
    "rules.alert",
];

fn runs_prometheus(container: &Container) -> bool {
    let image = last_part(&container.image);
    let own = |arg: &String| {
        let bare = arg.trim_start_matches('-');
        OF_ITS_OWN.iter().any(|start| bare.starts_with(start))
    };
    let config = option(container, "config.file").is_some();
    let arguments = container.args.iter().chain(&container.command);
    let tool = container
        .command
        .iter()
        .any(|word| word.rsplit('/').next() == Some("promtool"));
    (image == "prometheus" && !tool) || (config && arguments.into_iter().any(own))
}

fn runs_vmagent(container: &Container) -> bool {
    option(container, "promscrape.config").is_some() || last_part(&container.image) == "vmagent"
}

/// The container that scrapes, and what kind of program it is.
fn scraper(item: &lean::Workload) -> Option<(&Container, PrometheusFlavour)> {
    let containers = &item.spec.template.spec.containers;
    if let Some(container) = containers.iter().find(|c| runs_prometheus(c)) {
        return Some((container, flavour(item, container)));
    }
    let agent = containers.iter().find(|c| runs_vmagent(c))?;
    Some((agent, PrometheusFlavour::VmAgent))
}

fn flavour(item: &lean::Workload, container: &Container) -> PrometheusFlavour {
    let meta = &item.metadata;
    for owner in &meta.owner_references {
        match owner.kind.as_str() {
            "PrometheusAgent" => return PrometheusFlavour::Agent,
            "Prometheus" | "ThanosRuler" => return PrometheusFlavour::Operator,
            "VMAgent" => return PrometheusFlavour::VmAgent,
            _ => {}
        }
    }
    let agent = flag(container, "agent")
        || option(container, "enable-feature")
            .is_some_and(|list| list.split(',').any(|f| f == "agent"));
    if agent {
        return PrometheusFlavour::Agent;
    }
    let chart = meta
        .labels
        .get("helm.sh/chart")
        .is_some_and(|chart| chart.starts_with("prometheus-"));
    let reloader = "prometheus-server-configmap-reload";
    let containers = &item.spec.template.spec.containers;
    let shaped =
        container.name == "prometheus-server" && containers.iter().any(|c| c.name == reloader);
    if shaped && meta.name == "prometheus" {
        PrometheusFlavour::IstioSample
    } else if chart || (shaped && meta.name.ends_with("-prometheus-server")) {
        PrometheusFlavour::CommunityChart
    } else {
        PrometheusFlavour::Plain
    }
}

/// Where the Prometheus of this workload, as the API server gives it, keeps its data; unknown where none runs in it.
pub fn storage_of(object: &serde_json::Value) -> Storage {
    let item: Option<lean::Workload> = serde_json::from_value(object.clone()).ok();
    let found = item
        .as_ref()
        .and_then(|item| Some((item, scraper(item)?.0)));
    found.map_or(Storage::Unknown, |(item, container)| {
        storage::storage(item, container)
    })
}

/// The ConfigMaps (namespace, name) that a Prometheus may get its configuration from, so that they can be fetched.
pub(super) fn config_maps(item: &lean::Workload) -> Vec<(String, String)> {
    let Some((container, _)) = scraper(item) else {
        return Vec::new();
    };
    let names: Vec<String> = match follow(&item.spec.template, container) {
        Source::ConfigMap { names, .. } => names,
        Source::Written { from, .. } | Source::Unnamed { from, .. } => {
            let maps = from.into_iter().filter_map(|one| match one {
                Mounted::ConfigMap(name) => Some(name),
                Mounted::Secret(_) => None,
            });
            maps.collect()
        }
        _ => Vec::new(),
    };
    let named = |name| (item.metadata.namespace.clone(), name);
    names.into_iter().map(named).collect()
}

fn account(template: &lean::Template) -> &str {
    let account = template.spec.service_account_name.as_deref();
    account.filter(|name| !name.is_empty()).unwrap_or("default")
}

/// The ServiceAccounts of every Prometheus, and where their jobs list pods; `None`: a configuration is not known.
pub fn accounts(inventory: &Inventory) -> BTreeMap<(String, String), Option<Looks>> {
    let mut found: BTreeMap<_, Option<Looks>> = BTreeMap::new();
    for (_, item) in super::assemble::all_workloads(inventory) {
        let Some((container, _)) = scraper(item) else {
            continue;
        };
        let (space, template) = (&item.metadata.namespace, &item.spec.template);
        let config = config(inventory, space, &follow(template, container));
        let text = config.and_then(|config| config.text.ok());
        let looks = text.map(|text| Looks::of(&jobs(&text, Dialect::default()), space));
        match found.entry((space.clone(), account(template).to_owned())) {
            Entry::Vacant(place) => drop(place.insert(looks)),
            Entry::Occupied(mut known) => match (known.get_mut(), looks) {
                (Some(known), Some(looks)) => known.add(looks),
                (known, _) => *known = None,
            },
        }
    }
    found
}

fn http_port(container: &Container) -> u16 {
    option(container, "web.listen-address")
        .and_then(|address| address.rsplit(':').next()?.parse().ok())
        .unwrap_or(DEFAULT_PORT)
}

/// The prefix of all its paths: `--web.route-prefix`, else the path of `--web.external-url`.
fn route_prefix(container: &Container) -> String {
    let external = || {
        let url = option(container, "web.external-url")?;
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        rest.find('/').map(|at| &rest[at..])
    };
    let prefix = option(container, "web.route-prefix")
        .or_else(external)
        .unwrap_or("");
    let prefix = prefix.trim_matches('/');
    if prefix.is_empty() {
        String::new()
    } else {
        format!("/{prefix}")
    }
}

pub(super) fn prometheus(
    index: &Index<'_>,
    inventory: &Inventory,
    kind: Kind,
    item: &lean::Workload,
) -> Option<Prometheus> {
    let (container, flavour) = scraper(item)?;
    let meta = &item.metadata;
    let template = &item.spec.template;
    let id = WorkloadRef::new(&meta.namespace, kind, &meta.name);
    let own = index.pods.of(&meta.namespace, kind, &meta.name);
    let pods: Vec<super::Pod> = own.iter().copied().map(pods::pod).collect();
    let source = follow(template, container);
    let operated = match flavour {
        PrometheusFlavour::Operator => homes::operated(inventory, meta),
        _ => None,
    };
    let config = match &operated {
        Some(operated) => Some(running(inventory, &id, operated)),
        None => config(inventory, &meta.namespace, &source),
    };
    let mut living = pods.iter().filter(|pod| !pod.terminating).peekable();
    let own_proxy = template.own_proxy().is_some();
    let sidecar = match living.peek() {
        None => own_proxy,
        Some(_) => living.all(|pod| pod.proxy.is_some()),
    };
    let strategy = match kind {
        Kind::Deployment => &item.spec.strategy.r#type,
        _ => &item.spec.update_strategy.r#type,
    };
    let decision = index.injector.decide(
        &meta.namespace,
        index.namespace_labels(&meta.namespace),
        &template.metadata.labels,
        &template.metadata.annotations,
        &template.spec,
    );
    let meshed = match pods.iter().any(|pod| !pod.terminating) {
        true => pods
            .iter()
            .any(|pod| !pod.terminating && pod.proxy.is_some()),
        false => decision == Decision::Injects,
    };
    let redirected = meshed && certificates::redirects(template);
    let outbound = redirected.then(|| {
        let revision = own.iter().find_map(|pod| pods::revision(pod));
        let revision = revision.as_deref().unwrap_or("default");
        let defaults = istio::outbound_defaults(inventory, &index.planes, revision);
        outbound(&template.metadata.annotations, defaults.as_ref())
    });
    let path = config_path(container);
    let mount = path.as_ref().and_then(|path| mount_of(container, path));
    let config_volume = mount.map(|(mount, _)| &mount.name);
    let watches = |other: &&Container| {
        let mounts = &other.volume_mounts;
        other.name != container.name
            && reloads(other)
            && mounts.iter().any(|m| Some(&m.name) == config_volume)
    };
    let account = account(template);
    let mut found = Prometheus {
        flavour,
        // A direct change of the resource is the operator's to carry out, and its owner's to revert.
        owner: match &operated {
            Some(operated) => operated.owner.clone(),
            None => owner::owner(meta),
        },
        desired: match kind {
            Kind::DaemonSet => item.status.desired_number_scheduled,
            _ => item.spec.replicas.unwrap_or(1),
        },
        service_account: account.to_owned(),
        shared_with: sharers::sharers(inventory, &id, account, &pods),
        container: container.name.clone(),
        http_port: http_port(container),
        route_prefix: route_prefix(container),
        uid: meta.uid.clone(),
        web_config: option(container, "web.config.file").is_some_and(|file| !file.is_empty()),
        reloader: template.spec.containers.iter().any(|other| watches(&other)),
        lifecycle: flag(container, "web.enable-lifecycle"),
        storage: storage::storage(item, container),
        strategy: match strategy.as_str() {
            "" => "RollingUpdate".to_owned(),
            strategy => strategy.to_owned(),
        },
        sidecar,
        certificates: certificates::shared(template, container),
        faults: certificates::faults(&Subject::from(&id), template, container, outbound.as_ref()),
        outbound,
        obstacles: Vec::new(),
        template: template.clone(),
        pod_home: operated.map_or(PodHome::Template, |of| PodHome::Resource(Box::new(of))),
        config,
        // Known when the jobs are read, once for all.
        looks: None,
        pods,
        id,
    };
    found.obstacles = obstacles(inventory, &found, &source, decision, container);
    Some(found)
}

/// Runs prometheus-config-reloader beside Prometheus, and would reload it for a changed file in one more folder
/// (its `--watched-dir`, as often as one likes; with `--watch-interval=0` it ends after its first look).
fn watches_folders(container: &Container) -> bool {
    let given = |name| option(container, name);
    given("watched-dir").is_some()
        && given("watch-interval")
            .is_none_or(|interval| interval.trim_matches(|c: char| !c.is_ascii_digit()) != "0")
        && container
            .args
            .iter()
            .any(|arg| arg.trim_start_matches('-').starts_with("watched-dir"))
}

impl Prometheus {
    /// Namespace and name of its ServiceAccount.
    pub fn account(&self) -> (String, String) {
        (self.id.namespace.clone(), self.service_account.clone())
    }

    /// The container that can reload Prometheus when files in a folder change.
    pub fn folder_watcher(&self) -> Option<&Container> {
        let mut all = self.template.spec.containers.iter();
        all.find(|container| container.name != self.container && watches_folders(container))
    }

    /// The way on with one that can be neither chosen nor taken from its owner: the plan as files.
    pub fn by_export(&self) -> Option<String> {
        if self.obstacles.is_empty() || self.takeable().is_some() {
            return None;
        }
        let what = match self.flavour {
            PrometheusFlavour::Operator => {
                "writes the plan to a folder: values for kube-prometheus-stack, and other files"
            }
            _ => "writes the plan to a folder, and describes Prometheus's own changes",
        };
        Some(format!(
            "meshscrape export --prometheus {} -n NAMESPACE FOLDER {what}",
            self.id
        ))
    }

    /// One of which nothing but its name is known: it is gone, or may not be read. Istio's sample and the charts
    /// serve on 9090.
    pub fn named(id: WorkloadRef) -> Self {
        Prometheus {
            id,
            flavour: PrometheusFlavour::Plain,
            owner: None,
            desired: 0,
            pods: Vec::new(),
            template: lean::Template::default(),
            pod_home: PodHome::Template,
            service_account: String::new(),
            shared_with: Vec::new(),
            container: String::new(),
            http_port: 9090,
            route_prefix: String::new(),
            uid: String::new(),
            web_config: false,
            config: None,
            looks: None,
            reloader: false,
            lifecycle: false,
            storage: Storage::Unknown,
            strategy: String::new(),
            sidecar: false,
            outbound: None,
            certificates: None,
            obstacles: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// What became another since it was read, of what the plan rests on: the object itself, Prometheus's image,
    /// where its configuration comes from. `live`: the workload as the API server gives it now.
    pub fn moved(&self, live: &serde_json::Value) -> Option<String> {
        let meta = &live["metadata"];
        if !meta["deletionTimestamp"].is_null() {
            return Some("it is being deleted".into());
        }
        if !self.uid.is_empty() && meta["uid"] != self.uid.as_str() {
            return Some("it was deleted and recreated".into());
        }
        let template: lean::Template =
            serde_json::from_value(live["spec"]["template"].clone()).ok()?;
        let named = |of: &lean::Template| {
            let mut all = of.spec.containers.iter();
            all.find(|container| container.name == self.container)
                .cloned()
        };
        let before = named(&self.template)?;
        let Some(now) = named(&template) else {
            return Some(format!("it has no container {} any more", self.container));
        };
        // A template in a test may say less than a real one.
        if !before.image.is_empty() && before.image != now.image {
            return Some(format!(
                "the image of its container {} was {}, and now is {}",
                self.container, before.image, now.image
            ));
        }
        let was = source_words(&follow(&self.template, &before));
        let is = source_words(&follow(&template, &now));
        (was != is).then(|| format!("its configuration came from {was}, and now from {is}"))
    }
}

fn source_words(source: &Source) -> String {
    match source {
        Source::ConfigMap {
            names,
            key,
            sub_path,
        } => format!(
            "the key {key} of the ConfigMap {}{}",
            names.join(" or "),
            if *sub_path { " by subPath" } else { "" }
        ),
        Source::Secret(name) => format!("the Secret {name}"),
        Source::Written { by, .. } => format!("the container {by}"),
        Source::Unnamed { .. } => "a file that is not named".to_owned(),
        Source::Variable => "a file named by a variable".to_owned(),
        Source::Elsewhere { volume: None, .. } => "the image".to_owned(),
        Source::Elsewhere {
            volume: Some(volume),
            ..
        } => format!("the volume {volume}"),
    }
}

/// Its own answer tells every job, those too that the operator makes of its resources.
fn running(
    inventory: &Inventory,
    id: &WorkloadRef,
    operated: &homes::Operated,
) -> PrometheusConfig {
    let (home, key) = operated.jobs();
    PrometheusConfig {
        home,
        key,
        text: match inventory.running.get(id) {
            None => Err(Unread::NotYet),
            Some(Err(why)) => Err(Unread::Failed(why.clone())),
            Some(Ok(text)) => Ok(Arc::clone(text)),
        },
        sub_path: false,
    }
}

fn config(inventory: &Inventory, namespace: &str, source: &Source) -> Option<PrometheusConfig> {
    let Source::ConfigMap {
        names,
        key,
        sub_path,
    } = source
    else {
        return None;
    };
    let read = |name: &String| match inventory.config_maps.get(&format!("{namespace}/{name}")) {
        None => Err(Unread::NotYet),
        Some(Err(why)) => Err(Unread::Failed(why.clone())),
        Some(Ok(map)) => match map.data.get(key) {
            Some(text) => Ok(Arc::from(text.as_str())),
            None => Err(Unread::NoKey(key.clone())),
        },
    };
    let lacks = |name: &&String| matches!(read(name), Err(Unread::NoKey(_)));
    // One that could not be read may have it, and would then count.
    let name = names.iter().rfind(|name| !lacks(name)).or(names.last())?;
    Some(PrometheusConfig {
        home: ConfigHome::File(ObjectRef::new(Kind::ConfigMap, namespace, name)),
        key: key.clone(),
        text: read(name),
        sub_path: *sub_path,
    })
}

/// The objects that a container may read its configuration from: the ConfigMaps with scrape jobs in them, else all that
/// are mounted there.
fn sources(inventory: &Inventory, namespace: &str, from: &[Mounted]) -> Vec<ObjectRef> {
    let scrapes = |name: &str| {
        let map = inventory.config_maps.get(&format!("{namespace}/{name}"));
        let texts = map
            .and_then(|map| map.as_ref().ok())
            .map(|map| map.data.values());
        texts.into_iter().flatten().any(|text| {
            let read: Result<serde_json::Value, _> = serde_yaml::from_str(text);
            read.is_ok_and(|config| config.get("scrape_configs").is_some())
        })
    };
    let named = |one: &Mounted| match one {
        Mounted::ConfigMap(name) => ObjectRef::new(Kind::ConfigMap, namespace, name),
        Mounted::Secret(name) => ObjectRef::new(Kind::Secret, namespace, name),
    };
    let with_jobs: Vec<ObjectRef> = from
        .iter()
        .filter(|one| matches!(one, Mounted::ConfigMap(name) if scrapes(name)))
        .map(named)
        .collect();
    match with_jobs.is_empty() {
        true => from.iter().map(named).collect(),
        false => with_jobs,
    }
}

fn obstacles(
    inventory: &Inventory,
    prometheus: &Prometheus,
    source: &Source,
    decision: Decision,
    container: &Container,
) -> Vec<Problem> {
    let id = &prometheus.id;
    let of = || Subject::from(id);
    let mut found = Vec::new();
    match prometheus.flavour {
        PrometheusFlavour::Agent => found.push(Problem::PrometheusAgent { of: of() }),
        PrometheusFlavour::VmAgent => found.push(Problem::VmAgent { of: of() }),
        _ => {}
    }
    if id.kind == Kind::DaemonSet {
        found.push(Problem::PrometheusDaemonSet { of: of() });
    }
    if let Some(owner) = &prometheus.owner {
        found.push(owner::problem(owner, of()));
    }
    if let Some(operated) = prometheus.pod_home.operated() {
        found.extend(homes::obstacles(operated, &of()));
    }
    let file = || config_path(container).unwrap_or_default();
    let sources = |from: &[Mounted]| sources(inventory, &id.namespace, from);
    match source {
        // What the operator makes is all its own, the configuration too.
        _ if prometheus.flavour == PrometheusFlavour::Operator => {}
        Source::Secret(secret) => found.push(Problem::ConfigInSecret {
            of: of(),
            file: file(),
            secret: secret.clone(),
        }),
        Source::Elsewhere { .. } | Source::Unnamed { .. }
            if prometheus.flavour == PrometheusFlavour::VmAgent => {}
        Source::Written { by, init, from } => found.push(Problem::ConfigWritten {
            of: of(),
            file: file(),
            by: by.clone(),
            init: *init,
            from: sources(from),
        }),
        Source::Unnamed { starts, from } => found.push(Problem::ConfigUnnamed {
            of: of(),
            starts: starts.clone(),
            from: sources(from),
        }),
        Source::Variable => found.push(Problem::ConfigVariable {
            of: of(),
            file: file(),
        }),
        Source::Elsewhere { volume, declared } => found.push(Problem::ConfigNotFound {
            of: of(),
            file: file(),
            volume: volume.clone(),
            declared: *declared,
        }),
        Source::ConfigMap { .. } => {
            if let Some(config) = &prometheus.config
                && let object = config.home.object()
                && let Some(Ok(map)) = inventory
                    .config_maps
                    .get(&format!("{}/{}", object.namespace, object.name))
                && generated(map)
            {
                found.push(Problem::ConfigGenerated {
                    of: of(),
                    config_map: object.clone(),
                });
            }
            if let Some(config) = &prometheus.config
                && let Err(unread) = &config.text
            {
                found.push(Problem::ConfigNotRead {
                    of: of(),
                    config_map: config.home.object().clone(),
                    key: config.key.clone(),
                    why: unread.clone(),
                });
            }
        }
    }
    if prometheus.template.own_proxy().is_some() && prometheus.certificates.is_none() {
        found.push(Problem::OwnProxyWithoutCertificates { of: of() });
    }
    if let Decision::Never(never) = decision
        && !prometheus.sidecar
    {
        found.push(never.problem(of()));
    }
    found
}
