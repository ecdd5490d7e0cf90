use super::Said;
use super::*;
use crate::mesh::{OwnerTool, PrometheusFlavour, Storage};

/// Istio's sample, cut to what matters.
pub(super) const SAMPLE: &str = "
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: prometheus, namespace: istio-system, labels: {app.kubernetes.io/name: prometheus, helm.sh/chart: prometheus-28.13.0}}
spec:
  strategy: {type: Recreate}
  selector: {matchLabels: {app.kubernetes.io/name: prometheus}}
  template:
    metadata: {labels: {app.kubernetes.io/name: prometheus, sidecar.istio.io/inject: 'false'}}
    spec:
      serviceAccountName: prometheus
      containers:
      - name: prometheus-server-configmap-reload
        image: ghcr.io/prometheus-operator/prometheus-config-reloader:v0.89.0
        args: [--watched-dir=/etc/config, '--listen-address=0.0.0.0:8080', '--reload-url=http://127.0.0.1:9090/-/reload']
        volumeMounts: [{name: config-volume, mountPath: /etc/config, readOnly: true}]
      - name: prometheus-server
        image: docker.io/prom/prometheus:v3.10.0
        args: [--config.file=/etc/config/prometheus.yml, --storage.tsdb.path=/data, --web.enable-lifecycle]
        ports: [{containerPort: 9090}]
        volumeMounts: [{name: config-volume, mountPath: /etc/config}, {name: storage-volume, mountPath: /data}]
      volumes: [{name: config-volume, configMap: {name: prometheus}}, {name: storage-volume, emptyDir: {}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: prometheus, namespace: istio-system, uid: config-uid}
data:
  prometheus.yml: |
    scrape_configs:
    - job_name: kubernetes-pods
      kubernetes_sd_configs: [{role: pod}]
      relabel_configs:
      - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], action: keep, regex: true}
      - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_port, __meta_kubernetes_pod_ip], regex: '(.+);(.+)', replacement: '$2:$1', target_label: __address__}
";

fn sample(from: &str, to: &str) -> Prometheus {
    assert!(SAMPLE.contains(from), "{from}");
    let found = shop(&SAMPLE.replace(from, to));
    only(&found).clone()
}

fn untouched() -> Prometheus {
    sample("kind: Deployment", "kind: Deployment")
}

#[test]
fn istios_sample_as_it_is() {
    let found = untouched();
    assert_eq!(found.flavour, PrometheusFlavour::IstioSample);
    assert_eq!(found.owner, None, "a chart's labels are no release");
    assert_eq!(found.container, "prometheus-server");
    assert_eq!((found.http_port, found.route_prefix.as_str()), (9090, ""));
    assert!(found.reloader && found.lifecycle && !found.sidecar && !found.web_config);
    assert_eq!(found.storage, Storage::EmptyDir);
    assert_eq!(found.strategy, "Recreate");
    assert_eq!(found.service_account, "prometheus");
    let config = found.config.as_ref().expect("followed");
    assert_eq!(
        (
            config.home.object().name.as_str(),
            config.key.as_str(),
            config.sub_path
        ),
        ("prometheus", "prometheus.yml", false)
    );
    assert!(
        config
            .text
            .as_ref()
            .is_ok_and(|text| text.contains("kubernetes-pods"))
    );
    assert_eq!((found.certificates, found.faults.len()), (None, 0));
    assert!(found.obstacles.is_empty(), "{:?}", found.obstacles);
}

#[test]
fn a_prometheus_is_no_workload() {
    assert_eq!(shop(SAMPLE).workloads.len(), 1);
}

#[test]
fn another_image_counts_by_its_arguments_and_a_name_alone_does_not() {
    let mirrored = sample(
        "docker.io/prom/prometheus:v3.10.0",
        "mirror.example/obs/server:3",
    );
    assert!(mirrored.obstacles.is_empty());
    let alertmanager = "
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: prometheus-alertmanager, namespace: shop}
spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: prometheus, image: 'quay.io/prometheus/alertmanager:1', args: [--config.file=/etc/a.yml]}]}}}
";
    let found = shop(alertmanager);
    assert!(found.prometheus_servers.is_empty());
    assert_eq!(found.workloads.len(), 2);
}

