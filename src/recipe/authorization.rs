//! The AuthorizationPolicy that keeps everybody but Prometheus, and every path but the metrics, off 15091.
//!
//! Facts: behind 15020 stands the agent's whole mux, with `/quitquitquit` and `/debug` (fault 2). DENY, since the
//! first ALLOW would close every other port of the pod. Principals are written without `spiffe://` here.

use super::select::Item;
use super::{METRICS_PATH, SECURE_PORT, merged, ours, own, scrape_job};
use crate::answers::Answers;
use crate::error::Error;
use crate::mesh::kinds::Kind;
use crate::mesh::{Mesh, Prometheus, Workload};
use crate::plan::purpose::{Purpose, Reader};
use crate::plan::{Action, Await, Change, Part};
use crate::problems::Problem;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Prometheus's identity, `<trust domain>/ns/<namespace>/sa/<service account>`; `None` while the trust domain is not
/// known.
pub fn principal(mesh: &Mesh, prometheus: &Prometheus) -> Option<String> {
    let domain = mesh.istio.trust_domain.as_deref()?;
    let account = match prometheus.service_account.as_str() {
        "" => "default",
        account => account,
    };
    Some(format!(
        "{domain}/ns/{}/sa/{account}",
        prometheus.id.namespace
    ))
}

/// [`principal`], where everything is known that the policies rest on.
///
/// # Errors
/// The mesh's trust domain or root namespace is not known, or the user says otherwise than the cluster.
fn known_principal(
    mesh: &Mesh,
    answers: &Answers,
    prometheus: &Prometheus,
) -> Result<String, Error> {
    let istio = &mesh.istio;
    let told = answers.options.told();
    for (flag, told, found) in [
        ("--trust-domain", &told.trust_domain, &istio.trust_domain),
        (
            "--root-namespace",
            &told.root_namespace,
            &istio.root_namespace,
        ),
    ] {
        if let (Some(told), Some(found)) = (told, found)
            && told != found
        {
            return Err(
                Error::refused(format!("{flag} {told} contradicts the cluster"))
                    .cause(format!("the mesh's own setting is {found}"))
                    .hint(format!("remove {flag}")),
            );
        }
    }
    match (principal(mesh, prometheus), &istio.root_namespace) {
        (Some(principal), Some(_)) => Ok(principal),
        (domain, root) => {
            let mut error = Error::refused("the mesh's settings are unknown");
            if let Some(why) = &istio.settings_unread {
                error = error.cause(why);
            }
            if domain.is_none() {
                error = error
                    .cause("without the trust domain, Prometheus's identity is unknown: its scrapes would get 403")
                    .hint("--trust-domain DOMAIN, as in `spiffe://DOMAIN/…` of the mesh's certificates");
            }
            if root.is_none() {
                error = error
                    .cause(
                        "without the root namespace, mesh-wide Sidecars and policies are not known",
                    )
                    .hint("--root-namespace NS, usually istiod's namespace");
            }
            Err(error.hint("or get permission to read that ConfigMap"))
        }
    }
}

/// Who may read the port, in words: an identity is a ServiceAccount, and others may run under it.
fn reader(prometheus: &Prometheus) -> Reader {
    match prometheus.shared_with.as_slice() {
        [] => Reader::Prometheus,
        _ => Reader::Account {
            namespace: prometheus.id.namespace.clone(),
            name: prometheus.service_account.clone(),
        },
    }
}

/// Who may read the secure port of an item, and who no longer may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Readers {
    /// The chosen Prometheus.
    pub who: Reader,
    /// In the order in which they stand today, so that each Prometheus's plan finds the same.
    pub principals: Vec<String>,
    gone: Vec<String>,
}

impl Readers {
    /// That some no longer may.
    pub fn removed(&self, workload: &Workload) -> Option<Problem> {
        (!self.gone.is_empty()).then(|| Problem::ReadersRemoved {
            of: (&workload.id).into(),
            principals: self.gone.clone(),
        })
    }
}

