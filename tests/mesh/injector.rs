//! The real injector: what it refuses, what its own policy leaves out, and what the program says of both before it
//! writes anything. The program's rules are asked beside the real webhook, pod by pod.

use crate::program::Program;
use crate::report::{Checks, Stop};
use crate::shell::{apply, get, kubectl, run as process, until};
use crate::world;
use meshscrape::mesh::objects::Labels;
use meshscrape::reach::injected::proxy;
use meshscrape::reach::injector::{Plane, Policy, Takes, injects, takes};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

pub const REFUSES: &str = "injector-refuses";
pub const POLICY: &str = "injector-policy";
const MAP: [&str; 4] = ["-n", "istio-system", "configmap", "istio-sidecar-injector"];

pub fn namespace(cell: &str) -> String {
    format!("mesh-{cell}")
}

fn pairs(text: &str) -> Labels {
    let own = |pair: &str| {
        pair.split_once('=')
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
    };
    text.split_whitespace().filter_map(own).collect()
}

/// A Pod as admission answers it; `Err`: it was refused, in the server's words.
fn asked(namespace: &str, labels: &Labels, annotations: &Labels) -> Result<Value, String> {
    let mut labels = labels.clone();
    labels.insert("asks".into(), "injector".into());
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"generateName": "asked-", "namespace": namespace, "labels": labels, "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": "example.org/app:1"}]}});
    let mut command = Command::new("kubectl");
    command.args(["create", "--dry-run=server", "-o", "json", "-f", "-"]);
    let ran = process(&mut command, &pod.to_string(), Duration::from_secs(60));
    match ran.code {
        Some(0) => serde_json::from_str(&ran.out).map_err(|e| e.to_string()),
        _ => Err(format!("{}{}", ran.out, ran.err)),
    }
}

const ANNOTATIONS: &[&str] = &[
    "",
    "prometheus.io/port=8080",
    "prometheus.io/port=+8080",
    "prometheus.io/port=08080",
    "prometheus.io/port=15020",
    "prometheus.io/port=015020",
    "prometheus.io/port=15014",
    "prometheus.io/port=15000",
    "prometheus.io/port=15021",
    "prometheus.io/port=15090",
    "prometheus.io.port=15090",
    "prometheus-io/port=15006",
    "prometheus.io/port=http-metrics",
    "prometheus.io/port=0",
    "prometheus.io/port=65536",
    "prometheus.io/scrape=false prometheus.io/port=15090",
    "prometheus.io/scrape=F prometheus.io/port=15090",
    "prometheus.io/scrape=no prometheus.io/port=15090",
    "prometheus.istio.io/merge-metrics=false prometheus.io/port=15090",
    "prometheus.istio.io/merge-metrics=maybe",
    "prometheus.istio.io/scrape-targets=8080:/a,9102 prometheus.io/port=metrics",
    "prometheus.istio.io/scrape-targets=8080,15090:/x",
    "prometheus.istio.io/scrape-targets=:/x prometheus.io/port=metrics",
    "sidecar.istio.io/interceptionMode=OFF",
    "traffic.sidecar.istio.io/includeInboundPorts=8080,http",
    "traffic.sidecar.istio.io/includeInboundPorts=",
    "traffic.sidecar.istio.io/excludeOutboundIPRanges=10.0.0.1",
    "traffic.sidecar.istio.io/excludeOutboundIPRanges=10.0.0.0/8",
    "status.sidecar.istio.io/port=off",
    "readiness.status.sidecar.istio.io/periodSeconds=soon",
];

fn deployment(namespace: &str, name: &str, annotations: &Labels) -> Value {
    let labels = json!({"app": name});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels, "annotations": annotations},
            "spec": {"containers": [{"name": "app", "image": "example.org/app:1"}]}}}})
}

fn program(cell: &str, name: &str) -> Result<Program, String> {
    let of = format!("{}/Deployment/{name}", namespace(cell));
    let choices = [
        "-w",
        &of,
        "--prometheus",
        "istio-system/Deployment/prometheus",
        "--inject",
    ];
    Program::of_administrator(cell, &choices.map(str::to_owned))
}

/// Plan and apply are refused, say why, and leave nothing.
fn refused(checks: &mut Checks, cell: &str, name: &str, why: &str) {
    let words: [&[&str]; 2] = [&["plan"], &["apply", "--yes", "--lose-history"]];
    for words in words {
        checks.add(&format!("{} is refused and says why", words[0]), || {
            let (code, text) = program(cell, name)?.refused(words)?;
            match code == 4 && text.contains(why) {
                true => Ok(text),
                false => Err(format!("exit {code}\n{text}")),
            }
        });
    }
    checks.add("nothing of ours is there", || {
        let kinds = "sidecars.networking.istio.io,peerauthentications,authorizationpolicies";
        let ours = get(&["-n", &namespace(cell), kinds])?;
        match ours["items"].as_array().is_none_or(Vec::is_empty) {
            true => Ok("none".into()),
            false => Err(ours.to_string()),
        }
    });
}

