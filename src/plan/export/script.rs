//! The script of kubectl commands: one call a line, every word from the cluster in single quotes.

use super::{File, Reload, SCRIPT, Setup, Step, Way, file, prometheus, splice};
use crate::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
use crate::plan::kubectl::quote;
use crate::plan::{Action, Await, Impact, Part, keyed, leaves};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const FUNCTIONS: &str = include_str!("../../../assets/export/functions.sh");

pub(super) fn files(steps: &[Step], setup: &Setup, context: &str) -> Vec<File> {
    if !steps.iter().any(Step::in_script) {
        return Vec::new();
    }
    let mut writer = Writer {
        steps,
        setup,
        files: Vec::new(),
        texts: BTreeMap::new(),
        out: String::new(),
    };
    writer.script(context);
    let mut files = writer.files;
    files.push(File {
        executable: true,
        ..file(SCRIPT, writer.out)
    });
    files
}

struct Writer<'a> {
    steps: &'a [Step<'a>],
    setup: &'a Setup,
    files: Vec<File>,
    /// Texts as the script has them so far, by ConfigMap and key.
    texts: BTreeMap<(ObjectRef, String), String>,
    out: String,
}

/// `deployments.apps`, `configmaps`: no two kinds share it.
fn resource(kind: Kind) -> String {
    match kind.group() {
        "" => kind.plural().to_owned(),
        group => format!("{}.{group}", kind.plural()),
    }
}

/// Words on one line.
fn words(text: &str) -> String {
    crate::text::clean(text).replace(['\n', '\r'], " ")
}

