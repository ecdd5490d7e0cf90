//! Step 1: the context, and a checklist that fills while the cluster is read.

use super::list::Row;
use super::msg::{Effect, Generation};
use super::state::{
    About, Check, CheckLine, Connection, Contexts, Earlier, Notice, State, Step, Tone,
};
use crate::error::Error;
use crate::mesh::{Mesh, MtlsMode, Progress};
use crate::problems::{Severity, counts};
use crate::words::{self, say::wizard as say};
use std::collections::BTreeSet;
use std::sync::Arc;

impl State {
    pub(super) fn contexts(&mut self, answer: Result<Contexts, Error>) -> Vec<Effect> {
        let contexts = match answer {
            Ok(contexts) => contexts,
            Err(error) => {
                self.cluster.connection = Connection::Failed(error);
                return Vec::new();
            }
        };
        let rows: Vec<Row> = contexts
            .names
            .iter()
            .map(|name| Row::Context(name.as_str().into()))
            .collect();
        let current = self.cluster.context.as_ref().or(contexts.current.as_ref());
        self.cluster.list.set(
            rows,
            |row| matches!((row, current), (Row::Context(name), Some(c)) if **name == **c),
        );
        let ask = contexts.names.len() > 1 && self.start.context.is_none() && !self.start.monitor;
        let chosen = self
            .start
            .context
            .clone()
            .or_else(|| contexts.current.clone())
            .or_else(|| contexts.names.first().cloned());
        self.cluster.contexts = Some(contexts);
        if ask {
            self.cluster.connection = Connection::Choosing;
            return Vec::new();
        }
        self.connect(chosen)
    }

    pub(super) fn connect(&mut self, context: Option<String>) -> Vec<Effect> {
        if self.cluster.context != context {
            self.mesh = Arc::default();
            self.cluster.whole = false;
            self.cluster.asks = None;
            self.cluster.contact = None;
            self.cluster.checks = Vec::new();
            self.cluster.earlier = None;
            self.cluster.earlier_asked = false;
            self.review = Default::default();
        }
        self.cluster.context = context.clone();
        self.cluster.connection = Connection::Connecting;
        // Whatever the former connection still answers is of another cluster.
        self.generations.discover.advance();
        vec![Effect::Connect(self.generations.connect.advance(), context)]
    }

    pub(super) fn connected(&mut self, of: Generation, answer: Result<(), Error>) -> Vec<Effect> {
        if of != self.generations.connect {
            return Vec::new();
        }
        match answer {
            Ok(()) => {
                self.cluster.connection = Connection::Open;
                self.discover()
            }
            Err(error) => {
                self.cluster.connection = Connection::Failed(error);
                Vec::new()
            }
        }
    }

    pub(super) fn discover(&mut self) -> Vec<Effect> {
        self.cluster.filling = true;
        vec![Effect::Discover(self.generations.discover.advance())]
    }

    pub(super) fn choose_context(&mut self) -> Vec<Effect> {
        match self.cluster.list.current() {
            Some(Row::Context(name)) => {
                let name = name.to_string();
                self.connect(Some(name))
            }
            _ => Vec::new(),
        }
    }

    /// `r`: from the place that failed, or the whole cluster anew.
    pub(super) fn ask_again(&mut self) -> Vec<Effect> {
        match (&self.cluster.connection, &self.cluster.contexts) {
            (Connection::Failed(_), None) => {
                self.cluster.connection = Connection::Reading;
                vec![Effect::LoadContexts]
            }
            (Connection::Failed(_), Some(_)) => {
                let context = self.cluster.context.clone();
                self.connect(context)
            }
            (Connection::Open, _) => {
                // Fresh credentials only come with a fresh connection.
                if self.expired() {
                    let context = self.cluster.context.clone();
                    return self.connect(context);
                }
                self.discover()
            }
            _ => Vec::new(),
        }
    }

    fn expired(&self) -> bool {
        matches!(&self.mesh.server, Some(Err(_)))
            || self
                .mesh
                .progress
                .values()
                .any(|p| matches!(p, Progress::Failed(failure) if failure.expired))
    }