pub fn refuses(checks: &mut Checks) -> Result<(), Stop> {
    let namespace = namespace(REFUSES);
    let bad = pairs("prometheus.io/scrape=true prometheus.io/port=15090");
    checks.must("the namespace stands", || {
        apply(&world::namespace(&namespace, None))?;
        apply(&[deployment(&namespace, "legacy", &bad)]).map(|()| namespace.clone())
    })?;
    let plane = Plane {
        version: Some((1, 31)),
        merge: true,
        status_port: 15020,
    };
    for text in ANNOTATIONS {
        let annotations = pairs(text);
        checks.add(
            &format!("the injector answers as the rule has it: {text}"),
            || {
                let real = asked(&namespace, &Labels::new(), &annotations);
                let rule = takes(&annotations, &plane);
                match (&real, &rule) {
                    (Ok(pod), Takes::Yes) if proxy(pod).is_some() => Ok("takes".into()),
                    (Err(words), Takes::No(_)) if words.contains("denied the request") => {
                        Ok(words.clone())
                    }
                    _ => Err(format!("{real:?}\n{rule:?}")),
                }
            },
        );
    }
    refused(checks, REFUSES, "legacy", "injector refuses");
    Ok(())
}

const PODS: &[(&str, &str)] = &[
    ("", ""),
    ("mesh-cell=never", ""),
    ("mesh-cell=never sidecar.istio.io/inject=true", ""),
    ("mesh-cell=never", "sidecar.istio.io/inject=true"),
    ("mesh-cell=other", ""),
    ("sidecar.istio.io/inject=no", ""),
    ("", "sidecar.istio.io/inject=false"),
    (
        "sidecar.istio.io/inject=true",
        "sidecar.istio.io/inject=false",
    ),
    ("mesh-cell=both mesh-also=x", ""),
];

/// Selectors that take the pods of this cell alone.
fn with_selectors(config: &str) -> Result<String, String> {
    let mut config: Value = serde_yaml::from_str(config).map_err(|e| e.to_string())?;
    config["neverInjectSelector"] = json!([
        {"matchExpressions": [{"key": "mesh-cell", "operator": "In", "values": ["never", "both"]}]}, {}]);
    config["alwaysInjectSelector"] = json!([{"matchLabels": {"mesh-also": "x"}}]);
    serde_yaml::to_string(&config).map_err(|e| e.to_string())
}

fn put(config: &str) -> Result<(), String> {
    let patch = json!({"data": {"config": config}}).to_string();
    let [of, place, kind, name] = MAP;
    kubectl(&[
        of, place, "patch", kind, name, "--type", "merge", "-p", &patch,
    ])
    .map(|_| ())
}

pub fn policy(checks: &mut Checks) -> Result<(), Stop> {
    let namespace = namespace(POLICY);
    let mut before = String::new();
    checks.must(
        "the namespace stands, and the injector has a selector for it",
        || {
            apply(&world::namespace(&namespace, None))?;
            let mut of = deployment(&namespace, "jobs-api", &Labels::new());
            of["spec"]["template"]["metadata"]["labels"]["mesh-cell"] = "never".into();
            apply(&[of])?;
            let map = get(&MAP)?;
            before = map["data"]["config"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            put(&with_selectors(&before)?).map(|()| namespace.clone())
        },
    )?;
    let looked = looks(checks, &namespace, &before);
    checks.add("the injector's ConfigMap is as it was", || {
        put(&before).map(|()| "put back".into())
    });
    looked
}

fn looks(checks: &mut Checks, namespace: &str, before: &str) -> Result<(), Stop> {
    checks.must("the injector has read it", || {
        until(Duration::from_secs(120), || {
            let pod = asked(namespace, &pairs("mesh-cell=never"), &Labels::new())?;
            match proxy(&pod) {
                None => Ok("no sidecar".to_owned()),
                Some(_) => Err("there is a sidecar".to_owned()),
            }
        })
    })?;
    let policy = with_selectors(before)
        .ok()
        .and_then(|text| Policy::read(&text));
    for (labels, annotations) in PODS {
        checks.add(
            &format!("the injector answers as the rule has it: {labels} {annotations}"),
            || {
                let (labels, annotations) = (pairs(labels), pairs(annotations));
                let real = proxy(&asked(namespace, &labels, &annotations)?).is_some();
                let policy = policy.as_ref().ok_or("its configuration cannot be read")?;
                let rule = injects(policy, &labels, &annotations);
                match real == rule.is_ok() {
                    true => Ok(format!("sidecar: {real}")),
                    false => Err(format!("sidecar: {real}, by the rule {rule:?}")),
                }
            },
        );
    }
    refused(checks, POLICY, "jobs-api", "neverInjectSelector");
    Ok(())
}