/// Who may read what was chosen.
pub(super) struct Access {
    own: String,
    who: Reader,
    only: bool,
    /// Every identity that some Prometheus here has, and whether one of them has a use for the secure port.
    known: BTreeMap<String, bool>,
}

impl Access {
    /// The chosen Prometheus, and whom an earlier run let in: all but those that are known to have no use for it any
    /// more, since no scrape job of theirs is keyed on the annotation. One that cannot be read may have one, and so may
    /// whatever runs under an identity that no Prometheus here has. `only`: by the user's word nobody else.
    ///
    /// # Errors
    /// As for [`known_principal`].
    pub fn new(mesh: &Mesh, answers: &Answers, of: &Prometheus) -> Result<Self, Error> {
        let own = known_principal(mesh, answers, of)?;
        let mut known: BTreeMap<String, bool> = BTreeMap::new();
        for prometheus in &mesh.prometheus_servers {
            let Some(identity) = principal(mesh, prometheus) else {
                continue;
            };
            let scrapes = match scrape_job::config(prometheus) {
                Ok(config) => config.jobs.iter().any(|job| job.secure || job.secure_envoy),
                Err(_) => true,
            };
            *known.entry(identity).or_default() |= scrapes;
        }
        Ok(Access {
            own,
            who: reader(of),
            only: answers.options.only_this_prometheus,
            known,
        })
    }

    pub fn readers(&self, workload: &Workload) -> Readers {
        let mut readers = Readers {
            who: self.who.clone(),
            ..Readers::default()
        };
        let stays = |one: &String| {
            *one == self.own || (!self.only && self.known.get(one).copied().unwrap_or(true))
        };
        for one in &workload.admits {
            match stays(one) {
                true => readers.principals.push(one.clone()),
                false => readers.gone.push(one.clone()),
            }
        }
        if !readers.principals.contains(&self.own) {
            readers.principals.push(self.own.clone());
        }
        readers
    }

    /// The rule that an ALLOW policy of others needs, so that the chosen Prometheus is let in.
    pub fn allowed(&self, mesh: &Mesh, of: &Prometheus, item: &Item<'_>) -> Option<Change> {
        merged::allowed(mesh, of, item, &self.own, &self.who)
    }

    /// Who else goes on reading these.
    pub fn beside<'a>(
        &self,
        of: &Prometheus,
        workloads: impl Iterator<Item = &'a Workload>,
    ) -> Option<Problem> {
        let all: BTreeSet<String> = workloads
            .flat_map(|workload| self.readers(workload).principals)
            .filter(|principal| *principal != self.own)
            .collect();
        let all: Vec<String> = all.into_iter().collect();
        (!all.is_empty()).then(|| Problem::OthersAdmitted {
            of: (&of.id).into(),
            principals: all,
        })
    }
}

pub(super) fn policy(workload: &Workload, readers: &Readers) -> Change {
    let object = ours(Kind::AuthorizationPolicy, workload);
    let port = SECURE_PORT.to_string();
    let principals = &readers.principals;
    let intent = own(
        &object,
        json!({
            "selector": {"matchLabels": workload.selector},
            "action": "DENY",
            "rules": [
                {
                    "from": [{"source": {"notPrincipals": principals}}],
                    "to": [{"operation": {"ports": [port]}}],
                },
                {"to": [{"operation": {"ports": [port], "notPaths": [METRICS_PATH]}}]},
            ],
        }),
    );
    Change {
        item: Some(workload.id.clone()),
        then: vec![Await::ReadBack],
        findings: readers.removed(workload).into_iter().collect(),
        ..Change::new(
            object,
            Part::Policy,
            Action::Apply { intent },
            Purpose::OneReader {
                workload: workload.id.name.clone(),
                reader: readers.who.clone(),
            },
        )
    }
}
