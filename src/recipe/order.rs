//! The plan, whole: Prometheus first, then each workload by itself, gateways, and last the old jobs.

use super::select::{Item, Selection, select};
use super::{
    added_jobs, annotation, authorization, ended_monitors, forbidden, gateway, injection, merged,
    mtls, old_jobs, prometheus_pod, reaching, repair, scrape_job, sidecar,
};
use crate::answers::Answers;
use crate::error::Error;
use crate::mesh::kinds::WorkloadRef;
use crate::mesh::{ConfigHome, Listed, Mesh, Progress, Prometheus, others};
use crate::plan::purpose::Purpose;
use crate::plan::scrape_config::TextEdit;
use crate::plan::{Await, Change, ChangeId, Part, Plan, keeping};
use crate::problems::{Problem, cluster, shared_identity};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be written, in order. The same mesh and answers give the same plan; a mesh in which it all stands
/// already gives the same objects again, which the review then finds unchanged.
///
/// # Errors
/// A name that is not there or cannot be chosen; a choice that would lose metrics; a mesh in which the recipe
/// cannot be right.
pub fn plan(mesh: &Mesh, answers: &Answers) -> Result<Plan, Error> {
    let chosen = select(mesh, answers)?;
    forbidden::check(mesh, answers, &chosen)?;
    let of = chosen.prometheus.as_ref();
    let access = authorization::Access::new(mesh, answers, of)?;
    let fixes = answers.options.repair;
    let items: Vec<Item> = chosen.items(answers).collect();
    let config = scrape_job::config(of)?.over(mesh, of, &items);
    reaching::check(mesh, of, &items)?;
    let decision = old_jobs::decide(mesh, answers, of, &config, &items);
    let mut plan = Plan {
        home: Some(of.id.namespace.clone()),
        ..Plan::default()
    };
    keeping::place(&mut plan, mesh);

    let base = prometheus(mesh, of, &config, fixes, &decision, &mut plan)?;
    let namespaces = injection::namespaces(mesh, answers, &chosen)?;
    let by_space: BTreeMap<String, ChangeId> = namespaces
        .iter()
        .map(|c| (c.object.name.clone(), c.id.clone()))
        .collect();
    plan.changes.extend(namespaces);

    let leaves_out = old_jobs::leave_annotated_out(of, &config.jobs);
    let mut listeners: BTreeMap<WorkloadRef, ChangeId> = BTreeMap::new();
    let mut annotated: Vec<(WorkloadRef, Vec<ChangeId>)> = Vec::new();
    let (of_workloads, of_gateways) = items.split_at(chosen.workloads.len());

    // `parts`: what opens the port of this item.
    let mut annotations_of =
        |plan: &mut Plan, item: &Item, listener: &ChangeId, parts: &[ChangeId]| {
            let keep_own = old_jobs::keeps_own_scrape(mesh, answers, item.workload);
            let mut annotations =
                annotation::changes(mesh, item, answers.options.injection, keep_own);
            for change in &mut annotations {
                change.needs.push(listener.clone());
                change.needs.extend(base.iter().cloned());
                if item.gateway.is_none() {
                    change
                        .needs
                        .extend(by_space.get(&item.workload.id.namespace).cloned());
                }
            }
            // From then on an annotation takes its pod out of the old jobs at once.
            if leaves_out && let Some(last) = annotations.last_mut() {
                last.then
                    .push(Await::TargetsUp(vec![item.workload.id.clone()]));
            }
            let ids: Vec<ChangeId> = annotations.iter().map(|c| c.id.clone()).collect();
            // Pods that carry the annotation already are scraped without these.
            if !ids.is_empty() && !item.workload.scraped.secure {
                for part in parts {
                    let served = plan.serves.entry(part.clone()).or_default();
                    served.extend(ids.iter().cloned());
                }
            }
            annotated.push((item.workload.id.clone(), ids));
            plan.changes.extend(annotations);
        };

    for item in of_workloads {
        let peers = match &item.workload.governed_by.peer_authentication {
            Some(theirs) => merged::peer_authentication(item.workload, theirs),
            None => mtls::peer_authentication(item.workload),
        };
        let readers = access.readers(item.workload);
        let mut policies = vec![peers, authorization::policy(item.workload, &readers)];
        policies.extend(access.allowed(mesh, of, item));
        selects_something(item)?;
        let ids: Vec<ChangeId> = policies.iter().map(|c| c.id.clone()).collect();
        let mut parts = ids.clone();
        let mut listener = sidecar::listener(item.workload, item.port, ids)?;
        listener.findings.extend(reaching::doubts(mesh, of, item));
        let id = listener.id.clone();
        parts.push(id.clone());
        listeners.insert(item.workload.id.clone(), id.clone());
        with_shared(&mut plan, policies);
        plan.changes.push(listener);
        annotations_of(&mut plan, item, &id, &parts);
    }
    if fixes {
        plan.changes
            .extend(repair::sidecars(mesh, &chosen, &listeners));
    }
    let mut gateway_annotations = Vec::new();
    for item in of_gateways {
        let Some(of) = item.gateway else { continue };
        selects_something(item)?;
        let in_the_way = of
            .on_15091
            .iter()
            .filter(|g| !item.workload.ours.contains(g))
            .find(|g| !fixes || !repair::taken_away(mesh, g));
        if let Some(other) = in_the_way {
            return Err(Error::new(format!(
                "{} already has a server on port 15091",
                item.workload.id
            ))
            .cause(format!(
                "{other}: of two servers on one port, Istio skips the newer one"
            ))
            .hint("remove that server, or skip this gateway"));
        }
        let [entry, route, mut listener] =
            gateway::changes(of, item.port, &access.readers(item.workload));
        let allowed = access.allowed(mesh, &chosen.prometheus, item);
        let mut parts: Vec<ChangeId> = allowed.iter().map(|c| c.id.clone()).collect();
        listener.needs.extend(parts.iter().cloned());
        with_shared(&mut plan, allowed);
        listener
            .findings
            .extend(reaching::doubts(mesh, &chosen.prometheus, item));
        listeners.insert(item.workload.id.clone(), listener.id.clone());
        parts.extend([&entry, &route, &listener].map(|c| c.id.clone()));
        gateway_annotations.push((item, listener.id.clone(), parts));
        plan.changes.extend([entry, route, listener]);
    }
    if fixes {
        plan.changes
            .extend(repair::gateways(mesh, &chosen, &listeners));
    }
    for (item, listener, parts) in gateway_annotations {
        annotations_of(&mut plan, item, &listener, &parts);
    }
    for (space, label) in &by_space {
        let of_space = annotated
            .iter()
            .filter(|(item, _)| item.namespace == *space);
        let ids: Vec<ChangeId> = of_space.flat_map(|(_, ids)| ids.clone()).collect();
        if !ids.is_empty() {
            plan.serves.insert(label.clone(), ids);
        }
    }

    let before: Vec<ChangeId> = plan.changes.iter().map(|c| c.id.clone()).collect();
    for mut last in old_jobs::old_jobs(&decision, &config, of) {
        let jobs = plan.changes.iter().filter(|c| c.part == Part::ScrapeJob);
        last.needs = jobs.map(|c| c.id.clone()).collect();
        last.after = before.clone();
        let ends = decision.ends();
        let of_ended = annotated.iter().filter(|(item, _)| ends.contains(item));
        let annotations: Vec<ChangeId> = of_ended.flat_map(|(_, ids)| ids.clone()).collect();
        let secure = |i: &Item| i.workload.scraped.secure && ends.contains(&i.workload.id);
        if !annotations.is_empty() && !items.iter().any(secure) {
            plan.serves.insert(last.id.clone(), annotations);
        }
        if !reloads(of) {
            last.findings.push(Problem::ConfigReadAtStart {
                of: (&of.id).into(),
            });
        }
        plan.changes.push(last);
    }
    plan.findings.extend(decision.findings);
    plan.findings
        .extend(access.beside(of, items.iter().map(|item| item.workload)));
    findings(&mut plan, mesh, &chosen, answers);
    Ok(plan)
}

