//! Which plaintext scrapes end, decided for each workload and each job.

use super::*;
use crate::answers::MetricsPort;
use crate::mesh::Workload;
use crate::plan::{Await, LeavesOut};
use crate::recipe::testing::*;
use std::sync::Arc;

/// The workloads whose plaintext scrape ends, by job.
fn ended(plan: &Plan) -> Vec<(String, Vec<String>)> {
    let Some(last) = part(plan, Part::PlaintextJobs) else {
        return Vec::new();
    };
    let edits = edits(last).iter().map(|edit| match edit {
        TextEdit::EndPlaintext { job, items } => {
            (job.clone(), items.iter().map(ToString::to_string).collect())
        }
        other => panic!("{other:?}"),
    });
    edits.collect()
}

fn by_job(list: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let owned = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
    list.iter()
        .map(|(job, items)| ((*job).to_owned(), owned(items)))
        .collect()
}

const HTTPBIN: &str = "demo/Deployment/httpbin";
const OTHER: &str = "demo/Deployment/other";

/// httpbin, and another one of the same namespace, both chosen.
fn two(edit: impl FnOnce(&mut Workload)) -> (Mesh, Answers) {
    let mut mesh = mesh();
    let mut other = workload("demo", "other");
    edit(&mut other);
    mesh.workloads.push(Arc::new(other));
    let mut answers = answers(false);
    answers.workloads.insert(id("demo", "other"));
    (mesh, answers)
}

#[test]
fn one_on_15090_keeps_its_plaintext_scrape_and_holds_nobody_back() {
    let (mesh, mut answers) = two(|_| {});
    assert_eq!(
        ended(&plan(&mesh, &answers)),
        by_job(&[("kubernetes-pods", &[HTTPBIN, OTHER])])
    );
    answers.each.entry(id("demo", "other")).or_default().port = Some(MetricsPort::Envoy);
    let made = plan(&mesh, &answers);
    assert_eq!(ended(&made), by_job(&[("kubernetes-pods", &[HTTPBIN])]));
    assert_eq!(said(&made, Code::PlaintextScrapeStays), ["other"]);
    let last = part(&made, Part::PlaintextJobs).expect("ends");
    assert_eq!(last.before, [Await::TargetsUp(vec![id("demo", "httpbin")])]);
}

#[test]
fn envoys_own_port_is_not_scraped_twice_where_15090_stands_behind_ours() {
    let stats = "- job_name: envoy-stats\n  kubernetes_sd_configs: [{role: pod}]\n  relabel_configs:\n  - {source_labels: [__meta_kubernetes_pod_container_port_name], action: keep, regex: '.*-envoy-prom'}\n";
    let (mut mesh, mut answers) = two(|_| {});
    with_config(&mut mesh, &format!("{SAMPLE}{stats}"));
    answers.each.entry(id("demo", "other")).or_default().port = Some(MetricsPort::Envoy);
    assert_eq!(
        ended(&plan(&mesh, &answers)),
        by_job(&[
            ("kubernetes-pods", &[HTTPBIN]),
            ("envoy-stats", &[HTTPBIN, OTHER])
        ])
    );
}

#[test]
fn what_runs_no_pod_is_not_waited_for_and_keeps_its_plaintext_scrape() {
    let (mesh, answers) = two(|w| (w.desired, w.pods) = (0, Vec::new()));
    let made = plan(&mesh, &answers);
    assert_eq!(ended(&made), by_job(&[("kubernetes-pods", &[HTTPBIN])]));
    assert_eq!(said(&made, Code::PlaintextUntilPodsRun), ["other"]);
}

#[test]
fn who_was_not_chosen_keeps_what_it_has() {
    for port in [None, Some(15020), Some(15090)] {
        let (mesh, _) = two(|w| {
            w.scraped.secure = true;
            w.secured_port = port;
        });
        assert_eq!(
            ended(&plan(&mesh, &answers(false))),
            by_job(&[("kubernetes-pods", &[HTTPBIN])]),
            "{port:?}"
        );
    }
}

#[test]
fn a_job_leaves_out_what_it_can_discover() {
    let sd = "  - role: pod\n";
    for (only, ends) in [
        ("    namespaces: {names: [demo]}\n", true),
        ("    namespaces: {names: [demo, elsewhere]}\n", true),
        ("    namespaces: {names: [elsewhere]}\n", false),
        ("    namespaces: {own_namespace: true}\n", false),
        ("    namespaces: {}\n", true),
    ] {
        let mut mesh = mesh();
        let limited = SAMPLE.replace(sd, &format!("{sd}{only}"));
        assert_ne!(limited, SAMPLE);
        with_config(&mut mesh, &limited);
        let plan = plan(&mesh, &answers(false));
        assert_eq!(part(&plan, Part::PlaintextJobs).is_some(), ends, "{only}");
    }
}

/// The sample, with one more rule in its plaintext job.
pub(super) fn with_rule(rule: &Value) -> String {
    let add = TextEdit::AddRule {
        job: "kubernetes-pods".into(),
        rule: rule.clone(),
    };
    crate::plan::scrape_config::apply(SAMPLE, &[add]).expect("edited")
}

