//! What an answer from Prometheus means, in words: cut, a web page, another product, not allowed, not there yet.

use crate::cluster::ApiError;
use crate::cluster::error::Reason;
use crate::error::Error;
use bytes::Bytes;
use serde::Deserialize;
use std::borrow::Cow;

/// What is wrong with an answer; [`Fault::at`] adds whose it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Goes on after "Prometheus (POD) ".
    what: String,
    cause: Option<String>,
    hint: String,
}

impl Fault {
    fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Fault {
            what: what.into(),
            cause: None,
            hint: hint.into(),
        }
    }

    fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into()).filter(|text| !text.is_empty());
        self
    }

    pub fn at(self, place: &str) -> Error {
        let error = Error::new(format!("Prometheus ({place}) {}", self.what)).hint(self.hint);
        match self.cause {
            Some(cause) => error.cause(cause),
            None => error,
        }
    }
}

/// `{"status": "success", "data": …}`, or an error with its words.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<'a, T> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    data: Option<T>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
}

/// The `data` of an answer.
pub(super) fn data<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Fault> {
    let envelope: Envelope<'a, T> = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(e) if e.is_eof() => {
            return Err(Fault::new(
                format!(
                    "sent a response that was cut off after {} bytes",
                    body.len()
                ),
                "try again; if it stays so, something between the API server and Prometheus limits answers",
            ));
        }
        Err(_) if !body.trim_ascii_start().starts_with(b"{") => return Err(not_json(body)),
        Err(e) => {
            return Err(
                Fault::new("sent an answer that is not Prometheus's API", OTHER)
                    .because(e.to_string()),
            );
        }
    };
    match envelope.data {
        Some(data) if envelope.status == "success" => Ok(data),
        _ => Err(Fault::new("answered with an error", "its log says more")
            .because(envelope.error.unwrap_or_default())),
    }
}

const OTHER: &str = "check that this is Prometheus, and its --web.route-prefix and --web.external-url: another product, or another path, answers there";

fn not_json(body: &[u8]) -> Fault {
    let start = text(body, 200);
    let lower = start.to_ascii_lowercase();
    if lower.contains("<html") || lower.contains("<!doctype") {
        Fault::new("answered with a web page in place of its API", OTHER)
    } else {
        Fault::new("sent an answer that is not Prometheus's API", OTHER).because(start)
    }
}

fn text(body: &[u8], limit: usize) -> String {
    let text = String::from_utf8_lossy(body);
    text.trim().chars().take(limit).collect()
}

/// A Kubernetes Status in which the API server says what became of its own way to the pod.
fn on_the_way(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Status {
        kind: String,
        message: String,
    }
    let status: Status = serde_json::from_slice(body).ok()?;
    (status.kind == "Status").then_some(status.message)
}

/// The body of a 200; else what the status means.
pub(super) fn accept(status: u16, body: Bytes) -> Result<Bytes, Fault> {
    if (200..300).contains(&status) {
        return Ok(body);
    }
    if let Some(message) = on_the_way(&body) {
        return Err(unreached(message));
    }
    Err(match status {
        401 => Fault::new(
            "asks for credentials (basic auth in its --web.config.file)",
            "ask it by its URL, with credentials from a file: --prometheus-url, --prometheus-user, --prometheus-password-file",
        ),
        403 => Fault::new(
            "refused the request",
            "a proxy or its own web configuration refuses requests",
        )
        .because(text(&body, 200)),
        404 => Fault::new("does not know this path", OTHER),
        503 => Fault::new(
            "is not ready yet: it is starting, or reads its log again",
            "wait; it answers when it is ready",
        )
        .because(text(&body, 200)),
        _ => Fault::new(format!("answered {status}"), "its log says more")
            .because(said(&body).unwrap_or_else(|| text(&body, 200))),
    })
}

/// It is not listening yet, or not ready: that passes.
pub(super) fn starting(status: u16, body: &[u8]) -> bool {
    match on_the_way(body) {
        Some(message) => message.contains("connection refused"),
        None => status == 503,
    }
}

/// Prometheus's own words for an error.
fn said(body: &[u8]) -> Option<String> {
    let envelope: Envelope<serde::de::IgnoredAny> = serde_json::from_slice(body).ok()?;
    envelope.error.map(Cow::into_owned)
}

fn unreached(message: String) -> Fault {
    let hint = if message.contains("connection refused") {
        "Prometheus is starting, or listens on another port (--web.listen-address)"
    } else if message.contains("connection reset") || message.contains("EOF") {
        "its sidecar demands mTLS on the port. Forward it (kubectl port-forward POD 9090), and ask it there: --prometheus-url http://127.0.0.1:9090"
    } else if message.contains("timeout") || message.contains("deadline exceeded") {
        "a NetworkPolicy may block the API server, or the node is down: query it directly (--prometheus-url)"
    } else if message.contains("not found") {
        "the pod no longer exists; the next check finds its replacement"
    } else {
        "kubectl get --raw on the same path shows the same"
    };
    Fault::new("cannot be reached through the API server", hint).because(message)
}

/// The API server refused, or was not reached.
pub(super) fn denied(place: &str, error: &ApiError) -> Error {
    let to_do = match error.reason {
        Reason::Forbidden if error.method == "POST" => {
            "ask for `create` on pods/proxy in its namespace (the README holds a ready ClusterRole)"
        }
        Reason::Forbidden => {
            "ask for `get` on pods/proxy in its namespace (the README holds a ready ClusterRole)"
        }
        _ => error.hint(),
    };
    Error::new(format!("Prometheus ({place}) could not be asked"))
        .cause(&error.message)
        .hint(to_do)
}

/// Whether the answer says that the other scheme is spoken there: `Some(true)` for HTTPS.
pub(super) fn wants_https(status: u16, body: &[u8]) -> Option<bool> {
    if status < 400 {
        return None;
    }
    let said = text(body, 2000);
    if said.contains("HTTP request to an HTTPS server") {
        Some(true)
    } else if said.contains("server gave HTTP response to HTTPS client")
        // The API server's own proxy says it so.
        || said.contains("first record does not look like a TLS handshake")
    {
        Some(false)
    } else {
        None
    }
}

/// What `POST /-/reload` came to.
pub(super) fn reloaded(status: u16, body: &Bytes) -> Result<(), Fault> {
    if (200..300).contains(&status) {
        return Ok(());
    }
    if let Some(message) = on_the_way(body) {
        return Err(unreached(message));
    }
    Err(match status {
        403 => Fault::new(
            "does not take reload requests",
            "set --web.enable-lifecycle, or restart it: kubectl rollout restart",
        ),
        500 => Fault::new(
            "refused its configuration file",
            "the running configuration stays; look at the file",
        )
        .because(text(body, 500)),
        _ => Fault::new(
            format!("answered {status} to a reload"),
            "its log says more",
        )
        .because(text(body, 200)),
    })
}

/// A part of an answer that its own format does not allow.
pub(super) fn unreadable(part: &str, error: impl std::fmt::Display) -> Fault {
    Fault::new(
        format!("sent {part} in a form that cannot be read"),
        "look at it in Prometheus itself, under Status",
    )
    .because(error.to_string())
}
