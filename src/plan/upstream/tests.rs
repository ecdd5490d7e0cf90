use super::*;
use crate::mesh::kinds::ObjectRef;
use crate::plan::Change;
use crate::plan::review::{Conflict, Verdict};
use std::sync::Arc;

fn reviewed(kind: Kind, part: Part, action: Action, live: Value) -> Reviewed {
    let object = ObjectRef::new(kind, "shop", "web");
    Reviewed {
        change: Change::new(
            object,
            part,
            action,
            crate::plan::purpose::Purpose::SecureJob,
        ),
        live: Some(Arc::new(live)),
        after: None,
        verdict: Verdict::Changes,
        conflicts: Vec::new(),
        warnings: Vec::new(),
        pod: None,
        rollout_problems: Vec::new(),
        intent: None,
    }
}

/// The annotation on a Deployment with this metadata.
fn annotation(metadata: Value) -> Reviewed {
    let intent = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {"metadata": {"annotations": {"prometheus.istio.io/secure-port": "15091"}}}},
    });
    let live = json!({"metadata": metadata, "spec": {"template": {"metadata": {}}}});
    reviewed(
        Kind::Deployment,
        Part::Annotation,
        Action::Apply { intent },
        live,
    )
}

fn of(metadata: Value) -> Upstream {
    upstream(&annotation(metadata)).expect("an owner")
}

fn helm(chart: &str) -> Value {
    json!({
        "labels": {"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": chart},
        "annotations": {"meta.helm.sh/release-name": "news", "meta.helm.sh/release-namespace": "shop"},
    })
}

/// What was pasted, as YAML readers take it.
fn read(of: &Upstream) -> Value {
    assert_eq!(of.fragments.len(), 1, "{of:#?}");
    serde_yaml::from_str(&of.fragments[0].yaml).expect("YAML")
}

#[test]
fn a_chart_that_is_not_known_gets_the_fields_and_two_places() {
    let found = of(helm("web-1.2.0"));
    assert_eq!(
        found.owner(),
        "the Helm release news in shop, chart web-1.2.0"
    );
    assert!(
        found
            .place
            .contains("the values of the release news in shop")
    );
    assert!(found.place.contains("post-renderer"), "{}", found.place);
    let Action::Apply { intent } = annotation(json!({})).change.action else {
        panic!("an apply");
    };
    assert_eq!(read(&found), intent);
    assert!(found.reverts().contains("next upgrade"));
}

#[test]
fn an_application_is_named_by_its_tracking_id_or_its_label() {
    let id = "landing:apps/Deployment:shop/web";
    for metadata in [
        json!({"annotations": {"argocd.argoproj.io/tracking-id": id}}),
        json!({"labels": {"argocd.argoproj.io/instance": "landing"}}),
        json!({"labels": {"app.kubernetes.io/instance": "landing"},
            "managedFields": [{"manager": "argocd-controller"}]}),
    ] {
        let found = of(metadata);
        assert_eq!(found.tool, Some(OwnerTool::ArgoCd));
        assert_eq!(found.name, "landing");
        assert!(found.place.contains("application landing syncs from"));
    }
}

#[test]
fn flux_is_named_by_what_applies_it() {
    let labels = |tool: &str| {
        json!({"labels": {
            format!("{tool}.toolkit.fluxcd.io/name"): "apps",
            format!("{tool}.toolkit.fluxcd.io/namespace"): "flux-system",
        }})
    };
    let found = of(labels("kustomize"));
    assert_eq!(found.kind, "Kustomization");
    assert!(
        found
            .place
            .contains("the Kustomization flux-system/apps applies")
    );
    let found = of(labels("helm"));
    assert_eq!(found.kind, "HelmRelease");
    assert!(found.place.contains("the HelmRelease flux-system/apps"));
    let patch = &read(&found)["spec"]["postRenderers"][0]["kustomize"]["patches"][0];
    assert_eq!(
        patch["target"],
        json!({"kind": "Deployment", "name": "web"})
    );
    let inner: Value = serde_yaml::from_str(patch["patch"].as_str().expect("text")).expect("YAML");
    assert_eq!(
        inner["spec"]["template"]["metadata"]["annotations"]["prometheus.istio.io/secure-port"],
        "15091"
    );
}

#[test]
fn who_has_no_owner_has_no_upstream() {
    assert_eq!(upstream(&annotation(json!({}))), None);
    let mut ours = helm("web-1.2.0");
    ours["labels"]["app.kubernetes.io/managed-by"] = MANAGER.into();
    assert_eq!(upstream(&annotation(ours)), None);
    let mut new = annotation(helm("web-1.2.0"));
    new.live = None;
    assert_eq!(upstream(&new), None);
}

#[test]
fn an_unknown_manager_is_named_by_its_conflict() {
    let mut item = annotation(json!({}));
    for (manager, hands) in [("kubectl", Hands::Person), ("terraform", Hands::Controller)] {
        item.conflicts.push(Conflict {
            manager: manager.into(),
            field: ".spec".into(),
            theirs: None,
            ours: None,
            hands,
        });
    }
    let found = upstream(&item).expect("an owner");
    assert_eq!(found.tool, None);
    assert_eq!(found.owner(), "the field manager terraform");
    assert!(found.place.contains("what terraform applies"));
}

