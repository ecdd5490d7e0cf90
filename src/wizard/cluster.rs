//! Step 1: the context, and a checklist that fills while the cluster is read.

use super::list::Row;
use super::msg::{Effect, Generation};
use super::state::{
    About, Check, CheckLine, Connection, Contexts, Earlier, Notice, State, Step, Tone,
};
use crate::error::Error;
use crate::mesh::{Mesh, MtlsMode, Progress};
use crate::problems::{Severity, counts};
use crate::words;
use std::collections::BTreeSet;
use std::sync::Arc;

const UNREAD: &str =
    "unreadable objects are missing from the steps; apply the ClusterRole in the README";

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
            _ if earlier.undo => "u: resume the undo, after a review",
            Some(_) => {
                "o: resume with the same choices · u: undo what was applied. Both start with a review"
            }
            None => "u: undo it, after a review",
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
                None => Some("it is not there".to_owned()),
                Some(w) => w.against(take).next().map(words::reason),
            };
            why.as_ref()
                .inspect(|why| dropped.push(format!("{id}: {why}")))
                .is_none()
        });
        self.answers.gateways.retain(|id| {
            let why = match mesh.gateway(&id.namespace, &id.name) {
                None => Some("it is not there".to_owned()),
                Some(g) => g.workload.against(take).next().map(words::reason),
            };
            why.as_ref()
                .inspect(|why| dropped.push(format!("{}/{}: {why}", id.namespace, id.name)))
                .is_none()
        });
        self.count_chosen();
        if let Some(first) = dropped.first() {
            let more = match dropped.len() {
                1 => String::new(),
                n => format!(" (and {} more)", n - 1),
            };
            self.notice = Some(Notice {
                tone: Tone::Waiting,
                text: format!("no longer chosen: {first}{more}"),
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
    let to_do = "p: list the problems and their fixes";
    (!found.is_empty()).then(|| line(check, About::Problems, found.join(" · "), to_do))
}

/// Trust domain, and the root namespace where that is not known.
fn settings(mesh: &Mesh) -> Vec<CheckLine> {
    let istio = &mesh.istio;
    let why = istio.settings_unread.as_deref().unwrap_or_default();
    let asked = mesh.progress.values().all(Progress::settled);
    let unknown = |about, flag: &str| match asked {
        true => line(
            Check::Bad,
            about,
            format!("not known: {why}"),
            format!("pass {flag}, or get permission to read that ConfigMap"),
        ),
        false => line(Check::Asking, about, "is being read", ""),
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
        None => line(Check::Asking, About::Server, "is being asked", ""),
        Some(Ok(version)) => line(
            Check::Good,
            About::Server,
            format!("Kubernetes {version}"),
            "",
        ),
        Some(Err(failure)) => {
            let todo = if failure.expired {
                "log in again (the credentials are missing or expired), then press r"
            } else {
                "check that this machine reaches the cluster (kubectl version), then press r"
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
            line(Check::Asking, About::Istio, "is being looked for", "")
        } else {
            line(
                Check::Bad,
                About::Istio,
                "no istiod was found (a Deployment labelled app=istiod)",
                "install Istio (istioctl install), or choose the cluster that has it, then press r",
            )
        };
    }
    let found: Vec<String> = planes
        .iter()
        .map(|p| {
            let ready = if p.ready { "" } else { ", not ready" };
            format!(
                "{} (revision {} in {}{ready})",
                p.version, p.revision, p.namespace
            )
        })
        .collect();
    if planes.iter().any(|p| p.ready) {
        line(Check::Good, About::Istio, found.join(", "), "")
    } else {
        line(
            Check::Warning,
            About::Istio,
            found.join(", "),
            "istiod must be ready before new settings reach the proxies",
        )
    }
}

fn data_plane(mesh: &Mesh) -> CheckLine {
    if mesh.istio.ambient {
        line(
            Check::Warning,
            About::DataPlane,
            "sidecars; ambient in some namespaces",
            "ambient workloads have no sidecar for port 15091; step 4 lists each with a fix",
        )
    } else {
        line(Check::Good, About::DataPlane, "sidecars", "")
    }
}

fn mode(mesh: &Mesh) -> CheckLine {
    let (mode, source) = &mesh.istio.mesh_mode;
    let by = match source {
        Some(object) => format!("by {object}"),
        None => "Istio's default".into(),
    };
    match mode {
        MtlsMode::Permissive => line(
            Check::Good,
            About::MeshMode,
            format!("PERMISSIVE, {by}"),
            "",
        ),
        MtlsMode::Strict => line(Check::Good, About::MeshMode, format!("STRICT, {by}"), ""),
        MtlsMode::Disable => line(
            Check::Warning,
            About::MeshMode,
            format!("DISABLE, {by}"),
            "port 15091 gets STRICT; all other ports keep their mode",
        ),
    }
}

fn prometheus(mesh: &Mesh, take: &BTreeSet<String>) -> CheckLine {
    let found = mesh.prometheus_servers.len();
    let free = mesh.prometheus_servers.iter().filter(|p| p.is_free(take));
    match (found, free.count()) {
        (0, _) if filling(mesh) => {
            line(Check::Asking, About::Prometheus, "is being looked for", "")
        }
        (0, _) => line(
            Check::Bad,
            About::Prometheus,
            "none was found",
            "install one, such as Istio's sample: kubectl apply -f samples/addons/prometheus.yaml; step 2 waits for it",
        ),
        // What stands against one may be no more than a list that has not come yet.
        (n, 0) if filling(mesh) => line(
            Check::Asking,
            About::Prometheus,
            format!("{n} found; checking which are available"),
            "",
        ),
        (n, 0) => line(
            Check::Bad,
            About::Prometheus,
            format!("{n} found, none available"),
            "step 2 shows the reason for each",
        ),
        (n, free) => line(
            Check::Good,
            About::Prometheus,
            format!("{n} found, {free} available"),
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
                    Some(about) => format!("{seen} of about {about} {what}"),
                    None => format!("{seen} {what}"),
                }),
                _ => None,
            })
            .collect();
        let found = if seen.is_empty() {
            format!("{settled} of {all} lists read")
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
                UNREAD,
            )),
            Progress::DeniedIn { .. } => {
                let why = words::progress(progress).unwrap_or_default();
                lines.push(line(
                    Check::Warning,
                    About::Reading,
                    format!("{what}: {why}"),
                    UNREAD,
                ));
            }
            Progress::Failed(why) => lines.push(line(
                Check::Warning,
                About::Reading,
                format!("{what}: {why}"),
                "press r to ask again",
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
            line(Check::Asking, About::Permissions, "are being asked", "")
        } else {
            line(
                Check::Warning,
                About::Permissions,
                "could not be asked",
                "what is missing shows in the review",
            )
        };
    }
    let mut denied: Vec<String> = Vec::new();
    let mut costs: Vec<&str> = Vec::new();
    for (question, _) in mesh.access.iter().filter(|(_, yes)| !**yes) {
        let at = match &question.namespace {
            Some(namespace) => format!(" in {namespace}"),
            None => String::new(),
        };
        denied.push(format!("{} {}{at}", question.verb, question.resource));
        let cost = match (question.verb, question.resource) {
            (_, "pods/proxy") => "step 9 cannot query Prometheus or check the pods",
            ("create", "pods") => "step 7 cannot dry-run the new pods",
            ("get" | "list" | "watch", _) => "steps 2 to 5 are incomplete",
            _ => "step 8 cannot apply the change",
        };
        if !costs.contains(&cost) {
            costs.push(cost);
        }
    }
    let open = asked.done < asked.of;
    if denied.is_empty() && open {
        let found = format!(
            "{} of {} checked, none missing so far",
            asked.done, asked.of
        );
        return line(Check::Asking, About::Permissions, found, "");
    }
    if denied.is_empty() {
        return match asked.of.saturating_sub(mesh.access.len()) {
            0 => line(
                Check::Good,
                About::Permissions,
                format!("all granted ({})", mesh.access.len()),
                "",
            ),
            unknown => line(
                Check::Warning,
                About::Permissions,
                format!(
                    "{} granted, {unknown} could not be checked",
                    mesh.access.len()
                ),
                "what is missing shows in the review",
            ),
        };
    }
    let so_far = if open { " so far" } else { "" };
    line(
        Check::Warning,
        About::Permissions,
        format!("missing{so_far}: {}", denied.join(", ")),
        format!("{}; apply the ClusterRole in the README", costs.join("; ")),
    )
}
