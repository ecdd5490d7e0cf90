//! What the corrected recipe itself costs, and what it must not do (facts/istio, second list).

use super::*;
use crate::answers::{Annotate, Injection, MetricsPort};
use crate::mesh::kinds::ObjectRef;
use crate::mesh::{ControlPlane, NamespaceInjection, SidecarState, Storage};
use crate::plan::{Await, Impact};
use crate::recipe::testing::*;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const NAME: &str = "meshscrape-httpbin";

#[test]
fn order_policies_read_back_then_a_second_then_the_listener_then_the_mark() {
    let plan = plan(&mesh(), &answers(false));
    let (authn, authz) = (
        of(&plan, Kind::PeerAuthentication, NAME),
        of(&plan, Kind::AuthorizationPolicy, NAME),
    );
    let (listener, annotation) = (
        of(&plan, Kind::Sidecar, NAME),
        of(&plan, Kind::Deployment, "httpbin"),
    );
    for policy in [authn, authz] {
        assert_eq!(policy.then, [Await::ReadBack]);
        assert!(listener.needs.contains(&policy.id));
    }
    assert_eq!(listener.before, [Await::Settle(Duration::from_secs(1))]);
    assert!(annotation.needs.contains(&listener.id));
    assert!(
        annotation
            .then
            .contains(&Await::Rollout(id("demo", "httpbin")))
    );
}

#[test]
fn kept_ports_are_not_free_and_the_impact_is_said() {
    let mut mesh = mesh();
    let filter = ObjectRef::new(Kind::EnvoyFilter, "demo", "rate-limit");
    with_workload(&mut mesh, |w| w.envoy_filters = vec![filter.clone()]);
    let first = plan(&mesh, &answers(false));
    let workload = id("demo", "httpbin");
    assert_eq!(
        of(&first, Kind::Sidecar, NAME).impacts,
        [
            Impact::CutsConnections {
                workload: workload.clone()
            },
            Impact::EnvoyFilterStops { filter, workload },
        ]
    );
    with_workload(&mut mesh, |w| {
        w.ours = vec![ObjectRef::new(Kind::Sidecar, "demo", NAME)]
    });
    let again = plan(&mesh, &answers(false));
    assert!(
        of(&again, Kind::Sidecar, NAME).impacts.is_empty(),
        "what stands costs nothing again"
    );
}

#[test]
fn meshed_clients_of_prometheus_are_not_cut_off() {
    let plan = plan(&mesh(), &answers(false));
    let labels = &intent(of(&plan, Kind::Deployment, "prometheus"))["spec"]["template"]["metadata"]
        ["labels"];
    assert_eq!(labels["security.istio.io/tlsMode"], "disabled");
}

#[test]
fn losing_the_history_is_said_and_a_lasting_volume_loses_none() {
    let mut mesh = mesh();
    let prometheus = id("istio-system", "prometheus");
    let loses = Impact::LosesHistory {
        prometheus: prometheus.clone(),
    };
    let gap = Impact::ScrapeGap { prometheus };
    let first = plan(&mesh, &answers(false));
    let impacts = &of(&first, Kind::Deployment, "prometheus").impacts;
    assert!(impacts.contains(&loses) && impacts.contains(&gap));
    with_prometheus(&mut mesh, |p| p.storage = Storage::Lasting("data".into()));
    let second = plan(&mesh, &answers(false));
    let impacts = &of(&second, Kind::Deployment, "prometheus").impacts;
    assert!(!impacts.contains(&loses) && impacts.contains(&gap));
}

