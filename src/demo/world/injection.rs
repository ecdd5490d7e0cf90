//! The sidecar injection webhook and Pod Security, on a pod about to be created.

use serde_json::{Map, Value, json};

use crate::demo::json::{
    annotation, as_map, at, label, labels, list, list_at, map_at, name, namespace, selected, text,
};
use crate::demo::kinds;
use crate::demo::store::Store;

/// What the rules need from mesh config (ConfigMap `istio`, key `mesh`).
#[derive(Clone, Debug, PartialEq)]
pub struct Mesh {
    pub root_namespace: String,
    pub trust_domain: String,
    pub merge_metrics: bool,
    pub proxy_metadata: Map<String, Value>,
}

impl Mesh {
    /// Reads it from the store; Istio's own defaults where something is absent.
    pub fn read(store: &Store, istio_namespace: &str) -> Mesh {
        let text_of = store
            .get(&kinds::CONFIG_MAP, istio_namespace, "istio")
            .map(|map| text(map, "/data/mesh").to_owned())
            .unwrap_or_default();
        let mesh: Value = serde_yaml::from_str(&text_of).unwrap_or(Value::Null);
        let or = |pointer: &str, other: &str| match text(&mesh, pointer) {
            "" => other.to_owned(),
            found => found.to_owned(),
        };
        Mesh {
            root_namespace: or("/rootNamespace", istio_namespace),
            trust_domain: or("/trustDomain", "cluster.local"),
            merge_metrics: at(&mesh, "/enablePrometheusMerge") != &Value::Bool(false),
            proxy_metadata: at(&mesh, "/defaultConfig/proxyMetadata")
                .as_object()
                .cloned()
                .unwrap_or_default(),
        }
    }
}

const NEVER: [&str; 4] = [
    "kube-system",
    "kube-public",
    "kube-node-lease",
    "local-path-storage",
];

/// The revision whose webhook the selectors of the webhook configurations choose.
fn called(store: &Store, ns: &Value, pod: &Value) -> Option<String> {
    let all = store.all(&kinds::WEBHOOK);
    all.filter(|config| label(config, "istio.io/rev").is_some())
        .find(|config| {
            list(config, "/webhooks").iter().any(|webhook| {
                selected(at(webhook, "/namespaceSelector"), labels(ns))
                    && selected(at(webhook, "/objectSelector"), labels(pod))
            })
        })
        .and_then(|config| label(config, "istio.io/rev"))
        .map(str::to_owned)
}

/// Which revision's webhook is called for this pod, and injects; `None` when none does.
pub fn injector(store: &Store, ns: &Value, pod: &Value) -> Option<String> {
    // The injector itself leaves these alone, whatever its webhook's selectors say.
    if NEVER.contains(&name(ns)) || at(pod, "/spec/hostNetwork") == &Value::Bool(true) {
        return None;
    }
    let revision = called(store, ns, pod)?;
    let by_annotation = annotation(pod, "sidecar.istio.io/inject");
    let by_label = label(pod, "sidecar.istio.io/inject");
    (by_label.or(by_annotation) != Some("false")).then_some(revision)
}

/// `proxyMetadata` of mesh config with the pod's own `proxy.istio.io/config` over it.
fn proxy_metadata(mesh: &Mesh, pod: &Value) -> Map<String, Value> {
    let mut metadata = mesh.proxy_metadata.clone();
    let own = annotation(pod, "proxy.istio.io/config").unwrap_or("");
    let own: Value = serde_yaml::from_str(own).unwrap_or(Value::Null);
    metadata.extend(
        at(&own, "/proxyMetadata")
            .as_object()
            .cloned()
            .unwrap_or_default(),
    );
    metadata
}

/// What a sidecar's injection depends on besides the pod.
pub struct Injection<'a> {
    pub mesh: &'a Mesh,
    pub revision: &'a str,
    pub version: &'a str,
    /// Sidecars as init containers that go on running.
    pub native: bool,
}

/// The template for gateways: their own container becomes the proxy, and no sidecar comes beside it.
fn inject_gateway(pod: &mut Value, with: &Injection) {
    let image = format!("docker.io/istio/proxyv2:{}", with.version);
    let domain = format!("{}.svc.cluster.local", namespace(pod));
    for container in list_at(pod, &["spec"], "containers") {
        if text(container, "/name") == "istio-proxy" {
            let container = as_map(container);
            container.insert("image".into(), json!(image));
            container.insert(
                "args".into(),
                json!(["proxy", "router", "--domain", domain]),
            );
        }
    }
    let status = json!({"containers": ["istio-proxy"], "revision": with.revision});
    map_at(pod, &["metadata", "annotations"])
        .insert("sidecar.istio.io/status".into(), json!(status.to_string()));
}

