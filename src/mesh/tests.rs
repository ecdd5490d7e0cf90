//! From manifests as a user would have them to the mesh as it is understood.

pub(crate) mod codes;
mod gateways;
mod governed;
mod inbound;
mod injected;
mod leftover;
mod observed;
mod operated;
mod others;
mod prometheus_servers;
mod scale;
mod settings;
mod shared;
mod workloads;

use super::kinds::{Kind, WorkloadRef};
use super::objects as lean;
use super::{Inventory, Listing, Mesh, Progress, Prometheus, Workload, assemble};
use crate::problems::{Code, Problem, tests::absent};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

fn add<T: serde::de::DeserializeOwned>(list: &mut Listing<T>, object: Value) {
    list.items
        .push(serde_json::from_value(object).expect("an object of its kind"));
}

/// Reads YAML documents as if every list had come whole.
fn inventory(yaml: &str) -> Inventory {
    let mut inventory = Inventory {
        context: "test".to_owned(),
        ..Inventory::default()
    };
    for kind in [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet] {
        let list = inventory.workloads.entry(kind).or_default();
        list.progress = Progress::Complete;
    }
    inventory.webhooks.progress = Progress::Complete;
    for document in serde_yaml::Deserializer::from_str(yaml) {
        let object = Value::deserialize(document).expect("YAML");
        if object.is_null() {
            continue;
        }
        let into = &mut inventory;
        let kind = object["kind"].as_str().expect("a kind").to_owned();
        let of_the_api = object["apiVersion"] == "gateway.networking.k8s.io/v1";
        match kind.as_str() {
            "Namespace" => add(&mut into.namespaces, object),
            "Pod" => add(&mut into.pods, object),
            "Service" => add(&mut into.services, object),
            "Deployment" => add(into.workloads.entry(Kind::Deployment).or_default(), object),
            "Prometheus" => add(&mut into.prometheuses, object),
            "StatefulSet" => add(into.workloads.entry(Kind::StatefulSet).or_default(), object),
            "DaemonSet" => add(into.workloads.entry(Kind::DaemonSet).or_default(), object),
            "Sidecar" => add(&mut into.sidecars, object),
            "PeerAuthentication" => add(&mut into.peer_authentications, object),
            "AuthorizationPolicy" => add(&mut into.authorization_policies, object),
            "Gateway" if of_the_api => add(&mut into.k8s_gateways, object),
            "Gateway" => add(&mut into.gateways, object),
            "VirtualService" => add(&mut into.virtual_services, object),
            "ServiceEntry" => add(&mut into.service_entries, object),
            "WorkloadEntry" => add(&mut into.workload_entries, object),
            "EnvoyFilter" => add(&mut into.envoy_filters, object),
            "NetworkPolicy" => add(&mut into.network_policies, object),
            "MutatingWebhookConfiguration" => add(&mut into.webhooks, object),
            "ConfigMap" => {
                let map: lean::ConfigMap = serde_json::from_value(object).expect("a ConfigMap");
                let key = format!("{}/{}", map.metadata.namespace, map.metadata.name);
                into.config_maps.insert(key, Ok(map));
            }
            other => panic!("no place for a {other}"),
        }
    }
    inventory
}

fn mesh(yaml: &str) -> Mesh {
    assemble(&inventory(yaml))
}

/// The webhook of an Istio without revisions, with its four selectors.
const ISTIO: &str = "
---
{apiVersion: v1, kind: Namespace, metadata: {name: istio-system}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: istiod, namespace: istio-system, labels: {app: istiod, istio.io/rev: default}}
spec: {template: {spec: {containers: [{name: discovery, image: 'docker.io/istio/pilot:1.31.0-distroless'}]}}}
status: {readyReplicas: 1}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: 'rootNamespace: istio-system'}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: istio-sidecar-injector, labels: {istio.io/rev: default}}
webhooks:
- name: rev.namespace.sidecar-injector.istio.io
  namespaceSelector: {matchExpressions: [{key: istio.io/rev, operator: In, values: [default]}, {key: istio-injection, operator: DoesNotExist}]}
  objectSelector: {matchExpressions: [{key: sidecar.istio.io/inject, operator: NotIn, values: ['false']}]}
