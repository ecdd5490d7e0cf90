//! What can go wrong with a request.

use bytes::Bytes;
use http::Response;
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
