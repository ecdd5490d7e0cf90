//! Prometheus's pod where something is there already.

use super::*;
use crate::mesh::objects::VolumeMount;
use crate::plan::LeafEdit;
use crate::plan::path::Step;
use crate::plan::purpose::{Certificates, Purpose};
use crate::problems::{Code, Problem};
use crate::reach::outbound::{Defaults, EXCLUDE_PORTS, INCLUDE_RANGES, outbound};
use crate::recipe::testing::*;
use serde_json::json;

/// Sets or removes a leaf, as a reader of [`LeafEdit`] would.
pub fn put(root: &mut Value, leaf: &LeafEdit) {
    let (last, way) = leaf.path.0.split_last().expect("a path");
    let mut here = root;
    for step in way {
        here = enter(here, step);
    }
    match (&leaf.to, last) {
        (Some(value), step) => *enter(here, step) = value.clone(),
        (None, Step::Field(key)) => drop(here.as_object_mut().and_then(|m| m.remove(key))),
        (None, other) => panic!("{other:?} is not removed here"),
    }
}

fn enter<'a>(here: &'a mut Value, step: &Step) -> &'a mut Value {
    match step {
        Step::Field(key) => &mut here[key.as_str()],
        Step::Index(i) => &mut here[*i],
        Step::Element(keys) => {
            let wanted = serde_json::to_value(&keys[0].1).expect("a key");
            let list = here.as_array_mut().expect("a list");
            let at = list.iter().position(|e| e[&keys[0].0] == wanted);
            let at = at.unwrap_or_else(|| {
                list.push(json!({}));
                list.len() - 1
            });
            &mut list[at]
        }
    }
}

fn annotations(plan: &Plan) -> &Value {
    &intent(of(plan, Kind::Deployment, "prometheus"))["spec"]["template"]["metadata"]["annotations"]
}

#[test]
fn annotations_that_are_there_are_added_to() {
    let mut mesh = mesh();
    with_prometheus(&mut mesh, |p| {
        p.template.metadata.annotations = labels([
            (
                "sidecar.istio.io/userVolumeMount",
                r#"[{"name":"extra","mountPath":"/extra"}]"#,
            ),
            (
                "proxy.istio.io/config",
                "concurrency: 2\nproxyMetadata:\n  FOO: bar\n",
            ),
        ]);
    });
    let plan = plan(&mesh, &answers(false));
    let mounts: Value = serde_json::from_str(
        annotations(&plan)["sidecar.istio.io/userVolumeMount"]
            .as_str()
            .expect("text"),
    )
    .expect("JSON");
    assert_eq!(
        mounts,
        json!([{"name": "extra", "mountPath": "/extra"}, {"name": "istio-certs", "mountPath": "/etc/istio-certs"}])
    );
    let config: Value = serde_yaml::from_str(
        annotations(&plan)["proxy.istio.io/config"]
            .as_str()
            .expect("text"),
    )
    .expect("YAML");
    assert_eq!(
        config,
        json!({"concurrency": 2, "proxyMetadata": {"FOO": "bar", "OUTPUT_CERTS": "/etc/istio-certs"}})
    );
}

#[test]
fn annotations_that_cannot_be_read_are_refused() {
    for (key, text) in [
        ("sidecar.istio.io/userVolumeMount", "[{"),
        ("proxy.istio.io/config", "- a"),
    ] {
        let mut mesh = mesh();
        with_prometheus(&mut mesh, |p| {
            p.template.metadata.annotations = labels([(key, text)])
        });
        assert!(refusal(&mesh, &answers(false)).contains(key));
    }
}

