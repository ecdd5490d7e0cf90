//! Each code that a cluster's objects can bring about: a cluster that does, and the one beside it that does not.

use super::prometheus_servers::SAMPLE;
use super::*;
use crate::problems::{Code, of_mesh};
use std::collections::BTreeSet;

fn quiet() -> String {
    format!("{ISTIO}{SHOP}{SAMPLE}")
}

/// The quiet cluster with this in place of that.
fn with(from: &str, to: &str) -> String {
    let text = quiet();
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

fn more(text: &str) -> String {
    format!("{}\n---\n{text}\n", quiet())
}

/// An Istio object in the workload's namespace, with its pods' labels for `SELECTED`.
fn istio(kind: &str, spec: &str) -> String {
    let group = match kind {
        "Sidecar" | "Gateway" | "ServiceEntry" | "VirtualService" | "WorkloadEntry" => "networking",
        _ => "security",
    };
    more(&format!(
        "{{apiVersion: {group}.istio.io/v1, kind: {kind}, metadata: {{name: mine, namespace: shop}}, spec: {spec}}}"
    ))
}

fn template(annotations: &str) -> String {
    with(
        "metadata: {labels: {app: cart, version: v1}}",
        &format!(
            "metadata: {{labels: {{app: cart, version: v1}}, annotations: {{{annotations}}}}}"
        ),
    )
}

/// Without a sidecar in it.
fn bare(from: &str, to: &str) -> String {
    let text = with(from, to);
    text.replace("name: istio-proxy", "name: other")
}

/// The injector's own configuration.
fn injector(config: &str) -> String {
    let map = format!(
        "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: istio-sidecar-injector, namespace: istio-system}}, data: {{config: '{{{config}}}'}}}}"
    );
    more(&map).replace("name: istio-proxy", "name: other")
}

fn config(job: &str) -> String {
    with(
        "    - job_name: kubernetes-pods\n",
        &format!("{job}    - job_name: kubernetes-pods\n"),
    )
}

/// A secure job, with this in place of that.
fn job(from: &str, to: &str) -> String {
    let job = r"    - job_name: mine
      scheme: https
      metrics_path: /stats/prometheus
      tls_config: {ca_file: /c/root-cert.pem, cert_file: /c/cert-chain.pem, key_file: /c/key.pem, insecure_skip_verify: true}
      kubernetes_sd_configs: [{role: pod}]
      relabel_configs:
      - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port], action: keep, regex: '\d+'}
";
    assert!(job.contains(from), "{from}");
    config(&job.replace(from, to))
}

/// The pod template of the published task.
fn published(from: &str, to: &str) -> String {
    let text = quiet()
        .replace(
            "metadata: {labels: {app.kubernetes.io/name: prometheus, sidecar.istio.io/inject: 'false'}}",
            "metadata: {labels: {app.kubernetes.io/name: prometheus, sidecar.istio.io/inject: 'true'}, annotations: {traffic.sidecar.istio.io/includeOutboundIPRanges: '', proxy.istio.io/config: '{\"proxyMetadata\": {\"OUTPUT_CERTS\": \"/etc/istio-certs\"}}', sidecar.istio.io/userVolumeMount: '[{\"name\": \"istio-certs\", \"mountPath\": \"/etc/istio-certs\"}]'}}",
        )
        .replace("{name: storage-volume, mountPath: /data}", "{name: storage-volume, mountPath: /data}, {name: istio-certs, mountPath: /certs}")
        .replace("{name: storage-volume, emptyDir: {}}", "{name: storage-volume, emptyDir: {}}, {name: istio-certs, emptyDir: {}}");
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

/// A gateway of that image; `GATEWAY` in the labels of its template.
fn gateway(labels: &str, image: &str) -> String {
    more(&format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: edge, namespace: bare}}
spec:
  selector: {{matchLabels: {{istio: edge}}}}
  template: {{metadata: {{labels: {{istio: edge, {labels}}}}}, spec: {{containers: [{{name: istio-proxy, image: '{image}', args: [proxy, router]}}]}}}}
---
{{apiVersion: v1, kind: Namespace, metadata: {{name: bare, labels: {{istio-injection: disabled}}}}}}"
    ))
}

fn serves(spec: &str) -> String {
    format!(
        "{}\n---\n{{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {{name: mine, namespace: bare}}, spec: {spec}}}\n",
        gateway("x: y", "istio/proxyv2:1.31.0")
    )
}

