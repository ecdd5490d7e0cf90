//! Exports of meshes by hand: owners, charts, and words that try to break out.

use super::*;
use crate::mesh::Mesh;
use crate::mesh::OwnerTool;
use crate::plan::review::{RunId, Verdict};
use crate::problems::Problem;
use crate::recipe::for_export;
use crate::recipe::testing::{answers, mesh, with_prometheus, with_workload};
use serde_json::json;
use std::sync::Arc;

/// The export where the server takes everything as it is sent.
fn made(mesh: &Mesh, gateway: bool) -> (Export, Setup) {
    let (plan, setup) = for_export(mesh, &answers(gateway)).unwrap();
    let mut review = Review::new("prod'eu", RunId("r1".into()), plan.clone());
    for change in plan.changes {
        let own = match &change.action {
            Action::Apply { intent } => {
                intent["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "meshscrape"
            }
            _ => false,
        };
        let text = mesh.prometheus_servers[0]
            .config
            .as_ref()
            .and_then(|c| c.text.as_deref().ok());
        let live = match &change.action {
            Action::Text { key, .. } => json!({"data": {key: text}}),
            _ => json!({"metadata": {}}),
        };
        review.insert(Reviewed {
            live: (!own).then(|| Arc::new(live)),
            after: None,
            verdict: if own { Verdict::New } else { Verdict::Changes },
            conflicts: Vec::new(),
            warnings: Vec::new(),
            pod: None,
            rollout_problems: Vec::new(),
            intent: None,
            change,
        });
    }
    (export(&review, &setup), setup)
}

fn text<'a>(export: &'a Export, path: &str) -> &'a str {
    let paths: Vec<&str> = export.files.iter().map(|f| f.path.as_str()).collect();
    let file = export.files.iter().find(|f| f.path == path);
    &file
        .unwrap_or_else(|| panic!("{path} is not in {paths:?}"))
        .text
}

fn values(export: &Export, path: &str) -> Value {
    serde_yaml::from_str(text(export, path)).unwrap()
}

fn helm(mesh: &mut Mesh, chart: Option<&str>) {
    with_prometheus(mesh, |p| {
        p.flavour = PrometheusFlavour::CommunityChart;
        p.owner = Some(Owner {
            tool: OwnerTool::Helm,
            name: "prom".into(),
        });
        p.obstacles = vec![Problem::Owned {
            of: (&p.id).into(),
            tool: OwnerTool::Helm,
            owner: "prom".into(),
        }];
        if let Some(chart) = chart {
            p.template
                .metadata
                .labels
                .insert("helm.sh/chart".into(), chart.into());
        }
    });
}

#[test]
fn a_chart_of_28_gets_its_jobs_as_a_map_and_an_older_one_as_text() {
    let mut it = mesh();
    helm(&mut it, Some("prometheus-28.2.1"));
    let (new, _) = made(&it, false);
    let all = values(&new, "values/prometheus-28.yaml");
    assert_eq!(
        all["server"]["podLabels"]["sidecar.istio.io/inject"],
        "true"
    );
    assert_eq!(
        all["server"]["extraVolumes"][0]["emptyDir"]["medium"],
        "Memory"
    );
    assert_eq!(all["server"]["extraVolumeMounts"][0]["readOnly"], true);
    let job = &all["scrapeConfigs"]["istio-secure-merged-metrics"];
    assert_eq!(job["scheme"], "https");
    assert!(job["job_name"].is_null(), "its key is its name");
    let old = values(&new, "values/prometheus-28-old-jobs.yaml");
    let rules = old["scrapeConfigs"]["kubernetes-pods"]["relabel_configs"]
        .as_array()
        .unwrap();
    assert_eq!(rules[0]["action"], "drop");
    assert!(
        rules.len() > 5,
        "today's rules stay: a list is replaced whole"
    );

    let mut it = mesh();
    helm(&mut it, Some("prometheus-27.0.0"));
    let (old, _) = made(&it, false);
    let all = values(&old, "values/prometheus-27.yaml");
    let jobs: Value = serde_yaml::from_str(all["extraScrapeConfigs"].as_str().unwrap()).unwrap();
    assert_eq!(jobs[0]["job_name"], "istio-secure-merged-metrics");
    assert!(!old.files.iter().any(|f| f.path.contains("prometheus-28")));

    let mut it = mesh();
    helm(&mut it, None);
    let (either, _) = made(&it, false);
    text(&either, "values/prometheus-28.yaml");
    text(&either, "values/prometheus-27.yaml");
}

