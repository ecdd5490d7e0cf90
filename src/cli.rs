//! The command line. Flags make the same choices as the wizard's steps.

use crate::answers::{Annotate, Answers, GatewayRef, Injection, MetricsPort, Pace};
use crate::cluster::direct::{Direct, Way, secret};
use crate::commands::check;
use crate::commands::events::HELP as EVENTS;
use crate::error::Error;
use crate::mesh::kinds::WorkloadRef;
use crate::mesh::named::Named;
use crate::plan::ChangeId;
use crate::words::say::commands::errors;
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Makes Prometheus scrape an Istio mesh over mutual TLS. Shows every change as a diff, applies it safely, verifies the
/// targets, and can undo it.
///
/// Without a command it starts the wizard, with flags as its initial choices.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "meshscrape",
    version,
    after_help = "Exit codes:\n  \
        0  success\n  \
        1  error, including wrong arguments and choices that are not available\n  \
        2  plan: there are changes\n  \
        3  not every target is UP with plaintext refused and its policies in place;\n     \
           check: a problem at or above --fail-on, or something that could not be read\n  \
        4  refused before any write: no --yes, a conflict, history that would be lost,\n     \
           the cluster's admission, new pods that could not be checked,\n     \
           a first sidecar without --inject, another run in progress\n  \
        5  interrupted: applied changes stay, and can be undone\n  \
        6  undone after a failure"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub choices: Choices,
    #[command(flatten)]
    pub screen: Screen,
}

#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Show the changes, each after a dry run on the server. Writes nothing.
    Plan {
        /// Print the plan as JSON.
        #[arg(long, conflicts_with = "yaml")]
        json: bool,
        /// Print the objects as YAML, in the order of writing.
        #[arg(long)]
        yaml: bool,
    },
    /// Find problems: what is exposed, lost, broken or in plaintext, and what cannot be secured. Reads only.
    Check(check::Options),
    /// Apply the changes, wait for the targets, and check that plaintext is refused.
    #[command(after_help = EVENTS)]
    Apply {
        /// Apply every change that `plan` shows.
        #[arg(long)]
        yes: bool,
        /// Allow losing the history of a Prometheus that stores its data in an emptyDir.
        #[arg(long)]
        lose_history: bool,
        /// Allow restarts whose new pods could not be checked against the cluster's admission (no right to create pods).
        /// A rejection then shows only when the new pods are created.
        #[arg(long)]
        unchecked_pods: bool,
        /// Resume an interrupted run with its recorded choices: the newest of this machine, or RUN of any machine.
        #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "")]
        resume: Option<String>,
        /// Confirm that the run was made in this cluster, if meshscrape cannot verify it.
        #[arg(long, requires = "resume")]
        this_cluster: bool,
        /// Print events as JSON, one a line.
        #[arg(long)]
        json: bool,
    },
    /// Write the plan to a folder: YAML with a kustomization, Helm values, and a script of kubectl commands.
    ///
    /// Works for objects of Helm, Argo CD, Flux or an operator too. Nothing is written to the cluster.
    Export {
        /// A folder that does not exist or is empty.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Replace an earlier export; files that no export wrote stay.
        #[arg(long)]
        overwrite: bool,
        /// Print what was written as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show the state of every target; on a terminal, live.
    Status {
        /// Print the state once and exit.
        #[arg(long)]
        once: bool,
        /// Print the table as JSON, once.
        #[arg(long)]
        json: bool,
    },
    /// Undo a run: the newest of this machine, or RUN. Choices of workloads apply to `--demo` only.
    #[command(after_help = EVENTS)]
    Undo {
        /// The run's ID, as printed by `apply`.
        run: Option<String>,
        /// List the runs of this machine and those recorded in the cluster, and how each ended. Works without a cluster.
        #[arg(long, conflicts_with_all = ["run", "yes"])]
        list: bool,
        /// Undo only these workloads and gateways of the run.
        #[arg(long, value_name = "NS/KIND/NAME", num_args = 1.., value_delimiter = ',')]
        only: Vec<WorkloadRef>,
        /// Undo without a record: find changes by meshscrape's label and field manager. Lists what it cannot restore.
        #[arg(long, conflicts_with_all = ["run", "only", "list"])]
        without_record: bool,
        /// Confirm that the run was made in this cluster, if meshscrape cannot verify it.
        #[arg(long)]
        this_cluster: bool,
        /// Also revert fields that others changed since the run; each is shown with its three values.
        #[arg(long)]
        even_changed: bool,
        /// Allow restoring a listener on 15091 that had no policies before the run.
        #[arg(long)]
        reopen: bool,
        /// Apply every change that is shown without this flag.
        #[arg(long)]
        yes: bool,
        /// Allow losing the history of a Prometheus that stores its data in an emptyDir.
        #[arg(long)]
        lose_history: bool,
        /// Print events as JSON, one a line.
        #[arg(long)]
        json: bool,
    },
}

