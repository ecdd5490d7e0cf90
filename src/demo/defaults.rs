//! What the API server adds to objects by itself, and the little it checks.

use serde_json::{Map, Value, json};

use super::json::{as_map, at, has_labels, list, map_at, name, number_of, text};
use super::kinds::{self, Kind};

fn default(map: &mut Map<String, Value>, key: &str, value: Value) {
    let entry = map.entry(key.to_owned()).or_insert(Value::Null);
    if entry.is_null() {
        *entry = value;
    }
}

/// Adds the defaults of the kinds whose noise a client has to know.
pub fn fill(kind: &Kind, object: &mut Value) {
    prune_nulls(object);
    if kind.plural == "pods" {
        pod_spec(map_at(object, &["spec"]));
    } else if *kind == kinds::SERVICE {
        service(object);
    } else if kind.group == "apps" {
        let spec = map_at(object, &["spec"]);
        default(spec, "replicas", json!(1));
        match kind.kind {
            "Deployment" => {
                default(spec, "progressDeadlineSeconds", json!(600));
                default(spec, "revisionHistoryLimit", json!(10));
                default(spec, "strategy", json!({"type": "RollingUpdate"}));
                let strategy = map_at(object, &["spec", "strategy"]);
                if strategy.get("type").is_some_and(|t| t == "RollingUpdate") {
                    default(
                        strategy,
                        "rollingUpdate",
                        json!({"maxSurge": "25%", "maxUnavailable": "25%"}),
                    );
                }
            }
            "StatefulSet" => {
                default(spec, "podManagementPolicy", json!("OrderedReady"));
                default(spec, "revisionHistoryLimit", json!(10));
                default(
                    spec,
                    "updateStrategy",
                    json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
                );
            }
            "DaemonSet" => {
                spec.remove("replicas");
                default(spec, "revisionHistoryLimit", json!(10));
                default(
                    spec,
                    "updateStrategy",
                    json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}),
                );
            }
            _ => {}
        }
        pod_spec(map_at(object, &["spec", "template", "spec"]));
    } else if *kind == kinds::NAMESPACE {
        let own = name(object).to_owned();
        map_at(object, &["metadata", "labels"])
            .insert("kubernetes.io/metadata.name".into(), json!(own));
        default(
            map_at(object, &["spec"]),
            "finalizers",
            json!(["kubernetes"]),
        );
        default(map_at(object, &["status"]), "phase", json!("Active"));
    } else if *kind == kinds::SECRET {
        default(as_map(object), "type", json!("Opaque"));
        let plain: Vec<(String, Value)> = at(object, "/stringData")
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| {
                (
                    key.clone(),
                    json!(base64(value.as_str().unwrap_or("").as_bytes())),
                )
            })
            .collect();
        if !plain.is_empty() {
            map_at(object, &["data"]).extend(plain);
            as_map(object).remove("stringData");
        }
    }
}

/// A server keeps no explicit nulls.
fn prune_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, child| !child.is_null());
            map.values_mut().for_each(prune_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(prune_nulls),
        _ => {}
    }
}

fn pod_spec(spec: &mut Map<String, Value>) {
    default(spec, "restartPolicy", json!("Always"));
    default(spec, "dnsPolicy", json!("ClusterFirst"));
    default(spec, "schedulerName", json!("default-scheduler"));
    default(spec, "securityContext", json!({}));
    default(spec, "terminationGracePeriodSeconds", json!(30));
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        default(spec, "serviceAccount", account);
    }
    for field in ["containers", "initContainers"] {
        for container in spec
            .get_mut(field)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let container = as_map(container);
            let image = container.get("image").and_then(Value::as_str).unwrap_or("");
            let last = image.rsplit('/').next().unwrap_or("");
            let moving = !last.contains(':') || last.ends_with(":latest");
            let policy = if moving { "Always" } else { "IfNotPresent" };
            default(container, "imagePullPolicy", json!(policy));
            default(
                container,
                "terminationMessagePath",
                json!("/dev/termination-log"),
            );
            default(container, "terminationMessagePolicy", json!("File"));
            default(container, "resources", json!({}));
            for port in container
                .get_mut("ports")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                default(as_map(port), "protocol", json!("TCP"));
            }
        }
    }
    for volume in spec
        .get_mut("volumes")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        for source in ["configMap", "secret", "projected", "downwardAPI"] {
            if let Some(source) = volume.get_mut(source) {
                default(as_map(source), "defaultMode", json!(420));
            }
        }
    }
}

