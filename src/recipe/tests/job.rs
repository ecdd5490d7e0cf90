//! The job is today's job, secured.

use super::*;
use crate::problems::JobPart;
use crate::recipe::JOB;
use crate::recipe::testing::*;
use serde_json::json;

fn derived(text: &str) -> (Plan, Vec<(String, Value)>) {
    let mut mesh = mesh();
    with_config(&mut mesh, text);
    let plan = plan(&mesh, &answers(false));
    let jobs = jobs(&plan)
        .into_iter()
        .map(|(n, j)| (n.to_owned(), j.clone()))
        .collect();
    (plan, jobs)
}

/// MS258, `NotCopied`.
fn not_copied(plan: &Plan) -> Vec<&JobPart> {
    let all = findings(plan).filter_map(|problem| match problem {
        Problem::NotCopied { what, .. } => Some(what),
        _ => None,
    });
    all.collect()
}

const TUNED: &str = r#"scrape_configs:
- job_name: kubernetes-pods
  scrape_interval: 1m
  sample_limit: 5000
  bearer_token_file: /var/run/token
  kubernetes_sd_configs:
  - role: pod
    namespaces: {names: [shop]}
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
    action: keep
    regex: true
  - source_labels: [__meta_kubernetes_pod_container_init]
    action: drop
    regex: true
  - source_labels: [__meta_kubernetes_pod_container_name]
    target_label: container
  - source_labels: [__meta_kubernetes_namespace]
    action: drop
    regex: kube-.*
  - source_labels: [__meta_kubernetes_pod_name]
    target_label: kubernetes_pod_name
  - source_labels: [__address__]
    target_label: instance
  metric_relabel_configs:
  - source_labels: [__name__]
    action: drop
    regex: envoy_noise_.*
"#;

#[test]
fn settings_limits_and_labels_carry_over() {
    let (plan, jobs) = derived(TUNED);
    let job = &jobs[0].1;
    assert_eq!(job["scrape_interval"], "1m");
    assert_eq!(job["sample_limit"], 5000);
    assert!(job.get("honor_labels").is_none(), "today's default stays");
    assert_eq!(job["metric_relabel_configs"][0]["regex"], "envoy_noise_.*");
    assert_eq!(
        job["kubernetes_sd_configs"],
        json!([{"role": "pod", "namespaces": {"names": ["shop"]}}])
    );
    let rules = job["relabel_configs"].as_array().expect("rules");
    assert!(
        rules
            .iter()
            .any(|r| r["target_label"] == "kubernetes_pod_name")
    );
    assert!(
        rules.iter().any(|r| r["target_label"] == "pod")
            && rules.iter().any(|r| r["target_label"] == "namespace")
    );
    let address = rules
        .iter()
        .rposition(|r| r["target_label"] == "__address__")
        .expect("address");
    let instance = rules
        .iter()
        .position(|r| r["target_label"] == "instance")
        .expect("instance");
    assert!(address < instance);
    let token = JobPart::Setting {
        name: "bearer_token_file".into(),
        known: false,
    };
    assert!(not_copied(&plan).contains(&&token), "{:?}", plan.findings);
    assert!(
        job.get("bearer_token_file").is_none(),
        "no token to a server whose name is not checked"
    );
}

#[test]
fn no_rule_keeps_container_ports_from_folding_into_one_target() {
    let (plan, jobs) = derived(TUNED);
    // A filter drops targets, and tells none apart.
    let rules = jobs[0].1["relabel_configs"].as_array().expect("rules");
    let tells = |rule: &&Value| !matches!(rule["action"].as_str(), Some("keep" | "drop"));
    let mut labels = rules.iter().filter(tells).map(Value::to_string);
    assert!(!labels.any(|rule| rule.contains("__meta_kubernetes_pod_container_")));
    let rules = not_copied(&plan);
    assert!(rules.iter().any(|part| matches!(part, JobPart::Rule(_))));
    let (_, jobs) = derived(&SAMPLE.replace(
        "__meta_kubernetes_pod_label_(.+)",
        "__meta_kubernetes_pod_(.+)",
    ));
    assert!(!jobs[0].1.to_string().contains("labelmap"));
}