/// Changes of policies, of which an object of others may govern several items: it is changed once.
fn with_shared(plan: &mut Plan, policies: impl IntoIterator<Item = Change>) {
    for policy in policies {
        if plan.changes.iter().all(|known| known.id != policy.id) {
            plan.changes.push(policy);
        }
    }
}

/// Pod and job; returns what every annotation needs of them.
fn prometheus(
    mesh: &Mesh,
    of: &Prometheus,
    config: &scrape_job::Config,
    repair: bool,
    decision: &old_jobs::Decision,
    plan: &mut Plan,
) -> Result<Vec<ChangeId>, Error> {
    let by_restart = !reloads(of);
    let fingerprint = |certificates: &str| {
        by_restart.then(|| {
            let jobs = scrape_job::scrape_jobs(config, certificates, repair);
            let text = serde_json::Value::Array(jobs.values).to_string();
            Sha256::digest(text)
                .iter()
                .take(8)
                .map(|b| format!("{b:02x}"))
                .collect()
        })
    };
    let pod = prometheus_pod::prometheus_pod(mesh, of, repair, fingerprint)?;
    let jobs = scrape_job::scrape_jobs(config, &pod.certificates, repair);
    plan.findings.extend(jobs.findings);
    plan.findings.extend(prometheus_pod::captured(of, repair));
    if pod.change.is_none() {
        let said = of
            .faults
            .iter()
            .filter(|fault| prometheus_pod::stands_beside(fault));
        plan.findings.extend(said.cloned());
    }
    let mut loaded = scrape_job::loaded(of, &jobs.names);
    loaded.extend(decision.loaded(of));
    let (own, of_monitors): (Vec<TextEdit>, Vec<TextEdit>) = decision
        .first
        .iter()
        .cloned()
        .partition(|edit| config.place.home.holds(edit.job()));
    let again = ended_monitors::by_place(config.place, of_monitors.into_iter());
    plan.changes
        .extend(again.into_iter().map(|(object, action)| Change {
            then: decision.loaded(of).into_iter().collect(),
            ..Change::new(object, Part::ScrapeJob, action, Purpose::MonitorResumes)
        }));
    let mut job = scrape_job::with(jobs.change, config, &own);
    let mut secret = None;
    if let ConfigHome::New(_) = &config.place.home
        && let Some(text) = job.take()
    {
        let [made, named] = added_jobs::changes(of, config, text)?;
        (secret, job) = (Some(made), Some(named));
    }
    let mut pod = pod.change;
    // With a reloader the job follows its certificates; without, one restart loads both.
    let job_first = !of.reloader || by_restart;
    match (&mut job, &mut pod) {
        (Some(job), Some(pod)) if job_first => {
            pod.after.push(job.id.clone());
            pod.then.extend(loaded);
        }
        (Some(job), pod) => {
            job.needs.extend(pod.iter().map(|p| p.id.clone()));
            job.then.extend(loaded);
        }
        (None, Some(pod)) => pod.then.extend(loaded),
        (None, None) => {}
    }
    // A job without its certificates does not load; certificates that no job reads cost a restart for nothing.
    if let (Some(job), Some(pod)) = (&job, &pod) {
        plan.serves.insert(pod.id.clone(), vec![job.id.clone()]);
        plan.serves.insert(job.id.clone(), vec![pod.id.clone()]);
    }
    if let (Some(secret), Some(job)) = (&secret, &job) {
        plan.serves.insert(secret.id.clone(), vec![job.id.clone()]);
    }
    let changes: Vec<Change> = match job_first {
        true => job.into_iter().chain(pod).collect(),
        false => pod.into_iter().chain(job).collect(),
    };
    let changes: Vec<Change> = secret.into_iter().chain(changes).collect();
    let ids = changes.iter().map(|c| c.id.clone()).collect();
    plan.changes.extend(changes);
    Ok(ids)
}

