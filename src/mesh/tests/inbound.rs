//! Which Services, ServiceEntries and pods count for the ports of a workload.

use super::*;
use crate::mesh::Protocol;
use crate::reach::inbound::by_target;

fn set(more: &str) -> Arc<Workload> {
    let made = mesh(&format!("{ISTIO}{SET}{more}"));
    workload(&made, "shop/StatefulSet/db").clone()
}

fn ports(of: &Workload) -> Vec<(u16, Protocol)> {
    let counted = by_target(&of.services).into_iter();
    counted
        .map(|(target, ports)| (target, ports[0].protocol))
        .collect()
}

const SET: &str = "
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio-injection: enabled}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: 'x:1', ports: [{name: peer, containerPort: 5701}]}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: db-0
  namespace: shop
  labels: {app: db, role: leader, statefulset.kubernetes.io/pod-name: db-0, apps.kubernetes.io/pod-index: '0'}
  ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: db}]
spec:
  containers:
  - {name: db, image: 'x:1', ports: [{name: peer, containerPort: 5701}]}
  - {name: agent, image: 'x:1', ports: [{name: probe, containerPort: 9999}]}
  - {name: istio-proxy, image: 'proxyv2:1.31.0'}
status: {phase: Running, podIP: 10.0.0.9}
---
{apiVersion: v1, kind: Service, metadata: {name: db, namespace: shop, creationTimestamp: '2025-01-01T00:00:00Z'},
  spec: {selector: {app: db}, ports: [{name: sql, port: 5432}]}}
";

#[test]
fn services_by_labels_that_only_a_running_pod_has_count() {
    let of = set("
---
{apiVersion: v1, kind: Service, metadata: {name: db-0, namespace: shop},
  spec: {selector: {statefulset.kubernetes.io/pod-name: db-0}, ports: [{name: tcp-peer, port: 5701, targetPort: peer}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: leader, namespace: shop},
  spec: {selector: {app: db, role: leader}, ports: [{name: grpc-lead, port: 7000}]}}
");
    assert_eq!(
        ports(&of),
        [
            (5432, Protocol::Detected),
            (5701, Protocol::Tcp),
            (7000, Protocol::Grpc)
        ]
    );
    assert!(of.obstacles.is_empty(), "{:?}", of.obstacles);
}

#[test]
fn a_pod_of_a_set_that_is_to_come_has_the_labels_of_its_number() {
    let by = |selector: &str| {
        ports(&set(&format!(
            "
---
{{apiVersion: v1, kind: Service, metadata: {{name: one, namespace: shop}},
  spec: {{selector: {{{selector}}}, ports: [{{name: tcp-x, port: 7000}}]}}}}
"
        )))
        .contains(&(7000, Protocol::Tcp))
    };
    assert!(by("statefulset.kubernetes.io/pod-name: db-1"));
    assert!(by("app: db, apps.kubernetes.io/pod-index: '1'"));
    assert!(
        !by("statefulset.kubernetes.io/pod-name: db-2"),
        "there are two"
    );
    assert!(!by("statefulset.kubernetes.io/pod-name: other-1"));
    assert!(!by("app: other, apps.kubernetes.io/pod-index: '1'"));
}

#[test]
fn a_named_port_of_a_container_that_only_the_pod_has_is_found() {
    let of = set("
---
{apiVersion: v1, kind: Service, metadata: {name: probe, namespace: shop},
  spec: {selector: {app: db}, ports: [{name: http-probe, port: 80, targetPort: probe}]}}
");
    assert!(ports(&of).contains(&(9999, Protocol::Http)));
    assert!(of.obstacles.is_empty(), "{:?}", of.obstacles);
}

#[test]
fn service_entries_of_the_namespace_that_select_or_list_the_pod_count() {
    let of = set("
---
{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: by-label, namespace: shop},
  spec: {hosts: [a.example], workloadSelector: {labels: {app: db}}, ports: [{number: 1, name: x, protocol: TCP, targetPort: 7100}]}}
---
{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: all, namespace: shop},
  spec: {hosts: [b.example], workloadSelector: {}, ports: [{number: 7200, name: y, protocol: HTTP}]}}
---
{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: listed, namespace: shop},
  spec: {hosts: [c.example], endpoints: [{address: 10.0.0.9}], ports: [{number: 7300, name: z, protocol: GRPC}]}}
---
{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: elsewhere, namespace: shop},
  spec: {hosts: [d.example], endpoints: [{address: 10.0.0.8}], ports: [{number: 7400, name: z, protocol: GRPC}]}}
---
{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: foreign, namespace: bank},
  spec: {hosts: [e.example], workloadSelector: {labels: {app: db}}, ports: [{number: 7500, name: x, protocol: TCP}]}}
