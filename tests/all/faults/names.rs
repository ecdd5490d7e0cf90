//! Requests in the words of a user.

use meshscrape::mesh::kinds::Kind;

/// Without the names of runs: `20261123-104512-x7`.
pub fn nameless(request: &str) -> String {
    let mut out = request.to_owned();
    let like = |at: &str| {
        let mut bytes = at.bytes().take(15).enumerate();
        at.len() >= 18
            && bytes.all(|(i, b)| {
                if i == 8 {
                    b == b'-'
                } else {
                    b.is_ascii_digit()
                }
            })
    };
    // Each process holds the lock under a name of its own.
    while let Some(at) = out.find("nonce=") {
        let end = out[at + 6..].find(|c: char| !c.is_ascii_hexdigit());
        let end = end.map_or(out.len(), |end| at + 6 + end);
        out.replace_range(at..end, "NONCE");
    }
    while let Some(at) = (0..out.len()).find(|at| out.get(*at..).is_some_and(like)) {
        out.replace_range(at..at + 18, "RUN");
    }
    out
}

/// The object of a request as the user knows it.
pub fn object_of(request: &str) -> String {
    let path = request.split([' ', '?']).nth(1).unwrap_or_default();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let at = parts.iter().position(|part| *part == "namespaces");
    match at.map(|at| &parts[at + 1..]) {
        Some([namespace, "secrets", ..]) => format!("Secret {namespace}/meshscrape-run-"),
        Some([namespace, resource, name, ..]) => {
            let kind = KINDS.iter().find(|kind| kind.plural() == *resource);
            format!(
                "{} {namespace}/{name}",
                kind.map_or(*resource, |kind| kind.name())
            )
        }
        Some([namespace, "leases"]) => format!("Lease {namespace}/meshscrape"),
        _ => path.to_owned(),
    }
}

const KINDS: [Kind; 14] = [
    Kind::Pod,
    Kind::ConfigMap,
    Kind::Secret,
    Kind::Deployment,
    Kind::StatefulSet,
    Kind::DaemonSet,
    Kind::Sidecar,
    Kind::Gateway,
    Kind::VirtualService,
    Kind::ServiceEntry,
    Kind::EnvoyFilter,
    Kind::PeerAuthentication,
    Kind::AuthorizationPolicy,
    Kind::Lease,
];

/// Any of these names what was asked for.
pub fn names(request: &str) -> Vec<String> {
    let path = request.split([' ', '?']).nth(1).unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut names = vec![object_of(request)];
    if path.contains("/authorization.k8s.io/") {
        names.push("permission".into());
    } else if path == "/version" {
        names.push("API server".into());
    } else if request.starts_with("GET") || last == "pods" {
        names.push(last);
    }
    names
}
