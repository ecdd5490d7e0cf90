//! Who runs the program in a cell: a user of one namespace, as a team has one.
//!
//! An administrator's runs keep each other away, one lock a cluster, and cells run at the same time. So a cell's user
//! may do everything but see and take locks outside its own namespace: the lock beside its Prometheus serves. The
//! cluster's own lock is seen by the one cell that an administrator runs, see `matrix.rs`.

use crate::program::folder;
use crate::shell::{apply, kubectl, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The name of what gives a cell's user its rights.
pub const ROLE: &str = "mesh-cell";

/// Istio's root namespace, where the cluster's lock lies.
pub const ROOT: &str = "istio-system";

static MAKING: Mutex<()> = Mutex::new(());

const LOCKS: &str = "coordination.k8s.io";

/// Every group of the server, but that of locks.
fn groups() -> Result<Vec<String>, String> {
    let kinds = kubectl(&["api-resources", "-o", "name", "--cached"])?;
    let groups: BTreeSet<&str> = kinds
        .lines()
        .map(|kind| kind.split_once('.').map_or("", |(_, group)| group))
        .filter(|group| *group != LOCKS)
        .collect();
    Ok(groups.into_iter().map(str::to_owned).collect())
}

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
        {"apiGroups": groups()?, "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["get"]},
    ]});
    let leases = json!({"rules": [
        {"apiGroups": [LOCKS], "resources": ["leases"], "verbs": ["*"]},
    ]});
    {
        // All cells share the role.
        let _one = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        apply(&[
            rbac("ClusterRole", "", ROLE, all),
            rbac("ClusterRoleBinding", "", &user, to("ClusterRole")),
            rbac("Role", namespace, ROLE, leases),
            rbac("RoleBinding", namespace, ROLE, to("Role")),
        ])?;
    }
    // The server's authorizer sees it a moment later.
    until(Duration::from_secs(30), || {
        may(&user, namespace, "update", "leases.coordination.k8s.io")?;
        may(&user, ROOT, "update", "deployments.apps")
    })?;
    if may(&user, ROOT, "get", "leases.coordination.k8s.io").is_ok() {
        return Err(format!("{user} may read the cluster's lock"));
    }
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

fn may(user: &str, namespace: &str, verb: &str, what: &str) -> Result<(), String> {
    kubectl(&["auth", "can-i", verb, what, "-n", namespace, "--as", user]).map(drop)
}

/// Takes the user's rights in the cluster away; those in its namespace go with that.
pub fn clear(namespace: &str) -> Result<(), String> {
    let missing = "--ignore-not-found";
    kubectl(&["delete", "clusterrolebinding", &name(namespace), missing]).map(drop)
}