fn texts() -> Vec<(Code, String)> {
    use Code as C;
    let cart = "spec:\n      serviceAccountName: cart";
    let agent = "--storage.tsdb.path=/data, --web.enable-lifecycle";
    let own_proxy = "prometheus.istio.io/secure-port: '15091', ";
    vec![
        (C::PrometheusAgent, with(agent, "--agent, --storage.agent.path=/data")),
        (C::VmAgent, with("image: docker.io/prom/prometheus:v3.10.0\n        args: [--config.file=/etc/config/prometheus.yml", "image: victoriametrics/vmagent:v1\n        args: [--promscrape.config=/etc/config/prometheus.yml").replace(agent, "--x=y")),
        (C::PrometheusDaemonSet, with("kind: Deployment\nmetadata: {name: prometheus,", "kind: DaemonSet\nmetadata: {name: prometheus,")),
        (C::ConfigInSecret, with("configMap: {name: prometheus}", "secret: {secretName: prometheus}")),
        (C::ConfigNotFound, with("configMap: {name: prometheus}", "emptyDir: {}")),
        (C::ConfigWritten, with("configMap: {name: prometheus}", "emptyDir: {}").replace("      containers:\n      - name: prometheus-server-", "      initContainers: [{name: render, volumeMounts: [{name: config-volume, mountPath: /out}]}]\n      containers:\n      - name: prometheus-server-")),
        (C::OwnProxyWithoutCertificates, with("      containers:\n      - name: prometheus-server-", "      containers:\n      - {name: istio-proxy, image: proxyv2}\n      - name: prometheus-server-")),
        (C::ConfigUnnamed, with("--config.file=/etc/config/prometheus.yml, ", "").replace("prom/prometheus:v3.10.0", "acme/prometheus:1")),
        (C::ConfigVariable, with("--config.file=/etc/config/prometheus.yml", "--config.file=/etc/config/$(POD_NAME).yml")),
        (C::ConfigNotRead, with("  prometheus.yml: |", "  other.yml: |")),
        (C::SharedIdentity, more("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: other, namespace: istio-system}\nspec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {serviceAccountName: prometheus, containers: [{name: c}]}}}")),
        (C::JobTakesAnyAnnotation, job(r"regex: '\d+'", "regex: .+")),
        (C::JobFollowsPath, job("      metrics_path: /stats/prometheus\n", "")),
        (C::JobInPlaintext, job("scheme: https", "scheme: http")),
        (C::JobWithoutCa, job("ca_file: /c/root-cert.pem, ", "")),
        (C::JobWithoutCertificate, job("cert_file: /c/cert-chain.pem, ", "")),
        (C::SecretNeverCreated, published("{name: istio-certs, emptyDir: {}}", "{name: istio-certs, secret: {secretName: istio.default}}")),
        (C::CertificatesReadOnly, published("\"mountPath\": \"/etc/istio-certs\"}]", "\"mountPath\": \"/etc/istio-certs\", \"readOnly\": true}]")),
        (C::CertificatesNotMounted, published(", {name: istio-certs, mountPath: /certs}", "")),
        (C::CapturePortsUnread, published("\"OUTPUT_CERTS\"", "\"INBOUND_CAPTURE_PORTS\": \"\", \"OUTPUT_CERTS\"")),
        (C::InjectAnnotationUnread, published("annotations: {traffic", "annotations: {sidecar.istio.io/inject: 'true', traffic").replace("sidecar.istio.io/inject: 'true'}, ann", "x: y}, ann")),
        (C::CapturesOwnScrapes, published("traffic.sidecar.istio.io/includeOutboundIPRanges: '', ", "")),
        (C::SystemNamespace, bare("namespace: shop", "namespace: kube-system")),
        (C::HostNetwork, bare(cart, &format!("{}hostNetwork: true\n      serviceAccountName: cart", "spec:\n      "))),
        (C::InjectionDisabled, bare("istio-injection: enabled", "istio-injection: disabled")),
        (C::RevisionWithoutWebhook, bare("istio-injection: enabled", "istio.io/rev: none")),
        (C::InjectorRefuses, template("prometheus.io/scrape: 'true', prometheus.io/port: '15090x'")),
        (C::NeverInjected, injector("policy: enabled, neverInjectSelector: [{matchLabels: {app: cart}}]")),
        (C::InjectionPolicyInvalid, injector("policy: sometimes")),
        (C::NotInjected, bare("labels: {istio-injection: enabled}", "labels: {}").replace("namespaceSelector: {", "namespaceSelector: {matchLabels: {never: x}, ")),
        (C::Ambient, bare("labels: {istio-injection: enabled}", "labels: {istio.io/dataplane-mode: ambient}")),
        (C::InRootNamespace, with("namespace: shop", "namespace: istio-system")),
        (C::Owned, with("metadata: {name: cart, namespace: shop, uid: cart-uid, labels: {app: cart}}", "metadata: {name: cart, namespace: shop, uid: cart-uid, labels: {kustomize.toolkit.fluxcd.io/name: apps}}")),
        (C::OwnSidecar, istio("Sidecar", "{workloadSelector: {labels: {app: cart}}, egress: [{hosts: ['./*']}]}")),
        (C::OwnPeerAuthentication, istio("PeerAuthentication", "{selector: {matchLabels: {app: cart}}}")),
        (C::PolicyDenies, istio("AuthorizationPolicy", "{action: DENY, rules: [{}]}")),
        (C::ProviderNotDefined, istio("AuthorizationPolicy", "{action: CUSTOM, provider: {name: gone}, rules: [{}]}")),
        (C::AllowPolicy, istio("AuthorizationPolicy", "{selector: {matchLabels: {app: cart}}, rules: [{}]}").replace("rules: [{}]", "rules: [{to: [{operation: {ports: ['8080']}}]}]")),
        (C::NoMatchLabels, with("selector: {matchLabels: {app: cart}}", "selector: {matchLabels: {app: cart}, matchExpressions: [{key: tier, operator: Exists}]}")),
        (C::SharedLabels, more("{apiVersion: v1, kind: Pod, metadata: {name: cart-import-1, namespace: shop, labels: {app: cart}, ownerReferences: [{kind: Job, name: cart-import}]}, status: {phase: Running}}")),
        (C::MachineCarriesLabels, istio("WorkloadEntry", "{address: 192.0.2.1, labels: {app: cart}}")),
        (C::MachineHasAddress, istio("WorkloadEntry", "{address: 10.0.0.1, labels: {app: x}}")),
        (C::PortUnknown, more("{apiVersion: v1, kind: Service, metadata: {name: admin, namespace: shop}, spec: {selector: {app: cart}, ports: [{port: 81, targetPort: admin}]}}")),
        (C::ServesSecurePort, more("{apiVersion: v1, kind: Service, metadata: {name: own, namespace: shop}, spec: {selector: {app: cart}, ports: [{port: 15091}]}}")),
        (C::PortNotCaptured, template("sidecar.istio.io/interceptionMode: NONE")),
        (C::NativePort, template("proxy.istio.io/config: 'proxyMetadata: {ENVOY_SECURE_METRICS_PORT: \"15091\"}'")),
        (C::OtherOwner, more("{apiVersion: v1, kind: Pod, metadata: {name: debug, namespace: shop}, spec: {containers: [{name: c}]}, status: {phase: Running}}")),
        (C::NamespaceSidecar, istio("Sidecar", "{ingress: [{port: {number: 15091, protocol: HTTP, name: h}, defaultEndpoint: '127.0.0.1:15020'}]}")),
        (C::PathWithoutPort, template("prometheus.io/path: /stats/prometheus")),
        (C::AnnotationOnPodsOnly, with("annotations: {prometheus.io/scrape", &format!("annotations: {{{own_proxy}prometheus.io/scrape"))),
        (C::ManagedByGatewayApi, gateway("gateway.networking.k8s.io/gateway-name: web", "p")),
        (C::Waypoint, format!("{}\n---\n{{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {{name: web, namespace: bare}}, spec: {{gatewayClassName: istio-waypoint}}}}\n", gateway("gateway.networking.k8s.io/gateway-name: web", "p"))),
        (C::OwnServer, serves("{selector: {istio: edge}, servers: [{port: {number: 15091}, tls: {mode: ISTIO_MUTUAL, subjectAltNames: [x]}}]}")),
        (C::NoProxyImage, gateway("x: y", "auto")),
        (C::GatewayServesPlaintext, serves("{selector: {istio: edge}, servers: [{port: {number: 80}}, {port: {number: 15091}, tls: {mode: ISTIO_MUTUAL, subjectAltNames: [x]}}]}")),
        (C::GatewayOpenToMesh, serves("{selector: {istio: edge}, servers: [{port: {number: 15091}, tls: {mode: ISTIO_MUTUAL}}]}")),
        (C::EntryHostOverruled, istio("ServiceEntry", "{hosts: [a.local], exportTo: ['.'], ports: [{number: 15020}], endpoints: [{address: 127.0.0.1}]}")),
        (C::EntryExported, istio("ServiceEntry", "{hosts: [a.internal], ports: [{number: 15020}], endpoints: [{address: 127.0.0.1}]}")),
        (C::RouteOnEveryServer, istio("VirtualService", "{hosts: ['*'], gateways: [g], http: [{match: [{uri: {prefix: /stats/prometheus}}]}]}")),
    ]
}

