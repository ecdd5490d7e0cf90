//! Requests to the API server, as JSON, each with a time limit and an error that says what to do.
//!
//! Objects travel as `serde_json::Value` or as the lean types of `mesh::objects`: a typed read-modify-write
//! would lose fields that this program does not know.

use super::direct::Direct;
use super::error::ApiError;
use crate::mesh::kinds::{Kind, MANAGER, ObjectRef};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::BodyExt;
use kube::client::Body;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Time limit of a request, unless a caller sets its own.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// Pages in flight are the peak of memory; smaller ones cost little time.
const PAGE: usize = 250;

/// The one way to the API server; cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    /// The kube-context's name, for words.
    pub context: String,
    pub timeout: Duration,
    /// Writes are held back by the guard around every request; nothing that leads to one need be begun.
    pub read_only: bool,
    /// Prometheus by its URL; without it the API server's proxy leads to it.
    pub prometheus: Option<Arc<Direct>>,
}

/// An answer with the server's `Warning:` headers.
#[derive(Clone, Debug)]
pub struct Answer {
    pub body: Value,
    pub warnings: Vec<String>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// For the next page; `None`: this was the last.
    pub next: Option<String>,
    pub remaining: Option<usize>,
    pub resource_version: String,
}

/// One page of a list as it came, its items not yet read.
#[derive(Clone, Debug)]
pub struct RawPage {
    pub body: Bytes,
    /// For the next page; `None`: this was the last.
    pub next: Option<String>,
    pub remaining: Option<usize>,
}

/// A list's own metadata.
#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    r#continue: String,
    remaining_item_count: Option<usize>,
    resource_version: String,
}

/// What came back through a pod or Service proxy: the status is the one the proxy gave.
#[derive(Clone, Debug)]
pub struct Proxied {
    pub status: u16,
    pub body: Bytes,
}

/// How a write is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Write {
    pub dry_run: bool,
    /// Take conflicting fields (server-side apply only).
    pub force: bool,
}

impl Write {
    pub const DRY_RUN: Write = Write {
        dry_run: true,
        force: false,
    };

    fn query(self, manager: bool) -> String {
        let mut parts = Vec::new();
        if manager {
            parts.push(format!("fieldManager={MANAGER}"));
        }
        if self.dry_run {
            parts.push("dryRun=All".into());
        }
        if self.force {
            parts.push("force=true".into());
        }
        parts.join("&")
    }
}

impl Cluster {
    pub fn new(client: kube::Client, context: impl Into<String>) -> Self {
        Cluster {
            client,
            context: context.into(),
            timeout: TIMEOUT,
            read_only: false,
            prometheus: None,
        }
    }

    /// The client under the requests, for a look from outside the program; it has the layers of the stack.
    pub fn client(&self) -> &kube::Client {
        &self.client
    }

