//! What the published recipe or Istio's secure sample left behind, recognised by its shape.

use super::assemble::Index;
use super::kinds::{Kind, ObjectRef};
use super::labels::{is_ours, labels_at};
use super::objects::Meta;
use super::obstacles::native_port;
use super::workload::secure;
use super::{Gateway, Inventory, Leftover, LeftoverKind, Prometheus, Workload};
use crate::problems::Problem;
use crate::reach::job::{self, Job};
use crate::reach::probe;
use serde_json::Value;
use std::sync::Arc;

const PATH: &str = "/stats/prometheus";

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A `Sidecar` without a selector whose only purpose is the 15091 listener.
pub(super) fn is_published_sidecar(spec: &Value) -> bool {
    let ingress = list(&spec["ingress"]);
    let egress_open = list(&spec["egress"])
        .iter()
        .flat_map(|egress| list(&egress["hosts"]))
        .all(|host| host == "*/*");
    labels_at(spec, "/workloadSelector/labels").is_empty()
        && !ingress.is_empty()
        && ingress.iter().all(secure)
        && egress_open
        && spec["outboundTrafficPolicy"].is_null()
}

/// What is wrong with a foreign `Gateway` that serves metrics on 15091; nothing: it is right, or no such one.
pub(super) fn gateway_faults(of: &ObjectRef, spec: &Value) -> Vec<Problem> {
    let servers = list(&spec["servers"]);
    let Some(server) = servers.iter().find(|server| secure(server)) else {
        return Vec::new();
    };
    let mutual = server["tls"]["mode"].as_str() == Some("ISTIO_MUTUAL");
    let mut faults = Vec::new();
    if servers.len() > 1 && mutual {
        let public = servers.iter().find(|server| !secure(server));
        let port = public.and_then(|server| server["port"]["number"].as_u64());
        faults.push(Problem::GatewayServesPlaintext {
            of: of.into(),
            port: port.unwrap_or(80),
        });
    }
    if mutual && list(&server["tls"]["subjectAltNames"]).is_empty() {
        faults.push(Problem::GatewayOpenToMesh { of: of.into() });
    }
    faults
}

