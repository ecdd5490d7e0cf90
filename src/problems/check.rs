//! All problems of a cluster, of what was read of it.

use super::{Code, Problem, Severity, Subject};
use crate::mesh::{Mesh, Prometheus};
use crate::targets::{Board, Guard, Probe, Row, State};
use crate::words;
use std::collections::{BTreeMap, BTreeSet};

/// All that was found in a mesh, each once, sorted by code and subject.
pub fn of_mesh(mesh: &Mesh) -> Vec<Problem> {
    let mut found = of_cluster(mesh);
    for prometheus in &mesh.prometheus_servers {
        found.extend(prometheus.obstacles.iter().cloned());
        found.extend(shared_identity(prometheus));
        found.extend(pods_not_listed(mesh, prometheus));
    }
    let workloads = mesh.workloads.iter().map(|workload| workload.as_ref());
    let gateways = mesh.gateways.iter().map(|gateway| &gateway.workload);
    for workload in workloads.chain(gateways) {
        found.extend(workload.obstacles.iter().cloned());
        let governed = &workload.governed_by;
        found.extend(
            (!governed.stale.is_empty()).then(|| Problem::SidecarCopyStale {
                of: (&workload.id).into(),
                sidecar: governed.sidecars.first().map(|of| of.object.clone()),
                fields: governed.stale.clone(),
            }),
        );
    }
    found.extend(mesh.gateways.iter().filter_map(|of| of.unfit.clone()));
    found.extend(mesh.differences.iter().cloned());
    found.extend(mesh.others.iter().map(|other| other.obstacle.clone()));
    let leftovers = mesh.leftovers.iter();
    found.extend(leftovers.flat_map(|leftover| leftover.problems.iter().cloned()));
    // Said once for the cluster.
    let bare = mesh.istio.control_planes.is_empty();
    found.retain(
        |problem| !matches!(problem, Problem::NoIstio { of } if bare && of.kind != CLUSTER),
    );
    sorted(found)
}

const CLUSTER: &str = "Cluster";

/// What concerns no object of it.
pub fn cluster(mesh: &Mesh) -> Subject {
    Subject::new(CLUSTER, "", &mesh.context)
}

fn of_cluster(mesh: &Mesh) -> Vec<Problem> {
    let cluster = || cluster(mesh);
    let mut found = Vec::new();
    if mesh.istio.control_planes.is_empty() {
        found.push(Problem::NoIstio { of: cluster() });
    }
    for (list, progress) in &mesh.progress {
        if let Some(why) = words::progress(progress) {
            found.push(Problem::ListNotRead {
                of: cluster(),
                list: list.name().to_owned(),
                why: why.into_owned(),
            });
        }
    }
    if let Some(why) = &mesh.istio.settings_unread {
        found.push(Problem::SettingsNotRead {
            of: cluster(),
            why: why.clone(),
        });
    }
    found
}

/// Who else has the identity that the policies let in.
pub fn shared_identity(of: &Prometheus) -> Option<Problem> {
    (!of.shared_with.is_empty()).then(|| Problem::SharedIdentity {
        of: (&of.id).into(),
        account: of.service_account.clone(),
        with: of.shared_with.clone(),
    })
}

/// Where its jobs look for pods, and it may surely not list any.
fn pods_not_listed(mesh: &Mesh, of: &Prometheus) -> Vec<Problem> {
    let rights = mesh.rules.rights.get(&of.account());
    let (Some(rights), Some(looks)) = (rights, &of.looks) else {
        return Vec::new();
    };
    let problem = |jobs: BTreeSet<&String>, namespaces: Vec<String>| Problem::PodsNotListed {
        of: (&of.id).into(),
        account: format!("{}/{}", of.id.namespace, of.service_account),
        jobs: jobs.into_iter().cloned().collect(),
        namespaces,
    };
    let mut found = Vec::new();
    if !looks.everywhere.is_empty() && rights.denied(None) {
        found.push(problem(looks.everywhere.iter().collect(), Vec::new()));
    }
    let named = looks.namespaces.iter();
    let denied: Vec<_> = named
        .filter(|(name, _)| rights.denied(Some(name)))
        .collect();
    if !denied.is_empty() {
        let jobs = denied.iter().flat_map(|(_, jobs)| jobs.iter()).collect();
        let names = denied.iter().map(|(name, _)| (*name).clone()).collect();
        found.push(problem(jobs, names));
    }
    found
}

