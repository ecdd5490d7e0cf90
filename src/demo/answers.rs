//! Answers in the words of a real API server.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::kinds::Kind;
use super::ownership::Conflict;

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub content_type: &'static str,
    pub body: Bytes,
    pub retry_after: Option<u32>,
}

impl Reply {
    pub fn json(code: u16, body: &Value) -> Reply {
        Reply::bytes(code, "application/json", body.to_string())
    }

    /// JSON that is text already.
    pub fn written(body: String) -> Reply {
        Reply::bytes(200, "application/json", body)
    }

    pub fn text(code: u16, body: impl Into<String>) -> Reply {
        Reply::bytes(code, "text/plain; charset=utf-8", body.into())
    }

    fn bytes(code: u16, content_type: &'static str, body: String) -> Reply {
        Reply {
            status: StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            content_type,
            body: Bytes::from(body),
            retry_after: None,
        }
    }
}

/// A `Status` of failure.
pub fn failure(code: u16, reason: &str, message: impl Into<String>, details: Value) -> Reply {
    let mut body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message.into(), "reason": reason,
    });
    if !details.is_null() {
        body["details"] = details;
    }
    body["code"] = json!(code);
    Reply::json(code, &body)
}

fn details(kind: &Kind, name: &str) -> Value {
    let mut details = json!({"name": name});
    if !kind.group.is_empty() {
        details["group"] = json!(kind.group);
    }
    details["kind"] = json!(kind.plural);
    details
}

/// The plain text of a path that no handler serves, such as a resource whose CRD is missing.
pub fn no_such_path() -> Reply {
    Reply::text(404, "404 page not found\n")
}

pub fn not_simulated(method: &str, path: &str) -> Reply {
    failure(
        501,
        "NotImplemented",
        format!("not simulated: {method} {path}"),
        Value::Null,
    )
}

pub fn unauthorized() -> Reply {
    failure(401, "Unauthorized", "Unauthorized", Value::Null)
}

pub fn not_found(kind: &Kind, name: &str) -> Reply {
    let message = format!("{} {name:?} not found", kind.qualified());
    failure(404, "NotFound", message, details(kind, name))
}

pub fn exists(kind: &Kind, name: &str) -> Reply {
    let message = format!("{} {name:?} already exists", kind.qualified());
    failure(409, "AlreadyExists", message, details(kind, name))
}

pub fn forbidden(user: &str, verb: &str, kind: &Kind, sub: &str, ns: &str, name: &str) -> Reply {
    let resource = if sub.is_empty() {
        kind.plural.to_owned()
    } else {
        format!("{}/{sub}", kind.plural)
    };
    let place = if ns.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {ns:?}")
    };
    let object = if name.is_empty() {
        kind.qualified()
    } else {
        format!("{} {name:?}", kind.qualified())
    };
    let message = format!(
        "{object} is forbidden: User {user:?} cannot {verb} resource {resource:?} in API group {:?} {place}",
        kind.group
    );
    let mut about = details(kind, name);
    if name.is_empty()
        && let Some(map) = about.as_object_mut()
    {
        map.remove("name");
    }
    failure(403, "Forbidden", message, about)
}

pub fn refused_by_admission(kind: &Kind, name: &str, why: &str) -> Reply {
    let message = format!("{} {name:?} is forbidden: {why}", kind.qualified());
    failure(403, "Forbidden", message, details(kind, name))
}

pub fn invalid(kind: &Kind, name: &str, field: &str, why: &str) -> Reply {
    let message = format!(
        "{}.{} {name:?} is invalid: {field}: {why}",
        kind.kind, kind.group
    );
    let message = message.replace(". \"", " \"");
    let mut about = details(kind, name);
    about["kind"] = json!(kind.kind);
    about["causes"] = json!([{"reason": "FieldValueInvalid", "message": why, "field": field}]);
    failure(422, "Invalid", message, about)
}

pub fn bad_request(message: impl Into<String>) -> Reply {
    failure(400, "BadRequest", message, Value::Null)
}

/// A stale resourceVersion.
pub fn modified(kind: &Kind, name: &str) -> Reply {
    let message = format!(
        "Operation cannot be fulfilled on {} {name:?}: the object has been modified; \
         please apply your changes to the latest version and try again",
        kind.qualified()
    );
    failure(409, "Conflict", message, details(kind, name))
}

/// A precondition that does not hold, in the words of the storage layer.
pub fn precondition(kind: &Kind, name: &str, what: &str, wanted: &str, found: &str) -> Reply {
    let message = format!(
        "Operation cannot be fulfilled on {} {name:?}: Precondition failed: {what} in precondition: \
         {wanted}, {what} in object meta: {found}",
        kind.qualified()
    );
    failure(409, "Conflict", message, details(kind, name))
}

/// Fields that others own.
pub fn conflicts(conflicts: &[Conflict]) -> Reply {
    let message = match conflicts {
        [one] => format!(
            "Apply failed with 1 conflict: conflict with {}: {}",
            one.manager, one.field
        ),
        many => {
            let mut lines = Vec::new();
            let mut managers: Vec<&str> = many.iter().map(|c| c.manager.as_str()).collect();
            managers.dedup();
            for manager in managers {
                lines.push(format!("conflicts with {manager}:"));
                let theirs = many.iter().filter(|c| c.manager == manager);
                lines.extend(theirs.map(|c| format!("- {}", c.field)));
            }
            format!(
                "Apply failed with {} conflicts: {}",
                many.len(),
                lines.join("\n")
            )
        }
    };
    let causes: Vec<Value> = conflicts
        .iter()
        .map(|c| {
            json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with {}", c.manager),
                "field": c.field,
            })
        })
        .collect();
    failure(409, "Conflict", message, json!({"causes": causes}))
}

/// What the API server says when it could not reach what stands behind its proxy.
pub fn unreachable(why: &str) -> Reply {
    failure(
        503,
        "ServiceUnavailable",
        format!("error trying to reach service: {why}"),
        Value::Null,
    )
}