/// What to secure, and in which cluster.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Choices")]
pub struct Choices {
    /// Namespaces: every available workload in them that is in the mesh.
    #[arg(short, long = "namespace", value_name = "NS", num_args = 1.., value_delimiter = ',', global = true)]
    pub namespaces: Vec<String>,
    /// Workloads: NAME, NS/NAME or KIND/NAME if unique, else NS/KIND/NAME.
    #[arg(short, long = "workload", value_name = "[NS/][KIND/]NAME", num_args = 1.., value_delimiter = ',', global = true)]
    pub workloads: Vec<Named>,
    /// Gateways, by their Deployment.
    #[arg(short, long = "gateway", value_name = "NS/NAME", num_args = 1.., value_delimiter = ',', global = true)]
    pub gateways: Vec<GatewayRef>,
    /// The port behind 15091: 15020 (Envoy, agent and app, merged) or 15090 (Envoy only) [default: 15020].
    #[arg(long, value_name = "15020|15090", value_parser = metrics_port, global = true)]
    pub port: Option<MetricsPort>,
    /// The port of single workloads, such as cart=15090. Does not select the workload.
    #[arg(long, value_name = "WORKLOAD=15020|15090", value_parser = port_of, num_args = 1.., value_delimiter = ',', global = true)]
    pub port_of: Vec<(Named, MetricsPort)>,
    /// Plaintext scrapes of secured workloads: stop or keep [default: stop where no metric is lost].
    #[arg(long, value_name = "stop|keep", global = true)]
    pub plaintext_jobs: Option<PlaintextJobs>,
    /// With --plaintext-jobs stop: also end scrapes whose metrics the secure port does not carry. They are lost.
    #[arg(long, global = true)]
    pub lose_metrics: bool,
    /// Keep an existing set-up of the published task as it is [default: fix it].
    #[arg(long, global = true)]
    pub no_fix: bool,
    /// Injection label for a first sidecar: on the pod template or the namespace [default: template].
    #[arg(long, value_name = "template|namespace", global = true)]
    pub injection: Option<InjectionLabel>,
    /// Skip these changes (IDs of `plan --json`) and everything that depends on them.
    #[arg(long, value_name = "CHANGE", num_args = 1.., global = true)]
    pub skip: Vec<ChangeId>,
    /// The Prometheus server; required if several are available.
    #[arg(long, value_name = "NS/KIND/NAME", global = true)]
    pub prometheus: Option<WorkloadRef>,
    /// Query Prometheus at this URL instead of through the API server: http(s)://HOST[:PORT][/PREFIX].
    #[arg(long, value_name = "URL", global = true)]
    pub prometheus_url: Option<String>,
    /// The CA of Prometheus's certificate (PEM) [default: the CAs of this machine].
    #[arg(long, value_name = "FILE", requires = "prometheus_url", global = true)]
    pub prometheus_ca: Option<PathBuf>,
    /// A file with the bearer token; or set MESHSCRAPE_PROMETHEUS_TOKEN.
    #[arg(
        long,
        value_name = "FILE",
        requires = "prometheus_url",
        conflicts_with = "prometheus_user",
        global = true
    )]
    pub prometheus_token_file: Option<PathBuf>,
    /// The user for basic auth.
    #[arg(long, value_name = "NAME", requires = "prometheus_url", global = true)]
    pub prometheus_user: Option<String>,
    /// A file with the user's password; or set MESHSCRAPE_PROMETHEUS_PASSWORD.
    #[arg(long, value_name = "FILE", requires = "prometheus_user", global = true)]
    pub prometheus_password_file: Option<PathBuf>,
    /// Apply even if Prometheus cannot be queried: it may restart, no target is awaited, plaintext jobs stay.
    #[arg(long, global = true)]
    pub unproven: bool,
    /// Remove the access to secure ports that earlier runs gave to other Prometheus servers.
    #[arg(long, global = true)]
    pub only_this_prometheus: bool,
    /// What to annotate: the pod template (permanent, restarts pods) or the running pods [default: template].
    #[arg(
        long = "annotate",
        alias = "mark",
        value_name = "template|pods",
        value_enum,
        hide_possible_values = true,
        global = true
    )]
    pub annotate: Option<Annotate>,
    /// Allow a first sidecar for workloads without one: their pods restart and join the mesh. Without this flag, -n skips
    /// them and -w refuses them.
    #[arg(long, global = true)]
    pub inject: bool,
    /// Force ownership of these managers' fields: helm, argocd, flux, operator, or a field manager's name. Their objects
    /// become available.
    #[arg(long = "force-owner", alias = "take", value_name = "MANAGER", num_args = 1.., value_delimiter = ',', global = true)]
    pub take: Vec<String>,
    /// Seconds to wait for the targets (and for each rollout) [default: 300].
    #[arg(long, value_name = "S", value_parser = seconds, global = true)]
    pub timeout: Option<Duration>,
    /// Rollout: one (one at a time), canary (the next after the targets are UP), all (in parallel) [default: one].
    #[arg(long, value_name = "one|canary|all", global = true)]
    pub pace: Option<Pace>,
    /// The mesh's trust domain, if neither ConfigMap `istio` nor a running proxy can be read.
    #[arg(long, value_name = "DOMAIN", global = true)]
    pub trust_domain: Option<String>,
    /// Istio's root namespace (`rootNamespace`), if ConfigMap `istio` cannot be read.
    #[arg(long, value_name = "NS", global = true)]
    pub root_namespace: Option<String>,
    /// Do not check that plaintext is refused; targets are then not reported as secured.
    #[arg(long, global = true)]
    pub no_probe: bool,
    /// The kube-context.
    #[arg(long, value_name = "C", global = true)]
    pub context: Option<String>,
    /// The kubeconfig file.
    #[arg(long, value_name = "F", global = true)]
    pub kubeconfig: Option<PathBuf>,
    /// Send nothing but reads, access reviews and dry runs.
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Break the lock of another run. If that run is still in progress, both write at the same time.
    #[arg(long, global = true)]
    pub break_lock: bool,
    /// Use a cluster simulated inside the program; needs nothing, changes nothing outside.
    #[arg(long, global = true)]
    pub demo: bool,
    /// Answers saved by the wizard; flags override them.
    #[arg(long, value_name = "FILE", global = true)]
    pub answers: Option<PathBuf>,
}