- name: rev.object.sidecar-injector.istio.io
  namespaceSelector: {matchExpressions: [{key: istio.io/rev, operator: DoesNotExist}, {key: istio-injection, operator: DoesNotExist}]}
  objectSelector: {matchExpressions: [{key: sidecar.istio.io/inject, operator: NotIn, values: ['false']}, {key: istio.io/rev, operator: In, values: [default]}]}
- name: namespace.sidecar-injector.istio.io
  namespaceSelector: {matchExpressions: [{key: istio-injection, operator: In, values: [enabled]}]}
  objectSelector: {matchExpressions: [{key: sidecar.istio.io/inject, operator: NotIn, values: ['false']}]}
- name: object.sidecar-injector.istio.io
  namespaceSelector: {matchExpressions: [{key: istio-injection, operator: DoesNotExist}, {key: istio.io/rev, operator: DoesNotExist}]}
  objectSelector: {matchExpressions: [{key: sidecar.istio.io/inject, operator: In, values: ['true']}, {key: istio.io/rev, operator: DoesNotExist}]}
";

/// A namespace with injection, a meshed Deployment with two pods, and its Service.
const SHOP: &str = "
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio-injection: enabled}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop, uid: cart-uid, labels: {app: cart}}
spec:
  replicas: 2
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart, version: v1}}
    spec:
      serviceAccountName: cart
      containers: [{name: cart, image: 'shop/cart:3', ports: [{name: web, containerPort: 8080}]}]
status: {readyReplicas: 2}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec:
  selector: {app: cart}
  ports: [{name: http, port: 8000, targetPort: web}]
---
apiVersion: v1
kind: Pod
metadata:
  name: cart-5d9c7b-aaaaa
  namespace: shop
  uid: p1
  labels: {app: cart, version: v1, pod-template-hash: 5d9c7b}
  annotations: {sidecar.istio.io/status: '{\"revision\":\"default\"}', prometheus.io/scrape: 'true', prometheus.io/port: '15020', prometheus.io/path: /stats/prometheus}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: cart-5d9c7b, uid: r}]
spec: {containers: [{name: cart, image: 'shop/cart:3'}], initContainers: [{name: istio-init, image: 'istio/proxyv2:1.31.0'}, {name: istio-proxy, image: 'registry:5000/istio/proxyv2:1.31.0@sha256:0123'}]}
status: {phase: Running, podIP: 10.0.0.1, conditions: [{type: Ready, status: 'True'}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: cart-5d9c7b-bbbbb
  namespace: shop
  uid: p2
  labels: {app: cart, version: v1, pod-template-hash: 5d9c7b}
  annotations: {prometheus.io/scrape: 'true', prometheus.io/port: '15020'}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: cart-5d9c7b, uid: r}]
spec: {containers: [{name: cart, image: 'shop/cart:3'}, {name: istio-proxy, image: 'istio/proxyv2:1.31.0'}]}
status: {phase: Running, podIP: 10.0.0.2, conditions: [{type: Ready, status: 'False'}]}
";

fn shop(more: &str) -> Mesh {
    mesh(&format!("{ISTIO}{SHOP}{more}"))
}

fn workload(mesh: &Mesh, id: &str) -> Arc<Workload> {
    let id: WorkloadRef = id.parse().expect("NS/KIND/NAME");
    mesh.workload(&id)
        .unwrap_or_else(|| panic!("no {id}"))
        .clone()
}

fn cart(more: &str) -> Arc<Workload> {
    workload(&shop(more), "shop/Deployment/cart")
}

/// The names of the codes.
fn words(obstacles: &[Problem]) -> Vec<&'static str> {
    obstacles
        .iter()
        .map(|problem| problem.code().name())
        .collect()
}

trait Said {
    fn said(&self) -> String;
}

impl Said for Problem {
    /// In whatever language the sentences are.
    fn said(&self) -> String {
        crate::words::reason(self)
    }
}

fn only(mesh: &Mesh) -> &Prometheus {
    assert_eq!(mesh.prometheus_servers.len(), 1);
    &mesh.prometheus_servers[0]
}