#[test]
fn the_rule_of_an_earlier_version_gives_way_to_names_before_anything_is_marked() {
    let (mut mesh, mut answers) = two(|w| {
        w.scraped.secure = true;
        w.secured_port = Some(15020);
    });
    let mut stranger = workload("demo", "stranger");
    stranger.scraped.secure = true;
    mesh.workloads.push(Arc::new(stranger));
    let rule = crate::mesh::ended::everything();
    with_config(&mut mesh, &with_rule(&rule));
    answers.workloads.remove(&id("demo", "other"));
    answers.each.entry(id("demo", "httpbin")).or_default().port = Some(MetricsPort::Envoy);
    let made = plan(&mesh, &answers);
    let job = part(&made, Part::ScrapeJob).expect("the job");
    let job_name = || "kubernetes-pods".to_owned();
    assert_eq!(
        edits(job)[1..],
        [
            TextEdit::RemoveRule {
                job: job_name(),
                rule: rule.clone()
            },
            TextEdit::EndPlaintext {
                job: job_name(),
                items: vec![id("demo", "other")]
            },
        ]
    );
    let left = LeavesOut {
        job: job_name(),
        of: vec![id("demo", "other")],
        not: Vec::new(),
    };
    assert!(
        job.then
            .iter()
            .any(|wait| matches!(wait, Await::LeftOut { jobs, .. } if *jobs == [left.clone()]))
    );
    assert_eq!(ended(&made), [], "15090 alone was chosen");
    assert!(said(&made, Code::PlaintextAgain).contains(&"stranger"));
    // No template of what was secured before is touched.
    assert!(made.changes.iter().all(|c| c.object.name != "other"));
}

#[test]
fn what_goes_over_to_15090_is_scraped_in_plaintext_again_before_its_listener_changes() {
    let mut mesh = mesh();
    let done = plan(&mesh, &answers(false));
    let text = crate::plan::scrape_config::apply(SAMPLE, edits(done.changes.last().expect("last")))
        .expect("edited");
    with_config(&mut mesh, &text);
    with_workload(&mut mesh, |w| {
        w.scraped.asks = w.scraped.plaintext.take();
        w.scraped.secure = true;
        w.secured_port = Some(15020);
    });
    let mut answers = answers(false);
    answers.options.port = MetricsPort::Envoy;
    let made = plan(&mesh, &answers);
    let job = part(&made, Part::ScrapeJob).expect("the job");
    assert_eq!(
        edits(job).last(),
        Some(&TextEdit::ResumePlaintext {
            job: "kubernetes-pods".into(),
            items: vec![id("demo", "httpbin")]
        })
    );
    assert!(
        made.changes.iter().position(|c| c.part == Part::ScrapeJob)
            < made.changes.iter().position(|c| c.part == Part::Listener)
    );
}

/// An item that was taken back alone leaves its name behind; it must not end the scrape before its targets are UP.
#[test]
fn a_name_that_was_left_behind_goes_before_the_mark_comes() {
    let mut mesh = mesh();
    let done = plan(&mesh, &answers(false));
    let text = crate::plan::scrape_config::apply(SAMPLE, edits(done.changes.last().expect("last")))
        .expect("edited");
    with_config(&mut mesh, &text);
    let made = plan(&mesh, &answers(false));
    let job = part(&made, Part::ScrapeJob).expect("the job");
    let items = vec![id("demo", "httpbin")];
    assert_eq!(
        edits(job).last(),
        Some(&TextEdit::ResumePlaintext {
            job: "kubernetes-pods".into(),
            items: items.clone()
        })
    );
    let not = |wait: &Await| matches!(wait, Await::LeftOut { jobs, .. } if jobs[0].not == items);
    assert!(job.then.iter().any(not), "{:?}", job.then);
    assert_eq!(ended(&made), by_job(&[("kubernetes-pods", &[HTTPBIN])]));
}

#[test]
fn where_old_jobs_leave_marks_out_15090_would_lose_at_once() {
    let mut rule = crate::mesh::ended::everything();
    let mut answers = answers(false);
    answers.options.port = MetricsPort::Envoy;
    // Of an earlier version, but read at the next start only.
    let mut mesh = mesh();
    with_config(&mut mesh, &with_rule(&rule));
    assert!(crate::recipe::plan(&mesh, &answers).is_ok());
    with_prometheus(&mut mesh, |p| (p.reloader, p.lifecycle) = (false, false));
    assert!(refusal(&mesh, &answers).contains("port 15090 is not available"));
    // Somebody's own.
    rule["regex"] = "(true)".into();
    with_prometheus(&mut mesh, |p| p.reloader = true);
    with_config(&mut mesh, &with_rule(&rule));
    assert!(refusal(&mesh, &answers).contains("port 15090 is not available"));
}

/// What is lost is the user's to decide, once it has been named.
#[test]
fn metrics_are_lost_by_the_flag_alone() {
    let (mesh, mut answers) = two(|other| other.scraped.app_metrics = true);
    answers.each.entry(id("demo", "other")).or_default().port = Some(MetricsPort::Envoy);
    answers.options.stop_plaintext_jobs = Some(true);
    assert!(refusal(&mesh, &answers).contains("--lose-metrics"));
    answers.options.lose_metrics = true;
    let made = plan(&mesh, &answers);
    assert_eq!(
        ended(&made),
        by_job(&[("kubernetes-pods", &[HTTPBIN, OTHER])])
    );
    assert_eq!(said(&made, Code::PlaintextScrapeLost), ["other"]);
    assert_eq!(said(&made, Code::PlaintextScrapeStays), [""; 0]);
    // Without the word for the plaintext jobs it means nothing.
    answers.options.stop_plaintext_jobs = None;
    assert_eq!(
        ended(&plan(&mesh, &answers)),
        by_job(&[("kubernetes-pods", &[HTTPBIN])])
    );
}
