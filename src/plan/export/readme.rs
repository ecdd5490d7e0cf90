//! The folder's own README: what each file is for, in which order, and what no file can do.

use super::prometheus::{self, exported};
use super::{File, README, SCRIPT, Setup, Step, Way};
use crate::mesh::kinds::Kind;
use crate::plan::review::Review;
use crate::plan::{Action, Impact, Part};
use crate::problems::Problem;
use crate::words;
use std::fmt::Write;

/// One line of Markdown from words that may come from the cluster.
fn line(words: &str) -> String {
    crate::text::clean(words)
        .replace(['\n', '\r'], " ")
        .replace('`', "'")
        .replace('<', "&lt;")
}

pub(super) fn file(review: &Review, setup: &Setup, steps: &[Step], files: &[File]) -> File {
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let has = |start: &str| paths.iter().any(|path| path.starts_with(start));
    let mut out = String::new();
    let context = line(&review.context);
    let _ = write!(
        out,
        "# Scraping over mTLS: the changes for {context}\n\n\
         Written by `meshscrape export`. It is one plan in several forms: use only one form for each object.\n\
         It fits the cluster as it was at the export; when that has changed, export again.\n\n"
    );
    out.push_str("## Files\n\n| file | for |\n|---|---|\n");
    let sent = sent(&paths);
    let rows = [
        (
            SCRIPT,
            "applies every change that kubectl can make, in order, with waits between; stops at the first failure",
        ),
        (
            "kustomization.yaml",
            "the new objects, policies first: `kubectl apply --server-side --field-manager=meshscrape -k .`, or commit it",
        ),
        ("resources/", "one new object a file"),
        (
            "patches/",
            "a kustomize component with what changes in objects that you have already: copy the folder into your repository and list it under `components:` of the kustomization that holds them",
        ),
        ("apply/", &sent),
        (
            "prometheus/scrape-job.yaml",
            "the scrape jobs as text, for whatever holds your prometheus.yml",
        ),
        (
            "prometheus/old-jobs-rule.yaml",
            "the rule by which today's plaintext jobs leave secured pods out",
        ),
        (
            "prometheus/prometheus-resource.yaml",
            "what the Prometheus resource of the operator gets",
        ),
        (
            "values/",
            "Helm values for the chart that this Prometheus comes from: merge them into your own",
        ),
    ];
    for (start, words) in rows {
        if has(start) {
            let _ = writeln!(out, "| `{start}` | {words} |");
        }
    }
    order(&mut out, setup, steps, &paths);
    changes(&mut out, steps);
    costs(&mut out, steps);
    limits(&mut out, review, setup, steps, &has);
    super::file(README, out)
}

/// What apply/ holds.
fn sent(paths: &[&str]) -> String {
    let has = |end: &str| {
        paths
            .iter()
            .any(|path| path.starts_with("apply/") && path.ends_with(end))
    };
    let kinds = [
        (".yaml", "server-side-apply fragments"),
        (".json", "JSON patches"),
        (".txt", "the lines that go into Prometheus's configuration"),
        (".conflicts", "the fields whose ownership is forced"),
    ];
    let there: Vec<&str> = kinds
        .iter()
        .filter(|(end, _)| has(end))
        .map(|(_, words)| *words)
        .collect();
    let mut words = format!("what {SCRIPT} sends: {}.", there.join("; "));
    if has(".yaml") {
        words.push_str(" Not for `kubectl apply`: of an object that was once applied without --server-side it would make every field meshscrape's");
    }
    words
}

