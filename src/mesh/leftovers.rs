//! What the published recipe or Istio's secure sample left behind, recognised by its shape.

use super::assemble::Index;
use super::kinds::{Kind, ObjectRef};
use super::labels::{is_ours, labels_at};
use super::objects::Meta;
use super::obstacles::native_port;
use super::scraped::{self, Job};
use super::workload::{SECURE, secure};
use super::{Gateway, Inventory, Leftover, LeftoverKind, Prometheus, Workload};
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

/// What is wrong with a foreign `Gateway` that serves metrics on 15091; `None`: nothing, or it is no such one.
pub(super) fn gateway_fault(spec: &Value) -> Option<String> {
    let servers = list(&spec["servers"]);
    let server = servers.iter().find(|server| secure(server))?;
    let mutual = server["tls"]["mode"].as_str() == Some("ISTIO_MUTUAL");
    let mut faults = Vec::new();
    if servers.len() > 1 && mutual {
        let public = servers.iter().find(|server| !secure(server));
        let port = public.and_then(|server| server["port"]["number"].as_u64());
        faults.push(format!(
            "its other server on port {} serves {PATH} in plaintext as well",
            port.unwrap_or(80)
        ));
    }
    if mutual && list(&server["tls"]["subjectAltNames"]).is_empty() {
        faults.push("any workload of the mesh may read the metrics".to_owned());
    }
    (!faults.is_empty()).then(|| format!("A server on 15091, but {}.", faults.join(", and ")))
}

/// A `ServiceEntry` for the gateway's own metrics port, on a name or with a reach that does harm.
fn entry_fault(spec: &Value) -> Option<String> {
    let metrics = list(&spec["ports"])
        .iter()
        .any(|port| matches!(port["number"].as_u64(), Some(15020 | 15090)));
    let inward = list(&spec["endpoints"])
        .iter()
        .any(|endpoint| endpoint["address"] == "127.0.0.1");
    if !metrics || !inward {
        return None;
    }
    let mut faults = Vec::new();
    let hosts = list(&spec["hosts"]).iter().filter_map(Value::as_str);
    if let Some(host) = hosts.into_iter().find(|host| host.ends_with(".local")) {
        faults.push(format!(
            "a DestinationRule for *.local breaks its host {host}"
        ));
    }
    let exported = list(&spec["exportTo"]);
    if exported.is_empty() || exported.iter().any(|to| to == "*") {
        faults.push("every sidecar of the mesh gets it".to_owned());
    }
    (!faults.is_empty()).then(|| {
        format!(
            "An entry for the gateway's own metrics, but {}.",
            faults.join(", and ")
        )
    })
}

/// A `VirtualService` that answers the metrics path whatever port it comes in by.
fn route_fault(spec: &Value) -> Option<String> {
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
    (by_gateway && everywhere).then(|| {
        format!("It serves {PATH} on every server of its Gateway, the public plaintext ones too.")
    })
}

/// What is wrong with a job keyed on the secure annotations; `None`: it is as ours would be.
fn job_fault(job: &Job) -> Option<String> {
    if !job.is_secure() {
        return None;
    }
    let mut faults = Vec::new();
    if job.keeps_secure_by() != Some(r"\d+") {
        faults.push("it takes any annotation for a port");
    }
    if job.metrics_path.as_deref() != Some(PATH) {
        faults.push("its path follows prometheus.io/path, which belongs to the plaintext port");
    }
    if job.scheme != "https" {
        faults.push("it scrapes in plaintext");
    } else if job.tls_config.ca_file.is_none() {
        faults.push("it has no ca_file, which stops scraping when the certificate rotates");
    } else if job.tls_config.cert_file.is_none() {
        faults.push("it shows no client certificate");
    }
    (!faults.is_empty()).then(|| format!("The job {}: {}.", job.job_name, faults.join("; ")))
}