/// The choices that these commands use: what else there is does nothing for them, and is not in their help.
const USED: [(&str, &[&str]); 3] = [
    (
        "check",
        &[
            "namespaces",
            "prometheus",
            "prometheus_url",
            "prometheus_ca",
            "prometheus_token_file",
            "prometheus_user",
            "prometheus_password_file",
            "trust_domain",
            "root_namespace",
            "no_probe",
            "context",
            "kubeconfig",
            "demo",
            "log",
        ],
    ),
    (
        "status",
        &[
            "namespaces",
            "workloads",
            "gateways",
            "prometheus",
            "prometheus_url",
            "prometheus_ca",
            "prometheus_token_file",
            "prometheus_user",
            "prometheus_password_file",
            "trust_domain",
            "root_namespace",
            "timeout",
            "no_probe",
            "context",
            "kubeconfig",
            "demo",
            "answers",
            "ascii",
            "mouse",
            "log",
        ],
    ),
    (
        "undo",
        &[
            "prometheus_url",
            "prometheus_ca",
            "prometheus_token_file",
            "prometheus_user",
            "prometheus_password_file",
            "unproven",
            "take",
            "timeout",
            "no_probe",
            "context",
            "kubeconfig",
            "break_lock",
            "demo",
            "log",
        ],
    ),
];