#[test]
fn arguments_in_two_parts_prefixes_and_ports() {
    let found = sample(
        "args: [--config.file=/etc/config/prometheus.yml, --storage.tsdb.path=/data, --web.enable-lifecycle]",
        "args: [--config.file, /etc/config/prometheus.yml, '--web.listen-address=[::]:9191', '--web.external-url=https://metrics.example/prom/']",
    );
    assert_eq!(
        (found.http_port, found.route_prefix.as_str()),
        (9191, "/prom")
    );
    assert!(!found.lifecycle);
    assert!(found.config.is_some());
    let overridden = sample(
        "--web.enable-lifecycle]",
        "'--web.external-url=https://m.example/prom', --web.route-prefix=/, --web.config.file=/w.yml]",
    );
    assert_eq!(overridden.route_prefix, "");
    assert!(overridden.web_config);
}

#[test]
fn the_config_is_followed_through_items_sub_paths_and_projections() {
    let items = sample(
        "configMap: {name: prometheus}",
        "configMap: {name: prometheus, items: [{key: prometheus.yml, path: prometheus.yml}]}",
    );
    assert!(items.obstacles.is_empty());
    let renamed = sample(
        "configMap: {name: prometheus}",
        "configMap: {name: prometheus, items: [{key: main, path: prometheus.yml}]}",
    );
    assert_eq!(
        renamed.config.as_ref().map(|c| c.key.as_str()),
        Some("main")
    );
    assert_eq!(words(&renamed.obstacles), ["ConfigNotRead"]);
    assert!(renamed.obstacles[0].said().contains("main"));
    let sub_path = sample(
        "volumeMounts: [{name: config-volume, mountPath: /etc/config}, ",
        "volumeMounts: [{name: config-volume, mountPath: /etc/config/prometheus.yml, subPath: prometheus.yml}, ",
    );
    let config = sub_path.config.as_ref().expect("followed");
    assert!(config.sub_path && config.text.is_ok());
    let projected = sample(
        "configMap: {name: prometheus}",
        "projected: {sources: [{configMap: {name: prometheus}}]}",
    );
    assert!(projected.obstacles.is_empty());
}

#[test]
fn a_config_that_cannot_be_edited_is_an_obstacle() {
    let secret = sample(
        "configMap: {name: prometheus}",
        "secret: {secretName: prometheus}",
    );
    assert_eq!(words(&secret.obstacles), ["ConfigInSecret"]);
    let made = sample(
        "{name: config-volume, configMap: {name: prometheus}}",
        "{name: config-volume, emptyDir: {}}",
    );
    assert_eq!(words(&made.obstacles), ["ConfigNotFound"]);
    let baked = sample(
        "--config.file=/etc/config/prometheus.yml",
        "--config.file=/opt/prometheus.yml",
    );
    assert_eq!(words(&baked.obstacles), ["ConfigNotFound"]);
    let gone = sample(
        "name: prometheus, namespace: istio-system, uid: config-uid",
        "name: elsewhere, namespace: istio-system, uid: config-uid",
    );
    assert_eq!(words(&gone.obstacles), ["ConfigNotRead"]);
}

/// The sample with its configuration in an emptyDir, and this container beside it.
fn rendered(list: &str, container: &str) -> Prometheus {
    let text = SAMPLE
        .replace(
            "{name: config-volume, configMap: {name: prometheus}}",
            "{name: config-volume, emptyDir: {}}, {name: source, configMap: {name: prometheus}}",
        )
        .replace(
            "      containers:\n",
            &format!("      {list}:\n      - {container}\n      containers:\n"),
        )
        .replacen(
            &format!("      containers:\n      - {container}\n      containers:\n"),
            &format!("      containers:\n      - {container}\n"),
            1,
        );
    only(&shop(&text)).clone()
}

