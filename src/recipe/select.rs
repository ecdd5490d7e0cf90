//! From names to the workloads, gateways and the Prometheus they mean; every name checked, nothing guessed.

use crate::answers::{Answers, GatewayRef, Mark, MetricsPort};
use crate::error::{Error, nearest};
use crate::mesh::kinds::{Kind, WorkloadRef};
use crate::mesh::{Gateway, Mesh, Obstacle, Owner, Prometheus, Workload};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What was chosen, resolved.
#[derive(Clone, Debug)]
pub struct Selection {
    pub prometheus: Arc<Prometheus>,
    pub workloads: Vec<Arc<Workload>>,
    pub gateways: Vec<Arc<Gateway>>,
    /// Workloads of namespaces that were named as a whole which cannot be chosen, and why.
    pub passed_over: Vec<String>,
}

/// One workload or gateway with its options.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    pub workload: &'a Workload,
    /// Set where the item is a gateway.
    pub gateway: Option<&'a Gateway>,
    pub port: MetricsPort,
    pub mark: Mark,
}

impl Selection {
    /// Workloads first, then gateways, each sorted; with their own options.
    pub fn items<'a>(&'a self, answers: &'a Answers) -> impl Iterator<Item = Item<'a>> {
        let item = |workload: &'a Workload, gateway| Item {
            workload,
            gateway,
            port: answers.port_of(&workload.id),
            mark: answers.mark_of(&workload.id),
        };
        self.workloads.iter().map(move |w| item(w, None)).chain(
            self.gateways
                .iter()
                .map(move |g| item(&g.workload, Some(g.as_ref()))),
        )
    }

    /// The names of all items, with the port and the mark of each.
    pub fn refs(&self, answers: &Answers) -> Vec<(WorkloadRef, MetricsPort, Mark)> {
        self.items(answers)
            .map(|item| (item.workload.id.clone(), item.port, item.mark))
            .collect()
    }
}

/// Resolves the answers against the mesh.
///
/// # Errors
/// A name that is not there (with the nearest valid one), one that cannot be chosen (with the reason), nothing
/// chosen at all, or several Prometheis to choose from and none named.
pub fn select(mesh: &Mesh, answers: &Answers) -> Result<Selection, Error> {
    let prometheus = prometheus(mesh, answers)?;
    let mut chosen: BTreeSet<&WorkloadRef> = BTreeSet::new();
    for id in &answers.workloads {
        chosen.insert(&named_workload(mesh, id, &answers.take)?.id);
    }
    let mut passed_over = Vec::new();
    let mut owners = BTreeSet::new();
    for name in &answers.namespaces {
        known_namespace(mesh, name)?;
        if answers.workloads.iter().any(|w| w.namespace == *name) {
            continue;
        }
        for workload in mesh.workloads.iter().filter(|w| w.id.namespace == *name) {
            match workload.against(&answers.take).next() {
                None => drop(chosen.insert(&workload.id)),
                Some(obstacle) => {
                    owners.extend(workload.takeable().map(take_hint));
                    passed_over.push(format!("{}: {}", workload.id, obstacle.reason));
                }
            }
        }
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
        let mut error = Error::new("nothing is chosen that could be secured");
        for reason in passed_over.iter().take(5) {
            error = error.cause(reason);
        }
        for owner in owners {
            error = error.hint(owner);
        }
        return Err(error.hint(
            "name a namespace (-n), a workload (-w NAMESPACE/KIND/NAME) or a gateway (-g NAMESPACE/NAME)",
        ));
    }
    Ok(Selection {
        prometheus,
        workloads,
        gateways,
        passed_over,
    })
}

fn prometheus(mesh: &Mesh, answers: &Answers) -> Result<Arc<Prometheus>, Error> {
    if let Some(id) = &answers.prometheus {
        let Some(found) = mesh.prometheus(id) else {
            let names: Vec<String> = mesh.prometheis.iter().map(|p| p.id.to_string()).collect();
            return Err(missing("Prometheus", &id.to_string(), &names));
        };
        choosable(
            "Prometheus",
            &found.id,
            found.against(&answers.take),
            found.takeable(),
        )?;
        return Ok(found.clone());
    }
    let free: Vec<_> = mesh
        .prometheis
        .iter()
        .filter(|p| p.is_free(&answers.take))
        .collect();
    match free[..] {
        [one] => Ok(one.clone()),
        [] => {
            let mut error = Error::new("there is no Prometheus that can be set up");
            for found in &mesh.prometheis {
                if let Some(obstacle) = found.obstacles.first() {
                    error = error.cause(format!("{}: {}", found.id, obstacle.reason));
                }
                if let Some(owner) = found.takeable() {
                    error = error.hint(take_hint(owner));
                }
            }
            if mesh.prometheis.is_empty() {
                error = error
                    .cause("none was found in this cluster")
                    .hint("install one, such as Istio's sample: samples/addons/prometheus.yaml");
            }
            Err(error)
        }
        _ => {
            let mut error = Error::new("there are several Prometheis, and none was named");
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
        choosable("workload", &workload.id, against, owner)?;
        return Ok(workload);
    }
    if id.kind == Kind::Deployment && mesh.gateway(&id.namespace, &id.name).is_some() {
        return Err(Error::new(format!("{id} is a gateway"))
            .hint(format!("-g {}/{}", id.namespace, id.name)));
    }
    known_namespace(mesh, &id.namespace)?;
    let names: Vec<String> = mesh.workloads.iter().map(|w| w.id.to_string()).collect();
    Err(missing("workload", &id.to_string(), &names))
}

fn named_gateway(
    mesh: &Mesh,
    of: &GatewayRef,
    take: &BTreeSet<String>,
) -> Result<Arc<Gateway>, Error> {
    let (namespace, name) = (of.namespace.as_str(), of.name.as_str());
    if let Some(gateway) = mesh.gateway(namespace, name) {
        let of = &gateway.workload;
        choosable("gateway", &of.id, of.against(take), of.takeable())?;
        return Ok(gateway.clone());
    }
    known_namespace(mesh, namespace)?;
    let names: Vec<String> = mesh
        .gateways
        .iter()
        .map(|g| format!("{}/{}", g.workload.id.namespace, g.workload.id.name))
        .collect();
    Err(missing("gateway", &format!("{namespace}/{name}"), &names))
}

fn known_namespace(mesh: &Mesh, name: &str) -> Result<(), Error> {
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
    Err(missing(
        "namespace",
        name,
        &names.into_iter().collect::<Vec<_>>(),
    ))
}

/// The first of them, and how many more.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn missing(what: &str, name: &str, names: &[String]) -> Error {
    let error = Error::new(format!("there is no {what} `{name}`"));
    match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None if names.is_empty() => error.hint(format!("there is no {what} at all")),
        None => error.hint(format!("there are: {}", some(names))),
    }
}

fn choosable<'a>(
    what: &str,
    id: &WorkloadRef,
    against: impl Iterator<Item = &'a Obstacle>,
    owner: Option<&Owner>,
) -> Result<(), Error> {
    let mut against = against.peekable();
    if against.peek().is_none() {
        return Ok(());
    }
    let mut error = Error::new(format!("the {what} {id} cannot be chosen"));
    for obstacle in against {
        error = error.cause(&obstacle.reason);
    }
    Err(match owner {
        Some(owner) => error.hint(take_hint(owner)),
        None => {
            error.hint("leave it out; -n with its namespace takes all there that can be chosen")
        }
    })
}

fn take_hint(owner: &Owner) -> String {
    format!(
        "choose it all the same with --take {}: {}",
        owner.tool.word(),
        owner.tool.sets_back()
    )
}