    pub(super) fn mesh_came(&mut self, of: Generation, mesh: Arc<Mesh>, last: bool) -> Vec<Effect> {
        if of != self.generations.discover {
            return Vec::new();
        }
        // While the cluster is read anew the former picture stands, so that no row goes and comes back.
        // The first reading is shown as it grows.
        let keeps = !last && self.cluster.whole && !self.mesh.workloads.is_empty();
        if keeps && self.mesh.context == mesh.context {
            return Vec::new();
        }
        self.cluster.whole = last;
        self.mesh = mesh;
        self.cluster.filling = !last;
        self.cluster.checks = checks(&self.mesh, &self.answers.take);
        self.check_earlier();
        self.preselect_prometheus();
        if last {
            self.cluster.asks = None;
        }
        self.check_contact();
        if last {
            self.whole_mesh();
        }
        self.derive(self.step);
        if last && self.start.monitor && self.status.waiting {
            return self.watch();
        }
        let mut effects = Vec::new();
        if last && !self.cluster.earlier_asked {
            // Records in the cluster stand where its Prometheus servers are: asked again when there is one.
            self.cluster.earlier_asked = !self.mesh.prometheus_servers.is_empty();
            effects.push(Effect::Earlier(of, self.mesh.homes()));
        }
        if self.step == Step::Options && last {
            effects.extend(self.plan_anew());
        }
        effects.extend(self.ask_contact());
        effects
    }

    pub(super) fn earlier_found(&mut self, of: Generation, earlier: Option<Earlier>) {
        if of == self.generations.discover {
            self.cluster.earlier = earlier;
            self.cluster
                .checks
                .retain(|line| line.about != About::Interrupted);
            self.check_earlier();
        }
    }

    fn check_earlier(&mut self) {
        let Some(earlier) = &self.cluster.earlier else {
            return;
        };
        let todo = match earlier.answers {
            _ if earlier.undo => say::U_RESUMES_UNDO,
            Some(_) => say::O_RESUMES_U_UNDOES,
            None => say::U_UNDOES,
        };
        let found = earlier.words.clone();
        self.cluster
            .checks
            .push(line(Check::Warning, About::Interrupted, found, todo));
    }

    /// The choices of the run that was not finished, and on to the options; the review then shows what is left.
    pub(super) fn go_on(&mut self) -> Vec<Effect> {
        let earlier = self.cluster.earlier.as_ref();
        let Some(answers) = earlier.and_then(|earlier| earlier.answers.clone()) else {
            return Vec::new();
        };
        self.prometheus_by_user = answers.prometheus.is_some();
        self.answers = answers;
        self.preselect_prometheus();
        self.whole_mesh();
        for step in [
            Step::Prometheus,
            Step::Namespaces,
            Step::Workloads,
            Step::Gateways,
        ] {
            self.derive(step);
        }
        self.enter(Step::Options)
    }

    /// The mesh has been read to its end: choices of what is not there, or can't be chosen, are dropped and said.
    fn whole_mesh(&mut self) {
        let complete = self
            .mesh
            .progress
            .values()
            .all(|p| matches!(p, Progress::Complete | Progress::Absent));
        if filling(&self.mesh) || self.mesh.workloads.is_empty() {
            return;
        }
        // A list that may not be read is missing for good: names are found among what there is.
        let before = self.answers.workloads.clone();
        if let Err(error) = self.answers.settle(&self.mesh) {
            self.notice = Some(super::update::error_notice(&error));
        }
        for id in self.answers.workloads.difference(&before) {
            self.answers.namespaces.insert(id.namespace.clone());
            self.start.answers.workloads.insert(id.clone());
        }
        if !complete {
            return;
        }
        self.expand_namespaces();
        let mesh = Arc::clone(&self.mesh);
        let mut dropped = Vec::new();
        let take = &self.answers.take;
        self.answers.workloads.retain(|id| {
            let why = match mesh.workload(id) {
                None => Some(say::NOT_THERE.to_owned()),
                Some(w) => w.against(take).next().map(words::reason),
            };
            why.as_ref()
                .inspect(|why| dropped.push(format!("{id}: {why}")))
                .is_none()
        });
        self.answers.gateways.retain(|id| {
            let why = match mesh.gateway(&id.namespace, &id.name) {
                None => Some(say::NOT_THERE.to_owned()),
                Some(g) => g.workload.against(take).next().map(words::reason),
            };
            why.as_ref()
                .inspect(|why| dropped.push(format!("{}/{}: {why}", id.namespace, id.name)))
                .is_none()
        });
        self.count_chosen();
        if let Some(first) = dropped.first() {
            self.notice = Some(Notice {
                tone: Tone::Waiting,
                text: match dropped.len() {
                    1 => say::no_longer_chosen(first),
                    n => say::no_longer_chosen_and(first, n - 1),
                },
            });
        }
    }
}

/// The checklist, as far as the mesh is known.
/// `take`: managers that may be taken by name.
pub fn checks(mesh: &Mesh, take: &BTreeSet<String>) -> Vec<CheckLine> {
    let mut lines = vec![server(mesh)];
    if matches!(mesh.server, Some(Err(_))) {
        return lines;
    }
    lines.push(istio(mesh));
    if !mesh.istio.control_planes.is_empty() {
        lines.push(data_plane(mesh));
        lines.extend(settings(mesh));
        lines.push(mode(mesh));
    }
    lines.push(prometheus(mesh, take));
    lines.extend(lists(mesh));
    lines.push(access(mesh));
    lines.extend(problems(mesh));
    lines
}