    /// Sends one request; the status and body as they came, errors only for what never got an answer.
    async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> Result<(http::response::Parts, Bytes), ApiError> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("Accept", "application/json");
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        let request = request
            .body(Body::from(body))
            .map_err(|e| ApiError::garbled(&method, path, e))?;
        let exchange = async {
            let response = self
                .client
                .send(request)
                .await
                .map_err(|e| ApiError::transport(&method, path, e))?;
            let (parts, body) = response.into_parts();
            let bytes = body
                .collect()
                .await
                .map_err(|e| ApiError::cut(&method, path, e))?
                .to_bytes();
            Ok((parts, bytes))
        };
        tokio::time::timeout(self.timeout, exchange)
            .await
            .map_err(|_| ApiError::timeout(&method, path, self.timeout))?
    }

    async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> Result<(T, Vec<String>), ApiError> {
        let (parts, bytes) = self.send(method.clone(), path, content_type, body).await?;
        if !parts.status.is_success() {
            return Err(ApiError::status(&method, path, &parts, &bytes));
        }
        let value =
            serde_json::from_slice(&bytes).map_err(|e| ApiError::garbled(&method, path, e))?;
        Ok((value, warnings(&parts.headers)))
    }

    pub async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        Ok(self.json(Method::GET, path, None, Vec::new()).await?.0)
    }

    /// The object, or `None` where it (or its kind) does not exist.
    pub async fn get(&self, object: &ObjectRef) -> Result<Option<Value>, ApiError> {
        match self.read(&object.path()).await {
            Ok(value) => Ok(Some(value)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// One page; `query` holds selectors (`labelSelector=…`), already encoded.
    pub async fn page<T: DeserializeOwned>(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        query: &str,
        token: Option<&str>,
    ) -> Result<Page<T>, ApiError> {
        let path = page_path(kind, namespace, query, token, PAGE);
        self.page_at(&path).await
    }

    async fn page_at<T: DeserializeOwned>(&self, path: &str) -> Result<Page<T>, ApiError> {
        #[derive(serde::Deserialize)]
        struct List<T> {
            #[serde(default)]
            metadata: ListMeta,
            items: Option<Vec<T>>,
        }
        let list: List<T> = self.read(path).await?;
        Ok(Page {
            items: list.items.unwrap_or_default(),
            next: Some(list.metadata.r#continue).filter(|token| !token.is_empty()),
            remaining: list.metadata.remaining_item_count,
            resource_version: list.metadata.resource_version,
        })
    }

    /// Every object, page after page, each with its kind and version, which items of a list come without.
    /// `query` as for [`Cluster::page`].
    pub async fn objects(
        &self,
        kind: Kind,
        namespace: &str,
        query: &str,
    ) -> Result<Vec<Value>, ApiError> {
        let all = self.listed(kind, Some(namespace), query, usize::MAX);
        Ok(all.await?.unwrap_or_default())
    }

    /// Every object of a namespace, or of the cluster, as from [`Cluster::objects`]; `None`: there are more than `most`.
    pub async fn few(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        most: usize,
    ) -> Result<Option<Vec<Value>>, ApiError> {
        self.listed(kind, namespace, "", most).await
    }

    async fn listed(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        query: &str,
        most: usize,
    ) -> Result<Option<Vec<Value>>, ApiError> {
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let limit = PAGE.min(most);
            let path = page_path(kind, namespace, query, token.as_deref(), limit);
            let page = self.page_at::<Value>(&path).await?;
            all.extend(page.items.into_iter().map(|mut object| {
                object["kind"] = kind.name().into();
                object["apiVersion"] = kind.api_version().into();
                object
            }));
            if all.len().saturating_add(page.remaining.unwrap_or(0)) > most {
                return Ok(None);
            }
            match page.next {
                Some(next) => token = Some(next),
                None => return Ok(Some(all)),
            }
        }
    }

    /// One page, its items left unread: the next page can be asked for while they are decoded elsewhere.
    pub async fn raw_page(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        token: Option<&str>,
    ) -> Result<RawPage, ApiError> {
        let path = page_path(kind, namespace, "", token, PAGE);
        let (parts, body) = self.send(Method::GET, &path, None, Vec::new()).await?;
        if !parts.status.is_success() {
            return Err(ApiError::status(&Method::GET, &path, &parts, &body));
        }
        let meta = list_meta(&body).map_err(|e| ApiError::garbled(&Method::GET, &path, e))?;
        Ok(RawPage {
            body,
            next: Some(meta.r#continue).filter(|token| !token.is_empty()),
            remaining: meta.remaining_item_count,
        })
    }

    /// Server-side apply under our field manager. A missing object is created.
    pub async fn apply(
        &self,
        object: &ObjectRef,
        intent: &Value,
        write: Write,
    ) -> Result<Answer, ApiError> {
        let path = format!("{}?{}", object.path(), write.query(true));
        let body = serde_json::to_vec(intent).unwrap_or_default();
        self.answer(
            Method::PATCH,
            &path,
            Some("application/apply-patch+yaml"),
            body,
        )
        .await
    }

    /// JSON Patch; a failing `test` is an [`ApiError`] that `is_invalid`.
    pub async fn json_patch(
        &self,
        object: &ObjectRef,
        operations: &Value,
        write: Write,
    ) -> Result<Answer, ApiError> {
        let path = format!("{}?{}", object.path(), write.query(true));
        let body = serde_json::to_vec(operations).unwrap_or_default();
        self.answer(
            Method::PATCH,
            &path,
            Some("application/json-patch+json"),
            body,
        )
        .await
    }

    pub async fn create(
        &self,
        kind: Kind,
        namespace: &str,
        object: &Value,
        write: Write,
    ) -> Result<Answer, ApiError> {
        let path = format!("{}?{}", kind.path(Some(namespace)), write.query(true));
        let body = serde_json::to_vec(object).unwrap_or_default();
        self.answer(Method::POST, &path, Some("application/json"), body)
            .await
    }

    /// Deletes only the object with this uid (and, if given, resourceVersion).
    pub async fn delete(
        &self,
        object: &ObjectRef,
        uid: &str,
        resource_version: Option<&str>,
        write: Write,
    ) -> Result<Answer, ApiError> {
        let mut preconditions = json!({ "uid": uid });
        if let Some(version) = resource_version {
            preconditions["resourceVersion"] = json!(version);
        }
        let mut body =
            json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions});
        if write.dry_run {
            // Beside a body the query's dryRun counts for nothing: the object would go.
            body["dryRun"] = json!(["All"]);
        }
        let path = format!("{}?{}", object.path(), write.query(false));
        let body = serde_json::to_vec(&body).unwrap_or_default();
        self.answer(Method::DELETE, &path, Some("application/json"), body)
            .await
    }

    /// May I? A wildcard namespace is `None`. `resource` may carry a subresource: `pods/proxy`.
    pub async fn may(
        &self,
        verb: &str,
        group: &str,
        resource: &str,
        namespace: Option<&str>,
    ) -> Result<bool, ApiError> {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": verb, "group": group, "resource": resource,
                "subresource": subresource, "namespace": namespace.unwrap_or(""),
            }},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let body = serde_json::to_vec(&review).unwrap_or_default();
        let answer = self
            .answer(Method::POST, path, Some("application/json"), body)
            .await?;
        Ok(answer.body["status"]["allowed"].as_bool().unwrap_or(false))
    }

    /// May this ServiceAccount? As [`Cluster::may`], of somebody else: needs `create` on subjectaccessreviews.
    pub async fn may_account(
        &self,
        (account_namespace, account): (&str, &str),
        verb: &str,
        resource: &str,
        namespace: Option<&str>,
    ) -> Result<bool, ApiError> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {
                "user": format!("system:serviceaccount:{account_namespace}:{account}"),
                "groups": [
                    "system:serviceaccounts",
                    format!("system:serviceaccounts:{account_namespace}"),
                    "system:authenticated",
                ],
                "resourceAttributes": {
                    "verb": verb, "group": "", "resource": resource, "namespace": namespace.unwrap_or(""),
                },
            },
        });
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let body = serde_json::to_vec(&review).unwrap_or_default();
        let answer = self
            .answer(Method::POST, path, Some("application/json"), body)
            .await?;
        Ok(answer.body["status"]["allowed"].as_bool().unwrap_or(false))
    }

    /// GET through the API server's proxy to a pod. `scheme` is `http` or `https`; `path` starts with `/`.
    /// Errors only where the API server itself refused (no permission) or could not be reached; what the
    /// pod or the way to it said is in [`Proxied`] (503 with a Status for a reset connection).
    pub async fn pod_proxy(
        &self,
        namespace: &str,
        pod: &str,
        scheme: &str,
        port: u16,
        path: &str,
    ) -> Result<Proxied, ApiError> {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{scheme}:{pod}:{port}/proxy{path}");
        self.proxied(Method::GET, &path).await
    }

    /// POST without a body, else as [`Cluster::pod_proxy`]. Needs `create` on `pods/proxy`.
    pub async fn pod_proxy_post(
        &self,
        namespace: &str,
        pod: &str,
        scheme: &str,
        port: u16,
        path: &str,
    ) -> Result<Proxied, ApiError> {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{scheme}:{pod}:{port}/proxy{path}");
        self.proxied(Method::POST, &path).await
    }

    /// GET through the API server's proxy to a Service: any of its ready pods answers. `port` is the Service's own.
    pub async fn service_proxy(
        &self,
        namespace: &str,
        service: &str,
        scheme: &str,
        port: u16,
        path: &str,
    ) -> Result<Proxied, ApiError> {
        let path = format!(
            "/api/v1/namespaces/{namespace}/services/{scheme}:{service}:{port}/proxy{path}"
        );
        self.proxied(Method::GET, &path).await
    }

    async fn proxied(&self, method: Method, path: &str) -> Result<Proxied, ApiError> {
        let (parts, body) = self.send(method.clone(), path, None, Vec::new()).await?;
        let status = parts.status.as_u16();
        if matches!(status, 401 | 403) {
            let refused = ApiError::status(&method, path, &parts, &body);
            if refused.is_from_api_server() {
                return Err(refused);
            }
        }
        Ok(Proxied { status, body })
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Answer, ApiError> {
        let (body, warnings) = self.json(method, path, content_type, body).await?;
        Ok(Answer { body, warnings })
    }
}