/// Changes the pod as the webhook does.
pub fn inject(pod: &mut Value, with: &Injection) {
    merge_metrics(pod, with.mesh);
    if annotation(pod, "inject.istio.io/templates") == Some("gateway") {
        return inject_gateway(pod, with);
    }
    let metadata = proxy_metadata(with.mesh, pod);
    let image = format!("docker.io/istio/proxyv2:{}", with.version);
    let native = match annotation(pod, "sidecar.istio.io/nativeSidecar") {
        Some(word) => word == "true",
        None => with.native,
    };
    let ns = namespace(pod).to_owned();
    let app = label(pod, "app.kubernetes.io/name")
        .or_else(|| label(pod, "app"))
        .map_or_else(|| workload_of(pod), str::to_owned);
    let version = label(pod, "app.kubernetes.io/version")
        .or_else(|| label(pod, "version"))
        .unwrap_or("latest")
        .to_owned();

    let mut mounts = vec![
        json!({"name": "istiod-ca-cert", "mountPath": "/var/run/secrets/istio"}),
        json!({"name": "istio-data", "mountPath": "/var/lib/istio/data"}),
        json!({"name": "istio-envoy", "mountPath": "/etc/istio/proxy"}),
        json!({"name": "istio-token", "mountPath": "/var/run/secrets/tokens"}),
    ];
    let user: Value = annotation(pod, "sidecar.istio.io/userVolumeMount")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or(Value::Null);
    match user {
        Value::Array(items) => mounts.extend(items),
        // The map form: volume name → mount.
        Value::Object(map) => mounts.extend(map.into_iter().map(|(volume, mut mount)| {
            as_map(&mut mount).insert("name".into(), json!(volume));
            mount
        })),
        _ => {}
    }
    let mut env = vec![
        json!({"name": "PILOT_CERT_PROVIDER", "value": "istiod"}),
        json!({"name": "ISTIO_META_CLUSTER_ID", "value": "Kubernetes"}),
        json!({"name": "TRUST_DOMAIN", "value": with.mesh.trust_domain}),
    ];
    env.extend(metadata.iter().map(|(key, value)| {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        json!({"name": key, "value": value})
    }));
    let mut proxy = json!({
        "name": "istio-proxy", "image": image,
        "args": ["proxy", "sidecar", "--domain", format!("{ns}.svc.cluster.local"), "--proxyLogLevel=warning"],
        "ports": [{"containerPort": 15090, "name": "http-envoy-prom", "protocol": "TCP"}],
        "env": env, "volumeMounts": mounts,
        "readinessProbe": {"httpGet": {"path": "/healthz/ready", "port": 15021}},
        "securityContext": {"allowPrivilegeEscalation": false, "privileged": false, "runAsUser": 1337,
                            "capabilities": {"drop": ["ALL"]}},
    });
    let init = json!({
        "name": "istio-init", "image": image,
        "args": ["istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337",
                 "-b", annotation(pod, "traffic.sidecar.istio.io/includeInboundPorts").unwrap_or("*"),
                 "-i", annotation(pod, "traffic.sidecar.istio.io/includeOutboundIPRanges").unwrap_or("*")],
        "securityContext": {"allowPrivilegeEscalation": false, "privileged": false, "runAsUser": 0,
                            "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]}},
    });
    let inits = list_at(pod, &["spec"], "initContainers");
    inits.insert(0, init);
    if native {
        as_map(&mut proxy).insert("restartPolicy".into(), json!("Always"));
        inits.insert(1, proxy);
    } else {
        list_at(pod, &["spec"], "containers").push(proxy);
    }
    let volumes = list_at(pod, &["spec"], "volumes");
    volumes.extend([
        json!({"name": "istio-envoy", "emptyDir": {"medium": "Memory"}}),
        json!({"name": "istio-data", "emptyDir": {}}),
        json!({"name": "istio-token", "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"audience": "istio-ca", "expirationSeconds": 43200, "path": "istio-token"}}]}}),
        json!({"name": "istiod-ca-cert", "configMap": {"name": "istio-ca-root-cert", "defaultMode": 420}}),
    ]);
    let status = json!({
        "initContainers": if native { json!(["istio-init", "istio-proxy"]) } else { json!(["istio-init"]) },
        "containers": if native { Value::Null } else { json!(["istio-proxy"]) },
        "volumes": ["istio-envoy", "istio-data", "istio-token", "istiod-ca-cert"],
        "imagePullSecrets": null, "revision": with.revision,
    });
    mark_native(pod);
    let annotations = map_at(pod, &["metadata", "annotations"]);
    annotations.insert("sidecar.istio.io/status".into(), json!(status.to_string()));
    let labels = map_at(pod, &["metadata", "labels"]);
    let mut set = |key: &str, value: &str| {
        labels.entry(key.to_owned()).or_insert_with(|| json!(value));
    };
    set("security.istio.io/tlsMode", "istio");
    set("service.istio.io/canonical-name", &app);
    set("service.istio.io/canonical-revision", &version);
}

fn workload_of(pod: &Value) -> String {
    let generated = text(pod, "/metadata/generateName").trim_end_matches('-');
    let base = if generated.is_empty() {
        name(pod)
    } else {
        generated
    };
    match label(pod, "pod-template-hash") {
        Some(hash) => base.trim_end_matches(hash).trim_end_matches('-').to_owned(),
        None => base.to_owned(),
    }
}

/// The merging of the app's metrics into the agent's: the `prometheus.io/*` annotations point to 15020.
fn merge_metrics(pod: &mut Value, mesh: &Mesh) {
    let on = match annotation(pod, "prometheus.istio.io/merge-metrics") {
        Some(word) => word == "true",
        None => mesh.merge_metrics,
    };
    let scrape = annotation(pod, "prometheus.io/scrape");
    let port = annotation(pod, "prometheus.io/port");
    if !on || scrape == Some("false") || port == Some("15020") {
        return;
    }
    let annotations = map_at(pod, &["metadata", "annotations"]);
    annotations.insert("prometheus.io/scrape".into(), json!("true"));
    annotations.insert("prometheus.io/port".into(), json!("15020"));
    annotations.insert("prometheus.io/path".into(), json!("/stats/prometheus"));
}

/// The injector's own mark on a pod whose proxy opens the merged native port (`pkg/kube/inject/webhook.go`,
/// `applySecurePrometheusAnnotation`).
fn mark_native(pod: &mut Value) {
    const SECURE_PORT: &str = "prometheus.istio.io/secure-port";
    let port = proxy_env(pod, "ENVOY_SECURE_MERGED_METRICS_PORT").filter(|port| *port != "0");
    let Some(port) = port.map(str::to_owned) else {
        return;
    };
    let annotations = map_at(pod, &["metadata", "annotations"]);
    annotations
        .entry(SECURE_PORT)
        .or_insert_with(|| json!(port));
}

/// Why Pod Security forbids the pod in this namespace, in the words of the admission plugin.
pub fn pod_security(ns: &Value, pod: &Value) -> Option<String> {
    let level = label(ns, "pod-security.kubernetes.io/enforce")?;
    if !matches!(level, "baseline" | "restricted") {
        return None;
    }
    let mut faults = Vec::new();
    if at(pod, "/spec/hostNetwork") == &Value::Bool(true) {
        faults.push("host namespaces (hostNetwork=true)".to_owned());
    }
    let containers = list(pod, "/spec/initContainers")
        .iter()
        .chain(list(pod, "/spec/containers"));
    for container in containers {
        let added: Vec<String> = list(container, "/securityContext/capabilities/add")
            .iter()
            .filter_map(Value::as_str)
            .filter(|cap| {
                level == "restricted" || matches!(*cap, "NET_ADMIN" | "NET_RAW" | "SYS_ADMIN")
            })
            .map(|cap| format!("{cap:?}"))
            .collect();
        if !added.is_empty() {
            let kind = if level == "baseline" {
                "non-default"
            } else {
                "unrestricted"
            };
            faults.push(format!(
                "{kind} capabilities (container {:?} must not include {} in securityContext.capabilities.add)",
                text(container, "/name"),
                added.join(", ")
            ));
        }
    }
    (!faults.is_empty()).then(|| {
        format!(
            "violates PodSecurity \"{level}:latest\": {}",
            faults.join(", ")
        )
    })
}

/// The sidecar container of a pod, in either place.
pub fn proxy_container(pod: &Value) -> Option<&Value> {
    list(pod, "/spec/containers")
        .iter()
        .chain(list(pod, "/spec/initContainers"))
        .find(|container| text(container, "/name") == "istio-proxy")
}

/// A variable of the sidecar's environment.
pub fn proxy_env<'a>(pod: &'a Value, variable: &str) -> Option<&'a str> {
    list(proxy_container(pod)?, "/env")
        .iter()
        .find(|entry| text(entry, "/name") == variable)
        .map(|entry| text(entry, "/value"))
        .filter(|value| !value.is_empty())
}

/// Where the agent writes certificates, and whether it can: directory, and whether a writable mount is there.
pub fn output_certs(pod: &Value) -> Option<(&str, bool)> {
    let directory = proxy_env(pod, "OUTPUT_CERTS")?;
    let mount = mount_of(proxy_container(pod)?, directory);
    let writable = mount.is_some_and(|mount| {
        let volume = list(pod, "/spec/volumes")
            .iter()
            .find(|volume| text(volume, "/name") == text(mount, "/name"));
        // Volumes of these kinds are read-only whatever the mount says.
        let fixed = |source| volume.is_none_or(|volume| volume.get(source).is_some());
        at(mount, "/readOnly") != &Value::Bool(true)
            && !["secret", "configMap", "projected", "downwardAPI"]
                .into_iter()
                .any(fixed)
    });
    Some((directory, writable))
}

/// The volume mount that a path of a container lies under.
pub fn mount_of<'a>(container: &'a Value, path: &str) -> Option<&'a Value> {
    list(container, "/volumeMounts")
        .iter()
        .filter(|mount| {
            let at = text(mount, "/mountPath").trim_end_matches('/');
            path == at
                || path
                    .strip_prefix(at)
                    .is_some_and(|rest| rest.starts_with('/'))
        })
        .max_by_key(|mount| text(mount, "/mountPath").len())
}
