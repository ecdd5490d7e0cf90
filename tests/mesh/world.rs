//! A cell's own corner of the mesh: Istio's samples under names of its own, a gateway, and two clients that all share.

use crate::shell::{apply, kubectl, rolled_out};
use crate::user;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Where the clients live.
pub const CLIENTS: &str = "mesh-clients";
/// The gateway's Deployment, Service and Gateway in a cell's namespace.
pub const GATEWAY: &str = "edge";

/// A file of Istio's samples, its documents as values.
pub fn sample(file: &str) -> Result<Vec<Value>, String> {
    let folder = std::env::var_os("MESH_SAMPLES")
        .ok_or("MESH_SAMPLES does not name the folder of Istio's samples")?;
    let path = PathBuf::from(folder).join(file);
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    documents(&text)
}

/// The documents of a YAML text.
pub fn documents(text: &str) -> Result<Vec<Value>, String> {
    let all = serde_yaml::Deserializer::from_str(text).map(Value::deserialize);
    let all: Result<Vec<Value>, _> = all.collect();
    let mut all = all.map_err(|error| error.to_string())?;
    all.retain(|document| !document.is_null());
    Ok(all)
}

/// The sample Prometheus in a namespace of its own. It discovers pods there alone, so that cells do not scrape
/// each other, and scrapes them every 5 s in place of 15.
pub fn prometheus(namespace: &str) -> Result<Vec<Value>, String> {
    let mut objects = sample("addons/prometheus.yaml")?;
    for object in &mut objects {
        let cluster = object["kind"]
            .as_str()
            .is_some_and(|k| k.starts_with("Cluster"));
        if cluster {
            object["metadata"]["name"] = format!("prometheus-{namespace}").into();
        } else {
            object["metadata"]["namespace"] = namespace.into();
        }
        if object["kind"] == "ClusterRoleBinding" {
            object["roleRef"]["name"] = format!("prometheus-{namespace}").into();
            object["subjects"][0]["namespace"] = namespace.into();
        }
        if object["kind"] == "ConfigMap" {
            let text = object["data"]["prometheus.yml"].as_str();
            let text = text.ok_or("the sample has no prometheus.yml")?;
            let (pods, job) = ("- role: pod\n", "- job_name: kubernetes-pods\n");
            if !text.contains(pods) || !text.contains(job) {
                return Err("the sample's scrape jobs are not as this harness knows them".into());
            }
            let here = format!("{pods}    namespaces:\n      names: [{namespace}]\n");
            let often = format!("{job}  scrape_interval: 5s\n  scrape_timeout: 5s\n");
            object["data"]["prometheus.yml"] =
                text.replace(pods, &here).replace(job, &often).into();
        }
    }
    Ok(objects)
}

/// The sample httpbin. Istio drops a proxy's HTTP statistics unless they are asked for.
pub fn httpbin(namespace: &str) -> Result<Vec<Value>, String> {
    let mut objects = sample("httpbin/httpbin.yaml")?;
    for object in &mut objects {
        object["metadata"]["namespace"] = namespace.into();
        if object["kind"] == "Deployment" {
            object["spec"]["template"]["metadata"]["annotations"] =
                json!({"sidecar.istio.io/statsInclusionPrefixes": "http,cluster.inbound"});
        }
    }
    Ok(objects)
}

/// A classic ingress gateway, injected, with the httpbin behind it on port 80.
pub fn gateway(namespace: &str) -> Result<Vec<Value>, String> {
    let text = include_str!("data/gateway.yaml")
        .replace("NAMESPACE", namespace)
        .replace("GATEWAY", GATEWAY);
    documents(&text)
}

pub fn namespace(name: &str, mode: Option<&str>) -> Vec<Value> {
    let mut objects = vec![json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"istio-injection": "enabled"}},
    })];
    objects.extend(mode.map(|mode| {
        json!({
            "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
            "metadata": {"name": "default", "namespace": name},
            "spec": {"mtls": {"mode": mode}},
        })
    }));
    objects
}

/// A namespace with httpbin, a gateway and a Prometheus, all at work.
pub fn build(name: &str, mode: &str) -> Result<(), String> {
    clear(name, true)?;
    apply(&namespace(name, Some(mode)))?;
    let mut objects = httpbin(name)?;
    objects.extend(gateway(name)?);
    objects.extend(prometheus(name)?);
    apply(&objects)?;
    for deployment in ["httpbin", GATEWAY, "prometheus"] {
        rolled_out(name, deployment)?;
    }
    Ok(())
}

/// Takes a cell's namespace away, and what it has outside.
pub fn clear(name: &str, wait: bool) -> Result<(), String> {
    let wait = format!("--wait={wait}");
    let missing = "--ignore-not-found";
    let role = format!("prometheus-{name}");
    // The pods go first: while there are any, the namespace is looked at again only after half of their longest
    // grace period, and the sample Prometheus has 300 s of that.
    kubectl(&[
        "delete",
        "deployments",
        "--all",
        "-n",
        name,
        "--cascade=foreground",
    ])?;
    kubectl(&["delete", "namespace", name, missing, &wait])?;
    user::clear(name)?;
    kubectl(&[
        "delete",
        "clusterrole,clusterrolebinding",
        &role,
        missing,
        &wait,
    ])?;
    Ok(())
}

/// Two pods that stay for all cells: `curl` is an ordinary meshed client; `stranger` has a workload certificate of
/// its own in files, and what it sends leaves it as it is: plaintext stays plaintext.
pub fn clients() -> Result<(), String> {
    apply(&namespace(CLIENTS, None))?;
    let mut objects = sample("curl/curl.yaml")?;
    for object in &mut objects {
        object["metadata"]["namespace"] = CLIENTS.into();
    }
    objects.extend(documents(include_str!("data/stranger.yaml"))?);
    let image = objects
        .iter()
        .find_map(|o| o.pointer("/spec/template/spec/containers/0/image"))
        .cloned()
        .ok_or("the sample curl has no image")?;
    for object in &mut objects {
        object["metadata"]["namespace"] = CLIENTS.into();
        if object["metadata"]["name"] == "stranger" && object["kind"] == "Deployment" {
            object["spec"]["template"]["spec"]["containers"][0]["image"] = image.clone();
        }
    }
    apply(&objects)?;
    rolled_out(CLIENTS, "curl")?;
    rolled_out(CLIENTS, "stranger")
}