/// What the targets show: each cause once for an object, each DOWN once for a pod.
pub fn of_board(board: &Board) -> Vec<Problem> {
    let mut found: Vec<Problem> = board.rows.iter().flat_map(|row| of_row(row)).collect();
    for replica in &board.replicas {
        if let Some(why) = &replica.error {
            found.push(Problem::PrometheusNotAsked {
                of: Subject::new("Prometheus", "", &replica.pod),
                replica: replica.pod.clone(),
                why: why.clone(),
            });
        }
    }
    sorted(found)
}

fn of_row(row: &Row) -> Vec<Problem> {
    let pod = || Subject::new("Pod", &row.expected.item.namespace, &row.expected.pod);
    let item = || Subject::from(&row.expected.item);
    let port = row.expected.secure_port.clone().unwrap_or_default();
    let mut found = Vec::new();
    if row.left_out {
        return found;
    }
    match &row.state {
        State::Up { double: Some(job) } => found.push(Problem::AlsoInPlaintext {
            of: item(),
            job: job.clone(),
        }),
        State::Plaintext { job } => found.push(Problem::OnlyInPlaintext {
            of: item(),
            job: job.clone(),
        }),
        State::Down {
            cause: Some(cause), ..
        } => found.push((**cause).clone()),
        State::Down { error, cause: None } => found.push(Problem::DownUnexplained {
            of: pod(),
            error: error.clone(),
        }),
        State::Up { double: None }
        | State::Unsettled { .. }
        | State::Waiting { .. }
        | State::NotCovered => {}
    }
    found.extend(row.guard.faults().iter().cloned());
    if let Guard::Unknown(why) = &row.guard {
        found.push(Problem::GuardNotRead {
            of: item(),
            why: why.clone(),
        });
    }
    if row.probe == Probe::Served {
        found.push(Problem::ServesPlaintext { of: pod(), port });
    }
    found
}

fn sorted(mut found: Vec<Problem>) -> Vec<Problem> {
    found.sort_by(|a, b| (a.code(), a.of()).cmp(&(b.code(), b.of())));
    found.dedup();
    found
}

/// How many of each severity, the gravest first.
pub fn counts(of: &[Problem]) -> [(Severity, usize); 4] {
    Severity::ALL.map(|severity| {
        let is = |problem: &&Problem| problem.severity() == severity;
        (severity, of.iter().filter(is).count())
    })
}

/// By code, the gravest severity first.
pub fn groups(of: &[Problem]) -> Vec<(Code, Vec<&Problem>)> {
    let mut groups: BTreeMap<Code, Vec<&Problem>> = BTreeMap::new();
    for problem in of {
        groups.entry(problem.code()).or_default().push(problem);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(code, _)| std::cmp::Reverse(code.severity()));
    groups
}

/// Problems, and what is to be made of them.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    pub problems: Vec<Problem>,
    /// How many were left out because the user or the baseline knows them.
    pub known: usize,
}

impl Findings {
    /// Leaves out what `known` knows.
    pub fn new(mut problems: Vec<Problem>, known: impl Fn(&Problem) -> bool) -> Self {
        let all = problems.len();
        problems.retain(|problem| !known(problem));
        Findings {
            known: all - problems.len(),
            problems: sorted(problems),
        }
    }

    /// How many of each severity, the gravest first.
    pub fn counts(&self) -> [(Severity, usize); 4] {
        counts(&self.problems)
    }

    /// Something that could not be read.
    pub fn unread(&self) -> bool {
        self.problems.iter().any(Problem::is_unread)
    }

    /// Whether something is as grave as that, or graver.
    pub fn any_at(&self, severity: Severity) -> bool {
        self.problems.iter().any(|p| p.severity() >= severity)
    }

    /// By code, the gravest severity first.
    pub fn groups(&self) -> Vec<(Code, Vec<&Problem>)> {
        groups(&self.problems)
    }
}

impl Problem {
    /// It says that something is not known.
    pub fn is_unread(&self) -> bool {
        matches!(
            self,
            Problem::ListNotRead { .. }
                | Problem::SettingsNotRead { .. }
                | Problem::GovernedByUnread { .. }
                | Problem::FiltersNotRead { .. }
                | Problem::ReadersNotRead { .. }
                | Problem::ConfigNotRead { .. }
                | Problem::GuardNotRead { .. }
                | Problem::PrometheusNotAsked { .. }
        )
    }
}
