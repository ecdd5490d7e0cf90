//! The targets after a plan, by running its jobs over its pods.

use super::*;
use crate::mesh::objects::{ContainerPort, LeanContainer};
use crate::mesh::{ScrapedBy, Workload};
use crate::plan::ChangeId;
use crate::problems::{Code, of_forecast, tests::absent};
use crate::reach::forecast::{Forecast, Way};
use crate::recipe::testing::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// As the injector leaves them.
fn meshed(of: &mut Workload) {
    let app = of.selector["app"].clone();
    let container = |name: &str, port: u16, of: &str| LeanContainer {
        name: name.into(),
        ports: vec![ContainerPort {
            name: Some(of.into()),
            container_port: port,
            protocol: None,
        }],
        ..LeanContainer::default()
    };
    of.scraped.by = Some(vec![ScrapedBy {
        prometheus: Arc::new(id("istio-system", "prometheus")),
        job: "kubernetes-pods".into(),
        port: 15020,
        now: true,
    }]);
    for (at, pod) in of.pods.iter_mut().enumerate() {
        pod.spec.containers = Arc::new(vec![
            container("app", 8080, "http"),
            container("istio-proxy", 15090, "http-envoy-prom"),
        ]);
        pod.ip = Some(format!("10.0.0.{}", at + 1));
        pod.labels = labels([
            ("app", &app),
            ("version", "v1"),
            ("pod-template-hash", "abc"),
        ])
        .into();
        pod.annotations = labels([
            ("prometheus.io/scrape", "true"),
            ("prometheus.io/port", "15020"),
            ("prometheus.io/path", "/stats/prometheus"),
        ])
        .into();
    }
}

fn meshed_mesh() -> Mesh {
    let mut mesh = mesh();
    with_workload(&mut mesh, meshed);
    mesh
}

fn made(mesh: &Mesh, answers: &Answers, skip: Option<Part>) -> Forecast {
    let plan = plan(mesh, answers);
    let changes = plan.changes.iter();
    let skipped: BTreeSet<ChangeId> = changes
        .filter(|change| Some(change.part) == skip)
        .map(|change| change.id.clone())
        .collect();
    crate::recipe::forecast(mesh, answers, &plan, &skipped).expect("a forecast")
}

fn codes(of: &Forecast) -> Vec<Code> {
    of_forecast(of).iter().map(|one| one.code()).collect()
}

fn ways(of: &[Way]) -> Vec<String> {
    let all = of.iter();
    all.map(|way| {
        let port = way.port.expect("a port");
        format!("{} {} {port}{}", way.job, way.scheme, way.path)
    })
    .collect()
}

#[test]
fn a_plaintext_scrape_becomes_one_over_mutual_tls_with_the_same_labels() {
    let made = made(&meshed_mesh(), &answers(false), None);
    let groups = made.groups();
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert_eq!(groups[0].pods, 2);
    assert_eq!(
        ways(&groups[0].ended),
        ["kubernetes-pods http 15020/stats/prometheus"]
    );
    assert_eq!(
        ways(&groups[0].begun),
        ["istio-secure-merged-metrics https 15091/stats/prometheus"]
    );
    assert_eq!(groups[0].labels, []);
    absent(Code::LabelsChange, of_forecast(&made));
    assert_eq!(codes(&made), [Code::TargetsNotComputed; 0]);
}

#[test]
fn a_label_that_is_lost_is_named() {
    let mut mesh = meshed_mesh();
    let rule =
        "  - source_labels: [__meta_kubernetes_pod_container_name]\n    target_label: container\n";
    with_config(&mut mesh, &format!("{SAMPLE}{rule}"));
    let made = made(&mesh, &answers(false), None);
    let found = of_forecast(&made);
    assert_eq!(codes(&made), [Code::LabelsChange], "{found:?}");
    assert!(
        found[0]
            .values()
            .iter()
            .any(|(_, value)| value.contains("-container="))
    );
}

#[test]
fn without_the_job_nothing_is_found_over_mutual_tls() {
    let made = made(&meshed_mesh(), &answers(false), Some(Part::ScrapeJob));
    // The plaintext job leaves out what is annotated, whoever takes its place.
    assert_eq!(codes(&made), [Code::TargetLost, Code::SecureTargetMissing]);
    // Without the annotations nothing ends, though nothing comes either.
    let made = self::made(&meshed_mesh(), &answers(false), Some(Part::Annotation));
    absent(Code::TargetLost, of_forecast(&made));
    absent(Code::SecureTargetMissing, of_forecast(&made));
}

