//! No text from the cluster drives the terminal: escapes in every string that the API lets through, by kind and
//! one by one, through every command and screen.

use super::{BASE, World, documents, documents_of};
use crate::journeys::screen::{drive, is_unsafe};
use meshscrape::wizard::state::Start;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// A window's title, colours, a clear screen in C1, lines turned around, DEL, and a line that looks like ours.
const POISON: &str =
    "\u{1b}]0;owned\u{7}\u{1b}[31m\u{9b}2J\u{202e}\u{2066}\u{200f}\u{7f}\r\nFORGED: all secured";

/// Objects with strings of most kinds that a cluster may hold.
const KINDS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  annotations: {note: x, meta.helm.sh/release-name: release, meta.helm.sh/release-namespace: shop}
  labels: {app.kubernetes.io/managed-by: Helm}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {prometheus.io/scrape: "true", prometheus.io/port: "8080", note: x}
    spec:
      containers:
      - {name: web, image: "example.org/web:1", args: [a, b], env: [{name: MODE, value: x}], ports: [{name: http, containerPort: 8080}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop, annotations: {note: x}}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "example.org/db:1", command: [run]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, annotations: {note: x}}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http, appProtocol: http}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: out, namespace: shop}
spec:
  hosts: [out.example.org]
  exportTo: ["."]
  addresses: [10.0.0.9]
  ports: [{number: 15020, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: web}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: route, namespace: shop}
spec:
  hosts: [web.example.org]
  gateways: [mesh, shop/gate]
  http:
  - match: [{uri: {exact: /stats/prometheus}}]
    route: [{destination: {host: out.example.org, port: {number: 15020}}}]
  - route: [{destination: {host: web}}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gate, namespace: shop}
spec:
  selector: {app: web}
  servers: [{port: {number: 15091, name: https, protocol: HTTPS}, hosts: [x.example.org], tls: {mode: SIMPLE, credentialName: c}}]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: all, namespace: shop}
spec:
  egress: [{hosts: ["./*"]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: some, namespace: shop}
spec:
  action: ALLOW
  rules: [{from: [{source: {principals: [cluster.local/ns/x/sa/y]}}], to: [{operation: {paths: [/x]}}]}]
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict, namespace: shop}
spec: {mtls: {mode: STRICT}}
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: filter, namespace: shop}
spec:
  configPatches:
  - applyTo: HTTP_FILTER
    match: {context: SIDECAR_INBOUND, listener: {name: virtualInbound}}
    patch: {operation: MERGE, value: {name: x}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: prometheus, namespace: istio-system, annotations: {note: x}}
data:
  other.conf: some text
  prometheus.yml: |
    scrape_configs:
    - job_name: kubernetes-pods
      kubernetes_sd_configs:
      - role: pod
      relabel_configs:
      - {action: keep, regex: true, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]}
"#;

/// Fields whose value the API server checks by a pattern or a list, so that no such character gets in.
fn checked(path: &[String]) -> bool {
    let last = path.last().map_or("", String::as_str);
    let named = [
        "apiVersion",
        "kind",
        "name",
        "namespace",
        "containerPort",
        "protocol",
        "mode",
        "action",
        "applyTo",
        "context",
        "operation",
        "serviceName",
        "serviceAccountName",
        "targetPort",
        "operator",
        "configMap",
        "claimName",
        "mountPath",
        "labels",
        "matchLabels",
    ];
    let within = [
        "labels",
        "matchLabels",
        "selector",
        "matchExpressions",
        "namespaceSelector",
        "objectSelector",
    ];
    named.contains(&last) || path.iter().any(|part| within.contains(&part.as_str()))
}

/// The strings of an object that may hold anything.
fn strings(value: &Value, path: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                path.push(key.clone());
                strings(inner, path, out);
                path.pop();
            }
        }
        Value::Array(list) => {
            for (n, inner) in list.iter().enumerate() {
                path.push(n.to_string());
                strings(inner, path, out);
                path.pop();
            }
        }
        Value::String(_) if !checked(path) => out.push(path.clone()),
        _ => {}
    }
}

/// Puts the escapes behind a string; in a text of several lines, as a value of its own.
fn poison(object: &mut Value, path: &[String]) {
    let pointer: String = path
        .iter()
        .map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")))
        .collect();
    let Some(Value::String(text)) = object.pointer_mut(&pointer) else {
        return;
    };
    *text = match text.contains('\n') {
        true => format!("{text}x-note: {}\n", serde_json::to_string(POISON).unwrap()),
        false => format!("{text}{POISON}"),
    };
}

fn objects() -> Vec<Value> {
    let mut all = documents(BASE);
    for own in documents_of(KINDS) {
        all.retain(|old| super::key(old) != super::key(&own));
        all.push(own);
    }
    all
}

