//! What an answer from Prometheus means, in words: cut, a web page, another product, not allowed, not there yet.

use crate::cluster::ApiError;
use crate::cluster::error::Reason;
use crate::error::Error;
use crate::words::say::prometheus as say;
use bytes::Bytes;
use serde::Deserialize;
use std::borrow::Cow;

/// What is wrong with an answer; [`Fault::at`] adds whose it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    what: What,
    cause: Option<String>,
    hint: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// After so many bytes.
    CutOff(usize),
    NotItsApi,
    WebPage,
    Error,
    AsksForCredentials,
    Refused,
    NoSuchPath,
    NotReady,
    Status(u16),
    Unreached,
    NoReloads,
    ConfigRefused,
    ReloadStatus(u16),
    ConfigUnreadable,
}

impl What {
    fn said(self, place: &str) -> String {
        match self {
            What::CutOff(bytes) => say::cut_off(place, bytes),
            What::NotItsApi => say::not_its_api(place),
            What::WebPage => say::web_page(place),
            What::Error => say::answered_with_an_error(place),
            What::AsksForCredentials => say::asks_for_credentials(place),
            What::Refused => say::refused_the_request(place),
            What::NoSuchPath => say::no_such_path(place),
            What::NotReady => say::not_ready(place),
            What::Status(status) => say::answered(place, status),
            What::Unreached => say::unreached(place),
            What::NoReloads => say::takes_no_reloads(place),
            What::ConfigRefused => say::refused_its_configuration(place),
            What::ReloadStatus(status) => say::answered_a_reload(place, status),
            What::ConfigUnreadable => say::configuration_unreadable(place),
        }
    }
}

impl Fault {
    fn new(what: What, hint: &'static str) -> Self {
        Fault {
            what,
            cause: None,
            hint,
        }
    }

    fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into()).filter(|text| !text.is_empty());
        self
    }

    pub fn at(self, place: &str) -> Error {
        let error = Error::new(self.what.said(place)).hint(self.hint);
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
                What::CutOff(body.len()),
                say::SOMETHING_LIMITS_ANSWERS,
            ));
        }
        Err(_) if !body.trim_ascii_start().starts_with(b"{") => return Err(not_json(body)),
        Err(e) => {
            return Err(Fault::new(What::NotItsApi, OTHER).because(e.to_string()));
        }
    };
    match envelope.data {
        Some(data) if envelope.status == "success" => Ok(data),
        _ => {
            Err(Fault::new(What::Error, say::SEE_ITS_LOG)
                .because(envelope.error.unwrap_or_default()))
        }
    }
}

const OTHER: &str = say::CHECK_IT_IS_PROMETHEUS;

fn not_json(body: &[u8]) -> Fault {
    let start = text(body, 200);
    let lower = start.to_ascii_lowercase();
    if lower.contains("<html") || lower.contains("<!doctype") {
        Fault::new(What::WebPage, OTHER)
    } else {
        Fault::new(What::NotItsApi, OTHER).because(start)
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
        401 => Fault::new(What::AsksForCredentials, say::ASK_BY_URL),
        403 => Fault::new(What::Refused, say::PROXY_REFUSES).because(text(&body, 200)),
        404 => Fault::new(What::NoSuchPath, OTHER),
        503 => Fault::new(What::NotReady, say::WAIT).because(text(&body, 200)),
        _ => Fault::new(What::Status(status), say::SEE_ITS_LOG)
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
        say::STARTING_OR_ANOTHER_PORT
    } else if message.contains("connection reset") || message.contains("EOF") {
        say::SIDECAR_DEMANDS_MTLS
    } else if message.contains("timeout") || message.contains("deadline exceeded") {
        say::NETWORK_OR_NODE
    } else if message.contains("not found") {
        say::POD_IS_GONE
    } else {
        say::SEE_THE_SAME_PATH
    };
    Fault::new(What::Unreached, hint).because(message)
}

/// The API server refused, or was not reached.
pub(super) fn denied(place: &str, error: &ApiError) -> Error {
    let to_do = match error.reason {
        Reason::Forbidden if error.method == "POST" => say::ASK_FOR_CREATE,
        Reason::Forbidden => say::ASK_FOR_GET,
        _ => error.hint(),
    };
    Error::new(say::could_not_be_asked(place))
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
        403 => Fault::new(What::NoReloads, say::SET_LIFECYCLE),
        500 => Fault::new(What::ConfigRefused, say::SEE_THE_FILE).because(text(body, 500)),
        _ => Fault::new(What::ReloadStatus(status), say::SEE_ITS_LOG).because(text(body, 200)),
    })
}

/// A running configuration that its own format does not allow.
pub(super) fn unreadable(error: impl std::fmt::Display) -> Fault {
    Fault::new(What::ConfigUnreadable, say::SEE_IN_PROMETHEUS).because(error.to_string())
}