/// Codes that tests of their own bring about: `code, the test`.
const ELSEWHERE: &[(Code, &str)] = &[
    (Code::NoIstio, "injected::no_istio_at_all_is_said"),
    (Code::ListNotRead, "inbound, and journeys::kept"),
    (Code::SettingsNotRead, "settings"),
    (Code::GovernedByUnread, "inbound, and journeys::kept"),
    (
        Code::NameInUse,
        "workloads::objects_that_an_earlier_version_named_stay_with_the_pods_that_they_select",
    ),
    (
        Code::PortsDiffer,
        "inbound::pods_that_istio_would_give_different_chains_on_one_port_are_an_obstacle",
    ),
];

fn codes(text: &str) -> BTreeSet<Code> {
    of_mesh(&mesh(text))
        .iter()
        .map(|problem| problem.code())
        .collect()
}

#[test]
fn each_code_comes_of_its_cluster_and_none_of_the_quiet_one() {
    assert_eq!(codes(&quiet()), BTreeSet::new());
    let mut missing = Vec::new();
    for (code, text) in texts() {
        let found = codes(&text);
        if !found.contains(&code) {
            missing.push(format!("{code} {}: {found:?}", code.name()));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// What this table and the tests that it names bring about.
pub(crate) fn brought() -> BTreeSet<Code> {
    let here = texts().into_iter().map(|(code, _)| code);
    here.chain(ELSEWHERE.iter().map(|(code, _)| *code))
        .collect()
}