#[test]
fn the_operators_prometheus_gets_values_and_a_resource_and_no_patch() {
    let mut it = mesh();
    with_prometheus(&mut it, |p| {
        p.flavour = PrometheusFlavour::Operator;
        p.owner = Some(Owner {
            tool: OwnerTool::Operator,
            name: "Prometheus k8s".into(),
        });
        p.config = None;
        let of = || (&p.id).into();
        p.obstacles = vec![
            Problem::Owned {
                of: of(),
                tool: OwnerTool::Operator,
                owner: "Prometheus k8s".into(),
            },
            Problem::ConfigInSecret {
                of: of(),
                file: "prometheus.yml".into(),
                secret: "prometheus-k8s".into(),
            },
        ];
    });
    let (made, setup) = made(&it, false);
    assert!(
        matches!(setup.gap, Some(super::Gap::Operator(_))),
        "{:?}",
        setup.gap
    );
    let all = values(&made, "values/kube-prometheus-stack.yaml");
    let spec = &all["prometheus"]["prometheusSpec"];
    assert_eq!(
        spec["podMetadata"]["labels"]["sidecar.istio.io/inject"],
        "true"
    );
    assert_eq!(
        spec["additionalScrapeConfigs"][0]["job_name"],
        "istio-secure-merged-metrics"
    );
    let resource = values(&made, "prometheus/prometheus-resource.yaml");
    assert_eq!(resource["metadata"]["name"], "k8s");
    assert_eq!(resource["spec"]["volumeMounts"], spec["volumeMounts"]);
    let of = it.prometheus_servers[0].id.to_string();
    assert!(text(&made, "prometheus/scrape-job.yaml").contains(&of));
    assert!(!made.files.iter().any(|f| f.text.contains("kind: Deployment\n") && f.text.contains("name: prometheus\n")));
    // Policies and listener need nothing of it; the annotation waits.
    let script = text(&made, SCRIPT);
    let (first, late) = script
        .split_once("\nby_eye 'MESHSCRAPE_OWNER_DONE'")
        .unwrap();
    assert!(first.contains("\ncreate 'resources/"), "{script}");
    assert!(
        late.contains("\nchange 'deployments.apps' 'demo' 'httpbin' "),
        "{script}"
    );
}

#[test]
fn where_the_configuration_is_not_known_the_rest_is_exported() {
    let mut it = mesh();
    with_prometheus(&mut it, |p| {
        p.flavour = PrometheusFlavour::VmAgent;
        p.obstacles = vec![Problem::VmAgent { of: (&p.id).into() }];
    });
    let (made, _) = made(&it, false);
    let of = (&it.prometheus_servers[0].id).into();
    let said = crate::words::sentence(&Problem::VmAgent { of });
    assert!(text(&made, README).contains(said.trim_end_matches('.')));
    assert!(
        !made
            .files
            .iter()
            .any(|f| f.path.starts_with("prometheus/") || f.path.starts_with("values/"))
    );
    assert!(text(&made, SCRIPT).contains("by_eye 'MESHSCRAPE_OWNER_DONE'"));
    assert_eq!(made.by_script, 4);
}