#[test]
fn a_config_that_a_reloader_renders_is_followed_to_what_it_renders() {
    let mounts =
        "volumeMounts: [{name: config-volume, mountPath: /out/}, {name: source, mountPath: /in}]";
    for args in [
        "[sidecar, --reloader.config-file=/in/prometheus.yml, --reloader.config-envsubst-file=/out/prometheus.yml]",
        "[--config-file=/in/prometheus.yml, --config-envsubst-file, /out/prometheus.yml]",
    ] {
        let found = rendered(
            "containers",
            &format!("{{name: side, args: {args}, {mounts}}}"),
        );
        assert_eq!(words(&found.obstacles), [""; 0], "{args}");
        let config = found.config.as_ref().expect("followed");
        assert_eq!(config.home.object().name, "prometheus");
        assert!(config.text.is_ok() && !config.sub_path && found.reloader);
    }
    // Another file, and one that is rendered from itself.
    for args in [
        "[--config-file=/in/prometheus.yml, --config-envsubst-file=/out/other.yml]",
        "[--config-file=/out/prometheus.yml, --config-envsubst-file=/out/prometheus.yml]",
    ] {
        let found = rendered(
            "containers",
            &format!("{{name: side, args: {args}, {mounts}}}"),
        );
        assert!(found.config.is_none(), "{args}");
        assert_eq!(found.obstacles.len(), 1, "{args}");
    }
}

#[test]
fn a_config_that_an_init_container_writes_names_it_and_what_it_reads() {
    let found = rendered(
        "initContainers",
        "{name: init, volumeMounts: [{name: config-volume, mountPath: /out}, {name: source, mountPath: /in}]}",
    );
    let [
        Problem::ConfigWritten {
            by,
            init: true,
            from,
            ..
        },
    ] = &found.obstacles[..]
    else {
        panic!("{:?}", found.obstacles);
    };
    assert_eq!(
        (by.as_str(), from.len(), from[0].name.as_str()),
        ("init", 1, "prometheus")
    );
    // One that only reads it writes nothing.
    let found = rendered(
        "initContainers",
        "{name: init, volumeMounts: [{name: config-volume, mountPath: /out, readOnly: true}]}",
    );
    assert_eq!(words(&found.obstacles), ["ConfigNotFound"]);
}

#[test]
fn which_file_is_read_is_known_of_prometheus_itself_alone() {
    let args = "args: [--config.file=/etc/config/prometheus.yml, --storage.tsdb.path=/data, --web.enable-lifecycle]";
    let image = "docker.io/prom/prometheus:v3.10.0";
    for (start, of, expected) in [
        // The flag's own default, in the image's folder, where the container's does not say.
        ("args: [--storage.tsdb.path=/data]", image, "ConfigNotFound"),
        (
            "workingDir: /etc/config; args: [--storage.tsdb.path=/data]",
            image,
            "",
        ),
        (
            "command: [/bin/prometheus]; workingDir: /etc/config",
            image,
            "",
        ),
        (
            "command: [/start.sh]; workingDir: /etc/config",
            image,
            "ConfigUnnamed",
        ),
        ("command: [sh, -c, prometheus]", image, "ConfigUnnamed"),
        ("x: y", "example.org/acme/prometheus:2", "ConfigUnnamed"),
        (
            "args: [--config.file=/etc/config/$(POD).yml]",
            image,
            "ConfigVariable",
        ),
    ] {
        let start = start.replace("; ", "\n        ");
        let text = SAMPLE.replace(args, &start).replace(image, of);
        let found = shop(&text);
        let found = only(&found);
        let one: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(words(&found.obstacles), one, "{start}");
    }
}

