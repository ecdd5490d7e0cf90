use super::*;
use crate::mesh::{Listed, Progress};
use bytes::Bytes;
use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tower::BoxError;

/// Answers by path: a list of objects, or a status. Everything else is an empty list or, for kinds that are
/// said to be absent, a plain-text 404.
#[derive(Clone, Default)]
struct Server(Arc<Inner>);

#[derive(Default)]
struct Inner {
    lists: Mutex<HashMap<String, Vec<Value>>>,
    statuses: Mutex<HashMap<String, u16>>,
    gone_once: Mutex<Option<String>>,
    requests: Mutex<Vec<String>>,
    page: AtomicUsize,
}

fn status(code: u16, reason: &str, message: &str) -> (u16, Vec<u8>) {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason,
        "message": message, "code": code});
    (code, body.to_string().into_bytes())
}

impl Server {
    fn list(self, path: &str, items: Vec<Value>) -> Self {
        self.0
            .lists
            .lock()
            .expect("free")
            .insert(path.to_owned(), items);
        self
    }

    fn status(self, path: &str, code: u16) -> Self {
        self.0
            .statuses
            .lock()
            .expect("free")
            .insert(path.to_owned(), code);
        self
    }

    fn pages_of(self, size: usize) -> Self {
        self.0.page.store(size, Ordering::SeqCst);
        self
    }

    fn gone_once_at(self, token: &str) -> Self {
        *self.0.gone_once.lock().expect("free") = Some(token.to_owned());
        self
    }

    fn requests(&self) -> Vec<String> {
        self.0.requests.lock().expect("free").clone()
    }

    fn cluster(&self) -> Cluster {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (code, body) = server.answer(&request);
            async move {
                let mut response = Response::new(http_body_util::Full::new(Bytes::from(body)));
                *response.status_mut() = http::StatusCode::from_u16(code).expect("a status");
                Ok::<_, BoxError>(response)
            }
        });
        Cluster::over(service, "test", true)
    }

    fn answer(&self, request: &Request<Body>) -> (u16, Vec<u8>) {
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        self.0
            .requests
            .lock()
            .expect("free")
            .push(format!("{} {path}?{query}", request.method()));
        match self.0.statuses.lock().expect("free").get(&path) {
            Some(401) => return status(401, "Unauthorized", "Unauthorized"),
            Some(403) => {
                return status(
                    403,
                    "Forbidden",
                    &format!("user \"ann\" cannot list {path}"),
                );
            }
            Some(404) => return (404, b"404 page not found\n".to_vec()),
            Some(code) => return status(*code, "InternalError", "broken"),
            None => {}
        }
        if path == "/version" {
            return (200, br#"{"gitVersion": "v1.36.0"}"#.to_vec());
        }
        if path.ends_with("/selfsubjectaccessreviews") {
            return (201, br#"{"status": {"allowed": true}}"#.to_vec());
        }
        let lists = self.0.lists.lock().expect("free");
        if let Some(one) = single(&lists, &path) {
            return (200, one.to_string().into_bytes());
        }
        if path.contains("/configmaps/") {
            return status(404, "NotFound", "configmaps not found");
        }
        let empty = Vec::new();
        let items = lists.get(&path).unwrap_or(&empty);
        let token = query
            .split('&')
            .find_map(|part| part.strip_prefix("continue="));
        let mut gone = self.0.gone_once.lock().expect("free");
        if gone.is_some() && gone.as_deref() == token {
            *gone = None;
            return status(410, "Expired", "The provided continue parameter is too old");
        }
        let from: usize = token.map_or(0, |token| token.parse().expect("our own token"));
        let size = match self.0.page.load(Ordering::SeqCst) {
            0 => items.len().max(1),
            size => size,
        };
        let to = items.len().min(from + size);
        let mut metadata = json!({"resourceVersion": "7"});
        if to < items.len() {
            metadata["continue"] = json!(to.to_string());
            metadata["remainingItemCount"] = json!(items.len() - to);
        }
        // Written out in the order of a real API server: metadata before items.
        let items = Value::from(items[from..to].to_vec());
        let body =
            format!(r#"{{"kind":"List","apiVersion":"v1","metadata":{metadata},"items":{items}}}"#);
        (200, body.into_bytes())
    }
}

fn single<'l>(lists: &'l HashMap<String, Vec<Value>>, path: &str) -> Option<&'l Value> {
    let (list, name) = path.rsplit_once('/')?;
    lists
        .get(list)?
        .iter()
        .find(|item| item["metadata"]["name"] == name)
}