#[test]
fn an_owned_workload_is_marked_by_its_owner() {
    let mut it = mesh();
    with_workload(&mut it, |w| {
        w.owner = Some(Owner {
            tool: OwnerTool::ArgoCd,
            name: "shop".into(),
        });
        w.obstacles = vec![Problem::Owned {
            of: (&w.id).into(),
            tool: OwnerTool::ArgoCd,
            owner: "shop".into(),
        }];
    });
    let (made, _) = made(&it, false);
    assert_eq!(made.by_owner.len(), 1, "{:?}", made.by_owner);
    assert!(made.by_owner[0].1.contains("Argo CD (shop)"));
    let script = text(&made, SCRIPT);
    assert!(!script.contains("'demo' 'httpbin'"), "{script}");
    let patch = made
        .files
        .iter()
        .find(|f| f.path.starts_with("patches/") && f.path.contains("httpbin"))
        .unwrap();
    assert!(
        patch
            .text
            .contains("prometheus.istio.io/secure-port: \"15091\"")
    );
    let component = text(&made, "patches/kustomization.yaml");
    assert!(component.contains("kind: Component\n") && component.contains("namespace: demo\n"));
    // The old jobs' rule waits for no target that the script does not annotation.
    assert!(!script.contains("\ntargets_up "), "{script}");
}

#[test]
fn another_obstacle_than_its_owner_still_stands() {
    let mut it = mesh();
    with_workload(&mut it, |w| {
        w.obstacles = vec![Problem::Ambient {
            of: (&w.id).into(),
            labelled: w.id.object(),
        }];
    });
    assert!(for_export(&it, &answers(false)).is_err());
}

#[test]
fn every_word_in_the_script_is_quoted() {
    let (made, _) = made(&mesh(), true);
    let script = text(&made, SCRIPT);
    assert!(script.contains("\nmade_for 'prod'\\''eu'\n"), "{script}");
    let (_, body) = script.split_once("# What is done, in order.\n").unwrap();
    for line in body.lines().filter(|line| !line.is_empty()) {
        let outside: String = line.split('\'').step_by(2).collect();
        let plain = |c: char| c.is_ascii_lowercase() || " _=\\".contains(c);
        assert!(outside.chars().all(plain), "{line}");
    }
}

#[test]
fn the_script_is_one_that_bash_reads() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let (made, _) = made(&mesh(), true);
    let bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn();
    // On a machine without bash there is nothing to ask.
    let Ok(mut bash) = bash else { return };
    let mut input = bash.stdin.take().unwrap();
    input.write_all(text(&made, SCRIPT).as_bytes()).unwrap();
    drop(input);
    assert!(bash.wait().unwrap().success());
}

#[test]
fn policies_come_before_what_opens_the_port() {
    let (made, _) = made(&mesh(), true);
    for path in ["kustomization.yaml", SCRIPT] {
        let text = text(&made, path);
        let last = text.rfind("authorizationpolicy-demo").unwrap();
        assert!(last < text.find("-sidecar-demo").unwrap(), "{path}: {text}");
    }
    let kustomization = values(&made, "kustomization.yaml");
    assert_eq!(kustomization["sortOptions"]["order"], "fifo");
    for resource in kustomization["resources"].as_array().unwrap() {
        text(&made, resource.as_str().unwrap());
    }
    let component = values(&made, "patches/kustomization.yaml");
    for patch in component["patches"].as_array().unwrap() {
        text(
            &made,
            &format!("patches/{}", patch["path"].as_str().unwrap()),
        );
    }
}

#[test]
fn nothing_to_change_is_no_file() {
    let it = mesh();
    let (plan, setup) = for_export(&it, &answers(false)).unwrap();
    let mut review = Review::new("c", RunId::default(), plan.clone());
    for change in plan.changes {
        review.insert(Reviewed {
            live: None,
            after: None,
            verdict: Verdict::Unchanged,
            conflicts: Vec::new(),
            warnings: Vec::new(),
            pod: None,
            rollout_problems: Vec::new(),
            intent: None,
            change,
        });
    }
    assert_eq!(export(&review, &setup), Export::default());
}