/// Whether a changed file is read without a restart. A subPath mount is never updated in a running pod.
pub(super) fn reloads(of: &Prometheus) -> bool {
    let sub_path = of.config.as_ref().is_some_and(|c| c.sub_path);
    (of.reloader || of.lifecycle) && !sub_path
}

/// A policy or listener without a selector would govern the whole namespace.
fn selects_something(item: &Item) -> Result<(), Error> {
    let selector = match item.gateway {
        Some(gateway) => &gateway.selector,
        None => &item.workload.selector,
    };
    if selector.is_empty() {
        return Err(Error::new(format!(
            "{} has no labels that select its pods alone",
            item.workload.id
        )));
    }
    Ok(())
}

/// What holds of Prometheus's own part, where the plan has it: of its job, of its pod.
pub(super) fn of_prometheus(id: &WorkloadRef) -> [Problem; 2] {
    [
        Problem::ServerNameNotVerified { of: id.into() },
        Problem::StartNeedsIstiod { of: id.into() },
    ]
}

fn findings(plan: &mut Plan, mesh: &Mesh, chosen: &Selection, answers: &Answers) {
    plan.skipped = chosen.passed_over.clone();
    let of_items = chosen
        .items(answers)
        .map(|item| &item.workload.id.namespace);
    let spaces: BTreeSet<&String> = of_items.chain(&answers.namespaces).collect();
    for space in spaces {
        let others = mesh.others_in(space);
        let stay = others::stay_in_plaintext(space, others);
        // Of a namespace that brings nothing it is said already.
        plan.findings
            .extend(stay.filter(|stay| !plan.skipped.contains(stay)));
        plan.others.extend(others.iter().cloned());
    }
    let of = &chosen.prometheus;
    let [unnamed, injected] = of_prometheus(&of.id);
    plan.findings.push(unnamed);
    plan.findings.extend(shared_identity(of));
    if let Some(why) = mesh.unlisted(Listed::Pods) {
        plan.findings.push(Problem::ReadersNotRead {
            of: (&of.id).into(),
            account: format!("{}/{}", of.id.namespace, of.service_account),
            why: why.to_string(),
        });
    }
    if plan.changes.iter().any(|c| c.part == Part::PrometheusPod) {
        plan.findings.push(injected);
    }
    let with_services = chosen.workloads.iter().filter(|w| !w.services.is_empty());
    plan.findings
        .extend(with_services.map(|w| Problem::PortsAsOfToday { of: (&w.id).into() }));
    // Istio brings the kind: where the server does not know it, that is to be said, not taken for "there are none".
    let unread = match mesh.progress.get(&Listed::EnvoyFilters) {
        Some(Progress::Absent) => Some(None),
        _ => mesh.unlisted(Listed::EnvoyFilters).map(Some),
    };
    plan.findings
        .extend(unread.map(|why| Problem::FiltersNotRead {
            of: cluster(mesh),
            why: why.map(|why| why.to_string()),
        }));
    let annotated: BTreeSet<&WorkloadRef> = plan
        .changes
        .iter()
        .filter(|change| change.part == Part::Annotation)
        .filter_map(|change| change.item.as_ref())
        .collect();
    let unannotated: Vec<Problem> = chosen
        .items(answers)
        .map(|item| &item.workload.id)
        .filter(|id| !annotated.contains(id))
        .map(|id| Problem::NoPodToAnnotate { of: id.into() })
        .collect();
    plan.findings.extend(unannotated);
}
