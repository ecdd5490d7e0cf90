//! Each code that a cluster's objects can bring about: a cluster that does, and the one beside it that does not.

use super::prometheus_servers::SAMPLE;
use super::*;
use crate::problems::of_mesh;
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

/// Prometheus's ConfigMap under the name that kustomize gives it, with this in place of its first line.
fn hashed(first: &str) -> String {
    let named = "metadata: {name: prometheus, namespace: istio-system, uid: config-uid}";
    let text = with(
        named,
        &named.replace("name: prometheus", "name: prometheus-28chkddcb6"),
    );
    let volume = "configMap: {name: prometheus}";
    assert!(text.contains(volume));
    text.replace(volume, "configMap: {name: prometheus-28chkddcb6}")
        .replacen("scrape_configs:", first, 1)
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

/// Each with the cluster that brings it about, and the one beside it that does not.
fn texts() -> Vec<(Code, String, String)> {
    use Code as C;
    let cart = "spec:\n      serviceAccountName: cart";
    let agent = "--storage.tsdb.path=/data, --web.enable-lifecycle";
    let image = "image: docker.io/prom/prometheus:v3.10.0";
    let deployment = "kind: Deployment\nmetadata: {name: prometheus,";
    let config_volume = "configMap: {name: prometheus}";
    let own_port = "prometheus.istio.io/secure-port: '15091', ";
    let injected = "labels: {istio-injection: enabled}";
    let healthy = || job("", "");
    let vmagent = || {
        with(
            &format!("{image}\n        args: [--config.file="),
            "image: victoriametrics/vmagent:v1\n        args: [--promscrape.config=",
        )
        .replace(agent, "--x=y")
    };
    let host_network = |on: &str| {
        bare(
            cart,
            &format!("spec:\n      hostNetwork: {on}\n      serviceAccountName: cart"),
        )
    };
    let sharer = |namespace: &str| {
        more(&format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: other, namespace: {namespace}}}\nspec: {{selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {{serviceAccountName: prometheus, containers: [{{name: c}}]}}}}}}"
        ))
    };
    let labelled = |label: &str| bare("istio-injection: enabled", label);
    let owned = |label: &str| {
        with(
            "metadata: {name: cart, namespace: shop, uid: cart-uid, labels: {app: cart}}",
            &format!(
                "metadata: {{name: cart, namespace: shop, uid: cart-uid, labels: {{{label}}}}}"
            ),
        )
    };
    let service = |port: &str| {
        more(&format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: own, namespace: shop}}, spec: {{selector: {{app: cart}}, ports: [{{{port}}}]}}}}"
        ))
    };
    let pod = |labels: &str, phase: &str, owner: &str| {
        more(&format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: debug-1, namespace: shop, labels: {{{labels}}}{owner}}}, spec: {{containers: [{{name: c}}]}}, status: {{phase: {phase}}}}}"
        ))
    };
    let of_job = ", ownerReferences: [{kind: Job, name: debug}]";
    let deny = |rule: &str| {
        istio(
            "AuthorizationPolicy",
            &format!("{{action: DENY, rules: [{{{rule}}}]}}"),
        )
    };
    let ask = |rule: &str| {
        istio(
            "AuthorizationPolicy",
            &format!("{{action: CUSTOM, provider: {{name: gone}}, rules: [{{{rule}}}]}}"),
        )
    };
    let argo = |text: &str| {
        text.replace(
            "{name: mine,",
            "{name: mine, labels: {argocd.argoproj.io/instance: shop},",
        )
    };
    let allow = |app: &str| {
        istio(
            "AuthorizationPolicy",
            &format!("{{selector: {{matchLabels: {{app: {app}}}}}, rules: [{{{ON_8080}}}]}}"),
        )
    };
    let listener = |number: u16| {
        istio(
            "Sidecar",
            &format!(
                "{{ingress: [{{port: {{number: {number}, protocol: HTTP, name: h}}, defaultEndpoint: '127.0.0.1:15020'}}]}}"
            ),
        )
    };
    let class = |name: &str| {
        format!(
            "{}\n---\n{{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {{name: web, namespace: bare}}, spec: {{gatewayClassName: {name}}}}}\n",
            gateway("gateway.networking.k8s.io/gateway-name: web", "p")
        )
    };
    let servers = |all: &str| serves(&format!("{{selector: {{istio: edge}}, servers: [{all}]}}"));
    let secure = |port: u16, names: &str| {
        format!("{{port: {{number: {port}}}, tls: {{mode: ISTIO_MUTUAL{names}}}}}")
    };
    let entry = |host: &str, export: &str| {
        istio(
            "ServiceEntry",
            &format!(
                "{{hosts: [{host}], {export}ports: [{{number: 15020}}], endpoints: [{{address: 127.0.0.1}}]}}"
            ),
        )
    };
    let route = |port: &str| {
        istio(
            "VirtualService",
            &format!(
                "{{hosts: ['*'], gateways: [g], http: [{{match: [{{uri: {{prefix: /stats/prometheus}}{port}}}]}}]}}"
            ),
        )
    };
    let names = ", subjectAltNames: [x]";
    let config_file = "--config.file=/etc/config/prometheus.yml, ";
    let first = "      containers:\n      - name: prometheus-server-";
    let beside = |one: &str| {
        with(
            first,
            &format!("      containers:\n      - {one}\n      - name: prometheus-server-"),
        )
    };
    let init = |more: &str| {
        let init = format!(
            "[{{name: render, volumeMounts: [{{name: config-volume, mountPath: /out{more}}}]}}]"
        );
        let of = with("configMap: {name: prometheus}", "emptyDir: {}");
        of.replace(first, &format!("      initContainers: {init}\n{first}"))
    };
    vec![
        (
            C::PrometheusAgent,
            with(agent, "--agent, --storage.agent.path=/data"),
            with(agent, "--enable-feature=agents, --storage.tsdb.path=/data"),
        ),
        (
            C::VmAgent,
            vmagent(),
            with(image, "image: mirror.example/vmagent/prometheus:v3.10.0"),
        ),
        (
            C::PrometheusDaemonSet,
            with(deployment, "kind: DaemonSet\nmetadata: {name: prometheus,"),
            with(
                deployment,
                "kind: StatefulSet\nmetadata: {name: prometheus,",
            ),
        ),
        (
            C::ConfigInSecret,
            with(config_volume, "secret: {secretName: prometheus}"),
            with(
                "storage-volume, emptyDir: {}",
                "storage-volume, secret: {secretName: prometheus}",
            ),
        ),
        (
            C::ConfigNotFound,
            with(config_volume, "emptyDir: {}"),
            with(
                config_volume,
                "configMap: {name: prometheus, optional: true}",
            ),
        ),
        (C::ConfigWritten, init(""), init(", readOnly: true")),
        (
            C::ConfigUnnamed,
            with(config_file, "").replace("prom/prometheus:v3.10.0", "acme/prometheus:1"),
            with(config_file, ""),
        ),
        (
            C::ConfigGenerated,
            hashed("scrape_configs:"),
            // Somebody edited it: it is no longer what was generated.
            hashed("global: {}\n    scrape_configs:"),
        ),
        (
            C::ConfigVariable,
            with(config_file, "--config.file=/etc/config/$(POD_NAME).yml, "),
            with(config_file, "--config.file=/etc/config/POD_NAME.yml, "),
        ),
        (
            C::OwnProxyWithoutCertificates,
            beside("{name: istio-proxy, image: proxyv2}"),
            beside("{name: istio-proxy, image: auto}"),
        ),
        (
            C::ConfigNotRead,
            with("  prometheus.yml: |", "  other.yml: |"),
            with(
                "  prometheus.yml: |",
                "  other.yml: ''\n  prometheus.yml: |",
            ),
        ),
        (C::SharedIdentity, sharer("istio-system"), sharer("shop")),
        (
            C::JobTakesAnyAnnotation,
            job(r"regex: '\d+'", "regex: .+"),
            job(r"regex: '\d+'", "regex: '[0-9]+'"),
        ),
        (
            C::JobFollowsPath,
            job("      metrics_path: /stats/prometheus\n", ""),
            healthy(),
        ),
        (
            C::JobInPlaintext,
            job("scheme: https", "scheme: http"),
            healthy(),
        ),
        (
            C::JobWithoutCa,
            job("ca_file: /c/root-cert.pem, ", ""),
            job("/c/root-cert.pem", "/other.pem"),
        ),
        (
            C::JobWithoutCertificate,
            job("cert_file: /c/cert-chain.pem, ", ""),
            job("/c/cert-chain.pem", "/other.pem"),
        ),
        (
            C::SecretNeverCreated,
            published(
                "{name: istio-certs, emptyDir: {}}",
                "{name: istio-certs, secret: {secretName: istio.default}}",
            ),
            published(
                "{name: istio-certs, emptyDir: {}}",
                "{name: istio-certs, secret: {secretName: mine}}",
            ),
        ),
        (
            C::CertificatesReadOnly,
            published(
                "\"mountPath\": \"/etc/istio-certs\"}]",
                "\"mountPath\": \"/etc/istio-certs\", \"readOnly\": true}]",
            ),
            published(
                "\"mountPath\": \"/etc/istio-certs\"}]",
                "\"mountPath\": \"/etc/istio-certs\", \"readOnly\": false}]",
            ),
        ),
        (
            C::CertificatesNotMounted,
            published(", {name: istio-certs, mountPath: /certs}", ""),
            published("mountPath: /certs}", "mountPath: /certs, readOnly: true}"),
        ),
        (
            C::CapturePortsUnread,
            published(
                "\"OUTPUT_CERTS\"",
                "\"INBOUND_CAPTURE_PORTS\": \"\", \"OUTPUT_CERTS\"",
            ),
            published(
                "\"OUTPUT_CERTS\"",
                "\"ISTIO_META_PORTS\": \"\", \"OUTPUT_CERTS\"",
            ),
        ),
        (
            C::InjectAnnotationUnread,
            published(
                "annotations: {traffic",
                "annotations: {sidecar.istio.io/inject: 'true', traffic",
            )
            .replace("sidecar.istio.io/inject: 'true'}, ann", "x: y}, ann"),
            published(
                "annotations: {traffic",
                "annotations: {sidecar.istio.io/inject: 'true', traffic",
            ),
        ),
        (
            C::CapturesOwnScrapes,
            published("traffic.sidecar.istio.io/includeOutboundIPRanges: '', ", ""),
            published(
                "traffic.sidecar.istio.io/includeOutboundIPRanges: ''",
                "traffic.sidecar.istio.io/excludeOutboundPorts: '15091'",
            ),
        ),
        (
            C::SystemNamespace,
            bare("namespace: shop", "namespace: kube-system"),
            bare("namespace: shop", "namespace: kube-systems"),
        ),
        (C::HostNetwork, host_network("true"), host_network("false")),
        (
            C::InjectionDisabled,
            labelled("istio-injection: disabled"),
            labelled("istio-injection: enabled, other-injection: disabled"),
        ),
        (
            C::RevisionWithoutWebhook,
            labelled("istio.io/rev: none"),
            labelled("istio.io/rev: default"),
        ),
        (
            C::InjectorRefuses,
            template("prometheus.io/scrape: 'true', prometheus.io/port: '15090x'"),
            template("prometheus.io/scrape: 'true', prometheus.io/port: '15093'"),
        ),
        (
            C::NeverInjected,
            injector("policy: enabled, neverInjectSelector: [{matchLabels: {app: cart}}]"),
            injector("policy: enabled, neverInjectSelector: [{matchLabels: {app: other}}]"),
        ),
        (
            C::InjectionPolicyInvalid,
            injector("policy: sometimes"),
            injector("policy: disabled"),
        ),
        (
            C::NotInjected,
            bare(injected, "labels: {}").replace(
                "namespaceSelector: {",
                "namespaceSelector: {matchLabels: {never: x}, ",
            ),
            bare(injected, "labels: {never: x, istio-injection: enabled}")
                .replace(
                    "namespaceSelector: {",
                    "namespaceSelector: {matchLabels: {never: x}, ",
                )
                .replace(
                    "metadata: {name: istio-system}}",
                    "metadata: {name: istio-system, labels: {never: x}}}",
                ),
        ),
        (
            C::Ambient,
            labelled("istio.io/dataplane-mode: ambient"),
            labelled("istio-injection: enabled, istio.io/dataplane-mode: none"),
        ),
        (
            C::InRootNamespace,
            with("namespace: shop", "namespace: istio-system"),
            with("namespace: shop", "namespace: istio-systems"),
        ),
        (
            C::Owned,
            owned("kustomize.toolkit.fluxcd.io/name: apps"),
            owned("kustomize.example/name: apps"),
        ),
        (
            C::OwnSidecar,
            istio(
                "Sidecar",
                "{workloadSelector: {labels: {version: v1}}, egress: [{hosts: ['./*']}]}",
            ),
            istio(
                "Sidecar",
                "{workloadSelector: {labels: {app: cart, version: v1}}, egress: [{hosts: ['./*']}]}",
            ),
        ),
        (
            C::OwnPeerAuthentication,
            argo(&istio(
                "PeerAuthentication",
                "{selector: {matchLabels: {app: cart}}}",
            )),
            istio(
                "PeerAuthentication",
                "{selector: {matchLabels: {app: cart}}}",
            ),
        ),
        (C::PolicyDenies, deny(""), deny(ON_8080)),
        (C::ProviderNotDefined, ask(""), ask(ON_8080)),
        (C::AllowPolicy, argo(&allow("cart")), allow("cart")),
        (
            C::NoMatchLabels,
            with(
                "selector: {matchLabels: {app: cart}}",
                "selector: {matchLabels: {app: cart}, matchExpressions: [{key: tier, operator: Exists}]}",
            ),
            with(
                "selector: {matchLabels: {app: cart}}",
                "selector: {matchLabels: {app: cart, version: v1}, matchExpressions: []}",
            ),
        ),
        (
            C::SharedLabels,
            pod("app: cart", "Running", of_job),
            pod("app: cart-import", "Running", of_job),
        ),
        (
            C::MachineCarriesLabels,
            istio("WorkloadEntry", "{address: 192.0.2.1, labels: {app: cart}}"),
            istio(
                "WorkloadEntry",
                "{address: 192.0.2.1, labels: {app: other}}",
            ),
        ),
        (
            C::MachineHasAddress,
            istio("WorkloadEntry", "{address: 10.0.0.1, labels: {app: x}}"),
            istio("WorkloadEntry", "{address: 10.0.0.9, labels: {app: x}}"),
        ),
        (
            C::PortUnknown,
            service("port: 81, targetPort: admin"),
            service("port: 81, targetPort: 8081"),
        ),
        (
            C::ServesSecurePort,
            service("port: 15091"),
            service("port: 15092"),
        ),
        (
            C::PortNotCaptured,
            template("sidecar.istio.io/interceptionMode: NONE"),
            template("sidecar.istio.io/interceptionMode: TPROXY"),
        ),
        (
            C::NativePort,
            template(
                "proxy.istio.io/config: 'proxyMetadata: {ENVOY_SECURE_METRICS_PORT: \"15091\"}'",
            ),
            template("proxy.istio.io/config: 'proxyMetadata: {ENVOY_METRICS_PORT: \"15091\"}'"),
        ),
        (
            C::OtherOwner,
            pod("", "Running", ""),
            pod("", "Succeeded", ""),
        ),
        (C::NamespaceSidecar, listener(15091), listener(8080)),
        (
            C::PathWithoutPort,
            template("prometheus.io/path: /stats/prometheus"),
            template("prometheus.io/path: /stats/prometheus, prometheus.io/port: '8080'"),
        ),
        (
            C::AnnotationOnPodsOnly,
            with(
                "annotations: {prometheus.io/scrape",
                &format!("annotations: {{{own_port}prometheus.io/scrape"),
            ),
            template(own_port).replace(
                "annotations: {prometheus.io/scrape",
                &format!("annotations: {{{own_port}prometheus.io/scrape"),
            ),
        ),
        (
            C::ManagedByGatewayApi,
            gateway("gateway.networking.k8s.io/gateway-name: web", "p"),
            gateway(
                "gateway.networking.example/gateway-name: web",
                "istio/proxyv2:1.31.0",
            ),
        ),
        (C::Waypoint, class("istio-waypoint"), class("istio")),
        (
            C::OwnServer,
            servers(&secure(15091, names)),
            servers(&secure(15092, names)),
        ),
        (
            C::NoProxyImage,
            gateway("x: y", "auto"),
            gateway("x: y", "istio/proxyv2:1.31.0"),
        ),
        (
            C::GatewayServesPlaintext,
            servers(&format!(
                "{{port: {{number: 80}}}}, {}",
                secure(15091, names)
            )),
            servers(&secure(15091, names)),
        ),
        (
            C::GatewayOpenToMesh,
            servers(&secure(15091, "")),
            servers(&secure(15091, names)),
        ),
        (
            C::EntryHostOverruled,
            entry("a.local", "exportTo: ['.'], "),
            entry("a.internal", "exportTo: ['.'], "),
        ),
        (
            C::EntryExported,
            entry("a.internal", ""),
            entry("a.internal", "exportTo: ['.'], "),
        ),
        (C::RouteOnEveryServer, route(""), route(", port: 15091")),
    ]
}

/// A rule for the app's own port alone.
const ON_8080: &str = "to: [{operation: {ports: ['8080']}}]";

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
fn each_code_comes_of_its_cluster_and_not_of_the_one_beside_it() {
    assert_eq!(codes(&quiet()), BTreeSet::new());
    let mut missing = Vec::new();
    for (code, text, beside) in texts() {
        let found = codes(&text);
        if !found.contains(&code) {
            missing.push(format!("{code} {}: {found:?}", code.name()));
        }
        // What differs is no more than it takes, and still there.
        assert_ne!(text, beside, "{code}");
        let found = codes(&beside);
        if found.contains(&code) {
            missing.push(format!("{code} {} beside it: {found:?}", code.name()));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// What this table sees absent in the cluster beside.
pub(crate) fn absent() -> impl Iterator<Item = Code> {
    texts().into_iter().map(|(code, ..)| code)
}

/// What this table and the tests that it names bring about.
pub(crate) fn brought() -> BTreeSet<Code> {
    let here = texts().into_iter().map(|(code, ..)| code);
    here.chain(ELSEWHERE.iter().map(|(code, _)| *code))
        .collect()
}
