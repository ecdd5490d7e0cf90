//! What a change does, one sentence each.

use crate::plan::purpose::{Certificates, Purpose, Reader};
use crate::recipe::{METRICS_PATH, SECURE_PORT};
use crate::words;

pub fn sentence(of: &Purpose) -> String {
    match of {
        Purpose::MutualTlsOnly { workload } => {
            format!("Port {SECURE_PORT} of {workload} takes mutual TLS only")
        }
        Purpose::OneReader { workload, reader } => format!(
            "Only {} reads port {SECURE_PORT} of {workload}, and only {METRICS_PATH}",
            name(reader)
        ),
        Purpose::AllowsReader { workload, reader } => format!(
            "{} may read {METRICS_PATH} on port {SECURE_PORT} of {workload}, which this ALLOW policy refuses today",
            match reader {
                Reader::Prometheus => "Prometheus".to_owned(),
                account => name(account),
            }
        ),
        Purpose::LeadsInside { workload, port } => {
            format!("Port {SECURE_PORT} of {workload} leads to {port} inside the pod")
        }
        Purpose::GatewayName { gateway, port } => {
            format!("A name inside the mesh for port {port} of {gateway} itself")
        }
        Purpose::GatewayRoute { gateway, port } => {
            format!("{METRICS_PATH} on port {SECURE_PORT} of {gateway} leads to {port}")
        }
        Purpose::GatewayServer { gateway, reader } => format!(
            "Port {SECURE_PORT} of {gateway}, over mutual TLS, for {} alone",
            name(reader)
        ),
        Purpose::NamespaceInjects { namespace } => {
            format!("Pods that start in {namespace} get a sidecar")
        }
        Purpose::Discovered { workload } => {
            format!("Prometheus discovers the pods of {workload} by this annotation")
        }
        Purpose::FirstSidecar { workload } => {
            format!("{workload} gets its sidecar and the annotation secure-port")
        }
        Purpose::PodDiscovered { pod } => {
            format!("Prometheus discovers pod {pod} by this annotation")
        }
        Purpose::PodDiffers { pod, has } => {
            let has = match has {
                Some(port) => format!("says {port}"),
                None => "is missing".to_owned(),
            };
            format!(
                "The annotation secure-port of pod {pod} {has}; its template says {SECURE_PORT}"
            )
        }
        Purpose::Certificates { way, reloader } => {
            let way = certificates(*way);
            match reloader {
                None => way.to_owned(),
                Some(container) => {
                    format!("{way}; {container} reloads Prometheus when they change")
                }
            }
        }
        Purpose::ReadsConfig => "Prometheus restarts to read its new configuration".into(),
        Purpose::SecureJob => {
            "Prometheus scrapes annotated pods over mTLS, with the settings of today's plaintext job"
                .into()
        }
        Purpose::SkipsByName => {
            "The plaintext jobs skip secured workloads by name, instead of every annotated pod"
                .into()
        }
        Purpose::JobSecret { resource } => {
            format!("A Secret with the secure job, for {resource}")
        }
        Purpose::AddsJobs => {
            "The operator adds the jobs of that Secret to Prometheus's configuration".into()
        }
        Purpose::MonitorResumes => {
            "The monitor scrapes these workloads in plaintext again".into()
        }
        Purpose::PlaintextEnds { monitor: true } => {
            "The monitor skips workloads that are UP over mTLS, so that no pod is scraped twice"
                .into()
        }
        Purpose::PlaintextEnds { monitor: false } => {
            "The plaintext jobs skip workloads that are UP over mTLS, so that no pod is scraped twice"
                .into()
        }
        Purpose::Fixes { problems } => words::sentences(problems),
        Purpose::Lock => {
            "the cluster's lock: prevents concurrent runs; deleted when this run ends".into()
        }
        Purpose::FormerLock => {
            "the lock of older versions, and of users without access to the one above; deleted when this run ends"
                .into()
        }
        Purpose::Record => "the record of this run, for an undo from any machine".into(),
        Purpose::RecordUndone => "the record of the run that is undone".into(),
        Purpose::DeletesCreated { object } => {
            format!("deletes {object}, which the run created")
        }
        Purpose::RestoresDeleted { object } => {
            format!("restores {object}, which the run deleted")
        }
        Purpose::RestoresFields { object } => {
            format!("restores the fields of {object} that the run changed")
        }
        Purpose::RevertsLater { fields } => format!(
            "reverts changes that others made since the run: {}",
            fields.join(", ")
        ),
        Purpose::RemovesRules { file } => {
            format!("removes the run's rules from the plaintext jobs in {file}")
        }
        Purpose::RemovesJob {
            file,
            changed: false,
        } => format!("removes the run's scrape job from {file}"),
        Purpose::RemovesJob {
            file,
            changed: true,
        } => format!("removes the run's scrape job from {file}, which others changed since the run"),
    }
}

fn name(reader: &Reader) -> String {
    match reader {
        Reader::Prometheus => "Prometheus".into(),
        Reader::Account { namespace, name } => format!("ServiceAccount {namespace}/{name}"),
    }
}

fn certificates(way: Certificates) -> &'static str {
    match way {
        Certificates::Sidecar => {
            "Prometheus gets a sidecar that captures nothing and writes its certificates into memory"
        }
        Certificates::InPlaceOfSecret => {
            "Fixes Prometheus's pod: a sidecar that captures nothing writes the certificates into memory"
        }
        Certificates::OwnSidecar => {
            "Prometheus's sidecar writes its certificates into memory; port 15091 is excluded from outbound capture"
        }
    }
}
