//! The sixteen faults of the published text (facts/istio, first table): each fails if the recipe falls back.

use super::*;
use crate::mesh::objects::VolumeMount;
use crate::mesh::{Protocol, ServicePort};
use crate::recipe::testing::{
    SAMPLE, answers, labels, mesh, port, with_config, with_prometheus, with_workload,
};
use serde_json::json;

const NAME: &str = "meshscrape-httpbin";

fn pod_template(plan: &Plan) -> &Value {
    &intent(of(plan, Kind::Deployment, "prometheus"))["spec"]["template"]
}

#[test]
fn fault_01_a_listener_without_strict_serves_plaintext() {
    let plan = plan(&mesh(), &answers(false));
    let spec = &intent(of(&plan, Kind::PeerAuthentication, NAME))["spec"];
    assert_eq!(spec["portLevelMtls"], json!({"15091": {"mode": "STRICT"}}));
    assert!(
        spec["selector"]["matchLabels"]
            .as_object()
            .is_some_and(|s| !s.is_empty())
    );
    assert!(at(&plan, Kind::PeerAuthentication, NAME) < at(&plan, Kind::Sidecar, NAME));
}

#[test]
fn fault_02_the_agent_mux_stands_open_to_the_mesh() {
    let plan = plan(&mesh(), &answers(false));
    let spec = &intent(of(&plan, Kind::AuthorizationPolicy, NAME))["spec"];
    assert_eq!(spec["action"], "DENY");
    let rules = spec["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), 2);
    assert!(
        rules[0]["from"][0]["source"]["notPrincipals"][0]
            == "cluster.local/ns/istio-system/sa/prometheus"
    );
    assert_eq!(
        rules[1]["to"][0]["operation"]["notPaths"],
        json!(["/stats/prometheus"])
    );
    assert!(
        rules[1].get("from").is_none(),
        "the path holds for Prometheus too"
    );
    for rule in rules {
        assert_eq!(
            rule["to"][0]["operation"]["ports"],
            json!(["15091"]),
            "the app's ports stay"
        );
    }
}

#[test]
fn fault_03_a_sidecar_without_selector_or_without_the_apps_ports() {
    let mut mesh = mesh();
    with_workload(&mut mesh, |w| {
        w.services = vec![
            port(80, 8080, Some("http-web")),
            port(81, 8080, Some("http-alias")),
            port(9000, 9001, None),
            ServicePort {
                protocol: Protocol::Grpc,
                ..port(7000, 7001, Some("api"))
            },
            ServicePort {
                protocol: Protocol::Udp,
                ..port(53, 53, Some("dns"))
            },
        ];
    });
    let plan = plan(&mesh, &answers(false));
    let spec = &intent(of(&plan, Kind::Sidecar, NAME))["spec"];
    assert_eq!(
        spec["workloadSelector"]["labels"],
        json!({"app": "httpbin", "version": "v1"})
    );
    let ports: Vec<&Value> = spec["ingress"]
        .as_array()
        .expect("ingress")
        .iter()
        .map(|i| &i["port"])
        .collect();
    assert_eq!(
        ports[1..],
        [
            // Of a UDP port istiod makes a TCP chain, which is kept too.
            &json!({"number": 53, "name": "dns", "protocol": "TCP"}),
            &json!({"number": 7001, "name": "api", "protocol": "GRPC"}),
            &json!({"number": 8080, "name": "http-web", "protocol": "HTTP"}),
            &json!({"number": 9001, "name": "port-9001"}),
        ]
    );
    for entry in &spec["ingress"].as_array().expect("ingress")[1..] {
        assert!(entry.get("defaultEndpoint").is_none());
    }
}

#[test]
fn fault_03_no_labels_to_select_by_is_a_refusal() {
    let mut mesh = mesh();
    with_workload(&mut mesh, |w| w.selector.clear());
    assert!(refusal(&mesh, &answers(false)).contains("no labels"));
}

#[test]
fn fault_04_the_certificates_lie_in_a_secret_or_on_a_read_only_mount() {
    let plan = plan(&mesh(), &answers(false));
    let template = pod_template(&plan);
    assert_eq!(
        template["spec"]["volumes"],
        json!([{"name": "istio-certs", "emptyDir": {"medium": "Memory"}}])
    );
    let mounts = template["metadata"]["annotations"]["sidecar.istio.io/userVolumeMount"]
        .as_str()
        .expect("mounts");
    assert!(!mounts.contains("readOnly"));
}

#[test]
fn fault_05_prometheus_itself_has_no_mount() {
    let plan = plan(&mesh(), &answers(false));
    let containers = &pod_template(&plan)["spec"]["containers"];
    assert_eq!(
        containers.as_array().map(Vec::len),
        Some(1),
        "the other container is not touched"
    );
    assert_eq!(
        containers[0],
        json!({
            "name": "prometheus-server",
            "volumeMounts": [{"name": "istio-certs", "mountPath": "/etc/istio-certs", "readOnly": true}],
        })
    );
}

#[test]
fn fault_06_inbound_capture_ports_is_read_by_nothing() {
    let plan = plan(&mesh(), &answers(false));
    let annotations = &pod_template(&plan)["metadata"]["annotations"];
    assert_eq!(
        annotations["traffic.sidecar.istio.io/includeInboundPorts"],
        ""
    );
    assert_eq!(
        annotations["traffic.sidecar.istio.io/includeOutboundIPRanges"],
        ""
    );
    assert!(!annotations.to_string().contains("INBOUND_CAPTURE_PORTS"));
}

#[test]
fn fault_07_inject_as_an_annotation_is_not_seen() {
    let plan = plan(&mesh(), &answers(false));
    let metadata = &pod_template(&plan)["metadata"];
    assert_eq!(metadata["labels"]["sidecar.istio.io/inject"], "true");
    assert!(
        metadata["annotations"]
            .get("sidecar.istio.io/inject")
            .is_none()
    );
}

#[test]
fn fault_08_a_namespace_is_made_or_labelled_for_prometheus() {
    let plan = plan(&mesh(), &answers(true));
    assert!(
        plan.changes
            .iter()
            .all(|c| c.object.kind != Kind::Namespace)
    );
    assert_eq!(
        of(&plan, Kind::Deployment, "prometheus").object.namespace,
        "istio-system"
    );
}

#[test]
fn fault_09_the_metrics_are_served_on_the_public_port() {
    let plan = plan(&mesh(), &answers(true));
    let name = "meshscrape-istio-ingressgateway";
    let servers = &intent(of(&plan, Kind::Gateway, name))["spec"]["servers"];
    let ports: Vec<&Value> = servers
        .as_array()
        .expect("servers")
        .iter()
        .map(|s| &s["port"]["number"])
        .collect();
    assert_eq!(ports, [&json!(15091)]);
    assert_eq!(
        servers[0]["tls"]["subjectAltNames"],
        json!(["spiffe://cluster.local/ns/istio-system/sa/prometheus"])
    );
    let route = &intent(of(&plan, Kind::VirtualService, name))["spec"];
    assert_eq!(route["gateways"], json!([format!("istio-system/{name}")]));
    for http in route["http"].as_array().expect("http") {
        for m in http["match"].as_array().expect("match") {
            assert_eq!(m["port"], 15091);
            assert_eq!(m["uri"], json!({"exact": "/stats/prometheus"}));
        }
    }
}

#[test]
fn fault_10_the_service_entry_is_local_or_exported_everywhere() {
    let plan = plan(&mesh(), &answers(true));
    let spec = &intent(of(
        &plan,
        Kind::ServiceEntry,
        "meshscrape-istio-ingressgateway",
    ))["spec"];
    assert_eq!(spec["exportTo"], json!(["."]));
    for host in spec["hosts"].as_array().expect("hosts") {
        assert!(!host.as_str().expect("a host").ends_with(".local"));
    }
}

#[test]
fn fault_11_the_mark_is_lost_with_the_pod() {
    let plan = plan(&mesh(), &answers(true));
    let annotations: Vec<&Change> = plan
        .changes
        .iter()
        .filter(|c| c.part == Part::Annotation)
        .collect();
    assert_eq!(annotations.len(), 2);
    for annotation in annotations {
        assert_eq!(annotation.object.kind, Kind::Deployment);
        let annotations = &intent(annotation)["spec"]["template"]["metadata"]["annotations"];
        assert_eq!(
            *annotations,
            json!({"prometheus.istio.io/secure-port": "15091"})
        );
    }
}

#[test]
fn fault_12_prometheus_io_annotations_are_touched() {
    let plan = plan(&mesh(), &answers(true));
    for change in &plan.changes {
        assert!(
            !super::table::touches_prometheus_io(change),
            "{}",
            change.id
        );
    }
    assert_eq!(jobs(&plan)[0].1["metrics_path"], "/stats/prometheus");
}

#[test]
fn fault_13_the_old_job_goes_on_or_ends_too_early() {
    let plan = plan(&mesh(), &answers(true));
    let last = plan.changes.last().expect("changes");
    assert_eq!(last.part, Part::PlaintextJobs);
    let Some(crate::plan::Await::TargetsUp(items)) = last.before.first() else {
        panic!("it waits for nothing: {:?}", last.before);
    };
    assert_eq!(items.len(), 2);
}

#[test]
fn fault_14_plaintext_ports_are_not_closed_before_the_targets_are_up() {
    let plan = plan(&mesh(), &answers(true));
    let all = format!("{:?}", plan.changes);
    assert!(!all.contains("METRICS_LOCALHOST_ACCESS_ONLY"));
}

#[test]
fn fault_15_the_servers_name_is_not_verified_and_the_ca_is_set_all_the_same() {
    for text in [SAMPLE, "scrape_configs: []\n"] {
        let mut mesh = mesh();
        with_config(&mut mesh, text);
        let plan = plan(&mesh, &answers(false));
        let tls = &jobs(&plan)[0].1["tls_config"];
        assert_eq!(tls["insecure_skip_verify"], true);
        assert_eq!(tls["ca_file"], "/etc/istio-certs/root-cert.pem");
        assert_eq!(said(&plan, Code::ServerNameNotVerified), ["prometheus"]);
    }
}

#[test]
fn fault_16_a_native_sidecar_is_a_sidecar() {
    // Where the proxy stands is the mesh's to see; the recipe must not ask the template's containers for it.
    let mut mesh = mesh();
    with_workload(&mut mesh, |w| {
        w.template
            .spec
            .init_containers
            .push(crate::mesh::objects::Container {
                name: "istio-proxy".into(),
                ..Default::default()
            });
    });
    let plan = plan(&mesh, &answers(false));
    let annotation = intent(of(&plan, Kind::Deployment, "httpbin"));
    assert!(
        annotation["spec"]["template"]["metadata"]
            .get("labels")
            .is_none(),
        "no second injection"
    );
}

#[test]
fn faults_04_to_07_are_repaired_in_one_restart() {
    let mut mesh = mesh();
    with_prometheus(&mut mesh, |p| {
        let spec = &mut p.template.spec;
        spec.volumes = vec![
            json!({"name": "istio-certs", "secret": {"secretName": "istio.default", "optional": true}}),
        ];
        spec.containers[1].volume_mounts = vec![VolumeMount {
            name: "config-volume".into(),
            mount_path: "/etc/config".into(),
            ..Default::default()
        }];
        p.template.metadata.annotations = labels([
            ("sidecar.istio.io/inject", "true"),
            (
                "sidecar.istio.io/userVolumeMount",
                r#"[{"name": "istio-certs", "mountPath": "/etc/istio-certs", "readOnly": true}]"#,
            ),
            (
                "proxy.istio.io/config",
                "proxyMetadata:\n  OUTPUT_CERTS: /etc/istio-certs\n  INBOUND_CAPTURE_PORTS: \"\"\n",
            ),
        ]);
        p.faults = vec![crate::problems::Problem::SecretNeverCreated {
            of: (&p.id).into(),
            volume: "certs".into(),
            secret: "istio.default".into(),
        }];
    });
    let repaired = plan(&mesh, &answers(false));
    let pods: Vec<&Change> = repaired
        .changes
        .iter()
        .filter(|c| c.object.kind == Kind::Deployment && c.object.name == "prometheus")
        .collect();
    assert_eq!(pods.len(), 1, "one write, one restart");
    let Action::Edit { leaves } = &pods[0].action else {
        panic!("{:?}", pods[0].action)
    };
    let mut live = json!({"spec": {"template": {
        "metadata": {"labels": {"sidecar.istio.io/inject": "false"}, "annotations": {}},
        "spec": {
            "volumes": [{"name": "istio-certs", "secret": {"secretName": "istio.default", "optional": true}}],
            "containers": [{"name": "prometheus-server", "volumeMounts": [{"name": "config-volume", "mountPath": "/etc/config"}]}],
        },
    }}});
    for leaf in leaves {
        super::pod::put(&mut live, leaf);
    }
    let template = &live["spec"]["template"];
    assert_eq!(
        template["spec"]["volumes"],
        json!([{"name": "istio-certs", "emptyDir": {"medium": "Memory"}}])
    );
    assert_eq!(
        template["spec"]["containers"][0]["volumeMounts"][1],
        json!({"name": "istio-certs", "mountPath": "/etc/istio-certs", "readOnly": true})
    );
    assert_eq!(
        template["metadata"]["labels"]["sidecar.istio.io/inject"],
        "true"
    );
    let config = template["metadata"]["annotations"]["proxy.istio.io/config"]
        .as_str()
        .expect("text");
    assert_eq!(
        config,
        r#"{"proxyMetadata": {"OUTPUT_CERTS": "/etc/istio-certs"}}"#
    );
    let mut without = answers(false);
    without.options.repair = false;
    assert!(refusal(&mesh, &without).contains("Secret"));
}
