//! How a Prometheus pod template gets Istio certificates (`OUTPUT_CERTS`), and the known faults of it.

use super::config_source::volume;
use super::injection::INJECT;
use super::objects::{Container, Template};
use crate::problems::{Problem, Subject};
use crate::reach::outbound::{EXCLUDE_PORTS, INCLUDE_RANGES, Outbound};
use serde_json::Value;

const PROXY_CONFIG: &str = "proxy.istio.io/config";
const USER_MOUNTS: &str = "sidecar.istio.io/userVolumeMount";
const INJECTED: &str = "sidecar.istio.io/status";
const USER_VOLUMES: &str = "sidecar.istio.io/userVolume";
const SECURE_PORT: u16 = 15091;
/// What the published task sets, and no Istio reads.
const CAPTURE_PORTS: &str = "INBOUND_CAPTURE_PORTS";
/// The Secret that Citadel wrote for each service account, and that nothing writes any more.
const GONE_SECRET: &str = "istio.default";

/// A mount that injection adds to istio-proxy.
struct ProxyMount {
    volume: String,
    path: String,
    read_only: bool,
}

fn annotation<'t>(template: &'t Template, key: &str) -> Option<&'t str> {
    template.metadata.annotations.get(key).map(String::as_str)
}

const OUTPUT_CERTS: &str = "OUTPUT_CERTS";

/// Traffic is redirected to the template's own proxy only by an init container that stands there as well, or by Istio's
/// CNI plugin, which leaves pods alone that do not carry the injector's annotation (istio, `cni/pkg/plugin`).
pub(super) fn redirects(template: &Template) -> bool {
    let mut all = template.spec.init_containers.iter();
    template.own_proxy().is_none()
        || all.any(|container| container.name == "istio-init")
        || annotation(template, INJECTED).is_some()
}

/// Where the agent writes the certificates: `OUTPUT_CERTS` of its `proxyMetadata`, or of the environment of a proxy in
/// the template itself.
fn output(template: &Template) -> Option<String> {
    let own = || template.own_proxy()?.env.get(OUTPUT_CERTS).cloned();
    let injected = || {
        let config: Value = serde_yaml::from_str(annotation(template, PROXY_CONFIG)?).ok()?;
        let path = config["proxyMetadata"][OUTPUT_CERTS].as_str()?;
        Some(path.to_owned())
    };
    let path = own().or_else(injected)?;
    let path = path.trim_end_matches('/');
    (!path.is_empty()).then(|| path.to_owned())
}

/// Those of a proxy in the template itself, then what the annotation adds: JSON, as a list of mounts or as a map by
/// volume name. Istio takes both.
fn proxy_mounts(template: &Template) -> Vec<ProxyMount> {
    let own = template.own_proxy().map(|proxy| &proxy.volume_mounts);
    let own = own.into_iter().flatten().map(|mount| ProxyMount {
        volume: mount.name.clone(),
        path: mount.mount_path.trim_end_matches('/').to_owned(),
        read_only: mount.read_only,
    });
    own.chain(added_mounts(template)).collect()
}

fn added_mounts(template: &Template) -> Vec<ProxyMount> {
    let parsed = annotation(template, USER_MOUNTS).and_then(|text| serde_json::from_str(text).ok());
    let mount = |name: Option<&str>, value: &Value| {
        Some(ProxyMount {
            volume: value["name"].as_str().or(name)?.to_owned(),
            path: value["mountPath"]
                .as_str()?
                .trim_end_matches('/')
                .to_owned(),
            read_only: value["readOnly"].as_bool().unwrap_or(false),
        })
    };
    match parsed {
        Some(Value::Array(list)) => list.iter().filter_map(|value| mount(None, value)).collect(),
        Some(Value::Object(map)) => map
            .iter()
            .filter_map(|(name, value)| mount(Some(name), value))
            .collect(),
        _ => Vec::new(),
    }
}

