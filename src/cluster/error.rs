//! What a request to the API server can come to, in words that name the request and the next step.

use crate::error::Error;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use std::fmt;
use std::time::Duration;

/// A request that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub method: String,
    pub path: String,
    pub reason: Reason,
    /// The server's message, or the transport's.
    pub message: String,
    /// Field conflicts of a server-side apply.
    pub conflicts: Vec<FieldConflict>,
    /// From `Retry-After`, where the server gave one.
    pub retry_after: Option<Duration>,
}

/// One cause of a 409: `conflict with "M" using V` on `field`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldConflict {
    pub manager: String,
    pub field: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No answer: refused, no route, DNS, TLS.
    Unreachable,
    Timeout,
    /// The answer broke off, or is not what the API promises.
    Garbled,
    /// 401: no or expired credentials.
    Unauthorized,
    Forbidden,
    NotFound,
    /// A 409 with field conflicts.
    FieldConflict,
    /// A 409 without them: stale resourceVersion or uid, or it exists already.
    Stale,
    /// 410: a list or watch too old to go on.
    Gone,
    /// 400 and 422: validation, a failed JSON Patch test.
    Invalid,
    TooMany,
    Server,
    /// Held back by the read-only guard; nothing was sent.
    ReadOnly,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    kind: String,
    message: String,
    details: Details,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Details {
    causes: Vec<StatusCause>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct StatusCause {
    reason: String,
    message: String,
    field: String,
}

impl ApiError {
    fn new(method: &Method, path: &str, reason: Reason, message: impl Into<String>) -> Self {
        ApiError {
            method: method.to_string(),
            path: path.to_owned(),
            reason,
            message: message.into(),
            conflicts: Vec::new(),
            retry_after: None,
        }
    }

    pub(super) fn timeout(method: &Method, path: &str, limit: Duration) -> Self {
        let message = format!("no answer within {} s", limit.as_secs());
        ApiError::new(method, path, Reason::Timeout, message)
    }

    pub(super) fn transport(method: &Method, path: &str, error: kube::Error) -> Self {
        if let kube::Error::Service(inner) = &error
            && let Some(held) = inner.downcast_ref::<super::stack::ReadOnly>()
        {
            return ApiError::new(method, path, Reason::ReadOnly, held.to_string());
        }
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            let text = inner.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            source = inner.source();
        }
        ApiError::new(method, path, Reason::Unreachable, message)
    }

    pub(crate) fn cut(method: &Method, path: &str, error: impl fmt::Display) -> Self {
        let message = format!("the answer broke off: {error}");
        ApiError::new(method, path, Reason::Garbled, message)
    }

    pub(crate) fn garbled(method: &Method, path: &str, error: impl fmt::Display) -> Self {
        let message = format!("the answer is not what the API promises: {error}");
        ApiError::new(method, path, Reason::Garbled, message)
    }

    pub(super) fn status(
        method: &Method,
        path: &str,
        parts: &http::response::Parts,
        body: &Bytes,
    ) -> Self {
        let status: Status = serde_json::from_slice(body).unwrap_or_default();
        let conflicts: Vec<FieldConflict> = status
            .details
            .causes
            .iter()
            .filter(|cause| cause.reason == "FieldManagerConflict")
            .map(|cause| FieldConflict {
                manager: cause
                    .message
                    .split('"')
                    .nth(1)
                    .unwrap_or_default()
                    .to_owned(),
                field: cause.field.clone(),
            })
            .collect();
        let reason = match parts.status.as_u16() {
            401 => Reason::Unauthorized,
            403 => Reason::Forbidden,
            404 => Reason::NotFound,
            409 if !conflicts.is_empty() => Reason::FieldConflict,
            409 => Reason::Stale,
            410 => Reason::Gone,
            400 | 422 => Reason::Invalid,
            429 => Reason::TooMany,
            _ => Reason::Server,
        };
        let message = if status.message.is_empty() {
            let text = String::from_utf8_lossy(body);
            format!(
                "{} {}",
                parts.status,
                text.chars().take(200).collect::<String>()
            )
        } else {
            status.message
        };
        ApiError {
            conflicts,
            retry_after: parts
                .headers
                .get("retry-after")
                .and_then(|value| value.to_str().ok()?.parse().ok())
                .map(Duration::from_secs),
            ..ApiError::new(method, path, reason, message.trim().to_owned())
        }
        .of_the_pod_unless(status.kind == "Status")
    }

    fn of_the_pod_unless(mut self, status: bool) -> Self {
        if !status && matches!(self.reason, Reason::Forbidden | Reason::Unauthorized) {
            // The pod's own 401 or 403, passed on by a proxy.
            self.reason = Reason::Server;
        }
        self
    }

    pub fn is_not_found(&self) -> bool {
        self.reason == Reason::NotFound
    }

    pub fn is_from_api_server(&self) -> bool {
        matches!(self.reason, Reason::Unauthorized | Reason::Forbidden)
    }

    /// What to try, by the reason.
    pub fn hint(&self) -> &'static str {
        match self.reason {
            Reason::Unreachable => {
                "check that the cluster is up and that this machine reaches it: kubectl version"
            }
            Reason::Timeout => {
                "the API server is slow or cut off: try again, or look at kubectl get --raw /readyz"
            }
            Reason::Garbled => {
                "something between here and the API server changes answers: try kubectl get --raw on the same path"
            }
            Reason::Unauthorized => {
                "the credentials are missing or expired: log in again, then run this again"
            }
            Reason::Forbidden => "ask for the permission (the README holds a ready ClusterRole)",
            Reason::NotFound => "it went away, or its kind is not installed",
            Reason::FieldConflict => {
                "take the field by its manager's name (--take MANAGER), or leave the change out"
            }
            Reason::Stale => "the object changed meanwhile: review again",
            Reason::Gone => "the list is too old: read it again",
            Reason::Invalid => "the server's words above say which field",
            Reason::TooMany => "the API server is busy: wait a little, then try again",
            Reason::ReadOnly => "start it without --read-only to write",
            Reason::Server => "look at the API server's or the webhook's log",
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Error {
        let path = error.path.split('?').next().unwrap_or_default();
        Error::new(format!("{} {path} failed", error.method))
            .cause(&error.message)
            .hint(error.hint())
    }
}
