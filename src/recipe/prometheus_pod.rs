//! Prometheus's own pod: a sidecar that captures nothing and writes the workload certificate into memory.
//!
//! Facts: inject is a label (fault 7); `INBOUND_CAPTURE_PORTS` is read by nothing, so capture is switched off by
//! the `traffic.sidecar.istio.io` annotations (fault 6); the volume is an `emptyDir` in memory, writable for the
//! agent (fault 4) and mounted by the Prometheus container as well (fault 5); `tlsMode: disabled` keeps meshed
//! clients on plaintext; `merge-metrics: "false"` keeps the pod from becoming a plaintext target itself. What the
//! sidecar of a Prometheus in the mesh captures already stays captured.

use super::pod_place::pod_place;
use super::{INJECT, SECURE_PORT, cert_watch, impacts, injection, template_intent};
use crate::error::Error;
use crate::mesh::{Mesh, NamespaceInjection, Prometheus};
use crate::plan::path::LeafPath;
use crate::plan::purpose::{Certificates, Purpose};
use crate::plan::scrape_config::emit;
use crate::plan::{Action, Await, Change, Expected, LeafEdit, Part};
use crate::problems::Problem;
use crate::reach::capture::left_out;
use crate::reach::outbound::{EXCLUDE_PORTS, INCLUDE_RANGES};
use crate::reach::sends::{Peer, peers};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const INBOUND: &str = "traffic.sidecar.istio.io/includeInboundPorts";
const MOUNTS: &str = "sidecar.istio.io/userVolumeMount";
const PROXY_CONFIG: &str = "proxy.istio.io/config";
/// Stands in the template of a Prometheus that reads its configuration only at its start.
const CONFIG_HASH: &str = "meshscrape.dev/scrape-config";

/// The change, and where the certificates lie for the scrape job.
pub(super) struct PrometheusPod {
    pub change: Option<Change>,
    /// Folder of the certificates, in the Prometheus container.
    pub certificates: String,
}

/// `config` names the configuration where only a restart loads it.
///
/// # Errors
/// Where injection cannot reach the pod, or an annotation that must be added to cannot be read.
pub(super) fn prometheus_pod(
    mesh: &Mesh,
    of: &Prometheus,
    repair: bool,
    config: impl Fn(&str) -> Option<String>,
) -> Result<PrometheusPod, Error> {
    if let Some(path) = &of.certificates
        && of.sidecar
        && of.faults.iter().all(stands_beside)
    {
        let change = config(path).map(|hash| {
            let annotations = BTreeMap::from([(CONFIG_HASH.to_owned(), hash)]);
            let template = json!({"metadata": {"annotations": annotations}});
            let restarts =
                of.template.metadata.annotations.get(CONFIG_HASH) != annotations.get(CONFIG_HASH);
            finish(
                of,
                Action::Apply {
                    intent: template_intent(&of.id.object(), template),
                },
                Purpose::ReadsConfig,
                restarts,
            )
        });
        return Ok(PrometheusPod {
            change,
            certificates: path.clone(),
        });
    }
    reachable(mesh, of)?;
    let place = Place::find(of)?;
    if place.secret.is_some() && !repair {
        return Err(Error::new(format!(
            "{} mounts a Secret that Istio no longer creates",
            of.id
        ))
        .cause(format!("volume {} of its pod template", place.volume))
        .hint("allow the fix (no --no-fix), or remove that volume"));
    }
    let mut labels = BTreeMap::from([(INJECT.to_owned(), "true".to_owned())]);
    let by_namespace = matches!(
        injection::namespace(mesh, &of.id.namespace),
        Some(NamespaceInjection::Revision(_))
    );
    if !by_namespace && let Some(revision) = injection::revision(mesh)? {
        labels.insert("istio.io/rev".into(), revision);
    }
    let mut annotations = capture(of, repair)?;
    if annotations.get(INBOUND).is_some_and(String::is_empty) {
        labels.insert("security.istio.io/tlsMode".into(), "disabled".into());
    }
    annotations.insert(MOUNTS.into(), place.mounts.clone());
    annotations.insert(PROXY_CONFIG.into(), proxy_config(of, &place.path, repair)?);
    if let Some(hash) = config(&place.path) {
        annotations.insert(CONFIG_HASH.into(), hash);
    }
    let operated = of.pod_home.operated().is_some();
    // The operator makes the reloader's container, and takes no arguments for it.
    let watch = match operated {
        true => None,
        false => cert_watch::of(of, &place.path, &place.volume),
    };
    let way = match (&place.secret, &of.outbound) {
        (Some(_), _) => Certificates::InPlaceOfSecret,
        (None, Some(_)) => Certificates::OwnSidecar,
        (None, None) => Certificates::Sidecar,
    };
    let purpose = Purpose::Certificates {
        way,
        reloader: watch.as_ref().map(|watch| watch.container.clone()),
    };
    let action = match (&place.secret, watch) {
        // Neither the source of a volume nor arguments that somebody else owns can be had by an apply. Of a resource
        // the lists are its owner's, whole.
        (secret, watch) if operated || secret.is_some() || watch.is_some() => Action::Edit {
            leaves: edits(of, &place, watch, &labels, &annotations),
        },
        _ => Action::Apply {
            intent: template_intent(&of.id.object(), template(of, &place, &labels, &annotations)),
        },
    };
    let mut change = finish(of, action, purpose, true);
    change.findings.extend(keeps(of));
    Ok(PrometheusPod {
        change: Some(change),
        certificates: place.path,
    })
}