fn pod(namespace: &str, at: usize) -> Value {
    json!({
        "metadata": {
            "name": format!("p-{at:05}"), "namespace": namespace, "uid": format!("u-{at}"),
            "labels": {"app": "x"},
            "annotations": {"example.com/long": "nobody reads it", "prometheus.io/scrape": "true"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "x", "uid": "s"}],
        },
        "spec": {"containers": [{"name": "app", "image": "app:1"}, {"name": "istio-proxy", "image": "proxyv2:1.31.0"}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn namespace(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

fn quiet(_: Arc<Mesh>) {}

const PODS: &str = "/api/v1/pods";

#[tokio::test]
async fn every_page_is_read_and_the_last_report_is_the_whole() {
    let pods = (0..1203).map(|at| pod("shop", at)).collect();
    let server = Server::default()
        .list("/api/v1/namespaces", vec![namespace("shop")])
        .list(PODS, pods)
        .pages_of(500);
    let reports: Arc<Mutex<Vec<Arc<Mesh>>>> = Arc::default();
    let kept = reports.clone();
    let mesh = discover(server.cluster(), move |mesh| {
        kept.lock().expect("free").push(mesh)
    })
    .await;

    assert_eq!(mesh.namespaces[0].pods, 1203);
    assert_eq!(mesh.namespaces[0].meshed_pods, 1203);
    assert_eq!(mesh.progress[&Listed::Pods], Progress::Complete);
    assert_eq!(mesh.server, Some(Ok("v1.36.0".to_owned())));
    assert!(mesh.access.values().all(|may| *may) && mesh.access.len() == 26);
    assert_eq!((mesh.asked.done, mesh.asked.of), (26, 26));
    let reports = reports.lock().expect("free");
    assert!(Arc::ptr_eq(
        reports.last().expect("at least the last one"),
        &mesh
    ));
}

#[tokio::test]
async fn a_list_that_grew_too_old_is_begun_anew_without_doubles() {
    let pods = (0..30).map(|at| pod("shop", at)).collect();
    let server = Server::default()
        .list("/api/v1/namespaces", vec![namespace("shop")])
        .list(PODS, pods)
        .pages_of(10)
        .gone_once_at("20");
    let mesh = discover(server.cluster(), quiet).await;
    assert_eq!(mesh.namespaces[0].pods, 30);
    assert_eq!(mesh.progress[&Listed::Pods], Progress::Complete);
}

#[tokio::test]
async fn a_missing_kind_is_absent_and_not_an_error() {
    let server = Server::default()
        .status("/apis/gateway.networking.k8s.io/v1/gateways", 404)
        .status("/apis/monitoring.coreos.com/v1/podmonitors", 404);
    let mesh = discover(server.cluster(), quiet).await;
    assert_eq!(mesh.progress[&Listed::GatewayApi], Progress::Absent);
    assert_eq!(mesh.progress[&Listed::PodMonitors], Progress::Absent);
    assert_eq!(mesh.progress[&Listed::Pods], Progress::Complete);
}

#[tokio::test]
async fn without_the_right_to_list_everywhere_namespaces_are_tried() {
    let server = Server::default()
        .list(
            "/api/v1/namespaces",
            vec![namespace("bank"), namespace("shop")],
        )
        .status(PODS, 403)
        .status("/api/v1/namespaces/bank/pods", 403)
        .list(
            "/api/v1/namespaces/shop/pods",
            vec![pod("shop", 1), pod("shop", 2)],
        );
    let mesh = discover(server.cluster(), quiet).await;
    let shop = mesh
        .namespaces
        .iter()
        .find(|ns| ns.name == "shop")
        .expect("listed");
    assert_eq!(shop.pods, 2);
    let Progress::DeniedIn { what, namespaces } = &mesh.progress[&Listed::Pods] else {
        panic!("{:?}", mesh.progress[&Listed::Pods]);
    };
    assert_eq!((*what, &namespaces[..]), ("pods", &["bank".to_owned()][..]));
}

#[tokio::test]
async fn what_is_denied_altogether_says_so_in_the_servers_words() {
    let server = Server::default()
        .status("/api/v1/namespaces", 403)
        .status(PODS, 403);
    let mesh = discover(server.cluster(), quiet).await;
    let Progress::Denied(words) = &mesh.progress[&Listed::Pods] else {
        panic!("{:?}", mesh.progress[&Listed::Pods]);
    };
    assert!(words.contains("cannot list"), "{words}");
}

#[tokio::test]
async fn only_the_named_namespaces_are_asked() {
    let server = Server::default()
        .list(
            "/api/v1/namespaces",
            vec![namespace("bank"), namespace("shop")],
        )
        .list("/api/v1/namespaces/shop/pods", vec![pod("shop", 1)]);
    let mesh = discover_in(server.cluster(), vec!["shop".to_owned()], quiet).await;
    assert_eq!(mesh.namespaces.len(), 1);
    assert_eq!(mesh.namespaces[0].pods, 1);
    let wide = |line: &String| line.contains("/api/v1/pods?") || line.contains("/bank");
    assert!(!server.requests().iter().any(wide));
}

#[tokio::test]
async fn expired_credentials_say_what_to_do() {
    let server = Server::default().status(PODS, 401).status("/version", 401);
    let mesh = discover(server.cluster(), quiet).await;
    let Progress::Failed(words) = &mesh.progress[&Listed::Pods] else {
        panic!("{:?}", mesh.progress[&Listed::Pods]);
    };
    assert!(
        words.why.contains(crate::words::say::cluster::LOG_IN_AGAIN),
        "{words}"
    );
    let server = mesh.server.clone().expect("asked");
    let refused = server.expect_err("refused").why;
    assert!(refused.contains(crate::words::say::cluster::LOG_IN_AGAIN));
}

#[tokio::test]
async fn config_maps_of_istio_and_of_a_prometheus_are_fetched_by_name() {
    let deployment = |name: &str, labels: Value, spec: Value| {
        json!({"metadata": {"name": name, "namespace": "istio-system", "labels": labels},
            "spec": {"template": {"spec": spec}}})
    };
    let istiod = deployment(
        "istiod",
        json!({"app": "istiod", "istio.io/rev": "default"}),
        json!({"containers": [{"name": "discovery", "image": "istio/pilot:1.31.0"}]}),
    );
    let prometheus = deployment(
        "prometheus",
        json!({}),
        json!({
            "containers": [{"name": "prometheus-server", "image": "prom/prometheus:v3.10.0",
                "args": ["--config.file=/etc/config/prometheus.yml"],
                "volumeMounts": [{"name": "config-volume", "mountPath": "/etc/config"}]}],
            "volumes": [{"name": "config-volume", "configMap": {"name": "prometheus"}}],
        }),
    );
    let map =
        |name: &str, data: Value| json!({"metadata": {"name": name, "uid": name}, "data": data});
    let server = Server::default()
        .list("/apis/apps/v1/deployments", vec![istiod, prometheus])
        .list(
            "/api/v1/namespaces/istio-system/configmaps",
            vec![
                map("istio", json!({"mesh": "trustDomain: mesh.example\n"})),
                map(
                    "prometheus",
                    json!({"prometheus.yml": "scrape_configs: []\n"}),
                ),
            ],
        );
    let mesh = discover(server.cluster(), quiet).await;
    assert_eq!(mesh.istio.trust_domain.as_deref(), Some("mesh.example"));
    let config = mesh.prometheus_servers[0]
        .config
        .as_ref()
        .expect("followed");
    assert_eq!(config.text.as_deref(), Ok("scrape_configs: []\n"));
    let listed = |line: &String| line.contains("/configmaps?");
    assert!(
        !server.requests().iter().any(listed),
        "ConfigMaps and Secrets are never listed"
    );
}

#[tokio::test]
async fn a_body_that_is_no_list_is_a_failure_in_words() {
    let server = Server::default().status(PODS, 500);
    tokio::time::pause();
    let mesh = discover(server.cluster(), quiet).await;
    assert!(
        matches!(&mesh.progress[&Listed::Pods], Progress::Failed(words) if words.why.contains("broken"))
    );
}

#[test]
fn a_pod_is_kept_lean() {
    let mut read = pod("shop", 1);
    read["spec"]["containers"][0]["ports"] = json!([
        {"containerPort": 8080},
        {"name": "grpc", "containerPort": 9000, "protocol": "TCP"},
    ]);
    read["spec"]["initContainers"] = json!([{"name": "migrate", "image": "app:1"}]);
    let read: lean::Pod = serde_json::from_value(read).expect("a pod");
    let mut page = vec![read.clone(), read];
    keep::Keep::prune_page(&mut page);
    let [first, second] = &page[..] else {
        panic!("two pods")
    };
    assert_eq!(first.metadata.annotations.len(), 2);
    assert_eq!(first.spec.init_containers.len(), 1);
    let [app, proxy] = &first.spec.containers[..] else {
        panic!("{:?}", first.spec.containers)
    };
    assert_eq!(proxy.name, "istio-proxy");
    // Prometheus makes a target of each port, and of an image a label.
    let ports = app.ports.iter().map(|port| port.container_port);
    assert_eq!(ports.collect::<Vec<_>>(), [8080, 9000]);
    assert!(!app.image.is_empty() && app.env.is_empty());
    assert!(Arc::ptr_eq(&first.spec.containers, &second.spec.containers));
}
