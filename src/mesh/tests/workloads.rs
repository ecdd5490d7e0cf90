use super::Said;
use super::*;
use crate::mesh::{OwnerTool, SidecarState};
use std::collections::HashSet;

#[test]
fn pods_of_a_deployment_are_found_through_its_replica_set() {
    let cart = cart("");
    let names: Vec<&str> = cart.pods.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!(names, ["cart-5d9c7b-aaaaa", "cart-5d9c7b-bbbbb"]);
    assert!(cart.pods[0].ready && !cart.pods[1].ready);
    assert_eq!((cart.desired, cart.ready), (2, 2));
    assert!(cart.obstacles.is_empty(), "{:?}", cart.obstacles);
}

#[test]
fn a_replica_set_of_a_longer_name_is_not_taken() {
    let other = cart("
---
apiVersion: v1
kind: Pod
metadata:
  {name: cart-db-77-x, namespace: shop, labels: {pod-template-hash: '77'}, ownerReferences: [{kind: ReplicaSet, name: cart-db-77}]}
status: {phase: Running}
");
    assert_eq!(other.pods.len(), 2);
}

#[test]
fn native_sidecars_stand_among_init_containers() {
    let cart = cart("");
    assert!(
        cart.pods
            .iter()
            .all(|pod| pod.proxy.as_deref() == Some("1.31.0"))
    );
    assert_eq!(
        cart.sidecar,
        SidecarState::Injected {
            versions: vec!["1.31.0".to_owned()],
            revision: "default".to_owned()
        }
    );
}

#[test]
fn named_target_ports_are_resolved_by_the_containers() {
    let cart = cart("");
    assert_eq!(cart.services.len(), 1);
    assert_eq!(
        (cart.services[0].port, cart.services[0].target),
        (8000, Some(8080))
    );
}

#[test]
fn a_target_port_without_a_number_is_the_port_itself() {
    let cart = cart("
---
{apiVersion: v1, kind: Service, metadata: {name: plain, namespace: shop}, spec: {selector: {app: cart, version: v1}, ports: [{port: 9000}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: other, namespace: shop}, spec: {selector: {app: cart, version: v2}, ports: [{port: 9001}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: bank}, spec: {selector: {app: cart}, ports: [{port: 9002}]}}
");
    let found: Vec<_> = cart
        .services
        .iter()
        .map(|s| (s.service.as_str(), s.target))
        .collect();
    assert_eq!(found, [("cart", Some(8080)), ("plain", Some(9000))]);
}

#[test]
fn a_port_that_no_container_declares_is_an_obstacle() {
    let cart = cart("
---
{apiVersion: v1, kind: Service, metadata: {name: cart-admin, namespace: shop}, spec: {selector: {app: cart}, ports: [{port: 81, targetPort: admin}]}}
");
    assert_eq!(words(&cart.obstacles), ["PortUnknown"]);
    assert!(cart.obstacles[0].said().contains("cart-admin"));
}

#[test]
fn a_workload_without_pods_can_be_chosen() {
    let text = format!("{ISTIO}{SHOP}").replace("replicas: 2", "replicas: 0");
    let mut inventory = inventory(&text);
    inventory.pods.items.clear();
    let cart = workload(&assemble(&inventory), "shop/Deployment/cart");
    assert!(cart.obstacles.is_empty(), "{:?}", cart.obstacles);
    assert_eq!(cart.sidecar, SidecarState::AfterRestart);
}

#[test]
fn pods_without_an_owner_are_beside_the_workload_and_none_of_its_own() {
    let text = format!("{ISTIO}{SHOP}").replace(
        "ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: cart-5d9c7b, uid: r}]",
        "",
    );
    let cart = workload(&mesh(&text), "shop/Deployment/cart");
    assert_eq!((cart.pods.len(), cart.strays.len()), (0, 2));
}

#[test]
fn one_pod_without_a_sidecar_is_partly() {
    let cart = cart("
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1-c, namespace: shop, labels: {app: cart, pod-template-hash: '1'}, ownerReferences: [{kind: ReplicaSet, name: cart-1}]}
spec: {containers: [{name: cart}]}
status: {phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1-done, namespace: shop, labels: {app: cart, pod-template-hash: '1'}, ownerReferences: [{kind: ReplicaSet, name: cart-1}]}
spec: {containers: [{name: cart}]}
status: {phase: Failed}
");
    assert_eq!(
        cart.sidecar,
        SidecarState::Partly {
            with: 2,
            without: 1
        }
    );
    assert_eq!(cart.pods.len(), 3);
}

#[test]
fn a_selector_with_expressions_cannot_be_expressed() {
    let text = format!("{ISTIO}{SHOP}").replace(
        "selector: {matchLabels: {app: cart}}",
        "selector: {matchLabels: {app: cart}, matchExpressions: [{key: tier, operator: Exists}]}",
    );
    let cart = workload(&mesh(&text), "shop/Deployment/cart");
    assert_eq!(words(&cart.obstacles), ["NoMatchLabels"]);
}

#[test]
fn labels_that_catch_another_workloads_pods_are_refused() {
    let found = shop("
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart-canary, namespace: shop}
spec: {selector: {matchLabels: {app: cart, track: canary}}, template: {metadata: {labels: {app: cart, track: canary}}, spec: {containers: [{name: c, ports: [{name: web, containerPort: 8080}]}]}}}
");
    let cart = workload(&found, "shop/Deployment/cart");
    assert_eq!(words(&cart.obstacles), ["SharedLabels"]);
    assert!(cart.obstacles[0].said().contains("cart-canary"));
    let canary = workload(&found, "shop/Deployment/cart-canary");
    assert!(
        canary.obstacles.is_empty(),
        "its own labels are narrower: {:?}",
        canary.obstacles
    );
}

#[test]
fn labels_that_catch_a_jobs_pods_are_refused() {
    let cart = cart("
---
apiVersion: v1
kind: Pod
metadata: {name: cart-import-1, namespace: shop, labels: {app: cart}, ownerReferences: [{kind: Job, name: cart-import}]}
status: {phase: Running}
");
    assert_eq!(words(&cart.obstacles), ["SharedLabels"]);
    assert!(cart.obstacles[0].said().contains("Job cart-import"));
}

fn owned(metadata: &str) -> Arc<Workload> {
    let text = format!("{ISTIO}{SHOP}").replace(
        "metadata: {name: cart, namespace: shop, uid: cart-uid, labels: {app: cart}}",
        &format!("metadata: {{name: cart, namespace: shop, {metadata}}}"),
    );
    workload(&mesh(&text), "shop/Deployment/cart")
}

#[test]
fn owners_are_named_with_what_to_do() {
    for (metadata, tool, name) in [
        (
            "labels: {app.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: webshop}",
            OwnerTool::Helm,
            "webshop",
        ),
        (
            "annotations: {argocd.argoproj.io/tracking-id: 'webshop:apps/Deployment:shop/cart'}",
            OwnerTool::ArgoCd,
            "webshop",
        ),
        (
            "labels: {app.kubernetes.io/instance: webshop}, managedFields: [{manager: argocd-controller, operation: Apply}]",
            OwnerTool::ArgoCd,
            "webshop",
        ),
        (
            "labels: {kustomize.toolkit.fluxcd.io/name: apps}",
            OwnerTool::Flux,
            "apps",
        ),
        (
            "labels: {helm.toolkit.fluxcd.io/name: webshop, app.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: webshop}",
            OwnerTool::Flux,
            "webshop",
        ),
        (
            "ownerReferences: [{apiVersion: shop.example/v1, kind: Shop, name: main}]",
            OwnerTool::Operator,
            "Shop main",
        ),
    ] {
        let cart = owned(metadata);
        let owner = cart.owner.as_ref().unwrap_or_else(|| panic!("{metadata}"));
        assert_eq!((owner.tool, owner.name.as_str()), (tool, name));
        assert_eq!(words(&cart.obstacles), ["Owned"]);
        let said = owner.in_namespace("shop");
        assert!(cart.obstacles[0].said().contains(&said), "{said}");
        if tool == OwnerTool::Operator {
            assert_eq!(said, "Shop shop/main");
        }
    }
}

#[test]
fn a_charts_labels_alone_are_no_helm_release() {
    let cart = owned("labels: {helm.sh/chart: cart-1.2, app.kubernetes.io/managed-by: Helm}");
    assert_eq!(cart.owner, None);
    assert!(cart.obstacles.is_empty());
}

#[test]
fn scraped_in_plaintext_as_the_annotations_say() {
    let cart = cart("");
    assert_eq!(cart.scraped.plaintext, Some(15020));
    assert!(!cart.scraped.secure && !cart.scraped.app_metrics);
}

#[test]
fn an_app_with_metrics_of_its_own_brings_them_along_while_merging_is_on() {
    let text = format!("{ISTIO}{SHOP}").replace(
        "metadata: {labels: {app: cart, version: v1}}",
        "metadata: {labels: {app: cart, version: v1}, annotations: {prometheus.io/scrape: 'true', prometheus.io/port: '8080'}}",
    );
    assert!(
        workload(&mesh(&text), "shop/Deployment/cart")
            .scraped
            .app_metrics
    );
    let off = text.replace(
        "rootNamespace: istio-system",
        "enablePrometheusMerge: false",
    );
    assert!(
        !workload(&mesh(&off), "shop/Deployment/cart")
            .scraped
            .app_metrics
    );
    let pod_off = text.replace(
        "prometheus.io/port: '8080'",
        "prometheus.io/port: '8080', prometheus.istio.io/merge-metrics: 'false'",
    );
    assert!(
        !workload(&mesh(&pod_off), "shop/Deployment/cart")
            .scraped
            .app_metrics
    );
    let merged = text.replace("prometheus.io/port: '8080'", "prometheus.io/port: '15020'");
    assert!(
        !workload(&mesh(&merged), "shop/Deployment/cart")
            .scraped
            .app_metrics
    );
}

#[test]
fn our_objects_are_known_again_with_the_port_behind_them() {
    let cart = cart("
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: meshscrape-cart, namespace: shop, labels: {app.kubernetes.io/managed-by: meshscrape}}
spec: {selector: {matchLabels: {app: cart}}, portLevelMtls: {'15091': {mode: STRICT}}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: meshscrape-cart, namespace: shop, managedFields: [{manager: meshscrape, operation: Apply}]}
spec: {selector: {matchLabels: {app: cart}}, action: DENY}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: meshscrape-cart, namespace: shop, labels: {app.kubernetes.io/managed-by: meshscrape}}
spec:
  workloadSelector: {labels: {app: cart}}
  ingress:
  - {port: {number: 15091, name: http-metrics, protocol: HTTP}, defaultEndpoint: '127.0.0.1:15090'}
  - {port: {number: 8080, name: http, protocol: HTTP}}
");
    assert_eq!(cart.ours.len(), 3);
    assert_eq!(cart.secured_port, Some(15090));
    assert!(
        cart.obstacles.is_empty(),
        "a second run must be possible: {:?}",
        cart.obstacles
    );
    assert!(cart.governed_by.sidecars.is_empty() && cart.governed_by.peer_authentication.is_none());
}

#[test]
fn an_object_of_our_name_by_somebody_else_is_not_ours() {
    let cart = cart("
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: meshscrape-cart, namespace: shop, managedFields: [{manager: kubectl, operation: Update}]}
spec: {workloadSelector: {labels: {app: cart}}, ingress: [{port: {number: 15091}, defaultEndpoint: '127.0.0.1:15020'}]}
");
    assert!(cart.ours.is_empty() && cart.secured_port.is_none());
    assert_eq!(words(&cart.obstacles), ["OwnSidecar"]);
}

#[test]
fn istio_itself_and_its_agents_are_no_workloads() {
    let found = shop("
---
{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: ztunnel, namespace: istio-system, labels: {app: ztunnel}}}
---
{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: istio-cni-node, namespace: istio-system, labels: {k8s-app: istio-cni-node}}}
");
    assert_eq!(found.workloads.len(), 1);
    assert!(found.istio.ambient);
}

#[test]
fn nothing_but_a_context_is_a_mesh_too() {
    let empty = assemble(&Inventory::default());
    assert!(empty.workloads.is_empty() && empty.namespaces.is_empty());
    assert!(
        empty
            .progress
            .values()
            .all(|progress| *progress == Progress::Waiting)
    );
}

#[test]
fn every_partial_inventory_can_be_assembled() {
    let whole = inventory(&format!("{ISTIO}{SHOP}"));
    let drops: [fn(&mut Inventory); 6] = [
        |i| i.namespaces = Listing::default(),
        |i| i.pods = Listing::default(),
        |i| i.services = Listing::default(),
        |i| i.webhooks = Listing::default(),
        |i| i.config_maps.clear(),
        |i| i.workloads.clear(),
    ];
    for drop in drops {
        let mut part = whole.clone();
        drop(&mut part);
        let mesh = assemble(&part);
        if let Some(cart) = mesh.workloads.first() {
            assert!(cart.obstacles.is_empty(), "{:?}", cart.obstacles);
        }
    }
}

#[test]
fn an_owner_goes_by_its_word_and_by_its_managers() {
    for (name, tool) in [
        ("helm", OwnerTool::Helm),
        ("Argo CD", OwnerTool::ArgoCd),
        ("argocd", OwnerTool::ArgoCd),
        ("argocd-controller", OwnerTool::ArgoCd),
        ("flux", OwnerTool::Flux),
        ("kustomize-controller", OwnerTool::Flux),
        ("operator", OwnerTool::Operator),
    ] {
        assert_eq!(OwnerTool::named(name), Some(tool), "{name}");
    }
    for name in ["", "helmet", "kubectl", "prometheus-operator", "all"] {
        assert_eq!(OwnerTool::named(name), None, "{name}");
    }
}

#[test]
fn no_two_workloads_have_objects_of_one_name() {
    let long = "x".repeat(230);
    let names = [
        "db",
        "db-sts",
        "db-ds",
        "db-sts-ds",
        "db-ds-sts",
        "db-sts-sts",
        "a.b",
        "a.b-sts",
        "a-b",
        "meshscrape-db",
        "meshscrape--db-sts",
        &long,
        &format!("{long}-sts"),
        &format!("{long}.sts"),
        &"y".repeat(253),
        &format!("{}z", "y".repeat(252)),
        &"y".repeat(64),
    ];
    let kinds = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet];
    let (mut plain, mut routed) = (HashSet::new(), HashSet::new());
    for name in names {
        for kind in kinds {
            let id = WorkloadRef::new("shop", kind, name);
            let ours = id.our_name();
            assert!(
                ours.len() <= 253 && ours.starts_with("meshscrape-"),
                "{ours}"
            );
            assert!(plain.insert(ours.clone()), "{ours} twice");
            // Istio takes a Gateway whose name is a DNS label alone.
            let gateway = id.ours(Kind::Gateway).name;
            let label = gateway.len() <= 63
                && gateway
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                && !gateway.ends_with('-');
            assert!(label, "{gateway}");
            assert!(routed.insert(gateway.clone()), "{gateway} twice");
        }
    }
    let of = |kind, name: &str| WorkloadRef::new("shop", kind, name).our_name();
    assert_eq!(of(Kind::Deployment, "cart"), "meshscrape-cart");
    assert_eq!(of(Kind::StatefulSet, "db"), "meshscrape-db-sts");
    assert_eq!(
        of(Kind::DaemonSet, "node.agent"),
        "meshscrape-node.agent-ds"
    );
    assert_eq!(of(Kind::Deployment, "db-sts"), "meshscrape--db-sts");
}

const MEET: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: x:1}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: db-sts, namespace: shop}
spec:
  selector: {matchLabels: {app: other}}
  template: {metadata: {labels: {app: other}}, spec: {containers: [{name: db, image: x:1}]}}
";

#[test]
fn objects_that_an_earlier_version_named_stay_with_the_pods_that_they_select() {
    let earlier = "
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: meshscrape-db-sts, namespace: shop, labels: {app.kubernetes.io/managed-by: meshscrape}}
spec:
  workloadSelector: {labels: {app: other}}
  ingress: [{port: {number: 15091}, defaultEndpoint: '127.0.0.1:15020'}]
";
    let of = |earlier: &str| mesh(&format!("{ISTIO}{SHOP}---{MEET}{earlier}"));
    let mesh = of(earlier);
    let deployment = workload(&mesh, "shop/Deployment/db-sts");
    assert_eq!(deployment.former_name.as_deref(), Some("meshscrape-db-sts"));
    assert_eq!(
        (deployment.ours.len(), deployment.secured_port),
        (1, Some(15020))
    );
    let set = workload(&mesh, "shop/StatefulSet/db");
    assert!(set.ours.is_empty() && set.secured_port.is_none());
    assert!(set.obstacles.iter().any(|o| o.code().name() == "NameInUse"));

    let mine = earlier.replace("app: other", "app: db");
    let mesh = of(&mine);
    let set = workload(&mesh, "shop/StatefulSet/db");
    assert_eq!(set.secured_port, Some(15020));
    absent(Code::NameInUse, set.obstacles.clone());
    let deployment = workload(&mesh, "shop/Deployment/db-sts");
    assert!(deployment.former_name.is_none() && deployment.ours.is_empty());
}