/// A fault that takes nothing from a sidecar that runs: whatever injects it, that annotation does not.
pub(super) fn stands_beside(fault: &Problem) -> bool {
    matches!(fault, Problem::InjectAnnotationUnread { .. })
}

/// The annotations that say what the sidecar captures. A Prometheus that gets its first sidecar goes on as without
/// one. One that is in the mesh already may need it, for its alerts as for who reads it: all that changes there is
/// that its scrapes of the secure port, which speak mTLS themselves, pass the sidecar by.
///
/// # Errors
/// It sends something else to the secure port through the mesh.
fn capture(of: &Prometheus, repair: bool) -> Result<BTreeMap<String, String>, Error> {
    let mut annotations = BTreeMap::new();
    let Some(outbound) = &of.outbound else {
        for key in [INBOUND, INCLUDE_RANGES] {
            annotations.insert(key.to_owned(), String::new());
        }
        annotations.insert("prometheus.istio.io/merge-metrics".into(), "false".into());
        return Ok(annotations);
    };
    let today = &of.template.metadata.annotations;
    match today.get(INBOUND) {
        Some(ports) => _ = annotations.insert(INBOUND.to_owned(), ports.clone()),
        None if repair && captures_nothing(of)? => {
            _ = annotations.insert(INBOUND.to_owned(), String::new())
        }
        None => {}
    }
    if outbound.captures_port(SECURE_PORT) {
        let others = peers_of(of).unwrap_or_default();
        if let Some(peer) = others.into_iter().find(|p| p.port == Some(SECURE_PORT)) {
            return Err(Error::new(format!(
                "the sidecar of {} cannot exclude port {SECURE_PORT} from outbound capture",
                of.id
            ))
            .cause(format!(
                "its configuration names {peer} for {}, which goes through the sidecar today",
                peer.purpose.word()
            ))
            .hint("move that service to another port"));
        }
        annotations.insert(EXCLUDE_PORTS.into(), outbound.excluding(SECURE_PORT));
    } else if let Some(ports) = today.get(EXCLUDE_PORTS) {
        annotations.insert(EXCLUDE_PORTS.into(), ports.clone());
    }
    Ok(annotations)
}

/// That the port it is read at is captured by the sidecar that it has, and stays so.
pub(super) fn captured(of: &Prometheus, repair: bool) -> Option<Problem> {
    of.outbound.as_ref()?;
    if repair && captures_nothing(of).unwrap_or(true) {
        return None;
    }
    let left_out = left_out(&of.template.metadata.annotations, of.http_port);
    left_out.is_none().then(|| Problem::InboundStaysCaptured {
        of: (&of.id).into(),
        port: of.http_port,
    })
}

