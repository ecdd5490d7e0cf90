use super::*;
use crate::answers::MetricsPort;
use crate::mesh::kinds::WorkloadRef;
use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

fn watched(name: &str) -> Watched {
    Watched {
        item: WorkloadRef::new("shop", Kind::Deployment, name),
        gateway: false,
        port: MetricsPort::Merged,
        behind: 15020,
        selector: BTreeMap::from([("app".into(), name.into())]),
        template_port: None,
    }
}

fn pod(name: &str, app: &str, owner: &str) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "shop", "uid": name, "labels": {"app": app},
            "ownerReferences": [{"kind": "ReplicaSet", "name": owner}],
        },
        "spec": {"containers": [{"name": "app"}, {"name": "istio-proxy"}]},
        "status": {"phase": "Running", "podIP": "10.0.0.9"},
    })
}

/// Answers pages of pods, two a page, and keeps the questions.
async fn ask(items: &[Watched], pods: Vec<Value>) -> (Vec<Expected>, Vec<String>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&asked);
    let service = tower::service_fn(move |request: Request<Body>| {
        let uri = request.uri().to_string();
        let answer = if !uri.starts_with("/api/v1/namespaces/shop/pods?") {
            json!({"spec": {"replicas": 2}})
        } else if uri.contains("continue=more") {
            json!({"metadata": {}, "items": pods.get(2..)})
        } else if pods.len() > 2 {
            json!({"metadata": {"continue": "more"}, "items": pods[..2]})
        } else {
            json!({"metadata": {}, "items": pods})
        };
        let mut asked = keep.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(uri);
        async move {
            let body = Body::from(answer.to_string().into_bytes());
            Ok::<_, Infallible>(Response::new(body))
        }
    });
    let cluster = Cluster::new(kube::Client::new(service, "default"), "test");
    let expected = expected(&cluster, items).await.expect("pods");
    let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (expected, asked)
}

#[tokio::test]
async fn few_items_are_asked_for_by_their_selectors() {
    let pods = vec![
        pod("cart-1", "cart", "cart-66d9"),
        // Caught by the selector, but another workload's.
        pod("cart-db-1", "cart", "cart-db-77c1"),
    ];
    let (expected, asked) = ask(&[watched("cart")], pods).await;
    let names: Vec<&str> = expected.iter().map(|one| one.pod.as_str()).collect();
    assert_eq!(names, ["cart-1"]);
    assert!(expected[0].sidecar && !expected[0].ready && expected[0].secure_port.is_none());
    assert_eq!(
        asked,
        ["/api/v1/namespaces/shop/pods?limit=250&labelSelector=app%3Dcart"]
    );
}

#[tokio::test]
async fn many_items_of_a_namespace_share_one_list_of_several_pages() {
    let mut ending = pod("ledger-0", "ledger", "ledger-55aa");
    ending["metadata"]["deletionTimestamp"] = json!("2026-03-01T10:00:00Z");
    let mut done = pod("ledger-1", "ledger", "ledger-55aa");
    done["status"]["phase"] = json!("Succeeded");
    let pods = vec![
        pod("cart-1", "cart", "cart-66d9"),
        ending,
        done,
        pod("tax-1", "tax", "tax-1234"),
        pod("tax-2", "tax", "tax-1234"),
        pod("other-1", "other", "other-1234"),
    ];
    let items = [watched("cart"), watched("ledger"), watched("tax")];
    let (expected, asked) = ask(&items, pods).await;
    let names: Vec<(&str, &str)> = expected
        .iter()
        .map(|one| (one.item.name.as_str(), one.pod.as_str()))
        .collect();
    // No pod of ledger's lives: it stands there all the same, since it should have some.
    assert_eq!(
        names,
        [
            ("cart", "cart-1"),
            ("ledger", ""),
            ("tax", "tax-1"),
            ("tax", "tax-2")
        ]
    );
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(!asked[0].contains("labelSelector"), "{asked:?}");
}