");
    assert_eq!(
        ports(&of)[1..],
        [
            (7100, Protocol::Tcp),
            (7200, Protocol::Http),
            (7300, Protocol::Grpc)
        ]
    );
}

/// A pod beside the set's own, with these labels and owners.
fn beside(labels: &str, owners: &str) -> String {
    format!(
        "
---
apiVersion: v1
kind: Pod
metadata: {{name: bare, namespace: shop, labels: {{{labels}}}, ownerReferences: {owners}}}
spec: {{containers: [{{name: db, image: 'x:1'}}, {{name: istio-proxy, image: 'proxyv2:1.31.0'}}]}}
status: {{phase: Running, podIP: 10.0.0.10}}
"
    )
}

#[test]
fn a_pod_without_an_owner_brings_its_ports_and_is_no_pod_of_the_workload() {
    let debug = "
---
{apiVersion: v1, kind: Service, metadata: {name: debug, namespace: shop},
  spec: {selector: {debug: 'true'}, ports: [{name: http, port: 6060}]}}
";
    let of = set(&format!(
        "{}{debug}",
        beside("app: db, debug: 'true'", "[]")
    ));
    assert_eq!(
        of.strays
            .iter()
            .map(|p| p.name.as_str())
            .collect::<Vec<_>>(),
        ["bare"]
    );
    assert_eq!(of.pods.len(), 1);
    assert!(ports(&of).contains(&(6060, Protocol::Http)));
    assert!(of.obstacles.is_empty(), "{:?}", of.obstacles);
    let of = set(&beside("app: other", "[]"));
    assert!(of.strays.is_empty());
}

#[test]
fn without_pods_of_its_own_a_workload_takes_none_of_nobodys() {
    let none = SET
        .replace("name: db-0\n", "name: db-9\n")
        .replace("phase: Running", "phase: Failed");
    let made = mesh(&format!("{ISTIO}{none}{}", beside("app: db", "[]")));
    let of = workload(&made, "shop/StatefulSet/db");
    assert!(of.pods.is_empty());
    assert_eq!(of.strays.len(), 1);
}

#[test]
fn pods_that_istio_would_give_different_chains_on_one_port_are_an_obstacle() {
    // On the leader the older Service of leaders counts, on the bare pod the one of all.
    let leader = "
---
{apiVersion: v1, kind: Service, metadata: {name: leader, namespace: shop, creationTimestamp: '2024-01-01T00:00:00Z'},
  spec: {selector: {role: leader}, ports: [{name: tcp-sql, port: 5432}]}}
";
    let of = set(&format!("{}{leader}", beside("app: db", "[]")));
    assert_eq!(words(&of.obstacles), ["PortsDiffer"]);
    let of = set(&format!(
        "{}{leader}",
        beside("app: db, role: leader", "[]")
    ));
    assert!(of.obstacles.is_empty(), "{:?}", of.obstacles);
    absent(Code::PortsDiffer, of.obstacles.clone());
}

fn machine(namespace: &str, labels: &str, spec: &str) -> Arc<Workload> {
    set(&format!(
        "
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: vm, namespace: {namespace}, labels: {{{labels}}}}}
spec: {{{spec}}}
"
    ))
}

#[test]
fn a_workload_entry_that_our_selectors_would_take_is_an_obstacle() {
    let words = |of: &Workload| words(&of.obstacles).join(" ");
    assert_eq!(
        words(&machine(
            "shop",
            "",
            "address: 192.0.2.1, labels: {app: db}"
        )),
        "MachineCarriesLabels"
    );
    assert_eq!(
        words(&machine("shop", "app: db", "address: 192.0.2.1")),
        "MachineCarriesLabels"
    );
    // Its own labels stand before those of its spec.
    assert_eq!(
        words(&machine(
            "shop",
            "app: x",
            "address: 192.0.2.1, labels: {app: db}"
        )),
        ""
    );
    assert_eq!(words(&machine("bank", "app: db", "address: 192.0.2.1")), "");
    // Istio takes a pod's ports from the entry that has its address.
    assert_eq!(
        words(&machine("shop", "app: x", "address: 10.0.0.9")),
        "MachineHasAddress"
    );
}

#[test]
fn service_entries_that_may_not_be_read_are_not_taken_for_none() {
    let mut found = inventory(&format!("{ISTIO}{SET}"));
    found.service_entries.progress = Progress::Denied("serviceentries: forbidden".into());
    let made = assemble(&found);
    let of = workload(&made, "shop/StatefulSet/db");
    assert_eq!(words(&of.obstacles), ["GovernedByUnread"]);
    // A kind that the cluster does not have is read.
    found.service_entries.progress = Progress::Absent;
    let made = assemble(&found);
    let of = workload(&made, "shop/StatefulSet/db");
    absent(Code::GovernedByUnread, of.obstacles.clone());
    absent(Code::ListNotRead, crate::problems::of_mesh(&made));
}