#[test]
fn with_a_reloader_the_job_follows_the_pod_and_without_one_it_restarts_once() {
    let mut mesh = mesh();
    let with = plan(&mesh, &answers(false));
    let job = part(&with, Part::ScrapeJob).expect("job");
    let pod = part(&with, Part::PrometheusPod).expect("pod");
    assert_eq!(
        (&with.changes[0].id, &with.changes[1].id),
        (&pod.id, &job.id)
    );
    assert!(job.needs.contains(&pod.id));
    assert!(matches!(job.then[..], [Await::ConfigLoaded { .. }]));

    with_prometheus(&mut mesh, |p| (p.reloader, p.lifecycle) = (false, false));
    let without = plan(&mesh, &answers(false));
    let pod = part(&without, Part::PrometheusPod).expect("pod");
    assert_eq!(without.changes[0].part, Part::ScrapeJob);
    assert_eq!(without.changes[1].id, pod.id);
    assert!(
        without.changes[0].then.is_empty(),
        "it is loaded by the restart"
    );
    assert!(matches!(
        pod.then[..],
        [Await::Rollout(_), Await::ConfigLoaded { .. }]
    ));
    let annotation = of(&without, Kind::Deployment, "httpbin");
    for change in &without.changes[..2] {
        assert!(annotation.needs.contains(&change.id));
    }
    assert!(plan(&mesh, &answers(false)).changes.len() == without.changes.len());
}

#[test]
fn a_set_up_prometheus_that_only_a_restart_loads_is_restarted_for_a_new_job_and_not_again() {
    let mut mesh = mesh();
    with_prometheus(&mut mesh, |p| {
        (p.reloader, p.lifecycle, p.sidecar) = (false, false, true);
        p.certificates = Some("/etc/istio-certs".into());
    });
    let first = plan(&mesh, &answers(false));
    let pod = intent(part(&first, Part::PrometheusPod).expect("a restart"));
    let annotations = pod["spec"]["template"]["metadata"]["annotations"]
        .as_object()
        .expect("map");
    let (key, hash) = annotations.iter().next().expect("one");
    let (key, hash) = (key.clone(), hash.as_str().expect("text").to_owned());
    with_prometheus(&mut mesh, |p| {
        p.template.metadata.annotations.insert(key, hash);
    });
    let second = plan(&mesh, &answers(false));
    let again = part(&second, Part::PrometheusPod).expect("the same");
    assert_eq!(
        again.action,
        part(&first, Part::PrometheusPod).expect("it").action
    );
    assert!(again.impacts.is_empty());
}

#[test]
fn a_revision_stands_beside_the_label_where_nothing_is_default() {
    let mut mesh = mesh();
    mesh.istio.default_injector = false;
    mesh.istio.control_planes[0].revision = "canary".into();
    let one = plan(&mesh, &answers(false));
    let labels =
        &intent(of(&one, Kind::Deployment, "prometheus"))["spec"]["template"]["metadata"]["labels"];
    assert_eq!(labels["istio.io/rev"], "canary");
    mesh.istio.control_planes.push(ControlPlane {
        revision: "stable".into(),
        ..mesh.istio.control_planes[0].clone()
    });
    assert!(
        refusal(&mesh, &answers(false)).contains("canary, stable"),
        "it never guesses"
    );
}

#[test]
fn prometheus_in_a_namespace_that_no_webhook_reaches_is_refused() {
    let mut mesh = mesh();
    mesh.namespaces[1].injection = NamespaceInjection::Disabled;
    assert!(refusal(&mesh, &answers(false)).contains("istio-injection=disabled"));
}

#[test]
fn prometheus_does_not_become_a_plaintext_target_itself() {
    let plan = plan(&mesh(), &answers(false));
    let template = &intent(of(&plan, Kind::Deployment, "prometheus"))["spec"]["template"];
    assert_eq!(
        template["metadata"]["annotations"]["prometheus.istio.io/merge-metrics"],
        "false"
    );
}

#[test]
fn every_rule_of_ours_has_a_selector() {
    let plan = plan(&mesh(), &answers(true));
    super::table::invariants(&plan);
}

#[test]
fn a_mark_where_old_jobs_already_leave_it_out_waits_for_its_own_target() {
    let mut mesh = mesh();
    let up = Await::TargetsUp(vec![id("demo", "httpbin")]);
    let first = plan(&mesh, &answers(false));
    assert!(!of(&first, Kind::Deployment, "httpbin").then.contains(&up));
    // Somebody's own.
    let mut rule = crate::mesh::ended::everything();
    rule["regex"] = "(true)".into();
    let text = super::ended::with_rule(&rule);
    with_config(&mut mesh, &text);
    let second = plan(&mesh, &answers(false));
    assert!(of(&second, Kind::Deployment, "httpbin").then.contains(&up));
    assert_eq!(
        jobs(&second),
        jobs(&first),
        "the rule is not carried into our job"
    );
}