fn order(out: &mut String, setup: &Setup, steps: &[Step], paths: &[&str]) {
    let has = |start: &str| paths.iter().any(|path| path.starts_with(start));
    let by_hand = has("kustomization.yaml") || has("patches/") || has("values/");
    out.push_str("\n## Order\n\n");
    if has(SCRIPT) {
        let _ = writeln!(
            out,
            "`./{SCRIPT}` follows this order.{}\n",
            if by_hand { " By Git or Helm:" } else { "" }
        );
    }
    let mut n = 0;
    let mut item = |words: &str| {
        n += 1;
        let _ = writeln!(out, "{n}. {words}");
    };
    let of = line(&setup.prometheus.to_string());
    let pod = exported(steps, Part::PrometheusPod).is_some();
    let job = !prometheus::jobs(steps, setup).is_empty();
    match (pod, job) {
        (true, true) => item(&format!(
            "Prometheus ({of}): its pod, then its scrape job. Wait until it runs with both."
        )),
        (true, false) => item(&format!(
            "Prometheus ({of}): its pod. Wait until it has restarted."
        )),
        (false, true) => item(&format!(
            "Prometheus ({of}): its scrape job. Wait until it runs with it."
        )),
        (false, false) if setup.gap.is_some() => item(&format!(
            "Prometheus ({of}): this folder changes nothing about it, see \"What cannot be applied as it is\". Wait until it scrapes annotated pods over mTLS by what you set up there yourself."
        )),
        (false, false) => {}
    }
    if has("kustomization.yaml") {
        let policies = steps
            .iter()
            .any(|step| step.exported() && step.is_new() && step.change.part == Part::Policy);
        let others = steps
            .iter()
            .any(|step| step.exported() && step.is_new() && step.change.part != Part::Policy);
        if policies {
            item(
                "The policies (PeerAuthentication, AuthorizationPolicy): the first group of kustomization.yaml. Wait until they are applied.",
            );
        }
        match (policies, others) {
            (true, true) => item(
                "The listeners and routes: the second group. Without the policies, the port would answer anyone in plaintext.",
            ),
            (false, true) => item("The listeners and routes: kustomization.yaml."),
            (_, false) => {}
        }
    }
    let annotations = |pods: bool| {
        steps.iter().any(|step| {
            let pod = step.change.object.kind == Kind::Pod;
            step.exported() && step.change.part == Part::Annotation && pod == pods
        })
    };
    if annotations(false) {
        item(
            "The annotation `prometheus.istio.io/secure-port` on pod templates: from patches/. The pods restart.",
        );
    }
    if annotations(true) {
        item(&format!(
            "The annotation `prometheus.istio.io/secure-port` on running pods: by {SCRIPT} alone."
        ));
    }
    if has("prometheus/old-jobs-rule.yaml") {
        item(
            "When every new target is UP (`meshscrape status`): the rule for the plaintext jobs. If you apply it earlier, annotated pods are not scraped at all.",
        );
    }
    let values: Vec<String> = paths
        .iter()
        .filter(|path| path.starts_with("values/") && !path.ends_with("-old-jobs.yaml"))
        .map(|path| format!("`{path}`"))
        .collect();
    if !values.is_empty() {
        let _ = writeln!(
            out,
            "\nWith Helm, step 1 is {} and `helm upgrade`.",
            values.join(" or (by the chart's version) ")
        );
    }
}

fn changes(out: &mut String, steps: &[Step]) {
    let owned = steps.iter().any(|step| matches!(step.way, Way::Owner(_)));
    out.push_str("\n## Changes\n\n| | object | what for | by |\n|---|---|---|---|\n");
    for step in steps {
        let by = match &step.way {
            Way::Stands => "in place".to_owned(),
            Way::Script { after_owner: false } => SCRIPT.to_owned(),
            Way::Script { after_owner: true } if owned => {
                format!("{SCRIPT}, after the owner's part")
            }
            Way::Script { after_owner: true } => {
                format!("{SCRIPT}, once Prometheus is ready for it")
            }
            Way::Owner(_) => "its owner".into(),
            Way::Out(_) => "nobody".into(),
        };
        let number = step.stem.get(..3).unwrap_or_default();
        let _ = writeln!(
            out,
            "| {number} | {} | {} | {by} |",
            cell(&step.change.object.to_string()),
            cell(&words::purpose(&step.change.purpose))
        );
    }
}

