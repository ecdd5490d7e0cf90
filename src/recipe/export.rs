//! The plan for owners who do the writing themselves: also for what belongs to Helm, Argo CD, Flux or an
//! operator, which this program does not change directly.

use super::{order, select};
use crate::answers::Answers;
use crate::error::Error;
use crate::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
use crate::mesh::{
    ConfigHome, Mesh, Owner, OwnerTool, PodHome, Prometheus, PrometheusConfig, PrometheusFlavour,
};
use crate::plan::export::{Gap, Reload, Setup};
use crate::plan::scrape_config::{TextEdit, jobs};
use crate::plan::{Action, Part, Plan};
use crate::problems::Problem;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The plan as if nobody owned anything, and who owns what.
///
/// Where Prometheus's own part cannot be worked out (its configuration lies in a Secret, or it is no program
/// whose configuration is known), the plan holds the rest, and [`Setup::gap`] says why. For a Prometheus of
/// the operator it holds the pod and the job all the same, for its values.
///
/// # Errors
/// A name that is not there or cannot be chosen for another reason than its owner; a choice that would lose
/// metrics.
pub fn for_export(mesh: &Mesh, answers: &Answers) -> Result<(Plan, Setup), Error> {
    let mut answers = answers.clone();
    if answers.prometheus.is_none() {
        answers.prometheus = the_one(mesh, &answers.take)?;
    }
    let (free, gap) = unlocked(mesh, &answers);
    let chosen = select::select(&free, &answers)?;
    let mut plan = order::plan(&free, &answers)?;
    let of = mesh
        .prometheus(&chosen.prometheus.id)
        .unwrap_or(&chosen.prometheus);
    let mut of = Prometheus::clone(of);
    by_operator(&mut of);
    let of = &of;
    let mut by_hand = Vec::new();
    if gap.is_some() && of.flavour != PrometheusFlavour::Operator {
        let gone: &[Part] = match in_its_configuration(mesh, &of.id) {
            true => {
                by_hand = new_jobs(&plan);
                &[Part::ScrapeJob, Part::PlaintextJobs]
            }
            false => &[Part::PrometheusPod, Part::ScrapeJob, Part::PlaintextJobs],
        };
        without(&mut plan, &of.id, gone);
    }
    let mut setup = setup(of, gap);
    setup.by_hand = by_hand;
    setup.owned.extend(owned(mesh));
    Ok((plan, setup))
}

/// The Prometheus that is meant where none is named: the only one that is free, else the only one.
///
/// # Errors
/// None is free, and there are several.
fn the_one(mesh: &Mesh, take: &BTreeSet<String>) -> Result<Option<WorkloadRef>, Error> {
    if let Some(one) = mesh.only_prometheus(take) {
        return Ok(Some(one.id.clone()));
    }
    let all: Vec<_> = mesh.prometheus_servers.iter().collect();
    let free: Vec<_> = mesh
        .prometheus_servers
        .iter()
        .filter(|p| p.is_free(take))
        .collect();
    match (&free[..], &all[..]) {
        ([], [one]) => Ok(Some(one.id.clone())),
        ([], [_, _, ..]) => Err(all.iter().fold(
            Error::new("several Prometheus servers found, and none is named"),
            |error, found| error.hint(format!("--prometheus {}", found.id)),
        )),
        _ => Ok(None),
    }
}

/// The mesh without the obstacles that are an owner's, and why the chosen Prometheus's own part is missing.
fn unlocked(mesh: &Mesh, answers: &Answers) -> (Mesh, Option<Gap>) {
    let mut free = mesh.clone();
    for workload in &mut free.workloads {
        if workload.owner.is_some() {
            let workload = Arc::make_mut(workload);
            release(&mut workload.obstacles, workload.owner.as_ref());
        }
    }
    for gateway in &mut free.gateways {
        if gateway.workload.owner.is_some() {
            let workload = &mut Arc::make_mut(gateway).workload;
            release(&mut workload.obstacles, workload.owner.as_ref());
        }
    }
    let mut gap = None;
    for found in &mut free.prometheus_servers {
        if answers.prometheus.as_ref() != Some(&found.id) {
            continue;
        }
        let found = Arc::make_mut(found);
        by_operator(found);
        release(&mut found.obstacles, found.owner.as_ref());
        gap = gap_of(found);
        if gap.is_some() {
            found.obstacles.clear();
            found.config = Some(nothing_known(found));
            // A restart would not load what is not written here.
            found.reloader = true;
        }
    }
    (free, gap)
}

/// For an export an operator's Prometheus is its operator's, whether its resource can be changed here or not.
fn by_operator(of: &mut Prometheus) {
    if let PodHome::Resource(operated) = std::mem::take(&mut of.pod_home) {
        release(&mut of.obstacles, of.owner.as_ref());
        of.owner = Some(Owner {
            tool: OwnerTool::Operator,
            name: format!("Prometheus {}", operated.resource.name),
        });
    }
}

fn release(obstacles: &mut Vec<Problem>, owner: Option<&Owner>) {
    obstacles.retain(|o| owner.is_none_or(|owner| !owner.is(o)));
}