#[test]
fn a_taken_volume_or_folder_is_not_taken_over() {
    let taken_volume = |p: &mut crate::mesh::Prometheus| {
        p.template.spec.volumes =
            vec![json!({"name": "istio-certs", "configMap": {"name": "mine"}})];
    };
    let taken_path = |p: &mut crate::mesh::Prometheus| {
        p.template.spec.containers[1].volume_mounts = vec![VolumeMount {
            name: "mine".into(),
            mount_path: "/etc/istio-certs".into(),
            ..Default::default()
        }];
    };
    for take in [
        &taken_volume as &dyn Fn(&mut crate::mesh::Prometheus),
        &taken_path,
    ] {
        let mut mesh = mesh();
        with_prometheus(&mut mesh, take);
        let plan = plan(&mesh, &answers(false));
        let spec = &intent(of(&plan, Kind::Deployment, "prometheus"))["spec"]["template"]["spec"];
        assert_eq!(
            spec["volumes"],
            json!([{"name": "meshscrape-certs", "emptyDir": {"medium": "Memory"}}])
        );
        assert_eq!(
            jobs(&plan)[0].1["tls_config"]["ca_file"],
            "/etc/meshscrape-certs/root-cert.pem"
        );
        assert!(
            annotations(&plan)["proxy.istio.io/config"]
                .as_str()
                .expect("text")
                .contains("/etc/meshscrape-certs")
        );
    }
}

#[test]
fn a_working_set_up_is_used_as_it_is() {
    let mut mesh = mesh();
    with_prometheus(&mut mesh, |p| {
        p.sidecar = true;
        p.certificates = Some("/certs".into());
    });
    let plan = plan(&mesh, &answers(false));
    assert!(part(&plan, Part::PrometheusPod).is_none());
    assert_eq!(jobs(&plan)[0].1["tls_config"]["key_file"], "/certs/key.pem");
}

#[test]
fn a_second_run_over_our_own_template_wants_the_same() {
    let mut mesh = mesh();
    let first = plan(&mesh, &answers(false));
    let template = intent(of(&first, Kind::Deployment, "prometheus"))["spec"]["template"].clone();
    with_prometheus(&mut mesh, |p| {
        p.template.metadata.labels =
            serde_json::from_value(template["metadata"]["labels"].clone()).expect("labels");
        p.template.metadata.annotations =
            serde_json::from_value(template["metadata"]["annotations"].clone())
                .expect("annotations");
        p.template.spec.volumes = template["spec"]["volumes"]
            .as_array()
            .cloned()
            .expect("volumes");
        p.template.spec.containers[1].volume_mounts =
            serde_json::from_value(template["spec"]["containers"][0]["volumeMounts"].clone())
                .expect("mounts");
    });
    assert_eq!(plan(&mesh, &answers(false)).changes, first.changes);
}

/// In the mesh already, with this captured of what it sends.
fn in_the_mesh(mesh: &mut Mesh, all: &[(&str, &str)]) {
    with_prometheus(mesh, |p| {
        p.sidecar = true;
        let all = all.iter();
        p.template.metadata.annotations = all
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let annotations = &p.template.metadata.annotations;
        p.outbound = Some(outbound(annotations, Some(&Defaults::default())));
    });
}

#[test]
fn a_prometheus_in_the_mesh_keeps_what_its_sidecar_captures() {
    for (before, excluded) in [
        (&[][..], Some("15091")),
        (&[(EXCLUDE_PORTS, "443")], Some("443,15091")),
        (&[(EXCLUDE_PORTS, "15091")], Some("15091")),
        (
            &[("traffic.sidecar.istio.io/includeInboundPorts", "9090")],
            Some("15091"),
        ),
        (&[(INCLUDE_RANGES, "10.0.0.0/8")], Some("15091")),
        // Nothing is captured: there is nothing to exclude.
        (&[(INCLUDE_RANGES, "")], None),
    ] {
        let mut mesh = mesh();
        in_the_mesh(&mut mesh, before);
        let plan = plan(&mesh, &answers(false));
        let written = annotations(&plan);
        assert_eq!(
            written.get(EXCLUDE_PORTS).and_then(Value::as_str),
            excluded,
            "{before:?}"
        );
        assert_eq!(written.get(INCLUDE_RANGES), None, "{before:?}");
        assert_eq!(written.get("prometheus.istio.io/merge-metrics"), None);
        let inbound = before
            .iter()
            .find(|(key, _)| key.ends_with("includeInboundPorts"));
        let inbound = inbound.map(|(_, value)| *value);
        let kept = written.get("traffic.sidecar.istio.io/includeInboundPorts");
        assert_eq!(kept.and_then(Value::as_str), inbound, "{before:?}");
        let labels = &intent(of(&plan, Kind::Deployment, "prometheus"))["spec"]["template"]["metadata"]
            ["labels"];
        assert_eq!(
            labels.get("security.istio.io/tlsMode"),
            None,
            "its clients speak mTLS"
        );
    }
}

