//! A mesh for tests, as a user would have it: Istio's sample Prometheus, httpbin, the ingress gateway.

use crate::answers::{Answers, GatewayRef};
use crate::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
use crate::mesh::objects::{Container, Template};
use crate::mesh::{
    ControlPlane, Gateway, GatewayFlavour, Istio, Mesh, MtlsMode, Namespace, NamespaceInjection,
    Pod, Prometheus, PrometheusConfig, PrometheusFlavour, Protocol, Scraped, ServicePort,
    SidecarState, Storage, Workload,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The two pod jobs of Istio's sample, and what surrounds them there.
pub const SAMPLE: &str = r#"global:
  evaluation_interval: 1m
  scrape_interval: 15s
scrape_configs:
- job_name: kubernetes-nodes
  kubernetes_sd_configs:
  - role: node
- job_name: kubernetes-pods
  honor_labels: true
  kubernetes_sd_configs:
  - role: pod
  relabel_configs:
  - action: keep
    regex: true
    source_labels:
    - __meta_kubernetes_pod_annotation_prometheus_io_scrape
  - action: drop
    regex: true
    source_labels:
    - __meta_kubernetes_pod_annotation_prometheus_io_scrape_slow
  - action: replace
    regex: (https?)
    source_labels:
    - __meta_kubernetes_pod_annotation_prometheus_io_scheme
    target_label: __scheme__
  - action: replace
    regex: (.+)
    source_labels:
    - __meta_kubernetes_pod_annotation_prometheus_io_path
    target_label: __metrics_path__
  - action: replace
    regex: (\d+);((([0-9]+?)(\.|$)){4})
    replacement: $2:$1
    source_labels:
    - __meta_kubernetes_pod_annotation_prometheus_io_port
    - __meta_kubernetes_pod_ip
    target_label: __address__
  - action: labelmap
    regex: __meta_kubernetes_pod_annotation_prometheus_io_param_(.+)
    replacement: __param_$1
  - action: labelmap
    regex: __meta_kubernetes_pod_label_(.+)
  - action: replace
    source_labels:
    - __meta_kubernetes_namespace
    target_label: namespace
  - action: replace
    source_labels:
    - __meta_kubernetes_pod_name
    target_label: pod
  - action: drop
    regex: Pending|Succeeded|Failed|Completed
    source_labels:
    - __meta_kubernetes_pod_phase
  - action: replace
    source_labels:
    - __meta_kubernetes_pod_node_name
    target_label: node
"#;

/// The slow twin that the sample has beside it.
pub const SLOW: &str = r#"- job_name: kubernetes-pods-slow
  honor_labels: true
  kubernetes_sd_configs:
  - role: pod
  relabel_configs:
  - action: keep
    regex: true
    source_labels:
    - __meta_kubernetes_pod_annotation_prometheus_io_scrape_slow
  - action: labelmap
    regex: __meta_kubernetes_pod_label_(.+)
  scrape_interval: 5m
  scrape_timeout: 30s
"#;

pub fn labels<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(k, v)| (k.into(), v.into()))
        .collect()
}

pub fn id(namespace: &str, name: &str) -> WorkloadRef {
    WorkloadRef::new(namespace, Kind::Deployment, name)
}

pub fn pod(name: &str) -> Pod {
    Pod {
        name: name.into(),
        uid: format!("uid-{name}"),
        ip: Some("10.0.0.1".into()),
        phase: "Running".into(),
        ready: true,
        secure_port: None,
        labels: Default::default(),
        annotations: labels([("scrape", "true"), ("port", "15020")]).into(),
        proxy: Some("1.31.0".into()),
        started: None,
        terminating: false,
        ..Pod::default()
    }
}

pub fn port(number: u16, target: u16, name: Option<&str>) -> ServicePort {
    ServicePort {
        kind: Kind::Service,
        service: "svc".into(),
        created: None,
        host: "svc.demo.svc.cluster.local".into(),
        port: number,
        target: Some(target),
        name: name.map(Into::into),
        protocol: Protocol::of_service_port(number, name.unwrap_or_default(), "TCP", None),
    }
}

/// Injected, merged, scraped in plaintext on 15020, one HTTP port.
pub fn workload(namespace: &str, name: &str) -> Workload {
    let selector = labels([("app", name), ("version", "v1")]);
    let mut template = Template::default();
    template.metadata.labels = selector.clone();
    Workload {
        id: id(namespace, name),
        uid: format!("uid-{name}"),
        desired: 2,
        ready: 2,
        pods: vec![pod(&format!("{name}-1")), pod(&format!("{name}-2"))],
        rolled_out: true,
        template,
        selector,
        services: vec![port(8000, 8080, Some("http"))],
        sidecar: SidecarState::Injected {
            versions: vec!["1.31.0".into()],
            revision: "default".into(),
        },
        mtls: (MtlsMode::Permissive, None),
        strays: Vec::new(),
        governed_by: Default::default(),
        scraped: Scraped {
            plaintext: Some(15020),
            ..Scraped::default()
        },
        envoy_filters: Vec::new(),
        owner: None,
        obstacles: Vec::new(),
        ours: Vec::new(),
        former_name: None,
        secured_port: None,
        status_port: 15020,
        admits: Vec::new(),
    }
}