fn costs(out: &mut String, steps: &[Step]) {
    let mut lines: Vec<String> = Vec::new();
    for impact in steps
        .iter()
        .filter(|step| step.exported())
        .flat_map(|step| &step.change.impacts)
    {
        let asks = match impact {
            Impact::LosesHistory { .. } => {
                format!("; {SCRIPT} asks, or takes MESHSCRAPE_LOSE_HISTORY=yes")
            }
            _ => String::new(),
        };
        let words = words::impact(impact) + &asks;
        if !lines.contains(&words) {
            lines.push(words);
        }
    }
    let findings = steps.iter().filter(|step| step.exported());
    let findings = findings.flat_map(|step| &step.change.findings);
    lines.extend(words::together(findings).into_iter().map(with_code));
    if !lines.is_empty() {
        out.push_str("\n## Impact\n\n");
        for words in lines {
            let _ = writeln!(out, "- {}", line(&words));
        }
    }
}

fn with_code((problem, words): (&Problem, String)) -> String {
    format!("{}: {words}", problem.code())
}

fn cell(words: &str) -> String {
    line(words).replace('|', "\\|")
}

fn limits(
    out: &mut String,
    review: &Review,
    setup: &Setup,
    steps: &[Step],
    has: &dyn Fn(&str) -> bool,
) {
    out.push_str("\n## What cannot be applied as it is\n\n");
    if let Some(gap) = &setup.gap {
        let _ = writeln!(out, "- {}.", line(&words::gap(gap)));
    }
    if !setup.by_hand.is_empty() {
        out.push_str("- The scrape job (prometheus/scrape-job.yaml) is for you to add to the text that Prometheus's configuration is made from.\n");
    }
    for step in steps {
        let (who, why) = match &step.way {
            Way::Owner(why) => ("for its owner", why),
            Way::Out(why) => ("in no file", why),
            _ => continue,
        };
        let _ = writeln!(
            out,
            "- {} ({who}): {}.",
            line(&step.change.object.to_string()),
            line(why)
        );
    }
    if has("patches/") {
        out.push_str("- patches/ only changes objects in your repository. A patch without its object is silently ignored.\n");
    }
    if steps
        .iter()
        .any(|step| step.exported() && step.change.object.kind == Kind::Pod)
    {
        out.push_str("- Annotations on running pods are in apply/ only: pods are in no repository, and a new pod lacks the annotation.\n");
    }
    let text = |step: &&Step| matches!(step.change.action, Action::Text { .. });
    if steps.iter().filter(text).any(Step::in_script) {
        out.push_str("- Prometheus's configuration is text inside a ConfigMap. No patch can add to it, and the whole text may hold passwords, so it is not here: apply.sh edits it in place where its hash is still the one of the export.\n");
    }
    if has("prometheus/scrape-job.yaml") || has("prometheus/old-jobs-rule.yaml") {
        out.push_str("- prometheus/ holds what goes into Prometheus's configuration, to be pasted where its owner keeps it.\n");
    }
    if steps
        .iter()
        .any(|step| step.exported() && step.change.part == Part::Fix)
    {
        out.push_str(
            "- Fixes remove what the published task left. Delete it in Git too, or it returns.\n",
        );
    }
    out.push_str("- These files cannot undo a change: `meshscrape undo` needs the record of an apply. New objects have the label app.kubernetes.io/managed-by=meshscrape.\n");
    let findings = words::together(&review.plan.findings).into_iter();
    let skipped = words::skipped(&review.plan.skipped).into_iter();
    let lines = findings
        .map(with_code)
        .chain(skipped.map(|words| format!("skipped: {words}")));
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        out.push_str("\n## Notes\n\n");
        for note in lines {
            let _ = writeln!(out, "- {}", line(&note));
        }
    }
}