#[test]
fn of_several_projected_config_maps_the_last_one_with_the_key_counts() {
    let other = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, namespace: istio-system}\ndata: {KEY: 'scrape_configs: []'}\n";
    for (key, counts) in [("rules.yml", "prometheus"), ("prometheus.yml", "other")] {
        let text = SAMPLE.replace("configMap: {name: prometheus}", "projected: {sources: [{configMap: {name: prometheus}}, {configMap: {name: other}}, {secret: {name: s, items: [{key: a, path: a}]}}]}");
        let found = shop(&format!("{text}{}", other.replace("KEY", key)));
        let config = only(&found).config.as_ref().expect("followed");
        assert_eq!(config.home.object().name, counts);
        assert!(config.text.is_ok());
    }
}

#[test]
fn a_proxy_of_its_own_that_writes_certificates_serves_as_it_is() {
    let own = |more: &str| {
        let text = SAMPLE
            .replace("metadata: {labels: {app.kubernetes.io/name: prometheus, sidecar.istio.io/inject: 'false'}}", "metadata: {labels: {app.kubernetes.io/name: prometheus}, annotations: {sidecar.istio.io/inject: 'false'}}")
            .replace("      containers:\n", &format!("      containers:\n      - {{name: istio-proxy, image: proxyv2, env: [{{name: OUTPUT_CERTS, value: /certs}}]{more}}}\n"))
            .replace("{name: storage-volume, mountPath: /data}", "{name: storage-volume, mountPath: /data}, {name: certs, mountPath: /mine}")
            .replace("{name: storage-volume, emptyDir: {}}", "{name: storage-volume, emptyDir: {}}, {name: certs, emptyDir: {}}");
        only(&shop(&text)).clone()
    };
    let found = own(", volumeMounts: [{name: certs, mountPath: /certs}]");
    assert_eq!(found.certificates.as_deref(), Some("/mine"));
    assert_eq!(
        (words(&found.obstacles), words(&found.faults)),
        (vec![], vec![])
    );
    assert!(found.outbound.is_none(), "nothing redirects to it");
    let alone = own("");
    assert_eq!(words(&alone.obstacles), ["OwnProxyWithoutCertificates"]);
}

#[test]
fn storage_by_where_the_data_lies() {
    let claim = sample(
        "{name: storage-volume, emptyDir: {}}",
        "{name: storage-volume, persistentVolumeClaim: {claimName: data}}",
    );
    assert_eq!(
        claim.storage,
        Storage::Lasting("PersistentVolumeClaim data".to_owned())
    );
    let nowhere = sample(
        "{name: storage-volume, mountPath: /data}",
        "{name: storage-volume, mountPath: /other}",
    );
    assert_eq!(nowhere.storage, Storage::EmptyDir);
    let templated = SAMPLE
        .replacen("kind: Deployment", "kind: StatefulSet", 1)
        .replace(
            "  strategy: {type: Recreate}",
            "  volumeClaimTemplates: [{metadata: {name: storage-volume}}]",
        );
    let found = shop(&templated);
    assert_eq!(
        only(&found).storage,
        Storage::Lasting("PersistentVolumeClaim storage-volume".to_owned())
    );
    assert_eq!(only(&found).strategy, "RollingUpdate");
    assert!(only(&found).obstacles.is_empty());
}

#[test]
fn a_reloader_must_see_the_configuration() {
    let blind = sample(
        "volumeMounts: [{name: config-volume, mountPath: /etc/config, readOnly: true}]",
        "volumeMounts: []",
    );
    assert!(!blind.reloader);
    let classic = sample(
        "image: ghcr.io/prometheus-operator/prometheus-config-reloader:v0.89.0",
        "image: 'jimmidyson/configmap-reload:v0.9'",
    );
    assert!(classic.reloader);
}