#[test]
fn a_list_that_is_denied_is_told_instead_of_the_missing_target() {
    use crate::reach::rights::{PodRights, Right};
    let with = |everywhere, job: &str| {
        let mut mesh = meshed_mesh();
        with_config(&mut mesh, &SAMPLE.replace("role: pod", job));
        let rights = PodRights {
            everywhere,
            namespaces: [("httpbin".to_owned(), Right::Granted)].into(),
        };
        let account = mesh.prometheus_servers[0].account();
        Arc::make_mut(&mut mesh.rules)
            .rights
            .insert(account, rights);
        of_forecast(&made(&mesh, &answers(false), None))
    };
    let wide = "role: pod";
    let found = with(Right::Denied, wide);
    let found: Vec<Code> = found.iter().map(|one| one.code()).collect();
    assert_eq!(found, [Code::PodsNotListed]);
    absent(Code::PodsNotListed, with(Right::Granted, wide));
    absent(
        Code::PodsNotListed,
        with(Right::Unread("refused".into()), wide),
    );
}

#[test]
fn two_jobs_that_find_one_pod_are_named() {
    let mut mesh = meshed_mesh();
    let job = |name: &str| {
        format!(
            "- job_name: {name}\n  scheme: https\n  metrics_path: /stats/prometheus\n  kubernetes_sd_configs: [{{role: pod}}]\n  \
             tls_config: {{ca_file: /c/root-cert.pem, cert_file: /c/cert-chain.pem, key_file: /c/key.pem}}\n  \
             relabel_configs:\n  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port]\n    \
             regex: \\d+\n    action: keep\n  - source_labels: [__meta_kubernetes_pod_ip, __meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port]\n    \
             separator: ':'\n    target_label: __address__\n"
        )
    };
    with_config(
        &mut mesh,
        &format!("{SAMPLE}{}{}", job("mine"), job("theirs")),
    );
    let found = made(&mesh, &answers(false), None);
    // They lack the labels of today's job besides.
    assert_eq!(
        codes(&found),
        [Code::SecureTargetDoubled, Code::LabelsChange]
    );
    // One alone is enough, and stays.
    with_config(&mut mesh, &format!("{SAMPLE}{}", job("mine")));
    let found = made(&mesh, &answers(false), None);
    assert_eq!(codes(&found), [Code::LabelsChange]);
    absent(Code::SecureTargetDoubled, of_forecast(&found));
}

#[test]
fn what_cannot_be_computed_is_named() {
    let mut mesh = meshed_mesh();
    let job = "- job_name: files\n  file_sd_configs: [{files: [/etc/targets.json]}]\n";
    with_config(&mut mesh, &format!("{SAMPLE}{job}"));
    let found = made(&mesh, &answers(false), None);
    assert_eq!(codes(&found), [Code::TargetsNotComputed]);
    assert_eq!(found.unknown.keys().collect::<Vec<_>>(), ["files"]);
    // Addresses that stand in the configuration are known, and so is that nodes are no pods.
    let job = "- job_name: hosts\n  static_configs: [{targets: ['192.0.2.9:9100']}]\n  kubernetes_sd_configs: [{role: node}]\n";
    with_config(&mut mesh, &format!("{SAMPLE}{job}"));
    absent(
        Code::TargetsNotComputed,
        of_forecast(&made(&mesh, &answers(false), None)),
    );
}

#[test]
fn a_first_sidecar_brings_the_injectors_labels_along() {
    let mut mesh = meshed_mesh();
    with_workload(&mut mesh, |of| {
        of.sidecar = crate::mesh::SidecarState::Switchable { revision: None };
        for pod in &mut of.pods {
            pod.proxy = None;
            Arc::make_mut(&mut pod.spec.containers).truncate(1);
            pod.annotations = labels([
                ("prometheus.io/scrape", "true"),
                ("prometheus.io/port", "8080"),
            ])
            .into();
        }
    });
    let mut answers = answers(false);
    answers.options.inject = true;
    let found = made(&mesh, &answers, None);
    let outlook = &found.outlooks[0];
    let secure = outlook.secure(found.port).next().expect("a secure target");
    assert_eq!(
        secure.target.labels["service_istio_io_canonical_name"],
        "httpbin"
    );
    assert_eq!(secure.target.labels["security_istio_io_tlsMode"], "istio");
}