impl Writer<'_> {
    fn call(&mut self, name: &str, arguments: &[&str]) {
        self.out.push_str(name);
        for argument in arguments {
            let _ = write!(self.out, " {}", quote(argument));
        }
        self.out.push('\n');
    }

    fn script(&mut self, context: &str) {
        self.out.push_str(
            "#!/usr/bin/env bash\n\
             # The same changes as `meshscrape apply` makes, with kubectl 1.27 or later and curl. README.md says what it leaves out.\n\
             # Each step says what it does; the first that fails ends the script. Run again, it goes on where it stopped\n\
             # if nothing else has changed; else export again.\n\
             #   ./apply.sh [CONTEXT]      MESHSCRAPE_TIMEOUT: seconds for each wait [300]\n\
             set -euo pipefail\n\
             cd \"$(dirname \"${BASH_SOURCE[0]}\")\"\n\n",
        );
        self.out.push_str(FUNCTIONS);
        self.out.push_str("\n# What is done, in order.\n");
        let setup = self.setup;
        self.call("made_for", &[&words(context)]);
        let prometheus = &setup.prometheus;
        self.call(
            "prometheus",
            &[
                &prometheus.namespace,
                &resource(prometheus.kind),
                &prometheus.name,
                &setup.http_port.to_string(),
                &setup.route_prefix,
                match setup.reload {
                    Reload::ByItself => "by-itself",
                    Reload::OnRequest => "on-request",
                    Reload::Restart => "restart",
                },
                if setup.web_config { "yes" } else { "no" },
            ],
        );
        let jobs = self.jobs();
        let _ = writeln!(self.out, "jobs={}", quote(&jobs));
        let late = |step: &&Step| step.way == Way::Script { after_owner: true };
        let any_late = self.steps.iter().any(|step| late(&step));
        // The old jobs' rule stays last.
        let (first, last): (Vec<&Step>, Vec<&Step>) = self
            .steps
            .iter()
            .filter(|step| step.in_script())
            .partition(|step| !(late(step) || any_late && step.change.part == Part::PlaintextJobs));
        let all = first.len() + last.len();
        let mut n = 0;
        for step in first {
            n += 1;
            self.step(step, n, all);
        }
        if any_late {
            self.out.push('\n');
            let question = match self
                .steps
                .iter()
                .any(|step| matches!(step.way, Way::Owner(_)))
            {
                true => {
                    "Has the owner made the changes that README.md names, and does Prometheus run with them?"
                }
                false => {
                    "This folder holds no part of Prometheus, README.md says why. Has Prometheus its certificates, and a job that scrapes pods with the annotation over mTLS?"
                }
            };
            self.call("by_eye", &["MESHSCRAPE_OWNER_DONE", question]);
        }
        for step in last {
            n += 1;
            self.step(step, n, all);
        }
        self.out
            .push_str("\nsay 'Done. See the targets with: meshscrape status'\n");
    }

    /// The jobs that the new targets belong to, as a pattern inside a URL.
    fn jobs(&self) -> String {
        let mut names: BTreeSet<String> = BTreeSet::new();
        for step in self.steps {
            for wait in &step.change.then {
                if let Await::ConfigLoaded { job, .. } = wait {
                    names.insert(job.clone());
                }
            }
        }
        names.extend(
            prometheus::jobs(self.steps, self.setup)
                .iter()
                .map(|(name, _)| (*name).to_owned()),
        );
        if names.is_empty() {
            return "istio-secure-merged-metrics.*".into();
        }
        let encoded: Vec<String> = names
            .iter()
            .map(|name| name.bytes().map(in_url).collect())
            .collect();
        encoded.join("%7C")
    }

    fn step(&mut self, step: &Step, n: usize, all: usize) {
        let change = step.change;
        let object = &change.object;
        self.out.push('\n');
        let title = format!(
            "{n} of {all}: {object}. {}",
            crate::words::purpose(&change.purpose)
        );
        self.call("step", &[&words(&title)]);
        for impact in &change.impacts {
            if let Impact::LosesHistory { prometheus } = impact {
                let question = format!(
                    "{prometheus} stores its data in an emptyDir and must restart: all history is deleted. Continue?"
                );
                self.call("by_eye", &["MESHSCRAPE_LOSE_HISTORY", &words(&question)]);
            }
        }
        for wait in &change.before {
            self.wait(wait, object, false);
        }
        let (kind, ns, name) = (resource(object.kind), &object.namespace, &object.name);
        match &change.action {
            Action::Apply { .. } => self.apply(step, &kind),
            Action::Edit { leaves: edits } => {
                let live = step.reviewed.and_then(|reviewed| reviewed.live.as_deref());
                if let Some(live) = live
                    && let Ok((operations, _)) = leaves::patch(live, edits)
                {
                    let path = format!("apply/{}.json", step.stem);
                    let text = format!("{:#}\n", Value::Array(tested(live, operations)));
                    self.files.push(file(&path, crate::text::json(&text)));
                    self.call("edit", &[&kind, ns, name, &path]);
                }
            }
            Action::Delete { uid } => self.call("remove", &[&object.path(), uid]),
            Action::Text { key, edits } => self.text(step, key, edits),
        }
        let restarts = change.part == Part::ScrapeJob && self.setup.reload == Reload::Restart;
        for wait in &change.then {
            self.wait(wait, object, restarts);
        }
    }

    fn apply(&mut self, step: &Step, kind: &str) {
        let object = &step.change.object;
        let (ns, name) = (&object.namespace, &object.name);
        if step.is_new() {
            self.call("create", &[&format!("resources/{}.yaml", step.stem)]);
            return;
        }
        let path = format!("apply/{}.yaml", step.stem);
        if object.kind == Kind::Pod {
            let intent = step.intent();
            let uid = intent["metadata"]["uid"].as_str().unwrap_or_default();
            self.call("annotate_pod", &[ns, name, uid, &object.path(), &path]);
            return;
        }
        let conflicts = step
            .reviewed
            .map_or(&[][..], |reviewed| &reviewed.conflicts);
        if conflicts.is_empty() {
            self.call("change", &[kind, ns, name, &object.path(), &path]);
            return;
        }
        let mut lines: BTreeSet<String> = BTreeSet::new();
        for conflict in conflicts {
            lines.insert(conflict.manager.clone());
            lines.insert(conflict.field.clone());
        }
        let named = format!("apply/{}.conflicts", step.stem);
        let text: String = lines
            .iter()
            .map(|line| format!("{}\n", words(line)))
            .collect();
        self.files.push(file(&named, text));
        self.call("take", &[kind, ns, name, &object.path(), &path, &named]);
    }

    fn text(&mut self, step: &Step, key: &str, edits: &[crate::plan::scrape_config::TextEdit]) {
        let object = &step.change.object;
        let place = (object.clone(), key.to_owned());
        let live = || {
            let live = step
                .reviewed
                .and_then(|reviewed| reviewed.live.as_deref())?;
            Some(keyed::text(live, key)?.into_owned())
        };
        let Some(before) = self.texts.get(&place).cloned().or_else(live) else {
            self.call(
                "fail",
                &[&format!("{key} of {object} was not read; export again")],
            );
            return;
        };
        let (places, after) = match splice::splices(&before, edits) {
            Ok(made) => made,
            Err(refusal) => {
                self.call("fail", &[&words(&refusal.why)]);
                return;
            }
        };
        let sha = crate::plan::record::sha256;
        let mut arguments = vec![
            object.namespace.clone(),
            object.name.clone(),
            key.to_owned(),
            sha(&before),
            sha(&after),
        ];
        for (n, place) in places.iter().enumerate() {
            let path = format!("apply/{}-{}.txt", step.stem, n + 1);
            arguments.push(format!("{}:{}:{path}", place.at, place.cut));
            self.files.push(file(path, place.new.clone()));
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.call("text", &arguments);
        self.texts.insert(place, after);
    }

    /// `restart_follows`: what is waited for comes only with a later step's restart.
    fn wait(&mut self, wait: &Await, object: &ObjectRef, restart_follows: bool) {
        match wait {
            Await::ReadBack => {
                let kind = resource(object.kind);
                self.call("read_back", &[&kind, &object.namespace, &object.name]);
            }
            Await::Settle(time) => {
                let seconds = time.as_secs_f64().ceil().max(1.0);
                self.call("pause", &[&format!("{seconds}")]);
            }
            // For an export the resource is its owner's to change.
            Await::Operated(_) => {}
            Await::Rollout(of) => self.on("rollout", of),
            Await::ConfigLoaded { .. } if restart_follows => {}
            Await::ConfigLoaded { job, .. } => self.call("config_has", &[job]),
            Await::TargetsUp(items) => {
                for item in items {
                    if self.annotated_here(item) {
                        self.on("targets_up", item);
                    }
                }
            }
            // An undo is not exported.
            Await::TargetsGone(_) => {}
            Await::LeftOut { .. } | Await::ConfigDropped { .. } => {
                self.call("say", &["Prometheus reads this within about a minute."]);
            }
        }
    }

    fn on(&mut self, function: &str, of: &WorkloadRef) {
        self.call(function, &[&of.namespace, &resource(of.kind), &of.name]);
    }

    /// Are its annotations written by this script, or there already?
    fn annotated_here(&self, item: &WorkloadRef) -> bool {
        let mut annotations = self.steps.iter().filter(|step| {
            step.change.part == Part::Annotation && step.change.item.as_ref() == Some(item)
        });
        annotations.all(|step| step.in_script() || step.way == Way::Stands)
    }
}