/// How many problems of each severity; `None`: nothing was found, or the cluster is still being read.
fn problems(mesh: &Mesh) -> Option<CheckLine> {
    if filling(mesh) {
        return None;
    }
    let counts = counts(&mesh.problems);
    let found: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(severity, count)| format!("{}: {count}", severity.name()))
        .collect();
    let grave = mesh
        .problems
        .iter()
        .any(|of| of.severity() > Severity::Note);
    let check = match grave {
        true => Check::Warning,
        false => Check::Good,
    };
    let to_do = say::P_LISTS_PROBLEMS;
    (!found.is_empty()).then(|| line(check, About::Problems, found.join(" · "), to_do))
}

/// Trust domain, and the root namespace where that is not known.
fn settings(mesh: &Mesh) -> Vec<CheckLine> {
    let istio = &mesh.istio;
    let why = istio.settings_unread.as_deref().unwrap_or_default();
    let asked = mesh.progress.values().all(Progress::settled);
    let unknown = |about, flag: &str| match asked {
        true => line(Check::Bad, about, say::not_known(why), say::pass_flag(flag)),
        false => line(Check::Asking, about, say::IS_BEING_READ, ""),
    };
    let mut lines = vec![match &istio.trust_domain {
        Some(domain) => line(Check::Good, About::TrustDomain, domain.clone(), ""),
        None => unknown(About::TrustDomain, "--trust-domain DOMAIN"),
    }];
    if istio.root_namespace.is_none() && asked {
        lines.push(unknown(About::RootNamespace, "--root-namespace NS"));
    }
    lines
}

fn line(
    check: Check,
    about: About,
    found: impl Into<String>,
    todo: impl Into<String>,
) -> CheckLine {
    CheckLine {
        check,
        about,
        found: found.into(),
        todo: todo.into(),
    }
}

fn server(mesh: &Mesh) -> CheckLine {
    match &mesh.server {
        None => line(Check::Asking, About::Server, say::IS_BEING_ASKED, ""),
        Some(Ok(version)) => line(
            Check::Good,
            About::Server,
            format!("Kubernetes {version}"),
            "",
        ),
        Some(Err(failure)) => {
            let todo = if failure.expired {
                say::LOG_IN_AGAIN
            } else {
                say::CHECK_NETWORK
            };
            line(Check::Bad, About::Server, failure.why.clone(), todo)
        }
    }
}

/// A list has not come to its end.
pub(super) fn filling(mesh: &Mesh) -> bool {
    mesh.progress.is_empty() || mesh.progress.values().any(|p| !p.settled())
}

fn istio(mesh: &Mesh) -> CheckLine {
    let planes = &mesh.istio.control_planes;
    if planes.is_empty() {
        return if filling(mesh) {
            line(Check::Asking, About::Istio, say::IS_LOOKED_FOR, "")
        } else {
            line(Check::Bad, About::Istio, say::NO_ISTIOD, say::INSTALL_ISTIO)
        };
    }
    let found: Vec<String> = planes
        .iter()
        .map(|p| {
            let words = match p.ready {
                true => say::control_plane,
                false => say::control_plane_not_ready,
            };
            words(&p.version, &p.revision, &p.namespace)
        })
        .collect();
    if planes.iter().any(|p| p.ready) {
        line(Check::Good, About::Istio, found.join(", "), "")
    } else {
        line(
            Check::Warning,
            About::Istio,
            found.join(", "),
            say::ISTIOD_MUST_BE_READY,
        )
    }
}

fn data_plane(mesh: &Mesh) -> CheckLine {
    if mesh.istio.ambient {
        line(
            Check::Warning,
            About::DataPlane,
            say::SIDECARS_AND_AMBIENT,
            say::AMBIENT_HAS_NO_SIDECAR,
        )
    } else {
        line(Check::Good, About::DataPlane, say::SIDECARS, "")
    }
}

fn mode(mesh: &Mesh) -> CheckLine {
    let (mode, source) = &mesh.istio.mesh_mode;
    let found = |mode: &str| match source {
        Some(object) => say::mode_by(mode, &object.to_string()),
        None => say::mode_by_default(mode),
    };
    match mode {
        MtlsMode::Permissive => line(Check::Good, About::MeshMode, found("PERMISSIVE"), ""),
        MtlsMode::Strict => line(Check::Good, About::MeshMode, found("STRICT"), ""),
        MtlsMode::Disable => line(
            Check::Warning,
            About::MeshMode,
            found("DISABLE"),
            say::PORT_GETS_STRICT,
        ),
    }
}