/// A `ServiceEntry` for the gateway's own metrics port, on a name or with a reach that does harm.
fn entry_faults(of: &ObjectRef, spec: &Value) -> Vec<Problem> {
    let metrics = list(&spec["ports"])
        .iter()
        .any(|port| matches!(port["number"].as_u64(), Some(15020 | 15090)));
    let inward = list(&spec["endpoints"])
        .iter()
        .any(|endpoint| endpoint["address"] == "127.0.0.1");
    if !metrics || !inward {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let hosts = list(&spec["hosts"]).iter().filter_map(Value::as_str);
    if let Some(host) = hosts.into_iter().find(|host| host.ends_with(".local")) {
        faults.push(Problem::EntryHostOverruled {
            of: of.into(),
            host: host.to_owned(),
        });
    }
    let exported = list(&spec["exportTo"]);
    if exported.is_empty() || exported.iter().any(|to| to == "*") {
        faults.push(Problem::EntryExported { of: of.into() });
    }
    faults
}

/// A `VirtualService` that answers the metrics path whatever port it comes in by.
fn route_faults(of: &ObjectRef, spec: &Value) -> Vec<Problem> {
    let by_gateway = list(&spec["gateways"])
        .iter()
        .any(|gateway| gateway != "mesh");
    let everywhere = list(&spec["http"])
        .iter()
        .flat_map(|route| list(&route["match"]))
        .any(|wanted| {
            let uri = &wanted["uri"];
            let metrics = ["exact", "prefix"].iter().any(|how| uri[*how] == PATH);
            metrics && wanted["port"].is_null()
        });
    let fault = (by_gateway && everywhere).then(|| Problem::RouteOnEveryServer { of: of.into() });
    fault.into_iter().collect()
}

fn sidecar_faults(of: &ObjectRef, spec: &Value) -> Vec<Problem> {
    let fault = is_published_sidecar(spec).then(|| Problem::NamespaceSidecar { of: of.into() });
    fault.into_iter().collect()
}

/// What is wrong with a job keyed on the secure annotations; nothing: it is as ours would be.
fn job_faults(config: &ObjectRef, job: &Job) -> Vec<Problem> {
    let kind = probe::kind(job);
    if !kind.keyed && !kind.keyed_envoy {
        return Vec::new();
    }
    let (of, name) = (|| config.into(), || job.name.clone());
    let mut faults = Vec::new();
    if kind.any_value {
        faults.push(Problem::JobTakesAnyAnnotation {
            of: of(),
            job: name(),
        });
    }
    if kind.path.as_deref() != Some(PATH) {
        faults.push(Problem::JobFollowsPath {
            of: of(),
            job: name(),
        });
    }
    if !kind.https {
        faults.push(Problem::JobInPlaintext {
            of: of(),
            job: name(),
        });
    } else if job.ca_file.is_none() {
        faults.push(Problem::JobWithoutCa {
            of: of(),
            job: name(),
        });
    } else if job.cert_file.is_none() {
        faults.push(Problem::JobWithoutCertificate {
            of: of(),
            job: name(),
        });
    }
    faults
}

/// Annotations of the published recipe on one workload, faulty as they stand.
fn annotation_fault(index: &Index<'_>, workload: &Workload) -> Option<Problem> {
    let of = || (&workload.id).into();
    let annotations = &workload.template.metadata.annotations;
    let get = |key: &str| annotations.get(key).map(String::as_str);
    if get("prometheus.io/path") == Some(PATH) && get("prometheus.io/port").is_none() {
        return Some(Problem::PathWithoutPort {
            of: of(),
            path: PATH.to_owned(),
        });
    }
    let native = native_port(index, workload).is_some();
    let pods = workload
        .pods
        .iter()
        .filter(|pod| pod.secure_port.is_some())
        .count();
    let lost = pods > 0 && !workload.scraped.secure_template;
    (lost && !native && workload.ours.is_empty())
        .then(|| Problem::AnnotationOnPodsOnly { of: of(), pods })
}

pub(super) fn leftovers(
    index: &Index<'_>,
    inventory: &Inventory,
    workloads: &[Arc<Workload>],
    gateways: &[Arc<Gateway>],
    prometheus_servers: &[Arc<Prometheus>],
) -> Vec<Leftover> {
    let mut found = Vec::new();
    type Faults = fn(&ObjectRef, &Value) -> Vec<Problem>;
    let mut add = |kind: LeftoverKind, of: Kind, meta: &Meta, spec: &Value, faults: Faults| {
        let object = ObjectRef::new(of, &meta.namespace, &meta.name);
        let problems = faults(&object, spec);
        if !problems.is_empty() && !is_ours(meta) {
            found.push(Leftover {
                object,
                kind,
                problems,
                uid: meta.uid.clone(),
                spec: spec.clone(),
            });
        }
    };
    for item in &inventory.sidecars.items {
        let kind = LeftoverKind::NamespaceSidecar;
        add(
            kind,
            Kind::Sidecar,
            &item.metadata,
            &item.spec,
            sidecar_faults,
        );
    }
    for item in &inventory.gateways.items {
        let kind = LeftoverKind::GatewayServer;
        add(
            kind,
            Kind::Gateway,
            &item.metadata,
            &item.spec,
            gateway_faults,
        );
    }
    for item in &inventory.service_entries.items {
        let kind = LeftoverKind::AdminServiceEntry;
        add(
            kind,
            Kind::ServiceEntry,
            &item.metadata,
            &item.spec,
            entry_faults,
        );
    }
    for item in &inventory.virtual_services.items {
        let kind = LeftoverKind::MetricsRoute;
        add(
            kind,
            Kind::VirtualService,
            &item.metadata,
            &item.spec,
            route_faults,
        );
    }
    let items = workloads.iter().map(Arc::as_ref);
    for workload in items.chain(gateways.iter().map(|gateway| &gateway.workload)) {
        if let Some(problem) = annotation_fault(index, workload) {
            found.push(Leftover {
                object: workload.id.object(),
                kind: LeftoverKind::Annotations,
                problems: vec![problem],
                uid: workload.uid.clone(),
                spec: Value::Null,
            });
        }
    }
    for prometheus in prometheus_servers {
        if let Some(config) = &prometheus.config
            && let Ok(text) = &config.text
        {
            let object = config.home.object();
            let uid = inventory
                .config_maps
                .get(&format!("{}/{}", object.namespace, object.name))
                .and_then(|map| map.as_ref().ok())
                .map(|map| map.metadata.uid.clone());
            let jobs = job::jobs(text, super::dialect(prometheus));
            let faults = jobs.iter().map(|job| job_faults(object, job));
            found.extend(
                faults
                    .filter(|faults| !faults.is_empty())
                    .map(|problems| Leftover {
                        object: object.clone(),
                        kind: LeftoverKind::ScrapeJob,
                        problems,
                        uid: uid.clone().unwrap_or_default(),
                        spec: Value::Null,
                    }),
            );
        }
        if !prometheus.faults.is_empty() {
            found.push(Leftover {
                object: prometheus.id.object(),
                kind: LeftoverKind::PrometheusPod,
                problems: prometheus.faults.clone(),
                uid: String::new(),
                spec: Value::Null,
            });
        }
    }
    found.sort_unstable_by(|a, b| (&a.object, a.kind as u8).cmp(&(&b.object, b.kind as u8)));
    found.dedup();
    found
}
