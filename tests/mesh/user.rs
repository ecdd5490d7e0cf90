//! Who runs the program in a cell: a user of one namespace, as a team has one.
//!
//! An administrator's runs keep each other away, one lock a cluster, and cells run at the same time. So a cell's user
//! may do everything but see and take locks outside its own namespace: the lock beside its Prometheus serves.

use crate::program::folder;
use crate::shell::{apply, kubectl};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The name of what gives a cell's user its rights.
pub const ROLE: &str = "mesh-cell";

/// The groups whose objects the program, Istio and Kubernetes have here, but for `coordination.k8s.io`.
const GROUPS: [&str; 16] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apps",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "discovery.k8s.io",
    "events.k8s.io",
    "gateway.networking.k8s.io",
    "monitoring.coreos.com",
    "networking.istio.io",
    "networking.k8s.io",
    "policy",
    "security.istio.io",
    "telemetry.istio.io",
];

fn name(namespace: &str) -> String {
    format!("{ROLE}-{namespace}")
}

/// The kubeconfig of that namespace's user, who gets the rights first.
pub fn kubeconfig(namespace: &str) -> Result<PathBuf, String> {
    let user = name(namespace);
    let rbac = |kind: &str, space: &str, name: &str, rest: Value| {
        let mut object = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name},
        });
        if !space.is_empty() {
            object["metadata"]["namespace"] = space.into();
        }
        for (field, value) in rest.as_object().into_iter().flatten() {
            object[field] = value.clone();
        }
        object
    };
    let to = |kind: &str| {
        json!({
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": ROLE},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        })
    };
    let all = json!({"rules": [
        {"apiGroups": GROUPS, "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["get"]},
    ]});
    let leases = json!({"rules": [
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["*"]},
    ]});
    apply(&[
        rbac("ClusterRole", "", ROLE, all),
        rbac("ClusterRoleBinding", "", &user, to("ClusterRole")),
        rbac("Role", namespace, ROLE, leases),
        rbac("RoleBinding", namespace, ROLE, to("Role")),
    ])?;
    let config = kubectl(&["config", "view", "--raw", "-o", "json"])?;
    let mut config: Value = serde_json::from_str(&config).map_err(|e| e.to_string())?;
    for named in config["users"].as_array_mut().into_iter().flatten() {
        named["user"]["as"] = user.as_str().into();
    }
    let state = folder().join("state");
    std::fs::create_dir_all(&state).map_err(|e| format!("{}: {e}", state.display()))?;
    let file = state.join(format!("{namespace}.kubeconfig"));
    std::fs::write(&file, config.to_string()).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(file)
}

/// Takes the user's rights in the cluster away; those in its namespace go with that.
pub fn clear(namespace: &str) -> Result<(), String> {
    let missing = "--ignore-not-found";
    kubectl(&["delete", "clusterrolebinding", &name(namespace), missing]).map(drop)
}
