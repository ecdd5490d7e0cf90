//! Whether the certificate files that a scrape job names can be there: who writes them, and whether he could by now.
//!
//! istio-agent writes `key.pem`, `cert-chain.pem` and `root-cert.pem` into the folder of `OUTPUT_CERTS` once istiod
//! has signed (istio, `security/pkg/nodeagent/cache`), and reports ready only with a configuration of istiod's, which
//! comes after. Prometheus reads the files when it makes the job's pool, and makes one that failed anew only when its
//! discovery reports a change, or at a reload (prometheus, `scrape/manager.go`).

use serde_json::Value;

/// What a pod tells of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Files {
    /// Nothing is known of them, or somebody else brings them.
    #[default]
    Unknown,
    /// The agent beside Prometheus has them: they are there by now.
    Written,
    /// The agent is to write them, and has none yet.
    Awaited,
    /// Nobody writes them there: why.
    Nobody(String),
}

const WRITTEN: [&str; 3] = ["key.pem", "cert-chain.pem", "root-cert.pem"];

/// `pod`: as the API server gives it. `container`: the one that runs Prometheus. `files`: what the job names.
pub fn files(pod: &Value, container: &str, files: &[String]) -> Files {
    if files.is_empty() {
        return Files::Unknown;
    }
    let Some(own) = named(pod, container) else {
        return Files::Unknown;
    };
    let Some(proxy) = named(pod, "istio-proxy") else {
        return Files::Nobody("its pod has no sidecar that writes them".into());
    };
    let written = env(proxy, "OUTPUT_CERTS").and_then(|folder| place(proxy, folder));
    for file in files {
        let Some((volume, inner)) = place(own, file) else {
            return Files::Nobody(format!(
                "{file} is not mounted in the container {container}"
            ));
        };
        // Volumes of other kinds are somebody else's to fill.
        let nobody = |why: String| match in_memory(pod, &volume) {
            true => Files::Nobody(why),
            false => Files::Unknown,
        };
        let Some((of_agent, folder)) = &written else {
            return nobody("its sidecar is not told to write them (OUTPUT_CERTS)".into());
        };
        if *of_agent != volume {
            return nobody(format!(
                "its sidecar writes into the volume {of_agent}, and the job reads {volume}"
            ));
        }
        let name = inner.strip_prefix(folder.as_str());
        let name = name.map(|rest| rest.trim_start_matches('/'));
        if !name.is_some_and(|name| WRITTEN.contains(&name)) {
            return Files::Nobody(format!("its sidecar writes no file {file}"));
        }
    }
    match ready(pod) {
        Some(true) => Files::Written,
        Some(false) => Files::Awaited,
        None => Files::Unknown,
    }
}

fn all<'p>(pod: &'p Value, group: &str, lists: [&str; 2]) -> impl Iterator<Item = &'p Value> {
    let part = &pod[group];
    let lists = lists.map(|list| part[list].as_array());
    lists.into_iter().flatten().flatten()
}

fn named<'p>(pod: &'p Value, name: &str) -> Option<&'p Value> {
    all(pod, "spec", ["containers", "initContainers"]).find(|container| container["name"] == name)
}

fn ready(pod: &Value) -> Option<bool> {
    let lists = ["containerStatuses", "initContainerStatuses"];
    let mut all = all(pod, "status", lists);
    all.find(|status| status["name"] == "istio-proxy")?["ready"].as_bool()
}

fn env<'p>(container: &'p Value, name: &str) -> Option<&'p str> {
    let mut all = container["env"].as_array()?.iter();
    all.find(|one| one["name"] == name)?["value"].as_str()
}

/// The volume that a path of the container lies in, and the path in it.
fn place(container: &Value, path: &str) -> Option<(String, String)> {
    let inside = |mount: &Value| {
        let at = mount["mountPath"].as_str()?.trim_end_matches('/');
        let rest = path.strip_prefix(at)?;
        let sub = mount["subPath"].as_str().unwrap_or_default();
        let whole = format!("{sub}/{}", rest.trim_start_matches('/'));
        let name = mount["name"].as_str()?.to_owned();
        (rest.is_empty() || rest.starts_with('/'))
            .then(|| (at.len(), name, whole.trim_matches('/').to_owned()))
    };
    let mounts = container["volumeMounts"].as_array()?.iter();
    let deepest = mounts.filter_map(inside).max_by_key(|found| found.0);
    deepest.map(|(_, name, whole)| (name, whole))
}

fn in_memory(pod: &Value, volume: &str) -> bool {
    let volumes = pod["spec"]["volumes"].as_array();
    let mut all = volumes.into_iter().flatten();
    all.any(|one| one["name"] == volume && one.get("emptyDir").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(list: &str, proxy_mount: &Value, own_mount: &Value, ready: bool) -> Value {
        let statuses = match list {
            "containers" => "containerStatuses",
            _ => "initContainerStatuses",
        };
        let proxy = json!({
            "name": "istio-proxy", "env": [{"name": "OUTPUT_CERTS", "value": "/etc/out"}],
            "volumeMounts": [proxy_mount],
        });
        let own = json!({"name": "prometheus", "volumeMounts": [own_mount]});
        let volumes = json!([
            {"name": "certs", "emptyDir": {}}, {"name": "other", "emptyDir": {}}, {"name": "secret", "secret": {}},
        ]);
        let mut pod = json!({
            "spec": {"volumes": volumes},
            "status": {statuses: [{"name": "istio-proxy", "ready": ready}]},
        });
        match list {
            "containers" => pod["spec"]["containers"] = json!([own, proxy]),
            _ => {
                pod["spec"]["containers"] = json!([own]);
                pod["spec"]["initContainers"] = json!([proxy]);
            }
        }
        pod
    }

    #[test]
    fn who_writes_what_the_job_reads() {
        let out = json!({"name": "certs", "mountPath": "/etc/out"});
        let own = |mount: &str| json!({"name": "certs", "mountPath": mount});
        let reads = |folder: &str| WRITTEN.map(|name| format!("{folder}/{name}")).to_vec();
        let asked = |pod: &Value, folder: &str| files(pod, "prometheus", &reads(folder));
        let nobody = |found: Files| matches!(found, Files::Nobody(_));
        for list in ["containers", "initContainers"] {
            let there = pod(list, &out, &own("/etc/prom-certs"), true);
            assert_eq!(asked(&there, "/etc/prom-certs"), Files::Written, "{list}");
            let late = pod(list, &out, &own("/etc/prom-certs"), false);
            assert_eq!(asked(&late, "/etc/prom-certs"), Files::Awaited, "{list}");
            assert!(nobody(asked(&there, "/etc/elsewhere")));
            assert!(nobody(asked(&there, "/etc/prom-certs/deeper")));
        }
        // A folder above, and a part of the volume.
        let above = json!({"name": "certs", "mountPath": "/etc"});
        let part = json!({"name": "certs", "mountPath": "/c", "subPath": "out"});
        let there = pod("containers", &above, &part, true);
        assert_eq!(asked(&there, "/c"), Files::Written);
        let other = json!({"name": "other", "mountPath": "/c"});
        assert!(nobody(asked(&pod("containers", &out, &other, true), "/c")));
        let secret = json!({"name": "secret", "mountPath": "/c"});
        let there = pod("containers", &out, &secret, true);
        assert_eq!(asked(&there, "/c"), Files::Unknown);
        let alone =
            json!({"spec": {"containers": [{"name": "prometheus", "volumeMounts": [own("/c")]}]}});
        assert!(nobody(asked(&alone, "/c")));
        assert_eq!(files(&alone, "prometheus", &[]), Files::Unknown);
    }
}
