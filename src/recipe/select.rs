//! From names to the workloads, gateways and the Prometheus they mean; every name checked, nothing guessed.

use crate::answers::{Annotate, Answers, GatewayRef, MetricsPort};
use crate::error::{Error, nearest};
use crate::mesh::kinds::{Kind, WorkloadRef};
use crate::mesh::{Gateway, Listed, Mesh, Owner, Prometheus, Workload, others};
use crate::problems::{Problem, Subject, cluster};
use crate::text::few;
use crate::words;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What was chosen, resolved.
#[derive(Clone, Debug)]
pub struct Selection {
    pub prometheus: Arc<Prometheus>,
    pub workloads: Vec<Arc<Workload>>,
    pub gateways: Vec<Arc<Gateway>>,
    /// Workloads of namespaces that were named as a whole which cannot be chosen, and why.
    pub passed_over: Vec<Problem>,
}

/// One workload or gateway with its options.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    pub workload: &'a Workload,
    /// Set where the item is a gateway.
    pub gateway: Option<&'a Gateway>,
    pub port: MetricsPort,
    pub annotation: Annotate,
}

impl Selection {
    /// Workloads first, then gateways, each sorted; with their own options.
    pub fn items<'a>(&'a self, answers: &'a Answers) -> impl Iterator<Item = Item<'a>> {
        let item = |workload: &'a Workload, gateway| Item {
            workload,
            gateway,
            port: answers.port_of(&workload.id),
            annotation: answers.annotate_of(&workload.id),
        };
        self.workloads.iter().map(move |w| item(w, None)).chain(
            self.gateways
                .iter()
                .map(move |g| item(&g.workload, Some(g.as_ref()))),
        )
    }

    /// The names of all items, with the port and the annotation of each.
    pub fn refs(&self, answers: &Answers) -> Vec<(WorkloadRef, MetricsPort, Annotate)> {
        self.items(answers)
            .map(|item| (item.workload.id.clone(), item.port, item.annotation))
            .collect()
    }
}

/// Resolves the answers against the mesh.
///
/// # Errors
/// A name that is not there (with the nearest valid one), one that cannot be chosen (with the reason), nothing
/// chosen at all, or several Prometheus servers to choose from and none named.
pub fn select(mesh: &Mesh, answers: &Answers) -> Result<Selection, Error> {
    let prometheus = prometheus(mesh, answers)?;
    let mut chosen: BTreeSet<&WorkloadRef> = BTreeSet::new();
    let mut outside = Vec::new();
    for id in &answers.workloads {
        let workload = named_workload(mesh, id, &answers.take)?;
        if workload.enters_mesh() && !answers.may_inject(id) {
            outside.push(id);
        }
        chosen.insert(&workload.id);
    }
    if !outside.is_empty() {
        return Err(not_in_the_mesh(&outside));
    }
    let mut passed_over = Vec::new();
    let mut owners = BTreeSet::new();
    let (mut refused, mut skipped) = (false, false);
    for name in &answers.namespaces {
        known_namespace(mesh, name)?;
        if answers.workloads.iter().any(|w| w.namespace == *name) {
            continue;
        }
        if !mesh.workloads.iter().any(|w| w.id.namespace == *name) {
            passed_over.extend(empty(mesh, name));
        }
        for workload in mesh.workloads.iter().filter(|w| w.id.namespace == *name) {
            match workload.against(&answers.take).next() {
                None if workload.enters_mesh() && !answers.may_inject(&workload.id) => {
                    skipped = true;
                    passed_over.push(Problem::NoSidecarYet {
                        of: (&workload.id).into(),
                    });
                }
                None => drop(chosen.insert(&workload.id)),
                Some(obstacle) => {
                    refused |= obstacle.is_refusal();
                    owners.extend(workload.takeable().map(take_hint));
                    passed_over.push(obstacle.clone());
                }
            }
        }
    }
    if !answers.namespaces.is_empty()
        && let Some(why) = mesh.unlisted(Listed::Workloads)
    {
        passed_over.push(Problem::ListNotRead {
            of: cluster(mesh),
            list: Listed::Workloads.name().to_owned(),
            why: why.to_string(),
        });
    }
    let mut workloads: Vec<_> = mesh
        .workloads
        .iter()
        .filter(|w| chosen.contains(&w.id))
        .cloned()
        .collect();
    workloads.sort_unstable_by(|a, b| a.id.sort_key().cmp(&b.id.sort_key()));
    let mut gateways = Vec::new();
    for of in &answers.gateways {
        gateways.push(named_gateway(mesh, of, &answers.take)?);
    }
    gateways.sort_unstable_by(|a, b| a.workload.id.sort_key().cmp(&b.workload.id.sort_key()));
    if workloads.is_empty() && gateways.is_empty() {
        let what = match passed_over.is_empty() {
            true => "no workloads or gateways are chosen",
            false => "none of the chosen workloads can be secured",
        };
        let mut error = match refused || skipped {
            true => Error::refused(what),
            false => Error::new(what),
        };
        for reason in words::skipped(&passed_over).iter().take(5) {
            error = error.cause(reason.trim_end_matches('.'));
        }
        for owner in owners {
            error = error.hint(owner);
        }
        if skipped {
            error = error.hint(INJECT_HINT);
        }
        let others = match passed_over.is_empty() {
            true => "name a namespace",
            false => "fix these blockers, or name another namespace",
        };
        return Err(error.hint(format!(
            "{others} (-n), a workload (-w NAMESPACE/KIND/NAME) or a gateway (-g NAMESPACE/NAME)"
        )));
    }
    Ok(Selection {
        prometheus,
        workloads,
        gateways,
        passed_over,
    })
}