/// The help of a command that uses few of the choices: those, and no others.
/// `None`: these arguments ask for no such help, or for one that clap gives itself.
pub fn help(arguments: &[OsString]) -> Option<String> {
    let (name, used) = USED
        .into_iter()
        .find(|(name, _)| arguments.iter().any(|word| word == name))?;
    let mut all = Cli::command();
    // So that the choices for all commands stand in each.
    all.build();
    let global: Vec<clap::Id> = all
        .get_arguments()
        .filter(|argument| argument.is_global_set())
        .map(|argument| argument.get_id().clone())
        .filter(|id| !used.contains(&id.as_str()))
        .collect();
    let command = all.find_subcommand(name)?.clone();
    let mut command = global.iter().fold(command, |command, id| {
        command.mut_arg(id, |argument| argument.hide(true))
    });
    let long = arguments.iter().any(|word| word == "--help");
    let text = match long {
        true => command.render_long_help(),
        false => command.render_help(),
    };
    Some(text.to_string())
}

/// Lets the folder of `export` stand last, behind choices that take any number of values and would take it too.
pub fn arguments(given: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut all: Vec<OsString> = given.into_iter().collect();
    let flag = |word: &OsString| word.to_string_lossy().starts_with('-');
    let Some(at) = all.iter().position(|word| word == "export") else {
        return all;
    };
    // Behind it at most flags without values.
    let bare = |word: &OsString| flag(word) && !takes_value(word);
    let end = all.iter().rposition(|word| !bare(word)).unwrap_or_default();
    if all.get(at + 1).is_some_and(flag)
        && end > at + 1
        && !flag(&all[end])
        // The one value of a flag stays with it, so that the folder is what is said to be missing.
        && !takes_value(&all[end - 1])
    {
        let folder = all.remove(end);
        all.insert(at + 1, folder);
    }
    all
}

fn takes_value(flag: &OsStr) -> bool {
    let flag = flag.to_string_lossy();
    let command = Choices::augment_args(clap::Command::new(""));
    command.get_arguments().any(|argument| {
        let long = argument.get_long().map(|long| format!("--{long}"));
        let short = argument.get_short().map(|short| format!("-{short}"));
        argument.get_action().takes_values()
            && [long, short].into_iter().flatten().any(|name| name == flag)
    })
}