pub fn gateway() -> Gateway {
    let selector = labels([("app", "istio-ingressgateway"), ("istio", "ingressgateway")]);
    let mut of = workload("istio-system", "istio-ingressgateway");
    of.template.metadata.labels = selector.clone();
    of.selector = selector.clone();
    Gateway {
        workload: of,
        flavour: GatewayFlavour::Classic,
        selector,
        on_15091: Vec::new(),
        unfit: None,
        role: "ingress".into(),
    }
}

/// Istio's sample: an emptyDir, a reloader, no sidecar.
pub fn prometheus(text: &str) -> Prometheus {
    let mut template = Template::default();
    template.metadata.labels = labels([
        ("app.kubernetes.io/name", "prometheus"),
        (super::INJECT, "false"),
    ]);
    template.spec.containers = ["prometheus-server-configmap-reload", "prometheus-server"]
        .map(|name| Container {
            name: name.into(),
            ..Container::default()
        })
        .to_vec();
    Prometheus {
        id: id("istio-system", "prometheus"),
        flavour: PrometheusFlavour::IstioSample,
        owner: None,
        desired: 1,
        pods: vec![pod("prometheus-1")],
        template,
        pod_home: crate::mesh::PodHome::Template,
        service_account: "prometheus".into(),
        shared_with: Vec::new(),
        container: "prometheus-server".into(),
        http_port: 9090,
        route_prefix: String::new(),
        web_config: false,
        uid: String::new(),
        config: Some(PrometheusConfig {
            home: crate::mesh::ConfigHome::File(ObjectRef::new(
                Kind::ConfigMap,
                "istio-system",
                "prometheus",
            )),
            key: "prometheus.yml".into(),
            text: Ok(Arc::from(text)),
            sub_path: false,
        }),
        looks: None,
        reloader: true,
        lifecycle: true,
        storage: Storage::EmptyDir,
        strategy: "Recreate".into(),
        sidecar: false,
        outbound: None,
        certificates: None,
        obstacles: Vec::new(),
        faults: Vec::new(),
    }
}

pub fn namespace(name: &str, injection: NamespaceInjection) -> Namespace {
    Namespace {
        name: name.into(),
        terminating: false,
        injection,
        pods: 2,
        meshed_pods: 2,
        secured: 0,
        workloads: 1,
        mtls: (MtlsMode::Permissive, None),
        pod_security: None,
    }
}

/// Namespaces demo (injecting) and istio-system; httpbin and the ingress gateway; the sample Prometheus.
pub fn mesh() -> Mesh {
    Mesh {
        context: "test".into(),
        istio: Istio {
            control_planes: vec![ControlPlane {
                revision: "default".into(),
                namespace: "istio-system".into(),
                version: "1.31.0".into(),
                ready: true,
            }],
            root_namespace: Some("istio-system".into()),
            trust_domain: Some("cluster.local".into()),
            settings_unread: None,
            prometheus_merge: true,
            mesh_mode: (MtlsMode::Permissive, None),
            ambient: false,
            default_injector: true,
        },
        namespaces: vec![
            namespace("demo", NamespaceInjection::Enabled),
            namespace("istio-system", NamespaceInjection::None),
        ],
        workloads: vec![Arc::new(workload("demo", "httpbin"))],
        gateways: vec![Arc::new(gateway())],
        prometheus_servers: vec![Arc::new(prometheus(SAMPLE))],
        ..Mesh::default()
    }
}

/// httpbin, and with `gateway` the ingress gateway too.
pub fn answers(gateway: bool) -> Answers {
    let mut answers = Answers::default();
    answers.workloads.insert(id("demo", "httpbin"));
    if gateway {
        answers.gateways.insert(GatewayRef {
            namespace: "istio-system".into(),
            name: "istio-ingressgateway".into(),
        });
    }
    answers
}

/// Changes the mesh's only workload.
pub fn with_workload(mesh: &mut Mesh, edit: impl FnOnce(&mut Workload)) {
    edit(Arc::make_mut(&mut mesh.workloads[0]));
}

/// Changes the mesh's only Prometheus.
pub fn with_prometheus(mesh: &mut Mesh, edit: impl FnOnce(&mut Prometheus)) {
    edit(Arc::make_mut(&mut mesh.prometheus_servers[0]));
}

/// Changes the mesh's only gateway.
pub fn with_gateway(mesh: &mut Mesh, edit: impl FnOnce(&mut Gateway)) {
    edit(Arc::make_mut(&mut mesh.gateways[0]));
}

/// Gives the only Prometheus this configuration.
pub fn with_config(mesh: &mut Mesh, text: &str) {
    with_prometheus(mesh, |p| {
        if let Some(config) = &mut p.config {
            config.text = Ok(Arc::from(text));
        }
    });
}