const INJECT_HINT: &str = "to add a sidecar: --inject (their pods restart and join the mesh)";

fn not_in_the_mesh(outside: &[&WorkloadRef]) -> Error {
    let names: Vec<String> = outside.iter().map(ToString::to_string).collect();
    let of = few(&names, 3);
    let verb = if outside.len() == 1 { "has" } else { "have" };
    Error::refused(format!("nothing was written: {of} {verb} no sidecar yet"))
        .cause("securing a workload without a sidecar adds it to the mesh: its pods restart, and all its traffic goes through istio-proxy")
        .hint(INJECT_HINT)
}

fn prometheus(mesh: &Mesh, answers: &Answers) -> Result<Arc<Prometheus>, Error> {
    if let Some(id) = &answers.prometheus {
        let Some(found) = mesh.prometheus(id) else {
            let all = mesh.prometheus_servers.iter();
            let names = all.map(|p| (p.id.to_string(), p.against(&answers.take).next()));
            return Err(missing(
                mesh,
                "Prometheus",
                &id.to_string(),
                &named(names),
                |_| true,
            ));
        };
        let (against, owner) = (found.against(&answers.take), found.takeable());
        let otherwise = found.by_export().unwrap_or_default();
        choosable("Prometheus", &found.id, against, owner, otherwise)?;
        return Ok(found.clone());
    }
    let free: Vec<_> = mesh
        .prometheus_servers
        .iter()
        .filter(|p| p.is_free(&answers.take))
        .collect();
    if let Some(one) = mesh.only_prometheus(&answers.take) {
        return Ok(Arc::clone(one));
    }
    match free[..] {
        [one] => Ok(one.clone()),
        [] => {
            let mut error = Error::new("there is no Prometheus that can be set up");
            if let Some(why) = mesh.unlisted(Listed::Workloads) {
                error = error.cause(format!("not every workload could be listed: {why}"));
            }
            for found in &mesh.prometheus_servers {
                if let Some(obstacle) = found.obstacles.first() {
                    error = error.cause(format!("{}: {}", found.id, words::reason(obstacle)));
                }
                if let Some(owner) = found.takeable() {
                    error = error.hint(take_hint(owner));
                }
                if let Some(way) = found.by_export() {
                    error = error.hint(way);
                }
            }
            if mesh.prometheus_servers.is_empty() {
                error = error
                    .cause("none was found in this cluster")
                    .hint("install one, such as Istio's sample: samples/addons/prometheus.yaml");
            }
            Err(error)
        }
        _ => {
            let mut error = Error::new("several Prometheus servers found, and none is named");
            for found in free {
                error = error.hint(format!("--prometheus {}", found.id));
            }
            Err(error)
        }
    }
}

fn named_workload<'a>(
    mesh: &'a Mesh,
    id: &WorkloadRef,
    take: &BTreeSet<String>,
) -> Result<&'a Arc<Workload>, Error> {
    let found = mesh.workloads.iter().find(|w| w.id == *id);
    if let Some(workload) = found {
        let (against, owner) = (workload.against(take), workload.takeable());
        let others = |w: &&Arc<Workload>| w.id.namespace == id.namespace && w.is_free(take);
        let otherwise = match mesh.workloads.iter().any(|w| others(&w)) {
            true => format!(
                "fix that first, or skip it: -n {} selects the available workloads there",
                id.namespace
            ),
            false => "fix that first, or skip this workload".to_owned(),
        };
        choosable("workload", &workload.id, against, owner, otherwise)?;
        return Ok(workload);
    }
    if id.kind == Kind::Deployment && mesh.gateway(&id.namespace, &id.name).is_some() {
        return Err(Error::new(format!("{id} is a gateway"))
            .hint(format!("-g {}/{}", id.namespace, id.name)));
    }
    known_namespace(mesh, &id.namespace)?;
    let all = mesh.workloads.iter();
    let names = all.map(|w| (w.id.to_string(), w.against(take).next()));
    let beside = format!("{}/", id.namespace);
    Err(missing(
        mesh,
        "workload",
        &id.to_string(),
        &named(names),
        |name| name.starts_with(&beside),
    ))
}