fn world(objects: &[Value]) -> World {
    let text: Vec<String> = objects
        .iter()
        .map(|object| meshscrape::text::json(&object.to_string()).into_owned())
        .collect();
    World::of(&text.join("\n---\n"))
}

/// Control characters in what was said, and lines that pass for the program's own.
fn bad(said: &str) -> Vec<String> {
    said.split('\n')
        .filter(|line| {
            line.chars().any(|c| c != '\t' && is_unsafe(c)) || line.starts_with("FORGED")
        })
        .map(|line| format!("{line:?}"))
        .collect()
}

fn files(folder: &Path, each: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, each),
            false => each(&path, &std::fs::read_to_string(&path).unwrap()),
        }
    }
}

async fn every_command(world: &World, what: &str) {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out");
    for line in [
        "plan -n shop",
        "plan -n shop --json",
        "plan -n shop --yaml",
        &format!("export -n shop {}", to.display()),
        "status -n shop --once",
        "apply -w shop/StatefulSet/db --yes --timeout 30",
        "undo",
        "undo --list",
    ] {
        let called = world.call(line).await;
        for said in [&called.out, &called.err] {
            assert_eq!(bad(said), [""; 0], "{what}: {line}");
        }
        if let Err(error) = &called.ended {
            let said = meshscrape::program::said(error);
            assert_eq!(bad(&said), [""; 0], "{what}: {line}");
        }
        if line.contains("--json") && called.ended.is_ok() {
            serde_json::from_str::<Value>(&called.out).unwrap_or_else(|e| panic!("{what}: {e}"));
        }
    }
    if to.exists() {
        files(&to, &mut |path, text| {
            assert_eq!(bad(text), [""; 0], "{what}: {}", path.display());
        });
    }
}

#[tokio::test(start_paused = true)]
async fn escapes_in_any_kind_of_object_reach_no_output() {
    let all = objects();
    for kind in [
        "Deployment",
        "StatefulSet",
        "Service",
        "ConfigMap",
        "ServiceEntry",
    ] {
        let mut poisoned = all.clone();
        for object in poisoned.iter_mut().filter(|object| object["kind"] == kind) {
            let mut paths = Vec::new();
            strings(object, &mut Vec::new(), &mut paths);
            // What leads the program to Prometheus stays, or there would be nothing to see.
            paths.retain(|path| {
                !(object["metadata"]["namespace"] == "istio-system" && path[0] == "spec")
            });
            for path in paths {
                poison(object, &path);
            }
        }
        every_command(&world(&poisoned), kind).await;
    }
    let mut poisoned = all;
    for object in &mut poisoned {
        let istio = object["apiVersion"]
            .as_str()
            .is_some_and(|group| group.contains("istio.io"));
        if istio {
            let mut paths = Vec::new();
            strings(object, &mut Vec::new(), &mut paths);
            for path in paths {
                poison(object, &path);
            }
        }
    }
    every_command(&world(&poisoned), "Istio's").await;
}

#[tokio::test(start_paused = true)]
async fn escapes_in_any_kind_of_object_reach_no_screen() {
    let mut all = objects();
    for object in &mut all {
        let mut paths = Vec::new();
        strings(object, &mut Vec::new(), &mut paths);
        paths.retain(|path| {
            !(object["metadata"]["namespace"] == "istio-system" && path[0] == "spec")
        });
        for path in paths {
            poison(object, &path);
        }
    }
    let world = world(&all);
    // Every cell that is drawn is looked at by the screen itself.
    drive(&world.simulation, Start::default(), |user| async move {
        user.read().await;
        for keys in [
            "i",
            "enter",
            "i",
            "enter",
            "i",
            "a enter",
            "i down i a",
            "enter",
            "i a enter",
            "e down e enter",
            "v y",
            "k down",
            "o esc",
            "down down end",
            "enter tab",
            "esc",
            "?",
            "esc",
        ] {
            user.press(keys);
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
        user
    })
    .await;
}

/// Too long for every run.
mod samples {
    use super::*;

    /// One string after another, so that none hides another: minutes.
    #[tokio::test(start_paused = true)]
    #[ignore = "minutes; .ci/run does it"]
    async fn escapes_in_each_string_by_itself_reach_no_output() {
        let all = objects();
        let mut tried = 0;
        for n in 0..all.len() {
            let mut paths = Vec::new();
            strings(&all[n], &mut Vec::new(), &mut paths);
            for path in paths {
                let mut poisoned = all.clone();
                poison(&mut poisoned[n], &path);
                let what = format!("{} {}", poisoned[n]["kind"], path.join("."));
                every_command(&world(&poisoned), &what).await;
                tried += 1;
            }
        }
        assert!(tried > 40, "{tried}");
    }
}