#[test]
fn a_scrape_by_addresses_does_not_end_and_is_named() {
    let mut mesh = meshed_mesh();
    let job = "- job_name: by-hand\n  static_configs: [{targets: ['10.0.0.1:8080']}]\n";
    with_config(&mut mesh, &format!("{SAMPLE}{job}"));
    with_workload(&mut mesh, |of| {
        of.scraped.by.as_mut().expect("known").push(ScrapedBy {
            prometheus: Arc::new(id("istio-system", "prometheus")),
            job: "by-hand".into(),
            port: 8080,
            now: true,
        });
    });
    let answers = answers(false);
    let found = made(&mesh, &answers, None);
    assert_eq!(codes(&found), [Code::ScrapedByOtherDiscovery]);
    let plan = plan(&mesh, &answers);
    let last = part(&plan, Part::PlaintextJobs).expect("the plaintext job ends");
    assert!(
        edits(last)
            .iter()
            .all(|edit| matches!(edit, TextEdit::EndPlaintext { job, .. } if job != "by-hand"))
    );
    // The same job that scrapes nothing of it.
    with_workload(&mut mesh, |of| {
        of.scraped
            .by
            .as_mut()
            .expect("known")
            .retain(|by| *by.job != *"by-hand");
    });
    absent(
        Code::ScrapedByOtherDiscovery,
        of_forecast(&made(&mesh, &answers, None)),
    );
}

#[test]
fn rules_and_federation_that_name_the_ended_job_are_listed() {
    let mut mesh = meshed_mesh();
    let federate = "- job_name: up\n  metrics_path: /federate\n  params: {'match[]': ['{job=\"kubernetes-pods\"}', '{job=\"x\"}']}\n  static_configs: []\n";
    with_config(&mut mesh, &format!("{SAMPLE}{federate}"));
    let rule = |name: &str, query: &str| crate::mesh::Rule {
        group: "g".into(),
        name: name.into(),
        query: query.into(),
    };
    let rules = [
        rule("Errors", "rate(x{job=~\"kubernetes-.*\"}[5m]) > 1"),
        rule("Other", "up{job=\"node\"}"),
    ];
    mesh.rules_of
        .insert(id("istio-system", "prometheus"), rules.clone().into());
    let found = made(&mesh, &answers(false), None);
    assert_eq!(codes(&found), [Code::JobLabelRead]);
    assert_eq!(
        found.readers["kubernetes-pods"],
        [
            "rule Errors (g)",
            "job up of istio-system/Deployment/prometheus"
        ]
    );
    with_config(
        &mut mesh,
        &format!("{SAMPLE}{}", federate.replace("kubernetes-pods", "y")),
    );
    mesh.rules_of
        .insert(id("istio-system", "prometheus"), [rules[1].clone()].into());
    absent(
        Code::JobLabelRead,
        of_forecast(&made(&mesh, &answers(false), None)),
    );
}

/// Its own rule leaves out what is annotated, so that no decision of ours keeps the scrape of the app.
#[test]
fn metrics_of_the_app_that_end_with_the_annotation_are_named() {
    let job = "scrape_configs:\n- job_name: unannotated\n  kubernetes_sd_configs: [{role: pod}]\n  relabel_configs:\n  \
               - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port], regex: '', action: keep}\n";
    let mut mesh = meshed_mesh();
    with_config(&mut mesh, job);
    with_workload(&mut mesh, |of| {
        of.template.spec.containers = vec![crate::mesh::objects::Container {
            ports: vec![ContainerPort {
                name: None,
                container_port: 8080,
                protocol: None,
            }],
            ..Default::default()
        }];
    });
    let found = made(&mesh, &answers(false), None);
    assert!(
        codes(&found).contains(&Code::AppMetricsLost),
        "{:?}",
        of_forecast(&found)
    );
    assert_eq!(found.unasked[0].2, [8080]);
    // Where the annotation names the port, the agent asks there.
    with_workload(&mut mesh, |of| {
        let annotations = &mut of.template.metadata.annotations;
        annotations.insert("prometheus.io/scrape".into(), "true".into());
        annotations.insert("prometheus.io/port".into(), "8080".into());
    });
    let found = made(&mesh, &answers(false), None);
    assert_eq!(found.unasked, []);
    absent(Code::AppMetricsLost, of_forecast(&found));
}