fn page_path(
    kind: Kind,
    namespace: Option<&str>,
    query: &str,
    token: Option<&str>,
    limit: usize,
) -> String {
    let mut path = format!("{}?limit={limit}", kind.path(namespace));
    if !query.is_empty() {
        path.push('&');
        path.push_str(query);
    }
    if let Some(token) = token {
        path.push_str("&continue=");
        path.push_str(&encode(token));
    }
    path
}

/// API servers write a list's metadata before its items, so that most of the body need not be looked at.
fn list_meta(body: &[u8]) -> Result<ListMeta, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct List {
        #[serde(default)]
        metadata: ListMeta,
    }
    const KEY: &[u8] = b"\"metadata\":";
    const ITEMS: &[u8] = b"\"items\":";
    let head = &body[..body.len().min(512)];
    let find = |key: &[u8]| head.windows(key.len()).position(|window| window == key);
    match (find(KEY), find(ITEMS)) {
        (Some(at), items) if items.is_none_or(|items| at < items) => {
            let mut values =
                serde_json::Deserializer::from_slice(&body[at + KEY.len()..]).into_iter();
            values.next().unwrap_or_else(|| Ok(ListMeta::default()))
        }
        _ => Ok(serde_json::from_slice::<List>(body)?.metadata),
    }
}

/// `Warning: 299 - "text"` headers, the text only.
fn warnings(headers: &http::HeaderMap) -> Vec<String> {
    headers
        .get_all("warning")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .map(|value| match value.split_once('"') {
            Some((_, rest)) => rest.trim_end_matches('"').replace("\\\"", "\""),
            None => value.to_owned(),
        })
        .collect()
}

/// Percent-encodes a query value.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
