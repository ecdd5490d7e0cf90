//! What a request to the API server can come to, in words that name the request and the next step.

use crate::error::{Error, Tells};
use crate::words::say::cluster as say;
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
    /// The namespace is gone or going.
    pub without_namespace: bool,
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
    /// 403: the authoriser's word, a permission is missing.
    Forbidden,
    /// Admission's word on the object itself, whatever code it comes with: a webhook, a policy, a quota, Pod
    /// Security, a namespace that is terminating.
    Denied,
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
    kind: String,
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
            without_namespace: false,
            retry_after: None,
        }
    }

    pub(super) fn timeout(method: &Method, path: &str, limit: Duration) -> Self {
        let message = say::no_answer_within(limit.as_secs());
        ApiError::new(method, path, Reason::Timeout, message)
    }

    pub(super) fn transport(method: &Method, path: &str, error: kube::Error) -> Self {
        if let kube::Error::Service(inner) = &error
            && let Some(held) = inner.downcast_ref::<super::stack::ReadOnly>()
        {
            return ApiError::new(method, path, Reason::ReadOnly, held.to_string());
        }
        let message = match &error {
            // The box hides its content's own type from a walk over the sources.
            kube::Error::Service(inner) => crate::fault::connection(inner.as_ref()),
            other => crate::fault::connection(other),
        };
        ApiError::new(method, path, Reason::Unreachable, message)
    }

    pub(crate) fn cut(method: &Method, path: &str, error: impl fmt::Display) -> Self {
        let message = say::answer_broke_off(&error);
        ApiError::new(method, path, Reason::Garbled, message)
    }

    pub(crate) fn garbled(method: &Method, path: &str, error: impl fmt::Display) -> Self {
        let message = say::answer_not_of_the_api(&error);
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
        let reason = match reason {
            Reason::FieldConflict => reason,
            _ if status.kind == "Status" && denied(parts.status.as_u16(), &message) => {
                Reason::Denied
            }
            _ => reason,
        };
        // `NamespaceTerminatingCause` of k8s.io/api/core/v1; a create in a namespace that is not there names that.
        let terminating = |cause: &StatusCause| cause.reason == "NamespaceTerminating";
        let missing = parts.status.as_u16() == 404 && status.details.kind == "namespaces";
        ApiError {
            without_namespace: missing || status.details.causes.iter().any(terminating),
            conflicts,
            retry_after: super::retry::asked(&parts.headers),
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

    /// The server's, a webhook's or a policy's word on the object itself.
    pub fn refuses(&self) -> bool {
        matches!(self.reason, Reason::Invalid | Reason::Denied)
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
            Reason::Unreachable => say::CHECK_THE_CLUSTER,
            Reason::Timeout => say::SERVER_IS_SLOW,
            Reason::Garbled => say::PROXY_MAY_CHANGE_ANSWERS,
            Reason::Unauthorized => say::LOG_IN_AGAIN,
            Reason::Forbidden => say::GET_THE_PERMISSION,
            Reason::Denied => say::FIX_THE_CAUSE,
            Reason::NotFound => say::DELETED_OR_NOT_INSTALLED,
            Reason::FieldConflict => say::FORCE_OR_SKIP,
            Reason::Stale => say::CHANGED_REVIEW_AGAIN,
            Reason::Gone => say::LIST_TOO_OLD,
            Reason::Invalid => say::SEE_WHICH_FIELD,
            Reason::TooMany => say::SERVER_IS_BUSY,
            Reason::ReadOnly => say::REMOVE_READ_ONLY,
            Reason::Server => say::SEE_THE_LOG,
        }
    }
}

/// A webhook denies with a code of its own choice, and admission plugins with a 403; what tells them from the
/// authoriser is that the latter names a user who cannot do a thing.
fn denied(code: u16, message: &str) -> bool {
    let webhook =
        message.starts_with("admission webhook ") && message.contains(" denied the request");
    let policy =
        message.contains("ValidatingAdmissionPolicy ") && message.contains(" denied request");
    let unauthorised = message.contains("User \"") && message.contains("\" cannot ");
    let plugin = code == 403 && message.contains(" is forbidden: ") && !unauthorised;
    webhook || policy || plugin
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
        Error {
            tells: error.without_namespace.then_some(Tells::Gone),
            ..Error::new(say::request_failed(&error.method, path))
                .cause(&error.message)
                .hint(error.hint())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: u16, message: &str) -> ApiError {
        let body = serde_json::json!({"kind": "Status", "message": message}).to_string();
        let answer = http::Response::builder()
            .status(code)
            .body(())
            .expect("an answer");
        let (parts, ()) = answer.into_parts();
        ApiError::status(&Method::PATCH, "/x", &parts, &Bytes::from(body))
    }

    #[test]
    fn admission_is_told_from_a_missing_permission_whatever_the_code() {
        let words = "admission webhook \"v.example.com\" denied the request: image cannot be\n- latest\n- untagged";
        for code in [400, 403, 409, 422, 429, 500] {
            let error = answered(code, words);
            assert_eq!(error.reason, Reason::Denied, "{code}");
            assert_eq!(error.message, words, "whole, in its own lines");
        }
        for words in [
            "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: x",
            "pods \"web\" is forbidden: exceeded quota: q, requested: pods=1",
            "sidecars.networking.istio.io \"x\" is forbidden: unable to create new content in namespace shop because it is being terminated",
            "pods \"web\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false",
        ] {
            assert_eq!(answered(403, words).reason, Reason::Denied, "{words}");
        }
        let authoriser = "deployments.apps \"web\" is forbidden: User \"me\" cannot patch resource \"deployments\" in API group \"apps\"";
        assert_eq!(answered(403, authoriser).reason, Reason::Forbidden);
        assert_eq!(answered(403, "no").reason, Reason::Forbidden);
        assert_eq!(
            answered(409, "the object has been modified").reason,
            Reason::Stale
        );
        assert_eq!(answered(500, "internal error").reason, Reason::Server);
    }
}