/// Annotations of the published recipe on one workload, faulty as they stand.
fn annotation_fault(index: &Index<'_>, workload: &Workload) -> Option<String> {
    let annotations = &workload.template.metadata.annotations;
    let get = |key: &str| annotations.get(key).map(String::as_str);
    if get("prometheus.io/path") == Some(PATH) && get("prometheus.io/port").is_none() {
        return Some(format!(
            "Its pod template carries prometheus.io/path={PATH} without a port, so the agent asks the app for it on port 80."
        ));
    }
    let native = native_port(index, &workload.template).is_some();
    let marked = workload
        .pods
        .iter()
        .filter(|pod| pod.secure_port.is_some())
        .count();
    (marked > 0 && !workload.scraped.secure_template && !native && workload.ours.is_empty()).then(|| {
        format!(
            "The annotation of the secure port stands on {marked} running pod{} only, and goes when they are replaced.",
            if marked == 1 { "" } else { "s" }
        )
    })
}

pub(super) fn leftovers(
    index: &Index<'_>,
    inventory: &Inventory,
    workloads: &[Arc<Workload>],
    gateways: &[Arc<Gateway>],
    prometheis: &[Arc<Prometheus>],
) -> Vec<Leftover> {
    let mut found = Vec::new();
    let mut add =
        |kind: LeftoverKind, of: Kind, meta: &Meta, spec: &Value, fault: Option<String>| {
            if let Some(fault) = fault.filter(|_| !is_ours(meta)) {
                found.push(Leftover {
                    object: ObjectRef::new(of, &meta.namespace, &meta.name),
                    kind,
                    fault,
                    uid: meta.uid.clone(),
                    spec: spec.clone(),
                });
            }
        };
    for item in &inventory.sidecars.items {
        let fault = is_published_sidecar(&item.spec).then(|| {
            format!(
                "It governs every workload of its namespace: the listeners of their own ports are gone, and \
                 plaintext to {SECURE} is served unless mTLS is STRICT."
            )
        });
        add(
            LeftoverKind::NamespaceSidecar,
            Kind::Sidecar,
            &item.metadata,
            &item.spec,
            fault,
        );
    }
    for item in &inventory.gateways.items {
        add(
            LeftoverKind::GatewayServer,
            Kind::Gateway,
            &item.metadata,
            &item.spec,
            gateway_fault(&item.spec),
        );
    }
    for item in &inventory.service_entries.items {
        let fault = entry_fault(&item.spec);
        add(
            LeftoverKind::AdminServiceEntry,
            Kind::ServiceEntry,
            &item.metadata,
            &item.spec,
            fault,
        );
    }
    for item in &inventory.virtual_services.items {
        let fault = route_fault(&item.spec);
        add(
            LeftoverKind::MetricsRoute,
            Kind::VirtualService,
            &item.metadata,
            &item.spec,
            fault,
        );
    }
    let items = workloads.iter().map(Arc::as_ref);
    for workload in items.chain(gateways.iter().map(|gateway| &gateway.workload)) {
        if let Some(fault) = annotation_fault(index, workload) {
            found.push(Leftover {
                object: workload.id.object(),
                kind: LeftoverKind::Annotations,
                fault,
                uid: workload.uid.clone(),
                spec: Value::Null,
            });
        }
    }
    for prometheus in prometheis {
        if let Some(config) = &prometheus.config
            && let Ok(text) = &config.text
        {
            let uid = inventory
                .config_maps
                .get(&format!(
                    "{}/{}",
                    config.config_map.namespace, config.config_map.name
                ))
                .and_then(|map| map.as_ref().ok())
                .map(|map| map.metadata.uid.clone());
            found.extend(
                scraped::jobs(text)
                    .iter()
                    .filter_map(job_fault)
                    .map(|fault| Leftover {
                        object: config.config_map.clone(),
                        kind: LeftoverKind::ScrapeJob,
                        fault,
                        uid: uid.clone().unwrap_or_default(),
                        spec: Value::Null,
                    }),
            );
        }
        if !prometheus.faults.is_empty() {
            found.push(Leftover {
                object: prometheus.id.object(),
                kind: LeftoverKind::PrometheusPod,
                fault: prometheus.faults.join(" "),
                uid: String::new(),
                spec: Value::Null,
            });
        }
    }
    found.sort_unstable_by(|a, b| (&a.object, a.kind as u8).cmp(&(&b.object, b.kind as u8)));
    found.dedup();
    found
}