fn prometheus(mesh: &Mesh, take: &BTreeSet<String>) -> CheckLine {
    let found = mesh.prometheus_servers.len();
    let free = mesh.prometheus_servers.iter().filter(|p| p.is_free(take));
    match (found, free.count()) {
        (0, _) if filling(mesh) => line(Check::Asking, About::Prometheus, say::IS_LOOKED_FOR, ""),
        (0, _) => line(
            Check::Bad,
            About::Prometheus,
            say::NO_PROMETHEUS,
            say::INSTALL_PROMETHEUS,
        ),
        // What stands against one may be no more than a list that has not come yet.
        (n, 0) if filling(mesh) => line(
            Check::Asking,
            About::Prometheus,
            say::prometheus_found_checking(n),
            "",
        ),
        (n, 0) => line(
            Check::Bad,
            About::Prometheus,
            say::prometheus_found_closed(n),
            say::STEP_2_SHOWS_WHY,
        ),
        (n, free) => line(
            Check::Good,
            About::Prometheus,
            say::prometheus_found(n, free),
            "",
        ),
    }
}

/// Lists that could not be read.
fn lists(mesh: &Mesh) -> Vec<CheckLine> {
    let mut lines = Vec::new();
    let all = mesh.progress.len();
    let settled = mesh.progress.values().filter(|p| p.settled()).count();
    if all > 0 && settled < all {
        let seen: Vec<String> = mesh
            .progress
            .iter()
            .filter_map(|(what, p)| match p {
                Progress::Filling { seen, about } => Some(match about {
                    Some(about) => say::read_of_about(*seen, *about, &what.to_string()),
                    None => format!("{seen} {what}"),
                }),
                _ => None,
            })
            .collect();
        let found = if seen.is_empty() {
            say::lists_read(settled, all)
        } else {
            seen.join(", ")
        };
        lines.push(line(Check::Asking, About::Reading, found, ""));
    }
    for (what, progress) in &mesh.progress {
        match progress {
            Progress::Denied(why) => lines.push(line(
                Check::Warning,
                About::Reading,
                format!("{what}: {why}"),
                say::UNREADABLE_ARE_MISSING,
            )),
            Progress::DeniedIn { .. } => {
                let why = words::progress(progress).unwrap_or_default();
                lines.push(line(
                    Check::Warning,
                    About::Reading,
                    format!("{what}: {why}"),
                    say::UNREADABLE_ARE_MISSING,
                ));
            }
            Progress::Failed(why) => lines.push(line(
                Check::Warning,
                About::Reading,
                format!("{what}: {why}"),
                say::R_ASKS_AGAIN,
            )),
            _ => {}
        }
    }
    lines
}

fn access(mesh: &Mesh) -> CheckLine {
    let asked = mesh.asked;
    let open = asked.done < asked.of || (asked.of == 0 && filling(mesh));
    if mesh.access.is_empty() {
        return if open {
            line(Check::Asking, About::Permissions, say::ARE_BEING_ASKED, "")
        } else {
            line(
                Check::Warning,
                About::Permissions,
                say::COULD_NOT_BE_ASKED,
                say::MISSING_SHOWS_IN_REVIEW,
            )
        };
    }
    let mut denied: Vec<String> = Vec::new();
    let mut costs: Vec<&str> = Vec::new();
    for (question, _) in mesh.access.iter().filter(|(_, yes)| !**yes) {
        denied.push(match &question.namespace {
            Some(namespace) => say::permission_in(question.verb, question.resource, namespace),
            None => format!("{} {}", question.verb, question.resource),
        });
        let cost = match (question.verb, question.resource) {
            (_, "pods/proxy") => say::COSTS_MONITOR,
            ("create", "pods") => say::COSTS_DRY_RUN,
            ("get" | "list" | "watch", _) => say::COSTS_READING,
            _ => say::COSTS_WRITING,
        };
        if !costs.contains(&cost) {
            costs.push(cost);
        }
    }
    let open = asked.done < asked.of;
    if denied.is_empty() && open {
        let found = say::none_missing_so_far(asked.done, asked.of);
        return line(Check::Asking, About::Permissions, found, "");
    }
    if denied.is_empty() {
        return match asked.of.saturating_sub(mesh.access.len()) {
            0 => line(
                Check::Good,
                About::Permissions,
                say::all_granted(mesh.access.len()),
                "",
            ),
            unknown => line(
                Check::Warning,
                About::Permissions,
                say::granted_but(mesh.access.len(), unknown),
                say::MISSING_SHOWS_IN_REVIEW,
            ),
        };
    }
    let missing = match open {
        true => say::missing_so_far,
        false => say::missing,
    };
    line(
        Check::Warning,
        About::Permissions,
        missing(&denied.join(", ")),
        say::apply_cluster_role(&costs.join("; ")),
    )
}
