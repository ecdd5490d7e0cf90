//! The targets of a Prometheus before and after a plan: its jobs run over the pods that are there, with the plan's
//! changes laid over both.

use super::old_jobs::everything;
use super::{SECURE_PORT, added_jobs, ended_monitors, select};
use crate::answers::Answers;
use crate::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
use crate::mesh::objects::{self as lean, Labels};
use crate::mesh::{self, Mesh, Prometheus, SidecarState, Workload};
use crate::plan::owners::merge;
use crate::plan::{Action, Change, ChangeId, Part, Plan, scrape_config};
use crate::reach::forecast::{Forecast, Outlook, Scrape, Unlisted, scrapes};
use crate::reach::job::{Job, jobs};
use crate::reach::promql::names_job;
use crate::reach::relabel::Unknown;
use crate::reach::rights::Looks;
use crate::reach::scrape::Around;
use crate::reach::{injector, merging};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

type Named = (Arc<str>, Job);

/// `skipped`: changes of the plan that are not to be written. `None`: the configuration of Prometheus is not known, or
/// nothing can be chosen.
pub fn forecast(
    mesh: &Mesh,
    answers: &Answers,
    plan: &Plan,
    skipped: &BTreeSet<ChangeId>,
) -> Option<Forecast> {
    let chosen = select(mesh, answers).ok()?;
    let of = chosen.prometheus.as_ref();
    let place = of.config.as_ref()?;
    let text = place.text.as_deref().ok()?;
    let written = || {
        let all = plan.changes.iter();
        all.filter(|change| !skipped.contains(&change.id))
    };
    let (after, unread) = match edited(text, written(), of) {
        Ok(after) => (after, None),
        Err(why) => (text.to_owned(), Some(why)),
    };
    let mut services: HashMap<&str, Vec<&lean::Service>> = HashMap::new();
    for service in &mesh.around.services {
        let space = service.metadata.namespace.as_str();
        services.entry(space).or_default().push(service);
    }
    let laid = Laid {
        mesh,
        of,
        before: named(text, of),
        after: named(&after, of),
        over: over(written()),
        workloads: everything(mesh).map(|of| (&of.id, of)).collect(),
        services,
    };
    let stays: BTreeSet<&WorkloadRef> = plan
        .changes
        .iter()
        .filter(|change| change.part == Part::Annotation && skipped.contains(&change.id))
        .filter_map(|change| change.item.as_ref())
        .collect();
    let items: BTreeSet<&WorkloadRef> = chosen
        .items(answers)
        .map(|item| &item.workload.id)
        .filter(|id| !stays.contains(id))
        .collect();
    let mut made = Made::default();
    for workload in everything(mesh) {
        let chosen = items.contains(&workload.id);
        laid.outlooks(workload, chosen, &mut made);
    }
    let Made {
        outlooks,
        unknown,
        unlisted,
    } = made;
    let elsewhere = chosen
        .items(answers)
        .flat_map(|item| laid.elsewhere(item.workload));
    let elsewhere = elsewhere.collect();
    let readers = laid.readers(&outlooks);
    let unasked = outlooks.iter().filter(|outlook| outlook.chosen);
    let unasked = unasked.flat_map(|outlook| laid.unasked(outlook)).collect();
    Some(Forecast {
        elsewhere,
        readers,
        unasked,
        unlisted,
        prometheus: of.id.clone(),
        account: format!("{}/{}", of.id.namespace, of.service_account),
        port: SECURE_PORT,
        outlooks,
        unknown,
        unread,
    })
}

/// The configuration as the plan leaves it; `Err`: why it cannot be edited.
fn edited<'a>(
    text: &str,
    changes: impl Iterator<Item = &'a Change>,
    of: &Prometheus,
) -> Result<String, String> {
    let mut text = text.to_owned();
    for change in changes {
        let Some(place) = &of.config else { continue };
        let edits = match &change.action {
            Action::Text { key, edits } => {
                let here = |job| {
                    ended_monitors::place_of(place, job)
                        .is_some_and(|at| at == (change.object.clone(), key.clone()))
                };
                let edits = edits.iter().filter(|edit| here(edit.job()));
                edits.cloned().collect()
            }
            Action::Apply { intent } if change.object == *place.home.object() => {
                added_jobs::of_secret(intent, &place.key)
            }
            _ => continue,
        };
        text = scrape_config::apply(&text, &edits).map_err(|refused| refused.why)?;
    }
    Ok(text)
}

fn named(text: &str, of: &Prometheus) -> Vec<Named> {
    let jobs = jobs(text, mesh::dialect(of)).into_iter();
    jobs.map(|job| (job.name.as_str().into(), job)).collect()
}

/// What is written, by object.
fn over<'a>(changes: impl Iterator<Item = &'a Change>) -> HashMap<&'a ObjectRef, Vec<&'a Change>> {
    let mut over: HashMap<&ObjectRef, Vec<&Change>> = HashMap::new();
    for change in changes {
        over.entry(&change.object).or_default().push(change);
    }
    over
}

