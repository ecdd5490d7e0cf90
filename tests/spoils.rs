//! What may go wrong with a request, and what kinds of requests there are, for both suites: over the simulation, and
//! before a real API server.

use bytes::Bytes;
use http::{Method, Response, Uri};
use meshscrape::cluster::stack::Spoil;
use serde_json::json;

pub const FAULTS: [&str; 14] = [
    "401",
    "403",
    "404",
    "409 with causes",
    "409 stale",
    "410",
    "422",
    "429",
    "500",
    "503",
    "no answer after it was done",
    "connection broken after it was done",
    "half an answer",
    "garbage",
];

fn status(code: u16, reason: &str) -> Spoil {
    let mut body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": reason, "message": format!("{reason}, said by a test"),
    });
    if reason == "Conflict" {
        body["details"] = json!({"causes": [{
            "reason": "FieldManagerConflict", "field": ".spec.x",
            "message": "conflict with \"somebody\" using v1",
        }]});
    }
    let mut answer = Response::builder()
        .status(code)
        .header("Content-Type", "application/json");
    if code == 429 {
        answer = answer.header("Retry-After", "2");
    }
    Spoil::Instead(answer.body(Bytes::from(body.to_string())).unwrap())
}

/// What a fault of this name does to an attempt.
pub fn spoil(fault: &str) -> Spoil {
    match fault {
        "401" => status(401, "Unauthorized"),
        "403" => status(403, "Forbidden"),
        "404" => status(404, "NotFound"),
        "409 with causes" => status(409, "Conflict"),
        "409 stale" => status(409, "AlreadyExists"),
        "410" => status(410, "Expired"),
        "422" => status(422, "Invalid"),
        "429" => status(429, "TooManyRequests"),
        "500" => status(500, "InternalError"),
        "503" => status(503, "ServiceUnavailable"),
        "no answer after it was done" => Spoil::Unanswered,
        "connection broken after it was done" => Spoil::Broken,
        "half an answer" => Spoil::HalfAnswer,
        _ => Spoil::Garbage(Bytes::from_static(b"<html>\x1b[2J not an API server")),
    }
}

/// A request's kind: what a fault at one of them says for the others. Writes are told apart by resource.
pub fn kind(method: &Method, uri: &Uri) -> String {
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    // After the group and version, and after the namespace where there is one.
    let rest = match parts[..] {
        ["api", _, "namespaces", _, ref rest @ ..] if !rest.is_empty() => rest,
        ["apis", _, _, "namespaces", _, ref rest @ ..] if !rest.is_empty() => rest,
        ["api", _, ref rest @ ..] | ["apis", _, _, ref rest @ ..] => rest,
        _ => &[],
    };
    match rest {
        _ if path.contains("/proxy/") => format!("{method} through a proxy"),
        _ if path.contains("/authorization.k8s.io/") => "access review".into(),
        _ if query.contains("dryRun=All") => format!("{method} dry run"),
        [] => format!("{method} about the server"),
        [_] if *method == Method::GET => "GET list".into(),
        [_, ..] if *method == Method::GET => "GET object".into(),
        [resource, ..] => format!("{method} {resource}"),
    }
}
