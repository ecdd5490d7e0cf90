use super::*;
use crate::recipe::testing::{SAMPLE, SLOW, answers, id, mesh, with_config};

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).expect("YAML of the test")
}

/// The intent without the label that all our objects carry.
fn bare(change: &Change) -> Value {
    let mut value = intent(change).clone();
    let labels = value["metadata"]
        .as_object_mut()
        .and_then(|m| m.remove("labels"));
    assert_eq!(
        labels,
        Some(serde_json::json!({"app.kubernetes.io/managed-by": "meshscrape"}))
    );
    value
}

#[test]
fn httpbin_on_15020() {
    let plan = plan(&mesh(), &answers(false));
    let name = "meshscrape-httpbin";
    assert_eq!(
        bare(of(&plan, Kind::PeerAuthentication, name)),
        yaml(
            "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: meshscrape-httpbin, namespace: demo}
spec:
  selector: {matchLabels: {app: httpbin, version: v1}}
  portLevelMtls: {'15091': {mode: STRICT}}"
        )
    );
    assert_eq!(
        bare(of(&plan, Kind::AuthorizationPolicy, name)),
        yaml(
            "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: meshscrape-httpbin, namespace: demo}
spec:
  selector: {matchLabels: {app: httpbin, version: v1}}
  action: DENY
  rules:
    - from: [{source: {notPrincipals: [cluster.local/ns/istio-system/sa/prometheus]}}]
      to: [{operation: {ports: ['15091']}}]
    - to: [{operation: {ports: ['15091'], notPaths: [/stats/prometheus]}}]"
        )
    );
    assert_eq!(
        bare(of(&plan, Kind::Sidecar, name)),
        yaml(
            "
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: meshscrape-httpbin, namespace: demo}
spec:
  workloadSelector: {labels: {app: httpbin, version: v1}}
  ingress:
    - port: {number: 15091, name: http-metrics, protocol: HTTP}
      defaultEndpoint: 127.0.0.1:15020
    - port: {number: 8080, name: http, protocol: HTTP}"
        )
    );
    assert_eq!(
        *intent(of(&plan, Kind::Deployment, "httpbin")),
        yaml(
            "
apiVersion: apps/v1
kind: Deployment
metadata: {name: httpbin, namespace: demo}
spec: {template: {metadata: {annotations: {prometheus.istio.io/secure-port: '15091'}}}}"
        )
    );
}

#[test]
fn the_ingress_gateway() {
    let plan = plan(&mesh(), &answers(true));
    let name = "meshscrape-istio-ingressgateway";
    assert_eq!(
        bare(of(&plan, Kind::ServiceEntry, name)),
        yaml(
            "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: meshscrape-istio-ingressgateway, namespace: istio-system}
spec:
  hosts: [istio-ingressgateway.metrics.meshscrape.internal]
  exportTo: ['.']
  location: MESH_EXTERNAL
  ports: [{number: 15020, name: http-metrics, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]"
        )
    );
    assert_eq!(
        bare(of(&plan, Kind::VirtualService, name)),
        yaml(
            "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: meshscrape-istio-ingressgateway, namespace: istio-system}
spec:
  hosts: ['*']
  gateways: [istio-system/meshscrape-istio-ingressgateway]
  exportTo: ['.']
  http:
    - match: [{uri: {exact: /stats/prometheus}, port: 15091}]
      route: [{destination: {host: istio-ingressgateway.metrics.meshscrape.internal, port: {number: 15020}}}]"
        )
    );
    assert_eq!(
        bare(of(&plan, Kind::Gateway, name)),
        yaml(
            "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: meshscrape-istio-ingressgateway, namespace: istio-system}
spec:
  selector: {app: istio-ingressgateway, istio: ingressgateway}
  servers:
    - port: {number: 15091, name: https-metrics, protocol: HTTPS}
      tls: {mode: ISTIO_MUTUAL, subjectAltNames: ['spiffe://cluster.local/ns/istio-system/sa/prometheus']}
      hosts: ['*']"
        )
    );
}

#[test]
fn the_sample_prometheus() {
    let plan = plan(&mesh(), &answers(false));
    assert_eq!(
        *intent(of(&plan, Kind::Deployment, "prometheus")),
        yaml(
            r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: prometheus, namespace: istio-system}
spec:
  template:
    metadata:
      labels: {sidecar.istio.io/inject: "true", security.istio.io/tlsMode: disabled}
      annotations:
        traffic.sidecar.istio.io/includeInboundPorts: ""
        traffic.sidecar.istio.io/includeOutboundIPRanges: ""
        sidecar.istio.io/userVolumeMount: '[{"name": "istio-certs", "mountPath": "/etc/istio-certs"}]'
        proxy.istio.io/config: '{"proxyMetadata": {"OUTPUT_CERTS": "/etc/istio-certs"}}'
        prometheus.istio.io/merge-metrics: "false"
    spec:
      containers:
        - name: prometheus-server
          volumeMounts: [{name: istio-certs, mountPath: /etc/istio-certs, readOnly: true}]
      volumes: [{name: istio-certs, emptyDir: {medium: Memory}}]"#
        )
    );
}