#[test]
fn whom_it_sends_to_through_the_mesh_is_said() {
    let mut mesh = mesh();
    in_the_mesh(&mut mesh, &[]);
    let text = format!(
        "{SAMPLE}alerting:\n  alertmanagers:\n  - static_configs: [{{targets: ['am.mon:9093']}}]\nremote_write:\n- url: http://user:secret@mimir.mon:8080/push\n"
    );
    with_config(&mut mesh, &text);
    let plan = plan(&mesh, &answers(false));
    let stays = Problem::OutboundStaysCaptured {
        of: (&id("istio-system", "prometheus")).into(),
        peers: Some(vec![
            "alerts (am.mon:9093)".into(),
            "remote write (mimir.mon:8080)".into(),
        ]),
    };
    let change = of(&plan, Kind::Deployment, "prometheus");
    assert!(change.findings.contains(&stays), "{:?}", change.findings);
    assert_eq!(said(&plan, Code::InboundStaysCaptured).len(), 1);
    assert_eq!(said(&plan, Code::MeshExclusionsReplaced), [""; 0]);
    // The injector's own values are not at hand.
    with_prometheus(&mut mesh, |p| {
        let annotations = p.template.metadata.annotations.clone();
        p.outbound = Some(outbound(&annotations, None));
    });
    let unread = super::plan(&mesh, &answers(false));
    assert_eq!(said(&unread, Code::MeshExclusionsReplaced), ["prometheus"]);
}

#[test]
fn what_goes_to_the_secure_port_through_the_mesh_is_not_cut_off() {
    let mut mesh = mesh();
    in_the_mesh(&mut mesh, &[]);
    let text = format!("{SAMPLE}remote_write:\n- url: http://mimir.mon:15091/push\n");
    with_config(&mut mesh, &text);
    assert!(refusal(&mesh, &answers(false)).contains("mimir.mon:15091"));
}

#[test]
fn whoever_meant_to_capture_nothing_inbound_gets_it() {
    let mut mesh = mesh();
    in_the_mesh(
        &mut mesh,
        &[(
            "proxy.istio.io/config",
            "proxyMetadata: {INBOUND_CAPTURE_PORTS: ''}",
        )],
    );
    let plan = plan(&mesh, &answers(false));
    assert_eq!(
        annotations(&plan)["traffic.sidecar.istio.io/includeInboundPorts"],
        ""
    );
    let labels = &intent(of(&plan, Kind::Deployment, "prometheus"))["spec"]["template"]["metadata"]
        ["labels"];
    assert_eq!(labels["security.istio.io/tlsMode"], "disabled");
}

/// Beside Prometheus, with these arguments.
fn with_reloader(mesh: &mut Mesh, args: &[&str], mounts: Vec<VolumeMount>) {
    with_prometheus(mesh, |p| {
        p.template
            .spec
            .containers
            .push(crate::mesh::objects::Container {
                name: "reload".into(),
                args: args.iter().map(|&arg| arg.to_owned()).collect(),
                volume_mounts: mounts,
                ..Default::default()
            });
    });
}