/// Whoever set this meant that nothing be captured inbound (fault 6).
fn captures_nothing(of: &Prometheus) -> Result<bool, Error> {
    let config = read_proxy_config(of)?;
    let metadata = config.get("proxyMetadata");
    Ok(metadata.is_some_and(|metadata| !metadata["INBOUND_CAPTURE_PORTS"].is_null()))
}

/// Whom it speaks to by its configuration; `None`: that was not read.
fn peers_of(of: &Prometheus) -> Option<Vec<Peer>> {
    peers(of.config.as_ref()?.text.as_deref().ok()?)
}

/// What stays as it is of the traffic of a Prometheus that is in the mesh already.
fn keeps(of: &Prometheus) -> Vec<Problem> {
    let Some(outbound) = of
        .outbound
        .as_ref()
        .filter(|o| o.captures_port(SECURE_PORT))
    else {
        return Vec::new();
    };
    // Each host is shown with what is sent there, in the order of the purposes.
    let named = |peers: Vec<Peer>| {
        let named = peers
            .iter()
            .map(|peer| format!("{} ({peer})", peer.purpose.word()));
        named.collect()
    };
    let mut said = vec![Problem::OutboundStaysCaptured {
        of: (&of.id).into(),
        peers: peers_of(of).map(named),
    }];
    if outbound.unread {
        said.push(Problem::MeshExclusionsReplaced {
            of: (&of.id).into(),
            annotation: EXCLUDE_PORTS.to_owned(),
        });
    }
    said
}

fn finish(of: &Prometheus, action: Action, purpose: Purpose, restarts: bool) -> Change {
    Change {
        item: Some(of.id.clone()),
        then: match of.pod_home.operated() {
            Some(_) => vec![
                Await::Operated(of.id.clone()),
                Await::Rollout(of.id.clone()),
            ],
            None => vec![Await::Rollout(of.id.clone())],
        },
        impacts: if restarts {
            impacts::prometheus(of)
        } else {
            Vec::new()
        },
        findings: impacts::restart(of)
            .filter(|_| restarts)
            .into_iter()
            .collect(),
        ..Change::new(of.pod_object(), Part::PrometheusPod, action, purpose)
    }
}

fn reachable(mesh: &Mesh, of: &Prometheus) -> Result<(), Error> {
    let why = match injection::namespace(mesh, &of.id.namespace) {
        Some(NamespaceInjection::Disabled) => "is labelled istio-injection=disabled",
        Some(NamespaceInjection::Never) => "is one that Istio never injects into",
        Some(NamespaceInjection::Ambient) => "is in ambient mode",
        _ => return Ok(()),
    };
    Err(Error::new(format!("{} cannot get a sidecar", of.id))
        .cause(format!("the namespace {} {why}", of.id.namespace)))
}