fn prometheus_pod(chart: &str) -> Reviewed {
    let intent = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {
            "metadata": {"labels": {"sidecar.istio.io/inject": "true"}, "annotations": {"a": "b"}},
            "spec": {
                "containers": [{"name": "prometheus-server",
                    "volumeMounts": [{"name": "certs", "mountPath": "/etc/certs"}]}],
                "volumes": [{"name": "certs", "emptyDir": {"medium": "Memory"}}],
            }}},
    });
    let live = json!({"metadata": helm(chart)});
    reviewed(
        Kind::Deployment,
        Part::PrometheusPod,
        Action::Apply { intent },
        live,
    )
}

#[test]
fn the_known_chart_gets_its_values() {
    let found = upstream(&prometheus_pod("prometheus-27.5.1")).expect("an owner");
    assert_eq!(
        read(&found),
        json!({"server": {
            "podLabels": {"sidecar.istio.io/inject": "true"},
            "podAnnotations": {"a": "b"},
            "extraVolumes": [{"name": "certs", "emptyDir": {"medium": "Memory"}}],
            "extraVolumeMounts": [{"name": "certs", "mountPath": "/etc/certs"}],
        }})
    );
    assert!(found.place.contains("helm upgrade"), "{}", found.place);
    // Another chart whose name begins alike has other values.
    let other = upstream(&prometheus_pod("prometheus-node-exporter-4.1.0")).expect("an owner");
    assert_eq!(read(&other)["kind"], "Deployment");
    // In a HelmRelease the values stand under its spec.
    let mut item = prometheus_pod("prometheus-27.5.1");
    let labels = json!({"helm.toolkit.fluxcd.io/name": "p", "helm.toolkit.fluxcd.io/namespace": "f",
        "helm.sh/chart": "prometheus-27.5.1"});
    item.live = Some(Arc::new(json!({"metadata": {"labels": labels}})));
    let found = upstream(&item).expect("an owner");
    assert_eq!(
        read(&found)["spec"]["values"]["server"]["podAnnotations"],
        json!({"a": "b"})
    );
}

fn scrape_job(chart: &str, edits: Vec<TextEdit>) -> Upstream {
    let text = "scrape_configs:\n- job_name: pods\n  relabel_configs: [{action: keep, regex: x}]\n";
    let live = json!({"metadata": helm(chart), "data": {"prometheus.yml": text}});
    let key = "prometheus.yml".to_owned();
    let action = Action::Text { key, edits };
    upstream(&reviewed(Kind::ConfigMap, Part::ScrapeJob, action, live)).expect("an owner")
}

fn job() -> TextEdit {
    TextEdit::InsertJob {
        name: "secure".into(),
        job: json!({"job_name": "secure", "scheme": "https", "basic_auth": {"password": "hunter2"}}),
    }
}

#[test]
fn the_scrape_job_goes_into_the_charts_own_place_by_its_version() {
    let found = scrape_job("prometheus-28.0.0", vec![job()]);
    assert_eq!(read(&found)["scrapeConfigs"]["secure"]["scheme"], "https");
    let found = scrape_job("prometheus-27.9.0", vec![job()]);
    let text = read(&found)["extraScrapeConfigs"]
        .as_str()
        .map(str::to_owned);
    assert!(text.is_some_and(|text| text.contains("job_name: secure")));
    let found = scrape_job("else-1.0.0", vec![job()]);
    assert_eq!(
        found.fragments[0].head,
        "prometheus.yml: secure, first of scrape_configs"
    );
    assert_eq!(read(&found)[0]["job_name"], "secure");
}

#[test]
fn a_rule_of_an_old_job_comes_with_those_of_today() {
    let rule = TextEdit::AddRule {
        job: "pods".into(),
        rule: json!({"action": "drop", "regex": "true"}),
    };
    let found = scrape_job("prometheus-28.0.0", vec![rule.clone()]);
    assert_eq!(
        read(&found)["scrapeConfigs"]["pods"]["relabel_configs"],
        json!([{"action": "drop", "regex": "true"}, {"action": "keep", "regex": "x"}])
    );
    // Before 28 the built-in jobs are one text: the rule alone is named with its place.
    let found = scrape_job("prometheus-27.0.0", vec![rule]);
    assert!(found.fragments[0].head.contains("of the job pods"));
}

#[test]
fn no_credential_is_shown() {
    for chart in ["prometheus-28.0.0", "prometheus-27.9.0", "else-1.0.0"] {
        let found = scrape_job(chart, vec![job()]);
        let words = found.lines().join("\n");
        assert!(words.contains("https"), "{words}");
        assert!(!words.contains("hunter2"), "{words}");
    }
}

#[test]
fn what_is_deleted_has_to_go_where_it_comes_from() {
    let action = Action::Delete { uid: "u".into() };
    let live =
        json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "landing:x"}}});
    let found = upstream(&reviewed(Kind::Sidecar, Part::Fix, action, live)).expect("an owner");
    assert!(found.fragments.is_empty());
    assert_eq!(
        found.place,
        "Take Sidecar shop/web out of what the application landing syncs from, or it comes back."
    );
}