fn service(object: &mut Value) {
    let seed = number_of(&format!(
        "{}/{}",
        text(object, "/metadata/namespace"),
        name(object)
    ));
    let spec = map_at(object, &["spec"]);
    default(spec, "type", json!("ClusterIP"));
    default(spec, "sessionAffinity", json!("None"));
    default(spec, "internalTrafficPolicy", json!("Cluster"));
    let address = format!("10.96.{}.{}", (seed >> 8) % 256, 1 + seed % 254);
    default(spec, "clusterIP", json!(address));
    for port in spec
        .get_mut("ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let port = as_map(port);
        default(port, "protocol", json!("TCP"));
        let number = port.get("port").cloned().unwrap_or(Value::Null);
        default(port, "targetPort", number);
    }
}

/// One thing wrong with an object: field, reason code, words.
#[derive(Debug)]
pub struct Invalid {
    pub field: &'static str,
    pub message: String,
}

fn invalid(field: &'static str, message: impl Into<String>) -> Option<Invalid> {
    Some(Invalid {
        field,
        message: message.into(),
    })
}

/// The checks of real servers that a plan can fall over.
pub fn check(kind: &Kind, old: Option<&Value>, object: &Value) -> Option<Invalid> {
    let own = name(object);
    let shape = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if own.is_empty() || own.len() > 253 || !own.chars().all(shape) {
        return invalid(
            "metadata.name",
            format!(
                "Invalid value: {own:?}: a lowercase RFC 1123 subdomain must consist of lower case \
                 alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
            ),
        );
    }
    if kind.group == "apps" {
        let labels = at(object, "/spec/template/metadata/labels");
        let wanted = at(object, "/spec/selector/matchLabels");
        if !has_labels(wanted, labels) {
            return invalid(
                "spec.template.metadata.labels",
                format!("Invalid value: {labels}: `selector` does not match template `labels`"),
            );
        }
        if old.is_some_and(|old| at(old, "/spec/selector") != at(object, "/spec/selector")) {
            return invalid(
                "spec.selector",
                format!("Invalid value: {wanted}: field is immutable"),
            );
        }
        if list(object, "/spec/template/spec/containers").is_empty() {
            return invalid("spec.template.spec.containers", "Required value");
        }
        return volumes(
            at(object, "/spec/template/spec"),
            "spec.template.spec.containers[0].volumeMounts[0].name",
        );
    }
    if *kind == kinds::POD {
        return volumes(
            at(object, "/spec"),
            "spec.containers[0].volumeMounts[0].name",
        );
    }
    if *kind == kinds::PEER_AUTHENTICATION
        && at(object, "/spec/portLevelMtls").is_object()
        && at(object, "/spec/selector/matchLabels")
            .as_object()
            .is_none_or(Map::is_empty)
    {
        return invalid(
            "spec",
            "Invalid value: \"object\": portLevelMtls requires selector",
        );
    }
    if *kind == kinds::SIDECAR {
        for ingress in list(object, "/spec/ingress") {
            if !at(ingress, "/port").is_object() {
                return invalid("spec.ingress[0].port", "Required value");
            }
        }
    }
    if *kind == kinds::GATEWAY && list(object, "/spec/servers").is_empty() {
        return invalid("spec.servers", "Required value");
    }
    None
}

fn volumes(spec: &Value, field: &'static str) -> Option<Invalid> {
    let known: Vec<&str> = list(spec, "/volumes")
        .iter()
        .map(|v| text(v, "/name"))
        .collect();
    for container in list(spec, "/containers")
        .iter()
        .chain(list(spec, "/initContainers"))
    {
        for mount in list(container, "/volumeMounts") {
            let wanted = text(mount, "/name");
            if !known.contains(&wanted) {
                return invalid(field, format!("Not found: {wanted:?}"));
            }
        }
    }
    None
}

/// Standard base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .chain([0, 0].iter().take(3 - chunk.len()))
            .fold(0_usize, |word, byte| word << 8 | usize::from(*byte));
        for index in 0..4 {
            if index <= chunk.len() {
                out.push(char::from(ALPHABET[(word >> (18 - 6 * index)) & 63]));
            } else {
                out.push('=');
            }
        }
    }
    out
}