/// The mount of istio-proxy that the certificates are written into, and what follows its path.
fn written_to(template: &Template) -> Option<(ProxyMount, String)> {
    let path = output(template)?;
    proxy_mounts(template).into_iter().find_map(|mount| {
        let rest = path.strip_prefix(&mount.path)?;
        let inside = rest.is_empty() || rest.starts_with('/');
        let rest = rest.to_owned();
        inside.then_some((mount, rest))
    })
}

fn own_mount<'c>(container: &'c Container, volume: &str) -> Option<&'c str> {
    container
        .volume_mounts
        .iter()
        .find(|mount| mount.name == volume)
        .map(|mount| mount.mount_path.trim_end_matches('/'))
}

/// Declared in the template, or added by the injector's own annotation.
fn volume_of(template: &Template, name: &str) -> Option<Value> {
    volume(template, name).cloned().or_else(|| {
        let added: Value = serde_json::from_str(annotation(template, USER_VOLUMES)?).ok()?;
        let by_name = |list: &Vec<Value>| {
            list.iter()
                .find(|v| v["name"].as_str() == Some(name))
                .cloned()
        };
        match &added {
            Value::Array(list) => by_name(list),
            other => other.get(name).cloned(),
        }
    })
}

/// The directory in Prometheus's own container where the certificates appear; `None` where the set-up does
/// not work.
pub(super) fn shared(template: &Template, container: &Container) -> Option<String> {
    let (mount, rest) = written_to(template)?;
    let writable = !mount.read_only && volume_of(template, &mount.volume)?["secret"].is_null();
    let own = own_mount(container, &mount.volume)?;
    writable.then(|| format!("{own}{rest}"))
}

/// Faults of the published recipe. `outbound`: what its sidecar captures today, where it has one.
pub(super) fn faults(
    of: &Subject,
    template: &Template,
    container: &Container,
    outbound: Option<&Outbound>,
) -> Vec<Problem> {
    let of = || of.clone();
    let mut found = Vec::new();
    let volumes = template.spec.volumes.iter();
    let gone = volumes
        .filter(|volume| volume["secret"]["secretName"].as_str() == Some(GONE_SECRET))
        .filter_map(|volume| volume["name"].as_str())
        .next();
    if let Some(name) = gone {
        found.push(Problem::SecretNeverCreated {
            of: of(),
            volume: name.to_owned(),
            secret: GONE_SECRET.to_owned(),
        });
    }
    let written = written_to(template);
    if let Some((mount, _)) = &written {
        let volume = mount.volume.clone();
        if mount.read_only {
            found.push(Problem::CertificatesReadOnly {
                of: of(),
                volume: volume.clone(),
            });
        }
        if own_mount(container, &volume).is_none() {
            found.push(Problem::CertificatesNotMounted {
                of: of(),
                volume,
                container: container.name.clone(),
            });
        }
    }
    let config = annotation(template, PROXY_CONFIG).unwrap_or_default();
    if config.contains(CAPTURE_PORTS) {
        found.push(Problem::CapturePortsUnread {
            of: of(),
            setting: CAPTURE_PORTS.to_owned(),
        });
    }
    let label = template.metadata.labels.get(INJECT).map(String::as_str);
    if annotation(template, INJECT) == Some("true") && label != Some("true") {
        found.push(Problem::InjectAnnotationUnread {
            of: of(),
            key: INJECT.to_owned(),
        });
    }
    if output(template).is_some() && redirects(template) {
        match outbound {
            Some(outbound) if outbound.captures_port(SECURE_PORT) => {
                found.push(Problem::CapturesOwnScrapes {
                    of: of(),
                    setting: EXCLUDE_PORTS.to_owned(),
                    port: Some(SECURE_PORT),
                });
            }
            None if annotation(template, INCLUDE_RANGES) != Some("") => {
                found.push(Problem::CapturesOwnScrapes {
                    of: of(),
                    setting: INCLUDE_RANGES.to_owned(),
                    port: None,
                });
            }
            _ => {}
        }
    }
    found
}