/// Why what is to be changed at this Prometheus cannot be worked out whole.
fn gap_of(of: &Prometheus) -> Option<Gap> {
    let id = || of.id.clone();
    if of.flavour == PrometheusFlavour::Operator {
        return Some(Gap::Operator(id()));
    }
    if let Some(obstacle) = of.obstacles.first() {
        return Some(Gap::Blocked(obstacle.clone()));
    }
    match &of.config {
        None => Some(Gap::NotFound(id())),
        Some(config) => {
            let unread = config.text.as_ref().err().cloned();
            unread.map(|why| Gap::Unread(id(), why))
        }
    }
}

/// Stands in for a configuration that is not known, so that the rest can be worked out.
fn nothing_known(of: &Prometheus) -> PrometheusConfig {
    PrometheusConfig {
        // No ConfigMap holds it: of an operator's, the resource that the operator reads.
        home: ConfigHome::File(ObjectRef::new(
            Kind::OperatorPrometheus,
            &of.id.namespace,
            of.owner.as_ref().map_or(of.id.name.as_str(), |owner| {
                owner
                    .name
                    .strip_prefix("Prometheus ")
                    .unwrap_or(&owner.name)
            }),
        )),
        key: "prometheus.yml".into(),
        text: Ok(Arc::from("scrape_configs: []\n")),
        sub_path: false,
    }
}

/// All that is in the way is where its configuration comes from: its pod can be changed, and the job be named.
fn in_its_configuration(mesh: &Mesh, id: &WorkloadRef) -> bool {
    let of = mesh.prometheus(id);
    of.is_some_and(|of| {
        of.obstacles.iter().all(|obstacle| {
            matches!(
                obstacle,
                Problem::ConfigInSecret { .. }
                    | Problem::ConfigNotFound { .. }
                    | Problem::ConfigNotRead { .. }
                    | Problem::ConfigWritten { .. }
                    | Problem::ConfigUnnamed { .. }
                    | Problem::ConfigVariable { .. }
                    | Problem::ConfigGenerated { .. }
            ) || of.owner.as_ref().is_some_and(|owner| owner.is(obstacle))
        })
    })
}

fn new_jobs(plan: &Plan) -> Vec<(String, Value)> {
    let edits = plan
        .changes
        .iter()
        .filter_map(|change| match &change.action {
            Action::Text { edits, .. } => Some(edits),
            _ => None,
        });
    let jobs = edits.flatten().filter_map(|edit| match edit {
        TextEdit::InsertJob { name, job } => Some((name.clone(), job.clone())),
        _ => None,
    });
    jobs.collect()
}

fn without(plan: &mut Plan, id: &WorkloadRef, gone: &[Part]) {
    let ids: BTreeSet<_> = plan
        .changes
        .iter()
        .filter(|change| gone.contains(&change.part))
        .map(|change| change.id.clone())
        .collect();
    plan.changes.retain(|change| !ids.contains(&change.id));
    if gone.contains(&Part::PrometheusPod) {
        let said = order::of_prometheus(id);
        plan.findings.retain(|found| !said.contains(found));
    }
    for change in &mut plan.changes {
        change.needs.retain(|id| !ids.contains(id));
        change.after.retain(|id| !ids.contains(id));
    }
}

fn setup(of: &Prometheus, gap: Option<Gap>) -> Setup {
    let text = of
        .config
        .as_ref()
        .and_then(|config| config.text.as_deref().ok());
    let jobs = text.and_then(|text| jobs(text).ok()).unwrap_or_default();
    let sub_path = of.config.as_ref().is_some_and(|config| config.sub_path);
    let chart = of.template.metadata.labels.get("helm.sh/chart");
    Setup {
        prometheus: of.id.clone(),
        flavour: of.flavour,
        owner: of.owner.clone(),
        container: of.container.clone(),
        http_port: of.http_port,
        route_prefix: of.route_prefix.clone(),
        web_config: of.web_config,
        reload: match (of.reloader, of.lifecycle) {
            _ if sub_path => Reload::Restart,
            (true, _) => Reload::ByItself,
            (false, true) => Reload::OnRequest,
            (false, false) => Reload::Restart,
        },
        chart: chart.and_then(|label| major(label)),
        old_jobs: jobs
            .iter()
            .filter(|job| job.plaintext || job.envoy_stats)
            .map(|job| (job.name.clone(), job.rules().to_vec()))
            .collect(),
        owned: of
            .owner
            .iter()
            .flat_map(|owner| {
                let config = of
                    .config
                    .as_ref()
                    .map(|config| config.home.object().clone());
                std::iter::once(of.id.object())
                    .chain(config)
                    .map(|object| (object, owner.clone()))
            })
            .chain(stand_in(of, gap.is_some()))
            .collect(),
        gap,
        by_hand: Vec::new(),
    }
}

/// The configuration that is not known is nobody's to edit here.
fn stand_in(of: &Prometheus, gap: bool) -> Option<(ObjectRef, Owner)> {
    let owner = of.owner.clone().filter(|_| gap)?;
    Some((nothing_known(of).home.object().clone(), owner))
}

/// `prometheus-27.5.1` → 27.
fn major(label: &str) -> Option<u32> {
    let version = label.strip_prefix("prometheus-")?;
    version.split('.').next()?.parse().ok()
}

fn owned(mesh: &Mesh) -> BTreeMap<ObjectRef, Owner> {
    let workloads = mesh.workloads.iter().map(|w| (w.id.object(), &w.owner));
    let gateways = mesh
        .gateways
        .iter()
        .map(|g| (g.workload.id.object(), &g.workload.owner));
    workloads
        .chain(gateways)
        .filter_map(|(object, owner)| Some((object, owner.clone()?)))
        .collect()
}