#[derive(Default)]
struct Made {
    outlooks: Vec<Outlook>,
    unknown: BTreeMap<String, Unknown>,
    unlisted: BTreeMap<WorkloadRef, Unlisted>,
}

struct Laid<'a> {
    mesh: &'a Mesh,
    of: &'a Prometheus,
    before: Vec<Named>,
    after: Vec<Named>,
    over: HashMap<&'a ObjectRef, Vec<&'a Change>>,
    workloads: HashMap<&'a WorkloadRef, &'a Workload>,
    /// By namespace.
    services: HashMap<&'a str, Vec<&'a lean::Service>>,
}

impl Laid<'_> {
    fn outlooks(&self, workload: &Workload, chosen: bool, into: &mut Made) {
        let services = self.services.get(workload.id.namespace.as_str());
        let services = services.map_or(&[][..], Vec::as_slice);
        let around = Around {
            services: &[],
            namespaces: &self.mesh.around.namespaces,
            own: &self.of.id.namespace,
            rights: self.mesh.rules.rights.get(&self.of.account()),
        };
        let free = Around {
            rights: None,
            ..around
        };
        let template = self.template(workload);
        for (pods, pod) in mesh::living(workload) {
            let mut made = |jobs: &[Named], pod: &lean::Pod, around| -> BTreeSet<Scrape> {
                let jobs = jobs.iter().map(|(name, job)| (name, job));
                scrapes(jobs, pod, around, services, &mut into.unknown)
            };
            let before = match pods {
                0 => BTreeSet::new(),
                _ => made(&self.before, &pod, around),
            };
            let next = self.next(workload, pod.clone(), template.as_ref());
            let outlook = Outlook {
                item: workload.id.clone(),
                chosen,
                pods,
                ip: next.status.pod_ip.clone().unwrap_or_default(),
                after: made(&self.after, &next, around),
                before,
                pod: next.metadata.name.clone(),
            };
            if chosen && around.rights.is_some() && outlook.secure(SECURE_PORT).next().is_none() {
                let free = made(&self.after, &next, free);
                if let Some(unlisted) = self.unlisted(&next, &free) {
                    into.unlisted.insert(workload.id.clone(), unlisted);
                }
            }
            if !outlook.is_still() {
                into.outlooks.push(outlook);
            }
        }
    }

    /// The jobs that would scrape this pod over mutual TLS, if their Prometheus might list it.
    fn unlisted(&self, pod: &lean::Pod, free: &BTreeSet<Scrape>) -> Option<Unlisted> {
        let rights = self.mesh.rules.rights.get(&self.of.account())?;
        let ip = pod.status.pod_ip.as_deref().unwrap_or_default();
        let mut found = Unlisted::default();
        for scrape in free.iter().filter(|one| one.is_secure(ip, SECURE_PORT)) {
            let jobs = self.after.iter().filter(|(name, _)| *name == scrape.job);
            let looks = Looks::of(jobs.map(|(_, job)| job), &self.of.id.namespace);
            let here = Some(pod.metadata.namespace.as_str());
            let mut places = looks.places().map(|(place, _)| place);
            let place = places
                .find(|place| (place.is_none() || *place == here) && rights.denied(*place))?;
            found.jobs.insert(scrape.job.to_string());
            found.everywhere |= place.is_none();
        }
        (!found.jobs.is_empty()).then_some(found)
    }

    /// What of the app's ports is scraped no more, and asked by no agent: job and ports.
    fn unasked(&self, of: &Outlook) -> Vec<(WorkloadRef, String, Vec<u16>)> {
        let Some(workload) = self.workloads.get(&of.item).copied() else {
            return Vec::new();
        };
        let template = self.template(workload);
        let annotations = match &template {
            Some((_, annotations)) => annotations,
            None => &workload.template.metadata.annotations,
        };
        let merges = injector::merges(annotations, self.mesh.istio.prometheus_merge);
        let asked = match merges {
            true => merging::ports_of_agent(annotations),
            false => BTreeSet::new(),
        };
        let containers = workload.template.spec.containers.iter();
        let declared: BTreeSet<u16> = containers
            .flat_map(|container| &container.ports)
            .map(|port| port.container_port)
            .collect();
        let mut found: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
        for scrape in of.before.difference(&of.after).filter(|one| one.is_plain()) {
            let Some(port) = scrape.target.place().1 else {
                continue;
            };
            // A container without a port is asked at the scheme's own, where nobody need listen.
            let proxys = matches!(port, 15020 | 15090) || port == workload.status_port;
            if declared.contains(&port) && !proxys && !asked.contains(&port) {
                found.entry(&scrape.job).or_default().insert(port);
            }
        }
        let found = found.into_iter();
        found
            .map(|(job, ports)| (of.item.clone(), job.to_owned(), ports.into_iter().collect()))
            .collect()
    }

    /// Rules and federation jobs that name a job of which something ends.
    fn readers(&self, outlooks: &[Outlook]) -> BTreeMap<String, Vec<String>> {
        let ended: BTreeSet<&str> = outlooks
            .iter()
            .flat_map(|of| of.before.difference(&of.after))
            .filter(|scrape| scrape.is_plain())
            .map(|scrape| &*scrape.job)
            .collect();
        let rules = self.mesh.rules_of.get(&self.of.id);
        let rules = || rules.iter().flat_map(|rules| rules.iter());
        let servers = self.mesh.prometheus_servers.iter();
        let federating: Vec<(String, Vec<String>)> = servers
            .filter_map(|server| {
                let text = server.config.as_ref()?.text.as_deref().ok()?;
                Some((server, jobs(text, mesh::dialect(server))))
            })
            .flat_map(|(server, jobs)| {
                let jobs = jobs.into_iter().filter_map(move |job| {
                    let matches = job.params.get("match[]")?.clone();
                    Some((format!("job {} of {}", job.name, server.id), matches))
                });
                jobs.collect::<Vec<_>>()
            })
            .collect();
        let mut readers = BTreeMap::new();
        for job in ended {
            let of_rules = rules().filter(|rule| names_job(&rule.query, job));
            let mut by: Vec<String> = of_rules
                .map(|rule| format!("rule {} ({})", rule.name, rule.group))
                .collect();
            let of_jobs = federating
                .iter()
                .filter(|(_, matches)| matches.iter().any(|one| names_job(one, job)));
            by.extend(of_jobs.map(|(name, _)| name.clone()));
            by.dedup();
            if !by.is_empty() {
                readers.insert(job.to_owned(), by);
            }
        }
        readers
    }

    /// What is known to scrape it in plaintext by other ways than pods.
    fn elsewhere(&self, workload: &Workload) -> Vec<(WorkloadRef, String, Vec<u16>)> {
        let finds_pods = |name: &str| {
            let mut named = self.before.iter().filter(|(job, _)| **job == *name);
            named.any(|(_, job)| job.discovers_pods())
        };
        let mut found: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
        for by in workload.scraped.by.iter().flatten() {
            if by.now && *by.prometheus == self.of.id && !finds_pods(&by.job) {
                found.entry(&by.job).or_default().push(by.port);
            }
        }
        let found = found.into_iter();
        found
            .map(|(job, ports)| (workload.id.clone(), job.to_owned(), ports))
            .collect()
    }

    /// Labels and annotations of the template as the plan leaves them; `None`: it leaves them as they are.
    fn template(&self, workload: &Workload) -> Option<(Labels, Labels)> {
        let meta = &workload.template.metadata;
        let before = (meta.labels.clone(), meta.annotations.clone());
        let object = json!({"spec": {"template": {"metadata":
            {"labels": before.0, "annotations": before.1}}}});
        let after = self.laid_over(&workload.id.object(), object)?;
        let meta = &after["spec"]["template"]["metadata"];
        let after = (labels(&meta["labels"]), labels(&meta["annotations"]));
        // Pods that are not of it yet are on their way.
        (after != before || !workload.rolled_out).then_some(after)
    }

    /// The object with every change of it; `None`: there is none.
    fn laid_over(&self, name: &ObjectRef, object: Value) -> Option<Value> {
        let mut object = object;
        for change in self.over.get(name)? {
            match &change.action {
                Action::Apply { intent } => object = merge(object, intent),
                Action::Edit { leaves } => {
                    for leaf in leaves {
                        match &leaf.to {
                            Some(value) => leaf.path.set(&mut object, value.clone()),
                            None => _ = leaf.path.remove(&mut object),
                        }
                    }
                }
                Action::Text { .. } | Action::Delete { .. } => {}
            }
        }
        Some(object)
    }

    /// A pod after the plan: the one that a new template makes in its place, or itself.
    fn next(
        &self,
        workload: &Workload,
        mut pod: lean::Pod,
        template: Option<&(Labels, Labels)>,
    ) -> lean::Pod {
        if let Some((labels, annotations)) = template {
            let old = &workload.template.metadata;
            laid(Arc::make_mut(&mut pod.metadata.labels), &old.labels, labels);
            laid(
                Arc::make_mut(&mut pod.metadata.annotations),
                &old.annotations,
                annotations,
            );
            let comes = workload.sidecar != SidecarState::Impossible;
            pod = mesh::next(pod, workload, comes, self.mesh.istio.prometheus_merge);
        }
        let meta = &pod.metadata;
        let name = ObjectRef::new(Kind::Pod, &meta.namespace, &meta.name);
        let object = json!({"metadata": {"labels": meta.labels.as_ref(),
            "annotations": meta.annotations.as_ref()}});
        if let Some(own) = self.laid_over(&name, object) {
            pod.metadata.labels = Arc::new(labels(&own["metadata"]["labels"]));
            pod.metadata.annotations = Arc::new(labels(&own["metadata"]["annotations"]));
        }
        pod
    }
}

/// What a template changes is changed in its pods; what they have of others stays.
fn laid(own: &mut Labels, before: &Labels, after: &Labels) {
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        own.remove(name);
    }
    for (name, value) in after {
        if before.get(name) != Some(value) || !own.contains_key(name) {
            own.insert(name.clone(), value.clone());
        }
    }
}

fn labels(of: &Value) -> Labels {
    let all = of.as_object().into_iter().flatten();
    all.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}