/// The job that today's `kubernetes-pods` of the sample becomes.
const JOB: &str = r#"
job_name: istio-secure-merged-metrics
honor_labels: true
enable_http2: false
metrics_path: /stats/prometheus
scheme: https
tls_config:
  ca_file: /etc/istio-certs/root-cert.pem
  cert_file: /etc/istio-certs/cert-chain.pem
  key_file: /etc/istio-certs/key.pem
  insecure_skip_verify: true
kubernetes_sd_configs: [{role: pod}]
relabel_configs:
- {source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port], action: keep, regex: '\d+'}
- {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape_slow], action: drop, regex: 'true'}
- {source_labels: [__meta_kubernetes_pod_phase], action: drop, regex: 'Pending|Succeeded|Failed|Completed'}
- source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port, __meta_kubernetes_pod_ip]
  regex: (\d+);((([0-9]+?)(\.|$)){4})
  replacement: $2:$1
  target_label: __address__
- source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port, __meta_kubernetes_pod_ip]
  regex: (\d+);(([A-Fa-f0-9]{1,4}::?){1,7}[A-Fa-f0-9]{1,4})
  replacement: '[$2]:$1'
  target_label: __address__
- {action: labelmap, regex: __meta_kubernetes_pod_label_(.+)}
- {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
- {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
- {source_labels: [__meta_kubernetes_pod_node_name], target_label: node}
"#;

#[test]
fn the_sample_job() {
    let plan = plan(&mesh(), &answers(false));
    assert_eq!(jobs(&plan), [("istio-secure-merged-metrics", &yaml(JOB))]);
}

#[test]
fn the_slow_job_has_its_twin_where_it_exists() {
    let mut mesh = mesh();
    with_config(&mut mesh, &format!("{SAMPLE}{SLOW}"));
    let plan = plan(&mesh, &answers(false));
    let jobs = jobs(&plan);
    let names: Vec<&str> = jobs.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "istio-secure-merged-metrics-slow",
            "istio-secure-merged-metrics"
        ]
    );
    assert_eq!(*jobs[1].1, yaml(JOB));
    let slow = jobs[0].1;
    assert_eq!(slow["scrape_interval"], "5m");
    assert_eq!(slow["scrape_timeout"], "30s");
    assert_eq!(
        slow["relabel_configs"][1],
        serde_json::json!({
            "source_labels": ["__meta_kubernetes_pod_annotation_prometheus_io_scrape_slow"],
            "action": "keep",
            "regex": "true",
        })
    );
}

#[test]
fn the_old_job_rule() {
    let plan = plan(&mesh(), &answers(false));
    let last = plan.changes.last().expect("changes");
    let items = vec![id("demo", "httpbin")];
    assert_eq!(
        edits(last),
        [TextEdit::EndPlaintext {
            job: "kubernetes-pods".into(),
            items: items.clone(),
        }]
    );
    assert_eq!(
        crate::plan::scrape_config::ended_rules(&items),
        [yaml(
            r"{source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port, __meta_kubernetes_namespace, __meta_kubernetes_pod_controller_kind, __meta_kubernetes_pod_controller_name], action: drop, regex: '\d+;demo;(ReplicaSet;(httpbin)-[0-9a-z]+)'}"
        )]
    );
}