#[test]
fn without_an_old_job_there_is_a_sane_one() {
    let (plan, jobs) = derived("scrape_configs: []\n");
    let job = &jobs[0].1;
    assert_eq!(job["enable_http2"], false);
    let targets: Vec<&Value> = job["relabel_configs"]
        .as_array()
        .expect("rules")
        .iter()
        .map(|r| &r["target_label"])
        .filter(|t| t.is_string())
        .collect();
    assert_eq!(
        targets,
        ["__address__", "__address__", "namespace", "pod", "node"]
    );
    assert!(part(&plan, Part::PlaintextJobs).is_none());
}

#[test]
fn two_jobs_for_the_same_pods_have_one_twin() {
    let second = SAMPLE
        .split_once("- job_name: kubernetes-pods")
        .map(|(_, rest)| format!("- job_name: team-pods{rest}"))
        .expect("sample");
    let (plan, jobs) = derived(&format!("{SAMPLE}{second}"));
    assert_eq!(jobs.len(), 1);
    let folded = findings(&plan).find_map(|problem| match problem {
        Problem::JobsFoldIntoOne { job, by, .. } => Some((job.as_str(), by.as_str())),
        _ => None,
    });
    assert_eq!(folded, Some(("team-pods", JOB)));
    assert_eq!(
        edits(plan.changes.last().expect("last")).len(),
        2,
        "both skip annotated pods"
    );
}

#[test]
fn jobs_told_apart_by_namespace_have_a_twin_each() {
    let second = SAMPLE
        .split_once("- job_name: kubernetes-pods")
        .map(|(_, rest)| format!("- job_name: team-pods{rest}"))
        .expect("sample")
        .replace(
            "  - role: pod\n",
            "  - role: pod\n    namespaces: {names: [team]}\n",
        );
    let (_, jobs) = derived(&format!("{SAMPLE}{second}"));
    let names: Vec<&str> = jobs.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(
        names,
        [
            "istio-secure-merged-metrics-team-pods",
            "istio-secure-merged-metrics"
        ]
    );
}

#[test]
fn the_written_text_gives_the_same_plan_again() {
    let mut mesh = mesh();
    with_config(&mut mesh, &format!("{SAMPLE}{SLOW}"));
    let first = plan(&mesh, &answers(false));
    let mut text = format!("{SAMPLE}{SLOW}");
    for change in first
        .changes
        .iter()
        .filter(|c| matches!(c.action, Action::Text { .. }))
    {
        text = crate::plan::scrape_config::apply(&text, edits(change)).expect("edited");
    }
    with_config(&mut mesh, &text);
    with_workload(&mut mesh, |w| {
        w.scraped.secure = true;
        w.secured_port = Some(15020);
    });
    let second = plan(&mesh, &answers(false));
    for change in second
        .changes
        .iter()
        .filter(|c| matches!(c.action, Action::Text { .. }))
    {
        let again = crate::plan::scrape_config::apply(&text, edits(change)).expect("edited");
        assert_eq!(again, text, "a second run changes nothing");
    }
}

#[test]
fn a_job_keyed_on_the_mark_under_another_name_is_replaced_never_doubled() {
    let other = "- job_name: my-secure\n  kubernetes_sd_configs: [{role: pod}]\n  relabel_configs:\n  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port]\n    action: keep\n    regex: .+\n";
    let mut mesh = mesh();
    with_config(&mut mesh, &format!("{SAMPLE}{other}"));
    let made = plan(&mesh, &answers(false));
    let job = part(&made, Part::ScrapeJob).expect("job");
    assert_eq!(
        edits(job)[0],
        TextEdit::RemoveJob {
            name: "my-secure".into()
        }
    );
    let mut kept = answers(false);
    kept.options.repair = false;
    let made = plan(&mesh, &kept);
    assert!(part(&made, Part::ScrapeJob).is_none());
    assert_eq!(said(&made, Code::JobNotFixed).len(), 1);
    assert_eq!(said(&made, Code::JobReplaced), [""; 0]);
    with_config(
        &mut mesh,
        &format!(
            "{SAMPLE}{}",
            other.replace("my-secure", "istio-secure-merged-metrics")
        ),
    );
    let made = plan(&mesh, &answers(false));
    assert!(matches!(
        edits(part(&made, Part::ScrapeJob).expect("job")),
        [TextEdit::ReplaceJob { .. }]
    ));
}