#[test]
fn owned_ones_are_shown_with_their_owner() {
    let operator = sample(
        "labels: {app.kubernetes.io/name: prometheus, helm.sh/chart: prometheus-28.13.0}}",
        "ownerReferences: [{apiVersion: monitoring.coreos.com/v1, kind: Prometheus, name: main}]}",
    );
    assert_eq!(operator.flavour, PrometheusFlavour::Operator);
    assert_eq!(
        operator.owner.as_ref().map(|o| o.tool),
        Some(OwnerTool::Operator)
    );
    assert_eq!(words(&operator.obstacles), ["Owned"]);
    let reason = &operator.obstacles[0].said();
    assert!(reason.contains("Prometheus istio-system/main"), "{reason}");
    let way = operator.by_export().expect("a way on");
    assert!(
        way.contains("--prometheus istio-system/Deployment/prometheus -n"),
        "{way}"
    );
    let helm = sample(
        "labels: {app.kubernetes.io/name: prometheus, helm.sh/chart: prometheus-28.13.0}}",
        "labels: {app.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: prom}}",
    );
    assert_eq!(words(&helm.obstacles), ["Owned"]);
    assert_eq!(helm.by_export(), None, "its owner can be named");
}

#[test]
fn the_community_charts_flavour() {
    let found = sample(
        "metadata: {name: prometheus, namespace: istio-system, labels",
        "metadata: {name: obs-prometheus-server, namespace: istio-system, labels",
    );
    assert_eq!(found.flavour, PrometheusFlavour::CommunityChart);
    assert!(found.obstacles.is_empty());
}

#[test]
fn agents_are_not_covered() {
    let agent = sample("--web.enable-lifecycle]", "--agent]");
    assert_eq!(words(&agent.obstacles), ["PrometheusAgent"]);
    let found = shop("
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: vm, namespace: shop}
spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: vm, image: 'victoriametrics/vmagent:v1', args: ['-promscrape.config=/c.yml']}]}}}
");
    assert_eq!(words(&only(&found).obstacles), ["VmAgent"]);
}

#[test]
fn where_no_sidecar_is_possible_there_is_no_certificate() {
    let host = sample("serviceAccountName: prometheus", "hostNetwork: true");
    assert_eq!(words(&host.obstacles), ["HostNetwork"]);
}

/// The template's metadata and volumes as the corrected recipe leaves them.
fn secured() -> String {
    SAMPLE
        .replace(
            "metadata: {labels: {app.kubernetes.io/name: prometheus, sidecar.istio.io/inject: 'false'}}",
            "metadata: {labels: {app.kubernetes.io/name: prometheus, sidecar.istio.io/inject: 'true'}, annotations: {traffic.sidecar.istio.io/includeOutboundIPRanges: '', proxy.istio.io/config: '{\"proxyMetadata\": {\"OUTPUT_CERTS\": \"/etc/istio-certs\"}}', sidecar.istio.io/userVolumeMount: '[{\"name\": \"istio-certs\", \"mountPath\": \"/etc/istio-certs\"}]'}}",
        )
        .replace("{name: storage-volume, mountPath: /data}", "{name: storage-volume, mountPath: /data}, {name: istio-certs, mountPath: /certs, readOnly: true}")
        .replace("{name: storage-volume, emptyDir: {}}", "{name: storage-volume, emptyDir: {}}, {name: istio-certs, emptyDir: {medium: Memory}}")
}

#[test]
fn certificates_that_both_containers_share() {
    let found = shop(&secured());
    assert_eq!(only(&found).certificates.as_deref(), Some("/certs"));
    assert!(only(&found).faults.is_empty(), "{:?}", only(&found).faults);
    let by_name = secured().replace(
        "[{\"name\": \"istio-certs\", \"mountPath\": \"/etc/istio-certs\"}]",
        "{\"istio-certs\": {\"mountPath\": \"/etc/istio-certs\"}}",
    );
    assert_eq!(
        only(&shop(&by_name)).certificates.as_deref(),
        Some("/certs")
    );
}

fn faults(from: &str, to: &str) -> Vec<String> {
    let text = secured();
    assert!(text.contains(from), "{from}");
    let found = shop(&text.replace(from, to));
    let prometheus = only(&found);
    assert_eq!(
        found
            .leftovers
            .iter()
            .filter(|l| l.kind == crate::mesh::LeftoverKind::PrometheusPod)
            .count(),
        1
    );
    prometheus
        .faults
        .iter()
        .map(|fault| format!("{fault:?}"))
        .collect()
}