#[test]
fn a_reloader_that_watches_folders_watches_the_certificates_too() {
    let mut mesh = mesh();
    let before = [
        "--watched-dir=/etc/config",
        "--reload-url=http://127.0.0.1:9090/-/reload",
    ];
    with_reloader(&mut mesh, &before, Vec::new());
    let plan = plan(&mesh, &answers(false));
    let change = part(&plan, Part::PrometheusPod).expect("a change");
    let Action::Edit { leaves } = &change.action else {
        panic!("{:?}", change.action);
    };
    // In one write: the sidecar, the volume in both containers, the watch.
    let mut template = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "prometheus-server"},
        {"name": "reload", "args": before},
    ]}}}});
    for leaf in leaves {
        let to = leaf.to.clone().expect("nothing is removed");
        leaf.path.set(&mut template, to);
    }
    let spec = &template["spec"]["template"]["spec"];
    let mount = json!({"name": "istio-certs", "mountPath": "/etc/istio-certs", "readOnly": true});
    assert_eq!(
        spec["volumes"],
        json!([{"name": "istio-certs", "emptyDir": {"medium": "Memory"}}])
    );
    for container in spec["containers"].as_array().expect("containers") {
        assert_eq!(container["volumeMounts"], json!([mount]), "{container}");
    }
    assert_eq!(
        spec["containers"][1]["args"],
        json!([before[0], before[1], "--watched-dir=/etc/istio-certs"])
    );
    let meta = &template["spec"]["template"]["metadata"];
    assert_eq!(meta["labels"]["sidecar.istio.io/inject"], "true");
    let purpose = Purpose::Certificates {
        way: Certificates::Sidecar,
        reloader: Some("reload".into()),
    };
    assert_eq!(change.purpose, purpose);
}

#[test]
fn a_reloader_that_cannot_or_does_already_is_left_as_it_is() {
    let taken = VolumeMount {
        name: "mine".into(),
        mount_path: "/etc/istio-certs".into(),
        ..Default::default()
    };
    for (args, mounts) in [
        // configmap-reload looks for a ConfigMap's own change alone.
        (
            &[
                "--volume-dir=/etc/config",
                "--webhook-url=http://localhost/-/reload",
            ][..],
            Vec::new(),
        ),
        (&["--config-file=/etc/config/prometheus.yml"], Vec::new()),
        (
            &["--watched-dir=/etc/config", "--watch-interval=0"],
            Vec::new(),
        ),
        (
            &[
                "--watched-dir=/etc/config",
                "--watched-dir=/etc/istio-certs",
            ],
            Vec::new(),
        ),
        (&["--watched-dir", "/etc/istio-certs/"], Vec::new()),
        (&["--watched-dir=/etc/config"], vec![taken]),
    ] {
        let mut mesh = mesh();
        with_reloader(&mut mesh, args, mounts);
        let plan = plan(&mesh, &answers(false));
        let change = part(&plan, Part::PrometheusPod).expect("a change");
        assert!(matches!(change.action, Action::Apply { .. }), "{args:?}");
    }
}

#[test]
fn an_annotation_that_nobody_reads_does_not_restart_a_prometheus_that_has_all() {
    let fault = |p: &mut crate::mesh::Prometheus| {
        p.certificates = Some("/certs".into());
        p.faults = vec![Problem::InjectAnnotationUnread {
            of: (&p.id).into(),
            key: "sidecar.istio.io/inject".into(),
        }];
    };
    let mut mesh = mesh();
    with_prometheus(&mut mesh, |p| {
        p.sidecar = true;
        fault(p);
    });
    let with = plan(&mesh, &answers(false));
    assert!(part(&with, Part::PrometheusPod).is_none());
    let named = |plan: &Plan| {
        plan.findings
            .iter()
            .any(|f| f.code() == Code::InjectAnnotationUnread)
    };
    assert!(named(&with));
    // Without a sidecar it is the reason why there is none.
    with_prometheus(&mut mesh, |p| p.sidecar = false);
    let without = plan(&mesh, &answers(false));
    assert!(part(&without, Part::PrometheusPod).is_some());
}