#[test]
fn an_injection_label_of_ours_stays_in_the_intent() {
    let mut mesh = mesh();
    mesh.namespaces[0].injection = NamespaceInjection::None;
    with_workload(&mut mesh, |w| {
        w.sidecar = SidecarState::Switchable { revision: None }
    });
    let mut answers = answers(false);
    answers.options.inject = true;
    let first = plan(&mesh, &answers);
    let labels =
        intent(of(&first, Kind::Deployment, "httpbin"))["spec"]["template"]["metadata"]["labels"]
            .clone();
    assert_eq!(labels, json!({"sidecar.istio.io/inject": "true"}));
    with_workload(&mut mesh, |w| {
        w.sidecar = workload("demo", "httpbin").sidecar;
        w.template
            .metadata
            .labels
            .insert("sidecar.istio.io/inject".into(), "true".into());
    });
    let second = plan(&mesh, &answers);
    assert_eq!(
        intent(of(&second, Kind::Deployment, "httpbin"))["spec"]["template"]["metadata"]["labels"],
        labels
    );
}

#[test]
fn a_namespace_label_names_who_else_would_be_injected() {
    let mut mesh = mesh();
    mesh.namespaces[0].injection = NamespaceInjection::None;
    let bare = SidecarState::Switchable { revision: None };
    with_workload(&mut mesh, |w| w.sidecar = bare.clone());
    let mut other = workload("demo", "other");
    other.sidecar = bare;
    mesh.workloads.push(Arc::new(other));
    let mut answers = answers(false);
    answers.options.injection = Injection::Namespace;
    answers.first_sidecar.insert(id("demo", "httpbin"));
    let plan = plan(&mesh, &answers);
    let change = part(&plan, Part::Injection).expect("the namespace's label");
    assert_eq!(
        intent(change)["metadata"]["labels"],
        json!({"istio-injection": "enabled"})
    );
    assert_eq!(
        change.impacts,
        [Impact::AlsoInjected {
            namespace: "demo".into(),
            workloads: vec![id("demo", "other")]
        }]
    );
    let annotation = of(&plan, Kind::Deployment, "httpbin");
    assert!(annotation.needs.contains(&change.id));
    assert!(
        intent(annotation)["spec"]["template"]["metadata"]
            .get("labels")
            .is_none()
    );
}

#[test]
fn marks_on_running_pods_name_the_very_pod() {
    let mut mesh = mesh();
    with_workload(&mut mesh, |w| {
        w.pods[1].proxy = None;
        w.pods.push(crate::mesh::Pod {
            terminating: true,
            ..pod("httpbin-3")
        });
    });
    let mut answers = answers(false);
    answers.options.annotate = Annotate::Pods;
    let plan = plan(&mesh, &answers);
    let annotations: Vec<&Change> = plan
        .changes
        .iter()
        .filter(|c| c.part == Part::Annotation)
        .collect();
    assert_eq!(annotations.len(), 1);
    assert_eq!(intent(annotations[0])["metadata"]["uid"], "uid-httpbin-1");
    assert!(
        annotations[0]
            .impacts
            .iter()
            .all(|p| !matches!(p, Impact::Restarts { .. }))
    );
}

#[test]
fn port_15090_leads_to_envoy_alone() {
    let mut answers = answers(true);
    answers.options.port = MetricsPort::Envoy;
    let plan = plan(&mesh(), &answers);
    let sidecar = intent(of(&plan, Kind::Sidecar, NAME));
    assert_eq!(
        sidecar["spec"]["ingress"][0]["defaultEndpoint"],
        "127.0.0.1:15090"
    );
    let entry = intent(of(
        &plan,
        Kind::ServiceEntry,
        "meshscrape-istio-ingressgateway",
    ));
    assert_eq!(entry["spec"]["ports"][0]["number"], 15090);
}