/// How the wizard looks, and what is logged.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Screen")]
pub struct Screen {
    /// Draw with ASCII only [default: only if the locale is not UTF-8].
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Mouse: on, clicks and the wheel control the wizard; off, the terminal selects text. `M` switches it
    /// [default: on; off over SSH].
    #[arg(long, value_name = "on|off", global = true)]
    pub mouse: Option<Switch>,
    /// Log requests and events to this file; no Secret values.
    #[arg(long, value_name = "FILE", global = true)]
    pub log: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PlaintextJobs {
    Stop,
    Keep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum InjectionLabel {
    Template,
    Namespace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Switch {
    On,
    Off,
}

impl Screen {
    /// The flag, else the answers file, else on; over SSH off, where a selection by the terminal is missed most.
    pub fn uses_mouse(&self, answers: &Answers, env: impl Fn(&str) -> Option<String>) -> bool {
        let over_ssh = || {
            let names = ["SSH_CONNECTION", "SSH_TTY"];
            names
                .iter()
                .any(|name| env(name).is_some_and(|value| !value.is_empty()))
        };
        let flag = self.mouse.map(|mouse| mouse == Switch::On);
        flag.or(answers.mouse).unwrap_or_else(|| !over_ssh())
    }
}

const TOKEN: &str = "MESHSCRAPE_PROMETHEUS_TOKEN";
const PASSWORD: &str = "MESHSCRAPE_PROMETHEUS_PASSWORD";

/// Waiting time where no `--timeout` is given.
pub const TIMEOUT: Duration = Duration::from_secs(300);

fn metrics_port(text: &str) -> Result<MetricsPort, String> {
    let port: u16 = text
        .parse()
        .map_err(|_| format!("`{text}` is not a port number: 15020 or 15090"))?;
    port.try_into()
}

fn port_of(text: &str) -> Result<(Named, MetricsPort), String> {
    let (name, port) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not WORKLOAD=PORT, such as cart=15090"))?;
    Ok((name.parse()?, metrics_port(port)?))
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.trim_end_matches('s').parse::<u64>() {
        Ok(s) if s > 0 => Ok(Duration::from_secs(s)),
        _ => Err(format!("`{text}` is not a number of seconds above 0")),
    }
}

impl Choices {
    /// The answers: those of `--answers`, with the flags over them.
    ///
    /// # Errors
    /// The answers file cannot be read or is not of this program's version.
    /// A choice of single items that was given, for commands that look at whole namespaces.
    pub fn beside_namespaces(&self) -> Option<&'static str> {
        let given = [
            ("-w", !self.workloads.is_empty()),
            ("-g", !self.gateways.is_empty()),
            ("--port", self.port.is_some()),
            ("--port-of", !self.port_of.is_empty()),
            ("--inject", self.inject),
            ("--skip", !self.skip.is_empty()),
        ];
        given.iter().find(|(_, is)| *is).map(|(flag, _)| *flag)
    }

    pub fn answers(&self) -> Result<Answers, Error> {
        let mut answers = match &self.answers {
            Some(file) => Answers::load(file)?,
            None => Answers::default(),
        };
        if !(self.namespaces.is_empty() && self.workloads.is_empty() && self.gateways.is_empty()) {
            answers.namespaces = self.namespaces.iter().cloned().collect();
            answers.workloads = self.workloads.iter().filter_map(Named::whole).collect();
            let parts = self
                .workloads
                .iter()
                .filter(|named| named.whole().is_none());
            answers.named = parts.cloned().collect();
            answers.gateways = self.gateways.iter().cloned().collect();
        }
        if let Some(prometheus) = &self.prometheus {
            answers.prometheus = Some(prometheus.clone());
        }
        if let Some(port) = self.port {
            answers.options.port = port;
        }
        if let Some(annotate) = self.annotate {
            answers.options.annotate = annotate;
        }
        if let Some(pace) = self.pace {
            answers.options.pace = pace;
        }
        let options = &mut answers.options;
        options.trust_domain = self.trust_domain.clone().or(options.trust_domain.take());
        options.root_namespace = self
            .root_namespace
            .clone()
            .or(options.root_namespace.take());
        answers.ports.extend(self.port_of.iter().cloned());
        if let Some(jobs) = self.plaintext_jobs {
            answers.options.stop_plaintext_jobs = Some(jobs == PlaintextJobs::Stop);
            if self.lose_metrics {
                answers.options.lose_metrics = true;
            }
        }
        answers.options.repair &= !self.no_fix;
        if let Some(label) = self.injection {
            answers.options.injection = match label {
                InjectionLabel::Template => Injection::Template,
                InjectionLabel::Namespace => Injection::Namespace,
            };
        }
        answers.leave_out.extend(self.skip.iter().cloned());
        answers.options.inject |= self.inject;
        answers.options.only_this_prometheus |= self.only_this_prometheus;
        answers.take.extend(self.take.iter().cloned());
        Ok(answers)
    }

    /// The way to Prometheus that these flags name. Needs a tokio runtime.
    ///
    /// # Errors
    /// A URL or file that cannot be used, a user without a password.
    pub fn direct(&self) -> Result<Option<Arc<Direct>>, Error> {
        let Some(url) = &self.prometheus_url else {
            return Ok(None);
        };
        let named = |file: &Option<PathBuf>, variable: &str| match file {
            Some(file) => secret(file).map(Some),
            None => Ok(std::env::var(variable).ok().filter(|text| !text.is_empty())),
        };
        let user = match &self.prometheus_user {
            None => None,
            Some(name) => {
                let password = named(&self.prometheus_password_file, PASSWORD)?;
                let password = password.ok_or_else(|| {
                    Error::new(errors::no_password(name)).hint(errors::name_a_password(PASSWORD))
                })?;
                Some((name.clone(), password))
            }
        };
        let token = match &user {
            Some(_) => None,
            None => named(&self.prometheus_token_file, TOKEN)?,
        };
        let way = Way {
            url: url.clone(),
            ca: self.prometheus_ca.clone(),
            token,
            user,
        };
        Direct::new(way).map(|direct| Some(Arc::new(direct)))
    }

    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(line: &str) -> Result<PathBuf, String> {
        let words = line.split(' ').map(OsString::from);
        let cli = Cli::try_parse_from(arguments(words)).map_err(|e| e.to_string())?;
        match cli.command {
            Some(Command::Export { folder, .. }) => Ok(folder),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn the_mouse_is_the_terminals_over_ssh_unless_said_otherwise() {
        let ssh = |name: &str| (name == "SSH_TTY").then(|| "/dev/pts/1".to_owned());
        let screen = |mouse| Screen {
            mouse,
            ..Screen::default()
        };
        let answers = |mouse| Answers {
            mouse,
            ..Answers::default()
        };
        assert!(screen(None).uses_mouse(&answers(None), |_| None));
        assert!(!screen(None).uses_mouse(&answers(None), ssh));
        assert!(screen(None).uses_mouse(&answers(Some(true)), ssh));
        assert!(!screen(Some(Switch::Off)).uses_mouse(&answers(Some(true)), |_| None));
        assert!(screen(Some(Switch::On)).uses_mouse(&answers(Some(false)), ssh));
    }

    #[test]
    fn the_folder_of_an_export_stands_first_or_last() {
        for line in [
            "meshscrape export out -n a b",
            "meshscrape export -n a b out",
            "meshscrape export -g a/b -w a/sts/b out",
            "meshscrape --demo export --json -n a out",
            "meshscrape export -n a --overwrite out",
            "meshscrape export -n a b out --overwrite",
            "meshscrape export -w a/sts/b out --json --demo",
        ] {
            assert_eq!(
                folder(line).as_deref(),
                Ok(std::path::Path::new("out")),
                "{line}"
            );
        }
        assert!(folder("meshscrape export -n a --json").is_err());
        assert!(folder("meshscrape export").is_err());
        for line in ["meshscrape export -w a/sts/b", "meshscrape export -n a"] {
            let error = folder(line).expect_err("no folder");
            assert!(error.contains("<DIR>"), "{error}");
        }
        // No other command is touched.
        let plan = ["meshscrape", "plan", "-n", "a", "b"].map(OsString::from);
        assert_eq!(arguments(plan.clone()), plan);
    }
}
