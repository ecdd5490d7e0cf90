//! The AuthorizationPolicy that keeps everybody but Prometheus, and every path but the metrics, off 15091.
//!
//! Facts: behind 15020 stands the agent's whole mux, with `/quitquitquit` and `/debug` (fault 2). DENY, since the
//! first ALLOW would close every other port of the pod. Principals are written without `spiffe://` here.

use super::{METRICS_PATH, SECURE_PORT, ours, own};
use crate::answers::Answers;
use crate::error::Error;
use crate::mesh::kinds::Kind;
use crate::mesh::{Mesh, Prometheus, Workload};
use crate::plan::{Action, Await, Change, Part};
use serde_json::json;

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
pub(super) fn known_principal(
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
                    .hint(format!("leave {flag} away")),
            );
        }
    }
    match (principal(mesh, prometheus), &istio.root_namespace) {
        (Some(principal), Some(_)) => Ok(principal),
        (domain, root) => {
            let mut error =
                Error::refused("the mesh's settings are not known, and nothing is guessed");
            if let Some(why) = &istio.settings_unread {
                error = error.cause(why);
            }
            if domain.is_none() {
                error = error
                    .cause("without the trust domain, Prometheus's identity is not known: its targets would get 403")
                    .hint("--trust-domain DOMAIN, as in `spiffe://DOMAIN/…` of the mesh's certificates");
            }
            if root.is_none() {
                error = error
                    .cause(
                        "without the root namespace, mesh-wide Sidecars and policies are not known",
                    )
                    .hint("--root-namespace NS, most often istiod's own namespace");
            }
            Err(error.hint("or get the right to read that ConfigMap"))
        }
    }
}

/// Who may read the port, in words: an identity is a ServiceAccount, and others may run under it.
pub(super) fn reader(prometheus: &Prometheus) -> String {
    match prometheus.shared_with.as_slice() {
        [] => "Prometheus".into(),
        _ => format!(
            "ServiceAccount {}/{}",
            prometheus.id.namespace, prometheus.service_account
        ),
    }
}

pub(super) fn policy(workload: &Workload, principal: &str, prometheus: &Prometheus) -> Change {
    let object = ours(Kind::AuthorizationPolicy, workload);
    let port = SECURE_PORT.to_string();
    let intent = own(
        &object,
        json!({
            "selector": {"matchLabels": workload.selector},
            "action": "DENY",
            "rules": [
                {
                    "from": [{"source": {"notPrincipals": [principal]}}],
                    "to": [{"operation": {"ports": [port]}}],
                },
                {"to": [{"operation": {"ports": [port], "notPaths": [METRICS_PATH]}}]},
            ],
        }),
    );
    Change {
        item: Some(workload.id.clone()),
        then: vec![Await::ReadBack],
        ..Change::new(
            object,
            Part::Policy,
            Action::Apply { intent },
            format!(
                "Only {} reads port {SECURE_PORT} of {}, and only {METRICS_PATH}",
                reader(prometheus),
                workload.id.name
            ),
        )
    }
}