#[test]
fn each_fault_of_the_published_pod_is_found() {
    let secret = faults(
        "{name: istio-certs, emptyDir: {medium: Memory}}",
        "{name: istio-certs, secret: {secretName: istio.default}}",
    );
    assert!(
        secret.len() == 1 && secret[0].contains("istio.default"),
        "{secret:?}"
    );
    let read_only = faults(
        "\"mountPath\": \"/etc/istio-certs\"}]",
        "\"mountPath\": \"/etc/istio-certs\", \"readOnly\": true}]",
    );
    assert!(
        read_only.len() == 1 && read_only[0].contains("CertificatesReadOnly"),
        "{read_only:?}"
    );
    let unshared = faults(
        ", {name: istio-certs, mountPath: /certs, readOnly: true}",
        "",
    );
    assert!(
        unshared.len() == 1 && unshared[0].contains("prometheus-server"),
        "{unshared:?}"
    );
    let no_op = faults(
        "{\"OUTPUT_CERTS\"",
        "{\"INBOUND_CAPTURE_PORTS\": \"\", \"OUTPUT_CERTS\"",
    );
    assert!(
        no_op.len() == 1 && no_op[0].contains("INBOUND_CAPTURE_PORTS"),
        "{no_op:?}"
    );
    let annotation = faults(
        "sidecar.istio.io/inject: 'true'}, annotations: {",
        "sidecar.istio.io/inject: 'false'}, annotations: {sidecar.istio.io/inject: 'true', ",
    );
    assert!(
        annotation.len() == 1 && annotation[0].contains("InjectAnnotationUnread"),
        "{annotation:?}"
    );
    let captured = faults("traffic.sidecar.istio.io/includeOutboundIPRanges: '', ", "");
    assert!(
        captured.len() == 1 && captured[0].contains("CapturesOwnScrapes"),
        "{captured:?}"
    );
}

#[test]
fn a_set_up_that_cannot_work_gives_no_certificates() {
    for (from, to) in [
        (
            "{name: istio-certs, emptyDir: {medium: Memory}}",
            "{name: istio-certs, secret: {secretName: istio.default}}",
        ),
        (
            ", {name: istio-certs, mountPath: /certs, readOnly: true}",
            "",
        ),
        (
            "\"mountPath\": \"/etc/istio-certs\"}]",
            "\"mountPath\": \"/etc/istio-certs\", \"readOnly\": true}]",
        ),
        ("{\"OUTPUT_CERTS\": \"/etc/istio-certs\"}", "{}"),
    ] {
        let text = secured();
        assert!(text.contains(from), "{from}");
        assert_eq!(
            only(&shop(&text.replace(from, to))).certificates,
            None,
            "{from}"
        );
    }
}

#[test]
fn jobs_decide_whether_a_pod_is_scraped_in_plaintext() {
    assert_eq!(cart(SAMPLE).scraped.plaintext, Some(15020));
    let none = SAMPLE.replace("prometheus_io_scrape]", "example_scrape]");
    assert_eq!(cart(&none).scraped.plaintext, None);
    let leaves_out = SAMPLE.replace(
        "      relabel_configs:\n",
        "      relabel_configs:\n      - {source_labels: [__meta_kubernetes_pod_annotationpresent_prometheus_istio_io_secure_port], action: drop, regex: 'true'}\n",
    );
    assert_ne!(leaves_out, SAMPLE);
    assert_eq!(cart(&leaves_out).scraped.plaintext, Some(15020));
    let annotated = format!("{ISTIO}{SHOP}{leaves_out}").replace(
        "annotations: {",
        "annotations: {prometheus.istio.io/secure-port: '15091', ",
    );
    let cart = workload(&mesh(&annotated), "shop/Deployment/cart");
    assert_eq!(cart.scraped.plaintext, None);
    assert!(cart.scraped.secure && !cart.scraped.secure_template);
    assert_eq!(cart.pods[0].secure_port.as_deref(), Some("15091"));
}