fn named_gateway(
    mesh: &Mesh,
    of: &GatewayRef,
    take: &BTreeSet<String>,
) -> Result<Arc<Gateway>, Error> {
    let (namespace, name) = (of.namespace.as_str(), of.name.as_str());
    if let Some(gateway) = mesh.gateway(namespace, name) {
        let of = &gateway.workload;
        let otherwise = "fix that first, or skip this gateway".to_owned();
        choosable(
            "gateway",
            &of.id,
            of.against(take),
            of.takeable(),
            otherwise,
        )?;
        return Ok(gateway.clone());
    }
    known_namespace(mesh, namespace)?;
    let names = mesh.gateways.iter().map(|g| {
        let id = &g.workload.id;
        let name = format!("{}/{}", id.namespace, id.name);
        (name, g.workload.against(take).next())
    });
    let of = format!("{namespace}/{name}");
    Err(missing(mesh, "gateway", &of, &named(names), |_| true))
}

pub fn known_namespace(mesh: &Mesh, name: &str) -> Result<(), Error> {
    let of_items = mesh
        .workloads
        .iter()
        .map(|w| &w.id.namespace)
        .chain(mesh.gateways.iter().map(|g| &g.workload.id.namespace));
    let names: BTreeSet<String> = mesh
        .namespaces
        .iter()
        .map(|n| &n.name)
        .chain(of_items)
        .cloned()
        .collect();
    if names.contains(name) {
        return Ok(());
    }
    let names = named(names.into_iter().map(|name| (name, None)));
    Err(missing(mesh, "namespace", name, &names, |_| true))
}

/// Why a namespace brings nothing.
fn empty(mesh: &Mesh, name: &str) -> impl Iterator<Item = Problem> {
    let free = mesh
        .gateways
        .iter()
        .filter(|g| g.workload.obstacles.is_empty() || g.workload.takeable().is_some());
    let gateways = free.map(|g| &g.workload.id);
    let named: Vec<String> = gateways
        .filter(|id| id.namespace == name)
        .map(|id| format!("-g {}/{}", id.namespace, id.name))
        .collect();
    // What stays in plaintext beside gateways is said with their plan.
    let others = named.is_empty().then(|| mesh.others_in(name));
    let none = Problem::NothingInNamespace {
        of: Subject::new(Kind::Namespace.name(), "", name),
        gateways: named,
    };
    let others = others.and_then(|others| others::stay_in_plaintext(name, others));
    std::iter::once(none).chain(others)
}

/// A name, and why it cannot be chosen.
type Named = (String, Option<String>);

fn named<'a>(all: impl Iterator<Item = (String, Option<&'a Problem>)>) -> Vec<Named> {
    all.map(|(name, obstacle)| (name, obstacle.map(words::reason)))
        .collect()
}

/// Proposes what can be chosen: the nearest name, else the few that stand `beside` the wrong one. A name that is
/// near but cannot be chosen is told with its reason.
fn missing(
    mesh: &Mesh,
    what: &str,
    name: &str,
    names: &[Named],
    beside: impl Fn(&str) -> bool,
) -> Error {
    const FEW: usize = 8;
    let lists = match what {
        "gateway" => &[Listed::Workloads, Listed::IstioGateways][..],
        "namespace" => &[Listed::Namespaces],
        _ => &[Listed::Workloads],
    };
    // What was not listed may be there all the same.
    if let Some(why) = lists.iter().find_map(|list| mesh.unlisted(*list)) {
        return Error::new(format!("the {what} `{name}` was not found"))
            .cause(format!("not everything could be listed: {why}"))
            .hint("fix that, or retry in a moment");
    }
    let error = Error::new(format!("there is no {what} `{name}`"));
    if names.is_empty() {
        return error.hint(format!("there is no {what} at all"));
    }
    let free = || names.iter().filter(|(_, why)| why.is_none());
    if let Some(near) = nearest(name, free().map(|(name, _)| name.as_str())) {
        return error.hint(format!("did you mean `{near}`?"));
    }
    if let Some(near) = nearest(name, names.iter().map(|(name, _)| name.as_str()))
        && let Some((_, Some(why))) = names.iter().find(|(name, _)| name == near)
    {
        return error.hint(format!("`{near}` is similar, but not available: {why}"));
    }
    let few: Vec<&str> = free()
        .map(|(name, _)| name.as_str())
        .filter(|name| beside(name))
        .collect();
    match few.len() {
        1..=FEW => error.hint(format!("available: {}", few.join(", "))),
        _ => error.hint("the wizard lists them all: meshscrape"),
    }
}

fn choosable<'a>(
    what: &str,
    id: &WorkloadRef,
    against: impl Iterator<Item = &'a Problem> + Clone,
    owner: Option<&Owner>,
    otherwise: String,
) -> Result<(), Error> {
    let mut against = against.peekable();
    if against.peek().is_none() {
        return Ok(());
    }
    // What the cluster's own rules refuse is a refusal.
    let refusal = against.clone().all(Problem::is_refusal);
    let words = format!("the {what} {id} is not available");
    let mut error = match refusal {
        true => Error::refused(words),
        false => Error::new(words),
    };
    for obstacle in against {
        error = error.cause(words::reason(obstacle));
    }
    Err(match owner {
        Some(owner) => error.hint(take_hint(owner)),
        None => error.hint(otherwise),
    })
}

fn take_hint(owner: &Owner) -> String {
    format!(
        "to make it available: --force-owner {}: {}",
        owner.tool.word(),
        owner.tool.reverts()
    )
}