fn template(
    of: &Prometheus,
    place: &Place,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Value {
    json!({
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {
            "containers": [{
                "name": of.container,
                "volumeMounts": [place.own_mount()],
            }],
            "volumes": [{"name": place.volume, "emptyDir": {"medium": "Memory"}}],
        },
    })
}

/// The same as the apply, as leaves, so that what an apply cannot have comes in the same restart.
fn edits(
    of: &Prometheus,
    place: &Place,
    watch: Option<cert_watch::CertWatch>,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Vec<LeafEdit> {
    let at = pod_place(of);
    let mut leaves = Vec::new();
    for ((path, have), want) in [(&at.labels, labels), (&at.annotations, annotations)] {
        for (key, value) in want {
            if have.get(key) != Some(value) {
                leaves.push(set(
                    path.clone().field(key),
                    have.get(key).map(|v| v.as_str().into()),
                    Some(value.as_str().into()),
                ));
            }
        }
    }
    let (volumes, stand) = at.volumes;
    let volume = volumes.element("name", &place.volume);
    let memory = json!({"medium": "Memory"});
    let stands = stand.iter().find(|v| v["name"] == place.volume.as_str());
    match (&place.secret, stands) {
        (Some(secret), _) => {
            leaves.push(set(
                volume.clone().field("secret"),
                Some(secret.clone()),
                None,
            ));
            leaves.push(set(volume.field("emptyDir"), None, Some(memory)));
        }
        (None, None) => {
            leaves.push(set(
                volume,
                None,
                Some(json!({"name": place.volume, "emptyDir": memory})),
            ));
        }
        (None, Some(stands)) if stands["emptyDir"] != memory => {
            leaves.push(set(
                volume.field("emptyDir"),
                stands.get("emptyDir").cloned(),
                Some(memory),
            ));
        }
        (None, Some(_)) => {}
    }
    let (mounts, stand) = at.mounts;
    let same = |path: &str| path.trim_end_matches('/') == place.path.trim_end_matches('/');
    if !stand.iter().any(|mount| same(&mount.mount_path)) {
        let mount = mounts.element("mountPath", &place.path);
        leaves.push(set(mount, None, Some(place.own_mount())));
    }
    if let Some(watch) = watch {
        let containers = LeafPath::fields(["spec", "template", "spec", "containers"]);
        let container = containers.element("name", &watch.container);
        if watch.mount {
            let mounts = container
                .clone()
                .field("volumeMounts")
                .element("mountPath", &place.path);
            leaves.push(set(mounts, None, Some(place.own_mount())));
        }
        leaves.push(set(
            container.field("args"),
            Some(json!(watch.before)),
            Some(json!(watch.after)),
        ));
    }
    leaves
}

fn set(path: LeafPath, before: Option<Value>, to: Option<Value>) -> LeafEdit {
    LeafEdit {
        path,
        expect: before.map_or(Expected::Absent, Expected::Value),
        to,
    }
}

/// Volume and folder of the certificates: what is there and right is used again.
struct Place {
    path: String,
    volume: String,
    /// The stale Secret source of the volume, where it has one.
    secret: Option<Value>,
    /// The text of the `userVolumeMount` annotation.
    mounts: String,
}

impl Place {
    fn find(of: &Prometheus) -> Result<Place, Error> {
        let annotations = &of.template.metadata.annotations;
        let listed: Value = match annotations
            .get(MOUNTS)
            .filter(|text| !text.trim().is_empty())
        {
            Some(text) => serde_json::from_str(text).map_err(|e| unreadable(of, MOUNTS, &e))?,
            None => json!([]),
        };
        let spec = &of.template.spec;
        let container = spec.containers.iter().find(|c| c.name == of.container);
        let mounted = |path: &str| {
            container.and_then(|c| {
                c.volume_mounts
                    .iter()
                    .find(|m| m.mount_path.trim_end_matches('/') == path.trim_end_matches('/'))
            })
        };
        let path = match (&of.certificates, output_certs(of)?) {
            (Some(path), _) => path.clone(),
            (None, Some(path)) => path,
            (None, None) => "/etc/istio-certs".into(),
        };
        let named = entries(&listed).find_map(|(name, mount)| {
            (mount["mountPath"].as_str() == Some(&path)).then(|| name.to_owned())
        });
        let volume = named
            .or_else(|| {
                mounted(&path)
                    .map(|m| m.name.clone())
                    .filter(|v| memory(of, v))
            })
            .unwrap_or_else(|| "istio-certs".into());
        let source = spec.volumes.iter().find(|v| v["name"] == volume.as_str());
        let secret = source.and_then(|v| v.get("secret")).filter(|s| {
            s["secretName"]
                .as_str()
                .is_some_and(|name| name.starts_with("istio."))
        });
        let volume_taken = source.is_some_and(|v| v.get("emptyDir").is_none()) && secret.is_none();
        let path_taken = mounted(&path).is_some_and(|m| m.name != volume);
        let mut place = Place {
            secret: secret.cloned(),
            path,
            volume,
            mounts: String::new(),
        };
        if volume_taken || path_taken {
            place = Place {
                path: "/etc/meshscrape-certs".into(),
                volume: "meshscrape-certs".into(),
                secret: None,
                mounts: String::new(),
            };
        }
        place.mounts = place.list(listed, annotations.get(MOUNTS));
        Ok(place)
    }

    fn own_mount(&self) -> Value {
        json!({"name": self.volume, "mountPath": self.path, "readOnly": true})
    }

    /// What is listed today, with our volume writable; unchanged text where it says so already.
    fn list(&self, listed: Value, text: Option<&String>) -> String {
        let stands = entries(&listed).any(|(name, mount)| {
            name == self.volume
                && mount["mountPath"].as_str() == Some(&self.path)
                && mount["readOnly"] != true
        });
        if let (true, Some(text)) = (stands, text) {
            return text.clone();
        }
        match listed {
            Value::Object(mut map) => {
                map.insert(self.volume.clone(), json!({"mountPath": self.path}));
                emit::json(&Value::Object(map))
            }
            other => {
                let mut list = other.as_array().cloned().unwrap_or_default();
                list.retain(|m| m["mountPath"].as_str() != Some(&self.path));
                list.push(json!({"name": self.volume, "mountPath": self.path}));
                emit::json(&Value::Array(list))
            }
        }
    }
}

/// Name and mount of each entry; the annotation is a list, or a map by name.
fn entries(listed: &Value) -> Box<dyn Iterator<Item = (&str, &Value)> + '_> {
    match listed {
        Value::Object(map) => Box::new(map.iter().map(|(k, v)| (k.as_str(), v))),
        Value::Array(list) => Box::new(
            list.iter()
                .map(|m| (m["name"].as_str().unwrap_or_default(), m)),
        ),
        _ => Box::new(std::iter::empty()),
    }
}

fn memory(of: &Prometheus, volume: &str) -> bool {
    of.template
        .spec
        .volumes
        .iter()
        .any(|v| v["name"] == volume && v.get("emptyDir").is_some())
}

fn read_proxy_config(of: &Prometheus) -> Result<Map<String, Value>, Error> {
    let Some(text) = of.template.metadata.annotations.get(PROXY_CONFIG) else {
        return Ok(Map::new());
    };
    match serde_yaml::from_str(text).map_err(|e| unreadable(of, PROXY_CONFIG, &e))? {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        _ => Err(unreadable(of, PROXY_CONFIG, &"it is no mapping")),
    }
}

fn output_certs(of: &Prometheus) -> Result<Option<String>, Error> {
    let config = read_proxy_config(of)?;
    let path = config
        .get("proxyMetadata")
        .and_then(|m| m["OUTPUT_CERTS"].as_str());
    Ok(path.filter(|p| !p.is_empty()).map(str::to_owned))
}

/// Today's proxy configuration with OUTPUT_CERTS; unchanged text where it says so already.
fn proxy_config(of: &Prometheus, path: &str, repair: bool) -> Result<String, Error> {
    let today = read_proxy_config(of)?;
    let mut config = today.clone();
    let metadata = config.entry("proxyMetadata").or_insert_with(|| json!({}));
    let Value::Object(metadata) = metadata else {
        return Err(unreadable(of, PROXY_CONFIG, &"proxyMetadata is no mapping"));
    };
    metadata.insert("OUTPUT_CERTS".into(), path.into());
    if repair {
        metadata.remove("INBOUND_CAPTURE_PORTS");
    }
    let text = of.template.metadata.annotations.get(PROXY_CONFIG);
    Ok(match text {
        Some(text) if config == today => text.clone(),
        _ => emit::json(&Value::Object(config)),
    })
}

fn unreadable(of: &Prometheus, annotation: &str, why: &dyn std::fmt::Display) -> Error {
    Error::new(format!(
        "the annotation {annotation} of {} cannot be added to",
        of.id
    ))
    .cause(why)
}