fn in_url(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        // A dot means any character in the pattern; these names have no need of more.
        b'.' => ".".into(),
        other => format!("%{other:02X}"),
    }
}

/// Without the test of the resourceVersion, which has moved by the time the script runs; with a test that each
/// list element is still the one that was meant.
fn tested(live: &Value, operations: Vec<Value>) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    // Once an element is gone, those behind it stand elsewhere than in the live object.
    let mut shifted = false;
    for operation in operations {
        let path = operation["path"].as_str().unwrap_or_default().to_owned();
        if path == "/metadata/resourceVersion" {
            continue;
        }
        let mut at = String::new();
        for token in path.split('/').skip(1) {
            at.push('/');
            at.push_str(token);
            if token.parse::<usize>().is_err() || shifted {
                continue;
            }
            for key in ["name", "mountPath"] {
                let pointer = format!("{at}/{key}");
                let named = live.pointer(&pointer).filter(|value| value.is_string());
                if let Some(value) = named
                    && pointer != path
                    && seen.insert(pointer.clone())
                {
                    out.push(json!({"op": "test", "path": pointer, "value": value}));
                    break;
                }
            }
        }
        let last = path.rsplit('/').next().unwrap_or_default();
        shifted |= operation["op"] == "remove" && last.parse::<usize>().is_ok();
        out.push(operation);
    }
    out
}
