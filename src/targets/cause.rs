//! From Prometheus's `lastError` to a cause: a table, tried from the top.

use super::{Expected, Files, Policy};
use crate::answers::MetricsPort;
use crate::problems::{Item, Problem, Subject};
use crate::words::say::targets as say;

/// What is known of the item besides the error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct About {
    pub gateway: bool,
    pub port: MetricsPort,
    /// [`Expected::behind`]
    pub behind: u16,
    pub policy: Policy,
}

struct Rule {
    /// Any of these, in lower case, in the error.
    says: &'static [&'static str],
    when: fn(&About) -> bool,
    problem: fn(Subject, &About) -> Problem,
}

const ALWAYS: fn(&About) -> bool = |_| true;

/// The order matters: an error may hold the words of several rows.
const RULES: &[Rule] = &[
    Rule {
        says: &["doesn't contain any ip sans"],
        when: ALWAYS,
        problem: |of, _| Problem::CertificateWithoutIp { of },
    },
    Rule {
        says: &["server gave http response to https client"],
        when: ALWAYS,
        problem: |of, _| Problem::PlaintextPort { of },
    },
    Rule {
        says: &["certificate required", "broken pipe"],
        when: ALWAYS,
        problem: |of, _| Problem::NoClientCertificate { of },
    },
    Rule {
        says: &[
            "unknown certificate authority",
            "signed by unknown authority",
        ],
        when: ALWAYS,
        problem: |of, _| Problem::OtherRoot { of },
    },
    Rule {
        says: &["expired certificate", "certificate has expired"],
        when: ALWAYS,
        problem: |of, _| Problem::CertificateExpired { of },
    },
    Rule {
        says: &["too many colons in address"],
        when: ALWAYS,
        problem: |of, _| Problem::AddressWithoutBrackets { of },
    },
    Rule {
        says: &["connection refused"],
        when: |about| about.gateway,
        problem: |of, _| Problem::GatewayNotListening { of },
    },
    Rule {
        says: &["connection refused"],
        when: ALWAYS,
        problem: |of, _| Problem::NotListening { of },
    },
    Rule {
        says: &["expected value after metric"],
        when: ALWAYS,
        problem: |of, _| Problem::MergeBroken { of },
    },
    Rule {
        says: &[
            "sample_limit exceeded",
            "sample limit exceeded",
            "body size limit exceeded",
            "body_size_limit exceeded",
            "label_limit",
        ],
        when: ALWAYS,
        problem: |of, _| Problem::LimitExceeded { of },
    },
    Rule {
        says: &["unsupported content-type", "blank content-type"],
        when: ALWAYS,
        problem: |of, _| Problem::NotMetrics { of },
    },
    Rule {
        says: &[
            "context deadline exceeded",
            "i/o timeout",
            "client.timeout exceeded",
        ],
        when: ALWAYS,
        problem: |of, _| Problem::NoAnswer { of },
    },
    Rule {
        says: &["no route to host", "network is unreachable"],
        when: ALWAYS,
        problem: |of, _| Problem::PodUnreachable { of },
    },
    Rule {
        says: &["http status 503"],
        when: ALWAYS,
        problem: |of, about| Problem::NothingBehind {
            of,
            port: about.behind,
        },
    },
    Rule {
        says: &["http status 403"],
        when: ALWAYS,
        problem: |of, _| Problem::PrometheusForbidden { of },
    },
    Rule {
        says: &["http status 429"],
        when: ALWAYS,
        problem: |of, _| Problem::RateLimited { of, filter: None },
    },
    Rule {
        says: &["http status 404"],
        when: ALWAYS,
        problem: |of, _| Problem::PathNotFound { of },
    },
    Rule {
        says: &["http2: client conn could not be established"],
        when: ALWAYS,
        problem: |of, _| Problem::ConnectionStale { of },
    },
    Rule {
        says: RESET,
        when: |about| about.gateway,
        problem: |of, _| Problem::GatewayHandshake { of },
    },
    Rule {
        says: RESET,
        when: |about| about.policy == Policy::Strict,
        problem: |of, _| Problem::HandshakeUnderStrict { of },
    },
    Rule {
        says: RESET,
        when: ALWAYS,
        problem: |of, _| Problem::HandshakeReset { of },
    },
];

const RESET: &[&str] = &["connection reset by peer", "eof"];

/// The cause, by the table; `None`: the error is not known. `of`: the pod.
pub fn cause(error: &str, of: Subject, about: &About) -> Option<Problem> {
    let error = error
        .to_lowercase()
        .replace("http status code", "http status");
    let rule = RULES
        .iter()
        .find(|rule| rule.says.iter().any(|words| error.contains(words)) && (rule.when)(about))?;
    Some((rule.problem)(of, about))
}

/// The error without what differs from one scrape to the next: the address and port on Prometheus's own side
/// (`read tcp 10.0.0.1:51234->10.0.0.2:15091`) and the URL, so that equal failures read equal.
pub fn group(error: &str) -> String {
    let error = match error.split_once("\": ") {
        Some((request, rest)) if request.starts_with("Get \"") => rest,
        _ => error,
    };
    let Some((before, after)) = error.split_once("->") else {
        return error.to_owned();
    };
    let start = before.rfind(' ').map_or(0, |at| at + 1);
    format!("{}{after}", &before[..start])
}

/// A job in the running configuration without a scrape pool. `reloads`: this Prometheus takes reload requests.
pub(super) fn failed_pool(of: Subject, files: &Files, reloads: bool) -> Problem {
    match files {
        Files::Written => Problem::CertificatesLate { of, reloads },
        Files::Awaited => Problem::CertificatesMissing { of },
        Files::Nobody(why) => Problem::JobNotStarted {
            of,
            why: Some(why.clone()),
        },
        Files::Unknown => Problem::JobNotStarted { of, why: None },
    }
}

/// A secure job whose target is not the pod's own secure port over TLS.
pub(super) fn elsewhere(one: &Expected) -> Problem {
    let ip = one.ip.as_deref().unwrap_or("ADDRESS");
    let host = match ip.contains(':') {
        true => format!("[{ip}]"),
        false => ip.to_owned(),
    };
    let port = one.secure_port.as_deref().unwrap_or("15091");
    Problem::TargetElsewhere {
        of: one.subject(),
        wanted: format!("https://{host}:{port}"),
    }
}

/// A running pod whose annotation somebody changed, so that it reads otherwise than the template it was made from.
pub(super) fn strayed(one: &Expected, wanted: &str, plain: Option<&str>) -> (String, Problem) {
    let scraped = match plain {
        Some(job) => say::plaintext_by(job),
        None => say::NO_TARGET_OVER_MTLS.to_owned(),
    };
    let problem = Problem::AnnotationChanged {
        of: one.subject(),
        has: one.secure_port.clone(),
        wanted: wanted.to_owned(),
        item: one.choice(),
    };
    (scraped, problem)
}

impl Expected {
    /// The pod.
    pub(super) fn subject(&self) -> Subject {
        Subject::new("Pod", &self.item.namespace, &self.pod)
    }

    pub(super) fn choice(&self) -> Item {
        Item {
            id: self.item.clone(),
            gateway: self.gateway,
            behind: self.port.into(),
        }
    }
}
